/* SPDX-License-Identifier: BSD-2-Clause */
/* The batches of a journal, one after another, and what to think of each.
 *
 *   this batch   sound head behind it   it is
 *   sound        (not looked for)       WHOLE
 *   damaged      yes, its successor's   NAMED: the successor's head says what its records were, a
 *                                       hard state in full, an entry by its header
 *   damaged      yes, but of a later    LOST: nothing says what it held
 *                one only
 *   damaged      none                   TORN: the last write, not finished; nobody was told that it
 *                                       was.  NOTHING if not even its head is there
 *
 * Where a segment ends the heads of the next one say; what stands behind that was dropped by the
 * start that wrote them, and stays dropped whatever it looks like now.
 *
 * A restart walks a journal to replay it (restore_journal.c), vstamp-admin to show it. */
#ifndef NODE_JOURNAL_WALK_H
#define NODE_JOURNAL_WALK_H

#include <vstamp/error.h>

#include "node/journal.h"

/* Where segments are read from.  `read` gives the bytes at `place`, a multiple of 4096, *got of
 * them, fewer where the file ends, none where there is none; what the disk cannot give is zeros.
 * They come from stable storage, not from what a former process may have left in a cache.  An error
 * is final. */
struct node_source {
    void *ctx;
    int (*read)(void *ctx, uint64_t number, uint64_t place, void *buffer, size_t size, size_t *got,
                struct vstamp_diag *diag);
};

/* A part of a segment, in memory. */
struct node_window {
    uint8_t *bytes;
    size_t capacity, size;
    uint64_t number, place;
};

/* Where a batch of the journal is. */
struct node_batch {
    uint64_t number, place; /* of its segment, and in it */
    uint64_t size, head;    /* bytes of its records, and of the first of them */
    uint64_t life;          /* which its checksums are seeded with */
};

struct journal_walk {
    /* To be set before. */
    const struct node_source *source;
    struct node_window *window; /* of whole blocks; holds batch_size_max and one more */
    size_t batch_size_max;
    uint8_t *names;             /* batch_size_max bytes */
    struct vstamp_diag *diag;
    uint8_t oldest, newest;     /* versions that can be read; newest 0: whatever comes */

    uint64_t number, last;    /* the segment that is walked, and the newest one that was begun */
    uint64_t place;           /* of the next batch in it */
    uint64_t end;             /* of the segment, UINT64_MAX: not known */
    uint64_t life;            /* of the segment, 0: of whatever head there is */
    bool any;                 /* a batch was passed: */
    struct node_batch before; /* this one, */
    uint64_t sequence;        /* of that number */
    int rv;                   /* of what went wrong, then nothing more is read */
};

struct journal_head {
    struct wire_batch_head is; /* its list is only there until the next look */
    size_t size;               /* of its record */
    uint64_t place;
};

enum journal_found {
    JOURNAL_BATCH_WHOLE,
    JOURNAL_BATCH_NAMED,
    JOURNAL_BATCH_LOST,
    JOURNAL_BATCH_TORN,
    JOURNAL_BATCH_NOTHING
};

/* What stands at walk->place; for WHOLE and NAMED also where it is, */
struct journal_batch {
    struct node_batch is;
    uint64_t sequence;
    struct wire_list named;     /* and for NAMED what it held: batch_items, in walk->names. */
    uint64_t next_number, next; /* LOST: the next sound head, where the walk may go on */
};

/* Segments are made before they are needed: which is the newest that anything was written to?
 * Sets walk->last; first - 1 if there is none. */
void journal_walk_begin(struct journal_walk *w, uint64_t first, uint64_t last);

/* Turn to the beginning of a segment: its end, its life, and, if it has any sound head, the first.
 * False if it has none. */
bool journal_walk_segment(struct journal_walk *w, uint64_t number, struct journal_head *head);

/* NOTHING, too, if the disk refuses (walk->rv). */
enum journal_found journal_walk_look(struct journal_walk *w, struct journal_batch *batch);

/* The records behind its head; they stay in memory until the next look.  A batch that is damaged
 * may be shorter than it should be. */
struct journal_reader journal_walk_records(struct journal_walk *w,
                                           const struct journal_batch *batch);

/* The next record of a NAMED batch, by the next of its `items`: true if it checks, and then its
 * body is there.  `r` is behind it in either case. */
bool journal_walk_named(struct journal_reader *r, struct reader *items,
                        struct wire_batch_item *item, struct bytes *body);

/* Go on behind it. */
void journal_walk_pass(struct journal_walk *w, const struct journal_batch *batch);

/* Is the entry what its header says, in a group of that identity? */
bool journal_entry_checks(struct vstamp_id group, const struct wire_entry *entry);

/* What an incarnation number counts (vr/restart.c). */
uint64_t journal_losses(uint64_t incarnation); /* times it came back empty */
uint64_t journal_starts(uint64_t incarnation); /* and from its disk since then */

#endif

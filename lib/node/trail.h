/* SPDX-License-Identifier: BSD-2-Clause */
/* Reading the trails of two replicas (vr/trail.c): since which op do their states differ, where?
 *
 * On the disk a trail is a row of records, JOURNAL_TRAIL, each with some entries.  What follows one
 * another without a gap is a stretch: a start of the replica begins one, with all pages zeros, and
 * so does damage, or a file that is gone, with nothing known.  Within a stretch the
 * content of a page is known at every point from its first entry on; and a page can begin to differ
 * only at a point for which one of the two has an entry of it.  So one walk along both stretches,
 * side by side, finds all. */
#ifndef NODE_TRAIL_H
#define NODE_TRAIL_H

#include <vstamp/error.h>

#include "base/limits.h"
#include "vr/trail.h"
#include "wire/schema.h"

struct trail {
    struct wire_trail_entry *entries; /* the caller's, trail_entries_max of the files' sizes */
    size_t n;
    uint32_t n_pages;    /* pages that it speaks of are below that */
    uint64_t next_place; /* that goes on where the newest record ends */
    uint64_t stretch_op; /* of the newest point of the newest stretch: they rise in it */
    uint64_t first_op, last_op; /* of its points; 0: there are none */
    uint64_t rotten;     /* 1 + a page that the replica itself found turned; 0: none */

    /* As its newest record says. */
    struct vstamp_id group;
    char address[ADDRESS_BYTES_MAX + 1];
    uint32_t app_first;
};

/* As many entries can files of that many bytes hold, with what is noted beside them. */
size_t trail_entries_max(size_t size);

/* Read a file of a trail; those of one replica one after the other, the oldest first.  Gives how
 * many bytes of it made no sense, as a power cut leaves them, or damage, and were passed over.  An
 * error, with a sentence, if it is of another version, or of another group than the ones before. */
int trail_read(struct trail *t, struct bytes file, size_t *lost, struct vstamp_diag *diag);

#define TRAIL_PAGES_SHOWN 16u

struct trail_difference {
    uint64_t n_points; /* that both have */
    uint64_t first_op, last_op; /* the oldest and the newest of them */
    uint64_t op;       /* after this op they differ, 0: they do not, */
    uint64_t after;    /* and after this one they did not; 0: of no older one it is known */
    uint32_t n_pages;  /* that differ at op, */
    uint32_t pages[TRAIL_PAGES_SHOWN]; /* the first of them */
};

/* Zeroed bytes that trail_compare wants to work with. */
size_t trail_compare_memory(const struct trail *a, const struct trail *b);
void trail_compare(const struct trail *a, const struct trail *b, void *memory,
                   struct trail_difference *difference);

#endif

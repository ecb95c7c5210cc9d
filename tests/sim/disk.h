/* SPDX-License-Identifier: BSD-2-Clause */
/* What is on one replica's stable storage, as bytes in memory: journal segments and pages.  A job
 * is under way from disk_begin to disk_finish; a crash between the two leaves any part of it that
 * a real disk could leave: any of the sectors of an append, in a segment that is there or not, a
 * checkpoint committed or not, some of the old segments not yet removed.
 *
 * A segment is made with what a former one left: nobody may take that for its content. */
#ifndef SIM_DISK_H
#define SIM_DISK_H

#include "base/prng.h"
#include "node/node.h"
#include "sim/page_store.h"

struct disk_file {
    uint64_t number;
    uint8_t *data;
    size_t size, capacity;
    size_t acknowledged; /* bytes of batches */
    bool unreadable;
};

struct disk_folder {
    struct disk_file *files; /* in rising order of number */
    size_t count, capacity;
};

/* The files of a trail, the oldest first. */
enum disk_trail {
    DISK_TRAIL_KEPT_BEFORE,
    DISK_TRAIL_KEPT,
    DISK_TRAIL_BEFORE,
    DISK_TRAIL_NEWEST,
    DISK_TRAILS
};

struct disk {
    struct disk_folder segments;
    struct page_store pages;
    struct disk_file spare; /* a segment that was removed: the next one takes its place */
    uint64_t segment_size;
    uint64_t last_number, last_place; /* where the newest append that is done begins */
    bool torn; /* the crash cut an append off, behind that one */
    struct disk_file late; /* an append that a crash cut off, at its place in a file; arrives ... */
    uint64_t late_place, late_after; /* ... after so many appends of the next life */
    struct node_job job[NODE_LANES];
    bool busy[NODE_LANES];
    struct disk_file trail[DISK_TRAILS];
    uint64_t trail_large; /* bytes from which on a file of it is */
    bool aside; /* what was damaged is still there, under other names */
};

/* Before anything else: how large the journal's segments are, and when a file of the trail is. */
void disk_init(struct disk *disk, uint64_t segment_size, uint64_t trail_large);

/* Take note of a job; the bytes are read when it finishes.  What it finds is told to the node. */
void disk_begin(struct disk *disk, enum node_lane lane, const struct node_job *job);
void disk_finish(struct disk *disk, enum node_lane lane, struct node *node);

/* Before a crash: the append under way, if there is one, arrives whole, but so late that the next
 * life has read the journal, and perhaps written to others of its places. */
void disk_delay(struct disk *disk, struct prng *prng);

/* The power fails.  The jobs' bytes must still be there. */
void disk_crash(struct disk *disk, struct prng *prng);

/* It fails when the checkpoint under way was just committed: no segment is removed yet. */
void disk_crash_after_commit(struct disk *disk);

/* While the replica is down some of what it wrote is changed or lost; says what, or NULL if there
 * was nothing to damage.  The last append is spared: what is not behind a later batch cannot be
 * told from the torn end of a write. */
const char *disk_damage(struct disk *disk, struct prng *prng);

/* After a crash: the last append that was done is not what it was, so that it passes for the torn
 * end of a write.  False if there is none, or one behind it that tells. */
bool disk_lose_last(struct disk *disk, struct prng *prng);

/* While the replica runs an acknowledged batch that a start would read is changed, or cannot be
 * read any more; in which segment?  0: there is none.  The last append is spared here, too. */
uint64_t disk_rot(struct disk *disk, struct prng *prng);

/* Bits of a byte of a segment flip. */
void disk_flip(struct disk *disk, uint64_t number, uint64_t place, uint8_t bits);

/* Visit each sound entry behind the checkpoint that a later batch names (disk_entries.c). */
struct disk_entry {
    struct wire_entry_header header;
    uint64_t number, place, size; /* where its record is */
};
typedef void disk_entry_visitor(void *ctx, const struct disk_entry *entry);
void disk_visit_entries(struct disk *disk, const struct vr_config *config,
                        disk_entry_visitor *visit, void *ctx);

/* A node_source's read, of the disk that is ctx. */
int disk_read(void *ctx, uint64_t number, uint64_t place, void *buffer, size_t size, size_t *got,
              struct vstamp_diag *diag);

/* What is on the disk now, copied over what `to` had. */
void disk_copy(struct disk *to, const struct disk *from);

/* An empty disk, all memory given back. */
void disk_wipe(struct disk *disk);

bool disk_is_empty(const struct disk *disk);

/* Feed a node that was just initialised: the newest checkpoint, then the journal.  If something is
 * damaged, it is put aside and the node has lost its state; then *lost is true, and diag says
 * what. */
int disk_restore(struct disk *disk, struct node *node, bool *lost, struct vstamp_diag *diag);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* struct node, for the files of this room; tests look into it too. */
#ifndef NODE_NODE_STATE_H
#define NODE_NODE_STATE_H

#include "node/node.h"
#include "node/recording.h"
#include "vr/replica.h"

/* What is written next to the journal lane, and what is under way. */
struct node_journal {
    uint64_t segment;       /* number of the file that batches go to, 0: none yet */
    uint64_t place;         /* in it: where the next batch begins */
    uint64_t previous_size; /* where the segment before ends */
    uint64_t segment_size;
    uint64_t life;          /* of this start */
    uint64_t sequence;      /* of the open batch */
    struct node_batch before;          /* the batch before that, */
    struct wire_list before_items;     /* and what it holds */
    struct wire_list_builder outline;  /* what the open batch holds */
    uint8_t *outlines[2], outlining;   /* where these lists are */

    uint8_t *buffers[2];
    size_t capacity, buffer_size; /* bytes of records that wait at most; with what is around them */
    size_t batch_records_max;
    uint8_t filling;       /* which buffer `pending` is */
    struct writer pending; /* batches that wait; the last of them is open */
    size_t batch_at, head_size; /* where in them the open batch begins; its head's room */
    struct node_job *cuts; /* the closed ones */
    size_t n_cuts, n_cuts_max;
    size_t trailing_state; /* where in them the last record begins, if it is a hard state */
    bool trailing_blank;   /* which says that we are blank */
    struct wire_list_builder outline_before_state;
    uint64_t pending_position; /* vr->persisted once they are durable */
    bool due;                  /* to be written even if there are no records */

    struct node_job *writing; /* those of the other buffer, one after another */
    size_t n_writing, n_written;
    bool seals; /* no record is in them but a hard state that says nothing new but this: */
    uint64_t commit; /* commit-number that the newest record says */
    uint64_t writing_position;
    uint64_t seal_due_us; /* UINT64_MAX: nothing to seal */
};

/* What the files seen so far say of those that must be there too. */
struct node_restore {
    uint64_t checkpoint; /* its number, 0: none */
    uint64_t first;      /* segment, 0: none */
    struct wire_checkpoint_head head; /* of the checkpoint, */
    struct vstamp_id group;           /* whose group it is of, */
    bool forgotten; /* a later record says that this replica is blank since */
    uint32_t next_page;               /* and of whose pages this one and those after may follow */
    struct node_window window;
    size_t batch_size_max;
};

enum node_checkpoint_step {
    NODE_CHECKPOINT_NONE,
    NODE_CHECKPOINT_WANTED,  /* taken; its segment has not begun */
    NODE_CHECKPOINT_BEGIN,   /* being begun */
    NODE_CHECKPOINT_PAGES,   /* its pages go to the store */
    NODE_CHECKPOINT_HOLD,    /* they are there; the segment's first records are not durable yet */
    NODE_CHECKPOINT_END      /* being committed */
};

struct node_checkpoint {
    enum node_checkpoint_step step;
    bool busy; /* a job is under way */
    bool trailed; /* the newest job was one of the trail */
    uint64_t number; /* that of the segment which follows it */
    bool segment_durable;
    uint32_t page; /* those before this one were handed over */
    uint8_t *buffer;

    /* Between checkpoints. */
    uint32_t next_checked;
    uint64_t check_due_us;
    uint32_t rotten[NODE_CHECKED_PAGES]; /* to be mended */
    uint32_t n_rotten;
    bool mending;
    uint64_t rot_found; /* pages, since the start */

    /* What the store holds once the jobs so far are done. */
    uint64_t *checksums; /* by page, 0: it is not there */
    uint32_t n_stored;
    uint64_t sum; /* of the checksums */
};

/* The look through the journal, between checkpoints, too. */
struct node_scrub {
    struct node_journal_check check;
    uint64_t first;     /* segment that no checkpoint has freed */
    uint64_t last, last_end; /* where the newest acknowledged batch ends; 0: there is none */
    uint64_t due_us;    /* of the next job */
    uint64_t rotten;    /* segment that a checkpoint is to free; 0: none */
    uint64_t rot_found; /* batches, since the start */
};

struct node {
    struct vr vr;
    struct node_io io;
    struct node_journal journal;
    struct node_checkpoint checkpoint;
    struct node_scrub scrub;
    struct node_restore restore;
    bool turn_sent; /* its first half is over */
    struct node_directory directory;
    bool connected[SLOTS_MAX];
    char connected_addresses[SLOTS_MAX][ADDRESS_BYTES_MAX + 1]; /* of the directory before */
    uint8_t n_slots_before;
    uint64_t frames_received, frames_dropped, frames_sent;
    struct vstamp_id digest; /* of the state after digest_op, as of the newest status */
    uint64_t digest_op;
    struct wire_recorded_outputs outputs; /* so far; only while somebody records */
    char diverged[64 * REPLICAS_MAX];
    char clock_trouble[64 * REPLICAS_MAX];
    char reason[VR_OVER_SIZE], reconfiguration[ADDRESS_BYTES_MAX + 120];
    char members[REPLICAS_MAX * (2 * ADDRESS_BYTES_MAX + 16u)]; /* for the status */
    char former[FORMER_MAX * (ADDRESS_BYTES_MAX + 1u)];
};

/* recording.c: what goes in and what comes out, told to whoever records. */
#define NODE_RECORD(n, name, ...)                                                                  \
    node_record((n), JOURNAL_RECORDED_##name, &(struct wire_recorded_##name){__VA_ARGS__})
void node_record(const struct node *n, enum journal_kind kind, const void *record);
void node_record_start(const struct node *n, const struct vr_config *config,
                       const struct vstamp_app *app, struct vstamp_id entropy);
void node_record_file(const struct node *n, struct bytes file);
void node_record_outputs(struct node *n);
void node_note_frame(struct node *n, uint8_t slot, struct bytes frame);
void node_note_directory(struct node *n);
void node_note_reply(struct node *n, uint64_t origin, struct bytes frame);
void node_note_job(struct node *n, enum node_lane lane, const struct node_job *job);
void node_note_result(struct node *n, int rv, uint64_t value);

void node_give_back(struct node *n, void *memory, size_t size); /* it is zeros then */

/* store.c: the two lanes of a node with a disk. */
void node_store_init(struct node *n, struct arena *arena, struct vstamp_id entropy);
void node_store_start(struct node *n);
void node_store_turn_end(struct node *n);
void node_start_job(struct node *n, enum node_lane lane, const struct node_job *job);

/* store_journal.c */
void node_journal_init(struct node *n, struct arena *arena, struct vstamp_id entropy);
void node_journal_start(struct node *n);
size_t node_batch_size_max(const struct vr_config *config);
bool node_journal_is_empty(const struct node *n); /* nothing waits */
void node_outline_begin(struct node_journal *j);
void node_outline_add(struct node_journal *j, enum journal_kind kind, size_t size,
                      struct bytes content);
void node_outline_add_entry(struct node_journal *j, size_t size,
                            const struct wire_journal_entry *record);
void node_journal_forget(struct node *n); /* what was restored, and where it was */
void node_journal_begin_segment(struct node *n);
void node_journal_restate(struct node *n); /* what the newest checkpoint does not say */
void node_journal_append(struct node *n);
void node_journal_stored(struct node *n);
void node_persist_entry(void *ctx, uint64_t op);
void node_persist_state(void *ctx);
bool node_journal_room(void *ctx, size_t size);
bool node_segment_room(const struct node *n, size_t size); /* for what a segment begins with */

/* store_checkpoint.c */
#define NODE_PAGES_A_JOB 64u /* which costs the loop some 50 us of hashing and copying */
#define NODE_PAGE_HEADER 16u /* u32 number, u32 with content?, u64 checksum; the content follows */
#define NODE_PAGES_BYTES (NODE_PAGES_A_JOB * (NODE_PAGE_HEADER + VSTAMP_PAGE_SIZE))
void node_put_page(struct writer *w, const struct node_page *page);
void node_checkpoint_init(struct node *n, struct arena *arena);
void node_store_checkpoint(void *ctx);
void node_checkpoint_begin(struct node *n);
void node_checkpoint_continue(struct node *n);
void node_checkpoint_segment_stored(struct node *n, uint64_t segment);
void node_checkpoint_stored(struct node *n);
uint64_t node_checkpoint_next_timer(const struct node *n);
void node_checkpoint_note_page(struct node *n, uint32_t page, uint64_t checksum);
void node_checkpoint_forget(struct node *n); /* the store is empty */

/* scrub.c */
void node_scrub_init(struct node *n, struct arena *arena); /* after node_restore_init */
void node_scrub_start(struct node *n);
void node_scrub_acknowledged(struct node *n, const struct node_job *append);
uint64_t node_scrub_due_us(const struct node *n); /* UINT64_MAX: there is nothing to look at */
struct node_job node_scrub_job(struct node *n);
void node_scrub_freed(struct node *n, uint64_t below); /* a checkpoint freed older segments */

/* store_trail.c */
bool node_trail_next(struct node *n, struct node_job *job); /* false: there is nothing to tell */
bool node_trail_waits(const struct node *n);

/* store_fetched.c */
struct bytes node_fetched_pages(struct node *n); /* for one job of NODE_JOB_KEEP */

/* restore.c, with restore_journal.c and restore_checkpoint.c */
void node_restore_init(struct node *n, struct arena *arena);
int node_is_ours(const struct node *n, const struct wire_segment *whose, struct vstamp_diag *diag);
int node_check_owner(const struct node *n, struct journal_reader *r, struct wire_segment *whose,
                     struct vstamp_diag *diag);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* A node: one replica assembled from the protocol core (vr), an application, and a journal, still
 * without a system call.  The daemon and the simulator are two hosts of the same node: they feed it
 * frames, time and completions, and carry out what it asks for through struct node_io.
 *
 * Use:   size = node_memory(&config);
 *        node = node_init(zeroed memory, size, &config, app, &io, entropy);
 *        disk only: node_restore_checkpoint, node_restore_page per page and
 *        node_restore_checkpoint_done (if there is a checkpoint), node_restore_journal,
 *        node_restore_done;
 *        node_start(node);
 *        then, in each turn of the host's loop:
 *            node_clock(...);  any number of node_on_...();  node_clock(...);
 *            node_turn_send(node), if the host cares;  node_turn_end(node).
 * All functions are called from one thread and are never called from inside a node_io function;
 * node_io functions only take note or queue.  After node_start nothing is allocated. */
#ifndef NODE_NODE_H
#define NODE_NODE_H

#include <vstamp/app.h>
#include <vstamp/error.h>

#include "base/bytes.h"
#include "base/log_level.h"
#include "node/journal.h"
#include "node/journal_walk.h"
#include "node/status.h"
#include "vr/settings.h"
#include "vr/trail.h"

struct node;

/* A job for the disk (durability: disk).  There are two lanes; the node asks for at most one job a
 * lane at a time, the host works them off in order within the lane and answers with node_on_stored.
 * The bytes stay valid until then.  If a job fails the host must log why and end the process: a
 * failed write is final (PROTOCOL 9.2). */
enum node_lane { NODE_LANE_JOURNAL, NODE_LANE_CHECKPOINT, NODE_LANES };

enum node_job_kind {
    NODE_JOB_APPEND,           /* write `data` at `place` of segment `number` (of node_segment_size,
                                  made when missing, its folder fsynced), done when it is on
                                  stable storage; both, and the bytes, are aligned to 4096 */
    NODE_JOB_CHECKPOINT_BEGIN, /* begin checkpoint `number` in the store of pages: what changes
                                  there until its end changes at once and durably, or not at all */
    NODE_JOB_CHECKPOINT_DATA,  /* keep, or remove, each page in `data` (node_page_next) */
    NODE_JOB_CHECKPOINT_END,   /* `data` is its head: commit; then remove segments below `number`,
                                  oldest first, what was put aside as damaged, and what is kept */
    NODE_JOB_CHECK, /* read NODE_CHECKED_PAGES pages of the store, from page `number` on; those that
                       do not check are told by node_on_rot before the job is done */
    NODE_JOB_MEND,  /* keep the pages in `data` as those of the checkpoint that is there: at once,
                       durably, or not at all */
    NODE_JOB_CHECK_JOURNAL, /* node_check_journal(check, a source of the segments), and before the
                               job is done node_on_journal_checked */
    NODE_JOB_TRAIL, /* append `data` to the trail's file; `number`, an enum trail_then, says what
                       becomes of that.  If it goes on and is large, node_on_large_trail before the
                       job is done.  Nothing depends on the trail */
    NODE_JOB_KEEP   /* keep the pages in `data`, without their checksums, beside the store, for
                       node_restore_fetched; durably or not, for nothing depends on it */
};

#define NODE_CHECKED_PAGES 64u

struct node_job {
    enum node_job_kind kind;
    uint64_t number; /* a checkpoint has the number of the segment that follows it */
    uint64_t place;  /* of an append */
    struct bytes data;
    struct node_journal_check *check;
};

/* What a look at the journal found. */
struct node_checked {
    uint64_t number, place; /* where the next one begins; or, in which segment and where: */
    bool rotten;            /* an acknowledged batch does not check */
    uint64_t first_op, last_op; /* its entries that do not; 0: none, or nothing says which */
};

/* A look at the journal (scrub.c), the lane's own while the job is under way. */
struct node_journal_check {
    uint64_t number, place;  /* where it begins */
    uint64_t last, last_end; /* the newest segment, and how far that is acknowledged */
    struct node_window window;
    uint8_t *names;
    size_t window_max, batch_size_max;
    struct node_checked found;
};

/* The work of such a job; may be called from another thread than all else.  What the source cannot
 * read is zeros, as at a start; it need not come from stable storage where that cannot be had. */
void node_check_journal(struct node_journal_check *check, const struct node_source *source);

/* A page as it is stored. */
struct node_page {
    uint32_t number;
    uint64_t checksum;      /* over the content, seeded with the number */
    const uint8_t *content; /* VSTAMP_PAGE_SIZE bytes; NULL: the page is to be removed, if it is
                               there */
};

/* Take the next page out of the data of a job; false at its end. */
bool node_page_next(struct bytes *data, struct node_page *page);

/* That of a page with this content. */
uint64_t node_page_checksum(uint32_t number, const uint8_t *content);

/* Who is in which slot: the members of the epoch by index, then guests, who are or will be members
 * of another epoch. */
struct node_directory {
    uint8_t n_members, n_slots;
    uint8_t self; /* our own index; NOT_A_MEMBER: we are learning, or were replaced */
    bool greets;  /* the guests were members once, and may never come: they can be dialled seldom */
    const char *addresses[SLOTS_MAX]; /* they live until the next directory */
};

/* What a replica says of itself to another one: hello. */
struct node_identity {
    struct vstamp_id group; /* zero while it is not known */
    uint32_t epoch;
    struct vstamp_id members; /* checksum of those of the epoch */
    uint8_t self;        /* as in struct node_directory */
    const char *address; /* names the replica, in all epochs */
    const char *application; /* what is replicated */
    uint8_t oldest, newest; /* versions of the protocol that it speaks */
    struct wire_settings settings; /* equal for all, or they must not talk */
};

struct node_io {
    void *ctx;
    /* Queue a frame for the replica in that slot of the directory.  May drop it (queue full, no
     * connection): the protocol repeats what matters.  Copies the bytes. */
    void (*send)(void *ctx, uint8_t slot, struct bytes frame);
    /* From now on the slots are these: first from node_start, then with every epoch, and whenever
     * a replica is to do with others than its members.  What is connected is matched by address;
     * what comes and goes afterwards is told in the new slots.  May be NULL where the group never
     * changes. */
    void (*directory)(void *ctx, const struct node_directory *directory);
    /* Queue a frame for the connection a request, or a stranger's frame, came from.  Copies the
     * bytes. */
    void (*reply)(void *ctx, uint64_t origin, struct bytes frame);
    /* For the status: how the journal is written; may be NULL. */
    const char *journal_io;
    /* The same: what is wrong with the disk, a text that the host keeps up to date; may be NULL. */
    const char *disk_trouble;
    const char *refusal; /* the same: with whom there is no contact, and why */
    const char *certificate_trouble; /* the same: what is wrong with it */
    const uint64_t *certificate_not_after_s; /* the same: since 1970, UINT64_MAX: there is none */
    /* Start a job of the disk.  Never called with durability: memory. */
    void (*store)(void *ctx, enum node_lane lane, const struct node_job *job);
    /* One line of the deterministic trace ("view-change start view=3: primary silent"); may be
       NULL. */
    void (*trace)(void *ctx, const char *line);
    /* One line worth an operator's attention; event is stable ("view-started"), detail is logfmt */
    void (*log)(void *ctx, enum log_level level, const char *event, const char *detail);
    /* This memory, of that which node_init took, is to be zeros: the host may give it back to the
     * system.  NULL: zeros are written. */
    void (*give_back)(void *ctx, void *memory, size_t size);
    /* All that goes into the node, before the node acts on it, and what came out by the end of each
     * turn, in the form of recording.h; NULL: nobody records. */
    void (*record)(void *ctx, enum journal_kind kind, const void *record);
};

/* Bytes of zeroed memory, aligned to 4096, that node_init takes.  Most of it is only touched as the
 * state grows (pages, log), so the host should give it by mmap with MAP_NORESERVE. */
size_t node_memory(const struct vr_config *config);

/* `entropy` is 128 random bits: the token and nonces of this start derive from it; in the simulator
 * they come from the seed.  `app` and `io` are kept by pointer. */
struct node *node_init(void *memory, size_t size, const struct vr_config *config,
                       const struct vstamp_app *app, const struct node_io *io,
                       struct vstamp_id entropy);

/* For an application with memory of its own: what its open(), given these limits, has made for this
 * replica.  Before anything is restored or started.  It stays the host's, who closes it. */
struct vstamp_limits node_limits(const struct vr_config *config);
void node_set_instance(struct node *n, void *instance);

/* Load the checkpoint of that number: its head, each of its pages in rising order, the end.
 * VSTAMP_E_CORRUPT, VSTAMP_E_OTHER_GROUP, VSTAMP_E_CONFIG (another index, another size),
 * VSTAMP_E_VERSION with a sentence. */
int node_restore_checkpoint(struct node *node, uint64_t number, struct bytes head,
                            struct vstamp_diag *diag);
int node_restore_page(struct node *node, const struct node_page *page, struct vstamp_diag *diag);
int node_restore_checkpoint_done(struct node *node, struct vstamp_diag *diag);

/* Replay the segments first .. last, both 0 if there are none.  The end of a write that a crash
 * tore is passed over; anything else that does not check, and that nothing else says, is
 * VSTAMP_E_CORRUPT.  After an error *number tells in which segment. */
int node_restore_journal(struct node *node, uint64_t first, uint64_t last,
                         const struct node_source *source, uint64_t *number,
                         struct vstamp_diag *diag);

/* Bytes of a segment.  It may hold anything before it is used, best zeros. */
uint64_t node_segment_size(const struct vr_config *config);

/* After all files: is one missing?  VSTAMP_E_CORRUPT, with a sentence, if so. */
int node_restore_done(struct node *node, struct vstamp_diag *diag);

/* When something of the above is damaged: make do without what the files hold.  The node will
 * recover from the others; until then it takes part in nothing, and it helps to form no group.  The
 * host puts the files aside, durably, before node_start.  The first record that the node then
 * writes says so; until that is on the disk the files that were put aside say it, so the host calls
 * this also if there are such files and the node is blank all the same.  False, and nothing is
 * changed, in a group that is too small to recover. */
bool node_restore_give_up(struct node *node);
bool node_is_blank(const struct node *node); /* nothing restored says what it was */

/* Last, the pages that NODE_JOB_KEEP has left, if any: VSTAMP_PAGE_SIZE bytes each, be they what
 * they may. */
void node_restore_fetched(struct node *node, uint32_t page, const uint8_t *content);

/* Decide what to be (blank, backup, in a view change) and begin; after a node_clock. */
void node_start(struct node *node);

/* Time, before anything else in a turn, and once more right before the turn ends: reads under a
 * lease are judged by a clock that was read after they had come.  `monotonic_us` counts suspends
 * (CLOCK_BOOTTIME) and never falls; `realtime_us` is since 1970 and may jump. */
void node_clock(struct node *node, uint64_t monotonic_us, uint64_t realtime_us);

/* A whole frame that wire_frame_size accepted, from the connection of the replica in that slot.
 * Damaged or odd ones are dropped and counted. */
void node_on_peer_frame(struct node *node, uint8_t slot, struct bytes frame);

/* The same from the connection `origin` (not 0) of a replica that is in no slot: somebody else's
 * epoch, or a group that this replica is to join.  Afterwards it may be in one. */
void node_on_stranger_frame(struct node *node, uint64_t origin, struct bytes frame);

/* A whole frame from a client's connection.  `origin` is not 0 and names the connection; a stale
 * origin in a later node_io reply must be harmless.  Returns 0, or VSTAMP_E_* when the connection
 * deserves to be closed (not a request, damaged). */
int node_on_client_frame(struct node *node, uint64_t origin, struct bytes frame);

/* May client frames be fed?  When false the host leaves them in the socket (back-pressure); ask
 * again after each turn. */
bool node_accepts_requests(const struct node *node);

/* The connection to a peer came up or broke.  A hint, used to resend at once. */
void node_on_peer_connected(struct node *node, uint8_t slot, bool connected);

/* The job under way found that this page of the store is not what was stored. */
void node_on_rot(struct node *node, uint32_t page);

/* The file to which the job under way appends has so many bytes, which is large. */
void node_on_large_trail(struct node *node, uint64_t size);

/* The job under way, a look at the journal, found this. */
void node_on_journal_checked(struct node *node, const struct node_checked *found);

/* The job under way in that lane is done. */
void node_on_stored(struct node *node, enum node_lane lane);

/* The first half of the end of a turn: open a prepare for what arrived, acknowledge, fire due
 * timers, start disk jobs.  A host that lets all this leave before it calls node_turn_end has the
 * others work while it executes; one that has no use for that leaves the call out. */
void node_turn_send(struct node *node);

/* End of the turn: the first half, unless that was called, then execute what is committed. */
void node_turn_end(struct node *node);

/* When the next timer is due, in monotonic microseconds; the host calls node_clock and
 * node_turn_end then at the latest. */
uint64_t node_next_timer(const struct node *node);

/* Planned stop: if primary, hand over at once (by a view change it starts itself).  node_may_stop
 * tells when another view has begun or nothing is to hand over; the host gives up after 2 s. */
void node_stop(struct node *node);
bool node_may_stop(const struct node *node);

/* Why the host must end this replica, in words for its operator: its folder is an old copy, or of
 * another group, or its state is wrong.  NULL: it may go on.  Once this is not NULL the node
 * does nothing any more. */
const char *node_is_over(struct node *node);
/* Is it over because it was replaced, and is no longer needed?  Then it ends well, and
 * node_is_over waits: clients are told for a while where the group is. */
bool node_is_retired(const struct node *node);
/* Is it over because its state is not that of the others? */
bool node_is_diverged(const struct node *node);

/* Which of its functions the application is in, and at which op-number; NULL: in none.  A handler
 * of signals may ask. */
const char *node_application_is_in(const struct node *node, uint64_t *op);

/* Is it over because its application is? */
bool node_has_failed_application(const struct node *node);

/* What a hello says of it. */
void node_identity(const struct node *node, struct node_identity *identity);

/* Fill in everything of status.def.  The digest is brought up to date if that takes a millisecond
 * or two at most. */
void node_status(struct node *node, struct node_status *status);

#endif

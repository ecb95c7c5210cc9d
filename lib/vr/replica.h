/* SPDX-License-Identifier: BSD-2-Clause */
/* One replica of Viewstamped Replication Revisited as a state machine without I/O.
 *
 * Input: the vr_on_... functions.  Output: struct vr_sink, whose functions only take note or queue.
 * Nothing here can fail, block, allocate or ask for the time.  Odd messages are dropped with a
 * reason in the trace.
 *
 * A handler changes the state; what follows from a state (acknowledge what became durable, commit
 * what a quorum holds, promise a view once that is durable) is done in one place, settle in
 * replica.c, after every event.  So no order of events can leave a duty behind.
 *
 * The state below is grouped by the file that it belongs to.  All files may read all of it; another
 * file writes it only where a life, a view or an epoch begins. */
#ifndef VR_REPLICA_H
#define VR_REPLICA_H

#include <vstamp/app.h>
#include <vstamp/error.h>

#include "base/arena.h"
#include "base/log_level.h"
#include "base/prng.h"
#include "vr/client_table.h"
#include "vr/config.h"
#include "vr/inflight.h"
#include "vr/log.h"
#include "vr/marks.h"
#include "vr/membership.h"
#include "vr/pages.h"
#include "vr/trail.h"
#include "vr/witness.h"
#include "wire/frame.h"

struct vr_sink {
    void *ctx;
    void (*send)(void *ctx, uint8_t slot, struct bytes frame);
    void (*directory)(void *ctx); /* the slots are others now: vr_slot_address */
    void (*reply)(void *ctx, uint64_t origin, struct bytes frame);
    /* Durability disk only.  Each call is one journal position: vr_on_durable(n) says that the
     * records of the first n calls are on stable storage.  persist_state writes the hard state
     * (view, log_view, op, commit, crash vector) as it is in struct vr at that moment. */
    void (*persist_entry)(void *ctx, uint64_t op);
    void (*persist_state)(void *ctx);
    /* Is there room to persist an entry of this size beside what the core always may write? */
    bool (*journal_room)(void *ctx, size_t size);
    /* A checkpoint was taken at vr->checkpoint_op; store it, then vr_on_checkpoint_stored.  As long
     * as nothing of it is stored vr_checkpoint_anew may bring it up to what is executed, and
     * vr_checkpoint_put_off may say that it will not be. */
    void (*store_checkpoint)(void *ctx);
    void (*trace)(void *ctx, const char *line); /* may be NULL */
    void (*log)(void *ctx, enum log_level level, const char *event, const char *detail);
    struct give_back give_back;
};

enum vr_status { VR_NORMAL, VR_VIEW_CHANGE, VR_RECOVERING, VR_TRANSITIONING };

enum vr_timer {
    VR_TIMER_HEARTBEAT,   /* primary: send COMMIT */
    VR_TIMER_ABDICATE,    /* primary: did a quorum answer lately? */
    VR_TIMER_SUSPECT,     /* backup: the primary was silent */
    VR_TIMER_VOTE,        /* repeat START-VIEW-CHANGE while the suspicion stands */
    VR_TIMER_VIEW_CHANGE, /* in a view change: repeat DO-VIEW-CHANGE, ask for START-VIEW */
    VR_TIMER_VIEW_LIMIT,  /* in a view change: it took too long, vote for the next view */
    VR_TIMER_TRANSFER,    /* state transfer: no answer, ask another */
    VR_TIMER_PACE,        /* state transfer: the next question may be asked */
    VR_TIMER_RECOVERY,    /* recovering: repeat RECOVERY, or RESTART */
    VR_TIMER_MEND,        /* a damaged entry: no answer, ask another */
    VR_TIMER_TICK,        /* primary: the application has something to do */
    VR_TIMER_EPOCH,       /* transitioning: fetch; replaced: repeat START-EPOCH; else greet */
    VR_TIMERS
};

/* Why state is fetched (5.2); state_transfer.c explains. */
enum vr_transfer_kind {
    VR_TRANSFER_NONE,
    VR_TRANSFER_WARM,        /* a witness that is to be active: state, beneath the log it has */
    VR_TRANSFER_GAP,         /* normal, same view: entries were missed */
    VR_TRANSFER_VIEW,        /* a later view has started */
    VR_TRANSFER_NEW_PRIMARY, /* in a view change: the chosen log is at another replica */
    VR_TRANSFER_RECOVERY,    /* everything, from nothing */
    VR_TRANSFER_EPOCH,       /* up to where the epoch begins */
    VR_TRANSFER_LEARN        /* what is committed, as no member */
};

struct vr_transfer {
    enum vr_transfer_kind kind;
    uint64_t view;        /* of the log we want */
    uint64_t target_op;   /* at least that far ... */
    struct vstamp_id target_checksum; /* ... and through that entry, unless zero */
    uint64_t nonce;
    uint8_t peer;
    uint8_t tries;
    bool answered;        /* op and commit below are known */
    bool more;            /* it has more behind what is staged, and was not asked for it yet */
    bool pages;           /* fetching a checkpoint, else entries */
    bool storing;         /* the fetched checkpoint is on its way to our disk */
    bool before;          /* a witness has the rest: what comes before that is fetched (W6) */
    size_t lacks;         /* bytes that the next entry found no room for, staged; 0: none did */
    uint64_t op, commit;  /* the peer's, as of its newest answer */
};

/* Nodes (level > 0) or pages (level 0) that somebody was asked for. */
struct vr_question {
    uint64_t nonce, asked_us;
    uint8_t peer, level;
    uint32_t n; /* 0: no question */
    uint32_t numbers[FETCH_NUMBERS_MAX];
};

/* A level of the target's tree, as far as it is known. */
struct vr_fetch_level {
    uint64_t *hashes; /* of nodes that were opened */
    uint64_t *open;   /* bitset: differs from what is here, and nobody was asked for it yet */
    uint32_t n_open;
};

/* Pages are being looked through before they become the state. */
struct vr_audit {
    struct client_table *clients; /* what is derived of them */
    bool of_candidate; /* else the live ones, at a start */
    uint64_t memory[VSTAMP_AUDIT_BYTES / sizeof(uint64_t)]; /* the application's */
};

/* The checkpoint that is fetched (page_transfer.c). */
struct vr_fetch {
    struct wire_entry_header anchor; /* of the target; op 0: there is none yet */
    struct vstamp_id root;
    uint8_t named_by; /* who was the first to have it */
    bool complete;    /* all of it is in hand, and being looked through */
    uint32_t holders; /* bitmap of replicas */
    uint64_t nonce;   /* of the newest question to all, 0: none was asked */
    uint32_t n_taken; /* pages, since it was said last that it falls behind, or since it began */
    struct vr_fetch_level levels[TREE_LEVELS_MAX];
    struct vr_question questions[FETCH_QUESTIONS_MAX];
};

/* A DO-VIEW-CHANGE that was received, by sender. */
struct vr_promise {
    bool present;
    uint64_t log_view, op, commit;
    uint32_t n_headers;
    struct wire_entry_header headers[MESSAGE_HEADERS_MAX];
    uint64_t holes; /* bit 0: the last of them */
};

/* A RECOVERY-RESPONSE that was received, by sender. */
struct vr_answer {
    bool present;
    uint64_t view, op;
    struct vstamp_id checksum;
};

/* Who waits for an answer, and to which request: that is what answers name (session.h, C5). */
struct vr_asker {
    struct vstamp_id client;
    uint64_t session, number;
    uint64_t origin;  /* connection, 0: nobody waits here */
    uint32_t request; /* client_table_request; 0: it has no session */
};

struct vr_read {
    struct vr_asker asker;
    uint64_t sequence;
    bool asks_number; /* and nothing of the application */
    uint32_t size;
    uint8_t body[READ_BODY_MAX];
};

/* A member to be, as the primary knows it. */
struct vr_learner {
    bool heard;
    uint64_t op; /* it holds all that is committed up to there */
    uint64_t fetched;
    struct vstamp_id token;
    uint64_t answered_us, progress_us; /* last; and when it got on, or had nothing to catch up */
};

/* A reconfiguration that is not in the log yet (reconfiguration.c). */
struct vr_proposal {
    bool pending, closing;
    uint64_t nonce;          /* an answer to what was proposed before does not count */
    struct vr_asker asker;
    struct vr_membership next;
    struct vr_learner learners[SLOTS_MAX]; /* by slot */
    uint64_t told_commit, kept_up_to;      /* commit-number at the newest LEARN; before that */
    size_t body_size;
    uint8_t body[VR_MEMBERS_BYTES + 32];
    bool abandoned; /* and whoever asked was not told again yet; why: */
    char refusal[200];
};

/* The digest of the state after an op; op 0: none. */
struct vr_digest {
    uint64_t op;
    struct vstamp_id digest;
    uint64_t source; /* of that state, as in struct vr */
};

/* What is known of the others' states, and of our own (digest.c). */
struct vr_digests {
    uint64_t pending; /* a digest point, while its pages are being hashed; 0: none */
    uint64_t point_us; /* the time of the newest point */
    uint64_t executed_us; /* when we executed the newest entry */
    struct vr_digest heard[REPLICAS_MAX][DIGESTS_KEPT]; /* our own, too */
    uint64_t agreed;  /* newest point at which our state was that of a majority */
    uint32_t differ;  /* bitset: those who differ from a majority, */
    uint64_t differ_op[REPLICAS_MAX]; /* and the first point at which each did, */
    uint64_t agreed_with[REPLICAS_MAX]; /* and the newest at which it had that state */
    uint32_t undecided;    /* bitset: those who differ from one another, */
    uint64_t undecided_op; /* at this point, and nobody knows who is right */
    uint32_t rotten_page;  /* 1 + that which was found in memory last; 0: none was */
    uint64_t next_look_us; /* not before that is looked through more of it */
};

/* An entry of a later version than this program speaks (version.c, G6). */
struct vr_missed {
    uint8_t version, from; /* who has it in its log, */
    uint64_t view;         /* in this view */
};

struct vr_stats {
    uint64_t view_changes, state_transfers;
    uint64_t transfer_bytes, transfer_pages; /* that came in them */
    uint64_t requests, duplicates, rejected, reads, evictions;
    uint64_t ticks; /* executed */
    uint64_t passed_over;
    uint64_t entries_damaged, entries_mended;
    uint64_t dropped; /* messages */
};

struct vr {
    struct vr_config config;
    struct vr_sink sink;
    const struct vstamp_app *app;
    struct vstamp_limits limits; /* what the application is told of the configuration */
    uint64_t application;        /* checksum of its name */
    bool app_is_ahead;           /* its memory is, of the pages (application.c) */
    const char *app_function;    /* that it is in now, or NULL, */
    uint64_t app_op;             /* and at which op-number */
    struct vstamp_diag app_failure;
    struct vstamp_diag app_mistake; /* the first one that ended nothing */
    struct prng prng;
    uint64_t now_us, wall_us;
    uint64_t due[VR_TIMERS]; /* UINT64_MAX: off */
    uint8_t quorum;
    struct vr_stats stats;
    uint64_t marks[VR_MARK_WORDS]; /* by enum vr_mark: what has happened since the start */
    uint64_t last_heard_us[SLOTS_MAX]; /* any message; for status */
    uint64_t stranger; /* connection of whoever spoke last and is in no slot: NOWHERE is there */
    uint8_t *frame;    /* where outgoing frames are encoded */
    size_t frame_size_max;
    uint8_t *answer;   /* where the application answers, and lists are put together */
    size_t answer_size_max;

    /* replica.c: what a journal's hard state holds, and this life */
    struct vstamp_id group;
    enum vr_status status;
    uint64_t view, log_view;
    uint64_t crash_vector[REPLICAS_MAX + 1];
    bool has_hard_state;     /* a hard state was restored, so this replica is not blank */
    uint64_t persisted;      /* journal positions handed to the sink */
    uint64_t durable;        /* of them, known to be on stable storage */
    uint64_t state_position; /* position of the newest hard state */
    bool started;
    uint64_t started_us;
    bool stopping;

    /* epoch.c: who the members are, as config's n_replicas, self, witnesses and addresses say, too;
     * and who else there is to do with, in the slots behind theirs */
    uint32_t epoch;
    struct vr_config given;      /* at the start */
    struct vr_membership membership;
    struct vr_membership guests; /* no members: those of an epoch before, or of what is proposed */
    char address[ADDRESS_BYTES_MAX + 1]; /* our own */
    bool greets;     /* the guests are all former members (former.c) */
    bool replaced;   /* a member of an older epoch, and of this one no more */
    bool retired;    /* and not needed any more */
    uint64_t lingers_until_us; /* once it is over and retired (E8) */
    uint32_t told_epoch; /* blank: the newest that we were told of and are no member in */
    uint32_t begun;  /* replaced: members that have begun the epoch */
    bool told_begun; /* the replaced ones have been told that we have */
    bool says_epoch; /* we were the primary that committed its begin: the members are to hear */

    /* reconfiguration.c */
    struct vr_proposal proposal;

    /* witness.c */
    bool witness;    /* its role in the epoch, or, of a learner, the one that it is to have */
    bool bare;       /* the pages do not hold what is committed: it was passed over */
    uint64_t warm_until_us; /* a witness that is to be active keeps its state until then */
    uint64_t held;   /* newest entry that all active replicas are known to hold durably */

    /* commit.c, and everybody through the functions of log, pages and client_table */
    struct log log;
    uint64_t commit, applied;
    struct pages pages;
    struct vstamp_pages app_pages;
    struct client_table *clients, *fetched_clients;

    /* checkpoint.c */
    uint64_t checkpoint_op;
    struct wire_entry_header checkpoint_anchor;
    uint64_t checkpoint_log_bytes; /* bodies executed since then */
    struct wire_entry_header image_anchor; /* of the newest image */
    bool image_read; /* by a peer, or for a copy, since it was taken */
    bool checkpoint_storing;
    bool checkpoint_put_off; /* there is one of all that is executed, but no room for the log */
    bool checkpoint_wanted;  /* soon: what is on the disk is to be said anew */
    bool log_is_short; /* an entry found no room, since the newest checkpoint was stored; a witness
                          is to forget some */
    struct vr_audit audit;

    /* digest.c */
    struct vr_digests digests;
    struct vr_trail trail;
    uint64_t source; /* whose pages ours are, and were not found right since (D8); 0: our own */
    uint64_t diverged_op; /* the state is wrong since this op or before (D3); 0: it is not */

    /* normal.c, batch.c */
    uint64_t durable_op;              /* entries up to here are durable, as part of this log */
    uint64_t acked_op[REPLICAS_MAX];  /* primary: newest entry each replica acknowledged */
    uint64_t hanging_op, hanging_since_us; /* primary: its disk was waited for since */
    uint64_t sent_ok_op;              /* backup: newest entry acknowledged to this primary */
    uint64_t view_start_op;           /* op-number the view began with */
    uint64_t heartbeat;               /* sequence of the newest heartbeat sent or heard */
    uint64_t heartbeat_ok[REPLICAS_MAX];
    uint64_t heard_us[REPLICAS_MAX];  /* when a replica last spoke of this view */
    struct writer batch;              /* operations waiting for a prepare */
    uint32_t batch_count;
    struct inflight inflight;

    /* clock.c */
    uint32_t clocks_known;                /* bitset: */
    int64_t clock_ahead_us[REPLICAS_MAX]; /* by how much each is ahead of our monotonic clock */
    uint32_t clocks_off;                  /* bitset, primary: the operator was told */

    /* tick.c */
    bool ticking;     /* primary: a tick is in the batch or in the log, and not executed */
    uint64_t tick_us; /* primary: the next one not before */
    bool tick_failed; /* one was passed over, and no operation was executed since (U6) */

    /* pass_over.c */
    uint32_t done; /* operations of the entry behind `applied` that are dealt with, ... */
    bool settles_alone; /* a copy that is restored has nobody to ask */
    bool stuck;    /* and the next one is one that the application cannot execute */
    struct vstamp_diag stuck_why;
    uint64_t executed_before;       /* up to there in former lives, as the disk says */
    uint64_t loaded_op;             /* the state up to there came in pages */
    uint64_t looked_op;             /* what entries up to there pass over is marked */
    uint64_t executed_at[REPLICAS_MAX]; /* primary: by replica, as it said last, */
    uint32_t stuck_at[REPLICAS_MAX];    /* and 1 + the place behind that where it is stuck */

    /* lease.c */
    uint64_t granted_until_us; /* backup: no DO-VIEW-CHANGE before that */
    uint32_t granted_before_ms; /* in former lives, for so long at most, as the disk says */
    bool lease_heard;          /* backup: a heartbeat was echoed in this turn */
    uint64_t heartbeat_sent_us[HEARTBEATS_KEPT]; /* primary: by sequence */
    uint64_t lease_us[REPLICAS_MAX]; /* primary: until then each has granted */

    /* reads.c */
    struct vr_read *reads; /* ring */
    uint32_t reads_first, reads_count;
    struct vr_read *parked; /* causal ones, ahead of what is executed; sequence: until when */
    uint32_t parked_count;
    uint32_t parked_turn;   /* whose turn it is to make way */
    uint64_t parked_until;  /* the least of these */

    /* view_change.c */
    uint64_t vote_us[REPLICAS_MAX]; /* when a replica last said that it wants view + 1, 0: never */
    uint32_t cut_off; /* bitset: those never heard of, or not since their connections broke */
    bool suspects;  /* our own vote */
    bool promised;  /* our DO-VIEW-CHANGE of this view is out */
    bool starting;  /* new primary: log chosen, waiting for it to be durable */
    uint32_t attempts;
    struct vr_promise *promises; /* by replica */

    /* version.c */
    uint8_t speaks[SLOTS_MAX]; /* newest version of each, 0: not known */
    uint8_t over_version;      /* the group's, if it is why this replica ends */
    struct vr_missed missed;

    /* hand_over.c */
    struct vr_asker hand_over; /* who asked for the one that is under way; origin 0: none is */

    /* state_transfer.c */
    struct vr_transfer transfer;
    bool forgotten; /* since we were normal last, a witness had dropped what we need (W6) */
    struct log staging;

    /* page_transfer.c */
    struct vr_fetch fetch;
    uint64_t pace_us; /* the next question of a transfer may be asked then */

    /* mend.c */
    uint64_t mend_op;   /* the hole that was asked about last */
    uint8_t mend_peer;  /* and whom */
    uint8_t mend_tries; /* who in a row did not have it */

    /* Of what this start asks of the others (RECOVERY, RESTART): only answers that echo it count.
     * The first is the host's randomness; another is drawn (vr_draw_id) as soon as former answers
     * would mislead: in recovery.c, and with each epoch in epoch.c. */
    struct vstamp_id nonce;

    /* recovery.c */
    bool lost; /* had state that cannot be read: recovers, never forms a group */
    struct vstamp_id lost_group; /* the one it was a member of; zero: not known */
    uint32_t recovery_tries;
    uint64_t incarnation; /* of this life (restart.c); 0: blank, or the first one since forming */
    struct vstamp_id tokens[REPLICAS_MAX + 1];
    struct vstamp_id other_tokens[REPLICAS_MAX + 1]; /* of another start of that replica */
    uint32_t other_token_heard[REPLICAS_MAX + 1];
    struct vstamp_id nonces[REPLICAS_MAX + 1]; /* newest heard with that token */
    uint32_t agreed; /* replicas whose word equals ours, and was given to our present nonce */
    uint32_t asked;  /* replicas that answered while incarnation is 0 */
    struct vr_answer answers[REPLICAS_MAX];

    /* restart.c */
    bool restarting;     /* back from the disk, and not let in yet */
    bool restart_told;   /* the others have been asked to let it in */
    uint32_t noted;      /* replicas that have noted this life */
    uint32_t to_note;    /* replicas whose life is to be durable here, and then answered, */
    struct vstamp_id note_nonces[REPLICAS_MAX]; /* by the nonce of their newest RESTART */
    uint32_t strangers;  /* replicas that answered in the name of another group */
    uint64_t vouched[REPLICAS_MAX + 1]; /* newest committed entry each has said to hold durably */
    bool over;           /* this life has ended, for whatever reason (vr_is_over) */
    uint8_t over_by;     /* who gave that reason, if another replica did, and what it knows: */
    uint64_t over_incarnation; /* a later life of ours, */
    uint64_t over_op;    /* or what we once held; else it is of another group */

    /* alone.c */
    uint64_t alone_pause_us, alone_again_us;
};

/* What the application is told of the configuration. */
struct vstamp_limits vr_limits(const struct vr_config *config);

/* Has the application memory of its own?  Then pages hold its state only in an image. */
bool vr_app_has_memory(const struct vr *r);

/* Between two operations: the pages are to hold what was executed.  False: it failed, and this
 * replica is over. */
bool vr_app_settle(struct vr *r);

/* With an arena whose base is NULL only counts; then nothing but the arena is touched. */
void vr_init(struct vr *r, struct arena *arena, const struct vr_config *config,
             const struct vstamp_app *app, const struct vr_sink *sink, struct vstamp_id entropy);

/* What a host restores from its disk before vr_start, oldest first.  VSTAMP_E_CORRUPT if it does
 * not fit to what came before it: then the files are damaged.  The pages of a checkpoint are loaded
 * already; VSTAMP_E_NO_ROOM if an entry was written by a replica with a larger log. */
int vr_restore_checkpoint(struct vr *r, struct vstamp_id group,
                          const struct wire_entry_header *anchor, bool bare);
int vr_restore_state(struct vr *r, const struct wire_hard_state *state);
int vr_restore_entry(struct vr *r, uint64_t commit, const struct wire_entry *entry);
int vr_restore_hole(struct vr *r, const struct wire_entry_outline *outline); /* all that is left */
/* The files are damaged beyond that: nothing more is restored, what was is void. */
void vr_restore_give_up(struct vr *r);
/* All was restored: what is committed is executed. */
void vr_restore_end(struct vr *r);
/* The same, or nothing was there: from here on things may come in. */
void vr_start(struct vr *r);

/* For the host's journal: the two lists of a hard state, built in the caller's buffers. */
#define VR_CRASH_VECTOR_BYTES (REPLICAS_MAX * 8u)
#define VR_TOKENS_BYTES (REPLICAS_MAX * 16u)
struct wire_list vr_crash_vector_list(const struct vr *r, uint8_t *buffer, size_t size);
struct wire_list vr_token_list(const struct vr *r, const struct vstamp_id *tokens, uint8_t *buffer,
                               size_t size);

/* What may come in, in a turn.  `slot` is the sender's place in the directory, `origin` a
 * connection, to which answers go.  Messages are decoded; they need not make sense. */
void vr_on_message(struct vr *r, uint8_t slot, const struct wire_message *m);
void vr_on_stranger(struct vr *r, uint64_t origin, const struct wire_message *m);
void vr_on_request(struct vr *r, uint64_t origin, const struct wire_header *header,
                  const struct wire_request *request);
void vr_on_get_checkpoint(struct vr *r, uint64_t origin, const struct wire_header *header,
                          const struct wire_get_checkpoint *m);
void vr_on_get_committed(struct vr *r, uint64_t origin, const struct wire_header *header,
                         const struct wire_get_committed *m);
void vr_on_peer_connected(struct vr *r, uint8_t replica, bool connected);

/* The disk: what was handed over to be persisted up to this position is durable; so is the
 * checkpoint that was to be stored. */
void vr_on_durable(struct vr *r, uint64_t position);
void vr_on_checkpoint_stored(struct vr *r);

/* The file of the trail has so many bytes.  What waits for it is on its way there; what becomes of
 * the file then. */
void vr_on_large_trail(struct vr *r, uint64_t size);
enum trail_then vr_trail_taken(struct vr *r);

/* The host wants a checkpoint: in place of the one whose storing has not begun; or a next one soon,
 * since what the journal says is to be said anew.  Or it has no room for the one that is due. */
void vr_checkpoint_anew(struct vr *r);
void vr_checkpoint_soon(struct vr *r);
void vr_checkpoint_put_off(struct vr *r);

/* The halves of a turn's end.  First timers and whatever is to be sent; then, once that has left,
 * what is committed is executed. */
void vr_on_turn_end(struct vr *r);
void vr_on_turn_sent(struct vr *r);

/* When the next turn is to be at the latest, in microseconds of the host's clock; UINT64_MAX:
 * whenever something comes. */
uint64_t vr_next_timer(const struct vr *r);

/* The host wants to end: the primary hands its view over. */
void vr_stop(struct vr *r);

/* version.c */
uint8_t vr_version(const struct vr *r); /* of the protocol, that the group is in */
bool vr_version_is_missed(const struct vr *r); /* the log has an entry of a later one */
/* A frame came in a version that is not ours; of it only the header is known. */
void vr_on_other_version(struct vr *r, uint8_t slot, const struct wire_header *header);
#define NOWHERE 0xffu /* no slot */

bool vr_accepts_requests(const struct vr *r);        /* else leave them at the clients */
uint64_t vr_lease_until_us(const struct vr *r);      /* by its clock; 0: it holds none */
uint32_t vr_lease_granted_ms(const struct vr *r);    /* for a hard state (lease.c, L4) */
bool vr_witness_is_exposed(const struct vr *r);      /* witness.c, W4 */
size_t vr_frame_size_max(const struct vr_config *config); /* bytes of the largest */
const char *vr_status_word(enum vr_status status);   /* "normal", "view-change", ... */
const char *vr_proposal_text(const struct vr *r, char *text, size_t size); /* what is under way */
const char *vr_waiting_for(const struct vr *r, char *text, size_t size); /* why it does not serve */
const char *vr_diverged_text(const struct vr *r, char *text, size_t size); /* who differs */
uint64_t vr_time(const struct vr *r); /* that the group agrees on; 0 while it is not known */
/* At the primary: how far a clock is from that, at most, and whose; "": all are right. */
uint64_t vr_clocks_off_us(const struct vr *r);
const char *vr_clocks_text(const struct vr *r, char *text, size_t size);

static inline bool vr_is_witness(const struct vr *r)
{
    return r->witness;
}

/* Is the member with that index active? */
static inline bool vr_is_active(const struct vr *r, uint8_t replica)
{
    return !vr_among_witnesses(r->config.witnesses, replica);
}

static inline uint8_t vr_primary_of(const struct vr *r, uint64_t view)
{
    return vr_primary_among(r->config.n_replicas, r->config.witnesses, view);
}

/* Of its view, and normal? */
static inline bool vr_is_primary(const struct vr *r)
{
    return r->status == VR_NORMAL && vr_primary_of(r, r->view) == r->config.self;
}

/* Is the newest hard state on disk? */
static inline bool vr_is_durable_state(const struct vr *r)
{
    return r->durable >= r->state_position;
}

/* Is there an operation that its application cannot execute, and no word yet that nobody is to? */
static inline bool vr_is_stuck(const struct vr *r)
{
    return r->stuck && !r->bare && !r->over;
}

/* Up to where a journal is to say that entries are committed: a replica that executes says no more
 * than it has executed, in this life or a former one, and so knows in its next life what it was
 * able to execute (PO6). */
uint64_t vr_commit_to_store(const struct vr *r);

bool vr_epoch_is_complete(const struct vr *r); /* the log up to its begin is here */
bool vr_epoch_is_closed(const struct vr *r); /* the last entry of its epoch is in the log */

/* Is it here for a while only to tell clients where the group is (E8)? */
bool vr_epoch_lingers(const struct vr *r);

/* The directory: members of the epoch by index, then guests.  NULL: no such slot. */
uint8_t vr_n_slots(const struct vr *r);
const char *vr_slot_address(const struct vr *r, uint8_t slot);

/* Why this replica must not go on, in words for its operator; NULL: it may. */
#define VR_OVER_SIZE 480u
const char *vr_is_over(const struct vr *r, char *text, size_t size);

/* The parts of an incarnation number (restart.c). */
uint64_t vr_incarnation_losses(uint64_t incarnation); /* times it came back empty */
uint64_t vr_incarnation_starts(uint64_t incarnation); /* and from its disk since then */

#endif

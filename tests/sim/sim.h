/* SPDX-License-Identifier: BSD-2-Clause */
/* The deterministic simulator: a whole group of replicas, its clients, network, disks and clocks
 * in one thread, from one 64-bit seed.  The replicas are the same node objects as the daemon's.
 *
 * A run has three parts.  First everything fails at the rates the seed drew.  Then the faults
 * stop: a core of replicas that the protocol promises to serve is made well, and the rest may stay
 * dead; the core must answer a write, agree, and come to rest within a bound (progress).  Last,
 * all keys are read and the whole history is checked.
 *
 *   draw.c      from a seed to the options of a run (options.def)
 *   world.c     the event loop; the phases
 *   guard.c     an assertion of the core is a failed run
 *   trace.c     what happened, in words
 *   replicas.c  a node and its host: clock, turns, start, crash, wipe
 *   application.c  what it executes
 *   net.c       frames between replicas, connections of clients
 *   stored.c    the disk of one that runs: a job is done, what is stored rots
 *   rot.c       single entries of journals rot
 *   flips.c     bits of a replica's memory turn
 *   illness.c   operations cannot be executed, at all replicas or at one
 *   trails.c    and whoever compares their trails learns when
 *   forget.c    the one sequence of faults that chance does not find
 *   faults.c    what goes wrong, and how much of it the protocol must bear
 *   workload.c  clients: what they ask and what they learn
 *   find.c      clients: whom they know
 *   operator.c  who moves the primary
 *   changes.c   who changes the membership
 *   versions.c  who upgrades the replicas
 *   copies.c    who copies the state while all this goes on
 *   check.c     what must hold after every turn, and at the end
 *   states.c    that states are equal
 *   model.c     what the store should answer, keys that expire too
 *   replay.c    a life of a replica, recorded here or by the daemon, once more
 *   disk.c queue.c linear.c are leaves of their own. */
#ifndef SIM_SIM_H
#define SIM_SIM_H

#include <stdio.h>

#include "base/prng.h"
#include "node/copier.h"
#include "sim/check.h"
#include "sim/disk.h"
#include "sim/linear.h"
#include "sim/model.h"
#include "sim/queue.h"
#include "sim/replay.h"
#include "vr/marks.h"
#include "vr/session.h"

#define SIM_REPLICAS_MAX 7u /* in a group */
#define SIM_NODES_MAX 14u   /* that are members sooner or later */
#define SIM_CLIENTS_MAX 16u
#define SIM_KEY_OPS_MAX (LINEAR_OPS_MAX - 12) /* reads at the end come on top */
#define SIM_TRACE_LINES 60u
#define SIM_TRACE_COLUMNS 400u
#define SIM_BACKLOG 64u
#define SIM_ARCHIVE 64u
#define SIM_ROTTEN_MAX 32u
#define SIM_DIGESTS 64u
#define SIM_MS UINT64_C(1000)
#define SIM_S UINT64_C(1000000)
#define SIM_WALL_START (UINT64_C(1700000000) * SIM_S) /* of wall clocks that are not askew */
#define SIM_MODELLED_KEYS 4u

/* What a seed draws. */
struct sim_options {
#define SIM_OPTION(name, sentence) uint64_t name;
#define SIM_FAULT(name, sentence) uint64_t name##_us;
#include "sim/options.def"
#undef SIM_OPTION
#undef SIM_FAULT
};

enum sim_fault {
#define SIM_OPTION(name, sentence)
#define SIM_FAULT(name, sentence) SIM_FAULT_##name,
#include "sim/options.def"
#undef SIM_OPTION
#undef SIM_FAULT
    SIM_FAULTS
};

/* An option that does not follow from the seed. */
struct sim_setting {
    size_t option;
    uint64_t value;
};

struct sim;

struct sim_replica {
    struct sim *sim;
    void *instance; /* of the application, if it has memory of its own */
    uint8_t index;
    bool up, stopping;
    bool newcomer; /* was given its configuration for a change of the membership, and has not been a
                      member since */
    uint32_t first_life; /* since it was */
    bool present; /* it is somebody's to run: a member, or to be one, or replaced of late */
    bool normal_once; /* in this incarnation */
    bool blank;       /* came up without state and was not normal since */
    bool damaged;     /* what is on its disk is not what it wrote */
    uint64_t rotten;  /* nor is this segment, and it runs; 0: none */
    bool harmed;      /* some of it was changed since it was up last */
    bool patched;     /* its start made do with damage in the journal, which may be there still, */
    bool scarred;     /* and not of single entries only */
    struct vstamp_id rotten_entries[SIM_ROTTEN_MAX]; /* such ones, until all are mended */
    uint32_t n_rotten_entries;
    bool has_holes;   /* of them, or of other damage */
    bool flipped;     /* its state is not what it executed, ... */
    uint32_t flipped_life; /* ... as its memory was not, in that life, ... */
    uint64_t flipped_op;   /* ... since this op, or the others were not all well since; */
    uint64_t flipped_saved; /* memory of its own was saved so often by then */
    uint64_t flipped_us;   /* all have had what it takes to find that since then */
    struct vstamp_id flipped_digests[SIM_DIGESTS]; /* and this, after an op */
    bool ever_flipped;     /* at any time; */
    uint64_t first_flipped_op; /* first after this op, or in the midst of the next */
    bool was_flipped;      /* what turned was written over, and it may still say so */
    uint64_t righted_op;   /* at this op, or before */
    bool lost_wrong;       /* it lost its state while that was so */
    bool fenced;      /* it has found out, and its disk says so */
    uint32_t ill_life; /* in this life it executes nothing more */
    bool old;         /* it is what it wrote some lives ago, or ... */
    bool old_of_newest_life; /* ... earlier in its newest one */
    struct disk copy; /* of its disk, made when it crashed once, or while it ran */
    uint64_t copied_op; /* no entry behind this one is in it */
    uint64_t begun_op, former_begun_op; /* nor in the last append; in any before that */
    uint64_t copied_incarnation, newest_incarnation; /* its own number then, and when it last was */
    uint8_t newest, spoke; /* versions of the protocol: in this life, and at most so far */
    bool too_old; /* so its last life was told */
    uint64_t disk_full_until;
    uint32_t incarnation;
    void *memory;
    size_t memory_size;
    struct node *node;
    struct node_io io;
    struct vr_config config;
    struct replay_tape tape; /* with the option `record` */
    struct disk disk;
    uint64_t clock_base, clock_started; /* its monotonic time began with base at started */
    int64_t clock_ppm, wall_skew_us;
    int64_t skew_most_us, skew_least_us; /* of all that it had */
    uint8_t n_slots, slots[SLOTS_MAX]; /* its directory: which replica is in which slot */
    uint64_t alarm;  /* when the queued SIM_TIMER comes; 0: none is queued */
    uint64_t paused_until;
    bool turn_open;
    struct model_place place; /* what it has executed, of the model's calls */
    uint64_t led_view; /* newest view that it was primary of, plus 1, ... */
    uint32_t led_epoch; /* ... in that epoch */
    uint64_t told_of_epoch; /* the client that was, when one asked last; 0: it was not */
    struct sim_event backlog[SIM_BACKLOG]; /* client frames it did not accept yet */
    uint32_t backlog_count;
};

/* A connection of a client to a replica. */
struct sim_connection {
    bool up, coming;
    uint64_t cut_until; /* until then nothing gets through */
    uint32_t generation;
    uint64_t to_replica_us, to_client_us; /* order of delivery */
    struct sim_carried {                  /* heavy.c */
        bool stands;
        struct vstamp_id client;
        uint64_t session, number, started_ms, view;
        uint32_t request, generation;
    } carried;
};

enum sim_client_state {
    SIM_CLIENT_IDLE,
    SIM_CLIENT_REGISTERING,
    SIM_CLIENT_ASKING,
    SIM_CLIENT_DONE
};

struct sim_client {
    uint8_t index;
    enum sim_client_state state;
    bool told_by_flipped; /* what is being heard: it may be wrong */
    struct session session;
    bool knows_few;  /* members, and not which these are */
    uint8_t n_nodes, nodes[SLOTS_MAX]; /* which replica has which number in the session */
    struct sim_connection connections[REPLICAS_MAX]; /* by replica */
    uint64_t alarm;  /* names the SIM_CLIENT event that is valid */
    uint64_t alarm_at;
    size_t op;       /* in the history, of the operation under way */
    uint64_t *floors; /* by key: what a counter, or the length of a list, has reached for it */
    size_t n_floors;
    bool watches;    /* and has seen so many changes, up to this place */
    size_t n_changes_seen;
    uint64_t place;
    bool unsettled;  /* the operation's outcome is unknown, a registration may tell */
    uint64_t unsettled_session, unsettled_number;
    uint8_t *body;   /* of the request */
    size_t body_size;
};

/* An operation of the history: what linear_check takes, and on which key. */
struct sim_op {
    struct linear_op linear;
    uint32_t key;
    enum session_task task;
    uint64_t floor; /* op-number that some client had seen when it began */
    enum kv_verb verb;
    uint64_t expiry;
    bool unsound; /* it will be refused */
    bool never;   /* surely not executed, or a read that need not be linearizable */
};

struct sim_key {
    char name[24];
    enum linear_kind kind; /* PUT: a register, INCR: a counter, APPEND: a list */
    uint32_t n_ops;
    bool modelled; /* too odd for linear_check */
};

struct sim_history {
    struct sim_op *ops;
    size_t count, capacity;
    struct sim_key *keys;
    size_t n_keys, keys_capacity;
    uint64_t next_value;
};

enum sim_phase {
    SIM_PHASE_FAULTS,
    SIM_PHASE_PROGRESS, /* the core must answer a write */
    SIM_PHASE_REST,     /* all must agree */
    SIM_PHASE_READ,     /* every key is read */
    SIM_PHASE_OVER
};

/* What happened, once each: SIM_STAT(name). */
#define SIM_STATS(SIM_STAT)                                                                        \
    SIM_STAT(events)                                                                               \
    SIM_STAT(messages) /* those of clients and to them, and frames between replicas */             \
    SIM_STAT(frames)                                                                               \
    SIM_STAT(commits)                                                                              \
    SIM_STAT(answered)                                                                             \
    SIM_STAT(unknown)                                                                              \
    SIM_STAT(expired)                                                                              \
    SIM_STAT(watched)       /* changes that somebody was told of */                                \
    SIM_STAT(watchers_late) /* who asked for more than is kept */                                  \
    SIM_STAT(reads)                                                                                \
    SIM_STAT(duplicates)                                                                           \
    SIM_STAT(heavy)                                                                                \
    SIM_STAT(evictions)                                                                            \
    SIM_STAT(crashes)                                                                              \
    SIM_STAT(wipes)                                                                                \
    SIM_STAT(damages)                                                                              \
    SIM_STAT(mended)                                                                               \
    SIM_STAT(rotten_entries)                                                                       \
    SIM_STAT(flips)                                                                                \
    SIM_STAT(fenced)                                                                               \
    SIM_STAT(named)                                                                                \
    SIM_STAT(refused)   /* operations that no replica can execute */                               \
    SIM_STAT(illnesses)                                                                            \
    SIM_STAT(old_copies)                                                                           \
    SIM_STAT(lost_writes)                                                                          \
    SIM_STAT(lost_states)                                                                          \
    SIM_STAT(failed_writes)                                                                        \
    SIM_STAT(garbage)                                                                              \
    SIM_STAT(local_reads)                                                                          \
    SIM_STAT(copies)                                                                               \
    SIM_STAT(copy_restarts)                                                                        \
    SIM_STAT(hand_overs)                                                                           \
    SIM_STAT(changes)         /* of the membership */                                              \
    SIM_STAT(changes_refused)                                                                      \
    SIM_STAT(absences)                                                                             \
    SIM_STAT(retirements)                                                                          \
    SIM_STAT(too_old)         /* starts in a version that the group has left behind */             \
    SIM_STAT(partitions)                                                                           \
    SIM_STAT(view_changes)                                                                         \
    SIM_STAT(recoveries)                                                                           \
    SIM_STAT(forgotten_promises)                                                                   \
    SIM_STAT(transfers)

/* Who copies the state; copies.c. */
#define SIM_COPIER_ORIGIN (UINT64_MAX - 1)
struct sim_copies {
    struct prng prng;
    bool under_way;
    uint8_t source; /* replica that is asked */
    struct copier copier;
    uint64_t *hashes;
    struct writer file;
};

/* Who changes the membership; changes.c. */
#define SIM_CHANGES_ORIGIN (UINT64_MAX - 3)
#define SIM_STRANGER_ORIGIN (UINT64_MAX - 0x100) /* and less the number of a replica */
struct sim_changes {
    struct prng prng;
    bool under_way;
    bool any_lost;                   /* since it is, a replica has lost its memory */
    uint64_t step;                   /* names the SIM_CHANGE event that is valid */
    uint32_t tries;
    uint64_t client, session;        /* a new one for each change */
    uint32_t epoch;                  /* that is to end; done: that has begun */
    bool done;
    struct vr_membership next;
    uint32_t left_in; /* 1 + the epoch in which one was left to itself that may come yet, and makes
                         a group that bears no loss of memory */
    uint8_t body[VR_MEMBERS_BYTES + 32];
    size_t body_size;
};

/* How far forget.c has come. */
struct sim_plot {
    uint32_t step;
    uint8_t loner, next_primary;
    uint64_t view;
};

struct sim_stats {
#define SIM_STAT(name) uint64_t name;
    SIM_STATS(SIM_STAT)
#undef SIM_STAT
};

struct sim {
    uint64_t seed, now;
    struct prng prng;
    struct sim_options options;
    struct vr_config config; /* of the first epoch's members */
    uint8_t n_nodes;         /* replicas that there are, members or not */
    struct sim_queue queue;
    struct sim_replica replicas[REPLICAS_MAX];
    bool blocked[REPLICAS_MAX][REPLICAS_MAX]; /* frames from, to are lost */
    uint64_t link_us[REPLICAS_MAX][REPLICAS_MAX];
    /* Ring of the votes, promises and words of recovery that were sent; `incarnation` is the
     * sender's, `value` the receiver's at that time. */
    struct sim_event archive[SIM_ARCHIVE];
    uint64_t n_archived;
    uint64_t partition; /* number of the newest */
    struct sim_plot plot;
    struct sim_copies copies;
    struct sim_changes changes;
    struct prng versions;
    struct sim_client clients[SIM_CLIENTS_MAX + 1]; /* the last one asks when the faults are over */
    struct sim_history history;
    size_t *current_keys; /* by slot: its newest key */
    uint64_t highest_seen; /* op-number, of all answers that reached a client */
    struct check check;
    struct model model;
    struct prng model_prng;
    struct prng few_prng;
    size_t modelled_keys[SIM_MODELLED_KEYS]; /* plus 1; 0: not used yet */
    enum sim_phase phase;
    bool quiet;         /* no new faults */
    uint64_t leapt_us;  /* by how much monotonic clocks have leapt ahead, all together */
    uint32_t dead;      /* replicas that stay away for good */
    uint32_t stuck;     /* replicas whose disks do nothing any more */
    bool all_formed;    /* every replica was normal once */
    uint32_t crashes_before_formed;
    uint64_t phase_ends;
    uint64_t latest_late_us; /* when the last copy that comes much later will come */
    uint64_t settled_at, view_at_rest, calm_until;
    char unrest[128]; /* what was yet to be done when that was seen last */
    uint64_t ticks, ticked_at; /* that its replicas executed by themselves, and when it changed */
    uint64_t noted_op, noted_at, former_op; /* logged, and when; and the time before */
    size_t next_read;
    struct sim_stats stats;
    uint64_t marks[VR_MARK_WORDS]; /* of all replicas */
    uint64_t hash; /* of the run: equal for equal seeds */
    bool failed;
    char verdict[512];

    bool tracing;
    FILE *trace_file; /* all of it; NULL: only the ring */
    char (*trace_ring)[SIM_TRACE_COLUMNS];
    uint64_t trace_count;
};

/* draw.c */
/* Why there can be no such run, NULL if there can.  What a seed draws gives way to what is set. */
const char *sim_settings_refuse(const struct sim_setting *settings, size_t n_settings);
void sim_options_draw(struct prng *prng, const struct sim_setting *settings, size_t n_settings,
                      struct sim_options *options);
void sim_options_config(const struct sim_options *options, struct vr_config *config);
/* The option whose name this is, with `_us` or without, or which alone begins like that; -1: none
 * or several. */
int sim_option_find(const char *name, size_t size);
const char *sim_option_name(size_t option); /* NULL behind the last one */
void sim_options_help(char *text, size_t size); /* a line each; there must be room */
void sim_options_describe(const struct sim_options *options, char *text, size_t size);
uint64_t sim_fault_mean(const struct sim_options *options, enum sim_fault fault);

/* world.c */
struct sim_result {
    bool failed;
    char verdict[512];
    char options[2048];
    uint64_t hash, now;
    struct sim_stats stats;
    uint64_t marks[VR_MARK_WORDS];
};
/* Run one seed.  With `lines`, the newest SIM_TRACE_LINES lines of the trace are kept and printed
 * there if the run fails; with `all`, every line. */
void sim_run(uint64_t seed, const struct sim_setting *settings, size_t n_settings, FILE *lines,
             FILE *all, struct sim_result *result);

/* Of the run that this process makes now, for a handler of signals: a number that changes while it
 * goes on, and whether the application is at work, and where. */
uint64_t sim_progress(void);
struct sim_place {
    const char *application, *function;
    uint64_t op, wall_us; /* by the clock of the machine that this replica is on */
};
bool sim_application_is_in(struct sim_place *place);
void sim_fail(struct sim *sim, const char *format, ...) __attribute__((format(printf, 2, 3)));
void sim_at(struct sim *sim, uint64_t delay_us, struct sim_event event);
uint64_t sim_around(struct sim *sim, uint64_t mean_us); /* 1 .. 2 x mean */

/* versions.c */
void sim_version_choose(struct sim_replica *replica);
void sim_version_too_old(struct sim_replica *replica, const char *why);
void sim_versions_upgrade(struct sim *sim);
void sim_version_check(struct sim *sim, const struct sim_replica *replica,
                       const struct wire_entry_header *header);
void sim_version_check_frame(struct sim *sim, uint8_t from, uint8_t to, uint8_t version);
bool sim_version_is_risen(const struct sim *sim, const struct vr *core);

/* find.c */
/* What the client's session calls this replica; n_nodes: nothing. */
uint8_t sim_client_number(const struct sim_client *client, uint8_t replica);
/* Its user gives a client the present members, or a few of them; gives their number. */
uint8_t sim_first_members(struct sim *sim, struct sim_client *client,
                          struct session_identity *identity);
/* The newest epoch's members come behind those that it knows, as if the user had named them; but
 * for the last client, if it is to find them by itself. */
void sim_know_others(struct sim *sim, struct sim_client *client);
/* The group has told who it is, or that it has moved. */
void sim_follow(struct sim *sim, struct sim_client *client, struct bytes frame);

/* heavy.c */
void sim_heavy_sent(struct sim *sim, struct sim_client *client, uint8_t number,
                    struct bytes frame);
void sim_heavy_answered(struct sim_client *client, uint8_t replica, struct bytes frame);

/* clocks.c */
void sim_clocks_check(struct sim *sim, const struct wire_entry_header *header, uint64_t before);

/* guard.c */
void sim_guarded(struct sim *sim, void (*body)(void *ctx), void *ctx); /* fails if it asserts */

/* trace.c */
void sim_trace_begin(struct sim *sim, bool keep, FILE *all);
void sim_trace(struct sim *sim, const char *format, ...) __attribute__((format(printf, 2, 3)));
void sim_trace_frame(struct sim *sim, const struct sim_event *event);
void sim_trace_end(struct sim *sim, FILE *to); /* prints what is kept, unless NULL */

/* replicas.c */
void sim_replica_init(struct sim *sim, uint8_t index);
const struct vstamp_app *sim_app(struct sim *sim);
void sim_replica_start(struct sim *sim, uint8_t index);
void sim_replica_release(struct sim_replica *replica); /* its memory */
void sim_replica_stop(struct sim *sim, uint8_t index); /* graceful */
void sim_replica_crash(struct sim *sim, uint8_t index, const char *why);
void sim_replica_retire(struct sim_replica *replica, const char *why);
void sim_replica_configure(struct sim *sim, uint8_t index, const struct vr_membership *members);
void sim_replica_wipe(struct sim *sim, uint8_t index); /* it is down and loses its disk */
/* What is on its disk now is what it wrote once. */
void sim_replica_is_old(struct sim *sim, uint8_t index, bool of_newest_life);
void sim_replica_leap(struct sim_replica *replica, uint64_t us); /* its monotonic clock, ahead */
void sim_replica_pause(struct sim *sim, uint8_t index, uint64_t us);
void sim_replica_event(struct sim *sim, const struct sim_event *event);
void sim_replica_garbage(struct sim *sim, uint8_t index, struct bytes frame);
bool sim_is_witness(const struct sim_replica *replica);
uint64_t sim_replica_clock_us(const struct sim_replica *replica); /* the one that never falls */
bool sim_replica_has_state(const struct sim_replica *replica); /* counts as not failed */

/* net.c */
void sim_net_send(struct sim *sim, uint8_t from, uint8_t to, struct bytes frame);
void sim_net_replay(struct sim *sim);
void sim_net_link(struct sim *sim, uint8_t a, uint8_t b, bool up);
void sim_net_connect(struct sim *sim, struct sim_client *client, uint8_t replica);
void sim_net_break(struct sim *sim, struct sim_client *client, uint8_t replica);
void sim_net_break_all(struct sim *sim, uint8_t replica); /* it crashed */
void sim_net_request(struct sim *sim, struct sim_client *client, uint8_t replica,
                     struct bytes frame);
void sim_net_reply(struct sim *sim, uint8_t replica, uint64_t origin, struct bytes frame);
void sim_net_event(struct sim *sim, const struct sim_event *event); /* REPLY, CONNECTED, BROKEN */

/* faults.c */
void sim_faults_begin(struct sim *sim);
uint32_t sim_members(const struct sim *sim); /* of the newest epoch */
bool sim_may_change(const struct vr *core);
bool sim_is_changing(const struct sim *sim); /* the membership */
bool sim_may_wipe(const struct sim *sim, uint8_t index); /* can the group bear that loss now? */
/* Of a replica that has state: may it lose that now, whoever is without already? */
bool sim_bears_loss(const struct sim *sim, uint8_t index);
bool sim_bears_loss_in_change(const struct sim *sim, uint8_t index); /* without disks */
void sim_faults_new_primary(struct sim *sim, uint8_t index);
void sim_faults_forgotten(struct sim *sim, uint8_t index);
void sim_faults_leave(struct sim *sim, uint8_t index); /* until the faults are over, if it may */
void sim_fault(struct sim *sim, const struct sim_event *event);
void sim_heal(struct sim *sim, uint64_t partition);
void sim_faults_end(struct sim *sim); /* everything is made well, but for sim->dead */

/* stored.c */
void sim_stored(struct sim_replica *replica, enum node_lane lane);
bool sim_is_alone(const struct vr *core); /* its folder is enough for a quorum */

/* rot.c */
void sim_rot_entries(struct sim *sim, struct sim_replica *replica); /* it is down */

/* flips.c */
void sim_flip(struct sim *sim, uint8_t index);

/* illness.c */
struct vstamp_context;
bool sim_is_poison(const struct sim *sim, const struct vstamp_context *context);
bool sim_is_ill(const struct sim_replica *r);
void sim_fall_ill(struct sim *sim, uint8_t index);
/* May these be the next members, if a replica is ill now? */
bool sim_illness_bears(const struct sim *sim, const struct vr_membership *next);
bool sim_stuck_is_expected(const struct sim_replica *r); /* else it may have failed the run */

/* trails.c */
void sim_trail_fenced(struct sim_replica *r); /* its disk is as it will be looked at */
void sim_trails_agree(struct sim *sim);       /* at the end */

/* forget.c */
void sim_plot_begin(struct sim *sim);
void sim_plot_step(struct sim *sim, uint64_t partition);

/* copies.c */
void sim_copies_begin(struct sim *sim);
void sim_copies_event(struct sim *sim);
void sim_copies_answer(struct sim *sim, struct bytes frame);
void sim_copies_close(struct sim *sim);

/* operator.c */
void sim_operator_hand_over(struct sim *sim);
bool sim_is_operator(uint64_t origin);
void sim_operator_answer(struct sim *sim, uint8_t replica, struct bytes frame);
/* A frame of the operator's was given to a replica that had been in this view. */
void sim_operator_fed(struct sim *sim, uint8_t replica, uint64_t view_before, struct bytes frame);

/* changes.c */
void sim_changes_begin(struct sim *sim);
void sim_changes_event(struct sim *sim, uint64_t step);
void sim_changes_answer(struct sim *sim, struct bytes frame);
uint8_t sim_node_of(const char *address);
const char *sim_address_of(uint8_t node);

/* workload.c */
static inline bool sim_is_last(const struct sim *sim, const struct sim_client *client)
{
    return client->index == sim->options.clients;
}
void sim_client_begin(struct sim *sim, uint8_t index);
void sim_client_wake(struct sim *sim, uint8_t index, uint64_t alarm);
void sim_client_frame(struct sim *sim, uint8_t index, uint8_t replica, struct bytes frame);
void sim_client_restart(struct sim *sim, struct sim_client *client);
/* Send what is due, notice the end of a task. */
void sim_client_step(struct sim *sim, struct sim_client *client);
void sim_workload_close(struct sim *sim);

#endif

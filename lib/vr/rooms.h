/* SPDX-License-Identifier: BSD-2-Clause */
/* What each room of the protocol offers the others, and a rule that holds in all of them.
 *
 * The rule of contradictions.  Peers are honest, but their memory and ours may be damaged, and a
 * network that is not trusted may carry anything.  So:
 *
 *   - what a peer says, and be it a quorum that says it, never reaches an assert.  A handler
 *     checks it against what is held here; what contradicts that is dropped before anything is
 *     changed.  Asserts speak of what this replica itself has done;
 *   - what is merely odd or late leaves a line in the trace;
 *   - what contradicts something that is committed here, or comes from a peer whose state is
 *     damaged, is an error that somebody must look at: a line at LOG_LEVEL_ERROR ("log-diverged",
 *     "prepare-does-not-chain", "checkpoint-not-sound"), each time.  What is committed here stays.
 *     The replica takes no part in a view whose log lacks it, and asks others.  It does not stop:
 *     with durability: memory a stop would lose the very evidence, and the operation with it, and
 *     with a disk the next start would stand where this one did.  */
#ifndef VR_ROOMS_H
#define VR_ROOMS_H

#include <inttypes.h>

#include "base/assert.h"
#include "vr/replica.h"
#include "vr/witness.h"

/* replica.c: the replica as a whole: its timers, its hard state, its status. */
void vr_timer_set(struct vr *r, enum vr_timer timer, uint64_t after_us);
void vr_timer_off(struct vr *r, enum vr_timer timer);
void vr_timers_off(struct vr *r);
uint64_t vr_patience_us(const struct vr *r);      /* view_change_ms */
uint64_t vr_jitter(struct vr *r, uint64_t us);    /* us .. 1.5 us */
void vr_persist_state(struct vr *r);              /* view, log_view, crash vector changed */
void vr_become(struct vr *r, enum vr_status status);
void vr_merge_crash_vector(struct vr *r, uint8_t from, const struct wire_list *theirs);
uint64_t vr_counter_of(const struct wire_list *crash_vector, uint8_t replica);
struct vstamp_id vr_draw_id(struct vr *r);

/* send.c: frames go out to replicas and clients, lines to the trace and the log. */
/* `to` is a slot, VR_ALL other members, or NOWHERE: whoever has just spoken and is in no slot. */
#define VR_ALL 0xfeu
void vr_send(struct vr *r, uint8_t to, uint64_t view, const struct wire_shape *shape,
             const void *message);
#define VR_SEND(r, to, name, ...)                                                                  \
    vr_send((r), (to), (r)->view, &wire_shape_##name, &(struct wire_##name){__VA_ARGS__})
#define VR_BROADCAST(r, name, ...) VR_SEND(r, VR_ALL, name, __VA_ARGS__)
struct vr_asker vr_asker(uint64_t origin, const struct wire_request *m);
void vr_reply(struct vr *r, const struct vr_asker *to, uint64_t op, struct bytes body);
void vr_tell_outcome(struct vr *r, const struct vr_asker *to, uint64_t op,
                     enum wire_outcome outcome, struct bytes body);
void vr_answer(struct vr *r, uint64_t origin, const struct wire_shape *shape, const void *message);
#define VR_ANSWER(r, origin, name, ...)                                                            \
    vr_answer((r), (origin), &wire_shape_##name, &(struct wire_##name){__VA_ARGS__})
void vr_reject(struct vr *r, const struct vr_asker *to, enum wire_reject_reason reason,
               const char *text);
struct wire_list vr_header_list(struct vr *r, uint8_t *buffer, size_t size);
uint64_t vr_hole_bits(const struct vr *r); /* of the headers in it; 0 is the newest */
struct wire_list vr_number_list(const uint32_t *numbers, uint32_t n, uint8_t *buffer, size_t size);
void vr_trace(struct vr *r, const char *format, ...) __attribute__((format(printf, 2, 3)));
void vr_log(struct vr *r, enum log_level level, const char *event, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
#define VR_QUOTED_SIZE 800u
/* The value of a pair of vr_log, of a text that others have a word in: one line, in quotes. */
const char *vr_quoted(char into[static VR_QUOTED_SIZE], const char *text);
#define VR_HEADERS_BYTES (MESSAGE_HEADERS_MAX * 64u)

/* normal.c: section 4.1 between replicas: the primary's entries reach the backups. */
void vr_on_prepare(struct vr *r, uint8_t from, uint64_t view, const struct wire_prepare *m);
void vr_on_prepare_ok(struct vr *r, uint8_t from, uint64_t view, const struct wire_prepare_ok *m);
void vr_on_commit(struct vr *r, uint8_t from, uint64_t view, const struct wire_commit *m);
void vr_on_commit_ok(struct vr *r, uint8_t from, uint64_t view, const struct wire_commit_ok *m);
void vr_normal_begin(struct vr *r);       /* the view has started here */
void vr_normal_settle(struct vr *r);      /* acknowledge, commit */
void vr_append(struct vr *r, const struct wire_entry_header *header, struct bytes body);
void vr_truncate(struct vr *r, uint64_t op);
bool vr_can_append(struct vr *r, size_t size);
void vr_send_heartbeat(struct vr *r);
void vr_heartbeat_due(struct vr *r);
void vr_abdicate_due(struct vr *r);
uint64_t vr_quorum_reached(const struct vr *r, const uint64_t *values); /* Q-th largest */

/* batch.c: sections 4.1 and 6.2: requests of clients become entries, several in one. */
void vr_batch_settle(struct vr *r);
/* For who takes our log as a whole: what is further back in it than all that a primary may have in
 * flight is committed, too, though the journal of one that was stuck does not say so (PO6). */
uint64_t vr_surely_committed(const struct vr *r);
bool vr_prepare_alone(struct vr *r, uint64_t origin, const struct wire_operation *operation);
void vr_batch_clear(struct vr *r);
void vr_batch_leave_view(struct vr *r); /* who waits is told when the next one begins: */
void vr_batch_begin_view(struct vr *r);
bool vr_batch_tick(struct vr *r);
uint64_t vr_next_timestamp(const struct vr *r);

/* clock.c: section 4.4: what time it is, for entries; wrong clocks are found by the others. */
void vr_clock_heard(struct vr *r, uint8_t from, uint64_t clock_us);
bool vr_time_is_known(const struct vr *r);
void vr_clocks_judge(struct vr *r); /* at the primary, with each heartbeat */

/* tick.c: section 4.4: the application does what is due by the time, though nobody asks. */
/* Executes it; false: it cannot be executed, and is not. */
bool vr_tick(struct vr *r, const struct wire_entry_header *header, bool is_passed_over);
void vr_tick_arm(struct vr *r); /* at the end of a turn: when is the next one? */
void vr_tick_due(struct vr *r);

/* pass_over.c: an operation that the application cannot execute is passed over by all. */
enum vr_turn { VR_RUNS, VR_WAITS, VR_IS_PASSED_OVER };
uint64_t vr_executable(const struct vr *r); /* up to where entries are executed now */
void vr_pass_over_look(struct vr *r); /* before the next: the log may have grown */
enum vr_turn vr_turn_by_log(struct vr *r, uint64_t op, uint32_t index);
static inline enum vr_turn vr_turn_of(struct vr *r, uint64_t op, uint32_t index)
{
    bool runs = !log_at(&r->log, op)->passed && r->log.n_holes == 0;
    return runs ? VR_RUNS : vr_turn_by_log(r, op, index);
}
/* Without a client it is a tick. */
void vr_get_stuck(struct vr *r, uint64_t op, struct vstamp_id client, struct bytes why);
void vr_get_past(struct vr *r, uint64_t op, struct vstamp_id client);
void vr_pass_over_execute(struct vr *r, uint64_t entry);
void vr_pass_over_forget(struct vr *r);
void vr_pass_over_truncated(struct vr *r);
void vr_pass_over_begin_view(struct vr *r);
void vr_pass_over_heard(struct vr *r, uint8_t from, uint64_t executed, uint32_t stuck_at);
void vr_pass_over_judge(struct vr *r); /* at the primary, with each heartbeat */
void vr_pass_over_primary(struct vr *r, uint64_t view, const struct wire_commit *m);
void vr_pass_over_learner(struct vr *r);
void vr_pass_over_alone(struct vr *r);
uint32_t vr_stuck_at(const struct vr *r); /* as COMMIT and COMMIT-OK say it */
const char *vr_stuck_waits_for(const struct vr *r);
/* The newest op-number of which the state has something. */
static inline uint64_t vr_state_op(const struct vr *r)
{
    return r->applied + (r->done > 0);
}

/* application.c: what it is asked beside executing.  One that lives in the pages is asked less. */
void vr_app_resume(struct vr *r); /* the pages hold another state than was executed */
bool vr_app_is_row(const struct vr *r, const struct vstamp_pages *pages);
/* Around each call.  False, and true of vr_app_has_failed: the replica is over, and nothing that
 * the application said counts. */
void vr_app_enter(struct vr *r, const char *function, uint64_t op);
bool vr_app_leave(struct vr *r);
bool vr_app_has_failed(struct vr *r); /* leaves, too, and asks it */
void vr_app_end(struct vr *r, const char *format, ...) __attribute__((format(printf, 2, 3)));
void vr_app_has_run(struct vr *r);    /* it executed something, and its memory may have changed */
/* Execute; false: the replica is over.  What it says may be longer than its room. */
bool vr_app_apply(struct vr *r, const struct vstamp_context *context, struct bytes operation,
                  struct vstamp_answer *says);
/* False: the replica is over, or what was asked is to be refused, as *why says. */
#define VR_GUARD_BYTES     64u /* behind the room of an answer */
#define VR_PREDICTION_ROOM (VSTAMP_PREDICTION_BYTES + VR_GUARD_BYTES)
bool vr_app_query(struct vr *r, struct bytes question, struct vstamp_answer *answer,
                  struct vstamp_diag *why);
bool vr_app_predict(struct vr *r, struct bytes operation,
                    uint8_t buffer[static VR_PREDICTION_ROOM], struct bytes *predicted,
                    struct vstamp_diag *why);

/* commit.c: section 4.1: committed entries are executed in order, and clients answered. */
#define VR_FORESEEN_MAX 16u /* as many operations look into memory at a time */
void vr_commit_up_to(struct vr *r, uint64_t commit);
bool vr_execute(struct vr *r); /* false: there was nothing to execute */
void vr_foresee(struct vr *r, const struct bytes *operations, uint32_t n);
void vr_reply_registration(struct vr *r, const struct vr_asker *to,
                           const struct client_record *record);

/* checkpoint.c: section 5.1: when one is taken, is it sound, and others are given its pages. */
void vr_checkpoint_if_due(struct vr *r);
void vr_checkpoint_frees(struct vr *r); /* what the log has before it */
bool vr_image_is_at_hand(struct vr *r);  /* for who reads it now */
void vr_checkpoint_audit(struct vr *r, struct client_table *clients, bool of_candidate,
                         uint64_t op); /* begins */
enum vstamp_audit vr_checkpoint_audit_some(struct vr *r);
const char *vr_checkpoint_contradicts(const struct vr *r, const struct wire_entry_header *anchor);
void vr_checkpoint_adopt(struct vr *r, const struct wire_entry_header *anchor);
void vr_on_get_tree(struct vr *r, uint8_t from, const struct wire_get_tree *m);
void vr_on_get_pages(struct vr *r, uint8_t from, const struct wire_get_pages *m);

/* digest.c: have all replicas the same state?  One that has not takes no further part. */
void vr_digest_point(struct vr *r);
void vr_digest_forget(struct vr *r);
void vr_digest_taken_from(struct vr *r, uint8_t slot); /* its state has become ours (D8) */
void vr_digest_forget_of(struct vr *r, uint8_t replica);
void vr_digest_fence(struct vr *r, uint64_t op); /* our state is wrong for sure, since then */
void vr_digest_turn_end(struct vr *r); /* in its second half, when nobody waits for us */
void vr_digest_repeat(struct vr *r, uint8_t replica);
void vr_on_digest(struct vr *r, uint8_t from, const struct wire_digest *m);

/* trail.c: what each page held, so that it can be found out since when two states differ. */
void vr_trail_begin(struct vr *r, struct arena *arena);
void vr_trail_point(struct vr *r, uint64_t op); /* its hashes are known */
void vr_trail_cut(struct vr *r);                /* they will not be, any more */
void vr_trail_go_on(struct vr *r);
void vr_trail_rotten(struct vr *r, uint32_t page);
void vr_trail_forget(struct vr *r);
void vr_trail_keep(struct vr *r, uint64_t op); /* at this point states differ */

/* reads.c: section 6.3: reads are answered without the log. */
void vr_reads_on_request(struct vr *r, const struct vr_asker *asker, const struct wire_request *m);
void vr_reads_settle(struct vr *r); /* answer what is confirmed */
bool vr_reads_want_round(const struct vr *r);
void vr_reads_by_lease(struct vr *r); /* at the end of a turn */
void vr_reads_clear(struct vr *r);

/* lease.c: section 6.3.1: for how long the primary may answer reads alone. */
void vr_lease_start(struct vr *r);
void vr_lease_begin_view(struct vr *r);
void vr_lease_sent(struct vr *r, uint64_t sequence);
void vr_lease_echoed(struct vr *r, uint8_t from, uint64_t sequence, uint64_t granted_us);
uint64_t vr_lease_grant(struct vr *r);
void vr_lease_turn_end(struct vr *r);
void vr_lease_returned(struct vr *r, uint8_t from);
uint64_t vr_lease_owed_us(const struct vr *r);

/* view_change.c: section 4.2: another primary, with a log that has all that may be committed. */
void vr_on_start_view_change(struct vr *r, uint8_t from, uint64_t view,
                             const struct wire_start_view_change *m);
void vr_on_do_view_change(struct vr *r, uint8_t from, uint64_t view,
                          const struct wire_do_view_change *m);
void vr_on_start_view(struct vr *r, uint8_t from, uint64_t view, const struct wire_start_view *m);
void vr_on_request_start_view(struct vr *r, uint8_t from, uint64_t view);
void vr_enter_view(struct vr *r, uint64_t view, const char *why);
void vr_suspect(struct vr *r, const char *why);
void vr_trust(struct vr *r); /* a fresh word of the primary */
void vr_missed_start_view(struct vr *r);
void vr_view_change_settle(struct vr *r);
bool vr_promises_entry(const struct vr *r, uint8_t replica, uint64_t op, struct vstamp_id checksum);
/* The newest entry up to `op` that is here, with all before it, and is committed or promised. */
uint64_t vr_joins_at(const struct vr *r, uint8_t replica, uint64_t op);
void vr_view_change_cut_off(struct vr *r, uint8_t replica, bool cut_off);
void vr_view_change_forget(struct vr *r, uint8_t replica); /* what a former incarnation said */
void vr_view_change_disregard(struct vr *r, uint8_t replica);
void vr_install_view(struct vr *r, uint64_t view);         /* the log in hand is that view's log */
void vr_vote_due(struct vr *r);
void vr_view_change_due(struct vr *r);
void vr_view_limit_due(struct vr *r);
void vr_suspect_due(struct vr *r);

/* hand_over.c: section 4.2 without a time-out: the primary itself begins the next view. */
void vr_hand_over_to_stop(struct vr *r);
void vr_hand_over_on_request(struct vr *r, const struct vr_asker *asker,
                             const struct wire_request *m);
void vr_hand_over_settle(struct vr *r);
bool vr_hand_over_to(struct vr *r, uint8_t target); /* if it can lead */

/* state_transfer.c: section 5.2: a replica that is behind takes entries from a peer. */
void vr_transfer_start(struct vr *r, enum vr_transfer_kind kind, uint8_t peer, uint64_t view,
                       uint64_t op, struct vstamp_id checksum);
void vr_transfer_stop(struct vr *r, const char *why);
void vr_later_view(struct vr *r, uint8_t from, uint64_t view);
/* Are entries of a later one in our log (T7)? */
static inline bool vr_view_is_over(const struct vr *r)
{
    return log_last(&r->log)->view > r->log_view;
}
struct wire_list vr_entries_after(struct vr *r, uint64_t after, uint64_t up_to);
void vr_on_get_state(struct vr *r, uint8_t from, uint64_t view, const struct wire_get_state *m);
void vr_on_new_state(struct vr *r, uint8_t from, uint64_t view, const struct wire_new_state *m);
/* Does the log of a view take more than ours could ever hold, as those of others are larger? */
bool vr_transfer_is_too_large(const struct vr *r);
uint8_t vr_n_sources(const struct vr *r);
bool vr_may_have_state(const struct vr *r, uint8_t slot);
void vr_transfer_ask(struct vr *r);     /* once more, from where we stand */
void vr_transfer_restart(struct vr *r); /* stand on what is surely ours */
void vr_transfer_go_on(struct vr *r);   /* after a checkpoint that was adopted */
void vr_transfer_settle(struct vr *r);
void vr_transfer_due(struct vr *r);

/* page_transfer.c: section 5.2 where the logs do not reach: it takes pages; the pace of both. */
void vr_fetch_init(struct vr_fetch *f, struct arena *arena, const struct tree *like);
void vr_fetch_begin(struct vr *r);
void vr_fetch_stop(struct vr *r);
void vr_fetch_ask_all(struct vr *r);
bool vr_fetch_due(struct vr *r);
void vr_on_tree(struct vr *r, uint8_t from, const struct wire_tree *m);
void vr_on_pages(struct vr *r, uint8_t from, const struct wire_pages *m);
void vr_pace_note(struct vr *r, size_t bytes); /* so much was asked for, or came */
bool vr_pace_allows(struct vr *r); /* another question; if not, the timer asks it */
void vr_pace_due(struct vr *r);

/* mend.c: entries that the disk has lost are taken from peers. */
bool vr_has_hole(const struct vr *r, uint64_t op);
bool vr_fill(struct vr *r, uint8_t from, uint64_t op, struct bytes body); /* which was checked */
void vr_mend_begin(struct vr *r);
void vr_mend_settle(struct vr *r);
void vr_mend_due(struct vr *r);
void vr_mend_ask(struct vr *r, uint8_t replica);
void vr_on_get_entry(struct vr *r, uint8_t from, const struct wire_get_entry *m);
void vr_on_give_entry(struct vr *r, uint8_t from, uint64_t view, const struct wire_give_entry *m);

/* version.c: which version of the protocol the group is in, and when it rises. */
uint8_t vr_version_of_log(const struct vr *r);
uint8_t vr_version_of_next(const struct vr *r);
bool vr_version_rises(const struct vr *r); /* by the next entry */
bool vr_version_calls_for_entry(const struct vr *r);
struct vstamp_limits vr_limits_in(const struct vr *r, uint8_t version); /* for the application */
bool vr_brings_later_version(const struct vr *r, const struct wire_message *m);
void vr_on_later_entry(struct vr *r, uint8_t from, const struct wire_message *m);

/* witness.c: section 6.1: members that hold entries and vote, and have no state. */
void vr_take_role(struct vr *r, bool witness);
void vr_keep_warm(struct vr *r, uint8_t from);
void vr_witness_settle(struct vr *r);
bool vr_lacks_state(const struct vr *r);
uint64_t vr_warm_up_to(const struct vr *r); /* what is committed is executed, durably, so far */
void vr_witness_pass(struct vr *r);
void vr_refuse_as_witness(struct vr *r, const struct vr_asker *asker, const struct wire_request *m);
uint64_t vr_held(struct vr *r);
void vr_note_held(struct vr *r, uint64_t held);
uint64_t vr_witness_forgets(struct vr *r);
bool vr_witness_is_full(struct vr *r);
bool vr_witness_needs_room(struct vr *r);
uint64_t vr_witness_may_forget(const struct vr *r);
bool vr_witness_is_small(const struct vr *r);

/* recovery.c: section 4.3: a replica without state gets it, or forms a group with its like. */
void vr_on_recovery(struct vr *r, uint8_t from, const struct wire_recovery *m);
void vr_on_recovery_response(struct vr *r, uint8_t from, const struct wire_header *header,
                             const struct wire_recovery_response *m);
void vr_recovery_begin(struct vr *r);
void vr_recovery_void(struct vr *r);
void vr_recovery_lose(struct vr *r, bool keep_log);
void vr_recovery_due(struct vr *r);
void vr_recovery_forget(struct vr *r, uint8_t replica);
void vr_recovery_forget_all(struct vr *r); /* be blank, as another than before */
void vr_recovery_anew(struct vr *r);       /* in the epoch that was learned of */
void vr_recovery_waits_for(const struct vr *r, char *text, size_t size); /* in words */

/* epoch.c: section 7: the group moves to its next members, and the former ones end. */
void vr_epoch_init(struct vr *r);
void vr_epoch_void(struct vr *r); /* as at the first start */
void vr_epoch_join(struct vr *r, const struct vr_membership *membership);
int vr_epoch_restore(struct vr *r, const struct wire_hard_state *state);
void vr_epoch_resume(struct vr *r);
bool vr_epoch_waits(struct vr *r);              /* the log up to its begin is not here */
void vr_epoch_passed(struct vr *r, uint64_t op); /* that entry was executed */
void vr_epoch_settle(struct vr *r);
void vr_epoch_due(struct vr *r);
uint8_t vr_epoch_n_begun(const struct vr *r); /* active members that have begun ours */
void vr_epoch_greet(struct vr *r, uint8_t slot); /* that one was connected */
void vr_epoch_tell(struct vr *r, uint8_t to); /* which it is */
bool vr_epoch_on_message(struct vr *r, uint8_t slot, const struct wire_message *m);
void vr_epoch_on_stranger(struct vr *r, const struct wire_message *m);
void vr_take_guests(struct vr *r, const struct vr_membership *others); /* NULL: none */
void vr_take_former(struct vr *r, const struct vr_membership *former); /* as guests */

/* former.c: section 7.3, who may not have ended. */
void vr_former_derive(const struct vr_membership *before, struct vr_membership *next);
void vr_former_heard(struct vr *r, const struct vr_membership *theirs);
void vr_former_settle(struct vr *r);
bool vr_former_due(struct vr *r); /* true: the members are to hear whom we know of */

/* reconfiguration.c: section 7, before that: next members are proposed, warmed up, logged. */
bool vr_reconfigure_on_request(struct vr *r, const struct vr_asker *asker,
                               const struct wire_request *m);
bool vr_proposal_closes(const struct vr *r); /* no request is taken any more */
void vr_proposal_forget(struct vr *r);
void vr_proposal_heartbeat(struct vr *r);
void vr_proposal_settle(struct vr *r);
void vr_on_learn(struct vr *r, uint8_t slot, const struct wire_message *m);
void vr_on_learned(struct vr *r, uint8_t slot, const struct wire_message *m);

/* alone.c: has one that waits to be let in heard of nobody for long?  It says so at intervals. */
bool vr_is_alone(const struct vr *r);
void vr_alone_due(struct vr *r);

/* restart.c: a replica comes back from an intact disk, unless that is an old copy of it. */
void vr_on_restart(struct vr *r, uint8_t from, const struct wire_header *header,
                   const struct wire_restart *m);
void vr_on_restart_ok(struct vr *r, uint8_t from, const struct wire_header *header,
                      const struct wire_restart_ok *m);
void vr_restart_begin(struct vr *r);
void vr_restart_due(struct vr *r);
void vr_restart_settle(struct vr *r);
void vr_restart_tell(struct vr *r, uint8_t replica);   /* that we have started */
void vr_stop_for_good(struct vr *r);
/* The same, and vr_is_over says why. */
void vr_refuse(struct vr *r, uint8_t from, const char *event);
static inline void vr_restart_vouch(struct vr *r, uint8_t replica, uint64_t op)
{
    if (op > r->vouched[replica]) r->vouched[replica] = op;
}
uint64_t vr_incarnation_after_loss(uint64_t newest);
uint64_t vr_incarnation_after_start(struct vr *r); /* of the newest that is known here */
/* Another knows this life of ours: if it is not the present one, that stops (S3). */
bool vr_restart_proves_old_copy(struct vr *r, uint8_t from, uint64_t theirs);

#endif

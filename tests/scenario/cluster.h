/* SPDX-License-Identifier: BSD-2-Clause */
/* A group in one process for scripted stories.  Nothing happens by itself: time moves in
 * cluster_run, messages flow without delay unless a rule holds or drops them, and every message
 * ever sent is kept, so that a story can deliver it again, at any later time.
 *
 *   struct cluster *c = cluster_new(3, CLUSTER_MEMORY);      blank replicas, formed, view 0
 *   cluster_hold(c, 1, CLUSTER_ALL, WIRE_start_view_change); what 1 sends of this kind waits
 *   cluster_run(c, 500);                                     half a second
 *   cluster_release(c, 1, 2, WIRE_start_view_change);        now it arrives
 *
 * A story reads the replicas' state through cluster_core. */
#ifndef SCENARIO_CLUSTER_H
#define SCENARIO_CLUSTER_H

#include "kv/kv.h"
#include "node/copy.h"
#include "node/trail.h"
#include "sim/disk.h"
#include "vr/replica.h"

#define CLUSTER_ALL (-1)

/* To be or'ed. */
enum cluster_mode {
    CLUSTER_MEMORY = 0,
    CLUSTER_DISK = 1,
    CLUSTER_LEASES = 2,
    CLUSTER_LARGE = 4,
    CLUSTER_LARGER = 8
};
#define CLUSTER_WITNESS(replica) (256 << (replica)) /* or'ed, too: that one is a witness */

/* Heartbeats every 20 ms, suspicion after 200 to 300 ms, a checkpoint every 16 operations, a
 * pipeline of 4.  Large is a state of up to 300 pages: the tree over them has two levels; larger
 * one of up to 640, more than wait for the trail at once. */
#define CLUSTER_SESSIONS 6
#define CLUSTER_VALUE_MAX 3600u /* a batch holds a little more */
struct cluster;
struct cluster *cluster_new(uint8_t n_replicas, int mode);
struct cluster *cluster_new_with(uint8_t n_replicas, int mode, const struct vstamp_app *app);
struct cluster *cluster_new_blank(uint8_t n_replicas, int mode); /* none started */
void cluster_free(struct cluster *c);

/* --- replicas -------------------------------------------------------------------------------- */

const struct vr *cluster_core(const struct cluster *c, uint8_t replica); /* asserts that it is up */
bool cluster_is_up(const struct cluster *c, uint8_t replica);
void cluster_crash(struct cluster *c, uint8_t replica);   /* the disk keeps what was written */
/* The same at the moment its next checkpoint takes effect: what that makes void is not removed. */
void cluster_crash_at_checkpoint(struct cluster *c, uint8_t replica);
void cluster_cut(struct cluster *c, uint8_t replica, uint8_t peer); /* it notices a broken link */
void cluster_wipe(struct cluster *c, uint8_t replica);    /* of a crashed one: its disk is lost */
void cluster_damage(struct cluster *c, uint8_t replica);  /* its oldest segment is zeros, it may be
                                                             running */
/* Of a crashed one: each copy of this entry in its journal is damaged; there must be one. */
void cluster_rot(struct cluster *c, uint8_t replica, uint64_t op);
/* This page of its newest stored checkpoint rots; are all of them as they were stored? */
void cluster_rot_page(struct cluster *c, uint8_t replica, uint32_t page);
bool cluster_pages_are_sound(const struct cluster *c, uint8_t replica);
bool cluster_has_aside(const struct cluster *c, uint8_t replica); /* damaged files are kept */
/* Keep a copy of its disk, be it running or crashed; put it back (at the same index of `to`). */
void cluster_keep_copy(struct cluster *c, uint8_t replica);
void cluster_put_back(const struct cluster *c, uint8_t replica, struct cluster *to);
void cluster_start(struct cluster *c, uint8_t replica);
/* What its disk has of its trail that is not put aside: the newest file, and the one before.  The
 * entries are to be freed. */
struct trail cluster_trail(struct cluster *c, uint8_t replica);
/* From its next start on its program speaks up to that version of the protocol. */
void cluster_speak(struct cluster *c, uint8_t replica, uint8_t newest);
/* Make one that was never started a member of the group that a copy begins. */
void cluster_restore(struct cluster *c, uint8_t replica, const struct copy *copy);
void cluster_slow_disk(struct cluster *c, uint8_t replica, bool slow); /* jobs wait meanwhile */
void cluster_slow_checkpoints(struct cluster *c, uint8_t replica, bool slow); /* only those */
void cluster_set_ahead(struct cluster *c, uint8_t replica, int64_t seconds); /* its time of day */
void cluster_hand_over(struct cluster *c, uint8_t replica); /* as a planned stop begins */
bool cluster_has_traced(const struct cluster *c, uint8_t replica, const char *part);
uint8_t cluster_primary(const struct cluster *c); /* of the newest normal view; there must be one */

/* One more replica, numbered behind those there are, started with a configuration that lists these;
 * it is one of them. */
void cluster_add(struct cluster *c, const uint8_t *members, uint8_t n);

/* --- time ------------------------------------------------------------------------------------ */

/* Whoever of these (a bitset) is named by a request to reconfigure is to be a witness. */
void cluster_set_witnesses(struct cluster *c, uint32_t witnesses);

void cluster_settle(struct cluster *c);           /* deliver what can be, no time passes */
void cluster_run(struct cluster *c, uint32_t ms); /* the same, and timers go off */
/* Run until all replicas that are up are normal in one epoch and view with equal logs, executed;
 * false after 20 s. */
bool cluster_converge(struct cluster *c);

/* --- messages -------------------------------------------------------------------------------- */

/* Rules for messages sent from now on; the newest rule that matches decides.  `command` is an enum
 * wire_command; CLUSTER_ALL matches any. */
void cluster_hold(struct cluster *c, int from, int to, int command);
void cluster_drop(struct cluster *c, int from, int to, int command);
void cluster_pass(struct cluster *c, int from, int to, int command);
void cluster_isolate(struct cluster *c, uint8_t replica); /* drop all from and to it */
void cluster_clear_rules(struct cluster *c);

/* Deliver held messages, oldest first; gives their number. */
uint32_t cluster_release(struct cluster *c, int from, int to, int command);
/* Deliver once more a message that was sent: the newest for n = 0, the one before for n = 1. */
void cluster_repeat(struct cluster *c, uint8_t from, uint8_t to, int command, uint32_t n);
uint32_t cluster_count_sent(const struct cluster *c, int from, int to, int command);
/* The newest one taken apart; asserts that there is one. */
void cluster_last_sent(const struct cluster *c, uint8_t from, uint8_t to, int command,
                       struct wire_message *message);
/* Deliver a message that `from` never sent, in its name and with the group's id. */
void cluster_forge(struct cluster *c, uint8_t from, uint8_t to, uint64_t view,
                   const struct wire_shape *shape, const void *message);

/* --- clients --------------------------------------------------------------------------------- */

/* What requests sent from now on say of the view; 0 until a story says more. */
void cluster_clients_know(struct cluster *c, uint64_t view);

/* What came back for a request, as far as it did. */
struct cluster_answer {
    uint32_t n_replies, n_rejects;
    uint8_t reason; /* of the newest reject */
    uint64_t op;
    struct kv_answer kv;                     /* of the newest reply to a write or read */
    struct wire_registration registration;   /* of the newest reply to a registration */
};

/* Clients are numbers; their requests are named by the request-number, so a story can repeat one or
 * send one out of turn.  Nothing is settled: the request is on its way. */
struct vstamp_id cluster_client_id(uint32_t client);
void cluster_send_register(struct cluster *c, uint32_t client, uint64_t number, uint8_t to);
void cluster_send_op(struct cluster *c, uint32_t client, uint64_t session, uint64_t number,
                     uint8_t to, const struct kv_op *op);
struct cluster_answer cluster_answer(struct cluster *c, uint32_t client, uint64_t number,
                                     enum kv_verb verb); /* 0: of a registration */

/* To the replica `to`: replace the membership that `of` knows by these. */
void cluster_send_reconfigure(struct cluster *c, uint32_t client, uint64_t session,
                              uint64_t number, uint8_t to, const struct vr *of,
                              const uint8_t *members, uint8_t n);
/* Ask whoever leads, again and again, until the epoch is another one; then converge. */
bool cluster_move(struct cluster *c, uint32_t client, uint64_t session, uint64_t number,
                  const uint8_t *members, uint8_t n);

/* What came back for it, but for the epoch that a reply says. */
struct cluster_answer cluster_answer_to(const struct cluster *c, uint32_t client,
                                        uint64_t number);

/* All that came back to clients, in order. */
size_t cluster_n_answers(const struct cluster *c);
struct bytes cluster_nth_answer(const struct cluster *c, size_t n);

/* Any frame of a client; gives the newest answer to it, of no bytes if there is none.  It lives as
 * long as the cluster. */
struct bytes cluster_ask(struct cluster *c, uint8_t to, struct bytes frame);
struct bytes cluster_newest_answer(const struct cluster *c); /* to anyone; likewise */

/* The common cases: send to `to`, settle, and expect the answer (cmocka assertions). */
uint64_t cluster_register(struct cluster *c, uint32_t client, uint8_t to); /* gives the session */
int64_t cluster_incr(struct cluster *c, uint32_t client, uint64_t session, uint64_t number,
                     uint8_t to); /* key "n" by 1; gives the sum */
/* The same without an answer that is expected. */
void cluster_try_incr(struct cluster *c, uint32_t client, uint64_t session, uint64_t number,
                      uint8_t to);
struct kv_op cluster_incr_op(void);
/* The sum that a linearizable read at `to` gives, after letting `ms` pass; -1: no answer. */
int64_t cluster_read(struct cluster *c, uint8_t to, uint32_t ms);

#endif

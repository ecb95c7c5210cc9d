/* SPDX-License-Identifier: BSD-2-Clause */
/* State transfer (PROTOCOL section 4): the published loss by truncation step by step, and a story
 * for each further pitfall that is a rule of lib/vr/state_transfer.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "scenario/cluster_state.h"
#include "scenario/members.h"

static void incr_many(struct cluster *c, uint32_t client, uint64_t session, uint64_t from,
                      uint64_t to, uint8_t replica)
{
    for (uint64_t number = from; number <= to; number++) {
        cluster_incr(c, client, session, number, replica);
        cluster_run(c, 1);
    }
}

static void cut(struct cluster *c, int a, int b)
{
    cluster_drop(c, a, b, CLUSTER_ALL);
    cluster_drop(c, b, a, CLUSTER_ALL);
}

static void a_backup_that_missed_a_prepare_asks_for_it(void **unused)
{
    (void)unused;
    struct cluster *c = cluster_new(3, CLUSTER_MEMORY);
    uint64_t session = cluster_register(c, 1, 0);
    cluster_drop(c, 0, 2, WIRE_prepare);
    incr_many(c, 1, session, 1, 3, 0);
    cluster_clear_rules(c);
    cluster_run(c, 100);
    assert_int_equal(4, cluster_core(c, 2)->applied);
    cluster_free(c);
}

/* PIT-4.1, the trace of the published analysis.  R1 of the text is replica 1 here (primary of
 * views 1 and 4), R3 is replica 0 (primary of view 3), R2 is replica 2. Rule: nothing is removed,
 * and neither view nor log_view moves, before the later view's log is in hand. */
static void pit_4_1_a_replica_that_is_behind_keeps_its_log_until_it_has_a_better_one(void **unused)
{
    (void)unused;
    struct cluster *c = cluster_new(3, CLUSTER_MEMORY);
    uint64_t a = cluster_register(c, 1, 0), b = cluster_register(c, 2, 0);
    cluster_hand_over(c, 0);
    assert_true(cluster_converge(c));
    assert_int_equal(1, cluster_primary(c));

    /* 1. a is prepared at R1 and R2 and committed, the client told; R2 does not hear of the commit.
     * b is in R1's log only. */
    cluster_drop(c, 1, 0, WIRE_prepare);
    cluster_drop(c, CLUSTER_ALL, 0, WIRE_new_state);
    cluster_drop(c, 1, 2, WIRE_commit);
    assert_int_equal(1, cluster_incr(c, 1, a, 1, 1));
    cut(c, 1, 2), cut(c, 0, 2);
    cluster_try_incr(c, 2, b, 1, 1);
    uint64_t op_a = cluster_core(c, 2)->log.op;
    struct vstamp_id entry_a = log_last(&cluster_core(c, 2)->log)->checksum;
    assert_int_equal(op_a + 1, cluster_core(c, 1)->log.op);
    assert_int_equal(op_a - 1, cluster_core(c, 2)->commit);

    /* 2. R3 times out and goes, by way of view 2, to view 3, which it leads; R1 joins with [a, b].
     * R3 starts view 3; R1 does not hear of that and is taken on to view 4 by its own timer. */
    cluster_pass(c, CLUSTER_ALL, 0, WIRE_new_state);
    cluster_drop(c, 1, 0, WIRE_commit);
    cluster_drop(c, 0, 1, WIRE_start_view);
    cluster_drop(c, 0, 1, WIRE_commit);
    for (int i = 0; i < 3000 && !vr_is_primary(cluster_core(c, 0)); i++) cluster_run(c, 10);
    assert_int_equal(3, cluster_core(c, 0)->view);
    assert_int_equal(op_a + 1, cluster_core(c, 0)->log.op);
    assert_int_equal(1, cluster_core(c, 1)->log_view);

    /* 3. R2 hears of view 3 and is behind; the answer to its GET-STATE is lost. */
    struct wire_message heartbeat;
    cluster_run(c, 50);
    cluster_last_sent(c, 0, 2, WIRE_commit, &heartbeat);
    cluster_repeat(c, 0, 2, WIRE_commit, 0);
    assert_int_equal(VR_TRANSFER_VIEW, cluster_core(c, 2)->transfer.kind);
    assert_int_equal(1, cluster_core(c, 2)->log_view);
    assert_int_equal(op_a, cluster_core(c, 2)->log.op);

    /* 4. R3 is gone; R1 and R2 go to view 4.  a must be in its log. */
    cluster_crash(c, 0);
    cluster_clear_rules(c);
    assert_true(cluster_converge(c));
    assert_true(cluster_core(c, 1)->view >= 4);
    for (uint8_t i = 1; i < 3; i++) {
        const struct log_slot *slot = log_at(&cluster_core(c, i)->log, op_a);
        assert_true(vstamp_id_equal(entry_a, slot->header.checksum));
    }
    assert_true(cluster_read(c, cluster_primary(c), 100) >= 1);
    cluster_free(c);
}

/* Rule: an answer counts only for the newest question. */
static void pit_4_2_a_late_answer_of_an_earlier_view_is_not_taken(void **unused)
{
    (void)unused;
    struct cluster *c = cluster_new(3, CLUSTER_MEMORY);
    uint64_t session = cluster_register(c, 1, 0);
    cluster_run(c, 50);
    cluster_drop(c, 0, 2, WIRE_prepare);
    cluster_hold(c, CLUSTER_ALL, 2, WIRE_new_state); /* of view 0 */
    incr_many(c, 1, session, 1, 2, 0);
    cluster_run(c, 30);
    assert_int_equal(VR_TRANSFER_GAP, cluster_core(c, 2)->transfer.kind);
    cluster_clear_rules(c);
    cluster_hand_over(c, 0);
    assert_true(cluster_converge(c));
    incr_many(c, 1, session, 3, 4, 1);
    cluster_run(c, 50);
    const struct vr *core = cluster_core(c, 2);
    uint64_t op = core->log.op, view = core->view;
    assert_true(cluster_release(c, CLUSTER_ALL, 2, WIRE_new_state) > 0);
    assert_int_equal(op, core->log.op);
    assert_int_equal(view, core->view);
    assert_int_equal(view, core->log_view);
    assert_int_equal(VR_NORMAL, core->status);

    /* and while another question is open */
    cluster_drop(c, 1, 2, WIRE_prepare);
    cluster_hold(c, CLUSTER_ALL, 2, WIRE_new_state);
    incr_many(c, 1, session, 5, 6, 1);
    cluster_run(c, 30);
    uint64_t nonce = core->transfer.nonce;
    assert_int_equal(VR_TRANSFER_GAP, core->transfer.kind);
    cluster_run(c, 400); /* asked again, under another nonce */
    assert_int_not_equal(nonce, core->transfer.nonce);
    struct wire_new_state lie = {
        .nonce = nonce, .after = op, .op = op, .commit = op, .log_view = view};
    cluster_forge(c, core->transfer.peer, 2, view, &wire_shape_new_state, &lie);
    assert_int_equal(VR_TRANSFER_GAP, core->transfer.kind);
    assert_false(core->transfer.answered);
    cluster_clear_rules(c);
    cluster_release(c, CLUSTER_ALL, 2, WIRE_new_state);
    assert_true(cluster_converge(c));
    cluster_free(c);
}

/* Rule: in the own view a log only grows, since all in it was acknowledged. */
static void pit_4_3_what_was_acknowledged_stays_while_a_gap_is_filled(void **unused)
{
    (void)unused;
    struct cluster *c = cluster_new(3, CLUSTER_MEMORY);
    uint64_t session = cluster_register(c, 1, 0), other = cluster_register(c, 2, 0);
    cluster_run(c, 50);
    cluster_drop(c, 0, 1, CLUSTER_ALL); /* so the acknowledgements of 2 are what commits */
    cluster_drop(c, 0, 2, WIRE_commit);
    cluster_incr(c, 1, session, 1, 0);
    cluster_incr(c, 1, session, 2, 0); /* acknowledged by 2, which knows of the first only */
    assert_int_equal(4, cluster_core(c, 2)->log.op);
    assert_int_equal(3, cluster_core(c, 2)->commit);
    cluster_drop(c, 0, 2, WIRE_prepare);
    cluster_hold(c, CLUSTER_ALL, 2, WIRE_new_state);
    cluster_try_incr(c, 1, session, 3, 0); /* missed */
    cluster_pass(c, 0, 2, WIRE_prepare);
    cluster_try_incr(c, 2, other, 1, 0); /* so that this one shows the gap */
    assert_int_equal(VR_TRANSFER_GAP, cluster_core(c, 2)->transfer.kind);
    assert_int_equal(4, cluster_core(c, 2)->log.op);
    cluster_crash(c, 0);
    cluster_clear_rules(c);
    assert_true(cluster_converge(c));
    assert_true(cluster_read(c, cluster_primary(c), 100) >= 2);
    cluster_free(c);
}

/* Rule: a checkpoint is taken as a whole, client table and answers included. */
static void pit_4_4_a_fetched_checkpoint_brings_the_answers_along(void **unused)
{
    (void)unused;
    struct cluster *c = cluster_new(3, CLUSTER_MEMORY);
    cluster_isolate(c, 2);
    uint64_t session = cluster_register(c, 1, 0);
    incr_many(c, 1, session, 1, 100, 0); /* more than a log holds */
    cluster_clear_rules(c);
    assert_true(cluster_converge(c));
    assert_true(cluster_has_traced(c, 2, "fetched-checkpoint"));
    while (cluster_primary(c) != 2) {
        cluster_hand_over(c, cluster_primary(c));
        assert_true(cluster_converge(c));
    }
    assert_int_equal(100, cluster_incr(c, 1, session, 100, 2)); /* its cached answer */
    assert_int_equal(101, cluster_incr(c, 1, session, 101, 2));
    cluster_free(c);
}

static void put_many(struct cluster *c, uint64_t session, uint64_t from, uint64_t to)
{
    for (uint64_t number = from; number <= to; number++) {
        uint8_t key = (uint8_t)('a' + number % 8), value[2000] = {(uint8_t)number};
        struct kv_op op = {.verb = KV_PUT, .key = {&key, 1}, .value = {value, sizeof value}};
        cluster_send_op(c, 1, session, number, 0, &op);
        cluster_run(c, 1);
    }
}

static struct vstamp_id digest(const struct cluster *c, uint8_t replica)
{
    return pages_digest((struct pages *)&cluster_core(c, replica)->pages);
}

/* Rule: pages of two checkpoints are never mixed: when all have taken a newer one, its tree is
 * compared from the root on. */
static void pit_4_5_a_newer_checkpoint_is_compared_from_its_root_on(void **unused)
{
    (void)unused;
    struct cluster *c = cluster_new(3, CLUSTER_MEMORY);
    uint64_t session = cluster_register(c, 1, 0);
    cluster_run(c, 50);
    cluster_isolate(c, 2);
    put_many(c, session, 1, 80);
    cluster_clear_rules(c);
    cluster_drop(c, CLUSTER_ALL, 2, WIRE_pages);
    const struct vr *core = cluster_core(c, 2);
    for (int i = 0; i < 100 && !core->transfer.pages; i++) cluster_run(c, 1);
    uint32_t n_asked = cluster_count_sent(c, 2, CLUSTER_ALL, WIRE_get_pages);
    assert_true(n_asked >= 2);
    uint64_t older = core->fetch.anchor.op;
    put_many(c, session, 81, 100);
    assert_true(cluster_core(c, 0)->checkpoint_op > older);
    cluster_clear_rules(c);
    assert_true(cluster_converge(c));
    assert_true(cluster_has_traced(c, 2, "a newer checkpoint is the target"));
    assert_true(cluster_has_traced(c, 2, "fetched-checkpoint"));
    assert_true(core->checkpoint_op > older);
    assert_true(vstamp_id_equal(digest(c, 0), digest(c, 2)));
    cluster_free(c);
}

/* Rule: a checkpoint moves neither view nor log_view; they come with the log alone. */
static void pit_4_6_a_fetched_checkpoint_leaves_the_view_as_it_is(void **unused)
{
    (void)unused;
    struct cluster *c = cluster_new(3, CLUSTER_MEMORY);
    uint64_t session = cluster_register(c, 1, 0);
    cluster_run(c, 50);
    cluster_isolate(c, 2);
    incr_many(c, 1, session, 1, 50, 0);
    cluster_hand_over(c, 0);
    cluster_settle(c);
    incr_many(c, 1, session, 51, 100, 1);
    cluster_clear_rules(c);
    cluster_hold(c, CLUSTER_ALL, 2, WIRE_pages);
    for (int i = 0; i < 100 && !cluster_core(c, 2)->transfer.pages; i++) cluster_run(c, 1);
    cluster_clear_rules(c);
    cluster_drop(c, CLUSTER_ALL, 2, WIRE_new_state);
    cluster_release(c, CLUSTER_ALL, 2, WIRE_pages);
    assert_true(cluster_has_traced(c, 2, "fetched-checkpoint"));
    assert_true(cluster_core(c, 2)->applied > 50); /* of view 1 */
    assert_int_equal(0, cluster_core(c, 2)->view);
    assert_int_equal(0, cluster_core(c, 2)->log_view);
    cluster_clear_rules(c);
    assert_true(cluster_converge(c));
    assert_int_equal(1, cluster_core(c, 2)->log_view);
    cluster_free(c);
}

/* Rule: what is fetched is on disk before anything built on it is claimed to be. */
static void pit_4_7_a_fetched_checkpoint_is_stored_before_it_is_built_on(void **unused)
{
    (void)unused;
    struct cluster *c = cluster_new(3, CLUSTER_DISK);
    uint64_t session = cluster_register(c, 1, 0);
    cluster_run(c, 50);
    cluster_isolate(c, 2);
    incr_many(c, 1, session, 1, 100, 0);
    cluster_clear_rules(c);
    cluster_slow_disk(c, 2, true);
    uint32_t acks = cluster_count_sent(c, 2, 0, WIRE_prepare_ok);
    cluster_run(c, 1000);
    assert_true(cluster_has_traced(c, 2, "fetched-checkpoint"));
    assert_int_equal(acks, cluster_count_sent(c, 2, 0, WIRE_prepare_ok));
    cluster_crash(c, 2); /* still the state of before */
    cluster_slow_disk(c, 2, false);
    cluster_start(c, 2);
    assert_true(cluster_converge(c));
    cluster_crash(c, 0);
    assert_true(cluster_converge(c));
    assert_int_equal(101, cluster_incr(c, 1, session, 101, cluster_primary(c)));
    cluster_free(c);
}

/* Rule: what the old view commits while a later one is being fetched stays ours. */
static void an_old_view_may_go_on_while_a_later_one_is_fetched(void **unused)
{
    (void)unused;
    struct cluster *c = cluster_new(5, CLUSTER_MEMORY);
    uint64_t sessions[4];
    for (uint32_t i = 0; i < 4; i++) sessions[i] = cluster_register(c, i + 1, 0);
    cluster_run(c, 50);
    cluster_hold(c, 0, 2, CLUSTER_ALL);
    incr_many(c, 1, sessions[0], 1, 64, 0);
    cluster_drop(c, 0, 1, CLUSTER_ALL), cluster_drop(c, 0, 3, CLUSTER_ALL);
    cluster_drop(c, 0, 4, CLUSTER_ALL);
    cluster_try_incr(c, 1, sessions[0], 65, 0); /* these fill the log; nobody else has them */
    for (uint32_t i = 1; i < 4; i++) cluster_try_incr(c, i + 1, sessions[i], 1, 0);
    cluster_drop(c, CLUSTER_ALL, 0, CLUSTER_ALL);
    cluster_drop(c, 2, CLUSTER_ALL, CLUSTER_ALL), cluster_drop(c, CLUSTER_ALL, 2, CLUSTER_ALL);
    cluster_hold(c, 0, 2, WIRE_prepare);
    for (int i = 0; i < 300 && cluster_core(c, 1)->log_view == 0; i++) cluster_run(c, 10);
    assert_int_equal(1, cluster_core(c, 1)->log_view);
    assert_int_equal(0, cluster_core(c, 2)->view);

    cluster_pass(c, 1, 2, CLUSTER_ALL), cluster_pass(c, 2, 1, CLUSTER_ALL);
    cluster_hold(c, 1, 2, WIRE_new_state);
    cluster_run(c, 20);
    assert_int_equal(VR_TRANSFER_VIEW, cluster_core(c, 2)->transfer.kind);
    uint64_t asked_after = cluster_core(c, 2)->staging.op;
    assert_true(cluster_release(c, 0, 2, WIRE_prepare) > 0);
    assert_true(cluster_core(c, 2)->log.first > asked_after + 1);
    assert_true(cluster_release(c, 1, 2, WIRE_new_state) > 0);
    cluster_clear_rules(c);
    assert_true(cluster_converge(c));
    cluster_free(c);
}

/* Rule: what is replaced makes the room for what replaces it. */
static void a_full_log_takes_the_shorter_one_of_a_later_view(void **unused)
{
    (void)unused;
    struct cluster *c = cluster_new(3, CLUSTER_DISK);
    uint64_t sessions[4];
    for (uint32_t i = 0; i < 4; i++) sessions[i] = cluster_register(c, i + 1, 0);
    cluster_run(c, 50);
    cluster_slow_disk(c, 0, true); /* no checkpoint gets stored, so nothing leaves its log */
    incr_many(c, 1, sessions[0], 1, 56, 0);
    cluster_isolate(c, 0);
    cluster_try_incr(c, 1, sessions[0], 57, 0), cluster_try_incr(c, 2, sessions[1], 1, 0);
    cluster_try_incr(c, 3, sessions[2], 1, 0), cluster_try_incr(c, 4, sessions[3], 1, 0);
    const struct vr *old = cluster_core(c, 0);
    assert_int_equal(old->log.mask, old->log.op - old->log.first);
    assert_int_equal(4, old->log.op - old->commit);
    for (int i = 0; i < 300 && cluster_core(c, 1)->log_view == 0; i++) cluster_run(c, 10);
    cluster_drop(c, 1, 2, CLUSTER_ALL); /* so that it is not committed */
    cluster_try_incr(c, 1, sessions[0], 57, 1);
    assert_int_equal(60 + 1, cluster_core(c, 1)->log.op);

    cluster_pass(c, 1, 0, CLUSTER_ALL), cluster_pass(c, 0, 1, CLUSTER_ALL);
    cluster_run(c, 20);
    assert_int_equal(1, cluster_core(c, 0)->log_view);
    assert_int_equal(60 + 1, cluster_core(c, 0)->log.op);
    cluster_slow_disk(c, 0, false);
    cluster_clear_rules(c);
    assert_true(cluster_converge(c));
    cluster_free(c);
}

static void send_large(struct cluster *c, uint64_t session, uint64_t number, uint8_t to)
{
    static uint8_t value[CLUSTER_VALUE_MAX];
    struct kv_op op = {.verb = KV_PUT, .key = bytes_of("v"), .value = {value, sizeof value}};
    cluster_send_op(c, 1, session, number, to, &op);
    cluster_run(c, 1);
}

/* Rule: however far the log goes ahead while the disk is busy, the checkpoint is stored after. */
static void a_slow_disk_stores_a_checkpoint_when_it_is_done(void **unused)
{
    (void)unused;
    struct cluster *c = cluster_new(3, CLUSTER_DISK);
    uint64_t session = cluster_register(c, 1, 0);
    incr_many(c, 1, session, 1, 13, 0);
    cluster_slow_disk(c, 2, true);
    for (uint64_t number = 14; number <= 60; number++) send_large(c, session, number, 0);
    assert_true(cluster_core(c, 2)->checkpoint_storing);
    cluster_run(c, 50);
    cluster_slow_disk(c, 2, false);
    cluster_run(c, 1000);
    assert_false(cluster_core(c, 2)->checkpoint_storing);
    assert_true(cluster_converge(c));
    cluster_crash(c, 2);
    cluster_start(c, 2);
    assert_true(cluster_converge(c));
    cluster_free(c);
}

/* 1 gives its checkpoint up for one of 0 that never comes, and is then the only one from which 2,
 * which missed more than a log holds, can get the state; before that nothing commits.  How it comes
 * to ask for the pages is a shortcut: 0's word that its log does not reach back is forged.
 * Rule: who gave up its checkpoint for one that it did not get takes another. */
static void abort_a_fetch(enum cluster_mode mode)
{
    struct cluster *c = cluster_new(3, mode);
    uint64_t session = cluster_register(c, 1, 0);
    cluster_run(c, 50);
    cluster_isolate(c, 2);
    incr_many(c, 1, session, 1, 100, 0);
    cluster_drop(c, 0, 1, WIRE_prepare), cluster_drop(c, 0, 1, WIRE_new_state);
    cluster_try_incr(c, 1, session, 101, 0);
    cluster_run(c, 50);
    const struct vr *core = cluster_core(c, 1);
    assert_int_equal(VR_TRANSFER_GAP, core->transfer.kind);
    struct wire_new_state forged = {
        .nonce = core->transfer.nonce, .after = core->log.op, .op = 200, .commit = 200,
        .base = {.op = 150}};
    cluster_drop(c, 0, 1, CLUSTER_ALL);
    cluster_forge(c, core->transfer.peer, 1, 0, &wire_shape_new_state, &forged);
    assert_true(core->transfer.pages);
    cluster_crash(c, 0);
    cluster_clear_rules(c);
    assert_true(cluster_converge(c));
    assert_true(cluster_has_traced(c, 2, "fetched-checkpoint"));
    assert_int_equal(100, cluster_incr(c, 1, session, 100, cluster_primary(c)));
    cluster_free(c);
}

static void a_replica_whose_fetch_was_aborted_serves_pages_again(void **unused)
{
    (void)unused;
    abort_a_fetch(CLUSTER_MEMORY);
    abort_a_fetch(CLUSTER_DISK);
}

/* A replica is behind, and its log is full until a checkpoint is stored.  Rule: it asks for no more
 * than it can keep. */
static void who_has_no_room_asks_for_nothing(void **unused)
{
    (void)unused;
    static const uint8_t value[CLUSTER_VALUE_MAX];
    struct kv_op op = {.verb = KV_PUT, .key = bytes_of("k"), .value = {value, sizeof value}};
    struct cluster *c = cluster_new_blank(3, CLUSTER_DISK);
    for (uint8_t i = 0; i < 3; i++) {
        if (i == 2) c->members[i].config.log_bytes = 16384;
        c->members[i].config.transfer_mib_per_s = 1;
        cluster_start(c, i);
    }
    assert_true(cluster_converge(c));
    uint64_t session = cluster_register(c, 1, 0);
    cluster_slow_checkpoints(c, 2, true);
    cluster_isolate(c, 2);
    for (uint64_t number = 1; number <= 30; number++) {
        cluster_send_op(c, 1, session, number, 0, &op);
        cluster_settle(c);
    }
    cluster_clear_rules(c);
    cluster_run(c, 2000);
    assert_true(cluster_core(c, 2)->log.op < 16);
    assert_in_range(cluster_count_sent(c, 2, CLUSTER_ALL, WIRE_get_state), 1, 30);
    cluster_slow_checkpoints(c, 2, false);
    assert_true(cluster_converge(c));
    cluster_free(c);
}

/* 1 has mended an entry, and so has a checkpoint sooner than the others; its log begins there.  2
 * was told so, and 1 has died since: 0 has no checkpoint yet, but its log is whole.
 * Rule: where nobody is known to hold a checkpoint entries are asked for again (F5). */
static void entries_are_asked_for_where_nobody_has_a_checkpoint(void **unused)
{
    (void)unused;
    struct cluster *c = cluster_new(3, CLUSTER_DISK);
    uint64_t session = cluster_register(c, 1, 0);
    cluster_run(c, 50);
    cluster_drop(c, 0, 2, WIRE_prepare), cluster_drop(c, 0, 2, WIRE_new_state);
    incr_many(c, 1, session, 1, 7, 0);
    for (int again = 0; again < 2; again++) {
        cluster_crash(c, 1);
        if (!again) cluster_rot(c, 1, 5);
        cluster_hold(c, 1, 2, WIRE_new_state);
        cluster_start(c, 1);
        cluster_run(c, 1000);
        assert_int_equal(VR_NORMAL, cluster_core(c, 1)->status);
    }
    assert_int_equal(6, cluster_core(c, 1)->log.base.op);
    const struct vr *core = cluster_core(c, 2);
    cluster_pass(c, 1, 2, WIRE_new_state), cluster_hold(c, 1, 2, WIRE_tree);
    for (int i = 0; i < 1000 && !core->transfer.pages; i++) cluster_run(c, 1);
    assert_true(core->transfer.pages);
    cluster_crash(c, 1);
    assert_int_equal(0, cluster_core(c, 0)->checkpoint_op);
    cluster_clear_rules(c);
    assert_true(cluster_converge(c));
    assert_int_equal(0, cluster_primary(c));
    assert_int_equal(8, core->applied);
    cluster_free(c);
}

/* A machine that died is replaced: it is a member still, and may be drawn. */
static void a_member_to_be_asks_all_where_some_are_silent(void **state)
{
    (void)state;
    struct group g = group_of_three(CLUSTER_MEMORY);
    struct cluster *c = g.c;
    for (uint64_t i = 1; i <= 40; i++) cluster_incr(c, 1, g.session, i, 0);
    cluster_run(c, 100);
    cluster_add(c, LIST(0, 1, 3));
    cluster_drop(c, 3, 1, WIRE_get_state);
    cluster_drop(c, 3, 2, WIRE_get_state);
    ask(&g, 1, 0, LIST(0, 1, 3));
    cluster_run(c, 3 * 200);
    assert_int_equal(cluster_core(c, 3)->epoch, 1);
    assert_in_range(cluster_count_sent(c, 3, CLUSTER_ALL, WIRE_get_state), 2, 5);
    cluster_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_backup_that_missed_a_prepare_asks_for_it),
        cmocka_unit_test(pit_4_1_a_replica_that_is_behind_keeps_its_log_until_it_has_a_better_one),
        cmocka_unit_test(pit_4_2_a_late_answer_of_an_earlier_view_is_not_taken),
        cmocka_unit_test(pit_4_3_what_was_acknowledged_stays_while_a_gap_is_filled),
        cmocka_unit_test(pit_4_4_a_fetched_checkpoint_brings_the_answers_along),
        cmocka_unit_test(pit_4_5_a_newer_checkpoint_is_compared_from_its_root_on),
        cmocka_unit_test(pit_4_6_a_fetched_checkpoint_leaves_the_view_as_it_is),
        cmocka_unit_test(pit_4_7_a_fetched_checkpoint_is_stored_before_it_is_built_on),
        cmocka_unit_test(an_old_view_may_go_on_while_a_later_one_is_fetched),
        cmocka_unit_test(a_full_log_takes_the_shorter_one_of_a_later_view),
        cmocka_unit_test(a_replica_whose_fetch_was_aborted_serves_pages_again),
        cmocka_unit_test(a_slow_disk_stores_a_checkpoint_when_it_is_done),
        cmocka_unit_test(who_has_no_room_asks_for_nothing),
        cmocka_unit_test(entries_are_asked_for_where_nobody_has_a_checkpoint),
        cmocka_unit_test(a_member_to_be_asks_all_where_some_are_silent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

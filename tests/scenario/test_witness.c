/* SPDX-License-Identifier: BSD-2-Clause */
/* Witnesses (PROTOCOL section 7.1): a story for each of its pitfalls, and for each rule of
 * lib/vr/witness.c.  Mostly A = replica 0 and B = replica 1 are active, W = replica 2 is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "scenario/cluster.h"

enum { A, B, W };

static void incr_many(struct cluster *c, uint64_t session, uint64_t from, uint64_t to)
{
    for (uint64_t number = from; number <= to; number++) {
        cluster_incr(c, 1, session, number, cluster_primary(c));
        cluster_run(c, 1);
    }
}

/* B hears nothing any more, and the group goes on for `more` operations. */
static void go_on_without_b(struct cluster *c, uint64_t session, uint64_t from, uint64_t more)
{
    cluster_run(c, 50);
    cluster_crash(c, B);
    incr_many(c, session, from, from + more - 1);
    cluster_run(c, 100);
}

static void lose_disk(struct cluster *c, uint8_t replica)
{
    cluster_crash(c, replica);
    cluster_wipe(c, replica);
}

static void a_witness_makes_the_quorum_and_executes_nothing(void **unused)
{
    (void)unused;
    struct cluster *c = cluster_new(3, CLUSTER_DISK | CLUSTER_WITNESS(W));
    uint64_t session = cluster_register(c, 1, A);
    go_on_without_b(c, session, 1, 5);
    const struct vr *core = cluster_core(c, W);
    assert_int_equal(6, core->log.op);
    assert_int_equal(6, core->applied);
    assert_int_equal(0, core->pages.n_used);
    assert_int_equal(client_table_count(core->clients), 0);
    assert_int_equal(5, cluster_read(c, A, 50));
    cluster_free(c);
}

/* Rule W2: registrations, operations and reads of every kind. */
static void a_witness_refuses_requests_and_reads_in_words(void **unused)
{
    (void)unused;
    struct cluster *c = cluster_new(3, CLUSTER_MEMORY | CLUSTER_WITNESS(W));
    uint64_t session = cluster_register(c, 1, A);
    struct kv_op op = cluster_incr_op();
    cluster_send_op(c, 1, session, 1, W, &op);
    cluster_settle(c);
    assert_int_equal(WIRE_REJECT_WITNESS, cluster_answer(c, 1, 1, KV_INCR).reason);
    assert_int_equal(-1, cluster_read(c, W, 50));
    assert_true(cluster_has_traced(c, W, "a client asks a witness"));
    assert_int_equal(1, cluster_incr(c, 1, session, 1, A));
    cluster_free(c);
}

/* B is down; A and W commit; A's disk dies.  B and W are a quorum, and must have all of it. */
static void pit_7_1_a_witness_keeps_what_an_active_replica_lacks(void **unused)
{
    (void)unused;
    struct cluster *c = cluster_new(3, CLUSTER_DISK | CLUSTER_WITNESS(W));
    uint64_t session = cluster_register(c, 1, A);
    incr_many(c, session, 1, 10);
    go_on_without_b(c, session, 11, 30); /* A takes checkpoints meanwhile */
    assert_true(cluster_core(c, A)->checkpoint_op >= 32);
    assert_true(cluster_core(c, W)->checkpoint_op <= 11);
    assert_false(vr_witness_is_exposed(cluster_core(c, W)));
    lose_disk(c, A);
    cluster_start(c, B);
    assert_true(cluster_converge(c));
    assert_int_equal(B, cluster_primary(c));
    assert_int_equal(40, cluster_read(c, B, 100));
    cluster_start(c, A); /* and from those two A comes back */
    assert_true(cluster_converge(c));
    assert_int_equal(40, cluster_core(c, A)->commit - 1);
    cluster_free(c);
}

/* Once every active replica holds them, entries go. */
static void a_witness_forgets_what_all_active_replicas_hold(void **unused)
{
    (void)unused;
    struct cluster *c = cluster_new(3, CLUSTER_DISK | CLUSTER_WITNESS(W));
    uint64_t session = cluster_register(c, 1, A);
    incr_many(c, session, 1, 200);
    cluster_run(c, 50);
    const struct vr *core = cluster_core(c, W);
    assert_true(core->checkpoint_op > 100);
    assert_true(core->checkpoint_op <= core->held);
    assert_false(cluster_has_traced(c, W, "witness-exposed"));
    cluster_crash(c, W); /* its own disk gives back what it held */
    cluster_start(c, W);
    assert_int_equal(201, cluster_core(c, W)->log.op);
    assert_true(cluster_core(c, W)->log.first > 100);
    assert_true(cluster_converge(c));
    cluster_free(c);
}

/* Rule W4: the log is full, B is away.  The group goes on, W says what that costs, and B catches
 * up from A. */
static struct cluster *with_an_exposed_witness(uint64_t *session)
{
    struct cluster *c = cluster_new(3, CLUSTER_DISK | CLUSTER_WITNESS(W));
    *session = cluster_register(c, 1, A);
    incr_many(c, *session, 1, 10);
    go_on_without_b(c, *session, 11, 100);
    assert_int_equal(110, cluster_read(c, A, 50));
    assert_true(vr_witness_is_exposed(cluster_core(c, W)));
    assert_true(cluster_has_traced(c, W, "witness-exposed"));
    return c;
}

static void pit_7_1_an_exposed_witness_is_safe_again_when_all_have_caught_up(void **unused)
{
    (void)unused;
    uint64_t session;
    struct cluster *c = with_an_exposed_witness(&session);
    cluster_start(c, B);
    assert_true(cluster_converge(c));
    cluster_run(c, 50);
    assert_false(vr_witness_is_exposed(cluster_core(c, W)));
    lose_disk(c, A);
    assert_true(cluster_converge(c));
    assert_int_equal(110, cluster_read(c, B, 100));
    cluster_free(c);
}

/* The other half: what W had to forget is lost with A's disk.  B and W must not serve without. */
static void pit_7_1_without_what_was_forgotten_the_group_waits(void **unused)
{
    (void)unused;
    uint64_t session;
    struct cluster *c = with_an_exposed_witness(&session);
    lose_disk(c, A);
    cluster_start(c, B);
    cluster_start(c, A);
    cluster_run(c, 5000);
    assert_true(cluster_has_traced(c, B, "a witness has forgotten what is asked for"));
    char waits[160];
    assert_non_null(strstr(vr_waiting_for(cluster_core(c, B), waits, sizeof waits), "a witness"));
    assert_int_equal(-1, cluster_read(c, B, 100));
    for (uint8_t i = A; i <= W; i++) assert_int_not_equal(VR_NORMAL, cluster_core(c, i)->status);
    assert_true(cluster_core(c, B)->commit < 20);
    cluster_free(c);
}

/* If A only crashed, all is there when it is back. */
static void what_an_exposed_witness_forgot_comes_back_with_the_other_disk(void **unused)
{
    (void)unused;
    uint64_t session;
    struct cluster *c = with_an_exposed_witness(&session);
    cluster_crash(c, A);
    cluster_start(c, B);
    cluster_run(c, 3000);
    assert_int_not_equal(VR_NORMAL, cluster_core(c, B)->status);
    cluster_start(c, A);
    assert_true(cluster_converge(c));
    assert_int_equal(110, cluster_read(c, cluster_primary(c), 100));
    cluster_run(c, 100);
    assert_false(vr_witness_is_exposed(cluster_core(c, W)));
    cluster_free(c);
}

/* W misses a PREPARE: the next one does not count at A before W has the first, too. */
static void pit_7_2_a_witness_acknowledges_nothing_without_what_precedes_it(void **unused)
{
    (void)unused;
    struct cluster *c = cluster_new(3, CLUSTER_MEMORY | CLUSTER_WITNESS(W));
    uint64_t first = cluster_register(c, 1, A), second = cluster_register(c, 2, A);
    struct kv_op op = cluster_incr_op();
    cluster_run(c, 50);
    cluster_crash(c, B);
    cluster_drop(c, A, W, WIRE_prepare);
    cluster_send_op(c, 1, first, 1, A, &op);
    cluster_settle(c);
    cluster_pass(c, A, W, WIRE_prepare);
    cluster_hold(c, A, W, WIRE_new_state);
    uint32_t acks = cluster_count_sent(c, W, A, WIRE_prepare_ok);
    cluster_send_op(c, 2, second, 1, A, &op);
    cluster_run(c, 50);
    assert_true(cluster_has_traced(c, W, "shows that one before it was lost"));
    assert_int_equal(acks, cluster_count_sent(c, W, A, WIRE_prepare_ok));
    assert_int_equal(2, cluster_core(c, W)->log.op);
    assert_int_equal(2, cluster_core(c, A)->commit);
    cluster_release(c, A, W, WIRE_new_state);
    cluster_settle(c);
    assert_int_equal(4, cluster_core(c, W)->log.op);
    assert_int_equal(4, cluster_core(c, A)->commit);
    cluster_free(c);
}

/* W was away for so long that A's log does not reach back to it.  It goes on where A's log begins
 * (W5), and acknowledges that only once its disk has it. */
static void a_witness_that_is_far_behind_skips_what_all_have(void **unused)
{
    (void)unused;
    struct cluster *c = cluster_new(3, CLUSTER_DISK | CLUSTER_WITNESS(W));
    uint64_t session = cluster_register(c, 1, A);
    cluster_crash(c, W);
    incr_many(c, session, 1, 150);
    cluster_hold(c, A, W, WIRE_new_state);
    cluster_start(c, W);
    cluster_run(c, 20); /* until it is let in */
    cluster_slow_disk(c, W, true);
    cluster_release(c, A, W, WIRE_new_state);
    cluster_run(c, 200);
    assert_true(cluster_has_traced(c, W, "goes on after what the peer's log begins with"));
    assert_int_equal(1, cluster_core(c, A)->acked_op[W]); /* what it held before */
    cluster_slow_disk(c, W, false);
    assert_true(cluster_converge(c));
    assert_true(cluster_core(c, W)->log.first > 80);
    cluster_crash(c, B);
    incr_many(c, session, 151, 155);
    cluster_crash(c, W); /* what it skipped to is on its disk */
    cluster_start(c, W);
    assert_int_equal(156, cluster_core(c, W)->log.op);
    assert_true(cluster_converge(c));
    cluster_free(c);
}

static void a_blank_witness_recovers_without_a_state(void **unused)
{
    (void)unused;
    struct cluster *c = cluster_new(3, CLUSTER_DISK | CLUSTER_WITNESS(W));
    uint64_t session = cluster_register(c, 1, A);
    incr_many(c, session, 1, 150);
    lose_disk(c, W);
    cluster_start(c, W);
    assert_true(cluster_converge(c));
    assert_int_equal(0, cluster_count_sent(c, W, CLUSTER_ALL, WIRE_get_pages));
    cluster_crash(c, B);
    incr_many(c, session, 151, 155);
    cluster_free(c);
}

/* A blank active replica asks the witness next if the primary does not answer: it learns nothing
 * there, and has its state from the primary in the end. */
static void a_blank_active_replica_has_its_pages_from_an_active_one(void **unused)
{
    (void)unused;
    struct cluster *c = cluster_new(3, CLUSTER_DISK | CLUSTER_WITNESS(W));
    uint64_t session = cluster_register(c, 1, A);
    incr_many(c, session, 1, 150);
    lose_disk(c, B);
    cluster_drop(c, A, B, WIRE_new_state);
    cluster_start(c, B);
    cluster_run(c, 1000);
    assert_true(cluster_has_traced(c, B, "a witness has forgotten what is asked for"));
    assert_int_not_equal(VR_NORMAL, cluster_core(c, B)->status);
    cluster_clear_rules(c);
    assert_true(cluster_converge(c));
    assert_int_equal(0, cluster_count_sent(c, B, W, WIRE_get_pages));
    assert_true(cluster_has_traced(c, B, "fetched-checkpoint"));
    cluster_free(c);
}

/* Two witnesses, W and V.  W has forgotten, while it was exposed, what B lacks, and V has that, and
 * not the end of the log.  Rule W6: B begins its view with what the two have together, though the
 * other active replicas are down. */
static void two_witnesses_have_the_log_together(void **unused)
{
    (void)unused;
    enum { C = 3, V = 4 };
    struct cluster *c = cluster_new(5, CLUSTER_DISK | CLUSTER_WITNESS(W) | CLUSTER_WITNESS(V));
    uint64_t session = cluster_register(c, 1, A), n = 1;
    const struct vr *forgets = cluster_core(c, W), *keeps = cluster_core(c, V);
    cluster_run(c, 50);
    cluster_isolate(c, B);
    cluster_crash(c, C);
    while (forgets->log.op < 45) assert_int_equal(n, cluster_incr(c, 1, session, n, A)), n++;
    cluster_run(c, 50);
    cluster_start(c, C);
    cluster_run(c, 100);
    cluster_isolate(c, V);
    for (; !vr_witness_is_exposed(forgets); n++)
        assert_int_equal(n, cluster_incr(c, 1, session, n, A));
    cluster_run(c, 50);
    cluster_crash(c, W); /* which drops from its memory what it has forgotten */
    cluster_start(c, W);
    cluster_run(c, 100);
    forgets = cluster_core(c, W);
    assert_true(forgets->log.base.op > cluster_core(c, B)->log.op);
    assert_true(keeps->log.op >= forgets->log.base.op && keeps->log.op < forgets->log.op);
    cluster_crash(c, A);
    cluster_crash(c, C);
    cluster_clear_rules(c);
    assert_true(cluster_converge(c));
    assert_int_equal(n, cluster_incr(c, 1, session, n, B));
    cluster_free(c);
}

static void lead_in_turn(uint8_t witness, uint32_t views)
{
    struct cluster *c = cluster_new(3, CLUSTER_MEMORY | CLUSTER_WITNESS(witness));
    uint8_t last = witness;
    for (uint32_t i = 0; i < views; i++) {
        uint8_t primary = cluster_primary(c);
        assert_int_not_equal(witness, primary);
        assert_int_not_equal(last, primary);
        last = primary;
        cluster_hand_over(c, primary);
        cluster_settle(c);
    }
    assert_true(cluster_converge(c));
    assert_int_equal(views, cluster_core(c, witness)->view);
    cluster_free(c);
}

/* Wherever it stands in the list. */
static void pit_7_3_no_witness_leads_a_view(void **unused)
{
    (void)unused;
    for (uint8_t witness = 0; witness < 3; witness++) lead_in_turn(witness, 340);
}

static void pit_7_4_one_active_replica_and_the_witnesses_serve(void **unused)
{
    (void)unused;
    struct cluster *c = cluster_new(5, CLUSTER_DISK | CLUSTER_WITNESS(1) | CLUSTER_WITNESS(3));
    uint64_t session = cluster_register(c, 1, 0);
    incr_many(c, session, 1, 3);
    cluster_crash(c, 0);
    cluster_crash(c, 2);
    assert_true(cluster_converge(c));
    assert_int_equal(4, cluster_primary(c));
    incr_many(c, session, 4, 6);
    assert_int_equal(6, cluster_read(c, 4, 50));
    cluster_free(c);
}

static void pit_7_4_witnesses_alone_elect_nobody(void **unused)
{
    (void)unused;
    struct cluster *c = cluster_new(5, CLUSTER_DISK | CLUSTER_WITNESS(1) | CLUSTER_WITNESS(3));
    uint64_t session = cluster_register(c, 1, 0);
    incr_many(c, session, 1, 3);
    uint64_t view = cluster_core(c, 1)->view;
    cluster_crash(c, 0), cluster_crash(c, 2), cluster_crash(c, 4);
    cluster_run(c, 5000);
    for (uint8_t i = 1; i <= 3; i += 2) {
        assert_int_equal(view, cluster_core(c, i)->view);
        assert_false(vr_is_primary(cluster_core(c, i)));
        assert_int_equal(4, cluster_core(c, i)->log.op);
    }
    cluster_start(c, 2);
    assert_true(cluster_converge(c));
    assert_int_equal(3, cluster_read(c, cluster_primary(c), 100));
    cluster_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_witness_makes_the_quorum_and_executes_nothing),
        cmocka_unit_test(a_witness_refuses_requests_and_reads_in_words),
        cmocka_unit_test(pit_7_1_a_witness_keeps_what_an_active_replica_lacks),
        cmocka_unit_test(a_witness_forgets_what_all_active_replicas_hold),
        cmocka_unit_test(pit_7_1_an_exposed_witness_is_safe_again_when_all_have_caught_up),
        cmocka_unit_test(pit_7_1_without_what_was_forgotten_the_group_waits),
        cmocka_unit_test(what_an_exposed_witness_forgot_comes_back_with_the_other_disk),
        cmocka_unit_test(pit_7_2_a_witness_acknowledges_nothing_without_what_precedes_it),
        cmocka_unit_test(a_witness_that_is_far_behind_skips_what_all_have),
        cmocka_unit_test(a_blank_witness_recovers_without_a_state),
        cmocka_unit_test(a_blank_active_replica_has_its_pages_from_an_active_one),
        cmocka_unit_test(two_witnesses_have_the_log_together),
        cmocka_unit_test(pit_7_3_no_witness_leads_a_view),
        cmocka_unit_test(pit_7_4_one_active_replica_and_the_witnesses_serve),
        cmocka_unit_test(pit_7_4_witnesses_alone_elect_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* Witnesses in a membership that changes (lib/vr/witness.c, lib/vr/epoch.c) as stories. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "scenario/members.h"

/* 6.1: a witness stays, moves to another index, and is replaced by another one. */
static void witnesses_come_and_go_in_mode(int mode)
{
    struct group g = group_of_three(mode | CLUSTER_WITNESS(2) | CLUSTER_WITNESS(4));
    struct cluster *c = g.c;
    uint64_t n = 0;
    for (; n < 40; n++)
        assert_int_equal(cluster_incr(c, 1, g.session, n + 1, cluster_primary(c)), n + 1);
    cluster_add(c, LIST(2, 1, 3));
    assert_true(cluster_move(c, 2, g.admin, 1, LIST(2, 1, 3)));
    assert_int_equal(cluster_core(c, 1)->config.witnesses, 1);
    assert_true(vr_is_witness(cluster_core(c, 2)));
    for (; n < 80; n++)
        assert_int_equal(cluster_incr(c, 1, g.session, n + 1, cluster_primary(c)), n + 1);
    cluster_add(c, LIST(1, 3, 4));
    assert_true(cluster_move(c, 2, g.admin, 2, LIST(1, 3, 4)));
    assert_true(vr_is_witness(cluster_core(c, 4)));
    assert_false(cluster_is_up(c, 2));
    for (; n < 120; n++)
        assert_int_equal(cluster_incr(c, 1, g.session, n + 1, cluster_primary(c)), n + 1);
    cluster_crash(c, cluster_primary(c));
    cluster_run(c, 2000);
    assert_int_equal(cluster_incr(c, 1, g.session, n + 1, cluster_primary(c)), n + 1);
    cluster_free(c);
}

static void witnesses_come_and_go(void **state)
{
    (void)state;
    witnesses_come_and_go_in_mode(CLUSTER_MEMORY);
    witnesses_come_and_go_in_mode(CLUSTER_DISK);
}

/* 6.1, W7: two change their parts at once.  Who was a witness has the state before it is active,
 * and who was active gives it back. */
static void roles_change_in_mode(int mode)
{
    struct cluster *c = cluster_new(3, mode | CLUSTER_WITNESS(2));
    struct group g = {.c = c, .session = cluster_register(c, 1, cluster_primary(c))};
    g.admin = cluster_register(c, 2, cluster_primary(c));
    uint64_t value = 0;
    for (int i = 0; i < 40; i++) value = cluster_incr(c, 1, g.session, value + 1, 0);
    assert_true(cluster_core(c, 2)->bare);
    cluster_set_witnesses(c, 1u << 1);
    ask(&g, 1, cluster_primary(c), LIST(0, 1, 2));
    cluster_run(c, 1000);
    for (uint8_t i = 0; i < 3; i++) assert_int_equal(cluster_core(c, i)->epoch, 1);
    assert_true(cluster_has_traced(c, 2, "fetched-checkpoint"));
    assert_true(cluster_has_traced(c, 1, "a witness gives its state back"));
    assert_true(cluster_core(c, 1)->bare && vr_is_witness(cluster_core(c, 1)));
    assert_int_equal(cluster_core(c, 1)->pages.n_used, 0);
    assert_false(cluster_core(c, 2)->bare || vr_is_witness(cluster_core(c, 2)));
    cluster_crash(c, 0);
    cluster_run(c, 1000);
    uint8_t primary = cluster_primary(c);
    assert_int_equal(primary, 2);
    assert_int_equal(cluster_incr(c, 1, g.session, value + 1, primary), value + 1);
    if (mode == CLUSTER_DISK) { /* the journal knows, whatever the configuration says */
        for (uint8_t i = 1; i < 3; i++) cluster_crash(c, i);
        for (uint8_t i = 0; i < 3; i++) cluster_start(c, i);
        assert_true(cluster_converge(c));
        assert_true(cluster_core(c, 1)->bare);
        assert_false(cluster_core(c, 2)->bare);
        primary = cluster_primary(c);
        assert_int_equal(cluster_incr(c, 1, g.session, value + 2, primary), value + 2);
        cluster_set_witnesses(c, 1u << 2);
        ask(&g, 2, cluster_primary(c), LIST(0, 1, 2));
        cluster_run(c, 1000);
        assert_false(cluster_core(c, 1)->bare);
        assert_true(cluster_core(c, 2)->bare);
    }
    cluster_free(c);
}

static void members_change_their_parts(void **state)
{
    (void)state;
    roles_change_in_mode(CLUSTER_MEMORY);
    roles_change_in_mode(CLUSTER_DISK);
}

/* W7: who misses the warming up, and is told of the epoch, is transitioning until it has the state;
 * who was active gives it, though a witness now. */
static void a_witness_that_slept_is_active_once_it_has_the_state(void **state)
{
    (void)state;
    struct group g = group_of_three(CLUSTER_DISK);
    struct cluster *c = g.c;
    cluster_set_witnesses(c, 1u << 2);
    ask(&g, 1, cluster_primary(c), LIST(0, 1, 2));
    cluster_run(c, 1000);
    assert_true(cluster_core(c, 2)->bare);
    uint64_t value = 0;
    for (int i = 0; i < 30; i++)
        value = cluster_incr(c, 1, g.session, value + 1, cluster_primary(c));
    cluster_set_witnesses(c, 0);
    cluster_drop(c, 2, cluster_primary(c), WIRE_learned);
    ask(&g, 2, cluster_primary(c), LIST(0, 1, 2));
    cluster_run(c, 500);
    assert_int_equal(cluster_core(c, 0)->epoch, 1); /* nobody knows that it has it */
    cluster_clear_rules(c);
    cluster_run(c, 1000);
    for (uint8_t i = 0; i < 3; i++) assert_int_equal(cluster_core(c, i)->epoch, 2);
    assert_false(cluster_core(c, 2)->bare);
    cluster_free(c);
}

/* W7: one that slept and stays active may find nobody who has the state but who has become a
 * witness; that one has not given it back yet. */
static void who_slept_has_the_state_from_who_is_a_witness_now(void **state)
{
    (void)state;
    struct group g = group_of_three(CLUSTER_DISK);
    struct cluster *c = g.c;
    uint64_t value = 0;
    cluster_crash(c, 2);
    while (value < 100) value = cluster_incr(c, 1, g.session, value + 1, 0);
    cluster_set_witnesses(c, 1u << 0);
    ask(&g, 1, 0, LIST(0, 1, 2));
    cluster_run(c, 1000);
    assert_int_equal(cluster_core(c, 0)->epoch, 1);
    assert_true(vr_is_witness(cluster_core(c, 0)));
    cluster_crash(c, 1);
    cluster_start(c, 2);
    cluster_run(c, 5000);
    assert_true(cluster_has_traced(c, 2, "fetched-checkpoint"));
    assert_int_equal(cluster_primary(c), 2);
    assert_int_equal(cluster_incr(c, 1, g.session, value + 1, 2), value + 1);
    cluster_free(c);
}

/* W7: the state that a witness fetches may be ahead of its log, when that was cut off meanwhile.
 * It is not taken: what the witness holds for the others stays as it is, and comes first. */
static void what_a_witness_holds_comes_before_the_state(void **state)
{
    (void)state;
    struct cluster *c = cluster_new(3, CLUSTER_DISK | CLUSTER_WITNESS(2));
    struct group g = {.c = c, .session = cluster_register(c, 1, 0)};
    g.admin = cluster_register(c, 2, 0);
    int64_t value = 0;
    while (value < 5) value = cluster_incr(c, 1, g.session, (uint64_t)value + 1, 0);
    cluster_run(c, 100);
    cluster_hold(c, 2, CLUSTER_ALL, WIRE_get_tree);
    cluster_set_witnesses(c, 0);
    ask(&g, 1, 0, LIST(0, 1, 2));
    cluster_run(c, 20);
    cluster_drop(c, CLUSTER_ALL, 2, WIRE_prepare);
    cluster_drop(c, CLUSTER_ALL, 2, WIRE_commit);
    while (value < 45) value = cluster_incr(c, 1, g.session, (uint64_t)value + 1, 0);
    uint64_t held = cluster_core(c, 2)->log.op;
    assert_true(cluster_core(c, 0)->checkpoint_op > held);
    assert_true(cluster_release(c, 2, CLUSTER_ALL, WIRE_get_tree) > 0);
    cluster_pass(c, 2, CLUSTER_ALL, WIRE_get_tree);
    cluster_settle(c);
    assert_true(cluster_has_traced(c, 2, "the log comes first"));
    assert_true(cluster_core(c, 2)->bare);
    assert_int_equal(cluster_core(c, 2)->log.op, held);
    cluster_clear_rules(c);
    cluster_run(c, 1000);
    for (uint8_t i = 0; i < 3; i++) assert_int_equal(cluster_core(c, i)->epoch, 1);
    assert_false(cluster_core(c, 2)->bare);
    assert_true(cluster_converge(c));
    cluster_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(witnesses_come_and_go),
        cmocka_unit_test(members_change_their_parts),
        cmocka_unit_test(a_witness_that_slept_is_active_once_it_has_the_state),
        cmocka_unit_test(who_slept_has_the_state_from_who_is_a_witness_now),
        cmocka_unit_test(what_a_witness_holds_comes_before_the_state),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

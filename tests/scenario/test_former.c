/* SPDX-License-Identifier: BSD-2-Clause */
/* Replaced replicas that come back late: a story for each rule of lib/vr/former.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "scenario/members.h"
#include "vr/rooms.h"

/* All members are replaced by others while replica 2 is away. */
static struct group group_replaced_without_2(void)
{
    struct group g = group_of_three(CLUSTER_DISK);
    cluster_crash(g.c, 2);
    for (int i = 0; i < 3; i++) cluster_add(g.c, LIST(3, 4, 5));
    assert_true(cluster_move(g.c, 2, g.admin, 1, LIST(3, 4, 5)));
    return g;
}

/* Of the members that it knows nobody is left when it comes back. */
static void who_slept_until_all_it_knew_had_ended_is_told(void **state)
{
    (void)state;
    struct group g = group_replaced_without_2();
    struct cluster *c = g.c;
    for (uint8_t i = 0; i < 3; i++) assert_false(cluster_is_up(c, i));
    cluster_run(c, 60000);
    cluster_start(c, 2);
    cluster_run(c, 3000);
    assert_false(cluster_is_up(c, 2));
    cluster_start(c, 2); /* its folder says so now */
    assert_true(cluster_core(c, 2)->retired);
    cluster_free(c);
}

/* Z4: what is said when a connection comes up may be lost, and it stays up. */
static void who_misses_the_greeting_is_greeted_again(void **state)
{
    (void)state;
    struct group g = group_replaced_without_2();
    struct cluster *c = g.c;
    cluster_run(c, 2000);
    cluster_drop(c, CLUSTER_ALL, 2, WIRE_epoch_started);
    cluster_start(c, 2);
    cluster_run(c, 500);
    assert_true(cluster_is_up(c, 2));
    cluster_clear_rules(c);
    cluster_run(c, 15000);
    assert_false(cluster_is_up(c, 2));
    cluster_free(c);
}

static void restart_all(struct cluster *c, const uint8_t *members, uint8_t n)
{
    for (uint8_t i = 0; i < n; i++) cluster_crash(c, members[i]);
    for (uint8_t i = 0; i < n; i++) cluster_start(c, members[i]);
    assert_true(cluster_converge(c));
}

/* The same, epochs later, and none of the members has seen the group that it knows; they all have
 * started anew since (Z1).  Then nobody looks for it any more, nor for those who ended before (Z2),
 * not even one that was away when it ended. */
static void who_slept_through_groups_of_others_is_told(void **state)
{
    (void)state;
    struct group g = group_replaced_without_2();
    struct cluster *c = g.c;
    for (int i = 0; i < 3; i++) cluster_add(c, LIST(6, 7, 8));
    assert_true(cluster_move(c, 2, g.admin, 2, LIST(6, 7, 8)));
    for (uint8_t i = 0; i < 6; i++) assert_false(i != 2 && cluster_is_up(c, i));
    restart_all(c, LIST(6, 7, 8));
    cluster_run(c, 60000);
    for (uint8_t i = 6; i < 9; i++) {
        assert_int_equal(cluster_core(c, i)->membership.n_former, 1);
        assert_int_equal(cluster_core(c, i)->guests.n, 1);
    }
    cluster_crash(c, 8);
    cluster_start(c, 2);
    cluster_run(c, 3000);
    assert_false(cluster_is_up(c, 2));
    assert_int_equal(cluster_core(c, 6)->membership.n_former, 0);
    assert_int_equal(cluster_core(c, 7)->guests.n, 0);
    cluster_start(c, 8);
    cluster_run(c, 20000);
    assert_int_equal(cluster_core(c, 8)->membership.n_former, 0);
    cluster_free(c);
}

static void expect_waiting_for(struct cluster *c, uint8_t replica, const char *part)
{
    char text[VR_OVER_SIZE];
    assert_non_null(strstr(vr_waiting_for(cluster_core(c, replica), text, sizeof text), part));
}

/* The same, and it has lost its disk: it may be meant to become a member, so it waits. */
static void who_comes_back_without_memory_says_where_its_group_is(void **state)
{
    (void)state;
    struct group g = group_replaced_without_2();
    struct cluster *c = g.c;
    cluster_wipe(c, 2);
    cluster_start(c, 2);
    cluster_run(c, 60000);
    assert_true(cluster_has_traced(c, 2, "no-member epoch=1 replicas=3"));
    expect_waiting_for(c, 2, "those that it knows are in epoch 1 of a group without it");
    cluster_free(c);
}

/* Nobody looks for it, and nobody that it knows is there: it cannot know why. */
static void who_hears_of_nobody_says_so_at_intervals(void **state)
{
    (void)state;
    struct group g = group_of_three(CLUSTER_DISK);
    struct cluster *c = g.c;
    for (uint8_t i = 0; i < 3; i++) cluster_crash(c, i);
    cluster_start(c, 2);
    cluster_run(c, 55000);
    assert_false(cluster_has_traced(c, 2, "nobody-answers"));
    expect_waiting_for(c, 2, "waits for 1 other replica to answer to its start: 0 did");
    cluster_run(c, 10000);
    assert_true(cluster_has_traced(c, 2, "nobody-answers"));
    expect_waiting_for(c, 2, "end it, and remove its folder");
    cluster_start(c, 0);
    assert_true(cluster_converge(c));
    cluster_free(c);
}

/* Z1: the oldest are forgotten; Z3: who is a member again is not looked for. */
static void so_many_are_looked_for_and_no_more(void **state)
{
    (void)state;
    struct vr_membership m = {.n = 1, .members = {{.address = "a:1"}}}, next = {.n = 1};
    for (int i = 0; i < (int)FORMER_MAX + 3; i++) {
        next.n_former = 0;
        snprintf(next.members[0].address, sizeof next.members[0].address, "b:%d", i);
        vr_former_derive(&m, &next);
        assert_false(vr_membership_names_former(&next, next.members[0].address));
        assert_string_equal(next.former[0], m.members[0].address);
        m = next;
    }
    assert_int_equal(m.n_former, FORMER_MAX);
    assert_false(vr_membership_names_former(&m, "a:1"));
    assert_false(vr_membership_names_former(&m, "b:1"));
    assert_true(vr_membership_names_former(&m, "b:2"));
    snprintf(next.members[0].address, sizeof next.members[0].address, "b:2");
    vr_former_derive(&m, &next);
    assert_false(vr_membership_names_former(&next, "b:2"));
    assert_int_equal(next.n_former, FORMER_MAX);
}

/* E8: it was there when it was replaced, was not told that it may end, and hears of the next epoch:
 * that makes no learner of it, which would wait for ever. */
static void who_is_replaced_already_ends_with_the_next_epoch(void **state)
{
    (void)state;
    struct group g = group_of_three(CLUSTER_DISK);
    struct cluster *c = g.c;
    for (int i = 0; i < 3; i++) cluster_add(c, LIST(3, 4, 5));
    for (uint8_t i = 0; i < 3; i++) cluster_drop(c, CLUSTER_ALL, i, WIRE_epoch_started);
    for (int i = 0; i < 100; i++) {
        if (cluster_core(c, 0)->epoch == 0) ask(&g, 1, cluster_primary(c), LIST(3, 4, 5));
        cluster_run(c, 20);
    }
    assert_int_equal(cluster_core(c, 0)->epoch, 1);
    assert_true(cluster_core(c, 0)->replaced);
    cluster_add(c, LIST(3, 4, 6));
    for (int i = 0; i < 200 && cluster_core(c, 0)->epoch == 1; i++) {
        ask(&g, 2, cluster_primary(c), LIST(3, 4, 6));
        cluster_run(c, 20);
    }
    assert_int_equal(cluster_core(c, 0)->epoch, 2);
    assert_true(cluster_core(c, 0)->replaced);
    cluster_clear_rules(c);
    cluster_run(c, 5000);
    for (uint8_t i = 0; i < 3; i++) assert_false(cluster_is_up(c, i));
    cluster_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_slept_until_all_it_knew_had_ended_is_told),
        cmocka_unit_test(who_misses_the_greeting_is_greeted_again),
        cmocka_unit_test(who_slept_through_groups_of_others_is_told),
        cmocka_unit_test(who_comes_back_without_memory_says_where_its_group_is),
        cmocka_unit_test(who_hears_of_nobody_says_so_at_intervals),
        cmocka_unit_test(so_many_are_looked_for_and_no_more),
        cmocka_unit_test(who_is_replaced_already_ends_with_the_next_epoch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

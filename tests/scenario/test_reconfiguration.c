/* SPDX-License-Identifier: BSD-2-Clause */
/* Reconfiguration (lib/vr/reconfiguration.c, lib/vr/epoch.c) as stories. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "scenario/cluster.h"

#define LIST(...) (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__})

static void a_group_grows_and_shrinks_in_mode(int mode)
{
    struct cluster *c = cluster_new(3, mode);
    uint64_t session = cluster_register(c, 1, cluster_primary(c));
    uint64_t admin = cluster_register(c, 2, cluster_primary(c));
    assert_int_equal(cluster_incr(c, 1, session, 1, cluster_primary(c)), 1);
    cluster_add(c, LIST(0, 1, 2, 3, 4));
    cluster_add(c, LIST(0, 1, 2, 3, 4));
    assert_true(cluster_move(c, 2, admin, 1, LIST(0, 1, 2, 3, 4)));
    assert_int_equal(cluster_core(c, 4)->epoch, 1);
    assert_int_equal(cluster_core(c, 0)->quorum, 3);
    assert_int_equal(cluster_incr(c, 1, session, 2, cluster_primary(c)), 2);
    assert_true(cluster_move(c, 2, admin, 2, LIST(4, 3, 0)));
    assert_int_equal(cluster_core(c, 0)->epoch, 2);
    assert_int_equal(cluster_core(c, 0)->config.self, 2);
    assert_false(cluster_is_up(c, 1)); /* replaced, and not needed any more */
    assert_false(cluster_is_up(c, 2));
    assert_int_equal(cluster_incr(c, 1, session, 3, cluster_primary(c)), 3);
    cluster_free(c);
}

static void a_group_grows_and_shrinks(void **state)
{
    (void)state;
    a_group_grows_and_shrinks_in_mode(CLUSTER_MEMORY);
}

static void a_group_with_disks_grows_and_shrinks(void **state)
{
    (void)state;
    a_group_grows_and_shrinks_in_mode(CLUSTER_DISK);
}

static void all_members_are_replaced_at_once_in_mode(int mode)
{
    struct cluster *c = cluster_new(3, mode);
    uint64_t session = cluster_register(c, 1, cluster_primary(c));
    uint64_t admin = cluster_register(c, 2, cluster_primary(c));
    for (uint64_t i = 1; i <= 40; i++)
        assert_int_equal(cluster_incr(c, 1, session, i, cluster_primary(c)), i);
    for (int i = 0; i < 3; i++) cluster_add(c, LIST(3, 4, 5));
    assert_true(cluster_move(c, 2, admin, 1, LIST(3, 4, 5)));
    for (uint8_t i = 0; i < 3; i++) assert_false(cluster_is_up(c, i));
    assert_int_equal(cluster_incr(c, 1, session, 41, cluster_primary(c)), 41);
    cluster_free(c);
}

/* The new ones have formed a group of their own, which was never used. */
static void all_members_are_replaced_at_once(void **state)
{
    (void)state;
    all_members_are_replaced_at_once_in_mode(CLUSTER_MEMORY);
    all_members_are_replaced_at_once_in_mode(CLUSTER_DISK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_group_grows_and_shrinks),
        cmocka_unit_test(a_group_with_disks_grows_and_shrinks),
        cmocka_unit_test(all_members_are_replaced_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

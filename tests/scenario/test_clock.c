/* SPDX-License-Identifier: BSD-2-Clause */
/* What time it is (paper section 4.4, PIT-11.2): the stories of lib/vr/clock.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "scenario/cluster.h"

#define YEAR (365 * 86400)

/* By how much the newest entry is from clocks that are right, in seconds. */
static int64_t off_s(const struct cluster *c, uint8_t replica)
{
    const struct vr *right = cluster_core(c, 2);
    uint64_t newest = log_last(&cluster_core(c, replica)->log)->timestamp;
    return (int64_t)(newest - right->wall_us) / 1000000;
}

/* Rule: the time is what the clocks of a quorum have reached. */
static void a_primary_that_is_a_year_ahead_takes_nobody_along(void **unused)
{
    (void)unused;
    struct cluster *c = cluster_new(3, CLUSTER_MEMORY);
    uint64_t session = cluster_register(c, 1, 0);
    cluster_run(c, 50);
    cluster_set_ahead(c, 0, YEAR);
    cluster_run(c, 50);
    cluster_incr(c, 1, session, 1, 0);
    assert_int_equal(0, off_s(c, 0));
    cluster_set_ahead(c, 0, -YEAR);
    cluster_run(c, 50);
    cluster_incr(c, 1, session, 2, 0);
    assert_int_equal(0, off_s(c, 0));
    cluster_free(c);
}

/* Rule: nor do those that are wrong among the backups, as long as they are a minority. */
static void a_backup_whose_clock_is_wrong_changes_nothing(void **unused)
{
    (void)unused;
    static const int64_t wrong[] = {YEAR, -YEAR};
    for (size_t i = 0; i < 2; i++) {
        struct cluster *c = cluster_new(3, CLUSTER_MEMORY);
        uint64_t session = cluster_register(c, 1, 0);
        cluster_set_ahead(c, 1, wrong[i]);
        cluster_run(c, 50);
        cluster_incr(c, 1, session, 1, 0);
        assert_int_equal(0, off_s(c, 0));
        cluster_free(c);
    }
}

/* Rule H1: a view begins with the clocks of the quorum that it begins with, so its first entry has
 * the right time, too, after however long a silence. */
static void a_new_primary_that_is_ahead_knows_better_from_the_start(void **unused)
{
    (void)unused;
    struct cluster *c = cluster_new(3, CLUSTER_MEMORY);
    uint64_t session = cluster_register(c, 1, 0);
    cluster_incr(c, 1, session, 1, 0);
    cluster_set_ahead(c, 1, YEAR);
    cluster_run(c, 50);
    cluster_drop(c, CLUSTER_ALL, 1, WIRE_commit_ok);
    cluster_crash(c, 0);
    for (int i = 0; i < 300 && !vr_is_primary(cluster_core(c, 1)); i++) cluster_run(c, 10);
    assert_int_equal(2, cluster_incr(c, 1, session, 2, 1));
    assert_int_equal(0, off_s(c, 1));
    cluster_free(c);
}

/* Rule H3: before a quorum's clocks are known nothing has a time. */
static void a_group_that_just_formed_learns_the_time_first(void **unused)
{
    (void)unused;
    struct cluster *c = cluster_new_blank(3, CLUSTER_MEMORY);
    cluster_drop(c, CLUSTER_ALL, 0, WIRE_commit_ok);
    for (uint8_t i = 0; i < 3; i++) cluster_start(c, i);
    cluster_run(c, 100);
    assert_true(vr_is_primary(cluster_core(c, 0)));
    cluster_send_register(c, 1, 1, 0);
    cluster_settle(c);
    assert_int_equal(0, cluster_core(c, 0)->log.op);
    assert_true(cluster_has_traced(c, 0, "before a quorum's clocks are known"));
    cluster_clear_rules(c);
    cluster_run(c, 50);
    uint64_t session = cluster_register(c, 1, 0);
    assert_int_equal(1, cluster_incr(c, 1, session, 1, 0));
    assert_int_equal(0, off_s(c, 0));
    cluster_free(c);
}

/* Rule: who is wrong is told at the primary, until it is right again. */
static void a_clock_that_is_off_is_told(void **unused)
{
    (void)unused;
    char text[200];
    struct cluster *c = cluster_new(3, CLUSTER_MEMORY);
    cluster_run(c, 50);
    assert_string_equal("", vr_clocks_text(cluster_core(c, 0), text, sizeof text));
    assert_in_range(vr_clocks_off_us(cluster_core(c, 0)), 0, 100000);
    cluster_set_ahead(c, 0, 3600);
    cluster_set_ahead(c, 1, -2);
    cluster_run(c, 50);
    assert_string_equal("replica 0 is 3600 s ahead, replica 1 is 2 s behind",
                        vr_clocks_text(cluster_core(c, 0), text, sizeof text));
    assert_in_range(vr_clocks_off_us(cluster_core(c, 0)), 3599900000, 3600100000);
    assert_string_equal("", vr_clocks_text(cluster_core(c, 1), text, sizeof text));
    cluster_set_ahead(c, 0, 0);
    cluster_set_ahead(c, 1, 0);
    cluster_run(c, 50);
    assert_string_equal("", vr_clocks_text(cluster_core(c, 0), text, sizeof text));
    cluster_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_primary_that_is_a_year_ahead_takes_nobody_along),
        cmocka_unit_test(a_backup_whose_clock_is_wrong_changes_nothing),
        cmocka_unit_test(a_new_primary_that_is_ahead_knows_better_from_the_start),
        cmocka_unit_test(a_group_that_just_formed_learns_the_time_first),
        cmocka_unit_test(a_clock_that_is_off_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

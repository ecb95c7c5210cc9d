/* SPDX-License-Identifier: BSD-2-Clause */
/* Damage on a disk that cannot be mended: its replica recovers, and never forgets that it was a
 * member (lib/vr/recovery.c). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "scenario/cluster.h"

/* A group of three that was restarted, so that each has more than one segment, with `n` increments
 * executed; the client's session. */
static struct cluster *group_with(uint64_t n, uint64_t *session)
{
    struct cluster *c = cluster_new(3, CLUSTER_DISK);
    *session = cluster_register(c, 1, 0);
    for (uint8_t i = 0; i < 3; i++) cluster_crash(c, i);
    for (uint8_t i = 0; i < 3; i++) cluster_start(c, i);
    assert_true(cluster_converge(c));
    for (uint64_t number = 1; number <= n; number++)
        cluster_incr(c, 1, *session, number, cluster_primary(c));
    cluster_run(c, 50);
    return c;
}

static void assert_lost(const struct cluster *c, uint8_t replica)
{
    char text[300];
    assert_int_equal(VR_RECOVERING, cluster_core(c, replica)->status);
    assert_true(cluster_core(c, replica)->lost);
    assert_non_null(strstr(vr_waiting_for(cluster_core(c, replica), text, sizeof text), "damaged"));
}

/* Rule: a replica whose files are damaged comes back by itself, with a later incarnation, and the
 * damaged files go once the state is stored anew. */
static void a_damaged_replica_recovers(void **unused)
{
    (void)unused;
    uint64_t session;
    struct cluster *c = group_with(5, &session);
    cluster_crash(c, 1);
    cluster_damage(c, 1);
    uint32_t before = cluster_count_sent(c, 1, 0, WIRE_restart_ok);
    cluster_hold(c, CLUSTER_ALL, 1, WIRE_recovery_response);
    cluster_start(c, 1);
    cluster_run(c, 300);
    assert_lost(c, 1);
    assert_true(cluster_has_aside(c, 1));
    assert_int_equal(before, cluster_count_sent(c, 1, 0, WIRE_restart_ok));
    cluster_clear_rules(c);
    assert_true(cluster_converge(c));
    assert_int_equal(1, vr_incarnation_losses(cluster_core(c, 0)->crash_vector[1]));
    cluster_run(c, 1000);
    assert_false(cluster_has_aside(c, 1));
    cluster_crash(c, 1);
    cluster_start(c, 1);
    assert_true(cluster_converge(c));
    assert_int_equal(1, vr_incarnation_losses(cluster_core(c, 0)->crash_vector[1]));
    assert_int_equal(6, cluster_incr(c, 1, session, 6, cluster_primary(c)));
    cluster_free(c);
}

/* Rule: that it has lost its state outlives a crash: it does not come back as blank. */
static void a_loss_is_not_forgotten(void **unused)
{
    (void)unused;
    uint64_t session;
    struct cluster *c = group_with(5, &session);
    cluster_crash(c, 1);
    cluster_damage(c, 1);
    cluster_drop(c, CLUSTER_ALL, 1, CLUSTER_ALL);
    cluster_slow_disk(c, 1, true); /* it crashes before it has written a word, and after that */
    for (int i = 0; i < 3; i++) {
        cluster_start(c, 1);
        cluster_run(c, 500);
        assert_lost(c, 1);
        cluster_crash(c, 1);
        cluster_slow_disk(c, 1, false);
    }
    cluster_clear_rules(c);
    cluster_start(c, 1);
    assert_true(cluster_converge(c));
    cluster_free(c);
}

/* Rule: if all are damaged at once no new group takes the place of theirs; nor if the others are
 * blank. */
static void damaged_replicas_form_no_group(void **unused)
{
    (void)unused;
    for (uint8_t damaged = 1; damaged <= 3; damaged++) {
        uint64_t session;
        struct cluster *c = group_with(5, &session);
        for (uint8_t i = 0; i < 3; i++) {
            cluster_crash(c, i);
            if (i < damaged) cluster_damage(c, i);
            else cluster_wipe(c, i);
        }
        for (uint8_t i = 0; i < 3; i++) cluster_start(c, i);
        cluster_run(c, 15000);
        for (uint8_t i = 0; i < 3; i++) {
            assert_int_equal(VR_RECOVERING, cluster_core(c, i)->status);
            if (i < damaged) assert_lost(c, i);
        }
        cluster_free(c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_damaged_replica_recovers),
        cmocka_unit_test(a_loss_is_not_forgotten),
        cmocka_unit_test(damaged_replicas_form_no_group),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

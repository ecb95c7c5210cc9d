/* SPDX-License-Identifier: BSD-2-Clause */
/* Damage on a disk that a start cannot mend: its replica recovers, and never forgets that it was a
 * member (lib/vr/recovery.c).  What is found while it runs (lib/node/scrub.c) is no loss. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "scenario/cluster.h"

/* A group of three that was restarted, so that each has more than one segment, with `n` increments
 * executed; the client's session. */
static struct cluster *group_of(int mode, uint64_t n, uint64_t *session)
{
    struct cluster *c = cluster_new(3, mode);
    *session = cluster_register(c, 1, 0);
    for (uint8_t i = 0; i < 3; i++) cluster_crash(c, i);
    for (uint8_t i = 0; i < 3; i++) cluster_start(c, i);
    assert_true(cluster_converge(c));
    for (uint64_t number = 1; number <= n; number++)
        cluster_incr(c, 1, *session, number, cluster_primary(c));
    cluster_run(c, 50);
    return c;
}

static struct cluster *group_with(uint64_t n, uint64_t *session)
{
    return group_of(CLUSTER_DISK, n, session);
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

/* Rule: what rots in the journal of a replica that runs is found, and said anew from memory, though
 * nobody asks for anything: the next start needs no help.  So at a witness, which takes checkpoints
 * in its own way. */
static void a_journal_that_rots_is_stored_anew(void **unused)
{
    (void)unused;
    for (int witness = 0; witness < 2; witness++) {
        uint64_t session;
        int mode = CLUSTER_DISK | (witness ? CLUSTER_WITNESS(2) : 0);
        struct cluster *c = group_of(mode, 5, &session);
        cluster_damage(c, 2);
        cluster_run(c, 5000);
        assert_true(cluster_has_traced(c, 2, "journal-rotten file=journal-0000000000000001"));
        assert_true(cluster_has_traced(c, 2, "journal-mended file=journal-0000000000000001"));
        cluster_crash(c, 2);
        cluster_start(c, 2);
        assert_true(cluster_converge(c));
        assert_int_equal(0, vr_incarnation_losses(cluster_core(c, 2)->incarnation));
        assert_int_equal(6, cluster_incr(c, 1, session, 6, cluster_primary(c)));
        cluster_free(c);
    }
}

/* Rule: so it is at a witness that may forget nothing, as an active replica has nothing yet. */
static void a_witness_that_may_forget_nothing_stores_it_anew(void **unused)
{
    (void)unused;
    struct cluster *c = cluster_new(3, CLUSTER_DISK | CLUSTER_WITNESS(2));
    uint8_t primary = cluster_primary(c), away = primary == 0 ? 1 : 0;
    cluster_crash(c, away);
    uint64_t session = cluster_register(c, 1, primary);
    assert_int_equal(1, cluster_incr(c, 1, session, 1, primary));
    cluster_crash(c, 2);
    cluster_start(c, 2);
    assert_true(cluster_converge(c));
    cluster_damage(c, 2);
    cluster_run(c, 5000);
    assert_int_equal(0, cluster_core(c, 2)->held);
    assert_int_equal(0, cluster_core(c, 2)->checkpoint_op);
    cluster_crash(c, 2);
    cluster_start(c, 2);
    assert_true(cluster_converge(c));
    assert_int_equal(0, vr_incarnation_losses(cluster_core(c, 2)->incarnation));
    assert_int_equal(2, cluster_incr(c, 1, session, 2, cluster_primary(c)));
    cluster_start(c, away);
    assert_true(cluster_converge(c));
    cluster_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_damaged_replica_recovers),
        cmocka_unit_test(a_loss_is_not_forgotten),
        cmocka_unit_test(damaged_replicas_form_no_group),
        cmocka_unit_test(a_journal_that_rots_is_stored_anew),
        cmocka_unit_test(a_witness_that_may_forget_nothing_stores_it_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

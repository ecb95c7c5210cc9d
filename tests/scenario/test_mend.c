/* SPDX-License-Identifier: BSD-2-Clause */
/* Damaged entries of a journal, mended from the other replicas (lib/vr/mend.c). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "scenario/cluster_state.h"

/* A group with `n` increments executed: they are the entries 2 .. n + 1. */
static struct cluster *group_with(uint8_t size, uint64_t n, uint64_t *session)
{
    struct cluster *c = cluster_new(size, CLUSTER_DISK);
    *session = cluster_register(c, 1, 0);
    for (uint64_t number = 1; number <= n; number++)
        cluster_incr(c, 1, *session, number, cluster_primary(c));
    cluster_run(c, 100);
    return c;
}

static void crash_all(struct cluster *c, uint8_t size)
{
    for (uint8_t i = 0; i < size; i++)
        if (cluster_is_up(c, i)) cluster_crash(c, i);
}

static uint64_t mended(const struct cluster *c, uint8_t replica)
{
    return cluster_core(c, replica)->stats.entries_mended;
}

static uint64_t hole(const struct cluster *c, uint8_t replica)
{
    return log_first_hole(&cluster_core(c, replica)->log);
}

/* Rule: of a damaged entry others give the body; what they give is durable, and the life of the
 * replica goes on. */
static void a_damaged_entry_comes_from_another_replica(void **unused)
{
    (void)unused;
    uint64_t session;
    struct cluster *c = group_with(3, 5, &session);
    cluster_crash(c, 1);
    cluster_rot(c, 1, 3);
    cluster_start(c, 1);
    assert_int_equal(1, cluster_core(c, 1)->stats.entries_damaged);
    assert_true(cluster_converge(c));
    assert_int_equal(1, mended(c, 1));
    assert_false(cluster_has_aside(c, 1));
    assert_int_equal(0, vr_incarnation_losses(cluster_core(c, 0)->crash_vector[1]));
    cluster_run(c, 500);
    cluster_crash(c, 1);
    cluster_start(c, 1);
    assert_int_equal(0, cluster_core(c, 1)->stats.entries_damaged);
    assert_int_equal(6, cluster_incr(c, 1, session, 6, cluster_primary(c)));
    cluster_free(c);
}

/* Rule: what was mended is written once more, so a crash before the next checkpoint does not bring
 * the damage back. */
static void a_mended_entry_is_in_the_journal_again(void **unused)
{
    (void)unused;
    uint64_t session;
    struct cluster *c = group_with(3, 5, &session);
    crash_all(c, 3);
    cluster_rot(c, 1, 6); /* not known to be committed, so no checkpoint comes */
    cluster_start(c, 0);
    cluster_start(c, 1);
    cluster_drop(c, CLUSTER_ALL, CLUSTER_ALL, WIRE_restart_ok);
    cluster_run(c, 100);
    assert_int_equal(1, mended(c, 1));
    assert_int_equal(0, cluster_core(c, 1)->checkpoint_op);
    cluster_crash(c, 1);
    cluster_start(c, 1);
    assert_int_equal(0, cluster_core(c, 1)->stats.entries_damaged);
    cluster_free(c);
}

/* Rule: each entry is sound somewhere, so nothing is lost, and a quorum of damaged replicas needs
 * nobody else. */
static void two_of_three_mend_each_other(void **unused)
{
    (void)unused;
    uint64_t session;
    struct cluster *c = group_with(3, 8, &session);
    crash_all(c, 3);
    cluster_rot(c, 0, 3);
    cluster_rot(c, 0, 8);
    cluster_rot(c, 1, 4);
    cluster_rot(c, 1, 7);
    cluster_start(c, 0);
    cluster_start(c, 1);
    assert_true(cluster_converge(c));
    assert_int_equal(2, mended(c, 0));
    assert_int_equal(2, mended(c, 1));
    assert_int_equal(9, cluster_incr(c, 1, session, 9, cluster_primary(c)));
    cluster_free(c);
}

/* Rule M1: a backup acknowledges nothing from the hole on. */
static void a_hole_is_not_vouched_for(void **unused)
{
    (void)unused;
    uint64_t session;
    struct cluster *c = group_with(3, 5, &session);
    cluster_crash(c, 1);
    cluster_rot(c, 1, 4);
    cluster_drop(c, CLUSTER_ALL, 1, WIRE_give_entry);
    cluster_drop(c, CLUSTER_ALL, 1, WIRE_new_state);
    cluster_start(c, 1);
    cluster_run(c, 100);
    assert_int_equal(VR_NORMAL, cluster_core(c, 1)->status);
    cluster_crash(c, 2); /* now the word of 1 is needed */
    struct kv_op op = cluster_incr_op();
    cluster_send_op(c, 1, session, 6, cluster_primary(c), &op);
    cluster_run(c, 100);
    assert_int_equal(4, hole(c, 1));
    assert_int_equal(3, cluster_core(c, 1)->durable_op);
    assert_int_equal(3, cluster_core(c, 1)->applied);
    assert_int_equal(0, cluster_answer(c, 1, 6, KV_INCR).n_replies);
    cluster_clear_rules(c);
    assert_true(cluster_converge(c));
    assert_int_equal(6, cluster_answer(c, 1, 6, KV_INCR).kv.number);
    cluster_free(c);
}

/* Entry 7 is at replica 0, its primary, and at `other`, if that is one; then all crash, and that of
 * replica 0 is damaged. */
static struct cluster *group_with_a_lonely_entry(int other, uint64_t *session)
{
    struct cluster *c = group_with(3, 5, session);
    struct kv_op op = cluster_incr_op();
    for (int i = 1; i < 3; i++) {
        if (i == other) continue;
        cluster_drop(c, 0, i, WIRE_prepare);
        cluster_drop(c, 0, i, WIRE_new_state);
    }
    if (other >= 0) cluster_drop(c, other, 0, CLUSTER_ALL);
    cluster_send_op(c, 1, *session, 6, 0, &op);
    cluster_run(c, 60); /* the batch is named by a seal */
    assert_int_equal(7, cluster_core(c, 0)->log.op);
    crash_all(c, 3);
    cluster_rot(c, 0, 7);
    cluster_clear_rules(c);
    return c;
}

/* Rule M4: an entry that nobody can have acknowledged is no reason to wait; but for that all others
 * must have said so. */
static void what_nobody_acknowledged_is_left_out(void **unused)
{
    (void)unused;
    for (uint8_t second = 1; second < 3; second++) {
        uint64_t session;
        uint8_t third = (uint8_t)(3 - second);
        struct cluster *c = group_with_a_lonely_entry(-1, &session);
        cluster_start(c, 0);
        cluster_start(c, second);
        cluster_run(c, 3000);
        assert_int_equal(VR_VIEW_CHANGE, cluster_core(c, 0)->status);
        assert_int_equal(7, hole(c, 0));
        cluster_start(c, third);
        assert_true(cluster_converge(c));
        assert_int_equal(6, cluster_core(c, 0)->log.op);
        assert_int_equal(UINT64_MAX, hole(c, 0));
        assert_int_equal(6, cluster_incr(c, 1, session, 6, cluster_primary(c)));
        cluster_free(c);
    }
}

/* Rule M4, after its pipeline was made shorter: what a replica promises shows all that may be
 * uncommitted in its log, however many it would have in flight itself. */
static void a_shorter_pipeline_hides_nothing(void **unused)
{
    (void)unused;
    uint64_t session;
    struct cluster *c = group_with(3, 5, &session);
    struct kv_op op = cluster_incr_op();
    uint64_t sessions[3] = {session, cluster_register(c, 2, 0), cluster_register(c, 3, 0)};
    for (int i = 1; i < 3; i++) {
        cluster_drop(c, 0, i, WIRE_prepare);
        cluster_drop(c, 0, i, WIRE_new_state);
    }
    for (uint32_t i = 0; i < 3; i++) {
        cluster_send_op(c, i + 1, sessions[i], i == 0 ? 6 : 1, 0, &op);
        cluster_run(c, 60); /* each batch is named by a seal */
    }
    assert_int_equal(11, cluster_core(c, 0)->log.op);
    assert_int_equal(8, cluster_core(c, 1)->log.op);
    crash_all(c, 3);
    cluster_rot(c, 0, 9);
    cluster_clear_rules(c);
    c->members[0].config.pipeline = 1;
    for (uint8_t i = 0; i < 3; i++) cluster_start(c, i);
    assert_true(cluster_converge(c));
    assert_int_equal(8, cluster_core(c, 0)->log.op);
    cluster_free(c);
}

/* Rule M2: a damaged entry is not denied by who has its header.  Here it is committed, as the one
 * that is down had acknowledged it; only the primary did not hear that. */
static void what_may_be_committed_is_waited_for(void **unused)
{
    (void)unused;
    for (int other = 1; other < 3; other++) {
        uint64_t session;
        struct cluster *c = group_with_a_lonely_entry(other, &session);
        cluster_start(c, 0);
        cluster_start(c, (uint8_t)(3 - other));
        cluster_run(c, 3000);
        assert_int_equal(VR_VIEW_CHANGE, cluster_core(c, 0)->status);
        cluster_start(c, (uint8_t)other);
        assert_true(cluster_converge(c));
        assert_int_equal(7, cluster_core(c, 0)->log.op);
        assert_int_equal(6, cluster_read(c, cluster_primary(c), 100));
        cluster_free(c);
    }
}

/* Rule M3: of the log that a view begins with the new primary fetches what it lacks, no more: so a
 * hole elsewhere in what it has itself is no obstacle.  Here nothing can be mended. */
static void a_new_primary_needs_nothing_of_what_it_has(void **unused)
{
    (void)unused;
    uint64_t session;
    struct cluster *c = group_with(3, 5, &session);
    uint64_t other_session = cluster_register(c, 2, 0); /* entry 7 */
    cluster_run(c, 60);
    struct kv_op op = cluster_incr_op();
    cluster_isolate(c, 2);
    cluster_drop(c, 1, 0, WIRE_prepare_ok);
    cluster_drop(c, 1, 0, WIRE_commit_ok);
    cluster_send_op(c, 1, session, 6, 0, &op);
    cluster_run(c, 30);
    cluster_isolate(c, 1);
    cluster_send_op(c, 2, other_session, 1, 0, &op);
    cluster_run(c, 60);
    assert_int_equal(9, cluster_core(c, 0)->log.op);
    assert_int_equal(8, cluster_core(c, 1)->log.op);
    crash_all(c, 3);
    cluster_rot(c, 0, 8);
    cluster_clear_rules(c);
    cluster_drop(c, CLUSTER_ALL, CLUSTER_ALL, WIRE_give_entry);
    cluster_start(c, 0);
    cluster_start(c, 1);
    cluster_run(c, 2000);
    assert_int_equal(1, cluster_primary(c));
    assert_int_equal(9, cluster_core(c, 1)->log.op);
    assert_int_equal(8, hole(c, 0)); /* it cannot acknowledge that */
    cluster_clear_rules(c);
    assert_true(cluster_converge(c));
    assert_int_equal(7, cluster_read(c, 1, 100));
    cluster_free(c);
}

/* Entry 3 of replica 1, which is down, is damaged, and in no log of the others any more: they have
 * executed 200 increments. */
static struct cluster *group_with_an_old_hole(uint64_t *session)
{
    struct cluster *c = group_with(3, 5, session);
    cluster_crash(c, 1);
    cluster_rot(c, 1, 3);
    for (uint64_t number = 6; number <= 200; number++)
        cluster_incr(c, 1, *session, number, cluster_primary(c));
    cluster_run(c, 200);
    assert_true(cluster_core(c, 0)->log.first > 3);
    return c;
}

/* Rule M5: what is older than the logs of the others comes as pages. */
static void a_hole_that_is_in_no_log_is_covered_by_a_checkpoint(void **unused)
{
    (void)unused;
    uint64_t session;
    struct cluster *c = group_with_an_old_hole(&session);
    cluster_start(c, 1);
    assert_true(cluster_converge(c));
    assert_int_equal(0, mended(c, 1));
    assert_true(cluster_core(c, 1)->checkpoint_op > 3);
    assert_int_equal(201, cluster_incr(c, 1, session, 201, cluster_primary(c)));
    cluster_free(c);
}

/* Rule: a primary that has such a hole does not keep the others waiting for its view (V10). */
static void a_primary_that_cannot_be_mended_gives_its_view_up(void **unused)
{
    (void)unused;
    uint64_t session;
    struct cluster *c = group_with_an_old_hole(&session);
    crash_all(c, 3);
    for (uint8_t i = 0; i < 3; i++) cluster_start(c, i);
    cluster_run(c, 400); /* a view has 600 ms to begin */
    assert_true(cluster_has_traced(c, 1, "view-change view=1 "));
    assert_true(cluster_has_traced(c, 0, "its primary gave the view up"));
    assert_int_equal(2, cluster_primary(c));
    assert_true(cluster_converge(c));
    assert_int_equal(201, cluster_incr(c, 1, session, 201, 2));
    cluster_free(c);
}

/* Rule: a checkpoint that has no room for the log behind a hole is put off, and so keeps nobody
 * from fetching the one that covers the hole. */
static void a_checkpoint_without_room_holds_up_no_fetch(void **unused)
{
    (void)unused;
    static const uint8_t value[CLUSTER_VALUE_MAX];
    const struct kv_op put = {
        .verb = KV_PUT, .key = bytes_of("v"), .value = {value, sizeof value}};
    uint64_t session, number = 6;
    struct cluster *c = group_with(3, 5, &session);
    uint8_t primary = cluster_primary(c), backup = (primary + 1) % 3;
    cluster_slow_checkpoints(c, backup, true);
    for (; number < 60; number++) {
        cluster_send_op(c, 1, session, number, primary, &put);
        cluster_run(c, 1);
    }
    cluster_run(c, 60); /* the batch is named by a seal */
    cluster_crash(c, backup);
    cluster_slow_checkpoints(c, backup, false);
    cluster_rot(c, backup, 20);
    for (; cluster_core(c, primary)->log.first <= 20; number++) {
        cluster_send_op(c, 1, session, number, primary, &put);
        cluster_run(c, 1);
    }
    cluster_start(c, backup);
    cluster_settle(c);
    assert_int_equal(20, hole(c, backup));
    assert_true(cluster_has_traced(c, backup, "a checkpoint is put off"));
    assert_true(cluster_converge(c));
    cluster_free(c);
}

/* Rule: an entry is what its header says, whoever gives it. */
static void what_is_not_the_entry_is_refused(void **unused)
{
    (void)unused;
    uint64_t session;
    struct cluster *c = group_with(3, 5, &session);
    crash_all(c, 3);
    cluster_rot(c, 1, 4);
    cluster_start(c, 1);
    const struct log_slot *slot = log_at(&cluster_core(c, 1)->log, 4);
    uint8_t body[CLUSTER_VALUE_MAX] = {1};
    const struct wire_give_entry wrong = {.op = 4, .log_start = 1,
                                          .entry = {.header = slot->header,
                                                    .body = {body, slot->size}}};
    cluster_forge(c, 2, 1, 0, &wire_shape_give_entry, &wrong);
    assert_true(cluster_has_traced(c, 1, "entry-not-sound"));
    const struct wire_give_entry unasked = {.op = UINT64_MAX, .entry = {.header = slot->header}};
    cluster_forge(c, 2, 1, 0, &wire_shape_give_entry, &unasked);
    assert_int_equal(4, hole(c, 1));
    cluster_start(c, 0);
    assert_true(cluster_converge(c));
    assert_int_equal(1, mended(c, 1));
    cluster_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_damaged_entry_comes_from_another_replica),
        cmocka_unit_test(a_mended_entry_is_in_the_journal_again),
        cmocka_unit_test(two_of_three_mend_each_other),
        cmocka_unit_test(a_hole_is_not_vouched_for),
        cmocka_unit_test(what_nobody_acknowledged_is_left_out),
        cmocka_unit_test(a_shorter_pipeline_hides_nothing),
        cmocka_unit_test(what_may_be_committed_is_waited_for),
        cmocka_unit_test(a_new_primary_needs_nothing_of_what_it_has),
        cmocka_unit_test(a_hole_that_is_in_no_log_is_covered_by_a_checkpoint),
        cmocka_unit_test(a_primary_that_cannot_be_mended_gives_its_view_up),
        cmocka_unit_test(a_checkpoint_without_room_holds_up_no_fetch),
        cmocka_unit_test(what_is_not_the_entry_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* Normal operation (PROTOCOL section 1): a story for each pitfall that is a rule of
 * lib/vr/normal.c, batch.c and commit.c.  Each names the rule; without it the story fails. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "scenario/members.h"

/* Entries from the primary do not arrive there, in whatever message. */
static void starve(struct cluster *c, int replica)
{
    cluster_drop(c, CLUSTER_ALL, replica, WIRE_prepare);
    cluster_drop(c, CLUSTER_ALL, replica, WIRE_new_state);
}

static void a_write_runs_at_every_replica_and_is_answered_by_the_primary(void **unused)
{
    (void)unused;
    struct cluster *c = cluster_new(3, CLUSTER_MEMORY);
    uint64_t session = cluster_register(c, 1, 0);
    assert_int_equal(1, cluster_incr(c, 1, session, 1, 0));
    assert_int_equal(2, cluster_incr(c, 1, session, 2, 0));
    assert_true(cluster_converge(c));
    for (uint8_t i = 0; i < 3; i++) assert_int_equal(3, cluster_core(c, i)->applied);
    assert_int_equal(2, cluster_read(c, 0, 100));
    cluster_free(c);
}

/* Rule: a PREPARE leaves before the primary's own write, and any quorum that holds it durably
 * commits it: a slow disk at the primary slows nobody.  With one backup alone it must wait. */
static void a_primary_whose_disk_hangs_slows_nobody(void **unused)
{
    (void)unused;
    struct cluster *c = cluster_new(3, CLUSTER_DISK);
    uint64_t session = cluster_register(c, 1, 0);
    cluster_run(c, 50);
    cluster_slow_disk(c, 0, true);
    for (uint64_t number = 1; number <= 3; number++)
        assert_int_equal(number, cluster_incr(c, 1, session, number, 0));
    assert_true(cluster_core(c, 0)->durable_op < cluster_core(c, 0)->commit);
    cluster_run(c, 1000);
    assert_int_equal(0, cluster_core(c, 0)->view);
    cluster_isolate(c, 1);
    cluster_try_incr(c, 1, session, 4, 0);
    assert_int_equal(4, cluster_core(c, 0)->commit);
    cluster_slow_disk(c, 0, false);
    cluster_settle(c);
    assert_int_equal(5, cluster_core(c, 0)->commit);
    cluster_free(c);
}

static struct cluster *watched;
static uint32_t acks_when_applied; /* that the second replica had sent when it last executed */

static void watched_apply(struct vstamp_pages *pages, const struct vstamp_context *context,
                          const uint8_t *operation, size_t size, struct vstamp_answer *answer)
{
    if (pages == &cluster_core(watched, 1)->app_pages)
        acks_when_applied = cluster_count_sent(watched, 1, 0, WIRE_prepare_ok);
    kv_app()->apply(pages, context, operation, size, answer);
}

/* Rule: what another replica waits for leaves before a turn executes what is committed. */
static void a_backup_acknowledges_before_it_executes(void **unused)
{
    (void)unused;
    struct vstamp_app app = *kv_app();
    app.apply = watched_apply;
    struct cluster *c = watched = cluster_new_with(3, CLUSTER_MEMORY, &app);
    uint64_t session = cluster_register(c, 1, 0);
    cluster_incr(c, 1, session, 1, 0);
    uint32_t acks = cluster_count_sent(c, 1, 0, WIRE_prepare_ok);
    assert_int_equal(1, cluster_core(c, 1)->applied);
    cluster_incr(c, 1, session, 2, 0); /* its PREPARE commits the one before */
    assert_int_equal(2, cluster_core(c, 1)->applied);
    assert_int_equal(acks + 1, acks_when_applied);
    cluster_free(c);
}

/* Rule: COMMIT carries the commit-number, never the op-number in its place. */
static void pit_1_1_a_heartbeat_does_not_commit_what_no_quorum_holds(void **unused)
{
    (void)unused;
    struct cluster *c = cluster_new(5, CLUSTER_MEMORY);
    uint64_t session = cluster_register(c, 1, 0);
    cluster_run(c, 50);
    starve(c, 2), starve(c, 3), starve(c, 4);
    cluster_try_incr(c, 1, session, 1, 0);
    cluster_run(c, 150);
    assert_int_equal(2, cluster_core(c, 1)->log.op);
    assert_int_equal(1, cluster_core(c, 0)->commit);
    assert_int_equal(1, cluster_core(c, 1)->applied);
    cluster_free(c);
}

/* Rule: an acknowledgement counts only if it names the primary's entry by checksum. */
static void pit_1_2_an_acknowledgement_of_another_entry_does_not_count(void **unused)
{
    (void)unused;
    struct cluster *c = cluster_new(3, CLUSTER_MEMORY);
    uint64_t session = cluster_register(c, 1, 0);
    cluster_run(c, 50);
    starve(c, 1), starve(c, 2);
    cluster_try_incr(c, 1, session, 1, 0);
    const struct log *log = &cluster_core(c, 0)->log;
    struct wire_prepare_ok ok = {.op = 2, .checksum = log_at(log, 1)->header.checksum};
    cluster_forge(c, 1, 0, 0, &wire_shape_prepare_ok, &ok);
    assert_int_equal(1, cluster_core(c, 0)->commit);
    cluster_repeat(c, 1, 0, WIRE_prepare_ok, 0); /* the late one, of the entry before */
    assert_int_equal(1, cluster_core(c, 0)->commit);
    ok.checksum = log_at(log, 2)->header.checksum;
    cluster_forge(c, 1, 0, 0, &wire_shape_prepare_ok, &ok);
    assert_int_equal(2, cluster_core(c, 0)->commit);
    cluster_free(c);
}

/* Rule: a PREPARE at or below the head is compared, never appended again. */
static void pit_1_3_an_old_prepare_does_not_cut_the_log(void **unused)
{
    (void)unused;
    struct cluster *c = cluster_new(3, CLUSTER_MEMORY);
    uint64_t session = cluster_register(c, 1, 0);
    cluster_hold(c, 0, 1, WIRE_commit); /* nothing but prepares tells 1 what is committed */
    for (uint64_t number = 1; number <= 4; number++) cluster_incr(c, 1, session, number, 0);
    assert_int_equal(5, cluster_core(c, 1)->log.op);
    cluster_repeat(c, 0, 1, WIRE_prepare, 0);
    cluster_repeat(c, 0, 1, WIRE_prepare, 2);
    assert_int_equal(5, cluster_core(c, 1)->log.op);
    assert_true(vstamp_id_equal(log_last(&cluster_core(c, 0)->log)->checksum,
                                log_last(&cluster_core(c, 1)->log)->checksum));
    cluster_free(c);
}

/* Rule: the client table changes when an operation is executed, not when it is prepared. */
static void pit_1_4_a_request_that_was_cut_off_does_not_lock_its_client_out(void **unused)
{
    (void)unused;
    struct cluster *c = cluster_new(5, CLUSTER_MEMORY);
    uint64_t session = cluster_register(c, 1, 0);
    cluster_run(c, 50);
    starve(c, 2), starve(c, 3), starve(c, 4);
    cluster_try_incr(c, 1, session, 1, 0);
    assert_int_equal(2, cluster_core(c, 1)->log.op);
    cluster_clear_rules(c);
    cluster_isolate(c, 0), cluster_isolate(c, 1);
    cluster_run(c, 5000);
    assert_true(cluster_primary(c) >= 2); /* a view without the request */
    uint64_t other = cluster_register(c, 2, cluster_primary(c));
    assert_int_equal(1, cluster_incr(c, 2, other, 1, cluster_primary(c)));
    cluster_clear_rules(c);
    assert_true(cluster_converge(c));
    while (cluster_primary(c) != 1) {
        cluster_hand_over(c, cluster_primary(c));
        assert_true(cluster_converge(c));
    }
    assert_int_equal(2, cluster_incr(c, 1, session, 1, 1));
    cluster_free(c);
}

/* Rule: a checkpoint has the client table and the answers in it. */
static void pit_1_5_a_restart_from_a_checkpoint_keeps_the_answers(void **unused)
{
    (void)unused;
    struct cluster *c = cluster_new(3, CLUSTER_DISK);
    uint64_t early = cluster_register(c, 1, 0), session = cluster_register(c, 2, 0);
    assert_int_equal(1, cluster_incr(c, 1, early, 1, 0));
    for (uint64_t number = 1; number <= 20; number++) {
        cluster_incr(c, 2, session, number, 0);
        cluster_run(c, 1);
    }
    cluster_run(c, 200);
    for (uint8_t i = 0; i < 3; i++) {
        assert_int_equal(16, cluster_core(c, i)->checkpoint_op);
        assert_false(cluster_core(c, i)->checkpoint_storing);
        cluster_crash(c, i);
    }
    for (uint8_t i = 0; i < 3; i++) cluster_start(c, i);
    assert_true(cluster_converge(c));
    for (uint8_t i = 0; i < 3; i++) assert_true(cluster_core(c, i)->log.first > 4);
    assert_int_equal(1, cluster_incr(c, 1, early, 1, cluster_primary(c)));
    assert_int_equal(21, cluster_read(c, cluster_primary(c), 100));
    assert_int_equal(22, cluster_incr(c, 1, early, 2, cluster_primary(c)));
    cluster_free(c);
}

/* Rule: what the application refuses does not enter the log. */
static void pit_1_7_an_operation_that_is_none_is_refused_before_it_is_logged(void **unused)
{
    (void)unused;
    struct cluster *c = cluster_new(3, CLUSTER_MEMORY);
    uint64_t session = cluster_register(c, 1, 0);
    uint64_t op = cluster_core(c, 0)->log.op;
    struct kv_op nameless = {.verb = KV_PUT, .value = bytes_of("v")};
    cluster_send_op(c, 1, session, 1, 0, &nameless);
    cluster_settle(c);
    struct cluster_answer answer = cluster_answer(c, 1, 1, KV_PUT);
    assert_int_equal(1, answer.n_rejects);
    assert_int_equal(WIRE_REJECT_INVALID, answer.reason);
    assert_int_equal(op, cluster_core(c, 0)->log.op);
    assert_int_equal(1, cluster_incr(c, 1, session, 1, 0)); /* its number is free */
    cluster_free(c);
}

/* Rule: a quorum is more than half of all members, also of an even number. */
static void pit_1_6_half_of_an_even_group_is_not_a_quorum(void **unused)
{
    (void)unused;
    struct cluster *c = cluster_new(4, CLUSTER_MEMORY);
    uint64_t session = cluster_register(c, 1, 0);
    cluster_run(c, 50);
    for (int a = 0; a < 2; a++)
        for (int b = 2; b < 4; b++) {
            cluster_drop(c, a, b, CLUSTER_ALL);
            cluster_drop(c, b, a, CLUSTER_ALL);
        }
    cluster_try_incr(c, 1, session, 1, 0);
    cluster_run(c, 3000);
    assert_int_equal(2, cluster_core(c, 1)->log.op);
    assert_int_equal(0, cluster_answer(c, 1, 1, KV_INCR).n_replies);
    for (uint8_t i = 0; i < 4; i++) {
        assert_int_equal(1, cluster_core(c, i)->commit);
        assert_int_equal(0, cluster_core(c, i)->view);
    }
    cluster_free(c);
}

/* Rule: acknowledgements are counted by replica. */
static void pit_1_8_an_acknowledgement_that_comes_twice_counts_once(void **unused)
{
    (void)unused;
    struct cluster *c = cluster_new(5, CLUSTER_MEMORY);
    uint64_t session = cluster_register(c, 1, 0);
    cluster_run(c, 50);
    starve(c, 2), starve(c, 3), starve(c, 4);
    cluster_try_incr(c, 1, session, 1, 0);
    cluster_repeat(c, 1, 0, WIRE_prepare_ok, 0);
    cluster_repeat(c, 1, 0, WIRE_prepare_ok, 0);
    assert_int_equal(2, cluster_core(c, 0)->acked_op[1]);
    assert_int_equal(1, cluster_core(c, 0)->commit);
    cluster_free(c);
}

/* Rule: what a backup acknowledged in a former view of this primary does not count in a later one.
 * Replica 1 held three entries that nobody else did, and that the views between have replaced. */
static void acknowledgements_do_not_outlive_their_view(void **unused)
{
    (void)unused;
    struct cluster *c = cluster_new(5, CLUSTER_MEMORY);
    uint64_t sessions[4];
    for (uint32_t client = 0; client < 4; client++)
        sessions[client] = cluster_register(c, client + 1, 0);
    cluster_run(c, 50);
    for (uint8_t i = 0; i < 2; i++)
        for (uint8_t other = 2; other < 5; other++)
            cluster_drop(c, i, other, CLUSTER_ALL), cluster_drop(c, other, i, CLUSTER_ALL);
    for (uint32_t client = 0; client < 3; client++)
        cluster_try_incr(c, client + 1, sessions[client], 1, 0);
    const struct vr *primary = cluster_core(c, 0);
    assert_int_equal(primary->acked_op[1], primary->log.op);
    uint64_t former = primary->log.op;
    cluster_run(c, 2000);
    assert_int_equal(1, cluster_incr(c, 4, sessions[3], 1, cluster_primary(c)));
    cluster_clear_rules(c);
    assert_true(cluster_converge(c));
    while (cluster_primary(c) != 0) {
        cluster_hand_over(c, cluster_primary(c));
        assert_true(cluster_converge(c));
    }
    assert_true(primary->log.op + 1 < former);
    cluster_drop(c, 0, CLUSTER_ALL, CLUSTER_ALL);
    cluster_pass(c, 0, 2, CLUSTER_ALL);
    cluster_try_incr(c, 4, sessions[3], 2, 0);
    assert_int_equal(primary->acked_op[2], primary->log.op);
    assert_int_equal(primary->commit, primary->log.op - 1); /* two of five hold it */
    cluster_clear_rules(c);
    assert_true(cluster_converge(c));
    cluster_free(c);
}

/* Rule: commit-number is only ever raised. */
static void pit_1_9_a_view_that_begins_with_less_does_not_unmake_a_commit(void **unused)
{
    (void)unused;
    struct cluster *c = cluster_new(5, CLUSTER_MEMORY);
    uint64_t session = cluster_register(c, 1, 0);
    cluster_run(c, 50);
    cluster_drop(c, 0, 1, WIRE_commit), cluster_drop(c, 0, 3, WIRE_commit);
    cluster_drop(c, 0, 4, WIRE_commit);
    cluster_incr(c, 1, session, 1, 0);
    cluster_run(c, 30); /* only 2 hears that it is committed */
    assert_int_equal(2, cluster_core(c, 2)->applied);
    assert_int_equal(1, cluster_core(c, 1)->applied);
    cluster_crash(c, 0);
    cluster_drop(c, 2, CLUSTER_ALL, WIRE_do_view_change);
    cluster_hold(c, CLUSTER_ALL, 1, WIRE_prepare_ok);
    cluster_hold(c, CLUSTER_ALL, 1, WIRE_commit_ok);
    for (int i = 0; i < 300 && cluster_core(c, 2)->view != 1; i++) cluster_run(c, 10);
    for (int i = 0; i < 300 && cluster_core(c, 2)->status != VR_NORMAL; i++) cluster_run(c, 10);
    struct wire_message m;
    cluster_last_sent(c, 1, 2, WIRE_start_view, &m);
    assert_int_equal(1, m.as.start_view.commit);
    assert_int_equal(2, cluster_core(c, 2)->commit);
    cluster_clear_rules(c);
    cluster_release(c, CLUSTER_ALL, CLUSTER_ALL, CLUSTER_ALL);
    assert_true(cluster_converge(c));
    assert_int_equal(2, cluster_incr(c, 1, session, 2, cluster_primary(c)));
    cluster_free(c);
}

/* Rule: a COMMIT counts for the log of its view only; a replica with an older log fetches first. */
static void pit_1_10_a_later_views_commit_does_not_execute_an_older_log(void **unused)
{
    (void)unused;
    struct cluster *c = cluster_new(5, CLUSTER_MEMORY);
    uint64_t session = cluster_register(c, 1, 0);
    cluster_run(c, 50);
    starve(c, 1), starve(c, 2), starve(c, 3);
    cluster_try_incr(c, 1, session, 1, 0); /* op 2 of view 0, at 0 and 4 only */
    assert_int_equal(2, cluster_core(c, 4)->log.op);
    cluster_clear_rules(c);
    cluster_isolate(c, 0), cluster_isolate(c, 4);
    cluster_run(c, 2000);
    assert_int_equal(1, cluster_primary(c));
    cluster_register(c, 2, 1); /* op 2 of view 1 */
    cluster_hold(c, CLUSTER_ALL, CLUSTER_ALL, WIRE_new_state);
    cluster_run(c, 100);
    cluster_repeat(c, 1, 4, WIRE_commit, 0);
    assert_int_equal(1, cluster_core(c, 4)->applied);
    assert_int_equal(0, cluster_core(c, 4)->log_view);
    cluster_clear_rules(c);
    assert_true(cluster_converge(c));
    assert_int_equal(0, cluster_read(c, cluster_primary(c), 100));
    cluster_free(c);
}

/* Rule: who is asked by a client of a later view judges no session: a later primary may know it. */
static void pit_1_11_a_deposed_primary_does_not_say_that_a_session_is_unknown(void **unused)
{
    (void)unused;
    struct cluster *c = cluster_new(3, CLUSTER_MEMORY);
    uint64_t early = cluster_register(c, 1, 0);
    assert_int_equal(1, cluster_incr(c, 1, early, 1, 0));
    cluster_isolate(c, 0);
    for (int i = 0; i < 100 && !vr_is_primary(cluster_core(c, 1)); i++) cluster_run(c, 10);
    uint64_t session = cluster_register(c, 2, 1);
    cluster_clients_know(c, 1);
    assert_true(vr_is_primary(cluster_core(c, 0))); /* so it believes */
    assert_false(cluster_core(c, 0)->suspects);
    cluster_try_incr(c, 2, session, 1, 0);
    struct cluster_answer answer = cluster_answer(c, 2, 1, KV_INCR);
    assert_int_equal(1, answer.n_rejects);
    assert_int_equal(WIRE_REJECT_UNAVAILABLE, answer.reason);
    assert_int_equal(2, cluster_incr(c, 2, session, 1, 1));
    cluster_free(c);
}

/* Rule: what arrives while the pipeline is full shares the next entry. */
static void requests_that_wait_for_the_pipeline_share_an_entry(void **unused)
{
    (void)unused;
    struct cluster *c = cluster_new(3, CLUSTER_MEMORY);
    uint64_t sessions[CLUSTER_SESSIONS];
    for (uint32_t i = 0; i < CLUSTER_SESSIONS; i++) sessions[i] = cluster_register(c, i, 0);
    cluster_run(c, 50);
    uint64_t op = cluster_core(c, 0)->log.op;
    cluster_hold(c, CLUSTER_ALL, 0, CLUSTER_ALL);
    for (uint32_t i = 0; i < CLUSTER_SESSIONS; i++) cluster_try_incr(c, i, sessions[i], 1, 0);
    assert_int_equal(op + 4, cluster_core(c, 0)->log.op); /* the pipeline is full */
    cluster_clear_rules(c);
    cluster_release(c, CLUSTER_ALL, 0, CLUSTER_ALL);
    assert_int_equal(op + 5, cluster_core(c, 0)->log.op);
    for (uint32_t i = 0; i < CLUSTER_SESSIONS; i++)
        assert_int_equal(i + 1, cluster_answer(c, i, 1, KV_INCR).kv.number);
    cluster_free(c);
}

/* Send increments until one is not answered: the log is full.  Gives its number. */
static uint64_t fill_log(struct cluster *c, uint64_t session, uint64_t n, uint32_t pause_ms)
{
    struct kv_op op = cluster_incr_op();
    for (uint64_t end = n + 1000; n < end; n++) {
        cluster_send_op(c, 1, session, n, 0, &op);
        cluster_run(c, pause_ms);
        if (cluster_answer(c, 1, n, KV_INCR).n_replies == 0) return n;
    }
    fail();
    return 0;
}

/* N5: a disk that hangs without an error stops its replica, and not the group. */
static void a_primary_whose_disk_hangs_leaves_when_its_log_is_full(void **unused)
{
    (void)unused;
    struct cluster *c = cluster_new(3, CLUSTER_DISK);
    uint64_t session = cluster_register(c, 1, 0);
    cluster_slow_disk(c, 0, true);
    uint64_t n = fill_log(c, session, 1, 20); /* until then the others' disks do for it */
    assert_true(vr_is_primary(cluster_core(c, 0)));
    cluster_run(c, 20000);
    uint8_t primary = cluster_primary(c);
    assert_int_not_equal(0, primary);
    assert_int_equal(n, cluster_incr(c, 1, session, n, primary));
    cluster_slow_disk(c, 0, false);
    assert_true(cluster_converge(c));
    cluster_free(c);
}

/* N5: the request to change the members waits for room, and no other is taken any more. */
static void a_primary_whose_disk_hangs_does_not_keep_the_epoch_closed(void **unused)
{
    (void)unused;
    struct group g = group_of_three(CLUSTER_DISK);
    const struct vr *core = cluster_core(g.c, 0);
    cluster_add(g.c, LIST(0, 1, 2, 3));
    cluster_slow_disk(g.c, 0, true);
    for (uint64_t n = 1; core->log.op - core->log.keep_after <= core->log.mask; n++)
        assert_int_equal(n, cluster_incr(g.c, 1, g.session, n, 0)); /* until the log is full */
    ask(&g, 1, 0, LIST(0, 1, 2, 3));
    cluster_run(g.c, 1000);
    assert_true(core->proposal.closing && vr_is_primary(core));
    cluster_run(g.c, 10000);
    assert_int_not_equal(0, cluster_primary(g.c));
    cluster_slow_disk(g.c, 0, false);
    assert_true(cluster_move(g.c, 2, g.admin, 1, LIST(0, 1, 2, 3)));
    cluster_free(g.c);
}

/* N5: the disk of a primary that leads again has as much time as that of any other. */
static void the_time_that_a_disk_has_begins_with_the_view(void **unused)
{
    (void)unused;
    struct cluster *c = cluster_new(3, CLUSTER_DISK);
    uint64_t session = cluster_register(c, 1, 0);
    cluster_run(c, 1000); /* the disk is looked at, and was not waited for */
    for (uint8_t leader = 0; leader < 3; leader++) {
        cluster_run(c, 5000); /* then not, for a long time */
        cluster_hand_over(c, leader);
        cluster_run(c, 100);
    }
    assert_int_equal(3, cluster_core(c, 0)->view);
    assert_true(vr_is_primary(cluster_core(c, 0)));
    cluster_slow_disk(c, 0, true);
    fill_log(c, session, 1, 0);
    cluster_run(c, 1000);
    assert_int_equal(3, cluster_core(c, 0)->view);
    cluster_run(c, 10000);
    assert_true(cluster_core(c, 1)->view > 3);
    cluster_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_write_runs_at_every_replica_and_is_answered_by_the_primary),
        cmocka_unit_test(a_primary_whose_disk_hangs_slows_nobody),
        cmocka_unit_test(a_backup_acknowledges_before_it_executes),
        cmocka_unit_test(pit_1_1_a_heartbeat_does_not_commit_what_no_quorum_holds),
        cmocka_unit_test(pit_1_2_an_acknowledgement_of_another_entry_does_not_count),
        cmocka_unit_test(pit_1_3_an_old_prepare_does_not_cut_the_log),
        cmocka_unit_test(pit_1_4_a_request_that_was_cut_off_does_not_lock_its_client_out),
        cmocka_unit_test(pit_1_5_a_restart_from_a_checkpoint_keeps_the_answers),
        cmocka_unit_test(pit_1_7_an_operation_that_is_none_is_refused_before_it_is_logged),
        cmocka_unit_test(pit_1_6_half_of_an_even_group_is_not_a_quorum),
        cmocka_unit_test(pit_1_8_an_acknowledgement_that_comes_twice_counts_once),
        cmocka_unit_test(acknowledgements_do_not_outlive_their_view),
        cmocka_unit_test(pit_1_9_a_view_that_begins_with_less_does_not_unmake_a_commit),
        cmocka_unit_test(pit_1_10_a_later_views_commit_does_not_execute_an_older_log),
        cmocka_unit_test(pit_1_11_a_deposed_primary_does_not_say_that_a_session_is_unknown),
        cmocka_unit_test(requests_that_wait_for_the_pipeline_share_an_entry),
        cmocka_unit_test(a_primary_whose_disk_hangs_leaves_when_its_log_is_full),
        cmocka_unit_test(a_primary_whose_disk_hangs_does_not_keep_the_epoch_closed),
        cmocka_unit_test(the_time_that_a_disk_has_begins_with_the_view),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

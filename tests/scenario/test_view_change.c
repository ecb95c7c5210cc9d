/* SPDX-License-Identifier: BSD-2-Clause */
/* View changes (PROTOCOL section 2): a story for each pitfall that is a rule of
 * lib/vr/view_change.c.  Each names the rule; without it the story fails. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "scenario/cluster_state.h"

/* Until the replica lives in `view`, normal or not; false after 20 s. */
static bool run_until_view(struct cluster *c, uint8_t replica, uint64_t view)
{
    for (int i = 0; i < 2000 && cluster_core(c, replica)->view != view; i++) cluster_run(c, 10);
    return cluster_core(c, replica)->view == view;
}

static void when_the_primary_dies_the_others_go_on_with_all_that_was_answered(void **unused)
{
    (void)unused;
    struct cluster *c = cluster_new(3, CLUSTER_MEMORY);
    uint64_t session = cluster_register(c, 1, 0);
    cluster_incr(c, 1, session, 1, 0);
    cluster_crash(c, 0);
    assert_true(cluster_converge(c));
    assert_int_equal(1, cluster_primary(c));
    assert_int_equal(2, cluster_incr(c, 1, session, 2, 1));
    cluster_free(c);
}

static void cut_off_from_all(struct cluster *c, uint8_t replica, uint8_t n_replicas)
{
    cluster_crash(c, replica);
    for (uint8_t i = 0; i < n_replicas; i++)
        if (cluster_is_up(c, i)) cluster_cut(c, i, replica);
}

static void when_all_connections_to_the_primary_break_nobody_waits(void **unused)
{
    (void)unused;
    struct cluster *c = cluster_new(3, CLUSTER_MEMORY);
    cut_off_from_all(c, 0, 3);
    cluster_settle(c);
    assert_int_equal(1, cluster_primary(c));
    cluster_free(c);
}

/* Replica 1 would be the next primary. */
static void a_replica_that_is_known_to_be_away_is_not_waited_for(void **unused)
{
    (void)unused;
    struct cluster *c = cluster_new(5, CLUSTER_MEMORY);
    cut_off_from_all(c, 1, 5);
    cut_off_from_all(c, 0, 5);
    cluster_settle(c);
    assert_int_equal(1, cluster_core(c, 2)->view);
    cluster_run(c, 100);
    assert_int_equal(2, cluster_primary(c));
    cluster_free(c);
}

static void one_broken_connection_deposes_nobody(void **unused)
{
    (void)unused;
    struct cluster *c = cluster_new(3, CLUSTER_MEMORY);
    uint64_t session = cluster_register(c, 1, 0);
    cluster_cut(c, 2, 0);
    assert_true(cluster_core(c, 2)->suspects);
    cluster_run(c, 100);
    assert_false(cluster_core(c, 2)->suspects);
    assert_int_equal(0, cluster_core(c, 2)->view);
    assert_int_equal(1, cluster_incr(c, 1, session, 1, 0));
    cluster_free(c);
}

/* Rule: a backup whose view does not begin votes as soon as its vote is all that is missing (V10).
 * Replica 1 has tried so often that it would wait for half a minute. */
static void the_most_patient_does_not_keep_the_group_waiting(void **unused)
{
    (void)unused;
    struct cluster *c = cluster_new(3, CLUSTER_DISK);
    cluster_crash(c, 0);
    cluster_drop(c, CLUSTER_ALL, CLUSTER_ALL, WIRE_do_view_change);
    for (int i = 0; i < 10 && cluster_core(c, 1)->view < 6; i++)
        run_until_view(c, 1, cluster_core(c, 1)->view + 1);
    assert_int_equal(6, cluster_core(c, 1)->view); /* that of replica 0 */
    cluster_crash(c, 2);
    cluster_start(c, 2);
    cluster_clear_rules(c);
    cluster_run(c, 4000);
    assert_true(cluster_has_traced(c, 1, "the vote of one that waits for a view"));
    assert_int_equal(1, cluster_primary(c));
    cluster_free(c);
}

static void a_planned_hand_over_needs_no_time_out(void **unused)
{
    (void)unused;
    struct cluster *c = cluster_new(3, CLUSTER_MEMORY);
    cluster_hand_over(c, 0);
    cluster_settle(c);
    assert_int_equal(1, cluster_primary(c));
    assert_int_equal(VR_NORMAL, cluster_core(c, 0)->status);
    cluster_free(c);
}

/* Rule: START-VIEW is accepted for a later view, or for the own one while it has not begun. */
static void pit_2_1_a_start_view_that_comes_twice_does_not_cut_the_log(void **unused)
{
    (void)unused;
    struct cluster *c = cluster_new(3, CLUSTER_MEMORY);
    uint64_t session = cluster_register(c, 1, 0);
    cluster_hand_over(c, 0);
    cluster_settle(c);
    cluster_drop(c, 1, CLUSTER_ALL, WIRE_commit); /* 2 does not hear that it is committed */
    cluster_incr(c, 1, session, 1, 1);
    assert_int_equal(2, cluster_core(c, 2)->log.op);
    assert_int_equal(1, cluster_core(c, 2)->commit);
    cluster_repeat(c, 1, 2, WIRE_start_view, 0);
    assert_int_equal(2, cluster_core(c, 2)->log.op);
    cluster_crash(c, 1);
    assert_true(cluster_converge(c));
    assert_int_equal(1, cluster_read(c, cluster_primary(c), 100));
    cluster_free(c);
}

/* Rule: only START-VIEW-CHANGE of a later view is a reason to leave normal operation. */
static void pit_2_2_old_votes_do_not_disturb_a_view_that_began(void **unused)
{
    (void)unused;
    struct cluster *c = cluster_new(3, CLUSTER_MEMORY);
    cluster_isolate(c, 0); /* it abdicates and wants view 1, too */
    assert_true(run_until_view(c, 1, 1));
    cluster_run(c, 2000);
    assert_true(cluster_count_sent(c, 0, 1, WIRE_start_view_change) > 0);
    cluster_clear_rules(c);
    assert_true(cluster_converge(c));
    assert_int_equal(1, cluster_core(c, 1)->view);
    cluster_repeat(c, 0, 1, WIRE_start_view_change, 0);
    cluster_repeat(c, 2, 1, WIRE_start_view_change, 0);
    assert_int_equal(VR_NORMAL, cluster_core(c, 1)->status);
    assert_int_equal(1, cluster_core(c, 1)->view);
    cluster_free(c);
}

/* Rule: the log of the largest log_view is chosen, whatever its length. */
static void pit_2_3_a_longer_log_of_an_older_view_loses(void **unused)
{
    (void)unused;
    struct cluster *c = cluster_new(3, CLUSTER_MEMORY);
    uint64_t sessions[4];
    for (uint32_t i = 0; i < 4; i++) sessions[i] = cluster_register(c, i, 0);
    cluster_run(c, 50);
    cluster_isolate(c, 0);
    for (uint32_t i = 1; i < 4; i++) cluster_try_incr(c, i, sessions[i], 1, 0);
    assert_int_equal(7, cluster_core(c, 0)->log.op); /* three entries nobody else has */
    assert_true(run_until_view(c, 1, 1));
    cluster_run(c, 100);
    assert_int_equal(1, cluster_incr(c, 0, sessions[0], 1, 1));
    cluster_crash(c, 1);
    cluster_clear_rules(c);
    cluster_drop(c, 2, 0, WIRE_new_state); /* 0 keeps its log until the views are compared */
    assert_true(run_until_view(c, 2, 2));
    cluster_clear_rules(c);
    assert_true(cluster_converge(c));
    assert_int_equal(2, cluster_incr(c, 0, sessions[0], 2, cluster_primary(c)));
    cluster_free(c);
}

/* Rule: log_view moves together with the log, not when a view is entered.  Here 4 has a longer log
 * of view 0, entered view 1, and missed its start. */
static void pit_2_4_a_view_that_was_only_entered_labels_no_log(void **unused)
{
    (void)unused;
    struct cluster *c = cluster_new(5, CLUSTER_MEMORY);
    uint64_t sessions[4];
    for (uint32_t i = 0; i < 4; i++) sessions[i] = cluster_register(c, i, 0);
    cluster_run(c, 50);
    for (int i = 1; i <= 3; i++) cluster_drop(c, 0, i, CLUSTER_ALL);
    for (uint32_t i = 1; i < 4; i++) cluster_try_incr(c, i, sessions[i], 1, 0);
    cluster_drop(c, 0, CLUSTER_ALL, CLUSTER_ALL);
    cluster_drop(c, 4, CLUSTER_ALL, WIRE_do_view_change);
    cluster_drop(c, 1, 4, CLUSTER_ALL);
    for (int i = 0; i < 300 && !vr_is_primary(cluster_core(c, 1)); i++) cluster_run(c, 10);
    assert_int_equal(1, cluster_incr(c, 0, sessions[0], 1, 1));
    const struct vr *missed = cluster_core(c, 4);
    assert_int_equal(1, missed->view);
    assert_int_equal(0, missed->log_view);
    assert_true(missed->log.op > cluster_core(c, 1)->log.op);
    cluster_crash(c, 0);
    cluster_crash(c, 1);
    cluster_clear_rules(c);
    assert_true(cluster_converge(c));
    assert_int_equal(2, cluster_incr(c, 0, sessions[0], 2, cluster_primary(c)));
    cluster_free(c);
}

/* Rule: START-VIEW-CHANGE is a pre-vote; one replica's wish moves nobody. */
static void pit_2_5_a_replica_that_hears_nothing_does_not_depose_a_healthy_primary(void **unused)
{
    (void)unused;
    struct cluster *c = cluster_new(5, CLUSTER_MEMORY);
    uint64_t session = cluster_register(c, 1, 0);
    cluster_drop(c, CLUSTER_ALL, 4, CLUSTER_ALL);
    for (uint64_t number = 1; number <= 10; number++) {
        cluster_run(c, 300);
        assert_int_equal(number, cluster_incr(c, 1, session, number, 0));
    }
    assert_true(cluster_count_sent(c, 4, 0, WIRE_start_view_change) > 0);
    for (uint8_t i = 0; i < 4; i++) assert_int_equal(0, cluster_core(c, i)->view);
    cluster_free(c);
}

/* Rule: a primary that a quorum does not answer falls silent and wants the next view itself. */
static void pit_2_6_a_primary_that_hears_nothing_gives_way(void **unused)
{
    (void)unused;
    struct cluster *c = cluster_new(3, CLUSTER_MEMORY);
    uint64_t session = cluster_register(c, 1, 0);
    cluster_drop(c, CLUSTER_ALL, 0, CLUSTER_ALL);
    cluster_run(c, 3000);
    assert_int_equal(1, cluster_primary(c));
    assert_int_equal(1, cluster_incr(c, 1, session, 1, 1));
    cluster_free(c);
}

/* Rule: who wants view v + 2 proves that v + 1 was voted for: go there, then count the vote. */
static void pit_2_7_replicas_one_view_apart_find_together(void **unused)
{
    (void)unused;
    struct cluster *c = cluster_new(5, CLUSTER_MEMORY);
    cluster_drop(c, 4, CLUSTER_ALL, WIRE_do_view_change); /* only its votes arrive */
    cluster_forge(c, 3, 4, 1, &wire_shape_do_view_change, &(struct wire_do_view_change){0});
    assert_int_equal(1, cluster_core(c, 4)->view);
    cluster_crash(c, 0);
    cluster_crash(c, 3); /* 1 and 2 need the vote of 4 */
    assert_true(run_until_view(c, 1, 1));
    cluster_clear_rules(c);
    assert_true(cluster_converge(c));
    cluster_free(c);
}

/* Rule: a replica in a view change that hears its primary at work asks for START-VIEW. */
static void pit_2_8_a_lost_start_view_is_asked_for(void **unused)
{
    (void)unused;
    struct cluster *c = cluster_new(3, CLUSTER_MEMORY);
    cluster_drop(c, 1, 2, WIRE_start_view);
    cluster_hand_over(c, 0);
    cluster_settle(c);
    assert_int_equal(1, cluster_primary(c));
    assert_int_equal(VR_VIEW_CHANGE, cluster_core(c, 2)->status);
    cluster_clear_rules(c);
    cluster_run(c, 100);
    assert_int_equal(VR_NORMAL, cluster_core(c, 2)->status);
    assert_int_equal(1, cluster_core(c, 2)->view);
    assert_true(cluster_count_sent(c, 2, 1, WIRE_request_start_view) > 0);
    cluster_free(c);
}

/* Rule: after the promise of a view nothing of an older one is appended or acknowledged. */
static void pit_2_9_a_late_prepare_does_not_change_what_was_promised(void **unused)
{
    (void)unused;
    struct cluster *c = cluster_new(3, CLUSTER_MEMORY);
    uint64_t session = cluster_register(c, 1, 0);
    cluster_run(c, 50);
    cluster_hold(c, 0, CLUSTER_ALL, WIRE_prepare);
    cluster_drop(c, 0, CLUSTER_ALL, WIRE_new_state);
    cluster_drop(c, 0, CLUSTER_ALL, WIRE_commit); /* it falls silent */
    cluster_try_incr(c, 1, session, 1, 0);
    cluster_hold(c, 2, 1, WIRE_do_view_change);
    cluster_drop(c, 0, CLUSTER_ALL, WIRE_do_view_change);
    assert_true(run_until_view(c, 1, 1));
    assert_true(cluster_core(c, 1)->promised);
    uint32_t acks = cluster_count_sent(c, 1, 0, WIRE_prepare_ok);
    cluster_release(c, 0, 1, WIRE_prepare);
    assert_int_equal(1, cluster_core(c, 1)->log.op);
    assert_int_equal(acks, cluster_count_sent(c, 1, 0, WIRE_prepare_ok));
    assert_int_equal(1, cluster_core(c, 0)->commit);
    cluster_free(c);
}

/* Rule: a restarted primary leaves its view, since it may have forgotten what it had prepared
 * there. */
static void pit_2_10_a_restarted_primary_does_not_prepare_again_in_its_view(void **unused)
{
    (void)unused;
    struct cluster *c = cluster_new(3, CLUSTER_DISK);
    uint64_t session = cluster_register(c, 1, 0);
    cluster_run(c, 50);
    cluster_slow_disk(c, 0, true); /* x reaches 1, but not the primary's own disk */
    cluster_drop(c, 0, 2, WIRE_prepare);
    cluster_drop(c, CLUSTER_ALL, 2, WIRE_new_state);
    cluster_try_incr(c, 1, session, 1, 0);
    assert_int_equal(2, cluster_core(c, 1)->log.op);
    cluster_crash(c, 0);
    cluster_slow_disk(c, 0, false);
    cluster_start(c, 0);
    cluster_settle(c);
    assert_false(vr_is_primary(cluster_core(c, 0)));
    assert_int_equal(1, cluster_core(c, 0)->view);
    cluster_clear_rules(c);
    assert_true(cluster_converge(c));
    assert_int_equal(1, cluster_incr(c, 1, session, 1, cluster_primary(c)));
    cluster_free(c);
}

/* Rule: the new primary has all entries of its view, durably, before it says that it begins. */
static void pit_2_11_a_view_begins_when_its_primary_holds_what_it_begins_with(void **unused)
{
    (void)unused;
    struct cluster *c = cluster_new(3, CLUSTER_DISK);
    uint64_t session = cluster_register(c, 1, 0);
    cluster_run(c, 50);
    cluster_drop(c, 0, 1, WIRE_prepare);
    cluster_hold(c, CLUSTER_ALL, 1, WIRE_new_state);
    assert_int_equal(1, cluster_incr(c, 1, session, 1, 0));
    cluster_hand_over(c, 0);
    cluster_run(c, 20);
    assert_int_equal(VR_TRANSFER_NEW_PRIMARY, cluster_core(c, 1)->transfer.kind);
    assert_int_equal(0, cluster_count_sent(c, 1, CLUSTER_ALL, WIRE_start_view));
    cluster_slow_disk(c, 1, true);
    cluster_release(c, CLUSTER_ALL, 1, WIRE_new_state);
    assert_true(cluster_core(c, 1)->starting);
    assert_int_equal(2, cluster_core(c, 1)->log.op);
    cluster_run(c, 20);
    assert_int_equal(0, cluster_count_sent(c, 1, CLUSTER_ALL, WIRE_start_view));
    cluster_slow_disk(c, 1, false);
    cluster_clear_rules(c);
    assert_true(cluster_converge(c));
    assert_int_equal(1, cluster_primary(c));
    assert_int_equal(2, cluster_incr(c, 1, session, 2, 1));
    cluster_free(c);
}

/* Rule: a view far beyond the own one is not believed. */
static void pit_2_12_an_impossible_view_moves_nobody(void **unused)
{
    (void)unused;
    struct cluster *c = cluster_new(3, CLUSTER_MEMORY);
    uint64_t bomb = UINT64_MAX - 1;
    cluster_forge(c, 0, 1, bomb, &wire_shape_commit, &(struct wire_commit){.sequence = 1});
    cluster_forge(c, 0, 1, bomb, &wire_shape_do_view_change, &(struct wire_do_view_change){0});
    cluster_forge(c, 0, 1, bomb, &wire_shape_start_view_change,
                  &(struct wire_start_view_change){0});
    cluster_forge(c, 0, 1, bomb, &wire_shape_start_view, &(struct wire_start_view){0});
    cluster_run(c, 1000);
    for (uint8_t i = 0; i < 3; i++) {
        assert_int_equal(VR_NORMAL, cluster_core(c, i)->status);
        assert_int_equal(0, cluster_core(c, i)->view);
    }
    cluster_free(c);
}

/* Rule: with a disk the view is durable before it is promised. */
static void a_promise_waits_for_the_disk(void **unused)
{
    (void)unused;
    struct cluster *c = cluster_new(3, CLUSTER_DISK);
    cluster_slow_disk(c, 2, true);
    cluster_crash(c, 0);
    assert_true(run_until_view(c, 2, 1));
    cluster_run(c, 100);
    assert_int_equal(0, cluster_count_sent(c, 2, CLUSTER_ALL, WIRE_do_view_change));
    cluster_slow_disk(c, 2, false);
    assert_true(cluster_converge(c));
    assert_true(cluster_count_sent(c, 2, CLUSTER_ALL, WIRE_do_view_change) > 0);
    cluster_free(c);
}

/* Rule: a later view matters more than the log that a former one's primary was fetching. */
static void a_primary_that_could_not_begin_its_view_joins_the_next(void **unused)
{
    (void)unused;
    struct cluster *c = cluster_new(3, CLUSTER_MEMORY);
    uint64_t session = cluster_register(c, 1, 0);
    cluster_run(c, 50);
    cluster_drop(c, CLUSTER_ALL, 1, WIRE_new_state);
    cluster_drop(c, 0, 1, WIRE_prepare);
    cluster_incr(c, 1, session, 1, 0);
    cluster_hand_over(c, 0);
    cluster_run(c, 20);
    assert_int_equal(VR_TRANSFER_NEW_PRIMARY, cluster_core(c, 1)->transfer.kind);
    cluster_isolate(c, 1);
    for (int i = 0; i < 500 && cluster_core(c, 2)->log_view < 2; i++) cluster_run(c, 10);
    assert_int_equal(1, cluster_core(c, 1)->view);
    cluster_clear_rules(c);
    assert_true(cluster_converge(c));
    cluster_free(c);
}

/* Rule: once entries that a later view has committed stand in our log, nothing more is done in our
 * view: a primary would use an op-number of its view twice. */
static void pit_2_10_a_deposed_primary_prepares_nothing_more(void **unused)
{
    (void)unused;
    struct cluster *c = cluster_new(3, CLUSTER_MEMORY);
    uint64_t session = cluster_register(c, 1, 0), other = cluster_register(c, 2, 0);
    struct kv_op op = cluster_incr_op();
    cluster_run(c, 50);
    cluster_isolate(c, 0);
    cluster_send_op(c, 1, session, 1, 0, &op);
    for (int i = 0; i < 100 && !vr_is_primary(cluster_core(c, 1)); i++) cluster_run(c, 10);
    cluster_run(c, 20);
    cluster_incr(c, 2, other, 1, 1);
    cluster_clear_rules(c);
    cluster_hold(c, 1, 0, WIRE_new_state);
    cluster_drop(c, 1, 0, WIRE_start_view);
    const struct vr *core = cluster_core(c, 0);
    while (cluster_count_sent(c, 1, 0, WIRE_new_state) == 0) cluster_run(c, 10);
    struct wire_message answer;
    cluster_last_sent(c, 1, 0, WIRE_new_state, &answer);
    answer.as.new_state.op += 10; /* there is more, and it is long in coming */
    cluster_forge(c, 1, 0, 1, &wire_shape_new_state, &answer.as.new_state);
    assert_true(vr_is_primary(core)); /* so it believes */
    assert_int_equal(0, core->log_view);
    assert_int_equal(1, log_last(&core->log)->view);
    uint32_t prepared = cluster_count_sent(c, 0, CLUSTER_ALL, WIRE_prepare);
    cluster_send_register(c, 3, 1, 0);
    cluster_settle(c);
    assert_int_equal(prepared, cluster_count_sent(c, 0, CLUSTER_ALL, WIRE_prepare));
    cluster_clear_rules(c);
    assert_true(cluster_converge(c));
    cluster_free(c);
}

/* Rule: V12; a promise whose log nobody gives is not waited for; what came meanwhile counts. */
static void who_promised_and_died_is_not_waited_for(void **unused)
{
    (void)unused;
    struct cluster *c = cluster_new(3, CLUSTER_DISK);
    uint64_t session = cluster_register(c, 1, 0);
    assert_int_equal(cluster_incr(c, 1, session, 1, 0), 1);
    cluster_run(c, 50);
    cluster_drop(c, 0, CLUSTER_ALL, WIRE_prepare); /* the next entry is in its log alone */
    cluster_drop(c, 0, CLUSTER_ALL, WIRE_commit);
    cluster_drop(c, 1, 0, WIRE_get_state);
    cluster_hold(c, 2, 1, WIRE_do_view_change);
    struct kv_op op = cluster_incr_op();
    cluster_send_op(c, 1, session, 2, 0, &op);
    for (int i = 0; i < 100 && cluster_core(c, 1)->transfer.kind == VR_TRANSFER_NONE; i++)
        cluster_run(c, 10);
    assert_int_equal(cluster_core(c, 1)->transfer.kind, VR_TRANSFER_NEW_PRIMARY);
    assert_int_equal(cluster_core(c, 1)->transfer.peer, 0);
    cluster_crash(c, 0);
    assert_true(cluster_release(c, 2, 1, WIRE_do_view_change) > 0);
    cluster_run(c, 500);
    assert_int_equal(cluster_primary(c), 1);
    assert_int_equal(cluster_core(c, 1)->view, 1);
    cluster_free(c);
}

/* The primary was told of a longer pipeline than the others.  Rule: what it has in flight they can
 * take in one step, when one of them has it all, and the other nothing. */
static void the_pipeline_of_the_primary_is_longer(void **unused)
{
    (void)unused;
    static const uint8_t value[CLUSTER_VALUE_MAX];
    struct kv_op op = {.verb = KV_PUT, .key = bytes_of("k"), .value = {value, sizeof value}};
    struct cluster *c = cluster_new_blank(3, CLUSTER_DISK);
    uint64_t sessions[13];
    for (uint8_t i = 0; i < 3; i++) {
        c->members[i].config.max_clients = 12;
        c->members[i].config.pipeline = i == 0 ? PIPELINE_MAX : 1;
        c->members[i].config.transfer_mib_per_s = 1;
        cluster_start(c, i);
    }
    assert_true(cluster_converge(c));
    for (uint32_t i = 1; i <= 12; i++) sessions[i] = cluster_register(c, i, 0);
    cluster_drop(c, CLUSTER_ALL, 0, WIRE_prepare_ok);
    cluster_drop(c, 0, 1, WIRE_prepare);
    for (uint32_t i = 1; i <= 12; i++) {
        cluster_send_op(c, i, sessions[i], 1, 0, &op);
        cluster_settle(c);
    }
    assert_int_equal(12 + IN_FLIGHT_BATCHES, cluster_core(c, 2)->log.op);
    cluster_crash(c, 0);
    assert_true(cluster_converge(c));
    assert_true(cluster_core(c, 1)->commit >= 12 + IN_FLIGHT_BATCHES);
    cluster_free(c);
}

/* Logs are as small as they may be, and hold what was executed since the last checkpoint.  Rule:
 * that gives way to what a new view begins with: nobody waits for a checkpoint that is not due. */
static void a_log_makes_room_for_what_a_view_begins_with(void **unused)
{
    (void)unused;
    static const uint8_t value[CLUSTER_VALUE_MAX];
    struct kv_op op = {.verb = KV_PUT, .key = bytes_of("k"), .value = {value, sizeof value}};
    struct kv_op less = {.verb = KV_PUT, .key = bytes_of("k"), .value = {value, 1900}};
    struct cluster *c = cluster_new_blank(3, CLUSTER_DISK);
    uint64_t sessions[4];
    for (uint8_t i = 0; i < 3; i++) {
        c->members[i].config.log_bytes = 4 * c->members[i].config.batch_bytes;
        cluster_start(c, i);
    }
    assert_true(cluster_converge(c));
    for (uint32_t i = 1; i <= 3; i++) sessions[i] = cluster_register(c, i, 0);
    cluster_send_op(c, 1, sessions[1], 1, 0, &op);
    cluster_settle(c);
    cluster_send_op(c, 1, sessions[1], 2, 0, &less);
    assert_true(cluster_converge(c));
    assert_int_equal(cluster_core(c, 1)->checkpoint_op, 0);
    cluster_drop(c, CLUSTER_ALL, 0, WIRE_prepare_ok);
    cluster_drop(c, CLUSTER_ALL, 0, WIRE_commit_ok);
    cluster_drop(c, 0, 1, WIRE_prepare);
    for (uint32_t i = 2; i <= 3; i++) {
        cluster_send_op(c, i, sessions[i], 1, 0, &op);
        cluster_settle(c);
    }
    assert_int_equal(cluster_core(c, 2)->log.op, 7);
    cluster_crash(c, 0);
    assert_true(cluster_converge(c));
    assert_int_equal(cluster_core(c, 1)->commit, 7);
    cluster_free(c);
}

/* Rule: who was given a smaller log than others, and cannot take what they have under way, says so,
 * and what to do. */
static void a_log_may_be_too_small_for_what_a_view_begins_with(void **unused)
{
    (void)unused;
    static const uint8_t value[CLUSTER_VALUE_MAX];
    char text[VR_OVER_SIZE];
    struct kv_op op = {.verb = KV_PUT, .key = bytes_of("k"), .value = {value, sizeof value}};
    struct cluster *c = cluster_new_blank(3, CLUSTER_DISK);
    uint64_t sessions[5], enough = c->members[1].config.log_bytes;
    c->members[1].config.log_bytes = 4 * c->members[1].config.batch_bytes;
    for (uint8_t i = 0; i < 3; i++) cluster_start(c, i);
    assert_true(cluster_converge(c));
    for (uint32_t i = 1; i <= 4; i++) sessions[i] = cluster_register(c, i, 0);
    cluster_drop(c, CLUSTER_ALL, 0, WIRE_prepare_ok);
    cluster_drop(c, CLUSTER_ALL, 0, WIRE_commit_ok);
    cluster_drop(c, 0, 1, WIRE_prepare);
    for (uint32_t i = 1; i <= 4; i++) {
        cluster_send_op(c, i, sessions[i], 1, 0, &op);
        cluster_settle(c);
    }
    assert_int_equal(cluster_core(c, 2)->log.op, 8);
    cluster_crash(c, 0);
    cluster_run(c, 1500);
    assert_true(cluster_has_traced(c, 1, "log-too-small"));
    assert_non_null(strstr(vr_waiting_for(cluster_core(c, 1), text, sizeof text), "log_bytes"));
    cluster_crash(c, 1);
    c->members[1].config.log_bytes = enough;
    cluster_start(c, 1);
    assert_true(cluster_converge(c));
    assert_int_equal(cluster_core(c, 1)->commit, 8);
    cluster_free(c);
}

/* Rule: what a primary said once is no sign of life when it comes again. */
static void an_old_heartbeat_keeps_no_primary(void **unused)
{
    (void)unused;
    struct cluster *c = cluster_new(3, CLUSTER_MEMORY);
    uint64_t session = cluster_register(c, 1, 0);
    cluster_isolate(c, 0);
    for (int i = 0; i < 100 && cluster_core(c, 1)->view == 0; i++) {
        cluster_run(c, 20);
        for (uint8_t to = 1; to < 3; to++) cluster_repeat(c, 0, to, WIRE_commit, 0);
    }
    assert_int_equal(cluster_core(c, 1)->view, 1);
    cluster_run(c, 100);
    assert_int_equal(cluster_incr(c, 1, session, 1, 1), 1);
    cluster_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(when_the_primary_dies_the_others_go_on_with_all_that_was_answered),
        cmocka_unit_test(when_all_connections_to_the_primary_break_nobody_waits),
        cmocka_unit_test(a_replica_that_is_known_to_be_away_is_not_waited_for),
        cmocka_unit_test(one_broken_connection_deposes_nobody),
        cmocka_unit_test(an_old_heartbeat_keeps_no_primary),
        cmocka_unit_test(the_most_patient_does_not_keep_the_group_waiting),
        cmocka_unit_test(a_planned_hand_over_needs_no_time_out),
        cmocka_unit_test(pit_2_1_a_start_view_that_comes_twice_does_not_cut_the_log),
        cmocka_unit_test(pit_2_2_old_votes_do_not_disturb_a_view_that_began),
        cmocka_unit_test(pit_2_3_a_longer_log_of_an_older_view_loses),
        cmocka_unit_test(pit_2_4_a_view_that_was_only_entered_labels_no_log),
        cmocka_unit_test(pit_2_5_a_replica_that_hears_nothing_does_not_depose_a_healthy_primary),
        cmocka_unit_test(pit_2_6_a_primary_that_hears_nothing_gives_way),
        cmocka_unit_test(pit_2_7_replicas_one_view_apart_find_together),
        cmocka_unit_test(pit_2_8_a_lost_start_view_is_asked_for),
        cmocka_unit_test(pit_2_9_a_late_prepare_does_not_change_what_was_promised),
        cmocka_unit_test(pit_2_10_a_restarted_primary_does_not_prepare_again_in_its_view),
        cmocka_unit_test(pit_2_11_a_view_begins_when_its_primary_holds_what_it_begins_with),
        cmocka_unit_test(pit_2_12_an_impossible_view_moves_nobody),
        cmocka_unit_test(a_promise_waits_for_the_disk),
        cmocka_unit_test(a_primary_that_could_not_begin_its_view_joins_the_next),
        cmocka_unit_test(pit_2_10_a_deposed_primary_prepares_nothing_more),
        cmocka_unit_test(who_promised_and_died_is_not_waited_for),
        cmocka_unit_test(the_pipeline_of_the_primary_is_longer),
        cmocka_unit_test(a_log_makes_room_for_what_a_view_begins_with),
        cmocka_unit_test(a_log_may_be_too_small_for_what_a_view_begins_with),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* Back from the disk (lib/vr/restart.c): an intact folder goes on, an old copy of it stops. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "scenario/cluster_state.h"
#include "scenario/members.h"

static void incr_to(struct cluster *c, uint64_t session, uint64_t first, uint64_t last)
{
    for (uint64_t number = first; number <= last; number++)
        cluster_incr(c, 1, session, number, cluster_primary(c));
    cluster_run(c, 50);
}

static void restart(struct cluster *c, uint8_t replica)
{
    cluster_crash(c, replica);
    cluster_start(c, replica);
    assert_true(cluster_converge(c));
}

static const char *why_over(const struct cluster *c, uint8_t replica)
{
    static char text[300];
    return vr_is_over(cluster_core(c, replica), text, sizeof text);
}

/* Words of one that takes part. */
static uint32_t count_parts(const struct cluster *c, uint8_t replica)
{
    static const int commands[] = {WIRE_prepare_ok, WIRE_commit_ok, WIRE_start_view_change,
                                   WIRE_do_view_change, WIRE_start_view, WIRE_commit};
    uint32_t sent = 0;
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        sent += cluster_count_sent(c, replica, CLUSTER_ALL, commands[i]);
    return sent;
}

/* Rule: each start from the disk has a number above the last, and all know it. */
static void starts_are_counted(void **unused)
{
    (void)unused;
    struct cluster *c = cluster_new(3, CLUSTER_DISK);
    for (uint64_t start = 1; start <= 3; start++) {
        restart(c, 1);
        for (uint8_t i = 0; i < 3; i++) {
            uint64_t incarnation = cluster_core(c, i)->crash_vector[1];
            assert_int_equal(0, vr_incarnation_losses(incarnation));
            assert_int_equal(start, vr_incarnation_starts(incarnation));
        }
    }
    cluster_free(c);
}

/* Rule: a bare quorum of restarted replicas goes on without the rest. */
static void a_bare_quorum_restarts(void **unused)
{
    (void)unused;
    struct cluster *c = cluster_new(3, CLUSTER_DISK);
    uint64_t session = cluster_register(c, 1, 0);
    incr_to(c, session, 1, 5);
    for (uint8_t i = 0; i < 3; i++) cluster_crash(c, i);
    cluster_start(c, 0);
    cluster_run(c, 2000);
    assert_true(cluster_core(c, 0)->restarting);
    cluster_start(c, 2);
    assert_true(cluster_converge(c));
    assert_int_equal(6, cluster_incr(c, 1, session, 6, cluster_primary(c)));
    cluster_free(c);
}

/* Rule: a folder from before the newest start is refused, and takes part in nothing. */
static void an_old_copy_stops(void **unused)
{
    (void)unused;
    struct cluster *c = cluster_new(3, CLUSTER_DISK);
    uint64_t session = cluster_register(c, 1, 0);
    incr_to(c, session, 1, 5);
    cluster_crash(c, 1);
    cluster_keep_copy(c, 1);
    cluster_start(c, 1);
    assert_true(cluster_converge(c));
    incr_to(c, session, 6, 10);
    cluster_crash(c, 1);
    cluster_put_back(c, 1, c);
    uint32_t before = count_parts(c, 1);
    cluster_start(c, 1);
    cluster_run(c, 1000);
    assert_non_null(why_over(c, 1));
    assert_non_null(strstr(why_over(c, 1), "in use twice: replica "));
    assert_int_equal(before, count_parts(c, 1));
    cluster_crash(c, 1);
    cluster_wipe(c, 1);
    cluster_start(c, 1);
    assert_true(cluster_converge(c));
    assert_int_equal(1, vr_incarnation_losses(cluster_core(c, 0)->crash_vector[1]));
    cluster_free(c);
}

/* Rule: so it is where only those are left that were out of reach when it started: they are told as
 * soon as they are not. */
static void an_old_copy_stops_before_who_was_out_of_reach(void **unused)
{
    (void)unused;
    struct cluster *c = cluster_new(3, CLUSTER_DISK);
    cluster_isolate(c, 2);
    cluster_crash(c, 1);
    cluster_keep_copy(c, 1);
    cluster_start(c, 1);
    cluster_run(c, 50);
    assert_int_equal(VR_NORMAL, cluster_core(c, 1)->status);
    assert_int_equal(0, cluster_core(c, 2)->crash_vector[1]);
    cluster_clear_rules(c);
    cluster_set_clock(&c->members[1]);
    node_on_peer_connected(c->members[1].node, 2, true);
    node_turn_end(c->members[1].node);
    cluster_run(c, 50);
    cluster_crash(c, 0);
    cluster_crash(c, 1);
    cluster_put_back(c, 1, c);
    cluster_start(c, 1);
    cluster_run(c, 1000);
    assert_non_null(why_over(c, 1));
    cluster_free(c);
}

/* Rule: a start that is not let in does not count, so an old copy cannot catch up. */
static void an_old_copy_does_not_catch_up(void **unused)
{
    (void)unused;
    struct cluster *c = cluster_new(3, CLUSTER_DISK);
    cluster_crash(c, 1);
    cluster_keep_copy(c, 1);
    cluster_start(c, 1);
    assert_true(cluster_converge(c));
    cluster_crash(c, 1);
    cluster_put_back(c, 1, c);
    cluster_drop(c, 1, CLUSTER_ALL, CLUSTER_ALL);
    for (int i = 0; i < 5; i++) {
        cluster_start(c, 1);
        cluster_run(c, 500);
        cluster_crash(c, 1);
    }
    cluster_clear_rules(c);
    cluster_start(c, 1);
    cluster_run(c, 500);
    assert_non_null(why_over(c, 1));
    cluster_free(c);
}

/* Rule: a copy that was made in the newest life is refused, too, by whoever has heard it hold more
 * than is in it: its primary, or the backups whose primary it was. */
static void a_copy_of_the_running_life_stops(void **unused)
{
    (void)unused;
    for (uint8_t replica = 0; replica < 2; replica++) {
        struct cluster *c = cluster_new(3, CLUSTER_DISK);
        uint64_t session = cluster_register(c, 1, 0);
        incr_to(c, session, 1, 5);
        cluster_keep_copy(c, replica);
        incr_to(c, session, 6, 10);
        cluster_crash(c, replica);
        cluster_put_back(c, replica, c);
        cluster_start(c, replica);
        cluster_run(c, 1000);
        assert_non_null(why_over(c, replica));
        assert_non_null(strstr(why_over(c, replica), "it ends at op-number 6, replica "));
        assert_non_null(strstr(why_over(c, replica), "remembers that it held 11"));
        cluster_free(c);
    }
}

/* The copy is of when the replica was yet to be a member, and has the token that the membership
 * names.  Rule (E6): it is refused like any other, be it that the replica has lost its state since
 * or was in its first life as a member until now. */
static void an_old_copy_of_a_learner_stops(void **unused)
{
    (void)unused;
    const uint8_t all[] = {0, 1, 2, 3};
    for (int lost = 0; lost < 2; lost++) {
        struct cluster *c = cluster_new(3, CLUSTER_DISK);
        uint64_t session = cluster_register(c, 1, 0), admin = cluster_register(c, 2, 0);
        cluster_add(c, all, 4);
        cluster_hold(c, 3, 0, WIRE_learned);
        cluster_send_reconfigure(c, 2, admin, 1, 0, cluster_core(c, 0), all, 4);
        cluster_run(c, 100);
        struct vstamp_id token = cluster_core(c, 3)->tokens[NOT_A_MEMBER];
        cluster_keep_copy(c, 3);
        cluster_clear_rules(c);
        assert_true(cluster_move(c, 2, admin, 1, all, 4));
        assert_true(vstamp_id_equal(token, cluster_core(c, 0)->membership.members[3].token));
        incr_to(c, session, 1, 5);
        cluster_crash(c, 3);
        if (lost) {
            cluster_wipe(c, 3);
            cluster_start(c, 3);
            assert_true(cluster_converge(c));
            cluster_crash(c, 3);
        }
        cluster_put_back(c, 3, c);
        uint32_t before = count_parts(c, 3);
        cluster_start(c, 3);
        assert_int_equal(NOT_A_MEMBER, cluster_core(c, 3)->config.self);
        cluster_run(c, 1000);
        assert_non_null(why_over(c, 3));
        assert_non_null(strstr(why_over(c, 3), lost ? "(after 1 loss of its state)"
                                                    : "remembers that it held"));
        assert_int_equal(before, count_parts(c, 3));
        cluster_free(c);
    }
}

/* Rule: but one that has not been a member since is let in. */
static void a_learner_restarts_before_it_is_a_member(void **unused)
{
    (void)unused;
    static const uint8_t newcomers[] = {3, 4};
    struct cluster *c = cluster_new(3, CLUSTER_DISK);
    uint64_t session = cluster_register(c, 1, 0), admin = cluster_register(c, 2, 0);
    for (int i = 0; i < 2; i++) cluster_add(c, newcomers, 2);
    cluster_hold(c, 4, 0, WIRE_learned);
    for (int i = 0; i < 10; i++) {
        cluster_send_reconfigure(c, 2, admin, 1, 0, cluster_core(c, 0), newcomers, 2);
        cluster_run(c, 20);
    }
    for (uint8_t i = 3; i < 5; i++) {
        assert_int_equal(NOT_A_MEMBER, cluster_core(c, i)->config.self);
        cluster_crash(c, i);
        cluster_start(c, i);
    }
    cluster_clear_rules(c);
    assert_true(cluster_move(c, 2, admin, 1, newcomers, 2));
    incr_to(c, session, 1, 1);
    for (uint8_t i = 3; i < 5; i++) {
        uint64_t life = cluster_core(c, 3)->crash_vector[i - 3];
        assert_int_equal(1, vr_incarnation_starts(life));
        assert_int_equal(life, cluster_core(c, 4)->crash_vector[i - 3]);
    }
    cluster_free(c);
}

/* Rule: a folder of another group is refused once too few are left to form a quorum with. */
static void a_folder_of_another_group_stops(void **unused)
{
    (void)unused;
    struct cluster *c = cluster_new_blank(3, CLUSTER_DISK), *other = cluster_new(3, CLUSTER_DISK);
    cluster_run(c, 7000);
    for (uint8_t i = 0; i < 3; i++) { /* another life, so other tokens */
        cluster_start(c, i);
        cluster_crash(c, i);
        cluster_wipe(c, i);
    }
    for (uint8_t i = 0; i < 3; i++) cluster_start(c, i);
    assert_true(cluster_converge(c));
    assert_false(vstamp_id_equal(cluster_core(c, 0)->group, cluster_core(other, 0)->group));
    cluster_crash(other, 2);
    cluster_start(other, 2);
    assert_true(cluster_converge(other));
    cluster_keep_copy(other, 2);
    cluster_crash(c, 2);
    cluster_put_back(other, 2, c);
    uint64_t known = cluster_core(c, 0)->crash_vector[2];
    cluster_crash(c, 1);
    cluster_start(c, 2);
    cluster_run(c, 2000);
    assert_true(cluster_core(c, 2)->restarting); /* it may be 0 that is of another group */
    cluster_start(c, 1);
    cluster_run(c, 2000);
    assert_non_null(why_over(c, 2));
    assert_non_null(strstr(why_over(c, 2), "another group"));
    assert_int_equal(VR_NORMAL, cluster_core(c, 0)->status);
    assert_int_equal(known, cluster_core(c, 0)->crash_vector[2]); /* the other one's is not ours */
    cluster_free(c);
    cluster_free(other);
}

/* Rule: S6; who waits to be a member may have been of a group that is left since, and what was said
 * there comes late. */
static void an_answer_from_a_group_that_was_left_is_none(void **unused)
{
    (void)unused;
    static const uint8_t newcomers[] = {3, 4};
    struct wire_message late;
    struct cluster *c = cluster_new(3, CLUSTER_DISK);
    uint64_t session = cluster_register(c, 1, 0);
    for (int i = 0; i < 2; i++) cluster_add(c, newcomers, 2);
    cluster_run(c, 500);
    cluster_crash(c, 4);
    cluster_start(c, 4);
    cluster_run(c, 500);
    assert_int_equal(VR_NORMAL, cluster_core(c, 4)->status);
    assert_true(cluster_move(c, 1, session, 1, newcomers, 2));
    cluster_last_sent(c, 3, 4, WIRE_restart_ok, &late);
    assert_false(vstamp_id_equal(late.header.group, cluster_core(c, 4)->group));
    cluster_crash(c, 4);
    cluster_drop(c, 4, 3, WIRE_restart);
    cluster_start(c, 4);
    cluster_run(c, 20);
    assert_true(cluster_core(c, 4)->restarting);
    cluster_repeat(c, 3, 4, WIRE_restart_ok, 0);
    cluster_settle(c);
    assert_null(why_over(c, 4));
    cluster_clear_rules(c);
    assert_true(cluster_converge(c));
    cluster_free(c);
}

/* Rule: S6; the number of a start that was not let in is taken again (S5), and who had noted it
 * then may have lost that with its disk. */
static void an_answer_to_a_former_start_lets_nobody_in(void **unused)
{
    (void)unused;
    struct cluster *c = cluster_new(5, CLUSTER_DISK);
    cluster_crash(c, 1);
    cluster_hold(c, CLUSTER_ALL, 1, WIRE_restart_ok);
    cluster_start(c, 1);
    cluster_run(c, 20);
    uint64_t life = cluster_core(c, 1)->incarnation;
    cluster_crash(c, 1);
    cluster_crash(c, 2);
    cluster_wipe(c, 2);
    cluster_start(c, 2);
    assert_true(cluster_converge(c));
    cluster_drop(c, 1, CLUSTER_ALL, WIRE_restart);
    cluster_start(c, 1);
    cluster_run(c, 20);
    assert_int_equal(life, cluster_core(c, 1)->incarnation);
    assert_true(cluster_release(c, 2, 1, WIRE_restart_ok) > 0);
    cluster_settle(c);
    assert_int_equal(0, cluster_core(c, 1)->noted);
    cluster_clear_rules(c);
    assert_true(cluster_converge(c));
    cluster_free(c);
}

/* S5: a member that comes back to a later epoch is let in before it has what that begins with.
 * When it begins it takes part, durably: its next life has another number. */
static void who_begins_an_epoch_after_a_restart_has_lived(void **unused)
{
    (void)unused;
    struct group g = group_of_three(CLUSTER_DISK);
    struct cluster *c = g.c;
    uint8_t away = (uint8_t)((cluster_primary(c) + 1) % 3);
    cluster_crash(c, away);
    cluster_add(c, LIST(0, 1, 2, 3));
    assert_true(cluster_move(c, 2, g.admin, 1, LIST(0, 1, 2, 3)));
    cluster_drop(c, CLUSTER_ALL, away, WIRE_new_state);
    cluster_start(c, away);
    cluster_run(c, 300);
    assert_int_equal(cluster_core(c, away)->epoch, 1);
    assert_int_equal(cluster_core(c, away)->status, VR_TRANSITIONING);
    cluster_clear_rules(c);
    for (int i = 0; i < 1000 && cluster_core(c, away)->status == VR_TRANSITIONING; i++)
        cluster_run(c, 1);
    assert_int_equal(cluster_core(c, away)->status, VR_NORMAL);
    uint64_t life = cluster_core(c, away)->incarnation;
    cluster_crash(c, away);
    cluster_start(c, away);
    assert_true(cluster_core(c, away)->incarnation > life);
    assert_true(cluster_converge(c));
    cluster_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(starts_are_counted),
        cmocka_unit_test(a_bare_quorum_restarts),
        cmocka_unit_test(an_old_copy_stops),
        cmocka_unit_test(an_old_copy_stops_before_who_was_out_of_reach),
        cmocka_unit_test(an_old_copy_does_not_catch_up),
        cmocka_unit_test(a_copy_of_the_running_life_stops),
        cmocka_unit_test(an_old_copy_of_a_learner_stops),
        cmocka_unit_test(a_learner_restarts_before_it_is_a_member),
        cmocka_unit_test(a_folder_of_another_group_stops),
        cmocka_unit_test(an_answer_from_a_group_that_was_left_is_none),
        cmocka_unit_test(an_answer_to_a_former_start_lets_nobody_in),
        cmocka_unit_test(who_begins_an_epoch_after_a_restart_has_lived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

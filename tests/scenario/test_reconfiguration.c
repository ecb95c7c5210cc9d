/* SPDX-License-Identifier: BSD-2-Clause */
/* Reconfiguration (lib/vr/reconfiguration.c, lib/vr/epoch.c) as stories. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "scenario/members.h"

/* --- growing, shrinking, replacing ------------------------------------------------------------ */

static void grow_and_shrink(int mode)
{
    struct group g = group_of_three(mode);
    struct cluster *c = g.c;
    assert_int_equal(cluster_incr(c, 1, g.session, 1, cluster_primary(c)), 1);
    cluster_add(c, LIST(0, 1, 2, 3, 4));
    cluster_add(c, LIST(0, 1, 2, 3, 4));
    assert_true(cluster_move(c, 2, g.admin, 1, LIST(0, 1, 2, 3, 4)));
    assert_int_equal(cluster_core(c, 4)->epoch, 1);
    assert_int_equal(cluster_core(c, 0)->quorum, 3);
    assert_int_equal(cluster_incr(c, 1, g.session, 2, cluster_primary(c)), 2);
    assert_true(cluster_move(c, 2, g.admin, 2, LIST(4, 3, 0)));
    assert_int_equal(cluster_core(c, 0)->epoch, 2);
    assert_int_equal(cluster_core(c, 0)->config.self, 2);
    assert_false(cluster_is_up(c, 1)); /* replaced, and not needed any more */
    assert_false(cluster_is_up(c, 2));
    assert_int_equal(cluster_incr(c, 1, g.session, 3, cluster_primary(c)), 3);
    cluster_free(c);
}

static void a_group_grows_and_shrinks(void **state)
{
    (void)state;
    grow_and_shrink(CLUSTER_MEMORY);
    grow_and_shrink(CLUSTER_DISK);
}

/* The new ones have formed a group of their own, which was never used. */
static void replace_all(int mode)
{
    struct group g = group_of_three(mode);
    struct cluster *c = g.c;
    for (uint64_t i = 1; i <= 40; i++)
        assert_int_equal(cluster_incr(c, 1, g.session, i, cluster_primary(c)), i);
    for (int i = 0; i < 3; i++) cluster_add(c, LIST(3, 4, 5));
    cluster_run(c, 500);
    assert_int_equal(cluster_core(c, 4)->status, VR_NORMAL);
    assert_true(cluster_move(c, 2, g.admin, 1, LIST(3, 4, 5)));
    for (uint8_t i = 0; i < 3; i++) assert_false(cluster_is_up(c, i));
    assert_int_equal(cluster_incr(c, 1, g.session, 41, cluster_primary(c)), 41);
    cluster_free(c);
}

static void all_members_are_replaced_at_once(void **state)
{
    (void)state;
    replace_all(CLUSTER_MEMORY);
    replace_all(CLUSTER_DISK);
}

/* The group that new members have formed is gone when one of them, killed meanwhile, comes back to
 * it from its disk: nobody is there who could let it in, and still it may learn. */
static void a_member_to_be_restarts_while_the_others_learn(void **state)
{
    (void)state;
    struct group g = group_of_three(CLUSTER_DISK);
    struct cluster *c = g.c;
    for (int i = 0; i < 3; i++) cluster_add(c, LIST(3, 4, 5));
    cluster_run(c, 500);
    assert_int_equal(cluster_core(c, 5)->status, VR_NORMAL);
    cluster_crash(c, 5);
    for (int i = 0; i < 10; i++) {
        ask(&g, 1, cluster_primary(c), LIST(3, 4, 5));
        cluster_run(c, 20);
    }
    assert_int_equal(cluster_core(c, 3)->status, VR_TRANSITIONING); /* they have left it */
    assert_int_equal(cluster_core(c, 4)->status, VR_TRANSITIONING);
    cluster_start(c, 5);
    assert_true(cluster_core(c, 5)->restarting);
    assert_true(cluster_move(c, 2, g.admin, 1, LIST(3, 4, 5)));
    assert_int_equal(cluster_incr(c, 1, g.session, 1, cluster_primary(c)), 1);
    cluster_free(c);
}

/* PIT-8.7, 8.8 */
static void a_replaced_replica_stays_until_a_quorum_has_begun(void **state)
{
    (void)state;
    struct group g = group_of_three(CLUSTER_DISK);
    struct cluster *c = g.c;
    for (int i = 0; i < 3; i++) cluster_add(c, LIST(3, 4, 5));
    cluster_drop(c, 4, CLUSTER_ALL, WIRE_epoch_started);
    cluster_drop(c, 5, CLUSTER_ALL, WIRE_epoch_started);
    for (int i = 0; i < 100; i++) {
        if (cluster_core(c, 0)->epoch == 0) ask(&g, 1, cluster_primary(c), LIST(3, 4, 5));
        cluster_run(c, 20);
    }
    assert_int_equal(cluster_core(c, 0)->epoch, 1);
    for (uint8_t i = 0; i < 3; i++) {
        assert_int_equal(cluster_core(c, i)->status, VR_TRANSITIONING);
        assert_int_equal(cluster_core(c, i)->begun, 1); /* that of replica 3 */
        assert_false(cluster_core(c, i)->retired);
    }
    cluster_clear_rules(c);
    cluster_run(c, 3000);
    for (uint8_t i = 0; i < 3; i++) assert_false(cluster_is_up(c, i));
    cluster_start(c, 1); /* its folder says that it is not needed */
    assert_true(cluster_core(c, 1)->retired);
    assert_true(cluster_core(c, 1)->over);
    cluster_free(c);
}

/* E4: the first of the replaced that new members hear lacks the log that they look for.  All have
 * restarted, and know of none but themselves. */
static void members_fetch_from_all_who_were_replaced(void **state)
{
    (void)state;
    struct group g = group_of_three(CLUSTER_DISK);
    struct cluster *c = g.c;
    cluster_isolate(c, 2);
    assert_int_equal(cluster_incr(c, 1, g.session, 1, 0), 1);
    for (int i = 0; i < 2; i++) cluster_add(c, LIST(3, 4));
    cluster_drop(c, 4, CLUSTER_ALL, WIRE_learned);
    ask(&g, 1, 0, LIST(3, 4));
    cluster_run(c, 200); /* both hold all there is by now */
    cluster_clear_rules(c);
    cluster_isolate(c, 2);
    cluster_drop(c, CLUSTER_ALL, 3, WIRE_new_state);
    cluster_drop(c, CLUSTER_ALL, 4, WIRE_new_state);
    cluster_run(c, 200);
    assert_int_equal(cluster_core(c, 3)->status, VR_TRANSITIONING);
    cluster_crash(c, 3);
    cluster_crash(c, 4);
    cluster_clear_rules(c);
    cluster_run(c, 500);
    assert_true(cluster_core(c, 2)->replaced);
    assert_true(cluster_core(c, 2)->log.op < cluster_core(c, 0)->log.op);
    for (uint8_t i = 0; i < 3; i++) cluster_crash(c, i);
    cluster_start(c, 2);
    cluster_start(c, 3);
    cluster_start(c, 4);
    cluster_run(c, 500);
    assert_int_equal(cluster_core(c, 3)->status, VR_TRANSITIONING);
    assert_int_equal(cluster_core(c, 3)->guests.n, 1);
    cluster_start(c, 0);
    cluster_start(c, 1);
    cluster_run(c, 3000);
    for (uint8_t i = 0; i < 3; i++) assert_false(cluster_is_up(c, i)); /* not needed any more */
    assert_int_equal(cluster_incr(c, 1, g.session, 2, cluster_primary(c)), 2);
    cluster_free(c);
}

/* F4: the only one with the checkpoint that a member on its way into the epoch fetches is gone for
 * good; the others have an older one, and a log that goes on from it. */
static void a_fetch_does_not_wait_for_who_is_gone(void **state)
{
    (void)state;
    struct group g = group_of_three(CLUSTER_DISK);
    struct cluster *c = g.c;
    uint64_t number = 0;
    cluster_isolate(c, 2);
    cluster_add(c, LIST(0, 1, 2, 3));
    while (cluster_core(c, 3)->config.self == NOT_A_MEMBER || cluster_core(c, 3)->epoch == 0) {
        ask(&g, 1, 0, LIST(0, 1, 2, 3));
        cluster_run(c, 20);
    }
    cluster_run(c, 100); /* it learns what time it is (clock.c, H3) */
    while (cluster_core(c, 0)->commit % 16 != 15 ||
           cluster_core(c, 1)->log.first <= cluster_core(c, 2)->log.op + 1) {
        cluster_incr(c, 1, g.session, ++number, 0);
        cluster_run(c, 20);
    }
    cluster_drop(c, 0, CLUSTER_ALL, WIRE_commit);
    cluster_incr(c, 1, g.session, ++number, 0);
    uint64_t op = cluster_core(c, 0)->checkpoint_op;
    assert_true(op > cluster_core(c, 1)->checkpoint_op && cluster_core(c, 1)->log.op >= op);
    cluster_pass(c, CLUSTER_ALL, 2, CLUSTER_ALL);
    cluster_pass(c, 2, CLUSTER_ALL, CLUSTER_ALL);
    cluster_drop(c, 1, 2, WIRE_tree);
    cluster_drop(c, 3, 2, WIRE_tree);
    cluster_drop(c, 0, 2, WIRE_pages);
    for (int ms = 0; ms < 1000 && cluster_core(c, 2)->fetch.anchor.op != op; ms++)
        cluster_run(c, 1);
    assert_int_equal(cluster_core(c, 2)->fetch.anchor.op, op);
    cluster_crash(c, 0);
    cluster_clear_rules(c);
    assert_true(cluster_converge(c));
    assert_int_equal(cluster_core(c, 2)->epoch, 1);
    number++;
    assert_int_equal(cluster_incr(c, 1, g.session, number, cluster_primary(c)), number);
    cluster_free(c);
}

/* It was cut off when it was replaced, and once more. */
static void a_replica_that_slept_through_two_epochs_ends(void **state)
{
    (void)state;
    struct group g = group_of_three(CLUSTER_DISK);
    struct cluster *c = g.c;
    cluster_crash(c, 2);
    cluster_add(c, LIST(0, 1, 3));
    assert_true(cluster_move(c, 2, g.admin, 1, LIST(0, 1, 3)));
    assert_int_equal(cluster_incr(c, 1, g.session, 1, cluster_primary(c)), 1);
    cluster_add(c, LIST(0, 4, 3));
    assert_true(cluster_move(c, 2, g.admin, 2, LIST(0, 4, 3)));
    cluster_start(c, 2);
    cluster_run(c, 3000);
    assert_false(cluster_is_up(c, 2));
    assert_int_equal(cluster_core(c, 0)->epoch, 2);
    assert_int_equal(cluster_incr(c, 1, g.session, 2, cluster_primary(c)), 2);
    cluster_free(c);
}

/* --- what a request is told ------------------------------------------------------------------- */

/* PIT-8.11, 8.4 */
static void a_request_names_what_it_replaces(void **state)
{
    (void)state;
    struct group g = group_of_three(CLUSTER_MEMORY);
    struct cluster *c = g.c;
    struct vr first = {0};
    first.membership = cluster_core(c, 0)->membership;
    cluster_add(c, LIST(0, 1, 2, 3));
    assert_true(cluster_move(c, 2, g.admin, 1, LIST(0, 1, 2, 3)));
    uint64_t other = cluster_register(c, 3, cluster_primary(c));
    cluster_send_reconfigure(c, 3, other, 1, cluster_primary(c), &first, LIST(0, 1, 2));
    cluster_settle(c);
    assert_int_equal(cluster_answer_to(c, 3, 1).reason, WIRE_REJECT_CONFLICT);
    /* what is there already is no conflict: somebody asks again in a session of his own */
    cluster_send_reconfigure(c, 3, other, 1, cluster_primary(c), &first, LIST(0, 1, 2, 3));
    cluster_run(c, 50);
    assert_int_equal(cluster_answer_to(c, 3, 1).n_replies, 1);
    assert_int_equal(cluster_core(c, 0)->epoch, 1);
    /* nor are the same members the same membership when they come again */
    assert_true(cluster_move(c, 2, g.admin, 2, LIST(0, 1, 2)));
    cluster_send_reconfigure(c, 3, other, 2, cluster_primary(c), &first, LIST(0, 1, 2, 3));
    cluster_settle(c);
    assert_int_equal(cluster_answer_to(c, 3, 2).reason, WIRE_REJECT_CONFLICT);
    cluster_free(c);
}

static void nonsense_is_refused(void **state)
{
    (void)state;
    struct group g = group_of_three(CLUSTER_MEMORY);
    uint8_t primary = cluster_primary(g.c);
    ask(&g, 1, primary, LIST(0, 1, 1));
    assert_int_equal(cluster_answer_to(g.c, 2, 1).reason, WIRE_REJECT_INVALID);
    ask(&g, 1, primary, (const uint8_t[]){0}, 0);
    assert_int_equal(cluster_answer_to(g.c, 2, 1).n_rejects, 2);
    assert_int_equal(cluster_answer_to(g.c, 2, 1).reason, WIRE_REJECT_INVALID);
    cluster_free(g.c);
}

/* 7.5: the old members serve on, and the request is not even in the log. */
static void a_member_to_be_that_does_not_answer_costs_nothing(void **state)
{
    (void)state;
    struct group g = group_of_three(CLUSTER_MEMORY);
    struct cluster *c = g.c;
    uint8_t primary = cluster_primary(c);
    cluster_add(c, LIST(0, 1, 2, 3));
    cluster_crash(c, 3);
    ask(&g, 1, primary, LIST(0, 1, 2, 3));
    cluster_run(c, 100);
    assert_true(cluster_core(c, primary)->proposal.pending);
    ask(&g, 1, primary, LIST(0, 1, 2, 3));
    assert_int_equal(cluster_answer_to(c, 2, 1).reason, WIRE_REJECT_BUSY);
    uint64_t other = cluster_register(c, 3, primary);
    cluster_send_reconfigure(c, 3, other, 1, primary, cluster_core(c, primary), LIST(0, 1));
    assert_int_equal(cluster_answer_to(c, 3, 1).reason, WIRE_REJECT_CONFLICT); /* PIT-8.4 */
    for (uint64_t i = 1; i <= 10; i++) {
        assert_int_equal(cluster_incr(c, 1, g.session, i, primary), i);
        cluster_run(c, 500);
    }
    assert_false(cluster_core(c, primary)->proposal.pending);
    ask(&g, 1, primary, LIST(0, 1, 2, 3));
    assert_int_equal(cluster_answer_to(c, 2, 1).reason, WIRE_REJECT_CONFLICT);
    assert_int_equal(cluster_core(c, primary)->epoch, 0);
    cluster_free(c);
}

/* Nor does it wait because another one gets on: it is given up, by name. */
static void a_member_to_be_that_does_not_answer_is_named(void **state)
{
    (void)state;
    struct group g = group_of_three(CLUSTER_MEMORY);
    struct cluster *c = g.c;
    uint8_t primary = cluster_primary(c);
    cluster_add(c, LIST(0, 1, 2, 3, 4));
    cluster_add(c, LIST(0, 1, 2, 3, 4));
    cluster_crash(c, 4);
    ask(&g, 1, primary, LIST(0, 1, 2, 3, 4));
    uint64_t value = 0;
    for (int i = 0; i < 30 && cluster_core(c, primary)->proposal.pending; i++) {
        cluster_run(c, 200);
        value++;
        assert_int_equal(cluster_incr(c, 1, g.session, value, primary), value);
    }
    assert_false(cluster_core(c, primary)->proposal.pending);
    assert_true(cluster_has_traced(c, primary, "test:4 did not answer for "));
    assert_int_equal(cluster_core(c, primary)->epoch, 0);
    cluster_free(c);
}

/* What is much is not asked of the primary. */
static void a_member_to_be_fetches_from_backups(void **state)
{
    (void)state;
    struct group g = group_of_three(CLUSTER_MEMORY);
    struct cluster *c = g.c;
    uint8_t primary = cluster_primary(c);
    for (uint64_t i = 1; i <= 40; i++) cluster_incr(c, 1, g.session, i, primary);
    cluster_run(c, 100);
    cluster_add(c, LIST(0, 1, 2, 3));
    ask(&g, 1, primary, LIST(0, 1, 2, 3));
    cluster_run(c, 1000);
    assert_int_equal(cluster_core(c, 3)->epoch, 1);
    assert_in_range(cluster_count_sent(c, 3, primary, WIRE_get_state), 0, 1); /* the entry itself */
    assert_true(cluster_has_traced(c, 3, "a learner fetches of another member than the primary"));
    cluster_free(c);
}

/* It leads a group of its own, and somebody has used that. */
static void a_member_of_another_group_is_not_taken(void **state)
{
    (void)state;
    struct group g = group_of_three(CLUSTER_MEMORY);
    struct cluster *c = g.c;
    uint8_t primary = cluster_primary(c);
    cluster_add(c, LIST(3));
    struct wire_header header = {.sender = WIRE_SENDER_CLIENT};
    struct wire_request request = {
        .client = cluster_client_id(9), .number = 1, .kind = WIRE_KIND_REGISTER};
    uint8_t frame[256];
    size_t size = wire_frame_encode(&header, &wire_shape_request, &request, frame, sizeof frame);
    cluster_ask(c, 3, (struct bytes){frame, size});
    ask(&g, 1, primary, LIST(0, 1, 2, 3));
    cluster_run(c, 100);
    assert_false(cluster_core(c, primary)->proposal.pending);
    assert_int_equal(cluster_answer_to(c, 2, 1).reason, WIRE_REJECT_CONFLICT);
    assert_true(cluster_has_traced(c, primary, "test:3: it has the state of another group"));
    assert_int_equal(cluster_core(c, 3)->log.op, 1);
    cluster_free(c);
}

/* --- around the last entry -------------------------------------------------------------------- */

/* Until the entry is in the log of the primary; it reaches nobody. */
static uint8_t log_the_entry(struct group *g, const uint8_t *members, size_t n)
{
    uint8_t primary = cluster_primary(g->c);
    cluster_hold(g->c, primary, CLUSTER_ALL, WIRE_prepare);
    for (uint8_t i = 0; i < cluster_core(g->c, primary)->config.n_replicas; i++)
        cluster_hold(g->c, primary, i, WIRE_new_state); /* by which it would come, too */
    for (int i = 0; i < 200 && !vr_epoch_is_closed(cluster_core(g->c, primary)); i++) {
        ask(g, 1, primary, members, n);
        cluster_run(g->c, 10);
    }
    assert_true(vr_epoch_is_closed(cluster_core(g->c, primary)));
    return primary;
}

/* PIT-8.5: whoever leads then takes nothing behind it, and commits it. */
static void a_new_primary_finds_the_epoch_closed(void **state)
{
    (void)state;
    struct group g = group_of_three(CLUSTER_MEMORY);
    struct cluster *c = g.c;
    cluster_add(c, LIST(0, 1, 2, 3));
    uint8_t old = log_the_entry(&g, LIST(0, 1, 2, 3));
    cluster_isolate(c, old); /* no acknowledgement reaches it */
    cluster_release(c, old, (old + 1) % 3, WIRE_prepare);
    struct kv_op op = cluster_incr_op();
    cluster_send_op(c, 1, g.session, 1, old, &op);
    cluster_settle(c);
    assert_int_equal(cluster_answer(c, 1, 1, KV_INCR).reason, WIRE_REJECT_BUSY);
    uint64_t end = cluster_core(c, old)->log.op;
    cluster_run(c, 3000);
    uint8_t primary = cluster_primary(c);
    assert_int_not_equal(primary, old);
    assert_int_equal(cluster_core(c, primary)->epoch, 1);
    assert_int_equal(cluster_core(c, primary)->membership.op, end);
    cluster_clear_rules(c);
    assert_true(cluster_converge(c));
    assert_int_equal(cluster_incr(c, 1, g.session, 1, cluster_primary(c)), 1);
    cluster_free(c);
}

/* PIT-8.3: the entry itself counts with the old quorum, not with the new one. */
static void the_entry_needs_a_quorum_of_the_old_members(void **state)
{
    (void)state;
    struct cluster *c = cluster_new(5, CLUSTER_MEMORY);
    struct group g = {.c = c, .session = cluster_register(c, 1, 0)};
    g.admin = cluster_register(c, 2, 0);
    uint8_t old = log_the_entry(&g, LIST(0, 1, 2));
    cluster_hold(c, CLUSTER_ALL, 3, CLUSTER_ALL);
    cluster_hold(c, CLUSTER_ALL, 4, CLUSTER_ALL);
    cluster_hold(c, CLUSTER_ALL, 2, CLUSTER_ALL);
    cluster_release(c, old, 1, WIRE_prepare); /* two of three, but also two of five */
    assert_int_equal(cluster_core(c, 0)->epoch, 0);
    assert_int_equal(cluster_core(c, 1)->epoch, 0);
    cluster_clear_rules(c);
    cluster_release(c, old, 2, WIRE_prepare);
    cluster_run(c, 100);
    assert_int_equal(cluster_core(c, 0)->epoch, 1);
    cluster_free(c);
}

/* PIT-8.10: the last COMMIT is of the old epoch, so the old members move by themselves. */
static void old_members_hear_the_last_commit_in_their_epoch(void **state)
{
    (void)state;
    struct group g = group_of_three(CLUSTER_MEMORY);
    struct cluster *c = g.c;
    cluster_add(c, LIST(0, 1, 2, 3));
    cluster_drop(c, CLUSTER_ALL, CLUSTER_ALL, WIRE_start_epoch);
    cluster_drop(c, CLUSTER_ALL, CLUSTER_ALL, WIRE_new_epoch);
    for (int i = 0; i < 100 && cluster_core(c, 0)->epoch == 0; i++) {
        ask(&g, 1, 0, LIST(0, 1, 2, 3));
        cluster_run(c, 10);
    }
    cluster_settle(c);
    for (uint8_t i = 0; i < 3; i++) assert_int_equal(cluster_core(c, i)->epoch, 1);
    assert_int_equal(cluster_core(c, 3)->epoch, 0);
    cluster_clear_rules(c);
    assert_true(cluster_converge(c)); /* it asks whoever speaks to it of a later epoch */
    assert_int_equal(cluster_core(c, 3)->epoch, 1);
    cluster_free(c);
}

/* PIT-8.1, 8.6: who lacks the log up to the epoch's begin neither votes nor acknowledges. */
static void a_member_without_the_log_takes_part_in_nothing(void **state)
{
    (void)state;
    struct group g = group_of_three(CLUSTER_MEMORY);
    struct cluster *c = g.c;
    cluster_add(c, LIST(0, 1, 2, 3, 4));
    cluster_add(c, LIST(0, 1, 2, 3, 4));
    cluster_drop(c, 4, CLUSTER_ALL, WIRE_learned);
    ask(&g, 1, 0, LIST(0, 1, 2, 3, 4));
    cluster_run(c, 200); /* both hold all there is by now */
    cluster_clear_rules(c);
    cluster_drop(c, CLUSTER_ALL, 3, WIRE_new_state);
    cluster_drop(c, CLUSTER_ALL, 4, WIRE_new_state);
    cluster_run(c, 200);
    assert_int_equal(cluster_core(c, 3)->epoch, 1);
    assert_int_equal(cluster_core(c, 3)->status, VR_TRANSITIONING);
    uint32_t votes = cluster_count_sent(c, 3, CLUSTER_ALL, WIRE_start_view_change);
    cluster_crash(c, 0);
    cluster_run(c, 2000);
    assert_int_equal(cluster_count_sent(c, 3, CLUSTER_ALL, WIRE_do_view_change), 0);
    assert_int_equal(cluster_count_sent(c, 3, CLUSTER_ALL, WIRE_prepare_ok), 0);
    assert_int_equal(cluster_count_sent(c, 3, CLUSTER_ALL, WIRE_start_view_change), votes);
    cluster_clear_rules(c);
    assert_true(cluster_converge(c)); /* three of five hold all */
    assert_int_equal(cluster_incr(c, 1, g.session, 1, cluster_primary(c)), 1);
    cluster_free(c);
}

/* PIT-8.14 */
static void the_first_view_is_led_by_one_who_has_the_log(void **state)
{
    (void)state;
    struct group g = group_of_three(CLUSTER_MEMORY);
    struct cluster *c = g.c;
    cluster_add(c, LIST(3, 4, 0));
    cluster_add(c, LIST(3, 4, 0));
    assert_true(cluster_move(c, 2, g.admin, 1, LIST(3, 4, 0)));
    assert_int_equal(cluster_primary(c), 0);
    assert_int_equal(cluster_core(c, 0)->view, cluster_core(c, 0)->membership.first_view);
    assert_int_equal(cluster_core(c, 0)->config.self, 2);
    cluster_free(c);
}

/* --- memory and disks ------------------------------------------------------------------------- */

/* A group with disks goes on in its epoch, whatever its first configuration says. */
static void an_epoch_outlives_a_restart_of_all(void **state)
{
    (void)state;
    struct group g = group_of_three(CLUSTER_DISK);
    struct cluster *c = g.c;
    cluster_add(c, LIST(3, 1, 0));
    assert_true(cluster_move(c, 2, g.admin, 1, LIST(3, 1, 0)));
    assert_int_equal(cluster_incr(c, 1, g.session, 1, cluster_primary(c)), 1);
    for (uint8_t i = 0; i < 4; i++)
        if (cluster_is_up(c, i)) cluster_crash(c, i);
    cluster_start(c, 0);
    cluster_start(c, 1);
    cluster_start(c, 3);
    assert_true(cluster_converge(c));
    assert_int_equal(cluster_core(c, 3)->epoch, 1);
    assert_int_equal(cluster_core(c, 3)->config.self, 0);
    assert_int_equal(cluster_core(c, 0)->config.self, 2);
    assert_int_equal(cluster_incr(c, 1, g.session, 2, cluster_primary(c)), 2);
    cluster_free(c);
}

/* PIT-8.12, 3.1: a member that has lost its memory recovers, in the epoch that it hears of. */
static void a_member_without_memory_recovers_in_the_epoch(void **state)
{
    (void)state;
    struct group g = group_of_three(CLUSTER_MEMORY);
    struct cluster *c = g.c;
    cluster_add(c, LIST(0, 1, 3));
    assert_true(cluster_move(c, 2, g.admin, 1, LIST(0, 1, 3)));
    uint8_t backup = cluster_primary(c) == 1 ? 0 : 1;
    cluster_crash(c, backup);
    assert_int_equal(cluster_incr(c, 1, g.session, 1, cluster_primary(c)), 1);
    cluster_start(c, backup); /* with the first configuration, and blank */
    assert_true(cluster_converge(c));
    assert_int_equal(cluster_core(c, backup)->epoch, 1);
    assert_true(cluster_core(c, backup)->incarnation > 0);
    cluster_free(c);
}

/* E9: one of those whom it asks has not moved yet, and counts lives by other indices. */
static void a_recovery_counts_answers_of_its_own_epoch_only(void **state)
{
    (void)state;
    struct group g = group_of_three(CLUSTER_MEMORY);
    struct cluster *c = g.c;
    for (int i = 0; i < 2; i++) cluster_add(c, LIST(0, 1, 2, 3, 4));
    cluster_isolate(c, 1);
    while (cluster_core(c, 0)->epoch == 0) {
        ask(&g, 1, 0, LIST(0, 1, 2, 3, 4));
        cluster_run(c, 20);
    }
    cluster_run(c, 100);
    assert_int_equal(cluster_core(c, 3)->epoch, 1);
    assert_int_equal(cluster_core(c, 1)->epoch, 0);
    cluster_crash(c, 2);
    cluster_pass(c, 1, 2, WIRE_recovery_response);
    cluster_pass(c, 2, 1, WIRE_recovery);
    cluster_drop(c, 4, 2, CLUSTER_ALL);
    cluster_start(c, 2);
    cluster_run(c, 400);
    assert_true(cluster_count_sent(c, 1, 2, WIRE_recovery_response) > 0);
    assert_true(cluster_count_sent(c, 3, 2, WIRE_recovery_response) > 0);
    assert_int_equal(cluster_core(c, 2)->epoch, 1);
    assert_int_equal(cluster_core(c, 2)->incarnation, 0); /* two of its epoch are no majority */
    cluster_clear_rules(c);
    assert_true(cluster_converge(c));
    assert_int_equal(cluster_incr(c, 1, g.session, 1, cluster_primary(c)), 1);
    cluster_free(c);
}

/* E6: the entry names the life that it had before it lost its memory; it recovers, and executes it
 * then. */
static void who_recovers_while_the_epoch_changes_is_noted_in_it(void **state)
{
    (void)state;
    struct group g = group_of_three(CLUSTER_MEMORY);
    struct cluster *c = g.c;
    cluster_add(c, LIST(0, 1, 2, 3));
    cluster_drop(c, 0, CLUSTER_ALL, WIRE_prepare);
    while (cluster_core(c, 0)->log.op == cluster_core(c, 0)->commit) {
        ask(&g, 1, 0, LIST(0, 1, 2, 3));
        cluster_run(c, 20);
    }
    cluster_crash(c, 1);
    cluster_start(c, 1);
    cluster_clear_rules(c);
    assert_true(cluster_converge(c));
    const struct vr *r = cluster_core(c, 1);
    assert_int_equal(r->epoch, 1);
    assert_true(r->incarnation != r->membership.members[1].incarnation);
    assert_true(r->noted != 0);
    cluster_run(c, 100); /* it learns what time it is (clock.c, C3) */
    assert_int_equal(cluster_incr(c, 1, g.session, 1, cluster_primary(c)), 1);
    cluster_free(c);
}

/* PIT-8.12: one that was replaced comes again with an empty folder, at its old address, while
 * another member sleeps.  That one moves over two epochs at once: what it knows of the lives of the
 * first is not the second's. */
static void who_comes_again_at_its_address_is_another(void **state)
{
    (void)state;
    struct group g = group_of_three(CLUSTER_DISK);
    struct cluster *c = g.c;
    assert_int_equal(cluster_incr(c, 1, g.session, 1, cluster_primary(c)), 1);
    for (int i = 0; i < 2; i++) { /* so that its lives have been counted */
        cluster_crash(c, 2);
        cluster_start(c, 2);
        assert_true(cluster_converge(c));
    }
    assert_true(cluster_core(c, 1)->crash_vector[2] > 0);
    cluster_crash(c, 1);
    cluster_add(c, LIST(0, 1, 3));
    cluster_run(c, 500);
    assert_true(cluster_move(c, 2, g.admin, 1, LIST(0, 1, 3)));
    cluster_run(c, 500);
    assert_false(cluster_is_up(c, 2));
    cluster_wipe(c, 2);
    cluster_start(c, 2);
    assert_true(cluster_move(c, 2, g.admin, 2, LIST(0, 1, 2)));
    cluster_start(c, 1);
    assert_true(cluster_converge(c));
    assert_int_equal(cluster_core(c, 1)->epoch, 2);
    assert_int_equal(cluster_core(c, 1)->crash_vector[2], 0);
    cluster_crash(c, 0);
    assert_true(cluster_converge(c)); /* they count each other's words */
    assert_int_equal(cluster_incr(c, 1, g.session, 2, cluster_primary(c)), 2);
    cluster_free(c);
}

/* What it said in its former life comes late: it names a token that nobody has. */
static void a_learner_that_starts_again_is_another(void **state)
{
    (void)state;
    struct group g = group_of_three(CLUSTER_MEMORY);
    struct cluster *c = g.c;
    cluster_add(c, LIST(0, 1, 2, 3));
    cluster_drop(c, 3, 0, WIRE_learned);
    ask(&g, 1, 0, LIST(0, 1, 2, 3));
    cluster_run(c, 100);
    uint64_t nonce = cluster_core(c, 0)->proposal.nonce;
    cluster_run(c, 6000);
    assert_false(cluster_core(c, 0)->proposal.pending);
    cluster_crash(c, 3);
    ask(&g, 1, 0, LIST(0, 1, 2, 3)); /* is told why */
    ask(&g, 1, 0, LIST(0, 1, 2, 3));
    cluster_run(c, 50);
    assert_true(cluster_core(c, 0)->proposal.pending);
    assert_true(cluster_core(c, 0)->proposal.nonce != nonce);
    cluster_repeat(c, 3, 0, WIRE_learned, 0);
    assert_false(cluster_core(c, 0)->proposal.learners[3].heard);
    cluster_free(c);
}

/* --- clients ---------------------------------------------------------------------------------- */

/* PIT-8.9: what was executed in the old epoch is not executed again in the new one. */
static void a_request_of_the_old_epoch_runs_once(void **state)
{
    (void)state;
    struct group g = group_of_three(CLUSTER_MEMORY);
    struct cluster *c = g.c;
    assert_int_equal(cluster_incr(c, 1, g.session, 1, cluster_primary(c)), 1);
    for (int i = 0; i < 3; i++) cluster_add(c, LIST(3, 4, 5));
    assert_true(cluster_move(c, 2, g.admin, 1, LIST(3, 4, 5)));
    assert_int_equal(cluster_incr(c, 1, g.session, 1, cluster_primary(c)), 1);
    assert_int_equal(cluster_incr(c, 1, g.session, 2, cluster_primary(c)), 2);
    cluster_free(c);
}

/* A client that knows of epoch 0 asks this replica; gives the number of answers before. */
static size_t ask_as_client(struct cluster *c, uint8_t replica, uint8_t kind)
{
    struct wire_header header = {.sender = WIRE_SENDER_CLIENT};
    struct wire_request request = {.client = cluster_client_id(9), .kind = kind};
    uint8_t frame[256];
    size_t size = wire_frame_encode(&header, &wire_shape_request, &request, frame, sizeof frame);
    size_t before = cluster_n_answers(c);
    cluster_ask(c, replica, (struct bytes){frame, size});
    return before;
}

static void expect_news_at(struct cluster *c, size_t answer, uint32_t epoch)
{
    struct wire_message m;
    assert_int_equal(0, wire_frame_decode(cluster_nth_answer(c, answer), &m));
    assert_int_equal(m.header.command, WIRE_new_epoch);
    assert_int_equal(m.header.epoch, epoch);
    assert_int_equal(m.as.new_epoch.membership.members.count, 3);
}

static void expect_news(struct cluster *c, uint8_t replica)
{
    size_t before = ask_as_client(c, replica, WIRE_KIND_READ_STALE);
    expect_news_at(c, before, 1);
}

static void expect_members(struct cluster *c, uint8_t replica, uint32_t epoch)
{
    size_t before = ask_as_client(c, replica, WIRE_KIND_MEMBERS);
    assert_int_equal(cluster_n_answers(c), before + 1);
    expect_news_at(c, before, epoch);
}

static void a_client_of_an_old_epoch_is_told_of_the_new_one(void **state)
{
    (void)state;
    struct group g = group_of_three(CLUSTER_DISK);
    struct cluster *c = g.c;
    cluster_add(c, LIST(0, 1, 3));
    for (int i = 0; i < 100 && !cluster_core(c, 2)->over; i++) {
        if (cluster_core(c, 0)->epoch == 0) ask(&g, 1, cluster_primary(c), LIST(0, 1, 3));
        cluster_run(c, 10);
    }
    assert_true(cluster_core(c, 2)->retired);
    expect_news(c, 1);
    expect_members(c, 1, 1);
    expect_news(c, 2); /* by one that is not needed any more, too, ... */
    cluster_run(c, 1900);
    expect_news(c, 2);
    cluster_run(c, 200);
    assert_false(cluster_is_up(c, 2)); /* ... as long as it lingers */
    cluster_free(c);
}

/* What is not durable here is not told yet; and who is not told is not served. */
static void a_client_of_an_old_epoch_waits_until_it_can_be_told(void **state)
{
    (void)state;
    struct group g = group_of_three(CLUSTER_DISK);
    struct cluster *c = g.c;
    struct wire_message m;
    cluster_add(c, LIST(0, 1, 3));
    assert_true(cluster_move(c, 2, g.admin, 1, LIST(0, 1, 3)));
    cluster_slow_disk(c, 1, true);
    cluster_crash(c, 3);
    cluster_start(c, 3); /* in a life that is to be noted */
    cluster_settle(c);
    assert_int_equal(cluster_core(c, 1)->status, VR_NORMAL);
    size_t before = ask_as_client(c, 1, WIRE_KIND_READ_STALE);
    assert_int_equal(cluster_n_answers(c), before + 1);
    assert_int_equal(0, wire_frame_decode(cluster_nth_answer(c, before), &m));
    assert_int_equal(m.header.command, WIRE_reject);
    assert_int_equal(m.as.reject.reason, WIRE_REJECT_UNAVAILABLE);
    cluster_slow_disk(c, 1, false);
    cluster_settle(c);
    expect_news(c, 1);
    cluster_free(c);
}

/* By a member in any status, whoever leads, also before the first change; but not by one that is in
 * no group yet, which cannot know. */
static void a_client_that_asks_who_the_members_are_is_told(void **state)
{
    (void)state;
    struct group g = group_of_three(CLUSTER_DISK | CLUSTER_WITNESS(2));
    struct cluster *c = g.c;
    for (uint8_t i = 0; i < 3; i++) expect_members(c, i, 0);
    cluster_crash(c, 0);
    cluster_crash(c, 1);
    cluster_crash(c, 2);
    cluster_start(c, 1);
    cluster_settle(c);
    assert_int_equal(cluster_core(c, 1)->status, VR_RECOVERING);
    expect_members(c, 1, 0);
    cluster_wipe(c, 2);
    cluster_start(c, 2);
    size_t before = ask_as_client(c, 2, WIRE_KIND_MEMBERS);
    assert_int_equal(cluster_n_answers(c), before);
    cluster_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_group_grows_and_shrinks),
        cmocka_unit_test(all_members_are_replaced_at_once),
        cmocka_unit_test(a_member_to_be_restarts_while_the_others_learn),
        cmocka_unit_test(a_replaced_replica_stays_until_a_quorum_has_begun),
        cmocka_unit_test(members_fetch_from_all_who_were_replaced),
        cmocka_unit_test(a_fetch_does_not_wait_for_who_is_gone),
        cmocka_unit_test(a_replica_that_slept_through_two_epochs_ends),
        cmocka_unit_test(a_request_names_what_it_replaces),
        cmocka_unit_test(nonsense_is_refused),
        cmocka_unit_test(a_member_to_be_that_does_not_answer_costs_nothing),
        cmocka_unit_test(a_member_to_be_that_does_not_answer_is_named),
        cmocka_unit_test(a_member_to_be_fetches_from_backups),
        cmocka_unit_test(a_member_of_another_group_is_not_taken),
        cmocka_unit_test(a_new_primary_finds_the_epoch_closed),
        cmocka_unit_test(the_entry_needs_a_quorum_of_the_old_members),
        cmocka_unit_test(old_members_hear_the_last_commit_in_their_epoch),
        cmocka_unit_test(a_member_without_the_log_takes_part_in_nothing),
        cmocka_unit_test(the_first_view_is_led_by_one_who_has_the_log),
        cmocka_unit_test(an_epoch_outlives_a_restart_of_all),
        cmocka_unit_test(a_member_without_memory_recovers_in_the_epoch),
        cmocka_unit_test(a_recovery_counts_answers_of_its_own_epoch_only),
        cmocka_unit_test(who_recovers_while_the_epoch_changes_is_noted_in_it),
        cmocka_unit_test(who_comes_again_at_its_address_is_another),
        cmocka_unit_test(a_learner_that_starts_again_is_another),
        cmocka_unit_test(a_request_of_the_old_epoch_runs_once),
        cmocka_unit_test(a_client_of_an_old_epoch_is_told_of_the_new_one),
        cmocka_unit_test(a_client_of_an_old_epoch_waits_until_it_can_be_told),
        cmocka_unit_test(a_client_that_asks_who_the_members_are_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

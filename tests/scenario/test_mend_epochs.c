/* SPDX-License-Identifier: BSD-2-Clause */
/* Damaged entries of a journal while the membership changes (lib/vr/mend.c, lib/vr/epoch.c). */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "scenario/members.h"

/* Ask for these members until replica `who` is in the next epoch; others may not be. */
static void move_without_an_end(struct group *g, uint64_t number, uint8_t who,
                                const uint8_t *members, size_t n)
{
    for (int i = 0; i < 200 && cluster_core(g->c, who)->epoch == 0; i++) {
        ask(g, number, cluster_primary(g->c), members, n);
        cluster_run(g->c, 20);
    }
    assert_int_equal(cluster_core(g->c, who)->epoch, 1);
}

/* E4: who has been in the epoch does not begin it again, though an entry before it is damaged: what
 * it acknowledged since stays. */
static void a_damaged_entry_before_the_epoch_begins_it_only_once(void **state)
{
    (void)state;
    struct group g = group_of_three(CLUSTER_DISK);
    struct cluster *c = g.c;
    assert_int_equal(cluster_incr(c, 1, g.session, 1, cluster_primary(c)), 1); /* entry 3 */
    cluster_add(c, LIST(0, 1, 3));
    assert_true(cluster_move(c, 2, g.admin, 1, LIST(0, 1, 3)));
    assert_int_equal(cluster_incr(c, 1, g.session, 2, cluster_primary(c)), 2);
    uint8_t backup = cluster_primary(c) == 1 ? 0 : 1;
    cluster_drop(c, CLUSTER_ALL, backup, WIRE_commit); /* the last one it only acknowledges */
    assert_int_equal(cluster_incr(c, 1, g.session, 3, cluster_primary(c)), 3);
    cluster_run(c, 50);
    uint64_t op = cluster_core(c, backup)->log.op;
    assert_true(op > cluster_core(c, backup)->membership.op);
    assert_true(op > cluster_core(c, backup)->commit);
    cluster_crash(c, backup);
    cluster_rot(c, backup, 3);
    cluster_drop(c, CLUSTER_ALL, backup, WIRE_new_state);
    cluster_hold(c, CLUSTER_ALL, backup, WIRE_give_entry); /* it is let in before that is mended */
    cluster_start(c, backup);
    cluster_run(c, 100);
    assert_int_equal(cluster_core(c, backup)->stats.entries_damaged, 1);
    cluster_release(c, CLUSTER_ALL, backup, WIRE_give_entry);
    cluster_clear_rules(c);
    cluster_settle(c);
    assert_true(cluster_is_up(c, backup));
    assert_true(cluster_core(c, backup)->log.op >= op);
    assert_true(cluster_converge(c));
    assert_int_equal(cluster_incr(c, 1, g.session, 4, cluster_primary(c)), 4);
    cluster_free(c);
}

/* Its folder began with a group of one, but that is not who it can ask now. */
static void a_damaged_entry_of_a_group_that_has_grown_is_mended(void **state)
{
    (void)state;
    struct cluster *c = cluster_new(1, CLUSTER_DISK);
    uint64_t session = cluster_register(c, 1, 0), admin = cluster_register(c, 2, 0);
    assert_int_equal(cluster_incr(c, 1, session, 1, 0), 1);
    uint64_t op = cluster_core(c, 0)->log.op;
    for (int i = 0; i < 2; i++) cluster_add(c, LIST(0, 1, 2));
    assert_true(cluster_move(c, 2, admin, 1, LIST(0, 1, 2)));
    cluster_crash(c, 0);
    cluster_rot(c, 0, op);
    cluster_start(c, 0);
    assert_true(cluster_converge(c));
    assert_int_equal(cluster_core(c, 0)->stats.entries_mended, 1);
    assert_int_equal(cluster_incr(c, 1, session, 2, cluster_primary(c)), 2);
    cluster_free(c);
}

/* Who is replaced by a single one is not alone with its damaged entry: it starts, and asks. */
static void a_damaged_entry_of_one_that_a_single_one_replaces_is_borne(void **state)
{
    (void)state;
    struct group g = group_of_three(CLUSTER_DISK);
    struct cluster *c = g.c;
    assert_int_equal(cluster_incr(c, 1, g.session, 1, cluster_primary(c)), 1); /* entry 3 */
    uint8_t backup = cluster_primary(c) == 2 ? 1 : 2;
    cluster_add(c, LIST(3));
    cluster_drop(c, 3, CLUSTER_ALL, WIRE_epoch_started); /* those replaced stay */
    cluster_drop(c, 3, CLUSTER_ALL, WIRE_give_entry);
    move_without_an_end(&g, 1, backup, LIST(3));
    cluster_crash(c, backup);
    cluster_rot(c, backup, 3);
    cluster_start(c, backup);
    assert_int_equal(cluster_core(c, backup)->stats.entries_damaged, 1);
    assert_true(cluster_core(c, backup)->replaced);
    uint32_t asked = cluster_count_sent(c, backup, 3, WIRE_get_entry); /* as they connected */
    cluster_run(c, 500);
    assert_true(cluster_count_sent(c, backup, 3, WIRE_get_entry) > asked);
    cluster_clear_rules(c);
    cluster_run(c, 3000);
    assert_false(cluster_is_up(c, backup)); /* it is not needed any more */
    assert_int_equal(cluster_incr(c, 1, g.session, 2, 3), 2);
    cluster_free(c);
}

/* Nor is who is to go on without the others before it has what they have: they give it that. */
static void a_damaged_entry_of_the_only_member_left_comes_from_those_replaced(void **state)
{
    (void)state;
    struct group g = group_of_three(CLUSTER_DISK);
    struct cluster *c = g.c;
    assert_int_equal(cluster_incr(c, 1, g.session, 1, cluster_primary(c)), 1); /* entry 3 */
    uint8_t primary = cluster_primary(c), left = (primary + 1) % 3;
    const uint8_t list[] = {left};
    cluster_drop(c, CLUSTER_ALL, left, WIRE_commit); /* it has the entry, and does not move */
    cluster_drop(c, CLUSTER_ALL, left, WIRE_start_epoch);
    cluster_drop(c, CLUSTER_ALL, left, WIRE_new_epoch);
    move_without_an_end(&g, 1, primary, list, 1);
    assert_int_equal(cluster_core(c, left)->epoch, 0);
    cluster_clear_rules(c);
    cluster_drop(c, CLUSTER_ALL, left, WIRE_new_state);
    cluster_drop(c, CLUSTER_ALL, left, WIRE_give_entry);
    for (uint64_t op = 3; op <= 4; op++) { /* the second time it knows of the epoch */
        cluster_crash(c, left);
        cluster_rot(c, left, op);
        cluster_start(c, left);
        cluster_run(c, 1000);
        assert_int_equal(cluster_core(c, left)->epoch, 1);
        assert_int_equal(cluster_core(c, left)->status, VR_TRANSITIONING);
    }
    assert_int_equal(cluster_core(c, left)->log.n_holes, 2);
    cluster_clear_rules(c);
    cluster_run(c, 3000);
    for (uint8_t i = 0; i < 3; i++) assert_int_equal(cluster_is_up(c, i), i == left);
    assert_int_equal(cluster_incr(c, 1, g.session, 2, left), 2);
    cluster_free(c);
}

/* M6: each of the two lacks an entry that the other has. */
static void who_was_replaced_and_its_successor_mend_each_other(void **state)
{
    (void)state;
    struct group g = {.c = cluster_new(1, CLUSTER_DISK)};
    struct cluster *c = g.c;
    g.session = cluster_register(c, 1, 0);
    g.admin = cluster_register(c, 2, 0);
    for (uint64_t i = 1; i <= 4; i++) assert_int_equal(cluster_incr(c, 1, g.session, i, 0), i);
    uint64_t op = cluster_core(c, 0)->log.op;
    cluster_add(c, LIST(1));
    cluster_drop(c, CLUSTER_ALL, 1, WIRE_start_epoch); /* it has those, and does not move */
    cluster_drop(c, CLUSTER_ALL, 1, WIRE_new_epoch);
    move_without_an_end(&g, 1, 0, LIST(1));
    assert_int_equal(cluster_core(c, 1)->epoch, 0);
    assert_true(cluster_core(c, 1)->log.op >= op);
    for (uint8_t i = 0; i < 2; i++) cluster_crash(c, i);
    cluster_rot(c, 1, op - 2);
    cluster_rot(c, 0, op - 1);
    cluster_clear_rules(c);
    for (uint8_t i = 0; i < 2; i++) cluster_start(c, i);
    for (uint8_t i = 0; i < 2; i++) assert_int_equal(cluster_core(c, i)->log.n_holes, 1);
    cluster_run(c, 4000);
    assert_false(cluster_is_up(c, 0));
    assert_int_equal(cluster_core(c, 1)->log.n_holes, 0);
    assert_int_equal(cluster_incr(c, 1, g.session, 5, 1), 5);
    cluster_free(c);
}

/* M6: those who were replaced are to give the log, in which an entry is damaged that their
 * successor holds, but does not know to be committed. */
static void who_was_replaced_is_mended_by_who_fetches_from_it(void **state)
{
    (void)state;
    struct group g = group_of_three(CLUSTER_DISK);
    struct cluster *c = g.c;
    cluster_drop(c, 0, 1, WIRE_commit);
    assert_int_equal(cluster_incr(c, 1, g.session, 1, 0), 1);
    uint64_t op = cluster_core(c, 0)->log.op;
    cluster_drop(c, CLUSTER_ALL, 1, CLUSTER_ALL);
    ask(&g, 1, 0, LIST(1));
    for (int i = 0; i < 100 && cluster_core(c, 2)->epoch == 0; i++) cluster_run(c, 1);
    assert_int_equal(cluster_core(c, 2)->epoch, 1);
    for (uint8_t i = 0; i < 3; i++) cluster_crash(c, i);
    cluster_rot(c, 0, op);
    cluster_rot(c, 2, op);
    cluster_clear_rules(c);
    for (uint8_t i = 0; i < 3; i++) cluster_start(c, i);
    assert_int_equal(cluster_core(c, 1)->log.op, op);
    assert_true(cluster_core(c, 1)->commit < op);
    cluster_run(c, 5000);
    for (uint8_t i = 0; i < 3; i++) assert_int_equal(cluster_is_up(c, i), i == 1);
    assert_int_equal(cluster_incr(c, 1, g.session, 2, 1), 2);
    cluster_free(c);
}

/* M6: those whom they replaced have it. */
static void an_entry_damaged_at_all_members_comes_from_those_replaced(void **state)
{
    (void)state;
    struct group g = group_of_three(CLUSTER_DISK);
    struct cluster *c = g.c;
    assert_int_equal(cluster_incr(c, 1, g.session, 1, cluster_primary(c)), 1); /* entry 3 */
    for (int i = 0; i < 2; i++) cluster_add(c, LIST(3, 4));
    for (uint8_t i = 3; i < 5; i++) cluster_drop(c, i, CLUSTER_ALL, WIRE_epoch_started);
    move_without_an_end(&g, 1, 3, LIST(3, 4));
    cluster_run(c, 500);
    for (uint8_t i = 3; i < 5; i++) {
        assert_int_equal(cluster_core(c, i)->status, VR_NORMAL);
        cluster_crash(c, i);
        cluster_rot(c, i, 3);
    }
    cluster_clear_rules(c);
    for (uint8_t i = 3; i < 5; i++) cluster_drop(c, CLUSTER_ALL, i, WIRE_give_entry);
    for (uint8_t i = 3; i < 5; i++) cluster_start(c, i);
    cluster_run(c, 500); /* the view that they know is over */
    for (uint8_t i = 3; i < 5; i++) cluster_crash(c, i);
    cluster_clear_rules(c);
    for (uint8_t i = 3; i < 5; i++) cluster_start(c, i);
    for (uint8_t i = 3; i < 5; i++) assert_int_equal(cluster_core(c, i)->log.n_holes, 1);
    cluster_run(c, 5000);
    for (uint8_t i = 0; i < 3; i++) assert_false(cluster_is_up(c, i));
    assert_int_equal(cluster_incr(c, 1, g.session, 2, cluster_primary(c)), 2);
    cluster_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_damaged_entry_before_the_epoch_begins_it_only_once),
        cmocka_unit_test(a_damaged_entry_of_a_group_that_has_grown_is_mended),
        cmocka_unit_test(a_damaged_entry_of_one_that_a_single_one_replaces_is_borne),
        cmocka_unit_test(a_damaged_entry_of_the_only_member_left_comes_from_those_replaced),
        cmocka_unit_test(who_was_replaced_and_its_successor_mend_each_other),
        cmocka_unit_test(who_was_replaced_is_mended_by_who_fetches_from_it),
        cmocka_unit_test(an_entry_damaged_at_all_members_comes_from_those_replaced),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

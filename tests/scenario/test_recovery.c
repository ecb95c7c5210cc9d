/* SPDX-License-Identifier: BSD-2-Clause */
/* Recovery and forming (PROTOCOL section 3): the published counterexample to the paper's recovery
 * step by step, and a story for each further pitfall that is a rule of lib/vr/recovery.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "scenario/cluster.h"

static void assert_normal(const struct cluster *c, uint8_t replica, uint64_t view)
{
    assert_int_equal(VR_NORMAL, cluster_core(c, replica)->status);
    assert_int_equal(view, cluster_core(c, replica)->view);
}

/* It suspects the primary, whose words do not reach it for a while, and wants view 1. */
static void suspect(struct cluster *c, uint8_t replica)
{
    cluster_drop(c, 0, replica, WIRE_commit);
    cluster_run(c, 350);
    assert_true(cluster_core(c, replica)->suspects || cluster_core(c, replica)->view == 1);
    cluster_pass(c, 0, replica, WIRE_commit);
}

static void a_blank_replica_recovers_all_that_was_answered(void **unused)
{
    (void)unused;
    struct cluster *c = cluster_new(3, CLUSTER_MEMORY);
    uint64_t session = cluster_register(c, 1, 0);
    for (uint64_t number = 1; number <= 5; number++) cluster_incr(c, 1, session, number, 0);
    cluster_crash(c, 0);
    cluster_run(c, 1000);
    cluster_start(c, 0);
    assert_true(cluster_converge(c));
    assert_int_equal(1, vr_incarnation_losses(cluster_core(c, 0)->crash_vector[0]));
    cluster_crash(c, cluster_primary(c));
    assert_true(cluster_converge(c));
    assert_int_equal(6, cluster_incr(c, 1, session, 6, cluster_primary(c)));
    cluster_free(c);
}

/* PIT-3.1, the trace of DISC 2017: three replicas, never more than one down.  The votes and
 * promises that 1 and 2 gave for view 1 arrive when both have crashed, recovered and forgotten
 * them. Rule: what a former incarnation voted or promised does not count. */
static void pit_3_1_promises_of_former_lives_do_not_start_a_view(void **unused)
{
    (void)unused;
    struct cluster *c = cluster_new(3, CLUSTER_MEMORY);
    uint64_t session = cluster_register(c, 1, 0);
    cluster_run(c, 50);
    cluster_hold(c, 1, CLUSTER_ALL, WIRE_start_view_change);
    cluster_hold(c, 2, CLUSTER_ALL, WIRE_start_view_change);
    cluster_hold(c, 1, CLUSTER_ALL, WIRE_do_view_change);
    cluster_hold(c, 2, CLUSTER_ALL, WIRE_do_view_change);

    /* 1. R1 wants view 1; the network delays its START-VIEW-CHANGE.  R1 crashes. */
    suspect(c, 1);
    cluster_crash(c, 1);

    /* 2. R1 recovers from R0 and R2, both normal in view 0. */
    cluster_start(c, 1);
    assert_true(cluster_converge(c));
    assert_normal(c, 1, 0);

    /* 3. R1's old START-VIEW-CHANGE reaches R2, which wants view 1 as well and would now promise
     * it; its DO-VIEW-CHANGE is delayed.  R2 crashes. */
    suspect(c, 2);
    cluster_release(c, 1, 2, WIRE_start_view_change);
    cluster_crash(c, 2);

    /* 4. R2 recovers from R0 and R1, both normal in view 0. */
    cluster_start(c, 2);
    assert_true(cluster_converge(c));
    assert_normal(c, 2, 0);

    /* 5. R0 and R2 commit X; nothing of it reaches R1.  The client has its answer. */
    cluster_drop(c, CLUSTER_ALL, 1, WIRE_prepare);
    cluster_drop(c, CLUSTER_ALL, 1, WIRE_new_state);
    assert_int_equal(1, cluster_incr(c, 1, session, 1, 0));

    /* 6. What R2 said in its former life arrives at R1, the primary of view 1. */
    cluster_release(c, 2, 1, WIRE_start_view_change);
    cluster_release(c, 2, 1, WIRE_do_view_change);
    cluster_run(c, 100);
    assert_normal(c, 1, 0);
    cluster_clear_rules(c);
    assert_true(cluster_converge(c));
    assert_int_equal(1, cluster_read(c, cluster_primary(c), 100));
    cluster_free(c);
}

/* The same with a promise that was really given: R2 enters view 1 before it crashes.  Its later
 * life takes part in view 0, so the promise must be void. */
static void pit_3_1_a_promise_given_before_the_crash_is_void_after_it(void **unused)
{
    (void)unused;
    struct cluster *c = cluster_new(3, CLUSTER_MEMORY);
    uint64_t session = cluster_register(c, 1, 0);
    cluster_run(c, 50);
    cluster_hold(c, 2, CLUSTER_ALL, WIRE_do_view_change);
    cluster_hold(c, 2, CLUSTER_ALL, WIRE_start_view_change);
    cluster_forge(c, 1, 2, 1, &wire_shape_do_view_change, &(struct wire_do_view_change){0});
    assert_int_equal(1, cluster_core(c, 2)->view);
    assert_true(cluster_core(c, 2)->promised);
    cluster_crash(c, 2);
    cluster_start(c, 2);
    assert_true(cluster_converge(c));
    assert_normal(c, 2, 0);
    cluster_drop(c, CLUSTER_ALL, 1, WIRE_prepare);
    cluster_drop(c, CLUSTER_ALL, 1, WIRE_new_state);
    assert_int_equal(1, cluster_incr(c, 1, session, 1, 0));
    assert_int_equal(1, cluster_release(c, 2, 1, WIRE_do_view_change));
    assert_normal(c, 1, 0);
    cluster_clear_rules(c);
    assert_true(cluster_converge(c));
    assert_int_equal(1, cluster_read(c, cluster_primary(c), 100));
    cluster_free(c);
}

/* Rule: only a normal replica answers RECOVERY. */
static void pit_3_2_a_replica_in_a_view_change_does_not_answer(void **unused)
{
    (void)unused;
    struct cluster *c = cluster_new(5, CLUSTER_MEMORY);
    cluster_drop(c, 1, CLUSTER_ALL, CLUSTER_ALL);
    cluster_pass(c, 1, 4, WIRE_recovery_response);
    cluster_drop(c, CLUSTER_ALL, 1, WIRE_start_view);
    cluster_crash(c, 4);
    cluster_forge(c, 3, 1, 1, &wire_shape_do_view_change, &(struct wire_do_view_change){0});
    assert_int_equal(VR_VIEW_CHANGE, cluster_core(c, 1)->status);
    uint32_t before = cluster_count_sent(c, 1, 4, WIRE_recovery_response);
    cluster_start(c, 4);
    cluster_run(c, 100);
    assert_int_equal(before, cluster_count_sent(c, 1, 4, WIRE_recovery_response));
    assert_normal(c, 4, 0);
    cluster_free(c);
}

/* Rule: the log comes from the primary of the largest view among the answers. */
static void pit_3_3_the_log_of_a_deposed_primary_is_not_taken(void **unused)
{
    (void)unused;
    struct cluster *c = cluster_new(5, CLUSTER_MEMORY);
    uint64_t session = cluster_register(c, 1, 0);
    cluster_run(c, 50);
    for (int i = 1; i < 4; i++) {
        cluster_drop(c, 0, i, CLUSTER_ALL);
        cluster_drop(c, i, 0, CLUSTER_ALL);
    }
    cluster_crash(c, 4);
    cluster_run(c, 2000);
    assert_normal(c, 0, 0); /* cut off, and still the primary of view 0 as far as it knows */
    assert_int_equal(1, cluster_primary(c));
    assert_int_equal(1, cluster_incr(c, 1, session, 1, 1));
    cluster_hold(c, 1, 4, CLUSTER_ALL);
    cluster_start(c, 4);
    cluster_run(c, 1000); /* 0, 2 and 3 are a majority, but none of them leads view 1 */
    assert_int_equal(VR_RECOVERING, cluster_core(c, 4)->status);
    assert_int_equal(VR_TRANSFER_NONE, cluster_core(c, 4)->transfer.kind);
    cluster_clear_rules(c);
    assert_true(cluster_converge(c));
    assert_true(cluster_core(c, 4)->view >= 1);
    assert_int_equal(1, cluster_read(c, cluster_primary(c), 100));
    cluster_free(c);
}

/* Rule: a recovering replica takes part in no view change. */
static void pit_3_4_a_blank_replica_does_not_vote(void **unused)
{
    (void)unused;
    struct cluster *c = cluster_new(3, CLUSTER_MEMORY);
    uint64_t session = cluster_register(c, 1, 0);
    cluster_incr(c, 1, session, 1, 0);
    cluster_run(c, 50);
    cluster_crash(c, 2);
    cluster_hold(c, CLUSTER_ALL, 2, WIRE_recovery_response);
    cluster_start(c, 2);
    cluster_settle(c);
    cluster_release(c, CLUSTER_ALL, 2, WIRE_recovery_response); /* it knows the group now */
    assert_int_equal(1, vr_incarnation_losses(cluster_core(c, 2)->incarnation));
    cluster_crash(c, 0);
    cluster_run(c, 3000);
    cluster_forge(c, 1, 2, 1, &wire_shape_do_view_change, &(struct wire_do_view_change){0});
    assert_int_equal(VR_RECOVERING, cluster_core(c, 2)->status);
    assert_int_equal(0, cluster_count_sent(c, 2, CLUSTER_ALL, WIRE_start_view_change));
    assert_int_equal(0, cluster_count_sent(c, 2, CLUSTER_ALL, WIRE_do_view_change));
    assert_false(vr_is_primary(cluster_core(c, 1)));
    cluster_free(c);
}

/* Rule: an answer counts only if it echoes the nonce of this start. */
static void pit_3_5_answers_to_a_former_start_do_not_count(void **unused)
{
    (void)unused;
    struct cluster *c = cluster_new(3, CLUSTER_MEMORY);
    cluster_register(c, 1, 0);
    cluster_run(c, 50);
    cluster_hold(c, CLUSTER_ALL, 2, WIRE_recovery_response);
    cluster_crash(c, 2);
    cluster_start(c, 2);
    cluster_run(c, 20);
    cluster_crash(c, 2);
    cluster_drop(c, 2, CLUSTER_ALL, WIRE_recovery); /* the next life's questions are lost */
    cluster_start(c, 2);
    assert_true(cluster_release(c, CLUSTER_ALL, 2, WIRE_recovery_response) >= 2);
    assert_int_equal(0, cluster_core(c, 2)->asked);
    assert_int_equal(0, cluster_core(c, 2)->incarnation);
    cluster_clear_rules(c);
    assert_true(cluster_converge(c));
    cluster_free(c);
}

/* Replica 3 answers 4, whose life it has noted, and forgets that with its memory.  Two others that
 * have noted it are no majority then: one that 4 promised something in its former life may yet find
 * three that do not know better.  Rule: an answer counts no longer than the life that gave it. */
static void an_answer_ends_with_the_life_that_gave_it(void **unused)
{
    (void)unused;
    struct cluster *c = cluster_new(5, CLUSTER_MEMORY);
    cluster_register(c, 1, 0);
    cluster_run(c, 50);
    cluster_hold(c, CLUSTER_ALL, 4, WIRE_recovery_response);
    cluster_crash(c, 4);
    cluster_start(c, 4);
    cluster_run(c, 5);
    cluster_drop(c, 4, CLUSTER_ALL, WIRE_recovery);
    cluster_pass(c, 4, 3, WIRE_recovery); /* which incarnation is free all say; 3 alone notes it */
    cluster_release(c, CLUSTER_ALL, 4, WIRE_recovery_response);
    cluster_settle(c);
    cluster_release(c, 3, 4, WIRE_recovery_response);
    assert_true(cluster_core(c, 4)->answers[3].present);
    cluster_drop(c, 4, CLUSTER_ALL, WIRE_recovery);
    cluster_crash(c, 3);
    cluster_start(c, 3);
    cluster_run(c, 200);
    assert_normal(c, 3, 0);
    assert_int_equal(0, cluster_core(c, 3)->crash_vector[4]);

    cluster_pass(c, CLUSTER_ALL, 4, WIRE_recovery_response);
    cluster_pass(c, 4, 0, WIRE_recovery);
    cluster_pass(c, 4, 1, WIRE_recovery);
    cluster_run(c, 500);
    assert_true(cluster_core(c, 4)->answers[0].present && cluster_core(c, 4)->answers[1].present);
    assert_int_equal(VR_RECOVERING, cluster_core(c, 4)->status);
    assert_int_equal(VR_TRANSFER_NONE, cluster_core(c, 4)->transfer.kind);
    cluster_clear_rules(c);
    assert_true(cluster_converge(c));
    cluster_free(c);
}

/* With disks a group survives the crash of all; without, the others' emptiness proves nothing. */
static void pit_3_6_with_disks_all_may_crash_at_once(void **unused)
{
    (void)unused;
    struct cluster *c = cluster_new(3, CLUSTER_DISK);
    uint64_t session = cluster_register(c, 1, 0);
    for (uint64_t number = 1; number <= 40; number++) { /* some checkpoints, too */
        cluster_incr(c, 1, session, number, 0);
        cluster_run(c, 5);
    }
    for (uint8_t i = 0; i < 3; i++) cluster_crash(c, i);
    for (uint8_t i = 0; i < 3; i++) cluster_start(c, i);
    assert_true(cluster_converge(c));
    assert_int_equal(41, cluster_incr(c, 1, session, 41, cluster_primary(c)));
    cluster_free(c);
}

/* The words that replica `from` has for two others, or for one, arrive. */
static void tell(struct cluster *c, uint8_t from, uint8_t to, uint8_t to_also)
{
    cluster_release(c, from, to, WIRE_recovery);
    cluster_release(c, from, to_also, WIRE_recovery);
}

/* One that recovers has heard of lives in a group that is lost before it recovers. */
static void a_group_that_forms_knows_of_no_lives_in_another(void **unused)
{
    (void)unused;
    struct cluster *c = cluster_new(3, CLUSTER_MEMORY);
    cluster_crash(c, 0);
    cluster_start(c, 0);
    assert_true(cluster_converge(c));
    assert_true(cluster_core(c, 0)->crash_vector[0] > 0);
    struct vstamp_id before = cluster_core(c, 0)->group;
    cluster_crash(c, 2);
    cluster_drop(c, 0, 2, WIRE_recovery_response);
    cluster_start(c, 2);
    cluster_run(c, 500);
    assert_true(cluster_core(c, 2)->crash_vector[0] > 0);
    assert_int_equal(VR_RECOVERING, cluster_core(c, 2)->status);
    for (uint8_t i = 0; i < 2; i++) cluster_crash(c, i);
    cluster_clear_rules(c);
    for (uint8_t i = 0; i < 2; i++) cluster_start(c, i);
    assert_true(cluster_converge(c));
    assert_false(vstamp_id_equal(before, cluster_core(c, 2)->group));
    for (uint8_t i = 0; i < 3; i++) assert_int_equal(cluster_core(c, i)->crash_vector[0], 0);
    cluster_free(c);
}

/* Rule: a group forms only if every member says that it is blank. */
static void pit_3_6_blank_replicas_do_not_outvote_the_one_that_remembers(void **unused)
{
    (void)unused;
    struct cluster *c = cluster_new(3, CLUSTER_MEMORY);
    uint64_t session = cluster_register(c, 1, 0);
    cluster_incr(c, 1, session, 1, 0);
    struct vstamp_id group = cluster_core(c, 0)->group;
    cluster_crash(c, 1);
    cluster_crash(c, 2);
    cluster_start(c, 1);
    cluster_start(c, 2);
    cluster_run(c, 5000);
    for (uint8_t i = 1; i < 3; i++) {
        assert_int_equal(VR_RECOVERING, cluster_core(c, i)->status);
        assert_false(cluster_core(c, i)->has_hard_state);
    }
    assert_true(vstamp_id_equal(group, cluster_core(c, 0)->group));
    cluster_free(c);
}

/* Rule: a member whose word was given in a former start is not counted as having agreed. */
/* Rule: what follows is joined on to the committed prefix by checksum, never to the last op-number
 * that a disk holds: its tail may have been abandoned. */
static void pit_3_7_an_abandoned_tail_on_disk_is_replaced(void **unused)
{
    (void)unused;
    struct cluster *c = cluster_new(3, CLUSTER_DISK);
    uint64_t sessions[3];
    for (uint32_t i = 0; i < 3; i++) sessions[i] = cluster_register(c, i + 1, 0);
    cluster_run(c, 50);
    cluster_isolate(c, 0);
    cluster_try_incr(c, 1, sessions[0], 1, 0), cluster_try_incr(c, 2, sessions[1], 1, 0);
    uint64_t tail = cluster_core(c, 0)->log.op;
    struct vstamp_id abandoned = log_last(&cluster_core(c, 0)->log)->checksum;
    assert_int_equal(tail, cluster_core(c, 0)->durable_op);
    cluster_crash(c, 0);
    cluster_clear_rules(c);
    assert_true(cluster_converge(c));
    for (uint64_t number = 1; number <= 4; number++)
        assert_int_equal(number, cluster_incr(c, 3, sessions[2], number, 1));
    cluster_start(c, 0);
    assert_int_equal(tail, cluster_core(c, 0)->log.op);
    assert_true(cluster_converge(c));
    const struct wire_entry_header *ours = log_header(&cluster_core(c, 0)->log, tail);
    assert_false(vstamp_id_equal(abandoned, ours->checksum));
    cluster_crash(c, 1);
    assert_true(cluster_converge(c));
    assert_int_equal(5, cluster_incr(c, 3, sessions[2], 5, cluster_primary(c)));
    cluster_free(c);
}

static void a_member_that_was_wiped_while_the_group_formed_recovers(void **unused)
{
    (void)unused;
    struct cluster *c = cluster_new_blank(3, CLUSTER_MEMORY);
    cluster_hold(c, CLUSTER_ALL, 1, WIRE_recovery);
    cluster_hold(c, CLUSTER_ALL, 2, WIRE_recovery);
    for (uint8_t i = 0; i < 3; i++) cluster_start(c, i);
    cluster_settle(c);
    cluster_release(c, CLUSTER_ALL, 1, WIRE_recovery);
    cluster_release(c, CLUSTER_ALL, 2, WIRE_recovery);
    cluster_crash(c, 2);
    cluster_start(c, 2);
    cluster_clear_rules(c);
    assert_true(cluster_converge(c));
    for (uint8_t i = 1; i < 3; i++)
        assert_true(vstamp_id_equal(cluster_core(c, 0)->group, cluster_core(c, i)->group));
    cluster_free(c);
}

/* Rule: which start of a replica is the present one is told by its repeating itself, not by what
 * came last. */
static void a_late_word_of_a_former_start_does_not_keep_the_group_from_forming(void **unused)
{
    (void)unused;
    struct cluster *c = cluster_new_blank(3, CLUSTER_MEMORY);
    cluster_hold(c, CLUSTER_ALL, CLUSTER_ALL, WIRE_recovery);
    for (uint8_t i = 0; i < 3; i++) cluster_start(c, i);
    cluster_settle(c);
    uint32_t former = cluster_count_sent(c, 2, 0, WIRE_recovery);
    cluster_crash(c, 2);
    cluster_start(c, 2);
    cluster_settle(c);
    uint32_t present = cluster_count_sent(c, 2, 0, WIRE_recovery) - former;
    cluster_repeat(c, 2, 0, WIRE_recovery, 0);       /* of the present start */
    cluster_repeat(c, 2, 0, WIRE_recovery, present); /* of the former one */
    cluster_clear_rules(c);
    assert_true(cluster_converge(c));
    cluster_free(c);
}

/* Rule: a word counts only if it was given to what its receiver drew when its list last changed.
 * Replica 0 learns that 2 has started anew; then old words of 2 come again, and the word that 1 had
 * given to the old list.  A group formed with that would never be whole. */
static void words_of_a_former_start_form_no_group(void **unused)
{
    (void)unused;
    struct cluster *c = cluster_new_blank(3, CLUSTER_MEMORY);
    cluster_hold(c, CLUSTER_ALL, CLUSTER_ALL, WIRE_recovery);
    for (uint8_t i = 0; i < 3; i++) cluster_start(c, i);
    tell(c, 0, 1, 2);
    tell(c, 1, 2, 2);
    tell(c, 2, 1, 0);
    uint32_t former = cluster_count_sent(c, 2, 0, WIRE_recovery);
    cluster_crash(c, 2);
    cluster_start(c, 2);
    struct vstamp_id old = cluster_core(c, 0)->tokens[2];
    while (vstamp_id_equal(cluster_core(c, 0)->tokens[2], old)) {
        cluster_run(c, 100);
        tell(c, 2, 0, 0);
    }
    uint32_t present = cluster_count_sent(c, 2, 0, WIRE_recovery) - former;
    while (!vstamp_id_equal(cluster_core(c, 0)->tokens[2], old))
        cluster_repeat(c, 2, 0, WIRE_recovery, present);
    tell(c, 1, 0, 0);
    cluster_repeat(c, 2, 0, WIRE_recovery, present);
    assert_int_equal(VR_RECOVERING, cluster_core(c, 0)->status);
    cluster_clear_rules(c);
    assert_true(cluster_converge(c));
    cluster_free(c);
}

/* Rule: a group forms when all name one list.  Replica 0 has heard the first start of 2 and not the
 * second, 1 the second and not the first: each of them has a whole list, but not the same. */
static void two_whole_lists_form_no_group(void **unused)
{
    (void)unused;
    struct cluster *c = cluster_new_blank(3, CLUSTER_MEMORY);
    cluster_drop(c, 2, 1, WIRE_recovery);
    for (uint8_t i = 0; i < 3; i++) cluster_start(c, i);
    cluster_run(c, 300);
    assert_int_equal(cluster_core(c, 0)->agreed, 1 << 2);
    cluster_crash(c, 2);
    cluster_clear_rules(c);
    cluster_drop(c, 2, 0, WIRE_recovery);
    cluster_start(c, 2);
    cluster_run(c, 300);
    for (uint8_t i = 0; i < 2; i++) {
        assert_false(vstamp_id_is_zero(cluster_core(c, i)->tokens[2]));
        assert_int_equal(VR_RECOVERING, cluster_core(c, i)->status);
    }
    cluster_clear_rules(c);
    assert_true(cluster_converge(c));
    assert_true(vstamp_id_equal(cluster_core(c, 0)->group, cluster_core(c, 1)->group));
    cluster_free(c);
}

/* Rule: a word that waits for an echo is answered to its sender alone.  Words of two of its lists
 * come in turn, as a network may repeat them: were all told each time, those who are told would
 * tell all, and there would be ever more of them. */
static void old_words_are_not_told_to_all(void **unused)
{
    (void)unused;
    struct cluster *c = cluster_new_blank(4, CLUSTER_MEMORY);
    cluster_hold(c, CLUSTER_ALL, CLUSTER_ALL, WIRE_recovery);
    for (uint8_t i = 0; i < 3; i++) cluster_start(c, i);
    cluster_settle(c);
    uint32_t first = cluster_count_sent(c, 2, 0, WIRE_recovery);
    cluster_repeat(c, 1, 2, WIRE_recovery, 0); /* its list changes */
    cluster_run(c, 200);
    uint32_t since = cluster_count_sent(c, 2, 0, WIRE_recovery) - first;
    assert_true(since > 0);
    cluster_repeat(c, 2, 0, WIRE_recovery, 0);
    uint32_t to_it = cluster_count_sent(c, 0, 2, WIRE_recovery);
    uint32_t to_others = cluster_count_sent(c, 0, 1, WIRE_recovery);
    for (int i = 0; i < 4; i++) {
        cluster_repeat(c, 2, 0, WIRE_recovery, since);
        cluster_repeat(c, 2, 0, WIRE_recovery, 0);
    }
    assert_int_equal(cluster_count_sent(c, 0, 2, WIRE_recovery), to_it + 8);
    assert_int_equal(cluster_count_sent(c, 0, 1, WIRE_recovery), to_others);
    cluster_clear_rules(c);
    cluster_start(c, 3);
    assert_true(cluster_converge(c));
    cluster_free(c);
}

/* Rule: a replica in a view change tells of the group whoever was counted when it was formed.  Here
 * nobody is normal: the primary of the first view, alone in knowing of it, has crashed. */
static void a_group_that_one_replica_knows_of_goes_on_forming(void **unused)
{
    (void)unused;
    struct cluster *c = cluster_new_blank(3, CLUSTER_DISK);
    cluster_hold(c, CLUSTER_ALL, CLUSTER_ALL, WIRE_recovery);
    for (uint8_t i = 0; i < 3; i++) cluster_start(c, i);
    cluster_run(c, 10);
    tell(c, 0, 1, 2); /* 1 and 2 learn of all, then 0 does */
    tell(c, 1, 2, 2);
    tell(c, 2, 1, 1);
    tell(c, 1, 0, 0);
    tell(c, 2, 0, 0);
    tell(c, 0, 1, 2); /* they echo what it drew then; 1 and 2 wait for each other */
    cluster_drop(c, 0, CLUSTER_ALL, CLUSTER_ALL);
    tell(c, 1, 0, 0);
    tell(c, 2, 0, 0);
    assert_normal(c, 0, 0);
    assert_int_equal(VR_RECOVERING, cluster_core(c, 1)->status);
    assert_int_equal(VR_RECOVERING, cluster_core(c, 2)->status);
    cluster_crash(c, 0);
    cluster_clear_rules(c);
    cluster_start(c, 0);
    assert_true(cluster_core(c, 0)->restarting);
    assert_true(cluster_converge(c));
    cluster_free(c);
}

static void a_wiped_disk_recovers_like_a_blank_replica(void **unused)
{
    (void)unused;
    struct cluster *c = cluster_new(3, CLUSTER_DISK);
    uint64_t session = cluster_register(c, 1, 0);
    for (uint64_t number = 1; number <= 20; number++) cluster_incr(c, 1, session, number, 0);
    cluster_crash(c, 1);
    cluster_wipe(c, 1);
    cluster_start(c, 1);
    assert_int_equal(VR_RECOVERING, cluster_core(c, 1)->status);
    assert_true(cluster_converge(c));
    cluster_crash(c, 0);
    assert_true(cluster_converge(c));
    cluster_try_incr(c, 1, session, 21, cluster_primary(c));
    cluster_run(c, 100);
    assert_int_equal(21, cluster_answer(c, 1, 21, KV_INCR).kv.number);
    cluster_free(c);
}

/* Rule: who was told of a group that died while its state was fetched forms a new one. */
static void a_group_that_dies_while_it_is_fetched_from_is_forgotten(void **unused)
{
    (void)unused;
    struct cluster *c = cluster_new(3, CLUSTER_MEMORY);
    uint64_t session = cluster_register(c, 1, 0);
    cluster_incr(c, 1, session, 1, 0);
    struct vstamp_id group = cluster_core(c, 0)->group;
    cluster_crash(c, 2);
    cluster_drop(c, CLUSTER_ALL, 2, WIRE_new_state);
    cluster_start(c, 2);
    cluster_run(c, 100);
    assert_int_equal(VR_TRANSFER_RECOVERY, cluster_core(c, 2)->transfer.kind);
    for (uint8_t i = 0; i < 2; i++) cluster_crash(c, i);
    cluster_clear_rules(c);
    for (uint8_t i = 0; i < 2; i++) cluster_start(c, i);
    assert_true(cluster_converge(c));
    assert_false(vstamp_id_equal(group, cluster_core(c, 0)->group));
    cluster_free(c);
}

/* Rule: what a checkpoint made void does not count, also where a crash left it on the disk: here
 * entries that a view change replaced, before and after the checkpoint's op-number. */
static void what_a_checkpoint_made_void_may_still_be_on_disk(void **unused)
{
    (void)unused;
    struct cluster *c = cluster_new(3, CLUSTER_DISK);
    uint64_t sessions[4];
    for (uint32_t i = 0; i < 4; i++) sessions[i] = cluster_register(c, i + 1, 0);
    for (uint64_t number = 1; number <= 26; number++) cluster_incr(c, 1, sessions[0], number, 0);
    cluster_run(c, 50);
    cluster_isolate(c, 0);
    cluster_try_incr(c, 1, sessions[0], 27, 0);
    for (uint32_t i = 1; i < 4; i++) cluster_try_incr(c, i + 1, sessions[i], 1, 0);
    assert_int_equal(34, cluster_core(c, 0)->log.op);
    for (int i = 0; i < 300 && cluster_core(c, 1)->log_view == 0; i++) cluster_run(c, 10);
    cluster_crash_at_checkpoint(c, 0);
    cluster_clear_rules(c);
    for (uint64_t number = 1; number <= 10; number++) {
        cluster_incr(c, 2, sessions[1], number, 1);
        cluster_run(c, 50);
    }
    assert_false(cluster_is_up(c, 0));
    cluster_start(c, 0);
    assert_true(cluster_converge(c));
    cluster_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_blank_replica_recovers_all_that_was_answered),
        cmocka_unit_test(pit_3_1_promises_of_former_lives_do_not_start_a_view),
        cmocka_unit_test(pit_3_1_a_promise_given_before_the_crash_is_void_after_it),
        cmocka_unit_test(pit_3_2_a_replica_in_a_view_change_does_not_answer),
        cmocka_unit_test(pit_3_3_the_log_of_a_deposed_primary_is_not_taken),
        cmocka_unit_test(pit_3_4_a_blank_replica_does_not_vote),
        cmocka_unit_test(pit_3_5_answers_to_a_former_start_do_not_count),
        cmocka_unit_test(an_answer_ends_with_the_life_that_gave_it),
        cmocka_unit_test(pit_3_6_with_disks_all_may_crash_at_once),
        cmocka_unit_test(a_group_that_forms_knows_of_no_lives_in_another),
        cmocka_unit_test(pit_3_6_blank_replicas_do_not_outvote_the_one_that_remembers),
        cmocka_unit_test(pit_3_7_an_abandoned_tail_on_disk_is_replaced),
        cmocka_unit_test(a_member_that_was_wiped_while_the_group_formed_recovers),
        cmocka_unit_test(a_late_word_of_a_former_start_does_not_keep_the_group_from_forming),
        cmocka_unit_test(words_of_a_former_start_form_no_group),
        cmocka_unit_test(two_whole_lists_form_no_group),
        cmocka_unit_test(old_words_are_not_told_to_all),
        cmocka_unit_test(a_group_that_one_replica_knows_of_goes_on_forming),
        cmocka_unit_test(a_wiped_disk_recovers_like_a_blank_replica),
        cmocka_unit_test(a_group_that_dies_while_it_is_fetched_from_is_forgotten),
        cmocka_unit_test(what_a_checkpoint_made_void_may_still_be_on_disk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

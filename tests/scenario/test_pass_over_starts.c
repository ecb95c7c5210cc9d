/* SPDX-License-Identifier: BSD-2-Clause */
/* Operations that the application cannot execute, and replicas that start: more stories of
 * lib/vr/pass_over.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "scenario/poison.h"

/* Rule: what is passed over is not tried again by any start, even if it could be executed now. */
static void no_start_tries_it_again(void **unused)
{
    (void)unused;
    struct cluster *c = group(3, 7);
    add(1, 2, POISON);
    cluster_run(c, 200);
    assert_int_equal(3, n_tries);
    refusers = 0; /* the program is mended */
    cluster_crash(c, 1);
    cluster_start(c, 1);
    assert_true(cluster_converge(c));
    for (uint8_t i = 0; i < 3; i++) cluster_crash(c, i);
    for (uint8_t i = 0; i < 3; i++) cluster_start(c, i);
    assert_true(cluster_converge(c));
    assert_int_equal(3, n_tries);
    for (uint8_t i = 0; i < 3; i++) assert_int_equal(0, core(i)->checkpoint_op);
    assert_int_equal(2, incr(3));
    cluster_free(c);
}

/* The same with a checkpoint between the two, so that a start executes only the entry. */
static void a_checkpoint_between_it_and_the_entry(void **unused)
{
    (void)unused;
    struct cluster *c = group(3, 7);
    session_of(2);
    for (uint64_t number = 2; core(0)->log.op < 14; number++) incr(number);
    cluster_hold(c, CLUSTER_ALL, 0, WIRE_prepare_ok);
    cluster_hold(c, CLUSTER_ALL, 0, WIRE_commit_ok);
    add(1, 13, POISON);
    cluster_settle(c);
    add(2, 1, 1);
    cluster_settle(c);
    cluster_clear_rules(c);
    cluster_release(c, CLUSTER_ALL, 0, WIRE_prepare_ok);
    cluster_run(c, 200);
    assert_outcome(WIRE_OUTCOME_NOT_RUN, 1, 13);
    refusers = 0; /* the program is mended */
    for (uint8_t i = 0; i < 3; i++) {
        assert_int_equal(16, core(i)->checkpoint_op);
        cluster_crash(c, i);
    }
    for (uint8_t i = 0; i < 3; i++) cluster_start(c, i);
    assert_true(cluster_converge(c));
    assert_int_equal(14, incr(14));
    assert_int_equal(3, n_tries);
    cluster_free(c);
}

/* A segment behind a checkpoint says the log anew, the operation and the entry in it, and in each
 * record that all of that is executed.  Rule (PO3): a start reads all of it first. */
static void a_start_reads_the_entry_before_it_executes_anything(void **unused)
{
    (void)unused;
    struct cluster *c = group(3, 7);
    session_of(2);
    uint64_t number = 2;
    for (; core(0)->log.op < 15; number++) incr(number);
    cluster_isolate(c, 2);
    incr(number++);
    cluster_hold(c, 1, 0, WIRE_prepare_ok);
    add(1, number, POISON);
    cluster_settle(c);
    add(2, 1, 1);
    cluster_settle(c);
    cluster_clear_rules(c);
    cluster_drop(c, 0, 2, CLUSTER_ALL);
    cluster_release(c, 1, 0, WIRE_prepare_ok);
    cluster_run(c, 150);
    assert_int_equal(1, core(0)->stats.passed_over);
    cluster_clear_rules(c);
    assert_true(cluster_converge(c));
    assert_int_equal(16, core(2)->checkpoint_op);
    cluster_crash(c, 2);
    refusers = 0; /* the program is mended */
    cluster_start(c, 2);
    assert_true(cluster_converge(c));
    assert_int_equal(0, n_executed);
    cluster_free(c);
}

/* Rule (PO6): what was executed in a former life was answered, so a program that cannot execute it
 * is the wrong one: it decides nothing, and the answer stands once it is mended. */
static void what_was_executed_before_is_not_passed_over(void **unused)
{
    (void)unused;
    for (uint8_t n = 1; n <= 3; n += 2) {
        char text[VR_OVER_SIZE];
        struct cluster *c = group(n, 0);
        add(1, 2, POISON);
        cluster_settle(c);
        assert_outcome(WIRE_OUTCOME_ANSWERED, 1, 2);
        for (uint32_t i = 3; i < 6; i++)
            assert_int_equal(POISON + i - 1, incr(i));
        for (uint8_t i = 0; i < n; i++) cluster_crash(c, i);
        refusers = 7; /* another program, in two lives */
        for (int life = 0; life < 2; life++) {
            for (uint8_t i = 0; i < n; i++) cluster_start(c, i);
            cluster_run(c, 2000);
            for (uint8_t i = 0; i < n; i++) {
                assert_true(vr_is_stuck(core(i)));
                assert_int_equal(0, core(i)->stats.passed_over);
                vr_waiting_for(core(i), text, sizeof text);
                assert_non_null(strstr(text, "to be mended"));
                cluster_crash(c, i);
            }
        }
        refusers = 0; /* the program is mended */
        for (uint8_t i = 0; i < n; i++) cluster_start(c, i);
        assert_true(cluster_converge(c));
        assert_int_equal(POISON + 5, incr(6));
        cluster_free(c);
    }
}

/* The same of what was executed last: a journal that nothing follows in says so after a moment. */
static void what_was_executed_last_is_not_passed_over(void **unused)
{
    (void)unused;
    for (uint8_t n = 1; n <= 3; n += 2) {
        struct cluster *c = group(n, 0);
        add(1, 2, POISON);
        cluster_run(c, 100);
        assert_outcome(WIRE_OUTCOME_ANSWERED, 1, 2);
        for (uint8_t i = 0; i < n; i++) cluster_crash(c, i);
        refusers = 7; /* another program */
        for (uint8_t i = 0; i < n; i++) cluster_start(c, i);
        cluster_run(c, 2000);
        for (uint8_t i = 0; i < n; i++) {
            assert_true(vr_is_stuck(core(i)));
            assert_int_equal(0, core(i)->stats.passed_over);
        }
        cluster_free(c);
    }
}

/* All start with another program, and the former primary alone knows that it has executed and
 * answered it. */
static struct cluster *one_of_three_knows_that_it_executed_it(void)
{
    struct cluster *c = group(3, 0);
    session_of(2);
    cluster_drop(c, 0, CLUSTER_ALL, WIRE_commit);
    add(1, 2, POISON);
    cluster_settle(c);
    assert_outcome(WIRE_OUTCOME_ANSWERED, 1, 2);
    cluster_drop(c, 0, CLUSTER_ALL, WIRE_prepare);
    add(2, 1, 1); /* behind which its journal says so */
    cluster_settle(c);
    assert_int_equal(1, n_executed);
    for (uint8_t i = 0; i < 3; i++) cluster_crash(c, i);
    cluster_clear_rules(c);
    refusers = 7; /* another program */
    return c;
}

static void it_is_not_passed_over_and_executed_once_mended(struct cluster *c)
{
    for (uint8_t i = 0; i < 3; i++) {
        assert_true(vr_is_stuck(core(i)));
        assert_int_equal(0, core(i)->stats.passed_over);
        cluster_crash(c, i);
    }
    refusers = 0; /* the program is mended */
    for (uint8_t i = 0; i < 3; i++) cluster_start(c, i);
    assert_true(cluster_converge(c));
    assert_int_equal(2 + POISON + 1, incr(3));
    cluster_free(c);
}

/* It leads again.  Rule (PO6): it passes nothing over, though the others are stuck, and are a
 * quorum. */
static void who_executed_it_before_does_not_count_the_others(void **unused)
{
    (void)unused;
    struct cluster *c = one_of_three_knows_that_it_executed_it();
    for (uint8_t i = 1; i < 3; i++) cluster_drop(c, CLUSTER_ALL, i, WIRE_commit_ok);
    for (uint8_t i = 0; i < 3; i++) cluster_start(c, i);
    for (uint8_t i = 1; i < 3; i++) {
        cluster_run(c, 50);
        assert_int_equal(i, cluster_primary(c));
        cluster_hand_over(c, i);
    }
    cluster_run(c, 1000);
    assert_int_equal(0, cluster_primary(c));
    it_is_not_passed_over_and_executed_once_mended(c);
}

/* Another leads.  Rule (PO6): nor does that, as it hears so. */
static void who_executed_it_before_is_heard_by_the_others(void **unused)
{
    (void)unused;
    struct cluster *c = one_of_three_knows_that_it_executed_it();
    for (uint8_t i = 0; i < 3; i++) cluster_start(c, i);
    cluster_run(c, 1000);
    assert_int_equal(1, cluster_primary(c));
    it_is_not_passed_over_and_executed_once_mended(c);
}

/* Rule (PO6): those who are stuck write in their journals that nothing was executed, whatever is
 * committed, and so they are as free to pass it over after a crash. */
static void who_crashes_while_stuck_passes_it_over_afterwards(void **unused)
{
    (void)unused;
    struct cluster *c = group(3, 7);
    cluster_drop(c, CLUSTER_ALL, CLUSTER_ALL, WIRE_commit_ok);
    add(1, 2, POISON);
    cluster_run(c, 200);
    cluster_crash(c, cluster_primary(c));
    cluster_run(c, 2000); /* a view begins, and is noted, where two are stuck */
    for (uint8_t i = 0; i < 3; i++) {
        if (!cluster_is_up(c, i)) continue;
        assert_true(vr_is_stuck(core(i)) && core(i)->view > 0);
        cluster_crash(c, i);
    }
    cluster_clear_rules(c);
    for (uint8_t i = 0; i < 3; i++) cluster_start(c, i);
    cluster_run(c, 2000);
    for (uint8_t i = 0; i < 3; i++) assert_int_equal(1, core(i)->stats.passed_over);
    assert_int_equal(2, incr(3));
    cluster_free(c);
}

/* The only one left with the log was stuck, so its journal does not say that what it logged since
 * is committed; the next primary fetches that from it.  Rule: what lies further back than what can
 * be in flight is committed, so the rest can be taken in one step (state_transfer.c, T2). */
static void a_log_of_one_that_was_stuck_is_fetched_by_the_next_primary(void **unused)
{
    (void)unused;
    struct cluster *c = group(3, 4);
    session_of(2);
    cluster_isolate(c, 1);
    cluster_drop(c, 0, 2, WIRE_commit);
    add(1, 2, POISON);
    cluster_settle(c);
    for (uint64_t number = 1; core(2)->log.op < 50; number++) put(2, number, CLUSTER_VALUE_MAX);
    assert_true(vr_is_stuck(core(2)));
    for (uint8_t i = 0; i < 3; i++) cluster_crash(c, i);
    cluster_clear_rules(c);
    for (uint8_t i = 1; i < 3; i++) cluster_start(c, i);
    cluster_run(c, 2000);
    assert_int_equal(1, cluster_primary(c));
    assert_true(core(2)->over);
    cluster_free(c);
}

/* One that was down fetches the log in parts, with a program that is mended.  Rule (PO3): it does
 * not execute the operation when the entry that passes over it is in the next part. */
static void who_fetches_the_operation_before_the_entry_waits_for_it(void **unused)
{
    (void)unused;
    struct cluster *c = group(3, 7);
    for (uint32_t i = 2; i <= 5; i++) session_of(i);
    cluster_crash(c, 2);
    for (uint64_t number = 2; number <= 4; number++) put(1, number, CLUSTER_VALUE_MAX);
    cluster_hold(c, 1, 0, WIRE_prepare_ok);
    add(2, 1, POISON);
    cluster_settle(c);
    for (uint32_t i = 3; i <= 5; i++) put(i, 1, CLUSTER_VALUE_MAX);
    cluster_clear_rules(c);
    cluster_release(c, 1, 0, WIRE_prepare_ok);
    cluster_run(c, 200);
    assert_outcome(WIRE_OUTCOME_NOT_RUN, 2, 1);
    refusers = 0; /* the program is mended */
    cluster_start(c, 2);
    assert_true(cluster_converge(c));
    assert_int_equal(0, n_executed);
    assert_int_equal(1, core(2)->stats.passed_over);
    cluster_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_start_tries_it_again),
        cmocka_unit_test(a_checkpoint_between_it_and_the_entry),
        cmocka_unit_test(a_start_reads_the_entry_before_it_executes_anything),
        cmocka_unit_test(what_was_executed_before_is_not_passed_over),
        cmocka_unit_test(what_was_executed_last_is_not_passed_over),
        cmocka_unit_test(who_executed_it_before_does_not_count_the_others),
        cmocka_unit_test(who_executed_it_before_is_heard_by_the_others),
        cmocka_unit_test(who_crashes_while_stuck_passes_it_over_afterwards),
        cmocka_unit_test(a_log_of_one_that_was_stuck_is_fetched_by_the_next_primary),
        cmocka_unit_test(who_fetches_the_operation_before_the_entry_waits_for_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

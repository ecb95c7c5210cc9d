/* SPDX-License-Identifier: BSD-2-Clause */
/* Versions of the protocol in one group (lib/vr/version.c) as stories. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "scenario/cluster.h"

#define LATER (WIRE_NEWEST + 1u)

/* Its next start is with a program that speaks up to that version. */
static void start_in(struct cluster *c, uint8_t replica, uint8_t newest)
{
    if (cluster_is_up(c, replica)) cluster_crash(c, replica);
    cluster_speak(c, replica, newest);
    cluster_start(c, replica);
    assert_true(cluster_converge(c));
}

static void assert_all_in(const struct cluster *c, uint8_t version)
{
    for (uint8_t i = 0; i < 3; i++)
        assert_int_equal(vr_version(cluster_core(c, i)), version);
}

/* Three that have all been upgraded, with the session of client 1 and a request that has run. */
static struct cluster *raised_group(int mode, uint64_t *session)
{
    struct cluster *c = cluster_new(3, mode);
    *session = cluster_register(c, 1, cluster_primary(c));
    assert_int_equal(cluster_incr(c, 1, *session, 1, cluster_primary(c)), 1);
    for (uint8_t i = 0; i < 3; i++) start_in(c, i, LATER);
    cluster_run(c, 100);
    assert_all_in(c, LATER);
    return c;
}

/* Rule: G4; the last one makes the group rise, and no request is waited for. */
static void a_group_rises_when_the_last_member_was_upgraded(void **state)
{
    (void)state;
    struct cluster *c = cluster_new(3, CLUSTER_DISK);
    uint64_t session = cluster_register(c, 1, 0);
    assert_int_equal(cluster_incr(c, 1, session, 1, 0), 1);
    start_in(c, 1, LATER);
    start_in(c, 0, LATER);
    cluster_run(c, 1000);
    assert_int_equal(cluster_incr(c, 1, session, 2, cluster_primary(c)), 2);
    assert_all_in(c, WIRE_NEWEST);
    uint64_t op = cluster_core(c, 0)->log.op;
    start_in(c, 2, LATER);
    cluster_run(c, 100);
    assert_all_in(c, LATER);
    assert_int_equal(cluster_core(c, 0)->log.op, op + 1);
    assert_int_equal(cluster_incr(c, 1, session, 3, cluster_primary(c)), 3);
    assert_int_equal(cluster_core(c, 0)->log.op, op + 2); /* once is enough */
    cluster_free(c);
}

/* Rule: until then there is a way back, on the same disk. */
static void a_member_can_go_back_before_that(void **state)
{
    (void)state;
    struct cluster *c = cluster_new(3, CLUSTER_DISK);
    uint64_t session = cluster_register(c, 1, 0);
    start_in(c, 1, LATER);
    start_in(c, 2, LATER);
    assert_int_equal(cluster_incr(c, 1, session, 1, cluster_primary(c)), 1);
    start_in(c, 2, WIRE_NEWEST);
    start_in(c, 0, LATER);
    cluster_run(c, 1000);
    assert_int_equal(cluster_incr(c, 1, session, 2, cluster_primary(c)), 2);
    assert_all_in(c, WIRE_NEWEST);
    cluster_free(c);
}

/* Rule: who is away may be anything; what it had said before does not count. */
static void a_member_that_is_away_is_waited_for(void **state)
{
    (void)state;
    struct cluster *c = cluster_new(3, CLUSTER_DISK);
    start_in(c, 2, LATER);
    cluster_crash(c, 2);
    uint64_t session = cluster_register(c, 1, cluster_primary(c));
    start_in(c, 1, LATER);
    start_in(c, 0, LATER);
    cluster_run(c, 1000);
    assert_int_equal(cluster_incr(c, 1, session, 1, cluster_primary(c)), 1);
    assert_int_equal(vr_version(cluster_core(c, 0)), WIRE_NEWEST);
    cluster_start(c, 2);
    assert_true(cluster_converge(c));
    cluster_run(c, 100);
    assert_all_in(c, LATER);
    cluster_free(c);
}

/* A prepare from `from` that follows the log of `to`, in a frame that can be read. */
static void forge_prepare(struct cluster *c, uint8_t from, uint8_t to, uint8_t version)
{
    static const uint8_t body[4];
    const struct vr *r = cluster_core(c, to);
    const struct wire_entry_header *last = log_last(&r->log);
    struct wire_prepare m = {.commit = r->commit,
                             .entry = {.header = {.op = last->op + 1,
                                                  .view = r->view,
                                                  .epoch = r->epoch,
                                                  .version = version,
                                                  .timestamp = last->timestamp + 1,
                                                  .parent = last->checksum},
                                       .body = {body, sizeof body}}};
    m.entry.header.checksum = log_checksum(r->group, &m.entry.header, m.entry.body);
    cluster_forge(c, from, to, r->view, &wire_shape_prepare, &m);
    cluster_settle(c);
}

/* Rule: it may yet be taken back, so it is neither held nor an end. */
static void an_entry_that_could_not_be_executed_is_ignored(void **state)
{
    (void)state;
    struct cluster *c = cluster_new(3, CLUSTER_MEMORY);
    uint64_t session = cluster_register(c, 1, 0);
    assert_int_equal(cluster_incr(c, 1, session, 1, 0), 1);
    uint64_t op = cluster_core(c, 1)->log.op;
    forge_prepare(c, 0, 1, LATER);
    assert_true(cluster_is_up(c, 1));
    assert_int_equal(cluster_core(c, 1)->log.op, op);
    assert_true(cluster_has_traced(c, 1, "could not execute"));
    assert_int_equal(cluster_incr(c, 1, session, 2, 0), 2);
    cluster_free(c);
}

/* All have been upgraded, and the entry by which they rise is held by their primary alone: what
 * brings it to the others waits. */
static struct cluster *rising_group(uint64_t *session)
{
    struct cluster *c = cluster_new(3, CLUSTER_DISK);
    *session = cluster_register(c, 1, 0);
    start_in(c, 0, LATER);
    start_in(c, 1, LATER);
    cluster_hold(c, CLUSTER_ALL, CLUSTER_ALL, WIRE_prepare);
    cluster_drop(c, CLUSTER_ALL, CLUSTER_ALL, WIRE_new_state);
    cluster_crash(c, 2);
    cluster_speak(c, 2, LATER);
    cluster_start(c, 2);
    cluster_run(c, 1000);
    const struct vr *primary = cluster_core(c, cluster_primary(c));
    assert_int_equal(log_last(&primary->log)->version, LATER);
    assert_int_equal(vr_version(primary), WIRE_NEWEST);
    return c;
}

static void go_back(struct cluster *c, uint8_t replica)
{
    cluster_crash(c, replica);
    cluster_speak(c, replica, WIRE_NEWEST);
    cluster_start(c, replica);
    cluster_run(c, 100);
}

/* Rule: G6; one that went back says what it lacks, and keeps nobody from anything. */
static void one_that_went_back_in_that_moment_says_so(void **state)
{
    (void)state;
    uint64_t session;
    char text[200];
    struct cluster *c = rising_group(&session);
    uint8_t primary = cluster_primary(c), back = (uint8_t)((primary + 1) % 3);
    uint64_t view = cluster_core(c, primary)->view;
    go_back(c, back);
    cluster_pass(c, primary, back, WIRE_new_state);
    cluster_run(c, 1000);
    assert_false(cluster_core(c, back)->over);
    assert_true(cluster_has_traced(c, back, "program-too-old"));
    assert_non_null(strstr(vr_waiting_for(cluster_core(c, back), text, sizeof text),
                           "waits for a later program: the log of replica "));
    assert_int_equal(cluster_core(c, primary)->view, view);
    cluster_clear_rules(c);
    cluster_run(c, 1000);
    assert_int_equal(cluster_incr(c, 1, session, 1, primary), 1);
    assert_int_equal(vr_version(cluster_core(c, primary)), LATER);
    assert_true(cluster_core(c, back)->over);
    assert_true(cluster_has_traced(c, back, "this program speaks none above"));
    cluster_free(c);
}

/* Rule: G6; a majority that went back goes on without what it could not execute. */
static void a_majority_that_went_back_goes_on(void **state)
{
    (void)state;
    uint64_t session;
    struct cluster *c = rising_group(&session);
    uint8_t primary = cluster_primary(c);
    for (uint8_t i = 0; i < 3; i++)
        if (i != primary) go_back(c, i);
    assert_int_equal(cluster_primary(c), primary);
    cluster_clear_rules(c);
    cluster_run(c, 3000);
    assert_true(cluster_primary(c) != primary);
    assert_int_equal(cluster_incr(c, 1, session, 1, cluster_primary(c)), 1);
    assert_true(cluster_converge(c));
    assert_all_in(c, WIRE_NEWEST);
    for (uint8_t i = 0; i < 3; i++) start_in(c, i, LATER);
    cluster_run(c, 1000);
    assert_all_in(c, LATER);
    cluster_free(c);
}

/* Rule: G4. */
static void an_entry_of_an_older_version_does_not_follow(void **state)
{
    (void)state;
    uint64_t session;
    struct cluster *c = raised_group(CLUSTER_DISK, &session);
    uint8_t primary = cluster_primary(c), backup = (uint8_t)((primary + 1) % 3);
    uint64_t op = cluster_core(c, backup)->log.op;
    forge_prepare(c, primary, backup, WIRE_NEWEST);
    assert_int_equal(cluster_core(c, backup)->log.op, op);
    assert_true(cluster_has_traced(c, backup, "prepare-does-not-chain"));
    cluster_free(c);
}

/* Rule: G5. */
static void who_is_too_old_for_its_group_ends_in_words(void **state)
{
    (void)state;
    uint64_t session;
    struct cluster *c = raised_group(CLUSTER_DISK, &session);
    uint8_t i = (uint8_t)((cluster_primary(c) + 1) % 3);
    cluster_crash(c, i);
    cluster_wipe(c, i); /* else its disk would say so */
    cluster_speak(c, i, WIRE_NEWEST);
    cluster_start(c, i);
    cluster_run(c, 1000);
    assert_true(cluster_core(c, i)->over);
    assert_true(cluster_has_traced(c, i, "this program speaks none above"));
    assert_int_equal(cluster_incr(c, 1, session, 2, cluster_primary(c)), 2);
    start_in(c, i, LATER);
    assert_all_in(c, LATER);
    cluster_free(c);
}

/* Rule: G4 of the epoch to be. */
static void a_member_to_be_that_is_too_old_is_refused_in_words(void **state)
{
    (void)state;
    uint64_t session;
    static const uint8_t members[] = {0, 1, 2, 3};
    struct cluster *c = raised_group(CLUSTER_DISK, &session);
    uint8_t primary = cluster_primary(c);
    cluster_add(c, members, 4);
    cluster_send_reconfigure(c, 1, session, 2, primary, cluster_core(c, primary), members, 4);
    cluster_run(c, 1000);
    struct cluster_answer answer = cluster_answer_to(c, 1, 2);
    assert_int_equal(answer.reason, WIRE_REJECT_CONFLICT);
    assert_true(cluster_has_traced(c, primary, "install there what the others run"));
    assert_int_equal(cluster_core(c, primary)->epoch, 0);
    cluster_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_group_rises_when_the_last_member_was_upgraded),
        cmocka_unit_test(a_member_can_go_back_before_that),
        cmocka_unit_test(a_member_that_is_away_is_waited_for),
        cmocka_unit_test(an_entry_that_could_not_be_executed_is_ignored),
        cmocka_unit_test(one_that_went_back_in_that_moment_says_so),
        cmocka_unit_test(a_majority_that_went_back_goes_on),
        cmocka_unit_test(an_entry_of_an_older_version_does_not_follow),
        cmocka_unit_test(who_is_too_old_for_its_group_ends_in_words),
        cmocka_unit_test(a_member_to_be_that_is_too_old_is_refused_in_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

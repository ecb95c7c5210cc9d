/* SPDX-License-Identifier: BSD-2-Clause */
/* The client's half of the protocol when the group moves to other members (paper section 7.4). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "unit/session_play.h"

/* Replica `from` says that the group `whose` has `n` members in the epoch `to`, the last one a
 * witness. */
static int says_moved(uint8_t from, struct vstamp_id whose, uint32_t to, uint32_t n, uint64_t view)
{
    uint8_t buffer[1024];
    struct wire_list_builder b;
    wire_list_begin(&b, &wire_shape_member, buffer, sizeof buffer);
    for (uint32_t i = 0; i < n; i++)
        assert_true(wire_list_add(&b, &(struct wire_member){.address = bytes_of("h:1"),
                                                            .witness = i > 0 && i == n - 1}));
    struct wire_new_epoch m = {
        .membership = {.epoch = to, .op = 9, .first_view = view, .members = wire_list_end(&b)}};
    epoch = to;
    return deliver(from, whose, view, &wire_shape_new_epoch, &m);
}

static void a_group_that_moved_is_followed(void **state)
{
    (void)state;
    start(SESSION_APPLY);
    sends_only_to(0);
    assert_int_equal(sent.header.epoch, 0);
    assert_int_equal(says_moved(0, group, 2, 5, 7), SESSION_MOVED);
    assert_int_equal(s.n_replicas, 5);
    assert_int_equal(session_primary(&s), 3); /* view 7 among the four that are active */
    for (uint8_t i = 0; i < 5; i++) assert_int_equal(sends_to(i), i == 3);
    assert_int_equal(sent.header.epoch, 2);
    assert_int_equal(sent.header.view, 7);
    assert_int_equal(sent.as.request.number, 5); /* the same request */
    reply(3, 7, 30, "6");
    assert_int_equal(s.result.err, 0);
    assert_int_equal(s.result.epoch, 2);
    assert_int_equal(s.identity.epoch, 2);
}

static void how_late_the_former_members_were_is_not_held_against_the_new_ones(void **state)
{
    (void)state;
    start(SESSION_APPLY);
    pass(SESSION_PATIENCE_MS * 10);
    says_moved(0, group, 1, 3, 1);
    uint8_t primary = session_primary(&s);
    assert_true(sends_to(primary));
    reply(primary, 1, 30, "6");
    start(SESSION_APPLY);
    assert_int_equal(session_wake(&s), now + SESSION_PATIENCE_MS);
}

/* What went to the former members was neither answered nor refused. */
static void a_copy_from_before_the_move_may_run(void **state)
{
    (void)state;
    start(SESSION_APPLY);
    sends_only_to(0);
    says_moved(0, group, 1, 3, 1);
    pass(DEADLINE);
    assert_int_equal(s.result.err, VSTAMP_E_UNKNOWN_OUTCOME);
}

static void only_later_epochs_of_our_group_move_it(void **state)
{
    (void)state;
    start(SESSION_READ);
    sends_only_to(0);
    assert_int_equal(says_moved(0, group, 3, 4, 1), SESSION_MOVED);
    assert_int_equal(says_moved(1, group, 3, 5, 2), 0);
    assert_int_equal(says_moved(1, group, 2, 5, 2), 0);
    assert_int_equal(says_moved(1, stranger, 4, 5, 2), 0);
    assert_int_equal(says_moved(1, (struct vstamp_id){0}, 4, 5, 2), 0);
    assert_int_equal(says_moved(1, group, 4, 0, 2), 0);
    assert_int_equal(says_moved(1, group, 4, REPLICAS_MAX + 1, 2), 0);
    assert_int_equal(s.n_replicas, 4);
    assert_int_equal(s.identity.epoch, 3);
}

static void a_view_is_one_of_an_epoch(void **state)
{
    (void)state;
    start(SESSION_APPLY);
    says_moved(0, group, 1, 4, 2);
    assert_true(sends_to(2));
    epoch = 0;
    reject(2, 9, WIRE_REJECT_NOT_PRIMARY); /* of somebody who lives in the past */
    assert_int_equal(s.identity.view, 2);
    reject(2, 9, WIRE_REJECT_EVICTED); /* and knows nobody there */
    assert_false(session_ended(&s));
    epoch = 1;
    reject(2, 3, WIRE_REJECT_UNAVAILABLE);
    assert_int_equal(s.identity.view, 3);
}

/* Is the next frame for this replica the question who the members are? */
static bool asks_members(uint8_t replica)
{
    return sends_to(replica) && sent.as.request.kind == WIRE_KIND_MEMBERS;
}

/* C10: it calls itself by another number than we do. */
static void who_was_named_some_members_asks_for_all_and_is_told_once(void **state)
{
    (void)state;
    s.told = false;
    start(SESSION_APPLY);
    sends_only_to(0);
    ahead = 3;
    reject(0, 6, WIRE_REJECT_NOT_PRIMARY);
    assert_true(asks_members(0));
    assert_true(vstamp_id_equal(sent.header.group, group));
    assert_int_equal(sent.as.request.body.size, 0);
    assert_false(sends_to(0));
    assert_int_equal(says_moved(0, group, 0, 5, 0), SESSION_MOVED);
    assert_int_equal(s.n_replicas, 5);
    assert_int_equal(s.identity.epoch, 0);
    assert_int_equal(s.identity.view, 6); /* it is the same epoch */
    sends_to(2);
    assert_int_equal(sent.as.request.kind, WIRE_KIND_APPLY);
    assert_int_equal(sent.as.request.number, 5);
    reject(2, 6, WIRE_REJECT_NOT_PRIMARY); /* how odd; but it has been told */
    assert_false(asks_members(2));
    assert_int_equal(says_moved(2, group, 0, 4, 0), 0);
    assert_int_equal(s.n_replicas, 5);
    pass(DEADLINE);
    ended(VSTAMP_E_NOT_RUN, false); /* all copies came back */
}

/* C10: by our numbers it leads the view that it is in. */
static void who_says_no_and_should_lead_is_asked_for_the_members(void **state)
{
    (void)state;
    s.told = false;
    start(SESSION_READ);
    sends_only_to(0);
    reject(0, 7, WIRE_REJECT_NOT_PRIMARY);
    assert_true(sends_to(1));
    reject(1, 7, WIRE_REJECT_NOT_PRIMARY);
    assert_true(asks_members(1));
    assert_false(asks_members(0));
}

static void a_witness_by_another_number_is_asked_for_the_members(void **state)
{
    (void)state;
    s.told = false;
    witnesses = 1u << 4;
    start(SESSION_READ_STALE);
    int first = sends_to_any();
    assert_int_not_equal(first, -1);
    ahead = 4;
    reject((uint8_t)first, 0, WIRE_REJECT_WITNESS);
    assert_true(asks_members((uint8_t)first));
    assert_int_equal(says_moved((uint8_t)first, group, 0, 5, 0), SESSION_MOVED);
    assert_true(sends_to(0));
}

/* C10: replica 2 is known here as 1, and a witness is its own number 1. */
static void witnesses_by_other_numbers_are_not_believed(void **state)
{
    (void)state;
    s.told = false;
    witnesses = 1u << 1;
    ahead = 1;
    start(SESSION_READ);
    sends_only_to(0);
    session_on_down(&s, 0);
    assert_true(sends_to(1));
    reply(1, 1, 30, "6");
    assert_int_equal(s.witnesses, 0);
    start(SESSION_READ);
    sends_only_to(1); /* it led the view */
    ahead = 0;
    reply(1, 1, 30, "6");
    assert_int_equal(s.witnesses, 1u << 1);
}

/* C10: what it says can be true, but the others are somewhere else. */
static void two_rounds_that_lead_nowhere_are_a_reason_to_ask(void **state)
{
    (void)state;
    s.told = false;
    start(SESSION_APPLY);
    sends_only_to(0);
    session_on_down(&s, 0);
    for (uint32_t round = 0; round < 3; round++) {
        session_on_down(&s, 2);
        while (sends_to(1)) assert_int_equal(sent.as.request.kind, WIRE_KIND_APPLY);
        reject(1, 0, WIRE_REJECT_NOT_PRIMARY);
        if (round < 2) pass(s.round_ends_ms - now);
    }
    assert_true(asks_members(1));
}

static void of_a_large_request_the_small_question_before_it_leads_there_too(void **state)
{
    (void)state;
    static const uint8_t large[SESSION_HEAVY_BYTES + 1];
    s.told = false;
    session_start(&s, SESSION_APPLY, (struct bytes){large, sizeof large}, false, now,
                  now + DEADLINE);
    session_on_down(&s, 0);
    assert_true(sends_to(1));
    reject(1, 0, WIRE_REJECT_NOT_PRIMARY);
    while (s.round < 2) pass(s.round_ends_ms - now);
    assert_true(sends_to(1));
    assert_int_equal(sent.as.request.number, s.probe);
    struct wire_reply m = {.client = me, .number = s.probe, .body = bytes_of("")};
    assert_int_equal(deliver(1, group, 0, &wire_shape_reply, &m), 0);
    assert_true(asks_members(1));
}

static void others_are_asked_when_the_members_are_silent(void **state)
{
    (void)state;
    session_know_others(&s, 2);
    start(SESSION_APPLY);
    sends_only_to(0);
    assert_false(session_wants(&s, 3) || session_wants(&s, 4));
    for (uint8_t i = 0; i < N; i++) session_on_down(&s, i);
    assert_false(session_wants(&s, 3));
    pass(SESSION_PATIENCE_MS);
    assert_true(session_wants(&s, 3) && session_wants(&s, 4));
    reply(0, 0, 30, ""); /* who answered is of our group, no matter what */
    start(SESSION_APPLY);
    pass(s.round_ends_ms - now);
    assert_true(sends_to(3) && sends_to(4));
    assert_int_equal(says_moved(4, group, 1, 3, 0), SESSION_MOVED);
    assert_int_equal(s.n_others, 0); /* the host says anew who there is */
}

static void a_reconfiguration_that_is_refused_says_why(void **state)
{
    (void)state;
    start(SESSION_RECONFIGURE);
    sends_only_to(0);
    assert_int_equal(sent.as.request.kind, WIRE_KIND_RECONFIGURE);
    assert_int_equal(sent.as.request.number, 5);
    reject(0, 0, WIRE_REJECT_CONFLICT);
    assert_int_equal(s.result.err, VSTAMP_E_INVALID);
    assert_false(s.result.may_have_run);
}

static void a_reconfiguration_that_was_taken_up_may_be_made_later(void **state)
{
    (void)state;
    start(SESSION_RECONFIGURE);
    sends_only_to(0);
    reject(0, 0, WIRE_REJECT_BUSY);
    pass(DEADLINE);
    ended(VSTAMP_E_UNKNOWN_OUTCOME, true);
    start(SESSION_RECONFIGURE);
    sends_only_to(0);
    reject(0, 0, WIRE_REJECT_BUSY);
    pass(SESSION_PATIENCE_MS);
    assert_true(sends_to(0));
    reject(0, 0, WIRE_REJECT_BUSY);
    pass(SESSION_ROUND_MS_MAX);
    assert_true(sends_to(0));
    reject(0, 0, WIRE_REJECT_CONFLICT); /* a new member does not come */
    ended(VSTAMP_E_INVALID, false);
    start(SESSION_RECONFIGURE);
    sends_only_to(0);
    reject(0, 0, WIRE_REJECT_BUSY);
    pass(SESSION_PATIENCE_MS);
    for (uint8_t i = 0; i < N; i++) /* whoever leads next may have it in its log */
        if (sends_to(i)) reject(i, 0, WIRE_REJECT_UNAVAILABLE);
    pass(DEADLINE);
    ended(VSTAMP_E_UNKNOWN_OUTCOME, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_group_that_moved_is_followed, registered),
        cmocka_unit_test_setup(
            how_late_the_former_members_were_is_not_held_against_the_new_ones, registered),
        cmocka_unit_test_setup(a_copy_from_before_the_move_may_run, registered),
        cmocka_unit_test_setup(only_later_epochs_of_our_group_move_it, registered),
        cmocka_unit_test_setup(a_view_is_one_of_an_epoch, registered),
        cmocka_unit_test_setup(who_was_named_some_members_asks_for_all_and_is_told_once,
                               registered),
        cmocka_unit_test_setup(who_says_no_and_should_lead_is_asked_for_the_members, registered),
        cmocka_unit_test_setup(a_witness_by_another_number_is_asked_for_the_members, registered),
        cmocka_unit_test_setup(witnesses_by_other_numbers_are_not_believed, registered),
        cmocka_unit_test_setup(two_rounds_that_lead_nowhere_are_a_reason_to_ask, registered),
        cmocka_unit_test_setup(
            of_a_large_request_the_small_question_before_it_leads_there_too, registered),
        cmocka_unit_test_setup(others_are_asked_when_the_members_are_silent, registered),
        cmocka_unit_test_setup(a_reconfiguration_that_is_refused_says_why, registered),
        cmocka_unit_test_setup(a_reconfiguration_that_was_taken_up_may_be_made_later, registered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

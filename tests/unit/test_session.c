/* SPDX-License-Identifier: BSD-2-Clause */
/* The client's half of the protocol against a group of three that the test plays itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "unit/session_play.h"
#include "vr/client_table.h"

static void a_client_registers_then_numbers_its_requests(void **state)
{
    (void)state;
    start(SESSION_REGISTER);
    sends_only_to(0);
    assert_int_equal(sent.as.request.kind, WIRE_KIND_REGISTER);
    assert_int_equal(sent.as.request.number, SESSION_REGISTRATIONS + 1);
    assert_int_equal(sent.as.request.session, 0);
    assert_true(vstamp_id_is_zero(sent.header.group));
    reply_registration(0, (struct wire_registration){.session = 10});
    ended(0, false);
    assert_int_equal(s.identity.session, 10);

    start(SESSION_APPLY);
    sends_only_to(0);
    assert_int_equal(sent.as.request.kind, WIRE_KIND_APPLY);
    assert_int_equal(sent.as.request.session, 10);
    assert_int_equal(sent.as.request.number, 1);
    assert_true(bytes_equal(sent.as.request.body, operation));
    assert_true(vstamp_id_equal(sent.header.group, group));
    reply(0, 0, 11, "1");
    ended(0, false);
    assert_true(bytes_equal(s.result.body, bytes_of("1")));
    assert_int_equal(s.result.op, 11);
    assert_int_equal(s.identity.seen, 11);

    start(SESSION_APPLY);
    assert_true(sends_to(0));
    assert_int_equal(sent.as.request.number, 2);
}

static void a_write_that_was_never_sent_did_not_run(void **state)
{
    (void)state;
    start(SESSION_APPLY);
    for (uint8_t i = 0; i < N; i++) session_on_down(&s, i);
    pass(DEADLINE);
    ended(VSTAMP_E_NOT_RUN, false);
}

static void who_is_not_let_in_by_anybody_learns_so(void **state)
{
    (void)state;
    start(SESSION_APPLY);
    session_bar(&s);
    session_on_down(&s, 0);
    pass(DEADLINE);
    ended(VSTAMP_E_NOT_AUTHORISED, false);

    start(SESSION_APPLY);
    session_bar(&s);
    reject(1, 0, WIRE_REJECT_UNAVAILABLE); /* this one does */
    pass(DEADLINE);
    ended(VSTAMP_E_NOT_RUN, false);

    start(SESSION_APPLY);
    sends_only_to(0);
    session_bar(&s);
    session_on_down(&s, 0); /* with a request on its way */
    pass(DEADLINE);
    ended(VSTAMP_E_UNKNOWN_OUTCOME, true);
}

static void a_write_that_all_rejected_did_not_run(void **state)
{
    (void)state;
    start(SESSION_APPLY);
    sends_only_to(0);
    reject(0, 0, WIRE_REJECT_UNAVAILABLE);
    pass(SESSION_PATIENCE_MS);
    sends_to_all();
    for (uint8_t i = 0; i < N; i++) reject(i, 0, WIRE_REJECT_UNAVAILABLE);
    pass(DEADLINE);
    ended(VSTAMP_E_NOT_RUN, false);
}

/* C5: the same request was made before, and its answer comes once more. */
static void an_answer_to_the_request_before_is_none(void **state)
{
    (void)state;
    start(SESSION_APPLY);
    assert_true(sends_to_any() >= 0);
    struct wire_reply before = {
        .client = me, .session = s.request.session, .number = s.request.number - 1,
        .request = s.request_checksum, .op = 21, .body = bytes_of("4")};
    assert_int_equal(deliver(0, group, 0, &wire_shape_reply, &before), 0);
    assert_true(s.running);
    reply(0, 0, 22, "5");
    assert_false(s.running);
    assert_int_equal(s.result.err, 0);
}

static void a_write_without_an_answer_may_have_run(void **state)
{
    (void)state;
    start(SESSION_APPLY);
    sends_only_to(0);
    assert_true(session_may_run(&s));
    pass(DEADLINE);
    ended(VSTAMP_E_UNKNOWN_OUTCOME, true);
}

static void one_copy_that_was_lost_outweighs_all_rejects(void **state)
{
    (void)state;
    start(SESSION_APPLY);
    sends_only_to(0);
    session_on_down(&s, 0); /* with the copy on its way */
    assert_true(sends_to(1) && sends_to(2));
    reject(1, 0, WIRE_REJECT_UNAVAILABLE);
    reject(2, 0, WIRE_REJECT_UNAVAILABLE);
    pass(DEADLINE);
    ended(VSTAMP_E_UNKNOWN_OUTCOME, true);
}

static void one_reject_answers_one_copy_only(void **state)
{
    (void)state;
    start(SESSION_APPLY);
    sends_only_to(0);
    s.confirmed = true;
    pass(SESSION_PATIENCE_MS);
    sends_to_all(); /* a second copy to replica 0, whose first may be in the log */
    for (uint8_t i = 0; i < N; i++) reject(i, 0, WIRE_REJECT_UNAVAILABLE);
    pass(DEADLINE);
    ended(VSTAMP_E_UNKNOWN_OUTCOME, true);
}

static void reads_and_registrations_never_end_unknown(void **state)
{
    (void)state;
    const enum session_task tasks[] = {SESSION_READ, SESSION_READ_CAUSAL, SESSION_REGISTER};
    for (size_t i = 0; i < sizeof tasks / sizeof tasks[0]; i++) {
        start(tasks[i]);
        assert_true(sends_to_any() >= 0);
        pass(DEADLINE);
        ended(VSTAMP_E_NOT_RUN, false);
    }
}

static void a_causal_read_carries_what_was_seen(void **state)
{
    (void)state;
    start(SESSION_READ_CAUSAL);
    int asked = sends_to_any();
    assert_true(asked >= 0);
    assert_int_equal(sent.as.request.token, 20);
    reply((uint8_t)asked, 0, 25, "x");
    start(SESSION_READ_CAUSAL);
    asked = sends_to_any();
    assert_true(asked >= 0);
    assert_int_equal(sent.as.request.token, 25);
    reply((uint8_t)asked, 0, 25, "x");
    start(SESSION_READ);
    assert_true(sends_to(0));
    assert_int_equal(sent.as.request.token, 0);
}

static void reads_that_any_replica_may_answer_are_spread(void **state)
{
    (void)state;
    uint32_t asked = 0;
    for (int i = 0; i < 100; i++) {
        start(i % 2 == 0 ? SESSION_READ_CAUSAL : SESSION_READ_STALE);
        int replica = sends_to_any();
        assert_true(replica >= 0);
        asked |= 1u << replica;
        reply((uint8_t)replica, 0, 25, "x");
    }
    assert_int_equal(asked, (1u << s.n_replicas) - 1);
}

/* PIT-7.3: who is a witness decides who leads a view.  Any answer tells. */
static void the_first_answer_tells_who_can_lead(void **state)
{
    (void)state;
    start(SESSION_APPLY);
    sends_only_to(0);
    witnesses = 1u << 1;
    reject(0, 1, WIRE_REJECT_NOT_PRIMARY);
    sends_only_to(2); /* of view 1, as 1 is a witness */
    reply(2, 1, 30, "x");
    assert_int_equal(session_primary(&s), 2);
    start(SESSION_APPLY);
    sends_only_to(2);
}

static void a_witness_that_was_asked_leads_to_the_primary(void **state)
{
    (void)state;
    start(SESSION_APPLY);
    sends_only_to(0);
    witnesses = 1u << 0;
    reject(0, 0, WIRE_REJECT_WITNESS);
    sends_only_to(1);
}

static void witnesses_are_asked_last(void **state)
{
    (void)state;
    uint32_t asked = 0;
    session_know_witnesses(&s, 1u << 0);
    witnesses = 1u << 0;
    for (int i = 0; i < 50; i++) {
        start(SESSION_READ_STALE);
        asked |= 1u << sends_to_any();
        reply(asked & 2 ? 1 : 2, 0, 25, "x");
    }
    assert_int_equal(asked, 6);
    start(SESSION_APPLY);
    sends_only_to(1);
    pass(SESSION_PATIENCE_MS);
    assert_false(session_wants(&s, 0));
    assert_false(sends_to(0));
    assert_true(sends_to(2));
    for (int i = 0; i < 40 && s.round < 2; i++) pass(100);
    assert_true(sends_to(0)); /* C6: by now it may lead */
}

/* As of a list that names some members only, or in another order. */
static void a_group_of_witnesses_alone_is_not_believed(void **state)
{
    (void)state;
    witnesses = 0xff;
    start(SESSION_APPLY);
    reject(0, 0, WIRE_REJECT_WITNESS);
    assert_int_equal(s.witnesses, 0);
    assert_int_equal(session_primary(&s), 0);
}

static void an_eviction_met_on_the_first_send_did_not_run(void **state)
{
    (void)state;
    start(SESSION_APPLY);
    sends_only_to(0);
    reject(0, 0, WIRE_REJECT_EVICTED);
    ended(VSTAMP_E_EVICTED, false);
    assert_int_equal(s.identity.session, 0);      /* the next request registers again, */
    assert_int_equal(s.identity.registration, 2); /* above the old one */
}

static void an_eviction_met_on_a_resend_is_unknown(void **state)
{
    (void)state;
    start(SESSION_APPLY);
    sends_only_to(0);
    s.confirmed = true;
    pass(SESSION_PATIENCE_MS);
    assert_true(sends_to(1)); /* PIT-6.3: the copy at 0 may have run before the eviction */
    reject(1, 0, WIRE_REJECT_EVICTED);
    ended(VSTAMP_E_EVICTED, true);
}

static void an_eviction_met_by_a_later_process_is_unknown(void **state)
{
    (void)state;
    session_start(&s, SESSION_APPLY, operation, true, now, now + DEADLINE);
    sends_only_to(0);
    reject(0, 0, WIRE_REJECT_EVICTED);
    ended(VSTAMP_E_EVICTED, true);
}

static void a_replica_of_a_former_view_cannot_evict(void **state)
{
    (void)state;
    s.identity.view = 3;
    start(SESSION_APPLY);
    sends_only_to(0);
    reject(0, 2, WIRE_REJECT_EVICTED);
    assert_false(session_ended(&s));
    assert_true(sends_to(1) && sends_to(2));
}

static void what_is_refused_by_its_form_did_not_run(void **state)
{
    (void)state;
    start(SESSION_APPLY);
    sends_only_to(0);
    reject(0, 0, WIRE_REJECT_TOO_LARGE);
    ended(VSTAMP_E_TOO_LARGE, false);
    start(SESSION_APPLY);
    sends_only_to(0);
    assert_int_equal(sent.as.request.number, 5); /* numbers have no holes */
    reject(0, 0, WIRE_REJECT_INVALID);
    ended(VSTAMP_E_INVALID, false);
}

static void a_body_larger_than_a_frame_is_not_sent(void **state)
{
    (void)state;
    struct bytes huge = {in, FRAME_BYTES_MAX};
    session_start(&s, SESSION_APPLY, huge, false, now, now + DEADLINE);
    ended(VSTAMP_E_TOO_LARGE, false);
}

static void a_number_that_somebody_else_went_beyond_is_not_ours(void **state)
{
    (void)state;
    start(SESSION_APPLY);
    sends_only_to(0);
    reject(0, 0, WIRE_REJECT_STALE); /* the only copy was refused */
    ended(VSTAMP_E_EVICTED, false);
    assert_int_equal(s.identity.session, 0);
}

static void a_resend_beyond_whose_number_somebody_else_went_is_unknown(void **state)
{
    (void)state;
    start(SESSION_APPLY);
    sends_only_to(0);
    session_on_down(&s, 0); /* that copy may have run, and somebody's later one after it */
    assert_true(sends_to(1));
    reject(1, 0, WIRE_REJECT_STALE);
    ended(VSTAMP_E_UNKNOWN_OUTCOME, true);
}

/* Asked under no group's name, `from` rejects that in the name of its own. */
static void tells_its_group(uint8_t from, struct vstamp_id whose, uint64_t view)
{
    assert_true(sends_to(from));
    assert_true(vstamp_id_is_zero(sent.header.group));
    assert_int_equal(sent.as.request.kind, WIRE_KIND_READ_STALE);
    struct wire_reject m = {
        .client = me, .number = sent.as.request.number, .reason = WIRE_REJECT_INVALID};
    assert_int_equal(deliver(from, whose, view, &wire_shape_reject, &m), 0);
}

static void another_group_is_found_out(void **state)
{
    (void)state;
    start(SESSION_APPLY);
    sends_only_to(0);
    session_on_down(&s, 0); /* how a stranger takes our group's name */
    pass(SESSION_PATIENCE_MS);
    tells_its_group(1, stranger, 9); /* so it is asked under none */
    ended(VSTAMP_E_OTHER_GROUP, true);
    assert_true(vstamp_id_equal(s.identity.group, group));
    assert_int_equal(s.identity.view, 0);
}

static void one_in_doubt_sends_nothing_to_another_group(void **state)
{
    (void)state;
    s.in_doubt = true;
    start(SESSION_APPLY);
    tells_its_group(0, stranger, 9);
    ended(VSTAMP_E_OTHER_GROUP, false);
    start(SESSION_APPLY);
    tells_its_group(0, group, 0);
    assert_true(sends_to(0)); /* it is ours */
    assert_true(vstamp_id_equal(sent.header.group, group));
    assert_int_equal(sent.as.request.kind, WIRE_KIND_APPLY);
}

static void our_group_is_recognised_and_then_asked(void **state)
{
    (void)state;
    start(SESSION_APPLY);
    pass(SESSION_PATIENCE_MS);
    tells_its_group(1, group, 0);
    assert_false(session_ended(&s));
    assert_true(sends_to(1));
    assert_int_equal(sent.as.request.kind, WIRE_KIND_APPLY);
}

static void one_stranger_among_ours_is_passed_over(void **state)
{
    (void)state;
    start(SESSION_APPLY);
    sends_only_to(0);
    reject(0, 0, WIRE_REJECT_UNAVAILABLE);
    assert_true(sends_to(1));
    struct wire_reply m = {.client = me, .number = s.request.number};
    assert_int_equal(deliver(1, stranger, 0, &wire_shape_reply, &m), 0);
    assert_false(session_ended(&s));
}

static void answers_to_others_and_to_former_requests_are_passed_over(void **state)
{
    (void)state;
    start(SESSION_APPLY);
    sends_only_to(0);
    struct wire_reply late = {.client = me, .number = 4};
    struct wire_reply foreign = {.client = {9, 9}, .number = 5};
    assert_int_equal(deliver(0, group, 0, &wire_shape_reply, &late), 0);
    assert_int_equal(deliver(0, group, 0, &wire_shape_reply, &foreign), 0);
    assert_false(session_ended(&s));
}

static void a_late_answer_to_the_registration_is_not_taken_for_the_first_request(void **state)
{
    (void)state;
    start(SESSION_REGISTER);
    assert_true(sends_to(0));
    uint64_t number = s.request.number;
    reply_registration(0, (struct wire_registration){.session = 10});
    start(SESSION_APPLY);
    assert_true(sends_to(0));
    struct wire_reply late = {.client = me, .number = number, .op = 10};
    assert_int_equal(deliver(1, group, 0, &wire_shape_reply, &late), 0);
    assert_false(session_ended(&s));
}

/* The reject of a copy of the request under way. */
static struct wire_reject reject_of_request(enum wire_reject_reason reason)
{
    return (struct wire_reject){.client = me,
                                .session = s.request.session,
                                .number = s.request.number,
                                .request = s.request_checksum,
                                .reason = reason};
}

/* It comes while another request that has its number is under way, and is passed over. */
static void comes_too_late(const struct wire_reject *late)
{
    assert_int_equal(s.request.number, late->number);
    assert_true(sends_to(0));
    assert_int_equal(deliver(0, group, 0, &wire_shape_reject, late), 0);
    assert_false(session_ended(&s));
}

/* What was refused leaves its number to the next request; a copy of it may be refused once more. */
static void a_second_refusal_is_not_taken_for_that_of_the_next_request(void **state)
{
    (void)state;
    struct bytes next = bytes_of("another");
    start(SESSION_APPLY);
    assert_true(sends_to(0));
    struct wire_reject late = reject_of_request(WIRE_REJECT_TOO_LARGE);
    reject(0, 0, WIRE_REJECT_TOO_LARGE);
    ended(VSTAMP_E_TOO_LARGE, false);
    session_start(&s, SESSION_APPLY, next, false, now, now + DEADLINE);
    assert_int_equal(s.request.session, late.session);
    comes_too_late(&late);
    assert_true(session_may_run(&s));
}

static void a_late_reject_of_the_former_session_is_not_taken_for_the_new_request(void **state)
{
    (void)state;
    start(SESSION_APPLY);
    assert_true(sends_to(0));
    struct wire_reject late = reject_of_request(WIRE_REJECT_EVICTED);
    pass(DEADLINE);
    ended(VSTAMP_E_UNKNOWN_OUTCOME, true);
    session_renew(&s);
    start(SESSION_REGISTER);
    assert_true(sends_to(0));
    reply_registration(0, (struct wire_registration){
                              .session = 50, .since = 10, .number = late.number - 1});
    start(SESSION_APPLY); /* under that number: what had it did not run */
    comes_too_late(&late);
}

static void frames_that_make_no_sense_are_errors(void **state)
{
    (void)state;
    start(SESSION_REGISTER);
    sends_only_to(0);
    struct wire_commit commit = {.commit = 3};
    assert_int_equal(deliver(0, group, 0, &wire_shape_commit, &commit), VSTAMP_E_MALFORMED);
    struct wire_reply short_of_all = {
        .client = me, .number = s.request.number, .body = bytes_of("short")};
    assert_true(deliver(0, group, 0, &wire_shape_reply, &short_of_all) < 0);
    in[70] ^= 1;
    assert_int_equal(session_on_frame(&s, 0, (struct bytes){in, in_size}, now), VSTAMP_E_CORRUPT);
    assert_false(session_ended(&s));
}

static void a_new_registration_repeats_its_number_until_answered(void **state)
{
    (void)state;
    session_renew(&s);
    start(SESSION_REGISTER);
    sends_only_to(0);
    assert_int_equal(sent.as.request.number, SESSION_REGISTRATIONS + 2);
    pass(DEADLINE);
    ended(VSTAMP_E_NOT_RUN, false);
    start(SESSION_REGISTER);
    assert_true(sends_to(0));
    assert_int_equal(sent.as.request.number, SESSION_REGISTRATIONS + 2);
    reply_registration(
        0, (struct wire_registration){.session = 40, .since = 10, .number = 5, .op = 30});
    ended(0, false);
    assert_int_equal(s.identity.session, 40);
    assert_int_equal(s.identity.number, 5);
}

/* The request 5 of session 10 is pending; what do registrations say of it?  It, or another one, is
 * what `number` names. */
static enum session_verdict verdict(uint64_t session, uint64_t since, uint64_t number,
                                    uint32_t request)
{
    struct wire_registration r = {
        .session = session, .since = since, .number = number, .request = request};
    return session_settle(&r, 10, 5, operation);
}

static void a_registration_settles_what_was_pending(void **state)
{
    (void)state;
    const uint32_t ours = client_table_request(10, operation), other = ours + 1;
    assert_int_equal(verdict(40, 10, 5, ours), SESSION_RAN);
    assert_int_equal(verdict(40, 10, 4, other), SESSION_DID_NOT_RUN);
    assert_int_equal(verdict(40, 9, 4, other), SESSION_DID_NOT_RUN); /* it registered often */
    assert_int_equal(verdict(10, 10, 4, other), SESSION_CANNOT_TELL); /* nothing was replaced */
    assert_int_equal(verdict(40, 10, 3, other), SESSION_CANNOT_TELL); /* numbers have no holes */
}

/* Another process with the same identity went on. */
static void what_ran_under_its_number_is_compared(void **state)
{
    (void)state;
    const uint32_t ours = client_table_request(10, operation), other = ours + 1;
    const uint32_t later = client_table_request(30, operation);
    assert_int_equal(verdict(40, 10, 5, other), SESSION_DID_NOT_RUN);
    assert_int_equal(verdict(40, 10, 5, later), SESSION_DID_NOT_RUN); /* the same, in session 30 */
    assert_int_equal(verdict(10, 10, 5, other), SESSION_CANNOT_TELL); /* nothing was replaced */
    assert_int_equal(verdict(40, 10, 6, other), SESSION_CANNOT_TELL); /* 5 is forgotten */
    assert_int_equal(verdict(40, 10, 6, ours), SESSION_CANNOT_TELL); /* an equal one under 6 */
}

/* It may have run before the eviction. */
static void a_slot_younger_than_the_session_settles_nothing(void **state)
{
    (void)state;
    const uint32_t other = client_table_request(10, operation) + 1;
    assert_int_equal(verdict(40, 40, 0, 0), SESSION_CANNOT_TELL);
    assert_int_equal(verdict(40, 30, 0, 0), SESSION_CANNOT_TELL); /* the first answer was lost */
    assert_int_equal(verdict(40, 11, 4, other), SESSION_CANNOT_TELL); /* or a copy met it */
    assert_int_equal(verdict(40, 11, 5, other), SESSION_CANNOT_TELL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_client_registers_then_numbers_its_requests, fresh),
        cmocka_unit_test_setup(a_write_that_was_never_sent_did_not_run, registered),
        cmocka_unit_test_setup(who_is_not_let_in_by_anybody_learns_so, registered),
        cmocka_unit_test_setup(a_write_that_all_rejected_did_not_run, registered),
        cmocka_unit_test_setup(an_answer_to_the_request_before_is_none, registered),
        cmocka_unit_test_setup(a_write_without_an_answer_may_have_run, registered),
        cmocka_unit_test_setup(one_copy_that_was_lost_outweighs_all_rejects, registered),
        cmocka_unit_test_setup(one_reject_answers_one_copy_only, registered),
        cmocka_unit_test_setup(reads_and_registrations_never_end_unknown, registered),
        cmocka_unit_test_setup(a_causal_read_carries_what_was_seen, registered),
        cmocka_unit_test_setup(reads_that_any_replica_may_answer_are_spread, registered),
        cmocka_unit_test_setup(the_first_answer_tells_who_can_lead, registered),
        cmocka_unit_test_setup(a_witness_that_was_asked_leads_to_the_primary, registered),
        cmocka_unit_test_setup(witnesses_are_asked_last, registered),
        cmocka_unit_test_setup(a_group_of_witnesses_alone_is_not_believed, registered),
        cmocka_unit_test_setup(an_eviction_met_on_the_first_send_did_not_run, registered),
        cmocka_unit_test_setup(an_eviction_met_on_a_resend_is_unknown, registered),
        cmocka_unit_test_setup(an_eviction_met_by_a_later_process_is_unknown, registered),
        cmocka_unit_test_setup(a_replica_of_a_former_view_cannot_evict, registered),
        cmocka_unit_test_setup(what_is_refused_by_its_form_did_not_run, registered),
        cmocka_unit_test_setup(a_body_larger_than_a_frame_is_not_sent, registered),
        cmocka_unit_test_setup(a_number_that_somebody_else_went_beyond_is_not_ours, registered),
        cmocka_unit_test_setup(a_resend_beyond_whose_number_somebody_else_went_is_unknown,
                               registered),
        cmocka_unit_test_setup(another_group_is_found_out, registered),
        cmocka_unit_test_setup(one_in_doubt_sends_nothing_to_another_group, registered),
        cmocka_unit_test_setup(our_group_is_recognised_and_then_asked, registered),
        cmocka_unit_test_setup(one_stranger_among_ours_is_passed_over, registered),
        cmocka_unit_test_setup(answers_to_others_and_to_former_requests_are_passed_over,
                               registered),
        cmocka_unit_test_setup(a_late_answer_to_the_registration_is_not_taken_for_the_first_request,
                               fresh),
        cmocka_unit_test_setup(a_second_refusal_is_not_taken_for_that_of_the_next_request,
                               registered),
        cmocka_unit_test_setup(a_late_reject_of_the_former_session_is_not_taken_for_the_new_request,
                               registered),
        cmocka_unit_test_setup(frames_that_make_no_sense_are_errors, fresh),
        cmocka_unit_test_setup(a_new_registration_repeats_its_number_until_answered, registered),
        cmocka_unit_test(a_registration_settles_what_was_pending),
        cmocka_unit_test(what_ran_under_its_number_is_compared),
        cmocka_unit_test(a_slot_younger_than_the_session_settles_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

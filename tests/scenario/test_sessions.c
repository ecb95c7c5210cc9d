/* SPDX-License-Identifier: BSD-2-Clause */
/* Sessions and exactly-once (PROTOCOL section 6): a story for each pitfall that is a rule of
 * lib/vr/client_table.c, batch.c and commit.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "scenario/cluster.h"
#include "vr/session.h"

static bool has_session(const struct cluster *c, uint8_t replica, uint64_t session)
{
    struct client_record record;
    for (uint32_t client = 0; client <= 2 * CLUSTER_SESSIONS; client++)
        if (client_table_find(cluster_core(c, replica)->clients, cluster_client_id(client),
                              &record) &&
            record.session == session)
            return true;
    return false;
}

/* Rule: request-numbers name requests; one that was executed is answered from the client table. */
static void a_request_that_comes_often_runs_once(void **unused)
{
    (void)unused;
    struct cluster *c = cluster_new(3, CLUSTER_MEMORY);
    uint64_t session = cluster_register(c, 1, 0);
    cluster_hold(c, CLUSTER_ALL, 0, WIRE_prepare_ok);
    for (int i = 0; i < 3; i++) cluster_try_incr(c, 1, session, 1, 0); /* while it is in flight */
    cluster_clear_rules(c);
    cluster_release(c, CLUSTER_ALL, 0, WIRE_prepare_ok);
    for (int i = 0; i < 3; i++) cluster_try_incr(c, 1, session, 1, 0); /* and after */
    cluster_crash(c, 0);
    assert_true(cluster_converge(c));
    cluster_try_incr(c, 1, session, 1, 1); /* and at the next primary */
    struct cluster_answer answer = cluster_answer(c, 1, 1, KV_INCR);
    assert_int_equal(5, answer.n_replies);
    assert_int_equal(1, answer.kv.number);
    assert_int_equal(1, cluster_read(c, 1, 100));
    cluster_free(c);
}

/* What a replica says to a question that is meant for this application; 0: it answers. */
static uint8_t reason_of(struct cluster *c, uint8_t replica, const char *application,
                         struct vstamp_id group)
{
    uint8_t frame[256];
    struct wire_message m;
    struct wire_header header = {.sender = WIRE_SENDER_CLIENT, .group = group};
    struct wire_request request = {.client = cluster_client_id(1),
                                   .number = 1,
                                   .kind = WIRE_KIND_READ_STALE,
                                   .application =
                                       application != NULL ? wire_application(application) : 0};
    size_t size = wire_frame_encode(&header, &wire_shape_request, &request, frame, sizeof frame);
    struct bytes answer = cluster_ask(c, replica, (struct bytes){frame, size});
    assert_int_equal(0, wire_frame_decode(answer, &m));
    return m.header.command == WIRE_reject ? m.as.reject.reason : 0;
}

/* Rule: a request names its application.  Any replica of the group knows which that is, and one
 * that is of no group yet does not judge. */
static void a_request_for_another_application_is_refused(void **unused)
{
    (void)unused;
    struct cluster *c = cluster_new(3, CLUSTER_MEMORY);
    struct vstamp_id group = cluster_core(c, 0)->group;
    for (uint8_t i = 0; i < 3; i++) {
        assert_int_equal(WIRE_REJECT_INVALID, reason_of(c, i, "counter", group));
        assert_int_equal(0, reason_of(c, i, KV_APPLICATION, group));
        assert_int_equal(0, reason_of(c, i, NULL, group));
    }
    cluster_free(c);
    c = cluster_new_blank(3, CLUSTER_MEMORY);
    cluster_start(c, 0);
    assert_int_equal(WIRE_REJECT_UNAVAILABLE, reason_of(c, 0, "counter", (struct vstamp_id){0}));
    cluster_free(c);
}

/* The client's request 1 is delayed, the client crashes, registers again, and sends another
 * request. Rule: a registration ends the former session, whatever was in flight in it. */
static void pit_6_1_a_delayed_request_of_a_former_session_does_not_run(void **unused)
{
    (void)unused;
    struct cluster *c = cluster_new(3, CLUSTER_MEMORY);
    uint64_t former = cluster_register(c, 1, 0);
    cluster_send_register(c, 1, 2, 0);
    cluster_settle(c);
    struct wire_registration again = cluster_answer(c, 1, 2, 0).registration;
    assert_int_equal(former, again.since);
    assert_int_equal(0, again.number);
    assert_true(again.session > former);
    cluster_try_incr(c, 1, former, 1, 0); /* A arrives late, before B */
    assert_int_equal(WIRE_REJECT_EVICTED, cluster_answer(c, 1, 1, KV_INCR).reason);
    struct kv_op b = {.verb = KV_PUT, .key = bytes_of("b"), .value = bytes_of("B")};
    cluster_send_op(c, 1, again.session, 1, 0, &b);
    cluster_settle(c);
    struct cluster_answer answer = cluster_answer(c, 1, 1, KV_PUT);
    assert_int_equal(1, answer.n_replies);
    assert_int_equal(KV_ANSWER_DONE, answer.kv.status);
    assert_int_equal(0, cluster_read(c, 0, 100)); /* A did not run */
    cluster_free(c);
}

/* The same when A is in the log already as the registration arrives behind it.
 * Rule: the registration tells how far the client got. */
static void pit_6_1_a_registration_tells_what_became_of_the_request_before(void **unused)
{
    (void)unused;
    struct cluster *c = cluster_new(3, CLUSTER_MEMORY);
    uint64_t former = cluster_register(c, 1, 0);
    cluster_incr(c, 1, former, 1, 0);
    cluster_send_register(c, 1, 2, 0);
    cluster_settle(c);
    struct wire_registration again = cluster_answer(c, 1, 2, 0).registration;
    struct kv_answer answer;
    assert_int_equal(former, again.since);
    assert_int_equal(1, again.number);
    assert_int_equal(0, kv_decode_answer(KV_INCR, again.answer, &answer));
    assert_int_equal(1, answer.number);
    assert_int_equal(2, cluster_incr(c, 1, again.session, 2, 0));
    cluster_free(c);
}

/* Rule: the session whose last executed operation is oldest goes, at every replica the same. */
static void pit_6_2_eviction_follows_the_log(void **unused)
{
    (void)unused;
    struct cluster *c = cluster_new(3, CLUSTER_MEMORY);
    uint64_t sessions[CLUSTER_SESSIONS];
    for (uint32_t i = 0; i < CLUSTER_SESSIONS; i++) sessions[i] = cluster_register(c, i, 0);
    cluster_incr(c, 0, sessions[0], 1, 0); /* 1 is now the one that was used least recently */
    cluster_register(c, CLUSTER_SESSIONS, 0);
    assert_true(cluster_converge(c));
    for (uint8_t i = 0; i < 3; i++) {
        assert_true(has_session(c, i, sessions[0]));
        assert_false(has_session(c, i, sessions[1]));
        assert_true(has_session(c, i, sessions[2]));
    }
    cluster_try_incr(c, 1, sessions[1], 1, 0);
    assert_int_equal(WIRE_REJECT_EVICTED, cluster_answer(c, 1, 1, KV_INCR).reason);
    assert_int_equal(2, cluster_incr(c, 0, sessions[0], 2, 0));
    cluster_free(c);
}

/* Rule: an evicted session's request is refused, never taken for a new one. */
static void pit_6_3_an_evicted_clients_retry_does_not_run_again(void **unused)
{
    (void)unused;
    struct cluster *c = cluster_new(3, CLUSTER_MEMORY);
    uint64_t session = cluster_register(c, 0, 0);
    cluster_incr(c, 0, session, 1, 0);
    for (uint32_t i = 1; i <= CLUSTER_SESSIONS; i++) cluster_register(c, i, 0);
    cluster_try_incr(c, 0, session, 1, 0);
    struct cluster_answer answer = cluster_answer(c, 0, 1, KV_INCR);
    assert_int_equal(1, answer.n_replies);
    assert_int_equal(WIRE_REJECT_EVICTED, answer.reason);
    assert_int_equal(1, cluster_read(c, 0, 100));
    cluster_free(c);
}

/* A request can be evicted between its logging and its execution.
 * Rule: whether a request runs is decided when it is executed. */
static void pit_6_3_a_session_that_ends_in_the_log_before_its_request_refuses_it(void **unused)
{
    (void)unused;
    struct cluster *c = cluster_new(3, CLUSTER_MEMORY);
    uint64_t sessions[CLUSTER_SESSIONS];
    for (uint32_t i = 0; i < CLUSTER_SESSIONS; i++) sessions[i] = cluster_register(c, i, 0);
    cluster_run(c, 50);
    cluster_hold(c, CLUSTER_ALL, 0, CLUSTER_ALL);
    cluster_send_register(c, 100, 1, 0); /* evicts 0 once it is executed */
    cluster_settle(c);
    cluster_try_incr(c, 0, sessions[0], 1, 0); /* logged behind it */
    cluster_clear_rules(c);
    cluster_release(c, CLUSTER_ALL, 0, CLUSTER_ALL);
    struct cluster_answer answer = cluster_answer(c, 0, 1, KV_INCR);
    assert_int_equal(0, answer.n_replies);
    assert_int_equal(WIRE_REJECT_EVICTED, answer.reason);
    assert_int_equal(0, cluster_read(c, 0, 100));
    cluster_free(c);
}

/* Rule: a registration that is not newer than the known one changes nothing. */
static void pit_6_4_a_replayed_registration_opens_nothing_and_evicts_nobody(void **unused)
{
    (void)unused;
    struct cluster *c = cluster_new(3, CLUSTER_MEMORY);
    uint64_t sessions[CLUSTER_SESSIONS];
    for (uint32_t i = 0; i < CLUSTER_SESSIONS; i++) sessions[i] = cluster_register(c, i, 0);
    uint64_t op = cluster_core(c, 0)->log.op;
    cluster_send_register(c, 0, 1, 0);
    cluster_settle(c);
    struct cluster_answer answer = cluster_answer(c, 0, 1, 0);
    assert_int_equal(2, answer.n_replies);
    assert_int_equal(sessions[0], answer.registration.session);
    assert_int_equal(op, cluster_core(c, 0)->log.op);
    for (uint32_t i = 0; i < CLUSTER_SESSIONS; i++)
        assert_int_equal(i + 1, cluster_incr(c, i, sessions[i], 1, 0));
    cluster_free(c);
}

/* Rule: the second process with one identity takes over; the first is told so and runs nothing. */
static void pit_6_5_of_two_processes_with_one_identity_the_newer_one_counts(void **unused)
{
    (void)unused;
    struct cluster *c = cluster_new(3, CLUSTER_MEMORY);
    uint64_t first = cluster_register(c, 1, 0);
    cluster_incr(c, 1, first, 1, 0);
    cluster_send_register(c, 1, 2, 0);
    cluster_settle(c);
    uint64_t second = cluster_answer(c, 1, 2, 0).registration.session;
    assert_int_equal(2, cluster_incr(c, 1, second, 2, 0));
    cluster_try_incr(c, 1, first, 3, 0);
    struct cluster_answer answer = cluster_answer(c, 1, 3, KV_INCR);
    assert_int_equal(0, answer.n_replies);
    assert_int_equal(WIRE_REJECT_EVICTED, answer.reason);
    assert_int_equal(2, cluster_read(c, 0, 100));
    cluster_free(c);
}

/* Two copies of a session file: both processes send a request under the next number. Rule: a retry
 * is the same request, not only the same number; another one is refused, and is not given the
 * answer. */
static void pit_6_5_another_request_under_an_executed_number_gets_no_answer(void **unused)
{
    (void)unused;
    struct cluster *c = cluster_new(3, CLUSTER_MEMORY);
    uint64_t session = cluster_register(c, 1, 0);
    struct kv_op put = {.verb = KV_PUT, .key = bytes_of("k"), .value = bytes_of("theirs")};
    cluster_hold(c, CLUSTER_ALL, 0, WIRE_prepare_ok);
    cluster_try_incr(c, 1, session, 1, 0);
    cluster_send_op(c, 1, session, 1, 0, &put); /* while the first is in flight */
    cluster_settle(c);
    assert_int_equal(WIRE_REJECT_BUSY, cluster_answer(c, 1, 1, KV_INCR).reason);
    cluster_clear_rules(c);
    cluster_release(c, CLUSTER_ALL, 0, WIRE_prepare_ok);
    struct cluster_answer answer = cluster_answer(c, 1, 1, KV_INCR);
    assert_int_equal(1, answer.n_replies);
    assert_int_equal(1, answer.kv.number);
    cluster_send_op(c, 1, session, 1, 0, &put); /* and after */
    cluster_settle(c);
    answer = cluster_answer(c, 1, 1, KV_INCR);
    assert_int_equal(1, answer.n_replies);
    assert_int_equal(WIRE_REJECT_EVICTED, answer.reason);
    assert_int_equal(1, cluster_incr(c, 1, session, 1, 0)); /* who sent it may ask again */
    cluster_free(c);
}

static struct wire_registration register_again(struct cluster *c, uint64_t number)
{
    cluster_send_register(c, 1, number, 0);
    cluster_settle(c);
    return cluster_answer(c, 1, number, 0).registration;
}

static enum session_verdict settle_op(struct wire_registration given, uint64_t session,
                                      uint64_t number, const struct kv_op *op)
{
    uint8_t body[64];
    struct writer w = writer_over(body, sizeof body);
    kv_encode_op(op, &w);
    assert_true(w.ok);
    return session_settle(&given, session, number, (struct bytes){body, w.size});
}

/* Two copies again, and one process gives up before it has an answer. Rule: a registration says
 * which request ran under the number, and what it says did not run never will. */
static void pit_6_5_what_another_process_ran_is_not_taken_for_ones_own(void **unused)
{
    (void)unused;
    struct cluster *c = cluster_new(3, CLUSTER_MEMORY);
    uint64_t first = cluster_register(c, 1, 0);
    struct kv_op incr = cluster_incr_op();
    struct kv_op put = {.verb = KV_PUT, .key = bytes_of("n"), .value = bytes_of("100")};
    cluster_try_incr(c, 1, first, 1, 0);
    struct wire_registration second = register_again(c, 2);
    assert_int_equal(SESSION_RAN, settle_op(second, first, 1, &incr));
    assert_int_equal(SESSION_DID_NOT_RUN, settle_op(second, first, 1, &put));
    cluster_send_op(c, 1, first, 1, 0, &put); /* a late copy */
    cluster_settle(c);
    assert_int_equal(WIRE_REJECT_EVICTED, cluster_answer(c, 1, 1, KV_INCR).reason);

    /* the same bytes in another session are another request */
    assert_int_equal(2, cluster_incr(c, 1, second.session, 2, 0));
    struct wire_registration third = register_again(c, 3);
    assert_int_equal(SESSION_RAN, settle_op(third, second.session, 2, &incr));
    assert_int_equal(SESSION_DID_NOT_RUN, settle_op(third, first, 2, &incr));
    assert_int_equal(SESSION_CANNOT_TELL, settle_op(third, first, 1, &incr)); /* forgotten */
    assert_int_equal(2, cluster_read(c, 0, 100));

    for (uint32_t i = 10; i < 10 + CLUSTER_SESSIONS; i++) cluster_register(c, i, 0); /* evicted */
    struct wire_registration anew = register_again(c, 4);
    cluster_try_incr(c, 1, anew.session, 1, 0);
    assert_int_equal(SESSION_CANNOT_TELL, settle_op(register_again(c, 5), first, 1, &put));
    cluster_free(c);
}

/* Rule: an answer leaves only when its operation is committed. */
static void pit_6_6_no_answer_before_a_quorum_has_the_operation(void **unused)
{
    (void)unused;
    struct cluster *c = cluster_new(3, CLUSTER_MEMORY);
    uint64_t session = cluster_register(c, 1, 0);
    cluster_run(c, 50);
    cluster_hold(c, CLUSTER_ALL, 0, CLUSTER_ALL);
    cluster_try_incr(c, 1, session, 1, 0);
    assert_int_equal(2, cluster_core(c, 0)->log.op);
    assert_int_equal(0, cluster_answer(c, 1, 1, KV_INCR).n_replies);
    cluster_release(c, 1, 0, WIRE_prepare_ok);
    assert_int_equal(1, cluster_answer(c, 1, 1, KV_INCR).n_replies);
    cluster_free(c);
}

/* Rule: a retry finds its request in the log that waits, at a new primary too, and enters only
 * once. */
static void a_retry_of_a_request_that_waits_does_not_enter_again(void **unused)
{
    (void)unused;
    struct cluster *c = cluster_new(3, CLUSTER_MEMORY);
    uint64_t session = cluster_register(c, 1, 0);
    cluster_run(c, 50);
    cluster_drop(c, CLUSTER_ALL, 0, WIRE_prepare_ok);
    cluster_drop(c, CLUSTER_ALL, 0, WIRE_commit_ok);
    for (int i = 0; i < 5; i++) cluster_try_incr(c, 1, session, 1, 0);
    assert_int_equal(2, cluster_core(c, 0)->log.op);
    cluster_crash(c, 0);
    cluster_clear_rules(c);
    assert_true(cluster_converge(c));
    uint8_t primary = cluster_primary(c);
    for (int i = 0; i < 5; i++) cluster_try_incr(c, 1, session, 1, primary);
    assert_int_equal(2, cluster_core(c, primary)->log.op);
    assert_int_equal(1, cluster_read(c, primary, 100));
    cluster_free(c);
}

/* Rule: what can never run is refused before it is logged; only what the state decides, as how long
 * a value has become, is decided when it is executed. */
static void pit_1_7_what_is_invalid_is_refused_before_it_is_logged(void **unused)
{
    (void)unused;
    struct cluster *c = cluster_new(3, CLUSTER_MEMORY);
    uint64_t session = cluster_register(c, 1, 0);
    static const uint8_t value[CLUSTER_VALUE_MAX + 1];
    struct kv_op op = {.verb = KV_PUT, .key = bytes_of("k"), .value = {value, sizeof value}};
    uint64_t before = cluster_core(c, 0)->log.op;
    cluster_send_op(c, 1, session, 1, 0, &op);
    op.verb = KV_APPEND;
    cluster_send_op(c, 1, session, 1, 0, &op);
    cluster_settle(c);
    struct cluster_answer answer = cluster_answer(c, 1, 1, KV_PUT);
    assert_int_equal(0, answer.n_replies);
    assert_int_equal(2, answer.n_rejects);
    assert_int_equal(WIRE_REJECT_TOO_LARGE, answer.reason);
    op = (struct kv_op){.verb = KV_PUT, .value = bytes_of("of no key")};
    cluster_send_op(c, 1, session, 1, 0, &op);
    cluster_settle(c);
    answer = cluster_answer(c, 1, 1, KV_PUT);
    assert_int_equal(3, answer.n_rejects);
    assert_int_equal(WIRE_REJECT_INVALID, answer.reason);
    assert_int_equal(before, cluster_core(c, 0)->log.op);

    op = (struct kv_op){
        .verb = KV_APPEND, .key = bytes_of("k"), .value = {value, CLUSTER_VALUE_MAX}};
    cluster_send_op(c, 1, session, 1, 0, &op);
    cluster_settle(c);
    assert_int_equal(KV_ANSWER_DONE, cluster_answer(c, 1, 1, KV_APPEND).kv.status);
    op.value.size = 1;
    cluster_send_op(c, 1, session, 2, 0, &op);
    cluster_settle(c);
    assert_int_equal(KV_ANSWER_TOO_LARGE, cluster_answer(c, 1, 2, KV_APPEND).kv.status);
    assert_int_equal(before + 2, cluster_core(c, 0)->log.op);
    cluster_free(c);
}

/* Rule: nothing is skipped; a number that leaves a gap is not taken. */
static void a_request_number_that_leaves_a_gap_does_not_run(void **unused)
{
    (void)unused;
    struct cluster *c = cluster_new(3, CLUSTER_MEMORY);
    uint64_t session = cluster_register(c, 1, 0);
    cluster_try_incr(c, 1, session, 2, 0);
    assert_int_equal(0, cluster_answer(c, 1, 2, KV_INCR).n_replies);
    assert_int_equal(1, cluster_answer(c, 1, 2, KV_INCR).n_rejects);
    assert_int_equal(1, cluster_incr(c, 1, session, 1, 0));
    cluster_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_that_comes_often_runs_once),
        cmocka_unit_test(a_request_for_another_application_is_refused),
        cmocka_unit_test(pit_6_1_a_delayed_request_of_a_former_session_does_not_run),
        cmocka_unit_test(pit_6_1_a_registration_tells_what_became_of_the_request_before),
        cmocka_unit_test(pit_6_2_eviction_follows_the_log),
        cmocka_unit_test(pit_6_3_an_evicted_clients_retry_does_not_run_again),
        cmocka_unit_test(pit_6_3_a_session_that_ends_in_the_log_before_its_request_refuses_it),
        cmocka_unit_test(pit_6_4_a_replayed_registration_opens_nothing_and_evicts_nobody),
        cmocka_unit_test(pit_6_5_of_two_processes_with_one_identity_the_newer_one_counts),
        cmocka_unit_test(pit_6_5_another_request_under_an_executed_number_gets_no_answer),
        cmocka_unit_test(pit_6_5_what_another_process_ran_is_not_taken_for_ones_own),
        cmocka_unit_test(pit_6_6_no_answer_before_a_quorum_has_the_operation),
        cmocka_unit_test(a_retry_of_a_request_that_waits_does_not_enter_again),
        cmocka_unit_test(pit_1_7_what_is_invalid_is_refused_before_it_is_logged),
        cmocka_unit_test(a_request_number_that_leaves_a_gap_does_not_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

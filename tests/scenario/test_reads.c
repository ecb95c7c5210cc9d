/* SPDX-License-Identifier: BSD-2-Clause */
/* Reads without the log (PROTOCOL 7.3): the stories of lib/vr/reads.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "scenario/cluster.h"

/* Rule: a read is answered after a round of heartbeats that began after it came. */
static void a_deposed_primary_does_not_answer_reads(void **unused)
{
    (void)unused;
    struct cluster *c = cluster_new(3, CLUSTER_MEMORY);
    uint64_t session = cluster_register(c, 1, 0);
    cluster_incr(c, 1, session, 1, 0);
    cluster_run(c, 50);
    cluster_isolate(c, 0);
    for (int i = 0; i < 100 && !vr_is_primary(cluster_core(c, 1)); i++) cluster_run(c, 10);
    cluster_run(c, 20);
    assert_int_equal(2, cluster_incr(c, 1, session, 2, 1));
    assert_true(vr_is_primary(cluster_core(c, 0))); /* so it believes */
    assert_int_equal(-1, cluster_read(c, 0, 50));
    assert_int_equal(2, cluster_read(c, 1, 50));
    cluster_free(c);
}

/* Rule: a round that began before the read came does not count. */
static void an_echo_of_an_older_round_confirms_nothing(void **unused)
{
    (void)unused;
    struct cluster *c = cluster_new(3, CLUSTER_MEMORY);
    uint64_t session = cluster_register(c, 1, 0);
    cluster_incr(c, 1, session, 1, 0);
    cluster_run(c, 50);
    cluster_hold(c, 2, 0, WIRE_commit_ok); /* the echo of a heartbeat is on its way */
    cluster_run(c, 20);
    cluster_isolate(c, 0);
    for (int i = 0; i < 100 && !vr_is_primary(cluster_core(c, 1)); i++) cluster_run(c, 10);
    cluster_run(c, 20);
    assert_int_equal(2, cluster_incr(c, 1, session, 2, 1));
    struct kv_op get = {.verb = KV_GET, .key = bytes_of("n")};
    cluster_send_op(c, 1, 0, 77, 0, &get);
    cluster_settle(c);
    uint64_t sequence = cluster_core(c, 0)->heartbeat - 1; /* the newest before it came */
    cluster_forge(c, 2, 0, 0, &wire_shape_commit_ok,
                  &(struct wire_commit_ok){.sequence = sequence});
    cluster_release(c, 2, 0, WIRE_commit_ok);
    assert_int_equal(0, cluster_answer(c, 1, 77, KV_GET).n_replies);
    cluster_free(c);
}

/* Rule: a new primary answers no read before it has executed what its view began with. */
static void pit_7_9_a_new_primary_does_not_read_too_early(void **unused)
{
    (void)unused;
    struct cluster *c = cluster_new(3, CLUSTER_MEMORY);
    uint64_t session = cluster_register(c, 1, 0);
    cluster_run(c, 50);
    cluster_drop(c, 0, CLUSTER_ALL, WIRE_commit);
    cluster_incr(c, 1, session, 1, 0); /* answered; 1 does not know that it is committed */
    cluster_crash(c, 0);
    cluster_clear_rules(c);
    cluster_hold(c, 2, 1, WIRE_prepare_ok);
    cluster_hold(c, 2, 1, WIRE_commit_ok);
    for (int i = 0; i < 300 && !vr_is_primary(cluster_core(c, 1)); i++) cluster_run(c, 10);
    assert_int_equal(1, cluster_core(c, 1)->applied);
    /* the echo alone: an older commit_ok is not enough to commit op 2 */
    cluster_forge(c, 2, 1, 1, &wire_shape_commit_ok, &(struct wire_commit_ok){.sequence = 1});
    struct kv_op get = {.verb = KV_GET, .key = bytes_of("n")};
    cluster_send_op(c, 1, 0, 77, 1, &get);
    cluster_settle(c);
    cluster_forge(c, 2, 1, 1, &wire_shape_commit_ok,
                  &(struct wire_commit_ok){.sequence = cluster_core(c, 1)->heartbeat});
    assert_int_equal(0, cluster_answer(c, 1, 77, KV_GET).n_replies);
    cluster_clear_rules(c);
    cluster_release(c, 2, 1, CLUSTER_ALL);
    cluster_run(c, 100);
    struct cluster_answer answer = cluster_answer(c, 1, 77, KV_GET);
    assert_int_equal(1, answer.n_replies);
    assert_int_equal(1, answer.kv.value.size);
    assert_int_equal('1', answer.kv.value.data[0]);
    cluster_free(c);
}

static void refuse(const struct vstamp_pages *pages, const uint8_t *operation, size_t size,
                   struct vstamp_answer *answer)
{
    (void)pages;
    (void)operation;
    (void)size;
    answer->refused = true;
}

static void send_body(struct cluster *c, uint8_t to, uint32_t client, uint64_t number,
                      enum wire_request_kind kind, uint64_t token, struct bytes body)
{
    uint8_t frame[READ_BODY_MAX + 256];
    struct wire_header header = {.group = cluster_core(c, to)->group, .sender = WIRE_SENDER_CLIENT};
    struct wire_request request = {.client = cluster_client_id(client), .number = number,
                                   .kind = (uint8_t)kind, .token = token, .body = body};
    size_t size = wire_frame_encode(&header, &wire_shape_request, &request, frame, sizeof frame);
    assert_true(size > 0);
    cluster_ask(c, to, (struct bytes){frame, size});
}

static void send(struct cluster *c, uint8_t to, uint32_t client, uint64_t number,
                 enum wire_request_kind kind, uint64_t token)
{
    uint8_t body[64];
    struct kv_op get = {.verb = KV_GET, .key = bytes_of("n")};
    struct writer w = writer_over(body, sizeof body);
    kv_encode_op(&get, &w);
    send_body(c, to, client, number, kind, token, (struct bytes){body, w.size});
}

/* To replica 0; what has come back once a round of heartbeats had its time. */
static struct cluster_answer ask(struct cluster *c, uint64_t number, enum wire_request_kind kind)
{
    send(c, 0, 1, number, kind, 0);
    cluster_run(c, 50);
    return cluster_answer_to(c, 1, number);
}

/* Rule: how far the group is can be asked of any application's group, as a backup does: the
 * application has no part in it, but the quorum has that confirms a read. */
static void the_op_number_is_told_whatever_the_application_answers(void **unused)
{
    (void)unused;
    struct vstamp_app app = *kv_app();
    app.query = refuse;
    struct cluster *c = cluster_new_with(3, CLUSTER_MEMORY, &app);
    uint64_t session = cluster_register(c, 1, 0);
    cluster_incr(c, 1, session, 1, 0);
    assert_int_equal(WIRE_REJECT_INVALID, ask(c, 77, WIRE_KIND_READ).reason);
    struct cluster_answer answer = ask(c, 78, WIRE_KIND_READ_NUMBER);
    assert_int_equal(1, answer.n_replies);
    assert_int_equal(2, answer.op);
    cluster_isolate(c, 0);
    assert_int_equal(0, ask(c, 79, WIRE_KIND_READ_NUMBER).n_replies);
    cluster_free(c);
}

/* A client of that number asks replica 1, for the first time. */
static void ask_causal(struct cluster *c, uint32_t client, uint64_t token)
{
    send(c, 1, client, 1, WIRE_KIND_READ_CAUSAL, token);
}

static uint32_t n_replies(const struct cluster *c, uint32_t client)
{
    return cluster_answer_to(c, client, 1).n_replies;
}

/* Rule: a causal read is answered once what it names is executed, whatever others wait for. */
static void a_causal_read_waits_for_the_op_number_that_it_names(void **unused)
{
    (void)unused;
    enum { NEXT = 10, LAST, MIDDLE, NOW };
    struct cluster *c = cluster_new(3, CLUSTER_MEMORY);
    uint64_t session = cluster_register(c, 1, 0);
    cluster_run(c, 50);
    uint64_t op = cluster_core(c, 1)->applied;
    ask_causal(c, NOW, op);
    assert_int_equal(1, n_replies(c, NOW));
    ask_causal(c, NEXT, op + 1);
    ask_causal(c, LAST, op + 3);
    ask_causal(c, MIDDLE, op + 2);
    for (uint64_t i = 1; i <= 3; i++) {
        assert_int_equal(i > 1, n_replies(c, NEXT));
        assert_int_equal(i > 2, n_replies(c, MIDDLE));
        assert_int_equal(0, n_replies(c, LAST));
        cluster_incr(c, 1, session, i, 0);
        cluster_run(c, 50);
    }
    for (uint32_t client = NEXT; client <= MIDDLE; client++)
        assert_int_equal(1, n_replies(c, client));
    assert_int_equal(op + 2, cluster_answer_to(c, MIDDLE, 1).op);
    assert_int_equal(op + 3, cluster_answer_to(c, LAST, 1).op);
    cluster_free(c);
}

/* Rule: what a client asks is in place of what it asked before. */
static void a_client_waits_for_one_thing_at_a_time(void **unused)
{
    (void)unused;
    struct cluster *c = cluster_new(3, CLUSTER_MEMORY);
    uint64_t session = cluster_register(c, 1, 0);
    cluster_run(c, 50);
    uint64_t op = cluster_core(c, 1)->applied;
    send(c, 1, 10, 1, WIRE_KIND_READ_CAUSAL, op + 1);
    send(c, 1, 10, 2, WIRE_KIND_READ_CAUSAL, op + 1);
    assert_int_equal(1, cluster_core(c, 1)->parked_count);
    cluster_incr(c, 1, session, 1, 0);
    cluster_run(c, 50);
    assert_int_equal(0, cluster_answer_to(c, 10, 1).n_replies);
    assert_int_equal(1, cluster_answer_to(c, 10, 2).n_replies);
    cluster_free(c);
}

/* Rule: as many may wait as there is room for.  One more takes the place of one of them, who is
 * asked to come again: so those who are gone, or wait for ever, are in nobody's way. */
static void more_causal_reads_than_can_wait_make_way_in_turn(void **unused)
{
    (void)unused;
    struct cluster *c = cluster_new(3, CLUSTER_MEMORY);
    uint64_t session = cluster_register(c, 1, 0);
    cluster_run(c, 50);
    uint64_t op = cluster_core(c, 1)->applied;
    for (uint32_t i = 0; i < READS_PARKED_MAX; i++)
        ask_causal(c, 10 + i, i == 1 ? op + 1 : op + 1000000);
    assert_int_equal(READS_PARKED_MAX, cluster_core(c, 1)->parked_count);
    ask_causal(c, 10 + READS_PARKED_MAX, op + 1);
    struct cluster_answer first = cluster_answer_to(c, 10, 1);
    assert_int_equal(1, first.n_rejects);
    assert_int_equal(WIRE_REJECT_BUSY, first.reason);
    size_t before = cluster_n_answers(c);
    cluster_incr(c, 1, session, 1, 0);
    cluster_run(c, 50);
    assert_int_equal(before + 3, cluster_n_answers(c));
    assert_int_equal(1, cluster_answer_to(c, 11, 1).n_replies);
    assert_int_equal(1, cluster_answer_to(c, 10 + READS_PARKED_MAX, 1).n_replies);
    cluster_free(c);
}

static void more_reads_than_can_wait_for_a_round_are_refused(void **unused)
{
    (void)unused;
    struct cluster *c = cluster_new(3, CLUSTER_MEMORY);
    cluster_run(c, 50);
    cluster_hold(c, CLUSTER_ALL, 0, WIRE_commit_ok);
    for (uint32_t i = 0; i <= READS_WAITING_MAX; i++) send(c, 0, 10 + i, 1, WIRE_KIND_READ, 0);
    assert_int_equal(READS_WAITING_MAX, cluster_core(c, 0)->reads_count);
    struct cluster_answer last = cluster_answer_to(c, 10 + READS_WAITING_MAX, 1);
    assert_int_equal(1, last.n_rejects);
    assert_int_equal(WIRE_REJECT_BUSY, last.reason);
    size_t before = cluster_n_answers(c);
    cluster_clear_rules(c);
    cluster_release(c, CLUSTER_ALL, 0, WIRE_commit_ok);
    cluster_run(c, 50);
    assert_int_equal(before + READS_WAITING_MAX, cluster_n_answers(c));
    cluster_free(c);
}

/* Rule: a read is as long as there is room for. */
static void a_read_that_is_too_long_is_refused(void **unused)
{
    (void)unused;
    static const uint8_t body[READ_BODY_MAX + 1] = {0};
    struct cluster *c = cluster_new(3, CLUSTER_MEMORY);
    cluster_run(c, 50);
    send_body(c, 0, 10, 1, WIRE_KIND_READ, 0, (struct bytes){body, READ_BODY_MAX});
    send_body(c, 0, 10, 2, WIRE_KIND_READ, 0, (struct bytes){body, READ_BODY_MAX + 1});
    cluster_run(c, 50);
    assert_int_equal(1, cluster_answer_to(c, 10, 1).n_replies);
    assert_int_equal(WIRE_REJECT_TOO_LARGE, cluster_answer_to(c, 10, 2).reason);
    cluster_free(c);
}

/* Rule: who waits when the view ends is sent elsewhere, be it for a quorum or for an op-number. */
static void reads_that_wait_end_with_the_view(void **unused)
{
    (void)unused;
    struct cluster *c = cluster_new(3, CLUSTER_MEMORY);
    cluster_run(c, 50);
    cluster_hold(c, CLUSTER_ALL, 0, WIRE_commit_ok);
    for (uint32_t client = 10; client < 13; client++) {
        send(c, 0, client, 1, WIRE_KIND_READ, 0);
        ask_causal(c, client + 10, cluster_core(c, 1)->applied + 1);
    }
    assert_int_equal(3, cluster_core(c, 0)->reads_count);
    assert_int_equal(3, cluster_core(c, 1)->parked_count);
    cluster_hand_over(c, 0);
    cluster_settle(c);
    for (uint32_t client = 10; client < 23; client++) {
        struct cluster_answer answer = cluster_answer_to(c, client, 1);
        assert_int_equal(client % 10 < 3, answer.n_rejects);
        if (answer.n_rejects > 0) assert_int_equal(WIRE_REJECT_UNAVAILABLE, answer.reason);
        assert_int_equal(0, answer.n_replies);
    }
    cluster_free(c);
}

/* Rule: the rounds of a former view of this primary confirm nothing in its next one. */
static void rounds_do_not_outlive_their_view(void **unused)
{
    (void)unused;
    struct cluster *c = cluster_new(3, CLUSTER_MEMORY);
    uint64_t session = cluster_register(c, 1, 0);
    assert_int_equal(1, cluster_incr(c, 1, session, 1, 0));
    cluster_run(c, 2000); /* a hundred of them */
    do {
        cluster_hand_over(c, cluster_primary(c));
        assert_true(cluster_converge(c));
    } while (cluster_primary(c) != 0);
    assert_int_equal(1, cluster_read(c, 0, 0));
    cluster_isolate(c, 0);
    assert_int_equal(-1, cluster_read(c, 0, 50));
    cluster_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_deposed_primary_does_not_answer_reads),
        cmocka_unit_test(an_echo_of_an_older_round_confirms_nothing),
        cmocka_unit_test(pit_7_9_a_new_primary_does_not_read_too_early),
        cmocka_unit_test(the_op_number_is_told_whatever_the_application_answers),
        cmocka_unit_test(a_causal_read_waits_for_the_op_number_that_it_names),
        cmocka_unit_test(a_client_waits_for_one_thing_at_a_time),
        cmocka_unit_test(more_causal_reads_than_can_wait_make_way_in_turn),
        cmocka_unit_test(more_reads_than_can_wait_for_a_round_are_refused),
        cmocka_unit_test(a_read_that_is_too_long_is_refused),
        cmocka_unit_test(reads_that_wait_end_with_the_view),
        cmocka_unit_test(rounds_do_not_outlive_their_view),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

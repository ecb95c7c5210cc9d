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

/* To replica 0, of which state it is to be, for a causal one. */
static void send_read(struct cluster *c, uint32_t client, uint64_t number,
                      enum wire_request_kind kind, uint64_t token)
{
    uint8_t frame[256];
    struct wire_header header = {.group = cluster_core(c, 0)->group, .sender = WIRE_SENDER_CLIENT};
    struct wire_request request = {.client = cluster_client_id(client), .number = number,
                                   .kind = (uint8_t)kind, .token = token};
    size_t size = wire_frame_encode(&header, &wire_shape_request, &request, frame, sizeof frame);
    cluster_ask(c, 0, (struct bytes){frame, size});
}

/* What has come back once a round of heartbeats had its time. */
static struct cluster_answer ask(struct cluster *c, uint64_t number, enum wire_request_kind kind)
{
    send_read(c, 1, number, kind, 0);
    cluster_run(c, 50);
    return cluster_answer_to(c, 1, number);
}

/* Rule: clients that ask for what is yet to come, or never does, keep nobody else from waiting. */
static void those_that_wait_for_ever_make_way(void **unused)
{
    (void)unused;
    struct cluster *c = cluster_new(3, CLUSTER_MEMORY);
    uint64_t session = cluster_register(c, 1, 0);
    for (uint32_t i = 0; i < READS_PARKED_MAX; i++)
        send_read(c, 1000 + i, 1, WIRE_KIND_READ_CAUSAL, 1000000);
    send_read(c, 2, 1, WIRE_KIND_READ_CAUSAL, 2);
    assert_int_equal(WIRE_REJECT_BUSY, cluster_answer_to(c, 1000, 1).reason);
    assert_int_equal(0, cluster_answer_to(c, 2, 1).n_replies);
    assert_int_equal(1, cluster_incr(c, 1, session, 1, 0));
    assert_int_equal(1, cluster_answer_to(c, 2, 1).n_replies);
    cluster_free(c);
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
        cmocka_unit_test(rounds_do_not_outlive_their_view),
        cmocka_unit_test(those_that_wait_for_ever_make_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* Planned hand-overs: a story for each rule of lib/vr/hand_over.c. */
#define _GNU_SOURCE /* memmem */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "scenario/cluster.h"

#define ANYBODY (-1)

/* Ask `replica` to end `view`; the answer, if there is one, may come later. */
static void ask(struct cluster *c, uint8_t replica, uint64_t view, int target)
{
    uint8_t frame[256], to = (uint8_t)target;
    struct wire_header header = {.sender = WIRE_SENDER_CLIENT};
    struct wire_request request = {.client = {7, 7},
                                   .number = 1,
                                   .kind = WIRE_KIND_HAND_OVER,
                                   .token = view,
                                   .body = {&to, target == ANYBODY ? 0 : 1}};
    size_t size =
        wire_frame_encode(&header, &wire_shape_request, &request, frame, sizeof frame);
    cluster_ask(c, replica, (struct bytes){frame, size});
}

/* The newest answer to anybody: its view if it is a reply, else the reason and the words. */
static uint64_t answered_view(const struct cluster *c)
{
    struct wire_message m;
    assert_int_equal(0, wire_frame_decode(cluster_newest_answer(c), &m));
    assert_int_equal(WIRE_reply, m.header.command);
    return m.header.view;
}

static void expect_refusal(const struct cluster *c, const char *words)
{
    struct wire_message m;
    assert_int_equal(0, wire_frame_decode(cluster_newest_answer(c), &m));
    assert_int_equal(WIRE_reject, m.header.command);
    assert_int_equal(WIRE_REJECT_INVALID, m.as.reject.reason);
    if (memmem(m.as.reject.text.data, m.as.reject.text.size, words, strlen(words)) == NULL)
        fail_msg("'%s' is not in '%.*s'", words, (int)m.as.reject.text.size,
                 (const char *)m.as.reject.text.data);
}

static void the_named_one_leads_and_no_time_passes(void **unused)
{
    (void)unused;
    struct cluster *c = cluster_new(5, CLUSTER_MEMORY);
    uint64_t session = cluster_register(c, 1, 0);
    cluster_incr(c, 1, session, 1, 0);
    ask(c, 0, 0, 3);
    cluster_settle(c);
    assert_int_equal(3, cluster_primary(c));
    assert_int_equal(3, answered_view(c));
    size_t n_answers = cluster_n_answers(c);
    cluster_run(c, 50);
    assert_int_equal(n_answers, cluster_n_answers(c)); /* it is told once */
    assert_int_equal(2, cluster_incr(c, 1, session, 2, 3));
    ask(c, 3, 3, ANYBODY);
    cluster_settle(c);
    assert_int_equal(4, cluster_primary(c));
    cluster_free(c);
}

/* Rule: a lease that the old primary holds is given back, and is not waited for. */
static void no_lease_is_waited_for(void **unused)
{
    (void)unused;
    struct cluster *c = cluster_new(3, CLUSTER_DISK | CLUSTER_LEASES);
    cluster_run(c, 300); /* what it may have granted before it started is over */
    ask(c, 0, 0, 2);
    cluster_settle(c);
    assert_int_equal(2, cluster_primary(c));
    cluster_free(c);
}

/* Rule: a request that comes again, to whomever, moves nothing (O1). */
static void a_request_that_comes_again_moves_nothing(void **unused)
{
    (void)unused;
    struct cluster *c = cluster_new(3, CLUSTER_MEMORY);
    ask(c, 0, 0, ANYBODY);
    cluster_settle(c);
    assert_int_equal(1, cluster_primary(c));
    ask(c, 1, 0, ANYBODY);
    assert_int_equal(1, answered_view(c));
    cluster_settle(c);
    assert_int_equal(1, cluster_core(c, 1)->view);
    ask(c, 1, 1, 1); /* it leads already */
    assert_int_equal(1, answered_view(c));
    cluster_free(c);
}

/* Rule: nobody is named primary for whom the group would have to wait (O2). */
static void who_cannot_lead_is_refused_in_words(void **unused)
{
    (void)unused;
    struct cluster *c = cluster_new(5, CLUSTER_MEMORY | CLUSTER_WITNESS(2));
    ask(c, 0, 0, 5);
    expect_refusal(c, "there is no replica 5: the group has replicas 0 to 4");
    ask(c, 0, 0, 2);
    expect_refusal(c, "replica 2 is a witness");
    cluster_isolate(c, 1);
    cluster_run(c, 300);
    ask(c, 0, 0, 1);
    expect_refusal(c, "replica 1 is silent: it was not heard for");
    assert_int_equal(0, cluster_core(c, 0)->view);
    ask(c, 0, 0, ANYBODY);
    cluster_settle(c);
    assert_int_equal(3, cluster_primary(c));
    cluster_free(c);

    c = cluster_new(1, CLUSTER_MEMORY);
    ask(c, 0, 0, ANYBODY);
    expect_refusal(c, "no other replica that could lead");
    cluster_free(c);
}

/* Rule: one whose connection has just broken is refused before it is missed (O2), and one that is
 * not named is passed over. */
static void who_has_just_died_is_not_waited_for(void **unused)
{
    (void)unused;
    struct cluster *c = cluster_new(3, CLUSTER_MEMORY);
    cluster_crash(c, 1);
    cluster_cut(c, 0, 1);
    ask(c, 0, 0, 1);
    expect_refusal(c, "replica 1 is down, or cut off");
    assert_int_equal(0, cluster_core(c, 0)->view);
    ask(c, 0, 0, ANYBODY);
    cluster_settle(c);
    assert_int_equal(2, cluster_primary(c));
    assert_int_equal(2, answered_view(c));
    cluster_free(c);
}

/* Rule: one that is far behind would keep the group waiting (O2). */
static void who_is_behind_is_refused_until_it_has_caught_up(void **unused)
{
    (void)unused;
    struct cluster *c = cluster_new(3, CLUSTER_DISK);
    uint64_t session = cluster_register(c, 1, 0);
    cluster_slow_disk(c, 2, true);
    for (uint64_t i = 1; i <= 2 * PIPELINE_MAX; i++) cluster_incr(c, 1, session, i, 0);
    ask(c, 0, 0, 2);
    expect_refusal(c, "replica 2 is behind");
    cluster_slow_disk(c, 2, false);
    cluster_run(c, 100);
    ask(c, 0, 0, 2);
    cluster_settle(c);
    assert_int_equal(2, cluster_primary(c));
    cluster_free(c);
}

/* Rule: the answer says that a view has begun, not that one is hoped for (O3). */
static void the_answer_comes_when_a_view_has_begun(void **unused)
{
    (void)unused;
    struct cluster *c = cluster_new(3, CLUSTER_MEMORY);
    uint64_t session = cluster_register(c, 1, 0);
    cluster_incr(c, 1, session, 1, 0);
    cluster_crash(c, 1); /* and nobody knows yet */
    ask(c, 0, 0, 1);
    cluster_settle(c);
    assert_int_equal(0, answered_view(c)); /* that of the request before */
    assert_true(cluster_converge(c));
    assert_int_equal(2, cluster_primary(c));
    assert_int_equal(2, answered_view(c));
    cluster_free(c);
}

/* Rule: who waits when a view ends hears of the next as soon as that has begun; its request, which
 * the next view has in its log, is not refused. */
static void who_waits_is_told_of_the_next_view(void **unused)
{
    (void)unused;
    struct cluster *c = cluster_new(3, CLUSTER_MEMORY);
    uint64_t session = cluster_register(c, 1, 0);
    struct kv_op op = cluster_incr_op();
    struct wire_message m;
    cluster_hold(c, CLUSTER_ALL, 0, WIRE_prepare_ok);
    cluster_send_op(c, 1, session, 1, 0, &op);
    cluster_hold(c, 1, 0, WIRE_start_view);
    cluster_settle(c);
    size_t n_answers = cluster_n_answers(c);
    cluster_hand_over(c, 0);
    cluster_settle(c);
    assert_int_equal(n_answers, cluster_n_answers(c));
    cluster_release(c, 1, 0, WIRE_start_view);
    cluster_settle(c);
    assert_int_equal(n_answers + 1, cluster_n_answers(c));
    assert_int_equal(0, wire_frame_decode(cluster_newest_answer(c), &m));
    assert_int_equal(WIRE_reject, m.header.command);
    assert_int_equal(1, m.header.view);
    assert_true(vstamp_id_equal(cluster_client_id(1), m.as.reject.client));
    assert_int_equal(0, m.as.reject.number);
    cluster_send_op(c, 1, session, 1, 1, &op);
    cluster_settle(c);
    assert_int_equal(1, cluster_answer(c, 1, 1, KV_INCR).kv.number);
    assert_int_equal(0, cluster_answer(c, 1, 1, KV_INCR).n_rejects);
    cluster_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_named_one_leads_and_no_time_passes),
        cmocka_unit_test(no_lease_is_waited_for),
        cmocka_unit_test(a_request_that_comes_again_moves_nothing),
        cmocka_unit_test(who_cannot_lead_is_refused_in_words),
        cmocka_unit_test(who_has_just_died_is_not_waited_for),
        cmocka_unit_test(who_is_behind_is_refused_until_it_has_caught_up),
        cmocka_unit_test(the_answer_comes_when_a_view_has_begun),
        cmocka_unit_test(who_waits_is_told_of_the_next_view),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

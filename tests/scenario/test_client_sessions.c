/* SPDX-License-Identifier: BSD-2-Clause */
/* Stories about sessions and exactly-once execution (vr/batch.c, vr/commit.c, vr/client_table.c; paper
 * sections 4.1 and 4.5).  Each names the rule that it fails without. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "scenario/cluster.h"

static void send_incr(struct cluster *c, uint32_t client, uint64_t session, uint64_t number,
                      uint8_t to)
{
    struct kv_op op = cluster_incr_op();
    cluster_send_op(c, client, session, number, to, &op);
    cluster_settle(c);
}

/* Rule: a client that comes back registers anew instead of skipping numbers: its former requests, in
 * flight or lost, can never run again, and a number that leaves a gap is refused. */
static void pit_6_1_a_late_request_of_a_former_life_never_runs(void **state)
{
    (void)state;
    struct cluster *c = cluster_new(3, CLUSTER_MEMORY);
    uint64_t former = cluster_register(c, 1, 0);
    assert_int_equal(1, cluster_incr(c, 1, former, 1, 0));
    cluster_send_register(c, 1, 2, 0); /* it crashed with request 2 under way, and comes back */
    cluster_settle(c);
    struct cluster_answer answer = cluster_answer(c, 1, 2, 0);
    assert_int_equal(1, answer.registration.known);
    assert_int_equal(1, answer.registration.number); /* 2 did not run */
    uint64_t session = answer.registration.session;
    assert_true(session > former);
    send_incr(c, 1, former, 2, 0); /* now the late one arrives */
    assert_int_equal(0, cluster_answer(c, 1, 2, KV_INCR).n_replies);
    assert_int_equal(WIRE_REJECT_EVICTED, cluster_answer(c, 1, 2, KV_INCR).reason);
    send_incr(c, 1, session, 4, 0);
    assert_int_equal(0, cluster_answer(c, 1, 4, KV_INCR).n_replies);
    assert_int_equal(1, cluster_answer(c, 1, 4, KV_INCR).n_rejects);
    assert_int_equal(2, cluster_incr(c, 1, session, 2, 0));
    assert_int_equal(2, cluster_read(c, 0, 100));
    cluster_free(c);
}

/* Rule: a request that was logged before the registration that replaces its session, but executed after
 * it, does not run: the check is made again at execution, at all replicas alike. */
static void a_request_behind_its_sessions_end_in_the_log_does_not_run(void **state)
{
    (void)state;
    struct cluster *c = cluster_new(3, CLUSTER_MEMORY);
    uint64_t session = cluster_register(c, 1, 0);
    cluster_hold(c, 0, CLUSTER_ALL, WIRE_prepare);
    cluster_send_register(c, 1, 2, 0);
    cluster_crash(c, 0); /* 1 and 2 have neither */
    cluster_clear_rules(c);
    cluster_run(c, 1500);
    uint8_t primary = cluster_primary(c);
    send_incr(c, 1, session, 1, primary);
    assert_int_equal(1, cluster_answer(c, 1, 1, KV_INCR).n_replies);
    cluster_send_register(c, 1, 3, primary);
    cluster_settle(c);
    send_incr(c, 1, session, 1, primary); /* the retry comes too late for a repeated answer */
    assert_int_equal(WIRE_REJECT_EVICTED, cluster_answer(c, 1, 1, KV_INCR).reason);
    assert_int_equal(1, cluster_read(c, primary, 100));
    cluster_free(c);
}

/* Rule: eviction follows the log alone, so that all replicas know the same sessions. */
static void pit_6_2_all_replicas_evict_the_same_session(void **state)
{
    (void)state;
    struct cluster *c = cluster_new(3, CLUSTER_MEMORY);
    uint64_t first = cluster_register(c, 1, 0);
    for (uint32_t i = 2; i <= CLUSTER_SESSIONS; i++) cluster_register(c, i, 0);
    assert_int_equal(1, cluster_incr(c, 1, first, 1, 0)); /* now 2 is the oldest */
    cluster_register(c, CLUSTER_SESSIONS + 1, 0);
    assert_true(cluster_converge(c));
    for (uint8_t i = 0; i < 3; i++) {
        const struct client_table *table = cluster_core(c, i)->clients;
        struct client_record record;
        assert_int_equal(CLUSTER_SESSIONS, client_table_count(table));
        assert_true(client_table_find(table, (struct vstamp_id){0xc11e, 2}, &record));
        assert_false(client_table_find(table, (struct vstamp_id){0xc11e, 3}, &record));
    }
    cluster_free(c);
}

/* Rule: an unknown session is refused, never taken for a new one. */
static void pit_6_3_a_retry_after_eviction_does_not_run_again(void **state)
{
    (void)state;
    struct cluster *c = cluster_new(3, CLUSTER_MEMORY);
    uint64_t session = cluster_register(c, 1, 0);
    assert_int_equal(1, cluster_incr(c, 1, session, 1, 0));
    for (uint32_t i = 2; i <= CLUSTER_SESSIONS + 1; i++) cluster_register(c, i, 0);
    send_incr(c, 1, session, 1, 0);
    assert_int_equal(WIRE_REJECT_EVICTED, cluster_answer(c, 1, 1, KV_INCR).reason);
    send_incr(c, 1, session, 2, 0);
    assert_int_equal(WIRE_REJECT_EVICTED, cluster_answer(c, 1, 2, KV_INCR).reason);
    assert_int_equal(1, cluster_read(c, 0, 100));
    cluster_free(c);
}

/* Rule: an old registration that arrives again ends nobody's session. */
static void pit_6_4_a_replayed_registration_changes_nothing(void **state)
{
    (void)state;
    struct cluster *c = cluster_new(3, CLUSTER_MEMORY);
    cluster_register(c, 1, 0);
    cluster_send_register(c, 1, 2, 0);
    cluster_settle(c);
    uint64_t session = cluster_answer(c, 1, 2, 0).registration.session;
    cluster_send_register(c, 1, 1, 0);
    cluster_settle(c);
    cluster_send_register(c, 1, 2, 0);
    cluster_settle(c);
    assert_int_equal(session, cluster_answer(c, 1, 2, 0).registration.session);
    assert_int_equal(1, cluster_incr(c, 1, session, 1, 0));
    cluster_free(c);
}

/* Rule: two processes with one identity cannot both be served: the later registration wins, and the
 * other is told. */
static void pit_6_5_a_second_process_takes_the_session_over(void **state)
{
    (void)state;
    struct cluster *c = cluster_new(3, CLUSTER_MEMORY);
    uint64_t first = cluster_register(c, 1, 0);
    cluster_send_register(c, 1, 2, 0);
    cluster_settle(c);
    uint64_t second = cluster_answer(c, 1, 2, 0).registration.session;
    send_incr(c, 1, first, 1, 0);
    assert_int_equal(WIRE_REJECT_EVICTED, cluster_answer(c, 1, 1, KV_INCR).reason);
    assert_int_equal(1, cluster_incr(c, 1, second, 1, 0));
    cluster_free(c);
}

/* Rule: the answer is part of the replicated state: whoever is asked again says the same. */
static void pit_6_6_a_new_primary_repeats_the_answer(void **state)
{
    (void)state;
    struct cluster *c = cluster_new(3, CLUSTER_MEMORY);
    uint64_t one = cluster_register(c, 1, 0), two = cluster_register(c, 2, 0);
    assert_int_equal(1, cluster_incr(c, 1, one, 1, 0));
    assert_int_equal(2, cluster_incr(c, 2, two, 1, 0));
    cluster_run(c, 50);
    cluster_crash(c, 0);
    cluster_run(c, 1500);
    uint8_t primary = cluster_primary(c);
    assert_int_equal(1, cluster_incr(c, 1, one, 1, primary));
    assert_int_equal(2, cluster_answer(c, 1, 1, KV_INCR).n_replies);
    assert_int_equal(2, cluster_read(c, primary, 100));
    cluster_free(c);
}

/* Rule: the paper's "+1 in flight": a retry finds its request in the waiting log, after a view change too,
 * and does not enter twice. */
static void a_retry_of_a_request_that_waits_does_not_enter_twice(void **state)
{
    (void)state;
    struct cluster *c = cluster_new(3, CLUSTER_MEMORY);
    uint64_t session = cluster_register(c, 1, 0);
    cluster_run(c, 50);
    cluster_drop(c, CLUSTER_ALL, 0, WIRE_prepare_ok);
    cluster_drop(c, CLUSTER_ALL, 0, WIRE_commit_ok);
    uint64_t before = cluster_core(c, 0)->log.op;
    for (int i = 0; i < 5; i++) send_incr(c, 1, session, 1, 0);
    assert_int_equal(before + 1, cluster_core(c, 0)->log.op);
    cluster_crash(c, 0);
    cluster_clear_rules(c);
    cluster_run(c, 1500);
    uint8_t primary = cluster_primary(c);
    for (int i = 0; i < 5; i++) send_incr(c, 1, session, 1, primary);
    cluster_run(c, 50);
    assert_int_equal(before + 1, cluster_core(c, primary)->log.op);
    assert_int_equal(1, cluster_read(c, primary, 100));
    cluster_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pit_6_1_a_late_request_of_a_former_life_never_runs),
        cmocka_unit_test(a_request_behind_its_sessions_end_in_the_log_does_not_run),
        cmocka_unit_test(pit_6_2_all_replicas_evict_the_same_session),
        cmocka_unit_test(pit_6_3_a_retry_after_eviction_does_not_run_again),
        cmocka_unit_test(pit_6_4_a_replayed_registration_changes_nothing),
        cmocka_unit_test(pit_6_5_a_second_process_takes_the_session_over),
        cmocka_unit_test(pit_6_6_a_new_primary_repeats_the_answer),
        cmocka_unit_test(a_retry_of_a_request_that_waits_does_not_enter_twice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

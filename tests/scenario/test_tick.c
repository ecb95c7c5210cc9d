/* SPDX-License-Identifier: BSD-2-Clause */
/* What happens though nobody asks (PROTOCOL 5, 11): the stories of lib/vr/tick.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/endian.h"
#include "base/limits.h"
#include "scenario/cluster.h"

#define MS UINT64_C(1000)

/* An alarm clock.  An INCR by N sets it N milliseconds after the entry's timestamp, whatever the
 * key; what rings adds 1.  Page 0 has when it is set for, how often it rang, and the timestamps of
 * the entry that set it and of the one that rang. */
enum place { DUE = 0, RINGS = 8, SET_AT = 16, RANG_AT = 24 };

static uint64_t clock_get(const struct vstamp_pages *pages, enum place place)
{
    return load_u64((const uint8_t *)vstamp_page_read(pages, 0) + place);
}

static void clock_apply(struct vstamp_pages *pages, const struct vstamp_context *context,
                        const uint8_t *operation, size_t size, struct vstamp_answer *answer)
{
    struct kv_op op;
    assert_null(kv_decode_op((struct bytes){operation, size}, &op));
    uint8_t *page = vstamp_page_write(pages, 0);
    store_u64(page + SET_AT, context->timestamp_us);
    store_u64(page + DUE, context->timestamp_us + (uint64_t)op.number * MS);
    answer->data[0] = KV_ANSWER_DONE;
    store_u64(answer->data + 1, 0);
    answer->size = 9;
}

static uint64_t clock_due(const struct vstamp_pages *pages)
{
    uint64_t due = clock_get(pages, DUE);
    return due == 0 ? VSTAMP_NEVER : due;
}

static int clock_tick(struct vstamp_pages *pages, const struct vstamp_context *context,
                      struct vstamp_diag *why)
{
    assert_true(context->client.hi == 0 && context->client.lo == 0);
    (void)why;
    if (clock_due(pages) > context->timestamp_us) return 0;
    uint8_t *page = vstamp_page_write(pages, 0);
    store_u64(page + DUE, 0);
    store_u64(page + RINGS, load_u64(page + RINGS) + 1);
    store_u64(page + RANG_AT, context->timestamp_us);
    return 0;
}

/* One that rings without end. */
static int clock_tick_again(struct vstamp_pages *pages, const struct vstamp_context *context,
                            struct vstamp_diag *why)
{
    clock_tick(pages, context, why);
    store_u64((uint8_t *)vstamp_page_write(pages, 0) + DUE, 1);
    return 0;
}

static int clock_check(const struct vstamp_limits *limits, const uint8_t *operation, size_t size,
                       struct vstamp_diag *why)
{
    (void)limits, (void)operation, (void)size, (void)why;
    return 0;
}

static const struct vstamp_app alarm_clock = {.name = "alarm clock",
                                              .check = clock_check,
                                              .apply = clock_apply,
                                              .due = clock_due,
                                              .tick = clock_tick};

static const struct vstamp_app restless_clock = {.name = "restless alarm clock",
                                                 .check = clock_check,
                                                 .apply = clock_apply,
                                                 .due = clock_due,
                                                 .tick = clock_tick_again};

/* One that has something to do from the beginning on: its pages are zeros. */
static uint64_t late_due(const struct vstamp_pages *pages)
{
    return clock_get(pages, DUE);
}

static const struct vstamp_app late_clock = {.name = "late alarm clock",
                                             .check = clock_check,
                                             .apply = clock_apply,
                                             .due = late_due,
                                             .tick = clock_tick_again};

static void set_alarm(struct cluster *c, uint32_t client, uint64_t session, uint64_t number,
                      uint8_t to, int64_t ms)
{
    struct kv_op op = {.verb = KV_INCR, .key = bytes_of("n"), .number = ms};
    cluster_send_op(c, client, session, number, to, &op);
    cluster_settle(c);
    assert_int_equal(1, cluster_answer(c, client, number, KV_INCR).n_replies);
}

static uint64_t rings(const struct cluster *c, uint8_t replica)
{
    return clock_get(&cluster_core(c, replica)->app_pages, RINGS);
}

static void the_group_acts_though_nobody_asks(void **unused)
{
    (void)unused;
    struct cluster *c = cluster_new_with(3, CLUSTER_MEMORY, &alarm_clock);
    uint64_t session = cluster_register(c, 1, 0);
    set_alarm(c, 1, session, 1, 0, 105);
    cluster_run(c, 100);
    for (uint8_t i = 0; i < 3; i++) assert_int_equal(0, rings(c, i));
    uint64_t op = cluster_core(c, 0)->log.op;
    cluster_run(c, 10); /* the heartbeat after it is not waited for */
    assert_int_equal(1, rings(c, 0));
    cluster_run(c, 200);
    assert_int_equal(op + 1, cluster_core(c, 0)->log.op);
    for (uint8_t i = 0; i < 3; i++) {
        const struct vstamp_pages *pages = &cluster_core(c, i)->app_pages;
        assert_int_equal(1, rings(c, i));
        assert_true(clock_get(pages, RANG_AT) >= clock_get(pages, SET_AT) + 105 * MS);
        assert_true(clock_get(pages, RANG_AT) < clock_get(pages, SET_AT) + 110 * MS);
    }
    cluster_free(c);
}

/* U2 */
static void there_is_one_tick_at_a_time(void **unused)
{
    (void)unused;
    struct cluster *c = cluster_new_with(3, CLUSTER_MEMORY, &alarm_clock);
    uint64_t session = cluster_register(c, 1, 0);
    set_alarm(c, 1, session, 1, 0, 10);
    uint64_t op = cluster_core(c, 0)->log.op;
    cluster_hold(c, CLUSTER_ALL, 0, WIRE_prepare_ok);
    cluster_hold(c, CLUSTER_ALL, 0, WIRE_commit_ok);
    cluster_run(c, 150);
    assert_int_equal(op + 1, cluster_core(c, 0)->log.op);
    assert_int_equal(0, rings(c, 0));
    cluster_clear_rules(c);
    cluster_release(c, CLUSTER_ALL, 0, CLUSTER_ALL);
    cluster_run(c, 50);
    assert_int_equal(op + 1, cluster_core(c, 0)->log.op);
    assert_int_equal(1, rings(c, 0));
    cluster_free(c);
}

/* U1: what the former primary has logged is executed before the new one looks. */
static void a_new_primary_acts_and_acts_once(void **unused)
{
    (void)unused;
    struct cluster *c = cluster_new_with(3, CLUSTER_MEMORY, &alarm_clock);
    uint64_t session = cluster_register(c, 1, 0);
    set_alarm(c, 1, session, 1, 0, 10);
    uint64_t op = cluster_core(c, 0)->log.op;
    cluster_drop(c, CLUSTER_ALL, 0, CLUSTER_ALL); /* its tick arrives, and no acknowledgement */
    cluster_drop(c, 0, CLUSTER_ALL, WIRE_commit);
    cluster_run(c, 30);
    assert_int_equal(op + 1, cluster_core(c, 1)->log.op);
    assert_int_equal(0, rings(c, 1));
    for (int i = 0; i < 100 && !vr_is_primary(cluster_core(c, 1)); i++) cluster_run(c, 10);
    cluster_run(c, 50);
    assert_int_equal(1, rings(c, 1));
    assert_int_equal(op + 1, cluster_core(c, 1)->log.op);
    cluster_isolate(c, 0);
    cluster_clear_rules(c);
    assert_true(cluster_converge(c));
    for (uint8_t i = 0; i < 3; i++) assert_int_equal(1, rings(c, i));
    cluster_free(c);
}

/* A primary that is cut off logs a tick that nobody else ever sees; the next one logs its own. */
static void what_was_due_under_a_lost_primary_is_done_by_the_next(void **unused)
{
    (void)unused;
    struct cluster *c = cluster_new_with(3, CLUSTER_DISK, &alarm_clock);
    uint64_t session = cluster_register(c, 1, 0);
    set_alarm(c, 1, session, 1, 0, 50);
    cluster_run(c, 30);
    cluster_isolate(c, 0);
    cluster_run(c, 40);
    assert_int_equal(0, rings(c, 0));
    for (int i = 0; i < 100 && !vr_is_primary(cluster_core(c, 1)); i++) cluster_run(c, 10);
    cluster_run(c, 50);
    assert_int_equal(1, rings(c, 1));
    cluster_crash(c, 2); /* a restart from the disk executes it again, alike */
    cluster_clear_rules(c);
    cluster_start(c, 2);
    assert_true(cluster_converge(c));
    for (uint8_t i = 0; i < 3; i++) assert_int_equal(1, rings(c, i));
    cluster_free(c);
}

/* U3 */
static void an_application_that_is_never_content_does_not_fill_the_log(void **unused)
{
    (void)unused;
    struct cluster *c = cluster_new_with(3, CLUSTER_MEMORY, &restless_clock);
    uint64_t session = cluster_register(c, 1, 0);
    set_alarm(c, 1, session, 1, 0, 1);
    uint64_t op = cluster_core(c, 0)->log.op;
    cluster_run(c, 100);
    uint64_t ticks = cluster_core(c, 0)->log.op - op;
    assert_true(ticks <= 100 * MS / TICK_US);
    assert_true(ticks >= 25); /* and yet it does not wait for heartbeats */
    set_alarm(c, 1, session, 2, 0, 1); /* and others are served */
    cluster_free(c);
}

/* U5: who is to become a member of another group is told of it only if nobody has used its own. */
static void a_group_that_nobody_has_used_does_nothing(void **unused)
{
    (void)unused;
    struct cluster *c = cluster_new_with(3, CLUSTER_DISK, &late_clock);
    cluster_run(c, 500);
    for (uint8_t i = 0; i < 3; i++) assert_int_equal(0, cluster_core(c, i)->log.op);
    cluster_register(c, 1, 0);
    cluster_run(c, 100);
    assert_true(cluster_core(c, 0)->stats.ticks > 0);
    cluster_free(c);
}

/* Only the primary logs ticks. */
static void a_client_can_not_ask_for_a_tick(void **unused)
{
    (void)unused;
    uint8_t frame[512];
    struct cluster *c = cluster_new_with(3, CLUSTER_MEMORY, &alarm_clock);
    uint64_t session = cluster_register(c, 1, 0);
    uint64_t op = cluster_core(c, 0)->log.op;
    struct wire_header header = {.group = cluster_core(c, 0)->group, .sender = WIRE_SENDER_CLIENT};
    struct wire_request request = {.client = cluster_client_id(1), .session = session, .number = 1,
                                   .kind = WIRE_KIND_TICK};
    size_t size = wire_frame_encode(&header, &wire_shape_request, &request, frame, sizeof frame);
    struct wire_message m;
    assert_int_equal(0, wire_frame_decode(cluster_ask(c, 0, (struct bytes){frame, size}), &m));
    assert_int_equal(WIRE_reject, m.header.command);
    assert_int_equal(WIRE_REJECT_INVALID, m.as.reject.reason);
    assert_int_equal(op, cluster_core(c, 0)->log.op);
    cluster_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_group_acts_though_nobody_asks),
        cmocka_unit_test(there_is_one_tick_at_a_time),
        cmocka_unit_test(a_new_primary_acts_and_acts_once),
        cmocka_unit_test(what_was_due_under_a_lost_primary_is_done_by_the_next),
        cmocka_unit_test(an_application_that_is_never_content_does_not_fill_the_log),
        cmocka_unit_test(a_group_that_nobody_has_used_does_nothing),
        cmocka_unit_test(a_client_can_not_ask_for_a_tick),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

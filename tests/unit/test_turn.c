/* SPDX-License-Identifier: BSD-2-Clause */
/* What a turn of the loop is made of, and in which order; when it is full, and when the next one
 * begins by itself.  When the node's next timer is due the test says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "hosted.h"
#include "kv/kv.h"
#include "node/recording.h"

#define GREETED_MAX 4u
#define LOOK        16u
#define S           UINT64_C(1000000) /* in microseconds */

struct fixture {
    struct hosted hosted;
    struct turn *turn;
    char story[200];
    uint64_t slow_us, busy_us; /* each turn takes so long, and so much of the processor */
    bool more;                 /* there is something to be fed that had to wait, */
    bool goes_on;              /* and not all of it is fed at once */
    uv_poll_t poll;
    int fds[2];
    void (*ready)(struct fixture *f); /* in the next poll */
    struct turn_share share;
};

static uint64_t due_us;

uint64_t __wrap_node_next_timer(const struct node *node);
uint64_t __wrap_node_next_timer(const struct node *node)
{
    (void)node;
    return due_us;
}

static void tell(struct fixture *f, const char *what)
{
    size_t n = strlen(f->story);

    snprintf(f->story + n, sizeof f->story - n, "%s ", what);
}

static void assert_story(struct fixture *f, const char *story)
{
    assert_string_equal(f->story, story);
    f->story[0] = '\0';
}

static void record(void *ctx, enum journal_kind kind, const void *what)
{
    const struct wire_recorded_step *step = what;

    if (kind == JOURNAL_RECORDED_clock) tell(ctx, "clock");
    if (kind != JOURNAL_RECORDED_step) return;
    tell(ctx, step->step == RECORDING_TURN_SEND ? "node-sends" : "node-ends");
}

static void on_send(void *ctx)
{
    tell(ctx, "send");
}

static void after(void *ctx)
{
    struct fixture *f = ctx;

    tell(f, "after");
    f->turn->begun_us -= f->slow_us;
    f->turn->cpu_us -= f->busy_us;
}

static bool resume(void *ctx)
{
    struct fixture *f = ctx;

    tell(f, "resume");
    if (f->more) turn_begin(f->turn);
    f->more = false;
    return f->goes_on;
}

static void on_ready(uv_poll_t *poll, int status, int events)
{
    struct fixture *f = poll->data;

    (void)status;
    (void)events;
    uv_poll_stop(poll);
    f->ready(f);
}

/* This happens where the loop hands out what has come. */
static void in_next_poll(struct fixture *f, void (*ready)(struct fixture *f))
{
    f->ready = ready;
    uv_poll_start(&f->poll, UV_WRITABLE, on_ready);
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    const struct node_io io = {.ctx = f,
                               .send = ignore_frame,
                               .log = ignore_log,
                               .record = record};

    if (f == NULL) return -1;
    *state = f;
    due_us = UINT64_MAX;
    hosted_configure(&f->hosted, 3);
    hosted_open(&f->hosted, kv_app(), &io, on_send, after, resume, f);
    f->turn = &f->hosted.turn;
    f->story[0] = '\0';
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, f->fds) != 0) return -1;
    uv_poll_init(&f->hosted.loop, &f->poll, f->fds[0]);
    f->poll.data = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    hosted_close(&f->hosted);
    close(f->fds[0]);
    close(f->fds[1]);
    free(f);
    return 0;
}

static void begin(struct fixture *f)
{
    turn_begin(f->turn);
}

static void take_a_turn(struct fixture *f)
{
    in_next_poll(f, begin);
    hosted_run(&f->hosted);
}

static void fill(struct fixture *f)
{
    turn_reads(f->turn, &f->share, TURN_BYTES_MAX);
}

static void tell_poll(struct fixture *f)
{
    tell(f, "poll");
}

#define ENDS "clock node-sends send node-ends after "

static void reads_are_judged_by_a_clock_that_was_read_after_they_came(void **state)
{
    struct fixture *f = *state;

    turn_begin(f->turn);
    turn_begin(f->turn);
    assert_story(f, "clock ");
    hosted_run(&f->hosted);
    assert_story(f, ENDS "resume ");
    hosted_run(&f->hosted); /* nothing has begun one */
    assert_story(f, "");
    f->more = true;
    take_a_turn(f);
    assert_story(f, "clock " ENDS "resume clock " ENDS "resume ");
}

static void what_fills_a_turn_is_told_and_ends_with_it(void **state)
{
    struct fixture *f = *state;
    struct turn_share share = {0};

    turn_reads(f->turn, &share, TURN_BYTES_MAX - 1);
    assert_true(f->turn->begun);
    assert_false(turn_is_full(f->turn));
    turn_reads(f->turn, &share, 2);
    assert_true(turn_is_full(f->turn));
    assert_int_equal(f->turn->fullest_bytes, TURN_BYTES_MAX + 1);
    hosted_run(&f->hosted);
    turn_reads(f->turn, &share, 1);
    assert_false(turn_is_full(f->turn));
    assert_int_equal(f->turn->fullest_bytes, TURN_BYTES_MAX + 1);
}

/* What waits is fed in the loop's next round, and the loop rests when there is nothing more. */
static void a_full_turn_is_followed_by_another_one_in_the_same_round_of_shares(void **state)
{
    struct fixture *f = *state;
    uint64_t round;

    hosted_run(&f->hosted);
    round = f->turn->round;
    in_next_poll(f, fill);
    hosted_run(&f->hosted);
    assert_story(f, "clock " ENDS);
    assert_int_equal(f->turn->round, round);
    assert_true(turn_has_share(f->turn, &f->share, TURN_BYTES_MAX + 1));
    assert_false(turn_has_share(f->turn, &f->share, TURN_BYTES_MAX));
    f->more = true;
    in_next_poll(f, tell_poll);
    hosted_run(&f->hosted);
    assert_story(f, "resume clock " ENDS "resume poll ");
    assert_false(uv_is_active((uv_handle_t *)&f->turn->rest));
    assert_int_equal(f->turn->round, round + 1);
    assert_true(turn_has_share(f->turn, &f->share, TURN_BYTES_MAX));
}

/* In as many rounds of the loop as it takes, and others between. */
static void what_waits_longer_is_fed_round_by_round(void **state)
{
    struct fixture *f = *state;

    f->goes_on = true;
    take_a_turn(f);
    assert_story(f, "clock " ENDS "resume ");
    in_next_poll(f, tell_poll);
    hosted_run(&f->hosted);
    assert_story(f, "resume poll ");
    f->more = true; /* with something to work off */
    hosted_run(&f->hosted);
    assert_story(f, "resume clock " ENDS "resume ");
    f->goes_on = false;
    hosted_run(&f->hosted);
    assert_story(f, "resume ");
    hosted_run(&f->hosted);
    assert_story(f, "");
}

static void a_turn_says_for_how_many_the_next_has_room(void **state)
{
    struct fixture *f = *state;

    take_a_turn(f);
    assert_int_equal(f->turn->resumed_max, TURN_CROWD);
    for (unsigned taken = 1; taken <= TURN_CROWD + 50; taken += 50) {
        fill(f);
        for (unsigned i = 0; i < taken; i++) turn_takes(f->turn);
        hosted_run(&f->hosted);
        assert_in_range(f->turn->resumed_max, LOOK, TURN_CROWD);
        if (taken >= LOOK && taken <= TURN_CROWD)
            assert_int_equal(f->turn->resumed_max, taken);
    }
}

static void a_turn_bears_that_some_come_in_vain(void **state)
{
    struct fixture *f = *state;

    for (int turn = 0; turn < 2; turn++) {
        for (unsigned i = 0; i < 2 * TURN_CROWD; i++)
            assert_false(turn_bears_no_more(f->turn, false));
        assert_true(turn_bears_no_more(f->turn, false));
        for (unsigned i = 1; i < TURN_CROWD; i++) assert_false(turn_bears_no_more(f->turn, true));
        assert_true(turn_bears_no_more(f->turn, true));
        assert_true(f->turn->begun); /* at whose end they are fed */
        hosted_run(&f->hosted);
    }
}

static void a_few_take_a_step_of_a_handshake_in_a_turn(void **state)
{
    struct fixture *f = *state;

    for (int turn = 0; turn < 2; turn++) {
        for (unsigned i = 0; i < GREETED_MAX; i++) {
            assert_true(turn_may_greet(f->turn));
            turn_greets(f->turn);
        }
        assert_true(f->turn->begun);
        assert_false(turn_may_greet(f->turn));
        hosted_run(&f->hosted);
    }
}

static void the_longest_turn_is_told(void **state)
{
    struct fixture *f = *state;

    f->slow_us = 9 * S;
    f->busy_us = 7 * S;
    take_a_turn(f);
    assert_in_range(f->turn->longest_us, 9 * S, 20 * S);
    assert_in_range(f->turn->longest_cpu_us, 7 * S, 8 * S);
    f->slow_us = f->busy_us = 0;
    take_a_turn(f);
    assert_true(f->turn->longest_us >= 9 * S);
    assert_true(f->turn->longest_cpu_us >= 7 * S);
}

static uint64_t due_in_s(const struct fixture *f)
{
    return (uv_timer_get_due_in(&f->turn->timer) + 500) / 1000;
}

static void the_timer_is_set_for_what_is_due_first(void **state)
{
    struct fixture *f = *state;

    due_us = turn_monotonic_us() + 1000 * S;
    take_a_turn(f);
    assert_in_range(due_in_s(f), 980, 1000);
    due_us -= 500 * S;
    hosted_run(&f->hosted); /* without a turn there is nothing new */
    assert_in_range(due_in_s(f), 980, 1000);
    take_a_turn(f);
    assert_in_range(due_in_s(f), 480, 500);
    due_us += 100 * S; /* it stays, and finds nothing to do */
    take_a_turn(f);
    assert_in_range(due_in_s(f), 480, 500);
    due_us = UINT64_MAX;
    take_a_turn(f);
    assert_false(uv_is_active((uv_handle_t *)&f->turn->timer));
}

/* Or else what is due would wait for whatever else happens. */
static void a_turn_that_the_timer_begins_ends_before_the_loop_waits(void **state)
{
    struct fixture *f = *state;

    due_us = 1; /* since long */
    take_a_turn(f);
    due_us = UINT64_MAX;
    f->story[0] = '\0';
    in_next_poll(f, tell_poll);
    hosted_run(&f->hosted);
    assert_story(f, "clock " ENDS "resume poll ");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(reads_are_judged_by_a_clock_that_was_read_after_they_came),
        TEST(what_fills_a_turn_is_told_and_ends_with_it),
        TEST(a_full_turn_is_followed_by_another_one_in_the_same_round_of_shares),
        TEST(what_waits_longer_is_fed_round_by_round),
        TEST(a_turn_says_for_how_many_the_next_has_room),
        TEST(a_turn_bears_that_some_come_in_vain),
        TEST(a_few_take_a_step_of_a_handshake_in_a_turn),
        TEST(the_longest_turn_is_told),
        TEST(the_timer_is_set_for_what_is_due_first),
        TEST(a_turn_that_the_timer_begins_ends_before_the_loop_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

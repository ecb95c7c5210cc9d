/* SPDX-License-Identifier: BSD-2-Clause */
/* Whom a session asks, and when again (vr/session.c). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "unit/session_play.h"
#include "vr/client_table.h"

static void silence_makes_it_ask_all_with_the_same_request(void **state)
{
    (void)state;
    start(SESSION_APPLY);
    sends_only_to(0);
    assert_int_equal(session_wake(&s), now + SESSION_PATIENCE_MS);
    pass(SESSION_PATIENCE_MS - 1);
    sends_to_none();
    s.confirmed = true; /* it has spoken to this group */
    pass(1);
    for (uint8_t i = 0; i < N; i++) {
        assert_true(sends_to(i));
        assert_int_equal(sent.as.request.session, 10);
        assert_int_equal(sent.as.request.number, 5);
        assert_true(bytes_equal(sent.as.request.body, operation));
    }
    sends_to_none();
    pass(2 * SESSION_ROUND_MS_MAX);
    sends_to_all();
    reply(2, 2, 30, "5");
    ended(0, false);
}

static void answer_after(uint8_t from, uint64_t ms)
{
    start(SESSION_APPLY);
    pass(ms);
    reply(from, from, 30, "");
    ended(0, false);
}

/* Or else thousands of clients that wait for each other would ask all the time. */
static void who_answers_late_is_waited_for_the_next_time(void **state)
{
    (void)state;
    answer_after(0, SESSION_PATIENCE_MS * 3);
    start(SESSION_APPLY);
    assert_int_equal(session_wake(&s), now + SESSION_PATIENCE_MS * 6);
    reply(0, 0, 30, "");
    for (int i = 0; i < 20; i++) answer_after(0, 1);
    start(SESSION_APPLY);
    assert_int_equal(session_wake(&s), now + SESSION_PATIENCE_MS);
    reply(0, 0, 30, "");

    answer_after(1, SESSION_PATIENCE_MS * 3); /* the other one was silent, or dead */
    s.identity.view = 0;
    start(SESSION_APPLY);
    assert_int_equal(session_wake(&s), now + SESSION_PATIENCE_MS);
    reply(0, 0, 30, "");
    answer_after(0, SESSION_ROUND_MS_MAX * 3);
    start(SESSION_APPLY);
    assert_int_equal(session_wake(&s), now + SESSION_ROUND_MS_MAX);
    reply(0, 0, 30, "");
    for (int i = 0; i < 25; i++) answer_after(0, 1); /* soon forgotten, however late it was */
    start(SESSION_APPLY);
    assert_int_equal(session_wake(&s), now + SESSION_PATIENCE_MS);
}

/* Replica 0, which leads; replica 1 says so. */
static void ask_one_that_hangs(void)
{
    start(SESSION_APPLY);
    sends_only_to(0);
    pass(SESSION_PATIENCE_MS);
    sends_to_all();
    reject(1, 0, WIRE_REJECT_NOT_PRIMARY);
}

static void who_follows_the_primary_is_not_asked_again_before_all_are(void **state)
{
    (void)state;
    ask_one_that_hangs();
    assert_int_equal(session_wake(&s), s.round_ends_ms);
    reject(2, 0, WIRE_REJECT_UNAVAILABLE); /* it does not follow it */
    assert_true(session_wake(&s) < s.round_ends_ms);
    pass(session_wake(&s) - now);
    assert_true(sends_to(1) && sends_to(2));
    assert_false(sends_to(0));
}

/* It will follow another one soon. */
static void who_follows_a_primary_that_is_down_is_asked_again(void **state)
{
    (void)state;
    start(SESSION_APPLY);
    sends_only_to(0);
    session_on_down(&s, 0);
    assert_true(sends_to(1) && sends_to(2));
    reject(1, 0, WIRE_REJECT_NOT_PRIMARY);
    assert_in_range(session_wake(&s) - now, SESSION_AGAIN_MS, SESSION_AGAIN_MS * 3 / 2);
}

/* It hung, and those who follow it said so.  Now it ends. */
static void who_followed_a_primary_that_ends_is_asked_at_once(void **state)
{
    (void)state;
    ask_one_that_hangs();
    reject(2, 0, WIRE_REJECT_NOT_PRIMARY);
    assert_int_equal(session_wake(&s), s.round_ends_ms);
    session_on_down(&s, 0);
    assert_true(session_wake(&s) <= now);
    pass(0);
    assert_true(sends_to(1) && sends_to(2));
    reject(1, 0, WIRE_REJECT_NOT_PRIMARY);
    uint64_t wake = session_wake(&s);
    assert_true(wake > now);
    session_on_down(&s, 0); /* that it cannot be reached any more says nothing new */
    assert_int_equal(session_wake(&s), wake);
}

static void a_primary_that_is_down_is_not_waited_for(void **state)
{
    (void)state;
    start(SESSION_APPLY);
    assert_true(session_wants(&s, 0));
    assert_false(session_wants(&s, 1));
    session_on_down(&s, 0);
    assert_true(session_wants(&s, 1));
    assert_true(sends_to(1));
    assert_true(sends_to(2));
}

static void not_primary_leads_to_the_primary_of_the_newer_view(void **state)
{
    (void)state;
    start(SESSION_APPLY);
    sends_only_to(0);
    reject(0, 4, WIRE_REJECT_NOT_PRIMARY);
    sends_only_to(1);
    assert_int_equal(sent.header.view, 4);
    reply(1, 4, 30, "5");
    ended(0, false);
    start(SESSION_APPLY);
    sends_only_to(1);
}

/* It ends the connection as well, so the host has to come again: not before there is something to
 * say, and after pauses that grow. */
static void who_is_one_too_many_comes_again_later_and_later(void **state)
{
    uint64_t came_ms = 0, longest_ms = 0;
    unsigned n = 0;
    (void)state;
    start(SESSION_APPLY);
    for (; !session_ended(&s); pass(1)) {
        if (!session_wants(&s, 0)) continue;
        assert_true(sends_to(0));
        if (came_ms > 0 && now - came_ms > longest_ms) longest_ms = now - came_ms;
        came_ms = now;
        n++;
        assert_int_equal(sent.as.request.kind, WIRE_KIND_APPLY); /* no question is heard there */
        reject(0, 0, WIRE_REJECT_TOO_MANY);
        session_on_down(&s, 0);
        assert_true(session_wants(&s, 1)); /* the others may have room */
    }
    ended(VSTAMP_E_NOT_RUN, false);
    assert_in_range(n, 5, 8);
    assert_true(longest_ms >= SESSION_FULL_MS_MAX / 2);
}

static void a_question_is_refused_where_there_are_too_many(void **state)
{
    (void)state;
    s.told = false;
    start(SESSION_APPLY);
    pass(SESSION_PATIENCE_MS); /* it asks whose group that is first: it has a session of one */
    assert_true(sends_to(0));
    struct wire_reject refusal = {.client = me, .number = sent.as.request.number,
                                  .reason = WIRE_REJECT_TOO_MANY};
    assert_int_equal(refusal.number, s.probe);
    assert_int_equal(deliver(0, (struct vstamp_id){0, 0}, 0, &wire_shape_reject, &refusal), 0);
    session_on_down(&s, 0);
    assert_false(session_wants(&s, 0));
}

/* A reject of no request tells of a view, and takes no copy back. */
static void a_word_about_a_later_view_leads_to_its_primary(void **state)
{
    struct wire_reject word = {.client = me, .reason = WIRE_REJECT_NOT_PRIMARY};
    (void)state;
    start(SESSION_APPLY);
    sends_only_to(0);
    assert_int_equal(deliver(0, group, 1, &wire_shape_reject, &word), 0);
    sends_only_to(1);
    reject(1, 1, WIRE_REJECT_INVALID);
    ended(VSTAMP_E_INVALID, false);
    start(SESSION_APPLY);
    sends_only_to(1);
    assert_int_equal(deliver(1, group, 2, &wire_shape_reject, &word), 0);
    sends_only_to(2);
    reject(2, 2, WIRE_REJECT_CONFLICT);
    ended(VSTAMP_E_INVALID, true); /* the copy that 1 has may run */
}

static void a_view_is_never_followed_downward(void **state)
{
    (void)state;
    s.identity.view = 4;
    start(SESSION_APPLY);
    sends_only_to(1);
    reject(1, 3, WIRE_REJECT_NOT_PRIMARY); /* deposed, and does not know it */
    assert_int_equal(s.identity.view, 4);
    assert_true(sends_to(0) && sends_to(2));
    assert_false(sends_to(1));
}

static void two_that_disagree_who_is_primary_are_not_asked_in_circles(void **state)
{
    (void)state;
    start(SESSION_APPLY);
    sends_only_to(0);
    reject(0, 1, WIRE_REJECT_NOT_PRIMARY);
    sends_only_to(1);
    reject(1, 1, WIRE_REJECT_NOT_PRIMARY);
    assert_true(sends_to(2));
    reject(2, 1, WIRE_REJECT_NOT_PRIMARY);
    sends_to_none();
    pass(SESSION_PATIENCE_MS);
    sends_to_all();
}

static void answer_probe(uint8_t from, uint64_t view)
{
    struct wire_reply m = {.client = me, .number = s.probe, .body = bytes_of("")};
    assert_int_equal(deliver(from, group, view, &wire_shape_reply, &m), 0);
}

static void a_large_request_is_carried_once_in_a_view(void **state)
{
    (void)state;
    static uint8_t large[SESSION_HEAVY_BYTES + 1];
    session_start(&s, SESSION_APPLY, (struct bytes){large, sizeof large}, false, now,
                  now + DEADLINE);
    s.confirmed = true;
    sends_only_to(0);
    assert_int_equal(sent.as.request.body.size, sizeof large);
    for (int round = 0; round < 3; round++) { /* it takes long, and all are asked how things are */
        pass(s.round_ends_ms - now);
        for (uint8_t i = 0; i < N; i++) {
            assert_true(sends_to(i));
            assert_int_equal(sent.as.request.number, s.probe);
            answer_probe(i, 0);
            assert_false(sends_to(i));
        }
    }
    pass(s.round_ends_ms - now);
    assert_true(sends_to(2));
    answer_probe(2, 1); /* there is a newer view */
    assert_true(sends_to(1));
    assert_int_equal(sent.as.request.number, 5);
    assert_int_equal(sent.as.request.body.size, sizeof large);
    assert_true(sends_to(0) && sent.as.request.number == s.probe);
    session_on_down(&s, 1); /* the copy may be lost */
    pass(s.round_ends_ms - now);
    assert_true(sends_to(1));
    assert_int_equal(sent.as.request.body.size, sizeof large);
    answer_probe(1, 3 + 1); /* it was deposed and leads again: it may have dropped our copy */
    assert_true(sends_to(1));
    assert_int_equal(sent.as.request.body.size, sizeof large);
    assert_true(session_may_run(&s));
    reply(1, 4, 30, "done");
    ended(0, false);
}

static void busy_makes_it_pause(void **state)
{
    (void)state;
    start(SESSION_APPLY);
    sends_only_to(0);
    reject(0, 0, WIRE_REJECT_BUSY);
    sends_to_none();
    pass(SESSION_AGAIN_MS * 3 / 2);
    sends_only_to(0);
    pass(SESSION_PATIENCE_MS);
    sends_to_all();
}

/* A pause has jitter of up to its half. */
static void who_said_no_is_asked_again_soon_and_then_less_often(void **state)
{
    (void)state;
    uint32_t asked = 0;
    start(SESSION_APPLY);
    sends_only_to(0);
    reject(0, 0, WIRE_REJECT_UNAVAILABLE);
    assert_true(sends_to(1) && sends_to(2));
    assert_in_range(session_wake(&s) - now, SESSION_AGAIN_MS, SESSION_AGAIN_MS * 3 / 2);
    pass(SESSION_AGAIN_MS - 1);
    sends_to_none();
    pass(SESSION_AGAIN_MS / 2 + 1);
    sends_only_to(0); /* 1 and 2 are silent */
    for (uint64_t end = now + 1000; now < end; pass(1)) {
        reject(0, 0, WIRE_REJECT_UNAVAILABLE);
        for (uint64_t paused = now; now < end && !sends_to(0); pass(1))
            assert_true(now - paused <= SESSION_AGAIN_MS_MAX * 3 / 2);
        asked++;
    }
    assert_in_range(asked, 6, 14);
    pass(SESSION_AGAIN_MS_MAX * 3 / 2);
    assert_true(sends_to(0));
    reply(0, 1, 30, "5");
    ended(0, false);
}

static void unavailable_makes_it_ask_the_others(void **state)
{
    (void)state;
    start(SESSION_READ_STALE);
    sends_only_to(0);
    reject(0, 0, WIRE_REJECT_UNAVAILABLE);
    assert_true(sends_to(1) && sends_to(2));
    reply(2, 0, 9, "x");
    ended(0, false);
}

#define TEST(name) cmocka_unit_test_setup(name, registered)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(silence_makes_it_ask_all_with_the_same_request),
        TEST(who_answers_late_is_waited_for_the_next_time),
        TEST(who_follows_the_primary_is_not_asked_again_before_all_are),
        TEST(who_follows_a_primary_that_is_down_is_asked_again),
        TEST(who_followed_a_primary_that_ends_is_asked_at_once),
        TEST(a_primary_that_is_down_is_not_waited_for),
        TEST(not_primary_leads_to_the_primary_of_the_newer_view),
        TEST(who_is_one_too_many_comes_again_later_and_later),
        TEST(a_question_is_refused_where_there_are_too_many),
        TEST(a_word_about_a_later_view_leads_to_its_primary),
        TEST(a_view_is_never_followed_downward),
        TEST(two_that_disagree_who_is_primary_are_not_asked_in_circles),
        TEST(busy_makes_it_pause),
        TEST(a_large_request_is_carried_once_in_a_view),
        TEST(who_said_no_is_asked_again_soon_and_then_less_often),
        TEST(unavailable_makes_it_ask_the_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

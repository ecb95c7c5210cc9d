/* SPDX-License-Identifier: BSD-2-Clause */
/* Many calls over one connection a replica, against a group of three that the test plays: it keeps
 * what was sent to each replica, and answers as it likes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proxy/proxy.h"
#include "vr/client_table.h"

enum { N = 3, CROWD = 70, TIMEOUT = 5000, STREAM = 1 << 20 };

static const struct vstamp_id own = {0xaaaa, 0xbbbb}, another = {0xcccc, 0xdddd};
static struct vstamp_id group; /* that replicas say they are of */
static uint32_t witnesses;     /* as they say */
static struct vstamp_client *c;
static void *memory;
static uint64_t now;

/* Requests that replica r was sent and has not answered. */
static struct wire_request waiting[N][4 * CROWD];
static size_t n_waiting[N];
static uint8_t sent[N][STREAM]; /* what they point into */
static uint64_t next_session;

/* How calls ended. */
struct ending {
    unsigned times;
    struct vstamp_reply reply;
    char body[32];
};
static struct ending endings[CROWD];

static void on_reply(void *context, const struct vstamp_reply *reply)
{
    struct ending *e = context;
    e->times++;
    e->reply = *reply;
    assert_true(reply->size < sizeof e->body);
    if (reply->size > 0) memcpy(e->body, reply->body, reply->size);
    e->body[reply->size] = '\0';
}

static int open_with(uint32_t n_replicas)
{
    struct vstamp_client_config config = {.n_replicas = n_replicas, .in_flight = CROWD,
                                          .first = {7, 100}, .seed = 1, .registration = 1,
                                          .application = "tally"};
    size_t size = (vstamp_client_size(&config) + 63) / 64 * 64;
    memory = aligned_alloc(64, size);
    memset(memory, 0, size);
    memset(endings, 0, sizeof endings);
    memset(n_waiting, 0, sizeof n_waiting);
    c = vstamp_client_new(&config, memory);
    now = 1000;
    next_session = 10;
    group = own;
    witnesses = 0;
    return 0;
}

static int open_crowd(void **state)
{
    (void)state;
    return open_with(N);
}

static int open_two(void **state)
{
    (void)state;
    return open_with(2);
}

static int close_crowd(void **state)
{
    (void)state;
    free(memory);
    return 0;
}

static void call(unsigned i, enum vstamp_task task, const char *operation)
{
    assert_int_equal(vstamp_client_call(c, task, operation, strlen(operation), now, now + TIMEOUT,
                                        on_reply, &endings[i]),
                     0);
}

/* Take what is due for this replica; returns how many requests wait there then. */
static size_t take(unsigned r)
{
    size_t size = vstamp_client_output(c, r, sent[r], STREAM), used = 0;
    n_waiting[r] = 0;
    while (used < size) {
        struct wire_message m;
        size_t frame;
        struct bytes left = {sent[r] + used, size - used};
        assert_int_equal(wire_frame_size(left, STREAM, &frame), 0);
        assert_int_equal(wire_frame_decode((struct bytes){left.data, frame}, &m), 0);
        waiting[r][n_waiting[r]++] = m.as.request;
        used += frame;
    }
    return n_waiting[r];
}

static uint8_t stream[STREAM];
static size_t stream_size;

static void say(unsigned r, uint64_t view, const struct wire_shape *shape, const void *message)
{
    struct wire_header header = {
        .group = group, .view = view, .sender = r, .witnesses = witnesses};
    size_t size = wire_frame_encode(&header, shape, message, stream + stream_size,
                                    sizeof stream - stream_size);
    assert_true(size > 0);
    stream_size += size;
}

static void deliver(unsigned r)
{
    size_t used, wanted;
    assert_int_equal(vstamp_client_input(c, r, stream, stream_size, now, &used, &wanted), 0);
    assert_int_equal(used, stream_size);
    stream_size = 0;
}

/* A registration gives a new session, an operation is answered with itself. */
static void answer(unsigned r, uint64_t view, const struct wire_request *m)
{
    struct wire_reply reply = {
        .client = m->client, .session = m->session, .number = m->number,
        .request = client_table_request(m->session, m->body), .op = ++next_session};
    uint8_t body[256];
    if (m->kind == WIRE_KIND_REGISTER) {
        struct wire_registration registration = {.session = next_session, .since = next_session};
        struct writer w = writer_over(body, sizeof body);
        wire_encode(&wire_shape_registration, &registration, &w);
        reply.body = (struct bytes){body, w.size};
    } else {
        reply.body = m->body;
    }
    say(r, view, &wire_shape_reply, &reply);
}

static void answer_all(unsigned r, uint64_t view)
{
    for (size_t i = 0; i < n_waiting[r]; i++) answer(r, view, &waiting[r][i]);
    deliver(r);
    n_waiting[r] = 0;
}

static void reject_all(unsigned r, uint64_t view, uint8_t reason)
{
    for (size_t i = 0; i < n_waiting[r]; i++) {
        const struct wire_request *m = &waiting[r][i];
        struct wire_reject reject = {.client = m->client,
                                     .session = m->session,
                                     .number = m->number,
                                     .request = client_table_request(m->session, m->body),
                                     .reason = reason};
        say(r, view, &wire_shape_reject, &reject);
    }
    deliver(r);
    n_waiting[r] = 0;
}

/* To the request that waits at replica 0. */
static void refuse(uint8_t reason, struct bytes text)
{
    const struct wire_request *m = &waiting[0][0];
    struct wire_reject reject = {.client = m->client,
                                 .session = m->session,
                                 .number = m->number,
                                 .request = client_table_request(m->session, m->body),
                                 .reason = reason,
                                 .text = text};
    say(0, 0, &wire_shape_reject, &reject);
    deliver(0);
}

static void register_all(void)
{
    for (unsigned i = 0; i < CROWD; i++) call(i, VSTAMP_REGISTER, "");
    assert_int_equal(take(0), CROWD);
    answer_all(0, 0);
    for (unsigned i = 0; i < CROWD; i++) {
        assert_int_equal(endings[i].times, 1);
        assert_int_equal(endings[i].reply.err, 0);
    }
    memset(endings, 0, sizeof endings);
}

static void pass(uint64_t ms)
{
    now += ms;
    vstamp_client_time(c, now);
}

/* --- stories ---------------------------------------------------------------------------------- */

static void calls_share_a_connection_and_each_gets_its_own_answer(void **state)
{
    (void)state;
    char words[CROWD][8];
    register_all();
    for (unsigned i = 0; i < CROWD; i++) {
        snprintf(words[i], sizeof words[i], "op %u", i);
        call(i, VSTAMP_APPLY, words[i]);
    }
    assert_int_equal(vstamp_client_room(c), 0);
    assert_int_equal(vstamp_client_call(c, VSTAMP_APPLY, "x", 1, now, now + TIMEOUT, on_reply,
                                        &endings[0]),
                     VSTAMP_E_IN_FLIGHT);
    assert_true(vstamp_client_wants(c, 0));
    assert_false(vstamp_client_wants(c, 1));
    assert_int_equal(take(0), CROWD); /* in one piece */
    for (size_t i = CROWD; i-- > 0;) answer(0, 0, &waiting[0][i]); /* in another order */
    deliver(0);
    for (unsigned i = 0; i < CROWD; i++) {
        assert_int_equal(endings[i].times, 1);
        assert_string_equal(endings[i].body, words[i]);
    }
    assert_int_equal(vstamp_client_room(c), CROWD);
    assert_false(vstamp_client_wants(c, 0));
}

static void a_write_registers_by_itself_and_only_once(void **state)
{
    (void)state;
    call(0, VSTAMP_APPLY, "a");
    assert_int_equal(take(0), 1);
    assert_int_equal(waiting[0][0].kind, WIRE_KIND_REGISTER);
    assert_int_equal(waiting[0][0].application, wire_application("tally"));
    answer_all(0, 0);
    assert_int_equal(endings[0].times, 0);
    assert_int_equal(take(0), 1);
    assert_int_equal(waiting[0][0].kind, WIRE_KIND_APPLY);
    assert_int_equal(waiting[0][0].number, 1);
    answer_all(0, 0);
    assert_string_equal(endings[0].body, "a");
    call(0, VSTAMP_APPLY, "b");
    assert_int_equal(take(0), 1);
    assert_int_equal(waiting[0][0].kind, WIRE_KIND_APPLY);
    assert_int_equal(waiting[0][0].number, 2); /* the same session */
}

static void bytes_may_come_in_any_pieces(void **state)
{
    (void)state;
    register_all();
    call(0, VSTAMP_APPLY, "whole");
    take(0);
    answer(0, 0, &waiting[0][0]);
    size_t used, wanted;
    assert_int_equal(vstamp_client_input(c, 0, stream, 10, now, &used, &wanted), 0);
    assert_int_equal(used, 0);
    assert_int_equal(wanted, 0);
    assert_int_equal(vstamp_client_input(c, 0, stream, stream_size - 1, now, &used, &wanted), 0);
    assert_int_equal(used, 0);
    assert_int_equal(wanted, stream_size);
    assert_int_equal(endings[0].times, 0);
    deliver(0);
    assert_string_equal(endings[0].body, "whole");
}

static void output_takes_what_fits_and_keeps_the_rest(void **state)
{
    (void)state;
    register_all();
    for (unsigned i = 0; i < 5; i++) call(i, VSTAMP_APPLY, "five");
    size_t one = vstamp_client_output_size(c, 0);
    assert_int_equal(vstamp_client_output(c, 0, sent[0], one - 1), 0);
    assert_int_equal(vstamp_client_output(c, 0, sent[0], 2 * one + 1), 2 * one);
    assert_int_equal(take(0), 3);
    assert_int_equal(vstamp_client_output_size(c, 0), 0);
}

static void when_the_primary_is_lost_all_ask_the_others(void **state)
{
    (void)state;
    register_all();
    for (unsigned i = 0; i < CROWD; i++) call(i, VSTAMP_APPLY, "x");
    assert_int_equal(take(0), CROWD);
    vstamp_client_down(c, 0, now);
    for (unsigned r = 0; r < N; r++) assert_true(vstamp_client_wants(c, r));
    assert_int_equal(take(1), CROWD);
    assert_int_equal(take(2), CROWD);
    answer_all(1, 1);
    assert_false(vstamp_client_wants(c, 2));
}

/* Rule: who is back tells by one answer that it can be asked by all. */
static void one_that_is_answered_again_tells_the_others(void **state)
{
    (void)state;
    register_all();
    for (unsigned i = 1; i < CROWD; i++) call(i, VSTAMP_APPLY, "x");
    assert_int_equal(take(0), CROWD - 1);
    vstamp_client_down(c, 0, now);
    take(1);
    take(2);
    call(0, VSTAMP_APPLY, "y");
    assert_int_equal(take(0), 1);
    answer_all(0, 0);
    assert_int_equal(take(0), CROWD - 1);
}

static void a_witness_is_not_asked(void **state)
{
    (void)state;
    witnesses = 1u << 2;
    call(0, VSTAMP_REGISTER, "");
    take(0);
    answer_all(0, 0);
    for (unsigned i = 0; i < 3; i++) call(i, VSTAMP_READ, "x"); /* who was idle knows it, too */
    assert_int_equal(take(0), 3);
    vstamp_client_down(c, 0, now);
    assert_false(vstamp_client_wants(c, 2));
    assert_int_equal(take(2), 0);
    assert_int_equal(take(1), 3);
}

/* Rule: where there is room for one frame at a time, they go out in turn. */
static void nobody_waits_until_others_have_nothing_more_to_send(void **state)
{
    (void)state;
    register_all();
    for (unsigned i = 0; i < 3; i++) call(i, VSTAMP_APPLY, "first");
    size_t one = vstamp_client_output_size(c, 0);
    for (unsigned i = 0; i < 3; i++) {
        struct wire_message m;
        assert_int_equal(vstamp_client_output(c, 0, sent[0], one), one);
        assert_int_equal(wire_frame_decode((struct bytes){sent[0], one}, &m), 0);
        assert_true(bytes_equal(m.as.request.body, bytes_of("first")));
        answer(0, 0, &m.as.request);
        deliver(0);
        call(i, VSTAMP_APPLY, "other");
    }
}

static void one_that_finds_the_new_primary_tells_the_others(void **state)
{
    (void)state;
    register_all();
    for (unsigned i = 0; i < CROWD; i++) call(i, VSTAMP_APPLY, "x");
    take(0);
    vstamp_client_down(c, 0, now);
    take(1);
    take(2);
    reject_all(1, 0, WIRE_REJECT_UNAVAILABLE);
    reject_all(2, 0, WIRE_REJECT_UNAVAILABLE);
    assert_int_equal(take(1), 0); /* now they wait for their next rounds */
    now += 150;
    uint64_t wake = vstamp_client_wake(c);
    if (wake > now) now = wake;
    vstamp_client_time(c, now);
    size_t early = take(1); /* whose round has ended */
    assert_true(early >= 1);
    struct wire_request first = waiting[1][0];
    reject_all(1, 0, WIRE_REJECT_UNAVAILABLE);
    answer(1, 1, &first); /* it became primary just then */
    deliver(1);
    assert_int_equal(vstamp_client_view(c), 1);
    assert_int_equal(take(1), CROWD - 1);
    answer_all(1, 1);
    for (unsigned i = 0; i < CROWD; i++) {
        assert_int_equal(endings[i].times, 1);
        assert_int_equal(endings[i].reply.view, 1);
    }
    call(0, VSTAMP_APPLY, "y"); /* it is asked first from now on */
    assert_int_equal(take(0) + take(2), 0);
    assert_int_equal(take(1), 1);
}

static void the_busy_are_left_in_peace(void **state)
{
    (void)state;
    register_all();
    for (unsigned i = 0; i < 10; i++) call(i, VSTAMP_APPLY, "x");
    take(0);
    reject_all(0, 0, WIRE_REJECT_BUSY);
    call(10, VSTAMP_APPLY, "y");
    assert_int_equal(take(0), 1);
    answer_all(0, 0);
    assert_int_equal(endings[10].times, 1);
    assert_int_equal(take(0), 0);
    pass(100);
    assert_int_equal(take(0), 10);
}

static void a_call_without_an_answer_ends_in_time_and_is_fenced(void **state)
{
    (void)state;
    register_all();
    call(0, VSTAMP_APPLY, "x");
    assert_int_equal(take(0), 1);
    uint64_t number = waiting[0][0].number, session = waiting[0][0].session;
    struct vstamp_id client = waiting[0][0].client;
    while (endings[0].times == 0) {
        uint64_t wake = vstamp_client_wake(c);
        assert_true(wake > now && wake <= 1000 + TIMEOUT);
        now = wake;
        vstamp_client_time(c, now);
        for (unsigned r = 0; r < N; r++) take(r);
    }
    assert_int_equal(now, 1000 + TIMEOUT);
    assert_int_equal(endings[0].times, 1);
    assert_int_equal(endings[0].reply.err, VSTAMP_E_UNKNOWN_OUTCOME);
    assert_true(endings[0].reply.may_have_run);
    /* A late answer finds nobody. */
    struct wire_reply late = {.client = client, .session = session, .number = number, .op = 99};
    say(0, 0, &wire_shape_reply, &late);
    deliver(0);
    assert_int_equal(endings[0].times, 1);
    /* Before the session is used again, it registers anew. */
    call(0, VSTAMP_APPLY, "y");
    assert_int_equal(take(0), 1);
    assert_true(vstamp_id_equal(waiting[0][0].client, client));
    assert_int_equal(waiting[0][0].kind, WIRE_KIND_REGISTER);
    assert_int_equal(waiting[0][0].number, SESSION_REGISTRATIONS + 2);
}

static void a_refusal_that_was_not_the_last_word_is_not_told_later(void **state)
{
    (void)state;
    register_all();
    call(0, VSTAMP_APPLY, "x");
    take(0);
    refuse(WIRE_REJECT_BUSY, bytes_of("later"));
    memset(stream, 'x', sizeof stream); /* that is where its words were */
    pass(TIMEOUT);
    assert_int_equal(endings[0].times, 1);
    assert_int_equal(endings[0].reply.err, VSTAMP_E_NOT_RUN);
    assert_string_equal(endings[0].body, "");
    assert_non_null(endings[0].reply.body);
}

static void what_was_never_sent_did_not_run(void **state)
{
    (void)state;
    register_all();
    call(0, VSTAMP_APPLY, "x");
    pass(TIMEOUT);
    assert_int_equal(endings[0].reply.err, VSTAMP_E_NOT_RUN);
    assert_false(endings[0].reply.may_have_run);
    assert_int_equal(vstamp_client_wake(c), UINT64_MAX);
}

static void causal_reads_know_what_any_call_has_seen(void **state)
{
    (void)state;
    register_all();
    call(0, VSTAMP_APPLY, "x");
    call(1, VSTAMP_APPLY, "y");
    take(0);
    answer_all(0, 0);
    call(3, VSTAMP_APPLY, "w"); /* by who has seen the newest answer itself */
    assert_int_equal(take(0), 1);
    call(2, VSTAMP_READ_CAUSAL, "z");
    assert_int_equal(take(0) + take(1) + take(2), 1);
    for (unsigned r = 0; r < N; r++)
        if (n_waiting[r] > 0) assert_int_equal(waiting[r][0].token, next_session);
}

/* Rule: so do those that begin beside a session of their host; but not where the primary is, if
 * that is one of another epoch. */
static void calls_beside_a_session_know_what_it_has_seen(void **state)
{
    (void)state;
    struct session session;
    struct session_identity identity = {
        .client = {1, 2}, .group = own, .registration = 1, .seen = 50, .view = 1};
    session_init(&session, &identity, N, 1);
    proxy_learn(c, &session);
    assert_int_equal(vstamp_client_view(c), 1);
    call(0, VSTAMP_READ_CAUSAL, "z");
    assert_int_equal(take(0) + take(1) + take(2), 1);
    for (unsigned r = 0; r < N; r++)
        if (n_waiting[r] > 0) assert_int_equal(waiting[r][0].token, 50);
    close_crowd(state);
    open_crowd(state);
    identity.epoch = 2;
    session_init(&session, &identity, N, 1);
    proxy_learn(c, &session);
    assert_int_equal(vstamp_client_view(c), 0);
}

/* Rule: what a replica says in words is kept, as far as there is room, and takes no terminal over;
 * that it said no is forgotten when nobody waits any more. */
static void what_a_replica_says_is_told_to_people(void **state)
{
    (void)state;
    char words[300];
    register_all();
    call(0, VSTAMP_READ, "x");
    assert_int_equal(take(0), 1);
    refuse(WIRE_REJECT_UNAVAILABLE, bytes_of("no \x1b[31m"));
    assert_int_equal(proxy_said(c, 0), WIRE_REJECT_UNAVAILABLE);
    assert_string_equal(proxy_words(c, 0), "no ?[31m");
    memset(words, 'w', sizeof words);
    refuse(WIRE_REJECT_UNAVAILABLE, (struct bytes){(const uint8_t *)words, sizeof words});
    assert_in_range(strlen(proxy_words(c, 0)), 80, 200);
    pass(TIMEOUT);
    assert_int_equal(endings[0].reply.err, VSTAMP_E_NOT_RUN);
    assert_int_equal(proxy_said(c, 0), WIRE_REJECT_UNAVAILABLE);
    call(0, VSTAMP_READ, "y");
    assert_int_equal(proxy_said(c, 0), 0);
}

static void an_operation_beyond_any_frame_is_refused_at_once(void **state)
{
    (void)state;
    size_t size = FRAME_BYTES_MAX;
    assert_int_equal(
        vstamp_client_call(c, VSTAMP_APPLY, "", size, now, now + TIMEOUT, on_reply, &endings[0]),
        VSTAMP_E_TOO_LARGE);
    assert_int_equal(vstamp_client_room(c), CROWD);
}

static void calls_of_a_callback(void *context, const struct vstamp_reply *reply)
{
    unsigned *left = context;
    assert_int_equal(reply->err, 0);
    if (--*left == 0) return;
    assert_int_equal(vstamp_client_call(c, VSTAMP_APPLY, "x", 1, now, now + TIMEOUT,
                                        calls_of_a_callback, context),
                     0);
}

static void a_callback_may_begin_the_next_call(void **state)
{
    (void)state;
    unsigned left = 20;
    register_all();
    assert_int_equal(vstamp_client_call(c, VSTAMP_APPLY, "x", 1, now, now + TIMEOUT,
                                        calls_of_a_callback, &left),
                     0);
    for (unsigned i = 20; i > 0; i--) {
        assert_int_equal(left, i);
        assert_int_equal(take(0), 1);
        assert_int_equal(waiting[0][0].number, 21 - i);
        answer_all(0, 0);
    }
    assert_int_equal(left, 0);
}

static void senseless_bytes_end_the_connection(void **state)
{
    (void)state;
    register_all();
    size_t used, wanted;
    memset(stream, 'x', 64);
    assert_true(vstamp_client_input(c, 0, stream, 64, now, &used, &wanted) < 0);
    struct wire_hello hello = {.epoch = 1};
    say(0, 0, &wire_shape_hello, &hello);
    assert_int_equal(vstamp_client_input(c, 0, stream, stream_size, now, &used, &wanted),
                     VSTAMP_E_MALFORMED);
    stream_size = 0;
}

/* Replica r says that the group has moved to two others. */
static void say_members(unsigned r, uint32_t epoch, unsigned n)
{
    static const char *const addresses[] = {"h:7", "h:8"};
    uint8_t buffer[1024];
    struct wire_list_builder b;
    wire_list_begin(&b, &wire_shape_member, buffer, sizeof buffer);
    for (unsigned i = 0; i < n; i++)
        assert_true(
            wire_list_add(&b, &(struct wire_member){.address = bytes_of(addresses[i % 2])}));
    struct wire_new_epoch m = {
        .membership = {.epoch = epoch, .op = 5, .first_view = 1, .members = wire_list_end(&b)}};
    say(r, 0, &wire_shape_new_epoch, &m);
}

static void say_moved(unsigned r, uint32_t epoch)
{
    say_members(r, epoch, 2);
}

static void all_sessions_move_together_and_run_what_they_had_sent(void **state)
{
    (void)state;
    register_all();
    for (unsigned i = 0; i < CROWD; i++) call(i, VSTAMP_APPLY, "a");
    assert_int_equal(take(0), CROWD);
    vstamp_client_others(c, 1);
    answer(0, 0, &waiting[0][0]); /* one was quick */
    say_moved(0, 3);
    answer(0, 0, &waiting[0][1]); /* who moves does not listen any more */
    deliver(0);
    assert_int_equal(vstamp_client_epoch(c), 3);
    assert_int_equal(vstamp_client_view(c), 1);
    assert_int_equal(vstamp_client_n_replicas(c), 2);
    assert_string_equal(vstamp_client_address(c, 1), "h:8");
    assert_int_equal(vstamp_client_output_size(c, 0), 0);
    assert_int_equal(take(1), CROWD - 1);
    answer_all(1, 1);
    for (unsigned i = 0; i < CROWD; i++) {
        assert_int_equal(endings[i].times, 1);
        assert_int_equal(endings[i].reply.err, 0);
    }
    call(0, VSTAMP_APPLY, "b"); /* and who was idle moved, too */
    assert_int_equal(take(1), 1);
    say_moved(1, 2); /* old news */
    deliver(1);
    assert_int_equal(vstamp_client_epoch(c), 3);
}

/* Rule: what was due at a member that there is no more is not due at whoever has its number. */
static void nothing_is_due_where_the_members_are_others(void **state)
{
    (void)state;
    register_all();
    for (unsigned i = 0; i < CROWD; i++) call(i, VSTAMP_APPLY, "a");
    assert_int_equal(take(0), CROWD);
    refuse(WIRE_REJECT_UNAVAILABLE, bytes_of(""));
    vstamp_client_down(c, 0, now);
    assert_true(vstamp_client_output_size(c, 2) > 0);
    say_moved(1, 3);
    deliver(1);
    assert_int_equal(proxy_said(c, 0), 0);
    vstamp_client_others(c, 1);
    assert_int_equal(vstamp_client_output_size(c, 2), 0);
}

static void a_group_moves_by_its_own_word_alone(void **state)
{
    (void)state;
    size_t used, wanted;
    group = (struct vstamp_id){0};
    say_moved(0, 3);
    deliver(0);
    group = own;
    register_all();
    group = another;
    say_moved(0, 3);
    deliver(0);
    assert_int_equal(vstamp_client_moves(c), 0);
    group = own;
    for (unsigned n = 0; n <= REPLICAS_MAX + 1; n += REPLICAS_MAX + 1) {
        say_members(0, 3, n);
        assert_int_equal(vstamp_client_input(c, 0, stream, stream_size, now, &used, &wanted),
                         VSTAMP_E_MALFORMED);
        stream_size = 0;
    }
    assert_int_equal(vstamp_client_moves(c), 0);
}

/* All that wait at replica 0 are refused, though by the client's numbers it leads: then it is asked
 * who the members are. */
static void refuse_and_be_asked(void)
{
    reject_all(0, 0, WIRE_REJECT_NOT_PRIMARY);
    take(0);
    assert_int_equal(n_waiting[0], CROWD);
    for (unsigned i = 0; i < CROWD; i++)
        assert_int_equal(waiting[0][i].kind, WIRE_KIND_MEMBERS);
}

static void all_go_where_the_members_are_that_one_of_them_has_told(void **state)
{
    (void)state;
    register_all();
    for (unsigned i = 0; i < CROWD; i++) call(i, VSTAMP_APPLY, "a");
    assert_int_equal(take(0), CROWD);
    refuse_and_be_asked();
    assert_int_equal(vstamp_client_moves(c), 0);
    say_moved(0, 0);
    deliver(0);
    assert_int_equal(vstamp_client_moves(c), 1);
    assert_int_equal(vstamp_client_epoch(c), 0);
    assert_int_equal(vstamp_client_view(c), 0);
    assert_int_equal(vstamp_client_n_replicas(c), 2);
    assert_string_equal(vstamp_client_address(c, 1), "h:8");
    assert_int_equal(take(0), CROWD);
    answer_all(0, 0);
    for (unsigned i = 0; i < CROWD; i++) assert_int_equal(endings[i].reply.err, 0);
    say_moved(0, 0); /* to another of those that asked */
    deliver(0);
    assert_int_equal(vstamp_client_moves(c), 1);
}

/* Rule: some of the members, or others in their places, are not the members. */
static void who_was_named_some_of_the_members_goes_where_all_are(void **state)
{
    static const char *const named[2][N] = {{"h:7", "h:8", "h:9"}, {"h:9", "h:8"}};
    for (uint32_t i = 0; i < 2; i++) {
        uint32_t n = N - i;
        close_crowd(state);
        open_with(n);
        for (uint32_t r = 0; r < n; r++) proxy_name(c, r, named[i][r]);
        register_all();
        say_moved(0, 0);
        deliver(0);
        assert_int_equal(vstamp_client_moves(c), 1);
        assert_string_equal(vstamp_client_address(c, 0), "h:7");
    }
}

static void who_was_named_all_members_stays_where_it_is(void **state)
{
    (void)state;
    register_all();
    proxy_name(c, 0, "h:7");
    proxy_name(c, 1, "h:8");
    for (unsigned i = 0; i < CROWD; i++) call(i, VSTAMP_APPLY, "a");
    assert_int_equal(take(0), CROWD);
    refuse_and_be_asked();
    say_moved(0, 0);
    deliver(0);
    assert_int_equal(vstamp_client_moves(c), 0);
    assert_int_equal(vstamp_client_n_replicas(c), 2);
    assert_int_equal(take(1), CROWD);
    reject_all(1, 1, WIRE_REJECT_NOT_PRIMARY);
    for (unsigned i = 0; i < take(1); i++) /* nobody asks again */
        assert_int_not_equal(waiting[1][i].kind, WIRE_KIND_MEMBERS);
    answer_all(1, 1);
}

int main(void)
{
#define STORY(name) cmocka_unit_test_setup_teardown(name, open_crowd, close_crowd)
    const struct CMUnitTest tests[] = {
        STORY(calls_share_a_connection_and_each_gets_its_own_answer),
        STORY(a_write_registers_by_itself_and_only_once),
        STORY(bytes_may_come_in_any_pieces),
        STORY(output_takes_what_fits_and_keeps_the_rest),
        STORY(when_the_primary_is_lost_all_ask_the_others),
        STORY(one_that_is_answered_again_tells_the_others),
        STORY(a_witness_is_not_asked),
        STORY(nobody_waits_until_others_have_nothing_more_to_send),
        STORY(one_that_finds_the_new_primary_tells_the_others),
        STORY(the_busy_are_left_in_peace),
        STORY(a_call_without_an_answer_ends_in_time_and_is_fenced),
        STORY(a_refusal_that_was_not_the_last_word_is_not_told_later),
        STORY(what_was_never_sent_did_not_run),
        STORY(causal_reads_know_what_any_call_has_seen),
        STORY(calls_beside_a_session_know_what_it_has_seen),
        STORY(what_a_replica_says_is_told_to_people),
        STORY(an_operation_beyond_any_frame_is_refused_at_once),
        STORY(a_callback_may_begin_the_next_call),
        STORY(senseless_bytes_end_the_connection),
        STORY(all_sessions_move_together_and_run_what_they_had_sent),
        STORY(nothing_is_due_where_the_members_are_others),
        STORY(a_group_moves_by_its_own_word_alone),
        STORY(who_was_named_some_of_the_members_goes_where_all_are),
        STORY(all_go_where_the_members_are_that_one_of_them_has_told),
        cmocka_unit_test_setup_teardown(who_was_named_all_members_stays_where_it_is, open_two,
                                        close_crowd),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* A session against a group of three that the test plays itself.  To be included once, after
 * cmocka. */
#ifndef UNIT_SESSION_PLAY_H
#define UNIT_SESSION_PLAY_H

#include "vr/session.h"

enum { N = 3, DEADLINE = 5000 };

static const struct vstamp_id group = {0xaaaa, 0xbbbb}, stranger = {0xcccc, 0xdddd};
static const struct vstamp_id me = {0x1, 0x2};

static struct session s;
static uint64_t now;
static uint32_t witnesses; /* what frames say of the group */
static uint32_t epoch;     /* and of the time */
static uint32_t ahead;     /* added to the number by which a replica calls itself */
static uint8_t out[65536], in[4096];
static size_t in_size;
static struct wire_message sent; /* what the session sent last */

static const struct bytes operation = {(const uint8_t *)"incr", 4};

static inline void begin_with(struct session_identity identity)
{
    now = 1000;
    witnesses = epoch = ahead = 0;
    session_init(&s, &identity, N, 7);
    s.told = true;
}

static inline int fresh(void **state)
{
    (void)state;
    begin_with((struct session_identity){.client = me, .registration = 1});
    return 0;
}

/* Registered as session 10 of the group, with four requests behind it. */
static inline int registered(void **state)
{
    (void)state;
    begin_with((struct session_identity){
        .client = me, .group = group, .registration = 1, .session = 10, .number = 4, .seen = 20});
    return 0;
}

static inline void start(enum session_task task)
{
    session_start(&s, task, task == SESSION_REGISTER ? (struct bytes){0} : operation, false, now,
                  now + DEADLINE);
}

/* Is a frame due for this replica?  Then it is in `sent`. */
static inline bool sends_to(uint8_t replica)
{
    size_t size = session_send(&s, replica, out, sizeof out);
    if (size == 0) return false;
    assert_int_equal(wire_frame_decode((struct bytes){out, size}, &sent), 0);
    assert_int_equal(sent.header.command, WIRE_request);
    assert_int_equal(sent.header.sender, WIRE_SENDER_CLIENT);
    return true;
}

/* Which replica is asked first, when it may be any; -1: none is. */
static inline int sends_to_any(void)
{
    for (uint8_t i = 0; i < N; i++)
        if (sends_to(i)) return i;
    return -1;
}

static inline void sends_only_to(uint8_t replica)
{
    for (uint8_t i = 0; i < N; i++) assert_int_equal(sends_to(i), i == replica);
}

static inline void sends_to_all(void)
{
    for (uint8_t i = 0; i < N; i++) assert_true(sends_to(i));
}

static inline void sends_to_none(void)
{
    for (uint8_t i = 0; i < N; i++) assert_false(sends_to(i));
}

static inline void pass(uint64_t ms)
{
    now += ms;
    session_on_time(&s, now);
}

static inline int deliver(uint8_t from, struct vstamp_id whose, uint64_t view,
                   const struct wire_shape *shape, const void *message)
{
    struct wire_header header = {.epoch = epoch, .group = whose, .view = view,
                                 .sender = from + ahead, .witnesses = witnesses};
    in_size = wire_frame_encode(&header, shape, message, in, sizeof in);
    assert_true(in_size > 0);
    return session_on_frame(&s, from, (struct bytes){in, in_size}, now);
}

static inline void reply(uint8_t from, uint64_t view, uint64_t op, const char *body)
{
    struct wire_reply m = {
        .client = me, .session = s.request.session, .number = s.request.number,
        .request = s.request_checksum, .op = op, .body = bytes_of(body)};
    assert_int_equal(deliver(from, group, view, &wire_shape_reply, &m), 0);
}

static inline void reject(uint8_t from, uint64_t view, uint8_t reason)
{
    struct wire_reject m = {.client = me,
                            .session = s.request.session,
                            .number = s.request.number,
                            .request = s.request_checksum,
                            .reason = reason};
    assert_int_equal(deliver(from, group, view, &wire_shape_reject, &m), 0);
}

static inline void reply_registration(uint8_t from, struct wire_registration registration)
{
    uint8_t body[256];
    struct writer w = writer_over(body, sizeof body);
    wire_encode(&wire_shape_registration, &registration, &w);
    struct wire_reply m = {.client = me,
                           .number = s.request.number,
                           .op = registration.session,
                           .body = {body, w.size}};
    assert_int_equal(deliver(from, group, 0, &wire_shape_reply, &m), 0);
}

static inline void ended(int err, bool may_have_run)
{
    assert_true(session_ended(&s));
    assert_int_equal(s.result.err, err);
    assert_int_equal(s.result.may_have_run, may_have_run);
    sends_to_none();
}

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* One connection in an event loop, and its other end, for the tests of both kinds: with TLS and
 * without. */
#ifndef UNIT_CONNECTED_H
#define UNIT_CONNECTED_H

#include <cmocka.h>

#include "hosted.h"
#include "kv/kv.h"
#include "wire/frame.h"

#define PATIENCE_MS 10000u    /* for the rest of a frame */
#define LARGE       (1u << 20) /* more than a socket takes */
#define LOOK        16u        /* frames, or ends, between two looks at the clock */

struct fixture {
    struct hosted hosted;
    struct connection_owner owner, other;
    struct connection *c;
    int fd; /* the other end */
    unsigned n_frames, n_over;
    size_t n_bytes;
    struct tls *tls, *far_tls;   /* ours, */
    struct tls_stream *far;      /* and the other end's, with TLS */
    size_t n_received;           /* what that one was told */
    bool far_is_over;
    int refusal;  /* what a frame is answered with */
    bool is_slow; /* each frame, and each end, takes long */
    char reason[200];
    int error;
    bool failed_tls;
    uint8_t sent[2 * LARGE], received[2 * LARGE];
};

static inline void work(struct fixture *f)
{
    turn_begin(&f->hosted.turn);
    if (f->is_slow) f->hosted.turn.begun_us = 0;
}

static inline int on_frame(struct connection *c, struct bytes frame)
{
    struct fixture *f = c->owner->ctx;

    work(f);
    c->identified = true;
    f->n_frames++;
    f->n_bytes += frame.size;
    return f->refusal;
}

static inline void on_over(struct connection *c, const char *reason)
{
    struct fixture *f = c->owner->ctx;

    work(f);
    f->n_over++;
    snprintf(f->reason, sizeof f->reason, "%s", reason);
    f->error = c->error;
    f->failed_tls = c->failed_tls;
}

static inline void nothing(void *ctx)
{
    (void)ctx;
}

static inline bool resume(void *ctx)
{
    struct fixture *f = ctx;

    return connection_resume_held(&f->owner);
}

static inline struct connection *begin(struct fixture *f, int *fd)
{
    struct connection *c = hosted_connect(&f->hosted, &f->owner, fd);

    c->frame_max = LARGE;
    c->out_max = 2 * LARGE;
    connection_start(c);
    return c;
}

static inline int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    if (f == NULL) return -1;
    *state = f;
    const struct node_io io = {.send = ignore_frame, .log = ignore_log};
    hosted_configure(&f->hosted, 3);
    hosted_open(&f->hosted, kv_app(), &io, nothing, nothing, resume, f);
    f->owner = (struct connection_owner){.ctx = f,
                                         .turn = &f->hosted.turn,
                                         .share_max = TURN_BYTES_MAX,
                                         .read_buffer = f->hosted.read_buffer,
                                         .frame = on_frame,
                                         .over = on_over};
    f->other = f->owner;
    f->c = begin(f, &f->fd);
    for (size_t i = 0; i < sizeof f->sent; i++) f->sent[i] = (uint8_t)(i % 251);
    return 0;
}

static inline int tear_down(void **state)
{
    struct fixture *f = *state;

    hosted_close(&f->hosted);
    tls_stream_free(f->far);
    tls_close(f->far_tls);
    tls_close(f->tls);
    if (f->fd >= 0) close(f->fd);
    free(f);
    return 0;
}

/* A frame with so many bytes of body. */
static inline struct bytes make_frame(struct fixture *f, size_t body)
{
    static uint8_t frame[LARGE];
    const struct wire_header header = {.sender = WIRE_SENDER_CLIENT};
    const struct wire_request request = {.body = {f->sent, body}};
    size_t size = wire_frame_encode(&header, &wire_shape_request, &request, frame, sizeof frame);

    assert_true(size > 0);
    return (struct bytes){frame, size};
}

static inline void say(struct fixture *f, int fd, struct bytes bytes)
{
    assert_int_equal(write(fd, bytes.data, bytes.size), bytes.size);
    hosted_run(&f->hosted);
}

/* As if the rest of its frame had been awaited for so much longer. */
static inline void let_wait(struct connection *c, uint64_t ms)
{
    if (c->partial_ms != 0) c->partial_ms -= ms;
}

static inline void utter(struct fixture *f, size_t from, size_t size)
{
    assert_true(connection_send(f->c, (struct bytes){f->sent + from, size}));
    connection_flush(f->c);
}

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
#include "replica/connection.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <vstamp/error.h>

#include "base/assert.h"
#include "wire/frame.h"

#define PARTIAL_SIZE         4096u       /* while only the beginning of a header is there */
#define OUT_KEEP             (64u << 10) /* an empty buffer larger than this is given back */
#define PARTIAL_MS_MAX       10000u /* for the first frame; later, without a byte of its rest */
#define KEEPALIVE_IDLE_S     5      /* a dead host is noticed after 5 + 3 x 4 s, */
#define KEEPALIVE_INTERVAL_S 4      /* or after USER_TIMEOUT_MS when there was something to send */
#define KEEPALIVE_COUNT      3
#define USER_TIMEOUT_MS      10000

/* Of those that are held. */
static void enter_queue(struct connection *c)
{
    if (!chain_has(&c->queued)) chain_add(&c->owner->held_ones, &c->queued);
}

/* --- from its beginning to its end ------------------------------------------------------------ */

struct connection *connection_new(uv_loop_t *loop, struct connection_owner *owner, struct tls *tls,
                                  const char *host)
{
    struct connection *c = calloc(1, sizeof *c);

    if (c == NULL) return NULL;
    if (tls != NULL) c->tls = host == NULL ? tls_accept(tls) : tls_dial(tls, host);
    if ((tls != NULL && c->tls == NULL) || uv_tcp_init(loop, &c->tcp) != 0) {
        tls_stream_free(c->tls);
        free(c);
        return NULL;
    }
    c->owner = owner;
    c->partial_ms = uv_now(loop);
    return c;
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct connection *c = (struct connection *)handle;

    tls_stream_free(c->tls);
    buffer_release(&c->in);
    buffer_release(&c->out);
    buffer_release(&c->writing);
    free(c);
}

void connection_close(struct connection *c, const char *reason)
{
    if (c->closing) return;
    c->closing = true;
    chain_remove(&c->queued);
    c->owner->over(c, reason);
    uv_close((uv_handle_t *)&c->tcp, on_handle_closed);
}

void connection_discard(struct connection *c)
{
    c->closing = true;
    chain_remove(&c->queued);
    uv_close((uv_handle_t *)&c->tcp, on_handle_closed);
}

void connection_hand_over(struct connection *c, struct connection_owner *owner)
{
    bool queued = chain_has(&c->queued);

    chain_remove(&c->queued);
    c->owner = owner;
    if (queued) enter_queue(c);
}

/* --- in --------------------------------------------------------------------------------------- */

/* What came last is no frame, for this reason; unless that is TLS. */
static void close_on(struct connection *c, struct bytes stream, const char *reason)
{
    c->failed_tls = c->tls == NULL && tls_is_spoken(stream);
    connection_close(c, c->failed_tls ? "it speaks TLS, and tls is not set here" : reason);
}

static const char *frame_complaint(int err)
{
    switch (err) {
    case VSTAMP_E_VERSION:
        return "another version of the protocol";
    case VSTAMP_E_CORRUPT:
        return "damaged frame";
    case VSTAMP_E_MALFORMED:
        return "not a frame, or too large a frame";
    case VSTAMP_E_OTHER_GROUP: /* peers.c, with the reason */
        return "one of the two refuses the other";
    default:
        return vstamp_err_text(err);
    }
}

bool connection_is_overdue(const struct connection *c)
{
    return !c->held && c->partial_ms != 0 && uv_now(c->tcp.loop) - c->partial_ms >= PARTIAL_MS_MAX;
}

void connection_hold(struct connection *c)
{
    if (c->held) return;
    c->held = true;
    c->resumed = false;
    enter_queue(c);
    if (c->reading) uv_read_stop((uv_stream_t *)&c->tcp);
    c->reading = false;
}

static bool has_much_unread(const struct connection *c)
{
    size_t max = c->owner->unread_max;

    return max != 0 && c->out.size + c->writing.size > max;
}

/* Feed the whole frames at the front of `stream`; returns how many bytes they took. */
static size_t feed(struct connection *c, struct bytes stream)
{
    size_t used = 0;

    while (!c->closing && used < stream.size) {
        struct bytes rest = {stream.data + used, stream.size - used};
        size_t size = c->frame_size;
        int rv;

        if (c->owner->held || turn_is_full(c->owner->turn)) connection_hold(c);
        if (c->held) break;
        rv = size != 0 ? 0 : wire_frame_size(rest, c->frame_max, &size);
        if (rv == VSTAMP_E_TRUNCATED) break;
        if (rv == 0) {
            c->frame_size = size;
            if (rest.size < size) break;
            c->frame_size = 0;
            c->partial_ms = 0;
            used += size;
            rv = c->owner->frame(c, (struct bytes){rest.data, size});
            turn_takes(c->owner->turn);
            if (!c->closing && has_much_unread(c)) connection_hold(c);
        }
        if (rv == 0 || c->closing) continue;
        c->error = rv;
        close_on(c, rest, frame_complaint(rv));
    }
    return used;
}

/* Keep what was not fed: the beginning of a frame, or all that came while held. */
static void keep_rest(struct connection *c, const uint8_t *data, size_t size)
{
    size_t wanted = c->frame_size != 0 ? c->frame_size : PARTIAL_SIZE;
    bool ok = true;

    if (size == 0) {
        buffer_release(&c->in);
        return;
    }
    if (c->in.size > 0) { /* it is there, at the end */
        assert(data + size == c->in.data + c->in.size);
        memmove(c->in.data, data, size);
        c->in.size = size;
        ok = buffer_reserve(&c->in, wanted);
    } else {
        ok = buffer_reserve(&c->in, wanted) && buffer_append(&c->in, data, size);
    }
    if (c->identified) c->partial_ms = uv_now(c->tcp.loop);
    if (!ok) connection_close(c, "out of memory");
}

/* Have not both shown their certificates yet? */
static bool is_greeting(const struct connection *c)
{
    return c->tls != NULL && !tls_is_up(c->tls);
}

/* Nowhere to read to: the loop comes back to this connection in its next round, or it is held. */
static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct connection *c = (struct connection *)handle;
    const struct connection_owner *o = c->owner;
    size_t room = c->in.capacity - c->in.size;

    (void)suggested;
    if (turn_is_full(o->turn) || !turn_has_share(o->turn, &c->share, o->share_max) ||
        (is_greeting(c) && !turn_may_greet(o->turn)))
        *buf = uv_buf_init(NULL, 0);
    else if (c->tls == NULL && c->in.size > 0)
        *buf = uv_buf_init((char *)c->in.data + c->in.size,
                           room < CONNECTION_READ_SIZE ? (unsigned)room : CONNECTION_READ_SIZE);
    else
        *buf = uv_buf_init((char *)o->read_buffer, CONNECTION_READ_SIZE);
}

/* Feed what was read; returns with the rest kept. */
static void take(struct connection *c, struct bytes read)
{
    if (c->in.size > 0) { /* the read went right behind what was there */
        assert(read.data == c->in.data + c->in.size);
        c->in.size += read.size;
        read = (struct bytes){c->in.data, c->in.size};
    }
    size_t used = feed(c, read);
    if (!c->closing) keep_rest(c, read.data + used, read.size - used);
}

/* What was read is sealed.  All of it is opened at once, also while held. */
static void take_sealed(struct connection *c, struct bytes read)
{
    uint8_t opened[TLS_RECORD_SIZE];
    ssize_t n;

    if (is_greeting(c)) turn_greets(c->owner->turn);
    tls_input(c->tls, read);
    while ((n = tls_read(c->tls, opened, sizeof opened)) > 0) {
        if (c->in.size == 0) {
            take(c, (struct bytes){opened, (size_t)n});
        } else if (buffer_reserve(&c->in, c->in.size + (size_t)n)) {
            memcpy(c->in.data + c->in.size, opened, (size_t)n);
            take(c, (struct bytes){c->in.data + c->in.size, (size_t)n});
        } else {
            connection_close(c, "out of memory");
        }
    }
    connection_flush(c); /* TLS answers for itself, and tells why it is over */
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct connection *c = (struct connection *)stream;
    struct bytes read = {(const uint8_t *)buf->base, n > 0 ? (size_t)n : 0};

    if (n == UV_ENOBUFS && turn_bears_no_more(c->owner->turn, c->resumed)) connection_hold(c);
    if (n == 0 || n == UV_ENOBUFS) return;
    c->resumed = false;
    if (n < 0) {
        turn_begin(c->owner->turn); /* thousands may end at once, and each end is work */
        turn_takes(c->owner->turn);
        close_on(c, (struct bytes){c->in.data, c->in.size},
                 n == UV_EOF ? "closed by the other end" : uv_strerror((int)n));
        return;
    }
    if (c->tls != NULL)
        take_sealed(c, read);
    else
        take(c, read);
    turn_reads(c->owner->turn, &c->share, read.size); /* fills the turn for the next read only */
}

void connection_resume(struct connection *c)
{
    chain_remove(&c->queued);
    if (has_much_unread(c)) return; /* on_written */
    c->resumed = c->held;
    c->held = false;
    if (c->in.size > 0) {
        size_t used = feed(c, (struct bytes){c->in.data, c->in.size});
        if (!c->closing) keep_rest(c, c->in.data + used, c->in.size - used);
    }
    if (c->closing || c->held || c->reading) return;
    if (c->partial_ms != 0) c->partial_ms = uv_now(c->tcp.loop); /* being held is not its fault */
    c->reading = uv_read_start((uv_stream_t *)&c->tcp, on_alloc, on_read) == 0;
    if (!c->reading) connection_close(c, "cannot read");
}

bool connection_resume_held(struct connection_owner *o)
{
    struct chain *first;

    for (unsigned n = 0; (first = chain_first(&o->held_ones)) != NULL; n++) {
        if (o->held || turn_is_full(o->turn)) break;
        if (n == o->turn->resumed_max) return true;
        connection_resume(CHAIN_OWNER(first, struct connection, queued));
    }
    return false;
}

void connection_start(struct connection *c)
{
    const int interval = KEEPALIVE_INTERVAL_S, count = KEEPALIVE_COUNT, timeout = USER_TIMEOUT_MS;
    uv_os_fd_t fd;

    uv_tcp_nodelay(&c->tcp, 1);
    uv_tcp_keepalive(&c->tcp, 1, KEEPALIVE_IDLE_S);
    if (uv_fileno((uv_handle_t *)&c->tcp, &fd) == 0) {
        setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof interval);
        setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof count);
        setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout, sizeof timeout);
    }
    connection_resume(c);
}

/* --- out -------------------------------------------------------------------------------------- */

bool connection_send(struct connection *c, struct bytes frame)
{
    if (c->closing) return false;
    if (c->out.size + c->writing.size + frame.size > c->out_max) return false;
    return buffer_append(&c->out, frame.data, frame.size);
}

static void on_written(uv_write_t *write, int status)
{
    struct connection *c = write->data;

    c->write_busy = false;
    buffer_release(&c->writing);
    if (status < 0)
        connection_close(c, uv_strerror(status));
    else
        connection_flush(c);
    if (!c->held || c->closing) return;
    enter_queue(c); /* if this is why it was held, it left that, */
    turn_begin(c->owner->turn); /* after which it is fed */
}

/* How many of these bytes the socket takes; less than 0: it is closed. */
static ssize_t try_write(struct connection *c, struct bytes bytes)
{
    uv_buf_t buf = uv_buf_init((char *)bytes.data, (unsigned)bytes.size);
    int n = uv_try_write((uv_stream_t *)&c->tcp, &buf, 1);

    if (n == UV_EAGAIN) n = 0;
    if (n < 0) connection_close(c, uv_strerror(n));
    return n;
}

static void sent_all(struct connection *c)
{
    c->out.size = 0;
    if (c->out.capacity > OUT_KEEP) buffer_release(&c->out);
}

/* When the socket can, from `sent` on. */
static void write_later(struct connection *c, size_t sent)
{
    uv_buf_t buf =
        uv_buf_init((char *)c->writing.data + sent, (unsigned)(c->writing.size - sent));

    c->write.data = c;
    int rv = uv_write(&c->write, (uv_stream_t *)&c->tcp, &buf, 1, on_written);
    c->write_busy = rv == 0;
    if (rv < 0) connection_close(c, uv_strerror(rv));
}

static void flush_sealed(struct connection *c)
{
    struct bytes plain = {c->out.data, c->out.size};

    ssize_t taken = tls_write(c->tls, plain);
    if (taken > 0) sent_all(c);
    if (taken < 0) c->failed_tls = !c->identified;
    struct bytes sealed = tls_output(c->tls);
    ssize_t n = sealed.size > 0 ? try_write(c, sealed) : 0;
    if (n < 0) return;
    struct bytes rest = {sealed.data + n, sealed.size - (size_t)n};
    bool kept = buffer_append(&c->writing, rest.data, rest.size);
    tls_sent(c->tls, sealed.size);
    if (taken < 0) /* the other end was told why */
        connection_close(c, tls_why(c->tls));
    else if (!kept)
        connection_close(c, "out of memory");
    else if (rest.size > 0)
        write_later(c, 0);
}

void connection_flush(struct connection *c)
{
    if (c->closing || c->write_busy) return;
    if (c->tls != NULL) {
        flush_sealed(c);
        return;
    }
    if (c->out.size == 0) return;
    ssize_t n = try_write(c, (struct bytes){c->out.data, c->out.size});
    if (n < 0) return;
    if ((size_t)n == c->out.size) {
        sent_all(c);
        return;
    }
    c->writing = c->out;
    c->out = (struct buffer){0};
    write_later(c, (size_t)n);
}

void connection_address(const struct connection *c, char text[static CONNECTION_ADDRESS_SIZE])
{
    struct sockaddr_storage peer = {0};
    int size = sizeof peer;
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)&peer;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&peer;
    char host[INET6_ADDRSTRLEN];

    if (uv_tcp_getpeername(&c->tcp, (struct sockaddr *)&peer, &size) != 0) {
        snprintf(text, CONNECTION_ADDRESS_SIZE, "?");
    } else if (peer.ss_family == AF_INET6) {
        uv_ip6_name(v6, host, sizeof host);
        snprintf(text, CONNECTION_ADDRESS_SIZE, "[%s]:%u", host, ntohs(v6->sin6_port));
    } else {
        uv_ip4_name(v4, host, sizeof host);
        snprintf(text, CONNECTION_ADDRESS_SIZE, "%s:%u", host, ntohs(v4->sin_port));
    }
}

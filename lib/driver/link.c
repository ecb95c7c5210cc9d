/* SPDX-License-Identifier: BSD-2-Clause */
#include <config.h>

#include "driver/link.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <vstamp/client.h>

#include "base/assert.h"

#define RECONNECT_PAUSE_MS 50u
#define READ_BYTES_MIN     65536u
#define WRITE_BYTES_MIN    65536u

/* The kernel repeats what is not acknowledged after pauses that double, for minutes: when a network
 * comes back, it may have just begun a long one.  So neither a connection that does not come about
 * nor one over which nothing gets through is waited for that long. */
#define CONNECT_MS_MAX  2000u /* for each address */
#define USER_TIMEOUT_MS 10000 /* as replicas have it */

#define RESOLVE_AGAIN_MS 30000u

bool link_reserve(uint8_t **buffer, size_t *capacity, size_t wanted)
{
    if (*capacity >= wanted) return true;
    uint8_t *larger = realloc(*buffer, wanted);
    if (larger == NULL) return false;
    *buffer = larger;
    *capacity = wanted;
    return true;
}

void link_init(struct link *l, const struct address *address, struct tls *tls, const char *tls_by)
{
    *l = (struct link){.address = *address, .tls = tls, .tls_by = tls_by, .fd = -1};
}

static void close_fd(struct link *l)
{
    if (l->lookup != NULL) lookup_drop(l->lookup); /* whose descriptor it is */
    else if (l->fd >= 0) close(l->fd);
    l->lookup = NULL;
    l->fd = -1;
    tls_stream_free(l->stream);
    l->stream = NULL;
}

void link_release(struct link *l)
{
    close_fd(l);
    if (l->resolved != NULL) freeaddrinfo(l->resolved);
    free(l->in);
    free(l->out);
}

void link_close(struct link *l, int error)
{
    close_fd(l);
    l->state = LINK_CLOSED;
    l->error = error;
    l->closed_by_peer = error == 0;
    l->due_ms = vstamp_driver_now_ms() + RECONNECT_PAUSE_MS;
    l->in_size = l->in_used = l->in_wanted = 0;
    l->out_size = l->out_sent = 0;
}

const char *link_explain(const struct link *l)
{
    if (l->error == EPROTO && l->why[0] != '\0') return l->why;
    if (l->error < 0) return gai_strerror(l->error);
    if (l->error != 0) return strerror(l->error);
    return "closed the connection";
}

/* --- to connect ------------------------------------------------------------------------------- */

/* What a look-up said, or 0 where a former answer has to do. */
static int take_addresses(struct link *l, int error, struct addrinfo *found)
{
    l->resolved_ms = vstamp_driver_now_ms();
    if (error != 0) return l->resolved != NULL ? 0 : error; /* EAI_* are negative */
    if (l->resolved != NULL) freeaddrinfo(l->resolved);
    l->resolved = found;
    return 0;
}

/* 0: the addresses are known, or the state is RESOLVING. */
static int resolve(struct link *l)
{
    struct addrinfo *found;
    uint64_t now_ms = vstamp_driver_now_ms();
    if (l->resolved != NULL && now_ms - l->resolved_ms < RESOLVE_AGAIN_MS) return 0;
    if (lookup_number(l->address.host, l->address.port_text, &found) == 0)
        return take_addresses(l, 0, found);
    l->lookup = lookup_begin(l->address.host, l->address.port_text);
    if (l->lookup == NULL) return errno;
    l->fd = lookup_fd(l->lookup);
    l->watched = 0;
    l->state = LINK_RESOLVING;
    return 0;
}

/* The socket is connected.  With TLS it is not up before both have shown who they are. */
static int secure(struct link *l)
{
    if (l->tls == NULL) {
        l->state = LINK_UP;
        return 0;
    }
    tls_renew(l->tls, NULL);
    l->stream = tls_dial(l->tls, l->address.host);
    if (l->stream == NULL) return ENOMEM;
    l->state = LINK_SECURING;
    int error = link_flush(l);
    return error == EAGAIN ? 0 : error;
}

static int connect_to_next(struct link *l)
{
    const struct addrinfo *to = l->next;
    l->next = to->ai_next;
    l->fd = socket(to->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (l->fd < 0) return errno;
    l->watched = 0;
    const int on = 1; /* what is due leaves in one write: nothing is gained by waiting for more */
    const int timeout_ms = USER_TIMEOUT_MS;
    setsockopt(l->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(l->fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout_ms, sizeof timeout_ms);
    l->due_ms = vstamp_driver_now_ms() + CONNECT_MS_MAX;
    if (connect(l->fd, to->ai_addr, to->ai_addrlen) == 0) return secure(l);
    if (errno != EINPROGRESS) return errno;
    l->state = LINK_CONNECTING;
    return 0;
}

/* The address that was tried last failed with `error`, which is the answer if it was the last. */
static int try_others(struct link *l, int error)
{
    while (l->next != NULL) {
        close_fd(l);
        error = connect_to_next(l);
        if (error == 0) return 0;
    }
    return error;
}

static int try_all(struct link *l)
{
    l->next = l->resolved;
    return try_others(l, 0);
}

int link_begin(struct link *l)
{
    assert(l->state == LINK_CLOSED);
    int error = resolve(l);
    if (error != 0 || l->state == LINK_RESOLVING) return error;
    return try_all(l);
}

static int finish_lookup(struct link *l)
{
    struct addrinfo *found;
    int error = lookup_end(l->lookup, &found);
    l->lookup = NULL;
    l->fd = -1;
    error = take_addresses(l, error, found);
    return error != 0 ? error : try_all(l);
}

static int finish_connect(struct link *l)
{
    int error = 0;
    socklen_t size = sizeof error;
    if (getsockopt(l->fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0) error = errno;
    return error != 0 ? error : secure(l);
}

static int finish_securing(struct link *l)
{
    int error = link_receive(l);
    if (error == EAGAIN) error = link_flush(l);
    if (error == 0 && tls_is_up(l->stream)) l->state = LINK_UP;
    return error == EAGAIN ? 0 : error;
}

bool link_is_rising(const struct link *l)
{
    return l->state == LINK_RESOLVING || l->state == LINK_CONNECTING || l->state == LINK_SECURING;
}

int link_finish(struct link *l)
{
    assert(link_is_rising(l));
    if (l->state == LINK_RESOLVING) return finish_lookup(l);
    int error = l->state == LINK_CONNECTING ? finish_connect(l) : finish_securing(l);
    return error != 0 ? try_others(l, error) : 0;
}

int link_on_time(struct link *l)
{
    assert(l->state == LINK_CONNECTING || l->state == LINK_SECURING);
    return try_others(l, ETIMEDOUT);
}

/* --- bytes ------------------------------------------------------------------------------------ */

/* How many bytes the socket takes; less than 0: the negative of an errno. */
static ssize_t write_some(struct link *l, struct bytes bytes)
{
    ssize_t n;
    do n = send(l->fd, bytes.data, bytes.size, MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    if (n >= 0) return n;
    return errno == EWOULDBLOCK ? -EAGAIN : -errno;
}

static struct bytes unsent(const struct link *l)
{
    if (l->stream != NULL) return tls_output(l->stream);
    return (struct bytes){l->out + l->out_sent, l->out_size - l->out_sent};
}

/* For good; the words are kept. */
static int fail_tls(struct link *l)
{
    memcpy(l->why, tls_why(l->stream), sizeof l->why);
    l->is_barred = tls_is_barred(l->stream);
    return EPROTO;
}

static int write_unsent(struct link *l)
{
    struct bytes left = unsent(l);
    while (left.size > 0) {
        ssize_t n = write_some(l, left);
        if (n < 0) return (int)-n;
        if (l->stream != NULL) tls_sent(l->stream, (size_t)n);
        else l->out_sent += (size_t)n;
        left = unsent(l);
    }
    l->out_size = l->out_sent = 0;
    return 0;
}

int link_flush(struct link *l)
{
    bool over = false;
    if (l->stream != NULL) {
        over = tls_write(l->stream, (struct bytes){l->out, l->out_size}) < 0;
        l->out_size = 0;
    }
    int error = write_unsent(l); /* if it is over, that tells the other end why */
    return over ? fail_tls(l) : error;
}

bool link_waits_to_write(const struct link *l)
{
    return l->state == LINK_CONNECTING || (l->state != LINK_CLOSED && unsent(l).size > 0);
}

bool link_make_out_room(struct link *l, size_t size)
{
    assert(l->out_size == 0);
    if (size < WRITE_BYTES_MIN) size = WRITE_BYTES_MIN;
    return link_reserve(&l->out, &l->out_capacity, size);
}

/* Room for the rest of the frame that has begun; the frames before it are done with.  False: out of
 * memory. */
static bool make_in_room(struct link *l)
{
    assert(l->in_used <= l->in_size);
    if (l->in_used > 0) {
        memmove(l->in, l->in + l->in_used, l->in_size - l->in_used);
        l->in_size -= l->in_used;
        l->in_used = 0;
    }
    size_t want = l->in_size + READ_BYTES_MIN;
    if (want < l->in_wanted) want = l->in_wanted;
    return link_reserve(&l->in, &l->in_capacity, want);
}

/* What has come, opened, for which there is room in the end, though nobody knows how much it is. */
static int open_sealed(struct link *l, struct bytes sealed)
{
    ssize_t n;
    tls_input(l->stream, sealed);
    do {
        if (!link_reserve(&l->in, &l->in_capacity, l->in_size + TLS_RECORD_SIZE)) return ENOMEM;
        n = tls_read(l->stream, l->in + l->in_size, l->in_capacity - l->in_size);
        if (n > 0) l->in_size += (size_t)n;
    } while (n > 0);
    return n == 0 ? EAGAIN : link_flush(l);
}

/* What the end of a connection tells of TLS, if one end has it and the other has not. */
static int end(struct link *l)
{
    l->is_barred = l->stream == NULL && tls_is_spoken((struct bytes){l->in, l->in_size});
    if (l->is_barred)
        snprintf(l->why, sizeof l->why,
                 "it speaks TLS: name a folder with a certificate for you, by %s", l->tls_by);
    else if (l->state == LINK_SECURING)
        snprintf(l->why, sizeof l->why, "closed the connection when TLS began: has it tls, too?");
    else
        return 0;
    return EPROTO;
}

int link_receive(struct link *l)
{
    uint8_t sealed[READ_BYTES_MIN];
    if (!make_in_room(l)) return ENOMEM;
    bool plain = l->stream == NULL;
    ssize_t n = plain ? recv(l->fd, l->in + l->in_size, l->in_capacity - l->in_size, 0)
                      : recv(l->fd, sealed, sizeof sealed, 0);
    if (n < 0) return errno == EINTR || errno == EWOULDBLOCK ? EAGAIN : errno;
    if (n == 0) return end(l);
    if (!plain) return open_sealed(l, (struct bytes){sealed, (size_t)n});
    l->in_size += (size_t)n;
    return EAGAIN;
}

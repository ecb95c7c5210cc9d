/* SPDX-License-Identifier: BSD-2-Clause */
#include <config.h>

#include "driver/link.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
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

void link_init(struct link *l, const struct address *address)
{
    *l = (struct link){.address = *address, .fd = -1};
}

static void close_fd(struct link *l)
{
    if (l->lookup != NULL) lookup_drop(l->lookup); /* whose descriptor it is */
    else if (l->fd >= 0) close(l->fd);
    l->lookup = NULL;
    l->fd = -1;
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

static void is_up(struct link *l)
{
    l->state = LINK_UP;
    l->closed_by_peer = false;
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
    if (connect(l->fd, to->ai_addr, to->ai_addrlen) == 0) is_up(l);
    else if (errno == EINPROGRESS) l->state = LINK_CONNECTING;
    else return errno;
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

int link_finish(struct link *l)
{
    if (l->state == LINK_RESOLVING) return finish_lookup(l);
    assert(l->state == LINK_CONNECTING);
    int error = 0;
    socklen_t size = sizeof error;
    if (getsockopt(l->fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0) error = errno;
    if (error != 0) return try_others(l, error);
    is_up(l);
    return 0;
}

int link_on_time(struct link *l)
{
    assert(l->state == LINK_CONNECTING);
    return try_others(l, ETIMEDOUT);
}

/* --- bytes ------------------------------------------------------------------------------------ */

int link_flush(struct link *l)
{
    while (l->out_sent < l->out_size) {
        ssize_t n = send(l->fd, l->out + l->out_sent, l->out_size - l->out_sent, MSG_NOSIGNAL);
        if (n >= 0) l->out_sent += (size_t)n;
        else if (errno == EWOULDBLOCK) return EAGAIN;
        else if (errno != EINTR) return errno;
    }
    l->out_size = l->out_sent = 0;
    return 0;
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

int link_receive(struct link *l)
{
    if (!make_in_room(l)) return ENOMEM;
    ssize_t n = recv(l->fd, l->in + l->in_size, l->in_capacity - l->in_size, 0);
    if (n == 0) return 0;
    if (n < 0) return errno == EINTR || errno == EWOULDBLOCK ? EAGAIN : errno;
    l->in_size += (size_t)n;
    return EAGAIN;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* A node in an event loop, for the tests of what is between it and the network, which are the other
 * ends of its connections themselves.  Both ends of a socket are in this process, and each is asked
 * what it has: nothing is waited for. */
#ifndef UNIT_HOSTED_H
#define UNIT_HOSTED_H

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "replica/connection.h"
#include "small.h"

struct hosted {
    uv_loop_t loop;
    struct vr_config config;
    void *memory;
    struct node *node;
    struct turn turn;
    uint8_t read_buffer[CONNECTION_READ_SIZE];
};

/* A small one, which no timer of its own disturbs. */
static inline void hosted_configure(struct hosted *h, uint8_t n_replicas)
{
    h->config = (struct vr_config){SMALL_SETTINGS, .n_replicas = n_replicas,
                                   .heartbeat_ms = 20000,
                                   .view_change_ms = 60000,
                                   .state_pages = 64,
                                   .version = "1.2.3",
                                   .addresses = {"m:1", "b:2", "c:3"}};
}

/* After hosted_configure.  The functions are as in struct turn. */
static inline void hosted_open(struct hosted *h, const struct vstamp_app *app,
                               const struct node_io *io, void (*send)(void *ctx),
                               void (*after)(void *ctx), bool (*resume)(void *ctx), void *ctx)
{
    signal(SIGPIPE, SIG_IGN);
    if (uv_loop_init(&h->loop) != 0) abort();
    size_t size = (node_memory(&h->config) + 4095) / 4096 * 4096;
    h->memory = aligned_alloc(4096, size);
    if (h->memory == NULL) abort();
    memset(h->memory, 0, size);
    h->node = node_init(h->memory, size, &h->config, app, io, (struct vstamp_id){1, 2});
    turn_init(&h->turn, &h->loop, h->node, send, after, resume, ctx);
}

static inline void hosted_end(uv_handle_t *handle, void *ctx)
{
    (void)ctx;
    if (uv_is_closing(handle)) return;
    if (handle->type == UV_TCP)
        connection_close((struct connection *)handle, "the end");
    else
        uv_close(handle, NULL);
}

/* Every TCP handle is a connection's. */
static inline void hosted_close(struct hosted *h)
{
    uv_walk(&h->loop, hosted_end, NULL);
    uv_run(&h->loop, UV_RUN_DEFAULT);
    if (uv_loop_close(&h->loop) != 0) abort();
    free(h->memory);
}

/* What is ready, and the turn that follows from it. */
static inline void hosted_run(struct hosted *h)
{
    uv_run(&h->loop, UV_RUN_NOWAIT);
}

/* A connection that is not started yet, whose other end is *fd; tls and host as for
 * connection_new. */
static inline struct connection *hosted_connect_over(struct hosted *h,
                                                     struct connection_owner *owner,
                                                     struct tls *tls, const char *host, int *fd)
{
    struct connection *c = connection_new(&h->loop, owner, tls, host);
    int fds[2];

    if (c == NULL || socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) != 0 ||
        uv_tcp_open(&c->tcp, fds[0]) != 0)
        abort();
    *fd = fds[1];
    return c;
}

static inline struct connection *hosted_connect(struct hosted *h, struct connection_owner *owner,
                                                int *fd)
{
    return hosted_connect_over(h, owner, NULL, NULL, fd);
}

/* What the other end is sent, with as many rounds of the loop as it takes. */
static inline size_t hosted_receive(struct hosted *h, int fd, uint8_t *into, size_t size)
{
    size_t got = 0;
    ssize_t n;

    do {
        hosted_run(h);
        n = read(fd, into + got, size - got);
        if (n > 0) got += (size_t)n;
    } while (n > 0);
    return got;
}

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* The status endpoint: a small HTTP server that can change nothing.
 *
 *   GET /status    the node's status as JSON
 *   GET /metrics   the same for Prometheus, and the process
 *   GET /livez     200 while the loop turns, or the folder is read; looks at nobody else
 *   GET /readyz    200 if it may be sent traffic, else 503 with the reason
 *
 * libmicrohttpd runs without threads inside our loop: its epoll descriptor is polled by libuv, its
 * time-outs are a timer.  It has its own port and a small number of connections of its own, so that
 * looking works while the replica is flooded, and looking cannot flood it.  When they are all taken
 * the oldest one is dropped for the next: who asks is answered at once, so an old connection is one
 * that says nothing, or only half.
 *
 * A folder is read before the loop turns, which may take minutes.  A thread attends to the endpoint
 * meanwhile, or else whoever watches over the process would take it for one that hangs.  It does
 * not look at the node. */
#ifndef REPLICA_ENDPOINT_H
#define REPLICA_ENDPOINT_H

#include <microhttpd.h>
#include <uv.h>

#include "replica/report.h"
#include "replica/transport_uv.h"

#define ENDPOINT_CONNECTIONS_MAX 64u
#define ENDPOINT_DROPPED_MAX     64u /* which were dropped, until libmicrohttpd has noticed */

struct endpoint {
    struct MHD_Daemon *daemon;
    int connections[ENDPOINT_CONNECTIONS_MAX]; /* their sockets, oldest first */
    unsigned n_connections;
    int epoll_fd; /* libmicrohttpd's */
    uv_poll_t poll;
    uv_timer_t timer;
    bool attended; /* by a thread: */
    uv_thread_t attendant;
    int end_fd; /* it is to end */
    struct turn *turn;
    const struct transport *transport;
    uint64_t contact_ms_max; /* report_ready */
    uint64_t started_s;
};

/* Listen.  `turn` and `transport` are kept by pointer.  VSTAMP_E_IO or VSTAMP_E_CONFIG with a
 * sentence. */
int endpoint_open(struct endpoint *e, uv_loop_t *loop, const struct address *address,
                  struct turn *turn, const struct transport *transport, uint64_t contact_ms_max,
                  struct vstamp_diag *diag);

/* From here to the end of it the loop does not turn.  VSTAMP_E_AGAIN with a sentence. */
int endpoint_attend(struct endpoint *e, struct vstamp_diag *diag);
void endpoint_attend_end(struct endpoint *e);

void endpoint_close(struct endpoint *e);

#endif

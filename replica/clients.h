/* SPDX-License-Identifier: BSD-2-Clause */
/* The connections of clients, and those that have not said yet what they are.
 *
 * There is a fixed number of slots.  When all are taken, the connection that was used longest ago
 * and waits for no answer makes room; idle connections are thus no way to keep others out.  Peers
 * do not count here: one that introduces itself moves to peers.h.
 *
 * An origin (node.h) is a slot and the number of connections it has had, so that a late answer for
 * one that is gone finds nobody.
 *
 * Back-pressure: while the node accepts no requests, what a client sent stays where it is, first in
 * the socket, then at the client.  What is answered and not read is bounded for each connection;
 * beyond that there is a share for all together, as one connection may carry the requests of many
 * clients.  One that exceeds both is closed. */
#ifndef REPLICA_CLIENTS_H
#define REPLICA_CLIENTS_H

#include "replica/connection.h"
#include "replica/peers.h"
#include "replica/turn.h"

struct clients_slot {
    struct connection *connection;
    uint32_t generation;
};

struct clients {
    struct tls *tls;
    struct turn *turn;
    struct peers *peers;
    struct log *log;
    struct connection_owner owner;
    struct clients_slot *slots;
    uint32_t n_slots, n_used;
    uint32_t next_slot; /* where to look for a free one first */
    size_t out_max;
    struct connection *oldest, *newest; /* by last use */
    struct connection *dirty;           /* have something to flush */
    uint64_t n_evicted, next_complaint_ms, next_stranger_ms;
};

/* `read_buffer` as in connection.h; `tls` may be NULL.  VSTAMP_E_IO when memory is out. */
int clients_init(struct clients *c, struct turn *turn, struct peers *peers, struct log *log,
                 struct tls *tls, uint32_t n_slots, size_t answer_max, uint8_t *read_buffer);

/* Take the connection that waits at `listener`.  False: it goes on waiting, as there is no memory
 * for it, or no room in this turn. */
bool clients_accept(struct clients *c, uv_stream_t *listener);

/* Queue an answer, which is copied; clients_flush writes what was queued in this turn. */
void clients_reply(struct clients *c, uint64_t origin, struct bytes frame);
void clients_flush(struct clients *c);

/* After a turn: if the node accepts requests again, feed what waited; as connection_resume_held. */
bool clients_resume(struct clients *c);

/* Once a second or so: close those that keep a frame unfinished. */
void clients_sweep(struct clients *c);

#endif

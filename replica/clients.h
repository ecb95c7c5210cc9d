/* SPDX-License-Identifier: BSD-2-Clause */
/* The connections of clients, and those that have not said yet what they are.
 *
 * That the first frame tells.  A replica moves to peers.h and does not count here.  A client is let
 * in if there are fewer than may be, or if another one has had nothing under way for a while: that
 * one makes room.  Idle connections are thus no way to keep others out, and those that are in use
 * do not take each other's places.  Else the newcomer is told that there are too many, and comes
 * again after pauses that grow (vr/session.h).  So there are some slots more than clients that may
 * be in, for those who have said nothing yet; when these are taken, too, whoever else comes waits
 * in the listener until one of them has.
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

#define CLIENTS_AT_THE_DOOR 64u /* slots beyond those for clients that are in */

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
    uint32_t n_max, n_in; /* that may be in, and are */
    uint32_t next_slot; /* where to look for a free one first */
    size_t out_max;
    struct chain door, in; /* by last use, the oldest first */
    struct chain dirty;    /* have something to flush */
    uint64_t n_evicted, n_refused, next_complaint_ms, next_stranger_ms;
};

/* `n_max` clients may be in.  `read_buffer` as in connection.h; `tls` may be NULL.  VSTAMP_E_IO
 * when memory is out. */
int clients_init(struct clients *c, struct turn *turn, struct peers *peers, struct log *log,
                 struct tls *tls, uint32_t n_max, size_t answer_max, uint8_t *read_buffer);

/* Take the connection that waits at `listener`.  False: it goes on waiting, as there is no memory
 * for it, or no room in this turn, or at the door. */
bool clients_accept(struct clients *c, uv_stream_t *listener);

/* Queue an answer, which is copied; clients_flush writes what was queued in this turn.  Where there
 * are many for one connection they leave before, so that it goes on beside us. */
void clients_reply(struct clients *c, uint64_t origin, struct bytes frame);
void clients_flush(struct clients *c);

/* After a turn: if the node accepts requests again, feed what waited; as connection_resume_held. */
bool clients_resume(struct clients *c);

/* Once a second or so: close those that keep a frame unfinished. */
void clients_sweep(struct clients *c);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* The host of one replica under Maelstrom: takes messages apart, carries the node's frames in
 * messages, and hands what clients ask to requests.c.
 *
 *   c1 --read, write, cas--> n0                     a client may ask any node
 *   n0 --vstamp_request----> n1                     n0 asks for it as a session of the core,
 *   n0 <-vstamp_reply------- n1                     the primary wherever it is, itself included
 *   n1 --vstamp_peer-------> n2                     frames among replicas
 *   c1 <-read_ok, ...------- n0
 *
 * A vstamp_ message has a frame as base64; `session` says which of the sender's sessions asks.
 * What a node sends to itself does not leave it. */
#ifndef MAELSTROM_HOST_H
#define MAELSTROM_HOST_H

#include "base/limits.h"
#include "maelstrom/lines.h"
#include "node/node.h"
#include "program/log.h"

struct requests;

struct host {
    struct log log;
    uint32_t timeout_ms, view_change_ms;
    uint32_t n_witnesses; /* the last so many of the nodes */
    struct lines_out out; /* to the others */
    struct lines_out own; /* to itself, handed out in the next turn */
    uint64_t now_us;      /* CLOCK_BOOTTIME, as of this turn */

    /* from `init` on */
    struct node *node; /* NULL before */
    struct node_io io;
    struct vr_config config; /* its addresses are the ids of the nodes, sorted */
    bool heard[REPLICAS_MAX];
    struct requests *requests;
};

/* One turn: hand out the messages that came, end the node's turn, send what sessions have due.  A
 * turn without messages serves the timers. */
void host_turn(struct host *h, struct lines_in *in);

/* When the next turn is due at the latest, in milliseconds from now, as poll wants it. */
int host_patience_ms(const struct host *h);

/* Is anybody waiting for an answer, or anything unsaid? */
bool host_is_busy(const struct host *h);

/* --- for requests.c --------------------------------------------------------------------------- */

/* Carry a frame of the session to a replica.  May drop it, as a network may. */
void host_send_request(struct host *h, uint8_t replica, uint32_t session, struct bytes frame);

/* Answer a client's message; `body` is given away. */
void host_answer(struct host *h, const char *client, json_int_t msg_id, json_t *body);
json_t *host_error(int code, const char *text); /* a new body */

/* Maelstrom's error codes.  All but TIMEOUT and CRASH promise that nothing was done. */
enum {
    ERROR_TIMEOUT = 0,
    ERROR_NOT_SUPPORTED = 10,
    ERROR_UNAVAILABLE = 11,
    ERROR_MALFORMED = 12,
    ERROR_CRASH = 13,
    ERROR_ABORT = 14,
    ERROR_NO_SUCH_KEY = 20,
    ERROR_PRECONDITION = 22
};

#endif

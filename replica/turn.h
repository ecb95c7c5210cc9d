/* SPDX-License-Identifier: BSD-2-Clause */
/* One turn of the node per turn of the event loop (node.h).
 *
 * Whoever brings the node something (transport, storage, endpoint, a signal) calls turn_begin
 * first; it tells the node the time, once.  After libuv has handed out everything that was ready,
 * the turn ends: the node acts on all of it together.  What other replicas wait for leaves first
 * (`send`), then the journal's write begins, then the node executes what is committed, and clients
 * get their answers (`after`); each connection is written once for all of it.  That is the whole of
 * batching: what arrives while a turn runs is the next turn's batch.
 *
 * A turn takes in no more than it works off soon (turn_is_full), however much has come while the
 * replica was kept from running; what is left waits in the sockets.  A round is as many turns as it
 * takes until one is not full: in it each connection has its share and no more (turn_share), so
 * those who say little need not wait for those who say much. */
#ifndef REPLICA_TURN_H
#define REPLICA_TURN_H

#include <stdbool.h>
#include <stdint.h>

#include <uv.h>

#include "node/node.h"

struct turn {
    struct node *node;
    bool begun;
    uint64_t begun_us;   /* when, */
    uint64_t longest_us; /* and how long the longest turn so far has kept the loop */
    uint64_t cpu_us, cpu_read_us; /* processor time of this thread, and when it was read */
    uint64_t longest_cpu_us;      /* the most that a turn took, or a millisecond more */
    uv_check_t check;         /* runs after the poll: ends the turn */
    uv_prepare_t prepare;     /* runs before the poll: ends a turn that a timer began */
    uv_timer_t timer;         /* the node's next timer, */
    uint64_t armed_us;        /* and for when it is set, while it is active */
    uv_idle_t rest;           /* runs in the loop's next round when a turn was full */
    size_t taken_bytes;       /* read in this turn, */
    size_t fullest_bytes;     /* and the most in any */
    uint32_t taken;           /* frames */
    uint32_t greeted;         /* steps of handshakes */
    uint32_t refused;         /* reads that came in vain */
    bool late;                /* it is long for what it has taken */
    uint32_t resumed_max;     /* connections for which the next one has room */
    uint64_t round;
    void (*send)(void *ctx);   /* before the node executes: write what others wait for */
    void (*after)(void *ctx);  /* after each turn */
    /* Feed what had to wait, which may begin another turn; true: go on in the loop's next round.
     * May be NULL. */
    bool (*resume)(void *ctx);
    void *ctx;
};

/* The functions are as in `struct turn`; nothing runs before the loop does. */
void turn_init(struct turn *t, uv_loop_t *loop, struct node *node, void (*send)(void *ctx),
               void (*after)(void *ctx), bool (*resume)(void *ctx), void *ctx);

/* Idempotent within a turn. */
void turn_begin(struct turn *t);

struct turn_share {
    uint64_t round;
    size_t bytes;
};

#define TURN_CROWD     256u /* connections: a quarter of what libuv asks for at once */
#define TURN_BYTES_MAX (256u << 10) /* that a turn reads, and one read more */

/* A connection's share in this round: is there something of it left, of `max`, and: it read so many
 * bytes. */
bool turn_has_share(const struct turn *t, const struct turn_share *share, size_t max);
void turn_reads(struct turn *t, struct turn_share *share, size_t bytes);

/* A frame was fed. */
void turn_takes(struct turn *t);

/* Who begins a connection over TLS costs most of a millisecond before it has shown anything: a few
 * in a turn, so that those who are there need not wait for all that knock.  May one more take a
 * step, and: it did. */
bool turn_may_greet(const struct turn *t);
void turn_greets(struct turn *t);

/* Should no more be in this turn? */
bool turn_is_full(const struct turn *t);

/* What is left in a socket makes it ready again at once.  Where a thousand are, libuv asks for the
 * next thousand in the same round, which it goes through 48 times, and the turn does not end: so
 * two quarters of them may come in vain, and three of those who have waited before, so that they
 * need not wait again.  One more does; true: it has to stay away until a turn has ended. */
bool turn_bears_no_more(struct turn *t, bool has_waited);

/* CLOCK_BOOTTIME: it counts suspends, so that a machine that slept knows it. */
uint64_t turn_monotonic_us(void);

#endif

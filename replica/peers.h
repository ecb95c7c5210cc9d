/* SPDX-License-Identifier: BSD-2-Clause */
/* The connections to the other replicas: one to each.
 *
 *   replica 2 --connect, hello--> replica 0     the higher index dials the lower, so that two
 *   replica 2 <-----hello-------- replica 0     replicas never hold two connections
 *
 * The hello carries the checksum of the configured address list: replicas with different lists
 * refuse each other with a clear line on both sides, instead of forming half a group.  A replica
 * that was not reached is dialled again after 50 ms, doubling up to 1 s, with jitter so that a
 * group does not dial in step.  A new connection from the same replica replaces the old one, which
 * may be the rest of a former process.
 *
 * What the node sends to a replica that is not connected, or does not read, is dropped: the
 * protocol repeats what matters, and one slow replica must not hold memory or the loop
 * (PIT-10.2). */
#ifndef REPLICA_PEERS_H
#define REPLICA_PEERS_H

#include <uv.h>

#include "base/limits.h"
#include "base/prng.h"
#include "program/config.h"
#include "program/log.h"
#include "replica/connection.h"
#include "replica/turn.h"
#include "wire/frame.h"

struct peer {
    struct peers *peers;
    const struct address *address;
    uint8_t index;
    struct connection *connection; /* up, or being dialled; NULL: none */
    bool up;                       /* hellos were exchanged */
    bool complained;               /* its absence was logged */
    uint32_t backoff_ms;
    unsigned n_dials;
    uint64_t n_dropped; /* frames not queued */
    uv_timer_t timer;   /* when to dial, or when to give up a dial */
    bool resolving;
    uv_getaddrinfo_t resolve;
};

struct peers {
    struct turn *turn;
    struct log *log;
    uv_loop_t *loop;
    struct connection_owner owner;
    const struct vr_config *config;
    size_t frame_max;
    struct prng jitter;
    uint64_t quiet_until_ms[REPLICAS_MAX + 1]; /* by sender of what was refused; last: no replica */
    struct peer at[REPLICAS_MAX];              /* by index; that of our own is not used */
};

/* Nothing is dialled before peers_start.  `addresses` and `config` are kept by pointer. */
void peers_init(struct peers *p, uv_loop_t *loop, struct turn *turn, struct log *log,
                const struct config_addresses *addresses, const struct vr_config *config,
                size_t frame_max, uint64_t seed, uint8_t *read_buffer);
void peers_start(struct peers *p);

/* A connection was accepted, and `hello` is its first frame.  0, or VSTAMP_E_*: close it. */
int peers_adopt(struct peers *p, struct connection *c, const struct wire_message *hello);

void peers_send(struct peers *p, uint8_t index, struct bytes frame);
void peers_flush(struct peers *p);

/* Once a second or so: close those that keep a frame unfinished. */
void peers_sweep(struct peers *p);

#endif

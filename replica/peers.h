/* SPDX-License-Identifier: BSD-2-Clause */
/* The connections to the other replicas: one to each.
 *
 * A replica is its address.  The node's directory says with whom to be connected: the members of
 * the epoch by index, then guests.  Each has a slot; it may be another one in the next directory,
 * and the connection moves along.
 *
 *   replica 2 --connect, hello--> replica 0     the member with the higher index dials the lower,
 *   replica 2 <-----hello-------- replica 0     so that two seldom hold two connections
 *
 * That is not enough: between epochs two replicas may know each other by other indices, or only one
 * of them the other.  So everybody dials guests, a replica that is no member dials everybody, and
 * the lower index dials, too, if the higher one has not come after a while.  Whoever connects is
 * let in, and replaces a connection that was there, which may be the rest of a former process.  If
 * two dial each other at once, the dial of the lower address stands.
 *
 * The hello names the sender, its group, its epoch, the versions of the protocol that it speaks,
 * the settings that must be the same at all, and a checksum of the members.  Replicas that were
 * configured differently, or have no version in common, refuse each other with a clear line on both
 * sides, instead of forming half a group.  One that is not in the directory is a stranger: it may
 * be a member of another epoch, or be started to become one.  Its frames go to the node as a
 * stranger's, and once the directory has it, it is a peer.
 *
 * A replica that was not reached is dialled again after 50 ms, doubling up to 1 s, with jitter so
 * that a group does not dial in step; up to a minute if it was a member of an epoch before, and may
 * never come again.  What the node sends to a replica that is not connected, or does not read, is
 * dropped: the protocol repeats what matters, and one slow replica must not hold memory or the loop
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

#define PEERS_PLACES (2u * SLOTS_MAX) /* one that left may still be looking its address up */
#define STRANGERS_MAX 32u
#define PEERS_REFUSAL_SIZE (2u * ADDRESS_BYTES_MAX + 160u)
#define PEERS_REFUSED_SIZE (PEERS_REFUSAL_SIZE + ADDRESS_BYTES_MAX + 80u)

struct peer {
    struct peers *peers;
    struct address address;
    bool used;
    uint8_t slot;
    struct connection *connection; /* up, or dialled by us; NULL: none */
    bool up;                       /* hellos were exchanged */
    bool told;                     /* and the node knows */
    bool complained;               /* an absence was logged */
    char version[32];
    uint32_t backoff_ms;
    unsigned n_dials;
    uint64_t n_dropped; /* frames not queued */
    uv_timer_t timer;   /* when to dial, or when to give up a dial */
    bool resolving;
    uv_getaddrinfo_t resolve;
};

struct stranger {
    struct connection *connection; /* NULL: a free place */
    uint32_t generation;
    char address[ADDRESS_BYTES_MAX + 1];
    char version[32];
};

struct peers {
    struct tls *tls;
    struct turn *turn;
    struct log *log;
    uv_loop_t *loop;
    struct connection_owner owner, stranger_owner;
    const struct vr_config *config;
    size_t frame_max;
    bool started;
    struct prng jitter;
    uint64_t quiet_until_ms[REPLICAS_MAX + 1]; /* by sender of what was refused; last: no replica */
    uint8_t n_members, n_slots, self;          /* as the directory has it */
    bool greets;
    struct peer *slots[SLOTS_MAX];             /* NULL: it is our own */
    struct peer places[PEERS_PLACES];
    struct stranger strangers[STRANGERS_MAX];
    bool strangers_wait; /* for what was queued for them in this turn */
    bool said_no_member;
    char refusal[PEERS_REFUSAL_SIZE]; /* the newest one that names addresses */
    char refused[PEERS_REFUSED_SIZE]; /* for the status: whom, and why; empty: nobody of late */
    char refused_address[ADDRESS_BYTES_MAX + 1]; /* who that is */
    uint64_t refused_ms;
};

/* Nothing is dialled before peers_start.  `config` and `tls`, which may be NULL, are kept by
 * pointer. */
void peers_init(struct peers *p, uv_loop_t *loop, struct turn *turn, struct log *log,
                struct tls *tls, const struct vr_config *config, size_t frame_max, uint64_t seed,
                uint8_t *read_buffer);
void peers_start(struct peers *p);

/* What node_io.directory is to do. */
void peers_directory(struct peers *p, const struct node_directory *directory);

/* A connection was accepted, and `hello` is its first frame.  0, or VSTAMP_E_*: close it. */
int peers_adopt(struct peers *p, struct connection *c, const struct wire_message *hello);

/* Queue a frame, which is copied, or drop it. */
void peers_send(struct peers *p, uint8_t slot, struct bytes frame);

/* An answer to a stranger.  False: `origin` is not one of theirs. */
bool peers_reply(struct peers *p, uint64_t origin, struct bytes frame);

/* Write what a turn has queued, and tell the node who came up by a new directory. */
void peers_flush(struct peers *p);

/* Feed what a full turn left; as connection_resume_held. */
bool peers_resume(struct peers *p);

/* Once a second or so: close those that keep a frame unfinished. */
void peers_sweep(struct peers *p);

/* Frames for the replica in this slot that were dropped here. */
uint64_t peers_dropped(const struct peers *p, uint8_t slot);

#endif

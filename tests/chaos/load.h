/* SPDX-License-Identifier: BSD-2-Clause */
/* A load on a real group, whose history can be judged: see load.c.  Each client is a process of its
 * own, so that it can be killed; what must outlive it, as a session file would, is in memory that
 * all of them share.
 *
 *   load.c       the processes: begin, kill, and at the end settle and read everything
 *   asking.c     one client: what it asks and what it learns
 *   verdict.c    another program: is the history that they wrote a possible one?
 *
 * The history is text, a line when an operation begins and a line when it ends, each written at
 * once, so that a killed process leaves a history that holds:
 *
 *   TIME CLIENT begin NUMBER KEY put VALUE | cas-absent VALUE | cas EXPECTED VALUE | del
 *                                | incr 1 | append VALUE | get
 *   TIME CLIENT end NUMBER done [ANSWER]    it ran
 *                          no               it ran, and the answer is no: absent, not swapped
 *                          never            it did not and will not run
 *                          unknown          nobody knows yet; another end may follow
 *                          refused WHY      this should not happen
 *
 * TIME is CLOCK_MONOTONIC in microseconds.  The first letter of a key says what it is: r a
 * register, c a counter, l a list.  An operation without an end is unknown.  An operation that was
 * settled twice has two ends, which must be the same. */
#ifndef CHAOS_LOAD_H
#define CHAOS_LOAD_H

#include <stdatomic.h>
#include <stdio.h>

#include "base/prng.h"
#include "client/conn.h"
#include "sim/linear.h"

#define LOAD_CLIENTS_MAX 64u
#define LOAD_SLOTS       6u    /* keys in use at a time: two of each kind */
#define LOAD_KEY_OPS     200u  /* of a key: then its slot gets another, or it can't be judged */
#define LOAD_OPEN_MAX    8192u /* requests of one client whose outcome is unknown */
#define LOAD_BODY_MAX    16384u

struct load_op {
    uint64_t number; /* in the history */
    enum linear_kind kind;
    uint32_t slot, generation; /* of the key */
    uint64_t value, expected;
};

/* A request and who asked it, from before it is sent until it is settled. */
struct load_request {
    struct load_op op;
    struct session_identity identity; /* before it was sent */
};

/* What outlives the process of a client. */
struct load_room {
    struct session_identity identity;
    uint64_t n_ops;
    atomic_bool has_noted;
    struct load_request noted; /* it is under way */
    atomic_uint n_open;
    struct load_request open[LOAD_OPEN_MAX]; /* left for the end */
};

struct load_shared {
    atomic_bool stopping;
    atomic_uint_fast64_t tickets[LOAD_SLOTS]; /* operations drawn for a slot */
    atomic_uint_fast64_t newest[LOAD_SLOTS];  /* value somebody writes there, for a CAS to expect */
    atomic_uint_fast64_t values;              /* every value is written once */
    struct load_room rooms[LOAD_CLIENTS_MAX + 1]; /* the last one is the parent's */
};

/* A client while its process lives. */
struct load_client {
    struct load_shared *shared;
    struct load_room *room;
    unsigned index;
    const struct config_addresses *replicas; /* all of them */
    uint8_t n_replicas;                      /* that it knows now: all, or one */
    unsigned unanswered;                     /* requests in a row */
    int history; /* O_APPEND: a line is one write */
    struct prng prng;
    struct conn *conn;
    struct session session;
    uint8_t body[LOAD_BODY_MAX];
};

/* asking.c; `replicas` is kept */
void load_client_open(struct load_client *client, struct load_shared *shared, unsigned index,
                      const struct config_addresses *replicas, int history, uint64_t seed);
void load_client_close(struct load_client *client);

/* Ask until shared->stopping. */
void load_client_run(struct load_client *client);

/* Register anew to learn what became of it, within the time.  False: no answer. */
bool load_client_settle(struct load_client *client, const struct load_request *request,
                        uint64_t timeout_ms);

/* One read of the key that a slot had in this generation.  False: no answer. */
bool load_client_read(struct load_client *client, uint32_t slot, uint32_t generation,
                      uint64_t timeout_ms);

#endif

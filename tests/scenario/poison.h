/* SPDX-License-Identifier: BSD-2-Clause */
/* What stories of operations that cannot be executed begin with.  To be included once, after
 * cmocka. */
#ifndef SCENARIO_POISON_H
#define SCENARIO_POISON_H

#include "scenario/cluster_state.h"

/* The store, but adding POISON cannot be executed by the replicas in `refusers`, nor can a tick by
 * those, adding LOCAL not by those in `local_refusers`, and the answer to adding VERBOSE has no
 * end. */
enum { POISON = 13, VERBOSE = 14, LOCAL = 15 };

static struct cluster *running;
static uint64_t sessions[8]; /* by client, 0: it has none yet */
static uint32_t refusers, local_refusers;
static uint32_t n_tries, n_executed; /* of POISON, */
static uint32_t n_ticks;             /* and tries of ticks */

/* Is this the state of one of those? */
static inline bool is_of(uint32_t replicas, const struct vstamp_pages *pages)
{
    for (uint8_t i = 0; i < 4; i++)
        if (cluster_is_up(running, i) && &cluster_core(running, i)->app_pages == pages)
            return (replicas >> i) & 1;
    return false; /* it is being started */
}

static inline void apply(struct vstamp_pages *pages, const struct vstamp_context *context,
                         const uint8_t *operation, size_t size, struct vstamp_answer *answer)
{
    struct kv_op op;
    assert_null(kv_decode_op((struct bytes){operation, size}, &op));
    bool poison = op.verb == KV_INCR && op.number == POISON;
    bool local = op.verb == KV_INCR && op.number == LOCAL;
    n_tries += poison;
    if ((poison && is_of(refusers, pages)) || (local && is_of(local_refusers, pages))) {
        memcpy(answer->data, "no", 2);
        answer->size = 2;
        answer->not_executed = true;
        return;
    }
    n_executed += poison;
    kv_app()->apply(pages, context, operation, size, answer);
    if (op.verb == KV_INCR && op.number == VERBOSE) answer->size = answer->capacity + 1;
}

static inline int tick(struct vstamp_pages *pages, const struct vstamp_context *context,
                       struct vstamp_diag *why)
{
    n_ticks++;
    if (!is_of(refusers, pages)) return kv_app()->tick(pages, context, why);
    vstamp_diag_printf(why, "no");
    return VSTAMP_E_IO;
}

/* To be configured and begun. */
static inline struct cluster *blank_group(uint8_t n, int mode, uint32_t who)
{
    static struct vstamp_app app;
    app = *kv_app();
    app.apply = apply;
    app.tick = tick;
    refusers = who;
    n_tries = n_executed = n_ticks = 0;
    memset(sessions, 0, sizeof sessions);
    running = cluster_new_blank(n, mode);
    running->app = &app;
    return running;
}

static inline const struct vr *core(uint8_t replica)
{
    return cluster_core(running, replica);
}

/* The session of that client, which registers if it has none. */
static inline uint64_t session_of(uint32_t client)
{
    if (sessions[client] == 0)
        sessions[client] = cluster_register(running, client, cluster_primary(running));
    return sessions[client];
}

static inline void add(uint32_t client, uint64_t number, int64_t term)
{
    struct kv_op op = cluster_incr_op();
    op.number = term;
    cluster_send_op(running, client, session_of(client), number, cluster_primary(running), &op);
}

static inline void put(uint32_t client, uint64_t number, size_t size)
{
    static const uint8_t value[CLUSTER_VALUE_MAX];
    struct kv_op op = {.verb = KV_PUT, .key = bytes_of("k"), .value = {value, size}};
    cluster_send_op(running, client, session_of(client), number, cluster_primary(running), &op);
    cluster_settle(running);
}

/* Client 1 adds 1; gives the sum. */
static inline int64_t incr(uint64_t number)
{
    return cluster_incr(running, 1, session_of(1), number, cluster_primary(running));
}

static inline void begin(void)
{
    for (uint8_t i = 0; i < running->n; i++) cluster_start(running, i);
    assert_true(cluster_converge(running));
    assert_int_equal(1, incr(1));
}

static inline struct cluster *group_with(uint8_t n, int mode, uint32_t who)
{
    struct cluster *c = blank_group(n, mode, who);
    begin();
    return c;
}

static inline struct cluster *group(uint8_t n, uint32_t who)
{
    return group_with(n, CLUSTER_DISK, who);
}

/* How the newest answer says that it ended; -1: there is none. */
static inline int outcome(struct cluster *c, uint32_t client, uint64_t number, uint32_t *n)
{
    int newest = -1;
    *n = 0;
    for (size_t i = 0; i < cluster_n_answers(c); i++) {
        struct wire_message m;
        assert_int_equal(0, wire_frame_decode(cluster_nth_answer(c, i), &m));
        if (m.header.command != WIRE_reply || m.as.reply.number != number ||
            !vstamp_id_equal(m.as.reply.client, cluster_client_id(client)))
            continue;
        newest = m.as.reply.outcome;
        ++*n;
    }
    return newest;
}

static inline void assert_outcome(int wanted, uint32_t client, uint64_t number)
{
    uint32_t n;
    assert_int_equal(wanted, outcome(running, client, number, &n));
}

#endif

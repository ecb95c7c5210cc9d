/* SPDX-License-Identifier: BSD-2-Clause */
/* What stories of a membership that changes begin with.  To be included once, after cmocka. */
#ifndef SCENARIO_MEMBERS_H
#define SCENARIO_MEMBERS_H

#include "scenario/cluster.h"

#define LIST(...) (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__})

/* A group of three with a client (1) and an administrator (2). */
struct group {
    struct cluster *c;
    uint64_t session, admin;
};

static inline struct group group_of_three(int mode)
{
    struct group g = {.c = cluster_new(3, mode)};
    g.session = cluster_register(g.c, 1, cluster_primary(g.c));
    g.admin = cluster_register(g.c, 2, cluster_primary(g.c));
    return g;
}

static inline void ask(struct group *g, uint64_t number, uint8_t to, const uint8_t *members,
                       size_t n)
{
    cluster_send_reconfigure(g->c, 2, g->admin, number, to, cluster_core(g->c, to), members,
                             (uint8_t)n);
}

#endif

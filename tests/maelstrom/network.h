/* SPDX-License-Identifier: BSD-2-Clause */
/* What Maelstrom does for its nodes: starts them, and carries their messages.  Those between nodes
 * are delayed, lost, repeated and cut off as the seed has it; those of clients are not.
 *
 * One partition at a time: a random part of the nodes loses its links to the rest, in both
 * directions or in one, and gets them back; both last partition_ms on average. */
#ifndef MAELSTROM_NETWORK_H
#define MAELSTROM_NETWORK_H

#include <stdint.h>
#include <sys/types.h>

#include "base/limits.h"
#include "base/prng.h"
#include "maelstrom/lines.h"

struct network_faults {
    uint32_t delay_ms; /* at most, each message its own */
    uint32_t loss_permille, repeat_permille;
    uint32_t partition_ms; /* 0: none */
};

struct network_node {
    char id[8];
    pid_t pid;
    struct lines_in from;
    struct lines_out to;
};

struct flight;

struct network {
    uint8_t n;
    struct network_node nodes[REPLICAS_MAX];
    struct prng prng;
    struct network_faults faults;
    bool blocked[REPLICAS_MAX][REPLICAS_MAX]; /* from, to */
    bool is_cut;
    uint64_t cut_change_us; /* 0: not drawn yet */
    struct flight *flights; /* in order of their due time */
    size_t n_flights, flights_capacity;
    uint64_t n_carried, n_lost, n_repeated, n_cut_off, n_partitions;
    char trouble[256]; /* the first thing a node did that none may; empty: none */
    /* A message for a client: of that node, with this body. */
    void (*on_client)(void *ctx, uint8_t node, const char *client, const json_t *body);
    void *ctx;
};

uint64_t network_now_us(void);

/* Start `n` nodes, n0 and so on, of the program argv[0].  0 or an errno.  Zeroed before. */
int network_start(struct network *net, uint8_t n, const char *const *argv, uint64_t seed);

/* A client's message to a node. */
void network_send(struct network *net, uint8_t node, const char *client, json_t *body);

/* Carry what there is, and wait for more until `until_us` at the latest. */
void network_turn(struct network *net, uint64_t until_us);

/* From now on no message is harmed. */
void network_heal(struct network *net);

/* The end of their input ends the nodes; what does not is killed.  Either that, or an exit status
 * other than 0, is trouble. */
void network_stop(struct network *net);

#endif

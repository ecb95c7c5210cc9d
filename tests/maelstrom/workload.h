/* SPDX-License-Identifier: BSD-2-Clause */
/* Clients of the workload lin-kv, and what they saw: see workload.c. */
#ifndef MAELSTROM_WORKLOAD_H
#define MAELSTROM_WORKLOAD_H

#include "maelstrom/network.h"

struct workload_stats {
    uint64_t answered;    /* done, or a definite no */
    uint64_t unavailable; /* certainly not done: error 11 or 14 */
    uint64_t unknown;     /* error 0 or 13, or no answer */
    uint64_t keys;
};

struct workload;

/* `net` has started; its on_client is taken over.  Ended by workload_close. */
struct workload *workload_new(struct network *net, uint32_t n_clients, uint64_t seed);
void workload_close(struct workload *w);

/* Until all nodes have answered `init`; false: not within the time. */
bool workload_init_nodes(struct workload *w, uint64_t until_us);

/* Clients ask as they like until then, and on until `n_answers` were given, but not beyond
 * `end_us`. */
void workload_run(struct workload *w, uint64_t until_us, uint64_t n_answers, uint64_t end_us);

/* A write through each node, then a read of every key, each again and again until it is done;
 * false: not all within the time. */
bool workload_finish(struct workload *w, uint64_t until_us);

/* NULL: all that was seen is linearizable.  Else what is not, or could not be decided, after the
 * operations of that key were printed to standard error. */
const char *workload_check(struct workload *w);

struct workload_stats workload_stats(const struct workload *w);

#endif

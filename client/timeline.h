/* SPDX-License-Identifier: BSD-2-Clause */
/* What was answered when, in intervals of TIMELINE_MS, so that a fail-over can be seen. */
#ifndef CLIENT_TIMELINE_H
#define CLIENT_TIMELINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TIMELINE_MS 100u

struct timeline_interval {
    uint32_t answered, failed;
    uint64_t longest_ns; /* latency */
};

struct timeline {
    struct timeline_interval *at;
    size_t n, capacity;
};

/* Something ended `at_ns` after the start. */
void timeline_add(struct timeline *t, uint64_t at_ns, uint64_t latency_ns, bool answered);

/* The last interval is the one in which the load ended. */
void timeline_end(struct timeline *t, uint64_t at_ns);
void timeline_release(struct timeline *t);

#endif

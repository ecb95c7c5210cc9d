/* SPDX-License-Identifier: BSD-2-Clause */
#include <config.h>

#include "client/timeline.h"

#include <stdlib.h>
#include <string.h>

#include "client/memory.h"

static struct timeline_interval *reach(struct timeline *t, uint64_t at_ns)
{
    size_t i = (size_t)(at_ns / (TIMELINE_MS * 1000000u));
    if (i >= t->capacity) {
        size_t capacity = 2 * i + 64;
        t->at = memory_resize(t->at, capacity * sizeof t->at[0]);
        memset(t->at + t->capacity, 0, (capacity - t->capacity) * sizeof t->at[0]);
        t->capacity = capacity;
    }
    if (i >= t->n) t->n = i + 1;
    return &t->at[i];
}

void timeline_add(struct timeline *t, uint64_t at_ns, uint64_t latency_ns, bool answered)
{
    struct timeline_interval *interval = reach(t, at_ns);
    if (answered)
        interval->answered++;
    else
        interval->failed++;
    if (latency_ns > interval->longest_ns) interval->longest_ns = latency_ns;
}

void timeline_end(struct timeline *t, uint64_t at_ns)
{
    reach(t, at_ns);
}

void timeline_release(struct timeline *t)
{
    free(t->at);
    *t = (struct timeline){0};
}

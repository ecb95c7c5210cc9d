/* SPDX-License-Identifier: BSD-2-Clause */
#include <config.h>

#include "client/histogram.h"

#define PER_POWER (1u << HISTOGRAM_BITS)

static uint32_t slot_of(uint64_t value)
{
    if (value >> HISTOGRAM_BITS_MAX != 0) return HISTOGRAM_SLOTS - 1;
    if (value < PER_POWER) return (uint32_t)value;
    uint32_t shift = 63u - (uint32_t)__builtin_clzll(value) - HISTOGRAM_BITS;
    return ((shift + 1) << HISTOGRAM_BITS) + (uint32_t)((value >> shift) & (PER_POWER - 1));
}

/* The largest value of this slot. */
static uint64_t last_of(uint32_t slot)
{
    if (slot < PER_POWER) return slot;
    uint32_t shift = (slot >> HISTOGRAM_BITS) - 1;
    uint64_t first = (uint64_t)(PER_POWER + (slot & (PER_POWER - 1))) << shift;
    return first + ((UINT64_C(1) << shift) - 1);
}

void histogram_add(struct histogram *h, uint64_t value)
{
    if (h->count == 0 || value < h->least) h->least = value;
    if (value > h->greatest) h->greatest = value;
    h->count++;
    h->sum += (double)value;
    h->slots[slot_of(value)]++;
}

uint64_t histogram_quantile(const struct histogram *h, double share)
{
    double wanted = share * (double)h->count;
    uint64_t seen = 0;
    if (h->count == 0) return 0;
    for (uint32_t i = 0; i < HISTOGRAM_SLOTS; i++) {
        seen += h->slots[i];
        if (h->slots[i] == 0 || (double)seen < wanted) continue;
        uint64_t value = last_of(i);
        return value > h->greatest || i == HISTOGRAM_SLOTS - 1 ? h->greatest : value;
    }
    return h->greatest;
}

double histogram_mean(const struct histogram *h)
{
    return h->count == 0 ? 0 : h->sum / (double)h->count;
}

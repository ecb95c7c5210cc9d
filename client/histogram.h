/* SPDX-License-Identifier: BSD-2-Clause */
/* How often each value was seen, of as many values as come, in fixed memory and to three digits.
 *
 * A value below 2^11 has a slot of its own; above, each power of two is cut into 2^10 slots, so a
 * value that is read back is at most one part in 1024 above the one that was added.  Values of 2^42
 * (73 minutes, in nanoseconds) and more count as the largest. */
#ifndef CLIENT_HISTOGRAM_H
#define CLIENT_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_BITS     10u
#define HISTOGRAM_BITS_MAX 42u
#define HISTOGRAM_SLOTS    ((HISTOGRAM_BITS_MAX - HISTOGRAM_BITS + 1) << HISTOGRAM_BITS)

struct histogram {
    uint64_t count, least, greatest; /* exact; least is 0 without values */
    double sum;
    uint64_t slots[HISTOGRAM_SLOTS];
};

/* One of all zeros is empty. */
void histogram_add(struct histogram *h, uint64_t value);

/* The value that a share of all, 0 to 1, does not exceed: 0.99 is the 99th percentile.  0 without
 * values. */
uint64_t histogram_quantile(const struct histogram *h, double share);

double histogram_mean(const struct histogram *h); /* 0 without values */

#endif

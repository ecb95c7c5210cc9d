/* SPDX-License-Identifier: BSD-2-Clause */
/* Numbers as people ask for things: some very often, most hardly ever.  Number i, from 0, comes
 * with a weight of 1 / (i + 1)^theta.  The generator of Gray and others, "Quickly Generating
 * Billion-Record Synthetic Databases" (SIGMOD 1994), which YCSB uses too, there with theta 0.99. */
#ifndef CLIENT_ZIPF_H
#define CLIENT_ZIPF_H

#include "base/prng.h"

#define ZIPF_THETA 0.99

struct zipf {
    uint64_t n;
    double theta, alpha, zeta, eta;
};

/* For numbers below n, which must not be 0; takes time in proportion to n.  0 < theta < 1. */
void zipf_init(struct zipf *z, uint64_t n, double theta);

uint64_t zipf_next(const struct zipf *z, struct prng *prng);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* A seeded pseudo-random generator (xoshiro256**): time-out jitter in the core, everything in the
 * simulator.  Not for secrets: nonces and client ids come from the operating system. */
#ifndef BASE_PRNG_H
#define BASE_PRNG_H

#include <stdbool.h>
#include <stdint.h>

struct prng {
    uint64_t s[4];
};

void prng_seed(struct prng *p, uint64_t seed); /* any seed will do, 0 too */
uint64_t prng_next(struct prng *p);            /* all 64 bits */
uint64_t prng_below(struct prng *p, uint64_t bound);           /* 0 .. bound - 1; bound > 0 */
uint64_t prng_between(struct prng *p, uint64_t low, uint64_t high); /* both included */
bool prng_chance(struct prng *p, uint32_t numerator, uint32_t denominator); /* true so often */

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* xoshiro256** of Blackman and Vigna; its state is filled from the seed by splitmix64, as they
 * advise, because similar seeds (0, 1, 2, ...) would otherwise start out alike. */
#include "base/prng.h"

#include "base/assert.h"

static uint64_t splitmix64(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static uint64_t rotate_left(uint64_t v, unsigned bits)
{
    return (v << bits) | (v >> (64 - bits));
}

void prng_seed(struct prng *p, uint64_t seed)
{
    for (int i = 0; i < 4; i++) p->s[i] = splitmix64(&seed);
}

uint64_t prng_next(struct prng *p)
{
    uint64_t *s = p->s;
    assert((s[0] | s[1] | s[2] | s[3]) != 0); /* never seeded: it would give zeros for ever */
    uint64_t result = rotate_left(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate_left(s[3], 45);
    return result;
}

uint64_t prng_below(struct prng *p, uint64_t bound)
{
    assert(bound > 0);
    uint64_t v;
    do {
        v = prng_next(p);
    } while (v < bound && v < -bound % bound); /* below 2^64 mod bound: it favours low numbers */
    return v % bound;
}

uint64_t prng_between(struct prng *p, uint64_t low, uint64_t high)
{
    assert(low <= high);
    if (high - low == UINT64_MAX) return prng_next(p);
    return low + prng_below(p, high - low + 1);
}

bool prng_chance(struct prng *p, uint32_t numerator, uint32_t denominator)
{
    return prng_below(p, denominator) < numerator;
}

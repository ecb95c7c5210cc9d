/* SPDX-License-Identifier: BSD-2-Clause */
/* Compiled for AVX2, and only where there is such a thing: all else that this file takes from
 * headers is static, so no other file gets a function from here that its processor cannot run. */
#include "base/checksum_avx2.h"

#define XXH_INLINE_ALL
#define XXH_NO_STREAM
#include <xxhash.h>

uint64_t checksum64_avx2(const void *data, size_t size)
{
    return XXH3_64bits(data, size);
}

uint64_t checksum64_seeded_avx2(const void *data, size_t size, uint64_t seed)
{
    return XXH3_64bits_withSeed(data, size, seed);
}

struct vstamp_id checksum128_avx2(const void *data, size_t size)
{
    XXH128_hash_t h = XXH3_128bits(data, size);
    return (struct vstamp_id){.hi = h.high64, .lo = h.low64};
}

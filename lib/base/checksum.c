/* SPDX-License-Identifier: BSD-2-Clause */
/* XXH3 compiled into this file, so that the core depends on no shared library and calls nothing.
 * Of long inputs another file computes the same sums with AVX2, twice as fast, on processors that
 * have it. */
#include "base/checksum.h"

#include <stdbool.h>

#include "base/checksum_avx2.h"

#define XXH_INLINE_ALL
#define XXH_NO_STREAM /* it allocates; before xxHash 0.8.2 the compiler drops it as unused */
#include <xxhash.h>

#ifdef __x86_64__
static bool is_for_avx2(size_t size)
{
    return size > XXH3_MIDSIZE_MAX && __builtin_cpu_supports("avx2");
}
#else
#define is_for_avx2(size) false
#endif

uint64_t checksum64(const void *data, size_t size)
{
    return is_for_avx2(size) ? checksum64_avx2(data, size) : XXH3_64bits(data, size);
}

uint64_t checksum64_seeded(const void *data, size_t size, uint64_t seed)
{
    return is_for_avx2(size) ? checksum64_seeded_avx2(data, size, seed)
                             : XXH3_64bits_withSeed(data, size, seed);
}

struct vstamp_id checksum128(const void *data, size_t size)
{
    if (is_for_avx2(size)) return checksum128_avx2(data, size);
    XXH128_hash_t h = XXH3_128bits(data, size);
    return (struct vstamp_id){.hi = h.high64, .lo = h.low64};
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* XXH3 compiled into this file, so that the core depends on no shared library and calls nothing. */
#include "base/checksum.h"

#define XXH_INLINE_ALL
#define XXH_NO_STREAM /* it allocates; before xxHash 0.8.2 the compiler drops it as unused */
#include <xxhash.h>

uint64_t checksum64(const void *data, size_t size)
{
    return XXH3_64bits(data, size);
}

uint64_t checksum64_seeded(const void *data, size_t size, uint64_t seed)
{
    return XXH3_64bits_withSeed(data, size, seed);
}

struct vstamp_id checksum128(const void *data, size_t size)
{
    XXH128_hash_t h = XXH3_128bits(data, size);
    return (struct vstamp_id){.hi = h.high64, .lo = h.low64};
}

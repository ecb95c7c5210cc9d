/* SPDX-License-Identifier: BSD-2-Clause */
/* Sums go into frames and onto disks, so they are the same on every processor: those of libxxhash,
 * which is compiled by others, for whatever they chose. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <xxhash.h>

#include "base/checksum.h"
#include "base/prng.h"

#define SIZE_MAX_TRIED 5000u

static void sums_are_those_of_the_library(void **state)
{
    static uint8_t data[SIZE_MAX_TRIED];
    struct prng prng;
    (void)state;
    prng_seed(&prng, 1);
    for (size_t i = 0; i < sizeof data; i++) data[i] = (uint8_t)prng_below(&prng, 256);
    for (size_t size = 0; size <= sizeof data; size++) {
        XXH128_hash_t wide = XXH3_128bits(data, size);
        struct vstamp_id id = checksum128(data, size);
        assert_int_equal(checksum64(data, size), XXH3_64bits(data, size));
        assert_int_equal(checksum64_seeded(data, size, size),
                         XXH3_64bits_withSeed(data, size, size));
        assert_int_equal(id.hi, wide.high64);
        assert_int_equal(id.lo, wide.low64);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_are_those_of_the_library),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

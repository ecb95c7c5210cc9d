/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/prng.h"

/* A seed must mean the same run for ever, or the seeds of old failures are worth nothing. */
static void a_seed_gives_the_same_numbers_for_ever(void **state)
{
    (void)state;
    struct prng p;
    prng_seed(&p, 0);
    assert_int_equal(prng_next(&p), UINT64_C(0x99ec5f36cb75f2b4));
    assert_int_equal(prng_next(&p), UINT64_C(0xbf6e1f784956452a));
    assert_int_equal(prng_next(&p), UINT64_C(0x1a5f849d4933e6e0));
}

static void neighbouring_seeds_have_nothing_in_common(void **state)
{
    (void)state;
    struct prng a, b;
    prng_seed(&a, 1);
    prng_seed(&b, 2);
    for (int i = 0; i < 100; i++) {
        int differing = __builtin_popcountll(prng_next(&a) ^ prng_next(&b));
        assert_in_range(differing, 8, 56);
    }
}

static void draws_stay_in_their_range_and_reach_all_of_it(void **state)
{
    (void)state;
    struct prng p;
    prng_seed(&p, 3);
    unsigned below[7] = {0}, between[3] = {0};
    for (int i = 0; i < 7000; i++) {
        uint64_t v = prng_below(&p, 7);
        assert_true(v < 7);
        below[v]++;
        v = prng_between(&p, 10, 12);
        assert_in_range(v, 10, 12);
        between[v - 10]++;
    }
    for (int i = 0; i < 7; i++) assert_in_range(below[i], 850, 1150);
    for (int i = 0; i < 3; i++) assert_in_range(between[i], 2150, 2520);
}

static void the_widest_and_the_narrowest_ranges_work(void **state)
{
    (void)state;
    struct prng p;
    prng_seed(&p, 4);
    assert_int_equal(prng_below(&p, 1), 0);
    assert_int_equal(prng_between(&p, 5, 5), 5);
    assert_int_equal(prng_between(&p, UINT64_MAX, UINT64_MAX), UINT64_MAX);
    uint64_t seen = 0;
    for (int i = 0; i < 64; i++) seen |= prng_between(&p, 0, UINT64_MAX);
    assert_int_equal(seen, UINT64_MAX);
    uint64_t bound = (UINT64_C(1) << 63) + 1; /* half of the draws have to be thrown away */
    for (int i = 0; i < 100; i++) assert_true(prng_below(&p, bound) < bound);
}

static void chances_are_kept(void **state)
{
    (void)state;
    struct prng p;
    prng_seed(&p, 5);
    unsigned hits = 0;
    for (int i = 0; i < 10000; i++) {
        assert_false(prng_chance(&p, 0, 10));
        assert_true(prng_chance(&p, 10, 10));
        hits += prng_chance(&p, 3, 10);
    }
    assert_in_range(hits, 2800, 3200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_seed_gives_the_same_numbers_for_ever),
        cmocka_unit_test(neighbouring_seeds_have_nothing_in_common),
        cmocka_unit_test(draws_stay_in_their_range_and_reach_all_of_it),
        cmocka_unit_test(the_widest_and_the_narrowest_ranges_work),
        cmocka_unit_test(chances_are_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

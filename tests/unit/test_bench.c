/* SPDX-License-Identifier: BSD-2-Clause */
/* What vstamp bench computes with: the histogram against sorted samples, the keys against the law
 * that they are drawn by. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/prng.h"
#include "client/histogram.h"
#include "client/zipf.h"

enum { SAMPLES = 200000 };

static struct histogram h;
static uint64_t samples[SAMPLES];
static struct prng prng;

static int fresh(void **state)
{
    (void)state;
    memset(&h, 0, sizeof h);
    prng_seed(&prng, 42);
    return 0;
}

static int order(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* Sorts the samples.  The quantile may be above the sample of that rank, by one part in 1024. */
static void agrees_with_samples(size_t n)
{
    static const double shares[] = {0, 0.0001, 0.25, 0.5, 0.9, 0.99, 0.999, 0.9999, 1};
    qsort(samples, n, sizeof samples[0], order);
    assert_int_equal(h.count, n);
    assert_int_equal(h.least, samples[0]);
    assert_int_equal(h.greatest, samples[n - 1]);
    for (size_t i = 0; i < sizeof shares / sizeof shares[0]; i++) {
        size_t rank = (size_t)ceil(shares[i] * (double)n);
        uint64_t exact = samples[rank > 0 ? rank - 1 : 0];
        uint64_t found = histogram_quantile(&h, shares[i]);
        assert_in_range(found, exact, exact + exact / 1024);
    }
}

static void quantiles_are_those_of_the_sorted_samples(void **state)
{
    (void)state;
    for (size_t i = 0; i < SAMPLES; i++) { /* of all magnitudes from 1 to 2^40 */
        samples[i] = prng_below(&prng, UINT64_C(1) << prng_between(&prng, 0, 40));
        histogram_add(&h, samples[i]);
    }
    agrees_with_samples(SAMPLES);
}

static void a_few_samples_are_enough(void **state)
{
    (void)state;
    for (size_t n = 0; n < 3; n++) {
        samples[n] = 1000000 * (n + 1);
        histogram_add(&h, samples[n]);
        agrees_with_samples(n + 1);
    }
    assert_true(fabs(histogram_mean(&h) - 2000000) < 1e-6);
}

static void an_empty_one_says_zero(void **state)
{
    (void)state;
    assert_int_equal(histogram_quantile(&h, 0.5), 0);
    assert_true(histogram_mean(&h) < 1e-9);
}

static void small_values_are_exact(void **state)
{
    (void)state;
    for (uint64_t v = 0; v < 2048; v++) histogram_add(&h, v);
    for (uint64_t v = 0; v < 2048; v++)
        assert_int_equal(histogram_quantile(&h, (double)(v + 1) / 2048), v);
}

static void what_is_beyond_the_range_is_the_greatest(void **state)
{
    (void)state;
    histogram_add(&h, 5);
    histogram_add(&h, UINT64_MAX);
    assert_int_equal(histogram_quantile(&h, 1), UINT64_MAX);
    assert_int_equal(histogram_quantile(&h, 0.5), 5);
}

/* The first ranks each, the others in growing groups. */
static void the_law_of_zipf_holds(void **state)
{
    (void)state;
    enum { N = 1000, DRAWS = 2000000 };
    static uint32_t seen[N];
    struct zipf z;
    double weights = 0;
    memset(seen, 0, sizeof seen);
    zipf_init(&z, N, ZIPF_THETA);
    for (size_t i = 0; i < DRAWS; i++) seen[zipf_next(&z, &prng)]++;
    for (size_t i = 0; i < N; i++) weights += pow((double)i + 1, -ZIPF_THETA);

    double expected = 0, found = 0;
    for (size_t i = 0, end = 1; i < N; i++) {
        expected += DRAWS * pow((double)i + 1, -ZIPF_THETA) / weights;
        found += seen[i];
        if (i + 1 < end) continue;
        /* The generator is exact for ranks 0 and 1, and an approximation beyond. */
        double tolerance = (end <= 2 ? 0 : 0.15 * expected) + 5 * sqrt(expected);
        assert_true(fabs(found - expected) <= tolerance);
        expected = found = 0;
        end = end < 2 ? end + 1 : end * 3;
    }
}

static void few_keys_are_all_drawn_and_no_other(void **state)
{
    (void)state;
    for (uint64_t n = 1; n <= 4; n++) {
        struct zipf z;
        uint64_t seen[4] = {0};
        zipf_init(&z, n, ZIPF_THETA);
        for (size_t i = 0; i < 10000; i++) {
            uint64_t key = zipf_next(&z, &prng);
            assert_true(key < n);
            seen[key]++;
        }
        for (uint64_t i = 0; i < n; i++) assert_true(seen[i] > 0);
        for (uint64_t i = 1; i < n; i++) assert_true(seen[i] < seen[0]);
    }
}

static void a_seed_is_a_sequence(void **state)
{
    (void)state;
    struct zipf z;
    struct prng again;
    zipf_init(&z, 100, ZIPF_THETA);
    prng_seed(&again, 42);
    for (size_t i = 0; i < 1000; i++)
        assert_int_equal(zipf_next(&z, &prng), zipf_next(&z, &again));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(quantiles_are_those_of_the_sorted_samples, fresh),
        cmocka_unit_test_setup(a_few_samples_are_enough, fresh),
        cmocka_unit_test_setup(an_empty_one_says_zero, fresh),
        cmocka_unit_test_setup(small_values_are_exact, fresh),
        cmocka_unit_test_setup(what_is_beyond_the_range_is_the_greatest, fresh),
        cmocka_unit_test_setup(the_law_of_zipf_holds, fresh),
        cmocka_unit_test_setup(few_keys_are_all_drawn_and_no_other, fresh),
        cmocka_unit_test_setup(a_seed_is_a_sequence, fresh),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* The simulator's linearizability checker, on histories known to be good and known to be bad, and
 * against a brute force over all orders of small random histories. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/prng.h"
#include "sim/linear.h"

#define STEPS 1000000u
#define SAW(v) {.present = true, .value = (v)}

#define check_history(...)                                                                         \
    linear_check((const struct linear_op[]){__VA_ARGS__},                                          \
                 sizeof((const struct linear_op[]){__VA_ARGS__}) / sizeof(struct linear_op), STEPS)

static void reads_after_a_write_see_it(void **unused)
{
    (void)unused;
    assert_int_equal(LINEAR_OK, check_history({1, 2, LINEAR_PUT, 7, .done = true},
                                              {3, 4, LINEAR_GET, .saw = SAW(7)}));
    assert_int_equal(LINEAR_VIOLATION, check_history({1, 2, LINEAR_PUT, 7, .done = true},
                                                     {3, 4, LINEAR_GET, .saw = {0}}));
}

static void a_read_beside_a_write_may_see_either(void **unused)
{
    (void)unused;
    assert_int_equal(LINEAR_OK, check_history({1, 9, LINEAR_PUT, 7, .done = true},
                                              {2, 3, LINEAR_GET, .saw = {0}},
                                              {4, 5, LINEAR_GET, .saw = SAW(7)}));
}

static void two_reads_beside_a_write_may_not_go_back(void **unused)
{
    (void)unused;
    assert_int_equal(LINEAR_VIOLATION, check_history({1, 9, LINEAR_PUT, 7, .done = true},
                                                     {2, 3, LINEAR_GET, .saw = SAW(7)},
                                                     {4, 5, LINEAR_GET, .saw = {0}}));
}

static void an_unknown_write_may_happen_late_or_never(void **unused)
{
    (void)unused;
    assert_int_equal(LINEAR_OK, check_history({1, LINEAR_PENDING, LINEAR_PUT, 7, .done = false},
                                              {5, 6, LINEAR_GET, .saw = {0}},
                                              {7, 8, LINEAR_GET, .saw = SAW(7)}));
    assert_int_equal(LINEAR_OK, check_history({1, LINEAR_PENDING, LINEAR_PUT, 7, .done = false},
                                              {5, 6, LINEAR_GET, .saw = {0}}));
}

static void an_unknown_write_happens_at_most_once(void **unused)
{
    (void)unused;
    assert_int_equal(LINEAR_VIOLATION,
                     check_history({1, LINEAR_PENDING, LINEAR_PUT, 7, .done = false},
                                                     {2, 3, LINEAR_GET, .saw = SAW(7)},
                                                     {4, 5, LINEAR_PUT, 8, .done = true},
                                                     {6, 7, LINEAR_GET, .saw = SAW(7)}));
}

static void an_increment_that_ran_twice_is_found(void **unused)
{
    (void)unused;
    assert_int_equal(LINEAR_VIOLATION, check_history({1, 2, LINEAR_INCR, 1, .saw = SAW(1)},
                                                     {3, 4, LINEAR_GET, .saw = SAW(2)}));
    assert_int_equal(LINEAR_OK, check_history({1, 2, LINEAR_INCR, 1, .saw = SAW(1)},
                                              {1, LINEAR_PENDING, LINEAR_INCR, 1, .done = false},
                                              {3, 4, LINEAR_GET, .saw = SAW(2)}));
}

static void a_lost_append_is_found(void **unused)
{
    (void)unused;
    uint64_t one = linear_list_hash(0, 11), two = linear_list_hash(one, 22);
    struct linear_op ops[] = {
        {1, 2, LINEAR_APPEND, 11, 3, .saw = {true, 0, 3}},
        {3, 4, LINEAR_APPEND, 22, 3, .saw = {true, 0, 6}},
        {5, 6, LINEAR_GET, .saw = {true, two, 6}},
    };
    assert_int_equal(LINEAR_OK, linear_check(ops, 3, STEPS));
    ops[2].saw = (struct linear_state){true, linear_list_hash(0, 22), 3};
    assert_int_equal(LINEAR_VIOLATION, linear_check(ops, 3, STEPS));
    ops[2].saw = (struct linear_state){true, linear_list_hash(linear_list_hash(0, 22), 11), 6};
    assert_int_equal(LINEAR_VIOLATION, linear_check(ops, 3, STEPS));
}

static void a_swap_answers_by_what_was_there(void **unused)
{
    (void)unused;
    assert_int_equal(LINEAR_OK, check_history({1, 2, LINEAR_CAS_ABSENT, 5, .done = true},
                                              {3, 4, LINEAR_CAS, 6, 5, .done = true},
                                              {5, 6, LINEAR_CAS, 7, 5, .done = false},
                                              {7, 8, LINEAR_DEL, .done = true},
                                              {9, 10, LINEAR_DEL, .done = false}));
    assert_int_equal(LINEAR_VIOLATION, check_history({1, 2, LINEAR_CAS_ABSENT, 5, .done = true},
                                                     {3, 4, LINEAR_CAS_ABSENT, 6, .done = true}));
}

/* Every order, by plain recursion: what linear_check must agree with. */
static bool brute_force(const struct linear_op *ops, size_t n, uint32_t taken,
                        struct linear_state s)
{
    bool all = true;
    uint64_t first_end = LINEAR_PENDING;
    for (size_t i = 0; i < n; i++) {
        if ((taken >> i) & 1 || ops[i].end == LINEAR_PENDING) continue;
        all = false;
        if (ops[i].end < first_end) first_end = ops[i].end;
    }
    if (all) return true;
    for (size_t i = 0; i < n; i++) {
        if ((taken >> i) & 1 || ops[i].begin > first_end) continue;
        struct linear_state after = s;
        bool known = ops[i].end != LINEAR_PENDING;
        if (ops[i].kind == LINEAR_PUT) after = (struct linear_state){true, ops[i].argument, 0};
        if (ops[i].kind == LINEAR_INCR) {
            after = (struct linear_state){true, (s.present ? s.value : 0) + ops[i].argument, 0};
            if (known && after.value != ops[i].saw.value) continue;
        }
        if (ops[i].kind == LINEAR_DEL) after = (struct linear_state){0};
        bool fits = s.present && s.value == ops[i].expected;
        if (ops[i].kind == LINEAR_CAS && fits)
            after = (struct linear_state){true, ops[i].argument, 0};
        if (ops[i].kind == LINEAR_CAS && known && ops[i].done != fits) continue;
        if (ops[i].kind == LINEAR_DEL && known && ops[i].done != s.present) continue;
        if (ops[i].kind == LINEAR_GET && known &&
            (s.present != ops[i].saw.present || (s.present && s.value != ops[i].saw.value)))
            continue;
        if (brute_force(ops, n, taken | UINT32_C(1) << i, after)) return true;
    }
    return false;
}

static void agrees_with_brute_force_on_small_random_histories(void **unused)
{
    (void)unused;
    struct prng prng;
    size_t good = 0;
    prng_seed(&prng, 1);
    for (int round = 0; round < 4000; round++) {
        struct linear_op ops[7];
        size_t n = 2 + prng_below(&prng, 6);
        for (size_t i = 0; i < n; i++) {
            uint64_t begin = prng_below(&prng, 20);
            uint64_t value = 1 + prng_below(&prng, 3);
            ops[i] = (struct linear_op){.begin = begin, .end = begin + 1 + prng_below(&prng, 8),
                                        .kind = LINEAR_GET, .done = true};
            if (prng_chance(&prng, 1, 4)) ops[i].end = LINEAR_PENDING;
            if (prng_chance(&prng, 1, 2)) ops[i].kind = LINEAR_PUT;
            if (prng_chance(&prng, 1, 5)) ops[i].kind = LINEAR_INCR;
            if (prng_chance(&prng, 1, 6)) ops[i].kind = LINEAR_CAS;
            if (prng_chance(&prng, 1, 8)) ops[i].kind = LINEAR_DEL;
            ops[i].expected = 1 + prng_below(&prng, 3);
            if (ops[i].kind == LINEAR_CAS || ops[i].kind == LINEAR_DEL)
                ops[i].done = prng_chance(&prng, 1, 2);
            ops[i].argument = ops[i].kind == LINEAR_INCR ? 1 : value;
            ops[i].saw = (struct linear_state){prng_chance(&prng, 4, 5), value, 0};
        }
        bool expected = brute_force(ops, n, 0, (struct linear_state){0});
        good += expected;
        assert_int_equal(expected ? LINEAR_OK : LINEAR_VIOLATION, linear_check(ops, n, STEPS));
    }
    assert_in_range(good, 400, 3600);
}

/* What changes nothing is no choice: not each set of so many reads is gone through, nor of writes
 * that were never answered. */
static void what_changes_nothing_is_not_a_choice(void **unused)
{
    (void)unused;
    struct linear_op ops[61] = {{1, 2, LINEAR_PUT, 7, .done = true},
                                {3, 99, LINEAR_PUT, 8, .done = true},
                                {100, 101, LINEAR_GET, .saw = SAW(9)}};
    for (size_t i = 3; i < 23; i++)
        ops[i] = (struct linear_op){4, 98, LINEAR_GET, .saw = SAW(7)};
    for (uint64_t i = 23; i < 61; i++)
        ops[i] = (struct linear_op){3, LINEAR_PENDING, LINEAR_CAS, 100 + i, 200 + i, .done = false};
    assert_int_equal(LINEAR_VIOLATION, linear_check(ops, 23, STEPS));
    assert_int_equal(LINEAR_VIOLATION, linear_check(ops, 61, STEPS));
    ops[2].saw.value = 8;
    assert_int_equal(LINEAR_OK, linear_check(ops, 61, STEPS));
}

static void a_search_that_takes_too_long_says_so(void **unused)
{
    (void)unused;
    const struct linear_op op = {1, 2, LINEAR_PUT, 7, .done = true};
    assert_int_equal(LINEAR_TOO_HARD, linear_check(&op, 1, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_after_a_write_see_it),
        cmocka_unit_test(a_read_beside_a_write_may_see_either),
        cmocka_unit_test(two_reads_beside_a_write_may_not_go_back),
        cmocka_unit_test(an_unknown_write_may_happen_late_or_never),
        cmocka_unit_test(an_unknown_write_happens_at_most_once),
        cmocka_unit_test(an_increment_that_ran_twice_is_found),
        cmocka_unit_test(a_lost_append_is_found),
        cmocka_unit_test(a_swap_answers_by_what_was_there),
        cmocka_unit_test(agrees_with_brute_force_on_small_random_histories),
        cmocka_unit_test(what_changes_nothing_is_not_a_choice),
        cmocka_unit_test(a_search_that_takes_too_long_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* Which pages are taken for a store: those of any history, and none that were damaged where the
 * damage could lead an operation astray. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/prng.h"
#include "kv/kv.h"
#include "kv/store.h"
#include "paged.h"

#define N_PAGES 40u
#define CELL 64u
#define KEYS 60u

static int set_up(void **state)
{
    struct paged *p = calloc(1, sizeof *p);
    if (p == NULL) abort();
    paged_open(p, N_PAGES, 0);
    *state = p;
    return 0;
}

static int tear_down(void **state)
{
    paged_close(*state);
    free(*state);
    return 0;
}

static bool is_sound(const struct paged *p)
{
    uint64_t memory[VSTAMP_AUDIT_BYTES / sizeof(uint64_t)] = {0};
    enum vstamp_audit verdict = VSTAMP_AUDIT_GOES_ON;
    while (verdict == VSTAMP_AUDIT_GOES_ON)
        verdict = kv_store_audit(&p->window, p->pages.n_used, memory, 7);
    return verdict == VSTAMP_AUDIT_PASSES;
}

static void step(struct paged *p, struct prng *rng)
{
    static const uint8_t bytes[300];
    uint8_t text[40] = {'k'};
    uint64_t which = prng_below(rng, KEYS);
    text[1] = (uint8_t)which;
    struct bytes key = {text, which % 3 == 0 ? 2 : sizeof text};
    kv_store_open(&p->window, 7);
    if (prng_chance(rng, 1, 3)) {
        kv_store_remove(&p->window, key);
    } else {
        size_t size = prng_below(rng, prng_chance(rng, 1, 2) ? 20 : sizeof bytes);
        uint64_t expiry = prng_chance(rng, 1, 2) ? 1 + prng_below(rng, 50) : 0;
        assert_true(kv_store_put(&p->window, key, (struct bytes){bytes, size}, expiry));
        uint32_t record = kv_store_find(&p->window, key);
        if (size < 200 && prng_chance(rng, 1, 4))
            assert_true(kv_store_append(&p->window, record, (struct bytes){bytes, 30}));
        if (prng_chance(rng, 1, 4))
            assert_true(kv_store_set_expiry(&p->window, record, prng_below(rng, 3)));
    }
}

static void pages_of_any_history_are_sound(void **state)
{
    struct paged *p = *state;
    struct prng rng;
    prng_seed(&rng, 1);
    assert_true(is_sound(p));
    for (int i = 0; i < 2000; i++) {
        step(p, &rng);
        assert_true(is_sound(p));
    }
    for (int i = 0; i < 20000 && kv_store_n_keys(&p->window) > 0; i++) {
        kv_store_remove(&p->window, (struct bytes){(uint8_t[]){'k', (uint8_t)(i % KEYS)}, 2});
        step(p, &rng);
    }
    assert_true(is_sound(p));
}

/* What may be asked of pages that were taken for a store: all of this, without an assert. */
static void use(struct paged *p, struct prng *rng)
{
    static uint8_t answer_bytes[65536];
    const uint8_t list[] = {KV_LIST, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
    struct vstamp_answer answer = {.data = answer_bytes, .capacity = sizeof answer_bytes};
    kv_app()->query(&p->window, list, sizeof list, &answer);
    assert_true(answer.size > 1);
    for (int i = 0; i < 50; i++) step(p, rng);
    for (uint32_t which = 0; which < KEYS; which++)
        kv_store_remove(&p->window, (struct bytes){(uint8_t[]){'k', (uint8_t)which}, 2});
}

/* One bit of a number that the store keeps, or of the head of a later cell: mostly it is told.
 * If not, it was in a key or a value, where only a digest could tell. */
static void a_flipped_bit_is_told_or_harmless(void **state)
{
    struct paged *p = *state;
    static uint8_t before[N_PAGES * VSTAMP_PAGE_SIZE];
    struct prng rng;
    prng_seed(&rng, 2);
    for (int i = 0; i < 300; i++) step(p, &rng);
    const uint32_t n_used = p->pages.n_used;
    memcpy(before, pages_read(&p->pages, 0), (size_t)n_used * VSTAMP_PAGE_SIZE);
    uint32_t n_told = 0, n = 0;
    for (uint32_t place = 0; place < n_used * VSTAMP_PAGE_SIZE; place += 4) {
        if (place % CELL >= 32) continue;
        uint8_t *at = pages_write(&p->pages, place / VSTAMP_PAGE_SIZE) + place % VSTAMP_PAGE_SIZE;
        at[prng_below(&rng, 4)] ^= (uint8_t)(1u << prng_below(&rng, 8));
        n++;
        if (!is_sound(p)) n_told++;
        else use(p, &rng);
        for (uint32_t page = 0; page < p->pages.n_used; page++)
            memcpy(pages_write(&p->pages, page), before + page * VSTAMP_PAGE_SIZE,
                   VSTAMP_PAGE_SIZE);
    }
    assert_true(n_told > n / 2);
    assert_true(is_sound(p));
}

static void a_field_that_contradicts_another_is_told(void **state)
{
    struct paged *p = *state;
    const struct {
        uint32_t cell, field;
        const char *what;
    } cases[] = {
        {0, 4, "the form"}, {0, 8, "the root"}, {0, 12, "the smallest key"},
        {0, 16, "the free list"}, {0, 20, "its length"}, {0, 24, "the cells in use"},
        {0, 32, "the number of keys"}, {0, 40, "their bytes"}, {0, 48, "the seed"},
        {1, 0, "the next cell"}, {1, 4, "what is left"}, {1, 8, "what is right"},
        {1, 12, "what follows"}, {1, 16, "the last cell"}, {1, 20, "the value's size"},
        {1, 24, "the key's size"}, {1, 28, "the priority"}, {1, 32, "the key"},
        {0, 28, "the root of the expiries"}, {0, 56, "the first to expire"},
        {1, 23, "whether it expires"}, {11, 4, "what is left in the other tree"},
        {11, 32, "when it expires"}, {11, 40, "which it is that expires"},
        {60, 8, "a cell never used"},
    };
    struct bytes value = bytes_of("a value for which one cell is not enough");
    kv_store_open(&p->window, 7);
    for (const char *key = "hdbfac"; *key != '\0'; key++)
        assert_true(kv_store_put(&p->window, (struct bytes){(const uint8_t *)key, 1}, value,
                                 *key == 'a' ? 77 : 0));
    assert_true(kv_store_remove(&p->window, bytes_of("f")));
    assert_true(is_sound(p));
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint8_t *at = pages_write(&p->pages, 0) + cases[i].cell * CELL + cases[i].field;
        *at ^= 1;
        if (is_sound(p)) fail_msg("not told: %s", cases[i].what);
        *at ^= 1;
        assert_true(is_sound(p));
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(pages_of_any_history_are_sound),
        TEST(a_flipped_bit_is_told_or_harmless),
        TEST(a_field_that_contradicts_another_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

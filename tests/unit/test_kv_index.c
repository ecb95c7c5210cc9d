/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/prng.h"
#include "kv/index.h"
#include "kv/store.h"
#include "stored.h"

#define N_PAGES 400u
#define N_KEYS  4000u /* as many as there are buckets for */

static int set_up(void **state)
{
    *state = store_open(N_PAGES);
    return 0;
}

static int tear_down(void **state)
{
    store_close(*state);
    return 0;
}

static uint32_t hash_of(uint32_t key)
{
    struct prng rng;
    prng_seed(&rng, key);
    return (uint32_t)prng_next(&rng);
}

static bool names(const struct vstamp_pages *pages, uint32_t key)
{
    const struct kv_bucket *bucket = kv_index_bucket(pages, hash_of(key));
    for (uint32_t i = 0; bucket != NULL && i < KV_BUCKET_SLOTS; i++)
        if (bucket->slots[i].hash == hash_of(key) && bucket->slots[i].record == key) return true;
    return false;
}

static uint32_t count_named(const struct vstamp_pages *pages)
{
    uint32_t n = 0;
    for (uint32_t key = 1; key <= N_KEYS; key++) n += names(pages, key);
    return n;
}

/* As the store does with keys that are looked for and that it had to ask the tree for. */
static void look_for_all(const struct vstamp_pages *pages)
{
    for (uint32_t key = 1; key <= N_KEYS; key++)
        if (!names(pages, key)) kv_index_note(pages, hash_of(key), key, N_KEYS);
}

static void note_all(const struct vstamp_pages *pages)
{
    for (uint32_t key = 1; key <= N_KEYS; key++) kv_index_note(pages, hash_of(key), key, key);
    look_for_all(pages);
}

static void nearly_all_keys_have_a_place_however_many_come(void **state)
{
    const struct vstamp_pages *pages = &((struct store *)*state)->paged.window;
    assert_null(kv_index_bucket(pages, 1));
    note_all(pages);
    assert_in_range(count_named(pages), N_KEYS * 95 / 100, N_KEYS);
}

static void nearly_all_keys_of_a_large_store_have_a_place_when_it_is_met_anew(void **state)
{
    const struct vstamp_pages *pages = &((struct store *)*state)->paged.window;
    look_for_all(pages);
    look_for_all(pages);
    assert_in_range(count_named(pages), N_KEYS * 95 / 100, N_KEYS);
}

static void more_keys_than_there_is_memory_for_take_each_others_places(void **state)
{
    const struct vstamp_pages *pages = &((struct store *)*state)->paged.window;
    for (uint32_t key = 1; key <= 30 * N_KEYS; key++)
        kv_index_note(pages, hash_of(key), key, key);
    assert_true(names(pages, 30 * N_KEYS));
    assert_in_range(count_named(pages), 0, N_KEYS);
}

static void what_is_forgotten_is_not_named(void **state)
{
    const struct vstamp_pages *pages = &((struct store *)*state)->paged.window;
    kv_index_forget(pages, hash_of(1), 1); /* before anything was noted */
    note_all(pages);
    for (uint32_t key = 2; key <= N_KEYS; key += 2) kv_index_forget(pages, hash_of(key), key);
    for (uint32_t key = 2; key <= N_KEYS; key += 2) assert_false(names(pages, key));
    assert_in_range(count_named(pages), N_KEYS * 47 / 100, N_KEYS / 2);
    kv_index_forget_all(pages);
    assert_int_equal(count_named(pages), 0);
    note_all(pages);
    assert_in_range(count_named(pages), N_KEYS * 95 / 100, N_KEYS);
}

static void pages_without_memory_have_no_index(void **state)
{
    struct vstamp_pages pages = ((struct store *)*state)->paged.window;
    pages.memory = NULL;
    note_all(&pages);
    kv_index_forget(&pages, hash_of(1), 1);
    kv_index_forget_all(&pages);
    assert_null(kv_index_bucket(&pages, 1));
}

/* A value that continues in the cell of a record that was removed, and looks like that record. */
static void a_cell_that_was_a_record_is_none_any_more(void **state)
{
    struct store *s = *state;
    uint8_t value[31 + 60] = {0};
    put(s, BYTES("gone"), BYTES("1"));
    put(s, BYTES("other"), BYTES("2"));
    uint32_t record = kv_store_find(&s->paged.window, BYTES("gone"));
    const uint8_t *cell = (const uint8_t *)vstamp_page_read(&s->paged.window, record / 64) +
                          record % 64 * 64;
    memcpy(value + 31, cell + 4, 60);
    del(s, BYTES("gone"));
    del(s, BYTES("other"));
    put(s, BYTES("x"), (struct bytes){value, sizeof value});
    assert_memory_equal(cell + 4, value + 31, 60); /* it lies there */
    assert_absent(s, BYTES("gone"));
    assert_value(s, BYTES("x"), (struct bytes){value, sizeof value});
}

static void another_store_in_the_same_pages_has_none_of_the_former_records(void **state)
{
    struct store *s = *state;
    struct vstamp_diag why;
    char key[16];
    for (int i = 0; i < 200; i++) {
        snprintf(key, sizeof key, "%d", i);
        put(s, bytes_of(key), BYTES("1"));
    }
    struct kv_slot before = kv_index_bucket(&s->paged.window, 0)->slots[0];
    assert_int_not_equal(before.record, 0);
    pages_clear(&s->paged.pages);
    assert_int_equal(kv_app()->resume(&s->paged.window, &why), 0);
    assert_null(kv_index_bucket(&s->paged.window, 0));
    for (int i = 0; i < 200; i++) {
        snprintf(key, sizeof key, "%d", i);
        assert_absent(s, bytes_of(key));
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(nearly_all_keys_have_a_place_however_many_come),
        TEST(nearly_all_keys_of_a_large_store_have_a_place_when_it_is_met_anew),
        TEST(more_keys_than_there_is_memory_for_take_each_others_places),
        TEST(what_is_forgotten_is_not_named),
        TEST(pages_without_memory_have_no_index),
        TEST(a_cell_that_was_a_record_is_none_any_more),
        TEST(another_store_in_the_same_pages_has_none_of_the_former_records),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* What has changed lately, as somebody who watches is told. */
#include "base/prng.h"
#include "kv/store.h"
#include "stored.h"

#define N_PAGES 200u /* of which changes take three, 12 KiB */

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

static enum kv_answer_status changes(struct store *s, struct bytes key, uint32_t flags,
                                     int64_t number)
{
    return run(s, (struct kv_op){.verb = KV_CHANGES, .key = key, .flags = flags,
                                 .number = number});
}

/* "1 put k=v, ...": what the newest answer tells. */
static const char *told(struct store *s)
{
    static char text[8192];
    size_t at = 0;
    text[0] = '\0';
    for (uint32_t i = 0; i < s->answer.n_list; i++) {
        struct kv_change c;
        kv_change_next(&s->answer.list, &c);
        at += (size_t)snprintf(text + at, sizeof text - at, "%s%llu %s %.*s%s%.*s",
                               i > 0 ? ", " : "", (unsigned long long)c.op, kv_what_word(c.what),
                               (int)c.key.size, (const char *)c.key.data,
                               c.omitted ? "!" : c.value.size > 0 ? "=" : "",
                               c.omitted ? 0 : (int)c.value.size, (const char *)c.value.data);
        assert_true(at < sizeof text);
    }
    assert_int_equal(s->answer.list.size, 0);
    return text;
}

static void each_change_is_told_once_and_in_order(void **state)
{
    struct store *s = *state;
    assert_int_equal(changes(s, BYTES(""), KV_CHANGES_NOW, 0), KV_ANSWER_DONE);
    int64_t place = s->answer.number;
    put(s, BYTES("a"), BYTES("1"));
    run(s, (struct kv_op){.verb = KV_PUT, .key = BYTES("b"), .value = BYTES("2"), .expiry = 5});
    incr(s, BYTES("a"), 4);
    append(s, BYTES("a"), BYTES("x"));
    incr(s, BYTES("a"), 1); /* no number: nothing changes */
    del(s, BYTES("c"));     /* nor here */
    s->now_us += 5;
    append(s, BYTES("b"), BYTES("new"));
    const struct bytes keys[] = {BYTES("a"), BYTES("b")};
    run(s, (struct kv_op){.verb = KV_DEL, .keys = keys, .n_keys = 2});
    changes(s, BYTES(""), KV_CHANGES_PLACE, place);
    place = s->answer.number;
    assert_string_equal(told(s), "1 put a=1, 2 put b=2, 3 put a=5, 4 append a=x, 7 expire b, "
                                 "7 put b=new, 8 del a, 8 del b");
    changes(s, BYTES(""), KV_CHANGES_PLACE, place);
    assert_string_equal(told(s), "");
    assert_int_equal(s->answer.number, place);
}

static void one_watches_a_key_or_a_prefix_from_an_op_number_on(void **state)
{
    struct store *s = *state;
    put(s, BYTES("k"), BYTES("1"));
    put(s, BYTES("k1"), BYTES("2"));
    put(s, BYTES("l"), BYTES("3"));
    put(s, BYTES("k"), BYTES("4"));
    changes(s, BYTES("k"), KV_CHANGES_KEY, 0);
    assert_string_equal(told(s), "");
    changes(s, BYTES("k"), KV_CHANGES_KEY, 1);
    assert_string_equal(told(s), "1 put k=1, 4 put k=4");
    changes(s, BYTES("k"), 0, 2);
    assert_string_equal(told(s), "2 put k1=2, 4 put k=4");
    changes(s, BYTES(""), KV_CHANGES_NOW, 0);
    assert_string_equal(told(s), "");
    changes(s, BYTES(""), 0, 99);
    assert_string_equal(told(s), "");
}

static void what_is_no_longer_kept_is_said_to_be_gone(void **state)
{
    struct store *s = *state;
    static const uint8_t value[1000];
    for (int i = 0; i < 20; i++) put(s, BYTES("k"), (struct bytes){value, 1000});
    assert_int_equal(changes(s, BYTES(""), 0, 1), KV_ANSWER_GONE);
    int64_t first = s->answer.number;
    assert_in_range(first, 8, 11);
    assert_int_equal(changes(s, BYTES(""), KV_CHANGES_PLACE, 0), KV_ANSWER_GONE);
    assert_int_equal(s->answer.number, first);
    assert_int_equal(changes(s, BYTES(""), 0, first), KV_ANSWER_DONE);
    assert_int_equal(s->answer.n_list, 20 - first + 1);
    assert_int_equal(changes(s, BYTES(""), 0, first - 1), KV_ANSWER_GONE);
}

static void a_value_that_is_too_large_is_left_out(void **state)
{
    struct store *s = *state;
    static const uint8_t value[6000];
    put(s, BYTES("k"), (struct bytes){value, 1537});
    put(s, BYTES("k"), (struct bytes){value, 1536});
    changes(s, BYTES("k"), 0, 1);
    assert_int_equal(s->answer.n_list, 2);
    struct kv_change c;
    kv_change_next(&s->answer.list, &c);
    assert_true(c.omitted && c.value.size == 1537);
    kv_change_next(&s->answer.list, &c);
    assert_true(!c.omitted && c.value.size == 1536);
}

static void a_long_row_comes_in_pages(void **state)
{
    struct store *s = *state;
    uint64_t next = 1;
    char text[16];
    for (int i = 0; i < 300; i++) {
        snprintf(text, sizeof text, "%d", i);
        put(s, BYTES("k"), bytes_of(text));
    }
    s->read_capacity = 200;
    changes(s, BYTES(""), 0, 1);
    while (s->answer.n_list > 0) {
        bool more = s->answer.more;
        int64_t place = s->answer.number;
        for (uint32_t i = 0; i < s->answer.n_list; i++) {
            struct kv_change c;
            kv_change_next(&s->answer.list, &c);
            assert_int_equal(c.op, next++);
        }
        assert_int_equal(more, next <= 300);
        changes(s, BYTES(""), KV_CHANGES_PLACE, place);
    }
    assert_int_equal(next, 301);
    s->read_capacity = 40; /* too little for a change with its value */
    put(s, BYTES("k"), BYTES("a value of some length"));
    changes(s, BYTES(""), 0, 301);
    assert_string_equal(told(s), "301 put k!");
}

/* Whoever sends a place that nobody was told. */
static void an_odd_place_does_no_harm(void **state)
{
    struct store *s = *state;
    struct prng rng;
    prng_seed(&rng, 5);
    for (int i = 0; i < 400; i++) put(s, BYTES("key"), BYTES("some value or other"));
    for (int i = 0; i < 20000; i++) {
        struct kv_op op = {.verb = KV_CHANGES, .flags = KV_CHANGES_PLACE,
                           .number = (int64_t)prng_below(&rng, 30000)};
        enum kv_answer_status status = run(s, op);
        assert_true(status == KV_ANSWER_DONE || status == KV_ANSWER_GONE);
    }
    assert_int_equal(changes(s, BYTES(""), KV_CHANGES_PLACE, INT64_MAX), KV_ANSWER_DONE);
    assert_int_equal(s->answer.n_list, 0);
}

static void a_small_store_keeps_none(void **state)
{
    (void)state;
    struct store *s = store_open(40);
    put(s, BYTES("k"), BYTES("1"));
    assert_int_equal(changes(s, BYTES(""), 0, 1), KV_ANSWER_NOT_KEPT);
    store_close(s);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_change_is_told_once_and_in_order),
        TEST(one_watches_a_key_or_a_prefix_from_an_op_number_on),
        TEST(what_is_no_longer_kept_is_said_to_be_gone),
        TEST(a_value_that_is_too_large_is_left_out),
        TEST(a_long_row_comes_in_pages),
        TEST(an_odd_place_does_no_harm),
        TEST(a_small_store_keeps_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

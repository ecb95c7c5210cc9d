/* SPDX-License-Identifier: BSD-2-Clause */
/* Keys that live for a while, by the timestamps of the operations. */
#include "base/prng.h"
#include "stored.h"

#define N_PAGES 200u

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

static enum kv_answer_status put_for(struct store *s, struct bytes key, struct bytes value,
                                     uint64_t expiry)
{
    return run(s, (struct kv_op){.verb = KV_PUT, .key = key, .value = value, .expiry = expiry});
}

/* When it expires, 0: never; -1: there is no such key. */
static int64_t expiry(struct store *s, struct bytes key)
{
    enum kv_answer_status status = run(s, (struct kv_op){.verb = KV_TTL, .key = key});
    if (status == KV_ANSWER_ABSENT) return -1;
    assert_int_equal(status, KV_ANSWER_DONE);
    return s->answer.number;
}

static uint64_t due(const struct store *s)
{
    return kv_app()->due(&s->paged.window);
}

static void tick(struct store *s, uint64_t now_us)
{
    struct vstamp_context context = {.op_number = ++s->op_number, .timestamp_us = now_us};
    s->now_us = now_us;
    struct vstamp_diag why;
    assert_int_equal(0, kv_app()->tick(&s->paged.window, &context, &why));
}

static void nothing_is_due_where_nothing_expires(void **state)
{
    struct store *s = *state;
    assert_true(due(s) == VSTAMP_NEVER);
    put(s, BYTES("k"), BYTES("v"));
    assert_true(due(s) == VSTAMP_NEVER);
    assert_int_equal(expiry(s, BYTES("k")), 0);
    assert_int_equal(expiry(s, BYTES("l")), -1);
    tick(s, UINT64_MAX / 2);
    assert_value(s, BYTES("k"), BYTES("v"));
}

static void a_key_is_gone_when_its_time_has_come(void **state)
{
    struct store *s = *state;
    put_for(s, BYTES("k"), BYTES("v"), 500);
    put_for(s, BYTES("l"), BYTES("w"), KV_EXPIRES_AT | 1700);
    assert_int_equal(expiry(s, BYTES("k")), 1500);
    assert_int_equal(due(s), 1500);
    tick(s, 1499);
    assert_value(s, BYTES("k"), BYTES("v"));
    tick(s, 1500);
    assert_absent(s, BYTES("k"));
    assert_size(s, 1, 2);
    assert_int_equal(due(s), 1700);
    assert_string_equal(listed(s, (struct kv_op){0}), "l=w ");
    tick(s, 2000);
    assert_size(s, 0, 0);
    assert_true(due(s) == VSTAMP_NEVER);
}

/* Whether or not a tick was there before. */
static void for_an_operation_it_is_gone_in_time(void **state)
{
    struct store *s = *state;
    static const struct kv_op ops[] = {
        {.verb = KV_CAS_ABSENT, .key = BYTES("k"), .value = BYTES("new")},
        {.verb = KV_APPEND, .key = BYTES("k"), .value = BYTES("new")},
        {.verb = KV_INCR, .key = BYTES("k"), .number = 3},
    };
    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++) {
        put_for(s, BYTES("k"), BYTES("5"), 10);
        s->now_us += 10;
        assert_int_equal(run(s, ops[i]), KV_ANSWER_DONE);
        assert_value(s, BYTES("k"), ops[i].verb == KV_INCR ? BYTES("3") : BYTES("new"));
        assert_int_equal(expiry(s, BYTES("k")), 0);
    }
    put_for(s, BYTES("k"), BYTES("5"), 10);
    s->now_us += 10;
    assert_int_equal(run(s, (struct kv_op){.verb = KV_CAS, .key = BYTES("k"),
                                           .expected = BYTES("5"), .value = BYTES("6")}),
                     KV_ANSWER_ABSENT);
    put_for(s, BYTES("k"), BYTES("5"), 10);
    s->now_us += 10;
    assert_int_equal(run(s, (struct kv_op){.verb = KV_EXPIRE, .key = BYTES("k"), .expiry = 9}),
                     KV_ANSWER_ABSENT);
    put_for(s, BYTES("k"), BYTES("5"), 10);
    s->now_us += 10;
    del(s, BYTES("k"));
    assert_int_equal(s->answer.number, 0);
    assert_size(s, 0, 0);
}

static void what_sets_a_value_says_anew_whether_it_expires(void **state)
{
    struct store *s = *state;
    put_for(s, BYTES("k"), BYTES("5"), 10);
    put(s, BYTES("k"), BYTES("6"));
    assert_int_equal(expiry(s, BYTES("k")), 0);
    put_for(s, BYTES("k"), BYTES("7"), 20);
    put_for(s, BYTES("k"), BYTES("8"), 30);
    assert_int_equal(expiry(s, BYTES("k")), 1030);
    run(s, (struct kv_op){.verb = KV_CAS, .key = BYTES("k"), .expected = BYTES("8"),
                          .value = BYTES("9"), .expiry = 40});
    assert_int_equal(expiry(s, BYTES("k")), 1040);
    assert_int_equal(due(s), 1040);
    run(s, (struct kv_op){.verb = KV_CAS, .key = BYTES("k"), .expected = BYTES("9"),
                          .value = BYTES("10")});
    assert_int_equal(expiry(s, BYTES("k")), 0);
    assert_true(due(s) == VSTAMP_NEVER);
}

static void what_changes_a_value_leaves_when_it_expires(void **state)
{
    struct store *s = *state;
    put_for(s, BYTES("k"), BYTES("5"), 10);
    incr(s, BYTES("k"), 1000000);
    assert_int_equal(expiry(s, BYTES("k")), 1010);
    for (int i = 0; i < 50; i++) {
        append(s, BYTES("k"), BYTES("1234567"));
        assert_int_equal(expiry(s, BYTES("k")), 1010);
    }
    assert_size(s, 1, 1 + 7 + 50 * 7);
    assert_int_equal(due(s), 1010);
}

static void a_time_to_live_can_be_given_and_taken(void **state)
{
    struct store *s = *state;
    put(s, BYTES("k"), BYTES("a value of some length, more than a cell, so that it has two"));
    assert_int_equal(run(s, (struct kv_op){.verb = KV_EXPIRE, .key = BYTES("k"), .expiry = 5}),
                     KV_ANSWER_DONE);
    assert_int_equal(expiry(s, BYTES("k")), 1005);
    assert_int_equal(run(s, (struct kv_op){.verb = KV_EXPIRE, .key = BYTES("k")}),
                     KV_ANSWER_DONE);
    assert_int_equal(expiry(s, BYTES("k")), 0);
    assert_value(s, BYTES("k"),
                 BYTES("a value of some length, more than a cell, so that it has two"));
}

static void thousands_that_expire_at_once_go_in_steps(void **state)
{
    struct store *s = *state;
    char text[16];
    for (int i = 0; i < 3000; i++) {
        int size = snprintf(text, sizeof text, "%d", i);
        put_for(s, (struct bytes){(uint8_t *)text, (size_t)size}, BYTES(""), 7);
    }
    int ticks = 0;
    int64_t before = 3000;
    while (due(s) != VSTAMP_NEVER) {
        tick(s, 1007);
        run(s, (struct kv_op){.verb = KV_SIZE});
        assert_true(s->answer.number < before && before - s->answer.number <= 256);
        before = s->answer.number;
        ticks++;
    }
    assert_int_equal(ticks, (3000 + 255) / 256);
    assert_size(s, 0, 0);
    put(s, BYTES("k"), BYTES("v")); /* all cells are free again */
    assert_true(s->paged.pages.n_used < N_PAGES);
}

static void a_full_store_does_not_forget_when_things_expire(void **state)
{
    struct store *s = *state;
    char text[16];
    put(s, BYTES("k"), BYTES("v"));
    int n = 0;
    do snprintf(text, sizeof text, "%d", n++);
    while (put_for(s, bytes_of(text), BYTES("x"), 50) == KV_ANSWER_DONE);
    while (put(s, (snprintf(text, sizeof text, "%d", n++), bytes_of(text)), BYTES("")) ==
           KV_ANSWER_DONE) {}
    assert_int_equal(run(s, (struct kv_op){.verb = KV_EXPIRE, .key = BYTES("k"), .expiry = 5}),
                     KV_ANSWER_FULL);
    assert_int_equal(put_for(s, BYTES("k"), BYTES("w"), 5), KV_ANSWER_FULL);
    assert_value(s, BYTES("k"), BYTES("v"));
    assert_int_equal(expiry(s, BYTES("k")), 0);
    assert_int_equal(put_for(s, BYTES("0"), BYTES("y"), 60), KV_ANSWER_DONE); /* in its room */
    assert_int_equal(expiry(s, BYTES("0")), 1060);
}

static void a_listing_tells_when_keys_expire(void **state)
{
    struct store *s = *state;
    struct bytes key, value;
    put_for(s, BYTES("a"), BYTES("1"), 5);
    put(s, BYTES("b"), BYTES("2"));
    run(s, (struct kv_op){.verb = KV_LIST, .flags = KV_LIST_EXPIRIES});
    assert_true(s->answer.expiries);
    kv_list_next(&s->answer.list, &key, &value);
    assert_int_equal(kv_list_next_expiry(&s->answer.list), 1005);
    kv_list_next(&s->answer.list, &key, &value);
    assert_true(bytes_equal(value, BYTES("2")));
    assert_int_equal(kv_list_next_expiry(&s->answer.list), 0);
    assert_int_equal(s->answer.list.size, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(nothing_is_due_where_nothing_expires),
        TEST(a_key_is_gone_when_its_time_has_come),
        TEST(for_an_operation_it_is_gone_in_time),
        TEST(what_sets_a_value_says_anew_whether_it_expires),
        TEST(what_changes_a_value_leaves_when_it_expires),
        TEST(a_time_to_live_can_be_given_and_taken),
        TEST(thousands_that_expire_at_once_go_in_steps),
        TEST(a_full_store_does_not_forget_when_things_expire),
        TEST(a_listing_tells_when_keys_expire),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

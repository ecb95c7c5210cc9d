/* SPDX-License-Identifier: BSD-2-Clause */
/* <vstamp/kv.h>, its operations executed by a store. */
#include <string.h>

#include <vstamp/kv.h>

#include "stored.h"

static uint8_t operation[VSTAMP_KV_OVERHEAD + VSTAMP_KV_KEY_MAX];
static struct vstamp_kv_answer answer;

static int set_up(void **state)
{
    *state = store_open(100);
    return 0;
}

static int tear_down(void **state)
{
    store_close(*state);
    return 0;
}

#define TEXT(text) (text), sizeof(text) - 1
#define WRITE(name, ...) vstamp_kv_##name(operation, sizeof operation, __VA_ARGS__)
#define ASK(s, name, ...) ask((s), WRITE(name, __VA_ARGS__))

/* Have the store execute an operation, and its answer read; what that returns. */
static int ask(struct store *s, size_t size)
{
    struct kv_op op;
    assert_in_range(size, 1, sizeof operation);
    assert_null(kv_decode_op((struct bytes){operation, size}, &op));
    struct bytes keys = op.keys_encoded, key;
    if (op.n_keys > 0) {
        assert_int_equal(op.n_keys, 1);
        kv_keys_next(&keys, &key);
        op.keys = &key;
    }
    run(s, op);
    assert_memory_equal(s->operation, operation, size);
    const struct vstamp_reply reply = {.body = s->buffer, .size = s->answer_size};
    return vstamp_kv_answer(operation, &reply, &answer);
}

static void assert_text(const char *text)
{
    assert_int_equal(answer.size, strlen(text));
    assert_memory_equal(answer.value, text, answer.size);
}

static void a_value_is_set_and_read(void **state)
{
    struct store *s = *state;
    assert_int_equal(ASK(s, get, TEXT("k")), 0);
    assert_false(answer.yes);
    assert_int_equal(ASK(s, put, TEXT("k"), TEXT("blue"), 0), 0);
    assert_true(answer.yes);
    assert_int_equal(ASK(s, get, TEXT("k")), 0);
    assert_true(answer.yes);
    assert_text("blue");
    assert_int_equal(ASK(s, put, TEXT("k"), NULL, 0, 0), 0);
    assert_int_equal(ASK(s, get, TEXT("k")), 0);
    assert_true(answer.yes);
    assert_text("");
    assert_int_equal(ASK(s, del, TEXT("k")), 0);
    assert_true(answer.yes);
    assert_int_equal(ASK(s, del, TEXT("k")), 0);
    assert_false(answer.yes);
}

static void a_value_expires(void **state)
{
    struct store *s = *state;
    assert_int_equal(ASK(s, put, TEXT("k"), TEXT("v"), 20), 0);
    s->now_us += 19999;
    assert_int_equal(ASK(s, cas, TEXT("k"), TEXT("v"), TEXT("w")), 0); /* which ends that */
    assert_true(answer.yes);
    assert_int_equal(ASK(s, put, TEXT("k"), TEXT("v"), 20), 0);
    s->now_us += 20000;
    assert_int_equal(ASK(s, cas, TEXT("k"), TEXT("v"), TEXT("w")), 0);
    assert_false(answer.yes);
}

static void a_value_is_swapped_if_it_is_the_expected_one(void **state)
{
    struct store *s = *state;
    assert_int_equal(ASK(s, cas, TEXT("k"), TEXT(""), TEXT("a")), 0);
    assert_false(answer.yes); /* an empty value is not none */
    assert_int_equal(ASK(s, cas, TEXT("k"), NULL, 0, TEXT("a")), 0);
    assert_true(answer.yes);
    assert_int_equal(ASK(s, cas, TEXT("k"), NULL, 0, TEXT("b")), 0);
    assert_false(answer.yes);
    assert_int_equal(ASK(s, cas, TEXT("k"), TEXT("a"), TEXT("c")), 0);
    assert_true(answer.yes);
    assert_int_equal(ASK(s, get, TEXT("k")), 0);
    assert_text("c");
}

static void numbers_are_answered(void **state)
{
    struct store *s = *state;
    assert_int_equal(ASK(s, incr, TEXT("n"), -5), 0);
    assert_int_equal(answer.number, -5);
    assert_int_equal(ASK(s, append, TEXT("n"), TEXT("00")), 0);
    assert_int_equal(answer.number, 4);
    assert_int_equal(ASK(s, incr, TEXT("n"), 1), 0);
    assert_int_equal(answer.number, -499);
}

static void what_is_refused_has_an_error(void **state)
{
    struct store *s = *state;
    struct vstamp_reply reply = {.body = (const uint8_t *)"", .size = 0};
    put(s, BYTES("text"), BYTES("no number"));
    put(s, BYTES("top"), BYTES("9223372036854775807"));
    assert_int_equal(ASK(s, incr, TEXT("text"), 1), VSTAMP_E_NOT_A_NUMBER);
    assert_int_equal(ASK(s, incr, TEXT("top"), 1), VSTAMP_E_OVERFLOW);
    s->promised_capacity = READ_OVERHEAD + 10;
    assert_int_equal(ASK(s, append, TEXT("text"), TEXT("xy")), VSTAMP_E_TOO_LARGE);
    assert_int_equal(vstamp_kv_answer(operation, &reply, &answer), VSTAMP_E_MALFORMED);
    reply.err = VSTAMP_E_UNKNOWN_OUTCOME;
    assert_int_equal(vstamp_kv_answer(operation, &reply, &answer), VSTAMP_E_UNKNOWN_OUTCOME);
    reply = (struct vstamp_reply){.body = (const uint8_t *)"\7", .size = 1};
    assert_int_equal(vstamp_kv_answer(operation, &reply, &answer), VSTAMP_E_INVALID);
}

static void a_full_store_says_so(void **state)
{
    struct store *s = *state;
    int rv = 0;
    for (int64_t i = 0; rv == 0; i++) rv = ASK(s, put, &i, sizeof i, TEXT("a value"), 0);
    assert_int_equal(rv, VSTAMP_E_FULL);
}

static void a_list_is_read_pair_by_pair(void **state)
{
    struct store *s = *state;
    const uint8_t *key, *value;
    size_t key_size, value_size;
    char text[100] = "";
    put(s, BYTES("a"), BYTES("0"));
    put(s, BYTES("b1"), BYTES("1"));
    put(s, BYTES("b2"), BYTES(""));
    put(s, BYTES("b3"), BYTES("333"));
    put(s, BYTES("c"), BYTES("4"));
    assert_int_equal(ASK(s, list, TEXT("b"), NULL, 0, 2), 0);
    assert_true(answer.more);
    while (vstamp_kv_next(&answer, &key, &key_size, &value, &value_size))
        snprintf(text + strlen(text), 50, "%.*s=%.*s ", (int)key_size, (const char *)key,
                 (int)value_size, (const char *)value);
    assert_int_equal(ASK(s, list, TEXT("b"), TEXT("b2"), 0), 0);
    assert_false(answer.more);
    while (vstamp_kv_next(&answer, &key, &key_size, &value, &value_size))
        snprintf(text + strlen(text), 50, "%.*s=%.*s ", (int)key_size, (const char *)key,
                 (int)value_size, (const char *)value);
    assert_string_equal(text, "b1=1 b2= b3=333 ");
    assert_int_equal(ASK(s, list, NULL, 0, NULL, 0, 0), 0);
    assert_int_equal(answer.n_list, 5);
}

static void what_is_no_operation_or_does_not_fit_is_not_written(void **state)
{
    static const uint8_t key[VSTAMP_KV_KEY_MAX + 1];
    uint8_t small[17 + 2];
    (void)state;
    assert_int_equal(WRITE(get, "", 0), 0);
    assert_int_equal(WRITE(get, key, sizeof key), 0);
    assert_int_equal(WRITE(put, TEXT("k"), TEXT("v"), UINT64_MAX), 0);
    assert_int_equal(vstamp_kv_put(small, sizeof small, "k", 1, "v", 1, 1), sizeof small);
    assert_int_equal(vstamp_kv_put(small, sizeof small - 1, "k", 1, "v", 1, 1), 0);
    assert_int_equal(vstamp_kv_del(NULL, 0, "k", 1), 0);
}

static void operations_are_not_larger_than_is_said(void **state)
{
    static const uint8_t key[VSTAMP_KV_KEY_MAX];
    (void)state;
    assert_true(WRITE(put, key, sizeof key, NULL, 0, 1) > 0);
    assert_true(WRITE(cas, key, sizeof key, "", 0, NULL, 0) > 0);
    assert_true(WRITE(incr, key, sizeof key, INT64_MIN) > 0);
    assert_true(WRITE(append, key, sizeof key, NULL, 0) > 0);
    assert_true(WRITE(del, key, sizeof key) > 0);
    assert_true(WRITE(get, key, sizeof key) > 0);
    assert_true(WRITE(list, key, sizeof key, NULL, 0, UINT32_MAX) > 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_value_is_set_and_read),
        TEST(a_value_expires),
        TEST(a_value_is_swapped_if_it_is_the_expected_one),
        TEST(numbers_are_answered),
        TEST(what_is_refused_has_an_error),
        TEST(a_full_store_says_so),
        TEST(a_list_is_read_pair_by_pair),
        cmocka_unit_test(what_is_no_operation_or_does_not_fit_is_not_written),
        cmocka_unit_test(operations_are_not_larger_than_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

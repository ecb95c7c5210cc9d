/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/limits.h"
#include "base/prng.h"
#include "kv/kv.h"

#define BYTES(text) ((struct bytes){(const uint8_t *)(text), sizeof(text) - 1})

static const enum kv_verb verbs[] = {
#define KV_OP(name, number, word, is_write, fields, text) KV_##name,
#include "kv/ops.def"
#undef KV_OP
};
#define N_VERBS (sizeof verbs / sizeof verbs[0])

static const unsigned fields_of[] = {
#define KV_OP(name, number, word, is_write, fields, text) fields,
#include "kv/ops.def"
#undef KV_OP
};

static const struct bytes some_keys[] = {BYTES("k\0ey"), BYTES("b"), BYTES("\xff\xfe")};

static const struct kv_condition some_conditions[] = {
    {KV_TEST_ABSENT, BYTES("a"), {0}}, {KV_TEST_IS, BYTES("b"), BYTES("v")}};
static const struct kv_op some_steps[] = {
    {.verb = KV_PUT, .key = BYTES("c"), .value = BYTES("w"), .expiry = 7},
    {.verb = KV_DEL, .keys = &some_keys[1], .n_keys = 1},
    {.verb = KV_INCR, .key = BYTES("d"), .number = -3}};

/* An operation with something in every member that its verb has, and nothing in the others. */
static struct kv_op full_op(size_t i)
{
    struct kv_op op = {.verb = verbs[i]};
    if (fields_of[i] & KV_HAS_KEY) op.key = BYTES("the\0key");
    if (fields_of[i] & KV_HAS_VALUE) op.value = BYTES("\0value\n");
    if (fields_of[i] & KV_HAS_EXPECTED) op.expected = BYTES("expected");
    if (fields_of[i] & KV_HAS_NUMBER) op.number = 42;
    if (fields_of[i] & KV_HAS_FLAGS) op.flags = KV_LIST_KEYS_ONLY;
    if (fields_of[i] & KV_HAS_KEYS) {
        op.keys = some_keys;
        op.n_keys = 3;
    }
    if (fields_of[i] & KV_HAS_EXPIRY) op.expiry = 30000000;
    if (fields_of[i] & KV_HAS_TXN)
        op.txn = (struct kv_txn){.conditions = some_conditions, .n_conditions = 2,
                                 .steps = {some_steps, some_steps + 2}, .n_steps = {3, 1}};
    return op;
}

static struct bytes encode(const struct kv_op *op, uint8_t *buffer, size_t capacity)
{
    struct writer w = writer_over(buffer, capacity);
    kv_encode_op(op, &w);
    assert_true(w.ok);
    return (struct bytes){buffer, w.size};
}

static void every_operation_comes_back_from_its_bytes(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_VERBS; i++) {
        uint8_t buffer[256];
        struct kv_op op = full_op(i), back;
        struct bytes encoded = encode(&op, buffer, sizeof buffer);
        assert_null(kv_decode_op(encoded, &back));
        assert_true(bytes_equal(kv_first_key(encoded), op.key));
        assert_int_equal(back.verb, op.verb);
        assert_true(bytes_equal(back.key, op.key));
        assert_true(bytes_equal(back.value, op.value));
        assert_true(bytes_equal(back.expected, op.expected));
        assert_int_equal(back.number, op.number);
        assert_int_equal(back.flags, op.flags);
        assert_int_equal(back.expiry, op.expiry);
        assert_int_equal(back.n_keys, op.n_keys);
        for (uint32_t k = 0; k < op.n_keys; k++) {
            struct bytes key;
            kv_keys_next(&back.keys_encoded, &key);
            assert_true(bytes_equal(key, some_keys[k]));
        }
    }
}

static void a_transaction_comes_back_from_its_bytes(void **state)
{
    (void)state;
    uint8_t buffer[256];
    struct kv_op op = {.verb = KV_TXN}, back, step;
    struct kv_condition condition;
    op.txn = (struct kv_txn){.conditions = some_conditions, .n_conditions = 2,
                             .steps = {some_steps, some_steps + 2}, .n_steps = {3, 1}};
    assert_null(kv_decode_op(encode(&op, buffer, sizeof buffer), &back));
    assert_int_equal(back.txn.n_conditions, 2);
    for (uint32_t i = 0; i < 2; i++) {
        kv_condition_next(&back.txn.conditions_encoded, &condition);
        assert_int_equal(condition.test, some_conditions[i].test);
        assert_true(bytes_equal(condition.key, some_conditions[i].key));
        assert_true(bytes_equal(condition.value, some_conditions[i].value));
    }
    for (uint32_t i = 0; i < 3; i++) {
        kv_step_next(&back.txn.steps_encoded[KV_THEN], &step);
        assert_int_equal(step.verb, some_steps[i].verb);
        assert_true(bytes_equal(kv_step_key(&step), kv_step_key(&some_steps[i])));
        assert_int_equal(step.number, some_steps[i].number);
    }
    kv_step_next(&back.txn.steps_encoded[KV_ELSE], &step);
    assert_int_equal(step.verb, KV_INCR);
    assert_int_equal(back.txn.steps_encoded[KV_ELSE].size, 0);
}

static void negative_numbers_come_back(void **state)
{
    (void)state;
    uint8_t buffer[64];
    struct kv_op op = {.verb = KV_INCR, .key = BYTES("n"), .number = INT64_MIN}, back;
    assert_null(kv_decode_op(encode(&op, buffer, sizeof buffer), &back));
    assert_true(back.number == INT64_MIN);
}

static void an_operation_cut_short_or_followed_by_more_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_VERBS; i++) {
        uint8_t buffer[256] = {0};
        struct kv_op op = full_op(i), back;
        size_t size = encode(&op, buffer, sizeof buffer).size;
        for (size_t cut = 0; cut < size; cut++) {
            if (op.expiry != 0 && cut == size - 8) continue; /* one without expiry */
            assert_non_null(kv_decode_op((struct bytes){buffer, cut}, &back));
        }
        assert_non_null(kv_decode_op((struct bytes){buffer, size + 1}, &back));
    }
}

static void an_operation_that_does_not_fit_says_so(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_VERBS; i++) {
        uint8_t buffer[256];
        struct kv_op op = full_op(i);
        size_t size = encode(&op, buffer, sizeof buffer).size;
        struct writer w = writer_over(buffer, size - 1);
        kv_encode_op(&op, &w);
        assert_false(w.ok);
    }
}

/* What check answers to this operation in a group whose reads carry that much. */
static int check(const struct kv_op *op, uint32_t read_capacity, struct vstamp_diag *why)
{
    static uint8_t buffer[KV_VALUE_MAX + 4096];
    struct bytes encoded = encode(op, buffer, sizeof buffer);
    const struct vstamp_limits limits = {.read_capacity = read_capacity};
    *why = (struct vstamp_diag){0};
    return kv_app()->check(&limits, encoded.data, encoded.size, why);
}

/* Why it is invalid in any group; NULL if it is taken. */
static const char *refusal(const struct kv_op *op)
{
    static struct vstamp_diag why;
    int wrong = check(op, KV_VALUE_MAX + READ_OVERHEAD, &why);
    if (wrong != 0) assert_int_equal(wrong, VSTAMP_E_INVALID);
    return wrong == 0 ? NULL : why.text;
}

static void keys_have_one_to_1024_bytes(void **state)
{
    (void)state;
    static const uint8_t long_key[KV_KEY_MAX + 1];
    struct bytes just = {long_key, KV_KEY_MAX}, beyond = {long_key, KV_KEY_MAX + 1};
    assert_null(refusal(&(struct kv_op){.verb = KV_PUT, .key = just}));
    assert_string_equal(refusal(&(struct kv_op){.verb = KV_PUT, .key = beyond}),
                        "a key is longer than 1024 bytes");
    assert_string_equal(refusal(&(struct kv_op){.verb = KV_PUT}), "a key is empty");
    struct bytes keys[] = {BYTES("a"), {0}};
    assert_string_equal(refusal(&(struct kv_op){.verb = KV_DEL, .keys = keys, .n_keys = 2}),
                        "a key is empty");
    assert_null(refusal(&(struct kv_op){.verb = KV_DEL, .keys = keys, .n_keys = 1}));
    assert_string_equal(refusal(&(struct kv_op){.verb = KV_DEL}), "no key is named");
}

static void values_have_at_most_8_mebibytes(void **state)
{
    (void)state;
    static const uint8_t large[KV_VALUE_MAX + 1];
    struct bytes just = {large, KV_VALUE_MAX}, beyond = {large, KV_VALUE_MAX + 1};
    struct kv_op op = {.verb = KV_PUT, .key = BYTES("k"), .value = just};
    assert_null(refusal(&op));
    op.value = beyond;
    assert_string_equal(refusal(&op), "the value is larger than 8 MiB");
    op = (struct kv_op){.verb = KV_CAS, .key = BYTES("k"), .expected = beyond};
    assert_string_equal(refusal(&op), "the expected value is larger than 8 MiB");
}

static void what_no_read_could_carry_does_not_enter_the_log(void **state)
{
    (void)state;
    static const uint8_t value[101];
    for (size_t i = 0; i < N_VERBS; i++) {
        if ((fields_of[i] & KV_HAS_VALUE) == 0) continue;
        struct kv_op op = {.verb = verbs[i], .key = BYTES("k"), .value = {value, 100}};
        struct vstamp_diag why;
        assert_int_equal(check(&op, 100 + READ_OVERHEAD, &why), 0);
        op.value.size = 101;
        assert_int_equal(check(&op, 100 + READ_OVERHEAD, &why), VSTAMP_E_TOO_LARGE);
        assert_string_equal(why.text, "the value is larger than the group allows, 100 bytes");
        assert_int_equal(check(&op, 101 + READ_OVERHEAD, &why), 0);
        op.value.size = 1;
        assert_int_equal(check(&op, 10, &why), VSTAMP_E_TOO_LARGE); /* less than any group has */
    }
}

static void a_read_does_not_enter_the_log(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_VERBS; i++) {
        struct kv_op op = full_op(i);
        const char *wrong = refusal(&op);
        if (kv_is_write(op.verb)) {
            assert_null(wrong);
        } else {
            assert_string_equal(wrong, "a read does not go through the log");
        }
    }
}

static void odd_listings_are_refused(void **state)
{
    (void)state;
    static const uint8_t long_key[KV_KEY_MAX + 1];
    uint8_t buffer[4096];
    struct kv_op odd[] = {
        {.verb = KV_LIST, .number = -1},
        {.verb = KV_LIST, .flags = 4},
        {.verb = KV_LIST, .key = {long_key, sizeof long_key}},
        {.verb = KV_LIST, .expected = {long_key, sizeof long_key}},
        {.verb = KV_CHANGES, .number = -1},
        {.verb = KV_CHANGES, .flags = 8},
        {.verb = KV_CHANGES, .key = {long_key, sizeof long_key}},
        {.verb = KV_CHANGES, .flags = KV_CHANGES_KEY}, /* of no key at all */
    };
    struct kv_op back;
    for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) {
        assert_non_null(kv_decode_op(encode(&odd[i], buffer, sizeof buffer), &back));
    }
    struct kv_op all = {.verb = KV_LIST};
    assert_null(kv_decode_op(encode(&all, buffer, sizeof buffer), &back));
    all.verb = KV_CHANGES;
    assert_null(kv_decode_op(encode(&all, buffer, sizeof buffer), &back));
}

static void a_verb_that_is_not_known_is_refused(void **state)
{
    (void)state;
    struct kv_op back;
    const uint8_t byte = 200;
    assert_string_equal(kv_decode_op((struct bytes){&byte, 1}, &back),
                        "the operation is not known");
    assert_false(kv_is_write(200));
}

static void a_count_of_keys_that_lies_is_refused(void **state)
{
    (void)state;
    struct kv_op back;
    const uint8_t encoded[] = {KV_DEL, 0xff, 0xff, 0xff, 0xff, 1, 0, 0, 0, 'k'};
    assert_non_null(kv_decode_op((struct bytes){encoded, sizeof encoded}, &back));
}

static void an_expiry_is_left_out_or_within_reach(void **state)
{
    (void)state;
    static const struct {
        uint64_t expiry;
        bool taken;
    } cases[] = {
        {1, true},
        {KV_TTL_MAX, true},
        {KV_TTL_MAX + 1, false},
        {KV_EXPIRES_AT | 1, true},
        {KV_EXPIRES_AT | NUMBER_MAX, true},
        {KV_EXPIRES_AT | (NUMBER_MAX + 1), false},
        {KV_EXPIRES_AT, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct kv_op op = {.verb = KV_PUT, .key = BYTES("k"), .expiry = cases[i].expiry};
        assert_int_equal(refusal(&op) == NULL, cases[i].taken);
    }
    const uint8_t zero[] = {KV_EXPIRE, 1, 0, 0, 0, 'k', 0, 0, 0, 0, 0, 0, 0, 0};
    struct kv_op back;
    assert_non_null(kv_decode_op((struct bytes){zero, sizeof zero}, &back));
    assert_null(kv_decode_op((struct bytes){zero, 6}, &back)); /* never */
}

static void answers_are_decoded_by_verb(void **state)
{
    (void)state;
    struct kv_answer a;
    assert_int_equal(kv_decode_answer(KV_PUT, BYTES("\0"), &a), 0);
    assert_int_equal(a.status, KV_ANSWER_DONE);
    assert_int_equal(kv_decode_answer(KV_INCR, BYTES("\0\xfe\xff\xff\xff\xff\xff\xff\xff"), &a), 0);
    assert_true(a.number == -2);
    assert_int_equal(kv_decode_answer(KV_GET, BYTES("\0\2\0\0\0hi"), &a), 0);
    assert_true(bytes_equal(a.value, BYTES("hi")));
    assert_int_equal(kv_decode_answer(KV_GET, BYTES("\1"), &a), 0);
    assert_int_equal(a.status, KV_ANSWER_ABSENT);
    assert_int_equal(kv_decode_answer(KV_SIZE, BYTES("\0\3\0\0\0\0\0\0\0\4\0\0\0\0\0\0\0"), &a), 0);
    assert_int_equal(a.number, 3);
    assert_int_equal(a.number2, 4);
}

static void a_listing_is_walked_pair_by_pair(void **state)
{
    (void)state;
    struct kv_answer a;
    struct bytes key, value;
    struct bytes encoded = BYTES("\0\1\0\2\0\0\0" "\1\0\0\0a" "\2\0\0\0xy" "\1\0\0\0b" "\0\0\0\0");
    assert_int_equal(kv_decode_answer(KV_LIST, encoded, &a), 0);
    assert_true(a.more);
    assert_int_equal(a.n_list, 2);
    kv_list_next(&a.list, &key, &value);
    assert_true(bytes_equal(key, BYTES("a")));
    assert_true(bytes_equal(value, BYTES("xy")));
    kv_list_next(&a.list, &key, &value);
    assert_true(bytes_equal(key, BYTES("b")));
    assert_int_equal(value.size, 0);
    assert_int_equal(a.list.size, 0);

    encoded = BYTES("\0\0\1\1\0\0\0" "\1\0\0\0a" "\0\0\0\0" "\7\0\0\0\0\0\0\0");
    assert_int_equal(kv_decode_answer(KV_LIST, encoded, &a), 0);
    kv_list_next(&a.list, &key, &value);
    assert_int_equal(kv_list_next_expiry(&a.list), 7);
}

static void malformed_answers_are_refused(void **state)
{
    (void)state;
    struct kv_answer a;
    const struct {
        enum kv_verb verb;
        struct bytes encoded;
    } cases[] = {
        {KV_PUT, BYTES("")},
        {KV_PUT, BYTES("\0x")},
        {KV_DEL, BYTES("\0\1\2\3")},
        {KV_GET, BYTES("\0\3\0\0\0hi")},
        {KV_GET, BYTES("\0\1\0\0\0hi")},
        {KV_GET, BYTES("\1hi")},
        {KV_LIST, BYTES("\0\0\0\2\0\0\0" "\1\0\0\0a" "\0\0\0\0")},
        {KV_LIST, BYTES("\0\7\0\0\0\0\0")},
        {KV_LIST, BYTES("\0\0\7\0\0\0\0")},
        {KV_LIST, BYTES("\0\0\0\xff\xff\xff\xff")},
        {KV_LIST, BYTES("\0\0\1\1\0\0\0" "\1\0\0\0a" "\0\0\0\0" "\1\2\3\4\5\6\7")},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(kv_decode_answer(cases[i].verb, cases[i].encoded, &a),
                         VSTAMP_E_MALFORMED);
    }
}

static void every_answer_has_a_sentence_also_one_of_a_later_version(void **state)
{
    (void)state;
    assert_string_equal(kv_answer_text(KV_ANSWER_FULL), "the store is full");
    assert_string_equal(kv_answer_text(99), "the answer is not known to this version");
    assert_int_equal(kv_answer_err(KV_ANSWER_MISMATCH), 0);
    assert_int_equal(kv_answer_err(KV_ANSWER_FULL), VSTAMP_E_FULL);
    assert_int_equal(kv_answer_err(99), VSTAMP_E_MALFORMED);
}

/* Whatever the bytes are: no crash (sanitizers watch), and what is accepted encodes to itself. */
static void random_bytes_are_refused_or_are_an_operation(void **state)
{
    (void)state;
    struct prng rng;
    prng_seed(&rng, 3);
    unsigned accepted = 0;
    for (int i = 0; i < 200000; i++) {
        uint8_t data[48], again[64];
        struct bytes encoded = {data, prng_below(&rng, sizeof data)};
        for (size_t b = 0; b < encoded.size; b++) {
            data[b] = prng_chance(&rng, 3, 4) ? (uint8_t)prng_below(&rng, 3)
                                              : (uint8_t)prng_next(&rng);
        }
        if (encoded.size > 0) data[0] = (uint8_t)prng_below(&rng, 20);
        struct kv_op op;
        struct kv_answer answer;
        kv_decode_answer(verbs[prng_below(&rng, N_VERBS)], encoded, &answer);
        if (kv_decode_op(encoded, &op) != NULL) continue;
        accepted++;
        struct bytes keys[16];
        op.keys = keys;
        for (uint32_t k = 0; k < op.n_keys; k++) kv_keys_next(&op.keys_encoded, &keys[k]);
        struct kv_condition conditions[KV_TXN_MAX];
        struct kv_op steps[KV_BRANCHES][KV_TXN_MAX];
        struct bytes step_keys[KV_BRANCHES][KV_TXN_MAX];
        op.txn.conditions = conditions;
        for (uint32_t c = 0; c < op.txn.n_conditions; c++)
            kv_condition_next(&op.txn.conditions_encoded, &conditions[c]);
        for (int b = 0; b < KV_BRANCHES; b++) {
            op.txn.steps[b] = steps[b];
            for (uint32_t k = 0; k < op.txn.n_steps[b]; k++) {
                kv_step_next(&op.txn.steps_encoded[b], &steps[b][k]);
                step_keys[b][k] = kv_step_key(&steps[b][k]);
                steps[b][k].keys = &step_keys[b][k];
            }
        }
        assert_true(bytes_equal(encode(&op, again, sizeof again), encoded));
    }
    assert_true(accepted > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_operation_comes_back_from_its_bytes),
        cmocka_unit_test(a_transaction_comes_back_from_its_bytes),
        cmocka_unit_test(negative_numbers_come_back),
        cmocka_unit_test(an_operation_cut_short_or_followed_by_more_is_refused),
        cmocka_unit_test(an_operation_that_does_not_fit_says_so),
        cmocka_unit_test(keys_have_one_to_1024_bytes),
        cmocka_unit_test(values_have_at_most_8_mebibytes),
        cmocka_unit_test(what_no_read_could_carry_does_not_enter_the_log),
        cmocka_unit_test(a_read_does_not_enter_the_log),
        cmocka_unit_test(odd_listings_are_refused),
        cmocka_unit_test(a_verb_that_is_not_known_is_refused),
        cmocka_unit_test(a_count_of_keys_that_lies_is_refused),
        cmocka_unit_test(an_expiry_is_left_out_or_within_reach),
        cmocka_unit_test(answers_are_decoded_by_verb),
        cmocka_unit_test(a_listing_is_walked_pair_by_pair),
        cmocka_unit_test(malformed_answers_are_refused),
        cmocka_unit_test(every_answer_has_a_sentence_also_one_of_a_later_version),
        cmocka_unit_test(random_bytes_are_refused_or_are_an_operation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

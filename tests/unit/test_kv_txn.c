/* SPDX-License-Identifier: BSD-2-Clause */
/* Transactions: all of one list of steps, or nothing. */
#include "base/prng.h"
#include "stored.h"

#define N_PAGES 100u

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

#define IF(...) .conditions = (const struct kv_condition[]){__VA_ARGS__},                          \
                .n_conditions = sizeof((const struct kv_condition[]){__VA_ARGS__}) /               \
                                sizeof(struct kv_condition)
#define LIST(branch, ...) .steps[branch] = (const struct kv_op[]){__VA_ARGS__},                    \
                          .n_steps[branch] = sizeof((const struct kv_op[]){__VA_ARGS__}) /         \
                                             sizeof(struct kv_op)
#define PUT(k, v) {.verb = KV_PUT, .key = BYTES(k), .value = BYTES(v)}
#define INCR(k, n) {.verb = KV_INCR, .key = BYTES(k), .number = n}
#define GET(k) {.verb = KV_GET, .key = BYTES(k)}
#define DEL(k) {.verb = KV_DEL, .keys = &BYTES(k), .n_keys = 1}
#define TXN(s, ...) run((s), (struct kv_op){.verb = KV_TXN, .txn = {__VA_ARGS__}})

/* The next answer of the transaction that ran last. */
static struct kv_answer next(struct store *s, enum kv_verb verb)
{
    struct kv_answer answer;
    assert_true(kv_step_answer_next(&s->answer.steps, verb, &answer));
    return answer;
}

static void conditions_decide_which_list_runs(void **state)
{
    struct store *s = *state;
    static const struct {
        struct kv_condition condition;
        bool holds;
    } cases[] = {
        {{KV_TEST_ABSENT, BYTES("no"), {0}}, true},
        {{KV_TEST_ABSENT, BYTES("k"), {0}}, false},
        {{KV_TEST_PRESENT, BYTES("k"), {0}}, true},
        {{KV_TEST_PRESENT, BYTES("no"), {0}}, false},
        {{KV_TEST_IS, BYTES("k"), BYTES("v")}, true},
        {{KV_TEST_IS, BYTES("k"), BYTES("w")}, false},
        {{KV_TEST_IS, BYTES("no"), BYTES("")}, false},
        {{KV_TEST_IS_NOT, BYTES("k"), BYTES("v")}, false},
        {{KV_TEST_IS_NOT, BYTES("k"), BYTES("w")}, true},
        {{KV_TEST_IS_NOT, BYTES("no"), BYTES("w")}, false},
    };
    put(s, BYTES("k"), BYTES("v"));
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(TXN(s, IF({KV_TEST_PRESENT, BYTES("k"), {0}}, cases[i].condition),
                             LIST(KV_THEN, PUT("a", "then")), LIST(KV_ELSE, PUT("a", "else"))),
                         KV_ANSWER_DONE);
        assert_int_equal(s->answer.branch, cases[i].holds ? KV_THEN : KV_ELSE);
        assert_value(s, BYTES("a"), cases[i].holds ? BYTES("then") : BYTES("else"));
    }
}

static void each_step_answers_in_order(void **state)
{
    struct store *s = *state;
    put(s, BYTES("n"), BYTES("5"));
    put(s, BYTES("d"), BYTES(""));
    assert_int_equal(TXN(s, LIST(KV_THEN, GET("n"), INCR("n", 2), GET("n"), DEL("d"), DEL("no"),
                                 GET("d"), {.verb = KV_EXPIRE, .key = BYTES("no2"), .expiry = 1},
                                 {.verb = KV_APPEND, .key = BYTES("l"), .value = BYTES("abc")})),
                     KV_ANSWER_DONE);
    assert_true(bytes_equal(next(s, KV_GET).value, BYTES("5")));
    assert_int_equal(next(s, KV_INCR).number, 7);
    assert_true(bytes_equal(next(s, KV_GET).value, BYTES("7")));
    assert_int_equal(next(s, KV_DEL).number, 1);
    assert_int_equal(next(s, KV_DEL).number, 0);
    assert_int_equal(next(s, KV_GET).status, KV_ANSWER_ABSENT);
    assert_int_equal(next(s, KV_EXPIRE).status, KV_ANSWER_ABSENT);
    assert_int_equal(next(s, KV_APPEND).number, 3);
    assert_int_equal(s->answer.steps.size, 0);
}

static void what_cannot_be_done_wholly_is_not_begun(void **state)
{
    struct store *s = *state;
    static const uint8_t large[4096];
    put(s, BYTES("text"), BYTES("no number"));
    put(s, BYTES("top"), BYTES("9223372036854775807"));
    s->promised_capacity = 4096;
    struct vstamp_id before = pages_digest(&s->paged.pages);
    assert_int_equal(TXN(s, LIST(KV_THEN, PUT("a", "1"), DEL("top"), INCR("text", 1))),
                     KV_ANSWER_NOT_A_NUMBER);
    assert_int_equal(s->answer.number, 3);
    assert_int_equal(TXN(s, IF({KV_TEST_ABSENT, BYTES("top"), {0}}),
                         LIST(KV_ELSE, PUT("a", "1"), INCR("top", 1))),
                     KV_ANSWER_OVERFLOW);
    assert_int_equal(s->answer.number, 2);
    assert_int_equal(s->answer.branch, KV_ELSE);
    assert_int_equal(TXN(s, LIST(KV_THEN, PUT("a", "1"), {.verb = KV_PUT, .key = BYTES("b"),
                                                         .value = {large, sizeof large}})),
                     KV_ANSWER_TOO_LARGE);
    assert_true(vstamp_id_equal(before, pages_digest(&s->paged.pages)));
}

static void a_full_store_takes_all_or_nothing(void **state)
{
    struct store *s = *state;
    static const uint8_t value[400];
    char text[16];
    put(s, BYTES("n"), BYTES("1"));
    for (int i = 0; put(s, (snprintf(text, sizeof text, "%d", i), bytes_of(text)),
                        (struct bytes){value, 400}) == KV_ANSWER_DONE; i++) {}
    for (int i = 0; put(s, (snprintf(text, sizeof text, "x%d", i), bytes_of(text)), BYTES("")) ==
                    KV_ANSWER_DONE; i++) {}
    del(s, BYTES("0")); /* room for one such value, and not for two */
    struct vstamp_id before = pages_digest(&s->paged.pages);
    const struct kv_op one = {.verb = KV_PUT, .key = BYTES("a"), .value = {value, 400}};
    const struct kv_op other = {.verb = KV_PUT, .key = BYTES("b"), .value = {value, 400}};
    assert_int_equal(TXN(s, LIST(KV_THEN, INCR("n", 1), one, other)), KV_ANSWER_FULL);
    assert_int_equal(s->answer.number, 3);
    assert_true(vstamp_id_equal(before, pages_digest(&s->paged.pages)));
    assert_int_equal(TXN(s, LIST(KV_THEN, INCR("n", 1), one)), KV_ANSWER_DONE);
    assert_value(s, BYTES("n"), BYTES("2"));
}

static void a_value_that_the_answer_cannot_hold_is_left_out(void **state)
{
    struct store *s = *state;
    static const uint8_t value[300];
    put(s, BYTES("k"), (struct bytes){value, 300});
    put(s, BYTES("l"), (struct bytes){value, 200});
    assert_int_equal(TXN(s, LIST(KV_THEN, GET("k"), GET("l"), GET("l"), INCR("n", 1))),
                     KV_ANSWER_DONE);
    assert_int_equal(next(s, KV_GET).status, KV_ANSWER_TOO_LARGE);
    assert_int_equal(next(s, KV_GET).value.size, 200);
    assert_int_equal(next(s, KV_GET).status, KV_ANSWER_TOO_LARGE);
    assert_int_equal(next(s, KV_INCR).number, 1);
}

static void a_key_whose_time_has_come_is_absent(void **state)
{
    struct store *s = *state;
    run(s, (struct kv_op){.verb = KV_PUT, .key = BYTES("k"), .value = BYTES("v"), .expiry = 10});
    s->now_us += 10;
    assert_int_equal(TXN(s, IF({KV_TEST_ABSENT, BYTES("k"), {0}}), LIST(KV_THEN, INCR("k", 4)),
                         LIST(KV_ELSE, GET("k"))),
                     KV_ANSWER_DONE);
    assert_int_equal(s->answer.branch, KV_THEN);
    assert_value(s, BYTES("k"), BYTES("4"));
}

/* What is odd from its form alone never runs. */
static void odd_transactions_are_refused(void **state)
{
    struct store *s = *state;
    static struct kv_condition conditions[KV_TXN_MAX + 1];
    static struct kv_op steps[KV_TXN_MAX + 1];
    for (size_t i = 0; i <= KV_TXN_MAX; i++) {
        conditions[i] = (struct kv_condition){KV_TEST_ABSENT, BYTES("k"), {0}};
        steps[i] = (struct kv_op)GET("k");
    }
    const struct bytes two[] = {BYTES("a"), BYTES("b")};
    const struct kv_op txn = {.verb = KV_TXN, .txn = {LIST(KV_THEN, GET("k"))}};
    const struct kv_txn odd[] = {
        {0},
        {.conditions = conditions, .n_conditions = KV_TXN_MAX + 1, LIST(KV_THEN, GET("k"))},
        {.steps = {steps}, .n_steps = {KV_TXN_MAX + 1}},
        {LIST(KV_THEN, PUT("a", "1"), GET("a"), PUT("a", "2"))},
        {LIST(KV_ELSE, DEL("a"), PUT("a", "2"))},
        {LIST(KV_THEN, {.verb = KV_DEL, .keys = two, .n_keys = 2})},
        {LIST(KV_THEN, {.verb = KV_SIZE})},
        {LIST(KV_THEN, txn)},
        {IF({KV_TEST_ABSENT, {0}, {0}}), LIST(KV_THEN, GET("k"))},
        {IF({(enum kv_test)99, BYTES("k"), {0}}), LIST(KV_THEN, GET("k"))},
        {LIST(KV_THEN, PUT("", "1"))},
    };
    for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) {
        uint8_t bytes[8192];
        struct writer w = writer_over(bytes, sizeof bytes);
        struct kv_op op = {.verb = KV_TXN, .txn = odd[i]}, back;
        kv_encode_op(&op, &w);
        assert_true(w.ok);
        assert_non_null(kv_decode_op((struct bytes){bytes, w.size}, &back));
    }
    for (size_t i = 0; i <= KV_TXN_MAX; i++) { /* numbers take more than there is room for */
        char *name = malloc(8);
        assert_non_null(name);
        snprintf(name, 8, "n%zu", i);
        steps[i] = (struct kv_op){.verb = KV_INCR, .key = bytes_of(name), .number = 1};
    }
    uint8_t bytes[8192];
    for (uint32_t n = 28; n <= 29; n++) {
        struct writer w = writer_over(bytes, sizeof bytes);
        struct kv_op op = {.verb = KV_TXN, .txn = {.steps = {steps}, .n_steps = {n}}}, back;
        kv_encode_op(&op, &w);
        assert_int_equal(kv_decode_op((struct bytes){bytes, w.size}, &back) == NULL, n == 28);
    }
    for (size_t i = 0; i <= KV_TXN_MAX; i++) free((void *)steps[i].key.data);
    (void)s;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
/* Full but for some small values that were deleted, always the same. */
static struct store *nearly_full(uint32_t n_deleted)
{
    static const uint8_t value[3000];
    static const uint32_t sizes[] = {3000, 60, 1};
    struct store *s = store_open(20);
    char key[24];
    put(s, BYTES("k"), BYTES("7"));
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        for (uint32_t n = 0;; n++) {
            snprintf(key, sizeof key, "%u-%u", sizes[i], n);
            if (put(s, bytes_of(key), (struct bytes){value, sizes[i]}) == KV_ANSWER_FULL) break;
        }
    }
    for (uint32_t n = 0; n < n_deleted; n++) {
        snprintf(key, sizeof key, "60-%u", n);
        del(s, bytes_of(key));
    }
    return s;
}

/* What a step takes is foretold as it is: alone it is done when the operation is, to the last byte
 * of room, and never begun when it cannot be. */
static void a_step_alone_is_done_if_the_operation_is(void **state)
{
    static const uint8_t value[1000];
    const struct kv_op ops[] = {
        {.verb = KV_APPEND, .key = BYTES("k"), .value = {value, 700}},
        {.verb = KV_PUT, .key = BYTES("k"), .value = {value, 700}},
        {.verb = KV_PUT, .key = BYTES("k"), .value = BYTES("8"), .expiry = 1000000},
        {.verb = KV_PUT, .key = BYTES("new"), .value = {value, 200}, .expiry = 1000000},
        {.verb = KV_EXPIRE, .key = BYTES("k"), .expiry = 1000000},
        {.verb = KV_INCR, .key = BYTES("new"), .number = 1},
        {.verb = KV_INCR, .key = BYTES("k"), .number = INT64_C(100000000000)},
    };
    bool done = false, full = false;
    (void)state;
    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++) {
        for (uint32_t n = 0; n < 14; n++) {
            struct store *one = nearly_full(n), *other = nearly_full(n);
            enum kv_answer_status status = run(one, ops[i]);
            assert_int_equal(TXN(other, LIST(KV_THEN, ops[i])), status);
            done = done || status == KV_ANSWER_DONE;
            full = full || status == KV_ANSWER_FULL;
            store_close(one);
            store_close(other);
        }
    }
    assert_true(done && full);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(conditions_decide_which_list_runs),
        TEST(each_step_answers_in_order),
        TEST(what_cannot_be_done_wholly_is_not_begun),
        TEST(a_full_store_takes_all_or_nothing),
        TEST(a_step_alone_is_done_if_the_operation_is),
        TEST(a_value_that_the_answer_cannot_hold_is_left_out),
        TEST(a_key_whose_time_has_come_is_absent),
        TEST(odd_transactions_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

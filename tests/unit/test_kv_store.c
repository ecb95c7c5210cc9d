/* SPDX-License-Identifier: BSD-2-Clause */
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

static void a_store_that_was_never_written_is_empty(void **state)
{
    struct store *s = *state;
    assert_absent(s, BYTES("k"));
    assert_string_equal(listed(s, (struct kv_op){0}), "");
    assert_false(s->answer.more);
    assert_size(s, 0, 0);
    assert_int_equal(s->paged.pages.n_used, 0);
}

static void a_value_replaces_the_one_before_whatever_their_sizes(void **state)
{
    struct store *s = *state;
    static const size_t sizes[] = {0, 5, 31, 32, 33, 92, 91, 1000, 151, 152, 4096, 0, 9000, 1};
    uint8_t value[9000];
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        memset(value, 'a' + (int)i, sizes[i]);
        assert_int_equal(put(s, BYTES("k"), (struct bytes){value, sizes[i]}), KV_ANSWER_DONE);
        assert_value(s, BYTES("k"), (struct bytes){value, sizes[i]});
        assert_size(s, 1, (int64_t)sizes[i] + 1);
    }
}

static void keys_and_values_are_any_bytes(void **state)
{
    struct store *s = *state;
    put(s, BYTES("\0"), BYTES("\0\0"));
    put(s, BYTES("\0\0"), BYTES(""));
    put(s, BYTES("\xff\xfe"), BYTES("\n"));
    assert_value(s, BYTES("\0"), BYTES("\0\0"));
    assert_value(s, BYTES("\0\0"), BYTES(""));
    assert_value(s, BYTES("\xff\xfe"), BYTES("\n"));
    assert_absent(s, BYTES("\xff"));
    assert_size(s, 3, 8);
}

static void the_longest_keys_are_told_apart_by_their_last_byte(void **state)
{
    struct store *s = *state;
    uint8_t a[KV_KEY_MAX] = {0}, b[KV_KEY_MAX] = {0};
    b[KV_KEY_MAX - 1] = 1;
    put(s, (struct bytes){a, sizeof a}, BYTES("a"));
    put(s, (struct bytes){b, sizeof b}, BYTES("b"));
    assert_value(s, (struct bytes){a, sizeof a}, BYTES("a"));
    assert_value(s, (struct bytes){b, sizeof b}, BYTES("b"));
    assert_absent(s, (struct bytes){a, sizeof a - 1});
}

static void deleting_answers_how_many_keys_there_were(void **state)
{
    struct store *s = *state;
    put(s, BYTES("a"), BYTES("1"));
    put(s, BYTES("b"), BYTES("2"));
    put(s, BYTES("c"), BYTES("3"));
    const struct bytes keys[] = {BYTES("c"), BYTES("x"), BYTES("a"), BYTES("a")};
    run(s, (struct kv_op){.verb = KV_DEL, .keys = keys, .n_keys = 4});
    assert_int_equal(s->answer.number, 2);
    assert_absent(s, BYTES("a"));
    assert_value(s, BYTES("b"), BYTES("2"));
    assert_size(s, 1, 2);
}

static void cas_sets_only_over_the_expected_value(void **state)
{
    struct store *s = *state;
    struct kv_op cas = {.verb = KV_CAS, .key = BYTES("k"), .expected = BYTES("old"),
                        .value = BYTES("new")};
    assert_int_equal(run(s, cas), KV_ANSWER_ABSENT);
    assert_absent(s, BYTES("k"));
    put(s, BYTES("k"), BYTES("older"));
    assert_int_equal(run(s, cas), KV_ANSWER_MISMATCH);
    assert_value(s, BYTES("k"), BYTES("older"));
    put(s, BYTES("k"), BYTES("old"));
    assert_int_equal(run(s, cas), KV_ANSWER_DONE);
    assert_value(s, BYTES("k"), BYTES("new"));
}

static void cas_absent_sets_only_where_there_is_nothing(void **state)
{
    struct store *s = *state;
    struct kv_op cas = {.verb = KV_CAS_ABSENT, .key = BYTES("k"), .value = BYTES("")};
    assert_int_equal(run(s, cas), KV_ANSWER_DONE);
    assert_int_equal(run(s, cas), KV_ANSWER_MISMATCH); /* an empty value is a value */
    assert_value(s, BYTES("k"), BYTES(""));
}

static void a_counter_starts_at_zero_and_is_decimal_text(void **state)
{
    struct store *s = *state;
    assert_int_equal(incr(s, BYTES("n"), 7), KV_ANSWER_DONE);
    assert_int_equal(s->answer.number, 7);
    incr(s, BYTES("n"), -10);
    assert_true(s->answer.number == -3);
    assert_value(s, BYTES("n"), BYTES("-3"));
    put(s, BYTES("n"), BYTES("0099"));
    incr(s, BYTES("n"), 1);
    assert_value(s, BYTES("n"), BYTES("100"));
    incr(s, BYTES("n"), INT64_MIN);
    assert_value(s, BYTES("n"), BYTES("-9223372036854775708"));
}

static void a_sum_beyond_64_bits_is_refused_and_changes_nothing(void **state)
{
    struct store *s = *state;
    put(s, BYTES("n"), BYTES("9223372036854775807"));
    assert_int_equal(incr(s, BYTES("n"), 1), KV_ANSWER_OVERFLOW);
    assert_value(s, BYTES("n"), BYTES("9223372036854775807"));
    assert_int_equal(incr(s, BYTES("n"), 0), KV_ANSWER_DONE);
    put(s, BYTES("n"), BYTES("-9223372036854775808"));
    assert_int_equal(incr(s, BYTES("n"), 0), KV_ANSWER_DONE);
    assert_true(s->answer.number == INT64_MIN);
    assert_int_equal(incr(s, BYTES("n"), -1), KV_ANSWER_OVERFLOW);
    put(s, BYTES("n"), BYTES("9223372036854775808"));
    assert_int_equal(incr(s, BYTES("n"), -1), KV_ANSWER_OVERFLOW);
}

static void what_is_not_a_decimal_number_is_not_counted(void **state)
{
    struct store *s = *state;
    const struct bytes values[] = {
        BYTES(""), BYTES("-"), BYTES("+1"), BYTES(" 1"), BYTES("1 "), BYTES("1\n"), BYTES("0x1"),
        BYTES("1.0"), BYTES("--1"), BYTES("1\0"), BYTES("000000000000000000001"),
    };
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        put(s, BYTES("n"), values[i]);
        assert_int_equal(incr(s, BYTES("n"), 1), KV_ANSWER_NOT_A_NUMBER);
        assert_value(s, BYTES("n"), values[i]);
    }
}

static void appending_lengthens_a_value_and_answers_its_length(void **state)
{
    struct store *s = *state;
    uint8_t wanted[1000];
    size_t size = 0;
    assert_int_equal(append(s, BYTES("k"), BYTES("")), KV_ANSWER_DONE);
    assert_value(s, BYTES("k"), BYTES(""));
    for (size_t piece = 0; size + piece <= sizeof wanted; piece++) {
        memset(wanted + size, 'a' + (int)(piece % 26), piece);
        append(s, BYTES("k"), (struct bytes){wanted + size, piece});
        size += piece;
        assert_int_equal(s->answer.number, size);
        assert_value(s, BYTES("k"), (struct bytes){wanted, size});
    }
    assert_size(s, 1, (int64_t)size + 1);
}

static void a_value_is_not_larger_than_a_read_can_carry(void **state)
{
    struct store *s = *state;
    static const uint8_t value[101];
    const struct bytes just = {value, 100}, beyond = {value, 101};
    s->promised_capacity = 100 + READ_OVERHEAD;
    assert_int_equal(put(s, BYTES("k"), beyond), KV_ANSWER_TOO_LARGE);
    assert_int_equal(s->answer.number, 100);
    assert_int_equal(append(s, BYTES("k"), beyond), KV_ANSWER_TOO_LARGE);
    assert_absent(s, BYTES("k"));
    assert_int_equal(put(s, BYTES("k"), just), KV_ANSWER_DONE);
    assert_int_equal(append(s, BYTES("k"), BYTES("x")), KV_ANSWER_TOO_LARGE);
    assert_int_equal(append(s, BYTES("k"), BYTES("")), KV_ANSWER_DONE);
    assert_int_equal(run(s, (struct kv_op){.verb = KV_CAS, .key = BYTES("k"), .expected = just,
                                           .value = beyond}),
                     KV_ANSWER_TOO_LARGE);
    assert_value(s, BYTES("k"), just);

    uint8_t key[KV_KEY_MAX] = {0}; /* the longest key with the largest value, as a pair */
    s->read_capacity = s->promised_capacity;
    assert_int_equal(put(s, (struct bytes){key, sizeof key}, just), KV_ANSWER_DONE);
    assert_int_equal(run(s, (struct kv_op){.verb = KV_LIST, .number = 1}), KV_ANSWER_DONE);
    assert_int_equal(s->answer.n_list, 1);
    s->promised_capacity = 10; /* less than any group has: nothing but empty values */
    assert_int_equal(put(s, BYTES("k"), BYTES("x")), KV_ANSWER_TOO_LARGE);
    assert_int_equal(put(s, BYTES("k"), BYTES("")), KV_ANSWER_DONE);
}

static void a_value_does_not_grow_beyond_8_mebibytes(void **state)
{
    (void)state;
    struct store *s = store_open(KV_VALUE_MAX / VSTAMP_PAGE_SIZE * 2);
    static uint8_t piece[8192];
    for (size_t size = 0; size + sizeof piece < KV_VALUE_MAX; size += sizeof piece) {
        assert_int_equal(append(s, BYTES("k"), (struct bytes){piece, sizeof piece}),
                         KV_ANSWER_DONE);
    }
    assert_int_equal(append(s, BYTES("k"), (struct bytes){piece, sizeof piece - 1}),
                     KV_ANSWER_DONE);
    assert_int_equal(append(s, BYTES("k"), BYTES("x")), KV_ANSWER_DONE);
    assert_int_equal(s->answer.number, KV_VALUE_MAX);
    assert_int_equal(append(s, BYTES("k"), BYTES("y")), KV_ANSWER_TOO_LARGE);
    assert_int_equal(run(s, (struct kv_op){.verb = KV_GET, .key = BYTES("k")}),
                     KV_ANSWER_TOO_LARGE); /* this test's buffer is smaller */

    static uint8_t buffer[KV_VALUE_MAX + READ_OVERHEAD];
    struct vstamp_answer answer = {.data = buffer, .capacity = sizeof buffer};
    const uint8_t all[] = {KV_LIST, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
    kv_app()->query(&s->paged.window, all, sizeof all, &answer);
    assert_int_equal(kv_decode_answer(KV_LIST, (struct bytes){buffer, answer.size}, &s->answer), 0);
    assert_int_equal(s->answer.n_list, 1);
    store_close(s);
}

static void a_listing_is_in_byte_order_and_by_prefix(void **state)
{
    struct store *s = *state;
    const char *keys[] = {"b", "ab", "a", "abc", "ac", "B", "abd"};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        put(s, bytes_of(keys[i]), bytes_of(keys[i]));
    }
    assert_string_equal(listed(s, (struct kv_op){.flags = KV_LIST_KEYS_ONLY}),
                        "B a ab abc abd ac b ");
    assert_string_equal(listed(s, (struct kv_op){.key = BYTES("ab")}), "ab=ab abc=abc abd=abd ");
    assert_string_equal(listed(s, (struct kv_op){.key = BYTES("x")}), "");
    assert_string_equal(listed(s, (struct kv_op){.key = BYTES("ab"), .expected = BYTES("abc")}),
                        "abd=abd ");
    assert_string_equal(listed(s, (struct kv_op){.key = BYTES("ab"), .expected = BYTES("a")}),
                        "ab=ab abc=abc abd=abd ");
    assert_string_equal(listed(s, (struct kv_op){.key = BYTES("ab"), .expected = BYTES("ab")}),
                        "abc=abc abd=abd ");
    assert_string_equal(listed(s, (struct kv_op){.key = BYTES("ab"), .expected = BYTES("abx")}),
                        "");
    assert_string_equal(listed(s, (struct kv_op){.expected = BYTES("aba")}),
                        "abc=abc abd=abd ac=ac b=b ");
}

static void a_limited_listing_tells_whether_there_is_more(void **state)
{
    struct store *s = *state;
    put(s, BYTES("k1"), BYTES(""));
    put(s, BYTES("k2"), BYTES(""));
    put(s, BYTES("l"), BYTES(""));
    assert_string_equal(listed(s, (struct kv_op){.key = BYTES("k"), .number = 1}), "k1 ");
    assert_true(s->answer.more);
    assert_string_equal(listed(s, (struct kv_op){.key = BYTES("k"), .number = 2}), "k1 k2 ");
    assert_false(s->answer.more);
    assert_string_equal(listed(s, (struct kv_op){.number = 3}), "k1 k2 l ");
    assert_false(s->answer.more);
}

static void a_listing_larger_than_an_answer_comes_in_pages(void **state)
{
    struct store *s = *state;
    char key[16], last[16] = "";
    uint8_t value[50] = {'v'};
    for (int i = 0; i < 100; i++) {
        int size = snprintf(key, sizeof key, "key-%02d", (i * 37) % 100);
        put(s, (struct bytes){(uint8_t *)key, (size_t)size}, (struct bytes){value, sizeof value});
    }
    s->read_capacity = 700; /* ten pairs of 64 bytes, and the head */
    int n = 0, n_answers = 0;
    do {
        run(s, (struct kv_op){.verb = KV_LIST, .key = BYTES("key-"), .expected = bytes_of(last)});
        for (uint32_t i = 0; i < s->answer.n_list; i++, n++) {
            struct bytes k, v;
            kv_list_next(&s->answer.list, &k, &v);
            snprintf(key, sizeof key, "key-%02d", n);
            assert_true(bytes_equal(k, bytes_of(key)));
            assert_true(bytes_equal(v, (struct bytes){value, sizeof value}));
        }
        snprintf(last, sizeof last, "%s", key);
        n_answers++;
    } while (s->answer.more);
    assert_int_equal(n, 100);
    assert_int_equal(n_answers, 10);
}

static void a_value_that_an_answer_cannot_carry_is_too_large(void **state)
{
    struct store *s = *state;
    uint8_t value[300] = {0};
    put(s, BYTES("k"), (struct bytes){value, sizeof value});
    s->read_capacity = 304;
    assert_int_equal(run(s, (struct kv_op){.verb = KV_GET, .key = BYTES("k")}),
                     KV_ANSWER_TOO_LARGE);
    assert_int_equal(run(s, (struct kv_op){.verb = KV_LIST}), KV_ANSWER_TOO_LARGE);
    s->read_capacity = 305;
    assert_value(s, BYTES("k"), (struct bytes){value, sizeof value});
}

/* Keys of a sequence, the k-th with a value of k % 200 bytes. */
static struct bytes nth_key(char text[16], int n)
{
    int size = snprintf(text, 16, "%d", n);
    return (struct bytes){(uint8_t *)text, (size_t)size};
}

static int fill(struct store *s)
{
    static const uint8_t value[200];
    char text[16];
    int n = 0;
    while (put(s, nth_key(text, n), (struct bytes){value, (size_t)n % 200}) == KV_ANSWER_DONE) n++;
    assert_int_equal(s->answer.status, KV_ANSWER_FULL);
    return n;
}

static void a_full_store_refuses_and_changes_nothing(void **state)
{
    struct store *s = *state;
    static const uint8_t value[9000];
    put(s, BYTES("k"), BYTES("12"));
    fill(s);
    while (put(s, BYTES("single cell"), BYTES("")) == KV_ANSWER_DONE &&
           append(s, BYTES("k"), (struct bytes){value, 60}) == KV_ANSWER_DONE) {}
    struct vstamp_id before = pages_digest(&s->paged.pages);
    assert_int_equal(put(s, BYTES("new"), BYTES("")), KV_ANSWER_FULL);
    assert_int_equal(put(s, BYTES("0"), (struct bytes){value, 9000}), KV_ANSWER_FULL);
    assert_int_equal(append(s, BYTES("k"), (struct bytes){value, 61}), KV_ANSWER_FULL);
    assert_int_equal(append(s, BYTES("new"), BYTES("x")), KV_ANSWER_FULL);
    assert_int_equal(incr(s, BYTES("new"), 1), KV_ANSWER_FULL);
    assert_int_equal(run(s, (struct kv_op){.verb = KV_CAS_ABSENT, .key = BYTES("new")}),
                     KV_ANSWER_FULL);
    assert_true(vstamp_id_equal(before, pages_digest(&s->paged.pages)));
    assert_int_equal(put(s, BYTES("1"), BYTES("x")), KV_ANSWER_DONE); /* in the same room */
    assert_int_equal(s->paged.pages.n_used, N_PAGES);
}

static void what_was_deleted_can_be_filled_again(void **state)
{
    struct store *s = *state;
    char text[16];
    int n = fill(s);
    assert_true(n > (int)N_PAGES * 10);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < n; i++) {
            del(s, nth_key(text, (i * 7919) % n));
            assert_int_equal(s->answer.number, n % 7919 != 0);
        }
        assert_size(s, 0, 0);
        assert_string_equal(listed(s, (struct kv_op){0}), "");
        assert_int_equal(fill(s), n);
    }
}

static void what_was_deleted_is_gone_from_the_pages(void **state)
{
    struct store *s = *state;
    put(s, BYTES("k"), BYTES("a secret that is longer than one cell, so that it has a second one"));
    put(s, BYTES("l"), BYTES("another secret that is longer than one cell and will be cut short"));
    put(s, BYTES("l"), BYTES("b"));
    del(s, BYTES("k"));
    const uint8_t *page = pages_read(&s->paged.pages, 0);
    for (size_t i = 0; i + 4 <= VSTAMP_PAGE_SIZE; i++) {
        assert_memory_not_equal(page + i, "secr", 4);
        assert_memory_not_equal(page + i, "cell", 4);
        assert_memory_not_equal(page + i, "shor", 4);
    }
}

/* A model: pairs in a sorted array. */
#define MODEL_KEYS_MAX 400u
#define MODEL_VALUE_MAX 250u
struct pair {
    uint8_t key[90], value[MODEL_VALUE_MAX];
    size_t key_size, value_size;
};

struct model {
    struct pair pairs[MODEL_KEYS_MAX];
    size_t n;
};

static struct bytes pair_key(const struct pair *p)
{
    return (struct bytes){p->key, p->key_size};
}

static struct bytes pair_value(const struct pair *p)
{
    return (struct bytes){p->value, p->value_size};
}

/* Where the key is, or would go. */
static size_t model_place(const struct model *m, struct bytes key)
{
    size_t at = 0;
    while (at < m->n && bytes_compare(pair_key(&m->pairs[at]), key) < 0) at++;
    return at;
}

static struct pair *model_find(struct model *m, struct bytes key)
{
    size_t at = model_place(m, key);
    return at < m->n && bytes_equal(pair_key(&m->pairs[at]), key) ? &m->pairs[at] : NULL;
}

static void model_put(struct model *m, struct bytes key, struct bytes value)
{
    struct pair *p = model_find(m, key);
    if (p == NULL) {
        size_t at = model_place(m, key);
        assert_true(m->n < MODEL_KEYS_MAX);
        memmove(&m->pairs[at + 1], &m->pairs[at], (m->n - at) * sizeof *p);
        m->n++;
        p = &m->pairs[at];
        p->key_size = key.size;
        memcpy(p->key, key.data, key.size);
    }
    p->value_size = value.size;
    memcpy(p->value, value.data, value.size);
}

static void model_remove(struct model *m, struct pair *p)
{
    size_t at = (size_t)(p - m->pairs);
    m->n--;
    memmove(p, p + 1, (m->n - at) * sizeof *p);
}

/* Bytes of few kinds, so that keys share prefixes and values meet; sizes around those of cells. */
static struct bytes random_bytes(struct prng *rng, uint8_t *buffer, size_t min, size_t max)
{
    size_t top = prng_chance(rng, 1, 4) ? max : (max < 3 ? max : 3);
    size_t size = (size_t)prng_between(rng, min, top);
    for (size_t i = 0; i < size; i++) buffer[i] = (uint8_t)(prng_below(rng, 3) * 127);
    return (struct bytes){buffer, size};
}

static void model_step(struct store *s, struct model *m, struct prng *rng)
{
    uint8_t key_buffer[90], buffer[MODEL_VALUE_MAX];
    struct bytes key = random_bytes(rng, key_buffer, 1, sizeof key_buffer);
    if (m->n > 0 && prng_chance(rng, 1, 2)) {
        const struct pair *known = &m->pairs[prng_below(rng, m->n)];
        memcpy(key_buffer, known->key, known->key_size);
        key = (struct bytes){key_buffer, known->key_size};
    }
    struct bytes value = random_bytes(rng, buffer, 0, MODEL_VALUE_MAX);
    struct pair *p = model_find(m, key);
    switch (prng_below(rng, m->n + 50 > MODEL_KEYS_MAX ? 1 : 6)) {
    case 0:
        assert_int_equal(del(s, key), KV_ANSWER_DONE);
        assert_int_equal(s->answer.number, p != NULL);
        if (p != NULL) model_remove(m, p);
        return;
    case 1:
        assert_int_equal(run(s, (struct kv_op){.verb = KV_CAS_ABSENT, .key = key, .value = value}),
                         p != NULL ? KV_ANSWER_MISMATCH : KV_ANSWER_DONE);
        if (p == NULL) model_put(m, key, value);
        return;
    case 2:
        if (p != NULL && p->value_size + value.size > MODEL_VALUE_MAX) return;
        assert_int_equal(append(s, key, value), KV_ANSWER_DONE);
        if (p == NULL) {
            model_put(m, key, value);
        } else {
            memcpy(p->value + p->value_size, value.data, value.size);
            p->value_size += value.size;
        }
        return;
    default:
        assert_int_equal(put(s, key, value), KV_ANSWER_DONE);
        model_put(m, key, value);
        return;
    }
}

static void assert_like_model(struct store *s, const struct model *m)
{
    int64_t bytes = 0;
    assert_int_equal(run(s, (struct kv_op){.verb = KV_LIST}), KV_ANSWER_DONE);
    assert_int_equal(s->answer.n_list, m->n);
    assert_false(s->answer.more);
    for (size_t i = 0; i < m->n; i++) {
        struct bytes key, value;
        kv_list_next(&s->answer.list, &key, &value);
        assert_true(bytes_equal(key, pair_key(&m->pairs[i])));
        assert_true(bytes_equal(value, pair_value(&m->pairs[i])));
        bytes += (int64_t)(key.size + value.size);
    }
    assert_size(s, (int64_t)m->n, bytes);
    for (size_t i = 0; i < m->n; i++) {
        assert_value(s, pair_key(&m->pairs[i]), pair_value(&m->pairs[i]));
    }
}

static void any_history_is_like_a_sorted_array(void **state)
{
    struct store *s = *state;
    static struct model m;
    struct prng rng;
    prng_seed(&rng, 1);
    for (int step = 0; step < 20000; step++) {
        model_step(s, &m, &rng);
        if (step % 200 == 0) assert_like_model(s, &m);
    }
    assert_true(m.n > 50);
    while (m.n > 0) {
        del(s, pair_key(&m.pairs[m.n / 2]));
        model_remove(&m, &m.pairs[m.n / 2]);
    }
    assert_like_model(s, &m);
}

static void equal_histories_give_equal_pages(void **state)
{
    static struct model m, other_m;
    struct store *s = *state;
    struct store *other = store_open(N_PAGES);
    struct prng rng, other_rng;
    prng_seed(&rng, 2);
    prng_seed(&other_rng, 2);
    for (int step = 0; step < 2000; step++) {
        model_step(s, &m, &rng);
        model_step(other, &other_m, &other_rng);
        if (step % 100 == 0) pages_checkpoint(&other->paged.pages); /* leaves no trace */
    }
    assert_true(m.n > 10);
    assert_true(vstamp_id_equal(pages_digest(&s->paged.pages), pages_digest(&other->paged.pages)));
    store_close(other);
}

/* Keys whose unseeded hashes, or whose order of arrival, would make a list out of a tree. */
static void rising_keys_do_not_make_the_store_slow(void **state)
{
    (void)state;
    struct store *s = store_open(4000);
    char text[16];
    for (int i = 0; i < 50000; i++) { /* as a list: over a thousand million comparisons */
        int size = snprintf(text, sizeof text, "%08d", i);
        assert_int_equal(put(s, (struct bytes){(uint8_t *)text, (size_t)size}, BYTES("v")),
                         KV_ANSWER_DONE);
    }
    assert_size(s, 50000, 50000 * 9);
    store_close(s);
}

/* Noise, or an operation with a byte or two changed. */
static size_t random_operation(struct prng *rng, uint8_t *data, size_t capacity)
{
    const struct bytes key = BYTES("\1");
    const struct kv_op ops[] = {
        {.verb = KV_PUT, .key = key, .value = BYTES("9")},
        {.verb = KV_DEL, .keys = &key, .n_keys = 1},
        {.verb = KV_CAS, .key = key, .expected = BYTES("9"), .value = BYTES("8")},
        {.verb = KV_INCR, .key = key, .number = 1},
        {.verb = KV_APPEND, .key = key, .value = BYTES("1")},
        {.verb = KV_LIST, .key = key},
    };
    if (prng_chance(rng, 1, 3)) {
        size_t size = prng_below(rng, capacity);
        for (size_t i = 0; i < size; i++) data[i] = (uint8_t)prng_next(rng);
        return size;
    }
    struct writer w = writer_over(data, capacity);
    kv_encode_op(&ops[prng_below(rng, sizeof ops / sizeof ops[0])], &w);
    assert_true(w.ok);
    for (uint64_t n = prng_below(rng, 3); n > 0; n--) {
        data[prng_below(rng, w.size)] = (uint8_t)prng_below(rng, 20);
    }
    return w.size;
}

static void malformed_operations_are_answered_and_change_nothing(void **state)
{
    struct store *s = *state;
    struct prng rng;
    prng_seed(&rng, 4);
    put(s, BYTES("\1"), BYTES("5"));
    struct vstamp_id before = pages_digest(&s->paged.pages);
    unsigned refused = 0;
    for (uint64_t i = 0; i < 50000; i++) {
        uint8_t data[40], buffer[300];
        size_t size = random_operation(&rng, data, sizeof data);
        struct vstamp_context context = {.op_number = 100 + i, .limits = {.read_capacity = 4096}};
        struct vstamp_answer answer = {.data = buffer, .capacity = 256};
        struct vstamp_diag why;
        bool valid = kv_app()->check(&context.limits, data, size, &why) == 0;
        kv_app()->apply(&s->paged.window, &context, data, size, &answer);
        assert_in_range(answer.size, 1, 256);
        assert_int_equal(buffer[0] != KV_ANSWER_INVALID, valid);
        struct vstamp_id after = pages_digest(&s->paged.pages);
        if (!valid) {
            refused++;
            assert_true(vstamp_id_equal(before, after));
        }
        before = after;
        answer.capacity = prng_chance(&rng, 1, 2) ? 256 : prng_below(&rng, 20);
        kv_app()->query(&s->paged.window, data, size, &answer);
        assert_true(answer.size <= answer.capacity);
    }
    assert_in_range(refused, 5000, 45000);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_store_that_was_never_written_is_empty),
        TEST(a_value_replaces_the_one_before_whatever_their_sizes),
        TEST(keys_and_values_are_any_bytes),
        TEST(the_longest_keys_are_told_apart_by_their_last_byte),
        TEST(deleting_answers_how_many_keys_there_were),
        TEST(cas_sets_only_over_the_expected_value),
        TEST(cas_absent_sets_only_where_there_is_nothing),
        TEST(a_counter_starts_at_zero_and_is_decimal_text),
        TEST(a_sum_beyond_64_bits_is_refused_and_changes_nothing),
        TEST(what_is_not_a_decimal_number_is_not_counted),
        TEST(appending_lengthens_a_value_and_answers_its_length),
        TEST(a_value_is_not_larger_than_a_read_can_carry),
        TEST(a_value_does_not_grow_beyond_8_mebibytes),
        TEST(a_listing_is_in_byte_order_and_by_prefix),
        TEST(a_limited_listing_tells_whether_there_is_more),
        TEST(a_listing_larger_than_an_answer_comes_in_pages),
        TEST(a_value_that_an_answer_cannot_carry_is_too_large),
        TEST(a_full_store_refuses_and_changes_nothing),
        TEST(what_was_deleted_can_be_filled_again),
        TEST(what_was_deleted_is_gone_from_the_pages),
        TEST(any_history_is_like_a_sorted_array),
        TEST(equal_histories_give_equal_pages),
        TEST(rising_keys_do_not_make_the_store_slow),
        TEST(malformed_operations_are_answered_and_change_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

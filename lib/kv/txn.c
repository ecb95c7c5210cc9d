/* SPDX-License-Identifier: BSD-2-Clause */
/* Transactions as bytes:
 *
 *   u32 n, then of each condition: u8 test, key, and value if the test has one
 *   twice, for either branch: u32 n, then each step as an operation, with a u32 length before it
 *
 * and their answers: u8 branch, then of each step its answer, without a length: only INCR and
 * APPEND have a number, and GET a value, each behind the status DONE.  A DEL is DONE or ABSENT.
 *
 * What a transaction is to be refused for is found here, from its form alone.  Since a list writes
 * no key twice, each write can be judged by the state that the transaction meets, so it is known
 * whether all of them can be done before the first one is (writes.c). */
#include "base/assert.h"
#include "base/limits.h"
#include "kv/kv.h"

#define ANSWER_HEAD_SIZE 2u /* status, branch */

bool kv_test_has_value(enum kv_test test)
{
    switch (test) {
#define KV_TEST(name, number, words, has_value)                                                    \
    case KV_TEST_##name:                                                                           \
        return has_value;
#include "kv/ops.def"
#undef KV_TEST
    }
    return false;
}

const char *kv_test_words(enum kv_test test)
{
    switch (test) {
#define KV_TEST(name, number, words, has_value)                                                    \
    case KV_TEST_##name:                                                                           \
        return words;
#include "kv/ops.def"
#undef KV_TEST
    }
    return "unknown";
}

struct bytes kv_step_key(const struct kv_op *step)
{
    struct bytes keys = step->keys_encoded, key = step->key;
    if (step->verb == KV_DEL && step->keys != NULL) key = step->keys[0];
    else if (step->verb == KV_DEL) kv_keys_next(&keys, &key);
    return key;
}

uint32_t kv_step_answer_size(enum kv_verb verb)
{
    return verb == KV_INCR || verb == KV_APPEND ? 9 : 1;
}

/* --- encoding --------------------------------------------------------------------------------- */

static void encode_step(const struct kv_op *step, struct writer *w)
{
    size_t at = w->size;
    write_u32(w, 0);
    kv_encode_op(step, w);
    if (!w->ok) return;
    struct writer length = writer_over(w->start + at, 4);
    write_u32(&length, (uint32_t)(w->size - at - 4));
}

void kv_encode_txn(const struct kv_txn *txn, struct writer *w)
{
    write_u32(w, txn->n_conditions);
    for (uint32_t i = 0; i < txn->n_conditions; i++) {
        const struct kv_condition *c = &txn->conditions[i];
        write_u8(w, (uint8_t)c->test);
        write_bytes(w, c->key);
        if (kv_test_has_value(c->test)) write_bytes(w, c->value);
    }
    for (int branch = 0; branch < KV_BRANCHES; branch++) {
        write_u32(w, txn->n_steps[branch]);
        for (uint32_t i = 0; i < txn->n_steps[branch]; i++) encode_step(&txn->steps[branch][i], w);
    }
}

/* --- decoding --------------------------------------------------------------------------------- */

static bool is_test(enum kv_test test)
{
    switch (test) {
#define KV_TEST(name, number, words, has_value) case KV_TEST_##name:
#include "kv/ops.def"
#undef KV_TEST
        return true;
    }
    return false;
}

static struct kv_condition read_condition(struct reader *r)
{
    struct kv_condition c = {.test = read_u8(r)};
    c.key = read_bytes(r);
    if (kv_test_has_value(c.test)) c.value = read_bytes(r);
    return c;
}

static const char *decode_conditions(struct reader *r, struct kv_txn *txn)
{
    txn->n_conditions = read_u32(r);
    txn->conditions_encoded = (struct bytes){r->at, r->left};
    if (r->ok && txn->n_conditions > KV_TXN_MAX) return "it has more than 64 conditions";
    for (uint32_t i = 0; i < txn->n_conditions && r->ok; i++) {
        struct kv_condition c = read_condition(r);
        if (!r->ok) break;
        if (!is_test(c.test)) return "a condition is not known";
        if (c.key.size == 0 || c.key.size > KV_KEY_MAX)
            return "a key of a condition is empty, or longer than 1024 bytes";
        if (c.value.size > KV_VALUE_MAX) return "a value of a condition is larger than 8 MiB";
    }
    return NULL;
}
_Static_assert(KV_KEY_MAX == 1024 && KV_VALUE_MAX == 8u << 20 && KV_TXN_MAX == 64,
               "as the sentences above say");

static bool may_be_step(const struct kv_op *op)
{
    bool one_key = op->verb == KV_DEL && op->n_keys == 1;
    return one_key || op->verb == KV_PUT || op->verb == KV_APPEND || op->verb == KV_INCR ||
           op->verb == KV_EXPIRE || op->verb == KV_GET;
}

/* Is this key written by one of the first `n` steps? */
static bool is_written(struct bytes steps, uint32_t n, struct bytes key)
{
    for (uint32_t i = 0; i < n; i++) {
        struct kv_op step;
        kv_step_next(&steps, &step);
        if (step.verb != KV_GET && bytes_equal(kv_step_key(&step), key)) return true;
    }
    return false;
}

static const char *decode_steps(struct reader *r, struct kv_txn *txn, enum kv_branch branch)
{
    size_t answers = ANSWER_HEAD_SIZE;
    txn->n_steps[branch] = read_u32(r);
    txn->steps_encoded[branch] = (struct bytes){r->at, r->left};
    if (r->ok && txn->n_steps[branch] > KV_TXN_MAX) return "it has more than 64 steps";
    for (uint32_t i = 0; i < txn->n_steps[branch] && r->ok; i++) {
        struct kv_op step;
        struct bytes encoded = read_bytes(r);
        if (!r->ok) break;
        if (encoded.size > 0 && encoded.data[0] == KV_TXN) return "a step is a transaction";
        const char *wrong = kv_decode_op(encoded, &step);
        if (wrong != NULL) return wrong;
        if (!may_be_step(&step)) return "a step is none of put, append, incr, expire, del and get";
        if (step.verb != KV_GET && is_written(txn->steps_encoded[branch], i, kv_step_key(&step)))
            return "two steps write one key";
        answers += kv_step_answer_size(step.verb);
    }
    return answers <= ANSWER_BYTES_MIN ? NULL : "the answers of its steps would be too large";
}

const char *kv_decode_txn(struct reader *r, struct kv_txn *txn)
{
    const char *wrong = decode_conditions(r, txn);
    for (int branch = 0; branch < KV_BRANCHES && wrong == NULL && r->ok; branch++)
        wrong = decode_steps(r, txn, (enum kv_branch)branch);
    if (wrong == NULL && r->ok && txn->n_steps[KV_THEN] + txn->n_steps[KV_ELSE] == 0)
        wrong = "it has no step";
    return wrong;
}

void kv_condition_next(struct bytes *conditions, struct kv_condition *condition)
{
    struct reader r = reader_over(conditions->data, conditions->size);
    *condition = read_condition(&r);
    *conditions = (struct bytes){r.at, r.left};
}

void kv_step_next(struct bytes *steps, struct kv_op *step)
{
    struct reader r = reader_over(steps->data, steps->size);
    const char *wrong = kv_decode_op(read_bytes(&r), step);
    assert(wrong == NULL); /* it was decoded before */
    *steps = (struct bytes){r.at, r.left};
}

bool kv_step_answer_next(struct bytes *answers, enum kv_verb verb, struct kv_answer *answer)
{
    struct reader r = reader_over(answers->data, answers->size);
    *answer = (struct kv_answer){.status = read_u8(&r)};
    if (answer->status == KV_ANSWER_DONE && (verb == KV_INCR || verb == KV_APPEND))
        answer->number = (int64_t)read_u64(&r);
    if (answer->status == KV_ANSWER_DONE && verb == KV_GET) answer->value = read_bytes(&r);
    if (verb == KV_DEL) { /* as it answers elsewhere */
        answer->number = answer->status == KV_ANSWER_DONE;
        if (answer->status == KV_ANSWER_ABSENT) answer->status = KV_ANSWER_DONE;
    }
    *answers = (struct bytes){r.at, r.left};
    return r.ok;
}

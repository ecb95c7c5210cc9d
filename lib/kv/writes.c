/* SPDX-License-Identifier: BSD-2-Clause */
/* Writes: what each operation that goes through the log does to the records, and answers; and what
 * happens by itself when its time has come. */
#include <string.h>

#include "base/assert.h"
#include "base/checksum.h"
#include "base/endian.h"
#include "kv/changes.h"
#include "kv/execute.h"
#include "kv/store.h"

#define DECIMAL_SIZE_MAX 20u        /* of an int64: a sign and 19 digits */
#define EXPIRED_AT_ONCE  256u       /* keys that a tick removes, at most, */
#define EXPIRED_BYTES    (1u << 20) /* and bytes, unless they are of one key */

struct execution {
    struct vstamp_pages *pages;
    const struct kv_op *op;
    uint64_t op_number, timestamp;
    size_t value_max; /* what is larger could not be read back */
    int64_t number;   /* what DEL, INCR and APPEND answer */
    struct writer *answer; /* what a TXN does, behind the status */
};

/* --- numbers --- */

/* Decimal text, as strictly as it is written: an optional minus, then digits. */
static enum kv_answer_status parse_decimal(const char *text, size_t size, int64_t *number)
{
    bool negative = size > 0 && text[0] == '-';
    if (size == (negative ? 1 : 0)) return KV_ANSWER_NOT_A_NUMBER;
    int64_t sum = 0; /* kept negative, as there is one more of these */
    bool fits = true;
    for (size_t i = negative ? 1 : 0; i < size; i++) {
        if (text[i] < '0' || text[i] > '9') return KV_ANSWER_NOT_A_NUMBER;
        if (__builtin_mul_overflow(sum, 10, &sum)) fits = false;
        if (__builtin_sub_overflow(sum, text[i] - '0', &sum)) fits = false;
    }
    if (!negative && __builtin_sub_overflow(0, sum, &sum)) fits = false;
    *number = sum;
    return fits ? KV_ANSWER_DONE : KV_ANSWER_OVERFLOW;
}

/* The text ends at the end of the buffer, where the digits were written from the last one on. */
static struct bytes format_decimal(int64_t number, uint8_t buffer[DECIMAL_SIZE_MAX])
{
    size_t start = DECIMAL_SIZE_MAX;
    uint64_t left = number < 0 ? -(uint64_t)number : (uint64_t)number;
    do {
        buffer[--start] = (uint8_t)('0' + left % 10);
        left /= 10;
    } while (left > 0);
    if (number < 0) buffer[--start] = '-';
    return (struct bytes){buffer + start, DECIMAL_SIZE_MAX - start};
}

/* --- time ---
 * A key is there until it is removed.  Once its time has come a tick removes it, as many at a time
 * as do not hold others up, or an operation that finds it still there, before it does anything
 * else.  So for whatever goes through the log it is gone in time; a read, which knows no time, may
 * see it a moment longer, and then all reads see it. */

static void expire_record(struct vstamp_pages *pages, uint32_t record, uint64_t op_number)
{
    uint8_t key[KV_KEY_MAX];
    struct bytes name = {key, kv_store_key_size(pages, record)};
    kv_store_read_key(pages, record, key);
    kv_changes_note(pages, op_number, KV_WHAT_EXPIRE, name, (struct bytes){0});
    kv_store_remove(pages, name);
}

static void expire(struct execution *x, struct bytes key)
{
    uint32_t record = kv_store_find(x->pages, key);
    uint64_t expiry = record != 0 ? kv_store_expiry(x->pages, record) : 0;
    if (expiry != 0 && expiry <= x->timestamp) expire_record(x->pages, record, x->op_number);
}

static void expire_named_by_txn(struct execution *x, const struct kv_txn *txn)
{
    struct bytes conditions = txn->conditions_encoded;
    for (uint32_t i = 0; i < txn->n_conditions; i++) {
        struct kv_condition condition;
        kv_condition_next(&conditions, &condition);
        expire(x, condition.key);
    }
    for (int branch = 0; branch < KV_BRANCHES; branch++) {
        struct bytes steps = txn->steps_encoded[branch];
        for (uint32_t i = 0; i < txn->n_steps[branch]; i++) {
            struct kv_op step;
            kv_step_next(&steps, &step);
            expire(x, kv_step_key(&step));
        }
    }
}

/* Of the keys that an operation names, remove those whose time has come. */
static void expire_named(struct execution *x)
{
    struct bytes keys = x->op->keys_encoded;
    if (kv_store_first_expiry(x->pages) > x->timestamp) return;
    expire_named_by_txn(x, &x->op->txn);
    if (x->op->key.size > 0) expire(x, x->op->key);
    for (uint32_t i = 0; i < x->op->n_keys; i++) {
        struct bytes key;
        kv_keys_next(&keys, &key);
        expire(x, key);
    }
}

int kv_tick(struct vstamp_pages *pages, const struct vstamp_context *context,
            struct vstamp_diag *why)
{
    uint64_t bytes = 0;
    (void)why;
    for (uint32_t n = 0; n < EXPIRED_AT_ONCE && bytes < EXPIRED_BYTES; n++) {
        if (kv_store_first_expiry(pages) > context->timestamp_us) break;
        uint32_t record = kv_store_first_to_expire(pages);
        bytes += kv_store_value_size(pages, record);
        expire_record(pages, record, context->op_number);
    }
    return 0;
}

/* When a key that is set now is to expire. */
static uint64_t expiry_of(const struct execution *x)
{
    uint64_t expiry = x->op->expiry;
    if (expiry == 0) return 0;
    return (expiry & KV_EXPIRES_AT) != 0 ? expiry & ~KV_EXPIRES_AT : x->timestamp + expiry;
}

/* --- keys --- */

static enum kv_answer_status set_until(struct execution *x, struct bytes value, uint64_t expiry)
{
    if (value.size > x->value_max) return KV_ANSWER_TOO_LARGE;
    if (!kv_store_put(x->pages, x->op->key, value, expiry)) return KV_ANSWER_FULL;
    kv_changes_note(x->pages, x->op_number, KV_WHAT_PUT, x->op->key, value);
    return KV_ANSWER_DONE;
}

/* What was said before of when it expires is void. */
static enum kv_answer_status set(struct execution *x)
{
    return set_until(x, x->op->value, expiry_of(x));
}

static enum kv_answer_status say_expiry(struct execution *x)
{
    uint32_t record = kv_store_find(x->pages, x->op->key);
    if (record == 0) return KV_ANSWER_ABSENT;
    return kv_store_set_expiry(x->pages, record, expiry_of(x)) ? KV_ANSWER_DONE : KV_ANSWER_FULL;
}

static enum kv_answer_status del(struct execution *x)
{
    struct bytes keys = x->op->keys_encoded;
    for (uint32_t i = 0; i < x->op->n_keys; i++) {
        struct bytes key;
        kv_keys_next(&keys, &key);
        if (!kv_store_remove(x->pages, key)) continue;
        kv_changes_note(x->pages, x->op_number, KV_WHAT_DEL, key, (struct bytes){0});
        x->number++;
    }
    return KV_ANSWER_DONE;
}

static enum kv_answer_status cas(struct execution *x)
{
    uint32_t record = kv_store_find(x->pages, x->op->key);
    if (record == 0) return KV_ANSWER_ABSENT;
    if (!kv_store_value_is(x->pages, record, x->op->expected)) return KV_ANSWER_MISMATCH;
    return set(x);
}

static enum kv_answer_status cas_absent(struct execution *x)
{
    if (kv_store_find(x->pages, x->op->key) != 0) return KV_ANSWER_MISMATCH;
    return set(x);
}

/* What a counter comes to. */
static enum kv_answer_status add(struct execution *x, uint32_t record)
{
    uint8_t text[DECIMAL_SIZE_MAX];
    int64_t old = 0;
    if (record != 0) {
        uint32_t size = kv_store_value_size(x->pages, record);
        if (size > sizeof text) return KV_ANSWER_NOT_A_NUMBER;
        kv_store_read_value(x->pages, record, text);
        enum kv_answer_status status = parse_decimal((const char *)text, size, &old);
        if (status != KV_ANSWER_DONE) return status;
    }
    return __builtin_add_overflow(old, x->op->number, &x->number) ? KV_ANSWER_OVERFLOW
                                                                  : KV_ANSWER_DONE;
}

static enum kv_answer_status incr(struct execution *x)
{
    uint8_t text[DECIMAL_SIZE_MAX];
    uint32_t record = kv_store_find(x->pages, x->op->key);
    uint64_t expiry = record != 0 ? kv_store_expiry(x->pages, record) : 0; /* it stays */
    enum kv_answer_status status = add(x, record);
    if (status != KV_ANSWER_DONE) return status;
    return set_until(x, format_decimal(x->number, text), expiry);
}

static enum kv_answer_status append(struct execution *x)
{
    uint32_t record = kv_store_find(x->pages, x->op->key);
    if (record == 0) {
        x->number = (int64_t)x->op->value.size;
        return set(x);
    }
    size_t size = kv_store_value_size(x->pages, record) + x->op->value.size;
    if (size > x->value_max) return KV_ANSWER_TOO_LARGE;
    x->number = (int64_t)size;
    if (!kv_store_append(x->pages, record, x->op->value)) return KV_ANSWER_FULL;
    kv_changes_note(x->pages, x->op_number, KV_WHAT_APPEND, x->op->key, x->op->value);
    return KV_ANSWER_DONE;
}

/* --- transactions --- */

static bool holds(const struct execution *x, const struct kv_condition *condition)
{
    uint32_t record = kv_store_find(x->pages, condition->key);
    bool is = record != 0 && kv_store_value_is(x->pages, record, condition->value);
    switch (condition->test) {
    case KV_TEST_ABSENT:
        return record == 0;
    case KV_TEST_PRESENT:
        return record != 0;
    case KV_TEST_IS:
        return is;
    case KV_TEST_IS_NOT: /* what is absent has no value to compare */
        return record != 0 && !is;
    }
    return false;
}

static enum kv_branch choose(const struct execution *x, const struct kv_txn *txn)
{
    struct bytes conditions = txn->conditions_encoded;
    for (uint32_t i = 0; i < txn->n_conditions; i++) {
        struct kv_condition condition;
        kv_condition_next(&conditions, &condition);
        if (!holds(x, &condition)) return KV_ELSE;
    }
    return KV_THEN;
}

/* Can this step be done, but for the room that it takes?  It changes a state that no other step has
 * changed (txn.c), so that can be said of all before any is done. */
static enum kv_answer_status foretell(struct execution *x, uint64_t *cells)
{
    const struct kv_op *op = x->op;
    uint32_t record = kv_store_find(x->pages, op->key);
    size_t size = record != 0 ? kv_store_value_size(x->pages, record) : 0;
    bool expires = record != 0 && kv_store_expiry(x->pages, record) != 0;
    enum kv_answer_status status = KV_ANSWER_DONE;
    uint8_t text[DECIMAL_SIZE_MAX];
    if (op->verb == KV_GET || op->verb == KV_DEL) return status;
    if (op->verb == KV_EXPIRE && record == 0) return status;
    if (op->verb == KV_INCR) status = add(x, record);
    if (op->verb == KV_INCR) size = format_decimal(x->number, text).size;
    if (op->verb == KV_APPEND) size += op->value.size;
    if (op->verb == KV_PUT) size = op->value.size;
    if (op->verb == KV_PUT || op->verb == KV_EXPIRE) expires = op->expiry != 0;
    if (op->verb != KV_EXPIRE && size > x->value_max) return KV_ANSWER_TOO_LARGE;
    *cells += kv_store_growth(x->pages, op->key, size, expires);
    return status;
}

/* Of what there is when the step's turn has come, unless that takes the room of later answers. */
static void get_step(struct execution *x, size_t room)
{
    uint32_t record = kv_store_find(x->pages, x->op->key);
    uint32_t size = record != 0 ? kv_store_value_size(x->pages, record) : 0;
    if (record == 0) {
        write_u8(x->answer, KV_ANSWER_ABSENT);
    } else if (1 + 4 + (uint64_t)size > room) {
        write_u8(x->answer, KV_ANSWER_TOO_LARGE);
    } else {
        write_u8(x->answer, KV_ANSWER_DONE);
        write_u32(x->answer, size);
        uint8_t *value = writer_room(x->answer, size);
        if (size > 0) kv_store_read_value(x->pages, record, value);
    }
}

static enum kv_answer_status execute(struct execution *x);

static void do_step(struct execution *x, size_t room)
{
    x->number = 0;
    if (x->op->verb == KV_GET) {
        get_step(x, room);
        return;
    }
    enum kv_answer_status status = execute(x);
    if (x->op->verb == KV_DEL && x->number == 0) status = KV_ANSWER_ABSENT;
    assert(status == KV_ANSWER_DONE || status == KV_ANSWER_ABSENT); /* foretell */
    write_u8(x->answer, (uint8_t)status);
    if (kv_step_answer_size(x->op->verb) > 1) write_u64(x->answer, (uint64_t)x->number);
}

/* All of the branch or nothing; *at is the step that cannot be done. */
static enum kv_answer_status foretell_all(struct execution *x, struct bytes steps, uint32_t n,
                                          uint32_t *at)
{
    uint64_t cells = 0;
    enum kv_answer_status status = KV_ANSWER_DONE;
    for (*at = 1; *at <= n; ++*at) {
        struct kv_op step;
        kv_step_next(&steps, &step);
        x->op = &step;
        status = foretell(x, &cells);
        if (status == KV_ANSWER_DONE && cells > kv_store_room(x->pages)) status = KV_ANSWER_FULL;
        if (status != KV_ANSWER_DONE) break;
    }
    return status;
}

static enum kv_answer_status txn(struct execution *x)
{
    const struct kv_op *op = x->op;
    enum kv_branch branch = choose(x, &op->txn);
    struct bytes steps = op->txn.steps_encoded[branch];
    uint32_t n = op->txn.n_steps[branch], at;
    size_t kept = 0; /* for the answers to come, at least */
    enum kv_answer_status status = foretell_all(x, steps, n, &at);
    write_u8(x->answer, (uint8_t)branch);
    if (status != KV_ANSWER_DONE) write_u64(x->answer, at);
    for (uint32_t i = 0; i < n && status == KV_ANSWER_DONE; i++) {
        struct kv_op step;
        kv_step_next(&steps, &step);
        kept += kv_step_answer_size(step.verb);
    }
    steps = op->txn.steps_encoded[branch];
    for (uint32_t i = 0; i < n && status == KV_ANSWER_DONE; i++) {
        struct kv_op step;
        kv_step_next(&steps, &step);
        x->op = &step;
        kept -= kv_step_answer_size(step.verb);
        do_step(x, x->answer->capacity - x->answer->size - kept);
    }
    x->op = op;
    return status;
}

static enum kv_answer_status execute(struct execution *x)
{
    switch (x->op->verb) {
    case KV_PUT:
        return set(x);
    case KV_DEL:
        return del(x);
    case KV_CAS:
        return cas(x);
    case KV_CAS_ABSENT:
        return cas_absent(x);
    case KV_INCR:
        return incr(x);
    case KV_APPEND:
        return append(x);
    case KV_EXPIRE:
        return say_expiry(x);
    case KV_TXN:
        return txn(x);
    case KV_GET:
    case KV_LIST:
    case KV_SIZE:
    case KV_TTL:
    case KV_CHANGES:
        break;
    }
    return KV_ANSWER_INVALID;
}

/* Who sends keys that would make the tree deep would have to know its seed, which comes from a
 * client's random id and the primary's clock. */
static uint64_t seed_from(const struct vstamp_context *context)
{
    uint8_t both[24];
    store_u64(both, context->client.hi);
    store_u64(both + 8, context->client.lo);
    store_u64(both + 16, context->timestamp_us);
    return checksum64(both, sizeof both);
}

void kv_apply(struct vstamp_pages *pages, const struct vstamp_context *context,
              const uint8_t *operation, size_t size, struct vstamp_answer *answer)
{
    struct writer w = writer_over(answer->data, answer->capacity);
    struct kv_op op;
    struct execution x = {.pages = pages,
                          .op = &op,
                          .answer = &w,
                          .op_number = context->op_number,
                          .timestamp = context->timestamp_us,
                          .value_max = kv_value_max(&context->limits)};
    enum kv_answer_status status = KV_ANSWER_INVALID;
    write_u8(&w, (uint8_t)status); /* written again below */
    if (kv_decode_op((struct bytes){operation, size}, &op) == NULL && kv_is_write(op.verb)) {
        kv_store_open(pages, seed_from(context));
        expire_named(&x);
        status = execute(&x);
    }
    answer->data[0] = (uint8_t)status;
    if (status == KV_ANSWER_DONE &&
        (op.verb == KV_DEL || op.verb == KV_INCR || op.verb == KV_APPEND)) {
        write_u64(&w, (uint64_t)x.number);
    }
    if (status == KV_ANSWER_TOO_LARGE && op.verb != KV_TXN) write_u64(&w, x.value_max);
    assert(w.ok); /* ANSWER_BYTES_MIN is 256, which is the bound of a transaction, too */
    answer->size = w.size;
}

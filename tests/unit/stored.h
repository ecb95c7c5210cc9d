/* SPDX-License-Identifier: BSD-2-Clause */
/* The store as replicas use it, for tests: encoded operations in, encoded answers out. */
#ifndef UNIT_STORED_H
#define UNIT_STORED_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/limits.h"
#include "kv/kv.h"
#include "paged.h"

#define BYTES(text) ((struct bytes){(const uint8_t *)(text), sizeof(text) - 1})

struct store {
    struct paged paged;
    uint64_t op_number, now_us; /* of the newest operation */
    uint8_t operation[16384];
    uint8_t buffer[65536]; /* of the last answer */
    size_t answer_size;
    size_t read_capacity;
    uint32_t promised_capacity; /* of reads, as operations are told */
    struct kv_answer answer;
};

static inline struct store *store_open(uint32_t n_pages)
{
    struct store *s = calloc(1, sizeof *s);
    if (s == NULL) abort();
    paged_open(&s->paged, n_pages, 0);
    s->now_us = 1000;
    s->read_capacity = sizeof s->buffer;
    s->promised_capacity = KV_VALUE_MAX + READ_OVERHEAD;
    return s;
}

static inline void store_close(struct store *s)
{
    paged_close(&s->paged);
    free(s);
}


/* Execute an operation the way a replica would, and return the status of its answer. */
static inline enum kv_answer_status run(struct store *s, struct kv_op op)
{
    struct writer w = writer_over(s->operation, sizeof s->operation);
    kv_encode_op(&op, &w);
    assert_true(w.ok);
    struct vstamp_answer answer = {.data = s->buffer, .capacity = s->read_capacity};
    const struct vstamp_operation next = {s->operation, w.size};
    kv_app()->foresee(&s->paged.window, (const struct vstamp_operation[]){next, next}, 2);
    if (kv_is_write(op.verb)) {
        answer.capacity = 256;
        struct vstamp_context context = {.op_number = ++s->op_number,
                                         .timestamp_us = s->now_us,
                                         .limits = {.read_capacity = s->promised_capacity}};
        struct vstamp_diag why;
        int wrong = kv_app()->check(&context.limits, s->operation, w.size, &why);
        if (wrong != 0) assert_int_equal(wrong, VSTAMP_E_TOO_LARGE);
        kv_app()->apply(&s->paged.window, &context, s->operation, w.size, &answer);
        if (wrong != 0) assert_int_equal(s->buffer[0], KV_ANSWER_TOO_LARGE); /* so does execution */
    } else {
        struct vstamp_id before = pages_digest(&s->paged.pages);
        kv_app()->query(&s->paged.window, s->operation, w.size, &answer);
        assert_true(vstamp_id_equal(before, pages_digest(&s->paged.pages)));
    }
    assert_in_range(answer.size, 1, answer.capacity);
    s->answer_size = answer.size;
    struct bytes encoded = {s->buffer, answer.size};
    assert_int_equal(kv_decode_answer(op.verb, encoded, &s->answer), 0);
    return s->answer.status;
}

static inline enum kv_answer_status put(struct store *s, struct bytes key, struct bytes value)
{
    return run(s, (struct kv_op){.verb = KV_PUT, .key = key, .value = value});
}

static inline enum kv_answer_status del(struct store *s, struct bytes key)
{
    return run(s, (struct kv_op){.verb = KV_DEL, .keys = &key, .n_keys = 1});
}

static inline enum kv_answer_status incr(struct store *s, struct bytes key, int64_t by)
{
    return run(s, (struct kv_op){.verb = KV_INCR, .key = key, .number = by});
}

static inline enum kv_answer_status append(struct store *s, struct bytes key, struct bytes value)
{
    return run(s, (struct kv_op){.verb = KV_APPEND, .key = key, .value = value});
}

static inline void assert_value(struct store *s, struct bytes key, struct bytes value)
{
    assert_int_equal(run(s, (struct kv_op){.verb = KV_GET, .key = key}), KV_ANSWER_DONE);
    assert_int_equal(s->answer.value.size, value.size);
    assert_true(bytes_equal(s->answer.value, value));
}

static inline void assert_absent(struct store *s, struct bytes key)
{
    assert_int_equal(run(s, (struct kv_op){.verb = KV_GET, .key = key}), KV_ANSWER_ABSENT);
}

static inline void assert_size(struct store *s, int64_t keys, int64_t bytes)
{
    assert_int_equal(run(s, (struct kv_op){.verb = KV_SIZE}), KV_ANSWER_DONE);
    assert_int_equal(s->answer.number, keys);
    assert_int_equal(s->answer.number2, bytes);
}

/* The keys of a listing as text, one space after each. */
static inline const char *listed(struct store *s, struct kv_op op)
{
    static char text[4096];
    size_t at = 0;
    op.verb = KV_LIST;
    assert_int_equal(run(s, op), KV_ANSWER_DONE);
    for (uint32_t i = 0; i < s->answer.n_list; i++) {
        struct bytes key, value;
        kv_list_next(&s->answer.list, &key, &value);
        at += (size_t)snprintf(text + at, sizeof text - at, "%.*s%s%.*s ", (int)key.size,
                               (const char *)key.data, value.size > 0 ? "=" : "", (int)value.size,
                               (const char *)value.data);
        assert_true(at < sizeof text);
    }
    text[at] = '\0';
    return text;
}

#endif

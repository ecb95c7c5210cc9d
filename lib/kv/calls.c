/* SPDX-License-Identifier: BSD-2-Clause */
/* Behind <vstamp/kv.h>: operations and answers as kv.h has them, for programs that have nothing of
 * vstamp but its library. */
#include <vstamp/kv.h>

#include "kv/kv.h"

_Static_assert(VSTAMP_KV_KEY_MAX == KV_KEY_MAX, "one bound");

static struct bytes bytes(const void *data, size_t size)
{
    return (struct bytes){data, size};
}

/* What the group would refuse by its form is not even written. */
static size_t write_operation(void *operation, size_t capacity, const struct kv_op *op)
{
    struct writer w = writer_over(operation, capacity);
    struct kv_op ignored;
    kv_encode_op(op, &w);
    return w.ok && kv_decode_op(bytes(operation, w.size), &ignored) == NULL ? w.size : 0;
}

size_t vstamp_kv_put(void *operation, size_t capacity, const void *key, size_t key_size,
                     const void *value, size_t value_size, uint64_t ttl_ms)
{
    if (ttl_ms > KV_TTL_MAX / 1000) return 0;
    const struct kv_op op = {.verb = KV_PUT,
                             .key = bytes(key, key_size),
                             .value = bytes(value, value_size),
                             .expiry = ttl_ms * 1000};
    return write_operation(operation, capacity, &op);
}

size_t vstamp_kv_cas(void *operation, size_t capacity, const void *key, size_t key_size,
                     const void *expected, size_t expected_size, const void *value,
                     size_t value_size)
{
    const struct kv_op op = {.verb = expected != NULL ? KV_CAS : KV_CAS_ABSENT,
                             .key = bytes(key, key_size),
                             .expected = bytes(expected, expected_size),
                             .value = bytes(value, value_size)};
    return write_operation(operation, capacity, &op);
}

size_t vstamp_kv_incr(void *operation, size_t capacity, const void *key, size_t key_size,
                      int64_t by)
{
    const struct kv_op op = {.verb = KV_INCR, .key = bytes(key, key_size), .number = by};
    return write_operation(operation, capacity, &op);
}

size_t vstamp_kv_append(void *operation, size_t capacity, const void *key, size_t key_size,
                        const void *value, size_t value_size)
{
    const struct kv_op op = {
        .verb = KV_APPEND, .key = bytes(key, key_size), .value = bytes(value, value_size)};
    return write_operation(operation, capacity, &op);
}

size_t vstamp_kv_del(void *operation, size_t capacity, const void *key, size_t key_size)
{
    const struct bytes keys[] = {bytes(key, key_size)};
    const struct kv_op op = {.verb = KV_DEL, .keys = keys, .n_keys = 1};
    return write_operation(operation, capacity, &op);
}

size_t vstamp_kv_get(void *operation, size_t capacity, const void *key, size_t key_size)
{
    const struct kv_op op = {.verb = KV_GET, .key = bytes(key, key_size)};
    return write_operation(operation, capacity, &op);
}

size_t vstamp_kv_list(void *operation, size_t capacity, const void *prefix, size_t prefix_size,
                      const void *after, size_t after_size, uint32_t limit)
{
    const struct kv_op op = {.verb = KV_LIST,
                             .key = bytes(prefix, prefix_size),
                             .expected = bytes(after, after != NULL ? after_size : 0),
                             .number = limit};
    return write_operation(operation, capacity, &op);
}

int vstamp_kv_answer(const void *operation, const struct vstamp_reply *reply,
                     struct vstamp_kv_answer *answer)
{
    const enum kv_verb verb = *(const uint8_t *)operation;
    struct kv_answer a;
    *answer = (struct vstamp_kv_answer){0};
    if (reply->err != 0) return reply->err;
    int rv = kv_decode_answer(verb, bytes(reply->body, reply->size), &a);
    if (rv == 0) rv = kv_answer_err(a.status);
    if (rv != 0) return rv;
    answer->yes = a.status == KV_ANSWER_DONE && !(verb == KV_DEL && a.number == 0);
    answer->more = a.more;
    answer->number = a.number;
    answer->value = a.value.data;
    answer->size = a.value.size;
    answer->list = a.list.data;
    answer->list_size = a.list.size;
    answer->n_list = a.n_list;
    return 0;
}

bool vstamp_kv_next(struct vstamp_kv_answer *answer, const uint8_t **key, size_t *key_size,
                    const uint8_t **value, size_t *value_size)
{
    struct bytes list = bytes(answer->list, answer->list_size), k, v;
    if (answer->n_list == 0) return false;
    kv_list_next(&list, &k, &v);
    answer->n_list--;
    answer->list = list.data;
    answer->list_size = list.size;
    *key = k.data;
    *key_size = k.size;
    *value = v.data;
    *value_size = v.size;
    return true;
}

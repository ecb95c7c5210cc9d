/* SPDX-License-Identifier: BSD-2-Clause */
/* The operations of the key-value store, for programs with <vstamp/client.h>.
 *
 * An operation is written into memory of the caller's, sent as any other, and its answer read:
 *
 *     uint8_t operation[100];
 *     struct vstamp_reply reply;
 *     struct vstamp_kv_answer answer;
 *
 *     size_t size = vstamp_kv_put(operation, sizeof operation, "color", 5, "blue", 4, 0);
 *     vstamp_driver_ask(driver, VSTAMP_APPLY, operation, size, 5000, &reply);
 *     if (vstamp_kv_answer(operation, &reply, &answer) != 0) ...
 *
 * Those that change something are sent with VSTAMP_APPLY, vstamp_kv_get and vstamp_kv_list with
 * VSTAMP_READ or one of its kin.  Keys are 1 to VSTAMP_KV_KEY_MAX bytes, values as many as the
 * group allows (max_value_bytes), and either may be any bytes.
 *
 * Each of the functions that write returns the size of the operation, at most
 * VSTAMP_KV_OVERHEAD more than its keys and values; 0 if that is more than `capacity`, or if the
 * group would refuse it by its form: a key without bytes or with too many, a time to live of more
 * than 100 years.  An operation of size 0 the group refuses. */
#ifndef VSTAMP_KV_H
#define VSTAMP_KV_H

#include <vstamp/client.h>

#ifdef __cplusplus
extern "C" {
#endif

#define VSTAMP_KV_APPLICATION "key-value store" /* for vstamp_client_config.application */
#define VSTAMP_KV_KEY_MAX     1024u
#define VSTAMP_KV_OVERHEAD    32u

/* Set a value, for ttl_ms milliseconds; 0: for ever. */
VSTAMP_API size_t vstamp_kv_put(void *operation, size_t capacity, const void *key, size_t key_size,
                                const void *value, size_t value_size, uint64_t ttl_ms);

/* Set a value if the present one is `expected`; NULL: if there is none. */
VSTAMP_API size_t vstamp_kv_cas(void *operation, size_t capacity, const void *key, size_t key_size,
                                const void *expected, size_t expected_size, const void *value,
                                size_t value_size);

/* Add to a number in decimal text, 0 where there is none, and answer the sum. */
VSTAMP_API size_t vstamp_kv_incr(void *operation, size_t capacity, const void *key,
                                 size_t key_size, int64_t by);

/* Add to the end of a value, and answer its length. */
VSTAMP_API size_t vstamp_kv_append(void *operation, size_t capacity, const void *key,
                                   size_t key_size, const void *value, size_t value_size);

VSTAMP_API size_t vstamp_kv_del(void *operation, size_t capacity, const void *key,
                                size_t key_size);

VSTAMP_API size_t vstamp_kv_get(void *operation, size_t capacity, const void *key,
                                size_t key_size);

/* Keys that begin with `prefix`, and their values, in the order of their bytes; those behind
 * `after`, if it is not NULL, and at most `limit` of them, 0: as many as fit an answer. */
VSTAMP_API size_t vstamp_kv_list(void *operation, size_t capacity, const void *prefix,
                                 size_t prefix_size, const void *after, size_t after_size,
                                 uint32_t limit);

struct vstamp_kv_answer {
    bool yes;             /* false: there is no such key, or `expected` is not its value */
    bool more;            /* of a list: there are more keys, behind the last one */
    int64_t number;       /* the sum, or the length */
    const uint8_t *value; /* of a get, `size` bytes; they lie in the body of the reply */
    size_t size;
    const uint8_t *list; /* what vstamp_kv_next reads, */
    size_t list_size;
    uint32_t n_list; /* and how many pairs there are to come */
};

/* What the reply to this operation says.  Returns reply->err if it is an error, else 0,
 * VSTAMP_E_NOT_A_NUMBER, VSTAMP_E_OVERFLOW, VSTAMP_E_TOO_LARGE or VSTAMP_E_FULL, and nothing has
 * been changed; VSTAMP_E_INVALID: the group takes the operation for none; VSTAMP_E_MALFORMED: this
 * is no answer to it. */
VSTAMP_API int vstamp_kv_answer(const void *operation, const struct vstamp_reply *reply,
                                struct vstamp_kv_answer *answer);

/* The next pair of a list; false: there is none. */
VSTAMP_API bool vstamp_kv_next(struct vstamp_kv_answer *answer, const uint8_t **key,
                               size_t *key_size, const uint8_t **value, size_t *value_size);

#ifdef __cplusplus
}
#endif
#endif

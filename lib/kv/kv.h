/* SPDX-License-Identifier: BSD-2-Clause */
/* The key-value store: the first application on vstamp.  Keys and values are any bytes; keys are 1
 * to KV_KEY_MAX bytes, values up to KV_VALUE_MAX, or less where the group's reads carry less.
 *
 *   codec.c        operations and answers as bytes
 *   txn.c          transactions as bytes
 *   calls.c        both for programs of others, <vstamp/kv.h>
 *   cells.[ch]     the pages as 64-byte cells and chains of them
 *   store.[ch]     records in byte order of their keys
 *   index.[ch]     where they are, by hash
 *   changes.[ch]   what has changed lately
 *   sound.c        whether pages hold all that
 *   writes.c       what each operation does to the records, and reads.c what it reads
 *   app.c          the application */
#ifndef KV_KV_H
#define KV_KV_H

#include <vstamp/app.h>
#include <vstamp/error.h>

#include "base/bytes.h"

#define KV_APPLICATION "key-value store" /* its name */
#define KV_KEY_MAX 1024u
#define KV_VALUE_MAX (8u << 20)
#define KV_LIST_KEYS_ONLY 1u
#define KV_LIST_EXPIRIES 2u
#define KV_CHANGES_KEY   1u /* of that key, else of all that begin with it */
#define KV_CHANGES_PLACE 2u /* from a place on that an answer told; else from an op-number on */
#define KV_CHANGES_NOW   4u /* from now on */
#define KV_EXPIRES_AT (UINT64_C(1) << 63)          /* flag of an expiry */
#define KV_TTL_MAX (UINT64_C(3153600000) * 1000000) /* microseconds: 100 years */

enum kv_field {
    KV_HAS_KEY = 1,
    KV_HAS_VALUE = 2,
    KV_HAS_EXPECTED = 4,
    KV_HAS_NUMBER = 8,
    KV_HAS_FLAGS = 16,
    KV_HAS_KEYS = 32,
    KV_HAS_EXPIRY = 64,
    KV_HAS_TXN = 128
};

enum kv_verb {
#define KV_OP(name, number, word, is_write, fields, text) KV_##name = (number),
#include "kv/ops.def"
#undef KV_OP
};

enum kv_test {
#define KV_TEST(name, number, words, has_value) KV_TEST_##name = (number),
#include "kv/ops.def"
#undef KV_TEST
};

enum kv_what {
#define KV_WHAT(name, number, word) KV_WHAT_##name = (number),
#include "kv/ops.def"
#undef KV_WHAT
};

enum kv_answer_status {
#define KV_ANSWER(name, number, err, text) KV_ANSWER_##name = (number),
#include "kv/ops.def"
#undef KV_ANSWER
};

/* A transaction: if all conditions hold the first list of steps runs, else the second, as one
 * operation.  Steps are PUT, APPEND, INCR, EXPIRE, GET, and DEL of one key; no list writes a key
 * twice, and their answers are small enough to be logged.  Encoding takes the arrays, decoding
 * leaves what kv_condition_next and kv_step_next walk. */
#define KV_TXN_MAX 64u /* conditions, and steps of either list */
enum kv_branch { KV_THEN, KV_ELSE, KV_BRANCHES };

struct kv_condition {
    enum kv_test test;
    struct bytes key, value;
};

struct kv_op;
struct kv_txn {
    const struct kv_condition *conditions;
    const struct kv_op *steps[KV_BRANCHES];
    uint32_t n_conditions, n_steps[KV_BRANCHES];
    struct bytes conditions_encoded, steps_encoded[KV_BRANCHES];
};

/* An operation.  Which members matter is in ops.def.  LIST: key is the prefix (may be empty),
 * expected the key to start after (empty: from the start), number the limit (0: none), flags
 * KV_LIST_....  CHANGES: key or prefix, number as flags say, KV_CHANGES_....  DEL: keys, n_keys
 * when encoding; decoded one, `keys_encoded` is walked with kv_keys_next.  An expiry is how long
 * the key is to live, in microseconds from the timestamp of the entry on, or with KV_EXPIRES_AT
 * that timestamp itself; 0: for ever. */
struct kv_op {
    enum kv_verb verb;
    struct bytes key, value, expected;
    int64_t number;
    uint32_t flags;
    uint64_t expiry;
    const struct bytes *keys;
    uint32_t n_keys;
    struct bytes keys_encoded;
    struct kv_txn txn;
};

/* The operation's encoding appended to w; w->ok false when it does not fit.  The verb as a byte,
 * then the members that ops.def names: bytes with a u32 length before them, number u64, flags u32,
 * keys a u32 count and that many bytes, an expiry u64 and only if it is not 0. */
void kv_encode_op(const struct kv_op *op, struct writer *w);

/* NULL, or a sentence that says what is wrong: the form, or a size beyond its bound.  The operation
 * points into `encoded`. */
const char *kv_decode_op(struct bytes encoded, struct kv_op *op);

/* The key of an operation that has one, without a look at the rest; else empty.  Points into
 * `encoded`. */
struct bytes kv_first_key(struct bytes encoded);

/* Take the next key off a decoded op->keys_encoded, n_keys times. */
void kv_keys_next(struct bytes *keys, struct bytes *key);

bool kv_is_write(enum kv_verb verb);
const char *kv_verb_word(enum kv_verb verb); /* "incr": as people type it */

/* txn.c, for the codec: as above.  The transaction ends where the reader does. */
void kv_encode_txn(const struct kv_txn *txn, struct writer *w);
const char *kv_decode_txn(struct reader *r, struct kv_txn *txn);

/* Take the next one off what was decoded; n_... times. */
void kv_condition_next(struct bytes *conditions, struct kv_condition *condition);
void kv_step_next(struct bytes *steps, struct kv_op *step);
bool kv_test_has_value(enum kv_test test);
const char *kv_test_words(enum kv_test test); /* "!=" */
struct bytes kv_step_key(const struct kv_op *step); /* that one which it is about */
uint32_t kv_step_answer_size(enum kv_verb verb);    /* least that its answer takes */

/* An answer: status, then, if it is DONE, by verb: GET value; INCR, APPEND, DEL number; SIZE number
 * (keys) and number2 (bytes of keys and values); TTL number: when it expires, 0: never; LIST
 * `list`, walked with kv_list_next n_list times, each time followed by kv_list_next_expiry if
 * `expiries`, and `more`: there are more keys than the limit or the answer allowed, ask again after
 * the last one; CHANGES likewise, with kv_change_next, and number: the place behind them; TXN
 * `branch` and `steps`, walked with kv_step_answer_next along that branch.  A write that is
 * TOO_LARGE has the limit as number; CHANGES that are GONE the op-number from which on all are
 * kept; and a TXN that is TOO_LARGE, FULL, NOT_A_NUMBER or OVERFLOW has done nothing, and has as
 * number which step of `branch`, from 1 on, is. */
struct kv_answer {
    enum kv_answer_status status;
    struct bytes value;
    int64_t number, number2;
    struct bytes list;
    uint32_t n_list;
    bool more, expiries;
    enum kv_branch branch;
    struct bytes steps;
};

/* A change, as CHANGES tells it: a value that was put, the piece that was appended. */
struct kv_change {
    uint64_t op;
    enum kv_what what;
    bool omitted; /* the value was too large to be kept; its size stands */
    struct bytes key, value;
};

/* 0 or VSTAMP_E_MALFORMED. */
int kv_decode_answer(enum kv_verb verb, struct bytes encoded, struct kv_answer *answer);

/* Take the next pair off answer->list; value is empty with KV_LIST_KEYS_ONLY. */
void kv_list_next(struct bytes *list, struct bytes *key, struct bytes *value);
uint64_t kv_list_next_expiry(struct bytes *list); /* 0: never */

/* Take the next change off answer->list. */
void kv_change_next(struct bytes *list, struct kv_change *change);
const char *kv_what_word(enum kv_what what);

/* Take the next one off answer->steps, of a step with that verb; false: it makes no sense. */
bool kv_step_answer_next(struct bytes *answers, enum kv_verb verb, struct kv_answer *answer);

const char *kv_answer_text(enum kv_answer_status status);

/* 0: it is an answer, yes or no; else the error that it is.  Of a status that this version does not
 * know VSTAMP_E_MALFORMED. */
int kv_answer_err(enum kv_answer_status status);

/* The application. */
const struct vstamp_app *kv_app(void);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* Operations and answers as bytes.  Which members an operation has is read from the table that
 * ops.def expands to, so a new verb is a line there and its effect in writes.c or reads.c. */
#include "base/assert.h"
#include "base/limits.h"
#include "kv/kv.h"

struct verb_form {
    enum kv_verb verb;
    const char *word;
    bool is_write;
    unsigned fields;
};

static const struct verb_form verb_forms[] = {
#define KV_OP(name, number, word, is_write, fields, text)                                          \
    [KV_##name] = {KV_##name, word, is_write, fields},
#include "kv/ops.def"
#undef KV_OP
};

static const struct verb_form *form_of(unsigned verb)
{
    bool is_known = verb < sizeof verb_forms / sizeof verb_forms[0] && verb_forms[verb].verb != 0;
    return is_known ? &verb_forms[verb] : NULL;
}

bool kv_is_write(enum kv_verb verb)
{
    const struct verb_form *form = form_of(verb);
    return form != NULL && form->is_write;
}

const char *kv_verb_word(enum kv_verb verb)
{
    const struct verb_form *form = form_of(verb);
    return form != NULL ? form->word : "request";
}

const char *kv_answer_text(enum kv_answer_status status)
{
    switch (status) {
#define KV_ANSWER(name, number, err, text)                                                         \
    case KV_ANSWER_##name:                                                                         \
        return text;
#include "kv/ops.def"
#undef KV_ANSWER
    }
    return "the answer is not known to this version";
}

int kv_answer_err(enum kv_answer_status status)
{
    switch (status) {
#define KV_ANSWER(name, number, err, text)                                                         \
    case KV_ANSWER_##name:                                                                         \
        return err;
#include "kv/ops.def"
#undef KV_ANSWER
    }
    return VSTAMP_E_MALFORMED;
}

void kv_encode_op(const struct kv_op *op, struct writer *w)
{
    const struct verb_form *form = form_of(op->verb);
    assert(form != NULL);
    write_u8(w, (uint8_t)op->verb);
    if (form->fields & KV_HAS_KEY) write_bytes(w, op->key);
    if (form->fields & KV_HAS_VALUE) write_bytes(w, op->value);
    if (form->fields & KV_HAS_EXPECTED) write_bytes(w, op->expected);
    if (form->fields & KV_HAS_NUMBER) write_u64(w, (uint64_t)op->number);
    if (form->fields & KV_HAS_FLAGS) write_u32(w, op->flags);
    if (form->fields & KV_HAS_KEYS) {
        write_u32(w, op->n_keys);
        for (uint32_t i = 0; i < op->n_keys; i++) write_bytes(w, op->keys[i]);
    }
    if ((form->fields & KV_HAS_EXPIRY) && op->expiry != 0) write_u64(w, op->expiry);
    if (form->fields & KV_HAS_TXN) kv_encode_txn(&op->txn, w);
}

/* What is wrong with a key, or NULL. */
static const char *wrong_key(struct bytes key)
{
    if (key.size == 0) return "a key is empty";
    if (key.size > KV_KEY_MAX) return "a key is longer than 1024 bytes";
    return NULL;
}
_Static_assert(KV_KEY_MAX == 1024, "as the sentence above says");

/* Step over the keys, which kv_keys_next will walk again. */
static const char *decode_keys(struct reader *r, struct kv_op *op)
{
    op->n_keys = read_u32(r);
    op->keys_encoded = (struct bytes){r->at, r->left};
    if (r->ok && op->n_keys == 0) return "no key is named";
    for (uint32_t i = 0; i < op->n_keys && r->ok; i++) {
        struct bytes key = read_bytes(r);
        const char *wrong = r->ok ? wrong_key(key) : NULL;
        if (wrong != NULL) return wrong;
    }
    return NULL;
}

static const char *wrong_list(const struct kv_op *op)
{
    const uint32_t known = KV_LIST_KEYS_ONLY | KV_LIST_EXPIRIES;
    if (op->key.size > KV_KEY_MAX) return "the prefix is longer than 1024 bytes";
    if (op->expected.size > KV_KEY_MAX) return "the key to start after is too long";
    if (op->number < 0) return "the limit is negative";
    return (op->flags & ~known) != 0 ? "a flag is not known" : NULL;
}

static const char *wrong_changes(const struct kv_op *op)
{
    const uint32_t known = KV_CHANGES_KEY | KV_CHANGES_PLACE | KV_CHANGES_NOW;
    if (op->key.size > KV_KEY_MAX) return "the prefix is longer than 1024 bytes";
    if (op->number < 0) return "the op-number is negative";
    if ((op->flags & ~known) != 0) return "a flag is not known";
    return (op->flags & KV_CHANGES_KEY) != 0 ? wrong_key(op->key) : NULL; /* else a prefix */
}

static const char *wrong_sizes(const struct verb_form *form, const struct kv_op *op)
{
    if (op->verb == KV_LIST) return wrong_list(op);
    if (op->verb == KV_CHANGES) return wrong_changes(op);
    if (op->value.size > KV_VALUE_MAX) return "the value is larger than 8 MiB";
    if (op->expected.size > KV_VALUE_MAX) return "the expected value is larger than 8 MiB";
    bool at = (op->expiry & KV_EXPIRES_AT) != 0;
    if (!at && op->expiry > KV_TTL_MAX) return "the time to live is longer than 100 years";
    if (at && (op->expiry & ~KV_EXPIRES_AT) > NUMBER_MAX) return "the expiry is out of reach";
    return form->fields & KV_HAS_KEY ? wrong_key(op->key) : NULL;
}
_Static_assert(KV_VALUE_MAX == 8u << 20, "as the sentences above say");

const char *kv_decode_op(struct bytes encoded, struct kv_op *op)
{
    struct reader r = reader_over(encoded.data, encoded.size);
    const struct verb_form *form = form_of(read_u8(&r));
    if (form == NULL) return "the operation is not known";
    *op = (struct kv_op){.verb = form->verb};
    if (form->fields & KV_HAS_KEY) op->key = read_bytes(&r);
    if (form->fields & KV_HAS_VALUE) op->value = read_bytes(&r);
    if (form->fields & KV_HAS_EXPECTED) op->expected = read_bytes(&r);
    if (form->fields & KV_HAS_NUMBER) op->number = (int64_t)read_u64(&r);
    if (form->fields & KV_HAS_FLAGS) op->flags = read_u32(&r);
    if (form->fields & KV_HAS_KEYS) {
        const char *wrong = decode_keys(&r, op);
        if (wrong != NULL) return wrong;
    }
    if ((form->fields & KV_HAS_EXPIRY) && r.ok && r.left > 0) {
        op->expiry = read_u64(&r);
        if ((op->expiry & ~KV_EXPIRES_AT) == 0) return "the expiry is zero";
    }
    if (form->fields & KV_HAS_TXN) {
        const char *wrong = kv_decode_txn(&r, &op->txn);
        if (wrong != NULL) return wrong;
    }
    if (!reader_done(&r)) return "the operation is not well formed";
    return wrong_sizes(form, op);
}

struct bytes kv_first_key(struct bytes encoded)
{
    struct reader r = reader_over(encoded.data, encoded.size);
    const struct verb_form *form = form_of(read_u8(&r));
    bool begins_with_key = form != NULL && (form->fields & KV_HAS_KEY);
    return begins_with_key ? read_bytes(&r) : (struct bytes){0};
}

static struct bytes take_bytes(struct bytes *from)
{
    struct reader r = reader_over(from->data, from->size);
    struct bytes taken = read_bytes(&r);
    *from = (struct bytes){r.at, r.left};
    return r.ok ? taken : (struct bytes){0};
}

void kv_keys_next(struct bytes *keys, struct bytes *key)
{
    *key = take_bytes(keys);
}

void kv_list_next(struct bytes *list, struct bytes *key, struct bytes *value)
{
    *key = take_bytes(list);
    *value = take_bytes(list);
}

uint64_t kv_list_next_expiry(struct bytes *list)
{
    struct reader r = reader_over(list->data, list->size);
    uint64_t expiry = read_u64(&r);
    *list = (struct bytes){r.at, r.left};
    return r.ok ? expiry : 0;
}

/* Step over the pairs, which kv_list_next will walk again. */
static void decode_list(struct reader *r, struct kv_answer *answer)
{
    uint8_t more = read_u8(r);
    uint8_t expiries = read_u8(r);
    answer->more = more != 0;
    answer->expiries = expiries != 0;
    answer->n_list = read_u32(r);
    answer->list = (struct bytes){r->at, r->left};
    for (uint32_t i = 0; i < answer->n_list && r->ok; i++) {
        read_bytes(r);
        read_bytes(r);
        if (answer->expiries) read_u64(r);
    }
    if (more > 1 || expiries > 1) r->ok = false;
}

static struct kv_change read_change(struct reader *r)
{
    struct kv_change change = {.op = read_u64(r)};
    change.what = (enum kv_what)read_u8(r);
    change.omitted = read_u8(r) != 0;
    change.key = read_bytes(r);
    if (change.omitted) change.value.size = read_u32(r);
    else change.value = read_bytes(r);
    return change;
}

void kv_change_next(struct bytes *list, struct kv_change *change)
{
    struct reader r = reader_over(list->data, list->size);
    *change = read_change(&r);
    *list = (struct bytes){r.at, r.left};
}

const char *kv_what_word(enum kv_what what)
{
    switch (what) {
#define KV_WHAT(name, number, word)                                                                \
    case KV_WHAT_##name:                                                                           \
        return word;
#include "kv/ops.def"
#undef KV_WHAT
    }
    return "unknown";
}

static void decode_changes(struct reader *r, struct kv_answer *answer)
{
    answer->number = (int64_t)read_u64(r);
    uint8_t more = read_u8(r);
    answer->more = more != 0;
    answer->n_list = read_u32(r);
    answer->list = (struct bytes){r->at, r->left};
    for (uint32_t i = 0; i < answer->n_list && r->ok; i++) read_change(r);
    if (more > 1) r->ok = false;
}

static void decode_done(enum kv_verb verb, struct reader *r, struct kv_answer *answer)
{
    switch (verb) {
    case KV_PUT:
    case KV_CAS:
    case KV_CAS_ABSENT:
    case KV_EXPIRE:
        return;
    case KV_DEL:
    case KV_INCR:
    case KV_APPEND:
    case KV_TTL:
        answer->number = (int64_t)read_u64(r);
        return;
    case KV_GET:
        answer->value = read_bytes(r);
        return;
    case KV_LIST:
        decode_list(r, answer);
        return;
    case KV_CHANGES:
        decode_changes(r, answer);
        return;
    case KV_TXN:
        answer->steps = read_raw(r, r->left); /* how far they go only the operation tells */
        return;
    case KV_SIZE:
        answer->number = (int64_t)read_u64(r);
        answer->number2 = (int64_t)read_u64(r);
        return;
    }
}

int kv_decode_answer(enum kv_verb verb, struct bytes encoded, struct kv_answer *answer)
{
    struct reader r = reader_over(encoded.data, encoded.size);
    *answer = (struct kv_answer){.status = read_u8(&r)};
    bool has_branch = verb == KV_TXN && answer->status != KV_ANSWER_INVALID;
    uint8_t branch = has_branch ? read_u8(&r) : 0;
    if (branch >= KV_BRANCHES) return VSTAMP_E_MALFORMED;
    answer->branch = (enum kv_branch)branch;
    if (r.ok && answer->status == KV_ANSWER_DONE) decode_done(verb, &r, answer);
    if (answer->status == KV_ANSWER_GONE) answer->number = (int64_t)read_u64(&r);
    if (has_branch && answer->status != KV_ANSWER_DONE) answer->number = (int64_t)read_u64(&r);
    if (answer->status == KV_ANSWER_TOO_LARGE && kv_is_write(verb) && !has_branch)
        answer->number = (int64_t)read_u64(&r);
    return reader_done(&r) ? 0 : VSTAMP_E_MALFORMED;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* Reads: they change nothing, and know no time. */
#include <string.h>

#include "base/assert.h"
#include "base/endian.h"
#include "base/limits.h"
#include "kv/changes.h"
#include "kv/execute.h"
#include "kv/store.h"

#define LIST_HEAD_SIZE (1u + 1u + 1u + 4u) /* status, more, expiries, count */
_Static_assert(READ_OVERHEAD >= LIST_HEAD_SIZE + 4 + KV_KEY_MAX + 4 + 8,
               "a pair fits into a listing");

static void answer_status(struct vstamp_answer *answer, enum kv_answer_status status)
{
    struct writer w = writer_over(answer->data, answer->capacity);
    write_u8(&w, (uint8_t)status);
    answer->size = w.size;
}

static void get(const struct vstamp_pages *pages, const struct kv_op *op,
                struct vstamp_answer *answer)
{
    uint32_t record = kv_store_find(pages, op->key);
    if (record == 0) {
        answer_status(answer, KV_ANSWER_ABSENT);
        return;
    }
    struct writer w = writer_over(answer->data, answer->capacity);
    uint32_t size = kv_store_value_size(pages, record);
    write_u8(&w, KV_ANSWER_DONE);
    write_u32(&w, size);
    if (!w.ok || size > w.capacity - w.size) {
        answer_status(answer, KV_ANSWER_TOO_LARGE);
        return;
    }
    kv_store_read_value(pages, record, answer->data + w.size);
    answer->size = w.size + size;
}

static void answer_number(struct vstamp_answer *answer, enum kv_answer_status status,
                          uint64_t number)
{
    struct writer w = writer_over(answer->data, answer->capacity);
    write_u8(&w, (uint8_t)status);
    write_u64(&w, number);
    answer->size = w.size;
    if (!w.ok) answer_status(answer, KV_ANSWER_TOO_LARGE);
}

static void ttl(const struct vstamp_pages *pages, const struct kv_op *op,
                struct vstamp_answer *answer)
{
    uint32_t record = kv_store_find(pages, op->key);
    if (record == 0) answer_status(answer, KV_ANSWER_ABSENT);
    else answer_number(answer, KV_ANSWER_DONE, kv_store_expiry(pages, record));
}

/* Append a record to a listing, if it fits. */
static bool list_record(const struct vstamp_pages *pages, uint32_t record, uint32_t flags,
                        struct vstamp_answer *answer)
{
    uint32_t key_size = kv_store_key_size(pages, record);
    uint32_t value_size =
        flags & KV_LIST_KEYS_ONLY ? 0 : kv_store_value_size(pages, record);
    size_t expiry_size = flags & KV_LIST_EXPIRIES ? 8 : 0;
    size_t pair_size = 4 + (size_t)key_size + 4 + value_size + expiry_size;
    if (pair_size > answer->capacity - answer->size) return false;

    uint8_t *at = answer->data + answer->size;
    store_u32(at, key_size);
    kv_store_read_key(pages, record, at + 4);
    store_u32(at + 4 + key_size, value_size);
    if (value_size > 0) kv_store_read_value(pages, record, at + 4 + key_size + 4);
    if (expiry_size > 0)
        store_u64(at + pair_size - expiry_size, kv_store_expiry(pages, record));
    answer->size += pair_size;
    return true;
}

static uint32_t list_start(const struct vstamp_pages *pages, const struct kv_op *op)
{
    bool resumed = op->expected.size > 0 && bytes_compare(op->expected, op->key) >= 0;
    return kv_store_seek(pages, resumed ? op->expected : op->key, resumed);
}

/* Status, more (u8), expiries (u8) and count (u32), then pairs; the numbers are known and written
 * at the end. */
static void list(const struct vstamp_pages *pages, const struct kv_op *op,
                 struct vstamp_answer *answer)
{
    if (answer->capacity < LIST_HEAD_SIZE) {
        answer_status(answer, KV_ANSWER_TOO_LARGE);
        return;
    }
    uint32_t n = 0;
    answer->size = LIST_HEAD_SIZE;
    uint32_t record = list_start(pages, op);
    while (record != 0 && kv_store_has_prefix(pages, record, op->key)) {
        if (op->number > 0 && n == (uint64_t)op->number) break;
        if (!list_record(pages, record, op->flags, answer)) break;
        n++;
        record = kv_store_following(pages, record);
    }
    bool more = record != 0 && kv_store_has_prefix(pages, record, op->key);
    if (more && n == 0) { /* asking again after the last key would not help */
        answer_status(answer, KV_ANSWER_TOO_LARGE);
        return;
    }
    struct writer w = writer_over(answer->data, LIST_HEAD_SIZE);
    write_u8(&w, KV_ANSWER_DONE);
    write_u8(&w, more);
    write_u8(&w, (op->flags & KV_LIST_EXPIRIES) != 0);
    write_u32(&w, n);
    assert(w.ok && w.size == LIST_HEAD_SIZE);
}

static void answer_size(const struct vstamp_pages *pages, struct vstamp_answer *answer)
{
    struct writer w = writer_over(answer->data, answer->capacity);
    write_u8(&w, KV_ANSWER_DONE);
    write_u64(&w, kv_store_n_keys(pages));
    write_u64(&w, kv_store_bytes(pages));
    answer->size = w.size;
    if (!w.ok) answer_status(answer, KV_ANSWER_TOO_LARGE);
}

/* --- changes --- */

static bool is_asked_for(const struct kv_op *op, struct bytes key)
{
    bool begins = key.size >= op->key.size &&
                  (op->key.size == 0 || memcmp(key.data, op->key.data, op->key.size) == 0);
    return begins && ((op->flags & KV_CHANGES_KEY) == 0 || key.size == op->key.size);
}

/* Append a change to an answer, if it fits; what is longer than an answer is left out of it. */
static bool list_change(const struct vstamp_pages *pages, const struct kv_changes *c,
                        uint64_t place, struct kv_change *change, struct vstamp_answer *answer,
                        bool alone)
{
    struct writer w = writer_over(answer->data, answer->capacity);
    size_t without = 8 + 1 + 1 + 4 + change->key.size + 4;
    size_t room = answer->capacity - answer->size;
    if (without > room) return false;
    if (!change->omitted && change->value.size > room - without) {
        if (!alone) return false;
        change->omitted = true;
    }
    w.size = answer->size;
    write_u64(&w, change->op);
    write_u8(&w, (uint8_t)change->what);
    write_u8(&w, change->omitted);
    write_bytes(&w, change->key);
    write_u32(&w, (uint32_t)change->value.size);
    if (!change->omitted)
        kv_changes_read_value(pages, c, place, change, writer_room(&w, change->value.size));
    assert(w.ok);
    answer->size = w.size;
    return true;
}

/* Where to begin: false if what is wanted is gone. */
static bool find_place(const struct vstamp_pages *pages, const struct kv_changes *c,
                       const struct kv_op *op, uint64_t *place)
{
    uint64_t number = (uint64_t)op->number, next;
    struct kv_change change;
    *place = (op->flags & KV_CHANGES_NOW) != 0 ? c->end : number;
    if ((op->flags & (KV_CHANGES_NOW | KV_CHANGES_PLACE)) != 0) return *place >= c->begin;
    *place = c->begin;
    while (kv_changes_look(pages, c, *place, &change, &next) && change.op < number) *place = next;
    return number > c->lost_op;
}

#define CHANGES_HEAD_SIZE (1u + 8u + 1u + 4u) /* status, place, more, count */

static void changes(const struct vstamp_pages *pages, const struct kv_op *op,
                    struct vstamp_answer *answer)
{
    struct kv_changes c = kv_changes(pages);
    struct writer head = writer_over(answer->data, answer->capacity);
    uint8_t key[KV_KEY_MAX];
    uint64_t place, next;
    uint32_t n = 0;
    bool more = false;
    struct kv_change change;
    if (kv_changes_pages(pages) == 0 && c.n_pages == 0) {
        answer_status(answer, KV_ANSWER_NOT_KEPT);
        return;
    }
    if (!find_place(pages, &c, op, &place)) {
        answer_number(answer, KV_ANSWER_GONE, c.lost_op + 1);
        return;
    }
    answer->size = CHANGES_HEAD_SIZE;
    while (answer->capacity >= CHANGES_HEAD_SIZE &&
           kv_changes_look(pages, &c, place, &change, &next)) {
        change.key.data = key;
        kv_changes_read_key(pages, &c, place, &change, key);
        if (is_asked_for(op, change.key)) {
            more = !list_change(pages, &c, place, &change, answer, n == 0);
            if (more) break;
            n++;
        }
        place = next;
    }
    write_u8(&head, KV_ANSWER_DONE);
    write_u64(&head, place);
    write_u8(&head, more);
    write_u32(&head, n);
    if (!head.ok || (more && n == 0)) answer_status(answer, KV_ANSWER_TOO_LARGE);
}

void kv_query(const struct vstamp_pages *pages, const uint8_t *operation, size_t size,
              struct vstamp_answer *answer)
{
    struct kv_op op;
    if (kv_decode_op((struct bytes){operation, size}, &op) != NULL || kv_is_write(op.verb)) {
        answer_status(answer, KV_ANSWER_INVALID);
    } else if (op.verb == KV_GET) {
        get(pages, &op, answer);
    } else if (op.verb == KV_LIST) {
        list(pages, &op, answer);
    } else if (op.verb == KV_TTL) {
        ttl(pages, &op, answer);
    } else if (op.verb == KV_CHANGES) {
        changes(pages, &op, answer);
    } else {
        answer_size(pages, answer);
    }
}

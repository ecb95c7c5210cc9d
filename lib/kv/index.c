/* SPDX-License-Identifier: BSD-2-Clause */
#include "kv/index.h"

#define KEYS_IN_BUCKET (KV_BUCKET_SLOTS / 2) /* on average, before there is another bucket */

/* In the place of a first bucket; zeros at first. */
struct index {
    uint32_t n_buckets;
    uint32_t mask; /* the smallest of ones only that no number of a bucket is above */
};
_Static_assert(sizeof(struct index) <= sizeof(struct kv_bucket), "the head is before the buckets");

static struct kv_bucket *buckets_of(struct index *index)
{
    return (struct kv_bucket *)index + 1;
}

static uint32_t n_buckets_max(const struct vstamp_pages *pages)
{
    uint64_t size = (uint64_t)vstamp_pages_max(pages) * VSTAMP_PAGE_MEMORY;
    uint64_t n = size / sizeof(struct kv_bucket) - 1;
    return n < UINT32_MAX / 2 ? (uint32_t)n : UINT32_MAX / 2;
}

/* Those beyond the last bucket are still with the one that they will be taken from. */
static uint32_t number(const struct index *index, uint32_t hash)
{
    uint32_t n = hash & index->mask;
    return n < index->n_buckets ? n : hash & index->mask >> 1;
}

/* One more bucket, with what belongs there now. */
static void divide(struct index *index, struct kv_bucket *buckets)
{
    uint32_t added = index->n_buckets++;
    if (added > index->mask) index->mask = index->mask << 1 | 1;
    struct kv_bucket *from = &buckets[added & index->mask >> 1], *to = &buckets[added];
    *to = (struct kv_bucket){0};
    for (uint32_t i = 0; i < KV_BUCKET_SLOTS; i++) {
        if (from->slots[i].record == 0 || number(index, from->slots[i].hash) != added) continue;
        to->slots[i] = from->slots[i];
        from->slots[i] = (struct kv_slot){0};
    }
}

const struct kv_bucket *kv_index_bucket(const struct vstamp_pages *pages, uint32_t hash)
{
    struct index *index = vstamp_pages_memory(pages);
    if (index == NULL || index->n_buckets == 0) return NULL;
    return &buckets_of(index)[number(index, hash)];
}

void kv_index_note(const struct vstamp_pages *pages, uint32_t hash, uint32_t record,
                   uint64_t n_keys)
{
    struct index *index = vstamp_pages_memory(pages);
    if (index == NULL) return;
    struct kv_bucket *buckets = buckets_of(index);
    if (index->n_buckets == 0) {
        buckets[0] = (struct kv_bucket){0};
        index->n_buckets = 1;
    }
    if (n_keys / KEYS_IN_BUCKET > index->n_buckets && index->n_buckets < n_buckets_max(pages))
        divide(index, buckets);
    struct kv_slot *slots = buckets[number(index, hash)].slots;
    uint32_t i = 0;
    while (i < KV_BUCKET_SLOTS && slots[i].record != 0) i++;
    if (i == KV_BUCKET_SLOTS) i = hash / (UINT32_MAX / KV_BUCKET_SLOTS + 1); /* any will do */
    slots[i] = (struct kv_slot){hash, record};
}

void kv_index_forget(const struct vstamp_pages *pages, uint32_t hash, uint32_t record)
{
    struct index *index = vstamp_pages_memory(pages);
    if (index == NULL || index->n_buckets == 0) return;
    struct kv_slot *slots = buckets_of(index)[number(index, hash)].slots;
    for (uint32_t i = 0; i < KV_BUCKET_SLOTS; i++)
        if (slots[i].record == record) slots[i] = (struct kv_slot){0};
}

void kv_index_forget_all(const struct vstamp_pages *pages)
{
    struct index *index = vstamp_pages_memory(pages);
    if (index != NULL) *index = (struct index){0};
}

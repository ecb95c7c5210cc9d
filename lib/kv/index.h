/* SPDX-License-Identifier: BSD-2-Clause */
/* Where the records of keys are, by hash: what the tree told before need not be asked again.  It
 * lies in the memory beside the pages, so no state depends on it, and nobody waits at a start until
 * it is built: it grows with what is looked for.
 *
 * A line of the processor's cache is a bucket for 8 keys, and there are enough of them for 4 in
 * each: linear hashing divides one bucket whenever a key is too many, so nothing is ever built
 * anew, nor in a pause, and memory is taken as keys come.  A key that finds its bucket full takes
 * the place of another one, whose record the tree finds the next time, and so on.
 *
 * What it names is a record, for whoever removes one says so; but whether it is that of the key in
 * question, only the key in the record tells. */
#ifndef KV_INDEX_H
#define KV_INDEX_H

#include <vstamp/app.h>

#define KV_BUCKET_SLOTS 8u

struct kv_slot {
    uint32_t hash;
    uint32_t record; /* 0: the slot is free */
};

struct kv_bucket {
    struct kv_slot slots[KV_BUCKET_SLOTS];
};

/* The bucket of a hash.  NULL: there is no memory beside these pages, or nothing was noted yet. */
const struct kv_bucket *kv_index_bucket(const struct vstamp_pages *pages, uint32_t hash);

/* A key of that hash has this record, and is one of so many. */
void kv_index_note(const struct vstamp_pages *pages, uint32_t hash, uint32_t record,
                   uint64_t n_keys);

/* That record is none any more; and: nothing is known of any. */
void kv_index_forget(const struct vstamp_pages *pages, uint32_t hash, uint32_t record);
void kv_index_forget_all(const struct vstamp_pages *pages);

#endif

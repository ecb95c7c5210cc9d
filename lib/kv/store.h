/* SPDX-License-Identifier: BSD-2-Clause */
/* The records of the key-value store, in byte order of their keys.
 *
 * A record is a chain of cells (cells.h) with the key and then the value.  Records are the nodes of
 * a treap, a search tree by key that is a heap by priority; the priority is a hash of the key under
 * a seed, so the tree is as deep as a random one, whoever chose the keys.  Each record also links
 * to the following one, so a listing needs no stack.
 *
 * A record that expires has the time, in microseconds, behind its value, and there is a second tree
 * of the same kind with a record for each of them: its key is that time and then the number of the
 * record, both with the greatest byte first, and it has no value.  So what expires first is the
 * first of that list, and who does not let things expire pays nothing.
 *
 * A record is named by its first cell; 0 is none.  Names are good until the next change. */
#ifndef KV_STORE_H
#define KV_STORE_H

#include <vstamp/app.h>

#include "base/bytes.h"

/* Before the first change: lays out the header if the store was never written.  `seed` should be
 * one that clients cannot choose; it is kept for ever. */
void kv_store_open(struct vstamp_pages *pages, uint64_t seed);

uint64_t kv_store_n_keys(const struct vstamp_pages *pages);
uint64_t kv_store_bytes(const struct vstamp_pages *pages); /* of keys and values */

/* The record of a key, or 0. */
uint32_t kv_store_find(const struct vstamp_pages *pages, struct bytes key);

/* Walk to the records of `n` keys a step each in turn, so that what they wait for comes from memory
 * at a time; those who look for them then find it in the caches. */
#define KV_FORESEEN_MAX 64u
void kv_store_foresee(const struct vstamp_pages *pages, const struct bytes *keys, size_t n);

/* The first record whose key is `key` or greater; with `after` only if greater. */
uint32_t kv_store_seek(const struct vstamp_pages *pages, struct bytes key, bool after);
uint32_t kv_store_following(const struct vstamp_pages *pages, uint32_t record);

/* Of a record: bytes of its key and of its value; what they begin with, or are. */
uint32_t kv_store_key_size(const struct vstamp_pages *pages, uint32_t record);
uint32_t kv_store_value_size(const struct vstamp_pages *pages, uint32_t record);
bool kv_store_has_prefix(const struct vstamp_pages *pages, uint32_t record, struct bytes prefix);
bool kv_store_value_is(const struct vstamp_pages *pages, uint32_t record, struct bytes value);

/* Copy the whole key or value to memory that is large enough. */
void kv_store_read_key(const struct vstamp_pages *pages, uint32_t record, uint8_t *to);
void kv_store_read_value(const struct vstamp_pages *pages, uint32_t record, uint8_t *to);

/* Set the value of a key, new or not, and when it expires; 0: never.  False: no room, nothing
 * changed. */
bool kv_store_put(struct vstamp_pages *pages, struct bytes key, struct bytes value,
                  uint64_t expiry);

/* How many cells more than now a key takes once it has such a value; 0 if not more.  And how many
 * there are. */
uint32_t kv_store_growth(const struct vstamp_pages *pages, struct bytes key, size_t value_size,
                         bool expires);
uint32_t kv_store_room(const struct vstamp_pages *pages);

/* Lengthen the value of a record.  False: no room, nothing changed. */
bool kv_store_append(struct vstamp_pages *pages, uint32_t record, struct bytes value);

/* False if there is no such key. */
bool kv_store_remove(struct vstamp_pages *pages, struct bytes key);

/* When a record expires; 0: never.  To change that.  False: no room, nothing changed. */
uint64_t kv_store_expiry(const struct vstamp_pages *pages, uint32_t record);
bool kv_store_set_expiry(struct vstamp_pages *pages, uint32_t record, uint64_t expiry);

/* When the first record expires; UINT64_MAX: none does.  Which one that is; there must be one. */
uint64_t kv_store_first_expiry(const struct vstamp_pages *pages);
uint32_t kv_store_first_to_expire(const struct vstamp_pages *pages);
#define KV_EXPIRY_KEY_SIZE 12u /* in the tree of expiries: u64, u32, greatest byte first */

/* sound.c: are these pages, `n_used` of them not all zeros, such a store?  They may hold anything;
 * every other function relies on it.  Looks at about `n_cells` cells and goes on from what `memory`
 * says: VSTAMP_AUDIT_BYTES, zeros at first. */
enum vstamp_audit kv_store_audit(const struct vstamp_pages *pages, uint32_t n_used, void *memory,
                                 uint32_t n_cells);

/* For it: is the header laid out, with a sensible number of cells in use?  A key's priority? */
bool kv_store_has_header(const struct vstamp_pages *pages);
uint32_t kv_store_priority(const struct vstamp_pages *pages, struct bytes key);

#endif

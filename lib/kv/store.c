/* SPDX-License-Identifier: BSD-2-Clause */
/* Records and the treaps over them; store.h says what for, cells.h where everything lies.
 *
 * What holds between calls:
 *   K1  keys left of a record are smaller, keys right of it greater;
 *   K2  no record has a greater priority than the one above it;
 *   K3  from KV_HEADER_FIRST along KV_RECORD_FOLLOWING all records come in rising order;
 *   K4  a chain has as many cells as key, value and expiry need, and zeros behind them;
 *   K5  the tree of expiries holds those of the records that expire, and nothing else;
 *   K6  the index names records of the tree of keys only, each by its priority.
 * Walks of the tree are loops over the place where a link is kept: no stack, no parents. */
#include "kv/store.h"

#include <string.h>

#include "base/assert.h"
#include "base/checksum.h"
#include "kv/cells.h"
#include "kv/changes.h"
#include "kv/index.h"

#define KV_FORM 0x32766b76u /* "vkv2" */

struct tree {
    enum kv_cell_field root, first;
};

static const struct tree keys_tree = {KV_HEADER_ROOT, KV_HEADER_FIRST};
static const struct tree expiry_tree = {KV_HEADER_EXPIRY_ROOT, KV_HEADER_EXPIRY_FIRST};

/* Where the number of a record is kept: in the header, or in the record above. */
struct link {
    uint32_t cell;
    enum kv_cell_field field;
};

static uint32_t link_get(const struct vstamp_pages *pages, struct link link)
{
    return kv_cell_get(pages, link.cell, link.field);
}

static void link_set(struct vstamp_pages *pages, struct link link, uint32_t record)
{
    if (link_get(pages, link) == record) return; /* leave the page as it is */
    kv_cell_set(pages, link.cell, link.field, record);
}

static uint32_t root_of(const struct vstamp_pages *pages, const struct tree *tree)
{
    return kv_cell_get(pages, 0, tree->root);
}

static uint64_t header_u64(const struct vstamp_pages *pages, enum kv_cell_field field)
{
    return load_u64(kv_cell(pages, 0) + field);
}

static void header_add(struct vstamp_pages *pages, enum kv_cell_field field, uint64_t delta)
{
    uint8_t *at = kv_cell_change(pages, 0) + field;
    store_u64(at, load_u64(at) + delta); /* a negative delta wraps around, and back */
}

void kv_store_open(struct vstamp_pages *pages, uint64_t seed)
{
    uint32_t form = kv_cell_get(pages, 0, KV_HEADER_FORM);
    if (form == 0) {
        uint8_t *header = kv_cell_change(pages, 0);
        store_u32(header + KV_HEADER_FORM, KV_FORM);
        store_u32(header + KV_HEADER_CHANGES, kv_changes_pages(pages));
        store_u32(header + KV_HEADER_FRESH, kv_cells_begin(pages));
        store_u64(header + KV_HEADER_SEED, seed);
    } else {
        assert(form == KV_FORM); /* pages from elsewhere are sound (sound.c) */
    }
}

bool kv_store_has_header(const struct vstamp_pages *pages)
{
    uint32_t fresh = kv_cell_get(pages, 0, KV_HEADER_FRESH);
    return kv_cell_get(pages, 0, KV_HEADER_FORM) == KV_FORM &&
           kv_cell_get(pages, 0, KV_HEADER_CHANGES) <= KV_CHANGES_PAGES_MAX &&
           fresh >= kv_cells_begin(pages) && fresh <= kv_cells_total(pages);
}

static uint32_t hash_of(struct bytes key, uint64_t seed)
{
    return (uint32_t)(checksum64_seeded(key.data, key.size, seed) >> 32);
}

uint32_t kv_store_priority(const struct vstamp_pages *pages, struct bytes key)
{
    return hash_of(key, header_u64(pages, KV_HEADER_SEED));
}

uint64_t kv_store_n_keys(const struct vstamp_pages *pages)
{
    return header_u64(pages, KV_HEADER_N_KEYS);
}

uint64_t kv_store_bytes(const struct vstamp_pages *pages)
{
    return header_u64(pages, KV_HEADER_BYTES);
}

uint32_t kv_store_following(const struct vstamp_pages *pages, uint32_t record)
{
    return kv_cell_get(pages, record, KV_RECORD_FOLLOWING);
}

uint32_t kv_store_key_size(const struct vstamp_pages *pages, uint32_t record)
{
    return kv_cell_get(pages, record, KV_RECORD_KEY_SIZE);
}

uint32_t kv_store_value_size(const struct vstamp_pages *pages, uint32_t record)
{
    return kv_cell_get(pages, record, KV_RECORD_VALUE_SIZE) & ~KV_RECORD_EXPIRES;
}

static bool expires(const struct vstamp_pages *pages, uint32_t record)
{
    return (kv_cell_get(pages, record, KV_RECORD_VALUE_SIZE) & KV_RECORD_EXPIRES) != 0;
}

/* Of key and value. */
static uint64_t pair_size(const struct vstamp_pages *pages, uint32_t record)
{
    return (uint64_t)kv_store_key_size(pages, record) + kv_store_value_size(pages, record);
}

static uint64_t content_size(const struct vstamp_pages *pages, uint32_t record)
{
    return pair_size(pages, record) + (expires(pages, record) ? sizeof(uint64_t) : 0);
}

static uint32_t priority(const struct vstamp_pages *pages, uint32_t record)
{
    return kv_cell_get(pages, record, KV_RECORD_PRIORITY);
}

/* As memcmp; in place, as keys are short, and without a branch on which is greater, which nobody
 * could foretell. */
static int compare_bytes(const uint8_t *a, const uint8_t *b, size_t size)
{
    size_t i = 0;
    for (; i + 8 <= size; i += 8) {
        uint64_t x = __builtin_bswap64(load_u64(a + i)), y = __builtin_bswap64(load_u64(b + i));
        if (x != y) return (x > y) - (x < y);
    }
    for (; i < size; i++)
        if (a[i] != b[i]) return (a[i] > b[i]) - (a[i] < b[i]);
    return 0;
}

/* The key of the record that begins in this cell against another key; a prefix is smaller. */
static int compare_first(const struct vstamp_pages *pages, uint32_t record, const uint8_t *cell,
                         struct bytes key)
{
    uint32_t size = load_u32(cell + KV_RECORD_KEY_SIZE);
    size_t common = size < key.size ? size : key.size;
    int order = compare_bytes(cell + KV_FIRST_HEAD, key.data,
                              common < KV_FIRST_ROOM ? common : KV_FIRST_ROOM);
    if (order == 0 && common > KV_FIRST_ROOM) {
        struct kv_place place = kv_chain_seek(pages, record, KV_FIRST_ROOM);
        order = kv_chain_compare(pages, &place, key.data + KV_FIRST_ROOM, common - KV_FIRST_ROOM);
    }
    if (order != 0) return order;
    return size < key.size ? -1 : size > key.size;
}

static int compare_key(const struct vstamp_pages *pages, uint32_t record, struct bytes key)
{
    return compare_first(pages, record, kv_cell(pages, record), key);
}

bool kv_store_has_prefix(const struct vstamp_pages *pages, uint32_t record, struct bytes prefix)
{
    struct kv_place place = kv_chain_seek(pages, record, 0);
    return kv_store_key_size(pages, record) >= prefix.size &&
           kv_chain_compare(pages, &place, prefix.data, prefix.size) == 0;
}

bool kv_store_value_is(const struct vstamp_pages *pages, uint32_t record, struct bytes value)
{
    if (kv_store_value_size(pages, record) != value.size) return false;
    struct kv_place place = kv_chain_seek(pages, record, kv_store_key_size(pages, record));
    return kv_chain_compare(pages, &place, value.data, value.size) == 0;
}

void kv_store_read_key(const struct vstamp_pages *pages, uint32_t record, uint8_t *to)
{
    struct kv_place place = kv_chain_seek(pages, record, 0);
    kv_chain_read(pages, &place, to, kv_store_key_size(pages, record));
}

void kv_store_read_value(const struct vstamp_pages *pages, uint32_t record, uint8_t *to)
{
    struct kv_place place = kv_chain_seek(pages, record, kv_store_key_size(pages, record));
    kv_chain_read(pages, &place, to, kv_store_value_size(pages, record));
}

/* Where the way to a key goes on from a record; 0: not at all, and *found tells why. */
static uint32_t step(const struct vstamp_pages *pages, uint32_t record, const uint8_t *cell,
                     struct bytes key, bool *found)
{
    int order = compare_first(pages, record, cell, key);
    *found = order == 0;
    if (*found) return 0;
    return load_u32(cell + (order > 0 ? KV_RECORD_LEFT : KV_RECORD_RIGHT));
}

/* What the index names for a hash, from slot *i on; 0: nothing. */
static uint32_t named(const struct kv_bucket *bucket, uint32_t hash, uint32_t *i)
{
    for (; bucket != NULL && *i < KV_BUCKET_SLOTS; ++*i)
        if (bucket->slots[*i].hash == hash && bucket->slots[*i].record != 0)
            return bucket->slots[*i].record;
    return 0;
}

/* 0: the index does not know it. */
static uint32_t recall(const struct vstamp_pages *pages, uint32_t hash, struct bytes key)
{
    const struct kv_bucket *bucket = kv_index_bucket(pages, hash);
    uint32_t record;
    for (uint32_t i = 0; (record = named(bucket, hash, &i)) != 0; i++)
        if (compare_key(pages, record, key) == 0) return record;
    return 0;
}

uint32_t kv_store_find(const struct vstamp_pages *pages, struct bytes key)
{
    uint32_t hash = kv_store_priority(pages, key);
    uint32_t record = recall(pages, hash, key);
    if (record != 0) return record;
    record = root_of(pages, &keys_tree);
    bool found = false;
    while (record != 0) {
        uint32_t next = step(pages, record, kv_cell(pages, record), key, &found);
        if (found) break;
        record = next;
    }
    if (found) kv_index_note(pages, hash, record, kv_store_n_keys(pages));
    return record;
}

/* Whom the index names is taken to be the one: another one with the same hash is rare, and looks
 * into memory in vain. */
void kv_store_foresee(const struct vstamp_pages *pages, const struct bytes *keys, size_t n)
{
    struct {
        uint32_t record;
        const uint8_t *cell;
        struct bytes key;
        bool found;
    } ways[KV_FORESEEN_MAX];
    const struct kv_bucket *buckets[KV_FORESEEN_MAX];
    uint32_t hashes[KV_FORESEEN_MAX], root = root_of(pages, &keys_tree);
    uint64_t seed = header_u64(pages, KV_HEADER_SEED);
    assert(n <= KV_FORESEEN_MAX);
    if (root == 0) return;
    for (size_t i = 0; i < n; i++) {
        hashes[i] = hash_of(keys[i], seed);
        buckets[i] = kv_index_bucket(pages, hashes[i]);
        __builtin_prefetch(buckets[i]);
    }
    for (size_t i = 0; i < n; i++) {
        uint32_t slot = 0, record = named(buckets[i], hashes[i], &slot);
        ways[i].record = record != 0 ? record : root;
        ways[i].found = record != 0;
        ways[i].cell = kv_cell(pages, ways[i].record);
        ways[i].key = keys[i];
        __builtin_prefetch(ways[i].cell);
    }
    while (n > 0) {
        size_t going = 0;
        for (size_t i = 0; i < n; i++) {
            uint32_t next = 0;
            if (!ways[i].found)
                next = step(pages, ways[i].record, ways[i].cell, ways[i].key, &ways[i].found);
            if (ways[i].found) { /* its value lies behind it */
                __builtin_prefetch(kv_cell(pages, load_u32(ways[i].cell + KV_CELL_NEXT)));
                __builtin_prefetch(kv_cell(pages, load_u32(ways[i].cell + KV_RECORD_TAIL)));
            }
            if (next == 0) continue;
            const uint8_t *cell = kv_cell(pages, next);
            __builtin_prefetch(cell);
            ways[going] = ways[i];
            ways[going].record = next;
            ways[going++].cell = cell;
        }
        n = going;
    }
}

uint32_t kv_store_seek(const struct vstamp_pages *pages, struct bytes key, bool after)
{
    uint32_t best = 0;
    uint32_t record = root_of(pages, &keys_tree);
    while (record != 0) {
        int order = compare_key(pages, record, key);
        if (order > 0 || (order == 0 && !after)) {
            best = record;
            record = kv_cell_get(pages, record, KV_RECORD_LEFT);
        } else {
            record = kv_cell_get(pages, record, KV_RECORD_RIGHT);
        }
    }
    return best;
}

/* --- the tree --------------------------------------------------------------------------------- */

/* Where the link to the record that follows `before` is kept; before 0: to the smallest. */
static struct link following_link(const struct tree *tree, uint32_t before)
{
    return before != 0 ? (struct link){before, KV_RECORD_FOLLOWING} : (struct link){0, tree->first};
}

/* Hang a new record into the tree: down to where its priority belongs, then divide what is below
 * into smaller and greater keys. */
static void tree_insert(struct vstamp_pages *pages, const struct tree *tree, uint32_t record,
                        struct bytes key)
{
    uint32_t before = 0; /* the greatest smaller key on the way, which is the greatest of all */
    struct link link = {0, tree->root};
    uint32_t below;
    while ((below = link_get(pages, link)) != 0 &&
           priority(pages, below) >= priority(pages, record)) {
        bool smaller = compare_key(pages, below, key) < 0;
        if (smaller) before = below;
        link = (struct link){below, smaller ? KV_RECORD_RIGHT : KV_RECORD_LEFT};
    }
    link_set(pages, link, record);

    struct link smaller_link = {record, KV_RECORD_LEFT};
    struct link greater_link = {record, KV_RECORD_RIGHT};
    while (below != 0) {
        if (compare_key(pages, below, key) < 0) {
            before = below;
            link_set(pages, smaller_link, below);
            smaller_link = (struct link){below, KV_RECORD_RIGHT};
            below = link_get(pages, smaller_link);
        } else {
            link_set(pages, greater_link, below);
            greater_link = (struct link){below, KV_RECORD_LEFT};
            below = link_get(pages, greater_link);
        }
    }
    link_set(pages, smaller_link, 0);
    link_set(pages, greater_link, 0);

    link = following_link(tree, before);
    kv_cell_set(pages, record, KV_RECORD_FOLLOWING, link_get(pages, link));
    link_set(pages, link, record);
}

/* Put at `link` what hangs from two subtrees, all keys of `left` being smaller than those of
 * `right`. */
static void tree_merge(struct vstamp_pages *pages, struct link link, uint32_t left, uint32_t right)
{
    while (left != 0 && right != 0) {
        if (priority(pages, left) >= priority(pages, right)) {
            link_set(pages, link, left);
            link = (struct link){left, KV_RECORD_RIGHT};
            left = link_get(pages, link);
        } else {
            link_set(pages, link, right);
            link = (struct link){right, KV_RECORD_LEFT};
            right = link_get(pages, link);
        }
    }
    link_set(pages, link, left != 0 ? left : right);
}

/* Take the record of a key out of the tree; 0 if there is none. */
static uint32_t tree_remove(struct vstamp_pages *pages, const struct tree *tree,
                            struct bytes key)
{
    uint32_t before = 0;
    struct link link = {0, tree->root};
    uint32_t record;
    while ((record = link_get(pages, link)) != 0) {
        int order = compare_key(pages, record, key);
        if (order == 0) break;
        if (order < 0) before = record;
        link = (struct link){record, order < 0 ? KV_RECORD_RIGHT : KV_RECORD_LEFT};
    }
    if (record == 0) return 0;

    uint32_t left = kv_cell_get(pages, record, KV_RECORD_LEFT);
    for (uint32_t r = left; r != 0; r = kv_cell_get(pages, r, KV_RECORD_RIGHT)) before = r;
    assert(link_get(pages, following_link(tree, before)) == record); /* K3 */
    link_set(pages, following_link(tree, before), kv_store_following(pages, record));
    tree_merge(pages, link, left, kv_cell_get(pages, record, KV_RECORD_RIGHT));
    return record;
}

/* --- the content ------------------------------------------------------------------------------ */

/* Where the content of a record ends, in its last cell. */
static struct kv_place content_end(const struct vstamp_pages *pages, uint32_t record)
{
    uint64_t size = content_size(pages, record);
    if (size <= KV_FIRST_ROOM) return kv_chain_seek(pages, record, size);
    uint32_t in_last = (uint32_t)((size - KV_FIRST_ROOM - 1) % KV_LATER_ROOM) + 1;
    return (struct kv_place){kv_cell_get(pages, record, KV_RECORD_TAIL), KV_LATER_HEAD + in_last};
}

/* Give back the cells behind the first `size` bytes of content, and zero the rest of the last. */
static void cut_chain(struct vstamp_pages *pages, uint32_t record, uint64_t size)
{
    struct kv_place end = kv_chain_seek(pages, record, size);
    uint8_t *last = kv_cell_change(pages, end.cell);
    uint32_t rest = load_u32(last + KV_CELL_NEXT);
    memset(last + end.offset, 0, KV_CELL_SIZE - end.offset);
    store_u32(last + KV_CELL_NEXT, 0);
    kv_cell_set(pages, record, KV_RECORD_TAIL, end.cell);
    if (rest != 0) kv_chain_give(pages, rest);
}

/* Give a record's value another size, and a place behind it for its expiry or none: what lies
 * behind the part that stays is to be written.  False: no room, nothing changed. */
static bool resize_value(struct vstamp_pages *pages, uint32_t record, size_t size, bool expires)
{
    uint64_t old_size = content_size(pages, record), old_pair = pair_size(pages, record);
    uint64_t new_pair = kv_store_key_size(pages, record) + (uint64_t)size;
    uint64_t new_size = new_pair + (expires ? sizeof(uint64_t) : 0);
    uint32_t old_cells = kv_chain_cells(old_size);
    uint32_t new_cells = kv_chain_cells(new_size);
    if (new_cells > old_cells) {
        if (new_cells - old_cells > kv_cells_left(pages)) return false;
        uint32_t old_tail = kv_cell_get(pages, record, KV_RECORD_TAIL);
        uint32_t tail;
        uint32_t more = kv_chain_take(pages, new_cells - old_cells, &tail);
        kv_cell_set(pages, old_tail, KV_CELL_NEXT, more);
        kv_cell_set(pages, record, KV_RECORD_TAIL, tail);
    } else if (new_size < old_size) {
        cut_chain(pages, record, new_size);
    }
    kv_cell_set(pages, record, KV_RECORD_VALUE_SIZE,
                (uint32_t)size | (expires ? KV_RECORD_EXPIRES : 0));
    header_add(pages, KV_HEADER_BYTES, new_pair - old_pair);
    return true;
}

/* A new record in a tree, with its key and an empty value.  There must be room. */
static uint32_t add_record(struct vstamp_pages *pages, const struct tree *tree, struct bytes key)
{
    uint32_t tail;
    uint32_t record = kv_chain_take(pages, kv_chain_cells(key.size), &tail);
    uint8_t *at = kv_cell_change(pages, record);
    store_u32(at + KV_RECORD_TAIL, tail);
    store_u32(at + KV_RECORD_KEY_SIZE, (uint32_t)key.size);
    store_u32(at + KV_RECORD_PRIORITY, kv_store_priority(pages, key));
    struct kv_place place = kv_chain_seek(pages, record, 0);
    kv_chain_write(pages, &place, key.data, key.size);
    tree_insert(pages, tree, record, key);
    return record;
}

/* --- expiries --------------------------------------------------------------------------------- */

static struct bytes expiry_key(uint64_t expiry, uint32_t record, uint8_t key[KV_EXPIRY_KEY_SIZE])
{
    store_u64(key, __builtin_bswap64(expiry));
    store_u32(key + 8, __builtin_bswap32(record));
    return (struct bytes){key, KV_EXPIRY_KEY_SIZE};
}
_Static_assert(KV_EXPIRY_KEY_SIZE <= KV_FIRST_ROOM, "an expiry takes one cell");

static struct kv_place value_end(const struct vstamp_pages *pages, uint32_t record)
{
    if (!expires(pages, record)) return content_end(pages, record);
    return kv_chain_seek(pages, record, pair_size(pages, record));
}

uint64_t kv_store_expiry(const struct vstamp_pages *pages, uint32_t record)
{
    uint8_t expiry[8];
    if (!expires(pages, record)) return 0;
    struct kv_place place = value_end(pages, record);
    kv_chain_read(pages, &place, expiry, sizeof expiry);
    return load_u64(expiry);
}

uint64_t kv_store_first_expiry(const struct vstamp_pages *pages)
{
    uint32_t first = kv_cell_get(pages, 0, KV_HEADER_EXPIRY_FIRST);
    return first == 0 ? UINT64_MAX
                      : __builtin_bswap64(load_u64(kv_cell(pages, first) + KV_FIRST_HEAD));
}

uint32_t kv_store_first_to_expire(const struct vstamp_pages *pages)
{
    uint32_t first = kv_cell_get(pages, 0, KV_HEADER_EXPIRY_FIRST);
    assert(first != 0);
    return __builtin_bswap32(load_u32(kv_cell(pages, first) + KV_FIRST_HEAD + 8));
}

/* Take its expiry out of the tree of them; the record is as it was. */
static void forget_expiry(struct vstamp_pages *pages, uint32_t record)
{
    uint8_t key[KV_EXPIRY_KEY_SIZE];
    if (!expires(pages, record)) return;
    uint64_t expiry = kv_store_expiry(pages, record);
    uint32_t in_tree = tree_remove(pages, &expiry_tree, expiry_key(expiry, record, key));
    assert(in_tree != 0); /* K5 */
    kv_chain_give(pages, in_tree);
}

/* Write it behind the value, where there is room for it, and note it.  A cell must be left. */
static void note_expiry(struct vstamp_pages *pages, uint32_t record, struct kv_place place,
                        uint64_t expiry)
{
    uint8_t text[8], key[KV_EXPIRY_KEY_SIZE];
    store_u64(text, expiry);
    kv_chain_write(pages, &place, text, sizeof text);
    add_record(pages, &expiry_tree, expiry_key(expiry, record, key));
}

/* How many cells there are for content of that size, with its expiry. */
static uint32_t cells_for(uint64_t pair, bool expires)
{
    return kv_chain_cells(pair + (expires ? sizeof(uint64_t) : 0)) + expires;
}

/* How many cells more than now does a record take, or a new one for 0? */
static uint32_t growth(const struct vstamp_pages *pages, uint32_t record, uint64_t pair,
                       bool is_to_expire)
{
    uint32_t before = record == 0 ? 0 : cells_for(pair_size(pages, record), expires(pages, record));
    uint32_t after = cells_for(pair, is_to_expire);
    return after > before ? after - before : 0;
}

static bool has_room(const struct vstamp_pages *pages, uint32_t record, uint64_t pair,
                     bool is_to_expire)
{
    return growth(pages, record, pair, is_to_expire) <= kv_cells_left(pages);
}

uint32_t kv_store_growth(const struct vstamp_pages *pages, struct bytes key, size_t value_size,
                         bool is_to_expire)
{
    return growth(pages, kv_store_find(pages, key), (uint64_t)key.size + value_size, is_to_expire);
}

uint32_t kv_store_room(const struct vstamp_pages *pages)
{
    return kv_cells_left(pages);
}

/* --- changes ---------------------------------------------------------------------------------- */

/* A record of this key, new if it is 0, for a value of that size; 0: no room, nothing changed. */
static uint32_t make_place(struct vstamp_pages *pages, uint32_t record, struct bytes key,
                           size_t value_size, bool is_to_expire)
{
    if (!has_room(pages, record, (uint64_t)key.size + value_size, is_to_expire)) return 0;
    if (record == 0) {
        record = add_record(pages, &keys_tree, key);
        header_add(pages, KV_HEADER_N_KEYS, 1);
        kv_index_note(pages, priority(pages, record), record, kv_store_n_keys(pages));
        header_add(pages, KV_HEADER_BYTES, key.size);
    }
    forget_expiry(pages, record);
    bool resized = resize_value(pages, record, value_size, is_to_expire);
    assert(resized); /* has_room */
    return record;
}

bool kv_store_put(struct vstamp_pages *pages, struct bytes key, struct bytes value, uint64_t expiry)
{
    assert(key.size > 0 && value.size <= UINT32_MAX / 2 - key.size);
    uint32_t record = kv_store_find(pages, key);
    bool has_place = record != 0 && expiry == 0 && /* as most have: one of this size, for ever */
                     kv_cell_get(pages, record, KV_RECORD_VALUE_SIZE) == value.size;
    if (!has_place) record = make_place(pages, record, key, value.size, expiry != 0);
    if (record == 0) return false;
    struct kv_place place = kv_chain_seek(pages, record, key.size);
    kv_chain_write(pages, &place, value.data, value.size);
    if (expiry != 0) note_expiry(pages, record, place, expiry);
    return true;
}

bool kv_store_append(struct vstamp_pages *pages, uint32_t record, struct bytes value)
{
    uint32_t old_size = kv_store_value_size(pages, record);
    uint8_t expiry[8];
    assert(value.size <= UINT32_MAX / 2 - old_size - kv_store_key_size(pages, record));
    struct kv_place place = value_end(pages, record);
    bool moves = expires(pages, record);
    if (moves) store_u64(expiry, kv_store_expiry(pages, record));
    if (!resize_value(pages, record, old_size + value.size, moves)) return false;
    kv_chain_write(pages, &place, value.data, value.size);
    if (moves) kv_chain_write(pages, &place, expiry, sizeof expiry);
    return true;
}

bool kv_store_set_expiry(struct vstamp_pages *pages, uint32_t record, uint64_t expiry)
{
    if (!has_room(pages, record, pair_size(pages, record), expiry != 0)) return false;
    forget_expiry(pages, record);
    bool resized =
        resize_value(pages, record, kv_store_value_size(pages, record), expiry != 0);
    assert(resized); /* has_room */
    if (expiry != 0) note_expiry(pages, record, value_end(pages, record), expiry);
    return true;
}

bool kv_store_remove(struct vstamp_pages *pages, struct bytes key)
{
    uint32_t record = tree_remove(pages, &keys_tree, key);
    if (record == 0) return false;
    kv_index_forget(pages, priority(pages, record), record);
    forget_expiry(pages, record);
    header_add(pages, KV_HEADER_N_KEYS, (uint64_t)-1);
    header_add(pages, KV_HEADER_BYTES, -pair_size(pages, record));
    kv_chain_give(pages, record);
    return true;
}

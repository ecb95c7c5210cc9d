/* SPDX-License-Identifier: BSD-2-Clause */
/* Do these pages hold a store, as store.c keeps it?  Asked of pages that came from a peer or from a
 * disk, before anything else looks at them: what K1 to K4 of store.c promise is found out here
 * without trusting any link, so that everything else may trust them all.
 *
 * Memory is constant and time linear.  That each cell belongs to exactly one record or is free, and
 * that each record hangs from exactly one place of the tree, are questions of sets: both sides are
 * counted, and a hash of each member summed up.  That guards against damage, as all checksums here,
 * not against an enemy.  That the tree is in order follows record by record: whoever follows in the
 * list must be the next one in the tree too, which is the leftmost below on the right or, with
 * nothing there, the one whose rightmost below on the left is this. */
#include <string.h>

#include "base/checksum.h"
#include "kv/cells.h"
#include "kv/kv.h"
#include "kv/store.h"

struct set {
    uint64_t count;
    uint64_t sum; /* of a hash of each member */
};

struct audit {
    const struct vstamp_pages *pages;
    uint32_t fresh;
    struct set cells;   /* in use or free */
    struct set records; /* along KV_RECORD_FOLLOWING */
    struct set links;   /* of the tree */
    uint64_t bytes;
    uint64_t steps; /* of walks in the tree */
    uint8_t key[KV_KEY_MAX], before[KV_KEY_MAX];
    uint32_t key_size, before_size;
};

static void set_add(struct set *set, uint32_t member)
{
    uint8_t number[4];
    store_u32(number, member);
    set->count++;
    set->sum += checksum64(number, sizeof number);
}

static bool set_equal(const struct set *a, const struct set *b)
{
    return a->count == b->count && a->sum == b->sum;
}

static bool is_cell(const struct audit *a, uint32_t cell)
{
    return cell > 0 && cell < a->fresh;
}

/* Each cell is met once: then there is an end to every list. */
static bool meet_cell(struct audit *a, uint32_t cell)
{
    if (!is_cell(a, cell) || a->cells.count == a->fresh) return false;
    set_add(&a->cells, cell);
    return true;
}

static bool all_zeros(const uint8_t *at, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (at[i] != 0) return false;
    return true;
}

/* K4 */
static bool chain_is_sound(struct audit *a, uint32_t record)
{
    uint64_t size = (uint64_t)a->key_size + kv_store_value_size(a->pages, record);
    uint32_t n = kv_chain_cells(size), cell = record, last = record;
    for (uint32_t i = 0; i < n; i++) {
        if (i > 0 && !meet_cell(a, cell)) return false;
        last = cell;
        cell = kv_cell_get(a->pages, cell, KV_CELL_NEXT);
    }
    if (cell != 0 || last != kv_cell_get(a->pages, record, KV_RECORD_TAIL)) return false;
    uint64_t room = KV_FIRST_ROOM + (uint64_t)(n - 1) * KV_LATER_ROOM;
    size_t unused = (size_t)(room - size);
    return all_zeros(kv_cell(a->pages, last) + KV_CELL_SIZE - unused, unused);
}

static uint32_t priority(const struct audit *a, uint32_t record)
{
    return kv_cell_get(a->pages, record, KV_RECORD_PRIORITY);
}

/* The key may be read once the chain is known to be sound. */
static bool record_is_sound(struct audit *a, uint32_t record)
{
    if (!meet_cell(a, record)) return false;
    a->key_size = kv_store_key_size(a->pages, record);
    uint32_t value_size = kv_store_value_size(a->pages, record);
    if (a->key_size == 0 || a->key_size > KV_KEY_MAX || value_size > KV_VALUE_MAX) return false;
    if (!chain_is_sound(a, record)) return false;
    set_add(&a->records, record);
    a->bytes += (uint64_t)a->key_size + value_size;
    kv_store_read_key(a->pages, record, a->key);
    return priority(a, record) == kv_store_priority(a->pages, (struct bytes){a->key, a->key_size});
}

/* K2 */
static bool link_is_sound(struct audit *a, uint32_t record, enum kv_cell_field side)
{
    uint32_t below = kv_cell_get(a->pages, record, side);
    if (below == 0) return true;
    if (!is_cell(a, below)) return false;
    set_add(&a->links, below);
    return priority(a, below) <= priority(a, record);
}

/* K3, and K1 for what hangs directly: the rest is in_order's. */
static bool list_is_sound(struct audit *a)
{
    uint32_t record = kv_cell_get(a->pages, 0, KV_HEADER_FIRST);
    for (; record != 0; record = kv_store_following(a->pages, record)) {
        if (!record_is_sound(a, record)) return false;
        if (!link_is_sound(a, record, KV_RECORD_LEFT)) return false;
        if (!link_is_sound(a, record, KV_RECORD_RIGHT)) return false;
        struct bytes key = {a->key, a->key_size}, before = {a->before, a->before_size};
        if (bytes_compare(before, key) >= 0) return false;
        memcpy(a->before, a->key, a->key_size);
        a->before_size = a->key_size;
    }
    return true;
}

static bool free_list_is_sound(struct audit *a)
{
    uint32_t n = kv_cell_get(a->pages, 0, KV_HEADER_N_FREE);
    uint32_t cell = kv_cell_get(a->pages, 0, KV_HEADER_FREE);
    for (; n > 0; n--) {
        if (!meet_cell(a, cell)) return false;
        const uint8_t *at = kv_cell(a->pages, cell);
        if (!all_zeros(at + KV_LATER_HEAD, KV_LATER_ROOM)) return false;
        cell = kv_cell_get(a->pages, cell, KV_CELL_NEXT);
    }
    return cell == 0;
}

/* As far as it goes on this side; 0 if the walks together take longer than in any tree. */
static uint32_t outermost(struct audit *a, uint32_t record, enum kv_cell_field side)
{
    for (uint32_t next; (next = kv_cell_get(a->pages, record, side)) != 0; record = next)
        if (++a->steps > 2 * a->records.count) return 0;
    return record;
}

/* K1, when all links are known to be records. */
static bool tree_is_in_order(struct audit *a)
{
    uint32_t record = kv_cell_get(a->pages, 0, KV_HEADER_FIRST), next;
    for (; record != 0 && (next = kv_store_following(a->pages, record)) != 0; record = next) {
        uint32_t right = kv_cell_get(a->pages, record, KV_RECORD_RIGHT);
        uint32_t left = kv_cell_get(a->pages, next, KV_RECORD_LEFT);
        if (right != 0 && outermost(a, right, KV_RECORD_LEFT) != next) return false;
        if (right != 0) continue;
        if (left == 0 || outermost(a, left, KV_RECORD_RIGHT) != record) return false;
    }
    return true;
}

/* Cells never used are zeros, to the end of the pages in use. */
static bool rest_is_zeros(const struct vstamp_pages *pages, uint32_t fresh, uint32_t n_used)
{
    for (uint64_t cell = fresh; cell < (uint64_t)n_used * KV_CELLS_PER_PAGE; cell++)
        if (!all_zeros(kv_cell(pages, (uint32_t)cell), KV_CELL_SIZE)) return false;
    return true;
}

bool kv_store_is_sound(const struct vstamp_pages *pages, uint32_t n_used)
{
    if (n_used == 0 || kv_cell_get(pages, 0, KV_HEADER_FORM) == 0)
        return rest_is_zeros(pages, 0, n_used);
    if (!kv_store_has_header(pages)) return false;

    struct audit a = {.pages = pages, .fresh = kv_cell_get(pages, 0, KV_HEADER_FRESH)};
    uint32_t root = kv_cell_get(pages, 0, KV_HEADER_ROOT);
    if (root != 0) set_add(&a.links, root);
    if (!list_is_sound(&a) || !set_equal(&a.links, &a.records)) return false;
    if (a.records.count != kv_store_n_keys(pages) || a.bytes != kv_store_bytes(pages)) return false;
    if (!tree_is_in_order(&a) || !free_list_is_sound(&a)) return false;

    struct set all = {0};
    for (uint32_t cell = 1; cell < a.fresh; cell++) set_add(&all, cell);
    return set_equal(&a.cells, &all) && rest_is_zeros(pages, a.fresh, n_used);
}

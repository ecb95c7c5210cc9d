/* SPDX-License-Identifier: BSD-2-Clause */
/* Do these pages hold a store, as store.c keeps it?  Asked of pages that came from a peer or from a
 * disk, before anything else looks at them: what K1 to K5 of store.c promise is found out here
 * without trusting any link, so that everything else may trust them all.
 *
 * Memory is constant and time linear, in steps of about a cell each, so that it can be done by
 * parts.  That each cell belongs to exactly one record or is free, and that each record hangs from
 * exactly one place of the tree, are questions of sets: both sides are counted, and a hash of each
 * member summed up.  That guards against damage, as all checksums here, not against an enemy.  That
 * the tree is in order follows record by record: whoever follows in the list must be the next one
 * in the tree too, which is the leftmost below on the right or, with nothing there, the one whose
 * rightmost below on the left is this. */
#include <string.h>

#include "base/assert.h"
#include "base/checksum.h"
#include "kv/cells.h"
#include "kv/changes.h"
#include "kv/kv.h"
#include "kv/store.h"

struct set {
    uint64_t count;
    uint64_t sum; /* of a hash of each member */
};

/* The two trees, which are looked at one after the other. */
static const struct {
    enum kv_cell_field root, first;
    uint32_t key_size_min, key_size_max, value_size_max;
} trees[] = {
    {KV_HEADER_ROOT, KV_HEADER_FIRST, 1, KV_KEY_MAX, KV_VALUE_MAX},
    {KV_HEADER_EXPIRY_ROOT, KV_HEADER_EXPIRY_FIRST, KV_EXPIRY_KEY_SIZE, KV_EXPIRY_KEY_SIZE, 0},
};
#define TREES (sizeof trees / sizeof trees[0])

enum phase {
    AUDIT_HEADER,
    AUDIT_CHANGES, /* those that are kept, in order */
    AUDIT_TREE,   /* of each tree, */
    AUDIT_RECORD, /* along KV_RECORD_FOLLOWING: the next record, */
    AUDIT_CHAIN,  /* and the cells of its chain */
    AUDIT_ORDER,  /* along it once more */
    AUDIT_FREE,   /* along the list of free cells */
    AUDIT_CELLS,  /* by number: those that may be in use, */
    AUDIT_REST,   /* and those that were never used */
    AUDIT_DONE
};

/* How far we are; all zeros at first. */
struct audit {
    const struct vstamp_pages *pages; /* of this call */
    enum phase phase;
    uint32_t tree;
    uint32_t begin, fresh; /* the cells between */
    uint64_t change, op;   /* where we are in the changes */
    uint32_t record, cell; /* where we are: what is looked at next */
    uint32_t last, n_left; /* of a chain: the cell before; of a list: how much there is to come */
    struct set cells;      /* in use or free */
    struct set all;        /* of which there are those */
    struct set records;    /* along KV_RECORD_FOLLOWING */
    struct set links;      /* of the tree */
    struct set expiries[TREES]; /* which record expires when, as either tree says (K5) */
    uint64_t n_keys, bytes;
    uint64_t steps; /* of walks in the tree */
    uint8_t key[KV_KEY_MAX], before[KV_KEY_MAX];
    uint32_t key_size, before_size;
};
_Static_assert(sizeof(struct audit) <= VSTAMP_AUDIT_BYTES, "it is kept where the caller says");

static void set_add_bytes(struct set *set, const uint8_t *member, size_t size)
{
    set->count++;
    set->sum += checksum64(member, size);
}

static void set_add(struct set *set, uint32_t member)
{
    uint8_t number[4];
    store_u32(number, member);
    set_add_bytes(set, number, sizeof number);
}

static bool set_equal(const struct set *a, const struct set *b)
{
    return a->count == b->count && a->sum == b->sum;
}

static bool is_cell(const struct audit *a, uint32_t cell)
{
    return cell >= a->begin && cell < a->fresh;
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

static uint32_t priority(const struct audit *a, uint32_t record)
{
    return kv_cell_get(a->pages, record, KV_RECORD_PRIORITY);
}

/* Pages that were never written are a store, too. */
static bool begin(struct audit *a)
{
    a->phase = AUDIT_REST;
    if (kv_cell_get(a->pages, 0, KV_HEADER_FORM) == 0) return true;
    if (!kv_store_has_header(a->pages)) return false;
    struct kv_changes c = kv_changes(a->pages);
    a->phase = AUDIT_CHANGES;
    a->begin = kv_cells_begin(a->pages);
    a->fresh = kv_cell_get(a->pages, 0, KV_HEADER_FRESH);
    a->change = c.begin;
    a->op = c.lost_op;
    return c.begin <= c.end && c.end - c.begin <= (uint64_t)c.n_pages * VSTAMP_PAGE_SIZE;
}

static bool look_at_change(struct audit *a)
{
    struct kv_changes c = kv_changes(a->pages);
    struct kv_change change;
    if (a->change == c.end) {
        a->phase = AUDIT_TREE;
        return true;
    }
    if (!kv_changes_look(a->pages, &c, a->change, &change, &a->change)) return false;
    if (change.op < a->op) return false;
    a->op = change.op;
    return true;
}

/* The next one, if there is one. */
static bool look_at_tree(struct audit *a)
{
    if (a->tree == TREES) {
        a->phase = AUDIT_FREE;
        a->cell = kv_cell_get(a->pages, 0, KV_HEADER_FREE);
        a->n_left = kv_cell_get(a->pages, 0, KV_HEADER_N_FREE);
        return set_equal(&a->expiries[0], &a->expiries[1]) &&
               a->n_keys == kv_store_n_keys(a->pages) && a->bytes == kv_store_bytes(a->pages);
    }
    uint32_t root = kv_cell_get(a->pages, 0, trees[a->tree].root);
    a->records = a->links = (struct set){0};
    a->before_size = 0;
    a->steps = 0;
    if (root != 0) set_add(&a->links, root);
    a->phase = AUDIT_RECORD;
    a->record = kv_cell_get(a->pages, 0, trees[a->tree].first);
    return true;
}

static bool list_ends(struct audit *a)
{
    a->phase = AUDIT_ORDER;
    a->record = kv_cell_get(a->pages, 0, trees[a->tree].first);
    return set_equal(&a->links, &a->records);
}

/* Of a chain whose sizes are known to be within their bounds. */
static uint64_t size_of_content(const struct audit *a)
{
    uint32_t value = kv_cell_get(a->pages, a->record, KV_RECORD_VALUE_SIZE);
    uint64_t expiry_size = (value & KV_RECORD_EXPIRES) != 0 ? 8 : 0;
    return (uint64_t)a->key_size + (value & ~KV_RECORD_EXPIRES) + expiry_size;
}

static bool look_at_record(struct audit *a)
{
    if (a->record == 0) return list_ends(a);
    if (!meet_cell(a, a->record)) return false;
    a->key_size = kv_store_key_size(a->pages, a->record);
    uint32_t value_size = kv_store_value_size(a->pages, a->record);
    if (a->key_size < trees[a->tree].key_size_min || a->key_size > trees[a->tree].key_size_max ||
        value_size > trees[a->tree].value_size_max)
        return false;
    a->phase = AUDIT_CHAIN;
    a->last = a->record;
    a->cell = kv_cell_get(a->pages, a->record, KV_CELL_NEXT);
    a->n_left = kv_chain_cells(size_of_content(a)) - 1;
    return true;
}

/* K2 */
static bool link_is_sound(struct audit *a, enum kv_cell_field side)
{
    uint32_t below = kv_cell_get(a->pages, a->record, side);
    if (below == 0) return true;
    if (!is_cell(a, below)) return false;
    set_add(&a->links, below);
    return priority(a, below) <= priority(a, a->record);
}

/* What a sound record says of when something expires.  The tree of expiries has just that as keys;
 * what it names need not be a record of the other one: then that other one does not name it. */
static bool note_expiry(struct audit *a)
{
    uint8_t text[KV_EXPIRY_KEY_SIZE];
    uint32_t value = kv_cell_get(a->pages, a->record, KV_RECORD_VALUE_SIZE);
    bool expires = (value & KV_RECORD_EXPIRES) != 0;
    if (a->tree > 0) {
        set_add_bytes(&a->expiries[a->tree], a->key, a->key_size);
        return !expires;
    }
    a->n_keys++;
    a->bytes += (uint64_t)a->key_size + (value & ~KV_RECORD_EXPIRES);
    if (!expires) return true;
    store_u64(text, __builtin_bswap64(kv_store_expiry(a->pages, a->record)));
    store_u32(text + 8, __builtin_bswap32(a->record));
    set_add_bytes(&a->expiries[0], text, sizeof text);
    return kv_store_expiry(a->pages, a->record) != 0;
}

/* K3, and K1 for what hangs directly: the rest is look_at_order's.  The key may be read since the
 * chain is known to be sound. */
static bool record_is_sound(struct audit *a)
{
    struct bytes key = {a->key, a->key_size}, before = {a->before, a->before_size};
    set_add(&a->records, a->record);
    kv_store_read_key(a->pages, a->record, a->key);
    if (priority(a, a->record) != kv_store_priority(a->pages, key)) return false;
    if (!link_is_sound(a, KV_RECORD_LEFT) || !link_is_sound(a, KV_RECORD_RIGHT)) return false;
    if (bytes_compare(before, key) >= 0) return false;
    memcpy(a->before, a->key, a->key_size);
    a->before_size = a->key_size;
    return note_expiry(a);
}

/* K4 */
static bool chain_ends(struct audit *a)
{
    if (a->cell != 0 || a->last != kv_cell_get(a->pages, a->record, KV_RECORD_TAIL)) return false;
    uint64_t size = size_of_content(a);
    uint64_t room = KV_FIRST_ROOM + (uint64_t)(kv_chain_cells(size) - 1) * KV_LATER_ROOM;
    size_t unused = (size_t)(room - size);
    if (!all_zeros(kv_cell(a->pages, a->last) + KV_CELL_SIZE - unused, unused)) return false;
    if (!record_is_sound(a)) return false;
    a->phase = AUDIT_RECORD;
    a->record = kv_store_following(a->pages, a->record);
    return true;
}

static bool look_at_chain(struct audit *a)
{
    if (a->n_left == 0) return chain_ends(a);
    if (!meet_cell(a, a->cell)) return false;
    a->n_left--;
    a->last = a->cell;
    a->cell = kv_cell_get(a->pages, a->cell, KV_CELL_NEXT);
    return true;
}

/* As far as it goes on this side; 0 if the walks together take longer than in any tree. */
static uint32_t outermost(struct audit *a, uint32_t record, enum kv_cell_field side)
{
    for (uint32_t next; (next = kv_cell_get(a->pages, record, side)) != 0; record = next)
        if (++a->steps > 2 * a->records.count) return 0;
    return record;
}

/* K1, when all links are known to be records. */
static bool look_at_order(struct audit *a)
{
    uint32_t record = a->record, next = record != 0 ? kv_store_following(a->pages, record) : 0;
    if (next == 0) {
        a->phase = AUDIT_TREE;
        a->tree++;
        return true;
    }
    uint32_t right = kv_cell_get(a->pages, record, KV_RECORD_RIGHT);
    uint32_t left = kv_cell_get(a->pages, next, KV_RECORD_LEFT);
    a->record = next;
    if (right != 0) return outermost(a, right, KV_RECORD_LEFT) == next;
    return left != 0 && outermost(a, left, KV_RECORD_RIGHT) == record;
}

static bool look_at_free(struct audit *a)
{
    if (a->n_left == 0) {
        uint32_t end = a->cell;
        a->phase = AUDIT_CELLS;
        a->cell = a->begin;
        return end == 0;
    }
    if (!meet_cell(a, a->cell)) return false;
    const uint8_t *at = kv_cell(a->pages, a->cell);
    a->n_left--;
    a->cell = kv_cell_get(a->pages, a->cell, KV_CELL_NEXT);
    return all_zeros(at + KV_LATER_HEAD, KV_LATER_ROOM);
}

static bool look_at_number(struct audit *a)
{
    if (a->cell < a->fresh) {
        set_add(&a->all, a->cell++);
        return true;
    }
    a->phase = AUDIT_REST;
    return set_equal(&a->cells, &a->all);
}

/* Cells never used are zeros, to the end of the pages in use. */
static bool look_at_rest(struct audit *a, uint32_t n_used)
{
    if (a->cell < (uint64_t)n_used * KV_CELLS_PER_PAGE)
        return all_zeros(kv_cell(a->pages, a->cell++), KV_CELL_SIZE);
    a->phase = AUDIT_DONE;
    return true;
}

static bool look(struct audit *a, uint32_t n_used)
{
    switch (a->phase) {
    case AUDIT_HEADER: return begin(a);
    case AUDIT_CHANGES: return look_at_change(a);
    case AUDIT_TREE: return look_at_tree(a);
    case AUDIT_RECORD: return look_at_record(a);
    case AUDIT_CHAIN: return look_at_chain(a);
    case AUDIT_ORDER: return look_at_order(a);
    case AUDIT_FREE: return look_at_free(a);
    case AUDIT_CELLS: return look_at_number(a);
    case AUDIT_REST: return look_at_rest(a, n_used);
    case AUDIT_DONE: break;
    }
    return true;
}

enum vstamp_audit kv_store_audit(const struct vstamp_pages *pages, uint32_t n_used, void *memory,
                                 uint32_t n_cells)
{
    struct audit *a = memory;
    a->pages = pages;
    for (; n_cells > 0 && a->phase != AUDIT_DONE; n_cells--)
        if (!look(a, n_used)) return VSTAMP_AUDIT_FAILS;
    return a->phase == AUDIT_DONE ? VSTAMP_AUDIT_PASSES : VSTAMP_AUDIT_GOES_ON;
}

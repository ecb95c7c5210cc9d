/* SPDX-License-Identifier: BSD-2-Clause */
/* Cells: the pages of the key-value store cut into pieces of 64 bytes, named by number.  Cell 0 is
 * the store's header; 0 is therefore also "no cell".  Bytes are kept in chains of cells, each
 * holding the number of the next; the first cell of a chain has a larger head of its own (store.h).
 *
 * Where changes are kept (changes.h) the first pages are theirs, and cells begin behind them.
 *
 *   any cell      0  next cell of the chain, or of the list of free cells
 *   a later cell  4  60 bytes of content
 *   a first cell  4  what store.c keeps there, 32  32 bytes of content
 *
 * Which cell is taken next depends on the operations executed so far and on nothing else, so that
 * equal histories give equal pages.  Free cells are zeros but for the link: what was deleted is
 * gone. */
#ifndef KV_CELLS_H
#define KV_CELLS_H

#include <vstamp/app.h>

#include "base/bytes.h"
#include "base/endian.h"

#define KV_CELL_SIZE 64u
#define KV_CELLS_PER_PAGE (VSTAMP_PAGE_SIZE / KV_CELL_SIZE)
#define KV_FIRST_HEAD 32u
#define KV_LATER_HEAD 4u
#define KV_FIRST_ROOM (KV_CELL_SIZE - KV_FIRST_HEAD)
#define KV_LATER_ROOM (KV_CELL_SIZE - KV_LATER_HEAD)

/* Places within a cell. */
enum kv_cell_field {
    KV_CELL_NEXT = 0,

    /* a first cell */
    KV_RECORD_LEFT = 4,       /* subtree of smaller keys */
    KV_RECORD_RIGHT = 8,      /* subtree of greater keys */
    KV_RECORD_FOLLOWING = 12, /* the next greater key */
    KV_RECORD_TAIL = 16,      /* last cell of the chain */
    KV_RECORD_VALUE_SIZE = 20, /* and KV_RECORD_EXPIRES */
    KV_RECORD_KEY_SIZE = 24,
    KV_RECORD_PRIORITY = 28,

    /* the header, cell 0 */
    KV_HEADER_FORM = 4,    /* KV_FORM, or 0 in a store that was never written */
    KV_HEADER_ROOT = 8,    /* of the tree of records */
    KV_HEADER_FIRST = 12,  /* the smallest key */
    KV_HEADER_FREE = 16,   /* the list of free cells */
    KV_HEADER_N_FREE = 20, /* its length */
    KV_HEADER_FRESH = 24,  /* the first cell that was never used */
    KV_HEADER_EXPIRY_ROOT = 28,  /* of the tree of expiries */
    KV_HEADER_N_KEYS = 32, /* u64 */
    KV_HEADER_BYTES = 40,  /* u64: of keys and values */
    KV_HEADER_SEED = 48,   /* u64: of the priorities */
    KV_HEADER_EXPIRY_FIRST = 56, /* what expires first */
    KV_HEADER_CHANGES = 60       /* pages behind this one that are no cells (changes.h) */
};

#define KV_RECORD_EXPIRES (UINT32_C(1) << 31) /* bit: the value is followed by its expiry, u64 */

static inline const uint8_t *kv_cell(const struct vstamp_pages *pages, uint32_t cell)
{
    return (const uint8_t *)vstamp_page_read(pages, cell / KV_CELLS_PER_PAGE) +
           cell % KV_CELLS_PER_PAGE * KV_CELL_SIZE;
}

/* To change it.  What kv_cell gave before is no longer valid. */
static inline uint8_t *kv_cell_change(struct vstamp_pages *pages, uint32_t cell)
{
    return (uint8_t *)vstamp_page_write(pages, cell / KV_CELLS_PER_PAGE) +
           cell % KV_CELLS_PER_PAGE * KV_CELL_SIZE;
}

static inline uint32_t kv_cell_get(const struct vstamp_pages *pages, uint32_t cell,
                                   enum kv_cell_field field)
{
    return load_u32(kv_cell(pages, cell) + field);
}

static inline void kv_cell_set(struct vstamp_pages *pages, uint32_t cell, enum kv_cell_field field,
                               uint32_t value)
{
    store_u32(kv_cell_change(pages, cell) + field, value);
}

/* How many cells a chain with that many bytes has; at least 1. */
uint32_t kv_chain_cells(uint64_t size);

/* The first cell that may be used. */
static inline uint32_t kv_cells_begin(const struct vstamp_pages *pages)
{
    uint32_t n_pages = kv_cell_get(pages, 0, KV_HEADER_CHANGES);
    return n_pages == 0 ? 1 : (n_pages + 1) * KV_CELLS_PER_PAGE;
}

/* How many cells there are.  Their numbers are 32 bits wide, which is enough for 256 GiB. */
uint32_t kv_cells_total(const struct vstamp_pages *pages);

/* How many cells may still be taken. */
uint32_t kv_cells_left(const struct vstamp_pages *pages);

/* A chain of `n` cells, n > 0, zeroed but for the links; *tail is its last cell.  There must be
 * room. */
uint32_t kv_chain_take(struct vstamp_pages *pages, uint32_t n, uint32_t *tail);

/* Give back a whole chain, from `cell` to its end. */
void kv_chain_give(struct vstamp_pages *pages, uint32_t cell);

/* A place in the content of a chain. */
struct kv_place {
    uint32_t cell;
    uint32_t offset; /* within the cell; at its end when the content goes on in the next one */
};

/* The place `skip` bytes behind the start of the chain whose first cell that is. */
struct kv_place kv_chain_seek(const struct vstamp_pages *pages, uint32_t first, uint64_t skip);

/* Move *place over `size` bytes while copying, comparing or changing them.  The chain must be long
 * enough.  Compare is as memcmp. */
void kv_chain_read(const struct vstamp_pages *pages, struct kv_place *place, uint8_t *to,
                   size_t size);
int kv_chain_compare(const struct vstamp_pages *pages, struct kv_place *place,
                     const uint8_t *with, size_t size);
void kv_chain_write(struct vstamp_pages *pages, struct kv_place *place, const uint8_t *from,
                    size_t size);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* Cells and chains of cells; cells.h draws them.
 *
 * Freed cells form a stack that keeps the order of a freed chain, so a record that is rewritten
 * finds its old cells again; only when the stack is empty are fresh cells opened, in rising order.
 * So the pages in use are as few as they can be, and the cells of a new record lie in a row. */
#include "kv/cells.h"

#include <string.h>

#include "base/assert.h"

uint32_t kv_chain_cells(uint64_t size)
{
    if (size <= KV_FIRST_ROOM) return 1;
    uint64_t cells = 1 + (size - KV_FIRST_ROOM + KV_LATER_ROOM - 1) / KV_LATER_ROOM;
    assert(cells <= UINT32_MAX);
    return (uint32_t)cells;
}

uint32_t kv_cells_total(const struct vstamp_pages *pages)
{
    uint64_t total = (uint64_t)vstamp_pages_max(pages) * KV_CELLS_PER_PAGE;
    return total < UINT32_MAX ? (uint32_t)total : UINT32_MAX;
}

uint32_t kv_cells_left(const struct vstamp_pages *pages)
{
    uint32_t fresh = kv_cell_get(pages, 0, KV_HEADER_FRESH);
    uint32_t total = kv_cells_total(pages);
    assert(fresh >= 1 && fresh <= total);
    return kv_cell_get(pages, 0, KV_HEADER_N_FREE) + (total - fresh);
}

/* Cut the first `n` cells off the stack of free ones: they are a chain already. */
static uint32_t take_freed(struct vstamp_pages *pages, uint32_t n, uint32_t *tail)
{
    uint32_t first = kv_cell_get(pages, 0, KV_HEADER_FREE);
    *tail = first;
    for (uint32_t i = 1; i < n; i++) *tail = kv_cell_get(pages, *tail, KV_CELL_NEXT);
    assert(first != 0 && *tail != 0);

    uint8_t *header = kv_cell_change(pages, 0);
    store_u32(header + KV_HEADER_FREE, kv_cell_get(pages, *tail, KV_CELL_NEXT));
    store_u32(header + KV_HEADER_N_FREE, load_u32(header + KV_HEADER_N_FREE) - n);
    kv_cell_set(pages, *tail, KV_CELL_NEXT, 0);
    return first;
}

static uint32_t take_fresh(struct vstamp_pages *pages, uint32_t n, uint32_t *tail)
{
    uint32_t first = kv_cell_get(pages, 0, KV_HEADER_FRESH);
    for (uint32_t i = 0; i + 1 < n; i++) {
        kv_cell_set(pages, first + i, KV_CELL_NEXT, first + i + 1);
    }
    kv_cell_set(pages, 0, KV_HEADER_FRESH, first + n);
    *tail = first + n - 1;
    return first;
}

uint32_t kv_chain_take(struct vstamp_pages *pages, uint32_t n, uint32_t *tail)
{
    assert(n > 0 && n <= kv_cells_left(pages));
    uint32_t n_free = kv_cell_get(pages, 0, KV_HEADER_N_FREE);
    uint32_t n_freed = n < n_free ? n : n_free;
    if (n_freed == 0) return take_fresh(pages, n, tail);

    uint32_t first = take_freed(pages, n_freed, tail);
    if (n_freed < n) {
        uint32_t joint = *tail;
        kv_cell_set(pages, joint, KV_CELL_NEXT, take_fresh(pages, n - n_freed, tail));
    }
    return first;
}

void kv_chain_give(struct vstamp_pages *pages, uint32_t cell)
{
    uint32_t first = cell;
    uint32_t n = 0;
    uint8_t *at = NULL;
    for (; cell != 0; cell = load_u32(at + KV_CELL_NEXT)) {
        at = kv_cell_change(pages, cell);
        memset(at + KV_LATER_HEAD, 0, KV_LATER_ROOM);
        n++;
    }
    assert(n > 0);
    uint8_t *header = kv_cell_change(pages, 0);
    store_u32(at + KV_CELL_NEXT, load_u32(header + KV_HEADER_FREE));
    store_u32(header + KV_HEADER_FREE, first);
    store_u32(header + KV_HEADER_N_FREE, load_u32(header + KV_HEADER_N_FREE) + n);
}

struct kv_place kv_chain_seek(const struct vstamp_pages *pages, uint32_t first, uint64_t skip)
{
    struct kv_place place = {.cell = first, .offset = KV_FIRST_HEAD};
    while (skip > KV_CELL_SIZE - place.offset) {
        skip -= KV_CELL_SIZE - place.offset;
        place = (struct kv_place){kv_cell_get(pages, place.cell, KV_CELL_NEXT), KV_LATER_HEAD};
        assert(place.cell != 0);
    }
    place.offset += (uint32_t)skip;
    return place;
}

/* How much of `size` bytes lies in one piece at *place, after moving it to the next cell if this
 * one is used up. */
static uint32_t piece(const struct vstamp_pages *pages, struct kv_place *place, size_t size)
{
    if (place->offset == KV_CELL_SIZE) {
        place->cell = kv_cell_get(pages, place->cell, KV_CELL_NEXT);
        place->offset = KV_LATER_HEAD;
        assert(place->cell != 0);
    }
    uint32_t room = KV_CELL_SIZE - place->offset;
    return size < room ? (uint32_t)size : room;
}

void kv_chain_read(const struct vstamp_pages *pages, struct kv_place *place, uint8_t *to,
                   size_t size)
{
    while (size > 0) {
        uint32_t n = piece(pages, place, size);
        memcpy(to, kv_cell(pages, place->cell) + place->offset, n);
        place->offset += n;
        to += n;
        size -= n;
    }
}

int kv_chain_compare(const struct vstamp_pages *pages, struct kv_place *place,
                     const uint8_t *with, size_t size)
{
    while (size > 0) {
        uint32_t n = piece(pages, place, size);
        int order = memcmp(kv_cell(pages, place->cell) + place->offset, with, n);
        if (order != 0) return order;
        place->offset += n;
        with += n;
        size -= n;
    }
    return 0;
}

void kv_chain_write(struct vstamp_pages *pages, struct kv_place *place, const uint8_t *from,
                    size_t size)
{
    uint32_t page = UINT32_MAX; /* that may be changed: cells of a chain are mostly neighbours */
    uint8_t *content = NULL;
    while (size > 0) {
        uint32_t n = piece(pages, place, size);
        if (place->cell / KV_CELLS_PER_PAGE != page) {
            page = place->cell / KV_CELLS_PER_PAGE;
            content = vstamp_page_write(pages, page);
        }
        memcpy(content + place->cell % KV_CELLS_PER_PAGE * KV_CELL_SIZE + place->offset, from, n);
        place->offset += n;
        from += n;
        size -= n;
    }
}

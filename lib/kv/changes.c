/* SPDX-License-Identifier: BSD-2-Clause */
#include "kv/changes.h"

#include <string.h>

#include "base/assert.h"
#include "kv/cells.h"

#define HEAD_SIZE 16u
#define PAGES_IN_STATE 64u /* one page of so many, */

enum field { BEGIN = KV_CELL_SIZE, END = BEGIN + 8, LOST = BEGIN + 16 };

uint32_t kv_changes_pages(const struct vstamp_pages *pages)
{
    uint32_t n = vstamp_pages_max(pages) / PAGES_IN_STATE;
    return n < KV_CHANGES_PAGES_MAX ? n : KV_CHANGES_PAGES_MAX; /* and no more than these */
}

struct kv_changes kv_changes(const struct vstamp_pages *pages)
{
    const uint8_t *page = vstamp_page_read(pages, 0);
    uint32_t n_pages = load_u32(page + KV_HEADER_CHANGES);
    if (n_pages == 0) return (struct kv_changes){0};
    return (struct kv_changes){load_u64(page + BEGIN), load_u64(page + END),
                               load_u64(page + LOST), n_pages};
}

static uint64_t ring_size(const struct kv_changes *c)
{
    return (uint64_t)c->n_pages * VSTAMP_PAGE_SIZE;
}

/* How much of `size` bytes from a place on lies in one page, and where. */
static uint32_t piece(const struct kv_changes *c, uint64_t place, size_t size, uint32_t *page,
                      uint32_t *offset)
{
    uint64_t at = place % ring_size(c);
    *page = 1 + (uint32_t)(at / VSTAMP_PAGE_SIZE);
    *offset = (uint32_t)(at % VSTAMP_PAGE_SIZE);
    uint32_t room = VSTAMP_PAGE_SIZE - *offset;
    return size < room ? (uint32_t)size : room;
}

static void read_at(const struct vstamp_pages *pages, const struct kv_changes *c, uint64_t place,
                    uint8_t *to, size_t size)
{
    while (size > 0) {
        uint32_t page, offset, n = piece(c, place, size, &page, &offset);
        memcpy(to, (const uint8_t *)vstamp_page_read(pages, page) + offset, n);
        place += n;
        to += n;
        size -= n;
    }
}

static void write_at(struct vstamp_pages *pages, const struct kv_changes *c, uint64_t place,
                     struct bytes from)
{
    while (from.size > 0) {
        uint32_t page, offset, n = piece(c, place, from.size, &page, &offset);
        memcpy((uint8_t *)vstamp_page_write(pages, page) + offset, from.data, n);
        place += n;
        from = (struct bytes){from.data + n, from.size - n};
    }
}

bool kv_changes_look(const struct vstamp_pages *pages, const struct kv_changes *c, uint64_t place,
                     struct kv_change *change, uint64_t *next)
{
    uint8_t head[HEAD_SIZE];
    if (place < c->begin || place > c->end || c->end - place < HEAD_SIZE) return false;
    read_at(pages, c, place, head, sizeof head);
    *change = (struct kv_change){.op = load_u64(head),
                                 .what = (enum kv_what)head[8],
                                 .omitted = head[9] != 0,
                                 .key.size = (size_t)(head[10] | head[11] << 8),
                                 .value.size = load_u32(head + 12)};
    uint64_t size = HEAD_SIZE + change->key.size + (change->omitted ? 0 : change->value.size);
    *next = place + size;
    return head[9] <= 1 && change->what >= KV_WHAT_PUT && change->what <= KV_WHAT_APPEND &&
           change->key.size > 0 && change->key.size <= KV_KEY_MAX &&
           change->value.size <= KV_VALUE_MAX && size <= c->end - place;
}

void kv_changes_read_key(const struct vstamp_pages *pages, const struct kv_changes *c,
                         uint64_t place, const struct kv_change *change, uint8_t *to)
{
    read_at(pages, c, place + HEAD_SIZE, to, change->key.size);
}

void kv_changes_read_value(const struct vstamp_pages *pages, const struct kv_changes *c,
                           uint64_t place, const struct kv_change *change, uint8_t *to)
{
    read_at(pages, c, place + HEAD_SIZE + change->key.size, to, change->value.size);
}

/* Let go of the oldest changes, until there is room for so many bytes. */
static void make_room(const struct vstamp_pages *pages, struct kv_changes *c, uint64_t size)
{
    while (c->end + size - c->begin > ring_size(c)) {
        struct kv_change oldest;
        uint64_t next;
        bool sound = kv_changes_look(pages, c, c->begin, &oldest, &next);
        assert(sound); /* sound.c */
        c->begin = next;
        c->lost_op = oldest.op;
    }
}

void kv_changes_note(struct vstamp_pages *pages, uint64_t op, enum kv_what what, struct bytes key,
                     struct bytes value)
{
    struct kv_changes c = kv_changes(pages);
    uint8_t head[HEAD_SIZE];
    if (c.n_pages == 0) return;
    bool omitted = value.size > ring_size(&c) / 8;
    store_u64(head, op);
    head[8] = (uint8_t)what;
    head[9] = omitted;
    head[10] = (uint8_t)key.size;
    head[11] = (uint8_t)(key.size >> 8);
    store_u32(head + 12, (uint32_t)value.size);
    if (omitted) value.size = 0;
    size_t size = HEAD_SIZE + key.size + value.size;
    make_room(pages, &c, size);
    uint32_t number, offset;
    if (piece(&c, c.end, size, &number, &offset) == size) { /* as mostly: it is written at once */
        uint8_t *at = (uint8_t *)vstamp_page_write(pages, number) + offset;
        memcpy(at, head, HEAD_SIZE);
        memcpy(at + HEAD_SIZE, key.data, key.size);
        if (value.size > 0) memcpy(at + HEAD_SIZE + key.size, value.data, value.size);
    } else {
        write_at(pages, &c, c.end, (struct bytes){head, HEAD_SIZE});
        write_at(pages, &c, c.end + HEAD_SIZE, key);
        write_at(pages, &c, c.end + HEAD_SIZE + key.size, value);
    }
    uint8_t *page = vstamp_page_write(pages, 0);
    store_u64(page + BEGIN, c.begin);
    store_u64(page + END, c.end + size);
    store_u64(page + LOST, c.lost_op);
}
_Static_assert(HEAD_SIZE + KV_KEY_MAX + VSTAMP_PAGE_SIZE / 8 <= VSTAMP_PAGE_SIZE,
               "the largest change fits into the smallest ring");

/* SPDX-License-Identifier: BSD-2-Clause */
/* The cursors.  Every step goes through take() or room(): these two compare against what is left,
 * nothing else moves a pointer. */
#include "base/bytes.h"

#include <string.h>

#include "base/endian.h"

struct reader reader_over(const void *data, size_t size)
{
    return (struct reader){.at = data, .left = size, .ok = true};
}

/* The next `size` bytes, or NULL, from then on for ever. */
static const uint8_t *take(struct reader *r, size_t size)
{
    if (!r->ok || size > r->left) {
        r->ok = false;
        return NULL;
    }
    const uint8_t *at = r->at;
    if (size > 0) r->at += size; /* an empty source may be NULL, which must not be added to */
    r->left -= size;
    return at;
}

uint8_t read_u8(struct reader *r)
{
    const uint8_t *at = take(r, 1);
    return at != NULL ? *at : 0;
}

uint16_t read_u16(struct reader *r)
{
    const uint8_t *at = take(r, 2);
    return at != NULL ? load_u16(at) : 0;
}

uint32_t read_u32(struct reader *r)
{
    const uint8_t *at = take(r, 4);
    return at != NULL ? load_u32(at) : 0;
}

uint64_t read_u64(struct reader *r)
{
    const uint8_t *at = take(r, 8);
    return at != NULL ? load_u64(at) : 0;
}

struct vstamp_id read_id(struct reader *r)
{
    const uint8_t *at = take(r, 16);
    if (at == NULL) return (struct vstamp_id){0};
    return (struct vstamp_id){.lo = load_u64(at), .hi = load_u64(at + 8)};
}

struct bytes read_raw(struct reader *r, size_t size)
{
    const uint8_t *at = take(r, size);
    return r->ok ? (struct bytes){at, size} : (struct bytes){NULL, 0};
}

struct bytes read_bytes(struct reader *r)
{
    return read_raw(r, read_u32(r));
}

bool reader_done(const struct reader *r)
{
    return r->ok && r->left == 0;
}

struct writer writer_over(void *data, size_t capacity)
{
    return (struct writer){.start = data, .capacity = capacity, .ok = true};
}

/* Where the next `size` bytes go, or NULL, from then on for ever. */
static uint8_t *room(struct writer *w, size_t size)
{
    if (!w->ok || size > w->capacity - w->size) {
        w->ok = false;
        return NULL;
    }
    uint8_t *at = w->start + w->size;
    w->size += size;
    return at;
}

void write_u8(struct writer *w, uint8_t v)
{
    uint8_t *at = room(w, 1);
    if (at != NULL) *at = v;
}

void write_u16(struct writer *w, uint16_t v)
{
    uint8_t *at = room(w, 2);
    if (at != NULL) store_u16(at, v);
}

void write_u32(struct writer *w, uint32_t v)
{
    uint8_t *at = room(w, 4);
    if (at != NULL) store_u32(at, v);
}

void write_u64(struct writer *w, uint64_t v)
{
    uint8_t *at = room(w, 8);
    if (at != NULL) store_u64(at, v);
}

void write_id(struct writer *w, struct vstamp_id v)
{
    write_u64(w, v.lo);
    write_u64(w, v.hi);
}

void write_raw(struct writer *w, const void *data, size_t size)
{
    if (size == 0) return; /* memcpy wants pointers even for nothing */
    uint8_t *at = room(w, size);
    if (at != NULL) memcpy(at, data, size);
}

void write_bytes(struct writer *w, struct bytes v)
{
    if (v.size > UINT32_MAX) {
        w->ok = false;
        return;
    }
    write_u32(w, (uint32_t)v.size);
    write_raw(w, v.data, v.size);
}

bool bytes_equal(struct bytes a, struct bytes b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

int bytes_compare(struct bytes a, struct bytes b)
{
    size_t shorter = a.size < b.size ? a.size : b.size;
    int order = shorter == 0 ? 0 : memcmp(a.data, b.data, shorter);
    if (order != 0) return order;
    return a.size < b.size ? -1 : a.size > b.size;
}

struct bytes bytes_of(const char *text)
{
    return (struct bytes){(const uint8_t *)text, strlen(text)};
}

size_t size_add(size_t a, size_t b)
{
    return a > SIZE_MAX - b ? SIZE_MAX : a + b;
}

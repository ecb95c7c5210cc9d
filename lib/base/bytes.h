/* SPDX-License-Identifier: BSD-2-Clause */
/* Bounded little-endian cursors: the only code that turns untrusted bytes into numbers.
 * Both cursors are sticky: after the first step beyond the end, `ok` stays false, reads give zero
 * and writes do nothing, so a caller checks once, at the end.
 *
 * Every step goes through reader_take or writer_room: these two compare against what is left,
 * nothing else moves a pointer.  Numbers are read and written inline, since the codec does little
 * else. */
#ifndef BASE_BYTES_H
#define BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <vstamp/id.h>

#include "base/endian.h"

/* Bytes that belong to somebody else. */
struct bytes {
    const uint8_t *data;
    size_t size;
};

struct reader {
    const uint8_t *at;
    size_t left;
    bool ok;
};

struct writer {
    uint8_t *start;
    size_t capacity;
    size_t size; /* written so far */
    bool ok;
};

static inline struct reader reader_over(const void *data, size_t size)
{
    return (struct reader){.at = data, .left = size, .ok = true};
}

/* The next `size` bytes, or NULL, from then on for ever. */
static inline const uint8_t *reader_take(struct reader *r, size_t size)
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

static inline uint8_t read_u8(struct reader *r)
{
    const uint8_t *at = reader_take(r, 1);
    return at != NULL ? *at : 0;
}

static inline uint16_t read_u16(struct reader *r)
{
    const uint8_t *at = reader_take(r, 2);
    return at != NULL ? load_u16(at) : 0;
}

static inline uint32_t read_u32(struct reader *r)
{
    const uint8_t *at = reader_take(r, 4);
    return at != NULL ? load_u32(at) : 0;
}

static inline uint64_t read_u64(struct reader *r)
{
    const uint8_t *at = reader_take(r, 8);
    return at != NULL ? load_u64(at) : 0;
}

static inline struct vstamp_id read_id(struct reader *r)
{
    const uint8_t *at = reader_take(r, 16);
    if (at == NULL) return (struct vstamp_id){0};
    return (struct vstamp_id){.lo = load_u64(at), .hi = load_u64(at + 8)};
}

/* These point into the source. */
static inline struct bytes read_raw(struct reader *r, size_t size)
{
    const uint8_t *at = reader_take(r, size);
    return r->ok ? (struct bytes){at, size} : (struct bytes){NULL, 0};
}

static inline struct bytes read_bytes(struct reader *r) /* u32 length, then that many */
{
    return read_raw(r, read_u32(r));
}

static inline bool reader_done(const struct reader *r)
{
    return r->ok && r->left == 0;
}

static inline struct writer writer_over(void *data, size_t capacity)
{
    return (struct writer){.start = data, .capacity = capacity, .ok = true};
}

/* Where the next `size` bytes go, or NULL, from then on for ever. */
static inline uint8_t *writer_room(struct writer *w, size_t size)
{
    if (!w->ok || size > w->capacity - w->size) {
        w->ok = false;
        return NULL;
    }
    uint8_t *at = w->start + w->size;
    w->size += size;
    return at;
}

static inline void write_u8(struct writer *w, uint8_t v)
{
    uint8_t *at = writer_room(w, 1);
    if (at != NULL) *at = v;
}

static inline void write_u16(struct writer *w, uint16_t v)
{
    uint8_t *at = writer_room(w, 2);
    if (at != NULL) store_u16(at, v);
}

static inline void write_u32(struct writer *w, uint32_t v)
{
    uint8_t *at = writer_room(w, 4);
    if (at != NULL) store_u32(at, v);
}

static inline void write_u64(struct writer *w, uint64_t v)
{
    uint8_t *at = writer_room(w, 8);
    if (at != NULL) store_u64(at, v);
}

static inline void write_id(struct writer *w, struct vstamp_id v)
{
    write_u64(w, v.lo);
    write_u64(w, v.hi);
}

static inline void write_raw(struct writer *w, const void *data, size_t size)
{
    if (size == 0) return; /* memcpy wants pointers even for nothing */
    uint8_t *at = writer_room(w, size);
    if (at != NULL) memcpy(at, data, size);
}

static inline void write_bytes(struct writer *w, struct bytes v) /* u32 length, then the bytes */
{
    if (v.size > UINT32_MAX) {
        w->ok = false;
        return;
    }
    write_u32(w, (uint32_t)v.size);
    write_raw(w, v.data, v.size);
}

bool bytes_equal(struct bytes a, struct bytes b);
int bytes_compare(struct bytes a, struct bytes b); /* as memcmp; a prefix is smaller */
struct bytes bytes_of(const char *text);           /* without the final NUL */

/* a + b, or SIZE_MAX where that is more than a size_t holds. */
static inline size_t size_add(size_t a, size_t b)
{
    return a > SIZE_MAX - b ? SIZE_MAX : a + b;
}

#endif

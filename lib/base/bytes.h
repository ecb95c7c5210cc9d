/* SPDX-License-Identifier: BSD-2-Clause */
/* Bounded little-endian cursors: the only code that turns untrusted bytes into numbers.
 * Both cursors are sticky: after the first step beyond the end, `ok` stays false, reads give zero
 * and writes do nothing, so a caller checks once, at the end. */
#ifndef BASE_BYTES_H
#define BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <vstamp/id.h>

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

struct reader reader_over(const void *data, size_t size);
uint8_t read_u8(struct reader *r);
uint16_t read_u16(struct reader *r);
uint32_t read_u32(struct reader *r);
uint64_t read_u64(struct reader *r);
struct vstamp_id read_id(struct reader *r);
struct bytes read_raw(struct reader *r, size_t size); /* points into the source */
struct bytes read_bytes(struct reader *r);            /* u32 length, then that many */
bool reader_done(const struct reader *r);             /* ok, and nothing left */

struct writer writer_over(void *data, size_t capacity);
void write_u8(struct writer *w, uint8_t v);
void write_u16(struct writer *w, uint16_t v);
void write_u32(struct writer *w, uint32_t v);
void write_u64(struct writer *w, uint64_t v);
void write_id(struct writer *w, struct vstamp_id v);
void write_raw(struct writer *w, const void *data, size_t size);
void write_bytes(struct writer *w, struct bytes v); /* u32 length, then the bytes */

bool bytes_equal(struct bytes a, struct bytes b);
int bytes_compare(struct bytes a, struct bytes b); /* as memcmp; a prefix is smaller */
struct bytes bytes_of(const char *text);           /* without the final NUL */

/* a + b, or SIZE_MAX where that is more than a size_t holds. */
size_t size_add(size_t a, size_t b);

#endif

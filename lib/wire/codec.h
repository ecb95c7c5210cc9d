/* SPDX-License-Identifier: BSD-2-Clause */
/* Size, encode and decode (schema.h has what of).  Integers are little-endian, bytes
 * and lists start with a u32 count.  Decoding consumes its input exactly, or fails. */
#ifndef WIRE_CODEC_H
#define WIRE_CODEC_H

#include "wire/schema.h"

#define WIRE_WHOLE UINT8_MAX /* in place of a version: with all fields, as what is in no frame */

/* Bytes that encoding `message` takes; maybe more than a frame holds (the caller checks). */
size_t wire_size(const struct wire_shape *shape, const void *message);

/* Append the encoding; running out of room makes w->ok false. */
void wire_encode(const struct wire_shape *shape, const void *message, struct writer *w);

/* Fill the struct `message` (shape->size bytes).  0, VSTAMP_E_TRUNCATED or VSTAMP_E_MALFORMED.
 * Nothing is copied or allocated; on an error the struct's content means nothing. */
int wire_decode(const struct wire_shape *shape, struct bytes body, void *message);
int wire_decode_in(const struct wire_shape *shape, uint8_t version, struct bytes body,
                   void *message); /* which is in that version */

/* The same for a record at the front of a reader, which is advanced; used by lists and journals. */
int wire_decode_next(const struct wire_shape *shape, struct reader *r, void *record);

/* Building a list: wire_list_begin over a buffer, wire_list_add per record (false: no room left,
 * the list is as before), then the list points into that buffer. */
struct wire_list_builder {
    const struct wire_shape *record;
    struct writer writer;
    uint32_t count;
};
void wire_list_begin(struct wire_list_builder *b, const struct wire_shape *record, void *buffer,
                     size_t capacity);
bool wire_list_add(struct wire_list_builder *b, const void *record);
struct wire_list wire_list_end(const struct wire_list_builder *b);

/* Walking a list that wire_decode accepted or a builder made: `r` starts with wire_list_start and
 * yields list->count records. */
struct reader wire_list_start(const struct wire_list *list);
void wire_list_next(const struct wire_shape *record, struct reader *r, void *out);

#endif

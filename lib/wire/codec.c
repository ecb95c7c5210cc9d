/* SPDX-License-Identifier: BSD-2-Clause */
/* To write and to read is a function for each record and message (coding.def); how large one is, a
 * loop over its field table.
 *
 * What comes from outside decides how long that takes, never how deep it goes: a shape refers only
 * to shapes that stand before it in messages.def, so the functions call each other at most as deep
 * as that file nests (list of entry, entry, entry_header); test_codec.c checks that. */
#include "wire/codec.h"

#include <vstamp/error.h>

#include "base/assert.h"

/* Room for any record, for walking a list whose records nobody asked to see. */
union any_record {
#define RECORD_BEGIN(name, text) struct wire_##name name;
#include "wire/messages.def"
};

/* What a field takes at least: lists and bytes their count, nested records are counted apart. */
static const uint8_t size_of_kind[] = {
    [WIRE_U8] = 1,  [WIRE_U16] = 2,   [WIRE_U32] = 4,  [WIRE_U64] = 8,
    [WIRE_ID] = 16, [WIRE_BYTES] = 4, [WIRE_NEST] = 0, [WIRE_LIST] = 4,
};

/* The fewest bytes an encoding of this shape can take: all its lists and bytes empty.  *exact stays
 * true if it has none, so that all its encodings take as many. */
static size_t size_min(const struct wire_shape *shape, bool *exact)
{
    size_t size = 0;
    for (size_t i = 0; i < shape->n_fields; i++) {
        const struct wire_field *f = &shape->fields[i];
        size += f->kind == WIRE_NEST ? size_min(f->record, exact) : size_of_kind[f->kind];
        if (f->kind == WIRE_BYTES || f->kind == WIRE_LIST) *exact = false;
    }
    return size;
}

size_t wire_size(const struct wire_shape *shape, const void *message)
{
    size_t size = 0;
    for (size_t i = 0; i < shape->n_fields; i++) {
        const struct wire_field *f = &shape->fields[i];
        const void *at = (const uint8_t *)message + f->offset;
        size_t more = 0;
        if (f->kind == WIRE_BYTES) more = ((const struct bytes *)at)->size;
        if (f->kind == WIRE_LIST) more = ((const struct wire_list *)at)->encoded.size;
        if (f->kind == WIRE_NEST) more = wire_size(f->record, at);
        size = size_add(size, size_add(size_of_kind[f->kind], more));
    }
    return size;
}

static void write_list(struct writer *w, const struct wire_list *list)
{
    write_u32(w, list->count);
    write_raw(w, list->encoded.data, list->encoded.size);
}

/* Walks the whole list, so that those who use it later meet no surprise; records that are all of
 * one size hold none. */
static struct wire_list read_list(const struct wire_shape *record, struct reader *r)
{
    struct wire_list list = {.count = read_u32(r)};
    bool exact = true;
    size_t each = size_min(record, &exact);
    if (list.count > r->left / each) { /* it cannot be true: no work for it */
        r->ok = false;
        return list;
    }
    if (exact) {
        list.encoded = read_raw(r, list.count * each);
        return list;
    }
    list.encoded.data = r->at;
    size_t left = r->left;
    for (uint32_t i = 0; i < list.count && r->ok; i++) {
        union any_record skipped;
        record->decode(&skipped, r, WIRE_WHOLE);
    }
    list.encoded.size = left - r->left;
    return list;
}

#define WIRE_MESSAGES "wire/messages.def"
#include "wire/coding.def"

void wire_encode(const struct wire_shape *shape, const void *message, struct writer *w)
{
    shape->encode(message, w, WIRE_WHOLE);
}

int wire_decode_next(const struct wire_shape *shape, struct reader *r, void *record)
{
    shape->decode(record, r, WIRE_WHOLE);
    return r->ok ? 0 : VSTAMP_E_TRUNCATED;
}

int wire_decode_in(const struct wire_shape *shape, uint8_t version, struct bytes body,
                   void *message)
{
    struct reader r = reader_over(body.data, body.size);
    shape->decode(message, &r, version);
    if (!r.ok) return VSTAMP_E_TRUNCATED;
    return reader_done(&r) ? 0 : VSTAMP_E_MALFORMED; /* there may be bytes that no field claims */
}

int wire_decode(const struct wire_shape *shape, struct bytes body, void *message)
{
    return wire_decode_in(shape, WIRE_WHOLE, body, message);
}

void wire_list_begin(struct wire_list_builder *b, const struct wire_shape *record, void *buffer,
                     size_t capacity)
{
    *b = (struct wire_list_builder){.record = record, .writer = writer_over(buffer, capacity)};
}

bool wire_list_add(struct wire_list_builder *b, const void *record)
{
    assert(b->writer.ok);
    if (b->count == UINT32_MAX) return false;
    size_t before = b->writer.size;
    wire_encode(b->record, record, &b->writer);
    if (!b->writer.ok) {
        b->writer.size = before;
        b->writer.ok = true;
        return false;
    }
    b->count++;
    return true;
}

struct wire_list wire_list_end(const struct wire_list_builder *b)
{
    return (struct wire_list){.count = b->count, .encoded = {b->writer.start, b->writer.size}};
}

struct reader wire_list_start(const struct wire_list *list)
{
    return reader_over(list->encoded.data, list->encoded.size);
}

void wire_list_next(const struct wire_shape *record, struct reader *r, void *out)
{
    record->decode(out, r, WIRE_WHOLE);
    assert(r->ok); /* the list was walked when it was decoded, or built by us */
}

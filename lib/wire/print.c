/* SPDX-License-Identifier: BSD-2-Clause */
/* A message as one line.  Numbers in decimal, ids in hexadecimal (0 for zero), bytes as their
 * length, a record in braces, a list in brackets; a record of one field shows just its value:
 *
 *   do_view_change from=1 view=4 log_view=3 op=9 commit=8 crash_vector=[0 1] headers=[]
 *
 * The epoch is shown once it is not the first.  Nothing is printed that comes from outside as text,
 * so a line is always one line. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/assert.h"
#include "wire/frame.h"

struct line {
    char *at;
    size_t left; /* with the NUL */
};

__attribute__((format(printf, 2, 3))) static void put(struct line *l, const char *format, ...)
{
    if (l->left <= 1) return; /* full: the text is cut here */
    va_list args;
    va_start(args, format);
    int n = vsnprintf(l->at, l->left, format, args);
    va_end(args);
    assert(n >= 0);
    size_t written = (size_t)n < l->left ? (size_t)n : l->left - 1;
    l->at += written;
    l->left -= written;
}

static void put_id(struct line *l, struct vstamp_id id)
{
    if (vstamp_id_is_zero(id)) {
        put(l, "0");
    } else {
        put(l, "%016" PRIx64 "%016" PRIx64, id.hi, id.lo);
    }
}

static void put_fields(struct line *l, const struct wire_shape *shape, const void *record);

static void put_record(struct line *l, const struct wire_shape *shape, const void *record);

static void put_list(struct line *l, const struct wire_shape *shape, const struct wire_list *list)
{
    struct reader r = wire_list_start(list);
    put(l, "[");
    for (uint32_t i = 0; i < list->count && l->left > 1; i++) {
        struct wire_message any; /* no record is larger than the messages' union */
        assert(shape->size <= sizeof any.as);
        wire_list_next(shape, &r, &any.as);
        if (i > 0) put(l, " ");
        put_record(l, shape, &any.as);
    }
    put(l, "]");
}

static void put_value(struct line *l, const struct wire_field *f, const void *record)
{
    const void *at = (const uint8_t *)record + f->offset;
    switch (f->kind) {
    case WIRE_U8: put(l, "%" PRIu8, *(const uint8_t *)at); break;
    case WIRE_U16: put(l, "%" PRIu16, *(const uint16_t *)at); break;
    case WIRE_U32: put(l, "%" PRIu32, *(const uint32_t *)at); break;
    case WIRE_U64: put(l, "%" PRIu64, *(const uint64_t *)at); break;
    case WIRE_ID: put_id(l, *(const struct vstamp_id *)at); break;
    case WIRE_BYTES: put(l, "%zuB", ((const struct bytes *)at)->size); break;
    case WIRE_NEST: put_record(l, f->record, at); break;
    case WIRE_LIST: put_list(l, f->record, at); break;
    }
}

static void put_record(struct line *l, const struct wire_shape *shape, const void *record)
{
    if (shape->n_fields == 1) {
        put_value(l, &shape->fields[0], record);
        return;
    }
    put(l, "{");
    put_fields(l, shape, record);
    put(l, "}");
}

static void put_fields(struct line *l, const struct wire_shape *shape, const void *record)
{
    for (size_t i = 0; i < shape->n_fields; i++) {
        if (i > 0) put(l, " ");
        put(l, "%s=", shape->fields[i].name);
        put_value(l, &shape->fields[i], record);
    }
}

void wire_print(const struct wire_message *message, char *text, size_t size)
{
    assert(size > 0);
    text[0] = '\0';
    struct line l = {text, size};
    const struct wire_header *h = &message->header;
    if (h->sender == WIRE_SENDER_CLIENT) {
        put(&l, "%s from=client", message->shape->name);
    } else {
        put(&l, "%s from=%" PRIu32, message->shape->name, h->sender);
    }
    if (h->epoch != 0) put(&l, " epoch=%" PRIu32, h->epoch);
    put(&l, " view=%" PRIu64 " ", h->view);
    put_fields(&l, message->shape, &message->as);
}

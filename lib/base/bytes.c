/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/bytes.h"

#include <string.h>

void write_raw(struct writer *w, const void *data, size_t size)
{
    if (size == 0) return; /* memcpy wants pointers even for nothing */
    uint8_t *at = writer_room(w, size);
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

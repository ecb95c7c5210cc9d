/* SPDX-License-Identifier: BSD-2-Clause */
#include "replica/buffer.h"

#include <stdlib.h>
#include <string.h>

bool buffer_reserve(struct buffer *b, size_t capacity)
{
    if (capacity <= b->capacity) return true;
    uint8_t *data = realloc(b->data, capacity);
    if (data == NULL) return false;
    b->data = data;
    b->capacity = capacity;
    return true;
}

bool buffer_append(struct buffer *b, const void *data, size_t size)
{
    size_t needed = b->size + size;

    if (needed > b->capacity &&
        !buffer_reserve(b, needed < 2 * b->capacity ? 2 * b->capacity : needed))
        return false;
    if (size > 0) memcpy(b->data + b->size, data, size);
    b->size = needed;
    return true;
}

void buffer_release(struct buffer *b)
{
    free(b->data);
    *b = (struct buffer){0};
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* Bytes of one's own that grow as far as memory does.  Begins as {0}. */
#ifndef REPLICA_BUFFER_H
#define REPLICA_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buffer {
    uint8_t *data;
    size_t size, capacity;
};

/* False: memory is out, and nothing has changed. */
bool buffer_reserve(struct buffer *b, size_t capacity);
bool buffer_append(struct buffer *b, const void *data, size_t size);

void buffer_release(struct buffer *b);

#endif

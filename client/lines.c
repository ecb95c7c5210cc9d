/* SPDX-License-Identifier: BSD-2-Clause */
#include <config.h>

#include "client/lines.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <vstamp/error.h>

#include "client/memory.h"

#define READ_BYTES (256u << 10)

bool lines_ready(struct lines *l)
{
    if (l->looked < l->used) l->looked = l->used;
    if (l->looked < l->size) {
        const uint8_t *end = memchr(l->text + l->looked, '\n', l->size - l->looked);
        l->looked = end != NULL ? (size_t)(end - l->text) : l->size;
    }
    return l->looked < l->size || (l->ended && l->used < l->size);
}

struct bytes lines_take(struct lines *l)
{
    const uint8_t *start = l->text + l->used;
    bool whole = lines_ready(l) && l->looked < l->size;
    size_t size = l->looked - l->used;
    l->used = whole ? l->looked + 1 : l->looked;
    l->number++;
    if (size > 0 && start[size - 1] == '\r') size--;
    return (struct bytes){start, size};
}

int lines_read(struct lines *l)
{
    if (l->used > 0) {
        memmove(l->text, l->text + l->used, l->size - l->used);
        l->size -= l->used;
        l->looked = l->looked > l->used ? l->looked - l->used : 0;
        l->used = 0;
    }
    if (l->size > LINES_LINE_MAX) return VSTAMP_E_TOO_LARGE;
    if (l->capacity - l->size < READ_BYTES) {
        l->capacity = 2 * l->capacity + READ_BYTES;
        l->text = memory_resize(l->text, l->capacity);
    }
    ssize_t n = read(l->fd, l->text + l->size, READ_BYTES);
    if (n < 0) return errno == EINTR || errno == EAGAIN ? 0 : VSTAMP_E_IO;
    l->ended = n == 0;
    l->size += (size_t)n;
    l->bytes_read += (uint64_t)n;
    return 0;
}

const char *lines_failure(int rv)
{
    return rv == VSTAMP_E_TOO_LARGE ? "the line is too long" : strerror(errno);
}

void lines_release(struct lines *l)
{
    free(l->text);
    *l = (struct lines){.fd = -1};
}

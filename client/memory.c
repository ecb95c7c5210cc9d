/* SPDX-License-Identifier: BSD-2-Clause */
#include <config.h>

#include "client/memory.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static void *present(void *memory)
{
    if (memory != NULL) return memory;
    fputs("vstamp: out of memory\n", stderr);
    abort();
}

void *memory_new(size_t size)
{
    return present(calloc(1, size));
}

void *memory_resize(void *old, size_t size)
{
    return present(realloc(old, size));
}

void *memory_copy(const void *data, size_t size)
{
    char *copy = present(size < SIZE_MAX ? malloc(size + 1) : NULL);
    if (size > 0) memcpy(copy, data, size);
    copy[size] = '\0';
    return copy;
}

FILE *memory_stream(char **text, size_t *size)
{
    return present(open_memstream(text, size));
}

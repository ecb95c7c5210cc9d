/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/arena.h"

#include "base/assert.h"

#define ARENA_ALIGN 64u

void arena_init(struct arena *a, void *base, size_t size)
{
    assert(((uintptr_t)base & (ARENA_ALIGN - 1)) == 0);
    *a = (struct arena){.base = base, .size = size};
}

void *arena_take(struct arena *a, size_t count, size_t each)
{
    assert(!a->sealed);
    size_t bytes;
    assert(!__builtin_mul_overflow(count, each, &bytes));
    assert(bytes <= SIZE_MAX - a->used - ARENA_ALIGN);
    size_t at = a->used;
    a->used += (bytes + ARENA_ALIGN - 1) & ~(size_t)(ARENA_ALIGN - 1);
    if (a->base == NULL) return NULL;
    assert(a->used <= a->size);
    return a->base + at;
}

void *arena_take_aligned(struct arena *a, size_t bytes, size_t align)
{
    assert(align >= ARENA_ALIGN && a->used <= SIZE_MAX - align);
    assert(((uintptr_t)a->base & (align - 1)) == 0);
    a->used = (a->used + align - 1) & ~(align - 1);
    return arena_take(a, 1, bytes);
}

void arena_seal(struct arena *a)
{
    a->sealed = true;
}

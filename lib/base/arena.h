/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory that is handed out once, at start, and then sealed.  The core owns no allocator: whoever
 * hosts it (daemon, simulator, test) brings one block and the core divides it. */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena {
    uint8_t *base; /* NULL: only count, to learn how large the block must be */
    size_t size;
    size_t used;
    bool sealed;
};

/* `base` must be zeroed and aligned to 64, or to the largest alignment that will be asked for; with
 * base NULL, arena_take returns NULL and counts. */
void arena_init(struct arena *a, void *base, size_t size);

/* Zeroed memory, aligned to 64.  Asserts that there is room and that the arena is not sealed. */
void *arena_take(struct arena *a, size_t count, size_t each);

/* The same, aligned to a power of two. */
void *arena_take_aligned(struct arena *a, size_t bytes, size_t align);

/* How memory that is not needed any more is given back: whole or in part; it stays ours, and is all
 * zeros from then on. */
struct give_back {
    void (*zero)(void *ctx, void *memory, size_t size);
    void *ctx;
};

/* From now on arena_take is a bug. */
void arena_seal(struct arena *a);

#endif

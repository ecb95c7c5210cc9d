/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory and pages for the tests of what lives in pages. */
#ifndef UNIT_PAGED_H
#define UNIT_PAGED_H

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "vr/pages.h"

struct paged {
    void *memory;
    struct arena arena;
    struct pages pages;
    struct vstamp_pages window; /* all of them, as an application sees them */
};

/* `extra` bytes stay in the arena for the test's own use. */
static inline void paged_open(struct paged *p, uint32_t n_max, size_t extra)
{
    struct arena count;
    arena_init(&count, NULL, 0);
    pages_init(&p->pages, &count, n_max);
    arena_take(&count, n_max, VSTAMP_PAGE_MEMORY);
    size_t size = (count.used + extra + 4095) / 4096 * 4096;
    p->memory = aligned_alloc(4096, size);
    if (p->memory == NULL) abort();
    memset(p->memory, 0, size);
    arena_init(&p->arena, p->memory, size);
    pages_init(&p->pages, &p->arena, n_max);
    p->window = (struct vstamp_pages){.pages = &p->pages, .count = n_max};
    p->window.memory = arena_take(&p->arena, n_max, VSTAMP_PAGE_MEMORY);
}

static inline void paged_close(struct paged *p)
{
    free(p->memory);
}

#endif

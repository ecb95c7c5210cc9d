/* SPDX-License-Identifier: BSD-2-Clause */
/* A core that executes nothing by itself, for the tests of what is around an application. */
#ifndef UNIT_CORE_H
#define UNIT_CORE_H

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "small.h"
#include "vr/rooms.h"

struct core {
    void *memory;
    struct vr_config config;
    struct vr vr;
};

/* Small, with so many pages for the application. */
static inline void core_configure(struct core *c, uint32_t app_pages)
{
    c->config = (struct vr_config){SMALL_SETTINGS, .n_replicas = 1,
                                   .state_pages = client_table_pages(4, 256) + app_pages};
}

static inline void core_open(struct core *c, const struct vstamp_app *app, void *instance)
{
    struct vr_sink sink = {.log = ignore_log};
    struct arena arena;
    arena_init(&arena, NULL, 0);
    vr_init(&c->vr, &arena, &c->config, app, &sink, (struct vstamp_id){1, 2});
    size_t size = (arena.used + 4095) / 4096 * 4096;
    c->memory = aligned_alloc(4096, size);
    if (c->memory == NULL) abort();
    memset(c->memory, 0, size);
    arena_init(&arena, c->memory, size);
    vr_init(&c->vr, &arena, &c->config, app, &sink, (struct vstamp_id){1, 2});
    c->vr.app_pages.instance = instance;
}

static inline void core_close(struct core *c)
{
    free(c->memory);
}

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
#include "vr/inflight.h"

#include "base/assert.h"
#include "vr/id_hash.h"

void inflight_init(struct inflight *f, struct arena *arena, uint32_t count_max)
{
    uint32_t slots = 4;
    while (slots < 2 * count_max) slots *= 2;
    *f = (struct inflight){.mask = slots - 1, .generation = 1};
    f->slots = arena_take(arena, slots, sizeof f->slots[0]);
}

void inflight_clear(struct inflight *f)
{
    f->count = 0;
    if (++f->generation != 0) return;
    for (uint32_t i = 0; i <= f->mask; i++) f->slots[i].generation = 0;
    f->generation = 1;
}

static bool is_free(const struct inflight *f, uint32_t i)
{
    return f->slots[i].generation != f->generation;
}

static uint32_t home(const struct inflight *f, struct vstamp_id client)
{
    return id_hash(client) & f->mask;
}

struct inflight_request *inflight_find(const struct inflight *f, struct vstamp_id client)
{
    if (f->count == 0) return NULL; /* a backup: leave the table's memory alone */
    for (uint32_t i = home(f, client);; i = (i + 1) & f->mask) {
        if (is_free(f, i)) return NULL;
        if (vstamp_id_equal(f->slots[i].client, client)) return &f->slots[i];
    }
}

const struct inflight_request *inflight_next(const struct inflight *f, uint32_t *at)
{
    while (f->count > 0 && *at <= f->mask) {
        uint32_t i = (*at)++;
        if (!is_free(f, i)) return &f->slots[i];
    }
    return NULL;
}

void inflight_add(struct inflight *f, struct vstamp_id client, uint8_t kind, uint64_t number,
                  uint32_t request, uint64_t origin)
{
    assert(f->count <= f->mask / 2);
    assert(!vstamp_id_is_zero(client));
    uint32_t i = home(f, client);
    while (!is_free(f, i)) {
        assert(!vstamp_id_equal(f->slots[i].client, client));
        i = (i + 1) & f->mask;
    }
    f->slots[i] = (struct inflight_request){.client = client,
                                            .number = number,
                                            .generation = f->generation,
                                            .request = request,
                                            .kind = kind,
                                            .origin = origin};
    f->count++;
}

/* Entries behind the freed slot move up if they would not be found otherwise. */
void inflight_remove(struct inflight *f, struct inflight_request *request)
{
    uint32_t hole = (uint32_t)(request - f->slots);
    assert(hole <= f->mask);
    for (uint32_t i = (hole + 1) & f->mask; !is_free(f, i); i = (i + 1) & f->mask) {
        uint32_t from_home = (i - home(f, f->slots[i].client)) & f->mask;
        uint32_t from_hole = (i - hole) & f->mask;
        if (from_home >= from_hole) {
            f->slots[hole] = f->slots[i];
            hole = i;
        }
    }
    f->slots[hole].generation = 0;
    f->count--;
}

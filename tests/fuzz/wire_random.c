/* SPDX-License-Identifier: BSD-2-Clause */
#include "fuzz/wire_random.h"

#include "base/assert.h"

static const struct wire_shape *const shapes[] = {
#define RECORD_BEGIN(name, text) &wire_shape_##name,
#define MESSAGE_BEGIN(name, number, text) &wire_shape_##name,
#include "wire/messages.def"
};

const struct wire_shape *const *wire_random_shapes(size_t *n)
{
    *n = sizeof shapes / sizeof shapes[0];
    return shapes;
}

void wire_random_init(struct wire_random *g, uint64_t seed, void *content, size_t content_size)
{
    *g = (struct wire_random){.n_bytes_max = 40, .n_records_max = 5};
    prng_seed(&g->prng, seed);
    g->content = writer_over(content, content_size);
}

static uint64_t random_number(struct wire_random *g, uint64_t max)
{
    switch (prng_below(&g->prng, 4)) {
    case 0: return prng_below(&g->prng, 3);
    case 1: return max - prng_below(&g->prng, 2);
    default: return prng_between(&g->prng, 0, max);
    }
}

static uint32_t random_count(struct wire_random *g, uint32_t max)
{
    return prng_chance(&g->prng, 1, 4) ? 0 : (uint32_t)prng_between(&g->prng, 0, max);
}

static struct bytes random_bytes(struct wire_random *g)
{
    struct writer *w = &g->content;
    size_t size = random_count(g, g->n_bytes_max);
    if (size > w->capacity - w->size) size = w->capacity - w->size;
    struct bytes b = {w->start + w->size, size};
    for (size_t i = 0; i < size; i++) write_u8(w, (uint8_t)prng_next(&g->prng));
    return b;
}

static void fill_fields(struct wire_random *g, const struct wire_shape *shape, void *record);

/* The records' own bytes are made beyond the place kept for the list, then encoded into it. */
static struct wire_list random_list(struct wire_random *g, const struct wire_shape *shape)
{
    struct writer *w = &g->content;
    size_t kept = (w->capacity - w->size) / 2;
    struct wire_list_builder builder;
    wire_list_begin(&builder, shape, w->start + w->size, kept);
    w->size += kept;
    for (uint32_t n = random_count(g, g->n_records_max); n > 0; n--) {
        union wire_random_record record;
        assert(shape->size <= sizeof record);
        fill_fields(g, shape, &record);
        if (!wire_list_add(&builder, &record)) break;
    }
    return wire_list_end(&builder);
}

static void fill_fields(struct wire_random *g, const struct wire_shape *shape, void *record)
{
    for (size_t i = 0; i < shape->n_fields; i++) {
        const struct wire_field *f = &shape->fields[i];
        void *at = (uint8_t *)record + f->offset;
        switch (f->kind) {
        case WIRE_U8: *(uint8_t *)at = (uint8_t)random_number(g, UINT8_MAX); break;
        case WIRE_U16: *(uint16_t *)at = (uint16_t)random_number(g, UINT16_MAX); break;
        case WIRE_U32: *(uint32_t *)at = (uint32_t)random_number(g, UINT32_MAX); break;
        case WIRE_U64: *(uint64_t *)at = random_number(g, UINT64_MAX); break;
        case WIRE_ID:
            *(struct vstamp_id *)at = (struct vstamp_id){random_number(g, UINT64_MAX),
                                                         random_number(g, UINT64_MAX)};
            break;
        case WIRE_BYTES: *(struct bytes *)at = random_bytes(g); break;
        case WIRE_NEST: fill_fields(g, f->record, at); break;
        case WIRE_LIST: *(struct wire_list *)at = random_list(g, f->record); break;
        }
    }
}

void wire_random_fill(struct wire_random *g, const struct wire_shape *shape, void *record)
{
    g->content = writer_over(g->content.start, g->content.capacity);
    fill_fields(g, shape, record);
}

static bool lists_equal(const struct wire_list *a, const struct wire_list *b)
{
    return a->count == b->count && bytes_equal(a->encoded, b->encoded);
}

bool wire_random_equal(const struct wire_shape *shape, const void *a, const void *b)
{
    bool equal = true;
    for (size_t i = 0; i < shape->n_fields && equal; i++) {
        const struct wire_field *f = &shape->fields[i];
        const void *x = (const uint8_t *)a + f->offset;
        const void *y = (const uint8_t *)b + f->offset;
        switch (f->kind) {
        case WIRE_U8: equal = *(const uint8_t *)x == *(const uint8_t *)y; break;
        case WIRE_U16: equal = *(const uint16_t *)x == *(const uint16_t *)y; break;
        case WIRE_U32: equal = *(const uint32_t *)x == *(const uint32_t *)y; break;
        case WIRE_U64: equal = *(const uint64_t *)x == *(const uint64_t *)y; break;
        case WIRE_ID:
            equal = vstamp_id_equal(*(const struct vstamp_id *)x, *(const struct vstamp_id *)y);
            break;
        case WIRE_BYTES:
            equal = bytes_equal(*(const struct bytes *)x, *(const struct bytes *)y);
            break;
        case WIRE_NEST: equal = wire_random_equal(f->record, x, y); break;
        case WIRE_LIST: equal = lists_equal(x, y); break;
        }
    }
    return equal;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* Random messages, made by walking the field tables of wire/schema.h: a message that is added to
 * messages.def is tested without another line. */
#ifndef FUZZ_WIRE_RANDOM_H
#define FUZZ_WIRE_RANDOM_H

#include "base/prng.h"
#include "wire/frame.h"

/* The largest struct that a shape describes. */
union wire_random_record {
    struct wire_message any;
    struct wire_hard_state hard_state;
};

/* Every record, then every message. */
const struct wire_shape *const *wire_random_shapes(size_t *n);

struct wire_random {
    struct prng prng;
    uint32_t n_bytes_max;   /* of one BYTES field */
    uint32_t n_records_max; /* of one list */
    struct writer content;  /* what the bytes and lists point to */
};

/* `content` is used until the next wire_random_fill, which starts it anew. */
void wire_random_init(struct wire_random *g, uint64_t seed, void *content, size_t content_size);

/* Fill a struct of this shape.  Numbers are often small or the largest of their type; bytes and
 * lists are often empty, and get smaller when `content` is used up. */
void wire_random_fill(struct wire_random *g, const struct wire_shape *shape, void *record);

/* Two structs of this shape with equal fields, bytes and lists compared by content. */
bool wire_random_equal(const struct wire_shape *shape, const void *a, const void *b);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* The log (paper section 4.1): entries first .. op, each naming its predecessor by checksum, so
 * that two logs agree up to an op-number if they agree at it.
 *
 * An entry whose body the disk has lost is a hole (mend.c): its header is here, and the room for
 * its body, so that in all that headers decide it is an entry like any other.
 *
 * Memory is bounded: a ring of slots for the headers and a ring of bytes for the bodies.  The
 * oldest entries are dropped to make room, but never one above `keep_after`, the newest checkpoint.
 * `base` is the header of the entry before `first`: all zero for an empty log that starts at 1. */
#ifndef VR_LOG_H
#define VR_LOG_H

#include "base/arena.h"
#include "base/assert.h"
#include "wire/schema.h"

struct log_slot {
    struct wire_entry_header header;
    uint64_t persisted; /* journal position (struct vr) after which it is durable */
    size_t offset;
    uint32_t size;
    bool hole;
    bool passed; /* an entry behind it passes over an operation of it (pass_over.c) */
    bool done;   /* what the entry asks for was done before its turn */
};

struct log {
    struct wire_entry_header base;
    uint64_t first;
    uint64_t op; /* newest entry; first - 1 when empty */
    uint64_t keep_after;
    uint32_t mask; /* slots - 1 */
    struct log_slot *slots;
    uint8_t *bytes;
    size_t size;     /* of them; */
    size_t capacity; /* and so many of those are in use */
    size_t head, tail; /* bytes in use: head .. tail, around the end if tail < head */
    size_t reached;    /* none from there on was ever in use, or since they were given back */
    uint32_t n_holes;
};

/* `entries` must be a power of two. */
void log_init(struct log *l, struct arena *arena, uint32_t entries, size_t capacity);

/* Use another part of the bytes.  False: the bodies do not fit into it, and all is as before. */
bool log_resize(struct log *l, size_t capacity);

/* Forget everything; the log continues after `base`. */
void log_reset(struct log *l, const struct wire_entry_header *base);

/* Is there room for an entry, perhaps after dropping old ones?  If so they are dropped. */
bool log_make_room(struct log *l, size_t size);

/* Forget the entries up to `op`; the one at `op` becomes the base. */
void log_drop(struct log *l, uint64_t op);

/* Could `count` entries with bodies of `total` bytes, none above `largest`, follow entry `after`,
 * once what may be dropped is dropped and what comes after is truncated? */
bool log_fits(const struct log *l, uint64_t after, uint64_t count, size_t total, size_t largest);

/* Bytes that the bodies after entry `after` take; it is held, or the base. */
size_t log_bytes_after(const struct log *l, uint64_t after);

/* Append the entry after `op`; asserts that it chains and that there is room. */
struct log_slot *log_append(struct log *l, const struct wire_entry_header *header,
                            struct bytes body);

/* The same of an entry whose body, of that size, is missing; and here it is. */
struct log_slot *log_append_hole(struct log *l, const struct wire_entry_header *header,
                                 size_t size);
struct log_slot *log_fill(struct log *l, uint64_t op, struct bytes body);
uint64_t log_hole_from(const struct log *l, uint64_t op); /* the first one, UINT64_MAX: none */
uint64_t log_first_hole(const struct log *l);

void log_note_passed(struct log *l, uint64_t op);
void log_note_done(struct log *l, uint64_t op);

/* Remove all entries above `op`, which must be at least first - 1. */
void log_truncate(struct log *l, uint64_t op);

/* What all rooms ask in each turn is here, for the compiler to see through. */

static inline bool log_has(const struct log *l, uint64_t op)
{
    return op >= l->first && op <= l->op;
}

static inline const struct log_slot *log_at(const struct log *l, uint64_t op)
{
    assert(log_has(l, op));
    return &l->slots[op & l->mask];
}

struct bytes log_body(const struct log *l, uint64_t op); /* asserts that it is no hole */

/* False, too, if the log does not have it. */
static inline bool log_is_hole(const struct log *l, uint64_t op)
{
    return l->n_holes > 0 && log_has(l, op) && log_at(l, op)->hole;
}

/* Header of an entry, or of the base; NULL if the log does not know it. */
static inline const struct wire_entry_header *log_header(const struct log *l, uint64_t op)
{
    if (op == l->base.op && op + 1 == l->first) return &l->base;
    return log_has(l, op) ? &log_at(l, op)->header : NULL;
}

/* Header of `op`, or the base. */
static inline const struct wire_entry_header *log_last(const struct log *l)
{
    const struct wire_entry_header *last = log_header(l, l->op);
    assert(last != NULL);
    return last;
}

/* The identity of an entry: over group, header (without checksum) and body. */
struct vstamp_id log_checksum(struct vstamp_id group, const struct wire_entry_header *header,
                              struct bytes body);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
#include "vr/log.h"

#include <string.h>

#include "base/assert.h"
#include "base/checksum.h"

void log_init(struct log *l, struct arena *arena, uint32_t entries, size_t capacity)
{
    assert(entries > 0 && (entries & (entries - 1)) == 0);
    *l = (struct log){
        .first = 1, .mask = entries - 1, .size = capacity, .capacity = capacity};
    l->slots = arena_take(arena, entries, sizeof l->slots[0]);
    l->bytes = arena_take(arena, capacity, 1);
}

void log_reset(struct log *l, const struct wire_entry_header *base)
{
    l->base = *base;
    l->first = base->op + 1;
    l->op = base->op;
    l->head = l->tail = 0;
    l->n_holes = 0;
}

struct bytes log_body(const struct log *l, uint64_t op)
{
    const struct log_slot *slot = log_at(l, op);
    assert(!slot->hole);
    return (struct bytes){l->bytes + slot->offset, slot->size};
}

uint64_t log_hole_from(const struct log *l, uint64_t op)
{
    if (op < l->first) op = l->first;
    for (; l->n_holes > 0 && op <= l->op; op++)
        if (log_at(l, op)->hole) return op;
    return UINT64_MAX;
}

uint64_t log_first_hole(const struct log *l)
{
    return log_hole_from(l, l->first);
}

/* Where `size` bytes fit, or SIZE_MAX.  A body never goes around the end of the ring. */
static size_t place(const struct log *l, size_t size)
{
    if (l->op + 1 == l->first) return size <= l->capacity ? 0 : SIZE_MAX;
    if (l->tail >= l->head) {
        if (size <= l->capacity - l->tail) return l->tail;
        return size < l->head ? 0 : SIZE_MAX;
    }
    return size < l->head - l->tail ? l->tail : SIZE_MAX;
}

static void drop_oldest(struct log *l)
{
    l->n_holes -= log_is_hole(l, l->first);
    l->base = log_at(l, l->first)->header;
    l->first++;
    if (l->first > l->op) {
        l->head = l->tail = 0;
    } else {
        l->head = log_at(l, l->first)->offset;
    }
}

bool log_make_room(struct log *l, size_t size)
{
    while (l->op - l->first + 1 > l->mask || place(l, size) == SIZE_MAX) {
        if (l->first > l->op || l->first > l->keep_after) return false;
        drop_oldest(l);
    }
    return true;
}

void log_drop(struct log *l, uint64_t op)
{
    while (l->first <= op && l->first <= l->op) drop_oldest(l);
}

bool log_fits(const struct log *l, uint64_t after, uint64_t count, size_t total, size_t largest)
{
    uint64_t kept_from = l->first > l->keep_after + 1 ? l->first : l->keep_after + 1;
    uint64_t kept = after >= kept_from ? after - kept_from + 1 : 0;
    if (kept + count > l->mask) return false;
    size_t used = 0;
    if (kept > 0) {
        size_t head = log_at(l, kept_from)->offset;
        size_t tail = log_at(l, after)->offset + log_at(l, after)->size;
        used = tail >= head ? tail - head : l->capacity - (head - tail);
    }
    /* A body never goes around the end: at most one place there stays unused. */
    return used + total + largest < l->capacity;
}

size_t log_bytes_after(const struct log *l, uint64_t after)
{
    if (after >= l->op) return 0;
    size_t head = log_at(l, after + 1)->offset;
    return l->tail >= head ? l->tail - head : l->capacity - (head - l->tail);
}

static void reverse(uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size / 2; i++) {
        uint8_t kept = bytes[i];
        bytes[i] = bytes[size - 1 - i];
        bytes[size - 1 - i] = kept;
    }
}

/* The bodies move to the start of the bytes: those around the end by turning the whole ring. */
static void move_to_start(struct log *l)
{
    size_t head = l->head, used = l->tail - head;
    if (l->tail < head) {
        used = l->capacity - (head - l->tail);
        reverse(l->bytes, head);
        reverse(l->bytes + head, l->capacity - head);
        reverse(l->bytes, l->capacity);
    } else {
        memmove(l->bytes, l->bytes + head, used);
    }
    for (uint64_t op = l->first; op <= l->op; op++) {
        struct log_slot *slot = &l->slots[op & l->mask];
        slot->offset = slot->offset >= head ? slot->offset - head
                                            : slot->offset + l->capacity - head;
    }
    l->head = 0;
    l->tail = used;
}

bool log_resize(struct log *l, size_t capacity)
{
    assert(capacity <= l->size);
    size_t used = log_bytes_after(l, l->first - 1);
    if (used > capacity) return false;
    if (l->first <= l->op) move_to_start(l);
    l->capacity = capacity;
    return true;
}

struct log_slot *log_append_hole(struct log *l, const struct wire_entry_header *header,
                                 size_t size)
{
    const struct wire_entry_header *last = log_last(l);
    assert(header->op == l->op + 1);
    assert(vstamp_id_equal(header->parent, last->checksum));
    assert(l->op - l->first + 1 <= l->mask);
    size_t at = place(l, size);
    assert(at != SIZE_MAX);
    if (l->op + 1 == l->first) l->head = at;
    l->op++;
    l->n_holes++;
    struct log_slot *slot = &l->slots[l->op & l->mask];
    *slot = (struct log_slot){
        .header = *header, .offset = at, .size = (uint32_t)size, .hole = true};
    l->tail = at + size;
    if (l->tail > l->reached) l->reached = l->tail;
    return slot;
}

struct log_slot *log_fill(struct log *l, uint64_t op, struct bytes body)
{
    assert(log_is_hole(l, op));
    struct log_slot *slot = &l->slots[op & l->mask];
    assert(slot->size == body.size);
    if (body.size > 0) memcpy(l->bytes + slot->offset, body.data, body.size);
    slot->hole = false;
    l->n_holes--;
    return slot;
}

struct log_slot *log_append(struct log *l, const struct wire_entry_header *header,
                            struct bytes body)
{
    log_append_hole(l, header, body.size);
    return log_fill(l, header->op, body);
}

void log_note_passed(struct log *l, uint64_t op)
{
    assert(log_has(l, op));
    l->slots[op & l->mask].passed = true;
}

void log_note_done(struct log *l, uint64_t op)
{
    assert(log_has(l, op));
    l->slots[op & l->mask].done = true;
}

void log_truncate(struct log *l, uint64_t op)
{
    assert(op + 1 >= l->first);
    if (op >= l->op) return;
    for (uint64_t gone = op + 1; l->n_holes > 0 && gone <= l->op; gone++)
        l->n_holes -= log_at(l, gone)->hole;
    l->tail = log_at(l, op + 1)->offset;
    l->op = op;
    if (l->op + 1 == l->first) l->head = l->tail = 0;
}

struct vstamp_id log_checksum(struct vstamp_id group, const struct wire_entry_header *header,
                              struct bytes body)
{
    uint8_t buffer[128];
    struct writer w = writer_over(buffer, sizeof buffer);
    write_id(&w, group);
    write_u64(&w, header->op);
    write_u64(&w, header->view);
    write_u32(&w, header->epoch);
    write_u8(&w, header->version);
    write_u64(&w, header->timestamp);
    write_id(&w, header->parent);
    write_id(&w, checksum128(body.data, body.size));
    assert(w.ok);
    return checksum128(buffer, w.size);
}

/* SPDX-License-Identifier: BSD-2-Clause */
#include "node/journal.h"

#include "base/assert.h"
#include "base/checksum.h"

#define ALIGN 8u

static uint64_t record_checksum(uint64_t number, uint64_t place, uint32_t kind, struct bytes body)
{
    uint8_t seed_bytes[24];
    struct writer w = writer_over(seed_bytes, sizeof seed_bytes);
    write_u64(&w, number);
    write_u64(&w, place);
    write_u32(&w, kind);
    write_u32(&w, (uint32_t)body.size);
    return checksum64_seeded(body.data, body.size, checksum64(seed_bytes, w.size));
}

static size_t padded(size_t size)
{
    return (size + ALIGN - 1) & ~(size_t)(ALIGN - 1);
}

int journal_check_version(uint32_t version, uint8_t oldest, uint8_t newest,
                          struct vstamp_diag *diag)
{
    if (version >= oldest && version <= newest) return 0;
    vstamp_diag_printf(diag,
                       "was written in version %u of the protocol, and this program speaks %u to "
                       "%u: run the release that wrote it, or a %s one that still reads it",
                       version, oldest, newest, version > newest ? "later" : "former");
    return VSTAMP_E_VERSION;
}

size_t journal_record_size(const struct wire_shape *shape, const void *record)
{
    return JOURNAL_HEADER_SIZE + padded(wire_size(shape, record));
}

uint64_t journal_batch_identity(uint64_t life, uint64_t sequence)
{
    uint8_t bytes[16];
    struct writer w = writer_over(bytes, sizeof bytes);
    write_u64(&w, life);
    write_u64(&w, sequence);
    return checksum64(bytes, w.size);
}

bool journal_put(struct writer *w, uint64_t number, uint64_t place, enum journal_kind kind,
                 const struct wire_shape *shape, const void *record)
{
    size_t size = wire_size(shape, record);
    if (w->capacity - w->size < JOURNAL_HEADER_SIZE + padded(size)) return false;
    struct bytes body = {w->start + w->size + JOURNAL_HEADER_SIZE, size};
    struct writer into = writer_over(w->start + w->size + JOURNAL_HEADER_SIZE, padded(size));
    wire_encode(shape, record, &into);
    while (into.size < padded(size)) write_u8(&into, 0);
    assert(into.ok);
    write_u32(w, (uint32_t)size);
    write_u32(w, (uint32_t)kind);
    write_u64(w, record_checksum(number, place, (uint32_t)kind, body));
    assert(w->ok);
    w->size += padded(size);
    return true;
}

enum journal_status journal_next(struct journal_reader *r, enum journal_kind *kind,
                                 struct bytes *body)
{
    if (r->place == r->file.size) return JOURNAL_END;
    struct reader at = reader_over(r->file.data + r->place, r->file.size - r->place);
    uint32_t size = read_u32(&at);
    uint32_t number = read_u32(&at);
    uint64_t checksum = read_u64(&at);
    if (!at.ok || size > at.left || padded(size) > at.left) return JOURNAL_BAD;
    if (number < JOURNAL_SEGMENT || number >= JOURNAL_KINDS) return JOURNAL_BAD;
    *body = (struct bytes){at.at, size};
    uint64_t place = r->base + r->place;
    if (checksum != record_checksum(r->number, place, number, *body)) return JOURNAL_BAD;
    for (size_t i = size; i < padded(size); i++)
        if (at.at[i] != 0) return JOURNAL_BAD;
    *kind = (enum journal_kind)number;
    r->place += JOURNAL_HEADER_SIZE + padded(size);
    return JOURNAL_RECORD;
}

bool journal_continues(const struct journal_reader *r)
{
    struct journal_reader probe = *r;
    size_t size = r->file.size;
    for (size_t at = r->place + ALIGN; at + JOURNAL_HEADER_SIZE <= size; at += ALIGN) {
        probe.place = at;
        enum journal_kind kind;
        struct bytes body;
        if (journal_next(&probe, &kind, &body) == JOURNAL_RECORD) return true;
    }
    return false;
}

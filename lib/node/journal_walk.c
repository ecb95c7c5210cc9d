/* SPDX-License-Identifier: BSD-2-Clause */
/* Through a window of bounded size: see journal_walk.h. */
#include "node/journal_walk.h"

#include <string.h>

#include "base/assert.h"
#include "vr/replica.h"

/* --- looking ---------------------------------------------------------------------------------- */

static void load_window(struct journal_walk *w, uint64_t number, uint64_t place)
{
    struct node_window *window = w->window;
    assert(place % JOURNAL_BLOCK == 0);
    window->number = number;
    window->place = place;
    window->size = 0;
    w->rv = w->source->read(w->source->ctx, number, window->place, window->bytes, window->capacity,
                            &window->size, w->diag);
}

/* Up to `size` bytes of a segment, from the beginning of a block on, fewer where it ends, none once
 * the disk has refused; they stay until the next look. */
static struct bytes look(struct journal_walk *w, uint64_t number, uint64_t place, size_t size)
{
    struct node_window *window = w->window;
    bool there = window->number == number && place >= window->place &&
                 place + size <= window->place + window->size;
    if (!there && w->rv == 0) load_window(w, number, place);
    if (w->rv != 0) return (struct bytes){0};
    size_t at = (size_t)(place - window->place);
    return (struct bytes){window->bytes + at,
                          size < window->size - at ? size : window->size - at};
}

/* Its version is where it is in every version. */
static bool is_readable(struct journal_walk *w, struct bytes body)
{
    struct reader r = reader_over(body.data, body.size);
    uint32_t version = read_u32(&r);
    if (!r.ok) return false;
    if (w->newest > 0) w->rv = journal_check_version(version, w->oldest, w->newest, w->diag);
    return w->rv == 0;
}

static bool head_at(struct journal_walk *w, uint64_t number, uint64_t place,
                    struct journal_head *head)
{
    struct bytes b = look(w, number, place, JOURNAL_HEADER_SIZE);
    struct reader r = reader_over(b.data, b.size);
    size_t size = (size_t)read_u32(&r) + JOURNAL_RECORD_OVERHEAD;
    if (read_u32(&r) != JOURNAL_BATCH || size > w->batch_size_max) return false;
    b = look(w, number, place, size);
    struct journal_reader record = {.file = b, .number = number, .base = place};
    enum journal_kind kind;
    struct bytes body;
    if (journal_next(&record, &kind, &body) != JOURNAL_RECORD || !is_readable(w, body) ||
        wire_decode(&wire_shape_batch_head, body, &head->is) != 0) {
        return false;
    }
    head->size = record.place;
    head->place = place;
    return head->is.owner.number == number && head->is.size >= head->size &&
           head->is.size <= w->batch_size_max && (w->life == 0 || head->is.life == w->life);
}

/* The first sound head at or behind a place of a segment. */
static bool find_head(struct journal_walk *w, uint64_t number, uint64_t from,
                      struct journal_head *head)
{
    uint64_t place = (from + JOURNAL_BLOCK - 1) / JOURNAL_BLOCK * JOURNAL_BLOCK;
    while (look(w, number, place, 1).size > 0) {
        if (head_at(w, number, place, head)) return true;
        place += JOURNAL_BLOCK;
    }
    return false;
}

/* The same, there or in a later segment. */
static bool find_later(struct journal_walk *w, uint64_t from, struct journal_head *head)
{
    if (find_head(w, w->number, from, head)) return true;
    uint64_t life = w->life;
    bool found = false;
    w->life = 0;
    for (uint64_t number = w->number + 1; !found && number <= w->last; number++) {
        found = find_head(w, number, 0, head);
    }
    w->life = life;
    return found;
}

void journal_walk_begin(struct journal_walk *w, uint64_t first, uint64_t last)
{
    struct journal_head head;
    w->life = 0;
    for (w->last = last; w->last >= first && w->rv == 0; w->last--) {
        w->number = w->last;
        if (find_head(w, w->last, 0, &head)) return;
    }
}

/* --- batches ---------------------------------------------------------------------------------- */

bool journal_walk_segment(struct journal_walk *w, uint64_t number, struct journal_head *head)
{
    w->number = number;
    w->place = 0;
    w->life = 0;
    w->end = UINT64_MAX;
    if (number < w->last && find_head(w, number + 1, 0, head))
        w->end = head->is.owner.previous_size;
    bool found = w->end > 0 && find_head(w, number, 0, head);
    if (found) w->life = head->is.life;
    return found;
}

struct journal_reader journal_walk_records(struct journal_walk *w,
                                           const struct journal_batch *batch)
{
    const struct node_batch *is = &batch->is;
    return (struct journal_reader){.file = look(w, is->number, is->place, (size_t)is->size),
                                   .number = journal_batch_identity(is->life, batch->sequence),
                                   .place = (size_t)is->head};
}

static bool is_whole(struct journal_walk *w, const struct journal_batch *batch)
{
    struct journal_reader r = journal_walk_records(w, batch);
    enum journal_kind kind;
    struct bytes body;
    if (r.file.size < batch->is.size) return false;
    for (;;) {
        enum journal_status status = journal_next(&r, &kind, &body);
        if (status != JOURNAL_RECORD) return status == JOURNAL_END;
    }
}

/* Is this the successor of the batch that was passed last? */
static bool follows(const struct journal_walk *w, const struct wire_batch_head *head)
{
    return !w->any || (head->sequence == w->sequence + 1 &&
                       head->before_number == w->before.number &&
                       head->before_place == w->before.place);
}

static bool names(const struct journal_walk *w, const struct wire_batch_head *later)
{
    return later->before_number == w->number && later->before_place == w->place &&
           later->before_size <= w->batch_size_max && later->before_head <= later->before_size;
}

enum journal_found journal_walk_look(struct journal_walk *w, struct journal_batch *batch)
{
    struct journal_head head, later;
    bool sound = head_at(w, w->number, w->place, &head) && follows(w, &head.is);
    uint64_t from = w->place + JOURNAL_BLOCK;
    if (sound) {
        batch->is = (struct node_batch){.number = w->number, .place = w->place,
                                        .size = head.is.size, .head = head.size,
                                        .life = head.is.life};
        batch->sequence = head.is.sequence;
        if (is_whole(w, batch)) return JOURNAL_BATCH_WHOLE;
        from = w->place + batch->is.size;
    }
    bool acknowledged = find_later(w, from, &later);
    if (w->rv != 0) return JOURNAL_BATCH_NOTHING;
    if (!acknowledged) return sound ? JOURNAL_BATCH_TORN : JOURNAL_BATCH_NOTHING;
    const struct wire_batch_head *l = &later.is;
    batch->next_number = l->owner.number;
    batch->next = later.place;
    if (!names(w, l)) return JOURNAL_BATCH_LOST;
    batch->is = (struct node_batch){.number = w->number, .place = w->place, .size = l->before_size,
                                    .head = l->before_head, .life = l->before_life};
    batch->sequence = l->sequence - 1;
    batch->named = (struct wire_list){.count = l->before.count,
                                      .encoded = {w->names, l->before.encoded.size}};
    memcpy(w->names, l->before.encoded.data, l->before.encoded.size);
    return JOURNAL_BATCH_NAMED;
}

bool journal_walk_named(struct journal_reader *r, struct reader *items,
                        struct wire_batch_item *item, struct bytes *body)
{
    size_t from = r->place;
    enum journal_kind kind;
    wire_list_next(&wire_shape_batch_item, items, item);
    bool checks = from <= r->file.size && journal_next(r, &kind, body) == JOURNAL_RECORD &&
                  kind == item->kind && r->place - from == item->size;
    r->place = from + item->size;
    return checks;
}

void journal_walk_pass(struct journal_walk *w, const struct journal_batch *batch)
{
    w->before = batch->is;
    w->sequence = batch->sequence;
    w->place = (batch->is.place + batch->is.size + JOURNAL_BLOCK - 1) / JOURNAL_BLOCK *
               JOURNAL_BLOCK;
    w->any = true;
}

/* --- what records mean ------------------------------------------------------------------------ */

bool journal_entry_checks(struct vstamp_id group, const struct wire_entry *entry)
{
    struct vstamp_id checksum = log_checksum(group, &entry->header, entry->body);
    return vstamp_id_equal(checksum, entry->header.checksum);
}

uint64_t journal_losses(uint64_t incarnation)
{
    return vr_incarnation_losses(incarnation);
}

uint64_t journal_starts(uint64_t incarnation)
{
    return vr_incarnation_starts(incarnation);
}

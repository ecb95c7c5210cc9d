/* SPDX-License-Identifier: BSD-2-Clause */
/* The journal of a simulated disk, walked as a start walks it, for who wants to damage an entry. */
#include <stdlib.h>

#include "base/assert.h"
#include "node/node_state.h"
#include "sim/disk.h"

struct search {
    const struct disk *disk;
    struct journal_walk walk;
    disk_entry_visitor *visit;
    void *ctx;
};

static void visit_batch(struct search *s, const struct journal_batch *batch)
{
    const struct disk *disk = s->disk;
    bool is_last = batch->is.number == disk->last_number && batch->is.place >= disk->last_place;
    struct journal_reader records = journal_walk_records(&s->walk, batch);
    enum journal_kind kind;
    struct bytes body;
    if (is_last) return; /* nothing names yet what it holds */
    for (size_t from = records.place; journal_next(&records, &kind, &body) == JOURNAL_RECORD;
         from = records.place) {
        struct wire_journal_entry entry;
        if (kind != JOURNAL_ENTRY || wire_decode(&wire_shape_journal_entry, body, &entry) != 0)
            continue;
        struct disk_entry found = {.header = entry.entry.header, .number = batch->is.number,
                                   .place = batch->is.place + from, .size = records.place - from};
        s->visit(s->ctx, &found);
    }
}

static void visit_segment(struct search *s, uint64_t number)
{
    struct journal_walk *w = &s->walk;
    struct journal_head head;
    struct journal_batch batch;
    journal_walk_segment(w, number, &head);
    while (w->place < w->end) {
        enum journal_found is = journal_walk_look(w, &batch);
        if (is != JOURNAL_BATCH_WHOLE && is != JOURNAL_BATCH_NAMED) break;
        visit_batch(s, &batch);
        journal_walk_pass(w, &batch);
    }
}

void disk_visit_entries(struct disk *disk, const struct vr_config *config,
                        disk_entry_visitor *visit, void *ctx)
{
    const struct disk_folder *folder = &disk->segments;
    const struct node_source source = {.ctx = disk, .read = disk_read};
    struct vstamp_diag diag;
    if (folder->count == 0) return;
    uint64_t first = folder->files[0].number, last = folder->files[folder->count - 1].number;
    if (first < disk->pages.number) first = disk->pages.number;
    size_t size = node_batch_size_max(config);
    struct node_window window = {.bytes = malloc(size + JOURNAL_BLOCK),
                                 .capacity = size + JOURNAL_BLOCK};
    struct search s = {.disk = disk, .visit = visit, .ctx = ctx,
                       .walk = {.source = &source, .window = &window, .batch_size_max = size,
                                .names = malloc(size), .diag = &diag}};
    assert(window.bytes != NULL && s.walk.names != NULL);
    journal_walk_begin(&s.walk, first, last);
    for (uint64_t number = first; number <= s.walk.last; number++) visit_segment(&s, number);
    free(window.bytes);
    free(s.walk.names);
}

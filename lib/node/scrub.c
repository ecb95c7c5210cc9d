/* SPDX-License-Identifier: BSD-2-Clause */
/* Looking through the journal while the replica runs.
 *
 * A disk that rots tells nobody until it is read, and a start that finds an acknowledged batch
 * damaged needs the others.  So what a start would read is read before: all segments that no
 * checkpoint has freed, batch by batch, up to the newest acknowledged one, again and again.  No
 * block that was acknowledged is ever written again, and segments are freed in the lane that reads
 * them, so nothing that is looked at changes meanwhile.
 *
 * Whatever a damaged batch held is in memory still.  So a checkpoint is taken: then pages and a new
 * segment say all, and the damaged one is freed. */
#include <inttypes.h>
#include <stdio.h>

#include "base/arena.h"
#include "base/assert.h"
#include "node/journal.h"
#include "node/node_state.h"

#define CHECK_US 1000000u       /* from one look to the next, of as much as the window may hold */
#define WINDOW_USUAL (64u << 10) /* bytes of it: memory that is never touched costs nothing */

/* --- in the lane ------------------------------------------------------------------------------ */

static void rotten(struct node_checked *found, uint64_t number, uint64_t place)
{
    found->rotten = true;
    found->number = number;
    found->place = place;
}

/* Which entries of the batch do not check?  The head behind it says what they were. */
static void name_entries(struct journal_walk *w, const struct journal_batch *batch,
                         struct node_checked *found)
{
    struct journal_reader r = journal_walk_records(w, batch);
    struct reader items = wire_list_start(&batch->named);
    for (uint32_t i = 0; i < batch->named.count; i++) {
        struct wire_batch_item item;
        struct wire_entry_outline outline;
        struct bytes body;
        if (journal_walk_named(&r, &items, &item, &body) || item.kind != JOURNAL_ENTRY ||
            wire_decode(&wire_shape_entry_outline, item.content, &outline) != 0)
            continue;
        if (found->first_op == 0) found->first_op = outline.header.op;
        found->last_op = outline.header.op;
    }
}

static void check_batch(struct journal_walk *w, struct node_checked *found)
{
    struct journal_batch batch;
    enum journal_found is = journal_walk_look(w, &batch);
    if (w->rv != 0) return;
    if (is == JOURNAL_BATCH_WHOLE) {
        journal_walk_pass(w, &batch);
        return;
    }
    rotten(found, w->number, w->place);
    if (is == JOURNAL_BATCH_NAMED) name_entries(w, &batch, found);
}

static void look_once(struct node_journal_check *c, const struct node_source *source)
{
    struct vstamp_diag diag;
    struct journal_head head;
    struct journal_walk w = {.source = source,
                             .window = &c->window,
                             .batch_size_max = c->batch_size_max,
                             .names = c->names,
                             .diag = &diag,
                             .last = c->last};
    struct node_checked *found = &c->found;
    uint64_t enough = c->place + c->window_max;
    c->window.number = 0; /* what it held may have changed */
    *found = (struct node_checked){.number = c->number, .place = c->place};
    journal_walk_segment(&w, c->number, &head);
    if (c->number == c->last) w.end = c->last_end;
    w.place = c->place;
    if (w.rv == 0 && w.end == UINT64_MAX) rotten(found, c->number + 1, 0);
    while (w.rv == 0 && !found->rotten && w.place < w.end && w.place < enough) {
        check_batch(&w, found);
    }
    if (w.rv != 0 || found->rotten) return; /* what cannot be opened is tried again */
    bool ended = w.place >= w.end;
    found->number = c->number + ended;
    found->place = ended ? 0 : w.place;
}

/* A batch that is larger than the window looks damaged.  The window grows by little: whatever it
 * has is read. */
void node_check_journal(struct node_journal_check *c, const struct node_source *source)
{
    c->window.capacity = WINDOW_USUAL < c->window_max ? WINDOW_USUAL : c->window_max;
    look_once(c, source);
    while (c->found.rotten && c->window.capacity < c->window_max) {
        size_t larger = c->window.capacity + c->window.capacity / 2;
        larger = larger / JOURNAL_BLOCK * JOURNAL_BLOCK;
        c->window.capacity = larger < c->window_max ? larger : c->window_max;
        look_once(c, source);
    }
}

/* --- in the loop ------------------------------------------------------------------------------ */

void node_scrub_init(struct node *n, struct arena *arena)
{
    struct node_journal_check *c = &n->scrub.check;
    c->batch_size_max = n->restore.batch_size_max;
    c->window = n->restore.window; /* which a start alone needs */
    c->window_max = c->window.capacity;
    c->names = arena_take(arena, c->batch_size_max, 1);
}

void node_scrub_start(struct node *n)
{
    struct node_scrub *s = &n->scrub;
    s->first = n->restore.first != 0 ? n->restore.first : n->journal.segment;
    s->check.number = s->first;
}

void node_scrub_acknowledged(struct node *n, const struct node_job *append)
{
    n->scrub.last = append->number;
    n->scrub.last_end = append->place + append->data.size;
}

uint64_t node_scrub_due_us(const struct node *n)
{
    const struct node_scrub *s = &n->scrub;
    return s->last == 0 || s->rotten != 0 ? UINT64_MAX : s->due_us;
}

struct node_job node_scrub_job(struct node *n)
{
    struct node_scrub *s = &n->scrub;
    struct node_journal_check *c = &s->check;
    s->due_us = n->vr.now_us + CHECK_US;
    c->last = s->last;
    c->last_end = s->last_end;
    if (c->number < s->first || c->number > c->last) {
        c->number = s->first;
        c->place = 0;
    }
    return (struct node_job){.kind = NODE_JOB_CHECK_JOURNAL,
                             .number = c->number,
                             .place = c->place,
                             .check = c};
}

static void say(struct node *n, enum log_level level, const char *event,
                const struct node_checked *found)
{
    char detail[160];
    int used = snprintf(detail, sizeof detail, "file=journal-%016" PRIx64 " place=%" PRIu64,
                        found->number, found->place);
    if (found->first_op != 0)
        snprintf(detail + used, sizeof detail - (size_t)used,
                 " first_op=%" PRIu64 " last_op=%" PRIu64, found->first_op, found->last_op);
    n->io.log(n->io.ctx, level, event, detail);
}

void node_on_journal_checked(struct node *n, const struct node_checked *found)
{
    struct node_scrub *s = &n->scrub;
    NODE_RECORD(n, checked, .number = found->number, .place = found->place,
                .rotten = found->rotten, .first_op = found->first_op, .last_op = found->last_op);
    assert(n->checkpoint.busy && s->rotten == 0);
    if (n->vr.bare) node_give_back(n, s->check.window.bytes, s->check.window.capacity);
    s->check.number = found->number;
    s->check.place = found->place;
    if (!found->rotten) return;
    s->rotten = found->number;
    s->rot_found++;
    vr_mark(&n->vr, VR_MARK_journal_rots, "segment=%" PRIu64 " place=%" PRIu64, found->number,
            found->place);
    say(n, LOG_LEVEL_ERROR, "journal-rotten", found);
    vr_checkpoint_soon(&n->vr);
}

void node_scrub_freed(struct node *n, uint64_t below)
{
    struct node_scrub *s = &n->scrub;
    s->first = below;
    if (s->rotten == 0 || s->rotten >= below) return;
    say(n, LOG_LEVEL_INFO, "journal-mended", &(struct node_checked){.number = s->rotten,
                                                                  .place = s->check.place});
    s->rotten = 0;
}

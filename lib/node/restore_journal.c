/* SPDX-License-Identifier: BSD-2-Clause */
/* Replaying the journal, batch by batch (journal_walk.h).
 *
 * A batch that is damaged, but named by its successor, is replayed as far as its records check;
 * where they do not, a hard state is taken from its successor's head, and of an entry the header:
 * the rest others must give (vr/mend.c).  A batch that nothing names is damage, and the torn end of
 * the last write is passed over. */
#include <inttypes.h>
#include <stdio.h>

#include "base/assert.h"
#include "node/journal.h"
#include "node/node_state.h"

struct restoring {
    struct node *n;
    const struct node_source *source;
    struct journal_walk walk;
    bool lacks_entry; /* of this batch a body is lost */
    char loss[128];   /* the first of those that are, and the segment it is in; "": none is */
    uint64_t loss_number;
};

static void fail(struct restoring *x, int rv, const char *text)
{
    assert(x->walk.rv == 0);
    vstamp_diag_printf(x->walk.diag, "%s", text);
    x->walk.rv = rv;
}

static void damaged(struct restoring *x, uint64_t place)
{
    char text[48];
    snprintf(text, sizeof text, "damaged at byte %" PRIu64, place);
    fail(x, VSTAMP_E_CORRUPT, text);
}

/* Of what is read most may be zeros: a recording does without those at the end. */
static int read_and_record(void *ctx, uint64_t number, uint64_t place, void *buffer, size_t size,
                           size_t *got, struct vstamp_diag *diag)
{
    const struct restoring *x = ctx;
    const struct node *n = x->n;
    int rv = x->source->read(x->source->ctx, number, place, buffer, size, got, diag);
    if (n->io.record == NULL) return rv;
    size_t left = *got;
    while (left > 0 && ((const uint8_t *)buffer)[left - 1] == 0) left--;
    node_record_file(n, (struct bytes){buffer, left});
    NODE_RECORD(n, read, .number = number, .place = place, .size = *got, .failed = rv != 0);
    return rv;
}

/* --- replaying -------------------------------------------------------------------------------- */

static int replay_state(struct node *n, size_t size, struct bytes body)
{
    struct wire_hard_state state;
    if (wire_decode(&wire_shape_hard_state, body, &state) != 0) return VSTAMP_E_CORRUPT;
    node_outline_add(&n->journal, JOURNAL_HARD_STATE, size, body);
    if (vstamp_id_is_zero(state.group)) n->restore.forgotten = true;
    return vr_restore_state(&n->vr, &state);
}

/* An entry of which the header is all there is. */
static int replay_hole(struct node *n, enum journal_kind kind, size_t size, struct bytes body)
{
    struct wire_entry_outline outline;
    if (wire_decode(&wire_shape_entry_outline, body, &outline) != 0) return VSTAMP_E_CORRUPT;
    node_outline_add(&n->journal, kind, size, body);
    return vr_restore_hole(&n->vr, &outline);
}

static int replay_record(struct node *n, enum journal_kind kind, size_t size, struct bytes body)
{
    struct wire_journal_entry record;
    if (kind == JOURNAL_HARD_STATE) return replay_state(n, size, body);
    if (kind == JOURNAL_HOLE) {
        vr_mark(&n->vr, VR_MARK_hole_is_read_back, "segment=%" PRIu64, n->journal.segment);
        return replay_hole(n, kind, size, body);
    }
    if (kind != JOURNAL_ENTRY || wire_decode(&wire_shape_journal_entry, body, &record) != 0)
        return VSTAMP_E_CORRUPT;
    node_outline_add_entry(&n->journal, size, &record);
    return vr_restore_entry(&n->vr, record.commit, &record.entry);
}

static void judge(struct restoring *x, int rv, uint64_t place)
{
    if (rv == 0) return;
    if (rv == VSTAMP_E_VERSION) {
        fail(x, rv, "holds entries in a later version of the protocol than this program speaks: "
                    "run the release that wrote them");
        return;
    }
    if (rv != VSTAMP_E_NO_ROOM) {
        damaged(x, place);
        return;
    }
    fail(x, VSTAMP_E_CONFIG, "holds more entries than the log has room for: give it the log_bytes "
                             "and checkpoint_ops that it was started with, or larger ones");
}

static void batch_done(struct restoring *x, const struct journal_batch *batch)
{
    struct node_journal *j = &x->n->journal;
    journal_walk_pass(&x->walk, batch);
    j->before = x->walk.before;
    j->sequence = x->walk.sequence;
    j->place = x->walk.place;
}

static void replay_whole(struct restoring *x, const struct journal_batch *batch)
{
    struct journal_reader r = journal_walk_records(&x->walk, batch);
    enum journal_kind kind;
    struct bytes body;
    node_outline_begin(&x->n->journal);
    for (size_t from = r.place; journal_next(&r, &kind, &body) == JOURNAL_RECORD; from = r.place) {
        judge(x, replay_record(x->n, kind, r.place - from, body), batch->is.place + from);
        if (x->walk.rv != 0) return;
    }
    batch_done(x, batch);
}

static void entry_damaged(struct restoring *x, uint64_t op)
{
    struct node *n = x->n;
    char text[128];
    vr_mark(&n->vr, VR_MARK_entry_is_rotten, "op=%" PRIu64, op);
    x->lacks_entry = true;
    if (x->loss[0] == '\0') {
        snprintf(x->loss, sizeof x->loss, "damaged at byte %" PRIu64 ", in entry %" PRIu64,
                 n->journal.place, op);
        x->loss_number = x->walk.number;
    }
    snprintf(text, sizeof text, "op=%" PRIu64 " segment=%" PRIu64 " place=%" PRIu64, op,
             x->walk.number, n->journal.place);
    n->io.log(n->io.ctx, LOG_LEVEL_WARN, "entry-damaged", text);
}

/* A record that does not check, but that the head of the next batch describes. */
static void replay_named_record(struct restoring *x, const struct wire_batch_item *item)
{
    struct node *n = x->n;
    struct wire_entry_outline outline;
    if (item->kind == JOURNAL_HARD_STATE) {
        vr_mark(&n->vr, VR_MARK_hard_state_read_from_next_head, "segment=%" PRIu64,
                x->walk.number);
        judge(x, replay_state(n, item->size, item->content), n->journal.place);
        return;
    }
    if ((item->kind != JOURNAL_ENTRY && item->kind != JOURNAL_HOLE) ||
        wire_decode(&wire_shape_entry_outline, item->content, &outline) != 0) {
        damaged(x, n->journal.place);
        return;
    }
    if (item->kind == JOURNAL_ENTRY) entry_damaged(x, outline.header.op);
    judge(x, replay_hole(n, (enum journal_kind)item->kind, item->size, item->content),
          n->journal.place);
}

/* A damaged batch, by what the head of the next one says that it held. */
static void replay_named(struct restoring *x, const struct journal_batch *batch)
{
    struct journal_reader r = journal_walk_records(&x->walk, batch);
    struct reader items = wire_list_start(&batch->named);
    node_outline_begin(&x->n->journal);
    x->lacks_entry = false;
    for (uint32_t i = 0; i < batch->named.count && x->walk.rv == 0; i++) {
        struct wire_batch_item item;
        struct bytes body;
        uint64_t place = x->n->journal.place = batch->is.place + r.place;
        if (journal_walk_named(&r, &items, &item, &body))
            judge(x, replay_record(x->n, (enum journal_kind)item.kind, item.size, body), place);
        else
            replay_named_record(x, &item);
    }
    if (x->walk.rv != 0) return;
    batch_done(x, batch);
    if (x->lacks_entry) return;
    char detail[96];
    snprintf(detail, sizeof detail, "segment=%" PRIu64 " place=%" PRIu64, batch->is.number,
             batch->is.place);
    x->n->io.log(x->n->io.ctx, LOG_LEVEL_WARN, "journal-damage-mended", detail);
}

/* --- batches and segments --------------------------------------------------------------------- */

static void tail_dropped(struct restoring *x)
{
    struct node *n = x->n;
    uint64_t number = x->walk.number, place = x->walk.place;
    char detail[160];
    if (place == 0) {
        vr_mark(&n->vr, VR_MARK_first_write_torn, "segment=%" PRIu64, number);
    } else {
        vr_mark(&n->vr, VR_MARK_torn_tail_cut, "segment=%" PRIu64 " at=%" PRIu64, number, place);
    }
    snprintf(detail, sizeof detail,
             "segment=%" PRIu64 " place=%" PRIu64
             " reason=\"the last write was not finished, nobody was told it was\"",
             number, place);
    n->io.log(n->io.ctx, LOG_LEVEL_WARN, "journal-tail-dropped", detail);
}

/* False when the journal ends here, or cannot be read on. */
static bool restore_batch(struct restoring *x)
{
    struct journal_batch batch;
    switch (journal_walk_look(&x->walk, &batch)) {
    case JOURNAL_BATCH_WHOLE:
        replay_whole(x, &batch);
        return x->walk.rv == 0;
    case JOURNAL_BATCH_NAMED:
        replay_named(x, &batch);
        return x->walk.rv == 0;
    case JOURNAL_BATCH_LOST:
        damaged(x, x->walk.place);
        return false;
    case JOURNAL_BATCH_TORN:
        tail_dropped(x);
        return false;
    case JOURNAL_BATCH_NOTHING:
        break;
    }
    return false;
}

static void restore_segment(struct restoring *x, uint64_t number)
{
    struct journal_walk *w = &x->walk;
    struct journal_head head;
    bool any = journal_walk_segment(w, number, &head);
    x->n->journal.segment = number;
    x->n->journal.place = 0;
    if (number < w->last && w->end == UINT64_MAX && w->rv == 0) {
        w->number = number + 1;
        fail(x, VSTAMP_E_CORRUPT, "is missing, or damaged throughout");
    }
    if (any && w->rv == 0) w->rv = node_is_ours(x->n, &head.is.owner, w->diag);
    while (w->rv == 0 && w->place < w->end) {
        if (!restore_batch(x)) break;
    }
    if (w->rv == 0 && number < w->last && w->place != w->end) damaged(x, w->place);
}

/* A damaged entry is with others, unless there are none, as all that was read says: a group that
 * began with one replica may have grown, and shrunk.  Who was replaced by one is not alone; nor is
 * who took the place of others, and has logged nothing since: they wait for it to begin (7.3). */
static void judge_loss(struct restoring *x)
{
    const struct vr *r = &x->n->vr;
    bool alone = r->config.n_replicas == 1 && r->config.self != NOT_A_MEMBER &&
                 (r->epoch == 0 || r->log.op > r->membership.op);
    if (x->loss[0] == '\0' || r->log.n_holes == 0 || !alone) return;
    x->walk.number = x->loss_number;
    fail(x, VSTAMP_E_CORRUPT, x->loss);
}

static void restore_journal(struct restoring *x, uint64_t first, uint64_t last)
{
    struct node *n = x->n;
    if (first < n->restore.checkpoint) first = n->restore.checkpoint; /* which says all before */
    if (first > last) return;
    n->restore.first = first;
    n->journal.segment = first - 1;
    journal_walk_begin(&x->walk, first, last);
    if (x->walk.rv == 0 && n->restore.checkpoint == 0 && first > 1) {
        x->walk.number = first;
        fail(x, VSTAMP_E_CORRUPT, "the checkpoint before the journal is missing");
    }
    for (uint64_t number = first; number <= x->walk.last && x->walk.rv == 0; number++) {
        restore_segment(x, number);
    }
    if (x->walk.rv == 0) judge_loss(x);
}

int node_restore_journal(struct node *n, uint64_t first, uint64_t last,
                         const struct node_source *source, uint64_t *number,
                         struct vstamp_diag *diag)
{
    NODE_RECORD(n, journal, .first = first, .last = last);
    struct restoring x = {.n = n, .source = source};
    const struct node_source recorded = {.ctx = &x, .read = read_and_record};
    x.walk = (struct journal_walk){.source = &recorded,
                                   .window = &n->restore.window,
                                   .batch_size_max = n->restore.batch_size_max,
                                   .names = n->journal.buffers[0],
                                   .oldest = n->vr.config.oldest,
                                   .newest = n->vr.config.newest,
                                   .diag = diag};
    if (first > 0) restore_journal(&x, first, last);
    *number = x.walk.number;
    node_note_result(n, x.walk.rv, n->journal.place);
    node_record_outputs(n);
    return x.walk.rv;
}

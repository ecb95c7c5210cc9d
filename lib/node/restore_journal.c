/* SPDX-License-Identifier: BSD-2-Clause */
/* Replaying the journal, batch by batch, through a window of bounded size.
 *
 *   this batch   sound head behind it   it is
 *   sound        (not looked for)       replayed
 *   damaged      yes, its successor's   replayed as far as its records check; the successor's head
 *                                       says what the others were: a hard state it holds in full,
 *                                       an entry it names
 *   damaged      yes, but of a later    lost, and nothing says what it held: damage
 *                one only
 *   damaged      none                   the last write, not finished: nobody was told that it was
 *
 * Where a segment ends the heads of the next one say; what stands behind that was dropped by the
 * start that wrote them, and stays dropped whatever it looks like now. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "node/journal.h"
#include "node/node_state.h"

struct restoring {
    struct node *n;
    const struct node_source *source;
    uint64_t number, last; /* the segment that is read, and the newest one that was begun */
    uint64_t end;          /* of the segment, UINT64_MAX: not known */
    uint64_t life;         /* of the segment, 0: of whatever head there is */
    bool any;              /* a batch was replayed */
    struct vstamp_diag *diag;
    int rv; /* of what went wrong, then nothing more is read */
};

static void fail(struct restoring *x, int rv, const char *text)
{
    if (x->rv != 0) return;
    vstamp_diag_printf(x->diag, "%s", text);
    x->rv = rv;
}

static void damaged(struct restoring *x, uint64_t place)
{
    if (x->rv == 0) x->rv = node_corrupt(x->diag, (size_t)place);
}

/* --- looking ---------------------------------------------------------------------------------- */

/* Most of a segment that is read may be zeros: a recording does without those at the end. */
static void record_read(const struct node *n, bool failed)
{
    const struct node_window *w = &n->restore.window;
    if (n->io.record == NULL) return;
    size_t size = w->size;
    while (size > 0 && w->bytes[size - 1] == 0) size--;
    node_record_file(n, (struct bytes){w->bytes, size});
    NODE_RECORD(n, read, .number = w->number, .place = w->place, .size = w->size, .failed = failed);
}

static void load_window(struct restoring *x, uint64_t number, uint64_t place)
{
    struct node_window *w = &x->n->restore.window;
    w->number = number;
    w->place = place / JOURNAL_BLOCK * JOURNAL_BLOCK;
    w->size = 0;
    int rv = x->source->read(x->source->ctx, number, w->place, w->bytes, w->capacity, &w->size,
                             x->diag);
    if (rv != 0 && x->rv == 0) x->rv = rv;
    record_read(x->n, rv != 0);
}

/* Up to `size` bytes of a segment, fewer where it ends; they stay until the next look. */
static struct bytes look(struct restoring *x, uint64_t number, uint64_t place, size_t size)
{
    struct node_window *w = &x->n->restore.window;
    bool there = w->number == number && place >= w->place && place + size <= w->place + w->size;
    if (!there && x->rv == 0) load_window(x, number, place);
    if (x->rv != 0 || place < w->place || place - w->place >= w->size) return (struct bytes){0};
    size_t at = (size_t)(place - w->place);
    return (struct bytes){w->bytes + at, size < w->size - at ? size : w->size - at};
}

struct head {
    struct wire_batch_head is; /* its list is only there until the next look */
    size_t size;               /* of its record */
};

/* Its version is where it is in every version. */
static bool is_of_this_version(struct restoring *x, struct bytes body)
{
    struct reader r = reader_over(body.data, body.size);
    uint32_t version = read_u32(&r);
    if (version == JOURNAL_VERSION) return true;
    if (r.ok && x->rv == 0) {
        vstamp_diag_printf(x->diag, "format %u, this program reads format %u", version,
                           JOURNAL_VERSION);
        x->rv = VSTAMP_E_VERSION;
    }
    return false;
}

static bool head_at(struct restoring *x, uint64_t number, uint64_t place, struct head *head)
{
    struct bytes b = look(x, number, place, JOURNAL_HEADER_SIZE);
    struct reader r = reader_over(b.data, b.size);
    size_t size = (size_t)read_u32(&r) + JOURNAL_RECORD_OVERHEAD;
    if (read_u32(&r) != JOURNAL_BATCH || !r.ok || size > x->n->restore.batch_size_max) return false;
    b = look(x, number, place, size);
    struct journal_reader record = {.file = b, .number = number, .base = place};
    enum journal_kind kind;
    struct bytes body;
    if (journal_next(&record, &kind, &body) != JOURNAL_RECORD || !is_of_this_version(x, body) ||
        wire_decode(&wire_shape_batch_head, body, &head->is) != 0) {
        return false;
    }
    head->size = record.place;
    return head->is.owner.number == number && head->is.size >= head->size &&
           head->is.size <= x->n->restore.batch_size_max &&
           (x->life == 0 || head->is.life == x->life);
}

/* The first sound head at or behind a place of a segment. */
static bool find_head(struct restoring *x, uint64_t number, uint64_t from, struct head *head)
{
    uint64_t place = (from + JOURNAL_BLOCK - 1) / JOURNAL_BLOCK * JOURNAL_BLOCK;
    while (x->rv == 0 && look(x, number, place, 1).size > 0) {
        if (head_at(x, number, place, head)) return true;
        place += JOURNAL_BLOCK;
    }
    return false;
}

/* The same, there or in a later segment. */
static bool find_later(struct restoring *x, uint64_t from, struct head *head)
{
    if (find_head(x, x->number, from, head)) return true;
    uint64_t life = x->life;
    bool found = false;
    x->life = 0;
    for (uint64_t number = x->number + 1; !found && number <= x->last; number++) {
        found = find_head(x, number, 0, head);
    }
    x->life = life;
    return found;
}

/* --- replaying -------------------------------------------------------------------------------- */

static int replay_state(struct node *n, size_t size, struct bytes body)
{
    struct wire_hard_state state;
    if (wire_decode(&wire_shape_hard_state, body, &state) != 0) return VSTAMP_E_CORRUPT;
    node_outline_add(&n->journal, JOURNAL_HARD_STATE, size, body);
    return vr_restore_state(&n->vr, &state);
}

static int replay_record(struct node *n, enum journal_kind kind, size_t size, struct bytes body)
{
    struct wire_journal_entry record;
    if (kind == JOURNAL_HARD_STATE) return replay_state(n, size, body);
    if (kind != JOURNAL_ENTRY || wire_decode(&wire_shape_journal_entry, body, &record) != 0)
        return VSTAMP_E_CORRUPT;
    node_outline_add_entry(&n->journal, size, &record);
    return vr_restore_entry(&n->vr, record.commit, &record.entry);
}

static void judge(struct restoring *x, int rv, uint64_t place)
{
    if (rv == 0) return;
    if (rv != VSTAMP_E_NO_ROOM) {
        damaged(x, place);
        return;
    }
    fail(x, VSTAMP_E_CONFIG, "holds more entries than the log has room for: give it the log_bytes "
                             "and checkpoint_ops that it was started with, or larger ones");
}

static void batch_done(struct restoring *x, const struct node_batch *batch, uint64_t sequence)
{
    struct node_journal *j = &x->n->journal;
    j->before = *batch;
    j->sequence = sequence;
    j->place = (batch->place + batch->size + JOURNAL_BLOCK - 1) / JOURNAL_BLOCK * JOURNAL_BLOCK;
    x->any = true;
}

static struct journal_reader records_of(struct restoring *x, const struct node_batch *batch,
                                        uint64_t sequence)
{
    return (struct journal_reader){
        .file = look(x, batch->number, batch->place, (size_t)batch->size),
        .number = journal_batch_identity(batch->life, sequence),
        .place = (size_t)batch->head};
}

static bool is_whole(struct restoring *x, const struct node_batch *batch, uint64_t sequence)
{
    struct journal_reader r = records_of(x, batch, sequence);
    enum journal_kind kind;
    struct bytes body;
    if (r.file.size < batch->size) return false;
    for (;;) {
        enum journal_status status = journal_next(&r, &kind, &body);
        if (status != JOURNAL_RECORD) return status == JOURNAL_END;
    }
}

static void replay_whole(struct restoring *x, const struct node_batch *batch, uint64_t sequence)
{
    struct journal_reader r = records_of(x, batch, sequence);
    enum journal_kind kind;
    struct bytes body;
    node_outline_begin(&x->n->journal);
    for (size_t from = r.place; journal_next(&r, &kind, &body) == JOURNAL_RECORD; from = r.place) {
        judge(x, replay_record(x->n, kind, r.place - from, body), batch->place + from);
        if (x->rv != 0) return;
    }
    batch_done(x, batch, sequence);
}

static void replay_hole(struct restoring *x, const struct wire_batch_item *item)
{
    struct wire_entry_outline outline;
    char text[96];
    if (item->kind == JOURNAL_HARD_STATE) {
        vr_mark(&x->n->vr, VR_MARK_hard_state_read_from_next_head, "segment=%" PRIu64, x->number);
        judge(x, replay_state(x->n, item->size, item->content), x->n->journal.place);
        return;
    }
    if (item->kind != JOURNAL_ENTRY ||
        wire_decode(&wire_shape_entry_outline, item->content, &outline) != 0) {
        damaged(x, x->n->journal.place);
        return;
    }
    vr_mark(&x->n->vr, VR_MARK_entry_is_rotten, "op=%" PRIu64, outline.header.op);
    snprintf(text, sizeof text, "damaged at byte %" PRIu64 ", in entry %" PRIu64,
             x->n->journal.place, outline.header.op);
    fail(x, VSTAMP_E_CORRUPT, text);
}

/* What the batch held is said by the head behind it. */
static void replay_named(struct restoring *x, const struct node_batch *batch, uint64_t sequence,
                         const struct wire_list *named)
{
    struct journal_reader r = records_of(x, batch, sequence);
    struct reader items = wire_list_start(named);
    node_outline_begin(&x->n->journal);
    for (uint32_t i = 0; i < named->count && x->rv == 0; i++) {
        struct wire_batch_item item;
        wire_list_next(&wire_shape_batch_item, &items, &item);
        size_t from = r.place;
        enum journal_kind kind;
        struct bytes body;
        x->n->journal.place = batch->place + from;
        if (from <= r.file.size && journal_next(&r, &kind, &body) == JOURNAL_RECORD &&
            kind == item.kind && r.place - from == item.size) {
            judge(x, replay_record(x->n, kind, item.size, body), batch->place + from);
        } else {
            replay_hole(x, &item);
        }
        r.place = from + item.size;
    }
    if (x->rv != 0) return;
    batch_done(x, batch, sequence);
    char detail[96];
    snprintf(detail, sizeof detail, "segment=%" PRIu64 " place=%" PRIu64, batch->number,
             batch->place);
    x->n->io.log(x->n->io.ctx, NODE_LOG_WARN, "journal-damage-mended", detail);
}

/* --- batches and segments --------------------------------------------------------------------- */

/* Is this the successor of the batch that was replayed last? */
static bool follows(const struct restoring *x, const struct wire_batch_head *head)
{
    const struct node_journal *j = &x->n->journal;
    return !x->any || (head->sequence == j->sequence + 1 &&
                       head->before_number == j->before.number &&
                       head->before_place == j->before.place);
}

static void tail_dropped(struct restoring *x, uint64_t place)
{
    struct node *n = x->n;
    char detail[160];
    if (place == 0) {
        vr_mark(&n->vr, VR_MARK_first_write_torn, "segment=%" PRIu64, x->number);
    } else {
        vr_mark(&n->vr, VR_MARK_torn_tail_cut, "segment=%" PRIu64 " at=%" PRIu64, x->number, place);
    }
    snprintf(detail, sizeof detail,
             "segment=%" PRIu64 " place=%" PRIu64
             " reason=\"the last write was not finished, nobody was told it was\"",
             x->number, place);
    n->io.log(n->io.ctx, NODE_LOG_WARN, "journal-tail-dropped", detail);
}

/* False when the journal ends here, or cannot be read on. */
static bool restore_batch(struct restoring *x, uint64_t place)
{
    struct head head, later;
    struct node_journal *j = &x->n->journal;
    bool sound = head_at(x, x->number, place, &head) && follows(x, &head.is);
    uint64_t from = place + JOURNAL_BLOCK;
    if (sound) {
        struct node_batch batch = {.number = x->number, .place = place, .size = head.is.size,
                                   .head = head.size, .life = head.is.life};
        if (is_whole(x, &batch, head.is.sequence)) {
            replay_whole(x, &batch, head.is.sequence);
            return x->rv == 0;
        }
        from = place + batch.size;
    }
    if (!find_later(x, from, &later)) {
        if (sound && x->rv == 0) tail_dropped(x, place);
        return false;
    }
    const struct wire_batch_head *l = &later.is;
    if (l->before_number != x->number || l->before_place != place ||
        l->before.encoded.size > x->n->restore.batch_size_max ||
        l->before_size > x->n->restore.batch_size_max || l->before_head > l->before_size) {
        damaged(x, place);
        return false;
    }
    struct node_batch batch = {.number = x->number, .place = place, .size = l->before_size,
                               .head = l->before_head, .life = l->before_life};
    struct wire_list named = {.count = l->before.count,
                              .encoded = {j->buffers[0], l->before.encoded.size}};
    memcpy(j->buffers[0], l->before.encoded.data, named.encoded.size);
    replay_named(x, &batch, l->sequence - 1, &named);
    return x->rv == 0;
}

static void restore_segment(struct restoring *x)
{
    struct node_journal *j = &x->n->journal;
    struct head head;
    x->life = 0;
    x->end = UINT64_MAX;
    if (x->number < x->last) {
        if (find_head(x, x->number + 1, 0, &head)) x->end = head.is.owner.previous_size;
        else fail(x, VSTAMP_E_CORRUPT, "is missing, or damaged throughout");
    }
    if (x->rv == 0 && x->end > 0 && find_head(x, x->number, 0, &head)) {
        int rv = node_is_ours(x->n, &head.is.owner, x->diag);
        if (x->rv == 0) x->rv = rv;
        x->life = head.is.life;
    }
    j->segment = x->number;
    j->place = 0;
    while (x->rv == 0 && j->place < x->end) {
        if (!restore_batch(x, j->place)) break;
    }
    if (x->rv == 0 && x->number < x->last && j->place != x->end) damaged(x, j->place);
}

/* Segments are made before they are needed: which is the newest that anything was written to? */
static uint64_t newest_begun(struct restoring *x, uint64_t first, uint64_t last)
{
    struct head head;
    for (uint64_t number = last; number >= first && x->rv == 0; number--) {
        x->number = number;
        if (find_head(x, number, 0, &head)) return number;
    }
    return first - 1;
}

static void restore_journal(struct restoring *x, uint64_t first, uint64_t last)
{
    struct node *n = x->n;
    if (first < n->restore.checkpoint) first = n->restore.checkpoint; /* which says all before */
    if (first > last) return;
    n->restore.first = first;
    n->journal.segment = first - 1;
    x->last = newest_begun(x, first, last);
    if (x->rv == 0 && n->restore.checkpoint == 0 && first > 1) {
        x->number = first;
        x->rv = node_lacks_checkpoint(x->diag);
    }
    for (uint64_t number = first; number <= x->last && x->rv == 0; number++) {
        x->number = number;
        restore_segment(x);
    }
}

int node_restore_journal(struct node *n, uint64_t first, uint64_t last,
                         const struct node_source *source, uint64_t *number,
                         struct vstamp_diag *diag)
{
    NODE_RECORD(n, journal, .first = first, .last = last);
    struct restoring x = {.n = n, .source = source, .diag = diag};
    if (first > 0) restore_journal(&x, first, last);
    *number = x.number;
    node_note_result(n, x.rv, n->journal.place);
    node_record_outputs(n);
    return x.rv;
}

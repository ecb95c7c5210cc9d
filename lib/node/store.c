/* SPDX-License-Identifier: BSD-2-Clause */
/* The durable side of a node: what the core persists becomes records, records become jobs.
 *
 * Journal.  Records gather in one buffer while the other is being written: what arrives during a
 * write is the next write (group commit without a timer).  Replaying all records in order gives the
 * state back.  A hard state says all that the one before it said, so it takes its place as long as
 * that is the newest record and not on its way to the disk: the buffer holds however long a write
 * hangs, and however many views pass.  Only that we are blank must stay said: it voids what an
 * older file holds.
 *
 * Checkpoints.  When the core has taken one, a new segment begins with the hard state and the
 * entries above the checkpoint, so that checkpoint and new segment together say all; then the pages
 * go to a file, some at a time, while operations go on (pages.h keeps their old content).  The file
 * has the number of that segment, so that it can be seen at a start whether both are there; numbers
 * only rise, whatever checkpoint of whatever peer comes next.  It takes effect, and the old
 * segments go, only once the new segment's first records are durable. */
#include <inttypes.h>
#include <string.h>

#include "base/assert.h"
#include "node/journal.h"
#include "node/node_state.h"

#define CHECKPOINT_CHUNK (256u << 10)
#define STATE_RESERVE 4096u /* for the hard state that may follow any entry */
#define NO_STATE SIZE_MAX

static size_t journal_capacity(const struct vr_config *c)
{
    return STATE_RESERVE + 2 * (c->pipeline + PIPELINE_MAX / 4) * ((size_t)c->batch_bytes + 256);
}

void node_store_init(struct node *n, struct arena *arena)
{
    struct node_journal *j = &n->journal;
    j->capacity = journal_capacity(&n->config);
    j->buffers[0] = arena_take(arena, j->capacity, 1);
    j->buffers[1] = arena_take(arena, j->capacity, 1);
    n->checkpoint.capacity = CHECKPOINT_CHUNK;
    n->checkpoint.buffer = arena_take(arena, CHECKPOINT_CHUNK, 1);
    j->pending = writer_over(j->buffers[0], j->capacity);
    j->trailing_state = NO_STATE;
}

static void put(struct node *n, enum journal_kind kind, const struct wire_shape *shape,
                const void *record)
{
    struct node_journal *j = &n->journal;
    uint64_t place = j->place + j->pending.size;
    bool fits = journal_put(&j->pending, j->segment, place, kind, shape, record);
    assert(fits);
    j->trailing_state = NO_STATE;
}

static void put_state(struct node *n)
{
    const struct vr *r = &n->vr;
    uint8_t vector[VR_CRASH_VECTOR_BYTES], tokens[VR_TOKENS_BYTES];
    struct wire_hard_state state = {
        .group = r->has_hard_state ? r->group : (struct vstamp_id){0},
        .epoch = r->epoch,
        .view = r->view,
        .log_view = r->log_view,
        .op = r->log.op,
        .checksum = log_last(&r->log)->checksum,
        .commit = r->commit,
        .crash_vector = vr_crash_vector_list(r, vector, sizeof vector),
        .tokens = vr_token_list(r, r->has_hard_state ? r->formed_with : r->tokens, tokens,
                                sizeof tokens)};
    struct node_journal *j = &n->journal;
    bool blank = !r->has_hard_state;
    if (j->trailing_state != NO_STATE && j->trailing_blank == blank) {
        vr_mark(&n->vr, VR_MARK_hard_state_overtakes_another, "view=%" PRIu64, r->view);
        j->pending.size = j->trailing_state;
    }
    size_t here = j->pending.size;
    put(n, JOURNAL_HARD_STATE, &wire_shape_hard_state, &state);
    j->trailing_state = here;
    j->trailing_blank = blank;
}

static void put_entry(struct node *n, uint64_t op)
{
    struct wire_journal_entry record = {.commit = n->vr.commit,
                                        .entry = {.header = log_at(&n->vr.log, op)->header,
                                                  .body = log_body(&n->vr.log, op)}};
    put(n, JOURNAL_ENTRY, &wire_shape_journal_entry, &record);
}

/* What it says of the segment before lets a missing or shortened file be noticed at a start: each
 * file in itself looks sound. */
static void begin_segment(struct node *n)
{
    struct node_journal *j = &n->journal;
    assert(j->pending.size == 0);
    struct wire_segment record = {.version = JOURNAL_VERSION,
                                  .replica = n->config.self,
                                  .number = j->segment + 1,
                                  .members = n->config.members,
                                  .group = n->vr.group,
                                  .previous_size = j->place};
    j->segment++;
    j->place = 0;
    put(n, JOURNAL_SEGMENT, &wire_shape_segment, &record);
}

/* A start continues in a segment of its own: nothing is ever appended behind a torn tail. */
void node_store_start(struct node *n)
{
    begin_segment(n);
}

void node_persist_entry(void *ctx, uint64_t op)
{
    struct node *n = ctx;
    put_entry(n, op);
    n->journal.pending_position = n->vr.persisted;
}

void node_persist_state(void *ctx)
{
    struct node *n = ctx;
    put_state(n);
    n->journal.pending_position = n->vr.persisted;
}

bool node_journal_room(void *ctx, size_t size)
{
    const struct node *n = ctx;
    const struct writer *w = &n->journal.pending;
    size_t needed = size + (size / 64 + 1) * 8 + 256 + STATE_RESERVE;
    return w->capacity - w->size >= needed;
}

void node_store_checkpoint(void *ctx)
{
    struct node *n = ctx;
    assert(n->checkpoint.step == NODE_CHECKPOINT_NONE);
    n->checkpoint.step = NODE_CHECKPOINT_WANTED;
}

static void start_job(struct node *n, enum node_lane lane, const struct node_job *job)
{
    node_note_job(n, lane, job);
    n->io.store(n->io.ctx, lane, job);
}

static void start_append(struct node *n)
{
    struct node_journal *j = &n->journal;
    if (j->writing || j->pending.size == 0) return;
    struct node_job job = {.kind = NODE_JOB_APPEND,
                           .number = j->segment,
                           .data = {j->pending.start, j->pending.size}};
    j->writing = true;
    j->writing_position = j->pending_position;
    j->writing_segment = j->segment;
    j->place += j->pending.size;
    j->trailing_state = NO_STATE;
    j->filling ^= 1;
    j->pending = writer_over(j->buffers[j->filling], j->capacity);
    start_job(n, NODE_LANE_JOURNAL, &job);
}

/* Room for the hard state and the entries above the checkpoint. */
static size_t first_records_size(const struct vr *r)
{
    size_t size = 4096;
    for (uint64_t op = r->checkpoint_op + 1; op <= r->log.op; op++) {
        size += log_body(&r->log, op).size + 256;
    }
    return size;
}

/* The checkpoint's segment: from here on the journal says what the checkpoint does not. */
static void start_checkpoint(struct node *n)
{
    struct node_checkpoint *c = &n->checkpoint;
    if (c->step != NODE_CHECKPOINT_WANTED || n->journal.pending.size > 0) return;
    const struct vr *r = &n->vr;
    if (!node_journal_room(n, first_records_size(r))) {
        /* the log went far ahead while the disk was busy */
        vr_mark(&n->vr, VR_MARK_checkpoint_taken_anew, "op=%" PRIu64, r->applied);
        vr_checkpoint_anew(&n->vr);
        if (!node_journal_room(n, first_records_size(r))) return; /* until more is committed */
    }
    begin_segment(n);
    if (r->has_hard_state) put_state(n);
    for (uint64_t op = r->checkpoint_op + 1; op <= r->log.op; op++) put_entry(n, op);
    *c = (struct node_checkpoint){.step = NODE_CHECKPOINT_BEGIN,
                                  .busy = true,
                                  .number = n->journal.segment,
                                  .buffer = c->buffer,
                                  .capacity = c->capacity};
    struct node_job job = {.kind = NODE_JOB_CHECKPOINT_BEGIN, .number = c->number};
    start_job(n, NODE_LANE_CHECKPOINT, &job);
}

/* Fill the buffer with the next records of the checkpoint file. */
static struct bytes next_chunk(struct node *n)
{
    struct node_checkpoint *c = &n->checkpoint;
    const struct pages *pages = &n->vr.pages;
    struct writer w = writer_over(c->buffer, c->capacity);
    if (c->place == 0) {
        struct wire_segment whose = {.version = JOURNAL_VERSION,
                                     .replica = n->config.self,
                                     .number = c->number,
                                     .members = n->config.members,
                                     .group = n->vr.group};
        struct wire_checkpoint_head head = {.anchor = n->vr.checkpoint_anchor,
                                            .n_pages = pages->image_n_used};
        bool fits = journal_put(&w, c->number, 0, JOURNAL_SEGMENT, &wire_shape_segment, &whose) &&
                    journal_put(&w, c->number, w.size, JOURNAL_CHECKPOINT_HEAD,
                                &wire_shape_checkpoint_head, &head);
        assert(fits);
    }
    for (; c->page < pages->image_n_used; c->page++) {
        const uint8_t *content = pages_image(pages, c->page);
        if (pages_hash(content) == 0) continue;
        struct wire_page page = {.number = c->page, .content = {content, VSTAMP_PAGE_SIZE}};
        if (!journal_put(&w, c->number, c->place + w.size, JOURNAL_PAGE, &wire_shape_page, &page)) {
            break;
        }
        c->n_records++;
    }
    if (c->page == pages->image_n_used) {
        struct wire_checkpoint_tail tail = {.n_records = c->n_records};
        if (journal_put(&w, c->number, c->place + w.size, JOURNAL_CHECKPOINT_TAIL,
                        &wire_shape_checkpoint_tail, &tail)) {
            c->step = NODE_CHECKPOINT_HOLD;
            if (!c->segment_durable) {
                vr_mark(&n->vr, VR_MARK_checkpoint_waits_for_segment, "number=%" PRIu64, c->number);
            }
        }
    }
    c->place += w.size;
    return (struct bytes){c->buffer, w.size};
}

static void continue_checkpoint(struct node *n)
{
    struct node_checkpoint *c = &n->checkpoint;
    if (c->busy) return;
    struct node_job job = {.number = c->number};
    if (c->step == NODE_CHECKPOINT_PAGES) {
        job.kind = NODE_JOB_CHECKPOINT_DATA;
        job.data = next_chunk(n);
    } else if (c->step == NODE_CHECKPOINT_HOLD && c->segment_durable) {
        c->step = NODE_CHECKPOINT_END;
        job.kind = NODE_JOB_CHECKPOINT_END;
    } else {
        return;
    }
    c->busy = true;
    start_job(n, NODE_LANE_CHECKPOINT, &job);
}

void node_store_turn_end(struct node *n)
{
    if (!n->config.durable) return;
    start_append(n);
    start_checkpoint(n);
    start_append(n);
    continue_checkpoint(n);
}

static void journal_stored(struct node *n)
{
    struct node_journal *j = &n->journal;
    assert(j->writing);
    j->writing = false;
    struct node_checkpoint *c = &n->checkpoint;
    if (c->step >= NODE_CHECKPOINT_BEGIN && j->writing_segment >= c->number) {
        c->segment_durable = true;
    }
    vr_on_durable(&n->vr, j->writing_position);
}

static void checkpoint_stored(struct node *n)
{
    struct node_checkpoint *c = &n->checkpoint;
    assert(c->busy);
    c->busy = false;
    if (c->step == NODE_CHECKPOINT_BEGIN) {
        c->step = NODE_CHECKPOINT_PAGES;
    } else if (c->step == NODE_CHECKPOINT_END) {
        c->step = NODE_CHECKPOINT_NONE;
        vr_on_checkpoint_stored(&n->vr);
    }
}

void node_on_stored(struct node *n, enum node_lane lane)
{
    NODE_RECORD(n, stored, .lane = (uint8_t)lane);
    if (lane == NODE_LANE_JOURNAL) {
        journal_stored(n);
    } else {
        checkpoint_stored(n);
    }
}

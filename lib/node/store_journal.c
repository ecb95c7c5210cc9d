/* SPDX-License-Identifier: BSD-2-Clause */
/* The journal's lane.
 *
 * Records gather in one buffer while the other is being written: what arrives during a write is the
 * next write (group commit without a timer).  Replaying all records in order gives the state back.
 * A hard state says all that the one before it said, so it takes its place as long as that is the
 * newest record and not on its way to the disk: the buffer holds however long a write hangs, and
 * however many views pass.  Only that we are blank must stay said: it voids what an older file
 * holds. */
#include <inttypes.h>

#include "base/assert.h"
#include "node/journal.h"
#include "node/node_state.h"
#include "vr/witness.h"

#define STATE_RESERVE 4096u /* for the hard state that may follow any entry */
#define NO_STATE SIZE_MAX

static size_t journal_capacity(const struct vr_config *c)
{
    size_t usual = 2 * (c->pipeline + PIPELINE_MAX / 4) * ((size_t)c->batch_bytes + 256);
    /* A witness may have to begin a segment with all of its log. */
    size_t log = vr_log_bytes_min(c) + (size_t)c->log_entries * 256;
    bool witness = vr_among_witnesses(c->witnesses, c->self);
    return 2 * STATE_RESERVE + (witness && log > usual ? log + log / 8 : usual);
}

void node_journal_init(struct node *n, struct arena *arena)
{
    struct node_journal *j = &n->journal;
    const struct vr_config *c = &n->config;
    j->capacity = journal_capacity(c);
    j->gather_max = j->capacity;
    if (vr_among_witnesses(c->witnesses, c->self)) /* all that can be in flight (vr/batch.c) */
        j->gather_max = 2 * STATE_RESERVE + vr_log_bytes_min(c) / 2 + c->pipeline * 512;
    j->buffers[0] = arena_take(arena, j->capacity, 1);
    j->buffers[1] = arena_take(arena, j->capacity, 1);
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
        .group = r->has_hard_state ? r->group : r->lost_group,
        .lost = r->lost,
        .epoch = r->epoch,
        .view = r->view,
        .log_view = r->log_view,
        .op = r->log.op,
        .checksum = log_last(&r->log)->checksum,
        .commit = r->commit,
        .held = r->held,
        .crash_vector = vr_crash_vector_list(r, vector, sizeof vector),
        .taking_part = r->has_hard_state && !r->restarting,
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
void node_journal_begin_segment(struct node *n)
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

void node_journal_restate(struct node *n)
{
    const struct vr *r = &n->vr;
    if (r->has_hard_state || r->lost) put_state(n);
    for (uint64_t op = r->checkpoint_op + 1; op <= r->log.op; op++) put_entry(n, op);
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

static bool has_room(const struct writer *pending, size_t limit, size_t size)
{
    size_t needed = size + (size / 64 + 1) * 8 + 256 + STATE_RESERVE;
    return limit >= pending->size + needed;
}

bool node_journal_room(void *ctx, size_t size)
{
    const struct node *n = ctx;
    return has_room(&n->journal.pending, n->journal.gather_max, size);
}

bool node_segment_room(const struct node *n, size_t size)
{
    return has_room(&n->journal.pending, n->journal.capacity, size);
}

void node_journal_append(struct node *n)
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
    node_start_job(n, NODE_LANE_JOURNAL, &job);
}

void node_journal_stored(struct node *n)
{
    struct node_journal *j = &n->journal;
    assert(j->writing);
    j->writing = false;
    node_checkpoint_segment_stored(n, j->writing_segment);
    vr_on_durable(&n->vr, j->writing_position);
}

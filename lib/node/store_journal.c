/* SPDX-License-Identifier: BSD-2-Clause */
/* The journal's lane.
 *
 * Records gather in one buffer while the other is being written: what arrives during a write is the
 * next write (group commit without a timer).  Replaying all records in order gives the state back.
 * A hard state says all that the one before it said, so it overwrites that one while that is still
 * the newest record and not on its way to the disk: the buffer suffices however long a write hangs,
 * and however many views pass.  Only one that says that we are blank must stay: it voids what an
 * older file holds.
 *
 * What is written at once is a batch: a head, records, zeros up to a block.  No block is written
 * twice, and only one write is under way, so that a batch was begun after the one before it was on
 * stable storage.  The head names what that one holds: a start that finds a sound head behind
 * records that do not check knows that these were acknowledged, and which they were; if nothing
 * sound is behind them the write was never finished (restore_journal.c).  So that this can be told
 * of the newest batch too, a head alone, a seal, follows when nothing else did for a moment; or one
 * with a hard state, if more was executed since than the last record says (vr/pass_over.c, PO6).
 *
 * A batch has a bound, so that a start can read it with little memory; if more has gathered it is
 * cut into several, which are written one after the other. */
#include <inttypes.h>
#include <string.h>

#include "base/assert.h"
#include "base/checksum.h"
#include "node/journal.h"
#include "node/node_state.h"
#include "vr/witness.h"

/* For the hard state that may follow any entry. */
#define STATE_RESERVE (4096u + VR_MEMBERSHIP_BYTES)
#define NO_STATE SIZE_MAX
#define BATCH_RECORDS_MIN (64u << 10) /* bytes of records that a batch takes at least */
#define HEAD_OVERHEAD 1024u           /* a head without what it says of the batch before */
#define SEAL_US UINT64_C(20000)
#define WRITE_KEPT (256u << 10) /* of a witness's buffer that was written */

/* Bytes of entries that the log of a witness holds. */
static size_t witness_log(const struct vr_config *c)
{
    return c->witness_log_bytes < c->log_bytes ? c->witness_log_bytes : c->log_bytes;
}

/* Of the records that a segment begins with, and of those that gather meanwhile. */
static size_t usual_capacity(const struct vr_config *c)
{
    return 2 * STATE_RESERVE +
           2 * (c->pipeline + IN_FLIGHT_BATCHES) * ((size_t)c->batch_bytes + 256);
}

/* A witness may have to begin a segment with all of its log. */
static size_t witness_capacity(const struct vr_config *c)
{
    size_t log = witness_log(c) + (size_t)c->log_entries * 256, usual = usual_capacity(c);
    size_t capacity = 2 * STATE_RESERVE + log + log / 8;
    return capacity > usual ? capacity : usual;
}

/* A witness is to stay small: all that can be in flight (vr/batch.c). */
static size_t gather_max(const struct node *n)
{
    const struct vr_config *c = &n->vr.given;
    return n->vr.bare ? 2 * STATE_RESERVE + witness_log(c) / 2 + c->pipeline * 512
                      : usual_capacity(c);
}

static size_t blocks(size_t size)
{
    return (size + JOURNAL_BLOCK - 1) / JOURNAL_BLOCK * JOURNAL_BLOCK;
}

static size_t batch_records_max(const struct vr_config *c)
{
    size_t largest = (size_t)c->batch_bytes + 512 + STATE_RESERVE;
    return largest > BATCH_RECORDS_MIN ? largest : BATCH_RECORDS_MIN;
}

/* What a head says of a record takes less than that record. */
size_t node_batch_size_max(const struct vr_config *c)
{
    return blocks(HEAD_OVERHEAD + 2 * batch_records_max(c));
}

uint64_t node_segment_size(const struct vr_config *c)
{
    size_t least = node_batch_size_max(c);
    bool witness = vr_among_witnesses(c->witnesses, c->self);
    return blocks(!witness && c->segment_bytes > least ? c->segment_bytes : least);
}

void node_journal_init(struct node *n, struct arena *arena, struct vstamp_id entropy)
{
    struct node_journal *j = &n->journal;
    const struct vr_config *c = &n->vr.given;
    j->capacity = witness_capacity(c);
    j->batch_records_max = batch_records_max(c);
    j->segment_size = node_segment_size(c);
    /* Two batches in a row hold more than one may. */
    j->n_cuts_max = 2 * j->capacity / j->batch_records_max + 2;
    j->cuts = arena_take(arena, j->n_cuts_max, sizeof *j->cuts);
    j->writing = arena_take(arena, j->n_cuts_max, sizeof *j->writing);
    size_t size = blocks(2 * j->capacity + j->n_cuts_max * (HEAD_OVERHEAD + JOURNAL_BLOCK));
    for (int i = 0; i < 2; i++) {
        j->buffers[i] = arena_take_aligned(arena, size, JOURNAL_BLOCK);
        j->outlines[i] = arena_take(arena, j->batch_records_max, 1);
    }
    j->buffer_size = size;
    j->life = checksum64_seeded(&entropy, sizeof entropy, JOURNAL_BATCH);
    j->seal_due_us = UINT64_MAX;
    node_outline_begin(j);
}

/* --- a batch ---------------------------------------------------------------------------------- */

/* What a batch holds is remembered for the next one's head. */
void node_outline_begin(struct node_journal *j)
{
    j->before_items = wire_list_end(&j->outline);
    j->outlining ^= 1;
    wire_list_begin(&j->outline, &wire_shape_batch_item, j->outlines[j->outlining],
                    j->batch_records_max);
}

void node_outline_add(struct node_journal *j, enum journal_kind kind, size_t size,
                      struct bytes content)
{
    struct wire_batch_item item = {
        .kind = (uint32_t)kind, .size = (uint32_t)size, .content = content};
    bool fits = wire_list_add(&j->outline, &item);
    assert(fits);
}

static void add_outline(struct node_journal *j, enum journal_kind kind, size_t size,
                        const struct wire_entry_outline *outline)
{
    uint8_t bytes[128];
    struct writer w = writer_over(bytes, sizeof bytes);
    wire_encode(&wire_shape_entry_outline, outline, &w);
    assert(w.ok);
    node_outline_add(j, kind, size, (struct bytes){bytes, w.size});
}

void node_outline_add_entry(struct node_journal *j, size_t size,
                            const struct wire_journal_entry *record)
{
    struct wire_entry_outline outline = {.commit = record->commit,
                                         .header = record->entry.header,
                                         .body_size = (uint32_t)record->entry.body.size};
    add_outline(j, JOURNAL_ENTRY, size, &outline);
}

static struct wire_batch_head head_of_open_batch(const struct node *n)
{
    const struct node_journal *j = &n->journal;
    return (struct wire_batch_head){.owner = {.version = vr_version(&n->vr),
                                              .address = bytes_of(n->vr.address),
                                              .number = j->segment,
                                              .settings = vr_settings(&n->vr.given),
                                              .group = n->vr.group,
                                              .previous_size = j->previous_size,
                                              .application = bytes_of(n->vr.app->name)},
                                    .life = j->life,
                                    .sequence = j->sequence,
                                    .size = j->pending.size - j->batch_at,
                                    .before_number = j->before.number,
                                    .before_place = j->before.place,
                                    .before_size = j->before.size,
                                    .before_head = j->before.head,
                                    .before_life = j->before.life,
                                    .before = j->before_items};
}

/* The head's room is left free: all that it says is known when the batch is closed. */
static void open_batch(struct node *n)
{
    struct node_journal *j = &n->journal;
    node_outline_begin(j);
    j->sequence++;
    j->batch_at = j->pending.size;
    struct wire_batch_head head = head_of_open_batch(n);
    j->head_size = journal_record_size(&wire_shape_batch_head, &head);
    uint8_t *room = writer_room(&j->pending, j->head_size);
    assert(room != NULL);
    j->trailing_state = NO_STATE;
}

static void next_segment(struct node_journal *j)
{
    j->previous_size = j->place;
    j->segment++;
    j->place = 0;
}

/* Give the open batch its place, and its head. */
static void close_batch(struct node *n)
{
    struct node_journal *j = &n->journal;
    struct wire_batch_head head = head_of_open_batch(n);
    size_t size = blocks(head.size);
    if (size > j->segment_size - j->place) {
        next_segment(j);
        head = head_of_open_batch(n);
        vr_mark(&n->vr, VR_MARK_segment_is_full, "next=%" PRIu64, j->segment);
    }
    struct writer w = writer_over(j->pending.start + j->batch_at, j->head_size);
    bool fits = journal_put(&w, j->segment, j->place, JOURNAL_BATCH, &wire_shape_batch_head, &head);
    assert(fits && w.size == j->head_size);
    size_t padding = j->batch_at + size - j->pending.size;
    uint8_t *zeros = writer_room(&j->pending, padding);
    assert(zeros != NULL && j->n_cuts < j->n_cuts_max);
    memset(zeros, 0, padding);
    j->cuts[j->n_cuts++] = (struct node_job){.kind = NODE_JOB_APPEND,
                                             .number = j->segment,
                                             .place = j->place,
                                             .data = {j->pending.start + j->batch_at, size}};
    j->before = (struct node_batch){.number = j->segment,
                                    .place = j->place,
                                    .size = head.size,
                                    .head = j->head_size,
                                    .life = j->life};
    j->place += size;
}

static bool batch_is_empty(const struct node_journal *j)
{
    return j->pending.size == j->batch_at + j->head_size;
}

bool node_journal_is_empty(const struct node *n)
{
    return n->journal.n_cuts == 0 && batch_is_empty(&n->journal);
}

/* --- records ---------------------------------------------------------------------------------- */

/* Append a record to the open batch, or to a new one if that is full; returns where. */
static size_t put(struct node *n, enum journal_kind kind, const struct wire_shape *shape,
                  const void *record)
{
    struct node_journal *j = &n->journal;
    size_t size = journal_record_size(shape, record);
    size_t used = j->pending.size - j->batch_at - j->head_size;
    if (used > 0 && used + size > j->batch_records_max) {
        vr_mark(&n->vr, VR_MARK_batch_is_cut, "bytes=%zu", used);
        close_batch(n);
        open_batch(n);
    }
    size_t here = j->pending.size;
    bool fits = journal_put(&j->pending, journal_batch_identity(j->life, j->sequence),
                            here - j->batch_at, kind, shape, record);
    assert(fits);
    j->trailing_state = NO_STATE;
    return here;
}

/* What a record says of the commit-number. */
static uint64_t commit_now(struct node *n)
{
    return n->journal.commit = vr_commit_to_store(&n->vr);
}

static void put_state(struct node *n)
{
    const struct vr *r = &n->vr;
    uint8_t vector[VR_CRASH_VECTOR_BYTES], tokens[VR_TOKENS_BYTES], members[VR_MEMBERSHIP_BYTES];
    struct wire_hard_state state = {
        .group = r->has_hard_state ? r->group : r->lost_group,
        .lost = r->lost,
        .epoch = r->epoch,
        .view = r->view,
        .log_view = r->log_view,
        .op = r->log.op,
        .checksum = log_last(&r->log)->checksum,
        .commit = commit_now(n),
        .held = r->held,
        .crash_vector = vr_crash_vector_list(r, vector, sizeof vector),
        .taking_part = r->has_hard_state && !r->restarting,
        .tokens = vr_token_list(r, r->tokens, tokens, sizeof tokens),
        .self = NOT_A_MEMBER,
        .granted_ms = vr_lease_granted_ms(r),
        .source = r->source};
    struct node_journal *j = &n->journal;
    if (r->has_hard_state) {
        state.membership = vr_membership_to_wire(&r->membership, members, sizeof members);
        state.self = r->config.self;
        state.retired = r->retired;
        state.diverged = r->diverged_op;
        if (r->config.self == NOT_A_MEMBER && !r->replaced) state.token = r->tokens[NOT_A_MEMBER];
    }
    bool blank = !r->has_hard_state;
    if (j->trailing_state != NO_STATE && j->trailing_blank == blank) {
        vr_mark(&n->vr, VR_MARK_hard_state_overtakes_another, "view=%" PRIu64, r->view);
        j->pending.size = j->trailing_state;
        j->outline = j->outline_before_state;
    }
    size_t here = put(n, JOURNAL_HARD_STATE, &wire_shape_hard_state, &state);
    j->trailing_state = here;
    j->trailing_blank = blank;
    j->outline_before_state = j->outline;
    node_outline_add(j, JOURNAL_HARD_STATE, j->pending.size - here,
                     (struct bytes){j->pending.start + here + JOURNAL_HEADER_SIZE,
                                    wire_size(&wire_shape_hard_state, &state)});
}

static void put_entry(struct node *n, uint64_t op)
{
    struct node_journal *j = &n->journal;
    struct wire_journal_entry record = {.commit = commit_now(n),
                                        .entry = {.header = log_at(&n->vr.log, op)->header,
                                                  .body = log_body(&n->vr.log, op)}};
    size_t here = put(n, JOURNAL_ENTRY, &wire_shape_journal_entry, &record);
    node_outline_add_entry(j, j->pending.size - here, &record);
}

static void put_hole(struct node *n, uint64_t op)
{
    struct node_journal *j = &n->journal;
    const struct log_slot *slot = log_at(&n->vr.log, op);
    struct wire_entry_outline outline = {
        .commit = commit_now(n), .header = slot->header, .body_size = slot->size};
    size_t here = put(n, JOURNAL_HOLE, &wire_shape_entry_outline, &outline);
    vr_mark(&n->vr, VR_MARK_hole_is_said_again, "op=%" PRIu64, op);
    add_outline(j, JOURNAL_HOLE, j->pending.size - here, &outline);
}

/* A start continues in a segment of its own: nothing is ever written behind a torn tail.  It says
 * so at once, which seals what the life before it has left. */
void node_journal_start(struct node *n)
{
    struct node_journal *j = &n->journal;
    j->pending = writer_over(j->buffers[0], j->buffer_size);
    next_segment(j);
    open_batch(n);
    j->due = true;
}

void node_journal_forget(struct node *n)
{
    struct node_journal *j = &n->journal;
    j->segment = j->place = j->previous_size = j->sequence = 0;
    j->before = (struct node_batch){0};
    node_outline_begin(j);
}

void node_journal_begin_segment(struct node *n)
{
    assert(node_journal_is_empty(n));
    if (n->journal.place > 0) next_segment(&n->journal);
}

void node_journal_restate(struct node *n)
{
    const struct vr *r = &n->vr;
    put_state(n);
    for (uint64_t op = r->checkpoint_op + 1; op <= r->log.op; op++) {
        if (log_is_hole(&r->log, op)) put_hole(n, op);
        else put_entry(n, op);
    }
    n->journal.due = true;
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

/* The buffer has room for the open batch's head besides. */
static bool has_room(const struct node *n, size_t limit, size_t size)
{
    size_t needed = size + (size / 64 + 1) * 8 + 256 + STATE_RESERVE;
    return limit >= n->journal.pending.size - n->journal.head_size + needed;
}

bool node_journal_room(void *ctx, size_t size)
{
    const struct node *n = ctx;
    return has_room(n, gather_max(n), size);
}

bool node_segment_room(const struct node *n, size_t size)
{
    return has_room(n, n->vr.bare ? n->journal.capacity : usual_capacity(&n->vr.given), size);
}

/* --- jobs ------------------------------------------------------------------------------------- */

static void write_next(struct node *n)
{
    struct node_journal *j = &n->journal;
    const struct node_job *job = &j->writing[j->n_written++];
    node_start_job(n, NODE_LANE_JOURNAL, job);
}

void node_journal_append(struct node *n)
{
    struct node_journal *j = &n->journal;
    if (j->n_writing > 0) return;
    j->seals = node_journal_is_empty(n);
    if (n->vr.now_us >= j->seal_due_us) {
        vr_mark(&n->vr, VR_MARK_journal_is_sealed, "segment=%" PRIu64, j->segment);
        if (n->vr.has_hard_state && j->commit < vr_commit_to_store(&n->vr)) put_state(n);
        j->due = true;
    }
    if (j->seals && !j->due) return;
    close_batch(n);
    j->due = false;
    j->seal_due_us = UINT64_MAX;
    memcpy(j->writing, j->cuts, j->n_cuts * sizeof *j->cuts);
    j->n_writing = j->n_cuts;
    j->n_cuts = j->n_written = 0;
    j->writing_position = j->pending_position;
    j->filling ^= 1;
    j->pending = writer_over(j->buffers[j->filling], j->buffer_size);
    open_batch(n);
    write_next(n);
}

/* A witness is to stay small: what a large write took is not kept for the next one. */
static void give_back_written(struct node *n)
{
    struct node_journal *j = &n->journal;
    const struct bytes last = j->writing[j->n_writing - 1].data;
    uint8_t *start = j->buffers[j->filling ^ 1];
    size_t size = (size_t)(last.data + last.size - start);
    if (size > WRITE_KEPT) node_give_back(n, start, size);
}

void node_journal_stored(struct node *n)
{
    struct node_journal *j = &n->journal;
    assert(j->n_writing > 0);
    const struct node_job *stored = &j->writing[j->n_written - 1];
    node_scrub_acknowledged(n, stored);
    if (j->n_written < j->n_writing) {
        write_next(n);
        return;
    }
    if (n->vr.bare) give_back_written(n);
    j->n_writing = 0;
    if (!j->seals) j->seal_due_us = n->vr.now_us + SEAL_US;
    node_checkpoint_segment_stored(n, stored->number);
    vr_on_durable(&n->vr, j->writing_position);
}

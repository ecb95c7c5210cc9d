/* SPDX-License-Identifier: BSD-2-Clause */
/* The checkpoints' lane.
 *
 * When the core has taken one, a new segment begins with the hard state and the entries above the
 * checkpoint, so that checkpoint and new segment together say all; then the pages go to a file,
 * some at a time, while operations go on (pages.h keeps their old content).  The file has the
 * number of that segment, so that it can be seen at a start whether both are there; numbers only
 * rise, whatever checkpoint of whatever peer comes next.  It takes effect, and the old segments go,
 * only once the new segment's first records are durable. */
#include <inttypes.h>

#include "base/assert.h"
#include "node/journal.h"
#include "node/node_state.h"

#define CHECKPOINT_CHUNK (256u << 10)

void node_checkpoint_init(struct node *n, struct arena *arena)
{
    n->checkpoint.capacity = CHECKPOINT_CHUNK;
    n->checkpoint.buffer = arena_take(arena, CHECKPOINT_CHUNK, 1);
}

void node_store_checkpoint(void *ctx)
{
    struct node *n = ctx;
    assert(n->checkpoint.step == NODE_CHECKPOINT_NONE);
    n->checkpoint.step = NODE_CHECKPOINT_WANTED;
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
void node_checkpoint_begin(struct node *n)
{
    struct node_checkpoint *c = &n->checkpoint;
    if (c->step != NODE_CHECKPOINT_WANTED || n->journal.pending.size > 0) return;
    const struct vr *r = &n->vr;
    if (!node_segment_room(n, first_records_size(r))) {
        /* the log went far ahead while the disk was busy */
        vr_mark(&n->vr, VR_MARK_checkpoint_taken_anew, "op=%" PRIu64, r->applied);
        vr_checkpoint_anew(&n->vr);
        if (!node_segment_room(n, first_records_size(r))) return; /* until more is committed */
    }
    node_journal_begin_segment(n);
    node_journal_restate(n);
    *c = (struct node_checkpoint){.step = NODE_CHECKPOINT_BEGIN,
                                  .busy = true,
                                  .number = n->journal.segment,
                                  .buffer = c->buffer,
                                  .capacity = c->capacity};
    struct node_job job = {.kind = NODE_JOB_CHECKPOINT_BEGIN, .number = c->number};
    node_start_job(n, NODE_LANE_CHECKPOINT, &job);
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

void node_checkpoint_continue(struct node *n)
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
    node_start_job(n, NODE_LANE_CHECKPOINT, &job);
}

void node_checkpoint_segment_stored(struct node *n, uint64_t segment)
{
    struct node_checkpoint *c = &n->checkpoint;
    if (c->step >= NODE_CHECKPOINT_BEGIN && segment >= c->number) c->segment_durable = true;
}

void node_checkpoint_stored(struct node *n)
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

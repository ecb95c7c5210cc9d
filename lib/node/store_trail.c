/* SPDX-License-Identifier: BSD-2-Clause */
/* The trail (vr/trail.c) on its way to the disk, in the checkpoints' lane: what has come together
 * since the job before is one record of a file that is only appended to (trail.h).  It need not be
 * durable, and nothing depends on it, except that a replica whose state is wrong waits with its end
 * until all of it is written. */
#include "base/assert.h"
#include "node/node_state.h"

#define LIST_SIZE (TRAIL_ENTRIES * TRAIL_ENTRY_BYTES)

static struct bytes encode(struct node *n)
{
    const struct vr_trail *t = &n->vr.trail;
    uint8_t *list_at = n->checkpoint.buffer + NODE_PAGES_BYTES - LIST_SIZE;
    struct wire_list_builder list;
    wire_list_begin(&list, &wire_shape_trail_entry, list_at, LIST_SIZE);
    for (uint32_t i = 0; i < t->n; i++) {
        bool fits = wire_list_add(&list, &t->entries[i]);
        assert(fits);
    }
    struct wire_trail record = {.format = TRAIL_FORMAT,
                               .group = n->vr.group,
                               .address = bytes_of(n->vr.address),
                               .app_first = n->vr.app_pages.first,
                               .place = t->place,
                               .entries = wire_list_end(&list)};
    struct writer w = writer_over(n->checkpoint.buffer, NODE_PAGES_BYTES - LIST_SIZE);
    bool fits = journal_put(&w, 0, 0, JOURNAL_TRAIL, &wire_shape_trail, &record);
    assert(fits);
    return (struct bytes){w.start, w.size};
}

bool node_trail_next(struct node *n, struct node_job *job)
{
    const struct vr_trail *t = &n->vr.trail;
    bool known = !vstamp_id_is_zero(n->vr.group); /* whose trail it is; a blank one has to hear */
    bool worth = t->due || t->n >= TRAIL_MANY || n->vr.diverged_op != 0;
    bool writes = worth && t->n > 0, turns = t->then != TRAIL_GOES_ON && t->op == 0;
    if (!known || (!writes && !turns)) return false;
    *job = (struct node_job){.kind = NODE_JOB_TRAIL};
    if (t->n > 0) job->data = encode(n);
    job->number = vr_trail_taken(&n->vr);
    return true;
}

void node_on_large_trail(struct node *n, uint64_t size)
{
    NODE_RECORD(n, large_trail, .size = size);
    vr_on_large_trail(&n->vr, size);
}

bool node_trail_waits(const struct node *n)
{
    const struct node_checkpoint *c = &n->checkpoint;
    const struct vr_trail *t = &n->vr.trail;
    return t->n > 0 || t->then == TRAIL_IS_KEPT || (c->busy && c->trailed);
}

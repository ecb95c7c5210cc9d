/* SPDX-License-Identifier: BSD-2-Clause */
/* The durable side of a node: what the core persists becomes records, records become jobs.
 *
 * Two lanes work beside each other: the journal (store_journal.c) and the checkpoints
 * (store_checkpoint.c).  A checkpoint and the segment that begins with it together say all.  What
 * is stored is read again now and then: pages by store_checkpoint.c, the journal by scrub.c. */
#include "base/assert.h"
#include "node/node_state.h"

void node_store_init(struct node *n, struct arena *arena, struct vstamp_id entropy)
{
    node_journal_init(n, arena, entropy);
    node_restore_init(n, arena);
    node_scrub_init(n, arena);
    node_checkpoint_init(n, arena);
}

void node_store_start(struct node *n)
{
    node_journal_start(n);
    node_scrub_start(n);
}

void node_start_job(struct node *n, enum node_lane lane, const struct node_job *job)
{
    node_note_job(n, lane, job);
    n->io.store(n->io.ctx, lane, job);
}

void node_store_turn_end(struct node *n)
{
    if (!n->vr.given.durable) return;
    node_journal_append(n);
    node_checkpoint_begin(n);
    node_journal_append(n);
    node_checkpoint_continue(n);
}

void node_on_stored(struct node *n, enum node_lane lane)
{
    NODE_RECORD(n, stored, .lane = (uint8_t)lane);
    if (lane == NODE_LANE_JOURNAL) {
        node_journal_stored(n);
    } else {
        node_checkpoint_stored(n);
    }
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* A new group from a copy of another one's state (copy.h).  Each member is made by itself, of the
 * same copy and the same configuration, and begins as if the group had run up to this op-number and
 * then all of it had been restarted.
 *
 * The sessions of the copied group stay behind.  What they had asked is part of the state, but
 * after a step back in time no promise of theirs holds: a request may have run in the old group
 * after the copy was taken.  So the new group has an identity of its own, which refuses them. */
#include <string.h>

#include "base/assert.h"
#include "base/checksum.h"
#include "node/copy.h"
#include "node/node_state.h"

/* Op-numbers and time go on where they were. */
static struct wire_entry_header anchor_of(const struct copy *c, struct vstamp_id group)
{
    struct wire_entry_header anchor = {.op = c->op > 0 ? c->op : 1,
                                       .version = c->version,
                                       .timestamp = log_last(&c->vr->log)->timestamp};
    anchor.checksum = log_checksum(group, &anchor, (struct bytes){0});
    return anchor;
}

/* A witness has none. */
static void load_pages(struct node *n, const struct copy *c)
{
    uint32_t n_pages = vr_is_witness(&n->vr) ? 0 : copy_app_pages(c);
    for (uint32_t page = 0; page < n_pages; page++) {
        const uint8_t *from = pages_read(&c->vr->pages, c->vr->app_pages.first + page);
        if (pages_hash(from) == 0) continue;
        memcpy(pages_write(&n->vr.pages, n->vr.app_pages.first + page), from, VSTAMP_PAGE_SIZE);
    }
    pages_checkpoint(&n->vr.pages);
}

void node_restore_copy(struct node *n, const struct copy *c)
{
    assert(n->vr.given.durable && !n->vr.started && n->vr.log.op == 0);
    struct vstamp_id group = copy_group(c, &n->vr.given);
    struct wire_entry_header anchor = anchor_of(c, group);
    struct wire_hard_state state = {.group = group,
                                    .taking_part = 1,
                                    .op = anchor.op,
                                    .checksum = anchor.checksum,
                                    .commit = anchor.op,
                                    .held = anchor.op};
    load_pages(n, c);
    int rv = vr_restore_checkpoint(&n->vr, group, &anchor, vr_is_witness(&n->vr));
    assert(rv == 0 || n->vr.over); /* copy_load asked the application of the same pages */
    rv = vr_restore_state(&n->vr, &state);
    assert(rv == 0);
    node_store_start(n);
    n->vr.checkpoint_storing = true;
    node_store_checkpoint(n);
}

bool node_is_stored(const struct node *n)
{
    return !n->vr.checkpoint_storing && n->journal.n_writing == 0 &&
           node_journal_is_empty(n);
}

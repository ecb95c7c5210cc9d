/* SPDX-License-Identifier: BSD-2-Clause */
/* Reading back a checkpoint: its pages become live, and the image.
 *
 * Each page has a checksum.  That none is missing, and none a sound one of an older checkpoint, is
 * what the head's count and sum of all checksums are for. */
#include <inttypes.h>
#include <string.h>

#include "node/journal.h"
#include "node/node_state.h"

static int restore_head(struct node *n, uint64_t number, struct bytes head,
                        struct vstamp_diag *diag)
{
    struct wire_segment whose;
    struct journal_reader r = {.file = head, .number = number};
    int rv = node_check_owner(n, &r, &whose, diag);
    if (rv != 0) return rv;
    enum journal_kind kind;
    struct bytes body;
    if (journal_next(&r, &kind, &body) != JOURNAL_RECORD || kind != JOURNAL_CHECKPOINT_HEAD ||
        wire_decode(&wire_shape_checkpoint_head, body, &n->restore.head) != 0 ||
        n->restore.head.n_pages > n->vr.given.state_pages) {
        vstamp_diag_printf(diag, "the head of the checkpoint does not check");
        return VSTAMP_E_CORRUPT;
    }
    n->restore.checkpoint = number;
    n->restore.group = whose.group;
    return 0;
}

int node_restore_checkpoint(struct node *n, uint64_t number, struct bytes head,
                            struct vstamp_diag *diag)
{
    NODE_RECORD(n, checkpoint, .number = number, .head = head);
    int rv = restore_head(n, number, head, diag);
    node_note_result(n, rv, number);
    return rv;
}

static int restore_page(struct node *n, const struct node_page *page, struct vstamp_diag *diag)
{
    struct node_restore *seen = &n->restore;
    if (page->number < seen->next_page || page->number >= seen->head.n_pages) {
        vstamp_diag_printf(diag, "page %" PRIu32 " is not where it belongs", page->number);
        return VSTAMP_E_CORRUPT;
    }
    if (page->checksum != node_page_checksum(page->number, page->content)) {
        vstamp_diag_printf(diag, "page %" PRIu32 " does not check", page->number);
        return VSTAMP_E_CORRUPT;
    }
    seen->next_page = page->number + 1;
    memcpy(pages_write(&n->vr.pages, page->number), page->content, VSTAMP_PAGE_SIZE);
    node_checkpoint_note_page(n, page->number, page->checksum);
    return 0;
}

int node_restore_page(struct node *n, const struct node_page *page, struct vstamp_diag *diag)
{
    NODE_RECORD(n, page, .number = page->number, .checksum = page->checksum,
                .content = {page->content, VSTAMP_PAGE_SIZE});
    int rv = restore_page(n, page, diag);
    node_note_result(n, rv, page->number);
    return rv;
}

static int restore_checkpoint_done(struct node *n, struct vstamp_diag *diag)
{
    const struct wire_checkpoint_head *head = &n->restore.head;
    const struct node_checkpoint *c = &n->checkpoint;
    if (c->n_stored != head->n_stored || c->sum != head->sum) {
        vstamp_diag_printf(diag, "%" PRIu32 " pages of %" PRIu32 ": some are missing, or older",
                           c->n_stored, head->n_stored);
        return VSTAMP_E_CORRUPT;
    }
    pages_checkpoint(&n->vr.pages);
    pages_all_stored(&n->vr.pages);
    int rv = vr_restore_checkpoint(&n->vr, n->restore.group, &head->anchor, head->bare != 0);
    if (rv == VSTAMP_E_CORRUPT) vstamp_diag_printf(diag, "its pages do not make sense");
    else if (rv != 0) vstamp_diag_printf(diag, "%s", node_is_over(n));
    return rv;
}

int node_restore_checkpoint_done(struct node *n, struct vstamp_diag *diag)
{
    NODE_RECORD(n, step, .step = RECORDING_PAGES_RESTORED);
    int rv = restore_checkpoint_done(n, diag);
    node_note_result(n, rv, n->restore.checkpoint);
    node_record_outputs(n);
    return rv;
}

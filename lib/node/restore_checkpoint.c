/* SPDX-License-Identifier: BSD-2-Clause */
/* Reading back a checkpoint: its pages become live, and the image. */
#include <string.h>

#include "node/journal.h"
#include "node/node_state.h"

/* The pages of a checkpoint, up to its tail. */
static int restore_pages(struct node *n, struct journal_reader *r, uint32_t n_pages,
                         struct vstamp_diag *diag)
{
    for (uint32_t count = 0;; count++) {
        size_t place = r->place;
        enum journal_kind kind;
        struct bytes body;
        if (journal_next(r, &kind, &body) != JOURNAL_RECORD) return node_corrupt(diag, place);
        if (kind == JOURNAL_CHECKPOINT_TAIL) {
            struct wire_checkpoint_tail tail;
            if (wire_decode(&wire_shape_checkpoint_tail, body, &tail) != 0) break;
            return tail.n_records == count ? 0 : node_corrupt(diag, place);
        }
        struct wire_page page;
        if (kind != JOURNAL_PAGE || wire_decode(&wire_shape_page, body, &page) != 0 ||
            page.number >= n_pages || page.content.size != VSTAMP_PAGE_SIZE) {
            return node_corrupt(diag, place);
        }
        memcpy(pages_write(&n->vr.pages, page.number), page.content.data, VSTAMP_PAGE_SIZE);
    }
    return node_corrupt(diag, r->place);
}

static int restore_checkpoint(struct node *n, uint64_t number, struct bytes file,
                              struct vstamp_diag *diag)
{
    struct wire_segment whose;
    struct journal_reader r = {.file = file, .number = number};
    int rv = node_check_owner(n, &r, &whose, diag);
    if (rv != 0) return rv;
    enum journal_kind kind;
    struct bytes body;
    struct wire_checkpoint_head head;
    if (journal_next(&r, &kind, &body) != JOURNAL_RECORD || kind != JOURNAL_CHECKPOINT_HEAD ||
        wire_decode(&wire_shape_checkpoint_head, body, &head) != 0 ||
        head.n_pages > n->config.state_pages) {
        return node_corrupt(diag, r.place);
    }
    rv = restore_pages(n, &r, head.n_pages, diag);
    if (rv != 0) return rv;
    pages_checkpoint(&n->vr.pages);
    rv = vr_restore_checkpoint(&n->vr, whose.group, &head.anchor);
    if (rv != 0) {
        vstamp_diag_printf(diag, "its pages do not make sense");
        return rv;
    }
    n->restore.checkpoint = number;
    return 0;
}

int node_restore_checkpoint(struct node *n, uint64_t number, struct bytes file,
                            struct vstamp_diag *diag)
{
    node_record_file(n, file);
    NODE_RECORD(n, checkpoint, .number = number);
    int rv = restore_checkpoint(n, number, file, diag);
    node_note_result(n, rv, number);
    node_record_outputs(n);
    return rv;
}

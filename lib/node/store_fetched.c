/* SPDX-License-Identifier: BSD-2-Clause */
/* What a fetch of a peer's checkpoint has brought so far (vr/page_transfer.c), kept on the disk: a
 * replica that is killed in the midst of it goes on where it was.
 *
 * What is kept is no more than a saving.  After a start the pages are staged again, and like all
 * that is staged they are hashed, and compared with what is fetched then; so they need be neither
 * whole nor durable nor of one checkpoint, and nothing is wrong if they are lost.  They go with the
 * end of the next checkpoint that is stored.  The checkpoints' lane has nothing else to do
 * meanwhile. */
#include "node/node_state.h"

/* The next of them, for one job. */
struct bytes node_fetched_pages(struct node *n)
{
    struct pages *pages = &n->vr.pages;
    struct writer w = writer_over(n->checkpoint.buffer, NODE_PAGES_BYTES);
    uint32_t page = 0;
    for (uint32_t i = 0; i < NODE_PAGES_A_JOB && pages->fetching; i++) {
        page = pages_next_unkept(pages, page);
        if (page == pages->n_max) break;
        node_put_page(&w, &(struct node_page){.number = page, .content = pages_kept(pages, page)});
    }
    return (struct bytes){w.start, w.size};
}

void node_restore_fetched(struct node *n, uint32_t page, const uint8_t *content)
{
    struct pages *pages = &n->vr.pages;
    NODE_RECORD(n, fetched, .page = page, .content = {content, VSTAMP_PAGE_SIZE});
    if (page >= pages->n_max || pages_hash(content) == pages_live_hash(pages, page)) return;
    if (pages->n_staged == 0) vr_mark(&n->vr, VR_MARK_fetch_outlives_a_crash, "page=%u", page);
    pages_fetch_begin(pages);
    pages_fetch_put(pages, page, content);
    pages_kept(pages, page);
    pages_fetch_abort(pages);
}

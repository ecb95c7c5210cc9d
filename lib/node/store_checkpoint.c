/* SPDX-License-Identifier: BSD-2-Clause */
/* The checkpoints' lane.
 *
 * When the core has taken one, a new segment begins with the hard state and the entries above the
 * checkpoint, so that checkpoint and new segment together say all; then the pages that the store
 * does not hold as they are go there, some at a time, while operations go on (pages.h keeps their
 * old content).  The checkpoint has the number of that segment, so that it can be seen at a start
 * whether both are there; numbers only rise, whatever checkpoint of whatever peer comes next.  It
 * takes effect, and the old segments go, only once the new segment's first records are durable.
 *
 * Between checkpoints the store is read, slowly, again and again.  A page that does not check there
 * is in memory still, as the image has it, and is stored anew. */
#include <inttypes.h>
#include <stdio.h>

#include "base/assert.h"
#include "base/checksum.h"
#include "base/endian.h"
#include "node/journal.h"
#include "node/node_state.h"

#define CHECK_US 250000u /* from one job of checking to the next */

void node_checkpoint_init(struct node *n, struct arena *arena)
{
    struct node_checkpoint *c = &n->checkpoint;
    c->buffer = arena_take(arena, NODE_PAGES_BYTES, 1);
    c->checksums = arena_take(arena, n->vr.given.state_pages, sizeof c->checksums[0]);
}

/* --- pages in a job --------------------------------------------------------------------------- */

/* 0 stands for a page that is not there. */
uint64_t node_page_checksum(uint32_t number, const uint8_t *content)
{
    uint64_t checksum = checksum64_seeded(content, VSTAMP_PAGE_SIZE, number);
    return checksum != 0 ? checksum : 1;
}

void node_put_page(struct writer *w, const struct node_page *page)
{
    write_u32(w, page->number);
    write_u32(w, page->content != NULL);
    write_u64(w, page->checksum);
    if (page->content != NULL) write_raw(w, page->content, VSTAMP_PAGE_SIZE);
    assert(w->ok);
}

bool node_page_next(struct bytes *data, struct node_page *page)
{
    struct reader r = reader_over(data->data, data->size);
    if (data->size == 0) return false;
    page->number = read_u32(&r);
    bool present = read_u32(&r) != 0;
    page->checksum = read_u64(&r);
    page->content = present ? r.at : NULL;
    size_t size = NODE_PAGE_HEADER + (present ? VSTAMP_PAGE_SIZE : 0u);
    assert(r.ok && data->size >= size);
    *data = (struct bytes){data->data + size, data->size - size};
    return true;
}

void node_checkpoint_note_page(struct node *n, uint32_t page, uint64_t checksum)
{
    struct node_checkpoint *c = &n->checkpoint;
    c->n_stored -= c->checksums[page] != 0;
    c->n_stored += checksum != 0;
    c->sum += checksum - c->checksums[page];
    c->checksums[page] = checksum;
}

void node_checkpoint_forget(struct node *n)
{
    for (uint32_t page = 0; page < n->vr.given.state_pages && n->checkpoint.n_stored > 0; page++)
        node_checkpoint_note_page(n, page, 0);
}

/* --- the lane --------------------------------------------------------------------------------- */

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
        size += log_at(&r->log, op)->size + 256;
    }
    return size;
}

/* The checkpoint's segment: from here on the journal says what the checkpoint does not. */
void node_checkpoint_begin(struct node *n)
{
    struct node_checkpoint *c = &n->checkpoint;
    if (c->step != NODE_CHECKPOINT_WANTED || c->busy || !node_journal_is_empty(n)) return;
    const struct vr *r = &n->vr;
    if (!node_segment_room(n, first_records_size(r))) {
        /* the log went far ahead while the disk was busy */
        vr_mark(&n->vr, VR_MARK_checkpoint_taken_anew, "op=%" PRIu64, r->applied);
        vr_checkpoint_anew(&n->vr);
        if (!node_segment_room(n, first_records_size(r))) {
            vr_checkpoint_put_off(&n->vr);
            if (!n->vr.checkpoint_storing) c->step = NODE_CHECKPOINT_NONE;
            return;
        }
    }
    node_journal_begin_segment(n);
    c->number = n->journal.segment; /* the first one, if what is said again fills several */
    node_journal_restate(n);
    c->step = NODE_CHECKPOINT_BEGIN;
    c->busy = true;
    c->segment_durable = false;
    c->page = 0;
    struct node_job job = {.kind = NODE_JOB_CHECKPOINT_BEGIN, .number = c->number};
    node_start_job(n, NODE_LANE_CHECKPOINT, &job);
}

/* The next pages that the store does not hold; HOLD once there are no more. */
static struct bytes next_pages(struct node *n)
{
    struct node_checkpoint *c = &n->checkpoint;
    struct pages *pages = &n->vr.pages;
    struct writer w = writer_over(c->buffer, NODE_PAGES_BYTES);
    for (uint32_t looked_at = 0; looked_at < NODE_PAGES_A_JOB; looked_at++) {
        c->page = pages_next_unstored(pages, c->page);
        if (c->page == pages->n_max) {
            c->step = NODE_CHECKPOINT_HOLD;
            break;
        }
        struct node_page page = {.number = c->page, .content = pages_image(pages, c->page)};
        if (pages_image_hash(pages, c->page) == 0) page.content = NULL;
        if (page.content != NULL) page.checksum = node_page_checksum(c->page, page.content);
        pages_stored(pages, c->page);
        if (page.checksum == c->checksums[c->page]) continue;
        node_checkpoint_note_page(n, c->page, page.checksum);
        node_put_page(&w, &page);
    }
    if (c->step == NODE_CHECKPOINT_HOLD && !c->segment_durable)
        vr_mark(&n->vr, VR_MARK_checkpoint_waits_for_segment, "number=%" PRIu64, c->number);
    return (struct bytes){c->buffer, w.size};
}

static struct bytes head_records(struct node *n)
{
    const struct node_checkpoint *c = &n->checkpoint;
    struct writer w = writer_over(c->buffer, NODE_PAGES_BYTES);
    struct wire_segment whose = {.version = vr_version(&n->vr),
                                 .address = bytes_of(n->vr.address),
                                 .number = c->number,
                                 .settings = vr_settings(&n->vr.given),
                                 .group = n->vr.group,
                                 .application = bytes_of(n->vr.app->name)};
    struct wire_checkpoint_head head = {.anchor = n->vr.checkpoint_anchor,
                                        .n_pages = n->vr.pages.image_n_used,
                                        .n_stored = c->n_stored,
                                        .sum = c->sum,
                                        .bare = n->vr.bare};
    bool fits = journal_put(&w, c->number, 0, JOURNAL_SEGMENT, &wire_shape_segment, &whose) &&
                journal_put(&w, c->number, w.size, JOURNAL_CHECKPOINT_HEAD,
                            &wire_shape_checkpoint_head, &head);
    assert(fits);
    return (struct bytes){c->buffer, w.size};
}

/* The content of rotten pages as it was stored.  Where that is not known any more the next
 * checkpoint stores what is there now. */
static struct bytes mended_pages(struct node *n)
{
    struct node_checkpoint *c = &n->checkpoint;
    const struct pages *pages = &n->vr.pages;
    struct writer w = writer_over(c->buffer, NODE_PAGES_BYTES);
    for (; c->n_rotten > 0; c->n_rotten--) {
        struct node_page page = {.number = c->rotten[c->n_rotten - 1]};
        bool is_gone = c->checksums[page.number] == 0; /* with the state (vr/witness.c, W7) */
        bool is_unstored = pages_next_unstored(pages, page.number) == page.number;
        if (is_gone) continue;
        if (is_unstored || !pages_has_kept(pages, page.number)) {
            vr_mark(&n->vr, VR_MARK_rotten_page_has_changed, "page=%" PRIu32, page.number);
            vr_checkpoint_soon(&n->vr);
            continue;
        }
        page.content = pages_image(pages, page.number);
        page.checksum = c->checksums[page.number];
        assert(page.content != NULL);
        if (page.checksum != node_page_checksum(page.number, page.content)) {
            vr_mark(&n->vr, VR_MARK_page_wrong_twice, "page=%" PRIu32, page.number);
            continue; /* and the look through memory will find it, too */
        }
        node_put_page(&w, &page);
    }
    return (struct bytes){c->buffer, w.size};
}

static uint64_t pages_due_us(const struct node *n)
{
    return n->checkpoint.n_stored > 0 ? n->checkpoint.check_due_us : UINT64_MAX;
}

static struct node_job next_pages_check(struct node *n)
{
    struct node_checkpoint *c = &n->checkpoint;
    struct node_job job = {.kind = NODE_JOB_CHECK, .number = c->next_checked};
    c->check_due_us = n->vr.now_us + CHECK_US;
    c->next_checked += NODE_CHECKED_PAGES;
    if (c->next_checked >= n->vr.pages.n_touched) c->next_checked = 0;
    return job;
}

/* False: there is nothing to look after now. */
static bool next_care(struct node *n, struct node_job *job)
{
    struct node_checkpoint *c = &n->checkpoint;
    if (c->n_rotten > 0) {
        if (n->vr.pages.fetching) return false;
        *job = (struct node_job){.kind = NODE_JOB_MEND, .data = mended_pages(n)};
        c->mending = job->data.size > 0;
        return c->mending;
    }
    if (pages_due_us(n) <= n->vr.now_us) {
        *job = next_pages_check(n);
    } else if (node_scrub_due_us(n) <= n->vr.now_us) {
        *job = node_scrub_job(n);
    } else {
        return false;
    }
    return true;
}

/* No checkpoint is under way. */
static bool look_after(struct node *n, struct node_job *job)
{
    *job = (struct node_job){.kind = NODE_JOB_KEEP, .data = node_fetched_pages(n)};
    return job->data.size > 0 || next_care(n, job);
}

uint64_t node_checkpoint_next_timer(const struct node *n)
{
    const struct node_checkpoint *c = &n->checkpoint;
    if (c->step != NODE_CHECKPOINT_NONE || c->busy || c->n_rotten > 0) return UINT64_MAX;
    if (n->vr.diverged_op != 0) return UINT64_MAX; /* then nothing is looked after */
    uint64_t pages = pages_due_us(n), journal = node_scrub_due_us(n);
    return pages < journal ? pages : journal;
}

void node_on_rot(struct node *n, uint32_t page)
{
    struct node_checkpoint *c = &n->checkpoint;
    char detail[32];
    NODE_RECORD(n, rot, .page = page);
    assert(c->busy && c->n_rotten < NODE_CHECKED_PAGES);
    c->rotten[c->n_rotten++] = page;
    c->rot_found++;
    snprintf(detail, sizeof detail, "page=%" PRIu32, page);
    vr_mark(&n->vr, VR_MARK_stored_page_rots, "page=%" PRIu32, page);
    n->io.log(n->io.ctx, LOG_LEVEL_ERROR, "stored-page-rotten", detail);
}

/* False: there is nothing to do now. */
static bool next_step(struct node *n, struct node_job *job)
{
    struct node_checkpoint *c = &n->checkpoint;
    if (c->step == NODE_CHECKPOINT_NONE) return look_after(n, job);
    *job = (struct node_job){.number = c->number};
    if (c->step == NODE_CHECKPOINT_PAGES) {
        job->kind = NODE_JOB_CHECKPOINT_DATA;
        job->data = next_pages(n);
    } else if (c->step == NODE_CHECKPOINT_HOLD && c->segment_durable) {
        c->step = NODE_CHECKPOINT_END;
        job->kind = NODE_JOB_CHECKPOINT_END;
        job->data = head_records(n);
    } else {
        return false;
    }
    return true;
}

/* The trail's jobs and the others take turns, if there are both.  A replica that knows that its
 * state is wrong stores nothing but the trail: the checkpoint on the disk may be right, and the
 * journal has what came after it. */
static bool next_job(struct node *n, struct node_job *job)
{
    struct node_checkpoint *c = &n->checkpoint;
    bool wrong = n->vr.diverged_op != 0, had_its_turn = c->trailed;
    c->trailed = false;
    if (had_its_turn && !wrong && next_step(n, job)) return true;
    c->trailed = node_trail_next(n, job);
    return c->trailed || (!wrong && next_step(n, job));
}

void node_checkpoint_continue(struct node *n)
{
    struct node_job job;
    if (n->checkpoint.busy || !next_job(n, &job)) return;
    n->checkpoint.busy = true;
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
    if (c->mending) {
        c->mending = false;
        n->io.log(n->io.ctx, LOG_LEVEL_INFO, "stored-pages-mended", NULL);
    } else if (c->step == NODE_CHECKPOINT_BEGIN) {
        c->step = NODE_CHECKPOINT_PAGES;
    } else if (c->step == NODE_CHECKPOINT_END) {
        c->step = NODE_CHECKPOINT_NONE;
        node_scrub_freed(n, c->number);
        vr_on_checkpoint_stored(&n->vr);
    }
}

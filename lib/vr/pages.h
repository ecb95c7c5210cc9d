/* SPDX-License-Identifier: BSD-2-Clause */
/* The replicated state as numbered pages (paper section 5.1).
 *
 *   live      what operations read and change
 *   image     the newest checkpoint: the content of all pages at one op-number
 *   staged    a newer checkpoint on its way in from a peer
 *
 * A checkpoint copies nothing when it is taken: a page is copied to the second area the first time
 * it changes after the checkpoint, so the image of a page is that copy, or the live page if it did
 * not change.  Fetching a peer's checkpoint uses the same second area, so there is no image while a
 * fetch is under way, and live stays whole until the fetch is complete (PROTOCOL 4.3: never destroy
 * what you have before the replacement is in hand).
 *
 * Pages that were never written are zeros and take no memory. */
#ifndef VR_PAGES_H
#define VR_PAGES_H

#include <vstamp/app.h>

#include "base/arena.h"
#include "base/bytes.h"

struct pages {
    uint32_t n_max;
    uint32_t n_used;       /* pages 0 .. n_used - 1 may hold something; grows, but for a fetch */
    uint32_t image_n_used; /* the same, of the image */
    bool has_image;
    bool fetching;
    bool shown; /* the fetch is: live holds what was staged, `second` what live held */
    uint32_t former_n_used; /* while shown */
    uint8_t *live;    /* n_max pages */
    uint8_t *second;  /* n_max pages: copies for the image, or staged pages */
    uint64_t *copied; /* bitset: the image of this page (or its staged content) is in `second` */
    uint64_t *stale;  /* bitset: changed since its hash in `hashes` was taken */
    uint64_t *hashes; /* per page; 0 for a page of zeros */
    struct vstamp_id digest; /* sum over the pages that are not stale */
};

void pages_init(struct pages *p, struct arena *arena, uint32_t n_max);

const uint8_t *pages_read(const struct pages *p, uint32_t page);
uint8_t *pages_write(struct pages *p, uint32_t page); /* asserts !fetching */

/* The image becomes the present content.  Costs the clearing of one bit a page. */
void pages_checkpoint(struct pages *p);

/* Content of a page in the image; asserts has_image.  NULL stands for a page of zeros that was
 * never written. */
const uint8_t *pages_image(const struct pages *p, uint32_t page);

/* Hash of a page's content: 0 when it is NULL or all zeros, never 0 otherwise. */
uint64_t pages_hash(const uint8_t *content);

/* Digest of the live content: equal contents have equal digests whatever their history.  Brings the
 * hashes of stale pages up to date. */
struct vstamp_id pages_digest(struct pages *p);

/* Fetching: begin gives up the image; put stages one page (content NULL: zeros; the last one put
 * wins); show makes the staged content live, for a look at it (pages not put keep their live
 * content; those from `n_used` on become zeros, also if they were put); then commit keeps it, as
 * live and as image, or abort brings back what was live before, without an image.  Abort does so
 * before show, too.  The numbers come from a peer: the caller has checked that they are within
 * n_max. */
void pages_fetch_begin(struct pages *p);

/* What a page would hold if the fetch ended now, NULL for zeros never used; outside a fetch, its
 * live content. */
const uint8_t *pages_candidate(const struct pages *p, uint32_t page);

void pages_fetch_put(struct pages *p, uint32_t page, const uint8_t *content);
void pages_fetch_show(struct pages *p, uint32_t n_used);
void pages_fetch_commit(struct pages *p);
void pages_fetch_abort(struct pages *p);

/* An application's window on the pages: its page 0 is page `first`. */
struct vstamp_pages {
    struct pages *pages;
    uint32_t first;
    uint32_t count;
};

#endif

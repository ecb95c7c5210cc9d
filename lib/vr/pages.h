/* SPDX-License-Identifier: BSD-2-Clause */
/* The replicated state as numbered pages (paper section 5.1).
 *
 *   live        what operations read and change
 *   image       the newest checkpoint: the content of all pages at one op-number
 *   candidate   what live would be if a fetch of a peer's checkpoint ended now
 *   point       the content of all pages at the newest digest point, as hashes only (digest.c)
 *
 * A checkpoint copies nothing when it is taken: a page is copied the first time it changes after
 * the checkpoint, so the image of a page is that copy, or the live page if it did not change.  An
 * image that nobody needs can be dropped, and then nothing is copied until the next one.  In the
 * same way a page of the candidate is the one that was staged for it, or the live page.  So
 * live and image stay whole until a fetch is complete (PROTOCOL 4.3: never destroy what you have
 * before the replacement is in hand), and what was staged when a fetch is interrupted is there for
 * the next one.
 *
 * To adopt what was fetched moves no page either.  Each page has two places: it is live in one, and
 * staged in the other; a bit says which is which, so that 64 pages change places at once.
 *
 * Each of them has a tree of hashes (tree.h), brought up to date only when somebody asks, a part at
 * a time when much has changed (pages_settle_soon).  That of the point is hashed by parts
 * while operations go on, and keeps no copies: a page that is still to be hashed is hashed when it
 * is about to change.
 *
 * A disk holds a former checkpoint, so of an image only those pages need to go there that changed
 * since: `unstored`.
 *
 * Pages that were never written are zeros and take no memory. */
#ifndef VR_PAGES_H
#define VR_PAGES_H

#include <vstamp/app.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "vr/tree.h"

#define PAGES_HASHED_AT_ONCE 1024u /* 4 MiB, well below a millisecond */

enum pages_version { PAGES_LIVE, PAGES_IMAGE, PAGES_CANDIDATE, PAGES_POINT, PAGES_VERSIONS };

struct pages {
    uint32_t n_max;
    uint32_t n_used;       /* pages 0 .. n_used - 1 may hold something; grows, but for a fetch */
    uint32_t image_n_used; /* the same, of the image */
    uint32_t n_staged;
    uint32_t n_copies;     /* of pages that have changed since the image was taken */
    bool has_image;
    bool fetching;
    bool wanted[PAGES_VERSIONS]; /* somebody asked for this tree, and much had changed */
    uint8_t *places[2];  /* n_max pages each: live in one, staged in the other, */
    uint64_t *live_place; /* bitset: and this is the live one */
    uint8_t *copies;     /* for the image; their places are used again after each checkpoint */
    uint32_t *copy_of;   /* page: its copy's place, of the first n_copies, */
    uint64_t *copied;    /* bitset: if there is one */
    uint64_t *is_staged; /* bitset: the candidate's page is the staged one */
    uint64_t *unkept;    /* bitset: of those, the ones that a host might keep for another start */
    uint64_t *changed;   /* bitset: may have changed since the newest checkpoint was taken */
    uint64_t *unstored;  /* bitset: the image of this page may not be what the disk holds */
    uint64_t *since;     /* bitset: may have changed since the newest digest point */
    uint64_t *untold;    /* bitset: the trail may not know what it held at that point */
    uint32_t n_since;     /* pages in there */
    uint32_t next_looked; /* at this page goes the look through memory on */
    uint32_t n_touched;  /* pages from here on never held anything */
    bool strayed;        /* the application asked for one that there is not: */
    uint32_t stray;      /* this one, */
    uint8_t *spare;      /* and was given this, which is no part of the state */
    struct tree trees[PAGES_VERSIONS];
};

/* A state of up to n_max pages, all zeros. */
void pages_init(struct pages *p, struct arena *arena, uint32_t n_max);

/* Content of a page: as it is, in the candidate, and to be changed. */
const uint8_t *pages_read(const struct pages *p, uint32_t page);
const uint8_t *pages_candidate(const struct pages *p, uint32_t page);
uint8_t *pages_write(struct pages *p, uint32_t page); /* asserts !fetching */

/* The image becomes the present content.  Costs a few instructions for each page that changed. */
void pages_checkpoint(struct pages *p);

/* From now on there is no image, and no page is copied. */
void pages_drop_image(struct pages *p);

/* Is the content of a page as it was when the newest image was taken still there?  It is in the
 * image, or has not changed since. */
bool pages_has_kept(const struct pages *p, uint32_t page);

/* That content; asserts that it is there.  NULL stands for a page of zeros that was never written.
 */
const uint8_t *pages_image(const struct pages *p, uint32_t page);

/* The first page from `page` on whose image may not be what the disk holds; n_max: none. */
uint32_t pages_next_unstored(const struct pages *p, uint32_t page);

/* From now on the disk holds the image of this page, or will: it was handed over. */
void pages_stored(struct pages *p, uint32_t page);
void pages_all_stored(struct pages *p);

/* Hash of a page's content: 0 when it is NULL or all zeros, never 0 otherwise. */
uint64_t pages_hash(const uint8_t *content);

/* Bring the tree of a version up to date, but hash `limit` pages at most.  True: it is. */
bool pages_settle(struct pages *p, enum pages_version version, uint32_t limit);
static inline const struct tree *pages_tree(const struct pages *p, enum pages_version version)
{
    return &p->trees[version];
}

/* Hash of a page as it is, and in the image (asserts has_image); computed if it is not known. */
uint64_t pages_live_hash(struct pages *p, uint32_t page);
uint64_t pages_image_hash(struct pages *p, uint32_t page);

/* The same, for who can wait.  If much has changed only a part is hashed now, and one more by each
 * pages_hash_some, at the end of the turns that follow, until the tree was up to date once. */
bool pages_settle_soon(struct pages *p, enum pages_version version);
bool pages_are_wanted(const struct pages *p); /* there are such parts to be hashed */
void pages_hash_some(struct pages *p);

/* A digest point: the tree of PAGES_POINT is to be that of the present content, once it is settled.
 * Settle that of the point before first, or it is given up. */
void pages_point(struct pages *p);

/* What one would cost now, as a number of pages to be hashed. */
uint64_t pages_point_cost(const struct pages *p);

/* The first page from `page` on of which the trail does not know what it held at the newest point;
 * n_max: none.  Its hash there, which the trail is given now; the tree has to be settled. */
uint32_t pages_next_untold(const struct pages *p, uint32_t page);
uint64_t pages_told(struct pages *p, uint32_t page);
void pages_tell_anew(struct pages *p); /* all that ever held anything, at the next point */

/* Look at so many pages whose content is known, as they were hashed at the newest point and nobody
 * has changed them since: does memory still hold that?  The first page that is another; n_max: none
 * is. */
uint32_t pages_look(struct pages *p, uint32_t n);

/* Digest of the live content: equal contents have equal digests whatever their history.  Hashes all
 * that has changed. */
struct vstamp_id pages_digest(struct pages *p);

/* Fetching: begin; put stages one page (content NULL: zeros; the last one put wins), drop takes it
 * back; commit, once the candidate's tree is settled, makes the candidate live, and the image, and
 * moves no page.  Abort ends a fetch, too, and what was staged is staged again in the next one;
 * forget gives it up.  The numbers come from a peer: the caller has checked that they are within
 * n_max. */
void pages_fetch_begin(struct pages *p);
void pages_fetch_put(struct pages *p, uint32_t page, const uint8_t *content);
void pages_fetch_drop(struct pages *p, uint32_t page);
void pages_fetch_commit(struct pages *p);
void pages_fetch_abort(struct pages *p);
void pages_fetch_forget(struct pages *p);

/* The first page from `page` on that was staged and that the host was not given to keep; n_max:
 * none.  Its content, which the host is given now. */
uint32_t pages_next_unkept(const struct pages *p, uint32_t page);
const uint8_t *pages_kept(struct pages *p, uint32_t page);

/* All pages become zeros, live and in the image; nothing is staged any more. */
void pages_clear(struct pages *p);

/* The same, and what they took is given back. */
void pages_give_back(struct pages *p, const struct give_back *give_back);

/* An application's window on the pages: its page 0 is page `first`.  It lies within them. */
struct vstamp_pages {
    struct pages *pages;
    void *instance;    /* what the application has beside them, */
    uint8_t *memory;   /* and what we lend it for them: VSTAMP_PAGE_MEMORY for each, or NULL */
    bool of_candidate; /* else the live ones */
    uint32_t first;
    uint32_t count;
};

#endif

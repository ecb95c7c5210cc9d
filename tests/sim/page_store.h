/* SPDX-License-Identifier: BSD-2-Clause */
/* A replica's store of pages, as the simulated disk holds it: each page with its checksum, and the
 * head of the newest checkpoint.  What the jobs of a checkpoint bring gathers in a transaction; a
 * crash loses that whole, or it was committed whole. */
#ifndef SIM_PAGE_STORE_H
#define SIM_PAGE_STORE_H

#include "base/prng.h"
#include "node/node.h"

struct stored_page {
    bool present;
    uint64_t checksum;
    uint8_t *content;
};

struct page_store {
    uint64_t number; /* of the checkpoint, 0: there is none */
    uint8_t *head;
    size_t head_size;
    struct stored_page *pages;  /* by number */
    struct stored_page *former; /* what a page was before it was written last */
    uint32_t n_pages;
    bool unreadable;

    struct stored_page *fetched; /* what was kept of a fetch; without checksums */
    uint32_t n_fetched;

    uint64_t begun; /* the transaction: the number of its checkpoint, 0: none is open */
    uint8_t *pending;
    size_t pending_size;
};

void page_store_begin(struct page_store *s, uint64_t number);
void page_store_put(struct page_store *s, struct bytes pages);
void page_store_commit(struct page_store *s, struct bytes head);
void page_store_abort(struct page_store *s);

/* Tell the node of the pages from `first` on that do not check. */
void page_store_check(const struct page_store *s, uint64_t first, struct node *node);
bool page_store_is_sound(const struct page_store *s); /* no page has rotted */

/* These pages of the checkpoint that is there are as they were again. */
void page_store_mend(struct page_store *s, struct bytes pages);

/* Flip a bit of one of the pages that page_store_check looks at from `first` on; false if there is
 * none. */
bool page_store_rot(struct page_store *s, uint64_t first, struct prng *prng);

/* A page, or the head, is not what was written; says what happened, NULL if there is nothing to
 * damage. */
const char *page_store_damage(struct page_store *s, struct prng *prng);

/* Flip bits of a byte of the head, or of a page's checksum and content: `at` modulo all of them. */
void page_store_flip(struct page_store *s, size_t at, uint8_t bits);

/* Pages beside the store: kept, perhaps lost or changed by a crash, given to a node. */
void page_store_keep(struct page_store *s, struct bytes pages);
void page_store_keep_less(struct page_store *s, struct prng *prng);
void page_store_restore_kept(const struct page_store *s, struct node *node);

struct page_store page_store_copy(const struct page_store *from);
void page_store_wipe(struct page_store *s);

/* Give a node that was just initialised the checkpoint, if there is one. */
int page_store_restore(const struct page_store *s, struct node *node, struct vstamp_diag *diag);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* What has changed lately, for those who watch: a ring of bytes in the first pages, in which each
 * change takes the place of the oldest ones.
 *
 *   page 0           the store's header (cells.h); from cell 1 on: u64 where the oldest change
 *                    begins, u64 where the newest one ends, u64 the newest op-number of which a
 *                    change is lost
 *   pages 1 to n     the ring; n is in the store's header
 *   a change         u64 op-number, u8 what, u8 whether the value is left out, u16 and u32 sizes of
 *                    key and value, key, value
 *
 * Places count bytes from the first change ever on and never fall, so a place is the same at every
 * replica, and says which changes somebody has seen.  A value larger than an eighth of the ring is
 * left out. */
#ifndef KV_CHANGES_H
#define KV_CHANGES_H

#include "kv/kv.h"

#define KV_CHANGES_PAGES_MAX 256u /* 1 MiB */

struct kv_changes {
    uint64_t begin, end; /* places */
    uint64_t lost_op;    /* all changes of later entries are here, 0: all */
    uint32_t n_pages;    /* 0: none are kept */
};

/* How many pages a new store takes for it. */
uint32_t kv_changes_pages(const struct vstamp_pages *pages);

/* Which are kept. */
struct kv_changes kv_changes(const struct vstamp_pages *pages);

/* Note a change.  `value` is that of PUT and APPEND. */
void kv_changes_note(struct vstamp_pages *pages, uint64_t op, enum kv_what what, struct bytes key,
                     struct bytes value);

/* The change at a place, without its bytes; false: none can be there. */
bool kv_changes_look(const struct vstamp_pages *pages, const struct kv_changes *c, uint64_t place,
                     struct kv_change *change, uint64_t *next);

/* Its key, or its value. */
void kv_changes_read_key(const struct vstamp_pages *pages, const struct kv_changes *c,
                         uint64_t place, const struct kv_change *change, uint8_t *to);
void kv_changes_read_value(const struct vstamp_pages *pages, const struct kv_changes *c,
                           uint64_t place, const struct kv_change *change, uint8_t *to);

#endif

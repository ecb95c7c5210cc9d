/* SPDX-License-Identifier: BSD-2-Clause */
/* The replicated state as numbered pages (paper section 5.1); pages.h says what for.
 *
 * What holds between calls:
 *   P1  live pages from n_used on are zeros, and so was the image from image_n_used on;
 *   P2  outside a fetch a page is in `copied` only if there is an image and it was part of it;
 *   P3  digest is the sum of term(page, hashes[page]) over the pages that are not stale, and for
 *       those hashes[page] is pages_hash(live page).
 * A page of zeros has hash 0 and adds nothing to the sum, so by P1 the digest does not depend on
 * how many pages were ever in use; a sum does not depend on the order in which pages changed. */
#include "vr/pages.h"

#include <string.h>

#include "base/assert.h"
#include "base/bitset.h"
#include "base/checksum.h"
#include "base/endian.h"

#define EXPORTED __attribute__((visibility("default")))

static uint8_t *page_at(uint8_t *area, uint32_t page)
{
    return area + (size_t)page * VSTAMP_PAGE_SIZE;
}

static bool is_zeros(const uint8_t *content)
{
    return load_u64(content) == 0 && memcmp(content, content + 8, VSTAMP_PAGE_SIZE - 8) == 0;
}

uint64_t pages_hash(const uint8_t *content)
{
    if (content == NULL || is_zeros(content)) return 0;
    uint64_t hash = checksum64(content, VSTAMP_PAGE_SIZE);
    return hash != 0 ? hash : 1;
}

/* What a page adds to the digest.  The number is mixed in, so that swapped pages are noticed. */
static struct vstamp_id term(uint32_t page, uint64_t hash)
{
    uint8_t both[12];
    if (hash == 0) return (struct vstamp_id){0};
    store_u32(both, page);
    store_u64(both + 4, hash);
    return checksum128(both, sizeof both);
}

static void digest_add(struct vstamp_id *sum, struct vstamp_id t)
{
    sum->hi += t.hi + __builtin_add_overflow(sum->lo, t.lo, &sum->lo);
}

static void digest_subtract(struct vstamp_id *sum, struct vstamp_id t)
{
    sum->hi -= t.hi + __builtin_sub_overflow(sum->lo, t.lo, &sum->lo);
}

/* P3: the page is about to change, so its old content leaves the sum. */
static void make_stale(struct pages *p, uint32_t page)
{
    if (bitset_has(p->stale, page)) return;
    digest_subtract(&p->digest, term(page, p->hashes[page]));
    bitset_add(p->stale, page);
}

static void forget_copies(struct pages *p, uint32_t n_pages)
{
    memset(p->copied, 0, bitset_words(n_pages) * sizeof p->copied[0]);
}

void pages_init(struct pages *p, struct arena *arena, uint32_t n_max)
{
    assert(n_max > 0);
    *p = (struct pages){.n_max = n_max};
    p->live = arena_take(arena, n_max, VSTAMP_PAGE_SIZE);
    p->second = arena_take(arena, n_max, VSTAMP_PAGE_SIZE);
    p->copied = arena_take(arena, bitset_words(n_max), sizeof p->copied[0]);
    p->stale = arena_take(arena, bitset_words(n_max), sizeof p->stale[0]);
    p->hashes = arena_take(arena, n_max, sizeof p->hashes[0]);
}

const uint8_t *pages_read(const struct pages *p, uint32_t page)
{
    assert(page < p->n_max);
    return page_at(p->live, page);
}

uint8_t *pages_write(struct pages *p, uint32_t page)
{
    assert(page < p->n_max);
    assert(!p->fetching);
    uint8_t *content = page_at(p->live, page);
    if (p->has_image && page < p->image_n_used && !bitset_has(p->copied, page)) {
        memcpy(page_at(p->second, page), content, VSTAMP_PAGE_SIZE);
        bitset_add(p->copied, page);
    }
    make_stale(p, page);
    if (page >= p->n_used) p->n_used = page + 1;
    return content;
}

void pages_checkpoint(struct pages *p)
{
    assert(!p->fetching);
    assert(p->image_n_used <= p->n_max);
    forget_copies(p, p->image_n_used); /* by P2 there are no others */
    p->image_n_used = p->n_used;
    p->has_image = true;
}

const uint8_t *pages_image(const struct pages *p, uint32_t page)
{
    assert(page < p->n_max);
    assert(p->has_image);
    assert(!p->fetching);
    if (page >= p->image_n_used) return NULL;
    return page_at(bitset_has(p->copied, page) ? p->second : p->live, page);
}

/* Visit the set bits of one word only: most pages are not stale most of the time. */
static void refresh_word(struct pages *p, uint32_t word)
{
    for (uint64_t left = p->stale[word]; left != 0; left &= left - 1) {
        uint32_t page = word * 64 + (uint32_t)__builtin_ctzll(left);
        p->hashes[page] = pages_hash(page_at(p->live, page));
        digest_add(&p->digest, term(page, p->hashes[page]));
    }
    p->stale[word] = 0;
}

struct vstamp_id pages_digest(struct pages *p)
{
    for (uint32_t word = 0; word < bitset_words(p->n_used); word++) refresh_word(p, word);
    return p->digest;
}

void pages_fetch_begin(struct pages *p)
{
    assert(!p->fetching);
    forget_copies(p, p->n_max);
    p->has_image = false;
    p->image_n_used = 0;
    p->fetching = true;
}

void pages_fetch_put(struct pages *p, uint32_t page, const uint8_t *content)
{
    assert(p->fetching);
    assert(page < p->n_max);
    assert(!p->shown);
    uint8_t *staged = page_at(p->second, page);
    if (content != NULL) {
        memcpy(staged, content, VSTAMP_PAGE_SIZE);
    } else {
        memset(staged, 0, VSTAMP_PAGE_SIZE);
    }
    bitset_add(p->copied, page);
}

static void swap_pages(struct pages *p, uint32_t page)
{
    uint8_t kept[VSTAMP_PAGE_SIZE];
    make_stale(p, page);
    memcpy(kept, page_at(p->live, page), sizeof kept);
    memcpy(page_at(p->live, page), page_at(p->second, page), sizeof kept);
    memcpy(page_at(p->second, page), kept, sizeof kept);
}

/* Its own inverse. */
static void swap_staged(struct pages *p, uint32_t limit)
{
    for (uint32_t page = 0; page < limit; page++)
        if (bitset_has(p->copied, page)) swap_pages(p, page);
}

void pages_fetch_show(struct pages *p, uint32_t n_used)
{
    assert(p->fetching && !p->shown);
    assert(n_used <= p->n_max);
    for (uint32_t page = n_used; page < p->n_used; page++) pages_fetch_put(p, page, NULL); /* P1 */
    swap_staged(p, n_used > p->n_used ? n_used : p->n_used);
    p->former_n_used = p->n_used;
    p->n_used = n_used;
    p->shown = true;
}

void pages_fetch_commit(struct pages *p)
{
    assert(p->fetching && p->shown);
    forget_copies(p, p->n_max);
    p->fetching = p->shown = false;
    pages_checkpoint(p);
}

void pages_fetch_abort(struct pages *p)
{
    assert(p->fetching);
    if (p->shown) {
        swap_staged(p, p->n_used > p->former_n_used ? p->n_used : p->former_n_used);
        p->n_used = p->former_n_used;
    }
    forget_copies(p, p->n_max);
    p->fetching = p->shown = false;
}

EXPORTED uint32_t vstamp_pages_max(const struct vstamp_pages *pages)
{
    return pages->count;
}

EXPORTED const void *vstamp_page_read(const struct vstamp_pages *pages, uint32_t page)
{
    assert(page < pages->count);
    return pages_read(pages->pages, pages->first + page);
}

EXPORTED void *vstamp_page_write(struct vstamp_pages *pages, uint32_t page)
{
    assert(page < pages->count);
    return pages_write(pages->pages, pages->first + page);
}

const uint8_t *pages_candidate(const struct pages *p, uint32_t page)
{
    assert(page < p->n_max);
    if (p->fetching && bitset_has(p->copied, page)) return page_at(p->second, page);
    return page < p->n_used ? page_at(p->live, page) : NULL;
}

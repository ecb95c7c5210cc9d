/* SPDX-License-Identifier: BSD-2-Clause */
/* The replicated state as numbered pages (paper section 5.1); pages.h says what for.
 *
 * What holds between calls:
 *   P1  live pages from n_used on are zeros, and so was the image from image_n_used on;
 *   P2  a page is in `copied` only if there is an image and it was part of it;
 *   P3  a leaf of a tree that is not stale is the hash of that page in that version;
 *   P4  a page in `is_staged` is not stale in the candidate's tree;
 *   P5  what differs from the disk is in `unstored` if it does so in the image, else in
 *       `changed`;
 *   P6  a page that is stale in the point's tree and not in `since` has the content it had at the
 *       point;
 *   P7  a page in `changed` is below n_used, and `copied` if it is part of an image;
 *   P8  a page that is stale in the live tree is so in the candidate's, or staged. */
#include "vr/pages.h"

#include <string.h>

#include "base/assert.h"
#include "base/bitset.h"
#include "base/checksum.h"
#include "base/endian.h"

#define EXPORTED __attribute__((visibility("default")))
#define PAGES_PASSED 2048u /* in a set, while one is hashed */

static uint8_t *page_at(uint8_t *area, uint32_t page)
{
    return area + (size_t)page * VSTAMP_PAGE_SIZE;
}

static uint8_t *live_page(const struct pages *p, uint32_t page)
{
    return page_at(p->places[bitset_has(p->live_place, page)], page);
}

static uint8_t *staged_page(const struct pages *p, uint32_t page)
{
    return page_at(p->places[!bitset_has(p->live_place, page)], page);
}

static uint8_t *candidate_page(const struct pages *p, uint32_t page)
{
    return bitset_has(p->is_staged, page) ? staged_page(p, page) : live_page(p, page);
}

static uint8_t *copy_of(const struct pages *p, uint32_t page)
{
    return page_at(p->copies, p->copy_of[page]);
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

static void forget_copies(struct pages *p)
{
    memset(p->copied, 0, bitset_words(p->image_n_used) * sizeof p->copied[0]); /* by P2 no others */
    p->n_copies = 0;
}

static void touch_page(struct pages *p, uint32_t page)
{
    if (page >= p->n_touched) p->n_touched = page + 1;
}

void pages_init(struct pages *p, struct arena *arena, uint32_t n_max)
{
    assert(n_max > 0);
    *p = (struct pages){.n_max = n_max};
    p->places[0] = arena_take(arena, n_max, VSTAMP_PAGE_SIZE);
    p->copies = arena_take(arena, n_max, VSTAMP_PAGE_SIZE);
    p->copy_of = arena_take(arena, n_max, sizeof p->copy_of[0]);
    p->spare = arena_take(arena, 1, VSTAMP_PAGE_SIZE);
    p->places[1] = arena_take(arena, n_max, VSTAMP_PAGE_SIZE);
    p->live_place = arena_take(arena, bitset_words(n_max), sizeof p->live_place[0]);
    p->copied = arena_take(arena, bitset_words(n_max), sizeof p->copied[0]);
    p->changed = arena_take(arena, bitset_words(n_max), sizeof p->changed[0]);
    p->since = arena_take(arena, bitset_words(n_max), sizeof p->since[0]);
    p->untold = arena_take(arena, bitset_words(n_max), sizeof p->untold[0]);
    p->unstored = arena_take(arena, bitset_words(n_max), sizeof p->unstored[0]);
    p->is_staged = arena_take(arena, bitset_words(n_max), sizeof p->is_staged[0]);
    p->unkept = arena_take(arena, bitset_words(n_max), sizeof p->unkept[0]);
    for (int version = 0; version < PAGES_VERSIONS; version++)
        tree_init(&p->trees[version], arena, n_max);
}

const uint8_t *pages_read(const struct pages *p, uint32_t page)
{
    assert(page < p->n_max);
    return live_page(p, page);
}

const uint8_t *pages_candidate(const struct pages *p, uint32_t page)
{
    assert(page < p->n_max);
    return candidate_page(p, page);
}

/* Is all noted that note_write would note?  So it is for most writes, of many to one page since the
 * last checkpoint, when the page was copied and came to be in use, and the last point. */
static bool is_noted(const struct pages *p, uint32_t page)
{
    return bitset_has(p->changed, page) && bitset_has(p->since, page) &&
           tree_is_stale(&p->trees[PAGES_LIVE], page);
}

__attribute__((noinline)) static void note_write(struct pages *p, uint32_t page)
{
    const uint8_t *content = live_page(p, page);
    if (p->has_image && page < p->image_n_used && !bitset_has(p->copied, page)) {
        p->copy_of[page] = p->n_copies++;
        memcpy(page_at(p->copies, p->copy_of[page]), content, VSTAMP_PAGE_SIZE);
        bitset_add(p->copied, page);
    }
    if (!bitset_has(p->since, page)) { /* P6 */
        struct tree *point = &p->trees[PAGES_POINT];
        if (tree_is_stale(point, page)) tree_set(point, page, pages_hash(content));
        bitset_add(p->since, page);
        p->n_since++;
    }
    tree_touch(&p->trees[PAGES_LIVE], page);
    if (!bitset_has(p->is_staged, page)) tree_touch(&p->trees[PAGES_CANDIDATE], page);
    bitset_add(p->changed, page); /* P5 */
    touch_page(p, page);
    if (page >= p->n_used) p->n_used = page + 1;
}

static uint8_t *page_to_write(struct pages *p, uint32_t page)
{
    assert(!p->fetching);
    if (!is_noted(p, page)) note_write(p, page);
    return live_page(p, page);
}

uint8_t *pages_write(struct pages *p, uint32_t page)
{
    assert(page < p->n_max);
    return page_to_write(p, page);
}

/* Pages change in the image's tree only here. */
void pages_checkpoint(struct pages *p)
{
    assert(!p->fetching);
    forget_copies(p);
    p->image_n_used = p->n_used;
    p->has_image = true;
    for (uint32_t word = 0; word < bitset_words(p->n_touched); word++) {
        tree_touch_word(&p->trees[PAGES_IMAGE], word, p->changed[word]);
        p->unstored[word] |= p->changed[word];
        p->changed[word] = 0;
    }
}

void pages_drop_image(struct pages *p)
{
    forget_copies(p);
    p->has_image = false;
}

bool pages_has_kept(const struct pages *p, uint32_t page)
{
    return p->has_image || !bitset_has(p->changed, page);
}

const uint8_t *pages_image(const struct pages *p, uint32_t page)
{
    assert(page < p->n_max);
    assert(pages_has_kept(p, page));
    if (page >= p->image_n_used) return NULL;
    return bitset_has(p->copied, page) ? copy_of(p, page) : live_page(p, page);
}

static uint32_t next_in(const struct pages *p, const uint64_t *set, uint32_t page)
{
    for (; page < p->n_touched; page = (page | 63) + 1) {
        uint64_t left = set[page / 64] >> page % 64;
        if (left != 0) return page + (uint32_t)__builtin_ctzll(left);
    }
    return p->n_max;
}

uint32_t pages_next_unstored(const struct pages *p, uint32_t page)
{
    return next_in(p, p->unstored, page);
}

void pages_stored(struct pages *p, uint32_t page)
{
    assert(page < p->n_touched);
    bitset_remove(p->unstored, page);
}

void pages_all_stored(struct pages *p)
{
    memset(p->unstored, 0, bitset_words(p->n_touched) * sizeof p->unstored[0]);
}

uint64_t pages_live_hash(struct pages *p, uint32_t page)
{
    struct tree *tree = &p->trees[PAGES_LIVE];
    if (tree_is_stale(tree, page)) tree_set(tree, page, pages_hash(live_page(p, page)));
    return tree_leaf(tree, page);
}

/* It has not changed since the point, and was hashed then. */
static bool is_as_at_point(const struct pages *p, uint32_t page)
{
    return !bitset_has(p->since, page) && !tree_is_stale(&p->trees[PAGES_POINT], page);
}

/* A page that is the live one has its hash: what one tree knows the other need not hash.  An image
 * has the hash of the point as far as it can: what turned in memory since then is not what is asked
 * for (vr/page_transfer.c, F2), and so goes no further. */
static uint64_t hash_in(struct pages *p, enum pages_version version, uint32_t page)
{
    switch (version) {
    case PAGES_LIVE: break;
    case PAGES_IMAGE:
        if (page >= p->image_n_used) return 0;
        if (bitset_has(p->copied, page)) return pages_hash(copy_of(p, page));
        if (is_as_at_point(p, page)) return tree_leaf(&p->trees[PAGES_POINT], page);
        break;
    case PAGES_CANDIDATE:
        assert(!bitset_has(p->is_staged, page)); /* P4 */
        break;
    case PAGES_POINT: return pages_hash(live_page(p, page)); /* as memory has it now */
    case PAGES_VERSIONS: break;
    }
    return pages_live_hash(p, page);
}

uint64_t pages_image_hash(struct pages *p, uint32_t page)
{
    struct tree *tree = &p->trees[PAGES_IMAGE];
    assert(p->has_image);
    if (tree_is_stale(tree, page)) tree_set(tree, page, hash_in(p, PAGES_IMAGE, page));
    return tree_leaf(tree, page);
}

bool pages_settle(struct pages *p, enum pages_version version, uint32_t limit)
{
    struct tree *tree = &p->trees[version];
    for (uint32_t page = 0; limit > 0 && tree_next_stale(tree, &page); limit--, page++)
        tree_set(tree, page, hash_in(p, version, page));
    if (tree->n_stale > 0) return false;
    tree_settle(tree);
    return true;
}

bool pages_settle_soon(struct pages *p, enum pages_version version)
{
    bool settled = pages_settle(p, version, 4 * PAGES_HASHED_AT_ONCE);
    p->wanted[version] = !settled;
    return settled;
}

bool pages_are_wanted(const struct pages *p)
{
    return p->wanted[PAGES_LIVE] || p->wanted[PAGES_IMAGE];
}

void pages_hash_some(struct pages *p)
{
    for (int version = PAGES_LIVE; version <= PAGES_IMAGE; version++)
        if (p->wanted[version])
            p->wanted[version] =
                !pages_settle(p, (enum pages_version)version, PAGES_HASHED_AT_ONCE);
}

void pages_point(struct pages *p)
{
    for (uint32_t word = 0; word < bitset_words(p->n_touched); word++) {
        tree_touch_word(&p->trees[PAGES_POINT], word, p->since[word]);
        p->untold[word] |= p->since[word];
        p->since[word] = 0;
    }
    p->n_since = 0;
}

/* To go through the sets of pages takes time, too. */
uint64_t pages_point_cost(const struct pages *p)
{
    return p->n_since + p->n_touched / PAGES_PASSED;
}

uint32_t pages_next_untold(const struct pages *p, uint32_t page)
{
    return next_in(p, p->untold, page);
}

uint64_t pages_told(struct pages *p, uint32_t page)
{
    bitset_remove(p->untold, page);
    return tree_leaf(&p->trees[PAGES_POINT], page);
}

void pages_tell_anew(struct pages *p)
{
    for (uint32_t page = 0; page < p->n_touched; page++) bitset_add(p->untold, page);
}

uint32_t pages_look(struct pages *p, uint32_t n)
{
    const struct tree *point = &p->trees[PAGES_POINT];
    for (; n > 0; n--) {
        if (p->next_looked >= p->n_used) p->next_looked = 0;
        uint32_t page = p->next_looked++;
        if (page >= p->n_used) break; /* there are none */
        if (bitset_has(p->since, page) || tree_is_stale(point, page)) continue;
        if (pages_hash(live_page(p, page)) != tree_leaf(point, page)) return page;
    }
    return p->n_max;
}

struct vstamp_id pages_digest(struct pages *p)
{
    pages_settle(p, PAGES_LIVE, UINT32_MAX);
    return tree_root(&p->trees[PAGES_LIVE]);
}

void pages_fetch_begin(struct pages *p)
{
    assert(!p->fetching);
    p->fetching = true;
}

void pages_fetch_put(struct pages *p, uint32_t page, const uint8_t *content)
{
    assert(p->fetching);
    assert(page < p->n_max);
    if (content != NULL) {
        memcpy(staged_page(p, page), content, VSTAMP_PAGE_SIZE);
        bitset_add(p->unkept, page);
    } else {
        memset(staged_page(p, page), 0, VSTAMP_PAGE_SIZE);
        bitset_remove(p->unkept, page); /* it costs nothing to have that anew */
    }
    touch_page(p, page);
    if (!bitset_has(p->is_staged, page)) p->n_staged++;
    bitset_add(p->is_staged, page);
    tree_set(&p->trees[PAGES_CANDIDATE], page, pages_hash(content));
}

void pages_fetch_drop(struct pages *p, uint32_t page)
{
    assert(page < p->n_max);
    if (!bitset_has(p->is_staged, page)) return;
    bitset_remove(p->is_staged, page);
    bitset_remove(p->unkept, page);
    p->n_staged--;
    tree_touch(&p->trees[PAGES_CANDIDATE], page);
}

static void swap_trees(struct tree *a, struct tree *b)
{
    struct tree kept = *a;
    *a = *b;
    *b = kept;
}

/* What was live before is in the other places now, and its hashes in the candidate's tree. */
void pages_fetch_commit(struct pages *p)
{
    assert(p->fetching);
    p->n_used = tree_end(&p->trees[PAGES_CANDIDATE]); /* P1 */
    p->n_since = 0;
    swap_trees(&p->trees[PAGES_LIVE], &p->trees[PAGES_CANDIDATE]);
    for (uint32_t word = 0; word < bitset_words(p->n_touched); word++) {
        p->live_place[word] ^= p->is_staged[word];
        p->changed[word] |= p->is_staged[word]; /* P5 */
        p->since[word] |= p->is_staged[word];   /* P6 */
        p->n_since += (uint32_t)__builtin_popcountll(p->since[word]);
    }
    p->fetching = false;
    pages_fetch_forget(p);
    pages_checkpoint(p);
}

void pages_fetch_abort(struct pages *p)
{
    assert(p->fetching);
    p->fetching = false;
}

void pages_fetch_forget(struct pages *p)
{
    for (uint32_t word = 0; p->n_staged > 0; word++) {
        tree_touch_word(&p->trees[PAGES_CANDIDATE], word, p->is_staged[word]);
        p->n_staged -= (uint32_t)__builtin_popcountll(p->is_staged[word]);
        p->is_staged[word] = p->unkept[word] = 0;
    }
}

uint32_t pages_next_unkept(const struct pages *p, uint32_t page)
{
    return next_in(p, p->unkept, page);
}

const uint8_t *pages_kept(struct pages *p, uint32_t page)
{
    assert(bitset_has(p->is_staged, page));
    bitset_remove(p->unkept, page);
    return staged_page(p, page);
}

void pages_clear(struct pages *p)
{
    pages_fetch_begin(p);
    for (uint32_t page = 0; page < p->n_used; page++) pages_fetch_put(p, page, NULL);
    for (uint32_t page = p->n_used; page < p->n_touched; page++) pages_fetch_drop(p, page);
    pages_settle(p, PAGES_CANDIDATE, UINT32_MAX);
    pages_fetch_commit(p);
}

static void forget_set(const struct pages *p, uint64_t *set)
{
    memset(set, 0, bitset_words(p->n_touched) * sizeof set[0]);
}

void pages_give_back(struct pages *p, const struct give_back *give_back)
{
    size_t size = (size_t)p->n_touched * VSTAMP_PAGE_SIZE;
    assert(!p->fetching);
    give_back->zero(give_back->ctx, p->places[0], size);
    give_back->zero(give_back->ctx, p->places[1], size);
    give_back->zero(give_back->ctx, p->copies, size);
    forget_set(p, p->live_place);
    forget_set(p, p->copied);
    forget_set(p, p->is_staged);
    forget_set(p, p->unkept);
    for (int version = 0; version < PAGES_VERSIONS; version++)
        tree_clear(&p->trees[version], p->n_touched);
    p->n_used = p->image_n_used = p->n_staged = 0;
    for (uint32_t page = 0; page < p->n_touched; page++) bitset_add(p->changed, page); /* P5 */
    pages_tell_anew(p); /* the hashes are 0 now */
    pages_checkpoint(p);
}

EXPORTED uint32_t vstamp_pages_max(const struct vstamp_pages *pages)
{
    return pages->count;
}

/* Its replica is over as soon as the application returns (vr_app_leave). */
__attribute__((cold)) static uint8_t *stray(const struct vstamp_pages *pages, uint32_t page)
{
    pages->pages->strayed = true;
    pages->pages->stray = page;
    return pages->pages->spare;
}

/* What is within the window is within the whole. */
EXPORTED const void *vstamp_page_read(const struct vstamp_pages *pages, uint32_t page)
{
    if (page >= pages->count) return stray(pages, page);
    uint32_t number = pages->first + page;
    return pages->of_candidate ? candidate_page(pages->pages, number)
                               : live_page(pages->pages, number);
}

EXPORTED void *vstamp_page_write(struct vstamp_pages *pages, uint32_t page)
{
    if (page >= pages->count) return stray(pages, page);
    return page_to_write(pages->pages, pages->first + page);
}

EXPORTED void *vstamp_pages_memory(const struct vstamp_pages *pages)
{
    return pages->of_candidate ? NULL : pages->memory;
}

EXPORTED void *vstamp_pages_instance(const struct vstamp_pages *pages)
{
    return pages->instance;
}

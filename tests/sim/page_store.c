/* SPDX-License-Identifier: BSD-2-Clause */
#include "sim/page_store.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"

static void *copy_of(const void *data, size_t size)
{
    void *copy = malloc(size > 0 ? size : 1);
    assert(copy != NULL);
    if (size > 0) memcpy(copy, data, size);
    return copy;
}

void page_store_begin(struct page_store *s, uint64_t number)
{
    assert(s->begun == 0 && s->pending == NULL && number > s->number);
    s->begun = number;
}

void page_store_put(struct page_store *s, struct bytes pages)
{
    assert(s->begun != 0);
    s->pending = realloc(s->pending, s->pending_size + pages.size + 1);
    assert(s->pending != NULL);
    memcpy(s->pending + s->pending_size, pages.data, pages.size);
    s->pending_size += pages.size;
}

void page_store_keep(struct page_store *s, struct bytes pages)
{
    struct node_page page;
    while (node_page_next(&pages, &page)) {
        if (page.number >= s->n_fetched) {
            s->fetched = realloc(s->fetched, (page.number + 1) * sizeof *s->fetched);
            assert(s->fetched != NULL);
            memset(s->fetched + s->n_fetched, 0,
                   (page.number + 1 - s->n_fetched) * sizeof *s->fetched);
            s->n_fetched = page.number + 1;
        }
        free(s->fetched[page.number].content);
        s->fetched[page.number] = (struct stored_page){
            .present = true, .content = copy_of(page.content, VSTAMP_PAGE_SIZE)};
    }
}

/* Nobody waits until they are on the disk. */
void page_store_keep_less(struct page_store *s, struct prng *prng)
{
    for (uint32_t i = 0; i < s->n_fetched; i++) {
        struct stored_page *page = &s->fetched[i];
        if (!page->present) continue;
        if (prng_chance(prng, 1, 8)) page->present = false;
        if (prng_chance(prng, 1, 8)) memset(page->content, 0, 512 * (1 + prng_below(prng, 7)));
    }
}

void page_store_restore_kept(const struct page_store *s, struct node *node)
{
    for (uint32_t i = 0; i < s->n_fetched; i++)
        if (s->fetched[i].present) node_restore_fetched(node, i, s->fetched[i].content);
}

static void forget_kept(struct page_store *s)
{
    for (uint32_t i = 0; i < s->n_fetched; i++) free(s->fetched[i].content);
    free(s->fetched);
    s->fetched = NULL;
    s->n_fetched = 0;
}

static void reserve(struct page_store *s, uint32_t n_pages)
{
    if (n_pages <= s->n_pages) return;
    s->pages = realloc(s->pages, n_pages * sizeof *s->pages);
    s->former = realloc(s->former, n_pages * sizeof *s->former);
    assert(s->pages != NULL && s->former != NULL);
    memset(s->pages + s->n_pages, 0, (n_pages - s->n_pages) * sizeof *s->pages);
    memset(s->former + s->n_pages, 0, (n_pages - s->n_pages) * sizeof *s->former);
    s->n_pages = n_pages;
}

static void keep(struct page_store *s, const struct node_page *page)
{
    reserve(s, page->number + 1);
    free(s->former[page->number].content);
    s->former[page->number] = s->pages[page->number];
    s->pages[page->number] = (struct stored_page){0};
    if (page->content == NULL) return;
    s->pages[page->number] = (struct stored_page){
        .present = true,
        .checksum = page->checksum,
        .content = copy_of(page->content, VSTAMP_PAGE_SIZE)};
}

void page_store_commit(struct page_store *s, struct bytes head)
{
    struct bytes pending = {s->pending, s->pending_size};
    struct node_page page;
    assert(s->begun != 0);
    while (node_page_next(&pending, &page)) keep(s, &page);
    free(s->head);
    s->head = copy_of(head.data, head.size);
    s->head_size = head.size;
    s->number = s->begun;
    page_store_abort(s);
    forget_kept(s);
}

static bool is_rotten(const struct page_store *s, uint64_t i)
{
    const struct stored_page *page = &s->pages[i];
    return page->present && page->checksum != node_page_checksum((uint32_t)i, page->content);
}

void page_store_check(const struct page_store *s, uint64_t first, struct node *node)
{
    for (uint64_t i = first; i < s->n_pages && i < first + NODE_CHECKED_PAGES; i++)
        if (is_rotten(s, i)) node_on_rot(node, (uint32_t)i);
}

bool page_store_is_sound(const struct page_store *s)
{
    uint64_t i = 0;
    while (i < s->n_pages && !is_rotten(s, i)) i++;
    return i == s->n_pages;
}

void page_store_mend(struct page_store *s, struct bytes pages)
{
    struct node_page page;
    while (node_page_next(&pages, &page)) {
        assert(s->pages[page.number].present);
        s->pages[page.number].checksum = page.checksum;
        memcpy(s->pages[page.number].content, page.content, VSTAMP_PAGE_SIZE);
    }
}

bool page_store_rot(struct page_store *s, uint64_t first, struct prng *prng)
{
    uint64_t page = first + prng_below(prng, NODE_CHECKED_PAGES);
    if (page >= s->n_pages || !s->pages[page].present) return false;
    s->pages[page].content[prng_below(prng, VSTAMP_PAGE_SIZE)] ^=
        (uint8_t)(1u << prng_below(prng, 8));
    return true;
}

void page_store_abort(struct page_store *s)
{
    free(s->pending);
    s->pending = NULL;
    s->pending_size = 0;
    s->begun = 0;
}

/* The bytes of a stored page: its checksum, then its content. */
#define STORED_SIZE (8u + VSTAMP_PAGE_SIZE)

static struct stored_page *any_page(struct page_store *s, uint64_t at)
{
    for (uint32_t i = 0; i < s->n_pages; i++) {
        struct stored_page *page = &s->pages[(at + i) % s->n_pages];
        if (page->present) return page;
    }
    return NULL;
}

void page_store_flip(struct page_store *s, size_t at, uint8_t bits)
{
    size_t size = s->head_size + s->n_pages * STORED_SIZE;
    if (size == 0) return;
    at %= size;
    if (at < s->head_size) {
        s->head[at] ^= bits;
        return;
    }
    at -= s->head_size;
    struct stored_page *page = any_page(s, at / STORED_SIZE);
    if (page == NULL) return;
    at %= STORED_SIZE;
    if (at < 8) page->checksum ^= (uint64_t)bits << 8 * at;
    else page->content[at - 8] ^= bits;
}

/* A write that was lost leaves what was there before, which checks. */
static bool lose_write(struct page_store *s, uint64_t at)
{
    for (uint32_t i = 0; i < s->n_pages; i++) {
        uint32_t number = (uint32_t)((at + i) % s->n_pages);
        struct stored_page *page = &s->pages[number], *former = &s->former[number];
        bool differs = page->present != former->present || page->checksum != former->checksum;
        if (!former->present || !differs) continue;
        struct stored_page lost = *page;
        *page = *former;
        *former = lost;
        return true;
    }
    return false;
}

const char *page_store_damage(struct page_store *s, struct prng *prng)
{
    uint64_t at = prng_next(prng);
    struct stored_page *page;
    if (s->number == 0) return NULL;
    switch (prng_below(prng, 8)) {
    case 0:
        page_store_wipe(s);
        return "its pages are missing";
    case 1:
        s->unreadable = true;
        return "its pages cannot be read";
    case 2:
        page = any_page(s, at);
        if (page == NULL) return NULL;
        page->present = false;
        return "a page is missing";
    case 3:
    case 4:
        return lose_write(s, at) ? "the write of a page was lost" : NULL;
    default:
        page_store_flip(s, at, (uint8_t)(1u << prng_below(prng, 8)));
        return "a bit of a page, or of their head, flipped";
    }
}

struct page_store page_store_copy(const struct page_store *from)
{
    struct page_store copy = {.number = from->number, .head_size = from->head_size};
    assert(from->begun == 0);
    copy.head = copy_of(from->head, from->head_size);
    reserve(&copy, from->n_pages);
    for (uint32_t i = 0; i < from->n_pages; i++) {
        if (!from->pages[i].present) continue;
        copy.pages[i] = from->pages[i];
        copy.pages[i].content = copy_of(from->pages[i].content, VSTAMP_PAGE_SIZE);
    }
    return copy;
}

void page_store_wipe(struct page_store *s)
{
    for (uint32_t i = 0; i < s->n_pages; i++) {
        free(s->pages[i].content);
        free(s->former[i].content);
    }
    free(s->pages);
    free(s->former);
    free(s->head);
    free(s->pending);
    forget_kept(s);
    *s = (struct page_store){0};
}

int page_store_restore(const struct page_store *s, struct node *node, struct vstamp_diag *diag)
{
    if (s->unreadable) {
        vstamp_diag_printf(diag, "a read failed");
        return VSTAMP_E_CORRUPT;
    }
    if (s->number == 0) return 0;
    struct bytes head = {s->head, s->head_size};
    int rv = node_restore_checkpoint(node, s->number, head, diag);
    for (uint32_t i = 0; rv == 0 && i < s->n_pages; i++) {
        const struct stored_page *page = &s->pages[i];
        struct node_page read = {i, page->checksum, page->content};
        if (page->present) rv = node_restore_page(node, &read, diag);
    }
    return rv == 0 ? node_restore_checkpoint_done(node, diag) : rv;
}

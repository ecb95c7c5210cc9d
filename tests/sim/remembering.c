/* SPDX-License-Identifier: BSD-2-Clause */
/* The store as an application with memory of its own: an instance is pages that nobody else knows,
 * and the functions are the store's over those.  Either what has changed is written to the group's
 * pages by hand, or all is saved in a row.
 *
 * The first page of an instance is a sum of all that was predicted, so that replicas which were
 * given different predictions differ.  What is announced must be what is applied. */
#include "sim/remembering.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/assert.h"
#include "base/checksum.h"
#include "kv/kv.h"
#include "program/zeros.h"
#include "vr/pages.h"

#define ANNOUNCED_MAX 64u

struct memory {
    void *block;
    size_t size;
    struct pages pages;
    struct vstamp_pages all, store; /* the store's are those behind the first */
    struct vstamp_context announced[ANNOUNCED_MAX]; /* that were not applied yet: the first */
    size_t n_announced, n_applied;
    uint64_t n_saved; /* times that what it holds went to the group's pages */
};

static const struct memory *instance(const struct vstamp_pages *pages)
{
    return vstamp_pages_instance(pages);
}

/* A row has room for one page less than there are: it begins with two numbers. */
static int open_memory(const char *argument, const struct vstamp_limits *limits, void **made,
                       struct vstamp_diag *why)
{
    struct memory *m = calloc(1, sizeof *m);
    uint32_t n = (uint32_t)(limits->state_bytes / VSTAMP_PAGE_SIZE);
    struct arena arena;
    (void)argument;
    (void)why;
    assert(m != NULL && n >= 2);
    arena_init(&arena, NULL, 0);
    pages_init(&m->pages, &arena, n);
    m->size = arena.used;
    m->block = zeros_map(m->size);
    assert(m->block != NULL);
    arena_init(&arena, m->block, m->size);
    pages_init(&m->pages, &arena, n);
    m->all = (struct vstamp_pages){.pages = &m->pages, .count = n};
    m->store = (struct vstamp_pages){.pages = &m->pages, .first = 1, .count = n - 1};
    *made = m;
    return 0;
}

static void close_memory(void *instance_made)
{
    struct memory *m = instance_made;
    zeros_unmap(m->block, m->size);
    free(m);
}

static void apply(struct vstamp_pages *pages, const struct vstamp_context *context,
                  const uint8_t *operation, size_t size, struct vstamp_answer *answer)
{
    struct memory *m = vstamp_pages_instance(pages);
    uint8_t *sum = vstamp_page_write(&m->all, 0), term[32] = {0};
    assert(context->prediction_size == 16);
    if (m->n_applied < m->n_announced) {
        const struct vstamp_context *next = &m->announced[m->n_applied++];
        assert(next->op_number == context->op_number);
        assert(vstamp_id_equal(next->client, context->client));
    }
    memcpy(term, sum, 16);
    memcpy(term + 16, context->prediction, 16);
    struct vstamp_id next = checksum128(term, sizeof term);
    memcpy(sum, &next, sizeof next);
    kv_app()->apply(&m->store, context, operation, size, answer);
}

/* All that was announced before has been applied. */
static void announce(struct vstamp_pages *pages, const struct vstamp_context *contexts,
                     const struct vstamp_operation *operations, size_t n)
{
    struct memory *m = vstamp_pages_instance(pages);
    (void)operations;
    assert(m->n_applied == m->n_announced && n <= ANNOUNCED_MAX);
    memcpy(m->announced, contexts, n * sizeof *contexts);
    m->n_announced = n;
    m->n_applied = 0;
}

static void query(const struct vstamp_pages *pages, const uint8_t *operation, size_t size,
                  struct vstamp_answer *answer)
{
    kv_app()->query(&instance(pages)->store, operation, size, answer);
}

static void foresee(const struct vstamp_pages *pages, const struct vstamp_operation *operations,
                    size_t n)
{
    kv_app()->foresee(&instance(pages)->store, operations, n);
}

static uint64_t due(const struct vstamp_pages *pages)
{
    return kv_app()->due(&instance(pages)->store);
}

static int tick(struct vstamp_pages *pages, const struct vstamp_context *context,
                struct vstamp_diag *why)
{
    struct memory *m = vstamp_pages_instance(pages);
    return kv_app()->tick(&m->store, context, why);
}

static void predict(const struct vstamp_pages *pages, const uint64_t seed[VSTAMP_SEED_WORDS],
                    const uint8_t *operation, size_t size, struct vstamp_answer *prediction)
{
    (void)pages;
    (void)operation;
    (void)size;
    memcpy(prediction->data, seed, 16);
    prediction->size = 16;
}

static void take_page(struct memory *m, uint32_t page, const void *content)
{
    if (memcmp(vstamp_page_read(&m->all, page), content, VSTAMP_PAGE_SIZE) != 0)
        memcpy(vstamp_page_write(&m->all, page), content, VSTAMP_PAGE_SIZE);
}

/* Pages that neither the instance nor `n` others have used are zeros, and need not be touched. */
static uint32_t used(const struct memory *m, uint32_t n)
{
    return m->pages.n_used < n ? n : m->pages.n_used;
}

static int settle(struct vstamp_pages *pages, struct vstamp_diag *why)
{
    struct memory *m = vstamp_pages_instance(pages);
    (void)why;
    m->n_saved++;
    for (uint32_t page = 0; page < m->pages.n_used; page++) {
        const void *content = vstamp_page_read(&m->all, page);
        if (memcmp(vstamp_page_read(pages, page), content, VSTAMP_PAGE_SIZE) != 0)
            memcpy(vstamp_page_write(pages, page), content, VSTAMP_PAGE_SIZE);
    }
    return 0;
}

static int resume(const struct vstamp_pages *pages, struct vstamp_diag *why)
{
    struct memory *m = vstamp_pages_instance(pages);
    (void)why;
    uint32_t n = used(m, pages->pages->n_used);
    for (uint32_t page = 0; page < n && page < m->all.count; page++)
        take_page(m, page, vstamp_page_read(pages, page));
    return 0;
}

static void save(const void *instance_made, struct vstamp_save *to)
{
    struct memory *m = (struct memory *)(uintptr_t)instance_made;
    uint32_t n = m->pages.n_used;
    m->n_saved++;
    while (n > 0 && pages_hash(vstamp_page_read(&m->all, n - 1)) == 0) n--;
    vstamp_save_bytes(to, &n, sizeof n);
    for (uint32_t page = 0; page < n; page++)
        vstamp_save_bytes(to, vstamp_page_read(&m->all, page), VSTAMP_PAGE_SIZE);
}

static int load(void *instance_made, struct vstamp_load *from, struct vstamp_diag *why)
{
    struct memory *m = instance_made;
    uint32_t n = 0;
    uint8_t content[VSTAMP_PAGE_SIZE] = {0};
    vstamp_load_bytes(from, &n, sizeof n);
    if (n > m->all.count || vstamp_load_left(from) != n * (uint64_t)VSTAMP_PAGE_SIZE) {
        vstamp_diag_printf(why, "%u pages cannot be", n);
        return VSTAMP_E_CORRUPT;
    }
    for (uint32_t page = 0; page < used(m, n); page++) {
        memset(content, 0, sizeof content);
        if (page < n) vstamp_load_bytes(from, content, sizeof content);
        take_page(m, page, content);
    }
    return 0;
}

void remembering_void(struct vstamp_pages *pages)
{
    struct memory *m = vstamp_pages_instance(pages);
    m->n_applied = m->n_announced = 0;
}

struct vstamp_pages *remembering_memory(void *instance_made)
{
    struct memory *m = instance_made;
    return &m->store;
}

uint64_t remembering_saved(const void *instance_made)
{
    const struct memory *m = instance_made;
    return m->n_saved;
}

struct vstamp_id remembering_digest(void *instance_made, bool anew)
{
    struct memory *m = instance_made;
    struct tree *tree = &m->pages.trees[PAGES_LIVE];
    for (uint32_t page = 0; anew && page < m->pages.n_used; page++) tree_touch(tree, page);
    pages_settle(&m->pages, PAGES_LIVE, UINT32_MAX);
    return tree_root(tree);
}

void remembering_store(struct vstamp_app *app, bool by_row)
{
    *app = *kv_app();
    app->audit = NULL; /* of the store's pages, which these are not */
    app->apply = apply;
    app->query = query;
    app->foresee = foresee;
    app->due = due;
    app->tick = tick;
    app->announce = announce;
    app->predict = predict;
    app->open = open_memory;
    app->close = close_memory;
    if (by_row) {
        app->save = save;
        app->load = load;
    } else {
        app->settle = settle;
        app->resume = resume;
    }
}

/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/prng.h"
#include "paged.h"

#define N_PAGES 150u /* more than two words of a bitset */

static void fill(struct pages *p, uint32_t page, int byte)
{
    memset(pages_write(p, page), byte, VSTAMP_PAGE_SIZE);
}

static void assert_filled(const uint8_t *content, int byte)
{
    uint8_t wanted[VSTAMP_PAGE_SIZE];
    memset(wanted, byte, sizeof wanted);
    assert_non_null(content);
    assert_memory_equal(content, wanted, sizeof wanted);
}

static void pages_never_written_read_as_zeros(void **state)
{
    (void)state;
    struct paged a;
    paged_open(&a, N_PAGES, 0);
    assert_filled(pages_read(&a.pages, N_PAGES - 1), 0);
    assert_int_equal(a.pages.n_used, 0);
    assert_true(vstamp_id_is_zero(pages_digest(&a.pages)));
    pages_checkpoint(&a.pages);
    assert_null(pages_image(&a.pages, 0));
    paged_close(&a);
}

static void the_image_does_not_change_with_later_writes(void **state)
{
    (void)state;
    struct paged a;
    paged_open(&a, N_PAGES, 0);
    fill(&a.pages, 0, 1);
    fill(&a.pages, 70, 2);
    pages_checkpoint(&a.pages);
    fill(&a.pages, 70, 3);
    fill(&a.pages, 70, 4);
    fill(&a.pages, 71, 5); /* not part of the image */
    assert_filled(pages_image(&a.pages, 0), 1);
    assert_filled(pages_image(&a.pages, 69), 0);
    assert_filled(pages_image(&a.pages, 70), 2);
    assert_null(pages_image(&a.pages, 71));
    assert_filled(pages_read(&a.pages, 70), 4);

    pages_checkpoint(&a.pages);
    assert_filled(pages_image(&a.pages, 70), 4);
    assert_filled(pages_image(&a.pages, 71), 5);
    paged_close(&a);
}

static void a_page_is_copied_for_the_image_only_when_it_changes(void **state)
{
    (void)state;
    struct paged a;
    paged_open(&a, N_PAGES, 0);
    fill(&a.pages, 3, 1);
    pages_checkpoint(&a.pages);
    assert_ptr_equal(pages_image(&a.pages, 3), pages_read(&a.pages, 3));
    fill(&a.pages, 3, 2);
    assert_ptr_not_equal(pages_image(&a.pages, 3), pages_read(&a.pages, 3));
    pages_checkpoint(&a.pages);
    assert_ptr_equal(pages_image(&a.pages, 3), pages_read(&a.pages, 3));
    paged_close(&a);
}

static void the_hash_of_zeros_is_zero_and_no_other(void **state)
{
    (void)state;
    uint8_t page[VSTAMP_PAGE_SIZE] = {0};
    assert_int_equal(pages_hash(NULL), 0);
    assert_int_equal(pages_hash(page), 0);
    page[VSTAMP_PAGE_SIZE - 1] = 1;
    uint64_t last = pages_hash(page);
    assert_int_not_equal(last, 0);
    page[VSTAMP_PAGE_SIZE - 1] = 0;
    page[0] = 1;
    assert_int_not_equal(pages_hash(page), 0);
    assert_int_not_equal(pages_hash(page), last);
}

static void equal_contents_have_equal_digests_whatever_their_history(void **state)
{
    (void)state;
    struct paged a, b;
    paged_open(&a, N_PAGES, 0);
    paged_open(&b, N_PAGES, 0);
    fill(&a.pages, 1, 7);
    fill(&a.pages, 100, 8);

    fill(&b.pages, 100, 9);
    fill(&b.pages, 149, 9);
    pages_digest(&b.pages); /* takes hashes that will be stale again */
    pages_checkpoint(&b.pages);
    fill(&b.pages, 100, 8);
    fill(&b.pages, 149, 0); /* used once, zeros now */
    fill(&b.pages, 1, 7);
    assert_true(vstamp_id_equal(pages_digest(&a.pages), pages_digest(&b.pages)));
    assert_true(vstamp_id_equal(pages_digest(&a.pages), pages_digest(&a.pages)));
    paged_close(&a);
    paged_close(&b);
}

static void swapped_pages_have_another_digest(void **state)
{
    (void)state;
    struct paged a, b;
    paged_open(&a, N_PAGES, 0);
    paged_open(&b, N_PAGES, 0);
    fill(&a.pages, 1, 7);
    fill(&a.pages, 2, 8);
    fill(&b.pages, 1, 8);
    fill(&b.pages, 2, 7);
    assert_false(vstamp_id_equal(pages_digest(&a.pages), pages_digest(&b.pages)));
    paged_close(&a);
    paged_close(&b);
}

static struct vstamp_id root(struct pages *p, enum pages_version version)
{
    assert_true(pages_settle(p, version, UINT32_MAX));
    return tree_root(pages_tree(p, version));
}

static void commit(struct pages *p)
{
    root(p, PAGES_CANDIDATE);
    pages_fetch_commit(p);
}

static void a_fetch_replaces_live_only_at_its_commit(void **state)
{
    (void)state;
    struct paged a, wanted;
    uint8_t content[VSTAMP_PAGE_SIZE];
    paged_open(&a, N_PAGES, 0);
    paged_open(&wanted, N_PAGES, 0);
    for (uint32_t page = 0; page < 6; page++) fill(&a.pages, page, 1);
    pages_checkpoint(&a.pages);
    pages_digest(&a.pages);

    pages_fetch_begin(&a.pages);
    memset(content, 2, sizeof content);
    pages_fetch_put(&a.pages, 0, content);
    pages_fetch_put(&a.pages, 1, NULL);
    pages_fetch_put(&a.pages, 4, NULL);
    pages_fetch_put(&a.pages, 5, NULL); /* what is zeros at the end is none of its pages */
    assert_filled(pages_read(&a.pages, 0), 1);
    assert_filled(pages_read(&a.pages, 1), 1);
    assert_filled(pages_image(&a.pages, 0), 1); /* and so does the image */

    commit(&a.pages);
    assert_int_equal(a.pages.n_used, 4);
    const int bytes[] = {2, 0, 1, 1, 0, 0};
    for (uint32_t page = 0; page < 6; page++) {
        assert_filled(pages_read(&a.pages, page), bytes[page]);
        if (bytes[page] != 0) fill(&wanted.pages, page, bytes[page]);
    }
    assert_filled(pages_image(&a.pages, 0), 2);
    assert_null(pages_image(&a.pages, 4));
    assert_true(vstamp_id_equal(pages_digest(&a.pages), pages_digest(&wanted.pages)));

    fill(&a.pages, 0, 9); /* and the image is one like any other */
    assert_filled(pages_image(&a.pages, 0), 2);
    paged_close(&a);
    paged_close(&wanted);
}

static void a_fetch_may_bring_more_pages_than_there_were(void **state)
{
    (void)state;
    struct paged a;
    uint8_t content[VSTAMP_PAGE_SIZE];
    paged_open(&a, N_PAGES, 0);
    memset(content, 6, sizeof content);
    pages_fetch_begin(&a.pages);
    pages_fetch_put(&a.pages, N_PAGES - 1, NULL);
    pages_fetch_put(&a.pages, N_PAGES - 1, content); /* the last one wins */
    commit(&a.pages);
    assert_filled(pages_image(&a.pages, N_PAGES - 1), 6);
    assert_filled(pages_image(&a.pages, 0), 0);
    paged_close(&a);
}

static void an_aborted_fetch_leaves_live_and_image(void **state)
{
    (void)state;
    struct paged a;
    uint8_t content[VSTAMP_PAGE_SIZE];
    paged_open(&a, N_PAGES, 0);
    fill(&a.pages, 2, 1);
    pages_checkpoint(&a.pages);
    struct vstamp_id before = pages_digest(&a.pages);
    fill(&a.pages, 2, 4);
    memset(content, 2, sizeof content);
    pages_fetch_begin(&a.pages);
    pages_fetch_put(&a.pages, 2, content);
    pages_fetch_put(&a.pages, 90, content);
    pages_fetch_abort(&a.pages);
    assert_filled(pages_read(&a.pages, 2), 4);
    assert_filled(pages_image(&a.pages, 2), 1);
    assert_true(vstamp_id_equal(before, root(&a.pages, PAGES_IMAGE)));

    fill(&a.pages, 90, 3);
    pages_checkpoint(&a.pages); /* nothing of what was staged may show up */
    assert_filled(pages_image(&a.pages, 2), 4);
    assert_filled(pages_image(&a.pages, 90), 3);
    paged_close(&a);
}

static void what_was_staged_is_there_for_the_next_fetch(void **state)
{
    (void)state;
    struct paged a;
    uint8_t content[VSTAMP_PAGE_SIZE];
    paged_open(&a, N_PAGES, 0);
    for (uint32_t page = 0; page < 6; page++) fill(&a.pages, page, 1);
    memset(content, 2, sizeof content);
    pages_fetch_begin(&a.pages);
    pages_fetch_put(&a.pages, 1, content);
    pages_fetch_put(&a.pages, 2, content);
    pages_fetch_put(&a.pages, 3, content);
    pages_fetch_abort(&a.pages);
    fill(&a.pages, 1, 3);
    fill(&a.pages, 4, 3); /* and not what live holds meanwhile */
    pages_fetch_begin(&a.pages);
    assert_int_equal(a.pages.n_staged, 3);
    pages_fetch_drop(&a.pages, 2);
    root(&a.pages, PAGES_CANDIDATE);
    const struct tree *tree = pages_tree(&a.pages, PAGES_CANDIDATE);
    uint8_t threes[VSTAMP_PAGE_SIZE], ones[VSTAMP_PAGE_SIZE];
    memset(threes, 3, sizeof threes);
    memset(ones, 1, sizeof ones);
    assert_int_equal(tree_leaf(tree, 1), pages_hash(content));
    assert_int_equal(tree_leaf(tree, 2), pages_hash(ones));
    assert_int_equal(tree_leaf(tree, 4), pages_hash(threes));
    commit(&a.pages);
    const int bytes[] = {1, 2, 1, 2, 3, 1};
    for (uint32_t page = 0; page < 6; page++)
        assert_filled(pages_read(&a.pages, page), bytes[page]);
    assert_int_equal(a.pages.n_staged, 0);
    paged_close(&a);
}

/* Much has changed: each call hashes a part, and a version is up to date only when all is. */
static void a_tree_is_brought_up_to_date_by_parts(void **state)
{
    (void)state;
    struct paged a;
    const uint32_t n = 7 * PAGES_HASHED_AT_ONCE;
    paged_open(&a, n, 0);
    for (uint32_t page = 0; page < n; page++) fill(&a.pages, page, 1);
    pages_checkpoint(&a.pages);
    assert_false(pages_settle(&a.pages, PAGES_LIVE, 100));
    assert_int_equal(a.pages.trees[PAGES_LIVE].n_stale, n - 100);
    assert_false(pages_are_wanted(&a.pages));
    pages_hash_some(&a.pages); /* nobody can wait for it */
    assert_int_equal(a.pages.trees[PAGES_LIVE].n_stale, n - 100);
    assert_false(pages_settle_soon(&a.pages, PAGES_IMAGE));
    assert_int_equal(a.pages.trees[PAGES_IMAGE].n_stale, n - 4 * PAGES_HASHED_AT_ONCE);
    for (uint32_t parts = 0; parts < 3; parts++) {
        assert_true(pages_are_wanted(&a.pages));
        pages_hash_some(&a.pages);
    }
    assert_false(pages_are_wanted(&a.pages));
    assert_int_equal(a.pages.trees[PAGES_IMAGE].n_stale, 0);
    assert_true(pages_settle_soon(&a.pages, PAGES_IMAGE));
    assert_int_equal(a.pages.trees[PAGES_CANDIDATE].n_stale, n);
    assert_true(pages_settle_soon(&a.pages, PAGES_LIVE)); /* the hashes of the image are its own */
    assert_true(vstamp_id_equal(pages_digest(&a.pages), root(&a.pages, PAGES_IMAGE)));
    paged_close(&a);
}

static void the_candidate_can_be_looked_at_while_live_stands(void **state)
{
    (void)state;
    struct paged a;
    uint8_t content[VSTAMP_PAGE_SIZE];
    paged_open(&a, N_PAGES, 0);
    for (uint32_t page = 0; page < 6; page++) fill(&a.pages, page, 1);
    struct vstamp_id before = pages_digest(&a.pages);
    struct vstamp_pages window = {.pages = &a.pages, .of_candidate = true, .count = N_PAGES};
    memset(content, 2, sizeof content);
    pages_fetch_begin(&a.pages);
    pages_fetch_put(&a.pages, 1, content);
    pages_fetch_put(&a.pages, 5, NULL);
    pages_fetch_put(&a.pages, 8, content);
    const int bytes[] = {1, 2, 1, 1, 1, 0, 0, 0, 2, 0};
    for (uint32_t page = 0; page < 10; page++) {
        assert_filled(vstamp_page_read(&window, page), bytes[page]);
        assert_filled(pages_read(&a.pages, page), page < 6 ? 1 : 0);
    }
    pages_fetch_abort(&a.pages);
    assert_true(vstamp_id_equal(before, pages_digest(&a.pages)));
    paged_close(&a);
}

static void assert_unstored(const struct pages *p, size_t n, const uint32_t *expected)
{
    uint32_t page = pages_next_unstored(p, 0);
    for (size_t i = 0; i < n; i++, page = pages_next_unstored(p, page + 1))
        assert_int_equal(page, expected[i]);
    assert_int_equal(page, N_PAGES);
}
#define ASSERT_UNSTORED(p, ...)                                                                    \
    assert_unstored((p), sizeof((uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t),                     \
                    (uint32_t[]){__VA_ARGS__})

static void store_all(struct pages *p)
{
    for (uint32_t page = 0; (page = pages_next_unstored(p, page)) < N_PAGES; page++)
        pages_stored(p, page);
}

static void what_changed_since_the_last_stored_checkpoint_is_unstored(void **state)
{
    struct paged a;
    (void)state;
    paged_open(&a, N_PAGES, 0);
    assert_unstored(&a.pages, 0, NULL);
    fill(&a.pages, 3, 1);
    fill(&a.pages, 70, 1);
    assert_unstored(&a.pages, 0, NULL); /* they are of no image yet */
    pages_checkpoint(&a.pages);
    ASSERT_UNSTORED(&a.pages, 3, 70);
    pages_stored(&a.pages, 3);
    fill(&a.pages, 4, 1);
    ASSERT_UNSTORED(&a.pages, 70);
    pages_checkpoint(&a.pages); /* and the one before it was never stored whole */
    ASSERT_UNSTORED(&a.pages, 4, 70);
    store_all(&a.pages);
    pages_checkpoint(&a.pages);
    assert_unstored(&a.pages, 0, NULL);
    paged_close(&a);
}

static void what_was_fetched_is_unstored_and_what_it_removed(void **state)
{
    struct paged a;
    (void)state;
    paged_open(&a, N_PAGES, 0);
    fill(&a.pages, 3, 1);
    fill(&a.pages, 70, 1);
    pages_checkpoint(&a.pages);
    store_all(&a.pages);
    fill(&a.pages, 5, 1); /* changed before the fetch, which is given up: not forgotten */
    pages_fetch_begin(&a.pages);
    pages_fetch_abort(&a.pages);
    pages_fetch_begin(&a.pages);
    static const uint8_t content[VSTAMP_PAGE_SIZE] = {9};
    pages_fetch_put(&a.pages, 1, content);
    pages_fetch_put(&a.pages, 70, NULL);
    commit(&a.pages);
    ASSERT_UNSTORED(&a.pages, 1, 5, 70);
    assert_null(pages_image(&a.pages, 70));
    paged_close(&a);
}

static void a_point_is_hashed_while_pages_change(void **state)
{
    (void)state;
    struct paged a;
    paged_open(&a, N_PAGES, 0);
    for (uint32_t page = 0; page < 100; page++) fill(&a.pages, page, 1);
    struct vstamp_id wanted = pages_digest(&a.pages);
    pages_point(&a.pages);
    assert_false(pages_settle(&a.pages, PAGES_POINT, 10));
    for (uint32_t page = 0; page < 120; page += 3) fill(&a.pages, page, 2);
    assert_true(vstamp_id_equal(wanted, root(&a.pages, PAGES_POINT)));
    paged_close(&a);
}

static void what_turns_in_memory_is_found_where_nobody_changed_it(void **state)
{
    (void)state;
    struct paged a;
    paged_open(&a, N_PAGES, 0);
    for (uint32_t page = 0; page < 100; page++) fill(&a.pages, page, 1);
    pages_point(&a.pages);
    ((uint8_t *)(uintptr_t)pages_read(&a.pages, 7))[11] ^= 4; /* not hashed yet: the others tell */
    assert_int_equal(N_PAGES, pages_look(&a.pages, 100));
    assert_true(pages_settle(&a.pages, PAGES_POINT, UINT32_MAX));
    assert_int_equal(N_PAGES, pages_look(&a.pages, 100));
    ((uint8_t *)(uintptr_t)pages_read(&a.pages, 42))[11] ^= 4;
    assert_int_equal(42, pages_look(&a.pages, 100));
    fill(&a.pages, 42, 3);
    ((uint8_t *)(uintptr_t)pages_read(&a.pages, 42))[11] ^= 4; /* likewise */
    assert_int_equal(N_PAGES, pages_look(&a.pages, 300));
    paged_close(&a);
}

/* The image's hash of a page that is as it was at the point is that of the point; of one that was
 * written since, or copied, it is that of what memory holds. */
static void what_turned_since_the_point_is_not_what_the_image_says(void **state)
{
    (void)state;
    struct paged a;
    uint8_t ones[VSTAMP_PAGE_SIZE];
    memset(ones, 1, sizeof ones);
    paged_open(&a, N_PAGES, 0);
    for (uint32_t page = 0; page < 4; page++) fill(&a.pages, page, 1);
    pages_point(&a.pages);
    assert_true(pages_settle(&a.pages, PAGES_POINT, UINT32_MAX));
    fill(&a.pages, 1, 1);
    pages_checkpoint(&a.pages);
    for (uint32_t page = 0; page < 3; page++)
        ((uint8_t *)(uintptr_t)pages_read(&a.pages, page))[100] ^= 1;
    fill(&a.pages, 2, 2);
    assert_true(pages_image_hash(&a.pages, 0) == pages_hash(ones));
    assert_true(pages_image_hash(&a.pages, 0) != pages_hash(pages_image(&a.pages, 0)));
    for (uint32_t page = 1; page < 4; page++)
        assert_true(pages_image_hash(&a.pages, page) == pages_hash(pages_image(&a.pages, page)));
    assert_true(pages_live_hash(&a.pages, 0) == pages_hash(pages_read(&a.pages, 0)));
    paged_close(&a);
}

static void an_application_sees_its_window_only(void **state)
{
    (void)state;
    struct paged a;
    paged_open(&a, N_PAGES, 0);
    struct vstamp_pages window = {.pages = &a.pages, .first = 10, .count = 5};
    assert_int_equal(vstamp_pages_max(&window), 5);
    memset(vstamp_page_write(&window, 4), 1, VSTAMP_PAGE_SIZE);
    assert_filled(pages_read(&a.pages, 14), 1);
    assert_ptr_equal(vstamp_page_read(&window, 4), pages_read(&a.pages, 14));
    assert_int_equal(a.pages.n_used, 15);
    paged_close(&a);
}

/* A model that copies everything. */
struct model {
    uint8_t live[N_PAGES][16], image[N_PAGES][16], staged[N_PAGES][16], point[N_PAGES][16];
    bool is_staged[N_PAGES]; /* also by a fetch before, that was given up */
    uint32_t n_used;
    bool has_image, fetching, point_is_void;
};

static void assert_like_model(struct paged *a, const struct model *m)
{
    static const uint8_t zeros[16];
    for (uint32_t page = 0; page < N_PAGES; page++) {
        assert_memory_equal(pages_read(&a->pages, page), m->live[page], 16);
        if (!pages_has_kept(&a->pages, page)) continue;
        const uint8_t *image = pages_image(&a->pages, page);
        assert_memory_equal(image != NULL ? image : zeros, m->image[page], 16);
    }
    assert_int_equal(a->pages.has_image, m->has_image);
    assert_int_equal(a->pages.n_used, m->n_used);
}

static void model_write(struct paged *a, struct model *m, uint32_t page, uint8_t byte)
{
    memset(pages_write(&a->pages, page), byte, 16);
    memset(m->live[page], byte, 16);
    if (page >= m->n_used) m->n_used = page + 1;
}

static void model_put(struct paged *a, struct model *m, uint32_t page, uint8_t byte)
{
    uint8_t content[VSTAMP_PAGE_SIZE] = {0};
    memset(content, byte, 16);
    pages_fetch_put(&a->pages, page, byte != 0 ? content : NULL);
    memset(m->staged[page], byte, 16);
    m->is_staged[page] = true;
}

/* The target ends there, or before. */
static void model_commit(struct paged *a, struct model *m, uint32_t end)
{
    static const uint8_t zeros[16];
    for (uint32_t page = end; page < N_PAGES; page++)
        if (m->is_staged[page] || page < m->n_used) model_put(a, m, page, 0);
    commit(&a->pages);
    m->point_is_void = true; /* what it was is not there to be hashed any more */
    m->n_used = 0;
    for (uint32_t page = 0; page < N_PAGES; page++) {
        if (m->is_staged[page]) memcpy(m->live[page], m->staged[page], 16);
        if (memcmp(m->live[page], zeros, 16) != 0) m->n_used = page + 1;
    }
    m->fetching = false;
    m->has_image = true;
    memset(m->is_staged, 0, sizeof m->is_staged);
    memcpy(m->image, m->live, sizeof m->live);
}

static void assert_root(struct paged *a, enum pages_version version, const uint8_t (*content)[16])
{
    struct paged fresh;
    paged_open(&fresh, N_PAGES, 0);
    for (uint32_t page = N_PAGES; page-- > 0;)
        memcpy(pages_write(&fresh.pages, page), content[page], 16);
    assert_true(vstamp_id_equal(root(&a->pages, version), pages_digest(&fresh.pages)));
    paged_close(&fresh);
}

static void assert_roots(struct paged *a, const struct model *m)
{
    uint8_t candidate[N_PAGES][16];
    for (uint32_t page = 0; page < N_PAGES; page++)
        memcpy(candidate[page], m->is_staged[page] ? m->staged[page] : m->live[page], 16);
    assert_root(a, PAGES_LIVE, m->live);
    if (m->has_image) assert_root(a, PAGES_IMAGE, m->image);
    assert_root(a, PAGES_CANDIDATE, candidate);
    if (!m->point_is_void) assert_root(a, PAGES_POINT, m->point);
}

static void model_step(struct paged *a, struct model *m, struct prng *rng)
{
    uint32_t page = (uint32_t)prng_below(rng, N_PAGES);
    uint8_t byte = (uint8_t)prng_below(rng, 4);
    if (m->fetching && prng_chance(rng, 1, 20)) {
        pages_fetch_drop(&a->pages, page);
        m->is_staged[page] = false;
    } else if (m->fetching && prng_chance(rng, 9, 10)) {
        model_put(a, m, page, byte);
    } else if (m->fetching && prng_chance(rng, 2, 3)) {
        model_commit(a, m, page);
    } else if (m->fetching) {
        pages_fetch_abort(&a->pages);
        m->fetching = false;
        if (prng_chance(rng, 1, 4)) {
            pages_fetch_forget(&a->pages);
            memset(m->is_staged, 0, sizeof m->is_staged);
        }
    } else if (prng_chance(rng, 1, 40)) {
        pages_fetch_begin(&a->pages);
        m->fetching = true;
    } else if (prng_chance(rng, 1, 20)) {
        pages_settle(&a->pages, PAGES_POINT, (uint32_t)prng_below(rng, N_PAGES));
        if (prng_chance(rng, 1, 2)) return;
        pages_point(&a->pages);
        m->point_is_void = false;
        memcpy(m->point, m->live, sizeof m->live);
    } else if (prng_chance(rng, 1, 20)) {
        pages_checkpoint(&a->pages);
        m->has_image = true;
        memcpy(m->image, m->live, sizeof m->live);
    } else if (prng_chance(rng, 1, 40)) {
        pages_drop_image(&a->pages);
        m->has_image = false;
    } else {
        model_write(a, m, page, byte);
    }
}

static void any_history_is_like_a_model_that_copies_everything(void **state)
{
    (void)state;
    static struct model m;
    struct prng rng;
    struct paged a;
    paged_open(&a, N_PAGES, 0);
    prng_seed(&rng, 5);
    for (int step = 0; step < 3000; step++) {
        model_step(&a, &m, &rng);
        assert_like_model(&a, &m);
        if (step % 25 == 0) assert_roots(&a, &m);
    }
    paged_close(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pages_never_written_read_as_zeros),
        cmocka_unit_test(the_image_does_not_change_with_later_writes),
        cmocka_unit_test(a_page_is_copied_for_the_image_only_when_it_changes),
        cmocka_unit_test(the_hash_of_zeros_is_zero_and_no_other),
        cmocka_unit_test(equal_contents_have_equal_digests_whatever_their_history),
        cmocka_unit_test(swapped_pages_have_another_digest),
        cmocka_unit_test(a_fetch_replaces_live_only_at_its_commit),
        cmocka_unit_test(a_fetch_may_bring_more_pages_than_there_were),
        cmocka_unit_test(an_aborted_fetch_leaves_live_and_image),
        cmocka_unit_test(what_was_staged_is_there_for_the_next_fetch),
        cmocka_unit_test(a_tree_is_brought_up_to_date_by_parts),
        cmocka_unit_test(the_candidate_can_be_looked_at_while_live_stands),
        cmocka_unit_test(what_changed_since_the_last_stored_checkpoint_is_unstored),
        cmocka_unit_test(what_was_fetched_is_unstored_and_what_it_removed),
        cmocka_unit_test(a_point_is_hashed_while_pages_change),
        cmocka_unit_test(what_turns_in_memory_is_found_where_nobody_changed_it),
        cmocka_unit_test(what_turned_since_the_point_is_not_what_the_image_says),
        cmocka_unit_test(an_application_sees_its_window_only),
        cmocka_unit_test(any_history_is_like_a_model_that_copies_everything),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/prng.h"
#include "vr/tree.h"

#define N_MAX 5000u /* three levels above the leaves */

struct grove {
    void *memory;
    struct tree tree;
    uint64_t leaves[N_MAX]; /* what they are */
    bool stale[N_MAX];
};

static void grove_open(struct grove *g, uint32_t n)
{
    struct arena arena;
    memset(g, 0, sizeof *g);
    arena_init(&arena, NULL, 0);
    tree_init(&g->tree, &arena, n);
    size_t size = (arena.used + 63) / 64 * 64;
    g->memory = aligned_alloc(64, size);
    assert_non_null(g->memory);
    memset(g->memory, 0, size);
    arena_init(&arena, g->memory, size);
    tree_init(&g->tree, &arena, n);
}

static void grove_close(struct grove *g)
{
    free(g->memory);
}

static void refresh(struct grove *g)
{
    for (uint32_t leaf = 0; tree_next_stale(&g->tree, &leaf); leaf++) {
        assert_true(g->stale[leaf]);
        tree_set(&g->tree, leaf, g->leaves[leaf]);
        g->stale[leaf] = false;
    }
    tree_settle(&g->tree);
}

/* From nothing but the leaves, by the definition. */
static uint64_t naive(const uint64_t *leaves, uint32_t n, uint8_t level, uint32_t node)
{
    uint64_t children[TREE_FANOUT] = {0};
    if (level == 0) return node < n ? leaves[node] : 0;
    for (uint32_t i = 0; i < TREE_FANOUT; i++)
        children[i] = naive(leaves, n, (uint8_t)(level - 1), node * TREE_FANOUT + i);
    return tree_hash_of(children);
}

static void assert_like_naive(const struct grove *g)
{
    const struct tree *t = &g->tree;
    uint32_t n = t->levels[0].n;
    for (uint8_t level = 0; level <= t->top; level++) {
        for (uint32_t node = 0; node < t->levels[level].n; node++)
            assert_int_equal(tree_hash(t, level, node), naive(g->leaves, n, level, node));
    }
    uint64_t children[TREE_FANOUT];
    for (uint32_t i = 0; i < TREE_FANOUT; i++)
        children[i] = naive(g->leaves, n, (uint8_t)(t->top - 1), i);
    assert_true(vstamp_id_equal(tree_root(t), tree_root_of(children)));
}

static void a_tree_has_one_root_whatever_the_number_of_leaves(void **state)
{
    (void)state;
    static struct grove g;
    const struct {
        uint32_t n;
        uint8_t top;
    } cases[] = {{1, 1}, {64, 1}, {65, 2}, {4096, 2}, {4097, 3}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        grove_open(&g, cases[i].n);
        assert_int_equal(g.tree.top, cases[i].top);
        assert_int_equal(g.tree.levels[g.tree.top].n, 1);
        assert_true(vstamp_id_is_zero(tree_root(&g.tree)));
        tree_set(&g.tree, cases[i].n - 1, 5);
        tree_settle(&g.tree);
        assert_false(vstamp_id_is_zero(tree_root(&g.tree)));
        tree_set(&g.tree, cases[i].n - 1, 0);
        tree_settle(&g.tree);
        assert_true(vstamp_id_is_zero(tree_root(&g.tree)));
        grove_close(&g);
    }
}

static void swapped_leaves_and_swapped_nodes_have_another_root(void **state)
{
    (void)state;
    static struct grove g;
    const uint32_t places[][2] = {{3, 4}, {3, 3 + 64}, {3, 3 + 4096}};
    grove_open(&g, N_MAX);
    for (size_t i = 0; i < 3; i++) {
        tree_set(&g.tree, places[i][0], 7);
        tree_set(&g.tree, places[i][1], 8);
        tree_settle(&g.tree);
        struct vstamp_id before = tree_root(&g.tree);
        tree_set(&g.tree, places[i][0], 8);
        tree_set(&g.tree, places[i][1], 7);
        tree_settle(&g.tree);
        assert_false(vstamp_id_equal(before, tree_root(&g.tree)));
        tree_set(&g.tree, places[i][1], 0);
    }
    grove_close(&g);
}

static void stale_leaves_are_found_in_order_and_once(void **state)
{
    (void)state;
    static struct grove g;
    const uint32_t touched[] = {0, 1, 63, 64, 2000, N_MAX - 1};
    grove_open(&g, N_MAX);
    for (size_t i = 6; i > 0; i--) tree_touch(&g.tree, touched[i - 1]);
    tree_touch(&g.tree, 63);
    assert_int_equal(g.tree.n_stale, 6);
    uint32_t leaf = 0;
    for (size_t i = 0; i < 6; i++, leaf++) {
        assert_true(tree_next_stale(&g.tree, &leaf));
        assert_int_equal(leaf, touched[i]);
    }
    assert_false(tree_next_stale(&g.tree, &leaf));
    leaf = 2001;
    assert_true(tree_next_stale(&g.tree, &leaf));
    assert_int_equal(leaf, N_MAX - 1);
    grove_close(&g);
}

static void any_history_is_like_a_tree_made_from_nothing(void **state)
{
    (void)state;
    static struct grove g;
    struct prng rng;
    prng_seed(&rng, 3);
    const uint32_t sizes[] = {1, 63, 64, 65, 200, N_MAX};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        grove_open(&g, sizes[i]);
        for (int round = 0; round < 20; round++) {
            uint64_t n_changes = prng_below(&rng, 100);
            for (uint64_t change = 0; change < n_changes; change++) {
                uint32_t leaf = (uint32_t)prng_below(&rng, sizes[i]);
                g.leaves[leaf] = prng_below(&rng, 3) * prng_next(&rng);
                if (prng_chance(&rng, 1, 2)) {
                    tree_touch(&g.tree, leaf);
                    g.stale[leaf] = true;
                } else {
                    tree_set(&g.tree, leaf, g.leaves[leaf]);
                    g.stale[leaf] = false;
                }
            }
            refresh(&g);
            assert_like_naive(&g);
        }
        grove_close(&g);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tree_has_one_root_whatever_the_number_of_leaves),
        cmocka_unit_test(swapped_leaves_and_swapped_nodes_have_another_root),
        cmocka_unit_test(stale_leaves_are_found_in_order_and_once),
        cmocka_unit_test(any_history_is_like_a_tree_made_from_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

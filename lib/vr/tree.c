/* SPDX-License-Identifier: BSD-2-Clause */
#include "vr/tree.h"

#include <string.h>

#include "base/assert.h"
#include "base/bitset.h"
#include "base/checksum.h"
#include "base/endian.h"

void tree_init(struct tree *t, struct arena *arena, uint32_t n_leaves)
{
    assert(n_leaves > 0);
    *t = (struct tree){0};
    uint32_t n = n_leaves;
    for (uint8_t level = 0;; level++) {
        assert(level < TREE_LEVELS_MAX);
        t->levels[level] = (struct tree_level){
            .n = n,
            .hashes = arena_take(arena, n, sizeof(uint64_t)),
            .stale = arena_take(arena, bitset_words(n), sizeof(uint64_t))};
        t->top = level;
        if (n == 1 && level > 0) return; /* the root has children, be it one leaf */
        n = (n + TREE_FANOUT - 1) / TREE_FANOUT;
    }
}

void tree_clear(struct tree *t, uint32_t n_leaves)
{
    uint32_t n = n_leaves;
    for (uint8_t level = 0; level <= t->top; level++) {
        struct tree_level *l = &t->levels[level];
        memset(l->hashes, 0, n * sizeof l->hashes[0]);
        memset(l->stale, 0, bitset_words(n) * sizeof l->stale[0]);
        n = (n + TREE_FANOUT - 1) / TREE_FANOUT;
    }
    t->n_stale = 0;
}

static void make_ancestors_stale(struct tree *t, uint32_t leaf)
{
    uint32_t node = leaf / TREE_FANOUT;
    for (uint8_t level = 1; level <= t->top; level++, node /= TREE_FANOUT) {
        if (bitset_has(t->levels[level].stale, node)) return;
        bitset_add(t->levels[level].stale, node);
    }
}

void tree_touch_word(struct tree *t, uint32_t word, uint64_t leaves)
{
    assert(word < bitset_words(t->levels[0].n));
    uint64_t fresh = leaves & ~t->levels[0].stale[word];
    if (fresh == 0) return;
    t->levels[0].stale[word] |= fresh;
    t->n_stale += (uint32_t)__builtin_popcountll(fresh);
    make_ancestors_stale(t, word * TREE_FANOUT);
}
_Static_assert(TREE_FANOUT == 64, "the leaves of a word have the same ancestors");

void tree_set(struct tree *t, uint32_t leaf, uint64_t hash)
{
    if (tree_is_stale(t, leaf)) {
        bitset_remove(t->levels[0].stale, leaf);
        t->n_stale--;
    } else if (t->levels[0].hashes[leaf] != hash) {
        make_ancestors_stale(t, leaf);
    }
    t->levels[0].hashes[leaf] = hash;
}

bool tree_next_stale(const struct tree *t, uint32_t *leaf)
{
    const struct tree_level *leaves = &t->levels[0];
    if (t->n_stale == 0 || *leaf >= leaves->n) return false;
    uint64_t word = leaves->stale[*leaf / 64] >> (*leaf % 64) << (*leaf % 64);
    for (size_t i = *leaf / 64;;) {
        if (word != 0) {
            *leaf = (uint32_t)(i * 64) + (uint32_t)__builtin_ctzll(word);
            return true;
        }
        if (++i == bitset_words(leaves->n)) return false;
        word = leaves->stale[i];
    }
}

static bool are_zeros(const uint64_t *children)
{
    for (uint32_t i = 0; i < TREE_FANOUT; i++) {
        if (children[i] != 0) return false;
    }
    return true;
}

/* What is hashed is the same on all kinds of machines. */
static void spell(const uint64_t *children, uint8_t *bytes)
{
    for (uint32_t i = 0; i < TREE_FANOUT; i++) store_u64(bytes + (size_t)8 * i, children[i]);
}

uint64_t tree_hash_of(const uint64_t *children)
{
    uint8_t bytes[TREE_FANOUT * 8];
    if (are_zeros(children)) return 0;
    spell(children, bytes);
    uint64_t hash = checksum64(bytes, sizeof bytes);
    return hash != 0 ? hash : 1;
}

struct vstamp_id tree_root_of(const uint64_t *children)
{
    uint8_t bytes[TREE_FANOUT * 8];
    if (are_zeros(children)) return (struct vstamp_id){0};
    spell(children, bytes);
    return checksum128(bytes, sizeof bytes);
}

void tree_children(const struct tree *t, uint8_t level, uint32_t node, uint64_t *children)
{
    assert(level > 0 && level <= t->top && node < t->levels[level].n);
    const struct tree_level *below = &t->levels[level - 1];
    uint32_t first = node * TREE_FANOUT;
    uint32_t n = below->n - first < TREE_FANOUT ? below->n - first : TREE_FANOUT;
    memset(children, 0, TREE_FANOUT * sizeof children[0]);
    memcpy(children, below->hashes + first, n * sizeof children[0]);
}

void tree_settle(struct tree *t)
{
    uint64_t children[TREE_FANOUT];
    assert(t->n_stale == 0);
    for (uint8_t level = 1; level <= t->top; level++) {
        struct tree_level *here = &t->levels[level];
        for (uint32_t word = 0; word < bitset_words(here->n); word++) {
            for (uint64_t left = here->stale[word]; left != 0; left &= left - 1) {
                uint32_t node = word * 64 + (uint32_t)__builtin_ctzll(left);
                tree_children(t, level, node, children);
                here->hashes[node] = tree_hash_of(children);
            }
            here->stale[word] = 0;
        }
    }
}

uint64_t tree_hash(const struct tree *t, uint8_t level, uint32_t node)
{
    assert(level <= t->top && node < t->levels[level].n);
    assert(!bitset_has(t->levels[level].stale, node));
    return t->levels[level].hashes[node];
}

uint32_t tree_end(const struct tree *t)
{
    uint64_t children[TREE_FANOUT];
    uint32_t node = 0;
    if (tree_hash(t, t->top, node) == 0) return 0;
    for (uint8_t level = t->top; level > 0; level--) {
        uint32_t last = TREE_FANOUT - 1;
        tree_children(t, level, node, children);
        while (last > 0 && children[last] == 0) last--;
        node = node * TREE_FANOUT + last;
    }
    return node + 1;
}

uint64_t tree_leaf(const struct tree *t, uint32_t leaf)
{
    return tree_hash(t, 0, leaf);
}

struct vstamp_id tree_root(const struct tree *t)
{
    uint64_t children[TREE_FANOUT];
    assert(!bitset_has(t->levels[t->top].stale, 0));
    tree_children(t, t->top, 0, children);
    return tree_root_of(children);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* A tree of hashes over numbered leaves (paper section 5.1: a Merkle tree over the pages).
 *
 *   level 0   the leaves: one hash each
 *   level n   node i is the hash of nodes 64 i .. 64 i + 63 of level n - 1
 *   top       one node, the root
 *
 * A node whose children are all 0 has hash 0, as has a page of zeros: the tree of a state says
 * nothing of how many pages were ever in use.
 *
 * A change makes a leaf stale and all above it; tree_settle brings those nodes up to date that have
 * a reason.  A node has as many children as a word has bits, so the stale children of a node are a
 * word. */
#ifndef VR_TREE_H
#define VR_TREE_H

#include <stdbool.h>
#include <stdint.h>

#include <vstamp/id.h>

#include "base/arena.h"
#include "base/assert.h"
#include "base/bitset.h"

#define TREE_FANOUT 64u
#define TREE_LEVELS_MAX 6u /* 64^5 leaves: more than 2^28, as many pages as 1 TiB has */

struct tree_level {
    uint32_t n;
    uint64_t *hashes;
    uint64_t *stale; /* bitset; whatever is above a stale node is stale, too */
};

struct tree {
    uint8_t top;
    uint32_t n_stale; /* leaves */
    struct tree_level levels[TREE_LEVELS_MAX];
};

/* All leaves are 0. */
void tree_init(struct tree *t, struct arena *arena, uint32_t n_leaves);

/* The hashes of these leaves, those of a word of a bitset, are not known any more. */
void tree_touch_word(struct tree *t, uint32_t word, uint64_t leaves);
void tree_set(struct tree *t, uint32_t leaf, uint64_t hash);

static inline bool tree_is_stale(const struct tree *t, uint32_t leaf)
{
    assert(leaf < t->levels[0].n);
    return bitset_has(t->levels[0].stale, leaf);
}

static inline void tree_touch(struct tree *t, uint32_t leaf)
{
    if (!tree_is_stale(t, leaf)) tree_touch_word(t, leaf / 64, UINT64_C(1) << leaf % 64);
}

/* The first stale leaf from `leaf` on; false: there is none. */
bool tree_next_stale(const struct tree *t, uint32_t *leaf);

void tree_settle(struct tree *t); /* once no leaf is stale */
void tree_clear(struct tree *t, uint32_t n_leaves); /* all are 0, and from that one on they were */

uint64_t tree_leaf(const struct tree *t, uint32_t leaf); /* one that is not stale */

/* Of a settled tree. */
uint32_t tree_end(const struct tree *t); /* leaves from here on are 0 */
uint64_t tree_hash(const struct tree *t, uint8_t level, uint32_t node);
struct vstamp_id tree_root(const struct tree *t);

/* The children of a node above level 0; 0 where there are none. */
void tree_children(const struct tree *t, uint8_t level, uint32_t node, uint64_t *children);

/* What a node with these children is. */
uint64_t tree_hash_of(const uint64_t *children);
struct vstamp_id tree_root_of(const uint64_t *children);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* The calls and returns stand in one doubly linked list in order of time.  The search walks from
 * the front: a call is tried as the next operation, which takes it and its return out of the list;
 * a return that is reached means that its operation should have been taken by now, so the newest
 * choice is undone.  Pending operations have no return, so nothing ever forces them.  What is known
 * to have changed nothing is no choice: it is taken as soon as it fits. */
#include "sim/linear.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/checksum.h"

#define WORDS (LINEAR_OPS_MAX / 64)
#define NOTHING UINT32_MAX
#define UNSEEN UINT64_MAX

struct memo {
    uint64_t set[WORDS];
    struct linear_state state;
};

/* Points are numbered: 0 the head, 1 + 2 i the call of operation i, 2 + 2 i its return. */
struct search {
    struct linear_op ops[LINEAR_OPS_MAX];
    size_t n;
    uint32_t twin[LINEAR_OPS_MAX]; /* pending operation alike, called just before; or NOTHING */
    uint32_t next[2 * LINEAR_OPS_MAX + 1], previous[2 * LINEAR_OPS_MAX + 1];
    uint64_t set[WORDS];
    struct memo *memos;    /* open addressing; a state with `length` of all ones is a free place */
    size_t n_memos, memos_size;
    size_t n_left; /* operations that must be taken yet */
    struct linear_state state;
    uint32_t stack[LINEAR_OPS_MAX]; /* what was taken, and the states before that */
    struct linear_state states[LINEAR_OPS_MAX];
    size_t depth;
};

uint64_t linear_list_hash(uint64_t list, uint64_t token)
{
    uint64_t pair[2] = {list, token};
    return checksum64(pair, sizeof pair);
}

static bool state_equal(struct linear_state a, struct linear_state b)
{
    if (!a.present || !b.present) return a.present == b.present;
    return a.value == b.value && a.length == b.length;
}

/* Must it be taken? */
static bool is_known(const struct linear_op *op)
{
    return op->end != LINEAR_PENDING;
}

/* Can `op` happen in `s` with the answer it got?  Moves the state if so. */
static bool step(const struct linear_op *op, struct linear_state *s)
{
    bool known = op->end != LINEAR_PENDING || (op->kind == LINEAR_APPEND && op->saw.present);
    bool done = true;
    struct linear_state after = *s;
    switch (op->kind) {
    case LINEAR_PUT:
        after = (struct linear_state){true, op->argument, 0};
        break;
    case LINEAR_DEL:
        done = s->present;
        after = (struct linear_state){0};
        break;
    case LINEAR_CAS:
        done = s->present && s->value == op->expected;
        if (done) after = (struct linear_state){true, op->argument, 0};
        break;
    case LINEAR_CAS_ABSENT:
        done = !s->present;
        if (done) after = (struct linear_state){true, op->argument, 0};
        break;
    case LINEAR_INCR:
        after = (struct linear_state){true, (s->present ? s->value : 0) + op->argument, 0};
        if (known && op->saw.value != after.value) return false;
        break;
    case LINEAR_APPEND:
        after.present = true;
        after.value = linear_list_hash(s->present ? s->value : 0, op->argument);
        after.length = (s->present ? s->length : 0) + op->expected;
        if (known && op->saw.length != after.length) return false;
        break;
    case LINEAR_GET:
        return !known || state_equal(op->saw, *s);
    }
    if (known && op->kind != LINEAR_INCR && op->kind != LINEAR_APPEND && op->done != done)
        return false;
    *s = after;
    return true;
}

static uint64_t memo_hash(const struct memo *m)
{
    return checksum64(m, sizeof *m);
}

static void memo_grow(struct search *s)
{
    size_t old_size = s->memos_size;
    struct memo *old = s->memos;
    s->memos_size = old_size == 0 ? 256 : old_size * 4;
    s->memos = malloc(s->memos_size * sizeof *s->memos);
    assert(s->memos != NULL);
    for (size_t i = 0; i < s->memos_size; i++) s->memos[i].state.length = UINT64_MAX;
    for (size_t i = 0; i < old_size; i++) {
        if (old[i].state.length == UINT64_MAX) continue;
        size_t at = memo_hash(&old[i]) % s->memos_size;
        while (s->memos[at].state.length != UINT64_MAX) at = (at + 1) % s->memos_size;
        s->memos[at] = old[i];
    }
    free(old);
}

/* False if this pair was met before. */
static bool memo_add(struct search *s, struct linear_state state)
{
    struct memo m;
    memset(&m, 0, sizeof m); /* padding is hashed too */
    memcpy(m.set, s->set, sizeof m.set);
    m.state.present = state.present;
    m.state.value = state.value;
    m.state.length = state.length;
    if (2 * s->n_memos >= s->memos_size) memo_grow(s);
    size_t at = memo_hash(&m) % s->memos_size;
    while (s->memos[at].state.length != UINT64_MAX) {
        if (memcmp(&s->memos[at], &m, sizeof m) == 0) return false;
        at = (at + 1) % s->memos_size;
    }
    memcpy(&s->memos[at], &m, sizeof m);
    s->n_memos++;
    return true;
}

static void take_point(struct search *s, uint32_t point)
{
    s->next[s->previous[point]] = s->next[point];
    if (s->next[point] != NOTHING) s->previous[s->next[point]] = s->previous[point];
}

static void put_point_back(struct search *s, uint32_t point)
{
    s->next[s->previous[point]] = point;
    if (s->next[point] != NOTHING) s->previous[s->next[point]] = point;
}

struct moment {
    uint64_t time;
    uint32_t point;
};

/* At one instant calls come first: what only touches counts as overlapping. */
static int compare_moments(const void *left, const void *right)
{
    const struct moment *a = left, *b = right;
    if (a->time != b->time) return a->time < b->time ? -1 : 1;
    bool a_returns = a->point % 2 == 0, b_returns = b->point % 2 == 0;
    if (a_returns != b_returns) return a_returns ? 1 : -1;
    return a->point < b->point ? -1 : a->point > b->point;
}

static bool writes_value(const struct linear_op *op)
{
    return op->kind == LINEAR_PUT || op->kind == LINEAR_CAS || op->kind == LINEAR_CAS_ABSENT;
}

static bool is_value_seen(const struct search *s, uint64_t value)
{
    for (size_t i = 0; i < s->n; i++) {
        const struct linear_op *op = &s->ops[i];
        if (op->kind == LINEAR_GET && op->saw.present && op->saw.value == value) return true;
        if (op->kind == LINEAR_CAS && op->expected == value) return true;
        if (op->kind == LINEAR_INCR || op->kind == LINEAR_APPEND) return true; /* builds on it */
    }
    return false;
}

static bool are_alike(const struct linear_op *a, const struct linear_op *b)
{
    return a->end == LINEAR_PENDING && b->end == LINEAR_PENDING && a->kind == b->kind &&
           a->argument == b->argument && a->expected == b->expected && !a->saw.present &&
           !b->saw.present;
}

static void find_twins(struct search *s)
{
    for (size_t i = 0; i < s->n; i++) {
        struct linear_op *op = &s->ops[i];
        if (op->end == LINEAR_PENDING && writes_value(op) && !is_value_seen(s, op->argument))
            op->argument = UNSEEN;
    }
    for (uint32_t i = 0; i < s->n; i++) {
        s->twin[i] = NOTHING;
        for (uint32_t j = 0; j < s->n; j++) {
            if (i == j || !are_alike(&s->ops[i], &s->ops[j])) continue;
            bool earlier = s->ops[j].begin < s->ops[i].begin ||
                           (s->ops[j].begin == s->ops[i].begin && j < i);
            bool nearest = s->twin[i] == NOTHING || s->ops[j].begin >= s->ops[s->twin[i]].begin;
            if (earlier && nearest) s->twin[i] = j;
        }
    }
}

static bool twin_is_taken(const struct search *s, uint32_t op)
{
    uint32_t twin = s->twin[op];
    return twin == NOTHING || ((s->set[twin / 64] >> (twin % 64)) & 1);
}

static void lay_out(struct search *s)
{
    struct moment moments[2 * LINEAR_OPS_MAX];
    size_t n = 0;
    for (uint32_t i = 0; i < s->n; i++) {
        moments[n++] = (struct moment){s->ops[i].begin, 1 + 2 * i};
        if (!is_known(&s->ops[i])) continue;
        moments[n++] = (struct moment){s->ops[i].end, 2 + 2 * i};
        s->n_left++;
    }
    qsort(moments, n, sizeof *moments, compare_moments);
    uint32_t last = 0;
    for (size_t i = 0; i < n; i++) {
        s->next[last] = moments[i].point;
        s->previous[moments[i].point] = last;
        last = moments[i].point;
    }
    s->next[last] = NOTHING;
}

/* One that was answered, and by its answer changed nothing. */
static bool is_still(const struct linear_op *op)
{
    bool on_condition =
        op->kind == LINEAR_DEL || op->kind == LINEAR_CAS || op->kind == LINEAR_CAS_ABSENT;
    return is_known(op) && (op->kind == LINEAR_GET || (on_condition && !op->done));
}

/* Of those the first that may be the next one: all that is possible now is so behind it, too.
 * NOTHING if there is none. */
static uint32_t find_still(const struct search *s)
{
    for (uint32_t at = s->next[0]; at % 2 == 1; at = s->next[at]) {
        uint32_t op = (at - 1) / 2;
        struct linear_state after = s->state;
        if (is_still(&s->ops[op]) && step(&s->ops[op], &after)) return op;
    }
    return NOTHING;
}

/* May it be the next one?  What has no answer and changes nothing need not be. */
static bool is_choice(const struct search *s, uint32_t op, struct linear_state *after)
{
    return twin_is_taken(s, op) && step(&s->ops[op], after) &&
           (is_known(&s->ops[op]) || !state_equal(s->state, *after));
}

/* False: from there the search has led nowhere before. */
static bool take(struct search *s, uint32_t op, struct linear_state after)
{
    s->set[op / 64] ^= UINT64_C(1) << (op % 64);
    if (!memo_add(s, after)) {
        s->set[op / 64] ^= UINT64_C(1) << (op % 64);
        return false;
    }
    s->stack[s->depth] = op;
    s->states[s->depth++] = s->state;
    s->state = after;
    take_point(s, 1 + 2 * op);
    if (!is_known(&s->ops[op])) return true;
    take_point(s, 2 + 2 * op);
    s->n_left--;
    return true;
}

/* The newest choice, and what had to follow from it.  False: there was none; else `at` is what to
 * try in its place. */
static bool undo(struct search *s, uint32_t *at)
{
    bool was_choice = false;
    while (!was_choice) {
        if (s->depth == 0) return false;
        uint32_t op = s->stack[--s->depth];
        was_choice = !is_still(&s->ops[op]);
        s->state = s->states[s->depth];
        s->set[op / 64] ^= UINT64_C(1) << (op % 64);
        if (is_known(&s->ops[op])) {
            put_point_back(s, 2 + 2 * op);
            s->n_left++;
        }
        put_point_back(s, 1 + 2 * op);
        *at = s->next[1 + 2 * op];
    }
    return true;
}

static enum linear_verdict search(struct search *s, size_t steps_max)
{
    uint32_t at = s->next[0];
    bool is_new = true; /* what is left to take, and the state */
    for (size_t steps = 0; s->n_left > 0; steps++) {
        if (steps == steps_max) return LINEAR_TOO_HARD;
        assert(at != NOTHING); /* an operation that must be taken has its return in the list */
        uint32_t still = is_new ? find_still(s) : NOTHING, op = (at - 1) / 2;
        bool is_call = at % 2 == 1;
        struct linear_state after = s->state;
        if (still != NOTHING) is_new = take(s, still, after);
        else is_new = is_call && is_choice(s, op, &after) && take(s, op, after);
        if (is_new) at = s->next[0];
        else if (still == NOTHING && is_call) at = s->next[at];
        else if (!undo(s, &at)) return LINEAR_VIOLATION;
    }
    return LINEAR_OK;
}

enum linear_verdict linear_check(const struct linear_op *ops, size_t n, size_t steps_max)
{
    assert(n <= LINEAR_OPS_MAX);
    struct search *s = calloc(1, sizeof *s);
    assert(s != NULL);
    if (n > 0) memcpy(s->ops, ops, n * sizeof *ops);
    s->n = n;
    find_twins(s);
    lay_out(s);
    enum linear_verdict verdict = search(s, steps_max);
    free(s->memos);
    free(s);
    return verdict;
}

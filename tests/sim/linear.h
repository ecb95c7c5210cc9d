/* SPDX-License-Identifier: BSD-2-Clause */
/* Is the history of one key linearizable?  Depth-first search over the operations that may come
 * next (Wing and Gong 1993), remembering pairs of (set of operations done, state) that led nowhere
 * (Lowe). An operation whose outcome is unknown may take effect at any time after its call, or
 * never. */
#ifndef SIM_LINEAR_H
#define SIM_LINEAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LINEAR_OPS_MAX 512u
#define LINEAR_PENDING UINT64_MAX /* `end` of an operation whose outcome is unknown */

enum linear_kind {
    LINEAR_PUT,
    LINEAR_DEL,
    LINEAR_CAS,
    LINEAR_CAS_ABSENT,
    LINEAR_INCR,
    LINEAR_APPEND,
    LINEAR_GET
};

/* The state of a key.  `value`: a register's content or a counter's sum, or for a list the hash of
 * its tokens in order; `length`: bytes of a list. */
struct linear_state {
    bool present;
    uint64_t value, length;
};

struct linear_op {
    uint64_t begin, end;
    enum linear_kind kind;
    uint64_t argument; /* value put, added or appended (a token's hash) */
    uint64_t expected; /* of a CAS; length of a token */
    /* What was answered: for CAS and CAS_ABSENT `done`; DEL whether there was a key; GET the state;
     * INCR the sum in saw.value; APPEND the length in saw.length.  A pending APPEND whose place is
     * known from a later read has that in saw, too. */
    bool done;
    struct linear_state saw;
};

enum linear_verdict { LINEAR_OK, LINEAR_VIOLATION, LINEAR_TOO_HARD };

/* The hash of a list after one more token. */
uint64_t linear_list_hash(uint64_t list, uint64_t token);

/* The key is absent at first.  `steps_max` bounds the search; past it the verdict is
 * LINEAR_TOO_HARD. */
enum linear_verdict linear_check(const struct linear_op *ops, size_t n, size_t steps_max);

#endif

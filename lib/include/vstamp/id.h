/* SPDX-License-Identifier: BSD-2-Clause */
/* A 128-bit identity: group ids, client ids, nonces, and the checksums that name log entries. */
#ifndef VSTAMP_ID_H
#define VSTAMP_ID_H

#include <stdbool.h>
#include <stdint.h>

struct vstamp_id {
    uint64_t hi, lo;
};

static inline bool vstamp_id_equal(struct vstamp_id a, struct vstamp_id b)
{
    return a.hi == b.hi && a.lo == b.lo;
}

static inline bool vstamp_id_is_zero(struct vstamp_id a)
{
    return (a.hi | a.lo) == 0;
}

#endif

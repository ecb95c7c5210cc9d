/* SPDX-License-Identifier: BSD-2-Clause */
/* Where to look for a client in a table.  Its id is what it says: drawn at random, or one of many
 * in a row, as those of one connection are.  So bits are mixed: a row must not lie in a row.
 * Whoever chooses ids that collide makes walks longer, within the table. */
#ifndef VR_ID_HASH_H
#define VR_ID_HASH_H

#include <stdint.h>

#include <vstamp/id.h>

static inline uint32_t id_hash(struct vstamp_id id)
{
    uint64_t mixed = (id.hi ^ (id.lo << 32 | id.lo >> 32)) * UINT64_C(0x9e3779b97f4a7c15);
    return (uint32_t)(mixed >> 32);
}

#endif

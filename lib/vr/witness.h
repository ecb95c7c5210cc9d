/* SPDX-License-Identifier: BSD-2-Clause */
/* Who is a witness and who leads, for all that must agree on it: replicas, clients, the simulator
 * (paper section 6.1).  Sets of replicas are bitmaps by index. */
#ifndef VR_WITNESS_H
#define VR_WITNESS_H

#include "vr/config.h"

/* Witnesses that a group of this size bears: a majority must be active. */
static inline uint8_t vr_witnesses_max(uint8_t n_replicas)
{
    return (uint8_t)((n_replicas - 1) / 2);
}

static inline bool vr_among_witnesses(uint32_t witnesses, uint8_t replica)
{
    return (witnesses >> replica) & 1;
}

/* The primary of a view: the active replicas take turns (PIT-7.3).  One of them must be active. */
uint8_t vr_primary_among(uint8_t n_replicas, uint32_t witnesses, uint64_t view);

/* Bytes of entries that the smallest log of the group holds. */
uint64_t vr_log_bytes_min(const struct vr_config *config);

#endif

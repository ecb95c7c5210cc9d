/* SPDX-License-Identifier: BSD-2-Clause */
/* Who is a witness and who leads, for all that must agree on it: replicas, clients, the simulator
 * (paper section 6.1).  Sets of replicas are bitmaps by index. */
#ifndef VR_WITNESS_H
#define VR_WITNESS_H

#include "vr/config.h"

static inline bool vr_among_witnesses(uint32_t witnesses, uint8_t replica)
{
    return (witnesses >> replica) & 1;
}

/* For vr_primary_among, where there are witnesses. */
uint8_t vr_primary_among_active(uint8_t n_replicas, uint32_t witnesses, uint64_t view);

/* The primary of a view: the active replicas take turns (PIT-7.3).  One of them must be active. */
static inline uint8_t vr_primary_among(uint8_t n_replicas, uint32_t witnesses, uint64_t view)
{
    return witnesses == 0 ? (uint8_t)(view % n_replicas)
                          : vr_primary_among_active(n_replicas, witnesses, view);
}

/* They are members, a majority is active, and their log holds what it must. */
bool vr_witnesses_are_sound(const struct vr_config *config);

/* Bytes of entries that the smallest log of the group holds. */
uint64_t vr_log_bytes_min(const struct vr_config *config);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* What a replica is told when it starts: the membership of the first epoch, which no longer counts
 * once its journal knows of a later one; and settings that must be the same at all replicas, in
 * every epoch. */
#ifndef VR_CONFIG_H
#define VR_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/limits.h"

struct vr_config {
    uint8_t n_replicas;
    uint8_t self;
    bool durable; /* durability: disk */
    uint8_t oldest, newest; /* versions of the protocol; 0: those of this program */
    uint32_t witnesses; /* bitset by index: who votes and logs, but executes nothing (6.1) */

    uint32_t heartbeat_ms;   /* the idle primary's commit message */
    uint32_t view_change_ms; /* silence after which a backup suspects the primary, plus jitter */

    uint32_t max_clients;      /* sessions in the client table */
    uint32_t batch_bytes;      /* body of one log entry, bound on a request */
    uint32_t max_answer_bytes; /* of a logged operation, kept in the client table; at most 3584 */
    uint32_t max_read_bytes;   /* answer of a read */
    bool leases;               /* reads: lease */
    uint32_t clock_drift_ppm;  /* with leases: how much a clock may run fast or slow */
    uint32_t pipeline;         /* prepares in flight, at most PIPELINE_MAX */
    uint32_t log_entries;      /* entries the log holds; a power of two, at least 4 x the
                                  pipeline of any replica of the group */
    uint64_t log_bytes;        /* bytes of entry bodies the log holds; at least 4 x batch_bytes */
    uint64_t witness_log_bytes; /* the same, of a witness, if less; WITNESS_BATCHES at least */
    uint32_t checkpoint_ops;   /* ops between checkpoints; at most log_entries / 2 */
    uint32_t digest_ops;       /* ops between further digest points, for the trail; 0: as many as
                                  cost little */
    uint32_t transfer_mib_per_s; /* what state transfers may bring in; 0: no bound */
    uint32_t state_pages;      /* bound of the replicated state, in pages of 4096 bytes */
    uint32_t segment_bytes;    /* of the journal's files; taken larger where a write needs that, and
                                  as small as that allows by a witness */

    const char *version;                        /* kept by pointer, for status and hello */
    const char *addresses[REPLICAS_MAX];        /* kept by pointer; a replica is its address */
    const char *status_addresses[REPLICAS_MAX]; /* kept by pointer, for whoever asks */
};

#endif

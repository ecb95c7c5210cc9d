/* SPDX-License-Identifier: BSD-2-Clause */
/* A single node as fuzzers need it: its host (memory, clock, disk), and peers of good faith that
 * carry it to where things get interesting.  What the node sends must be well-formed; nobody
 * receives it. */
#ifndef FUZZ_STAGE_H
#define FUZZ_STAGE_H

#include "fuzz/forge.h"
#include "node/node_state.h"
#include "sim/disk.h"

#define STAGE_GROUP_MAX 7u

struct stage {
    struct reader in;
    struct forge forge;
    struct node *node;
    const struct vstamp_app *app; /* the store, unless another is set before the node starts */
    struct node_io io;
    struct vr_config config;
    struct disk disk;
    uint64_t now_us;
    uint32_t life;
    bool lost; /* its files were damaged: it recovers */
};

/* Nothing runs yet.  The disk is empty; the caller wipes it at the end (disk_wipe). */
void stage_open(struct stage *s, struct reader in, uint8_t n_replicas, uint8_t self, bool durable);

/* A new life of the node, restored from the disk if it has one; memory of former lives is reused.
 * 0, or what a host would end with. */
int stage_start(struct stage *s, struct vstamp_diag *diag);

/* Its two halves: the node as it is restored, and its first turn. */
int stage_restore(struct stage *s, struct vstamp_diag *diag);
void stage_go(struct stage *s);

void stage_turn_end(struct stage *s);
void stage_finish_job(struct stage *s, enum node_lane lane);
void stage_finish_jobs(struct stage *s);
void stage_pass_time(struct stage *s, uint64_t us);
void stage_until_next_timer(struct stage *s);

void stage_deliver(struct stage *s, uint8_t from, struct bytes frame);

/* In the name of a peer, in the node's present view. */
#define STAGE_SAY(s, from, name, ...)                                                              \
    stage_deliver((s), (from), forge_message(&(s)->forge, (from), (s)->node->vr.view,              \
                                             &wire_shape_##name,                                   \
                                             &(struct wire_##name){__VA_ARGS__}))

/* All are blank, hear of each other, and form the group. */
void stage_form(struct stage *s);

/* Acknowledge all that the node has prepared as a primary. */
void stage_acknowledge(struct stage *s);

/* Some operations: from clients if the node is the primary, else from its primary. */
void stage_grow(struct stage *s, uint8_t n);

/* The group has gone on without the node, further than logs reach back. */
void stage_fall_behind(struct stage *s);

#endif

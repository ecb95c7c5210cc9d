/* SPDX-License-Identifier: BSD-2-Clause */
/* struct cluster, for the files that make it up. */
#ifndef SCENARIO_CLUSTER_STATE_H
#define SCENARIO_CLUSTER_STATE_H

#include "scenario/cluster.h"
#include "sim/queue.h"

#define N_MAX 10u
#define STRANGER (UINT64_MAX / 2) /* and the replica's number: the connection of one in no slot */

enum fate { PASS, HOLD, DROP };

struct rule {
    int from, to, command;
    enum fate fate;
};

enum message_state { QUEUED, HELD, GONE };

struct message {
    uint8_t from, to;
    enum message_state state;
    struct sim_packet *packet;
};

struct member {
    struct cluster *cluster;
    uint8_t index;
    bool up, slow_disk, slow_checkpoints, crash_at_checkpoint;
    int64_t skew_us; /* of its time of day */
    uint32_t life;
    void *memory;
    size_t memory_size;
    struct node *node;
    struct node_io io;
    struct vr_config config;
    struct disk disk, copy;
    uint8_t n_slots, slots[SLOTS_MAX]; /* its directory: who is in which slot */
};

/* A frame that came back to a client. */
struct arrival {
    struct sim_packet *packet;
};

struct cluster {
    uint8_t n;
    int mode;
    const struct vstamp_app *app;
    uint64_t now_us;
    struct member members[N_MAX];
    struct rule rules[64];
    size_t n_rules;
    struct message *messages;
    size_t n_messages, messages_size;
    struct arrival *arrivals;
    size_t n_arrivals, arrivals_size;
    char (*trace)[256];
    size_t n_trace, trace_size;
    uint64_t read_number;
    uint64_t clients_view;
};

/* cluster.c */
void cluster_set_clock(struct member *m);
struct vstamp_id cluster_group(const struct cluster *c);
const char *cluster_address(uint8_t replica);
int cluster_find_primary(const struct cluster *c); /* -1: there is none */

#endif

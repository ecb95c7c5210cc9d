/* SPDX-License-Identifier: BSD-2-Clause */
/* The event queue: a binary heap ordered by (time, sequence), so that events of one instant keep
 * the order in which they were put in and a run is a function of its seed. */
#ifndef SIM_QUEUE_H
#define SIM_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A frame under way.  Counted, since duplicates share the bytes. */
struct sim_packet {
    uint32_t references;
    uint32_t size;
    uint8_t bytes[];
};

enum sim_event_kind {
    SIM_FRAME,      /* a frame from replica `from` reaches `node` */
    SIM_REQUEST,    /* a client's frame reaches `node`; `value` is its origin */
    SIM_REPLY,      /* a frame reaches the client of origin `value` */
    SIM_TIMER,      /* the node asked to be woken */
    SIM_TURN_END,   /* an open turn ends */
    SIM_STORED,     /* the disk job in lane `from` is done */
    SIM_LINK,       /* the connection to replica `from` came up (value 1) or broke (0) */
    SIM_CONNECTED,  /* client `from` reached replica `node`; `value` is the generation */
    SIM_BROKEN,     /* client `from` learns that this connection to replica `node` is broken */
    SIM_START,      /* start the node */
    SIM_STOP,       /* a graceful stop has taken too long */
    SIM_HEAL,       /* the partition numbered `value` ends */
    SIM_FAULT,      /* the next fault of class `from`; `value` 1: one more, at `node` */
    SIM_PLOT,       /* the next step of the plot, if partition `value` is still the newest */
    SIM_COPY,       /* who copies the state asks the next question */
    SIM_CHANGE,     /* who changes the membership takes the next step; `value` names it */
    SIM_CLIENT,     /* client `node` wakes; `value` must be its current alarm */
    SIM_PHASE       /* the faults are over */
};

struct sim_event {
    uint64_t time;
    uint64_t sequence;
    uint64_t value;
    struct sim_packet *packet;
    uint32_t incarnation; /* of `node`; the event is void for another one, where that matters */
    uint8_t kind;         /* enum sim_event_kind */
    uint8_t node;
    uint8_t from;
};

struct sim_queue {
    struct sim_event *heap;
    size_t count, capacity;
    uint64_t sequence;
};

void sim_queue_push(struct sim_queue *q, struct sim_event event);
bool sim_queue_pop(struct sim_queue *q, struct sim_event *event);
void sim_queue_clear(struct sim_queue *q); /* lets go of all packets and memory */

struct sim_packet *sim_packet_new(const void *bytes, size_t size);
struct sim_packet *sim_packet_share(struct sim_packet *packet);
void sim_packet_release(struct sim_packet *packet); /* accepts NULL */

#endif

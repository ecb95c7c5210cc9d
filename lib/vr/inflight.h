/* SPDX-License-Identifier: BSD-2-Clause */
/* Requests that the primary has taken and not yet executed, by client: the waiting batch and the
 * uncommitted part of the log (PIT-1.4: this is derived, the client table changes at commit only;
 * PIT-7.5: a retry must find its request wherever it waits). */
#ifndef VR_INFLIGHT_H
#define VR_INFLIGHT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <vstamp/id.h>

#include "base/arena.h"

struct inflight_request {
    struct vstamp_id client;
    uint64_t number;
    uint32_t generation; /* another one than the table's: the slot is free */
    uint32_t request;    /* client_table_request of it */
    uint8_t kind;        /* enum wire_request_kind: registrations are numbered apart */
    uint64_t origin;     /* connection that waits for the answer, 0: none known */
};

struct inflight {
    struct inflight_request *slots; /* open addressing; at most half full */
    uint32_t mask;
    uint32_t count;
    uint32_t generation; /* never 0; the next one empties all slots at once, as every view does */
};

void inflight_init(struct inflight *f, struct arena *arena, uint32_t count_max);
void inflight_clear(struct inflight *f);

/* The request of this client, or NULL; good until the next change. */
struct inflight_request *inflight_find(const struct inflight *f, struct vstamp_id client);

/* One after the other, each with *at where the last call left it, 0 at first; NULL: no more. */
const struct inflight_request *inflight_next(const struct inflight *f, uint32_t *at);

/* Asserts that there is room and no request of this client. */
void inflight_add(struct inflight *f, struct vstamp_id client, uint8_t kind, uint64_t number,
                  uint32_t request, uint64_t origin);
void inflight_remove(struct inflight *f, struct inflight_request *request);

#endif

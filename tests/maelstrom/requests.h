/* SPDX-License-Identifier: BSD-2-Clause */
/* What clients ask of a Maelstrom node: see requests.c. */
#ifndef MAELSTROM_REQUESTS_H
#define MAELSTROM_REQUESTS_H

#include "kv/kv.h"
#include "maelstrom/host.h"

/* Requests of clients under way at one node. */
#define REQUESTS_MAX 64u

struct requests *requests_new(uint8_t n_replicas);

/* A client's message of the type read, write or cas, for which the verb is GET, PUT or CAS. */
void requests_begin(struct host *h, enum kv_verb verb, const char *client, json_int_t msg_id,
                    const json_t *body);

/* A frame for a session came from a replica. */
void requests_on_frame(struct host *h, uint32_t session, uint8_t replica, struct bytes frame);

/* Time-outs and repetitions, and when the next is due in milliseconds of the host's clock. */
void requests_on_time(struct host *h);
uint64_t requests_wake_ms(const struct requests *r); /* UINT64_MAX: no request is under way */

#endif

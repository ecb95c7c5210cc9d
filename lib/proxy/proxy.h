/* SPDX-License-Identifier: BSD-2-Clause */
/* Behind <vstamp/client.h>: one session that its owner starts and reads by itself, over the same
 * connections and with the same code as the crowds of a client. */
#ifndef PROXY_PROXY_H
#define PROXY_PROXY_H

#include <vstamp/client.h>

#include "vr/session.h"

/* The one session of a client with in_flight 1 is from now on this one, whose task was started.  It
 * is driven to its end, and s->result tells how that was; there is no call and no callback.  It
 * must live until the next proxy_adopt, or the client's end. */
void proxy_adopt(struct vstamp_client *client, struct session *session);

/* The client, which has asked nothing yet, knows from now on what this session to the same replicas
 * knows of the group. */
void proxy_learn(struct vstamp_client *client, const struct session *session);

/* Why this replica refused last (WIRE_REJECT_...); 0: it has not, since the client was idle. */
uint8_t proxy_said(const struct vstamp_client *client, uint32_t replica);

/* What it said with its newest reject, maybe nothing. */
const char *proxy_words(const struct vstamp_client *client, uint32_t replica);

/* The address under which this replica is connected to at the start.  When the group tells its
 * members and they have just these addresses, in this order, there is nobody else to connect to,
 * and the client does not move (vstamp_client_moves). */
void proxy_name(struct vstamp_client *client, uint32_t replica, const char *address);

/* A replica does not let us in; that the connection is down is still to be told. */
void proxy_bar(struct vstamp_client *client);

/* Is it so of all sessions: has none begun or been answered since? */
bool proxy_is_barred(const struct vstamp_client *client);

bool proxy_is_idle(const struct vstamp_client *client);

#endif

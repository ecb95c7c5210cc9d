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

/* What a session to the same replicas knows of the group. */
void proxy_learn(struct vstamp_client *client, const struct session *session);

/* Reason of the newest reject that this replica sent since there last was nothing in flight; 0:
 * none. */
uint8_t proxy_said(const struct vstamp_client *client, uint32_t replica);

/* What it said with its newest reject, maybe nothing. */
const char *proxy_words(const struct vstamp_client *client, uint32_t replica);

/* By what address the host knows this replica at the start.  Then a group that tells its members is
 * followed only if these are others than those named, or in another order. */
void proxy_name(struct vstamp_client *client, uint32_t replica, const char *address);

/* A replica does not let us in; that the connection is down is still to be told. */
void proxy_bar(struct vstamp_client *client);

bool proxy_is_idle(const struct vstamp_client *client);

#endif

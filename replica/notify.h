/* SPDX-License-Identifier: BSD-2-Clause */
/* What a supervisor is told (sd_notify(3)): one datagram to the socket that $NOTIFY_SOCKET names.
 * The protocol is declared stable, and three dozen lines weigh less than libsystemd.  --local
 * listens to its children the same way. */
#ifndef REPLICA_NOTIFY_H
#define REPLICA_NOTIFY_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

#define NOTIFY_ENVIRONMENT "NOTIFY_SOCKET"
#define NOTIFY_READY       "READY=1"
#define NOTIFY_STOPPING    "STOPPING=1"

/* Does nothing when nobody listens. */
void notify_send(const char *message);

/* Where such a name leads; "@name" is an abstract address.  Returns its size, 0 for a name that
 * does not fit. */
socklen_t notify_address(const char *name, struct sockaddr_un *address);

#endif

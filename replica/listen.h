/* SPDX-License-Identifier: BSD-2-Clause */
/* A listening socket, for the transport and for the status endpoint, with an error that a person
 * can act on. */
#ifndef REPLICA_LISTEN_H
#define REPLICA_LISTEN_H

#include <vstamp/error.h>

#include "program/address.h"

/* Resolve, bind, listen; the socket does not block and is closed on exec.  VSTAMP_E_IO with a
 * sentence that starts with the address; VSTAMP_E_AGAIN if no name server answered, or the
 * machine does not have it. */
int listen_open(const struct address *address, int backlog, int *fd, struct vstamp_diag *diag);

#endif

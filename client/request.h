/* SPDX-License-Identifier: BSD-2-Clause */
/* Requests of the client's session, one at a time.  Each waits until it has ended or a signal came;
 * how it ended is in *o, to be released. */
#ifndef CLIENT_REQUEST_H
#define CLIENT_REQUEST_H

#include "client/client.h"
#include "client/outcome.h"

void request_run(struct client *c, struct operation operation, struct outcome *o);

/* A read of the state after op-number `op` or a later one.  Any replica answers it, as soon as it
 * has executed that operation; without an answer in `wait_ms` it ends with VSTAMP_E_NOT_RUN. */
void request_await(struct client *c, struct operation operation, uint64_t op, uint32_t wait_ms,
                   struct outcome *o);

/* Why the newest request had no answer, as a new text: "no answer in 5.0 s: A: Connection refused;
 * B: ...". */
char *request_silence(const struct client *c);

/* The answer of this operation was shown: it is no longer pending. */
int request_settled(struct client *c, struct operation operation, struct vstamp_diag *diag);

/* It could not be shown: it stays pending, and the name of the file that holds it is returned.
 * NULL: it was a read, which may just be repeated, or no file could be made. */
const char *request_unseen(struct client *c, struct operation operation);

/* Fence what is pending: did it run?  If not, it never will; if *o is an error, nobody can tell. */
bool request_abandon(struct client *c, struct outcome *o);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* The look-up of a host's name, by a thread of its own: where name servers are silent it takes many
 * seconds, and getaddrinfo(3) knows no other way to wait. */
#ifndef DRIVER_LOOKUP_H
#define DRIVER_LOOKUP_H

#include <netdb.h>

struct lookup;

/* NULL, and errno: the system has nothing left for it. */
struct lookup *lookup_begin(const char *host, const char *port);

/* A descriptor that can be read once it has ended. */
int lookup_fd(const struct lookup *l);

/* It has ended: 0, or a code of getaddrinfo.  *found is the caller's, and the look-up is gone. */
int lookup_end(struct lookup *l, struct addrinfo **found);

/* Nobody waits for it any more. */
void lookup_drop(struct lookup *l);

/* What is not a name needs no look-up: the same at once, or EAI_NONAME. */
int lookup_number(const char *host, const char *port, struct addrinfo **found);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* Keys and values in byte order, page by page.
 *
 * An answer holds what fits into one frame, so a long list is asked for in pages, each after the
 * last key of the one before.  Each is read at one viewstamp of its own: what is written meanwhile
 * may be in the later pages. */
#ifndef CLIENT_LISTING_H
#define CLIENT_LISTING_H

#include "client/client.h"
#include "client/outcome.h"
#include "client/pair.h"

struct listing {
    struct client *c;
    struct bytes prefix;
    bool keys_only, expiries; /* no values; with when each expires */
    uint32_t limit; /* 0: none */
    void (*take)(void *context, const struct pair *pair);
    void *context;

    /* How far it is, and how it ended. */
    uint64_t count;
    uint64_t first_op, last_op; /* op-numbers at which the first and the last page were read */
    struct bytes last;          /* newest key taken */
    struct operation operation;     /* the newest request, */
    struct outcome outcome;     /* and how that ended */
};

/* Ask for all pages, or until `into` can't be written.  False: the outcome is an error, or an
 * answer other than a list.  Release it in both cases. */
bool listing_walk(struct listing *l, FILE *into);
void listing_release(struct listing *l);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* Reads of the shell that do not wait for one another.
 *
 *   get a    taken -> sent ------------> answered -> shown
 *   get b    taken -> sent -> answered ... its turn: shown
 *   put a    waits until both are shown, is alone on its way
 *   get a    taken -> sent ...
 *
 * From a pipe, commands run in order, also for a third party that reads the same keys.  Requests
 * that are in flight together have no order of their own, so a write is always alone; but reads
 * change nothing, and where each was executed its answer tells.  So:
 *
 *   I1  answers are shown in the order of the commands, each as soon as it and those before it are
 *       there;
 *   I2  an answer that is older than one before it (a smaller op-number), unless stale ones are
 *       asked for, is not shown; its command is asked again, alone;
 *   I3  whoever does anything else, or has something else to say, calls ahead_catch_up first.
 *
 * Which commands are such reads is in commands.def. */
#ifndef CLIENT_AHEAD_H
#define CLIENT_AHEAD_H

#include <vstamp/client.h>

#include "client/client.h"

#define AHEAD_MAX 64u /* reads in flight */

/* A command, and its answer once that is there. */
struct question {
    bool answered;
    struct client_options options; /* of its line */
    struct operation operation; /* in memory of its own, as the answer is */
    struct bytes body;
    bool raw;
    struct vstamp_reply reply; /* its body is ours */
};

struct ahead {
    struct client *c;
    struct vstamp_driver *driver; /* NULL until the first */
    struct question at[AHEAD_MAX];
    uint32_t first, n; /* those not shown yet, in order */
    int *status;       /* of the last command that failed */
};

/* `status` is where that of a command that could not be carried out goes. */
void ahead_open(struct ahead *a, struct client *c, int *status);
void ahead_close(struct ahead *a); /* one of zeros, too */

/* The read is on its way, and its answer will be shown.  Where all places are taken it waits for
 * one.  The client is begun.  False: there are no descriptors for it, so it is to be run alone. */
bool ahead_ask(struct ahead *a, struct operation operation, bool raw);

/* Wait until an answer comes or `input` can be read, and show what can be shown.  True: it can be
 * read.  With `input` -1 only answers are waited for. */
bool ahead_turn(struct ahead *a, int input);

/* Show the answers that are still to come, and only then go on. */
void ahead_catch_up(struct ahead *a);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* Many clients in one process, for commands that have many requests in flight (bench, import):
 * their connections (<vstamp/client.h>), their sessions, and one wait over all of it.
 *
 * Each client is a session that the group remembers, of max_clients in all.  So a crowd comes back
 * under the ids it had the last time, which are kept in the state folder, and takes no new places:
 * however often the commands run, other people's sessions stay. */
#ifndef CLIENT_CROWD_H
#define CLIENT_CROWD_H

#include <vstamp/client.h>

#include "client/client.h"
#include "client/outcome.h"
#include "program/signals.h"

#define CROWD_WHY_SIZE 160u

struct crowd {
    struct client *c;
    uint32_t n_clients;
    uint32_t n_drivers; /* connections to each replica */
    struct vstamp_driver **drivers;
    int epoll; /* over all connections */
    uint64_t *wake_ms; /* when each driver is to be looked at, though nothing happened */
    bool *is_due;
    uint32_t *due; /* those that are to be advanced: the drivers with is_due */
    uint32_t n_due;
    uint64_t view; /* newest that was heard of */
    struct signals signals;
    struct session_file file; /* holds the ids, and a lock on them */
    struct {
        uint32_t left;
        int err; /* of the first that failed */
        char why[CROWD_WHY_SIZE];
    } roll; /* of crowd_register */
};

/* As many clients over as many connections to each replica; nothing is sent yet.  At most half of
 * max_clients, as the configuration has it.  The signals are held until crowd_close. */
int crowd_open(struct crowd *crowd, struct client *c, uint32_t n_clients, uint32_t n_connections,
               struct vstamp_diag *diag);
void crowd_close(struct crowd *crowd); /* a crowd of zeros, too */

/* Client i's request; else as vstamp_driver_call, with the time-out of --timeout. */
void crowd_call(struct crowd *crowd, uint32_t i, enum vstamp_task task, struct bytes operation,
                vstamp_reply_fn *reply, void *context);

/* Wait for anything, not longer than until `until_ns` of crowd_now_ns, and do what there is to do.
 * With `input` not -1, for that descriptor, too; true: it can be read.  A signal goes into
 * c->signal. */
bool crowd_turn(struct crowd *crowd, int input, uint64_t until_ns);

/* Register them all, so that later requests need not.  0, or the error that is in *o then, which
 * was of zeros. */
int crowd_register(struct crowd *crowd, struct outcome *o);

/* Is it that nobody lets us in any more? */
bool crowd_is_barred(const struct crowd *crowd);

/* What is the matter with the replicas, for a person. */
void crowd_explain(const struct crowd *crowd, char *text, size_t size);

uint64_t crowd_now_ns(void); /* CLOCK_MONOTONIC */

#endif

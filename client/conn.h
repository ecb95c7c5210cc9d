/* SPDX-License-Identifier: BSD-2-Clause */
/* The connections of one session (vr/session.h), which stay open from one call to the next.  A
 * signal that is held (signals.h) ends a call instead of the process: nobody leaves without a word
 * once a request is noted. */
#ifndef CLIENT_CONN_H
#define CLIENT_CONN_H

#include <stdint.h>
#include <stdio.h>

#include "program/config.h"
#include "tls/tls.h"
#include "vr/session.h"

#define CONN_EXPLANATION_SIZE 4096 /* what failed at each replica of a large group */

struct conn;
struct vstamp_driver;

/* To these members; those of `begin` that are none are asked when the members are silent.  Both are
 * copied.  Nothing is connected or resolved yet.  `tls` NULL: without.  NULL, with errno: there is
 * no memory, or no descriptor left. */
struct conn *conn_open(const struct config_addresses *members,
                       const struct config_addresses *begin, struct tls *tls);
void conn_close(struct conn *conn); /* accepts NULL */

/* A driver to the same replicas for requests without a number, many at a time, of the group that
 * the session is with; to be closed.  NULL: as above. */
struct vstamp_driver *conn_beside(struct conn *conn, const struct session *session,
                                  uint32_t in_flight);

/* Signals are held from before a request is noted until its outcome is told. */
void conn_hold_signals(struct conn *conn);
void conn_release_signals(struct conn *conn);

/* Run the task that `session` was started with; the signals are held.  0 when it has ended; else
 * the number of the signal that interrupted it.  s->result.body stays valid until the next call. */
int conn_call(struct conn *conn, struct session *session);

/* From now on a call is ended by SIGPIPE, too, once nobody can read standard output any more: for
 * who may wait for ever for something to write, and so would not notice. */
void conn_need_reader(struct conn *conn);

/* How the last call failed at each replica: "127.0.0.1:14621: Connection refused; ...". */
void conn_explain(const struct conn *conn, FILE *into);

/* What poll(2), for connections and something else, has returned.  A signal is no failure; else the
 * program ends, as without memory: who cannot wait would go round and round. */
void conn_waited(int n);

/* Milliseconds of a clock that only rises: what session_start is given. */
uint64_t conn_now_ms(void);

/* The newest members that were heard of: how many, one, and all as --replicas takes them. */
uint8_t conn_n_replicas(const struct conn *conn);
const char *conn_member(const struct conn *conn, uint32_t replica);
void conn_print_replicas(const struct conn *conn, FILE *into);

#endif

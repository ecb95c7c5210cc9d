/* SPDX-License-Identifier: BSD-2-Clause */
/* TLS 1.3 with a certificate at both ends, over bytes that somebody else moves: nothing here knows
 * a socket, so an event loop, a driver and a test use it alike.
 *
 *   what came from the other end --tls_input--> [stream] --tls_read---> what it said
 *   what is to be sent to it <--tls_output, tls_sent-- [stream] <--tls_write-- what we say
 *
 * The paper's model is that replicas crash and do not lie (section 2); this is what keeps those who
 * may lie outside.  A folder holds what a process shows and whom it believes, under the names that
 * Kubernetes gives them:
 *
 *   ca.crt    the authorities: who shows a certificate of one of these is let in
 *   tls.crt   our own certificate, then those between it and the authority
 *   tls.key   its key
 *
 * The other end's certificate must be made for what it is: who listens shows one for a server, with
 * the host that was dialled as one of its names; who dials one for a client; and a replica one for
 * both (tls_is_host), so that no client can pass for a replica. */
#ifndef TLS_TLS_H
#define TLS_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <vstamp/error.h>

#include "base/bytes.h"

#define TLS_WHY_SIZE    160u
#define TLS_RECORD_SIZE 16384u /* of what is read, at most, so that a read is one of them */

struct tls;        /* what this process shows, and whom it believes */
struct tls_stream; /* one connection */

/* By what a folder is named, for sentences that say so: an option of the commands, or a function of
 * the library. */
#define TLS_BY_OPTION   "--tls"
#define TLS_BY_FUNCTION "vstamp_driver_tls"

/* VSTAMP_E_CONFIG: a file is missing, makes no sense, or does not belong to the others.  `by` is
 * kept by pointer. */
int tls_open(struct tls **tls, const char *folder, const char *by, struct vstamp_diag *diag);

/* The same for a setting of the commands, which may be left out: *tls is NULL if `folder` is
 * empty. */
int tls_open_if_set(struct tls **tls, const char *folder, struct vstamp_diag *diag);

/* It is freed when all who have it have closed it; both accept NULL. */
struct tls *tls_share(struct tls *tls);
void tls_close(struct tls *tls);

/* Certificates are short-lived: if files of the folder have changed, read them, for the streams
 * that begin from now on.  1: they were read; 0: nothing has changed; VSTAMP_E_CONFIG: they are not
 * usable yet, which is said once, and the old ones stay. */
int tls_renew(struct tls *tls, struct vstamp_diag *diag);

/* When our certificate ends, in seconds since 1970. */
uint64_t tls_not_after_s(const struct tls *tls);

/* Has our certificate ended, does it within a tenth of its life, or is it not that of a replica at
 * this host (tls_is_host; NULL: not asked)?  True with a sentence. */
bool tls_has_trouble(const struct tls *tls, const char *host, struct vstamp_diag *diag);

/* NULL: out of memory.  `host` is the name or the number by which the other end was dialled. */
struct tls_stream *tls_dial(struct tls *tls, const char *host);
struct tls_stream *tls_accept(struct tls *tls);
void tls_stream_free(struct tls_stream *s); /* accepts NULL */

/* Bytes came.  They are not copied: read until there is no more before they go. */
void tls_input(struct tls_stream *s, struct bytes bytes);

/* How many bytes it was; 0: no more for now; -1: it is over, by its end or an error (tls_why). */
ssize_t tls_read(struct tls_stream *s, void *into, size_t size);

/* All of it is taken, or nothing: 0 before both have shown their certificates; -1: it is over. */
ssize_t tls_write(struct tls_stream *s, struct bytes bytes);

/* What is to be sent, also when it is over, and: so much of it was.  Reading makes some, too. */
struct bytes tls_output(const struct tls_stream *s);
void tls_sent(struct tls_stream *s, size_t size);

/* Have both shown their certificates?  Whether the other end takes ours, a client knows only by its
 * first answer. */
bool tls_is_up(const struct tls_stream *s);

/* Is the certificate that was shown one for a server, with this host as one of its names? */
bool tls_is_host(const struct tls_stream *s, const char *host);

/* Why it is over, for a person. */
const char *tls_why(const struct tls_stream *s);

/* Is it that the other end does not take our certificate? */
bool tls_is_barred(const struct tls_stream *s);

/* Are these bytes, the first on a connection without TLS, those of somebody who speaks it? */
bool tls_is_spoken(struct bytes bytes);

#endif

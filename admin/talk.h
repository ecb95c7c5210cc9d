/* SPDX-License-Identifier: BSD-2-Clause */
/* A connection to one replica's own port, where clients ask: frames out, frames in, one at a time.
 * For questions that may be asked twice; what needs a session goes through the client's half of the
 * protocol (vr/session.h). */
#ifndef ADMIN_TALK_H
#define ADMIN_TALK_H

#include <vstamp/error.h>

#include "base/bytes.h"
#include "program/address.h"
#include "tls/tls.h"
#include "wire/frame.h"

struct talk;

/* NULL, with a sentence, if nobody accepts within `timeout_ms`.  `tls`, which may be NULL, is kept
 * by pointer.  Any wait ends, with an error, once `stop_fd` can be read; -1: nothing ends it. */
struct talk *talk_open(const struct address *address, struct tls *tls, int stop_fd,
                       uint32_t timeout_ms, struct vstamp_diag *diag);
void talk_close(struct talk *talk); /* accepts NULL */

/* 0; or with a sentence VSTAMP_E_IO, or VSTAMP_E_NOT_AUTHORISED if the replica takes another
 * certificate than ours, and then the connection is of no more use. */
int talk_send(struct talk *talk, struct bytes frame, uint32_t timeout_ms, struct vstamp_diag *diag);

/* The next whole frame, valid until the next call. */
int talk_receive(struct talk *talk, uint32_t timeout_ms, struct bytes *frame,
                 struct vstamp_diag *diag);

/* Send a request of this kind, token and body, from a client that is drawn for it, and receive what
 * comes next, a reply to it or any other message; valid until the next call.  As talk_send. */
int talk_request(struct talk *talk, uint32_t epoch, const struct wire_request *request,
                 uint32_t timeout_ms, struct wire_message *answer, struct vstamp_diag *diag);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* One TCP connection that carries frames, whoever is at the other end.
 *
 * In:  what a read brings is taken apart in the loop's shared buffer; only the beginning of a frame
 *      that is not complete yet is copied, into a buffer that grows to that frame's size once its
 *      header (checksummed, and its size bounded) is there.  An idle connection holds no buffer.
 *      What a turn does not read (turn.h) stays in the socket.
 * Out: frames queue in `out` during a turn and leave by one write at its end.  What the socket does
 *      not take moves to `writing` until it does; meanwhile `out` fills again, up to a bound.
 *
 * With TLS (tls/tls.h) a stream of it lies between the socket and these. */
#ifndef REPLICA_CONNECTION_H
#define REPLICA_CONNECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <uv.h>

#include "base/bytes.h"
#include "base/chain.h"
#include "replica/buffer.h"
#include "replica/turn.h"
#include "tls/tls.h"

#define CONNECTION_ADDRESS_SIZE 64u /* "[IPv6]:port" with its NUL */

struct connection;

#define CONNECTION_READ_SIZE (64u << 10)

/* Who owns a connection.  Both may close it; `over` is called exactly once, whoever closed it. */
struct connection_owner {
    void *ctx;
    struct turn *turn;    /* when it is full, frames wait, too */
    size_t share_max;     /* bytes of one of its connections in a round of turns */
    bool held; /* none of its connections feeds frames; each that has some becomes held itself */
    size_t unread_max; /* with more than that to be read by the other end, frames wait; 0: never */
    struct chain held_ones; /* that may be resumed, in the order they came */
    /* CONNECTION_READ_SIZE bytes where a read lands before its frames are taken out.  All
     * connections of a loop may share it: a read is followed at once by its callback. */
    uint8_t *read_buffer;
    /* A whole frame.  0, or VSTAMP_E_*: close the connection. */
    int (*frame)(struct connection *c, struct bytes frame);
    /* It is over; `reason` is a few words.  Forget it: libuv has the rest. */
    void (*over)(struct connection *c, const char *reason);
};

struct connection {
    uv_tcp_t tcp; /* first: its address is the connection's */
    struct connection_owner *owner;
    struct tls_stream *tls; /* NULL: without */
    bool closing, reading;
    bool failed_tls; /* it is closed since TLS did not come about, or came unexpected */
    bool held;           /* frames stay here and in the socket */
    struct chain queued; /* among those of the owner that may be resumed */
    bool resumed; /* it was held, and has not been read since */
    struct turn_share share;
    int error;           /* of the frame for which it was closed, or 0 */
    size_t frame_max;    /* larger ones are an error */
    size_t out_max;      /* bytes that may queue */
    size_t frame_size;   /* of the frame that `in` holds the beginning of; 0 while not known */
    uint64_t partial_ms; /* loop time since which the rest of a frame is awaited; 0: of none */
    struct buffer in, out, writing;
    bool write_busy;
    uv_write_t write;
    uv_connect_t connect; /* of those that are dialled */

    /* The owner's notes. */
    uint32_t number;                  /* which peer, or which slot of the clients */
    bool identified;                  /* its first frame has come */
    bool is_in;                       /* it is a client's, and may ask */
    bool asked;                       /* a request was fed and no reply came back since */
    uint64_t used_ms;                 /* loop time at which that was, or when it came */
    bool overrun;                     /* its bound on what may queue was met */
    struct chain used, dirty;         /* among those by last use, and those to flush */
};

/* A connection without a socket yet, over TLS unless that is NULL: as who dials `host`, or, if that
 * is NULL, as who listens.  NULL when memory is out. */
struct connection *connection_new(uv_loop_t *loop, struct connection_owner *owner, struct tls *tls,
                                  const char *host);

/* The socket is connected: set its options and read. */
void connection_start(struct connection *c);

/* Queue a frame; copies it.  False, and nothing queued, when that would exceed out_max. */
bool connection_send(struct connection *c, struct bytes frame);

/* Write what is queued, as much as the socket takes. */
void connection_flush(struct connection *c);

/* Stop or resume feeding.  Resuming feeds at once what is here already, until held again; but who
 * does not read what it is sent stays held until it has. */
void connection_hold(struct connection *c);
void connection_resume(struct connection *c);

/* Resume those of this owner that are held, first who has been for longest, and not more than the
 * loop bears in one round.  True: the next round is to go on with this. */
bool connection_resume_held(struct connection_owner *o);

/* Has the rest of a frame been awaited for too long?  Owners ask now and then. */
bool connection_is_overdue(const struct connection *c);

/* Idempotent. */
void connection_close(struct connection *c, const char *reason);

/* Close what its owner has not taken in yet: without a call of `over`. */
void connection_discard(struct connection *c);

/* It belongs to somebody else from now on. */
void connection_hand_over(struct connection *c, struct connection_owner *owner);

/* The other end, for logs. */
void connection_address(const struct connection *c, char text[static CONNECTION_ADDRESS_SIZE]);

#endif

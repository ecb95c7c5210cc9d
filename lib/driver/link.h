/* SPDX-License-Identifier: BSD-2-Clause */
/* A connection to one replica, over whichever of its host's addresses accepts one.  Nothing here
 * blocks.  A host's name is looked up (lookup.h) before the first connection, and before others
 * once in a while, as a host may move.
 *
 *   CLOSED --begin--> (RESOLVING --finish-->) CONNECTING (--finish--> SECURING) --finish--> UP
 *     ^                   |                       |  on_time: the next  |                 |
 *     +--close------------+-----------------------+---------------------+-----------------+
 *
 * Failures are an errno, or negative: a code of getaddrinfo; link_explain has the words.  Times are
 * vstamp_driver_now_ms. */
#ifndef DRIVER_LINK_H
#define DRIVER_LINK_H

#include <netdb.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "driver/lookup.h"
#include "program/address.h"
#include "tls/tls.h"

/* SECURING: certificates are being shown, if it has TLS. */
enum link_state { LINK_CLOSED, LINK_RESOLVING, LINK_CONNECTING, LINK_SECURING, LINK_UP };

struct link {
    struct address address;
    struct tls *tls;           /* whose streams it uses; NULL: none */
    const char *tls_by;        /* by what its user would name one (tls.h) */
    struct tls_stream *stream; /* SECURING and UP with TLS */
    struct addrinfo *resolved; /* all that the host name stands for, NULL: not known */
    uint64_t resolved_ms;
    struct addrinfo *next; /* the one to try next */
    struct lookup *lookup; /* while it is RESOLVING */
    enum link_state state;
    int fd;          /* of its socket, or of the look-up; -1: none */
    uint32_t watched; /* events of it that are waited for by epoll, 0: not yet */
    uint64_t due_ms; /* CLOSED: not to be begun before; CONNECTING and SECURING: when this address
                        is given up */
    int error;               /* the newest failure */
    char why[TLS_WHY_SIZE]; /* of EPROTO, if TLS failed; stays until its owner clears it */
    bool closed_by_peer;    /* the newest failure was none: the other end did it */
    bool is_barred; /* of EPROTO: the other end does not take our certificate, or wants one */
    uint8_t *in;
    size_t in_capacity, in_size, in_used; /* in_used: what its reader is done with */
    size_t in_wanted;                     /* bytes of the frame that has begun, 0: not known */
    uint8_t *out;
    size_t out_capacity, out_size, out_sent;
};

/* `tls` and `tls_by` are kept by pointer; `tls` may be NULL. */
void link_init(struct link *l, const struct address *address, struct tls *tls, const char *tls_by);
void link_release(struct link *l);

/* Try the first address of the host, once that is known.  0: state tells how far it is. */
int link_begin(struct link *l);

/* Is it on its way up? */
bool link_is_rising(const struct link *l);

/* It is rising, and what it waits for has come.  0: it is further, or the next address is tried. */
int link_finish(struct link *l);

/* It is connecting, or securing, and due_ms has come.  0: the next address is tried; else there is
 * none. */
int link_on_time(struct link *l);

/* It failed with this error, or the other end closed it (0): a pause begins. */
void link_close(struct link *l, int error);

/* Why it is closed, for a person. */
const char *link_explain(const struct link *l);

/* Does it wait until the socket can be written?  It always does until it can be read. */
bool link_waits_to_write(const struct link *l);

/* Write what is left of `out`.  0: all of it; EAGAIN: the socket takes no more. */
int link_flush(struct link *l);

/* `out` has so many bytes, which are not written yet.  False: out of memory. */
bool link_make_out_room(struct link *l, size_t size);

/* Read once, behind what is in `in` and not used.  EAGAIN: the connection stands; 0: the other end
 * closed it. */
int link_receive(struct link *l);

/* Grow a buffer.  False: out of memory, and it is as it was. */
bool link_reserve(uint8_t **buffer, size_t *capacity, size_t wanted);

#endif

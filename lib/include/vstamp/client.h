/* SPDX-License-Identifier: BSD-2-Clause */
/* The client: many requests in flight to one group, each executed at most once.
 *
 * A client of the protocol has one request outstanding (paper section 4.1); what is called a client
 * here is a crowd of them, one for each request that may be in flight.  Each is a session of the
 * group with numbered requests, found again after a view change, repeated until it is answered.
 * They share one connection to each replica, on which many requests leave with one write.  Calls
 * that are in flight together have no order among themselves; who needs one waits for an answer.
 *
 * There are two halves.  `struct vstamp_client` is pure: bytes and time go in, bytes and answers
 * come out; it makes no system call, so it fits any event loop, and a test or a simulator.
 * `struct vstamp_driver` puts sockets around it, for a program without an event loop, or with one
 * that can wait for a descriptor:
 *
 *     static void on_reply(void *context, const struct vstamp_reply *reply) {...}
 *
 *     struct vstamp_driver *driver;
 *     struct vstamp_diag diag = {0};
 *     if (vstamp_driver_open(&driver, "a:14621,b:14621,c:14621", NULL, &diag) != 0) ...
 *     vstamp_driver_call(driver, VSTAMP_APPLY, operation, size, 5000, on_reply, NULL);
 *     vstamp_driver_finish(driver);
 *     vstamp_driver_close(driver);
 *
 * Who asks one thing after the other needs no callback: vstamp_driver_ask waits for the answer.
 * examples/ask.c and examples/increments.c are whole programs.
 *
 * What an operation's bytes mean is the application's affair (<vstamp/app.h>).  Times are in
 * milliseconds of any clock that only rises.  A client belongs to one thread at a time.  Functions
 * return 0 or a negative VSTAMP_E_...
 *
 * A NULL where none is allowed, a number of a replica that there is not, and for vstamp_client_new
 * a configuration beyond its bounds are mistakes of the program: it is ended with a sentence. */
#ifndef VSTAMP_CLIENT_H
#define VSTAMP_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <vstamp/api.h>
#include <vstamp/error.h>
#include <vstamp/id.h>

#ifdef __cplusplus
extern "C" {
#endif

#define VSTAMP_REPLICAS_MAX  16u
#define VSTAMP_PEERS_MAX     32u /* members of a group, and others that may know it */
#define VSTAMP_IN_FLIGHT_MAX 65536u

struct vstamp_client;
struct vstamp_driver;

enum vstamp_task {
    VSTAMP_REGISTER = 1,    /* open a session ahead of the first VSTAMP_APPLY, which else does it;
                               there is no operation (NULL, 0) */
    VSTAMP_APPLY = 2,       /* execute through the log, at most once (4.1) */
    VSTAMP_READ = 3,        /* from the state, linearizable (6.3) */
    VSTAMP_READ_CAUSAL = 4, /* from any replica, not older than any answer this client has had */
    VSTAMP_READ_STALE = 5,  /* from any replica as it is there */
    VSTAMP_RECONFIGURE = 6  /* move the group (7); the operation is a record `reconfigure`, as
                               vstamp-protocol(7) has it */
};

/* How a call ended. */
struct vstamp_reply {
    /* 0: answered.  VSTAMP_E_NOT_RUN: no answer in time, and the operation did not and will not
     * run.  VSTAMP_E_UNKNOWN_OUTCOME: no answer in time, and it may have run or may still.
     * VSTAMP_E_NOT_AUTHORISED: as VSTAMP_E_NOT_RUN, and the replicas take another certificate.
     * VSTAMP_E_EVICTED: the group forgot the session; may_have_run tells what of the operation.
     * VSTAMP_E_INVALID, VSTAMP_E_TOO_LARGE: refused.  VSTAMP_E_REFUSED: refused after it was
     * logged, since the application cannot execute it or answers with too much; may_have_run tells
     * which.  VSTAMP_E_OTHER_GROUP: the replicas are of another group than the one that answered
     * first. */
    int err;
    bool may_have_run;  /* of an error */
    uint64_t op_number; /* with view and epoch the viewstamp of an answer */
    uint64_t view;
    uint32_t epoch;
    /* The application's answer, or why it was refused: a text without NUL.  Never NULL, and valid
     * until the function that was given it returns. */
    const uint8_t *body;
    size_t size;
};

/* Called once for each call that was begun, from within vstamp_client_input or _time, or the
 * driver's functions that lead there.  It may begin calls, and must not end the client nor wait:
 * the driver's _ask, _wait, _finish and _settle refuse that (VSTAMP_E_INVALID). */
typedef void vstamp_reply_fn(void *context, const struct vstamp_reply *reply);

/* It never gets another field: what there is to say later is said by functions of its own, as
 * vstamp_driver_tls is one. */
struct vstamp_client_config {
    uint32_t n_replicas; /* of the group, in the order of its configuration, or some of them; the
                            driver sets it */
    uint32_t in_flight;  /* calls at a time, each a session of the group: 1 .. VSTAMP_IN_FLIGHT_MAX;
                            the driver takes 0 for 1.  The group remembers max_clients sessions
                            in all, and forgets the one unused for longest for a new one: take no
                            more than are needed. */
    /* The sessions belong to the ids first, first + 1, ...  Ids must not be in use elsewhere: draw
     * `first` at random, and `seed` too.  The driver draws what is zero. */
    struct vstamp_id first;
    uint64_t seed; /* for the jitter of retries */
    /* 1 for ids that are new.  Whoever comes back under ids that were used before takes no new
     * places in the group's table; then this must be more than it ever was with them. */
    uint64_t registration;
    /* The name of the application that operations are meant for: a group that replicates another
     * one refuses them (VSTAMP_E_INVALID), and does not try to make sense of them.  NULL: whatever
     * it replicates.  Need not stay. */
    const char *application;
};

/* --- the pure half --------------------------------------------------------------------------- */

/* Bytes of memory that such a client needs. */
VSTAMP_API size_t vstamp_client_size(const struct vstamp_client_config *config);

/* Make a client in `memory`, which is zeroed, aligned to 64, and as large as vstamp_client_size
 * says.  It stays the caller's: there is nothing to close, the memory may just be given back. */
VSTAMP_API struct vstamp_client *vstamp_client_new(const struct vstamp_client_config *config,
                                                   void *memory);

/* Calls that may be begun now; in_flight less those that wait. */
VSTAMP_API uint32_t vstamp_client_room(const struct vstamp_client *client);

/* Begin a call.  The operation is not copied: it must stay as it is until the call has ended.  On
 * success `reply` is called when it has, at the latest at the first vstamp_client_time not before
 * deadline_ms.  VSTAMP_E_IN_FLIGHT: all sessions are taken.  VSTAMP_E_TOO_LARGE: fits no frame. */
VSTAMP_API int vstamp_client_call(struct vstamp_client *client, enum vstamp_task task,
                                  const void *operation, size_t size, uint64_t now_ms,
                                  uint64_t deadline_ms, vstamp_reply_fn *reply, void *context);

/* Should there be a connection to this replica (0 .. n_replicas - 1, then the others)?  One that
 * is there may stay, wanted or not. */
VSTAMP_API bool vstamp_client_wants(const struct vstamp_client *client, uint32_t replica);

/* Bytes of the next frame for this replica; 0: there is nothing to send. */
VSTAMP_API size_t vstamp_client_output_size(const struct vstamp_client *client, uint32_t replica);

/* Frames for this replica, as many as are due and fit; returns how many bytes.  They count as sent:
 * ask only with a connection that is up, and write all of them, or report vstamp_client_down. */
VSTAMP_API size_t vstamp_client_output(struct vstamp_client *client, uint32_t replica, void *buffer,
                                       size_t capacity);

/* Bytes came from this replica.  *used of them were whole frames and are done with; keep the rest,
 * and give it again with what follows.  *wanted is the size of the frame that the rest begins, 0
 * while it is not known.  On an error the bytes make no sense: close the connection and report
 * vstamp_client_down. */
VSTAMP_API int vstamp_client_input(struct vstamp_client *client, uint32_t replica, const void *data,
                                   size_t size, uint64_t now_ms, size_t *used, size_t *wanted);

/* The connection broke, or could not be made.  What came in part is forgotten. */
VSTAMP_API void vstamp_client_down(struct vstamp_client *client, uint32_t replica,
                                   uint64_t now_ms);

/* Time has passed.  To be called not later than vstamp_client_wake says; UINT64_MAX: never.  With
 * UINT64_MAX for the time all calls end, before the client is given up. */
VSTAMP_API void vstamp_client_time(struct vstamp_client *client, uint64_t now_ms);
VSTAMP_API uint64_t vstamp_client_wake(const struct vstamp_client *client);

/* The newest view that was heard of; 0 before any. */
VSTAMP_API uint64_t vstamp_client_view(const struct vstamp_client *client);

/* A group may move to other members while clients run (section 7), and then one of the old ones
 * says so.  And where the replicas that a client was told of are some of the members only, or in
 * another order, it asks one of them who they are.  Look after each vstamp_client_input: has the
 * number of moves risen, then the replicas are others.  Close all connections, without
 * vstamp_client_down, and go on with the addresses that are told here. */
VSTAMP_API uint32_t vstamp_client_moves(const struct vstamp_client *client);
VSTAMP_API uint32_t vstamp_client_epoch(const struct vstamp_client *client);
VSTAMP_API uint32_t vstamp_client_n_replicas(const struct vstamp_client *client);
/* "HOST:PORT", valid until the next move; NULL before the first, when only its user knows. */
VSTAMP_API const char *vstamp_client_address(const struct vstamp_client *client, uint32_t replica);

/* Besides the members there may be others, numbered behind them, that are asked when the members
 * are silent: where the user believes the group to be.  A move forgets them. */
VSTAMP_API void vstamp_client_others(struct vstamp_client *client, uint32_t n_others);

/* --- the driver ------------------------------------------------------------------------------ */

/* A client with sockets for the replicas "HOST:PORT,HOST:PORT,...", in the order of the group's
 * configuration, or for some of them.  It follows the group to other members, and comes back to
 * these if those are silent.  `config` NULL: one call at a time.  Nothing is connected or resolved
 * yet.  On success the driver is the caller's, to close.  VSTAMP_E_CONFIG: an address makes no
 * sense, or is there twice, or in_flight is too large.  VSTAMP_E_IO: the system has no memory or no
 * descriptor left. */
VSTAMP_API int vstamp_driver_open(struct vstamp_driver **driver, const char *replicas,
                                  const struct vstamp_client_config *config,
                                  struct vstamp_diag *diag);

/* From its first connection on: TLS 1.3, with a certificate at both ends.  Say it before the first
 * call.  The folder holds ca.crt, the authorities that are believed, tls.crt, the certificate that
 * is shown, and tls.key, its key, all as PEM; files that are replaced count for connections that
 * follow.  A replica's certificate must have its host as a name.  VSTAMP_E_CONFIG: with a sentence,
 * and the driver is as it was; VSTAMP_E_IO: out of memory. */
VSTAMP_API int vstamp_driver_tls(struct vstamp_driver *driver, const char *folder,
                                 struct vstamp_diag *diag);

/* End all calls in flight, as if their time were over, and close the connections.  Who is called
 * back can begin no more calls (VSTAMP_E_INVALID).  NULL is accepted. */
VSTAMP_API void vstamp_driver_close(struct vstamp_driver *driver);

/* The client within: for vstamp_client_room and _view. */
VSTAMP_API struct vstamp_client *vstamp_driver_client(struct vstamp_driver *driver);

/* vstamp_client_call with a time-out from now on; UINT64_MAX: none. */
VSTAMP_API int vstamp_driver_call(struct vstamp_driver *driver, enum vstamp_task task,
                                  const void *operation, size_t size, uint64_t timeout_ms,
                                  vstamp_reply_fn *reply, void *context);

/* Ask, and wait for the end, `timeout_ms` as above: *reply says how that was, and its err is
 * returned; with calls in flight that may be VSTAMP_E_IN_FLIGHT, too.  The body stays until the
 * next question to this driver.  Signals do not interrupt it; other calls in flight go on.  If the
 * process has closed the driver's descriptor, all of them end, as if their time were over. */
VSTAMP_API int vstamp_driver_ask(struct vstamp_driver *driver, enum vstamp_task task,
                                 const void *operation, size_t size, uint64_t timeout_ms,
                                 struct vstamp_reply *reply);

/* Settle what has ended with an unknown outcome, here or in a former process under the same ids
 * (`first`, `registration`): when this returns 0 it has run, or never will.  Else
 * VSTAMP_E_NOT_RUN, there was no answer in time, so settle again; VSTAMP_E_IN_FLIGHT with calls in
 * flight; or another error of a VSTAMP_REGISTER.  Waits as vstamp_driver_ask does. */
VSTAMP_API int vstamp_driver_settle(struct vstamp_driver *driver, uint64_t timeout_ms);

/* Wait until something happens, timeout_ms pass (-1: for ever) or a signal comes, and do what there
 * is to do.  VSTAMP_E_IO if it was interrupted, VSTAMP_E_INVALID from within a reply's function,
 * else 0; so vstamp_driver_finish. */
VSTAMP_API int vstamp_driver_wait(struct vstamp_driver *driver, int timeout_ms);

/* Wait until no call is in flight.  VSTAMP_E_IO if a signal interrupted it, else 0. */
VSTAMP_API int vstamp_driver_finish(struct vstamp_driver *driver);

/* For a loop of the caller's own, be it poll(2), epoll or a library's: wait until this descriptor
 * can be read, or so many milliseconds have passed (-1: for ever), and then, or as soon as calls
 * were begun, say vstamp_driver_wait(driver, 0).
 *
 * It is the same one for the life of the driver, which closes it. */
VSTAMP_API int vstamp_driver_fd(struct vstamp_driver *driver);
VSTAMP_API int vstamp_driver_timeout(const struct vstamp_driver *driver);

/* What is the matter with each replica, for a person: "127.0.0.1:14621: Connection refused; ...".
 * Cut to `size` bytes with its NUL. */
VSTAMP_API void vstamp_driver_explain(const struct vstamp_driver *driver, char *text, size_t size);

/* The clock of the driver: CLOCK_MONOTONIC. */
VSTAMP_API uint64_t vstamp_driver_now_ms(void);

#ifdef __cplusplus
}
#endif
#endif

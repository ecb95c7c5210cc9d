/* SPDX-License-Identifier: BSD-2-Clause */
/* The client's half of the protocol (paper sections 4.1 and 4.5): it numbers requests, finds the
 * primary, repeats what is not answered, and knows at any time whether a request may have run.
 *
 * Pure: time comes in as an argument, frames go in and out as bytes, sockets belong to the host
 * (client/conn.c; the simulator's clients).  One task at a time:
 *
 *   session_start(s, task, ...)
 *   until session_ended(s):
 *       for each connection that has room: session_send -> write it
 *       session_on_frame, session_on_down, session_on_time (not later than session_wake)
 *   s->result
 *
 * The group may move to other members (section 7), and then says so.  A session has numbers for
 * replicas, no addresses: the host has those.  At first they are of whom its user named, who may be
 * some of the members only, or in another order; once that shows, it asks who they are.  Behind the
 * members it may have others, addresses that its user named; they are asked when the members are
 * silent.
 *
 * To write, a client registers first (SESSION_REGISTER), which gives it a session; then each
 * request (SESSION_APPLY) has the number after the last one.  A host that survives crashes saves
 * s->identity and the request before it starts a task, and again when the task has ended. */
#ifndef VR_SESSION_H
#define VR_SESSION_H

#include <vstamp/error.h>

#include "base/limits.h"
#include "base/prng.h"
#include "wire/frame.h"

#define SESSION_PATIENCE_MS  100u /* silence after which all replicas are asked, at least */
#define SESSION_HEAVY_BYTES  (16u << 10) /* a larger request is carried only where it is due */
#define SESSION_ROUND_MS_MAX 1600u /* longest pause between two rounds of asking, plus jitter */
#define SESSION_AGAIN_MS     5u   /* shortest pause before a replica that said no is asked again */
#define SESSION_AGAIN_MS_MAX 800u /* longest, plus jitter */
#define SESSION_FULL_MS      100u  /* the same for one that had no room for another client, */
#define SESSION_FULL_MS_MAX  3200u /* which a connection is needed for */

/* The numbers of registrations begin here, so that a late answer to one is not taken for that to a
 * request. */
#define SESSION_REGISTRATIONS (UINT64_C(1) << 63)

/* What session_on_frame returns, beside 0 and VSTAMP_E_*, when the frame was a NEW-EPOCH and the
 * session follows it.  The numbers of replicas are those of the members in that frame now, be it of
 * a later epoch or of its own: the host closes all its connections, without session_on_down, and
 * goes on with those addresses. */
#define SESSION_MOVED 1

enum session_task {
    SESSION_REGISTER = WIRE_KIND_REGISTER,
    SESSION_APPLY = WIRE_KIND_APPLY,
    SESSION_READ = WIRE_KIND_READ,
    SESSION_READ_CAUSAL = WIRE_KIND_READ_CAUSAL,
    SESSION_READ_STALE = WIRE_KIND_READ_STALE,
    SESSION_RECONFIGURE = WIRE_KIND_RECONFIGURE /* numbered as SESSION_APPLY is */
};

/* Through the log, exactly once: does the task need a session and a number in it? */
static inline bool session_is_numbered(enum session_task task)
{
    return task == SESSION_APPLY || task == SESSION_RECONFIGURE;
}

/* All that outlives a process. */
struct session_identity {
    struct vstamp_id client;
    struct vstamp_id group; /* zero until learned */
    uint64_t registration;  /* number of the newest registration, sent or about to be; 1 at first */
    uint64_t session;       /* what it gave; 0: register before the next request */
    uint64_t number;        /* newest request that was settled */
    uint64_t seen;          /* newest op-number seen in any answer: the token of causal reads */
    uint32_t epoch;         /* newest one heard of: who the members are */
    uint64_t view;          /* newest view heard of in it: a hint where the primary is */
};

struct session_result {
    int err;           /* 0: answered; else VSTAMP_E_*, as the exit status has it */
    bool may_have_run; /* of an error: the request may have run, or may yet */
    uint64_t op;       /* of an answer: its viewstamp */
    uint64_t view;
    uint32_t epoch;
    struct bytes body; /* the answer, or a refusal's sentence; points into the last frame given */
    struct wire_registration registration; /* of SESSION_REGISTER; points there too */
};

/* What the session knows of one replica during a task. */
struct session_peer {
    bool due;        /* the request is to go there */
    bool due_members; /* the question who the members are, behind that */
    bool asked;      /* it went there in this round */
    uint32_t copies; /* of the request, handed to this connection and not answered */
    uint64_t view;   /* the believed one when the newest of them was */
    uint8_t said;    /* reason of its newest reject, 0 for none */
    uint32_t times_full;    /* that it had no room, */
    uint64_t full_until_ms; /* and it is not asked before */
};

struct session {
    struct session_identity identity;
    uint8_t n_replicas; /* members of the epoch */
    uint8_t n_others;   /* numbered behind them */
    bool told;          /* the group has told the members; else they are whom the user named */
    uint64_t application; /* that requests are meant for: wire_application of its name, 0: any */
    uint64_t usual_ms;    /* how long answers of who was asked first take lately */
    struct prng prng;
    bool confirmed; /* a replica of identity.group answered since session_init */
    bool in_doubt; /* they may be another group's: ask for that before anything is sent */
    uint32_t heavy_bytes; /* a larger request is large (C9): SESSION_HEAVY_BYTES */
    uint32_t witnesses; /* bitset, as far as known: they execute nothing and are not asked */

    bool running;
    bool wide;      /* everybody is asked, not only the believed primary */
    bool is_barred; /* a replica does not let us in, and none has spoken with us since */
    /* A copy was on a connection that broke, was sent by a former process, or was taken up by who
     * leads no more. */
    bool lost_copy;
    enum session_task task;
    struct wire_request request;
    uint32_t request_checksum; /* client_table_request, which answers name */
    size_t frame_size; /* bytes that a frame of this task takes at most */
    uint64_t probe; /* request-number of the frames that only ask for the group's id */
    uint64_t started_ms; /* when */
    uint8_t first;       /* this one was asked */
    uint32_t round;
    uint64_t round_ends_ms;
    uint32_t refusals; /* times that all who said no were asked again */
    uint64_t again_ms; /* when they are next; UINT64_MAX: nobody said no since */
    uint64_t deadline_ms;
    struct session_peer peers[SLOTS_MAX];
    struct session_result result;
};

/* `identity` as it was saved, with as many replicas as its epoch has members; or a new one: a
 * random client, registration 1, the rest zero. */
void session_init(struct session *s, const struct session_identity *identity, uint8_t n_replicas,
                  uint64_t seed);

/* What a configuration says of witnesses; else each frame of the group does. */
void session_know_witnesses(struct session *s, uint32_t witnesses);

/* How many others there are. */
void session_know_others(struct session *s, uint8_t n_others);

/* C8, C10: would these members be news? */
bool session_is_news(const struct session *s, const struct wire_membership *to);

/* What a NEW-EPOCH says that came for another session of this host.  False: it is no news. */
bool session_move(struct session *s, const struct wire_membership *to, uint64_t now_ms);

/* The believed primary. */
uint8_t session_primary(const struct session *s);

/* Begin a task.  `body` must live until its end.  `sent_before`: a former process may have sent
 * this very request.  SESSION_APPLY and SESSION_RECONFIGURE need identity.session.  A body that
 * fits no frame ends it at once. */
void session_start(struct session *s, enum session_task task, struct bytes body, bool sent_before,
                   uint64_t now_ms, uint64_t deadline_ms);

/* Give a running task up.  session_may_run tells of it until the next one starts. */
void session_stop(struct session *s);

static inline bool session_ended(const struct session *s)
{
    return !s->running;
}

/* Is there a frame for this replica? */
static inline bool session_is_due(const struct session *s, uint8_t replica)
{
    return s->running && (s->peers[replica].due || s->peers[replica].due_members);
}

/* Should the host connect to this replica? */
bool session_wants(const struct session *s, uint8_t replica);

/* The frame that is due for this replica, or 0.  From here on it counts as sent: call it only for a
 * connection that is up, and hand over all of the frame or report session_on_down. */
size_t session_send(struct session *s, uint8_t replica, void *buffer, size_t capacity);

/* A whole frame came.  0, SESSION_MOVED, or VSTAMP_E_*: it makes no sense, close the connection. */
int session_on_frame(struct session *s, uint8_t replica, struct bytes frame, uint64_t now_ms);

/* The same once it is decoded; a reply, a reject or a NEW-EPOCH. */
int session_on_message(struct session *s, uint8_t replica, const struct wire_message *m,
                       uint64_t now_ms);

/* A replica does not let us in; which one matters to nobody. */
void session_bar(struct session *s);

/* The connection broke, or could not be made. */
void session_on_down(struct session *s, uint8_t replica);

/* It is later; and: when it is to be told the time next at the latest, UINT64_MAX: never. */
void session_on_time(struct session *s, uint64_t now_ms);
uint64_t session_wake(const struct session *s);

/* What another session of this host, over the same connections, knows of group, view, witnesses
 * and op-number. */
void session_learn(struct session *s, const struct session_identity *known, uint32_t witnesses);

/* This replica answers others of this host: ask it too, unless it was asked and is silent, or is
 * busy. */
void session_hint(struct session *s, uint8_t replica);

/* Might a copy of the request have been executed, or be yet, as far as is known now? */
bool session_may_run(const struct session *s);

/* Before the next SESSION_REGISTER: a new registration, after which no older request can run. */
void session_renew(struct session *s);

/* What a registration says about the request `number` with that body, sent in session `session`,
 * which it has replaced.  SESSION_DID_NOT_RUN is for ever. */
enum session_verdict { SESSION_RAN, SESSION_DID_NOT_RUN, SESSION_CANNOT_TELL };
enum session_verdict session_settle(const struct wire_registration *registration, uint64_t session,
                                    uint64_t number, struct bytes body);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* The client's proxy (paper sections 2 and 4.1) for many clients at once: sessions (vr/session.h)
 * that share the connections of one process.
 *
 *   a call         takes a free session, the one used last first; that registers if it has to
 *   output         frames of all sessions for which one is due at that replica, in turn
 *   input          each answer goes to the session of the client id it names
 *   the end        of the call: the session is free again, then the callback
 *
 * What holds between any two calls:
 *   Y1  due[r] has exactly the sessions that run and have a frame due at replica r, n_due counts
 *       them, and n_wide counts those that ask everybody;
 *   Y2  wake_ms is not later than session_wake of any session that runs;
 *   Y3  what one session learned of the group, view and newest op-number, the others know when
 *       their next task begins: a causal read is not older than any answer of this process;
 *   Y4  a session whose request may have run registers anew before its next one, which fences the
 *       former (session.c, C3);
 *   Y5  all sessions live in one epoch: a NEW-EPOCH, whosever it is, moves them together, and a
 *       question who the members are is asked for all of them. */
#include "proxy/proxy.h"

#include <string.h>

#include "base/arena.h"
#include "base/assert.h"
#include "base/bitset.h"

_Static_assert(VSTAMP_REPLICAS_MAX == REPLICAS_MAX, "one bound");
_Static_assert((int)VSTAMP_REGISTER == SESSION_REGISTER && (int)VSTAMP_APPLY == SESSION_APPLY &&
                   (int)VSTAMP_READ == SESSION_READ &&
                   (int)VSTAMP_READ_CAUSAL == SESSION_READ_CAUSAL &&
                   (int)VSTAMP_READ_STALE == SESSION_READ_STALE &&
                   (int)VSTAMP_RECONFIGURE == SESSION_RECONFIGURE,
               "one list of tasks");

#define WORDS_SIZE 160u

struct call {
    vstamp_reply_fn *reply; /* NULL: there is no call */
    void *context;
    struct bytes operation;
    uint64_t deadline_ms;
    enum session_task task; /* what was asked for; the session may be registering before it */
    bool wide;              /* it is counted in n_wide */
};

struct vstamp_client {
    uint8_t n_replicas, n_others;
    uint32_t moves;
    uint32_t n; /* sessions */
    struct vstamp_id first;
    struct session *sessions;
    struct call *calls;
    uint32_t *free; /* a stack */
    uint32_t n_free;
    uint64_t *due[SLOTS_MAX];
    uint32_t n_due[SLOTS_MAX];
    uint32_t next[SLOTS_MAX]; /* where to look for a due session first */
    uint32_t n_wide;
    uint64_t wake_ms;
    struct session_identity known; /* group, epoch, view and seen: the newest of any session */
    uint32_t witnesses;            /* a set, as the newest answer had it */
    bool troubled;                 /* somebody was refused or cut off since the last answer */
    uint8_t said[SLOTS_MAX];
    char words[SLOTS_MAX][WORDS_SIZE]; /* of its newest reject, for a person */
    char addresses[REPLICAS_MAX][ADDRESS_BYTES_MAX + 1]; /* of the members; "": not known here */
};

static struct vstamp_client *lay_out(struct arena *arena, const struct vstamp_client_config *config)
{
    uint32_t n = config->in_flight;
    struct vstamp_client *c = arena_take(arena, 1, sizeof *c);
    struct session *sessions = arena_take(arena, n, sizeof *sessions);
    struct call *calls = arena_take(arena, n, sizeof *calls);
    uint32_t *free = arena_take(arena, n, sizeof *free);
    uint64_t *due = arena_take(arena, SLOTS_MAX * bitset_words(n), sizeof *due);
    if (c == NULL) return NULL; /* the arena only counts */
    *c = (struct vstamp_client){.n_replicas = (uint8_t)config->n_replicas,
                                .n = n,
                                .first = config->first,
                                .sessions = sessions,
                                .calls = calls,
                                .free = free,
                                .wake_ms = UINT64_MAX};
    for (uint8_t r = 0; r < SLOTS_MAX; r++) c->due[r] = due + r * bitset_words(n);
    return c;
}

size_t vstamp_client_size(const struct vstamp_client_config *config)
{
    struct arena arena;
    arena_init(&arena, NULL, 0);
    lay_out(&arena, config);
    return arena.used;
}

struct vstamp_client *vstamp_client_new(const struct vstamp_client_config *config, void *memory)
{
    assert(config->n_replicas > 0 && config->n_replicas <= REPLICAS_MAX);
    assert(config->in_flight > 0 && config->in_flight <= VSTAMP_IN_FLIGHT_MAX);
    struct arena arena;
    arena_init(&arena, memory, vstamp_client_size(config));
    struct vstamp_client *c = lay_out(&arena, config);
    for (uint32_t i = 0; i < c->n; i++) {
        struct session_identity identity = {
            .client = {config->first.hi, config->first.lo + i},
            .registration = config->registration,
        };
        if (vstamp_id_is_zero(identity.client)) identity.client.hi = 1;
        session_init(&c->sessions[i], &identity, c->n_replicas, config->seed + i);
        if (config->application != NULL)
            c->sessions[i].application = wire_application(config->application);
        c->free[i] = c->n - 1 - i;
    }
    c->n_free = c->n;
    return c;
}

static uint8_t n_peers(const struct vstamp_client *c)
{
    return (uint8_t)(c->n_replicas + c->n_others);
}

uint32_t vstamp_client_room(const struct vstamp_client *c)
{
    return c->n_free;
}

uint64_t vstamp_client_view(const struct vstamp_client *c)
{
    return c->known.view;
}

uint32_t vstamp_client_epoch(const struct vstamp_client *c)
{
    return c->known.epoch;
}

uint32_t vstamp_client_moves(const struct vstamp_client *c)
{
    return c->moves;
}

uint32_t vstamp_client_n_replicas(const struct vstamp_client *c)
{
    return c->n_replicas;
}

const char *vstamp_client_address(const struct vstamp_client *c, uint32_t replica)
{
    assert(replica < c->n_replicas);
    return c->addresses[replica][0] != '\0' ? c->addresses[replica] : NULL;
}

void vstamp_client_others(struct vstamp_client *c, uint32_t n_others)
{
    assert(n_others <= REPLICAS_MAX);
    c->n_others = (uint8_t)n_others;
    for (uint32_t i = 0; i < c->n; i++) session_know_others(&c->sessions[i], c->n_others);
}

bool proxy_is_idle(const struct vstamp_client *c)
{
    return c->n_free == c->n;
}

uint8_t proxy_said(const struct vstamp_client *c, uint32_t replica)
{
    assert(replica < n_peers(c));
    return c->said[replica];
}

const char *proxy_words(const struct vstamp_client *c, uint32_t replica)
{
    assert(replica < n_peers(c));
    return c->words[replica];
}

/* Session i may have changed (Y1, Y2). */
static void note(struct vstamp_client *c, uint32_t i)
{
    const struct session *s = &c->sessions[i];
    for (uint8_t r = 0; r < n_peers(c); r++) {
        bool due = session_is_due(s, r);
        if (due == bitset_has(c->due[r], i)) continue;
        if (due) {
            bitset_add(c->due[r], i);
            c->n_due[r]++;
        } else {
            bitset_remove(c->due[r], i);
            c->n_due[r]--;
        }
    }
    bool wide = s->running && s->wide;
    if (wide && !c->calls[i].wide) c->n_wide++;
    if (!wide && c->calls[i].wide) c->n_wide--;
    c->calls[i].wide = wide;
    if (s->running && session_wake(s) < c->wake_ms) c->wake_ms = session_wake(s);
}

static void start(struct vstamp_client *c, uint32_t i, enum session_task task, uint64_t now_ms)
{
    struct session *s = &c->sessions[i];
    const struct call *call = &c->calls[i];
    session_learn(s, &c->known, c->witnesses); /* Y3 */
    session_start(s, task, task == SESSION_REGISTER ? (struct bytes){0} : call->operation, false,
                  now_ms, call->deadline_ms);
    note(c, i);
}

int vstamp_client_call(struct vstamp_client *c, enum vstamp_task task, const void *operation,
                       size_t size, uint64_t now_ms, uint64_t deadline_ms, vstamp_reply_fn *reply,
                       void *context)
{
    assert(reply != NULL);
    if (c->n_free == 0) return VSTAMP_E_IN_FLIGHT;
    if (size > FRAME_BYTES_MAX - REQUEST_OVERHEAD - WIRE_HEADER_SIZE) return VSTAMP_E_TOO_LARGE;
    if (proxy_is_idle(c))
        for (uint8_t r = 0; r < n_peers(c); r++) c->said[r] = 0;
    uint32_t i = c->free[--c->n_free];
    struct call *call = &c->calls[i];
    assert(!call->wide);
    *call = (struct call){.reply = reply,
                          .context = context,
                          .operation = {operation, size},
                          .deadline_ms = deadline_ms,
                          .task = (enum session_task)task};
    bool registers = session_is_numbered(call->task) && c->sessions[i].identity.session == 0;
    start(c, i, registers ? SESSION_REGISTER : call->task, now_ms);
    assert(!session_ended(&c->sessions[i]));
    return 0;
}

void proxy_adopt(struct vstamp_client *c, struct session *session)
{
    assert(c->n == 1 && c->calls[0].reply == NULL);
    assert(session->n_replicas == c->n_replicas);
    for (uint8_t r = 0; r < n_peers(c); r++) c->said[r] = 0;
    session_know_others(session, c->n_others);
    c->sessions = session;
    c->known = session->identity;
    c->first = session->identity.client;
    c->witnesses = session->witnesses;
    note(c, 0);
}

void proxy_learn(struct vstamp_client *c, const struct session *session)
{
    const struct session_identity *id = &session->identity;
    assert(proxy_is_idle(c) && vstamp_id_is_zero(c->known.group));
    c->known.group = id->group;
    c->known.seen = id->seen;
    for (uint32_t i = 0; i < c->n; i++) c->sessions[i].application = session->application;
    if (id->epoch != c->known.epoch) return; /* the members will tell */
    c->known.view = id->view;
    c->witnesses = session->witnesses;
}

/* Session i has ended its task, or its call. */
static void end(struct vstamp_client *c, uint32_t i, uint64_t now_ms)
{
    struct call *call = &c->calls[i];
    struct session *s = &c->sessions[i];
    const struct session_result *r = &s->result;
    if (call->reply == NULL) return; /* it is its owner's */
    if (s->task == SESSION_REGISTER && session_is_numbered(call->task) && r->err == 0) {
        start(c, i, call->task, now_ms);
        return;
    }
    if (r->may_have_run && s->identity.session != 0) session_renew(s); /* Y4 */
    bool tells = r->err != 0 || s->task != SESSION_REGISTER; /* what that says is ours */
    const struct vstamp_reply reply = {
        .err = r->err,
        .may_have_run = r->may_have_run,
        .op_number = r->op,
        .view = r->view,
        .epoch = r->epoch,
        .body = tells && r->body.size > 0 ? r->body.data : (const uint8_t *)"",
        .size = tells ? r->body.size : 0,
    };
    vstamp_reply_fn *tell = call->reply;
    call->reply = NULL;
    c->free[c->n_free++] = i;
    tell(call->context, &reply);
}

/* After a view change one session finds the new primary first; the others need not wait for their
 * next round to find it, too. */
static void tell_others(struct vstamp_client *c, uint32_t replica)
{
    for (uint32_t i = 0; i < c->n; i++) {
        if (session_ended(&c->sessions[i])) continue;
        session_learn(&c->sessions[i], &c->known, c->witnesses);
        session_hint(&c->sessions[i], (uint8_t)replica);
        note(c, i);
    }
}

static void take_in(struct vstamp_client *c, uint32_t i, uint32_t replica, uint64_t now_ms)
{
    const struct session *s = &c->sessions[i];
    note(c, i);
    const struct session_identity *id = &s->identity;
    if (s->confirmed) {
        c->known.group = id->group;
        c->witnesses = s->witnesses;
    }
    if (id->view > c->known.view) c->known.view = id->view;
    if (id->seen > c->known.seen) c->known.seen = id->seen;
    bool answered = session_ended(s) && s->result.err == 0;
    uint8_t said = s->peers[replica].said;
    if (!answered && said != 0) {
        c->said[replica] = said;
        if (said != WIRE_REJECT_BUSY) c->troubled = true;
    }
    if (answered && c->troubled && c->n > 1) {
        c->troubled = false;
        tell_others(c, replica);
    }
    if (session_ended(s)) end(c, i, now_ms);
}

bool vstamp_client_wants(const struct vstamp_client *c, uint32_t replica)
{
    assert(replica < n_peers(c));
    bool member = replica < c->n_replicas && ((c->witnesses >> replica) & 1) == 0;
    bool awaited = member && c->said[replica] != WIRE_REJECT_TOO_MANY;
    return (c->n_wide > 0 && awaited) || c->n_due[replica] > 0;
}

static uint32_t next_due(const struct vstamp_client *c, uint32_t replica)
{
    const uint64_t *due = c->due[replica];
    size_t words = bitset_words(c->n);
    size_t word = c->next[replica] / 64 % words;
    uint64_t left = due[word] & (UINT64_MAX << c->next[replica] % 64);
    while (left == 0) {
        word = (word + 1) % words;
        left = due[word];
    }
    return (uint32_t)(word * 64) + (uint32_t)__builtin_ctzll(left);
}

size_t vstamp_client_output_size(const struct vstamp_client *c, uint32_t replica)
{
    assert(replica < n_peers(c));
    if (c->n_due[replica] == 0) return 0;
    return c->sessions[next_due(c, replica)].frame_size;
}

size_t vstamp_client_output(struct vstamp_client *c, uint32_t replica, void *buffer,
                            size_t capacity)
{
    assert(replica < n_peers(c));
    size_t size = 0;
    while (c->n_due[replica] > 0) {
        uint32_t i = next_due(c, replica);
        struct session *s = &c->sessions[i];
        if (s->frame_size > capacity - size) break;
        size += session_send(s, (uint8_t)replica, (uint8_t *)buffer + size, capacity - size);
        c->next[replica] = (i + 1) % c->n;
        note(c, i);
    }
    return size;
}

static void keep_address(struct vstamp_client *c, uint32_t replica, struct bytes text)
{
    size_t size = text.size <= ADDRESS_BYTES_MAX ? text.size : 0; /* it cannot be one */
    memcpy(c->addresses[replica], text.data, size);
    c->addresses[replica][size] = '\0';
}

void proxy_name(struct vstamp_client *c, uint32_t replica, const char *address)
{
    assert(replica < c->n_replicas);
    keep_address(c, replica, bytes_of(address));
}

/* True: those that were known had the same addresses. */
static bool keep_addresses(struct vstamp_client *c, const struct wire_list *members)
{
    struct reader at = wire_list_start(members);
    bool same = members->count == c->n_replicas;
    for (uint32_t i = 0; i < members->count; i++) {
        struct wire_member member;
        wire_list_next(&wire_shape_member, &at, &member);
        same = same && bytes_equal(member.address, bytes_of(c->addresses[i]));
        keep_address(c, i, member.address);
    }
    return same;
}

/* The members are those that were named. */
static void trust_members(struct vstamp_client *c)
{
    for (uint32_t i = 0; i < c->n; i++) c->sessions[i].told = true;
}

/* The numbers of replicas are others from now on (Y5). */
static int follow(struct vstamp_client *c, const struct wire_message *m, uint64_t now_ms)
{
    const struct wire_membership *to = &m->as.new_epoch.membership;
    const struct vstamp_id theirs = m->header.group, ours = c->known.group;
    if (vstamp_id_is_zero(theirs) || !session_is_news(&c->sessions[0], to)) return 0;
    if (!vstamp_id_is_zero(ours) && !vstamp_id_equal(theirs, ours)) return 0;
    if (to->members.count == 0 || to->members.count > REPLICAS_MAX) return VSTAMP_E_MALFORMED;
    bool same_names = keep_addresses(c, &to->members);
    c->known.group = theirs;
    if (to->epoch == c->known.epoch && same_names) {
        trust_members(c);
        return 0;
    }
    if (to->epoch > c->known.epoch) c->known.view = to->first_view;
    c->known.epoch = to->epoch;
    c->n_replicas = (uint8_t)to->members.count;
    c->n_others = 0;
    c->moves++;
    for (uint8_t r = 0; r < SLOTS_MAX; r++) {
        memset(c->due[r], 0, bitset_words(c->n) * sizeof *c->due[r]);
        c->n_due[r] = c->next[r] = c->said[r] = 0;
    }
    for (uint32_t i = 0; i < c->n; i++) {
        session_move(&c->sessions[i], to, now_ms);
        c->witnesses = c->sessions[i].witnesses;
        note(c, i);
    }
    return 0;
}

/* They come from outside. */
static void keep_words(struct vstamp_client *c, uint32_t replica, struct bytes text)
{
    size_t n = text.size < WORDS_SIZE ? text.size : WORDS_SIZE - 1;
    for (size_t i = 0; i < n; i++)
        c->words[replica][i] =
            text.data[i] >= ' ' && text.data[i] <= '~' ? (char)text.data[i] : '?';
    c->words[replica][n] = '\0';
}

static int take_frame(struct vstamp_client *c, uint32_t replica, struct bytes frame,
                      uint64_t now_ms)
{
    struct wire_message m;
    int rv = wire_frame_decode(frame, &m);
    if (rv != 0) return rv;
    if (m.header.command == WIRE_new_epoch) return follow(c, &m, now_ms);
    struct vstamp_id client;
    if (m.header.command == WIRE_reply)
        client = m.as.reply.client;
    else if (m.header.command == WIRE_reject)
        client = m.as.reject.client;
    else
        return VSTAMP_E_MALFORMED;
    uint64_t i = client.lo - c->first.lo;
    if (client.hi != c->first.hi || i >= c->n) return 0; /* to a former identity */
    if (session_ended(&c->sessions[i])) return 0;
    if (m.header.command == WIRE_reject) keep_words(c, replica, m.as.reject.text);
    rv = session_on_message(&c->sessions[i], (uint8_t)replica, &m, now_ms);
    take_in(c, (uint32_t)i, replica, now_ms);
    return rv;
}

int vstamp_client_input(struct vstamp_client *c, uint32_t replica, const void *data, size_t size,
                        uint64_t now_ms, size_t *used, size_t *wanted)
{
    assert(replica < n_peers(c));
    uint32_t moves = c->moves;
    *used = *wanted = 0;
    while (c->moves == moves) {
        struct bytes left = {(const uint8_t *)data + *used, size - *used};
        size_t frame_size = 0;
        int rv = wire_frame_size(left, FRAME_BYTES_MAX, &frame_size);
        if (rv == VSTAMP_E_TRUNCATED) return 0;
        if (rv != 0) return rv;
        if (frame_size > left.size) {
            *wanted = frame_size;
            return 0;
        }
        *used += frame_size;
        rv = take_frame(c, replica, (struct bytes){left.data, frame_size}, now_ms);
        if (rv != 0) return rv;
    }
    *used = size; /* what else it says is nothing to who moves */
    return 0;
}

void proxy_bar(struct vstamp_client *c)
{
    for (uint32_t i = 0; i < c->n; i++) session_bar(&c->sessions[i]);
}

bool proxy_is_barred(const struct vstamp_client *c)
{
    bool barred = true;
    for (uint32_t i = 0; i < c->n && barred; i++) barred = c->sessions[i].is_barred;
    return barred;
}

void vstamp_client_down(struct vstamp_client *c, uint32_t replica, uint64_t now_ms)
{
    assert(replica < n_peers(c));
    c->troubled = true;
    for (uint32_t i = 0; i < c->n; i++) {
        if (session_ended(&c->sessions[i])) continue;
        session_on_down(&c->sessions[i], (uint8_t)replica);
        take_in(c, i, replica, now_ms);
    }
}

/* The sweep is over all sessions, but not often: wake_ms rises by the patience of a session. */
void vstamp_client_time(struct vstamp_client *c, uint64_t now_ms)
{
    if (now_ms < c->wake_ms) return;
    c->wake_ms = UINT64_MAX;
    for (uint32_t i = 0; i < c->n; i++) {
        if (session_ended(&c->sessions[i])) continue;
        session_on_time(&c->sessions[i], now_ms);
        note(c, i);
        if (session_ended(&c->sessions[i])) end(c, i, now_ms);
    }
}

uint64_t vstamp_client_wake(const struct vstamp_client *c)
{
    return c->wake_ms;
}

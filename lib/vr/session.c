/* SPDX-License-Identifier: BSD-2-Clause */
/* The client's half of the protocol (paper sections 4.1 and 4.5).
 *
 *   client --REQUEST--> believed primary     --REPLY-->       ended
 *                                            --REJECT-->      somebody else, a pause, or ended
 *                                            (silence)        all replicas, again and again
 *
 * Asking goes by rounds.  The first asks the believed primary alone; if that one is down, says that
 * it cannot serve, or is silent for SESSION_PATIENCE_MS and twice as long as its answers take
 * lately, all are asked.  In a round each replica is asked once, and once more if it turns out to
 * be the primary of a newer view.
 *
 * A replica that says no is there, and may be about to begin a view: within a round those who said
 * no are asked again, soon at first (SESSION_AGAIN_MS), and those who are silent are not.  A backup
 * that follows a primary which has the request says nothing new.
 *
 * One that has too many clients says so, and ends the connection (replica/clients.h).  The host is
 * to connect again only to send something, after pauses that are longer, whatever else is asked
 * meanwhile; and no question is sent there, which would be refused as well.
 *
 * Pauses double: who has waited long comes back late by no more than a part of that, and thousands
 * of clients that wait for each other do not keep the group from answering by asking it.
 *
 * What holds:
 *   C1  a retry repeats client, session, number and body, so that however many copies arrive, the
 *       client table lets one of them run;
 *   C2  a copy is counted from session_send on until its reject comes back.  The end "did not run"
 *       needs every copy rejected: silence proves nothing.  This rests on connections: what one
 *       carries arrives there once or never.  A host whose network repeats frames (the simulator)
 *       must take "did not run" of SESSION_APPLY as "may have run";
 *   C3  a registration that was answered replaces the session: requests of the former one can no
 *       longer run, so the number it names settles them (instead of the paper's "+2", PIT-6.1);
 *   C4  a session that was evicted is never opened anew behind the user's back (PIT-6.3): what it
 *       had sent may have run, and nobody remembers;
 *   C5  an answer counts only if it names session, number and body (by checksum) of the request.
 *       The number alone does not tell: a request that was refused leaves it to the next one, while
 *       other copies are still to be refused; and one that did not run before a registration leaves
 *       it to the first request after that.  Registrations have no session, and numbers in a range
 *       of their own;
 *   C6  views are learned from frames of our group only, and only rise.  A former primary tells all
 *       who wait of the new view by a reject that names no request.  The set of witnesses, without
 *       which nobody can tell a view's primary (PIT-7.3), is learned from the same frames.  A
 *       witness is asked only when a whole round of the others led nowhere: it may know of a later
 *       epoch, in which it leads;
 *   C7  a number does not name a request, as two processes may have one identity (a copied session
 *       file): what ran under it is compared by session and body, too (PIT-6.5);
 *   C8  epochs only rise, and only by frames of our group (PIT-8.9); views count within an epoch.
 *       A move leaves session and number as they are: the client table moves along, so what had
 *       been sent to the former members runs once, whoever executes it;
 *   C9  after the first round a large request goes to the believed primary alone, and once in a
 *       view: it has arrived as long as the connection that took it stands (C2).  All others, and a
 *       primary that has it, are sent something small, whose answer tells of a later view.  Else
 *       large requests that take long would be repeated, and take everybody longer;
 *   C10 until the group tells who its members are, they are whom the user named.  A replica is
 *       asked for them if it says no in a way that the user's numbers cannot explain, or if it says
 *       anything after two rounds that led nowhere.  The answer moves a session at most once in an
 *       epoch, so it does not go to and fro between two answers.  A replica that calls itself by
 *       another number than the user's list does numbers the witnesses in its own way, too, so what
 *       it says of them is not believed. */
#include "vr/session.h"

#include <string.h>

#include "base/assert.h"
#include "vr/client_table.h"
#include "vr/witness.h"

void session_init(struct session *s, const struct session_identity *identity, uint8_t n_replicas,
                  uint64_t seed)
{
    assert(n_replicas > 0 && n_replicas <= REPLICAS_MAX);
    assert(identity->registration > 0);
    assert(!vstamp_id_is_zero(identity->client));
    memset(s, 0, sizeof *s);
    s->identity = *identity;
    s->n_replicas = n_replicas;
    s->heavy_bytes = SESSION_HEAVY_BYTES;
    prng_seed(&s->prng, seed);
}

uint8_t session_primary(const struct session *s)
{
    return vr_primary_among(s->n_replicas, s->witnesses, s->identity.view);
}

void session_know_others(struct session *s, uint8_t n_others)
{
    assert(s->n_replicas + n_others <= (int)SLOTS_MAX);
    s->n_others = n_others;
}

static uint8_t n_peers(const struct session *s)
{
    return (uint8_t)(s->n_replicas + s->n_others);
}

static bool is_witness(const struct session *s, uint8_t replica)
{
    return replica < s->n_replicas && vr_among_witnesses(s->witnesses, replica);
}

static bool is_passed_over(const struct session *s, uint8_t replica)
{
    return is_witness(s, replica) && s->round < 2;
}

void session_know_witnesses(struct session *s, uint32_t witnesses)
{
    uint32_t all = (UINT32_C(1) << s->n_replicas) - 1;
    if ((witnesses & all) != all) s->witnesses = witnesses & all; /* we may know some only */
}

static void end(struct session *s, int err, bool may_have_run)
{
    assert(s->running);
    s->running = false;
    s->result.err = err;
    s->result.may_have_run = may_have_run;
}

/* A change of the members: what a primary has proposed goes on, asked for again or not
 * (reconfiguration.c). */
static bool has_taken_up(const struct session *s, const struct session_peer *peer)
{
    return s->task == SESSION_RECONFIGURE && peer->said == WIRE_REJECT_BUSY;
}

bool session_may_run(const struct session *s)
{
    /* A registration changes nothing that a user sees. */
    if (!session_is_numbered(s->task)) return false;
    if (s->lost_copy) return true;
    for (uint8_t i = 0; i < n_peers(s); i++) {
        if (s->peers[i].copies > 0) return true;
        if (has_taken_up(s, &s->peers[i])) return true;
    }
    return false;
}

static void end_for_time(struct session *s)
{
    bool may_have_run = session_may_run(s);
    s->result.body = (struct bytes){0}; /* of a refusal that was not the last word, long gone */
    int err = s->is_barred ? VSTAMP_E_NOT_AUTHORISED : VSTAMP_E_NOT_RUN;
    end(s, may_have_run ? VSTAMP_E_UNKNOWN_OUTCOME : err, may_have_run);
}

/* All members that were not asked in this round. */
static void widen(struct session *s)
{
    if (s->wide) return;
    s->wide = true;
    for (uint8_t i = 0; i < s->n_replicas; i++)
        if (!s->peers[i].asked && !is_witness(s, i)) s->peers[i].due = true;
}

static uint64_t doubled(uint64_t pause, uint32_t times, uint64_t most)
{
    for (uint32_t i = 0; i < times && pause < most; i++) pause *= 2;
    return pause < most ? pause : most;
}

/* So that clients spread. */
static uint64_t with_jitter(struct session *s, uint64_t pause)
{
    return pause + prng_below(&s->prng, pause / 2);
}

static uint64_t round_ms(struct session *s)
{
    uint64_t pause = 2 * s->usual_ms > SESSION_PATIENCE_MS ? 2 * s->usual_ms : SESSION_PATIENCE_MS;
    pause = doubled(pause, s->round, SESSION_ROUND_MS_MAX);
    return s->round == 0 ? pause : with_jitter(s, pause);
}

/* Somebody said no, and did not say who would say yes. */
static void ask_again(struct session *s, uint64_t now_ms)
{
    if (s->again_ms != UINT64_MAX) return;
    uint64_t pause = doubled(SESSION_AGAIN_MS, s->refusals, SESSION_AGAIN_MS_MAX);
    s->again_ms = now_ms + with_jitter(s, pause);
}

static void note_full(struct session *s, struct session_peer *peer, uint64_t now_ms)
{
    uint64_t pause = doubled(SESSION_FULL_MS, peer->times_full, SESSION_FULL_MS_MAX);
    peer->said = WIRE_REJECT_TOO_MANY;
    peer->times_full++;
    peer->full_until_ms = now_ms + with_jitter(s, pause);
    if (peer->full_until_ms < s->again_ms) s->again_ms = peer->full_until_ms;
}

static uint8_t any_active(struct session *s)
{
    uint8_t replica;
    do replica = (uint8_t)prng_below(&s->prng, s->n_replicas);
    while (is_witness(s, replica));
    return replica;
}

void session_start(struct session *s, enum session_task task, struct bytes body, bool sent_before,
                   uint64_t now_ms, uint64_t deadline_ms)
{
    assert(!s->running);
    assert(!session_is_numbered(task) || s->identity.session != 0);
    s->running = true;
    s->wide = s->is_barred = false;
    s->lost_copy = sent_before;
    s->task = task;
    s->started_ms = now_ms;
    s->round = 0;
    s->round_ends_ms = now_ms + round_ms(s);
    s->refusals = 0;
    s->again_ms = UINT64_MAX;
    s->deadline_ms = deadline_ms;
    s->probe = prng_next(&s->prng);
    s->request =
        (struct wire_request){.client = s->identity.client, .kind = (uint8_t)task, .body = body};
    if (task != SESSION_RECONFIGURE) s->request.application = s->application;
    if (task == SESSION_REGISTER) {
        s->request.number = SESSION_REGISTRATIONS + s->identity.registration;
    } else if (session_is_numbered(task)) {
        s->request.session = s->identity.session;
        s->request.number = s->identity.number + 1;
    } else {
        s->request.number = prng_next(&s->prng);
        s->request.token = task == SESSION_READ_CAUSAL ? s->identity.seen : 0;
    }
    memset(s->peers, 0, sizeof s->peers);
    memset(&s->result, 0, sizeof s->result);
    /* Reads that any replica may answer are spread over all of them (6.3.2). */
    bool anywhere = task == SESSION_READ_CAUSAL || task == SESSION_READ_STALE;
    s->first = anywhere ? any_active(s) : session_primary(s);
    s->peers[s->first].due = true;
    s->frame_size = WIRE_HEADER_SIZE + wire_size(&wire_shape_request, &s->request);
    if (s->frame_size > FRAME_BYTES_MAX) end(s, VSTAMP_E_TOO_LARGE, session_may_run(s));
    else s->request_checksum = client_table_request(s->request.session, body);
}

void session_stop(struct session *s)
{
    s->running = false;
}

bool session_wants(const struct session *s, uint8_t replica)
{
    assert(replica < n_peers(s));
    bool member = replica < s->n_replicas && !is_passed_over(s, replica);
    bool awaited = member && s->peers[replica].said != WIRE_REJECT_TOO_MANY;
    return (s->running && s->wide && awaited) || session_is_due(s, replica);
}

/* C9 */
static bool is_not_carried(const struct session *s, uint8_t replica)
{
    const struct session_peer *peer = &s->peers[replica];
    if (s->round == 0 || s->request.body.size <= s->heavy_bytes) return false;
    return replica != session_primary(s) || (peer->copies > 0 && peer->view == s->identity.view);
}

static size_t encode_question(const struct session *s, const struct wire_header *header,
                              uint8_t kind, void *buffer, size_t capacity)
{
    struct wire_request question = {
        .client = s->identity.client, .number = s->probe, .kind = kind};
    size_t size = wire_frame_encode(header, &wire_shape_request, &question, buffer, capacity);
    assert(size > 0);
    return size;
}

/* A user may have mixed up two groups.  So replicas are asked anything under no group's name, all
 * of them at first where the host is in doubt, else those that stay silent: their answer, whatever
 * it says, carries theirs, and their view.  Where there was a doubt, nothing that may run has been
 * sent when the groups turn out to differ. */
static size_t encode_probe(struct session *s, uint8_t replica, const struct wire_header *header,
                           void *buffer, size_t capacity)
{
    struct wire_header nameless = *header;
    nameless.group = (struct vstamp_id){0, 0};
    s->peers[replica].due = false;
    s->peers[replica].asked = true;
    return encode_question(s, &nameless, WIRE_KIND_READ_STALE, buffer, capacity);
}

size_t session_send(struct session *s, uint8_t replica, void *buffer, size_t capacity)
{
    assert(replica < n_peers(s));
    struct session_peer *peer = &s->peers[replica];
    if (!session_is_due(s, replica)) return 0;
    assert(capacity >= s->frame_size);
    struct wire_header header = {.epoch = s->identity.epoch,
                                 .group = s->identity.group,
                                 .view = s->identity.view,
                                 .sender = WIRE_SENDER_CLIENT};
    bool group_in_doubt = (s->round > 0 || s->in_doubt) && !s->confirmed &&
                          !vstamp_id_is_zero(s->identity.group);
    if (!peer->due) {
        peer->due_members = false;
        return encode_question(s, &header, WIRE_KIND_MEMBERS, buffer, capacity);
    }
    if (group_in_doubt || is_not_carried(s, replica))
        return encode_probe(s, replica, &header, buffer, capacity);
    peer->due = false;
    peer->asked = true;
    peer->copies++;
    peer->view = s->identity.view;
    size_t size = wire_frame_encode(&header, &wire_shape_request, &s->request, buffer, capacity);
    assert(size > 0);
    return size;
}

void session_bar(struct session *s)
{
    s->is_barred = true;
}

void session_on_down(struct session *s, uint8_t replica)
{
    assert(replica < n_peers(s));
    if (!s->running) return;
    struct session_peer *peer = &s->peers[replica];
    if (peer->copies > 0) {
        s->lost_copy = true;
        if (s->wide && replica == session_primary(s)) s->again_ms = 0; /* others waited for it */
    }
    peer->copies = 0;
    widen(s);
}

/* View and witnesses, as a frame or another session of this host tells them (C6). */
static void learn_view(struct session *s, uint64_t view, uint32_t witnesses)
{
    uint8_t before = session_primary(s);
    session_know_witnesses(s, witnesses);
    bool later = view > s->identity.view;
    if (later) s->identity.view = view;
    uint8_t now = session_primary(s);
    if (s->running && (later || (now != before && !s->peers[now].asked))) s->peers[now].due = true;
}

/* May this frame of a replica be believed?  Learns the group and the view on the way. */
static bool of_our_group(struct session *s, uint8_t replica, const struct wire_header *header)
{
    if (vstamp_id_is_zero(header->group)) return true; /* a blank replica's refusal */
    if (vstamp_id_is_zero(s->identity.group)) s->identity.group = header->group;
    if (!vstamp_id_equal(s->identity.group, header->group)) {
        if (!s->confirmed) end(s, VSTAMP_E_OTHER_GROUP, session_may_run(s));
        return false;
    }
    s->confirmed = true;
    if (header->epoch != s->identity.epoch) return true; /* C8 */
    bool numbers_fit = s->told || header->sender == replica; /* else it means others (C10) */
    learn_view(s, header->view, numbers_fit ? header->witnesses : s->witnesses);
    return true;
}

static uint32_t witnesses_among(const struct wire_list *members)
{
    uint32_t witnesses = 0;
    struct reader at = wire_list_start(members);
    for (uint32_t i = 0; i < members->count; i++) {
        struct wire_member member;
        wire_list_next(&wire_shape_member, &at, &member);
        if (member.witness != 0) witnesses |= UINT32_C(1) << i;
    }
    return witnesses;
}

bool session_is_news(const struct session *s, const struct wire_membership *to)
{
    if (to->epoch != s->identity.epoch) return to->epoch > s->identity.epoch;
    return !s->told;
}

bool session_move(struct session *s, const struct wire_membership *to, uint64_t now_ms)
{
    uint32_t n = to->members.count;
    if (!session_is_news(s, to) || n == 0 || n > REPLICAS_MAX) return false;
    s->lost_copy = s->lost_copy || session_may_run(s);
    memset(s->peers, 0, sizeof s->peers);
    if (to->epoch > s->identity.epoch) s->identity.view = to->first_view;
    s->identity.epoch = to->epoch;
    s->told = true;
    s->n_replicas = (uint8_t)n;
    s->n_others = 0;
    s->witnesses = 0;
    session_know_witnesses(s, witnesses_among(&to->members));
    if (!s->running) return true;
    s->wide = false;
    s->round = 0;
    s->round_ends_ms = now_ms + round_ms(s);
    s->refusals = 0;
    s->again_ms = UINT64_MAX;
    s->started_ms = now_ms;
    s->first = session_primary(s);
    s->peers[s->first].due = true;
    return true;
}

/* Does the header speak of a time before the newest that is known? */
static bool is_older(const struct session *s, const struct wire_header *header)
{
    if (header->epoch != s->identity.epoch) return header->epoch < s->identity.epoch;
    return header->view < s->identity.view;
}

/* What another one answers says how long the first one was silent, and not why. */
static void note_time(struct session *s, uint8_t replica, uint64_t now_ms)
{
    uint64_t took = now_ms - s->started_ms;
    if (replica != s->first) return;
    if (took > SESSION_ROUND_MS_MAX / 2) took = SESSION_ROUND_MS_MAX / 2; /* soon forgotten */
    if (took > s->usual_ms) s->usual_ms = took;
    else s->usual_ms -= (s->usual_ms - took + 7) / 8;
}

static int on_reply(struct session *s, const struct wire_header *header,
                    const struct wire_reply *reply)
{
    if (s->task == SESSION_REGISTER) {
        struct wire_registration *given = &s->result.registration;
        int rv = wire_decode(&wire_shape_registration, reply->body, given);
        if (rv != 0) return rv;
        if (given->session == 0) return VSTAMP_E_MALFORMED;
        s->identity.session = given->session;
        s->identity.number = given->number;
    } else if (session_is_numbered(s->task)) {
        s->identity.number = s->request.number;
    }
    if (reply->op > s->identity.seen) s->identity.seen = reply->op;
    s->result.op = reply->op;
    s->result.view = header->view;
    s->result.epoch = header->epoch;
    s->result.body = reply->body;
    if (reply->outcome != WIRE_OUTCOME_ANSWERED) /* its number is used up */
        end(s, VSTAMP_E_REFUSED, reply->outcome != WIRE_OUTCOME_NOT_RUN);
    else
        end(s, 0, false);
    return 0;
}

/* Something came that is no answer: to a probe, or a reject for the reason `no`.  Is it time to ask
 * that one who the members are (C10)?  By its own number for itself, or by the view in which it
 * does not lead, it is another one than we take it for; or too much time has passed. */
static void doubt_members(struct session *s, uint8_t replica, const struct wire_header *header,
                          enum wire_reject_reason no)
{
    bool is_member = header->epoch == s->identity.epoch && replica < s->n_replicas;
    bool leads = header->view == s->identity.view && session_primary(s) == replica;
    bool is_other = is_member && (header->sender != replica ||
                                  (no == WIRE_REJECT_NOT_PRIMARY && leads));
    if (s->told || !s->running || !(is_other || s->round >= 2)) return;
    s->peers[replica].due_members = true;
    if (is_other && no != 0) s->peers[replica].due = false; /* it would say no again */
}

static void on_evicted(struct session *s, bool may_have_run)
{
    session_renew(s);
    end(s, VSTAMP_E_EVICTED, may_have_run); /* C4 */
}

static void on_reject(struct session *s, uint8_t replica, const struct wire_header *header,
                      const struct wire_reject *reject, uint64_t now_ms)
{
    struct session_peer *peer = &s->peers[replica];
    if (peer->copies > 0) peer->copies--; /* C2 */
    bool goes_on = reject->reason != WIRE_REJECT_BUSY && reject->reason != WIRE_REJECT_CONFLICT;
    if (has_taken_up(s, peer) && goes_on) s->lost_copy = true; /* who leads next may have it */
    peer->said = reject->reason;
    s->result.body = reject->text;
    switch ((enum wire_reject_reason)reject->reason) {
    case WIRE_REJECT_NOT_PRIMARY:
    case WIRE_REJECT_WITNESS:
        if (session_primary(s) == replica)
            widen(s); /* it knows no better than we do */
        else if (!s->peers[session_primary(s)].asked)
            s->peers[session_primary(s)].due = true;
        break;
    case WIRE_REJECT_BUSY:
        break; /* the pause before it is asked again is enough */
    case WIRE_REJECT_EVICTED:
        /* A replica of a former view may not know the session yet. */
        if (session_is_numbered(s->task) && !is_older(s, header))
            on_evicted(s, session_may_run(s));
        else
            widen(s);
        break;
    case WIRE_REJECT_INVALID:
        end(s, VSTAMP_E_INVALID, false); /* by its form: no copy of it is ever logged */
        break;
    case WIRE_REJECT_CONFLICT:
        end(s, VSTAMP_E_INVALID, session_may_run(s));
        break;
    case WIRE_REJECT_TOO_LARGE:
        end(s, VSTAMP_E_TOO_LARGE, false);
        break;
    case WIRE_REJECT_STALE:
        /* Somebody else uses this identity (C7): what ran under our number is forgotten. */
        if (!session_is_numbered(s->task)) break;
        if (session_may_run(s))
            end(s, VSTAMP_E_UNKNOWN_OUTCOME, true);
        else
            on_evicted(s, false); /* the only copy came too late */
        break;
    case WIRE_REJECT_TOO_MANY:
        note_full(s, peer, now_ms);
        widen(s);
        return;
    case WIRE_REJECT_UNAVAILABLE:
    default: /* a reason of a newer version: at least this replica did not take it */
        widen(s);
        break;
    }
    uint8_t primary = session_primary(s);
    bool waits = s->peers[primary].copies > 0 || now_ms < s->peers[primary].full_until_ms;
    bool follows = replica != primary && reject->reason == WIRE_REJECT_NOT_PRIMARY &&
                   !is_older(s, header) && waits;
    if (s->running && (s->wide || replica == primary) && !follows) ask_again(s, now_ms);
    doubt_members(s, replica, header, (enum wire_reject_reason)reject->reason);
}

int session_on_message(struct session *s, uint8_t replica, const struct wire_message *m,
                       uint64_t now_ms)
{
    assert(replica < n_peers(s));
    s->is_barred = false;
    if (m->header.command == WIRE_new_epoch) {
        bool moves = s->running && !vstamp_id_is_zero(m->header.group) &&
                     of_our_group(s, replica, &m->header) &&
                     session_move(s, &m->as.new_epoch.membership, now_ms);
        return moves ? SESSION_MOVED : 0;
    }
    bool is_reply = m->header.command == WIRE_reply;
    if (!is_reply && m->header.command != WIRE_reject) return VSTAMP_E_MALFORMED;
    struct vstamp_id client = is_reply ? m->as.reply.client : m->as.reject.client;
    uint64_t session = is_reply ? m->as.reply.session : m->as.reject.session;
    uint64_t number = is_reply ? m->as.reply.number : m->as.reject.number;
    uint32_t request = is_reply ? m->as.reply.request : m->as.reject.request;
    if (!s->running || !vstamp_id_equal(client, s->identity.client))
        return 0; /* to a former task */
    if (!of_our_group(s, replica, &m->header)) return 0;
    if (number == s->probe && !is_reply && m->as.reject.reason == WIRE_REJECT_TOO_MANY) {
        note_full(s, &s->peers[replica], now_ms);
    } else if (number == s->probe) {
        s->peers[replica].due = s->confirmed && !is_not_carried(s, replica);
        doubt_members(s, replica, &m->header, (enum wire_reject_reason)0);
    } else if (number == s->request.number && session == s->request.session &&
               request == s->request_checksum) { /* C5 */
        if (is_reply) {
            note_time(s, replica, now_ms);
            return on_reply(s, &m->header, &m->as.reply);
        }
        on_reject(s, replica, &m->header, &m->as.reject, now_ms);
    }
    session_on_time(s, now_ms);
    return 0;
}

int session_on_frame(struct session *s, uint8_t replica, struct bytes frame, uint64_t now_ms)
{
    struct wire_message m;
    int rv = wire_frame_decode(frame, &m);
    return rv != 0 ? rv : session_on_message(s, replica, &m, now_ms);
}

void session_learn(struct session *s, const struct session_identity *known, uint32_t witnesses)
{
    if (vstamp_id_is_zero(known->group)) return;
    if (vstamp_id_is_zero(s->identity.group)) s->identity.group = known->group;
    if (!vstamp_id_equal(s->identity.group, known->group)) return;
    s->confirmed = true;
    if (known->epoch == s->identity.epoch) learn_view(s, known->view, witnesses);
    if (known->seen > s->identity.seen) s->identity.seen = known->seen;
}

void session_hint(struct session *s, uint8_t replica)
{
    assert(replica < n_peers(s));
    const struct session_peer *peer = &s->peers[replica];
    if (s->running && peer->copies == 0 && peer->said != WIRE_REJECT_BUSY &&
        peer->said != WIRE_REJECT_TOO_MANY)
        s->peers[replica].due = true;
}

void session_on_time(struct session *s, uint64_t now_ms)
{
    if (!s->running) return;
    if (now_ms >= s->deadline_ms) {
        end_for_time(s);
        return;
    }
    if (now_ms < s->round_ends_ms && now_ms < s->again_ms) return;
    bool all = now_ms >= s->round_ends_ms;
    if (all) {
        s->round++;
        s->wide = true;
        s->round_ends_ms = now_ms + round_ms(s);
    } else {
        s->refusals++;
    }
    s->again_ms = UINT64_MAX;
    for (uint8_t i = 0; i < n_peers(s); i++) {
        struct session_peer *peer = &s->peers[i];
        if (now_ms < peer->full_until_ms) {
            if (peer->full_until_ms < s->again_ms) s->again_ms = peer->full_until_ms;
            continue;
        }
        if (is_passed_over(s, i) || !(all || (peer->asked && peer->copies == 0))) continue;
        peer->asked = false;
        peer->due = true;
    }
}

uint64_t session_wake(const struct session *s)
{
    assert(s->running);
    uint64_t wake_ms = s->round_ends_ms < s->again_ms ? s->round_ends_ms : s->again_ms;
    return wake_ms < s->deadline_ms ? wake_ms : s->deadline_ms;
}

void session_renew(struct session *s)
{
    s->identity.registration++;
    s->identity.session = 0;
}

/* Within the time that the group has known the client (C3, C7):
 *
 *   newest executed     the request with `number`
 *   number - 1          did not run: nothing did under its number
 *   number, itself      ran
 *   number, another     did not run: the other one has its place
 *   anything else       numbers have no holes, so another process has gone on with this identity,
 *                       and what it did under `number` is forgotten */
enum session_verdict session_settle(const struct wire_registration *registration, uint64_t session,
                                    uint64_t number, struct bytes body)
{
    bool same = registration->number == number &&
                registration->request == client_table_request(session, body);
    if (same) return SESSION_RAN;
    if (registration->session <= session) return SESSION_CANNOT_TELL; /* nothing was replaced */
    if (registration->since > session) return SESSION_CANNOT_TELL; /* forgotten, and met anew */
    if (registration->number == number || registration->number + 1 == number)
        return SESSION_DID_NOT_RUN;
    return SESSION_CANNOT_TELL;
}

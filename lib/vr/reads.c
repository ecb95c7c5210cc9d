/* SPDX-License-Identifier: BSD-2-Clause */
/* Reads without the log (paper section 6.3).
 *
 * Linearizable reads need no clock: the primary answers after a round of heartbeats, begun after
 * the read came, has been echoed by a quorum.  Then no later view had started when the read
 * arrived, so the primary's state held all that was acknowledged by then.
 *
 *   Q1  a round counts for the reads that came before it was sent;
 *   Q2  a new primary answers only once it has committed all its view began with (PIT-7.9);
 *   Q3  nor does one whose application is stuck (pass_over.c): a backup may be ahead of it, and
 *       have answered.
 *
 * Under a lease (lease.c) they are answered at the end of the turn in which they came.
 *
 * One round carries all reads that wait; while it is under way the next ones gather.  A paused
 * primary (SIGSTOP) learns of the newer view before any echo reaches it.  Causal reads are answered
 * by any normal replica that has executed the op-number the client names (6.3.2), and wait there
 * until it has: so who names an op-number that is yet to come is told of it when it is there.
 * Stale ones are answered as things stand. */
#include <string.h>

#include "vr/rooms.h"

/* The one that so many wait longer than. */
static struct vr_read *waiting_read(const struct vr *r, uint32_t i)
{
    return &r->reads[(r->reads_first + i) % READS_WAITING_MAX];
}

static void answer_read(struct vr *r, const struct vr_asker *asker, struct bytes body)
{
    struct vstamp_answer answer;
    struct vstamp_diag why;
    if (vr_app_query(r, body, &answer, &why)) {
        r->stats.reads++;
        vr_reply(r, asker, vr_state_op(r), (struct bytes){answer.data, answer.size});
    } else if (!r->over) {
        vr_reject(r, asker, WIRE_REJECT_INVALID, why.text);
    }
}

static void answer_kept(struct vr *r, const struct vr_read *read)
{
    if (read->asks_number)
        vr_reply(r, &read->asker, vr_state_op(r), (struct bytes){0});
    else
        answer_read(r, &read->asker, (struct bytes){read->body, read->size});
}

/* A client waits for one thing at a time: what it asks now is in place of what it asked before.  Of
 * those that wait many may be gone, and for what is never to come: when all places are taken, each
 * in turn makes way, and who is still there asks again. */
static struct vr_read *parking_place(struct vr *r, struct vstamp_id client)
{
    for (uint32_t i = 0; i < r->parked_count; i++)
        if (vstamp_id_equal(r->parked[i].asker.client, client)) return &r->parked[i];
    if (r->parked_count < READS_PARKED_MAX) return &r->parked[r->parked_count++];
    struct vr_read *read = &r->parked[r->parked_turn++ % READS_PARKED_MAX];
    vr_reject(r, &read->asker, WIRE_REJECT_BUSY, "");
    return read;
}

static void keep(struct vr_read *read, const struct vr_asker *asker, const struct wire_request *m,
                 uint64_t sequence)
{
    read->asker = *asker;
    read->sequence = sequence;
    read->asks_number = m->kind == WIRE_KIND_READ_NUMBER;
    read->size = (uint32_t)m->body.size;
    if (m->body.size > 0) memcpy(read->body, m->body.data, m->body.size);
}

/* Those that wait for what is executed now. */
static void answer_parked(struct vr *r)
{
    if (r->parked_until > r->applied) return;
    r->parked_until = UINT64_MAX;
    for (uint32_t i = 0; i < r->parked_count;) {
        struct vr_read *read = &r->parked[i];
        if (read->sequence > r->applied) {
            if (read->sequence < r->parked_until) r->parked_until = read->sequence;
            i++;
            continue;
        }
        answer_kept(r, read);
        *read = r->parked[--r->parked_count];
    }
}

/* A causal read of what is not executed here yet. */
static void park(struct vr *r, const struct vr_asker *asker, const struct wire_request *m)
{
    struct vr_read *read = parking_place(r, m->client);
    vr_mark(r, VR_MARK_read_is_ahead, "token=%" PRIu64, m->token);
    keep(read, asker, m, m->token);
    if (m->token < r->parked_until) r->parked_until = m->token;
}

void vr_reads_on_request(struct vr *r, const struct vr_asker *asker, const struct wire_request *m)
{
    if (m->body.size > READ_BODY_MAX) {
        vr_reject(r, asker, WIRE_REJECT_TOO_LARGE, "the read is too long");
        return;
    }
    bool here = m->kind == WIRE_KIND_READ_STALE ||
                (m->kind == WIRE_KIND_READ_CAUSAL && r->applied >= m->token);
    if (here) {
        answer_read(r, asker, m->body);
        return;
    }
    if (m->kind == WIRE_KIND_READ_CAUSAL) {
        park(r, asker, m);
        return;
    }
    if (r->reads_count == READS_WAITING_MAX) {
        vr_reject(r, asker, WIRE_REJECT_BUSY, "");
        return;
    }
    if (r->reads_count == 0) r->reads_first = 0; /* few reads use little of the ring's memory */
    if (r->applied < r->view_start_op) {
        vr_mark(r, VR_MARK_read_before_view_is_executed, "applied=%" PRIu64, r->applied);
    }
    keep(waiting_read(r, r->reads_count++), asker, m, r->heartbeat + 1); /* Q1: the next round */
}

/* Is there a read that no round under way covers? */
bool vr_reads_want_round(const struct vr *r)
{
    if (r->reads_count == 0 || !vr_is_primary(r)) return false;
    bool under_way = vr_quorum_reached(r, r->heartbeat_ok) < r->heartbeat;
    const struct vr_read *newest = waiting_read(r, r->reads_count - 1);
    const struct vr_read *oldest = waiting_read(r, 0);
    return newest->sequence > r->heartbeat && !(under_way && oldest->sequence <= r->heartbeat);
}

/* How many of those that wait longest a heartbeat confirms, as far as one looks ahead. */
static uint32_t foresee(struct vr *r, uint64_t sequence)
{
    struct bytes bodies[VR_FORESEEN_MAX];
    uint32_t n = 0, n_bodies = 0;
    for (; n < r->reads_count && n < VR_FORESEEN_MAX; n++) {
        const struct vr_read *read = waiting_read(r, n);
        if (read->sequence > sequence) break;
        if (!read->asks_number) bodies[n_bodies++] = (struct bytes){read->body, read->size};
    }
    vr_foresee(r, bodies, n_bodies);
    return n;
}

/* Answer the reads that wait for a heartbeat up to this one. */
static void answer_confirmed(struct vr *r, uint64_t sequence)
{
    if (r->reads_count == 0 || !vr_is_primary(r) || r->suspects || vr_view_is_over(r)) return;
    if (r->applied < r->view_start_op) return; /* Q2 */
    if (vr_is_stuck(r)) return; /* Q3 */
    for (uint32_t n; (n = foresee(r, sequence)) > 0;) {
        for (; n > 0; n--) {
            const struct vr_read *read = waiting_read(r, 0);
            r->reads_first = (r->reads_first + 1) % READS_WAITING_MAX;
            r->reads_count--;
            answer_kept(r, read);
        }
    }
}

void vr_reads_settle(struct vr *r)
{
    if (r->status == VR_NORMAL) answer_parked(r);
    if (r->reads_count > 0) answer_confirmed(r, vr_quorum_reached(r, r->heartbeat_ok));
}

void vr_reads_by_lease(struct vr *r)
{
    if (r->reads_count > 0 && vr_lease_until_us(r) > r->now_us) answer_confirmed(r, UINT64_MAX);
}

static void send_away(struct vr *r, const struct vr_read *read)
{
    vr_reject(r, &read->asker, WIRE_REJECT_UNAVAILABLE, "the view ended");
}

/* The view is over: whoever waits had better ask elsewhere. */
void vr_reads_clear(struct vr *r)
{
    if (r->reads_count > 0) vr_mark(r, VR_MARK_reads_end_with_view, "view=%" PRIu64, r->view);
    for (; r->reads_count > 0; r->reads_count--) {
        send_away(r, waiting_read(r, 0));
        r->reads_first = (r->reads_first + 1) % READS_WAITING_MAX;
    }
    for (; r->parked_count > 0; r->parked_count--) send_away(r, &r->parked[r->parked_count - 1]);
    r->parked_until = UINT64_MAX;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* An operation or a tick that the application cannot execute: its program ends, or hangs, whenever
 * it is given it.  The operation is in the log, so it would end one replica after the other, and
 * again at each start.
 *
 *   backup --COMMIT-OK--> primary     I am stuck at this operation
 *   primary --COMMIT----> backups     so am I
 *   primary: PASS-OVER                an entry: nobody executes it
 *
 *   PO1  an application that answers "not executed" has left its state as it was.  The replica is
 *        stuck then: it goes on appending and committing entries, but executes nothing more.  An
 *        entry holds several operations, so the place is an op-number and an index in it;
 *   PO2  a primary that is stuck takes no new requests, and logs none of those that wait.  Once a
 *        quorum is stuck at the same place, it logs an entry that passes over the operation.
 *        Witnesses execute nothing: where there are some, it is enough that every active replica
 *        that is heard is stuck there, or earlier in that entry for a reason of its own, and that
 *        those who are stuck there and the witnesses together are a quorum;
 *   PO3  once committed, PASS-OVER settles the operation, for replicas that are stuck at it and for
 *        those that come to it later, say as they replay their journal: the application is not
 *        given it, and its client (a tick has none, U6) is told that it did not and will not run.
 *        While that entry is in the log and not committed, nobody begins the operation.  Who
 *        restores a copy of the state has nobody to ask, and leaves out what cannot be executed;
 *   PO4  a replica that is stuck alone is itself at fault: it runs another program, or its machine
 *        lacks something.  A primary hands over to a replica that has executed the operation, even
 *        if that one is stuck further on.  A backup ends as soon as it knows that the primary has
 *        executed it, or that an epoch has begun behind it; a learner, once its log is full of
 *        what follows it.  An entry that ends an epoch is proof enough, too: who logged it had
 *        executed all before it (J4), and nothing may follow it (E1);
 *   PO5  a replica that has executed what the group passes over has another state than the group,
 *        and fences itself (D3);
 *   PO6  what a replica executed in a former life it may have answered.  If it cannot execute that
 *        now, its program has changed, and is to be mended.  Such a replica waits, says so, and
 *        does not count as stuck: as long as it is heard the operation is not passed over.  The
 *        journal knows what was executed (vr_commit_to_store), except in the last moment of a life
 *        (node/store_journal.c), and of the entry in which it got stuck.
 *
 * If the reason lies in the operation and the state, no replica can execute what one cannot.  So
 * the number in PO2 protects no promise: it keeps a machine that is short of memory, or too slow
 * for the time-out, from deciding for the others.  If the application is not deterministic, those
 * who are left may pass over an operation that was answered, and PO5 tells. */
#include "vr/rooms.h"

#include <stdio.h>
#include <string.h>

#define AWAY_AFTER      3u /* times view_change_ms: as long as a quorum may be silent (N5) */
#define PASS_OVER_BYTES 57u /* body of its entry */
#define ENTRY_IS_WITHIN (2 * PIPELINE_MAX) /* so many behind what it passes over, mostly: what a
                                              primary can log in a turn in which it gets stuck */
#define OF_CLIENT_SIZE  48u
#define WAS_ABLE        UINT32_MAX /* in place of a place: in a former life (PO6) */

/* Is this such an entry, and which operation does it pass over? */
static bool passes_over(const struct vr *r, uint64_t entry, struct wire_pass_over *what)
{
    struct wire_operation o;
    if (log_at(&r->log, entry)->size != PASS_OVER_BYTES) return false;
    struct bytes body = log_body(&r->log, entry);
    struct reader at = reader_over(body.data, body.size);
    return read_u32(&at) == 1 && wire_decode_next(&wire_shape_operation, &at, &o) == 0 &&
           o.kind == WIRE_KIND_PASS_OVER && wire_decode(&wire_shape_pass_over, o.body, what) == 0;
}

/* Each entry is looked at once, as most logs have none.  The look goes on behind a hole when that
 * is mended. */
void vr_pass_over_look(struct vr *r)
{
    struct wire_pass_over what;
    if (r->looked_op + 1 < r->log.first) r->looked_op = r->log.first - 1;
    while (r->looked_op < r->log.op && !log_is_hole(&r->log, r->looked_op + 1))
        if (passes_over(r, ++r->looked_op, &what) && log_has(&r->log, what.op))
            log_note_passed(&r->log, what.op);
}

/* PO3.  Of an operation that was dealt with nothing is noted: it may have been executed (PO5). */
enum vr_turn vr_turn_by_log(struct vr *r, uint64_t op, uint32_t index)
{
    enum vr_turn turn = VR_RUNS;
    struct wire_pass_over what;
    bool passed = log_at(&r->log, op)->passed;
    for (uint64_t entry = op + 1; entry <= r->log.op; entry++) {
        if (log_is_hole(&r->log, entry)) {
            if (log_at(&r->log, entry)->size == PASS_OVER_BYTES) return VR_WAITS;
        } else if ((passed || entry > r->looked_op) && passes_over(r, entry, &what) &&
                   what.op == op && what.index == index) {
            if (entry > r->commit) return VR_WAITS;
            if (index >= r->done) log_note_done(&r->log, entry);
            turn = VR_IS_PASSED_OVER;
        }
    }
    return turn;
}

/* PO3.  While the log is fetched in parts the last entries wait, as one that passes over them may
 * be in the next part; but not if that has no room before they are executed. */
uint64_t vr_executable(const struct vr *r)
{
    const struct vr_transfer *t = &r->transfer;
    bool more = t->answered && t->commit > r->log.op && r->staging.op < r->staging.first;
    if (!more || r->commit + ENTRY_IS_WITHIN <= r->log.op) return r->commit;
    return r->log.op > ENTRY_IS_WITHIN ? r->log.op - ENTRY_IS_WITHIN : 0;
}

/* Nothing of the entry behind `applied` is executed, and what was looked at is another log. */
void vr_pass_over_forget(struct vr *r)
{
    r->done = 0;
    r->stuck = r->tick_failed = false;
    r->looked_op = 0;
}

void vr_pass_over_truncated(struct vr *r)
{
    if (r->looked_op > r->log.op) r->looked_op = r->log.op;
}

/* Whose operation it is, behind these words; empty for a tick. */
static const char *of_client(char text[static OF_CLIENT_SIZE], const char *words,
                             struct vstamp_id client)
{
    text[0] = '\0';
    if (!vstamp_id_is_zero(client))
        snprintf(text, OF_CLIENT_SIZE, "%s%016" PRIx64 "%016" PRIx64, words, client.hi, client.lo);
    return text;
}

/* PO1 */
void vr_get_stuck(struct vr *r, uint64_t op, struct vstamp_id client, struct bytes why)
{
    char reason[VR_QUOTED_SIZE], text[OF_CLIENT_SIZE];
    r->stuck = true;
    vstamp_diag_printf(&r->stuck_why,
                       "the application \"%s\" cannot execute %sop-number %" PRIu64 "%s%s%.*s",
                       r->app->name, vstamp_id_is_zero(client) ? "the tick of " : "", op,
                       of_client(text, " of client ", client), why.size > 0 ? ": " : "",
                       (int)why.size, (const char *)why.data);
    vr_mark(r, VR_MARK_application_stuck, "op=%" PRIu64 " index=%u", op, r->done);
    vr_log(r, LOG_LEVEL_ERROR, "application-stuck", "op=%" PRIu64 " reason=%s", op,
           vr_quoted(reason, r->stuck_why.text));
}

/* PO6 */
uint64_t vr_commit_to_store(const struct vr *r)
{
    if (r->bare) return r->commit;
    return r->applied > r->executed_before ? r->applied : r->executed_before;
}

static bool was_able(const struct vr *r)
{
    return r->applied < r->executed_before;
}

const char *vr_stuck_waits_for(const struct vr *r)
{
    return was_able(r) ? "its program to be mended, and to be started again, as it executed before "
                         "what it cannot execute now"
                       : "word whether the other replicas can execute what it cannot";
}

void vr_get_past(struct vr *r, uint64_t op, struct vstamp_id client)
{
    char text[OF_CLIENT_SIZE];
    if (!r->stuck) vr_mark(r, VR_MARK_passed_over_in_time, "op=%" PRIu64, op);
    r->stuck = false;
    r->stats.passed_over++;
    vr_log(r, LOG_LEVEL_WARN, "operation-passed-over", "op=%" PRIu64 "%s", op,
           of_client(text, " client=", client));
}

/* PO5.  What came in pages was not executed here. */
void vr_pass_over_execute(struct vr *r, uint64_t entry)
{
    struct wire_pass_over what;
    bool known = passes_over(r, entry, &what);
    if (!known || what.op <= r->loaded_op || log_at(&r->log, entry)->done) return;
    vr_mark(r, VR_MARK_executed_what_is_passed_over, "op=%" PRIu64, what.op);
    vr_log(r, LOG_LEVEL_ERROR, "diverged", "op=%" PRIu64 " reason=\"the application executed an "
           "operation that it cannot execute at the others\"", what.op);
    vr_digest_fence(r, what.op);
}

/* --- who is stuck, too (PO2, PO4) ------------------------------------------------------------- */

void vr_pass_over_begin_view(struct vr *r)
{
    memset(r->executed_at, 0, sizeof r->executed_at);
    memset(r->stuck_at, 0, sizeof r->stuck_at);
}

void vr_pass_over_heard(struct vr *r, uint8_t from, uint64_t executed, uint32_t stuck_at)
{
    r->executed_at[from] = executed;
    r->stuck_at[from] = stuck_at;
}

uint32_t vr_stuck_at(const struct vr *r)
{
    if (!vr_is_stuck(r)) return 0;
    return was_able(r) ? WAS_ABLE : r->done + 1;
}

/* Has one that says so executed what is next here? */
static bool is_past_us(const struct vr *r, uint64_t executed, uint32_t stuck_at)
{
    bool further_on = stuck_at != WAS_ABLE && stuck_at > r->done + 1;
    return executed > r->applied || (executed == r->applied && further_on);
}

/* A connection that broke is soon made anew: it is silence that counts. */
static bool is_away(const struct vr *r, uint8_t replica)
{
    return r->now_us - r->heard_us[replica] > AWAY_AFTER * vr_patience_us(r);
}

/* This one is stuck before our place in the entry, and the log does not take it past that: so we
 * have executed what it cannot, and it ends as soon as we go on (PO4). */
static bool is_stuck_for_itself(struct vr *r, uint8_t replica)
{
    uint32_t at = r->stuck_at[replica];
    return at != 0 && at <= r->done && vr_turn_of(r, r->applied + 1, at - 1) == VR_RUNS;
}

/* What the others have said, in numbers. */
struct survey {
    uint8_t n_stuck; /* where we are, with us */
    bool waits;      /* an active replica may yet come to it */
    bool was_able;   /* one, or we, executed it in a former life (PO6) */
    uint32_t executors; /* bitset: active replicas that have executed it */
};

static struct survey survey(struct vr *r)
{
    struct survey s = {.n_stuck = 1, .was_able = was_able(r)};
    for (uint8_t i = 0; i < r->config.n_replicas; i++) {
        if (i == r->config.self || !vr_is_active(r, i) || is_away(r, i)) continue;
        bool same_entry = r->executed_at[i] == r->applied;
        if (is_past_us(r, r->executed_at[i], r->stuck_at[i])) s.executors |= UINT32_C(1) << i;
        else if (same_entry && r->stuck_at[i] == WAS_ABLE) s.was_able = true;
        else if (same_entry && r->stuck_at[i] == r->done + 1) s.n_stuck++;
        else if (!same_entry || !is_stuck_for_itself(r, i)) s.waits = true;
    }
    return s;
}

/* Stuck, and the log has no entry yet that ends that. */
static bool waits_for_verdict(struct vr *r)
{
    if (!vr_is_stuck(r)) return false;
    vr_pass_over_look(r);
    return vr_turn_of(r, r->applied + 1, r->done) == VR_RUNS;
}

static void log_pass_over(struct vr *r)
{
    uint8_t buffer[16];
    struct writer w = writer_over(buffer, sizeof buffer);
    struct wire_pass_over what = {.op = r->applied + 1, .index = r->done};
    wire_encode(&wire_shape_pass_over, &what, &w);
    struct wire_operation o = {.kind = WIRE_KIND_PASS_OVER, .body = {buffer, w.size}};
    if (!vr_prepare_alone(r, 0, &o)) return;
    assert(log_at(&r->log, r->log.op)->size == PASS_OVER_BYTES);
    vr_trace(r, "passes over op=%" PRIu64 " index=%u", what.op, what.index);
}

void vr_pass_over_judge(struct vr *r)
{
    if (!vr_is_primary(r) || !waits_for_verdict(r)) return;
    struct survey s = survey(r);
    bool is_closed = vr_epoch_is_closed(r);
    int n_witnesses = __builtin_popcount(r->config.witnesses);
    bool all = !s.waits && s.executors == 0 && s.n_stuck + n_witnesses >= r->quorum;
    if (!s.was_able && !is_closed && (s.n_stuck >= r->quorum || all)) { /* PO6 */
        log_pass_over(r);
        return;
    }
    for (uint8_t i = 0; s.executors >> i != 0; i++) {
        if (((s.executors >> i) & 1) == 0 || !vr_hand_over_to(r, i)) continue;
        vr_mark(r, VR_MARK_stuck_primary_hands_over, "to=%u", i);
        return;
    }
    if (is_closed && !s.waits && s.executors == 0) vr_pass_over_alone(r);
}

/* PO4.  Others have executed what is next here, or gone past it by an entry that would be here: the
 * log goes as far as theirs that was committed then, as up to the begin of an epoch. */
void vr_pass_over_alone(struct vr *r)
{
    if (!waits_for_verdict(r)) return;
    vr_mark(r, VR_MARK_stuck_alone, "op=%" PRIu64, r->applied + 1);
    vr_app_end(r, "%s: others have executed it: mend the program here and start this replica again",
               r->stuck_why.text);
}

/* It is so full of what stands behind the operation that no such entry could ever come. */
static bool log_is_full(const struct vr *r)
{
    return r->log_is_short && !r->checkpoint_storing;
}

void vr_pass_over_primary(struct vr *r, uint64_t view, const struct wire_commit *m)
{
    if (!vr_is_stuck(r)) return;
    bool whole = r->status == VR_NORMAL && r->view == view && r->log.op >= m->commit;
    bool one_has = is_past_us(r, m->executed, m->stuck_at) || vr_epoch_is_closed(r);
    if (one_has && (whole || log_is_full(r))) vr_pass_over_alone(r);
}

/* A learner hears no COMMIT, and would fetch in vain again and again. */
void vr_pass_over_learner(struct vr *r)
{
    if (log_is_full(r)) vr_pass_over_alone(r);
}

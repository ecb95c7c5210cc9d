/* SPDX-License-Identifier: BSD-2-Clause */
/* View changes (paper section 4.2).
 *
 *   backup  --START-VIEW-CHANGE--> all          I would go to view + 1
 *   replica --DO-VIEW-CHANGE-----> all          I promise the view; this is my log
 *   primary --START-VIEW---------> all          the view begins with this log
 *   replica --REQUEST-START-VIEW-> primary      I missed it
 *
 *   V1  START-VIEW-CHANGE is a pre-vote: a replica leaves its view only on a quorum of votes, or on
 *       proof that others left it (PIT-2.5, 2.7); a vote is no promise, PREPAREs go on being
 *       acknowledged;
 *   V2  once in view v, nothing of an older view is appended or acknowledged (PIT-2.9), and v is
 *       durable before the DO-VIEW-CHANGE leaves;
 *   V3  the log chosen is that of the largest log_view, and among these the longest (PIT-2.3).
 *       All are of one epoch, and its views are above those that any log came from before (E2);
 *   V4  the new primary has all entries, durably, before it says START-VIEW (PIT-2.11);
 *   V5  START-VIEW is accepted for a later view, or for the own one while it has not begun
 *       (PIT-2.1);
 *   V6  log_view changes only together with the log (PIT-2.4);
 *   V7  what a former incarnation of a replica said does not count (crash vectors, PIT-3.1);
 *   V8  nothing is promised while a former primary may answer reads under our lease (lease.c);
 *   V9  what is committed here stays, whatever others show as the log of a view: such a view does
 *       not begin here (the rule of contradictions, rooms.h);
 *   V10 a backup whose view does not begin votes for the next one as soon as only its vote is
 *       missing, or the primary of that view, which knows best, wants the next one: its own
 *       patience, which grows with every attempt, must not hold up the group;
 *   V11 entries of the chosen log may be damaged where they are: mend.c, M2 to M4;
 *   V12 a replica that promised a log, and does not give it, may have died since: the new primary
 *       chooses as if that promise had not come, until it comes again.
 *
 * Logs travel as headers: the newest PIPELINE_MAX + 1 (5.3).  Bodies are fetched by
 * state_transfer.c. */
#include <string.h>

#include "vr/rooms.h"

#define VIEW_LIMIT_FACTOR 3u /* times view_change_ms for a view to begin, doubled at each attempt */
#define VIEW_LIMIT_DOUBLINGS 5u

/* Nobody waits long for one that is not there. */
static void arm_view_limit(struct vr *r)
{
    uint32_t doublings = r->attempts < VIEW_LIMIT_DOUBLINGS ? r->attempts : VIEW_LIMIT_DOUBLINGS;
    uint64_t limit_us = VIEW_LIMIT_FACTOR * vr_patience_us(r);
    uint8_t primary = vr_primary_of(r, r->view);
    if ((r->cut_off >> primary) & 1) {
        vr_mark(r, VR_MARK_view_of_a_replica_cut_off, "primary=%u", primary);
        limit_us = r->config.heartbeat_ms * UINT64_C(1000);
    }
    vr_timer_set(r, VR_TIMER_VIEW_LIMIT, vr_jitter(r, limit_us << doublings));
}

/* V7: is this message from a life that its sender has since forgotten?  (If that lives still, it is
 * told: then one folder is in use twice.)  Also true if we are told so ourselves. */
static bool from_former_life(struct vr *r, uint8_t from, const struct wire_list *crash_vector,
                             enum vr_mark mark)
{
    if (vr_counter_of(crash_vector, from) < r->crash_vector[from]) {
        vr_mark(r, mark, "from=%u", from);
        r->to_note |= UINT32_C(1) << from; /* answered once it is durable (restart.c, S2) */
        return true;
    }
    vr_merge_crash_vector(r, from, crash_vector);
    return r->over;
}

/* V12 */
void vr_view_change_disregard(struct vr *r, uint8_t replica)
{
    r->promises[replica].present = false;
}

void vr_view_change_forget(struct vr *r, uint8_t replica)
{
    r->vote_us[replica] = 0;
    vr_view_change_disregard(r, replica);
}

/* Leave the present view for `view` (V2). */
void vr_enter_view(struct vr *r, uint64_t view, const char *why)
{
    assert(view >= r->view);
    assert(r->status != VR_RECOVERING);
    vr_log(r, LOG_LEVEL_INFO, "view-change", "view=%" PRIu64 " why=\"%s\"", view, why);
    vr_transfer_stop(r, "a view change");
    vr_reads_clear(r);
    vr_batch_leave_view(r);
    r->view = view;
    vr_become(r, VR_VIEW_CHANGE);
    r->promised = r->starting = r->suspects = false;
    r->attempts++;
    r->stats.view_changes++;
    for (uint8_t i = 0; i < r->config.n_replicas; i++) vr_view_change_forget(r, i);
    vr_timers_off(r);
    arm_view_limit(r);
    vr_persist_state(r);
}

/* --- votes ------------------------------------------------------------------------------------ */

/* A vote stands while it is repeated. */
static uint8_t count_votes(const struct vr *r)
{
    uint8_t votes = 0;
    for (uint8_t i = 0; i < r->config.n_replicas; i++) {
        bool stands = r->vote_us[i] != 0 && r->now_us - r->vote_us[i] <= 2 * vr_patience_us(r);
        votes = (uint8_t)(votes + stands);
    }
    return votes;
}

static void vote(struct vr *r)
{
    uint8_t buffer[VR_CRASH_VECTOR_BYTES];
    r->vote_us[r->config.self] = r->now_us;
    vr_send(r, VR_ALL, r->view + 1, &wire_shape_start_view_change,
            &(struct wire_start_view_change){
                .crash_vector = vr_crash_vector_list(r, buffer, sizeof buffer)});
    vr_timer_set(r, VR_TIMER_VOTE, vr_patience_us(r));
    if (count_votes(r) >= r->quorum) vr_enter_view(r, r->view + 1, "a quorum wants it");
}

void vr_suspect(struct vr *r, const char *why)
{
    if (!r->suspects) {
        vr_log(r, LOG_LEVEL_WARN, "primary-suspected", "view=%" PRIu64 " primary=%u why=\"%s\"",
               r->view, vr_primary_of(r, r->view), why);
    }
    r->suspects = true;
    vote(r);
}

void vr_trust(struct vr *r)
{
    if (vr_version_is_missed(r)) return; /* a view that we cannot follow (version.c, G6) */
    r->suspects = false;
    r->vote_us[r->config.self] = 0;
    vr_timer_off(r, VR_TIMER_VOTE);
    if (!vr_is_primary(r)) {
        vr_timer_set(r, VR_TIMER_SUSPECT, vr_jitter(r, vr_patience_us(r)));
    }
}

void vr_suspect_due(struct vr *r)
{
    if (r->status == VR_NORMAL && !vr_is_primary(r)) vr_suspect(r, "the primary is silent");
}

void vr_vote_due(struct vr *r)
{
    if (r->suspects) vote(r);
}

void vr_view_limit_due(struct vr *r)
{
    if (r->status != VR_VIEW_CHANGE) return;
    arm_view_limit(r);
    vr_mark(r, VR_MARK_view_does_not_begin, "view=%" PRIu64, r->view);
    vr_suspect(r, "the view does not begin");
}

/* Only hints: it takes a quorum that thinks so to leave a view (V1), and what comes from its
 * primary over another connection withdraws our vote. */
void vr_view_change_cut_off(struct vr *r, uint8_t replica, bool cut_off)
{
    uint32_t one = UINT32_C(1) << replica;
    r->cut_off = cut_off ? r->cut_off | one : r->cut_off & ~one;
    if (!cut_off || vr_primary_of(r, r->view) != replica) return;
    if (r->status == VR_NORMAL) {
        vr_mark(r, VR_MARK_primary_cut_off, "primary=%u", replica);
        vr_suspect(r, "the connection to the primary broke");
    } else if (r->status == VR_VIEW_CHANGE) {
        arm_view_limit(r);
    }
}

static bool waits_for_another(const struct vr *r)
{
    return r->status == VR_VIEW_CHANGE && !r->suspects &&
           vr_primary_of(r, r->view) != r->config.self;
}

/* --- promises --------------------------------------------------------------------------------- */

/* What we promise, all but the crash vector; the headers are in the caller's buffer. */
static struct wire_do_view_change own_promise(struct vr *r,
                                              uint8_t headers[static VR_HEADERS_BYTES])
{
    return (struct wire_do_view_change){.log_view = r->log_view,
                                        .op = r->log.op,
                                        .commit = r->commit,
                                        .headers = vr_header_list(r, headers, VR_HEADERS_BYTES),
                                        .holes = vr_hole_bits(r),
                                        .clock_us = r->wall_us};
}

static void send_promise(struct vr *r, uint8_t to)
{
    uint8_t vector[VR_CRASH_VECTOR_BYTES], headers[VR_HEADERS_BYTES];
    struct wire_do_view_change promise = own_promise(r, headers);
    promise.crash_vector = vr_crash_vector_list(r, vector, sizeof vector);
    vr_send(r, to, r->view, &wire_shape_do_view_change, &promise);
}

/* The headers of a message, checked: consecutive, chained, ending at `op`.  Returns how many, or
   -1. */
static int take_headers(const struct wire_list *list, uint64_t op,
                        struct wire_entry_header headers[static MESSAGE_HEADERS_MAX])
{
    if (list->count > MESSAGE_HEADERS_MAX || (list->count == 0) != (op == 0)) return -1;
    struct reader at = wire_list_start(list);
    for (uint32_t i = 0; i < list->count; i++) {
        wire_list_next(&wire_shape_entry_header, &at, &headers[i]);
        if (headers[i].op != op - list->count + 1 + i) return -1;
        if (i > 0 && !vstamp_id_equal(headers[i].parent, headers[i - 1].checksum)) return -1;
    }
    return (int)list->count;
}

static struct vstamp_id head_checksum(const struct vr_promise *p)
{
    return p->n_headers > 0 ? p->headers[p->n_headers - 1].checksum : (struct vstamp_id){0};
}

static void note_promise(struct vr *r, uint8_t from, const struct wire_do_view_change *m)
{
    struct vr_promise *p = &r->promises[from];
    int n = take_headers(&m->headers, m->op, p->headers);
    if (n < 0 || m->log_view > r->view) {
        p->present = false;
        vr_mark(r, n < 0 ? VR_MARK_promise_does_not_chain : VR_MARK_promise_of_later_log, "from=%u",
                from);
        return;
    }
    p->present = true;
    p->log_view = m->log_view;
    p->op = m->op;
    p->commit = m->commit;
    p->n_headers = (uint32_t)n;
    p->holes = m->holes;
}

static void note_own_promise(struct vr *r)
{
    uint8_t headers[VR_HEADERS_BYTES];
    struct wire_do_view_change mine = own_promise(r, headers);
    note_promise(r, r->config.self, &mine);
}

/* V3 */
static bool is_better(const struct vr_promise *a, const struct vr_promise *b)
{
    if (a->log_view != b->log_view) return a->log_view > b->log_view;
    return a->op > b->op;
}

static uint8_t best_promise(const struct vr *r)
{
    uint8_t best = r->config.self;
    for (uint8_t i = 0; i < r->config.n_replicas; i++) {
        if (r->promises[i].present && is_better(&r->promises[i], &r->promises[best])) best = i;
    }
    return best;
}

/* What is committed for sure: what one of the promises says is, and all that lies further back in
 * the chosen log than a pipeline can reach. */
static uint64_t known_commit(const struct vr *r, uint64_t op)
{
    uint64_t commit = op > PIPELINE_MAX ? op - PIPELINE_MAX : 0;
    for (uint8_t i = 0; i < r->config.n_replicas; i++) {
        if (r->promises[i].present && r->promises[i].commit > commit) {
            commit = r->promises[i].commit;
        }
    }
    return commit < op ? commit : op;
}

/* The header that a promised log has at this op-number, NULL: that was not told. */
static const struct wire_entry_header *promised_header(const struct vr_promise *p, uint64_t op)
{
    bool told = p->present && op <= p->op && p->op - op < p->n_headers;
    return told ? &p->headers[p->n_headers - 1 - (p->op - op)] : NULL;
}

bool vr_promises_entry(const struct vr *r, uint8_t replica, uint64_t op, struct vstamp_id checksum)
{
    const struct wire_entry_header *theirs = promised_header(&r->promises[replica], op);
    return theirs != NULL && vstamp_id_equal(theirs->checksum, checksum);
}

uint64_t vr_joins_at(const struct vr *r, uint8_t replica, uint64_t op)
{
    if (op > r->log.op) op = r->log.op;
    while (op > r->commit && !vr_promises_entry(r, replica, op, log_header(&r->log, op)->checksum))
        op--;
    if (op < r->commit) op = r->commit;
    return vr_has_hole(r, op) ? log_first_hole(&r->log) - 1 : op;
}

/* Can no quorum have acknowledged this entry (M4)?  Then none will, in a view before this one. */
static bool is_denied(const struct vr *r, const struct wire_entry_header *header)
{
    uint8_t n = 0;
    for (uint8_t i = 0; i < r->config.n_replicas; i++) {
        const struct vr_promise *p = &r->promises[i];
        const struct wire_entry_header *theirs = promised_header(p, header->op);
        bool another = theirs != NULL && !vstamp_id_equal(theirs->checksum, header->checksum);
        n = (uint8_t)(n + (p->present && (another || p->op < header->op)));
    }
    return n > r->config.n_replicas - r->quorum;
}

/* Where is the log that was promised to end?  Before the first hole that is denied. */
static uint64_t end_of(struct vr *r, const struct vr_promise *p, struct vstamp_id *checksum)
{
    uint64_t commit = known_commit(r, p->op);
    for (uint32_t i = 0; p->holes != 0 && i < p->n_headers; i++) {
        const struct wire_entry_header *header = &p->headers[i];
        bool hole = ((p->holes >> (p->n_headers - 1 - i)) & 1) != 0;
        if (!hole || header->op <= commit || !is_denied(r, header)) continue;
        vr_mark(r, VR_MARK_hole_is_denied, "op=%" PRIu64, header->op);
        *checksum = header->parent;
        return header->op - 1;
    }
    *checksum = head_checksum(p);
    return p->op;
}

/* Has the promised log no hole between these? */
static bool is_whole(const struct vr_promise *p, uint64_t after, uint64_t op)
{
    for (; op > after && p->op - op < MESSAGE_HEADERS_MAX; op--)
        if (((p->holes >> (p->op - op)) & 1) != 0) return false;
    return true;
}

/* The log is that of `best`, up to this entry, and not here: who can give it?  `best` if it has no
 * hole in what we lack, else another; if they all do, nobody yet. */
static void fetch_chosen(struct vr *r, uint8_t best, uint64_t op, struct vstamp_id checksum)
{
    for (uint8_t i = 0; i < r->config.n_replicas; i++) {
        uint8_t from = (uint8_t)((best + i) % r->config.n_replicas);
        if (!vr_promises_entry(r, from, op, checksum)) continue;
        if (!is_whole(&r->promises[from], vr_joins_at(r, from, op), op)) continue;
        vr_mark(r, VR_MARK_new_primary_fetches_log, "op=%" PRIu64 " from=%u", op, from);
        vr_transfer_start(r, VR_TRANSFER_NEW_PRIMARY, from, r->view, op, checksum);
        return;
    }
    vr_mark(r, VR_MARK_chosen_log_has_holes, "op=%" PRIu64 " of=%u", op, best);
}

/* As the primary of this view: a quorum has promised, so choose the log. */
static void choose(struct vr *r)
{
    uint8_t present = 0;
    for (uint8_t i = 0; i < r->config.n_replicas; i++) {
        present = (uint8_t)(present + r->promises[i].present);
    }
    if (!r->promises[r->config.self].present || present < r->quorum) return;
    if (r->transfer.storing) { /* T5 */
        vr_mark(r, VR_MARK_choice_waits_for_disk, "view=%" PRIu64, r->view);
        return;
    }
    note_own_promise(r); /* committed entries may have come since (T2) */
    uint8_t best = best_promise(r);
    struct vr_promise *p = &r->promises[best];
    struct vstamp_id checksum;
    uint64_t op = end_of(r, p, &checksum);
    const struct wire_entry_header *ours = log_header(&r->log, op);
    if (p->op < r->log.op) {
        vr_mark(r, VR_MARK_longer_log_loses, "op=%" PRIu64 " log_view=%" PRIu64, r->log.op,
                r->log_view);
    }
    bool here = ours != NULL && vstamp_id_equal(ours->checksum, checksum);
    if (op < r->commit || (op == r->commit && !here)) { /* V9 */
        /* Old promises, mostly: later views have committed more, and have it in their logs. */
        vr_trace(r, "do not begin: op=%" PRIu64 " of=%u lacks what is committed", op, best);
        p->present = false;
    } else if (here && vr_has_hole(r, op)) { /* M3 */
        vr_mark(r, VR_MARK_view_waits_for_mending, "view=%" PRIu64, r->view);
    } else if (here) {
        vr_trace(r, "choose the log of=%u log_view=%" PRIu64 " op=%" PRIu64, best, p->log_view, op);
        vr_truncate(r, op);
        vr_commit_up_to(r, known_commit(r, op));
        vr_install_view(r, r->view);
    } else {
        fetch_chosen(r, best, op, checksum);
    }
}

/* --- the view begins -------------------------------------------------------------------------- */

/* The log in hand is the one `view` begins with, or continues with (V6). */
void vr_install_view(struct vr *r, uint64_t view)
{
    assert(view >= r->view);
    assert(!r->transfer.storing);
    r->view = r->log_view = view;
    r->has_hard_state = true;
    r->missed.version = 0; /* it begins without that */
    if (r->lost) {
        vr_log(r, LOG_LEVEL_INFO, "recovered-from-damage", "view=%" PRIu64 " op=%" PRIu64, view,
               r->log.op);
        r->lost = false;
        r->checkpoint_wanted = true; /* it takes the place of the damaged files */
    }
    vr_persist_state(r);
    if (vr_primary_of(r, view) == r->config.self) {
        assert(r->status == VR_VIEW_CHANGE);
        r->starting = true; /* V4: vr_view_change_settle begins once all is durable */
        return;
    }
    vr_reads_clear(r);
    vr_batch_leave_view(r);
    vr_become(r, VR_NORMAL);
    vr_normal_begin(r);
    vr_log(r, LOG_LEVEL_INFO, "view-started", "view=%" PRIu64 " role=%s primary=%u op=%" PRIu64,
           view, vr_is_witness(r) ? "witness" : "backup", vr_primary_of(r, view), r->log.op);
}

static void send_start_view(struct vr *r, uint8_t to)
{
    uint8_t vector[VR_CRASH_VECTOR_BYTES], headers[VR_HEADERS_BYTES];
    VR_SEND(r, to, start_view, .op = r->log.op, .commit = r->commit,
            .crash_vector = vr_crash_vector_list(r, vector, sizeof vector),
            .headers = vr_header_list(r, headers, sizeof headers));
}

static void begin_as_primary(struct vr *r)
{
    r->starting = false;
    vr_become(r, VR_NORMAL);
    vr_normal_begin(r);
    vr_log(r, LOG_LEVEL_INFO, "view-started",
           "view=%" PRIu64 " role=primary op=%" PRIu64 " commit=%" PRIu64, r->view, r->log.op,
           r->commit);
    send_start_view(r, VR_ALL);
}

void vr_view_change_settle(struct vr *r)
{
    if (r->status != VR_VIEW_CHANGE || !vr_is_durable_state(r)) return;
    bool ours = vr_primary_of(r, r->view) == r->config.self;
    if (!r->promised) {
        if (vr_lease_owed_us(r) > 0) { /* V8 */
            vr_timer_set(r, VR_TIMER_VIEW_CHANGE, vr_lease_owed_us(r));
            return;
        }
        r->promised = true; /* V2: the view is durable */
        send_promise(r, VR_ALL);
        if (ours) note_own_promise(r);
        vr_timer_set(r, VR_TIMER_VIEW_CHANGE, vr_patience_us(r));
    }
    if (ours && !r->starting && r->transfer.kind == VR_TRANSFER_NONE) choose(r);
    if (r->starting && vr_is_durable_state(r) && r->durable_op == r->log.op) begin_as_primary(r);
}

void vr_view_change_due(struct vr *r)
{
    if (r->status != VR_VIEW_CHANGE || !r->promised) return;
    vr_timer_set(r, VR_TIMER_VIEW_CHANGE, vr_patience_us(r));
    if (r->starting && !vr_is_durable_state(r)) return; /* V2; the first view of a group or epoch */
    send_promise(r, VR_ALL);
    uint8_t primary = vr_primary_of(r, r->view);
    if (primary != r->config.self) {
        vr_mark(r, VR_MARK_start_view_asked_for, "view=%" PRIu64, r->view);
        VR_SEND(r, primary, request_start_view);
    }
}

/* The primary of our view is at work, so its START-VIEW was lost (PIT-2.8). */
void vr_missed_start_view(struct vr *r)
{
    if (r->promised && r->transfer.kind == VR_TRANSFER_NONE) {
        vr_mark(r, VR_MARK_start_view_missed, "view=%" PRIu64, r->view);
        vr_timer_set(r, VR_TIMER_VIEW_CHANGE, 0);
    }
}

/* --- messages --------------------------------------------------------------------------------- */

/* A replica speaks of a view we are past: tell it where we are. */
static void inform(struct vr *r, uint8_t replica)
{
    if (r->status == VR_VIEW_CHANGE) {
        if (r->promised) send_promise(r, replica);
    } else if (vr_is_primary(r)) {
        send_start_view(r, replica);
    } else {
        VR_SEND(r, replica, commit_ok, .sequence = 0); /* its header names our view */
    }
}

void vr_on_start_view_change(struct vr *r, uint8_t from, uint64_t view,
                             const struct wire_start_view_change *m)
{
    if (from_former_life(r, from, &m->crash_vector, VR_MARK_vote_of_former_life)) return;
    if (view <= r->view) { /* never a reason to leave normal operation (PIT-2.2) */
        vr_mark(r, VR_MARK_vote_for_past_view, "from=%u view=%" PRIu64, from, view);
        inform(r, from);
        return;
    }
    if (view > r->view + 1) {
        vr_mark(r, VR_MARK_vote_skips_views, "from=%u view=%" PRIu64, from, view);
        vr_enter_view(r, view - 1, "a replica is there already");
    }
    r->vote_us[from] = r->now_us;
    if (waits_for_another(r) && vr_primary_of(r, r->view) == from) { /* V10 */
        vr_mark(r, VR_MARK_vote_with_the_primary, "view=%" PRIu64, view);
        vr_suspect(r, "its primary gave the view up");
    } else if (waits_for_another(r) && count_votes(r) + 1u >= r->quorum) { /* V10 */
        vr_mark(r, VR_MARK_vote_with_the_others, "view=%" PRIu64, view);
        vr_suspect(r, "the others gave the view up");
    } else if (count_votes(r) >= r->quorum) {
        vr_enter_view(r, r->view + 1, "a quorum wants it");
    }
}

void vr_on_do_view_change(struct vr *r, uint8_t from, uint64_t view,
                          const struct wire_do_view_change *m)
{
    if (from_former_life(r, from, &m->crash_vector, VR_MARK_promise_of_former_life)) return;
    if (view < r->view || (view == r->view && r->status == VR_NORMAL)) {
        vr_mark(r, VR_MARK_promise_of_past_view, "from=%u view=%" PRIu64, from, view);
        if (view < r->view || vr_is_primary(r)) inform(r, from);
        return;
    }
    vr_lease_returned(r, from);
    vr_clock_heard(r, from, m->clock_us);
    if (view > r->view) {
        vr_mark(r, VR_MARK_promise_is_proof, "from=%u view=%" PRIu64, from, view);
        vr_enter_view(r, view, "a replica is there already");
    }
    bool gives_log = r->transfer.kind != VR_TRANSFER_NONE && r->transfer.peer == from;
    if (vr_primary_of(r, view) == r->config.self && !r->starting && !gives_log)
        note_promise(r, from, m);
}

/* Why to drop a START-VIEW (V5). */
static enum vr_mark ignore_start_view(const struct vr *r, uint8_t from, uint64_t view,
                                      const struct wire_start_view *m)
{
    if (vr_primary_of(r, view) != from) return VR_MARK_not_from_primary;
    if (view < r->view) return VR_MARK_start_view_of_past_view;
    if (view == r->view && r->status == VR_NORMAL) return VR_MARK_start_view_again;
    if (r->transfer.kind == VR_TRANSFER_VIEW && r->transfer.view >= view) {
        return VR_MARK_start_view_being_fetched;
    }
    if (r->transfer.storing) return VR_MARK_start_view_before_disk;
    if (m->op < r->commit) return VR_MARK_start_view_lacks_committed;
    return VR_MARK_NONE;
}

void vr_on_start_view(struct vr *r, uint8_t from, uint64_t view, const struct wire_start_view *m)
{
    if (from_former_life(r, from, &m->crash_vector, VR_MARK_start_view_of_former_life)) return;
    enum vr_mark reason = ignore_start_view(r, from, view, m);
    struct wire_entry_header headers[MESSAGE_HEADERS_MAX];
    int n = take_headers(&m->headers, m->op, headers);
    if (reason == VR_MARK_NONE && n < 0) reason = VR_MARK_start_view_does_not_chain;
    if (reason != VR_MARK_NONE) {
        vr_mark(r, reason, "from=%u view=%" PRIu64, from, view);
        return;
    }
    struct vstamp_id head = n > 0 ? headers[n - 1].checksum : (struct vstamp_id){0};
    const struct wire_entry_header *ours = log_header(&r->log, m->op);
    if (ours == NULL || !vstamp_id_equal(ours->checksum, head)) {
        vr_mark(r, VR_MARK_start_view_log_fetched, "op=%" PRIu64 " from=%u", m->op, from);
        vr_transfer_start(r, VR_TRANSFER_VIEW, from, view, m->op, head);
        return;
    }
    vr_transfer_stop(r, "the log is here");
    vr_truncate(r, m->op);
    vr_install_view(r, view);
    vr_commit_up_to(r, m->commit < m->op ? m->commit : m->op);
}

void vr_on_request_start_view(struct vr *r, uint8_t from, uint64_t view)
{
    if (view == r->view && vr_is_primary(r)) send_start_view(r, from);
}

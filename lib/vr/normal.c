/* SPDX-License-Identifier: BSD-2-Clause */
/* Normal operation between replicas (paper section 4.1).
 *
 *   primary --PREPARE----> backups      append this entry
 *   primary <--PREPARE-OK- backups      I hold this entry and all before it, durably
 *   primary --COMMIT-----> backups      the heartbeat: how far the log and the commits go
 *   primary <--COMMIT-OK-- backups      its echo
 *
 * What holds whenever an event is over:
 *   N1  the log has no holes, and each entry names its predecessor;
 *   N2  a PREPARE-OK names an entry by checksum, and is sent only when that entry, all before it
 *       and the view it belongs to are durable here;
 *   N3  the primary commits what a quorum acknowledged, itself included, once it is durable;
 *   N4  commit-number never falls;
 *   N5  a primary leaves its view if a quorum no longer answers it, or if its own disk answers
 *       nothing: it commits without that disk only as long as its log has room.  The time that
 *       either has for an answer begins with the view.
 *
 * Deviations: acknowledgements name the entry (PIT-1.2); a COMMIT carries the commit-number and its
 * checksum, never the op-number in its place (PIT-1.1, 1.10), and the op-number beside it, so that
 * a backup notices a lost PREPARE and asks for it (state_transfer.c): the primary repeats
 * nothing. */
#include "vr/rooms.h"

#define ABDICATE_AFTER 3u  /* times view_change_ms without a quorum's word */
#define HANGS_AFTER    15u /* times view_change_ms without a word of its own disk */

/* Nothing is built on a fetched checkpoint before that is on disk (state_transfer.c, T5). */
bool vr_can_append(struct vr *r, size_t size)
{
    if (r->transfer.storing) return false;
    if (r->config.durable && !r->sink.journal_room(r->sink.ctx, size)) {
        vr_mark(r, VR_MARK_journal_has_no_room, "size=%zu", size);
        return false;
    }
    bool room = log_make_room(&r->log, size);
    if (!room) r->log_is_short = true;
    return room;
}

void vr_append(struct vr *r, const struct wire_entry_header *header, struct bytes body)
{
    assert(!r->transfer.storing);
    struct log_slot *slot = log_append(&r->log, header, body);
    slot->persisted = ++r->persisted;
    if (r->config.durable) {
        r->sink.persist_entry(r->sink.ctx, header->op);
    } else {
        r->durable = r->persisted;
    }
}

void vr_truncate(struct vr *r, uint64_t op)
{
    if (op >= r->log.op) return;
    assert(op >= r->commit);
    vr_mark(r, VR_MARK_log_truncated, "from op=%" PRIu64 " to op=%" PRIu64, r->log.op, op);
    log_truncate(&r->log, op);
    if (r->durable_op > op) r->durable_op = op;
    vr_pass_over_truncated(r);
}

/* The time begins in which the disk has to write something (N5). */
static void disk_time_begins(struct vr *r)
{
    r->hanging_op = r->durable_op;
    r->hanging_since_us = r->now_us;
}

/* The view starts here, as primary or as backup. */
void vr_normal_begin(struct vr *r)
{
    for (uint8_t i = 0; i < r->config.n_replicas; i++) {
        r->acked_op[i] = 0;
        r->heartbeat_ok[i] = 0;
        r->heard_us[i] = r->now_us;
        r->vote_us[i] = 0;
    }
    vr_batch_begin_view(r);
    vr_lease_begin_view(r);
    vr_pass_over_begin_view(r);
    r->sent_ok_op = 0;
    r->heartbeat = 0;
    r->view_start_op = r->log.op;
    r->suspects = false;
    r->attempts = 0;
    r->forgotten = false;
    vr_timer_off(r, VR_TIMER_VOTE);
    vr_timer_off(r, VR_TIMER_VIEW_CHANGE);
    vr_timer_off(r, VR_TIMER_VIEW_LIMIT);
    uint64_t patience_us = vr_patience_us(r);
    if (vr_is_primary(r)) {
        disk_time_begins(r);
        vr_timer_off(r, VR_TIMER_SUSPECT);
        vr_timer_set(r, VR_TIMER_HEARTBEAT, 0);
        vr_timer_set(r, VR_TIMER_ABDICATE, patience_us);
    } else {
        vr_timer_set(r, VR_TIMER_SUSPECT, vr_jitter(r, patience_us));
    }
}

/* Why to drop a primary's message. */
static enum vr_mark ignore_primary(const struct vr *r, uint8_t from, uint64_t view)
{
    if (view < r->view) return VR_MARK_primary_of_older_view;
    if (vr_primary_of(r, view) != from) return VR_MARK_not_from_primary;
    return VR_MARK_NONE;
}

/* True if the view of a primary's message is the one we live in; else what there is to do is
 * done. */
static bool in_our_view(struct vr *r, uint8_t from, uint64_t view, const char *what)
{
    enum vr_mark reason = ignore_primary(r, from, view);
    if (reason != VR_MARK_NONE) {
        vr_mark(r, reason, "%s from=%u view=%" PRIu64, what, from, view);
        return false;
    }
    if (view > r->view) {
        vr_later_view(r, from, view);
        return false;
    }
    if (r->status != VR_NORMAL) {
        vr_missed_start_view(r);
        return false;
    }
    if (vr_view_is_over(r)) {
        vr_mark(r, VR_MARK_view_is_over, "%s from=%u view=%" PRIu64, what, from, view);
        return false;
    }
    r->heard_us[from] = r->now_us;
    return true;
}

void vr_on_prepare(struct vr *r, uint8_t from, uint64_t view, const struct wire_prepare *m)
{
    if (!in_our_view(r, from, view, "prepare")) return;
    const struct wire_entry_header *header = &m->entry.header;
    uint64_t op = header->op;
    if (op > r->log.op + 1) { /* N1: we missed some */
        vr_mark(r, VR_MARK_prepare_leaves_gap, "op=%" PRIu64 " after=%" PRIu64, op, r->log.op);
        vr_transfer_start(r, VR_TRANSFER_GAP, from, view, op, (struct vstamp_id){0});
        return;
    }
    if (op <= r->log.op) { /* compare only, never re-append (PIT-1.3) */
        vr_mark(r, VR_MARK_prepare_held_already, "op=%" PRIu64, op);
        r->sent_ok_op = 0; /* our acknowledgement may be what was lost */
        return;
    }
    struct vstamp_id checksum = log_checksum(r->group, header, m->entry.body);
    if (!vstamp_id_equal(header->parent, log_last(&r->log)->checksum) ||
        !vstamp_id_equal(header->checksum, checksum) ||
        header->version < log_last(&r->log)->version) { /* G4 */
        vr_log(r, LOG_LEVEL_ERROR, "prepare-does-not-chain", "op=%" PRIu64 " from=%u", op, from);
        return;
    }
    if (!vr_can_append(r, m->entry.body.size)) {
        vr_mark(r, VR_MARK_prepare_finds_no_room, "op=%" PRIu64, op);
        return;
    }
    vr_append(r, header, m->entry.body);
    vr_note_held(r, m->held);
    vr_trust(r);
    vr_commit_up_to(r, m->commit < r->log.op ? m->commit : r->log.op);
}

static void take_heartbeat(struct vr *r, uint8_t from, uint64_t view, const struct wire_commit *m)
{
    if (!in_our_view(r, from, view, "commit")) return;
    if (m->sequence <= r->heartbeat) {
        vr_mark(r, VR_MARK_heartbeat_out_of_order, "from=%u", from);
        return;
    }
    r->heartbeat = m->sequence;
    vr_note_held(r, m->held);
    vr_restart_vouch(r, from, m->durable < m->commit ? m->durable : m->commit);
    vr_trust(r);
    const struct wire_entry_header *ours = log_header(&r->log, m->commit);
    if (ours != NULL && m->commit > r->commit) {
        if (!vstamp_id_equal(ours->checksum, m->checksum)) {
            vr_log(r, LOG_LEVEL_ERROR, "log-diverged", "op=%" PRIu64 " primary=%u", m->commit,
                   from);
            return;
        }
        vr_commit_up_to(r, m->commit);
    }
    if (m->op > r->log.op) {
        vr_mark(r, VR_MARK_heartbeat_shows_gap, "op=%" PRIu64 " after=%" PRIu64, m->op, r->log.op);
        vr_transfer_start(r, VR_TRANSFER_GAP, from, view, m->op, (struct vstamp_id){0});
    }
    uint64_t held = vr_is_durable_state(r) ? r->durable_op : 0;
    const struct wire_entry_header *last = log_header(&r->log, held);
    VR_SEND(r, from, commit_ok, .sequence = m->sequence, .op = last != NULL ? held : 0,
            .checksum = last != NULL ? last->checksum : (struct vstamp_id){0},
            .granted_us = vr_lease_grant(r), .clock_us = r->wall_us,
            .executed = r->bare ? 0 : r->applied, .stuck_at = vr_stuck_at(r));
}

void vr_on_commit(struct vr *r, uint8_t from, uint64_t view, const struct wire_commit *m)
{
    take_heartbeat(r, from, view, m);
    vr_pass_over_primary(r, view, m); /* who ends by that has said where it is stuck */
}

/* A backup of this view holds `op` and all before it: it counts if it names our entry (PIT-1.2). */
static void note_ack(struct vr *r, uint8_t from, uint64_t op, struct vstamp_id checksum)
{
    r->heard_us[from] = r->now_us;
    const struct wire_entry_header *ours = log_header(&r->log, op);
    if (op == 0 || ours == NULL) return;
    if (!vstamp_id_equal(ours->checksum, checksum)) {
        vr_mark(r, VR_MARK_ack_of_another_entry, "op=%" PRIu64 " from=%u", op, from);
        return;
    }
    if (op > r->acked_op[from]) r->acked_op[from] = op;
}

/* True if an answer of a backup belongs to the view we are primary of. */
static bool answers_us(struct vr *r, uint8_t from, uint64_t view, const char *what)
{
    if (view > r->view) {
        vr_mark(r, VR_MARK_backup_is_ahead, "%s from=%u view=%" PRIu64, what, from, view);
        vr_later_view(r, from, view);
        return false;
    }
    if (view < r->view || !vr_is_primary(r) || vr_view_is_over(r)) {
        vr_mark(r, VR_MARK_ack_of_another_view, "%s from=%u view=%" PRIu64, what, from, view);
        return false;
    }
    return true;
}

void vr_on_prepare_ok(struct vr *r, uint8_t from, uint64_t view, const struct wire_prepare_ok *m)
{
    if (answers_us(r, from, view, "prepare_ok")) note_ack(r, from, m->op, m->checksum);
}

void vr_on_commit_ok(struct vr *r, uint8_t from, uint64_t view, const struct wire_commit_ok *m)
{
    if (!answers_us(r, from, view, "commit_ok")) return;
    note_ack(r, from, m->op, m->checksum);
    vr_clock_heard(r, from, m->clock_us);
    vr_pass_over_heard(r, from, m->executed, m->stuck_at);
    if (m->sequence > r->heartbeat_ok[from] && m->sequence <= r->heartbeat) {
        r->heartbeat_ok[from] = m->sequence;
        vr_lease_echoed(r, from, m->sequence, m->granted_us);
    }
}

/* The largest value that a quorum of replicas has reached.  An array by replica, so that no message
 * can count twice (PIT-1.8), and a quorum is more than half of all, even ones too (PIT-1.6). */
uint64_t vr_quorum_reached(const struct vr *r, const uint64_t *values)
{
    uint64_t best = 0;
    for (uint8_t i = 0; i < r->config.n_replicas; i++) {
        if (values[i] <= best) continue;
        uint8_t at_least = 0;
        for (uint8_t j = 0; j < r->config.n_replicas; j++) at_least += values[j] >= values[i];
        if (at_least >= r->quorum) best = values[i];
    }
    return best;
}

static void advance_durable(struct vr *r)
{
    if (r->transfer.storing) return; /* the disk does not hold what our log begins with */
    if (r->durable_op + 1 < r->log.first) r->durable_op = r->log.first - 1;
    while (r->durable_op < r->log.op) {
        const struct log_slot *next = log_at(&r->log, r->durable_op + 1);
        if (next->hole || next->persisted > r->durable) break; /* M1 */
        r->durable_op++;
    }
}

void vr_normal_settle(struct vr *r)
{
    advance_durable(r);
    if (r->status != VR_NORMAL || vr_view_is_over(r)) return;
    if (!vr_is_primary(r)) {
        /* While a fetched checkpoint is being stored, durable_op may lie before our log. */
        const struct wire_entry_header *last = log_header(&r->log, r->durable_op);
        if (last != NULL && r->durable_op > r->sent_ok_op && vr_is_durable_state(r)) {
            r->sent_ok_op = r->durable_op;
            VR_SEND(r, vr_primary_of(r, r->view), prepare_ok, .op = last->op,
                    .checksum = last->checksum);
        }
        return;
    }
    r->acked_op[r->config.self] = r->durable_op;
    uint64_t reached = r->log.op > r->commit ? vr_quorum_reached(r, r->acked_op) : r->commit;
    if (reached > r->commit && reached > r->durable_op)
        vr_mark(r, VR_MARK_primary_disk_is_last, "op=%" PRIu64 " durable=%" PRIu64, reached,
                r->durable_op);
    if (reached > r->commit) vr_commit_up_to(r, reached);
    for (uint8_t i = 0; i < r->config.n_replicas; i++) {
        vr_restart_vouch(r, i, r->acked_op[i] < r->commit ? r->acked_op[i] : r->commit);
    }
}

void vr_send_heartbeat(struct vr *r)
{
    if (!vr_is_primary(r) || r->suspects || vr_view_is_over(r)) return;
    r->heartbeat++;
    r->heartbeat_ok[r->config.self] = r->heartbeat;
    vr_lease_sent(r, r->heartbeat);
    VR_BROADCAST(r, commit, .op = r->log.op, .commit = r->commit,
                 .checksum = log_header(&r->log, r->commit)->checksum, .durable = r->durable_op,
                 .sequence = r->heartbeat, .held = vr_held(r), .executed = r->applied,
                 .stuck_at = vr_stuck_at(r));
}

void vr_heartbeat_due(struct vr *r)
{
    if (!vr_is_primary(r)) return;
    vr_send_heartbeat(r);
    vr_clocks_judge(r);
    vr_proposal_heartbeat(r);
    vr_timer_set(r, VR_TIMER_HEARTBEAT, r->config.heartbeat_ms * UINT64_C(1000));
    vr_pass_over_judge(r);
}

/* The disk is waited for while requests, the entry that ends the epoch, or the one that passes over
 * an operation, lack room that only it could make, and it writes nothing (N5). */
static void watch_disk(struct vr *r)
{
    bool is_needed = r->batch_count > 0 || r->proposal.closing || vr_is_stuck(r);
    bool waits = is_needed && r->log.op == r->commit && r->durable_op < r->commit;
    if (!waits || r->durable_op != r->hanging_op) disk_time_begins(r);
}

/* N5.  It stops its heartbeats and wants the next view itself, else one that can send but not
 * receive would hold the group for ever (PIT-2.6). */
void vr_abdicate_due(struct vr *r)
{
    if (!vr_is_primary(r)) return;
    uint64_t patience_us = vr_patience_us(r);
    vr_timer_set(r, VR_TIMER_ABDICATE, patience_us);
    r->heard_us[r->config.self] = r->now_us;
    uint64_t heard_us = vr_quorum_reached(r, r->heard_us);
    watch_disk(r);
    if (r->now_us - heard_us > ABDICATE_AFTER * patience_us) {
        vr_mark(r, VR_MARK_primary_abdicates, "view=%" PRIu64, r->view);
        vr_suspect(r, "a quorum does not answer this primary");
    } else if (r->now_us - r->hanging_since_us > HANGS_AFTER * patience_us) {
        vr_mark(r, VR_MARK_primary_has_no_disk, "op=%" PRIu64, r->durable_op);
        vr_suspect(r, "the disk of this primary does not answer");
    } else if (r->suspects) {
        vr_mark(r, VR_MARK_abdication_withdrawn, "view=%" PRIu64, r->view);
        vr_trust(r);
    }
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* Entries that the disk has lost, mended from the other replicas (protocol-aware recovery, after
 * Alagappan and others, FAST 2018).
 *
 *   --GET-ENTRY-->  the entry with this checksum        to one replica after another
 *   <--GIVE-ENTRY-  here it is; or: not here, and my log begins with ...
 *
 * A journal says of each entry twice which it is (node/store_journal.c), so that of one whose body
 * has rotted the header is left: a hole in the log.  The replica takes part with it; what it does
 * and says is this:
 *
 *   M1  it vouches for nothing from the hole on: an acknowledgement names an entry only once all
 *       before it are durable (N2), and a hole is not durable; nothing behind it is executed;
 *   M2  nor does it deny what stood there.  Its DO-VIEW-CHANGE has the header, as of any entry, and
 *       says that it is a hole.  So the log is chosen as if nothing had happened (V3);
 *   M3  no view begins with a hole.  The new primary fetches what the chosen log lacks, from
 *       whoever holds it, before it says START-VIEW (V4);
 *   M4  an uncommitted entry may be nowhere else: its primary wrote it, and died.  A replica whose
 *       promise shows a log without it, or with another in its place, denies it.  If so many deny
 *       it that the rest is no quorum, none has acknowledged it, nor will before the view that they
 *       promise.  That begins without it, and without what follows it (view_change.c);
 *   M5  what another view begins with, or a checkpoint covers, is no longer a hole;
 *   M6  while an epoch begins, members and those they replaced mend each other, too: a replaced
 *       replica is to give its log away, and a new member may hold just what is damaged in that; or
 *       the members lack what only replaced ones have.
 *
 * An entry is named by its checksum, and so the same wherever it comes from: whoever holds it gives
 * it away, in any view and any status.  Two replicas with different holes mend each other.
 *
 * A mended entry is written to the journal once more, which makes it durable, and a restart reads
 * it there.  A checkpoint soon takes the place of the damaged segment.
 *
 * If a hole is older than the logs of the others, what they hold in its place is pages.  A backup
 * then fetches their checkpoint (state_transfer.c). */
#include "vr/rooms.h"

/* Of the entries up to `op`, is one a hole? */
bool vr_has_hole(const struct vr *r, uint64_t op)
{
    return log_first_hole(&r->log) <= op;
}

bool vr_fill(struct vr *r, uint8_t from, uint64_t op, struct bytes body)
{
    if (!r->sink.journal_room(r->sink.ctx, body.size)) {
        vr_mark(r, VR_MARK_journal_has_no_room, "size=%zu", body.size);
        return false;
    }
    struct log_slot *slot = log_fill(&r->log, op, body);
    slot->persisted = ++r->persisted;
    r->sink.persist_entry(r->sink.ctx, op);
    r->stats.entries_mended++;
    if (r->log.n_holes == 0) vr_checkpoint_soon(r);
    vr_log(r, LOG_LEVEL_INFO, "entry-mended", "op=%" PRIu64 " replica=%u", op, from);
    return true;
}

/* The next of the others, be it no member; itself if the group has shrunk to this one. */
static uint8_t next_peer(const struct vr *r, uint8_t peer)
{
    uint8_t n = vr_n_slots(r);
    if (n == 1) return 0;
    do peer = (uint8_t)((peer + 1) % n);
    while (peer == r->config.self);
    return peer;
}

/* About the hole that it is the turn of, or the first behind it. */
void vr_mend_ask(struct vr *r, uint8_t replica)
{
    if (r->log.n_holes == 0) return;
    uint64_t op = log_hole_from(&r->log, r->mend_op);
    if (op == UINT64_MAX) op = log_first_hole(&r->log);
    r->mend_op = op;
    r->mend_peer = replica;
    vr_timer_set(r, VR_TIMER_MEND, vr_jitter(r, vr_patience_us(r) / 2));
    if (replica == r->config.self) return; /* nobody else has it */
    VR_SEND(r, replica, get_entry, .op = op, .checksum = log_header(&r->log, op)->checksum);
}

void vr_mend_begin(struct vr *r)
{
    r->mend_peer = r->config.self;
    r->stats.entries_damaged = r->log.n_holes;
}

void vr_mend_settle(struct vr *r)
{
    if (r->log.n_holes == 0) vr_timer_off(r, VR_TIMER_MEND);
    else if (r->due[VR_TIMER_MEND] == UINT64_MAX) vr_timer_set(r, VR_TIMER_MEND, 0);
}

/* No answer, or nobody had any of them. */
void vr_mend_due(struct vr *r)
{
    r->mend_tries = 0;
    if (r->log.n_holes > 0) vr_mend_ask(r, next_peer(r, r->mend_peer));
}

/* The next replica's turn; if all have been asked, that of the next hole; if there is none behind
 * this one, the timer asks again. */
static void ask_another(struct vr *r)
{
    if (++r->mend_tries >= vr_n_slots(r) - 1) {
        r->mend_tries = 0;
        if (log_hole_from(&r->log, ++r->mend_op) == UINT64_MAX) return;
    }
    vr_mend_ask(r, next_peer(r, r->mend_peer));
}

void vr_on_get_entry(struct vr *r, uint8_t from, const struct wire_get_entry *m)
{
    struct wire_entry entry = {0};
    const struct wire_entry_header *ours = log_header(&r->log, m->op);
    bool same = ours != NULL && vstamp_id_equal(ours->checksum, m->checksum);
    if (same && log_has(&r->log, m->op) && !log_is_hole(&r->log, m->op)) {
        if (from >= r->config.n_replicas) /* M6 */
            vr_mark(r, VR_MARK_entry_for_who_was_replaced, "op=%" PRIu64 " from=%u", m->op, from);
        entry = (struct wire_entry){.header = *ours, .body = log_body(&r->log, m->op)};
    } else if (same) {
        vr_mark(r, VR_MARK_hole_asked_for, "op=%" PRIu64 " from=%u", m->op, from);
    }
    VR_SEND(r, from, give_entry, .op = m->op, .log_start = r->log.first, .entry = entry);
}

/* The entry is older than the log of `from`, and so committed: a backup of the same view fetches
 * pages in its place, and a replica that should be primary leaves that to others.  (If it is not in
 * the log of a witness, that proves nothing: witnesses forget what others have.) */
static void fetch_pages(struct vr *r, uint8_t from, uint64_t view)
{
    bool ours = vr_primary_of(r, r->view) == r->config.self;
    if (from >= r->config.n_replicas || (!vr_is_active(r, from) && !r->bare)) return;
    if (r->status == VR_NORMAL && view == r->view) {
        vr_mark(r, VR_MARK_hole_covered_by_pages, "from=%u", from);
        vr_transfer_start(r, VR_TRANSFER_GAP, from, view, r->log.op, (struct vstamp_id){0});
    } else if (r->status == VR_VIEW_CHANGE && ours && !r->suspects) {
        vr_mark(r, VR_MARK_primary_cannot_be_mended, "view=%" PRIu64, r->view);
        vr_suspect(r, "entries that are damaged here are in no log any more");
    }
}

void vr_on_give_entry(struct vr *r, uint8_t from, uint64_t view, const struct wire_give_entry *m)
{
    const struct log_slot *slot = log_is_hole(&r->log, m->op) ? log_at(&r->log, m->op) : NULL;
    bool given = m->entry.header.op != 0;
    if (slot == NULL ||
        (given && !vstamp_id_equal(m->entry.header.checksum, slot->header.checksum))) {
        vr_mark(r, VR_MARK_entry_not_missing, "op=%" PRIu64 " from=%u", m->op, from);
        return;
    }
    if (!given) {
        vr_mark(r, VR_MARK_entry_not_there, "op=%" PRIu64 " from=%u", m->op, from);
        if (m->log_start > m->op) fetch_pages(r, from, view);
        if (from == r->mend_peer && m->op == r->mend_op) ask_another(r);
        return;
    }
    struct vstamp_id checksum = log_checksum(r->group, &m->entry.header, m->entry.body);
    if (!vstamp_id_equal(checksum, slot->header.checksum) || slot->size != m->entry.body.size) {
        vr_log(r, LOG_LEVEL_ERROR, "entry-not-sound", "op=%" PRIu64 " replica=%u", m->op, from);
        return;
    }
    if (!vr_fill(r, from, m->op, m->entry.body)) return;
    r->mend_tries = 0;
    vr_mend_ask(r, from);
    if (r->status == VR_VIEW_CHANGE && r->promised) vr_timer_set(r, VR_TIMER_VIEW_CHANGE, 0);
}

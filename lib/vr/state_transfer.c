/* SPDX-License-Identifier: BSD-2-Clause */
/* State transfer (paper section 5.2): bring our log, and the state beneath it, to that of a peer.
 *
 *   --GET-STATE-->  entries after this one
 *   <--NEW-STATE--
 *
 * The paper cuts the log back to the commit-number and takes the new view-number before it asks; a
 * replica that then takes part in a view change wins with an empty log, and committed operations
 * are lost (PIT-4.1).  Here:
 *
 *   T1  nothing is removed, and neither view nor log_view changes, before the replacement is in
 *       hand;
 *   T2  entries arrive in a log of their own (staging), chained to our committed prefix; those that
 *       are committed replace ours as they come, since nothing else can ever be at their place; the
 *       rest replaces ours in one step together with view and log_view;
 *   T3  an answer counts only for the newest question (nonce; PIT-4.2);
 *   T4  in our own view a log only grows: what we acknowledged stays (PIT-4.3);
 *   T5  a fetched checkpoint is taken as a whole (PIT-4.4), and on disk before anything built on it
 *       is claimed to be (PIT-4.7);
 *   T6  what comes must join on to what is committed here; what does not is dropped, loudly, and
 *       another replica is asked (the rule of contradictions, rooms.h);
 *   T7  once committed entries of a later view stand in our log (T2), nothing is added to them,
 *       acknowledged or told in the name of our view: it is over.
 *
 * Where the peer's log no longer reaches back to ours, a checkpoint is fetched first
 * (page_transfer.c), then entries.  What its log begins with is told by header, and is committed:
 * if we hold that very entry, so is all that we hold before it, and no pages are needed.  Witnesses
 * give and need none (witness.c, W5 and W6). */
#include "vr/rooms.h"

#define RECORD_OVERHEAD 256u   /* what a journal adds to the body of an entry, at most */
#define RECOVERY_TRIES_MAX 10u /* questions without an answer until all are asked where they are */

/* For a replica that is no member, or not yet, only what is committed is of use (epoch.c, E4). */
static bool wants_committed(const struct vr_transfer *t)
{
    return t->kind == VR_TRANSFER_EPOCH || t->kind == VR_TRANSFER_LEARN;
}

void vr_transfer_ask(struct vr *r)
{
    struct vr_transfer *t = &r->transfer;
    t->nonce++; /* T3 */
    t->more = false;
    vr_timer_set(r, VR_TIMER_TRANSFER, vr_jitter(r, vr_patience_us(r)));
    if (t->pages) {
        vr_fetch_ask_all(r);
    } else {
        vr_timer_off(r, VR_TIMER_PACE);
        vr_send(r, t->peer, t->view, &wire_shape_get_state,
                &(struct wire_get_state){.nonce = t->nonce,
                                         .after = r->staging.op,
                                         .committed = wants_committed(t)});
    }
}

/* Up to where our log surely belongs to the log that we fetch, and has no hole: the committed
 * prefix; in our own view all of it; and, of a log that we are to begin a view with, what the
 * peer's log has as well. */
static uint64_t stands_on(const struct vr *r)
{
    const struct vr_transfer *t = &r->transfer;
    uint64_t op = t->kind == VR_TRANSFER_GAP ? r->log.op : r->commit;
    if (t->kind == VR_TRANSFER_NEW_PRIMARY) op = vr_joins_at(r, t->peer, t->target_op);
    return vr_has_hole(r, op) ? log_first_hole(&r->log) - 1 : op;
}

/* Start anew behind that. */
void vr_transfer_restart(struct vr *r)
{
    log_reset(&r->staging, log_header(&r->log, stands_on(r)));
    size_t most = r->staging.size, small = r->config.witness_log_bytes;
    log_resize(&r->staging, vr_witness_is_small(r) && small < most ? small : most);
}

static void begin_pages(struct vr *r)
{
    struct vr_transfer *t = &r->transfer;
    if (r->checkpoint_storing) { /* the timer asks again */
        vr_mark(r, VR_MARK_fetch_waits_for_own_checkpoint, "op=%" PRIu64, r->checkpoint_op);
        return;
    }
    vr_log(r, LOG_LEVEL_INFO, "fetching-checkpoint", "peer=%u applied=%" PRIu64 " staged=%" PRIu32,
           t->peer, r->applied, r->pages.n_staged);
    t->pages = true;
    vr_fetch_begin(r);
}

void vr_transfer_start(struct vr *r, enum vr_transfer_kind kind, uint8_t peer, uint64_t view,
                       uint64_t op, struct vstamp_id checksum)
{
    struct vr_transfer *t = &r->transfer;
    bool weightier = t->kind >= kind; /* but only as long as its view lives */
    if (t->kind != VR_TRANSFER_NONE && weightier && t->view >= view) return;
    if (t->storing || t->pages) {
        if (t->kind == kind) { /* goes on; the entries that follow will show the later view */
            vr_mark(r, VR_MARK_fetch_outlives_its_view, "view=%" PRIu64, view);
            return;
        }
        vr_transfer_stop(r, "another need");
        if (t->storing) return; /* asked for again by whoever needs it */
        vr_mark(r, VR_MARK_fetch_gives_way, "kind=%d", kind);
    }
    r->stats.state_transfers++;
    vr_trace(r, "transfer kind=%d peer=%u view=%" PRIu64 " op=%" PRIu64, kind, peer, view, op);
    *t = (struct vr_transfer){.kind = kind,
                              .peer = peer,
                              .view = view,
                              .target_op = op,
                              .target_checksum = checksum,
                              .nonce = prng_next(&r->prng) >> 1};
    vr_transfer_restart(r);
    if (kind == VR_TRANSFER_WARM || (wants_committed(t) && vr_lacks_state(r))) {
        vr_timer_set(r, VR_TIMER_TRANSFER, vr_jitter(r, vr_patience_us(r)));
        begin_pages(r); /* whatever the log holds */
    } else {
        vr_transfer_ask(r);
    }
}

void vr_transfer_stop(struct vr *r, const char *why)
{
    struct vr_transfer *t = &r->transfer;
    if (t->kind == VR_TRANSFER_NONE) return;
    vr_trace(r, "transfer stops: %s", why);
    if (t->pages) vr_fetch_stop(r);
    bool storing = t->storing;
    *t = (struct vr_transfer){.storing = storing};
    vr_timer_off(r, VR_TIMER_TRANSFER);
    vr_timer_off(r, VR_TIMER_PACE);
}

/* May this one have pages?  A witness has none, but when an epoch begins it may have been active in
 * the one before (W7). */
bool vr_may_have_state(const struct vr *r, uint8_t slot)
{
    if (slot == r->config.self) return false;
    return vr_is_active(r, slot) || r->transfer.kind == VR_TRANSFER_EPOCH;
}

/* A normal replica of a later view spoke. */
void vr_later_view(struct vr *r, uint8_t from, uint64_t view)
{
    assert(view > r->view);
    vr_transfer_start(r, VR_TRANSFER_VIEW, from, view, 0, (struct vstamp_id){0});
}

/* --- the peer's side -------------------------------------------------------------------------- */

/* Those of the entries after + 1 .. up_to that fit into one message, and come before any hole. */
struct wire_list vr_entries_after(struct vr *r, uint64_t after, uint64_t up_to)
{
    struct wire_list_builder list;
    wire_list_begin(&list, &wire_shape_entry, r->answer, r->answer_size_max);
    if (log_header(&r->log, after) != NULL) {
        for (uint64_t op = after + 1; op <= up_to && op - after <= TRANSFER_ENTRIES_MAX; op++) {
            if (log_is_hole(&r->log, op)) break;
            struct wire_entry entry = {.header = log_at(&r->log, op)->header,
                                       .body = log_body(&r->log, op)};
            if (!wire_list_add(&list, &entry)) break;
        }
    }
    return wire_list_end(&list);
}

/* A replica in a view change answers only the primary of its view, whose log it may have to become:
 * that log does not change any more (V2). */
void vr_on_get_state(struct vr *r, uint8_t from, uint64_t view, const struct wire_get_state *m)
{
    if (m->committed) { /* the same in any epoch, view and status */
        VR_SEND(r, from, new_state, .nonce = m->nonce, .after = m->after, .op = r->commit,
                .commit = r->commit, .log_view = r->log_view, .base = r->log.base,
                .entries = vr_entries_after(r, m->after, r->commit));
        return;
    }
    bool to_new_primary = r->status == VR_VIEW_CHANGE && r->promised && view == r->view &&
                          vr_primary_of(r, view) == from;
    if ((r->status != VR_NORMAL || vr_view_is_over(r)) && !to_new_primary) {
        vr_mark(r, VR_MARK_get_state_between_views, "from=%u", from);
        return;
    }
    VR_SEND(r, from, new_state, .nonce = m->nonce, .after = m->after, .op = r->log.op,
            .commit = vr_surely_committed(r), .log_view = r->log_view, .base = r->log.base,
            .entries = vr_entries_after(r, m->after, r->log.op));
}

/* --- our side: entries ------------------------------------------------------------------------ */

/* Why to drop an answer. */
static enum vr_mark ignore_new_state(const struct vr *r, uint8_t from, uint64_t view,
                                     const struct wire_new_state *m)
{
    const struct vr_transfer *t = &r->transfer;
    if (t->kind == VR_TRANSFER_NONE || t->pages || t->storing) return VR_MARK_new_state_not_asked;
    if (m->nonce != t->nonce || from != t->peer) return VR_MARK_new_state_to_old_question;
    if (m->op < r->commit) return VR_MARK_new_state_lacks_committed;
    if (m->base.op > m->commit) return VR_MARK_new_state_begins_uncommitted;
    switch (t->kind) {
    case VR_TRANSFER_NONE:
    case VR_TRANSFER_WARM: break;
    case VR_TRANSFER_GAP:
        if (view != r->view || m->log_view != r->view) return VR_MARK_new_state_of_another_view;
        break;
    case VR_TRANSFER_NEW_PRIMARY:
        if (view != r->view) return VR_MARK_new_state_of_another_view;
        if (m->log_view != r->promises[from].log_view) return VR_MARK_new_state_breaks_promise;
        break;
    case VR_TRANSFER_VIEW:
    case VR_TRANSFER_RECOVERY:
        if (m->log_view != view) return VR_MARK_new_state_before_its_view;
        if (view < t->view) return VR_MARK_new_state_of_past_view;
        break;
    case VR_TRANSFER_EPOCH:
    case VR_TRANSFER_LEARN: break;
    }
    return VR_MARK_NONE;
}

/* Append what continues the staged log.  False if something does not fit: ask anew. */
static bool stage(struct vr *r, const struct wire_new_state *m)
{
    struct reader at = wire_list_start(&m->entries);
    r->transfer.lacks = 0;
    for (uint32_t i = 0; i < m->entries.count; i++) {
        struct wire_entry entry;
        wire_list_next(&wire_shape_entry, &at, &entry);
        if (entry.header.op <= r->staging.op) continue;
        if (r->transfer.kind == VR_TRANSFER_NEW_PRIMARY &&
            entry.header.op > r->transfer.target_op)
            return true; /* nobody needs what follows (M4) */
        struct vstamp_id checksum = log_checksum(r->group, &entry.header, entry.body);
        if (entry.header.op != r->staging.op + 1 ||
            !vstamp_id_equal(entry.header.parent, log_last(&r->staging)->checksum) ||
            !vstamp_id_equal(entry.header.checksum, checksum)) {
            vr_mark(r, VR_MARK_new_state_does_not_chain, "op=%" PRIu64, entry.header.op);
            bool to_ours = r->staging.first > r->staging.op; /* T6; else the peer's log changed */
            vr_log(r, to_ours ? LOG_LEVEL_ERROR : LOG_LEVEL_INFO, "new-state-does-not-chain",
                   "op=%" PRIu64 " from=%u", entry.header.op, r->transfer.peer);
            return false;
        }
        if (entry.header.op == r->transfer.target_op &&
            !vstamp_id_is_zero(r->transfer.target_checksum) &&
            !vstamp_id_equal(entry.header.checksum, r->transfer.target_checksum)) {
            vr_mark(r, VR_MARK_new_state_of_another_log, "op=%" PRIu64, entry.header.op);
            return false;
        }
        if (!log_make_room(&r->staging, entry.body.size)) {
            vr_mark(r, VR_MARK_staging_is_full, "op=%" PRIu64, r->staging.op);
            r->transfer.lacks = entry.body.size;
            return true;
        }
        log_append(&r->staging, &entry.header, entry.body);
    }
    return true;
}

/* Has what came last, and was not taken, room by now? */
static bool has_room(struct vr *r)
{
    return r->transfer.lacks == 0 || log_make_room(&r->staging, r->transfer.lacks);
}

/* T6: is this header, of the staged log, that of our entry at its place?  Our old view may have
 * gone on and our log have dropped it: then those that follow it tell. */
static bool joins(struct vr *r, const struct wire_entry_header *header)
{
    const struct wire_entry_header *ours = log_header(&r->log, header->op);
    if (ours == NULL && header->op < r->log.first) return true;
    if (ours != NULL && vstamp_id_equal(ours->checksum, header->checksum)) return true;
    vr_log(r, LOG_LEVEL_ERROR, "log-diverged", "op=%" PRIu64 " commit=%" PRIu64 " replica=%u",
           header->op, r->commit, r->transfer.peer);
    r->transfer.answered = false;
    vr_transfer_restart(r); /* the timer asks another */
    return false;
}

/* Move staged entries up to `up_to` into our log; false if there is no room yet, or if they do not
 * join on to it. */
static bool move_staged(struct vr *r, uint64_t up_to)
{
    for (uint64_t op = r->staging.first; op <= up_to; op = r->staging.first) {
        const struct wire_entry_header *header = &log_at(&r->staging, op)->header;
        const struct wire_entry_header *ours = log_header(&r->log, op);
        bool same = ours != NULL && vstamp_id_equal(ours->checksum, header->checksum);
        struct bytes body = log_body(&r->staging, op);
        if (!joins(r, op <= r->commit ? header : &r->staging.base)) return false;
        if (same && log_is_hole(&r->log, op)) {
            if (!vr_fill(r, r->transfer.peer, op, body)) return false;
        } else if (!same && op > r->commit) {
            vr_truncate(r, op - 1); /* first, as what it held may be the room that is needed */
            if (!vr_can_append(r, body.size)) {
                vr_mark(r, VR_MARK_staged_entry_finds_no_room, "op=%" PRIu64, op);
                return false;
            }
            vr_append(r, header, body);
        }
        log_drop(&r->staging, op);
    }
    return true;
}

static size_t staged_bytes(const struct vr *r, size_t *largest)
{
    size_t total = 0;
    *largest = 0;
    for (uint64_t op = r->staging.first; op <= r->staging.op; op++) {
        size_t size = log_body(&r->staging, op).size;
        total += size;
        if (size > *largest) *largest = size;
    }
    return total;
}

/* Does it take the place of our log at once (T2)? */
static bool is_another_log(const struct vr_transfer *t)
{
    return t->kind == VR_TRANSFER_NEW_PRIMARY || t->kind == VR_TRANSFER_VIEW ||
           t->kind == VR_TRANSFER_RECOVERY;
}

/* Is the whole of what we look for in hand? */
static bool is_complete(const struct vr *r)
{
    const struct vr_transfer *t = &r->transfer;
    uint64_t have = r->staging.op;
    if (!t->answered) return false;
    if (t->kind == VR_TRANSFER_LEARN && have >= t->op) return true; /* LEARN says of more */
    if (have < t->target_op) return false;
    if (t->kind == VR_TRANSFER_NEW_PRIMARY) return have == t->target_op;
    if (have < t->op) return false;
    if (!is_another_log(t)) return true;
    return vr_primary_of(r, t->view) != r->config.self; /* nobody resumes as primary (PIT-2.10) */
}

bool vr_transfer_is_too_large(const struct vr *r)
{
    const struct vr_transfer *t = &r->transfer;
    size_t largest, total = staged_bytes(r, &largest);
    bool moved = r->staging.first > t->commit; /* all that need not be taken in one step */
    return is_another_log(t) && is_complete(r) && moved && total + largest >= r->log.capacity;
}

/* T2: the uncommitted rest, the view and log_view, in one step. */
static void finish(struct vr *r)
{
    struct vr_transfer t = r->transfer;
    uint64_t base = r->staging.first - 1;
    if (r->staging.op < r->commit || !joins(r, &r->staging.base)) { /* our old view has gone on */
        r->transfer.answered = false;
        return;
    }
    size_t largest, total = staged_bytes(r, &largest);
    bool fits = log_fits(&r->log, base, r->staging.op - base, total, largest);
    total += (r->staging.op - base) * RECORD_OVERHEAD;
    if (r->config.durable) fits = fits && r->sink.journal_room(r->sink.ctx, total);
    if (!fits) {
        vr_mark(r, VR_MARK_new_log_finds_no_room, "op=%" PRIu64, r->staging.op);
        r->log_is_short = true;
        return;
    }
    bool moved = move_staged(r, r->staging.op);
    assert(moved);
    vr_truncate(r, r->staging.op);
    uint64_t commit = t.commit < r->log.op ? t.commit : r->log.op;
    vr_transfer_stop(r, "complete");
    vr_install_view(r, t.view);
    vr_commit_up_to(r, commit);
}

/* In our own view the peer's log is ours (T4); else only what is committed goes in at once (T2). */
static uint64_t movable(const struct vr *r)
{
    const struct vr_transfer *t = &r->transfer;
    uint64_t up_to = t->kind == VR_TRANSFER_GAP ? r->staging.op : t->commit;
    return up_to < r->staging.op ? up_to : r->staging.op;
}

void vr_transfer_settle(struct vr *r)
{
    struct vr_transfer *t = &r->transfer;
    if (t->storing && !r->checkpoint_storing) { /* T5 */
        t->storing = false;
        if (t->kind == VR_TRANSFER_WARM) {
            vr_transfer_stop(r, "warm");
        } else if (t->kind != VR_TRANSFER_NONE) {
            vr_transfer_restart(r);
            vr_transfer_ask(r);
        } else {
            vr_mark(r, VR_MARK_fetch_given_up_on_way_to_disk, "op=%" PRIu64, r->checkpoint_op);
        }
    }
    if (t->kind == VR_TRANSFER_NONE || t->pages || t->storing) return;
    if (t->before && is_complete(r)) t->commit = t->target_op;
    bool all_moved = move_staged(r, movable(r));
    if (!t->answered) return;
    uint64_t moved = r->staging.first - 1; /* to be executed, which makes room for the rest */
    vr_commit_up_to(r, t->commit < moved ? t->commit : moved);
    if (all_moved && is_complete(r)) {
        if (is_another_log(t) && !t->before) finish(r);
        else vr_transfer_stop(r, "caught up");
    }
    bool may_stage = (all_moved || !vr_witness_is_small(r)) && has_room(r);
    if (t->answered && t->more && may_stage && vr_pace_allows(r)) vr_transfer_ask(r);
}

/* What was fetched in place of entries is our state now, and on its way to the disk (T5). */
void vr_transfer_go_on(struct vr *r)
{
    if (r->config.durable) {
        r->checkpoint_storing = r->transfer.storing = true;
        r->sink.store_checkpoint(r->sink.ctx);
        return;
    }
    if (r->transfer.kind == VR_TRANSFER_WARM) {
        vr_transfer_stop(r, "warm");
        return;
    }
    vr_transfer_restart(r);
    vr_transfer_ask(r);
}

/* As a witness: the log goes on after `base` (W5). */
static void skip_to(struct vr *r, const struct wire_entry_header *base)
{
    if (r->checkpoint_storing) { /* the timer asks again */
        vr_mark(r, VR_MARK_fetch_waits_for_own_checkpoint, "op=%" PRIu64, r->checkpoint_op);
        return;
    }
    vr_mark(r, VR_MARK_witness_skips, "from op=%" PRIu64 " to op=%" PRIu64, r->log.op, base->op);
    const char *wrong = vr_checkpoint_contradicts(r, base);
    if (wrong == NULL) {
        vr_checkpoint_adopt(r, base);
        vr_transfer_go_on(r);
        return;
    }
    vr_log(r, LOG_LEVEL_ERROR, "log-diverged", "op=%" PRIu64 " replica=%u why=\"%s\"", base->op,
           r->transfer.peer, wrong); /* T6; the timer asks another */
}

/* To begin a view with a log whose end is with a witness, which has forgotten what we lack before
 * it (W6): is that with another?  It need not have the end, nor know that its part is committed. */
static void fetch_before(struct vr *r, const struct wire_entry_header *base)
{
    struct vr_transfer *t = &r->transfer;
    if (t->kind != VR_TRANSFER_NEW_PRIMARY || base->op >= t->target_op) return;
    for (uint8_t i = 0; i < r->config.n_replicas; i++) {
        if (i == r->config.self || i == t->peer) continue;
        if (!vr_promises_entry(r, i, base->op, base->checksum)) continue;
        vr_mark(r, VR_MARK_log_is_with_several, "op=%" PRIu64 " at=%u", base->op, i);
        t->target_op = base->op;
        t->target_checksum = base->checksum;
        t->before = true;
        t->answered = false;
        t->peer = i;
        vr_transfer_restart(r);
        vr_transfer_ask(r);
        return;
    }
}

/* The peer's log begins only after `base`, which is committed, and we lack what comes before. */
static void bridge_gap(struct vr *r, uint8_t from, const struct wire_entry_header *base)
{
    const struct wire_entry_header *ours = log_header(&r->log, base->op);
    bool same = ours != NULL && vstamp_id_equal(ours->checksum, base->checksum);
    if ((same || base->op <= r->commit) && !vr_has_hole(r, base->op)) {
        vr_mark(r, VR_MARK_gap_bridged_by_own_log, "op=%" PRIu64, base->op);
        vr_commit_up_to(r, base->op);
        vr_transfer_restart(r);
        vr_transfer_ask(r);
    } else if (r->bare && vr_is_witness(r)) {
        skip_to(r, base);
    } else if (!vr_may_have_state(r, from)) { /* W6; the timer asks another */
        vr_mark(r, VR_MARK_witness_has_forgotten, "op=%" PRIu64 " from=%u", base->op, from);
        r->forgotten = true;
        fetch_before(r, base);
    } else {
        begin_pages(r);
    }
}

void vr_on_new_state(struct vr *r, uint8_t from, uint64_t view, const struct wire_new_state *m)
{
    struct vr_transfer *t = &r->transfer;
    enum vr_mark reason = ignore_new_state(r, from, view, m);
    if (reason != VR_MARK_NONE) {
        vr_mark(r, reason, "from=%u view=%" PRIu64, from, view);
        return;
    }
    bool of_use = m->base.op <= m->after || vr_may_have_state(r, from);
    if (of_use) t->tries = 0;
    r->stats.transfer_bytes += m->entries.encoded.size;
    vr_pace_note(r, m->entries.encoded.size);
    if (view > t->view && !wants_committed(t)) { /* a later view has all that we looked for */
        vr_mark(r, VR_MARK_new_state_of_later_view, "view=%" PRIu64, view);
        t->view = view;
        t->target_op = 0;
        t->target_checksum = (struct vstamp_id){0};
    }
    if (m->base.op > m->after) {
        bridge_gap(r, from, &m->base);
        return;
    }
    if (t->kind == VR_TRANSFER_GAP && r->staging.op < stands_on(r)) {
        vr_mark(r, VR_MARK_log_grew_meanwhile, "op=%" PRIu64, r->log.op);
        vr_transfer_restart(r);
    }
    t->answered = true;
    t->op = m->op;
    t->commit = m->commit;
    if (!stage(r, m)) {
        t->answered = false;
        vr_transfer_restart(r); /* the timer asks another */
        return;
    }
    t->more = m->entries.count > 0 && r->staging.op < m->op; /* none: a hole is next (timer) */
    vr_transfer_settle(r);
}

/* How many slots may be fetched from: the members; for a replica that moves into an epoch, the
 * members of the epoch before, too. */
uint8_t vr_n_sources(const struct vr *r)
{
    return r->transfer.kind == VR_TRANSFER_EPOCH ? vr_n_slots(r) : r->config.n_replicas;
}

/* --- nobody answers --------------------------------------------------------------------------- */

/* May this replica have what we look for? */
static bool may_have(const struct vr *r, uint8_t replica)
{
    const struct vr_transfer *t = &r->transfer;
    if (replica == r->config.self || (t->pages && !vr_may_have_state(r, replica))) return false;
    if (t->kind != VR_TRANSFER_NEW_PRIMARY) return true;
    return vr_promises_entry(r, replica, t->target_op, t->target_checksum);
}

/* Another one that may; the same one again if there is none. */
static uint8_t next_source(const struct vr *r)
{
    uint8_t n = vr_n_sources(r), peer = r->transfer.peer;
    for (uint8_t i = 1; i <= n; i++) {
        uint8_t next = (uint8_t)((peer + i) % n);
        if (may_have(r, next)) return next;
    }
    return peer;
}

static void ask_another(struct vr *r)
{
    struct vr_transfer *t = &r->transfer;
    uint8_t silent = t->peer;
    bool by_pages = t->pages;
    if (by_pages && !vr_lacks_state(r)) { /* F5 */
        vr_mark(r, VR_MARK_fetch_finds_nobody, "applied=%" PRIu64, r->applied);
        vr_fetch_stop(r);
    }
    t->peer = next_source(r);
    if (t->kind == VR_TRANSFER_NEW_PRIMARY && t->peer == silent && !by_pages) { /* V12 */
        vr_mark(r, VR_MARK_promise_of_a_silent_one, "from=%u", silent);
        vr_transfer_stop(r, "who promised does not answer");
        vr_view_change_disregard(r, silent);
        return;
    }
    vr_mark(r, VR_MARK_transfer_asks_another, "peer=%u", t->peer);
    if (!t->pages) vr_transfer_restart(r);
    t->answered = false;
    vr_transfer_ask(r);
}

/* Does the transfer end here?  Then RECOVERY, or the next LEARN, finds somebody else to ask.  A
 * learner asks each member for entries first: the one that was drawn may be dead, and about to be
 * replaced by this very learner. */
static bool is_given_up(struct vr *r)
{
    const struct vr_transfer *t = &r->transfer;
    if (t->kind == VR_TRANSFER_RECOVERY && t->tries > RECOVERY_TRIES_MAX) {
        vr_mark(r, VR_MARK_recovery_finds_nobody, "view=%" PRIu64, t->view);
        vr_transfer_stop(r, "nobody answers"); /* they may all be blank by now */
        vr_timer_set(r, VR_TIMER_RECOVERY, 0);
        return true;
    }
    if (t->kind != VR_TRANSFER_LEARN && t->kind != VR_TRANSFER_WARM) return false;
    bool by_entries = t->kind == VR_TRANSFER_LEARN && !t->pages;
    if (by_entries && t->tries < r->config.n_replicas) return false;
    vr_mark(r, VR_MARK_learner_gets_no_answer, "peer=%u", t->peer);
    vr_transfer_stop(r, "no answer");
    return true;
}

void vr_transfer_due(struct vr *r)
{
    struct vr_transfer *t = &r->transfer;
    if (t->kind == VR_TRANSFER_NONE || t->storing) return;
    if (t->kind == VR_TRANSFER_GAP && stands_on(r) >= t->target_op) {
        vr_transfer_stop(r, "caught up");
        return;
    }
    if (t->pages && vr_fetch_due(r)) return;
    if (vr_transfer_is_too_large(r))
        vr_log(r, LOG_LEVEL_ERROR, "log-too-small", "op=%" PRIu64 " log_bytes=%" PRIu64
               " hint=\"others have more under way: give this replica the log_bytes that they "
               "have\"", r->staging.op, r->config.log_bytes);
    if (!t->pages && !has_room(r)) { /* nobody was asked */
        vr_timer_set(r, VR_TIMER_TRANSFER, vr_jitter(r, vr_patience_us(r)));
        return;
    }
    if (t->tries < UINT8_MAX) t->tries++;
    if (!is_given_up(r)) ask_another(r);
}

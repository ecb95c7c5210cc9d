/* SPDX-License-Identifier: BSD-2-Clause */
/* Witnesses (paper section 6.1): up to f of 2f+1 replicas that make quorums, and hold no state.
 *
 *   active   orders, logs, executes, takes checkpoints
 *   witness  logs, acknowledges, votes, grants leases
 *
 * The paper wakes its witnesses when an active replica is away.  Here they get every PREPARE: that
 * costs messages, and saves the paper's gap, a stand-in that acknowledges an entry without what
 * comes before it (PIT-7.2).  A witness is a backup in all rooms, but for this:
 *
 *   W1  views are led by the active replicas in turn; all, clients too, count them in the same way
 *       (PIT-7.3).  So one active replica and f witnesses serve, and witnesses alone, which are
 *       no majority, elect nobody (PIT-7.4);
 *   W2  what is committed is passed over instead of executed: no pages, no client table.  Requests
 *       and reads of every kind are refused in words;
 *   W3  it forgets an entry once every active replica holds that durably (PIT-7.1).  The primary,
 *       whom all acknowledge, tells how far that is (`held`).  An active replica loses such an
 *       entry only with its disk; then it comes back blank, and fetches all that is committed.  No
 *       checkpoint is needed for that, and no witness waits for one;
 *   W4  its log is bounded.  If an active replica stays away for so long that the log fills, the
 *       group goes on: the witness forgets what is committed, oldest first.  It is *exposed* then,
 *       says so, and is not again before all active replicas have caught up;
 *   W5  a witness that is behind everybody's log goes on after what the peer's log begins with
 *       (NEW-STATE's `base`): that is committed, and of what came before there is nothing to keep;
 *   W6  a log with a gap is never used.  Whoever asks for entries that a witness has forgotten is
 *       told what its log begins with.  Who holds that very entry joins on there
 *       (state_transfer.c); if the peer is active, it fetches pages; else it asks others, and
 *       waits.  Who is to begin a view first asks those who have promised that entry: two witnesses
 *       may have the log together;
 *   W7  roles change with the epoch, in place.  A witness that is to be active fetches the state
 *       beneath its log beforehand: nothing of that log changes, what the protocol needs of it
 *       meanwhile goes first, and it executes from the checkpoint on.  From then on it forgets only
 *       when its log is full.  If it hears of the epoch before it has that state, it is
 *       transitioning until it has.  A replica that becomes a witness keeps its state until all
 *       active members hold the log up to the epoch's beginning, and then gives the memory back; so
 *       does a witness that is no longer to become active.
 *
 * Why W3 is enough: of 2f+1 replicas at most f lose their disk, or the same entry on it, at a
 * time.  An active one is left, as there are f+1, and holds all up to `held`; and each committed
 * entry behind that is with one of the f+1 that made the quorum, be it a witness, which has not
 * forgotten it.
 *
 * What W4 and W5 cost, if a disk is damaged on top of an absence: a committed entry that an exposed
 * witness has forgotten is with f+1-f = 1 active replica at least, perhaps with no more.  If the
 * disk of that replica is lost, or the entry damaged on it, before the one that was away has caught
 * up, nobody has the entry; the new primary waits for it (W6), and so does the group, rather than
 * go on without what was acknowledged.
 *
 * On disk a witness's journal is an active replica's.  To forget is a checkpoint without pages: its
 * anchor is the newest entry forgotten, and the segments before it go (node/store.c).  It says that
 * it is *bare*; a journal that begins with any other, or with the group, has all that it takes to
 * execute, and its replay does, whatever the role. */
#include "vr/witness.h"

#include "vr/rooms.h"

uint8_t vr_primary_among_active(uint8_t n_replicas, uint32_t witnesses, uint64_t view)
{
    uint32_t active = ((UINT32_C(1) << n_replicas) - 1) & ~witnesses;
    assert(active != 0);
    for (uint64_t skip = view % (uint32_t)__builtin_popcount(active); skip > 0; skip--)
        active &= active - 1;
    return (uint8_t)__builtin_ctz(active);
}

uint64_t vr_log_bytes_min(const struct vr_config *config)
{
    bool less = config->witnesses != 0 && config->witness_log_bytes < config->log_bytes;
    return less ? config->witness_log_bytes : config->log_bytes;
}

bool vr_witnesses_are_sound(const struct vr_config *config)
{
    if (config->witnesses == 0) return true;
    return config->witnesses >> config->n_replicas == 0 &&
           __builtin_popcount(config->witnesses) <= (config->n_replicas - 1) / 2 &&
           vr_log_bytes_min(config) >= (uint64_t)WITNESS_BATCHES * config->batch_bytes;
}

/* W2 */
void vr_witness_pass(struct vr *r)
{
    uint64_t hole = log_first_hole(&r->log);
    while (r->bare && r->applied < r->commit && r->applied + 1 < hole) {
        r->applied++;
        vr_epoch_passed(r, r->applied);
    }
}

void vr_refuse_as_witness(struct vr *r, const struct vr_asker *asker, const struct wire_request *m)
{
    vr_mark(r, VR_MARK_witness_asked, "kind=%u", m->kind);
    vr_reject(r, asker, WIRE_REJECT_WITNESS,
              "this replica is a witness: it votes, but holds no state and executes nothing");
}

/* --- W3 --------------------------------------------------------------------------------------- */

/* At the primary: up to where all active replicas have acknowledged the log.  That stays true: a
 * replica that lost an entry with its disk has it again before it is normal. */
uint64_t vr_held(struct vr *r)
{
    uint64_t held = r->commit;
    if (r->config.witnesses == 0) return 0;
    for (uint8_t i = 0; i < r->config.n_replicas; i++) {
        if (vr_is_active(r, i) && r->acked_op[i] < held) held = r->acked_op[i];
    }
    vr_note_held(r, held);
    return r->held;
}

void vr_note_held(struct vr *r, uint64_t held)
{
    if (held > r->held) r->held = held;
}

/* Has it forgotten what an active replica may yet need (W4, W5)? */
bool vr_witness_is_exposed(const struct vr *r)
{
    return vr_is_witness(r) && r->checkpoint_op > r->held;
}

static bool is_warming_up(const struct vr *r)
{
    return r->now_us < r->warm_until_us;
}

/* Is it to do with little memory?  It asks for further entries only when those that it may append
 * have left the staged log for its own, and stages no more than its own could take. */
bool vr_witness_is_small(const struct vr *r)
{
    return r->witness && r->bare && !is_warming_up(r);
}

/* Bytes of entries that our log is to have room for. */
static size_t log_bytes_wanted(const struct vr *r)
{
    const struct vr_config *c = &r->config;
    bool less = vr_witness_is_small(r) && c->witness_log_bytes < c->log_bytes;
    return less ? c->witness_log_bytes : c->log_bytes;
}

/* Do the entries after this one take more than so many quarters of the log? */
static bool takes(const struct vr *r, uint64_t after, uint32_t quarters)
{
    const struct log *l = &r->log;
    return l->op - after > (uint64_t)(l->mask + 1) / 4 * quarters ||
           log_bytes_after(l, after) > log_bytes_wanted(r) / 4 * quarters;
}

/* Up to which entry may it, without harm? */
uint64_t vr_witness_may_forget(const struct vr *r)
{
    uint64_t held = r->held < r->applied ? r->held : r->applied;
    return held > r->checkpoint_op ? held : r->checkpoint_op;
}

/* Up to which entry is a witness to forget now?  0: it has room.  A quarter of the log in use
 * leaves room for a pipeline that comes in one step (state_transfer.c): 3/8 (batch.c), and a batch
 * that lies badly at the end. */
uint64_t vr_witness_forgets(struct vr *r)
{
    uint64_t before = r->checkpoint_op, low = before, high = r->applied;
    bool pressed = r->log_is_short || takes(r, before, 3);
    if (!pressed && !takes(r, before, 2)) return 0;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (takes(r, middle, 1)) low = middle + 1;
        else high = middle;
    }
    if (low <= r->held) low = vr_witness_may_forget(r);
    else if (!pressed) return 0;
    if (r->checkpoint_storing) return 0;
    r->log_is_short = false;
    if (low <= before) return 0;
    if (low > r->held) {
        enum log_level level = vr_witness_is_exposed(r) ? LOG_LEVEL_INFO : LOG_LEVEL_WARN;
        vr_mark(r, VR_MARK_witness_forgets_early, "op=%" PRIu64 " held=%" PRIu64, low, r->held);
        vr_log(r, level, "witness-exposed", "op=%" PRIu64 " held=%" PRIu64, low, r->held);
    }
    return low;
}

/* --- W7 --------------------------------------------------------------------------------------- */

#define WARM_STAYS 10u /* times view_change_ms after the last word that it is to be active */

/* With nothing executed yet there is no state, and none to lack. */
void vr_take_role(struct vr *r, bool witness)
{
    r->witness = witness;
    if (r->commit == 0 && r->checkpoint_op == 0) r->bare = witness;
}

bool vr_lacks_state(const struct vr *r)
{
    return r->bare && !r->witness;
}

void vr_keep_warm(struct vr *r, uint8_t from)
{
    r->warm_until_us = r->now_us + WARM_STAYS * vr_patience_us(r);
    bool busy = r->transfer.kind != VR_TRANSFER_NONE || r->transfer.storing ||
                r->checkpoint_storing || r->log.capacity != log_bytes_wanted(r);
    if (r->bare && !busy)
        vr_transfer_start(r, VR_TRANSFER_WARM, from, r->view, 0, (struct vstamp_id){0});
}

/* How far a member to be is, as it tells the primary. */
uint64_t vr_warm_up_to(const struct vr *r)
{
    bool lacks = r->transfer.storing || vr_lacks_state(r) ||
                 (r->bare && r->config.self != NOT_A_MEMBER);
    uint64_t op = r->durable_op < r->applied ? r->durable_op : r->applied;
    return lacks ? 0 : op;
}

/* It has its state, and a log of full size: takes that so much that a checkpoint is due? */
bool vr_witness_is_full(struct vr *r)
{
    bool full = r->log_is_short || takes(r, r->checkpoint_op, 3);
    if (full) r->log_is_short = false;
    return full;
}

/* Its log is full while it fetches the state: what it has of that stays, and the log goes on. */
bool vr_witness_needs_room(struct vr *r)
{
    bool full = r->log_is_short || takes(r, r->checkpoint_op, 3);
    if (r->transfer.kind != VR_TRANSFER_WARM || !r->transfer.pages || !full) return false;
    vr_mark(r, VR_MARK_log_fills_while_warming_up, "op=%" PRIu64, r->log.op);
    vr_transfer_stop(r, "the log is full");
    return true;
}

static void give_back(struct vr *r, void *memory, size_t size)
{
    r->sink.give_back.zero(r->sink.give_back.ctx, memory, size);
}

static void drop_state(struct vr *r)
{
    vr_mark(r, VR_MARK_state_is_dropped, "op=%" PRIu64, r->applied);
    vr_log(r, LOG_LEVEL_INFO, "state-dropped", "op=%" PRIu64, r->applied);
    r->bare = true;
    pages_give_back(&r->pages, &r->sink.give_back);
    client_table_give_back(r->clients, &r->sink.give_back);
    client_table_give_back(r->fetched_clients, &r->sink.give_back);
    give_back(r, r->app_pages.memory, (size_t)r->app_pages.count * VSTAMP_PAGE_MEMORY);
    vr_app_resume(r);
    r->checkpoint_log_bytes = 0;
    r->checkpoint_wanted = true; /* which says so on the disk */
}

void vr_witness_settle(struct vr *r)
{
    struct log *l = &r->log;
    size_t wanted = log_bytes_wanted(r), before = l->capacity;
    bool idle = !r->checkpoint_storing && !r->transfer.storing && !r->pages.fetching;
    bool has_some = !r->bare || r->pages.n_staged > 0;
    bool needed = !r->witness || is_warming_up(r) || r->held < r->membership.op;
    if (r->status != VR_RECOVERING && has_some && idle && !needed) drop_state(r);
    if (r->bare && r->staging.reached > 0 && r->transfer.kind == VR_TRANSFER_NONE) {
        give_back(r, r->staging.bytes, r->staging.reached);
        r->staging.reached = 0;
    }
    if (before == wanted) return;
    if (wanted < before) log_drop(l, l->keep_after);
    if (log_resize(l, wanted) && wanted < before) /* what is held is at the start now */
        give_back(r, l->bytes + l->tail, before - l->tail);
}

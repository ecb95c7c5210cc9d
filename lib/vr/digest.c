/* SPDX-License-Identifier: BSD-2-Clause */
/* Replicas that execute one log reach one state.  If one does not (a bit flipped unnoticed in
 * memory or on a disk, its binary is another one, the application is not deterministic), that is
 * found here, and the replica that is wrong takes no further part.
 *
 *   active replica --DIGEST--> other active replicas     my state after op n has this digest
 *
 *   D1  digests are told of the multiples of checkpoint_ops: those op-numbers are the same
 *       everywhere, whenever checkpoints are taken.  At such a point the pages that changed since
 *       the one before are hashed, a part at a time, while operations go on (pages.h).  The trail
 *       (trail.c) has further points: the multiples of digest_ops, or by default each one that
 *       costs little, by the pages that changed and the time of the group.  Replicas with one state
 *       choose the same ones, from the last point that all of them have on;
 *   D2  what more than half of the active replicas say of a point is right: one log has one state,
 *       and no two replicas are damaged in the same way, unless one has its state from the other
 *       (D8).  So it takes three to tell who is wrong;
 *   D3  a replica that differs from that fences itself: it says nothing from then on, answers no
 *       client, and ends for good once its journal says so, durably.  Its log is right, and what it
 *       promised and acknowledged stands: to the others it is a replica that is down.  Its folder
 *       is kept for inspection, and refused at the next start; with an empty one it recovers from
 *       the others (recovery.c);
 *   D4  if no state has such a majority nobody is fenced, but all replicas report it, and name who
 *       differs;
 *   D5  pages that no operation changes are read again and again, in the background: what memory
 *       holds of them must be what was hashed at the point.  If it is not, this replica knows
 *       without the others that it is wrong;
 *   D6  one that comes back without its state gets that of the others: what it told before, and
 *       what was found of it, is of a state that there is no more;
 *   D7  between points only what is in pages has a digest.  An application with memory of its own
 *       saves, unless digest_ops says when, in a pause of the group that is long beside what that
 *       takes: so whoever asks all replicas of an idle group is told of the same op-number;
 *   D8  one that has taken pages (page_transfer.c) is as wrong as whoever named it their root, so
 *       these two count as one where they say the same; and so do two that have them from a third,
 *       which may say something else by now.  With its digest a replica tells whose pages it has,
 *       until it is found right: after that it came to its state by itself.  What all active
 *       replicas say is right in any case, as nobody says anything else.  The name of that other
 *       one is a checksum of its address, so that it is the same in later epochs, also where it is
 *       no member; and the hard state, with which each checkpoint begins, says it to a restart.
 *
 * What a wrong replica answered before the next point stands: the alarm bounds the damage, it does
 * not undo it.  Each replica judges by what it hears itself, so a lost message hides a verdict
 * until the next point at most. */
#include <stdio.h>
#include <string.h>

#include "base/checksum.h"
#include "vr/rooms.h"

#define LOOKED_AT_MAX 16u   /* pages in a turn: some microseconds, */
#define LOOK_US       1000u /* and not in each of the many that a busy group has */
#define PAGES_A_MS    4u    /* some microseconds to hash, of each millisecond of the group's time */
#define PAGES_A_SAVE  128u  /* as which the call of an application counts that has memory, */
#define PAGES_A_PAGE  8u    /* and each page of its state */

static struct vr_digest *kept(struct vr *r, uint8_t replica, uint64_t op)
{
    return &r->digests.heard[replica][op / r->config.checkpoint_ops % DIGESTS_KEPT];
}

static int n_active(const struct vr *r)
{
    return r->config.n_replicas - __builtin_popcount(r->config.witnesses);
}

static void note(struct vr *r, uint8_t replica, const struct vr_digest *told)
{
    struct vr_digest *place = kept(r, replica, told->op);
    if (told->op >= place->op) *place = *told;
}

/* The replicas that have said this of that point. */
static uint32_t who_says(struct vr *r, uint64_t op, struct vstamp_id digest)
{
    uint32_t who = 0;
    for (uint8_t i = 0; i < r->config.n_replicas; i++) {
        const struct vr_digest *theirs = kept(r, i, op);
        if (theirs->op == op && vstamp_id_equal(theirs->digest, digest)) who |= UINT32_C(1) << i;
    }
    return who;
}

/* Of a bitset. */
static const char *replicas_text(uint32_t who, char *text, size_t size)
{
    size_t used = 0;
    text[0] = '\0';
    for (uint32_t i = 0; who >> i != 0 && used < size; i++) {
        if (((who >> i) & 1) == 0) continue;
        used += (size_t)snprintf(text + used, size - used, "%s%u", used > 0 ? "," : "", i);
    }
    return text;
}

/* D3 */
static void fence(struct vr *r, uint64_t op)
{
    if (r->over) return;
    vr_trail_keep(r, op);
    r->diverged_op = op;
    vr_persist_state(r);
    vr_stop_for_good(r);
}

void vr_digest_fence(struct vr *r, uint64_t op)
{
    fence(r, op);
}

static void fence_by(struct vr *r, uint64_t op, struct vstamp_id right, uint32_t who)
{
    struct vstamp_id ours = kept(r, r->config.self, op)->digest;
    char others[4 * REPLICAS_MAX];
    vr_mark(r, VR_MARK_replica_is_fenced, "op=%" PRIu64, op);
    vr_log(r, LOG_LEVEL_ERROR, "diverged",
           "op=%" PRIu64 " after=%" PRIu64 " digest=%016" PRIx64 "%016" PRIx64
           " right=%016" PRIx64 "%016" PRIx64 " replicas=%s", op, r->digests.agreed, ours.hi,
           ours.lo, right.hi, right.lo, replicas_text(who, others, sizeof others));
    fence(r, op);
}

static void say_of_another(struct vr *r, uint64_t op, uint8_t replica)
{
    if (((r->digests.differ >> replica) & 1) != 0) return;
    if (r->digests.differ == 0) vr_trail_keep(r, op);
    r->digests.differ |= UINT32_C(1) << replica;
    r->digests.differ_op[replica] = op;
    vr_mark(r, VR_MARK_another_diverged, "replica=%u op=%" PRIu64, replica, op);
    vr_log(r, LOG_LEVEL_ERROR, "replica-diverged", "op=%" PRIu64 " after=%" PRIu64 " differs=%u",
           op, r->digests.agreed_with[replica], replica);
}

/* D4 */
static void say_undecided(struct vr *r, uint64_t op, uint32_t who)
{
    char text[4 * REPLICAS_MAX];
    struct vr_digests *d = &r->digests;
    if (op < d->undecided_op || (op == d->undecided_op && (who & ~d->undecided) == 0)) return;
    vr_trail_keep(r, op);
    d->undecided_op = op;
    d->undecided = who;
    vr_mark(r, VR_MARK_digests_undecided, "op=%" PRIu64, op);
    vr_log(r, LOG_LEVEL_ERROR, "states-differ", "op=%" PRIu64 " after=%" PRIu64 " replicas=%s", op,
           d->agreed, replicas_text(who, text, sizeof text));
}

static uint64_t name_of(const struct vr *r, uint8_t slot)
{
    const char *address = vr_slot_address(r, slot);
    return checksum64(address, strlen(address));
}

/* D8.  Has it that state from another of them, or from where one of them before it has it from? */
static bool is_copy(struct vr *r, uint64_t op, uint32_t who, uint8_t replica)
{
    uint64_t source = kept(r, replica, op)->source;
    for (uint8_t i = 0; source != 0 && i < r->config.n_replicas; i++) {
        if (((who >> i) & 1) == 0) continue;
        if (name_of(r, i) == source) return true;
        if (i < replica && kept(r, i, op)->source == source) return true;
    }
    return false;
}

static bool is_right(struct vr *r, uint64_t op, uint32_t who)
{
    int n = 0;
    for (uint8_t i = 0; i < r->config.n_replicas; i++)
        n += ((who >> i) & 1) != 0 && !is_copy(r, op, who, i);
    return 2 * n > n_active(r) || __builtin_popcount(who) == n_active(r);
}

/* D2.  Who has the state that is right, of those that were told of this point?  0: nobody knows. */
static uint32_t who_is_right(struct vr *r, uint64_t op, struct vstamp_id *right)
{
    for (uint8_t i = 0; i < r->config.n_replicas; i++) {
        if (kept(r, i, op)->op != op) continue;
        uint32_t who = who_says(r, op, kept(r, i, op)->digest);
        *right = kept(r, i, op)->digest;
        if (is_right(r, op, who)) return who;
    }
    return 0;
}

static void judge(struct vr *r, uint64_t op)
{
    struct vr_digests *d = &r->digests;
    struct vstamp_id right = {0};
    uint32_t told = 0, who = who_is_right(r, op, &right);
    for (uint8_t i = 0; i < r->config.n_replicas; i++)
        if (kept(r, i, op)->op == op) told |= UINT32_C(1) << i;
    if (who == 0) {
        struct vstamp_id one = kept(r, (uint8_t)__builtin_ctz(told), op)->digest;
        if (who_says(r, op, one) != told) say_undecided(r, op, told);
        return;
    }
    uint32_t wrong = told & ~who;
    if (((wrong >> r->config.self) & 1) != 0) {
        if (op > d->agreed) fence_by(r, op, right, who); /* else it is right again */
        return;
    }
    if (op >= d->undecided_op) d->undecided = 0; /* it is known now who is right */
    for (uint8_t i = 0; i < r->config.n_replicas; i++) {
        if (((wrong >> i) & 1) != 0) say_of_another(r, op, i);
        if (((who >> i) & 1) == 0) continue;
        if (op > d->differ_op[i]) d->differ &= ~(UINT32_C(1) << i);
        if (op > d->agreed_with[i]) d->agreed_with[i] = op;
    }
    if (op <= d->agreed || ((who >> r->config.self) & 1) == 0) return;
    d->agreed = op;
    r->source = 0; /* what was told before it took the pages is forgotten */
}

/* --- points ----------------------------------------------------------------------------------- */

/* D6 */
void vr_digest_forget_of(struct vr *r, uint8_t replica)
{
    struct vr_digests *d = &r->digests;
    uint32_t its = UINT32_C(1) << replica;
    memset(d->heard[replica], 0, sizeof d->heard[replica]);
    if (((d->differ | d->undecided) & its) == 0) return;
    vr_mark(r, VR_MARK_diverged_state_is_gone, "replica=%u", replica);
    d->differ &= ~its;
    d->undecided &= ~its;
    if (d->undecided == 0) return;
    uint8_t first = (uint8_t)__builtin_ctz(d->undecided);
    uint32_t alike = who_says(r, d->undecided_op, kept(r, first, d->undecided_op)->digest);
    if ((d->undecided & ~alike) == 0) d->undecided = 0; /* their states are one */
}

/* The state is another than the one that was executed. */
void vr_digest_forget(struct vr *r)
{
    vr_trail_cut(r);
    r->source = 0;
    r->digests.pending = 0;
    if (r->config.self == NOT_A_MEMBER) return;
    for (uint32_t i = 0; i < DIGESTS_KEPT; i++)
        r->digests.heard[r->config.self][i] = (struct vr_digest){0};
}

void vr_digest_taken_from(struct vr *r, uint8_t slot)
{
    r->source = name_of(r, slot);
}

static bool takes_part(const struct vr *r)
{
    return (r->status == VR_NORMAL || r->status == VR_VIEW_CHANGE) && !vr_is_witness(r);
}

static void send_to(struct vr *r, uint8_t replica, const struct vr_digest *ours)
{
    VR_SEND(r, replica, digest, .op = ours->op, .digest = ours->digest, .source = ours->source);
}

/* The digest of the newest point, once it is known. */
static void tell(struct vr *r, uint32_t hashed_at_once)
{
    struct vr_digests *d = &r->digests;
    if (d->pending == 0 || !pages_settle(&r->pages, PAGES_POINT, hashed_at_once)) return;
    struct vr_digest ours = {.op = d->pending,
                             .digest = tree_root(pages_tree(&r->pages, PAGES_POINT)),
                             .source = r->source};
    d->pending = 0;
    vr_trail_point(r, ours.op);
    if (ours.op % r->config.checkpoint_ops != 0 || !takes_part(r)) return;
    note(r, r->config.self, &ours);
    for (uint8_t i = 0; i < r->config.n_replicas; i++)
        if (i != r->config.self && vr_is_active(r, i)) send_to(r, i, &ours);
    judge(r, ours.op);
}

static bool costs_little(uint64_t pages, uint64_t since_us, uint64_t now_us)
{
    return now_us - since_us >= pages * 1000 / PAGES_A_MS;
}

/* What is in memory of its own has to be saved. */
static uint64_t cost_of_saving(const struct vr *r)
{
    uint32_t first = r->app_pages.first, n_used = r->pages.n_used;
    return PAGES_A_SAVE + PAGES_A_PAGE * (n_used > first ? n_used - first : 0);
}

static bool is_point(const struct vr *r, uint64_t now_us)
{
    const struct vr_config *c = &r->config;
    if (r->applied % c->checkpoint_ops == 0) return true;
    if (c->digest_ops != 0) return r->applied % c->digest_ops == 0;
    if (r->trail.entries == NULL) return false;
    uint64_t pages = pages_point_cost(&r->pages);
    if (vr_app_has_memory(r)) pages += cost_of_saving(r);
    return costs_little(pages, r->digests.point_us, now_us);
}

/* D1: op `applied` has just been executed. */
void vr_digest_point(struct vr *r)
{
    uint64_t now_us = log_at(&r->log, r->applied)->header.timestamp;
    r->digests.executed_us = r->now_us;
    if (!is_point(r, now_us) || !vr_app_settle(r)) return;
    tell(r, UINT32_MAX); /* that of the point before */
    vr_trail_cut(r);
    pages_point(&r->pages);
    r->digests.pending = r->applied;
    r->digests.point_us = now_us;
}

/* D5.  Alone, or with one other, there would be nobody to bring it back. */
static void look(struct vr *r)
{
    uint32_t n = r->pages.n_used / r->config.checkpoint_ops + 1;
    if (r->now_us < r->digests.next_look_us) return;
    r->digests.next_look_us = r->now_us + LOOK_US;
    uint32_t page = pages_look(&r->pages, n < LOOKED_AT_MAX ? n : LOOKED_AT_MAX);
    if (page == r->pages.n_max || page + 1 == r->digests.rotten_page) return;
    r->digests.rotten_page = page + 1;
    vr_mark(r, VR_MARK_memory_rots, "page=%" PRIu32, page);
    vr_log(r, LOG_LEVEL_ERROR, "memory-rotten", "page=%" PRIu32 " op=%" PRIu64, page, r->applied);
    vr_trail_rotten(r, page);
    if (r->config.n_replicas > 2) fence(r, r->applied);
}

/* D7 */
static void save_in_pause(struct vr *r)
{
    if (!r->app_is_ahead || r->config.digest_ops != 0) return;
    if (r->done > 0 || r->pages.fetching) return;
    if (!costs_little(cost_of_saving(r), r->digests.executed_us, r->now_us)) return;
    vr_mark(r, VR_MARK_saved_in_pause, "op=%" PRIu64, r->applied);
    vr_app_settle(r);
}

void vr_digest_turn_end(struct vr *r)
{
    if (!takes_part(r)) return;
    tell(r, PAGES_HASHED_AT_ONCE);
    if (!r->over) look(r);
    if (!r->over) save_in_pause(r);
}

/* It may have missed the newest one. */
void vr_digest_repeat(struct vr *r, uint8_t replica)
{
    const struct vr_digest *newest = NULL;
    if (!takes_part(r) || replica >= r->config.n_replicas || !vr_is_active(r, replica)) return;
    for (uint32_t i = 0; i < DIGESTS_KEPT; i++) {
        const struct vr_digest *one = &r->digests.heard[r->config.self][i];
        if (one->op > 0 && (newest == NULL || one->op > newest->op)) newest = one;
    }
    if (newest != NULL) send_to(r, replica, newest);
}

/* What is committed has one state, in any view. */
void vr_on_digest(struct vr *r, uint8_t from, const struct wire_digest *m)
{
    if (vr_is_witness(r) || !vr_is_active(r, from) || m->op == 0 || m->op > NUMBER_MAX ||
        m->op % r->config.checkpoint_ops != 0) {
        vr_mark(r, VR_MARK_digest_of_no_point, "op=%" PRIu64 " from=%u", m->op, from);
        return;
    }
    note(r, from, &(struct vr_digest){.op = m->op, .digest = m->digest, .source = m->source});
    if (kept(r, from, m->op)->op == m->op) judge(r, m->op);
}

const char *vr_diverged_text(const struct vr *r, char *text, size_t size)
{
    const struct vr_digests *d = &r->digests;
    char who[4 * REPLICAS_MAX];
    size_t used = 0;
    text[0] = '\0';
    for (uint8_t i = 0; d->differ >> i != 0 && used < size; i++) {
        if (((d->differ >> i) & 1) == 0) continue;
        used += (size_t)snprintf(text + used, size - used, "%sreplica %u at op %" PRIu64,
                                 used > 0 ? ", " : "", i, d->differ_op[i]);
    }
    if (d->undecided != 0 && used < size)
        snprintf(text + used, size - used, "%sreplicas %s at op %" PRIu64, used > 0 ? ", " : "",
                 replicas_text(d->undecided, who, sizeof who), d->undecided_op);
    return text;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* Epochs (paper section 7): moving from one membership to the next, and what becomes of replicas
 * that are no longer members.  Who is to be a member, and when, is decided in reconfiguration.c.
 *
 *   old primary --COMMIT-------> old members    the last one of the epoch: op n is committed
 *   who moved   --START-EPOCH--> new members    epoch e + 1 begins after op n, with these members
 *   new member  --EPOCH-STARTED> replaced       I hold all up to n, and have begun the epoch
 *   who moved   --NEW-EPOCH----> who did not    in answer to whatever it says of an older epoch
 *
 *   E1  an entry that reconfigures ends its epoch: nothing follows it there, whoever is primary,
 *       and it is a quorum of the old members that commits it (PIT-8.3, 8.5);
 *   E2  whoever executes it moves: the new membership, quorum and view apply at once, and together.
 *       Epochs are compared before views, everywhere (PIT-8.1);
 *   E3  that a replica has moved is durable before it says so, or anything in the new epoch;
 *   E4  a replica that learns of an epoch, but lacks the log up to its beginning, is
 *       *transitioning*: it votes, promises and acknowledges nothing until it holds that log, whole
 *       and checked (PIT-8.1).  It fetches what is committed from old and new members, which give
 *       it in any status (PIT-8.2);
 *   E5  a learner becomes a member only if the membership names its present token, which shows that
 *       it has forgotten nothing of what it learned.  One that has lost its memory since recovers,
 *       in that epoch;
 *   E6  a member takes part in an epoch only as the life that the membership names, or as one that
 *       a quorum of the epoch has noted (restart.c, S2): else two lives of it could take part.  A
 *       learner that has restarted from its disk is not the life that is named: its folder may be
 *       an old copy, from before a life that has been a member since;
 *   E7  news of an epoch is believed only if it brings the membership, comes from the same group,
 *       and is of a later epoch than ours (PIT-8.16);
 *   E8  a replaced replica serves state, and nothing else, until the log is safe without it: until
 *       enough active members to be a quorum have begun the epoch.  Then it ends, for good (7.3;
 *       PIT-8.7, 8.8).  If it was away until all the members that it knew have gone, those of today
 *       look for it (former.c).  Before it ends it lingers for LINGER_MS, only to tell clients
 *       where the group is: those who lost their primary ask the others a moment later, and where
 *       all members were replaced at once nobody else could tell them;
 *   E9  an index names a replica within its epoch only.  Acknowledgements, votes and promises,
 *       which were said by index, are forgotten when the epoch changes; lives, and what was vouched
 *       for, follow the address to its new index.
 *
 * The first view of an epoch is above all that its log was prepared in, and its primary is a
 * replica that holds the log (PIT-8.14).  COMMIT leaves in the old epoch, before the sender moves
 * (PIT-8.10). */
#include <stdio.h>
#include <string.h>

#include "vr/rooms.h"

#define LINGER_MS 2000u

static bool is_member(const struct vr *r)
{
    return r->config.self != NOT_A_MEMBER;
}

/* --- the directory ---------------------------------------------------------------------------- */

uint8_t vr_n_slots(const struct vr *r)
{
    return (uint8_t)(r->config.n_replicas + r->guests.n);
}

const char *vr_slot_address(const struct vr *r, uint8_t slot)
{
    if (slot < r->config.n_replicas) return r->membership.members[slot].address;
    slot = (uint8_t)(slot - r->config.n_replicas);
    return slot < r->guests.n ? r->guests.members[slot].address : NULL;
}

static void tell_directory(struct vr *r)
{
    if (r->started) r->sink.directory(r->sink.ctx);
}

/* Those of `others` that are no members are guests, too.  Were there any? */
static bool add_guests(struct vr *r, const struct vr_membership *others)
{
    struct vr_membership *guests = &r->guests;
    uint8_t before = guests->n;
    for (uint8_t i = 0; i < others->n && guests->n < REPLICAS_MAX; i++) {
        const struct vr_member *one = &others->members[i];
        if (vr_membership_find(&r->membership, one->address) != NOT_A_MEMBER) continue;
        if (vr_membership_find(guests, one->address) != NOT_A_MEMBER) continue;
        if (strcmp(one->address, r->address) == 0) continue;
        guests->members[guests->n++] = *one;
    }
    return guests->n > before;
}

static void take_guests(struct vr *r, const struct vr_membership *others, bool greets)
{
    r->guests.n = 0;
    r->greets = greets;
    if (others != NULL) add_guests(r, others);
    tell_directory(r);
}

void vr_take_guests(struct vr *r, const struct vr_membership *others)
{
    take_guests(r, others, false);
}

void vr_take_former(struct vr *r, const struct vr_membership *former)
{
    if (r->guests.n > 0 || former->n > 0) take_guests(r, former, true);
    r->greets = true;
}

/* The membership, and a copy of it in the configuration, which is where the rooms look. */
static void take_membership(struct vr *r, const struct vr_membership *next, uint8_t self)
{
    struct vr_config *c = &r->config;
    r->membership = *next;
    c->n_replicas = r->membership.n;
    c->witnesses = r->membership.witnesses;
    c->self = self;
    for (uint8_t i = 0; i < c->n_replicas; i++) {
        c->addresses[i] = r->membership.members[i].address;
        c->status_addresses[i] = r->membership.members[i].status;
    }
    r->quorum = (uint8_t)(c->n_replicas / 2 + 1);
    r->epoch = r->membership.epoch;
}

/* --- what goes along (E9) --------------------------------------------------------------------- */

static void carry_numbers(uint64_t values[static REPLICAS_MAX + 1], const uint8_t *from, uint8_t n)
{
    uint64_t before[REPLICAS_MAX + 1];
    memcpy(before, values, sizeof before);
    memset(values, 0, sizeof before);
    for (uint8_t i = 0; i < n; i++) values[i] = from[i] != NOWHERE ? before[from[i]] : 0;
    values[NOT_A_MEMBER] = before[from[NOT_A_MEMBER]];
}

static void carry_token(struct vr *r, uint8_t self)
{
    struct vstamp_id own = r->tokens[r->config.self];
    memset(r->tokens, 0, sizeof r->tokens);
    memset(r->other_tokens, 0, sizeof r->other_tokens);
    memset(r->other_token_heard, 0, sizeof r->other_token_heard);
    memset(r->nonces, 0, sizeof r->nonces);
    r->tokens[self] = own;
}

static void forget_what_was_said(struct vr *r)
{
    memset(r->acked_op, 0, sizeof r->acked_op);
    memset(r->heartbeat_ok, 0, sizeof r->heartbeat_ok);
    memset(r->heard_us, 0, sizeof r->heard_us);
    memset(r->lease_us, 0, sizeof r->lease_us);
    memset(r->vote_us, 0, sizeof r->vote_us);
    memset(r->last_heard_us, 0, sizeof r->last_heard_us);
    memset(r->speaks, 0, sizeof r->speaks);
    r->clocks_known = r->clocks_off = 0;
    for (uint8_t i = 0; i < REPLICAS_MAX; i++) {
        r->promises[i].present = false;
        r->answers[i].present = false;
    }
    r->digests = (struct vr_digests){.pending = r->digests.pending};
    r->suspects = r->promised = r->starting = false;
    r->noted = r->to_note = r->strangers = r->asked = r->agreed = 0;
    r->nonce = vr_draw_id(r);
    r->begun = r->cut_off = 0;
    r->told_begun = r->restart_told = false;
}

/* The index that this member has had.  One that was replaced, and came again with an empty folder,
 * is another replica, though at the same address (PIT-8.12). */
static uint8_t index_before(const struct vr *r, const struct vr_member *member)
{
    uint8_t before = vr_membership_find(&r->membership, member->address);
    bool same = before != NOT_A_MEMBER &&
                vstamp_id_equal(r->membership.members[before].token, member->token);
    return same ? before : NOWHERE;
}

/* Were all that are to be active it before?  Else what all of those hold is not known (W3). */
static bool none_begins_to_be_active(const struct vr *r, const struct vr_membership *next,
                                     const uint8_t *from)
{
    for (uint8_t i = 0; i < next->n; i++) {
        bool was = from[i] < r->membership.n &&
                   !vr_among_witnesses(r->membership.witnesses, from[i]);
        if (!was && !vr_among_witnesses(next->witnesses, i)) return false;
    }
    return true;
}

/* The membership changes, and all that is kept by index with it. */
static void adopt(struct vr *r, const struct vr_membership *next)
{
    uint8_t from[REPLICAS_MAX + 1], self = vr_membership_find(next, r->address);
    for (uint8_t i = 0; i < next->n; i++)
        from[i] = i == self ? r->config.self : index_before(r, &next->members[i]);
    from[NOT_A_MEMBER] = r->config.self;
    carry_numbers(r->crash_vector, from, next->n);
    carry_numbers(r->vouched, from, next->n);
    carry_token(r, self);
    if (!none_begins_to_be_active(r, next, from)) r->held = 0;
    forget_what_was_said(r);
    take_membership(r, next, self);
    if (self != NOT_A_MEMBER) vr_take_role(r, vr_among_witnesses(next->witnesses, self));
    for (uint8_t i = 0; i < next->n; i++) {
        uint64_t known = next->members[i].incarnation;
        if (i != self && r->crash_vector[i] < known) r->crash_vector[i] = known;
    }
}

void vr_epoch_init(struct vr *r)
{
    struct vr_membership first;
    uint8_t self = r->given.self;
    vr_membership_of_config(&first, &r->given);
    memcpy(r->address, first.members[self].address, sizeof r->address);
    take_membership(r, &first, self);
}

/* To learn from that group, without being a member of it. */
void vr_epoch_join(struct vr *r, const struct vr_membership *membership)
{
    adopt(r, membership);
    vr_take_guests(r, NULL);
}

/* Back to what we were told at the start: what was learned since is void. */
void vr_epoch_void(struct vr *r)
{
    struct vr_membership first;
    vr_membership_of_config(&first, &r->given);
    bool same = r->epoch == 0 && vstamp_id_equal(vr_membership_checksum(&first),
                                                 vr_membership_checksum(&r->membership));
    if (same) take_membership(r, &first, r->given.self); /* what is known of the others stays */
    else adopt(r, &first);
    vr_take_role(r, vr_among_witnesses(first.witnesses, r->given.self));
    r->replaced = r->retired = false;
    vr_take_guests(r, NULL);
}

/* --- which entries end an epoch --------------------------------------------------------------- */

/* Does this entry reconfigure?  By its bytes alone, so all say the same, witnesses too. */
static bool reconfigures(const struct vr *r, uint64_t op, struct vr_membership *next)
{
    struct wire_operation o;
    struct wire_reconfigure asked;
    struct wire_epoch_choice choice;
    struct bytes body = log_body(&r->log, op);
    struct reader at = reader_over(body.data, body.size);
    if (read_u32(&at) != 1 || wire_decode_next(&wire_shape_operation, &at, &o) != 0 ||
        o.kind != WIRE_KIND_RECONFIGURE || o.prediction.size == 0)
        return false;
    if (wire_decode(&wire_shape_reconfigure, o.body, &asked) != 0 ||
        wire_decode(&wire_shape_epoch_choice, o.prediction, &choice) != 0 ||
        !vr_members_read(next, &asked.next) || choice.tokens.count != next->n ||
        choice.incarnations.count != next->n || choice.first_view > NUMBER_MAX)
        return false;
    struct reader tokens = wire_list_start(&choice.tokens);
    struct reader incarnations = wire_list_start(&choice.incarnations);
    for (uint8_t i = 0; i < next->n; i++) {
        struct wire_token token;
        struct wire_counter incarnation;
        wire_list_next(&wire_shape_token, &tokens, &token);
        wire_list_next(&wire_shape_counter, &incarnations, &incarnation);
        next->members[i].token = token.value;
        next->members[i].incarnation = incarnation.value;
    }
    next->epoch = asked.epoch + 1;
    next->op = op;
    next->checksum = log_at(&r->log, op)->header.checksum;
    next->first_view = choice.first_view;
    return true;
}

/* E1 */
bool vr_epoch_is_closed(const struct vr *r)
{
    struct vr_membership next;
    bool here = r->log.op > r->applied && !vr_has_hole(r, r->log.op);
    return here && reconfigures(r, r->log.op, &next);
}

/* --- moving ----------------------------------------------------------------------------------- */

/* Does our log reach to the epoch's beginning, even if it has holes (mend.c)? */
static bool log_reaches_begin(const struct vr *r)
{
    const struct vr_membership *m = &r->membership;
    const struct wire_entry_header *ours = log_header(&r->log, m->op);
    if (r->log.first > m->op + 1) return true; /* behind a checkpoint, which is committed */
    return ours != NULL && vstamp_id_equal(ours->checksum, m->checksum);
}

/* Is all here that the epoch begins with? */
bool vr_epoch_is_complete(const struct vr *r)
{
    return log_reaches_begin(r) && !vr_has_hole(r, r->membership.op) && !vr_lacks_state(r);
}

/* The token by which a membership means us, as we are now. */
static struct vstamp_id own_token(const struct vr *r)
{
    return is_member(r) ? r->membership.members[r->config.self].token : r->tokens[NOT_A_MEMBER];
}

/* We are said to be a member, but have no memory of it: recover, in that epoch (E5). */
static void recover_in(struct vr *r, const struct vr_membership *next)
{
    vr_mark(r, VR_MARK_recovers_in_epoch, "epoch=%u", next->epoch);
    vr_transfer_stop(r, "another epoch");
    adopt(r, next);
    vr_take_guests(r, NULL);
    vr_recovery_anew(r);
}

/* The group has moved to this membership, and we with it (E2). */
static void move_to(struct vr *r, const struct vr_membership *next,
                    const struct vr_membership *previous)
{
    bool learns = !is_member(r) && !r->replaced;
    uint64_t life = r->crash_vector[r->config.self];
    struct vr_membership before = *previous;
    uint8_t self = vr_membership_find(next, r->address);
    vr_transfer_stop(r, "another epoch");
    vr_reads_clear(r);
    vr_batch_clear(r);
    vr_proposal_forget(r);
    if (self != NOT_A_MEMBER && !vstamp_id_equal(next->members[self].token, own_token(r))) {
        if (!r->started || r->checkpoint_storing) return; /* it will be told again */
        vr_recovery_forget_all(r);
        recover_in(r, next);
        return;
    }
    adopt(r, next);
    r->view = r->log_view = next->first_view;
    r->incarnation = life;
    r->replaced = self == NOT_A_MEMBER && !learns;
    if (self == NOT_A_MEMBER) {
        r->restarting = false;
    } else if (life != next->members[self].incarnation) { /* E6 */
        vr_mark(r, VR_MARK_life_not_in_membership, "epoch=%u", next->epoch);
        r->restarting = true;
    }
    if (!r->started) return;
    vr_timers_off(r);
    vr_take_guests(r, &before);
    vr_log(r, LOG_LEVEL_INFO, "epoch", "epoch=%u op=%" PRIu64 " replicas=%u role=%s", r->epoch,
           next->op, next->n, is_member(r) ? "member" : r->replaced ? "replaced" : "learner");
    vr_become(r, r->restarting ? VR_RECOVERING : VR_TRANSITIONING);
    vr_persist_state(r);
    vr_timer_set(r, r->restarting ? VR_TIMER_RECOVERY : VR_TIMER_EPOCH, 0);
}

/* This entry was executed, or passed over. */
void vr_epoch_passed(struct vr *r, uint64_t op)
{
    struct vr_membership next;
    if (!reconfigures(r, op, &next)) return;
    if (next.epoch != r->epoch + 1) {
        vr_mark(r, VR_MARK_epoch_was_known, "epoch=%u", next.epoch);
        return; /* history */
    }
    bool was_primary = vr_is_primary(r) && r->started;
    if (was_primary) vr_send_heartbeat(r); /* the last COMMIT of the old epoch (PIT-8.10) */
    vr_former_derive(&r->membership, &next);
    move_to(r, &next, &r->membership);
    r->says_epoch = was_primary;
}

/* The hard state knows who the group is, whatever we were told at the start. */
int vr_epoch_restore(struct vr *r, const struct wire_hard_state *state)
{
    struct vr_membership m;
    if (state->membership.members.count == 0) return state->epoch == 0 ? 0 : VSTAMP_E_CORRUPT;
    if (!vr_membership_read(&m, &state->membership)) return VSTAMP_E_CORRUPT;
    uint8_t self = vr_membership_find(&m, r->address);
    if (m.epoch != state->epoch || self != state->self) return VSTAMP_E_CORRUPT;
    adopt(r, &m);
    r->replaced = self == NOT_A_MEMBER && vstamp_id_is_zero(state->token);
    r->retired = state->retired != 0;
    if (self != NOT_A_MEMBER) return 0;
    r->tokens[NOT_A_MEMBER] = state->token;
    bool is_first = r->checkpoint_op == 0 && r->commit == 0; /* all there ever was follows */
    vr_take_role(r, r->bare && !is_first); /* until the next LEARN says more */
    return 0;
}

/* Back from the disk, as no member. */
void vr_epoch_resume(struct vr *r)
{
    r->status = VR_TRANSITIONING;
    r->restarting = false;
    r->crash_vector[NOT_A_MEMBER] = vr_incarnation_after_start(r); /* E6 */
    if (r->retired) {
        r->over = true;
        return;
    }
    vr_timer_set(r, VR_TIMER_EPOCH, 0);
}

/* --- transitioning (E4) ----------------------------------------------------------------------- */

/* From this one first, if it is another. */
static void fetch(struct vr *r, uint8_t peer)
{
    uint8_t n = vr_n_slots(r);
    if (peer == r->config.self) peer = (uint8_t)((peer + 1) % n);
    if (peer == r->config.self || peer >= n) return;
    vr_transfer_start(r, VR_TRANSFER_EPOCH, peer, r->view, r->membership.op,
                      r->membership.checksum);
}

/* Are we the life that the membership names? */
static bool is_known_life(const struct vr *r)
{
    uint8_t self = r->config.self;
    return r->crash_vector[self] == r->membership.members[self].incarnation;
}

/* All is here: be a member, in the view that the epoch begins with. */
static void begin(struct vr *r)
{
    vr_transfer_stop(r, "the epoch begins");
    vr_truncate(r, r->commit);
    vr_timer_off(r, VR_TIMER_EPOCH);
    vr_persist_state(r);
    vr_log(r, LOG_LEVEL_INFO, "epoch-begun", "epoch=%u view=%" PRIu64 " op=%" PRIu64, r->epoch,
           r->view, r->log.op);
    vr_become(r, VR_VIEW_CHANGE);
    if (vr_primary_of(r, r->view) != r->config.self) {
        vr_become(r, VR_NORMAL);
        vr_normal_begin(r);
    } else if (vr_view_is_over(r) || !is_known_life(r)) { /* a former one may have led it */
        vr_mark(r, VR_MARK_first_view_is_over, "view=%" PRIu64, r->view);
        vr_enter_view(r, r->view + 1, "the first view of the epoch is over");
    } else {
        r->promised = r->starting = true; /* it begins once that is durable */
    }
}

/* Has it lost entries that only those whom it replaced can have?  It did not begin the epoch, then,
 * as nothing follows (and if it did, and they have ended, nobody has them). */
static bool is_alone_with_holes(const struct vr *r)
{
    return r->config.n_replicas == 1 && r->log.op <= r->membership.op &&
           vr_has_hole(r, r->membership.op);
}

/* The answer to RESTART is in: what the disk holds may not be all that the epoch begins with.  With
 * holes it is, if other members can mend them: entries of this epoch may follow, which we have
 * acknowledged. */
bool vr_epoch_waits(struct vr *r)
{
    if (log_reaches_begin(r) && !vr_lacks_state(r) && !is_alone_with_holes(r)) {
        if (r->log.op >= r->membership.op) vr_commit_up_to(r, r->membership.op);
        return false;
    }
    vr_mark(r, VR_MARK_restart_in_transition, "epoch=%u", r->epoch);
    vr_become(r, VR_TRANSITIONING);
    vr_timer_set(r, VR_TIMER_EPOCH, 0);
    return true;
}

/* --- what is said ----------------------------------------------------------------------------- */

/* The members of the epoch before, including ourselves if we were one; as far as we know them. */
static struct wire_list previous_list(const struct vr *r, uint8_t *buffer, size_t size)
{
    struct vr_membership previous = {.n = 0};
    if (!r->proposal.pending) previous = r->guests;
    if (r->replaced && previous.n < REPLICAS_MAX)
        memcpy(previous.members[previous.n++].address, r->address, sizeof r->address);
    return vr_member_list(&previous, buffer, size);
}

static void say_start(struct vr *r, uint8_t to)
{
    uint8_t members[VR_MEMBERSHIP_BYTES], previous[VR_MEMBERS_BYTES];
    VR_SEND(r, to, start_epoch,
            .membership = vr_membership_to_wire(&r->membership, members, sizeof members),
            .previous = previous_list(r, previous, sizeof previous));
}

/* To whoever speaks of an older epoch, be it a replica or a client.  A replaced replica that is not
 * needed any more tells it until its process ends. */
void vr_epoch_tell(struct vr *r, uint8_t to)
{
    if (r->over && !r->retired) return;  /* D3 */
    if (!vr_is_durable_state(r)) return; /* E3: it asks again */
    uint8_t members[VR_MEMBERSHIP_BYTES], previous[VR_MEMBERS_BYTES];
    VR_SEND(r, to, new_epoch,
            .membership = vr_membership_to_wire(&r->membership, members, sizeof members),
            .previous = previous_list(r, previous, sizeof previous));
}

/* To whoever speaks of a later one: which? */
static void ask_epoch(struct vr *r, uint8_t to)
{
    VR_SEND(r, to, request_start_view);
}

/* Has this replica begun the epoch, durably, so that others may rely on it? */
static bool has_begun(const struct vr *r)
{
    bool begun = r->status == VR_NORMAL || r->status == VR_VIEW_CHANGE;
    return begun && vr_is_durable_state(r) && r->durable_op >= r->membership.op;
}

static void say_started(struct vr *r, uint8_t to)
{
    VR_SEND(r, to, epoch_started, .op = r->durable_op);
}

/* To the members; as a replaced replica, to those that have not begun the epoch. */
static void remind(struct vr *r)
{
    for (uint8_t i = 0; i < r->config.n_replicas; i++)
        if (i != r->config.self && !((r->begun >> i) & 1)) say_start(r, i);
}

void vr_epoch_due(struct vr *r)
{
    if (is_member(r) && r->status != VR_TRANSITIONING) {
        if (vr_former_due(r)) remind(r);
        return;
    }
    if (is_member(r) && r->transfer.kind == VR_TRANSFER_NONE && !vr_epoch_is_complete(r))
        fetch(r, (uint8_t)prng_below(&r->prng, vr_n_slots(r)));
    if (r->replaced && vr_is_durable_state(r)) remind(r);
    if (is_member(r) || r->replaced)
        vr_timer_set(r, VR_TIMER_EPOCH, vr_jitter(r, vr_patience_us(r)));
}

uint8_t vr_epoch_n_begun(const struct vr *r)
{
    return (uint8_t)__builtin_popcount(r->begun & ~r->config.witnesses);
}

/* E8 */
static void retire_if_not_needed(struct vr *r)
{
    if (!r->replaced || vr_epoch_n_begun(r) < r->quorum) return;
    if (!r->retired) {
        r->retired = true;
        vr_membership_drop_former(&r->membership, r->address);
        vr_persist_state(r);
        return;
    }
    if (!vr_is_durable_state(r)) return;
    char why[VR_OVER_SIZE];
    for (uint8_t i = 0; i < r->config.n_replicas; i++) say_start(r, i); /* our name is gone */
    r->over = true;
    r->lingers_until_us = r->now_us + LINGER_MS * UINT64_C(1000);
    vr_timers_off(r);
    vr_log(r, LOG_LEVEL_INFO, "shut-down", "reason=\"%s\"", vr_is_over(r, why, sizeof why));
}

bool vr_epoch_lingers(const struct vr *r)
{
    return r->over && r->retired && !r->stopping && r->now_us < r->lingers_until_us;
}

void vr_epoch_settle(struct vr *r)
{
    bool waits = r->status == VR_TRANSITIONING && is_member(r) && !r->transfer.storing;
    if (waits && vr_epoch_is_complete(r)) {
        vr_commit_up_to(r, r->membership.op); /* as it is for sure */
        if (r->applied >= r->membership.op) begin(r);
        else vr_pass_over_alone(r);
    }
    vr_former_settle(r);
    if (r->epoch == 0 || !vr_is_durable_state(r)) return;
    if (r->says_epoch) { /* E3 */
        r->says_epoch = false;
        remind(r);
    }
    if (!r->told_begun && has_begun(r) && !r->proposal.pending) {
        r->told_begun = true;
        for (uint8_t i = r->config.n_replicas; i < vr_n_slots(r); i++) say_started(r, i);
    }
    retire_if_not_needed(r);
}

/* --- what is heard ---------------------------------------------------------------------------- */

/* Without memory (E5): is it for us? */
static void learn_blank(struct vr *r, const struct vr_membership *next)
{
    if (vr_membership_find(next, r->address) != NOT_A_MEMBER) {
        if (next->epoch > r->epoch) recover_in(r, next);
        return;
    }
    vr_mark(r, VR_MARK_epoch_of_strangers, "epoch=%u", next->epoch);
    if (next->epoch <= r->told_epoch) return;
    r->told_epoch = next->epoch;
    vr_log(r, LOG_LEVEL_INFO, "no-member", "epoch=%u replicas=%u", next->epoch, next->n);
}

/* A replaced replica that has restarted since knows of no other replaced one.  So we take the names
 * from each that we hear: the first of them need not be one that has the log.  So do we after a
 * restart of our own, if an entry of that log is damaged here, and maybe at all members (M6). */
static void hear_of_guests(struct vr *r, const struct vr_membership *previous)
{
    bool lacks = r->status == VR_VIEW_CHANGE && vr_has_hole(r, r->membership.op);
    bool waits = is_member(r) && (r->status == VR_TRANSITIONING || lacks);
    uint8_t before = r->guests.n;
    if (!waits || !add_guests(r, previous)) return;
    if (before > 0) vr_mark(r, VR_MARK_more_guests, "guests=%u", r->guests.n);
    tell_directory(r);
}

/* E7 */
static void take_news(struct vr *r, const struct vr_membership *next,
                      const struct vr_membership *previous)
{
    const struct wire_entry_header *ours = log_header(&r->log, next->op);
    if (next->epoch == r->epoch) {
        hear_of_guests(r, previous);
        vr_former_heard(r, next);
    } else if (next->epoch < r->epoch) {
        return;
    } else if (ours != NULL && vstamp_id_equal(ours->checksum, next->checksum) &&
               r->applied < next->op && !vr_has_hole(r, next->op)) {
        vr_mark(r, VR_MARK_epoch_by_own_log, "epoch=%u", next->epoch);
        vr_commit_up_to(r, next->op); /* what moves us is to execute it */
        vr_pass_over_alone(r);
    } else {
        vr_mark(r, VR_MARK_epoch_without_log, "epoch=%u", next->epoch);
        move_to(r, next, previous);
    }
}

/* The replica that told us of the epoch has the log, and can be reached.  A new member is found by
 * its index; an old one lists itself last. */
static void fetch_from_sender(struct vr *r, const struct wire_header *header,
                              const struct vr_membership *previous)
{
    uint8_t n = r->config.n_replicas, slot = (uint8_t)header->sender;
    bool lacks = r->status == VR_TRANSITIONING && is_member(r) && r->epoch == header->epoch &&
                 !vr_epoch_is_complete(r);
    if (!lacks || r->transfer.kind != VR_TRANSFER_NONE) return;
    if (header->sender >= n) {
        const char *last = previous->n > 0 ? previous->members[previous->n - 1].address : "";
        slot = (uint8_t)(n + vr_membership_find(&r->guests, last));
    }
    if (slot < vr_n_slots(r)) fetch(r, slot);
}

static void on_news(struct vr *r, const struct wire_header *header,
                    const struct wire_membership *news, const struct wire_list *before)
{
    struct vr_membership next, previous;
    if (!vr_membership_read(&next, news) || next.epoch != header->epoch || next.epoch == 0) {
        vr_mark(r, VR_MARK_membership_not_sound, "epoch=%u", header->epoch);
        return;
    }
    if (!vr_members_read(&previous, before)) previous.n = 0;
    if (vstamp_id_is_zero(header->group)) return;
    if (!r->has_hard_state)
        learn_blank(r, &next);
    else if (vstamp_id_equal(header->group, r->group))
        take_news(r, &next, &previous);
    else
        vr_mark(r, VR_MARK_another_group, "news of an epoch");
    fetch_from_sender(r, header, &previous);
}

static void on_start_epoch(struct vr *r, uint8_t slot, const struct wire_message *m)
{
    const struct wire_start_epoch *start = &m->as.start_epoch;
    bool same = vstamp_id_equal(m->header.group, r->group) && r->has_hard_state;
    if (same && m->header.epoch < r->epoch) {
        vr_epoch_tell(r, slot);
        return;
    }
    on_news(r, &m->header, &start->membership, &start->previous);
    bool has_left = slot != NOWHERE && slot >= vr_n_slots(r); /* by what it has just told */
    if (!same || m->header.epoch != r->epoch || has_left) return;
    bool from_member = slot < r->config.n_replicas;
    if (is_member(r) && !from_member && has_begun(r)) say_started(r, slot);
    if (from_member && start->membership.former.count > r->membership.n_former)
        vr_epoch_tell(r, slot); /* it knows less than we do (former.c, Z2) */
}

static void on_epoch_started(struct vr *r, uint8_t slot, const struct wire_message *m)
{
    if (!r->has_hard_state) {
        if (m->header.epoch > r->told_epoch) ask_epoch(r, slot);
        return;
    }
    if (!vstamp_id_equal(m->header.group, r->group)) return;
    if (m->header.epoch > r->epoch) {
        vr_mark(r, VR_MARK_later_epoch_began, "epoch=%u", m->header.epoch);
        ask_epoch(r, slot);
    } else if (m->header.epoch == r->epoch && r->replaced && slot < r->config.n_replicas) {
        r->begun |= 1u << slot;
    }
}

/* One that was replaced is there (again): perhaps it knows of nothing. */
void vr_epoch_greet(struct vr *r, uint8_t slot)
{
    if (is_member(r) && slot >= r->config.n_replicas) r->told_begun = false;
}

/* A message about epochs, or of another epoch than ours: true if that is all there is to do.
 * `slot` is NOWHERE for a stranger. */
bool vr_epoch_on_message(struct vr *r, uint8_t slot, const struct wire_message *m)
{
    const struct wire_header *h = &m->header;
    bool same_group = r->has_hard_state && vstamp_id_equal(h->group, r->group);
    bool blank_there = vstamp_id_is_zero(h->group);
    switch (h->command) {
    case WIRE_learn: vr_on_learn(r, slot, m); return true;
    case WIRE_learned: vr_on_learned(r, slot, m); return true;
    case WIRE_start_epoch: on_start_epoch(r, slot, m); return true;
    case WIRE_epoch_started: on_epoch_started(r, slot, m); return true;
    case WIRE_new_epoch:
        on_news(r, h, &m->as.new_epoch.membership, &m->as.new_epoch.previous);
        return true;
    default: break;
    }
    bool about_epoch = h->command == WIRE_recovery || h->command == WIRE_request_start_view;
    if (r->has_hard_state && (same_group || (blank_there && about_epoch)) &&
        h->epoch < r->epoch) {
        vr_mark(r, VR_MARK_older_epoch, "%s epoch=%u", m->shape->name, h->epoch);
        if (m->shape->asks != WIRE_TELLS) vr_epoch_tell(r, slot);
        return true;
    }
    bool ours = vstamp_id_is_zero(r->group) || vstamp_id_equal(h->group, r->group);
    if (blank_there || !ours || h->epoch <= r->epoch) return false;
    vr_mark(r, VR_MARK_later_epoch, "%s epoch=%u", m->shape->name, h->epoch);
    if (m->shape->asks == WIRE_ASKS_SELDOM) ask_epoch(r, slot);
    return true;
}

/* A learner is a guest of the primary, and a stranger to the other members.  They give it what is
 * committed, too. */
static bool serve(struct vr *r, const struct wire_message *m)
{
    const struct wire_header *h = &m->header;
    bool ours = r->has_hard_state && vstamp_id_equal(h->group, r->group) && h->epoch == r->epoch;
    if (!ours || r->status == VR_RECOVERING) return false;
    switch (h->command) {
    case WIRE_get_tree: vr_on_get_tree(r, NOWHERE, &m->as.get_tree); return true;
    case WIRE_get_pages: vr_on_get_pages(r, NOWHERE, &m->as.get_pages); return true;
    case WIRE_get_state:
        if (!m->as.get_state.committed) return false;
        vr_on_get_state(r, NOWHERE, h->view, &m->as.get_state);
        return true;
    default: return false;
    }
}

void vr_epoch_on_stranger(struct vr *r, const struct wire_message *m)
{
    if (vr_epoch_on_message(r, NOWHERE, m) || serve(r, m)) return;
    vr_mark(r, VR_MARK_stranger, "%s", m->shape->name);
}

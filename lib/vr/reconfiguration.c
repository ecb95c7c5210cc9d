/* SPDX-License-Identifier: BSD-2-Clause */
/* Reconfiguration (paper section 7): how a group comes to another membership.  What happens once it
 * is committed is epoch.c.
 *
 *   admin --REQUEST(reconfigure)--> primary     judged; then it is *proposed*
 *   primary --LEARN---------> member to be      fetch what is committed (7.5)
 *   primary <--LEARNED------- member to be      so far, durably; this is my token
 *   (all are warm)                              the primary takes no more requests, lets what is in
 *                                               flight commit, and logs the request, alone
 *
 *   J1  one at a time: nothing is proposed while another one is, or is in the log uncommitted; and
 *       a request names the membership that it is to replace (PIT-8.4, 8.11);
 *   J2  a member to be is a *learner*: it holds what is committed, and neither votes nor counts.
 *       It becomes a member only by the entry, with the log up to that (PIT-8.6).  A witness that
 *       is to be active learns, too, and goes on as a witness until then (witness.c, W7);
 *   J3  a learner counts by what it says in answer to this proposal: what a former life of it said
 *       may come late, and name a token that nobody has any more;
 *   J4  the entry follows only committed ones, alone in its place, once every learner has kept up
 *       for a heartbeat: so the pause is one round of messages, not a state transfer;
 *   J5  it is not logged when too few of the new members are in reach to be a quorum;
 *   J6  it says what only the primary knows: tokens and lives of the members, the first view.
 *
 * A proposal is dropped when the view ends, or when a learner does not answer, or makes no
 * progress, for PATIENCE times view_change_ms: then the request did not run, and may be made again;
 * the refusal names that learner.  Until the outcome is known the client is answered BUSY, with a
 * sentence; the change goes on whether or not it asks again.
 *
 * A replica that was started with the new configuration beforehand may have formed a group with
 * others of its kind.  As long as nothing was ever done in that group, LEARN makes the replica
 * leave it: it draws another token, under which that group does not know it.  So it does for one
 * that restarts: those who could let it in (restart.c) may have left already. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "vr/rooms.h"

#define PATIENCE 20u /* times view_change_ms without an answer, or progress, of a learner */

/* Is the replica in this slot to be a witness? */
static bool becomes_witness(const struct vr *r, uint8_t slot)
{
    const struct vr_membership *next = &r->proposal.next;
    uint8_t index = vr_membership_find(next, vr_slot_address(r, slot));
    return index != NOT_A_MEMBER && vr_among_witnesses(next->witnesses, index);
}

/* Must the replica in this slot learn?  It must if it is proposed as a member, and was none so far,
 * or as an active one, and was a witness. */
static bool learns(const struct vr *r, uint8_t slot)
{
    if (slot >= r->config.n_replicas) return slot < vr_n_slots(r);
    uint8_t index = vr_membership_find(&r->proposal.next, vr_slot_address(r, slot));
    return !vr_is_active(r, slot) && index != NOT_A_MEMBER &&
           !becomes_witness(r, slot);
}

void vr_proposal_forget(struct vr *r)
{
    r->proposal.pending = r->proposal.closing = false;
}

static void abandon(struct vr *r, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* --- judging ---------------------------------------------------------------------------------- */

static bool same_members(const struct vr_membership *a, const struct vr_membership *b)
{
    if (a->n != b->n || a->witnesses != b->witnesses) return false;
    for (uint8_t i = 0; i < a->n; i++) {
        if (strcmp(a->members[i].address, b->members[i].address) != 0) return false;
        if (strcmp(a->members[i].status, b->members[i].status) != 0) return false;
    }
    return true;
}

/* 0, or why not: the request makes no sense (INVALID), or not now (CONFLICT). */
static uint8_t judge(struct vr *r, const struct wire_reconfigure *asked,
                     const struct vr_membership *next, char *why, size_t size)
{
    struct vr_config config = r->config;
    config.n_replicas = next->n;
    config.witnesses = next->witnesses;
    if (!vr_witnesses_are_sound(&config)) {
        snprintf(why, size, "its witnesses are too many, or its log is too small for witnesses");
        return WIRE_REJECT_INVALID;
    }
    if (asked->epoch != r->epoch ||
        !vstamp_id_equal(asked->members, vr_membership_checksum(&r->membership))) {
        vr_mark(r, VR_MARK_guard_is_stale, "epoch=%u", asked->epoch);
        snprintf(why, size, "the group is in epoch %u by now, with other members than the request "
                 "is to replace: look at them, and ask again", r->epoch);
        return WIRE_REJECT_CONFLICT;
    }
    if (r->proposal.pending || vr_epoch_is_closed(r)) {
        snprintf(why, size, "another reconfiguration is under way");
        return WIRE_REJECT_CONFLICT;
    }
    return 0;
}

/* --- what is proposed ------------------------------------------------------------------------- */

/* Of the learner that is furthest behind. */
static const struct vr_learner *slowest(const struct vr *r, uint8_t *slot)
{
    const struct vr_learner *worst = NULL;
    for (uint8_t i = 0; i < vr_n_slots(r); i++) {
        const struct vr_learner *one = &r->proposal.learners[i];
        if (!learns(r, i)) continue;
        if (worst != NULL && (!worst->heard || (one->heard && one->op >= worst->op))) continue;
        worst = one;
        *slot = i;
    }
    return worst;
}

const char *vr_proposal_text(const struct vr *r, char *text, size_t size)
{
    uint8_t slot = 0;
    const struct vr_learner *one = r->proposal.pending ? slowest(r, &slot) : NULL;
    text[0] = '\0';
    if (vr_epoch_is_closed(r))
        snprintf(text, size, "the last entry of epoch %u is being committed", r->epoch);
    else if (!r->proposal.pending)
        return text;
    else if (r->proposal.closing || one == NULL)
        snprintf(text, size, "to epoch %u: waiting for what is under way", r->epoch + 1);
    else if (!one->heard)
        snprintf(text, size, "to epoch %u: waiting for %s to answer", r->epoch + 1,
                 vr_slot_address(r, slot));
    else
        snprintf(text, size, "to epoch %u: warming up %s: op %" PRIu64 " of %" PRIu64,
                 r->epoch + 1, vr_slot_address(r, slot), one->op, r->commit);
    return text;
}

static void abandon(struct vr *r, const char *format, ...)
{
    struct vr_proposal *p = &r->proposal;
    char quoted[VR_QUOTED_SIZE];
    va_list args;
    va_start(args, format);
    vsnprintf(p->refusal, sizeof p->refusal, format, args);
    va_end(args);
    p->abandoned = true;
    vr_mark(r, VR_MARK_proposal_abandoned, "%s", p->refusal);
    vr_log(r, LOG_LEVEL_WARN, "reconfiguration-abandoned", "epoch=%u reason=%s", r->epoch + 1,
           vr_quoted(quoted, p->refusal));
    vr_reject(r, &p->asker, WIRE_REJECT_CONFLICT, p->refusal);
    vr_proposal_forget(r);
    vr_take_guests(r, NULL);
}

static void propose(struct vr *r, const struct vr_asker *asker, const struct wire_request *m,
                    const struct vr_membership *next)
{
    struct vr_proposal *p = &r->proposal;
    *p = (struct vr_proposal){.pending = true,
                              .nonce = prng_next(&r->prng),
                              .asker = *asker,
                              .next = *next,
                              .body_size = m->body.size,
                              .kept_up_to = UINT64_MAX};
    memcpy(p->body, m->body.data, m->body.size);
    for (uint8_t i = 0; i < SLOTS_MAX; i++)
        p->learners[i].answered_us = p->learners[i].progress_us = r->now_us;
    vr_take_guests(r, next);
    vr_log(r, LOG_LEVEL_INFO, "reconfiguration", "epoch=%u replicas=%u new=%u", r->epoch + 1,
           next->n, r->guests.n);
    vr_timer_off(r, VR_TIMER_EPOCH);
    vr_timer_set(r, VR_TIMER_HEARTBEAT, 0);
}

/* A request that is in neither table nor flight.  False: it changes nothing, and goes through the
 * log like any other. */
bool vr_reconfigure_on_request(struct vr *r, const struct vr_asker *asker,
                               const struct wire_request *m)
{
    struct vr_proposal *p = &r->proposal;
    struct wire_reconfigure asked;
    struct vr_membership next;
    char why[ADDRESS_BYTES_MAX + 120] = "";
    uint8_t reason = 0;
    bool same = vstamp_id_equal(asker->client, p->asker.client) &&
                asker->number == p->asker.number && asker->request == p->asker.request;
    if (p->pending && same) {
        p->asker.origin = asker->origin;
        vr_reject(r, asker, WIRE_REJECT_BUSY, vr_proposal_text(r, why, sizeof why));
        return true;
    }
    if (p->abandoned && same) {
        p->abandoned = false; /* it was told; who asks once more means it */
        vr_reject(r, asker, WIRE_REJECT_CONFLICT, p->refusal);
        return true;
    }
    if (wire_decode(&wire_shape_reconfigure, m->body, &asked) != 0 ||
        m->body.size > sizeof p->body || !vr_members_read(&next, &asked.next)) {
        snprintf(why, sizeof why, "no membership: nobody, too many, one of them twice, or more "
                 "witnesses than a minority");
        reason = WIRE_REJECT_INVALID;
    } else if (same_members(&next, &r->membership)) {
        vr_mark(r, VR_MARK_membership_is_that_already, "epoch=%u", r->epoch);
        return false;
    } else {
        reason = judge(r, &asked, &next, why, sizeof why);
    }
    if (reason == 0) propose(r, asker, m, &next);
    else vr_reject(r, asker, (enum wire_reject_reason)reason, why);
    return true;
}

/* No requests are taken any more. */
bool vr_proposal_closes(const struct vr *r)
{
    return r->proposal.closing || vr_epoch_is_closed(r);
}

/* --- warming up ------------------------------------------------------------------------------- */

static bool is_warm(const struct vr *r, const struct vr_learner *one)
{
    return one->heard && one->op >= r->proposal.kept_up_to;
}

/* Nobody waits for ever for one of them, however well the others do.  False: it was given up. */
static bool have_patience(struct vr *r)
{
    uint64_t limit_us = PATIENCE * vr_patience_us(r);
    for (uint8_t i = 0; i < vr_n_slots(r); i++) {
        struct vr_learner *one = &r->proposal.learners[i];
        if (!learns(r, i)) continue;
        if (is_warm(r, one)) one->progress_us = one->answered_us;
        bool silent = r->now_us - one->answered_us > limit_us;
        if (!silent && r->now_us - one->progress_us <= limit_us) continue;
        abandon(r, "%s %s for %" PRIu64 " ms", vr_slot_address(r, i),
                silent ? "did not answer" : "made no progress", limit_us / 1000);
        return false;
    }
    return true;
}

/* With each heartbeat. */
void vr_proposal_heartbeat(struct vr *r)
{
    struct vr_proposal *p = &r->proposal;
    uint8_t members[VR_MEMBERSHIP_BYTES];
    if (!p->pending || !have_patience(r)) return;
    p->kept_up_to = p->told_commit != 0 ? p->told_commit : r->commit; /* a heartbeat ago */
    p->told_commit = r->commit;
    struct wire_learn learn = {
        .nonce = p->nonce,
        .membership = vr_membership_to_wire(&r->membership, members, sizeof members),
        .commit = r->commit,
        .version = vr_version_of_log(r)};
    for (uint8_t i = 0; i < vr_n_slots(r); i++) {
        if (!learns(r, i)) continue;
        learn.witness = becomes_witness(r, i);
        vr_send(r, i, r->view, &wire_shape_learn, &learn);
    }
}

void vr_on_learned(struct vr *r, uint8_t slot, const struct wire_message *message)
{
    const struct wire_learned *m = &message->as.learned;
    if (!r->proposal.pending || !learns(r, slot) || m->nonce != r->proposal.nonce) {
        vr_mark(r, VR_MARK_learned_not_asked, "from=%u", slot);
        return;
    }
    struct vr_learner *one = &r->proposal.learners[slot];
    bool stays = slot < r->config.n_replicas; /* as it is; restored members have no token */
    const char *address = vr_slot_address(r, slot);
    const char *why = wire_learn_refusal_text(m->refusal);
    if (m->refusal != WIRE_LEARN_NONE) {
        abandon(r, "%s: %s", address, why != NULL ? why : "it refuses");
    } else if ((stays || !vstamp_id_is_zero(m->token)) && m->op <= NUMBER_MAX) {
        if (!one->heard || m->op > one->op || m->fetched > one->fetched)
            one->progress_us = r->now_us;
        one->heard = true;
        one->op = m->op;
        one->fetched = m->fetched;
        one->token = m->token;
        one->answered_us = r->now_us;
    }
}

/* J4 */
static bool all_are_warm(const struct vr *r)
{
    for (uint8_t i = 0; i < vr_n_slots(r); i++) {
        const struct vr_learner *one = &r->proposal.learners[i];
        if (!learns(r, i)) continue;
        if (!is_warm(r, one) || r->now_us - one->answered_us > 2 * vr_patience_us(r)) return false;
    }
    return true;
}

/* J5 */
static bool quorum_in_reach(const struct vr *r)
{
    const struct vr_membership *next = &r->proposal.next;
    uint8_t n = 0;
    for (uint8_t i = 0; i < next->n; i++) {
        uint8_t before = vr_membership_find(&r->membership, next->members[i].address);
        bool comes = before == NOT_A_MEMBER; /* they all are warm */
        bool stays = before == r->config.self ||
                     (!comes && r->now_us - r->heard_us[before] <= 2 * vr_patience_us(r));
        n = (uint8_t)(n + (comes || stays));
    }
    return n >= next->n / 2 + 1;
}

/* --- the entry -------------------------------------------------------------------------------- */

/* The member that begins the epoch as its primary: best this replica, then one that stays and holds
 * all that is committed, then a new one, and one that stays but is behind only if need be. */
static uint8_t first_primary(const struct vr *r)
{
    const struct vr_membership *next = &r->proposal.next;
    uint8_t best = NOT_A_MEMBER, rank = 0;
    for (uint8_t i = 0; i < next->n; i++) {
        uint8_t before = vr_membership_find(&r->membership, next->members[i].address);
        uint8_t is = before == r->config.self ? 4
                     : before == NOT_A_MEMBER ? 2
                     : r->acked_op[before] >= r->commit ? 3 : 1;
        if (vr_among_witnesses(next->witnesses, i) || is <= rank) continue;
        best = i;
        rank = is;
    }
    return best;
}

/* J6 */
static struct bytes choose(struct vr *r, uint8_t *buffer, size_t size)
{
    struct vr_membership *next = &r->proposal.next;
    uint8_t tokens[VR_TOKENS_BYTES], lives[VR_CRASH_VECTOR_BYTES], primary = first_primary(r);
    struct wire_epoch_choice choice = {.first_view = r->view + 1};
    struct wire_list_builder token_list, life_list;
    wire_list_begin(&token_list, &wire_shape_token, tokens, sizeof tokens);
    wire_list_begin(&life_list, &wire_shape_counter, lives, sizeof lives);
    for (uint8_t i = 0; i < next->n; i++) {
        const char *address = next->members[i].address;
        uint8_t before = vr_membership_find(&r->membership, address);
        bool stays = before != NOT_A_MEMBER;
        uint8_t slot = (uint8_t)(r->config.n_replicas + vr_membership_find(&r->guests, address));
        struct wire_token token = {stays ? r->membership.members[before].token
                                         : r->proposal.learners[slot].token};
        struct wire_counter life = {stays ? r->crash_vector[before] : 0};
        bool added = wire_list_add(&token_list, &token) && wire_list_add(&life_list, &life);
        assert(added);
    }
    while (vr_primary_among(next->n, next->witnesses, choice.first_view) != primary)
        choice.first_view++;
    choice.tokens = wire_list_end(&token_list);
    choice.incarnations = wire_list_end(&life_list);
    struct writer w = writer_over(buffer, size);
    wire_encode(&wire_shape_epoch_choice, &choice, &w);
    assert(w.ok);
    return (struct bytes){buffer, w.size};
}

static void log_it(struct vr *r)
{
    struct vr_proposal *p = &r->proposal;
    uint8_t buffer[VR_TOKENS_BYTES + VR_CRASH_VECTOR_BYTES + 64];
    struct wire_operation operation = {.client = p->asker.client,
                                       .session = p->asker.session,
                                       .number = p->asker.number,
                                       .kind = WIRE_KIND_RECONFIGURE,
                                       .prediction = choose(r, buffer, sizeof buffer),
                                       .body = {p->body, p->body_size}};
    size_t size = wire_size(&wire_shape_operation, &operation) + 4;
    if (size > r->config.batch_bytes) {
        abandon(r, "its members' addresses do not fit into batch_bytes");
        return;
    }
    if (!vr_prepare_alone(r, p->asker.origin, &operation)) return;
    p->pending = p->closing = false; /* it is in the log; the learners stay in the directory */
}

void vr_proposal_settle(struct vr *r)
{
    struct vr_proposal *p = &r->proposal;
    if (!p->pending) return;
    if (!vr_is_primary(r)) {
        vr_mark(r, VR_MARK_proposal_ends_with_view, "view=%" PRIu64, r->view);
        vr_proposal_forget(r);
        vr_take_guests(r, NULL);
        return;
    }
    if (r->suspects || vr_view_is_over(r) || r->applied < r->view_start_op) return;
    if (!p->closing) {
        if (!all_are_warm(r)) return;
        if (!quorum_in_reach(r)) {
            abandon(r, "fewer than a quorum of the new members are in reach");
            return;
        }
        p->closing = true;
    }
    if (r->batch_count == 0 && r->log.op == r->commit && r->applied == r->commit) log_it(r);
}

/* --- the learner's side ----------------------------------------------------------------------- */

static void answer(struct vr *r, uint8_t to, uint64_t nonce, uint8_t refusal)
{
    uint8_t self = r->config.self;
    bool member = self != NOT_A_MEMBER;
    VR_SEND(r, to, learned, .nonce = nonce, .op = vr_warm_up_to(r),
            .fetched = r->stats.transfer_bytes,
            .token = member ? r->membership.members[self].token : r->tokens[self],
            .refusal = refusal);
}

/* Without memory, or replaced once: from here on it learns from this group. */
static void become_learner(struct vr *r, struct vstamp_id group,
                           const struct vr_membership *membership)
{
    vr_mark(r, VR_MARK_learner_begins, "epoch=%u", membership->epoch);
    r->group = group;
    r->has_hard_state = true;
    vr_epoch_join(r, membership);
    r->replaced = false;
    r->incarnation = r->crash_vector[NOT_A_MEMBER] = 0;
    r->tokens[NOT_A_MEMBER] = vr_draw_id(r);
    vr_truncate(r, r->commit);
    vr_timers_off(r);
    vr_become(r, VR_TRANSITIONING);
    vr_log(r, LOG_LEVEL_INFO, "learning", "epoch=%u", r->epoch);
    vr_persist_state(r);
}

/* Can this replica learn from that group?  False: what there is to do is done. */
static bool may_learn(struct vr *r, uint8_t slot, const struct wire_message *m,
                      const struct vr_membership *membership)
{
    const struct wire_header *h = &m->header;
    uint64_t nonce = m->as.learn.nonce;
    bool same = vstamp_id_equal(h->group, r->group);
    bool member = r->config.self != NOT_A_MEMBER;
    if (vstamp_id_is_zero(h->group) || membership->epoch != h->epoch) return false;
    if (vr_membership_find(membership, r->address) != NOT_A_MEMBER) return false; /* it is one */
    if (m->as.learn.version > r->config.newest) {
        vr_mark(r, VR_MARK_learner_is_too_old, "version=%u", m->as.learn.version);
        answer(r, slot, nonce, WIRE_LEARN_VERSION);
        return false;
    }
    if (!r->has_hard_state) {
        if (r->lost) answer(r, slot, nonce, WIRE_LEARN_LOST);
        bool is_late = r->epoch > 0 && h->epoch <= r->epoch; /* it recovers in that epoch */
        if (r->lost || r->incarnation != 0 || is_late) return false;
        become_learner(r, h->group, membership);
        return true;
    }
    if (!same && member && r->epoch == 0 && r->log.op == 0) {
        vr_mark(r, VR_MARK_unused_group_is_left, "epoch=%u", h->epoch);
        vr_recovery_forget_all(r);
        become_learner(r, h->group, membership);
        return true;
    }
    if (!same) {
        answer(r, slot, nonce, WIRE_LEARN_OTHER_GROUP);
        return false;
    }
    if (h->epoch < r->epoch) vr_epoch_tell(r, slot);
    if (h->epoch < r->epoch || member) return false;
    if (r->replaced || h->epoch > r->epoch) become_learner(r, h->group, membership);
    return true;
}

/* As a witness that is to be active: what we owe as a witness comes first (W7). */
static void learn_as_member(struct vr *r, uint8_t slot, const struct wire_message *m)
{
    const struct wire_header *h = &m->header;
    bool ours = r->has_hard_state && vstamp_id_equal(h->group, r->group) && h->epoch == r->epoch;
    if (!ours || r->status != VR_NORMAL || !vr_is_witness(r) || m->as.learn.witness != 0) return;
    if (h->view != r->view || vr_primary_of(r, h->view) != slot) return;
    vr_keep_warm(r, slot);
    if (vr_is_durable_state(r)) answer(r, slot, m->as.learn.nonce, WIRE_LEARN_NONE);
}

/* The replica to fetch from.  The primary has other things to do, so if much is missing it comes
 * from another active member; the newest entries come from the primary, which has them first. */
static uint8_t source(struct vr *r, uint8_t primary, uint64_t commit)
{
    uint8_t n = r->config.n_replicas;
    if (commit - r->commit <= r->config.pipeline) return primary;
    for (uint8_t tries = 0; tries < 2; tries++) {
        uint8_t other = (uint8_t)prng_below(&r->prng, n);
        if (other == primary || !vr_is_active(r, other)) continue;
        vr_mark(r, VR_MARK_learner_spares_primary, "peer=%u", other);
        return other;
    }
    return primary;
}

void vr_on_learn(struct vr *r, uint8_t slot, const struct wire_message *m)
{
    struct vr_membership membership;
    if (r->config.self != NOT_A_MEMBER && slot < r->config.n_replicas)
        learn_as_member(r, slot, m);
    if (!vr_membership_read(&membership, &m->as.learn.membership)) {
        vr_mark(r, VR_MARK_membership_not_sound, "epoch=%u", m->header.epoch);
        return;
    }
    if (!may_learn(r, slot, m, &membership)) return;
    slot = (uint8_t)m->header.sender; /* from now on a member of ours */
    if (m->header.sender >= r->config.n_replicas || m->as.learn.commit > NUMBER_MAX) return;
    r->view = r->log_view = m->header.view < NUMBER_MAX ? m->header.view : r->view;
    vr_take_role(r, m->as.learn.witness != 0);
    if (m->as.learn.commit > r->commit || vr_lacks_state(r))
        vr_transfer_start(r, VR_TRANSFER_LEARN, source(r, slot, m->as.learn.commit),
                          m->header.view, m->as.learn.commit, (struct vstamp_id){0});
    vr_pass_over_learner(r);
    if (r->over) return;
    if (vr_is_durable_state(r)) answer(r, slot, m->as.learn.nonce, WIRE_LEARN_NONE);
}

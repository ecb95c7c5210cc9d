/* SPDX-License-Identifier: BSD-2-Clause */
/* Recovery (paper section 4.3), and how a group forms.
 *
 * A replica without state (first start, wiped disk, durability: memory) is blank and takes part in
 * nothing.  It asks all others at once for both ways out:
 *
 *   all members are blank       -> they form the group, at view 0 with an empty log
 *   a majority of others is not -> it recovers from them
 *
 * Forming.  Each start draws a token.  A blank replica repeats its token and the tokens it has
 * heard; it forms once every other member's word holds the same complete list.  The list is the
 * group's birth certificate: its checksum is the group's identity.  A normal replica shows the list
 * to whoever is blank; a blank replica that finds its own present token in it was counted, and is
 * formed, too.  A replica in a view change shows it to those that were counted, and to no others:
 * it may be the only one so far that knows that the group has formed.
 *
 * A word must not be out of date: if words of members that have started again since could complete
 * a list, one replica would form with that list and another with the one that holds the new tokens,
 * and neither group would ever be whole.  So a blank replica draws another nonce
 * whenever its list changes, and a word, or a certificate shown, counts only if it echoes that.
 *
 * A group that forms has had no lives before.  What a member has heard of lives in another group is
 * forgotten: a life's number that only some know could be given twice.
 *
 * Recovery.  The paper's protocol forgets: what a replica promised before its crash, others may
 * count after it, and an acknowledged operation is lost (PIT-3.1, DISC 2017).  So each life of a
 * replica has an incarnation number, and replicas keep, and exchange, a vector of the newest ones
 * they know:
 *
 *   1. ask: a majority tells which incarnation of ours it knows; ours is above that;
 *   2. acquire: a majority of normal replicas notes it (durably) and answers; from then on what our
 *      former lives voted or promised is dropped wherever it arrives (view_change.c, V7);
 *   3. fetch the log from the primary of the largest view among the answers (PIT-3.3), or from a
 *      replica of a later view (state_transfer.c);
 *   4. only then be normal.
 *
 * A replica that comes back from its disk has an incarnation number, too, but need not recover:
 * restart.c.
 *
 * Answers come from normal replicas alone (PIT-3.2), and count if they echo our nonce (PIT-3.5;
 * struct vr tells where it is drawn). */
#include <stdio.h>
#include <string.h>

#include "base/checksum.h"
#include "vr/rooms.h"

#define TRIES_MAX 40u     /* without a majority's answer */
#define TOKEN_REPEATS 3u  /* words in a row that make a start the present one */
#define RESEND_DIVISOR 2u /* RECOVERY is repeated each view_change_ms / 2 */

struct wire_list vr_token_list(const struct vr *r, const struct vstamp_id *tokens, uint8_t *buffer,
                               size_t size)
{
    struct wire_list_builder b;
    wire_list_begin(&b, &wire_shape_token, buffer, size);
    for (uint8_t i = 0; i < r->config.n_replicas; i++) {
        bool added = wire_list_add(&b, &(struct wire_token){.value = tokens[i]});
        assert(added);
    }
    return wire_list_end(&b);
}

/* The certificate. */
static struct wire_list members_tokens(const struct vr *r, uint8_t *buffer, size_t size)
{
    struct vstamp_id tokens[REPLICAS_MAX] = {0};
    for (uint8_t i = 0; i < r->config.n_replicas; i++) tokens[i] = r->membership.members[i].token;
    return vr_token_list(r, tokens, buffer, size);
}

/* Our word. */
static void say(struct vr *r, uint8_t to)
{
    uint8_t vector[VR_CRASH_VECTOR_BYTES], tokens[VR_TOKENS_BYTES], nonces[VR_TOKENS_BYTES];
    VR_SEND(r, to, recovery, .nonce = r->nonce, .incarnation = r->incarnation,
            .crash_vector = vr_crash_vector_list(r, vector, sizeof vector),
            .tokens = vr_token_list(r, r->tokens, tokens, sizeof tokens),
            .nonces = vr_token_list(r, r->nonces, nonces, sizeof nonces));
}

static void ask(struct vr *r)
{
    if (!vr_is_durable_state(r)) { /* our token must outlive a crash, see vr_recovery_begin */
        vr_timer_set(r, VR_TIMER_RECOVERY, 1000);
        return;
    }
    say(r, VR_ALL);
    vr_timer_set(r, VR_TIMER_RECOVERY, vr_jitter(r, vr_patience_us(r) / RESEND_DIVISOR));
}

/* --- forming ---------------------------------------------------------------------------------- */

/* The list is the certificate; the group's identity follows from it. */
static void form(struct vr *r, const struct vstamp_id *tokens)
{
    uint8_t buffer[VR_TOKENS_BYTES];
    struct writer w = writer_over(buffer, sizeof buffer);
    for (uint8_t i = 0; i < r->config.n_replicas; i++) {
        r->membership.members[i].token = tokens[i];
        write_id(&w, tokens[i]);
    }
    r->group = checksum128(buffer, w.size);
    memset(r->crash_vector, 0, sizeof r->crash_vector); /* it was of another group */
    r->view = r->log_view = 0;
    r->has_hard_state = true;
    vr_timer_off(r, VR_TIMER_RECOVERY);
    vr_log(r, LOG_LEVEL_INFO, "group-formed", "replicas=%u", r->config.n_replicas);
    vr_persist_state(r);
    vr_become(r, VR_VIEW_CHANGE);
    if (vr_primary_of(r, 0) == r->config.self) {
        r->promised = true;
        r->starting = true; /* begins once the certificate is durable */
    } else {
        vr_become(r, VR_NORMAL);
        vr_normal_begin(r);
    }
}

/* The token, or nonce, of one replica in a list of all members'; zero if it is no such list. */
static struct vstamp_id listed(const struct vr *r, const struct wire_list *list, uint8_t replica)
{
    struct wire_token token = {0};
    if (list->count != r->config.n_replicas) return token.value;
    struct reader at = wire_list_start(list);
    for (uint8_t i = 0; i <= replica; i++) wire_list_next(&wire_shape_token, &at, &token);
    return token.value;
}

/* Note the token that a blank replica names as its own.  True if it is the one in our list now.  A
 * second token of the same replica is that of another start, earlier or later, since the network
 * may bring an old word last.  A replica that lives repeats itself, so a token replaces another
 * only after it was heard several times in a row. */
static bool note_token(struct vr *r, uint8_t from, struct vstamp_id token)
{
    struct vstamp_id *known = &r->tokens[from];
    if (vstamp_id_is_zero(token)) return false;
    if (vstamp_id_equal(*known, token)) {
        r->other_token_heard[from] = 0;
        return true;
    }
    if (!vstamp_id_equal(r->other_tokens[from], token)) r->other_token_heard[from] = 0;
    r->other_tokens[from] = token;
    r->other_token_heard[from]++;
    if (!vstamp_id_is_zero(*known) && r->other_token_heard[from] < TOKEN_REPEATS) {
        vr_mark(r, VR_MARK_word_of_another_start, "from=%u", from);
        return false;
    }
    if (!vstamp_id_is_zero(*known)) vr_mark(r, VR_MARK_start_replaces_another, "from=%u", from);
    *known = token;
    r->other_token_heard[from] = 0;
    r->agreed = 0; /* what the others agreed to is another list now */
    r->nonce = vr_draw_id(r);
    return true;
}

static bool lists_our_tokens(const struct vr *r, const struct wire_list *tokens)
{
    for (uint8_t i = 0; i < r->config.n_replicas; i++) {
        struct vstamp_id token = listed(r, tokens, i);
        if (vstamp_id_is_zero(token) || !vstamp_id_equal(token, r->tokens[i])) return false;
    }
    return true;
}

static void on_blank_peer(struct vr *r, uint8_t from, const struct wire_recovery *m)
{
    if (r->lost) {
        vr_mark(r, VR_MARK_lost_replica_does_not_form, "from=%u", from);
        return;
    }
    bool knows_group = r->incarnation != 0 || m->incarnation != 0 || r->epoch != 0;
    if (knows_group) { /* one of us does */
        vr_mark(r, VR_MARK_one_is_past_forming, "from=%u", from);
        return;
    }
    struct vstamp_id before = r->nonce;
    if (!note_token(r, from, listed(r, &m->tokens, from))) return;
    bool news = !vstamp_id_equal(r->nonces[from], m->nonce);
    r->nonces[from] = m->nonce;
    if (!vstamp_id_equal(r->nonce, before)) ask(r); /* all are to echo that */
    else if (news && vr_is_durable_state(r)) say(r, from); /* it waits for an echo, nobody else */
    if (!lists_our_tokens(r, &m->tokens)) return;
    if (!vstamp_id_equal(listed(r, &m->nonces, r->config.self), r->nonce)) {
        vr_mark(r, VR_MARK_word_echoes_old_nonce, "from=%u", from);
        return;
    }
    r->agreed |= 1u << from;
    uint32_t others = ((1u << r->config.n_replicas) - 1) & ~(1u << r->config.self);
    if (r->agreed == others) {
        ask(r); /* our word may be the last that another lacks */
        form(r, r->tokens);
    }
}

/* --- answering -------------------------------------------------------------------------------- */

static void answer(struct vr *r, uint8_t to, const struct wire_recovery *m)
{
    uint8_t vector[VR_CRASH_VECTOR_BYTES], tokens[VR_TOKENS_BYTES];
    bool primary = vr_is_primary(r);
    VR_SEND(r, to, recovery_response, .nonce = m->nonce, .incarnation = m->incarnation,
            .crash_vector = vr_crash_vector_list(r, vector, sizeof vector),
            .tokens = members_tokens(r, tokens, sizeof tokens),
            .op = primary ? r->log.op : 0,
            .checksum = primary ? log_last(&r->log)->checksum : (struct vstamp_id){0});
}

void vr_on_recovery(struct vr *r, uint8_t from, const struct wire_recovery *m)
{
    if (r->status == VR_RECOVERING && !r->has_hard_state) {
        on_blank_peer(r, from, m);
        return;
    }
    struct vstamp_id token = listed(r, &m->tokens, from);
    bool was_counted = r->epoch == 0 && m->incarnation == 0 && !vstamp_id_is_zero(token) &&
                       vstamp_id_equal(token, r->membership.members[from].token);
    if (r->status != VR_NORMAL && !was_counted) {
        vr_mark(r, VR_MARK_recovery_in_view_change, "from=%u", from);
        return;
    }
    if (r->status != VR_NORMAL) {
        vr_mark(r, VR_MARK_certificate_shown_in_view_change, "to=%u", from);
    }
    if (m->incarnation != 0) {
        if (m->incarnation < r->crash_vector[from]) {
            vr_mark(r, VR_MARK_recovery_of_former_life, "from=%u", from);
            return;
        }
        vr_merge_crash_vector(r, from, &m->crash_vector);
        if (r->over) return;
    }
    if (!vr_is_durable_state(r)) {
        vr_mark(r, VR_MARK_recovery_waits_for_disk, "from=%u", from);
        return; /* it asks again */
    }
    answer(r, from, m);
}

/* --- recovering ------------------------------------------------------------------------------- */

void vr_recovery_forget(struct vr *r, uint8_t replica)
{
    r->answers[replica].present = false;
}

/* Were we, in this very life, counted when the group formed? */
static bool counted_in_forming(const struct vr *r, const struct wire_list *tokens,
                               struct vstamp_id *list)
{
    for (uint8_t i = 0; i < r->config.n_replicas; i++) list[i] = listed(r, tokens, i);
    return !r->lost && r->epoch == 0 &&
           vstamp_id_equal(list[r->config.self], r->tokens[r->config.self]);
}

/* Step 1: which incarnation is free? */
static void note_incarnation(struct vr *r, uint8_t from, const struct wire_header *header,
                             const struct wire_recovery_response *m)
{
    struct vstamp_id tokens[REPLICAS_MAX];
    if (counted_in_forming(r, &m->tokens, tokens)) {
        vr_mark(r, VR_MARK_formed_by_certificate, "from=%u", from);
        form(r, tokens);
        return;
    }
    vr_merge_crash_vector(r, from, &m->crash_vector);
    r->asked |= 1u << from;
    if ((uint32_t)__builtin_popcount(r->asked) < r->quorum) return;
    r->group = header->group;
    r->incarnation = vr_incarnation_after_loss(r->crash_vector[r->config.self]);
    r->crash_vector[r->config.self] = r->incarnation;
    r->nonce = vr_draw_id(r);
    bool surprising = r->config.durable && !r->lost; /* a replica has its state on its disk */
    vr_log(r, surprising ? LOG_LEVEL_WARN : LOG_LEVEL_INFO, "recovering",
           "incarnation=%" PRIu64 "%s", vr_incarnation_losses(r->incarnation),
           surprising ? " reason=\"its folder was empty, and the group is not new\""
                        " hint=\"it fetches all from the others; if it had a state, stop it, and "
                        "look whether data_dir is right\""
                      : "");
    ask(r);
}

/* Steps 2 and 3: a majority knows our incarnation, the primary of the largest view among it. */
static void fetch_if_acquired(struct vr *r)
{
    uint32_t count = 0;
    uint64_t view = 0;
    for (uint8_t i = 0; i < r->config.n_replicas; i++) {
        if (!r->answers[i].present) continue;
        count++;
        if (r->answers[i].view > view) view = r->answers[i].view;
    }
    uint8_t primary = vr_primary_of(r, view);
    const struct vr_answer *a = &r->answers[primary];
    if (count < r->quorum) return;
    if (!a->present || a->view != view) {
        vr_mark(r, VR_MARK_recovery_lacks_primary, "view=%" PRIu64, view);
        return;
    }
    vr_transfer_start(r, VR_TRANSFER_RECOVERY, primary, view, a->op, a->checksum);
}

void vr_on_recovery_response(struct vr *r, uint8_t from, const struct wire_header *header,
                             const struct wire_recovery_response *m)
{
    if (!vstamp_id_equal(m->nonce, r->nonce) || m->incarnation != r->incarnation) {
        vr_mark(r, VR_MARK_recovery_answer_to_old_question, "from=%u", from);
        return;
    }
    if (header->epoch != r->epoch) { /* lives and tokens go by another membership there (E9) */
        vr_mark(r, VR_MARK_recovery_answer_of_other_epoch, "from=%u epoch=%u", from, header->epoch);
        return;
    }
    if (r->incarnation == 0) {
        note_incarnation(r, from, header, m);
        return;
    }
    bool knows_us = vr_counter_of(&m->crash_vector, r->config.self) == r->incarnation;
    bool former = vr_counter_of(&m->crash_vector, from) < r->crash_vector[from];
    if (!knows_us || former) {
        vr_mark(r, VR_MARK_recovery_answer_not_consistent, "from=%u", from);
        return;
    }
    vr_merge_crash_vector(r, from, &m->crash_vector);
    for (uint8_t i = 0; i < r->config.n_replicas; i++)
        r->membership.members[i].token = listed(r, &m->tokens, i);
    r->answers[from] = (struct vr_answer){.present = true,
                                          .view = header->view,
                                          .op = m->op,
                                          .checksum = m->checksum};
    fetch_if_acquired(r);
}

/* Everything we hold is void: the state of a replica that has just been started for the first
 * time. */
void vr_recovery_void(struct vr *r)
{
    bool had_state = vr_state_op(r) > 0 && !r->bare;
    vr_epoch_void(r);
    log_reset(&r->log, &(struct wire_entry_header){0});
    r->log.keep_after = 0;
    vr_pass_over_forget(r);
    r->commit = r->applied = r->loaded_op = r->executed_before = r->durable_op = 0;
    r->checkpoint_op = r->checkpoint_log_bytes = 0;
    r->view = r->log_view = r->incarnation = r->held = 0;
    r->group = (struct vstamp_id){0};
    r->has_hard_state = r->restarting = false;
    r->asked = r->agreed = 0;
    r->bare = r->witness;
    vr_digest_forget(r);
    memset(r->crash_vector, 0, sizeof r->crash_vector);
    if (r->pages.n_used > 0) {
        pages_clear(&r->pages);
        bool sound = client_table_reload(r->clients, 0);
        assert(sound);
    }
    if (had_state) vr_app_resume(r);
}

/* What the disk held cannot be read: this replica goes on without state, but not as if it had never
 * had any.  As far as it could be read, it still knows its group, and the lives in its crash
 * vector.  It has no token, so it is never counted when a group forms: all members may be damaged
 * at once, and an empty new group must not take the place of theirs. */
void vr_recovery_lose(struct vr *r, bool keep_log)
{
    uint64_t crash_vector[REPLICAS_MAX];
    struct vstamp_id group = r->group;
    vr_epoch_void(r);
    memcpy(crash_vector, r->crash_vector, sizeof crash_vector);
    if (!keep_log) vr_recovery_void(r);
    memcpy(r->crash_vector, crash_vector, sizeof crash_vector);
    memset(r->tokens, 0, sizeof r->tokens);
    r->group = r->lost_group = group;
    r->has_hard_state = r->restarting = false;
    r->lost = true;
}

/* With a disk the token is durable before it is told, so a replica that crashes while the group
 * forms comes back as the one that was counted.  Without a disk each start is a stranger, as it
 * must be. */
void vr_recovery_begin(struct vr *r)
{
    bool knew_group = r->epoch != 0; /* it lives, wherever, and will speak to us */
    r->status = VR_RECOVERING;
    if (r->lost) {
        r->group = r->lost_group;
        vr_recovery_lose(r, false);
    } else {
        vr_recovery_void(r);
        struct vstamp_id *token = &r->tokens[r->config.self];
        if (vstamp_id_is_zero(*token)) *token = vr_draw_id(r);
    }
    r->nonce = vr_draw_id(r);
    r->recovery_tries = 0;
    vr_persist_state(r);
    vr_log(r, LOG_LEVEL_INFO, r->lost ? "lost" : "blank", "replicas=%u", r->config.n_replicas);
    if (r->config.n_replicas == 1 && !r->lost && !knew_group) {
        form(r, r->tokens);
    } else {
        ask(r);
    }
}

void vr_recovery_forget_all(struct vr *r)
{
    vr_transfer_stop(r, "all is forgotten");
    vr_reads_clear(r);
    vr_batch_clear(r);
    vr_proposal_forget(r);
    vr_timers_off(r);
    vr_recovery_void(r);
    memset(r->tokens, 0, sizeof r->tokens);
    r->tokens[r->config.self] = vr_draw_id(r);
    vr_become(r, VR_RECOVERING);
    vr_persist_state(r);
}

void vr_recovery_anew(struct vr *r)
{
    r->incarnation = 0;
    r->recovery_tries = 0;
    ask(r);
}

/* Whoever told us of a group may have died with it, and the others be blank: then only a fresh
 * start, by which we can form a new one, helps. */
void vr_recovery_due(struct vr *r)
{
    vr_alone_due(r);
    if (r->restarting) {
        vr_restart_due(r);
        return;
    }
    if (r->status != VR_RECOVERING || r->transfer.kind != VR_TRANSFER_NONE) return;
    bool knows_group = r->incarnation != 0 || r->epoch != 0;
    if (knows_group && ++r->recovery_tries > TRIES_MAX && !r->checkpoint_storing) {
        vr_mark(r, VR_MARK_recovery_starts_anew, "incarnation=%" PRIu64, r->incarnation);
        vr_log(r, LOG_LEVEL_WARN, "recovery-starts-anew", "incarnation=%" PRIu64,
               vr_incarnation_losses(r->incarnation));
        r->tokens[r->config.self] = (struct vstamp_id){0};
        for (uint8_t i = 0; i < r->config.n_replicas; i++) r->answers[i].present = false;
        vr_recovery_begin(r);
        return;
    }
    ask(r);
}

void vr_recovery_waits_for(const struct vr *r, char *text, size_t size)
{
    uint32_t n = r->quorum;
    if (r->asked != 0) {
        snprintf(text, size, "recovery: %d of %u normal replicas answered%s",
                 __builtin_popcount(r->asked), n,
                 r->config.n_replicas > 2 ? ""
                                          : ", more than a group of two can have: see vstamp(7)");
    } else if (r->lost) {
        snprintf(text, size,
                 "its folder was damaged: waits for %u normal replicas to recover from; without "
                 "them bring back a sound folder", n);
    } else if (r->told_epoch > 0) {
        snprintf(text, size, "waits to become a member: those that it knows are in epoch %u of a "
                 "group without it; if it was replaced, end it", r->told_epoch);
    } else {
        snprintf(text, size,
                 "blank: waits for all %u replicas, to form the group, or for %u normal ones, to "
                 "recover",
                 r->config.n_replicas, n);
    }
}

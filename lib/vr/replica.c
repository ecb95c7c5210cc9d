/* SPDX-License-Identifier: BSD-2-Clause */
/* The replica as a whole: memory, restoring, which status listens to which message, timers, and
 * what is settled after every event.
 *
 *   event -> handler (one room) -> settle: what became durable is acknowledged, what a quorum holds
 *   is committed, what is committed is executed, what is promised durably is sent -> invariants */
#include <stdio.h>
#include <string.h>

#include "vr/rooms.h"

size_t vr_frame_size_max(const struct vr_config *config)
{
    size_t body = config->batch_bytes > config->max_read_bytes ? config->batch_bytes
                                                               : config->max_read_bytes;
    return body + 16384;
}

/* Room for either role: what a witness does not use is never touched. */
static void take_memory(struct vr *r, struct arena *arena, const struct vr_config *config)
{
    uint32_t table = client_table_pages(config->max_clients, config->max_answer_bytes);
    uint32_t staged = 2 * TRANSFER_ENTRIES_MAX;
    size_t staged_bytes = (IN_FLIGHT_BATCHES + config->pipeline) * (size_t)config->batch_bytes;
    r->frame_size_max = vr_frame_size_max(config);
    r->frame = arena_take(arena, r->frame_size_max, 1);
    r->answer_size_max = r->frame_size_max - 8192; /* also lists of entries and pages */
    r->answer = arena_take(arena, r->answer_size_max, 1);
    log_init(&r->log, arena, config->log_entries, config->log_bytes);
    log_init(&r->staging, arena, staged, staged_bytes);
    r->batch = writer_over(arena_take(arena, config->batch_bytes, 1), config->batch_bytes);
    inflight_init(&r->inflight, arena, (PIPELINE_MAX + 2) * BATCH_REQUESTS_MAX);
    r->reads = arena_take(arena, READS_WAITING_MAX, sizeof r->reads[0]);
    r->parked = arena_take(arena, READS_PARKED_MAX, sizeof r->parked[0]);
    r->promises = arena_take(arena, REPLICAS_MAX, sizeof r->promises[0]);
    assert(table < config->state_pages);
    pages_init(&r->pages, arena, config->state_pages);
    r->app_pages.pages = &r->pages;
    r->app_pages.first = table;
    r->app_pages.count = config->state_pages - table;
    r->app_pages.memory = arena_take(arena, r->app_pages.count, VSTAMP_PAGE_MEMORY);
    vr_trail_begin(r, arena);
    vr_fetch_init(&r->fetch, arena, pages_tree(&r->pages, PAGES_LIVE));
    r->clients =
        client_table_new(arena, &r->pages, config->max_clients, config->max_answer_bytes);
    r->fetched_clients =
        client_table_new(arena, &r->pages, config->max_clients, config->max_answer_bytes);
}

void vr_init(struct vr *r, struct arena *arena, const struct vr_config *config,
             const struct vstamp_app *app, const struct vr_sink *sink, struct vstamp_id entropy)
{
    assert(config->n_replicas >= 1 && config->n_replicas <= REPLICAS_MAX);
    assert(config->self < config->n_replicas);
    assert(config->pipeline >= 1 && config->pipeline <= PIPELINE_MAX);
    assert(config->checkpoint_ops <= config->log_entries / 2);
    assert(vr_witnesses_are_sound(config));
    *r = (struct vr){.config = *config,
                     .given = *config,
                     .witness = vr_among_witnesses(config->witnesses, config->self),
                     .bare = vr_among_witnesses(config->witnesses, config->self),
                     .app = app,
                     .limits = vr_limits(config),
                     .status = VR_RECOVERING};
    if (sink != NULL) r->sink = *sink;
    if (config->newest == 0) {
        r->config.oldest = WIRE_OLDEST;
        r->config.newest = WIRE_NEWEST;
    }
    take_memory(r, arena, config);
    if (arena->base == NULL) return;
    vr_epoch_init(r);
    r->application = wire_application(app->name);

    prng_seed(&r->prng, entropy.lo);
    r->nonce = entropy;
    r->cut_off = ((UINT32_C(1) << config->n_replicas) - 1) & ~(UINT32_C(1) << config->self);
    vr_timers_off(r);
    vr_batch_clear(r);
    r->parked_until = UINT64_MAX;
}

/* --- restoring, before vr_start ------------------------------------------------------------- */

int vr_restore_checkpoint(struct vr *r, struct vstamp_id group,
                          const struct wire_entry_header *anchor, bool bare)
{
    enum vstamp_audit audit = VSTAMP_AUDIT_GOES_ON;
    r->group = group;
    r->bare = bare;
    if (vr_checkpoint_contradicts(r, anchor) != NULL) return VSTAMP_E_CORRUPT;
    vr_checkpoint_audit(r, r->clients, false, anchor->op);
    while (audit == VSTAMP_AUDIT_GOES_ON) audit = vr_checkpoint_audit_some(r);
    if (r->over) return VSTAMP_E_CONFIG;
    if (audit == VSTAMP_AUDIT_FAILS) return VSTAMP_E_CORRUPT;
    vr_checkpoint_adopt(r, anchor);
    return r->over ? VSTAMP_E_CONFIG : 0;
}

static void restore_tokens(struct vr *r, const struct wire_list *list)
{
    struct reader at = wire_list_start(list);
    for (uint32_t i = 0; i < list->count && i < r->config.n_replicas; i++) {
        struct wire_token token;
        wire_list_next(&wire_shape_token, &at, &token);
        r->tokens[i] = token.value;
    }
}

/* The hard state says that this replica recovers.  A life that begins so has nothing, and voids
 * what a former one had fetched; but a checkpoint stands, and if there is one this record comes
 * again, before the entries behind it. */
static void restore_lost(struct vr *r, const struct wire_hard_state *state)
{
    bool goes_on = state->op > 0 || r->checkpoint_op > 0;
    vr_mark(r, VR_MARK_loss_survives, "replica=%u", r->config.self);
    r->group = state->group;
    vr_merge_crash_vector(r, r->config.self, &state->crash_vector);
    vr_recovery_lose(r, goes_on);
}

/* It is executed when all of the log is here, as a later entry may say that it is not to be (PO3).
 * But what ends an epoch comes before the next one begins, and nothing behind it is of its own. */
static void restore_commit(struct vr *r, uint64_t commit)
{
    vr_commit_up_to(r, commit);
    if (vr_epoch_is_closed(r)) vr_execute(r);
}

int vr_restore_state(struct vr *r, const struct wire_hard_state *state)
{
    r->granted_before_ms = state->granted_ms; /* L4 */
    r->source = state->source;                /* D8 */
    if (state->lost) {
        restore_lost(r, state);
        return 0;
    }
    if (vstamp_id_is_zero(state->group)) { /* blank at that time */
        vr_mark(r, VR_MARK_token_survives, "replica=%u", r->config.self);
        if (state->op == 0) vr_recovery_void(r); /* else it is said again, of a checkpoint */
        restore_tokens(r, &state->tokens);
        return 0;
    }
    if (state->view > NUMBER_MAX || state->log_view > state->view) return VSTAMP_E_CORRUPT;
    if (state->epoch < r->epoch && r->has_hard_state) return 0; /* the log told of a later one */
    int rv = vr_epoch_restore(r, state);
    if (rv != 0) return rv;
    r->group = state->group;
    r->view = state->view;
    r->log_view = state->log_view;
    vr_note_held(r, state->held);
    r->diverged_op = state->diverged;
    r->has_hard_state = true;
    r->lost = false;
    r->restarting = state->taking_part == 0; /* the newest life was not let in */
    vr_merge_crash_vector(r, r->config.self, &state->crash_vector);
    const struct wire_entry_header *last = log_header(&r->log, state->op);
    if (last == NULL || !vstamp_id_equal(last->checksum, state->checksum)) {
        if (state->op >= r->log.first) { /* of a fetched checkpoint that was never stored (T5) */
            vr_mark(r, VR_MARK_state_of_lost_checkpoint, "op=%" PRIu64, state->op);
        }
        return 0; /* our log stands */
    }
    if (state->op < r->commit || state->commit > state->op) return VSTAMP_E_CORRUPT;
    vr_truncate(r, state->op);
    restore_commit(r, state->commit);
    return 0;
}

/* Is there nothing to append, since the entry is older than the checkpoint, or here already? */
static bool is_restored(const struct vr *r, const struct wire_entry_header *header)
{
    const struct wire_entry_header *ours = log_header(&r->log, header->op);
    return header->op < r->log.first ||
           (ours != NULL && vstamp_id_equal(ours->checksum, header->checksum));
}

static int restore_before(struct vr *r, uint64_t commit, const struct wire_entry_header *header,
                          size_t size)
{
    uint64_t before = header->op - 1;
    const struct wire_entry_header *parent = log_header(&r->log, before);
    if (header->version > r->config.newest) return VSTAMP_E_VERSION;
    if (parent == NULL || !vstamp_id_equal(parent->checksum, header->parent))
        return VSTAMP_E_CORRUPT;
    if (before < r->commit) return VSTAMP_E_CORRUPT;
    vr_truncate(r, before);
    restore_commit(r, commit < before ? commit : before);
    return log_make_room(&r->log, size) ? 0 : VSTAMP_E_NO_ROOM;
}

int vr_restore_entry(struct vr *r, uint64_t commit, const struct wire_entry *entry)
{
    uint64_t op = entry->header.op;
    if (is_restored(r, &entry->header)) {
        bool mends = log_is_hole(&r->log, op) && log_at(&r->log, op)->size == entry->body.size;
        if (mends) log_fill(&r->log, op, entry->body);
        return 0;
    }
    int rv = restore_before(r, commit, &entry->header, entry->body.size);
    if (rv == 0) log_append(&r->log, &entry->header, entry->body);
    return rv;
}

int vr_restore_hole(struct vr *r, const struct wire_entry_outline *outline)
{
    if (is_restored(r, &outline->header)) return 0;
    if (outline->body_size > r->config.batch_bytes) return VSTAMP_E_CORRUPT;
    int rv = restore_before(r, outline->commit, &outline->header, outline->body_size);
    if (rv == 0) log_append_hole(&r->log, &outline->header, outline->body_size);
    return rv;
}

void vr_restore_give_up(struct vr *r)
{
    vr_mark(r, VR_MARK_state_is_lost, "replica=%u", r->config.self);
    vr_recovery_lose(r, false);
}

void vr_restore_end(struct vr *r)
{
    vr_execute(r);
}

void vr_start(struct vr *r)
{
    r->executed_before = r->bare ? 0 : r->commit;
    vr_restore_end(r);
    r->started = true;
    r->started_us = r->now_us;
    r->sink.directory(r->sink.ctx);
    r->durable_op = r->log.op; /* what was read back is on disk */
    if (vr_has_hole(r, r->log.op)) r->durable_op = log_first_hole(&r->log) - 1;
    r->persisted = r->durable = r->state_position = 0;
    vr_lease_start(r);
    if (r->diverged_op != 0) { /* D3 */
        vr_trail_forget(r); /* that of the life that was wrong is what counts */
        r->over = true;
        return;
    }
    if (!r->has_hard_state) {
        vr_recovery_begin(r);
        return;
    }
    vr_log(r, LOG_LEVEL_INFO, "restored", "view=%" PRIu64 " op=%" PRIu64 " commit=%" PRIu64,
           r->view, r->log.op, r->commit);
    vr_mend_begin(r);
    if (r->config.self == NOT_A_MEMBER) vr_epoch_resume(r);
    else vr_restart_begin(r);
}

/* --- what all rooms use ----------------------------------------------------------------------- */

void vr_timer_set(struct vr *r, enum vr_timer timer, uint64_t after_us)
{
    r->due[timer] = r->now_us + after_us;
}

void vr_timer_off(struct vr *r, enum vr_timer timer)
{
    r->due[timer] = UINT64_MAX;
}

void vr_timers_off(struct vr *r)
{
    for (int i = 0; i < VR_TIMERS; i++) vr_timer_off(r, (enum vr_timer)i);
}

uint64_t vr_patience_us(const struct vr *r)
{
    return r->config.view_change_ms * UINT64_C(1000);
}

uint64_t vr_jitter(struct vr *r, uint64_t us)
{
    return us + prng_below(&r->prng, us / 2 + 1);
}

struct vstamp_id vr_draw_id(struct vr *r)
{
    struct vstamp_id id = {r->nonce.hi ^ prng_next(&r->prng), prng_next(&r->prng) | 1};
    return id;
}

void vr_persist_state(struct vr *r)
{
    r->persisted++;
    r->state_position = r->persisted;
    if (r->config.durable) {
        r->sink.persist_state(r->sink.ctx);
    } else {
        r->durable = r->persisted;
    }
}

void vr_become(struct vr *r, enum vr_status status)
{
    if (r->status == status) return;
    r->status = status;
    vr_trace(r, "status %s view=%" PRIu64 " op=%" PRIu64 " commit=%" PRIu64,
             vr_status_word(status), r->view, r->log.op, r->commit);
}

const char *vr_status_word(enum vr_status status)
{
    switch (status) {
    case VR_NORMAL: return "normal";
    case VR_VIEW_CHANGE: return "view-change";
    case VR_RECOVERING: return "recovering";
    case VR_TRANSITIONING: return "transitioning";
    }
    return "unknown";
}

uint64_t vr_counter_of(const struct wire_list *crash_vector, uint8_t replica)
{
    struct reader at = wire_list_start(crash_vector);
    struct wire_counter counter = {0};
    for (uint32_t i = 0; i < crash_vector->count && i <= replica; i++) {
        wire_list_next(&wire_shape_counter, &at, &counter);
        if (i == replica) return counter.value;
    }
    return 0;
}

/* Learn of incarnations (4.3; DISC 2017).  What a former incarnation promised no longer counts. */
void vr_merge_crash_vector(struct vr *r, uint8_t from, const struct wire_list *theirs)
{
    bool news = false;
    if (vr_restart_proves_old_copy(r, from, vr_counter_of(theirs, r->config.self))) return;
    struct reader at = wire_list_start(theirs);
    for (uint8_t i = 0; i < theirs->count && i < r->config.n_replicas; i++) {
        struct wire_counter counter;
        wire_list_next(&wire_shape_counter, &at, &counter);
        if (counter.value <= r->crash_vector[i] || counter.value > NUMBER_MAX) continue;
        uint64_t losses = vr_incarnation_losses(r->crash_vector[i]);
        if (vr_incarnation_losses(counter.value) > losses) vr_digest_forget_of(r, i);
        r->crash_vector[i] = counter.value;
        news = true;
        vr_view_change_forget(r, i);
        vr_recovery_forget(r, i);
    }
    if (news && r->has_hard_state && r->started) vr_persist_state(r);
}

/* --- events ----------------------------------------------------------------------------------- */

static void check_invariants(const struct vr *r)
{
    assert(r->applied <= r->commit);
    assert(r->commit <= r->log.op);
    assert(r->checkpoint_op <= r->applied);
    assert(r->log.first <= r->applied + 1);
    assert(r->log_view <= r->view);
    assert(r->epoch == r->membership.epoch && r->config.n_replicas == r->membership.n);
    assert(r->durable_op <= r->log.op);
    assert(r->durable <= r->persisted);
    assert(r->status != VR_NORMAL || r->log_view == r->view);
    assert(!vr_is_primary(r) || r->log.op - r->commit <= PIPELINE_MAX);
    assert(!vr_is_primary(r) || r->log.n_holes == 0);
    assert(!vr_has_hole(r, r->applied) && !vr_has_hole(r, r->durable_op));
    assert(!vr_is_primary(r) || !r->bare);
}

/* The order matters little, since each part looks at the state alone; all is done twice in a group
 * of one, where a prepare commits at once.  What is committed is executed later, when the turn has
 * been sent and nobody waits for us (vr_on_turn_sent). */
static void settle(struct vr *r)
{
    if (r->over) return;
    for (int round = 0; round < (r->quorum == 1 ? 2 : 1); round++) {
        vr_restart_settle(r);
        vr_view_change_settle(r);
        vr_normal_settle(r);
        vr_checkpoint_if_due(r);
        vr_transfer_settle(r);
        vr_proposal_settle(r);
        vr_epoch_settle(r);
        vr_witness_settle(r);
        if (r->over) return;
    }
    vr_mend_settle(r);
    vr_reads_settle(r);
    vr_hand_over_settle(r);
    check_invariants(r);
}

#define IN(status) (1u << (status))
#define ANY (IN(VR_NORMAL) | IN(VR_VIEW_CHANGE) | IN(VR_RECOVERING) | IN(VR_TRANSITIONING))

/* Which status listens to which message (PROTOCOL, appendix B); a recovering replica takes part in
 * nothing but its own recovery (PIT-3.4). */
static unsigned listens(uint16_t command)
{
    switch (command) {
    case WIRE_prepare:
    case WIRE_commit:
    case WIRE_start_view:
    case WIRE_commit_ok:
    case WIRE_prepare_ok:
    case WIRE_start_view_change:
    case WIRE_do_view_change:
    case WIRE_digest:
    case WIRE_request_start_view: return IN(VR_NORMAL) | IN(VR_VIEW_CHANGE);
    case WIRE_get_state:
    case WIRE_get_tree:
    case WIRE_get_pages: return IN(VR_NORMAL) | IN(VR_VIEW_CHANGE) | IN(VR_TRANSITIONING);
    case WIRE_recovery: return IN(VR_NORMAL) | IN(VR_VIEW_CHANGE) | IN(VR_RECOVERING);
    case WIRE_new_state:
    case WIRE_tree:
    case WIRE_pages:
    case WIRE_restart:
    case WIRE_restart_ok:
    case WIRE_get_entry:
    case WIRE_give_entry: return ANY;
    case WIRE_recovery_response: return IN(VR_RECOVERING);
    default: return 0;
    }
}

/* Those who are members of another epoch give and take state, single entries of the log among it
 * (M6), and nothing else. */
static bool is_about_state(uint16_t command)
{
    return command == WIRE_get_state || command == WIRE_new_state || command == WIRE_get_tree ||
           command == WIRE_tree || command == WIRE_get_pages || command == WIRE_pages ||
           command == WIRE_get_entry || command == WIRE_give_entry;
}

/* Why to drop whatever comes from there. */
static enum vr_mark ignore_sender(const struct vr *r, uint8_t slot)
{
    if (slot >= vr_n_slots(r)) return VR_MARK_sender_not_a_member;
    return slot == r->config.self ? VR_MARK_sender_is_ourselves : VR_MARK_NONE;
}

static enum vr_mark ignore_message(const struct vr *r, uint8_t slot, const struct wire_message *m)
{
    bool about_recovery = m->header.command == WIRE_recovery;
    bool about_restart =
        m->header.command == WIRE_restart || m->header.command == WIRE_restart_ok;
    if (listens(m->header.command) == 0) return VR_MARK_not_between_replicas;
    if ((listens(m->header.command) & IN(r->status)) == 0) {
        if (r->status == VR_TRANSITIONING) return VR_MARK_deaf_in_transition;
        return r->status == VR_RECOVERING ? VR_MARK_deaf_in_recovery : VR_MARK_recovery_is_over;
    }
    if (!vstamp_id_equal(m->header.group, r->group)) {
        bool blank_here = vstamp_id_is_zero(r->group) && r->status == VR_RECOVERING;
        bool blank_there = vstamp_id_is_zero(m->header.group);
        if (!(about_recovery && blank_there) && !about_restart &&
            !(blank_here && m->header.command == WIRE_recovery_response)) {
            return VR_MARK_another_group;
        }
    } else if (m->header.epoch != r->epoch) {
        return VR_MARK_another_epoch;
    }
    if (slot >= r->config.n_replicas && !is_about_state(m->header.command))
        return VR_MARK_guest_out_of_turn;
    uint64_t view_max = r->status == VR_RECOVERING ? NUMBER_MAX : r->view + VIEW_JUMP_MAX;
    if (m->header.view > view_max) return VR_MARK_view_out_of_reach; /* PIT-2.12 */
    if (vr_brings_later_version(r, m)) return VR_MARK_entry_of_later_version;
    return VR_MARK_NONE;
}

static void dispatch(struct vr *r, uint8_t from, const struct wire_message *m)
{
    uint64_t view = m->header.view;
    switch ((enum wire_command)m->header.command) {
    case WIRE_prepare: vr_on_prepare(r, from, view, &m->as.prepare); break;
    case WIRE_prepare_ok: vr_on_prepare_ok(r, from, view, &m->as.prepare_ok); break;
    case WIRE_commit: vr_on_commit(r, from, view, &m->as.commit); break;
    case WIRE_commit_ok: vr_on_commit_ok(r, from, view, &m->as.commit_ok); break;
    case WIRE_start_view_change:
        vr_on_start_view_change(r, from, view, &m->as.start_view_change);
        break;
    case WIRE_do_view_change: vr_on_do_view_change(r, from, view, &m->as.do_view_change); break;
    case WIRE_start_view: vr_on_start_view(r, from, view, &m->as.start_view); break;
    case WIRE_request_start_view: vr_on_request_start_view(r, from, view); break;
    case WIRE_recovery: vr_on_recovery(r, from, &m->as.recovery); break;
    case WIRE_recovery_response:
        vr_on_recovery_response(r, from, &m->header, &m->as.recovery_response);
        break;
    case WIRE_get_state: vr_on_get_state(r, from, view, &m->as.get_state); break;
    case WIRE_new_state: vr_on_new_state(r, from, view, &m->as.new_state); break;
    case WIRE_get_pages: vr_on_get_pages(r, from, &m->as.get_pages); break;
    case WIRE_pages: vr_on_pages(r, from, &m->as.pages); break;
    case WIRE_get_tree: vr_on_get_tree(r, from, &m->as.get_tree); break;
    case WIRE_tree: vr_on_tree(r, from, &m->as.tree); break;
    case WIRE_restart: vr_on_restart(r, from, &m->header, &m->as.restart); break;
    case WIRE_restart_ok: vr_on_restart_ok(r, from, &m->header, &m->as.restart_ok); break;
    case WIRE_digest: vr_on_digest(r, from, &m->as.digest); break;
    case WIRE_get_entry: vr_on_get_entry(r, from, &m->as.get_entry); break;
    case WIRE_give_entry: vr_on_give_entry(r, from, view, &m->as.give_entry); break;
    case WIRE_request:
    case WIRE_reply:
    case WIRE_reject:
    case WIRE_hello:
    case WIRE_get_checkpoint:
    case WIRE_checkpoint:
    case WIRE_get_committed:
    case WIRE_committed:
    case WIRE_start_epoch:
    case WIRE_epoch_started:
    case WIRE_new_epoch:
    case WIRE_learn:
    case WIRE_learned: break; /* listens() let none of them through */
    }
}

void vr_on_message(struct vr *r, uint8_t slot, const struct wire_message *m)
{
    if (r->over) return;
    enum vr_mark reason = ignore_sender(r, slot);
    if (reason == VR_MARK_NONE && vr_epoch_on_message(r, slot, m)) {
        settle(r);
        return;
    }
    if (reason == VR_MARK_NONE) reason = ignore_message(r, slot, m);
    if (reason != VR_MARK_NONE) {
        r->stats.dropped++;
        vr_mark(r, reason, "%s from=%u", m->shape->name, slot);
        if (reason == VR_MARK_entry_of_later_version) {
            vr_on_later_entry(r, slot, m);
            settle(r);
        }
        return;
    }
    r->last_heard_us[slot] = r->now_us;
    r->speaks[slot] = m->header.newest;
    r->cut_off &= ~(UINT32_C(1) << slot);
    dispatch(r, slot, m);
    settle(r);
}

void vr_on_stranger(struct vr *r, uint64_t origin, const struct wire_message *m)
{
    if (r->over) return;
    r->stranger = origin;
    vr_epoch_on_stranger(r, m);
    settle(r);
}

void vr_on_durable(struct vr *r, uint64_t position)
{
    assert(position >= r->durable && position <= r->persisted);
    r->durable = position;
    settle(r);
}

void vr_on_checkpoint_stored(struct vr *r)
{
    assert(r->checkpoint_storing);
    r->checkpoint_storing = false;
    vr_checkpoint_frees(r);
    if (!r->bare) pages_fetch_forget(&r->pages); /* as the disk does: what was fetched is older */
    settle(r);
}

/* What was lost can arrive now. */
void vr_on_peer_connected(struct vr *r, uint8_t replica, bool connected)
{
    if (r->over) return;
    vr_view_change_cut_off(r, replica, !connected);
    if (!connected) {
        r->speaks[replica] = 0;
        settle(r);
        return;
    }
    if (replica < r->config.n_replicas) vr_restart_tell(r, replica);
    vr_epoch_greet(r, replica);
    vr_digest_repeat(r, replica);
    vr_mend_ask(r, replica);
    if (r->status == VR_TRANSITIONING) vr_epoch_due(r);
    if (r->status == VR_RECOVERING) vr_recovery_due(r);
    if (r->status == VR_VIEW_CHANGE) vr_view_change_due(r);
    settle(r);
}

void vr_on_turn_end(struct vr *r)
{
    static void (*const due[VR_TIMERS])(struct vr *) = {
        [VR_TIMER_HEARTBEAT] = vr_heartbeat_due,     [VR_TIMER_ABDICATE] = vr_abdicate_due,
        [VR_TIMER_SUSPECT] = vr_suspect_due,         [VR_TIMER_VOTE] = vr_vote_due,
        [VR_TIMER_VIEW_CHANGE] = vr_view_change_due, [VR_TIMER_VIEW_LIMIT] = vr_view_limit_due,
        [VR_TIMER_TRANSFER] = vr_transfer_due,       [VR_TIMER_PACE] = vr_pace_due,
        [VR_TIMER_RECOVERY] = vr_recovery_due,       [VR_TIMER_MEND] = vr_mend_due,
        [VR_TIMER_TICK] = vr_tick_due,               [VR_TIMER_EPOCH] = vr_epoch_due,
    };
    if (r->over) return;
    for (int i = 0; i < VR_TIMERS; i++) {
        if (r->due[i] > r->now_us) continue;
        r->due[i] = UINT64_MAX;
        due[i](r);
    }
    vr_lease_turn_end(r);
    vr_batch_settle(r);
    vr_reads_by_lease(r);
    if (vr_reads_want_round(r)) vr_send_heartbeat(r);
    settle(r);
}

/* Executing can make room for a prepare, and in a group of one that can commit at once. */
void vr_on_turn_sent(struct vr *r)
{
    while (!r->over && vr_execute(r)) {
        vr_batch_settle(r);
        settle(r);
    }
    vr_trail_go_on(r); /* also if this life is over: it ends once all is told (R4) */
    if (r->over) return;
    vr_digest_turn_end(r);
    if (r->over) return;
    vr_tick_arm(r);
    pages_hash_some(&r->pages);
}

uint64_t vr_next_timer(const struct vr *r)
{
    uint64_t next = UINT64_MAX;
    if (pages_are_wanted(&r->pages) && !r->over) return r->now_us;
    if (vr_epoch_lingers(r)) return r->lingers_until_us;
    for (int i = 0; i < VR_TIMERS; i++) {
        if (r->due[i] < next) next = r->due[i];
    }
    return next;
}

void vr_stop(struct vr *r)
{
    r->stopping = true;
    vr_hand_over_to_stop(r);
    settle(r);
}

const char *vr_waiting_for(const struct vr *r, char *text, size_t size)
{
    text[0] = '\0';
    if (r->over) {
        const char *why = vr_is_over(r, text, size);
        return why != NULL ? why : "";
    }
    if (vr_version_is_missed(r)) {
        snprintf(text, size,
                 "waits for a later program: the log of replica %u has an entry of version %u of "
                 "the protocol, this one speaks none above %u", r->missed.from, r->missed.version,
                 r->config.newest);
    } else if (vr_is_stuck(r)) {
        snprintf(text, size, "waits for %s: %s", vr_stuck_waits_for(r), r->stuck_why.text);
    } else if (r->status == VR_TRANSITIONING && r->replaced) {
        snprintf(text, size, "replaced in epoch %u: %u of %u members that are to begin it have",
                 r->epoch, vr_epoch_n_begun(r), r->quorum);
    } else if (r->status == VR_TRANSITIONING && r->config.self == NOT_A_MEMBER) {
        snprintf(text, size, "waits to become a member: it holds op %" PRIu64 " of that group's "
                 "log", r->commit);
    } else if (r->restarting) {
        snprintf(text, size, "waits for %u other replica%s to answer to its start: %d did%s",
                 r->quorum - 1u, r->quorum == 2 ? "" : "s", __builtin_popcount(r->noted),
                 vr_is_alone(r) ? "; none that it knows is there: if the group has other members "
                                  "by now, end it, and remove its folder" : "");
    } else if (vr_has_hole(r, r->commit)) {
        snprintf(text, size, "waits for entry %" PRIu64 " from another replica: its own is damaged",
                 log_first_hole(&r->log));
    } else if (r->forgotten && r->status != VR_NORMAL) {
        snprintf(text, size, "waits for an active replica that holds the log after op %" PRIu64
                 ": a witness has dropped some of that", r->log.op);
    } else if (vr_transfer_is_too_large(r)) {
        snprintf(text, size, "waits for others to have less under way than its log can hold: give "
                 "it the log_bytes that they have");
    } else if (r->status == VR_VIEW_CHANGE) {
        snprintf(text, size, "waits for view %" PRIu64 " to start; its primary is replica %u",
                 r->view, vr_primary_of(r, r->view));
    } else if (r->transfer.kind != VR_TRANSFER_NONE) {
        snprintf(text, size, "fetches the state from replica %u", r->transfer.peer);
    } else if (r->status == VR_RECOVERING) {
        vr_recovery_waits_for(r, text, size);
    }
    return text;
}

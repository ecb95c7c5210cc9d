/* SPDX-License-Identifier: BSD-2-Clause */
#include "sim/check.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/bitset.h"
#include "node/node_state.h"
#include "sim/foreign.h"
#include "sim/remembering.h"

#define SEARCH_STEPS 4000000u

const struct vr *check_core(const struct node *node)
{
    return &node->vr;
}

struct check_op *check_op_at(struct check *check, uint64_t op)
{
    if (op >= check->n_ops) {
        size_t n = check->n_ops == 0 ? 1024 : check->n_ops;
        while (n <= op) n *= 2;
        check->ops = realloc(check->ops, n * sizeof *check->ops);
        assert(check->ops != NULL);
        memset(check->ops + check->n_ops, 0, (n - check->n_ops) * sizeof *check->ops);
        check->n_ops = n;
    }
    return &check->ops[op];
}

static struct check_view *view_at(struct check *check, uint32_t epoch, uint64_t view)
{
    assert(epoch < CHECK_EPOCHS_MAX);
    struct check_epoch *e = &check->epochs[epoch];
    if (view >= e->n_views) {
        size_t n = e->n_views == 0 ? 256 : e->n_views;
        while (n <= view) n *= 2;
        e->views = realloc(e->views, n * sizeof *e->views);
        assert(e->views != NULL);
        memset(e->views + e->n_views, 0, (n - e->n_views) * sizeof *e->views);
        e->n_views = n;
    }
    return &e->views[view];
}

static struct check_place *place_find(struct check *check, const struct check_place *wanted)
{
    size_t at = (wanted->log_view * 31 + wanted->epoch * 17 + wanted->op) % check->places_size;
    for (; check->places[at].op != 0; at = (at + 1) % check->places_size) {
        const struct check_place *known = &check->places[at];
        if (known->log_view == wanted->log_view && known->op == wanted->op &&
            known->epoch == wanted->epoch &&
            vstamp_id_equal(known->group, wanted->group))
            break;
    }
    return &check->places[at];
}

static void places_grow(struct check *check)
{
    size_t old_size = check->places_size;
    struct check_place *old = check->places;
    check->places_size = old_size == 0 ? 1024 : old_size * 2;
    check->places = calloc(check->places_size, sizeof *check->places);
    assert(check->places != NULL);
    for (size_t i = 0; i < old_size; i++)
        if (old[i].op != 0) *place_find(check, &old[i]) = old[i];
    free(old);
}

/* A log is labelled with a view only when it has what the view began with (PIT-4.1).  If it ends
 * before, its last entry must be another than the view's: then a transfer is replacing it by what
 * later views have committed. */
static void check_start(struct sim *sim, const struct sim_replica *replica, const struct vr *core)
{
    struct check *check = &sim->check;
    const struct check_view *view = view_at(check, core->epoch, core->log_view);
    if (!view->known || !vstamp_id_equal(view->group, core->group)) return;
    if (core->log.op >= view->start_op) return;
    struct check_place end = {core->log_view, core->log.op, core->epoch, core->group, {0}};
    struct vstamp_id theirs = core->log.op <= view->start_commit
                                  ? check_op_at(check, core->log.op)->checksum
                                  : place_find(check, &end)->checksum;
    if (core->log.op == 0 || vstamp_id_equal(theirs, log_last(&core->log)->checksum))
        sim_fail(sim, "replica %u takes its log up to op=%" PRIu64 " for that of view %" PRIu64
                 ", which began with op=%" PRIu64, replica->index, core->log.op, core->log_view,
                 view->start_op);
}

/* The logs of one view are beginnings of its primary's, and hold nothing of a later view.  What is
 * committed is left out: a transfer may have put it into a log that is still of an older view,
 * where something else stood.  So is a log whose replica crashed while that of a later view was
 * being written: all that the older view committed is in it. */
static void note_log(struct sim *sim, const struct sim_replica *replica, const struct vr *core)
{
    struct check *check = &sim->check;
    if (check->replicas[replica->index].torn_view == core->log_view + 1) return;
    if (check->places_size > 0) check_start(sim, replica, core);
    for (uint64_t op = core->commit + 1; op <= core->log.op; op++) {
        const struct wire_entry_header *header = &log_at(&core->log, op)->header;
        struct check_place here = {core->log_view, op, core->epoch, core->group, header->checksum};
        if (check_op_at(check, op)->known) continue;
        if (2 * check->n_places >= check->places_size) places_grow(check);
        struct check_place *known = place_find(check, &here);
        if (known->op == 0) {
            *known = here;
            check->n_places++;
        } else if (!vstamp_id_equal(known->checksum, here.checksum)) {
            sim_fail(sim, "replica %u has another entry at op=%" PRIu64 " than the others' logs of "
                     "view %" PRIu64, replica->index, op, core->log_view);
        }
        if (header->view > core->log_view)
            sim_fail(sim, "replica %u holds an uncommitted entry of a later view than its log's, %"
                     PRIu64, replica->index, core->log_view);
    }
}

/* I17 */
static void check_place_in_epoch(struct sim *sim, const struct sim_replica *replica,
                                 const struct wire_entry_header *header)
{
    const struct check_epoch *epochs = sim->check.epochs;
    uint32_t e = header->epoch;
    bool early = e > 0 && epochs[e].known && header->op <= epochs[e].op;
    bool late = epochs[e + 1].known && header->op > epochs[e + 1].op;
    if (early || late || (e > 0 && !epochs[e].known))
        sim_fail(sim, "replica %u executed op=%" PRIu64 ", which is of epoch %u but lies outside",
                 replica->index, header->op, e);
}

/* Who learns, and is a member now, is the one that is meant; or has lost its memory since. */
static void check_tokens(struct sim *sim, const struct vr *core)
{
    if (sim->changes.any_lost) return;
    for (uint8_t i = 0; i < core->config.n_replicas; i++) {
        const struct vr_member *member = &core->membership.members[i];
        const struct sim_replica *r = &sim->replicas[sim_node_of(member->address)];
        const struct vr *theirs = r->up ? check_core(r->node) : NULL;
        if (theirs == NULL || theirs->config.self != NOT_A_MEMBER || theirs->replaced) continue;
        if (!vstamp_id_equal(theirs->tokens[NOT_A_MEMBER], member->token))
            sim_fail(sim, "epoch %u names a former life of replica %u", core->epoch, r->index);
    }
}

/* I16 */
static void note_epoch(struct sim *sim, const struct sim_replica *replica, const struct vr *core)
{
    struct check_epoch *e = &sim->check.epochs[core->epoch];
    struct vstamp_id members = vr_membership_checksum(&core->membership);
    if (!core->has_hard_state || core->epoch == 0) return;
    if (!e->known) {
        e->known = true;
        e->op = core->membership.op;
        e->checksum = core->membership.checksum;
        e->members = members;
        e->n = core->membership.n;
        e->witnesses = core->membership.witnesses;
        for (uint8_t i = 0; i < e->n; i++) {
            e->order[i] = sim_node_of(core->membership.members[i].address);
            e->nodes |= UINT32_C(1) << e->order[i];
            sim->replicas[e->order[i]].newcomer = false;
        }
        if (core->epoch != sim->check.epoch + 1)
            sim_fail(sim, "replica %u is the first in epoch %u", replica->index, core->epoch);
        check_tokens(sim, core);
        sim->check.epoch = core->epoch;
        sim->stats.changes++;
        sim_trace(sim, "epoch %u begins after op=%" PRIu64, core->epoch, e->op);
    } else if (e->op != core->membership.op || !vstamp_id_equal(e->members, members) ||
               !vstamp_id_equal(e->checksum, core->membership.checksum)) {
        sim_fail(sim, "replica %u has another epoch %u than the group", replica->index,
                 core->epoch);
    }
}

bool check_is_member_of(const struct sim *sim, uint8_t index, uint32_t epoch)
{
    if (epoch == 0) return index < sim->config.n_replicas;
    return (sim->check.epochs[epoch].nodes >> index) & 1;
}

bool check_is_member(const struct sim *sim, uint8_t index)
{
    return check_is_member_of(sim, index, sim->check.epoch);
}

bool check_has_begun(const struct sim *sim, uint8_t index)
{
    const struct sim_replica *r = &sim->replicas[index];
    if (!r->up || r->stopping || !check_is_member(sim, index)) return false;
    const struct vr *core = check_core(r->node);
    return core->epoch == sim->check.epoch &&
           (core->status == VR_NORMAL || core->status == VR_VIEW_CHANGE);
}

uint64_t check_incarnation(const struct sim_replica *replica)
{
    const struct vr *core = check_core(replica->node);
    return core->crash_vector[core->config.self];
}

static void note_committed(struct sim *sim, const struct sim_replica *replica,
                           const struct wire_entry_header *header)
{
    uint64_t op = header->op, before = op > 0 ? check_op_at(&sim->check, op - 1)->timestamp : 0;
    struct vstamp_id checksum = header->checksum;
    struct check_op *known = check_op_at(&sim->check, op);
    if (header->timestamp <= before)
        sim_fail(sim, "the timestamp of op=%" PRIu64 " does not rise", op);
    known->timestamp = header->timestamp;
    sim_clocks_check(sim, header, before);
    if (known->known && !vstamp_id_equal(known->checksum, checksum))
        sim_fail(sim, "replica %u executed another entry at op=%" PRIu64 " than the group",
                 replica->index, op);
    if (op > 0 && header->version < check_op_at(&sim->check, op - 1)->version)
        sim_fail(sim, "the version falls at op=%" PRIu64, op);
    known = check_op_at(&sim->check, op);
    known->known = true;
    known->version = header->version;
    known->checksum = checksum;
    if (op > sim->check.highest_commit) sim->check.highest_commit = op;
    check_place_in_epoch(sim, replica, header);
    sim_version_check(sim, replica, header);
}

static void check_numbers(struct sim *sim, const struct sim_replica *replica, const struct vr *core)
{
    const struct check_replica *last = &sim->check.replicas[replica->index];
    unsigned who = replica->index;
    if (!replica->normal_once) return; /* a recovering replica may begin anew */
    if (core->epoch < last->epoch && core->has_hard_state)
        sim_fail(sim, "replica %u went back to epoch %u", who, core->epoch);
    if (core->epoch != last->epoch || core->config.self == NOT_A_MEMBER) return;
    if (core->view < last->view)
        sim_fail(sim, "replica %u went back from view %" PRIu64 " to %" PRIu64, who, last->view,
                 core->view);
    if (core->log_view < last->log_view)
        sim_fail(sim, "replica %u took a log of an older view", who);
    if (core->commit < last->commit)
        sim_fail(sim, "replica %u went back from commit %" PRIu64 " to %" PRIu64, who,
                 last->commit, core->commit);
    if (core->applied < last->applied && !last->bare) /* else it has taken up the state */
        sim_fail(sim, "replica %u unmade operations", who);
    if (core->log_view > core->view) sim_fail(sim, "replica %u has a log from the future", who);
    if (core->applied > core->commit)
        sim_fail(sim, "replica %u runs ahead of its commit-number", who);
    if (core->status == VR_NORMAL && core->commit > core->log.op)
        sim_fail(sim, "replica %u commits beyond its log", who);
}

/* Nobody may read under a lease of an older view, by its own clock, as of now. */
static void check_leases(struct sim *sim, const struct sim_replica *replica, uint32_t epoch,
                         uint64_t view)
{
    for (uint8_t i = 0; i < sim->n_nodes; i++) {
        const struct sim_replica *other = &sim->replicas[i];
        if (i == replica->index || !other->up) continue;
        const struct vr *theirs = check_core(other->node);
        if (!vstamp_id_equal(theirs->group, check_core(replica->node)->group)) continue;
        if (theirs->epoch == epoch && theirs->view < view &&
            vr_lease_until_us(theirs) > sim_replica_clock_us(other))
            sim_fail(sim, "view %" PRIu64 " begins while replica %u holds the lease of view %"
                     PRIu64, view, i, theirs->view);
    }
}

/* Of a replica that is up; what it would hold if it crashed now, from its disk. */
static bool holds(const struct sim *sim, const struct vr *core, uint64_t *after, uint64_t *upto)
{
    uint64_t op = sim->check.highest_commit;
    if (core->transfer.storing) return false;
    if (op > core->durable_op) op = core->durable_op;
    for (; op > core->applied; op--) {
        struct vstamp_id wanted = sim->check.ops[op].checksum;
        if (vstamp_id_equal(log_header(&core->log, op)->checksum, wanted)) break;
    }
    *after = vr_is_witness(core) ? core->checkpoint_op : 0;
    *upto = op;
    return true;
}

bool check_holds(const struct sim *sim, uint8_t index, uint64_t *after, uint64_t *upto)
{
    const struct sim_replica *r = &sim->replicas[index];
    const struct check_replica *last = &sim->check.replicas[index];
    if (r->up) return holds(sim, check_core(r->node), after, upto);
    *after = last->held_after;
    *upto = last->held_upto;
    for (uint32_t i = 0; i < last->n_held_beyond && *upto < sim->check.highest_commit; i++, ++*upto)
        if (!vstamp_id_equal(sim->check.ops[*upto + 1].checksum, last->held_beyond[i])) break;
    return last->crashed;
}

bool check_holds_entry(const struct sim *sim, uint8_t index,
                       const struct wire_entry_header *header)
{
    const struct sim_replica *r = &sim->replicas[index];
    const struct check_replica *last = &sim->check.replicas[index];
    uint64_t after, upto, op = header->op;
    bool committed = op <= sim->check.highest_commit &&
                     vstamp_id_equal(sim->check.ops[op].checksum, header->checksum);
    if (committed) return check_holds(sim, index, &after, &upto) && after < op && op <= upto;
    if (r->up) {
        const struct vr *core = check_core(r->node);
        const struct wire_entry_header *theirs = log_header(&core->log, op);
        return op <= core->durable_op && theirs != NULL &&
               vstamp_id_equal(theirs->checksum, header->checksum);
    }
    for (uint32_t i = 0; last->crashed && i < last->n_held_beyond; i++)
        if (vstamp_id_equal(last->held_beyond[i], header->checksum)) return true;
    return false;
}

static void note_held(struct sim *sim, const struct sim_replica *replica, const struct vr *core)
{
    struct check_replica *last = &sim->check.replicas[replica->index];
    last->crashed = replica->config.durable &&
                    holds(sim, core, &last->held_after, &last->held_upto);
    last->n_held_beyond = 0;
    if (!last->crashed) return;
    uint64_t op = last->held_upto + 1;
    for (; op <= core->durable_op && last->n_held_beyond < 2 * PIPELINE_MAX; op++)
        last->held_beyond[last->n_held_beyond++] = log_header(&core->log, op)->checksum;
}

/* PIT-7.1 */
static void check_witness(struct sim *sim, const struct sim_replica *replica, const struct vr *core)
{
    uint64_t after, upto;
    if (core->status != VR_NORMAL || vr_witness_is_exposed(core)) return;
    for (uint8_t i = 0; i < sim->n_nodes; i++) {
        const struct sim_replica *other = &sim->replicas[i];
        if (sim_is_witness(other) || !sim_replica_has_state(other)) continue;
        if (!check_is_member(sim, i)) continue;
        if (sim->check.epoch > 0 && (!check_has_begun(sim, i) || core->epoch != sim->check.epoch))
            continue; /* it may be on its way into the epoch, or out of it */
        if (check_holds(sim, i, &after, &upto) && upto < core->checkpoint_op)
            sim_fail(sim, "witness %u forgot entries up to op=%" PRIu64
                     ", replica %u lacks those after op=%" PRIu64,
                     replica->index, core->checkpoint_op, i, upto);
    }
}

static void check_primary(struct sim *sim, const struct sim_replica *replica, const struct vr *core)
{
    if (vr_is_witness(core)) sim_fail(sim, "witness %u leads a view", replica->index);
    struct check_view *view = view_at(&sim->check, core->epoch, core->view);
    if (view->known && vstamp_id_equal(view->group, core->group) &&
        (view->replica != replica->index || view->incarnation != replica->incarnation))
        sim_fail(sim, "view %" PRIu64 " has two primaries: replica %u (life %u) and %u (life %u)",
                 core->view, view->replica, view->incarnation, replica->index,
                 replica->incarnation);
    if (!view->known) check_leases(sim, replica, core->epoch, core->view);
    if (!view->known) {
        view->start_op = core->view_start_op;
        view->start_commit = core->commit < view->start_op ? core->commit : view->start_op;
    }
    view->known = true;
    view->group = core->group;
    view->replica = replica->index;
    view->incarnation = replica->incarnation;
}

/* Replicas that were started with a new configuration may form a group with one another, which is
 * nobody's as long as nothing is done in it.  Old copies of their folders are of that. */
static bool is_unused(const struct sim_replica *replica)
{
    const struct vr *core = check_core(replica->node);
    return (replica->newcomer || replica->old) && core->epoch == 0 && core->log.op == 0;
}

/* Whoever lives and was counted when a group formed is of one group. */
static void check_group(struct sim *sim, const struct sim_replica *replica, const struct vr *core)
{
    for (uint8_t i = 0; i < sim->n_nodes; i++) {
        const struct sim_replica *other = &sim->replicas[i];
        const struct vr *theirs = other->up ? check_core(other->node) : NULL;
        if (theirs == NULL || !theirs->has_hard_state || is_unused(other)) continue;
        if (!vstamp_id_equal(theirs->group, core->group))
            sim_fail(sim, "replicas %u and %u are of different groups", replica->index, i);
    }
}

/* The rare branches it took, of which a guard is no branch for replicas that obey the protocol. */
static void note_marks(struct sim *sim, const struct sim_replica *replica, const struct vr *core)
{
    if (memcmp(core->marks, sim->marks, sizeof sim->marks) == 0) return;
    for (size_t i = 0; i < VR_MARKS; i++) {
        if (!bitset_has(core->marks, i) || bitset_has(sim->marks, i)) continue;
        bitset_add(sim->marks, i);
        if (vr_mark_table[i].guard)
            sim_fail(sim, "replica %u: %s", replica->index, vr_mark_table[i].sentence);
    }
}

uint32_t check_active(const struct sim *sim)
{
    uint32_t active = 0;
    for (uint8_t i = 0; i < sim->n_nodes; i++)
        if (check_is_member(sim, i) && !sim_is_witness(&sim->replicas[i]))
            active |= UINT32_C(1) << i;
    return active;
}

/* Are most of the active replicas right, with those who have that from another (D8), or without? */
static bool are_most_right(const struct sim *sim, bool with_copies)
{
    uint32_t active = check_active(sim), right = active & ~sim->dead;
    for (uint8_t i = 0; i < sim->n_nodes; i++) {
        const struct sim_replica *r = &sim->replicas[i];
        bool counts = with_copies || !r->up || check_core(r->node)->source == 0;
        if (r->flipped || !counts) right &= ~(UINT32_C(1) << i);
    }
    return 2 * __builtin_popcount(right) > __builtin_popcount(active);
}

bool check_can_tell(const struct sim *sim)
{
    return are_most_right(sim, false);
}

bool check_is_for_operator(const struct sim_replica *replica)
{
    const struct vr *core = check_core(replica->node);
    bool is_said = core->digests.undecided != 0 && !core->over; /* else it knows, and ends */
    return replica->flipped && is_said && !check_can_tell(replica->sim) &&
           are_most_right(replica->sim, true);
}

/* What all members have executed; 0 if not all are well, and hear each other. */
static uint64_t executed_by_all(const struct sim *sim)
{
    uint64_t least = UINT64_MAX;
    if (!sim->quiet) return 0;
    for (uint8_t i = 0; i < sim->n_nodes; i++) {
        const struct sim_replica *r = &sim->replicas[i];
        if (((sim->dead >> i) & 1) || !check_is_member(sim, i)) continue;
        const struct vr *core = r->up ? check_core(r->node) : NULL;
        bool well = core != NULL && core->status == VR_NORMAL &&
                    core->transfer.kind == VR_TRANSFER_NONE;
        if (!well) return 0;
        if (core->applied < least) least = core->applied;
    }
    return least;
}

/* Has nothing been saved of memory of its own since a bit turned there?  No digest can tell, then:
 * an application that executes nothing is not asked. */
static bool is_unsaved(const struct sim_replica *r)
{
    return r->sim->options.own_memory != 0 && r->flipped_life == r->incarnation &&
           remembering_saved(r->instance) == r->flipped_saved;
}

/* One whose state is wrong is found at the next point, and no other (lib/vr/digest.c).  What it
 * takes to tell is that all are well, hear each other, and have had the time to: one that was late
 * may pass several points in a moment. */
static void check_flipped(struct sim *sim, struct sim_replica *replica, const struct vr *core)
{
    if (core->diverged_op != 0 && !replica->was_flipped)
        sim_fail(sim, "replica %u says that its state is wrong", replica->index);
    if (!replica->flipped && core->digests.agreed >= replica->righted_op &&
        core->checkpoint_op >= replica->righted_op && !core->checkpoint_storing)
        replica->was_flipped = false;
    if (!replica->flipped || core->diverged_op != 0) return;
    bool hears = ((check_active(sim) & ~sim->dead) >> replica->index) & 1;
    bool counts = hears && core->epoch == sim->check.epoch;
    counts = counts && core->epoch == sim->check.replicas[replica->index].epoch;
    uint64_t passed = counts && check_can_tell(sim) ? executed_by_all(sim) : 0;
    if (passed == 0 || is_unsaved(replica)) replica->flipped_op = core->applied;
    if (passed <= replica->flipped_op + 3 * (uint64_t)core->config.checkpoint_ops)
        replica->flipped_us = sim->now;
    if (sim->now > replica->flipped_us + core->config.view_change_ms * SIM_MS)
        sim_fail(sim, "the state of replica %u is wrong since op=%" PRIu64 ", and nobody found it",
                 replica->index, replica->flipped_op);
}

bool check_must_tell(const struct sim_replica *replica, struct bytes frame)
{
    const struct vr *core = check_core(replica->node);
    struct wire_message m;
    bool speaks = core->has_hard_state && vr_is_durable_state(core) &&
                  (!core->over || core->retired);
    return speaks && sim_command_of(frame) == WIRE_request && wire_frame_decode(frame, &m) == 0 &&
           m.header.epoch < core->epoch;
}

void check_silent(struct sim *sim, const struct sim_replica *replica, struct bytes frame)
{
    uint16_t command = sim_command_of(frame);
    if (command != WIRE_reject && check_core(replica->node)->diverged_op != 0)
        sim_fail(sim, "replica %u speaks, and knows that its state is wrong", replica->index);
}

void check_refused(struct sim *sim, struct sim_replica *replica)
{
    note_marks(sim, replica, check_core(replica->node));
}

/* What it knows to be committed: what it has executed, or would if it could. */
static uint64_t note_entries(struct sim *sim, struct sim_replica *replica, const struct vr *core)
{
    uint64_t known = vr_is_stuck(core) ? core->commit : core->applied;
    uint64_t from = sim->check.replicas[replica->index].known + 1;
    if (known < from) return known;
    if (vstamp_id_is_zero(sim->check.group)) sim->check.group = core->group;
    if (!vstamp_id_equal(sim->check.group, core->group))
        sim_fail(sim, "replica %u executes operations of a second group", replica->index);
    if (from < core->log.first) from = core->log.first;
    for (uint64_t op = from; op <= known; op++)
        note_committed(sim, replica, &log_at(&core->log, op)->header);
    return known;
}

void check_turn(struct sim *sim, struct sim_replica *replica)
{
    const struct vr *core = check_core(replica->node);
    struct check_replica *last = &sim->check.replicas[replica->index];

    bool grouped = core->has_hard_state && !is_unused(replica);
    if (grouped && !last->grouped) check_group(sim, replica, core);
    last->grouped = grouped;
    note_epoch(sim, replica, core);
    note_marks(sim, replica, core);
    check_flipped(sim, replica, core);
    check_numbers(sim, replica, core);
    if (vr_is_primary(core) && !is_unused(replica)) check_primary(sim, replica, core);
    uint64_t known = note_entries(sim, replica, core);
    if (vr_is_witness(core)) check_witness(sim, replica, core);
    if (core->applied > last->applied && !core->bare) check_state(sim, replica, core);
    sim_version_check(sim, replica, log_last(&core->log));
    struct vstamp_id head = log_last(&core->log)->checksum;
    bool in_epoch = core->status != VR_TRANSITIONING && core->config.self != NOT_A_MEMBER &&
                    vr_epoch_is_complete(core) && !is_unused(replica);
    if ((core->log_view != last->log_view || core->log.op != last->op ||
         !vstamp_id_equal(head, last->head)) && in_epoch)
        note_log(sim, replica, core);
    if (vr_is_durable_state(core)) last->durable_epoch = core->epoch;
    last->epoch = core->epoch;
    last->view = core->view;
    last->log_view = core->log_view;
    last->commit = core->commit;
    last->applied = core->applied;
    last->known = known;
    last->bare = core->bare;
    last->op = core->log.op;
    last->head = head;
}

void check_crashed(struct sim *sim, struct sim_replica *replica)
{
    const struct vr *core = check_core(replica->node);
    note_marks(sim, replica, core);
    sim->check.replicas[replica->index].log_view = core->log_view;
    sim->check.replicas[replica->index].durable_op = core->durable_op;
    note_held(sim, replica, core);
}

void check_started(struct sim *sim, struct sim_replica *replica)
{
    const struct vr *core = check_core(replica->node);
    struct check_replica *last = &sim->check.replicas[replica->index];
    unsigned who = replica->index;

    bool torn = core->log_view < last->log_view || last->torn_view == core->log_view + 1 ||
                log_last(&core->log)->view > core->log_view;
    last->view = last->log_view = last->commit = last->applied = last->known = last->op = 0;
    last->grouped = false;
    last->head = (struct vstamp_id){0};
    last->torn_view = torn ? core->log_view + 1 : 0;
    last->epoch = 0;
    if (!replica->harmed && !torn && log_first_hole(&core->log) <= last->durable_op)
        sim_fail(sim, "replica %u lost entry %" PRIu64 ", which was durable", who,
                 log_first_hole(&core->log));
    if (!replica->config.durable) {
        last->promised = last->acked_view = last->acked_op = last->said_epoch = 0;
        return;
    }
    if (core->epoch < last->said_epoch)
        sim_fail(sim, "replica %u forgot epoch %u", who, last->said_epoch);
    if (core->epoch > last->said_epoch || core->config.self == NOT_A_MEMBER) return;
    if (core->view < last->promised)
        sim_fail(sim, "replica %u forgot its promise of view %" PRIu64, who, last->promised);
    if (core->log_view < last->acked_view ||
        (core->log_view == last->acked_view && core->log.op < last->acked_op && !torn))
        sim_fail(sim, "replica %u forgot what it acknowledged: view=%" PRIu64 " op=%" PRIu64
                 ", has view=%" PRIu64 " op=%" PRIu64, who, last->acked_view, last->acked_op,
                 core->log_view, core->log.op);
}

void check_wiped(struct sim *sim, struct sim_replica *replica)
{
    sim->check.replicas[replica->index] = (struct check_replica){0};
}

static void check_ack(struct sim *sim, struct sim_replica *replica, uint64_t view, uint64_t op)
{
    struct check_replica *last = &sim->check.replicas[replica->index];
    if (op == 0) return;
    if (log_first_hole(&check_core(replica->node)->log) <= op)
        sim_fail(sim, "replica %u vouches for damaged entries", replica->index);
    if (view < last->promised)
        sim_fail(sim, "replica %u acknowledged in view %" PRIu64 " after promising view %" PRIu64,
                 replica->index, view, last->promised);
    if (view > last->acked_view) {
        last->acked_view = view;
        last->acked_op = 0;
    }
    if (view == last->acked_view && op > last->acked_op) last->acked_op = op;
}

/* A life takes part once so many members have noted it that no quorum is without one of them
 * (restart.c, S2; epoch.c, E6), and no longer than it is the newest. */
static void check_known_life(struct sim *sim, const struct sim_replica *replica)
{
    const struct vr *core = check_core(replica->node);
    uint8_t n_ignorant = 0, self = core->config.self;
    for (uint8_t i = 0; i < sim->n_nodes; i++) {
        const struct sim_replica *other = &sim->replicas[i];
        const struct vr *theirs = other->up ? check_core(other->node) : NULL;
        if (theirs == NULL || !theirs->has_hard_state || theirs->epoch != core->epoch ||
            theirs->config.self == NOT_A_MEMBER || !vstamp_id_equal(theirs->group, core->group))
            continue;
        if (other->old) continue; /* it has forgotten, and will not take part */
        if (theirs->crash_vector[self] > core->crash_vector[self])
            sim_fail(sim, "replica %u takes part, and replica %u knows of a later life of it",
                     replica->index, i);
        n_ignorant = (uint8_t)(n_ignorant +
                               (theirs->crash_vector[self] < core->crash_vector[self]));
    }
    if (n_ignorant > core->config.n_replicas - core->quorum)
        sim_fail(sim, "replica %u takes part in a life that %u others do not know of",
                 replica->index, n_ignorant);
}

/* On its word the replaced replicas go: what it has begun with must be on its disk. */
static void check_begun(struct sim *sim, const struct sim_replica *replica)
{
    const struct vr *core = check_core(replica->node);
    if (!vr_is_durable_state(core) || core->durable_op < core->membership.op)
        sim_fail(sim, "replica %u says that it has begun epoch %u, which its disk does not",
                 replica->index, core->epoch);
}

void check_sent(struct sim *sim, struct sim_replica *replica, struct bytes frame)
{
    struct wire_message m;
    uint16_t command = sim_command_of(frame);
    if (command == WIRE_epoch_started) check_begun(sim, replica);
    if (command != WIRE_prepare_ok && command != WIRE_commit_ok && command != WIRE_do_view_change)
        return;
    if (wire_frame_decode(frame, &m) != 0) {
        sim_fail(sim, "replica %u sent a frame that is not one", replica->index);
        return;
    }
    struct check_replica *last = &sim->check.replicas[replica->index];
    if (m.header.sender != check_core(replica->node)->config.self)
        sim_fail(sim, "replica %u sent in the name of %u", replica->index, m.header.sender);
    if (check_core(replica->node)->status == VR_TRANSITIONING)
        sim_fail(sim, "replica %u takes part in epoch %u without its log", replica->index,
                 m.header.epoch);
    if ((command == WIRE_prepare_ok && m.as.prepare_ok.op == 0) ||
        (command == WIRE_commit_ok && m.as.commit_ok.op == 0))
        return; /* nothing is said to be durable */
    check_known_life(sim, replica);
    if (m.header.epoch > last->said_epoch) {
        last->said_epoch = m.header.epoch;
        last->promised = last->acked_view = last->acked_op = 0;
    }
    if (command == WIRE_prepare_ok) check_ack(sim, replica, m.header.view, m.as.prepare_ok.op);
    if (command == WIRE_commit_ok) check_ack(sim, replica, m.header.view, m.as.commit_ok.op);
    if (command == WIRE_do_view_change && m.header.view > last->promised)
        last->promised = m.header.view;
}

void check_copied(struct sim *sim, const struct wire_entry_header *last, struct vstamp_id digest)
{
    const struct check_op *known = check_op_at(&sim->check, last->op);
    if (known->known && !vstamp_id_equal(known->checksum, last->checksum))
        sim_fail(sim, "a copy has another entry at op=%" PRIu64 " than the group", last->op);
    if (known->digested && !vstamp_id_equal(known->digest, digest))
        sim_fail(sim, "a copy has another state after op=%" PRIu64 " than the group", last->op);
}

void check_idle(struct sim *sim, struct sim_replica *replica, struct bytes frame)
{
    uint16_t command = sim_command_of(frame);
    if (command != WIRE_restart && command != WIRE_restart_ok &&
        command != WIRE_recovery_response && command != WIRE_get_entry &&
        command != WIRE_give_entry && command != WIRE_request_start_view &&
        command != WIRE_new_epoch)
        sim_fail(sim, "replica %u takes part with an old copy of its disk", replica->index);
}

static void check_key(struct sim *sim, uint32_t key)
{
    struct linear_op ops[LINEAR_OPS_MAX] = {0};
    size_t n = 0;
    for (size_t i = 0; i < sim->history.count; i++) {
        const struct sim_op *op = &sim->history.ops[i];
        bool tells_nothing =
            op->linear.kind == LINEAR_GET && op->linear.end == LINEAR_PENDING;
        if (op->key != key || op->never || tells_nothing) continue;
        assert(n < LINEAR_OPS_MAX);
        ops[n++] = op->linear;
    }
    switch (linear_check(ops, n, SEARCH_STEPS)) {
    case LINEAR_OK:
        break;
    case LINEAR_VIOLATION:
        sim_fail(sim, "the history of key %s is not linearizable", sim->history.keys[key].name);
        for (size_t i = 0; i < n; i++)
            sim_trace(sim, "  %s kind=%d begin=%" PRIu64 " end=%" PRId64 " argument=%" PRIu64
                      " expected=%" PRIu64 " done=%d saw=%d,%" PRIx64 ",%" PRIu64,
                      sim->history.keys[key].name, ops[i].kind, ops[i].begin, (int64_t)ops[i].end,
                      ops[i].argument, ops[i].expected, ops[i].done, ops[i].saw.present,
                      ops[i].saw.value, ops[i].saw.length);
        break;
    case LINEAR_TOO_HARD:
        if (sim->options.beyond) break; /* of a group that stood still all is open */
        sim_fail(sim, "the history of key %s is too hard to check", sim->history.keys[key].name);
        break;
    }
}

void check_history(struct sim *sim)
{
    for (uint32_t key = 0; key < sim->history.n_keys && !sim->failed; key++)
        if (!sim->history.keys[key].modelled) check_key(sim, key);
}

void check_close(struct check *check)
{
    free(check->ops);
    for (uint32_t i = 0; i < CHECK_EPOCHS_MAX; i++) free(check->epochs[i].views);
    free(check->places);
    *check = (struct check){0};
}

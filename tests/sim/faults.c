/* SPDX-License-Identifier: BSD-2-Clause */
/* Faults, never more at once than the protocol promises to bear.
 *
 * With f = (n - 1) / 2: in memory mode a replica that was wiped counts as failed until it is
 * normal again, and at most f may be so.  With disks any number may crash; at most f may have lost
 * their disk, or found it damaged, and not be normal again, and a disk is lost only while all
 * others are well.  While the group forms, at most f replicas crash.  Some runs go beyond that
 * (options.def): all but one may lose their disk, while the membership changes, too.
 *
 * Single entries of a journal may rot at any number of replicas at once (rot.c).
 *
 * A witness whose log is full makes room for what comes, even if an active replica is away (W4 in
 * lib/vr/witness.c).  From then on the protocol bears the loss of less, until that replica is back:
 * what was committed must be left, as far as an active replica can come by it.
 *
 * A connection that breaks in the middle of a frame is not simulated: the hosts give whole frames
 * to the node, so half of one is as good as none, which is a loss. */
#include "sim/sim.h"

#include <string.h>

#include "base/assert.h"

#define STOP_PATIENCE_US (2 * SIM_S)
#define FORMING_US (150 * SIM_MS)

/* Members of the newest epoch. */
uint32_t sim_members(const struct sim *sim)
{
    uint32_t n = 0;
    for (uint8_t i = 0; i < sim->n_nodes; i++) n += check_is_member(sim, i);
    return n;
}

static uint32_t n_failures_borne(const struct sim *sim)
{
    return (sim_members(sim) - 1u) / 2;
}

static uint8_t any_replica(struct sim *sim)
{
    return (uint8_t)prng_below(&sim->prng, sim->n_nodes);
}

/* The one that hurts: a primary, if there is one. */
static uint8_t any_victim(struct sim *sim)
{
    uint8_t n = sim->n_nodes, from = any_replica(sim);
    if (prng_below(&sim->prng, 1000) >= sim->options.primary_permille) return from;
    for (uint8_t i = 0; i < n; i++) {
        uint8_t index = (uint8_t)((from + i) % n);
        const struct sim_replica *r = &sim->replicas[index];
        if (r->up && vr_is_primary(check_core(r->node))) return index;
    }
    return from;
}

/* One that executes nothing more is a failure already.  Without disks, in a later epoch: whoever
 * lost its memory has to recover, whoever is still on its way into the epoch has not. */
static bool has_state(const struct sim *sim, uint8_t index)
{
    const struct sim_replica *r = &sim->replicas[index];
    if (!check_is_member(sim, index) || (r->up && sim_is_ill(r))) return false;
    if (sim->check.epoch > 0 && !sim->config.durable)
        return r->up && !r->stopping && !r->was_flipped && check_core(r->node)->has_hard_state;
    return sim_replica_has_state(r);
}

static uint32_t n_begun(const struct sim *sim, uint32_t without)
{
    uint32_t n = 0;
    for (uint8_t i = 0; i < sim->n_nodes; i++)
        n += !((without >> i) & 1) && check_has_begun(sim, i);
    return n;
}

/* Until a quorum has begun the epoch, its log may be with a few, as many as the old members needed
 * for it: without disks none of those may crash. */
static bool may_be_needed(const struct sim *sim, uint8_t index)
{
    const struct sim_replica *r = &sim->replicas[index];
    bool few = n_begun(sim, UINT32_C(1) << index) < sim_members(sim) / 2 + 1;
    return few && (check_has_begun(sim, index) || (r->up && check_core(r->node)->replaced));
}

static uint32_t n_with_state(const struct sim *sim, uint32_t without)
{
    uint32_t n = 0;
    for (uint8_t i = 0; i < sim->n_nodes; i++)
        n += !((without >> i) & 1) && has_state(sim, i);
    return n;
}

static bool any_witness(const struct sim *sim)
{
    for (uint8_t i = 0; i < sim->n_nodes; i++)
        if (check_is_member(sim, i) && sim_is_witness(&sim->replicas[i])) return true;
    return false;
}

/* Do replicas with state, but for those, hold all that was committed?  An active one must, or join
 * on to the log of a witness that does. */
static bool hold_everything(const struct sim *sim, uint32_t without)
{
    uint64_t reach = 0, after, upto, wanted = sim->check.highest_commit;
    for (int witnesses = 0; witnesses < 2; witnesses++) {
        for (uint8_t i = 0; i < sim->n_nodes; i++) {
            bool is_one = sim_is_witness(&sim->replicas[i]);
            if (((without >> i) & 1) || !check_is_member(sim, i)) continue;
            if (!sim_replica_has_state(&sim->replicas[i])) continue;
            if (is_one != (witnesses > 0) || !check_holds(sim, i, &after, &upto)) continue;
            if (after <= reach && upto > reach) reach = upto;
        }
    }
    return reach >= wanted;
}

bool sim_bears_loss(const struct sim *sim, uint8_t index)
{
    return !any_witness(sim) || hold_everything(sim, UINT32_C(1) << index);
}

/* Does it lead a change, or hold the entry that ends the epoch?  Of a damaged entry that can't be
 * told. */
bool sim_may_change(const struct vr *core)
{
    return core->proposal.pending || vr_epoch_is_closed(core) || core->log.n_holes > 0;
}

/* While the membership changes nobody knows yet who will be counted. */
bool sim_is_changing(const struct sim *sim)
{
    if (sim->options.change_us == 0) return false;
    if (sim->changes.under_way) return true;
    for (uint8_t i = 0; i < sim->n_nodes; i++) {
        const struct sim_replica *r = &sim->replicas[i];
        if (r->up && sim_may_change(check_core(r->node))) return true;
    }
    return false;
}

static uint32_t n_former_members(const struct sim *sim)
{
    uint32_t n = 0;
    for (uint8_t i = 0; i < sim->n_nodes && sim->check.epoch > 0; i++)
        n += check_is_member_of(sim, i, sim->check.epoch - 1);
    return n;
}

/* Without disks, while the membership changes: one may lose its memory, of groups that bear that
 * before and after.  Who learns comes back as another, and who is to be a member by then recovers
 * in the epoch (E5); nobody else may be without memory. */
bool sim_bears_loss_in_change(const struct sim *sim, uint8_t index)
{
    if (!sim->changes.under_way || sim->changes.any_lost) return false;
    if (sim->changes.next.n < 3 || sim_members(sim) < 3) return false;
    if (sim->changes.left_in == 1 + sim->check.epoch) return false;
    if (sim->check.epoch > 0 && n_former_members(sim) < 3) return false; /* it may be under way */
    if (any_witness(sim) || sim->changes.next.witnesses != 0) return false;
    for (uint8_t i = 0; i < sim->n_nodes; i++) {
        const struct sim_replica *other = &sim->replicas[i];
        if (i == index || (!other->present && !check_is_member(sim, i))) continue;
        if (!other->up || other->stopping || other->was_flipped) return false;
        const struct vr *core = check_core(other->node);
        bool learns = core->config.self == NOT_A_MEMBER && !core->replaced;
        bool waits = other->newcomer && core->epoch == 0; /* for somebody to have it learn */
        if (!learns && !waits && !core->has_hard_state) return false;
    }
    return true;
}

static bool may_crash(const struct sim *sim, uint8_t index)
{
    uint32_t n = sim_members(sim);
    if (!sim->all_formed) return sim->crashes_before_formed < n_failures_borne(sim);
    if (!sim->config.durable && sim_is_changing(sim)) return sim_bears_loss_in_change(sim, index);
    if (!sim->config.durable && !check_is_member(sim, index))
        return n_begun(sim, 0) >= n - n_failures_borne(sim);
    if (!sim->config.durable && sim->check.epoch > 0 && may_be_needed(sim, index)) return false;
    if (sim->config.durable || !has_state(sim, index)) return true;
    return n_with_state(sim, UINT32_C(1) << index) >= n - n_failures_borne(sim) &&
           sim_bears_loss(sim, index);
}

bool sim_may_wipe(const struct sim *sim, uint8_t index)
{
    if (!sim->config.durable || !sim->all_formed) return false;
    uint32_t n_blank = 0;
    if (sim_is_changing(sim) || !check_is_member(sim, index)) return false;
    for (uint8_t i = 0; i < sim->n_nodes; i++) {
        const struct sim_replica *r = &sim->replicas[i];
        if (i == index || !check_is_member(sim, i)) continue;
        if (sim->check.epoch > 0 && !check_has_begun(sim, i) && !r->blank) return false;
        if (r->has_holes || r->n_rotten_entries > 0) return false;
        if (r->blank || r->damaged || r->rotten != 0 || r->old || r->was_flipped) n_blank++;
        else if (!r->up || check_core(r->node)->status != VR_NORMAL) return false;
    }
    return n_blank < n_failures_borne(sim) && sim_bears_loss(sim, index);
}

/* Is the copy of its disk of its newest life, too? */
static bool is_of_newest_life(const struct sim_replica *r)
{
    return r->copied_incarnation == r->newest_incarnation;
}

/* Does it know of that one's newest life, and that it said to hold more than that entry, if that
 * matters (UINT64_MAX: it does not)?  Who has been replaced knows enough if it knows that: it takes
 * part in no former epoch; and who lingers takes part in nothing. */
static bool knows(const struct sim *sim, const struct sim_replica *other,
                  const struct sim_replica *r, uint64_t op)
{
    const struct vr *core = other->up ? check_core(other->node) : NULL;
    if (core != NULL && vr_epoch_lingers(core)) return true;
    if (core == NULL || !vr_is_durable_state(core) || core->epoch != sim->check.epoch) return false;
    if (!check_is_member(sim, other->index)) return core->replaced;
    uint8_t index = vr_membership_find(&core->membership, sim_address_of(r->index));
    return core->crash_vector[index] == r->newest_incarnation &&
           (op == UINT64_MAX || core->vouched[index] > op);
}

/* Do all others know that, those too who could be of its former epochs? */
static bool others_know(const struct sim *sim, const struct sim_replica *r, uint64_t op)
{
    for (uint8_t i = 0; i < sim->n_nodes; i++) {
        const struct sim_replica *other = &sim->replicas[i];
        if (i != r->index && other->present && !knows(sim, other, r, op)) return false;
    }
    return true;
}

/* May the copy of its disk be put back?  If there was a life since, and all others that have state
 * know of it: then there is nobody from whom it could not hear that.  Or if they all heard it say
 * that it holds more than the copy does. */
static bool may_put_back(const struct sim *sim, const struct sim_replica *r)
{
    if (sim->options.beyond || disk_is_empty(&r->copy)) return false;
    return others_know(sim, r, is_of_newest_life(r) ? r->copied_op : UINT64_MAX);
}

/* What was acknowledged last passes for a torn write if it is damaged: then the disk is an old copy
 * of this life, and may be so for the same reason. */
static void lose_last(struct sim *sim, struct sim_replica *r)
{
    struct prng aside = sim->prng; /* so that all else is as without */
    if (sim->options.beyond || !sim_replica_has_state(r)) return;
    if (!others_know(sim, r, r->former_begun_op)) return;
    if (prng_below(&aside, 1000) >= sim->options.lost_write_permille) return;
    if (!disk_lose_last(&r->disk, &aside)) return;
    sim_trace(sim, "%u: its disk has lost its last write", r->index);
    sim_replica_is_old(sim, r->index, true);
    sim->stats.lost_writes++;
}

static void come_back(struct sim *sim, uint8_t index, uint64_t after_us)
{
    sim_at(sim, after_us, (struct sim_event){.kind = SIM_START, .node = index});
}

/* A replica has crashed, and with it went what it had heard from others.  Who was to learn by that
 * that his disk is an old copy of this very life is started empty instead. */
void sim_faults_forgotten(struct sim *sim, uint8_t index)
{
    for (uint8_t i = 0; i < sim->n_nodes; i++) {
        struct sim_replica *r = &sim->replicas[i];
        if (i == index || !r->old || !r->old_of_newest_life) continue;
        bool was_up = r->up;
        if (was_up) sim_replica_crash(sim, i, "crashed with an old copy of its disk");
        sim_replica_wipe(sim, i);
        if (was_up) come_back(sim, i, sim_around(sim, sim->options.down_us));
    }
}

/* Beyond what the protocol bears: as long as one has state, of those too who are to be the next
 * members, and it is not alone by then.  Who is alone, and empty, is a new group. */
static bool bears_beyond(const struct sim *sim, uint8_t index, bool loses_all)
{
    const struct vr_membership *next = &sim->changes.next;
    uint32_t n = 0;
    if (!sim->options.beyond || !sim->all_formed) return false;
    if (loses_all && n_with_state(sim, UINT32_C(1) << index) == 0) return false;
    if (!loses_all && n_failures_borne(sim) == 0) return false;
    if (!sim_is_changing(sim)) return true;
    for (uint8_t i = 0; i < next->n; i++) {
        uint8_t node = sim_node_of(next->members[i].address);
        n += node != index && sim_replica_has_state(&sim->replicas[node]);
    }
    return n > 0 && next->n >= 3;
}

/* What a crash may do to the disk. */
static void harm_disk(struct sim *sim, struct sim_replica *r)
{
    const struct sim_options *o = &sim->options;
    bool may = sim_may_wipe(sim, r->index);
    if (o->beyond) may = bears_beyond(sim, r->index, true);
    /* All of them, even: none may form a group again. */
    bool may_rot = may || bears_beyond(sim, r->index, false);
    if (!may_rot || r->fenced) return;
    if (may && prng_below(&sim->prng, 1000) < o->wipe_permille) {
        sim_trace(sim, "%u: lost its disk", r->index);
        sim->changes.any_lost = true;
        sim_replica_wipe(sim, r->index);
    } else if (prng_below(&sim->prng, 1000) < o->rot_permille) {
        const char *what = disk_damage(&r->disk, &sim->prng);
        if (what == NULL) return;
        sim_trace(sim, "%u: its disk is damaged: %s", r->index, what);
        r->damaged = r->harmed = r->scarred = sim->changes.any_lost = true;
        sim->stats.damages++;
    } else if (may && may_put_back(sim, r) && prng_below(&sim->prng, 1000) < o->old_permille) {
        sim_trace(sim, "%u: an old copy of its disk is put back", r->index);
        disk_copy(&r->disk, &r->copy);
        sim_replica_is_old(sim, r->index, is_of_newest_life(r));
    } else if (may) {
        lose_last(sim, r);
    }
}

/* Without a disk a stop loses the state.  By its end a witness may be exposed that was not at its
 * beginning, and then it would lose what nobody else has. */
static bool may_stop(const struct sim *sim)
{
    return sim->config.durable || !any_witness(sim);
}

static void stop(struct sim *sim, uint8_t index)
{
    uint32_t life = sim->replicas[index].incarnation;
    sim_replica_stop(sim, index);
    sim_at(sim, STOP_PATIENCE_US,
           (struct sim_event){.kind = SIM_STOP, .node = index, .incarnation = life});
    come_back(sim, index, STOP_PATIENCE_US + sim_around(sim, sim->options.down_us));
}

/* Without disks while the membership changes it would have to be known who is a member by the end
 * of the stop. */
static void upgrade(struct sim *sim)
{
    uint8_t index = any_replica(sim);
    const struct sim_replica *r = &sim->replicas[index];
    if (!sim->config.durable && sim->options.change_us != 0) return;
    if (!sim->all_formed || !r->up || r->stopping) return;
    if (may_crash(sim, index) && may_stop(sim)) stop(sim, index);
}

static void crash(struct sim *sim, uint8_t index)
{
    struct sim_replica *r = &sim->replicas[index];
    if (!r->up || r->stopping || !may_crash(sim, index)) return;
    if (!sim->all_formed) sim->crashes_before_formed++;
    if (prng_below(&sim->prng, 1000) < sim->options.graceful_permille && may_stop(sim)) {
        stop(sim, index);
        return;
    }
    bool was_replaced = check_core(r->node)->replaced;
    if (!sim->config.durable && sim->changes.under_way) sim->changes.any_lost = true;
    sim->stats.crashes++;
    sim_replica_crash(sim, index, "crashed");
    if (!sim->config.durable && was_replaced) r->present = false; /* for good */
    harm_disk(sim, r);
    sim_rot_entries(sim, r);
    come_back(sim, index, sim_around(sim, sim->options.down_us));
}

void sim_faults_leave(struct sim *sim, uint8_t index)
{
    struct sim_replica *r = &sim->replicas[index];
    if (!sim->config.durable || !r->up || r->stopping || !may_crash(sim, index)) return;
    sim->stats.absences++;
    sim_replica_crash(sim, index, "crashed, and stays away");
}

static void crash_all(struct sim *sim)
{
    if (!sim->config.durable || !sim->all_formed) return;
    for (uint8_t i = 0; i < sim->n_nodes; i++) {
        if (!sim->replicas[i].up) continue;
        sim_replica_crash(sim, i, "crashed with all others");
        sim->stats.crashes++;
        come_back(sim, i, sim_around(sim, sim->options.down_us));
    }
    for (uint8_t i = 0; i < sim->n_nodes; i++)
        if (!sim->replicas[i].up && sim->replicas[i].present)
            sim_rot_entries(sim, &sim->replicas[i]);
}

static void block(struct sim *sim, uint32_t from, uint32_t to)
{
    uint8_t n = sim->n_nodes;
    for (uint8_t a = 0; a < n; a++)
        for (uint8_t b = 0; b < n; b++)
            if (a != b && ((from >> a) & 1) && ((to >> b) & 1)) sim->blocked[a][b] = true;
}

static void block_both(struct sim *sim, uint32_t a, uint32_t b, bool one_way)
{
    block(sim, a, b);
    if (!one_way) block(sim, b, a);
}

/* One from the rest; a side drawn at random; two halves, with one replica between them that hears
 * both; or single links.  Gives the replicas of one side, if there are sides. */
static uint32_t cut(struct sim *sim)
{
    uint32_t n = sim->n_nodes, all = (UINT32_C(1) << n) - 1;
    bool one_way = prng_below(&sim->prng, 1000) < sim->options.one_way_permille;
    uint32_t side = (uint32_t)prng_below(&sim->prng, all);
    uint32_t bridge;
    if (prng_below(&sim->prng, 1000) >= sim->options.sides_permille) {
        for (uint64_t links = 1 + prng_below(&sim->prng, n); links > 0; links--) {
            uint8_t b = any_replica(sim), a = any_replica(sim); /* not left to the compiler */
            block_both(sim, UINT32_C(1) << a, UINT32_C(1) << b, one_way);
        }
        return 0;
    }
    switch (prng_below(&sim->prng, 4)) {
    case 0:
        bridge = UINT32_C(1) << any_replica(sim);
        block_both(sim, side & ~bridge, all & ~side & ~bridge, one_way);
        return side;
    case 1:
        side = UINT32_C(1) << any_victim(sim);
        break;
    default:
        break;
    }
    block_both(sim, side, all & ~side, one_way);
    return side;
}

static void cut_client(struct sim *sim, struct sim_client *client, uint32_t from, uint64_t until)
{
    for (uint8_t i = 0; i < sim->n_nodes; i++) {
        if (!((from >> i) & 1)) continue;
        client->connections[i].cut_until = until;
        if (client->connections[i].up) sim_net_break(sim, client, i);
        sim_trace(sim, "network: client %u and %u cut", client->index, i);
    }
}

/* Clients stand on either side of a partition, or see both. */
static void take_sides(struct sim *sim, uint32_t side, uint64_t until)
{
    if (side == 0 || prng_chance(&sim->prng, 1, 3)) return;
    for (uint32_t c = 0; c < sim->options.clients; c++)
        switch (prng_below(&sim->prng, 3)) {
        case 0: cut_client(sim, &sim->clients[c], side, until); break;
        case 1: cut_client(sim, &sim->clients[c], ~side, until); break;
        default: break;
        }
}

enum cut { CUT_ANY, CUT_SPEECH, CUT_OFF };

/* In any way; or some do not hear replica `about`, which hears them all; or it is cut off whole,
 * but for its clients. */
static void partition(struct sim *sim, uint8_t about, enum cut kind)
{
    uint8_t n = sim->n_nodes;
    uint32_t all = (UINT32_C(1) << n) - 1, one = UINT32_C(1) << about;
    uint64_t lasts_us = sim_around(sim, sim->options.cut_us);
    sim_heal(sim, sim->partition);
    if (n == 1) return;
    switch (kind) {
    case CUT_ANY: take_sides(sim, cut(sim), sim->now + lasts_us); break;
    case CUT_SPEECH: block(sim, one, (uint32_t)prng_below(&sim->prng, all + 1)); break;
    case CUT_OFF: block_both(sim, one, all & ~one, false); break;
    }
    sim->partition++;
    sim->stats.partitions++;
    for (uint8_t a = 0; a < n; a++)
        for (uint8_t b = 0; b < n; b++) {
            if (!sim->blocked[a][b]) continue;
            sim_trace(sim, "network: %u -> %u cut", a, b);
            if (prng_chance(&sim->prng, 1, 2) && sim->replicas[b].up)
                sim_net_link(sim, b, a, false);
        }
    sim_at(sim, lasts_us,
           (struct sim_event){.kind = SIM_HEAL, .value = sim->partition});
}

void sim_heal(struct sim *sim, uint64_t number)
{
    if (number != sim->partition) return; /* a newer one is on */
    for (uint8_t a = 0; a < sim->n_nodes; a++)
        for (uint8_t b = 0; b < sim->n_nodes; b++) {
            if (!sim->blocked[a][b]) continue;
            sim->blocked[a][b] = false;
            sim_trace(sim, "network: %u -> %u whole", a, b);
            if (sim->replicas[a].up && sim->replicas[b].up) sim_net_link(sim, a, b, true);
        }
}

static void reset(struct sim *sim)
{
    uint8_t a = any_replica(sim), b = any_replica(sim);
    if (a == b || !sim->replicas[a].up || !sim->replicas[b].up) return;
    sim_net_link(sim, a, b, false);
    sim_net_link(sim, b, a, false);
    if (!sim->blocked[a][b] && !sim->blocked[b][a]) sim_net_link(sim, a, b, true);
}

static void client_reset(struct sim *sim)
{
    struct sim_client *client = &sim->clients[prng_below(&sim->prng, sim->options.clients)];
    uint8_t replica = any_replica(sim);
    if (client->connections[replica].up) sim_net_break(sim, client, replica);
}

/* A client and some replicas do not reach each other. */
static void client_cut(struct sim *sim)
{
    struct sim_client *client = &sim->clients[prng_below(&sim->prng, sim->options.clients)];
    uint32_t from = (uint32_t)prng_next(&sim->prng);
    cut_client(sim, client, from, sim->now + sim_around(sim, sim->options.cut_us));
}

static void client_crash(struct sim *sim)
{
    sim_client_restart(sim, &sim->clients[prng_below(&sim->prng, sim->options.clients)]);
}

/* It stands still, and in the meantime the others may lose it altogether: what they say to it then
 * is not there when it goes on, but what they had said before is. */
static void pause_one(struct sim *sim)
{
    struct sim_replica *r = &sim->replicas[any_victim(sim)];
    if (!r->up) return;
    sim_replica_pause(sim, r->index, sim_around(sim, sim->config.view_change_ms * 2 * SIM_MS));
    if (prng_below(&sim->prng, 1000) < sim->options.cut_paused_permille)
        partition(sim, r->index, CUT_OFF);
}

static void full_disk(struct sim *sim)
{
    struct sim_replica *r = &sim->replicas[any_victim(sim)];
    if (!sim->all_formed) return;
    r->disk_full_until = sim->now + sim_around(sim, 2 * sim->options.down_us);
    sim_trace(sim, "%u: its disk is full", r->index);
}

/* Bits of a sound frame flip, and nobody may take it for one. */
static void garbage(struct sim *sim)
{
    uint8_t to = any_replica(sim);
    uint64_t n = sim->n_archived < SIM_ARCHIVE ? sim->n_archived : SIM_ARCHIVE;
    if (n == 0 || !sim->replicas[to].up) return;
    const struct sim_packet *sound = sim->archive[prng_below(&sim->prng, n)].packet;
    struct sim_packet *damaged = sim_packet_new(sound->bytes, sound->size);
    for (uint64_t flips = 1 + prng_below(&sim->prng, 4); flips > 0; flips--) {
        uint64_t bit = prng_below(&sim->prng, 8 * (uint64_t)damaged->size);
        damaged->bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    if (memcmp(damaged->bytes, sound->bytes, sound->size) != 0)
        sim_replica_garbage(sim, to, (struct bytes){damaged->bytes, damaged->size});
    sim_packet_release(damaged);
}

static void clock_jump(struct sim *sim)
{
    struct sim_replica *r = &sim->replicas[any_replica(sim)];
    r->wall_skew_us = (int64_t)prng_below(&sim->prng, 7200 * SIM_S) - (int64_t)(3600 * SIM_S);
    if (r->wall_skew_us > r->skew_most_us) r->skew_most_us = r->wall_skew_us;
    if (r->wall_skew_us < r->skew_least_us) r->skew_least_us = r->wall_skew_us;
    if (sim->options.leap_us == 0) return;
    uint64_t leap_us = prng_below(&sim->prng, sim->options.leap_us);
    sim->leapt_us += leap_us;
    sim_replica_leap(r, leap_us);
}

/* The first messages of a view decide much: lose some, and crash before the rest. */
void sim_faults_new_primary(struct sim *sim, uint8_t index)
{
    const struct sim_options *o = &sim->options;
    if (sim->quiet) return;
    if (prng_below(&sim->prng, 1000) < o->cut_primary_permille) partition(sim, index, CUT_SPEECH);
    if (prng_below(&sim->prng, 1000) >= o->crash_primary_permille) return;
    uint64_t soon_us = prng_chance(&sim->prng, 1, 2) ? o->delay_spread_us : o->cut_us;
    sim_at(sim, prng_below(&sim->prng, 2 * soon_us),
           (struct sim_event){.kind = SIM_FAULT, .from = SIM_FAULT_crash, .node = index,
                              .value = 1});
}

static void next_fault(struct sim *sim, enum sim_fault fault)
{
    uint64_t mean_us = sim_fault_mean(&sim->options, fault);
    if (mean_us == 0) return;
    sim_at(sim, sim_around(sim, mean_us),
           (struct sim_event){.kind = SIM_FAULT, .from = (uint8_t)fault});
}

void sim_fault(struct sim *sim, const struct sim_event *event)
{
    enum sim_fault fault = (enum sim_fault)event->from;
    if (sim->quiet) return;
    switch (fault) {
    case SIM_FAULT_crash: crash(sim, event->value != 0 ? event->node : any_victim(sim)); break;
    case SIM_FAULT_crash_all: crash_all(sim); break;
    case SIM_FAULT_full_disk: full_disk(sim); break;
    case SIM_FAULT_partition: partition(sim, 0, CUT_ANY); break;
    case SIM_FAULT_pause: pause_one(sim); break;
    case SIM_FAULT_reset: reset(sim); break;
    case SIM_FAULT_client_reset: client_reset(sim); break;
    case SIM_FAULT_client_cut: client_cut(sim); break;
    case SIM_FAULT_client_crash: client_crash(sim); break;
    case SIM_FAULT_replay: sim_net_replay(sim); break;
    case SIM_FAULT_garbage: garbage(sim); break;
    case SIM_FAULT_plot: sim_plot_begin(sim); break;
    case SIM_FAULT_clock: clock_jump(sim); break;
    case SIM_FAULT_flip: sim_flip(sim, any_victim(sim)); break;
    case SIM_FAULT_illness: sim_fall_ill(sim, any_victim(sim)); break;
    case SIM_FAULT_hand_over: sim_operator_hand_over(sim); break;
    case SIM_FAULT_upgrade: upgrade(sim); break;
    case SIM_FAULTS: assert(false);
    }
    if (event->value == 0) next_fault(sim, fault);
}

void sim_faults_begin(struct sim *sim)
{
    if (prng_below(&sim->prng, 1000) < sim->options.forming_permille)
        sim_at(sim, prng_below(&sim->prng, FORMING_US),
               (struct sim_event){.kind = SIM_FAULT, .from = SIM_FAULT_crash});
    for (int fault = 0; fault < SIM_FAULTS; fault++) next_fault(sim, (enum sim_fault)fault);
}

static bool all_begun(const struct sim *sim)
{
    if (sim->options.change_us == 0) return true;
    for (uint8_t i = 0; i < sim->n_nodes; i++)
        if (check_is_member(sim, i) && !check_has_begun(sim, i)) return false;
    return true;
}

/* Replicas that stay away for good: dead, or talking without hearing anything.  What is left must
 * hold a quorum that has state. */
static void choose_dead(struct sim *sim)
{
    uint32_t n = sim_members(sim);
    if (!sim->all_formed || sim_is_changing(sim) || prng_chance(&sim->prng, 1, 3)) return;
    for (uint32_t tries = n_failures_borne(sim); tries > 0; tries--) {
        uint32_t more = sim->dead | UINT32_C(1) << any_replica(sim);
        bool bears = !any_witness(sim) || hold_everything(sim, more);
        if (n_with_state(sim, more) >= n / 2 + 1 && bears && all_begun(sim)) sim->dead = more;
    }
}

void sim_faults_end(struct sim *sim)
{
    sim_trace(sim, "the faults are over");
    sim_heal(sim, sim->partition);
    sim->quiet = true;
    choose_dead(sim);
    for (uint32_t c = 0; c < sim->options.clients; c++)
        for (uint8_t i = 0; i < sim->n_nodes; i++)
            sim->clients[c].connections[i].cut_until = 0;
    for (uint8_t i = 0; i < sim->n_nodes; i++) {
        struct sim_replica *r = &sim->replicas[i];
        bool dead = (sim->dead >> i) & 1;
        r->paused_until = r->disk_full_until = 0;
        if (r->up && (r->stopping || (dead && prng_chance(&sim->prng, 2, 3))))
            sim_replica_crash(sim, i, dead ? "dead for good" : "stopped");
        if (dead && r->up) sim_trace(sim, "%u: hears nobody for good", i);
        if (!dead && !r->up && r->present) come_back(sim, i, sim_around(sim, 50 * SIM_MS));
    }
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* Faults, never more at once than the protocol promises to bear.
 *
 * With f = (n - 1) / 2: in memory mode a replica that was wiped counts as failed until it is
 * normal again, and at most f may be so.  With disks any number may crash; at most f may have lost
 * their disk and not be normal again, and a disk is lost only while all others are well.  While
 * the group forms, at most f replicas crash. */
#include "sim/sim.h"

#include "base/assert.h"

#define STOP_PATIENCE_US (2 * SIM_S)
#define FORMING_US (150 * SIM_MS)

static uint32_t n_failures_borne(const struct sim *sim)
{
    return (sim->options.config.n_replicas - 1u) / 2;
}

static uint8_t any_replica(struct sim *sim)
{
    return (uint8_t)prng_below(&sim->prng, sim->options.config.n_replicas);
}

/* The one that hurts: a primary, if there is one. */
static uint8_t any_victim(struct sim *sim)
{
    uint8_t n = sim->options.config.n_replicas, from = any_replica(sim);
    if (prng_below(&sim->prng, 1000) >= sim->options.primary_permille) return from;
    for (uint8_t i = 0; i < n; i++) {
        uint8_t index = (uint8_t)((from + i) % n);
        const struct sim_replica *r = &sim->replicas[index];
        if (r->up && vr_is_primary(check_core(r->node))) return index;
    }
    return from;
}

static uint32_t n_with_state(const struct sim *sim, uint32_t without)
{
    uint32_t n = 0;
    for (uint8_t i = 0; i < sim->options.config.n_replicas; i++)
        n += !((without >> i) & 1) && sim_replica_has_state(&sim->replicas[i]);
    return n;
}

static bool may_crash(const struct sim *sim, uint8_t index)
{
    uint32_t n = sim->options.config.n_replicas;
    if (!sim->all_formed) return sim->crashes_before_formed < n_failures_borne(sim);
    if (sim->options.config.durable || !sim_replica_has_state(&sim->replicas[index])) return true;
    return n_with_state(sim, UINT32_C(1) << index) >= n - n_failures_borne(sim);
}

static bool may_wipe(const struct sim *sim, uint8_t index)
{
    if (!sim->options.config.durable || !sim->all_formed) return false;
    uint32_t n_blank = 0;
    for (uint8_t i = 0; i < sim->options.config.n_replicas; i++) {
        const struct sim_replica *r = &sim->replicas[i];
        if (i == index) continue;
        if (r->blank) n_blank++;
        else if (!r->up || check_core(r->node)->status != VR_NORMAL) return false;
    }
    return n_blank < n_failures_borne(sim);
}

static void come_back(struct sim *sim, uint8_t index, uint64_t after_us)
{
    sim_at(sim, after_us, (struct sim_event){.kind = SIM_START, .node = index});
}

static void crash(struct sim *sim)
{
    uint8_t index = any_victim(sim);
    struct sim_replica *r = &sim->replicas[index];
    if (!r->up || r->stopping || !may_crash(sim, index)) return;
    if (!sim->all_formed) sim->crashes_before_formed++;
    if (prng_below(&sim->prng, 1000) < sim->options.graceful_permille) {
        sim_replica_stop(sim, index);
        sim_at(sim, STOP_PATIENCE_US,
               (struct sim_event){.kind = SIM_STOP, .node = index, .incarnation = r->incarnation});
        come_back(sim, index, STOP_PATIENCE_US + sim_around(sim, sim->options.down_us));
        return;
    }
    sim->stats.crashes++;
    sim_replica_crash(sim, index, "crashed");
    if (prng_below(&sim->prng, 1000) < sim->options.wipe_permille && may_wipe(sim, index)) {
        sim_trace(sim, "%u: lost its disk", index);
        disk_wipe(&r->disk);
        r->blank = true;
        check_wiped(sim, r);
        sim->stats.wipes++;
    }
    come_back(sim, index, sim_around(sim, sim->options.down_us));
}

static void crash_all(struct sim *sim)
{
    if (!sim->options.config.durable || !sim->all_formed) return;
    for (uint8_t i = 0; i < sim->options.config.n_replicas; i++) {
        if (!sim->replicas[i].up) continue;
        sim_replica_crash(sim, i, "crashed with all others");
        sim->stats.crashes++;
        come_back(sim, i, sim_around(sim, sim->options.down_us));
    }
}

static void block(struct sim *sim, uint32_t from, uint32_t to)
{
    uint8_t n = sim->options.config.n_replicas;
    for (uint8_t a = 0; a < n; a++)
        for (uint8_t b = 0; b < n; b++)
            if (a != b && ((from >> a) & 1) && ((to >> b) & 1)) sim->blocked[a][b] = true;
}

static void partition(struct sim *sim)
{
    uint32_t n = sim->options.config.n_replicas, all = (UINT32_C(1) << n) - 1;
    uint32_t side = 0;
    uint64_t shape = prng_below(&sim->prng, 4);
    sim_heal(sim, sim->partition);
    if (n == 1) return;
    if (shape == 0) side = UINT32_C(1) << any_victim(sim); /* one from the rest */
    else if (shape == 1) side = (uint32_t)prng_below(&sim->prng, all); /* at random */
    bool one_way = prng_below(&sim->prng, 1000) < sim->options.one_way_permille;
    if (shape <= 1) {
        block(sim, side, all & ~side);
        if (!one_way) block(sim, all & ~side, side);
    } else {
        for (uint64_t links = 1 + prng_below(&sim->prng, n); links > 0; links--) {
            uint32_t a = UINT32_C(1) << any_replica(sim), b = UINT32_C(1) << any_replica(sim);
            block(sim, a, b);
            if (!one_way) block(sim, b, a);
        }
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
    sim_at(sim, sim_around(sim, sim->options.cut_us),
           (struct sim_event){.kind = SIM_HEAL, .value = sim->partition});
}

void sim_heal(struct sim *sim, uint64_t number)
{
    if (number != sim->partition) return; /* a newer one is on */
    for (uint8_t a = 0; a < sim->options.config.n_replicas; a++)
        for (uint8_t b = 0; b < sim->options.config.n_replicas; b++) {
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
    struct sim_client *client = &sim->clients[prng_below(&sim->prng, sim->options.n_clients)];
    uint8_t replica = any_replica(sim);
    if (client->connections[replica].up) sim_net_break(sim, client, replica);
}

static void client_crash(struct sim *sim)
{
    sim_client_restart(sim, &sim->clients[prng_below(&sim->prng, sim->options.n_clients)]);
}

static void pause_one(struct sim *sim)
{
    struct sim_replica *r = &sim->replicas[any_victim(sim)];
    if (!r->up) return;
    r->paused_until = sim->now + sim_around(sim, sim->options.config.view_change_ms * 2 * SIM_MS);
    sim_trace(sim, "%u: paused", r->index);
}

static void clock_jump(struct sim *sim)
{
    struct sim_replica *r = &sim->replicas[any_replica(sim)];
    r->wall_skew_us = (int64_t)prng_below(&sim->prng, 7200 * SIM_S) - (int64_t)(3600 * SIM_S);
}

static void next_fault(struct sim *sim, enum sim_fault fault)
{
    if (sim->options.fault_us[fault] == 0) return;
    sim_at(sim, sim_around(sim, sim->options.fault_us[fault]),
           (struct sim_event){.kind = SIM_FAULT, .from = (uint8_t)fault});
}

void sim_fault(struct sim *sim, enum sim_fault fault)
{
    if (sim->quiet) return;
    switch (fault) {
    case SIM_FAULT_CRASH: crash(sim); break;
    case SIM_FAULT_CRASH_ALL: crash_all(sim); break;
    case SIM_FAULT_PARTITION: partition(sim); break;
    case SIM_FAULT_PAUSE: pause_one(sim); break;
    case SIM_FAULT_RESET: reset(sim); break;
    case SIM_FAULT_CLIENT_RESET: client_reset(sim); break;
    case SIM_FAULT_CLIENT_CRASH: client_crash(sim); break;
    case SIM_FAULT_REPLAY: sim_net_replay(sim); break;
    case SIM_FAULT_PLOT: sim_plot_begin(sim); break;
    case SIM_FAULT_CLOCK: clock_jump(sim); break;
    case SIM_FAULTS: assert(false);
    }
    next_fault(sim, fault);
}

void sim_faults_begin(struct sim *sim)
{
    if (prng_below(&sim->prng, 1000) < sim->options.forming_permille)
        sim_at(sim, prng_below(&sim->prng, FORMING_US),
               (struct sim_event){.kind = SIM_FAULT, .from = SIM_FAULT_CRASH});
    for (int fault = 0; fault < SIM_FAULTS; fault++) next_fault(sim, (enum sim_fault)fault);
}

/* Replicas that stay away for good: dead, or talking without hearing anything.  What is left must
 * hold a quorum that has state. */
static void choose_dead(struct sim *sim)
{
    uint32_t n = sim->options.config.n_replicas;
    if (!sim->all_formed || prng_chance(&sim->prng, 1, 3)) return;
    for (uint32_t tries = n_failures_borne(sim); tries > 0; tries--) {
        uint32_t more = sim->dead | UINT32_C(1) << any_replica(sim);
        if (n_with_state(sim, more) >= n / 2 + 1) sim->dead = more;
    }
}

void sim_faults_end(struct sim *sim)
{
    sim_trace(sim, "the faults are over");
    sim_heal(sim, sim->partition);
    sim->quiet = true;
    choose_dead(sim);
    for (uint8_t i = 0; i < sim->options.config.n_replicas; i++) {
        struct sim_replica *r = &sim->replicas[i];
        bool dead = (sim->dead >> i) & 1;
        r->paused_until = 0;
        if (r->up && (r->stopping || (dead && prng_chance(&sim->prng, 2, 3))))
            sim_replica_crash(sim, i, dead ? "dead for good" : "stopped");
        if (dead && r->up) sim_trace(sim, "%u: hears nobody for good", i);
        if (!dead && !r->up) come_back(sim, i, sim_around(sim, 50 * SIM_MS));
    }
}

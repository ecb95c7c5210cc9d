/* SPDX-License-Identifier: BSD-2-Clause */
/* The plot of PIT-3.1, acted out with the group's own messages.  Random faults hardly ever meet in
 * this order, and it is what recovery without a disk must withstand:
 *
 *   0  everybody is cut off from everybody, but the backups' votes reach one of them;
 *   1  it has promised the next view, alone: it crashes, and comes back at once;
 *   2  it has recovered in the old view: now the primary-to-be of the promised view is cut off, and
 *      the rest go on committing without it;
 *   3  the promise of its former life reaches that replica.
 *
 * Each step looks whether the group went along, else the plot is given up. */
#include "sim/sim.h"

#include <inttypes.h>

#include "base/assert.h"

static bool is_normal_in(const struct sim_replica *r, uint64_t view)
{
    if (!r->up || r->paused_until > r->sim->now || r->stopping) return false;
    const struct vr *core = check_core(r->node);
    return core->status == VR_NORMAL && core->view == view;
}

static bool all_normal_but(struct sim *sim, int exception, uint64_t view)
{
    for (uint8_t i = 0; i < sim->config.n_replicas; i++)
        if (i != exception && !is_normal_in(&sim->replicas[i], view)) return false;
    return true;
}

static void next_step(struct sim *sim, uint64_t after_us)
{
    sim->plot.step++;
    sim_at(sim, after_us, (struct sim_event){.kind = SIM_PLOT, .value = sim->partition});
}

/* Step 0.  The cut counts as a partition, so that a random one simply puts an end to the plot. */
void sim_plot_begin(struct sim *sim)
{
    struct sim_plot *plot = &sim->plot;
    uint8_t n = sim->config.n_replicas;
    const struct vr *any = sim->replicas[0].up ? check_core(sim->replicas[0].node) : NULL;
    if (n < 3 || any == NULL || !sim->all_formed || !all_normal_but(sim, -1, any->view)) return;
    sim_heal(sim, sim->partition);
    sim->partition++;
    uint8_t primary = vr_primary_of(any, any->view);
    *plot = (struct sim_plot){.view = any->view, .next_primary = vr_primary_of(any, any->view + 1)};
    plot->loner = plot->next_primary;
    for (uint64_t skip = 1 + prng_below(&sim->prng, n - 2u); skip > 0; skip--) {
        plot->loner = (uint8_t)((plot->loner + 1) % n);
        if (plot->loner == primary) plot->loner = (uint8_t)((plot->loner + 1) % n);
    }
    assert(plot->loner != primary && plot->loner != plot->next_primary);
    sim_trace(sim, "plot: %u is to promise view %" PRIu64 " alone", plot->loner,
              plot->view + 1);
    for (uint8_t a = 0; a < n; a++)
        for (uint8_t b = 0; b < n; b++)
            sim->blocked[a][b] = a != b && (b != plot->loner || a == primary);
    next_step(sim, sim->config.view_change_ms * 2 * SIM_MS);
}

static bool has_promised_alone(struct sim *sim)
{
    const struct sim_plot *plot = &sim->plot;
    const struct sim_replica *loner = &sim->replicas[plot->loner];
    if (!loner->up || loner->stopping) return false;
    const struct vr *core = check_core(loner->node);
    return core->status == VR_VIEW_CHANGE && core->view == plot->view + 1 &&
           all_normal_but(sim, plot->loner, plot->view);
}

static void deliver_promises(struct sim *sim)
{
    const struct sim_plot *plot = &sim->plot;
    for (uint32_t i = 0; i < SIM_ARCHIVE; i++) {
        struct sim_event old = sim->archive[i];
        if (old.packet == NULL || old.from != plot->loner || old.node != plot->next_primary ||
            old.incarnation == sim->replicas[plot->loner].incarnation)
            continue;
        sim_packet_share(old.packet);
        sim_at(sim, 1, old);
    }
}

void sim_plot_step(struct sim *sim, uint64_t partition)
{
    struct sim_plot *plot = &sim->plot;
    uint64_t unit_us = sim->config.view_change_ms * SIM_MS;
    uint8_t n = sim->config.n_replicas;
    if (sim->quiet || partition != sim->partition) return;
    if (plot->step == 1 && has_promised_alone(sim) && sim_bears_loss(sim, plot->loner)) {
        sim_heal(sim, sim->partition);
        sim->stats.crashes++;
        sim_replica_crash(sim, plot->loner, "crashed with a promise");
        sim_at(sim, SIM_MS, (struct sim_event){.kind = SIM_START, .node = plot->loner});
        next_step(sim, unit_us);
    } else if (plot->step == 2 && all_normal_but(sim, -1, plot->view)) {
        sim->stats.forgotten_promises++;
        for (uint8_t i = 0; i < n; i++) {
            if (i == plot->next_primary) continue;
            sim->blocked[i][plot->next_primary] = sim->blocked[plot->next_primary][i] = true;
        }
        next_step(sim, unit_us / 2);
    } else if (plot->step == 3) {
        deliver_promises(sim);
        next_step(sim, unit_us / 4);
    } else {
        sim_heal(sim, sim->partition);
    }
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* Who upgrades the replicas, one at a time, and now and then goes back.
 *
 * There is a version of the protocol behind the newest one that this program knows.  It has
 * nothing new, but a replica that is started in the one here takes nothing of it, as its frames,
 * its journal and its entries say by number what they are.  Each start draws anew; nobody pays
 * attention to what the group has come to, so that some replicas find themselves to be too old: by
 * their folder at the start, or by what they hear later.  Their operator then upgrades them.  In
 * memory mode, where each restart costs a state, nobody goes back. */
#include "sim/sim.h"

#include <inttypes.h>

#define LATER (WIRE_NEWEST + 1u)

/* For its next start. */
void sim_version_choose(struct sim_replica *r)
{
    struct sim *sim = r->sim;
    bool stays = r->newest == LATER && !r->config.durable;
    if (sim->options.upgrade_us == 0) return;
    bool later = stays || sim->quiet || r->too_old;
    if (!later && r->incarnation > 0)
        later = prng_below(&sim->versions, 1000) < sim->options.upgrade_permille;
    r->newest = later ? LATER : WIRE_NEWEST;
    r->too_old = false;
    if (r->newest > r->spoke) r->spoke = r->newest;
    sim_trace(sim, "%u: its program speaks version %u", r->index, r->newest);
}

static bool is_well(const struct sim *sim, uint8_t node)
{
    return sim->replicas[node].up && ((sim->dead >> node) & 1) == 0 && check_is_member(sim, node);
}

/* When the faults are over.  Who went back while an entry of the later version was on its way, and
 * says so, may be needed for that entry: its operator upgrades it again.  But as long as those of
 * the older version are a majority that has state they must get on without it (G6). */
void sim_versions_upgrade(struct sim *sim)
{
    uint32_t older = 0;
    for (uint8_t i = 0; i < sim->n_nodes; i++)
        older += is_well(sim, i) && sim->replicas[i].newest == WIRE_NEWEST &&
                 sim_replica_has_state(&sim->replicas[i]);
    if (!sim->quiet || older > sim_members(sim) / 2) return;
    for (uint8_t i = 0; i < sim->n_nodes; i++) {
        if (!is_well(sim, i) || !vr_version_is_missed(check_core(sim->replicas[i].node))) continue;
        sim_replica_crash(sim, i, "stopped, to be upgraded");
        sim_at(sim, sim_around(sim, sim->options.down_us),
               (struct sim_event){.kind = SIM_START, .node = i});
    }
}

/* It has been told, in words, that its program is too old. */
void sim_version_too_old(struct sim_replica *r, const char *why)
{
    sim_trace(r->sim, "%u: %s", r->index, why);
    if (r->newest != WIRE_NEWEST) sim_fail(r->sim, "replica %u: %s", r->index, why);
    r->too_old = true;
    r->sim->stats.too_old++;
}

/* Have all members been in this version, in some life (G4)? */
static bool all_spoke(const struct sim *sim, uint32_t epoch, uint8_t version)
{
    for (uint8_t i = 0; i < sim->n_nodes; i++)
        if (check_is_member_of(sim, i, epoch) && sim->replicas[i].spoke < version) return false;
    return true;
}

/* A replica executes this entry, or holds it, whose version is the highest in its log. */
void sim_version_check(struct sim *sim, const struct sim_replica *r,
                       const struct wire_entry_header *header)
{
    if (sim->options.upgrade_us == 0 || header->op == 0) return;
    if (header->version > r->newest)
        sim_fail(sim, "replica %u holds op=%" PRIu64 " of version %u, its program speaks %u",
                 r->index, header->op, header->version, r->newest);
    if (!all_spoke(sim, header->epoch, header->version))
        sim_fail(sim, "op=%" PRIu64 " is of version %u, which a member of epoch %u never spoke",
                 header->op, header->version, header->epoch);
}

/* What a replica sends to another member of its epoch (G1). */
void sim_version_check_frame(struct sim *sim, uint8_t from, uint8_t to, uint8_t version)
{
    if (sim->options.upgrade_us != 0 && version > sim->replicas[to].spoke)
        sim_fail(sim, "replica %u sends %u a frame of version %u, which that never spoke", from, to,
                 version);
}

/* When nobody is away any more, and all have been upgraded, the group has been, too. */
bool sim_version_is_risen(const struct sim *sim, const struct vr *core)
{
    bool all = sim->options.upgrade_us != 0 && sim->dead == 0;
    for (uint8_t i = 0; i < sim->n_nodes; i++)
        if (check_is_member(sim, i) && sim->replicas[i].newest != LATER) all = false;
    return !all || vr_version(core) == LATER;
}

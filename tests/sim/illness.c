/* SPDX-License-Identifier: BSD-2-Clause */
/* Operations and ticks that an application cannot execute (lib/vr/pass_over.c).
 *
 *   poison   some operations and ticks cannot be executed by any replica, in any of its lives, as a
 *            program ends at each try: the group must pass them over, and say so
 *   illness  a replica executes nothing more in this life, as its machine lacks something: it must
 *            end, and let another lead before.  One at a time, and among three at least, also in a
 *            group that is about to be: it must not be enough, together with the witnesses, to
 *            decide for the others (PO2).  With disks, as who ends without loses its memory. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/checksum.h"
#include "sim/foreign.h"
#include "sim/sim.h"

bool sim_is_poison(const struct sim *sim, const struct vstamp_context *context)
{
    uint64_t about[4] = {sim->seed, context->op_number, context->client.hi, context->client.lo};
    return checksum64(about, sizeof about) % 1000000 < sim->options.poison_ppm;
}

bool sim_is_ill(const struct sim_replica *r)
{
    return r->ill_life != 0 && r->ill_life == r->incarnation;
}

static bool is_any_ill(const struct sim *sim)
{
    for (uint8_t i = 0; i < sim->n_nodes; i++)
        if (sim->replicas[i].up && sim_is_ill(&sim->replicas[i])) return true;
    return false;
}

/* Is one that is ill a failure which so many bear, and not a quorum with the witnesses? */
static bool bears_one(uint32_t n, uint32_t n_witnesses)
{
    return n > 2 && n_witnesses < n / 2;
}

static bool bears_one_of(const struct vr_membership *m)
{
    return bears_one(m->n, (uint32_t)__builtin_popcount(m->witnesses));
}

bool sim_illness_bears(const struct sim *sim, const struct vr_membership *next)
{
    return !is_any_ill(sim) || bears_one_of(next);
}

void sim_fall_ill(struct sim *sim, uint8_t index)
{
    struct sim_replica *r = &sim->replicas[index];
    uint32_t n = sim_members(sim), n_active = (uint32_t)__builtin_popcount(check_active(sim));
    if (!r->up || r->stopping || !sim->all_formed || is_any_ill(sim)) return;
    if (!bears_one(n, n - n_active)) return;
    if (sim_is_changing(sim) && !bears_one_of(&sim->changes.next)) return;
    if (sim->changes.left_in == 1 + sim->check.epoch) return;
    sim_trace(sim, "%u: executes nothing more", index);
    r->ill_life = r->incarnation;
    sim->stats.illnesses++;
}

bool sim_stuck_is_expected(const struct sim_replica *r)
{
    if (foreign_in_use())
        sim_fail(r->sim, "replica %u: %s", r->index, check_core(r->node)->stuck_why.text);
    return r->sim->options.poison_ppm != 0 || sim_is_ill(r);
}

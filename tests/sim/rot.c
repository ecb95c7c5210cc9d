/* SPDX-License-Identifier: BSD-2-Clause */
/* Single entries of a journal rot: a bit of one flips while its replica is down.  That may happen
 * to any number of replicas, and to all of them at once, as long as another copy is left of each
 * entry, and not with a witness, which may forget it: then they mend each other (lib/vr/mend.c).
 * An entry that was not committed may even rot at all who have it, if they are less than a quorum:
 * then the others deny it.  So it is while the membership changes, too, at members and at who is to
 * be or has been one; that other copy is with a member then, of an epoch that a disk knows of.
 *
 * While a replica has lost its disk, or more of it than that, nothing rots, and while something is
 * rotten no disk is lost (faults.c). */
#include <inttypes.h>

#include "sim/sim.h"

struct choice {
    struct prng *prng;
    uint64_t n;
    struct disk_entry entry; /* one of n, each as likely as any other */
};

static void choose(void *ctx, const struct disk_entry *entry)
{
    struct choice *c = ctx;
    c->n++;
    if (prng_below(c->prng, c->n) == 0) c->entry = *entry;
}

static bool is_rotten(const struct sim_replica *r, struct vstamp_id checksum)
{
    for (uint32_t i = 0; i < r->n_rotten_entries; i++)
        if (vstamp_id_equal(r->rotten_entries[i], checksum)) return true;
    return false;
}

/* The newest epoch that a disk knows of: all may crash, and then there is no later one. */
static uint32_t durable_epoch(const struct sim *sim)
{
    uint32_t newest = 0;
    for (uint8_t i = 0; i < sim->n_nodes; i++) {
        uint32_t epoch = sim->check.replicas[i].durable_epoch;
        if (epoch > newest) newest = epoch;
    }
    return newest;
}

/* Would nothing be lost, and everything be clear, without this copy of the entry? */
static bool bears(const struct sim *sim, uint8_t index, const struct wire_entry_header *header)
{
    bool committed = header->op <= sim->check.highest_commit &&
                     vstamp_id_equal(sim->check.ops[header->op].checksum, header->checksum);
    uint32_t n_rotten = 1, n = 0, epoch = durable_epoch(sim);
    for (uint8_t i = 0; i < sim->n_nodes; i++) {
        const struct sim_replica *other = &sim->replicas[i];
        if (!check_is_member_of(sim, i, epoch)) continue;
        n++;
        if (i == index) continue;
        bool forgets = committed && sim_is_witness(other);
        if (is_rotten(other, header->checksum)) n_rotten++;
        else if (!forgets && check_holds_entry(sim, i, header)) return true;
    }
    return !committed && n_rotten < n / 2 + 1;
}

static void rot_one(struct sim *sim, struct sim_replica *r)
{
    struct choice c = {.prng = &sim->prng};
    const struct disk_entry *entry = &c.entry;
    if (r->n_rotten_entries == SIM_ROTTEN_MAX) return;
    disk_visit_entries(&r->disk, &r->config, choose, &c);
    if (c.n == 0 || is_rotten(r, entry->header.checksum)) return;
    if (!bears(sim, r->index, &entry->header)) return;
    disk_flip(&r->disk, entry->number, entry->place + prng_below(&sim->prng, entry->size),
              (uint8_t)(1u << prng_below(&sim->prng, 8)));
    sim_trace(sim, "%u: its entry %" PRIu64 " rots", r->index, entry->header.op);
    r->rotten_entries[r->n_rotten_entries++] = entry->header.checksum;
    r->harmed = true;
    sim->stats.rotten_entries++;
}

void sim_rot_entries(struct sim *sim, struct sim_replica *r)
{
    if (!sim->config.durable || !sim->all_formed) return;
    if (prng_below(&sim->prng, 1000) >= sim->options.entry_rot_permille) return;
    for (uint8_t i = 0; i < sim->n_nodes; i++) {
        const struct sim_replica *other = &sim->replicas[i];
        if (!check_is_member(sim, i)) continue;
        if (other->blank || other->damaged || other->rotten != 0 || other->old ||
            other->was_flipped)
            return;
    }
    if (r->scarred) return; /* two scars beside each other are a loss */
    for (uint64_t n = 1 + prng_below(&sim->prng, 3); n > 0; n--) rot_one(sim, r);
}

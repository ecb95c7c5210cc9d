/* SPDX-License-Identifier: BSD-2-Clause */
/* A bit of a replica's state turns in its memory, and nothing on the machine notices; or what it
 * executed has left another bit than at the others, as an application that is not deterministic
 * would: what the digests are for (lib/vr/digest.c).  It turns where the store can bear it, in a
 * value mostly, so that the replica does not stumble but is wrong: it answers wrongly, stores what
 * is wrong, and executes what follows on that.  A store with memory of its own is hit there.
 *
 * It happens to one replica at a time, while all other members are well, and its disk counts as
 * lost from then on, as it will be; in a group with witnesses, while the others hold all that was
 * committed (faults.c).  If the membership changes, the group that is to come must bear that loss,
 * too.  One of less than three active replicas bears none, by any protocol: two that differ do not
 * tell which of them is wrong (D2), and one differs from nobody.  Until it is found what it answers
 * is not taken for the truth, and nobody takes pages from it that are wrong by its own tree, too:
 * whom it had infected would be as wrong, and there might be more of those.  If the witnesses
 * forget meanwhile what others that were away have yet to come by, these wait for ever: that is
 * more than the group bears (W4), and no failure.  When the faults are over it must be found soon
 * after three more points are passed (check.c); unless some who are right have that from others, so
 * that all can only say that states differ (D8): then its operator finds out. */
#include <inttypes.h>
#include <string.h>

#include "kv/store.h"
#include "sim/remembering.h"
#include "sim/sim.h"

#define TRIES 64u

/* Of the membership that was asked for last, or another that somebody left to itself. */
static bool next_may_be_small(const struct sim *sim)
{
    const struct vr_membership *next = &sim->changes.next;
    uint32_t n_active = next->n - (uint32_t)__builtin_popcount(next->witnesses);
    return sim_is_changing(sim) &&
           (n_active < 3 || sim->changes.left_in == 1 + sim->check.epoch);
}

/* The store's, be they pages of the group or memory of its own, which is written to those later. */
static const struct vstamp_pages *memory_of(const struct sim_replica *r)
{
    if (r->sim->options.own_memory != 0) return remembering_memory(r->instance);
    return &check_core(r->node)->app_pages;
}

static uint32_t n_used(const struct vstamp_pages *store)
{
    uint32_t n = store->pages->n_used;
    return n > store->first ? n - store->first : 0;
}

static bool may_flip(const struct sim *sim, const struct sim_replica *r)
{
    uint32_t active = check_active(sim);
    if (!sim->all_formed || __builtin_popcount(active) < 3 || sim->options.beyond) return false;
    if (!((active >> r->index) & 1) || next_may_be_small(sim)) return false;
    bool loses_memory = !sim->config.durable && sim_is_changing(sim); /* once it is found */
    if (loses_memory && !sim_bears_loss_in_change(sim, r->index)) return false;
    if (!sim_bears_loss(sim, r->index)) return false;
    for (uint8_t i = 0; i < sim->n_nodes; i++) {
        const struct sim_replica *other = &sim->replicas[i];
        bool well = sim_replica_has_state(other) && !other->fenced && check_has_begun(sim, i);
        if (check_is_member(sim, i) && !well) return false;
    }
    if (!r->up || r->stopping) return false;
    const struct vr *core = check_core(r->node);
    return core->status == VR_NORMAL && !core->pages.fetching && !core->over &&
           n_used(memory_of(r)) > 0;
}

static bool is_borne(const struct vstamp_pages *store)
{
    uint64_t memory[VSTAMP_AUDIT_BYTES / sizeof(uint64_t)] = {0};
    enum vstamp_audit audit = VSTAMP_AUDIT_GOES_ON;
    while (audit == VSTAMP_AUDIT_GOES_ON)
        audit = kv_store_audit(store, n_used(store), memory, UINT32_MAX);
    return audit == VSTAMP_AUDIT_PASSES;
}

/* To be changed behind the back of all, or as an execution does. */
static uint8_t *content_of(const struct vstamp_pages *store, uint32_t page, bool slips)
{
    return slips ? pages_write(store->pages, page)
                 : (uint8_t *)(uintptr_t)pages_read(store->pages, page);
}

void sim_flip(struct sim *sim, uint8_t index)
{
    struct sim_replica *r = &sim->replicas[index];
    struct prng aside = sim->prng;
    bool slips = prng_below(&aside, 1000) < sim->options.slip_permille;
    if (!may_flip(sim, r)) return;
    const struct vr *core = check_core(r->node);
    const struct vstamp_pages *store = memory_of(r);
    for (uint32_t tries = 0; tries < TRIES; tries++) {
        uint32_t page = store->first + (uint32_t)prng_below(&sim->prng, n_used(store));
        uint64_t bit = prng_below(&sim->prng, VSTAMP_PAGE_SIZE * 8);
        uint8_t *content = content_of(store, page, slips);
        content[bit / 8] ^= (uint8_t)(1u << bit % 8);
        if (is_borne(store)) {
            sim_trace(sim, "%u: bit %" PRIu64 " of page %" PRIu32 " %s", index, bit, page,
                      slips ? "is written wrongly" : "flips");
            if (!r->ever_flipped) r->first_flipped_op = core->applied;
            r->flipped = r->was_flipped = r->ever_flipped = true;
            r->flipped_life = r->incarnation;
            r->flipped_op = core->applied;
            if (sim->options.own_memory != 0) r->flipped_saved = remembering_saved(r->instance);
            memset(r->flipped_digests, 0, sizeof r->flipped_digests);
            sim->stats.flips++;
            if (!sim->config.durable && sim->changes.under_way) sim->changes.any_lost = true;
            return;
        }
        content[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}

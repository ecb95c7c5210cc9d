/* SPDX-License-Identifier: BSD-2-Clause */
/* States of one op-number are equal, at all replicas (I2): the pages after each operation; of an
 * application with memory of its own what that holds, and the pages of each checkpoint.  Where a
 * bit has turned (flips.c) it is seen here whether what is there is right again. */
#include <inttypes.h>

#include "sim/foreign.h"
#include "sim/remembering.h"
#include "sim/sim.h"

/* What had turned may have been written over since, here before elsewhere. */
static void note_right(struct sim *sim, uint64_t op, struct vstamp_id digest)
{
    for (uint8_t i = 0; i < sim->n_nodes; i++) {
        struct sim_replica *r = &sim->replicas[i];
        const struct vstamp_id *theirs = &r->flipped_digests[op % SIM_DIGESTS]; /* zero: none yet */
        bool right = !vstamp_id_is_zero(*theirs) && vstamp_id_equal(*theirs, digest);
        if (!r->flipped || !right) continue;
        r->flipped = false;
        r->righted_op = op;
    }
}

/* As memory has it now, whatever was hashed before. */
static struct vstamp_id root_of(const struct vr *core, enum pages_version version)
{
    struct pages *pages = (struct pages *)(uintptr_t)&core->pages;
    for (uint32_t page = 0; page < pages->n_used; page++) {
        tree_touch(&pages->trees[PAGES_LIVE], page);
        tree_touch(&pages->trees[version], page);
    }
    pages_settle(pages, version, UINT32_MAX);
    return tree_root(&pages->trees[version]);
}

bool check_image(const struct sim *sim, const struct sim_replica *replica)
{
    const struct vr *core = check_core(replica->node);
    uint64_t op = core->image_anchor.op;
    return core->pages.has_image && op < sim->check.n_ops && sim->check.ops[op].digested &&
           vstamp_id_equal(sim->check.ops[op].digest, root_of(core, PAGES_IMAGE));
}

bool check_image_is_as_told(const struct sim_replica *replica)
{
    const struct vr *core = check_core(replica->node);
    struct pages *pages = (struct pages *)(uintptr_t)&core->pages;
    for (uint32_t page = 0; page < pages->image_n_used; page++)
        if (pages_hash(pages_image(pages, page)) != pages_image_hash(pages, page)) return false;
    return true;
}

/* Its state after that op, and what is known of that. */
static void note_state(struct sim *sim, struct sim_replica *replica, uint64_t op,
                       struct vstamp_id digest, bool *known, struct vstamp_id *right)
{
    bool differs = *known && !vstamp_id_equal(*right, digest);
    if (replica->flipped) {
        replica->flipped_digests[op % SIM_DIGESTS] = digest;
        replica->flipped = !*known || differs;
        if (!replica->flipped) replica->righted_op = op;
        return;
    }
    if (replica->was_flipped && differs) {
        replica->flipped = true; /* from its disk */
        return;
    }
    note_right(sim, op, digest);
    if (differs)
        sim_fail(sim, "%sreplica %u has another state after op=%" PRIu64 " than the group",
                 foreign_in_use() ? FOREIGN_DIFFERS : "", replica->index, op);
    *known = true;
    *right = digest;
}

/* Bringing the hashes up to date changes nothing that the protocol looks at. */
static struct vstamp_id digest_of(const struct sim_replica *replica, const struct vr *core,
                                  enum pages_version version)
{
    if (replica->was_flipped) return root_of(core, version);
    pages_settle((struct pages *)(uintptr_t)&core->pages, version, UINT32_MAX);
    return tree_root(pages_tree(&core->pages, version));
}

/* Of an application with memory of its own the pages are those of the newest checkpoint.  What one
 * of which a bit has turned has saved may be wrong, be its memory right or not. */
static void note_image(struct sim *sim, struct sim_replica *replica, const struct vr *core)
{
    struct check_op *known = check_op_at(&sim->check, core->checkpoint_op);
    if (core->checkpoint_op == 0 || core->pages.fetching || replica->was_flipped) return;
    note_state(sim, replica, core->checkpoint_op, digest_of(replica, core, PAGES_IMAGE),
               &known->digested, &known->digest);
}

void check_state(struct sim *sim, struct sim_replica *replica, const struct vr *core)
{
    struct check_op *known = check_op_at(&sim->check, core->applied);
    bool is_between = core->done > 0; /* two op-numbers: what it has then need not be compared */
    if (!vr_app_has_memory(core)) {
        if (!is_between)
            note_state(sim, replica, core->applied, digest_of(replica, core, PAGES_LIVE),
                       &known->digested, &known->digest);
        return;
    }
    if (sim->options.own_memory != 0 && !is_between)
        note_state(sim, replica, core->applied,
                   remembering_digest(replica->instance, replica->was_flipped),
                   &known->remembered, &known->memory);
    note_image(sim, replica, core);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* The disk of a replica that runs: a job of it is done, what is stored may rot meanwhile, and now
 * and then somebody copies it, to put it back later (faults.c). */
#include "sim/sim.h"

#include <inttypes.h>

/* Its folder is enough for a quorum, so nobody can tell an old copy of that. */
bool sim_is_alone(const struct vr *core)
{
    return core->config.self != NOT_A_MEMBER && core->quorum == 1;
}

/* Anywhere in the journal, for a later look to find. */
static void journal_rots(struct sim_replica *r)
{
    r->rotten = disk_rot(&r->disk, &r->sim->prng);
    if (r->rotten == 0) return;
    sim_trace(r->sim, "%u: segment %" PRIu64 " rots", r->index, r->rotten);
    r->sim->stats.damages++;
}

/* What is stored may rot while the replica runs.  Pages do so when they are looked at, as nobody
 * else does; until it is mended the disk is as good as lost. */
static void rot(struct sim_replica *r, enum node_lane lane)
{
    const struct node_job *job = &r->disk.job[lane];
    struct prng *prng = &r->sim->prng;
    bool looks = job->kind == NODE_JOB_CHECK || job->kind == NODE_JOB_CHECK_JOURNAL;
    if (!looks || r->sim->quiet || !sim_may_wipe(r->sim, r->index)) return;
    if (prng_below(prng, 1000) >= r->sim->options.rot_permille) return;
    if (job->kind == NODE_JOB_CHECK_JOURNAL) {
        if (r->rotten == 0 && !r->patched) journal_rots(r);
        return;
    }
    if (!page_store_rot(&r->disk.pages, job->number, prng)) return;
    sim_trace(r->sim, "%u: a stored page rots", r->index);
    r->damaged = true;
    r->sim->stats.damages++;
}

static void pages_mended(struct sim_replica *r, const struct node_job *job)
{
    bool stores = job->kind == NODE_JOB_MEND || job->kind == NODE_JOB_CHECKPOINT_END;
    if (stores && page_store_is_sound(&r->disk.pages)) r->damaged = false;
}

/* The segments before the checkpoint are gone, and what was damaged in them. */
static void segments_freed(struct sim_replica *r, const struct node_job *job)
{
    if (job->kind != NODE_JOB_CHECKPOINT_END) return;
    r->patched = r->scarred = false;
    if (r->rotten == 0 || r->rotten >= job->number) return;
    r->rotten = 0;
    r->sim->stats.mended++;
}

/* Somebody copies the files of a replica that runs. */
static void copy_running(struct sim_replica *r)
{
    const struct vr *core = check_core(r->node);
    struct prng aside = r->sim->prng; /* so that all else is as without */
    if (r->sim->options.old_permille == 0 || !sim_replica_has_state(r) ||
        r->disk.pages.begun != 0 || sim_is_alone(core))
        return;
    if (!prng_chance(&aside, 1, 64)) return;
    disk_copy(&r->copy, &r->disk);
    r->copied_op = core->log.op;
    r->copied_incarnation = check_incarnation(r);
}

void sim_stored(struct sim_replica *r, enum node_lane lane)
{
    rot(r, lane);
    disk_finish(&r->disk, lane, r->node);
    pages_mended(r, &r->disk.job[lane]);
    segments_freed(r, &r->disk.job[lane]);
    node_on_stored(r->node, lane);
    copy_running(r);
}

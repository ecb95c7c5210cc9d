/* SPDX-License-Identifier: BSD-2-Clause */
/* What `vstamp-admin bisect` would say of the simulated disks (node/trail.h):
 *
 *   - trails of replicas whose memory never turned do not differ, whatever crashed in between;
 *   - that of a replica which a digest has found to be wrong is there to the point at which that
 *     was; it differs from that of any which was always right, if both have that point or, as long
 *     as it is wrong, a later one, and, in the life in which its memory turned, only after that;
 *   - that of one which has found a page itself names it. */
#include <inttypes.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/bitset.h"
#include "node/trail.h"
#include "sim/foreign.h"

static struct trail read_trail(const struct sim_replica *r)
{
    struct vstamp_diag diag = {0};
    size_t size = 0, lost;
    for (int i = 0; i < DISK_TRAILS; i++) size += r->disk.trail[i].size;
    size_t n = trail_entries_max(size);
    struct trail t = {.entries = calloc(n, sizeof t.entries[0])};
    assert(t.entries != NULL);
    for (int i = 0; i < DISK_TRAILS; i++) {
        const struct disk_file *file = &r->disk.trail[i];
        if (trail_read(&t, (struct bytes){file->data, file->size}, &lost, &diag) != 0)
            sim_fail(r->sim, "a trail %s", diag.text);
    }
    assert(t.n <= n);
    return t;
}

static struct trail_difference compare(const struct sim_replica *a, const struct sim_replica *b)
{
    struct trail_difference d = {0};
    struct trail ours = read_trail(a), theirs = read_trail(b);
    void *memory = calloc(1, trail_compare_memory(&ours, &theirs) + 1);
    assert(memory != NULL);
    trail_compare(&ours, &theirs, memory, &d);
    free(memory);
    free(ours.entries);
    free(theirs.entries);
    return d;
}

static bool has_trail(const struct sim_replica *r)
{
    return r->present && r->config.durable;
}

static void check_whole(struct sim_replica *r, const struct vr *core)
{
    struct trail t = read_trail(r);
    bool lost = bitset_has(core->marks, VR_MARK_trail_loses_a_point);
    if (t.last_op < core->diverged_op && !lost)
        sim_fail(r->sim, "replica %u ends without its trail", r->index);
    free(t.entries);
}

static void check_names_page(struct sim_replica *r, const struct vr *core)
{
    struct trail t = read_trail(r);
    if (t.rotten != core->digests.rotten_page)
        sim_fail(r->sim, "the trail of replica %u does not name the page that turned", r->index);
    free(t.entries);
}

void sim_trail_fenced(struct sim_replica *r)
{
    struct sim *sim = r->sim;
    const struct vr *core = check_core(r->node);
    bool found_before = core->trail.kept_op == 0; /* in a former life; that may have crashed */
    if (!has_trail(r) || found_before) return;
    if (core->digests.rotten_page != 0) {
        check_names_page(r, core);
        return;
    }
    check_whole(r, core);
    for (uint8_t i = 0; i < sim->n_nodes; i++) {
        const struct sim_replica *other = &sim->replicas[i];
        if (i == r->index || other->ever_flipped || !has_trail(other)) continue;
        if (sim_is_witness(other)) continue; /* it has no state */
        struct trail_difference d = compare(r, other);
        if (d.op != 0) sim->stats.named++;
        if (d.op != 0)
            sim_trace(sim, "%u: differs from %u after op=%" PRIu64 ", not after %" PRIu64, r->index,
                      i, d.op, d.after);
        bool is_right_again = !r->flipped && r->righted_op > core->diverged_op;
        if (d.op == 0 && d.last_op >= core->diverged_op && !is_right_again)
            sim_fail(sim, "the trail of replica %u does not tell since when it is wrong", r->index);
        if (d.op != 0 && r->flipped_life == r->incarnation && d.op < r->first_flipped_op)
            sim_fail(sim, "the trail of replica %u tells of op=%" PRIu64 ", it was right until op=%"
                     PRIu64, r->index, d.op, r->first_flipped_op);
    }
}

void sim_trails_agree(struct sim *sim)
{
    if (sim->options.beyond) return;
    for (uint8_t i = 0; i < sim->n_nodes; i++) {
        for (uint8_t j = 0; j < i; j++) {
            const struct sim_replica *a = &sim->replicas[i], *b = &sim->replicas[j];
            if (a->ever_flipped || b->ever_flipped || !has_trail(a) || !has_trail(b)) continue;
            struct trail_difference d = compare(a, b);
            if (d.op != 0)
                sim_fail(sim, "%sthe trails of replicas %u and %u differ after op=%" PRIu64,
                         foreign_in_use() ? FOREIGN_DIFFERS : "", j, i, d.op);
        }
    }
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* The time of the group lies within its clocks, whoever leads: a minority of clocks that are wrong
 * takes it nowhere (H2), and no entry has a time that no clock ever showed (H3).  A monotonic clock
 * that leaps takes along what its replica knows of the others' clocks, until it hears of them. */
#include <inttypes.h>

#include "base/assert.h"
#include "sim/sim.h"

#define TELLING_US SIM_S /* what is known of another clock may be so old, and drift meanwhile */

/* How far ahead the clocks of a quorum of the epoch have been at most, and any of them at least. */
static void bounds(const struct sim *sim, uint32_t epoch, int64_t *most, int64_t *least)
{
    int64_t ahead[REPLICAS_MAX];
    uint8_t n = 0;
    *most = *least = 0;
    for (uint8_t i = 0; i < sim->n_nodes; i++) {
        const struct sim_replica *r = &sim->replicas[i];
        if (!check_is_member_of(sim, i, epoch)) continue;
        if (n == 0 || r->skew_least_us < *least) *least = r->skew_least_us;
        uint8_t at = n++;
        for (; at > 0 && ahead[at - 1] < r->skew_most_us; at--) ahead[at] = ahead[at - 1];
        ahead[at] = r->skew_most_us;
    }
    if (n > 0) *most = ahead[n / 2];
}

void sim_clocks_check(struct sim *sim, const struct wire_entry_header *header, uint64_t before)
{
    int64_t most, least, allowed = (int64_t)(TELLING_US + sim->leapt_us);
    int64_t time = (int64_t)(header->timestamp - SIM_WALL_START);
    bounds(sim, header->epoch, &most, &least);
    if (header->timestamp > before + 1 && time > (int64_t)sim->now + most + allowed)
        sim_fail(sim, "op=%" PRIu64 " is ahead of the clocks of a quorum, at %" PRId64 " us",
                 header->op, time);
    if (time < least - allowed)
        sim_fail(sim, "op=%" PRIu64 " is of before all clocks began, at %" PRId64 " us", header->op,
                 time);
}

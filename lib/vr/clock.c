/* SPDX-License-Identifier: BSD-2-Clause */
/* What time it is (paper section 4.4).
 *
 * Entries carry a time, by which keys expire and leases end, and it never falls.  If it were that
 * of the primary's own clock, a clock that is a year ahead would end all of them at once, and every
 * later timestamp would be a year ahead, too (PIT-11.2).  So the time is what the clocks of a
 * quorum have reached:
 *
 *   H1  each replica tells its clock in DO-VIEW-CHANGE and with each echo of a heartbeat; whoever
 *       hears it remembers the difference to its own monotonic clock;
 *   H2  the time is the latest that a quorum of clocks has reached, the primary's own among them:
 *       no minority takes it ahead, and as long as all are known none holds it back, either;
 *   H3  a primary logs no request before it knows the clocks of a quorum.  Most views begin with
 *       them; the first one of a group or of an epoch learns them with its first heartbeat.
 *
 * What is heard of a clock is late by the time the message took, never early.  The clock of a
 * replica that fell silent is taken to go on at the rate of ours.  The primary tells the operator
 * whose clock is off by more than a second; nothing else follows from that. */
#include <stdio.h>

#include "vr/rooms.h"

#define OFF_US   1000000 /* from the time of the group: the operator is told; */
#define RIGHT_US 500000  /* below that he is told that it is right again */

void vr_clock_heard(struct vr *r, uint8_t from, uint64_t clock_us)
{
    if (clock_us == 0 || clock_us > NUMBER_MAX) return;
    r->clocks_known |= UINT32_C(1) << from;
    r->clock_ahead_us[from] = (int64_t)(clock_us - r->now_us);
}

static bool is_known(const struct vr *r, uint8_t replica)
{
    return replica == r->config.self || ((r->clocks_known >> replica) & 1) != 0;
}

/* What its clock shows now. */
static uint64_t clock_of(const struct vr *r, uint8_t replica)
{
    if (replica == r->config.self) return r->wall_us;
    return r->now_us + (uint64_t)r->clock_ahead_us[replica];
}

uint64_t vr_time(const struct vr *r)
{
    uint64_t clocks[REPLICAS_MAX] = {0};
    for (uint8_t i = 0; i < r->config.n_replicas; i++)
        if (is_known(r, i)) clocks[i] = clock_of(r, i);
    return vr_quorum_reached(r, clocks);
}

bool vr_time_is_known(const struct vr *r)
{
    uint8_t n = 0;
    for (uint8_t i = 0; i < r->config.n_replicas; i++) n = (uint8_t)(n + is_known(r, i));
    return n >= r->quorum;
}

static int64_t off_us(const struct vr *r, uint8_t replica, uint64_t time)
{
    return is_known(r, replica) ? (int64_t)(clock_of(r, replica) - time) : 0;
}

static uint64_t size_of(int64_t n)
{
    return n < 0 ? -(uint64_t)n : (uint64_t)n;
}

void vr_clocks_judge(struct vr *r)
{
    uint64_t time = vr_time(r);
    for (uint8_t i = 0; i < r->config.n_replicas && vr_time_is_known(r); i++) {
        int64_t off = off_us(r, i, time);
        uint32_t bit = UINT32_C(1) << i;
        bool was_off = (r->clocks_off & bit) != 0;
        if (size_of(off) <= (was_off ? RIGHT_US : OFF_US)) r->clocks_off &= ~bit;
        else r->clocks_off |= bit;
        if (was_off == ((r->clocks_off & bit) != 0)) continue;
        if (!was_off) vr_mark(r, VR_MARK_clock_is_off, "replica=%u", i);
        vr_log(r, was_off ? LOG_LEVEL_INFO : LOG_LEVEL_WARN, was_off ? "clock-right" : "clock-off",
               "replica=%u off_ms=%" PRId64, i, off / 1000);
    }
}

uint64_t vr_clocks_off_us(const struct vr *r)
{
    uint64_t most = 0;
    if (!vr_is_primary(r) || !vr_time_is_known(r)) return 0;
    for (uint8_t i = 0; i < r->config.n_replicas; i++) {
        uint64_t off = size_of(off_us(r, i, vr_time(r)));
        if (off > most) most = off;
    }
    return most;
}

const char *vr_clocks_text(const struct vr *r, char *text, size_t size)
{
    size_t used = 0;
    text[0] = '\0';
    for (uint8_t i = 0; i < r->config.n_replicas && vr_is_primary(r); i++) {
        if (((r->clocks_off >> i) & 1) == 0) continue;
        int64_t off = off_us(r, i, vr_time(r));
        used += (size_t)snprintf(text + used, size - used, "%sreplica %u is %" PRIu64 " s %s",
                                 used > 0 ? ", " : "", i, size_of(off) / 1000000,
                                 off < 0 ? "behind" : "ahead");
        if (used >= size) break;
    }
    return text;
}

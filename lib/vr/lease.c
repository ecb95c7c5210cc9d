/* SPDX-License-Identifier: BSD-2-Clause */
/* Leases (paper section 6.3.1): with `reads: lease` the primary answers reads alone.
 *
 *   primary --COMMIT-----> backup     a heartbeat, sent at s by the primary's clock
 *   primary <--COMMIT-OK-- backup     its echo: "no later view with my help before g + granted"
 *
 * A backup that echoes a heartbeat grants: from g, when it read its clock after the heartbeat had
 * come, it sends no DO-VIEW-CHANGE until as much time has passed as the echo says.  The primary
 * takes that from s on, less what two clocks may differ in rate (clock_drift_ppm each), so that it
 * is over at the primary before it is over at the backup.  While a quorum, itself included, grants,
 * no view can begin without one of those, and the primary answers.
 *
 *   L1  a lease counts from when the heartbeat was sent, not from when its echo came (PIT-7.10);
 *   L2  it is judged by a clock read after the request had come: the host reads it at the end of
 *       each turn (node.h), so a process that stood still in between finds it over (PIT-7.11).  The
 *       read takes effect at that moment, so what happens between it and the answer is no matter;
 *   L3  a grant is dated anew at the end of the turn in which the heartbeat was heard, for the
 *       same reason;
 *   L4  a replica that starts may have granted in a former life: it waits as long (PIT-7.12).  For
 *       how long that was, its disk says, as it may be told now to grant less, or nothing.  Without
 *       a disk, or with an empty one, its operator waits (vstamp-config(5));
 *   L5  a primary that sends DO-VIEW-CHANGE has left its view, and gives back what it was granted.
 *       Whose grant it was follows from log_view, so nothing is granted before that is durable.
 *
 * A grant lasts view_change_ms, which a backup waits anyway before it suspects a silent primary.
 * Without a lease, as after a pause, reads take the confirming round (reads.c). */
#include "vr/rooms.h"

#define MARGIN_US 1000u /* for clocks that are read in steps */

static uint64_t grant_us(const struct vr *r)
{
    return r->config.leases ? vr_patience_us(r) : 0;
}

/* How much of a grant the primary may use. */
static uint64_t usable_us(const struct vr *r, uint64_t granted_us)
{
    uint64_t apart_us = granted_us / 1000 * 2 * r->config.clock_drift_ppm / 1000 + MARGIN_US;
    return apart_us < granted_us ? granted_us - apart_us : 0;
}

static uint64_t granted_before_us(const struct vr *r)
{
    return r->granted_before_ms * UINT64_C(1000);
}

void vr_lease_start(struct vr *r)
{
    uint64_t before_us = granted_before_us(r);
    r->granted_until_us = r->now_us + (before_us > grant_us(r) ? before_us : grant_us(r)); /* L4 */
}

/* Of a former life for as long as that counts: who starts once more soon waits once more. */
uint32_t vr_lease_granted_ms(const struct vr *r)
{
    uint32_t ours_ms = r->config.leases ? r->config.view_change_ms : 0;
    bool is_over = r->now_us >= r->started_us + granted_before_us(r);
    return is_over || r->granted_before_ms < ours_ms ? ours_ms : r->granted_before_ms;
}

void vr_lease_begin_view(struct vr *r)
{
    for (uint8_t i = 0; i < r->config.n_replicas; i++) {
        r->lease_us[i] = i == r->config.self ? UINT64_MAX : 0;
    }
}

/* Primary: heartbeat `sequence` is about to be sent. */
void vr_lease_sent(struct vr *r, uint64_t sequence)
{
    r->heartbeat_sent_us[sequence % HEARTBEATS_KEPT] = r->now_us;
}

/* Primary: `from` echoes a heartbeat of ours, later than any before, and grants (L1). */
void vr_lease_echoed(struct vr *r, uint8_t from, uint64_t sequence, uint64_t granted_us)
{
    if (sequence + HEARTBEATS_KEPT <= r->heartbeat) return; /* so old that it is forgotten */
    uint64_t usable = usable_us(r, granted_us);
    if (usable == 0) return;
    r->lease_us[from] = r->heartbeat_sent_us[sequence % HEARTBEATS_KEPT] + usable;
}

/* Backup: it echoes a heartbeat of its primary.  Gives what it grants with that. */
uint64_t vr_lease_grant(struct vr *r)
{
    if (!vr_is_durable_state(r)) return 0; /* L5 */
    r->lease_heard = true;
    r->granted_until_us = r->now_us + grant_us(r);
    return grant_us(r);
}

void vr_lease_turn_end(struct vr *r)
{
    if (r->lease_heard) r->granted_until_us = r->now_us + grant_us(r); /* L3 */
    r->lease_heard = false;
}

/* The primary of the view that this replica was last normal in goes to a later one (L5). */
void vr_lease_returned(struct vr *r, uint8_t from)
{
    if (from != vr_primary_of(r, r->log_view)) return;
    r->granted_until_us = 0;
    r->lease_heard = false;
}

/* Microseconds for which this replica must not help a later view to begin. */
uint64_t vr_lease_owed_us(const struct vr *r)
{
    return r->granted_until_us > r->now_us ? r->granted_until_us - r->now_us : 0;
}

/* When, by its own clock, the primary's lease ends. */
uint64_t vr_lease_until_us(const struct vr *r)
{
    if (!r->config.leases || !vr_is_primary(r) || r->suspects) return 0;
    return vr_quorum_reached(r, r->lease_us);
}

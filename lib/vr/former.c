/* SPDX-License-Identifier: BSD-2-Clause */
/* Replicas that were replaced and may not have ended yet (paper section 7.3).
 *
 * A replaced replica ends once it is not needed (epoch.c, E8).  One that is away when the group
 * moves, and comes back after all the members that it knew have gone, finds nobody.  So the members
 * of today look for it:
 *
 *   member --EPOCH-STARTED--> old replica     a later epoch has begun
 *   member <----(asks)------- old replica     which?
 *   member ----NEW-EPOCH----> old replica     this one; it moves, and hears that it is not needed
 *   member <---START-EPOCH--- old replica     without its own name: it has ended
 *
 *   Z1  a membership names its former members, the newest first.  There are FORMER_MAX at most, and
 *       the oldest are forgotten.  Who moves derives them from the membership before, who hears of
 *       the epoch is told them, and they are as durable as the members are;
 *   Z2  a name that is dropped in an epoch never comes again in it: who hears the list of another
 *       replica keeps the names that both have.  A replica that ends drops its own name, durably,
 *       and tells the members so; and those tell each other their lists, as long as there are any,
 *       so that one which was away when an old replica ended does not look for it for ever;
 *   Z3  an address that a member has is not looked for;
 *   Z4  they are guests, as long as there is nothing else to do with guests, and greeted once they
 *       are connected, and again now and then.  The host dials them less and less often. */
#include "vr/rooms.h"

#define GREETING 50u /* times view_change_ms between two greetings of one that stays connected */

void vr_former_derive(const struct vr_membership *before, struct vr_membership *next)
{
    next->n_former = 0;
    for (uint8_t i = 0; i < before->n; i++)
        vr_membership_add_former(next, before->members[i].address);
    for (uint8_t i = 0; i < before->n_former; i++)
        vr_membership_add_former(next, before->former[i]);
}

/* Both memberships are of the same epoch. */
void vr_former_heard(struct vr *r, const struct vr_membership *theirs)
{
    struct vr_membership *ours = &r->membership;
    uint8_t before = ours->n_former;
    for (uint8_t i = before; i > 0; i--)
        if (!vr_membership_names_former(theirs, ours->former[i - 1]))
            vr_membership_drop_former(ours, ours->former[i - 1]);
    if (ours->n_former == before) return;
    vr_mark(r, VR_MARK_former_has_ended, "%u of %u are left", ours->n_former, before);
    vr_persist_state(r);
    if (r->greets) vr_take_guests(r, NULL); /* those who are left come again */
}

/* A view change turns all timers off. */
static void arm(struct vr *r)
{
    if (r->guests.n > 0 && r->due[VR_TIMER_EPOCH] == UINT64_MAX)
        vr_timer_set(r, VR_TIMER_EPOCH, GREETING * vr_patience_us(r));
}

static void greet(struct vr *r)
{
    struct vr_membership former = {.n = 0}; /* many bytes, to be cleared only here */
    for (; former.n < r->membership.n_former; former.n++)
        memcpy(former.members[former.n].address, r->membership.former[former.n],
               sizeof former.members[0].address);
    vr_take_former(r, &former);
    vr_timer_set(r, VR_TIMER_EPOCH, 0);
}

void vr_former_settle(struct vr *r)
{
    if (r->status != VR_NORMAL || r->proposal.pending) return;
    if (r->greets) arm(r);
    else if (!vr_epoch_is_closed(r)) greet(r);
}

bool vr_former_due(struct vr *r)
{
    if (!r->greets || r->guests.n == 0) return false;
    r->told_begun = false;
    return vr_is_durable_state(r);
}

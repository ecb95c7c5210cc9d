/* SPDX-License-Identifier: BSD-2-Clause */
/* Reconfiguration (paper section 7): the group moves to another membership, and begins an epoch. */
#include <string.h>

#include "vr/rooms.h"

uint8_t vr_n_slots(const struct vr *r)
{
    return (uint8_t)(r->config.n_replicas + r->n_guests);
}

const char *vr_slot_address(const struct vr *r, uint8_t slot)
{
    if (slot < r->config.n_replicas) return r->membership.members[slot].address;
    slot = (uint8_t)(slot - r->config.n_replicas);
    return slot < r->n_guests ? r->guests[slot].address : NULL;
}

/* All that is said of the membership once more, for those who look at the configuration. */
static void take_membership(struct vr *r, uint8_t self)
{
    struct vr_config *c = &r->config;
    c->n_replicas = r->membership.n;
    c->witnesses = r->membership.witnesses;
    c->self = self;
    for (uint8_t i = 0; i < c->n_replicas; i++) {
        c->addresses[i] = r->membership.members[i].address;
        c->status_addresses[i] = r->membership.members[i].status;
    }
    r->quorum = (uint8_t)(c->n_replicas / 2 + 1);
    r->epoch = r->membership.epoch;
}

void vr_epoch_init(struct vr *r)
{
    uint8_t self = r->config.self;
    vr_membership_of_config(&r->membership, &r->config);
    memcpy(r->address, r->membership.members[self].address, sizeof r->address);
    take_membership(r, self);
}

/* The hard state knows who the group is, whatever we are told at the start. */
bool vr_epoch_restore(struct vr *r, const struct wire_hard_state *state)
{
    struct vr_membership m;
    if (state->membership.members.count == 0) return state->epoch == 0;
    if (!vr_membership_read(&m, &state->membership)) return false;
    uint8_t self = vr_membership_find(&m, r->address);
    if (m.epoch != state->epoch || self != state->self) return false;
    r->membership = m;
    take_membership(r, self);
    return true;
}

void vr_on_stranger(struct vr *r, uint64_t origin, const struct wire_message *m)
{
    r->stats.dropped++;
    vr_trace(r, "ignore %s of a stranger origin=%" PRIu64, m->shape->name, origin);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* Who the group is, in one epoch (paper section 7): its members in order.  A replica is known by
 * its address; its index is its place here, and may be another one in the next epoch. */
#ifndef VR_MEMBERSHIP_H
#define VR_MEMBERSHIP_H

#include <vstamp/id.h>

#include "vr/config.h"
#include "wire/codec.h"

struct vr_member {
    char address[ADDRESS_BYTES_MAX + 1], status[ADDRESS_BYTES_MAX + 1];
    struct vstamp_id token; /* of the start in which it became a member */
    uint64_t incarnation;   /* its newest life that was known when the epoch was proposed */
};

struct vr_membership {
    uint32_t epoch;
    uint64_t op;               /* of the reconfiguration it begins after, 0: it is the first */
    struct vstamp_id checksum; /* of that entry */
    uint64_t first_view;
    uint32_t witnesses; /* bitset by index */
    uint8_t n;
    struct vr_member members[REPLICAS_MAX];
    uint8_t n_former;
    char former[FORMER_MAX][ADDRESS_BYTES_MAX + 1]; /* who was one, the newest first (former.c) */
};

#define VR_MEMBERS_BYTES (REPLICAS_MAX * (2u * (ADDRESS_BYTES_MAX + 4u) + 25u))
#define VR_MEMBERSHIP_BYTES (VR_MEMBERS_BYTES + FORMER_MAX * (ADDRESS_BYTES_MAX + 4u))

/* The members of the first epoch, as configured. */
void vr_membership_of_config(struct vr_membership *m, const struct vr_config *config);

/* The index of whoever listens there, or NOT_A_MEMBER. */
uint8_t vr_membership_find(const struct vr_membership *m, const char *address);

bool vr_membership_names_former(const struct vr_membership *m, const char *address);
/* Name one more former member, behind those that are named, unless it is a member, or named, or
 * there are FORMER_MAX. */
void vr_membership_add_former(struct vr_membership *m, const char *address);
/* False: it was not named. */
bool vr_membership_drop_former(struct vr_membership *m, const char *address);

/* To and from a message.  What points to `buffer` is as long-lived as that.  False if it makes no
 * sense: nobody, too many, one of them twice. */
struct wire_list vr_member_list(const struct vr_membership *m, uint8_t *buffer, size_t size);
struct wire_membership vr_membership_to_wire(const struct vr_membership *m, uint8_t *buffer,
                                             size_t size);
bool vr_members_read(struct vr_membership *m, const struct wire_list *members);
bool vr_membership_read(struct vr_membership *m, const struct wire_membership *from);

/* Of addresses and roles, in order: what a request to reconfigure says that it is to replace. */
struct vstamp_id vr_membership_checksum(const struct vr_membership *m);

#endif

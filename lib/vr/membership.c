/* SPDX-License-Identifier: BSD-2-Clause */
#include "vr/membership.h"

#include <string.h>

#include "base/assert.h"
#include "base/checksum.h"

static void set_text(char to[static ADDRESS_BYTES_MAX + 1], const char *text)
{
    size_t size = text != NULL ? strlen(text) : 0;
    assert(size <= ADDRESS_BYTES_MAX);
    if (size > 0) memcpy(to, text, size);
    to[size] = '\0';
}

void vr_membership_of_config(struct vr_membership *m, const struct vr_config *config)
{
    memset(m, 0, sizeof *m);
    m->n = config->n_replicas;
    m->witnesses = config->witnesses;
    for (uint8_t i = 0; i < m->n; i++) {
        set_text(m->members[i].address, config->addresses[i]);
        set_text(m->members[i].status, config->status_addresses[i]);
    }
}

uint8_t vr_membership_find(const struct vr_membership *m, const char *address)
{
    for (uint8_t i = 0; i < m->n; i++)
        if (strcmp(m->members[i].address, address) == 0) return i;
    return NOT_A_MEMBER;
}

struct wire_list vr_member_list(const struct vr_membership *m, uint8_t *buffer, size_t size)
{
    struct wire_list_builder b;
    wire_list_begin(&b, &wire_shape_member, buffer, size);
    for (uint8_t i = 0; i < m->n; i++) {
        const struct vr_member *one = &m->members[i];
        bool added = wire_list_add(&b, &(struct wire_member){.address = bytes_of(one->address),
                                                             .status = bytes_of(one->status),
                                                             .witness = (m->witnesses >> i) & 1,
                                                             .token = one->token,
                                                             .incarnation = one->incarnation});
        assert(added);
    }
    return wire_list_end(&b);
}

/* FORMER_MAX: it is none of them. */
static uint8_t find_former(const struct vr_membership *m, const char *address)
{
    for (uint8_t i = 0; i < m->n_former; i++)
        if (strcmp(m->former[i], address) == 0) return i;
    return FORMER_MAX;
}

bool vr_membership_names_former(const struct vr_membership *m, const char *address)
{
    return find_former(m, address) < FORMER_MAX;
}

void vr_membership_add_former(struct vr_membership *m, const char *address)
{
    if (m->n_former == FORMER_MAX || vr_membership_names_former(m, address)) return;
    if (vr_membership_find(m, address) != NOT_A_MEMBER) return;
    set_text(m->former[m->n_former++], address);
}

bool vr_membership_drop_former(struct vr_membership *m, const char *address)
{
    uint8_t place = find_former(m, address);
    if (place == FORMER_MAX) return false;
    m->n_former--;
    memmove(m->former[place], m->former[place + 1], (m->n_former - place) * sizeof m->former[0]);
    return true;
}

static struct wire_list former_list(const struct vr_membership *m, uint8_t *buffer, size_t size)
{
    struct wire_list_builder b;
    wire_list_begin(&b, &wire_shape_address, buffer, size);
    for (uint8_t i = 0; i < m->n_former; i++) {
        bool added = wire_list_add(&b, &(struct wire_address){.text = bytes_of(m->former[i])});
        assert(added);
    }
    return wire_list_end(&b);
}

struct wire_membership vr_membership_to_wire(const struct vr_membership *m, uint8_t *buffer,
                                             size_t size)
{
    struct wire_list members = vr_member_list(m, buffer, size);
    size_t used = members.encoded.size;
    return (struct wire_membership){.epoch = m->epoch,
                                    .op = m->op,
                                    .checksum = m->checksum,
                                    .first_view = m->first_view,
                                    .members = members,
                                    .former = former_list(m, buffer + used, size - used)};
}

static bool take_text(char to[static ADDRESS_BYTES_MAX + 1], struct bytes text)
{
    if (text.size > ADDRESS_BYTES_MAX) return false;
    if (text.size > 0 && memchr(text.data, '\0', text.size) != NULL) return false;
    if (text.size > 0) memcpy(to, text.data, text.size);
    to[text.size] = '\0';
    return true;
}

bool vr_members_read(struct vr_membership *m, const struct wire_list *members)
{
    struct reader at = wire_list_start(members);
    memset(m, 0, sizeof *m);
    if (members->count == 0 || members->count > REPLICAS_MAX) return false;
    for (uint32_t i = 0; i < members->count; i++) {
        struct wire_member from;
        struct vr_member *to = &m->members[i];
        wire_list_next(&wire_shape_member, &at, &from);
        if (!take_text(to->address, from.address) || !take_text(to->status, from.status) ||
            from.incarnation > NUMBER_MAX || vr_membership_find(m, to->address) != NOT_A_MEMBER)
            return false;
        to->token = from.token;
        to->incarnation = from.incarnation;
        if (from.witness != 0) m->witnesses |= UINT32_C(1) << i;
        m->n++;
    }
    return (uint32_t)__builtin_popcount(m->witnesses) <= (m->n - 1u) / 2;
}

static bool read_former(struct vr_membership *m, const struct wire_list *former)
{
    struct reader at = wire_list_start(former);
    if (former->count > FORMER_MAX) return false;
    for (uint32_t i = 0; i < former->count; i++) {
        struct wire_address one;
        char address[ADDRESS_BYTES_MAX + 1];
        wire_list_next(&wire_shape_address, &at, &one);
        if (!take_text(address, one.text)) return false;
        vr_membership_add_former(m, address);
    }
    return m->n_former == former->count; /* nobody twice, and no member */
}

bool vr_membership_read(struct vr_membership *m, const struct wire_membership *from)
{
    if (!vr_members_read(m, &from->members) || !read_former(m, &from->former) ||
        from->op > NUMBER_MAX || from->first_view > NUMBER_MAX ||
        (from->epoch == 0) != (from->op == 0))
        return false;
    m->epoch = from->epoch;
    m->op = from->op;
    m->checksum = from->checksum;
    m->first_view = from->first_view;
    return true;
}

struct vstamp_id vr_membership_checksum(const struct vr_membership *m)
{
    uint8_t buffer[REPLICAS_MAX * (ADDRESS_BYTES_MAX + 4) + 4];
    struct writer w = writer_over(buffer, sizeof buffer);
    for (uint8_t i = 0; i < m->n; i++) write_bytes(&w, bytes_of(m->members[i].address));
    write_u32(&w, m->witnesses);
    assert(w.ok);
    return checksum128(buffer, w.size);
}

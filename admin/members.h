/* SPDX-License-Identifier: BSD-2-Clause */
/* Who the group is: the ordered members of an epoch, as a configuration or a replica tells them. */
#ifndef ADMIN_MEMBERS_H
#define ADMIN_MEMBERS_H

#include "program/config.h"

struct members {
    uint64_t epoch;
    size_t n;
    struct address addresses[REPLICAS_MAX];
    struct address status_addresses[REPLICAS_MAX];
    uint32_t witnesses; /* a set, by index */
};

/* Those of the first epoch. */
void members_of_config(struct members *members, const struct config *config);

/* From the text that /status has (status.def).  False: it makes no sense, or is empty. */
bool members_parse(struct members *members, uint64_t epoch, const char *text);

/* The index of who listens there; members->n: nobody. */
size_t members_find(const struct members *members, const struct address *address);

/* The same members in the same order and roles, at the same addresses? */
bool members_equal(const struct members *a, const struct members *b);

#endif

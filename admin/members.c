/* SPDX-License-Identifier: BSD-2-Clause */
#include "admin/members.h"

#include <stdio.h>
#include <string.h>

void members_of_config(struct members *members, const struct config *config)
{
    members->epoch = 0;
    members->n = config->replicas_addresses.n;
    members->witnesses = config_witness_set(config);
    for (size_t i = 0; i < members->n; i++) {
        members->addresses[i] = config->replicas_addresses.at[i];
        members->status_addresses[i] = config->status_addresses.at[i];
    }
}

/* The part of *text up to `end`, or all of it; *text goes behind it.  False: it is too long. */
static bool next_part(const char **text, const char *ends, char part[static ADDRESS_BYTES_MAX + 1])
{
    size_t size = strcspn(*text, ends);
    if (size > ADDRESS_BYTES_MAX) return false;
    memcpy(part, *text, size);
    part[size] = '\0';
    *text += size;
    return true;
}

/* "ADDRESS/STATUS_ADDRESS" or "ADDRESS/STATUS_ADDRESS/witness" */
static bool parse_member(struct members *members, const char **text)
{
    char part[ADDRESS_BYTES_MAX + 1];
    size_t i = members->n;
    if (i == REPLICAS_MAX) return false;
    if (!next_part(text, "/,", part)) return false;
    if (address_parse(&members->addresses[i], part, NULL) != 0) return false;
    if (*(*text)++ != '/' || !next_part(text, "/,", part)) return false;
    if (address_parse(&members->status_addresses[i], part, NULL) != 0) return false;
    if (**text == '/') {
        (*text)++;
        if (!next_part(text, ",", part) || strcmp(part, "witness") != 0) return false;
        members->witnesses |= UINT32_C(1) << i;
    }
    members->n++;
    return true;
}

bool members_parse(struct members *members, uint64_t epoch, const char *text)
{
    members->epoch = epoch;
    members->n = 0;
    members->witnesses = 0;
    for (;;) {
        if (!parse_member(members, &text)) return false;
        if (*text == '\0') return true;
        text++;
    }
}

size_t members_find(const struct members *members, const struct address *address)
{
    size_t i = 0;
    while (i < members->n && strcmp(members->addresses[i].text, address->text) != 0) i++;
    return i;
}

bool members_equal(const struct members *a, const struct members *b)
{
    if (a->n != b->n || a->witnesses != b->witnesses) return false;
    for (size_t i = 0; i < a->n; i++)
        if (strcmp(a->addresses[i].text, b->addresses[i].text) != 0 ||
            strcmp(a->status_addresses[i].text, b->status_addresses[i].text) != 0)
            return false;
    return true;
}

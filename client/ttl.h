/* SPDX-License-Identifier: BSD-2-Clause */
/* How long a key lives, as people type it: a duration (program/duration.h), or never. */
#ifndef CLIENT_TTL_H
#define CLIENT_TTL_H

#include <stdint.h>

#define TTL_FORM "500ms, 30s, 5m, 2h or 7d"

#define TTL_OPTION(into) \
    CLI_TEXT(0, "ttl", (into), "TTL", "let it live for so long: " TTL_FORM)

/* Microseconds, 0 for "never".  NULL, or what is wrong with it. */
const char *ttl_parse(const char *text, uint64_t *ttl_us);

/* What is left until then, by this machine's clock, which is not the group's. */
uint64_t ttl_left_us(uint64_t expiry_us);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
#include <config.h>

#include "client/ttl.h"

#include <string.h>

#include "kv/kv.h"
#include "program/clock.h"
#include "program/duration.h"

const char *ttl_parse(const char *text, uint64_t *ttl_us)
{
    *ttl_us = 0;
    if (strcmp(text, "never") == 0) return NULL;
    if (!duration_parse(text, ttl_us)) return "expected a time to live like " TTL_FORM ", or never";
    if (*ttl_us == 0) return "less than a microsecond";
    return *ttl_us > KV_TTL_MAX ? "more than 100 years" : NULL;
}

uint64_t ttl_left_us(uint64_t expiry_us)
{
    uint64_t now_us = clock_us(CLOCK_REALTIME);
    return expiry_us > now_us ? expiry_us - now_us : 0;
}

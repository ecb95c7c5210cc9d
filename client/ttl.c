/* SPDX-License-Identifier: BSD-2-Clause */
#include <config.h>

#include "client/ttl.h"

#include <string.h>
#include <time.h>

#include "kv/kv.h"
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
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    uint64_t now_us = (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
    return expiry_us > now_us ? expiry_us - now_us : 0;
}

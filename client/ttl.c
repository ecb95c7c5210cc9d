/* SPDX-License-Identifier: BSD-2-Clause */
#include <config.h>

#include "client/ttl.h"

#include <string.h>
#include <time.h>

#include "kv/kv.h"

static const struct {
    const char *word;
    uint64_t us;
} units[] = {{"ms", 1000},
             {"s", 1000000},
             {"", 1000000},
             {"m", UINT64_C(60000000)},
             {"h", UINT64_C(3600000000)},
             {"d", UINT64_C(86400000000)}};

/* Digits, perhaps with a fraction of up to nine, in billionths; NULL if there are none or more than
 * make sense. */
static const char *take_number(const char *at, uint64_t *billionths)
{
    uint64_t whole = 0, worth = 1000000000;
    const char *begin = at;
    for (; *at >= '0' && *at <= '9'; at++) {
        if (at - begin == 10) return NULL;
        whole = whole * 10 + (uint64_t)(*at - '0');
    }
    *billionths = whole * worth;
    if (at == begin) return NULL;
    if (*at != '.') return at;
    for (at++; *at >= '0' && *at <= '9' && worth > 1; at++) {
        worth /= 10;
        *billionths += (uint64_t)(*at - '0') * worth;
    }
    return at[-1] == '.' ? NULL : at;
}

const char *ttl_parse(const char *text, uint64_t *ttl_us)
{
    uint64_t billionths;
    *ttl_us = 0;
    if (strcmp(text, "never") == 0) return NULL;
    const char *unit = take_number(text, &billionths);
    for (size_t i = 0; unit != NULL && i < sizeof units / sizeof units[0]; i++) {
        if (strcmp(unit, units[i].word) != 0) continue;
        unsigned __int128 us = (unsigned __int128)billionths * units[i].us / 1000000000;
        if (us == 0) return "less than a microsecond";
        if (us > KV_TTL_MAX) return "more than 100 years";
        *ttl_us = (uint64_t)us;
        return NULL;
    }
    return "expected a time to live like " TTL_FORM;
}

uint64_t ttl_left_us(uint64_t expiry_us)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    uint64_t now_us = (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
    return expiry_us > now_us ? expiry_us - now_us : 0;
}

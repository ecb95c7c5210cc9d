/* SPDX-License-Identifier: BSD-2-Clause */
#include "program/duration.h"

#include <stddef.h>
#include <string.h>

static const struct {
    const char *word;
    uint64_t us;
} units[] = {{"ms", 1000},
             {"s", 1000000},
             {"", 1000000},
             {"m", UINT64_C(60000000)},
             {"h", UINT64_C(3600000000)},
             {"d", UINT64_C(86400000000)}};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Up to ten digits, perhaps with a fraction of up to nine, in billionths.  What stands behind, or
 * NULL. */
static const char *take_number(const char *at, uint64_t *billionths)
{
    uint64_t whole = 0, worth = 1000000000;
    const char *begin = at;
    for (; is_digit(*at); at++) {
        if (at - begin == 10) return NULL;
        whole = whole * 10 + (uint64_t)(*at - '0');
    }
    *billionths = whole * worth;
    if (*at != '.') return at > begin ? at : NULL;
    for (at++; is_digit(*at) && worth > 1; at++) {
        worth /= 10;
        *billionths += (uint64_t)(*at - '0') * worth;
    }
    return is_digit(at[-1]) ? at : NULL;
}

bool duration_parse(const char *text, uint64_t *us)
{
    uint64_t billionths;
    const char *unit = take_number(text, &billionths);
    for (size_t i = 0; unit != NULL && i < sizeof units / sizeof units[0]; i++) {
        if (strcmp(unit, units[i].word) != 0) continue;
        unsigned __int128 all = (unsigned __int128)billionths * units[i].us / 1000000000;
        *us = all < UINT64_MAX ? (uint64_t)all : UINT64_MAX;
        return true;
    }
    return false;
}

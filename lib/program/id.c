/* SPDX-License-Identifier: BSD-2-Clause */
#include "program/id.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void id_print(char text[static ID_TEXT_SIZE], struct vstamp_id id)
{
    snprintf(text, ID_TEXT_SIZE, "%016" PRIx64 "%016" PRIx64, id.hi, id.lo);
}

bool id_parse(const char *text, struct vstamp_id *id)
{
    char high[17];
    if (strlen(text) != ID_TEXT_SIZE - 1 || strspn(text, "0123456789abcdef") != ID_TEXT_SIZE - 1)
        return false;
    snprintf(high, sizeof high, "%.16s", text);
    id->hi = strtoull(high, NULL, 16);
    id->lo = strtoull(text + 16, NULL, 16);
    return true;
}

/* SPDX-License-Identifier: BSD-2-Clause */
#include <config.h>

#include "admin/notation.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "program/escape.h"

void notation_time(char text[static NOTATION_TIME_SIZE], uint64_t time_us, bool with_ms)
{
    time_t seconds = (time_t)(time_us / 1000000);
    char whole[24];
    struct tm utc;
    if (gmtime_r(&seconds, &utc) == NULL || strftime(whole, sizeof whole, "%FT%T", &utc) == 0)
        snprintf(text, NOTATION_TIME_SIZE, "?");
    else if (with_ms)
        snprintf(text, NOTATION_TIME_SIZE, "%s.%03" PRIu64 "Z", whole, time_us / 1000 % 1000);
    else
        snprintf(text, NOTATION_TIME_SIZE, "%sZ", whole);
}

json_t *notation_text(const char *text)
{
    json_t *json = json_string(text);
    if (json != NULL) return json;
    char *plain = strdup(text);
    if (plain == NULL) abort();
    escape_plain(plain);
    json = json_string(plain);
    free(plain);
    return json;
}

void notation_print_json(json_t *object)
{
    if (object == NULL) abort();
    json_dumpf(object, stdout, JSON_COMPACT | JSON_REAL_PRECISION(6));
    putchar('\n');
    json_decref(object);
}

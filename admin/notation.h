/* SPDX-License-Identifier: BSD-2-Clause */
/* Times and JSON as they are printed. */
#ifndef ADMIN_NOTATION_H
#define ADMIN_NOTATION_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#define NOTATION_TIME_SIZE 40

/* Microseconds since 1970 as RFC 3339, in UTC, to the second or the millisecond; "?" where no
 * calendar has them. */
void notation_time(char text[static NOTATION_TIME_SIZE], uint64_t time_us, bool with_ms);

/* A path, or a sentence with one, may be any bytes: where it is not UTF-8, it has a '?' for each
 * byte beyond ASCII. */
json_t *notation_text(const char *text);

/* A line of standard output; gives up the reference.  An object that is NULL found no memory: the
 * program is ended. */
void notation_print_json(json_t *object);

#endif

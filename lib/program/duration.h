/* SPDX-License-Identifier: BSD-2-Clause */
/* A time as people type it: 5, 0.5, 500ms, 30s, 5m, 2h, 7d, 1.5h; a number alone is seconds. */
#ifndef PROGRAM_DURATION_H
#define PROGRAM_DURATION_H

#include <stdbool.h>
#include <stdint.h>

/* In microseconds, what is less cut off; UINT64_MAX if it is more than that.  False: it is none. */
bool duration_parse(const char *text, uint64_t *us);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* What a clock of the system says. */
#ifndef PROGRAM_CLOCK_H
#define PROGRAM_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline uint64_t clock_ns(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static inline uint64_t clock_us(clockid_t clock)
{
    return clock_ns(clock) / 1000u;
}

#endif

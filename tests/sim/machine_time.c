/* SPDX-License-Identifier: BSD-2-Clause */
/* The time of the machine, in place of the C library's functions: an application that looks at it
 * is told another one in each replica, so that its replicas differ as they would elsewhere.  Real
 * time stands still while a run goes on.  Everybody else is told what it is. */
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "sim/sim.h"

#define EXPORTED __attribute__((visibility("default")))

EXPORTED int clock_gettime(clockid_t clock, struct timespec *at)
{
    struct sim_place place;
    if (!sim_application_is_in(&place)) return (int)syscall(SYS_clock_gettime, clock, at);
    *at = (struct timespec){.tv_sec = (time_t)(place.wall_us / SIM_S),
                            .tv_nsec = (long)(place.wall_us % SIM_S * 1000)};
    return 0;
}

EXPORTED int gettimeofday(struct timeval *restrict at, void *restrict zone)
{
    struct timespec now;
    (void)zone;
    int rv = clock_gettime(CLOCK_REALTIME, &now);
    at->tv_sec = now.tv_sec;
    at->tv_usec = now.tv_nsec / 1000;
    return rv;
}

EXPORTED time_t time(time_t *at)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (at != NULL) *at = now.tv_sec;
    return now.tv_sec;
}

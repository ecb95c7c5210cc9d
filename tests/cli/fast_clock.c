/* SPDX-License-Identifier: BSD-2-Clause */
/* Loaded into a replica with LD_PRELOAD: the clock of its connections runs 20 times as fast.  The
 * node's own, which counts what the machine slept, too, is right. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <time.h>

#define TIMES 20

__attribute__((visibility("default"))) int clock_gettime(clockid_t id, struct timespec *now)
{
    int (*real)(clockid_t, struct timespec *) = NULL;
    *(void **)&real = dlsym(RTLD_NEXT, "clock_gettime");
    int rv = real(id, now);
    if (rv != 0 || (id != CLOCK_MONOTONIC && id != CLOCK_MONOTONIC_COARSE)) return rv;
    long long ns = (now->tv_sec * 1000000000LL + now->tv_nsec) * TIMES;
    now->tv_sec = ns / 1000000000;
    now->tv_nsec = ns % 1000000000;
    return rv;
}

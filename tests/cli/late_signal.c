/* SPDX-License-Identifier: BSD-2-Clause */
/* Loaded into a program with LD_PRELOAD: a signal that comes when the program lets signals through
 * again for the first time, and not before. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <signal.h>

typedef int set_mask(int how, const sigset_t *set, sigset_t *before);

__attribute__((visibility("default"))) set_mask sigprocmask;

int sigprocmask(int how, const sigset_t *set, sigset_t *before)
{
    static int came;
    set_mask *real = NULL;
    *(void **)&real = dlsym(RTLD_NEXT, "sigprocmask");
    if (how == SIG_SETMASK && !came++) raise(SIGTERM);
    return real(how, set, before);
}

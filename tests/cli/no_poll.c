/* SPDX-License-Identifier: BSD-2-Clause */
/* Loaded with LD_PRELOAD: a system without memory for those who wait. */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <signal.h>

__attribute__((visibility("default"))) int poll(struct pollfd *polls, nfds_t n, int timeout_ms)
{
    (void)polls, (void)n, (void)timeout_ms;
    errno = ENOMEM;
    return -1;
}

__attribute__((visibility("default"))) int ppoll(struct pollfd *polls, nfds_t n,
                                                 const struct timespec *timeout,
                                                 const sigset_t *mask)
{
    (void)polls, (void)n, (void)timeout, (void)mask;
    errno = ENOMEM;
    return -1;
}

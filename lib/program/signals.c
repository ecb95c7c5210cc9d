/* SPDX-License-Identifier: BSD-2-Clause */
#include "program/signals.h"

#include <stddef.h>
#include <sys/signalfd.h>
#include <unistd.h>

void signals_open(struct signals *s)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
    s->n_holds = 0;
    sigemptyset(&s->set);
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++) {
        struct sigaction action;
        sigaction(signals[i], NULL, &action);
        if (action.sa_handler != SIG_IGN) sigaddset(&s->set, signals[i]);
    }
    s->fd = signalfd(-1, &s->set, SFD_CLOEXEC | SFD_NONBLOCK);
}

void signals_close(struct signals *s)
{
    if (s->fd >= 0) close(s->fd);
    s->fd = -1;
}

void signals_hold(struct signals *s)
{
    if (s->n_holds++ == 0) sigprocmask(SIG_BLOCK, &s->set, &s->before);
}

void signals_release(struct signals *s)
{
    if (--s->n_holds == 0) sigprocmask(SIG_SETMASK, &s->before, NULL);
}

int signals_take(const struct signals *s)
{
    struct signalfd_siginfo signal;
    if (read(s->fd, &signal, sizeof signal) != (ssize_t)sizeof signal) return 0;
    return (int)signal.ssi_signo;
}

void signals_die_by(int number)
{
    sigset_t set;
    signal(number, SIG_DFL);
    sigemptyset(&set);
    sigaddset(&set, number);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
    raise(number);
}

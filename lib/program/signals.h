/* SPDX-License-Identifier: BSD-2-Clause */
/* SIGINT, SIGTERM and SIGHUP as something to poll for, unless they are ignored: while they are held
 * they do not end the process, so that it can say what became of its requests. */
#ifndef PROGRAM_SIGNALS_H
#define PROGRAM_SIGNALS_H

#include <signal.h>

struct signals {
    sigset_t set, before; /* the mask while they are not held */
    unsigned n_holds;     /* that were not released */
    int fd;               /* to poll for POLLIN */
};

/* There is something to poll from here on; nothing is held yet. */
void signals_open(struct signals *s);
void signals_close(struct signals *s);

/* From now on they wait to be taken, until signals_release was called as often as this.  One that
 * came and was not taken ends the process then. */
void signals_hold(struct signals *s);
void signals_release(struct signals *s);

/* The number of one that came, or 0. */
int signals_take(const struct signals *s);

/* End as the signal would have ended the process, so that a shell script stops, too. */
void signals_die_by(int number);

#endif

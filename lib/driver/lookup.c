/* SPDX-License-Identifier: BSD-2-Clause */
/* Who comes last puts the lights out: if that is the thread, as the look-up was dropped meanwhile,
 * it frees what it was working for; else the owner does, when the thread is through with it.
 *
 *   RUNNING --thread--> ENDED      the owner joins the thread, and frees
 *   RUNNING --owner---> DROPPED    the thread frees, and is detached */
#include <config.h>

#include "driver/lookup.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { RUNNING, ENDED, DROPPED };

struct lookup {
    pthread_t thread;
    atomic_int state;
    int fd;
    int error;
    struct addrinfo *found;
    char *host, *port;
};

static int look_up(const char *host, const char *port, int flags, struct addrinfo **found)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                                   .ai_flags = AI_NUMERICSERV | flags};
    *found = NULL;
    return getaddrinfo(host, port, &hints, found);
}

int lookup_number(const char *host, const char *port, struct addrinfo **found)
{
    return look_up(host, port, AI_NUMERICHOST, found);
}

static void release(struct lookup *l)
{
    if (l->found != NULL) freeaddrinfo(l->found);
    if (l->fd >= 0) close(l->fd);
    free(l->host);
    free(l->port);
    free(l);
}

static void *run(void *argument)
{
    struct lookup *l = argument;
    l->error = look_up(l->host, l->port, 0, &l->found);
    if (atomic_exchange(&l->state, ENDED) == DROPPED) release(l);
    else eventfd_write(l->fd, 1);
    return NULL;
}

/* Signals are for the threads of the program. */
static int start(struct lookup *l)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&l->thread, NULL, run, l);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error;
}

struct lookup *lookup_begin(const char *host, const char *port)
{
    struct lookup *l = calloc(1, sizeof *l);
    if (l == NULL) return NULL;
    l->host = strdup(host);
    l->port = strdup(port);
    l->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int error = l->host == NULL || l->port == NULL ? ENOMEM : l->fd < 0 ? errno : start(l);
    if (error == 0) return l;
    release(l);
    errno = error;
    return NULL;
}

int lookup_fd(const struct lookup *l)
{
    return l->fd;
}

int lookup_end(struct lookup *l, struct addrinfo **found)
{
    pthread_join(l->thread, NULL);
    int error = l->error;
    *found = l->found;
    l->found = NULL;
    release(l);
    return error;
}

void lookup_drop(struct lookup *l)
{
    pthread_t thread = l->thread;
    if (atomic_exchange(&l->state, DROPPED) == RUNNING) {
        pthread_detach(thread); /* it frees the rest, maybe by now */
        return;
    }
    pthread_join(thread, NULL);
    release(l);
}

/* SPDX-License-Identifier: BSD-2-Clause */
#include "replica/listen.h"

#include <errno.h>
#include <netdb.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const char *hint(int err)
{
    switch (err) {
    case EADDRINUSE:
        return "in use by another program, by this replica already running, or by the status "
               "endpoint of another replica, whose port is by default 1000 above its own: "
               "stop that, or change the address";
    case EADDRNOTAVAIL:
        return "not an address of this machine, or not yet: is --index the right one?";
    case EACCES:
        return "not allowed: ports below 1024 need a privilege";
    default:
        return strerror(err);
    }
}

/* An address may be given to the machine later.  A port in use is for a person to look at. */
static bool may_pass(int err)
{
    return err == EADDRNOTAVAIL || err == EMFILE || err == ENFILE || err == ENOBUFS ||
           err == ENOMEM;
}

static int bind_one(const struct addrinfo *one, int backlog)
{
    const int on = 1;
    int fd = socket(one->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0) return -1;
    /* Connections of a former process that linger shall not keep us from starting. */
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, one->ai_addr, one->ai_addrlen) == 0 && listen(fd, backlog) == 0) return fd;
    close(fd);
    return -1;
}

int listen_open(const struct address *address, int backlog, int *fd, struct vstamp_diag *diag)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    struct addrinfo *list = NULL;
    int rv = getaddrinfo(address->host, address->port_text, &hints, &list);

    if (rv != 0) {
        vstamp_diag_printf(diag, "%s: %s", address->text, gai_strerror(rv));
        return rv == EAI_AGAIN ? VSTAMP_E_AGAIN : VSTAMP_E_IO;
    }
    errno = EADDRNOTAVAIL;
    *fd = bind_one(list, backlog);
    rv = errno; /* close() in bind_one succeeds and leaves it alone */
    freeaddrinfo(list);
    if (*fd >= 0) return 0;
    vstamp_diag_printf(diag, "%s: %s", address->text, hint(rv));
    return may_pass(rv) ? VSTAMP_E_AGAIN : VSTAMP_E_IO;
}

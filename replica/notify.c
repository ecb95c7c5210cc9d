/* SPDX-License-Identifier: BSD-2-Clause */
#include "replica/notify.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

socklen_t notify_address(const char *name, struct sockaddr_un *address)
{
    size_t size = strlen(name);

    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    if ((name[0] != '/' && name[0] != '@') || size >= sizeof address->sun_path) return 0;
    memcpy(address->sun_path, name, size);
    if (name[0] == '@') address->sun_path[0] = '\0';
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size);
}

void notify_send(const char *message)
{
    const char *name = getenv(NOTIFY_ENVIRONMENT);
    struct sockaddr_un address;

    if (name == NULL) return;
    socklen_t size = notify_address(name, &address);
    if (size == 0) return;
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return;
    /* A supervisor that does not read must not stop a replica. */
    sendto(fd, message, strlen(message), MSG_NOSIGNAL | MSG_DONTWAIT,
           (const struct sockaddr *)&address, size);
    close(fd);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* hear_notify SOCKET: a supervisor that prints what it is told (sd_notify(3)), each time a line. */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

int main(int argc, char **argv)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    char told[1024];
    ssize_t n;

    if (argc != 2 || strlen(argv[1]) >= sizeof address.sun_path) return 2;
    memcpy(address.sun_path, argv[1], strlen(argv[1]));
    if (fd < 0 || bind(fd, (const struct sockaddr *)&address, sizeof address) != 0) {
        perror(argv[1]);
        return 2;
    }
    while ((n = recv(fd, told, sizeof told, 0)) > 0) {
        printf("%.*s\n", (int)n, told);
        fflush(stdout);
    }
    return 0;
}

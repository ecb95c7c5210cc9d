/* SPDX-License-Identifier: BSD-2-Clause */
/* Stands between a client and a replica and loses answers.
 *
 *     lossy_proxy IP:PORT DROP
 *
 * Listens on a free port of 127.0.0.1, which it prints, and passes on what comes to and from the
 * replica at IP:PORT, but for the first DROP answers to writes: those vanish, and so does meanwhile
 * what says who the members are.  Rejects go through, and so do answers to registrations and to
 * reads, whose request-numbers are huge (vr/session.h).
 * From a SIGUSR1 to the next one all that comes from clients is held back.  Ends with its standard
 * input. */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/limits.h"
#include "wire/frame.h"

#define LINKS_MAX        64
#define WRITE_NUMBER_MAX 1000000u

struct link {
    int client, replica; /* -1: free */
    uint8_t *answers;    /* from the replica, not passed on yet */
    size_t size;
};

static struct link links[LINKS_MAX];
static long drop;
static volatile sig_atomic_t holds;

static void check(bool ok, const char *what)
{
    if (ok) return;
    perror(what);
    exit(1);
}

static void on_signal(int signal)
{
    (void)signal;
    holds = !holds;
}

static struct sockaddr_in address_of(const char *text)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    char ip[INET_ADDRSTRLEN];
    unsigned short port;
    check(sscanf(text, "%15[0-9.]:%hu", ip, &port) == 2 &&
              inet_pton(AF_INET, ip, &address.sin_addr) == 1,
          text);
    address.sin_port = htons(port);
    return address;
}

static int listen_anywhere(void)
{
    struct sockaddr_in address = address_of("127.0.0.1:0");
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    check(fd >= 0 && bind(fd, (struct sockaddr *)&address, size) == 0 && listen(fd, 16) == 0,
          "lossy_proxy: listen");
    check(getsockname(fd, (struct sockaddr *)&address, &size) == 0, "lossy_proxy: getsockname");
    printf("%u\n", ntohs(address.sin_port));
    fflush(stdout);
    return fd;
}

static void unlink_both(struct link *l)
{
    close(l->client);
    close(l->replica);
    free(l->answers);
    *l = (struct link){.client = -1, .replica = -1};
}

static void link_up(int listener, const struct sockaddr_in *target)
{
    int client = accept(listener, NULL, NULL);
    if (client < 0) return;
    int replica = socket(AF_INET, SOCK_STREAM, 0);
    struct link *l = NULL;
    for (int i = 0; i < LINKS_MAX; i++)
        if (links[i].client < 0) l = &links[i];
    if (l == NULL || connect(replica, (const struct sockaddr *)target, sizeof *target) != 0) {
        close(client); /* as if the replica had refused */
        close(replica);
        return;
    }
    *l = (struct link){client, replica, malloc(2 * FRAME_BYTES_MAX), 0};
    check(l->answers != NULL, "lossy_proxy: memory");
}

static bool send_all(int fd, const uint8_t *data, size_t size)
{
    while (size > 0) {
        ssize_t n = send(fd, data, size, MSG_NOSIGNAL);
        if (n <= 0) return false;
        data += n;
        size -= (size_t)n;
    }
    return true;
}

static bool pass_requests(struct link *l)
{
    static uint8_t buffer[65536];
    ssize_t n = recv(l->client, buffer, sizeof buffer, 0);
    return n > 0 && send_all(l->replica, buffer, (size_t)n);
}

static bool is_lost(struct bytes frame)
{
    struct wire_message m;
    if (drop == 0 || wire_frame_decode(frame, &m) != 0) return false;
    if (m.header.command == WIRE_new_epoch) return true; /* else the client goes around us */
    if (m.header.command != WIRE_reply) return false;
    if (m.as.reply.number > WRITE_NUMBER_MAX) return false;
    drop--;
    return true;
}

static bool pass_answers(struct link *l)
{
    ssize_t n = recv(l->replica, l->answers + l->size, 2 * FRAME_BYTES_MAX - l->size, 0);
    if (n <= 0) return false;
    l->size += (size_t)n;
    size_t size;
    while (wire_frame_size((struct bytes){l->answers, l->size}, FRAME_BYTES_MAX, &size) == 0 &&
           size <= l->size) {
        struct bytes frame = {l->answers, size};
        if (!is_lost(frame) && !send_all(l->client, frame.data, frame.size)) return false;
        l->size -= size;
        memmove(l->answers, l->answers + size, l->size);
    }
    return true;
}

/* Where in `polls` is what. */
enum { POLL_LISTENER, POLL_INPUT, POLL_LINKS, POLLS = POLL_LINKS + 2 * LINKS_MAX };
#define POLL_CLIENT(i)  (POLL_LINKS + 2 * (i))
#define POLL_REPLICA(i) (POLL_LINKS + 2 * (i) + 1)

static void wait_for_any(struct pollfd *polls, int listener)
{
    polls[POLL_LISTENER] = (struct pollfd){.fd = listener, .events = POLLIN};
    polls[POLL_INPUT] = (struct pollfd){.fd = STDIN_FILENO, .events = POLLIN};
    for (int i = 0; i < LINKS_MAX; i++) {
        polls[POLL_CLIENT(i)] = (struct pollfd){.fd = holds ? -1 : links[i].client,
                                                .events = POLLIN};
        polls[POLL_REPLICA(i)] = (struct pollfd){.fd = links[i].replica, .events = POLLIN};
    }
    if (poll(polls, POLLS, -1) > 0) return;
    check(errno == EINTR, "lossy_proxy: poll");
    for (int i = 0; i < POLLS; i++) polls[i].revents = 0;
}

static void pass_on(const struct pollfd *polls)
{
    for (int i = 0; i < LINKS_MAX; i++) {
        bool ok = true;
        if (polls[POLL_CLIENT(i)].revents != 0) ok = pass_requests(&links[i]);
        if (ok && polls[POLL_REPLICA(i)].revents != 0) ok = pass_answers(&links[i]);
        if (!ok) unlink_both(&links[i]);
    }
}

int main(int argc, char **argv)
{
    static struct pollfd polls[POLLS];
    if (argc != 3) {
        fputs("usage: lossy_proxy IP:PORT DROP\n", stderr);
        return 2;
    }
    struct sockaddr_in target = address_of(argv[1]);
    drop = strtol(argv[2], NULL, 10);
    for (int i = 0; i < LINKS_MAX; i++) links[i] = (struct link){.client = -1, .replica = -1};
    signal(SIGUSR1, on_signal);
    int listener = listen_anywhere();
    do {
        wait_for_any(polls, listener);
        pass_on(polls);
        if (polls[POLL_LISTENER].revents != 0) link_up(listener, &target);
    } while (polls[POLL_INPUT].revents == 0);
    return 0;
}

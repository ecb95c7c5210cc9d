/* SPDX-License-Identifier: BSD-2-Clause */
/* A switch for network namespaces that loses, delays, repeats and overtakes frames: what netem is
 * elsewhere, on kernels that have none.
 *
 *     net_switch NAMESPACE...       paths, as /run/netns/NAME
 *
 * Makes a TAP device `net` in each namespace, prints `ready`, and carries frames between them until
 * its standard input ends.  Ports are numbered in the order given.  A line there is a command:
 *
 *   block packets|messages FROM TO   nothing gets through, or only what carries no message: a
 *                                    message has 64 bytes at least and 52 before it that are TCP's
 *                                    and IP's, what TCP says for itself is less than 100
 *   loss PERMILLE                    of all frames, at random
 *   twice PERMILLE                   delivered twice
 *   delay MEAN-US                    each frame by a time of its own, up to twice that: frames
 *                                    overtake one another
 *   heal                             none of it any more
 *
 * What is under way when a link is cut still arrives, as on a real network. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "base/prng.h"

#define PORTS_MAX      20
#define FRAME_MAX      1600
#define FRAMES_MAX     20000 /* under way; more are lost, as in a switch */
#define TURN_MAX       64    /* frames taken from one port before the others have a turn */
#define IP_AT          14    /* in a frame */
#define IP_MESSAGE_MIN 101   /* bytes of an IP packet that carries a message, at least */

enum block { BLOCK_NOTHING, BLOCK_MESSAGES, BLOCK_PACKETS };

struct frame {
    uint64_t due_us, order; /* of equal times, as they came */
    int to;
    size_t size;
    uint8_t data[FRAME_MAX];
};

struct net_switch {
    int n_ports;
    int fds[PORTS_MAX];
    uint64_t addresses[PORTS_MAX]; /* of the device behind it, 0: not heard yet */
    enum block block[PORTS_MAX][PORTS_MAX];
    unsigned loss, twice;
    uint64_t delay_us;
    struct frame *heap[FRAMES_MAX]; /* the one due first on top */
    size_t n_frames;
    uint64_t order;
    struct prng prng;
    char commands[256];
    size_t commands_size;
};

static void check(bool ok, const char *what)
{
    if (ok) return;
    fprintf(stderr, "net_switch: %s: %s\n", what, strerror(errno));
    exit(1);
}

static uint64_t now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/* --- frames under way ------------------------------------------------------------------------- */

static bool is_before(const struct frame *a, const struct frame *b)
{
    return a->due_us != b->due_us ? a->due_us < b->due_us : a->order < b->order;
}

static void swap(struct net_switch *s, size_t i, size_t j)
{
    struct frame *frame = s->heap[i];
    s->heap[i] = s->heap[j];
    s->heap[j] = frame;
}

static void push(struct net_switch *s, struct frame *frame)
{
    size_t i = s->n_frames++;
    s->heap[i] = frame;
    for (; i > 0 && is_before(s->heap[i], s->heap[(i - 1) / 2]); i = (i - 1) / 2)
        swap(s, i, (i - 1) / 2);
}

static struct frame *pop(struct net_switch *s)
{
    struct frame *first = s->heap[0];
    s->heap[0] = s->heap[--s->n_frames];
    for (size_t i = 0;;) {
        size_t least = i, child = 2 * i + 1;
        for (size_t j = child; j < child + 2 && j < s->n_frames; j++)
            if (is_before(s->heap[j], s->heap[least])) least = j;
        if (least == i) return first;
        swap(s, i, least);
        i = least;
    }
}

static void send_copy(struct net_switch *s, int to, const uint8_t *data, size_t size)
{
    if (s->n_frames == FRAMES_MAX) return;
    struct frame *frame = malloc(sizeof *frame);
    check(frame != NULL, "memory");
    uint64_t delay_us = s->delay_us == 0 ? 0 : prng_below(&s->prng, 2 * s->delay_us);
    *frame = (struct frame){now_us() + delay_us, s->order++, to, size, {0}};
    memcpy(frame->data, data, size);
    push(s, frame);
}

/* Hand over what is due; a device that is full or down loses it. */
static void deliver(struct net_switch *s)
{
    uint64_t now = now_us();
    while (s->n_frames > 0 && s->heap[0]->due_us <= now) {
        struct frame *frame = pop(s);
        if (write(s->fds[frame->to], frame->data, frame->size) < 0 && errno != EIO &&
            errno != EAGAIN && errno != ENOBUFS)
            check(false, "write");
        free(frame);
    }
}

/* --- carrying --------------------------------------------------------------------------------- */

static bool carries_message(const uint8_t *data, size_t size)
{
    bool is_ip = size >= IP_AT + 20 && data[12] == 0x08 && data[13] == 0x00;
    return is_ip && (data[IP_AT + 2] << 8 | data[IP_AT + 3]) >= IP_MESSAGE_MIN;
}

static bool is_blocked(const struct net_switch *s, int from, int to, const uint8_t *data,
                       size_t size)
{
    switch (s->block[from][to]) {
    case BLOCK_NOTHING: return false;
    case BLOCK_MESSAGES: return carries_message(data, size);
    case BLOCK_PACKETS: return true;
    }
    return false;
}

static uint64_t address_at(const uint8_t *data)
{
    uint64_t address = 0;
    for (int i = 0; i < 6; i++) address = address << 8 | data[i];
    return address;
}

/* To the port whose device has that address, else to all. */
static void carry(struct net_switch *s, int from, const uint8_t *data, size_t size)
{
    if (size < IP_AT) return;
    uint64_t to_address = address_at(data);
    int first = 0, last = s->n_ports - 1;
    s->addresses[from] = address_at(data + 6);
    for (int to = 0; to < s->n_ports; to++)
        if (s->addresses[to] == to_address) first = last = to;
    for (int to = first; to <= last; to++) {
        if (to == from || is_blocked(s, from, to, data, size)) continue;
        if (prng_below(&s->prng, 1000) < s->loss) continue;
        send_copy(s, to, data, size);
        if (prng_below(&s->prng, 1000) < s->twice) send_copy(s, to, data, size);
    }
}

static void take(struct net_switch *s, int from)
{
    uint8_t data[FRAME_MAX];
    for (int i = 0; i < TURN_MAX; i++) {
        ssize_t n = read(s->fds[from], data, sizeof data);
        if (n <= 0) return;
        carry(s, from, data, (size_t)n);
    }
}

/* --- commands --------------------------------------------------------------------------------- */

static void obey(struct net_switch *s, const char *line)
{
    char what[16];
    int from, to;
    unsigned long number;
    if (strcmp(line, "heal") == 0) {
        memset(s->block, 0, sizeof s->block);
        s->loss = s->twice = 0;
        s->delay_us = 0;
    } else if (sscanf(line, "block %15s %d %d", what, &from, &to) == 3 && from >= 0 && to >= 0 &&
               from < s->n_ports && to < s->n_ports) {
        s->block[from][to] = strcmp(what, "messages") == 0 ? BLOCK_MESSAGES : BLOCK_PACKETS;
    } else if (sscanf(line, "loss %lu", &number) == 1) {
        s->loss = (unsigned)number;
    } else if (sscanf(line, "twice %lu", &number) == 1) {
        s->twice = (unsigned)number;
    } else if (sscanf(line, "delay %lu", &number) == 1) {
        s->delay_us = number;
    } else {
        fprintf(stderr, "net_switch: not a command: %s\n", line);
        exit(1);
    }
}

/* False: there will be no more. */
static bool read_commands(struct net_switch *s)
{
    ssize_t n = read(STDIN_FILENO, s->commands + s->commands_size,
                     sizeof s->commands - s->commands_size - 1);
    if (n <= 0) return false;
    s->commands_size += (size_t)n;
    s->commands[s->commands_size] = '\0';
    char *line = s->commands, *end;
    for (; (end = strchr(line, '\n')) != NULL; line = end + 1) {
        *end = '\0';
        obey(s, line);
    }
    s->commands_size -= (size_t)(line - s->commands);
    memmove(s->commands, line, s->commands_size);
    return true;
}

/* --- devices ---------------------------------------------------------------------------------- */

/* A device belongs to the namespace of the process that makes it. */
static int make_device(const char *namespace)
{
    struct ifreq request = {.ifr_name = "net", .ifr_flags = IFF_TAP | IFF_NO_PI};
    int there = open(namespace, O_RDONLY | O_CLOEXEC);
    check(there >= 0 && setns(there, CLONE_NEWNET) == 0, namespace);
    close(there);
    int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    check(fd >= 0, "/dev/net/tun");
    check(ioctl(fd, TUNSETIFF, &request) == 0, "TUNSETIFF");
    return fd;
}

static void run(struct net_switch *s)
{
    struct pollfd polls[PORTS_MAX + 1];
    for (int i = 0; i < s->n_ports; i++) polls[i] = (struct pollfd){s->fds[i], POLLIN, 0};
    polls[s->n_ports] = (struct pollfd){STDIN_FILENO, POLLIN, 0};
    for (;;) {
        struct timespec wait, *until = NULL;
        if (s->n_frames > 0) {
            uint64_t now = now_us(), due = s->heap[0]->due_us, left = due > now ? due - now : 0;
            wait = (struct timespec){(time_t)(left / 1000000), (long)(left % 1000000) * 1000};
            until = &wait;
        }
        int n = ppoll(polls, (nfds_t)s->n_ports + 1, until, NULL);
        check(n >= 0 || errno == EINTR, "poll");
        for (int i = 0; i < s->n_ports; i++)
            if (n > 0 && (polls[i].revents & POLLIN) != 0) take(s, i);
        deliver(s);
        if (n > 0 && polls[s->n_ports].revents != 0 && !read_commands(s)) return;
    }
}

int main(int argc, char **argv)
{
    static struct net_switch s;
    s.n_ports = argc - 1;
    if (s.n_ports < 2 || s.n_ports > PORTS_MAX) {
        fprintf(stderr, "usage: net_switch NAMESPACE...\n");
        return 2;
    }
    prng_seed(&s.prng, now_us());
    for (int i = 0; i < s.n_ports; i++) s.fds[i] = make_device(argv[i + 1]);
    printf("ready\n");
    fflush(stdout);
    run(&s);
    return 0;
}

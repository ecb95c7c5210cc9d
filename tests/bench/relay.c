/* SPDX-License-Identifier: BSD-2-Clause */
/* The floor under the latency of a put: the messages of one put on an idle group in memory mode,
 * with their real sizes, and nothing else.
 *
 *   client --request--> primary --prepare---> 2 backups
 *   client <---reply--- primary <-prepare_ok- the first of them      (the second ack is read later)
 *
 * Four processes over loopback TCP, each with an epoll of its own, as the real ones are.  No
 * decoding, no checksums, no log: what a real group takes beyond this is its own doing.
 *
 *     relay OPERATIONS VALUE-BYTES */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/assert.h"
#include "bench/samples.h"
#include "kv/kv.h"
#include "wire/frame.h"

#define BACKUPS 2

/* Bytes of the four frames. */
struct sizes {
    size_t request, prepare, ack, reply;
};

static uint8_t buffer[BENCH_VALUE_MAX + 4096]; /* what is sent and received; nobody looks at it */

_Noreturn static void die(const char *what)
{
    perror(what);
    exit(1);
}

static size_t frame_size(const struct wire_shape *shape, const void *message)
{
    return WIRE_HEADER_SIZE + wire_size(shape, message);
}

static struct sizes sizes_of_put(size_t value_size)
{
    struct kv_op op = {.verb = KV_PUT, .key = bytes_of(BENCH_KEY), .value = {buffer, value_size}};
    static uint8_t encoded[sizeof buffer];
    struct writer w = writer_over(encoded, sizeof encoded);
    kv_encode_op(&op, &w);
    assert(w.ok);
    struct bytes body = {encoded, w.size};
    struct bytes done = {encoded, 1}; /* the answer to a put is a status */

    struct wire_operation operation = {.body = body};
    size_t batch_size = sizeof(uint32_t) + wire_size(&wire_shape_operation, &operation);
    return (struct sizes){
        .request = frame_size(&wire_shape_request, &(struct wire_request){.body = body}),
        .prepare = frame_size(&wire_shape_prepare,
                              &(struct wire_prepare){.entry.body = {encoded, batch_size}}),
        .ack = frame_size(&wire_shape_prepare_ok, &(struct wire_prepare_ok){0}),
        .reply = frame_size(&wire_shape_reply, &(struct wire_reply){.body = done}),
    };
}

/* One direction in which messages of one size come. */
struct stream {
    int fd;
    size_t message_size;
    size_t have; /* of the message that is coming */
};

static void watch(int epoll, struct stream *s)
{
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = s};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, s->fd, &e) < 0) die("epoll_ctl");
}

/* Messages that are complete with what can be read now; -1 at the stream's end. */
static long stream_read(struct stream *s)
{
    ssize_t n = read(s->fd, buffer, sizeof buffer);
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) return 0;
    if (n <= 0) return -1;
    s->have += (size_t)n;
    size_t complete = s->have / s->message_size;
    s->have %= s->message_size;
    return (long)complete;
}

static void send_message(int fd, size_t size)
{
    while (size > 0) {
        ssize_t n = write(fd, buffer, size);
        if (n < 0 && errno != EINTR) die("write");
        if (n > 0) size -= (size_t)n;
    }
}

static int listen_somewhere(struct sockaddr_in *address)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    *address = (struct sockaddr_in){.sin_family = AF_INET,
                                    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof *address;
    if (fd < 0 || bind(fd, (struct sockaddr *)address, size) < 0 || listen(fd, 4) < 0 ||
        getsockname(fd, (struct sockaddr *)address, &size) < 0)
        die("listen");
    return fd;
}

static int without_delay(int fd)
{
    int on = 1;
    if (fd < 0 || setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) < 0) die("socket");
    return fd;
}

static int connect_to(const struct sockaddr_in *address)
{
    int fd = without_delay(socket(AF_INET, SOCK_STREAM, 0));
    if (connect(fd, (const struct sockaddr *)address, sizeof *address) < 0) die("connect");
    return fd;
}

static void run_backup(int listener, const struct sizes *sizes)
{
    struct stream primary = {without_delay(accept(listener, NULL, NULL)), sizes->prepare, 0};
    int epoll = epoll_create1(0);
    watch(epoll, &primary);
    for (;;) {
        struct epoll_event e;
        if (epoll_wait(epoll, &e, 1, -1) < 1) continue;
        long n = stream_read(&primary);
        if (n < 0) exit(0);
        for (; n > 0; n--) send_message(primary.fd, sizes->ack);
    }
}

static void run_primary(int listener, const struct sockaddr_in backup_at[BACKUPS],
                        const struct sizes *sizes)
{
    struct stream backups[BACKUPS];
    uint64_t acked[BACKUPS] = {0}, op = 0;
    bool answered = true;
    int epoll = epoll_create1(0);
    for (int i = 0; i < BACKUPS; i++) {
        backups[i] = (struct stream){connect_to(&backup_at[i]), sizes->ack, 0};
        watch(epoll, &backups[i]);
    }
    struct stream client = {without_delay(accept(listener, NULL, NULL)), sizes->request, 0};
    watch(epoll, &client);
    for (;;) {
        struct epoll_event e[BACKUPS + 1];
        int n_events = epoll_wait(epoll, e, BACKUPS + 1, -1);
        for (int i = 0; i < n_events; i++) {
            struct stream *s = e[i].data.ptr;
            long n = stream_read(s);
            if (n < 0) exit(0); /* the client is done; the backups end when this process does */
            if (s == &client && n > 0) {
                assert(n == 1 && answered); /* a closed loop */
                op++;
                answered = false;
                for (int b = 0; b < BACKUPS; b++) send_message(backups[b].fd, sizes->prepare);
            } else if (s != &client) {
                acked[s - backups] += (uint64_t)n;
                if (answered || acked[s - backups] < op) continue;
                answered = true;
                send_message(client.fd, sizes->reply);
            }
        }
    }
}

static void run_client(const struct sockaddr_in *primary_at, const struct sizes *sizes,
                       size_t n_ops)
{
    struct stream primary = {connect_to(primary_at), sizes->reply, 0};
    struct samples *samples = samples_new(n_ops);
    int epoll = epoll_create1(0);
    watch(epoll, &primary);
    for (size_t i = 0; i < n_ops; i++) {
        uint64_t start = samples_now_ns();
        send_message(primary.fd, sizes->request);
        long n = 0;
        while (n == 0) {
            struct epoll_event e;
            if (epoll_wait(epoll, &e, 1, -1) == 1) n = stream_read(&primary);
        }
        if (n != 1) die("the primary is gone");
        samples_add(samples, samples_now_ns() - start);
    }
    samples_print(samples, "relay");
    free(samples);
    close(epoll);
    close(primary.fd);
}

int main(int argc, char **argv)
{
    long n_ops = argc == 3 ? strtol(argv[1], NULL, 10) : 0;
    long value_size = argc == 3 ? strtol(argv[2], NULL, 10) : -1;
    if (n_ops < 10 || n_ops > 10000000 || value_size < 0 || value_size > (long)BENCH_VALUE_MAX) {
        fprintf(stderr, "usage: relay OPERATIONS VALUE-BYTES\n");
        return 2;
    }
    struct sizes sizes = sizes_of_put((size_t)value_size);
    struct sockaddr_in primary_at, backup_at[BACKUPS];
    for (int i = 0; i < BACKUPS; i++) {
        int listener = listen_somewhere(&backup_at[i]);
        if (fork() == 0) run_backup(listener, &sizes);
        close(listener);
    }
    int listener = listen_somewhere(&primary_at);
    if (fork() == 0) run_primary(listener, backup_at, &sizes);
    close(listener);

    run_client(&primary_at, &sizes, (size_t)n_ops);
    while (wait(NULL) > 0) continue;
    return 0;
}

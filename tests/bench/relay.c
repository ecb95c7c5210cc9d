/* SPDX-License-Identifier: BSD-2-Clause */
/* The floor under a put: its messages with their real sizes, its writes to the disk, and nothing
 * else.  No decoding, no checksums, no log to search, no state: what a real group takes beyond this
 * is its own doing.
 *
 *   client --request--> primary --prepare---> 2 backups
 *   client <---reply--- primary <-prepare_ok- whichever is first     (the second ack is read later)
 *
 * Three processes over loopback TCP, each with one epoll, read all that has come and write each
 * peer once a turn.  All requests of a turn are one prepare, and all prepares of a turn one ack.
 * With a folder each also has a journal, a thread that writes what came while its last write was
 * under way: whole blocks, O_DIRECT and O_DSYNC, into a file that was written before.  A put is
 * answered when any two of the three have it.
 *
 *     relay PORT [FOLDER]
 *
 * Listens on 127.0.0.1:PORT until killed; prints the three process ids, the primary's first. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/relay.h"

#define BACKUPS        2
#define WAITING_MAX    65536u /* puts at once */
#define EVENTS         256
#define BLOCK          4096u
#define JOURNAL_BLOCKS 4096u /* then it begins again at its start */
#define BATCH_BLOCKS   256u

static struct relay_sizes sizes;
static uint8_t buffer[1u << 20]; /* what is sent and received */

_Noreturn static void die(const char *what)
{
    fprintf(stderr, "relay: %s: %s\n", what, strerror(errno));
    exit(1);
}

/* --- the journal ------------------------------------------------------------------------------ */

static struct journal {
    bool on_disk;
    int fd, wake, done; /* file, and the eventfds of both ways */
    _Atomic uint64_t wanted, durable; /* how many puts */
} journal;

static void *write_journal(void *blocks)
{
    uint64_t block = 0, ignored;
    for (;;) {
        if (read(journal.wake, &ignored, sizeof ignored) != sizeof ignored) die("eventfd");
        uint64_t wanted = atomic_load(&journal.wanted), durable = atomic_load(&journal.durable);
        if (wanted == durable) continue;
        uint64_t n_blocks =
            (sizes.prepare + (wanted - durable) * sizes.operation + BLOCK - 1) / BLOCK;
        if (n_blocks > BATCH_BLOCKS) n_blocks = BATCH_BLOCKS;
        if (block + n_blocks > JOURNAL_BLOCKS) block = 0;
        ssize_t size = (ssize_t)(n_blocks * BLOCK);
        if (pwrite(journal.fd, blocks, (size_t)size, (off_t)(block * BLOCK)) != size)
            die("write the journal");
        block += n_blocks;
        atomic_store(&journal.durable, wanted);
        if (write(journal.done, &(uint64_t){1}, 8) != 8) die("eventfd");
    }
    return NULL;
}

static void open_journal(const char *folder, unsigned replica)
{
    if (folder == NULL) return;
    char path[4096];
    snprintf(path, sizeof path, "%s/journal-%u", folder, replica);
    void *blocks;
    if (posix_memalign(&blocks, BLOCK, BATCH_BLOCKS * BLOCK) != 0) die("memory");
    memset(blocks, 'j', BATCH_BLOCKS * BLOCK);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) die(path);
    for (unsigned at = 0; at < JOURNAL_BLOCKS; at += BATCH_BLOCKS)
        if (pwrite(fd, blocks, BATCH_BLOCKS * BLOCK, (off_t)at * BLOCK) < 0) die(path);
    if (fsync(fd) != 0 || close(fd) != 0) die(path);
    journal.fd = open(path, O_RDWR | O_DIRECT | O_DSYNC | O_CLOEXEC);
    if (journal.fd < 0) die(path);
    journal.on_disk = true;
    journal.wake = eventfd(0, EFD_CLOEXEC);
    journal.done = eventfd(0, EFD_CLOEXEC);
    pthread_t thread;
    if (pthread_create(&thread, NULL, write_journal, blocks) != 0) die("thread");
}

static void journal_up_to(uint64_t put)
{
    atomic_store(&journal.wanted, put);
    if (!journal.on_disk)
        atomic_store(&journal.durable, put);
    else if (write(journal.wake, &(uint64_t){1}, 8) != 8)
        die("eventfd");
}

/* --- sockets ---------------------------------------------------------------------------------- */

struct stream {
    int fd;
    size_t have; /* of what has begun to come */
    uint8_t head[8];
};

static void watch(int epoll, int fd, void *what)
{
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = what};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e) < 0) die("epoll_ctl");
}

static void send_bytes(int fd, size_t size)
{
    for (const uint8_t *at = buffer; size > 0;) {
        ssize_t n = send(fd, at, size, MSG_NOSIGNAL);
        if (n < 0 && errno != EINTR) return; /* gone: told by the next read */
        if (n > 0) size -= (size_t)n, at += n;
    }
}

/* How many bytes came; -1 at the stream's end. */
static ssize_t receive(int fd)
{
    ssize_t n = recv(fd, buffer, sizeof buffer, 0);
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) return 0;
    return n > 0 ? n : -1;
}

static int listen_at(uint16_t port, struct sockaddr_in *address)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
    *address = (struct sockaddr_in){.sin_family = AF_INET,
                                    .sin_port = htons(port),
                                    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof *address;
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0 ||
        bind(fd, (struct sockaddr *)address, size) < 0 || listen(fd, 1024) < 0 ||
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

/* --- a backup --------------------------------------------------------------------------------- */

/* Puts in the prepares that end in these `n` bytes.  A prepare begins with their number. */
static uint64_t take_prepares(struct stream *s, ssize_t n)
{
    uint64_t n_puts = 0;
    for (const uint8_t *at = buffer, *end = buffer + n; at < end;) {
        while (s->have < sizeof s->head && at < end) s->head[s->have++] = *at++;
        if (s->have < sizeof s->head) break;
        uint64_t puts;
        memcpy(&puts, s->head, sizeof puts);
        size_t left = sizes.prepare + puts * sizes.operation - s->have;
        size_t step = left < (size_t)(end - at) ? left : (size_t)(end - at);
        at += step;
        s->have += step;
        if (step < left) break;
        s->have = 0;
        n_puts += puts;
    }
    return n_puts;
}

static void send_ack(int fd, uint64_t *acked)
{
    uint64_t durable = atomic_load(&journal.durable);
    if (durable == *acked) return;
    *acked = durable;
    memcpy(buffer, &durable, sizeof durable);
    send_bytes(fd, sizes.ack);
}

static void run_backup(int listener)
{
    struct stream primary = {.fd = without_delay(accept(listener, NULL, NULL))};
    uint64_t received = 0, acked = 0, ignored;
    int epoll = epoll_create1(0);
    watch(epoll, primary.fd, &primary);
    if (journal.on_disk) watch(epoll, journal.done, &journal);
    for (;;) {
        struct epoll_event events[2];
        int n_events = epoll_wait(epoll, events, 2, -1);
        for (int i = 0; i < n_events; i++) {
            if (events[i].data.ptr == &journal) {
                if (read(journal.done, &ignored, sizeof ignored) < 0) die("eventfd");
                continue;
            }
            ssize_t n = receive(primary.fd);
            if (n < 0) exit(0);
            received += take_prepares(&primary, n);
            if (received > atomic_load(&journal.wanted)) journal_up_to(received);
        }
        send_ack(primary.fd, &acked);
    }
}

/* --- the primary ------------------------------------------------------------------------------ */

struct client {
    int fd;
    size_t have;
    size_t due; /* bytes of replies of this turn */
};

static struct primary {
    int epoll, listener;
    struct stream backups[BACKUPS];
    uint64_t acked[BACKUPS];
    uint64_t received, prepared, answered;       /* puts */
    struct client *waiting[WAITING_MAX]; /* for put number i at i % size */
} primary;

static void accept_client(void)
{
    struct client *client = calloc(1, sizeof *client);
    if (client == NULL) die("memory");
    client->fd = without_delay(accept4(primary.listener, NULL, NULL, SOCK_CLOEXEC));
    watch(primary.epoll, client->fd, client);
}

static void read_client(struct client *client)
{
    ssize_t n = receive(client->fd);
    if (n < 0) { /* the load is over; whoever waits for its put holds the client */
        close(client->fd);
        client->fd = -1;
        return;
    }
    for (client->have += (size_t)n; client->have >= sizes.request; client->have -= sizes.request)
        primary.waiting[primary.received++ % WAITING_MAX] = client;
}

static void read_backup(struct stream *backup)
{
    ssize_t n = receive(backup->fd);
    if (n < 0) exit(0);
    for (ssize_t i = 0; i < n; i++) {
        if (backup->have < sizeof backup->head) backup->head[backup->have] = buffer[i];
        if (++backup->have < sizes.ack) continue;
        backup->have = 0;
        memcpy(&primary.acked[backup - primary.backups], backup->head, sizeof backup->head);
    }
}

static void send_prepare(void)
{
    uint64_t n_puts = primary.received - primary.prepared;
    if (n_puts == 0) return;
    primary.prepared = primary.received;
    memcpy(buffer, &n_puts, sizeof n_puts);
    for (int b = 0; b < BACKUPS; b++)
        send_bytes(primary.backups[b].fd, sizes.prepare + n_puts * sizes.operation);
    journal_up_to(primary.received);
}

/* Up to what two of the three have; to each client once. */
static void send_replies(void)
{
    uint64_t own = atomic_load(&journal.durable), a = primary.acked[0], b = primary.acked[1];
    uint64_t most = a > b ? a : b, least = a > b ? b : a;
    uint64_t committed = own > most ? most : own < least ? least : own;
    for (uint64_t i = primary.answered; i < committed; i++)
        primary.waiting[i % WAITING_MAX]->due += sizes.reply;
    for (; primary.answered < committed; primary.answered++) {
        struct client *client = primary.waiting[primary.answered % WAITING_MAX];
        if (client->fd >= 0 && client->due > 0) send_bytes(client->fd, client->due);
        client->due = 0;
    }
}

static void run_primary(const struct sockaddr_in backup_at[BACKUPS])
{
    uint64_t ignored;
    primary.epoll = epoll_create1(0);
    for (int b = 0; b < BACKUPS; b++) {
        primary.backups[b].fd = without_delay(socket(AF_INET, SOCK_STREAM, 0));
        if (connect(primary.backups[b].fd, (const struct sockaddr *)&backup_at[b],
                    sizeof backup_at[b]) < 0)
            die("connect");
        watch(primary.epoll, primary.backups[b].fd, &primary.backups[b]);
    }
    watch(primary.epoll, primary.listener, &primary.listener);
    if (journal.on_disk) watch(primary.epoll, journal.done, &journal);
    for (;;) {
        struct epoll_event events[EVENTS];
        int n_events = epoll_wait(primary.epoll, events, EVENTS, -1);
        for (int i = 0; i < n_events; i++) {
            void *what = events[i].data.ptr;
            if (what == &primary.listener) accept_client();
            else if (what == &primary.backups[0] || what == &primary.backups[1]) read_backup(what);
            else if (what != &journal) read_client(what);
            else if (read(journal.done, &ignored, sizeof ignored) < 0) die("eventfd");
        }
        send_prepare();
        send_replies();
    }
}

/* The backups end when the primary has ended. */
int main(int argc, char **argv)
{
    unsigned long port = argc == 2 || argc == 3 ? strtoul(argv[1], NULL, 10) : 0;
    if (port == 0 || port > 65535) {
        fprintf(stderr, "usage: relay PORT [FOLDER]\n");
        return 2;
    }
    const char *folder = argc == 3 ? argv[2] : NULL;
    struct sockaddr_in at, backup_at[BACKUPS];
    sizes = relay_sizes();
    printf("%d", (int)getpid());
    for (unsigned b = 0; b < BACKUPS; b++) {
        int listener = listen_at(0, &backup_at[b]);
        fflush(stdout);
        pid_t pid = fork();
        if (pid < 0) die("fork");
        if (pid == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            open_journal(folder, b + 1);
            run_backup(listener);
        }
        close(listener);
        printf(" %d", (int)pid);
    }
    open_journal(folder, 0);
    primary.listener = listen_at((uint16_t)port, &at);
    printf("\n");
    fflush(stdout);
    run_primary(backup_at);
    return 0;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* Throws at a replica's address what no honest program sends.
 *
 *     throw_frames IP:PORT WHAT [N]
 *
 *   garbage   N connections that send random bytes
 *   flipped   a valid request with one bit wrong, once for each of its bytes
 *   lying     valid headers that promise more than follows, or more than is allowed
 *   version   a frame of another version of the protocol
 *   stranger  hellos of replicas that were told otherwise, some of an index that does not exist
 *   releases  hellos of replicas whose versions end before ours, and begin behind them
 *   self      a hello of a replica that says it is at the address of this one
 *   split     a valid request, one byte a write, each N us after the other: fails unless it is
 *             answered
 *   twice     two valid requests in one write: fails unless both are answered
 *   idle      N connections that say nothing, } held until standard input ends; prints "ready" when
 *   half      N connections with half a frame, } all are there
 *   unread    N reads of the key k in one write; once they are sent, prints "ready", and reads no
 *             answer before standard input ends: fails unless all come, with 3 if it is closed
 *
 * Exit status 0 when everything could be thrown; what the replica makes of it is for the caller to
 * see. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/checksum.h"
#include "base/endian.h"
#include "base/limits.h"
#include "base/prng.h"
#include "kv/kv.h"
#include "wire/frame.h"

#define ANSWER_S   5
#define FRAME_MAX  4096u
#define AT_VERSION 20u /* in a frame's header (frame.h) */
#define AT_SIZE    24u

static struct sockaddr_in replica = {.sin_family = AF_INET};
static const char *replica_address; /* the same, as text */
static struct prng prng;

static int dial(void)
{
    const struct timeval patience = {.tv_sec = ANSWER_S};
    const int on = 1;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    if (fd < 0 || connect(fd, (const struct sockaddr *)&replica, sizeof replica) != 0) {
        perror("throw_frames: connect");
        exit(1);
    }
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
}

/* The replica may close at any moment: that is no failure of the thrower. */
static void throw_bytes(int fd, const void *data, size_t size)
{
    if (write(fd, data, size) < 0 && errno != EPIPE && errno != ECONNRESET)
        perror("throw_frames: write");
}

static size_t make_request(uint8_t *frame)
{
    const struct wire_header header = {.sender = WIRE_SENDER_CLIENT};
    const struct wire_request request = {
        .client = {prng_next(&prng), prng_next(&prng)},
        .number = 1,
        .kind = WIRE_KIND_REGISTER,
    };

    return wire_frame_encode(&header, &wire_shape_request, &request, frame, FRAME_MAX);
}

static size_t make_hello(uint8_t *frame, const char *address, uint32_t sender, uint8_t oldest,
                         uint8_t newest)
{
    const struct wire_header header = {.sender = sender, .newest = newest};
    const struct wire_hello hello = {.address = bytes_of(address),
                                    .settings = {.durability = bytes_of("t\xffpe")},
                                    .version = {(const uint8_t *)"9", 1},
                                    .oldest = oldest,
                                    .application = bytes_of(KV_APPLICATION)};

    return wire_frame_encode(&header, &wire_shape_hello, &hello, frame, FRAME_MAX);
}

/* Make the header sound again after it was changed. */
static void seal(uint8_t *frame)
{
    store_u64(frame, checksum64(frame + 8, WIRE_HEADER_SIZE - 8));
}

static void throw_once(const void *data, size_t size)
{
    int fd = dial();

    throw_bytes(fd, data, size);
    close(fd);
}

static bool read_answer(int fd)
{
    static uint8_t frame[FRAME_BYTES_MAX];
    struct wire_message message;
    size_t got = 0, size;

    while (got < sizeof frame) {
        size_t wanted = WIRE_HEADER_SIZE;
        ssize_t n;

        if (got >= WIRE_HEADER_SIZE) {
            if (wire_frame_size((struct bytes){frame, got}, sizeof frame, &size) != 0)
                return false;
            if (got == size)
                return wire_frame_decode((struct bytes){frame, got}, &message) == 0 &&
                       message.header.command == WIRE_reply;
            wanted = size;
        }
        n = read(fd, frame + got, wanted - got);
        if (n <= 0) return false;
        got += (size_t)n;
    }
    return false;
}

static int garbage(unsigned n)
{
    uint64_t noise[128];

    for (unsigned i = 0; i < n; i++) {
        for (unsigned k = 0; k < 128; k++) noise[k] = prng_next(&prng);
        throw_once(noise, 1 + prng_below(&prng, sizeof noise));
    }
    return 0;
}

static int flipped(unsigned n)
{
    uint8_t frame[FRAME_MAX];
    size_t size = make_request(frame), i;

    (void)n;
    for (i = 0; i < size; i++) {
        uint8_t bit = (uint8_t)(1u << prng_below(&prng, 8));

        frame[i] ^= bit;
        throw_once(frame, size);
        frame[i] ^= bit;
    }
    return 0;
}

static int lying(unsigned n)
{
    static const uint32_t sizes[] = {
        0,          1,         WIRE_HEADER_SIZE - 1, WIRE_HEADER_SIZE,
        1u << 20,   8u << 20,  FRAME_BYTES_MAX,      FRAME_BYTES_MAX + 1,
        0x7fffffff, 0xffffffff};
    uint8_t frame[FRAME_MAX];
    size_t size = make_request(frame), i;

    (void)n;
    for (i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        store_u32(frame + AT_SIZE, sizes[i]);
        seal(frame);
        throw_once(frame, size);
    }
    return 0;
}

static int version(unsigned n)
{
    uint8_t frame[FRAME_MAX];
    size_t size = make_request(frame);

    (void)n;
    frame[AT_VERSION] = 0xee;
    seal(frame);
    throw_once(frame, size);
    return 0;
}

static void throw_hello(const char *address, uint32_t sender, uint8_t oldest, uint8_t newest)
{
    uint8_t frame[FRAME_MAX];
    size_t size = make_hello(frame, address, sender, oldest, newest);
    int fd = dial();

    throw_bytes(fd, frame, size);
    while (read(fd, frame, sizeof frame) > 0) continue; /* until it closes */
    close(fd);
}

static int stranger(unsigned n)
{
    static const uint32_t senders[] = {0, 1, 2, REPLICAS_MAX, 200, WIRE_SENDER_CLIENT};

    (void)n;
    for (size_t i = 0; i < sizeof senders / sizeof senders[0]; i++)
        throw_hello("a:1", senders[i], WIRE_OLDEST, WIRE_NEWEST);
    return 0;
}

/* A replica complains of each sender once in a while: they are two. */
static int releases(unsigned n)
{
    (void)n;
    throw_hello("a:1", 3, 1, WIRE_OLDEST - 1);
    throw_hello("a:1", 4, WIRE_NEWEST + 1, WIRE_NEWEST + 2);
    return 0;
}

static int self(unsigned n)
{
    (void)n;
    throw_hello(replica_address, 1, WIRE_OLDEST, WIRE_NEWEST);
    return 0;
}

static int split(unsigned n)
{
    uint8_t frame[FRAME_MAX];
    size_t size = make_request(frame), i;
    int fd = dial();

    for (i = 0; i < size; i++) {
        if (write(fd, frame + i, 1) != 1) return 1;
        usleep(n);
    }
    return read_answer(fd) ? 0 : 1;
}

static int twice(unsigned n)
{
    uint8_t frames[2 * FRAME_MAX];
    size_t first = make_request(frames), second = make_request(frames + first);
    int fd = dial();

    (void)n;
    throw_bytes(fd, frames, first + second);
    return read_answer(fd) && read_answer(fd) ? 0 : 1;
}

/* Until standard input ends. */
static void be_held(void)
{
    char end[64];

    puts("ready");
    fflush(stdout);
    while (read(STDIN_FILENO, end, sizeof end) > 0) continue;
}

static int hold(unsigned n, size_t part)
{
    uint8_t frame[FRAME_MAX];

    make_request(frame);
    for (unsigned i = 0; i < n; i++) {
        int fd = dial();

        if (part > 0) throw_bytes(fd, frame, part);
    }
    be_held();
    return 0;
}

static int idle(unsigned n)
{
    return hold(n, 0);
}

static int half(unsigned n)
{
    return hold(n, WIRE_HEADER_SIZE + 3);
}

static size_t make_read(uint8_t *frame)
{
    const struct kv_op get = {.verb = KV_GET, .key = bytes_of("k")};
    const struct wire_header header = {.sender = WIRE_SENDER_CLIENT};
    uint8_t body[64];
    struct writer w = writer_over(body, sizeof body);

    kv_encode_op(&get, &w);
    const struct wire_request request = {.client = {prng_next(&prng), prng_next(&prng)},
                                         .number = 1,
                                         .kind = WIRE_KIND_READ,
                                         .application = wire_application(KV_APPLICATION),
                                         .body = {body, w.size}};
    return wire_frame_encode(&header, &wire_shape_request, &request, frame, FRAME_MAX);
}

static int unread(unsigned n)
{
    static uint8_t frames[16 * FRAME_MAX];
    int fd = dial();
    size_t size = 0;

    for (unsigned i = 0; i < n && size < sizeof frames - FRAME_MAX; i++)
        size += make_read(frames + size);
    throw_bytes(fd, frames, size);
    be_held();
    for (unsigned i = 0; i < n; i++)
        if (!read_answer(fd)) return errno == EAGAIN ? 1 : 3;
    return 0;
}

static const struct throw
{
    const char *name;
    int (*run)(unsigned n);
}
throws[] = {
    {"garbage", garbage}, {"flipped", flipped},   {"lying", lying},
    {"version", version}, {"stranger", stranger}, {"releases", releases},
    {"self", self},       {"split", split},       {"twice", twice},
    {"idle", idle},       {"half", half},       {"unread", unread},
};

int main(int argc, char **argv)
{
    char ip[INET_ADDRSTRLEN];
    unsigned short port;

    if (argc < 3) {
        fprintf(stderr, "usage: throw_frames IP:PORT WHAT [N]\n");
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    replica_address = argv[1];
    if (sscanf(argv[1], "%15[0-9.]:%hu", ip, &port) != 2 ||
        inet_pton(AF_INET, ip, &replica.sin_addr) != 1) {
        fprintf(stderr, "throw_frames: %s is not IP:PORT\n", argv[1]);
        return 2;
    }
    replica.sin_port = htons(port);
    prng_seed(&prng, (uint64_t)getpid());
    for (size_t i = 0; i < sizeof throws / sizeof throws[0]; i++)
        if (strcmp(argv[2], throws[i].name) == 0)
            return throws[i].run(argc > 3 ? (unsigned)strtoul(argv[3], NULL, 10) : 1);
    fprintf(stderr, "throw_frames: cannot throw '%s'\n", argv[2]);
    return 2;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* A replica's connections to the others, which the test plays: what they say, what they are told,
 * and what the node is fed of it. */
#ifndef UNIT_PEERED_H
#define UNIT_PEERED_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "hosted.h"
#include "kv/kv.h"
#include "node/recording.h"
#include "replica/peers.h"

#define OURS      "127.0.0.1:5"
#define SEED      7u
#define FRAME_MAX (1u << 20)
#define FIRST_MAX 2048u /* until it is known who it is */

struct fixture {
    struct hosted hosted;
    struct log log;
    FILE *lines; /* of the log */
    struct connection_owner door; /* of those who have not said who they are */
    struct peers peers;
    char story[200]; /* what the node was fed, in order */
    uint64_t origin; /* of the last frame of a stranger */
    uint8_t received[2 * FRAME_MAX];
};

/* "+1" and "-1": replica 1 is connected, and is not; "1": a frame of it came; "?": a stranger's. */
static inline void record(void *ctx, enum journal_kind kind, const void *what)
{
    struct fixture *f = ctx;
    const struct wire_recorded_connection *connection = what;
    const struct wire_recorded_peer_frame *frame = what;
    const struct wire_recorded_stranger_frame *strange = what;
    size_t n = strlen(f->story), left = sizeof f->story - n;

    if (kind == JOURNAL_RECORDED_connection)
        snprintf(f->story + n, left, "%c%u ", connection->connected ? '+' : '-',
                 connection->replica);
    if (kind == JOURNAL_RECORDED_peer_frame) snprintf(f->story + n, left, "%u ", frame->from);
    if (kind == JOURNAL_RECORDED_stranger_frame) {
        snprintf(f->story + n, left, "? ");
        f->origin = strange->origin;
    }
}

static inline void assert_story(struct fixture *f, const char *story)
{
    assert_string_equal(f->story, story);
    f->story[0] = '\0';
}

/* How often that event was logged. */
static inline unsigned n_logged(const struct fixture *f, const char *event)
{
    static char text[16384];
    unsigned n = 0;
    ssize_t size = pread(f->log.fd, text, sizeof text - 1, 0);

    assert_true(size >= 0);
    text[size] = '\0';
    for (const char *at = text; (at = strstr(at, event)) != NULL; at++) n++;
    return n;
}

static inline void directory(void *ctx, const struct node_directory *d)
{
    struct fixture *f = ctx;

    peers_directory(&f->peers, d);
}

static inline void flush(void *ctx)
{
    struct fixture *f = ctx;

    peers_flush(&f->peers);
}

static inline bool resume(void *ctx)
{
    struct fixture *f = ctx;

    return peers_resume(&f->peers);
}

static inline int on_first_frame(struct connection *c, struct bytes frame)
{
    struct fixture *f = c->owner->ctx;
    struct wire_message message;

    assert_int_equal(wire_frame_decode(frame, &message), 0);
    c->identified = true;
    return peers_adopt(&f->peers, c, &message);
}

static inline void on_over(struct connection *c, const char *reason)
{
    (void)c;
    (void)reason;
}

static inline int set_up_as(void **state, uint8_t n_replicas)
{
    struct fixture *f = calloc(1, sizeof *f);
    const struct node_io io = {.ctx = f,
                               .send = ignore_frame,
                               .directory = directory,
                               .log = ignore_log,
                               .record = record};

    if (f == NULL) return -1;
    struct hosted *h = &f->hosted;
    *state = f;
    hosted_configure(h, n_replicas);
    h->config.addresses[0] = OURS;
    hosted_open(h, kv_app(), &io, flush, flush, resume, f);
    log_open(&f->log, LOG_LEVEL_INFO, LOG_FORMAT_LOGFMT, 0);
    f->lines = tmpfile();
    if (f->lines == NULL) return -1;
    f->log.fd = fileno(f->lines);
    f->door = (struct connection_owner){.ctx = f,
                                        .turn = &h->turn,
                                        .share_max = TURN_BYTES_MAX,
                                        .read_buffer = h->read_buffer,
                                        .frame = on_first_frame,
                                        .over = on_over};
    peers_init(&f->peers, &h->loop, &h->turn, &f->log, NULL, &h->config, FRAME_MAX, SEED,
               h->read_buffer);
    turn_begin(&h->turn);
    node_start(h->node);
    hosted_run(h);
    return 0;
}

static inline int set_up(void **state)
{
    return set_up_as(state, 3);
}

/* Of one, which forms at once. */
static inline int set_up_group(void **state)
{
    return set_up_as(state, 1);
}

static inline int tear_down(void **state)
{
    struct fixture *f = *state;

    hosted_close(&f->hosted);
    fclose(f->lines);
    free(f);
    return 0;
}

/* --- the other replicas ----------------------------------------------------------------------- */

static inline void say(struct fixture *f, int fd, struct bytes bytes)
{
    assert_int_equal(write(fd, bytes.data, bytes.size), bytes.size);
    hosted_run(&f->hosted);
}

static inline struct connection *knock(struct fixture *f, int *fd)
{
    struct connection *c = hosted_connect(&f->hosted, &f->door, fd);

    c->frame_max = c->out_max = FIRST_MAX;
    connection_start(c);
    return c;
}

/* What a replica at that address says that has the same configuration, and knows no group. */
static inline struct wire_hello hello_of(struct fixture *f, const char *address)
{
    struct node_identity ours;

    node_identity(f->hosted.node, &ours);
    return (struct wire_hello){.epoch = ours.epoch,
                               .members = ours.members,
                               .address = bytes_of(address),
                               .settings = ours.settings,
                               .application = bytes_of(ours.application),
                               .version = bytes_of("1.2.3"),
                               .oldest = ours.oldest};
}

static inline struct bytes encode(const struct wire_hello *hello)
{
    static uint8_t frame[FIRST_MAX];
    const struct wire_header header = {.sender = 1, .newest = WIRE_NEWEST};
    size_t size = wire_frame_encode(&header, &wire_shape_hello, hello, frame, sizeof frame);

    assert_true(size > 0);
    return (struct bytes){frame, size};
}

static inline int come_with(struct fixture *f, const struct wire_hello *hello)
{
    int fd;

    knock(f, &fd);
    say(f, fd, encode(hello));
    return fd;
}

/* With other settings. */
static inline int come_otherwise(struct fixture *f, const char *address)
{
    struct wire_hello hello = hello_of(f, address);

    hello.settings.durability = bytes_of("disk");
    return come_with(f, &hello);
}

static inline int come(struct fixture *f, const char *address)
{
    const struct wire_hello hello = hello_of(f, address);

    return come_with(f, &hello);
}

static inline size_t receive(struct fixture *f, int fd)
{
    return hosted_receive(&f->hosted, fd, f->received, sizeof f->received);
}

/* Is it closed at our end? */
static inline bool is_closed(struct fixture *f, int fd)
{
    uint8_t byte;

    receive(f, fd);
    return read(fd, &byte, 1) == 0;
}

static inline void leave(struct fixture *f, int fd)
{
    close(fd);
    hosted_run(&f->hosted);
}

/* A frame that the node makes nothing of, larger than a first one. */
static inline struct bytes a_frame(void)
{
    static uint8_t body[FIRST_MAX], frame[2 * FIRST_MAX];
    const struct wire_header header = {.sender = 1};
    const struct wire_request request = {.body = {body, sizeof body}};
    size_t size = wire_frame_encode(&header, &wire_shape_request, &request, frame, sizeof frame);

    assert_true(size > 0);
    return (struct bytes){frame, size};
}

static inline bool is_due(const struct fixture *f, uint8_t slot)
{
    return uv_is_active((const uv_handle_t *)&f->peers.slots[slot]->timer);
}

static inline unsigned n_strangers(const struct fixture *f)
{
    unsigned n = 0;

    for (unsigned i = 0; i < STRANGERS_MAX; i++) n += f->peers.strangers[i].connection != NULL;
    return n;
}

static inline void direct(struct fixture *f, struct node_directory d)
{
    turn_begin(&f->hosted.turn);
    peers_directory(&f->peers, &d);
}

/* The members are we and this one, and perhaps one more. */
static inline void change(struct fixture *f, const char *second, const char *third)
{
    uint8_t n = third != NULL ? 3 : 2;

    direct(f, (struct node_directory){
                  .n_members = n, .n_slots = n, .addresses = {OURS, second, third}});
}

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* The connections of clients: who makes room for whom, whose answer goes where, and who waits since
 * it does not read, or since the node takes no more. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/un.h>

#include <cmocka.h>

#include "hosted.h"
#include "kv/kv.h"
#include "node/recording.h"
#include "replica/transport_uv.h"

#define SLOTS       70u /* more than are looked at for one that is idle */
#define ANSWER_MAX  4096u
#define PAUSE       (256u << 10) /* with more than that unread, no more is fed */
#define MANY        (12u << 10)  /* that leave at once */
#define OWN         (PAUSE + 2 * ANSWER_MAX) /* that one may have unread */
#define SHARED      (32u << 20) /* that all together may have beyond */
#define PATIENCE_MS 10000u       /* for the rest of a frame */
#define IDLE_MS     1000u        /* after which who is in makes room, */
#define GIVEN_UP_MS 10000u       /* also while it waits for an answer, */
#define SILENT_MS   250u         /* and who has said nothing */

struct fixture {
    struct hosted hosted;
    struct log log;
    struct transport transport;
    uv_tcp_t listener;
    struct sockaddr_un at;
    socklen_t at_size;
    bool withheld;   /* answers are */
    uint64_t origin; /* of the last one */
    bool is_put_off; /* who came last */
    bool is_slow;    /* each frame takes long, and nobody is resumed */
    unsigned n_asked, n_strange; /* frames of clients and of other replicas */
    uint8_t bytes[SHARED];
};

static void on_directory(void *ctx, const struct node_directory *d)
{
    struct fixture *f = ctx;

    peers_directory(&f->transport.peers, d);
}

static void on_reply(void *ctx, uint64_t origin, struct bytes frame)
{
    struct fixture *f = ctx;

    f->origin = origin;
    if (!f->withheld) clients_reply(&f->transport.clients, origin, frame);
}

static void nothing(void *ctx)
{
    (void)ctx;
}

static void flush(void *ctx)
{
    struct fixture *f = ctx;

    clients_flush(&f->transport.clients);
}

static bool resume(void *ctx)
{
    struct fixture *f = ctx;

    return !f->is_slow && transport_resume(&f->transport);
}

static void record(void *ctx, enum journal_kind kind, const void *what)
{
    struct fixture *f = ctx;

    (void)what;
    if (kind == JOURNAL_RECORDED_client_frame)
        f->n_asked++;
    else if (kind == JOURNAL_RECORDED_stranger_frame)
        f->n_strange++;
    else
        return;
    if (f->is_slow) f->hosted.turn.begun_us = 0;
}

static void on_connection(uv_stream_t *listener, int status)
{
    struct fixture *f = listener->data;

    assert_int_equal(status, 0);
    f->is_put_off = !clients_accept(&f->transport.clients, listener);
}

/* At a name that the system chooses. */
static void listen_here(struct fixture *f)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    f->at.sun_family = AF_UNIX;
    f->at_size = sizeof f->at;
    assert_int_equal(bind(fd, (struct sockaddr *)&f->at, sizeof f->at.sun_family), 0);
    assert_int_equal(listen(fd, 8), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&f->at, &f->at_size), 0);
    assert_int_equal(uv_tcp_init(&f->hosted.loop, &f->listener), 0);
    assert_int_equal(uv_tcp_open(&f->listener, fd), 0);
    f->listener.data = f;
    assert_int_equal(uv_listen((uv_stream_t *)&f->listener, 8, on_connection), 0);
}

/* The node is a group of one. */
static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    const struct node_io io = {.ctx = f,
                               .send = ignore_frame,
                               .directory = on_directory,
                               .reply = on_reply,
                               .log = ignore_log,
                               .record = record};

    if (f == NULL) return -1;
    struct hosted *h = &f->hosted;
    *state = f;
    hosted_configure(h, 1);
    hosted_open(h, kv_app(), &io, nothing, flush, resume, f);
    log_open(&f->log, LOG_LEVEL_ERROR, LOG_FORMAT_LOGFMT, 0);
    peers_init(&f->transport.peers, &h->loop, &h->turn, &f->log, NULL, &h->config, ANSWER_MAX, 1,
               h->read_buffer);
    assert_int_equal(clients_init(&f->transport.clients, &h->turn, &f->transport.peers, &f->log,
                                  NULL, SLOTS, ANSWER_MAX, h->read_buffer),
                     0);
    turn_begin(&h->turn);
    node_start(h->node);
    hosted_run(h);
    listen_here(f);
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    uv_close((uv_handle_t *)&f->listener, NULL);
    hosted_close(&f->hosted);
    free(f->transport.clients.slots);
    free(f);
    return 0;
}

/* --- the other ends --------------------------------------------------------------------------- */

static int come(struct fixture *f)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    assert_int_equal(connect(fd, (struct sockaddr *)&f->at, f->at_size), 0);
    hosted_run(&f->hosted);
    return fd;
}

static void leave(struct fixture *f, int fd)
{
    close(fd);
    hosted_run(&f->hosted);
}

static void say(struct fixture *f, int fd, struct bytes bytes)
{
    assert_int_equal(write(fd, bytes.data, bytes.size), bytes.size);
    hosted_run(&f->hosted);
}

/* To be one of its clients. */
static struct bytes make_request(uint64_t client)
{
    static uint8_t frame[256];
    const struct wire_header header = {.sender = WIRE_SENDER_CLIENT};
    const struct wire_request request = {.client = {1, client},
                                         .number = 1,
                                         .kind = WIRE_KIND_REGISTER,
                                         .application = wire_application(KV_APPLICATION)};
    size_t size = wire_frame_encode(&header, &wire_shape_request, &request, frame, sizeof frame);

    assert_true(size > 0);
    return (struct bytes){frame, size};
}

static void ask(struct fixture *f, int fd)
{
    say(f, fd, make_request(1));
}

static size_t receive(struct fixture *f, int fd)
{
    return hosted_receive(&f->hosted, fd, f->bytes, sizeof f->bytes);
}

static bool is_closed(struct fixture *f, int fd)
{
    uint8_t byte;

    receive(f, fd);
    return read(fd, &byte, 1) == 0;
}

/* Asks, and the answer stays with the test; returns where it belongs. */
static uint64_t ask_in_vain(struct fixture *f, int fd)
{
    f->withheld = true;
    f->origin = 0;
    ask(f, fd);
    f->withheld = false;
    assert_true(f->origin != 0);
    return f->origin;
}

static void answer(struct fixture *f, uint64_t origin, size_t size)
{
    clients_reply(&f->transport.clients, origin, (struct bytes){f->bytes, size});
}

/* --- room ------------------------------------------------------------------------------------- */

static struct connection *of_used(struct chain *link)
{
    return CHAIN_OWNER(link, struct connection, used);
}

/* From now on nobody was used for so long. */
static void grow_old(struct fixture *f, uint64_t ms)
{
    struct clients *c = &f->transport.clients;
    const struct chain *lists[] = {&c->door, &c->in};

    for (int i = 0; i < 2; i++)
        for (struct chain *at = chain_first(lists[i]); at != NULL; at = chain_next(lists[i], at))
            of_used(at)->used_ms = uv_now(&f->hosted.loop) - ms;
}

/* All that may be in are, and have their answers. */
static void fill(struct fixture *f, int fds[static SLOTS])
{
    for (unsigned i = 0; i < SLOTS; i++) {
        fds[i] = come(f);
        ask(f, fds[i]);
        assert_true(receive(f, fds[i]) > 0);
    }
}

/* What was received is the refusal of request `number` of this client, and more; its size. */
static size_t expect_refusal(const uint8_t *at, size_t size, uint64_t client, uint64_t number)
{
    struct wire_message m;
    size_t one;

    assert_int_equal(wire_frame_size((struct bytes){at, size}, FRAME_BYTES_MAX, &one), 0);
    assert_int_equal(wire_frame_decode((struct bytes){at, one}, &m), 0);
    assert_int_equal(m.header.command, WIRE_reject);
    assert_int_equal(m.header.sender, 0);
    assert_int_equal(m.as.reject.reason, WIRE_REJECT_TOO_MANY);
    assert_int_equal(m.as.reject.client.lo, client);
    assert_int_equal(m.as.reject.number, number);
    assert_true(bytes_equal(
        m.as.reject.text, bytes_of("as many clients are connected as max_connections allows, 70")));
    return one;
}

/* Comes, asks, and is refused. */
static void comes_in_vain(struct fixture *f)
{
    int fd = come(f);

    f->n_asked = 0;
    ask(f, fd);
    size_t size = receive(f, fd);
    assert_int_equal(expect_refusal(f->bytes, size, 1, 1), size);
    assert_int_equal(f->n_asked, 0);
    assert_true(is_closed(f, fd));
    close(fd);
}

static void who_is_idle_for_longest_makes_room(void **state)
{
    struct fixture *f = *state;
    struct clients *c = &f->transport.clients;
    int fds[SLOTS], late[2];

    fill(f, fds);
    grow_old(f, 0);
    comes_in_vain(f); /* those who are in were all in use just now */
    ask_in_vain(f, fds[0]);
    grow_old(f, IDLE_MS);
    ask(f, fds[1]);
    for (int i = 0; i < 2; i++) {
        late[i] = come(f);
        assert_int_equal(c->n_evicted, i); /* nobody knows yet what it is */
        ask(f, late[i]);
        assert_true(receive(f, late[i]) > 0);
        assert_true(is_closed(f, fds[2 + i]));
    }
    assert_false(is_closed(f, fds[0]));
    assert_false(is_closed(f, fds[1]));
    assert_int_equal(c->n_in, SLOTS);
    assert_int_equal(c->n_used, SLOTS);
    assert_int_equal(c->n_evicted, 2);
    assert_int_equal(c->n_refused, 1);
    for (unsigned i = 0; i < SLOTS; i++) leave(f, fds[i]);
    for (int i = 0; i < 2; i++) leave(f, late[i]);
    assert_int_equal(c->n_used, 0);
    assert_int_equal(c->n_in, 0);
}

static void who_waits_for_an_answer_makes_none(void **state)
{
    struct fixture *f = *state;
    uint64_t origins[SLOTS];
    int fds[SLOTS], late;

    for (unsigned i = 0; i < SLOTS; i++) {
        fds[i] = come(f);
        origins[i] = ask_in_vain(f, fds[i]);
    }
    grow_old(f, IDLE_MS);
    comes_in_vain(f);
    answer(f, origins[2], 100); /* and will go on */
    clients_flush(&f->transport.clients);
    comes_in_vain(f);
    for (unsigned i = 0; i < SLOTS; i++)
        if (i != 2) ask_in_vain(f, fds[i]); /* again, as who waits does */
    grow_old(f, IDLE_MS);
    late = come(f);
    ask(f, late);
    assert_true(receive(f, late) > 0);
    assert_true(is_closed(f, fds[2]));
    grow_old(f, GIVEN_UP_MS); /* they would have asked again */
    leave(f, late);
    for (unsigned i = 0; i < 2; i++) {
        late = come(f);
        ask(f, late);
        assert_int_equal(is_closed(f, fds[0]), i == 1);
    }
    for (unsigned i = 0; i < SLOTS; i++) close(fds[i]);
}

static void each_request_of_who_is_refused_is_answered(void **state)
{
    struct fixture *f = *state;
    const struct wire_header header = {.sender = WIRE_SENDER_CLIENT};
    const struct wire_get_checkpoint copy = {.nonce = 77};
    uint8_t all[512];
    size_t size = 0;
    int fds[SLOTS], fd;

    fill(f, fds);
    fd = come(f);
    for (uint64_t i = 0; i < 2; i++) {
        struct bytes one = make_request(5 + i);
        memcpy(all + size, one.data, one.size);
        size += one.size;
    }
    size += wire_frame_encode(&header, &wire_shape_get_checkpoint, &copy, all + size,
                              sizeof all - size);
    say(f, fd, (struct bytes){all, size});
    size = receive(f, fd);
    size_t at = expect_refusal(f->bytes, size, 5, 1);
    at += expect_refusal(f->bytes + at, size - at, 6, 1);
    assert_int_equal(at + expect_refusal(f->bytes + at, size - at, 0, 77), size);
    assert_true(is_closed(f, fd));
    close(fd);
    assert_int_equal(f->transport.clients.n_refused, 1);

    leave(f, fds[9]); /* so that the next one is let in */
    fd = come(f);
    ask(f, fd);
    assert_true(receive(f, fd) > 0);
    assert_false(is_closed(f, fd));
    close(fd);
    for (unsigned i = 0; i < SLOTS; i++)
        if (i != 9) close(fds[i]);
}

/* The places at the door are for who has said nothing; who says nothing for long makes room. */
static void who_finds_no_place_at_the_door_waits_for_one(void **state)
{
    struct fixture *f = *state;
    struct clients *c = &f->transport.clients;
    int fds[SLOTS], door[CLIENTS_AT_THE_DOOR], late;

    fill(f, fds);
    for (unsigned i = 0; i < CLIENTS_AT_THE_DOOR; i++) door[i] = come(f);
    late = come(f);
    assert_true(f->is_put_off);
    assert_int_equal(c->n_used, SLOTS + CLIENTS_AT_THE_DOOR);
    grow_old(f, SILENT_MS - 1);
    assert_false(clients_accept(c, (uv_stream_t *)&f->listener));
    grow_old(f, SILENT_MS);
    assert_true(clients_accept(c, (uv_stream_t *)&f->listener));
    assert_true(is_closed(f, door[0]));
    assert_int_equal(c->n_in, SLOTS);
    grow_old(f, IDLE_MS);
    ask(f, late);
    assert_true(receive(f, late) > 0);
    assert_true(is_closed(f, fds[0]));
    ask(f, door[1]);
    assert_false(is_closed(f, door[1]));
    for (unsigned i = 0; i < SLOTS; i++) close(fds[i]);
    for (unsigned i = 0; i < CLIENTS_AT_THE_DOOR; i++) close(door[i]);
    close(late);
}

static void who_comes_in_a_full_turn_waits(void **state)
{
    struct fixture *f = *state;
    uv_stream_t *listener = (uv_stream_t *)&f->listener;
    int fd;

    turn_begin(&f->hosted.turn);
    f->hosted.turn.taken_bytes = TURN_BYTES_MAX;
    assert_false(clients_accept(&f->transport.clients, listener));
    fd = come(f); /* in the next one */
    assert_int_equal(f->transport.clients.n_used, 1);
    close(fd);
}

static void who_says_nothing_is_closed(void **state)
{
    struct fixture *f = *state;
    int fds[] = {come(f), come(f), come(f)};

    ask(f, fds[1]);
    const struct chain *door = &f->transport.clients.door;
    for (struct chain *at = chain_first(door); at != NULL; at = chain_next(door, at))
        if (of_used(at)->partial_ms != 0) of_used(at)->partial_ms -= PATIENCE_MS;
    clients_sweep(&f->transport.clients);
    assert_true(is_closed(f, fds[0]));
    assert_false(is_closed(f, fds[1]));
    assert_true(is_closed(f, fds[2]));
    for (int i = 0; i < 3; i++) close(fds[i]);
}

static struct bytes make_hello(struct fixture *f)
{
    static uint8_t frame[1024];
    struct node_identity ours;

    node_identity(f->hosted.node, &ours);
    const struct wire_header header = {.sender = 1, .newest = ours.newest};
    const struct wire_hello hello = {.address = bytes_of("s:1"),
                                     .settings = ours.settings,
                                     .application = bytes_of(ours.application),
                                     .oldest = ours.oldest};
    size_t size = wire_frame_encode(&header, &wire_shape_hello, &hello, frame, sizeof frame);

    assert_true(size > 0);
    return (struct bytes){frame, size};
}

static void a_replica_leaves_for_its_peers(void **state)
{
    struct fixture *f = *state;
    int fds[SLOTS], fd;

    fill(f, fds); /* nobody makes room for it */
    fd = come(f);
    say(f, fd, make_hello(f));
    assert_int_equal(f->transport.clients.n_used, SLOTS);
    assert_non_null(f->transport.peers.strangers[0].connection);
    leave(f, fd);
    assert_null(f->transport.peers.strangers[0].connection);
    for (unsigned i = 0; i < SLOTS; i++) leave(f, fds[i]);

    fd = come(f); /* it counts among the first frames only */
    ask(f, fd);
    say(f, fd, make_hello(f));
    assert_true(is_closed(f, fd));
    close(fd);
}

/* --- answers ---------------------------------------------------------------------------------- */

static void an_answer_finds_who_asked_or_nobody(void **state)
{
    struct fixture *f = *state;
    uint64_t origin;
    int fds[SLOTS], fd = come(f);

    origin = ask_in_vain(f, fd);
    answer(f, origin, 100);
    answer(f, origin, 50);
    clients_flush(&f->transport.clients);
    assert_int_equal(receive(f, fd), 150);
    leave(f, fd);
    answer(f, origin, 100);
    for (unsigned i = 0; i < SLOTS; i++) fds[i] = come(f); /* in all places */
    answer(f, origin, 100);
    clients_flush(&f->transport.clients);
    for (unsigned i = 0; i < SLOTS; i++) assert_int_equal(receive(f, fds[i]), 0);
    answer(f, UINT64_C(1) << 32 | SLOTS, 100); /* of no place at all */
    for (unsigned i = 0; i < SLOTS; i++) close(fds[i]);
}

/* They are not kept until the rest of the turn is executed. */
static void many_answers_leave_before_the_turn_ends(void **state)
{
    struct fixture *f = *state;
    int fd = come(f);
    uint64_t origin = ask_in_vain(f, fd);

    answer(f, origin, MANY - 1);
    assert_int_equal(read(fd, f->bytes, sizeof f->bytes), -1);
    answer(f, origin, 1);
    assert_int_equal(read(fd, f->bytes, sizeof f->bytes), MANY);
    answer(f, origin, 1);
    assert_int_equal(read(fd, f->bytes, sizeof f->bytes), -1);
    clients_flush(&f->transport.clients);
    assert_int_equal(read(fd, f->bytes, sizeof f->bytes), 1);
    leave(f, fd);
}

/* Whose end is met by that is forgotten at once, also for the flush of this turn. */
static void who_is_gone_when_many_answers_leave_is_forgotten(void **state)
{
    struct fixture *f = *state;
    int fd = come(f);
    uint64_t origin = ask_in_vain(f, fd);

    answer(f, origin, 1);
    close(fd);
    answer(f, origin, MANY);
    assert_int_equal(f->transport.clients.n_used, 0);
    answer(f, origin, MANY);
    clients_flush(&f->transport.clients);
    hosted_run(&f->hosted);
}

static void an_origin_is_never_zero(void **state)
{
    struct fixture *f = *state;
    int fd;

    for (unsigned i = 0; i < SLOTS; i++) f->transport.clients.slots[i].generation = UINT32_MAX;
    fd = come(f);
    assert_int_equal(of_used(f->transport.clients.door.before)->number, 0);
    ask(f, fd);
    assert_true(receive(f, fd) > 0);
    close(fd);
}

static void who_goes_before_its_answer_leaves_is_not_written_to(void **state)
{
    struct fixture *f = *state;
    uint64_t origins[3];
    int fds[3];

    for (int gone = 0; gone < 3; gone++) {
        struct connection *c[3];

        for (int i = 0; i < 3; i++) {
            fds[i] = come(f);
            c[i] = of_used(f->transport.clients.door.before);
            origins[i] = ask_in_vain(f, fds[i]);
        }
        for (int i = 0; i < 3; i++) answer(f, origins[i], 100);
        connection_close(c[gone], "");
        leave(f, fds[gone]);
        clients_flush(&f->transport.clients);
        for (int i = 0; i < 3; i++) {
            if (i == gone) continue;
            assert_int_equal(receive(f, fds[i]), 100);
            leave(f, fds[i]);
        }
    }
}

static void who_does_not_read_has_its_own_bound_and_a_share_of_what_all_have(void **state)
{
    struct fixture *f = *state;
    uint64_t first, second;
    int fds[] = {come(f), come(f), come(f)};

    first = ask_in_vain(f, fds[0]);
    second = ask_in_vain(f, fds[1]);
    answer(f, first, SHARED);
    answer(f, first, OWN);
    answer(f, second, OWN);
    clients_flush(&f->transport.clients);
    assert_int_equal(f->transport.clients.n_used, 3);
    answer(f, second, 1);
    clients_flush(&f->transport.clients);
    assert_int_equal(f->transport.clients.n_used, 2);
    assert_true(is_closed(f, fds[1]));

    assert_int_equal(receive(f, fds[0]), SHARED);
    assert_int_equal(receive(f, fds[0]), OWN);
    second = ask_in_vain(f, fds[2]);
    answer(f, second, SHARED);
    answer(f, second, OWN);
    answer(f, first, OWN + 1); /* it has no share left from before */
    clients_flush(&f->transport.clients);
    assert_int_equal(f->transport.clients.n_used, 1);
    for (int i = 0; i < 3; i++) close(fds[i]);
}

/* Its requests wait in its socket, until it has read. */
static void who_does_not_read_is_fed_no_more(void **state)
{
    struct fixture *f = *state;
    struct connection *c;
    uint64_t origin;
    int fd = come(f);

    origin = ask_in_vain(f, fd);
    c = of_used(f->transport.clients.in.before);
    answer(f, origin, PAUSE);
    clients_flush(&f->transport.clients);
    ask_in_vain(f, fd);
    assert_false(c->held);
    answer(f, origin, 1);
    ask_in_vain(f, fd);
    assert_true(c->held);
    f->origin = 0;
    ask(f, fd);
    assert_int_equal(f->origin, 0);
    assert_true(receive(f, fd) > PAUSE + 1);
    assert_false(c->held);
    assert_true(f->origin != 0);
    close(fd);
}

/* What the node has no room for waits, too, and nothing is refused. */
static void what_is_more_than_the_node_takes_in_a_turn_comes_in_the_next_ones(void **state)
{
    enum { N = 200 };
    struct fixture *f = *state;
    struct bytes frame;
    int fd = come(f), other = come(f);
    size_t size, one;

    ask(f, fd);
    one = receive(f, fd);
    for (int i = 0; i < N; i++) {
        frame = make_request((uint64_t)i + 2);
        assert_int_equal(write(fd, frame.data, frame.size), frame.size);
    }
    frame = make_request(N + 2);
    say(f, other, frame);
    size = hosted_receive(&f->hosted, fd, f->bytes, sizeof f->bytes);
    assert_int_equal(size, N * one);
    assert_int_equal(hosted_receive(&f->hosted, other, f->bytes, sizeof f->bytes), one);
    close(fd);
    close(other);
}

#define LOOK 16u /* frames until a turn that takes long is full */

static void clients_and_replicas_are_fed_first_in_turn(void **state)
{
    struct fixture *f = *state;
    struct connection_owner *owners[] = {&f->transport.clients.owner,
                                         &f->transport.peers.stranger_owner};
    int fds[] = {come(f), come(f)};

    ask(f, fds[0]);
    say(f, fds[1], make_hello(f));
    f->n_asked = 0;
    f->is_slow = true;
    owners[0]->held = owners[1]->held = true;
    for (unsigned i = 0; i < 2 * LOOK; i++)
        for (int k = 0; k < 2; k++)
            assert_int_equal(write(fds[k], make_request(1).data, make_request(1).size),
                             make_request(1).size);
    hosted_run(&f->hosted);
    assert_int_equal(f->n_asked + f->n_strange, 0);
    owners[0]->held = owners[1]->held = false;
    for (int i = 0; i < 2; i++) {
        transport_resume(&f->transport);
        assert_int_equal(f->n_asked + f->n_strange, (unsigned)(i + 1) * LOOK);
        hosted_run(&f->hosted);
    }
    assert_int_equal(f->n_asked, LOOK);
    assert_int_equal(f->n_strange, LOOK);
    for (int k = 0; k < 2; k++) close(fds[k]);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(who_is_idle_for_longest_makes_room),
        TEST(who_waits_for_an_answer_makes_none),
        TEST(each_request_of_who_is_refused_is_answered),
        TEST(who_finds_no_place_at_the_door_waits_for_one),
        TEST(who_comes_in_a_full_turn_waits),
        TEST(who_says_nothing_is_closed),
        TEST(a_replica_leaves_for_its_peers),
        TEST(an_answer_finds_who_asked_or_nobody),
        TEST(many_answers_leave_before_the_turn_ends),
        TEST(who_is_gone_when_many_answers_leave_is_forgotten),
        TEST(an_origin_is_never_zero),
        TEST(who_goes_before_its_answer_leaves_is_not_written_to),
        TEST(who_does_not_read_has_its_own_bound_and_a_share_of_what_all_have),
        TEST(who_does_not_read_is_fed_no_more),
        TEST(what_is_more_than_the_node_takes_in_a_turn_comes_in_the_next_ones),
        TEST(clients_and_replicas_are_fed_first_in_turn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

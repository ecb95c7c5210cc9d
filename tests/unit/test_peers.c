/* SPDX-License-Identifier: BSD-2-Clause */
/* The connections to other replicas, as directories change: who is a peer, who is a stranger, and
 * what the node is told and given of either. */
#define _GNU_SOURCE /* memfd_create */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "hosted.h"
#include "kv/kv.h"
#include "node/recording.h"
#include "replica/peers.h"

#define OURS        "127.0.0.1:5"
#define SEED        7u
#define FRAME_MAX   (1u << 20)
#define FIRST_MAX   2048u /* until it is known who it is */
#define PATIENCE_MS 10000u /* for the rest of a frame */

struct fixture {
    struct hosted hosted;
    struct log log;
    struct connection_owner door; /* of those who have not said who they are */
    struct peers peers;
    char story[200]; /* what the node was fed, in order */
    uint64_t origin; /* of the last frame of a stranger */
    uint8_t received[2 * FRAME_MAX];
};

/* "+1" and "-1": replica 1 is connected, and is not; "1": a frame of it came; "?": a stranger's. */
static void record(void *ctx, enum journal_kind kind, const void *what)
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

static void assert_story(struct fixture *f, const char *story)
{
    assert_string_equal(f->story, story);
    f->story[0] = '\0';
}

static void directory(void *ctx, const struct node_directory *d)
{
    struct fixture *f = ctx;

    peers_directory(&f->peers, d);
}

static void flush(void *ctx)
{
    struct fixture *f = ctx;

    peers_flush(&f->peers);
}

static void resume(void *ctx)
{
    struct fixture *f = ctx;

    peers_resume(&f->peers);
}

static int on_first_frame(struct connection *c, struct bytes frame)
{
    struct fixture *f = c->owner->ctx;
    struct wire_message message;

    assert_int_equal(wire_frame_decode(frame, &message), 0);
    c->identified = true;
    return peers_adopt(&f->peers, c, &message);
}

static void on_over(struct connection *c, const char *reason)
{
    (void)c;
    (void)reason;
}

static int set_up_as(void **state, uint8_t n_replicas)
{
    struct fixture *f = calloc(1, sizeof *f);
    const struct node_io io = {.ctx = f,
                               .send = hosted_ignore_frame,
                               .directory = directory,
                               .log = hosted_ignore_log,
                               .record = record};

    if (f == NULL) return -1;
    struct hosted *h = &f->hosted;
    *state = f;
    hosted_configure(h, n_replicas);
    h->config.addresses[0] = OURS;
    hosted_open(h, kv_app(), &io, flush, flush, resume, f);
    log_open(&f->log, LOG_LEVEL_ERROR, LOG_FORMAT_LOGFMT, 0);
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

static int set_up(void **state)
{
    return set_up_as(state, 3);
}

/* Of one, which forms at once. */
static int set_up_group(void **state)
{
    return set_up_as(state, 1);
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    hosted_close(&f->hosted);
    free(f);
    return 0;
}

/* --- the other replicas ----------------------------------------------------------------------- */

static void say(struct fixture *f, int fd, struct bytes bytes)
{
    assert_int_equal(write(fd, bytes.data, bytes.size), bytes.size);
    hosted_run(&f->hosted);
}

static int knock(struct fixture *f)
{
    int fd;
    struct connection *c = hosted_connect(&f->hosted, &f->door, &fd);

    c->frame_max = c->out_max = FIRST_MAX;
    connection_start(c);
    return fd;
}

/* What a replica at that address says that has the same configuration, and knows no group. */
static struct wire_hello hello_of(struct fixture *f, const char *address)
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

static struct bytes encode(const struct wire_hello *hello)
{
    static uint8_t frame[FIRST_MAX];
    const struct wire_header header = {.sender = 1, .newest = WIRE_NEWEST};
    size_t size = wire_frame_encode(&header, &wire_shape_hello, hello, frame, sizeof frame);

    assert_true(size > 0);
    return (struct bytes){frame, size};
}

static int come_with(struct fixture *f, const struct wire_hello *hello)
{
    int fd = knock(f);

    say(f, fd, encode(hello));
    return fd;
}

/* With other settings. */
static int come_otherwise(struct fixture *f, const char *address)
{
    struct wire_hello hello = hello_of(f, address);

    hello.settings.durability = bytes_of("disk");
    return come_with(f, &hello);
}

static int come(struct fixture *f, const char *address)
{
    const struct wire_hello hello = hello_of(f, address);

    return come_with(f, &hello);
}

static size_t receive(struct fixture *f, int fd)
{
    return hosted_receive(&f->hosted, fd, f->received, sizeof f->received);
}

/* Is it closed at our end? */
static bool is_closed(struct fixture *f, int fd)
{
    uint8_t byte;

    receive(f, fd);
    return read(fd, &byte, 1) == 0;
}

static void leave(struct fixture *f, int fd)
{
    close(fd);
    hosted_run(&f->hosted);
}

/* A frame that the node makes nothing of, larger than a first one. */
static struct bytes a_frame(void)
{
    static uint8_t body[FIRST_MAX], frame[2 * FIRST_MAX];
    const struct wire_header header = {.sender = 1};
    const struct wire_request request = {.body = {body, sizeof body}};
    size_t size = wire_frame_encode(&header, &wire_shape_request, &request, frame, sizeof frame);

    assert_true(size > 0);
    return (struct bytes){frame, size};
}

static bool is_due(const struct fixture *f, uint8_t slot)
{
    return uv_is_active((const uv_handle_t *)&f->peers.slots[slot]->timer);
}

static unsigned n_strangers(const struct fixture *f)
{
    unsigned n = 0;

    for (unsigned i = 0; i < STRANGERS_MAX; i++) n += f->peers.strangers[i].connection != NULL;
    return n;
}

static void direct(struct fixture *f, struct node_directory d)
{
    turn_begin(&f->hosted.turn);
    peers_directory(&f->peers, &d);
}

/* The members are we and this one, and perhaps one more. */
static void change(struct fixture *f, const char *second, const char *third)
{
    uint8_t n = third != NULL ? 3 : 2;

    direct(f, (struct node_directory){
                  .n_members = n, .n_slots = n, .addresses = {OURS, second, third}});
}

/* --- peers ------------------------------------------------------------------------------------ */

static void who_comes_is_met_heard_and_sent_to(void **state)
{
    struct fixture *f = *state;
    int fd = come(f, "b:2");

    assert_story(f, "+1 ");
    assert_true(receive(f, fd) > 0);
    say(f, fd, a_frame());
    assert_story(f, "1 ");
    peers_send(&f->peers, 1, a_frame());
    peers_flush(&f->peers);
    assert_int_equal(receive(f, fd), a_frame().size);
    assert_int_equal(peers_dropped(&f->peers, 1), 0);
    leave(f, fd);
    assert_story(f, "-1 ");
    assert_null(f->peers.slots[1]->connection);
    assert_false(f->peers.slots[1]->told);
    peers_send(&f->peers, 1, a_frame());
    assert_int_equal(peers_dropped(&f->peers, 1), 1);
}

static void who_goes_while_it_is_greeted_was_never_there(void **state)
{
    struct fixture *f = *state;
    static const char *const addresses[] = {"b:2", "s:1"};

    for (int i = 0; i < 2; i++) {
        const struct wire_hello hello = hello_of(f, addresses[i]);
        struct bytes frame = encode(&hello);
        int fd = knock(f);

        assert_int_equal(write(fd, frame.data, frame.size), frame.size);
        leave(f, fd);
    }
    assert_story(f, "");
    assert_null(f->peers.slots[1]->connection);
    assert_int_equal(n_strangers(f), 0);
}

static void what_a_replica_does_not_read_is_dropped(void **state)
{
    struct fixture *f = *state;
    struct bytes large = {f->received, FRAME_MAX};
    int fd = come(f, "b:2");

    receive(f, fd);
    for (int i = 0; i < 20; i++) peers_send(&f->peers, 1, large);
    assert_int_equal(peers_dropped(&f->peers, 1), 4);
    close(fd);
}

static void who_comes_again_replaces_the_rest_of_itself(void **state)
{
    struct fixture *f = *state;
    int before, fd;

    f->peers.started = true;
    before = come(f, "b:2");
    fd = come(f, "b:2");
    assert_story(f, "+1 -1 +1 ");
    assert_false(is_due(f, 1)); /* to be dialled */
    assert_true(is_closed(f, before));
    close(before);
    say(f, fd, a_frame());
    assert_story(f, "1 ");
    close(fd);
}

static void who_leaves_the_directory_is_a_stranger_and_may_be_a_peer_again(void **state)
{
    struct fixture *f = *state;
    int fd = come(f, "b:2"), other = come(f, "c:3");
    const struct connection *c = f->peers.slots[1]->connection;

    assert_story(f, "+1 +2 ");
    change(f, "c:3", NULL); /* the same connection, in another slot */
    hosted_run(&f->hosted);
    assert_int_equal(n_strangers(f), 1);
    say(f, fd, a_frame());
    say(f, other, a_frame());
    assert_story(f, "? 1 ");

    change(f, "c:3", "b:2");
    assert_int_equal(n_strangers(f), 0);
    assert_ptr_equal(f->peers.slots[2]->connection, c);
    assert_story(f, "");
    hosted_run(&f->hosted); /* the node is told at the end of the turn, in which it told us */
    assert_story(f, "+2 ");
    say(f, fd, a_frame());
    assert_story(f, "2 ");
    leave(f, fd);
    assert_story(f, "-2 ");
    peers_sweep(&f->peers);
    close(other);
}

static void who_leaves_while_there_is_no_place_for_strangers_is_closed(void **state)
{
    struct fixture *f = *state;
    int fds[STRANGERS_MAX], fd = come(f, "b:2"), late;
    char address[32];

    for (unsigned i = 0; i < STRANGERS_MAX; i++) {
        snprintf(address, sizeof address, "s:%u", i + 1);
        fds[i] = come(f, address);
        assert_int_equal(n_strangers(f), i + 1);
    }
    late = come(f, "s:100");
    assert_true(is_closed(f, late));
    close(late);
    f->story[0] = '\0';
    change(f, "c:3", NULL);
    assert_true(is_closed(f, fd));
    assert_story(f, ""); /* it is the node that has dropped it */
    assert_int_equal(n_strangers(f), STRANGERS_MAX);
    close(fd);
    for (unsigned i = 0; i < STRANGERS_MAX; i++) close(fds[i]);
}

/* --- strangers -------------------------------------------------------------------------------- */

static void a_stranger_that_goes_or_comes_again_leaves_its_place(void **state)
{
    struct fixture *f = *state;
    int fd = come(f, "s:1"), again = come(f, "s:1");

    assert_int_equal(n_strangers(f), 1);
    assert_true(is_closed(f, fd));
    close(fd);
    say(f, again, a_frame());
    assert_story(f, "? ");
    leave(f, again);
    assert_int_equal(n_strangers(f), 0);
    peers_sweep(&f->peers);
}

static void a_stranger_has_an_address(void **state)
{
    struct fixture *f = *state;
    char address[ADDRESS_BYTES_MAX + 2] = "";
    int fd = come(f, address);

    assert_true(is_closed(f, fd));
    close(fd);
    memset(address, 'x', sizeof address - 1);
    fd = come(f, address);
    assert_true(is_closed(f, fd));
    close(fd);
    address[ADDRESS_BYTES_MAX] = '\0';
    fd = come(f, address);
    assert_int_equal(n_strangers(f), 1);
    close(fd);
}

static void an_answer_finds_the_stranger_who_asked_or_nobody(void **state)
{
    struct fixture *f = *state;
    int fd = come(f, "s:1"), next;
    uint64_t first;

    assert_false(peers_reply(&f->peers, UINT64_C(1) << 32, a_frame())); /* a client's */
    receive(f, fd);
    say(f, fd, a_frame());
    first = f->origin;
    assert_true(peers_reply(&f->peers, first, a_frame()));
    peers_flush(&f->peers);
    assert_int_equal(receive(f, fd), a_frame().size);
    leave(f, fd);

    next = come(f, "s:2"); /* in the same place */
    receive(f, next);
    assert_true(peers_reply(&f->peers, first, a_frame()));
    peers_flush(&f->peers);
    assert_int_equal(receive(f, next), 0);
    say(f, next, a_frame());
    assert_true(peers_reply(&f->peers, f->origin, (struct bytes){f->received, FRAME_MAX}));
    peers_flush(&f->peers);
    assert_int_equal(receive(f, next), FRAME_MAX);
    close(next);
}

/* It was a peer when it was sent this. */
static void what_was_queued_for_a_peer_leaves_when_it_is_a_stranger(void **state)
{
    struct fixture *f = *state;
    int fd = come(f, "b:2");

    receive(f, fd);
    peers_send(&f->peers, 1, a_frame());
    change(f, "c:3", NULL);
    peers_flush(&f->peers);
    assert_int_equal(receive(f, fd), a_frame().size);
    close(fd);
}

/* --- held, and overdue ------------------------------------------------------------------------ */

static void who_keeps_a_frame_unfinished_is_closed(void **state)
{
    struct fixture *f = *state;
    int fds[] = {come(f, "b:2"), come(f, "s:1"), come(f, "c:3")};
    struct connection *both[] = {f->peers.slots[1]->connection, f->peers.strangers[0].connection};

    peers_sweep(&f->peers);
    for (int i = 0; i < 2; i++) {
        say(f, fds[i], (struct bytes){a_frame().data, 20});
        both[i]->partial_ms -= PATIENCE_MS;
    }
    peers_sweep(&f->peers);
    assert_true(is_closed(f, fds[0]));
    assert_true(is_closed(f, fds[1]));
    assert_false(is_closed(f, fds[2]));
    for (int i = 0; i < 3; i++) close(fds[i]);
}

static void who_was_held_is_fed_another_one_first_each_time(void **state)
{
    struct fixture *f = *state;
    int fds[] = {come(f, "b:2"), come(f, "c:3"), come(f, "s:1")};

    f->story[0] = '\0';
    for (int round = 0; round < 2; round++) {
        f->peers.owner.held = f->peers.stranger_owner.held = true;
        for (int i = 0; i < 3; i++)
            assert_int_equal(write(fds[i], a_frame().data, a_frame().size), a_frame().size);
        hosted_run(&f->hosted);
        assert_story(f, "");
        f->peers.owner.held = f->peers.stranger_owner.held = false;
        f->peers.first_resumed = (uint32_t)round;
        peers_resume(&f->peers);
        assert_story(f, round == 0 ? "1 2 ? " : "2 1 ? ");
    }
    for (int i = 0; i < 3; i++) close(fds[i]);
}

/* --- refusals --------------------------------------------------------------------------------- */

static void why_one_is_refused_is_told_until_it_is_over(void **state)
{
    struct fixture *f = *state;
    int fd = come_otherwise(f, "b:2"), again;

    assert_true(is_closed(f, fd));
    close(fd);
    assert_non_null(strstr(f->peers.refused, "the replica at b:2: durability is disk at b:2 and"));
    again = come(f, "c:3"); /* which says nothing of the other */
    assert_true(f->peers.refused[0] != '\0');
    close(again);
    again = come(f, "b:2");
    assert_string_equal(f->peers.refused, "");
    close(again);
    close(come_otherwise(f, "s:1"));
    assert_true(f->peers.refused[0] != '\0');
    close(come(f, "s:1"));
    assert_string_equal(f->peers.refused, "");

    close(come_otherwise(f, "b:2"));
    peers_sweep(&f->peers);
    assert_true(f->peers.refused[0] != '\0');
    f->peers.refused_ms -= 5001;
    peers_sweep(&f->peers);
    assert_string_equal(f->peers.refused, "");
}

/* Is it let in? */
static bool is_let_in(struct fixture *f, const struct wire_hello *hello)
{
    int fd = come_with(f, hello);
    bool is_in = !is_closed(f, fd);

    leave(f, fd);
    return is_in;
}

static void who_knows_no_group_lets_in_whom_it_may_be_in_one_with(void **state)
{
    struct fixture *f = *state;
    struct wire_hello hello = hello_of(f, "b:2");

    assert_true(is_let_in(f, &hello));
    hello.members.lo ^= 1;
    assert_false(is_let_in(f, &hello));
    hello.group.lo = 7; /* it may be moved there */
    assert_true(is_let_in(f, &hello));
    hello.group.lo = 0;
    hello.epoch++;
    assert_true(is_let_in(f, &hello));
    hello = hello_of(f, OURS);
    assert_false(is_let_in(f, &hello));
}

static void a_group_lets_in_others_but_no_member_that_is_told_otherwise(void **state)
{
    struct fixture *f = *state;
    struct node_identity ours;
    struct wire_hello hello = hello_of(f, "b:2");

    node_identity(f->hosted.node, &ours);
    assert_true(ours.group.lo != 0);
    hello.members.lo ^= 1;
    assert_true(is_let_in(f, &hello)); /* who waits to be a member */
    hello.group.lo = ours.group.lo ^ 1;
    assert_true(is_let_in(f, &hello)); /* the node tells it */
    hello.group = ours.group;
    assert_false(is_let_in(f, &hello));

    change(f, "b:2", NULL);
    hello.group = (struct vstamp_id){0};
    assert_false(is_let_in(f, &hello));
    hello.members = ours.members;
    assert_true(is_let_in(f, &hello));
    hello.group.lo = ours.group.lo ^ 1;
    assert_true(is_let_in(f, &hello));
}

/* --- dials ------------------------------------------------------------------------------------ */

static bool is_dialled(const struct fixture *f, uint8_t slot)
{
    return f->peers.slots[slot]->connection != NULL;
}

/* Who listens there, if anybody does, is no replica. */
#define LOWER  "127.0.0.1:1"
#define HIGHER "127.0.0.1:9"

static void members_dial_those_before_them_and_guests(void **state)
{
    struct fixture *f = *state;

    direct(f, (struct node_directory){.n_members = 2, .n_slots = 3, .self = 0,
                                      .addresses = {OURS, LOWER, HIGHER}});
    assert_false(is_due(f, 1) || is_due(f, 2)); /* nobody is dialled yet */
    peers_start(&f->peers);
    assert_false(is_dialled(f, 1));
    assert_true(is_dialled(f, 2));
    /* it may not know us */
    assert_in_range(uv_timer_get_due_in(&f->peers.slots[1]->timer), 1000, 1050);
}

static void who_is_no_member_dials_all(void **state)
{
    struct fixture *f = *state;

    direct(f, (struct node_directory){.n_members = 2, .n_slots = 2, .self = NOT_A_MEMBER,
                                      .addresses = {LOWER, HIGHER}});
    peers_start(&f->peers);
    assert_true(is_dialled(f, 0) && is_dialled(f, 1));
}

/* We dial the first of the two, who has not answered yet. */
static void dial(struct fixture *f, const char *address)
{
    direct(f, (struct node_directory){.n_members = 2, .n_slots = 2, .self = 1,
                                      .addresses = {address, OURS}});
    peers_start(&f->peers);
    assert_true(is_dialled(f, 0));
}

static void resolve(struct fixture *f)
{
    while (f->peers.places[0].resolving || f->peers.places[1].resolving ||
           f->peers.places[2].resolving)
        uv_run(&f->hosted.loop, UV_RUN_ONCE);
}

static void of_two_dials_that_of_the_lower_address_stands(void **state)
{
    struct fixture *f = *state;
    const struct connection *c;
    int fd;

    dial(f, HIGHER);
    c = f->peers.slots[0]->connection;
    fd = come(f, HIGHER);
    assert_story(f, "");
    assert_ptr_equal(f->peers.slots[0]->connection, c);
    assert_true(is_closed(f, fd));
    close(fd);
}

static void it_is_theirs_if_their_address_is_lower(void **state)
{
    struct fixture *f = *state;
    int fd;

    dial(f, LOWER);
    fd = come(f, LOWER);
    assert_story(f, "+0 ");
    resolve(f);
    assert_false(is_closed(f, fd));
    say(f, fd, a_frame());
    assert_story(f, "0 ");
    close(fd);
}

static void who_is_a_stranger_by_the_time_it_is_resolved_is_not_dialled(void **state)
{
    struct fixture *f = *state;
    int fd;

    dial(f, LOWER);
    fd = come(f, LOWER);
    change(f, "c:3", NULL);
    resolve(f);
    assert_false(is_closed(f, fd));
    f->story[0] = '\0';
    say(f, fd, a_frame());
    assert_story(f, "? ");
    close(fd);
}

/* Whom the group had among its members may never come, and is dialled seldom; once it is one again
 * it is dialled soon. */
static void who_is_a_member_again_is_dialled_soon(void **state)
{
    struct fixture *f = *state;
    struct node_directory d = {
        .n_members = 1, .n_slots = 2, .greets = true, .addresses = {OURS, "b:2"}};
    struct peer *peer;

    f->peers.started = true;
    peers_directory(&f->peers, &d);
    peer = f->peers.slots[1];
    for (int i = 0; i < 20; i++) {
        uv_timer_stop(&peer->timer);
        peers_directory(&f->peers, &d);
    }
    assert_int_equal(peer->backoff_ms, 60000);
    assert_in_range(uv_timer_get_due_in(&peer->timer), 29000, 60000);
    d.n_members = 2;
    peers_directory(&f->peers, &d);
    assert_in_range(uv_timer_get_due_in(&peer->timer), 1, 1050); /* it dials us, and is late */
}

static void who_was_there_is_dialled_soon_and_others_up_to_a_second_later(void **state)
{
    struct fixture *f = *state;
    struct node_directory d = {.n_members = 1, .n_slots = 2, .addresses = {OURS, "b:2"}};
    struct peer *peer = f->peers.slots[1];

    f->peers.started = true;
    for (int i = 0; i < 20; i++) {
        uv_timer_stop(&peer->timer);
        peers_directory(&f->peers, &d);
    }
    assert_int_equal(peer->backoff_ms, 1000); /* it is a guest, but was no member */
    leave(f, come(f, "b:2"));
    assert_int_equal(peer->backoff_ms, 100);
    assert_in_range(uv_timer_get_due_in(&peer->timer), 1, 50);
}

/* How often that event was logged. */
static unsigned n_logged(const struct fixture *f, const char *event)
{
    static char text[16384];
    unsigned n = 0;
    ssize_t size = pread(f->log.fd, text, sizeof text - 1, 0);

    assert_true(size >= 0);
    text[size] = '\0';
    for (const char *at = text; (at = strstr(at, event)) != NULL; at++) n++;
    return n;
}

static void who_is_not_reached_is_logged_once_unless_it_was_there(void **state)
{
    struct fixture *f = *state;
    struct peer *peer;

    f->log.fd = memfd_create("log", MFD_CLOEXEC);
    f->log.level = LOG_LEVEL_INFO;
    assert_true(f->log.fd >= 0);
    dial(f, LOWER);
    peer = f->peers.slots[0];
    while (peer->n_dials < 3) {
        peer->backoff_ms = 0; /* so that it is dialled again at once */
        uv_run(&f->hosted.loop, UV_RUN_ONCE);
    }
    assert_int_equal(n_logged(f, "event=peer-unreachable"), 1);
    leave(f, come(f, LOWER));
    assert_int_equal(n_logged(f, "event=peer-disconnected"), 1);
    while (peer->n_dials < 5) {
        peer->backoff_ms = 0;
        uv_run(&f->hosted.loop, UV_RUN_ONCE);
    }
    assert_int_equal(n_logged(f, "event=peer-unreachable"), 1);
    close(f->log.fd);
    f->log.level = LOG_LEVEL_ERROR;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(who_comes_is_met_heard_and_sent_to),
        TEST(who_goes_while_it_is_greeted_was_never_there),
        TEST(what_a_replica_does_not_read_is_dropped),
        TEST(who_comes_again_replaces_the_rest_of_itself),
        TEST(who_leaves_the_directory_is_a_stranger_and_may_be_a_peer_again),
        TEST(who_leaves_while_there_is_no_place_for_strangers_is_closed),
        TEST(a_stranger_that_goes_or_comes_again_leaves_its_place),
        TEST(a_stranger_has_an_address),
        TEST(an_answer_finds_the_stranger_who_asked_or_nobody),
        TEST(what_was_queued_for_a_peer_leaves_when_it_is_a_stranger),
        TEST(who_keeps_a_frame_unfinished_is_closed),
        TEST(who_was_held_is_fed_another_one_first_each_time),
        TEST(why_one_is_refused_is_told_until_it_is_over),
        TEST(who_knows_no_group_lets_in_whom_it_may_be_in_one_with),
        cmocka_unit_test_setup_teardown(a_group_lets_in_others_but_no_member_that_is_told_otherwise,
                                        set_up_group, tear_down),
        TEST(members_dial_those_before_them_and_guests),
        TEST(who_is_no_member_dials_all),
        TEST(of_two_dials_that_of_the_lower_address_stands),
        TEST(it_is_theirs_if_their_address_is_lower),
        TEST(who_is_a_stranger_by_the_time_it_is_resolved_is_not_dialled),
        TEST(who_is_a_member_again_is_dialled_soon),
        TEST(who_was_there_is_dialled_soon_and_others_up_to_a_second_later),
        TEST(who_is_not_reached_is_logged_once_unless_it_was_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

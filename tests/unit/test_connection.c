/* SPDX-License-Identifier: BSD-2-Clause */
/* A connection by itself: what comes and goes in pieces, who is held, and who keeps the other end
 * waiting.  That it is served well over the network is tested by tests/cli. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "certificates.h"
#include "hosted.h"
#include "kv/kv.h"
#include "wire/frame.h"

#define PATIENCE_MS 10000u    /* for the rest of a frame */
#define LARGE       (1u << 20) /* more than a socket takes */

struct fixture {
    struct hosted hosted;
    struct connection_owner owner, other;
    struct connection *c;
    int fd; /* the other end */
    unsigned n_frames, n_over;
    size_t n_bytes;
    struct tls *tls, *far_tls;   /* ours, */
    struct tls_stream *far;      /* and the other end's, with TLS */
    size_t n_received;           /* what that one was told */
    bool far_is_over;
    int refusal;  /* what a frame is answered with */
    bool is_slow; /* each frame, and each end, takes long */
    const char *reason;
    int error;
    bool failed_tls;
    uint8_t sent[2 * LARGE], received[2 * LARGE];
};

static void work(struct fixture *f)
{
    turn_begin(&f->hosted.turn);
    if (f->is_slow) f->hosted.turn.begun_us = 0;
}

static int on_frame(struct connection *c, struct bytes frame)
{
    struct fixture *f = c->owner->ctx;

    work(f);
    c->identified = true;
    f->n_frames++;
    f->n_bytes += frame.size;
    return f->refusal;
}

static void on_over(struct connection *c, const char *reason)
{
    struct fixture *f = c->owner->ctx;

    work(f);
    f->n_over++;
    f->reason = reason;
    f->error = c->error;
    f->failed_tls = c->failed_tls;
}

static void nothing(void *ctx)
{
    (void)ctx;
}

static void resume(void *ctx)
{
    struct fixture *f = ctx;

    if (f->c->held) connection_resume(f->c);
}

static struct connection *begin(struct fixture *f, int *fd)
{
    struct connection *c = hosted_connect(&f->hosted, &f->owner, fd);

    c->frame_max = LARGE;
    c->out_max = 2 * LARGE;
    connection_start(c);
    return c;
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    if (f == NULL) return -1;
    *state = f;
    const struct node_io io = {.send = hosted_ignore_frame, .log = hosted_ignore_log};
    hosted_configure(&f->hosted, 3);
    hosted_open(&f->hosted, kv_app(), &io, nothing, nothing, resume, f);
    f->owner = (struct connection_owner){.ctx = f,
                                         .turn = &f->hosted.turn,
                                         .share_max = TURN_BYTES_MAX,
                                         .read_buffer = f->hosted.read_buffer,
                                         .frame = on_frame,
                                         .over = on_over};
    f->other = f->owner;
    f->c = begin(f, &f->fd);
    for (size_t i = 0; i < sizeof f->sent; i++) f->sent[i] = (uint8_t)(i % 251);
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    hosted_close(&f->hosted);
    tls_stream_free(f->far);
    tls_close(f->far_tls);
    tls_close(f->tls);
    if (f->fd >= 0) close(f->fd);
    free(f);
    return 0;
}

/* --- in --------------------------------------------------------------------------------------- */

/* A frame with so many bytes of body. */
static struct bytes make_frame(struct fixture *f, size_t body)
{
    static uint8_t frame[LARGE];
    const struct wire_header header = {.sender = WIRE_SENDER_CLIENT};
    const struct wire_request request = {.body = {f->sent, body}};
    size_t size = wire_frame_encode(&header, &wire_shape_request, &request, frame, sizeof frame);

    assert_true(size > 0);
    return (struct bytes){frame, size};
}

static void say(struct fixture *f, int fd, struct bytes bytes)
{
    assert_int_equal(write(fd, bytes.data, bytes.size), bytes.size);
    hosted_run(&f->hosted);
}

/* As if the rest of its frame had been awaited for so much longer. */
static void let_wait(struct connection *c, uint64_t ms)
{
    if (c->partial_ms != 0) c->partial_ms -= ms;
}

static void frames_are_fed_whole_however_they_come(void **state)
{
    struct fixture *f = *state;
    struct bytes frame = make_frame(f, 6000); /* more than is kept of one that is not known */

    for (size_t i = 0; i < frame.size; i++) {
        assert_int_equal(f->n_frames, 0);
        say(f, f->fd, (struct bytes){frame.data + i, 1});
    }
    assert_int_equal(f->n_frames, 1);
    assert_null(f->c->in.data); /* an idle one holds no buffer */

    assert_int_equal(write(f->fd, frame.data, frame.size), frame.size);
    say(f, f->fd, (struct bytes){frame.data, 100});
    assert_int_equal(f->n_frames, 2);
    assert_int_equal(write(f->fd, frame.data + 100, frame.size - 100), frame.size - 100);
    assert_int_equal(f->n_bytes, 2 * frame.size);
    frame = make_frame(f, 3000);
    assert_int_equal(write(f->fd, frame.data, frame.size), frame.size);
    say(f, f->fd, frame);
    assert_int_equal(f->n_frames, 5);
    assert_int_equal(f->n_over, 0);
}

static void a_frame_that_is_refused_ends_it_with_what_is_behind_it(void **state)
{
    struct fixture *f = *state;
    struct bytes frame = make_frame(f, 10);

    f->refusal = VSTAMP_E_OTHER_GROUP;
    assert_int_equal(write(f->fd, frame.data, frame.size), frame.size);
    say(f, f->fd, frame);
    assert_int_equal(f->n_frames, 1);
    assert_int_equal(f->n_over, 1);
    assert_string_equal(f->reason, "one of the two refuses the other");
    assert_int_equal(f->error, VSTAMP_E_OTHER_GROUP);
}

static void who_says_nothing_or_half_of_a_first_frame_is_overdue(void **state)
{
    struct fixture *f = *state;
    struct bytes frame = make_frame(f, 10);

    assert_false(connection_is_overdue(f->c));
    let_wait(f->c, PATIENCE_MS / 2);
    say(f, f->fd, (struct bytes){frame.data, 20}); /* which gives it no more time */
    assert_false(connection_is_overdue(f->c));
    let_wait(f->c, PATIENCE_MS / 2);
    assert_true(connection_is_overdue(f->c));
    say(f, f->fd, (struct bytes){frame.data + 20, frame.size - 20});
    let_wait(f->c, PATIENCE_MS);
    assert_false(connection_is_overdue(f->c)); /* it may be silent for ever */
}

static void later_who_goes_on_is_not_overdue(void **state)
{
    struct fixture *f = *state;
    struct bytes frame = make_frame(f, 10);

    say(f, f->fd, frame);
    for (size_t i = 0; i < 20; i++) {
        say(f, f->fd, (struct bytes){frame.data + i, 1});
        let_wait(f->c, PATIENCE_MS / 2);
        assert_false(connection_is_overdue(f->c));
    }
    let_wait(f->c, PATIENCE_MS / 2);
    assert_true(connection_is_overdue(f->c));
}

/* --- held ------------------------------------------------------------------------------------- */

static void who_is_held_is_neither_read_nor_fed_nor_overdue(void **state)
{
    struct fixture *f = *state;
    struct bytes frame = make_frame(f, 10);

    f->owner.held = true;
    say(f, f->fd, (struct bytes){frame.data, 20});
    assert_true(f->c->held);
    assert_int_equal(f->owner.n_held, 1);
    let_wait(f->c, PATIENCE_MS);
    assert_false(connection_is_overdue(f->c));

    say(f, f->fd, (struct bytes){frame.data + 20, frame.size - 20});
    assert_int_equal(f->c->in.size, 20); /* the rest waits in the socket */
    connection_resume(f->c);
    assert_true(f->c->held); /* since its owner is */
    assert_int_equal(f->owner.n_held, 1);

    f->owner.held = false;
    connection_resume(f->c);
    assert_int_equal(f->owner.n_held, 0);
    assert_false(connection_is_overdue(f->c)); /* it was not its fault */
    hosted_run(&f->hosted);
    assert_int_equal(f->n_frames, 1);
}

static void who_is_held_counts_where_it_belongs(void **state)
{
    struct fixture *f = *state;

    connection_hold(f->c);
    connection_hold(f->c);
    assert_int_equal(f->owner.n_held, 1);
    connection_hand_over(f->c, &f->other);
    assert_int_equal(f->owner.n_held, 0);
    assert_int_equal(f->other.n_held, 1);
    connection_close(f->c, "");
    connection_close(f->c, "");
    assert_int_equal(f->other.n_held, 0);
    assert_int_equal(f->n_over, 1);
}

/* --- turns ------------------------------------------------------------------------------------ */

/* As much as the socket takes, in so few frames that nobody looks at the clock. */
static void fill(struct fixture *f, int fd)
{
    struct bytes frame = make_frame(f, 60000);

    while (write(fd, frame.data, frame.size) == (ssize_t)frame.size) continue;
}

static void nobody_reads_more_than_its_share_of_a_round(void **state)
{
    struct fixture *f = *state;
    struct bytes frame;
    size_t before;
    int fd;
    struct connection *c = begin(f, &fd);

    f->owner.share_max = CONNECTION_READ_SIZE;
    fill(f, fd);
    frame = make_frame(f, 2 * CONNECTION_READ_SIZE);
    say(f, f->fd, (struct bytes){frame.data, 100}); /* it would have room for all of it */
    say(f, f->fd, (struct bytes){frame.data + 100, frame.size - 100});
    assert_int_equal(f->c->share.bytes, CONNECTION_READ_SIZE);
    assert_in_range(c->share.bytes, CONNECTION_READ_SIZE, 2 * CONNECTION_READ_SIZE - 1);
    before = f->n_bytes;
    for (int i = 0; i < 2; i++) hosted_run(&f->hosted); /* the next ones */
    assert_true(f->n_bytes >= before + frame.size);
    close(fd);
}

static void a_full_turn_reads_no_more(void **state)
{
    struct fixture *f = *state;
    struct bytes frame;
    int fds[3];

    for (int i = 0; i < 3; i++) begin(f, &fds[i]);
    hosted_run(&f->hosted); /* from here on who says something first is heard first */
    for (int i = 0; i < 3; i++) fill(f, fds[i]);
    frame = make_frame(f, 10);
    say(f, f->fd, frame);
    assert_in_range(f->hosted.turn.fullest_bytes, TURN_BYTES_MAX,
                    TURN_BYTES_MAX + CONNECTION_READ_SIZE - 1);
    assert_int_equal(f->c->share.bytes, 0);
    for (int i = 0; i < 3; i++) hosted_run(&f->hosted);
    assert_int_equal(f->c->share.bytes, frame.size);
    for (int i = 0; i < 3; i++) close(fds[i]);
}

static void a_full_turn_feeds_no_more(void **state)
{
    struct fixture *f = *state;

    f->owner.held = true;
    say(f, f->fd, make_frame(f, 10));
    f->owner.held = false;
    turn_begin(&f->hosted.turn);
    f->hosted.turn.taken_bytes = TURN_BYTES_MAX;
    connection_resume(f->c);
    assert_true(f->c->held);
    assert_int_equal(f->n_frames, 0);
    for (int i = 0; i < 2; i++) hosted_run(&f->hosted);
    assert_int_equal(f->n_frames, 1);
}

#define LOOK 16u /* frames, or ends, between two looks at the clock */

static void a_turn_that_takes_long_feeds_no_more(void **state)
{
    struct fixture *f = *state;
    struct bytes frame = make_frame(f, 10);

    f->is_slow = true;
    for (unsigned i = 0; i < LOOK + 4; i++)
        assert_int_equal(write(f->fd, frame.data, frame.size), frame.size);
    hosted_run(&f->hosted);
    assert_int_equal(f->n_frames, LOOK);
    hosted_run(&f->hosted);
    assert_int_equal(f->n_frames, LOOK + 4);
}

static void thousands_may_end_at_once(void **state)
{
    struct fixture *f = *state;
    int fds[LOOK + 4];

    f->is_slow = true;
    for (unsigned i = 0; i < LOOK + 4; i++) begin(f, &fds[i]);
    for (unsigned i = 0; i < LOOK + 4; i++) close(fds[i]);
    hosted_run(&f->hosted);
    assert_int_equal(f->n_over, LOOK);
    hosted_run(&f->hosted);
    assert_int_equal(f->n_over, LOOK + 4);
}

/* --- out -------------------------------------------------------------------------------------- */

static void utter(struct fixture *f, size_t from, size_t size)
{
    assert_true(connection_send(f->c, (struct bytes){f->sent + from, size}));
    connection_flush(f->c);
}

static void what_gathers_while_a_write_takes_long_follows_it(void **state)
{
    struct fixture *f = *state;

    utter(f, 0, LARGE);
    assert_true(f->c->write_busy);
    utter(f, LARGE, 100);
    utter(f, LARGE + 100, LARGE / 2);
    assert_int_equal(hosted_receive(&f->hosted, f->fd, f->received, sizeof f->received),
                     LARGE + 100 + LARGE / 2);
    assert_memory_equal(f->received, f->sent, LARGE + 100 + LARGE / 2);
    assert_false(f->c->write_busy);
    assert_null(f->c->writing.data);
}

static void what_the_socket_does_not_take_at_all_leaves_later(void **state)
{
    struct fixture *f = *state;
    size_t before = 0;
    uv_os_fd_t fd;
    ssize_t n;

    assert_int_equal(uv_fileno((uv_handle_t *)&f->c->tcp, &fd), 0);
    while ((n = write(fd, f->sent, LARGE)) > 0) before += (size_t)n;
    utter(f, 0, 100);
    assert_int_equal(f->n_over, 0);
    assert_int_equal(hosted_receive(&f->hosted, f->fd, f->received, sizeof f->received),
                     before + 100);
    assert_memory_equal(f->received + before, f->sent, 100);
}

static void what_waits_for_the_socket_counts_against_the_bound(void **state)
{
    struct fixture *f = *state;

    f->c->out_max = LARGE + 100;
    utter(f, 0, LARGE);
    assert_false(connection_send(f->c, (struct bytes){f->sent, 101}));
    utter(f, LARGE, 100);
    assert_false(connection_send(f->c, (struct bytes){f->sent, 1}));
    assert_int_equal(hosted_receive(&f->hosted, f->fd, f->received, sizeof f->received),
                     LARGE + 100);
    utter(f, 0, LARGE);
}

static void what_was_sent_leaves_no_large_buffer(void **state)
{
    struct fixture *f = *state;

    utter(f, 0, 100);
    assert_non_null(f->c->out.data);
    utter(f, 0, 100u << 10);
    assert_null(f->c->out.data);
    assert_int_equal(hosted_receive(&f->hosted, f->fd, f->received, sizeof f->received),
                     100 + (100u << 10));
}

static void a_write_that_fails_ends_it_whether_it_took_long_or_not(void **state)
{
    struct fixture *f = *state;

    connection_hold(f->c); /* so that it does not read that the other end is gone */
    utter(f, 0, LARGE);
    close(f->fd);
    hosted_run(&f->hosted);
    assert_int_equal(f->n_over, 1);
    assert_string_equal(f->reason, uv_strerror(UV_EPIPE));

    f->c = begin(f, &f->fd);
    close(f->fd);
    f->fd = -1;
    utter(f, 0, 100);
    assert_int_equal(f->n_over, 2);
    assert_false(connection_send(f->c, (struct bytes){f->sent, 1}));
}

/* --- TLS -------------------------------------------------------------------------------------- */

/* In place of the one that is there, a connection over TLS with who has this folder, and to whom we
 * have dialled `host`, or NULL. */
static void begin_sealed(struct fixture *f, const char *folder, const char *host)
{
    connection_discard(f->c);
    close(f->fd);
    f->tls = open_folder("replica");
    f->far_tls = open_folder(folder);
    f->far = host != NULL ? tls_accept(f->far_tls) : tls_dial(f->far_tls, "127.0.0.1");
    f->c = hosted_connect_over(&f->hosted, &f->owner, f->tls, host, &f->fd);
    f->c->frame_max = LARGE;
    f->c->out_max = 2 * LARGE;
    connection_start(f->c);
    connection_flush(f->c); /* who dials has the first word */
}

static void accept_sealed(struct fixture *f, const char *folder)
{
    begin_sealed(f, folder, NULL);
}

/* At most so many bytes go from the other end to us.  False: it had none, or we do not read. */
static bool hear(struct fixture *f, size_t piece)
{
    struct bytes out = tls_output(f->far);
    ssize_t n = out.size > 0 ? write(f->fd, out.data, out.size < piece ? out.size : piece) : 0;

    if (n > 0) tls_sent(f->far, (size_t)n);
    hosted_run(&f->hosted);
    return n > 0;
}

/* What has been sent to the other end, which opens it. */
static bool tell(struct fixture *f)
{
    static uint8_t sealed[4096];
    ssize_t opened = 0, n = read(f->fd, sealed, sizeof sealed);

    if (n <= 0) return false;
    tls_input(f->far, (struct bytes){sealed, (size_t)n});
    while (!f->far_is_over &&
           (opened = tls_read(f->far, f->received + f->n_received, TLS_RECORD_SIZE)) > 0)
        f->n_received += (size_t)opened;
    if (opened < 0) f->far_is_over = true;
    return true;
}

/* Until nothing is on its way any more. */
static void exchange(struct fixture *f, size_t piece)
{
    while (hear(f, piece) || tell(f)) continue;
}

static void seal(struct fixture *f, struct bytes bytes)
{
    assert_int_equal(tls_write(f->far, bytes), bytes.size);
}

static void sealed_frames_are_fed_whole_however_they_come(void **state)
{
    static const size_t pieces[] = {1, 1000, SIZE_MAX};
    struct fixture *f = *state;
    struct bytes frame = make_frame(f, 60000); /* some records */

    accept_sealed(f, "client");
    exchange(f, 100);
    for (unsigned i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
        seal(f, (struct bytes){frame.data, 100});
        seal(f, (struct bytes){frame.data + 100, frame.size - 100});
        seal(f, frame);
        seal(f, (struct bytes){frame.data, 300}); /* the beginning of one that comes later */
        exchange(f, pieces[i]);
        assert_int_equal(f->c->in.size, 300);
        assert_int_equal(f->n_frames, 3 * i + 2);
        seal(f, (struct bytes){frame.data + 300, frame.size - 300});
        exchange(f, pieces[i]);
        assert_int_equal(f->n_frames, 3 * i + 3);
        assert_null(f->c->in.data);
    }
    assert_int_equal(f->n_bytes, 9 * frame.size);
    assert_int_equal(f->n_over, 0);
}

static void what_was_opened_waits_for_who_is_held(void **state)
{
    struct fixture *f = *state;
    struct bytes frame = make_frame(f, 6000);

    accept_sealed(f, "client");
    exchange(f, SIZE_MAX);
    f->owner.held = true;
    for (int i = 0; i < 4; i++) seal(f, frame);
    exchange(f, SIZE_MAX);
    assert_int_equal(f->n_frames, 0);
    assert_int_equal(f->c->in.size, 4 * frame.size);
    f->owner.held = false;
    connection_resume(f->c);
    assert_int_equal(f->n_frames, 4);
}

static void what_is_said_before_the_certificates_leaves_behind_them(void **state)
{
    struct fixture *f = *state;

    accept_sealed(f, "client");
    utter(f, 0, 100);
    assert_int_equal(f->c->out.size, 100);
    exchange(f, 100);
    utter(f, 100, LARGE); /* more than the socket takes */
    assert_true(f->c->write_busy);
    utter(f, 100 + LARGE, 100);
    utter(f, 200 + LARGE, 100);
    exchange(f, SIZE_MAX);
    assert_int_equal(f->n_received, 300 + LARGE);
    assert_memory_equal(f->received, f->sent, f->n_received);
    assert_int_equal(f->c->out.size, 0);
    assert_null(f->c->writing.data);
    assert_int_equal(tls_output(f->c->tls).size, 0);
}

static void who_is_not_let_in_is_told_why(void **state)
{
    struct fixture *f = *state;

    accept_sealed(f, "stranger");
    exchange(f, SIZE_MAX);
    assert_int_equal(f->n_over, 1);
    assert_non_null(strstr(f->reason, "its certificate is not to be believed"));
    assert_true(f->failed_tls);
    assert_true(f->far_is_over);
    assert_string_equal(tls_why(f->far), "it does not take our certificate: unknown CA");
}

static void who_dials_says_whom(void **state)
{
    struct fixture *f = *state;

    begin_sealed(f, "replica", "127.0.0.1");
    exchange(f, SIZE_MAX);
    seal(f, make_frame(f, 10));
    exchange(f, SIZE_MAX);
    assert_int_equal(f->n_frames, 1);
    connection_close(f->c, "");
    close(f->fd);
    f->c = begin(f, &f->fd);
    tls_stream_free(f->far);
    tls_close(f->far_tls);
    tls_close(f->tls);
    begin_sealed(f, "replica", "127.0.0.2");
    exchange(f, SIZE_MAX);
    assert_int_equal(f->n_over, 2);
    assert_non_null(strstr(f->reason, "IP address mismatch"));
}

static void what_breaks_later_is_not_about_being_let_in(void **state)
{
    struct fixture *f = *state;

    accept_sealed(f, "client");
    exchange(f, SIZE_MAX);
    seal(f, make_frame(f, 10));
    exchange(f, SIZE_MAX);
    say(f, f->fd, bytes_of("something else than a record"));
    assert_int_equal(f->n_over, 1);
    assert_ptr_equal(strstr(f->reason, "TLS: "), f->reason);
    assert_false(f->failed_tls);
}

static void a_sealed_frame_that_is_none_is_not_about_tls(void **state)
{
    struct fixture *f = *state;
    const uint8_t hello[64] = {22, 3, 1};

    accept_sealed(f, "client");
    exchange(f, SIZE_MAX);
    seal(f, (struct bytes){hello, sizeof hello});
    seal(f, make_frame(f, 10));
    exchange(f, SIZE_MAX);
    assert_int_equal(f->n_over, 1);
    assert_int_equal(f->n_frames, 0);
    assert_string_equal(f->reason, "damaged frame");
    assert_false(f->failed_tls);
}

static void a_sealed_write_that_fails_ends_it(void **state)
{
    struct fixture *f = *state;

    accept_sealed(f, "client");
    exchange(f, SIZE_MAX);
    close(f->fd);
    f->fd = -1;
    utter(f, 0, 100);
    assert_int_equal(f->n_over, 1);
    assert_string_equal(f->reason, uv_strerror(UV_EPIPE));
    assert_int_equal(f->c->writing.size, 0);
}

#define KNOCKS  20u
#define GREETED 4u /* of them in a turn */

static unsigned n_greeted(const int fds[static KNOCKS])
{
    unsigned n = 0;
    uint8_t first;

    for (unsigned i = 0; i < KNOCKS; i++) n += recv(fds[i], &first, 1, MSG_PEEK) == 1;
    return n;
}

static void who_is_there_does_not_wait_for_all_that_knock(void **state)
{
    struct fixture *f = *state;
    int fds[KNOCKS];

    accept_sealed(f, "client");
    exchange(f, SIZE_MAX);
    for (unsigned i = 0; i < KNOCKS; i++)
        connection_start(hosted_connect_over(&f->hosted, &f->owner, f->tls, NULL, &fds[i]));
    hosted_run(&f->hosted); /* from here on who says something first is heard first */
    for (unsigned i = 0; i < KNOCKS; i++) {
        struct tls_stream *knocker = tls_dial(f->far_tls, "127.0.0.1");
        struct bytes hello = tls_output(knocker);
        assert_int_equal(write(fds[i], hello.data, hello.size), hello.size);
        tls_stream_free(knocker);
    }
    seal(f, make_frame(f, 10));
    hear(f, SIZE_MAX);
    assert_int_equal(f->n_frames, 1);
    assert_int_equal(n_greeted(fds), GREETED);
    while (n_greeted(fds) < KNOCKS) hosted_run(&f->hosted);
    for (unsigned i = 0; i < KNOCKS; i++) close(fds[i]);
}

static void who_speaks_tls_where_there_is_none_is_known_by_it(void **state)
{
    struct fixture *f = *state;
    const uint8_t hello[64] = {22, 3, 1};

    say(f, f->fd, (struct bytes){hello, sizeof hello});
    assert_int_equal(f->n_over, 1);
    assert_true(f->failed_tls);
    assert_string_equal(f->reason, "it speaks TLS, and tls is not set here");

    close(f->fd);
    f->c = begin(f, &f->fd);
    say(f, f->fd, (struct bytes){hello, 5}); /* and gives up */
    close(f->fd);
    f->fd = -1;
    hosted_run(&f->hosted);
    assert_int_equal(f->n_over, 2);
    assert_true(f->failed_tls);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(frames_are_fed_whole_however_they_come),
        TEST(a_frame_that_is_refused_ends_it_with_what_is_behind_it),
        TEST(who_says_nothing_or_half_of_a_first_frame_is_overdue),
        TEST(later_who_goes_on_is_not_overdue),
        TEST(who_is_held_is_neither_read_nor_fed_nor_overdue),
        TEST(who_is_held_counts_where_it_belongs),
        TEST(nobody_reads_more_than_its_share_of_a_round),
        TEST(a_full_turn_reads_no_more),
        TEST(a_full_turn_feeds_no_more),
        TEST(a_turn_that_takes_long_feeds_no_more),
        TEST(thousands_may_end_at_once),
        TEST(what_gathers_while_a_write_takes_long_follows_it),
        TEST(what_the_socket_does_not_take_at_all_leaves_later),
        TEST(what_waits_for_the_socket_counts_against_the_bound),
        TEST(what_was_sent_leaves_no_large_buffer),
        TEST(a_write_that_fails_ends_it_whether_it_took_long_or_not),
        TEST(sealed_frames_are_fed_whole_however_they_come),
        TEST(what_was_opened_waits_for_who_is_held),
        TEST(what_is_said_before_the_certificates_leaves_behind_them),
        TEST(who_is_not_let_in_is_told_why),
        TEST(who_dials_says_whom),
        TEST(what_breaks_later_is_not_about_being_let_in),
        TEST(a_sealed_frame_that_is_none_is_not_about_tls),
        TEST(a_sealed_write_that_fails_ends_it),
        TEST(who_is_there_does_not_wait_for_all_that_knock),
        TEST(who_speaks_tls_where_there_is_none_is_known_by_it),
    };
    return cmocka_run_group_tests(tests, make_folders, remove_folders);
}

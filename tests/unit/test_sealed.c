/* SPDX-License-Identifier: BSD-2-Clause */
/* A connection over TLS: what comes and goes in pieces, who is not let in, and what either end is
 * told about it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "certificates.h"
#include "connected.h"

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

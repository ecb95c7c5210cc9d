/* SPDX-License-Identifier: BSD-2-Clause */
/* A connection of the driver over TLS, by itself: the replica is played by the test, on a socket of
 * its own.  How it finds a host's addresses is tested by test_driver. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

#include "certificates.h"
#include "driver/link.h"

#define LARGE       (16u << 20) /* more than a socket takes */
#define PATIENCE_MS 20000

static struct link l;
static struct tls *near_tls, *far_tls;
static int listener, fd; /* fd: the other end */
static struct tls_stream *far;
static uint8_t *heard;
static size_t n_heard;
static bool far_is_over;
static size_t piece; /* of what it sends, at most */

/* --- two ends --------------------------------------------------------------------------------- */

static void listen_on_loopback(struct address *at)
{
    struct sockaddr_in place = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof place;
    char text[32];

    listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&place, size), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&place, &size), 0);
    snprintf(text, sizeof text, "127.0.0.1:%u", (unsigned)ntohs(place.sin_port));
    assert_int_equal(address_parse(at, text, NULL), 0);
}

/* Connect, and accept it: with TLS at an end that has a folder. */
static void meet(const char *near_folder, const char *far_folder)
{
    struct address at;
    struct pollfd wait = {.events = POLLOUT};

    listen_on_loopback(&at);
    near_tls = near_folder != NULL ? open_folder(near_folder) : NULL;
    far_tls = far_folder != NULL ? open_folder(far_folder) : NULL;
    far = far_folder != NULL ? tls_accept(far_tls) : NULL;
    heard = malloc(LARGE + TLS_RECORD_SIZE);
    n_heard = 0;
    far_is_over = false;
    piece = SIZE_MAX;
    link_init(&l, &at, near_tls, "words");
    assert_int_equal(link_begin(&l), 0);
    fd = accept(listener, NULL, NULL);
    assert_true(fd >= 0);
    assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    wait.fd = l.fd;
    assert_int_equal(poll(&wait, 1, PATIENCE_MS), 1);
    if (l.state == LINK_CONNECTING) assert_int_equal(link_finish(&l), 0);
    assert_int_equal(l.state, near_folder != NULL ? LINK_SECURING : LINK_UP);
}

static void part(void)
{
    link_release(&l);
    tls_stream_free(far);
    tls_close(far_tls);
    tls_close(near_tls);
    free(heard);
    close(listener);
    if (fd >= 0) close(fd);
}

/* The other end takes what has come, and sends some of what it has. */
static void turn(void)
{
    static uint8_t sealed[8192];

    if (far == NULL) return;
    ssize_t n = read(fd, sealed, sizeof sealed), opened = 0, sent = 0;

    if (n > 0) tls_input(far, (struct bytes){sealed, (size_t)n});
    while (n > 0 && !far_is_over && (opened = tls_read(far, heard + n_heard, TLS_RECORD_SIZE)) > 0)
        n_heard += (size_t)opened;
    if (opened < 0) far_is_over = true;
    struct bytes out = tls_output(far);
    if (out.size > piece) out.size = piece;
    if (out.size > 0) sent = send(fd, out.data, out.size, MSG_NOSIGNAL);
    if (sent > 0) tls_sent(far, (size_t)sent);
}

/* Until it is up, and the other end, too, or has failed; or how it failed itself. */
static int rise(void)
{
    struct pollfd wait = {.fd = l.fd, .events = POLLIN};
    int error = 0;

    while (error == 0 && l.state == LINK_SECURING) {
        turn();
        if (poll(&wait, 1, 0) == 1) error = link_finish(&l);
    }
    while (error == 0 && !far_is_over && !tls_is_up(far)) turn();
    return error;
}

/* It reads until it holds so many bytes (EAGAIN), or is over. */
static int receive(size_t size)
{
    struct pollfd wait = {.fd = l.fd, .events = POLLIN};
    int error = EAGAIN;

    while (error == EAGAIN && l.in_size - l.in_used < size) {
        turn();
        if (poll(&wait, 1, 0) == 1) error = link_receive(&l);
    }
    return error;
}

/* --- tests ------------------------------------------------------------------------------------ */

static uint8_t pattern(size_t i)
{
    return (uint8_t)(i * 7 + i / 251);
}

static void what_it_writes_arrives_whole_however_much_the_socket_takes(void **state)
{
    (void)state;
    meet("client", "replica");
    piece = 100;
    assert_int_equal(rise(), 0);
    assert_true(tls_is_up(l.stream));
    for (int again = 0; again < 2; again++) {
        n_heard = 0;
        assert_true(link_make_out_room(&l, LARGE));
        for (size_t i = 0; i < LARGE; i++) l.out[i] = pattern(i);
        l.out_size = LARGE;
        assert_int_equal(link_flush(&l), EAGAIN);
        assert_true(link_waits_to_write(&l));
        while (link_flush(&l) == EAGAIN) turn();
        while (n_heard < LARGE) turn();
        assert_false(link_waits_to_write(&l));
        assert_int_equal(n_heard, LARGE);
        for (size_t i = 0; i < LARGE; i++) assert_int_equal(heard[i], pattern(i));
    }
    assert_int_equal(l.out_size, 0);
    part();
}

static void what_it_reads_is_opened_to_its_end(void **state)
{
    static uint8_t said[300u << 10]; /* many records */

    (void)state;
    meet("client", "replica");
    assert_int_equal(rise(), 0);
    for (size_t i = 0; i < sizeof said; i++) said[i] = pattern(i);
    for (size_t again = 1; again <= 2; again++) {
        assert_int_equal(tls_write(far, (struct bytes){said, sizeof said}), sizeof said);
        assert_int_equal(receive(again * sizeof said), EAGAIN);
        assert_int_equal(l.in_size, again * sizeof said);
        assert_memory_equal(l.in + (again - 1) * sizeof said, said, sizeof said);
    }
    l.in_used = l.in_size; /* which makes room */
    assert_int_equal(tls_write(far, bytes_of("more")), 4);
    assert_int_equal(receive(4), EAGAIN);
    assert_int_equal(l.in_size, 4);
    assert_memory_equal(l.in, "more", 4);
    l.in_used = l.in_size;
    assert_int_equal(tls_write(far, bytes_of("\26\3\1")), 3); /* TLS within TLS is none of ours */
    assert_int_equal(receive(3), EAGAIN);
    assert_int_equal(shutdown(fd, SHUT_WR), 0);
    assert_int_equal(receive(SIZE_MAX), 0);
    assert_false(l.is_barred);
    part();
}

static void who_does_not_take_our_certificate_is_told_apart(void **state)
{
    (void)state;
    meet("stranger", "replica");
    assert_int_equal(rise(), 0); /* a client learns of it by the first answer */
    assert_int_equal(receive(SIZE_MAX), EPROTO);
    assert_true(l.is_barred);
    link_close(&l, EPROTO);
    assert_string_equal(link_explain(&l), "it does not take our certificate: unknown CA");
    assert_null(l.stream);
    part();
}

static void who_writes_to_it_afterwards_learns_the_same(void **state)
{
    (void)state;
    meet("stranger", "replica");
    assert_int_equal(rise(), 0);
    assert_int_equal(receive(SIZE_MAX), EPROTO);
    assert_true(link_make_out_room(&l, 1));
    l.out[0] = 'x';
    l.out_size = 1;
    l.is_barred = false;
    l.why[0] = '\0';
    assert_int_equal(link_flush(&l), EPROTO);
    assert_true(l.is_barred);
    assert_string_equal(l.why, "it does not take our certificate: unknown CA");
    part();
}

static void who_is_another_than_was_dialled_is_told_so(void **state)
{
    (void)state;
    meet("client", "elsewhere");
    assert_int_equal(rise(), EPROTO);
    assert_false(l.is_barred);
    link_close(&l, EPROTO);
    assert_string_equal(link_explain(&l),
                        "its certificate is not to be believed: IP address mismatch");
    while (!far_is_over) turn(); /* else it would be silent */
    assert_string_equal(tls_why(far), "it does not take our certificate: bad certificate");
    part();
}

static void one_end_alone_has_tls(void **state)
{
    static const uint8_t alert[] = {21, 3, 3, 0, 2, 2, 70};
    struct pollfd wait = {.events = POLLIN};
    uint8_t hello[4096];

    (void)state;
    meet("client", NULL);
    wait.fd = fd;
    assert_int_equal(poll(&wait, 1, PATIENCE_MS), 1);
    assert_true(recv(fd, hello, sizeof hello, 0) > 0);
    assert_int_equal(shutdown(fd, SHUT_WR), 0);
    assert_int_equal(rise(), EPROTO);
    assert_false(l.is_barred);
    link_close(&l, EPROTO);
    assert_string_equal(link_explain(&l), "closed the connection when TLS began: has it tls, too?");
    part();

    meet(NULL, NULL);
    assert_int_equal(send(fd, alert, sizeof alert, 0), sizeof alert);
    assert_int_equal(shutdown(fd, SHUT_WR), 0);
    assert_int_equal(receive(SIZE_MAX), EPROTO);
    assert_true(l.is_barred);
    link_close(&l, EPROTO);
    assert_string_equal(link_explain(&l),
                        "it speaks TLS: name a folder with a certificate for you, by words");
    part();

    meet(NULL, NULL); /* the end of one where neither has */
    assert_int_equal(shutdown(fd, SHUT_WR), 0);
    assert_int_equal(receive(SIZE_MAX), 0);
    assert_false(l.is_barred);
    part();
}

static void files_that_were_replaced_count_for_the_next_connection(void **state)
{
    (void)state;
    write_folder("renewed", &theirs, CLIENT, NULL, 10, &ours);
    meet("renewed", "replica");
    assert_int_equal(rise(), 0);
    assert_int_equal(receive(SIZE_MAX), EPROTO);
    link_close(&l, EPROTO);
    write_folder("renewed", &ours, CLIENT, NULL, 10, &ours);
    close(fd);
    tls_stream_free(far);
    far = tls_accept(far_tls);
    far_is_over = false;
    assert_int_equal(link_begin(&l), 0);
    fd = accept(listener, NULL, NULL);
    assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    if (l.state == LINK_CONNECTING) assert_int_equal(link_finish(&l), 0);
    assert_int_equal(rise(), 0);
    assert_false(far_is_over);
    part();
}

static int make_all_folders(void **state)
{
    int rv = make_folders(state);

    if (rv == 0) write_folder("elsewhere", &ours, SERVER, "IP:127.0.0.2", 10, &ours);
    return rv;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_it_writes_arrives_whole_however_much_the_socket_takes),
        cmocka_unit_test(what_it_reads_is_opened_to_its_end),
        cmocka_unit_test(who_does_not_take_our_certificate_is_told_apart),
        cmocka_unit_test(who_writes_to_it_afterwards_learns_the_same),
        cmocka_unit_test(who_is_another_than_was_dialled_is_told_so),
        cmocka_unit_test(one_end_alone_has_tls),
        cmocka_unit_test(files_that_were_replaced_count_for_the_next_connection),
    };
    alarm(60); /* for what waits in vain */
    return cmocka_run_group_tests(tests, make_all_folders, remove_folders);
}

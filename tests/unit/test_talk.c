/* SPDX-License-Identifier: BSD-2-Clause */
/* A connection to one replica, where the system does not do what it is asked for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <netinet/in.h>

#include <cmocka.h>
#include <vstamp/client.h>

#include "admin/talk.h"

#define TIMEOUT_MS 20000u

/* Listens, and says nothing. */
static int listen_at(struct address *address)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof at;
    char text[32];
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(fd, 1), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &size), 0);
    snprintf(text, sizeof text, "127.0.0.1:%u", ntohs(at.sin_port));
    assert_int_equal(address_parse(address, text, NULL), 0);
    return fd;
}

/* poll(2) refuses more descriptors than the process may have open. */
static void what_cannot_be_waited_for_is_not_asked_for_again_and_again(void **state)
{
    struct address address;
    struct vstamp_diag diag = {0};
    struct rlimit before, none;
    struct bytes frame;
    (void)state;
    int fd = listen_at(&address);
    struct talk *talk = talk_open(&address, NULL, -1, TIMEOUT_MS, &diag);
    assert_non_null(talk);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = before;
    none.rlim_cur = 0;
    uint64_t began_ms = vstamp_driver_now_ms();
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    int rv = talk_receive(talk, TIMEOUT_MS, &frame, &diag);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(rv, VSTAMP_E_IO);
    assert_string_equal(diag.text, "it cannot be waited for: Invalid argument");
    assert_true(vstamp_driver_now_ms() - began_ms < TIMEOUT_MS / 2);
    talk_close(talk);
    close(fd);
}

static void who_says_nothing_is_waited_for_as_long_as_was_said(void **state)
{
    struct address address;
    struct vstamp_diag diag = {0};
    struct bytes frame;
    (void)state;
    int fd = listen_at(&address);
    struct talk *talk = talk_open(&address, NULL, -1, TIMEOUT_MS, &diag);
    assert_non_null(talk);
    uint64_t began_ms = vstamp_driver_now_ms();
    assert_int_equal(talk_receive(talk, 50, &frame, &diag), VSTAMP_E_IO);
    assert_string_equal(diag.text, "no answer in time");
    assert_true(vstamp_driver_now_ms() - began_ms >= 50);
    talk_close(talk);
    close(fd);
}

static void who_is_to_stop_waits_no_longer(void **state)
{
    struct address address;
    struct vstamp_diag diag = {0};
    struct bytes frame;
    (void)state;
    int fd = listen_at(&address), stop_fd = eventfd(0, EFD_CLOEXEC);
    struct talk *talk = talk_open(&address, NULL, stop_fd, TIMEOUT_MS, &diag);
    assert_non_null(talk);
    assert_int_equal(eventfd_write(stop_fd, 1), 0);
    uint64_t began_ms = vstamp_driver_now_ms();
    assert_int_equal(talk_receive(talk, TIMEOUT_MS, &frame, &diag), VSTAMP_E_IO);
    assert_string_equal(diag.text, "interrupted");
    assert_true(vstamp_driver_now_ms() - began_ms < TIMEOUT_MS / 2);
    talk_close(talk);
    close(stop_fd);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_cannot_be_waited_for_is_not_asked_for_again_and_again),
        cmocka_unit_test(who_says_nothing_is_waited_for_as_long_as_was_said),
        cmocka_unit_test(who_is_to_stop_waits_no_longer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

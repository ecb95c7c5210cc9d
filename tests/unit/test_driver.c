/* SPDX-License-Identifier: BSD-2-Clause */
/* What the driver says: of a configuration that makes no sense, of too many calls, and of replicas.
 * The one replica is played by the test, on a socket of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <vstamp/client.h>

#include "vr/client_table.h"
#include "wire/frame.h"

enum { TIMEOUT_MS = 20000 };

static int listener;
static char address[32];

static int listen_on_loopback(void **state)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof at;
    (void)state;
    listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&at, size), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&at, &size), 0);
    snprintf(address, sizeof address, "127.0.0.1:%u", (unsigned)ntohs(at.sin_port));
    return 0;
}

static int close_listener(void **state)
{
    (void)state;
    return close(listener);
}

static void on_reply(void *context, const struct vstamp_reply *reply)
{
    int *err = context;
    *err = reply->err;
}

/* The next request, which is a read; it is answered by itself. */
static void answer_one(int connection)
{
    static uint8_t in[4096], out[4096];
    struct wire_message m;
    size_t size = 0, frame = 0;
    while (size == 0 || size < frame) {
        ssize_t n = recv(connection, in + size, sizeof in - size, 0);
        assert_true(n > 0);
        size += (size_t)n;
        if (wire_frame_size((struct bytes){in, size}, sizeof in, &frame) != 0) frame = sizeof in;
    }
    assert_int_equal(wire_frame_decode((struct bytes){in, frame}, &m), 0);
    const struct wire_request *request = &m.as.request;
    struct wire_header header = {.group = {1, 2}, .sender = 0};
    struct wire_reply reply = {.client = request->client,
                               .session = request->session,
                               .number = request->number,
                               .request = client_table_request(request->session, request->body),
                               .op = 1,
                               .body = request->body};
    size = wire_frame_encode(&header, &wire_shape_reply, &reply, out, sizeof out);
    assert_int_equal(send(connection, out, size, 0), size);
}

static void a_number_of_calls_has_a_default_and_a_bound(void **state)
{
    struct vstamp_driver *driver;
    struct vstamp_diag diag = {0};
    struct vstamp_client_config config = {.application = "counter"};
    (void)state;
    assert_int_equal(vstamp_driver_open(&driver, address, &config, &diag), 0);
    assert_int_equal(vstamp_client_room(vstamp_driver_client(driver)), 1);
    vstamp_driver_close(driver);
    config.in_flight = VSTAMP_IN_FLIGHT_MAX + 1;
    assert_int_equal(vstamp_driver_open(&driver, address, &config, &diag), VSTAMP_E_CONFIG);
    assert_string_equal(diag.text, "in_flight is 65537: at most 65536 calls may be at a time");
    assert_null(driver);
}

static void a_question_beside_all_calls_in_flight_is_told_so(void **state)
{
    struct vstamp_driver *driver;
    struct vstamp_reply reply;
    int err = 0;
    (void)state;
    assert_int_equal(vstamp_driver_open(&driver, address, NULL, NULL), 0);
    assert_int_equal(vstamp_driver_call(driver, VSTAMP_READ_STALE, "x", 1, TIMEOUT_MS, on_reply,
                                        &err), 0);
    assert_int_equal(vstamp_driver_ask(driver, VSTAMP_READ_STALE, "y", 1, TIMEOUT_MS, &reply),
                     VSTAMP_E_IN_FLIGHT);
    assert_int_equal(reply.err, VSTAMP_E_IN_FLIGHT);
    assert_false(reply.may_have_run);
    assert_non_null(strstr(vstamp_err_text(reply.err), "in flight"));
    vstamp_driver_close(driver);
}

/* The driver asks something; the connection over which it does, once it is accepted. */
static int ask_and_accept(struct vstamp_driver **driver, int *err)
{
    assert_int_equal(vstamp_driver_open(driver, address, NULL, NULL), 0);
    assert_int_equal(vstamp_driver_call(*driver, VSTAMP_READ_STALE, "x", 1, TIMEOUT_MS, on_reply,
                                        err), 0);
    vstamp_driver_wait(*driver, 0); /* connects */
    int connection = accept(listener, NULL, NULL);
    assert_true(connection >= 0);
    return connection;
}

static void says_of_a_replica_what_it_does(void **state)
{
    struct vstamp_driver *driver;
    char text[128], expected[128];
    int err = 1;
    (void)state;
    int connection = ask_and_accept(&driver, &err);
    while (err > 0) {
        vstamp_driver_explain(driver, text, sizeof text);
        if (strstr(text, "no answer") != NULL) answer_one(connection);
        assert_int_equal(vstamp_driver_wait(driver, 10), 0);
    }
    assert_int_equal(err, 0);
    vstamp_driver_explain(driver, text, sizeof text);
    snprintf(expected, sizeof expected, "%s: connected", address);
    assert_string_equal(text, expected);
    vstamp_driver_close(driver);
    close(connection);
}

static void says_what_answers_in_place_of_a_replica(void **state)
{
    static const char banner[] = "SSH-2.0-Something_9.2\r\n";
    struct vstamp_driver *driver;
    char text[200] = "", expected[200];
    int err = 1;
    (void)state;
    int connection = ask_and_accept(&driver, &err);
    while (strstr(text, "no answer") == NULL) {
        assert_int_equal(vstamp_driver_wait(driver, 10), 0);
        vstamp_driver_explain(driver, text, sizeof text);
    }
    snprintf(expected, sizeof expected,
             "%s: connected, but no answer: it hangs, or is not a vstamp replica", address);
    assert_string_equal(text, expected);
    assert_int_equal(send(connection, banner, sizeof banner - 1, 0), sizeof banner - 1);
    while (strstr(text, "not a vstamp replica, it says") == NULL) {
        assert_int_equal(vstamp_driver_wait(driver, 10), 0);
        vstamp_driver_explain(driver, text, sizeof text);
    }
    assert_non_null(strstr(text, "it says 'SSH-2.0-Something_9.2': is the port right?"));
    assert_int_equal(err, 1); /* it is tried again */
    vstamp_driver_close(driver);
    close(connection);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_number_of_calls_has_a_default_and_a_bound),
        cmocka_unit_test(a_question_beside_all_calls_in_flight_is_told_so),
        cmocka_unit_test(says_of_a_replica_what_it_does),
        cmocka_unit_test(says_what_answers_in_place_of_a_replica),
    };
    return cmocka_run_group_tests(tests, listen_on_loopback, close_listener);
}

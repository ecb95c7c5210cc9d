/* SPDX-License-Identifier: BSD-2-Clause */
/* What the driver says: of a configuration that makes no sense, of too many calls, and of replicas;
 * and how it finds them.  The one replica is played by the test, on a socket of its own; so is the
 * name server, and time can be made to pass. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netdb.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <vstamp/client.h>
#include <vstamp/kv.h>

#include "certificates.h"
#include "vr/client_table.h"
#include "wire/frame.h"

enum { TIMEOUT_MS = 20000 };

static int listener;
static char address[32];
static struct sockaddr_in place; /* where it listens */

/* --- the world -------------------------------------------------------------------------------- */

static uint64_t passed_s;

int clock_gettime(clockid_t clock, struct timespec *now)
{
    int rv = (int)syscall(SYS_clock_gettime, clock, now);
    now->tv_sec += (time_t)passed_s;
    return rv;
}

static struct sockaddr_in places[2]; /* of any name */
static size_t n_places;
static atomic_uint n_look_ups;
static atomic_bool hangs; /* the name server says nothing */

int getaddrinfo(const char *restrict name, const char *restrict service,
                const struct addrinfo *restrict hints, struct addrinfo **restrict found)
{
    struct {
        struct addrinfo list[2];
        struct sockaddr_in copies[2];
    } *answer;
    (void)service;
    bool is_number = name[0] >= '0' && name[0] <= '9';
    if ((hints->ai_flags & AI_NUMERICHOST) != 0 && !is_number) return EAI_NONAME;
    while (hangs && !is_number) poll(NULL, 0, 1);
    size_t n = n_places;
    answer = calloc(1, sizeof *answer);
    memcpy(answer->copies, places, sizeof answer->copies);
    for (size_t i = 0; i < n; i++)
        answer->list[i] = (struct addrinfo){
            .ai_family = AF_INET,
            .ai_addr = (struct sockaddr *)&answer->copies[i],
            .ai_addrlen = sizeof answer->copies[i],
            .ai_next = i + 1 < n ? &answer->list[i + 1] : NULL};
    if (n > 0) *found = answer->list;
    else free(answer);
    n_look_ups++; /* what changes here from now on changes nothing about this one */
    return n > 0 ? 0 : EAI_AGAIN;
}

void freeaddrinfo(struct addrinfo *list)
{
    free(list);
}

/* A socket that nobody connects to yet. */
static int bind_to_loopback(struct sockaddr_in *at)
{
    socklen_t size = sizeof *at;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    *at = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    assert_int_equal(bind(fd, (struct sockaddr *)at, size), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)at, &size), 0);
    return fd;
}

static int listen_on_loopback(void **state)
{
    if (make_folders(state) != 0) return -1;
    listener = bind_to_loopback(&place);
    assert_int_equal(listen(listener, 1), 0);
    snprintf(address, sizeof address, "127.0.0.1:%u", (unsigned)ntohs(place.sin_port));
    return 0;
}

/* The name server knows where it is. */
static int found_at_once(void **state)
{
    (void)state;
    places[0] = place;
    n_places = 1;
    n_look_ups = 0;
    return 0;
}

/* --- tests ------------------------------------------------------------------------------------ */

static int close_listener(void **state)
{
    return close(listener) == 0 ? remove_folders(state) : -1;
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
    assert_int_equal(vstamp_driver_open(&driver, "h:1,h:2,h:1", NULL, &diag), VSTAMP_E_CONFIG);
    assert_string_equal(diag.text, "h:1 is there twice");
    assert_null(driver);
}

/* Programs bring these along, as large as they were when they were compiled. */
static void what_programs_hold_stays_as_it_is(void **state)
{
    struct config {
        uint32_t n_replicas, in_flight;
        struct vstamp_id first;
        uint64_t seed, registration;
        const char *application;
    };
    struct reply {
        int err;
        bool may_have_run;
        uint64_t op_number, view;
        uint32_t epoch;
        const uint8_t *body;
        size_t size;
    };
    struct answer {
        bool yes, more;
        int64_t number;
        const uint8_t *value;
        size_t size;
        const uint8_t *list;
        size_t list_size;
        uint32_t n_list;
    };
    (void)state;
    assert_int_equal(sizeof(struct vstamp_client_config), sizeof(struct config));
    assert_int_equal(sizeof(struct vstamp_reply), sizeof(struct reply));
    assert_int_equal(sizeof(struct vstamp_kv_answer), sizeof(struct answer));
    assert_int_equal(sizeof(struct vstamp_diag), 512);
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

/* A driver that asks something, until it is answered. */
static struct vstamp_driver *ask_for_ever(const char *replicas, int *err)
{
    struct vstamp_driver *driver;
    assert_int_equal(vstamp_driver_open(&driver, replicas, NULL, NULL), 0);
    assert_int_equal(vstamp_driver_call(driver, VSTAMP_READ_STALE, "x", 1, UINT64_MAX, on_reply,
                                        err), 0);
    return driver;
}

/* Until it says so of a replica. */
static void wait_to_hear(struct vstamp_driver *driver, const char *words)
{
    char text[200] = "";
    while (strstr(text, words) == NULL) {
        assert_int_equal(vstamp_driver_wait(driver, 10), 0);
        vstamp_driver_explain(driver, text, sizeof text);
    }
}

/* It is connected: answer it, and close it. */
static void be_answered(struct vstamp_driver *driver, const int *err)
{
    int connection = accept(listener, NULL, NULL);
    answer_one(connection);
    while (*err > 0) assert_int_equal(vstamp_driver_wait(driver, 10), 0);
    vstamp_driver_close(driver);
    close(connection);
}

static void a_host_that_has_moved_is_found(void **state)
{
    int err = 1, former = bind_to_loopback(&places[0]);
    (void)state;
    struct vstamp_driver *driver = ask_for_ever("host:1", &err);
    wait_to_hear(driver, "Connection refused");
    assert_int_equal(n_look_ups, 1);
    n_places = 0; /* no name server is there: the former place is better than none */
    passed_s += 30;
    while (n_look_ups < 2) assert_int_equal(vstamp_driver_wait(driver, 10), 0);
    places[0] = place;
    n_places = 1;
    for (int i = 0; i < 30; i++) assert_int_equal(vstamp_driver_wait(driver, 10), 0);
    assert_int_equal(n_look_ups, 2);
    passed_s += 30;
    wait_to_hear(driver, "no answer");
    assert_int_equal(n_look_ups, 3);
    be_answered(driver, &err);
    close(former);
}

/* Dropped while the server says nothing, and when it has said something that nobody has heard. */
static void a_name_that_is_looked_up_holds_nobody_up(void **state)
{
    char both[64];
    int err = 1;
    (void)state;
    hangs = true;
    snprintf(both, sizeof both, "host:1,%s", address);
    struct vstamp_driver *driver = ask_for_ever(both, &err);
    wait_to_hear(driver, "host:1: its name is being looked up");
    wait_to_hear(driver, "no answer");
    be_answered(driver, &err);
    driver = ask_for_ever("host:1", &err);
    wait_to_hear(driver, "its name is being looked up");
    hangs = false;
    while (n_look_ups < 3) poll(NULL, 0, 1);
    vstamp_driver_close(driver);
}

/* Where a connection hangs, as the queue of the listener is full. */
static int listen_and_hang(struct sockaddr_in *at, int *queued)
{
    int fd = bind_to_loopback(at);
    assert_int_equal(listen(fd, 0), 0);
    *queued = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(*queued, (struct sockaddr *)at, sizeof *at), 0);
    return fd;
}

static void an_address_that_is_silent_gives_way_to_the_next(void **state)
{
    int err = 1, queued, silent = listen_and_hang(&places[0], &queued);
    (void)state;
    places[1] = place;
    n_places = 2;
    struct vstamp_driver *driver = ask_for_ever("host:1", &err);
    for (int i = 0; i < 30; i++) assert_int_equal(vstamp_driver_wait(driver, 10), 0);
    wait_to_hear(driver, "does not accept the connection");
    passed_s += 2;
    wait_to_hear(driver, "no answer");
    be_answered(driver, &err);
    close(queued);
    close(silent);
}

static void a_host_that_is_silent_is_tried_again_and_again(void **state)
{
    int err = 1, queued, silent = listen_and_hang(&places[0], &queued);
    (void)state;
    struct vstamp_driver *driver = ask_for_ever("host:1", &err);
    for (int i = 0; i < 3; i++) {
        wait_to_hear(driver, "does not accept the connection");
        passed_s += 2;
        wait_to_hear(driver, "Connection timed out");
    }
    vstamp_driver_close(driver);
    close(queued);
    close(silent);
}

/* As a loop would that waits for much else. */
static void wait_at_descriptor(struct vstamp_driver *driver)
{
    struct pollfd wait = {.fd = vstamp_driver_fd(driver), .events = POLLIN};
    assert_true(poll(&wait, 1, vstamp_driver_timeout(driver)) >= 0);
    assert_int_equal(vstamp_driver_wait(driver, 0), 0);
}

/* It is ready, and not only because time has passed. */
static void expect_to_be_woken(struct vstamp_driver *driver)
{
    struct pollfd wait = {.fd = vstamp_driver_fd(driver), .events = POLLIN};
    assert_int_equal(poll(&wait, 1, TIMEOUT_MS), 1);
    assert_int_equal(vstamp_driver_wait(driver, 0), 0);
}

struct row {
    struct vstamp_driver *driver;
    int left, err, begun;
};

static void on_row(void *context, const struct vstamp_reply *reply)
{
    struct row *row = context;
    row->err = reply->err;
    if (--row->left == 0) return;
    row->begun = vstamp_driver_call(row->driver, VSTAMP_READ_STALE, "x", 1, TIMEOUT_MS, on_row,
                                    row);
}

/* The socket to the second address has the number that the first one had. */
static void one_descriptor_stands_for_all_connections(void **state)
{
    char text[200] = "";
    struct row row = {.left = 2};
    int former = bind_to_loopback(&places[0]);
    (void)state;
    places[1] = place;
    n_places = 2;
    assert_int_equal(vstamp_driver_open(&row.driver, "host:1", NULL, NULL), 0);
    int fd = vstamp_driver_fd(row.driver);
    assert_true(fd >= 0);
    assert_int_equal(vstamp_driver_call(row.driver, VSTAMP_READ_STALE, "x", 1, TIMEOUT_MS, on_row,
                                        &row), 0);
    while (strstr(text, "no answer") == NULL) {
        wait_at_descriptor(row.driver);
        vstamp_driver_explain(row.driver, text, sizeof text);
    }
    int connection = accept(listener, NULL, NULL);
    answer_one(connection);
    expect_to_be_woken(row.driver);
    assert_int_equal(row.left, 1);
    struct pollfd sent = {.fd = connection, .events = POLLIN}; /* what the callback began */
    assert_int_equal(poll(&sent, 1, TIMEOUT_MS), 1);
    answer_one(connection);
    expect_to_be_woken(row.driver);
    assert_int_equal(row.left, 0);
    assert_int_equal(row.err, 0);
    row.left = 1;
    assert_int_equal(vstamp_driver_call(row.driver, VSTAMP_READ_STALE, "x", 1, TIMEOUT_MS, on_row,
                                        &row), 0);
    assert_int_equal(vstamp_driver_timeout(row.driver), 0); /* that is to be written */
    assert_int_equal(vstamp_driver_fd(row.driver), fd);
    vstamp_driver_close(row.driver);
    close(connection);
    close(former);
}

static void who_closes_ends_all_calls(void **state)
{
    struct row row = {.left = 2};
    (void)state;
    assert_int_equal(vstamp_driver_open(&row.driver, address, NULL, NULL), 0);
    assert_int_equal(vstamp_driver_call(row.driver, VSTAMP_APPLY, "x", 1, UINT64_MAX, on_row, &row),
                     0);
    assert_int_equal(vstamp_driver_settle(row.driver, 0), VSTAMP_E_IN_FLIGHT);
    vstamp_driver_close(row.driver);
    assert_int_equal(row.left, 1);
    assert_int_equal(row.err, VSTAMP_E_NOT_RUN);
    assert_int_equal(row.begun, VSTAMP_E_INVALID);
}

/* As of a daemon that has closed all it does not know. */
static void who_can_wait_for_nothing_does_not_wait_for_ever(void **state)
{
    const struct vstamp_client_config config = {.in_flight = 2};
    struct row row = {.left = 1};
    struct vstamp_reply reply;
    int nobody = bind_to_loopback(&places[0]);
    (void)state;
    assert_int_equal(vstamp_driver_open(&row.driver, address, &config, NULL), 0);
    assert_true(dup2(nobody, vstamp_driver_fd(row.driver)) >= 0);
    alarm(TIMEOUT_MS / 1000);
    assert_int_equal(vstamp_driver_settle(row.driver, UINT64_MAX), VSTAMP_E_NOT_RUN);
    assert_int_equal(vstamp_driver_call(row.driver, VSTAMP_APPLY, "x", 1, UINT64_MAX, on_row, &row),
                     0);
    assert_int_equal(vstamp_driver_wait(row.driver, -1), VSTAMP_E_IO);
    assert_int_equal(row.left, 1); /* the caller may do better */
    assert_int_equal(vstamp_driver_ask(row.driver, VSTAMP_APPLY, "y", 1, UINT64_MAX, &reply),
                     VSTAMP_E_NOT_RUN);
    assert_int_equal(row.left, 0);
    assert_int_equal(row.err, VSTAMP_E_NOT_RUN);
    alarm(0);
    vstamp_driver_close(row.driver);
    close(nobody);
}

static void a_driver_whose_group_has_moved_asks_there(void **state)
{
    uint8_t members[64], frame[512];
    char text[200];
    struct wire_list_builder list;
    struct wire_member member = {.address = bytes_of("elsewhere:1")};
    struct wire_header header = {.group = {1, 2}, .epoch = 1};
    int err = 1;
    (void)state;
    wire_list_begin(&list, &wire_shape_member, members, sizeof members);
    assert_true(wire_list_add(&list, &member));
    struct wire_new_epoch moved = {.membership = {.epoch = 1, .members = wire_list_end(&list)}};
    size_t size = wire_frame_encode(&header, &wire_shape_new_epoch, &moved, frame, sizeof frame);
    struct vstamp_driver *driver = ask_for_ever("a:1,b:1,c:1", &err);
    wait_to_hear(driver, "no answer");
    int connection = accept(listener, NULL, NULL);
    assert_int_equal(send(connection, frame, size, 0), size);
    while (vstamp_client_moves(vstamp_driver_client(driver)) == 0)
        assert_int_equal(vstamp_driver_wait(driver, 10), 0);
    assert_int_equal(vstamp_client_n_replicas(vstamp_driver_client(driver)), 1);
    vstamp_driver_explain(driver, text, sizeof text);
    assert_ptr_equal(strstr(text, "elsewhere:1: "), text); /* no longer of the former members */
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

/* --- over TLS --------------------------------------------------------------------------------- */

static void use_tls(struct vstamp_driver *driver, const char *name)
{
    char folder[64];
    snprintf(folder, sizeof folder, "%s/%s", root, name);
    assert_int_equal(vstamp_driver_tls(driver, folder, NULL), 0);
}

/* The words are for who uses the library, not the commands. */
static void who_has_no_certificate_is_told_where_one_is_named(void **state)
{
    static const uint8_t alert[] = {21, 3, 3, 0, 2, 2, 70};
    struct vstamp_driver *driver;
    int err = 1;
    (void)state;
    int connection = ask_and_accept(&driver, &err);
    assert_int_equal(send(connection, alert, sizeof alert, 0), sizeof alert);
    assert_int_equal(shutdown(connection, SHUT_WR), 0);
    wait_to_hear(driver, "it speaks TLS: name a folder with a certificate for you, by "
                         "vstamp_driver_tls");
    vstamp_driver_close(driver);
    close(connection);
}

/* As somebody else, if this is who may read everything. */
static void who_may_not_read_a_certificate_is_told_where_another_is_named(void **state)
{
    struct vstamp_driver *driver;
    struct vstamp_diag diag = {0};
    char folder[64], file[80];
    (void)state;
    snprintf(folder, sizeof folder, "%s/client", root);
    snprintf(file, sizeof file, "%s/ca.crt", folder);
    assert_int_equal(chmod(file, 0), 0);
    assert_int_equal(vstamp_driver_open(&driver, address, NULL, NULL), 0);
    bool may = geteuid() == 0;
    if (may) assert_int_equal(seteuid(65534), 0);
    int rv = vstamp_driver_tls(driver, folder, &diag);
    if (may) assert_int_equal(seteuid(0), 0);
    assert_int_equal(chmod(file, 0600), 0);
    assert_int_equal(rv, VSTAMP_E_CONFIG);
    assert_non_null(strstr(diag.text, "/client/ca.crt: no certificates of authorities: Permission "
                                      "denied: name a folder with a certificate of your own by "
                                      "vstamp_driver_tls"));
    vstamp_driver_close(driver);
}

/* The next connection, which begins with the first word of TLS; that stays there. */
static int accept_hello(struct vstamp_driver *driver)
{
    struct pollfd wait = {.fd = listener, .events = POLLIN};
    uint8_t first[8];
    while (poll(&wait, 1, 0) == 0) assert_int_equal(vstamp_driver_wait(driver, 10), 0);
    int connection = accept(listener, NULL, NULL);
    wait.fd = connection;
    while (poll(&wait, 1, 0) == 0) assert_int_equal(vstamp_driver_wait(driver, 10), 0);
    ssize_t n = recv(connection, first, sizeof first, MSG_PEEK);
    assert_true(n > 0 && tls_is_spoken((struct bytes){first, (size_t)n}));
    return connection;
}

static void who_does_not_begin_tls_gives_way_to_the_next(void **state)
{
    int err = 1, mute = bind_to_loopback(&places[0]);
    (void)state;
    assert_int_equal(listen(mute, 1), 0);
    places[1] = place;
    n_places = 2;
    struct vstamp_driver *driver = ask_for_ever("host:1", &err);
    use_tls(driver, "client");
    wait_to_hear(driver, "accepts the connection, but does not begin TLS");
    passed_s += 2;
    close(accept_hello(driver));
    vstamp_driver_close(driver);
    close(mute);
}

/* A turn of the other end, which says `frame` once it may, and of the driver. */
static void turn_sealed(struct vstamp_driver *driver, int connection, struct tls_stream *far,
                        struct bytes *frame)
{
    static uint8_t sealed[4096], opened[TLS_RECORD_SIZE];
    ssize_t n = recv(connection, sealed, sizeof sealed, MSG_DONTWAIT);
    if (n > 0) {
        tls_input(far, (struct bytes){sealed, (size_t)n});
        while (tls_read(far, opened, sizeof opened) > 0) continue;
    }
    if (frame->size > 0 && tls_write(far, *frame) > 0) frame->size = 0;
    struct bytes out = tls_output(far);
    assert_int_equal(send(connection, out.data, out.size, 0), out.size);
    tls_sent(far, out.size);
    assert_int_equal(vstamp_driver_wait(driver, 10), 0);
}

/* The members from this epoch on; those of the first are nothing new. */
static struct bytes make_news(uint8_t into[static 512], const char *member_address, uint32_t epoch)
{
    static uint8_t members[64];
    struct wire_list_builder list;
    struct wire_member member = {.address = bytes_of(member_address)};
    struct wire_header header = {.group = {1, epoch}, .epoch = epoch};
    wire_list_begin(&list, &wire_shape_member, members, sizeof members);
    assert_true(wire_list_add(&list, &member));
    struct wire_new_epoch news = {.membership = {.epoch = epoch, .members = wire_list_end(&list)}};
    size_t size = wire_frame_encode(&header, &wire_shape_new_epoch, &news, into, 512);
    return (struct bytes){into, size};
}

/* A client with TLS is up before it is refused. */
static void who_is_not_let_in_says_so_until_it_is(void **state)
{
    uint8_t frame[512];
    struct bytes nothing = {0}, news = make_news(frame, address, 0);
    struct tls *tls = open_folder("replica");
    struct tls_stream *far = tls_accept(tls);
    struct vstamp_driver *driver;
    const struct vstamp_client_config config = {.in_flight = 2};
    char text[200] = "";
    int err = 1, err_in_time = 1;
    (void)state;
    write_folder("renewed", &theirs, CLIENT, NULL, 10, &ours);
    assert_int_equal(vstamp_driver_open(&driver, address, &config, NULL), 0);
    use_tls(driver, "renewed");
    assert_int_equal(vstamp_driver_call(driver, VSTAMP_APPLY, "x", 1, UINT64_MAX, on_reply, &err),
                     0);
    assert_int_equal(vstamp_driver_call(driver, VSTAMP_APPLY, "y", 1, TIMEOUT_MS, on_reply,
                                        &err_in_time), 0);
    int connection = accept_hello(driver);
    while (strstr(text, "it does not take our certificate: unknown CA") == NULL) {
        turn_sealed(driver, connection, far, &nothing);
        vstamp_driver_explain(driver, text, sizeof text);
    }
    close(connection);
    tls_stream_free(far);

    far = tls_accept(tls);
    connection = accept_hello(driver);
    vstamp_driver_explain(driver, text, sizeof text); /* TLS has not begun */
    assert_non_null(strstr(text, "it does not take our certificate: unknown CA"));
    turn_sealed(driver, connection, far, &nothing);
    while (recv(connection, text, 1, MSG_PEEK | MSG_DONTWAIT) <= 0)
        assert_int_equal(vstamp_driver_wait(driver, 10), 0);
    vstamp_driver_explain(driver, text, sizeof text); /* it is up, and not refused yet */
    assert_non_null(strstr(text, "it does not take our certificate: unknown CA"));
    passed_s += TIMEOUT_MS / 1000;
    assert_int_equal(vstamp_driver_wait(driver, 10), 0);
    assert_int_equal(err_in_time, VSTAMP_E_NOT_AUTHORISED);
    close(connection);
    tls_stream_free(far);

    write_folder("renewed", &ours, CLIENT, NULL, 10, &ours);
    far = tls_accept(tls);
    connection = accept_hello(driver);
    while (strstr(text, "connected") == NULL) {
        turn_sealed(driver, connection, far, &news);
        vstamp_driver_explain(driver, text, sizeof text);
    }
    vstamp_driver_close(driver);
    close(connection);
    tls_stream_free(far);
    tls_close(tls);
}

static void a_driver_that_follows_its_group_stays_with_tls(void **state)
{
    uint8_t frame[512];
    struct bytes news = make_news(frame, address, 1);
    struct vstamp_driver *driver;
    struct tls *tls = open_folder("replica");
    struct tls_stream *far = tls_accept(tls);
    int err = 1;
    (void)state;
    assert_int_equal(vstamp_driver_open(&driver, address, NULL, NULL), 0);
    use_tls(driver, "client");
    assert_int_equal(vstamp_driver_call(driver, VSTAMP_READ_STALE, "x", 1, UINT64_MAX, on_reply,
                                        &err), 0);
    int connection = accept_hello(driver);
    while (vstamp_client_moves(vstamp_driver_client(driver)) == 0)
        turn_sealed(driver, connection, far, &news);
    close(accept_hello(driver));
    vstamp_driver_close(driver);
    close(connection);
    tls_stream_free(far);
    tls_close(tls);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_number_of_calls_has_a_default_and_a_bound, found_at_once),
        cmocka_unit_test(what_programs_hold_stays_as_it_is),
        cmocka_unit_test_setup(a_question_beside_all_calls_in_flight_is_told_so, found_at_once),
        cmocka_unit_test_setup(says_of_a_replica_what_it_does, found_at_once),
        cmocka_unit_test_setup(a_host_that_has_moved_is_found, found_at_once),
        cmocka_unit_test_setup(a_name_that_is_looked_up_holds_nobody_up, found_at_once),
        cmocka_unit_test_setup(an_address_that_is_silent_gives_way_to_the_next, found_at_once),
        cmocka_unit_test_setup(a_host_that_is_silent_is_tried_again_and_again, found_at_once),
        cmocka_unit_test_setup(one_descriptor_stands_for_all_connections, found_at_once),
        cmocka_unit_test_setup(who_closes_ends_all_calls, found_at_once),
        cmocka_unit_test_setup(who_can_wait_for_nothing_does_not_wait_for_ever, found_at_once),
        cmocka_unit_test_setup(a_driver_whose_group_has_moved_asks_there, found_at_once),
        cmocka_unit_test_setup(says_what_answers_in_place_of_a_replica, found_at_once),
        cmocka_unit_test_setup(who_has_no_certificate_is_told_where_one_is_named, found_at_once),
        cmocka_unit_test_setup(who_may_not_read_a_certificate_is_told_where_another_is_named,
                               found_at_once),
        cmocka_unit_test_setup(who_does_not_begin_tls_gives_way_to_the_next, found_at_once),
        cmocka_unit_test_setup(who_is_not_let_in_says_so_until_it_is, found_at_once),
        cmocka_unit_test_setup(a_driver_that_follows_its_group_stays_with_tls, found_at_once),
    };
    return cmocka_run_group_tests(tests, listen_on_loopback, close_listener);
}

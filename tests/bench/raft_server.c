/* SPDX-License-Identifier: BSD-2-Clause */
/* A small key-value server on Debian's C Raft library: the peer that is built like vstamp, a log
 * replicated by a C library in one loop.
 *
 *     raft_server INDEX FOLDER BASE-PORT
 *
 * Server INDEX of three listens on 127.0.0.1, for its peers at BASE-PORT + INDEX and for clients
 * three ports above.  Requests (raft_server.h) of one turn of the loop are one entry of the log.
 * The comparison is with the library's best, so three things are not as it has them: snapshots are
 * as rare as etcd's; Nagle's algorithm is off between servers, which costs 40 ms here and there;
 * elections begin with a pre-vote, as they do in dqlite. */
#include <raft.h>
#include <raft/uv.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "bench/load.h"
#include "bench/raft_server.h"

#define SERVERS            3u
#define PUT_SIZE           (LOAD_KEY_SIZE + LOAD_VALUE_SIZE)
#define BATCH_MAX          4096u
#define SNAPSHOT_THRESHOLD 100000u

struct client {
    uv_tcp_t tcp;
    bool closed;
    unsigned n_waiting; /* puts in entries that are not decided; it is freed when there are none */
    size_t size;
    uint8_t request[PUT_SIZE];
};

/* The puts of one turn. */
struct batch {
    struct raft_apply apply;
    unsigned n;
    struct client *clients[BATCH_MAX];
    uint8_t puts[BATCH_MAX][PUT_SIZE];
};

static uv_loop_t loop;
static struct raft raft;
static struct batch *batch; /* that is being gathered */
static uint8_t values[LOAD_KEYS][LOAD_VALUE_SIZE];
static raft_uv_connect_cb connected; /* the library's */
static int (*connect_peer)(struct raft_uv_transport *, struct raft_uv_connect *, raft_id,
                           const char *, raft_uv_connect_cb);

static void check(int rv, const char *what, const char *why)
{
    if (rv == 0) return;
    fprintf(stderr, "raft_server: %s: %s\n", what, why);
    exit(1);
}

static void *new_memory(size_t size)
{
    void *p = malloc(size);
    check(p == NULL, "memory", "there is none left");
    return p;
}

/* --- the state machine: an array, since the load's keys are its indices ----------------------- */

static int apply(struct raft_fsm *fsm, const struct raft_buffer *entry, void **result)
{
    (void)fsm;
    const char *put = entry->base;
    for (size_t left = entry->len; left >= PUT_SIZE; left -= PUT_SIZE, put += PUT_SIZE) {
        char digits[LOAD_KEY_SIZE];
        memcpy(digits, put + 1, LOAD_KEY_SIZE - 1); /* after the slash */
        digits[LOAD_KEY_SIZE - 1] = '\0';
        memcpy(values[strtoul(digits, NULL, 10) % LOAD_KEYS], put + LOAD_KEY_SIZE, LOAD_VALUE_SIZE);
    }
    *result = NULL;
    return 0;
}

static int snapshot(struct raft_fsm *fsm, struct raft_buffer *buffers[], unsigned *n_buffers)
{
    (void)fsm;
    *n_buffers = 1;
    *buffers = raft_malloc(sizeof **buffers);
    if (*buffers == NULL) return RAFT_NOMEM;
    (*buffers)->len = sizeof values;
    (*buffers)->base = raft_malloc(sizeof values);
    if ((*buffers)->base == NULL) return RAFT_NOMEM;
    memcpy((*buffers)->base, values, sizeof values);
    return 0;
}

static int restore(struct raft_fsm *fsm, struct raft_buffer *buffer)
{
    (void)fsm;
    if (buffer->len != sizeof values) return RAFT_MALFORMED;
    memcpy(values, buffer->base, sizeof values);
    raft_free(buffer->base);
    return 0;
}

/* --- clients ---------------------------------------------------------------------------------- */

static void free_client(uv_handle_t *handle)
{
    struct client *client = handle->data;
    client->closed = true;
    if (client->n_waiting == 0) free(client);
}

static void answer(struct client *client, const char *text, size_t size)
{
    uv_buf_t buffer = uv_buf_init((char *)text, (unsigned)size);
    if (uv_is_closing((uv_handle_t *)&client->tcp)) return;
    if (uv_try_write((uv_stream_t *)&client->tcp, &buffer, 1) != (int)size)
        uv_close((uv_handle_t *)&client->tcp, free_client); /* it does not read */
}

static void answer_put(struct client *client, char text)
{
    client->n_waiting--;
    answer(client, &text, 1);
    if (client->closed && client->n_waiting == 0) free(client);
}

static void on_applied(struct raft_apply *apply_request, int status, void *result)
{
    (void)result;
    struct batch *done = apply_request->data;
    for (unsigned i = 0; i < done->n; i++)
        answer_put(done->clients[i], status == 0 ? RAFT_SERVER_DONE : RAFT_SERVER_NOT_LEADER);
    free(done);
}

/* After all sockets of this turn were read. */
static void on_turn(uv_check_t *turn)
{
    (void)turn;
    if (batch == NULL) return;
    struct batch *whole = batch;
    batch = NULL;
    whole->apply.data = whole;
    size_t size = (size_t)whole->n * PUT_SIZE;
    struct raft_buffer entry = {.len = (size + 7) / 8 * 8}; /* the library cannot load others */
    entry.base = raft_malloc(entry.len);
    check(entry.base == NULL, "memory", "there is none left");
    memset((uint8_t *)entry.base + size, 0, entry.len - size);
    memcpy(entry.base, whole->puts, size);
    int rv = raft_apply(&raft, &whole->apply, &entry, 1, on_applied);
    if (rv == 0) return;
    raft_free(entry.base);
    on_applied(&whole->apply, rv, NULL);
}

static void take_put(struct client *client)
{
    if (batch == NULL) {
        batch = new_memory(sizeof *batch);
        batch->n = 0;
    }
    if (batch->n == BATCH_MAX) {
        on_turn(NULL);
        take_put(client);
        return;
    }
    client->n_waiting++;
    batch->clients[batch->n] = client;
    memcpy(batch->puts[batch->n++], client->request, PUT_SIZE);
}

static void tell_state(struct client *client)
{
    static const char *const states[] = {[RAFT_UNAVAILABLE] = "unavailable",
                                         [RAFT_FOLLOWER] = "follower",
                                         [RAFT_CANDIDATE] = "candidate",
                                         [RAFT_LEADER] = "leader"};
    char line[64];
    int size = snprintf(line, sizeof line, "%s %llu\n", states[raft_state(&raft)],
                        raft_last_applied(&raft));
    answer(client, line, (size_t)size);
}

static void give_room(uv_handle_t *handle, size_t suggested, uv_buf_t *room)
{
    (void)suggested;
    struct client *client = handle->data;
    *room = uv_buf_init((char *)client->request + client->size,
                        (unsigned)(sizeof client->request - client->size));
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *room)
{
    (void)room;
    struct client *client = stream->data;
    if (n < 0) {
        uv_close((uv_handle_t *)stream, free_client);
        return;
    }
    client->size += (size_t)n;
    if (client->size < PUT_SIZE) return;
    client->size = 0;
    if (client->request[0] == RAFT_SERVER_ASK) tell_state(client);
    else if (raft_state(&raft) != RAFT_LEADER) answer(client, &(char){RAFT_SERVER_NOT_LEADER}, 1);
    else take_put(client);
}

static void on_client(uv_stream_t *listener, int status)
{
    check(status, "accept", uv_strerror(status));
    struct client *client = new_memory(sizeof *client);
    *client = (struct client){0};
    uv_tcp_init(&loop, &client->tcp);
    client->tcp.data = client;
    check(uv_accept(listener, (uv_stream_t *)&client->tcp), "accept", "refused");
    uv_tcp_nodelay(&client->tcp, 1);
    uv_read_start((uv_stream_t *)&client->tcp, give_room, on_read);
}

/* --- between servers, without delay ----------------------------------------------------------- */

static void on_peer(struct raft_uv_connect *request, struct uv_stream_s *stream, int status)
{
    if (status == 0) uv_tcp_nodelay((uv_tcp_t *)stream, 1);
    connected(request, stream, status);
}

static int connect_without_delay(struct raft_uv_transport *transport,
                                 struct raft_uv_connect *request, raft_id id, const char *address,
                                 raft_uv_connect_cb cb)
{
    connected = cb; /* always the same */
    return connect_peer(transport, request, id, address, on_peer);
}

static void start_raft(unsigned self, const char *folder, unsigned base_port)
{
    static struct raft_uv_transport transport;
    static struct raft_io io;
    static struct raft_fsm fsm = {
        .version = 1, .apply = apply, .snapshot = snapshot, .restore = restore};
    struct raft_configuration group;
    char addresses[SERVERS][64];

    check(raft_uv_tcp_init(&transport, &loop), "transport", "not to be had");
    connect_peer = transport.connect;
    transport.connect = connect_without_delay;
    check(raft_uv_init(&io, &loop, folder, &transport), folder, io.errmsg);
    raft_uv_set_connect_retry_delay(&io, 100);
    raft_configuration_init(&group);
    for (unsigned i = 0; i < SERVERS; i++) {
        snprintf(addresses[i], sizeof addresses[i], "127.0.0.1:%u", base_port + i);
        int rv = raft_configuration_add(&group, i + 1, addresses[i], RAFT_VOTER);
        check(rv, "group", raft_strerror(rv));
    }
    check(raft_init(&raft, &io, &fsm, self + 1, addresses[self]), "raft", raft.errmsg);
    raft_set_snapshot_threshold(&raft, SNAPSHOT_THRESHOLD);
    raft_set_pre_vote(&raft, true);
    int begun = raft_bootstrap(&raft, &group);
    if (begun != RAFT_CANTBOOTSTRAP) check(begun, "a new group", raft_strerror(begun));
    raft_configuration_close(&group);
    check(raft_start(&raft), "start", raft_errmsg(&raft));
}

int main(int argc, char **argv)
{
    static uv_tcp_t listener;
    static uv_check_t turn;
    struct sockaddr_in address;
    unsigned self = argc == 4 ? (unsigned)strtoul(argv[1], NULL, 10) : SERVERS;
    if (self >= SERVERS) {
        fprintf(stderr, "usage: raft_server INDEX FOLDER BASE-PORT\n");
        return 2;
    }
    unsigned base_port = (unsigned)strtoul(argv[3], NULL, 10);
    signal(SIGPIPE, SIG_IGN); /* a peer or a client that was killed */
    srandom((unsigned)uv_hrtime()); /* else all three have the same election time-outs */
    uv_loop_init(&loop);
    start_raft(self, argv[2], base_port);
    uv_check_init(&loop, &turn);
    uv_check_start(&turn, on_turn);
    uv_ip4_addr("127.0.0.1", (int)(base_port + SERVERS + self), &address);
    uv_tcp_init(&loop, &listener);
    int rv = uv_tcp_bind(&listener, (struct sockaddr *)&address, 0);
    if (rv == 0) rv = uv_listen((uv_stream_t *)&listener, 1024, on_client);
    check(rv, "listen", uv_strerror(rv));
    return uv_run(&loop, UV_RUN_DEFAULT);
}

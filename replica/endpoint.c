/* SPDX-License-Identifier: BSD-2-Clause */
#include "replica/endpoint.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "replica/listen.h"

#define TIMEOUT_S  5u
#define MEMORY_MAX (16u << 10) /* of a connection: its header must fit */
#define BACKLOG    64
#define STACK_SIZE (256u << 10)

#define TYPE_JSON    "application/json"
#define TYPE_TEXT    "text/plain; charset=utf-8"
#define TYPE_METRICS "text/plain; version=0.0.4; charset=utf-8"

/* An answer; `text` is freed by libmicrohttpd. */
struct answer {
    unsigned status;
    const char *type;
    char *text;
};

/* --- what is asked ---------------------------------------------------------------------------- */

static struct answer get_status(struct endpoint *e, const struct node_status *status)
{
    (void)e;
    return (struct answer){MHD_HTTP_OK, TYPE_JSON, report_status(status)};
}

static struct answer get_metrics(struct endpoint *e, const struct node_status *status)
{
    const struct peers *peers = &e->transport->peers;
    struct report_process process = {
        .started_s = e->started_s,
        .connections = e->transport->clients.n_used,
        .evicted = e->transport->clients.n_evicted,
        .refused = e->transport->clients.n_refused,
        .longest_turn_us = e->turn->longest_us,
        .longest_turn_cpu_us = e->turn->longest_cpu_us,
        .fullest_turn_bytes = e->turn->fullest_bytes,
    };

    for (unsigned i = 0; i < REPLICAS_MAX; i++)
        process.peer_dropped[i] = peers_dropped(peers, (uint8_t)i);
    return (struct answer){MHD_HTTP_OK, TYPE_METRICS,
                           report_metrics(status, e->contact_ms_max, &process)};
}

static struct answer get_livez(struct endpoint *e, const struct node_status *status)
{
    (void)e;
    (void)status;
    return (struct answer){MHD_HTTP_OK, TYPE_TEXT, strdup("ok")};
}

static struct answer get_readyz(struct endpoint *e, const struct node_status *status)
{
    struct answer answer = {MHD_HTTP_OK, TYPE_JSON, NULL};

    if (!report_ready(status, e->contact_ms_max, &answer.text))
        answer.status = MHD_HTTP_SERVICE_UNAVAILABLE;
    return answer;
}

static const struct page {
    const char *path;
    struct answer (*get)(struct endpoint *e, const struct node_status *status);
} pages[] = {
    {"/status", get_status},
    {"/metrics", get_metrics},
    {"/livez", get_livez},
    {"/readyz", get_readyz},
};

/* While the node cannot be asked. */
static struct answer get_attended(const struct page *page)
{
    if (page->get == get_livez) return get_livez(NULL, NULL);
    if (page->get == get_readyz)
        return (struct answer){MHD_HTTP_SERVICE_UNAVAILABLE, TYPE_JSON,
                               strdup("{\"ready\":false,\"reason\":\"it reads its folder\"}")};
    return (struct answer){MHD_HTTP_SERVICE_UNAVAILABLE, TYPE_TEXT, strdup("it reads its folder")};
}

static struct answer find_answer(struct endpoint *e, const char *path, const char *method)
{
    struct node_status status;

    for (size_t i = 0; i < sizeof pages / sizeof pages[0]; i++) {
        if (strcmp(path, pages[i].path) != 0) continue;
        if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
            return (struct answer){MHD_HTTP_METHOD_NOT_ALLOWED, TYPE_TEXT,
                                   strdup("only GET: nothing can be changed here")};
        if (e->attended) return get_attended(&pages[i]);
        turn_begin(e->turn); /* tells the node what time it is */
        node_status(e->turn->node, &status);
        return pages[i].get(e, &status);
    }
    return (struct answer){MHD_HTTP_NOT_FOUND, TYPE_TEXT,
                           strdup("no such page: /status /metrics /livez /readyz")};
}

/* --- libmicrohttpd ---------------------------------------------------------------------------- */

static enum MHD_Result respond(struct MHD_Connection *connection, const struct answer *answer)
{
    if (answer->text == NULL) return MHD_NO; /* out of memory */
    size_t size = strlen(answer->text);
    if (size > 0 && answer->text[size - 1] != '\n') {
        /* Each answer is a whole line: the text's NUL makes room for its newline. */
        answer->text[size++] = '\n';
    }
    struct MHD_Response *response =
        MHD_create_response_from_buffer(size, answer->text, MHD_RESPMEM_MUST_FREE);
    if (response == NULL) return MHD_NO;
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, answer->type);
    MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    if (answer->status == MHD_HTTP_METHOD_NOT_ALLOWED)
        MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
    enum MHD_Result rv = MHD_queue_response(connection, answer->status, response);
    MHD_destroy_response(response);
    return rv;
}

static enum MHD_Result on_request(void *ctx, struct MHD_Connection *connection, const char *path,
                                  const char *method, const char *version, const char *body,
                                  size_t *body_size, void **state)
{
    (void)version;
    (void)body;
    if (*state == NULL) { /* only the header is there: a body would have to be read first */
        *state = ctx;
        return MHD_YES;
    }
    if (*body_size > 0) {
        *body_size = 0;
        return MHD_YES;
    }
    struct answer answer = find_answer(ctx, path, method);
    return respond(connection, &answer);
}

static void forget_connection(struct endpoint *e, unsigned i)
{
    e->n_connections--;
    memmove(&e->connections[i], &e->connections[i + 1],
            (e->n_connections - i) * sizeof e->connections[0]);
}

static void on_connection(void *ctx, struct MHD_Connection *connection, void **state,
                          enum MHD_ConnectionNotificationCode what)
{
    struct endpoint *e = ctx;
    int fd = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;

    (void)state;
    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
        if (e->n_connections == ENDPOINT_CONNECTIONS_MAX) {
            shutdown(e->connections[0], SHUT_RDWR); /* libmicrohttpd finds it ended and closes it */
            forget_connection(e, 0);
        }
        e->connections[e->n_connections++] = fd;
        return;
    }
    for (unsigned i = 0; i < e->n_connections; i++) {
        if (e->connections[i] != fd) continue;
        forget_connection(e, i);
        return;
    }
}

static void run(struct endpoint *e);

static void on_poll(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    run(poll->data);
}

static void on_timer(uv_timer_t *timer)
{
    run(timer->data);
}

static void run(struct endpoint *e)
{
    MHD_UNSIGNED_LONG_LONG timeout_ms;

    MHD_run(e->daemon);
    if (MHD_get_timeout(e->daemon, &timeout_ms) == MHD_YES)
        uv_timer_start(&e->timer, on_timer, timeout_ms, 0);
    else
        uv_timer_stop(&e->timer);
}

int endpoint_open(struct endpoint *e, uv_loop_t *loop, const struct address *address,
                  struct turn *turn, const struct transport *transport, uint64_t contact_ms_max,
                  struct vstamp_diag *diag)
{
    const union MHD_DaemonInfo *info;
    int fd;

    *e = (struct endpoint){
        .turn = turn,
        .transport = transport,
        .contact_ms_max = contact_ms_max,
        .started_s = (uint64_t)time(NULL),
    };
    int rv = listen_open(address, BACKLOG, &fd, diag);
    if (rv != 0) {
        vstamp_diag_wrap(diag, "status endpoint");
        return rv;
    }
    e->daemon = MHD_start_daemon(
        MHD_USE_EPOLL, 0, NULL, NULL, on_request, e, MHD_OPTION_LISTEN_SOCKET, fd,
        MHD_OPTION_CONNECTION_LIMIT, ENDPOINT_CONNECTIONS_MAX + ENDPOINT_DROPPED_MAX,
        MHD_OPTION_NOTIFY_CONNECTION, on_connection, e, MHD_OPTION_CONNECTION_TIMEOUT, TIMEOUT_S,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)MEMORY_MAX, MHD_OPTION_END);
    info = e->daemon == NULL ? NULL : MHD_get_daemon_info(e->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    e->epoll_fd = info == NULL ? -1 : info->epoll_fd;
    if (info == NULL || uv_poll_init(loop, &e->poll, e->epoll_fd) != 0) {
        close(fd);
        vstamp_diag_printf(diag, "status endpoint: %s: cannot start", address->text);
        return VSTAMP_E_IO;
    }
    uv_timer_init(loop, &e->timer);
    e->poll.data = e->timer.data = e;
    uv_poll_start(&e->poll, UV_READABLE, on_poll);
    run(e);
    return 0;
}

/* --- while the loop does not turn ------------------------------------------------------------- */

static void attend(void *ctx)
{
    struct endpoint *e = ctx;
    struct pollfd watched[2] = {{.fd = e->epoll_fd, .events = POLLIN},
                                {.fd = e->end_fd, .events = POLLIN}};
    MHD_UNSIGNED_LONG_LONG timeout_ms;

    while (watched[1].revents == 0) {
        MHD_run(e->daemon);
        bool due = MHD_get_timeout(e->daemon, &timeout_ms) == MHD_YES;
        poll(watched, 2, due ? (int)timeout_ms : -1);
    }
}

int endpoint_attend(struct endpoint *e, struct vstamp_diag *diag)
{
    const uv_thread_options_t options = {.flags = UV_THREAD_HAS_STACK_SIZE,
                                         .stack_size = STACK_SIZE};

    e->attended = true;
    e->end_fd = eventfd(0, EFD_CLOEXEC);
    int rv = e->end_fd < 0 ? uv_translate_sys_error(errno)
                           : uv_thread_create_ex(&e->attendant, &options, attend, e);
    if (rv == 0) return 0;
    vstamp_diag_printf(diag, "status endpoint: cannot start a thread: %s", uv_strerror(rv));
    return VSTAMP_E_AGAIN;
}

void endpoint_attend_end(struct endpoint *e)
{
    eventfd_write(e->end_fd, 1);
    uv_thread_join(&e->attendant);
    close(e->end_fd);
    e->attended = false;
    run(e);
}

void endpoint_close(struct endpoint *e)
{
    uv_poll_stop(&e->poll);
    MHD_stop_daemon(e->daemon);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* The pure client, and a connection (link.h) to each replica that it may ask.  The caller waits,
 * with the functions of this file or in a loop of its own.
 *
 *   vstamp_client_wants a replica         it is connected to
 *   a connection is up, all is written    vstamp_client_output, as much as is due
 *   bytes have come                       vstamp_client_input
 *   it broke, was refused, made no sense  vstamp_client_down, and a pause
 *   the client has moved                  all connections are closed, the peers are others
 *
 * Frames are handed over only when those before have left, so a slow link carries no copies that
 * nobody waits for.  An answer is left in its input buffer until the next read; so nothing that a
 * callback may do reads from a socket. */
#include <config.h>

#include "driver/driver.h"

#include <errno.h>
#include <inttypes.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "base/assert.h"
#include "driver/link.h"
#include "proxy/proxy.h"
#include "wire/schema.h"

#define FRESH_MS    20u /* what was read from so recently is taken to be there */
#define WAIT_MS_MAX 60000u
#define NOWHERE     "?" /* an address that makes no sense here */
#define SAID_MAX    32u /* of what is no frame, shown to people */
#define TEXT_MAX    160u

struct peer {
    struct link link;
    uint64_t read_ms; /* something came */
    bool owes;        /* something was sent since anything came */
    bool answered;    /* a frame has come from there, ever */
    char said[SAID_MAX + 1]; /* what came instead of one, empty: nothing */
};

struct vstamp_driver {
    struct vstamp_client *client;
    uint32_t moves; /* of the client, that were followed */
    bool in_turn; /* connections are being worked on, and callbacks come from there */
    bool closes;
    struct tls *tls; /* NULL: without */
    const char *tls_by; /* by what its user names one (tls.h) */
    int epoll;       /* all connections behind one descriptor */
    bool has_joined; /* that is the caller's, and others are there */
    uint32_t number; /* what the events say there */
    size_t n_begin;
    struct address begin[VSTAMP_REPLICAS_MAX]; /* where its user believes the group to be */
    size_t n_peers;                            /* members, then those of `begin` that are none */
    struct peer peers[VSTAMP_PEERS_MAX];
    uint8_t *answer; /* the newest of vstamp_driver_ask */
    size_t answer_capacity;
};

uint64_t vstamp_driver_now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* --- who the peers are ------------------------------------------------------------------------ */

static void add_peer(struct vstamp_driver *d, const struct address *address)
{
    struct peer *peer = &d->peers[d->n_peers++];
    *peer = (struct peer){0};
    link_init(&peer->link, address, d->tls, d->tls_by);
}

static bool is_peer(const struct vstamp_driver *d, const struct address *address)
{
    for (size_t i = 0; i < d->n_peers; i++)
        if (strcmp(d->peers[i].link.address.text, address->text) == 0) return true;
    return false;
}

static void add_others(struct vstamp_driver *d)
{
    size_t n_members = d->n_peers;
    for (size_t i = 0; i < d->n_begin; i++)
        if (!is_peer(d, &d->begin[i])) add_peer(d, &d->begin[i]);
    vstamp_client_others(d->client, (uint32_t)(d->n_peers - n_members));
}

void driver_begin_at(struct vstamp_driver *d, const struct address *begin, size_t n)
{
    assert(n <= VSTAMP_REPLICAS_MAX && d->n_peers == vstamp_client_n_replicas(d->client));
    memcpy(d->begin, begin, n * sizeof begin[0]);
    d->n_begin = n;
    add_others(d);
}

static void forget_peers(struct vstamp_driver *d)
{
    for (size_t i = 0; i < d->n_peers; i++) link_release(&d->peers[i].link);
    d->n_peers = 0;
}

/* The client's numbers of replicas no longer fit the peers. */
static bool has_moved(const struct vstamp_driver *d)
{
    return vstamp_client_moves(d->client) != d->moves;
}

/* To the members that the client was told.  Between turns only: in a turn, an answer may lie in a
 * peer's buffer.  An address that makes no sense here is that of a peer who cannot be reached. */
static void follow(struct vstamp_driver *d)
{
    if (!has_moved(d)) return;
    d->moves = vstamp_client_moves(d->client);
    forget_peers(d);
    for (uint32_t i = 0; i < vstamp_client_n_replicas(d->client); i++) {
        struct address address = {0};
        struct vstamp_diag ignored = {0};
        const char *text = vstamp_client_address(d->client, i);
        if (text == NULL || address_parse(&address, text, &ignored) != 0)
            address = (struct address){.text = NOWHERE, .host = NOWHERE, .port_text = "0"};
        add_peer(d, &address);
    }
    add_others(d);
}

const char *driver_member(const struct vstamp_driver *d, uint32_t replica)
{
    const char *text = vstamp_client_address(d->client, replica);
    if (text != NULL) return text;
    return NOWHERE;
}

/* --- open and close --------------------------------------------------------------------------- */

/* What its user left to the driver. */
static void fill_in(struct vstamp_client_config *config)
{
    if (config->in_flight == 0) config->in_flight = 1;
    while (vstamp_id_is_zero(config->first))
        if (getrandom(&config->first, sizeof config->first, 0) != sizeof config->first) abort();
    while (config->seed == 0)
        if (getrandom(&config->seed, sizeof config->seed, 0) != sizeof config->seed) abort();
    if (config->registration == 0) config->registration = 1;
}

static struct vstamp_driver *make_driver(const struct address *replicas, size_t n, struct tls *tls,
                                        const char *tls_by,
                                        const struct vstamp_client_config *config)
{
    assert(n > 0 && n <= VSTAMP_REPLICAS_MAX);
    struct vstamp_client_config full = {0};
    if (config != NULL) full = *config;
    full.n_replicas = (uint32_t)n;
    fill_in(&full);
    struct vstamp_driver *d = calloc(1, sizeof *d);
    size_t size = vstamp_client_size(&full);
    void *memory = aligned_alloc(64, (size + 63) / 64 * 64);
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    if (d == NULL || memory == NULL || epoll < 0) {
        if (epoll >= 0) close(epoll);
        free(d);
        free(memory);
        return NULL;
    }
    memset(memory, 0, size);
    d->epoll = epoll;
    d->tls = tls_share(tls);
    d->tls_by = tls_by;
    d->client = vstamp_client_new(&full, memory);
    for (size_t i = 0; i < n; i++) {
        add_peer(d, &replicas[i]);
        proxy_name(d->client, (uint32_t)i, replicas[i].text);
    }
    driver_begin_at(d, replicas, n);
    return d;
}

struct vstamp_driver *driver_new(const struct address *replicas, size_t n, struct tls *tls,
                                 const struct vstamp_client_config *config)
{
    return make_driver(replicas, n, tls, TLS_BY_OPTION, config);
}

int vstamp_driver_open(struct vstamp_driver **driver, const char *replicas,
                       const struct vstamp_client_config *config, struct vstamp_diag *diag)
{
    struct address at[VSTAMP_REPLICAS_MAX];
    size_t n;
    *driver = NULL;
    if (config != NULL && config->in_flight > VSTAMP_IN_FLIGHT_MAX) {
        vstamp_diag_printf(diag, "in_flight is %" PRIu32 ": at most %u calls may be at a time",
                           config->in_flight, VSTAMP_IN_FLIGHT_MAX);
        return VSTAMP_E_CONFIG;
    }
    int rv = address_parse_list(at, &n, replicas, diag);
    if (rv != 0) return rv;
    *driver = make_driver(at, n, NULL, TLS_BY_FUNCTION, config);
    if (*driver != NULL) return 0;
    vstamp_diag_printf(diag, "%s", strerror(errno));
    return VSTAMP_E_IO;
}

int vstamp_driver_tls(struct vstamp_driver *d, const char *folder, struct vstamp_diag *diag)
{
    struct tls *tls;
    int rv = tls_open(&tls, folder, d->tls_by, diag);
    if (rv != 0) return rv;
    tls_close(d->tls);
    d->tls = tls;
    for (size_t i = 0; i < d->n_peers; i++) d->peers[i].link.tls = tls;
    return 0;
}

struct vstamp_driver *driver_beside(struct vstamp_driver *d, uint32_t in_flight,
                                    const struct session *session)
{
    const struct vstamp_client_config config = {.in_flight = in_flight};
    struct address members[VSTAMP_REPLICAS_MAX];
    follow(d);
    size_t n = vstamp_client_n_replicas(d->client);
    for (size_t i = 0; i < n; i++) members[i] = d->peers[i].link.address;
    struct vstamp_driver *beside = make_driver(members, n, d->tls, d->tls_by, &config);
    if (beside == NULL) return NULL;
    driver_begin_at(beside, d->begin, d->n_begin);
    proxy_learn(beside->client, session);
    return beside;
}

void vstamp_driver_close(struct vstamp_driver *d)
{
    if (d == NULL) return;
    d->in_turn = d->closes = true;
    vstamp_client_time(d->client, UINT64_MAX); /* no call has more time than that */
    forget_peers(d);
    tls_close(d->tls);
    if (!d->has_joined) close(d->epoll);
    free(d->answer);
    free(d->client);
    free(d);
}

struct vstamp_client *vstamp_driver_client(struct vstamp_driver *d)
{
    return d->client;
}

/* --- connections ------------------------------------------------------------------------------ */

static void close_peer(struct peer *peer, int error)
{
    link_close(&peer->link, error);
    peer->owes = false;
}

static void lose(struct vstamp_driver *d, uint32_t index, int error)
{
    close_peer(&d->peers[index], error);
    if (error == EPROTO && d->peers[index].link.is_barred) proxy_bar(d->client);
    vstamp_client_down(d->client, index, vstamp_driver_now_ms());
}

/* Has this connection something to do by itself, at due_ms? */
static bool is_waiting(const struct vstamp_driver *d, uint32_t index)
{
    const struct link *l = &d->peers[index].link;
    return l->state == LINK_CONNECTING || l->state == LINK_SECURING ||
           (l->state == LINK_CLOSED && vstamp_client_wants(d->client, index));
}

static void connect_wanted(struct vstamp_driver *d, uint64_t now_ms)
{
    for (uint32_t i = 0; i < d->n_peers; i++) {
        struct link *l = &d->peers[i].link;
        if (!is_waiting(d, i) || now_ms < l->due_ms) continue;
        int error = l->state == LINK_CLOSED ? link_begin(l) : link_on_time(l);
        if (error != 0) lose(d, i, error);
    }
}

static void finish_connect(struct vstamp_driver *d, uint32_t index)
{
    int error = link_finish(&d->peers[index].link);
    if (error != 0) lose(d, index, error);
}

/* Frames leave until no more are due (0), the socket takes no more (EAGAIN) or it fails. */
static int write_frames(struct vstamp_driver *d, uint32_t index)
{
    struct link *l = &d->peers[index].link;
    for (;;) {
        int error = link_flush(l);
        if (error != 0) return error;
        size_t size = vstamp_client_output_size(d->client, index);
        if (size == 0) return 0;
        if (!link_make_out_room(l, size)) return ENOMEM;
        l->out_size = vstamp_client_output(d->client, index, l->out, l->out_capacity);
        d->peers[index].owes = true;
    }
}

static void write_due(struct vstamp_driver *d, uint32_t index)
{
    if (d->peers[index].link.state != LINK_UP) return;
    int error = write_frames(d, index);
    if (error != 0 && error != EAGAIN) lose(d, index, error);
}

/* Something else than a replica listens there. */
static void note_senseless(struct peer *peer)
{
    const struct link *l = &peer->link;
    const uint8_t *at = l->in + l->in_used;
    size_t n = 0;
    for (; n < l->in_size - l->in_used && n < SAID_MAX && at[n] != '\r' && at[n] != '\n'; n++)
        peer->said[n] = at[n] >= ' ' && at[n] <= '~' ? (char)at[n] : '?';
    peer->said[n] = '\0';
}

static void read_some(struct vstamp_driver *d, uint32_t index)
{
    struct peer *peer = &d->peers[index];
    struct link *l = &peer->link;
    int error = link_receive(l);
    if (error != EAGAIN) {
        lose(d, index, error);
        return;
    }
    size_t used, wanted;
    uint64_t now_ms = vstamp_driver_now_ms();
    int rv = vstamp_client_input(d->client, index, l->in + l->in_used, l->in_size - l->in_used,
                                 now_ms, &used, &wanted);
    l->in_used += used;
    peer->read_ms = now_ms;
    if (used > 0) {
        peer->owes = false;
        peer->answered = true;
        peer->said[0] = l->why[0] = '\0';
    }
    bool begins = wire_frame_begins((struct bytes){l->in + l->in_used, l->in_size - l->in_used});
    if (!begins) note_senseless(peer);
    if (rv == 0 && begins) l->in_wanted = wanted;
    else lose(d, index, EPROTO);
}

/* Notice connections that ended while nothing was in flight, so that nothing is sent into them. */
static void refresh(struct vstamp_driver *d)
{
    uint64_t now_ms = vstamp_driver_now_ms();
    follow(d);
    for (uint32_t i = 0; i < d->n_peers; i++) {
        struct peer *peer = &d->peers[i];
        struct link *l = &peer->link;
        if (l->state != LINK_UP || now_ms - peer->read_ms < FRESH_MS) continue;
        if (link_receive(l) == EAGAIN) continue; /* late answers are passed over */
        close_peer(peer, 0);
        l->due_ms = 0;
    }
}

void driver_adopt(struct vstamp_driver *d, struct session *session)
{
    refresh(d);
    proxy_adopt(d->client, session);
}

/* --- the loop --------------------------------------------------------------------------------- */

int vstamp_driver_call(struct vstamp_driver *d, enum vstamp_task task, const void *operation,
                       size_t size, uint64_t timeout_ms, vstamp_reply_fn *reply, void *context)
{
    if (d->closes) return VSTAMP_E_INVALID;
    if (!d->in_turn && proxy_is_idle(d->client)) refresh(d);
    uint64_t now_ms = vstamp_driver_now_ms();
    uint64_t deadline_ms = timeout_ms < UINT64_MAX - now_ms ? now_ms + timeout_ms : UINT64_MAX;
    return vstamp_client_call(d->client, task, operation, size, now_ms, deadline_ms, reply,
                              context);
}

/* A descriptor that is closed has left epoll by itself, and its number may be that of the next one;
 * so it is the link that knows.  0, or an errno. */
static int watch(struct vstamp_driver *d, uint32_t index)
{
    struct link *l = &d->peers[index].link;
    struct epoll_event event = {.events = link_waits_to_write(l) ? EPOLLIN | EPOLLOUT : EPOLLIN,
                                .data.u64 = (uint64_t)d->number << 32 | index};
    if (l->fd < 0 || l->watched == event.events) return 0;
    int change = l->watched == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
    if (epoll_ctl(d->epoll, change, l->fd, &event) != 0) return errno;
    l->watched = event.events;
    return 0;
}

static void watch_all(struct vstamp_driver *d)
{
    for (uint32_t i = 0; i < d->n_peers; i++) {
        int error = watch(d, i);
        if (error != 0) lose(d, i, error);
    }
}

void driver_join(struct vstamp_driver *d, int epoll, uint32_t number)
{
    assert(!d->has_joined);
    close(d->epoll);
    d->epoll = epoll;
    d->has_joined = true;
    d->number = number;
}

uint32_t driver_number(const struct epoll_event *event)
{
    return (uint32_t)(event->data.u64 >> 32);
}

/* When there is something to do, though nothing happens; 0: at once. */
static uint64_t wake_ms(const struct vstamp_driver *d)
{
    uint64_t least_ms = vstamp_client_wake(d->client);
    if (has_moved(d)) return 0;
    for (uint32_t i = 0; i < d->n_peers; i++) {
        const struct link *l = &d->peers[i].link;
        if (is_waiting(d, i) && l->due_ms < least_ms) least_ms = l->due_ms;
        if (l->state == LINK_UP && !link_waits_to_write(l) &&
            vstamp_client_output_size(d->client, i) > 0)
            return 0; /* a call was begun since it was written to */
    }
    return least_ms;
}

uint64_t driver_advance(struct vstamp_driver *d)
{
    d->in_turn = true;
    follow(d);
    connect_wanted(d, vstamp_driver_now_ms());
    for (uint32_t i = 0; i < d->n_peers; i++) write_due(d, i);
    watch_all(d);
    d->in_turn = false;
    return wake_ms(d);
}

/* What happened to a connection that is no longer there happened to nobody. */
void driver_on_event(struct vstamp_driver *d, const struct epoll_event *event)
{
    uint32_t index = (uint32_t)event->data.u64;
    if (has_moved(d) || index >= d->n_peers || d->peers[index].link.fd < 0) return;
    d->in_turn = true;
    if (link_is_rising(&d->peers[index].link)) finish_connect(d, index);
    else if ((event->events & ~(uint32_t)EPOLLOUT) != 0) read_some(d, index);
    d->in_turn = false;
}

void driver_on_time(struct vstamp_driver *d)
{
    d->in_turn = true;
    vstamp_client_time(d->client, vstamp_driver_now_ms());
    d->in_turn = false;
}

/* As poll(2) takes it. */
static int timeout(uint64_t until_ms)
{
    uint64_t now_ms = vstamp_driver_now_ms();
    if (until_ms == UINT64_MAX) return -1;
    if (until_ms <= now_ms) return 0;
    return until_ms - now_ms > WAIT_MS_MAX ? (int)WAIT_MS_MAX : (int)(until_ms - now_ms);
}

int vstamp_driver_timeout(const struct vstamp_driver *d)
{
    return timeout(wake_ms(d));
}

/* Wait once, and do what there is to do.  Nobody may come back before its descriptor is ready: so
 * what callbacks began is sent, too.  0, or the errno of a wait that failed. */
static int turn(struct vstamp_driver *d, int timeout_ms)
{
    struct epoll_event events[VSTAMP_PEERS_MAX];
    int own_ms = timeout(driver_advance(d));
    if (timeout_ms < 0 || (own_ms >= 0 && own_ms < timeout_ms)) timeout_ms = own_ms;
    int n = epoll_wait(d->epoll, events, VSTAMP_PEERS_MAX, timeout_ms);
    int error = n < 0 ? errno : 0;
    for (int i = 0; i < n; i++) driver_on_event(d, &events[i]);
    driver_on_time(d);
    driver_advance(d);
    return error;
}

/* For who waits until a call has ended.  Where nothing can be waited for, as the process has closed
 * the descriptor, no answer will come: all calls end. */
static void turn_to_an_end(struct vstamp_driver *d)
{
    int error = turn(d, -1);
    if (error == 0 || error == EINTR) return;
    d->in_turn = true;
    vstamp_client_time(d->client, UINT64_MAX);
    d->in_turn = false;
}

int vstamp_driver_wait(struct vstamp_driver *d, int timeout_ms)
{
    if (d->in_turn) return VSTAMP_E_INVALID; /* from a callback */
    return turn(d, timeout_ms) == 0 ? 0 : VSTAMP_E_IO;
}

int vstamp_driver_fd(struct vstamp_driver *d)
{
    return d->epoll;
}

int vstamp_driver_finish(struct vstamp_driver *d)
{
    int rv = 0;
    while (rv == 0 && !proxy_is_idle(d->client)) rv = vstamp_driver_wait(d, -1);
    return rv;
}

struct question {
    struct vstamp_driver *driver;
    struct vstamp_reply *reply;
    bool ended;
};

static struct vstamp_reply failure(int err, const char *why)
{
    return (struct vstamp_reply){
        .err = err, .body = (const uint8_t *)why, .size = strlen(why)};
}

/* The body lies in a buffer of the connection, which the next bytes overwrite. */
static void keep_answer(void *context, const struct vstamp_reply *reply)
{
    struct question *q = context;
    struct vstamp_driver *d = q->driver;
    *q->reply = *reply;
    q->ended = true;
    if (reply->size == 0) return;
    if (link_reserve(&d->answer, &d->answer_capacity, reply->size)) {
        memcpy(d->answer, reply->body, reply->size);
        q->reply->body = d->answer;
    } else {
        *q->reply = failure(VSTAMP_E_IO, "");
        q->reply->may_have_run = reply->err == 0 || reply->may_have_run;
    }
}

int vstamp_driver_ask(struct vstamp_driver *d, enum vstamp_task task, const void *operation,
                      size_t size, uint64_t timeout_ms, struct vstamp_reply *reply)
{
    struct question q = {.driver = d, .reply = reply};
    if (d->in_turn) {
        *reply = failure(VSTAMP_E_INVALID, "a callback cannot wait for an answer: begin a call");
        return reply->err;
    }
    int rv = vstamp_driver_call(d, task, operation, size, timeout_ms, keep_answer, &q);
    if (rv != 0) *reply = failure(rv, "");
    while (rv == 0 && !q.ended) turn_to_an_end(d);
    return reply->err;
}

static void note_failure(void *context, const struct vstamp_reply *reply)
{
    int *err = context;
    if (reply->err != 0) *err = reply->err;
}

/* All registrations are begun before any is waited for, so each takes another session. */
int vstamp_driver_settle(struct vstamp_driver *d, uint64_t timeout_ms)
{
    int err = 0;
    if (d->in_turn) return VSTAMP_E_INVALID;
    if (!proxy_is_idle(d->client)) return VSTAMP_E_IN_FLIGHT;
    while (vstamp_client_room(d->client) > 0)
        vstamp_driver_call(d, VSTAMP_REGISTER, NULL, 0, timeout_ms, note_failure, &err);
    while (!proxy_is_idle(d->client)) turn_to_an_end(d);
    return err;
}

static const char *peer_text(const struct vstamp_driver *d, uint32_t index, char text[TEXT_MAX])
{
    const struct peer *peer = &d->peers[index];
    const struct link *l = &peer->link;
    uint8_t said = has_moved(d) ? 0 : proxy_said(d->client, index);
    if (said != 0) {
        const char *words = proxy_words(d->client, index), *name = wire_reject_reason_name(said);
        return words[0] != '\0' ? words : name != NULL ? name : "refused";
    }
    if (peer->said[0] != '\0') {
        snprintf(text, TEXT_MAX, "what answers there is not a vstamp replica, it says '%s': is "
                 "the port right?", peer->said);
        return text;
    }
    if (link_is_rising(l) && l->error == EPROTO && l->why[0] != '\0') return l->why; /* once more */
    if (l->state == LINK_RESOLVING) return "its name is being looked up";
    if (l->state == LINK_CONNECTING) return "does not accept the connection";
    if (l->state == LINK_SECURING) return "accepts the connection, but does not begin TLS";
    if (l->state == LINK_UP && l->why[0] != '\0') return l->why; /* of a moment ago */
    if (l->state == LINK_UP && peer->owes)
        return peer->answered ? "connected, but no answer"
                              : "connected, but no answer: it hangs, or is not a vstamp replica";
    if (l->state == LINK_UP) return "connected";
    return l->error != 0 || l->closed_by_peer ? link_explain(l) : "not asked";
}

void vstamp_driver_explain(const struct vstamp_driver *d, char *text, size_t size)
{
    size_t used = 0;
    if (size > 0) text[0] = '\0';
    for (uint32_t i = 0; i < d->n_peers && used < size; i++) {
        char own[TEXT_MAX];
        int n = snprintf(text + used, size - used, "%s%s: %s", i > 0 ? "; " : "",
                         d->peers[i].link.address.text, peer_text(d, i, own));
        used += n > 0 ? (size_t)n : 0;
    }
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* Sockets around the pure client, one for each replica.  They do not block: the caller waits, with
 * the functions of this file or in a loop of its own.
 *
 *   vstamp_client_wants                   connect
 *   a connection that is up, all written  vstamp_client_output, as much as is due
 *   bytes                                 vstamp_client_input
 *   broken, refused, senseless            vstamp_client_down, and a pause
 *   the epoch has risen                   all connections are closed, the peers are others
 *
 * Frames are handed over only when those before have left, so a slow link carries no copies that
 * nobody waits for.  An answer is left in its input buffer until the next read; so nothing that a
 * callback may do reads from a socket. */
#include <config.h>

#include "driver/driver.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/assert.h"
#include "proxy/proxy.h"
#include "wire/schema.h"

#define RECONNECT_PAUSE_MS 50u
#define READ_BYTES_MIN     65536u
#define WRITE_BYTES_MIN    65536u
#define FRESH_MS           20u /* what was read from so recently is taken to be there */
#define WAIT_MS_MAX        60000u
#define NOWHERE            "?" /* an address that makes no sense here */
#define SAID_MAX           32u /* of what is no frame, shown to people */
#define TEXT_MAX           160u

enum peer_state { PEER_CLOSED, PEER_CONNECTING, PEER_UP };

struct peer {
    struct address address;
    struct addrinfo *resolved; /* all that the host name stands for */
    struct addrinfo *next;     /* the one to try next */
    enum peer_state state;
    int fd;
    uint64_t retry_ms; /* not to be connected before */
    uint64_t read_ms;  /* something came */
    int error;         /* errno of the newest failure, or a getaddrinfo code if negative */
    bool closed_by_peer;
    bool owes; /* something was sent since anything came */
    bool answered;           /* a frame has come from there, ever */
    char said[SAID_MAX + 1]; /* what came instead of one, empty: nothing */
    uint8_t *in;
    size_t in_capacity, in_size, in_used; /* in_used: frames that the client is done with */
    size_t in_wanted;                     /* of the frame that has begun, 0: not known */
    uint8_t *out;
    size_t out_capacity, out_size, out_sent;
};

struct vstamp_driver {
    struct vstamp_client *client;
    uint32_t epoch;
    bool in_turn; /* connections are being worked on, and callbacks come from there */
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

/* False: out of memory, and the buffer is as it was. */
static bool reserve(uint8_t **buffer, size_t *capacity, size_t wanted)
{
    if (*capacity >= wanted) return true;
    uint8_t *larger = realloc(*buffer, wanted);
    if (larger == NULL) return false;
    *buffer = larger;
    *capacity = wanted;
    return true;
}

/* --- open and close --------------------------------------------------------------------------- */

static void draw(struct vstamp_client_config *config)
{
    while (vstamp_id_is_zero(config->first))
        if (getrandom(&config->first, sizeof config->first, 0) != sizeof config->first) abort();
    while (config->seed == 0)
        if (getrandom(&config->seed, sizeof config->seed, 0) != sizeof config->seed) abort();
    if (config->registration == 0) config->registration = 1;
}

static void add_peer(struct vstamp_driver *d, const struct address *address)
{
    d->peers[d->n_peers++] = (struct peer){.address = *address, .fd = -1};
}

static bool is_peer(const struct vstamp_driver *d, const struct address *address)
{
    for (size_t i = 0; i < d->n_peers; i++)
        if (strcmp(d->peers[i].address.text, address->text) == 0) return true;
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

struct vstamp_driver *driver_new(const struct address *replicas, size_t n,
                                 const struct vstamp_client_config *config)
{
    assert(n > 0 && n <= VSTAMP_REPLICAS_MAX);
    struct vstamp_client_config full = {.in_flight = 1};
    if (config != NULL) full = *config;
    full.n_replicas = (uint32_t)n;
    draw(&full);
    struct vstamp_driver *d = calloc(1, sizeof *d);
    size_t size = vstamp_client_size(&full);
    void *memory = aligned_alloc(64, (size + 63) / 64 * 64);
    if (d == NULL || memory == NULL) {
        free(d);
        free(memory);
        return NULL;
    }
    memset(memory, 0, size);
    d->client = vstamp_client_new(&full, memory);
    for (size_t i = 0; i < n; i++) add_peer(d, &replicas[i]);
    driver_begin_at(d, replicas, n);
    return d;
}

int vstamp_driver_open(struct vstamp_driver **driver, const char *replicas,
                       const struct vstamp_client_config *config, struct vstamp_diag *diag)
{
    struct address at[VSTAMP_REPLICAS_MAX];
    struct vstamp_client_config full = {0};
    size_t n = 0;
    *driver = NULL;
    if (config != NULL) full = *config;
    if (full.in_flight == 0) full.in_flight = 1;
    if (full.in_flight > VSTAMP_IN_FLIGHT_MAX) {
        vstamp_diag_printf(diag, "in_flight is %" PRIu32 ": at most %u calls may be at a time",
                           full.in_flight, VSTAMP_IN_FLIGHT_MAX);
        return VSTAMP_E_CONFIG;
    }
    for (const char *word = replicas;; word++) {
        char text[sizeof at[0].text];
        size_t size = strcspn(word, ",");
        if (n == VSTAMP_REPLICAS_MAX || size >= sizeof text) {
            vstamp_diag_printf(diag, "%.60s: expected up to %u addresses, HOST:PORT,HOST:PORT,...",
                               replicas, VSTAMP_REPLICAS_MAX);
            return VSTAMP_E_CONFIG;
        }
        memcpy(text, word, size);
        text[size] = '\0';
        int rv = address_parse(&at[n++], text, diag);
        if (rv != 0) return rv;
        word += size;
        if (*word == '\0') break;
    }
    *driver = driver_new(at, n, &full);
    if (*driver != NULL) return 0;
    vstamp_diag_printf(diag, "out of memory");
    return VSTAMP_E_IO;
}

static void forget_peers(struct vstamp_driver *d)
{
    for (size_t i = 0; i < d->n_peers; i++) {
        struct peer *peer = &d->peers[i];
        if (peer->fd >= 0) close(peer->fd);
        if (peer->resolved != NULL) freeaddrinfo(peer->resolved);
        free(peer->in);
        free(peer->out);
    }
    d->n_peers = 0;
}

void vstamp_driver_close(struct vstamp_driver *d)
{
    if (d == NULL) return;
    forget_peers(d);
    free(d->answer);
    free(d->client);
    free(d);
}

struct vstamp_client *vstamp_driver_client(struct vstamp_driver *d)
{
    return d->client;
}

/* --- connections ------------------------------------------------------------------------------ */

static void peer_close(struct peer *peer, int error)
{
    if (peer->fd >= 0) close(peer->fd);
    peer->fd = -1;
    peer->state = PEER_CLOSED;
    peer->error = error;
    peer->closed_by_peer = error == 0;
    peer->owes = false;
    peer->retry_ms = vstamp_driver_now_ms() + RECONNECT_PAUSE_MS;
    peer->in_size = peer->in_used = peer->in_wanted = 0;
    peer->out_size = peer->out_sent = 0;
}

static void peer_lost(struct vstamp_driver *d, uint32_t index, int error)
{
    peer_close(&d->peers[index], error);
    vstamp_client_down(d->client, index, vstamp_driver_now_ms());
}

/* False: this host has no address. */
static bool peer_resolve(struct peer *peer)
{
    if (peer->resolved != NULL) return true;
    peer->error = 0;
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    int rv = getaddrinfo(peer->address.host, peer->address.port_text, &hints, &peer->resolved);
    if (rv == 0) return true;
    peer->resolved = NULL;
    peer->error = rv; /* EAI_* are negative */
    return false;
}

/* Begin to connect to the next of the peer's addresses.  Returns 0 or an errno. */
static int peer_connect(struct peer *peer)
{
    struct addrinfo *to = peer->next;
    peer->next = to->ai_next;
    peer->fd = socket(to->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (peer->fd < 0) return errno;
    const int on = 1; /* what is due leaves in one write: nothing is gained by waiting for more */
    setsockopt(peer->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(peer->fd, to->ai_addr, to->ai_addrlen) == 0) {
        peer->state = PEER_UP;
    } else if (errno == EINPROGRESS) {
        peer->state = PEER_CONNECTING;
    } else {
        return errno;
    }
    return 0;
}

/* The address that was tried does not answer: the next, or the peer is down. */
static void peer_try(struct vstamp_driver *d, uint32_t index, int error)
{
    struct peer *peer = &d->peers[index];
    while (peer->next != NULL) {
        if (peer->fd >= 0) close(peer->fd);
        peer->fd = -1;
        error = peer_connect(peer);
        if (error == 0) return;
    }
    peer_lost(d, index, error);
}

static void connect_wanted(struct vstamp_driver *d, uint64_t now_ms)
{
    for (uint32_t i = 0; i < d->n_peers; i++) {
        struct peer *peer = &d->peers[i];
        if (peer->state != PEER_CLOSED || now_ms < peer->retry_ms) continue;
        if (!vstamp_client_wants(d->client, i)) continue;
        if (!peer_resolve(peer)) {
            peer_lost(d, i, peer->error);
            continue;
        }
        peer->next = peer->resolved;
        peer_try(d, i, 0);
    }
}

static void peer_finish_connect(struct vstamp_driver *d, uint32_t index)
{
    struct peer *peer = &d->peers[index];
    int error = 0;
    socklen_t size = sizeof error;
    if (getsockopt(peer->fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0) error = errno;
    if (error == 0) {
        peer->state = PEER_UP;
        peer->closed_by_peer = false;
    } else {
        peer_try(d, index, error);
    }
}

/* --- out -------------------------------------------------------------------------------------- */

/* False: all that is due was written, or the connection was lost. */
static bool peer_flush(struct vstamp_driver *d, uint32_t index)
{
    struct peer *peer = &d->peers[index];
    while (peer->out_sent < peer->out_size) {
        ssize_t n = send(peer->fd, peer->out + peer->out_sent, peer->out_size - peer->out_sent,
                         MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return true;
        if (n < 0) {
            peer_lost(d, index, errno);
            return false;
        }
        peer->out_sent += (size_t)n;
    }
    peer->out_size = peer->out_sent = 0;
    return false;
}

static void peer_write(struct vstamp_driver *d, uint32_t index)
{
    struct peer *peer = &d->peers[index];
    while (peer->state == PEER_UP && !peer_flush(d, index)) {
        size_t need = vstamp_client_output_size(d->client, index);
        if (need == 0 || peer->state != PEER_UP) return;
        if (need < WRITE_BYTES_MIN) need = WRITE_BYTES_MIN;
        if (!reserve(&peer->out, &peer->out_capacity, need)) {
            peer_lost(d, index, ENOMEM);
            return;
        }
        peer->out_size = vstamp_client_output(d->client, index, peer->out, peer->out_capacity);
        peer->owes = true;
    }
}

/* --- in --------------------------------------------------------------------------------------- */

/* Room for the rest of the frame that has begun; the frames before it are done with.  False: out of
 * memory. */
static bool peer_make_room(struct peer *peer)
{
    assert(peer->in_used <= peer->in_size);
    if (peer->in_used > 0) {
        memmove(peer->in, peer->in + peer->in_used, peer->in_size - peer->in_used);
        peer->in_size -= peer->in_used;
        peer->in_used = 0;
    }
    size_t want = peer->in_size + READ_BYTES_MIN;
    if (want < peer->in_wanted) want = peer->in_wanted;
    return reserve(&peer->in, &peer->in_capacity, want);
}

/* Read once.  EAGAIN: the connection is there; else it ended, with this errno, or 0: by the other
 * end. */
static int peer_receive(struct peer *peer)
{
    if (!peer_make_room(peer)) return ENOMEM;
    ssize_t n = recv(peer->fd, peer->in + peer->in_size, peer->in_capacity - peer->in_size, 0);
    if (n == 0) return 0;
    if (n < 0) return errno == EINTR || errno == EWOULDBLOCK ? EAGAIN : errno;
    peer->in_size += (size_t)n;
    return EAGAIN;
}

/* The client's numbers of replicas no longer fit the peers. */
static bool has_moved(const struct vstamp_driver *d)
{
    return vstamp_client_epoch(d->client) != d->epoch;
}

/* Not before the next turn, as an answer may lie in a peer's buffer.  An address that makes no
 * sense here is that of a peer who cannot be reached. */
static void follow(struct vstamp_driver *d)
{
    if (!has_moved(d)) return;
    d->epoch = vstamp_client_epoch(d->client);
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

/* Something else than a replica listens there. */
static void note_senseless(struct peer *peer)
{
    const uint8_t *at = peer->in + peer->in_used;
    size_t n = 0;
    for (; n < peer->in_size - peer->in_used && n < SAID_MAX && at[n] != '\r' && at[n] != '\n'; n++)
        peer->said[n] = at[n] >= ' ' && at[n] <= '~' ? (char)at[n] : '?';
    peer->said[n] = '\0';
}

static void peer_read(struct vstamp_driver *d, uint32_t index)
{
    struct peer *peer = &d->peers[index];
    int error = peer_receive(peer);
    if (error != EAGAIN) {
        peer_lost(d, index, error);
        return;
    }
    size_t used, wanted;
    uint64_t now_ms = vstamp_driver_now_ms();
    int rv = vstamp_client_input(d->client, index, peer->in + peer->in_used,
                                 peer->in_size - peer->in_used, now_ms, &used, &wanted);
    peer->in_used += used;
    peer->read_ms = now_ms;
    if (used > 0) {
        peer->owes = false;
        peer->answered = true;
        peer->said[0] = '\0';
    }
    struct bytes rest = {peer->in + peer->in_used, peer->in_size - peer->in_used};
    bool begins = wire_frame_begins(rest);
    if (!begins) note_senseless(peer);
    if (rv != 0 || !begins) {
        peer_lost(d, index, EPROTO);
    } else {
        peer->in_wanted = wanted;
    }
}

void driver_refresh(struct vstamp_driver *d)
{
    uint64_t now_ms = vstamp_driver_now_ms();
    follow(d);
    for (uint32_t i = 0; i < d->n_peers; i++) {
        struct peer *peer = &d->peers[i];
        if (peer->state != PEER_UP || now_ms - peer->read_ms < FRESH_MS) continue;
        if (peer_receive(peer) == EAGAIN) continue; /* late answers are passed over */
        peer_close(peer, 0);
        peer->retry_ms = 0;
    }
}

void driver_adopt(struct vstamp_driver *d, struct session *session)
{
    driver_refresh(d);
    proxy_adopt(d->client, session);
    d->epoch = vstamp_client_epoch(d->client);
}

const char *driver_member(const struct vstamp_driver *d, uint32_t replica)
{
    const char *text = vstamp_client_address(d->client, replica);
    if (text != NULL) return text;
    return has_moved(d) ? NOWHERE : d->peers[replica].address.text;
}

struct vstamp_driver *driver_beside(struct vstamp_driver *d, uint32_t in_flight,
                                    const struct session *session)
{
    const struct vstamp_client_config config = {.in_flight = in_flight};
    struct address members[VSTAMP_REPLICAS_MAX];
    follow(d);
    size_t n = vstamp_client_n_replicas(d->client);
    for (size_t i = 0; i < n; i++) members[i] = d->peers[i].address;
    struct vstamp_driver *beside = driver_new(members, n, &config);
    if (beside == NULL) return NULL;
    driver_begin_at(beside, d->begin, d->n_begin);
    proxy_learn(beside->client, session);
    return beside;
}

/* --- the loop --------------------------------------------------------------------------------- */

int vstamp_driver_call(struct vstamp_driver *d, enum vstamp_task task, const void *operation,
                       size_t size, uint64_t timeout_ms, vstamp_reply_fn *reply, void *context)
{
    if (!d->in_turn && proxy_is_idle(d->client)) driver_refresh(d);
    uint64_t now_ms = vstamp_driver_now_ms();
    uint64_t deadline_ms = timeout_ms < UINT64_MAX - now_ms ? now_ms + timeout_ms : UINT64_MAX;
    return vstamp_client_call(d->client, task, operation, size, now_ms, deadline_ms, reply,
                              context);
}

size_t vstamp_driver_polls(struct vstamp_driver *d, struct pollfd *polls)
{
    d->in_turn = true;
    follow(d);
    connect_wanted(d, vstamp_driver_now_ms());
    for (uint32_t i = 0; i < d->n_peers; i++) peer_write(d, i);
    for (uint32_t i = 0; i < d->n_peers; i++) {
        const struct peer *peer = &d->peers[i];
        bool writes = peer->state == PEER_CONNECTING || peer->out_size > 0;
        polls[i] = (struct pollfd){.fd = peer->fd, .events = writes ? POLLIN | POLLOUT : POLLIN};
    }
    d->in_turn = false;
    return d->n_peers;
}

int vstamp_driver_timeout(const struct vstamp_driver *d)
{
    uint64_t now_ms = vstamp_driver_now_ms(), wake_ms = vstamp_client_wake(d->client);
    for (uint32_t i = 0; i < d->n_peers; i++) {
        const struct peer *peer = &d->peers[i];
        if (peer->state == PEER_CLOSED && peer->retry_ms < wake_ms &&
            vstamp_client_wants(d->client, i))
            wake_ms = peer->retry_ms;
    }
    if (wake_ms == UINT64_MAX) return -1;
    if (wake_ms <= now_ms) return 0;
    return wake_ms - now_ms > WAIT_MS_MAX ? (int)WAIT_MS_MAX : (int)(wake_ms - now_ms);
}

void vstamp_driver_turn(struct vstamp_driver *d, const struct pollfd *polls)
{
    d->in_turn = true;
    for (uint32_t i = 0; i < d->n_peers && !has_moved(d); i++) {
        const struct peer *peer = &d->peers[i];
        if (peer->fd < 0 || polls[i].fd != peer->fd || polls[i].revents == 0) continue;
        if (peer->state == PEER_CONNECTING)
            peer_finish_connect(d, i);
        else if ((polls[i].revents & ~POLLOUT) != 0)
            peer_read(d, i);
    }
    vstamp_client_time(d->client, vstamp_driver_now_ms());
    d->in_turn = false;
}

int vstamp_driver_wait(struct vstamp_driver *d, int timeout_ms)
{
    if (d->in_turn) return VSTAMP_E_INVALID; /* from a callback */
    struct pollfd polls[VSTAMP_PEERS_MAX];
    size_t n = vstamp_driver_polls(d, polls);
    int own_ms = vstamp_driver_timeout(d);
    if (timeout_ms < 0 || (own_ms >= 0 && own_ms < timeout_ms)) timeout_ms = own_ms;
    if (poll(polls, n, timeout_ms) < 0) return VSTAMP_E_IO;
    vstamp_driver_turn(d, polls);
    return 0;
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

/* The body lies in a buffer of the connection, which the next bytes overwrite. */
static void keep_answer(void *context, const struct vstamp_reply *reply)
{
    struct question *q = context;
    struct vstamp_driver *d = q->driver;
    *q->reply = *reply;
    q->ended = true;
    if (reply->size == 0) return;
    if (reserve(&d->answer, &d->answer_capacity, reply->size)) {
        memcpy(d->answer, reply->body, reply->size);
        q->reply->body = d->answer;
    } else {
        *q->reply = (struct vstamp_reply){.err = VSTAMP_E_IO, .may_have_run = reply->err == 0};
    }
}

int vstamp_driver_ask(struct vstamp_driver *d, enum vstamp_task task, const void *operation,
                      size_t size, uint64_t timeout_ms, struct vstamp_reply *reply)
{
    static const char nested[] = "a callback cannot wait for an answer: begin a call";
    struct question q = {.driver = d, .reply = reply};
    if (d->in_turn) {
        *reply = (struct vstamp_reply){.err = VSTAMP_E_INVALID,
                                       .body = (const uint8_t *)nested,
                                       .size = sizeof nested - 1};
        return reply->err;
    }
    int rv = vstamp_driver_call(d, task, operation, size, timeout_ms, keep_answer, &q);
    if (rv != 0) *reply = (struct vstamp_reply){.err = rv};
    while (rv == 0 && !q.ended) vstamp_driver_wait(d, -1); /* which ends with the time-out */
    return reply->err;
}

static const char *peer_text(const struct vstamp_driver *d, uint32_t index, char text[TEXT_MAX])
{
    const struct peer *peer = &d->peers[index];
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
    if (peer->state == PEER_CONNECTING) return "does not accept the connection";
    if (peer->state == PEER_UP && peer->owes)
        return peer->answered ? "connected, but no answer"
                              : "connected, but no answer: it hangs, or is not a vstamp replica";
    if (peer->state == PEER_UP) return "connected";
    if (peer->error < 0) return gai_strerror(peer->error);
    if (peer->error != 0) return strerror(peer->error);
    return peer->closed_by_peer ? "closed the connection" : "not asked";
}

void vstamp_driver_explain(const struct vstamp_driver *d, char *text, size_t size)
{
    size_t used = 0;
    if (size > 0) text[0] = '\0';
    for (uint32_t i = 0; i < d->n_peers && used < size; i++) {
        char own[TEXT_MAX];
        const char *why = peer_text(d, i, own);
        int n = snprintf(text + used, size - used, "%s%s: %c%s", i > 0 ? "; " : "",
                         d->peers[i].address.text, tolower((unsigned char)why[0]),
                         why + 1); /* strerror begins like a sentence */
        used += n > 0 ? (size_t)n : 0;
    }
}

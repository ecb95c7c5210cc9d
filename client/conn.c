/* SPDX-License-Identifier: BSD-2-Clause */
/* One socket a replica, one poll over all, until the session has ended.
 *
 *   session_wants                            connect
 *   a connection that is up, output empty    session_send
 *   a whole frame                            session_on_frame
 *   broken, refused, senseless               session_on_down, and a pause
 *
 * A frame is handed over only when the one before has left, so a slow link carries no copies that
 * nobody waits for.  A replica's answer is left in its input buffer until the next call. */
#include <config.h>

#include "client/conn.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/assert.h"
#include "client/memory.h"

#define RECONNECT_PAUSE_MS 50u
#define READ_BYTES_MIN     65536u

enum peer_state { PEER_CLOSED, PEER_CONNECTING, PEER_UP };

struct peer {
    struct address address;
    struct addrinfo *resolved; /* all that the host name stands for */
    struct addrinfo *next;     /* the one to try next */
    enum peer_state state;
    int fd;
    uint64_t retry_ms; /* not to be connected before */
    int error;         /* errno of the newest failure, or a getaddrinfo code if negative */
    bool closed_by_peer;
    uint8_t *in;
    size_t in_capacity, in_size, in_used; /* in_used: frames that were given to the session */
    uint8_t *out;
    size_t out_capacity, out_size, out_sent;
};

struct conn {
    uint8_t n_peers;
    struct peer peers[REPLICAS_MAX];
    sigset_t signals, signals_before; /* those that end a call; the mask while they do not */
    int signal_fd;
};

uint64_t conn_now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* Those of the three that would end the process. */
static void signals_open(struct conn *conn)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
    sigemptyset(&conn->signals);
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++) {
        struct sigaction action;
        sigaction(signals[i], NULL, &action);
        if (action.sa_handler != SIG_IGN) sigaddset(&conn->signals, signals[i]);
    }
    conn->signal_fd = signalfd(-1, &conn->signals, SFD_CLOEXEC | SFD_NONBLOCK);
}

void conn_hold_signals(struct conn *conn)
{
    sigprocmask(SIG_BLOCK, &conn->signals, &conn->signals_before);
}

void conn_release_signals(struct conn *conn)
{
    sigprocmask(SIG_SETMASK, &conn->signals_before, NULL);
}

struct conn *conn_open(const struct config_addresses *replicas)
{
    assert(replicas->n > 0 && replicas->n <= REPLICAS_MAX);
    struct conn *conn = memory_new(sizeof *conn);
    conn->n_peers = (uint8_t)replicas->n;
    for (uint8_t i = 0; i < conn->n_peers; i++) {
        conn->peers[i].address = replicas->at[i];
        conn->peers[i].fd = -1;
    }
    signals_open(conn);
    return conn;
}

void conn_close(struct conn *conn)
{
    if (conn == NULL) return;
    for (uint8_t i = 0; i < conn->n_peers; i++) {
        struct peer *peer = &conn->peers[i];
        if (peer->fd >= 0) close(peer->fd);
        if (peer->resolved != NULL) freeaddrinfo(peer->resolved);
        free(peer->in);
        free(peer->out);
    }
    if (conn->signal_fd >= 0) close(conn->signal_fd);
    free(conn);
}

void conn_print_replicas(const struct conn *conn, FILE *into)
{
    for (uint8_t i = 0; i < conn->n_peers; i++)
        fprintf(into, "%s%s", i > 0 ? "," : "", conn->peers[i].address.text);
}

static void peer_close(struct peer *peer, int error)
{
    if (peer->fd >= 0) close(peer->fd);
    peer->fd = -1;
    peer->state = PEER_CLOSED;
    peer->error = error;
    peer->closed_by_peer = error == 0;
    peer->retry_ms = conn_now_ms() + RECONNECT_PAUSE_MS;
    peer->in_size = peer->in_used = 0;
    peer->out_size = peer->out_sent = 0;
}

static void peer_lost(struct conn *conn, struct session *s, uint8_t index, int error)
{
    peer_close(&conn->peers[index], error);
    session_on_down(s, index);
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
    const int on = 1; /* a frame is one write: nothing is gained by waiting for more */
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
static void peer_try(struct conn *conn, struct session *s, uint8_t index, int error)
{
    struct peer *peer = &conn->peers[index];
    while (peer->next != NULL) {
        if (peer->fd >= 0) close(peer->fd);
        peer->fd = -1;
        error = peer_connect(peer);
        if (error == 0) return;
    }
    peer_lost(conn, s, index, error);
}

static void connect_wanted(struct conn *conn, struct session *s, uint64_t now_ms)
{
    for (uint8_t i = 0; i < conn->n_peers; i++) {
        struct peer *peer = &conn->peers[i];
        if (peer->state != PEER_CLOSED || !session_wants(s, i) || now_ms < peer->retry_ms) continue;
        if (!peer_resolve(peer)) {
            peer_lost(conn, s, i, peer->error);
            continue;
        }
        peer->next = peer->resolved;
        peer_try(conn, s, i, 0);
    }
}

static void peer_finish_connect(struct conn *conn, struct session *s, uint8_t index)
{
    struct peer *peer = &conn->peers[index];
    int error = 0;
    socklen_t size = sizeof error;
    if (getsockopt(peer->fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0) error = errno;
    if (error == 0) {
        peer->state = PEER_UP;
        peer->closed_by_peer = false;
    } else {
        peer_try(conn, s, index, error);
    }
}

/* Fill the output with the frame that is due, and write what the socket takes. */
static void peer_write(struct conn *conn, struct session *s, uint8_t index)
{
    struct peer *peer = &conn->peers[index];
    if (peer->out_size == 0) {
        size_t need = session_frame_size(s);
        if (peer->out_capacity < need) {
            peer->out = memory_resize(peer->out, need);
            peer->out_capacity = need;
        }
        peer->out_size = session_send(s, index, peer->out, peer->out_capacity);
    }
    while (peer->out_sent < peer->out_size) {
        ssize_t n = send(peer->fd, peer->out + peer->out_sent, peer->out_size - peer->out_sent,
                         MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return;
        if (n < 0) {
            peer_lost(conn, s, index, errno);
            return;
        }
        peer->out_sent += (size_t)n;
    }
    peer->out_size = peer->out_sent = 0;
}

/* Give whole frames to the session until it has ended.  False: the stream makes no sense. */
static bool peer_take_frames(struct peer *peer, struct session *s, uint8_t index)
{
    while (!session_ended(s)) {
        struct bytes left = {peer->in + peer->in_used, peer->in_size - peer->in_used};
        size_t size;
        int rv = wire_frame_size(left, FRAME_BYTES_MAX, &size);
        if (rv == VSTAMP_E_TRUNCATED || (rv == 0 && size > left.size)) return true;
        if (rv != 0) return false;
        peer->in_used += size;
        struct bytes frame = {left.data, size};
        if (session_on_frame(s, index, frame, conn_now_ms()) != 0) return false;
    }
    return true;
}

/* Room for the rest of the frame that has begun; only between calls of the session. */
static void peer_make_room(struct peer *peer)
{
    if (peer->in_used > 0) {
        memmove(peer->in, peer->in + peer->in_used, peer->in_size - peer->in_used);
        peer->in_size -= peer->in_used;
        peer->in_used = 0;
    }
    size_t size = 0;
    struct bytes begun = {peer->in, peer->in_size};
    size_t want = peer->in_size + READ_BYTES_MIN;
    if (wire_frame_size(begun, FRAME_BYTES_MAX, &size) == 0 && size > want) want = size;
    if (peer->in_capacity >= want) return;
    peer->in = memory_resize(peer->in, want);
    peer->in_capacity = want;
}

static void peer_read(struct conn *conn, struct session *s, uint8_t index)
{
    struct peer *peer = &conn->peers[index];
    peer_make_room(peer);
    ssize_t n = recv(peer->fd, peer->in + peer->in_size, peer->in_capacity - peer->in_size, 0);
    if (n < 0 && (errno == EINTR || errno == EAGAIN || errno == EWOULDBLOCK)) return;
    if (n <= 0) {
        peer_lost(conn, s, index, n == 0 ? 0 : errno);
        return;
    }
    peer->in_size += (size_t)n;
    if (!peer_take_frames(peer, s, index)) peer_lost(conn, s, index, EPROTO);
}

/* Before a call: notice connections that ended meanwhile, so that nothing is sent into them.  Late
 * answers that were read here are passed over by the session, which knows its numbers. */
static void peer_refresh(struct peer *peer)
{
    if (peer->state != PEER_UP) return;
    peer_make_room(peer);
    ssize_t n = recv(peer->fd, peer->in + peer->in_size, peer->in_capacity - peer->in_size, 0);
    if (n > 0) peer->in_size += (size_t)n;
    if (n > 0 || (n < 0 && (errno == EINTR || errno == EAGAIN || errno == EWOULDBLOCK))) return;
    peer_close(peer, 0);
    peer->retry_ms = 0;
}

static int poll_timeout(const struct conn *conn, const struct session *s, uint64_t now_ms)
{
    uint64_t wake_ms = session_wake(s);
    for (uint8_t i = 0; i < conn->n_peers; i++) {
        const struct peer *peer = &conn->peers[i];
        if (peer->state == PEER_CLOSED && session_wants(s, i) && peer->retry_ms < wake_ms)
            wake_ms = peer->retry_ms;
    }
    return wake_ms <= now_ms ? 0 : wake_ms - now_ms > 60000 ? 60000 : (int)(wake_ms - now_ms);
}

/* One turn: wait, then do what the sockets allow.  Returns the signal that came, or 0. */
static int turn(struct conn *conn, struct session *s)
{
    struct pollfd polls[REPLICAS_MAX + 1];
    for (uint8_t i = 0; i < conn->n_peers; i++) {
        const struct peer *peer = &conn->peers[i];
        short events = POLLIN;
        if (peer->state == PEER_CONNECTING || peer->out_size > 0) events |= POLLOUT;
        polls[i] = (struct pollfd){.fd = peer->fd, .events = events};
    }
    polls[conn->n_peers] = (struct pollfd){.fd = conn->signal_fd, .events = POLLIN};
    if (poll(polls, conn->n_peers + 1u, poll_timeout(conn, s, conn_now_ms())) < 0) return 0;

    struct signalfd_siginfo signal;
    if ((polls[conn->n_peers].revents & POLLIN) != 0 &&
        read(conn->signal_fd, &signal, sizeof signal) == (ssize_t)sizeof signal)
        return (int)signal.ssi_signo;
    for (uint8_t i = 0; i < conn->n_peers && !session_ended(s); i++) {
        struct peer *peer = &conn->peers[i];
        if (peer->fd < 0 || polls[i].fd != peer->fd || polls[i].revents == 0) continue;
        if (peer->state == PEER_CONNECTING)
            peer_finish_connect(conn, s, i);
        else if ((polls[i].revents & ~POLLOUT) != 0)
            peer_read(conn, s, i);
    }
    return 0;
}

int conn_call(struct conn *conn, struct session *s)
{
    assert(s->n_replicas == conn->n_peers);
    int signal = 0;
    for (uint8_t i = 0; i < conn->n_peers; i++) peer_refresh(&conn->peers[i]);
    while (signal == 0 && !session_ended(s)) {
        connect_wanted(conn, s, conn_now_ms());
        for (uint8_t i = 0; i < conn->n_peers && !session_ended(s); i++)
            if (conn->peers[i].state == PEER_UP) peer_write(conn, s, i);
        if (session_ended(s)) break;
        signal = turn(conn, s);
        session_on_time(s, conn_now_ms());
    }
    return signal;
}

static const char *reject_text(uint8_t reason)
{
    switch ((enum wire_reject_reason)reason) {
#define REJECT_REASON(name, number, word, text) \
    case WIRE_REJECT_##name:                    \
        return word;
#include "wire/requests.def"
#undef REJECT_REASON
    }
    return "refused";
}

static const char *peer_text(const struct peer *peer, const struct session_peer *said)
{
    if (said->said != 0) return reject_text(said->said);
    if (peer->state == PEER_CONNECTING) return "does not accept the connection";
    if (peer->state == PEER_UP) return "connected, but no answer";
    if (peer->error < 0) return gai_strerror(peer->error);
    if (peer->error != 0) return strerror(peer->error);
    return peer->closed_by_peer ? "closed the connection" : "not asked";
}

void conn_explain(const struct conn *conn, const struct session *s, FILE *into)
{
    for (uint8_t i = 0; i < conn->n_peers; i++) {
        const char *text = peer_text(&conn->peers[i], &s->peers[i]);
        fprintf(into, "%s%s: %c%s", i > 0 ? "; " : "", conn->peers[i].address.text,
                tolower((unsigned char)text[0]), text + 1); /* strerror begins like a sentence */
    }
}

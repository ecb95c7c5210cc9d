/* SPDX-License-Identifier: BSD-2-Clause */
#include "replica/peers.h"

#include <string.h>

#include <vstamp/error.h>

#include "base/assert.h"

#define BACKOFF_MS_MIN 50u
#define BACKOFF_MS_MAX 1000u
#define DIAL_MS_MAX    2000u       /* to resolve, connect and exchange hellos */
#define OUT_MAX        (16u << 20) /* what may queue for one replica */
#define COMPLAINT_MS   10000u      /* between two lines about the same stranger */
#define HELLO_SIZE_MAX 1024u
#define NOBODY         UINT32_MAX /* number of a connection that no replica owns (yet) */

static void dial(struct peer *peer);

static bool dials(const struct peer *peer)
{
    return peer->index < peer->peers->config->self;
}

static void on_redial(uv_timer_t *timer)
{
    dial(timer->data);
}

static void dial_later(struct peer *peer)
{
    struct peers *p = peer->peers;
    uint64_t delay_ms = prng_between(&p->jitter, peer->backoff_ms / 2, peer->backoff_ms);

    peer->backoff_ms *= 2;
    if (peer->backoff_ms > BACKOFF_MS_MAX) peer->backoff_ms = BACKOFF_MS_MAX;
    uv_timer_start(&peer->timer, on_redial, delay_ms, 0);
}

/* Once for each absence: a group that starts, or a replica that is down, shall not fill the log. */
static void complain(struct peer *peer, const char *reason)
{
    if (peer->complained) return;
    peer->complained = true;
    log_event(peer->peers->log, LOG_LEVEL_INFO, "peer-unreachable", LOG_NUMBER("peer", peer->index),
              LOG_TEXT("address", peer->address->text), LOG_TEXT("reason", reason));
}

static void send_hello(struct peers *p, struct connection *c)
{
    uint8_t frame[HELLO_SIZE_MAX];
    const struct wire_header header = {.sender = p->config->self};
    struct node_identity identity;
    struct wire_hello hello;
    size_t size;

    node_identity(p->turn->node, &identity);
    hello = (struct wire_hello){
        .group = identity.group,
        .epoch = identity.epoch,
        .address = bytes_of(identity.address),
        .form = identity.form,
        .version = bytes_of(p->config->version),
    };
    size = wire_frame_encode(&header, &wire_shape_hello, &hello, frame, sizeof(frame));
    assert(size > 0);
    connection_send(c, (struct bytes){frame, size});
    connection_flush(c);
}

static void on_over(struct connection *c, const char *reason)
{
    struct peers *p = c->owner->ctx;
    struct peer *peer;

    if (c->number == NOBODY) return;
    peer = &p->at[c->number];
    assert(peer->connection == c);
    peer->connection = NULL;
    if (peer->up) {
        peer->up = false;
        log_event(p->log, LOG_LEVEL_WARN, "peer-disconnected", LOG_NUMBER("peer", peer->index),
                  LOG_TEXT("address", peer->address->text), LOG_TEXT("reason", reason));
        peer->complained = true;
        turn_begin(p->turn);
        node_on_peer_connected(p->turn->node, peer->index, false);
    } else {
        complain(peer, reason);
    }
    if (dials(peer)) dial_later(peer);
}

/* --- hello ------------------------------------------------------------------------------------ */

static int refuse(struct peers *p, struct connection *c, uint32_t sender, const char *reason)
{
    uint64_t *quiet_until_ms = &p->quiet_until_ms[sender < REPLICAS_MAX ? sender : REPLICAS_MAX];
    char address[CONNECTION_ADDRESS_SIZE];

    if (uv_now(p->loop) < *quiet_until_ms) return VSTAMP_E_OTHER_GROUP;
    *quiet_until_ms = uv_now(p->loop) + COMPLAINT_MS;
    connection_address(c, address);
    log_event(p->log, LOG_LEVEL_WARN, "peer-refused", LOG_NUMBER("peer", sender),
              LOG_TEXT("address", address), LOG_TEXT("reason", reason));
    return VSTAMP_E_OTHER_GROUP;
}

static int check_form(struct peers *p, struct connection *c, const struct wire_message *m)
{
    uint32_t from = m->header.sender;

    if (m->as.hello.form != p->config->form)
        return refuse(p, c, from,
                      "its configuration differs from ours in durability, max_clients, "
                      "max_value_bytes, batch_bytes or state_bytes_max: all replicas need the "
                      "same");
    if (from < p->config->n_replicas &&
        !bytes_equal(m->as.hello.address, bytes_of(p->config->addresses[from])))
        return refuse(p, c, from,
                      "its configuration differs from ours in replicas_addresses: all replicas "
                      "need the same");
    return 0;
}

static void come_up(struct peer *peer, const struct wire_message *m)
{
    struct peers *p = peer->peers;
    char version[32];
    size_t size = m->as.hello.version.size;

    if (size >= sizeof(version)) size = sizeof(version) - 1;
    if (size > 0) memcpy(version, m->as.hello.version.data, size);
    version[size] = '\0';
    uv_timer_stop(&peer->timer);
    peer->up = true;
    peer->complained = false;
    peer->backoff_ms = BACKOFF_MS_MIN;
    peer->connection->frame_max = p->frame_max;
    peer->connection->out_max = OUT_MAX;
    log_event(p->log, LOG_LEVEL_INFO, "peer-connected", LOG_NUMBER("peer", peer->index),
              LOG_TEXT("address", peer->address->text), LOG_TEXT("version", version));
    turn_begin(p->turn);
    node_on_peer_connected(p->turn->node, peer->index, true);
}

int peers_adopt(struct peers *p, struct connection *c, const struct wire_message *hello)
{
    uint32_t from = hello->header.sender;
    struct peer *peer;
    int rv;

    connection_hand_over(c, &p->owner);
    c->number = NOBODY;
    if (from >= p->config->n_replicas) return refuse(p, c, from, "no such replica in our group");
    if (from == p->config->self) return refuse(p, c, from, "it claims our own index");
    if (from < p->config->self) return refuse(p, c, from, "the higher index is to dial the lower");
    send_hello(p, c); /* first, so that the other side can say what is wrong, too */
    rv = check_form(p, c, hello);
    if (rv != 0 || c->closing) return rv;
    peer = &p->at[from];
    if (peer->connection != NULL)
        connection_close(peer->connection, "replaced by a new connection");
    peer->connection = c;
    c->number = from;
    come_up(peer, hello);
    return 0;
}

/* The answer to our hello. */
static int on_hello(struct peer *peer, struct bytes frame)
{
    struct peers *p = peer->peers;
    struct connection *c = peer->connection;
    struct wire_message message;
    int rv = wire_frame_decode(frame, &message);

    if (rv != 0) return rv;
    c->identified = true;
    if (message.header.command != WIRE_hello) return VSTAMP_E_MALFORMED;
    rv = check_form(p, c, &message);
    if (rv != 0) return rv;
    if (message.header.sender != peer->index)
        return refuse(p, c, message.header.sender, "another replica listens on the peer's address");
    come_up(peer, &message);
    return 0;
}

static int on_frame(struct connection *c, struct bytes frame)
{
    struct peers *p = c->owner->ctx;
    struct peer *peer;

    if (c->number == NOBODY) return VSTAMP_E_MALFORMED;
    peer = &p->at[c->number];
    if (!peer->up) return on_hello(peer, frame);
    turn_begin(p->turn);
    node_on_peer_frame(p->turn->node, peer->index, frame);
    return 0;
}

/* --- dialling --------------------------------------------------------------------------------- */

static void on_dial_timeout(uv_timer_t *timer)
{
    struct peer *peer = timer->data;

    if (peer->connection != NULL) connection_close(peer->connection, "no answer");
}

static void on_connected(uv_connect_t *connect, int status)
{
    struct connection *c = (struct connection *)connect->handle;

    if (c->closing) return;
    if (status < 0) {
        connection_close(c, uv_strerror(status));
        return;
    }
    connection_start(c);
    if (!c->closing) send_hello(c->owner->ctx, c);
}

/* Names may have several addresses: each dial takes the next. */
static void on_resolved(uv_getaddrinfo_t *resolve, int status, struct addrinfo *list)
{
    struct peer *peer = resolve->data;
    struct connection *c = peer->connection;
    const struct addrinfo *one;
    unsigned n = 0, skip;

    peer->resolving = false;
    for (one = list; one != NULL; one = one->ai_next) n++;
    if (c != NULL && status == 0 && n > 0) {
        skip = peer->n_dials++ % n;
        for (one = list; skip > 0; skip--) one = one->ai_next;
        status = uv_tcp_connect(&c->connect, &c->tcp, one->ai_addr, on_connected);
    }
    uv_freeaddrinfo(list);
    if (c != NULL && status != 0) connection_close(c, uv_strerror(status));
}

static void dial(struct peer *peer)
{
    struct peers *p = peer->peers;
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    int rv;

    assert(peer->connection == NULL);
    if (!peer->resolving) peer->connection = connection_new(p->loop, &p->owner);
    if (peer->connection == NULL) {
        dial_later(peer);
        return;
    }
    peer->connection->number = peer->index;
    peer->connection->frame_max = WIRE_HEADER_SIZE + HELLO_SIZE_MAX;
    peer->connection->out_max = HELLO_SIZE_MAX;
    uv_timer_start(&peer->timer, on_dial_timeout, DIAL_MS_MAX, 0);
    rv = uv_getaddrinfo(p->loop, &peer->resolve, on_resolved, peer->address->host,
                        peer->address->port_text, &hints);
    peer->resolving = rv == 0;
    if (rv != 0) connection_close(peer->connection, uv_strerror(rv));
}

void peers_init(struct peers *p, uv_loop_t *loop, struct turn *turn, struct log *log,
                const struct config_addresses *addresses, const struct vr_config *config,
                size_t frame_max, uint64_t seed, uint8_t *read_buffer)
{
    uint8_t i;

    *p = (struct peers){
        .turn = turn,
        .log = log,
        .loop = loop,
        .owner = {.ctx = p, .read_buffer = read_buffer, .frame = on_frame, .over = on_over},
        .config = config,
        .frame_max = frame_max,
    };
    prng_seed(&p->jitter, seed);
    for (i = 0; i < config->n_replicas; i++) {
        struct peer *peer = &p->at[i];

        peer->peers = p;
        peer->address = &addresses->at[i];
        peer->index = i;
        peer->backoff_ms = BACKOFF_MS_MIN;
        uv_timer_init(loop, &peer->timer);
        peer->timer.data = peer->resolve.data = peer;
    }
}

void peers_start(struct peers *p)
{
    uint8_t i;

    for (i = 0; i < p->config->self; i++) dial(&p->at[i]);
}

void peers_send(struct peers *p, uint8_t index, struct bytes frame)
{
    struct peer *peer = &p->at[index];

    assert(index < p->config->n_replicas && index != p->config->self);
    if (!peer->up || !connection_send(peer->connection, frame)) peer->n_dropped++;
}

void peers_flush(struct peers *p)
{
    uint8_t i;

    for (i = 0; i < p->config->n_replicas; i++)
        if (p->at[i].up) connection_flush(p->at[i].connection);
}

void peers_sweep(struct peers *p)
{
    uint8_t i;

    for (i = 0; i < p->config->n_replicas; i++) {
        struct peer *peer = &p->at[i];

        if (peer->up && connection_is_overdue(peer->connection))
            connection_close(peer->connection, "did not finish its frame");
    }
}

/* SPDX-License-Identifier: BSD-2-Clause */
#include "replica/peers.h"

#include <stdio.h>
#include <string.h>

#include <vstamp/error.h>

#include "base/assert.h"
#include "program/escape.h"
#include "vr/settings.h"

#define BACKOFF_MS_MIN   50u
#define BACKOFF_MS_MAX   1000u
#define GREETING_MS_MAX  60000u      /* backoff for one that may never come */
#define DIAL_MS_MAX      2000u       /* to resolve, connect and exchange hellos */
#define DIAL_LATE_MS     1000u       /* so long the lower index waits for the higher */
#define OUT_MAX          (16u << 20) /* what may queue for one replica */
#define COMPLAINT_MS     10000u      /* between two lines about the same stranger */
#define REFUSED_MS       5000u       /* longer than it takes one that is refused to come again */
#define HELLO_SIZE_MAX   2048u
#define NOBODY           UINT32_MAX /* number of a connection that no replica owns (yet) */
#define STRANGER_ORIGINS (UINT64_C(1) << 63) /* those of clients.c are below */

static void dial(struct peer *peer);

/* --- who dials -------------------------------------------------------------------------------- */

static void on_redial(uv_timer_t *timer)
{
    dial(timer->data);
}

/* Must we dial, rather than wait for the other? */
static bool dials(const struct peer *peer)
{
    const struct peers *p = peer->peers;

    return p->self == NOT_A_MEMBER || peer->slot >= p->n_members || peer->slot < p->self;
}

/* Was it a member once, and may never come? */
static bool is_greeted(const struct peer *peer)
{
    return peer->peers->greets && peer->slot >= peer->peers->n_members;
}

static uint32_t backoff_max_ms(const struct peer *peer)
{
    return is_greeted(peer) ? GREETING_MS_MAX : BACKOFF_MS_MAX;
}

static void dial_later(struct peer *peer)
{
    struct peers *p = peer->peers;
    uint64_t delay_ms = prng_between(&p->jitter, peer->backoff_ms / 2, peer->backoff_ms);

    if (!p->started) return;
    peer->backoff_ms *= 2;
    if (peer->backoff_ms > backoff_max_ms(peer)) peer->backoff_ms = backoff_max_ms(peer);
    if (!dials(peer)) delay_ms += DIAL_LATE_MS;
    uv_timer_start(&peer->timer, on_redial, delay_ms, 0);
}

/* Once for each absence: a group that starts, or a replica that is down, shall not fill the log. */
static void complain(struct peer *peer, const char *reason)
{
    if (peer->complained || is_greeted(peer)) return;
    peer->complained = true;
    log_event(peer->peers->log, LOG_LEVEL_INFO, "peer-unreachable", LOG_NUMBER("peer", peer->slot),
              LOG_TEXT("address", peer->address.text), LOG_TEXT("reason", reason));
}

/* There is no contact with replica `sender`, which says that it is at `theirs`. */
static void note_refusal(struct peers *p, const struct connection *c, uint32_t sender,
                         const char *theirs, const char *reason)
{
    uint64_t *quiet_until_ms = &p->quiet_until_ms[sender < REPLICAS_MAX ? sender : REPLICAS_MAX];
    char address[CONNECTION_ADDRESS_SIZE];

    snprintf(p->refused_address, sizeof p->refused_address, "%s", theirs);
    int n = snprintf(p->refused, sizeof p->refused, "no contact with the replica at %s: ", theirs);
    snprintf(p->refused + n, sizeof p->refused - (size_t)n, "%s", reason);
    escape_plain(p->refused);
    p->refused_ms = uv_now(p->loop);
    if (uv_now(p->loop) < *quiet_until_ms) return;
    *quiet_until_ms = uv_now(p->loop) + COMPLAINT_MS;
    connection_address(c, address);
    log_event(p->log, LOG_LEVEL_WARN, "peer-refused", LOG_NUMBER("peer", sender),
              LOG_TEXT("address", address), LOG_TEXT("reason", p->refused + n));
}

/* --- the end of a connection ------------------------------------------------------------------ */

static void on_over(struct connection *c, const char *reason)
{
    struct peers *p = c->owner->ctx;

    if (c->number == NOBODY) return;
    struct peer *peer = &p->places[c->number];
    assert(peer->connection == c);
    peer->connection = NULL;
    if (peer->up) {
        peer->up = false;
        log_event(p->log, LOG_LEVEL_WARN, "peer-disconnected", LOG_NUMBER("peer", peer->slot),
                  LOG_TEXT("address", peer->address.text), LOG_TEXT("reason", reason));
        peer->complained = true;
        if (peer->told) {
            turn_begin(p->turn);
            node_on_peer_connected(p->turn->node, peer->slot, false);
        }
        peer->told = false;
    } else if (c->failed_tls) {
        note_refusal(p, c, peer->slot, peer->address.text, reason);
    } else {
        complain(peer, reason);
    }
    dial_later(peer);
}

static void on_stranger_over(struct connection *c, const char *reason)
{
    struct peers *p = c->owner->ctx;

    (void)reason;
    assert(p->strangers[c->number].connection == c);
    p->strangers[c->number].connection = NULL;
}

/* --- hello ------------------------------------------------------------------------------------ */

/* It may end early, and be odd: others are honest, but not to be trusted.  People are shown it, in
 * logs and in JSON. */
static void copy_text(char *into, size_t size, struct bytes text)
{
    size_t n = text.size < size ? text.size : size - 1;

    if (n > 0) memcpy(into, text.data, n);
    into[n] = '\0';
    escape_plain(into);
}

/* `refusal` is empty, or why the connection is closed then. */
static void send_hello(struct peers *p, struct connection *c, const char *refusal)
{
    uint8_t frame[HELLO_SIZE_MAX];
    struct node_identity identity;

    node_identity(p->turn->node, &identity);
    struct wire_header header = {.sender = identity.self, .newest = identity.newest};
    struct wire_hello hello = {
        .group = identity.group,
        .epoch = identity.epoch,
        .members = identity.members,
        .address = bytes_of(identity.address),
        .settings = identity.settings,
        .application = bytes_of(identity.application),
        .version = bytes_of(p->config->version),
        .oldest = identity.oldest,
        .refusal = bytes_of(refusal),
    };
    size_t size = wire_frame_encode(&header, &wire_shape_hello, &hello, frame, sizeof frame);
    assert(size > 0);
    connection_send(c, (struct bytes){frame, size});
    connection_flush(c);
}

static int refuse(struct peers *p, struct connection *c, const struct wire_message *m,
                  const char *reason)
{
    char theirs[ADDRESS_BYTES_MAX + 1];

    copy_text(theirs, sizeof theirs, m->as.hello.address);
    note_refusal(p, c, m->header.sender, theirs, reason);
    return VSTAMP_E_OTHER_GROUP;
}

/* It was blank a moment ago, for one, and knows its group now. */
static void is_in_contact(struct peers *p, const char *address)
{
    if (strcmp(p->refused_address, address) == 0) p->refused[0] = '\0';
}

static bool is_peer_address(const struct peer *peer, struct bytes address)
{
    return peer != NULL && bytes_equal(address, bytes_of(peer->address.text));
}

static struct peer *find_peer(const struct peers *p, struct bytes address)
{
    for (uint8_t i = 0; i < p->n_slots; i++)
        if (is_peer_address(p->slots[i], address)) return p->slots[i];
    return NULL;
}

static bool is_member(const struct peers *p, struct bytes address)
{
    const struct peer *peer = find_peer(p, address);

    return peer != NULL && peer->slot < p->n_members;
}

/* Do the two agree on who the members of this epoch are?  Of another epoch there is nothing to
 * compare; and who is blank may wait to become a member, unless it is one. */
static bool same_members(const struct peers *p, const struct wire_hello *theirs)
{
    struct node_identity ours;

    node_identity(p->turn->node, &ours);
    bool blank = vstamp_id_is_zero(theirs->group);
    if (ours.epoch != theirs->epoch) return true;
    if (!blank && !vstamp_id_equal(ours.group, theirs->group)) return true; /* the node tells */
    if (blank && !vstamp_id_is_zero(ours.group) && !is_member(p, theirs->address)) return true;
    return vstamp_id_equal(ours.members, theirs->members);
}

/* A client's certificate lets nobody in as a replica. */
static bool has_its_certificate(const struct connection *c, struct bytes address)
{
    char text[ADDRESS_BYTES_MAX + 1];
    struct address parsed;

    if (c->tls == NULL) return true;
    copy_text(text, sizeof text, address);
    return address_parse(&parsed, text, NULL) == 0 && tls_is_host(c->tls, parsed.host);
}

/* NULL, or why not to talk to it. */
static const char *check_hello(struct peers *p, const struct connection *c,
                               const struct wire_message *m)
{
    const struct wire_hello *hello = &m->as.hello;
    uint8_t newest = m->header.newest;
    struct node_identity identity;
    struct vr_setting setting;

    node_identity(p->turn->node, &identity);
    if (newest < identity.oldest || hello->oldest > identity.newest) {
        snprintf(p->refusal, sizeof p->refusal,
                 "the replica at %s speaks versions %u to %u of the protocol, the one at %.*s %u "
                 "to %u: upgrade the older one by way of a release that speaks both",
                 identity.address, identity.oldest, identity.newest, (int)hello->address.size,
                 (const char *)hello->address.data, hello->oldest, newest);
        return p->refusal;
    }
    if (!has_its_certificate(c, hello->address))
        return "its certificate is not that of a server at the address which it says is its own";
    if (bytes_equal(hello->address, bytes_of(identity.address)))
        return "it claims our own address";
    if (!bytes_equal(hello->application, bytes_of(identity.application)))
        return "it replicates another application: all replicas need the same";
    if (vr_settings_differ(&hello->settings, &identity.settings, &setting)) {
        snprintf(p->refusal, sizeof p->refusal,
                 "%s is %s at %.*s and %s at %s: all replicas need the same", setting.key,
                 setting.theirs, (int)hello->address.size, (const char *)hello->address.data,
                 setting.ours, identity.address);
        return p->refusal;
    }
    if (!same_members(p, hello))
        return "its configuration differs from ours in replicas_addresses or witnesses: all "
               "replicas need the same";
    return NULL;
}

/* --- up --------------------------------------------------------------------------------------- */

static void come_up(struct peer *peer, const char *version)
{
    struct peers *p = peer->peers;

    uv_timer_stop(&peer->timer);
    snprintf(peer->version, sizeof peer->version, "%s", version);
    peer->up = true;
    is_in_contact(p, peer->address.text);
    peer->backoff_ms = BACKOFF_MS_MIN;
    peer->connection->frame_max = p->frame_max;
    peer->connection->out_max = OUT_MAX;
    log_event(p->log, LOG_LEVEL_INFO, "peer-connected", LOG_NUMBER("peer", peer->slot),
              LOG_TEXT("address", peer->address.text), LOG_TEXT("version", version));
}

/* In a later epoch the node says so. */
static void say_if_no_member(struct peers *p, const struct wire_hello *theirs)
{
    struct node_identity ours;
    char address[ADDRESS_BYTES_MAX + 1];

    node_identity(p->turn->node, &ours);
    if (!vstamp_id_is_zero(ours.group) || vstamp_id_is_zero(theirs->group) ||
        ours.epoch != theirs->epoch || vstamp_id_equal(ours.members, theirs->members) ||
        p->said_no_member)
        return;
    p->said_no_member = true;
    copy_text(address, sizeof address, theirs->address);
    log_event(p->log, LOG_LEVEL_INFO, "no-member", LOG_NUMBER("epoch", theirs->epoch),
              LOG_TEXT("address", address),
              LOG_TEXT("hint", "the group of that replica has other members than the "
                               "configuration names: vstamp-admin reconfigure moves it there; "
                               "else mend replicas_addresses"));
}

static void tell_node(struct peer *peer)
{
    peer->told = true;
    turn_begin(peer->peers->turn);
    node_on_peer_connected(peer->peers->turn->node, peer->slot, true);
}

/* Hellos were exchanged. */
static void meet(struct peer *peer, const struct wire_hello *theirs)
{
    char version[sizeof peer->version];

    copy_text(version, sizeof version, theirs->version);
    come_up(peer, version);
    say_if_no_member(peer->peers, theirs);
    tell_node(peer);
}

static void take_connection(struct peer *peer, struct connection *c)
{
    struct peers *p = peer->peers;

    if (peer->connection != NULL) {
        peer->complained = true; /* it is not out of reach */
        connection_close(peer->connection, "replaced by a new connection");
    }
    peer->connection = c;
    c->number = (uint32_t)(peer - p->places);
}

/* STRANGERS_MAX: no place is free. */
static uint32_t free_stranger(const struct peers *p)
{
    uint32_t i = 0;

    while (i < STRANGERS_MAX && p->strangers[i].connection != NULL) i++;
    return i;
}

static void become_stranger(struct peers *p, struct connection *c, struct bytes address,
                            struct bytes version)
{
    uint32_t i = free_stranger(p);
    struct stranger *s = &p->strangers[i];

    assert(i < STRANGERS_MAX);
    copy_text(s->address, sizeof s->address, address);
    copy_text(s->version, sizeof s->version, version);
    is_in_contact(p, s->address);
    s->generation++;
    s->connection = c;
    p->strangers_wait = true; /* it may have been a peer in this turn */
    connection_hand_over(c, &p->stranger_owner);
    c->number = i;
    c->frame_max = p->frame_max;
    c->out_max = OUT_MAX;
}

static int add_stranger(struct peers *p, struct connection *c, const struct wire_hello *hello)
{
    for (uint32_t i = 0; i < STRANGERS_MAX; i++) {
        struct stranger *s = &p->strangers[i];

        if (s->connection != NULL && bytes_equal(hello->address, bytes_of(s->address)))
            connection_close(s->connection, "replaced by a new connection");
    }
    if (free_stranger(p) == STRANGERS_MAX || hello->address.size == 0 ||
        hello->address.size > ADDRESS_BYTES_MAX)
        return VSTAMP_E_NO_ROOM;
    become_stranger(p, c, hello->address, hello->version);
    log_event(p->log, LOG_LEVEL_INFO, "stranger-connected",
              LOG_TEXT("address", p->strangers[c->number].address),
              LOG_NUMBER("epoch", hello->epoch),
              LOG_TEXT("hint", "a replica of another epoch, or one that waits to be a member"));
    return 0;
}

int peers_adopt(struct peers *p, struct connection *c, const struct wire_message *m)
{
    const struct wire_hello *hello = &m->as.hello;
    const char *reason = check_hello(p, c, m);
    struct node_identity identity;

    connection_hand_over(c, &p->owner);
    c->number = NOBODY;
    node_identity(p->turn->node, &identity);
    struct peer *peer = find_peer(p, hello->address);
    if (peer != NULL && peer->connection != NULL && !peer->up &&
        strcmp(identity.address, peer->address.text) < 0)
        return VSTAMP_E_OTHER_GROUP; /* it takes our dial */
    send_hello(p, c, reason != NULL ? reason : "");
    if (c->closing) return 0;
    if (reason != NULL) return refuse(p, c, m, reason);
    if (peer == NULL) return add_stranger(p, c, hello);
    take_connection(peer, c);
    meet(peer, hello);
    return 0;
}

/* The answer to our hello. */
static int on_hello(struct peer *peer, struct bytes frame)
{
    struct peers *p = peer->peers;
    struct connection *c = peer->connection;
    struct wire_message message;
    char refusal[PEERS_REFUSAL_SIZE + 32] = "it refuses us: ";
    int rv = wire_frame_decode(frame, &message);

    if (rv != 0) return rv;
    c->identified = true;
    if (message.header.command != WIRE_hello) return VSTAMP_E_MALFORMED;
    const char *reason = check_hello(p, c, &message);
    if (reason == NULL && message.as.hello.refusal.size > 0) {
        size_t n = strlen(refusal);
        copy_text(refusal + n, sizeof refusal - n, message.as.hello.refusal);
        reason = refusal;
    }
    if (reason != NULL) return refuse(p, c, &message, reason);
    if (!is_peer_address(peer, message.as.hello.address))
        return refuse(p, c, &message, "another replica listens on the peer's address");
    meet(peer, &message.as.hello);
    return 0;
}

static int on_frame(struct connection *c, struct bytes frame)
{
    struct peers *p = c->owner->ctx;

    struct peer *peer = &p->places[c->number];
    if (!peer->up) return on_hello(peer, frame);
    turn_begin(p->turn);
    node_on_peer_frame(p->turn->node, peer->slot, frame);
    return 0;
}

static uint64_t origin_of(const struct peers *p, uint32_t stranger)
{
    return STRANGER_ORIGINS | (uint64_t)p->strangers[stranger].generation << 8 | stranger;
}

/* It may be a peer afterwards, or be closed. */
static int on_stranger_frame(struct connection *c, struct bytes frame)
{
    struct peers *p = c->owner->ctx;

    turn_begin(p->turn);
    node_on_stranger_frame(p->turn->node, origin_of(p, c->number), frame);
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
    if (!c->closing) send_hello(c->owner->ctx, c, "");
}

/* Names may have several addresses: each dial takes the next. */
static void on_resolved(uv_getaddrinfo_t *resolve, int status, struct addrinfo *list)
{
    struct peer *peer = resolve->data;
    struct connection *c = peer->connection;
    const struct addrinfo *one;
    unsigned n = 0, skip;

    peer->resolving = false;
    if (peer->up) c = NULL; /* it has come to us meanwhile */
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

    assert(peer->used && peer->connection == NULL);
    if (!peer->resolving)
        peer->connection = connection_new(p->loop, &p->owner, p->tls, peer->address.host);
    if (peer->connection == NULL) {
        dial_later(peer);
        return;
    }
    peer->connection->number = (uint32_t)(peer - p->places);
    peer->connection->frame_max = WIRE_HEADER_SIZE + HELLO_SIZE_MAX;
    peer->connection->out_max = HELLO_SIZE_MAX;
    uv_timer_start(&peer->timer, on_dial_timeout, DIAL_MS_MAX, 0);
    int rv = uv_getaddrinfo(p->loop, &peer->resolve, on_resolved, peer->address.host,
                            peer->address.port_text, &hints);
    peer->resolving = rv == 0;
    if (rv != 0) connection_close(peer->connection, uv_strerror(rv));
}

/* --- the directory ---------------------------------------------------------------------------- */

static struct peer *new_peer(struct peers *p, const char *address)
{
    struct peer *peer = p->places;

    while (peer->used || peer->resolving) peer++; /* there are more places than that */
    assert(peer < p->places + PEERS_PLACES);
    *peer = (struct peer){.peers = p,
                          .used = true,
                          .backoff_ms = BACKOFF_MS_MIN,
                          .timer = peer->timer,
                          .resolve = peer->resolve};
    if (address_parse(&peer->address, address, NULL) != 0) /* then it cannot be reached */
        snprintf(peer->address.text, sizeof peer->address.text, "%s", address);
    return peer;
}

/* It has left the directory: it is a stranger from now on, and perhaps a peer again in the next
 * epoch. */
static void drop_peer(struct peer *peer)
{
    struct peers *p = peer->peers;
    struct connection *c = peer->connection;

    peer->used = peer->told = false; /* so the node is not told, which has told us */
    peer->complained = true;
    if (c != NULL && peer->up && free_stranger(p) < STRANGERS_MAX) {
        become_stranger(p, c, bytes_of(peer->address.text), bytes_of(peer->version));
        peer->connection = NULL;
        peer->up = false;
    } else if (c != NULL) {
        connection_close(c, "it is no replica of this epoch");
    }
    uv_timer_stop(&peer->timer);
}

/* A stranger who is in the directory now. */
static void take_stranger(struct peers *p, struct peer *peer)
{
    for (uint32_t i = 0; i < STRANGERS_MAX; i++) {
        struct stranger *s = &p->strangers[i];

        if (s->connection == NULL || strcmp(s->address, peer->address.text) != 0) continue;
        connection_hand_over(s->connection, &p->owner);
        take_connection(peer, s->connection);
        s->connection = NULL;
        come_up(peer, s->version);
        return;
    }
}

/* Takes the peer of that address out of `peers`; NULL: there is none. */
static struct peer *take_out(struct peer **peers, uint8_t n, struct bytes address)
{
    for (uint8_t i = 0; i < n; i++) {
        struct peer *peer = peers[i];

        if (!is_peer_address(peer, address)) continue;
        peers[i] = NULL;
        return peer;
    }
    return NULL;
}

/* It has no connection: it may be here as a stranger, or is dialled. */
static void look_for(struct peer *peer)
{
    bool in_earnest = peer->backoff_ms > backoff_max_ms(peer); /* and not before */

    take_stranger(peer->peers, peer);
    if (peer->connection != NULL) return;
    if (in_earnest) peer->backoff_ms = BACKOFF_MS_MIN;
    if (in_earnest || !uv_is_active((uv_handle_t *)&peer->timer)) dial_later(peer);
}

void peers_directory(struct peers *p, const struct node_directory *d)
{
    struct peer *before[SLOTS_MAX];
    uint8_t n_before = p->n_slots;

    memcpy(before, p->slots, sizeof before);
    p->n_members = d->n_members;
    p->n_slots = d->n_slots;
    p->self = d->self;
    p->greets = d->greets;
    for (uint8_t i = 0; i < d->n_slots; i++) {
        p->slots[i] = NULL;
        if (i == d->self) continue;
        p->slots[i] = take_out(before, n_before, bytes_of(d->addresses[i]));
        if (p->slots[i] == NULL) p->slots[i] = new_peer(p, d->addresses[i]);
        p->slots[i]->slot = i;
    }
    for (uint8_t i = 0; i < n_before; i++)
        if (before[i] != NULL) drop_peer(before[i]);
    for (uint8_t i = 0; i < d->n_slots; i++)
        if (p->slots[i] != NULL && p->slots[i]->connection == NULL) look_for(p->slots[i]);
}

void peers_init(struct peers *p, uv_loop_t *loop, struct turn *turn, struct log *log,
                struct tls *tls, const struct vr_config *config, size_t frame_max, uint64_t seed,
                uint8_t *read_buffer)
{
    *p = (struct peers){
        .tls = tls,
        .turn = turn,
        .log = log,
        .loop = loop,
        .owner = {.ctx = p,
                  .turn = turn,
                  .share_max = TURN_BYTES_MAX,
                  .read_buffer = read_buffer,
                  .frame = on_frame,
                  .over = on_over},
        .stranger_owner = {.ctx = p,
                           .turn = turn,
                           .share_max = TURN_BYTES_MAX,
                           .read_buffer = read_buffer,
                           .frame = on_stranger_frame,
                           .over = on_stranger_over},
        .config = config,
        .frame_max = frame_max,
        .self = NOT_A_MEMBER,
    };
    prng_seed(&p->jitter, seed);
    for (unsigned i = 0; i < PEERS_PLACES; i++) {
        uv_timer_init(loop, &p->places[i].timer);
        p->places[i].timer.data = p->places[i].resolve.data = &p->places[i];
    }
}

void peers_start(struct peers *p)
{
    p->started = true;
    for (uint8_t i = 0; i < p->n_slots; i++) {
        struct peer *peer = p->slots[i];

        if (peer == NULL) continue;
        if (dials(peer))
            dial(peer);
        else
            dial_later(peer);
    }
}

/* --- out -------------------------------------------------------------------------------------- */

void peers_send(struct peers *p, uint8_t slot, struct bytes frame)
{
    struct peer *peer = slot < p->n_slots ? p->slots[slot] : NULL;

    assert(peer != NULL);
    if (!peer->up || !connection_send(peer->connection, frame)) peer->n_dropped++;
}

bool peers_reply(struct peers *p, uint64_t origin, struct bytes frame)
{
    uint32_t i = origin & 0xff;

    if ((origin & STRANGER_ORIGINS) == 0) return false;
    if (i < STRANGERS_MAX && p->strangers[i].connection != NULL && origin == origin_of(p, i))
        connection_send(p->strangers[i].connection, frame);
    p->strangers_wait = true;
    return true;
}

void peers_flush(struct peers *p)
{
    for (unsigned i = 0; i < p->n_slots; i++) {
        struct peer *peer = p->slots[i];

        if (peer == NULL || !peer->up) continue;
        connection_flush(peer->connection);
        if (peer->up && !peer->told) tell_node(peer);
    }
    for (unsigned i = 0; p->strangers_wait && i < STRANGERS_MAX; i++)
        if (p->strangers[i].connection != NULL) connection_flush(p->strangers[i].connection);
    p->strangers_wait = false;
}

bool peers_resume(struct peers *p)
{
    bool more = connection_resume_held(&p->owner);

    return connection_resume_held(&p->stranger_owner) || more;
}

void peers_sweep(struct peers *p)
{
    for (unsigned i = 0; i < p->n_slots; i++) {
        struct peer *peer = p->slots[i];

        if (peer != NULL && peer->up && connection_is_overdue(peer->connection))
            connection_close(peer->connection, "did not finish its frame");
    }
    for (unsigned i = 0; i < STRANGERS_MAX; i++)
        if (p->strangers[i].connection != NULL &&
            connection_is_overdue(p->strangers[i].connection))
            connection_close(p->strangers[i].connection, "did not finish its frame");
    if (uv_now(p->loop) - p->refused_ms > REFUSED_MS) p->refused[0] = '\0';
}

uint64_t peers_dropped(const struct peers *p, uint8_t slot)
{
    const struct peer *peer = slot < p->n_slots ? p->slots[slot] : NULL;

    return peer != NULL ? peer->n_dropped : 0;
}

/* SPDX-License-Identifier: BSD-2-Clause */
#include "replica/clients.h"

#include <stdlib.h>

#include <vstamp/error.h>

#include "base/assert.h"
#include "program/log.h"
#include "vr/client_table.h"
#include "wire/frame.h"

#define OUT_PAUSE     (256u << 10) /* with that much unread, further requests wait */
#define OUT_SHARED    (32u << 20)  /* that all together may have unread beyond their own bounds */
#define ANSWERS_MANY  (12u << 10)  /* bytes that leave before the rest of a turn is executed */
#define SHARE_BYTES   (128u << 10) /* of a connection in a round of turns */
#define EVICTION_LOOK 64u          /* at so many of those used longest ago */
#define IDLE_MS       1000u        /* after which one makes room, */
#define GIVEN_UP_MS   10000u       /* also without its answer: who waits asks again before */
#define SILENT_MS     250u         /* after which one at the door makes room */
#define REFUSAL_SIZE  256u
#define COMPLAINT_MS  10000u       /* between two lines about evictions, or who was not let in */

static uint64_t origin_of(const struct clients *c, uint32_t slot)
{
    return (uint64_t)c->slots[slot].generation << 32 | slot;
}

/* --- the lists by last use -------------------------------------------------------------------- */

/* The next one; NULL: the first. */
static struct connection *newer(const struct chain *list, const struct connection *one)
{
    struct chain *next = chain_next(list, one != NULL ? &one->used : list);

    return next != NULL ? CHAIN_OWNER(next, struct connection, used) : NULL;
}

/* It comes, or asks, or is answered. */
static void note_use(struct clients *c, struct connection *one)
{
    one->used_ms = uv_now(one->tcp.loop);
    chain_remove(&one->used);
    chain_add(one->is_in ? &c->in : &c->door, &one->used);
}

/* --- slots ------------------------------------------------------------------------------------ */

static void leave(struct clients *c, struct connection *one)
{
    chain_remove(&one->used);
    chain_remove(&one->dirty);
    assert(c->slots[one->number].connection == one);
    c->slots[one->number].connection = NULL;
    c->n_used--;
    if (one->is_in) c->n_in--;
}

static void enter(struct clients *c, struct connection *one)
{
    uint32_t slot = c->next_slot;

    assert(c->n_used < c->n_slots);
    while (c->slots[slot].connection != NULL) slot = (slot + 1) % c->n_slots;
    c->next_slot = (slot + 1) % c->n_slots;
    c->slots[slot].connection = one;
    c->slots[slot].generation++;
    if (c->slots[slot].generation == 0) c->slots[slot].generation = 1; /* an origin is not 0 */
    one->number = slot;
    c->n_used++;
    note_use(c, one);
}

static void on_over(struct connection *one, const char *reason)
{
    struct clients *c = one->owner->ctx;
    char address[CONNECTION_ADDRESS_SIZE];

    leave(c, one);
    bool strange = one->failed_tls && uv_now(one->tcp.loop) >= c->next_stranger_ms;
    if (one->error != VSTAMP_E_VERSION && !strange && c->log->level < LOG_LEVEL_DEBUG) return;
    connection_address(one, address);
    if (strange) {
        c->next_stranger_ms = uv_now(one->tcp.loop) + COMPLAINT_MS;
        log_event(c->log, LOG_LEVEL_WARN, "not-let-in", LOG_TEXT("address", address),
                  LOG_TEXT("reason", reason));
    }
    if (one->error == VSTAMP_E_VERSION) {
        log_event(c->log, LOG_LEVEL_WARN, "other-version", LOG_TEXT("address", address),
                  LOG_TEXT("hint", "a replica or client of another release; it was refused"));
    }
    log_event(c->log, LOG_LEVEL_DEBUG, "client-disconnected", LOG_TEXT("address", address),
              LOG_TEXT("reason", reason));
}

/* --- who is let in ---------------------------------------------------------------------------- */

static void complain(struct clients *c, const struct connection *one)
{
    if (uv_now(one->tcp.loop) < c->next_complaint_ms) return;
    c->next_complaint_ms = uv_now(one->tcp.loop) + COMPLAINT_MS;
    log_event(c->log, LOG_LEVEL_WARN, "connections-full", LOG_NUMBER("max", c->n_max),
              LOG_NUMBER("evicted", c->n_evicted), LOG_NUMBER("refused", c->n_refused),
              LOG_TEXT("hint", "those that are idle are closed, and where none is, who comes is "
                               "refused: see max_connections"));
}

static uint64_t unused_ms(const struct connection *one)
{
    return uv_now(one->tcp.loop) - one->used_ms;
}

static bool is_idle(const struct connection *one)
{
    bool is_under_way = one->asked || one->held;

    return unused_ms(one) >= (is_under_way ? GIVEN_UP_MS : IDLE_MS);
}

static void evict(struct clients *c, struct connection *one)
{
    c->n_evicted++;
    complain(c, one);
    connection_close(one, "made room for another");
}

/* Is there a place for this client?  It has just said what it is. */
static bool let_in(struct clients *c, struct connection *one)
{
    struct connection *other = c->n_in == c->n_max ? newer(&c->in, NULL) : NULL;

    for (unsigned i = 0; other != NULL && !is_idle(other); i++)
        other = i < EVICTION_LOOK ? newer(&c->in, other) : NULL;
    if (other != NULL) evict(c, other);
    if (c->n_in == c->n_max) return false;
    one->is_in = true;
    note_use(c, one);
    c->n_in++;
    return true;
}

/* May one more come? */
static bool has_room_at_the_door(struct clients *c)
{
    struct connection *one = newer(&c->door, NULL);

    if (c->n_used == c->n_slots && one != NULL && unused_ms(one) >= SILENT_MS) evict(c, one);
    return c->n_used < c->n_slots;
}

static void flush_later(struct clients *c, struct connection *one)
{
    if (!chain_has(&one->dirty)) chain_add(&c->dirty, &one->dirty);
}

/* What it asked was not fed to the node, and so will not run.  It is closed at the end of the turn;
 * until then each of its requests that are here is answered. */
static int refuse(struct clients *c, struct connection *one, struct bytes frame)
{
    const struct wire_header header = {.sender = c->peers->self};
    struct vstamp_diag why;
    struct wire_message m;
    uint8_t answer[REFUSAL_SIZE];

    int rv = wire_frame_decode(frame, &m);
    if (rv != 0) return rv;
    turn_begin(c->turn);
    flush_later(c, one);
    vstamp_diag_printf(&why, "as many clients are connected as max_connections allows, %u",
                       c->n_max);
    struct wire_reject reject = {.reason = WIRE_REJECT_TOO_MANY, .text = bytes_of(why.text)};
    if (m.header.command == WIRE_request) {
        reject.client = m.as.request.client;
        reject.session = m.as.request.session;
        reject.number = m.as.request.number;
        reject.request = client_table_request(m.as.request.session, m.as.request.body);
    } else if (m.header.command == WIRE_get_checkpoint) {
        reject.number = m.as.get_checkpoint.nonce;
    }
    size_t size = wire_frame_encode(&header, &wire_shape_reject, &reject, answer, sizeof answer);
    connection_send(one, (struct bytes){answer, size});
    return 0;
}

/* --- frames ----------------------------------------------------------------------------------- */

/* Its first frame: is it a replica's?  Then the connection has left for peers.c. */
static bool is_peer(struct clients *c, struct connection *one, struct bytes frame, int *rv)
{
    struct wire_message message;

    if (wire_frame_decode(frame, &message) != 0) return false; /* the node counts and refuses it */
    if (message.header.command != WIRE_hello) return false;
    leave(c, one);
    *rv = peers_adopt(c->peers, one, &message);
    return true;
}

static int on_frame(struct connection *one, struct bytes frame)
{
    struct clients *c = one->owner->ctx;
    int rv = 0;

    bool is_new = !one->identified;
    one->identified = true;
    if (is_new && is_peer(c, one, frame, &rv)) return rv;
    if (is_new && !let_in(c, one)) {
        c->n_refused++;
        complain(c, one);
    }
    if (!one->is_in) return refuse(c, one, frame);
    turn_begin(c->turn);
    note_use(c, one);
    one->asked = true;
    rv = node_on_client_frame(c->turn->node, origin_of(c, one->number), frame);
    if (rv != 0) return rv;
    if (!node_accepts_requests(c->turn->node)) c->owner.held = true;
    return 0;
}

int clients_init(struct clients *c, struct turn *turn, struct peers *peers, struct log *log,
                 struct tls *tls, uint32_t n_max, size_t answer_max, uint8_t *read_buffer)
{
    uint32_t n_slots = n_max + CLIENTS_AT_THE_DOOR;

    *c = (struct clients){
        .tls = tls,
        .turn = turn,
        .peers = peers,
        .log = log,
        .owner = {.ctx = c,
                  .turn = turn,
                  .share_max = SHARE_BYTES,
                  .unread_max = OUT_PAUSE,
                  .read_buffer = read_buffer,
                  .frame = on_frame,
                  .over = on_over},
        .slots = calloc(n_slots, sizeof *c->slots),
        .n_slots = n_slots,
        .n_max = n_max,
        .out_max = OUT_PAUSE + 2 * answer_max,
    };
    return c->slots == NULL ? VSTAMP_E_IO : 0;
}

bool clients_accept(struct clients *c, uv_stream_t *listener)
{
    if (turn_is_full(c->turn)) return false;
    if (!has_room_at_the_door(c)) return false;
    turn_begin(c->turn); /* thousands may come at once */
    turn_takes(c->turn);
    struct connection *one = connection_new(listener->loop, &c->owner, c->tls, NULL);
    if (one == NULL) return false;
    if (uv_accept(listener, (uv_stream_t *)&one->tcp) != 0) {
        connection_discard(one);
        return true;
    }
    one->frame_max = FRAME_BYTES_MAX; /* a request beyond batch_bytes is refused in words */
    one->out_max = c->out_max;
    enter(c, one);
    connection_start(one);
    return true;
}

/* What is unread beyond the bounds of those it is for. */
static size_t borrowed(const struct clients *c)
{
    size_t sum = 0;

    for (const struct connection *one = NULL; (one = newer(&c->in, one)) != NULL;) {
        size_t queued = one->out.size + one->writing.size;
        if (queued > c->out_max) sum += queued - c->out_max;
    }
    return sum;
}

/* Many requests of one connection may be answered in one turn, each with a large value. */
static bool send_answer(struct clients *c, struct connection *one, struct bytes frame)
{
    bool sent = connection_send(one, frame);

    if (sent || borrowed(c) + frame.size > OUT_SHARED) return sent;
    one->out_max = one->out.size + one->writing.size + frame.size;
    sent = connection_send(one, frame);
    one->out_max = c->out_max;
    return sent;
}

void clients_reply(struct clients *c, uint64_t origin, struct bytes frame)
{
    uint32_t slot = (uint32_t)origin;

    if (slot >= c->n_slots || c->slots[slot].generation != origin >> 32) return;
    struct connection *one = c->slots[slot].connection;
    if (one == NULL) return;
    one->asked = false;
    note_use(c, one);
    if (!send_answer(c, one, frame)) one->overrun = true; /* closed by the flush of this turn */
    if (one->overrun || one->out.size < ANSWERS_MANY)
        flush_later(c, one);
    else
        connection_flush(one); /* which may close it */
}

void clients_flush(struct clients *c)
{
    struct chain *first;

    while ((first = chain_first(&c->dirty)) != NULL) {
        struct connection *one = CHAIN_OWNER(first, struct connection, dirty);

        chain_remove(first);
        if (!one->overrun) connection_flush(one);
        if (one->overrun)
            connection_close(one, "does not read its answers");
        else if (!one->is_in)
            connection_close(one, "more than max_connections allows");
    }
}

bool clients_resume(struct clients *c)
{
    if (c->owner.held && !node_accepts_requests(c->turn->node)) return false;
    c->owner.held = false;
    return connection_resume_held(&c->owner);
}

static void sweep(struct chain *list)
{
    for (struct connection *one = newer(list, NULL), *next; one != NULL; one = next) {
        next = newer(list, one);
        if (!connection_is_overdue(one)) continue;
        connection_close(one, one->identified ? "did not finish its frame" : "said nothing");
    }
}

void clients_sweep(struct clients *c)
{
    sweep(&c->door);
    sweep(&c->in);
}

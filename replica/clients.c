/* SPDX-License-Identifier: BSD-2-Clause */
#include "replica/clients.h"

#include <stdlib.h>

#include <vstamp/error.h>

#include "base/assert.h"
#include "program/log.h"
#include "wire/frame.h"

#define OUT_PAUSE     (256u << 10) /* with that much unread, further requests wait */
#define OUT_SHARED    (32u << 20)  /* that all together may have unread beyond their own bounds */
#define SHARE_BYTES   (128u << 10) /* of a connection in a round of turns */
#define EVICTION_LOOK 64u          /* at so many of those used longest ago */
#define COMPLAINT_MS  10000u       /* between two lines about evictions, or who was not let in */

static uint64_t origin_of(const struct clients *c, uint32_t slot)
{
    return (uint64_t)c->slots[slot].generation << 32 | slot;
}

/* --- the list by last use --------------------------------------------------------------------- */

static void unlink_used(struct clients *c, struct connection *one)
{
    if (one->older != NULL)
        one->older->newer = one->newer;
    else
        c->oldest = one->newer;
    if (one->newer != NULL)
        one->newer->older = one->older;
    else
        c->newest = one->older;
}

static void link_newest(struct clients *c, struct connection *one)
{
    one->older = c->newest;
    one->newer = NULL;
    if (c->newest != NULL)
        c->newest->newer = one;
    else
        c->oldest = one;
    c->newest = one;
}

/* --- slots ------------------------------------------------------------------------------------ */

static void leave(struct clients *c, struct connection *one)
{
    struct connection **at = &c->dirty;

    unlink_used(c, one);
    if (one->dirty) {
        while (*at != one) at = &(*at)->dirty_next;
        *at = one->dirty_next;
        one->dirty = false;
    }
    assert(c->slots[one->number].connection == one);
    c->slots[one->number].connection = NULL;
    c->n_used--;
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
    link_newest(c, one);
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

/* Make room for one more, unless everybody waits for an answer. */
static void evict(struct clients *c)
{
    struct connection *one = c->oldest;

    for (unsigned i = 0; one != NULL && one->asked && i < EVICTION_LOOK; i++) one = one->newer;
    if (one == NULL || one->asked) return;
    c->n_evicted++;
    if (uv_now(one->tcp.loop) >= c->next_complaint_ms) {
        c->next_complaint_ms = uv_now(one->tcp.loop) + COMPLAINT_MS;
        log_event(c->log, LOG_LEVEL_WARN, "connections-full", LOG_NUMBER("max", c->n_slots),
                  LOG_NUMBER("evicted", c->n_evicted),
                  LOG_TEXT("hint", "those idle for longest are closed; see max_connections"));
    }
    connection_close(one, "made room for another");
}

/* --- frames ----------------------------------------------------------------------------------- */

/* The first frame tells a replica from a client.  True if the connection left for peers.c. */
static bool is_peer(struct clients *c, struct connection *one, struct bytes frame, int *rv)
{
    struct wire_message message;

    *rv = 0;
    if (one->identified) return false;
    one->identified = true;
    if (wire_frame_decode(frame, &message) != 0) return false; /* the node counts and refuses it */
    if (message.header.command != WIRE_hello) return false;
    leave(c, one);
    *rv = peers_adopt(c->peers, one, &message);
    return true;
}

static int on_frame(struct connection *one, struct bytes frame)
{
    struct clients *c = one->owner->ctx;
    int rv;

    if (is_peer(c, one, frame, &rv)) return rv;
    turn_begin(c->turn);
    if (c->newest != one) {
        unlink_used(c, one);
        link_newest(c, one);
    }
    one->asked = true;
    rv = node_on_client_frame(c->turn->node, origin_of(c, one->number), frame);
    if (rv != 0) return rv;
    if (!node_accepts_requests(c->turn->node)) c->owner.held = true;
    return 0;
}

int clients_init(struct clients *c, struct turn *turn, struct peers *peers, struct log *log,
                 struct tls *tls, uint32_t n_slots, size_t answer_max, uint8_t *read_buffer)
{
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
        .out_max = OUT_PAUSE + 2 * answer_max,
    };
    return c->slots == NULL ? VSTAMP_E_IO : 0;
}

bool clients_accept(struct clients *c, uv_stream_t *listener)
{
    if (turn_is_full(c->turn)) return false;
    turn_begin(c->turn); /* thousands may come at once */
    turn_takes(c->turn);
    if (c->n_used == c->n_slots) evict(c);
    struct connection *one = connection_new(listener->loop, &c->owner, c->tls, NULL);
    if (one == NULL) return false;
    if (uv_accept(listener, (uv_stream_t *)&one->tcp) != 0 || c->n_used == c->n_slots) {
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

    for (const struct connection *one = c->oldest; one != NULL; one = one->newer) {
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
    if (!send_answer(c, one, frame)) one->overrun = true; /* closed by the flush of this turn */
    if (one->dirty) return;
    one->dirty = true;
    one->dirty_next = c->dirty;
    c->dirty = one;
}

void clients_flush(struct clients *c)
{
    while (c->dirty != NULL) {
        struct connection *one = c->dirty;

        c->dirty = one->dirty_next;
        one->dirty = false;
        if (one->overrun)
            connection_close(one, "does not read its answers");
        else
            connection_flush(one);
    }
}

bool clients_resume(struct clients *c)
{
    if (c->owner.held && !node_accepts_requests(c->turn->node)) return false;
    c->owner.held = false;
    return connection_resume_held(&c->owner);
}

void clients_sweep(struct clients *c)
{
    for (struct connection *one = c->oldest, *newer; one != NULL; one = newer) {
        newer = one->newer;
        if (!connection_is_overdue(one)) continue;
        connection_close(one, one->identified ? "did not finish its frame" : "said nothing");
    }
}

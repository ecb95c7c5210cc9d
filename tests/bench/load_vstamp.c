/* SPDX-License-Identifier: BSD-2-Clause */
/* vstamp: a session for each request at once (vr/session.h), all of a client over the connections
 * it has, as client/crowd.c does it. */
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "bench/load.h"
#include "kv/kv.h"
#include "vr/session.h"

#define TIMEOUT_MS 60000u
#define NUMBER     UINT64_C(0xffff) /* the bits of a session's client id that tell which it is */

/* Of one of the client's requests at once. */
struct asker {
    struct session session;
    uint8_t op[LOAD_KEY_SIZE + LOAD_VALUE_SIZE + 64]; /* while it is asked for */
};

struct state {
    uint8_t n_servers;
    struct asker *askers;
};

static void speak(struct load_client *c, struct asker *asker)
{
    const struct state *state = c->state;
    for (uint8_t i = 0; i < state->n_servers; i++) {
        uint8_t frame[sizeof asker->op + 512];
        if (!c->links[i].up || load_room(c, i) < sizeof frame) continue;
        size_t size = session_send(&asker->session, i, frame, sizeof frame);
        if (size > 0) load_send(c, i, frame, size);
    }
}

static void speak_all(struct load_client *c)
{
    for (uint32_t i = 0; i < c->depth; i++) speak(c, &((struct state *)c->state)->askers[i]);
}

static void start(struct load_client *c, struct asker *asker, enum session_task task,
                  struct bytes body)
{
    uint64_t now_ms = load_now_ns() / 1000000;
    session_start(&asker->session, task, body, false, now_ms, now_ms + TIMEOUT_MS);
    speak(c, asker);
}

static void open_sessions(struct load_client *c, uint8_t n_servers)
{
    struct state *state = c->state;
    struct session_identity identity = {.registration = 1};
    uint64_t seed;
    if (getrandom(&identity.client, sizeof identity.client, 0) != sizeof identity.client ||
        getrandom(&seed, sizeof seed, 0) != sizeof seed)
        abort();
    state->n_servers = n_servers;
    state->askers = calloc(c->depth, sizeof *state->askers);
    if (state->askers == NULL) load_fail("out of memory");
    for (uint32_t i = 0; i < c->depth; i++) {
        struct asker *asker = &state->askers[i];
        identity.client.lo = (identity.client.lo & ~NUMBER) | i;
        session_init(&asker->session, &identity, n_servers, seed + i);
        start(c, asker, SESSION_REGISTER, (struct bytes){NULL, 0});
    }
}

static bool wants(struct load_client *c, uint8_t server)
{
    const struct state *state = c->state;
    for (uint32_t i = 0; i < c->depth; i++)
        if (session_wants(&state->askers[i].session, server)) return true;
    return false;
}

static void on_up(struct load_client *c, uint8_t server)
{
    (void)server;
    speak_all(c);
}

static void on_down(struct load_client *c, uint8_t server)
{
    const struct state *state = c->state;
    for (uint32_t i = 0; i < c->depth; i++) session_on_down(&state->askers[i].session, server);
    speak_all(c);
}

static void ask(struct load_request *r, enum session_task task, const struct kv_op *op)
{
    struct load_client *c = r->client;
    struct asker *asker = &((struct state *)c->state)->askers[r - c->requests];
    struct writer w = writer_over(asker->op, sizeof asker->op);
    kv_encode_op(op, &w);
    start(c, asker, task, (struct bytes){asker->op, w.size});
}

static void put(struct load_request *r)
{
    struct kv_op op = {.verb = KV_PUT,
                       .key = {(const uint8_t *)r->key, LOAD_KEY_SIZE},
                       .value = {r->value, LOAD_VALUE_SIZE}};
    ask(r, SESSION_APPLY, &op);
}

static void get(struct load_request *r)
{
    struct kv_op op = {.verb = KV_GET, .key = {(const uint8_t *)r->key, LOAD_KEY_SIZE}};
    ask(r, SESSION_READ, &op);
}

/* A task may have ended: the next one. */
static void go_on(struct load_client *c, uint32_t number)
{
    struct asker *asker = &((struct state *)c->state)->askers[number];
    struct load_request *r = &c->requests[number];
    const struct session *session = &asker->session;
    if (r->idle) return; /* an answer came twice */
    if (!session_ended(session)) {
        speak(c, asker);
        return;
    }
    if (session->result.err != 0) load_fail("%s", vstamp_err_text(session->result.err));
    if (session->task == SESSION_REGISTER) {
        load_begin(r);
        return;
    }
    struct kv_answer answer;
    enum kv_verb verb = session->task == SESSION_READ ? KV_GET : KV_PUT;
    if (kv_decode_answer(verb, session->result.body, &answer) != 0 ||
        (answer.status != KV_ANSWER_DONE && verb != KV_GET))
        load_fail("a request was not done");
    load_done(r);
}

static void take(struct load_client *c, uint8_t server, uint32_t number,
                 const struct wire_message *m)
{
    struct session *session = &((struct state *)c->state)->askers[number].session;
    int rv = session_on_message(session, server, m, load_now_ns() / 1000000);
    /* Who waited long was told who the members are: those that it was given. */
    if (rv != 0 && rv != SESSION_MOVED) load_fail("%s", vstamp_err_text(rv));
    go_on(c, number);
}

static size_t hear(struct load_client *c, uint8_t server, struct bytes in)
{
    struct wire_message m;
    size_t size;
    int rv = wire_frame_size(in, FRAME_BYTES_MAX, &size);
    if (rv == VSTAMP_E_TRUNCATED || (rv == 0 && size > in.size)) return 0;
    if (rv == 0) rv = wire_frame_decode((struct bytes){in.data, size}, &m);
    if (rv != 0) load_fail("%s", vstamp_err_text(rv));
    bool is_reply = m.header.command == WIRE_reply;
    uint64_t number = (is_reply ? m.as.reply.client : m.as.reject.client).lo & NUMBER;
    if (is_reply || m.header.command == WIRE_reject) {
        if (number < c->depth) take(c, server, (uint32_t)number, &m);
    } else {
        for (uint32_t i = 0; i < c->depth; i++) take(c, server, i, &m);
    }
    return size;
}

static void on_time(struct load_client *c, uint64_t now_ms)
{
    const struct state *state = c->state;
    for (uint32_t i = 0; i < c->depth; i++) {
        session_on_time(&state->askers[i].session, now_ms);
        go_on(c, i);
    }
}

const struct load_protocol load_protocol = {
    .name = "vstamp",
    .state_size = sizeof(struct state),
    .pipelines = true,
    .open = open_sessions,
    .wants = wants,
    .on_up = on_up,
    .on_down = on_down,
    .put = put,
    .get = get,
    .hear = hear,
    .on_time = on_time,
};

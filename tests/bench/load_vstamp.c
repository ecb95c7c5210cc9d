/* SPDX-License-Identifier: BSD-2-Clause */
/* vstamp: a session for each client (vr/session.h), hosted as client/conn.c does it. */
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "bench/load.h"
#include "kv/kv.h"
#include "vr/session.h"

#define PUT_TIMEOUT_MS 60000u

struct state {
    struct session session;
    uint8_t n_servers;
    uint8_t put[LOAD_KEY_SIZE + LOAD_VALUE_SIZE + 64]; /* the operation, while it is asked for */
};

static void speak(struct load_client *c)
{
    struct state *state = c->state;
    for (uint8_t i = 0; i < state->n_servers; i++) {
        uint8_t frame[sizeof state->put + 1024];
        if (!c->links[i].up || c->links[i].out_size > 0) continue;
        size_t size = session_send(&state->session, i, frame, sizeof frame);
        if (size > 0) load_send(c, i, frame, size);
    }
}

static void start(struct load_client *c, enum session_task task, struct bytes body)
{
    struct state *state = c->state;
    uint64_t now_ms = load_now_ns() / 1000000;
    session_start(&state->session, task, body, false, now_ms, now_ms + PUT_TIMEOUT_MS);
    speak(c);
}

static void open_session(struct load_client *c, uint8_t n_servers)
{
    struct state *state = c->state;
    struct session_identity identity = {.registration = 1};
    uint64_t seed;
    if (getrandom(&identity.client, sizeof identity.client, 0) != sizeof identity.client ||
        getrandom(&seed, sizeof seed, 0) != sizeof seed)
        abort();
    state->n_servers = n_servers;
    session_init(&state->session, &identity, n_servers, seed);
    start(c, SESSION_REGISTER, (struct bytes){NULL, 0});
}

static bool wants(struct load_client *c, uint8_t server)
{
    return session_wants(&((struct state *)c->state)->session, server);
}

static void on_up(struct load_client *c, uint8_t server)
{
    (void)server;
    speak(c);
}

static void on_down(struct load_client *c, uint8_t server)
{
    session_on_down(&((struct state *)c->state)->session, server);
    speak(c);
}

static void put(struct load_client *c)
{
    struct state *state = c->state;
    struct kv_op op = {.verb = KV_PUT,
                       .key = {(const uint8_t *)c->key, LOAD_KEY_SIZE},
                       .value = {c->value, LOAD_VALUE_SIZE}};
    struct writer w = writer_over(state->put, sizeof state->put);
    kv_encode_op(&op, &w);
    start(c, SESSION_APPLY, (struct bytes){state->put, w.size});
}

/* A task may have ended: the next one. */
static void go_on(struct load_client *c, uint8_t server)
{
    const struct session *session = &((struct state *)c->state)->session;
    if (c->idle) return; /* an answer came twice */
    if (!session_ended(session)) {
        speak(c);
        return;
    }
    if (session->result.err != 0) load_fail("%s", vstamp_err_text(session->result.err));
    c->at = server;
    if (session->task == SESSION_REGISTER) {
        load_ready(c);
        return;
    }
    struct kv_answer answer;
    if (kv_decode_answer(KV_PUT, session->result.body, &answer) != 0 ||
        answer.status != KV_ANSWER_DONE)
        load_fail("a put was not done");
    load_done(c);
}

static size_t hear(struct load_client *c, uint8_t server, struct bytes in)
{
    struct session *session = &((struct state *)c->state)->session;
    size_t used = 0, size;
    for (;;) {
        struct bytes left = {in.data + used, in.size - used};
        int rv = wire_frame_size(left, FRAME_BYTES_MAX, &size);
        if (rv == VSTAMP_E_TRUNCATED || (rv == 0 && size > left.size)) return used;
        if (rv == 0)
            rv = session_on_frame(session, server, (struct bytes){left.data, size},
                                  load_now_ns() / 1000000);
        /* Who waited long was told who the members are: those that it was given. */
        if (rv != 0 && rv != SESSION_MOVED) load_fail("%s", vstamp_err_text(rv));
        used += size;
        go_on(c, server);
    }
}

static void on_time(struct load_client *c, uint64_t now_ms)
{
    session_on_time(&((struct state *)c->state)->session, now_ms);
    go_on(c, c->at);
}

const struct load_protocol load_protocol = {
    .name = "vstamp",
    .state_size = sizeof(struct state),
    .open = open_session,
    .wants = wants,
    .on_up = on_up,
    .on_down = on_down,
    .put = put,
    .hear = hear,
    .on_time = on_time,
};

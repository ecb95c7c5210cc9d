/* SPDX-License-Identifier: BSD-2-Clause */
/* A client of Maelstrom speaks to any node, once, under ids that mean nothing later.  So the node
 * is the client of the group: each request under way has one of its sessions (vr/session.h), which
 * registers before its first write, looks for the primary, and repeats until it is answered.
 *
 *   read    SESSION_READ of GET
 *   write   SESSION_APPLY of PUT
 *   cas     SESSION_APPLY of CAS; with create_if_not_exists CAS_ABSENT when there is no such key,
 *           and CAS again if by then there is one.  The steps that did nothing do not show, so the
 *           whole is one operation where its last step runs.
 *
 * Keys and values are any JSON, stored as its canonical text.
 *
 * Whoever gets a definite error may believe that nothing happened.  Maelstrom's network may repeat
 * messages, so C2 of session.c does not hold here: a write that was sent may have run, whatever
 * rejects came back, and the session registers anew before its next one, which ends all copies. */
#include "maelstrom/requests.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/assert.h"
#include "client/memory.h"
#include "vr/session.h"

struct request {
    bool busy;
    struct session session; /* lives on for the next request */
    char *client;
    json_int_t msg_id;
    bool creates; /* create_if_not_exists */
    uint64_t deadline_ms;
    enum kv_verb verb;
    char *key, *value, *expected;
    uint8_t *operation;
    size_t operation_size;
    bool was_sent; /* a copy of the operation has left */
};

struct requests {
    struct request at[REQUESTS_MAX];
    uint8_t *frame;
    size_t frame_capacity;
};

struct requests *requests_new(uint8_t n_replicas)
{
    struct requests *r = memory_new(sizeof *r);
    for (uint32_t i = 0; i < REQUESTS_MAX; i++) {
        struct session_identity identity = {.registration = 1};
        uint64_t seed;
        if (getrandom(&identity.client, sizeof identity.client, 0) != sizeof identity.client ||
            getrandom(&seed, sizeof seed, 0) != sizeof seed)
            abort();
        session_init(&r->at[i].session, &identity, n_replicas, seed);
    }
    return r;
}

static struct bytes text_bytes(const char *text)
{
    return text == NULL ? (struct bytes){0} : bytes_of(text);
}

/* NULL, or a sentence: what is wrong with it. */
static const char *encode(struct request *q)
{
    struct kv_op op = {.verb = q->verb,
                       .key = text_bytes(q->key),
                       .value = text_bytes(q->value),
                       .expected = text_bytes(q->expected)};
    size_t capacity = 64 + op.key.size + op.value.size + op.expected.size;
    q->operation = memory_resize(q->operation, capacity);
    struct writer w = writer_over(q->operation, capacity);
    kv_encode_op(&op, &w);
    assert(w.ok);
    q->operation_size = w.size;
    return kv_decode_op((struct bytes){q->operation, w.size}, &op);
}

static void start(struct host *h, struct request *q)
{
    struct session *s = &q->session;
    struct bytes body = {q->operation, q->operation_size};
    enum session_task task = SESSION_APPLY;
    if (q->verb == KV_GET) {
        task = SESSION_READ;
    } else if (s->identity.session == 0) {
        task = SESSION_REGISTER;
        body = (struct bytes){0};
    }
    q->was_sent = false;
    session_start(s, task, body, false, h->now_us / 1000, q->deadline_ms);
}

static void finish(struct host *h, struct request *q, json_t *body)
{
    host_answer(h, q->client, q->msg_id, body);
    free(q->client);
    free(q->key);
    free(q->value);
    free(q->expected);
    free(q->operation);
    q->client = q->key = q->value = q->expected = NULL;
    q->operation = NULL;
    q->busy = false;
}

static void finish_error(struct host *h, struct request *q, int code, const char *text)
{
    finish(h, q, host_error(code, text));
}

/* The same request once more, as another operation. */
static void go_on(struct host *h, struct request *q, enum kv_verb verb)
{
    q->verb = verb;
    const char *wrong = encode(q);
    assert(wrong == NULL); /* its parts were sound a moment ago */
    start(h, q);
}

static void finish_read(struct host *h, struct request *q, struct bytes value)
{
    json_t *json = json_loadb((const char *)value.data, value.size, LINES_DECODE, NULL);
    if (json == NULL)
        finish_error(h, q, ERROR_ABORT, "what is stored is not JSON");
    else
        finish(h, q, json_pack("{s:s, s:o}", "type", "read_ok", "value", json));
}

static void on_answer(struct host *h, struct request *q)
{
    struct kv_answer answer;
    bool is_cas = q->verb == KV_CAS || q->verb == KV_CAS_ABSENT;
    if (kv_decode_answer(q->verb, q->session.result.body, &answer) != 0)
        finish_error(h, q, ERROR_CRASH, "the answer of the group makes no sense");
    else if (answer.status == KV_ANSWER_DONE && q->verb == KV_GET)
        finish_read(h, q, answer.value);
    else if (answer.status == KV_ANSWER_DONE)
        finish(h, q, json_pack("{s:s}", "type", is_cas ? "cas_ok" : "write_ok"));
    else if (answer.status == KV_ANSWER_ABSENT && q->creates)
        go_on(h, q, KV_CAS_ABSENT);
    else if (answer.status == KV_ANSWER_ABSENT)
        finish_error(h, q, ERROR_NO_SUCH_KEY, kv_answer_text(answer.status));
    else if (answer.status == KV_ANSWER_MISMATCH && q->verb == KV_CAS_ABSENT)
        go_on(h, q, KV_CAS);
    else if (answer.status == KV_ANSWER_MISMATCH)
        finish_error(h, q, ERROR_PRECONDITION, kv_answer_text(answer.status));
    else
        finish_error(h, q, ERROR_ABORT, kv_answer_text(answer.status));
}

static void on_failure(struct host *h, struct request *q)
{
    struct session *s = &q->session;
    int err = s->result.err;
    bool is_late = err == VSTAMP_E_NOT_RUN || err == VSTAMP_E_UNKNOWN_OUTCOME;
    bool is_refused = err == VSTAMP_E_INVALID || err == VSTAMP_E_TOO_LARGE; /* whichever copy */
    if (is_refused) {
        finish_error(h, q, ERROR_MALFORMED, vstamp_err_text(err));
    } else if (s->task != SESSION_APPLY || !q->was_sent) {
        finish_error(h, q, ERROR_UNAVAILABLE, vstamp_err_text(is_late ? VSTAMP_E_NOT_RUN : err));
    } else {
        session_renew(s);
        finish_error(h, q, is_late ? ERROR_TIMEOUT : ERROR_CRASH,
                     vstamp_err_text(is_late ? VSTAMP_E_UNKNOWN_OUTCOME : err));
    }
}

/* Send what the session has due, and go on where it has ended. */
static void step(struct host *h, uint32_t index)
{
    struct requests *r = h->requests;
    struct request *q = &r->at[index];
    struct session *s = &q->session;
    while (q->busy) {
        session_on_time(s, h->now_us / 1000);
        for (uint8_t i = 0; i < s->n_replicas && !session_ended(s); i++) {
            size_t need = s->frame_size;
            if (r->frame_capacity < need) {
                r->frame = memory_resize(r->frame, need);
                r->frame_capacity = need;
            }
            size_t size = session_send(s, i, r->frame, r->frame_capacity);
            if (size == 0) continue;
            q->was_sent = true;
            host_send_request(h, i, index, (struct bytes){r->frame, size});
        }
        if (!session_ended(s)) return;
        if (s->result.err != 0)
            on_failure(h, q);
        else if (s->task == SESSION_REGISTER)
            start(h, q);
        else
            on_answer(h, q);
    }
}

/* The canonical text of a member, or NULL when it is missing. */
static char *canonical(const json_t *body, const char *name)
{
    const json_t *value = json_object_get(body, name);
    return value == NULL ? NULL : json_dumps(value, LINES_ENCODE);
}

static struct request *idle(struct requests *r)
{
    for (uint32_t i = 0; i < REQUESTS_MAX; i++)
        if (!r->at[i].busy) return &r->at[i];
    return NULL;
}

void requests_begin(struct host *h, enum kv_verb verb, const char *client, json_int_t msg_id,
                    const json_t *body)
{
    struct request *q = idle(h->requests);
    if (q == NULL) {
        host_answer(h, client, msg_id, host_error(ERROR_UNAVAILABLE, "too many at a time"));
        return;
    }
    q->busy = true;
    q->client = memory_copy(client, strlen(client));
    q->msg_id = msg_id;
    q->verb = verb;
    q->creates = verb == KV_CAS && json_is_true(json_object_get(body, "create_if_not_exists"));
    q->deadline_ms = h->now_us / 1000 + h->timeout_ms;
    q->key = canonical(body, "key");
    q->value = verb == KV_GET ? NULL : canonical(body, verb == KV_PUT ? "value" : "to");
    q->expected = verb == KV_CAS ? canonical(body, "from") : NULL;
    const char *wrong = NULL;
    if (q->key == NULL || (q->value == NULL && verb != KV_GET) ||
        (q->expected == NULL && verb == KV_CAS))
        wrong = "read needs a key; write key and value; cas key, from and to";
    if (wrong == NULL) wrong = encode(q);
    if (wrong != NULL) {
        finish_error(h, q, ERROR_MALFORMED, wrong);
        return;
    }
    start(h, q);
    step(h, (uint32_t)(q - h->requests->at));
}

void requests_on_frame(struct host *h, uint32_t session, uint8_t replica, struct bytes frame)
{
    if (session >= REQUESTS_MAX) return;
    /* What makes no sense is passed over: there is no connection to close. */
    session_on_frame(&h->requests->at[session].session, replica, frame, h->now_us / 1000);
    step(h, session);
}

void requests_on_time(struct host *h)
{
    for (uint32_t i = 0; i < REQUESTS_MAX; i++) step(h, i);
}

uint64_t requests_wake_ms(const struct requests *r)
{
    uint64_t wake_ms = UINT64_MAX;
    for (uint32_t i = 0; i < REQUESTS_MAX; i++) {
        if (!r->at[i].busy) continue;
        uint64_t due_ms = session_wake(&r->at[i].session);
        if (due_ms < wake_ms) wake_ms = due_ms;
    }
    return wake_ms;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* One client.  It asks one thing at a time and gives up early, so that there are unknown outcomes,
 * which it treats as users do: it finishes the request under its number, or fences it off and
 * learns whether it ran, or leaves it open until the end and goes on under another name.  A client
 * that was killed finds its request noted, and does one of the same three.
 *
 * Some of the time a client knows no replica but the one it takes for the primary, and holds on to
 * it: nobody else would ask a primary that was replaced and does not know it. */
#define _GNU_SOURCE
#include "chaos/load.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/checksum.h"
#include "kv/kv.h"
#include "program/clock.h"

#define LINE_MAX_BYTES  16384u
#define FILLING_MAX     600u /* bytes of a register's value beside its number */
#define PATIENCE_MS_MIN 40u
#define PATIENCE_MS_MAX 3000u
#define PAUSE_US_MAX    20000u
#define UNANSWERED_MAX  4u /* then a client that knows one replica learns of the others */

static const char *const kind_words[] = {
    [LINEAR_PUT] = "put",     [LINEAR_DEL] = "del",   [LINEAR_CAS] = "cas",
    [LINEAR_CAS_ABSENT] = "cas-absent", [LINEAR_INCR] = "incr", [LINEAR_APPEND] = "append",
    [LINEAR_GET] = "get",
};

static const enum kv_verb kind_verbs[] = {
    [LINEAR_PUT] = KV_PUT,   [LINEAR_DEL] = KV_DEL,       [LINEAR_CAS] = KV_CAS,
    [LINEAR_CAS_ABSENT] = KV_CAS_ABSENT, [LINEAR_INCR] = KV_INCR, [LINEAR_APPEND] = KV_APPEND,
    [LINEAR_GET] = KV_GET,
};

/* --- the history ------------------------------------------------------------------------------ */

static uint64_t now_us(void)
{
    return clock_us(CLOCK_MONOTONIC);
}

/* At `time_us`: an operation began before it was sent and ended after its answer came. */
__attribute__((format(printf, 3, 4))) static void write_line(struct load_client *c,
                                                             uint64_t time_us, const char *format,
                                                             ...)
{
    char line[LINE_MAX_BYTES];
    va_list args;
    int n = snprintf(line, sizeof line, "%" PRIu64 " %u ", time_us, c->index);
    va_start(args, format);
    n += vsnprintf(line + n, sizeof line - (size_t)n, format, args);
    va_end(args);
    assert((size_t)n + 1 < sizeof line);
    line[n++] = '\n';
    if (write(c->history, line, (size_t)n) != n) {
        perror("load: the history");
        exit(1);
    }
}

static void key_name(const struct load_op *op, char name[static 32])
{
    snprintf(name, 32, "%c%" PRIu32 ".%" PRIu32, "rcl"[op->slot % 3], op->slot / 3, op->generation);
}

static void write_begin(struct load_client *c, const struct load_op *op)
{
    char key[32], rest[64] = "";
    key_name(op, key);
    if (op->kind == LINEAR_CAS)
        snprintf(rest, sizeof rest, " %" PRIu64 " %" PRIu64, op->expected, op->value);
    else if (op->kind != LINEAR_GET && op->kind != LINEAR_DEL)
        snprintf(rest, sizeof rest, " %" PRIu64, op->value);
    write_line(c, now_us(), "begin %" PRIu64 " %s %s%s", op->number, key, kind_words[op->kind],
               rest);
}

/* --- operations ------------------------------------------------------------------------------- */

/* The text of a register's value: its number, then filling that follows from it, so that damage
 * shows. */
static size_t value_text(uint64_t value, char *text, size_t size)
{
    size_t n = (size_t)snprintf(text, size, "v%" PRIu64 ":", value);
    size_t filling = checksum64(&value, sizeof value) % FILLING_MAX;
    for (size_t i = 0; i < filling && n < size; i++) text[n++] = (char)('a' + (value + i) % 26);
    return n;
}

static void draw_op(struct load_client *c, struct load_op *op)
{
    struct load_shared *shared = c->shared;
    uint64_t draw = prng_below(&c->prng, 100);
    uint32_t slot = (uint32_t)prng_below(&c->prng, LOAD_SLOTS);
    uint64_t ticket = atomic_fetch_add(&shared->tickets[slot], 1);
    *op = (struct load_op){.number = ++c->room->n_ops, .kind = LINEAR_GET, .slot = slot,
                           .generation = (uint32_t)(ticket / LOAD_KEY_OPS)};
    if (draw < 30) return;
    op->value = 1 + atomic_fetch_add(&shared->values, 1);
    switch (slot % 3) {
    case 0:
        op->expected = atomic_load(&shared->newest[slot]);
        op->kind = draw < 60   ? LINEAR_PUT
                   : draw < 68 ? LINEAR_DEL
                   : draw < 80 ? LINEAR_CAS_ABSENT
                               : LINEAR_CAS;
        if (op->kind != LINEAR_DEL) atomic_store(&shared->newest[slot], op->value);
        break;
    case 1:
        op->kind = LINEAR_INCR;
        op->value = 1;
        break;
    case 2:
        op->kind = LINEAR_APPEND;
        break;
    }
}

static struct bytes encode_op(struct load_client *c, const struct load_op *op)
{
    char name[32], value[FILLING_MAX + 32], expected[FILLING_MAX + 32];
    key_name(op, name);
    struct bytes key = bytes_of(name);
    size_t value_size = op->kind == LINEAR_APPEND
                            ? (size_t)snprintf(value, sizeof value, "t%" PRIu64 ",", op->value)
                            : value_text(op->value, value, sizeof value);
    struct kv_op kv = {
        .verb = kind_verbs[op->kind],
        .key = key,
        .keys = &key,
        .n_keys = 1,
        .value = {(const uint8_t *)value, value_size},
        .expected = {(const uint8_t *)expected,
                     value_text(op->expected, expected, sizeof expected)},
        .number = (int64_t)op->value,
    };
    struct writer w = writer_over(c->body, sizeof c->body);
    kv_encode_op(&kv, &w);
    assert(w.ok);
    return (struct bytes){c->body, w.size};
}

/* --- answers ---------------------------------------------------------------------------------- */

/* What was read, as the history has it: a register's number, a counter's sum, a list whole. */
static void write_read(struct load_client *c, const struct load_op *op, uint64_t time_us,
                       struct bytes text)
{
    char again[FILLING_MAX + 32];
    int size = (int)text.size;
    const char *data = (const char *)text.data;
    if (op->slot % 3 == 0) {
        uint64_t value = size > 1 && data[0] == 'v' ? strtoull(data + 1, NULL, 10) : 0;
        size_t n = value_text(value, again, sizeof again);
        if (n == text.size && memcmp(again, data, n) == 0)
            write_line(c, time_us, "end %" PRIu64 " done %" PRIu64, op->number, value);
        else
            write_line(c, time_us, "end %" PRIu64 " done damaged:%.*s", op->number, size, data);
        return;
    }
    write_line(c, time_us, "end %" PRIu64 " done %.*s", op->number, size, data);
}

static void write_answer(struct load_client *c, const struct load_op *op, struct bytes body)
{
    struct kv_answer answer;
    uint64_t time_us = now_us();
    if (kv_decode_answer(kind_verbs[op->kind], body, &answer) != 0) {
        write_line(c, time_us, "end %" PRIu64 " refused an answer that cannot be read", op->number);
        return;
    }
    bool no = answer.status == KV_ANSWER_ABSENT || answer.status == KV_ANSWER_MISMATCH;
    if (op->kind == LINEAR_DEL && answer.status == KV_ANSWER_DONE) no = answer.number == 0;
    if (no)
        write_line(c, time_us, "end %" PRIu64 " no", op->number);
    else if (answer.status != KV_ANSWER_DONE)
        write_line(c, time_us, "end %" PRIu64 " refused %s", op->number,
                   kv_answer_text(answer.status));
    else if (op->kind == LINEAR_GET)
        write_read(c, op, time_us, answer.value);
    else if (op->kind == LINEAR_INCR || op->kind == LINEAR_APPEND)
        write_line(c, time_us, "end %" PRIu64 " done %" PRId64, op->number, answer.number);
    else
        write_line(c, time_us, "end %" PRIu64 " done", op->number);
}

/* --- asking ----------------------------------------------------------------------------------- */

/* 0 or VSTAMP_E_*. */
static int call(struct load_client *c, enum session_task task, struct bytes body, bool sent_before,
                uint64_t timeout_ms)
{
    uint64_t now = conn_now_ms();
    session_start(&c->session, task, body, sent_before, now, now + timeout_ms);
    if (conn_call(c->conn, &c->session) != 0) exit(1); /* somebody wants us to end */
    c->n_replicas = c->session.n_replicas;             /* it follows the group */
    c->unanswered = c->session.result.err == 0 ? 0 : c->unanswered + 1;
    return c->session.result.err;
}

static void use_identity(struct load_client *c, const struct session_identity *identity)
{
    bool told = c->session.told;
    session_init(&c->session, identity, c->n_replicas, prng_next(&c->prng));
    c->session.told = told;
}

static void new_identity(struct load_client *c)
{
    /* where the primary was is worth knowing */
    struct session_identity identity = {.registration = 1,
                                        .epoch = c->session.identity.epoch,
                                        .view = c->session.identity.view};
    if (getrandom(&identity.client, sizeof identity.client, 0) != sizeof identity.client) abort();
    use_identity(c, &identity);
    c->room->identity = identity;
}

/* Most wait as long as a view change takes, some give up before. */
static uint64_t draw_patience(struct load_client *c)
{
    uint64_t most = prng_chance(&c->prng, 1, 4) ? 4 * PATIENCE_MS_MIN : PATIENCE_MS_MAX;
    return prng_between(&c->prng, PATIENCE_MS_MIN, most);
}

static bool register_session(struct load_client *c, uint64_t timeout_ms)
{
    int err = call(c, SESSION_REGISTER, (struct bytes){NULL, 0}, false, timeout_ms);
    c->room->identity = c->session.identity;
    return err == 0;
}

bool load_client_settle(struct load_client *c, const struct load_request *request,
                        uint64_t timeout_ms)
{
    use_identity(c, &request->identity);
    session_renew(&c->session);
    if (!register_session(c, timeout_ms)) return false;
    const struct wire_registration *given = &c->session.result.registration;
    uint64_t number = request->identity.number + 1;
    switch (session_settle(given, request->identity.session, number, encode_op(c, &request->op))) {
    case SESSION_RAN:
        write_answer(c, &request->op, given->answer);
        break;
    case SESSION_DID_NOT_RUN:
        write_line(c, now_us(), "end %" PRIu64 " never", request->op.number);
        break;
    case SESSION_CANNOT_TELL:
        break;
    }
    return true;
}

static void leave_open(struct load_client *c)
{
    struct load_room *room = c->room;
    unsigned n = atomic_load(&room->n_open);
    if (n < LOAD_OPEN_MAX) {
        room->open[n] = room->noted;
        atomic_store(&room->n_open, n + 1);
    }
    new_identity(c);
}

/* How a request ended that was sent as the noted one; true if that is known. */
static bool note_outcome(struct load_client *c, int err)
{
    const struct load_op *op = &c->room->noted.op;
    if (err == 0) {
        write_answer(c, op, c->session.result.body);
        return true;
    }
    if (err != VSTAMP_E_NOT_RUN && err != VSTAMP_E_UNKNOWN_OUTCOME && err != VSTAMP_E_EVICTED)
        write_line(c, now_us(), "end %" PRIu64 " refused %s", op->number, vstamp_err_name(err));
    else if (!c->session.result.may_have_run)
        write_line(c, now_us(), "end %" PRIu64 " never", op->number);
    else
        write_line(c, now_us(), "end %" PRIu64 " unknown", op->number);
    return !c->session.result.may_have_run;
}

/* The outcome of the noted request is unknown: finish it, fence it off, or leave it. */
static void resolve(struct load_client *c)
{
    struct load_request *noted = &c->room->noted;
    uint64_t way = prng_below(&c->prng, 3);
    int err = VSTAMP_E_UNKNOWN_OUTCOME;
    bool settled = false;
    if (way == 0) {
        use_identity(c, &noted->identity);
        while (err == VSTAMP_E_UNKNOWN_OUTCOME && !atomic_load(&c->shared->stopping))
            err = call(c, SESSION_APPLY, encode_op(c, &noted->op), true, draw_patience(c));
        if (err != VSTAMP_E_UNKNOWN_OUTCOME) settled = note_outcome(c, err) || err != 0;
        c->room->identity = c->session.identity;
    } else if (way == 1) {
        settled = load_client_settle(c, noted, draw_patience(c));
    }
    if (!settled) leave_open(c);
}

static void ask(struct load_client *c)
{
    struct load_room *room = c->room;
    struct load_op op;
    draw_op(c, &op);
    bool is_read = op.kind == LINEAR_GET;
    write_begin(c, &op);
    if (is_read) {
        int err = call(c, SESSION_READ, encode_op(c, &op), false, draw_patience(c));
        if (err == 0) write_answer(c, &op, c->session.result.body);
        else write_line(c, now_us(), "end %" PRIu64 " never", op.number);
        return;
    }
    room->noted = (struct load_request){op, c->session.identity};
    atomic_store(&room->has_noted, true);
    int err = call(c, SESSION_APPLY, encode_op(c, &op), false, draw_patience(c));
    bool known = note_outcome(c, err);
    room->identity = c->session.identity;
    if (!known && err == VSTAMP_E_UNKNOWN_OUTCOME) resolve(c);
    atomic_store(&room->has_noted, false);
}

static void know(struct load_client *c, const struct config_addresses *replicas)
{
    if (c->conn != NULL) load_client_close(c);
    c->n_replicas = (uint8_t)replicas->n;
    c->conn = conn_open(replicas, replicas, NULL);
    if (c->conn == NULL) abort();
    conn_hold_signals(c->conn);
    if (vstamp_id_is_zero(c->room->identity.client)) new_identity(c);
    else use_identity(c, &c->room->identity);
}

static void draw_replicas(struct load_client *c)
{
    bool knows_all = c->n_replicas == c->replicas->n;
    if (knows_all && prng_chance(&c->prng, 1, 30)) {
        uint8_t primary = session_primary(&c->session);
        know(c, &(struct config_addresses){.n = 1, .at = {c->replicas->at[primary]}});
    } else if (!knows_all && (c->unanswered > UNANSWERED_MAX || prng_chance(&c->prng, 1, 60))) {
        know(c, c->replicas);
    }
}

void load_client_run(struct load_client *c)
{
    if (atomic_load(&c->room->has_noted)) { /* the process before this one was killed */
        resolve(c);
        atomic_store(&c->room->has_noted, false);
    }
    while (!atomic_load(&c->shared->stopping)) {
        usleep((useconds_t)prng_below(&c->prng, PAUSE_US_MAX));
        draw_replicas(c);
        if (prng_chance(&c->prng, 1, 200)) new_identity(c);
        if (c->session.identity.session != 0 || register_session(c, draw_patience(c))) ask(c);
    }
}

bool load_client_read(struct load_client *c, uint32_t slot, uint32_t generation,
                      uint64_t timeout_ms)
{
    struct load_op op = {.number = ++c->room->n_ops, .kind = LINEAR_GET, .slot = slot,
                         .generation = generation};
    write_begin(c, &op);
    if (call(c, SESSION_READ, encode_op(c, &op), false, timeout_ms) != 0) return false;
    write_answer(c, &op, c->session.result.body);
    return true;
}

void load_client_open(struct load_client *c, struct load_shared *shared, unsigned index,
                      const struct config_addresses *replicas, int history, uint64_t seed)
{
    *c = (struct load_client){.shared = shared, .room = &shared->rooms[index], .index = index,
                              .replicas = replicas, .history = history};
    prng_seed(&c->prng, seed);
    know(c, replicas);
}

void load_client_close(struct load_client *c)
{
    conn_release_signals(c->conn);
    conn_close(c->conn);
}

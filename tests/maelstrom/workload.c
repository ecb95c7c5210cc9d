/* SPDX-License-Identifier: BSD-2-Clause */
/* Clients ask one thing at a time, of any node, and never repeat.  What they asked and saw is the
 * history of each key, all times from one clock; the simulator's checker judges it.
 *
 * Answers become the checker's operations like this: error 20 to a cas is a read that saw nothing,
 * error 22 a cas that did nothing; what was certainly not done is left out, and what may have been
 * done stays pending for ever.  Every value written is unique, and a key is left behind after
 * KEY_OPS operations, so that its history can be checked. */
#include "maelstrom/workload.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "client/memory.h"
#include "sim/linear.h"

#define KEYS_AT_A_TIME 4u
#define KEY_OPS        100u
#define STEPS_MAX      3000000u
#define THINK_US       10000u
#define ANSWER_US      2000000u /* a client that waits longer never hears of it */
#define RECENT         4u
#define LARGE_BYTES    100000 /* some values: more than a pipe holds */
#define NO_OP          SIZE_MAX
#define NO_TASK        SIZE_MAX

struct op {
    size_t key;
    struct linear_op linear;
    bool left_out;
    size_t before; /* the key's operation before this one, or NO_OP */
};

struct key {
    size_t n_ops, newest_op;
    uint64_t recent[RECENT]; /* values it may have; 0 for none */
};

struct client {
    char id[16];
    bool waits;
    size_t op, task;
    uint8_t node;
    json_int_t msg_id;
    uint64_t due_us; /* when to ask next, or to give up waiting */
};

struct workload {
    struct network *net;
    struct prng prng;
    struct client *clients;
    uint32_t n_clients;
    struct op *ops;
    size_t n_ops, ops_capacity;
    struct key *keys;
    size_t n_keys, keys_capacity;
    size_t slots[KEYS_AT_A_TIME];
    uint64_t value; /* the newest one written */
    uint32_t n_initialised;
    bool finishing;
    size_t next_task, n_tasks_done, n_last_keys; /* while finishing */
    struct workload_stats stats;
    char wrong[128]; /* what workload_check found */
};

/* --- keys and values as JSON ------------------------------------------------------------------ */

static json_t *key_json(size_t key)
{
    return key % 2 == 0 ? json_integer((json_int_t)key)
                        : json_pack("{s:I, s:[n]}", "id", (json_int_t)key, "and");
}

static json_t *value_json(uint64_t value)
{
    int digits = value % 20 == 1 ? LARGE_BYTES : 1;
    if (value % 3 == 0) return json_integer((json_int_t)value);
    if (value % 3 == 1) return json_sprintf("%0*" PRIu64, digits, value);
    return json_pack("[I, b]", (json_int_t)value, 1);
}

/* False if nobody can have written that. */
static bool parse_value(const struct workload *w, const json_t *json, uint64_t *value)
{
    const json_t *first = json_is_array(json) ? json_array_get(json, 0) : json;
    const char *text = json_string_value(first);
    *value = text != NULL ? strtoull(text, NULL, 10) : (uint64_t)json_integer_value(first);
    json_t *again = value_json(*value);
    bool is_ours = json_equal(again, json) && *value > 0 && *value <= w->value;
    json_decref(again);
    return is_ours;
}

/* --- asking ----------------------------------------------------------------------------------- */

static size_t new_key(struct workload *w)
{
    if (w->n_keys == w->keys_capacity) {
        w->keys_capacity = w->keys_capacity == 0 ? 64 : 2 * w->keys_capacity;
        w->keys = memory_resize(w->keys, w->keys_capacity * sizeof w->keys[0]);
    }
    w->keys[w->n_keys] = (struct key){.newest_op = NO_OP};
    return w->n_keys++;
}

static size_t draw_key(struct workload *w)
{
    size_t *slot = &w->slots[prng_below(&w->prng, KEYS_AT_A_TIME)];
    if (w->n_keys == 0 || w->keys[*slot].n_ops >= KEY_OPS) *slot = new_key(w);
    return *slot;
}

static void note_value(struct workload *w, size_t key, uint64_t value)
{
    struct key *k = &w->keys[key];
    memmove(k->recent + 1, k->recent, (RECENT - 1) * sizeof k->recent[0]);
    k->recent[0] = value;
}

static struct linear_op draw_op(struct workload *w, size_t key)
{
    uint64_t draw = prng_below(&w->prng, 100);
    if (draw < 40) return (struct linear_op){.kind = LINEAR_GET};
    if (draw < 65) return (struct linear_op){.kind = LINEAR_PUT, .argument = ++w->value};
    uint64_t old = prng_chance(&w->prng, 2, 3) ? 0 : prng_below(&w->prng, RECENT);
    return (struct linear_op){
        .kind = LINEAR_CAS, .argument = ++w->value, .expected = w->keys[key].recent[old]};
}

static json_t *request(const struct op *op, json_int_t msg_id)
{
    const struct linear_op *linear = &op->linear;
    json_t *body = json_pack("{s:I, s:o}", "msg_id", msg_id, "key", key_json(op->key));
    if (linear->kind == LINEAR_GET) {
        json_object_set_new(body, "type", json_string("read"));
    } else if (linear->kind == LINEAR_PUT) {
        json_object_set_new(body, "type", json_string("write"));
        json_object_set_new(body, "value", value_json(linear->argument));
    } else {
        json_object_set_new(body, "type", json_string("cas"));
        json_object_set_new(body, "from", value_json(linear->expected));
        json_object_set_new(body, "to", value_json(linear->argument));
    }
    return body;
}

static void ask(struct workload *w, struct client *c, uint8_t node, size_t key,
                struct linear_op linear)
{
    if (w->n_ops == w->ops_capacity) {
        w->ops_capacity = w->ops_capacity == 0 ? 1024 : 2 * w->ops_capacity;
        w->ops = memory_resize(w->ops, w->ops_capacity * sizeof w->ops[0]);
    }
    linear.begin = network_now_us();
    linear.end = LINEAR_PENDING;
    w->ops[w->n_ops] = (struct op){.key = key, .linear = linear, .before = w->keys[key].newest_op};
    w->keys[key].newest_op = w->n_ops;
    w->keys[key].n_ops++;
    c->waits = true;
    c->op = w->n_ops++;
    c->node = node;
    c->due_us = linear.begin + ANSWER_US;
    network_send(w->net, node, c->id, request(&w->ops[c->op], ++c->msg_id));
}

/* --- answers ---------------------------------------------------------------------------------- */

static void wrong(struct workload *w, const struct client *c, const char *what, const json_t *body)
{
    char *text = json_dumps(body, LINES_ENCODE);
    struct network *net = w->net;
    if (net->trouble[0] == '\0')
        snprintf(net->trouble, sizeof net->trouble, "node %s to %s: %s: %.120s",
                 net->nodes[c->node].id, c->id, what, text);
    free(text);
}

/* It may have been done; a read that was not answered says nothing. */
static void unknown(struct workload *w, struct op *op)
{
    w->stats.unknown++;
    if (op->linear.kind == LINEAR_GET)
        op->left_out = true;
    else
        note_value(w, op->key, op->linear.argument);
}

/* A definite answer, or false: such a one makes no sense for this operation. */
static bool take_answer(struct workload *w, struct op *op, const json_t *body, json_int_t code)
{
    static const char *const done_types[] = {
        [LINEAR_GET] = "read_ok", [LINEAR_PUT] = "write_ok", [LINEAR_CAS] = "cas_ok"};
    const char *type = json_string_value(json_object_get(body, "type"));
    enum linear_kind kind = op->linear.kind;
    op->linear.end = network_now_us();
    if (code < 0 && strcmp(type, done_types[kind]) != 0) return false;
    if (code < 0 && kind == LINEAR_GET) {
        op->linear.saw.present = true;
        if (!parse_value(w, json_object_get(body, "value"), &op->linear.saw.value)) return false;
        note_value(w, op->key, op->linear.saw.value);
    } else if (code < 0) {
        op->linear.done = true;
        note_value(w, op->key, op->linear.argument);
    } else if (code == 20 && kind != LINEAR_PUT) {
        op->linear.kind = LINEAR_GET; /* that saw nothing */
    } else if (code != 22 || kind != LINEAR_CAS) {
        return false;
    }
    w->stats.answered++;
    return true;
}

static void rest(struct workload *w, struct client *c)
{
    c->waits = false;
    c->due_us = network_now_us() + prng_below(&w->prng, 2 * THINK_US);
}

static void on_answer(struct workload *w, struct client *c, const json_t *body)
{
    struct op *op = &w->ops[c->op];
    const json_t *error = json_object_get(body, "code");
    bool is_error = strcmp(json_string_value(json_object_get(body, "type")), "error") == 0;
    json_int_t code = is_error ? json_integer_value(error) : -1;
    if (is_error && !json_is_integer(error)) {
        wrong(w, c, "an error without a code", body);
    } else if (code == 0 || code == 13) {
        unknown(w, op);
    } else if (code == 11 || code == 14) {
        op->left_out = true;
        w->stats.unavailable++;
    } else if (!take_answer(w, op, body, code)) {
        wrong(w, c, "no answer to what was asked", body);
    } else if (c->task != NO_TASK) {
        c->task = NO_TASK;
        w->n_tasks_done++;
    }
    rest(w, c);
}

static void on_client(void *ctx, uint8_t node, const char *id, const json_t *body)
{
    struct workload *w = ctx;
    unsigned long index = strtoul(id + 1, NULL, 10);
    json_int_t msg_id = json_integer_value(json_object_get(body, "in_reply_to"));
    if (index >= w->n_clients || strcmp(w->clients[index].id, id) != 0) return; /* a stranger's */
    struct client *c = &w->clients[index];
    if (strcmp(json_string_value(json_object_get(body, "type")), "init_ok") == 0)
        w->n_initialised++;
    else if (c->waits && c->msg_id == msg_id && c->node == node)
        on_answer(w, c, body); /* and not one that came too late */
}

/* --- phases ----------------------------------------------------------------------------------- */

struct workload *workload_new(struct network *net, uint32_t n_clients, uint64_t seed)
{
    struct workload *w = memory_new(sizeof *w);
    w->net = net;
    w->n_clients = n_clients;
    w->clients = memory_new(n_clients * sizeof w->clients[0]);
    prng_seed(&w->prng, seed);
    for (uint32_t i = 0; i < n_clients; i++) {
        snprintf(w->clients[i].id, sizeof w->clients[i].id, "c%" PRIu32, i);
        w->clients[i].task = NO_TASK;
    }
    for (size_t i = 0; i < KEYS_AT_A_TIME; i++) w->slots[i] = new_key(w);
    net->on_client = on_client;
    net->ctx = w;
    return w;
}

void workload_close(struct workload *w)
{
    free(w->clients);
    free(w->ops);
    free(w->keys);
    free(w);
}

bool workload_init_nodes(struct workload *w, uint64_t until_us)
{
    struct network *net = w->net;
    for (uint8_t i = 0; i < net->n; i++) {
        json_t *ids = json_array();
        for (uint8_t j = net->n; j > 0; j--)
            json_array_append_new(ids, json_string(net->nodes[j - 1].id));
        network_send(net, i, w->clients[0].id,
                     json_pack("{s:s, s:I, s:s, s:o}", "type", "init", "msg_id",
                               (json_int_t)++w->clients[0].msg_id, "node_id", net->nodes[i].id,
                               "node_ids", ids));
    }
    while (w->n_initialised < net->n && net->trouble[0] == '\0' && network_now_us() < until_us)
        network_turn(net, until_us);
    return w->n_initialised == net->n;
}

/* What is to be done once, by whoever is free: first the writes, then the reads. */
static void ask_task(struct workload *w, struct client *c)
{
    uint8_t node = (uint8_t)(c->task % w->net->n);
    if (c->task < w->net->n)
        ask(w, c, node, w->n_last_keys + c->task,
            (struct linear_op){.kind = LINEAR_PUT, .argument = ++w->value});
    else
        ask(w, c, node, c->task - w->net->n, (struct linear_op){.kind = LINEAR_GET});
}

static void client_turn(struct workload *w, struct client *c, uint64_t now_us)
{
    if (now_us < c->due_us) return;
    if (c->waits) {
        unknown(w, &w->ops[c->op]);
        rest(w, c);
    } else if (!w->finishing) {
        size_t key = draw_key(w);
        ask(w, c, (uint8_t)prng_below(&w->prng, w->net->n), key, draw_op(w, key));
    } else {
        if (c->task == NO_TASK && w->next_task < w->net->n + w->n_keys) c->task = w->next_task++;
        if (c->task != NO_TASK)
            ask_task(w, c);
        else
            c->due_us = UINT64_MAX; /* nothing is left to be done */
    }
}

/* One turn of everybody. */
static void turn(struct workload *w, uint64_t until_us)
{
    uint64_t now_us = network_now_us();
    for (uint32_t i = 0; i < w->n_clients; i++) {
        client_turn(w, &w->clients[i], now_us);
        if (w->clients[i].due_us < until_us) until_us = w->clients[i].due_us;
    }
    network_turn(w->net, until_us);
}

void workload_run(struct workload *w, uint64_t until_us, uint64_t n_answers, uint64_t end_us)
{
    uint64_t now_us;
    while ((now_us = network_now_us()) < end_us && w->net->trouble[0] == '\0' &&
           (now_us < until_us || w->stats.answered < n_answers))
        turn(w, now_us < until_us ? until_us : end_us);
}

bool workload_finish(struct workload *w, uint64_t until_us)
{
    w->finishing = true;
    w->n_last_keys = w->n_keys;
    for (uint8_t i = 0; i < w->net->n; i++) new_key(w);
    size_t n_tasks = w->net->n + w->n_keys;
    while (w->n_tasks_done < n_tasks && network_now_us() < until_us && w->net->trouble[0] == '\0')
        turn(w, until_us);
    return w->n_tasks_done == n_tasks;
}

/* --- the verdict ------------------------------------------------------------------------------ */

/* "read saw 1", "write to 2", "cas from 1 to 2: done" */
static void print_operation(const struct linear_op *op)
{
    if (op->kind == LINEAR_GET && op->saw.present) {
        fprintf(stderr, "read saw %" PRIu64, op->saw.value);
    } else if (op->kind == LINEAR_GET) {
        fprintf(stderr, "read saw nothing");
    } else if (op->kind == LINEAR_PUT) {
        fprintf(stderr, "write to %" PRIu64, op->argument);
    } else {
        fprintf(stderr, "cas from %" PRIu64 " to %" PRIu64, op->expected, op->argument);
        if (op->end != LINEAR_PENDING) fprintf(stderr, op->done ? ": done" : ": refused");
    }
}

/* They come newest first, and are printed oldest first. */
static void print_history(const struct linear_op *ops, size_t n, uint64_t start_us)
{
    while (n > 0) {
        const struct linear_op *op = &ops[--n];
        fprintf(stderr, "%10.6f ", (double)(op->begin - start_us) / 1e6);
        if (op->end == LINEAR_PENDING)
            fprintf(stderr, "%10s ", "unknown");
        else
            fprintf(stderr, "%10.6f ", (double)(op->end - start_us) / 1e6);
        print_operation(op);
        fputc('\n', stderr);
    }
}

const char *workload_check(struct workload *w)
{
    for (size_t key = 0; key < w->n_keys; key++) {
        struct linear_op ops[LINEAR_OPS_MAX];
        size_t n = 0;
        for (size_t i = w->keys[key].newest_op; i != NO_OP; i = w->ops[i].before) {
            if (w->ops[i].left_out) continue;
            if (n == LINEAR_OPS_MAX) return "a key has more operations than can be checked";
            ops[n++] = w->ops[i].linear;
        }
        enum linear_verdict verdict = linear_check(ops, n, STEPS_MAX);
        if (verdict == LINEAR_OK) continue;
        print_history(ops, n, w->ops[0].linear.begin);
        snprintf(w->wrong, sizeof w->wrong, "key %zu: %s", key,
                 verdict == LINEAR_VIOLATION ? "its history is not linearizable"
                                             : "its history is too hard to check");
        return w->wrong;
    }
    return NULL;
}

struct workload_stats workload_stats(const struct workload *w)
{
    struct workload_stats stats = w->stats;
    stats.keys = w->n_keys;
    return stats;
}

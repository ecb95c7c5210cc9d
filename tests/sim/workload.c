/* SPDX-License-Identifier: BSD-2-Clause */
/* Clients.  Each keeps a session (vr/session.h), asks one thing at a time, gives up after a while,
 * and then either registers anew to learn what became of its request, or leaves it open for ever
 * and goes on under a new name.  Every value written is unique, so that a read tells which write
 * it saw; a key's operations are few, so that its history can be checked. */
#define _GNU_SOURCE /* memmem */
#include "sim/sim.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/checksum.h"
#include "kv/kv.h"
#include "sim/foreign.h"

#define BODY_MAX 8192u
#define KINDS 3u
#define BEGIN_US (20 * SIM_MS)

static const enum linear_kind key_kinds[KINDS] = {LINEAR_PUT, LINEAR_INCR, LINEAR_APPEND};

/* The text of a value: its number, then filling that depends on it, so that damage shows. */
static size_t value_text(const struct sim *sim, uint64_t value, char *text, size_t size)
{
    size_t n = (size_t)snprintf(text, size, "v%" PRIu64 ":", value);
    size_t filling = checksum64(&value, sizeof value) % sim->options.value_bytes;
    char letter = (char)('a' + value % 26);
    for (size_t i = 0; i < filling && n < size; i++) {
        text[n++] = letter;
        letter = letter == 'z' ? 'a' : (char)(letter + 1);
    }
    return n;
}

static size_t token_text(uint64_t value, char *text, size_t size)
{
    return (size_t)snprintf(text, size, "t%" PRIu64 ",", value);
}

static uint32_t key_new(struct sim *sim, uint32_t slot)
{
    struct sim_history *h = &sim->history;
    if (h->n_keys == h->keys_capacity) {
        h->keys_capacity = h->keys_capacity == 0 ? 64 : h->keys_capacity * 2;
        h->keys = realloc(h->keys, h->keys_capacity * sizeof *h->keys);
        assert(h->keys != NULL);
    }
    struct sim_key *key = &h->keys[h->n_keys];
    *key = (struct sim_key){.kind = key_kinds[slot % KINDS]};
    snprintf(key->name, sizeof key->name, "%c%u.%zu", "rcl"[slot % KINDS], slot / KINDS, h->n_keys);
    sim->current_keys[slot] = h->n_keys;
    return (uint32_t)h->n_keys++;
}

static uint32_t key_draw(struct sim *sim)
{
    uint32_t slot = (uint32_t)prng_below(&sim->prng, sim->options.keys * KINDS);
    size_t key = sim->current_keys[slot];
    if (key == SIZE_MAX || sim->history.keys[key].n_ops >= sim->options.key_ops)
        key = key_new(sim, slot);
    return (uint32_t)key;
}

static enum kv_verb verb_of(enum linear_kind kind)
{
    switch (kind) {
    case LINEAR_PUT: return KV_PUT;
    case LINEAR_DEL: return KV_DEL;
    case LINEAR_CAS: return KV_CAS;
    case LINEAR_CAS_ABSENT: return KV_CAS_ABSENT;
    case LINEAR_INCR: return KV_INCR;
    case LINEAR_APPEND: return KV_APPEND;
    case LINEAR_GET: return KV_GET;
    }
    return KV_GET;
}

static size_t history_add(struct sim *sim, struct linear_op linear)
{
    struct sim_history *h = &sim->history;
    if (h->count == h->capacity) {
        h->capacity = h->capacity == 0 ? 1024 : h->capacity * 2;
        h->ops = realloc(h->ops, h->capacity * sizeof *h->ops);
        assert(h->ops != NULL);
    }
    linear.begin = sim->now;
    linear.end = LINEAR_PENDING;
    enum session_task task = linear.kind == LINEAR_GET ? SESSION_READ : SESSION_APPLY;
    h->ops[h->count] = (struct sim_op){.linear = linear, .task = task, .floor = sim->highest_seen,
                                       .verb = verb_of(linear.kind)};
    return h->count++;
}

static size_t op_new(struct sim *sim, uint32_t key, struct linear_op linear)
{
    size_t op = history_add(sim, linear);
    sim->history.keys[key].n_ops++;
    sim->history.ops[op].key = key;
    return op;
}

/* A value of this key that somebody wrote lately, for a CAS to expect. */
static uint64_t value_guess(struct sim *sim, uint32_t key)
{
    const struct sim_history *h = &sim->history;
    size_t n = 0;
    for (size_t i = h->count; i > 0 && n < 40; i--, n++) {
        const struct linear_op *op = &h->ops[i - 1].linear;
        bool writes = op->kind == LINEAR_PUT || op->kind == LINEAR_CAS ||
                      op->kind == LINEAR_CAS_ABSENT;
        if (h->ops[i - 1].key == key && writes && prng_chance(&sim->prng, 2, 3))
            return op->argument;
    }
    return h->next_value + 1000000;
}

static struct linear_op draw_op(struct sim *sim, uint32_t key)
{
    uint64_t draw = prng_below(&sim->prng, 100);
    uint64_t value = ++sim->history.next_value;
    char text[32];
    if (draw < 30) return (struct linear_op){.kind = LINEAR_GET};
    switch (sim->history.keys[key].kind) {
    case LINEAR_INCR:
        return (struct linear_op){.kind = LINEAR_INCR, .argument = 1};
    case LINEAR_APPEND:
        return (struct linear_op){.kind = LINEAR_APPEND, .argument = value,
                                  .expected = token_text(value, text, sizeof text)};
    default:
        if (draw < 60) return (struct linear_op){.kind = LINEAR_PUT, .argument = value};
        if (draw < 70) return (struct linear_op){.kind = LINEAR_DEL};
        if (draw < 85) return (struct linear_op){.kind = LINEAR_CAS_ABSENT, .argument = value};
        return (struct linear_op){.kind = LINEAR_CAS, .argument = value,
                                  .expected = value_guess(sim, key)};
    }
}

static uint32_t modelled_key(struct sim *sim, uint64_t slot)
{
    if (sim->modelled_keys[slot] == 0) {
        size_t before = sim->current_keys[0];
        sim->modelled_keys[slot] = 1 + (size_t)key_new(sim, 0);
        sim->current_keys[0] = before;
        sim->history.keys[sim->modelled_keys[slot] - 1].modelled = true;
    }
    return (uint32_t)(sim->modelled_keys[slot] - 1);
}

/* For a moment or for some seconds; now and then until a time that may be over. */
static uint64_t draw_expiry(struct sim *sim)
{
    struct prng *prng = &sim->model_prng;
    uint64_t ttl = prng_between(prng, 1, SIM_MS << prng_below(prng, 15));
    if (!prng_chance(prng, 1, 8)) return ttl;
    return KV_EXPIRES_AT | (SIM_WALL_START - SIM_S + sim->now + ttl);
}

/* Conditions on some keys and steps on others, or the same, drawn here. */
static void encode_txn(struct sim *sim, struct sim_client *client)
{
    struct prng *prng = &sim->model_prng;
    struct kv_condition conditions[2];
    struct kv_op steps[KV_BRANCHES][SIM_MODELLED_KEYS];
    struct bytes keys[SIM_MODELLED_KEYS];
    static const enum kv_verb verbs[] = {KV_PUT, KV_PUT, KV_INCR, KV_APPEND,
                                         KV_DEL, KV_GET, KV_EXPIRE};
    struct kv_op kv = {.verb = KV_TXN};
    for (uint32_t i = 0; i < SIM_MODELLED_KEYS; i++) modelled_key(sim, i); /* they may move */
    for (uint32_t i = 0; i < SIM_MODELLED_KEYS; i++)
        keys[i] = bytes_of(sim->history.keys[modelled_key(sim, i)].name);
    kv.txn.conditions = conditions;
    kv.txn.n_conditions = (uint32_t)prng_below(prng, 3);
    for (uint32_t i = 0; i < kv.txn.n_conditions; i++)
        conditions[i] = (struct kv_condition){
            .test = (enum kv_test)prng_between(prng, KV_TEST_ABSENT, KV_TEST_IS_NOT),
            .key = keys[prng_below(prng, SIM_MODELLED_KEYS)], .value = bytes_of("1")};
    for (int branch = 0; branch < KV_BRANCHES; branch++) {
        kv.txn.steps[branch] = steps[branch];
        kv.txn.n_steps[branch] = (uint32_t)prng_between(prng, 1, SIM_MODELLED_KEYS);
        for (uint32_t i = 0; i < kv.txn.n_steps[branch]; i++) {
            struct kv_op *step = &steps[branch][i];
            *step = (struct kv_op){.verb = verbs[prng_below(prng, sizeof verbs / sizeof *verbs)],
                                   .key = keys[i], .keys = &keys[i], .n_keys = 1, .number = 1};
            if (step->verb == KV_PUT || step->verb == KV_APPEND)
                step->value = bytes_of(prng_chance(prng, 1, 2) ? "1" : "2");
            if (step->verb == KV_PUT || step->verb == KV_EXPIRE) step->expiry = draw_expiry(sim);
        }
    }
    struct writer w = writer_over(client->body, BODY_MAX);
    kv_encode_op(&kv, &w);
    assert(w.ok);
    client->body_size = w.size;
}

static void encode_op(struct sim *sim, struct sim_client *client)
{
    if (sim->history.ops[client->op].verb == KV_TXN) {
        encode_txn(sim, client);
        return;
    }
    const struct sim_op *op = &sim->history.ops[client->op];
    const struct linear_op *linear = &op->linear;
    char value[BODY_MAX / 4], expected[BODY_MAX / 4];
    struct bytes key = bytes_of(sim->history.keys[op->key].name);
    struct kv_op kv = {.verb = op->verb, .expiry = op->expiry,
                       .key = key, .keys = &key, .n_keys = 1,
                       .number = (int64_t)linear->argument};
    kv.value.data = (const uint8_t *)value;
    kv.expected.data = (const uint8_t *)expected;
    if (linear->kind == LINEAR_APPEND)
        kv.value.size = token_text(linear->argument, value, sizeof value);
    if (linear->kind == LINEAR_PUT || linear->kind == LINEAR_CAS ||
        linear->kind == LINEAR_CAS_ABSENT)
        kv.value.size = value_text(sim, linear->argument, value, sizeof value);
    if (linear->kind == LINEAR_CAS)
        kv.expected.size = value_text(sim, linear->expected, expected, sizeof expected);
    if (op->verb == KV_CHANGES) {
        kv.key = (struct bytes){0};
        kv.flags = client->watches ? KV_CHANGES_PLACE : KV_CHANGES_NOW;
        kv.number = (int64_t)client->place;
    }
    struct writer w = writer_over(client->body, BODY_MAX);
    kv_encode_op(&kv, &w);
    assert(w.ok);
    client->body_size = w.size;
}

/* What a read saw, or false if no client ever wrote such a thing. */
static bool parse_value(const struct sim *sim, enum linear_kind kind, struct bytes text,
                        struct linear_state *saw)
{
    char copy[BODY_MAX], again[BODY_MAX];
    uint64_t value = 0;
    if (text.size >= sizeof copy) return false;
    memcpy(copy, text.data, text.size);
    copy[text.size] = 0;
    saw->present = true;
    if (kind == LINEAR_APPEND) {
        saw->length = text.size;
        for (char *at = copy; *at != 0;) {
            char *after;
            if (*at != 't') return false;
            value = strtoull(at + 1, &after, 10);
            if (*after != ',') return false;
            saw->value = linear_list_hash(saw->value, value);
            at = after + 1;
        }
        return true;
    }
    saw->value = strtoull(kind == LINEAR_PUT ? copy + 1 : copy, NULL, 10);
    size_t size = kind == LINEAR_PUT
                      ? value_text(sim, saw->value, again, sizeof again)
                      : (size_t)snprintf(again, sizeof again, "%" PRIu64, saw->value);
    return size == text.size && memcmp(again, copy, size) == 0;
}

/* The last read of a list settles every append to it: it stands where it stands, or it did not
 * happen as far as anyone will ever see. */
static void settle_appends(struct sim *sim, uint32_t key, struct bytes list)
{
    for (size_t i = 0; i < sim->history.count; i++) {
        struct sim_op *op = &sim->history.ops[i];
        bool pending = op->linear.kind == LINEAR_APPEND && op->linear.end == LINEAR_PENDING;
        char token[32];
        if (op->key != key || !pending || op->never) continue;
        size_t size = token_text(op->linear.argument, token, sizeof token);
        const uint8_t *at = list.size == 0 ? NULL : memmem(list.data, list.size, token, size);
        if (at == NULL) op->never = true;
        else
            op->linear.saw = (struct linear_state){true, 0, (uint64_t)(at - list.data) + size};
    }
}

/* Counters and lists only grow.  What a client saw of one, by any answer but a stale read's, is the
 * least that its causal reads may show. */
static void check_floor(struct sim *sim, struct sim_client *client, const struct sim_op *op)
{
    enum linear_kind kind = sim->history.keys[op->key].kind;
    uint64_t reached = kind == LINEAR_INCR ? op->linear.saw.value : op->linear.saw.length;
    if (op->task != SESSION_READ && op->task != SESSION_APPLY) sim->stats.local_reads++;
    if (kind == LINEAR_PUT || op->task == SESSION_READ_STALE) return;
    if (op->key >= client->n_floors) {
        size_t n = op->key + 64;
        client->floors = realloc(client->floors, n * sizeof *client->floors);
        assert(client->floors != NULL);
        memset(client->floors + client->n_floors, 0, (n - client->n_floors) * sizeof(uint64_t));
        client->n_floors = n;
    }
    if (op->task == SESSION_READ_CAUSAL && reached < client->floors[op->key])
        sim_fail(sim, "client %u saw key %s at %" PRIu64 ", and a causal read shows it at %" PRIu64,
                 client->index, sim->history.keys[op->key].name, client->floors[op->key], reached);
    if (reached > client->floors[op->key]) client->floors[op->key] = reached;
}

/* In the midst of an entry. */
static bool may_be_stuck(const struct sim *sim)
{
    return sim->options.poison_ppm != 0 || sim->options.illness_us != 0;
}

/* Each client watches, too, by asking now and then for what has changed since, wherever that may
 * be; who was away for too long begins anew. */
static void note_changes(struct sim *sim, struct sim_client *client,
                         const struct kv_answer *answer)
{
    struct model *m = &sim->model;
    uint64_t op = client->session.result.op;
    if (answer->status == KV_ANSWER_GONE) {
        client->watches = false;
        sim->stats.watchers_late++;
        return;
    }
    if (!client->watches) client->n_changes_seen = model_changes_from(m, op + 1);
    const char *wrong =
        model_changes(m, op, may_be_stuck(sim), answer, &client->n_changes_seen);
    sim->stats.watched += answer->n_list;
    client->watches = true;
    client->place = (uint64_t)answer->number;
    if (wrong != NULL) sim_fail(sim, "client %u, op=%" PRIu64 ": %s", client->index, op, wrong);
}

/* What a read tells is what the model says of the state it was answered from. */
static void check_model(struct sim *sim, struct sim_client *client, const struct sim_op *op,
                        const struct kv_answer *answer)
{
    if (op->verb == KV_CHANGES) {
        note_changes(sim, client, answer);
        return;
    }
    const char *name = sim->history.keys[op->key].name;
    struct kv_op read = {.verb = op->verb, .key = bytes_of(name)};
    if (sim->options.modelled_permille == 0) return;
    const char *wrong =
        model_read(&sim->model, client->session.result.op, may_be_stuck(sim), &read, answer);
    if (wrong != NULL)
        sim_fail(sim, "key %s, read after op=%" PRIu64 ": %s", name, client->session.result.op,
                 wrong);
}

static void note_answer(struct sim *sim, struct sim_client *client, struct bytes body)
{
    struct sim_op *op = &sim->history.ops[client->op];
    struct kv_answer answer;
    sim->stats.answered++;
    if (client->told_by_flipped) return; /* it has an answer, and nothing is known */
    op->linear.end = sim->now;
    if (foreign_in_use()) return;
    const struct sim_key *key = &sim->history.keys[op->key];
    if (kv_decode_answer(op->verb, body, &answer) != 0) {
        sim_fail(sim, "an answer about key %s cannot be read", key->name);
        return;
    }
    if (op->linear.kind == LINEAR_GET) check_model(sim, client, op, &answer);
    if (key->modelled) return;
    if (answer.status == KV_ANSWER_FULL || answer.status == KV_ANSWER_TOO_LARGE) {
        op->never = true;
        return;
    }
    op->linear.done = answer.status == KV_ANSWER_DONE;
    if (op->linear.kind == LINEAR_DEL) op->linear.done = answer.number == 1;
    if (op->linear.kind == LINEAR_INCR)
        op->linear.saw = (struct linear_state){true, (uint64_t)answer.number, 0};
    if (op->linear.kind == LINEAR_APPEND)
        op->linear.saw = (struct linear_state){true, 0, (uint64_t)answer.number};
    if (op->linear.kind == LINEAR_GET && op->linear.done &&
        !parse_value(sim, key->kind, answer.value, &op->linear.saw))
        sim_fail(sim, "a read of key %s answers what nobody wrote", key->name);
    check_floor(sim, client, op);
    if (sim->phase == SIM_PHASE_READ && key->kind == LINEAR_APPEND)
        settle_appends(sim, op->key, answer.value);
}

static void alarm_after(struct sim *sim, struct sim_client *client, uint64_t after_us)
{
    if (client->alarm_at == sim->now + after_us && after_us > 0) return; /* it is set already */
    client->alarm++;
    client->alarm_at = sim->now + after_us;
    sim_at(sim, after_us,
           (struct sim_event){.kind = SIM_CLIENT, .node = client->index, .value = client->alarm});
}

static uint64_t now_ms(const struct sim *sim)
{
    return sim->now / 1000;
}

/* From its beginning, or from what was saved. */
static void session_from(struct sim *sim, struct sim_client *client,
                         const struct session_identity *identity, uint8_t n)
{
    session_init(&client->session, identity, n, prng_next(&sim->prng));
    client->session.heavy_bytes = (uint32_t)sim->options.heavy_bytes;
    client->session.told = !client->knows_few;
    sim_know_others(sim, client);
}

static void new_identity(struct sim *sim, struct sim_client *client)
{
    struct session_identity identity = client->session.identity; /* the view is worth keeping */
    identity.client = (struct vstamp_id){prng_next(&sim->prng), prng_next(&sim->prng) | 1};
    identity.registration = 1;
    identity.session = identity.number = 0;
    uint8_t n = client->session.n_replicas;
    bool looks_anew = sim->options.few_permille > 0 && sim->phase == SIM_PHASE_READ;
    if (client->n_nodes == 0 || looks_anew) n = sim_first_members(sim, client, &identity);
    session_from(sim, client, &identity, n);
    client->unsettled = false;
}

/* When the faults are over the load is one that the group bears: until the last client is answered
 * no more go on than there are sessions for, as they would drive each other out for ever, ... */
static bool gives_way(const struct sim *sim, const struct sim_client *client)
{
    bool waits = sim->clients[sim->options.clients].state != SIM_CLIENT_DONE;
    return sim->quiet && waits && !sim_is_last(sim, client) &&
           client->index + 1u >= sim->options.max_clients;
}

/* ... and the last one does not give up before what all others have asked for is written. */
static uint64_t patience_ms(struct sim *sim, const struct sim_client *client)
{
    const struct sim_options *o = &sim->options;
    uint64_t ms = 1 + sim_around(sim, o->patience_us) / 1000;
    if (!sim_is_last(sim, client)) return ms;
    if (o->change_us != 0 || client->knows_few) ms += 2000; /* it looks about */
    return ms + 2 * o->clients * (o->disk_us + o->disk_spread_us) / 1000;
}

/* When all else is done, clients go on for a flip to be found, and leave who fetches pages the time
 * for it. */
static uint64_t think_us(const struct sim *sim)
{
    bool done = sim->clients[sim->options.clients].state == SIM_CLIENT_DONE;
    return sim->options.think_us + (done ? 50 * SIM_MS : 0);
}

static void rest(struct sim *sim, struct sim_client *client)
{
    client->state = SIM_CLIENT_IDLE;
    alarm_after(sim, client, sim_is_last(sim, client) ? 1 : sim_around(sim, think_us(sim)));
}

static void begin_task(struct sim *sim, struct sim_client *client, enum session_task task,
                       bool sent_before)
{
    uint64_t patience = patience_ms(sim, client);
    struct bytes body = {client->body, task == SESSION_REGISTER ? 0 : client->body_size};
    sim_know_others(sim, client);
    client->state = task == SESSION_REGISTER ? SIM_CLIENT_REGISTERING : SIM_CLIENT_ASKING;
    session_start(&client->session, task, body, sent_before, now_ms(sim),
                  now_ms(sim) + patience);
    if (sim->tracing)
        sim_trace(sim, "client %u: %s number=%" PRIu64, client->index,
                  task == SESSION_REGISTER ? "registers" : "asks", client->session.request.number);
    sim_client_step(sim, client);
}

/* With a byte behind the end, which no replica lets into the log. */
static void spoil_some(struct sim *sim, struct sim_client *client)
{
    struct sim_op *op = &sim->history.ops[client->op];
    bool may_be_refused = op->task == SESSION_APPLY && !sim_is_last(sim, client);
    if (!may_be_refused || sim->options.unsound_permille == 0) return;
    op->unsound = prng_below(&sim->model_prng, 1000) < sim->options.unsound_permille;
    if (op->unsound) client->body[client->body_size++] = 0;
}

static void ask(struct sim *sim, struct sim_client *client)
{
    encode_op(sim, client);
    spoil_some(sim, client);
    begin_task(sim, client, sim->history.ops[client->op].task, false);
}

static bool draw_modelled_op(struct sim *sim, struct sim_client *client)
{
    static const struct {
        enum kv_verb verb;
        enum linear_kind kind; /* as the history has it */
        bool expires;
    } draws[] = {{KV_PUT, LINEAR_PUT, true},      {KV_PUT, LINEAR_PUT, true},
                 {KV_PUT, LINEAR_PUT, false},     {KV_CAS_ABSENT, LINEAR_CAS_ABSENT, true},
                 {KV_CAS, LINEAR_CAS, true},      {KV_EXPIRE, LINEAR_DEL, true},
                 {KV_EXPIRE, LINEAR_DEL, false},  {KV_INCR, LINEAR_INCR, false},
                 {KV_DEL, LINEAR_DEL, false},     {KV_APPEND, LINEAR_APPEND, false},
                 {KV_GET, LINEAR_GET, false},     {KV_GET, LINEAR_GET, false},
                 {KV_GET, LINEAR_GET, false},     {KV_TTL, LINEAR_GET, false},
                 {KV_TXN, LINEAR_DEL, false},     {KV_TXN, LINEAR_DEL, false},
                 {KV_CHANGES, LINEAR_GET, false}, {KV_CHANGES, LINEAR_GET, false}};
    struct prng *prng = &sim->model_prng;
    if (sim_is_last(sim, client) || prng_below(prng, 1000) >= sim->options.modelled_permille)
        return false;
    uint64_t draw = prng_below(prng, sizeof draws / sizeof draws[0]);
    uint32_t key = modelled_key(sim, prng_below(prng, SIM_MODELLED_KEYS));
    struct linear_op op = {.kind = draws[draw].kind, .argument = ++sim->history.next_value};
    if (op.kind == LINEAR_INCR) op.argument = 1;
    op.expected = op.argument - prng_below(prng, 3);
    client->op = op_new(sim, key, op);
    sim->history.ops[client->op].verb = draws[draw].verb;
    if (draws[draw].expires) sim->history.ops[client->op].expiry = draw_expiry(sim);
    return true;
}

/* Some reads any replica may answer, as it is or after what the client has seen. */
static void read_locally(struct sim *sim, struct sim_op *read)
{
    if (read->linear.kind != LINEAR_GET ||
        prng_below(&sim->prng, 1000) >= sim->options.local_read_permille)
        return;
    read->task = prng_chance(&sim->prng, 2, 3) ? SESSION_READ_CAUSAL : SESSION_READ_STALE;
    read->never = true;
}

/* What it means only its application knows, so it is of no key. */
static void begin_foreign(struct sim *sim, struct sim_client *client)
{
    bool reads;
    struct bytes line = foreign_draw(&sim->prng, sim_is_last(sim, client), &reads);
    client->body_size = line.size < BODY_MAX ? line.size : BODY_MAX;
    memcpy(client->body, line.data, client->body_size);
    client->op = history_add(sim, (struct linear_op){.kind = reads ? LINEAR_GET : LINEAR_PUT});
    begin_task(sim, client, sim->history.ops[client->op].task, false);
}

static void begin_op(struct sim *sim, struct sim_client *client)
{
    if (foreign_in_use()) {
        begin_foreign(sim, client);
        return;
    }
    if (draw_modelled_op(sim, client)) {
        read_locally(sim, &sim->history.ops[client->op]);
        ask(sim, client);
        return;
    }
    uint32_t key = key_draw(sim);
    struct linear_op op = draw_op(sim, key);
    while (sim_is_last(sim, client) && op.kind == LINEAR_GET) op = draw_op(sim, key);
    client->op = op_new(sim, key, op);
    read_locally(sim, &sim->history.ops[client->op]);
    ask(sim, client);
}

/* When all is over every key is read once more. */
static void read_next(struct sim *sim, struct sim_client *client)
{
    if (sim->next_read == sim->history.n_keys) {
        client->state = SIM_CLIENT_DONE;
        return;
    }
    client->op = op_new(sim, (uint32_t)sim->next_read, (struct linear_op){.kind = LINEAR_GET});
    ask(sim, client);
}

/* A registration was answered: it also tells what became of a request left open. */
static void registered(struct sim *sim, struct sim_client *client)
{
    const struct wire_registration *given = &client->session.result.registration;
    if (!client->unsettled) return;
    client->unsettled = false;
    switch (session_settle(given, client->unsettled_session, client->unsettled_number,
                           (struct bytes){client->body, client->body_size})) {
    case SESSION_RAN:
        if (given->outcome == WIRE_OUTCOME_NOT_RUN) sim->history.ops[client->op].never = true;
        else note_answer(sim, client, given->answer);
        break;
    case SESSION_DID_NOT_RUN:
        sim->history.ops[client->op].never = true;
        break;
    case SESSION_CANNOT_TELL:
        break;
    }
}

/* What began after another's answer comes after it in the log, or reads a state that has it: so for
 * all keys together, which linear_check does not look at. */
static void check_order(struct sim *sim, const struct sim_client *client, const struct sim_op *op)
{
    uint64_t at = client->session.result.op;
    uint64_t least = op->task == SESSION_APPLY ? op->floor + 1 : op->floor;
    bool ordered = op->task == SESSION_APPLY || op->task == SESSION_READ;
    if (ordered && at < least)
        sim_fail(sim, "client %u is answered at op=%" PRIu64 ", but asked when op=%" PRIu64
                 " had been answered", client->index, at, op->floor);
    if (at > sim->highest_seen) sim->highest_seen = at;
}

static void op_ended(struct sim *sim, struct sim_client *client)
{
    struct session *s = &client->session;
    struct sim_op *op = &sim->history.ops[client->op];
    if (s->result.err == 0) {
        if (op->unsound) sim_fail(sim, "client %u is answered what must be refused", client->index);
        check_order(sim, client, op);
        if (foreign_in_use() && op->task == SESSION_APPLY)
            foreign_check_answer(sim, s, s->result.op,
                                 (struct bytes){client->body, client->body_size}, s->result.body);
        note_answer(sim, client, s->result.body);
        if (!sim_is_last(sim, client)) return;
        if (sim->phase == SIM_PHASE_PROGRESS) client->state = SIM_CLIENT_DONE;
        if (sim->phase == SIM_PHASE_READ) sim->next_read++;
        return;
    }
    bool evicted = s->result.err == VSTAMP_E_EVICTED;
    bool refused = s->result.err == VSTAMP_E_INVALID || s->result.err == VSTAMP_E_TOO_LARGE;
    if (refused && !op->unsound && !foreign_in_use())
        sim_fail(sim, "a sound operation was refused: %s", vstamp_err_text(s->result.err));
    bool may_be = sim->options.poison_ppm != 0 || sim->options.illness_us != 0;
    if (s->result.err == VSTAMP_E_REFUSED && !may_be && !foreign_in_use())
        sim_fail(sim, "an operation was refused that can be executed");
    sim->stats.refused += s->result.err == VSTAMP_E_REFUSED;
    if (!s->result.may_have_run) op->never = true;
    if (op->linear.kind == LINEAR_GET || !s->result.may_have_run) return;
    sim->stats.unknown++;
    if (!evicted && prng_below(&sim->prng, 1000) < sim->options.resume_permille) {
        client->unsettled = true;
        client->unsettled_session = s->identity.session;
        client->unsettled_number = s->request.number;
        session_renew(s);
    } else if (!evicted) {
        new_identity(sim, client);
    }
}

/* The process dies and comes back with what it had saved before it sent: its identity and the
 * request. It sends that once more, or registers to learn what became of it. */
void sim_client_restart(struct sim *sim, struct sim_client *client)
{
    struct session *s = &client->session;
    struct session_identity identity = s->identity;
    bool was_writing = client->state == SIM_CLIENT_ASKING && s->task == SESSION_APPLY;
    if (client->state != SIM_CLIENT_REGISTERING && client->state != SIM_CLIENT_ASKING) return;
    sim_trace(sim, "client %u: starts again", client->index);
    for (uint8_t i = 0; i < sim->n_nodes; i++) {
        client->connections[i].up = client->connections[i].coming = false;
        client->connections[i].generation++;
    }
    session_from(sim, client, &identity, s->n_replicas);
    if (!was_writing) {
        rest(sim, client);
    } else if (prng_below(&sim->prng, 1000) < sim->options.resume_permille) {
        client->unsettled = true;
        client->unsettled_session = identity.session;
        client->unsettled_number = identity.number + 1;
        session_renew(s);
        rest(sim, client);
    } else {
        begin_task(sim, client, SESSION_APPLY, true);
    }
}

/* The session's task has ended. */
static void ended(struct sim *sim, struct sim_client *client)
{
    bool was_registering = client->state == SIM_CLIENT_REGISTERING;
    int err = client->session.result.err;
    if (sim->tracing)
        sim_trace(sim, "client %u: %s", client->index,
                  err == 0 ? "answered" : vstamp_err_text(err));
    if (was_registering && err == 0) registered(sim, client);
    if (!was_registering) op_ended(sim, client);
    if (client->state != SIM_CLIENT_DONE) rest(sim, client);
}

void sim_client_step(struct sim *sim, struct sim_client *client)
{
    struct session *s = &client->session;
    uint8_t frame[BODY_MAX + 256];
    if (client->state != SIM_CLIENT_REGISTERING && client->state != SIM_CLIENT_ASKING) return;
    if (!session_ended(s)) session_on_time(s, now_ms(sim));
    for (uint8_t i = 0; i < client->n_nodes && !session_ended(s); i++) {
        uint8_t replica = client->nodes[i];
        struct sim_connection *c = &client->connections[replica];
        if (!session_wants(s, i)) continue;
        if (!c->up && !c->coming) sim_net_connect(sim, client, replica);
        if (!c->up) continue;
        size_t size;
        while ((size = session_send(s, i, frame, sizeof frame)) > 0) {
            sim_heavy_sent(sim, client, i, (struct bytes){frame, size});
            sim_net_request(sim, client, replica, (struct bytes){frame, size});
        }
    }
    if (session_ended(s)) {
        ended(sim, client);
        return;
    }
    uint64_t wake = session_wake(s) * 1000;
    alarm_after(sim, client, wake > sim->now ? wake - sim->now : 1);
}

void sim_client_frame(struct sim *sim, uint8_t index, uint8_t replica, struct bytes frame)
{
    struct sim_client *client = &sim->clients[index];
    uint8_t number = sim_client_number(client, replica);
    if (number == client->n_nodes) return;
    sim_heavy_answered(client, replica, frame);
    int rv = session_on_frame(&client->session, number, frame, now_ms(sim));
    if (rv == SESSION_MOVED) sim_follow(sim, client, frame);
    else if (rv != 0)
        sim_fail(sim, "client %u cannot make sense of an answer of replica %u: %s", index, replica,
                 vstamp_err_text(rv));
    sim_client_step(sim, client);
}

void sim_client_wake(struct sim *sim, uint8_t index, uint64_t alarm)
{
    struct sim_client *client = &sim->clients[index];
    if (alarm != client->alarm) return;
    switch (client->state) {
    case SIM_CLIENT_IDLE:
        if (!sim_is_last(sim, client) && sim->phase > SIM_PHASE_PROGRESS) break; /* enough */
        if (gives_way(sim, client)) {
            rest(sim, client);
            break;
        }
        if (client->session.identity.session == 0)
            begin_task(sim, client, SESSION_REGISTER, false);
        else if (sim->phase == SIM_PHASE_READ)
            read_next(sim, client);
        else
            begin_op(sim, client);
        break;
    case SIM_CLIENT_REGISTERING:
    case SIM_CLIENT_ASKING:
        sim_client_step(sim, client);
        break;
    case SIM_CLIENT_DONE:
        break;
    }
}

void sim_client_begin(struct sim *sim, uint8_t index)
{
    struct sim_client *client = &sim->clients[index];
    client->index = index;
    client->state = SIM_CLIENT_IDLE;
    bool is_new = client->body == NULL;
    if (is_new) client->body = malloc(BODY_MAX + 1); /* spoil_some */
    assert(client->body != NULL);
    /* Who reads at the end registers anew: an operation must commit once more. */
    if (is_new || sim->phase == SIM_PHASE_READ) new_identity(sim, client);
    client->alarm_at = 0;
    alarm_after(sim, client, sim_around(sim, BEGIN_US));
}

void sim_workload_close(struct sim *sim)
{
    for (uint32_t i = 0; i <= sim->options.clients; i++) {
        free(sim->clients[i].body);
        free(sim->clients[i].floors);
    }
    free(sim->history.ops);
    free(sim->history.keys);
    free(sim->current_keys);
}

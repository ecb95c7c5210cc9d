/* SPDX-License-Identifier: BSD-2-Clause */
#include <config.h>

#include "client/bench.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "client/memory.h"

#define SECOND_NS     UINT64_C(1000000000)
#define KEYS_A_DELETE 64u

/* A client: what it has asked. */
struct requester {
    struct bench *b;
    uint32_t number;
    bool is_read;
    uint64_t since_ns; /* from when its latency counts */
    uint8_t *operation;
};

/* --- operations ------------------------------------------------------------------------------- */

static size_t operation_capacity(const struct bench_options *o)
{
    size_t deletes = KEYS_A_DELETE * ((size_t)o->key_bytes + 4);
    return 64 + o->key_bytes + o->value_bytes + deletes;
}

/* "bench/0000000042", padded with zeros to the size wanted. */
static struct bytes print_key(const struct bench *b, char *into, uint64_t key)
{
    memcpy(into, BENCH_PREFIX, strlen(BENCH_PREFIX));
    for (uint32_t i = b->options.key_bytes; i > strlen(BENCH_PREFIX); key /= 10)
        into[--i] = (char)('0' + key % 10);
    return (struct bytes){(const uint8_t *)into, b->options.key_bytes};
}

static struct bytes encode(struct requester *r, const struct kv_op *op)
{
    struct writer w = writer_over(r->operation, operation_capacity(&r->b->options));
    kv_encode_op(op, &w);
    return (struct bytes){r->operation, w.size};
}

static struct bytes encode_for_key(struct requester *r, enum kv_verb verb, uint64_t key)
{
    char text[KV_KEY_MAX];
    const struct kv_op op = {.verb = verb,
                             .key = print_key(r->b, text, key),
                             .value = {r->b->value, r->b->options.value_bytes},
                             .number = 1};
    return encode(r, &op);
}

/* --- the load --------------------------------------------------------------------------------- */

static void count_failure(struct bench *b, int err, bool may_have_run)
{
    enum bench_failure kind = may_have_run ? BENCH_UNKNOWN
                              : vstamp_err_exit(err) == CLI_NOT_RUN ? BENCH_NOT_RUN
                                                                    : BENCH_REFUSED;
    b->failures[kind]++;
    if (b->failure == 0) b->failure = err;
    if (b->why[0] == '\0' && outcome_is_silence(err))
        crowd_explain(&b->crowd, b->why, sizeof b->why);
}

/* An error that the answer is, or 0. */
static int error_of(const struct vstamp_reply *reply, enum kv_verb verb, struct kv_answer *answer)
{
    if (reply->err != 0) return reply->err;
    if (kv_decode_answer(verb, (struct bytes){reply->body, reply->size}, answer) != 0)
        return VSTAMP_E_MALFORMED;
    return kv_answer_err(answer->status);
}

static void note_views(struct bench *b, uint64_t now)
{
    uint64_t view = b->crowd.view;
    if (b->n_views > 0 && b->views[b->n_views - 1].view == view) return;
    if (b->n_views < BENCH_VIEWS_MAX) b->n_views++; /* the newest one is always there */
    b->views[b->n_views - 1] = (struct bench_view){now - b->start_ns, view};
}

static void note_gap(struct bench *b, uint64_t now)
{
    if (now - b->answered_ns > b->gap_ns) {
        b->gap_ns = now - b->answered_ns;
        b->gap_at_ns = b->answered_ns - b->start_ns;
    }
    b->answered_ns = now;
}

static void on_reply(void *context, const struct vstamp_reply *reply)
{
    struct requester *r = context;
    struct bench *b = r->b;
    struct kv_answer answer;
    uint64_t now = crowd_now_ns(), latency = now > r->since_ns ? now - r->since_ns : 0;
    enum kv_verb verb = r->is_read ? KV_GET : b->options.increments ? KV_INCR : KV_PUT;
    int err = error_of(reply, verb, &answer);
    b->free[b->n_free++] = r->number;
    timeline_add(&b->timeline, now - b->start_ns, latency, err == 0);
    if (err != 0) {
        count_failure(b, err, reply->may_have_run);
        return;
    }
    note_gap(b, now);
    histogram_add(r->is_read ? &b->reads : &b->writes, latency);
    histogram_add(&b->second, latency);
}

static void start(struct bench *b, uint64_t since_ns)
{
    const struct bench_options *o = &b->options;
    struct requester *r = &b->requesters[b->free[--b->n_free]];
    uint64_t key = b->zipf.n > 0 ? zipf_next(&b->zipf, &b->prng) : prng_below(&b->prng, o->keys);
    r->is_read = prng_below(&b->prng, 100) < o->read_percent;
    r->since_ns = since_ns;
    b->n_started++;
    enum kv_verb verb = r->is_read ? KV_GET : o->increments ? KV_INCR : KV_PUT;
    enum vstamp_task task = VSTAMP_APPLY;
    if (r->is_read) task = (enum vstamp_task)b->crowd.c->options.read_task;
    crowd_call(&b->crowd, r->number, task, encode_for_key(r, verb, key), on_reply, r);
}

/* Is another request to be sent, now or later? */
static bool goes_on(const struct bench *b, uint64_t now)
{
    if (b->crowd.c->signal != 0) return false;
    if (b->options.requests > 0 && b->n_started >= b->options.requests) return false;
    if (b->options.duration_ms == 0) return true;
    return now < b->end_ns && (b->options.rate == 0 || b->next_ns < b->end_ns);
}

/* Send what is due and finds a client. */
static void send_due(struct bench *b, uint64_t now)
{
    while (b->n_free > 0 && goes_on(b, now)) {
        if (b->options.rate == 0) {
            start(b, now);
        } else {
            if (b->next_ns > now) return;
            start(b, b->next_ns);
            b->next_ns = b->start_ns + (uint64_t)((double)b->n_started * b->step_ns);
        }
    }
}

/* What was due by the schedule and is given up at its end. */
static void count_unsent(struct bench *b, uint64_t now)
{
    uint64_t until = b->options.duration_ms > 0 && b->end_ns < now ? b->end_ns : now;
    if (b->options.rate == 0 || b->next_ns >= until) return;
    uint64_t due = (uint64_t)((double)(until - b->start_ns) / b->step_ns) + 1;
    if (b->options.requests > 0 && due > b->options.requests) due = b->options.requests;
    if (due > b->n_started) b->n_unsent = due - b->n_started;
}

static uint64_t wait_until(const struct bench *b, bool more, uint64_t live_ns)
{
    const struct bench_options *o = &b->options;
    uint64_t until = live_ns;
    if (more && o->duration_ms > 0 && b->end_ns < until) until = b->end_ns;
    if (more && o->rate > 0 && b->n_free > 0 && b->next_ns < until) until = b->next_ns;
    return until;
}

void bench_run(struct bench *b, void (*live)(const struct bench *b, uint64_t elapsed_ns))
{
    const struct bench_options *o = &b->options;
    uint64_t now = crowd_now_ns(), live_ns = now + SECOND_NS;
    b->start_ns = b->answered_ns = b->next_ns = now;
    b->end_ns = now + (uint64_t)o->duration_ms * 1000000u;
    b->step_ns = o->rate > 0 ? 1e9 / o->rate : 0;
    note_views(b, now);
    for (;;) {
        send_due(b, now);
        bool more = goes_on(b, now);
        if (!more && (b->n_free == o->clients || b->crowd.c->signal != 0)) break;
        crowd_turn(&b->crowd, -1, wait_until(b, more, live_ns));
        now = crowd_now_ns();
        note_views(b, now);
        if (now < live_ns) continue;
        live(b, now - b->start_ns);
        memset(&b->second, 0, sizeof b->second);
        live_ns += ((now - live_ns) / SECOND_NS + 1) * SECOND_NS;
    }
    count_unsent(b, now);
    note_gap(b, now);
    b->end_ns = now;
    timeline_end(&b->timeline, now - b->start_ns);
}

double bench_seconds(const struct bench *b)
{
    return (double)(b->end_ns - b->start_ns) / 1e9;
}

uint64_t bench_answered(const struct bench *b)
{
    return b->reads.count + b->writes.count;
}

double bench_per_second(const struct bench *b)
{
    return b->end_ns > b->start_ns ? (double)bench_answered(b) / bench_seconds(b) : 0;
}

/* --- something for each key ------------------------------------------------------------------- */

static void on_swept(void *context, const struct vstamp_reply *reply)
{
    struct requester *r = context;
    struct bench_sweep *sweep = &r->b->sweep;
    struct kv_answer answer;
    int err = error_of(reply, sweep->verb, &answer);
    r->b->free[r->b->n_free++] = r->number;
    if (err != 0) {
        sweep->err = err;
    } else if (sweep->verb == KV_GET && answer.status == KV_ANSWER_DONE) {
        char text[32] = "";
        size_t size = answer.value.size < sizeof text ? answer.value.size : sizeof text - 1;
        memcpy(text, answer.value.data, size);
        sweep->sum += strtoull(text, NULL, 10);
    }
}

/* The request for the keys from `key` on; *n says how many. */
static struct bytes encode_sweep(struct requester *r, uint64_t key, uint32_t *n)
{
    const struct bench *b = r->b;
    *n = 1;
    if (b->sweep.verb != KV_DEL) return encode_for_key(r, b->sweep.verb, key);
    char text[KEYS_A_DELETE][KV_KEY_MAX];
    struct bytes keys[KEYS_A_DELETE];
    uint64_t left = b->options.keys - key;
    *n = left < KEYS_A_DELETE ? (uint32_t)left : KEYS_A_DELETE;
    for (uint32_t i = 0; i < *n; i++) keys[i] = print_key(b, text[i], key + i);
    return encode(r, &(struct kv_op){.verb = KV_DEL, .keys = keys, .n_keys = *n});
}

static int sweep_keys(struct bench *b, enum kv_verb verb)
{
    enum vstamp_task task = verb == KV_GET ? VSTAMP_READ : VSTAMP_APPLY;
    uint64_t key = 0;
    b->sweep = (struct bench_sweep){.verb = verb};
    while (b->crowd.c->signal == 0) {
        while (b->n_free > 0 && key < b->options.keys && b->sweep.err == 0) {
            struct requester *r = &b->requesters[b->free[--b->n_free]];
            uint32_t n;
            struct bytes operation = encode_sweep(r, key, &n);
            crowd_call(&b->crowd, r->number, task, operation, on_swept, r);
            key += n;
        }
        if (b->n_free == b->options.clients) return b->sweep.err;
        crowd_turn(&b->crowd, -1, UINT64_MAX);
    }
    return VSTAMP_E_NOT_RUN;
}

int bench_fill(struct bench *b)
{
    return sweep_keys(b, KV_PUT);
}

int bench_clear(struct bench *b)
{
    return sweep_keys(b, KV_DEL);
}

int bench_add_up(struct bench *b, uint64_t *sum)
{
    int rv = sweep_keys(b, KV_GET);
    if (rv == 0) *sum = b->sweep.sum;
    return rv;
}

/* --- open and close --------------------------------------------------------------------------- */

int bench_open(struct bench *b, struct client *c, const struct bench_options *options,
               struct vstamp_diag *diag)
{
    uint64_t seed;
    b->options = *options;
    int rv = crowd_open(&b->crowd, c, options->clients, options->connections, diag);
    if (rv != 0) return rv;
    if (getrandom(&seed, sizeof seed, 0) != sizeof seed) abort();
    prng_seed(&b->prng, seed);
    if (options->distribution == BENCH_ZIPFIAN)
        zipf_init(&b->zipf, options->keys, ZIPF_THETA);
    b->value = memory_new(options->value_bytes + 1);
    for (uint32_t i = 0; i < options->value_bytes; i++)
        b->value[i] = (uint8_t)('a' + prng_below(&b->prng, 26));
    b->requesters = memory_new(options->clients * sizeof b->requesters[0]);
    b->free = memory_new(options->clients * sizeof b->free[0]);
    for (uint32_t i = 0; i < options->clients; i++) {
        b->requesters[i].b = b;
        b->requesters[i].number = i;
        b->requesters[i].operation = memory_new(operation_capacity(options));
        b->free[b->n_free++] = options->clients - 1 - i;
    }
    return 0;
}

void bench_close(struct bench *b)
{
    crowd_close(&b->crowd);
    for (uint32_t i = 0; b->requesters != NULL && i < b->options.clients; i++)
        free(b->requesters[i].operation);
    free(b->requesters);
    free(b->free);
    free(b->value);
    timeline_release(&b->timeline);
}

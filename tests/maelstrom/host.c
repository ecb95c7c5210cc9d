/* SPDX-License-Identifier: BSD-2-Clause */
#include "maelstrom/host.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/assert.h"
#include "base/checksum.h"
#include "client/base64.h"
#include "client/memory.h"
#include "maelstrom/requests.h"
#include "program/clock.h"
#include "program/zeros.h"
#include "wire/frame.h"

_Static_assert(REPLICAS_MAX == 16, "a sentence below says so");

#define OUT_FRAMES_MAX (16u << 20) /* while so much waits, frames are dropped */

/* --- messages out ----------------------------------------------------------------------------- */

static const char *own_id(const struct host *h)
{
    return h->config.addresses[h->config.self];
}

/* `session` below 0: none. */
static void send_frame(struct host *h, uint8_t replica, const char *type, int64_t session,
                       struct bytes frame)
{
    struct lines_out *out = replica == h->config.self ? &h->own : &h->out;
    if (lines_waiting(out) > OUT_FRAMES_MAX) return;
    char *text = base64_encode(frame);
    json_t *body = json_pack("{s:s, s:s}", "type", type, "frame", text);
    if (session >= 0) json_object_set_new(body, "session", json_integer(session));
    lines_put_message(out, own_id(h), h->config.addresses[replica], body);
    free(text);
}

void host_send_request(struct host *h, uint8_t replica, uint32_t session, struct bytes frame)
{
    send_frame(h, replica, "vstamp_request", session, frame);
}

/* Before `init` a node has no name, and answers under the one it was addressed by. */
static void answer_as(struct host *h, const char *self, const char *client, json_int_t msg_id,
                      json_t *body)
{
    json_object_set_new(body, "in_reply_to", json_integer(msg_id));
    lines_put_message(&h->out, self, client, body);
}

json_t *host_error(int code, const char *text)
{
    return json_pack("{s:s, s:i, s:s}", "type", "error", "code", code, "text", text);
}

void host_answer(struct host *h, const char *client, json_int_t msg_id, json_t *body)
{
    answer_as(h, own_id(h), client, msg_id, body);
}

/* --- what the node asks for ------------------------------------------------------------------- */

static void io_send(void *ctx, uint8_t replica, struct bytes frame)
{
    send_frame(ctx, replica, "vstamp_peer", -1, frame);
}

/* An origin names the node that asks and its session; never 0. */
static uint64_t origin_of(uint8_t replica, uint32_t session)
{
    return (uint64_t)(replica + 1u) << 32 | session;
}

static void io_reply(void *ctx, uint64_t origin, struct bytes frame)
{
    send_frame(ctx, (uint8_t)((origin >> 32) - 1), "vstamp_reply", (uint32_t)origin, frame);
}

static void io_store(void *ctx, enum node_lane lane, const struct node_job *job)
{
    (void)ctx, (void)lane, (void)job;
    assert(false); /* durability: memory */
}

static void io_log(void *ctx, enum log_level level, const char *event, const char *detail)
{
    struct host *h = ctx;
    log_detail(&h->log, level, event, detail);
}

/* --- init ------------------------------------------------------------------------------------- */

static int compare_ids(const void *left, const void *right)
{
    return strcmp(*(const char *const *)left, *(const char *const *)right);
}

/* The members in the order that all agree on.  NULL, or a sentence. */
static const char *take_members(struct vr_config *config, uint32_t n_witnesses, const json_t *body)
{
    const char *self = json_string_value(json_object_get(body, "node_id"));
    const json_t *ids = json_object_get(body, "node_ids");
    const char *sorted[REPLICAS_MAX];
    size_t n = json_array_size(ids);
    bool is_member = false;
    if (self == NULL || n == 0) return "init needs a node_id, and node_ids as a list";
    if (n > REPLICAS_MAX) return "node_ids: a group has at most 16 replicas";
    for (size_t i = 0; i < n; i++) {
        sorted[i] = json_string_value(json_array_get(ids, i));
        if (sorted[i] == NULL) return "node_ids: not all are texts";
    }
    qsort(sorted, n, sizeof sorted[0], compare_ids);
    for (size_t i = 0; i < n; i++) {
        if (i > 0 && strcmp(sorted[i - 1], sorted[i]) == 0) return "node_ids: one is there twice";
        if (strcmp(sorted[i], self) != 0) continue;
        is_member = true;
        config->self = (uint8_t)i;
    }
    if (!is_member) return "node_id is not among node_ids";
    if (n_witnesses > (n - 1) / 2) return "--witnesses: a majority of the nodes must be active";
    for (size_t i = n - n_witnesses; i < n; i++) config->witnesses |= UINT32_C(1) << i;
    config->n_replicas = (uint8_t)n;
    for (size_t i = 0; i < n; i++) config->addresses[i] = memory_copy(sorted[i], strlen(sorted[i]));
    return NULL;
}

static void start_node(struct host *h)
{
    size_t size = node_memory(&h->config);
    struct vstamp_id entropy;
    void *memory = zeros_map(size);
    if (memory == NULL || getrandom(&entropy, sizeof entropy, 0) != sizeof entropy) {
        log_detail(&h->log, LOG_LEVEL_ERROR, "no-memory", NULL);
        abort();
    }
    h->io = (struct node_io){
        .ctx = h, .send = io_send, .reply = io_reply, .store = io_store, .log = io_log};
    h->node = node_init(memory, size, &h->config, kv_app(), &h->io, entropy);
    h->requests = requests_new(h->config.n_replicas);
    h->log.replica = h->config.self;
    node_clock(h->node, h->now_us, clock_us(CLOCK_REALTIME));
    node_start(h->node);
}

static void on_init(struct host *h, const char *dest, const char *client, json_int_t msg_id,
                    const json_t *body)
{
    struct vr_config config = {
        .heartbeat_ms = (h->view_change_ms + 7) / 8,
        .view_change_ms = h->view_change_ms,
        .max_clients = 10000,
        .batch_bytes = 1u << 20,
        .max_answer_bytes = ANSWER_BYTES_MIN,
        .max_read_bytes = (1u << 20) + READ_OVERHEAD,
        .pipeline = 8,
        .log_entries = 4096,
        .log_bytes = 32u << 20,
        .witness_log_bytes = WITNESS_BATCHES << 20,
        .checkpoint_ops = 1024,
        .state_pages = (256u << 20) / VSTAMP_PAGE_SIZE,
        .version = "maelstrom",
    };
    const char *wrong =
        h->node != NULL ? "init: this node was initialised before"
                        : take_members(&config, h->n_witnesses, body);
    if (wrong != NULL) {
        log_event(&h->log, LOG_LEVEL_ERROR, "init-refused", LOG_TEXT("reason", wrong));
        answer_as(h, dest, client, msg_id, host_error(ERROR_MALFORMED, wrong));
        return;
    }
    h->config = config;
    start_node(h);
    host_answer(h, client, msg_id, json_pack("{s:s}", "type", "init_ok"));
}

/* --- messages in ------------------------------------------------------------------------------ */

/* A message of a node of ours; the frame is in memory of its own. */
struct carried {
    uint8_t from;
    uint32_t session;
    struct bytes frame;
};

static void on_peer(struct host *h, const struct carried *c)
{
    if (c->from == h->config.self) return;
    if (!h->heard[c->from]) { /* it has started: what it missed can be said again */
        h->heard[c->from] = true;
        node_on_peer_connected(h->node, c->from, true);
    }
    node_on_peer_frame(h->node, c->from, c->frame);
}

static void on_request(struct host *h, const struct carried *c)
{
    if (!node_accepts_requests(h->node)) return; /* the session repeats it */
    if (node_on_client_frame(h->node, origin_of(c->from, c->session), c->frame) != 0)
        log_event(&h->log, LOG_LEVEL_WARN, "odd-request", LOG_NUMBER("from", c->from));
}

static void on_reply(struct host *h, const struct carried *c)
{
    requests_on_frame(h, c->session, c->from, c->frame);
}

static int index_of(const struct host *h, const char *id)
{
    for (int i = 0; i < h->config.n_replicas; i++)
        if (strcmp(h->config.addresses[i], id) == 0) return i;
    return -1;
}

/* Does the message carry a frame?  Those of strangers, and those that came before `init`, are
 * lost. */
static bool take_carried(struct host *h, const char *src, const char *type, const json_t *body)
{
    static const struct {
        const char *type;
        void (*on)(struct host *h, const struct carried *c);
    } kinds[] = {
        {"vstamp_peer", on_peer}, {"vstamp_request", on_request}, {"vstamp_reply", on_reply}};
    size_t kind = 0, n = sizeof kinds / sizeof kinds[0];
    while (kind < n && strcmp(kinds[kind].type, type) != 0) kind++;
    if (kind == n) return false;
    if (h->node == NULL) return true;
    const char *text = json_string_value(json_object_get(body, "frame"));
    json_int_t session = json_integer_value(json_object_get(body, "session"));
    size_t size = 0, size_told = 0;
    uint8_t *raw = text == NULL ? NULL : base64_decode(text, &size);
    struct carried c = {.session = (uint32_t)session, .frame = {raw, size}};
    int from = index_of(h, src);
    if (from < 0 || session < 0 || session > UINT32_MAX || raw == NULL ||
        wire_frame_size(c.frame, FRAME_BYTES_MAX, &size_told) != 0 || size_told != size) {
        log_event(&h->log, LOG_LEVEL_WARN, "odd-frame", LOG_TEXT("from", src));
    } else {
        c.from = (uint8_t)from;
        kinds[kind].on(h, &c);
    }
    free(raw);
    return true;
}

static void on_client(struct host *h, const char *dest, const char *src, const char *type,
                      const json_t *body)
{
    static const struct {
        const char *type;
        enum kv_verb verb;
    } kinds[] = {{"read", KV_GET}, {"write", KV_PUT}, {"cas", KV_CAS}};
    const json_t *id = json_object_get(body, "msg_id");
    json_int_t msg_id = json_integer_value(id);
    size_t kind = 0, n = sizeof kinds / sizeof kinds[0];
    while (kind < n && strcmp(kinds[kind].type, type) != 0) kind++;
    if (!json_is_integer(id))
        log_event(&h->log, LOG_LEVEL_WARN, "no-msg-id", LOG_TEXT("from", src),
                  LOG_TEXT("type", type));
    else if (strcmp(type, "init") == 0)
        on_init(h, dest, src, msg_id, body);
    else if (h->node == NULL)
        answer_as(h, dest, src, msg_id,
                  host_error(ERROR_UNAVAILABLE, "this node was not initialised yet"));
    else if (kind == n)
        host_answer(h, src, msg_id,
                    host_error(ERROR_NOT_SUPPORTED, "this node knows init, read, write and cas"));
    else
        requests_begin(h, kinds[kind].verb, src, msg_id, body);
}

static void on_line(struct host *h, const char *line)
{
    json_error_t error;
    json_t *message = json_loads(line, LINES_DECODE, &error);
    const json_t *body = json_object_get(message, "body");
    const char *src = json_string_value(json_object_get(message, "src"));
    const char *dest = json_string_value(json_object_get(message, "dest"));
    const char *type = json_string_value(json_object_get(body, "type"));
    const json_t *msg_id = json_object_get(body, "msg_id");
    if (src != NULL && dest != NULL && type != NULL) {
        if (!take_carried(h, src, type, body)) on_client(h, dest, src, type, body);
    } else if (src != NULL && dest != NULL && json_is_integer(msg_id)) {
        answer_as(h, dest, src, json_integer_value(msg_id),
                  host_error(ERROR_MALFORMED, "the body has no type"));
    } else {
        log_event(&h->log, LOG_LEVEL_WARN, "malformed-line",
                  LOG_TEXT("reason", message == NULL ? error.text : "no src, dest or body"));
    }
    json_decref(message);
}

/* --- turns ------------------------------------------------------------------------------------ */

void host_turn(struct host *h, struct lines_in *in)
{
    struct lines_in own = {
        .buffer = h->own.buffer, .size = h->own.size, .capacity = h->own.capacity};
    const char *line;
    h->own = (struct lines_out){0};
    h->now_us = clock_us(CLOCK_BOOTTIME);
    if (h->node != NULL) node_clock(h->node, h->now_us, clock_us(CLOCK_REALTIME));
    while ((line = lines_next(&own)) != NULL) on_line(h, line);
    while ((line = lines_next(in)) != NULL) on_line(h, line);
    lines_in_release(&own);
    if (h->node == NULL) return;
    node_turn_end(h->node);
    requests_on_time(h);
}

int host_patience_ms(const struct host *h)
{
    if (h->node == NULL) return -1;
    if (lines_waiting(&h->own) > 0) return 0;
    uint64_t due_us = node_next_timer(h->node), wake_ms = requests_wake_ms(h->requests);
    if (wake_ms < due_us / 1000) due_us = wake_ms * 1000;
    uint64_t now_us = clock_us(CLOCK_BOOTTIME);
    if (due_us <= now_us) return 0;
    uint64_t left_ms = (due_us - now_us + 999) / 1000;
    return left_ms > 60000 ? 60000 : (int)left_ms;
}

bool host_is_busy(const struct host *h)
{
    return lines_waiting(&h->out) > 0 ||
           (h->node != NULL && requests_wake_ms(h->requests) != UINT64_MAX);
}

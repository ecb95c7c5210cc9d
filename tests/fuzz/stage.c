/* SPDX-License-Identifier: BSD-2-Clause */
#include "fuzz/stage.h"

#include <string.h>
#include <sys/mman.h>

#include "base/assert.h"
#include "kv/kv.h"

#define START_US UINT64_C(1000000)
#define WALL_US UINT64_C(1700000000000000)

/* --- the node's host ---------------------------------------------------------------------- */

static void io_send(void *ctx, uint8_t to, struct bytes frame)
{
    const struct stage *s = ctx;
    struct wire_message m;
    assert(to < s->config.n_replicas && to != s->config.self);
    assert(wire_frame_decode(frame, &m) == 0 && m.header.sender == s->config.self);
    assert(frame.size <= vr_frame_size_max(&s->config));
}

static void io_reply(void *ctx, uint64_t origin, struct bytes frame)
{
    (void)ctx;
    struct wire_message m;
    assert(origin != 0 && wire_frame_decode(frame, &m) == 0);
}

static void io_store(void *ctx, enum node_lane lane, const struct node_job *job)
{
    struct stage *s = ctx;
    disk_begin(&s->disk, lane, job);
}

static void io_line(void *ctx, const char *line)
{
    (void)ctx;
    (void)line;
}

static void io_log(void *ctx, enum log_level level, const char *event, const char *detail)
{
    (void)ctx;
    (void)level;
    (void)event;
    (void)detail;
}

static const char *const addresses[] = {"0", "1", "2", "3", "4", "5", "6"};
_Static_assert(sizeof addresses / sizeof addresses[0] >= STAGE_GROUP_MAX, "one each");

static struct vr_config config_of(uint8_t n, uint8_t self, bool durable)
{
    struct vr_config config = {
        .n_replicas = n, .self = self, .durable = durable,
        .heartbeat_ms = 20, .view_change_ms = 200, .max_clients = 4, .batch_bytes = 1024,
        .max_answer_bytes = 256, .max_read_bytes = 4096, .pipeline = 4, .log_entries = 32,
        .log_bytes = 8192, .witness_log_bytes = 3072, .checkpoint_ops = 8, .state_pages = 16,
        .version = "0"};
    for (uint8_t i = 0; i < n; i++) config.addresses[i] = addresses[i];
    return config;
}

/* The same memory for every run, zeroed. */
static void *fresh_memory(size_t size)
{
    static void *memory;
    static size_t memory_size;
    if (memory == NULL) {
        struct vr_config largest = config_of(STAGE_GROUP_MAX, 0, true);
        memory_size = node_memory(&largest);
        memory = mmap(NULL, memory_size, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        assert(memory != MAP_FAILED);
    }
    assert(size <= memory_size);
    int rv = madvise(memory, memory_size, MADV_DONTNEED);
    assert(rv == 0);
    return memory;
}

void stage_open(struct stage *s, struct reader in, uint8_t n_replicas, uint8_t self, bool durable)
{
    memset(s, 0, sizeof *s);
    s->in = in;
    s->forge.in = &s->in;
    s->app = kv_app();
    s->now_us = START_US;
    s->config = config_of(n_replicas, self, durable);
    s->io = (struct node_io){.ctx = s, .send = io_send, .reply = io_reply, .store = io_store,
                             .trace = io_line, .log = io_log};
    disk_init(&s->disk, node_segment_size(&s->config), 4096);
    for (uint8_t i = 0; i < n_replicas; i++) {
        s->forge.tokens[i] = (struct vstamp_id){i + 1u, 99};
    }
}

int stage_restore(struct stage *s, struct vstamp_diag *diag)
{
    struct vstamp_id entropy = {77, ++s->life};
    size_t size = node_memory(&s->config);
    s->node = node_init(fresh_memory(size), size, &s->config, s->app, &s->io, entropy);
    s->forge.vr = &s->node->vr;
    node_clock(s->node, s->now_us, WALL_US + s->now_us);
    s->lost = false;
    return s->config.durable ? disk_restore(&s->disk, s->node, &s->lost, diag) : 0;
}

void stage_go(struct stage *s)
{
    node_start(s->node);
    stage_turn_end(s);
}

int stage_start(struct stage *s, struct vstamp_diag *diag)
{
    int rv = stage_restore(s, diag);
    if (rv == 0) stage_go(s);
    return rv;
}

void stage_turn_end(struct stage *s)
{
    node_turn_end(s->node);
}

void stage_finish_job(struct stage *s, enum node_lane lane)
{
    if (!s->disk.busy[lane]) return;
    disk_finish(&s->disk, lane, s->node);
    node_on_stored(s->node, lane);
    stage_turn_end(s);
}

void stage_finish_jobs(struct stage *s)
{
    for (int i = 0; i < 8; i++) {
        stage_finish_job(s, NODE_LANE_JOURNAL);
        stage_finish_job(s, NODE_LANE_CHECKPOINT);
    }
}

void stage_pass_time(struct stage *s, uint64_t us)
{
    s->now_us += us;
    node_clock(s->node, s->now_us, WALL_US + s->now_us);
    stage_turn_end(s);
}

void stage_until_next_timer(struct stage *s)
{
    uint64_t next_us = node_next_timer(s->node);
    bool soon = next_us > s->now_us && next_us < s->now_us + 60000000;
    stage_pass_time(s, soon ? next_us - s->now_us : 0);
}

/* --- peers of good faith ------------------------------------------------------------------ */

/* No host gives a node a frame of its own, which is all that there is where it is alone. */
void stage_deliver(struct stage *s, uint8_t from, struct bytes frame)
{
    if (from == s->node->vr.config.self) return;
    node_on_peer_frame(s->node, from, frame);
}

/* All are blank, and hear of each other. */
void stage_form(struct stage *s)
{
    struct vr *r = &s->node->vr;
    uint8_t tokens[VR_TOKENS_BYTES], nonces[VR_TOKENS_BYTES];
    for (int round = 0; round < 2; round++) {
        for (uint8_t i = 0; i < s->config.n_replicas; i++) {
            if (i == s->config.self || r->status != VR_RECOVERING) continue;
            STAGE_SAY(s, i, recovery, .nonce = s->forge.tokens[i],
                      .tokens = forge_tokens(&s->forge, r->tokens[s->config.self], tokens),
                      .nonces = forge_tokens(&s->forge, r->nonce, nonces));
            stage_turn_end(s);
        }
    }
    stage_finish_jobs(s);
    assert(r->status == VR_NORMAL);
}

/* The primary's peers acknowledge all it has, and tell it the time. */
void stage_acknowledge(struct stage *s)
{
    const struct vr *r = &s->node->vr;
    for (uint8_t i = 0; i < s->config.n_replicas; i++) {
        const struct wire_entry_header *h = log_header(&r->log, r->log.op);
        struct vstamp_id checksum = h != NULL ? h->checksum : (struct vstamp_id){0};
        if (i == s->config.self) continue;
        STAGE_SAY(s, i, commit_ok, .sequence = r->heartbeat, .op = h != NULL ? h->op : 0,
                  .checksum = checksum, .clock_us = r->wall_us);
    }
}

/* Some operations, from the clients if we are primary, else from the primary. */
void stage_grow(struct stage *s, uint8_t n)
{
    const struct vr *r = &s->node->vr;
    uint8_t primary = vr_primary_of(r, r->view);
    if (r->status == VR_NORMAL && primary == s->config.self) stage_acknowledge(s);
    for (; n > 0 && r->status == VR_NORMAL && s->in.ok; n--) {
        if (primary == s->config.self) {
            node_on_client_frame(s->node, n, forge_request(&s->forge));
            stage_turn_end(s);
            stage_acknowledge(s);
        } else {
            const struct wire_entry_header *last = log_last(&r->log);
            const struct forge_entry *e = forge_extend(&s->forge, last, r->view);
            struct wire_entry entry = {.header = e->header, .body = {e->body, e->size}};
            STAGE_SAY(s, primary, prepare, .commit = last->op, .entry = entry);
            STAGE_SAY(s, primary, commit, .op = e->header.op, .commit = e->header.op,
                .checksum = e->header.checksum, .sequence = r->heartbeat + 1);
        }
        stage_turn_end(s);
        if (n % 2 == 0) stage_finish_jobs(s);
    }
}

/* The group has gone on without us, further than its log goes back: pages are to be fetched. */
void stage_fall_behind(struct stage *s)
{
    const struct vr *r = &s->node->vr;
    uint64_t op = r->log.op + 64;
    if (r->status == VR_NORMAL && !vr_is_primary(r)) {
        STAGE_SAY(s, vr_primary_of(r, r->view), commit, .op = op, .sequence = r->heartbeat + 1);
    }
    if (r->transfer.kind == VR_TRANSFER_NONE) return;
    STAGE_SAY(s, r->transfer.peer, new_state, .nonce = r->transfer.nonce, .after = r->staging.op,
        .op = op, .commit = op, .log_view = r->view, .base = {.op = op - 8});
    stage_turn_end(s);
}

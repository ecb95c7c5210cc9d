/* SPDX-License-Identifier: BSD-2-Clause */
#include "scenario/cluster.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "kv/store.h"
#include "sim/check.h"
#include "sim/queue.h"

#define N_MAX 7u
#define START_US UINT64_C(1000000)
#define REGISTER_BASE 1000000u /* so that no registration has the number of a request */
#define WALL_US UINT64_C(1700000000000000)

enum fate { PASS, HOLD, DROP };

struct rule {
    int from, to, command;
    enum fate fate;
};

enum message_state { QUEUED, HELD, GONE };

struct message {
    uint8_t from, to;
    enum message_state state;
    struct sim_packet *packet;
};

struct member {
    struct cluster *cluster;
    uint8_t index;
    bool up, slow_disk, crash_at_checkpoint;
    uint32_t life;
    void *memory;
    size_t memory_size;
    struct node *node;
    struct node_io io;
    struct vr_config config;
    struct disk disk, copy;
};

/* A frame that came back to a client. */
struct arrival {
    struct sim_packet *packet;
};

struct cluster {
    uint8_t n;
    uint64_t now_us;
    struct member members[N_MAX];
    struct rule rules[64];
    size_t n_rules;
    struct message *messages;
    size_t n_messages, messages_size;
    struct arrival *arrivals;
    size_t n_arrivals, arrivals_size;
    char (*trace)[256];
    size_t n_trace, trace_size;
    uint64_t read_number;
    uint64_t clients_view;
};

static void *grow(void *items, size_t count, size_t *size, size_t each)
{
    if (count < *size) return items;
    *size = *size == 0 ? 256 : *size * 2;
    items = realloc(items, *size * each);
    assert_non_null(items);
    return items;
}

static bool matches(int from, int to, int command, uint8_t from_is, uint8_t to_is, int command_is)
{
    return (from == CLUSTER_ALL || from == from_is) && (to == CLUSTER_ALL || to == to_is) &&
           (command == CLUSTER_ALL || command == command_is);
}

static int command_of(const struct sim_packet *packet)
{
    return packet->bytes[22] | packet->bytes[23] << 8;
}

/* --- what a node asks of its host ------------------------------------------------------------ */

static enum fate fate_of(const struct cluster *c, uint8_t from, uint8_t to, int command)
{
    for (size_t i = c->n_rules; i > 0; i--) {
        const struct rule *rule = &c->rules[i - 1];
        if (matches(rule->from, rule->to, rule->command, from, to, command)) return rule->fate;
    }
    return PASS;
}

static void io_send(void *ctx, uint8_t to, struct bytes frame)
{
    struct member *m = ctx;
    struct cluster *c = m->cluster;
    struct sim_packet *packet = sim_packet_new(frame.data, frame.size);
    enum fate fate = fate_of(c, m->index, to, command_of(packet));
    c->messages = grow(c->messages, c->n_messages, &c->messages_size, sizeof *c->messages);
    c->messages[c->n_messages++] = (struct message){
        m->index, to, fate == PASS ? QUEUED : fate == HOLD ? HELD : GONE, packet};
}

static void io_reply(void *ctx, uint64_t origin, struct bytes frame)
{
    struct member *m = ctx;
    struct cluster *c = m->cluster;
    (void)origin;
    c->arrivals = grow(c->arrivals, c->n_arrivals, &c->arrivals_size, sizeof *c->arrivals);
    c->arrivals[c->n_arrivals++].packet = sim_packet_new(frame.data, frame.size);
}

static void io_store(void *ctx, enum node_lane lane, const struct node_job *job)
{
    struct member *m = ctx;
    disk_begin(&m->disk, lane, job);
}

static void note_line(struct member *m, const char *text, const char *more)
{
    struct cluster *c = m->cluster;
    c->trace = grow(c->trace, c->n_trace, &c->trace_size, sizeof *c->trace);
    char *line = c->trace[c->n_trace++];
    snprintf(line, sizeof *c->trace, "%u: %s%s%s", m->index, text, *more != 0 ? " " : "", more);
    if (getenv("CLUSTER_TRACE") != NULL)
        fprintf(stderr, "# %8.3f %s\n", (double)(c->now_us - START_US) / 1e3, line);
}

static void io_trace(void *ctx, const char *line)
{
    note_line(ctx, line, "");
}

static void io_log(void *ctx, enum node_log_level level, const char *event, const char *detail)
{
    (void)level;
    note_line(ctx, event, detail);
}

/* --- replicas -------------------------------------------------------------------------------- */

static void set_up_member(struct cluster *c, uint8_t index, int mode)
{
    struct member *m = &c->members[index];
    m->cluster = c;
    m->index = index;
    m->io = (struct node_io){.ctx = m, .send = io_send, .reply = io_reply, .store = io_store,
                             .trace = io_trace, .log = io_log};
    m->config = (struct vr_config){
        .n_replicas = c->n, .self = index, .durable = (mode & CLUSTER_DISK) != 0,
        .witnesses = (uint32_t)mode >> 8,
        .leases = (mode & CLUSTER_LEASES) != 0, .clock_drift_ppm = 1000,
        .heartbeat_ms = 20, .view_change_ms = 200, .max_clients = CLUSTER_SESSIONS,
        .batch_bytes = 4096, .max_answer_bytes = 256, .pipeline = 4,
        .max_read_bytes = CLUSTER_VALUE_MAX + READ_OVERHEAD,
        .log_entries = 64,
        .log_bytes = 262144, .witness_log_bytes = 262144, .checkpoint_ops = 16,
        .members = 1, .state_pages = (mode & CLUSTER_LARGE) != 0 ? 300 : 64,
        .version = "test"};
    for (uint8_t i = 0; i < c->n; i++) m->config.addresses[i] = "test";
}

static void set_clock(struct member *m)
{
    node_clock(m->node, m->cluster->now_us, WALL_US + m->cluster->now_us);
}

#define CELLS_A_TURN 2000u /* 31 pages */

static enum vstamp_audit audit(const struct vstamp_pages *pages, uint32_t n_used, void *memory)
{
    return kv_store_audit(pages, n_used, memory, CELLS_A_TURN);
}

/* The store, but what is much elsewhere is so here. */
static const struct vstamp_app *store_app(void)
{
    static struct vstamp_app app;
    app = *kv_app();
    app.audit = audit;
    return &app;
}

static void make_node(struct member *m)
{
    assert_false(m->up);
    m->up = true;
    m->life++;
    m->memory_size = node_memory(&m->config);
    m->memory = mmap(NULL, m->memory_size, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    assert_true(m->memory != MAP_FAILED);
    struct vstamp_id entropy = {1000u + m->index, m->life};
    m->node = node_init(m->memory, m->memory_size, &m->config, store_app(), &m->io, entropy);
    set_clock(m);
    disk_init(&m->disk, node_segment_size(&m->config));
}

void cluster_start(struct cluster *c, uint8_t replica)
{
    struct member *m = &c->members[replica];
    struct vstamp_diag diag = {0};
    note_line(m, "started", "");
    make_node(m);
    bool lost;
    if (m->config.durable && disk_restore(&m->disk, m->node, &lost, &diag) != 0)
        fail_msg("%s", diag.text);
    node_start(m->node);
    for (uint8_t i = 0; i < c->n; i++) {
        if (i == replica || !c->members[i].up) continue;
        node_on_peer_connected(m->node, i, true);
        set_clock(&c->members[i]);
        node_on_peer_connected(c->members[i].node, replica, true);
        node_turn_end(c->members[i].node);
    }
    node_turn_end(m->node);
}

void cluster_crash(struct cluster *c, uint8_t replica)
{
    struct member *m = &c->members[replica];
    assert_true(m->up);
    note_line(m, "crashed", "");
    for (int lane = 0; lane < NODE_LANES; lane++) m->disk.busy[lane] = false;
    munmap(m->memory, m->memory_size);
    m->node = NULL;
    m->up = m->crash_at_checkpoint = false;
}

void cluster_cut(struct cluster *c, uint8_t replica, uint8_t peer)
{
    struct member *m = &c->members[replica];
    assert_true(m->up);
    set_clock(m);
    node_on_peer_connected(m->node, peer, false);
    node_turn_end(m->node);
}

void cluster_crash_at_checkpoint(struct cluster *c, uint8_t replica)
{
    c->members[replica].crash_at_checkpoint = true;
}

void cluster_wipe(struct cluster *c, uint8_t replica)
{
    assert_false(c->members[replica].up);
    disk_wipe(&c->members[replica].disk);
}

void cluster_restore(struct cluster *c, uint8_t replica, const struct copy *copy)
{
    struct member *m = &c->members[replica];
    struct vstamp_diag diag = {0};
    if (copy_fits(copy, &m->config, &diag) != 0) fail_msg("%s", diag.text);
    make_node(m);
    node_restore_copy(m->node, copy);
    while (!node_is_stored(m->node)) {
        node_turn_end(m->node);
        for (unsigned lane = 0; lane < NODE_LANES; lane++) {
            if (!m->disk.busy[lane]) continue;
            disk_finish(&m->disk, lane, m->node);
            node_on_stored(m->node, lane);
        }
    }
    cluster_crash(c, replica);
}

void cluster_damage(struct cluster *c, uint8_t replica)
{
    struct disk *disk = &c->members[replica].disk;
    assert_true(disk->segments.count > 1);
    memset(disk->segments.files[0].data, 0, disk->segments.files[0].size);
}

struct rot {
    struct disk *disk;
    uint64_t op;
    uint32_t n;
};

static void rot_if_named(void *ctx, const struct disk_entry *entry)
{
    struct rot *rot = ctx;
    if (entry->header.op != rot->op) return;
    rot->n++;
    disk_flip(rot->disk, entry->number, entry->place + entry->size / 2, 0x10);
}

void cluster_rot(struct cluster *c, uint8_t replica, uint64_t op)
{
    struct member *m = &c->members[replica];
    struct rot rot = {.disk = &m->disk, .op = op};
    assert_false(m->up);
    disk_visit_entries(&m->disk, &m->config, rot_if_named, &rot);
    assert_true(rot.n > 0);
}

bool cluster_has_aside(const struct cluster *c, uint8_t replica)
{
    return c->members[replica].disk.aside;
}

void cluster_keep_copy(struct cluster *c, uint8_t replica)
{
    disk_copy(&c->members[replica].copy, &c->members[replica].disk);
}

void cluster_put_back(const struct cluster *c, uint8_t replica, struct cluster *to)
{
    assert_false(to->members[replica].up);
    disk_copy(&to->members[replica].disk, &c->members[replica].copy);
}

void cluster_hand_over(struct cluster *c, uint8_t replica)
{
    struct member *m = &c->members[replica];
    set_clock(m);
    node_stop(m->node);
    node_turn_end(m->node);
}

void cluster_slow_disk(struct cluster *c, uint8_t replica, bool slow)
{
    c->members[replica].slow_disk = slow;
}

bool cluster_is_up(const struct cluster *c, uint8_t replica)
{
    return c->members[replica].up;
}

const struct vr *cluster_core(const struct cluster *c, uint8_t replica)
{
    assert_true(c->members[replica].up);
    return check_core(c->members[replica].node);
}

bool cluster_has_traced(const struct cluster *c, uint8_t replica, const char *part)
{
    for (size_t i = 0; i < c->n_trace; i++)
        if (c->trace[i][0] == '0' + replica && strstr(c->trace[i], part) != NULL) return true;
    return false;
}

uint8_t cluster_primary(const struct cluster *c)
{
    int best = -1;
    uint64_t view = 0;
    for (uint8_t i = 0; i < c->n; i++) {
        if (!c->members[i].up || !vr_is_primary(cluster_core(c, i))) continue;
        if (best >= 0 && cluster_core(c, i)->view < view) continue;
        best = i;
        view = cluster_core(c, i)->view;
    }
    assert_true(best >= 0);
    return (uint8_t)best;
}

struct cluster *cluster_new_blank(uint8_t n_replicas, int mode)
{
    struct cluster *c = calloc(1, sizeof *c);
    assert_non_null(c);
    c->n = n_replicas;
    c->now_us = START_US;
    c->read_number = 1u << 30;
    for (uint8_t i = 0; i < c->n; i++) set_up_member(c, i, mode);
    return c;
}

struct cluster *cluster_new(uint8_t n_replicas, int mode)
{
    struct cluster *c = cluster_new_blank(n_replicas, mode);
    for (uint8_t i = 0; i < c->n; i++) cluster_start(c, i);
    assert_true(cluster_converge(c));
    return c;
}

void cluster_free(struct cluster *c)
{
    for (uint8_t i = 0; i < c->n; i++) {
        if (c->members[i].up) cluster_crash(c, i);
        disk_wipe(&c->members[i].disk);
        disk_wipe(&c->members[i].copy);
    }
    for (size_t i = 0; i < c->n_messages; i++) sim_packet_release(c->messages[i].packet);
    for (size_t i = 0; i < c->n_arrivals; i++) sim_packet_release(c->arrivals[i].packet);
    free(c->messages);
    free(c->arrivals);
    free(c->trace);
    free(c);
}

/* --- time ------------------------------------------------------------------------------------ */

static void deliver(struct cluster *c, uint8_t from, uint8_t to, struct bytes frame)
{
    struct member *m = &c->members[to];
    if (!m->up) return;
    if (getenv("CLUSTER_TRACE") != NULL) {
        struct wire_message message;
        char text[300];
        if (wire_frame_decode(frame, &message) == 0) {
            wire_print(&message, text, sizeof text);
            fprintf(stderr, "# %8.3f %u <- %s\n", (double)(c->now_us - START_US) / 1e3, to, text);
        }
    }
    set_clock(m);
    node_on_peer_frame(m->node, from, frame);
    node_turn_end(m->node);
}

static bool finish_jobs(struct member *m)
{
    bool any = false;
    for (int lane = 0; lane < NODE_LANES; lane++) {
        if (!m->up || m->slow_disk || !m->disk.busy[lane]) continue;
        any = true;
        if (m->crash_at_checkpoint && m->disk.job[lane].kind == NODE_JOB_CHECKPOINT_END) {
            disk_crash_after_commit(&m->disk);
            cluster_crash(m->cluster, m->index);
            break;
        }
        disk_finish(&m->disk, (enum node_lane)lane, m->node);
        set_clock(m);
        node_on_stored(m->node, (enum node_lane)lane);
        node_turn_end(m->node);
    }
    return any;
}

void cluster_settle(struct cluster *c)
{
    bool any = true;
    while (any) {
        any = false;
        for (uint8_t i = 0; i < c->n; i++) any |= finish_jobs(&c->members[i]);
        for (size_t i = 0; i < c->n_messages; i++) {
            if (c->messages[i].state != QUEUED) continue;
            c->messages[i].state = GONE;
            struct sim_packet *packet = c->messages[i].packet;
            deliver(c, c->messages[i].from, c->messages[i].to,
                    (struct bytes){packet->bytes, packet->size});
            any = true;
        }
    }
}

void cluster_run(struct cluster *c, uint32_t ms)
{
    uint64_t end_us = c->now_us + ms * UINT64_C(1000);
    for (;;) {
        cluster_settle(c);
        uint64_t next_us = UINT64_MAX;
        for (uint8_t i = 0; i < c->n; i++) {
            if (!c->members[i].up) continue;
            uint64_t due_us = node_next_timer(c->members[i].node);
            if (due_us < next_us) next_us = due_us;
        }
        if (next_us > end_us) break;
        if (next_us > c->now_us) c->now_us = next_us;
        for (uint8_t i = 0; i < c->n; i++) {
            struct member *m = &c->members[i];
            if (!m->up || node_next_timer(m->node) > c->now_us) continue;
            set_clock(m);
            node_turn_end(m->node);
        }
    }
    c->now_us = end_us;
}

static bool has_converged(const struct cluster *c)
{
    const struct vr *first = NULL;
    for (uint8_t i = 0; i < c->n; i++) {
        if (!c->members[i].up) continue;
        const struct vr *core = cluster_core(c, i);
        if (first == NULL) first = core;
        if (core->status != VR_NORMAL || core->view != first->view ||
            core->log.op != first->log.op || core->applied != core->log.op)
            return false;
    }
    return first != NULL && c->members[vr_primary_of(first, first->view)].up;
}

bool cluster_converge(struct cluster *c)
{
    for (int i = 0; i < 2000; i++) {
        cluster_run(c, 10);
        if (has_converged(c)) return true;
    }
    return false;
}

/* --- messages -------------------------------------------------------------------------------- */

static void add_rule(struct cluster *c, int from, int to, int command, enum fate fate)
{
    assert_true(c->n_rules < sizeof c->rules / sizeof c->rules[0]);
    c->rules[c->n_rules++] = (struct rule){from, to, command, fate};
}

void cluster_hold(struct cluster *c, int from, int to, int command)
{
    add_rule(c, from, to, command, HOLD);
}

void cluster_drop(struct cluster *c, int from, int to, int command)
{
    add_rule(c, from, to, command, DROP);
}

void cluster_pass(struct cluster *c, int from, int to, int command)
{
    add_rule(c, from, to, command, PASS);
}

void cluster_isolate(struct cluster *c, uint8_t replica)
{
    cluster_drop(c, replica, CLUSTER_ALL, CLUSTER_ALL);
    cluster_drop(c, CLUSTER_ALL, replica, CLUSTER_ALL);
}

void cluster_clear_rules(struct cluster *c)
{
    c->n_rules = 0;
}

uint32_t cluster_release(struct cluster *c, int from, int to, int command)
{
    uint32_t n = 0;
    for (size_t i = 0; i < c->n_messages; i++) {
        struct message *m = &c->messages[i];
        if (m->state != HELD || !matches(from, to, command, m->from, m->to, command_of(m->packet)))
            continue;
        m->state = QUEUED;
        n++;
    }
    cluster_settle(c);
    return n;
}

static const struct message *find_sent(const struct cluster *c, int from, int to, int command,
                                       uint32_t n)
{
    for (size_t i = c->n_messages; i > 0; i--) {
        const struct message *m = &c->messages[i - 1];
        if (!matches(from, to, command, m->from, m->to, command_of(m->packet))) continue;
        if (n-- == 0) return m;
    }
    fail_msg("no such message was sent");
    return NULL;
}

void cluster_repeat(struct cluster *c, uint8_t from, uint8_t to, int command, uint32_t n)
{
    struct sim_packet *packet = find_sent(c, from, to, command, n)->packet;
    deliver(c, from, to, (struct bytes){packet->bytes, packet->size});
    cluster_settle(c);
}

uint32_t cluster_count_sent(const struct cluster *c, int from, int to, int command)
{
    uint32_t n = 0;
    for (size_t i = 0; i < c->n_messages; i++)
        n += matches(from, to, command, c->messages[i].from, c->messages[i].to,
                     command_of(c->messages[i].packet));
    return n;
}

void cluster_last_sent(const struct cluster *c, uint8_t from, uint8_t to, int command,
                       struct wire_message *message)
{
    struct sim_packet *packet = find_sent(c, from, to, command, 0)->packet;
    assert_int_equal(0, wire_frame_decode((struct bytes){packet->bytes, packet->size}, message));
}

static struct vstamp_id group_of(const struct cluster *c)
{
    for (uint8_t i = 0; i < c->n; i++)
        if (c->members[i].up && !vstamp_id_is_zero(cluster_core(c, i)->group))
            return cluster_core(c, i)->group;
    return (struct vstamp_id){0};
}

void cluster_forge(struct cluster *c, uint8_t from, uint8_t to, uint64_t view,
                   const struct wire_shape *shape, const void *message)
{
    uint8_t frame[16384];
    struct wire_header header = {.group = group_of(c), .view = view, .sender = from};
    size_t size = wire_frame_encode(&header, shape, message, frame, sizeof frame);
    assert_true(size > 0);
    deliver(c, from, to, (struct bytes){frame, size});
    cluster_settle(c);
}

/* --- clients --------------------------------------------------------------------------------- */

struct vstamp_id cluster_client_id(uint32_t client)
{
    return (struct vstamp_id){0xc11e, client + 1};
}

void cluster_clients_know(struct cluster *c, uint64_t view)
{
    c->clients_view = view;
}

static void send_request(struct cluster *c, uint8_t to, const struct wire_request *request)
{
    uint8_t frame[8192];
    struct member *m = &c->members[to];
    struct wire_header header = {
        .group = group_of(c), .view = c->clients_view, .sender = WIRE_SENDER_CLIENT};
    size_t size = wire_frame_encode(&header, &wire_shape_request, request, frame, sizeof frame);
    assert_true(size > 0);
    if (!m->up) return;
    set_clock(m);
    assert_int_equal(0, node_on_client_frame(m->node, request->client.lo,
                                             (struct bytes){frame, size}));
    node_turn_end(m->node);
}

void cluster_send_register(struct cluster *c, uint32_t client, uint64_t number, uint8_t to)
{
    send_request(c, to, &(struct wire_request){.client = cluster_client_id(client),
                                               .number = REGISTER_BASE + number,
                                               .kind = WIRE_KIND_REGISTER});
}

void cluster_send_op(struct cluster *c, uint32_t client, uint64_t session, uint64_t number,
                     uint8_t to, const struct kv_op *op)
{
    uint8_t body[4096];
    struct writer w = writer_over(body, sizeof body);
    kv_encode_op(op, &w);
    assert_true(w.ok);
    send_request(c, to, &(struct wire_request){
        .client = cluster_client_id(client), .session = session, .number = number,
        .kind = kv_is_write(op->verb) ? WIRE_KIND_APPLY : WIRE_KIND_READ, .body = {body, w.size}});
}

struct bytes cluster_ask(struct cluster *c, uint8_t to, struct bytes frame)
{
    struct member *m = &c->members[to];
    size_t before = c->n_arrivals;
    if (!m->up) return (struct bytes){0};
    set_clock(m);
    assert_int_equal(0, node_on_client_frame(m->node, 1, frame));
    node_turn_end(m->node);
    if (c->n_arrivals == before) return (struct bytes){0};
    struct sim_packet *newest = c->arrivals[c->n_arrivals - 1].packet;
    return (struct bytes){newest->bytes, newest->size};
}

static void note_reply(struct cluster_answer *answer, const struct wire_reply *reply,
                       enum kv_verb verb)
{
    answer->n_replies++;
    answer->op = reply->op;
    if (verb == 0)
        assert_int_equal(
            0, wire_decode(&wire_shape_registration, reply->body, &answer->registration));
    else
        assert_int_equal(0, kv_decode_answer(verb, reply->body, &answer->kv));
}

struct cluster_answer cluster_answer(struct cluster *c, uint32_t client, uint64_t number,
                                     enum kv_verb verb)
{
    struct cluster_answer answer = {0};
    if (verb == 0) number += REGISTER_BASE;
    for (size_t i = 0; i < c->n_arrivals; i++) {
        struct wire_message m;
        struct sim_packet *packet = c->arrivals[i].packet;
        assert_int_equal(0, wire_frame_decode((struct bytes){packet->bytes, packet->size}, &m));
        if (m.header.command == WIRE_reply && m.as.reply.number == number &&
            vstamp_id_equal(m.as.reply.client, cluster_client_id(client)))
            note_reply(&answer, &m.as.reply, verb);
        if (m.header.command == WIRE_reject && m.as.reject.number == number &&
            vstamp_id_equal(m.as.reject.client, cluster_client_id(client))) {
            answer.n_rejects++;
            answer.reason = m.as.reject.reason;
        }
    }
    return answer;
}

uint64_t cluster_register(struct cluster *c, uint32_t client, uint8_t to)
{
    cluster_send_register(c, client, 1, to);
    cluster_settle(c);
    struct cluster_answer answer = cluster_answer(c, client, 1, 0);
    assert_true(answer.n_replies > 0);
    return answer.registration.session;
}

struct kv_op cluster_incr_op(void)
{
    return (struct kv_op){.verb = KV_INCR, .key = bytes_of("n"), .number = 1};
}

int64_t cluster_incr(struct cluster *c, uint32_t client, uint64_t session, uint64_t number,
                     uint8_t to)
{
    struct kv_op op = cluster_incr_op();
    cluster_send_op(c, client, session, number, to, &op);
    cluster_settle(c);
    struct cluster_answer answer = cluster_answer(c, client, number, KV_INCR);
    assert_true(answer.n_replies > 0);
    return answer.kv.number;
}

int64_t cluster_read(struct cluster *c, uint8_t to, uint32_t ms)
{
    struct kv_op op = {.verb = KV_GET, .key = bytes_of("n")};
    uint64_t number = ++c->read_number;
    char text[32] = "0";
    cluster_send_op(c, 0, 0, number, to, &op);
    cluster_run(c, ms);
    struct cluster_answer answer = cluster_answer(c, 0, number, KV_GET);
    if (answer.n_replies == 0) return -1;
    if (answer.kv.value.size > 0 && answer.kv.value.size < sizeof text) {
        memcpy(text, answer.kv.value.data, answer.kv.value.size);
        text[answer.kv.value.size] = 0;
    }
    return strtoll(text, NULL, 10);
}

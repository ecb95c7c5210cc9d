/* SPDX-License-Identifier: BSD-2-Clause */
#include "scenario/cluster_state.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kv/store.h"
#include "program/zeros.h"
#include "sim/check.h"

#define START_US UINT64_C(1000000)
#define WALL_US UINT64_C(1700000000000000)
#define TRAIL_LARGE 2048u /* bytes of its files */

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

static void send_to(struct member *m, uint8_t to, struct bytes frame)
{
    struct cluster *c = m->cluster;
    struct sim_packet *packet = sim_packet_new(frame.data, frame.size);
    enum fate fate = fate_of(c, m->index, to, command_of(packet));
    c->messages = grow(c->messages, c->n_messages, &c->messages_size, sizeof *c->messages);
    c->messages[c->n_messages++] = (struct message){
        m->index, to, fate == PASS ? QUEUED : fate == HOLD ? HELD : GONE, packet};
}

static void io_send(void *ctx, uint8_t slot, struct bytes frame)
{
    struct member *m = ctx;
    assert_true(slot < m->n_slots);
    send_to(m, m->slots[slot], frame);
}

static uint8_t number_of(const char *address)
{
    return (uint8_t)(address[strlen(address) - 1] - '0');
}

static void io_directory(void *ctx, const struct node_directory *directory)
{
    struct member *m = ctx;
    m->n_slots = directory->n_slots;
    for (uint8_t i = 0; i < m->n_slots; i++) m->slots[i] = number_of(directory->addresses[i]);
}

static uint8_t slot_of(const struct member *m, uint8_t replica)
{
    uint8_t slot = 0;
    while (slot < m->n_slots && m->slots[slot] != replica) slot++;
    return slot;
}

static void io_reply(void *ctx, uint64_t origin, struct bytes frame)
{
    struct member *m = ctx;
    struct cluster *c = m->cluster;
    if (origin >= STRANGER) {
        send_to(m, (uint8_t)(origin - STRANGER), frame);
        return;
    }
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

static void io_log(void *ctx, enum log_level level, const char *event, const char *detail)
{
    (void)level;
    note_line(ctx, event, detail != NULL ? detail : "");
}

/* --- replicas -------------------------------------------------------------------------------- */

static const char *const addresses[N_MAX] = {"test:0", "test:1", "test:2", "test:3", "test:4",
                                             "test:5", "test:6", "test:7", "test:8", "test:9"};

const char *cluster_address(uint8_t replica)
{
    return addresses[replica];
}

/* Its configuration lists these members. */
static void set_up_member(struct cluster *c, uint8_t index, int mode, const uint8_t *members,
                          uint8_t n)
{
    struct member *m = &c->members[index];
    m->cluster = c;
    m->index = index;
    m->io = (struct node_io){.ctx = m, .send = io_send, .directory = io_directory,
                             .reply = io_reply, .store = io_store,
                             .trace = io_trace, .log = io_log};
    m->config = (struct vr_config){
        .durable = (mode & CLUSTER_DISK) != 0,
        .leases = (mode & CLUSTER_LEASES) != 0, .clock_drift_ppm = 1000,
        .heartbeat_ms = 20, .view_change_ms = 200, .max_clients = CLUSTER_SESSIONS,
        .batch_bytes = 4096, .max_answer_bytes = 256, .pipeline = 4,
        .max_read_bytes = CLUSTER_VALUE_MAX + READ_OVERHEAD,
        .log_entries = 64,
        .log_bytes = 262144, .witness_log_bytes = 262144, .checkpoint_ops = 16,
        .state_pages = (mode & CLUSTER_LARGE) != 0 ? 300 : (mode & CLUSTER_LARGER) != 0 ? 640 : 64,
        .version = "test"};
    m->config.n_replicas = n;
    for (uint8_t i = 0; i < n; i++) {
        m->config.addresses[i] = m->config.status_addresses[i] = addresses[members[i]];
        if (members[i] == index) m->config.self = i;
        if (((uint32_t)mode >> (8 + members[i])) & 1) m->config.witnesses |= UINT32_C(1) << i;
    }
}

void cluster_set_clock(struct member *m)
{
    node_clock(m->node, m->cluster->now_us, WALL_US + m->cluster->now_us + (uint64_t)m->skew_us);
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
    m->memory = zeros_map(m->memory_size);
    assert_non_null(m->memory);
    struct vstamp_id entropy = {1000u + m->index, m->life};
    m->node = node_init(m->memory, m->memory_size, &m->config, m->cluster->app, &m->io, entropy);
    cluster_set_clock(m);
    disk_init(&m->disk, node_segment_size(&m->config), TRAIL_LARGE);
}

struct trail cluster_trail(struct cluster *c, uint8_t replica)
{
    const struct disk_file *files = c->members[replica].disk.trail;
    size_t n = trail_entries_max(files[DISK_TRAIL_BEFORE].size + files[DISK_TRAIL_NEWEST].size);
    struct trail t = {.entries = malloc(n * sizeof t.entries[0])};
    struct vstamp_diag diag = {0};
    assert_non_null(t.entries);
    for (int i = DISK_TRAIL_BEFORE; i < DISK_TRAILS; i++) {
        size_t lost;
        struct bytes file = {files[i].data, files[i].size};
        assert_int_equal(0, trail_read(&t, file, &lost, &diag));
    }
    return t;
}

void cluster_speak(struct cluster *c, uint8_t replica, uint8_t newest)
{
    assert_false(c->members[replica].up);
    c->members[replica].config.oldest = WIRE_OLDEST;
    c->members[replica].config.newest = newest;
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
        if (slot_of(m, i) < m->n_slots) node_on_peer_connected(m->node, slot_of(m, i), true);
        cluster_set_clock(&c->members[i]);
        uint8_t slot = slot_of(&c->members[i], replica);
        if (slot < c->members[i].n_slots)
            node_on_peer_connected(c->members[i].node, slot, true);
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
    zeros_unmap(m->memory, m->memory_size);
    m->node = NULL;
    m->up = m->crash_at_checkpoint = false;
}

void cluster_cut(struct cluster *c, uint8_t replica, uint8_t peer)
{
    struct member *m = &c->members[replica];
    assert_true(m->up);
    cluster_set_clock(m);
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

void cluster_rot_page(struct cluster *c, uint8_t replica, uint32_t page)
{
    const struct page_store *pages = &c->members[replica].disk.pages;
    assert_true(page < pages->n_pages && pages->pages[page].present);
    pages->pages[page].content[0] ^= 1;
}

bool cluster_pages_are_sound(const struct cluster *c, uint8_t replica)
{
    return page_store_is_sound(&c->members[replica].disk.pages);
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
    cluster_set_clock(m);
    node_stop(m->node);
    node_turn_end(m->node);
}

void cluster_set_ahead(struct cluster *c, uint8_t replica, int64_t seconds)
{
    c->members[replica].skew_us = seconds * 1000000;
}

void cluster_slow_disk(struct cluster *c, uint8_t replica, bool slow)
{
    c->members[replica].slow_disk = slow;
}

void cluster_slow_checkpoints(struct cluster *c, uint8_t replica, bool slow)
{
    c->members[replica].slow_checkpoints = slow;
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

int cluster_find_primary(const struct cluster *c)
{
    int best = -1;
    for (uint8_t i = 0; i < c->n; i++) {
        if (!c->members[i].up || !vr_is_primary(cluster_core(c, i))) continue;
        const struct vr *core = cluster_core(c, i);
        const struct vr *other = best >= 0 ? cluster_core(c, (uint8_t)best) : core;
        bool newer = core->epoch != other->epoch  ? core->epoch > other->epoch
                     : core->view != other->view ? core->view > other->view
                                                 : core->log.op >= other->log.op;
        if (newer) best = i;
    }
    return best;
}

uint8_t cluster_primary(const struct cluster *c)
{
    int primary = cluster_find_primary(c);
    assert_true(primary >= 0);
    return (uint8_t)primary;
}

struct cluster *cluster_new_blank(uint8_t n_replicas, int mode)
{
    struct cluster *c = calloc(1, sizeof *c);
    assert_non_null(c);
    uint8_t members[N_MAX];
    c->n = n_replicas;
    c->mode = mode;
    c->app = store_app();
    c->now_us = START_US;
    c->read_number = 1u << 30;
    for (uint8_t i = 0; i < c->n; i++) members[i] = i;
    for (uint8_t i = 0; i < c->n; i++) set_up_member(c, i, mode, members, c->n);
    return c;
}

void cluster_add(struct cluster *c, const uint8_t *members, uint8_t n)
{
    assert_true(c->n < N_MAX);
    set_up_member(c, c->n, c->mode, members, n);
    c->n++;
    cluster_start(c, (uint8_t)(c->n - 1));
}

struct cluster *cluster_new(uint8_t n_replicas, int mode)
{
    return cluster_new_with(n_replicas, mode, store_app());
}

struct cluster *cluster_new_with(uint8_t n_replicas, int mode, const struct vstamp_app *app)
{
    struct cluster *c = cluster_new_blank(n_replicas, mode);
    c->app = app;
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

static void end_if_over(struct member *m)
{
    if (m->up && node_is_over(m->node) != NULL && node_is_retired(m->node))
        cluster_crash(m->cluster, m->index);
}

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
    uint8_t slot = slot_of(m, from);
    cluster_set_clock(m);
    if (slot < m->n_slots) node_on_peer_frame(m->node, slot, frame);
    else node_on_stranger_frame(m->node, STRANGER + from, frame);
    node_turn_end(m->node);
    end_if_over(m);
}

static bool finish_jobs(struct member *m)
{
    bool any = false;
    for (int lane = 0; lane < NODE_LANES; lane++) {
        bool slow = m->slow_disk || (m->slow_checkpoints && lane == NODE_LANE_CHECKPOINT);
        if (!m->up || slow || !m->disk.busy[lane]) continue;
        any = true;
        if (m->crash_at_checkpoint && m->disk.job[lane].kind == NODE_JOB_CHECKPOINT_END) {
            disk_crash_after_commit(&m->disk);
            cluster_crash(m->cluster, m->index);
            break;
        }
        disk_finish(&m->disk, (enum node_lane)lane, m->node);
        cluster_set_clock(m);
        node_on_stored(m->node, (enum node_lane)lane);
        node_turn_end(m->node);
        end_if_over(m);
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
            cluster_set_clock(m);
            node_turn_end(m->node);
            end_if_over(m);
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
        if (core->config.self == NOT_A_MEMBER) return false;
        if (first == NULL) first = core;
        if (core->epoch != first->epoch) return false;
        if (core->status != VR_NORMAL || core->view != first->view ||
            core->log.op != first->log.op || core->applied != core->log.op)
            return false;
    }
    if (first == NULL) return false;
    return c->members[number_of(vr_slot_address(first, vr_primary_of(first, first->view)))].up;
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

struct vstamp_id cluster_group(const struct cluster *c)
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
    struct wire_header header = {.group = cluster_group(c), .view = view, .sender = from};
    if (c->members[to].up) header.epoch = cluster_core(c, to)->epoch;
    size_t size = wire_frame_encode(&header, shape, message, frame, sizeof frame);
    assert_true(size > 0);
    deliver(c, from, to, (struct bytes){frame, size});
    cluster_settle(c);
}

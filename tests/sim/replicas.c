/* SPDX-License-Identifier: BSD-2-Clause */
/* A replica of the simulation: the host of one node.  A turn is one event, or several: now and
 * then a turn stays open for a moment and takes in what else arrives, as in a busy event loop. */
#include "sim/sim.h"

#include <inttypes.h>
#include <string.h>

#include "base/assert.h"
#include "kv/kv.h"
#include "program/zeros.h"
#include "sim/foreign.h"

#define FED_A_TURN 16u
#define TURN_US SIM_MS

uint64_t sim_replica_clock_us(const struct sim_replica *r)
{
    uint64_t elapsed = r->sim->now - r->clock_started;
    return r->clock_base + (uint64_t)((int64_t)elapsed + (int64_t)elapsed * r->clock_ppm / 1000000);
}

/* When, in the simulation's time, will its monotonic clock show this? */
static uint64_t time_of(const struct sim_replica *r, uint64_t monotonic)
{
    if (monotonic == UINT64_MAX) return UINT64_MAX;
    if (monotonic <= sim_replica_clock_us(r)) return r->sim->now;
    int64_t elapsed = (int64_t)(monotonic - r->clock_base);
    return r->clock_started + (uint64_t)(elapsed * 1000000 / (1000000 + r->clock_ppm)) + 1;
}

/* Who fetches finds out whether a page is what was told (F2), who copies does not. */
static bool gives_wrong_pages(const struct sim_replica *r, struct bytes frame)
{
    uint16_t command = sim_command_of(frame);
    bool is_copy = command == WIRE_checkpoint;
    bool gives = is_copy || command == WIRE_tree || command == WIRE_pages;
    if (!r->was_flipped || !gives) return false;
    return !check_image(r->sim, r) || (is_copy && !check_image_is_as_told(r));
}

static void io_send(void *ctx, uint8_t slot, struct bytes frame)
{
    struct sim_replica *r = ctx;
    assert(slot < r->n_slots && r->slots[slot] != r->index);
    check_sent(r->sim, r, frame);
    check_silent(r->sim, r, frame);
    if (gives_wrong_pages(r, frame)) return;
    if (r->old) check_idle(r->sim, r, frame);
    if (slot < check_core(r->node)->config.n_replicas)
        sim_version_check_frame(r->sim, r->index, r->slots[slot], frame.data[20]);
    sim_net_send(r->sim, r->index, r->slots[slot], frame);
}

static uint8_t slot_of(const struct sim_replica *r, uint8_t replica)
{
    uint8_t slot = 0;
    while (slot < r->n_slots && r->slots[slot] != replica) slot++;
    return slot;
}

/* Connections go on in other slots; to those who are new there are none yet. */
static void io_directory(void *ctx, const struct node_directory *directory)
{
    struct sim_replica *r = ctx, before = {.n_slots = r->n_slots};
    memcpy(before.slots, r->slots, sizeof before.slots);
    r->n_slots = directory->n_slots;
    for (uint8_t i = 0; i < r->n_slots; i++) {
        r->slots[i] = sim_node_of(directory->addresses[i]);
        bool known = before.n_slots == 0 || slot_of(&before, r->slots[i]) < before.n_slots;
        const struct sim_replica *other = &r->sim->replicas[r->slots[i]];
        if (known || r->slots[i] == r->index || !other->up) continue;
        if (r->sim->blocked[r->index][other->index] || r->sim->blocked[other->index][r->index])
            continue;
        sim_net_link(r->sim, r->index, other->index, true);
    }
}

static void io_reply(void *ctx, uint64_t origin, struct bytes frame)
{
    struct sim_replica *r = ctx;
    check_silent(r->sim, r, frame);
    if (sim_command_of(frame) == WIRE_new_epoch) r->told_of_epoch = origin;
    if (gives_wrong_pages(r, frame)) return;
    if (origin > SIM_STRANGER_ORIGIN - REPLICAS_MAX && origin <= SIM_STRANGER_ORIGIN)
        sim_net_send(r->sim, r->index, (uint8_t)(SIM_STRANGER_ORIGIN - origin), frame);
    else
        sim_net_reply(r->sim, r->index, origin, frame);
}

static void io_store(void *ctx, enum node_lane lane, const struct node_job *job)
{
    struct sim_replica *r = ctx;
    const struct sim_options *o = &r->sim->options;
    struct prng *prng = &r->sim->prng;
    bool faulty = r->sim->all_formed && !r->sim->quiet;
    bool hangs = faulty && prng_chance(prng, o->hang_ppm, 1000000);
    bool fails = faulty && (r->disk_full_until > r->sim->now ||
                            prng_chance(prng, o->write_error_ppm, 1000000));
    assert(r->config.durable);
    disk_begin(&r->disk, lane, job);
    if (job->kind == NODE_JOB_APPEND) {
        uint64_t op = check_core(r->node)->log.op;
        if (r->begun_op > r->former_begun_op) r->former_begun_op = r->begun_op;
        r->begun_op = op;
    }
    if ((r->sim->stuck >> r->index) & 1) return;
    sim_at(r->sim, hangs ? o->cut_us : o->disk_us + prng_below(prng, o->disk_spread_us + 1),
           (struct sim_event){.kind = SIM_STORED, .node = r->index, .from = (uint8_t)lane,
                              .incarnation = r->incarnation, .value = fails});
}

static void io_trace(void *ctx, const char *line)
{
    struct sim_replica *r = ctx;
    if (r->sim->tracing) sim_trace(r->sim, "%u: %s", r->index, line);
}

/* What is logged is in the trace already.  An error has a cause that the run knows of, or it is
 * one. */
static void io_log(void *ctx, enum log_level level, const char *event, const char *detail)
{
    struct sim_replica *r = ctx;
    (void)detail;
    bool spoilt = strcmp(event, "page-hash-differs") == 0 && r->sim->options.wrong_pages_ppm != 0;
    spoilt |= strcmp(event, "entry-not-sound") == 0 && r->sim->options.wrong_pages_ppm != 0;
    bool rots = (strcmp(event, "stored-page-rotten") == 0 && r->damaged) ||
                (strcmp(event, "journal-rotten") == 0 && (r->rotten != 0 || r->patched));
    bool found = strcmp(event, "diverged") == 0;
    bool seen = strcmp(event, "replica-diverged") == 0 || strcmp(event, "states-differ") == 0 ||
                strcmp(event, "checkpoint-differs") == 0;
    bool flips = (found || strcmp(event, "memory-rotten") == 0) && r->was_flipped;
    flips |= (seen || strcmp(event, "page-hash-differs") == 0) && r->sim->stats.flips > 0;
    bool older = strcmp(event, "version-refused") == 0 && r->newest == WIRE_NEWEST;
    bool stuck = strcmp(event, "application-stuck") == 0 && sim_stuck_is_expected(r);
    if (strcmp(event, "application-failed") == 0 && sim_is_ill(r))
        stuck = true;
    else if (strcmp(event, "application-failed") == 0)
        sim_fail(r->sim, "replica %u: %s", r->index, check_core(r->node)->app_failure.text);
    if (strcmp(event, "application-mistaken") == 0)
        sim_fail(r->sim, "replica %u: %s", r->index, check_core(r->node)->app_mistake.text);
    if (level == LOG_LEVEL_ERROR && !spoilt && !rots && !flips && !older && !stuck && !r->old)
        sim_fail(r->sim, "%sreplica %u: %s",
                 (found || seen) && foreign_in_use() ? FOREIGN_DIFFERS : "", r->index, event);
}

static void io_record(void *ctx, enum journal_kind kind, const void *record)
{
    struct sim_replica *r = ctx;
    replay_tape_put(&r->tape, kind, record);
}

/* Its life is over: was it a function of what went into it? */
static void live_again(struct sim_replica *r)
{
    char verdict[REPLAY_VERDICT_SIZE];
    struct bytes recording = {r->tape.data, r->tape.size};
    bool as_it_was = r->flipped_life != r->incarnation && !sim_is_ill(r); /* neither is on record */
    if (recording.size > 0 && as_it_was &&
        replay(recording, sim_app(r->sim), NULL, NULL, NULL, NULL, verdict) != REPLAY_SAME)
        sim_fail(r->sim, "replica %u, once more: %s", r->index, verdict);
    replay_tape_close(&r->tape);
}

static void init_disk(struct sim_replica *r)
{
    disk_init(&r->disk, node_segment_size(&r->config), r->sim->options.trail_bytes);
}

void sim_replica_init(struct sim *sim, uint8_t index)
{
    struct sim_replica *r = &sim->replicas[index];
    r->sim = sim;
    r->index = index;
    r->spoke = WIRE_NEWEST;
    r->config = sim->config;
    r->config.self = index < sim->config.n_replicas ? index : 0;
    r->io = (struct node_io){.ctx = r, .send = io_send, .directory = io_directory,
                             .reply = io_reply, .store = io_store,
                             .trace = sim->tracing ? io_trace : NULL, .log = io_log,
                             .record = sim->options.record ? io_record : NULL};
    init_disk(r);
    r->wall_skew_us = (int64_t)prng_below(&sim->prng, 2 * SIM_S) - (int64_t)SIM_S;
    r->skew_most_us = r->skew_least_us = r->wall_skew_us;
}

/* In the newest epoch, or by its configuration. */
bool sim_is_witness(const struct sim_replica *r)
{
    const struct check_epoch *e = &r->sim->check.epochs[r->sim->check.epoch];
    for (uint8_t i = 0; e->known && i < e->n; i++)
        if (e->order[i] == r->index) return (e->witnesses >> i) & 1;
    return (r->config.witnesses >> r->config.self) & 1;
}

static void configure(struct sim_replica *r, const uint8_t *members, uint8_t n, uint32_t witnesses)
{
    r->config = r->sim->config;
    r->config.n_replicas = n;
    r->config.witnesses = witnesses;
    for (uint8_t i = 0; i < n; i++) {
        r->config.addresses[i] = sim_address_of(members[i]);
        if (members[i] == r->index) r->config.self = i;
    }
}

/* It is given a configuration that lists these members, and an empty folder. */
void sim_replica_configure(struct sim *sim, uint8_t index, const struct vr_membership *members)
{
    struct sim_replica *r = &sim->replicas[index];
    uint8_t nodes[REPLICAS_MAX];
    assert(!r->up);
    for (uint8_t i = 0; i < members->n; i++) nodes[i] = sim_node_of(members->members[i].address);
    configure(r, nodes, members->n, members->witnesses);
    sim_replica_wipe(sim, index);
    disk_wipe(&r->disk);
    disk_wipe(&r->copy); /* of when it was a member before, which is another replica (PIT-8.12) */
    init_disk(r); /* a witness has smaller ones */
    r->present = r->newcomer = true;
    r->first_life = r->incarnation + 1;
}

static uint32_t n_members_of_today(const struct sim_replica *r)
{
    uint32_t n = 0;
    for (uint8_t i = 0; i < r->config.n_replicas; i++)
        n += check_is_member(r->sim, sim_node_of(r->config.addresses[i]));
    return n;
}

/* A member that has lost its memory is started with the configuration that it had, or with that of
 * today.  It must be that of today if all in the other may have lost theirs, or never had any: they
 * would form a group; where more is lost than a group bears, that may always be. */
static void configure_anew(struct sim_replica *r)
{
    const struct check_epoch *e = &r->sim->check.epochs[r->sim->check.epoch];
    if (!r->blank || !e->known || !check_is_member(r->sim, r->index)) return;
    bool one_knows = n_members_of_today(r) > (e->n - 1u) / 2;
    if (one_knows && !r->sim->options.beyond && prng_chance(&r->sim->changes.prng, 1, 2)) return;
    configure(r, e->order, e->n, e->witnesses);
    init_disk(r);
}

bool sim_replica_has_state(const struct sim_replica *r)
{
    if (r->was_flipped) return false;
    if (r->config.durable)
        return !r->blank && !r->damaged && r->rotten == 0 && !r->old && !r->has_holes &&
               r->n_rotten_entries == 0;
    return r->up && r->normal_once && !r->stopping;
}

static void read_clocks(struct sim_replica *r)
{
    node_clock(r->node, sim_replica_clock_us(r),
               (uint64_t)((int64_t)(SIM_WALL_START + r->sim->now) + r->wall_skew_us));
}

static void turn_begin(struct sim_replica *r)
{
    if (r->turn_open) return;
    r->turn_open = true;
    read_clocks(r);
}

static void alarm_set(struct sim_replica *r)
{
    uint64_t due = time_of(r, node_next_timer(r->node));
    if (check_core(r->node)->fetch.complete) /* the turn that has just ended took its time */
        due += prng_below(&r->sim->prng, TURN_US);
    if (due == UINT64_MAX || (r->alarm != 0 && r->alarm <= due)) return;
    r->alarm = due;
    sim_at(r->sim, due - r->sim->now,
           (struct sim_event){.kind = SIM_TIMER, .node = r->index, .incarnation = r->incarnation,
                              .value = due});
}

/* It counts as well once it would be normal again after a crash. */
static void note_normal(struct sim_replica *r)
{
    struct sim *sim = r->sim;
    const struct vr *core = check_core(r->node);
    if (r->normal_once || core->status != VR_NORMAL || !vr_is_durable_state(core)) return;
    r->normal_once = true;
    if (r->blank && sim->all_formed) sim->stats.recoveries++;
    r->blank = false;
    for (uint8_t i = 0; i < sim->config.n_replicas; i++)
        if (sim->replicas[i].incarnation == 0 || sim->replicas[i].blank) return;
    sim->all_formed = true;
}

static void note_holes(struct sim_replica *r)
{
    const struct vr *core = check_core(r->node);
    bool mended_for_good = core->log.n_holes == 0 && core->durable_op == core->log.op;
    if (core->log.n_holes > 0) r->has_holes = true;
    if (!mended_for_good) return;
    r->has_holes = false;
    r->n_rotten_entries = 0;
}

static void note_primary(struct sim_replica *r)
{
    const struct vr *core = check_core(r->node);
    if (!vr_is_primary(core)) return;
    if (r->led_view == core->view + 1 && r->led_epoch == core->epoch) return;
    r->led_view = core->view + 1;
    r->led_epoch = core->epoch;
    sim_faults_new_primary(r->sim, r->index);
}

static void feed(struct sim_replica *r, const struct sim_event *event)
{
    struct bytes frame = {event->packet->bytes, event->packet->size};
    uint64_t view = check_core(r->node)->view;
    bool must_tell = check_must_tell(r, frame);
    r->told_of_epoch = 0;
    if (node_on_client_frame(r->node, event->value, frame) != 0)
        sim_fail(r->sim, "replica %u refused a sound client frame", r->index);
    if (must_tell && r->told_of_epoch != event->value)
        sim_fail(r->sim, "replica %u does not tell a client of an older epoch where the group is",
                 r->index);
    if (sim_is_operator(event->value)) sim_operator_fed(r->sim, r->index, view, frame);
}

static void turn_end(struct sim_replica *r)
{
    if (!r->turn_open) return;
    read_clocks(r);
    node_turn_send(r->node);
    node_turn_end(r->node);
    r->turn_open = false;
    while (r->backlog_count > 0 && node_accepts_requests(r->node)) {
        uint32_t n = 0;
        turn_begin(r);
        while (n < r->backlog_count && n < FED_A_TURN && node_accepts_requests(r->node)) {
            feed(r, &r->backlog[n]);
            sim_packet_release(r->backlog[n++].packet);
        }
        r->backlog_count -= n;
        for (uint32_t i = 0; i < r->backlog_count; i++) r->backlog[i] = r->backlog[i + n];
        node_turn_end(r->node);
        r->turn_open = false;
    }
    note_holes(r);
    check_turn(r->sim, r);
    note_normal(r);
    note_primary(r);
    alarm_set(r);
}

static void turn_end_later(struct sim_replica *r)
{
    sim_at(r->sim, 1 + prng_below(&r->sim->prng, 300),
           (struct sim_event){.kind = SIM_TURN_END, .node = r->index,
                              .incarnation = r->incarnation});
}

static void turn_end_perhaps_later(struct sim_replica *r)
{
    if (prng_chance(&r->sim->prng, 1, 4))
        turn_end_later(r);
    else
        turn_end(r);
}

/* The timers that are due by the new time go off in the turn that ends next. */
void sim_replica_leap(struct sim_replica *r, uint64_t us)
{
    sim_trace(r->sim, "%u: its clock leaps ahead by %" PRIu64 " us", r->index, us);
    r->clock_base += us;
    if (!r->up || r->paused_until > r->sim->now) return;
    turn_begin(r);
    turn_end_later(r);
}

/* Now and then in the middle of a turn, which then takes in what came meanwhile. */
void sim_replica_pause(struct sim *sim, uint8_t index, uint64_t us)
{
    struct sim_replica *r = &sim->replicas[index];
    assert(r->up);
    sim_trace(sim, "%u: paused", index);
    if (prng_chance(&sim->prng, 1, 2)) turn_begin(r);
    r->paused_until = sim->now + us;
    if (r->turn_open)
        sim_at(sim, us, (struct sim_event){.kind = SIM_TURN_END, .node = index,
                                           .incarnation = r->incarnation});
}

static void connect_to_peers(struct sim_replica *r)
{
    for (uint8_t i = 0; i < r->sim->n_nodes; i++)
        if (i != r->index && r->sim->replicas[i].up && !r->sim->blocked[i][r->index] &&
            !r->sim->blocked[r->index][i])
            sim_net_link(r->sim, r->index, i, true);
}

/* What it is told of reads may change with each life, as long as its disk remembers what it had
 * promised (lib/vr/lease.c, L4). */
static void choose_reads(struct sim_replica *r)
{
    struct prng aside = r->sim->prng;
    bool grants_none = prng_below(&aside, 1000) < r->sim->options.quorum_reads_permille;
    r->config.leases = r->sim->config.leases && !(grants_none && r->config.durable && !r->blank);
}

/* A node in fresh memory, with what the disk holds. */
static int restore(struct sim_replica *r, bool *lost, struct vstamp_diag *diag)
{
    struct prng *prng = &r->sim->prng;
    r->memory_size = node_memory(&r->config);
    r->memory = zeros_map(r->memory_size);
    assert(r->memory != NULL);
    struct vstamp_id entropy = {prng_next(prng), prng_next(prng)};
    r->place = (struct model_place){0};
    r->config.oldest = r->newest != 0 ? WIRE_OLDEST : 0;
    r->config.newest = r->newest;
    choose_reads(r);
    const struct vstamp_app *app = sim_app(r->sim);
    struct vstamp_limits limits = node_limits(&r->config);
    r->node = node_init(r->memory, r->memory_size, &r->config, app, &r->io, entropy);
    if (app->open != NULL) {
        int rv = app->open(NULL, &limits, &r->instance, diag);
        assert(rv == 0);
        node_set_instance(r->node, r->instance);
    }
    return r->config.durable ? disk_restore(&r->disk, r->node, lost, diag) : 0;
}

void sim_replica_release(struct sim_replica *r)
{
    const struct vstamp_app *app = sim_app(r->sim);
    r->node = NULL; /* close may look at the clock, and that asks who calls */
    zeros_unmap(r->memory, r->memory_size);
    if (app->close != NULL) app->close(r->instance);
}

/* Who was replaced is not started with an empty folder: if those of its former plan had all lost
 * theirs, as one that had been alone has, they would form a group. */
void sim_replica_wipe(struct sim *sim, uint8_t index)
{
    struct sim_replica *r = &sim->replicas[index];
    disk_wipe(&r->disk);
    if (!check_is_member(sim, index) && !r->newcomer) r->present = false;
    r->blank = true;
    r->damaged = r->patched = r->scarred = r->old = r->has_holes = false;
    r->lost_wrong |= r->was_flipped;
    r->flipped = r->was_flipped = r->fenced = false;
    r->n_rotten_entries = 0;
    check_wiped(sim, r);
    sim->stats.wipes++;
}

void sim_replica_is_old(struct sim *sim, uint8_t index, bool of_newest_life)
{
    struct sim_replica *r = &sim->replicas[index];
    r->old = true;
    r->old_of_newest_life = of_newest_life;
    r->has_holes = false;
    r->n_rotten_entries = 0;
    check_wiped(sim, r);
    sim->stats.old_copies++;
}

/* It has noticed that its disk is an old copy, or that its state is wrong, or its operator has
 * found that out: that is put away; now and then one starts it once more first, and learns that it
 * knows. */
static void start_empty(struct sim_replica *r)
{
    bool again = r->config.durable && node_is_diverged(r->node) && !r->fenced;
    if (node_is_diverged(r->node)) {
        r->sim->stats.fenced += !r->fenced;
        sim_trail_fenced(r);
    } else if (!r->old && !check_is_for_operator(r)) {
        sim_fail(r->sim, "replica %u: %s", r->index, node_is_over(r->node));
    }
    sim_replica_crash(r->sim, r->index, "stopped for good");
    if (again && prng_chance(&r->sim->prng, 1, 2)) r->fenced = true;
    else sim_replica_wipe(r->sim, r->index);
    sim_at(r->sim, sim_around(r->sim, r->sim->options.down_us),
           (struct sim_event){.kind = SIM_START, .node = r->index});
}

/* Another process, with another clock. */
static void begin_life(struct sim_replica *r)
{
    struct sim *sim = r->sim;
    assert(!r->up);
    r->up = true;
    r->stopping = r->normal_once = r->turn_open = false;
    r->n_slots = 0;
    r->incarnation++;
    r->alarm = 0;
    r->clock_started = sim->now;
    r->clock_base = 1 + prng_below(&sim->prng, 1000 * SIM_S);
    r->clock_ppm = (int64_t)prng_below(&sim->prng, 2 * sim->options.drift_ppm + 1) -
                   (int64_t)sim->options.drift_ppm;
    r->blank = r->config.durable ? r->blank || disk_is_empty(&r->disk) : true;
    sim_version_choose(r);
    configure_anew(r);
}

/* The process that refused its disk has ended. */
static void end_refusal(struct sim_replica *r)
{
    check_refused(r->sim, r);
    live_again(r);
    sim_replica_release(r);
}

/* From its disk; what its operator can do about a refusal he does. */
static int bring_up(struct sim_replica *r, bool *lost, struct vstamp_diag *diag)
{
    *lost = false;
    int rv = restore(r, lost, diag);
    if (rv == VSTAMP_E_VERSION) { /* he upgrades it */
        sim_version_too_old(r, diag->text);
        end_refusal(r);
        sim_version_choose(r);
        rv = restore(r, lost, diag);
    }
    if (rv != 0 && r->damaged) { /* he puts the folder away, and starts it empty */
        sim_trace(r->sim, "%u: refuses its disk: %s", r->index, diag->text);
        end_refusal(r);
        sim_replica_wipe(r->sim, r->index);
        if (!r->present) return 0;
        configure_anew(r);
        rv = restore(r, lost, diag);
    }
    return rv;
}

static void note_loss(struct sim_replica *r, const char *why)
{
    sim_trace(r->sim, "%u: has lost its state: %s", r->index, why);
    r->sim->stats.lost_states++;
    r->lost_wrong |= r->was_flipped;
    r->scarred = r->flipped = r->was_flipped = r->fenced = false;
    r->blank = true;
    check_wiped(r->sim, r);
}

void sim_replica_start(struct sim *sim, uint8_t index)
{
    struct sim_replica *r = &sim->replicas[index];
    struct vstamp_diag diag = {0};
    bool lost;
    begin_life(r);
    bool has_stored = !r->blank || r->disk.pages.number > 0; /* since its loss */
    int rv = bring_up(r, &lost, &diag);
    r->up = r->present;
    if (!r->up) return;
    if (lost && !r->damaged && !r->was_flipped && has_stored)
        sim_fail(sim, "replica %u: %s", index, diag.text);
    r->patched = !lost && (r->damaged || r->harmed || r->patched);
    r->damaged = false;
    if (lost) note_loss(r, diag.text);
    sim_trace(sim, "%u: started, life %u%s", index, r->incarnation, r->blank ? ", blank" : "");
    if (rv != 0) {
        sim_fail(sim, "replica %u cannot start again: %s (%s)", index, diag.text,
                 vstamp_err_name(rv));
        return;
    }
    r->begun_op = r->former_begun_op = check_core(r->node)->log.op;
    turn_begin(r);
    node_start(r->node);
    note_holes(r);
    check_started(sim, r);
    r->harmed = false;
    connect_to_peers(r);
    turn_end(r);
    if (!r->fenced || r->patched) return;
    if (!node_is_diverged(r->node))
        sim_fail(sim, "replica %u starts with a state that it knows to be wrong", index);
    else
        start_empty(r);
}

static void note_stats(struct sim_replica *r)
{
    struct node_status status;
    struct sim_stats *s = &r->sim->stats;
    node_status(r->node, &status);
    s->view_changes += status.view_changes;
    s->transfers += status.state_transfers;
    s->evictions += status.evictions;
    s->duplicates += status.duplicates;
    s->reads += status.reads;
}

void sim_replica_crash(struct sim *sim, uint8_t index, const char *why)
{
    struct sim_replica *r = &sim->replicas[index];
    assert(r->up);
    sim_trace(sim, "%u: %s", index, why);
    note_stats(r);
    r->newest_incarnation = check_incarnation(r);
    uint64_t op = check_core(r->node)->log.op;
    bool alone = sim_is_alone(check_core(r->node));
    check_crashed(sim, r);
    live_again(r);
    if (!r->config.durable) {
        r->lost_wrong |= r->was_flipped;
        r->flipped = r->was_flipped = false;
    }
    if (r->rotten != 0) r->damaged = r->harmed = r->scarred = true;
    r->rotten = 0;
    r->up = false;
    r->paused_until = 0;
    struct prng aside = sim->prng; /* so that all else is as without */
    if (prng_below(&aside, 1000) < sim->options.late_write_permille)
        disk_delay(&r->disk, &aside);
    disk_crash(&r->disk, &sim->prng);
    sim_replica_release(r);
    if (r->config.durable && !alone && sim_replica_has_state(r) && prng_chance(&sim->prng, 1, 4)) {
        disk_copy(&r->copy, &r->disk);
        r->copied_incarnation = r->newest_incarnation;
        r->copied_op = op;
    }
    sim_faults_forgotten(sim, index);
    for (uint32_t i = 0; i < r->backlog_count; i++) sim_packet_release(r->backlog[i].packet);
    r->backlog_count = 0;
    sim_net_break_all(sim, index);
    for (uint8_t i = 0; i < sim->n_nodes; i++)
        if (i != index && sim->replicas[i].up) sim_net_link(sim, i, index, false);
}

/* Its operator does not start it again, or not soon. */
void sim_replica_retire(struct sim_replica *r, const char *why)
{
    r->sim->stats.retirements++;
    r->present = false;
    sim_replica_crash(r->sim, r->index, why);
}

static void on_request(struct sim_replica *r, const struct sim_event *event)
{
    if (r->backlog_count == 0 && node_accepts_requests(r->node)) {
        feed(r, event);
        return;
    }
    if (r->backlog_count == SIM_BACKLOG) return; /* as if its connection had broken unnoticed */
    r->backlog[r->backlog_count] = *event;
    sim_packet_share(event->packet);
    r->backlog_count++;
}

static void crash_for_a_while(struct sim_replica *r, const char *why)
{
    sim_replica_crash(r->sim, r->index, why);
    sim_at(r->sim, sim_around(r->sim, r->sim->options.down_us),
           (struct sim_event){.kind = SIM_START, .node = r->index});
}

/* Its program is too old: then it is upgraded.  Or its disk is of no use.  Or it is ill, and is
 * started again. */
static void start_anew(struct sim_replica *r)
{
    if (sim_is_ill(r) && check_core(r->node)->app_failure.text[0] != '\0') {
        crash_for_a_while(r, "stopped, as it executes nothing");
        return;
    }
    if (check_core(r->node)->over_version == 0) {
        start_empty(r);
        return;
    }
    sim_version_too_old(r, node_is_over(r->node));
    crash_for_a_while(r, "stopped, to be upgraded");
}

/* A stopping replica goes when it has handed over, or is out of patience. */
static bool gone(struct sim_replica *r)
{
    bool over = !r->turn_open && node_is_over(r->node) != NULL;
    if (over && node_is_retired(r->node)) {
        sim_replica_retire(r, "replaced, and not needed any more");
        return true;
    }
    if (over) {
        start_anew(r);
        return true;
    }
    if (!r->turn_open && check_is_for_operator(r)) {
        start_empty(r);
        return true;
    }
    if (!r->stopping || !node_may_stop(r->node)) return false;
    sim_replica_crash(r->sim, r->index, "stopped");
    return true;
}

void sim_replica_stop(struct sim *sim, uint8_t index)
{
    struct sim_replica *r = &sim->replicas[index];
    assert(r->up && !r->stopping);
    sim_trace(sim, "%u: asked to stop", index);
    r->stopping = true;
    turn_begin(r);
    node_stop(r->node);
    turn_end(r);
}

/* The daemon ends, and is started again. */
static void write_failed(struct sim_replica *r)
{
    r->sim->stats.failed_writes++;
    crash_for_a_while(r, "a write failed");
}

void sim_replica_garbage(struct sim *sim, uint8_t index, struct bytes frame)
{
    struct sim_replica *r = &sim->replicas[index];
    struct wire_message m;
    assert(r->up);
    sim->stats.garbage++;
    if (wire_frame_decode(frame, &m) == 0) sim_fail(sim, "a damaged frame passes for a sound one");
    if (r->paused_until > sim->now) return;
    turn_begin(r);
    uint8_t slot = (uint8_t)((slot_of(r, index) + 1) % r->n_slots);
    if (r->slots[slot] != index) node_on_peer_frame(r->node, slot, frame);
    if (node_on_client_frame(r->node, UINT64_MAX, frame) == 0)
        sim_fail(sim, "replica %u took a damaged frame of a client", index);
    turn_end(r);
}

static void on_frame(struct sim_replica *r, const struct sim_event *event)
{
    struct bytes frame = {event->packet->bytes, event->packet->size};
    uint8_t slot = slot_of(r, event->from);
    if (slot < r->n_slots) node_on_peer_frame(r->node, slot, frame);
    else node_on_stranger_frame(r->node, SIM_STRANGER_ORIGIN - event->from, frame);
}

void sim_replica_event(struct sim *sim, const struct sim_event *event)
{
    struct sim_replica *r = &sim->replicas[event->node];
    bool mine = event->incarnation == r->incarnation;
    if (!r->up) return;
    if (event->kind == SIM_TIMER && mine && event->value == r->alarm) r->alarm = 0;
    switch ((enum sim_event_kind)event->kind) {
    case SIM_FRAME:
        turn_begin(r);
        on_frame(r, event);
        break;
    case SIM_REQUEST:
        /* What was sent to a group of which no life of this replica was a member is another's. */
        if (event->incarnation != 0 && event->incarnation < r->first_life) return;
        turn_begin(r);
        on_request(r, event);
        break;
    case SIM_LINK:
        if (slot_of(r, event->from) >= r->n_slots) return;
        turn_begin(r);
        node_on_peer_connected(r->node, slot_of(r, event->from), event->value != 0);
        break;
    case SIM_STORED:
        if (!mine) return;
        if (event->value != 0) {
            write_failed(r);
            return;
        }
        turn_begin(r);
        sim_stored(r, event->from);
        break;
    case SIM_TIMER:
    case SIM_TURN_END:
        if (!mine) return;
        turn_begin(r);
        turn_end(r);
        gone(r);
        return;
    case SIM_STOP:
        if (mine) sim_replica_crash(sim, r->index, "stopped, out of patience");
        return;
    case SIM_REPLY:
    case SIM_CONNECTED:
    case SIM_BROKEN:
    case SIM_START:
    case SIM_HEAL:
    case SIM_FAULT:
    case SIM_PLOT:
    case SIM_COPY:
    case SIM_CHANGE:
    case SIM_CLIENT:
    case SIM_PHASE:
        assert(false);
    }
    turn_end_perhaps_later(r);
    gone(r);
}

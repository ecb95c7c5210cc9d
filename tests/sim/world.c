/* SPDX-License-Identifier: BSD-2-Clause */
#include "sim/sim.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/assert.h"
#include "base/checksum.h"

#define PHASE_TICK_US (20 * SIM_MS)
#define PROGRESS_BOUND_US (60 * SIM_S)
#define READ_BOUND_US (300 * SIM_S)

/* An assertion of the core ends the run, not the program: the hook jumps here. */
static jmp_buf assertion_exit;
static struct sim *asserting;

void sim_fail(struct sim *sim, const char *format, ...)
{
    va_list arguments;
    if (sim->failed) return;
    sim->failed = true;
    va_start(arguments, format);
    vsnprintf(sim->verdict, sizeof sim->verdict, format, arguments);
    va_end(arguments);
    sim_trace(sim, "FAILED: %s", sim->verdict);
}

void sim_trace(struct sim *sim, const char *format, ...)
{
    va_list arguments;
    if (!sim->tracing) return;
    char *line = sim->trace_ring[sim->trace_count++ % SIM_TRACE_LINES];
    int n = snprintf(line, SIM_TRACE_COLUMNS, "%10.6f  ", (double)sim->now / 1e6);
    va_start(arguments, format);
    vsnprintf(line + n, SIM_TRACE_COLUMNS - (size_t)n, format, arguments);
    va_end(arguments);
    if (sim->trace_file != NULL) fprintf(sim->trace_file, "%s\n", line);
}

void sim_at(struct sim *sim, uint64_t delay_us, struct sim_event event)
{
    event.time = sim->now + delay_us;
    sim_queue_push(&sim->queue, event);
}

uint64_t sim_around(struct sim *sim, uint64_t mean_us)
{
    return 1 + prng_below(&sim->prng, 2 * mean_us);
}

/* Nothing, often; else anything up to `max`, small values as likely as large ones. */
static uint32_t draw_rate(struct prng *prng, uint32_t max)
{
    if (prng_chance(prng, 1, 3)) return 0;
    return (uint32_t)prng_below(prng, (max >> prng_below(prng, 6)) + 1);
}

/* Never, now and then; else a multiple of `unit_us`, small ones as likely as large ones. */
static uint64_t draw_mean(struct prng *prng, uint64_t unit_us, uint32_t low, uint32_t high)
{
    if (prng_chance(prng, 1, 3)) return 0;
    return unit_us * prng_between(prng, low, low + ((high - low) >> prng_below(prng, 4)));
}

static uint8_t draw_size(struct prng *prng)
{
    static const uint8_t sizes[] = {1, 2, 3, 3, 3, 3, 3, 3, 3, 3, 3, 4, 5, 5, 5, 5, 5, 6, 7};
    return sizes[prng_below(prng, sizeof sizes)];
}

static void draw_config(struct prng *prng, struct vr_config *c, uint32_t n_clients)
{
    c->n_replicas = draw_size(prng);
    c->durable = prng_chance(prng, 1, 2);
    c->heartbeat_ms = (uint32_t)prng_between(prng, 10, 50);
    c->view_change_ms = c->heartbeat_ms * (uint32_t)prng_between(prng, 2, 8);
    c->max_clients = n_clients + (uint32_t)prng_between(prng, 2, 8);
    if (prng_chance(prng, 1, 6)) c->max_clients = 1 + (uint32_t)prng_below(prng, n_clients);
    c->batch_bytes = 4096u << prng_below(prng, 3);
    c->max_answer_bytes = 256u << prng_below(prng, 3);
    c->max_read_bytes = 8192;
    c->pipeline = (uint32_t)prng_between(prng, 1, 8);
    c->log_entries = 32u << prng_below(prng, 3);
    c->log_bytes = (uint64_t)c->batch_bytes * prng_between(prng, 4, 12);
    c->checkpoint_ops = (uint32_t)prng_between(prng, 8, c->log_entries / 2);
    c->state_pages = c->max_clients * 2 + 200;
    c->members = 1;
    c->version = "sim";
    for (uint32_t i = 0; i < c->n_replicas; i++) c->addresses[i] = "sim";
}

/* Faults come at the pace of view changes, since it is in the middle of one that they matter. */
static void draw_faults(struct prng *prng, struct sim_options *o)
{
    uint64_t unit_us = o->config.view_change_ms * SIM_MS;
    o->loss_ppm = draw_rate(prng, 200000);
    o->duplicate_ppm = draw_rate(prng, 300000);
    o->reorder_ppm = draw_rate(prng, 500000);
    o->late_ppm = draw_rate(prng, 100000);
    o->late_us = unit_us * prng_between(prng, 1, 30);
    o->delay_us = prng_between(prng, 50, 500);
    o->delay_spread_us = 200u << prng_below(prng, 6);
    o->disk_us = prng_between(prng, 20, 200);
    o->disk_spread_us = 100u << prng_below(prng, 8);
    o->down_us = prng_between(prng, unit_us / 8, unit_us << prng_below(prng, 3));
    o->cut_us = prng_between(prng, unit_us / 4, unit_us << prng_below(prng, 3));
    o->wipe_permille = draw_rate(prng, 600);
    o->graceful_permille = draw_rate(prng, 500);
    o->one_way_permille = (uint32_t)prng_below(prng, 1000);
    o->primary_permille = (uint32_t)prng_below(prng, 1000);
    o->forming_permille = prng_chance(prng, 1, 4) ? 800 : 0;
    o->fault_us[SIM_FAULT_CRASH] = draw_mean(prng, unit_us, 1, 30);
    o->fault_us[SIM_FAULT_CRASH_ALL] = draw_mean(prng, unit_us, 10, 60);
    o->fault_us[SIM_FAULT_PARTITION] = draw_mean(prng, unit_us, 1, 20);
    o->fault_us[SIM_FAULT_PAUSE] = draw_mean(prng, unit_us, 2, 30);
    o->fault_us[SIM_FAULT_RESET] = draw_mean(prng, unit_us, 1, 30);
    o->fault_us[SIM_FAULT_CLIENT_RESET] = draw_mean(prng, unit_us, 1, 30);
    o->fault_us[SIM_FAULT_CLIENT_CRASH] = draw_mean(prng, unit_us, 1, 30);
    o->fault_us[SIM_FAULT_REPLAY] = draw_mean(prng, unit_us / 8, 1, 100);
    o->fault_us[SIM_FAULT_CLOCK] = draw_mean(prng, unit_us, 5, 30);
    o->drift_ppm = draw_rate(prng, 2000);
}

/* A storm: replicas that forget and come back at once, votes and promises that arrive lives later.
 * This is where recovery without a disk goes wrong (PIT-3.1). */
static void draw_storm(struct prng *prng, struct sim_options *o)
{
    uint64_t unit_us = o->config.view_change_ms * SIM_MS;
    o->config.durable = prng_chance(prng, 1, 4);
    o->loss_ppm = draw_rate(prng, 100000);
    o->late_ppm = draw_rate(prng, 500000);
    o->late_us = unit_us * prng_between(prng, 1, 10);
    o->delay_spread_us = unit_us >> prng_between(prng, 3, 6);
    o->down_us = unit_us / 8;
    o->cut_us = prng_between(prng, unit_us / 2, 2 * unit_us);
    o->wipe_permille = 500;
    o->graceful_permille = 0;
    o->fault_us[SIM_FAULT_CRASH] = prng_between(prng, unit_us / 4, 2 * unit_us);
    o->fault_us[SIM_FAULT_CRASH_ALL] = 0;
    if (!o->config.durable) o->fault_us[SIM_FAULT_PLOT] = unit_us * prng_between(prng, 4, 20);
    o->fault_us[SIM_FAULT_REPLAY] = unit_us / prng_between(prng, 2, 32);
    o->fault_us[SIM_FAULT_PARTITION] = prng_between(prng, unit_us / 2, 4 * unit_us);
}

static void draw_options(struct prng *prng, struct sim_options *o, uint64_t seconds)
{
    memset(o, 0, sizeof *o);
    o->n_clients = (uint32_t)prng_between(prng, 1, 8);
    draw_config(prng, &o->config, o->n_clients);
    draw_faults(prng, o);
    if (!o->config.durable && prng_chance(prng, 1, 2))
        o->fault_us[SIM_FAULT_PLOT] = draw_mean(prng, o->config.view_change_ms * SIM_MS, 4, 40);
    if (prng_chance(prng, 1, 4)) draw_storm(prng, o);
    o->seconds = seconds != 0 ? seconds : prng_between(prng, 3, 10);
    o->think_us = prng_between(prng, 2, 10u << prng_below(prng, 6)) * SIM_MS;
    o->patience_us = prng_between(prng, SIM_S / 3, 3 * SIM_S);
    o->keys = (uint32_t)prng_between(prng, 1, 3);
    o->key_ops = (uint32_t)prng_between(prng, 30, 150);
    o->value_size_max = 16u << prng_below(prng, 7);
    o->resume_permille = (uint32_t)prng_below(prng, 1001);
}

static void describe(const struct sim *sim, char *text, size_t size)
{
    const struct sim_options *o = &sim->options;
    const struct vr_config *c = &o->config;
    snprintf(text, size,
             "replicas=%u %s clients=%u/%u heartbeat=%ums view-change=%ums pipeline=%u log=%u "
             "checkpoint=%u loss=%uppm duplicate=%uppm reorder=%uppm late=%uppm delay=%" PRIu64
             "+%" PRIu64 "us disk=%" PRIu64 "+%" PRIu64 "us crash=%" PRIu64 "ms all=%" PRIu64
             "ms partition=%" PRIu64 "ms pause=%" PRIu64 "ms wipe=%u seconds=%" PRIu64,
             c->n_replicas, c->durable ? "disk" : "memory", o->n_clients, c->max_clients,
             c->heartbeat_ms, c->view_change_ms, c->pipeline, c->log_entries, c->checkpoint_ops,
             o->loss_ppm, o->duplicate_ppm, o->reorder_ppm, o->late_ppm, o->delay_us,
             o->delay_spread_us, o->disk_us, o->disk_spread_us,
             o->fault_us[SIM_FAULT_CRASH] / 1000, o->fault_us[SIM_FAULT_CRASH_ALL] / 1000,
             o->fault_us[SIM_FAULT_PARTITION] / 1000, o->fault_us[SIM_FAULT_PAUSE] / 1000,
             o->wipe_permille, o->seconds);
}

static void world_begin(struct sim *sim)
{
    const struct sim_options *o = &sim->options;
    size_t n_slots = o->keys * 3;
    sim->current_keys = malloc(n_slots * sizeof *sim->current_keys);
    assert(sim->current_keys != NULL);
    for (size_t i = 0; i < n_slots; i++) sim->current_keys[i] = SIZE_MAX;
    for (uint8_t i = 0; i < o->config.n_replicas; i++) {
        sim_replica_init(sim, i);
        sim->replicas[i].blank = true;
        sim_at(sim, prng_below(&sim->prng, 100 * SIM_MS),
               (struct sim_event){.kind = SIM_START, .node = i});
    }
    for (uint8_t i = 0; i < o->n_clients; i++) sim_client_begin(sim, i);
    sim_faults_begin(sim);
    sim_at(sim, o->seconds * SIM_S, (struct sim_event){.kind = SIM_PHASE});
}

/* Is there nothing left to do?  All clients rest, and the core agrees on everything. */
static bool at_rest(const struct sim *sim, char *why, size_t size)
{
    const struct vr *first = NULL;
    for (uint32_t i = 0; i < sim->options.n_clients; i++)
        if (sim->clients[i].state != SIM_CLIENT_IDLE) {
            snprintf(why, size, "client %u waits for an answer", i);
            return false;
        }
    for (uint8_t i = 0; i < sim->options.config.n_replicas; i++) {
        if ((sim->dead >> i) & 1) continue;
        const struct vr *core = sim->replicas[i].up ? check_core(sim->replicas[i].node) : NULL;
        if (core == NULL || core->status != VR_NORMAL) {
            snprintf(why, size, "replica %u is not normal", i);
            return false;
        }
        if (first == NULL) first = core;
        if (core->view != first->view || core->log.op != first->log.op ||
            core->applied != core->log.op) {
            snprintf(why, size, "replica %u lags: view=%" PRIu64 " op=%" PRIu64 " applied=%" PRIu64,
                     i, core->view, core->log.op, core->applied);
            return false;
        }
    }
    return true;
}

static void next_phase(struct sim *sim, enum sim_phase phase, uint64_t bound_us)
{
    sim->phase = phase;
    sim->phase_ends = sim->now + bound_us;
}

static void phase_event(struct sim *sim)
{
    struct sim_client *last = &sim->clients[sim->options.n_clients];
    char why[128] = "the last client waits";
    switch (sim->phase) {
    case SIM_PHASE_FAULTS:
        sim_faults_end(sim);
        next_phase(sim, SIM_PHASE_PROGRESS, PROGRESS_BOUND_US);
        sim_client_begin(sim, (uint8_t)sim->options.n_clients);
        break;
    case SIM_PHASE_PROGRESS:
        if (last->state == SIM_CLIENT_DONE) next_phase(sim, SIM_PHASE_REST, PROGRESS_BOUND_US);
        break;
    case SIM_PHASE_REST:
        if (!at_rest(sim, why, sizeof why)) break;
        next_phase(sim, SIM_PHASE_READ, READ_BOUND_US);
        sim_client_begin(sim, (uint8_t)sim->options.n_clients);
        break;
    case SIM_PHASE_READ:
        if (last->state == SIM_CLIENT_DONE) sim->phase = SIM_PHASE_OVER;
        break;
    case SIM_PHASE_OVER:
        break;
    }
    if (sim->phase != SIM_PHASE_OVER && sim->now > sim->phase_ends)
        sim_fail(sim, "no progress in %s: %s",
                 sim->phase == SIM_PHASE_PROGRESS ? "answering a write"
                 : sim->phase == SIM_PHASE_REST   ? "coming to rest"
                                                  : "reading all keys",
                 why);
    sim_at(sim, PHASE_TICK_US, (struct sim_event){.kind = SIM_PHASE});
}

static void trace_event(struct sim *sim, const struct sim_event *event)
{
    struct wire_message m;
    char text[SIM_TRACE_COLUMNS];
    if (!sim->tracing || event->packet == NULL) return;
    struct bytes frame = {event->packet->bytes, event->packet->size};
    if (wire_frame_decode(frame, &m) != 0) return;
    wire_print(&m, text, sizeof text);
    if (event->kind == SIM_REPLY)
        sim_trace(sim, "client %u <- %u: %s", (uint8_t)(event->value >> 8), event->node, text);
    else
        sim_trace(sim, "%u <- %s", event->node, text);
}

static void fold(struct sim *sim, const struct sim_event *event)
{
    uint64_t words[4] = {sim->hash, event->time,
                         (uint64_t)event->kind << 16 | (uint64_t)event->node << 8 | event->from, 0};
    if (event->packet != NULL) memcpy(&words[3], event->packet->bytes, sizeof words[3]);
    sim->hash = checksum64(words, sizeof words);
}

static void handle(struct sim *sim, const struct sim_event *event)
{
    switch ((enum sim_event_kind)event->kind) {
    case SIM_FRAME:
        sim->stats.frames++;
        if (sim->replicas[event->node].up) trace_event(sim, event);
        sim_replica_event(sim, event);
        break;
    case SIM_REQUEST:
        if (sim->replicas[event->node].up) trace_event(sim, event);
        sim_replica_event(sim, event);
        break;
    case SIM_TIMER:
    case SIM_TURN_END:
    case SIM_STORED:
    case SIM_LINK:
    case SIM_STOP:
        sim_replica_event(sim, event);
        break;
    case SIM_REPLY:
        trace_event(sim, event);
        sim_net_event(sim, event);
        break;
    case SIM_CONNECTED:
    case SIM_BROKEN:
        sim_net_event(sim, event);
        break;
    case SIM_START:
        if (!sim->replicas[event->node].up && !((sim->dead >> event->node) & 1))
            sim_replica_start(sim, event->node);
        break;
    case SIM_HEAL:
        sim_heal(sim, event->value);
        break;
    case SIM_FAULT:
        sim_fault(sim, (enum sim_fault)event->from);
        break;
    case SIM_PLOT:
        sim_plot_step(sim, event->value);
        break;
    case SIM_CLIENT:
        sim_client_wake(sim, event->node, event->value);
        break;
    case SIM_PHASE:
        phase_event(sim);
        break;
    }
}

/* What comes to a paused replica waits. */
static bool postponed(struct sim *sim, struct sim_event *event)
{
    bool for_replica = event->kind <= SIM_LINK && event->kind != SIM_REPLY;
    if (!for_replica || !sim->replicas[event->node].up) return false;
    uint64_t until = sim->replicas[event->node].paused_until;
    if (until <= sim->now) return false;
    event->time = until;
    sim_queue_push(&sim->queue, *event);
    return true;
}

static void loop(struct sim *sim)
{
    struct sim_event event;
    while (!sim->failed && sim->phase != SIM_PHASE_OVER && sim_queue_pop(&sim->queue, &event)) {
        assert(event.time >= sim->now);
        sim->now = event.time;
        if (postponed(sim, &event)) continue;
        sim->stats.events++;
        fold(sim, &event);
        handle(sim, &event);
        sim_packet_release(event.packet);
    }
    if (!sim->failed) check_history(sim);
    sim->stats.commits = sim->check.highest_commit;
    if (!sim->failed && sim->stats.commits == 0) sim_fail(sim, "nothing was committed");
}

static void on_assert(const char *condition, const char *file, int line, const char *function)
{
    struct sim *sim = asserting;
    if (sim == NULL) return;
    asserting = NULL;
    sim_fail(sim, "assertion failed: %s at %s:%d in %s", condition, file, line, function);
    longjmp(assertion_exit, 1);
}

static void world_end(struct sim *sim)
{
    for (uint8_t i = 0; i < sim->options.config.n_replicas; i++) {
        struct sim_replica *r = &sim->replicas[i];
        if (r->up && !sim->failed) sim_replica_crash(sim, i, "the end");
        else if (r->up) munmap(r->memory, r->memory_size);
        for (uint32_t j = 0; sim->failed && j < r->backlog_count; j++)
            sim_packet_release(r->backlog[j].packet);
        disk_wipe(&r->disk);
    }
    sim_queue_clear(&sim->queue);
    for (size_t i = 0; i < SIM_ARCHIVE; i++) sim_packet_release(sim->archive[i].packet);
    sim_workload_close(sim);
    check_close(&sim->check);
}

void sim_run(uint64_t seed, uint64_t seconds, FILE *lines, FILE *all, struct sim_result *result)
{
    struct sim *sim = calloc(1, sizeof *sim);
    assert(sim != NULL);
    sim->seed = seed;
    sim->tracing = lines != NULL || all != NULL;
    sim->trace_file = all;
    if (sim->tracing) {
        sim->trace_ring = calloc(SIM_TRACE_LINES, sizeof *sim->trace_ring);
        assert(sim->trace_ring != NULL);
    }
    prng_seed(&sim->prng, seed);
    draw_options(&sim->prng, &sim->options, seconds);
    base_assert_set_hook(on_assert);
    asserting = sim;
    if (setjmp(assertion_exit) == 0) {
        world_begin(sim);
        loop(sim);
    }
    asserting = NULL;
    if (sim->failed && lines != NULL) {
        uint64_t from = sim->trace_count > SIM_TRACE_LINES ? sim->trace_count - SIM_TRACE_LINES : 0;
        for (uint64_t i = from; i < sim->trace_count; i++)
            fprintf(lines, "%s\n", sim->trace_ring[i % SIM_TRACE_LINES]);
    }
    world_end(sim);
    *result = (struct sim_result){.failed = sim->failed, .hash = sim->hash, .now = sim->now,
                                  .stats = sim->stats};
    memcpy(result->verdict, sim->verdict, sizeof result->verdict);
    describe(sim, result->options, sizeof result->options);
    free(sim->trace_ring);
    free(sim);
}

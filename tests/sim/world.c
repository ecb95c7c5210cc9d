/* SPDX-License-Identifier: BSD-2-Clause */
#include "sim/foreign.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/checksum.h"

#define PHASE_TICK_US (20 * SIM_MS)
#define PROGRESS_BOUND_US (60 * SIM_S)
#define READ_BOUND_US (300 * SIM_S)
#define SETTLE_PATIENCES 4u /* view_change_ms until votes of the time of faults are void */
#define CLOCKS_APART_US   (17 * SIM_S)
#define CALM_PATIENCES 16u  /* view_change_ms that the group stays without a view change */

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

void sim_at(struct sim *sim, uint64_t delay_us, struct sim_event event)
{
    event.time = sim->now + delay_us;
    sim_queue_push(&sim->queue, event);
}

uint64_t sim_around(struct sim *sim, uint64_t mean_us)
{
    return 1 + prng_below(&sim->prng, 2 * mean_us);
}

static void world_begin(struct sim *sim)
{
    const struct sim_options *o = &sim->options;
    prng_seed(&sim->model_prng, sim->seed ^ 0x3e71);
    prng_seed(&sim->few_prng, sim->seed ^ 0xfe3);
    sim->model.answer_capacity = o->max_answer_bytes;
    prng_seed(&sim->versions, sim->seed);
    sim->n_nodes = (uint8_t)o->nodes;
    size_t n_slots = o->keys * 3;
    sim->current_keys = malloc(n_slots * sizeof *sim->current_keys);
    assert(sim->current_keys != NULL);
    for (size_t i = 0; i < n_slots; i++) sim->current_keys[i] = SIZE_MAX;
    for (uint8_t i = 0; i < sim->n_nodes; i++) {
        sim_replica_init(sim, i);
        sim->replicas[i].blank = true;
        sim->replicas[i].present = i < sim->config.n_replicas;
        if (!sim->replicas[i].present) continue;
        sim_at(sim, prng_below(&sim->prng, 100 * SIM_MS),
               (struct sim_event){.kind = SIM_START, .node = i});
    }
    for (uint8_t i = 0; i < o->clients; i++) sim_client_begin(sim, i);
    sim_faults_begin(sim);
    sim_copies_begin(sim);
    sim_changes_begin(sim);
    sim_at(sim, o->ticks * SIM_MS, (struct sim_event){.kind = SIM_PHASE});
}

static uint64_t patience_us(const struct sim *sim)
{
    return sim->config.view_change_ms * SIM_MS;
}

static const struct vr *core_of_member(const struct sim *sim, uint8_t i)
{
    bool counts = !((sim->dead >> i) & 1) && check_is_member(sim, i) && sim->replicas[i].up;
    return counts ? check_core(sim->replicas[i].node) : NULL;
}

/* Something may be due all the time, and more than a group can do, so that it is never done with
 * all.  But it goes on: when is the latest time that it executed a tick, and what had it logged a
 * while ago? */
static void note_activity(struct sim *sim)
{
    uint64_t ticks = 0, op = 0;
    for (uint8_t i = 0; i < sim->n_nodes; i++) {
        const struct vr *core = core_of_member(sim, i);
        if (core == NULL) continue;
        ticks += core->stats.ticks;
        if (core->log.op > op) op = core->log.op;
    }
    if (ticks != sim->ticks) sim->ticked_at = sim->now;
    sim->ticks = ticks;
    if (sim->now < sim->noted_at + patience_us(sim)) return;
    sim->noted_at = sim->now;
    sim->former_op = sim->noted_op;
    sim->noted_op = op;
}

/* Should this one have executed a tick long ago?  Its entry waits for a write that is under way,
 * and for its own. */
static bool is_overdue(const struct sim *sim, const struct vr *core)
{
    uint64_t long_us = patience_us(sim);
    if (sim->options.disk) long_us += 2 * (sim->options.disk_us + sim->options.disk_spread_us);
    bool acts = vr_is_primary(core) && core->app->due != NULL && core->log.op > 0 &&
                !core->tick_failed;
    uint64_t due = acts ? core->app->due(&core->app_pages) : VSTAMP_NEVER;
    return due != VSTAMP_NEVER && due + long_us < vr_time(core) &&
           sim->ticked_at + long_us < sim->now;
}

static void check_overdue(struct sim *sim)
{
    for (uint8_t i = 0; i < sim->n_nodes; i++) {
        const struct vr *core = core_of_member(sim, i);
        if (core != NULL && is_overdue(sim, core))
            sim_fail(sim, "primary %u does not do what is due", i);
    }
}

/* Is one of those who were replaced here, and has not ended (former.c)?  It must if enough active
 * members live (E8).  Who has lost its memory knows of no group, and one that came again, and was
 * not taken, waits as a learner. */
static bool anybody_lingers(const struct sim *sim, char *why, size_t size)
{
    uint32_t n_alive = (uint32_t)__builtin_popcount(check_active(sim) & ~sim->dead);
    if (n_alive < sim_members(sim) / 2 + 1) return false;
    for (uint8_t i = 0; i < sim->n_nodes; i++) {
        const struct sim_replica *r = &sim->replicas[i];
        if (!r->up || ((sim->dead >> i) & 1) || check_is_member(sim, i)) continue;
        const struct vr *core = check_core(r->node);
        if (core->config.self == NOT_A_MEMBER && !core->replaced) continue;
        if (!core->has_hard_state || !vstamp_id_equal(core->group, sim->check.group)) continue;
        snprintf(why, size, "replica %u was replaced, and does not end", i);
        return true;
    }
    return false;
}

/* Is there nothing left to do but what is always due?  All clients rest, and the core agrees on
 * everything that is not just on its way. */
static bool at_rest(const struct sim *sim, char *why, size_t size)
{
    const struct vr *first = NULL;
    for (uint32_t i = 0; i < sim->options.clients; i++)
        if (sim->clients[i].state != SIM_CLIENT_IDLE) {
            snprintf(why, size, "client %u waits for an answer", i);
            return false;
        }
    for (uint8_t i = 0; i < sim->n_nodes; i++) {
        if (((sim->dead >> i) & 1) || !check_is_member(sim, i)) continue;
        const struct vr *core = sim->replicas[i].up ? check_core(sim->replicas[i].node) : NULL;
        if (core == NULL || core->status != VR_NORMAL) {
            snprintf(why, size, "replica %u is not normal", i);
            return false;
        }
        if (sim->replicas[i].rotten != 0) {
            snprintf(why, size, "replica %u leaves segment %" PRIu64 " damaged", i,
                     sim->replicas[i].rotten);
            return false;
        }
        if (sim->dead == 0 && vr_witness_is_exposed(core)) {
            snprintf(why, size, "witness %u stays exposed", i);
            return false;
        }
        if (is_overdue(sim, core)) {
            snprintf(why, size, "replica %u does not do what is due", i);
            return false;
        }
        if (first == NULL) first = core;
        if (core->membership.n_former != first->membership.n_former) {
            snprintf(why, size, "replica %u looks for others than the first member does", i);
            return false;
        }
        if (core->epoch != sim->check.epoch || core->proposal.pending) {
            snprintf(why, size, "replica %u is on its way from epoch %u", i, core->epoch);
            return false;
        }
        if (core->view != first->view || core->applied < sim->former_op) {
            snprintf(why, size, "replica %u lags: view=%" PRIu64 " op=%" PRIu64 " applied=%" PRIu64,
                     i, core->view, core->log.op, core->applied);
            return false;
        }
    }
    if (anybody_lingers(sim, why, size)) return false;
    if (first != NULL && !sim_version_is_risen(sim, first)) {
        snprintf(why, size, "all have been upgraded, but the group stays in version %u",
                 vr_version(first));
        return false;
    }
    return true;
}

/* Of those that are well; one that hears nobody may go through views alone. */
static uint64_t core_view(const struct sim *sim)
{
    uint64_t view = 0;
    for (uint8_t i = 0; i < sim->n_nodes; i++) {
        if (((sim->dead >> i) & 1) || !check_is_member(sim, i)) continue;
        const struct vr *core = check_core(sim->replicas[i].node);
        if (core->view > view) view = core->view;
    }
    return view;
}

static void settle_anew(struct sim *sim)
{
    sim->settled_at = sim->now + SETTLE_PATIENCES * patience_us(sim);
}

/* A group does not wait for the disk of its primary while a quorum of others is well: before the
 * last client reads it registers, and that must commit.  Once the log is full another leads (N5),
 * which is soon if the application always has something to do. */
static void stick_primary(struct sim *sim)
{
    if (!sim->config.durable || sim->dead != 0 || sim_members(sim) < 3) return;
    if (sim->ticked_at + SETTLE_PATIENCES * patience_us(sim) > sim->now) return;
    for (uint8_t i = 0; i < sim->n_nodes; i++) {
        if (check_is_member(sim, i) && vr_is_primary(check_core(sim->replicas[i].node)))
            sim->stuck = UINT32_C(1) << i;
    }
    sim_trace(sim, "the primary's disk does nothing any more");
}

static void next_phase(struct sim *sim, enum sim_phase phase, uint64_t bound_us)
{
    sim->phase = phase;
    sim->phase_ends = sim->now + bound_us;
}

/* Whose state is wrong, and is to be found by what it executes.  One that fetches pages executes
 * nothing until it has them all, which may take until the clients rest (F4). */
static bool any_flipped(const struct sim *sim)
{
    for (uint8_t i = 0; i < sim->n_nodes; i++) {
        const struct sim_replica *r = &sim->replicas[i];
        bool hears = ((check_active(sim) & ~sim->dead) >> i) & 1;
        bool fetches = r->up && check_core(r->node)->pages.fetching;
        if (r->flipped && hears && !fetches) return true;
    }
    return false;
}

static const char *phase_word(enum sim_phase phase)
{
    return phase == SIM_PHASE_PROGRESS ? "answering a write"
           : phase == SIM_PHASE_REST   ? "coming to rest"
                                       : "reading all keys";
}

/* Is one whose state is wrong the only one that can bring the others up, since the witnesses have
 * forgotten meanwhile what they lack (W4)?  Nobody takes pages from it (flips.c).  But it serves as
 * long as it is not found, and has not lost that state. */
static bool is_wrong_alone(const struct sim *sim)
{
    bool serves = sim->clients[sim->options.clients].state == SIM_CLIENT_DONE;
    bool may_serve = sim->phase == SIM_PHASE_PROGRESS && !serves;
    for (uint8_t i = 0; i < sim->n_nodes; i++) {
        const struct sim_replica *r = &sim->replicas[i];
        bool is_wrong = r->lost_wrong || (r->was_flipped && !may_serve);
        if (is_wrong && check_is_member(sim, i) && !sim_bears_loss(sim, i)) return true;
    }
    return false;
}

/* The phase takes too long.  Of a group that lost more than it bears nothing is wanted. */
static void give_up(struct sim *sim, const char *why)
{
    if (!sim->options.beyond && !is_wrong_alone(sim)) {
        sim_fail(sim, "no progress in %s: %s", phase_word(sim->phase), why);
        return;
    }
    sim_trace(sim, "no progress, which is no failure here: %s", why);
    sim->phase = SIM_PHASE_OVER;
}

static void phase_event(struct sim *sim)
{
    struct sim_client *last = &sim->clients[sim->options.clients];
    const char *why = "the last client waits";
    sim_versions_upgrade(sim);
    note_activity(sim);
    switch (sim->phase) {
    case SIM_PHASE_FAULTS:
        sim_faults_end(sim);
        next_phase(sim, SIM_PHASE_PROGRESS, PROGRESS_BOUND_US);
        sim_client_begin(sim, (uint8_t)sim->options.clients);
        break;
    case SIM_PHASE_PROGRESS:
        if (last->state != SIM_CLIENT_DONE) break;
        why = "nobody has found a state that is wrong";
        if (any_flipped(sim) && check_can_tell(sim)) break; /* clients go on: more points */
        next_phase(sim, SIM_PHASE_REST, PROGRESS_BOUND_US);
        settle_anew(sim);
        break;
    case SIM_PHASE_REST:
        why = sim->unrest;
        if (!at_rest(sim, sim->unrest, sizeof sim->unrest) || sim->now < sim->latest_late_us) {
            settle_anew(sim);
            break;
        }
        if (sim->now < sim->settled_at) break;
        next_phase(sim, SIM_PHASE_READ, READ_BOUND_US);
        sim->view_at_rest = core_view(sim);
        stick_primary(sim);
        sim->calm_until = sim->now + CALM_PATIENCES * patience_us(sim);
        sim_client_begin(sim, (uint8_t)sim->options.clients);
        break;
    case SIM_PHASE_READ:
        if (core_view(sim) != sim->view_at_rest)
            sim_fail(sim, "views do not stay calm: %" PRIu64 ", then %" PRIu64, sim->view_at_rest,
                     core_view(sim));
        check_overdue(sim);
        if (last->state == SIM_CLIENT_DONE && sim->now > sim->calm_until)
            sim->phase = SIM_PHASE_OVER;
        break;
    case SIM_PHASE_OVER:
        break;
    }
    if (sim->phase != SIM_PHASE_OVER && sim->now > sim->phase_ends) give_up(sim, why);
    sim_at(sim, PHASE_TICK_US, (struct sim_event){.kind = SIM_PHASE});
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
        if (sim->replicas[event->node].up) sim_trace_frame(sim, event);
        sim_replica_event(sim, event);
        break;
    case SIM_REQUEST:
        if (sim->replicas[event->node].up) sim_trace_frame(sim, event);
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
        sim_trace_frame(sim, event);
        sim_net_event(sim, event);
        break;
    case SIM_CONNECTED:
    case SIM_BROKEN:
        sim_net_event(sim, event);
        break;
    case SIM_START:
        if (!sim->replicas[event->node].up && sim->replicas[event->node].present &&
            !((sim->dead >> event->node) & 1))
            sim_replica_start(sim, event->node);
        break;
    case SIM_HEAL:
        sim_heal(sim, event->value);
        break;
    case SIM_FAULT:
        sim_fault(sim, event);
        break;
    case SIM_PLOT:
        sim_plot_step(sim, event->value);
        break;
    case SIM_COPY:
        sim_copies_event(sim);
        break;
    case SIM_CHANGE:
        sim_changes_event(sim, event->value);
        break;
    case SIM_CLIENT:
        sim_client_wake(sim, event->node, event->value);
        break;
    case SIM_PHASE:
        phase_event(sim);
        break;
    }
}

/* What comes to a paused replica waits; the turn it was in goes on last. */
static bool postponed(struct sim *sim, struct sim_event *event)
{
    bool for_replica = event->kind <= SIM_LINK && event->kind != SIM_REPLY;
    if (!for_replica || !sim->replicas[event->node].up) return false;
    uint64_t until = sim->replicas[event->node].paused_until;
    if (until <= sim->now) return false;
    event->time = until + (event->kind == SIM_TURN_END);
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
        sim->stats.messages += event.packet != NULL;
        fold(sim, &event);
        handle(sim, &event);
        sim_packet_release(event.packet);
    }
    if (!sim->failed) check_history(sim);
    if (!sim->failed) sim_trails_agree(sim);
    sim->stats.commits = sim->check.highest_commit;
    sim->stats.expired = sim->model.n_expired;
    if (!sim->failed && sim->stats.commits == 0 && !sim->options.beyond)
        sim_fail(sim, "nothing was committed");
}

static void world_end(struct sim *sim)
{
    for (uint8_t i = 0; i < sim->n_nodes; i++) {
        struct sim_replica *r = &sim->replicas[i];
        if (r->up && !sim->failed) sim_replica_crash(sim, i, "the end");
        else if (r->up) sim_replica_release(r);
        for (uint32_t j = 0; sim->failed && j < r->backlog_count; j++)
            sim_packet_release(r->backlog[j].packet);
        disk_wipe(&r->disk);
        disk_wipe(&r->copy);
        replay_tape_close(&r->tape);
    }
    sim_queue_clear(&sim->queue);
    for (size_t i = 0; i < SIM_ARCHIVE; i++) sim_packet_release(sim->archive[i].packet);
    sim_workload_close(sim);
    sim_copies_close(sim);
    model_close(&sim->model);
    check_close(&sim->check);
}

static void live(void *ctx)
{
    world_begin(ctx);
    loop(ctx);
}

static const struct sim *running; /* for handlers of signals, which get no context */

uint64_t sim_progress(void)
{
    return running != NULL ? running->stats.events : 0;
}

/* No two machines show the same time, so that an application which looks is found out. */
bool sim_application_is_in(struct sim_place *place)
{
    for (uint8_t i = 0; running != NULL && i < running->n_nodes; i++) {
        const struct sim_replica *r = &running->replicas[i];
        if (!r->up || r->node == NULL) continue;
        place->function = node_application_is_in(r->node, &place->op);
        if (place->function == NULL) continue;
        place->application = check_core(r->node)->app->name;
        place->wall_us = SIM_WALL_START + running->now + i * CLOCKS_APART_US;
        return true;
    }
    return false;
}

void sim_run(uint64_t seed, const struct sim_setting *settings, size_t n_settings, FILE *lines,
             FILE *all, struct sim_result *result)
{
    struct sim *sim = calloc(1, sizeof *sim);
    assert(sim != NULL);
    sim->seed = seed;
    sim_trace_begin(sim, lines != NULL, all);
    prng_seed(&sim->prng, seed);
    sim_options_draw(&sim->prng, settings, n_settings, &sim->options);
    sim_options_config(&sim->options, &sim->config);
    *result = (struct sim_result){0};
    sim_options_describe(&sim->options, result->options, sizeof result->options);
    foreign_begin(sim);
    running = sim;
    sim_guarded(sim, live, sim);
    running = NULL;
    world_end(sim);
    foreign_end();
    sim_trace_end(sim, sim->failed ? lines : NULL);
    result->failed = sim->failed;
    result->hash = sim->hash;
    result->now = sim->now;
    result->stats = sim->stats;
    memcpy(result->marks, sim->marks, sizeof result->marks);
    memcpy(result->verdict, sim->verdict, sizeof result->verdict);
    free(sim);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* Somebody outside the group who copies its state over and over (lib/vr/copy.c), as vstamp-admin
 * backup does: now a question to this replica, now to that one, whatever happens to them meanwhile.
 * Each copy must hold what had been answered to anybody when it was begun, be made of what the
 * group committed, load, and be the state that the replicas had at its op-number.
 *
 * Its questions and their answers take no time and it draws its own numbers, so a run is the same
 * with it and without it. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/assert.h"
#include "kv/kv.h"
#include "sim/sim.h"
#include "vr/replica.h"

#define FILE_BEGIN (256u << 10)
#define REST      50u /* times the pause between questions, from copy to copy */
#define TURN_AWAY 8u  /* one question in so many goes to another replica than the one before */

static uint64_t random_below(struct sim *sim, uint64_t bound)
{
    return prng_below(&sim->copies.prng, (uint32_t)bound);
}

/* A copy is soon made, but takes time to check: there are pauses between them. */
static void next_question(struct sim *sim)
{
    uint64_t mean_us = sim->options.copy_us * (sim->copies.under_way ? 1 : REST);
    sim_at(sim, 1 + random_below(sim, 2 * mean_us),
           (struct sim_event){.kind = SIM_COPY});
}

void sim_copies_begin(struct sim *sim)
{
    struct sim_copies *s = &sim->copies;
    if (sim->options.copy_us == 0) return;
    prng_seed(&s->prng, sim->seed ^ UINT64_C(0xc0b1e5));
    s->hashes = calloc(sim->config.state_pages, sizeof *s->hashes);
    assert(s->hashes != NULL);
    next_question(sim);
}

void sim_copies_close(struct sim *sim)
{
    free(sim->copies.hashes);
    free(sim->copies.file.start);
}

static void begin_copy(struct sim *sim)
{
    struct sim_copies *s = &sim->copies;
    memset(s->hashes, 0, sim->config.state_pages * sizeof *s->hashes);
    copier_init(&s->copier, sim->highest_seen, sim->now, "sim", s->hashes,
                sim->config.state_pages);
    s->copier.head.group = sim->check.group;
    s->file.size = 0;
    s->under_way = true;
}

/* Room for the records that the next answer brings. */
static void make_room(struct writer *file, size_t size)
{
    size_t need = file->size + COPIER_RECORDS_MAX(size);
    if (need <= file->capacity) return;
    size_t capacity = file->capacity == 0 ? FILE_BEGIN : file->capacity;
    while (capacity < need) capacity *= 2;
    uint8_t *grown = realloc(file->start, capacity);
    assert(grown != NULL);
    *file = (struct writer){.start = grown, .capacity = capacity, .size = file->size, .ok = true};
}

static void check_copy(struct sim *sim)
{
    struct sim_copies *s = &sim->copies;
    struct copy copy;
    struct vstamp_diag diag = {0};
    void *memory = NULL;
    const struct vstamp_app *app = sim_app(sim);
    int rv = copy_open(&copy, (struct bytes){s->file.start, s->file.size}, &diag);
    size_t size = rv == 0 ? copy_memory(&copy) : 0;
    if (rv == 0) {
        memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        assert(memory != MAP_FAILED);
        struct vstamp_limits limits = copy_limits(&copy);
        if (app->open != NULL) rv = app->open(NULL, &limits, &copy.instance, &diag);
        if (rv == 0) rv = copy_load(&copy, memory, size, app, &diag);
    }
    sim->stats.copies++;
    if (rv == VSTAMP_E_VERSION && sim->options.upgrade_us != 0) {
        sim_trace(sim, "a copy is not looked at: %s", diag.text);
    } else if (rv != 0) {
        sim_fail(sim, "a copy cannot be restored: %s", diag.text);
    } else if (copy.op < s->copier.target) {
        sim_fail(sim, "a copy ends at op=%" PRIu64 ", but op=%" PRIu64 " had been answered",
                 copy.op, s->copier.target);
    } else {
        check_copied(sim, log_last(&copy.vr->log), pages_digest(&copy.vr->pages));
    }
    if (memory != NULL) munmap(memory, size);
    if (copy.instance != NULL) app->close(copy.instance);
}

void sim_copies_answer(struct sim *sim, struct bytes frame)
{
    struct sim_copies *s = &sim->copies;
    struct vstamp_diag diag = {0};
    bool answered;
    make_room(&s->file, frame.size);
    uint32_t restarts = s->copier.n_restarts;
    int rv = copier_on_frame(&s->copier, frame, &s->file, &answered, &diag);
    sim->stats.copy_restarts += s->copier.n_restarts - restarts;
    if (rv == VSTAMP_E_NOT_RUN || rv == VSTAMP_E_OTHER_GROUP) {
        s->source = (uint8_t)random_below(sim, sim->n_nodes);
    } else if (rv != 0) {
        sim_fail(sim, "replica %u is asked for a copy and %s", s->source, diag.text);
    } else if (!answered) {
        sim_fail(sim, "replica %u answers what it was not asked", s->source);
    }
    if (s->copier.phase != COPIER_COMPLETE) return;
    s->under_way = false;
    check_copy(sim);
}

static void ask(struct sim *sim)
{
    struct sim_copies *s = &sim->copies;
    uint8_t frame[COPIER_FRAME_MAX];
    if (random_below(sim, TURN_AWAY) == 0)
        s->source = (uint8_t)random_below(sim, sim->n_nodes);
    const struct sim_replica *r = &sim->replicas[s->source];
    if (!r->up || r->paused_until > sim->now) {
        s->source = (uint8_t)random_below(sim, sim->n_nodes);
        return;
    }
    size_t size = copier_ask(&s->copier, frame);
    if (node_on_client_frame(r->node, SIM_COPIER_ORIGIN, (struct bytes){frame, size}) != 0)
        sim_fail(sim, "replica %u does not understand a copier", s->source);
}

void sim_copies_event(struct sim *sim)
{
    struct sim_copies *s = &sim->copies;
    if (sim->phase >= SIM_PHASE_REST) return;
    if (!s->under_way && sim->highest_seen > 0) begin_copy(sim);
    if (s->under_way) ask(sim);
    next_question(sim);
}

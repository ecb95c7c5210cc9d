/* SPDX-License-Identifier: BSD-2-Clause */
/* What the replicas execute: the store, the store with memory of its own, or somebody's
 * (foreign.h).  Of the store all executions are told to the model, where the run has one. */
#include "sim/sim.h"

#include <inttypes.h>

#include "kv/kv.h"
#include "kv/store.h"
#include "sim/foreign.h"
#include "sim/remembering.h"

#define CELLS_A_TURN 256u

static enum vstamp_audit audit(const struct vstamp_pages *pages, uint32_t n_used, void *memory)
{
    return kv_store_audit(pages, n_used, memory, CELLS_A_TURN);
}

/* Whose run this is, as an application is told of pages only; and the store that executes. */
static struct sim *running;
static struct vstamp_app store;

/* Who executes; NULL: a recording that is lived again. */
static struct sim_replica *executor(const struct vstamp_pages *pages)
{
    uintptr_t at = (uintptr_t)pages;
    for (uint8_t i = 0; i < running->n_nodes; i++) {
        struct sim_replica *r = &running->replicas[i];
        uintptr_t begin = (uintptr_t)r->memory;
        if (r->up && at >= begin && at < begin + r->memory_size) return r;
    }
    return NULL;
}

/* The same where it matters who that is, else NULL. */
static struct sim_replica *observed(const struct vstamp_pages *pages)
{
    const struct sim_options *o = &running->options;
    return o->modelled_permille != 0 || o->illness_us != 0 ? executor(pages) : NULL;
}

static bool cannot_execute(struct vstamp_pages *pages, const struct sim_replica *r,
                           const struct vstamp_context *context)
{
    bool ill = r != NULL && sim_is_ill(r) && !running->quiet;
    if (!sim_is_poison(running, context) && !ill) return false;
    if (running->options.own_memory != 0) remembering_void(pages);
    return true;
}

static void apply(struct vstamp_pages *pages, const struct vstamp_context *context,
                  const uint8_t *operation, size_t size, struct vstamp_answer *answer)
{
    struct sim_replica *r = observed(pages);
    if (cannot_execute(pages, r, context)) {
        answer->not_executed = true;
        return;
    }
    store.apply(pages, context, operation, size, answer);
    if (r == NULL || running->options.modelled_permille == 0) return;
    const char *wrong = model_applied(&running->model, &r->place, context,
                                      (struct bytes){operation, size},
                                      (struct bytes){answer->data, answer->size});
    if (wrong != NULL)
        sim_fail(running, "replica %u, op=%" PRIu64 ": %s", r->index, context->op_number, wrong);
}

static int tick(struct vstamp_pages *pages, const struct vstamp_context *context,
                struct vstamp_diag *why)
{
    struct sim_replica *r = observed(pages);
    if (cannot_execute(pages, r, context)) return VSTAMP_E_IO;
    store.tick(pages, context, why);
    if (r != NULL && running->options.modelled_permille != 0)
        model_ticked(&running->model, &r->place, context);
    return 0;
}

/* The store, but to look through a few pages takes some turns, as that of many does elsewhere. */
const struct vstamp_app *sim_app(struct sim *sim)
{
    static struct vstamp_app app;
    if (foreign_in_use()) return foreign_app();
    running = sim;
    if (sim->options.own_memory != 0) {
        remembering_store(&store, sim->options.own_memory == 2);
    } else {
        store = *kv_app();
        store.audit = audit;
    }
    app = store;
    app.apply = apply;
    app.tick = tick;
    return &app;
}

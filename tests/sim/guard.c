/* SPDX-License-Identifier: BSD-2-Clause */
/* An assertion of the core ends a run, not the program.  Guards nest: a run may live a recording
 * again. */
#include <setjmp.h>

#include "base/assert.h"
#include "sim/sim.h"

struct guard {
    struct sim *sim;
    jmp_buf exit;
};
static struct guard *innermost;

static void on_assert(const char *condition, const char *file, int line, const char *function)
{
    struct guard *guard = innermost;
    if (guard == NULL) return;
    innermost = NULL;
    sim_fail(guard->sim, "assertion failed: %s at %s:%d in %s", condition, file, line, function);
    longjmp(guard->exit, 1);
}

void sim_guarded(struct sim *sim, void (*body)(void *ctx), void *ctx)
{
    struct guard guard = {.sim = sim}, *outer = innermost;
    base_assert_hook before = base_assert_set_hook(on_assert);
    innermost = &guard;
    if (setjmp(guard.exit) == 0) body(ctx);
    innermost = outer;
    base_assert_set_hook(before);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* What happens though nobody asks (paper section 4.4): the time that the group agrees on goes on
 * without requests.
 *
 *   app->due(pages)   says when there is something to do
 *   the primary       logs a tick once the next entry's timestamp would be that late
 *   app->tick(...)    does it, at every replica, by the entry's timestamp
 *
 * A tick is an operation of nobody's in an entry like all others, and shares it with what waits
 * there.  So its time is agreed on and rises, it survives what entries survive, and a replica that
 * fetches the log or the pages gets there, too.
 *
 *   U1  only a primary logs one, and when it has executed all that its view began with: what a
 *       former primary has logged is in its pages then;
 *   U2  one at a time: while one is on its way the pages do not say yet what it does;
 *   U3  the next one comes TICK_US later at the earliest, even if the application always has
 *       something to do;
 *   U4  what is due is judged by the time that the entry will have, and by that alone when it is
 *       executed.  A clock that is set back meanwhile makes a tick that finds nothing to do;
 *   U5  the first entry is a client's.  New members of another group wait for it as a group of
 *       their own, which may be given up as long as nobody has used it (reconfiguration.c);
 *   U6  a tick that the application cannot execute is passed over as an operation is
 *       (pass_over.c), and nobody is told.  It stays due, so the next one comes after an operation
 *       was executed, which may have changed that.  This is not in the pages: a primary that does
 *       not know of it logs one more, and that is passed over, too.
 *
 * clock.c says what time it is. */
#include "vr/rooms.h"

bool vr_tick(struct vr *r, const struct wire_entry_header *header, bool is_passed_over)
{
    struct vstamp_context context = {
        .op_number = header->op,
        .timestamp_us = header->timestamp,
        .limits = vr_limits_in(r, header->version)};
    struct vstamp_diag why = {0};
    int rv = 0;
    r->ticking = false;
    if (!is_passed_over && r->app->tick != NULL) {
        vr_app_enter(r, "tick", header->op);
        rv = r->app->tick(&r->app_pages, &context, &why);
        if (vr_app_has_failed(r)) return true;
        if (rv == 0) vr_app_has_run(r);
    }
    if (rv != 0 && !r->settles_alone) {
        vr_get_stuck(r, header->op, (struct vstamp_id){0}, bytes_of(why.text));
        return false;
    }
    r->tick_failed = is_passed_over || rv != 0; /* U6 */
    if (r->tick_failed) vr_get_past(r, header->op, (struct vstamp_id){0});
    else r->stats.ticks++;
    return true;
}

/* May this primary log one now (U2, U5, U6)? */
static bool may_tick(const struct vr *r)
{
    return r->log.op > 0 && !r->suspects && !r->ticking && !r->tick_failed &&
           vr_time_is_known(r) && !vr_is_stuck(r) && !vr_view_is_over(r) && !vr_proposal_closes(r);
}

/* VSTAMP_NEVER: nothing is, or not for us (U1).  Most often nothing is, which is known soonest. */
static uint64_t due_us(struct vr *r)
{
    if (r->app->due == NULL || !vr_is_primary(r) || r->applied < r->view_start_op)
        return VSTAMP_NEVER;
    vr_app_enter(r, "due", r->applied);
    uint64_t due = r->app->due(&r->app_pages);
    if (!vr_app_leave(r)) return VSTAMP_NEVER;
    return due != VSTAMP_NEVER && may_tick(r) ? due : VSTAMP_NEVER;
}

/* Each turn that may have changed what is due ends here, and there is one with each heartbeat: what
 * is further away needs no timer, and a wall clock that was set is noticed. */
void vr_tick_arm(struct vr *r)
{
    uint64_t due = due_us(r);
    uint64_t time = due != VSTAMP_NEVER ? vr_next_timestamp(r) : 0;
    uint64_t wait_us = due > time ? due - time : 0;
    uint64_t rest_us = r->tick_us > r->now_us ? r->tick_us - r->now_us : 0; /* U3 */
    if (wait_us < rest_us) wait_us = rest_us;
    if (due != VSTAMP_NEVER && wait_us < r->config.heartbeat_ms * UINT64_C(1000))
        vr_timer_set(r, VR_TIMER_TICK, wait_us);
    else
        vr_timer_off(r, VR_TIMER_TICK);
}

void vr_tick_due(struct vr *r)
{
    if (due_us(r) > vr_next_timestamp(r)) return;
    r->tick_us = r->now_us + TICK_US; /* U3 */
    r->ticking = vr_batch_tick(r);
}

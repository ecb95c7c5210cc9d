/* SPDX-License-Identifier: BSD-2-Clause */
/* Planned hand-overs of the primary.  No time-out passes: the primary begins the next view itself,
 * and its DO-VIEW-CHANGE invites the others (section 4.2).
 *
 *   a stop      the primary leaves its view to the next replica that it hears
 *   HAND-OVER   a request of an administrator, which names the view that is to end, and may name
 *               who is to lead then
 *
 *   O1  a view that is over, or that the named one leads, needs nothing: a request may come twice,
 *       or late, and moves the primary once;
 *   O2  who is to lead is an active replica that was heard within view_change_ms, over a connection
 *       that has not broken since, and is not further behind than what its own promise can show
 *       (PIPELINE_MAX entries), else the group would wait for it.  What it lacks of those it
 *       fetches as any new primary does;
 *   O3  the answer goes out when a view has begun here: its header says which.  A primary that
 *       crashes meanwhile answers nothing, and O1 lets the request be made again elsewhere. */
#include <stdio.h>

#include "vr/rooms.h"

#define ANYBODY 0xffu /* the next one that is alive */

static bool is_silent(const struct vr *r, uint8_t replica)
{
    return r->now_us - r->heard_us[replica] > vr_patience_us(r);
}

static bool is_cut_off(const struct vr *r, uint8_t replica)
{
    return (r->cut_off >> replica) & 1;
}

/* The next view that `target` leads or, with ANYBODY, any other replica that is heard; 0: there is
 * none. */
static uint64_t next_view(struct vr *r, uint8_t target)
{
    for (uint64_t v = r->view + 1; v <= r->view + r->config.n_replicas; v++) {
        uint8_t primary = vr_primary_of(r, v);
        if (primary == r->config.self || (target != ANYBODY && primary != target)) continue;
        if (!is_silent(r, primary) && !is_cut_off(r, primary)) return v;
        vr_mark(r, VR_MARK_hand_over_skips_silent, "replica=%u", primary);
    }
    return 0;
}

static void begin(struct vr *r, uint64_t view)
{
    vr_mark(r, VR_MARK_hand_over, "view=%" PRIu64, view);
    vr_enter_view(r, view, "planned hand-over");
}

void vr_hand_over_to_stop(struct vr *r)
{
    if (!vr_is_primary(r) || r->config.n_replicas == 1) return;
    uint64_t view = next_view(r, ANYBODY);
    begin(r, view != 0 ? view : r->view + 1);
}

/* Why `target` is not to lead (O2), in words; NULL: it may. */
static const char *refuse(struct vr *r, uint8_t target, char *text, size_t size)
{
    if (target == ANYBODY) {
        snprintf(text, size, "no other replica that could lead was heard within %u ms",
                 r->config.view_change_ms);
        return next_view(r, target) == 0 ? text : NULL;
    }
    if (target >= r->config.n_replicas) {
        snprintf(text, size, "there is no replica %u: the group has replicas 0 to %u", target,
                 r->config.n_replicas - 1u);
    } else if (!vr_is_active(r, target)) {
        snprintf(text, size, "replica %u is a witness: it holds no state and cannot lead", target);
    } else if (is_cut_off(r, target)) {
        snprintf(text, size, "replica %u is down, or cut off: the connection to it broke", target);
    } else if (is_silent(r, target)) {
        snprintf(text, size, "replica %u is silent: it was not heard for %u ms and more", target,
                 r->config.view_change_ms);
    } else if (r->acked_op[target] + PIPELINE_MAX < r->log.op) {
        snprintf(text, size, "replica %u is behind: it holds op %" PRIu64 " of %" PRIu64, target,
                 r->acked_op[target], r->log.op);
    } else {
        return NULL;
    }
    return text;
}

bool vr_hand_over_to(struct vr *r, uint8_t target)
{
    char text[128];
    if (refuse(r, target, text, sizeof text) != NULL) return false;
    begin(r, next_view(r, target));
    return true;
}

void vr_hand_over_on_request(struct vr *r, const struct vr_asker *asker,
                             const struct wire_request *m)
{
    char text[128];
    uint8_t target = m->body.size == 1 ? m->body.data[0] : ANYBODY;
    if (m->token < r->view || target == r->config.self) { /* O1 */
        vr_mark(r, VR_MARK_hand_over_done_already, "view=%" PRIu64, m->token);
        vr_reply(r, asker, r->commit, (struct bytes){0});
        return;
    }
    const char *why = m->body.size > 1 ? "a hand-over names one replica" : NULL;
    if (why == NULL) why = refuse(r, target, text, sizeof text);
    if (why != NULL) {
        vr_mark(r, VR_MARK_hand_over_refused, "target=%u", target);
        vr_reject(r, asker, WIRE_REJECT_INVALID, why);
        return;
    }
    r->hand_over = *asker;
    begin(r, next_view(r, target));
}

/* O3 */
void vr_hand_over_settle(struct vr *r)
{
    if (r->hand_over.origin == 0 || r->status != VR_NORMAL) return;
    vr_reply(r, &r->hand_over, r->commit, (struct bytes){0});
    r->hand_over = (struct vr_asker){0};
}

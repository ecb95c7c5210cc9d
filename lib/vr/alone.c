/* SPDX-License-Identifier: BSD-2-Clause */
/* Who waits to be let in, and hears of nobody.  It may be back before the others; or its group has
 * other members now, none of which it knows, and which no longer look for it (former.c, Z1).  It
 * cannot tell one from the other, so it waits, takes part in nothing, and says so at intervals. */
#include "vr/rooms.h"

#define SECOND_US    UINT64_C(1000000)
#define ALONE_US     (60 * SECOND_US)   /* silence after which it says so */
#define PAUSE_US_MAX (3600 * SECOND_US) /* between two times, at most; at first it is ALONE_US */

static uint64_t silence_us(const struct vr *r)
{
    uint64_t heard_us = r->started_us;
    for (uint8_t i = 0; i < r->config.n_replicas; i++)
        if (r->last_heard_us[i] > heard_us) heard_us = r->last_heard_us[i];
    return r->now_us - heard_us;
}

bool vr_is_alone(const struct vr *r)
{
    return r->restarting && silence_us(r) >= ALONE_US;
}

void vr_alone_due(struct vr *r)
{
    char why[VR_OVER_SIZE];
    if (!vr_is_alone(r)) {
        r->alone_pause_us = ALONE_US;
        r->alone_again_us = 0;
    } else if (r->now_us >= r->alone_again_us) {
        vr_log(r, LOG_LEVEL_WARN, "nobody-answers", "why=\"%s\"",
               vr_waiting_for(r, why, sizeof why));
        r->alone_again_us = r->now_us + r->alone_pause_us;
        r->alone_pause_us *= 2;
        if (r->alone_pause_us > PAUSE_US_MAX) r->alone_pause_us = PAUSE_US_MAX;
    }
}

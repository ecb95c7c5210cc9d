/* SPDX-License-Identifier: BSD-2-Clause */
/* Somebody who moves the primary about, as vstamp-admin view-change does (lib/vr/hand_over.c): now
 * to whom he names, now to the next one, with requests that come twice, late, or to a replica that
 * does not lead.  None may move a primary that its view does not name, and an answer says that the
 * view is over or that the right one leads. */
#include <inttypes.h>

#include "base/assert.h"
#include "sim/sim.h"
#include "vr/witness.h"

#define ORIGIN (UINT64_MAX - 2)
#define ANYBODY 0xffu
#define EPOCH_SHIFT 40 /* of the epoch, in the numbers of its requests */

static uint8_t believed_primary(struct sim *sim)
{
    uint8_t n = sim->n_nodes, from = (uint8_t)prng_below(&sim->prng, n);
    for (uint8_t i = 0; i < n; i++) {
        const struct sim_replica *r = &sim->replicas[(from + i) % n];
        if (r->up && vr_is_primary(check_core(r->node))) return r->index;
    }
    return from;
}

static void send(struct sim *sim, uint8_t replica, const struct wire_request *request)
{
    uint8_t frame[256];
    struct wire_header header = {.sender = WIRE_SENDER_CLIENT,
                                 .epoch = (uint32_t)(request->number >> EPOCH_SHIFT)};
    size_t size =
        wire_frame_encode(&header, &wire_shape_request, request, frame, sizeof frame);
    assert(size > 0);
    sim_at(sim, sim_around(sim, sim->options.delay_us + sim->options.delay_spread_us),
           (struct sim_event){.kind = SIM_REQUEST, .node = replica, .value = ORIGIN,
                              .packet = sim_packet_new(frame, size)});
}

void sim_operator_hand_over(struct sim *sim)
{
    uint8_t replica = believed_primary(sim);
    if (!sim->replicas[replica].up) return;
    uint8_t n = check_core(sim->replicas[replica].node)->config.n_replicas;
    uint8_t target = (uint8_t)prng_below(&sim->prng, n);
    bool named = prng_chance(&sim->prng, 3, 4);
    struct wire_request request = {
        .client = {1, 1},
        .token = check_core(sim->replicas[replica].node)->view,
        .kind = WIRE_KIND_HAND_OVER,
        .body = {&target, named ? 1 : 0}};
    request.number = request.token << 8 | (named ? target : ANYBODY);
    request.number |=
        (uint64_t)check_core(sim->replicas[replica].node)->epoch << EPOCH_SHIFT;
    sim_trace(sim, "operator: asks %u to hand over view=%" PRIu64 " to=%u", replica, request.token,
              named ? target : ANYBODY);
    send(sim, replica, &request);
    if (prng_chance(&sim->prng, 1, 3)) send(sim, replica, &request);
}

bool sim_is_operator(uint64_t origin)
{
    return origin == ORIGIN;
}

void sim_operator_answer(struct sim *sim, uint8_t replica, struct bytes frame)
{
    struct wire_message m;
    if (wire_frame_decode(frame, &m) != 0) sim_fail(sim, "the operator's answer cannot be read");
    if (m.header.command != WIRE_reply) return;
    uint64_t view = m.as.reply.number << (64 - EPOCH_SHIFT) >> (64 - EPOCH_SHIFT + 8);
    uint8_t target = (uint8_t)m.as.reply.number;
    if (m.header.epoch != m.as.reply.number >> EPOCH_SHIFT) return;
    const struct vr_config *c = &check_core(sim->replicas[replica].node)->config;
    uint8_t primary = vr_primary_among(c->n_replicas, c->witnesses, view);
    sim->stats.hand_overs++;
    if (m.header.view <= view && primary != target)
        sim_fail(sim, "replica %u says that it handed view %" PRIu64 " over, in view %" PRIu64,
                 replica, view, m.header.view);
}

void sim_operator_fed(struct sim *sim, uint8_t replica, uint64_t view_before, struct bytes frame)
{
    struct wire_message m;
    int rv = wire_frame_decode(frame, &m);
    assert(rv == 0);
    if (m.as.request.token == view_before) return;
    if (check_core(sim->replicas[replica].node)->view != view_before)
        sim_fail(sim, "replica %u handed view %" PRIu64 " over, asked for view %" PRIu64, replica,
                 view_before, m.as.request.token);
}

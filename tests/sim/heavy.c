/* SPDX-License-Identifier: BSD-2-Clause */
/* A large request is carried to a replica once in a view, as long as the connection that took it
 * stands and nobody has sent it back; and after the first round to the believed primary alone (C9,
 * lib/vr/session.c).  What is large is drawn.  One that was refused by its form leaves its number
 * to the next one, which may be equal. */
#include <inttypes.h>

#include "base/assert.h"
#include "sim/sim.h"

void sim_heavy_sent(struct sim *sim, struct sim_client *client, uint8_t number,
                    struct bytes frame)
{
    const struct session *s = &client->session;
    struct sim_connection *c = &client->connections[client->nodes[number]];
    struct wire_message m;
    int rv = wire_frame_decode(frame, &m);
    assert(rv == 0);
    const struct wire_request *request = &m.as.request;
    struct sim_carried now = {.stands = true,
                              .client = request->client,
                              .session = request->session,
                              .number = request->number,
                              .started_ms = s->started_ms,
                              .request = s->request_checksum,
                              .view = m.header.view,
                              .generation = c->generation};
    if (request->body.size <= sim->options.heavy_bytes) return;
    sim->stats.heavy++;
    if (s->round > 0 && number != session_primary(s))
        sim_fail(sim, "client %u carries a large request to replica %u, which it does not believe "
                 "to be the primary", client->index, client->nodes[number]);
    const struct sim_carried *before = &c->carried;
    if (before->stands && vstamp_id_equal(before->client, now.client) &&
        before->session == now.session && before->number == now.number &&
        before->request == now.request && before->view == now.view &&
        before->generation == now.generation && before->started_ms == now.started_ms)
        sim_fail(sim, "client %u carries a large request to replica %u twice in view %" PRIu64,
                 client->index, client->nodes[number], now.view);
    c->carried = now;
}

void sim_heavy_answered(struct sim_client *client, uint8_t replica, struct bytes frame)
{
    struct wire_message m;
    if (wire_frame_decode(frame, &m) == 0 && m.header.command == WIRE_reject)
        client->connections[replica].carried.stands = false;
}

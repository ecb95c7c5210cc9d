/* SPDX-License-Identifier: BSD-2-Clause */
/* Whom clients know.  A session has numbers for replicas; which replica has which number is its
 * host's affair, here: at first as its user says, then as the group tells. */
#include <inttypes.h>

#include "base/assert.h"
#include "sim/sim.h"

uint8_t sim_client_number(const struct sim_client *client, uint8_t replica)
{
    uint8_t number = 0;
    while (number < client->n_nodes && client->nodes[number] != replica) number++;
    return number;
}

/* Some clients know nobody else as long as one of those that they know is up, be it that it was
 * replaced and only lingers: it must tell them where the group is (E8). */
static bool is_left_to_those(struct sim *sim, const struct sim_client *client)
{
    if (sim->check.epoch == 0 || sim_is_last(sim, client)) return false;
    if (prng_chance(&sim->changes.prng, 1, 2)) return false;
    for (uint8_t i = 0; i < client->n_nodes; i++)
        if (sim->replicas[client->nodes[i]].up) return true;
    return false;
}

void sim_know_others(struct sim *sim, struct sim_client *client)
{
    client->n_nodes = client->session.n_replicas;
    session_know_others(&client->session, 0);
    if (sim->options.change_us == 0) return;
    if (vstamp_id_is_zero(client->session.identity.group)) /* else it may ask some other group */
        client->session.identity.group = sim->check.group;
    if (is_left_to_those(sim, client) || (client->knows_few && sim_is_last(sim, client))) return;
    for (uint8_t i = 0; i < sim->n_nodes; i++)
        if (check_is_member(sim, i) && sim_client_number(client, i) == client->n_nodes)
            client->nodes[client->n_nodes++] = i;
    session_know_others(&client->session,
                        (uint8_t)(client->n_nodes - client->session.n_replicas));
}

/* Are these those of their epoch? */
static void check_members(struct sim *sim, const struct sim_client *client,
                          const struct vr_membership *members)
{
    const struct check_epoch *e = &sim->check.epochs[members->epoch];
    bool first = members->epoch == 0;
    bool same = (first || e->known) && members->n == (first ? sim->config.n_replicas : e->n);
    for (uint8_t i = 0; i < members->n && same; i++)
        same = client->nodes[i] == (first ? i : e->order[i]);
    if (!same)
        sim_fail(sim, "client %u is told of members that epoch %u does not have", client->index,
                 members->epoch);
}

void sim_follow(struct sim *sim, struct sim_client *client, struct bytes frame)
{
    struct wire_message m;
    struct vr_membership members;
    int rv = wire_frame_decode(frame, &m);
    bool sound = rv == 0 && vr_membership_read(&members, &m.as.new_epoch.membership);
    assert(sound);
    for (uint8_t i = 0; i < sim->n_nodes; i++) {
        client->connections[i].up = client->connections[i].coming = false;
        client->connections[i].generation++;
    }
    for (uint8_t i = 0; i < members.n; i++)
        client->nodes[i] = sim_node_of(members.members[i].address);
    check_members(sim, client, &members);
    client->knows_few = false;
    sim_know_others(sim, client);
}

/* The last client is one of them at the end: then all members that are not dead take part, and it
 * must be answered.  Before that it might have to wait for one that is away. */
static bool draw_few(struct sim *sim, const struct sim_client *client)
{
    if (sim->options.few_permille == 0) return false;
    if (sim_is_last(sim, client)) return sim->phase == SIM_PHASE_READ;
    return prng_below(&sim->few_prng, 1000) < sim->options.few_permille;
}

static void swap(struct sim_client *client, uint8_t a, uint8_t b)
{
    uint8_t node = client->nodes[a];
    client->nodes[a] = client->nodes[b];
    client->nodes[b] = node;
}

/* Some of these n, in any order; for the last client one is among them that is not dead. */
static uint8_t choose_few(struct sim *sim, struct sim_client *client, uint8_t n)
{
    uint8_t few = (uint8_t)prng_between(&sim->few_prng, 1, n), living = 0;
    for (uint8_t i = 0; i < n; i++)
        swap(client, i, (uint8_t)(i + prng_below(&sim->few_prng, n - i)));
    while (sim_is_last(sim, client) && ((sim->dead >> client->nodes[living]) & 1)) living++;
    swap(client, (uint8_t)prng_below(&sim->few_prng, few), living);
    return few;
}

uint8_t sim_first_members(struct sim *sim, struct sim_client *client,
                          struct session_identity *identity)
{
    const struct check_epoch *e = &sim->check.epochs[sim->check.epoch];
    uint8_t n = e->known ? e->n : sim->config.n_replicas;
    identity->epoch = sim->check.epoch;
    for (uint8_t i = 0; i < REPLICAS_MAX; i++) client->nodes[i] = e->known ? e->order[i] : i;
    client->knows_few = draw_few(sim, client);
    return client->knows_few ? choose_few(sim, client, n) : n;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* The network.  Between replicas anything goes: loss, duplicates, any order, and copies that
 * arrive seconds later, when the sender may have lived and died twice (PIT-3.1).  A client talks
 * over connections, which keep their order and lose nothing until they break; what was sent into a
 * breaking connection may still arrive, long after. */
#include "sim/sim.h"

#include "base/assert.h"

static bool strikes(struct sim *sim, uint32_t ppm)
{
    return ppm != 0 && !sim->quiet && prng_chance(&sim->prng, ppm, 1000000);
}

/* Mostly within the spread, now and then far beyond. */
static uint64_t delay(struct sim *sim)
{
    const struct sim_options *o = &sim->options;
    uint64_t spread = o->delay_spread_us;
    if (sim->quiet) return o->delay_us + prng_below(&sim->prng, 200);
    uint64_t draw = prng_below(&sim->prng, 100);
    if (draw >= 80) spread *= 4;
    if (draw >= 98) spread *= 8;
    return o->delay_us + prng_below(&sim->prng, spread + 1);
}

static void put_frame(struct sim *sim, uint8_t from, uint8_t to, uint64_t at,
                      struct sim_packet *packet)
{
    sim_at(sim, at - sim->now,
           (struct sim_event){.kind = SIM_FRAME, .node = to, .from = from, .packet = packet});
}

/* What is said once in the life of a view or of a replica, and does harm when it is old. */
static bool is_weighty(struct bytes frame)
{
    uint16_t command = sim_command_of(frame);
    return command == WIRE_start_view_change || command == WIRE_do_view_change ||
           command == WIRE_start_view || command == WIRE_recovery ||
           command == WIRE_recovery_response;
}

/* How likely a copy of this frame turns up much later, whether it gets through now or not. */
static uint32_t late_ppm(const struct sim_options *o, struct bytes frame)
{
    return is_weighty(frame) && o->late_ppm < 100000 ? o->late_ppm * 8 : o->late_ppm;
}

static bool is_spoilable(uint16_t command)
{
    return command == WIRE_tree || command == WIRE_pages || command == WIRE_give_entry;
}

/* What a replica with failing memory would say: the frame is sound, a byte of a page, of a node or
 * of an entry is not.  They are the last thing in their message. */
static void spoil(struct sim *sim, struct sim_packet *packet)
{
    struct wire_message m;
    static uint8_t copy[FRAME_BYTES_MAX];
    if (wire_frame_decode((struct bytes){packet->bytes, packet->size}, &m) != 0) return;
    size_t size = m.header.command == WIRE_tree    ? m.as.tree.children.encoded.size
                  : m.header.command == WIRE_pages ? m.as.pages.pages.encoded.size
                                                   : m.as.give_entry.entry.body.size;
    if (size == 0) return;
    uint64_t last = size < 512 ? size : m.header.command == WIRE_pages ? VSTAMP_PAGE_SIZE : 512;
    packet->bytes[packet->size - 1 - prng_below(&sim->prng, last)] ^= 1;
    size_t copied = wire_frame_encode(&m.header, m.shape, &m.as, copy, sizeof copy);
    assert(copied == packet->size);
    memcpy(packet->bytes, copy, copied);
}

void sim_net_send(struct sim *sim, uint8_t from, uint8_t to, struct bytes frame)
{
    const struct sim_options *o = &sim->options;
    if ((sim->dead >> to) & 1) return;
    struct sim_packet *packet = sim_packet_new(frame.data, frame.size);
    uint16_t command = sim_command_of(frame);
    if (is_spoilable(command) && strikes(sim, (uint32_t)o->wrong_pages_ppm)) spoil(sim, packet);
    if (is_weighty(frame)) {
        struct sim_event *slot = &sim->archive[sim->n_archived++ % SIM_ARCHIVE];
        sim_packet_release(slot->packet);
        *slot = (struct sim_event){
            .kind = SIM_FRAME, .node = to, .from = from, .packet = sim_packet_share(packet),
            .incarnation = sim->replicas[from].incarnation, .value = sim->replicas[to].incarnation};
    }
    if (strikes(sim, late_ppm(o, frame))) {
        uint64_t at = sim->now + sim_around(sim, o->late_us);
        if (at > sim->latest_late_us) sim->latest_late_us = at;
        put_frame(sim, from, to, at, sim_packet_share(packet));
    }
    if (sim->blocked[from][to] || strikes(sim, o->loss_ppm)) {
        sim_packet_release(packet);
        return;
    }
    uint64_t at = sim->now + delay(sim);
    if (!strikes(sim, o->reorder_ppm)) {
        if (at < sim->link_us[from][to]) at = sim->link_us[from][to];
        sim->link_us[from][to] = at;
    }
    put_frame(sim, from, to, at, packet);
    if (strikes(sim, o->duplicate_ppm))
        put_frame(sim, from, to, sim->now + delay(sim), sim_packet_share(packet));
}

static uint64_t view_of(const struct sim_packet *packet)
{
    struct reader r = reader_over(packet->bytes + 48, 8);
    return read_u64(&r);
}

/* Could it make a difference?  Its sender has crashed and recovered since and may have forgotten
 * it, and its receiver has not reached its view; or it is a blank replica's word of a former life,
 * to another blank one; or it was given to a former life of its receiver, which asks the same
 * again. */
static bool could_matter(const struct sim *sim, const struct sim_event *old)
{
    const struct sim_replica *to = &sim->replicas[old->node], *from = &sim->replicas[old->from];
    if (!to->up) return false;
    const struct vr *core = check_core(to->node);
    uint16_t command = sim_command_of((struct bytes){old->packet->bytes, old->packet->size});
    if (command == WIRE_recovery)
        return from->incarnation != old->incarnation && core->status == VR_RECOVERING;
    if (command == WIRE_recovery_response)
        return to->incarnation != old->value && core->status == VR_RECOVERING;
    return from->incarnation != old->incarnation && from->normal_once &&
           view_of(old->packet) > core->view;
}

void sim_net_replay(struct sim *sim)
{
    uint64_t n = sim->n_archived < SIM_ARCHIVE ? sim->n_archived : SIM_ARCHIVE;
    for (int tries = 0; n > 0 && tries < 16; tries++) {
        const struct sim_event *old = &sim->archive[prng_below(&sim->prng, n)];
        if (!could_matter(sim, old)) continue;
        put_frame(sim, old->from, old->node, sim->now + 1, sim_packet_share(old->packet));
        return;
    }
}

void sim_net_link(struct sim *sim, uint8_t a, uint8_t b, bool up)
{
    sim_at(sim, delay(sim),
           (struct sim_event){.kind = SIM_LINK, .node = a, .from = b, .value = up});
    if (up)
        sim_at(sim, delay(sim),
               (struct sim_event){.kind = SIM_LINK, .node = b, .from = a, .value = up});
}

static void connection_event(struct sim *sim, enum sim_event_kind kind, const struct sim_client *c,
                             uint8_t replica, uint64_t after_us)
{
    sim_at(sim, after_us,
           (struct sim_event){.kind = (uint8_t)kind, .node = replica, .from = c->index,
                              .value = c->connections[replica].generation});
}

void sim_net_connect(struct sim *sim, struct sim_client *client, uint8_t replica)
{
    struct sim_connection *c = &client->connections[replica];
    assert(!c->up && !c->coming);
    c->coming = true;
    c->generation++;
    c->to_replica_us = c->to_client_us = 0;
    if (sim->replicas[replica].up && c->cut_until <= sim->now)
        connection_event(sim, SIM_CONNECTED, client, replica, 2 * delay(sim));
    else
        connection_event(sim, SIM_BROKEN, client, replica, 10 * SIM_MS + delay(sim));
}

void sim_net_break(struct sim *sim, struct sim_client *client, uint8_t replica)
{
    connection_event(sim, SIM_BROKEN, client, replica, delay(sim));
}

void sim_net_break_all(struct sim *sim, uint8_t replica)
{
    for (uint32_t i = 0; i <= sim->options.clients; i++)
        if (sim->clients[i].connections[replica].up || sim->clients[i].connections[replica].coming)
            sim_net_break(sim, &sim->clients[i], replica);
}

static uint64_t origin_of(const struct sim_client *client, uint8_t replica)
{
    return (uint64_t)client->connections[replica].generation << 16 | (uint64_t)client->index << 8 |
           replica;
}

void sim_net_request(struct sim *sim, struct sim_client *client, uint8_t replica,
                     struct bytes frame)
{
    struct sim_connection *c = &client->connections[replica];
    uint64_t at = sim->now + delay(sim);
    assert(c->up);
    if (strikes(sim, sim->options.late_ppm)) {
        at = sim->now + sim_around(sim, sim->options.late_us);
        sim_net_break(sim, client, replica);
    } else if (strikes(sim, sim->options.loss_ppm / 8)) {
        sim_net_break(sim, client, replica);
        return;
    }
    if (at < c->to_replica_us) at = c->to_replica_us;
    c->to_replica_us = at;
    sim_at(sim, at - sim->now,
           (struct sim_event){.kind = SIM_REQUEST, .node = replica,
                              .value = origin_of(client, replica),
                              .incarnation = sim->replicas[replica].incarnation,
                              .packet = sim_packet_new(frame.data, frame.size)});
}

void sim_net_reply(struct sim *sim, uint8_t replica, uint64_t origin, struct bytes frame)
{
    if (sim_is_operator(origin)) {
        sim_operator_answer(sim, replica, frame);
        return;
    }
    if (origin == SIM_CHANGES_ORIGIN) {
        sim_changes_answer(sim, frame);
        return;
    }
    if (origin == SIM_COPIER_ORIGIN) {
        sim_copies_answer(sim, frame);
        return;
    }
    uint8_t index = (uint8_t)(origin >> 8);
    struct sim_client *client = &sim->clients[index];
    assert((uint8_t)origin == replica && index <= sim->options.clients);
    if (origin_of(client, replica) != origin) return; /* that connection is gone */
    if (strikes(sim, sim->options.loss_ppm / 8)) {
        sim_net_break(sim, client, replica);
        return;
    }
    struct sim_connection *c = &client->connections[replica];
    uint64_t at = sim->now + delay(sim);
    if (at < c->to_client_us) at = c->to_client_us;
    c->to_client_us = at;
    sim_at(sim, at - sim->now,
           (struct sim_event){.kind = SIM_REPLY, .node = replica, .value = origin,
                              .from = sim->replicas[replica].flipped,
                              .packet = sim_packet_new(frame.data, frame.size)});
}

void sim_net_event(struct sim *sim, const struct sim_event *event)
{
    if (event->kind == SIM_REPLY) {
        struct sim_client *client = &sim->clients[(uint8_t)(event->value >> 8)];
        if (origin_of(client, event->node) != event->value || !client->connections[event->node].up)
            return;
        client->told_by_flipped = event->from != 0;
        sim_client_frame(sim, client->index, event->node,
                         (struct bytes){event->packet->bytes, event->packet->size});
        client->told_by_flipped = false;
        return;
    }
    struct sim_client *client = &sim->clients[event->from];
    struct sim_connection *c = &client->connections[event->node];
    if (c->generation != event->value) return;
    if (event->kind == SIM_CONNECTED) {
        if (!c->coming) return;
        c->coming = false;
        c->up = true;
    } else {
        c->generation++;
        c->up = c->coming = false;
        uint8_t number = sim_client_number(client, event->node);
        if (number < client->n_nodes) session_on_down(&client->session, number);
    }
    sim_client_step(sim, client);
}

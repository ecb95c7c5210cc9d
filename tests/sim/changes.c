/* SPDX-License-Identifier: BSD-2-Clause */
/* Somebody who changes the membership, as vstamp-admin reconfigure does: he draws the next one, has
 * its new members started with the new configuration, mostly before he asks, and asks whoever
 * leads, again and again, in a session of his own; sometimes he stops asking half-way.  It may
 * grow, shrink, swap some, or have no member in common with the one before.  Replicas that were
 * replaced are given an empty folder before they come again.  Now and then all members are replaced
 * while one of them is away, which comes back with its old folder when the faults are over.
 *
 * An answer says which epoch has that membership, and so it must be (I16). */
#include <inttypes.h>
#include <string.h>

#include "base/assert.h"
#include "sim/sim.h"

#define TRIES_MAX 120u

enum { NUMBER_OF_REGISTRATION = 1000, NUMBER = 1 };

static uint64_t random_below(struct sim *sim, uint64_t n)
{
    return prng_below(&sim->changes.prng, n);
}

static void step_after(struct sim *sim, uint64_t mean_us)
{
    struct sim_changes *c = &sim->changes;
    sim_at(sim, 1 + random_below(sim, 2 * mean_us),
           (struct sim_event){.kind = SIM_CHANGE, .value = ++c->step});
}

void sim_changes_begin(struct sim *sim)
{
    prng_seed(&sim->changes.prng, sim->seed ^ 0xc4a26e);
    if (sim->options.change_us != 0) step_after(sim, sim->options.change_us);
}

/* Whoever leads in the newest epoch; NULL: nobody. */
static const struct vr *leader(const struct sim *sim, uint8_t *replica)
{
    const struct vr *best = NULL;
    for (uint8_t i = 0; i < sim->n_nodes; i++) {
        const struct vr *core = sim->replicas[i].up ? check_core(sim->replicas[i].node) : NULL;
        if (core == NULL || !vr_is_primary(core) || core->epoch != sim->check.epoch) continue;
        if (sim->check.epoch == 0 && i >= sim->config.n_replicas) continue;
        if (best != NULL && best->view > core->view) continue;
        best = core;
        *replica = i;
    }
    return best;
}

static void send(struct sim *sim, uint8_t replica, const struct wire_request *request)
{
    static uint8_t frame[sizeof sim->changes.body + 512];
    struct wire_header header = {.epoch = sim->changes.epoch, .group = sim->check.group,
                                 .sender = WIRE_SENDER_CLIENT};
    size_t size = wire_frame_encode(&header, &wire_shape_request, request, frame, sizeof frame);
    assert(size > 0);
    if (!sim->replicas[replica].up) return;
    sim_at(sim, sim->options.delay_us + random_below(sim, sim->options.delay_spread_us + 1),
           (struct sim_event){.kind = SIM_REQUEST, .node = replica, .value = SIM_CHANGES_ORIGIN,
                              .packet = sim_packet_new(frame, size)});
}

static void ask(struct sim *sim)
{
    struct sim_changes *c = &sim->changes;
    struct wire_request request = {.client = {0xad317, c->client}, .kind = WIRE_KIND_REGISTER,
                                   .number = NUMBER_OF_REGISTRATION};
    uint8_t replica = (uint8_t)random_below(sim, sim->n_nodes);
    if (random_below(sim, 8) > 0) leader(sim, &replica);
    if (c->session != 0) {
        request.kind = WIRE_KIND_RECONFIGURE;
        request.session = c->session;
        request.number = NUMBER;
        request.body = (struct bytes){c->body, c->body_size};
    }
    send(sim, replica, &request);
}

/* --- what is to be ---------------------------------------------------------------------------- */

static void put(struct vr_membership *m, uint8_t node, bool witness)
{
    struct vr_member *one = &m->members[m->n];
    if (witness) m->witnesses |= UINT32_C(1) << m->n;
    m->n++;
    snprintf(one->address, sizeof one->address, "%s", sim_address_of(node));
}

/* It was replaced, and only tells clients where the group is. */
static bool lingers(const struct sim_replica *r)
{
    return r->up && !r->turn_open && vr_epoch_lingers(check_core(r->node));
}

/* Who may come: neither a member, nor one that was replaced and is needed yet. */
static bool is_free(const struct sim *sim, uint8_t node)
{
    const struct sim_replica *r = &sim->replicas[node];
    return !check_is_member(sim, node) && (!r->present || lingers(r));
}

static void shuffle(struct sim *sim, struct vr_membership *m)
{
    struct vr_membership from = *m;
    *m = (struct vr_membership){0};
    while (from.n > 0) {
        uint8_t i = (uint8_t)random_below(sim, from.n);
        put(m, sim_node_of(from.members[i].address), (from.witnesses >> i) & 1);
        bool last = (from.witnesses >> --from.n) & 1;
        from.members[i] = from.members[from.n];
        from.witnesses = (from.witnesses & ~(UINT32_C(1) << i)) | (uint32_t)last << i;
    }
}

static bool too_many_witnesses(const struct vr_membership *m)
{
    uint32_t among = m->witnesses & ((UINT32_C(1) << m->n) - 1);
    return (uint32_t)__builtin_popcount(among) > (m->n - 1u) / 2;
}

static bool is_to_be_witness(struct sim *sim)
{
    return sim->config.witnesses != 0 && random_below(sim, 3) == 0;
}

static bool draw(struct sim *sim, const struct vr *core, bool all_go)
{
    struct vr_membership *next = &sim->changes.next;
    uint64_t keep = 1000, wanted = core->config.n_replicas;
    switch (random_below(sim, 5)) {
    case 0: wanted += 1 + random_below(sim, 2); break;                /* more */
    case 1: keep = 1000 * (wanted - 1) / wanted; break;               /* one is replaced */
    case 2: keep = 0; break;                                          /* all are */
    case 3: keep = 500; break;
    default: wanted = 1 + random_below(sim, SIM_REPLICAS_MAX); break; /* fewer, mostly */
    }
    if (all_go) keep = 0;
    if (wanted > SIM_REPLICAS_MAX) wanted = SIM_REPLICAS_MAX;
    *next = (struct vr_membership){0};
    for (uint8_t i = 0; i < core->config.n_replicas && next->n < wanted; i++) {
        bool was = (core->config.witnesses >> i) & 1;
        if (random_below(sim, 1000) >= keep) continue;
        bool turns = sim->options.role_permille > random_below(sim, 1000);
        put(next, sim_node_of(core->membership.members[i].address), was != turns);
    }
    for (uint8_t i = 0; i < sim->n_nodes && next->n < wanted; i++) /* those that are not up first */
        if (is_free(sim, i) && !sim->replicas[i].up) put(next, i, is_to_be_witness(sim));
    for (uint8_t i = 0; i < sim->n_nodes && next->n < wanted; i++)
        if (is_free(sim, i) && sim->replicas[i].up) put(next, i, is_to_be_witness(sim));
    if (next->n == 0) return false;
    while (too_many_witnesses(next)) next->witnesses &= next->witnesses - 1;
    if (random_below(sim, 2) == 0) shuffle(sim, next);
    return sim_illness_bears(sim, next);
}

/* New members are started with the new configuration, one of them late, now and then; and sometimes
 * nobody starts the last of them, so that whoever leads must give the change up. */
static void start_members(struct sim *sim)
{
    const struct vr_membership *next = &sim->changes.next;
    bool one_is_missing = random_below(sim, 10) == 0;
    for (uint8_t i = 0; i < next->n; i++) {
        uint8_t node = sim_node_of(next->members[i].address);
        if (!is_free(sim, node) || (one_is_missing && i + 1 == next->n)) continue;
        uint64_t late_us = random_below(sim, 6) == 0 ? 2 * sim->options.change_us : 0;
        if (sim->replicas[node].up)
            sim_replica_retire(&sim->replicas[node], "ended by its operator, to come again");
        sim_replica_configure(sim, node, next);
        sim_at(sim, random_below(sim, 20 * SIM_MS + late_us),
               (struct sim_event){.kind = SIM_START, .node = node});
    }
}

static void send_one_away(struct sim *sim, const struct vr *core)
{
    uint8_t i = (uint8_t)random_below(sim, core->config.n_replicas);
    sim_faults_leave(sim, sim_node_of(core->membership.members[i].address));
}

static void prepare_request(struct sim *sim, const struct vr *core)
{
    static uint8_t list[VR_MEMBERS_BYTES];
    struct sim_changes *c = &sim->changes;
    bool is_late = core->epoch > 0 && random_below(sim, 10) == 0; /* it will be refused */
    struct wire_reconfigure asked = {.epoch = core->epoch - is_late,
                                     .members = vr_membership_checksum(&core->membership),
                                     .next = vr_member_list(&c->next, list, sizeof list)};
    struct writer w = writer_over(c->body, sizeof c->body);
    wire_encode(&wire_shape_reconfigure, &asked, &w);
    assert(w.ok);
    c->body_size = w.size;
}

/* Is it sure that nobody counts on those who wait to be members? */
static bool is_settled(const struct sim *sim)
{
    for (uint8_t i = 0; i < sim->n_nodes; i++) {
        const struct sim_replica *r = &sim->replicas[i];
        if (!check_is_member(sim, i)) continue;
        if (!r->up || sim_may_change(check_core(r->node))) return false;
    }
    return true;
}

/* Replicas that wait to be members, and will not be, are put away. */
static void put_away(struct sim *sim)
{
    if (!is_settled(sim)) return;
    for (uint8_t i = 0; i < sim->n_nodes; i++) {
        struct sim_replica *r = &sim->replicas[i];
        if (!r->present || !r->up || !r->newcomer || check_is_member(sim, i)) continue;
        const struct vr *core = check_core(r->node);
        if (core->replaced || core->config.self != NOT_A_MEMBER) continue; /* it learns */
        sim_replica_crash(sim, i, "put away");
        r->present = false;
    }
}

static void change_ends(struct sim *sim, const char *how)
{
    struct sim_changes *c = &sim->changes;
    sim_trace(sim, "change: %s", how);
    c->under_way = false;
    step_after(sim, sim->options.change_us);
}

/* Its request may be in a log. */
static void leave(struct sim *sim)
{
    struct sim_changes *c = &sim->changes;
    if (c->next.n < 3 || c->next.witnesses != 0) c->left_in = 1 + sim->check.epoch;
    change_ends(sim, "is left to itself");
}

/* Who has lost its disk, and is not back yet, may be one more than a smaller group bears. */
static bool is_a_good_moment(const struct sim *sim)
{
    for (uint32_t i = 0; i < sim->options.clients; i++) /* which else might find another group */
        if (vstamp_id_is_zero(sim->clients[i].session.identity.group)) return false;
    for (uint8_t i = 0; i < sim->n_nodes; i++) {
        const struct sim_replica *r = &sim->replicas[i];
        if (check_is_member(sim, i) && (r->blank || r->damaged || r->old || r->was_flipped))
            return false;
        if (check_is_member(sim, i) && !sim->config.durable && !check_has_begun(sim, i))
            return false;
    }
    return true;
}

static void begin_change(struct sim *sim)
{
    struct sim_changes *c = &sim->changes;
    uint8_t replica = 0;
    const struct vr *core = leader(sim, &replica);
    put_away(sim);
    bool may = core != NULL && sim->all_formed && !vstamp_id_is_zero(sim->check.group) &&
               sim->check.epoch + 2 < CHECK_EPOCHS_MAX;
    bool all_go = may && sim->config.durable && core->config.n_replicas >= 3 &&
                  sim->options.absent_permille != 0 &&
                  random_below(sim, 1000) < sim->options.absent_permille;
    if (!may || !is_a_good_moment(sim) || !draw(sim, core, all_go)) {
        step_after(sim, sim->options.change_us);
        return;
    }
    c->under_way = true;
    c->any_lost = c->done = false;
    c->tries = 0;
    c->client++;
    c->session = 0;
    c->epoch = core->epoch;
    prepare_request(sim, core);
    sim_trace(sim, "change: epoch %u is to have %u members, the first at %s", c->epoch + 1,
              c->next.n, c->next.members[0].address);
    start_members(sim);
    if (all_go) send_one_away(sim, core);
    step_after(sim, 10 * SIM_MS);
}

static void verify_answer(struct sim *sim)
{
    struct sim_changes *c = &sim->changes;
    const struct check_epoch *e = &sim->check.epochs[c->epoch];
    if (c->epoch > 0 && !e->known && ++c->tries <= 2 * TRIES_MAX) { /* its turn goes on */
        step_after(sim, SIM_MS);
        return;
    }
    struct vstamp_id asked = vr_membership_checksum(&c->next);
    if (c->epoch > 0 && (!e->known || !vstamp_id_equal(e->members, asked)))
        sim_fail(sim, "epoch %u is said to have other members than it has", c->epoch);
    change_ends(sim, "is done");
}

void sim_changes_event(struct sim *sim, uint64_t step)
{
    struct sim_changes *c = &sim->changes;
    if (step != c->step) return;
    if (sim->quiet) {
        c->under_way = false;
    } else if (!c->under_way) {
        begin_change(sim);
    } else if (c->done) {
        verify_answer(sim);
    } else if (++c->tries > TRIES_MAX || random_below(sim, 100) == 0) {
        leave(sim);
    } else {
        ask(sim);
        if (random_below(sim, 4) == 0) ask(sim);
        step_after(sim, 40 * SIM_MS);
    }
}

static void note_reply(struct sim *sim, const struct wire_reply *reply)
{
    struct sim_changes *c = &sim->changes;
    struct wire_registration registration;
    struct wire_reconfigured answer;
    if (reply->number == NUMBER_OF_REGISTRATION) {
        int rv = wire_decode(&wire_shape_registration, reply->body, &registration);
        assert(rv == 0);
        c->session = registration.session;
        return;
    }
    int rv = wire_decode(&wire_shape_reconfigured, reply->body, &answer);
    assert(rv == 0);
    c->done = true;
    c->epoch = answer.epoch;
}

void sim_changes_answer(struct sim *sim, struct bytes frame)
{
    struct sim_changes *c = &sim->changes;
    struct wire_message m;
    int rv = wire_frame_decode(frame, &m);
    assert(rv == 0);
    if (!c->under_way || c->done) return;
    if (m.header.command == WIRE_reply && m.as.reply.client.lo == c->client) {
        note_reply(sim, &m.as.reply);
    } else if (m.header.command == WIRE_reject && m.as.reject.client.lo == c->client &&
               (m.as.reject.reason == WIRE_REJECT_CONFLICT ||
                m.as.reject.reason == WIRE_REJECT_INVALID ||
                m.as.reject.reason == WIRE_REJECT_EVICTED)) {
        char why[200];
        snprintf(why, sizeof why, "is refused: %.*s", (int)m.as.reject.text.size,
                 (const char *)m.as.reject.text.data);
        sim->stats.changes_refused++;
        change_ends(sim, why);
    }
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* The clients of a cluster: requests go in, what comes back is looked up by number. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "scenario/cluster_state.h"

#define REGISTER_BASE 1000000u /* so that no registration has the number of a request */

struct vstamp_id cluster_client_id(uint32_t client)
{
    return (struct vstamp_id){0xc11e, client + 1};
}

void cluster_clients_know(struct cluster *c, uint64_t view)
{
    c->clients_view = view;
}

static void send_request(struct cluster *c, uint8_t to, const struct wire_request *request)
{
    uint8_t frame[8192];
    struct member *m = &c->members[to];
    struct wire_header header = {.group = cluster_group(c),
                                 .view = c->clients_view,
                                 .sender = WIRE_SENDER_CLIENT};
    size_t size = wire_frame_encode(&header, &wire_shape_request, request, frame, sizeof frame);
    assert_true(size > 0);
    if (!m->up) return;
    cluster_set_clock(m);
    assert_int_equal(0, node_on_client_frame(m->node, request->client.lo,
                                             (struct bytes){frame, size}));
    node_turn_end(m->node);
}

void cluster_send_register(struct cluster *c, uint32_t client, uint64_t number, uint8_t to)
{
    send_request(c, to, &(struct wire_request){.client = cluster_client_id(client),
                                               .number = REGISTER_BASE + number,
                                               .kind = WIRE_KIND_REGISTER});
}

void cluster_send_op(struct cluster *c, uint32_t client, uint64_t session, uint64_t number,
                     uint8_t to, const struct kv_op *op)
{
    uint8_t body[4096];
    struct writer w = writer_over(body, sizeof body);
    kv_encode_op(op, &w);
    assert_true(w.ok);
    send_request(c, to, &(struct wire_request){
        .client = cluster_client_id(client), .session = session, .number = number,
        .kind = kv_is_write(op->verb) ? WIRE_KIND_APPLY : WIRE_KIND_READ, .body = {body, w.size}});
}

void cluster_set_witnesses(struct cluster *c, uint32_t witnesses)
{
    c->mode = (int)(((uint32_t)c->mode & 0xffu) | witnesses << 8);
}

void cluster_send_reconfigure(struct cluster *c, uint32_t client, uint64_t session,
                              uint64_t number, uint8_t to, const struct vr *of,
                              const uint8_t *members, uint8_t n)
{
    static uint8_t list[VR_MEMBERS_BYTES], body[VR_MEMBERS_BYTES + 32];
    struct vr_membership next = {.n = n};
    for (uint8_t i = 0; i < n; i++) {
        struct vr_member *one = &next.members[i];
        snprintf(one->address, sizeof one->address, "%s", cluster_address(members[i]));
        snprintf(one->status, sizeof one->status, "%s", cluster_address(members[i]));
        if ((c->mode >> (8 + members[i])) & 1) next.witnesses |= 1u << i;
    }
    struct wire_reconfigure asked = {.epoch = of->epoch,
                                     .members = vr_membership_checksum(&of->membership),
                                     .next = vr_member_list(&next, list, sizeof list)};
    struct writer w = writer_over(body, sizeof body);
    wire_encode(&wire_shape_reconfigure, &asked, &w);
    assert_true(w.ok);
    send_request(c, to, &(struct wire_request){
        .client = cluster_client_id(client), .session = session, .number = number,
        .kind = WIRE_KIND_RECONFIGURE, .body = {body, w.size}});
}

bool cluster_move(struct cluster *c, uint32_t client, uint64_t session, uint64_t number,
                  const uint8_t *members, uint8_t n)
{
    uint32_t epoch = cluster_core(c, cluster_primary(c))->epoch;
    for (int i = 0; i < 600; i++) {
        int primary = cluster_find_primary(c);
        const struct vr *core = primary >= 0 ? cluster_core(c, (uint8_t)primary) : NULL;
        if (core != NULL && core->epoch > epoch) return cluster_converge(c);
        if (core != NULL)
            cluster_send_reconfigure(c, client, session, number, (uint8_t)primary, core, members,
                                     n);
        cluster_run(c, 10);
    }
    return false;
}

size_t cluster_n_answers(const struct cluster *c)
{
    return c->n_arrivals;
}

struct bytes cluster_nth_answer(const struct cluster *c, size_t n)
{
    assert_true(n < c->n_arrivals);
    return (struct bytes){c->arrivals[n].packet->bytes, c->arrivals[n].packet->size};
}

struct cluster_answer cluster_answer_to(const struct cluster *c, uint32_t client, uint64_t number)
{
    struct cluster_answer answer = {0};
    for (size_t i = 0; i < c->n_arrivals; i++) {
        struct wire_message m;
        assert_int_equal(0, wire_frame_decode(cluster_nth_answer(c, i), &m));
        const struct wire_reject *reject = &m.as.reject;
        if (m.header.command == WIRE_reply && m.as.reply.number == number &&
            vstamp_id_equal(m.as.reply.client, cluster_client_id(client))) {
            answer.n_replies++;
            answer.op = m.as.reply.op;
        }
        if (m.header.command != WIRE_reject || reject->number != number ||
            !vstamp_id_equal(reject->client, cluster_client_id(client)))
            continue;
        answer.n_rejects++;
        answer.reason = reject->reason;
    }
    return answer;
}

struct bytes cluster_ask(struct cluster *c, uint8_t to, struct bytes frame)
{
    struct member *m = &c->members[to];
    size_t before = c->n_arrivals;
    if (!m->up) return (struct bytes){0};
    cluster_set_clock(m);
    assert_int_equal(0, node_on_client_frame(m->node, 1, frame));
    node_turn_end(m->node);
    return c->n_arrivals == before ? (struct bytes){0} : cluster_newest_answer(c);
}

struct bytes cluster_newest_answer(const struct cluster *c)
{
    if (c->n_arrivals == 0) return (struct bytes){0};
    const struct sim_packet *newest = c->arrivals[c->n_arrivals - 1].packet;
    return (struct bytes){newest->bytes, newest->size};
}

static void note_reply(struct cluster_answer *answer, const struct wire_reply *reply,
                       enum kv_verb verb)
{
    answer->n_replies++;
    answer->op = reply->op;
    if (verb == 0)
        assert_int_equal(
            0, wire_decode(&wire_shape_registration, reply->body, &answer->registration));
    else
        assert_int_equal(0, kv_decode_answer(verb, reply->body, &answer->kv));
}

struct cluster_answer cluster_answer(struct cluster *c, uint32_t client, uint64_t number,
                                     enum kv_verb verb)
{
    struct cluster_answer answer = {0};
    if (verb == 0) number += REGISTER_BASE;
    for (size_t i = 0; i < c->n_arrivals; i++) {
        struct wire_message m;
        struct sim_packet *packet = c->arrivals[i].packet;
        assert_int_equal(0, wire_frame_decode((struct bytes){packet->bytes, packet->size}, &m));
        if (m.header.command == WIRE_reply && m.as.reply.number == number &&
            vstamp_id_equal(m.as.reply.client, cluster_client_id(client)))
            note_reply(&answer, &m.as.reply, verb);
        if (m.header.command == WIRE_reject && m.as.reject.number == number &&
            vstamp_id_equal(m.as.reject.client, cluster_client_id(client))) {
            answer.n_rejects++;
            answer.reason = m.as.reject.reason;
        }
    }
    return answer;
}

uint64_t cluster_register(struct cluster *c, uint32_t client, uint8_t to)
{
    cluster_send_register(c, client, 1, to);
    cluster_settle(c);
    struct cluster_answer answer = cluster_answer(c, client, 1, 0);
    assert_true(answer.n_replies > 0);
    return answer.registration.session;
}

struct kv_op cluster_incr_op(void)
{
    return (struct kv_op){.verb = KV_INCR, .key = bytes_of("n"), .number = 1};
}

void cluster_try_incr(struct cluster *c, uint32_t client, uint64_t session, uint64_t number,
                      uint8_t to)
{
    struct kv_op op = cluster_incr_op();
    cluster_send_op(c, client, session, number, to, &op);
    cluster_settle(c);
}

int64_t cluster_incr(struct cluster *c, uint32_t client, uint64_t session, uint64_t number,
                     uint8_t to)
{
    cluster_try_incr(c, client, session, number, to);
    struct cluster_answer answer = cluster_answer(c, client, number, KV_INCR);
    assert_true(answer.n_replies > 0);
    return answer.kv.number;
}

int64_t cluster_read(struct cluster *c, uint8_t to, uint32_t ms)
{
    struct kv_op op = {.verb = KV_GET, .key = bytes_of("n")};
    uint64_t number = ++c->read_number;
    char text[32] = "0";
    cluster_send_op(c, 0, 0, number, to, &op);
    cluster_run(c, ms);
    struct cluster_answer answer = cluster_answer(c, 0, number, KV_GET);
    if (answer.n_replies == 0) return -1;
    if (answer.kv.value.size > 0 && answer.kv.value.size < sizeof text) {
        memcpy(text, answer.kv.value.data, answer.kv.value.size);
        text[answer.kv.value.size] = 0;
    }
    return strtoll(text, NULL, 10);
}

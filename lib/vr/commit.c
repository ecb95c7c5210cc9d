/* SPDX-License-Identifier: BSD-2-Clause */
/* Execution (paper section 4.1, steps 4 to 7): committed entries, in op-number order, each once, at
 * every replica; whoever has the client waiting answers it.
 *
 * Each request is checked against the client table once more when it is executed: whatever way it
 * took into the log, and be it twice, it runs only if its session stands and its number is the next
 * one. */
#include "vr/rooms.h"

void vr_commit_up_to(struct vr *r, uint64_t commit)
{
    assert(commit <= r->log.op);
    if (commit > r->commit) r->commit = commit; /* N4 (PIT-1.9) */
}

/* The connection that waits for this request, 0 if none; it waits no longer. */
static uint64_t take_origin(struct vr *r, const struct wire_operation *o)
{
    struct inflight_request *waiting = inflight_find(&r->inflight, o->client);
    if (waiting == NULL || waiting->kind != o->kind || waiting->number != o->number) return 0;
    uint64_t origin = waiting->origin;
    inflight_remove(&r->inflight, waiting);
    return origin;
}

void vr_reply_registration(struct vr *r, uint64_t origin, uint64_t number,
                           const struct client_record *record)
{
    uint8_t buffer[VSTAMP_PAGE_SIZE];
    struct writer w = writer_over(buffer, sizeof buffer);
    struct wire_registration registration = {.session = record->session,
                                             .since = record->since,
                                             .number = record->number,
                                             .request = record->request,
                                             .op = record->op,
                                             .answer = record->answer};
    wire_encode(&wire_shape_registration, &registration, &w);
    assert(w.ok);
    vr_reply(r, origin, record->client, 0, number, record->session,
             (struct bytes){buffer, w.size});
}

static void execute_registration(struct vr *r, const struct wire_entry_header *header,
                                 const struct wire_operation *o, uint64_t origin)
{
    struct client_record record;
    bool evicted;
    client_table_register(r->clients, o->client, o->number, header->op, &record, &evicted);
    r->stats.evictions += evicted;
    if (evicted) vr_mark(r, VR_MARK_session_evicted, "op=%" PRIu64, header->op);
    vr_reply_registration(r, origin, o->number, &record);
}

static void execute_operation(struct vr *r, const struct wire_entry_header *header,
                              const struct wire_operation *o)
{
    uint64_t origin = take_origin(r, o);
    if (o->kind == WIRE_KIND_REGISTER) {
        execute_registration(r, header, o, origin);
        return;
    }
    struct client_record record;
    if (!client_table_find(r->clients, o->client, &record) || record.session != o->session) {
        vr_mark(r, VR_MARK_session_ended_in_flight, "op=%" PRIu64, header->op);
        vr_reject(r, origin, o->client, o->session, o->number, WIRE_REJECT_EVICTED,
                  "the session ended before the request ran");
        return;
    }
    if (o->number != record.number + 1) {
        vr_mark(r, VR_MARK_request_logged_twice, "op=%" PRIu64, header->op);
        return;
    }
    struct vstamp_context context = {.op_number = header->op,
                                     .timestamp_us = header->timestamp,
                                     .client = o->client,
                                     .session = o->session,
                                     .limits = r->limits};
    struct vstamp_answer answer = {.data = r->answer, .capacity = r->config.max_answer_bytes};
    r->app->apply(&r->app_pages, &context, o->body.data, o->body.size, &answer);
    assert(answer.size <= answer.capacity);
    struct bytes body = {answer.data, answer.size};
    client_table_note(r->clients, o->client, o->number,
                      client_table_request(o->session, o->body), header->op, body);
    vr_reply(r, origin, o->client, o->session, o->number, header->op, body);
}

static void execute_entry(struct vr *r, uint64_t op)
{
    const struct log_slot *slot = log_at(&r->log, op);
    struct bytes body = log_body(&r->log, op);
    struct reader at = reader_over(body.data, body.size);
    uint32_t count = read_u32(&at);
    for (uint32_t i = 0; i < count; i++) {
        struct wire_operation o;
        if (wire_decode_next(&wire_shape_operation, &at, &o) != 0) {
            vr_log(r, VR_ERROR, "entry-not-well-formed", "op=%" PRIu64, op);
            break; /* the same bytes everywhere, so the same decision everywhere */
        }
        execute_operation(r, &slot->header, &o);
    }
    r->checkpoint_log_bytes += body.size;
}

void vr_execute(struct vr *r)
{
    if (vr_is_witness(r)) vr_witness_pass(r);
    while (r->applied < r->commit && !r->pages.fetching && !log_is_hole(&r->log, r->applied + 1)) {
        execute_entry(r, r->applied + 1);
        r->applied++;
        vr_checkpoint_if_due(r);
    }
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* Execution (paper section 4.1, steps 4 to 7): committed entries, in op-number order, each once, at
 * every replica; whoever has the client waiting answers it.
 *
 * Each request is checked against the client table once more when it is executed: however it came
 * into the log, and even if it is there twice, it runs only if its session still stands and its
 * number is the next one. */
#include "vr/rooms.h"

void vr_commit_up_to(struct vr *r, uint64_t commit)
{
    assert(commit <= r->log.op);
    if (commit > r->commit) r->commit = commit; /* N4 (PIT-1.9) */
}

/* Who waits for this request (origin 0: nobody), and from now on waits no longer. */
static struct vr_asker take_asker(struct vr *r, const struct wire_operation *o)
{
    struct inflight_request *waiting = inflight_find(&r->inflight, o->client);
    struct vr_asker asker = {.client = o->client,
                             .session = o->session,
                             .number = o->number,
                             .request = client_table_request(o->session, o->body)};
    if (waiting == NULL || waiting->kind != o->kind || waiting->number != o->number) return asker;
    asker.origin = waiting->origin;
    inflight_remove(&r->inflight, waiting);
    return asker;
}

void vr_reply_registration(struct vr *r, const struct vr_asker *to,
                           const struct client_record *record)
{
    uint8_t buffer[VSTAMP_PAGE_SIZE];
    struct writer w = writer_over(buffer, sizeof buffer);
    struct wire_registration registration = {.session = record->session,
                                             .since = record->since,
                                             .number = record->number,
                                             .request = record->request,
                                             .op = record->op,
                                             .outcome = record->outcome,
                                             .answer = record->answer};
    wire_encode(&wire_shape_registration, &registration, &w);
    assert(w.ok);
    vr_reply(r, to, record->session, (struct bytes){buffer, w.size});
}

static void execute_registration(struct vr *r, const struct wire_entry_header *header,
                                 const struct vr_asker *asker)
{
    struct client_record record;
    bool evicted;
    client_table_register(r->clients, asker->client, asker->number, header->op, &record, &evicted);
    r->stats.evictions += evicted;
    if (evicted) vr_mark(r, VR_MARK_session_evicted, "op=%" PRIu64, header->op);
    vr_reply_registration(r, asker, &record);
}

/* It is settled: note that, with its answer or a sentence in place of one, and tell whoever
 * waits. */
static void answer(struct vr *r, const struct wire_entry_header *header,
                   const struct vr_asker *asker, enum wire_outcome outcome, struct bytes body)
{
    if (body.size > r->config.max_answer_bytes) body.size = r->config.max_answer_bytes;
    client_table_note(r->clients, asker->client, asker->number, asker->request, header->op,
                      outcome, body);
    vr_tell_outcome(r, asker, header->op, outcome, body);
}

/* The answer, by the entry alone; what it does is in epoch.c.  If nothing was predicted the group
 * had that membership already. */
static void execute_reconfiguration(struct vr *r, const struct wire_entry_header *header,
                                    const struct wire_operation *o,
                                    const struct vr_asker *asker)
{
    uint8_t buffer[16];
    struct writer w = writer_over(buffer, sizeof buffer);
    struct wire_reconfigured is = {.epoch = header->epoch + (o->prediction.size > 0)};
    wire_encode(&wire_shape_reconfigured, &is, &w);
    answer(r, header, asker, WIRE_OUTCOME_ANSWERED, (struct bytes){buffer, w.size});
}

static bool stands(const struct vr *r, const struct wire_operation *o, struct client_record *record)
{
    return client_table_find(r->clients, o->client, record) && record->session == o->session;
}

static struct vstamp_context context_of(const struct vr *r, const struct wire_entry_header *header,
                                        const struct wire_operation *o)
{
    return (struct vstamp_context){.op_number = header->op,
                                   .timestamp_us = header->timestamp,
                                   .client = o->client,
                                   .session = o->session,
                                   .limits = vr_limits_in(r, header->version),
                                   .prediction = o->prediction.data,
                                   .prediction_size = o->prediction.size};
}

/* It ran, here as everywhere, so it is settled (A4). */
static void answer_too_long(struct vr *r, const struct wire_entry_header *header,
                            const struct vr_asker *asker, const struct vstamp_answer *says)
{
    struct vstamp_diag why;
    vstamp_diag_printf(&why, "it was executed, but its answer of %zu bytes is longer than the %zu "
                       "there is room for", says->size, says->capacity);
    answer(r, header, asker, WIRE_OUTCOME_NO_ANSWER, bytes_of(why.text));
}

/* It is passed over, if it would run at all (PO3). */
static void settle_unexecuted(struct vr *r, const struct wire_entry_header *header,
                              const struct vr_asker *asker)
{
    vr_get_past(r, header->op, asker->client);
    answer(r, header, asker, WIRE_OUTCOME_NOT_RUN,
           bytes_of("the application cannot execute this operation: it did not and will not run"));
}

/* PO1: its client waits on, and is told when a view begins (batch.c). */
static void keep_waiting(struct vr *r, const struct wire_entry_header *header,
                         const struct wire_operation *o, const struct vr_asker *asker,
                         const struct vstamp_answer *says)
{
    size_t size = says->size < says->capacity ? says->size : says->capacity;
    if (vr_is_primary(r) || asker->origin != 0)
        inflight_add(&r->inflight, o->client, o->kind, o->number, asker->request, asker->origin);
    vr_get_stuck(r, header->op, o->client, (struct bytes){says->data, size});
}

/* False: it cannot be executed, and is not. */
static bool execute_apply(struct vr *r, const struct wire_entry_header *header,
                          const struct wire_operation *o, const struct vr_asker *asker)
{
    struct vstamp_context context = context_of(r, header, o);
    struct vstamp_answer says;
    if (!vr_app_apply(r, &context, o->body, &says)) return true;
    if (says.not_executed && r->settles_alone) {
        settle_unexecuted(r, header, asker);
        return true;
    }
    if (says.not_executed) {
        keep_waiting(r, header, o, asker, &says);
        return false;
    }
    r->tick_failed = false; /* U6 */
    if (says.size <= says.capacity)
        answer(r, header, asker, WIRE_OUTCOME_ANSWERED, (struct bytes){says.data, says.size});
    else
        answer_too_long(r, header, asker, &says);
    return true;
}

/* False: not now. */
static bool execute_operation(struct vr *r, const struct wire_entry_header *header,
                              const struct wire_operation *o, bool is_passed_over)
{
    if (o->kind == WIRE_KIND_TICK) return vr_tick(r, header, is_passed_over);
    if (o->kind == WIRE_KIND_PASS_OVER) {
        vr_pass_over_execute(r, header->op);
        return true;
    }
    struct vr_asker asker = take_asker(r, o);
    if (o->kind == WIRE_KIND_REGISTER) {
        execute_registration(r, header, &asker);
        return true;
    }
    struct client_record record;
    if (!stands(r, o, &record)) {
        vr_mark(r, VR_MARK_session_ended_in_flight, "op=%" PRIu64, header->op);
        vr_reject(r, &asker, WIRE_REJECT_EVICTED, "the session ended before the request ran");
        return true;
    }
    if (o->number != record.number + 1) {
        vr_mark(r, VR_MARK_request_logged_twice, "op=%" PRIu64, header->op);
        return true;
    }
    if (o->kind == WIRE_KIND_RECONFIGURE) {
        execute_reconfiguration(r, header, o, &asker);
        return true;
    }
    if (!is_passed_over) return execute_apply(r, header, o, &asker);
    settle_unexecuted(r, header, &asker);
    return true;
}

/* Decode up to so many operations of an entry; gives how many there were. */
static uint32_t decode_some(struct vr *r, uint64_t op, struct reader *at, uint32_t n,
                            struct wire_operation *operations)
{
    for (uint32_t i = 0; i < n; i++) {
        if (wire_decode_next(&wire_shape_operation, at, &operations[i]) == 0) continue;
        vr_log(r, LOG_LEVEL_ERROR, "entry-not-well-formed", "op=%" PRIu64, op);
        return i; /* the same bytes everywhere, so the same decision everywhere */
    }
    return n;
}

void vr_foresee(struct vr *r, const struct bytes *operations, uint32_t n)
{
    struct vstamp_operation next[VR_FORESEEN_MAX];
    if (r->app->foresee == NULL || n < 2) return; /* one has nobody to wait with */
    assert(n <= VR_FORESEEN_MAX);
    for (uint32_t i = 0; i < n; i++)
        next[i] = (struct vstamp_operation){operations[i].data, operations[i].size};
    vr_app_enter(r, "foresee", r->applied);
    r->app->foresee(&r->app_pages, next, n);
    r->pages.strayed = false; /* it says nothing that anybody could see (A3) */
    vr_app_leave(r);
}

static bool has_client(const struct vstamp_context *contexts, uint32_t n, struct vstamp_id client)
{
    for (uint32_t i = 0; i < n; i++)
        if (vstamp_id_equal(contexts[i].client, client)) return true;
    return false;
}

/* Tell the application which of these it will be given, the first of which is that of this index.
 * Gives for how many that was decided, at least one: what a registration, or the same client's
 * former request, is about to change in the client table has to be waited for; and what is passed
 * over is not given. */
static uint32_t announce(struct vr *r, const struct wire_entry_header *header,
                         const struct wire_operation *operations, uint32_t index, uint32_t n)
{
    struct vstamp_context contexts[VR_FORESEEN_MAX];
    struct vstamp_operation bodies[VR_FORESEEN_MAX];
    struct client_record record;
    uint32_t i, n_sure = 0;
    if (r->app->announce == NULL) return n;
    for (i = 0; i < n; i++) {
        const struct wire_operation *o = &operations[i];
        if (o->kind != WIRE_KIND_APPLY || has_client(contexts, n_sure, o->client)) break;
        if (vr_turn_of(r, header->op, index + i) != VR_RUNS) break;
        if (!stands(r, o, &record) || o->number != record.number + 1) continue;
        contexts[n_sure] = context_of(r, header, o);
        bodies[n_sure++] = (struct vstamp_operation){o->body.data, o->body.size};
    }
    if (n_sure > 1) {
        vr_app_enter(r, "announce", header->op);
        r->app->announce(&r->app_pages, contexts, bodies, n_sure);
        vr_app_leave(r);
    }
    return i > 0 ? i : 1;
}

/* The next ones of an entry, of which `index` are before them.  False: one has to wait. */
static bool execute_some(struct vr *r, const struct wire_entry_header *header,
                         const struct wire_operation *operations, uint32_t index, uint32_t n)
{
    uint32_t decided = 0;
    for (uint32_t i = 0; i < n && !r->over; i++) {
        if (index + i < r->done) continue;
        enum vr_turn turn = vr_turn_of(r, header->op, index + i);
        r->done = index + i;
        if (turn == VR_WAITS) return false;
        if (turn == VR_RUNS && i >= decided)
            decided = i + announce(r, header, &operations[i], index + i, n - i);
        if (!execute_operation(r, header, &operations[i], turn == VR_IS_PASSED_OVER)) return false;
        r->done++;
    }
    return true;
}

/* False: it has to wait, in the midst of it. */
static bool execute_entry(struct vr *r, uint64_t op)
{
    const struct log_slot *slot = log_at(&r->log, op);
    struct bytes body = log_body(&r->log, op), bodies[VR_FORESEEN_MAX];
    struct reader at = reader_over(body.data, body.size);
    struct wire_operation operations[VR_FORESEEN_MAX];
    struct vstamp_id clients[VR_FORESEEN_MAX];
    uint32_t index = 0;
    for (uint32_t left = read_u32(&at), n; left > 0; left -= n, index += n) {
        uint32_t wanted = left < VR_FORESEEN_MAX ? left : VR_FORESEEN_MAX;
        n = decode_some(r, op, &at, wanted, operations);
        for (uint32_t i = 0; i < n; i++) {
            bodies[i] = operations[i].body;
            clients[i] = operations[i].client;
        }
        client_table_foresee(r->clients, clients, n);
        vr_foresee(r, bodies, n);
        if (!execute_some(r, &slot->header, operations, index, n)) return false;
        if (n < wanted || r->over) break;
    }
    r->done = 0;
    r->checkpoint_log_bytes += body.size;
    return true;
}

bool vr_execute(struct vr *r)
{
    uint64_t before = r->applied;
    vr_witness_pass(r);
    while (!r->bare && r->applied < vr_executable(r) && !r->pages.fetching && !r->over &&
           !log_is_hole(&r->log, r->applied + 1)) {
        vr_pass_over_look(r);
        if (vr_is_stuck(r) &&
            vr_turn_of(r, r->applied + 1, r->done) != VR_IS_PASSED_OVER)
            break;
        if (!execute_entry(r, r->applied + 1) || r->over) break;
        r->applied++;
        vr_digest_point(r);
        if (r->over) break;
        vr_epoch_passed(r, r->applied);
        vr_checkpoint_if_due(r);
    }
    return r->applied > before;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* Requests of clients and how they share a prepare (paper sections 4.1 and 6.2).
 *
 *   REQUEST -> checks -> the waiting batch -> one log entry with all of them -> PREPARE
 *
 * The batch becomes a prepare at the end of the turn in which the pipeline has room: nothing waits
 * on an idle group, and under load what arrives while the pipeline is full shares the next entry.
 *
 *   B1  an operation is checked by the application before it enters the log (PIT-1.7);
 *   B2  a request is new only if it is in neither the client table (executed) nor in flight
 *       (PIT-7.5);
 *   B3  a number is exactly one above the last: nothing older can ever run after something newer;
 *   B4  a new primary judges no request before it has executed all that its view began with: what
 *       its client table does not know yet may have been answered by the former primary, or may be
 *       in its log (PIT-1.4);
 *   B5  a number stands for one request.  Another request under the same number is no retry: it
 *       comes from a second process with the same identity, and must not be given the answer to the
 *       first one (PIT-6.5). */
#include "vr/rooms.h"

#define BATCH_HEAD 4u /* u32 count */

void vr_batch_leave_view(struct vr *r)
{
    r->batch.size = 0;
    r->batch.ok = true;
    r->batch_count = 0;
    write_u32(&r->batch, 0);
    r->ticking = false;
}

void vr_batch_clear(struct vr *r)
{
    vr_batch_leave_view(r);
    inflight_clear(&r->inflight);
}

/* What was asked in an earlier view may be in the log of this one, so no copy of it is refused
 * (session.c, C2): a word that names no request tells of the view, and its primary is asked. */
void vr_batch_begin_view(struct vr *r)
{
    const struct inflight_request *waiting;
    for (uint32_t at = 0; (waiting = inflight_next(&r->inflight, &at)) != NULL;)
        VR_ANSWER(r, waiting->origin, reject, .client = waiting->client,
                  .reason = WIRE_REJECT_NOT_PRIMARY);
    inflight_clear(&r->inflight);
}

bool vr_accepts_requests(const struct vr *r)
{
    bool room = r->batch.size <= r->batch.capacity / 2 && r->batch_count < BATCH_REQUESTS_MAX;
    return (room || vr_is_stuck(r)) && r->reads_count < READS_WAITING_MAX; /* PO2: else refuses */
}

/* Of the next entry, if it were logged now. */
uint64_t vr_next_timestamp(const struct vr *r)
{
    uint64_t last = log_last(&r->log)->timestamp, time = vr_time(r);
    return time > last ? time : last + 1;
}

static void prepare(struct vr *r, struct bytes body)
{
    const struct wire_entry_header *last = log_last(&r->log);
    struct wire_entry_header header = {
        .op = last->op + 1,
        .view = r->view,
        .epoch = r->epoch,
        .version = vr_version_of_next(r),
        .timestamp = vr_next_timestamp(r),
        .parent = last->checksum,
    };
    header.checksum = log_checksum(r->group, &header, body);
    if (vr_version_rises(r))
        vr_mark(r, VR_MARK_version_rises, "to=%u op=%" PRIu64, header.version, header.op);
    vr_append(r, &header, body);
    VR_BROADCAST(r, prepare, .commit = r->commit, .held = vr_held(r),
                 .entry = (struct wire_entry){.header = header, .body = body});
}

static void prepare_batch(struct vr *r)
{
    struct writer count = writer_over(r->batch.start, BATCH_HEAD);
    write_u32(&count, r->batch_count);
    prepare(r, (struct bytes){r->batch.start, r->batch.size});
    r->batch.size = BATCH_HEAD;
    r->batch_count = 0;
}

/* What is uncommitted must fit into the log of a backup that takes it in one step
 * (state_transfer.c), whatever else that log keeps; that of a witness keeps a quarter, and a batch
 * may lie badly at its end. */
static bool pipeline_has_room(const struct vr *r, size_t bytes)
{
    if (r->log.op - r->commit >= r->config.pipeline) return false;
    for (uint64_t op = r->commit + 1; op <= r->log.op; op++) bytes += log_body(&r->log, op).size;
    if (bytes > IN_FLIGHT_BATCHES * (size_t)r->config.batch_bytes) return false;
    if (r->config.witnesses != 0) return bytes <= vr_log_bytes_min(&r->config) / 8 * 3;
    return bytes <= r->config.log_bytes / 2;
}

uint64_t vr_surely_committed(const struct vr *r)
{
    uint64_t op = r->log.op;
    for (size_t bytes = 0; op > r->commit && r->log.op - op < PIPELINE_MAX; op--) {
        bytes += log_at(&r->log, op)->size;
        if (bytes > IN_FLIGHT_BATCHES * (size_t)r->config.batch_bytes) break;
    }
    return op;
}

void vr_batch_settle(struct vr *r)
{
    if (!vr_is_primary(r) || r->suspects || vr_is_stuck(r)) return; /* PO2 */
    if (r->batch_count == 0 && !vr_version_calls_for_entry(r)) return;
    if (vr_epoch_is_closed(r)) return; /* E1 */
    if (vr_view_is_over(r)) {
        vr_mark(r, VR_MARK_view_is_over, "waiting requests=%u", r->batch_count);
        return;
    }
    if (!pipeline_has_room(r, r->batch.size)) return;
    if (!vr_can_append(r, r->batch.size)) {
        vr_mark(r, VR_MARK_batch_finds_no_room, "size=%zu", r->batch.size);
        return;
    }
    prepare_batch(r);
}

/* False if it has no room now. */
static bool put_into_batch(struct vr *r, const struct wire_operation *operation)
{
    size_t before = r->batch.size;
    if (r->batch_count == BATCH_REQUESTS_MAX) return false;
    wire_encode(&wire_shape_operation, operation, &r->batch);
    if (!r->batch.ok) {
        r->batch.size = before;
        r->batch.ok = true;
        return false;
    }
    r->batch_count++;
    return true;
}

/* A request, if need be after what waits has become an entry; false if that cannot be now. */
static bool add_to_batch(struct vr *r, const struct vr_asker *asker, const struct wire_request *m)
{
    uint8_t prediction[VR_PREDICTION_ROOM];
    struct vstamp_diag why;
    struct wire_operation operation = {.client = m->client,
                                       .session = m->session,
                                       .number = m->number,
                                       .kind = m->kind,
                                       .body = m->body};
    if (m->kind == WIRE_KIND_APPLY &&
        !vr_app_predict(r, m->body, prediction, &operation.prediction, &why)) {
        /* not for ever: another seed may do, and a copy of this request may come later */
        if (!r->over) vr_reject(r, asker, WIRE_REJECT_UNAVAILABLE, why.text);
        return true;
    }
    if (!put_into_batch(r, &operation)) {
        vr_batch_settle(r);
        if (!put_into_batch(r, &operation)) return false;
    }
    inflight_add(&r->inflight, m->client, m->kind, m->number, asker->request, asker->origin);
    return true;
}

/* An operation that no client asked for; false if the batch has no room for it now. */
bool vr_batch_tick(struct vr *r)
{
    struct wire_operation operation = {.kind = WIRE_KIND_TICK};
    return put_into_batch(r, &operation);
}

/* An entry with this operation and no other, ahead of what waits; false: that cannot be now. */
bool vr_prepare_alone(struct vr *r, uint64_t origin, const struct wire_operation *operation)
{
    struct writer w = writer_over(r->answer, r->config.batch_bytes);
    write_u32(&w, 1);
    wire_encode(&wire_shape_operation, operation, &w);
    assert(w.ok);
    if (r->suspects || vr_epoch_is_closed(r) || vr_view_is_over(r) || !vr_time_is_known(r) ||
        !pipeline_has_room(r, w.size) || !vr_can_append(r, w.size))
        return false;
    if (!vstamp_id_is_zero(operation->client))
        inflight_add(&r->inflight, operation->client, operation->kind, operation->number,
                     client_table_request(operation->session, operation->body), origin);
    prepare(r, (struct bytes){w.start, w.size});
    return true;
}

/* Answer a registration or request that the client table settles; true if it did. */
static bool settled_by_table(struct vr *r, const struct vr_asker *asker,
                             const struct wire_request *m)
{
    struct client_record record;
    bool known = client_table_find(r->clients, m->client, &record);
    if (m->kind == WIRE_KIND_REGISTER) {
        if (!known || m->number > record.register_number) return false;
        r->stats.duplicates++;
        if (m->number == record.register_number) {
            vr_mark(r, VR_MARK_registration_repeated, "session=%" PRIu64, record.session);
            vr_reply_registration(r, asker, &record);
        } else {
            vr_mark(r, VR_MARK_registration_outdated, "session=%" PRIu64, record.session);
            vr_reject(r, asker, WIRE_REJECT_STALE, "a newer registration");
        }
        return true;
    }
    if (!known || m->session != record.session) {
        vr_mark(r, known ? VR_MARK_session_taken_over : VR_MARK_session_unknown, "session=%" PRIu64,
                m->session);
        vr_reject(r, asker, WIRE_REJECT_EVICTED,
                  known ? "the session was taken over" : "no such session");
    } else if (m->number == record.number && asker->request != record.request) {
        vr_mark(r, VR_MARK_number_of_another_request, "number=%" PRIu64, m->number);
        vr_reject(r, asker, WIRE_REJECT_EVICTED, "another request has this number"); /* B5 */
    } else if (m->number == record.number) {
        vr_mark(r, VR_MARK_request_answered_again, "number=%" PRIu64, m->number);
        r->stats.duplicates++;
        vr_tell_outcome(r, asker, record.op, record.outcome, record.answer);
    } else if (m->number < record.number) {
        vr_mark(r, VR_MARK_request_outdated, "number=%" PRIu64, m->number);
        r->stats.duplicates++;
        vr_reject(r, asker, WIRE_REJECT_STALE, "a newer request was executed");
    } else if (m->number > record.number + 1) {
        /* B3; or we were deposed and do not know it yet */
        vr_mark(r, VR_MARK_request_number_leaves_gap, "number=%" PRIu64, m->number);
        vr_reject(r, asker, WIRE_REJECT_UNAVAILABLE, "the request-number leaves a gap");
    } else {
        return false;
    }
    return true;
}

/* May this operation enter the log (B1)?  0, or VSTAMP_E_INVALID or VSTAMP_E_TOO_LARGE and why. */
static int check(const struct vr *r, const struct wire_request *m, struct vstamp_diag *why)
{
    const char *wrong = NULL;
    if (vstamp_id_is_zero(m->client))
        wrong = "a client id of zero";
    else if (m->kind == WIRE_KIND_REGISTER && m->body.size > 0)
        wrong = "a registration has no body";
    else if (m->kind != WIRE_KIND_REGISTER && m->kind != WIRE_KIND_APPLY &&
             m->kind != WIRE_KIND_RECONFIGURE)
        wrong = "this kind of request is not supported";
    if (wrong != NULL) {
        vstamp_diag_printf(why, "%s", wrong);
        return VSTAMP_E_INVALID;
    }
    if (m->kind == WIRE_KIND_REGISTER) return 0;
    uint32_t beside = REQUEST_OVERHEAD;
    if (r->app->predict != NULL) beside += VSTAMP_PREDICTION_BYTES;
    if (m->body.size > r->config.batch_bytes - beside) {
        vstamp_diag_printf(why, "larger than batch_bytes");
        return VSTAMP_E_TOO_LARGE;
    }
    if (m->kind == WIRE_KIND_RECONFIGURE) return 0; /* judged by reconfiguration.c */
    struct vstamp_limits limits = vr_limits_in(r, vr_version(r));
    if (r->app->check == NULL) return 0;
    return r->app->check(&limits, m->body.data, m->body.size, why);
}

static void take_request(struct vr *r, const struct vr_asker *asker, const struct wire_request *m)
{
    struct vstamp_diag why;
    why.text[0] = '\0';
    int wrong = check(r, m, &why);
    if (wrong != 0) {
        bool too_large = wrong == VSTAMP_E_TOO_LARGE;
        vr_reject(r, asker, too_large ? WIRE_REJECT_TOO_LARGE : WIRE_REJECT_INVALID, why.text);
        return;
    }
    struct inflight_request *waiting = inflight_find(&r->inflight, m->client);
    if (waiting != NULL && waiting->kind == m->kind && waiting->number == m->number &&
        waiting->request == asker->request) {
        vr_mark(r, VR_MARK_request_in_flight_already, "number=%" PRIu64, m->number);
        r->stats.duplicates++; /* its answer will come, to the connection that asked last */
        waiting->origin = asker->origin;
        return;
    }
    if (settled_by_table(r, asker, m)) return; /* B2 */
    if (m->kind == WIRE_KIND_RECONFIGURE && waiting == NULL &&
        vr_reconfigure_on_request(r, asker, m))
        return;
    if (vr_is_stuck(r)) { /* PO2 */
        vr_mark(r, VR_MARK_request_finds_application_stuck, "number=%" PRIu64, m->number);
        vr_reject(r, asker, WIRE_REJECT_BUSY, "the application cannot execute an operation");
        return;
    }
    if (vr_proposal_closes(r)) {
        vr_mark(r, VR_MARK_request_finds_epoch_closed, "number=%" PRIu64, m->number);
        vr_reject(r, asker, WIRE_REJECT_BUSY, "the group is about to move to other members");
        return;
    }
    if (waiting != NULL || !add_to_batch(r, asker, m)) {
        vr_mark(r, waiting != NULL ? VR_MARK_client_has_another_in_flight : VR_MARK_batch_is_full,
                "number=%" PRIu64, m->number);
        vr_reject(r, asker, WIRE_REJECT_BUSY, "");
    }
}

/* Is the client in the wrong place?  Then it is told. */
static bool is_misdirected(struct vr *r, const struct vr_asker *asker,
                           const struct wire_header *header, const struct wire_request *m)
{
    if (vstamp_id_is_zero(r->group)) return false;
    if (!vstamp_id_is_zero(header->group) && !vstamp_id_equal(header->group, r->group)) {
        vr_reject(r, asker, WIRE_REJECT_OTHER_GROUP, "");
        return true;
    }
    if (m->application != 0 && m->application != r->application) { /* all members have ours */
        struct vstamp_diag why;
        vstamp_diag_printf(&why, "this group replicates \"%s\", and that is an operation of "
                           "another application", r->app->name);
        vr_reject(r, asker, WIRE_REJECT_INVALID, why.text);
        return true;
    }
    return false;
}

/* Members that were heard lately, and we; a witness is one of them as well as any (6.1). */
static uint32_t count_heard(const struct vr *r)
{
    uint32_t heard = 1;
    for (uint8_t i = 0; i < r->config.n_replicas; i++) {
        bool lately = r->last_heard_us[i] != 0 &&
                      r->now_us - r->last_heard_us[i] <= 2 * vr_patience_us(r);
        heard += i != r->config.self && lately && ((r->cut_off >> i) & 1) == 0;
    }
    return heard;
}

/* There is no primary here now; for people it matters whether there can be one. */
static void tell_no_primary(struct vr *r, const struct vr_asker *asker)
{
    bool is_normal = r->status == VR_NORMAL;
    const char *why = is_normal ? "another primary is being chosen" : vr_status_word(r->status);
    struct vstamp_diag minority;
    uint32_t heard = count_heard(r);
    if ((is_normal || r->status == VR_VIEW_CHANGE) && heard < r->quorum) {
        vstamp_diag_printf(&minority,
                           "no majority: it hears %u of %u replicas, itself included, and needs %u",
                           heard, r->config.n_replicas, r->quorum);
        why = minority.text;
    }
    vr_reject(r, asker, WIRE_REJECT_UNAVAILABLE, why);
}

/* Is this replica the primary, as far as it and the client know?  If not, the client is told. */
static bool leads(struct vr *r, const struct vr_asker *asker, const struct wire_header *header,
                  const struct wire_request *m)
{
    bool is_normal = r->status == VR_NORMAL;
    if (!is_normal || r->suspects || vr_view_is_over(r)) {
        if (is_normal && r->suspects)
            vr_mark(r, VR_MARK_request_out_of_touch, "number=%" PRIu64, m->number);
        tell_no_primary(r, asker);
    } else if (header->epoch > r->epoch || header->view > r->view) {
        /* What our table says of this client may be old. */
        vr_mark(r, VR_MARK_client_is_ahead, "view=%" PRIu64, header->view);
        vr_reject(r, asker, WIRE_REJECT_UNAVAILABLE, "the client knows of a later view");
    } else if (!vr_is_primary(r)) {
        vr_reject(r, asker, WIRE_REJECT_NOT_PRIMARY, "");
    } else {
        return true;
    }
    return false;
}

/* May operations be logged in this view yet?  If not, the client is told. */
static bool is_ready(struct vr *r, const struct vr_asker *asker)
{
    bool executed = r->applied >= r->view_start_op;
    if (executed && vr_time_is_known(r)) return true; /* B4, H3 */
    if (executed)
        vr_mark(r, VR_MARK_request_before_time_is_known, "view=%" PRIu64, r->view);
    else
        vr_mark(r, VR_MARK_request_before_view_is_executed, "applied=%" PRIu64, r->applied);
    vr_reject(r, asker, WIRE_REJECT_BUSY, "the view is just beginning");
    return false;
}

/* As the primary. */
static void serve(struct vr *r, const struct vr_asker *asker, const struct wire_header *header,
                  const struct wire_request *m)
{
    if (m->kind == WIRE_KIND_READ || m->kind == WIRE_KIND_READ_NUMBER) {
        vr_reads_on_request(r, asker, m);
        return;
    }
    if (!is_ready(r, asker)) return;
    if (m->kind != WIRE_KIND_HAND_OVER) {
        take_request(r, asker, m);
    } else if (header->epoch == r->epoch) {
        vr_hand_over_on_request(r, asker, m);
    } else { /* it names a view of an older epoch */
        vr_reject(r, asker, WIRE_REJECT_UNAVAILABLE,
                  "the group has moved to other members meanwhile");
    }
}

/* Does the client live in an older epoch, and cannot be told of ours yet (E3)?  Then it waits: its
 * next request might find a primary of the older one, which knows nothing of this. */
static bool is_early(struct vr *r, const struct vr_asker *asker, const struct wire_header *header)
{
    if (header->epoch >= r->epoch || !r->has_hard_state) return false;
    vr_epoch_tell(r, NOWHERE);
    if (vr_is_durable_state(r)) return false;
    vr_mark(r, VR_MARK_client_cannot_be_told, "epoch=%u", header->epoch);
    vr_reject(r, asker, WIRE_REJECT_UNAVAILABLE, "the group is moving to other members");
    return true;
}

/* Any replica that knows a group tells who is in it, in whatever state it is.  Whoever named an
 * older epoch was told already. */
static void tell_members(struct vr *r, const struct wire_header *header)
{
    if (!r->has_hard_state || header->epoch < r->epoch) return;
    vr_mark(r, VR_MARK_members_asked, "epoch=%u", header->epoch);
    vr_epoch_tell(r, NOWHERE);
}

void vr_on_request(struct vr *r, uint64_t origin, const struct wire_header *header,
                   const struct wire_request *m)
{
    struct vr_asker asker = vr_asker(origin, m);
    bool local = m->kind == WIRE_KIND_READ_STALE || m->kind == WIRE_KIND_READ_CAUSAL;
    bool asks_members = m->kind == WIRE_KIND_MEMBERS;
    r->stranger = origin;
    r->stats.requests++;
    if (is_early(r, &asker, header) || is_misdirected(r, &asker, header, m)) return;
    if (asks_members)
        tell_members(r, header);
    else if (vr_is_witness(r))
        vr_refuse_as_witness(r, &asker, m);
    else if (local && r->status == VR_NORMAL)
        vr_reads_on_request(r, &asker, m);
    else if (leads(r, &asker, header, m))
        serve(r, &asker, header, m);
}

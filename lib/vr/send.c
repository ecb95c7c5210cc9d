/* SPDX-License-Identifier: BSD-2-Clause */
/* Frames, trace lines and log lines out of the core.  A frame is encoded once, also when it goes to
   all. */
#include <stdarg.h>
#include <stdio.h>

#include "vr/rooms.h"

static struct bytes encode(struct vr *r, uint64_t view, const struct wire_shape *shape,
                           const void *message)
{
    struct wire_header header = {
        .version = vr_version(r),
        .newest = r->config.newest,
        .epoch = r->epoch,
        .group = r->group,
        .view = view,
        .sender = r->config.self,
        .witnesses = r->config.witnesses};
    size_t size = wire_frame_encode(&header, shape, message, r->frame, r->frame_size_max);
    assert(size > 0);
    return (struct bytes){r->frame, size};
}

void vr_answer(struct vr *r, uint64_t origin, const struct wire_shape *shape, const void *message)
{
    if (origin != 0) r->sink.reply(r->sink.ctx, origin, encode(r, r->view, shape, message));
}

static void send_to_all(struct vr *r, uint64_t view, const struct wire_shape *shape,
                        const void *message)
{
    if (r->config.n_replicas == 1) return;
    struct bytes frame = encode(r, view, shape, message);
    for (uint8_t i = 0; i < r->config.n_replicas; i++) {
        if (i != r->config.self) r->sink.send(r->sink.ctx, i, frame);
    }
}

void vr_send(struct vr *r, uint8_t to, uint64_t view, const struct wire_shape *shape,
             const void *message)
{
    if (to == VR_ALL) {
        send_to_all(r, view, shape, message);
    } else if (to == NOWHERE) {
        vr_answer(r, r->stranger, shape, message);
    } else {
        assert(to < vr_n_slots(r) && to != r->config.self);
        r->sink.send(r->sink.ctx, to, encode(r, view, shape, message));
    }
}

struct vr_asker vr_asker(uint64_t origin, const struct wire_request *m)
{
    return (struct vr_asker){.client = m->client,
                             .session = m->session,
                             .number = m->number,
                             .origin = origin,
                             .request = client_table_request(m->session, m->body)};
}

void vr_reply(struct vr *r, const struct vr_asker *to, uint64_t op, struct bytes body)
{
    vr_tell_outcome(r, to, op, WIRE_OUTCOME_ANSWERED, body);
}

void vr_tell_outcome(struct vr *r, const struct vr_asker *to, uint64_t op,
                     enum wire_outcome outcome, struct bytes body)
{
    if (to->origin == 0) return;
    struct wire_reply reply = {.client = to->client,
                               .session = to->session,
                               .number = to->number,
                               .request = to->request,
                               .op = op,
                               .outcome = (uint8_t)outcome,
                               .body = body};
    r->sink.reply(r->sink.ctx, to->origin, encode(r, r->view, &wire_shape_reply, &reply));
}

void vr_reject(struct vr *r, const struct vr_asker *to, enum wire_reject_reason reason,
               const char *text)
{
    r->stats.rejected++;
    if (to->origin == 0) return;
    struct wire_reject reject = {.client = to->client,
                                 .session = to->session,
                                 .number = to->number,
                                 .request = to->request,
                                 .reason = (uint8_t)reason,
                                 .text = bytes_of(text)};
    /* Whoever takes part in nothing cannot bring the others to its view, so clients must not wait
     * until they are there. */
    uint64_t view = r->status == VR_RECOVERING ? 0 : r->view;
    r->sink.reply(r->sink.ctx, to->origin, encode(r, view, &wire_shape_reject, &reject));
}

struct wire_list vr_crash_vector_list(const struct vr *r, uint8_t *buffer, size_t size)
{
    struct wire_list_builder b;
    wire_list_begin(&b, &wire_shape_counter, buffer, size);
    for (uint8_t i = 0; i < r->config.n_replicas; i++) {
        bool added = wire_list_add(&b, &(struct wire_counter){.value = r->crash_vector[i]});
        assert(added);
    }
    return wire_list_end(&b);
}

/* The newest headers, oldest first: as many as can be uncommitted, be it by a primary with another
 * pipeline than ours, and one more to join on to. */
struct wire_list vr_header_list(struct vr *r, uint8_t *buffer, size_t size)
{
    struct wire_list_builder b;
    wire_list_begin(&b, &wire_shape_entry_header, buffer, size);
    uint64_t n = MESSAGE_HEADERS_MAX, from = r->log.op >= n ? r->log.op - n + 1 : 1;
    uint64_t oldest = r->log.first > 1 ? r->log.first - 1 : 1; /* the base, if it is an entry */
    if (from < oldest) from = oldest;
    for (uint64_t op = from; op <= r->log.op; op++) {
        bool added = wire_list_add(&b, log_header(&r->log, op));
        assert(added);
    }
    return wire_list_end(&b);
}

uint64_t vr_hole_bits(const struct vr *r)
{
    uint64_t bits = 0;
    for (uint32_t i = 0; r->log.n_holes > 0 && i < MESSAGE_HEADERS_MAX && i < r->log.op; i++)
        bits |= (uint64_t)log_is_hole(&r->log, r->log.op - i) << i;
    return bits;
}

struct wire_list vr_number_list(const uint32_t *numbers, uint32_t n, uint8_t *buffer, size_t size)
{
    struct wire_list_builder list;
    wire_list_begin(&list, &wire_shape_page_number, buffer, size);
    for (uint32_t i = 0; i < n; i++) {
        bool added = wire_list_add(&list, &(struct wire_page_number){.value = numbers[i]});
        assert(added);
    }
    return wire_list_end(&list);
}

void vr_trace(struct vr *r, const char *format, ...)
{
    if (r->sink.trace == NULL) return;
    char line[256];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    r->sink.trace(r->sink.ctx, line);
}

const char *vr_quoted(char into[static VR_QUOTED_SIZE], const char *text)
{
    size_t size = 0;
    into[size++] = '"';
    for (; *text != '\0' && size + 3 < VR_QUOTED_SIZE; text++) {
        bool is_control = (unsigned char)*text < ' ' || *text == 0x7f;
        if (*text == '"' || *text == '\\') into[size++] = '\\';
        into[size++] = is_control ? ' ' : *text;
    }
    into[size++] = '"';
    into[size] = '\0';
    return into;
}

void vr_log(struct vr *r, enum log_level level, const char *event, const char *format, ...)
{
    char detail[VR_QUOTED_SIZE + 160];
    va_list args;
    va_start(args, format);
    vsnprintf(detail, sizeof detail, format, args);
    va_end(args);
    vr_trace(r, "%s %s", event, detail);
    r->sink.log(r->sink.ctx, level, event, detail);
}

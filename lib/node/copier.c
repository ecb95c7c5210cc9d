/* SPDX-License-Identifier: BSD-2-Clause */
/* One question at a time.  First the pages: each question tells the hashes of what the copy holds,
 * so that the answer brings what differs.  When another checkpoint answers than the one begun with,
 * it is compared from its first page on; what is equal is not sent again, so each round is shorter
 * than the one before unless nearly everything changes all the time.  Then the entries that follow
 * it; if they are gone from the log by then, a newer checkpoint is there to begin again with.
 *
 * Answers come from a network and are checked: entries must chain to the checkpoint and have the
 * checksums that they claim. */
#include "node/copier.h"

#include <inttypes.h>
#include <string.h>

#include "base/assert.h"
#include "vr/log.h"
#include "vr/pages.h"
#include "wire/frame.h"

void copier_init(struct copier *c, uint64_t target, uint64_t time_us, const char *program,
                 uint64_t *hashes, uint32_t n_pages_max)
{
    *c = (struct copier){.target = target,
                         .head = {.version = COPY_VERSION,
                                  .program = bytes_of(program),
                                  .time = time_us},
                         .nonce = time_us,
                         .hashes = hashes,
                         .n_pages_max = n_pages_max};
}

size_t copier_ask(struct copier *c, uint8_t frame[static COPIER_FRAME_MAX])
{
    struct wire_header header = {.group = c->head.group, .sender = WIRE_SENDER_CLIENT};
    c->nonce++;
    if (c->phase != COPIER_PAGES) {
        struct wire_get_committed m = {.nonce = c->nonce, .after = c->op};
        return wire_frame_encode(&header, &wire_shape_get_committed, &m, frame, COPIER_FRAME_MAX);
    }
    uint8_t buffer[COPY_HASHES_MAX * 8];
    struct wire_list_builder list;
    wire_list_begin(&list, &wire_shape_page_hash, buffer, sizeof buffer);
    for (uint32_t i = 0; i < COPY_HASHES_MAX && i < c->n_pages_max - c->page; i++) {
        bool added = wire_list_add(&list, &(struct wire_page_hash){c->hashes[c->page + i]});
        assert(added);
    }
    struct wire_get_checkpoint m = {
        .nonce = c->nonce, .first = c->page, .hashes = wire_list_end(&list)};
    size_t size =
        wire_frame_encode(&header, &wire_shape_get_checkpoint, &m, frame, COPIER_FRAME_MAX);
    assert(size > 0);
    return size;
}

static int senseless(const char *what, struct vstamp_diag *diag)
{
    vstamp_diag_printf(diag, "answers with %s", what);
    return VSTAMP_E_MALFORMED;
}

static int other_group(struct vstamp_diag *diag)
{
    vstamp_diag_printf(diag, "is of another group than the replica that was asked before");
    return VSTAMP_E_OTHER_GROUP;
}

static void put(struct copier *c, struct writer *into, enum journal_kind kind,
                const struct wire_shape *shape, const void *record)
{
    bool fits = copy_put(&c->writer, into, kind, shape, record);
    assert(fits);
}

static void restart(struct copier *c)
{
    c->phase = COPIER_PAGES;
    c->page = 0;
    c->n_restarts++;
}

/* --- pages ------------------------------------------------------------------------------------ */

/* The first answer begins the file; later ones must be of replicas that were told the same. */
static int learn(struct copier *c, const struct wire_state_form *form, struct writer *into,
                 struct vstamp_diag *diag)
{
    uint8_t encoded[sizeof c->form];
    struct writer w = writer_over(encoded, sizeof encoded);
    wire_encode(&wire_shape_state_form, form, &w);
    if (!w.ok) return senseless("an application of too long a name", diag);
    if (c->form_size > 0) {
        bool same = w.size == c->form_size && memcmp(encoded, c->form, w.size) == 0;
        if (same) return 0;
        vstamp_diag_printf(diag, "has other max_clients, max_value_bytes, batch_bytes or "
                                 "state_bytes_max than the replica that was asked before");
        return VSTAMP_E_OTHER_GROUP;
    }
    memcpy(c->form, encoded, w.size);
    c->form_size = w.size;
    c->head.form = *form;
    put(c, into, JOURNAL_COPY_HEAD, &wire_shape_copy_head, &c->head);
    c->head.form.application = (struct bytes){0}; /* it points into the frame */
    c->writer.number = c->head.time;
    return 0;
}

static int check_pages(const struct copier *c, const struct wire_checkpoint *m,
                       struct vstamp_diag *diag)
{
    if (m->first != c->page || m->next < m->first || m->total > c->n_pages_max ||
        m->next > (m->total > m->first ? m->total : m->first) || m->anchor.op > NUMBER_MAX ||
        (m->anchor.op == 0 && m->total > 0)) {
        return senseless("pages that were not asked for", diag);
    }
    struct reader at = wire_list_start(&m->pages);
    for (uint32_t i = 0; i < m->pages.count; i++) {
        struct wire_page page;
        wire_list_next(&wire_shape_page, &at, &page);
        if (page.number < m->first || page.number >= m->next ||
            (page.content.size != 0 && page.content.size != VSTAMP_PAGE_SIZE)) {
            return senseless("pages that were not asked for", diag);
        }
    }
    if (m->next == m->first && m->next < m->total) return senseless("no page", diag);
    return 0;
}

static int on_checkpoint(struct copier *c, const struct wire_checkpoint *m, struct writer *into,
                         struct vstamp_diag *diag)
{
    int rv = check_pages(c, m, diag);
    if (rv == 0) rv = learn(c, &m->form, into, diag);
    if (rv != 0) return rv;
    bool same = vstamp_id_equal(m->anchor.checksum, c->anchor.checksum);
    c->anchor = m->anchor;
    c->total = m->total;
    if (!same && m->first > 0) {
        restart(c);
        return 0;
    }
    struct reader at = wire_list_start(&m->pages);
    for (uint32_t i = 0; i < m->pages.count; i++) {
        struct wire_page page;
        wire_list_next(&wire_shape_page, &at, &page);
        c->hashes[page.number] = pages_hash(page.content.size > 0 ? page.content.data : NULL);
        put(c, into, JOURNAL_COPY_PAGE, &wire_shape_page, &page);
    }
    c->page = m->next;
    if (c->page < c->total) return 0;
    struct wire_copy_checkpoint_end end = {.anchor = c->anchor, .n_pages = c->total};
    put(c, into, JOURNAL_COPY_CHECKPOINT_END, &wire_shape_copy_checkpoint_end, &end);
    c->op = c->anchor.op;
    c->checksum = c->anchor.checksum;
    c->phase = COPIER_ENTRIES;
    return 0;
}

/* --- entries ---------------------------------------------------------------------------------- */

static bool chains(const struct copier *c, const struct wire_entry *entry)
{
    struct vstamp_id checksum = log_checksum(c->head.group, &entry->header, entry->body);
    return entry->header.op == c->op + 1 &&
           vstamp_id_equal(entry->header.parent, c->checksum) &&
           vstamp_id_equal(entry->header.checksum, checksum);
}

static int on_committed(struct copier *c, const struct wire_committed *m, struct writer *into,
                        struct vstamp_diag *diag)
{
    if (m->after != c->op) return senseless("entries that were not asked for", diag);
    if (m->log_start > c->op + 1) {
        restart(c);
        return 0;
    }
    struct reader at = wire_list_start(&m->entries);
    for (uint32_t i = 0; i < m->entries.count; i++) {
        struct wire_entry entry;
        wire_list_next(&wire_shape_entry, &at, &entry);
        if (!chains(c, &entry)) return senseless("entries that do not follow each other", diag);
        put(c, into, JOURNAL_COPY_ENTRY, &wire_shape_entry, &entry);
        c->op = entry.header.op;
        c->checksum = entry.header.checksum;
    }
    c->phase = m->entries.count > 0 ? COPIER_ENTRIES : COPIER_WAITING;
    return 0;
}

/* --- answers ---------------------------------------------------------------------------------- */

static int on_reject(const struct wire_reject *m, struct vstamp_diag *diag)
{
    if (m->reason == WIRE_REJECT_OTHER_GROUP) return other_group(diag);
    vstamp_diag_printf(diag, "%.*s", (int)m->text.size, (const char *)m->text.data);
    return VSTAMP_E_NOT_RUN;
}

static int check_group(struct copier *c, const struct wire_header *header, struct vstamp_diag *diag)
{
    if (vstamp_id_is_zero(header->group)) return senseless("no group", diag);
    if (vstamp_id_is_zero(c->head.group)) c->head.group = header->group;
    return vstamp_id_equal(c->head.group, header->group) ? 0 : other_group(diag);
}

static void finish_if_complete(struct copier *c, struct writer *into)
{
    if (c->phase == COPIER_PAGES || c->op < c->target) return;
    struct wire_copy_tail tail = {.op = c->op, .n_records = c->writer.n_records};
    put(c, into, JOURNAL_COPY_TAIL, &wire_shape_copy_tail, &tail);
    c->phase = COPIER_COMPLETE;
}

int copier_on_frame(struct copier *c, struct bytes frame, struct writer *into, bool *answered,
                    struct vstamp_diag *diag)
{
    assert(c->phase != COPIER_COMPLETE);
    struct wire_message m;
    *answered = false;
    if (wire_frame_decode(frame, &m) != 0) return senseless("a frame that makes no sense", diag);
    bool wanted = c->phase == COPIER_PAGES ? m.header.command == WIRE_checkpoint
                                           : m.header.command == WIRE_committed;
    uint64_t nonce = m.header.command == WIRE_reject       ? m.as.reject.number
                     : m.header.command == WIRE_checkpoint ? m.as.checkpoint.nonce
                     : m.header.command == WIRE_committed  ? m.as.committed.nonce
                                                           : 0;
    if (nonce != c->nonce) return 0;
    *answered = true;
    if (m.header.command == WIRE_reject) return on_reject(&m.as.reject, diag);
    if (!wanted) return senseless("what was not asked for", diag);
    int rv = check_group(c, &m.header, diag);
    if (rv == 0 && m.header.command == WIRE_checkpoint)
        rv = on_checkpoint(c, &m.as.checkpoint, into, diag);
    else if (rv == 0)
        rv = on_committed(c, &m.as.committed, into, diag);
    if (rv == 0) finish_if_complete(c, into);
    return rv;
}

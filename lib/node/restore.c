/* SPDX-License-Identifier: BSD-2-Clause */
/* Reading back what store.c wrote, at a start.  The host brings the bytes; here they are checked
 * and given to the core in order. */
#include <inttypes.h>
#include <string.h>

#include "node/journal.h"
#include "node/node_state.h"

/* Is this file ours?  Its first record says. */
static int check_owner(const struct node *n, struct journal_reader *r, struct wire_segment *whose,
                       struct vstamp_diag *diag)
{
    enum journal_kind kind;
    struct bytes body;
    if (journal_next(r, &kind, &body) != JOURNAL_RECORD || kind != JOURNAL_SEGMENT ||
        wire_decode(&wire_shape_segment, body, whose) != 0 || whose->number != r->number) {
        vstamp_diag_printf(diag, "the first record does not check");
        return VSTAMP_E_CORRUPT;
    }
    if (whose->version != JOURNAL_VERSION) {
        vstamp_diag_printf(diag, "format %u, this program reads format %u", whose->version,
                           JOURNAL_VERSION);
        return VSTAMP_E_VERSION;
    }
    if (whose->replica != n->config.self) {
        vstamp_diag_printf(diag, "belongs to replica %u, this is replica %u", whose->replica,
                           n->config.self);
        return VSTAMP_E_CONFIG;
    }
    if (whose->members != n->config.members) {
        vstamp_diag_printf(diag,
                           "was written with other replicas_addresses, durability, max_clients, "
                           "max_value_bytes, batch_bytes or state_bytes_max: give it the "
                           "configuration that it was started with");
        return VSTAMP_E_CONFIG;
    }
    if (!vstamp_id_is_zero(n->vr.group) && !vstamp_id_is_zero(whose->group) &&
        !vstamp_id_equal(whose->group, n->vr.group)) {
        vstamp_diag_printf(diag, "belongs to another group than the files before it");
        return VSTAMP_E_OTHER_GROUP;
    }
    return 0;
}

static int corrupt(struct vstamp_diag *diag, size_t place)
{
    vstamp_diag_printf(diag, "damaged at byte %zu", place);
    return VSTAMP_E_CORRUPT;
}

/* The pages of a checkpoint, up to its tail. */
static int restore_pages(struct node *n, struct journal_reader *r, uint32_t n_pages,
                         struct vstamp_diag *diag)
{
    for (uint32_t count = 0;; count++) {
        size_t place = r->place;
        enum journal_kind kind;
        struct bytes body;
        if (journal_next(r, &kind, &body) != JOURNAL_RECORD) return corrupt(diag, place);
        if (kind == JOURNAL_CHECKPOINT_TAIL) {
            struct wire_checkpoint_tail tail;
            if (wire_decode(&wire_shape_checkpoint_tail, body, &tail) != 0) break;
            return tail.n_records == count ? 0 : corrupt(diag, place);
        }
        struct wire_page page;
        if (kind != JOURNAL_PAGE || wire_decode(&wire_shape_page, body, &page) != 0 ||
            page.number >= n_pages || page.content.size != VSTAMP_PAGE_SIZE) {
            return corrupt(diag, place);
        }
        memcpy(pages_write(&n->vr.pages, page.number), page.content.data, VSTAMP_PAGE_SIZE);
    }
    return corrupt(diag, r->place);
}

static int restore_checkpoint(struct node *n, uint64_t number, struct bytes file,
                              struct vstamp_diag *diag)
{
    struct wire_segment whose;
    struct journal_reader r = {.file = file, .number = number};
    int rv = check_owner(n, &r, &whose, diag);
    if (rv != 0) return rv;
    enum journal_kind kind;
    struct bytes body;
    struct wire_checkpoint_head head;
    if (journal_next(&r, &kind, &body) != JOURNAL_RECORD || kind != JOURNAL_CHECKPOINT_HEAD ||
        wire_decode(&wire_shape_checkpoint_head, body, &head) != 0 ||
        head.n_pages > n->config.state_pages) {
        return corrupt(diag, r.place);
    }
    rv = restore_pages(n, &r, head.n_pages, diag);
    if (rv != 0) return rv;
    pages_checkpoint(&n->vr.pages);
    rv = vr_restore_checkpoint(&n->vr, whose.group, &head.anchor);
    if (rv != 0) {
        vstamp_diag_printf(diag, "its pages do not make sense");
        return rv;
    }
    n->restore.checkpoint = number;
    return 0;
}

int node_restore_checkpoint(struct node *n, uint64_t number, struct bytes file,
                            struct vstamp_diag *diag)
{
    node_record_file(n, file);
    NODE_RECORD(n, checkpoint, .number = number);
    int rv = restore_checkpoint(n, number, file, diag);
    node_note_result(n, rv, number);
    node_record_outputs(n);
    return rv;
}

static int replay(struct node *n, enum journal_kind kind, struct bytes body)
{
    if (kind == JOURNAL_HARD_STATE) {
        struct wire_hard_state state;
        if (wire_decode(&wire_shape_hard_state, body, &state) != 0) return VSTAMP_E_CORRUPT;
        return vr_restore_state(&n->vr, &state);
    }
    struct wire_journal_entry record;
    if (kind != JOURNAL_ENTRY || wire_decode(&wire_shape_journal_entry, body, &record) != 0)
        return VSTAMP_E_CORRUPT;
    return vr_restore_entry(&n->vr, record.commit, &record.entry);
}

static int too_much(struct vstamp_diag *diag)
{
    vstamp_diag_printf(diag, "holds more entries than the log has room for: give it the log_bytes "
                             "and checkpoint_ops that it was started with, or larger ones");
    return VSTAMP_E_CONFIG;
}

static int no_checkpoint(struct vstamp_diag *diag)
{
    vstamp_diag_printf(diag, "the checkpoint before the journal is missing");
    return VSTAMP_E_CORRUPT;
}

/* Does this segment go on where the one before it ends? */
static int check_order(struct node *n, const struct wire_segment *whose, struct vstamp_diag *diag)
{
    struct node_restore *seen = &n->restore;
    if (seen->first == 0) {
        seen->first = whose->number;
        if (seen->checkpoint == 0 && whose->number > 1) return no_checkpoint(diag);
    } else if (whose->number != n->journal.segment + 1) {
        vstamp_diag_printf(diag, "the journal before it is missing");
        return VSTAMP_E_CORRUPT;
    } else if (whose->previous_size != n->journal.place) {
        vstamp_diag_printf(diag, "the journal before it had %" PRIu64 " bytes, and has %" PRIu64,
                           whose->previous_size, n->journal.place);
        return VSTAMP_E_CORRUPT;
    }
    return 0;
}

static int restore_journal(struct node *n, uint64_t number, struct bytes file, bool newest,
                           size_t *valid_size, struct vstamp_diag *diag)
{
    struct journal_reader r = {.file = file, .number = number};
    *valid_size = 0;
    if (newest && !journal_continues(&(struct journal_reader){.file = file, .number = number})) {
        enum journal_kind kind;
        struct bytes body;
        struct journal_reader first = r;
        if (journal_next(&first, &kind, &body) != JOURNAL_RECORD) {
            if (n->restore.first == 0) {
                n->restore.first = number;
                n->journal.segment = number - 1;
            }
            vr_mark(&n->vr, VR_MARK_first_write_torn, "segment=%" PRIu64, number);
            return 0; /* it is begun again */
        }
    }
    struct wire_segment whose;
    int rv = check_owner(n, &r, &whose, diag);
    if (rv == 0) rv = check_order(n, &whose, diag);
    if (rv != 0) return rv;
    n->journal.segment = number;
    for (;;) {
        *valid_size = n->journal.place = r.place;
        enum journal_kind kind;
        struct bytes body;
        switch (journal_next(&r, &kind, &body)) {
        case JOURNAL_END: return 0;
        case JOURNAL_BAD:
            if (!newest || journal_continues(&r)) return corrupt(diag, r.place);
            vr_mark(&n->vr, VR_MARK_torn_tail_cut, "segment=%" PRIu64 " at=%zu", number, r.place);
            return 0;
        case JOURNAL_RECORD:
            rv = replay(n, kind, body);
            if (rv == VSTAMP_E_NO_ROOM) return too_much(diag);
            if (rv != 0) return corrupt(diag, *valid_size);
        }
    }
}

int node_restore_journal(struct node *n, uint64_t number, struct bytes file, bool newest,
                         size_t *valid_size, struct vstamp_diag *diag)
{
    node_record_file(n, file);
    NODE_RECORD(n, segment, .number = number, .newest = newest);
    int rv = restore_journal(n, number, file, newest, valid_size, diag);
    node_note_result(n, rv, *valid_size);
    node_record_outputs(n);
    return rv;
}

static int restore_done(const struct node *n, struct vstamp_diag *diag)
{
    const struct node_restore *seen = &n->restore;
    if (seen->checkpoint > n->journal.segment ||
        (seen->checkpoint > 0 && seen->first > seen->checkpoint)) {
        vstamp_diag_printf(diag, "the journal that follows the checkpoint is missing");
        return VSTAMP_E_CORRUPT;
    }
    return seen->checkpoint == 0 && seen->first > 1 ? no_checkpoint(diag) : 0;
}

int node_restore_done(struct node *n, struct vstamp_diag *diag)
{
    NODE_RECORD(n, step, .step = RECORDING_RESTORED);
    int rv = restore_done(n, diag);
    node_note_result(n, rv, 0);
    node_record_outputs(n);
    return rv;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* Replaying the journal, segment by segment.  What does not check at the end of the newest one is
 * the torn end of the last write; anywhere else it is damage. */
#include <inttypes.h>

#include "node/journal.h"
#include "node/node_state.h"

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

/* Does this segment go on where the one before it ends? */
static int check_order(struct node *n, const struct wire_segment *whose, struct vstamp_diag *diag)
{
    struct node_restore *seen = &n->restore;
    if (seen->first == 0) {
        seen->first = whose->number;
        if (seen->checkpoint == 0 && whose->number > 1) return node_lacks_checkpoint(diag);
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
    int rv = node_check_owner(n, &r, &whose, diag);
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
            if (!newest || journal_continues(&r)) return node_corrupt(diag, r.place);
            vr_mark(&n->vr, VR_MARK_torn_tail_cut, "segment=%" PRIu64 " at=%zu", number, r.place);
            return 0;
        case JOURNAL_RECORD:
            rv = replay(n, kind, body);
            if (rv == VSTAMP_E_NO_ROOM) return too_much(diag);
            if (rv != 0) return node_corrupt(diag, *valid_size);
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

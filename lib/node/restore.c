/* SPDX-License-Identifier: BSD-2-Clause */
/* Reading back what store.c wrote, at a start.  The host brings the bytes; here they are checked
 * and given to the core in order: restore_checkpoint.c, then restore_journal.c. */
#include "base/arena.h"
#include "node/journal.h"
#include "node/node_state.h"

#define WINDOW_MIN (1u << 20)

void node_restore_init(struct node *n, struct arena *arena)
{
    struct node_restore *restore = &n->restore;
    restore->batch_size_max = node_batch_size_max(&n->vr.given);
    size_t size = restore->batch_size_max + JOURNAL_BLOCK;
    restore->window.capacity = size > WINDOW_MIN ? size : WINDOW_MIN;
    restore->window.bytes = arena_take_aligned(arena, restore->window.capacity, JOURNAL_BLOCK);
}

/* Is this file ours? */
int node_is_ours(const struct node *n, const struct wire_segment *whose, struct vstamp_diag *diag)
{
    const struct vr_config *c = &n->vr.config;
    const struct wire_settings ours = vr_settings(&n->vr.given);
    struct vr_setting setting;
    int rv = journal_check_version(whose->version, c->oldest, c->newest, diag);
    if (rv != 0) return rv;
    if (!bytes_equal(whose->address, bytes_of(n->vr.address))) {
        vstamp_diag_printf(diag, "belongs to the replica at %.*s, this is the one at %s",
                           (int)whose->address.size, (const char *)whose->address.data,
                           n->vr.address);
        return VSTAMP_E_CONFIG;
    }
    if (!bytes_equal(whose->application, bytes_of(n->vr.app->name))) {
        vstamp_diag_printf(diag,
                           "holds the state of the application \"%.*s\", this is \"%s\": give it "
                           "the application that it was started with, or an empty folder",
                           (int)whose->application.size, (const char *)whose->application.data,
                           n->vr.app->name);
        return VSTAMP_E_CONFIG;
    }
    if (vr_settings_differ(&whose->settings, &ours, &setting)) {
        vstamp_diag_printf(diag,
                           "was written with %s %s, and the configuration says %s: give it the "
                           "one that it was started with; or restore a backup with the new one; "
                           "or, if vstamp-admin journal calls this folder blank, remove it",
                           setting.key, setting.theirs, setting.ours);
        return VSTAMP_E_CONFIG;
    }
    bool used = n->vr.log.op > 0; /* else it may have left that group (vr/reconfiguration.c) */
    if (used && !vstamp_id_is_zero(n->vr.group) && !vstamp_id_is_zero(whose->group) &&
        !vstamp_id_equal(whose->group, n->vr.group)) {
        vstamp_diag_printf(diag, "belongs to another group than the files before it");
        return VSTAMP_E_OTHER_GROUP;
    }
    return 0;
}

/* Its first record says. */
int node_check_owner(const struct node *n, struct journal_reader *r, struct wire_segment *whose,
                     struct vstamp_diag *diag)
{
    enum journal_kind kind;
    struct bytes body;
    if (journal_next(r, &kind, &body) != JOURNAL_RECORD || kind != JOURNAL_SEGMENT ||
        wire_decode(&wire_shape_segment, body, whose) != 0 || whose->number != r->number) {
        vstamp_diag_printf(diag, "the first record does not check");
        return VSTAMP_E_CORRUPT;
    }
    return node_is_ours(n, whose, diag);
}

bool node_restore_give_up(struct node *n)
{
    if (n->vr.config.n_replicas < 3) return false; /* as far as could be read */
    NODE_RECORD(n, step, .step = RECORDING_GAVE_UP);
    n->restore = (struct node_restore){0};
    node_journal_forget(n);
    node_checkpoint_forget(n);
    vr_restore_give_up(&n->vr);
    node_record_outputs(n);
    return true;
}

bool node_is_blank(const struct node *n)
{
    return !n->vr.has_hard_state && !n->vr.lost;
}

static int restore_done(const struct node *n, struct vstamp_diag *diag)
{
    const struct node_restore *seen = &n->restore;
    /* By the records that a checkpoint's segment begins with; or that all before is void. */
    bool said = !node_is_blank(n) || seen->forgotten;
    if (seen->checkpoint == 0 || (seen->first <= seen->checkpoint && said)) return 0;
    vstamp_diag_printf(diag, "the journal that follows the checkpoint is missing");
    return VSTAMP_E_CORRUPT;
}

int node_restore_done(struct node *n, struct vstamp_diag *diag)
{
    NODE_RECORD(n, step, .step = RECORDING_RESTORED);
    int rv = restore_done(n, diag);
    node_note_result(n, rv, 0);
    node_record_outputs(n);
    return rv;
}

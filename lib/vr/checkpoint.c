/* SPDX-License-Identifier: BSD-2-Clause */
/* Checkpoints (paper section 5.1): the replicated state, client table and answers included
 * (PIT-1.5), at one op-number.  Taking one copies nothing (pages.h).  One is due checkpoint_ops ops
 * after the last one, or earlier when the log's bytes ask for it.  So replicas mostly take them at
 * the same op-numbers, but nothing depends on that: one whose disk has not yet stored the last one
 * takes the next one late, and counts from there.
 *
 * Entries up to the newest stored checkpoint may leave the log.  A peer that needs them gets pages.
 *
 * These are of an *image*, the state at one op-number (pages.h).  Each checkpoint begins with one,
 * which the disk needs until it is stored, and later only who reads it: a peer, or a copy of the
 * state (copy.c).  If nobody does, it is dropped once much was copied for it, and who asks then has
 * another one taken, of what is executed by now. */
#include "vr/rooms.h"

#define COPIES_MAX 4096u /* 16 MiB */

/* Of the log's bytes, those between two checkpoints: the more there are the fewer pages are stored
 * for an entry, since pages change again; the rest is for what comes while one is stored. */
static uint64_t interval_bytes(const struct vr *r)
{
    return r->config.log_bytes / 8 * 3;
}

static void take_image(struct vr *r, uint64_t op)
{
    const struct wire_entry_header *anchor = log_header(&r->log, op);
    assert(anchor != NULL); /* what is executed is in the log, or is its base */
    r->image_anchor = *anchor;
    r->image_read = false;
    pages_checkpoint(&r->pages);
}

static bool take(struct vr *r, uint64_t op)
{
    if (!vr_app_settle(r)) return false;
    take_image(r, op);
    r->checkpoint_op = op;
    r->checkpoint_anchor = r->image_anchor;
    r->checkpoint_log_bytes = 0;
    r->checkpoint_put_off = false;
    vr_trace(r, "checkpoint op=%" PRIu64, r->checkpoint_op);
    return true;
}

/* The host has not begun to store it, and much was executed since. */
void vr_checkpoint_anew(struct vr *r)
{
    assert(r->checkpoint_storing && !r->pages.fetching);
    if (r->applied > r->checkpoint_op && r->done == 0 && !r->bare) take(r, r->applied);
}

/* Nor can it begin: what is logged above all that is executed has no room there.  An entry may have
 * to come first that is in no log any more; so this one must not keep us from fetching another. */
void vr_checkpoint_put_off(struct vr *r)
{
    assert(r->checkpoint_storing);
    if (r->transfer.storing) return; /* it was fetched, and is waited for (T5) */
    vr_trace(r, "a checkpoint is put off, as the log has no room above it: op=%" PRIu64,
             r->checkpoint_op);
    r->checkpoint_storing = false;
    r->checkpoint_put_off = r->checkpoint_wanted = true;
}

/* One that is being stored will do. */
void vr_checkpoint_soon(struct vr *r)
{
    if (!r->checkpoint_storing) r->checkpoint_wanted = true;
}

/* That of an application with memory of its own is all that can be shown of its state. */
static void drop_image_if_useless(struct vr *r)
{
    uint32_t part = r->config.state_pages / 64;
    if (r->pages.n_copies <= (part < COPIES_MAX ? part : COPIES_MAX)) return;
    if (r->image_read || r->checkpoint_storing || r->checkpoint_put_off || vr_app_has_memory(r))
        return;
    vr_mark(r, VR_MARK_image_dropped, "op=%" PRIu64, r->image_anchor.op);
    pages_drop_image(&r->pages);
}

/* The log has no room for what nothing is executed before: the log of another view, in one step
 * (state_transfer.c, T2), or the entry that passes over an operation (pass_over.c).  So no
 * checkpoint would come due; what was executed makes way now. */
static bool makes_room(const struct vr *r)
{
    bool waits = vr_is_stuck(r) || r->status != VR_NORMAL;
    return waits && r->log_is_short && r->applied > r->checkpoint_op;
}

#define NONE UINT64_MAX

/* The op-number of the checkpoint that is to be taken now, if one is.  That of a witness which may
 * forget nothing has nothing in it, but it takes the place of damaged segments. */
static uint64_t due(struct vr *r)
{
    bool wanted = r->checkpoint_wanted && r->status != VR_RECOVERING && r->applied == r->commit;
    if (r->bare) {
        uint64_t op = vr_witness_forgets(r);
        if (op > 0) return op;
        return wanted ? vr_witness_may_forget(r) : NONE;
    }
    if (r->applied == 0) return NONE;
    if (vr_is_witness(r)) { /* W7 */
        bool frees_some = r->applied > r->checkpoint_op; /* else pages must be fetched: make way */
        return wanted || (frees_some && vr_witness_is_full(r)) ? r->applied : NONE;
    }
    bool many = wanted || r->applied - r->checkpoint_op >= r->config.checkpoint_ops ||
                r->checkpoint_log_bytes >= interval_bytes(r) || makes_room(r);
    return many ? r->applied : NONE;
}

/* It is stored, or need not be. */
void vr_checkpoint_frees(struct vr *r)
{
    r->log.keep_after = r->checkpoint_op;
    if (!r->bare) r->log_is_short = false;
}

void vr_checkpoint_if_due(struct vr *r)
{
    drop_image_if_useless(r);
    if (r->checkpoint_storing || r->over) return;
    if (r->done > 0 && !r->bare) return; /* the state is between two op-numbers */
    if (r->pages.fetching && !vr_witness_needs_room(r)) return;
    if (r->config.durable && !r->started) return; /* replaying: nothing can be stored yet */
    uint64_t op = due(r);
    if (op == NONE || (r->checkpoint_put_off && op == r->checkpoint_op)) return;
    r->checkpoint_wanted = false;
    if (!take(r, op)) return;
    if (r->config.durable) {
        r->checkpoint_storing = true;
        r->sink.store_checkpoint(r->sink.ctx);
    } else {
        vr_checkpoint_frees(r);
    }
}

#define SESSIONS_AT_ONCE 2048u /* steps; of a million clients a millisecond's work */

void vr_checkpoint_audit(struct vr *r, struct client_table *clients, bool of_candidate, uint64_t op)
{
    r->audit = (struct vr_audit){.clients = clients, .of_candidate = of_candidate};
    if (!r->bare || of_candidate) client_table_load(clients, of_candidate, op);
}

/* Look at some more of the pages that may become our state: sessions, then the application's. */
enum vstamp_audit vr_checkpoint_audit_some(struct vr *r)
{
    struct vr_audit *a = &r->audit;
    struct vstamp_pages app = r->app_pages;
    if (r->bare && !a->of_candidate) return VSTAMP_AUDIT_PASSES;
    enum vstamp_audit sessions = client_table_load_some(a->clients, SESSIONS_AT_ONCE);
    if (sessions != VSTAMP_AUDIT_PASSES) return sessions;
    uint32_t n_pages =
        a->of_candidate ? tree_end(pages_tree(&r->pages, PAGES_CANDIDATE)) : r->pages.n_used;
    app.of_candidate = a->of_candidate;
    if (!vr_app_is_row(r, &app)) return VSTAMP_AUDIT_FAILS;
    if (r->app->audit == NULL) return VSTAMP_AUDIT_PASSES;
    vr_app_enter(r, "audit", r->applied);
    enum vstamp_audit audit =
        r->app->audit(&app, n_pages > app.first ? n_pages - app.first : 0, a->memory);
    return vr_app_leave(r) ? audit : VSTAMP_AUDIT_FAILS;
}

/* Why there can be no checkpoint at `anchor`, since it contradicts what is committed here; NULL: it
 * does not. */
const char *vr_checkpoint_contradicts(const struct vr *r, const struct wire_entry_header *anchor)
{
    const struct wire_entry_header *ours = log_header(&r->log, anchor->op);
    bool same = ours != NULL && vstamp_id_equal(ours->checksum, anchor->checksum);
    if (anchor->op > NUMBER_MAX) return "an impossible op-number";
    return !same && anchor->op <= r->commit ? "another entry is committed here" : NULL;
}

/* The live pages, which have passed the audit, hold the state after `anchor`: they were fetched, or
 * read from the disk.  What the log holds beyond it stays if it follows that very entry. */
void vr_checkpoint_adopt(struct vr *r, const struct wire_entry_header *anchor)
{
    const struct wire_entry_header *ours = log_header(&r->log, anchor->op);
    assert(anchor->op >= r->applied || ours != NULL); /* what was passed over is executed yet */
    assert(vr_checkpoint_contradicts(r, anchor) == NULL);
    if (ours == NULL || !vstamp_id_equal(ours->checksum, anchor->checksum)) {
        vr_mark(r, VR_MARK_checkpoint_replaces_log, "op=%" PRIu64, anchor->op);
        log_reset(&r->log, anchor);
        if (r->durable_op > anchor->op) r->durable_op = anchor->op;
    }
    if (vr_has_hole(r, anchor->op)) log_drop(&r->log, anchor->op); /* M5 */
    r->applied = r->loaded_op = anchor->op;
    vr_pass_over_forget(r);
    vr_digest_forget(r);
    vr_commit_up_to(r, anchor->op);
    r->checkpoint_op = anchor->op;
    r->checkpoint_anchor = r->image_anchor = *anchor;
    r->checkpoint_log_bytes = 0;
    r->checkpoint_put_off = r->image_read = false;
    vr_checkpoint_frees(r);
    if (!r->bare) vr_app_resume(r);
}

/* --- for who reads it (page_transfer.c, copy.c) ----------------------------------------------- */

bool vr_image_is_at_hand(struct vr *r)
{
    if (r->bare || r->checkpoint_op == 0) return false;
    bool is_between = r->done > 0; /* two op-numbers */
    if (!r->pages.has_image && !is_between && !r->pages.fetching) {
        take_image(r, r->applied);
        vr_mark(r, VR_MARK_image_for_reader, "op=%" PRIu64, r->image_anchor.op);
    }
    r->image_read = true;
    return r->pages.has_image;
}

/* Is there an image, and are the hashes of all its pages known?  If much has changed they will be
 * some turns from now. */
static bool can_answer(struct vr *r, uint8_t from)
{
    if (r->bare) vr_mark(r, VR_MARK_pages_asked_of_witness, "from=%u", from);
    return vr_image_is_at_hand(r) && pages_settle_soon(&r->pages, PAGES_IMAGE);
}

static bool add_children(struct wire_list_builder *list, const uint64_t *children)
{
    for (uint32_t i = 0; i < TREE_FANOUT; i++) {
        if (!wire_list_add(list, &(struct wire_page_hash){.value = children[i]})) return false;
    }
    return true;
}

static void tell_tree(struct vr *r, uint8_t to, uint64_t nonce, uint8_t level,
                      const struct wire_list *nodes)
{
    const struct tree *tree = pages_tree(&r->pages, PAGES_IMAGE);
    struct wire_list_builder list;
    uint64_t children[TREE_FANOUT];
    wire_list_begin(&list, &wire_shape_page_hash, r->answer, r->answer_size_max);
    struct reader at = wire_list_start(nodes);
    for (uint32_t i = 0; i < nodes->count; i++) {
        struct wire_page_number node;
        wire_list_next(&wire_shape_page_number, &at, &node);
        if (node.value >= tree->levels[level].n) return; /* no tree of this group has it */
        tree_children(tree, level, node.value, children);
        if (!add_children(&list, children)) return; /* more than we would ask for */
    }
    VR_SEND(r, to, tree, .nonce = nonce, .anchor = r->image_anchor, .root = tree_root(tree),
            .level = level, .children = wire_list_end(&list));
}

static void tell_root(struct vr *r, uint8_t to, uint64_t nonce)
{
    static const uint32_t root = 0;
    uint8_t buffer[4];
    struct wire_list nodes = vr_number_list(&root, 1, buffer, sizeof buffer);
    tell_tree(r, to, nonce, pages_tree(&r->pages, PAGES_IMAGE)->top, &nodes);
}

/* The checkpoint is committed state, so replicas ask and answer in any view and any status.  One
 * that asks about another checkpoint than ours is told which one we have; if ours is too old to be
 * of use to it, we take another. */
void vr_on_get_tree(struct vr *r, uint8_t from, const struct wire_get_tree *m)
{
    if (!can_answer(r, from)) return;
    uint64_t op = r->image_anchor.op;
    if (m->level == 0 && m->checkpoint > op && m->checkpoint <= r->commit) {
        vr_mark(r, VR_MARK_newer_checkpoint_wanted, "op=%" PRIu64, m->checkpoint);
        vr_checkpoint_soon(r); /* who asks does so again */
    }
    if (m->level == 0 || m->checkpoint != op) {
        tell_root(r, from, m->nonce);
    } else if (m->level > 0 && m->level <= pages_tree(&r->pages, PAGES_IMAGE)->top) {
        tell_tree(r, from, m->nonce, m->level, &m->nodes);
    }
}

void vr_on_get_pages(struct vr *r, uint8_t from, const struct wire_get_pages *m)
{
    if (!can_answer(r, from)) return;
    if (m->checkpoint != r->image_anchor.op) {
        tell_root(r, from, m->nonce);
        return;
    }
    struct wire_list_builder list;
    wire_list_begin(&list, &wire_shape_page, r->answer, r->answer_size_max);
    struct reader at = wire_list_start(&m->pages);
    for (uint32_t i = 0; i < m->pages.count; i++) {
        struct wire_page_number number;
        wire_list_next(&wire_shape_page_number, &at, &number);
        if (number.value >= r->pages.image_n_used) continue;
        struct wire_page page = {
            .number = number.value,
            .content = {pages_image(&r->pages, number.value), VSTAMP_PAGE_SIZE}};
        if (!wire_list_add(&list, &page)) break;
    }
    VR_SEND(r, from, pages, .nonce = m->nonce, .checkpoint = r->image_anchor.op,
            .pages = wire_list_end(&list));
}

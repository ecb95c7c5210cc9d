/* SPDX-License-Identifier: BSD-2-Clause */
/* A copy of the state for somebody outside the group, taken while it runs (paper section 5.1): what
 * vstamp-admin backup asks.  It comes on a client's connection and may come to any replica.
 *
 *   --GET-CHECKPOINT-->  pages of your checkpoint       --GET-COMMITTED-->  the entries after it
 *   <----CHECKPOINT----  that differ from these         <----COMMITTED----
 *
 * The newest checkpoint and the committed entries that follow it are the state at the op-number of
 * the last of them.  Nothing is held for the copier: a newer checkpoint may take the place of the
 * one that it has half of.  Then it asks again from the first page on, tells what it holds, and is
 * sent what has changed.  Checkpoint and entries are committed, so a replica that has them gives
 * them in any view and any status.
 *
 * Whatever a question says, it costs the hashing of COPY_HASHES_MAX pages and one frame.  The
 * copier waits for the answer before it asks again, and so sets the pace. */
#include "vr/rooms.h"

/* NULL, or why this replica has nothing to copy. */
static const char *nothing_to_copy(const struct vr *r)
{
    if (vr_is_witness(r) || r->bare) return "a witness has no state";
    if (r->status == VR_RECOVERING) return "has no state yet";
    return r->pages.fetching ? "is fetching its state itself" : NULL;
}

static bool refuse(struct vr *r, uint64_t origin, const struct wire_header *header, uint64_t nonce,
                   const char *why)
{
    struct vr_asker asker = {.number = nonce, .origin = origin};
    bool other = !vstamp_id_is_zero(header->group) && !vstamp_id_equal(header->group, r->group);
    if (!other && why == NULL) return false;
    vr_reject(r, &asker, why != NULL ? WIRE_REJECT_UNAVAILABLE : WIRE_REJECT_OTHER_GROUP,
              why != NULL ? why : "");
    return true;
}

static struct wire_state_form form_of(const struct vr *r)
{
    return (struct wire_state_form){.application = bytes_of(r->app->name),
                                    .max_clients = r->config.max_clients,
                                    .max_answer_bytes = r->config.max_answer_bytes,
                                    .max_read_bytes = r->config.max_read_bytes,
                                    .batch_bytes = r->config.batch_bytes,
                                    .state_pages = r->config.state_pages};
}

void vr_on_get_checkpoint(struct vr *r, uint64_t origin, const struct wire_header *header,
                          const struct wire_get_checkpoint *m)
{
    const char *why = nothing_to_copy(r);
    if (why == NULL && r->checkpoint_op > 0 && !vr_image_is_at_hand(r))
        why = "is between two op-numbers";
    if (refuse(r, origin, header, m->nonce, why)) return;
    struct wire_list_builder list;
    wire_list_begin(&list, &wire_shape_page, r->answer, r->answer_size_max);
    struct reader hashes = wire_list_start(&m->hashes);
    uint32_t total = r->checkpoint_op > 0 ? r->pages.image_n_used : 0;
    uint32_t next = m->first;
    for (uint32_t i = 0; i < m->hashes.count && i < COPY_HASHES_MAX && next < total; i++, next++) {
        struct wire_page_hash theirs;
        wire_list_next(&wire_shape_page_hash, &hashes, &theirs);
        const uint8_t *content = pages_image(&r->pages, next);
        uint64_t ours = pages_image_hash(&r->pages, next);
        if (ours == theirs.value) continue;
        struct wire_page page = {.number = next};
        if (ours != 0) page.content = (struct bytes){content, VSTAMP_PAGE_SIZE};
        if (!wire_list_add(&list, &page)) break;
    }
    struct wire_entry_header none = {0};
    VR_ANSWER(r, origin, checkpoint, .nonce = m->nonce, .form = form_of(r),
              .anchor = r->checkpoint_op > 0 ? r->image_anchor : none, .total = total,
              .first = m->first, .next = next, .pages = wire_list_end(&list));
}

void vr_on_get_committed(struct vr *r, uint64_t origin, const struct wire_header *header,
                         const struct wire_get_committed *m)
{
    if (refuse(r, origin, header, m->nonce, nothing_to_copy(r))) return;
    uint64_t commit = vr_has_hole(r, r->commit) ? r->applied : r->commit;
    VR_ANSWER(r, origin, committed, .nonce = m->nonce, .after = m->after, .commit = commit,
              .log_start = r->log.first, .entries = vr_entries_after(r, m->after, commit));
}

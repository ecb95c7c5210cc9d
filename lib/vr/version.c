/* SPDX-License-Identifier: BSD-2-Clause */
/* Versions of the protocol (wire/version.h): which one the group is in, and how it rises.
 *
 *   every frame   tells the newest version that its sender speaks
 *   primary       prepares its next entry in the lowest of these, once all members have told it
 *                 theirs over connections that stand
 *   everybody     the group is in the version of its newest committed entry
 *
 * The version is in the entries' headers, so whoever has a log or a checkpoint has it too, and it
 * needs no message, record or promise of its own.  An idle group rises by an entry without
 * requests.  Nobody is asked: as long as one member has not been upgraded any other can go back,
 * and when the last one was, the way back is closed.
 *
 * A later version than a replica speaks comes to it first in an entry, by a frame that it can read,
 * since entries are sent before they are committed.  That may yet be taken back, so the replica
 * ignores the entry.  A frame in that version cannot: the group has risen, and the replica ends
 * (G5).  While a change of members waits the version stays, so that what a member to be has told of
 * itself remains true.
 *
 * A member may have gone back to the older program while such an entry is on its way.  It says so,
 * takes the primary of that view for a silent one, and votes for another (G6).  If a majority went
 * back, the entry is committed nowhere, and they go on without it in a later view: so it may end
 * nobody.  If no majority did, their votes do nothing: the entry is committed as soon as a majority
 * of the others is there, and then G5 ends who is too old. */
#include "vr/rooms.h"

/* G1 */
uint8_t vr_version(const struct vr *r)
{
    const struct wire_entry_header *newest = log_header(&r->log, r->commit);
    uint8_t version = newest != NULL ? newest->version : 0;
    return version > r->config.oldest ? version : r->config.oldest;
}

/* Of the log as it is, committed or not. */
uint8_t vr_version_of_log(const struct vr *r)
{
    uint8_t version = log_last(&r->log)->version;
    return version > r->config.oldest ? version : r->config.oldest;
}

/* G4: of the primary's next entry. */
uint8_t vr_version_of_next(const struct vr *r)
{
    uint8_t version = r->config.newest, least = vr_version_of_log(r);
    for (uint8_t i = 0; i < r->config.n_replicas; i++)
        if (i != r->config.self && r->speaks[i] < version) version = r->speaks[i];
    return version > least && !r->proposal.pending ? version : least;
}

bool vr_version_rises(const struct vr *r)
{
    return vr_version_of_next(r) > vr_version_of_log(r);
}

/* Is that worth an entry of its own?  A group in which nothing was ever done may be left by
 * replicas that are to be members of another (reconfiguration.c), and stays as it is. */
bool vr_version_calls_for_entry(const struct vr *r)
{
    return r->log.op > 0 && vr_version_rises(r);
}

struct vstamp_limits vr_limits_in(const struct vr *r, uint8_t version)
{
    struct vstamp_limits limits = r->limits;
    limits.protocol = version;
    return limits;
}

static uint8_t newest_of_headers(const struct wire_list *headers)
{
    struct reader at = wire_list_start(headers);
    uint8_t newest = 0;
    for (uint32_t i = 0; i < headers->count; i++) {
        struct wire_entry_header header;
        wire_list_next(&wire_shape_entry_header, &at, &header);
        if (header.version > newest) newest = header.version;
    }
    return newest;
}

static uint8_t newest_of_state(const struct wire_new_state *m)
{
    struct reader at = wire_list_start(&m->entries);
    uint8_t newest = m->base.version;
    for (uint32_t i = 0; i < m->entries.count; i++) {
        struct wire_entry entry;
        wire_list_next(&wire_shape_entry, &at, &entry);
        if (entry.header.version > newest) newest = entry.header.version;
    }
    return newest;
}

/* Of the entries that it brings; 0: none. */
static uint8_t version_brought(const struct wire_message *m)
{
    switch (m->header.command) {
    case WIRE_prepare: return m->as.prepare.entry.header.version;
    case WIRE_give_entry: return m->as.give_entry.entry.header.version;
    case WIRE_tree: return m->as.tree.anchor.version;
    case WIRE_start_view: return newest_of_headers(&m->as.start_view.headers);
    case WIRE_do_view_change: return newest_of_headers(&m->as.do_view_change.headers);
    case WIRE_new_state: return newest_of_state(&m->as.new_state);
    default: return 0;
    }
}

/* Does it bring what this replica could not execute? */
bool vr_brings_later_version(const struct vr *r, const struct wire_message *m)
{
    return version_brought(m) > r->config.newest;
}

/* Does our view have, or may it begin with, an entry that this program could not execute? */
bool vr_version_is_missed(const struct vr *r)
{
    return r->missed.version > r->config.newest && r->missed.view == r->view;
}

/* A message came that brings such an entry; all else in it is ignored (G6). */
void vr_on_later_entry(struct vr *r, uint8_t from, const struct wire_message *m)
{
    uint64_t view = m->header.view;
    bool promise = m->header.command == WIRE_do_view_change;
    bool of_primary = vr_primary_of(r, view) == from;
    if (r->status != VR_NORMAL && r->status != VR_VIEW_CHANGE) return;
    if (m->header.command == WIRE_start_view && of_primary && view > r->view)
        vr_enter_view(r, view, "it has begun");
    if (view != r->view || (promise ? r->status == VR_NORMAL : !of_primary)) return;
    if (vr_version_is_missed(r)) return;
    r->missed = (struct vr_missed){.version = version_brought(m), .from = from, .view = view};
    vr_mark(r, VR_MARK_program_lacks_version, "version=%u from=%u", r->missed.version, from);
    vr_log(r, LOG_LEVEL_WARN, "program-too-old", "version=%u newest=%u replica=%u view=%" PRIu64,
           r->missed.version, r->config.newest, from, view);
}

/* A frame in a version that this replica does not speak.  If that is a later one, its sender knows
 * that the group has risen to it (G5). */
void vr_on_other_version(struct vr *r, uint8_t slot, const struct wire_header *header)
{
    bool ours = vstamp_id_equal(header->group, r->group) && !vstamp_id_is_zero(r->group);
    bool to_be = !r->has_hard_state && slot < r->config.n_replicas &&
                 !vstamp_id_is_zero(header->group);
    if (r->over || header->version <= r->config.newest || (!ours && !to_be)) return;
    vr_mark(r, VR_MARK_program_is_too_old, "version=%u", header->version);
    r->over_version = header->version;
    vr_refuse(r, slot, "version-refused");
}

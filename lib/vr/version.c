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
 * What is later than all that a replica speaks it ignores where that might yet be taken back (an
 * entry in a frame that it can read: those are sent before they are committed), and ends where it
 * can not (a frame in that version, V5).  While a change of members waits the version stays, so
 * that what a member to be has told of itself remains true. */
#include "vr/rooms.h"

/* V1 */
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

/* V4: of the primary's next entry. */
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

static bool any_is_later(const struct vr *r, const struct wire_list *headers)
{
    struct reader at = wire_list_start(headers);
    for (uint32_t i = 0; i < headers->count; i++) {
        struct wire_entry_header header;
        wire_list_next(&wire_shape_entry_header, &at, &header);
        if (header.version > r->config.newest) return true;
    }
    return false;
}

static bool any_entry_is_later(const struct vr *r, const struct wire_list *entries)
{
    struct reader at = wire_list_start(entries);
    for (uint32_t i = 0; i < entries->count; i++) {
        struct wire_entry entry;
        wire_list_next(&wire_shape_entry, &at, &entry);
        if (entry.header.version > r->config.newest) return true;
    }
    return false;
}

/* Does it bring what this replica could not execute? */
bool vr_brings_later_version(const struct vr *r, const struct wire_message *m)
{
    uint8_t newest = r->config.newest;
    switch (m->header.command) {
    case WIRE_prepare: return m->as.prepare.entry.header.version > newest;
    case WIRE_give_entry: return m->as.give_entry.entry.header.version > newest;
    case WIRE_tree: return m->as.tree.anchor.version > newest;
    case WIRE_start_view: return any_is_later(r, &m->as.start_view.headers);
    case WIRE_do_view_change: return any_is_later(r, &m->as.do_view_change.headers);
    case WIRE_new_state:
        return m->as.new_state.base.version > newest ||
               any_entry_is_later(r, &m->as.new_state.entries);
    default: return false;
    }
}

/* A frame in a version that this replica does not speak.  One that is later was sent by somebody
 * who knows that the group has risen to it (V5). */
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

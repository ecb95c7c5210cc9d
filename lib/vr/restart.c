/* SPDX-License-Identifier: BSD-2-Clause */
/* Coming back from an intact disk.
 *
 * A disk forgets nothing, so this replica's promises stand, and its log counts.  But is it the
 * newest state of this replica?  The folder may be an old copy, put back by somebody; or another
 * copy of it may be in use as well.  Then what this replica has promised and acknowledged since is
 * forgotten, as after a lost disk, and nothing in the folder says so.  Others must say it.
 *
 *   replica --RESTART----> all          this life of mine has this incarnation number
 *   replica <--RESTART-OK- others       it is noted, durably; or: I know of a later life of yours
 *
 * Incarnation numbers rise with every life of a replica, whether it begins with a disk or without
 * (recovery.c), and have three parts: how often it came back empty, how often since then from its
 * disk, and random bits, which tell two copies of one folder apart.
 *
 *   S1  the number is durable before anybody hears of it;
 *   S2  nothing is promised, acknowledged or voted before so many others have noted it, durably,
 *       that they are a quorum together with this replica.  Whoever comes back empty asks more
 *       replicas than can be missing from a quorum (recovery.c, step 1), so it hears of every life
 *       that ever took part, and no two of those have one number.  Those who note may be
 *       restarting themselves: so a bare quorum of restarted replicas goes on without the rest;
 *   S3  a number in another's crash vector that is later than one's own, or as late but another,
 *       is proof that this life is not the newest.  It stops for good;
 *   S4  so is an entry that this replica lacks, though another heard it say that it held it,
 *       durably, and it is committed: then it was in every log since.  This finds a copy that was
 *       made in the newest life itself, as long as those who heard that have it in memory, and
 *       answer before others, which did not hear it, let this replica in (S2);
 *   S5  a start that is not let in (S2) does not count: the next one takes its number again.  Else
 *       an old copy would only have to be started often enough to catch up.
 *
 * What S3 cannot find: S2 may ask others than those that noted the last life, if as many replicas
 * were down then as are down now, but different ones.  In a group of 2f+1 those are f replicas that
 * are down, and this one that has lost its memory: one more than the group bears.  As soon as one
 * that knows is back, this replica hears of it by the first crash vector, and stops.
 *
 * Nor can anybody be asked where this replica is a quorum by itself, in a group of one.  And in a
 * former epoch the others are those of that epoch: a copy from then, and members that slept ever
 * since, may be a quorum of it, and go on as that group until one of them hears of a later epoch.
 *
 * A folder of another group, with the same members, is found in the same way: others answer in the
 * name of theirs.  Once they are too many for a quorum of our own, this replica stops.
 *
 *   S6  an answer counts only if it echoes our nonce, which is another one in each start and in
 *       each epoch (struct vr tells where it is drawn; PIT-3.5 asks the same of recovery).  A late
 *       answer to a former start proves nothing: its sender may have forgotten since what it had
 *       noted, or have meant a group that both left when they became members of this one. */
#include <stdio.h>
#include <string.h>

#include "vr/rooms.h"

#define RANDOM_BITS 16u
#define START_BITS 24u /* of which the upper part counts the times it came back empty */

uint64_t vr_incarnation_after_loss(uint64_t newest)
{
    return ((newest >> (START_BITS + RANDOM_BITS)) + 1) << (START_BITS + RANDOM_BITS);
}

uint64_t vr_incarnation_losses(uint64_t incarnation)
{
    return incarnation >> (START_BITS + RANDOM_BITS);
}

uint64_t vr_incarnation_starts(uint64_t incarnation)
{
    return (incarnation >> RANDOM_BITS) & ((1u << START_BITS) - 1);
}

uint64_t vr_incarnation_after_start(struct vr *r)
{
    uint64_t newest = r->crash_vector[r->config.self];
    return (((newest >> RANDOM_BITS) + 1) << RANDOM_BITS) |
           prng_below(&r->prng, UINT64_C(1) << RANDOM_BITS);
}

/* Of two lives of one replica, is `a` the later one for sure? */
static bool is_later(uint64_t a, uint64_t b)
{
    return a >> RANDOM_BITS > b >> RANDOM_BITS;
}

static void say_restart(struct vr *r, uint8_t to)
{
    uint8_t vector[VR_CRASH_VECTOR_BYTES];
    VR_SEND(r, to, restart, .nonce = r->nonce,
            .crash_vector = vr_crash_vector_list(r, vector, sizeof vector));
}

static void ask(struct vr *r)
{
    say_restart(r, VR_ALL);
    vr_timer_set(r, VR_TIMER_RECOVERY, vr_jitter(r, vr_patience_us(r)) / 2);
    r->restart_told = true;
}

void vr_restart_begin(struct vr *r)
{
    r->status = VR_RECOVERING;
    if (r->restarting) {
        vr_mark(r, VR_MARK_restart_goes_on, "losses=%" PRIu64 " start=%" PRIu64,
                vr_incarnation_losses(r->crash_vector[r->config.self]),
                vr_incarnation_starts(r->crash_vector[r->config.self]));
    } else {
        r->crash_vector[r->config.self] = vr_incarnation_after_start(r); /* S5 */
    }
    r->restarting = true;
    r->incarnation = r->crash_vector[r->config.self];
    vr_persist_state(r);
}

void vr_restart_due(struct vr *r)
{
    if (vr_is_durable_state(r)) {
        ask(r);
    } else { /* S1 */
        vr_mark(r, VR_MARK_restart_waits_for_disk, "view=%" PRIu64, r->view);
        vr_timer_set(r, VR_TIMER_RECOVERY, 1000);
    }
}

/* To one that came back, or was out of reach, when we had been let in already. */
void vr_restart_tell(struct vr *r, uint8_t replica)
{
    if (vr_incarnation_starts(r->incarnation) == 0 || !vr_is_durable_state(r)) return;
    if (((r->noted >> replica) & 1) == 0) say_restart(r, replica);
}

/* S2 holds: be what the disk says. */
static void take_part(struct vr *r)
{
    r->restarting = false;
    vr_timer_off(r, VR_TIMER_RECOVERY);
    if (vr_epoch_waits(r)) return;
    r->status = VR_VIEW_CHANGE;
    if (vr_primary_of(r, r->view) == r->config.self) {
        vr_mark(r, VR_MARK_primary_restarts, "view=%" PRIu64, r->view);
        vr_enter_view(r, r->view + 1, "a restarted primary does not know what it had prepared");
    } else if (r->view > r->log_view) {
        vr_mark(r, VR_MARK_restart_in_view_change, "view=%" PRIu64, r->view);
        vr_enter_view(r, r->view, "restarted in a view change");
    } else {
        vr_persist_state(r);
        vr_become(r, VR_NORMAL);
        vr_normal_begin(r);
    }
}

/* Which lives we know of, its own among them. */
static void answer(struct vr *r, uint8_t replica)
{
    uint8_t vector[VR_CRASH_VECTOR_BYTES];
    VR_SEND(r, replica, restart_ok, .nonce = r->note_nonces[replica],
            .crash_vector = vr_crash_vector_list(r, vector, sizeof vector),
            .op = r->vouched[replica]);
}

void vr_restart_settle(struct vr *r)
{
    if (!vr_is_durable_state(r)) return;
    for (uint8_t i = 0; r->to_note != 0 && i < r->config.n_replicas; i++) {
        if ((r->to_note >> i) & 1) answer(r, i);
    }
    r->to_note = 0;
    if (!r->restarting) return;
    if (!r->restart_told) ask(r);
    if ((uint32_t)__builtin_popcount(r->noted) + 1 >= r->quorum) take_part(r);
}

/* Nothing that this replica could do is right any more. */
void vr_stop_for_good(struct vr *r)
{
    r->over = true;
    r->restarting = false;
    vr_transfer_stop(r, "this life is over");
    vr_become(r, VR_RECOVERING);
    vr_timers_off(r);
}

void vr_refuse(struct vr *r, uint8_t from, const char *event)
{
    char why[240];
    r->over_by = from;
    vr_stop_for_good(r);
    vr_log(r, LOG_LEVEL_ERROR, event, "reason=\"%s\"", vr_is_over(r, why, sizeof why));
}

bool vr_restart_proves_old_copy(struct vr *r, uint8_t from, uint64_t theirs)
{
    uint64_t ours = r->incarnation;
    if (theirs > NUMBER_MAX) return false;
    if (vr_incarnation_starts(ours) == 0 || theirs == ours || is_later(ours, theirs)) return false;
    if (r->over) return true;
    vr_mark(r, VR_MARK_old_copy_stops, "from=%u", from);
    r->over_incarnation = theirs;
    vr_refuse(r, from, "folder-refused");
    return true;
}

void vr_on_restart(struct vr *r, uint8_t from, const struct wire_header *header,
                   const struct wire_restart *m)
{
    uint64_t theirs = vr_counter_of(&m->crash_vector, from), known = r->crash_vector[from];
    if (!r->has_hard_state) {
        vr_mark(r, VR_MARK_restart_finds_no_memory, "from=%u", from);
        return;
    }
    r->note_nonces[from] = m->nonce;
    if (!vstamp_id_equal(header->group, r->group)) {
        vr_trace(r, "restart of another group from=%u", from);
        answer(r, from);
        return;
    }
    if (theirs != known && !is_later(theirs, known)) {
        vr_mark(r, VR_MARK_restart_of_old_copy, "from=%u", from);
    } else {
        vr_merge_crash_vector(r, from, &m->crash_vector);
    }
    r->to_note |= 1u << from;
}

/* In the name of another group: which of the two is this replica's?  That of most. */
static void count_stranger(struct vr *r, uint8_t from)
{
    r->strangers |= 1u << from;
    if (r->restarting && __builtin_popcount(r->strangers) > r->config.n_replicas - r->quorum)
        vr_refuse(r, from, "folder-refused");
}

void vr_on_restart_ok(struct vr *r, uint8_t from, const struct wire_header *header,
                      const struct wire_restart_ok *m)
{
    bool answers = vstamp_id_equal(m->nonce, r->nonce); /* S6 */
    if (!answers) vr_mark(r, VR_MARK_restart_ok_to_old_question, "from=%u", from);
    if (!vstamp_id_equal(header->group, r->group)) {
        if (answers) count_stranger(r, from);
        return;
    }
    vr_merge_crash_vector(r, from, &m->crash_vector);
    bool of_disk = vr_incarnation_starts(r->incarnation) > 0;
    if (r->over || (!of_disk && !r->restarting)) return; /* E6 has such a one ask, too */
    if (of_disk && m->op > r->log.op && m->op <= NUMBER_MAX) { /* S4 */
        r->over_op = m->op;
        vr_refuse(r, from, "folder-refused");
        return;
    }
    bool knows_us = vr_counter_of(&m->crash_vector, r->config.self) == r->incarnation;
    if (answers && knows_us) r->noted |= 1u << from;
}

static void say_start(char *text, size_t size, uint64_t incarnation)
{
    uint64_t n = vr_incarnation_losses(incarnation);
    int used = snprintf(text, size, "start %" PRIu64, vr_incarnation_starts(incarnation));
    if (n > 0)
        snprintf(text + used, size - (size_t)used, " (after %" PRIu64 " loss%s of its state)", n,
                 n == 1 ? "" : "es");
}

/* D3: only once that is durable. */
static const char *say_diverged(const struct vr *r, char *text, size_t size)
{
    if (!vr_is_durable_state(r)) return NULL;
    snprintf(text, size, "its state is not that of the others, since op %" PRIu64 " or before%s",
             r->diverged_op,
             r->config.durable
                 ? "; put this folder aside, for 'vstamp-admin bisect', and start with an empty "
                   "one: the others bring it back"
                 : "; start it again: the others bring it back");
    return text;
}

/* And where the group is, as far as there is room for that. */
static const char *say_replaced(const struct vr *r, char *text, size_t size)
{
    int used = snprintf(text, size, "replaced in epoch %u, which %u of its members have begun: not "
                        "needed any more; the group is at", r->epoch, r->quorum);
    for (uint8_t i = 0; i < r->config.n_replicas; i++) {
        const char *address = r->config.addresses[i];
        if ((size_t)used + strlen(address) + 2 >= size) break;
        used += snprintf(text + used, size - (size_t)used, "%s%s", i > 0 ? ", " : " ", address);
    }
    return text;
}

const char *vr_is_over(const struct vr *r, char *text, size_t size)
{
    static const char what_to_do[] =
        "; move it away and start with an empty one: the others bring it back";
    char ours[80], theirs[80];
    if (!r->over) return NULL;
    if (r->app_failure.text[0] != '\0') return r->app_failure.text;
    if (r->diverged_op != 0) return say_diverged(r, text, size);
    if (r->retired) {
        return say_replaced(r, text, size);
    }
    if (r->over_version != 0) {
        snprintf(text, size,
                 "the group is in version %u of the protocol, and this program speaks none above "
                 "%u: install the release that the other replicas run", r->over_version,
                 r->config.newest);
        return text;
    }
    say_start(ours, sizeof ours, r->incarnation);
    say_start(theirs, sizeof theirs, r->over_incarnation);
    if (r->over_op != 0) {
        snprintf(text, size,
                 "this folder is an old copy, or its disk has lost its last writes: it ends at "
                 "op-number %" PRIu64 ", replica %u remembers that it held %" PRIu64 "%s",
                 r->log.op, r->over_by, r->over_op, what_to_do);
    } else if (r->over_incarnation == 0) {
        snprintf(text, size, "this folder belongs to another group than replica %u and others%s",
                 r->over_by, what_to_do);
    } else if (strcmp(ours, theirs) == 0) {
        snprintf(text, size,
                 "this folder is an old copy, or in use twice: replica %u was told of %s by "
                 "another copy of it%s", r->over_by, theirs, what_to_do);
    } else {
        snprintf(text, size,
                 "this folder is an old copy: it says %s, replica %u remembers %s%s", ours,
                 r->over_by, theirs, what_to_do);
    }
    return text;
}

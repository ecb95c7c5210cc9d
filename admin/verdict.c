/* SPDX-License-Identifier: BSD-2-Clause */
/* The group serves when a normal primary is in contact with a quorum that is in its view.  When a
 * replica counts towards that depends on whether it answers us:
 *
 *     it answers       it says that it is normal in the newest view, and the primary says that it
 *                      heard it lately
 *     it does not      the primary says that it heard it lately and is connected to it: then only
 *                      its status port is out of reach, for a process that was killed loses its
 *                      connections at once
 *
 * A primary that does not answer is judged by its backups, and by a stricter clock, theirs: one
 * silent for a view change time-out is being replaced.  A recovering replica is heard but
 * does not count: it has no vote.  "Lately" is VERDICT_CONTACTS view change time-outs, well above
 * the time in which a live replica is heard, below the patience of who runs this. */
#include "admin/verdict.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "program/escape.h"

#define VERDICT_CONTACTS 5u

const char *verdict_word(const struct verdict *verdict)
{
    static const char *const words[] = {"HEALTHY", "DEGRADED", "UNAVAILABLE"};
    return words[verdict->health];
}

json_t *verdict_json(const struct verdict *verdict)
{
    bool known = verdict->n_answered > 0;
    json_t *reasons = json_array();
    for (size_t i = 0; i < verdict->n_reasons; i++) {
        json_array_append_new(reasons, json_string(verdict->reasons[i]));
    }
    json_t *object = json_pack(
        "{s:s, s:o, s:o, s:o, s:o, s:I, s:I}", "health", verdict_word(verdict), "reasons", reasons,
        "primary", verdict->primary < 0 ? json_null() : json_integer(verdict->primary), "view",
        known ? json_integer((json_int_t)verdict->view) : json_null(), "epoch",
        known ? json_integer((json_int_t)verdict->epoch) : json_null(), "quorum",
        (json_int_t)verdict->quorum, "tolerates", (json_int_t)verdict->tolerates);
    if (verdict->change[0] != '\0')
        json_object_set_new(object, "reconfiguration", json_string(verdict->change));
    return object;
}

void verdict_print_age(uint64_t ms, char into[static VERDICT_AGE_SIZE])
{
    uint64_t s = ms / 1000;
    if (ms == ANSWER_NEVER) {
        snprintf(into, VERDICT_AGE_SIZE, "-");
    } else if (ms < 1000) {
        snprintf(into, VERDICT_AGE_SIZE, "%" PRIu64 "ms", ms);
    } else if (s < 60) {
        snprintf(into, VERDICT_AGE_SIZE, "%" PRIu64 ".%us", s, (unsigned)(ms % 1000 / 100));
    } else if (s < 3600) {
        snprintf(into, VERDICT_AGE_SIZE, "%" PRIu64 "m%us", s / 60, (unsigned)(s % 60));
    } else if (s < 86400) {
        snprintf(into, VERDICT_AGE_SIZE, "%" PRIu64 "h%um", s / 3600, (unsigned)(s % 3600 / 60));
    } else {
        snprintf(into, VERDICT_AGE_SIZE, "%" PRIu64 "d%uh", s / 86400,
                 (unsigned)(s % 86400 / 3600));
    }
}

static void reason(struct verdict *v, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void reason(struct verdict *v, const char *format, ...)
{
    va_list args;
    assert(v->n_reasons < VERDICT_REASONS_MAX);
    char *text = v->reasons[v->n_reasons++];
    va_start(args, format);
    vsnprintf(text, VERDICT_REASON_SIZE, format, args);
    va_end(args);
    escape_plain(text); /* some of it came over the network */
}

static void find_change(struct verdict *v, const struct answers *answers)
{
    for (size_t i = 0; i < answers->n && v->change[0] == '\0'; i++)
        if (answers->at[i].reachable)
            snprintf(v->change, sizeof v->change, "%s", answers->at[i].status.reconfiguration);
    escape_plain(v->change);
}

static bool is_normal(const struct answer *a)
{
    return a->reachable && strcmp(a->status.status, "normal") == 0;
}

/* The newest view, by epoch and number: of normal replicas where there are any, else of anyone. */
static void find_view(struct verdict *v, const struct answers *answers)
{
    bool found_normal = false;
    for (size_t i = 0; i < answers->n; i++) {
        const struct node_status *s = &answers->at[i].status;
        if (!answers->at[i].reachable) continue;
        v->n_answered++;
        if (s->commit_number > v->commit_number) v->commit_number = s->commit_number;
        bool newer = s->epoch != v->epoch ? s->epoch > v->epoch : s->view > v->view;
        if (is_normal(&answers->at[i]) ? !found_normal || newer : !found_normal && newer) {
            v->epoch = s->epoch;
            v->view = s->view;
        }
        found_normal = found_normal || is_normal(&answers->at[i]);
    }
}

static bool in_view(const struct verdict *v, const struct answer *a)
{
    return is_normal(a) && a->status.view == v->view && a->status.epoch == v->epoch;
}

/* Who leads the newest view, whether it answers or its backups speak for it; -1: nobody. */
static int find_primary(const struct verdict *v, const struct answers *answers)
{
    for (size_t i = 0; i < answers->n; i++) {
        const struct answer *a = &answers->at[i];
        if (in_view(v, a) && strcmp(a->status.role, "primary") == 0) return (int)i;
    }
    for (size_t i = 0; i < answers->n; i++) {
        const struct answer *a = &answers->at[i];
        int64_t primary = a->status.primary;
        if (!in_view(v, a) || primary < 0 || primary >= (int64_t)answers->n) continue;
        if (!answers->at[primary].reachable) return (int)primary;
    }
    return -1;
}

static size_t count_taking_part(struct verdict *v, const struct answers *answers, int primary,
                                uint32_t view_change_ms)
{
    size_t p = (size_t)primary;
    bool primary_answers = answers->at[p].reachable;
    uint64_t lately_ms = (uint64_t)view_change_ms * (primary_answers ? VERDICT_CONTACTS : 1);
    size_t n = 0;

    v->taking_part[p] = primary_answers;
    for (size_t i = 0; i < answers->n; i++) {
        const struct answer *a = &answers->at[i];
        if (i == p || (a->reachable && !in_view(v, a))) continue;
        size_t by = primary_answers ? p : i;
        size_t of = primary_answers ? i : p;
        bool gone = !answers->at[of].reachable && !answers_connected(answers, by, of);
        v->taking_part[i] = !gone && answers_heard_ms(answers, by, of) < lately_ms;
        if (!primary_answers && v->taking_part[i]) v->taking_part[p] = true;
    }
    for (size_t i = 0; i < answers->n; i++) n += v->taking_part[i];
    return n;
}

static void explain_silence(struct verdict *v, const struct answers *answers, size_t i)
{
    const struct answer *a = &answers->at[i];
    char age[VERDICT_AGE_SIZE];
    uint64_t ms;
    int who = answers_last_heard(answers, i, &ms);
    verdict_print_age(ms, age);
    if (v->taking_part[i]) {
        reason(v, "replica %zu (%s) takes part, but its status cannot be read: %s", i,
               a->address->text, a->error);
    } else if (who >= 0) {
        reason(v, "replica %zu (%s) is down: %s; last heard by replica %d %s ago", i,
               a->address->text, a->error, who, age);
    } else {
        reason(v, "replica %zu (%s) is down: %s", i, a->address->text, a->error);
    }
}

/* A witness that had to forget what not all active replicas hold. */
static bool is_exposed(const struct answer *a)
{
    return strcmp(a->status.role, "witness") == 0 &&
           a->status.checkpoint_number > a->status.held_number;
}

/* Its application cannot execute an operation (lib/vr/pass_over.c): as a primary it takes no other
 * until it is known whether anybody can. */
static bool is_stuck(const struct answer *a)
{
    return a->reachable && a->status.stuck_number != 0;
}

static void explain_status(struct verdict *v, size_t i, const struct answer *a)
{
    const struct node_status *s = &a->status;
    reason(v, "replica %zu (%s) is in status %s%s%s%s%s", i, a->address->text, s->status,
           s->reason[0] != '\0' ? ": " : "", s->reason, s->refusal[0] != '\0' ? "; " : "",
           s->refusal);
}

/* One reason for each replica that does not take part or does not answer, or is not as safe as it
 * should be. */
static void explain_replicas(struct verdict *v, const struct answers *answers)
{
    for (size_t i = 0; i < answers->n; i++) {
        const struct answer *a = &answers->at[i];
        const struct node_status *s = &a->status;
        if (!a->reachable) {
            explain_silence(v, answers, i);
        } else if (!is_normal(a)) {
            explain_status(v, i, a);
        } else if (!in_view(v, a)) {
            reason(v,
                   "replica %zu (%s) is in view %" PRIu64 " of epoch %" PRIu64
                   ", the group in view %" PRIu64 " of epoch %" PRIu64,
                   i, a->address->text, s->view, s->epoch, v->view, v->epoch);
        } else if (!v->taking_part[i] && v->primary >= 0 && answers->at[v->primary].reachable) {
            reason(v, "replica %zu (%s) is up, but the primary does not hear it", i,
                   a->address->text);
        } else if (s->protocol_missed != 0 || is_stuck(a)) {
            reason(v, "replica %zu (%s) waits for %s", i, a->address->text, s->reason);
        } else if (s->disk_trouble[0] != '\0') {
            reason(v, "replica %zu (%s): %s", i, a->address->text, s->disk_trouble);
        } else if (is_exposed(a)) {
            reason(v,
                   "replica %zu (%s), a witness, was short of room and dropped entries up to op "
                   "%" PRIu64 ", some of which an active replica lacks: let that one catch up, the "
                   "group cannot go on if the disk of another is lost before",
                   i, a->address->text, s->checkpoint_number);
        }
    }
}

static bool waits_for(const struct answer *a, const char *what)
{
    return a->reachable && strcmp(a->status.status, "recovering") == 0 &&
           strncmp(a->status.reason, what, strlen(what)) == 0;
}

/* In a group, which has done something: one that has not may be forming still, and this one may
 * have been started again meanwhile. */
static bool has_lived(const struct node_status *s)
{
    return !vstamp_id_is_zero(s->group) && (s->op_number > 0 || s->epoch > 0);
}

/* So many recover that no quorum of normal ones can be left to recover from.  Those who are blank
 * wait with another reason, and form a group, unless one that waits for them is in a group. */
static void explain_loss(struct verdict *v, const struct answers *answers)
{
    size_t n = 0, n_blank = 0;
    bool any_group = false;
    for (size_t i = 0; i < answers->n; i++) {
        const struct answer *a = &answers->at[i];
        n += waits_for(a, "recovery: ");
        n_blank += waits_for(a, "blank: ");
        any_group = any_group || (waits_for(a, "") && has_lived(&a->status));
    }
    if (any_group) n += n_blank;
    if (n <= answers->n - v->quorum) return;
    reason(v, "%zu replica%s state, which is more than the others can bring back: this does not "
           "end by itself; see \"When too much is lost\" in vstamp(7)", n,
           n == 1 ? " is without its" : "s are without their");
}

/* What the replicas have found out about one another's states (lib/vr/digest.c). */
static void explain_digests(struct verdict *v, const struct answers *answers)
{
    for (size_t i = 0; i < answers->n; i++) {
        const char *diverged = answers->at[i].status.diverged;
        if (!answers->at[i].reachable || diverged[0] == '\0') continue;
        bool undecided = strstr(diverged, "replicas ") != NULL;
        reason(v, "%s: %s", diverged,
               undecided ? "states that differ: nobody can tell which one is right; find out which "
                           "one has a bad memory or another binary, and start that one with an "
                           "empty folder"
                         : "another state than that of the others: it has ended; put its folder "
                           "aside, and start it with an empty one");
        return;
    }
}

/* Same op-number, other state: the worst that can be told from outside. */
static void explain_divergence(struct verdict *v, const struct answers *answers)
{
    for (size_t i = 0; i < answers->n; i++) {
        for (size_t j = 0; j < i; j++) {
            const struct answer *a = &answers->at[i];
            const struct answer *b = &answers->at[j];
            if (!is_normal(a) || !is_normal(b)) continue;
            const struct node_status *s = &a->status;
            const struct node_status *t = &b->status;
            if (!vstamp_id_equal(s->group, t->group)) {
                reason(v, "replicas %zu and %zu belong to different groups", j, i);
                return;
            }
            if (s->digest_number == t->digest_number && s->epoch == t->epoch &&
                !vstamp_id_is_zero(s->state_digest) && !vstamp_id_is_zero(t->state_digest) &&
                !vstamp_id_equal(s->state_digest, t->state_digest)) {
                reason(v, "replicas %zu and %zu differ in their state at commit %" PRIu64, j, i,
                       s->digest_number);
                return;
            }
        }
    }
}

/* Who keeps the group from a later version of the protocol.  That is no trouble, but to be seen to
 * an end. */
static void explain_versions(struct verdict *v, const struct answers *answers)
{
    char late[REPLICAS_MAX * 4] = "";
    uint64_t newest = 0, oldest = UINT64_MAX, is = 0;
    size_t used = 0;
    for (size_t i = 0; i < answers->n; i++) {
        const struct node_status *s = &answers->at[i].status;
        if (!answers->at[i].reachable || s->protocol_newest == 0) continue;
        if (s->protocol_newest > newest) newest = s->protocol_newest;
        if (s->protocol_newest < oldest) oldest = s->protocol_newest;
        if (s->protocol > is) is = s->protocol;
    }
    if (oldest >= newest) return;
    for (size_t i = 0; i < answers->n; i++) {
        const struct answer *a = &answers->at[i];
        if (!a->reachable || a->status.protocol_newest == 0 || a->status.protocol_newest == newest)
            continue;
        used += (size_t)snprintf(late + used, sizeof late - used, "%s%zu", used > 0 ? ", " : "", i);
    }
    reason(v, "versions are mixed: some replicas speak version %" PRIu64 " of the protocol, not so "
           "%s: the group stays in version %" PRIu64 " until all do", newest, late, is);
}

/* The same: the group goes by the clocks of a majority. */
static void explain_clocks(struct verdict *v, const struct answers *answers)
{
    const struct answer *a = v->primary >= 0 ? &answers->at[v->primary] : NULL;
    if (a != NULL && a->reachable && a->status.clock_trouble[0] != '\0')
        reason(v, "clocks are wrong: %s: set them right", a->status.clock_trouble);
}

/* The same: it serves until its connections break. */
static void explain_certificates(struct verdict *v, const struct answers *answers)
{
    for (size_t i = 0; i < answers->n; i++) {
        const struct answer *a = &answers->at[i];
        if (a->reachable && a->status.certificate_trouble[0] != '\0')
            reason(v, "replica %zu (%s): its certificate: %s", i, a->address->text,
                   a->status.certificate_trouble);
    }
}

void verdict_reach(struct verdict *v, const struct answers *answers, uint32_t view_change_ms)
{
    size_t n_taking_part = 0;

    memset(v, 0, sizeof *v);
    assert(answers->n >= 1 && answers->n <= REPLICAS_MAX);
    v->quorum = answers->n / 2 + 1;
    find_view(v, answers);
    v->primary = find_primary(v, answers);
    if (v->primary >= 0) n_taking_part = count_taking_part(v, answers, v->primary, view_change_ms);

    bool has_quorum = n_taking_part >= v->quorum;
    bool serving = has_quorum && !is_stuck(&answers->at[v->primary]);
    if (v->n_answered == 0) {
        reason(v, "no replica answers");
    } else if (v->primary < 0) {
        reason(v, "no primary: no replica leads view %" PRIu64, v->view);
    } else if (!v->taking_part[v->primary]) {
        reason(v, "the primary of view %" PRIu64 ", replica %d, has fallen silent", v->view,
               v->primary);
    } else if (!has_quorum) {
        reason(v, "the primary, replica %d, is in contact with %zu of the %zu replicas it needs",
               v->primary, n_taking_part, v->quorum);
    }
    if (serving) v->tolerates = n_taking_part - v->quorum;
    find_change(v, answers);
    explain_replicas(v, answers);
    explain_loss(v, answers);
    explain_digests(v, answers);
    explain_divergence(v, answers);
    if (!serving) v->primary = -1;
    v->health = VERDICT_UNAVAILABLE;
    if (serving) v->health = v->n_reasons == 0 ? VERDICT_HEALTHY : VERDICT_DEGRADED;
    explain_versions(v, answers);
    explain_clocks(v, answers);
    explain_certificates(v, answers);
    assert(v->health != VERDICT_HEALTHY || n_taking_part == answers->n);
}

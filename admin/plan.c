/* SPDX-License-Identifier: BSD-2-Clause */
#include "admin/plan.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "base/assert.h"
#include "program/escape.h"
#include "vr/settings.h"
#include "vr/witness.h"

static size_t quorum_of(size_t n)
{
    return n / 2 + 1;
}

static size_t tolerated_by(size_t n)
{
    return (n - 1) / 2;
}

static void add(struct plan_line *lines, size_t *n, bool ok, const char *format, va_list args)
{
    assert(*n < PLAN_LINES_MAX);
    struct plan_line *line = &lines[(*n)++];
    line->ok = ok;
    vsnprintf(line->text, sizeof line->text, format, args);
    escape_plain(line->text); /* some of it came over the network */
}

static void check(struct plan *p, bool ok, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void check(struct plan *p, bool ok, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    add(p->checks, &p->n_checks, ok, format, args);
    va_end(args);
    p->possible = p->possible && ok;
}

static void warn(struct plan *p, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void warn(struct plan *p, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    add(p->warnings, &p->n_warnings, true, format, args);
    va_end(args);
}

/* --- who ------------------------------------------------------------------------------------- */

static bool is_member(const struct members *members, const struct address *address)
{
    return members_find(members, address) < members->n;
}

static bool does_anybody_stay(const struct plan *p)
{
    for (size_t i = 0; i < p->next.n; i++)
        if (is_member(&p->before, &p->next.addresses[i])) return true;
    return false;
}

/* --- whether ---------------------------------------------------------------------------------- */

/* Does a member of the group refuse to talk to it, or it to a member?  Its status says so, with the
 * address of the other; one that is to join like itself does not count. */
static bool is_refused(const struct plan *p, const struct node_status *s)
{
    char at[sizeof "at : " + ADDRESS_BYTES_MAX];
    for (size_t i = 0; i < p->before.n; i++) {
        snprintf(at, sizeof at, "at %s: ", p->before.addresses[i].text);
        if (strstr(s->refusal, at) != NULL) return true;
    }
    return false;
}

static uint64_t protocol_of_group(const struct answers *answers)
{
    uint64_t newest = 0;
    for (size_t i = 0; i < answers->n; i++)
        if (answers->at[i].reachable && answers->at[i].status.protocol > newest)
            newest = answers->at[i].status.protocol;
    return newest;
}

/* Whom the group can make a member: empty, or a part of the group in its turn. */
static void check_comer(struct plan *p, size_t i)
{
    const char *text = p->next.addresses[i].text;
    const struct answer *a = answers_find(p->answers, &p->next.addresses[i]);
    const struct node_status *s = &a->status;
    uint64_t protocol = protocol_of_group(p->answers);
    bool blank = vstamp_id_is_zero(s->group) || (s->op_number == 0 && s->epoch == 0);
    bool ours = vstamp_id_equal(s->group, p->answers->group);
    if (a->other.address != NULL && a->other.address[0] != '\0') {
        check(p, false, "%s calls itself %s: the new configuration must name it so", text,
              a->other.address);
    } else if (!a->reachable) {
        check(p, false, "%s does not answer: %s: start it first, with the new configuration", text,
              a->error);
    } else if (strcmp(s->status, "shut-down") == 0) {
        check(p, false, "%s was replaced, and is just ending: start it anew, with an empty folder",
              text);
    } else if (!blank && !ours) {
        check(p, false, "%s holds the state of another group: it must start with an empty folder",
              text);
    } else if (p->answers->at[0].reachable &&
               strcmp(s->durability, p->answers->at[0].status.durability) != 0) {
        check(p, false, "%s was started with durability: %s, the group has %s", text,
              s->durability, p->answers->at[0].status.durability);
    } else if (is_refused(p, s)) {
        check(p, false, "%s has %s", text, s->refusal);
    } else if (s->protocol_newest != 0 && s->protocol_newest < protocol) {
        check(p, false, "%s speaks no version of the protocol above %" PRIu64 ", the group is in %"
              PRIu64 ": install there what the others run", text, s->protocol_newest, protocol);
    } else {
        check(p, true, "%s answers, and is %s", text, blank ? "empty" : "known to the group");
    }
}

static void check_quorums(struct plan *p)
{
    size_t n_well = 0, n_up = 0;
    for (size_t i = 0; i < p->before.n; i++) n_well += p->verdict->taking_part[i];
    check(p, n_well >= p->verdict->quorum, "%zu of the %zu members take part, %zu are needed",
          n_well, p->before.n, p->verdict->quorum);
    for (size_t i = 0; i < p->next.n; i++) {
        size_t before = members_find(&p->before, &p->next.addresses[i]);
        const struct answer *a = answers_find(p->answers, &p->next.addresses[i]);
        n_up += before < p->before.n ? p->verdict->taking_part[before] : a->reachable;
    }
    check(p, n_up >= quorum_of(p->next.n), "%zu of the %zu members to be are up, %zu are needed",
          n_up, p->next.n, quorum_of(p->next.n));
}

static void add_warnings(struct plan *p)
{
    size_t n = p->next.n;
    if (n % 2 == 0)
        warn(p, "%zu replicas tolerate no more failures than %zu", n, n - 1);
    if (n == 2) warn(p, "a replica of 2 that comes back empty cannot recover");
    if (tolerated_by(n) < tolerated_by(p->before.n))
        warn(p, "the group will tolerate fewer failures than it does now");
    if (!does_anybody_stay(p))
        warn(p, "no member stays: clients with an old configuration find the group only as long as "
                "an old replica runs");
}

void plan_make(struct plan *p, const struct answers *answers, const struct verdict *verdict,
               const struct members *next)
{
    memset(p, 0, sizeof *p);
    p->answers = answers;
    p->verdict = verdict;
    p->possible = true;
    p->before = p->next = answers->members;
    if (next != NULL) p->next = *next;
    p->next.epoch = p->before.epoch + !members_equal(&p->before, &p->next);
    check_quorums(p);
    for (size_t i = 0; i < p->next.n; i++)
        if (!is_member(&p->before, &p->next.addresses[i])) check_comer(p, i);
    add_warnings(p);
}

/* What a reconfiguration changes. */
static bool is_of_members(const char *key)
{
    return strcmp(key, "replicas_addresses") == 0 || strcmp(key, "status_addresses") == 0 ||
           strcmp(key, "witnesses") == 0;
}

/* The names of keys that differ and, as `for_life` asks, bind a group as long as it lives. */
static void list_differing(const struct config *now, const struct config *next, bool for_life,
                           char *names, size_t size)
{
    char before[CONFIG_PATH_SIZE], after[CONFIG_PATH_SIZE];
    size_t used = 0;
    for (size_t i = 0; i < config_n_keys; i++) {
        const char *name = config_keys[i].name;
        config_print(now, i, before, sizeof before);
        config_print(next, i, after, sizeof after);
        if (strcmp(before, after) == 0 || is_of_members(name)) continue;
        if (vr_settings_have(name) != for_life) continue;
        used += (size_t)snprintf(names + used, size - used, "%s%s", used > 0 ? ", " : "", name);
        assert(used < size);
    }
}

void plan_compare_keys(struct plan *p, const struct config *now, const struct config *next)
{
    char names[PLAN_LINE_SIZE] = "", for_life[PLAN_LINE_SIZE] = "";
    list_differing(now, next, false, names, sizeof names);
    list_differing(now, next, true, for_life, sizeof for_life);
    if (names[0] != '\0')
        warn(p, "not changed by this: %s: restart each replica with the new configuration, "
                "once the one before it is normal", names);
    if (for_life[0] != '\0')
        warn(p, "not changed by this: %s: a group keeps it as long as it lives: restore a backup "
                "with the new configuration", for_life);
}

bool plan_is_done(const struct plan *p)
{
    return p->answers->told && members_equal(&p->before, &p->next);
}

/* --- for people and programs ------------------------------------------------------------------ */

/* What there is to say of one row. */
static void describe(const struct plan *p, const struct members *of, size_t i, char *text,
                     size_t size)
{
    const struct answer *a = answers_find(p->answers, &of->addresses[i]);
    size_t before = members_find(&p->before, &of->addresses[i]);
    bool witness = vr_among_witnesses(of->witnesses, (uint8_t)i);
    bool was = before < p->before.n && vr_among_witnesses(p->before.witnesses, (uint8_t)before);
    const char *role = witness ? "witness" : "";
    if (was && !witness && of == &p->next) role = "no witness any more: fetches the state first";
    int n = snprintf(text, size, "%s", role);
    if (before < p->before.n && p->verdict->primary == (int)before)
        n = snprintf(text, size, "primary");
    if (of == &p->next && before < p->before.n && before != i)
        n += snprintf(text + n, size - (size_t)n, "%swas %zu", n > 0 ? ", " : "", before);
    if (!a->reachable)
        snprintf(text + n, size - (size_t)n, "%sdown: %s", n > 0 ? ", " : "", a->error);
    else if (before == p->before.n)
        snprintf(text + n, size - (size_t)n, "%s%s, version %s", n > 0 ? ", " : "",
                 a->status.status, a->status.version);
    else if (strcmp(a->status.status, "normal") != 0)
        snprintf(text + n, size - (size_t)n, "%s%s", n > 0 ? ", " : "", a->status.status);
}

static void print_row(const struct plan *p, FILE *into, const struct members *of, size_t i,
                      const char *sign, const char *word, int width)
{
    char text[PLAN_LINE_SIZE];
    describe(p, of, i, text, sizeof text);
    fprintf(into, "%s %2zu  %-*s  %s%s%s\n", sign, i, width, of->addresses[i].text, word,
            text[0] != '\0' ? "  " : "", text);
}

static int width_of(const struct members *members, int width)
{
    for (size_t i = 0; i < members->n; i++)
        if ((int)strlen(members->addresses[i].text) > width)
            width = (int)strlen(members->addresses[i].text);
    return width;
}

static void print_line(FILE *into, const char *word, const char *text)
{
    fprintf(into, "%-4s%s\n", word, text);
}

void plan_print(const struct plan *p, FILE *into)
{
    int width = width_of(&p->next, width_of(&p->before, 0));
    fprintf(into, "epoch %" PRIu64 " -> %" PRIu64 "\n", p->before.epoch, p->next.epoch);
    for (size_t i = 0; i < p->next.n; i++) {
        bool stays = is_member(&p->before, &p->next.addresses[i]);
        print_row(p, into, &p->next, i, stays ? " " : "+", stays ? "stays" : "comes", width);
    }
    for (size_t i = 0; i < p->before.n; i++)
        if (!is_member(&p->next, &p->before.addresses[i]))
            print_row(p, into, &p->before, i, "-", "goes", width);
    fprintf(into, "size %zu -> %zu, quorum %zu -> %zu, tolerates %zu -> %zu failures\n",
            p->before.n, p->next.n, quorum_of(p->before.n), quorum_of(p->next.n),
            tolerated_by(p->before.n), tolerated_by(p->next.n));
    for (size_t i = 0; i < p->n_checks; i++)
        print_line(into, p->checks[i].ok ? "ok" : "NO", p->checks[i].text);
    plan_print_warnings(p, into);
}

void plan_print_warnings(const struct plan *p, FILE *into)
{
    for (size_t i = 0; i < p->n_warnings; i++)
        fprintf(into, "warning: %s\n", p->warnings[i].text);
}

static json_t *row_json(const struct plan *p, const struct members *of, size_t i,
                        const char *change)
{
    const struct answer *a = answers_find(p->answers, &of->addresses[i]);
    json_t *row = json_pack("{s:I, s:s, s:s, s:b, s:b}", "replica", (json_int_t)i, "address",
                            of->addresses[i].text, "change", change, "witness",
                            (int)vr_among_witnesses(of->witnesses, (uint8_t)i), "reachable",
                            (int)a->reachable);
    if (!a->reachable) json_object_set_new(row, "error", json_string(a->error));
    return row;
}

json_t *plan_json(const struct plan *p)
{
    json_t *members = json_array(), *checks = json_array(), *warnings = json_array();
    for (size_t i = 0; i < p->next.n; i++) {
        bool stays = is_member(&p->before, &p->next.addresses[i]);
        json_array_append_new(members, row_json(p, &p->next, i, stays ? "stays" : "comes"));
    }
    for (size_t i = 0; i < p->before.n; i++)
        if (!is_member(&p->next, &p->before.addresses[i]))
            json_array_append_new(members, row_json(p, &p->before, i, "goes"));
    for (size_t i = 0; i < p->n_checks; i++)
        json_array_append_new(checks, json_pack("{s:b, s:s}", "ok", (int)p->checks[i].ok, "text",
                                                p->checks[i].text));
    for (size_t i = 0; i < p->n_warnings; i++)
        json_array_append_new(warnings, json_string(p->warnings[i].text));
    return json_pack("{s:I, s:I, s:o, s:{s:I, s:I}, s:o, s:o, s:b}", "epoch",
                     (json_int_t)p->before.epoch, "next_epoch", (json_int_t)p->next.epoch,
                     "members", members, "tolerates", "before",
                     (json_int_t)tolerated_by(p->before.n), "after",
                     (json_int_t)tolerated_by(p->next.n), "checks", checks, "warnings", warnings,
                     "possible", (int)p->possible);
}

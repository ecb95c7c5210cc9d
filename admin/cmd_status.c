/* SPDX-License-Identifier: BSD-2-Clause */
/* vstamp-admin status: a header, a row for every member and for every other replica that is
 * configured, the reasons.
 *
 * LAG is how far it is behind what is committed: by its own commit-number, or by what it has
 * acknowledged to the primary, whichever is further.  Only the latter shows a slow replica, as what
 * it says of itself it says when it runs.  CONTACT is how long ago a backup heard the primary, the
 * primary heard the last one of a quorum, and, of a replica that does not answer, how long ago any
 * other heard it. */
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "admin/admin.h"
#include "admin/answers.h"
#include "admin/notation.h"
#include "admin/table.h"
#include "admin/verdict.h"

#define WATCH_MS 1000

/* The longest silence among the quorum that the primary hears best; itself it always hears. */
static uint64_t quorum_heard_ms(const struct answers *answers, const struct verdict *v, size_t self)
{
    uint64_t heard_ms[REPLICAS_MAX];
    size_t n = 0;
    for (size_t i = 0; i < answers->n; i++) {
        uint64_t ms = i == self ? 0 : answers_heard_ms(answers, self, i);
        size_t at = n++;
        for (; at > 0 && heard_ms[at - 1] > ms; at--) heard_ms[at] = heard_ms[at - 1];
        heard_ms[at] = ms;
    }
    return v->quorum > 1 ? heard_ms[v->quorum - 1] : ANSWER_NEVER;
}

static uint64_t contact_ms(const struct answers *answers, const struct verdict *v, size_t i)
{
    const struct answer *a = &answers->at[i];
    uint64_t ms;
    if (a->reachable && strcmp(a->status.role, "primary") == 0) {
        return quorum_heard_ms(answers, v, i);
    }
    if (a->reachable) {
        int64_t primary = a->status.primary;
        if (primary < 0 || primary >= (int64_t)answers->n) return ANSWER_NEVER;
        return answers_heard_ms(answers, i, (size_t)primary);
    }
    answers_last_heard(answers, i, &ms);
    return ms;
}

static uint64_t behind(uint64_t commit_number, uint64_t op)
{
    return commit_number > op ? commit_number - op : 0;
}

static uint64_t lag(const struct answers *answers, const struct verdict *v, size_t i)
{
    uint64_t lag = behind(v->commit_number, answers->at[i].status.commit_number);
    if (v->primary < 0 || v->primary == (int)i || i >= answers->n) return lag;
    size_t primary = (size_t)v->primary;
    uint64_t acked_op = answers_acked_op(answers, primary, i);
    if (acked_op == 0) return lag;
    uint64_t unacked = behind(answers->at[primary].status.commit_number, acked_op);
    return unacked > lag ? unacked : lag;
}

static void add_row(struct table *t, const struct answers *answers, const struct verdict *v,
                    size_t i)
{
    const struct answer *a = &answers->at[i];
    const struct node_status *s = &a->status;
    char contact[VERDICT_AGE_SIZE];
    char uptime[VERDICT_AGE_SIZE];
    bool member = i < answers->n;

    verdict_print_age(member ? contact_ms(answers, v, i) : ANSWER_NEVER, contact);
    table_row(t, member && (!a->reachable || strcmp(s->status, "normal") != 0));
    table_cell(t, "%s", v->primary == (int)i ? "*" : "");
    if (member)
        table_cell(t, "%zu", i);
    else
        table_cell(t, "-");
    table_cell(t, "%s", a->address->text);
    if (!a->reachable) {
        table_cell(t, "-");
        table_cell(t, "%s", !member ? "no member" : v->taking_part[i] ? "unknown" : "down");
        for (size_t column = 0; column < 6; column++) table_cell(t, "-");
        table_cell(t, "%s", contact);
        table_cell(t, "-");
        return;
    }
    if (s->uptime_s < 60) {
        snprintf(uptime, sizeof uptime, "%" PRIu64 "s", s->uptime_s);
    } else {
        verdict_print_age(s->uptime_s * 1000, uptime);
    }
    table_cell(t, "%s", s->role);
    table_cell(t, "%s", s->status);
    table_cell(t, "%" PRIu64, s->view);
    table_cell(t, "%" PRIu64, s->op_number);
    table_cell(t, "%" PRIu64, s->commit_number);
    table_cell(t, "%" PRIu64, lag(answers, v, i));
    table_cell(t, "%" PRIu64, s->epoch);
    table_cell(t, "%s", uptime);
    table_cell(t, "%s", contact);
    table_cell(t, "%s", s->version);
}

/* A member that the configuration names in another way has its row already. */
static bool is_shown(const struct answers *answers, size_t i)
{
    const char *calls_itself = answers->at[i].other.address;
    if (i < answers->n || calls_itself == NULL) return true;
    for (size_t j = 0; j < answers->n; j++)
        if (strcmp(calls_itself, answers->at[j].address->text) == 0) return false;
    return true;
}

static void print_header(const struct answers *answers, const struct verdict *v, bool colour)
{
    static const char *const colours[] = {"\033[1;32m", "\033[1;33m", "\033[1;31m"};
    char primary[16] = "none", view[24] = "-", epoch[24] = "-";

    if (v->primary >= 0) snprintf(primary, sizeof primary, "%d", v->primary);
    if (v->n_answered > 0) {
        snprintf(view, sizeof view, "%" PRIu64, v->view);
        snprintf(epoch, sizeof epoch, "%" PRIu64, v->epoch);
    }
    printf("%s%s%s  primary %s  view %s  epoch %s  replicas %zu  quorum %zu  "
           "tolerates %zu more failure%s\n\n",
           colour ? colours[v->health] : "", verdict_word(v), colour ? "\033[0m" : "", primary,
           view, epoch, answers->n, v->quorum, v->tolerates, v->tolerates == 1 ? "" : "s");
}

static void print_table(const struct answers *answers, const struct verdict *v)
{
    static const struct {
        const char *heading;
        bool to_the_right;
    } columns[] = {
        {" ", false},     {"#", true},       {"ADDRESS", false}, {"ROLE", false}, {"STATUS", false},
        {"VIEW", true},   {"OP", true},      {"COMMIT", true},   {"LAG", true},   {"EPOCH", true},
        {"UPTIME", true}, {"CONTACT", true}, {"VERSION", false},
    };
    static struct table table;
    bool colour = cli_may_colour(stdout);

    memset(&table, 0, sizeof table);
    print_header(answers, v, colour);
    for (size_t i = 0; i < sizeof columns / sizeof columns[0]; i++) {
        table_column(&table, columns[i].heading, columns[i].to_the_right);
    }
    for (size_t i = 0; i < answers->n + answers->n_others; i++)
        if (is_shown(answers, i)) add_row(&table, answers, v, i);
    table_print(&table, stdout, colour);
    for (size_t i = 0; i < v->n_reasons; i++) printf("%s%s\n", i == 0 ? "\n" : "", v->reasons[i]);
    if (v->change[0] != '\0') printf("\nthe members are being changed, %s\n", v->change);
}

/* The answer as it came, under its index, if it is a member, and its address. */
static json_t *replica_json(const struct answers *answers, const struct verdict *v, size_t i)
{
    const struct answer *a = &answers->at[i];
    json_t *object = json_object();
    json_object_set_new(object, "replica",
                        i < answers->n ? json_integer((json_int_t)i) : json_null());
    json_object_set_new(object, "address", json_string(a->address->text));
    json_object_set_new(object, "reachable", json_boolean(a->reachable));
    if (!a->reachable) {
        json_object_set_new(object, "error", json_string(a->error));
    } else {
        json_object_update_missing(object, a->json);
        json_object_set_new(object, "lag", json_integer((json_int_t)lag(answers, v, i)));
    }
    return object;
}

static void print_json(const struct answers *answers, const struct verdict *v)
{
    json_t *object = verdict_json(v);
    json_t *replicas = json_array();
    for (size_t i = 0; i < answers->n + answers->n_others; i++)
        if (is_shown(answers, i)) json_array_append_new(replicas, replica_json(answers, v, i));
    json_object_set_new(object, "replicas", replicas);
    notation_print_json(object);
}

/* Ask and print once; whether anybody answered. */
static bool look(const struct admin *admin, const struct config *config)
{
    static struct answers answers;
    static struct verdict verdict;

    answers_ask(&answers, config, NULL, 0, admin->timeout_ms);
    verdict_reach(&verdict, &answers, config->view_change_ms);
    if (admin->json) {
        print_json(&answers, &verdict);
    } else {
        print_table(&answers, &verdict);
    }
    answers_close(&answers);
    return verdict.n_answered > 0;
}

/* Until it is interrupted: on a terminal in place, elsewhere one table or object after another. */
static int watch(const struct admin *admin, const struct config *config)
{
    bool in_place = isatty(STDOUT_FILENO) && !admin->json;
    for (bool first = true;; first = false) {
        if (in_place) {
            printf("\033[H\033[2J");
        } else if (!first && !admin->json) {
            printf("\n");
        }
        look(admin, config);
        if (fflush(stdout) != 0) return CLI_OK; /* cli_end says why */
        poll(NULL, 0, WATCH_MS);
    }
}

int cmd_status(struct cli *cli, int argc, char **argv)
{
    static struct config config;
    struct admin *admin = cli->context;
    bool watching = false;
    const struct cli_option options[] = {
        CLI_FLAG('w', "watch", &watching, "again every second until interrupted"),
        CLI_END,
    };
    struct vstamp_diag diag = {0};

    int rv = cli_parse(cli, options, argc, argv, NULL, 0, NULL);
    if (rv != 0) return rv;
    rv = admin_find_group(admin, &config, &diag);
    if (rv != 0) return admin_fail(cli, rv, &diag);
    if (watching) return watch(admin, &config);
    return look(admin, &config) ? CLI_OK : ADMIN_EXIT_NOBODY_ANSWERED;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* vstamp-admin reconfigure NEW.yaml: the group moves to other members (paper section 7).
 *
 *   status of all       who the group is now; is a change under way?  then it is waited for, and
 *                       if it was another one --yes does not count for what follows
 *   the plan            shown, checked, confirmed
 *   RECONFIGURE         to the primary, which warms the new members up and logs it; names what it
 *                       is to replace, so that it moves the group from there or not at all
 *   status of all       until a quorum of the new members has begun the epoch
 *   a registration      in the new epoch: what runs through its log shows that it lives (the
 *                       paper's CHECK-EPOCH); before that no old member may be switched off
 *
 * Nothing of this is lost with this process: the primary goes on by itself, and the command given
 * again finds the change under way, or done. */
#include <config.h>

#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <vstamp/app.h>

#include "admin/admin.h"
#include "admin/notation.h"
#include "admin/plan.h"
#include "driver/driver.h"
#include "program/escape.h"
#include "program/progress.h"
#include "program/signals.h"
#include "vr/membership.h"

#define LOOK_MS      200 /* between two looks at the group */
#define FOREVER_MS   (24u * 3600 * 1000) /* gives_up is asked meanwhile */
#define LINE_SIZE    200
#define VIEW_CHANGES 5u /* times view_change_ms: without a primary for longer it is in trouble */

struct reconfigure {
    const struct cli *cli;
    const struct admin *admin;
    struct config config, next;
    struct tls *tls;
    struct members to; /* nobody with --progress */
    bool dry_run, yes, progress; /* options */
    struct answers answers;
    struct verdict verdict;
    uint64_t epoch; /* the newest that was heard of: a look at which nobody answers tells of none */
    struct plan plan;
    bool changes;               /* there is something to change, or was when it began */
    uint64_t begun_ms;
    char moved[LINE_SIZE]; /* what the primary said of it last, */
    uint64_t moved_ms;     /* and when that was news, or the group served and was at it still */
    bool on_terminal;
    char shown[LINE_SIZE];
    uint64_t shown_ms;

    bool replied;
    int err;
    bool may_have_run;
    struct vstamp_diag why;
};

static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
    interrupted = number;
}

/* --- what is shown meanwhile ------------------------------------------------------------------ */

/* One line: on a terminal over itself, elsewhere when it is another one, but not every moment. */
static void show(struct reconfigure *r, const char *text)
{
    uint64_t now = vstamp_driver_now_ms();
    if (r->admin->json || strcmp(text, r->shown) == 0) return;
    if (!r->on_terminal && now - r->shown_ms < 1000 && r->shown[0] != '\0') return;
    snprintf(r->shown, sizeof r->shown, "%s", text);
    r->shown_ms = now;
    if (r->on_terminal)
        printf("\r\033[K%s", text);
    else
        printf("%s\n", text);
    fflush(stdout);
}

static void show_end(struct reconfigure *r)
{
    if (r->on_terminal && r->shown[0] != '\0') printf("\n");
    r->shown[0] = '\0';
}

/* --- looking ---------------------------------------------------------------------------------- */

/* What the primary says of a change under way, or "". */
static const char *under_way(const struct reconfigure *r)
{
    for (size_t i = 0; i < r->answers.n; i++) {
        const struct answer *a = &r->answers.at[i];
        if (a->reachable && a->status.reconfiguration[0] != '\0') return a->status.reconfiguration;
    }
    return "";
}

static void look(struct reconfigure *r)
{
    const struct members *const also[] = {&r->to, &r->plan.before};
    answers_close(&r->answers);
    answers_ask(&r->answers, &r->config, also, 2, r->admin->timeout_ms);
    verdict_reach(&r->verdict, &r->answers, r->config.view_change_ms);
    if (r->answers.members.epoch > r->epoch) r->epoch = r->answers.members.epoch;
    const char *change = under_way(r);
    bool serves = r->verdict.health != VERDICT_UNAVAILABLE;
    if ((change[0] != '\0' && serves) || strncmp(change, r->moved, LINE_SIZE - 1) != 0)
        r->moved_ms = vstamp_driver_now_ms();
    snprintf(r->moved, sizeof r->moved, "%s", change);
}

/* A primary that serves ends by itself what makes no progress; nobody else does. */
static bool gives_up(const struct reconfigure *r)
{
    uint64_t still_ms = vstamp_driver_now_ms() - r->moved_ms;
    return interrupted != 0 || still_ms > (uint64_t)ADMIN_PATIENCE * r->admin->timeout_ms;
}

/* How many members have begun the newest epoch? */
static size_t n_begun(const struct reconfigure *r)
{
    size_t n = 0;
    for (size_t i = 0; i < r->answers.n; i++) {
        const struct node_status *s = &r->answers.at[i].status;
        n += r->answers.at[i].reachable && strcmp(s->status, "normal") == 0 && s->epoch == r->epoch;
    }
    return n;
}

/* Has a quorum begun it, and everybody who is heard? */
static bool has_begun(const struct reconfigure *r)
{
    size_t n_heard = 0;
    for (size_t i = 0; i < r->answers.n; i++) n_heard += r->answers.at[i].reachable;
    return n_begun(r) == n_heard && n_heard > r->answers.n / 2;
}

static void show_epoch(struct reconfigure *r)
{
    char text[LINE_SIZE];
    snprintf(text, sizeof text, "epoch %" PRIu64 ": %zu of %zu members have begun it", r->epoch,
             n_begun(r), r->answers.n);
    show(r, text);
}

/* --- asking ----------------------------------------------------------------------------------- */

static void on_reply(void *context, const struct vstamp_reply *reply)
{
    struct reconfigure *r = context;
    r->replied = true;
    r->err = reply->err;
    r->may_have_run = reply->may_have_run;
    vstamp_diag_printf(&r->why, "%.*s", (int)reply->size,
                       (const char *)reply->body);
}

static void to_vr(const struct members *members, struct vr_membership *m)
{
    memset(m, 0, sizeof *m);
    m->epoch = (uint32_t)members->epoch;
    m->n = (uint8_t)members->n;
    m->witnesses = members->witnesses;
    for (size_t i = 0; i < members->n; i++) {
        snprintf(m->members[i].address, sizeof m->members[i].address, "%s",
                 members->addresses[i].text);
        snprintf(m->members[i].status, sizeof m->members[i].status, "%s",
                 members->status_addresses[i].text);
    }
}

static size_t encode(const struct reconfigure *r, uint8_t *body, size_t size)
{
    static struct vr_membership before, after;
    static uint8_t list[VR_MEMBERS_BYTES];
    to_vr(&r->plan.before, &before);
    to_vr(&r->plan.next, &after);
    struct wire_reconfigure m = {.epoch = before.epoch,
                                 .members = vr_membership_checksum(&before),
                                 .next = vr_member_list(&after, list, sizeof list)};
    struct writer w = writer_over(body, size);
    wire_encode(&wire_shape_reconfigure, &m, &w);
    return w.size;
}

/* A new member that fetches pages has no op-number before it has them all: then they say how far it
 * is. */
static void show_change(struct reconfigure *r)
{
    char text[LINE_SIZE], done[PROGRESS_SIZE_TEXT], total[PROGRESS_SIZE_TEXT];
    uint64_t n_pages = 0;
    size_t n = (size_t)snprintf(text, sizeof text, "%.*s", LINE_SIZE - 1, under_way(r));
    for (size_t i = 0; i < r->answers.n; i++) {
        const struct node_status *s = &r->answers.at[i].status;
        if (r->answers.at[i].reachable && s->state_pages > n_pages) n_pages = s->state_pages;
    }
    for (size_t i = r->answers.n; i < r->answers.n + r->answers.n_others; i++) {
        const struct answer *a = &r->answers.at[i];
        uint64_t fetched = a->status.transfer_pages;
        if (!a->reachable || fetched == 0 || strstr(text, a->address->text) == NULL) continue;
        progress_print_size(done, (fetched < n_pages ? fetched : n_pages) * VSTAMP_PAGE_SIZE);
        progress_print_size(total, n_pages * VSTAMP_PAGE_SIZE);
        snprintf(text + n, sizeof text - n, ", %s of %s fetched", done, total);
        break;
    }
    show(r, text);
}

/* What is waited for: the change, or a group that cannot serve just now. */
static void show_wait(struct reconfigure *r)
{
    char text[LINE_SIZE];
    if (under_way(r)[0] != '\0') {
        show_change(r);
    } else if (r->verdict.health == VERDICT_UNAVAILABLE) {
        snprintf(text, sizeof text, "waiting for the group: %.120s", r->verdict.reasons[0]);
        show(r, text);
    }
}

/* Turn the driver until its call has ended, and show how far the group is. */
static void await(struct reconfigure *r, struct vstamp_driver *driver)
{
    uint64_t look_ms = 0, epoch = r->epoch;
    while (!r->replied && !gives_up(r)) {
        uint64_t now = vstamp_driver_now_ms();
        if (now >= look_ms) {
            look(r);
            if (r->epoch != epoch) return; /* those who were asked may be gone */
            show_wait(r);
            look_ms = vstamp_driver_now_ms() + LOOK_MS;
        }
        vstamp_driver_wait(driver, LOOK_MS);
    }
}

/* What was asked for may be granted later, also if all have said "busy" so far; but not where
 * nobody lets us in, which is what the call ends with then. */
static void give_up(struct reconfigure *r, struct vstamp_driver *driver)
{
    struct vstamp_diag why = {0};
    if (interrupted == 0) vstamp_driver_explain(driver, why.text, sizeof why.text);
    vstamp_driver_close(driver);
    r->why = why;
    if (r->err == VSTAMP_E_NOT_AUTHORISED) return;
    r->err = VSTAMP_E_UNKNOWN_OUTCOME;
    r->may_have_run = true;
}

/* One call to the group, by an identity of its own.  0, or VSTAMP_E_*: then r->why may say more. */
static int call(struct reconfigure *r, const struct members *to, enum vstamp_task task,
                struct bytes body)
{
    struct vstamp_driver *driver = driver_new(to->addresses, to->n, r->tls, NULL);
    r->replied = false;
    r->why = (struct vstamp_diag){0};
    r->moved_ms = vstamp_driver_now_ms();
    if (driver == NULL) return VSTAMP_E_IO;
    int rv = vstamp_driver_call(driver, task, body.data, body.size, FOREVER_MS, on_reply, r);
    if (rv == 0) await(r, driver);
    if (rv == 0 && !r->replied) give_up(r, driver);
    else vstamp_driver_close(driver);
    return rv != 0 ? rv : r->err;
}

/* --- after it is committed -------------------------------------------------------------------- */

/* What an old member has still to do, in words; NULL: nothing. */
static const char *left_to_do(const struct reconfigure *r, const struct address *address)
{
    const struct answer *a = answers_find(&r->answers, address);
    if (!a->reachable || strcmp(a->status.status, "shut-down") == 0) return NULL;
    if (vstamp_id_is_zero(a->status.group)) return NULL; /* it is empty, and knows of nothing */
    return "it ends by itself as soon as it can";
}

static bool goes(const struct reconfigure *r, size_t i)
{
    return members_find(&r->plan.next, &r->plan.before.addresses[i]) == r->plan.next.n;
}

static size_t n_running(const struct reconfigure *r)
{
    size_t n = 0;
    for (size_t i = 0; i < r->plan.before.n; i++)
        n += goes(r, i) && left_to_do(r, &r->plan.before.addresses[i]) != NULL;
    return n;
}

/* Until the members have begun the epoch and those who go have ended, as far as they are heard. */
static void watch_epoch(struct reconfigure *r)
{
    uint64_t until_ms =
        vstamp_driver_now_ms() + (uint64_t)ADMIN_PATIENCE * r->admin->timeout_ms;
    do {
        look(r);
        show_epoch(r);
        if (has_begun(r) && n_running(r) == 0) return;
        poll(NULL, 0, LOOK_MS / 4);
    } while (!gives_up(r) && vstamp_driver_now_ms() < until_ms);
}

static void print_gone(const struct reconfigure *r)
{
    for (size_t i = 0; i < r->plan.before.n; i++) {
        const struct address *address = &r->plan.before.addresses[i];
        const char *left = left_to_do(r, address);
        if (!goes(r, i)) continue;
        printf("%s may be switched off: %s\n", address->text,
               left != NULL ? left : "it has ended, or will when it comes back");
    }
}

/* Nobody, before the group has moved. */
static json_t *gone_json(const struct reconfigure *r, bool moved)
{
    json_t *gone = json_array();
    for (size_t i = 0; i < r->plan.before.n; i++)
        if (moved && goes(r, i))
            json_array_append_new(gone, json_string(r->plan.before.addresses[i].text));
    return gone;
}

/* `why` is empty, or the complaint. */
static void print_json(const struct reconfigure *r, const char *outcome, bool moved,
                       const char *why)
{
    json_t *object = plan_json(&r->plan);
    json_object_set_new(object, "outcome", json_string(outcome));
    json_object_set_new(object, "running_epoch", json_integer((json_int_t)r->epoch));
    json_object_set_new(object, "may_be_switched_off", gone_json(r, moved));
    json_object_set_new(object, "ms",
                        json_integer((json_int_t)(vstamp_driver_now_ms() - r->begun_ms)));
    if (why[0] != '\0') json_object_set_new(object, "message", notation_text(why));
    notation_print_json(object);
}

/* There is a plan, and it did not come to its end: complain.  Returns `status`. */
static int fail(struct reconfigure *r, const char *outcome, int status, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

static int fail(struct reconfigure *r, const char *outcome, int status, const char *format, ...)
{
    char why[2 * VSTAMP_DIAG_SIZE + CONFIG_PATH_SIZE];
    va_list args;
    va_start(args, format);
    vsnprintf(why, sizeof why, format, args);
    va_end(args);
    show_end(r);
    if (r->admin->json) print_json(r, outcome, false, why);
    cli_complain(r->cli, "%s", why);
    return status;
}

static int die(void)
{
    fflush(stdout);
    signals_die_by(interrupted);
    return 128 + interrupted;
}

static int detach(struct reconfigure *r)
{
    show_end(r);
    if (!r->admin->json && r->changes)
        printf("detached: if the change was accepted it goes on: vstamp-admin reconfigure "
               "--progress\n");
    return die();
}

/* The group did not show that it lives. */
static int complain_silent(struct reconfigure *r)
{
    const char *why = r->why.text, *colon = why[0] != '\0' ? ": " : "";
    if (!r->changes)
        return fail(r, "none", CLI_NOT_RUN,
                    "nothing changed, nor was there anything to change; but the group does not "
                    "answer%s%s: look at: vstamp-admin status", colon, why);
    char *file = escape_for_shell(r->next.path);
    int status = fail(r, "unknown", CLI_UNKNOWN_OUTCOME,
                      "epoch %" PRIu64 " is committed, but did not answer yet%s%s: switch no old "
                      "replica off; look again: vstamp-admin reconfigure %s",
                      r->epoch, colon, why, r->progress ? "--progress" : file);
    free(file);
    return status;
}

/* The group has those members: it lives, and what has gone is not needed. */
static int finish(struct reconfigure *r, const char *outcome)
{
    size_t n = r->plan.next.n;
    if (r->changes || r->verdict.health != VERDICT_UNAVAILABLE) watch_epoch(r);
    int rv = call(r, &r->answers.members, VSTAMP_REGISTER, (struct bytes){NULL, 0});
    if (interrupted != 0) return detach(r);
    show_end(r);
    if (rv != 0) return complain_silent(r);
    look(r);
    if (r->admin->json) {
        print_json(r, outcome, true, "");
        return CLI_OK;
    }
    printf("epoch %" PRIu64 " is running: %zu replica%s, tolerates %zu failure%s\n",
           r->epoch, n, n == 1 ? "" : "s", (n - 1) / 2, (n - 1) / 2 == 1 ? "" : "s");
    print_gone(r);
    return CLI_OK;
}

/* --- the command ------------------------------------------------------------------------------ */

/* Whatever is under way, until it is over. */
static void wait_for_change(struct reconfigure *r)
{
    while (under_way(r)[0] != '\0' && !gives_up(r)) {
        show_change(r);
        poll(NULL, 0, LOOK_MS);
        look(r);
    }
}

static int confirm(struct reconfigure *r)
{
    char line[16];
    if (r->yes) return 0;
    if (r->admin->json || !isatty(STDIN_FILENO))
        return cli_usage(r->cli, "reconfigure: nobody can be asked here: say --yes to apply it, or "
                                 "--dry-run");
    printf("Apply? [y/N] ");
    fflush(stdout);
    bool answered = fgets(line, sizeof line, stdin) != NULL;
    if (answered && (line[0] == 'y' || line[0] == 'Y')) return 0;
    printf("%snothing changed\n", answered ? "" : "\n");
    return interrupted != 0 ? die() : CLI_NO;
}

/* While nobody answered the question above the group may have moved. */
static int check_plan(struct reconfigure *r)
{
    if (r->yes) return 0;
    look(r);
    if (r->epoch == r->plan.before.epoch) return 0;
    return fail(r, "none", CLI_NOT_RUN,
                "nothing changed: the group has moved to epoch %" PRIu64 " since the plan was "
                "made: give the command again, and look at its new plan",
                r->epoch);
}

/* --yes is said of the group as it was. */
static int refuse_second(struct reconfigure *r)
{
    return fail(r, "refused", CLI_REFUSED,
                "another change was under way, and has moved the group to epoch %" PRIu64
                ": look at the plan from there with --dry-run, and give the command again",
                r->epoch);
}

static int refuse(struct reconfigure *r, int err)
{
    const char *why = r->why.text;
    if (err == VSTAMP_E_INVALID)
        return fail(r, "refused", CLI_REFUSED, "the primary refuses: %s", why);
    if (err == VSTAMP_E_NOT_AUTHORISED)
        return fail(r, "refused", CLI_REFUSED, "not authorised: %s: nothing changed", why);
    if (!r->may_have_run)
        return fail(r, "none", CLI_NOT_RUN, "nothing changed: %s",
                    why[0] != '\0' ? why : vstamp_err_text(err));
    return fail(r, "unknown", CLI_UNKNOWN_OUTCOME,
                "outcome unknown%s%s: give the command again, it finds out",
                why[0] != '\0' ? ": " : "", why);
}

static int apply(struct reconfigure *r)
{
    static uint8_t body[VR_MEMBERS_BYTES + 64];
    struct bytes request = {body, encode(r, body, sizeof body)};
    r->changes = true;
    int rv = call(r, &r->plan.before, VSTAMP_RECONFIGURE, request);
    if (interrupted != 0) return detach(r);
    if (rv != 0) {
        struct vstamp_diag why = r->why;
        look(r); /* the answer may have been lost, and asked for again in the next epoch */
        r->why = why;
        if (!members_equal(&r->answers.members, &r->plan.next)) return refuse(r, rv);
    }
    return finish(r, "done");
}

static int show_plan(struct reconfigure *r)
{
    if (!r->admin->json) plan_print(&r->plan, stdout);
    if (r->dry_run) {
        if (r->admin->json)
            print_json(r, "dry-run", false, "");
        else
            printf("dry run: nothing changed\n");
        return r->plan.possible ? CLI_DONE : CLI_NO;
    }
    if (r->plan.possible) return 0;
    return fail(r, "refused", CLI_REFUSED, "not possible as things are; nothing changed");
}

/* A view change is no reason to refuse a plan; it is over in a moment. */
static void look_for_primary(struct reconfigure *r)
{
    uint64_t limit_ms = (uint64_t)VIEW_CHANGES * r->config.view_change_ms;
    if (limit_ms > r->admin->timeout_ms) limit_ms = r->admin->timeout_ms;
    uint64_t until_ms = vstamp_driver_now_ms() + limit_ms;
    look(r);
    while (r->verdict.n_answered > 0 && r->verdict.health == VERDICT_UNAVAILABLE &&
           interrupted == 0 && vstamp_driver_now_ms() < until_ms) {
        poll(NULL, 0, LOOK_MS / 4);
        look(r);
    }
}

static int fail_unheard(const struct reconfigure *r)
{
    struct vstamp_diag diag = {0};
    vstamp_diag_printf(&diag, "no replica of %s answers: see 'vstamp-admin status'",
                       r->config.path);
    return admin_fail(r->cli, VSTAMP_E_NOT_RUN, &diag);
}

/* For --progress. */
static int say_no_change(const struct reconfigure *r)
{
    if (r->admin->json)
        print_json(r, "already", true, "");
    else
        printf("no change is under way: epoch %" PRIu64 ", %zu replicas\n", r->epoch,
               r->answers.n);
    return CLI_OK;
}

static bool is_same_file(const char *a, const char *b)
{
    struct stat of_a, of_b;
    return stat(a, &of_a) == 0 && stat(b, &of_b) == 0 && of_a.st_dev == of_b.st_dev &&
           of_a.st_ino == of_b.st_ino;
}

/* Are there two files to compare? */
static bool has_two_files(const struct reconfigure *r)
{
    return !r->progress && r->admin->replicas == NULL &&
           !is_same_file(r->config.path, r->next.path);
}

/* Who has changed another key than those of the members must not believe that this was all. */
static void say_nothing_to_change(const struct reconfigure *r)
{
    printf("nothing to change: the group has these members already\n");
    if (has_two_files(r))
        plan_print_warnings(&r->plan, stdout);
    else
        printf("what else %s says counts for each replica from its next start on\n", r->next.path);
}

/* The group has these members, perhaps by the change that was waited for. */
static int finish_unchanged(struct reconfigure *r)
{
    if (!r->admin->json && !r->changes) say_nothing_to_change(r);
    if (!r->dry_run) return finish(r, "already");
    if (r->admin->json) print_json(r, "already", true, "");
    return CLI_OK;
}

static int run(struct reconfigure *r)
{
    look_for_primary(r);
    if (r->verdict.n_answered == 0) return fail_unheard(r);
    uint64_t epoch = r->epoch;
    r->changes = under_way(r)[0] != '\0' && !r->dry_run;
    if (r->changes) wait_for_change(r);
    if (interrupted != 0) return detach(r);
    plan_make(&r->plan, &r->answers, &r->verdict, r->progress ? NULL : &r->to);
    if (has_two_files(r)) plan_compare_keys(&r->plan, &r->config, &r->next);
    if (r->changes && under_way(r)[0] != '\0')
        return fail(r, "unknown", CLI_UNKNOWN_OUTCOME,
                    "the change does not get on, as the group does not serve: %s: see to that, and "
                    "look again: vstamp-admin reconfigure --progress", r->verdict.reasons[0]);
    if (r->progress) return r->changes ? finish(r, "done") : say_no_change(r);
    if (plan_is_done(&r->plan)) return finish_unchanged(r);
    if (r->yes && r->epoch != epoch) return refuse_second(r);
    int rv = show_plan(r);
    if (rv == 0) rv = confirm(r);
    if (rv == 0) rv = check_plan(r);
    return rv == 0 ? apply(r) : rv == CLI_DONE ? CLI_OK : rv;
}

int cmd_reconfigure(struct cli *cli, int argc, char **argv)
{
    static struct reconfigure r;
    const char *path = NULL;
    size_t n;
    struct vstamp_diag diag = {0};
    const struct cli_option options[] = {
        CLI_FLAG('n', "dry-run", &r.dry_run, "show the plan, and stop there"),
        CLI_FLAG('y', "yes", &r.yes, "do not ask"),
        CLI_FLAG(0, "progress", &r.progress, "show the change that is under way, to its end"),
        CLI_END,
    };
    r.cli = cli;
    r.admin = cli->context;
    int rv = cli_parse(cli, options, argc, argv, &path, 1, &n);
    if (rv != 0) return rv;
    if ((n == 0) != r.progress)
        return cli_usage(cli, n == 0 ? "reconfigure: name the configuration of the new members"
                                     : "reconfigure: --progress takes no configuration");
    rv = admin_find_group(r.admin, &r.config, &diag);
    if (rv == 0 && n > 0) rv = config_load(&r.next, path, &diag);
    if (rv == 0) rv = admin_open_tls(r.admin, &r.config, &r.tls, &diag);
    if (rv != 0) return admin_fail(cli, rv, &diag);
    if (n > 0) members_of_config(&r.to, &r.next);
    r.begun_ms = r.moved_ms = vstamp_driver_now_ms();
    r.on_terminal = isatty(STDOUT_FILENO) && !r.admin->json;
    const struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    rv = run(&r);
    answers_close(&r.answers);
    tls_close(r.tls);
    return rv;
}

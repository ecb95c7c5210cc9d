/* SPDX-License-Identifier: BSD-2-Clause */
/* vstamp-sim: the simulator's command line. */
#include <config.h>

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include "kv/kv.h"
#include "program/plug_in.h"
#include "sim/campaign.h"
#include "sim/foreign.h"
#include "sim/replay.h"

#define RUNS_FOR_COVERAGE 100u

static const char usage[] =
    "usage: vstamp-sim [--seed N | --seeds A-[B]] [--file FILE] [--set NAME=VALUE]... [...]\n"
    "       vstamp-sim --app LIBRARY --operations FILE [--app-argument TEXT] ...\n"
    "       vstamp-sim --replay FILE [--app LIBRARY | --app-exec PROGRAM] [--app-argument TEXT]\n"
    "           [--trace]\n";

static const char help[] =
    "Runs whole groups of replicas, their clients, network, disks and clocks in one process,\n"
    "each run from one number, and checks that nothing acknowledged is lost.\n"
    "\n"
    "  --app LIBRARY      replicate this application (vstamp-app(3)) in place of the store, and\n"
    "                     check that all replicas answer alike and have the same state\n"
    "  --app-exec PROGRAM   this program, of which each replica runs a process\n"
    "  --app-argument TEXT  what it is given when it starts\n"
    "  --operations FILE  what it is asked: a line an operation, of which those that begin with\n"
    "                     '--read ' do not go through the log\n"
    "  --seed N           make one run\n"
    "  --seeds A-B        make these runs, on all cores; without B until it is stopped\n"
    "  --file FILE        first make the runs listed there: lines SEEDS [NAME=VALUE]... REMARK\n"
    "  --set NAME=VALUE   fix what the seed would draw, see below\n"
    "  --forbid NAME      --set NAME=0\n"
    "  --ticks N          --set ticks=N: faults for so many milliseconds of simulated time\n"
    "  --until-failure    stop at the first run that fails\n"
    "  --jobs N           runs at a time; default: the number of cores\n"
    "  --trace            print everything that happens\n"
    "  --replay FILE      live the life again that vstamp-replica --record FILE wrote: prints its\n"
    "                     last steps, or all with --trace, and whether the same came out;\n"
    "                     of another application with --app or --app-exec\n"
    "  --marks            at the end print how many runs came by each rare place of the protocol\n"
    "  --tap              report in the Test Anything Protocol, and check that runs\n"
    "                     repeat and, of many, that nothing was left out\n"
    "  --help             print this text\n"
    "  --version          print the version\n"
    "\n"
    "Names for --set and --forbid, of which a beginning that fits only one will do:\n";

enum { OPTION_SEEDS = 1, OPTION_FILE, OPTION_SET, OPTION_FORBID, OPTION_TICKS, OPTION_JOBS,
       OPTION_UNTIL_FAILURE, OPTION_TRACE, OPTION_MARKS, OPTION_TAP, OPTION_REPLAY,
       OPTION_APP, OPTION_APP_EXEC, OPTION_APP_ARGUMENT, OPTION_OPERATIONS, OPTION_HELP,
       OPTION_VERSION };
static const struct option options[] = {
    {"seed", required_argument, NULL, OPTION_SEEDS},
    {"seeds", required_argument, NULL, OPTION_SEEDS},
    {"file", required_argument, NULL, OPTION_FILE},
    {"set", required_argument, NULL, OPTION_SET},
    {"forbid", required_argument, NULL, OPTION_FORBID},
    {"ticks", required_argument, NULL, OPTION_TICKS},
    {"jobs", required_argument, NULL, OPTION_JOBS},
    {"until-failure", no_argument, NULL, OPTION_UNTIL_FAILURE},
    {"trace", no_argument, NULL, OPTION_TRACE},
    {"marks", no_argument, NULL, OPTION_MARKS},
    {"tap", no_argument, NULL, OPTION_TAP},
    {"replay", required_argument, NULL, OPTION_REPLAY},
    {"app", required_argument, NULL, OPTION_APP},
    {"app-exec", required_argument, NULL, OPTION_APP_EXEC},
    {"app-argument", required_argument, NULL, OPTION_APP_ARGUMENT},
    {"operations", required_argument, NULL, OPTION_OPERATIONS},
    {"help", no_argument, NULL, OPTION_HELP},
    {"version", no_argument, NULL, OPTION_VERSION},
    {0},
};

static int wrong(const char *what, const char *value)
{
    fprintf(stderr, "vstamp-sim: %s: '%s'; see --help\n", what, value);
    return 2;
}

static int misused(const char *why)
{
    fprintf(stderr, "vstamp-sim: %s\n%s", why, usage);
    return 2;
}

/* `text` is NAME=VALUE, or gets its VALUE here. */
static int set(struct campaign *c, const char *text, const char *value)
{
    char whole[128];
    int n = snprintf(whole, sizeof whole, "%s%s", text, value);
    if (n > 0 && (size_t)n < sizeof whole && campaign_set(c, whole)) return 0;
    return wrong("not NAME=NUMBER with a name of the list", whole);
}

static int load_application(const struct campaign *c, const struct vstamp_app **app,
                            struct vstamp_diag *diag)
{
    if (c->app_exec != NULL) return foreign_program(c->app_exec, c->app_argument, app, diag);
    if (c->app != NULL) return plug_in_load(c->app, app, diag);
    *app = kv_app();
    return 0;
}

/* Somebody's application instead of the store.  Lives are recorded for the store alone, and a bit
 * that flips in its pages would be held against it. */
static int replicate(struct campaign *c)
{
    const struct vstamp_app *app;
    struct vstamp_diag diag = {0};
    int rv = VSTAMP_E_CONFIG;
    if (c->operations == NULL) {
        vstamp_diag_printf(&diag, "--app and --app-exec want --operations FILE");
    } else {
        rv = load_application(c, &app, &diag);
        if (rv == 0) rv = foreign_use(app, c->app_argument, c->operations, &diag);
    }
    if (rv == 0 && set(c, "record=", "0") == 0 && set(c, "flip_us=", "0") == 0) return 0;
    fprintf(stderr, "vstamp-sim: %s\n", diag.text);
    return 2;
}

static int prepare(struct campaign *c)
{
    int rv = c->app != NULL || c->app_exec != NULL ? replicate(c) : 0;
    if (rv != 0) return rv;
    const char *refusal = sim_settings_refuse(c->settings, c->n_settings);
    if (refusal == NULL) return 0;
    fprintf(stderr, "vstamp-sim: --set %s\n", refusal);
    return 2;
}

static int replay_recording(const struct campaign *c, const char *path)
{
    const struct vstamp_app *app;
    struct vstamp_diag diag = {0};
    if (load_application(c, &app, &diag) == 0)
        return replay_file(path, app, c->app_argument, PACKAGE_VERSION, c->trace);
    fprintf(stderr, "vstamp-sim: %s\n", diag.text);
    return 2;
}

static int run(struct campaign *c, const char *path, uint64_t from, uint64_t to, bool marks)
{
    int rv = prepare(c);
    if (rv != 0) return rv;
    if (to < from && path == NULL)
        return misused("which runs? --seed N, --seeds A-[B] or --file FILE says");
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (path != NULL && campaign_run_file(c, path) != 0) {
        perror(path);
        return 2;
    }
    if (from <= to) campaign_run(c, from, to);
    if (c->tap) campaign_check_repeats(c, from);
    if (c->tap) campaign_check_replays(c, from);
    if (c->tap && c->n_run >= RUNS_FOR_COVERAGE) campaign_check_coverage(c);
    if (c->tap) printf("1..%" PRIu64 "\n", c->n_tests);
    if (marks) campaign_print_marks(c, stdout);
    if (c->tap) printf("# ");
    if (c->n_run == 1 && c->n_failed == 0)
        printf("seed %" PRIu64 " passed;", from);
    else
        printf("%" PRIu64 " runs, %" PRIu64 " failed;", c->n_run, c->n_failed);
    campaign_print_stats(c, stdout);
    return c->n_failed == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    struct campaign c = {.jobs = cores > 0 ? (uint32_t)cores : 1};
    uint64_t from = 1, to = 0, jobs;
    const char *path = NULL, *recording = NULL, *end;
    bool marks = false;
    int rv = 0;
    for (int o; rv == 0 && (o = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (o) {
        case OPTION_SEEDS:
            if (!campaign_parse_seeds(optarg, &from, &to))
                rv = wrong("not a range of seeds", optarg);
            break;
        case OPTION_FILE: path = optarg; break;
        case OPTION_SET: rv = set(&c, optarg, ""); break;
        case OPTION_FORBID: rv = set(&c, optarg, "=0"); break;
        case OPTION_TICKS: rv = set(&c, "ticks=", optarg); break;
        case OPTION_JOBS:
            if (!campaign_parse_number(optarg, &end, &jobs) || *end != '\0' || jobs == 0)
                rv = wrong("not a number of jobs", optarg);
            else
                c.jobs = jobs < UINT32_MAX ? (uint32_t)jobs : UINT32_MAX;
            break;
        case OPTION_UNTIL_FAILURE: c.until_failure = true; break;
        case OPTION_TRACE: c.trace = true; break;
        case OPTION_MARKS: marks = true; break;
        case OPTION_TAP: c.tap = true; break;
        case OPTION_REPLAY: recording = optarg; break;
        case OPTION_APP: c.app = optarg; break;
        case OPTION_APP_EXEC: c.app_exec = optarg; break;
        case OPTION_APP_ARGUMENT: c.app_argument = optarg; break;
        case OPTION_OPERATIONS: c.operations = optarg; break;
        case OPTION_HELP:
            printf("%s\n%s", usage, help);
            sim_options_help(stdout);
            return 0;
        case OPTION_VERSION: puts("vstamp-sim " PACKAGE_VERSION); return 0;
        default: fputs(usage, stderr); return 2;
        }
    }
    if (rv != 0) return rv;
    if (optind != argc) return wrong("not an option", argv[optind]);
    if (recording == NULL) return run(&c, path, from, to, marks);
    if (from <= to || path != NULL) return misused("--replay makes no runs from seeds");
    return replay_recording(&c, recording);
}

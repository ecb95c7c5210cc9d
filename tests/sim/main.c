/* SPDX-License-Identifier: BSD-2-Clause */
/* vstamp-sim(1): the simulator's command line. */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kv/kv.h"
#include "program/cli.h"
#include "program/nearest.h"
#include "program/plug_in.h"
#include "sim/campaign.h"
#include "sim/foreign.h"
#include "sim/replay.h"

#define RUNS_FOR_COVERAGE 100u
#define HANG_S            60u

/* What --help ends with; the names of options.def follow. */
static const char epilogue_head[] =
    "Examples:\n"
    "  vstamp-sim --seeds 1-1000\n"
    "  vstamp-sim --app ./mine.so --operations FILE --seeds 1-100\n"
    "  vstamp-sim --replay RECORDING\n"
    "\n"
    "Exit status: 0 no run failed, or the same came out of a recording; 1 otherwise;\n"
    "2 the command line is wrong, or something that it names cannot be used.\n"
    "\n"
    "Names for --set and --forbid; `_us` at the end may be left out, and a beginning that fits\n"
    "only one will do:\n";

struct asked {
    struct campaign campaign;
    uint64_t from, to; /* seeds; none if to < from */
    const char *file, *recording;
    bool marks;
};

/* --- options that are given again and again --------------------------------------------------- */

static int take_seeds(const struct cli *cli, const struct cli_option *option, const char *value)
{
    struct asked *asked = option->into;
    if (campaign_parse_seeds(value, &asked->from, &asked->to)) return 0;
    return cli_usage(cli, "--%s: expected a seed, or a range like 1-1000 or 1-, found '%.60s'",
                     option->name, value);
}

/* NAME=NUMBER of --set, or what another option stands for. */
static int set(const struct cli *cli, struct campaign *c, const char *setting)
{
    char name[80];
    if (campaign_set(c, setting)) return 0;
    if (c->n_settings == CAMPAIGN_SETTINGS_MAX)
        return cli_usage(cli, "more than %u settings", CAMPAIGN_SETTINGS_MAX);
    snprintf(name, sizeof name, "%.*s", (int)strcspn(setting, "="), setting);
    struct nearest nearest = nearest_to(name);
    const char *candidate;
    for (size_t i = 0; (candidate = sim_option_name(i)) != NULL; i++)
        nearest_offer(&nearest, candidate);
    const char *best = nearest_best(&nearest);
    if (best == NULL || sim_option_find(name, strlen(name)) >= 0)
        return cli_usage(cli, "--set: expected NAME=NUMBER with a NAME that --help lists, "
                              "found '%.60s'", setting);
    return cli_usage(cli, "--set: no single option begins with '%s': did you mean '%s'?", name,
                     best);
}

static int take_setting(const struct cli *cli, const struct cli_option *option, const char *value)
{
    return set(cli, option->into, value);
}

static int take_forbidden(const struct cli *cli, const struct cli_option *option, const char *value)
{
    char setting[80];
    snprintf(setting, sizeof setting, "%.77s=0", value);
    return set(cli, option->into, setting);
}

static int take_ticks(const struct cli *cli, const struct cli_option *option, const char *value)
{
    char setting[80];
    snprintf(setting, sizeof setting, "ticks=%.72s", value);
    return set(cli, option->into, setting);
}

/* --- what is replicated ----------------------------------------------------------------------- */

static int load_application(const struct campaign *c, const struct vstamp_app **app,
                            struct vstamp_diag *diag)
{
    if (c->app_exec != NULL) return foreign_program(c->app_exec, c->app_argument, app, diag);
    if (c->app != NULL) return plug_in_load(c->app, app, diag);
    *app = kv_app();
    return 0;
}

/* --- --replay --------------------------------------------------------------------------------- */

static int replay_recording(const struct cli *cli, const struct asked *asked)
{
    const struct campaign *c = &asked->campaign;
    const char *path = asked->recording;
    const struct vstamp_app *app;
    struct vstamp_diag diag = {0};
    char verdict[REPLAY_VERDICT_SIZE];
    struct stat stat;
    void *content = NULL;

    if (asked->from <= asked->to || asked->file != NULL)
        return cli_usage(cli, "--replay makes no runs from seeds");
    int rv = load_application(c, &app, &diag);
    if (rv != 0) {
        cli_fail(cli, rv, &diag);
        return CLI_USAGE;
    }
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    bool ok = fd >= 0 && fstat(fd, &stat) == 0;
    if (ok && stat.st_size > 0)
        content = mmap(NULL, (size_t)stat.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (!ok || content == MAP_FAILED) {
        cli_complain(cli, "%s: %s", path, strerror(errno));
        return CLI_USAGE;
    }
    enum replay_outcome outcome =
        replay((struct bytes){content, (size_t)stat.st_size}, app, c->app_argument,
               PACKAGE_VERSION, c->trace ? NULL : stdout, c->trace ? stdout : NULL, verdict);
    printf("%s: %s\n", path, verdict);
    close(fd);
    return (int)outcome;
}

/* --- runs from seeds -------------------------------------------------------------------------- */

/* Somebody's application instead of the store.  Lives are recorded for the store alone, a bit that
 * flips in its pages would be held against it, and where its memory is and what it cannot execute
 * is its own affair. */
static int replicate(const struct cli *cli, struct campaign *c)
{
    static const char *const of_the_store[] = {"record=0", "flip_us=0", "own_memory=0",
                                               "poison_ppm=0", "illness_us=0"};
    const struct vstamp_app *app;
    struct vstamp_diag diag = {0};

    if (c->operations == NULL)
        return cli_usage(cli, "--app and --app-exec want --operations FILE");
    int rv = load_application(c, &app, &diag);
    if (rv == 0) rv = foreign_use(app, c->app_argument, c->operations, &diag);
    if (rv != 0) {
        cli_fail(cli, rv, &diag);
        return CLI_USAGE;
    }
    for (size_t i = 0; rv == 0 && i < sizeof of_the_store / sizeof of_the_store[0]; i++)
        rv = set(cli, c, of_the_store[i]);
    return rv;
}

static void print_result(struct asked *asked)
{
    struct campaign *c = &asked->campaign;
    if (c->tap) printf("1..%" PRIu64 "\n", c->n_tests);
    if (asked->marks) campaign_print_marks(c, stdout);
    if (c->tap) printf("# ");
    if (c->n_run == 1 && c->n_failed == 0 && asked->from == asked->to)
        printf("seed %" PRIu64 " passed;", asked->from);
    else
        printf("%" PRIu64 " runs, %" PRIu64 " failed;", c->n_run, c->n_failed);
    campaign_print_stats(c, stdout);
}

static int run(const struct cli *cli, struct asked *asked)
{
    struct campaign *c = &asked->campaign;
    int rv = c->app != NULL || c->app_exec != NULL ? replicate(cli, c) : 0;
    if (rv != 0) return rv;
    const char *refusal = sim_settings_refuse(c->settings, c->n_settings);
    if (refusal != NULL) return cli_usage(cli, "--set %s", refusal);
    if (asked->to < asked->from && asked->file == NULL)
        return cli_usage(cli, "which runs? --seed N, --seeds A-[B] or --file FILE says");
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (asked->file != NULL && campaign_run_file(c, asked->file) != 0) {
        cli_complain(cli, "%s: %s", asked->file, strerror(errno));
        return CLI_USAGE;
    }
    if (asked->from <= asked->to) campaign_run(c, asked->from, asked->to);
    int stopped = campaign_stopped();
    if (c->tap && stopped == 0) campaign_check_repeats(c, asked->from);
    if (c->tap && stopped == 0) campaign_check_replays(c, asked->from);
    if (c->tap && stopped == 0 && c->n_run >= RUNS_FOR_COVERAGE) campaign_check_coverage(c);
    print_result(asked);
    if (c->n_failed > 0) return CLI_NO;
    if (stopped != 0 && signal(stopped, SIG_DFL) != SIG_ERR) raise(stopped);
    return CLI_OK;
}

int main(int argc, char **argv)
{
    static struct asked asked = {.from = 1};
    static char epilogue[16384];
    struct campaign *c = &asked.campaign;
    const struct cli_option options[] = {
        CLI_EACH(0, "seed", take_seeds, &asked, "N", "make one run"),
        CLI_EACH(0, "seeds", take_seeds, &asked, "A-B",
                 "make these runs, on all cores; without B until it is stopped"),
        CLI_TEXT(0, "file", &asked.file, "FILE",
                 "first make the runs listed there: lines SEEDS [NAME=NUMBER]... REMARK"),
        CLI_EACH(0, "set", take_setting, c, "NAME=NUMBER", "fix what the seed would draw"),
        CLI_EACH(0, "forbid", take_forbidden, c, "NAME", "the same as --set NAME=0"),
        CLI_EACH(0, "ticks", take_ticks, c, "N",
                 "the same as --set ticks=N: faults for N milliseconds of simulated time"),
        CLI_FLAG(0, "until-failure", &c->until_failure, "stop at the first run that fails"),
        CLI_U32(0, "jobs", &c->jobs, 1, CAMPAIGN_JOBS_MAX, "N",
                "runs at a time; default: the number of cores"),
        CLI_U32(0, "hang", &c->hang_s, 1, UINT32_MAX, "SECONDS",
                "after so long in one step the application hangs; default: 60"),
        CLI_FLAG(0, "trace", &c->trace, "print everything that happens"),
        CLI_TEXT(0, "app", &c->app, "LIBRARY",
                 "replicate this application (vstamp-app(3)) instead of the store"),
        CLI_TEXT(0, "app-exec", &c->app_exec, "PROGRAM",
                 "replicate this program (vstamp-app-exec(5)), a process a replica"),
        CLI_TEXT(0, "app-argument", &c->app_argument, "TEXT",
                 "what the application is given when it starts"),
        CLI_TEXT(0, "operations", &c->operations, "FILE",
                 "what it is asked: a line an operation, after '--read ' a question"),
        CLI_TEXT(0, "replay", &asked.recording, "FILE",
                 "live the life again that vstamp-replica --record FILE wrote"),
        CLI_FLAG(0, "marks", &asked.marks,
                 "at the end print how many runs came by each rare place of the protocol"),
        CLI_FLAG(0, "tap", &c->tap,
                 "report as TAP, and check that runs repeat and that nothing was missing"),
        CLI_END,
    };
    struct cli cli = {
        .program = "vstamp-sim",
        .version = PACKAGE_VERSION,
        .text = "Puts groups of replicas, or your application, through simulated faults",
        .epilogue = epilogue,
        .options = options,
    };
    long cores = sysconf(_SC_NPROCESSORS_ONLN);

    c->hang_s = HANG_S;
    c->jobs = cores < 1 ? 1 : cores < CAMPAIGN_JOBS_MAX ? (uint32_t)cores : CAMPAIGN_JOBS_MAX;
    memcpy(epilogue, epilogue_head, sizeof epilogue_head);
    sim_options_help(epilogue + strlen(epilogue), sizeof epilogue - strlen(epilogue));
    cli_take_streams();
    int rv = cli_parse(&cli, NULL, argc, argv, NULL, 0, NULL);
    if (rv == 0)
        rv = asked.recording != NULL ? replay_recording(&cli, &asked) : run(&cli, &asked);
    return cli_end(&cli, rv);
}

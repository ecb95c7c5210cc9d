/* SPDX-License-Identifier: BSD-2-Clause */
/* vstamp-sim: run the simulator over seeds.  A seed that fails is run again with its trace kept, so
 * that runs which pass pay nothing for it. */
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sim/sim.h"

#define SEEDS_FOR_COVERAGE 100u

static const char usage[] =
    "usage: vstamp-sim [--seed N | --seeds A-B] [--file FILE] [--seconds N]\n"
    "                  [--until-failure] [--trace] [--tap]\n"
    "  --seed N      run one seed\n"
    "  --seeds A-B   run these seeds\n"
    "  --file FILE   run the seeds listed there first: a number and a reason a line\n"
    "  --seconds N   simulated seconds of faults, instead of what the seed draws\n"
    "  --until-failure stop at the first seed that fails\n"
    "  --trace       print everything that happens\n"
    "  --tap         report in the Test Anything Protocol, and check that seeds repeat\n";

struct campaign {
    uint64_t seconds;
    bool trace, tap, until_failure;
    uint64_t n_run, n_failed, n_tests;
    struct sim_stats total;
};

static volatile uint64_t running_seed;

static void on_signal(int number)
{
    char text[64];
    int n = snprintf(text, sizeof text, "Bail out! signal %d in seed %" PRIu64 "\n", number,
                     running_seed);
    if (n > 0 && write(STDOUT_FILENO, text, (size_t)n) < 0) _exit(2);
    signal(number, SIG_DFL);
    raise(number);
}

static void print_stats(FILE *to, const struct sim_stats *s)
{
#define SIM_STAT(name) fprintf(to, " " #name "=%" PRIu64, s->name);
    SIM_STATS(SIM_STAT)
#undef SIM_STAT
    fprintf(to, "\n");
}

static void tap(struct campaign *c, bool ok, const char *format, uint64_t value)
{
    if (!c->tap) return;
    printf("%sok %" PRIu64 " - ", ok ? "" : "not ", ++c->n_tests);
    printf(format, value); /* NOLINT: the formats are below */
    printf("\n");
}

static void run_seed(struct campaign *c, uint64_t seed)
{
    struct sim_result result;
    const char *mark = c->tap ? "# " : "";
    running_seed = seed;
    sim_run(seed, c->seconds, NULL, c->trace ? stdout : NULL, &result);
    c->n_run++;
#define SIM_STAT(name) c->total.name += result.stats.name;
    SIM_STATS(SIM_STAT)
#undef SIM_STAT
    tap(c, !result.failed, "seed %" PRIu64, seed);
    if (!result.failed) return;
    c->n_failed++;
    struct sim_result again;
    if (!c->trace) sim_run(seed, c->seconds, stderr, NULL, &again);
    printf("%sseed %" PRIu64 " FAILED at %.6f s: %s\n", mark, seed, (double)result.now / 1e6,
           result.verdict);
    printf("%s  %s\n", mark, result.options);
    if (c->seconds != 0)
        printf("%s  again: vstamp-sim --seed %" PRIu64 " --seconds %" PRIu64 " --trace\n", mark,
               seed, c->seconds);
    else
        printf("%s  again: vstamp-sim --seed %" PRIu64 " --trace\n", mark, seed);
    fflush(stdout);
}

static int run_file(struct campaign *c, const char *path)
{
    char line[256];
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        perror(path);
        return -1;
    }
    while (fgets(line, sizeof line, file) != NULL) {
        char *end;
        uint64_t seed = strtoull(line, &end, 10);
        if (line[0] == '#' || end == line) continue;
        run_seed(c, seed);
    }
    fclose(file);
    return 0;
}

/* A seed gives the same run every time, or nothing here could be replayed. */
static void check_repeats(struct campaign *c, uint64_t seed)
{
    struct sim_result once, twice;
    sim_run(seed, c->seconds, NULL, NULL, &once);
    sim_run(seed, c->seconds, NULL, NULL, &twice);
    bool ok = once.hash == twice.hash && once.stats.events == twice.stats.events;
    tap(c, ok, "seed %" PRIu64 " gives the same run twice", seed);
    c->n_failed += !ok;
}

/* A campaign in which something never happened did not test it. */
static void check_coverage(struct campaign *c)
{
    bool ok = true;
#define SIM_STAT(name)                                                                             \
    if (c->total.name == 0) {                                                                      \
        printf("# nothing was counted under " #name "\n");                                         \
        ok = false;                                                                                \
    }
    SIM_STATS(SIM_STAT)
#undef SIM_STAT
    tap(c, ok, "all that is counted happened in %" PRIu64 " runs", c->n_run);
    c->n_failed += !ok;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"seed", required_argument, NULL, 's'},    {"seeds", required_argument, NULL, 'S'},
        {"file", required_argument, NULL, 'f'},    {"seconds", required_argument, NULL, 't'},
        {"trace", no_argument, NULL, 'T'},         {"tap", no_argument, NULL, 'p'},
        {"until-failure", no_argument, NULL, 'u'}, {"help", no_argument, NULL, 'h'},
        {0},
    };
    struct campaign c = {0};
    uint64_t from = 1, to = 0;
    const char *path = NULL;
    char *dash;
    for (int o; (o = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (o) {
        case 's': from = to = strtoull(optarg, NULL, 10); break;
        case 'S':
            from = strtoull(optarg, &dash, 10);
            to = *dash == '-' ? strtoull(dash + 1, NULL, 10) : from;
            break;
        case 'f': path = optarg; break;
        case 't': c.seconds = strtoull(optarg, NULL, 10); break;
        case 'T': c.trace = true; break;
        case 'p': c.tap = true; break;
        case 'u': c.until_failure = true; break;
        case 'h': fputs(usage, stdout); return 0;
        default: fputs(usage, stderr); return 2;
        }
    }
    if (optind != argc || (to < from && path == NULL)) {
        fputs(usage, stderr);
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    signal(SIGSEGV, on_signal);
    signal(SIGBUS, on_signal);
    signal(SIGFPE, on_signal);
    signal(SIGABRT, on_signal);
    if (path != NULL && run_file(&c, path) != 0) return 2;
    for (uint64_t seed = from; seed <= to; seed++) {
        run_seed(&c, seed);
        if (c.until_failure && c.n_failed > 0) break;
    }
    if (c.tap) check_repeats(&c, from);
    if (c.tap && c.n_run >= SEEDS_FOR_COVERAGE) check_coverage(&c);
    if (c.tap) printf("1..%" PRIu64 "\n", c.n_tests);
    printf("%s%" PRIu64 " runs, %" PRIu64 " failed;", c.tap ? "# " : "", c.n_run, c.n_failed);
    print_stats(stdout, &c.total);
    return c.n_failed == 0 ? 0 : 1;
}

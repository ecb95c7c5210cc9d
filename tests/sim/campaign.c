/* SPDX-License-Identifier: BSD-2-Clause */
#include "sim/campaign.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/bitset.h"
#include "program/crash.h"

#define REPLAYED_SEEDS 20u

struct job {
    pid_t pid; /* 0: none */
    uint64_t seed;
    struct sim_result *result; /* in memory that the process shares with us */
};

static void run_seed(const struct campaign *c, uint64_t seed, FILE *lines, FILE *all,
                     struct sim_result *result)
{
    sim_run(seed, c->settings, c->n_settings, lines, all, result);
}

static void tap(struct campaign *c, bool ok, const char *what, uint64_t value)
{
    if (c->tap) printf("%sok %" PRIu64 " - %s %" PRIu64 "\n", ok ? "" : "not ", ++c->n_tests, what,
                       value);
}

/* The command that shows the failure again. */
static void print_command(const struct campaign *c, uint64_t seed)
{
    printf("vstamp-sim --seed %" PRIu64, seed);
    if (c->app != NULL) printf(" --app %s", c->app);
    if (c->app_exec != NULL) printf(" --app-exec %s", c->app_exec);
    if (c->operations != NULL) printf(" --operations %s", c->operations);
    if (c->app_argument != NULL) printf(" --app-argument '%s'", c->app_argument);
    for (size_t i = 0; i < c->n_settings; i++)
        printf(" --set %s=%" PRIu64, sim_option_name(c->settings[i].option), c->settings[i].value);
    printf(" --trace\n");
}

static void report(struct campaign *c, uint64_t seed, const struct sim_result *result)
{
    const char *mark = c->tap ? "# " : "";
    c->n_run++;
#define SIM_STAT(name) c->total.name += result->stats.name;
    SIM_STATS(SIM_STAT)
#undef SIM_STAT
    for (size_t i = 1; i < VR_MARKS; i++) {
        if (!bitset_has(result->marks, i)) continue;
        if (c->n_runs_with[i]++ == 0 || seed < c->seed_with[i]) c->seed_with[i] = seed;
    }
    tap(c, !result->failed, "seed", seed);
    if (!result->failed) return;
    c->n_failed++;
    printf("%sseed %" PRIu64 " FAILED at %.6f s: %s\n", mark, seed, (double)result->now / 1e6,
           result->verdict);
    printf("%s  with: %s\n%s  again: ", mark, result->options, mark);
    print_command(c, seed);
    fflush(stdout);
}

/* --- processes -------------------------------------------------------------------------------- */

static volatile sig_atomic_t stopped; /* by this signal; 0: not */

static void on_stop(int number)
{
    stopped = number;
}

static void heed_signals(void (*handler)(int))
{
    struct sigaction action = {.sa_handler = handler};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

int campaign_stopped(void)
{
    return stopped;
}

/* In the process of a run: where its result goes, and for how long nothing went on. */
static struct {
    struct sim_result *result;
    uint64_t progress;
    uint32_t stuck_s, stuck_s_max;
} here;

static void on_crash(int number)
{
    struct sim_place at;
    if (sim_application_is_in(&at))
        crash_describe(here.result->verdict, number, at.application, at.function, at.op);
}

/* Seconds in which this process did not run do not count: they are one signal. */
static void on_second(int number)
{
    struct sim_place at;
    uint64_t progress = sim_progress();
    (void)number;
    here.stuck_s = progress == here.progress ? here.stuck_s + 1 : 0;
    here.progress = progress;
    if (here.stuck_s < here.stuck_s_max || !sim_application_is_in(&at)) return;
    snprintf(here.result->verdict, sizeof here.result->verdict,
             "the application \"%s\" hangs in %s at op-number %" PRIu64 ": for %u s",
             at.application, at.function, at.op, here.stuck_s);
    _exit(1);
}

/* A program is watched by app_exec.c. */
static void watch(const struct campaign *c, struct sim_result *result)
{
    struct sigaction action = {.sa_handler = on_second, .sa_flags = SA_RESTART};
    struct itimerval second = {.it_interval = {.tv_sec = 1}, .it_value = {.tv_sec = 1}};
    here.result = result;
    here.stuck_s_max = c->hang_s;
    crash_watch(on_crash);
    if (c->app == NULL) return;
    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &second, NULL);
}

/* A failed run is made again with its trace kept, so that runs which pass pay nothing for it. */
static void run_here(const struct campaign *c, uint64_t seed, struct sim_result *result)
{
    struct sim_result again;
    watch(c, result);
    run_seed(c, seed, NULL, c->trace ? stdout : NULL, result);
    if (result->failed && !c->trace) run_seed(c, seed, stderr, NULL, &again);
}

static void start(const struct campaign *c, struct job *job, uint64_t seed)
{
    fflush(NULL);
    *job->result = (struct sim_result){0};
    job->seed = seed;
    job->pid = fork();
    if (job->pid < 0) {
        perror("vstamp-sim: cannot start another process");
        exit(2);
    }
    if (job->pid > 0) return;
    heed_signals(SIG_DFL);
    run_here(c, seed, job->result);
    fflush(NULL);
    _exit(0);
}

static void stop_all(const struct job *jobs)
{
    assert(stopped != 0);
    for (size_t i = 0; i < CAMPAIGN_JOBS_MAX; i++)
        if (jobs[i].pid > 0) kill(jobs[i].pid, SIGTERM);
}

/* The next job that ends.  A shell may have left us a child of its own, which is none. */
static struct job *wait_for_job(struct job *jobs, int *status)
{
    while (true) {
        pid_t pid = wait(status);
        if (pid < 0) stop_all(jobs); /* a signal came */
        for (size_t i = 0; pid > 0 && i < CAMPAIGN_JOBS_MAX; i++)
            if (jobs[i].pid == pid) return &jobs[i];
    }
}

/* Wait for any job, report what it found.  One that was stopped has found nothing. */
static struct job *finish(struct campaign *c, struct job *jobs)
{
    int status;
    struct job *job = wait_for_job(jobs, &status);
    job->pid = 0;
    if (status != 0 && stopped != 0) return job;
    struct sim_result *result = job->result;
    if (status != 0) result->failed = true;
    if (status != 0 && result->verdict[0] == '\0')
        snprintf(result->verdict, sizeof result->verdict, "the simulator died of %s",
                 WIFSIGNALED(status) ? strsignal(WTERMSIG(status)) : "an error");
    report(c, job->seed, result);
    return job;
}

void campaign_run(struct campaign *c, uint64_t from, uint64_t to)
{
    struct job jobs[CAMPAIGN_JOBS_MAX] = {0};
    uint32_t n_running = 0, n_jobs = c->trace ? 1 : c->jobs;
    struct job *next = jobs;
    assert(c->jobs > 0 && c->jobs <= CAMPAIGN_JOBS_MAX);
    size_t size = n_jobs * sizeof(struct sim_result);
    struct sim_result *results =
        mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert(results != MAP_FAILED);
    for (uint32_t i = 0; i < n_jobs; i++) jobs[i].result = &results[i];
    heed_signals(on_stop);
    for (uint64_t seed = from; seed <= to && stopped == 0; seed++) {
        if (c->until_failure && c->n_failed > 0) break;
        start(c, next, seed);
        if (++n_running == n_jobs) {
            next = finish(c, jobs);
            n_running--;
        } else {
            next++;
        }
    }
    if (stopped != 0) stop_all(jobs);
    for (; n_running > 0; n_running--) finish(c, jobs);
    munmap(results, size);
}

static bool parse_number(const char *text, const char **end, uint64_t *value)
{
    char *after;
    errno = 0;
    *value = strtoull(text, &after, 10);
    *end = after;
    return after != text && *text != '-' && errno == 0;
}

bool campaign_parse_seeds(const char *text, uint64_t *from, uint64_t *to)
{
    const char *at;
    if (!parse_number(text, &at, from)) return false;
    *to = *from;
    if (*at == '\0') return true;
    if (*at++ != '-') return false;
    *to = UINT64_MAX - 1;
    return *at == '\0' || (parse_number(at, &at, to) && *at == '\0' && *from <= *to);
}

bool campaign_set(struct campaign *c, const char *text)
{
    const char *equals = strchr(text, '=');
    if (equals == NULL || c->n_settings == CAMPAIGN_SETTINGS_MAX) return false;
    char *end;
    int option = sim_option_find(text, (size_t)(equals - text));
    uint64_t value = strtoull(equals + 1, &end, 10);
    if (option < 0 || equals[1] < '0' || equals[1] > '9' || *end != '\0') return false;
    c->settings[c->n_settings++] = (struct sim_setting){(size_t)option, value};
    return true;
}

/* "SEEDS [NAME=VALUE]... reason".  NULL, or what should have been a setting. */
static const char *run_line(struct campaign *c, char *line)
{
    size_t n_settings = c->n_settings;
    char *rest, *word = strtok_r(line, " \n", &rest);
    uint64_t from, to;
    if (word == NULL || !campaign_parse_seeds(word, &from, &to)) return NULL; /* a comment */
    do {
        word = strtok_r(NULL, " \n", &rest);
    } while (word != NULL && campaign_set(c, word));
    bool sound = word == NULL || strchr(word, '=') == NULL;
    if (sound) campaign_run(c, from, to);
    c->n_settings = n_settings;
    return sound ? NULL : word;
}

int campaign_run_file(struct campaign *c, const char *path)
{
    char line[1024];
    FILE *file = fopen(path, "r");
    if (file == NULL) return -1;
    for (uint64_t number = 1; fgets(line, sizeof line, file) != NULL; number++) {
        const char *wrong = run_line(c, line);
        if (wrong == NULL) continue;
        printf("%s%s:%" PRIu64 ": no setting: '%s'\n", c->tap ? "# " : "", path, number, wrong);
        tap(c, false, "line", number);
        c->n_failed++;
    }
    fclose(file);
    return 0;
}

/* --- of the campaign as a whole --------------------------------------------------------------- */

void campaign_check_repeats(struct campaign *c, uint64_t seed)
{
    struct sim_result once, twice;
    run_seed(c, seed, NULL, NULL, &once);
    run_seed(c, seed, NULL, NULL, &twice);
    bool ok = once.hash == twice.hash && once.stats.events == twice.stats.events;
    tap(c, ok, "the same run, twice, of seed", seed);
    c->n_failed += !ok;
}

void campaign_check_replays(struct campaign *c, uint64_t seed)
{
    size_t n_settings = c->n_settings;
    bool set = campaign_set(c, "record=1");
    assert(set);
    for (uint64_t last = seed + REPLAYED_SEEDS; seed < last; seed++) {
        struct sim_result result;
        run_seed(c, seed, NULL, NULL, &result);
        if (result.failed) printf("# %s\n", result.verdict);
        tap(c, !result.failed, "every life once more, of seed", seed);
        c->n_failed += result.failed;
    }
    c->n_settings = n_settings;
}

void campaign_check_coverage(struct campaign *c)
{
    bool ok = true;
#define SIM_STAT(name)                                                                             \
    if (c->total.name == 0) {                                                                      \
        printf("# nothing was counted under " #name "\n");                                         \
        ok = false;                                                                                \
    }
    SIM_STATS(SIM_STAT)
#undef SIM_STAT
    for (size_t i = 1; i < VR_MARKS; i++) {
        if (vr_mark_table[i].guard || c->n_runs_with[i] > 0) continue;
        printf("# no run hit %s: %s\n", vr_mark_table[i].name, vr_mark_table[i].sentence);
        ok = false;
    }
    tap(c, ok, "all that is counted happened in this many runs:", c->n_run);
    c->n_failed += !ok;
}

void campaign_print_marks(const struct campaign *c, FILE *to)
{
    bool printed[VR_MARKS] = {false};
    fprintf(to, "%s%6s %6s  %-32s  %s\n", c->tap ? "# " : "", "runs", "seed", "mark", "sentence");
    for (size_t n = 1; n < VR_MARKS; n++) {
        size_t rarest = 0;
        for (size_t i = 1; i < VR_MARKS; i++)
            if (!printed[i] && (rarest == 0 || c->n_runs_with[i] < c->n_runs_with[rarest]))
                rarest = i;
        printed[rarest] = true;
        if (vr_mark_table[rarest].guard) continue;
        fprintf(to, "%s%6" PRIu64 " %6" PRIu64 "  %-32s  %s\n", c->tap ? "# " : "",
                c->n_runs_with[rarest], c->seed_with[rarest], vr_mark_table[rarest].name,
                vr_mark_table[rarest].sentence);
    }
}

void campaign_print_stats(const struct campaign *c, FILE *to)
{
#define SIM_STAT(name) fprintf(to, " " #name "=%" PRIu64, c->total.name);
    SIM_STATS(SIM_STAT)
#undef SIM_STAT
    fprintf(to, "\n");
}

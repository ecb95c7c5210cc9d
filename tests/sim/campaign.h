/* SPDX-License-Identifier: BSD-2-Clause */
/* Many seeds: each in a process of its own, as many at a time as there are cores, so that a run
 * which crashes or hangs is one failure among others.  Reports as the results come. */
#ifndef SIM_CAMPAIGN_H
#define SIM_CAMPAIGN_H

#include "sim/sim.h"

#define CAMPAIGN_SETTINGS_MAX 64u
#define CAMPAIGN_JOBS_MAX     256u

struct campaign {
    struct sim_setting settings[CAMPAIGN_SETTINGS_MAX];
    size_t n_settings;
    const char *app, *app_exec, *app_argument, *operations; /* as given */
    uint32_t jobs; /* at most CAMPAIGN_JOBS_MAX */
    uint32_t hang_s; /* an application that takes so long for one thing hangs */
    bool trace, tap, until_failure;
    uint64_t n_run, n_failed, n_tests;
    struct sim_stats total;
    uint64_t n_runs_with[VR_MARKS]; /* by mark: runs that hit it ... */
    uint64_t seed_with[VR_MARKS];   /* ... and the lowest seed of one */
};

/* Seeds from .. to, both included, or until SIGINT or SIGTERM, after which no more are run. */
void campaign_run(struct campaign *c, uint64_t from, uint64_t to);

/* The signal that stopped it; 0: none did. */
int campaign_stopped(void);

/* Fix an option, "NAME=VALUE"; false if that makes no sense, or there are too many. */
bool campaign_set(struct campaign *c, const char *text);

/* "A-B", "A-" or "A". */
bool campaign_parse_seeds(const char *text, uint64_t *from, uint64_t *to);

/* The seeds of a file: a number or a range, perhaps NAME=VALUE, and a reason a line.  A line with a
 * setting that there is not has failed.  -1: it cannot be read, errno is set. */
int campaign_run_file(struct campaign *c, const char *path);

/* A seed gives the same run every time, or nothing could be replayed. */
void campaign_check_repeats(struct campaign *c, uint64_t seed);

/* So does a life of a replica from what went into it: that of seed and of those that follow. */
void campaign_check_replays(struct campaign *c, uint64_t seed);

/* A campaign in which something never happened, or some mark was never hit, did not test it. */
void campaign_check_coverage(struct campaign *c);

/* The marks of marks.def, rarest first: how many runs hit each, and a seed that did. */
void campaign_print_marks(const struct campaign *c, FILE *to);

void campaign_print_stats(const struct campaign *c, FILE *to);

#endif

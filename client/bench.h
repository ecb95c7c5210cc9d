/* SPDX-License-Identifier: BSD-2-Clause */
/* vstamp bench: a load on the group, and what it was like.
 *
 *   cmd_bench.c       options, phases, what is printed
 *   bench.c           the load itself
 *   timeline.[ch]     answers by time
 *   histogram.[ch]    answers by latency
 *   plot.[ch]         both as a picture
 *
 * Closed loop: each client asks again when it was answered.  Open loop (`rate`): requests are due
 * at fixed times, whatever becomes of those before; one that finds no free client waits for one,
 * and its latency counts from when it was due.  A group that stands still for a second thus shows a
 * second in the latencies of all that were due in it, not of the few that happened to be on their
 * way. */
#ifndef CLIENT_BENCH_H
#define CLIENT_BENCH_H

#include "client/crowd.h"
#include "client/histogram.h"
#include "client/timeline.h"
#include "client/zipf.h"
#include "kv/kv.h"

#define BENCH_PREFIX     "bench/"
#define BENCH_DIGITS     10u
#define BENCH_VIEWS_MAX  64u

struct bench_options {
    uint32_t clients, connections;
    uint32_t rate;        /* a second; 0: closed loop */
    uint32_t duration_ms; /* 0: until `requests` are done */
    uint32_t requests;    /* 0: until the time is over */
    uint32_t keys, key_bytes, value_bytes;
    uint32_t read_percent;
    enum bench_distribution { BENCH_UNIFORM, BENCH_ZIPFIAN } distribution;
    bool increments;          /* in place of puts; then the counters are added up */
    bool keep;                /* leave the keys there */
    const char *svg;
};

/* How requests ended that were not answered. */
enum bench_failure { BENCH_NOT_RUN, BENCH_UNKNOWN, BENCH_REFUSED, BENCH_FAILURES };

struct bench_view {
    uint64_t at_ns; /* since the start */
    uint64_t view;
};

struct bench {
    struct bench_options options;
    struct crowd crowd;
    struct requester *requesters;
    uint32_t *free, n_free;
    struct zipf zipf;
    struct prng prng;
    uint8_t *value;

    uint64_t start_ns, end_ns;
    uint64_t next_ns; /* open loop: when the next request is due */
    double step_ns;
    uint64_t n_started;
    uint64_t n_unsent; /* open loop: due within the time, and no client was free */
    struct histogram reads, writes, second; /* nanoseconds; `second` since the last live line */
    uint64_t failures[BENCH_FAILURES];
    int failure; /* VSTAMP_E_... of the first */
    char why[CONN_EXPLANATION_SIZE]; /* when the first had no answer: what the replicas did */
    struct timeline timeline;
    uint64_t answered_ns; /* the newest answer, or the start */
    uint64_t gap_ns, gap_at_ns; /* the longest time without one, and when it began */
    struct bench_view views[BENCH_VIEWS_MAX];
    uint32_t n_views;
    struct bench_sweep {
        enum kv_verb verb;
        uint64_t sum;
        int err;
    } sweep; /* over all keys, before or after the load */
};

/* Nothing is sent yet.  0 or an error with a sentence. */
int bench_open(struct bench *b, struct client *c, const struct bench_options *options,
               struct vstamp_diag *diag);
void bench_close(struct bench *b);

/* The load; returns when it is over or a signal came.  `live` is called about once a second. */
void bench_run(struct bench *b, void (*live)(const struct bench *b, uint64_t elapsed_ns));

/* What it came to: how long it took, and how many requests were answered, in all and a second. */
double bench_seconds(const struct bench *b);
uint64_t bench_answered(const struct bench *b);
double bench_per_second(const struct bench *b);

/* Before and after it: something for each of the keys.  0, or how the newest failed; if a signal
 * came, VSTAMP_E_NOT_RUN. */
int bench_fill(struct bench *b);
int bench_clear(struct bench *b);

/* The sum of the counters, likewise. */
int bench_add_up(struct bench *b, uint64_t *sum);

#endif

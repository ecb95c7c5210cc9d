/* SPDX-License-Identifier: BSD-2-Clause */
/* vstamp bench: what a load is like (bench.h).
 *
 *   register -> fill, where there are reads, or clear, for increments -> the load, with a live line
 *   -> add the increments up -> the report -> clear
 *
 * The keys begin with "bench/" and are removed at the end.  With --incr each write adds 1 to a
 * counter, and the sum must be what was acknowledged: less was lost, more ran twice. */
#include <config.h>

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/answer.h"
#include "client/bench.h"
#include "client/command.h"
#include "client/memory.h"
#include "client/plot.h"

#define DURATION_MS_DEFAULT 10000u
#define DURATION_MS_MAX     86400000u
#define KEYS_DEFAULT        10000u
#define KEYS_MAX            10000000u
#define NEVER               UINT64_MAX

static const struct {
    const char *name; /* in JSON */
    const char *text;
    double share;
} quantiles[] = {{"p50", "p50", 0.5},         {"p90", "p90", 0.9},   {"p99", "p99", 0.99},
                 {"p99_9", "p99.9", 0.999}, {"p99_99", "p99.99", 0.9999}};
#define QUANTILES (sizeof quantiles / sizeof quantiles[0])

static const char *const failure_words[BENCH_FAILURES] = {"not run", "unknown", "refused"};
static const char *const failure_names[BENCH_FAILURES] = {"not_run", "unknown", "refused"};

/* --- the live line ---------------------------------------------------------------------------- */

#define TIME_TEXT_SIZE 24

/* Three digits: "74 us", "1.42 ms", "2.31 s". */
static const char *print_time(char text[static TIME_TEXT_SIZE], uint64_t ns)
{
    static const char *const units[] = {"ns", "us", "ms", "s"};
    double value = (double)ns;
    size_t unit = 0;
    while (value >= 999.5 && unit < sizeof units / sizeof units[0] - 1) {
        value /= 1000;
        unit++;
    }
    int digits = value < 9.995 && unit > 0 ? 2 : value < 99.95 && unit > 0 ? 1 : 0;
    snprintf(text, TIME_TEXT_SIZE, "%.*f %s", digits, value, units[unit]);
    return text;
}

static void print_live(const struct bench *b, uint64_t elapsed_ns)
{
    char p50[TIME_TEXT_SIZE], p99[TIME_TEXT_SIZE], most[TIME_TEXT_SIZE];
    const struct histogram *h = &b->second;
    bool overwrites = isatty(STDERR_FILENO);
    uint64_t failed = 0;
    for (size_t i = 0; i < BENCH_FAILURES; i++) failed += b->failures[i];
    fprintf(stderr, "%s%5.0f s  %7" PRIu64 "/s", overwrites ? "\r" : "", (double)elapsed_ns / 1e9,
            h->count);
    if (h->count > 0)
        fprintf(stderr, "  p50 %-8s p99 %-8s max %-8s",
                print_time(p50, histogram_quantile(h, 0.5)),
                print_time(p99, histogram_quantile(h, 0.99)), print_time(most, h->greatest));
    else
        fprintf(stderr, "  no answer for %-8s", print_time(p50, crowd_now_ns() - b->answered_ns));
    fprintf(stderr, " view %" PRIu64, b->views[b->n_views - 1].view);
    if (failed > 0) fprintf(stderr, "  %" PRIu64 " failed", failed);
    fputs(overwrites ? "\033[K" : "\n", stderr);
    fflush(stderr);
}

static void end_live(const struct bench *b)
{
    if (isatty(STDERR_FILENO) && b->end_ns - b->start_ns >= 1000000000u) fputs("\r\033[K", stderr);
}

/* --- the report ------------------------------------------------------------------------------- */

static void print_latencies(const char *what, const struct histogram *h)
{
    char text[TIME_TEXT_SIZE];
    if (h->count == 0) return;
    printf("%-7s", what);
    for (size_t i = 0; i < QUANTILES; i++)
        printf("  %8s", print_time(text, histogram_quantile(h, quantiles[i].share)));
    printf("  %8s", print_time(text, h->greatest));
    printf("  %8s\n", print_time(text, (uint64_t)histogram_mean(h)));
}

static void print_report(const struct bench *b, uint64_t sum)
{
    const struct bench_options *o = &b->options;
    char text[TIME_TEXT_SIZE];
    if (o->rate > 0)
        printf("open loop, %" PRIu32 "/s, up to %" PRIu32, o->rate, o->clients);
    else
        printf("closed loop, %" PRIu32, o->clients);
    printf(" client%s on %" PRIu32 " connection%s, %.1f s\n", o->clients == 1 ? "" : "s",
           b->crowd.n_drivers, b->crowd.n_drivers == 1 ? "" : "s", bench_seconds(b));
    printf("%" PRIu64 " requests answered, %.0f/s", bench_answered(b), bench_per_second(b));
    for (size_t i = 0; i < BENCH_FAILURES; i++)
        if (b->failures[i] > 0 || i < BENCH_REFUSED)
            printf("%s%" PRIu64 " %s", i == 0 ? "; " : ", ", b->failures[i], failure_words[i]);
    if (b->n_unsent > 0)
        printf("; %" PRIu64 " that were due were never sent: the group did not keep up",
               b->n_unsent);
    printf("\n\nlatency");
    for (size_t i = 0; i < QUANTILES; i++) printf("  %8s", quantiles[i].text);
    printf("  %8s  %8s\n", "max", "mean");
    print_latencies("reads", &b->reads);
    print_latencies("writes", &b->writes);
    printf("\nlongest time without an answer: %s", print_time(text, b->gap_ns));
    printf(", %.1f s after the start\n", (double)b->gap_at_ns / 1e9);
    for (uint32_t i = 1; i < b->n_views; i++)
        printf("view %" PRIu64 " -> %" PRIu64 ", seen %.1f s after the start\n",
               b->views[i - 1].view, b->views[i].view, (double)b->views[i].at_ns / 1e9);
    if (sum != NEVER)
        printf("the counters add up: %" PRIu64 ", of which %" PRIu64 " were acknowledged\n", sum,
               b->writes.count);
}

static json_t *latencies_json(const struct histogram *h)
{
    json_t *object = json_object();
    json_object_set_new(object, "count", json_integer((json_int_t)h->count));
    json_object_set_new(object, "min_us", json_real((double)h->least / 1e3));
    json_object_set_new(object, "mean_us", json_real(histogram_mean(h) / 1e3));
    for (size_t i = 0; i < QUANTILES; i++) {
        char name[16];
        snprintf(name, sizeof name, "%s_us", quantiles[i].name);
        double us = (double)histogram_quantile(h, quantiles[i].share) / 1e3;
        json_object_set_new(object, name, json_real(us));
    }
    json_object_set_new(object, "max_us", json_real((double)h->greatest / 1e3));
    return object;
}

static json_t *timeline_json(const struct timeline *t)
{
    json_t *list = json_array();
    for (size_t i = 0; i < t->n; i++)
        json_array_append_new(list, json_pack("{s:I,s:I,s:f}", "answered",
                                              (json_int_t)t->at[i].answered, "failed",
                                              (json_int_t)t->at[i].failed, "max_us",
                                              (double)t->at[i].longest_ns / 1e3));
    return list;
}

static json_t *report_json(const struct bench *b, uint64_t sum)
{
    const struct bench_options *o = &b->options;
    json_t *object = answer_named("bench");
    json_t *views = json_array();
    json_object_set_new(object, "clients", json_integer(o->clients));
    json_object_set_new(object, "connections", json_integer(b->crowd.n_drivers));
    json_object_set_new(object, "rate", o->rate > 0 ? json_integer(o->rate) : json_null());
    json_object_set_new(object, "key_bytes", json_integer(o->key_bytes));
    json_object_set_new(object, "value_bytes", json_integer(o->value_bytes));
    json_object_set_new(object, "seconds", json_real(bench_seconds(b)));
    json_object_set_new(object, "answered", json_integer((json_int_t)bench_answered(b)));
    json_object_set_new(object, "per_second", json_real(bench_per_second(b)));
    for (size_t i = 0; i < BENCH_FAILURES; i++)
        json_object_set_new(object, failure_names[i], json_integer((json_int_t)b->failures[i]));
    json_object_set_new(object, "unsent", json_integer((json_int_t)b->n_unsent));
    if (b->reads.count > 0) json_object_set_new(object, "reads", latencies_json(&b->reads));
    if (b->writes.count > 0) json_object_set_new(object, "writes", latencies_json(&b->writes));
    json_object_set_new(object, "gap_ms", json_real((double)b->gap_ns / 1e6));
    json_object_set_new(object, "gap_at_s", json_real((double)b->gap_at_ns / 1e9));
    for (uint32_t i = 0; i < b->n_views; i++)
        json_array_append_new(views, json_pack("{s:f,s:I}", "at_s",
                                               (double)b->views[i].at_ns / 1e9, "view",
                                               (json_int_t)b->views[i].view));
    json_object_set_new(object, "views", views);
    if (sum != NEVER) json_object_set_new(object, "sum", json_integer((json_int_t)sum));
    json_object_set_new(object, "interval_ms", json_integer(TIMELINE_MS));
    json_object_set_new(object, "intervals", timeline_json(&b->timeline));
    return object;
}

static void fail(const char *what, int err, const char *replicas, struct outcome *o)
{
    const char *text = vstamp_err_text(err);
    if (outcome_is_silence(err))
        outcome_fail(o, err, err == VSTAMP_E_UNKNOWN_OUTCOME, "%s: %s: %s: %s", what, text,
                     replicas, outcome_advice(err));
    else
        outcome_fail(o, err, false, "%s: %s", what, text);
}

/* Something for all keys failed. */
static void fail_sweep(const struct bench *b, const char *what, int err, struct outcome *o)
{
    char replicas[CONN_EXPLANATION_SIZE];
    crowd_explain(&b->crowd, replicas, sizeof replicas);
    fail(what, err, replicas, o);
}

static void fail_load(const struct bench *b, struct outcome *o)
{
    char what[48];
    uint64_t n = b->failures[BENCH_NOT_RUN] + b->failures[BENCH_REFUSED];
    snprintf(what, sizeof what, "%" PRIu64 " request%s failed", n, n == 1 ? "" : "s");
    fail(what, b->failure, b->why, o);
}

/* What went wrong, with its exit status in o->err; err 0: nothing. */
static void judge(const struct bench *b, uint64_t sum, int sum_err, struct outcome *o)
{
    uint64_t least = b->writes.count, most = least + b->failures[BENCH_UNKNOWN];
    if (sum_err != 0)
        fail_sweep(b, "the counters could not be read", sum_err, o);
    else if (sum != NEVER && (sum < least || sum > most))
        outcome_fail(o, VSTAMP_E_BUG, true,
                     "%" PRIu64 " increments ran, but %" PRIu64 " were acknowledged and %" PRIu64
                     " are unknown: unless somebody else wrote to keys that begin with bench/, "
                     "please report this",
                     sum, least, b->failures[BENCH_UNKNOWN]);
    else if (b->failures[BENCH_UNKNOWN] > 0)
        outcome_fail(o, VSTAMP_E_UNKNOWN_OUTCOME, true,
                     "%" PRIu64 " requests had no answer in time, and may have run%s%s: raise "
                     "--timeout, or look at vstamp-admin status",
                     b->failures[BENCH_UNKNOWN], b->why[0] != '\0' ? ": " : "", b->why);
    else if (b->failure != 0)
        fail_load(b, o);
}

static int report(struct client *c, const struct bench *b, uint64_t sum, int sum_err)
{
    struct outcome o = {0};
    judge(b, sum, sum_err, &o);
    int status = vstamp_err_exit(o.err);
    if (c->options.json) {
        json_t *object = report_json(b, sum);
        if (o.err != 0) {
            status = answer_error(c, object, &o);
        } else {
            json_object_set_new(object, "ok", json_true());
            answer_print_json(c, object, NULL);
        }
    } else {
        print_report(b, sum);
        if (o.err != 0) status = answer_error(c, NULL, &o);
    }
    outcome_release(&o);
    return status;
}

/* --- the command ------------------------------------------------------------------------------ */

/* It is written at the end, and a long load is not to be in vain. */
static int open_picture(FILE **picture, const char *path, struct vstamp_diag *diag)
{
    if (path == NULL) return 0;
    *picture = fopen(path, "ae");
    if (*picture != NULL) return 0;
    vstamp_diag_printf(diag, "%s: cannot be written: %s: nothing was sent", path, strerror(errno));
    return VSTAMP_E_IO;
}

/* The keys as the load needs them.  False: *o says why they are not. */
static bool prepare(struct bench *b, struct outcome *o)
{
    int rv = b->options.increments ? bench_clear(b)
             : b->options.read_percent > 0 ? bench_fill(b)
                                           : 0;
    if (rv != 0) fail_sweep(b, "the keys could not be prepared", rv, o);
    return rv == 0;
}

/* The load, and what it was like; the exit status. */
static int measure(struct client *c, struct bench *b, FILE *picture)
{
    uint64_t sum = NEVER;
    bench_run(b, print_live);
    end_live(b);
    int sum_err = b->options.increments && c->signal == 0 ? bench_add_up(b, &sum) : 0;
    int status = report(c, b, sum, sum_err);
    if (picture != NULL && plot_write(b, picture) != 0) {
        cli_complain(c->cli, "%s: cannot be written: %s", b->options.svg, strerror(errno));
        status = CLI_USAGE;
    }
    return status;
}

/* Between opening and closing; the exit status. */
static int run(struct client *c, struct bench *b, FILE *picture)
{
    const struct bench_options *options = &b->options;
    struct outcome o = {0};
    bool begun = crowd_register(&b->crowd, &o) == 0, ready = begun && prepare(b, &o);
    int status = ready ? measure(c, b, picture) : answer_error(c, answer_named("bench"), &o);
    outcome_release(&o);
    if (options->keep || !begun) return status;
    bool are_gone = ready ? bench_clear(b) == 0 : options->read_percent == 0;
    if (!are_gone) cli_complain(c->cli, "keys that begin with %s were left there", BENCH_PREFIX);
    return status;
}

int cmd_bench(struct cli *cli, int argc, char **argv)
{
    struct client *c = cli->context;
    struct bench_options o = {.clients = 16,
                              .connections = 1,
                              .keys = KEYS_DEFAULT,
                              .key_bytes = (uint32_t)strlen(BENCH_PREFIX) + BENCH_DIGITS,
                              .value_bytes = 100};
    const struct cli_option options[] = {
        CLI_U32('n', "clients", &o.clients, 1, VSTAMP_IN_FLIGHT_MAX, "N",
                "as many requests in flight, each a client's, by default 16"),
        CLI_U32(0, "connections", &o.connections, 1, VSTAMP_IN_FLIGHT_MAX, "N",
                "connections to each replica that they share, by default 1"),
        CLI_U32(0, "rate", &o.rate, 1, 10000000, "N",
                "open loop: so many requests a second are due, answered or not"),
        CLI_DURATION('d', "duration", &o.duration_ms, 100, DURATION_MS_MAX,
                     "how long, by default 10"),
        CLI_U32(0, "requests", &o.requests, 1, UINT32_MAX, "N", "end after so many, instead"),
        CLI_U32(0, "reads", &o.read_percent, 0, 100, "PERCENT", "reads among them, by default 0"),
        CLI_U32(0, "keys", &o.keys, 1, KEYS_MAX, "N", "different keys, by default 10000"),
        CLI_U32(0, "key-bytes", &o.key_bytes, o.key_bytes, KV_KEY_MAX, "N",
                "size of a key, by default 16"),
        CLI_U32(0, "value-bytes", &o.value_bytes, 0, KV_VALUE_MAX, "N",
                "size of a value, by default 100"),
        CLI_WORD(0, "distribution", &o.distribution, BENCH_UNIFORM, "uniform|zipfian",
                 "which keys, by default uniform"),
        CLI_FLAG(0, "incr", &o.increments, "increments instead of puts, and see that none is lost"),
        CLI_FLAG(0, "keep", &o.keep, "leave the keys there"),
        CLI_TEXT(0, "svg", &o.svg, "FILE", "draw latencies, and throughput by time"),
        CLI_END,
    };
    int rv = cli_parse(cli, options, argc, argv, NULL, 0, NULL);
    if (rv != 0) return rv;
    if (o.increments && o.read_percent > 0)
        return cli_usage(cli, "--incr and --reads: the values of one are no counters of the other: "
                              "use one of them");
    if (o.requests == 0 && o.duration_ms == 0) o.duration_ms = DURATION_MS_DEFAULT;
    struct vstamp_diag diag = {0};
    FILE *picture = NULL;
    rv = open_picture(&picture, o.svg, &diag);
    if (rv != 0) return answer_refuse(c, answer_named("bench"), rv, &diag);
    struct bench *b = memory_new(sizeof *b);
    rv = bench_open(b, c, &o, &diag);
    int status = rv == 0 ? run(c, b, picture) : answer_refuse(c, answer_named("bench"), rv, &diag);
    bench_close(b);
    if (picture != NULL) fclose(picture);
    free(b);
    return status;
}

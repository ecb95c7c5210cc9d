/* SPDX-License-Identifier: BSD-2-Clause */
/* vstamp import [FILE]: put each line's pair (pair.h), many at a time.
 *
 *   read -> a line -> its put waits while its key is in flight -> sent -> answered -> counted
 *
 * So of two lines with one key the later one wins, as in a file that is read in order.  The first
 * line that cannot be imported ends it: nothing more is read, and what is in flight is awaited, so
 * that the counts are exact.  A put may be done twice without harm: an import that was cut off can
 * be run again. */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/answer.h"
#include "client/command.h"
#include "client/crowd.h"
#include "client/lines.h"
#include "client/memory.h"
#include "client/operation.h"
#include "client/pair.h"
#include "program/progress.h"

#define CLIENTS_DEFAULT 64u

struct import;

/* One client, and the line that it puts. */
struct put {
    struct import *of;
    uint32_t client;
    uint64_t line;
    struct bytes key; /* data NULL: it is free */
    struct operation operation; /* in memory of its own; the key is in it */
};

struct import {
    struct client *c;
    struct crowd crowd;
    const char *name;
    struct lines lines;
    uint64_t bytes_total; /* for the progress bar */
    struct progress progress;

    uint32_t n_clients, n_free;
    struct put *puts, **free;
    struct put *waiting; /* until no other has its key in flight */
    uint64_t n_imported;

    int err; /* of the first line that failed, by its number */
    bool may_have_run;
    uint64_t err_line;
    char *why;
};

/* --- lines ------------------------------------------------------------------------------------ */

static void fail_at(struct import *im, uint64_t line, int err, bool may_have_run, struct bytes why)
{
    if (im->err != 0 && im->err_line < line) return;
    free(im->why);
    im->why = memory_copy(why.data, why.size);
    im->err = err;
    im->may_have_run = may_have_run;
    im->err_line = line;
}

static void read_more(struct import *im)
{
    int rv = lines_read(&im->lines);
    if (rv != 0) fail_at(im, im->lines.number + 1, rv, false, bytes_of(lines_failure(rv)));
}

/* --- puts ------------------------------------------------------------------------------------- */

static void release(struct import *im, struct put *put)
{
    operation_release(&put->operation);
    put->key = (struct bytes){0};
    im->free[im->n_free++] = put;
}

static void on_reply(void *context, const struct vstamp_reply *reply)
{
    struct put *put = context;
    struct import *im = put->of;
    struct kv_answer answer;
    if (reply->err != 0) {
        struct bytes why = {reply->body, reply->size};
        bool refused = vstamp_err_exit(reply->err) == CLI_REFUSED && reply->size > 0;
        fail_at(im, put->line, reply->err, reply->may_have_run,
                refused ? why : bytes_of(vstamp_err_text(reply->err)));
    } else if (kv_decode_answer(KV_PUT, (struct bytes){reply->body, reply->size}, &answer) != 0) {
        fail_at(im, put->line, VSTAMP_E_MALFORMED, true, bytes_of("the answer makes no sense"));
    } else if (kv_answer_err(answer.status) != 0) {
        fail_at(im, put->line, kv_answer_err(answer.status), false,
                bytes_of(kv_answer_text(answer.status)));
    } else {
        im->n_imported++;
    }
    release(im, put);
}

static bool is_in_flight(const struct import *im, const struct put *put)
{
    for (uint32_t i = 0; i < im->n_clients; i++) {
        const struct put *other = &im->puts[i];
        if (other != put && other->key.data != NULL && bytes_equal(other->key, put->key))
            return true;
    }
    return false;
}

/* The put of a pair waits from now on.  NULL, or what is wrong with it. */
static const char *prepare(struct import *im, const struct pair *pair)
{
    struct put *put = im->free[--im->n_free];
    struct kv_op op = {.verb = KV_PUT, .key = pair->key, .value = pair->value};
    if (pair->expires_us != 0) op.expiry = pair->expires_us | KV_EXPIRES_AT;
    put->operation = operation_encode(&op);
    put->line = im->lines.number;
    const char *wrong = kv_decode_op(put->operation.bytes, &op);
    put->key = op.key;
    if (wrong == NULL) im->waiting = put;
    else release(im, put);
    return wrong;
}

/* The next line's put, if there is a line with one. */
static void take_line(struct import *im)
{
    struct bytes line = lines_take(&im->lines);
    if (line.size == 0) return;
    struct pair pair;
    const char *wrong = pair_parse(&pair, line);
    if (wrong == NULL) wrong = prepare(im, &pair);
    if (wrong != NULL) fail_at(im, im->lines.number, VSTAMP_E_USAGE, false, bytes_of(wrong));
    pair_release(&pair);
}

/* Do what can be done without waiting. */
static void advance(struct import *im)
{
    while (im->err == 0 && im->c->signal == 0) {
        if (im->waiting == NULL && im->n_free > 0 && lines_ready(&im->lines)) take_line(im);
        struct put *put = im->waiting;
        if (put == NULL && im->n_free > 0 && lines_ready(&im->lines)) continue; /* it was empty */
        if (put == NULL || is_in_flight(im, put)) return;
        im->waiting = NULL;
        crowd_call(&im->crowd, put->client, VSTAMP_APPLY, put->operation.bytes, on_reply, put);
    }
}

static void run(struct import *im)
{
    for (;;) {
        advance(im);
        bool stopped = im->err != 0 || im->c->signal != 0;
        bool idle = im->n_free + (im->waiting != NULL) == im->n_clients;
        bool wants_more = !stopped && !im->lines.ended && im->waiting == NULL && im->n_free > 0;
        if (idle && !wants_more) return;
        if (im->c->signal != 0) return; /* who interrupts does not want to wait */
        if (crowd_turn(&im->crowd, wants_more ? im->lines.fd : -1, UINT64_MAX)) read_more(im);
        progress_show(&im->progress, im->lines.bytes_read, im->bytes_total);
    }
}

/* --- the command ------------------------------------------------------------------------------ */

static void open_puts(struct import *im)
{
    im->puts = memory_new(im->n_clients * sizeof im->puts[0]);
    im->free = memory_new(im->n_clients * sizeof im->free[0]);
    for (uint32_t i = im->n_clients; i-- > 0;) {
        im->puts[i].of = im;
        im->puts[i].client = i;
        im->free[im->n_free++] = &im->puts[i];
    }
}

static void close_puts(struct import *im)
{
    for (uint32_t i = 0; i < im->n_clients; i++) operation_release(&im->puts[i].operation);
    free(im->puts);
    free(im->free);
    lines_release(&im->lines);
    free(im->why);
}

/* What had left before nobody let us in any more may have run; but that matters less than what
 * keeps us out, since it does no harm to put it again. */
static void judge_silence(struct import *im)
{
    int err = VSTAMP_E_NOT_AUTHORISED;
    if (im->err == VSTAMP_E_UNKNOWN_OUTCOME && crowd_is_barred(&im->crowd))
        fail_at(im, im->err_line, err, im->may_have_run, bytes_of(vstamp_err_text(err)));
}

/* The line that failed, and what to do about it. */
static void fail_line(const struct import *im, struct outcome *o)
{
    int status = vstamp_err_exit(im->err);
    const char *name = strcmp(im->name, "-") == 0 ? "standard input" : im->name;
    const char *before = im->n_imported > 0 ? ", all before that line among them" : "";
    const char *advice = "run it again: what is there already does no harm";
    char replicas[CONN_EXPLANATION_SIZE] = "";
    if (im->err == VSTAMP_E_NOT_AUTHORISED)
        advice = outcome_advice(im->err);
    else if (status == CLI_USAGE)
        advice = "mend it and run it again";
    else if (status == CLI_REFUSED)
        advice = "leave it out and run it again, or import into a group with larger limits";
    if (outcome_is_silence(im->err)) crowd_explain(&im->crowd, replicas, sizeof replicas);
    outcome_fail(o, im->err, im->may_have_run,
                 "%s:%" PRIu64 ": %s%s%s: %" PRIu64 " %s imported%s: %s", name, im->err_line,
                 im->why, replicas[0] != '\0' ? ": " : "", replicas, im->n_imported,
                 im->n_imported == 1 ? "pair was" : "pairs were", before, advice);
}

static int report_failure(struct import *im, json_t *object)
{
    struct outcome o = {0};
    if (im->c->signal != 0) {
        outcome_fail(&o, VSTAMP_E_UNKNOWN_OUTCOME, im->n_free < im->n_clients,
                     "interrupted after %" PRIu64 " imported pairs: run it again for all",
                     im->n_imported);
    } else {
        judge_silence(im);
        json_object_set_new(object, "line", json_integer((json_int_t)im->err_line));
        fail_line(im, &o);
    }
    int status = answer_error(im->c, object, &o);
    outcome_release(&o);
    return status;
}

static int report(struct import *im)
{
    struct client *c = im->c;
    json_t *object = answer_named("import");
    json_object_set_new(object, "imported", json_integer((json_int_t)im->n_imported));
    if (im->err != 0 || c->signal != 0) return report_failure(im, object);
    json_object_set_new(object, "ok", json_true());
    if (c->options.json) {
        answer_print_json(c, object, NULL);
    } else {
        json_decref(object);
        printf("%" PRIu64 " imported\n", im->n_imported);
    }
    return CLI_OK;
}

static int open_input(struct import *im, struct vstamp_diag *diag)
{
    int fd = STDIN_FILENO;
    if (strcmp(im->name, "-") != 0) fd = open(im->name, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) != 0) {
        vstamp_diag_printf(diag, "%s: %s: nothing was imported", im->name, strerror(errno));
        return VSTAMP_E_IO;
    }
    im->lines = (struct lines){.fd = fd};
    if (S_ISREG(st.st_mode)) im->bytes_total = (uint64_t)st.st_size;
    return 0;
}

int cmd_import(struct cli *cli, int argc, char **argv)
{
    struct client *c = cli->context;
    struct import im = {.c = c, .n_clients = CLIENTS_DEFAULT, .name = "-"};
    const struct cli_option options[] = {
        CLI_U32('n', "clients", &im.n_clients, 1, VSTAMP_IN_FLIGHT_MAX, "N",
                "as many puts in flight, by default 64"),
        CLI_END,
    };
    const char *operand[1];
    size_t n;
    int rv = cli_parse(cli, options, argc, argv, operand, 1, &n);
    if (rv != 0) return rv;
    if (n == 1) im.name = operand[0];
    struct vstamp_diag diag = {0};
    rv = open_input(&im, &diag);
    if (rv == 0) rv = crowd_open(&im.crowd, c, im.n_clients, 1, &diag);
    if (rv != 0) return answer_refuse(c, answer_named("import"), rv, &diag);
    open_puts(&im);
    progress_begin(&im.progress, "import", im.bytes_total > 0);
    run(&im);
    progress_end(&im.progress);
    int status = report(&im);
    crowd_close(&im.crowd);
    if (im.lines.fd != STDIN_FILENO) close(im.lines.fd);
    close_puts(&im);
    return status;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* vstamp export [FILE]: all keys and values, a line each (pair.h), which import reads.
 *
 * It reads page by page (listing.h), so it is the state at one moment only if nothing was written
 * meanwhile; at which op-numbers it read is said on standard error.  A FILE gets its name when it
 * is complete; what is there and no file, as a pipe, a device or a link, is written to. */
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
#include "client/listing.h"
#include "client/operation.h"
#include "client/request.h"
#include "program/progress.h"
#include "program/whole_file.h"

struct export {
    struct listing listing;
    FILE *into;
    uint64_t bytes, bytes_total; /* of keys and values */
    struct progress progress;
};

static void take(void *context, const struct pair *pair)
{
    struct export *e = context;
    pair_print(e->into, pair, e->listing.c->options.json);
    e->bytes += pair->key.size + pair->value.size;
    progress_show(&e->progress, e->bytes, e->bytes_total);
}

/* For the progress bar: how much there is. */
static void learn_size(struct export *e)
{
    struct operation operation = operation_encode(&(struct kv_op){.verb = KV_SIZE});
    struct outcome *o = &e->listing.outcome;
    request_run(e->listing.c, operation, o);
    if (o->err == 0 && o->answer.status == KV_ANSWER_DONE)
        e->bytes_total = (uint64_t)o->answer.number2;
    operation_release(&operation);
}

static void say_when(const struct export *e)
{
    const struct listing *l = &e->listing;
    if (l->first_op == l->last_op)
        fprintf(stderr, "exported %" PRIu64 " keys as they were at op-number %" PRIu64 "\n",
                l->count, l->last_op);
    else
        fprintf(stderr,
                "exported %" PRIu64 " keys, read from op-number %" PRIu64 " to %" PRIu64
                ": the store changed meanwhile\n",
                l->count, l->first_op, l->last_op);
}

/* The exit statuses.  With --json the pairs are followed by an object that says so. */

static int fail(struct client *c, const char *path)
{
    struct vstamp_diag diag;
    vstamp_diag_printf(&diag, "%s: cannot be written: %s", path, strerror(errno));
    return answer_refuse(c, answer_named("export"), VSTAMP_E_IO, &diag);
}

static int walk(struct export *e)
{
    struct client *c = e->listing.c;
    struct outcome *o = &e->listing.outcome;
    bool done = false;
    learn_size(e);
    if (c->signal == 0) {
        progress_begin(&e->progress, "export", e->into != stdout || !isatty(STDOUT_FILENO));
        done = listing_walk(&e->listing, e->into);
        progress_end(&e->progress);
    }
    if (done) return CLI_OK;
    if (o->err == 0)
        outcome_fail(o, VSTAMP_E_INVALID, false, "the list was refused: %s",
                     kv_answer_text(o->answer.status));
    return answer_error(c, answer_named("export"), o);
}

/* Is it to be made, or replaced?  Anything else that has this name keeps it. */
static bool is_file(const char *path)
{
    struct stat st;
    return lstat(path, &st) != 0 || S_ISREG(st.st_mode);
}

/* All into the stream, which is closed. */
static int to_stream(struct export *e, const char *path, FILE *into)
{
    if (into == NULL) return fail(e->listing.c, path);
    e->into = into;
    int status = walk(e);
    bool ok = fflush(into) == 0 && !ferror(into);
    if (status == CLI_OK && !ok) status = fail(e->listing.c, path);
    fclose(into);
    return status;
}

static int to_file(struct export *e, const char *path)
{
    struct client *c = e->listing.c;
    struct whole_file file;
    conn_hold_signals(c->conn); /* until it is complete, or gone */
    int status = CLI_USAGE;
    if (whole_file_open(&file, path, 0666) != 0) fail(c, path);
    else status = to_stream(e, path, fdopen(fcntl(file.fd, F_DUPFD_CLOEXEC, 0), "w"));
    if (status == CLI_OK && whole_file_publish(&file, true) != 0) status = fail(c, path);
    whole_file_close(&file);
    conn_release_signals(c->conn);
    return status;
}

static int to(struct export *e, const char *path)
{
    if (strcmp(path, "-") == 0) return walk(e);
    return is_file(path) ? to_file(e, path) : to_stream(e, path, fopen(path, "we"));
}

int cmd_export(struct cli *cli, int argc, char **argv)
{
    struct client *c = cli->context;
    struct export e = {.listing = {.c = c, .expiries = true, .take = take, .context = &e},
                       .into = stdout};
    const char *operand[1];
    size_t n;
    int rv = cli_parse(cli, NULL, argc, argv, operand, 1, &n);
    if (rv != 0) return rv;
    struct vstamp_diag diag = {0};
    rv = client_begin(c, NULL, &diag);
    if (rv != 0) return answer_refuse(c, answer_named("export"), rv, &diag);
    int status = to(&e, n == 0 ? "-" : operand[0]);
    if (fflush(stdout) != 0 || ferror(stdout)) status = CLI_USAGE; /* see cli_end */
    if (status == CLI_OK) say_when(&e);
    if (status == CLI_OK && request_settled(c, e.listing.operation, &diag) != 0)
        status = cli_fail(cli, VSTAMP_E_IO, &diag);
    listing_release(&e.listing);
    return status;
}

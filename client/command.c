/* SPDX-License-Identifier: BSD-2-Clause */
#include <config.h>

#include "client/command.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>

#include "client/ahead.h"
#include "client/answer.h"
#include "client/operation.h"
#include "client/request.h"
#include "program/escape.h"

/* Standard output could not be written: tell how to see the answer, if it can be asked for again.
 * cli_end tells what was wrong with the output, by errno, which stays as it is. */
static void complain_unseen(struct client *c, struct operation operation)
{
    int error = errno;
    const char *path = request_unseen(c, operation);
    if (path != NULL) {
        char *file = escape_for_shell(path);
        cli_complain(c->cli, "the answer cannot be shown: to see it: vstamp resume %s", file);
        free(file);
    } else if (operation_is_write(operation)) {
        cli_complain(c->cli, "the group has answered, but that cannot be shown, nor kept");
    }
    errno = error;
}

/* Run, show, settle; the exit status. */
static int run(struct client *c, struct operation operation, bool raw)
{
    struct vstamp_diag diag = {0};
    struct outcome o;
    request_run(c, operation, &o);
    int status = answer_show(c, operation, &o, raw);
    bool answered = o.err == 0;
    outcome_release(&o);
    if (!answered) return status;
    if (fflush(stdout) != 0 || ferror(stdout)) {
        complain_unseen(c, operation);
        return status;
    }
    int rv = request_settled(c, operation, &diag);
    return rv == 0 ? status : cli_fail(c->cli, rv, &diag);
}

int command_do_encoded(struct client *c, struct operation operation, bool raw)
{
    struct vstamp_diag diag = {0};
    struct kv_op op;
    bool of_store =
        !operation_is_call(operation) && kv_decode_op(operation.bytes, &op) == NULL;
    int rv = client_begin(c, NULL, &diag);
    if (rv == 0 && of_store && c->ahead != NULL && ahead_ask(c->ahead, operation, raw))
        return CLI_OK;
    if (c->ahead != NULL) ahead_catch_up(c->ahead);
    if (rv != 0) return answer_refuse(c, answer_asked(operation), rv, &diag);
    /* A write that was answered, and not shown, would have an outcome that nobody knows.  Who reads
     * a value, or the answers of a shell, may be slow, and is not to keep a signal waiting. */
    bool is_write = operation_is_write(operation), holds = is_write && !c->in_shell;
    if (is_write) signal(SIGPIPE, SIG_IGN); /* it fails to be shown, and is kept */
    if (holds) conn_hold_signals(c->conn);
    int status = run(c, operation, raw);
    if (holds) conn_release_signals(c->conn);
    return status;
}

int command_do(struct client *c, const struct kv_op *op)
{
    struct operation operation = operation_encode(op);
    int status = command_do_encoded(c, operation, false);
    operation_release(&operation);
    return status;
}

int command_begin_pending(struct client *c, const char *word, const char *file_path)
{
    struct vstamp_diag diag = {0};
    const char *path = file_path != NULL ? file_path : c->options.session;
    if (path == NULL) return cli_usage(c->cli, "%s: no file is named: see 'vstamp pending'", word);
    int rv = client_begin(c, path, &diag);
    if (rv == 0 && !session_file_is_pending(&c->file)) {
        vstamp_diag_printf(&diag, "%s: nothing is pending: there is nothing to settle", path);
        rv = VSTAMP_E_USAGE;
    }
    return rv == 0 ? 0 : answer_refuse(c, answer_named(word), rv, &diag);
}

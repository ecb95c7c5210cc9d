/* SPDX-License-Identifier: BSD-2-Clause */
/* vstamp abandon [FILE]: tell whether the pending request ran, and see that it never will if it did
 * not.
 *
 * It registers the client anew.  The registration goes through the log, so whatever copy of the
 * request comes after it belongs to a session that is gone; and its answer names the newest
 * request that ran before it (vr/session.c, C3). */
#include <config.h>

#include "client/answer.h"
#include "client/command.h"
#include "client/request.h"

int cmd_abandon(struct cli *cli, int argc, char **argv)
{
    struct client *c = cli->context;
    const char *operand[1];
    size_t n;
    int rv = cli_parse(cli, NULL, argc, argv, operand, 1, &n);
    if (rv != 0) return rv;
    rv = command_begin_pending(c, "abandon", n == 1 ? operand[0] : NULL);
    if (rv != 0) return rv;

    struct outcome o;
    bool ran = request_abandon(c, &o);
    if (o.err != 0) {
        int status = answer_error(c, answer_named("abandon"), &o);
        outcome_release(&o);
        return status;
    }
    if (c->options.json) {
        json_t *object = answer_named("abandon");
        json_object_set_new(object, "ok", json_true());
        json_object_set_new(object, "ran", json_boolean(ran));
        answer_print_json(c, object, &o);
    } else {
        puts(ran ? "it ran" : "it did not run and never will");
    }
    if (fflush(stdout) != 0) return CLI_USAGE; /* cli_end says why; the request stays noted */
    struct vstamp_diag diag = {0};
    rv = session_file_clear(&c->file, ran ? "abandoned, it ran" : "abandoned, it did not run",
                            &diag);
    if (rv != 0) return cli_fail(cli, rv, &diag);
    return ran ? CLI_OK : CLI_NO;
}

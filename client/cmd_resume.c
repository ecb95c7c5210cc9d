/* SPDX-License-Identifier: BSD-2-Clause */
/* vstamp resume [FILE]: send the pending request again, under its number, and print what the
 * original command would have printed.  Without FILE, that of --session. */
#include <config.h>

#include "client/command.h"

int cmd_resume(struct cli *cli, int argc, char **argv)
{
    struct client *c = cli->context;
    const char *operand[1];
    size_t n;
    int rv = cli_parse(cli, NULL, argc, argv, operand, 1, &n);
    if (rv != 0) return rv;
    rv = command_begin_pending(c, "resume", n == 1 ? operand[0] : NULL);
    if (rv != 0) return rv;
    struct operation operation = operation_copy(c->file.pending.operation); /* which may go */
    int status = command_do_encoded(c, operation, false);
    operation_release(&operation);
    return status;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* vstamp get KEY: print a value and a newline; with --raw its bytes alone. */
#include <config.h>

#include <stdlib.h>

#include "client/command.h"
#include "client/operation.h"

int cmd_get(struct cli *cli, int argc, char **argv)
{
    struct client *c = cli->context;
    bool raw = false;
    const struct cli_option options[] = {
        CLI_FLAG(0, "raw", &raw, "print the value's bytes alone, without a newline"),
        CLI_END,
    };
    const char *operand[1];
    int rv = cli_parse(cli, options, argc, argv, operand, 1, NULL);
    if (rv != 0) return rv;
    struct kv_op op = {.verb = KV_GET, .key = client_word(c, operand[0])};
    struct operation operation = operation_encode(&op);
    int status = command_do_encoded(c, operation, raw && !c->in_shell);
    operation_release(&operation);
    return status;
}

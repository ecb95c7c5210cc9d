/* SPDX-License-Identifier: BSD-2-Clause */
/* vstamp incr KEY [BY]: add to a decimal counter and print the sum. */
#include <config.h>

#include "client/command.h"
#include "client/operation.h"

int cmd_incr(struct cli *cli, int argc, char **argv)
{
    struct client *c = cli->context;
    const char *operand[2];
    size_t n;
    int rv = cli_parse(cli, NULL, argc, argv, operand, 2, &n);
    if (rv != 0) return rv;
    struct kv_op op = {.verb = KV_INCR, .key = client_word(c, operand[0]), .number = 1};
    if (n == 2 && !operation_number(client_word(c, operand[1]), &op.number))
        return cli_usage(cli, "incr: BY: expected a whole number of 64 bits, found '%.60s'",
                         operand[1]);
    return command_do(c, &op);
}

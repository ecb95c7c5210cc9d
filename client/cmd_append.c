/* SPDX-License-Identifier: BSD-2-Clause */
/* vstamp append KEY VALUE: add to the end of a value, absent counts as empty; print the new
 * length. */
#include <config.h>

#include "client/command.h"

int cmd_append(struct cli *cli, int argc, char **argv)
{
    struct client *c = cli->context;
    const char *operand[2];
    int rv = cli_parse(cli, NULL, argc, argv, operand, 2, NULL);
    if (rv != 0) return rv;
    struct kv_op op = {
        .verb = KV_APPEND, .key = client_word(c, operand[0]), .value = client_word(c, operand[1])};
    return command_do(c, &op);
}

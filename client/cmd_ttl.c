/* SPDX-License-Identifier: BSD-2-Clause */
/* vstamp ttl KEY: how long a key has still to live. */
#include <config.h>

#include "client/command.h"

int cmd_ttl(struct cli *cli, int argc, char **argv)
{
    struct client *c = cli->context;
    const char *operand[1];
    int rv = cli_parse(cli, NULL, argc, argv, operand, 1, NULL);
    if (rv != 0) return rv;
    struct kv_op op = {.verb = KV_TTL, .key = client_word(c, operand[0])};
    return command_do(c, &op);
}

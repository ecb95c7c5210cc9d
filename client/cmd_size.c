/* SPDX-License-Identifier: BSD-2-Clause */
/* vstamp size: print how many keys there are, and how many bytes they and their values have. */
#include <config.h>

#include "client/command.h"

int cmd_size(struct cli *cli, int argc, char **argv)
{
    int rv = cli_parse(cli, NULL, argc, argv, NULL, 0, NULL);
    if (rv != 0) return rv;
    struct kv_op op = {.verb = KV_SIZE};
    return command_do(cli->context, &op);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* vstamp expire KEY TTL: let a key live for so long from now on, or for ever.  Its value stays. */
#include <config.h>

#include "client/command.h"
#include "client/ttl.h"

int cmd_expire(struct cli *cli, int argc, char **argv)
{
    struct client *c = cli->context;
    const char *operand[2];
    int rv = cli_parse(cli, NULL, argc, argv, operand, 2, NULL);
    if (rv != 0) return rv;
    struct kv_op op = {.verb = KV_EXPIRE, .key = client_word(c, operand[0])};
    const char *wrong = ttl_parse(operand[1], &op.expiry);
    if (wrong != NULL) return cli_usage(cli, "expire: '%.60s': %s", operand[1], wrong);
    return command_do(c, &op);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* vstamp del KEY...: remove keys, in one operation, and print how many there were.  None is no
 * failure: afterwards they are gone, which is what was asked for. */
#include <config.h>

#include <stdlib.h>

#include "client/command.h"
#include "client/memory.h"

int cmd_del(struct cli *cli, int argc, char **argv)
{
    struct client *c = cli->context;
    const char **operand = memory_new((size_t)argc * sizeof *operand);
    size_t n;
    int status = cli_parse(cli, NULL, argc, argv, operand, (size_t)argc, &n);
    if (status == 0) {
        struct bytes *keys = memory_new(n * sizeof *keys);
        for (size_t i = 0; i < n; i++) keys[i] = client_word(c, operand[i]);
        struct kv_op op = {.verb = KV_DEL, .keys = keys, .n_keys = (uint32_t)n};
        status = command_do(c, &op);
        free(keys);
    }
    free(operand);
    return status;
}

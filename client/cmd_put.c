/* SPDX-License-Identifier: BSD-2-Clause */
/* vstamp put [--ttl TTL] KEY [VALUE]: store a value; left out or '-', it is standard input, byte by
 * byte.  In the shell, whose standard input are the commands, a value left out is empty, as in the
 * seed. */
#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "client/answer.h"
#include "client/command.h"
#include "client/input.h"
#include "client/ttl.h"

int cmd_put(struct cli *cli, int argc, char **argv)
{
    struct client *c = cli->context;
    const char *operand[2], *ttl = "never", *wrong;
    const struct cli_option options[] = {TTL_OPTION(&ttl), CLI_END};
    size_t n;
    int rv = cli_parse(cli, options, argc, argv, operand, 2, &n);
    if (rv != 0) return rv;
    struct kv_op op = {.verb = KV_PUT, .key = client_word(c, operand[0])};
    wrong = ttl_parse(ttl, &op.expiry);
    if (wrong != NULL) return cli_usage(cli, "put: --ttl: '%.60s': %s", ttl, wrong);
    if (n == 2) op.value = client_word(c, operand[1]);
    bool from_input = !c->in_shell && (n == 1 || strcmp(operand[1], "-") == 0);
    if (!from_input) return command_do(c, &op);
    struct vstamp_diag diag = {0};
    rv = input_read(&op.value, &diag);
    if (rv != 0) return answer_refuse(c, answer_named_key("put", op.key), rv, &diag);
    int status = command_do(c, &op);
    free((void *)op.value.data);
    return status;
}

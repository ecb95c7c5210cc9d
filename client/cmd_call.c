/* SPDX-License-Identifier: BSD-2-Clause */
/* vstamp call [--read] OPERATION: send bytes to whatever application the group replicates, and
 * print the bytes that it answers.  With --read they are a question, which is not logged. */
#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "client/answer.h"
#include "client/command.h"
#include "client/input.h"

int cmd_call(struct cli *cli, int argc, char **argv)
{
    struct client *c = cli->context;
    bool read = false;
    struct operation operation;
    const struct cli_option options[] = {
        CLI_FLAG(0, "read", &read, "a question: answered from the state, not logged"), CLI_END};
    const char *operand[1];
    int rv = cli_parse(cli, options, argc, argv, operand, 1, NULL);
    if (rv != 0) return rv;
    operation.kind = read ? OPERATION_QUESTION : OPERATION_CALL;
    operation.bytes = client_word(c, operand[0]);
    if (c->in_shell || strcmp(operand[0], "-") != 0)
        return command_do_encoded(c, operation, false);
    struct vstamp_diag diag = {0};
    rv = input_read(&operation.bytes, &diag);
    if (rv != 0) return answer_refuse(c, answer_named("call"), rv, &diag);
    int status = command_do_encoded(c, operation, false);
    operation_release(&operation);
    return status;
}

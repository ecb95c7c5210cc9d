/* SPDX-License-Identifier: BSD-2-Clause */
/* vstamp call [--read] OPERATION: send bytes to whatever application the group replicates, and
 * print the bytes that it answers.  With --read they are a question, which is not logged. */
#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "client/answer.h"
#include "client/command.h"
#include "client/input.h"

static int call(struct client *c, bool read, struct bytes operation)
{
    c->call = read ? CLIENT_CALL_READ : CLIENT_CALL;
    int status = command_do_encoded(c, operation, false);
    c->call = CLIENT_CALL_NONE;
    return status;
}

int cmd_call(struct cli *cli, int argc, char **argv)
{
    struct client *c = cli->context;
    bool read = false;
    const struct cli_option options[] = {
        CLI_FLAG('r', "read", &read, "a question: answered from the state, not logged"), CLI_END};
    const char *operand[1];
    size_t n;
    int rv = cli_parse(cli, options, argc, argv, operand, 1, &n);
    if (rv != 0) return rv;
    if (c->in_shell || strcmp(operand[0], "-") != 0)
        return call(c, read, client_word(c, operand[0]));
    struct bytes input;
    struct vstamp_diag diag = {0};
    rv = input_read(&input, &diag);
    if (rv != 0) return answer_refuse(c, "call", rv, &diag);
    int status = call(c, read, input);
    free((void *)input.data);
    return status;
}

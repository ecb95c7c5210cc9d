/* SPDX-License-Identifier: BSD-2-Clause */
/* vstamp cas KEY OLD NEW: set a value only if it is the expected one; cas --absent KEY NEW: only if
 * there is none. */
#include <config.h>

#include "client/command.h"
#include "client/ttl.h"

int cmd_cas(struct cli *cli, int argc, char **argv)
{
    struct client *c = cli->context;
    bool absent = false;
    const char *ttl = "never";
    const struct cli_option options[] = {
        CLI_FLAG('a', "absent", &absent, "set KEY to NEW only if it has no value: no OLD is given"),
        TTL_OPTION(&ttl),
        CLI_END,
    };
    const char *operand[3];
    size_t n;
    int rv = cli_parse(cli, options, argc, argv, operand, 3, &n);
    if (rv != 0) return rv;
    if (n != (absent ? 2 : 3))
        return cli_usage(cli, "cas: expected %s", absent ? "--absent KEY NEW" : "KEY OLD NEW");
    struct kv_op op = {.verb = absent ? KV_CAS_ABSENT : KV_CAS,
                       .key = client_word(c, operand[0]),
                       .value = client_word(c, operand[n - 1])};
    const char *wrong = ttl_parse(ttl, &op.expiry);
    if (wrong != NULL) return cli_usage(cli, "cas: --ttl: '%.60s': %s", ttl, wrong);
    if (!absent) op.expected = client_word(c, operand[1]);
    return command_do(c, &op);
}

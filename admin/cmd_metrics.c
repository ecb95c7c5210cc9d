/* SPDX-License-Identifier: BSD-2-Clause */
/* vstamp-admin metrics INDEX: what that replica's /metrics says, byte for byte. */
#include <stdio.h>
#include <string.h>

#include "admin/admin.h"
#include "admin/answers.h"
#include "program/config_keys.h"

int cmd_metrics(struct cli *cli, int argc, char **argv)
{
    static struct config config;
    static struct answers answers;
    const struct admin *admin = cli->context;
    const char *operand;
    uint64_t index;
    struct vstamp_diag diag = {0};

    int rv = cli_parse(cli, NULL, argc, argv, &operand, 1, NULL);
    if (rv != 0) return rv;
    if (admin->json) return cli_usage(cli, "--json: metrics have no JSON form");
    rv = admin_find_group(admin, &config, &diag);
    if (rv != 0) return admin_fail(cli, rv, &diag);
    answers_ask(&answers, &config, NULL, 0, admin->timeout_ms); /* who is who may have changed */
    answers_close(&answers);
    size_t n = answers.members.n;
    if (!config_parse_u64(operand, 0, n - 1, &index)) {
        return cli_usage(cli, "metrics: expected the index of a replica, 0 to %zu, found '%.60s'",
                         n - 1, operand);
    }
    struct fetch f = {.address = &answers.members.status_addresses[index], .path = "/metrics"};
    fetch_all(&f, 1, admin->timeout_ms);
    if (!f.ok) {
        cli_complain(cli, "replica %s (%s): %s", operand, f.address->text, f.error);
        return ADMIN_EXIT_NOBODY_ANSWERED;
    }
    fwrite(f.body, 1, f.size, stdout);
    fetch_close(&f);
    return CLI_OK;
}

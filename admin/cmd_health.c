/* SPDX-License-Identifier: BSD-2-Clause */
/* vstamp-admin health: one line for people, an exit status for monitors.  They read 2 as "not
 * serving", so what is wrong with the call itself must not end in 2: it is 3, "could not ask". */
#include <stdio.h>

#include "admin/admin.h"
#include "admin/answers.h"
#include "admin/notation.h"
#include "admin/verdict.h"

static void print_line(const struct verdict *v)
{
    printf("%s: ", verdict_word(v));
    for (size_t i = 0; i < v->n_reasons; i++) printf("%s; ", v->reasons[i]);
    printf("tolerates %zu more failure%s\n", v->tolerates, v->tolerates == 1 ? "" : "s");
}

int cmd_health(struct cli *cli, int argc, char **argv)
{
    static struct config config;
    static struct answers answers;
    static struct verdict verdict;
    const struct admin *admin = cli->context;
    struct vstamp_diag diag = {0};

    int rv = cli_parse(cli, NULL, argc, argv, NULL, 0, NULL);
    if (rv != 0) return rv == CLI_USAGE ? ADMIN_EXIT_NOBODY_ANSWERED : rv;
    rv = admin_find_group(admin, &config, &diag);
    if (rv != 0) {
        admin_fail(cli, rv, &diag);
        return ADMIN_EXIT_NOBODY_ANSWERED;
    }
    answers_ask(&answers, &config, NULL, 0, admin->timeout_ms);
    verdict_reach(&verdict, &answers, config.view_change_ms);
    if (admin->json) {
        notation_print_json(verdict_json(&verdict));
    } else {
        print_line(&verdict);
    }
    answers_close(&answers);
    if (fflush(stdout) != 0 || ferror(stdout)) return ADMIN_EXIT_NOBODY_ANSWERED;
    return verdict.n_answered == 0 ? ADMIN_EXIT_NOBODY_ANSWERED : (int)verdict.health;
}

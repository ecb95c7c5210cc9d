/* SPDX-License-Identifier: BSD-2-Clause */
/* What the commands of vstamp-admin share: the program's options, and how they end. */
#ifndef ADMIN_ADMIN_H
#define ADMIN_ADMIN_H

#include <stdbool.h>
#include <stdint.h>

#include "program/cli.h"
#include "program/config.h"
#include "tls/tls.h"

#define ADMIN_TIMEOUT_MS_DEFAULT   1000u
#define ADMIN_EXIT_NOBODY_ANSWERED 3
#define ADMIN_PATIENCE             10u /* times --timeout without progress: then it is given up */

struct admin {
    const char *config_option, *replicas, *tls; /* NULL: not given */
    uint32_t timeout_ms; /* for all replicas together: they are asked at once */
    bool json;
};

/* As cli_fail; with --json an object on standard output says it, too. */
int admin_fail(const struct cli *cli, int err, const struct vstamp_diag *diag);

/* The group that is asked, as --replicas or a configuration names it.  As config_load. */
int admin_find_group(const struct admin *admin, struct config *config, struct vstamp_diag *diag);

/* For connections to the replicas' own ports: the certificates of --tls, else of the configuration;
 * *tls is NULL where neither names any.  As tls_open. */
int admin_open_tls(const struct admin *admin, const struct config *config, struct tls **tls,
                   struct vstamp_diag *diag);

#define COMMAND(name, word, operands, n_min, n_max, text) \
    int cmd_##name(struct cli *cli, int argc, char **argv);
#include "admin/commands.def"
#undef COMMAND

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* vstamp-replica --local N: a whole group in one terminal, to try it out. */
#ifndef REPLICA_LOCAL_H
#define REPLICA_LOCAL_H

#include <stdbool.h>
#include <stdint.h>

#include <vstamp/app.h>

#include "program/log.h"

struct local_options {
    const char *program; /* as it was called: how to call the others is told alike */
    const char *name;    /* the last part of that */
    uint32_t n_replicas;
    const struct vstamp_app *app;
    bool may_load;
    const char *load, *exec, *argument; /* of --app, --app-exec, --app-argument, or NULL */
    const char *data_dir; /* durability disk, in that folder; NULL: memory only */
    enum log_level log_level;
    enum log_format log_format;
};

/* Runs until SIGINT or SIGTERM: 0.  VSTAMP_E_* with a sentence if the group could not start;
 * VSTAMP_E_APPLICATION if it did, and no replica is left. */
int local_run(const struct local_options *options, struct vstamp_diag *diag);

#endif

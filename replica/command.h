/* SPDX-License-Identifier: BSD-2-Clause */
/* The command line of a replicated daemon. */
#ifndef REPLICA_COMMAND_H
#define REPLICA_COMMAND_H

#include <vstamp/app.h>

/* To the end of the process, whose status is returned.  With `may_load` another application than
 * `app` may be named. */
int command_run(int argc, char **argv, const struct vstamp_app *app, bool may_load);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* Somebody's application in place of the store (--app, --app-exec): what it is asked comes from a
 * file, and what is checked is what every application owes:
 *
 *   that replicas which execute one operation answer alike, and so does a replica that executes it
 *   again after a restart;
 *   that what an answer came from is what its client had asked, and was executed once;
 *   that states of one op-number are equal (check.c), whatever was saved and loaded in between. */
#ifndef SIM_FOREIGN_H
#define SIM_FOREIGN_H

#include <stdbool.h>

#include <vstamp/app.h>

#include "base/bytes.h"
#include "sim/sim.h"

/* For all runs of this process.  `path` names a file of operations, a line each; a line that begins
 * with "--read " asks without the log.  Not 0: it cannot be used, *diag tells. */
int foreign_use(const struct vstamp_app *app, const char *argument, const char *path,
                struct vstamp_diag *diag);

/* A program (replica/app_exec.h) as an application: each open() starts a process of it. */
int foreign_program(const char *program, const char *argument, const struct vstamp_app **app,
                    struct vstamp_diag *diag);
bool foreign_in_use(void);

#define FOREIGN_DIFFERS "the application is not deterministic: "

/* What the replicas run: that application with an eye on it. */
const struct vstamp_app *foreign_app(void);

/* Around a run. */
void foreign_begin(struct sim *sim);
void foreign_end(void);

/* One of the lines, without its word `--read`; *reads tells whether it had one. */
struct bytes foreign_draw(struct prng *prng, bool only_writes, bool *reads);

/* A client was answered: its operation ran at op-number `op` and gave this answer? */
void foreign_check_answer(struct sim *sim, const struct session *session, uint64_t op,
                          struct bytes operation, struct bytes answer);

#endif

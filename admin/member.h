/* SPDX-License-Identifier: BSD-2-Clause */
/* A member of a new group, made from a backup: its folder, written by the very code that the daemon
 * writes it with. */
#ifndef ADMIN_MEMBER_H
#define ADMIN_MEMBER_H

#include "node/copy.h"
#include "program/config.h"
#include "program/progress.h"

/* Is there nothing yet in the folder of replica `index`?  A folder that is missing is empty.
 * VSTAMP_E_CONFIG, with a sentence, if there is. */
int member_check(const struct config *config, uint32_t index, struct vstamp_diag *diag);

/* Write it.  What a failure leaves behind is a folder that the daemon would not start with, or
 * would start blank with.  A disk that fails ends the process with a line, as the daemon does. */
int member_make(const struct config *config, uint32_t index, const struct vstamp_app *app,
                const struct copy *copy, struct progress *progress, struct vstamp_diag *diag);

/* "<data_dir>/<index>" */
void member_print_folder(char text[static CONFIG_PATH_SIZE], const struct config *config,
                         uint32_t index);

#endif

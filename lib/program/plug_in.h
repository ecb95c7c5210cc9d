/* SPDX-License-Identifier: BSD-2-Clause */
/* Applications in shared libraries (<vstamp/app.h>), which say what they are by a symbol. */
#ifndef PROGRAM_PLUG_IN_H
#define PROGRAM_PLUG_IN_H

#include <vstamp/app.h>

/* Can the application be used by this program?  `whose` begins the sentence if not. */
int plug_in_check(const struct vstamp_app *app, const char *whose, struct vstamp_diag *diag);

/* The application in the library at `path`, which stays loaded.  VSTAMP_E_CONFIG. */
int plug_in_load(const char *path, const struct vstamp_app **app, struct vstamp_diag *diag);

/* An instance of it, NULL if it needs none; `argument` may be NULL.  To be closed. */
int plug_in_open(const struct vstamp_app *app, const char *argument,
                 const struct vstamp_limits *limits, void **instance, struct vstamp_diag *diag);
void plug_in_close(const struct vstamp_app *app, void *instance);

#endif

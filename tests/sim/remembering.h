/* SPDX-License-Identifier: BSD-2-Clause */
/* The store, kept in memory of its own (vstamp/app.h). */
#ifndef SIM_REMEMBERING_H
#define SIM_REMEMBERING_H

#include <stdbool.h>

#include <vstamp/app.h>

/* By save and load, else by settle and resume. */
void remembering_store(struct vstamp_app *app, bool by_row);

/* What was announced does not come. */
void remembering_void(struct vstamp_pages *pages);

#endif

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

/* The memory of an instance, for who makes a bit of that turn. */
struct vstamp_pages *remembering_memory(void *instance);
/* How often was that saved? */
uint64_t remembering_saved(const void *instance);
/* Of all that is in there; `anew`: bits may have turned unnoticed. */
struct vstamp_id remembering_digest(void *instance, bool anew);

#endif

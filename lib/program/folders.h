/* SPDX-License-Identifier: BSD-2-Clause */
/* Folders as mkdir -p makes them, private to the user, each durable in the one that it is in. */
#ifndef PROGRAM_FOLDERS_H
#define PROGRAM_FOLDERS_H

#include <vstamp/error.h>

/* 0, or -1 with errno, and a sentence that names the one that could not be made. */
int folders_make(const char *path, struct vstamp_diag *diag);

#endif

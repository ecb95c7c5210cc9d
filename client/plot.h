/* SPDX-License-Identifier: BSD-2-Clause */
/* What a bench was like as a picture: SVG that stands by itself, for light and dark pages. */
#ifndef CLIENT_PLOT_H
#define CLIENT_PLOT_H

#include <stdio.h>

#include "client/bench.h"

/* In place of what the file held before.  0, or -1 with errno set. */
int plot_write(const struct bench *b, FILE *into);

#endif

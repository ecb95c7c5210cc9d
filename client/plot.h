/* SPDX-License-Identifier: BSD-2-Clause */
/* What a bench was like as a picture: SVG that stands by itself, for light and dark pages. */
#ifndef CLIENT_PLOT_H
#define CLIENT_PLOT_H

#include "client/bench.h"

/* 0, or -1 with errno set. */
int plot_write(const struct bench *b, const char *path);

#endif

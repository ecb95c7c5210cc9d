/* SPDX-License-Identifier: BSD-2-Clause */
/* Bytes to a file that takes them in as many steps as it likes. */
#ifndef PROGRAM_WRITE_ALL_H
#define PROGRAM_WRITE_ALL_H

#include <stdbool.h>

#include "base/bytes.h"

/* False: errno tells why, and some may be written.  A handler of signals may call it. */
bool write_all(int fd, struct bytes bytes);

#endif

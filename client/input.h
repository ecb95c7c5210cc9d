/* SPDX-License-Identifier: BSD-2-Clause */
/* An operand that is standard input. */
#ifndef CLIENT_INPUT_H
#define CLIENT_INPUT_H

#include <vstamp/error.h>

#include "base/bytes.h"

/* All of standard input in new memory, or more than any group takes.  0 or VSTAMP_E_IO. */
int input_read(struct bytes *value, struct vstamp_diag *diag);

#endif

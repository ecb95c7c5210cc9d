/* SPDX-License-Identifier: BSD-2-Clause */
/* Bytes as text for people: what is printable stands for itself, everything else is escaped. */
#ifndef CLIENT_ESCAPE_H
#define CLIENT_ESCAPE_H

#include <stdio.h>

#include "base/bytes.h"

enum escape_mode {
    ESCAPE_LINE,    /* one line: \t \n \r \\ \xNN, as the shell reads them */
    ESCAPE_WORD,    /* the same, quoted where the shell would split it */
    ESCAPE_TERMINAL /* lines stay lines; only what could confuse a terminal becomes \xNN */
};

void escape_print(FILE *into, struct bytes text, enum escape_mode mode);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* Bytes as text for people: what is printable stands for itself, everything else is escaped. */
#ifndef PROGRAM_ESCAPE_H
#define PROGRAM_ESCAPE_H

#include <stdio.h>

#include "base/bytes.h"

enum escape_mode {
    ESCAPE_LINE,    /* one line: \t \n \r \\ \xNN, as the shell reads them */
    ESCAPE_WORD,    /* the same, quoted where the shell would split it */
    ESCAPE_TERMINAL /* lines stay lines; only what could confuse a terminal becomes \xNN */
};

void escape_print(FILE *into, struct bytes text, enum escape_mode mode);

/* A word that a shell takes for this text, in new memory. */
char *escape_for_shell(const char *text);

/* What came over the network, or out of a file, as one line that no terminal obeys: '?' for all
 * that is not printable ASCII. */
void escape_plain(char *text);

/* The byte for which the escape stands whose backslash is behind *at, which is advanced.  NULL, or
 * what is wrong. */
const char *escape_take(const uint8_t **at, const uint8_t *end, uint8_t *byte);

/* Undo ESCAPE_LINE; `into` has room for as much as `text` has, and may be where it is.  NULL, or
 * what is wrong. */
const char *escape_undo(struct bytes text, uint8_t *into, size_t *size);

#endif

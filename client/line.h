/* SPDX-License-Identifier: BSD-2-Clause */
/* A line of the shell, split into words.
 *
 *   put key value          words are separated by blanks
 *   put "two words" 'x'    "..." with escapes, '...' as it stands; quotes may be parts of a word
 *   put k tab\tand\x00     \t \n \r \\ \" \' \<blank> \xNN, outside quotes and in "..."
 *   # a comment            from a '#' that starts a word
 *
 * Words are any bytes; each is followed by a NUL, so that those without one inside are C
 * strings. */
#ifndef CLIENT_LINE_H
#define CLIENT_LINE_H

#include "base/bytes.h"

#define LINE_WORDS_MAX 4096u

struct line {
    size_t n_words;
    struct bytes *words; /* point into `text` */
    uint8_t *text;
};

/* NULL, or a sentence that says what is wrong.  In both cases line_release it. */
const char *line_parse(struct line *line, struct bytes typed);
void line_release(struct line *line);

#endif

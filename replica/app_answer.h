/* SPDX-License-Identifier: BSD-2-Clause */
/* What an application that is a process says (vstamp-app-exec(5)): a line of words, and after some
 * of them so many bytes and the end of a line.  Here is the line; it may hold anything. */
#ifndef REPLICA_APP_ANSWER_H
#define REPLICA_APP_ANSWER_H

#include <vstamp/app.h>
#include <vstamp/error.h>

#include "base/bytes.h"

#define APP_VERSION   1u  /* of the protocol */
#define APP_NAME_MAX  32u
#define APP_LINE_MAX  128u /* with its end */
#define APP_SHOWN_MAX 80u  /* what is shown of what was said, at most, with its NUL */

enum app_word { APP_HELLO, APP_LOADED, APP_STATE, APP_ANSWER, APP_TICKED };

struct app_line {
    enum app_word word;
    char name[APP_NAME_MAX + 1]; /* of hello */
    uint64_t number;             /* of all others: the question's; of hello the version */
    uint64_t body;               /* of state and answer: bytes that follow */
    bool ticks;                  /* of hello: the word is there */
    bool has_due;                /* of loaded, answer and ticked: */
    uint64_t due;                /* microseconds; VSTAMP_NEVER */
    size_t size;                 /* of the line with its end */
};

/* 1: the first line is there; 0: its end is not; VSTAMP_E_MALFORMED with a sentence. */
int app_line_parse(struct bytes said, struct app_line *line, struct vstamp_diag *why);

/* All that is to be there, from the start of the line on. */
uint64_t app_line_total(const struct app_line *line);

const char *app_word_text(enum app_word word);

/* What was said, for a sentence: the beginning, in characters that hurt nobody. */
void app_show(struct bytes said, char into[static APP_SHOWN_MAX]);

#endif

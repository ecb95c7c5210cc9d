/* SPDX-License-Identifier: BSD-2-Clause */
/* The shell's words (line.h).  One pass; a word never gets longer by being read, so the words share
 * a buffer of the line's size and a NUL each. */
#include <config.h>

#include "client/line.h"

#include <stdlib.h>
#include <string.h>

#include "client/memory.h"
#include "program/escape.h"

struct cursor {
    const uint8_t *at, *end;
    uint8_t *out;
};

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static const char *take_escape(struct cursor *c)
{
    return escape_take(&c->at, c->end, c->out++);
}

static const char *take_quoted(struct cursor *c, uint8_t quote)
{
    while (c->at < c->end && *c->at != quote) {
        uint8_t letter = *c->at++;
        if (letter == '\\' && quote == '"') {
            const char *wrong = take_escape(c);
            if (wrong != NULL) return wrong;
        } else {
            *c->out++ = letter;
        }
    }
    if (c->at == c->end) return "a quote is not closed";
    c->at++;
    return NULL;
}

static const char *take_word(struct cursor *c)
{
    const char *wrong = NULL;
    while (wrong == NULL && c->at < c->end && !is_blank(*c->at)) {
        uint8_t letter = *c->at++;
        if (letter == '"' || letter == '\'')
            wrong = take_quoted(c, letter);
        else if (letter == '\\')
            wrong = take_escape(c);
        else
            *c->out++ = letter;
    }
    return wrong;
}

const char *line_parse(struct line *line, struct bytes typed)
{
    line->n_words = 0;
    line->words = NULL;
    line->text = memory_new(typed.size + LINE_WORDS_MAX + 1);
    struct cursor c = {typed.data, typed.data + typed.size, line->text};
    for (;;) {
        while (c.at < c.end && is_blank(*c.at)) c.at++;
        if (c.at == c.end || *c.at == '#') return NULL;
        if (line->n_words == LINE_WORDS_MAX) return "too many words";
        uint8_t *start = c.out;
        const char *wrong = take_word(&c);
        if (wrong != NULL) return wrong;
        line->words = memory_resize(line->words, (line->n_words + 1) * sizeof *line->words);
        line->words[line->n_words++] = (struct bytes){start, (size_t)(c.out - start)};
        *c.out++ = '\0';
    }
}

void line_release(struct line *line)
{
    free(line->words);
    free(line->text);
    *line = (struct line){0};
}

/* SPDX-License-Identifier: BSD-2-Clause */
#include "replica/app_answer.h"

#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#define NAME_CHARACTERS \
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"

/* How each line reads: after the word the operands, # the question, A a name, S a size, D when
 * something is due, T that things are; these two may be left out, at the end. */
static const struct form {
    const char *word;
    const char *operands;
    const char *shown;
} forms[] = {
    [APP_HELLO] = {"hello", "#AT", "hello VERSION NAME [ticks]"},
    [APP_LOADED] = {"loaded", "#D", "loaded NUMBER [DUE]"},
    [APP_STATE] = {"state", "#S", "state NUMBER SIZE"},
    [APP_ANSWER] = {"answer", "#SD", "answer NUMBER SIZE [DUE]"},
    [APP_TICKED] = {"ticked", "#D", "ticked NUMBER [DUE]"},
};

#define N_FORMS (sizeof forms / sizeof forms[0])

const char *app_word_text(enum app_word word)
{
    return forms[word].shown;
}

void app_show(struct bytes said, char into[static APP_SHOWN_MAX])
{
    size_t n = said.size < APP_SHOWN_MAX - 1 ? said.size : APP_SHOWN_MAX - 1, i;

    for (i = 0; i < n && said.data[i] != '\n'; i++) {
        char c = (char)said.data[i];

        into[i] = c < ' ' || c > '~' || c == '\\' ? '?' : c == '"' ? '\'' : c;
    }
    into[i] = '\0';
}

/* `expected`: the form that it should have had; NULL: any. */
static int refuse(struct bytes said, const char *expected, struct vstamp_diag *why)
{
    char shown[APP_SHOWN_MAX];

    app_show(said, shown);
    if (expected != NULL)
        vstamp_diag_printf(why, "wrote '%s' where '%s' belongs (standard error is for everything "
                           "else)", shown, expected);
    else
        vstamp_diag_printf(why, "wrote '%s', which is no line of the protocol (standard error is "
                           "for everything else)", shown);
    return VSTAMP_E_MALFORMED;
}

/* The next word; empty at the end.  Words are separated by one blank each. */
static struct bytes take_word(struct bytes *line)
{
    const uint8_t *blank = line->size > 0 ? memchr(line->data, ' ', line->size) : NULL;
    size_t size = blank != NULL ? (size_t)(blank - line->data) : line->size;
    struct bytes word = {line->data, size};

    if (blank != NULL) size++;
    if (size > 0) *line = (struct bytes){line->data + size, line->size - size};
    return word;
}

static bool take_number(struct bytes *line, uint64_t *number)
{
    struct bytes word = take_word(line);
    size_t i;

    *number = 0;
    for (i = 0; i < word.size && word.data[i] >= '0' && word.data[i] <= '9'; i++)
        *number = *number * 10 + (word.data[i] - '0');
    return word.size > 0 && word.size <= 18 && i == word.size;
}

static bool take_name(struct bytes *line, char name[static APP_NAME_MAX + 1])
{
    struct bytes word = take_word(line);

    if (word.size == 0 || word.size > APP_NAME_MAX) return false;
    memcpy(name, word.data, word.size);
    name[word.size] = '\0';
    return strspn(name, NAME_CHARACTERS) == word.size;
}

static bool take_ticks(struct bytes *line, bool *ticks)
{
    *ticks = line->size > 0;
    return !*ticks || bytes_equal(take_word(line), bytes_of("ticks"));
}

static bool take_due(struct bytes *line, struct app_line *into)
{
    bool is_never = bytes_equal(*line, bytes_of("never"));

    into->has_due = line->size > 0;
    into->due = VSTAMP_NEVER;
    if (is_never) take_word(line);
    return is_never || !into->has_due || take_number(line, &into->due);
}

static bool take_operands(const char *operands, struct bytes *line, struct app_line *into)
{
    for (; *operands != '\0'; operands++) {
        bool taken = *operands == 'A'   ? take_name(line, into->name)
                     : *operands == '#' ? take_number(line, &into->number)
                     : *operands == 'T' ? take_ticks(line, &into->ticks)
                     : *operands == 'D' ? take_due(line, into)
                                        : take_number(line, &into->body);

        if (!taken) return false;
    }
    return line->size == 0 && line->data[-1] != ' ';
}

static int check_version(const struct app_line *line, struct vstamp_diag *why)
{
    if (line->word != APP_HELLO || line->number == APP_VERSION) return 1;
    vstamp_diag_printf(why, "speaks version %" PRIu64 " of the protocol, not %u", line->number,
                       APP_VERSION);
    return VSTAMP_E_MALFORMED;
}

int app_line_parse(struct bytes said, struct app_line *line, struct vstamp_diag *why)
{
    size_t most = said.size < APP_LINE_MAX ? said.size : APP_LINE_MAX, i;
    const uint8_t *end = most > 0 ? memchr(said.data, '\n', most) : NULL;

    if (end == NULL && said.size < APP_LINE_MAX) return 0;
    if (end == NULL) return refuse(said, NULL, why);
    struct bytes left = {said.data, (size_t)(end - said.data)};
    *line = (struct app_line){.size = left.size + 1};
    struct bytes word = take_word(&left);
    for (i = 0; i < N_FORMS; i++) {
        if (!bytes_equal(word, bytes_of(forms[i].word))) continue;
        line->word = (enum app_word)i;
        if (!take_operands(forms[i].operands, &left, line))
            return refuse(said, forms[i].shown, why);
        return check_version(line, why);
    }
    return refuse(said, NULL, why);
}

uint64_t app_line_total(const struct app_line *line)
{
    bool has_body = line->word == APP_STATE || line->word == APP_ANSWER;

    return line->size + (has_body ? line->body + 1 : 0);
}

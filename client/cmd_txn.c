/* SPDX-License-Identifier: BSD-2-Clause */
/* vstamp txn [LINE...]: all of some operations if conditions hold, else all of others, as one.  A
 * line is what one would type into the shell; without any they are read from standard input. */
#include <config.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/answer.h"
#include "client/command.h"
#include "client/lines.h"
#include "client/memory.h"
#include "client/operation.h"
#include "client/ttl.h"

static const char help[] =
    "Each LINE is one of these; without any they are read from standard input:\n"
    "  if KEY = VALUE             or != VALUE; a key that is absent has no value, and is neither\n"
    "  if KEY absent              or present; all conditions must hold\n"
    "  then                       what to do if they do; the word may be left out\n"
    "  put KEY VALUE [--ttl TTL]  and get KEY, del KEY, incr KEY [BY], append KEY VALUE,\n"
    "                             expire KEY TTL\n"
    "  else                       and what if they do not\n"
    "Exit status: 0 the first list was done; 1 the second.  Example:\n"
    "  vstamp txn 'if stock != 0' 'incr stock -1' 'append orders \"me;\"' else 'get stock'\n";

struct script {
    struct client *c;
    struct kv_condition conditions[KV_TXN_MAX];
    struct kv_op steps[KV_BRANCHES][KV_TXN_MAX];
    struct bytes keys[KV_BRANCHES][KV_TXN_MAX];
    uint32_t n_conditions, n_steps[KV_BRANCHES];
    enum kv_branch branch;
    bool in_steps, in_else; /* no condition may follow; no second else */
    struct line *lines;     /* whose words the above points to */
    size_t n_lines, n_read;
};

static bool word_is(struct bytes word, const char *text)
{
    return bytes_equal(word, bytes_of(text));
}

/* --- lines ---
 * Each gives NULL, or what is wrong. */

static const char *take_condition(struct script *s, const struct line *line)
{
    static const struct {
        const char *words;
        enum kv_test test;
        bool has_value;
    } tests[] = {
#define KV_TEST(name, number, words, has_value) {words, KV_TEST_##name, has_value},
#include "kv/ops.def"
#undef KV_TEST
    };
    if (s->in_steps) return "'if' stands before all operations";
    if (s->n_conditions == KV_TXN_MAX) return "more than 64 conditions";
    for (size_t i = 0; i < sizeof tests / sizeof tests[0] && line->n_words >= 3; i++) {
        if (!word_is(line->words[2], tests[i].words)) continue;
        if (line->n_words != (tests[i].has_value ? 4 : 3)) break;
        s->conditions[s->n_conditions++] =
            (struct kv_condition){.test = tests[i].test,
                                  .key = line->words[1],
                                  .value = tests[i].has_value ? line->words[3] : (struct bytes){0}};
        return NULL;
    }
    return "expected: if KEY = VALUE, if KEY != VALUE, if KEY absent or if KEY present";
}

static const char *take_put(const struct line *line, struct kv_op *step)
{
    bool has_ttl = line->n_words == 5 && word_is(line->words[3], "--ttl");
    if (line->n_words != 3 && !has_ttl) return "expected: put KEY VALUE [--ttl TTL]";
    step->value = line->words[2];
    return has_ttl ? ttl_parse((const char *)line->words[4].data, &step->expiry) : NULL;
}

static const struct {
    const char *word;
    enum kv_verb verb;
    size_t least, most; /* words */
    const char *form;
} forms[] = {
    {"put", KV_PUT, 3, 5, "expected: put KEY VALUE"},
    {"get", KV_GET, 2, 2, "expected: get KEY"},
    {"del", KV_DEL, 2, 2, "expected: del KEY, one a line"},
    {"incr", KV_INCR, 2, 3, "expected: incr KEY [BY]"},
    {"append", KV_APPEND, 3, 3, "expected: append KEY VALUE"},
    {"expire", KV_EXPIRE, 3, 3, "expected: expire KEY TTL"},
};
#define FORMS (sizeof forms / sizeof forms[0])

/* What stands behind the key. */
static const char *take_rest(const struct line *line, struct kv_op *step)
{
    switch (step->verb) {
    case KV_PUT:
        return take_put(line, step);
    case KV_INCR:
        if (line->n_words == 3 && !operation_number(line->words[2], &step->number))
            return "incr: expected a whole number of 64 bits";
        return NULL;
    case KV_APPEND:
        step->value = line->words[2];
        return NULL;
    case KV_EXPIRE:
        return ttl_parse((const char *)line->words[2].data, &step->expiry);
    default:
        return NULL;
    }
}

static const char *take_step(struct script *s, const struct line *line)
{
    uint32_t *n = &s->n_steps[s->branch];
    size_t form = 0;
    while (form < FORMS && !word_is(line->words[0], forms[form].word)) form++;
    if (form == FORMS)
        return "expected if, then, else, put, get, del, incr, append or expire";
    if (line->n_words < forms[form].least || line->n_words > forms[form].most)
        return forms[form].form;
    if (*n == KV_TXN_MAX) return "more than 64 operations";
    struct kv_op *step = &s->steps[s->branch][*n];
    struct bytes *key = &s->keys[s->branch][*n];
    *key = line->words[1];
    *step = (struct kv_op){.verb = forms[form].verb, .key = *key, .number = 1};
    if (step->verb == KV_DEL) {
        step->keys = key;
        step->n_keys = 1;
    }
    s->in_steps = true;
    ++*n;
    return take_rest(line, step);
}

static const char *take_words(struct script *s, const struct line *line)
{
    if (line->n_words == 0) return NULL; /* empty, or a comment */
    struct bytes first = line->words[0];
    if (word_is(first, "if")) return take_condition(s, line);
    bool is_then = word_is(first, "then"), is_else = word_is(first, "else");
    if (!is_then && !is_else) return take_step(s, line);
    if (line->n_words > 1) return "'then' and 'else' stand alone on a line";
    if (s->in_else || (is_then && s->in_steps)) return "out of place";
    s->in_steps = true;
    s->in_else = is_else;
    s->branch = is_else ? KV_ELSE : KV_THEN;
    return NULL;
}

static int take_line(struct script *s, struct bytes typed)
{
    struct line line;
    const char *wrong = line_parse(&line, typed);
    s->n_read++;
    if (wrong == NULL) wrong = take_words(s, &line);
    if (line.n_words == 0) {
        line_release(&line);
    } else {
        s->lines = memory_resize(s->lines, (s->n_lines + 1) * sizeof *s->lines);
        s->lines[s->n_lines++] = line;
    }
    return wrong == NULL ? 0 : cli_usage(s->c->cli, "txn: line %zu: %s", s->n_read, wrong);
}

static int take_input(struct script *s)
{
    struct lines lines = {.fd = STDIN_FILENO};
    struct vstamp_diag diag;
    int rv = 0, failure = 0;
    while (rv == 0 && failure == 0 && (lines_ready(&lines) || !lines.ended)) {
        if (lines_ready(&lines)) rv = take_line(s, lines_take(&lines));
        else failure = lines_read(&lines);
    }
    const char *why = lines_failure(failure);
    lines_release(&lines);
    if (failure == 0) return rv;
    vstamp_diag_printf(&diag, "standard input: %s: nothing was sent", why);
    return answer_refuse(s->c, answer_named("txn"), failure, &diag);
}

/* --- the command ------------------------------------------------------------------------------ */

static int take_all(struct script *s, const char *const *operand, size_t n)
{
    int rv = 0;
    if (n == 0 && s->c->in_shell)
        return cli_usage(s->c->cli, "txn: expected its lines, each in quotes");
    if (n == 0) rv = take_input(s);
    for (size_t i = 0; i < n && rv == 0; i++) rv = take_line(s, client_word(s->c, operand[i]));
    return rv;
}

static int run(struct script *s)
{
    struct kv_op op = {.verb = KV_TXN,
                       .txn = {.conditions = s->conditions, .n_conditions = s->n_conditions}};
    for (int branch = 0; branch < KV_BRANCHES; branch++) {
        op.txn.steps[branch] = s->steps[branch];
        op.txn.n_steps[branch] = s->n_steps[branch];
    }
    return command_do(s->c, &op);
}

int cmd_txn(struct cli *cli, int argc, char **argv)
{
    struct client *c = cli->context;
    const char **operand = memory_new(((size_t)argc + 1) * sizeof *operand);
    struct script *s = memory_new(sizeof *s);
    const struct cli_option options[] = {CLI_END_HELP(help)};
    size_t n;
    *s = (struct script){.c = c};
    int status = cli_parse(cli, options, argc, argv, operand, (size_t)argc, &n);
    if (status == 0) status = take_all(s, operand, n);
    if (status == 0 && s->n_steps[KV_THEN] + s->n_steps[KV_ELSE] == 0)
        status = cli_usage(cli, "txn: there is no operation in it");
    if (status == 0) status = run(s);
    for (size_t i = 0; i < s->n_lines; i++) line_release(&s->lines[i]);
    free(s->lines);
    free(s);
    free(operand);
    return status;
}

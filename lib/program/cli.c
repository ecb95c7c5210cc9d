/* SPDX-License-Identifier: BSD-2-Clause */
/* One parser walks words and asks two option tables, the command's and the program's; what is
 * not an option is an operand.  Every complaint is one line, followed by where help is. */
#include "program/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/assert.h"
#include "program/config_keys.h"
#include "program/duration.h"
#include "program/escape.h"
#include "program/log.h"
#include "program/nearest.h"

#define OPTION_WIDTH 26 /* of the left column of --help */
#define WORDS_SIZE   160

/* What each program has without declaring it. */
static const struct cli_option standard_options[] = {
    CLI_FLAG('h', "help", NULL, "print this and exit"),
    CLI_FLAG('V', "version", NULL, "print the version and exit"),
    CLI_END,
};
#define OPTION_HELP    (&standard_options[0])
#define OPTION_VERSION (&standard_options[1])

bool cli_may_colour(FILE *stream)
{
    const char *no_color = getenv("NO_COLOR");
    const char *term = getenv("TERM");
    if (no_color != NULL && *no_color != '\0') return false;
    return isatty(fileno(stream)) && term != NULL && strcmp(term, "dumb") != 0;
}

static void complain(const struct cli *cli, const char *sentence)
{
    bool colour = cli_may_colour(stderr);
    fflush(stdout); /* so that a terminal shows both in the order they were written */
    fprintf(stderr, "%s%s%s:%s ", log_priority(log_is_journal(), LOG_LEVEL_ERROR),
            colour ? "\033[1;31m" : "", cli->program, colour ? "\033[0m" : "");
    if (isatty(STDERR_FILENO)) /* it may name what came from elsewhere */
        escape_print(stderr, bytes_of(sentence), ESCAPE_TERMINAL);
    else
        fputs(sentence, stderr);
    fputc('\n', stderr);
}

/* Whole, however many replicas it speaks of: what to do stands at its end. */
void cli_complain(const struct cli *cli, const char *format, ...)
{
    char *sentence = NULL;
    size_t size;
    va_list args;
    FILE *into = open_memstream(&sentence, &size);
    if (into == NULL) abort();
    va_start(args, format);
    vfprintf(into, format, args);
    va_end(args);
    if (fclose(into) != 0) abort();
    complain(cli, sentence);
    free(sentence);
}

int cli_fail(const struct cli *cli, int err, const struct vstamp_diag *diag)
{
    bool has_sentence = diag != NULL && diag->text[0] != '\0';
    assert(err < 0);
    complain(cli, has_sentence ? diag->text : vstamp_err_text(err));
    return vstamp_err_exit(err);
}

int cli_usage(const struct cli *cli, const char *format, ...)
{
    char sentence[VSTAMP_DIAG_SIZE];
    va_list args;
    va_start(args, format);
    vsnprintf(sentence, sizeof sentence, format, args);
    va_end(args);
    if (cli->complaint != NULL) {
        vstamp_diag_printf(cli->complaint, "%s", sentence);
        return CLI_USAGE;
    }
    complain(cli, sentence);
    fprintf(stderr, "Try '%s%s%s --help'.\n", cli->program, cli->command != NULL ? " " : "",
            cli->command != NULL ? cli->command->name : "");
    return CLI_USAGE;
}

static void print_row(FILE *into, const char *left, const char *right)
{
    if (strlen(left) > OPTION_WIDTH - 2) {
        fprintf(into, "  %s\n%*s%s\n", left, OPTION_WIDTH + 2, "", right);
    } else {
        fprintf(into, "  %-*s%s\n", OPTION_WIDTH, left, right);
    }
}

static void print_options(FILE *into, const struct cli_option *options)
{
    char left[80];
    for (const struct cli_option *o = options; o != NULL && o->type != CLI_TYPE_END; o++) {
        char letter[8] = "    ";
        if (o->letter != 0) snprintf(letter, sizeof letter, "-%c, ", o->letter);
        snprintf(left, sizeof left, "%s--%s%s%s", letter, o->name, o->operand != NULL ? " " : "",
                 o->operand != NULL ? o->operand : "");
        print_row(into, left, o->text);
    }
}

static const struct cli_option *end_of(const struct cli_option *options)
{
    while (options->type != CLI_TYPE_END) options++;
    return options;
}

static void print_usage(FILE *into, const struct cli *cli)
{
    const struct cli_command *c = cli->command;
    if (c != NULL) {
        fprintf(into, "Usage: %s [OPTION]... %s%s%s\n\n%s: %s.\n", cli->program, c->name,
                *c->operands != '\0' ? " " : "", c->operands, c->name, c->text);
    } else {
        fprintf(into, "Usage: %s [OPTION]...%s\n\n%s.\n", cli->program,
                cli->commands != NULL ? " COMMAND [OPERAND]..." : "", cli->text);
    }
}

static void print_commands(FILE *into, const struct cli *cli)
{
    char left[80];
    fprintf(into, "\nCommands:\n");
    for (size_t i = 0; i < cli->n_commands; i++) {
        snprintf(left, sizeof left, "%s %s", cli->commands[i].name, cli->commands[i].operands);
        print_row(into, left, cli->commands[i].text);
    }
}

static void print_help(FILE *into, const struct cli *cli, const struct cli_option *own)
{
    const struct cli_command *c = cli->command;

    print_usage(into, cli);
    if (c == NULL && cli->commands != NULL) print_commands(into, cli);
    if (own != NULL && own->type != CLI_TYPE_END) {
        fprintf(into, "\nOptions of %s:\n", c != NULL ? c->name : cli->program);
        print_options(into, own);
    }
    fprintf(into, "\nOptions:\n");
    print_options(into, cli->options);
    print_options(into, standard_options);
    const char *end = c == NULL ? cli->epilogue : own == NULL ? NULL : end_of(own)->text;
    if (end != NULL) fprintf(into, "\n%s", end);
}

static int set_word(const struct cli *cli, const struct cli_option *o, const char *typed,
                    const char *value)
{
    char expected[WORDS_SIZE] = "";
    uint32_t number = o->min;
    for (const char *at = o->operand;; number++) {
        size_t size = strcspn(at, "|"), n = strlen(expected);
        if (strlen(value) == size && memcmp(at, value, size) == 0) break;
        bool is_last = at[size] == '\0';
        snprintf(expected + n, sizeof expected - n, "%s%.*s", n == 0 ? "" : is_last ? " or " : ", ",
                 (int)size, at);
        if (is_last)
            return cli_usage(cli, "%s: expected %s, found '%.60s'", typed, expected, value);
        at += size + 1;
    }
    *(uint32_t *)o->into = number;
    return 0;
}

/* Store the value of an option, which was `typed` so; a complaint was printed when it is not 0. */
static int set_option(const struct cli *cli, const struct cli_option *o, const char *typed,
                      const char *value)
{
    uint64_t number = 0;
    switch (o->type) {
    case CLI_TYPE_FLAG:
        *(bool *)o->into = true;
        return 0;
    case CLI_TYPE_TEXT: /* a variable of a script that was not set is not to count as none */
        if (*value == '\0') return cli_usage(cli, "%s: %s is empty", typed, o->operand);
        *(const char **)o->into = value;
        return 0;
    case CLI_TYPE_U32:
        if (!config_parse_u64(value, o->min, o->max, &number)) {
            return cli_usage(
                cli, "%s: expected a whole number from %" PRIu32 " to %" PRIu32 ", found '%.60s'",
                typed, o->min, o->max, value);
        }
        *(uint32_t *)o->into = (uint32_t)number;
        return 0;
    case CLI_TYPE_DURATION:
        if (!duration_parse(value, &number) || number / 1000 < o->min || number / 1000 > o->max) {
            return cli_usage(cli,
                             "%s: expected seconds from %g to %g, such as 5, 0.5 or 500ms, "
                             "found '%.60s'",
                             typed, o->min / 1000.0, o->max / 1000.0, value);
        }
        *(uint32_t *)o->into = (uint32_t)(number / 1000);
        return 0;
    case CLI_TYPE_WORD:
        return set_word(cli, o, typed, value);
    case CLI_TYPE_EACH:
        return o->take(cli, o, value);
    case CLI_TYPE_END:
        break;
    }
    return 0;
}

/* The words that are left, and the tables to look options up in: command's, program's, standard. */
struct parser {
    struct cli *cli;
    const struct cli_option *tables[3];
    int argc;
    char **argv;
    int at;
    bool only_operands; /* after `--` */
};

#define N_TABLES 3

static const struct cli_option *find_in(const struct cli_option *o, const char *name,
                                        size_t name_size, char letter)
{
    for (; o != NULL && o->type != CLI_TYPE_END; o++) {
        if (name == NULL ? (o->letter != 0 && o->letter == letter)
                         : (strlen(o->name) == name_size && memcmp(o->name, name, name_size) == 0))
            return o;
    }
    return NULL;
}

static const struct cli_option *find_option(const struct parser *p, const char *name,
                                            size_t name_size, char letter)
{
    const struct cli_option *found = NULL;
    for (size_t i = 0; i < N_TABLES && found == NULL; i++)
        found = find_in(p->tables[i], name, name_size, letter);
    return found;
}

/* Would an option mean one thing before the command and another one behind it? */
static bool means_two_things(const struct cli_option *own, const struct cli_option *options)
{
    for (; own != NULL && own->type != CLI_TYPE_END; own++)
        if (find_in(options, own->name, strlen(own->name), 0) != NULL ||
            find_in(options, NULL, 0, own->letter) != NULL)
            return true;
    return false;
}

/* What else a word may be that looks like an option and is not known here. */
static const char *hint(const struct parser *p)
{
    const struct cli_command *c = p->cli->command;
    if (c != NULL) return c->n_max > 0 ? ": if it is none, write '--' before it" : "";
    return p->cli->commands != NULL ? ": if it is of a command, write it behind that" : "";
}

static int reject_long(const struct parser *p, const char *name, size_t name_size)
{
    char word[80];
    snprintf(word, sizeof word, "%.*s", name_size < sizeof word ? (int)name_size : 79, name);
    struct nearest n = nearest_to(word);
    for (size_t i = 0; i < N_TABLES; i++) {
        const struct cli_option *o = p->tables[i];
        for (; o != NULL && o->type != CLI_TYPE_END; o++) nearest_offer(&n, o->name);
    }
    const char *best = nearest_best(&n);
    if (best == NULL) return cli_usage(p->cli, "unknown option '--%s'%s", word, hint(p));
    return cli_usage(p->cli, "unknown option '--%s': did you mean '--%s'?", word, best);
}

static void tell(const struct parser *p, const struct cli_option *o)
{
    size_t size;
    FILE *into = p->cli->help == NULL ? stdout : open_memstream(p->cli->help, &size);
    if (into == NULL) abort();
    if (o == OPTION_HELP) print_help(into, p->cli, p->tables[0]);
    else fprintf(into, "%s %s\n", p->cli->program, p->cli->version);
    if (into != stdout && fclose(into) != 0) abort();
}

/* 0 to go on; CLI_DONE after --help or --version. */
static int take_option(struct parser *p, const struct cli_option *o, const char *typed,
                       const char *value)
{
    if (o == OPTION_HELP || o == OPTION_VERSION) {
        tell(p, o);
        return CLI_DONE;
    }
    if (o->type != CLI_TYPE_FLAG && value == NULL) {
        if (p->at == p->argc) return cli_usage(p->cli, "%s: %s is missing", typed, o->operand);
        value = p->argv[p->at++];
    }
    return set_option(p->cli, o, typed, value);
}

static int take_long(struct parser *p, const char *name)
{
    size_t name_size = strcspn(name, "=");
    const char *value = name[name_size] == '=' ? name + name_size + 1 : NULL;
    const struct cli_option *o = find_option(p, name, name_size, 0);
    if (o == NULL) return reject_long(p, name, name_size);
    if (o->type == CLI_TYPE_FLAG && value != NULL) {
        return cli_usage(p->cli, "--%s takes no value", o->name);
    }
    char typed[32];
    snprintf(typed, sizeof typed, "--%s", o->name);
    return take_option(p, o, typed, value);
}

static int take_letters(struct parser *p, const char *letters)
{
    int rv = 0;
    while (rv == 0 && *letters != '\0') {
        const struct cli_option *o = find_option(p, NULL, 0, *letters);
        if (o == NULL)
            return cli_usage(p->cli, "unknown option '-%c'%s", *letters, hint(p));
        const char typed[] = {'-', *letters++, '\0'};
        const char *value = NULL;
        if (o->type != CLI_TYPE_FLAG && *letters != '\0') {
            value = *letters == '=' ? letters + 1 : letters;
            letters = "";
        }
        rv = take_option(p, o, typed, value);
    }
    return rv;
}

static bool is_operand(const struct parser *p, const char *word, size_t n_operands)
{
    const struct cli_command *c = p->cli->command;
    if (p->only_operands || word[0] != '-' || word[1] == '\0') return true;
    return c != NULL && c->takes_value && n_operands > 0 && word[1] >= '0' && word[1] <= '9';
}

/* Words up to the next operand, which is returned in *operand; NULL when there is none left. */
static int next_operand(struct parser *p, size_t n_operands, const char **operand)
{
    *operand = NULL;
    while (p->at < p->argc) {
        const char *word = p->argv[p->at++];
        if (!p->only_operands && strcmp(word, "--") == 0) {
            p->only_operands = true;
            continue;
        }
        if (is_operand(p, word, n_operands)) {
            *operand = word;
            return 0;
        }
        int rv = word[1] == '-' ? take_long(p, word + 2) : take_letters(p, word + 1);
        if (rv != 0) return rv;
    }
    return 0;
}

int cli_parse(struct cli *cli, const struct cli_option *options, int argc, char **argv,
              const char **operand, size_t n_max, size_t *n_operands)
{
    struct parser p = {
        .cli = cli,
        .tables = {options, cli->options, standard_options},
        .argc = argc,
        .argv = argv,
        .at = 1,
    };
    const struct cli_command *c = cli->command;
    size_t n = 0;
    const char *word;
    int rv;

    assert(c == NULL || c->n_max <= n_max || c->n_max == SIZE_MAX);
    assert(!means_two_things(options, cli->options));
    assert(!means_two_things(options, standard_options));
    while ((rv = next_operand(&p, n, &word)) == 0 && word != NULL) {
        if (n == n_max || (c != NULL && n == c->n_max)) {
            return cli_usage(cli, "one operand too many: '%.60s'", word);
        }
        operand[n++] = word;
    }
    if (rv != 0) return rv;
    if (c != NULL && n < c->n_min) {
        return cli_usage(cli, "%s: an operand is missing: expected %s", c->name, c->operands);
    }
    if (n_operands != NULL) *n_operands = n;
    return 0;
}

static const struct cli_command *find_command(const struct cli *cli, const char *word)
{
    for (size_t i = 0; i < cli->n_commands; i++) {
        if (strcmp(cli->commands[i].name, word) == 0) return &cli->commands[i];
    }
    return NULL;
}

const char *cli_meant(const struct cli *cli, const char *word)
{
    for (size_t i = 0; i < cli->n_commands; i++)
        if (strcasecmp(word, cli->commands[i].name) == 0) return cli->commands[i].name;
    for (size_t i = 0; i < cli->n_words; i++)
        if (strcasecmp(word, cli->words[i].word) == 0) return cli->words[i].command;
    return NULL;
}

static int reject_command(const struct cli *cli, const char *word)
{
    struct nearest n = nearest_to(word);
    for (size_t i = 0; i < cli->n_commands; i++) nearest_offer(&n, cli->commands[i].name);
    const char *best = cli_meant(cli, word);
    if (best == NULL) best = nearest_best(&n);
    if (best == NULL) return cli_usage(cli, "unknown command '%.60s'", word);
    return cli_usage(cli, "unknown command '%.60s': did you mean '%s'?", word, best);
}

int cli_end(const struct cli *cli, int status)
{
    if (status == CLI_DONE) status = CLI_OK;
    if (fflush(stdout) == 0 && !ferror(stdout)) return status;
    cli_complain(cli, "standard output: %s", strerror(errno));
    return status == CLI_OK || status == CLI_NO ? CLI_USAGE : status;
}

/* The last words of a program with a bug.  What it printed so far may be wrong too: drop it. */
static void on_bug(const char *condition, const char *file, int line, const char *function)
{
    fprintf(stderr, "%svstamp: a bug in vstamp: %s:%d: %s: not so: %s: please report it\n",
            log_priority(log_is_journal(), LOG_LEVEL_ERROR), file, line, function, condition);
    _exit(CLI_BUG);
}

/* `help`, and `help get`, as of programs with commands. */
static int run_help(struct cli *cli, struct parser *p)
{
    const char *word;
    int rv = next_operand(p, 0, &word);
    if (rv != 0) return rv;
    if (word == NULL) {
        print_help(stdout, cli, NULL);
        return CLI_OK;
    }
    cli->command = find_command(cli, word);
    if (cli->command == NULL) return reject_command(cli, word);
    char *argv[] = {(char *)cli->command->name, (char *)"--help", NULL};
    return cli->command->run(cli, 2, argv);
}

void cli_take_streams(void)
{
    static const int modes[] = {O_WRONLY, O_RDONLY, O_RDWR};
    for (int fd = 0; fd < 3; fd++) {
        if (fcntl(fd, F_GETFD) >= 0 || errno != EBADF) continue;
        if (open("/dev/null", modes[fd]) != fd) abort(); /* the lowest that is free */
    }
}

int cli_run(struct cli *cli, int argc, char **argv)
{
    struct parser p = {
        .cli = cli,
        .tables = {NULL, cli->options, standard_options},
        .argc = argc,
        .argv = argv,
        .at = 1,
    };
    const char *word;

    cli_take_streams();
    signal(SIGXFSZ, SIG_IGN); /* a file at its limit is a failed write, which is told of */
    base_assert_set_hook(on_bug);
    assert(cli->commands != NULL);
    int rv = next_operand(&p, 0, &word);
    if (rv != 0) return cli_end(cli, rv);
    if (word == NULL) {
        if (cli->no_command == NULL) return cli_usage(cli, "a command is missing");
        return cli_end(cli, cli->no_command(cli));
    }
    cli->command = find_command(cli, word);
    if (cli->command == NULL && strcmp(word, "help") == 0) return cli_end(cli, run_help(cli, &p));
    if (cli->command == NULL) return reject_command(cli, word);
    return cli_end(cli, cli->command->run(cli, argc - (p.at - 1), argv + (p.at - 1)));
}

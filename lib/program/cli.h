/* SPDX-License-Identifier: BSD-2-Clause */
/* The command line, declared as data: tables of options and commands give the parser, --help,
 * --version, and the suggestions for what was mistyped.
 *
 *     static const struct cli_command commands[] = {...};
 *     int main(int argc, char **argv)
 *     {
 *         struct program p = {...};
 *         const struct cli_option options[] = {
 *             CLI_TEXT('c', "config", &p.config, "FILE", "the configuration"),
 *             CLI_END,
 *         };
 *         struct cli cli = {.program = "vstamp", ..., .options = options, .commands = commands,
 *                           .n_commands = 2, .context = &p};
 *         return cli_run(&cli, argc, argv);      calls commands[i].run(&cli, argc, argv)
 *     }
 *     int cmd_put(struct cli *cli, int argc, char **argv)
 *     {
 *         const struct cli_option options[] = {..., CLI_END};
 *         const char *operand[2];
 *         size_t n;
 *         int rv = cli_parse(cli, options, argc, argv, operand, 2, &n);
 *         if (rv != 0) return rv;
 *
 * The program's options may come before the command word and after it, a command's own options
 * after it, all in any order among the operands; `--` ends options; `--name=value`, `--name value`,
 * `-n value`, `-nvalue`, `-ab` are understood; a long option may not be abbreviated.  A lone '-' is
 * an operand, and so is, for commands with `takes_value`, '-' and a digit after the first operand.
 * `help [COMMAND]` is `[COMMAND] --help`.
 */
#ifndef PROGRAM_CLI_H
#define PROGRAM_CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <vstamp/error.h>

/* Exit statuses (vstamp(1)).  Errors have theirs from errors.def, by vstamp_err_exit. */
enum cli_exit {
    CLI_OK = 0,
    CLI_NO = 1,
    CLI_USAGE = 2,
    CLI_NOT_RUN = 3,
    CLI_UNKNOWN_OUTCOME = 4,
    CLI_REFUSED = 5,
    CLI_DIVERGED = 6, /* vstamp-replica: its state is not that of the others */
    CLI_BUG = 70,
    CLI_DONE = 256 /* not a status: cli_parse has answered --help or --version; ends in 0 */
};

enum cli_type {
    CLI_TYPE_END,
    CLI_TYPE_FLAG,
    CLI_TYPE_TEXT,
    CLI_TYPE_U32,
    CLI_TYPE_DURATION,
    CLI_TYPE_WORD,
    CLI_TYPE_EACH
};

struct cli;

struct cli_option {
    enum cli_type type;
    char letter; /* 0: only the long form */
    const char *name;
    void *into; /* bool, const char *, uint32_t, uint32_t (milliseconds), uint32_t; EACH: any */
    uint32_t min, max;   /* U32; DURATION in milliseconds; WORD: the first one's number */
    const char *operand; /* as --help calls it */
    const char *text;    /* one sentence, no full stop */
    /* EACH: 0, or what cli_usage returned */
    int (*take)(const struct cli *cli, const struct cli_option *option, const char *value);
};

/* clang-format off */
#define CLI_FLAG(letter, name, into, text)                                                         \
    {CLI_TYPE_FLAG, letter, name, into, 0, 0, NULL, text, NULL}
#define CLI_TEXT(letter, name, into, operand, text)                                                \
    {CLI_TYPE_TEXT, letter, name, into, 0, 0, operand, text, NULL}
#define CLI_U32(letter, name, into, min, max, operand, text)                                       \
    {CLI_TYPE_U32, letter, name, into, min, max, operand, text, NULL}
/* See duration.h. */
#define CLI_DURATION(letter, name, into, min_ms, max_ms, text)                                     \
    {CLI_TYPE_DURATION, letter, name, into, min_ms, max_ms, "SECONDS", text, NULL}
/* One of "a|b|c".  What is stored is its place among them, and `first` more; an enum without
 * negative values will do. */
#define CLI_WORD(letter, name, into, first, words, text)                                           \
    {CLI_TYPE_WORD, letter, name, into, first, 0, words, text, NULL}
/* May be given again and again: `take` is called with each value, from left to right. */
#define CLI_EACH(letter, name, take, into, operand, text)                                          \
    {CLI_TYPE_EACH, letter, name, into, 0, 0, operand, text, take}
#define CLI_END                                                                                    \
    {CLI_TYPE_END, 0, NULL, NULL, 0, 0, NULL, NULL, NULL}
/* The same of a command's own options, with lines that end its --help, as an example. */
#define CLI_END_HELP(text)                                                                         \
    {CLI_TYPE_END, 0, NULL, NULL, 0, 0, NULL, text, NULL}
/* clang-format on */

struct cli_command {
    const char *name;
    const char *operands; /* "KEY [VALUE]", "KEY...", "" */
    size_t n_min, n_max;  /* how many; n_max SIZE_MAX: as many as there are */
    bool takes_value;     /* after the first operand, -5 is data */
    const char *text;     /* one sentence, no full stop */
    int (*run)(struct cli *cli, int argc, char **argv); /* argv[0] is the command word */
};

/* A word that is no command of the program, and the one that who types it must mean. */
struct cli_word {
    const char *word, *command;
};

struct cli {
    const char *program;
    const char *version;
    const char *text;                   /* what the program is for, one sentence */
    const char *epilogue;               /* end of --help: examples, exit statuses; or NULL */
    const struct cli_option *options;   /* ended by CLI_END */
    const struct cli_command *commands; /* NULL for a program without */
    size_t n_commands;
    int (*no_command)(struct cli *cli); /* when there is no command word; NULL: that is an error */
    void *context;                      /* the program's own */
    const struct cli_command *command;  /* set by cli_run: the one that runs */
    const struct cli_word *words;       /* that are no commands, for complaints */
    size_t n_words;
    struct vstamp_diag *complaint; /* where usage errors go instead of standard error, or NULL */
    char **help; /* where --help and --version go, a text to be freed, likewise */
};

/* Take the places of standard input, output and error that are closed, so that no socket or file
 * gets their number and what is printed.  They fail like closed ones.  The first thing a program
 * does; cli_run does it by itself. */
void cli_take_streams(void);

/* Parse the program's options, run the command, see that standard output could be written.
 * Returns the exit status.  From here on a failed assert ends the process with CLI_BUG. */
int cli_run(struct cli *cli, int argc, char **argv);

/* Parse the words after argv[0] for the command that runs, or for a program without commands.
 * `options` are the command's own, or NULL.  `operand` has room for n_max; for commands without a
 * bound pass argc.  `n_operands`, which may be NULL, is told how many there are.  0, or what the
 * caller should return at once: CLI_DONE, or CLI_USAGE after the complaint was printed. */
int cli_parse(struct cli *cli, const struct cli_option *options, int argc, char **argv,
              const char **operand, size_t n_max, size_t *n_operands);

/* The command that somebody who typed `word` must mean, in upper or lower case; or NULL. */
const char *cli_meant(const struct cli *cli, const char *word);

/* Print `PROGRAM: SENTENCE` to standard error; returns the exit status of `err` (errors.def).
 * Without a sentence, the error's own. */
int cli_fail(const struct cli *cli, int err, const struct vstamp_diag *diag);

/* Print `PROGRAM: SENTENCE` to standard error. */
void cli_complain(const struct cli *cli, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The same as a usage error, with the line that points to --help, or into cli->complaint; returns
 * CLI_USAGE. */
int cli_usage(const struct cli *cli, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The main function of a program without commands ends with it: CLI_DONE becomes 0, and a standard
 * output that could not be written becomes an error. */
int cli_end(const struct cli *cli, int status);

/* May this stream be coloured?  Only a terminal, not under NO_COLOR, not a dumb one. */
bool cli_may_colour(FILE *stream);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* vstamp shell: commands, one a line (line.h), under one session.
 *
 *   on a terminal   a prompt with view and primary, line editing and a history by libedit
 *   from a pipe     each line's answer is written as soon as it and those before it are there;
 *                   reads that are there already do not wait for one another (ahead.h)
 *
 * Every command line has an answer of one line (list: a line a key, then their number; help: as
 * many as people need, but one with --json), so a program at the other end knows where it is.  The
 * exit status is 0 when each command was carried out, whatever its answer, else that of the last
 * one that was not. */
#include <config.h>

#include <ctype.h>
#include <errno.h>
#include <histedit.h>
#include <inttypes.h>
#include <locale.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/ahead.h"
#include "client/answer.h"
#include "client/command.h"
#include "client/lines.h"
#include "client/memory.h"
#include "program/nearest.h"

#define HISTORY_LINES 1000
#define PROMPT_SIZE   48

struct shell {
    struct client *c;
    struct cli cli; /* with the options that make sense for one line */
    struct ahead ahead; /* on a terminal nothing is ever in it */
    bool ended;
    int status; /* of the last command that failed */
    char prompt[PROMPT_SIZE];
};

static const struct {
    const char *word, *command;
} seed_words[] = {
#define SEED_WORD(word, command) {word, command},
#include "client/commands.def"
#undef SEED_WORD
};

enum in_shell { NEVER, IN_TURN, AHEAD };

/* In the order of cli->commands. */
static const struct {
    const char *word;
    enum in_shell when;
} words[] = {
#define COMMAND(word, function, operands, least, most, takes_value, when, text) {word, when},
#include "client/commands.def"
#undef COMMAND
};
#define WORDS (sizeof words / sizeof words[0])

/* An index, or WORDS. */
static size_t find_word(const char *word)
{
    size_t i = 0;
    for (size_t j = 0; j < sizeof seed_words / sizeof seed_words[0]; j++)
        if (strcasecmp(word, seed_words[j].word) == 0) word = seed_words[j].command;
    while (i < WORDS && (words[i].when == NEVER || strcasecmp(word, words[i].word) != 0)) i++;
    return i;
}

static void print_commands(const struct cli *cli, FILE *into)
{
    for (size_t i = 0; i < WORDS; i++) {
        const struct cli_command *command = &cli->commands[i];
        char left[64];
        if (words[i].when == NEVER) continue;
        snprintf(left, sizeof left, "%s %s", command->name, command->operands);
        fprintf(into, "%-20s %s\n", left, command->text);
    }
    fprintf(into, "%-20s leave\n", "quit");
    fputs("Here a VALUE left out is empty, and '-' is just that: the input is the commands.\n",
          into);
}

/* The answers to what was typed before come first. */
static int refuse(struct shell *sh, const char *word, const struct vstamp_diag *diag)
{
    ahead_catch_up(&sh->ahead);
    return answer_refuse(sh->c, answer_named(word), VSTAMP_E_USAGE, diag);
}

static int refuse_word(struct shell *sh, const char *word)
{
    struct vstamp_diag diag;
    struct nearest nearest = nearest_to(word);
    const char *other = NULL;
    for (size_t i = 0; i < WORDS; i++) {
        if (words[i].when != NEVER) nearest_offer(&nearest, words[i].word);
        else if (strcasecmp(word, words[i].word) == 0) other = words[i].word;
    }
    const char *best = cli_meant(&sh->cli, word);
    if (best == NULL) best = nearest_best(&nearest);
    if (other != NULL)
        vstamp_diag_printf(&diag, "'%s' is no command of the shell: run 'vstamp %s' beside it",
                           other, other);
    else if (best == NULL)
        vstamp_diag_printf(&diag, "unknown command '%.60s': try 'help'", word);
    else
        vstamp_diag_printf(&diag, "unknown command '%.60s': did you mean '%s'?", word, best);
    return refuse(sh, "shell", &diag);
}

/* What is told of commands is an answer, too.  Consumes the text. */
static void answer_help(struct shell *sh, char *text)
{
    ahead_catch_up(&sh->ahead);
    if (sh->c->options.json) {
        json_t *object = answer_named("help");
        json_object_set_new(object, "ok", json_true());
        json_object_set_new(object, "text", json_string(text));
        answer_print_json(sh->c, object, NULL);
    } else {
        fputs(text, stdout);
    }
    free(text);
}

static int run_command(struct shell *sh, size_t word, const struct line *line)
{
    const struct cli_command *command = &sh->cli.commands[word];
    struct client *c = sh->c;
    struct client_options before = c->options; /* a line's options are that line's */
    char **argv = memory_new((line->n_words + 1) * sizeof *argv);
    for (size_t i = 0; i < line->n_words; i++) argv[i] = (char *)line->words[i].data;
    struct vstamp_diag complaint = {0};
    char *help = NULL;
    if (words[word].when != AHEAD) ahead_catch_up(&sh->ahead);
    else if (!c->on_terminal) c->ahead = &sh->ahead;
    sh->cli.command = command;
    sh->cli.complaint = &complaint;
    sh->cli.help = &help;
    c->line = line;
    c->n_shown = 0;
    int status = command->run(&sh->cli, (int)line->n_words, argv);
    if (status == CLI_USAGE && c->n_shown == 0)
        status = refuse(sh, command->name, &complaint);
    if (help != NULL) answer_help(sh, help);
    sh->cli.complaint = NULL;
    sh->cli.help = NULL;
    c->ahead = NULL;
    c->line = NULL;
    c->options = before;
    free(argv);
    return status == CLI_DONE ? CLI_OK : status;
}

/* Of all commands, or of the one that is named. */
static int help(struct shell *sh, const struct line *line)
{
    if (line->n_words == 1) {
        char *text = NULL;
        size_t size;
        FILE *into = memory_stream(&text, &size);
        print_commands(&sh->cli, into);
        fclose(into);
        answer_help(sh, text);
        return CLI_OK;
    }
    const char *word = (const char *)line->words[1].data;
    size_t found = find_word(word);
    if (found == WORDS) return refuse_word(sh, word);
    struct bytes asked[] = {bytes_of(words[found].word), bytes_of("--help")};
    return run_command(sh, found, &(struct line){.n_words = 2, .words = asked});
}

static int run_words(struct shell *sh, const struct line *line)
{
    const char *word = (const char *)line->words[0].data;
    if (strcasecmp(word, "quit") == 0 || strcasecmp(word, "exit") == 0 ||
        strcasecmp(word, "q") == 0) {
        sh->ended = true;
        return CLI_OK;
    }
    if (strcasecmp(word, "help") == 0 || strcmp(word, "?") == 0) return help(sh, line);
    size_t found = find_word(word);
    return found == WORDS ? refuse_word(sh, word) : run_command(sh, found, line);
}

static void run_line(struct shell *sh, struct bytes typed)
{
    struct line line;
    int status = CLI_OK;
    const char *wrong = line_parse(&line, typed);
    if (wrong != NULL) {
        struct vstamp_diag diag;
        vstamp_diag_printf(&diag, "%s", wrong);
        status = refuse(sh, "shell", &diag);
    } else if (line.n_words > 0) {
        status = run_words(sh, &line);
    }
    line_release(&line);
    if (status != CLI_OK && status != CLI_NO) sh->status = status;
    if (fflush(stdout) != 0 || ferror(stdout)) sh->ended = true; /* nobody reads the answers */
    if (sh->c->signal != 0 && !(sh->c->on_terminal && sh->c->signal == SIGINT))
        sh->ended = true;
    else
        sh->c->signal = 0;
}

static void run_pipe(struct shell *sh)
{
    struct lines lines = {.fd = STDIN_FILENO};
    int rv = 0;
    while (!sh->ended && rv == 0 && (lines_ready(&lines) || !lines.ended)) {
        if (lines_ready(&lines))
            run_line(sh, lines_take(&lines));
        else if (ahead_turn(&sh->ahead, lines.fd))
            rv = lines_read(&lines);
    }
    const char *why = lines_failure(rv);
    ahead_catch_up(&sh->ahead);
    ahead_close(&sh->ahead);
    lines_release(&lines);
    if (rv == 0) return;
    cli_complain(&sh->cli, "standard input: %s: not all commands were read", why);
    sh->status = CLI_USAGE;
}

static char *prompt(EditLine *el)
{
    struct shell *sh;
    el_get(el, EL_CLIENTDATA, &sh);
    const struct session_identity *id = &sh->c->session.identity;
    if (sh->c->session_begun && !vstamp_id_is_zero(id->group))
        snprintf(sh->prompt, sizeof sh->prompt, "v%" PRIu64 "/%u> ", id->view,
                 session_primary(&sh->c->session));
    else
        snprintf(sh->prompt, sizeof sh->prompt, "vstamp> ");
    return sh->prompt;
}

static void ignore_signal(int signal)
{
    (void)signal;
}

/* Tab: as much of the command as is certain. */
static unsigned char complete(EditLine *el, int key)
{
    (void)key;
    const LineInfo *line = el_line(el);
    size_t typed = (size_t)(line->cursor - line->buffer), common = 0;
    const char *first = NULL;
    for (size_t i = 0; i < WORDS; i++) {
        const char *word = words[i].word;
        if (words[i].when == NEVER || strncasecmp(word, line->buffer, typed) != 0) continue;
        if (first == NULL) {
            first = word;
            common = strlen(word) + 1; /* and the end, which becomes a blank */
        } else {
            while (strncmp(word, first, common) != 0) common--;
        }
    }
    if (common <= typed) return CC_REFRESH_BEEP;
    char more[PROMPT_SIZE];
    bool whole = common > strlen(first);
    snprintf(more, sizeof more, "%.*s%s", (int)(common - typed), first + typed, whole ? " " : "");
    return el_insertstr(el, more) == 0 ? CC_REFRESH : CC_REFRESH_BEEP;
}

/* libedit drops, without a word, what is no character of the locale.  A terminal sends UTF-8
 * whatever the environment says, and with this one INCR is incr in Turkey, too. */
static void take_characters(void)
{
    if (setlocale(LC_CTYPE, "C.UTF-8") == NULL) setlocale(LC_CTYPE, "");
}

/* Ctrl-C drops the line, Ctrl-D leaves. */
static void run_terminal(struct shell *sh)
{
    HistEvent event;
    take_characters();
    History *lines = history_init();
    EditLine *el = el_init("vstamp", stdin, stdout, stderr);
    if (lines == NULL || el == NULL) abort();
    char *path = NULL;
    struct vstamp_diag ignored = {0};
    umask(077); /* lines hold values */
    history(lines, &event, H_SETSIZE, HISTORY_LINES);
    history(lines, &event, H_SETUNIQUE, 1);
    if (session_file_state_path(&path, "history", true, &ignored) == 0)
        history(lines, &event, H_LOAD, path);
    el_set(el, EL_CLIENTDATA, sh);
    el_set(el, EL_PROMPT, prompt);
    el_set(el, EL_EDITOR, "emacs");
    el_set(el, EL_HIST, history, lines);
    el_set(el, EL_SIGNAL, 1);
    el_set(el, EL_ADDFN, "complete", "complete the command", complete);
    el_set(el, EL_BIND, "^I", "complete", NULL);
    signal(SIGINT, ignore_signal);
    printf("vstamp %s: 'help' lists the commands, Ctrl-D leaves\n", VERSION);
    while (!sh->ended) {
        int n;
        errno = 0;
        const char *typed = el_gets(el, &n);
        if (typed == NULL || n <= 0) {
            putchar('\n');
            if (typed == NULL && errno != EINTR) break;
            el_reset(el);
            continue;
        }
        if (n > 1) history(lines, &event, H_ENTER, typed);
        run_line(sh, (struct bytes){(const uint8_t *)typed, (size_t)n});
    }
    signal(SIGINT, SIG_DFL);
    if (path != NULL) history(lines, &event, H_SAVE, path);
    el_end(el);
    history_end(lines);
    free(path);
}

int cmd_shell(struct cli *cli, int argc, char **argv)
{
    struct client *c = cli->context;
    int rv = cli_parse(cli, NULL, argc, argv, NULL, 0, NULL);
    if (rv != 0) return rv;
    struct vstamp_diag diag = {0};
    rv = client_begin(c, NULL, &diag);
    if (rv != 0) return answer_refuse(c, answer_named("shell"), rv, &diag);

    const struct cli_option options[] = {CLIENT_LINE_OPTIONS(&c->options), CLI_END};
    struct shell sh = {.c = c, .cli = *cli};
    sh.cli.options = options;
    ahead_open(&sh.ahead, c, &sh.status);
    c->cli = &sh.cli;
    c->in_shell = true;
    c->on_terminal = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
    if (c->on_terminal)
        run_terminal(&sh);
    else
        run_pipe(&sh);
    c->cli = cli;
    return sh.status;
}

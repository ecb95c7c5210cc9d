/* SPDX-License-Identifier: BSD-2-Clause */
/* vstamp(1): the client on the shell.  commands.def lists what it can do. */
#include <config.h>

#include <unistd.h>

#include "client/command.h"
#include "program/signals.h"

static const struct cli_command commands[] = {
#define COMMAND(word, function, operands, least, most, takes_value, in_shell, text) \
    {word, operands, least, most, takes_value, text, function},
#include "client/commands.def"
#undef COMMAND
};

/* Who comes from the shell types set or z, and who comes from another store its words; and some
 * commands are the administrator's. */
static const struct cli_word words[] = {
#define SEED_WORD(word, command) {word, command},
#include "client/commands.def"
#undef SEED_WORD
    {"delete", "del"}, {"rm", "del"}, {"scan", "list"}, {"keys", "list"}, {"ls", "list"},
#define COMMAND(name, word, operands, n_min, n_max, text) {word, "vstamp-admin " word},
#include "admin/commands.def"
#undef COMMAND
};

static const char epilogue[] =
    "Exit status: 0 done; 1 done, and the answer is no; 2 usage or configuration; 3 no answer in\n"
    "time, it did not and will not run; 4 no answer in time, outcome unknown; 5 refused.\n"
    "\n"
    "The group is named by --replicas, --config, $VSTAMP_CONFIG or server-config.yaml here.\n"
    "Example: vstamp put greeting hello && vstamp get greeting\n";

static int no_command(struct cli *cli)
{
    if (isatty(STDIN_FILENO)) {
        char *argv[] = {(char *)"shell", NULL};
        return cmd_shell(cli, 1, argv);
    }
    return cli_usage(
        cli, "a command is missing: to read commands from standard input, use 'vstamp shell'");
}

int main(int argc, char **argv)
{
    struct client c = {.options = {.read_task = SESSION_READ, .timeout_ms = CLIENT_TIMEOUT_MS}};
    const struct cli_option options[] = {
        CLI_TEXT('c', "config", &c.options.config, "FILE", "the group's configuration"),
        CLI_TEXT('r', "replicas", &c.options.replicas, "ADDR,ADDR,...",
                 "addresses of its replicas instead; one is enough"),
        CLI_TEXT(0, "tls", &c.options.tls, "DIR",
                 "show the certificate in this folder, instead of tls"),
        CLI_TEXT('s', "session", &c.options.session, "FILE",
                 "keep identity, last request and its outcome there across calls"),
        CLIENT_LINE_OPTIONS(&c.options),
        CLI_END,
    };
    struct cli cli = {
        .program = "vstamp",
        .version = VERSION,
        .text = "Reads and writes the key-value store of a vstamp group",
        .epilogue = epilogue,
        .options = options,
        .commands = commands,
        .n_commands = sizeof commands / sizeof commands[0],
        .no_command = no_command,
        .words = words,
        .n_words = sizeof words / sizeof words[0],
        .context = &c,
    };
    c.cli = &cli;
    int status = cli_run(&cli, argc, argv);
    client_end(&c);
    if (c.signal != 0) signals_die_by(c.signal);
    return status;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* The command line: where options may stand, what is data, and what a mistake is answered with. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/assert.h"
#include "program/cli.h"
#include "program/nearest.h"

/* What the last run made of its words. */
struct seen {
    bool json;
    bool raw;
    const char *config;
    uint32_t timeout_ms;
    uint32_t limit;
    enum { SLOW = 3, STEADY, FAST } how;
    const char *operand[8];
    size_t n;
    char out[4096]; /* standard output */
    char err[4096]; /* standard error */
};

static int cmd_any(struct cli *cli, int argc, char **argv)
{
    struct seen *seen = cli->context;
    const struct cli_option options[] = {
        CLI_FLAG('r', "raw", &seen->raw, "the bytes alone"),
        CLI_U32('n', "limit", &seen->limit, 1, 100, "N", "how many"),
        CLI_WORD(0, "how", &seen->how, SLOW, "slow|steady|fast", "how fast"),
        CLI_END,
    };
    int rv = cli_parse(cli, options, argc, argv, seen->operand, 8, &seen->n);
    if (rv != 0) return rv;
    return CLI_NO; /* a status of its own, to see that it comes out */
}

static const struct cli_command commands[] = {
    {"put", "KEY [VALUE]", 1, 2, true, "store a value", cmd_any},
    {"get", "KEY", 1, 1, false, "print a value", cmd_any},
    {"del", "KEY...", 1, SIZE_MAX, false, "delete keys", cmd_any},
    {"size", "", 0, 0, false, "count", cmd_any},
};

static void read_back(FILE *f, char into[static 4096])
{
    rewind(f);
    into[fread(into, 1, 4095, f)] = '\0';
    fclose(f);
}

/* Run with the words of `line`, with both outputs caught. */
static int run(struct seen *seen, const char *line)
{
    char words[256];
    char *argv[16];
    char *rest = NULL;
    int argc = 0;
    FILE *out = tmpfile();
    FILE *err = tmpfile();
    int saved_out = dup(STDOUT_FILENO);
    int saved_err = dup(STDERR_FILENO);

    memset(seen, 0, sizeof *seen);
    snprintf(words, sizeof words, "vstamp %s", line);
    for (char *at = strtok_r(words, " ", &rest); at != NULL; at = strtok_r(NULL, " ", &rest))
        argv[argc++] = at;
    argv[argc] = NULL;
    const struct cli_option options[] = {
        CLI_TEXT('c', "config", &seen->config, "FILE", "the configuration"),
        CLI_DURATION('t', "timeout", &seen->timeout_ms, 1, 3600000, "give up after this long"),
        CLI_FLAG(0, "json", &seen->json, "answer in JSON"),
        CLI_END,
    };
    struct cli cli = {
        .program = "vstamp",
        .version = "1.2",
        .text = "A store",
        .epilogue = "Exit status: 0.\n",
        .options = options,
        .commands = commands,
        .n_commands = 4,
        .context = seen,
    };
    assert_non_null(out);
    assert_non_null(err);
    fflush(stdout);
    dup2(fileno(out), STDOUT_FILENO);
    dup2(fileno(err), STDERR_FILENO);
    int status = cli_run(&cli, argc, argv);
    fflush(stdout);
    dup2(saved_out, STDOUT_FILENO);
    dup2(saved_err, STDERR_FILENO);
    close(saved_out);
    close(saved_err);
    read_back(out, seen->out);
    read_back(err, seen->err);
    /* The operands point into `words`; tests compare right away, so keep copies. */
    for (size_t i = 0; i < seen->n; i++) seen->operand[i] = strdup(seen->operand[i]);
    if (seen->config != NULL) seen->config = strdup(seen->config);
    return status;
}

static void release(struct seen *seen)
{
    for (size_t i = 0; i < seen->n; i++) free((char *)seen->operand[i]);
    free((char *)seen->config);
}

static void options_stand_before_and_after_the_command_and_among_operands(void **state)
{
    static const char *const lines[] = {
        "--config f --timeout 2.5 --json put -r --limit 7 k v",
        "put k v --config=f --timeout=2500ms --json --raw -n7",
        "-cf -t2.5s put k --json -rn 7 v",
        "-c f put -rt 2.5 -n=7 --json -- k v",
    };
    struct seen seen;
    (void)state;
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        assert_int_equal(run(&seen, lines[i]), CLI_NO);
        assert_string_equal(seen.err, "");
        assert_string_equal(seen.config, "f");
        assert_int_equal(seen.timeout_ms, 2500);
        assert_int_equal(seen.limit, 7);
        assert_true(seen.json && seen.raw);
        assert_int_equal(seen.n, 2);
        assert_string_equal(seen.operand[0], "k");
        assert_string_equal(seen.operand[1], "v");
        release(&seen);
    }
}

static void a_word_of_several_is_a_number(void **state)
{
    struct seen seen;
    (void)state;
    assert_int_equal(run(&seen, "get k --how slow"), CLI_NO);
    assert_int_equal(seen.how, SLOW);
    release(&seen);
    assert_int_equal(run(&seen, "get k --how=fast"), CLI_NO);
    assert_int_equal(seen.how, FAST);
    release(&seen);
}

static void a_negative_number_is_data_where_a_value_is_expected(void **state)
{
    static const struct {
        const char *line, *last;
    } cases[] = {{"put k -5", "-5"}, {"put k -", "-"}, {"put k -- --raw", "--raw"}};
    struct seen seen;
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(run(&seen, cases[i].line), CLI_NO);
        assert_int_equal(seen.n, 2);
        assert_string_equal(seen.operand[1], cases[i].last);
        release(&seen);
    }
}

static void each_mistake_is_one_line_and_where_help_is(void **state)
{
    static const struct {
        const char *line, *err;
    } cases[] = {
        {"", "vstamp: a command is missing\nTry 'vstamp --help'.\n"},
        {"gte k", "vstamp: unknown command 'gte': did you mean 'get'?\nTry 'vstamp --help'.\n"},
        {"frobnicate", "vstamp: unknown command 'frobnicate'\nTry 'vstamp --help'.\n"},
        {"--jsn put k v", "vstamp: unknown option '--jsn': did you mean '--json'?\n"
                          "Try 'vstamp --help'.\n"},
        {"get --limt=3 k", "vstamp: unknown option '--limt': did you mean '--limit'?\n"
                           "Try 'vstamp get --help'.\n"},
        {"-x", "vstamp: unknown option '-x': if it is of a command, write it behind that\n"
               "Try 'vstamp --help'.\n"},
        {"--raw get k",
         "vstamp: unknown option '--raw': if it is of a command, write it behind that\n"
         "Try 'vstamp --help'.\n"},
        {"size -x", "vstamp: unknown option '-x'\nTry 'vstamp size --help'.\n"},
        {"get -x", "vstamp: unknown option '-x': if it is none, write '--' before it\n"
                   "Try 'vstamp get --help'.\n"},
        {"put k --x", "vstamp: unknown option '--x': if it is none, write '--' before it\n"
                      "Try 'vstamp put --help'.\n"},
        {"put -5 k", "vstamp: unknown option '-5': if it is none, write '--' before it\n"
                     "Try 'vstamp put --help'.\n"},
        {"get", "vstamp: get: an operand is missing: expected KEY\nTry 'vstamp get --help'.\n"},
        {"get a b", "vstamp: one operand too many: 'b'\nTry 'vstamp get --help'.\n"},
        {"size a", "vstamp: one operand too many: 'a'\nTry 'vstamp size --help'.\n"},
        {"get k --config", "vstamp: --config: FILE is missing\nTry 'vstamp get --help'.\n"},
        {"--json=1 get k", "vstamp: --json takes no value\nTry 'vstamp --help'.\n"},
        {"get k --limit 101",
         "vstamp: --limit: expected a whole number from 1 to 100, found '101'\n"
         "Try 'vstamp get --help'.\n"},
        {"get k --limit 4294967297",
         "vstamp: --limit: expected a whole number from 1 to 100, found '4294967297'\n"
         "Try 'vstamp get --help'.\n"},
        {"get k --config=", "vstamp: --config: FILE is empty\nTry 'vstamp get --help'.\n"},
        {"get k -n", "vstamp: -n: N is missing\nTry 'vstamp get --help'.\n"},
        {"get k -rn 0", "vstamp: -n: expected a whole number from 1 to 100, found '0'\n"
                        "Try 'vstamp get --help'.\n"},
        {"get k --how st", "vstamp: --how: expected slow, steady or fast, found 'st'\n"
                           "Try 'vstamp get --help'.\n"},
        {"get k --how slow|steady",
         "vstamp: --how: expected slow, steady or fast, found 'slow|steady'\n"
         "Try 'vstamp get --help'.\n"},
        {"-t soon get k",
         "vstamp: -t: expected seconds from 0.001 to 3600, such as 5, 0.5 or "
         "500ms, found 'soon'\nTry 'vstamp --help'.\n"},
    };
    struct seen seen;
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(run(&seen, cases[i].line), CLI_USAGE);
        assert_string_equal(seen.err, cases[i].err);
        assert_string_equal(seen.out, "");
        seen.n = 0;
    }
}

static void a_complaint_is_whole_however_long(void **state)
{
    struct cli cli = {.program = "vstamp"};
    char replicas[3000], printed[4096];
    FILE *err = tmpfile();
    int saved = dup(STDERR_FILENO);
    (void)state;
    assert_non_null(err);
    memset(replicas, 'x', sizeof replicas);
    dup2(fileno(err), STDERR_FILENO);
    cli_complain(&cli, "%.*s: settle it", (int)sizeof replicas, replicas);
    dup2(saved, STDERR_FILENO);
    close(saved);
    read_back(err, printed);
    assert_int_equal(strlen(printed), strlen("vstamp: : settle it\n") + sizeof replicas);
    assert_non_null(strstr(printed, "x: settle it\n"));
}

static void durations_are_seconds_unless_they_have_a_unit(void **state)
{
    static const struct {
        const char *word;
        uint32_t ms; /* 0: refused */
    } cases[] = {{"5", 5000},  {"0.5", 500},   {".25", 250},   {"1.2345", 1234}, {"500ms", 500},
                 {"2s", 2000}, {"1.5ms", 1},   {"5m", 300000}, {"0.5h", 1800000}, {".", 0},
                 {"", 0},      {"5.", 0},      {"s", 0},       {"5S", 0},        {"+5", 0},
                 {"-1", 0},    {"0", 0},       {"0.9ms", 0},   {"3601", 0},      {"2h", 0},
                 {"1e3", 0},   {"9999999999d", 0}, {"99999999999", 0}};
    struct seen seen;
    char line[64];
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        snprintf(line, sizeof line, "--timeout=%s size", cases[i].word);
        assert_int_equal(run(&seen, line), cases[i].ms == 0 ? CLI_USAGE : CLI_NO);
        assert_int_equal(seen.timeout_ms, cases[i].ms);
    }
}

static void help_and_version_go_to_standard_output(void **state)
{
    static const char *const helps[] = {"--help",         "-h",   "put --help", "put k -h",
                                        "--json size -h", "help", "help put"};
    struct seen seen;
    (void)state;
    for (size_t i = 0; i < sizeof helps / sizeof helps[0]; i++) {
        assert_int_equal(run(&seen, helps[i]), CLI_OK);
        assert_string_equal(seen.err, "");
        assert_int_equal(strncmp(seen.out, "Usage: vstamp [OPTION]... ", 26), 0);
        assert_non_null(strstr(seen.out, "-t, --timeout SECONDS"));
        seen.n = 0;
    }
    assert_int_equal(run(&seen, "--help"), CLI_OK);
    for (size_t i = 0; i < 4; i++) assert_non_null(strstr(seen.out, commands[i].text));
    assert_non_null(strstr(seen.out, "Exit status: 0.\n"));
    assert_int_equal(run(&seen, "put --help"), CLI_OK);
    assert_non_null(strstr(seen.out, "put KEY [VALUE]\n\nput: store a value.\n"));
    assert_non_null(strstr(seen.out, "--limit N"));
    assert_int_equal(run(&seen, "--version"), CLI_OK);
    assert_string_equal(seen.out, "vstamp 1.2\n");
}

static int cmd_bug(struct cli *cli, int argc, char **argv)
{
    (void)cli, (void)argv;
    assert(argc == 0);
    return CLI_OK;
}

static void a_bug_ends_in_its_own_status(void **state)
{
    static const struct cli_command buggy[] = {{"bug", "", 0, 0, false, "fail", cmd_bug}};
    static const struct cli_option none[] = {CLI_END};
    struct cli cli = {.program = "vstamp", .options = none, .commands = buggy, .n_commands = 1};
    char words[] = "vstamp\0bug";
    char *argv[] = {words, words + 7, NULL};
    int status = 0;
    (void)state;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        dup2(open("/dev/null", O_WRONLY), STDERR_FILENO);
        _exit(cli_run(&cli, 2, argv));
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), CLI_BUG);
}

static void nothing_is_suggested_for_a_word_that_is_near_to_none(void **state)
{
    struct nearest n = nearest_to("xyz");
    (void)state;
    nearest_offer(&n, "put");
    nearest_offer(&n, "get");
    assert_null(nearest_best(&n));
    n = nearest_to("stat");
    nearest_offer(&n, "health");
    nearest_offer(&n, "status");
    assert_string_equal(nearest_best(&n), "status");
    n = nearest_to("teh-key"); /* two letters swapped are one step */
    nearest_offer(&n, "the-key");
    assert_int_equal(n.distance, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_stand_before_and_after_the_command_and_among_operands),
        cmocka_unit_test(a_word_of_several_is_a_number),
        cmocka_unit_test(a_negative_number_is_data_where_a_value_is_expected),
        cmocka_unit_test(each_mistake_is_one_line_and_where_help_is),
        cmocka_unit_test(a_complaint_is_whole_however_long),
        cmocka_unit_test(durations_are_seconds_unless_they_have_a_unit),
        cmocka_unit_test(help_and_version_go_to_standard_output),
        cmocka_unit_test(a_bug_ends_in_its_own_status),
        cmocka_unit_test(nothing_is_suggested_for_a_word_that_is_near_to_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

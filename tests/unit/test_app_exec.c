/* SPDX-License-Identifier: BSD-2-Clause */
/* An application that is a process, and fails in every way at every step (tests/cli/faulty_app.c),
 * behind a core that executes nothing by itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "core.h"
#include "replica/app_exec.h"
#include "replica/child.h"

#define TIMEOUT_MS 500u /* a busy machine may not run a process for some time */
#define POISON     13u /* of faulty_app, to add later */

struct fixture {
    char folder[64], program[PATH_MAX];
    char log[1 << 20]; /* what it told, a line each */
    size_t log_size;
    struct app_exec *exec;
    struct core core;
    uint64_t op;
    unsigned sum;
    bool not_executed; /* what was asked last */
};

static void tell(void *ctx, bool wrong, const char *event, const char *const *pairs)
{
    struct fixture *f = ctx;
    f->log_size += (size_t)snprintf(f->log + f->log_size, sizeof f->log - f->log_size, "%s%s",
                                    event, wrong ? "!" : "");
    for (; pairs[0] != NULL; pairs += 2)
        f->log_size += (size_t)snprintf(f->log + f->log_size, sizeof f->log - f->log_size,
                                        " %s=%s", pairs[0], pairs[1]);
    f->log[f->log_size++] = '\n';
    assert_true(f->log_size < sizeof f->log / 2);
}

static int open_exec(struct fixture *f, struct vstamp_diag *diag)
{
    const struct app_exec_options options = {.program = f->program,
                                             .argument = f->folder,
                                             .timeout_ms = TIMEOUT_MS,
                                             .limits = vr_limits(&f->core.config),
                                             .answer_capacity = f->core.config.max_answer_bytes,
                                             .tell = tell,
                                             .ctx = f};
    return app_exec_open(&f->exec, &options, diag);
}

static void put_file(const struct fixture *f, const char *name, const char *text)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", f->folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fprintf(file, "%s\n", text);
    fclose(file);
}

static int set_up_with(void **state, bool ticks)
{
    struct fixture *f = calloc(1, sizeof *f);
    const char *build = getenv("top_builddir");
    struct vstamp_diag diag = {0};
    if (f == NULL) return -1;
    signal(SIGPIPE, SIG_IGN);
    snprintf(f->folder, sizeof f->folder, "/tmp/vstamp-test-XXXXXX");
    if (mkdtemp(f->folder) == NULL) return -1;
    snprintf(f->program, sizeof f->program, "%s/tests/cli/faulty_app", build ? build : ".");
    core_configure(&f->core, 12);
    *state = f;
    if (ticks) put_file(f, "ticks", "");
    if (open_exec(f, &diag) != 0) {
        print_error("%s\n", diag.text);
        return -1;
    }
    core_open(&f->core, app_exec_app(f->exec), f->exec);
    return 0;
}

static int set_up(void **state)
{
    return set_up_with(state, false);
}

static int set_up_with_ticks(void **state)
{
    return set_up_with(state, true);
}

static bool take_file(const struct fixture *f, const char *name)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", f->folder, name);
    return unlink(path) == 0;
}

static int tear_down(void **state)
{
    static const char *const steps[] = {"start", "hello", "load", "apply", "applied", "tick",
                                        "query", "save"};
    struct fixture *f = *state;
    char name[40];
    if (f->exec != NULL) app_exec_app(f->exec)->close(f->exec);
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        snprintf(name, sizeof name, "%s.done", steps[i]);
        take_file(f, name);
        take_file(f, steps[i]);
    }
    take_file(f, "antidote");
    take_file(f, "ticks");
    take_file(f, "renamed");
    int rv = rmdir(f->folder);
    core_close(&f->core);
    free(f);
    bool none_left = waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD;
    return rv != 0 || !none_left;
}

/* --- what the core would do ------------------------------------------------------------------- */

static struct vstamp_context context_of(uint64_t op)
{
    static const uint64_t seed[2] = {UINT64_C(0x0123456789abcdef), UINT64_C(0xfedcba9876543210)};
    return (struct vstamp_context){.op_number = op,
                                   .timestamp_us = op * 1000,
                                   .client = {7, 8},
                                   .session = 9,
                                   .prediction = (const uint8_t *)seed,
                                   .prediction_size = sizeof seed};
}

static const char *apply(struct fixture *f, const char *operation, char answer[static 300])
{
    struct vstamp_context context = context_of(++f->op);
    struct vstamp_answer to = {.data = (uint8_t *)answer, .capacity = 256};
    struct vr *r = &f->core.vr;
    r->app->apply(&r->app_pages, &context, (const uint8_t *)operation, strlen(operation), &to);
    if (!vr_app_has_failed(r) && !to.not_executed) vr_app_has_run(r);
    f->not_executed = to.not_executed;
    answer[to.size] = '\0';
    return answer;
}

static void adds(struct fixture *f, unsigned term)
{
    char answer[300], operation[24], sum[24];
    f->sum += term;
    snprintf(operation, sizeof operation, "%u", term);
    snprintf(sum, sizeof sum, "%u", f->sum);
    assert_string_equal(apply(f, operation, answer), sum);
    if (f->core.vr.over) print_error("%s\n", f->core.vr.app_failure.text);
    assert_false(f->core.vr.over);
}

static bool query(struct fixture *f, char answer[static 300])
{
    struct vstamp_answer to = {.data = (uint8_t *)answer, .capacity = 299};
    f->core.vr.app->query(&f->core.vr.app_pages, (const uint8_t *)"", 0, &to);
    answer[to.size] = '\0';
    return !to.refused;
}

static void reads(struct fixture *f)
{
    char answer[300], sum[24];
    snprintf(sum, sizeof sum, "%u", f->sum);
    assert_true(query(f, answer));
    assert_string_equal(answer, sum);
}

static void tells(const struct fixture *f, const char *text)
{
    if (strstr(f->log, text) == NULL) print_error("no '%s' in\n%s", text, f->log);
    assert_non_null(strstr(f->log, text));
}

static void an_operation_comes_with_all_that_it_may_depend_on(void **state)
{
    struct fixture *f = *state;
    char answer[300];
    adds(f, 5);
    assert_string_equal(apply(f, "told", answer), "2 2000 00000000000000070000000000000008 9 "
                                                  "0123456789abcdeffedcba9876543210 4");
}

static void an_answer_may_come_in_pieces(void **state)
{
    struct fixture *f = *state;
    put_file(f, "apply", "pause");
    adds(f, 1234567);
    reads(f);
    assert_true(vr_app_settle(&f->core.vr));
    assert_null(strstr(f->log, "app-failed"));
}

static void what_it_says_without_an_end_is_cut_in_pieces(void **state)
{
    struct fixture *f = *state;
    char piece[sizeof " line=\n" + CHILD_LINE_MAX];
    put_file(f, "apply", "talk"); /* and nobody else reads it meanwhile */
    adds(f, 5);
    app_exec_listen(f->exec);
    snprintf(piece, sizeof piece, " line=%0*d\n", (int)CHILD_LINE_MAX, 0);
    tells(f, piece);
    assert_null(strstr(f->log, "app-failed"));
}

/* --- a process that fails once ---------------------------------------------------------------- */

static const struct {
    const char *fault, *reason;
} faults[] = {
    {"kill", "was ended by signal 9 (Killed)"},
    {"stop", "did nothing for "},
    {"exit", "ended with status 3"},
    {"garbage", "wrote 'Traceback (most recent call last):'"},
    {"endless", "wrote 'xxx"},
    {"long", ""}, /* too long an answer, or one where none belongs */
    {"extra", ""},
    {"cut", ""},
    {"close", "has closed its standard output"},
};

/* All that one is asked; with a state saved in the middle, so that there is one to load. */
static void live(struct fixture *f, const char *step, const char *fault)
{
    bool in_start = strcmp(step, "start") == 0 || strcmp(step, "hello") == 0 ||
                    strcmp(step, "load") == 0;
    char done[40];
    if (!in_start) put_file(f, step, fault);
    adds(f, 5);
    adds(f, 7);
    assert_true(vr_app_settle(&f->core.vr));
    adds(f, 1);
    reads(f);
    if (in_start) {
        put_file(f, step, fault);
        put_file(f, "apply", "kill");
    }
    adds(f, 2);
    adds(f, 3);
    reads(f);
    snprintf(done, sizeof done, "%s.done", step);
    assert_true(take_file(f, done));
}

static void fails_once_at(struct fixture *f, const char *step)
{
    bool asks_for_answer = strcmp(step, "apply") == 0 || strcmp(step, "applied") == 0;
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        if (asks_for_answer && strcmp(faults[i].fault, "extra") == 0) continue; /* see below */
        f->log_size = 0;
        live(f, step, faults[i].fault);
        tells(f, "app-failed!");
        tells(f, faults[i].reason);
    }
}

static void one_failure_when_it_starts_is_got_over(void **state)
{
    fails_once_at(*state, "start");
}

static void one_failure_at_hello_is_got_over(void **state)
{
    fails_once_at(*state, "hello");
}

static void one_failure_at_load_is_got_over(void **state)
{
    fails_once_at(*state, "load");
}

static void one_failure_before_an_answer_is_got_over(void **state)
{
    fails_once_at(*state, "apply");
}

static void one_failure_after_an_answer_is_got_over(void **state)
{
    fails_once_at(*state, "applied");
}

static void one_failure_at_a_read_is_got_over(void **state)
{
    struct fixture *f = *state;
    char answer[300];
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        if (strcmp(faults[i].fault, "extra") == 0) continue;
        adds(f, 0);
        put_file(f, "query", faults[i].fault);
        bool answered = query(f, answer);
        const char *refusal = strcmp(faults[i].fault, "stop") == 0 ? "did nothing for 500 ms"
                              : strcmp(faults[i].fault, "long") == 0
                                  ? "gave an answer of 1000000000 bytes, more than there is room "
                                    "for (299)"
                                  : NULL;
        assert_int_equal(answered, refusal == NULL);
        if (!answered) {
            assert_non_null(strstr(answer, refusal));
            assert_non_null(strstr(answer, " at this read; it is started anew"));
        }
        reads(f);
        take_file(f, "query.done");
    }
}

static void one_failure_at_save_is_got_over(void **state)
{
    fails_once_at(*state, "save");
}

/* --- and one that goes on failing ------------------------------------------------------------- */

static void what_fails_every_time_is_not_executed_and_the_rest_is(void **state)
{
    struct fixture *f = *state;
    char answer[300];
    for (int i = 0; i < 3; i++) {
        adds(f, 5);
        apply(f, "poison", answer);
        assert_true(f->not_executed);
        assert_non_null(strstr(answer, "was ended by signal 9 (Killed), three times in a row; it "
                                       "last said: poisoned"));
        tells(f, "where=at op-number 2 of client 00000000000000070000000000000008");
        reads(f);
        if (i == 1) assert_true(vr_app_settle(&f->core.vr));
    }
    adds(f, 1);
    assert_false(f->not_executed);
}

/* X5: the one behind it was announced, and is again. */
static void what_is_announced_behind_it_is_announced_again(void **state)
{
    struct fixture *f = *state;
    struct vstamp_context contexts[3] = {context_of(1), context_of(1), context_of(1)};
    const struct vstamp_operation operations[3] = {
        {(const uint8_t *)"1", 1}, {(const uint8_t *)"poison", 6}, {(const uint8_t *)"4", 1}};
    char answer[300];
    f->core.vr.app->announce(&f->core.vr.app_pages, contexts, operations, 3);
    adds(f, 1);
    f->op = 0;
    apply(f, "poison", answer);
    assert_true(f->not_executed);
    f->op = 0;
    f->core.vr.app->announce(&f->core.vr.app_pages, contexts + 2, operations + 2, 1);
    adds(f, 4);
    reads(f);
}

static void a_mended_program_goes_on_with_what_killed_it(void **state)
{
    struct fixture *f = *state;
    struct vstamp_diag diag = {0};
    char answer[300];
    adds(f, 5);
    assert_true(vr_app_settle(&f->core.vr));
    apply(f, "poison", answer);
    assert_true(f->not_executed);
    app_exec_app(f->exec)->close(f->exec);
    put_file(f, "antidote", "");
    assert_int_equal(open_exec(f, &diag), 0);
    f->core.vr.app = app_exec_app(f->exec); /* its folder is as it was */
    f->core.vr.app_pages.instance = f->exec;
    f->core.vr.over = false;
    f->core.vr.app_failure.text[0] = '\0';
    vr_app_resume(&f->core.vr);
    assert_string_equal(apply(f, "poison", answer), "5");
    adds(f, 1);
    tells(f, "app-restored state_bytes=1 operations=0");
}

static void another_answer_than_before_ends_the_replica(void **state)
{
    struct fixture *f = *state;
    char answer[300];
    adds(f, 5);
    apply(f, "pid", answer);
    assert_false(f->core.vr.over);
    put_file(f, "apply", "kill");
    apply(f, "1", answer);
    assert_true(f->core.vr.over);
    assert_non_null(strstr(f->core.vr.app_failure.text,
                           "gave another answer to op-number 2 than before: it is not "
                           "deterministic"));
}

static void another_name_than_before_ends_the_replica(void **state)
{
    struct fixture *f = *state;
    char answer[300];
    adds(f, 5);
    put_file(f, "renamed", "");
    put_file(f, "apply", "kill");
    apply(f, "1", answer);
    assert_true(f->core.vr.over);
    tells(f, "calls itself 'total', and was 'sum'");
}

static void an_answer_that_is_longer_by_one_byte_is_noticed(void **state)
{
    struct fixture *f = *state;
    put_file(f, "apply", "more");
    adds(f, 5);
    tells(f, "gave an answer of 257 bytes, more than there is room for (256)");
}

static void an_answer_too_many_is_noticed(void **state)
{
    struct fixture *f = *state;
    char answer[300];
    adds(f, 5);
    put_file(f, "apply", "extra");
    apply(f, "1", answer); /* 77, which nobody can see through */
    put_file(f, "apply", "stop");
    apply(f, "1", answer);
    assert_true(f->core.vr.over);
    tells(f, "where it was asked");
}

/* What is announced is written at once, and answered one by one. */
static void announced_operations_run_once_each(void **state)
{
    struct fixture *f = *state;
    struct vstamp_context contexts[3] = {context_of(1), context_of(1), context_of(1)};
    const struct vstamp_operation operations[3] = {
        {(const uint8_t *)"1", 1}, {(const uint8_t *)"2", 1}, {(const uint8_t *)"4", 1}};
    static const char *const faulty[] = {"apply", "applied"};
    for (size_t i = 0; i < sizeof faulty / sizeof faulty[0]; i++) {
        f->op = 0;
        put_file(f, faulty[i], "kill");
        f->core.vr.app->announce(&f->core.vr.app_pages, contexts, operations, 3);
        adds(f, 1);
        f->op = 0;
        adds(f, 2);
        f->op = 0;
        adds(f, 4);
        reads(f);
        assert_true(take_file(f, i == 0 ? "apply.done" : "applied.done"));
    }
}

static void a_state_that_comes_from_elsewhere_is_taken_up(void **state)
{
    struct fixture *f = *state;
    adds(f, 5);
    assert_true(vr_app_settle(&f->core.vr));
    adds(f, 7);
    vr_app_resume(&f->core.vr);
    f->sum = 5;
    reads(f);
    adds(f, 1);
}

/* --- one that does something by itself ------------------------------------------------------- */

static uint64_t due(const struct fixture *f)
{
    return f->core.vr.app->due(&f->core.vr.app_pages);
}

static void tick(struct fixture *f, uint64_t now_us)
{
    struct vr *r = &f->core.vr;
    struct vstamp_context context = {.op_number = ++f->op, .timestamp_us = now_us};
    struct vstamp_diag why;
    assert_int_equal(0, r->app->tick(&r->app_pages, &context, &why));
    vr_app_has_run(r);
    assert_false(r->over);
}

/* An operation that adds so much a second after it. */
static uint64_t adds_later(struct fixture *f, unsigned term)
{
    char answer[300], operation[24], sum[24];
    snprintf(operation, sizeof operation, "later %u", term);
    snprintf(sum, sizeof sum, "%u", f->sum);
    assert_string_equal(apply(f, operation, answer), sum);
    assert_int_equal(due(f), f->op * 1000 + 1000000);
    return due(f);
}

static void what_is_due_is_told_and_done_once(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(due(f), VSTAMP_NEVER);
    adds(f, 5);
    assert_int_equal(due(f), VSTAMP_NEVER);
    uint64_t then = adds_later(f, 30);
    tick(f, then - 1);
    reads(f);
    assert_int_equal(due(f), then);
    put_file(f, "apply", "kill"); /* another process is told all again */
    adds(f, 1);
    assert_int_equal(due(f), then);
    tick(f, then);
    f->sum += 30;
    reads(f);
    assert_int_equal(due(f), VSTAMP_NEVER);
    put_file(f, "apply", "kill");
    adds(f, 1); /* and the ticks, too */
    assert_int_equal(due(f), VSTAMP_NEVER);
}

static void what_is_due_is_part_of_the_state(void **state)
{
    struct fixture *f = *state;
    adds(f, 5);
    uint64_t then = adds_later(f, 30);
    assert_true(vr_app_settle(&f->core.vr));
    tick(f, then);
    assert_int_equal(due(f), VSTAMP_NEVER);
    vr_app_resume(&f->core.vr);
    assert_int_equal(due(f), then);
    put_file(f, "tick", "kill");
    tick(f, then);
    f->sum += 30;
    reads(f);
    tells(f, "where=at the tick of op-number");
}

static void one_failure_at_a_tick_is_got_over(void **state)
{
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        f->log_size = 0;
        uint64_t then = adds_later(f, 3);
        put_file(f, "tick", faults[i].fault);
        tick(f, then);
        f->sum += 3;
        reads(f);
        assert_true(take_file(f, "tick.done"));
        tells(f, "app-failed!");
        tells(f, faults[i].reason);
    }
}

/* Nothing of it is in the state that the next process is given. */
static void a_tick_that_always_fails_is_not_executed(void **state)
{
    struct fixture *f = *state;
    struct vr *r = &f->core.vr;
    struct vstamp_diag why;
    uint64_t then = adds_later(f, POISON);
    struct vstamp_context context = {.op_number = ++f->op, .timestamp_us = then};
    assert_int_not_equal(0, r->app->tick(&r->app_pages, &context, &why));
    assert_non_null(strstr(why.text, "was ended by signal 9 (Killed), three times in a row"));
    assert_false(vr_app_has_failed(r));
    reads(f);
    adds(f, 1);
    assert_int_equal(due(f), then);
    put_file(f, "antidote", "");
    tick(f, then);
    f->sum += POISON;
    reads(f);
}

static void an_answer_that_does_not_say_when_is_wrong(void **state)
{
    struct fixture *f = *state;
    put_file(f, "apply", "untimely");
    adds(f, 1);
    tells(f, "did not say when it is due, and has 'ticks' in its hello");
}

static void an_answer_that_says_when_and_should_not_is_wrong(void **state)
{
    struct fixture *f = *state;
    assert_null(f->core.vr.app->due);
    put_file(f, "apply", "untimely");
    adds(f, 1);
    tells(f, "said when it is due, which belongs to");
    put_file(f, "ticks", ""); /* as if the program had become another one */
    put_file(f, "apply", "kill");
    char answer[300];
    apply(f, "1", answer);
    assert_true(f->core.vr.over);
    tells(f, "says 'ticks' in one hello and not in the other");
}

static void one_that_cannot_be_started_says_why(void **state)
{
    struct fixture *f = *state;
    struct vstamp_diag diag = {0};
    char program[sizeof f->program];
    app_exec_app(f->exec)->close(f->exec);
    memcpy(program, f->program, sizeof program);
    snprintf(f->program, sizeof f->program, "%s", f->folder);
    assert_int_equal(open_exec(f, &diag), VSTAMP_E_CONFIG);
    assert_non_null(strstr(diag.text,
                           "ended with status 127; it said: cannot be executed: Permission"));
    memcpy(f->program, program, sizeof program);
    put_file(f, "hello", "stop");
    memset(&diag, 0, sizeof diag);
    assert_int_equal(open_exec(f, &diag), VSTAMP_E_CONFIG);
    assert_non_null(strstr(diag.text, "did nothing for 2000 ms; it said: about to stop"));
    assert_null(f->exec);
}

/* As its host does that is told of the end of a child. */
static void one_that_ends_while_it_is_idle_is_started_at_once(void **state)
{
    struct fixture *f = *state;
    put_file(f, "applied", "kill");
    adds(f, 5);
    siginfo_t info;
    assert_int_equal(waitid(P_ALL, 0, &info, WEXITED | WNOWAIT), 0);
    app_exec_look(f->exec);
    app_exec_listen(f->exec);
    tells(f, "app-ended! reason=was ended by signal 9 (Killed) said=about to kill");
    adds(f, 1);
    assert_null(strstr(f->log, "app-failed"));
}

/* Rule: whoever it has begun ends with it, and does not hide that it has ended. */
static void what_it_has_begun_ends_with_it(void **state)
{
    struct fixture *f = *state;
    int status;
    assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
    put_file(f, "apply", "leave");
    adds(f, 5);
    tells(f, "ended with status 3");
    assert_true(waitpid(-1, &status, 0) > 0);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 0), 0);
}

/* Rule: one that does not read is waited for as long as one that says nothing. */
static void one_that_does_not_read_is_replaced(void **state)
{
    struct fixture *f = *state;
    static char operation[65500]; /* with what goes before it, more than a pipe holds */
    char answer[300];
    memset(operation, ' ', sizeof operation - 2);
    operation[sizeof operation - 2] = '7';
    put_file(f, "applied", "stop");
    adds(f, 5);
    assert_string_equal(apply(f, operation, answer), "12");
    tells(f, "did nothing for ");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#define TICKS(name) cmocka_unit_test_setup_teardown(name, set_up_with_ticks, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(an_operation_comes_with_all_that_it_may_depend_on),
        TEST(an_answer_may_come_in_pieces),
        TEST(what_it_says_without_an_end_is_cut_in_pieces),
        TEST(one_failure_when_it_starts_is_got_over),
        TEST(one_failure_at_hello_is_got_over),
        TEST(one_failure_at_load_is_got_over),
        TEST(one_failure_before_an_answer_is_got_over),
        TEST(one_failure_after_an_answer_is_got_over),
        TEST(one_failure_at_a_read_is_got_over),
        TEST(one_failure_at_save_is_got_over),
        TEST(what_fails_every_time_is_not_executed_and_the_rest_is),
        TEST(what_is_announced_behind_it_is_announced_again),
        TEST(a_mended_program_goes_on_with_what_killed_it),
        TEST(another_answer_than_before_ends_the_replica),
        TEST(another_name_than_before_ends_the_replica),
        TEST(an_answer_that_is_longer_by_one_byte_is_noticed),
        TEST(an_answer_too_many_is_noticed),
        TEST(announced_operations_run_once_each),
        TEST(a_state_that_comes_from_elsewhere_is_taken_up),
        TICKS(what_is_due_is_told_and_done_once),
        TICKS(what_is_due_is_part_of_the_state),
        TICKS(one_failure_at_a_tick_is_got_over),
        TICKS(a_tick_that_always_fails_is_not_executed),
        TICKS(an_answer_that_does_not_say_when_is_wrong),
        TEST(an_answer_that_says_when_and_should_not_is_wrong),
        TEST(one_that_cannot_be_started_says_why),
        TEST(one_that_ends_while_it_is_idle_is_started_at_once),
        TEST(what_it_has_begun_ends_with_it),
        TEST(one_that_does_not_read_is_replaced),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

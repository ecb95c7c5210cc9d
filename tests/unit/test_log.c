/* SPDX-License-Identifier: BSD-2-Clause */
/* The log: exact lines in both formats, quoting, and that repeated events are limited. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "program/log.h"

#define TS "2026-01-31T12:00:07.123Z"

static uint64_t clock_ms;
static int outlet[2]; /* a pipe: the log writes to one end */

static uint64_t now_ms(void)
{
    return clock_ms;
}

static struct log open_log(enum log_level level, enum log_format format, int replica)
{
    struct log log;
    log_open(&log, level, format, replica);
    log.fd = outlet[1];
    log.now_ms = now_ms;
    return log;
}

static void assert_written(const char *expected)
{
    static char text[3 * LOG_LINE_SIZE];
    assert_int_equal(write(outlet[1], "", 1), 1); /* so that the read does not wait */
    ssize_t n = read(outlet[0], text, sizeof text);
    assert_true(n > 0);
    text[n - 1] = '\0';
    assert_string_equal(text, expected);
}

static int setup(void **state)
{
    (void)state;
    clock_ms = UINT64_C(1769860807123);
    return pipe(outlet);
}

static int teardown(void **state)
{
    (void)state;
    close(outlet[0]);
    close(outlet[1]);
    return 0;
}

static void a_line_is_logfmt_with_values_quoted_where_needed(void **state)
{
    struct log log = open_log(LOG_LEVEL_INFO, LOG_FORMAT_LOGFMT, 1);
    (void)state;
    log_event(&log, LOG_LEVEL_INFO, "started", LOG_TEXT("address", "[::1]:14621"),
              LOG_NUMBER("view", UINT64_MAX), LOG_TEXT("why", "it \"was\" = a\\b\n\001"),
              LOG_TEXT("empty", ""));
    assert_written(
        "ts=" TS " level=info replica=1 event=started address=[::1]:14621 "
        "view=18446744073709551615 why=\"it \\\"was\\\" = a\\\\b\\n\\u0001\" empty=\"\"\n");
    log_detail(&log, LOG_LEVEL_WARN, "view-started", "view=3 reason=\"primary silent\"");
    assert_written("ts=" TS " level=warn replica=1 event=view-started view=3 "
                   "reason=\"primary silent\"\n");
    log_detail(&log, LOG_LEVEL_ERROR, "stopped", NULL);
    assert_written("ts=" TS " level=error replica=1 event=stopped\n");
}

static void json_tells_the_same(void **state)
{
    struct log log = open_log(LOG_LEVEL_INFO, LOG_FORMAT_JSON, -1);
    (void)state;
    log_event(&log, LOG_LEVEL_INFO, "started", LOG_TEXT("address", "[::1]:14621"),
              LOG_NUMBER("view", 4), LOG_TEXT("why", "it \"was\" = a\\b\n"), LOG_TEXT("empty", ""),
              LOG_TEXT("padded", "007"));
    assert_written("{\"ts\":\"" TS "\",\"level\":\"info\",\"event\":\"started\","
                   "\"address\":\"[::1]:14621\",\"view\":4,\"why\":\"it \\\"was\\\" = a\\\\b\\n\","
                   "\"empty\":\"\",\"padded\":\"007\"}\n");
    log_detail(&log, LOG_LEVEL_WARN, "odd", "view=3 flag reason=\"primary silent\"");
    assert_written("{\"ts\":\"" TS "\",\"level\":\"warn\",\"event\":\"odd\",\"view\":3,"
                   "\"flag\":true,\"reason\":\"primary silent\"}\n");
    log_detail(&log, LOG_LEVEL_WARN, "odd", "reason=\"never closed \\");
    assert_written("{\"ts\":\"" TS "\",\"level\":\"warn\",\"event\":\"odd\","
                   "\"reason\":\"never closed \\\\\"}\n");
}

static void what_is_below_the_level_is_not_written(void **state)
{
    struct log log = open_log(LOG_LEVEL_WARN, LOG_FORMAT_LOGFMT, -1);
    (void)state;
    log_detail(&log, LOG_LEVEL_INFO, "a", NULL);
    log_detail(&log, LOG_LEVEL_DEBUG, "b", NULL);
    assert_written("");
    log_detail(&log, LOG_LEVEL_WARN, "c", NULL);
    assert_written("ts=" TS " level=warn event=c\n");
}

static void an_event_that_repeats_is_limited_and_the_rest_is_counted(void **state)
{
    struct log log = open_log(LOG_LEVEL_DEBUG, LOG_FORMAT_LOGFMT, -1);
    char sink[8192];
    (void)state;
    for (unsigned i = 0; i < LOG_BURST; i++) {
        log_detail(&log, LOG_LEVEL_INFO, "churn", NULL);
        assert_true(read(outlet[0], sink, sizeof sink) > 0);
    }
    for (unsigned i = 0; i < 7; i++) log_detail(&log, LOG_LEVEL_INFO, "churn", NULL);
    assert_written("");
    log_detail(&log, LOG_LEVEL_INFO, "other", NULL);
    assert_written("ts=" TS " level=info event=other\n");
    log_detail(&log, LOG_LEVEL_DEBUG, "churn", NULL);
    assert_written("ts=" TS " level=debug event=churn\n");
    clock_ms += LOG_WINDOW_MS;
    log_detail(&log, LOG_LEVEL_INFO, "churn", NULL);
    assert_written("ts=2026-01-31T12:00:17.123Z level=info event=churn suppressed=7\n");
    log_detail(&log, LOG_LEVEL_INFO, "churn", NULL);
    assert_written("ts=2026-01-31T12:00:17.123Z level=info event=churn\n");
}

static void more_events_than_there_are_limits_share_one(void **state)
{
    static char names[LOG_EVENTS_MAX + LOG_BURST + 1][16];
    struct log log = open_log(LOG_LEVEL_INFO, LOG_FORMAT_LOGFMT, -1);
    char sink[8192];
    (void)state;
    for (size_t i = 0; i < LOG_EVENTS_MAX + LOG_BURST; i++) {
        snprintf(names[i], sizeof names[i], "event-%zu", i);
        log_detail(&log, LOG_LEVEL_INFO, names[i], NULL);
        assert_true(read(outlet[0], sink, sizeof sink) > 0);
    }
    log_detail(&log, LOG_LEVEL_INFO, "one-more", NULL);
    assert_written("");
}

static void what_does_not_fit_is_left_out_whole(void **state)
{
    static char large[2 * LOG_LINE_SIZE];
    struct log log = open_log(LOG_LEVEL_INFO, LOG_FORMAT_JSON, -1);
    (void)state;
    memset(large, '"', sizeof large - 1);
    log_event(&log, LOG_LEVEL_INFO, "big", LOG_NUMBER("a", 1), LOG_TEXT("b", large));
    assert_written("{\"ts\":\"" TS "\",\"level\":\"info\",\"event\":\"big\",\"a\":1}\n");
    log_detail(&log, LOG_LEVEL_INFO, "big", large);
    assert_written("{\"ts\":\"" TS "\",\"level\":\"info\",\"event\":\"big\",\"cut\":\"true\"}\n");
}

/* JOURNAL_STREAM names what standard error is, or, with `off` 1, something else. */
static struct log open_log_of_service(enum log_format format, unsigned off)
{
    struct stat is;
    char name[64];
    int own = dup(STDERR_FILENO);
    assert_int_equal(dup2(outlet[1], STDERR_FILENO), STDERR_FILENO);
    assert_int_equal(fstat(STDERR_FILENO, &is), 0);
    snprintf(name, sizeof name, "%ju:%ju", (uintmax_t)is.st_dev, (uintmax_t)is.st_ino + off);
    setenv("JOURNAL_STREAM", name, 1);
    struct log log = open_log(LOG_LEVEL_DEBUG, format, -1);
    unsetenv("JOURNAL_STREAM");
    dup2(own, STDERR_FILENO);
    close(own);
    return log;
}

static void the_journal_of_systemd_is_told_the_priority_and_nobody_else(void **state)
{
    static const char *const expected[] = {
        "<3>ts=" TS " level=error event=e\n", "<4>ts=" TS " level=warn event=e\n",
        "<6>ts=" TS " level=info event=e\n", "<7>ts=" TS " level=debug event=e\n"};
    struct log log = open_log_of_service(LOG_FORMAT_LOGFMT, 0);
    (void)state;
    for (int level = LOG_LEVEL_ERROR; level <= LOG_LEVEL_DEBUG; level++) {
        log_detail(&log, (enum log_level)level, "e", "");
        assert_written(expected[level]);
    }
    log = open_log_of_service(LOG_FORMAT_JSON, 0);
    log_detail(&log, LOG_LEVEL_WARN, "e", "");
    assert_written("<4>{\"ts\":\"" TS "\",\"level\":\"warn\",\"event\":\"e\"}\n");
    log = open_log_of_service(LOG_FORMAT_LOGFMT, 1);
    log_detail(&log, LOG_LEVEL_WARN, "e", "");
    assert_written("ts=" TS " level=warn event=e\n");
}

#define WITH_PIPE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_PIPE(a_line_is_logfmt_with_values_quoted_where_needed),
        WITH_PIPE(json_tells_the_same),
        WITH_PIPE(what_is_below_the_level_is_not_written),
        WITH_PIPE(an_event_that_repeats_is_limited_and_the_rest_is_counted),
        WITH_PIPE(more_events_than_there_are_limits_share_one),
        WITH_PIPE(what_does_not_fit_is_left_out_whole),
        WITH_PIPE(the_journal_of_systemd_is_told_the_priority_and_nobody_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* The program's log on standard error: one event a line, in logfmt or as JSON objects.
 *
 *     ts=2026-01-31T12:00:07.123Z level=info replica=1 event=view-started view=4 primary=1
 *
 * `event` is stable: people and tests search for it.  An event that repeats is limited to
 * LOG_BURST lines in LOG_WINDOW_MS (debug lines are not); the next line of it then says how many
 * were left out (suppressed=N).  A line is written by one write, so lines do not mix; pairs that do
 * not fit into LOG_LINE_SIZE are left out.
 *
 * The journal of systemd takes a line's priority from its beginning ("<4>", sd-daemon(3)), and is
 * given one there; nobody else is. */
#ifndef PROGRAM_LOG_H
#define PROGRAM_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/log_level.h"

#define LOG_BURST      20u
#define LOG_WINDOW_MS  10000u
#define LOG_EVENTS_MAX 64u /* events that are limited one by one; what is beyond shares a limit */
#define LOG_LINE_SIZE  4096u

enum log_format { LOG_FORMAT_LOGFMT, LOG_FORMAT_JSON };

/* In the order of the enums, as options take them (cli.h). */
#define LOG_LEVEL_WORDS  "error|warn|info|debug"
#define LOG_FORMAT_WORDS "logfmt|json"

struct log_repeats {
    const char *event; /* kept by pointer: events are literals */
    uint64_t window_start_ms;
    uint32_t n_written;
    uint64_t n_suppressed;
};

struct log {
    int fd;
    enum log_level level;
    enum log_format format;
    bool to_journal; /* of systemd */
    int replica;              /* index, or -1 to leave the field out */
    uint64_t (*now_ms)(void); /* since 1970 */
    const volatile bool *no_warnings; /* NULL, or: of those none, once another process says so */
    struct log_repeats repeats[LOG_EVENTS_MAX + 1];
};

struct log_field {
    const char *key;  /* NULL ends a list */
    const char *text; /* NULL: the number */
    uint64_t number;
};

/* To standard error, by the wall clock. */
void log_open(struct log *log, enum log_level level, enum log_format format, int replica);

/* Is standard error the journal of systemd?  And what a line for it begins with; else nothing. */
bool log_is_journal(void);
const char *log_priority(bool to_journal, enum log_level level);

/* log_event(log, LOG_LEVEL_INFO, "peer-up", LOG_NUMBER("peer", 2), LOG_TEXT("address", a)) */
/* clang-format off */
#define LOG_TEXT(key, value) {key, value, 0}
#define LOG_NUMBER(key, value) {key, NULL, value}
/* clang-format on */
#define log_event(log, level, event, ...) \
    log_fields(log, level, event, (const struct log_field[]){__VA_ARGS__, {NULL, NULL, 0}})
void log_fields(struct log *log, enum log_level level, const char *event,
                const struct log_field *fields);

/* For details that are logfmt already, as the node gives them ("view=3 reason=\"primary silent\"").
 * Empty or NULL: none. */
void log_detail(struct log *log, enum log_level level, const char *event, const char *detail);

#endif

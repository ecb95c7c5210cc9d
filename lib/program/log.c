/* SPDX-License-Identifier: BSD-2-Clause */
/* A line is first made as logfmt, whatever the format: the node's details come that way, so JSON is
 * a translation of finished logfmt and the two formats can't tell different things. */
#include "program/log.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "base/assert.h"
#include "program/clock.h"

#define LOG_HEAD_SIZE 256 /* for ts, level, replica, event, suppressed */

static const char *const level_words[] = {"error", "warn", "info", "debug"};
static const char *const priorities[] = {"<3>", "<4>", "<6>", "<7>"}; /* as syslog(3) has them */

static uint64_t wall_clock_ms(void)
{
    return clock_us(CLOCK_REALTIME) / 1000;
}

bool log_is_journal(void)
{
    const char *named = getenv("JOURNAL_STREAM");
    struct stat is;
    char own[64];

    if (named == NULL || fstat(STDERR_FILENO, &is) != 0) return false;
    snprintf(own, sizeof own, "%ju:%ju", (uintmax_t)is.st_dev, (uintmax_t)is.st_ino);
    return strcmp(named, own) == 0;
}

const char *log_priority(bool to_journal, enum log_level level)
{
    return to_journal ? priorities[level] : "";
}

void log_open(struct log *log, enum log_level level, enum log_format format, int replica)
{
    memset(log, 0, sizeof *log);
    log->fd = STDERR_FILENO;
    log->level = level;
    log->format = format;
    log->to_journal = log_is_journal();
    log->replica = replica;
    log->now_ms = wall_clock_ms;
}

/* Text that grows up to its bound.  Nothing is written beyond it; `cut` then tells. */
struct line {
    char text[2 * LOG_LINE_SIZE]; /* JSON needs a few bytes more a pair than logfmt */
    size_t bound;
    size_t size;
    bool cut;
};

static void put_char(struct line *line, char c)
{
    if (line->size < line->bound) {
        line->text[line->size++] = c;
    } else {
        line->cut = true;
    }
}

static void put_text(struct line *line, const char *text)
{
    while (*text != '\0') put_char(line, *text++);
}

static bool needs_quotes(const char *text)
{
    if (*text == '\0') return true;
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;
        if (c <= ' ' || c == '"' || c == '=' || c == '\\' || c == 0x7f) return true;
    }
    return false;
}

/* As in JSON, so that a quoted value reads the same in both formats. */
static void put_escaped(struct line *line, char byte)
{
    unsigned char c = (unsigned char)byte;
    char escape[8];
    if (c == '"' || c == '\\') {
        put_char(line, '\\');
        put_char(line, byte);
    } else if (c == '\n') {
        put_text(line, "\\n");
    } else if (c == '\t') {
        put_text(line, "\\t");
    } else if (c < ' ' || c == 0x7f) {
        snprintf(escape, sizeof escape, "\\u%04x", c);
        put_text(line, escape);
    } else {
        put_char(line, byte);
    }
}

static void put_quoted(struct line *line, const char *text, size_t size)
{
    put_char(line, '"');
    for (size_t i = 0; i < size; i++) put_escaped(line, text[i]);
    put_char(line, '"');
}

static void put_pair(struct line *line, const char *key, const char *value)
{
    size_t before = line->size;
    if (line->size > 0) put_char(line, ' ');
    put_text(line, key);
    put_char(line, '=');
    if (needs_quotes(value)) put_quoted(line, value, strlen(value));
    else put_text(line, value);
    if (line->cut) line->size = before; /* whole pairs only, or quotes would stay open */
}

static void put_number(struct line *line, const char *key, uint64_t number)
{
    char digits[24];
    snprintf(digits, sizeof digits, "%" PRIu64, number);
    put_pair(line, key, digits);
}

static void put_head(struct line *line, const struct log *log, enum log_level level,
                     const char *event)
{
    uint64_t now_ms = log->now_ms();
    time_t seconds = (time_t)(now_ms / 1000);
    struct tm utc;
    char ts[40];
    char whole[32];

    gmtime_r(&seconds, &utc);
    strftime(whole, sizeof whole, "%Y-%m-%dT%H:%M:%S", &utc);
    snprintf(ts, sizeof ts, "%s.%03uZ", whole, (unsigned)(now_ms % 1000));
    put_pair(line, "ts", ts);
    put_pair(line, "level", level_words[level]);
    if (log->replica >= 0) put_number(line, "replica", (uint64_t)log->replica);
    put_pair(line, "event", event);
}

static bool is_number(const char *text, size_t size)
{
    if (size == 0 || size > 19 || (size > 1 && text[0] == '0')) return false;
    for (size_t i = 0; i < size; i++) {
        if (text[i] < '0' || text[i] > '9') return false;
    }
    return true;
}

/* `at` is where a value begins in quotes; it is escaped as JSON wants it.  Returns what follows. */
static const char *put_json_quoted(struct line *json, const char *at)
{
    do {
        if (*at == '\\') put_char(json, *at++);
        put_char(json, *at == '\0' ? '\\' : *at++);
    } while (*at != '\0' && *at != '"');
    put_char(json, '"');
    return *at == '"' ? at + 1 : at;
}

static const char *put_json_bare(struct line *json, const char *at)
{
    size_t size = strcspn(at, " ");
    if (!is_number(at, size)) {
        put_quoted(json, at, size);
        return at + size;
    }
    while (size-- > 0) put_char(json, *at++);
    return at;
}

/* key=value key="quoted value" word ...: a pair each; a word without '=' becomes "word":true. */
static void put_json(struct line *json, const char *at)
{
    put_char(json, '{');
    while (*at != '\0') {
        size_t key_size = strcspn(at, "= ");
        if (json->size > 1) put_char(json, ',');
        put_quoted(json, at, key_size);
        put_char(json, ':');
        at += key_size;
        if (*at != '=') put_text(json, "true");
        else if (at[1] == '"') at = put_json_quoted(json, at + 1);
        else at = put_json_bare(json, at + 1);
        at += strspn(at, " ");
    }
}

static void write_line(const struct log *log, enum log_level level, struct line *line)
{
    struct line json = {.bound = sizeof json.text - 2};
    struct line *out = line;
    assert(line->size < sizeof line->text - 1);
    if (log->format == LOG_FORMAT_JSON) {
        line->text[line->size] = '\0';
        put_json(&json, line->text);
        out = &json;
        out->text[out->size++] = '}';
    }
    out->text[out->size++] = '\n';
    /* Nobody can be told that the log can't be written. */
    const char *priority = log_priority(log->to_journal, level);
    const struct iovec parts[] = {{(void *)priority, strlen(priority)}, {out->text, out->size}};
    ssize_t written = writev(log->fd, parts, 2);
    (void)written;
}

static struct log_repeats *repeats_of(struct log *log, const char *event)
{
    for (size_t i = 0; i < LOG_EVENTS_MAX; i++) {
        struct log_repeats *r = &log->repeats[i];
        if (r->event == NULL) r->event = event;
        if (strcmp(r->event, event) == 0) return r;
    }
    return &log->repeats[LOG_EVENTS_MAX];
}

/* May this line be written?  *suppressed: how many before it were not. */
static bool within_limit(struct log *log, const char *event, uint64_t *suppressed)
{
    struct log_repeats *r = repeats_of(log, event);
    uint64_t now_ms = log->now_ms();

    *suppressed = 0;
    if (now_ms - r->window_start_ms >= LOG_WINDOW_MS) { /* also when the clock went back */
        r->window_start_ms = now_ms;
        r->n_written = 0;
    }
    if (r->n_written >= LOG_BURST) {
        r->n_suppressed++;
        return false;
    }
    r->n_written++;
    *suppressed = r->n_suppressed;
    r->n_suppressed = 0;
    return true;
}

static bool is_wanted(const struct log *log, enum log_level level)
{
    bool warns = log->no_warnings == NULL || !*log->no_warnings;

    return level <= log->level && (warns || level != LOG_LEVEL_WARN);
}

void log_detail(struct log *log, enum log_level level, const char *event, const char *detail)
{
    struct line line = {.bound = LOG_LINE_SIZE};
    uint64_t suppressed = 0;

    if (!is_wanted(log, level)) return;
    if (level != LOG_LEVEL_DEBUG && !within_limit(log, event, &suppressed)) return;
    put_head(&line, log, level, event);
    if (suppressed > 0) put_number(&line, "suppressed", suppressed);
    if (detail != NULL && *detail != '\0') {
        size_t before = line.size;
        put_char(&line, ' ');
        for (; *detail != '\0'; detail++) put_char(&line, *detail == '\n' ? ' ' : *detail);
        if (line.cut) {
            line.size = before;
            line.cut = false;
            put_pair(&line, "cut", "true");
        }
    }
    write_line(log, level, &line);
}

void log_fields(struct log *log, enum log_level level, const char *event,
                const struct log_field *fields)
{
    struct line detail = {.bound = LOG_LINE_SIZE - LOG_HEAD_SIZE};

    if (!is_wanted(log, level)) return;
    for (const struct log_field *f = fields; f->key != NULL; f++) {
        if (f->text != NULL) {
            put_pair(&detail, f->key, f->text);
        } else {
            put_number(&detail, f->key, f->number);
        }
    }
    detail.text[detail.size] = '\0';
    log_detail(log, level, event, detail.text);
}

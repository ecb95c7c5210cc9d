/* SPDX-License-Identifier: BSD-2-Clause */
#include "program/progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "program/clock.h"

#define FIRST_AFTER_MS 500u
#define BETWEEN_MS     100u
#define BAR_MAX        30u
#define BAR_MIN        8u
#define NUMBERS_MAX    54u /* columns beside the bar */
#define WIDTH_DEFAULT  80u

#define FORECAST_AFTER_MS 1000u /* before, it would be a guess */

static uint64_t now_ms(void)
{
    return clock_us(CLOCK_MONOTONIC) / 1000;
}

void progress_print_size(char text[static PROGRESS_SIZE_TEXT], uint64_t bytes)
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB"};
    double size = (double)bytes;
    size_t unit = 0;
    while (size >= 999.5 && unit < sizeof units / sizeof units[0] - 1) {
        size /= 1000;
        unit++;
    }
    snprintf(text, PROGRESS_SIZE_TEXT, size < 9.95 && unit > 0 ? "%.1f %s" : "%.0f %s", size,
             units[unit]);
}

static void print_left(char *text, size_t size, uint64_t seconds)
{
    if (seconds < 60) {
        snprintf(text, size, "  %" PRIu64 "s left", seconds);
    } else if (seconds < 3600) {
        snprintf(text, size, "  %" PRIu64 "m%02" PRIu64 "s left", seconds / 60, seconds % 60);
    } else {
        uint64_t minutes = seconds / 60;
        snprintf(text, size, "  %" PRIu64 "h%02" PRIu64 "m left", minutes / 60, minutes % 60);
    }
}

void progress_line(char *line, size_t size, unsigned width, const struct progress *p,
                   uint64_t now)
{
    char done[PROGRESS_SIZE_TEXT], total[PROGRESS_SIZE_TEXT], rate[PROGRESS_SIZE_TEXT];
    char left[32] = "", bar[BAR_MAX + 4] = "";
    uint64_t elapsed_ms = now - p->begun_ms;
    uint64_t all = p->total > 0 && p->done > p->total ? p->total : p->done;
    uint64_t per_second = elapsed_ms > 0 ? (uint64_t)((double)all * 1000 / (double)elapsed_ms) : 0;

    if (size > width) size = width;
    progress_print_size(done, all);
    progress_print_size(total, p->total);
    progress_print_size(rate, per_second);
    if (p->total == 0) {
        snprintf(line, size, "%s  %s  %s/s", p->what, done, rate);
        return;
    }
    if (all < p->total && per_second > 0 && elapsed_ms >= FORECAST_AFTER_MS)
        print_left(left, sizeof left, (p->total - all + per_second - 1) / per_second);
    /* As wide as the numbers may become, so that its length does not change. */
    size_t others = strlen(p->what) + NUMBERS_MAX;
    if (width >= others + BAR_MIN) {
        size_t cells = width - others < BAR_MAX ? width - others : BAR_MAX;
        size_t full = (size_t)((double)all * (double)cells / (double)p->total);
        bar[0] = '[';
        memset(bar + 1, '#', full);
        memset(bar + 1 + full, '.', cells - full);
        bar[cells + 1] = ']';
    }
    snprintf(line, size, "%s  %s %3u%%  %s of %s  %s/s%s", p->what, bar,
             (unsigned)((double)all * 100 / (double)p->total), done, total, rate, left);
}

/* In one write, the rest of the line cleared: nothing flickers. */
static void draw(struct progress *p, uint64_t now, const char *end)
{
    char line[512], all[600];
    struct winsize size = {0};
    unsigned width = WIDTH_DEFAULT;
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) width = size.ws_col;
    progress_line(line, sizeof line, width, p, now);
    int n = snprintf(all, sizeof all, "\r%s\033[K%s", line, end);
    fflush(stderr);
    if (write(STDERR_FILENO, all, (size_t)n) < 0) p->wanted = false;
    p->drawn = true;
    p->drawn_ms = now;
}

void progress_begin(struct progress *p, const char *what, bool wanted)
{
    const char *term = getenv("TERM");
    bool can = isatty(STDERR_FILENO) && term != NULL && strcmp(term, "dumb") != 0;
    *p = (struct progress){.what = what, .wanted = wanted && can, .begun_ms = now_ms()};
}

void progress_show(struct progress *p, uint64_t done, uint64_t total)
{
    p->done = done;
    p->total = total;
    if (!p->wanted) return;
    uint64_t now = now_ms();
    uint64_t due = p->drawn ? p->drawn_ms + BETWEEN_MS : p->begun_ms + FIRST_AFTER_MS;
    if (now >= due) draw(p, now, "");
}

void progress_end(struct progress *p)
{
    if (p->wanted && p->drawn) draw(p, now_ms(), "\n");
    p->wanted = false;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* Two panels, one above the other:
 *
 *   throughput by time       as steps, of at most BINS_MAX bins; the longest time without an answer
 *                            is shaded, failed requests are red dots, view changes dashed lines
 *   latency by percentile    both axes logarithmic: each step to the right is a tenth of the
 *                            requests, each step up ten times the latency
 *
 * Colours are classes of a style sheet in the file, which has a second set for dark pages. */
#include <config.h>

#include "client/plot.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define WIDTH      880
#define HEIGHT     640
#define BINS_MAX   380u
#define CURVE_STEPS 300
#define GAP_SHOWN_NS 100000000u

struct panel {
    double left, top, width, height;
    double x_max, y_min, y_max; /* in the units of the axes; x begins at 0 */
};

static const char head[] =
    "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\" "
    "role=\"img\">\n"
    "<title>vstamp bench</title>\n"
    "<style>\n"
    "text{font:12px system-ui,'Segoe UI',Roboto,'Helvetica Neue',Arial,sans-serif;fill:#5d6778}\n"
    ".page{fill:#fff}.title{font-size:17px;font-weight:600;fill:#1c2330}"
    ".name{font-size:13px;font-weight:600;fill:#1c2330}.end{text-anchor:end}"
    ".middle{text-anchor:middle}\n"
    ".grid{stroke:#e6e9ef}.axis{stroke:#aab2c0}"
    ".line{fill:none;stroke-width:2;stroke-linejoin:round}.area{fill:#2563c9;opacity:.16}\n"
    ".writes{stroke:#2563c9}.writestext{fill:#2563c9;font-weight:600}"
    ".reads{stroke:#c2620a}.readstext{fill:#c2620a;font-weight:600}\n"
    ".bad{fill:#d1242f}.gap{fill:#d1242f;opacity:.1}.gaptext{fill:#d1242f}"
    ".view{stroke:#7a4fc4;stroke-dasharray:4 3}.viewtext{fill:#7a4fc4}\n"
    "@media (prefers-color-scheme:dark){text{fill:#98a2b3}.page{fill:#11151c}"
    ".title,.name{fill:#e6e9ef}.grid{stroke:#232a36}.axis{stroke:#4a5566}.area{fill:#6ea8fe}"
    ".writes{stroke:#6ea8fe}.writestext{fill:#6ea8fe}.reads{stroke:#f0a04b}"
    ".readstext{fill:#f0a04b}.bad,.gap,.gaptext{fill:#ff6b6b}.view{stroke:#b79cf5}"
    ".viewtext{fill:#b79cf5}}\n"
    "</style>\n"
    "<rect class=\"page\" width=\"%d\" height=\"%d\" rx=\"8\"/>\n";

static double x_of(const struct panel *p, double x)
{
    return p->left + x / p->x_max * p->width;
}

static double y_of(const struct panel *p, double y)
{
    return p->top + p->height - (y - p->y_min) / (p->y_max - p->y_min) * p->height;
}

static void print_line(FILE *f, const char *class, double x1, double y1, double x2, double y2)
{
    fprintf(f, "<line class=\"%s\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>\n", class, x1,
            y1, x2, y2);
}

static void print_text(FILE *f, const char *class, double x, double y, const char *text)
{
    fprintf(f, "<text class=\"%s\" x=\"%.1f\" y=\"%.1f\">%s</text>\n", class, x, y, text);
}

static void print_x_tick(FILE *f, const struct panel *p, double x, const char *text)
{
    double bottom = p->top + p->height;
    print_line(f, "grid", x_of(p, x), p->top, x_of(p, x), bottom);
    print_text(f, "middle", x_of(p, x), bottom + 18, text);
}

static void print_y_tick(FILE *f, const struct panel *p, double y, const char *text)
{
    print_line(f, "grid", p->left, y_of(p, y), p->left + p->width, y_of(p, y));
    print_text(f, "end", p->left - 8, y_of(p, y) + 4, text);
}

static void print_frame(FILE *f, const struct panel *p, const char *name, const char *x_name)
{
    double bottom = p->top + p->height;
    print_line(f, "axis", p->left, bottom, p->left + p->width, bottom);
    print_text(f, "name", p->left, p->top - 18, name);
    print_text(f, "end", p->left + p->width, bottom + 36, x_name);
}

/* 1, 2 or 5 times a power of ten, so that about `n` of them are in `range`. */
static double tick_step(double range, double n)
{
    double rough = range / n, power = pow(10, floor(log10(rough)));
    double step = rough / power;
    return (step <= 1 ? 1 : step <= 2 ? 2 : step <= 5 ? 5 : 10) * power;
}

/* --- throughput ------------------------------------------------------------------------------- */

struct bins {
    size_t of_each; /* intervals */
    size_t n;
    double seconds; /* of one */
};

static struct bins bins_of(const struct timeline *t)
{
    struct bins bins = {.of_each = (t->n + BINS_MAX - 1) / BINS_MAX};
    if (bins.of_each == 0) bins.of_each = 1;
    bins.n = t->n / bins.of_each; /* the last one is not whole: it would look like a fall */
    if (bins.n > 1 && t->n % bins.of_each == 0) bins.n--;
    bins.seconds = (double)bins.of_each * TIMELINE_MS / 1e3;
    return bins;
}

static double rate_of(const struct timeline *t, const struct bins *bins, size_t bin,
                      uint64_t *failed)
{
    uint64_t answered = 0;
    *failed = 0;
    for (size_t i = bin * bins->of_each; i < (bin + 1) * bins->of_each && i < t->n; i++) {
        answered += t->at[i].answered;
        *failed += t->at[i].failed;
    }
    return (double)answered / bins->seconds;
}

static void print_steps(FILE *f, const struct panel *p, const struct timeline *t,
                        const struct bins *bins)
{
    uint64_t failed;
    for (int filled = 1; filled >= 0; filled--) {
        fprintf(f, "<path class=\"%s\" d=\"M%.1f %.1f", filled ? "area" : "line writes",
                x_of(p, 0), y_of(p, filled ? 0 : rate_of(t, bins, 0, &failed)));
        for (size_t i = 0; i < bins->n; i++)
            fprintf(f, "V%.1fH%.1f", y_of(p, rate_of(t, bins, i, &failed)),
                    x_of(p, (double)(i + 1) * bins->seconds));
        fprintf(f, filled ? "V%.1fZ\"/>\n" : "\"/>\n", y_of(p, 0));
    }
    for (size_t i = 0; i < bins->n; i++) {
        rate_of(t, bins, i, &failed);
        if (failed == 0) continue;
        fprintf(f,
                "<circle class=\"bad\" cx=\"%.1f\" cy=\"%.1f\" r=\"4\"><title>%" PRIu64
                " failed</title></circle>\n",
                x_of(p, ((double)i + 0.5) * bins->seconds), y_of(p, 0), failed);
    }
}

static void print_gap(FILE *f, const struct panel *p, const struct bench *b)
{
    double begin = (double)b->gap_at_ns / 1e9, end = begin + (double)b->gap_ns / 1e9;
    char text[64];
    if (b->gap_ns < GAP_SHOWN_NS) return;
    if (end > p->x_max) end = p->x_max;
    if (begin >= end) return;
    fprintf(f, "<rect class=\"gap\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"/>\n",
            x_of(p, begin), p->top, x_of(p, end) - x_of(p, begin), p->height);
    snprintf(text, sizeof text, "no answer for %.0f ms", (double)b->gap_ns / 1e6);
    bool to_the_left = begin > p->x_max * 0.7;
    print_text(f, to_the_left ? "gaptext end" : "gaptext",
               to_the_left ? x_of(p, begin) - 6 : x_of(p, end) + 6, p->top + 30, text);
}

static void print_views(FILE *f, const struct panel *p, const struct bench *b)
{
    for (uint32_t i = 1; i < b->n_views; i++) {
        double at = (double)b->views[i].at_ns / 1e9;
        char text[32];
        if (at > p->x_max) continue;
        snprintf(text, sizeof text, "view %" PRIu64, b->views[i].view);
        print_line(f, "view", x_of(p, at), p->top, x_of(p, at), p->top + p->height);
        print_text(f, "viewtext middle", x_of(p, at), p->top - 4, text);
    }
}

static void print_throughput(FILE *f, const struct bench *b)
{
    struct panel p = {.left = 84, .top = 106, .width = WIDTH - 84 - 32, .height = 180};
    struct bins bins = bins_of(&b->timeline);
    uint64_t failed;
    char text[48];
    p.x_max = (double)bins.n * bins.seconds;
    for (size_t i = 0; i < bins.n; i++) {
        double rate = rate_of(&b->timeline, &bins, i, &failed);
        if (rate > p.y_max) p.y_max = rate;
    }
    double step = tick_step(p.y_max > 0 ? p.y_max : 1, 4);
    p.y_max = ceil((p.y_max > 0 ? p.y_max : 1) / step) * step;
    for (double y = 0; y <= p.y_max + step / 2; y += step) {
        bool thousands = step >= 1000 && y > 0;
        snprintf(text, sizeof text, thousands ? "%gk" : "%g", thousands ? y / 1000 : y);
        print_y_tick(f, &p, y, text);
    }
    step = tick_step(p.x_max, 10);
    for (double x = 0; x <= p.x_max * 1.0001; x += step) {
        snprintf(text, sizeof text, "%g", x);
        print_x_tick(f, &p, x, text);
    }
    print_gap(f, &p, b);
    print_steps(f, &p, &b->timeline, &bins);
    print_views(f, &p, b);
    snprintf(text, sizeof text, "Requests a second, each %g ms", bins.seconds * 1e3);
    print_frame(f, &p, text, "seconds since the start");
}

/* --- latency ---------------------------------------------------------------------------------- */

/* How many nines: 0.99 is 2. */
static double nines(double share)
{
    return -log10(1 - share);
}

static void print_curve(FILE *f, const struct panel *p, const struct histogram *h,
                        const char *class)
{
    double end = log10((double)h->count);
    fprintf(f, "<path class=\"line %s\" d=\"", class);
    for (int i = 0; i <= CURVE_STEPS; i++) {
        double x = end * i / CURVE_STEPS;
        uint64_t ns = i == CURVE_STEPS ? h->greatest : histogram_quantile(h, 1 - pow(10, -x));
        double y = log10(ns > 0 ? (double)ns : 1);
        fprintf(f, "%c%.1f %.1f", i == 0 ? 'M' : 'L', x_of(p, x), y_of(p, y));
    }
    fputs("\"/>\n", f);
}

/* Decades, and between them fainter lines at 2 and 5 where there are few. */
static void print_latency_axis(FILE *f, const struct panel *p)
{
    static const char *const names[] = {"1 ns", "10 ns", "100 ns", "1 µs", "10 µs", "100 µs",
                                        "1 ms", "10 ms", "100 ms", "1 s", "10 s", "100 s",
                                        "1000 s", "10 000 s"};
    for (int d = (int)p->y_min; d <= (int)p->y_max; d++) {
        if (d >= 0 && (size_t)d < sizeof names / sizeof names[0]) print_y_tick(f, p, d, names[d]);
        for (int i = 2; i <= 5 && d < (int)p->y_max && p->y_max - p->y_min < 4; i += 3) {
            double y = y_of(p, d + log10(i));
            print_line(f, "grid", p->left, y, p->left + p->width, y);
        }
    }
}

/* Decades of latency from the least to the greatest, nines of all requests. */
static void set_latency_range(struct panel *p, const struct bench *b)
{
    const struct histogram *all[] = {&b->reads, &b->writes};
    double least = 1e12, greatest = 1, count = 10;
    for (size_t i = 0; i < 2; i++) {
        if (all[i]->count == 0) continue;
        least = fmin(least, (double)all[i]->least);
        greatest = fmax(greatest, (double)all[i]->greatest);
        count = fmax(count, (double)all[i]->count);
    }
    p->x_max = log10(count) * 1.02;
    p->y_min = floor(log10(least > 0 ? least : 1));
    p->y_max = ceil(log10(greatest));
    if (p->y_max <= p->y_min) p->y_min = p->y_max - 1;
}

static void print_latencies(FILE *f, const struct bench *b)
{
    static const char *const names[] = {"0 %",      "90 %",      "99 %",       "99.9 %",
                                        "99.99 %", "99.999 %", "99.9999 %", "99.99999 %"};
    struct panel p = {.left = 84, .top = 374, .width = WIDTH - 84 - 32, .height = 200};
    set_latency_range(&p, b);
    print_latency_axis(f, &p);
    for (size_t i = 0; i < sizeof names / sizeof names[0] && (double)i <= p.x_max; i++)
        print_x_tick(f, &p, (double)i, names[i]);
    print_x_tick(f, &p, nines(0.5), "50 %");
    if (b->reads.count > 0) print_curve(f, &p, &b->reads, "reads");
    if (b->writes.count > 0) print_curve(f, &p, &b->writes, "writes");
    print_frame(f, &p, "Latency", "of all requests were answered as fast, or faster");
    double x = p.left + p.width;
    if (b->writes.count > 0) print_text(f, "writestext end", x, p.top - 18, "writes");
    if (b->reads.count > 0)
        print_text(f, "readstext end", x - (b->writes.count > 0 ? 52 : 0), p.top - 18, "reads");
}

static void print_title(FILE *f, const struct bench *b)
{
    const struct bench_options *o = &b->options;
    char text[200], loop[64];
    snprintf(text, sizeof text, "%.0f requests a second", bench_per_second(b));
    print_text(f, "title", 32, 36, text);
    if (o->rate > 0)
        snprintf(loop, sizeof loop, "open loop of %" PRIu32 "/s, %" PRIu32 " clients", o->rate,
                 o->clients);
    else
        snprintf(loop, sizeof loop, "closed loop, %" PRIu32 " clients", o->clients);
    snprintf(text, sizeof text,
             "%s, %" PRIu32 " connection%s; %" PRIu32 " %% reads; keys of %" PRIu32
             " bytes, %s; values of %" PRIu32 " bytes; vstamp %s",
             loop, b->crowd.n_drivers, b->crowd.n_drivers == 1 ? "" : "s", o->read_percent,
             o->key_bytes, o->distribution == BENCH_ZIPFIAN ? "zipfian" : "uniform",
             o->value_bytes, VERSION);
    print_text(f, "", 32, 56, text);
}

int plot_write(const struct bench *b, FILE *f)
{
    (void)!ftruncate(fileno(f), 0); /* a pipe has no length */
    fprintf(f, head, WIDTH, HEIGHT, WIDTH, HEIGHT, WIDTH, HEIGHT);
    print_title(f, b);
    print_throughput(f, b);
    print_latencies(f, b);
    fputs("</svg>\n", f);
    return fflush(f) == 0 && !ferror(f) ? 0 : -1;
}

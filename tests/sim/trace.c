/* SPDX-License-Identifier: BSD-2-Clause */
/* The trace of a run: a line for everything that happens, of which the newest are kept, to be shown
 * if the run fails.  Frames are printed as wire/print.c has them, made short enough to be read:
 * identities by their first digits, lists of entries by the op-numbers they span. */
#include "sim/sim.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"

#define ID_DIGITS 32u
#define ID_SHOWN 8u
#define FRAME_TEXT_MAX 65536u

void sim_trace_begin(struct sim *sim, bool keep, FILE *all)
{
    sim->tracing = keep || all != NULL;
    sim->trace_file = all;
    if (!sim->tracing) return;
    sim->trace_ring = calloc(SIM_TRACE_LINES, sizeof *sim->trace_ring);
    assert(sim->trace_ring != NULL);
}

void sim_trace(struct sim *sim, const char *format, ...)
{
    va_list arguments;
    if (!sim->tracing) return;
    char *line = sim->trace_ring[sim->trace_count++ % SIM_TRACE_LINES];
    int n = snprintf(line, SIM_TRACE_COLUMNS, "%10.6f  ", (double)sim->now / 1e6);
    va_start(arguments, format);
    vsnprintf(line + n, SIM_TRACE_COLUMNS - (size_t)n, format, arguments);
    va_end(arguments);
    if (sim->trace_file != NULL) fprintf(sim->trace_file, "%s\n", line);
}

/* The op-number of the record that begins at `at`, or -1 if it has none. */
static int64_t op_of(const char *at)
{
    const char *end = strchr(at, '}'), *op = strstr(at, "op=");
    return end != NULL && op != NULL && op < end ? (int64_t)strtoull(op + 3, NULL, 10) : -1;
}

/* Instead of the list of records that begins at `from`: what it spans.  Gives its end. */
static const char *put_span(const char *from, struct writer *to)
{
    char text[64];
    const char *end = strchr(from, ']'), *last = from;
    for (const char *at = from; (at = strstr(at, "} {")) != NULL && at < end; at += 2)
        last = at + 2;
    int64_t first_op = op_of(from);
    snprintf(text, sizeof text, first_op < 0 ? "[...]" : "[op %" PRId64 "..%" PRId64 "]", first_op,
             op_of(last));
    write_raw(to, text, strlen(text));
    return end + 1;
}

static void shorten(const char *from, struct writer *to)
{
    while (*from != '\0') {
        size_t digits = strspn(from, "0123456789abcdef");
        size_t n = digits > 0 ? digits : 1, shown = digits == ID_DIGITS ? ID_SHOWN : n;
        if (from[0] == '[' && from[1] == '{' && strchr(from, ']') != NULL) {
            from = put_span(from, to);
            continue;
        }
        write_raw(to, from, shown);
        from += n;
    }
}

void sim_trace_frame(struct sim *sim, const struct sim_event *event)
{
    struct wire_message m;
    char text[FRAME_TEXT_MAX];
    uint8_t line[FRAME_TEXT_MAX];
    if (!sim->tracing || event->packet == NULL) return;
    struct bytes frame = {event->packet->bytes, event->packet->size};
    if (wire_frame_decode(frame, &m) != 0) return;
    wire_print(&m, text, sizeof text);
    struct writer w = writer_over(line, sizeof line);
    shorten(text, &w);
    if (event->kind == SIM_REPLY)
        sim_trace(sim, "client %u <- %u: %.*s", (uint8_t)(event->value >> 8), event->node,
                  (int)w.size, (const char *)line);
    else
        sim_trace(sim, "%u <- %.*s", event->node, (int)w.size, (const char *)line);
}

void sim_trace_end(struct sim *sim, FILE *to)
{
    uint64_t from = sim->trace_count > SIM_TRACE_LINES ? sim->trace_count - SIM_TRACE_LINES : 0;
    for (uint64_t i = from; to != NULL && i < sim->trace_count; i++)
        fprintf(to, "%s\n", sim->trace_ring[i % SIM_TRACE_LINES]);
    free(sim->trace_ring);
    sim->trace_ring = NULL;
    sim->tracing = false;
}

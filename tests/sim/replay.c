/* SPDX-License-Identifier: BSD-2-Clause */
/* A replay is a simulation of one replica whose events come from a file.  The node records in this
 * life too: the checks that it makes (outputs, status) are kept, and compared with those of the
 * file when these are met, field by field.
 *
 * In the trace, replica 1's lines are `1 <- MESSAGE` for what came to it and `1: ...` for what it
 * thought of that; `0 <- MESSAGE from=1` and `client N <- 1: MESSAGE` are what it sent, where N is
 * the number of the connection. */
#include "sim/replay.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "program/zeros.h"
#include "sim/sim.h"

struct life {
    struct journal_reader reader;
    struct recorded start;
    struct sim *sim; /* its clock, trace and verdict */
    struct vr_config config;
    const struct vstamp_app *app;
    const char *argument; /* of it */
    void *instance;
    struct node_io io;
    struct node *node;
    void *memory;
    size_t memory_size;
    enum journal_status status; /* of the newest step */
    uint64_t first_us;       /* monotonic time of the first clock; 0: none came */
    uint64_t n_inputs, n_turns;
    struct replay_tape file; /* what the data records said since the last segment was restored */
    struct recorded check;   /* the newest that this node made; kind 0: none since the last one */
    struct vstamp_diag refusal; /* of a restore */
    bool ended;
    uint8_t exit_status;
};

/* --- tape ------------------------------------------------------------------------------------- */

static void tape_reserve(struct replay_tape *tape, size_t size)
{
    if (tape->capacity - tape->size >= size) return;
    tape->capacity = 2 * tape->capacity + size;
    tape->data = realloc(tape->data, tape->capacity);
    assert(tape->data != NULL);
}

void replay_tape_put(struct replay_tape *tape, enum journal_kind kind, const void *record)
{
    tape_reserve(tape, wire_size(recording_shape(kind), record) + JOURNAL_RECORD_OVERHEAD);
    struct writer w = writer_over(tape->data + tape->size, tape->capacity - tape->size);
    bool fits = recording_put(&w, tape->size, kind, record);
    assert(fits);
    tape->size += w.size;
}

void replay_tape_close(struct replay_tape *tape)
{
    free(tape->data);
    *tape = (struct replay_tape){0};
}

/* --- what the node puts out ------------------------------------------------------------------- */

static void trace_frame(struct life *l, enum sim_event_kind kind, uint8_t node, uint64_t connection,
                        struct bytes frame)
{
    struct wire_message m;
    if (!l->sim->tracing) return;
    if (wire_frame_decode(frame, &m) != 0) {
        sim_trace(l->sim, "%u <- no sound frame, %zu bytes", node, frame.size);
        return;
    }
    struct sim_event event = {.kind = (uint8_t)kind, .node = node, .value = connection << 8,
                              .packet = sim_packet_new(frame.data, frame.size)};
    sim_trace_frame(l->sim, &event);
    sim_packet_release(event.packet);
}

static void io_send(void *ctx, uint8_t to, struct bytes frame)
{
    trace_frame(ctx, SIM_FRAME, to, 0, frame);
}

static void io_reply(void *ctx, uint64_t origin, struct bytes frame)
{
    struct life *l = ctx;
    trace_frame(l, SIM_REPLY, l->config.self, origin, frame);
}

static void io_store(void *ctx, enum node_lane lane, const struct node_job *job)
{
    static const char *const words[] = {[NODE_JOB_APPEND] = "append to segment",
                                        [NODE_JOB_CHECKPOINT_BEGIN] = "begin checkpoint",
                                        [NODE_JOB_CHECKPOINT_DATA] = "write checkpoint",
                                        [NODE_JOB_CHECKPOINT_END] = "finish checkpoint",
                                        [NODE_JOB_CHECK] = "check pages",
                                        [NODE_JOB_MEND] = "mend pages of checkpoint",
                                        [NODE_JOB_CHECK_JOURNAL] = "look through segment",
                                        [NODE_JOB_TRAIL] = "append to the trail",
                                        [NODE_JOB_KEEP] = "keep fetched pages"};
    struct life *l = ctx;
    (void)lane;
    sim_trace(l->sim, "%u: %s %" PRIu64 ", %zu bytes", l->config.self, words[job->kind],
              job->number, job->data.size);
}

static void io_trace(void *ctx, const char *line)
{
    struct life *l = ctx;
    sim_trace(l->sim, "%u: %s", l->config.self, line);
}

/* What is logged is in the trace already. */
static void io_log(void *ctx, enum log_level level, const char *event, const char *detail)
{
    (void)ctx;
    (void)level;
    (void)event;
    (void)detail;
}

static void io_record(void *ctx, enum journal_kind kind, const void *record)
{
    struct life *l = ctx;
    if (kind != JOURNAL_RECORDED_outputs && kind != JOURNAL_RECORDED_status) return;
    l->check.kind = kind;
    memcpy(&l->check.as, record, recording_shape(kind)->size);
}

/* --- the records ------------------------------------------------------------------------------ */

/* Name the first field in which the two differ; false if there is none. */
static bool differ(const struct recorded *ours, const struct recorded *theirs, char *text,
                   size_t size)
{
    const struct wire_shape *shape = recording_shape(ours->kind);
    for (size_t i = 0; i < shape->n_fields; i++) {
        const struct wire_field *f = &shape->fields[i];
        const void *a = (const char *)&ours->as + f->offset;
        const void *b = (const char *)&theirs->as + f->offset;
        if (f->kind == WIRE_ID && !vstamp_id_equal(*(const struct vstamp_id *)a,
                                                   *(const struct vstamp_id *)b)) {
            snprintf(text, size, "%s", f->name);
            return true;
        }
        if (f->kind == WIRE_U64 && *(const uint64_t *)a != *(const uint64_t *)b) {
            snprintf(text, size, "%s=%" PRIu64 ", recorded %s=%" PRIu64, f->name,
                     *(const uint64_t *)a, f->name, *(const uint64_t *)b);
            return true;
        }
    }
    return false;
}

static void compare(struct life *l, const struct recorded *theirs)
{
    char field[128] = "";
    if (l->check.kind != theirs->kind)
        sim_fail(l->sim, "the recorded node made a check here, this one did not");
    else if (differ(&l->check, theirs, field, sizeof field))
        sim_fail(l->sim, "it differs from what was recorded in %s: %s",
                 recording_shape(theirs->kind)->name + strlen("recorded_"), field);
    l->check.kind = 0;
}

static void trace_input(struct life *l, const struct recorded *r)
{
    static const char *const steps[] = {[RECORDING_RESTORED] = "all files are restored",
                                        [RECORDING_PAGES_RESTORED] = "all pages are restored",
                                        [RECORDING_START] = "starts",
                                        [RECORDING_STOP] = "asked to stop",
                                        [RECORDING_GAVE_UP] = "gives its files up"};
    unsigned self = l->config.self;
    if (r->kind == JOURNAL_RECORDED_peer_frame)
        trace_frame(l, SIM_FRAME, l->config.self, 0, r->as.peer_frame.frame);
    if (r->kind == JOURNAL_RECORDED_client_frame)
        trace_frame(l, SIM_REQUEST, l->config.self, 0, r->as.client_frame.frame);
    if (r->kind == JOURNAL_RECORDED_connection)
        sim_trace(l->sim, "%u: the connection to %u %s", self, r->as.connection.replica,
                  r->as.connection.connected ? "came up" : "broke");
    if (r->kind == JOURNAL_RECORDED_stored)
        sim_trace(l->sim, "%u: stored, lane %u", self, r->as.stored.lane);
    if (r->kind == JOURNAL_RECORDED_checkpoint)
        sim_trace(l->sim, "%u: restore checkpoint %" PRIu64, self, r->as.checkpoint.number);
    if (r->kind == JOURNAL_RECORDED_journal)
        sim_trace(l->sim, "%u: restore segments %" PRIu64 " to %" PRIu64, self,
                  r->as.journal.first, r->as.journal.last);
    if (r->kind == JOURNAL_RECORDED_step && r->as.step.step < sizeof steps / sizeof steps[0] &&
        steps[r->as.step.step] != NULL)
        sim_trace(l->sim, "%u: %s", self, steps[r->as.step.step]);
}

static void add_data(struct life *l, struct bytes content)
{
    tape_reserve(&l->file, content.size);
    if (content.size > 0) memcpy(l->file.data + l->file.size, content.data, content.size);
    l->file.size += content.size;
}

/* What the recorded node read next: this one must ask for the same. */
static int read_recorded(void *ctx, uint64_t number, uint64_t place, void *buffer, size_t size,
                         size_t *got, struct vstamp_diag *diag)
{
    struct life *l = ctx;
    struct recorded r;
    l->file.size = 0;
    enum journal_status status;
    while ((status = recording_next(&l->reader, &r)) == JOURNAL_RECORD &&
           r.kind == JOURNAL_RECORDED_data) {
        add_data(l, r.as.data.content);
    }
    bool same = status == JOURNAL_RECORD && r.kind == JOURNAL_RECORDED_read &&
                r.as.read.number == number && r.as.read.place == place &&
                r.as.read.size <= size && l->file.size <= r.as.read.size;
    if (!same) {
        vstamp_diag_printf(diag, "the recorded node read something else, or was killed here");
        return VSTAMP_E_MALFORMED;
    }
    if (r.as.read.failed != 0) {
        vstamp_diag_printf(diag, "it could not be read");
        return VSTAMP_E_IO;
    }
    *got = (size_t)r.as.read.size;
    memset(buffer, 0, *got);
    if (l->file.size > 0) memcpy(buffer, l->file.data, l->file.size);
    l->file.size = 0;
    return 0;
}

/* False if no host would have given a node that. */
static bool feed(struct life *l, const struct recorded *r)
{
    if (r->kind == JOURNAL_RECORDED_clock) {
        if (l->first_us == 0) l->first_us = r->as.clock.monotonic_us;
        if (r->as.clock.monotonic_us >= l->first_us + l->sim->now)
            l->sim->now = r->as.clock.monotonic_us - l->first_us;
    }
    l->n_inputs++;
    l->n_turns += r->kind == JOURNAL_RECORDED_step && r->as.step.step == RECORDING_TURN_END;
    trace_input(l, r);
    const struct node_source source = {.ctx = l, .read = read_recorded};
    int rv = recording_feed(l->node, r, &source, &l->refusal);
    if (rv == VSTAMP_E_MALFORMED) return false;
    if (rv != 0) sim_trace(l->sim, "%u: refuses it: %s", l->config.self, l->refusal.text);
    return true;
}

/* JOURNAL_BAD also for what checks and yet cannot have been recorded. */
static enum journal_status next(struct life *l)
{
    struct journal_reader before = l->reader;
    struct recorded r;
    enum journal_status status = recording_next(&l->reader, &r);
    if (status != JOURNAL_RECORD) return status;
    /* To ask for the status is an input and a check in one. */
    bool check = r.kind == JOURNAL_RECORDED_outputs || r.kind == JOURNAL_RECORDED_status;
    bool sound = !l->ended && r.kind != JOURNAL_RECORDED_start &&
                 r.kind != JOURNAL_RECORDED_data && r.kind != JOURNAL_RECORDED_read;
    if (sound && r.kind == JOURNAL_RECORDED_end) {
        l->ended = true;
        l->exit_status = r.as.end.exit_status;
    } else if (sound && r.kind != JOURNAL_RECORDED_outputs) {
        sound = feed(l, &r);
    }
    if (sound && check) compare(l, &r);
    if (sound) return JOURNAL_RECORD;
    l->reader = before;
    return JOURNAL_BAD;
}

static void open_instance(struct life *l)
{
    struct vstamp_limits limits = node_limits(&l->config);
    struct vstamp_diag why = {0};
    if (l->node == NULL || l->app->open == NULL) return;
    if (l->app->open(l->argument, &limits, &l->instance, &why) == 0)
        node_set_instance(l->node, l->instance);
    else
        sim_fail(l->sim, "its application does not start: %s", why.text);
}

/* To the end of the recording, or until something is wrong. */
static void live(void *ctx)
{
    struct life *l = ctx;
    l->status = JOURNAL_RECORD;
    l->io = (struct node_io){.ctx = l, .send = io_send, .reply = io_reply, .store = io_store,
                             .trace = l->sim->tracing ? io_trace : NULL, .log = io_log,
                             .record = io_record};
    l->memory_size = node_memory(&l->config);
    l->memory = zeros_map(l->memory_size);
    if (l->memory == NULL)
        sim_fail(l->sim, "no memory for its state: %s", strerror(errno));
    else
        l->node = node_init(l->memory, l->memory_size, &l->config, l->app, &l->io,
                            l->start.as.start.entropy);
    open_instance(l);
    while (l->status == JOURNAL_RECORD && !l->sim->failed) l->status = next(l);
}

/* --- verdicts --------------------------------------------------------------------------------- */

static bool is(struct bytes text, const char *expected)
{
    return text.size == strlen(expected) + 1 && memcmp(text.data, expected, text.size) == 0;
}

/* Why not to replay it at all; false if there is no reason. */
static bool refuse(struct life *l, const char *version, char verdict[static REPLAY_VERDICT_SIZE])
{
    struct bytes recording = l->reader.file;
    const struct wire_recorded_start *s = &l->start.as.start;
    uint32_t format;
    if (recording.size == 0)
        snprintf(verdict, REPLAY_VERDICT_SIZE, "empty: nothing was recorded");
    else if (!recording_origin(recording, &format, &l->start))
        snprintf(verdict, REPLAY_VERDICT_SIZE,
                 "not a recording of vstamp-replica --record, or damaged at its beginning");
    else if (format != RECORDING_FORMAT)
        snprintf(verdict, REPLAY_VERDICT_SIZE,
                 "another version's: format %" PRIu32 ", this vstamp-sim reads format %u", format,
                 RECORDING_FORMAT);
    else if (!recording_config(s, &l->config))
        snprintf(verdict, REPLAY_VERDICT_SIZE, "its configuration makes no sense");
    else if (version != NULL && !is(s->version, version))
        snprintf(verdict, REPLAY_VERDICT_SIZE,
                 "another version's: recorded by vstamp %.40s, this is %s; replay it with the "
                 "vstamp-sim of that version", (const char *)s->version.data, version);
    else if (!is(s->machine, recording_machine()))
        snprintf(verdict, REPLAY_VERDICT_SIZE,
                 "another architecture's: recorded on a machine of %.40s, this one has %s",
                 (const char *)s->machine.data, recording_machine());
    else if (!is(s->application, l->app->name))
        snprintf(verdict, REPLAY_VERDICT_SIZE,
                 "another application's: it replicates %.40s, and not %.40s: name its library by "
                 "--app, its program by --app-exec", (const char *)s->application.data,
                 l->app->name);
    else
        return false;
    return true;
}

static enum replay_outcome judge(const struct life *l, enum journal_status status,
                                 char verdict[static REPLAY_VERDICT_SIZE])
{
    char what[160], where[64];
    snprintf(what, sizeof what,
             "replica %u of %u, %" PRIu64 " inputs in %" PRIu64 " turns, %.6f s", l->config.self,
             l->config.n_replicas, l->n_inputs, l->n_turns, (double)l->sim->now / 1e6);
    snprintf(where, sizeof where, "byte %zu", l->reader.place);
    if (l->sim->failed) {
        snprintf(verdict, REPLAY_VERDICT_SIZE,
                 "FAILED at %.6f s, turn %" PRIu64 ", input %" PRIu64 ", %s: %s",
                 (double)l->sim->now / 1e6, l->n_turns, l->n_inputs, where, l->sim->verdict);
        return REPLAY_FAILED;
    }
    if (status == JOURNAL_BAD && (l->ended || journal_continues(&l->reader))) {
        snprintf(verdict, REPLAY_VERDICT_SIZE, "damaged at %s; up to there as recorded: %s", where,
                 what);
        return REPLAY_REFUSED;
    }
    if (!l->ended)
        snprintf(verdict, REPLAY_VERDICT_SIZE,
                 "as recorded: %s; cut off at %s: the replica was killed, or could not write on",
                 what, where);
    else if (l->exit_status == 0)
        snprintf(verdict, REPLAY_VERDICT_SIZE, "as recorded: %s; ended in good order", what);
    else
        snprintf(verdict, REPLAY_VERDICT_SIZE, "as recorded: %s; ended with status %u: %s", what,
                 l->exit_status, l->refusal.text);
    return REPLAY_SAME;
}

enum replay_outcome replay(struct bytes recording, const struct vstamp_app *app,
                           const char *argument, const char *version, FILE *last, FILE *all,
                           char verdict[static REPLAY_VERDICT_SIZE])
{
    struct life *l = calloc(1, sizeof *l);
    struct sim *sim = calloc(1, sizeof *sim);
    assert(l != NULL && sim != NULL);
    l->reader = (struct journal_reader){.file = recording, .number = RECORDING_NUMBER};
    l->sim = sim;
    l->app = app;
    l->argument = argument;
    enum replay_outcome outcome = REPLAY_REFUSED;
    if (!refuse(l, version, verdict)) {
        sim_trace_begin(sim, last != NULL, all);
        recording_next(&l->reader, &l->start);
        sim_guarded(sim, live, l);
        outcome = judge(l, l->status, verdict);
        sim_trace_end(sim, last);
    }
    zeros_unmap(l->memory, l->memory_size);
    if (l->instance != NULL && l->app->close != NULL) l->app->close(l->instance);
    replay_tape_close(&l->file);
    free(sim);
    free(l);
    return outcome;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* Wires the node to network, disk, clock and status endpoint, and runs the loop.
 *
 * Order of the start: what can be refused comes first (folder, ports), then the disk is read back,
 * and only then does anybody get an answer.  The node gets its memory by mmap; most of it is never
 * touched.
 *
 * SIGTERM, SIGINT and SIGHUP ask the node to hand over; it goes on taking part until another view
 * has begun, or for STOP_MS_MAX.  A second signal ends the process at once.
 *
 * With --record the node itself tells the recorder what goes into it; those who feed it do not. */
#define _GNU_SOURCE /* gettid */
#include <config.h>

#include "replica/serve.h"

#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/assert.h"
#include "program/cli.h"
#include "program/crash.h"
#include "program/plug_in.h"
#include "program/zeros.h"
#include "replica/app_exec.h"
#include "replica/endpoint.h"
#include "replica/notify.h"
#include "replica/recorder.h"
#include "replica/storage.h"
#include "replica/transport_uv.h"
#include "vr/membership.h"
#include "vr/witness.h"

#define STOP_MS_MAX 2000u
#define SIGNALS     3u /* that end it */

struct replica {
    const struct serve_options *options;
    struct log log;
    uv_loop_t loop;
    pid_t thread; /* that runs it */
    struct vr_config config;
    struct node *node;
    struct node_io io;
    const struct vstamp_app *app;
    void *instance; /* of the application */
    uv_poll_t app_says;    /* with app_exec */
    uv_signal_t app_ended;
    struct turn turn;
    struct transport transport;
    struct storage storage; /* durability: disk */
    struct endpoint endpoint;
    struct recorder recorder; /* --record */
    uv_signal_t signals[SIGNALS];
    uv_timer_t stop_timer;
    bool stopping;
    const char *over; /* why the node must not go on */
};

/* --- what the node asks for ------------------------------------------------------------------- */

static void io_send(void *ctx, uint8_t slot, struct bytes frame)
{
    struct replica *r = ctx;

    peers_send(&r->transport.peers, slot, frame);
}

static void io_directory(void *ctx, const struct node_directory *directory)
{
    struct replica *r = ctx;

    peers_directory(&r->transport.peers, directory);
}

static void io_reply(void *ctx, uint64_t origin, struct bytes frame)
{
    struct replica *r = ctx;

    if (!peers_reply(&r->transport.peers, origin, frame))
        clients_reply(&r->transport.clients, origin, frame);
}

static void io_store(void *ctx, enum node_lane lane, const struct node_job *job)
{
    struct replica *r = ctx;

    storage_store(&r->storage, lane, job);
}

static void io_trace(void *ctx, const char *line)
{
    struct replica *r = ctx;

    log_event(&r->log, LOG_LEVEL_DEBUG, "trace", LOG_TEXT("line", line));
}

static void io_log(void *ctx, enum log_level level, const char *event, const char *detail)
{
    struct replica *r = ctx;
    char status[256];

    log_detail(&r->log, level, event, detail);
    snprintf(status, sizeof status, "STATUS=%s %s", event, detail == NULL ? "" : detail);
    notify_send(status);
}

static void io_record(void *ctx, enum journal_kind kind, const void *record)
{
    struct replica *r = ctx;

    recorder_put(&r->recorder, kind, record);
}

/* As long as the process: it is not taken down, and handlers of signals get no context. */
static struct replica replica;

static const char *priority(void)
{
    return log_priority(replica.log.to_journal, LOG_LEVEL_ERROR);
}

static void last_words(const char *condition, const char *file, int line, const char *function)
{
    dprintf(STDERR_FILENO,
            "%svstamp-replica: a bug in vstamp: %s:%d: %s: assertion '%s' failed: please report "
            "it\n", priority(), file, line, function, condition);
    recorder_rescue();
}

static void say_crash(const char *const *texts)
{
    (void)!write(STDERR_FILENO, priority(), strlen(priority()));
    (void)!write(STDERR_FILENO, "vstamp-replica: ", strlen("vstamp-replica: "));
    for (; *texts != NULL; texts++) (void)!write(STDERR_FILENO, *texts, strlen(*texts));
    (void)!write(STDERR_FILENO, "\n", 1);
}

/* The application is in the loop's thread.  Pages are read through a map, where a disk that cannot
 * read is a signal. */
static void on_crash(int number)
{
    char text[CRASH_TEXT];
    uint64_t op;
    const char *function = replica.node != NULL && gettid() == replica.thread
                               ? node_application_is_in(replica.node, &op)
                               : NULL;

    if (function != NULL) {
        crash_describe(text, number, replica.app->name, function, op);
        say_crash((const char *const[]){text, NULL});
    } else if (number == SIGBUS && replica.config.durable) {
        say_crash((const char *const[]){replica.storage.folder,
                                        "/" PAGES_NAME ": was cut, or cannot be read (Bus error): "
                                        "check that disk, then start this replica again", NULL});
    }
    recorder_rescue();
}

/* --- the loop --------------------------------------------------------------------------------- */

/* The others, and the disk, work while we execute. */
static void send_turn(void *ctx)
{
    struct replica *r = ctx;

    transport_flush_peers(&r->transport);
    if (r->config.durable) storage_flush(&r->storage);
}

static void after_turn(void *ctx)
{
    struct replica *r = ctx;

    transport_flush(&r->transport);
    if (r->config.durable) storage_flush(&r->storage);
    recorder_after_turn(&r->recorder, uv_now(&r->loop));
    if (r->over == NULL) r->over = node_is_over(r->node);
    if (r->over != NULL || (r->stopping && node_may_stop(r->node))) uv_stop(&r->loop);
}

static bool resume(void *ctx)
{
    struct replica *r = ctx;

    return transport_resume(&r->transport);
}

static void on_stop_timeout(uv_timer_t *timer)
{
    struct replica *r = timer->data;

    log_event(&r->log, LOG_LEVEL_WARN, "stop-timeout", LOG_NUMBER("waited_ms", STOP_MS_MAX),
              LOG_TEXT("reason", "no other replica took over"));
    uv_stop(&r->loop);
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct replica *r = handle->data;

    if (r->stopping) _exit(128 + number);
    r->stopping = true;
    log_event(&r->log, LOG_LEVEL_INFO, "stopping", LOG_TEXT("signal", strsignal(number)));
    notify_send(NOTIFY_STOPPING);
    uv_timer_start(&r->stop_timer, on_stop_timeout, STOP_MS_MAX, 0);
    turn_begin(&r->turn);
    node_stop(r->node);
}

/* As nohup(1) has it. */
static bool is_ignored(int number)
{
    struct sigaction now;

    return sigaction(number, NULL, &now) == 0 && now.sa_handler == SIG_IGN;
}

static void watch_signals(struct replica *r)
{
    static const int numbers[SIGNALS] = {SIGTERM, SIGINT, SIGHUP};

    signal(SIGXFSZ, SIG_IGN); /* a file at its limit is a failed write, with a line that says so */
    uv_timer_init(&r->loop, &r->stop_timer);
    r->stop_timer.data = r;
    for (unsigned i = 0; i < SIGNALS; i++) {
        if (numbers[i] == SIGHUP && is_ignored(SIGHUP)) continue;
        uv_signal_init(&r->loop, &r->signals[i]);
        r->signals[i].data = r;
        uv_signal_start(&r->signals[i], on_signal, numbers[i]);
    }
}

/* The loop is over, and a disk that hangs may keep us: the next signal ends us by itself. */
static void unwatch_signals(struct replica *r)
{
    for (unsigned i = 0; i < SIGNALS; i++) uv_signal_stop(&r->signals[i]);
}

static void end_recording(struct replica *r, uint8_t exit_status)
{
    struct node_status last; /* to be asked for it is what puts the digest of the state on record */

    node_status(r->node, &last);
    recorder_close(&r->recorder, exit_status);
}

/* --- start ------------------------------------------------------------------------------------ */

int serve_application(const struct serve_options *options, const struct vstamp_app **app,
                      struct vstamp_diag *diag)
{
    const struct config *config = options->config;
    bool is_process = config->app_exec[0] != '\0';

    if (is_process && config->app[0] != '\0') {
        vstamp_diag_printf(diag, "%s: app_exec and app are two applications: choose one",
                           config->path);
        return VSTAMP_E_CONFIG;
    }
    if (is_process && !options->may_load) {
        vstamp_diag_printf(diag,
                           "%s: app_exec: %s: this program replicates \"%s\" and nothing else",
                           config->path, config->app_exec, options->app->name);
        return VSTAMP_E_CONFIG;
    }
    *app = is_process ? NULL : options->app;
    if (is_process) return 0;
    if (options->may_load && config->app[0] != '\0') return plug_in_load(config->app, app, diag);
    return plug_in_check(*app, "the program", diag);
}

/* Whole pages that hold nothing but zeros need not be in memory. */
static void io_give_back(void *ctx, void *memory, size_t size)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    uintptr_t from = ((uintptr_t)memory + page - 1) / page * page;
    uintptr_t to = ((uintptr_t)memory + size) / page * page;

    (void)ctx;
    if (to <= from || madvise((void *)from, to - from, MADV_DONTNEED) != 0) {
        memset(memory, 0, size);
        return;
    }
    memset(memory, 0, from - (uintptr_t)memory);
    memset((void *)to, 0, (uintptr_t)memory + size - to);
}

static int make_node(struct replica *r, struct vstamp_diag *diag)
{
    size_t size = node_memory(&r->config);
    struct vstamp_id entropy;
    void *memory = zeros_map(size);

    if (memory == NULL) {
        vstamp_diag_printf(diag,
                           "the system refuses %zu MiB of address space: raise the limit "
                           "(ulimit -v), or lower state_bytes_max, log_bytes or max_clients",
                           size >> 20);
        return VSTAMP_E_IO;
    }
    if (getrandom(&entropy, sizeof entropy, 0) != (ssize_t)sizeof entropy) {
        vstamp_diag_printf(diag, "the system has no random numbers");
        return VSTAMP_E_IO;
    }
    r->io = (struct node_io){
        .ctx = r,
        .send = io_send,
        .directory = io_directory,
        .reply = io_reply,
        .journal_io = r->config.durable ? storage_journal_io(&r->storage) : NULL,
        .disk_trouble = r->storage.trouble,
        .refusal = r->transport.peers.refused,
        .certificate_trouble = r->transport.certificate_trouble.text,
        .certificate_not_after_s = &r->transport.certificate_not_after_s,
        .store = io_store,
        .trace = r->options->log_level >= LOG_LEVEL_DEBUG ? io_trace : NULL,
        .log = io_log,
        .give_back = io_give_back,
        .record = r->options->record != NULL ? io_record : NULL,
    };
    r->node = node_init(memory, size, &r->config, r->app, &r->io, entropy);
    return 0;
}

static void on_app_says(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    app_exec_listen(poll->data);
}

static void on_child_ended(uv_signal_t *handle, int number)
{
    (void)number;
    app_exec_look(handle->data);
}

static void tell_of_app(void *ctx, bool wrong, const char *event, const char *const *pairs)
{
    struct replica *r = ctx;
    struct log_field fields[APP_EXEC_PAIRS_MAX + 1] = {{0}};

    for (size_t n = 0; n < APP_EXEC_PAIRS_MAX && pairs[2 * n] != NULL; n++)
        fields[n] = (struct log_field)LOG_TEXT(pairs[2 * n], pairs[2 * n + 1]);
    log_fields(&r->log, wrong ? LOG_LEVEL_WARN : LOG_LEVEL_INFO, event, fields);
}

/* The process is the instance, and says what it is. */
static int start_application(struct replica *r, struct vstamp_diag *diag)
{
    const struct config *config = r->options->config;
    const struct app_exec_options options = {
        .program = config->app_exec,
        .argument = config_app_argument(config),
        .timeout_ms = config->app_timeout_ms,
        .limits = node_limits(&r->config),
        .answer_capacity = r->config.max_answer_bytes,
        .tell = tell_of_app,
        .ctx = r,
    };
    struct app_exec *exec;
    int rv = app_exec_open(&exec, &options, diag);

    if (rv != 0) return rv;
    r->app = app_exec_app(exec);
    r->instance = exec;
    uv_poll_init(&r->loop, &r->app_says, app_exec_descriptor(exec));
    uv_signal_init(&r->loop, &r->app_ended);
    r->app_says.data = r->app_ended.data = exec;
    uv_poll_start(&r->app_says, UV_READABLE, on_app_says);
    uv_signal_start(&r->app_ended, on_child_ended, SIGCHLD);
    return 0;
}

static int choose_application(struct replica *r, struct vstamp_diag *diag)
{
    int rv = serve_application(r->options, &r->app, diag);

    if (rv == 0 && r->app == NULL) rv = start_application(r, diag);
    return rv;
}

static int make_instance(struct replica *r, struct vstamp_diag *diag)
{
    const char *argument = config_app_argument(r->options->config);
    struct vstamp_limits limits = node_limits(&r->config);
    int rv = 0;

    if (r->instance == NULL) rv = plug_in_open(r->app, argument, &limits, &r->instance, diag);
    if (rv == 0) node_set_instance(r->node, r->instance);
    return rv;
}

/* Large blocks that are freed go back to the system.  By default the C library keeps what is as
 * large as one that was freed before: that is 3 MiB, of the 16 that a witness is to need. */
static void keep_little(void)
{
#ifdef M_MMAP_THRESHOLD
    mallopt(M_MMAP_THRESHOLD, 128 << 10);
#endif
}

static int open_storage(struct replica *r, struct vstamp_diag *diag)
{
    const struct config *config = r->options->config;
    uint32_t index = r->options->index;
    const char *address = config->replicas_addresses.at[index].text;
    int rv = storage_check_owner(config->data_dir, index, address, diag);

    if (rv == 0)
        rv = storage_open(&r->storage, config->data_dir, index, r->config.state_pages, &r->turn,
                          &r->log, diag);
    if (rv == 0)
        rv = storage_open_journal(&r->storage, &r->loop, node_segment_size(&r->config),
                                  r->options->journal_io, diag);
    return rv;
}

static int open_sockets(struct replica *r, struct vstamp_diag *diag)
{
    const struct config *config = r->options->config;
    const struct address *status = &config->status_addresses.at[r->options->index];
    uint64_t seed;

    if (getrandom(&seed, sizeof seed, 0) != (ssize_t)sizeof seed) seed = turn_monotonic_us();
    int rv = transport_open(&r->transport, &r->loop, &r->turn, &r->log, config, &r->config, seed,
                            diag);
    if (rv == 0)
        rv = endpoint_open(&r->endpoint, &r->loop, status, &r->turn, &r->transport,
                           2 * (uint64_t)r->config.view_change_ms, diag);
    return rv;
}

static int restore(struct replica *r, struct vstamp_diag *diag)
{
    int rv = endpoint_attend(&r->endpoint, diag);

    if (rv != 0) return rv;
    rv = storage_restore(&r->storage, r->node, diag);
    endpoint_attend_end(&r->endpoint);
    if (rv != 0) end_recording(r, CLI_USAGE);
    return rv;
}

/* All that may be refused, and what the disk holds. */
static int prepare(struct replica *r, struct vstamp_diag *diag)
{
    const struct serve_options *o = r->options;
    int rv = config_to_vr(o->config, o->index, PACKAGE_VERSION, &r->config, diag);

    if (rv == 0 && vr_among_witnesses(r->config.witnesses, r->config.self)) keep_little();
    if (rv == 0) rv = choose_application(r, diag);
    if (rv == 0 && r->config.durable) rv = open_storage(r, diag);
    if (rv == 0 && o->record != NULL) rv = recorder_open(&r->recorder, o->record, &r->log, diag);
    if (rv == 0) rv = make_node(r, diag);
    if (rv == 0) rv = make_instance(r, diag);
    if (rv != 0) return rv;
    turn_init(&r->turn, &r->loop, r->node, send_turn, after_turn, resume, r);
    rv = open_sockets(r, diag);
    return rv == 0 && r->config.durable ? restore(r, diag) : rv;
}

/* What the journal says of the group counts, and not the file (paper section 7). */
static void log_membership(struct replica *r)
{
    static struct vr_membership configured;
    struct node_identity identity;
    struct node_status status;

    node_identity(r->node, &identity);
    vr_membership_of_config(&configured, &r->config);
    if (vstamp_id_equal(identity.members, vr_membership_checksum(&configured))) return;
    node_status(r->node, &status);
    log_event(&r->log, LOG_LEVEL_INFO, "membership", LOG_NUMBER("epoch", identity.epoch),
              LOG_TEXT("members", status.members),
              LOG_TEXT("hint", "as its journal says; the configuration is of another time"));
}

static int start(struct replica *r, struct vstamp_diag *diag)
{
    const struct config *config = r->options->config;
    uint32_t index = r->options->index;
    int rv = 0;

    if (r->config.durable) rv = storage_start(&r->storage, &r->loop, diag);
    if (rv != 0) return rv;
    watch_signals(r);
    log_event(&r->log, LOG_LEVEL_INFO, "listening",
              LOG_TEXT("address", config->replicas_addresses.at[index].text),
              LOG_TEXT("status_address", config->status_addresses.at[index].text),
              LOG_NUMBER("replicas", r->config.n_replicas),
              LOG_TEXT("durability", r->config.durable ? "disk" : "memory"),
              LOG_TEXT("application", r->app->name),
              LOG_TEXT("version", PACKAGE_VERSION));
    if (r->config.durable && node_is_blank(r->node))
        log_event(&r->log, LOG_LEVEL_INFO, "folder-empty", LOG_TEXT("folder", r->storage.folder));
    log_membership(r);
    turn_begin(&r->turn);
    node_start(r->node);
    rv = transport_start(&r->transport, diag);
    if (rv == 0) notify_send(NOTIFY_READY);
    return rv;
}

static int end(struct replica *r, struct vstamp_diag *diag)
{
    bool ends_well = r->over == NULL || node_is_retired(r->node);

    unwatch_signals(r);
    end_recording(r, ends_well                     ? CLI_OK
                     : node_is_diverged(r->node) ? CLI_DIVERGED
                                                 : CLI_USAGE);
    endpoint_close(&r->endpoint);
    if (r->config.durable) storage_close(&r->storage);
    plug_in_close(r->app, r->instance);
    if (!ends_well) {
        vstamp_diag_printf(diag, "%s%s%s", r->storage.folder,
                           r->storage.folder[0] != '\0' ? ": " : "", r->over);
        if (node_is_diverged(r->node)) return VSTAMP_E_DIVERGED;
        return node_has_failed_application(r->node) ? VSTAMP_E_APPLICATION : VSTAMP_E_OTHER_GROUP;
    }
    if (r->over != NULL)
        log_event(&r->log, LOG_LEVEL_INFO, "stopped", LOG_TEXT("reason", r->over),
                  LOG_TEXT("hint", "its folder may be removed"));
    else
        log_detail(&r->log, LOG_LEVEL_INFO, "stopped", NULL);
    return 0;
}

int serve_run(const struct serve_options *options, struct vstamp_diag *diag)
{
    struct replica *r = &replica;
    int rv = uv_loop_init(&r->loop);

    if (rv != 0) {
        vstamp_diag_printf(diag, "event loop: %s", uv_strerror(rv));
        return VSTAMP_E_IO;
    }
    r->thread = gettid();
    base_assert_set_hook(last_words);
    crash_watch(on_crash);
    signal(SIGPIPE, SIG_IGN);
    r->options = options;
    r->recorder.fd = -1;
    log_open(&r->log, options->log_level, options->log_format, (int)options->index);
    r->log.no_warnings = options->no_warnings;
    rv = prepare(r, diag);
    if (rv == 0) rv = start(r, diag);
    if (rv != 0) return rv;
    uv_run(&r->loop, UV_RUN_DEFAULT);
    return end(r, diag);
}

int serve_exit(int err)
{
    switch (err) {
    case 0:
        return CLI_OK;
    case VSTAMP_E_DIVERGED:
        return CLI_DIVERGED;
    case VSTAMP_E_APPLICATION: /* it was running */
        return vstamp_err_exit(err);
    case VSTAMP_E_AGAIN: /* so a supervisor is to start it again */
        return CLI_NO;
    default:
        return CLI_USAGE; /* whatever kept it from starting: starting again will not help */
    }
}

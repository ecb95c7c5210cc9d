/* SPDX-License-Identifier: BSD-2-Clause */
/* The application is wrapped: each of its operations is noted when the first replica executes it,
 * under its op-number and its place in that entry, and every other execution is compared with that
 * note.  A replica's instance is the application's own and where in the log the replica is. */
#define _GNU_SOURCE /* getline */
#include "sim/foreign.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/checksum.h"
#include "program/config.h"
#include "replica/app_exec.h"
#include "vr/pages.h"

#define SHOWN 60u
#define READ_WORD "--read "
#define PROGRAM_MS 10000u

struct line {
    char *text;
    size_t size;
    bool reads;
};

static struct {
    const struct vstamp_app *app;
    struct vstamp_app wrapped, of_program;
    const char *program; /* of of_program */
    const char *argument;
    struct line *lines;
    size_t n_lines, n_writes; /* those that write come first */
} use;

/* An operation that was executed. */
struct executed {
    uint64_t op, place;
    struct vstamp_id client;
    uint64_t session, operation, answer; /* checksums, of the last two */
    char shown[SHOWN], answer_shown[SHOWN];
};

static struct {
    struct sim *sim;
    struct executed *list;
    size_t n, capacity;
} run;

struct instance {
    void *theirs;
    uint64_t op, place;
};

/* --- the operations --------------------------------------------------------------------------- */

static int compare_lines(const void *a, const void *b)
{
    const struct line *x = a, *y = b;
    return (int)x->reads - (int)y->reads;
}

static void take_line(char *text, size_t size)
{
    size_t word = strlen(READ_WORD);
    struct line line = {.text = text, .size = size};
    if (size > 0 && text[size - 1] == '\n') line.size--;
    line.reads = line.size >= word && memcmp(text, READ_WORD, word) == 0;
    if (line.reads) {
        line.text += word;
        line.size -= word;
    }
    use.lines = realloc(use.lines, (use.n_lines + 1) * sizeof *use.lines);
    assert(use.lines != NULL);
    use.lines[use.n_lines++] = line;
    use.n_writes += !line.reads;
}

static int read_lines(const char *path, struct vstamp_diag *diag)
{
    FILE *file = fopen(path, "r");
    char *text = NULL;
    size_t room = 0;
    ssize_t size;
    if (file == NULL) {
        vstamp_diag_printf(diag, "%s: %s", path, strerror(errno));
        return VSTAMP_E_CONFIG;
    }
    for (; (size = getline(&text, &room, file)) >= 0; text = NULL, room = 0)
        take_line(text, (size_t)size); /* it keeps the text for good */
    free(text);
    fclose(file);
    if (use.n_writes == 0) {
        vstamp_diag_printf(diag, "%s: holds no operation that writes; they are wanted a line each",
                           path);
        return VSTAMP_E_CONFIG;
    }
    qsort(use.lines, use.n_lines, sizeof *use.lines, compare_lines);
    return 0;
}

struct bytes foreign_draw(struct prng *prng, bool only_writes, bool *reads)
{
    size_t n = only_writes ? use.n_writes : use.n_lines;
    const struct line *line = &use.lines[prng_below(prng, n)];
    *reads = line->reads;
    return (struct bytes){(const uint8_t *)line->text, line->size};
}

/* --- what was executed ------------------------------------------------------------------------ */

static void show(char shown[SHOWN], const uint8_t *text, size_t size)
{
    size_t n = size < SHOWN - 1 ? size : SHOWN - 1;
    for (size_t i = 0; i < n; i++) shown[i] = text[i] < ' ' || text[i] > '~' ? '.' : (char)text[i];
    shown[n] = '\0';
}

static struct executed *find(uint64_t op, uint64_t place)
{
    size_t low = 0, high = run.n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct executed *e = &run.list[middle];
        if (e->op < op || (e->op == op && e->place < place)) low = middle + 1;
        else high = middle;
    }
    return low < run.n && run.list[low].op == op && run.list[low].place == place ? &run.list[low]
                                                                                 : NULL;
}

static void note(struct instance *in, const struct vstamp_context *context,
                 const uint8_t *operation, size_t size, const struct vstamp_answer *answer)
{
    in->place = context->op_number == in->op ? in->place + 1 : 0;
    in->op = context->op_number;
    struct executed now = {.op = in->op, .place = in->place, .client = context->client,
                           .session = context->session,
                           .operation = checksum64(operation, size),
                           .answer = checksum64(answer->data, answer->size)};
    show(now.shown, operation, size);
    show(now.answer_shown, answer->data, answer->size);
    const struct executed *known = find(now.op, now.place);
    if (known != NULL) {
        if (known->answer != now.answer)
            sim_fail(run.sim, FOREIGN_DIFFERS "at op-number %" PRIu64
                     " \"%s\" is answered \"%s\" by one replica, and \"%s\" by another", now.op,
                     now.shown, known->answer_shown, now.answer_shown);
        return;
    }
    if (run.n == run.capacity) {
        run.capacity = run.capacity == 0 ? 1024 : 2 * run.capacity;
        run.list = realloc(run.list, run.capacity * sizeof *run.list);
        assert(run.list != NULL);
    }
    assert(run.n == 0 || run.list[run.n - 1].op <= now.op);
    run.list[run.n++] = now;
}

void foreign_check_answer(struct sim *sim, const struct session *session, uint64_t op,
                          struct bytes operation, struct bytes answer)
{
    uint64_t asked = checksum64(operation.data, operation.size), n = 0;
    uint64_t answered = checksum64(answer.data, answer.size);
    bool same = false;
    for (size_t i = 0; i < run.n; i++) {
        const struct executed *e = &run.list[i];
        if (!vstamp_id_equal(e->client, session->identity.client) ||
            e->session != session->identity.session)
            continue;
        n++;
        same = same || (e->op == op && e->operation == asked && e->answer == answered);
    }
    if (n > session->request.number)
        sim_fail(sim, "a session executed %" PRIu64 " operations, and had asked for %" PRIu64, n,
                 session->request.number);
    if (!same)
        sim_fail(sim, "a client has an answer of op-number %" PRIu64
                 " that no replica gave to its operation there", op);
}

/* --- the application, wrapped ----------------------------------------------------------------- */

static struct instance *of(const struct vstamp_pages *pages)
{
    return vstamp_pages_instance(pages);
}

/* The same pages, with the instance that the application knows. */
static struct vstamp_pages theirs(const struct vstamp_pages *pages)
{
    struct vstamp_pages copy = *pages;
    copy.instance = of(pages)->theirs;
    return copy;
}

static void apply(struct vstamp_pages *pages, const struct vstamp_context *context,
                  const uint8_t *operation, size_t size, struct vstamp_answer *answer)
{
    struct vstamp_pages known = theirs(pages);
    use.app->apply(&known, context, operation, size, answer);
    if (answer->size <= answer->capacity) note(of(pages), context, operation, size, answer);
}

static void query(const struct vstamp_pages *pages, const uint8_t *operation, size_t size,
                  struct vstamp_answer *answer)
{
    struct vstamp_pages known = theirs(pages);
    use.app->query(&known, operation, size, answer);
}

static enum vstamp_audit audit(const struct vstamp_pages *pages, uint32_t n_used, void *memory)
{
    return use.app->audit(pages, n_used, memory);
}

static void foresee(const struct vstamp_pages *pages, const struct vstamp_operation *operations,
                    size_t n)
{
    struct vstamp_pages known = theirs(pages);
    use.app->foresee(&known, operations, n);
}

static uint64_t due(const struct vstamp_pages *pages)
{
    struct vstamp_pages known = theirs(pages);
    return use.app->due(&known);
}

static int tick(struct vstamp_pages *pages, const struct vstamp_context *context,
                struct vstamp_diag *why)
{
    struct vstamp_pages known = theirs(pages);
    return use.app->tick(&known, context, why);
}

static void tell(void *ctx, bool wrong, const char *event, const char *const *pairs)
{
    (void)ctx;
    (void)wrong;
    if (run.sim == NULL) return;
    sim_trace(run.sim, "the program: %s", event);
    for (; pairs != NULL && pairs[0] != NULL; pairs += 2)
        sim_trace(run.sim, "  %s=%s", pairs[0], pairs[1]);
}

/* A process; its time is that of this machine, not the simulated one. */
static int open_process(const char *argument, const struct vstamp_limits *limits, void **process,
                        struct vstamp_diag *why)
{
    const struct app_exec_options options = {
        .program = use.program,
        .argument = argument,
        .timeout_ms = PROGRAM_MS,
        .limits = *limits,
        .answer_capacity =
            run.sim != NULL ? run.sim->config.max_answer_bytes : CONFIG_MAX_ANSWER_BYTES,
        .tell = tell};
    struct app_exec *x = NULL;
    int rv = app_exec_open(&x, &options, why);
    *process = x;
    return rv;
}

static int open_instance(const char *argument, const struct vstamp_limits *limits, void **instance,
                         struct vstamp_diag *why)
{
    struct instance *in = calloc(1, sizeof *in);
    int rv = 0;
    (void)argument;
    assert(in != NULL);
    if (use.app->open != NULL) rv = use.app->open(use.argument, limits, &in->theirs, why);
    if (rv == 0) *instance = in;
    else free(in);
    return rv;
}

static void close_instance(void *instance)
{
    struct instance *in = instance;
    if (use.app->close != NULL) use.app->close(in->theirs);
    free(in);
}

static void save(const void *instance, struct vstamp_save *to)
{
    const struct instance *in = instance;
    use.app->save(in->theirs, to);
}

static int load(void *instance, struct vstamp_load *from, struct vstamp_diag *why)
{
    const struct instance *in = instance;
    return use.app->load(in->theirs, from, why);
}

static int settle(struct vstamp_pages *pages, struct vstamp_diag *why)
{
    struct vstamp_pages known = theirs(pages);
    return use.app->settle(&known, why);
}

static int resume(const struct vstamp_pages *pages, struct vstamp_diag *why)
{
    struct vstamp_pages known = theirs(pages);
    return use.app->resume(&known, why);
}

static void predict(const struct vstamp_pages *pages, const uint64_t seed[VSTAMP_SEED_WORDS],
                    const uint8_t *operation, size_t size, struct vstamp_answer *prediction)
{
    struct vstamp_pages known = theirs(pages);
    use.app->predict(&known, seed, operation, size, prediction);
}

static void announce(struct vstamp_pages *pages, const struct vstamp_context *contexts,
                     const struct vstamp_operation *operations, size_t n)
{
    struct vstamp_pages known = theirs(pages);
    use.app->announce(&known, contexts, operations, n);
}

static const char *failure(const void *instance)
{
    const struct instance *in = instance;
    return use.app->failure(in->theirs);
}

/* What the application does not have, its wrapping does not have either. */
#define WRAPPED(member) .member = app->member != NULL ? member : NULL

int foreign_use(const struct vstamp_app *app, const char *argument, const char *path,
                struct vstamp_diag *diag)
{
    use.app = app;
    use.argument = argument;
    use.wrapped = (struct vstamp_app){
        .abi = VSTAMP_APP_ABI, .name = app->name, .check = app->check, .apply = apply,
        .query = query, .open = open_instance, .close = close_instance, WRAPPED(audit),
        WRAPPED(foresee), WRAPPED(due), WRAPPED(tick), WRAPPED(save), WRAPPED(load),
        WRAPPED(settle), WRAPPED(resume), WRAPPED(predict), WRAPPED(announce), WRAPPED(failure)};
    return read_lines(path, diag);
}

/* One that is started for it says what it is called. */
int foreign_program(const char *program, const char *argument, const struct vstamp_app **app,
                    struct vstamp_diag *diag)
{
    static char name[VSTAMP_NAME_BYTES_MAX + 1];
    const struct vstamp_limits limits = {.read_capacity = 4096, .state_bytes = 4096};
    void *process;
    use.program = program;
    int rv = open_process(argument, &limits, &process, diag);
    if (rv != 0) return rv;
    use.of_program = *app_exec_app(process);
    snprintf(name, sizeof name, "%s", use.of_program.name);
    use.of_program.name = name;
    use.of_program.open = open_process;
    use.of_program.close(process);
    *app = &use.of_program;
    return 0;
}

bool foreign_in_use(void)
{
    return use.app != NULL;
}

const struct vstamp_app *foreign_app(void)
{
    return &use.wrapped;
}

void foreign_begin(struct sim *sim)
{
    run.sim = sim;
    run.n = 0;
}

void foreign_end(void)
{
    free(run.list);
    memset(&run, 0, sizeof run);
}

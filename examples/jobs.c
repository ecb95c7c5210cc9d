/* SPDX-License-Identifier: BSD-2-Clause */
/* A work queue, as a plug-in.  Each job is delivered at least once: whoever takes one has to say
 * within a while that it is done, or it is given to somebody else.
 *
 *     cc -shared -fPIC $(pkg-config --cflags vstamp) -o jobs.so jobs.c
 *     vstamp-replica --app ./jobs.so --local 3
 *     vstamp --replicas ... call 'push resize cat.png'   job 1
 *     vstamp --replicas ... call 'take 30s'              job 1 receipt 1 delivery 1: resize cat.png
 *     vstamp --replicas ... call 'done 1 1'              done; with another receipt: lost
 *     vstamp --replicas ... call 'back 1 1'              gives it back before its time is over
 *     vstamp --replicas ... call 'revive'                puts the dead ones in line again
 *     vstamp --replicas ... call --read size             ready 0 taken 0 dead 0
 *     vstamp --replicas ... call --read dead             the jobs that nobody could do
 *
 * A job that has been delivered DELIVERIES times and was never done is put aside as dead.  It is a
 * line of text of at most JOB_BYTES: what is larger belongs into a store, and its name into the
 * job.
 *
 * Jobs are taken in the order in which they were pushed; one that comes back goes to its old place.
 * The time in which a job must be done is that which the group agrees on: an operation sees a job
 * whose time is over as ready, from its own timestamp on. */
#include <ctype.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include <vstamp/app.h>

#define JOB_BYTES  160u
#define DELIVERIES 5u
#define TAKE_MAX_US (UINT64_C(24) * 3600 * 1000000)

/* What is saved of a job: 192 bytes, all of which are written to. */
struct job {
    uint64_t number;
    uint64_t receipt;  /* of the newest delivery */
    uint64_t until_us; /* when a taken one comes back; else 0 */
    uint32_t deliveries, size;
    char text[JOB_BYTES]; /* zeros behind its end */
};

struct node {
    TAILQ_ENTRY(node) link;
    struct job job;
};

TAILQ_HEAD(line, node);

enum { READY, TAKEN, DEAD, N_LINES };

/* The lines are in order of numbers, that of the taken in order of when they come back. */
struct jobs {
    uint64_t pushed, receipts;
    struct line lines[N_LINES];
    uint64_t n[N_LINES];
};

enum verb { PUSH, TAKE, DONE, BACK, REVIVE, SIZE, LIST_DEAD };

static const struct form {
    const char *word;
    bool text, time, receipt, reads;
} forms[] = {
    [PUSH] = {"push", .text = true},       [TAKE] = {"take", .time = true},
    [DONE] = {"done", .receipt = true},    [BACK] = {"back", .receipt = true},
    [REVIVE] = {.word = "revive"},         [SIZE] = {"size", .reads = true},
    [LIST_DEAD] = {"dead", .reads = true},
};

struct request {
    enum verb verb;
    uint64_t job, receipt, time_us;
    const char *text;
    size_t size;
};

/* --- what is asked ---------------------------------------------------------------------------- */

static bool take_number(const char **at, const char *end, uint64_t *number)
{
    const char *from = *at;
    for (*number = 0; *at < end && isdigit((unsigned char)**at) && *at - from < 18; ++*at)
        *number = *number * 10 + (uint64_t)(**at - '0');
    return *at > from;
}

static bool take_word(const char **at, const char *end, const char *word)
{
    size_t size = strlen(word);
    if ((size_t)(end - *at) < size || memcmp(*at, word, size) != 0) return false;
    *at += size;
    return true;
}

static bool take_time(const char **at, const char *end, uint64_t *us)
{
    if (!take_word(at, end, " ") || !take_number(at, end, us) || *us > TAKE_MAX_US) return false;
    if (take_word(at, end, "ms"))
        *us *= 1000;
    else if (take_word(at, end, "s"))
        *us *= 1000000;
    else
        return false;
    return *us > 0 && *us <= TAKE_MAX_US;
}

/* NULL, or what is wrong.  The text points into the operation. */
static const char *parse(const uint8_t *operation, size_t size, struct request *r)
{
    const char *at = (const char *)operation, *end = at + size;
    const struct form *form = NULL;
    *r = (struct request){0};
    if (size > 0 && end[-1] == '\n') end--;
    for (size_t i = 0; form == NULL && i < sizeof forms / sizeof forms[0]; i++) {
        const char *behind = at;
        if (!take_word(&behind, end, forms[i].word)) continue;
        form = &forms[r->verb = (enum verb)i];
        at = behind;
    }
    if (form == NULL) return "push, take, done, back, revive, size or dead is expected";
    if (form->text) {
        if (!take_word(&at, end, " ")) return "push wants a job";
        r->text = at;
        r->size = (size_t)(end - at);
        at = end;
        if (r->size == 0 || r->size > JOB_BYTES || memchr(r->text, '\n', r->size) != NULL)
            return "a job is a line of 1 to 160 bytes";
    }
    if (form->time && !take_time(&at, end, &r->time_us))
        return "take wants the time within which the job will be done, as 30s, of at most a day";
    if (form->receipt &&
        (!take_word(&at, end, " ") || !take_number(&at, end, &r->job) ||
         !take_word(&at, end, " ") || !take_number(&at, end, &r->receipt)))
        return "the job's number and the receipt are expected";
    return at == end ? NULL : "there is something too much";
}

/* What does not fit is left out. */
__attribute__((format(printf, 2, 3))) static void say(struct vstamp_answer *answer,
                                                      const char *format, ...)
{
    size_t left = answer->capacity - answer->size;
    va_list list;
    va_start(list, format);
    int n = vsnprintf((char *)answer->data + answer->size, left, format, list);
    va_end(list);
    if (n > 0 && (size_t)n < left) answer->size += (size_t)n;
}

/* --- the lines -------------------------------------------------------------------------------- */

static bool before(const struct job *a, const struct job *b, int line)
{
    if (line == TAKEN && a->until_us != b->until_us) return a->until_us < b->until_us;
    return a->number < b->number;
}

/* Most belong at the end, so that is where the search begins. */
static void enter(struct jobs *q, int line, struct node *node)
{
    struct node *at = TAILQ_LAST(&q->lines[line], line);
    while (at != NULL && before(&node->job, &at->job, line)) at = TAILQ_PREV(at, line, link);
    if (at == NULL)
        TAILQ_INSERT_HEAD(&q->lines[line], node, link);
    else
        TAILQ_INSERT_AFTER(&q->lines[line], at, node, link);
    q->n[line]++;
}

static void leave(struct jobs *q, int line, struct node *node)
{
    TAILQ_REMOVE(&q->lines[line], node, link);
    q->n[line]--;
}

static void clear(struct jobs *q)
{
    for (int line = 0; line < N_LINES; line++) {
        for (struct node *node; (node = TAILQ_FIRST(&q->lines[line])) != NULL; free(node))
            leave(q, line, node);
    }
}

/* It was not done. */
static void come_back(struct jobs *q, struct node *node)
{
    leave(q, TAKEN, node);
    node->job.until_us = 0;
    enter(q, node->job.deliveries < DELIVERIES ? READY : DEAD, node);
}

static void come_back_in_time(struct jobs *q, uint64_t now_us)
{
    struct node *node;
    while ((node = TAILQ_FIRST(&q->lines[TAKEN])) != NULL && node->job.until_us <= now_us)
        come_back(q, node);
}

/* --- the operations --------------------------------------------------------------------------- */

static void push(struct jobs *q, const struct vstamp_limits *limits, const struct request *r,
                 struct vstamp_answer *answer)
{
    uint64_t n = q->n[READY] + q->n[TAKEN] + q->n[DEAD];
    if (sizeof q->pushed + sizeof q->receipts + (n + 1) * sizeof(struct job) >
        limits->state_bytes) {
        say(answer, "full\n");
        return;
    }
    struct node *node = calloc(1, sizeof *node);
    if (node == NULL) abort(); /* the others may have the memory: do not differ, end */
    node->job.number = ++q->pushed;
    node->job.size = (uint32_t)r->size;
    memcpy(node->job.text, r->text, r->size);
    enter(q, READY, node);
    say(answer, "job %" PRIu64 "\n", node->job.number);
}

static void take(struct jobs *q, uint64_t until_us, struct vstamp_answer *answer)
{
    struct node *node = TAILQ_FIRST(&q->lines[READY]);
    if (node == NULL) {
        say(answer, "empty\n");
        return;
    }
    leave(q, READY, node);
    struct job *job = &node->job;
    job->deliveries++;
    job->receipt = ++q->receipts;
    job->until_us = until_us;
    enter(q, TAKEN, node);
    say(answer, "job %" PRIu64 " receipt %" PRIu64 " delivery %" PRIu32 ": %.*s\n", job->number,
        job->receipt, job->deliveries, (int)job->size, job->text);
}

static void settle_with(struct jobs *q, const struct request *r, struct vstamp_answer *answer)
{
    struct node *node;
    TAILQ_FOREACH (node, &q->lines[TAKEN], link)
        if (node->job.number == r->job && node->job.receipt == r->receipt) break;
    if (node == NULL) {
        say(answer, "lost\n");
    } else if (r->verb == BACK) {
        come_back(q, node);
        say(answer, "back\n");
    } else {
        leave(q, TAKEN, node);
        free(node);
        say(answer, "done\n");
    }
}

static void revive(struct jobs *q, struct vstamp_answer *answer)
{
    uint64_t n = q->n[DEAD];
    for (struct node *node; (node = TAILQ_FIRST(&q->lines[DEAD])) != NULL;) {
        leave(q, DEAD, node);
        node->job.deliveries = 0;
        enter(q, READY, node);
    }
    say(answer, "revived %" PRIu64 "\n", n);
}

static void apply(struct vstamp_pages *pages, const struct vstamp_context *context,
                  const uint8_t *operation, size_t size, struct vstamp_answer *answer)
{
    struct jobs *q = vstamp_pages_instance(pages);
    struct request r;
    if (parse(operation, size, &r) != NULL) return;
    come_back_in_time(q, context->timestamp_us);
    if (r.verb == PUSH)
        push(q, &context->limits, &r, answer);
    else if (r.verb == TAKE)
        take(q, context->timestamp_us + r.time_us, answer);
    else if (r.verb == DONE || r.verb == BACK)
        settle_with(q, &r, answer);
    else if (r.verb == REVIVE)
        revive(q, answer);
}

static void query(const struct vstamp_pages *pages, const uint8_t *operation, size_t size,
                  struct vstamp_answer *answer)
{
    const struct jobs *q = vstamp_pages_instance(pages);
    const struct node *node;
    struct request r;
    const char *wrong = parse(operation, size, &r);
    if (wrong == NULL && !forms[r.verb].reads)
        wrong = "only size and dead are read: leave --read out";
    answer->refused = wrong != NULL;
    if (wrong != NULL)
        say(answer, "%s", wrong);
    else if (r.verb == SIZE)
        say(answer, "ready %" PRIu64 " taken %" PRIu64 " dead %" PRIu64 "\n", q->n[READY],
            q->n[TAKEN], q->n[DEAD]);
    else
        TAILQ_FOREACH (node, &q->lines[DEAD], link)
            say(answer, "job %" PRIu64 ": %.*s\n", node->job.number, (int)node->job.size,
                node->job.text);
}

static uint64_t due(const struct vstamp_pages *pages)
{
    const struct jobs *q = vstamp_pages_instance(pages);
    const struct node *first = TAILQ_FIRST(&q->lines[TAKEN]);
    return first != NULL ? first->job.until_us : VSTAMP_NEVER;
}

static int tick(struct vstamp_pages *pages, const struct vstamp_context *context,
                struct vstamp_diag *why)
{
    (void)why;
    come_back_in_time(vstamp_pages_instance(pages), context->timestamp_us);
    return 0;
}

/* --- the instance ----------------------------------------------------------------------------- */

static int check(const struct vstamp_limits *limits, const uint8_t *operation, size_t size,
                 struct vstamp_diag *why)
{
    struct request r;
    const char *wrong = parse(operation, size, &r);
    (void)limits;
    if (wrong == NULL && forms[r.verb].reads) wrong = "size and dead want `call --read`";
    if (wrong == NULL) return 0;
    vstamp_diag_printf(why, "%s", wrong);
    return VSTAMP_E_INVALID;
}

static int open_jobs(const char *argument, const struct vstamp_limits *limits, void **instance,
                     struct vstamp_diag *why)
{
    (void)argument;
    (void)limits;
    struct jobs *q = *instance = calloc(1, sizeof *q);
    if (q == NULL) {
        vstamp_diag_printf(why, "out of memory");
        return VSTAMP_E_IO;
    }
    for (int line = 0; line < N_LINES; line++) TAILQ_INIT(&q->lines[line]);
    return 0;
}

static void close_jobs(void *instance)
{
    clear(instance);
    free(instance);
}

static void save(const void *instance, struct vstamp_save *to)
{
    const struct jobs *q = instance;
    const struct node *node;
    vstamp_save_bytes(to, &q->pushed, sizeof q->pushed);
    vstamp_save_bytes(to, &q->receipts, sizeof q->receipts);
    for (int line = 0; line < N_LINES; line++)
        TAILQ_FOREACH (node, &q->lines[line], link)
            vstamp_save_bytes(to, &node->job, sizeof node->job);
}

/* Which line a job is in, the job itself tells. */
static int line_of(const struct job *job)
{
    if (job->until_us != 0) return TAKEN;
    return job->deliveries < DELIVERIES ? READY : DEAD;
}

static int load(void *instance, struct vstamp_load *from, struct vstamp_diag *why)
{
    struct jobs *q = instance;
    struct job job;
    clear(q);
    q->pushed = q->receipts = 0;
    vstamp_load_bytes(from, &q->pushed, sizeof q->pushed);
    vstamp_load_bytes(from, &q->receipts, sizeof q->receipts);
    while (vstamp_load_bytes(from, &job, sizeof job) == sizeof job) {
        if (job.size > JOB_BYTES) {
            vstamp_diag_printf(why, "job %" PRIu64 " is longer than a job may be", job.number);
            return VSTAMP_E_MALFORMED;
        }
        struct node *node = malloc(sizeof *node);
        if (node == NULL) {
            vstamp_diag_printf(why, "out of memory");
            return VSTAMP_E_IO;
        }
        node->job = job;
        enter(q, line_of(&job), node);
    }
    return 0;
}

const struct vstamp_app vstamp_application = {.abi = VSTAMP_APP_ABI,
                                              .name = "jobs",
                                              .check = check,
                                              .apply = apply,
                                              .query = query,
                                              .due = due,
                                              .tick = tick,
                                              .open = open_jobs,
                                              .close = close_jobs,
                                              .save = save,
                                              .load = load};

/* SPDX-License-Identifier: BSD-2-Clause */
#include "replica/app_exec.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/checksum.h"
#include "replica/app_answer.h"
#include "replica/child.h"

#define HEAD_MAX      192u       /* of what is asked, a line */
#define SEED_BYTES    16u
#define GREET_TIMES   4u         /* as much time to start as to do anything else */
#define GRACE_MS      1000u      /* to end by itself */
#define IN_KEEP_BYTES (1u << 20) /* more than that is given back once a state was read */
#define QUERY_TRIES   2u

/* An operation or a tick that was told to a process, or will be, by the bytes of `asked`. */
struct told {
    bool is_tick;
    uint64_t number; /* of the question */
    uint64_t op_number;
    struct vstamp_id client;
    uint64_t answer; /* checksum_of */
    size_t at;       /* where it begins in `asked` */
};

enum stage {
    DOWN,    /* there is no process */
    STARTED, /* there is one, and it may not be ready to hear anything */
    GREETED, /* it has said what it is, and is in the state of a new group */
    UP       /* it has answered all that was answered */
};

/* How something that was asked of the process ended. */
enum trouble {
    NONE = CHILD_WELL,
    ENDED = CHILD_ENDED,
    SILENT = CHILD_SILENT,
    NO_ROOM = CHILD_NO_ROOM,
    WRONG,    /* it said what it should not */
    TOO_LONG, /* its answer is larger than there is room for */
    DIFFERS   /* it said something else than before */
};

struct app_exec {
    struct vstamp_app app;
    struct app_exec_options options;
    char *words[3];              /* as the program is given them, and NULL */
    char name[APP_NAME_MAX + 1]; /* empty: not known yet */
    bool ticks;                  /* it says when it has something to do */
    uint64_t due;                /* after all that was answered */
    struct child child;
    enum stage stage;
    uint64_t n_questions;
    struct buffer in;
    size_t used; /* of `in`, which may be forgotten */
    struct buffer saved, asked;
    size_t sent; /* of `asked`, to this process */
    struct told *told;
    size_t n_told, told_capacity;
    size_t n_answered;
    char last_words[APP_SHOWN_MAX]; /* of standard error */
    struct vstamp_diag failure;     /* it cannot go on */
};

/* What is wanted of the process, by one of the functions that are the application. */
struct errand {
    enum { APPLY, TICK, QUERY, SAVE, LOAD } kind;
    struct bytes operation;      /* of QUERY */
    struct vstamp_answer *answer; /* of APPLY and QUERY, or of TICK, if that is not executed */
};

#define TELL(x, wrong, event, ...)                           \
    (x)->options.tell((x)->options.ctx, wrong, event,        \
                      (const char *const[]){__VA_ARGS__, NULL})

#define NUMBER_SIZE 24u

static const char *number(char text[static NUMBER_SIZE], uint64_t n)
{
    snprintf(text, NUMBER_SIZE, "%" PRIu64, n);
    return text;
}

/* --- one question ----------------------------------------------------------------------------- */

static void forget_used(struct app_exec *x)
{
    x->in.size -= x->used;
    if (x->in.size > 0) memmove(x->in.data, x->in.data + x->used, x->in.size);
    x->used = 0;
    if (x->in.size == 0 && x->in.capacity > IN_KEEP_BYTES) buffer_release(&x->in);
}

static enum trouble wrong(struct vstamp_diag *why, const char *format, uint64_t a, uint64_t b)
{
    vstamp_diag_printf(why, format, a, b);
    return WRONG;
}

struct question {
    uint64_t number;
    struct bytes out[3]; /* what is to be written, which is advanced */
    enum app_word word;  /* of the answer */
    uint64_t body_max;
    bool tells_due;
    struct app_line line; /* the answer; */
    struct bytes body;    /* until the next question */
};

/* The line is one of the protocol; is it the one that answers the question? */
static enum trouble check_line(const struct question *q, struct vstamp_diag *why)
{
    const struct app_line *line = &q->line;

    if (line->word != q->word) {
        vstamp_diag_printf(why, "wrote '%s' where '%s' belongs", app_word_text(line->word),
                           app_word_text(q->word));
        return WRONG;
    }
    if (line->number != q->number)
        return wrong(why, "answered question %" PRIu64 " where it was asked %" PRIu64,
                     line->number, q->number);
    if (line->has_due != q->tells_due) {
        vstamp_diag_printf(why, line->has_due
                                    ? "said when it is due, which belongs to the answers of "
                                      "operations, and to those with 'ticks' in its hello"
                                    : "did not say when it is due, and has 'ticks' in its hello");
        return WRONG;
    }
    if (line->body <= q->body_max) return NONE;
    if (q->word == APP_STATE)
        return wrong(why, "has a state of %" PRIu64 " bytes, more than state_bytes_max allows (%"
                     PRIu64 ")", line->body, q->body_max);
    wrong(why, "gave an answer of %" PRIu64 " bytes, more than there is room for (%" PRIu64 ")",
          line->body, q->body_max);
    return TOO_LONG;
}

/* What has been read is, or is not yet, the whole answer. */
static enum trouble take_answer(struct app_exec *x, struct question *q, bool *whole,
                                struct vstamp_diag *why)
{
    int there = app_line_parse((struct bytes){x->in.data, x->in.size}, &q->line, why);
    enum trouble trouble = there > 0 ? check_line(q, why) : NONE;
    uint64_t total = there > 0 ? app_line_total(&q->line) : 0;

    *whole = false;
    if (there < 0) return WRONG;
    if (there == 0 || trouble != NONE) return trouble;
    if (x->in.size < total) {
        if (buffer_reserve(&x->in, total)) return NONE;
        vstamp_diag_printf(why, "cannot be read: out of memory");
        return NO_ROOM;
    }
    *whole = true;
    x->used = total;
    q->body = (struct bytes){x->in.data + q->line.size, q->line.body};
    if (total == q->line.size || x->in.data[total - 1] == '\n') return NONE;
    return wrong(why, "did not end its line after %" PRIu64 " bytes", q->line.body, 0);
}

static enum trouble ask(struct app_exec *x, struct question *q, struct vstamp_diag *why)
{
    uint32_t timeout_ms = x->options.timeout_ms * (q->word == APP_HELLO ? GREET_TIMES : 1);
    enum trouble trouble = NONE;
    bool whole = false;

    forget_used(x);
    while (trouble == NONE && !whole) {
        if (x->in.size > 0) trouble = take_answer(x, q, &whole, why);
        if (trouble == NONE && !whole)
            trouble = (enum trouble)child_exchange(&x->child, q->out, 3, &x->in, timeout_ms, why);
    }
    return trouble;
}

/* A question by itself: a word, its number, and with a body its size, the body and a line's end. */
static enum trouble ask_alone(struct app_exec *x, struct question *q, const char *word,
                              const struct bytes *body, struct vstamp_diag *why)
{
    char head[HEAD_MAX];

    q->number = ++x->n_questions;
    if (body == NULL) {
        snprintf(head, sizeof head, "%s %" PRIu64 "\n", word, q->number);
    } else {
        snprintf(head, sizeof head, "%s %" PRIu64 " %zu\n", word, q->number, body->size);
        q->out[1] = *body;
        q->out[2] = bytes_of("\n");
    }
    q->out[0] = bytes_of(head);
    return ask(x, q, why);
}

/* --- a process -------------------------------------------------------------------------------- */

static void put_down(struct app_exec *x)
{
    child_kill(&x->child);
    x->stage = DOWN;
}

static enum trouble start(struct app_exec *x, struct vstamp_diag *why)
{
    x->last_words[0] = '\0';
    x->in.size = x->used = x->sent = 0;
    x->stage = STARTED;
    return (enum trouble)child_start(&x->child, why);
}

static enum trouble greet(struct app_exec *x, struct vstamp_diag *why)
{
    const struct app_exec_options *o = &x->options;
    struct question q = {.number = APP_VERSION, .word = APP_HELLO};
    char head[HEAD_MAX], pid[NUMBER_SIZE];

    snprintf(head, sizeof head, "hello %u %" PRIu32 " %" PRIu32 " %" PRIu64 "\n", APP_VERSION,
             o->answer_capacity, o->limits.read_capacity, o->limits.state_bytes);
    q.out[0] = bytes_of(head);
    enum trouble trouble = ask(x, &q, why);
    if (trouble != NONE) return trouble;
    if (x->name[0] != '\0' && strcmp(x->name, q.line.name) != 0) {
        vstamp_diag_printf(why, "calls itself '%s', and was '%s'", q.line.name, x->name);
        return WRONG;
    }
    if (x->name[0] != '\0' && x->ticks != q.line.ticks) {
        vstamp_diag_printf(why, "says 'ticks' in one hello and not in the other");
        return WRONG;
    }
    memcpy(x->name, q.line.name, sizeof x->name);
    x->ticks = q.line.ticks;
    x->due = VSTAMP_NEVER;
    x->stage = GREETED;
    TELL(x, false, "app-started", "name", x->name, "program", o->program, "pid",
         number(pid, (uint64_t)x->child.pid));
    return NONE;
}

static enum trouble load_saved(struct app_exec *x, struct vstamp_diag *why)
{
    struct bytes state = {x->saved.data, x->saved.size};
    struct question q = {.word = APP_LOADED, .tells_due = x->ticks};

    if (state.size == 0) return NONE; /* that of a new group, in which it is */
    enum trouble trouble = ask_alone(x, &q, "load", &state, why);
    if (trouble == NONE) x->due = q.line.due;
    return trouble;
}

/* The next answer, to what was told; all that is known to come goes out with it. */
static enum trouble ask_told(struct app_exec *x, const struct told *t, struct bytes *answer,
                             struct vstamp_diag *why)
{
    struct question q = {.number = t->number,
                         .out[0] = {x->asked.data + x->sent, x->asked.size - x->sent},
                         .word = t->is_tick ? APP_TICKED : APP_ANSWER,
                         .body_max = x->options.answer_capacity,
                         .tells_due = x->ticks};
    enum trouble trouble = ask(x, &q, why);

    x->sent = x->asked.size - q.out[0].size;
    *answer = q.body;
    if (trouble == NONE) x->due = q.line.due;
    return trouble;
}

/* Of the answer that has just come, and of what it says is due. */
static uint64_t checksum_of(const struct app_exec *x, struct bytes answer)
{
    return checksum64(answer.data, answer.size) ^ x->due;
}

static enum trouble tell_again(struct app_exec *x, struct vstamp_diag *why)
{
    struct bytes answer;

    for (size_t i = 0; i < x->n_answered; i++) {
        const struct told *t = &x->told[i];
        enum trouble trouble = ask_told(x, t, &answer, why);

        if (trouble != NONE) return trouble;
        if (checksum_of(x, answer) == t->answer) continue;
        vstamp_diag_printf(why, "gave another answer to op-number %" PRIu64 " than before: it is "
                           "not deterministic", t->op_number);
        return DIFFERS; /* X3 */
    }
    return NONE;
}

static enum trouble bring_up(struct app_exec *x, struct vstamp_diag *why)
{
    enum trouble trouble = x->stage == DOWN ? start(x, why) : NONE;
    char bytes[NUMBER_SIZE], operations[NUMBER_SIZE];

    if (trouble == NONE && x->stage == STARTED) trouble = greet(x, why);
    if (trouble == NONE) trouble = load_saved(x, why);
    if (trouble == NONE) trouble = tell_again(x, why);
    if (trouble != NONE) return trouble;
    x->stage = UP;
    if (x->saved.size > 0 || x->n_answered > 0)
        TELL(x, false, "app-restored", "state_bytes", number(bytes, x->saved.size), "operations",
             number(operations, x->n_answered));
    return NONE;
}

/* --- errands ---------------------------------------------------------------------------------- */

static enum trouble do_apply(struct app_exec *x, const struct errand *e, struct vstamp_diag *why)
{
    struct told *t = &x->told[x->n_answered];
    struct bytes answer;
    enum trouble trouble = ask_told(x, t, &answer, why);

    if (trouble != NONE) return trouble;
    if (e->kind == APPLY) {
        assert(answer.size <= e->answer->capacity);
        memcpy(e->answer->data, answer.data, answer.size);
        e->answer->size = answer.size;
    }
    t->answer = checksum_of(x, answer);
    x->n_answered++;
    return NONE;
}

static enum trouble do_query(struct app_exec *x, const struct errand *e, struct vstamp_diag *why)
{
    struct question q = {.word = APP_ANSWER, .body_max = e->answer->capacity};
    enum trouble trouble = ask_alone(x, &q, "query", &e->operation, why);

    if (trouble != NONE) return trouble;
    memcpy(e->answer->data, q.body.data, q.body.size);
    e->answer->size = q.body.size;
    return NONE;
}

/* All of it is in the state that is saved, or was loaded. */
static void forget_told(struct app_exec *x)
{
    x->n_told = x->n_answered = x->asked.size = x->sent = 0;
}

static enum trouble do_save(struct app_exec *x, const struct errand *e, struct vstamp_diag *why)
{
    struct question q = {.word = APP_STATE, .body_max = x->options.limits.state_bytes};
    enum trouble trouble = ask_alone(x, &q, "save", NULL, why);

    (void)e;
    if (trouble != NONE) return trouble;
    if (!buffer_reserve(&x->saved, q.body.size)) {
        vstamp_diag_printf(why, "has a state of %zu bytes: out of memory", q.body.size);
        return NO_ROOM;
    }
    x->saved.size = 0;
    buffer_append(&x->saved, q.body.data, q.body.size);
    forget_told(x);
    return NONE;
}

/* Where it failed, for people. */
static void say_where(const struct app_exec *x, const struct errand *e, bool up,
                      char *into, size_t size)
{
    const struct told *t = x->n_answered < x->n_told ? &x->told[x->n_answered] : NULL;

    if (x->name[0] == '\0')
        snprintf(into, size, "when it was started");
    else if (!up)
        snprintf(into, size, "when it was started with a state of %zu bytes and %zu operations",
                 x->saved.size, x->n_answered);
    else if (e->kind == APPLY && t != NULL)
        snprintf(into, size, "at op-number %" PRIu64 " of client %016" PRIx64 "%016" PRIx64,
                 t->op_number, t->client.hi, t->client.lo);
    else if (e->kind == TICK && t != NULL)
        snprintf(into, size, "at the tick of op-number %" PRIu64, t->op_number);
    else
        snprintf(into, size, "%s", e->kind == QUERY  ? "at a read"
                                   : e->kind == SAVE ? "when it was to save its state"
                                                     : "when it was given a state");
}

/* The name of a line's last field; NULL ends the line without it. */
static const char *said(const struct app_exec *x)
{
    return x->last_words[0] != '\0' ? "said" : NULL;
}

/* Nothing of it, nor of what was to come behind it, is in the state that the next process is given
 * (X5). */
static void refuse_told(struct app_exec *x, struct vstamp_answer *answer,
                        const struct vstamp_diag *why)
{
    int n = snprintf((char *)answer->data, answer->capacity,
                     "%.80s %.200s, three times in a row%s%s", x->options.program, why->text,
                     x->last_words[0] != '\0' ? "; it last said: " : "", x->last_words);

    answer->size = (size_t)n < answer->capacity ? (size_t)n : answer->capacity - 1;
    answer->not_executed = true;
    x->asked.size = x->told[x->n_answered].at;
    x->n_told = x->n_answered;
}

static void complain(struct app_exec *x, const struct errand *e, bool up, uint32_t tries,
                     const struct vstamp_diag *why, bool final)
{
    const char *says = x->last_words[0] != '\0' ? "; it last said: " : "";
    char where[160], try[NUMBER_SIZE];

    say_where(x, e, up, where, sizeof where);
    TELL(x, true, "app-failed", "reason", why->text, "where", where, "try", number(try, tries),
         said(x), x->last_words);
    if (!final) return;
    vstamp_diag_printf(&x->failure,
                       "%.80s %.200s %s%s%s%s: mend the program and start this replica again",
                       x->options.program, why->text, where,
                       tries == EXEC_TRIES ? ", three times in a row" : "", says, x->last_words);
}

static void refuse_query(struct vstamp_answer *answer, const struct vstamp_diag *why)
{
    int n = snprintf((char *)answer->data, answer->capacity,
                     "the application %s at this read; it is started anew", why->text);

    answer->size = (size_t)n < answer->capacity ? (size_t)n : answer->capacity;
    answer->refused = true;
}

/* What becomes of an errand at which a process has failed. */
enum verdict {
    AGAIN,   /* another process may do it */
    REFUSED, /* the read is; whoever asks next may fare better */
    SKIPPED, /* the operation is not executed (X5) */
    GIVEN_UP /* nor is anything else */
};

/* `up`: it was told all that was before, and failed at the errand itself. */
static enum verdict judge(const struct errand *e, bool up, enum trouble trouble, uint32_t tries)
{
    bool was_last = tries == EXEC_TRIES;

    if (up && e->kind == QUERY &&
        (trouble == SILENT || trouble == TOO_LONG || tries == QUERY_TRIES))
        return REFUSED;
    if (up && (e->kind == APPLY || e->kind == TICK) && was_last && trouble != NO_ROOM)
        return SKIPPED;
    return was_last || trouble == DIFFERS || trouble == NO_ROOM ? GIVEN_UP : AGAIN;
}

/* Until it is done, or cannot be. */
static void carry_out(struct app_exec *x, const struct errand *e)
{
    static enum trouble (*const steps[])(struct app_exec *, const struct errand *,
                                         struct vstamp_diag *) = {
        [APPLY] = do_apply, [TICK] = do_apply, [QUERY] = do_query, [SAVE] = do_save,
        [LOAD] = NULL /* to be up is all */};
    enum verdict verdict = AGAIN;

    for (uint32_t tries = 1; verdict == AGAIN && x->failure.text[0] == '\0'; tries++) {
        struct vstamp_diag why = {0};
        enum trouble trouble = x->stage != UP ? bring_up(x, &why) : NONE;
        bool up = trouble == NONE;

        if (up && steps[e->kind] != NULL) trouble = steps[e->kind](x, e, &why);
        if (trouble == NONE) return;
        put_down(x); /* X4 */
        verdict = judge(e, up, trouble, tries);
        complain(x, e, up, tries, &why, verdict == GIVEN_UP);
        if (verdict == REFUSED) refuse_query(e->answer, &why);
        if (verdict == SKIPPED) refuse_told(x, e->answer, &why);
    }
}

/* --- the application -------------------------------------------------------------------------- */

static bool grow_told(struct app_exec *x)
{
    size_t capacity = 2 * x->told_capacity + 64;

    if (x->n_told < x->told_capacity) return true;
    struct told *grown = realloc(x->told, capacity * sizeof *grown);
    if (grown == NULL) return false;
    x->told = grown;
    x->told_capacity = capacity;
    return true;
}

/* Into `asked`, in the words of the protocol; without an operation a tick. */
static bool note(struct app_exec *x, const struct vstamp_context *context,
                 const struct vstamp_operation *operation)
{
    uint64_t seed[SEED_BYTES / sizeof(uint64_t)] = {0};
    char head[HEAD_MAX];

    if (!grow_told(x)) return false;
    if (context->prediction_size == SEED_BYTES) memcpy(seed, context->prediction, SEED_BYTES);
    size_t at = x->asked.size;
    int n = snprintf(head, sizeof head, "%s %" PRIu64 " %" PRIu64 " %" PRIu64,
                     operation == NULL ? "tick" : "apply", ++x->n_questions, context->op_number,
                     context->timestamp_us);
    if (operation != NULL)
        snprintf(head + n, sizeof head - (size_t)n,
                 " %016" PRIx64 "%016" PRIx64 " %" PRIu64 " %016" PRIx64 "%016" PRIx64 " %zu\n",
                 context->client.hi, context->client.lo, context->session, seed[0], seed[1],
                 operation->size);
    if (!buffer_append(&x->asked, head, strlen(head)) ||
        (operation != NULL && !buffer_append(&x->asked, operation->data, operation->size)) ||
        !buffer_append(&x->asked, "\n", 1))
        return false;
    x->told[x->n_told++] = (struct told){.is_tick = operation == NULL,
                                         .number = x->n_questions,
                                         .op_number = context->op_number,
                                         .client = context->client,
                                         .at = at};
    return true;
}

static void announce(struct vstamp_pages *pages, const struct vstamp_context *contexts,
                     const struct vstamp_operation *operations, size_t n)
{
    struct app_exec *x = vstamp_pages_instance(pages);

    assert(x->n_told == x->n_answered || x->failure.text[0] != '\0');
    for (size_t i = 0; i < n && x->failure.text[0] == '\0'; i++)
        if (!note(x, &contexts[i], &operations[i]))
            vstamp_diag_printf(&x->failure, "out of memory");
}

static void apply(struct vstamp_pages *pages, const struct vstamp_context *context,
                  const uint8_t *operation, size_t size, struct vstamp_answer *answer)
{
    struct app_exec *x = vstamp_pages_instance(pages);
    const struct vstamp_operation alone = {operation, size};

    answer->size = 0;
    if (x->n_answered == x->n_told) announce(pages, context, &alone, 1);
    if (x->failure.text[0] == '\0')
        assert(x->told[x->n_answered].op_number == context->op_number);
    carry_out(x, &(struct errand){.kind = APPLY, .answer = answer});
}

static uint64_t due(const struct vstamp_pages *pages)
{
    const struct app_exec *x = vstamp_pages_instance(pages);

    return x->due;
}

static int tick(struct vstamp_pages *pages, const struct vstamp_context *context,
                struct vstamp_diag *why)
{
    struct vstamp_answer answer = {.data = (uint8_t *)why->text, .capacity = sizeof why->text};
    struct app_exec *x = vstamp_pages_instance(pages);

    assert(x->n_told == x->n_answered || x->failure.text[0] != '\0');
    if (x->failure.text[0] == '\0' && !note(x, context, NULL))
        vstamp_diag_printf(&x->failure, "out of memory");
    carry_out(x, &(struct errand){.kind = TICK, .answer = &answer});
    return answer.not_executed ? VSTAMP_E_IO : 0;
}

static void query(const struct vstamp_pages *pages, const uint8_t *operation, size_t size,
                  struct vstamp_answer *answer)
{
    struct app_exec *x = vstamp_pages_instance(pages);

    answer->size = 0;
    carry_out(x, &(struct errand){
                     .kind = QUERY, .operation = {operation, size}, .answer = answer});
}

static void predict(const struct vstamp_pages *pages, const uint64_t seed[VSTAMP_SEED_WORDS],
                    const uint8_t *operation, size_t size, struct vstamp_answer *prediction)
{
    (void)pages;
    (void)operation;
    (void)size;
    memcpy(prediction->data, seed, SEED_BYTES);
    prediction->size = SEED_BYTES;
}

/* What is saved is in our memory before anything of it is written: a process may fail meanwhile. */
static void save(const void *instance, struct vstamp_save *to)
{
    struct app_exec *x = (struct app_exec *)(uintptr_t)instance;

    carry_out(x, &(struct errand){.kind = SAVE});
    if (x->failure.text[0] == '\0') vstamp_save_bytes(to, x->saved.data, x->saved.size);
}

static int load(void *instance, struct vstamp_load *from, struct vstamp_diag *why)
{
    struct app_exec *x = instance;
    uint64_t size = vstamp_load_left(from);

    forget_told(x);
    x->saved.size = 0;
    if (!buffer_reserve(&x->saved, size)) {
        vstamp_diag_printf(why, "out of memory for a state of %" PRIu64 " bytes", size);
        return VSTAMP_E_IO;
    }
    x->saved.size = vstamp_load_bytes(from, x->saved.data, size);
    if (x->stage == UP) put_down(x); /* X1 */
    carry_out(x, &(struct errand){.kind = LOAD});
    if (x->failure.text[0] == '\0') return 0;
    *why = x->failure;
    return VSTAMP_E_IO;
}

static const char *failure(const void *instance)
{
    const struct app_exec *x = instance;

    return x->failure.text[0] != '\0' ? x->failure.text : NULL;
}

static void close_exec(void *instance)
{
    struct app_exec *x = instance;

    child_stop(&x->child, GRACE_MS);
    child_close(&x->child);
    buffer_release(&x->in);
    buffer_release(&x->saved);
    buffer_release(&x->asked);
    free(x->told);
    free(x);
}

/* --- for its host ----------------------------------------------------------------------------- */

static void heard(void *ctx, const char *line)
{
    struct app_exec *x = ctx;

    app_show(bytes_of(line), x->last_words);
    TELL(x, false, "app-says", "line", line);
}

int app_exec_open(struct app_exec **opened, const struct app_exec_options *options,
                  struct vstamp_diag *diag)
{
    struct app_exec *x = calloc(1, sizeof *x);
    struct vstamp_diag why = {0};

    *opened = x;
    if (x == NULL) {
        vstamp_diag_printf(diag, "out of memory");
        return VSTAMP_E_IO;
    }
    x->options = *options;
    x->words[0] = (char *)(uintptr_t)options->program;
    x->words[1] = (char *)(uintptr_t)options->argument;
    int rv = child_init(&x->child, x->words, heard, x, diag);
    if (rv == 0 && (start(x, &why) != NONE || greet(x, &why) != NONE)) {
        put_down(x);
        vstamp_diag_printf(diag, "%s %s%s%s", options->program, why.text,
                           x->last_words[0] != '\0' ? "; it said: " : "", x->last_words);
        rv = VSTAMP_E_CONFIG;
    }
    if (rv != 0) {
        close_exec(x);
        *opened = NULL;
        return rv;
    }
    x->app = (struct vstamp_app){.abi = VSTAMP_APP_ABI,
                                 .name = x->name,
                                 .apply = apply,
                                 .query = query,
                                 .due = x->ticks ? due : NULL,
                                 .tick = x->ticks ? tick : NULL,
                                 .save = save,
                                 .load = load,
                                 .predict = predict,
                                 .announce = announce,
                                 .failure = failure,
                                 .close = close_exec};
    return 0;
}

const struct vstamp_app *app_exec_app(const struct app_exec *x)
{
    return &x->app;
}

int app_exec_descriptor(const struct app_exec *x)
{
    return x->child.says;
}

void app_exec_listen(struct app_exec *x)
{
    child_listen(&x->child);
}

void app_exec_look(struct app_exec *x)
{
    struct vstamp_diag how = {0};
    bool began = x->stage == STARTED;

    if (x->stage == DOWN || !child_has_ended(&x->child, &how)) return;
    put_down(x);
    TELL(x, true, "app-ended", "reason", how.text, said(x), x->last_words);
    if (!began && start(x, &how) != NONE) put_down(x); /* else when it is needed */
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* Answers and errors, for people and as JSON.
 *
 *   a command   the answer on standard output, what went wrong on standard error
 *   the shell   both on standard output, one line each, so that answers can be told apart in a pipe
 *   --json      one object on one line of standard output, whatever happened
 *
 * The exit status follows the answer alone: "no" is 1, and the operation that was refused by the
 * state it met (not a number, full) ends as if the group had refused it. */
#include <config.h>

#include "client/answer.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/json_bytes.h"
#include "client/memory.h"
#include "client/operation.h"
#include "client/result.h"
#include "program/escape.h"

json_t *answer_named(const char *word)
{
    json_t *object = json_object();
    json_object_set_new(object, "op", json_string(word));
    return object;
}

json_t *answer_named_key(const char *word, struct bytes key)
{
    json_t *object = answer_named(word);
    json_bytes_set(object, "key", key);
    return object;
}

json_t *answer_asked(struct operation operation)
{
    struct kv_op op = {0};
    if (operation_is_call(operation)) return answer_named("call");
    bool makes_sense = kv_decode_op(operation.bytes, &op) == NULL;
    bool has_key = op.verb != 0 && op.verb != KV_DEL; /* keys that may not be walked */
    return makes_sense || has_key ? result_question(&op) : answer_named(kv_verb_word(op.verb));
}

void answer_print_json(struct client *c, json_t *object, const struct outcome *o)
{
    if (c->options.viewstamps && o != NULL && o->err == 0) {
        json_object_set_new(object, "epoch", json_integer((json_int_t)o->epoch));
        json_object_set_new(object, "view", json_integer((json_int_t)o->view));
        json_object_set_new(object, "op_number", json_integer((json_int_t)o->op));
    }
    json_dumpf(object, stdout, JSON_COMPACT | JSON_REAL_PRECISION(9));
    putchar('\n');
    json_decref(object);
}

void answer_print_viewstamp(const struct client *c, const struct outcome *o)
{
    if (!c->options.viewstamps) return;
    fflush(stdout);
    fprintf(stderr, "viewstamp: epoch %" PRIu32 ", view %" PRIu64 ", op-number %" PRIu64 "\n",
            o->epoch, o->view, o->op);
}

int answer_error(struct client *c, json_t *named, const struct outcome *o)
{
    c->n_shown++;
    bool was_stopped = c->signal != 0 && !o->may_have_run; /* by the user, who knows */
    if (c->options.json) {
        json_object_set_new(named, "ok", json_false());
        json_object_set_new(named, "error", json_string(c->signal != 0 ? "interrupted" : o->error));
        json_object_set_new(named, "outcome", json_string(o->may_have_run ? "unknown" : "none"));
        json_bytes_set(named, "message", bytes_of(o->message));
        answer_print_json(c, named, o);
    } else {
        json_decref(named);
    }
    if (c->in_shell) {
        if (!c->options.json) printf("(error) %s\n", o->message);
    } else if (!was_stopped) {
        cli_complain(c->cli, "%s", o->message);
    }
    return vstamp_err_exit(o->err);
}

int answer_refuse(struct client *c, json_t *named, int err, const struct vstamp_diag *diag)
{
    struct outcome o = {0};
    outcome_fail(&o, err, false, "%s", diag->text[0] != '\0' ? diag->text : vstamp_err_text(err));
    int status = answer_error(c, named, &o);
    outcome_release(&o);
    return status;
}

/* The operation ran and met a state that refused it. */
static int refused_by_state(struct client *c, const struct kv_op *op, const struct kv_answer *a)
{
    static const char *const advices[] = {
        [KV_ANSWER_NOT_A_NUMBER] = "put a number there first",
        [KV_ANSWER_OVERFLOW] = "the counter stays as it is",
        [KV_ANSWER_TOO_LARGE] =
            "store less under one key, or restore a backup into a group with a larger "
            "max_value_bytes",
        [KV_ANSWER_FULL] =
            "remove keys, or restore a backup into a group with a larger state_bytes_max",
    };
    bool has_advice = a->status < sizeof advices / sizeof advices[0] && advices[a->status] != NULL;
    const char *advice = has_advice ? advices[a->status] : "the operation had no effect";
    char *key = NULL;
    size_t size;
    FILE *into = memory_stream(&key, &size);
    if (op->verb == KV_TXN)
        fprintf(into, "nothing was done: operation %" PRId64 " behind '%s'", a->number,
                result_branch_word(a->branch));
    else
        escape_print(into, op->key, ESCAPE_LINE);
    fclose(into);
    char limit[32] = "";
    if (a->status == KV_ANSWER_TOO_LARGE && kv_is_write(op->verb) && op->verb != KV_TXN)
        snprintf(limit, sizeof limit, ", %" PRId64 " bytes", a->number);
    struct outcome o = {0};
    outcome_fail(&o, kv_answer_err(a->status), false, "%s%s%s%s: %s", key, size > 0 ? ": " : "",
                 kv_answer_text(a->status), limit, advice);
    int exit_status = answer_error(c, result_question(op), &o);
    outcome_release(&o);
    free(key);
    return exit_status;
}

static bool says_not_found(enum kv_verb verb)
{
    return verb == KV_GET || verb == KV_EXPIRE || verb == KV_TTL;
}

static void print_no(const struct client *c, const struct kv_op *op, enum kv_answer_status status)
{
    if (c->in_shell) {
        puts(says_not_found(op->verb) ? "(not found)" : "(not swapped)");
        return;
    }
    char *key = NULL;
    size_t size;
    FILE *into = memory_stream(&key, &size);
    escape_print(into, op->key, ESCAPE_LINE);
    fclose(into);
    if (says_not_found(op->verb))
        cli_complain(c->cli, "key not found: %s", key);
    else
        cli_complain(c->cli, "not swapped: %s: %s", key,
                     op->verb == KV_CAS_ABSENT ? "there is a value already"
                                               : kv_answer_text(status));
    free(key);
}

/* The application's bytes as they are; on a terminal nothing that could take it over, and whole
 * lines; in the shell, on one line. */
static int show_call(struct client *c, const struct outcome *o)
{
    if (c->options.json) {
        json_t *object = answer_named("call");
        json_object_set_new(object, "ok", json_true());
        json_bytes_set(object, "answer", o->called);
        answer_print_json(c, object, o);
        return CLI_OK;
    }
    if (c->in_shell) {
        escape_print(stdout, o->called, ESCAPE_LINE);
        putchar('\n');
    } else if (isatty(STDOUT_FILENO)) {
        escape_print(stdout, o->called, ESCAPE_TERMINAL);
        if (o->called.size == 0 || o->called.data[o->called.size - 1] != '\n') putchar('\n');
    } else if (o->called.size > 0) {
        fwrite(o->called.data, 1, o->called.size, stdout);
    }
    answer_print_viewstamp(c, o);
    return CLI_OK;
}

int answer_show(struct client *c, struct operation operation, const struct outcome *o, bool raw)
{
    if (o->err != 0) return answer_error(c, answer_asked(operation), o);
    if (operation_is_call(operation)) return show_call(c, o);
    struct kv_op op = {0};
    kv_decode_op(operation.bytes, &op);
    enum kv_answer_status status = o->answer.status;
    bool yes = status == KV_ANSWER_DONE;
    if (kv_answer_err(status) != 0) return refused_by_state(c, &op, &o->answer);
    if (c->options.json) {
        answer_print_json(c, result_object(&op, &o->answer), o);
    } else {
        if (yes)
            result_print(c, &op, &o->answer, raw);
        else
            print_no(c, &op, status);
        answer_print_viewstamp(c, o);
    }
    bool chose_else = op.verb == KV_TXN && o->answer.branch == KV_ELSE;
    return yes && !chose_else ? CLI_OK : CLI_NO;
}

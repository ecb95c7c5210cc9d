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

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/base64.h"
#include "client/client.h"
#include "client/operation.h"
#include "client/ttl.h"
#include "program/escape.h"

json_t *answer_named(const char *word)
{
    json_t *object = json_object();
    json_object_set_new(object, "op", json_string(word));
    return object;
}

void answer_set_bytes(json_t *object, const char *name, struct bytes text)
{
    json_t *value = text.size == 0 ? json_string("") /* NULL unless UTF-8 */
                                   : json_stringn((const char *)text.data, text.size);
    if (value != NULL) {
        json_object_set_new(object, name, value);
        return;
    }
    char other_name[32];
    snprintf(other_name, sizeof other_name, "%s_base64", name);
    char *encoded = base64_encode(text);
    json_object_set_new(object, other_name, json_string(encoded));
    free(encoded);
}

void answer_print_json(struct client *c, json_t *object, const struct outcome *o)
{
    if (c->options.viewstamps && o != NULL && o->err == 0) {
        json_object_set_new(object, "epoch", json_integer((json_int_t)o->epoch));
        json_object_set_new(object, "view", json_integer((json_int_t)o->view));
        json_object_set_new(object, "op_number", json_integer((json_int_t)o->op));
    }
    json_dumpf(object, stdout, JSON_COMPACT);
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

/* ["a", {"base64": "/w=="}] */
static json_t *key_list(const struct kv_op *op)
{
    json_t *list = json_array();
    struct bytes keys = op->keys_encoded, key;
    for (uint32_t i = 0; i < op->n_keys; i++) {
        kv_keys_next(&keys, &key);
        json_t *element = json_stringn((const char *)key.data, key.size);
        if (element == NULL) {
            char *encoded = base64_encode(key);
            element = json_pack("{s:s}", "base64", encoded);
            free(encoded);
        }
        json_array_append_new(list, element);
    }
    return list;
}

/* What was asked: {"op": ..., "key": ...}. */
static json_t *named_after(const struct kv_op *op)
{
    json_t *object = answer_named(operation_word(op->verb));
    if (op->verb == KV_LIST) {
        answer_set_bytes(object, "prefix", op->key);
    } else if (op->n_keys == 1) {
        struct bytes keys = op->keys_encoded, key;
        kv_keys_next(&keys, &key);
        answer_set_bytes(object, "key", key);
    } else if (op->verb == KV_DEL) {
        json_object_set_new(object, "keys", key_list(op));
    } else if (op->verb != KV_SIZE && op->verb != KV_TXN) {
        answer_set_bytes(object, "key", op->key);
    }
    return object;
}

int answer_error(struct client *c, json_t *named, const struct outcome *o)
{
    c->n_shown++;
    bool was_stopped = c->signal != 0 && !o->may_have_run; /* by the user, who knows */
    if (c->options.json) {
        json_object_set_new(named, "ok", json_false());
        json_object_set_new(named, "error", json_string(c->signal != 0 ? "interrupted" : o->error));
        json_object_set_new(named, "outcome", json_string(o->may_have_run ? "unknown" : "none"));
        answer_set_bytes(named, "message", bytes_of(o->message));
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

int answer_refuse(struct client *c, const char *word, int err, const struct vstamp_diag *diag)
{
    struct outcome o = {0};
    client_catch_up(c);
    outcome_fail(&o, err, false, "%s", diag->text[0] != '\0' ? diag->text : vstamp_err_text(err));
    int status = answer_error(c, answer_named(word), &o);
    outcome_release(&o);
    return status;
}

/* The operation ran and met a state that refused it. */
static int refused_by_state(struct client *c, const struct kv_op *op, const struct kv_answer *a)
{
    static const struct {
        enum kv_answer_status status;
        int err;
        const char *advice;
    } refusals[] = {
        {KV_ANSWER_NOT_A_NUMBER, VSTAMP_E_NOT_A_NUMBER, "put a number there first"},
        {KV_ANSWER_OVERFLOW, VSTAMP_E_OVERFLOW, "the counter stays as it is"},
        {KV_ANSWER_TOO_LARGE, VSTAMP_E_TOO_LARGE,
         "store less under one key, or raise max_value_bytes"},
        {KV_ANSWER_FULL, VSTAMP_E_FULL, "remove keys, or raise state_bytes_max"},
    };
    int err = VSTAMP_E_INVALID;
    const char *advice = "the operation had no effect";
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        if (refusals[i].status != a->status) continue;
        err = refusals[i].err;
        advice = refusals[i].advice;
    }
    char *key = NULL;
    size_t size;
    FILE *into = open_memstream(&key, &size);
    if (into == NULL) abort();
    if (op->verb == KV_TXN)
        fprintf(into, "nothing was done: operation %" PRId64 " behind '%s'", a->number,
                answer_branch_word(a->branch));
    else
        escape_print(into, op->key, ESCAPE_LINE);
    fclose(into);
    char limit[32] = "";
    if (a->status == KV_ANSWER_TOO_LARGE && kv_is_write(op->verb) && op->verb != KV_TXN)
        snprintf(limit, sizeof limit, ", %" PRId64 " bytes", a->number);
    struct outcome o = {0};
    outcome_fail(&o, err, false, "%s%s%s%s: %s", key, size > 0 ? ": " : "",
                 kv_answer_text(a->status), limit, advice);
    int exit_status = answer_error(c, named_after(op), &o);
    outcome_release(&o);
    free(key);
    return exit_status;
}

/* Of a key that lives for ever both are null. */
static void set_ttl(json_t *object, uint64_t expiry)
{
    json_t *ttl = json_null(), *at = json_null();
    if (expiry != 0) {
        ttl = json_integer((json_int_t)(ttl_left_us(expiry) / 1000));
        at = json_integer((json_int_t)expiry);
    }
    json_object_set_new(object, "ttl_ms", ttl);
    json_object_set_new(object, "expires_us", at);
}

static void set_result(json_t *object, const struct kv_op *op, const struct kv_answer *a, bool yes)
{
    switch (op->verb) {
    case KV_GET:
        json_object_set_new(object, "found", json_boolean(yes));
        if (yes) answer_set_bytes(object, "value", a->value);
        break;
    case KV_TXN:
        answer_set_txn(object, op, a);
        break;
    case KV_EXPIRE:
        json_object_set_new(object, "found", json_boolean(yes));
        break;
    case KV_TTL:
        json_object_set_new(object, "found", json_boolean(yes));
        if (yes) set_ttl(object, (uint64_t)a->number);
        break;
    case KV_CAS:
    case KV_CAS_ABSENT:
        json_object_set_new(object, "swapped", json_boolean(yes));
        break;
    case KV_INCR: { /* as text: readers of JSON lose digits above 2^53 */
        char number[24];
        snprintf(number, sizeof number, "%" PRId64, a->number);
        json_object_set_new(object, "value", json_string(number));
        break;
    }
    case KV_APPEND:
        json_object_set_new(object, "length", json_integer((json_int_t)a->number));
        break;
    case KV_DEL:
        json_object_set_new(object, "deleted", json_integer((json_int_t)a->number));
        break;
    case KV_SIZE:
        json_object_set_new(object, "keys", json_integer((json_int_t)a->number));
        json_object_set_new(object, "bytes", json_integer((json_int_t)a->number2));
        break;
    case KV_PUT:
    case KV_LIST:    /* cmd_list.c */
    case KV_CHANGES: /* cmd_watch.c */
        break;
    }
}

/* A value for people: on a terminal nothing that could take it over, in the shell on one line. */
static void print_value(const struct client *c, struct bytes value, bool raw)
{
    if (raw) {
        fwrite(value.data, 1, value.size, stdout);
        return;
    }
    if (c->in_shell)
        escape_print(stdout, value, ESCAPE_LINE);
    else if (isatty(STDOUT_FILENO))
        escape_print(stdout, value, ESCAPE_TERMINAL);
    else
        fwrite(value.data, 1, value.size, stdout);
    putchar('\n');
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
    FILE *into = open_memstream(&key, &size);
    if (into == NULL) abort();
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

static void print_yes(const struct client *c, const struct kv_op *op, const struct kv_answer *a,
                      bool raw)
{
    switch (op->verb) {
    case KV_GET:
        print_value(c, a->value, raw);
        break;
    case KV_PUT:
    case KV_CAS:
    case KV_CAS_ABSENT:
    case KV_EXPIRE:
        puts("OK");
        break;
    case KV_TTL: {
        uint64_t left_ms = ttl_left_us((uint64_t)a->number) / 1000;
        if (a->number == 0) puts("never");
        else printf("%" PRIu64 ".%03" PRIu64 "s\n", left_ms / 1000, left_ms % 1000);
        break;
    }
    case KV_INCR:
    case KV_APPEND:
    case KV_DEL:
        printf("%" PRId64 "\n", a->number);
        break;
    case KV_SIZE:
        printf("%" PRId64 " keys, %" PRId64 " bytes\n", a->number, a->number2);
        break;
    case KV_TXN:
        answer_print_txn(c, op, a);
        break;
    case KV_LIST:    /* cmd_list.c */
    case KV_CHANGES: /* cmd_watch.c */
        break;
    }
}

/* The application's bytes as they are; in the shell, on one line. */
static int show_call(struct client *c, const struct outcome *o)
{
    if (o->err != 0) return answer_error(c, answer_named("call"), o);
    if (c->options.json) {
        json_t *object = answer_named("call");
        json_object_set_new(object, "ok", json_true());
        answer_set_bytes(object, "answer", o->called);
        answer_print_json(c, object, o);
        return CLI_OK;
    }
    if (c->in_shell) {
        escape_print(stdout, o->called, ESCAPE_LINE);
        putchar('\n');
    } else if (o->called.size > 0) {
        fwrite(o->called.data, 1, o->called.size, stdout);
    }
    answer_print_viewstamp(c, o);
    return CLI_OK;
}

/* Of what a transaction could not do for one of its operations; it is a read. */
static const char *step_refusal(const struct kv_op *step, const struct kv_answer *a)
{
    if (step->verb == KV_GET && a->status == KV_ANSWER_TOO_LARGE)
        return "too large for this answer: get it by itself";
    return kv_answer_text(a->status);
}

json_t *answer_object(const struct kv_op *op, const struct kv_answer *a)
{
    bool yes = a->status == KV_ANSWER_DONE;
    bool ok = yes || a->status == KV_ANSWER_ABSENT || a->status == KV_ANSWER_MISMATCH;
    json_t *object = named_after(op);
    json_object_set_new(object, "ok", json_boolean(ok));
    if (ok) set_result(object, op, a, yes);
    else json_object_set_new(object, "message", json_string(step_refusal(op, a)));
    return object;
}

void answer_print_step(const struct client *c, const struct kv_op *step, const struct kv_answer *a)
{
    if (a->status == KV_ANSWER_DONE) print_yes(c, step, a, false);
    else if (a->status == KV_ANSWER_ABSENT) puts("(not found)");
    else printf("(%s)\n", step_refusal(step, a));
}

int answer_show(struct client *c, struct bytes operation, const struct outcome *o, bool raw)
{
    if (c->call != CLIENT_CALL_NONE) return show_call(c, o);
    struct kv_op op = {0};
    if (kv_decode_op(operation, &op) != NULL) {
        bool has_key = op.verb != 0 && op.verb != KV_DEL; /* keys that may not be walked */
        return answer_error(c, has_key ? named_after(&op) : answer_named(operation_word(op.verb)),
                            o);
    }
    if (o->err != 0) return answer_error(c, named_after(&op), o);
    enum kv_answer_status status = o->answer.status;
    bool yes = status == KV_ANSWER_DONE;
    if (!yes && status != KV_ANSWER_ABSENT && status != KV_ANSWER_MISMATCH)
        return refused_by_state(c, &op, &o->answer);
    if (c->options.json) {
        answer_print_json(c, answer_object(&op, &o->answer), o);
    } else {
        if (yes)
            print_yes(c, &op, &o->answer, raw);
        else
            print_no(c, &op, status);
        answer_print_viewstamp(c, o);
    }
    bool chose_else = op.verb == KV_TXN && o->answer.branch == KV_ELSE;
    return yes && !chose_else ? CLI_OK : CLI_NO;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* What an operation of the store was asked and answered (result.h).
 *
 * A transaction answers with the list of its that ran.  For people it is a line for each operation,
 * behind the word of the list; the shell has that word at the end, as it has the count of a
 * listing, so that a program at the other end knows where it is. */
#include <config.h>

#include "client/result.h"

#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include <vstamp/error.h>

#include "client/base64.h"
#include "client/json_bytes.h"
#include "client/operation.h"
#include "client/ttl.h"
#include "program/escape.h"

/* --- questions -------------------------------------------------------------------------------- */

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

json_t *result_question(const struct kv_op *op)
{
    json_t *object = json_object();
    json_object_set_new(object, "op", json_string(kv_verb_word(op->verb)));
    if (op->verb == KV_LIST) {
        json_bytes_set(object, "prefix", op->key);
    } else if (op->n_keys == 1) {
        struct bytes keys = op->keys_encoded, key;
        kv_keys_next(&keys, &key);
        json_bytes_set(object, "key", key);
    } else if (op->verb == KV_DEL) {
        json_object_set_new(object, "keys", key_list(op));
    } else if (op->verb != KV_SIZE && op->verb != KV_TXN) {
        json_bytes_set(object, "key", op->key);
    }
    return object;
}

/* --- transactions ----------------------------------------------------------------------------- */

static const char *const branch_words[KV_BRANCHES] = {[KV_THEN] = "then", [KV_ELSE] = "else"};

const char *result_branch_word(enum kv_branch branch)
{
    return branch_words[branch];
}

/* The next operation of the list that ran, and its answer. */
static void next_step(struct bytes *steps, struct bytes *answers, struct kv_op *step,
                      struct kv_answer *answer)
{
    kv_step_next(steps, step);
    if (!kv_step_answer_next(answers, step->verb, answer)) answer->status = KV_ANSWER_INVALID;
}

/* Of what a transaction could not do for one of its operations; it is a read. */
static const char *step_refusal(const struct kv_op *step, const struct kv_answer *a)
{
    if (step->verb == KV_GET && a->status == KV_ANSWER_TOO_LARGE)
        return "too large for this answer: get it by itself";
    return kv_answer_text(a->status);
}

/* --- as JSON ---------------------------------------------------------------------------------- */

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

static void set_members(json_t *object, const struct kv_op *op, const struct kv_answer *a, bool yes)
{
    switch (op->verb) {
    case KV_GET:
        json_object_set_new(object, "found", json_boolean(yes));
        if (yes) json_bytes_set(object, "value", a->value);
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
    case KV_TXN:     /* set_txn */
    case KV_LIST:    /* cmd_list.c */
    case KV_CHANGES: /* cmd_watch.c */
        break;
    }
}

/* Of a step, which is a read. */
static void set_refusal(json_t *object, const struct kv_op *step, const struct kv_answer *a)
{
    const char *error = vstamp_err_name(kv_answer_err(a->status));
    json_object_set_new(object, "error", json_string(error));
    json_object_set_new(object, "outcome", json_string("none"));
    json_object_set_new(object, "message", json_string(step_refusal(step, a)));
}

static json_t *object_of(const struct kv_op *op, const struct kv_answer *a)
{
    bool yes = a->status == KV_ANSWER_DONE;
    bool ok = kv_answer_err(a->status) == 0;
    json_t *object = result_question(op);
    json_object_set_new(object, "ok", json_boolean(ok));
    if (ok) set_members(object, op, a, yes);
    else set_refusal(object, op, a);
    return object;
}

static void set_txn(json_t *object, const struct kv_op *op, const struct kv_answer *a)
{
    struct bytes steps = op->txn.steps_encoded[a->branch], answers = a->steps;
    json_t *list = json_array();
    for (uint32_t i = 0; i < op->txn.n_steps[a->branch]; i++) {
        struct kv_op step;
        struct kv_answer answer;
        next_step(&steps, &answers, &step, &answer);
        json_array_append_new(list, object_of(&step, &answer));
    }
    json_object_set_new(object, "succeeded", json_boolean(a->branch == KV_THEN));
    json_object_set_new(object, "answers", list);
}

json_t *result_object(const struct kv_op *op, const struct kv_answer *a)
{
    json_t *object = object_of(op, a);
    if (op->verb == KV_TXN) set_txn(object, op, a);
    return object;
}

/* --- for people ------------------------------------------------------------------------------- */

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

static void print_one(const struct client *c, const struct kv_op *op, const struct kv_answer *a,
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
    case KV_TXN:     /* print_txn */
    case KV_LIST:    /* cmd_list.c */
    case KV_CHANGES: /* cmd_watch.c */
        break;
    }
}

static void print_step(const struct client *c, const struct kv_op *step, const struct kv_answer *a)
{
    if (a->status == KV_ANSWER_DONE) print_one(c, step, a, false);
    else if (a->status == KV_ANSWER_ABSENT) puts("(not found)");
    else printf("(%s)\n", step_refusal(step, a));
}

static void print_txn(const struct client *c, const struct kv_op *op, const struct kv_answer *a)
{
    struct bytes steps = op->txn.steps_encoded[a->branch], answers = a->steps;
    if (!c->in_shell) puts(branch_words[a->branch]);
    for (uint32_t i = 0; i < op->txn.n_steps[a->branch]; i++) {
        struct kv_op step;
        struct kv_answer answer;
        next_step(&steps, &answers, &step, &answer);
        print_step(c, &step, &answer);
    }
    if (c->in_shell) printf("(%s)\n", branch_words[a->branch]);
}

void result_print(const struct client *c, const struct kv_op *op, const struct kv_answer *a,
                  bool raw)
{
    if (op->verb == KV_TXN) print_txn(c, op, a);
    else print_one(c, op, a, raw);
}

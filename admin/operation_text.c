/* SPDX-License-Identifier: BSD-2-Clause */
#include <config.h>

#include "admin/operation_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kv/kv.h"
#include "program/escape.h"
#include "wire/codec.h"

static void print_word(FILE *into, struct bytes word)
{
    putc(' ', into);
    escape_print(into, word, ESCAPE_WORD);
}

/* A time that was given as such, as import does, nobody types. */
static void print_expiry(FILE *into, const struct kv_op *op)
{
    uint64_t us = op->expiry & ~KV_EXPIRES_AT;
    if (op->verb != KV_EXPIRE && us > 0) fputs(" --ttl", into);
    if (op->verb == KV_EXPIRE && us == 0) fputs(" never", into);
    if (us == 0) return;
    const char *until = (op->expiry & KV_EXPIRES_AT) != 0 ? "until:" : "";
    fprintf(into, " %s%" PRIu64 ".%06" PRIu64 "s", until, us / 1000000, us % 1000000);
}

/* As one would type it. */
static void print_op(FILE *into, const struct kv_op *op)
{
    struct bytes keys = op->keys_encoded, key;
    fputs(kv_verb_word(op->verb), into);
    if (op->verb == KV_CAS_ABSENT) fputs(" --absent", into);
    if (op->key.size > 0) print_word(into, op->key);
    for (uint32_t i = 0; op->verb == KV_DEL && i < op->n_keys; i++) {
        kv_keys_next(&keys, &key);
        print_word(into, key);
    }
    if (op->verb == KV_CAS) print_word(into, op->expected);
    if (op->verb == KV_PUT || op->verb == KV_CAS || op->verb == KV_CAS_ABSENT ||
        op->verb == KV_APPEND)
        print_word(into, op->value);
    if (op->verb == KV_INCR) fprintf(into, " %" PRId64, op->number);
    print_expiry(into, op);
}

static void print_condition(FILE *into, const struct kv_condition *condition)
{
    fputs("if", into);
    print_word(into, condition->key);
    fprintf(into, " %s", kv_test_words(condition->test));
    if (kv_test_has_value(condition->test)) print_word(into, condition->value);
}

/* Its lines, separated by semicolons. */
static void print_txn(FILE *into, const struct kv_txn *txn)
{
    struct bytes conditions = txn->conditions_encoded;
    fputs("txn: ", into);
    for (uint32_t i = 0; i < txn->n_conditions; i++) {
        struct kv_condition condition;
        kv_condition_next(&conditions, &condition);
        print_condition(into, &condition);
        fputs("; ", into);
    }
    for (int branch = 0; branch < KV_BRANCHES; branch++) {
        struct bytes steps = txn->steps_encoded[branch];
        fputs(branch == KV_THEN ? "then" : "; else", into);
        for (uint32_t i = 0; i < txn->n_steps[branch]; i++) {
            struct kv_op step;
            kv_step_next(&steps, &step);
            fputs("; ", into);
            print_op(into, &step);
        }
    }
}

static void print_operation(FILE *into, const char *application, struct bytes encoded)
{
    struct kv_op op;
    if (strcmp(application, KV_APPLICATION) != 0) {
        fputs("call", into);
        print_word(into, encoded);
        return;
    }
    const char *wrong = kv_decode_op(encoded, &op);
    if (wrong != NULL) {
        fprintf(into, "not an operation of the key-value store: %s:", wrong);
        print_word(into, encoded);
    } else if (op.verb == KV_TXN) {
        print_txn(into, &op.txn);
    } else {
        print_op(into, &op);
    }
}

static void print_members(FILE *into, struct bytes body)
{
    struct wire_reconfigure m;
    if (wire_decode(&wire_shape_reconfigure, body, &m) != 0) return;
    struct reader at = wire_list_start(&m.next);
    fprintf(into, "epoch %" PRIu32 ":", m.epoch + 1);
    for (uint32_t i = 0; i < m.next.count; i++) {
        struct wire_member member;
        wire_list_next(&wire_shape_member, &at, &member);
        fprintf(into, " %.*s", (int)member.address.size, (const char *)member.address.data);
    }
}

static void print_passed_over(FILE *into, struct bytes body)
{
    struct wire_pass_over what;
    if (wire_decode(&wire_shape_pass_over, body, &what) == 0)
        fprintf(into, "operation %" PRIu32 " of entry %" PRIu64, what.index, what.op);
}

char *operation_text(const char *application, const struct wire_operation *o)
{
    char *text = NULL;
    size_t size;
    FILE *into = open_memstream(&text, &size);
    if (into == NULL) abort();
    if (o->kind == WIRE_KIND_APPLY) print_operation(into, application, o->body);
    if (o->kind == WIRE_KIND_RECONFIGURE) print_members(into, o->body);
    if (o->kind == WIRE_KIND_PASS_OVER) print_passed_over(into, o->body);
    fclose(into);
    return text;
}

const char *operation_kind_word(unsigned kind)
{
    static const char *const words[] = {
        [WIRE_KIND_REGISTER] = "register", [WIRE_KIND_APPLY] = "apply",
        [WIRE_KIND_RECONFIGURE] = "reconfigure", [WIRE_KIND_TICK] = "tick",
        [WIRE_KIND_PASS_OVER] = "pass-over"};
    return kind < sizeof words / sizeof words[0] && words[kind] != NULL ? words[kind] : "unknown";
}

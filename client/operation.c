/* SPDX-License-Identifier: BSD-2-Clause */
/* Operations for people; see operation.h. */
#include <config.h>

#include "client/operation.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>

#include "base/assert.h"
#include "client/memory.h"
#include "program/escape.h"

#define CALL_BYTES_SHOWN 40u

struct operation operation_encode(const struct kv_op *op)
{
    /* Counts and numbers take less than this; kv_encode_op says so if not. */
    size_t size = 64 + op->key.size + op->value.size + op->expected.size;
    for (uint32_t i = 0; i < op->n_keys; i++) size += 4 + op->keys[i].size;
    for (uint32_t i = 0; i < op->txn.n_conditions; i++)
        size += 16 + op->txn.conditions[i].key.size + op->txn.conditions[i].value.size;
    for (int branch = 0; branch < KV_BRANCHES; branch++)
        for (uint32_t i = 0; i < op->txn.n_steps[branch]; i++) {
            const struct kv_op *step = &op->txn.steps[branch][i];
            size += 64 + kv_step_key(step).size + step->value.size;
        }
    uint8_t *data = memory_new(size);
    struct writer w = writer_over(data, size);
    kv_encode_op(op, &w);
    assert(w.ok);
    return (struct operation){.bytes = {data, w.size}};
}

struct operation operation_copy(struct operation operation)
{
    operation.bytes.data = memory_copy(operation.bytes.data, operation.bytes.size);
    return operation;
}

void operation_release(struct operation *operation)
{
    free((void *)operation->bytes.data);
    *operation = (struct operation){0};
}

bool operation_is_write(struct operation operation)
{
    struct kv_op op;
    if (operation_is_call(operation)) return operation.kind == OPERATION_CALL;
    return kv_decode_op(operation.bytes, &op) == NULL && kv_is_write(op.verb);
}

bool operation_number(struct bytes word, int64_t *number)
{
    const char *text = (const char *)word.data;
    char *end;
    if (word.size == 0 || isspace(word.data[0])) return false;
    errno = 0;
    *number = strtoll(text, &end, 10);
    return errno == 0 && end == text + word.size;
}

static void describe_call(struct bytes operation, FILE *into)
{
    bool whole = operation.size <= CALL_BYTES_SHOWN;
    struct bytes shown = {operation.data, whole ? operation.size : CALL_BYTES_SHOWN};
    fputs("call ", into);
    escape_print(into, shown, ESCAPE_WORD);
    if (!whole) fputs("...", into);
}

void operation_describe(struct operation operation, FILE *into)
{
    struct kv_op op;
    if (operation_is_call(operation)) {
        describe_call(operation.bytes, into);
        return;
    }
    if (kv_decode_op(operation.bytes, &op) != NULL) {
        fputs("an unknown operation", into);
        return;
    }
    fputs(kv_verb_word(op.verb), into);
    if (op.key.size > 0) {
        putc(' ', into);
        escape_print(into, op.key, ESCAPE_WORD);
    }
    for (uint32_t i = 0; i < op.n_keys; i++) {
        struct bytes key;
        kv_keys_next(&op.keys_encoded, &key);
        putc(' ', into);
        escape_print(into, key, ESCAPE_WORD);
    }
}

char *operation_described(struct operation operation)
{
    char *text = NULL;
    size_t size;
    FILE *into = memory_stream(&text, &size);
    operation_describe(operation, into);
    fclose(into);
    return text;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* What is sent: an encoded operation of the key-value store (kv/kv.h), or bytes for whatever
 * application there is, as `vstamp call` does it. */
#ifndef CLIENT_OPERATION_H
#define CLIENT_OPERATION_H

#include <stdio.h>

#include "kv/kv.h"

enum operation_kind { OPERATION_OF_STORE, OPERATION_CALL, OPERATION_QUESTION };

struct operation {
    struct bytes bytes;
    enum operation_kind kind;
};

/* In new memory, as the copy is. */
struct operation operation_encode(const struct kv_op *op);
struct operation operation_copy(struct operation operation);
void operation_release(struct operation *operation); /* such memory, if there is any */

static inline bool operation_is_call(struct operation operation)
{
    return operation.kind != OPERATION_OF_STORE;
}

/* Does it go through the log? */
bool operation_is_write(struct operation operation);

/* "incr hits": the operation without its values; of a call its first bytes. */
void operation_describe(struct operation operation, FILE *into);

/* The same as a new text. */
char *operation_described(struct operation operation);

/* A word with a whole number of 64 bits, and a NUL behind it. */
bool operation_number(struct bytes word, int64_t *number);

#endif

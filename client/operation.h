/* SPDX-License-Identifier: BSD-2-Clause */
/* Encoded operations of the key-value store (kv/kv.h): made, named, described. */
#ifndef CLIENT_OPERATION_H
#define CLIENT_OPERATION_H

#include <stdio.h>

#include "kv/kv.h"

/* In new memory. */
struct bytes operation_encode(const struct kv_op *op);

/* "incr": as the user typed it. */
const char *operation_word(enum kv_verb verb);

/* "incr hits": the operation without its values; of a call its first bytes. */
void operation_describe(struct bytes operation, bool is_call, FILE *into);

/* The same as a new text. */
char *operation_described(struct bytes operation, bool is_call);

/* A word with a whole number of 64 bits, and a NUL behind it. */
bool operation_number(struct bytes word, int64_t *number);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* What an operation of the store was asked and what it answered, as JSON and for people. */
#ifndef CLIENT_RESULT_H
#define CLIENT_RESULT_H

#include <jansson.h>

#include "client/client.h"
#include "kv/kv.h"

/* {"op": ..., "key": ...}: a new object. */
json_t *result_question(const struct kv_op *op);

/* The same with "ok" and what was answered: done, or the answer is no. */
json_t *result_object(const struct kv_op *op, const struct kv_answer *a);

/* What was done, on standard output; `raw`: a value's bytes alone. */
void result_print(const struct client *c, const struct kv_op *op, const struct kv_answer *a,
                  bool raw);

/* "then" or "else": the list of a transaction that ran. */
const char *result_branch_word(enum kv_branch branch);

#endif

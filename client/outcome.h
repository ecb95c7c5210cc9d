/* SPDX-License-Identifier: BSD-2-Clause */
/* How a request ended: with an answer of the application, or with an error and a sentence about
 * it. */
#ifndef CLIENT_OUTCOME_H
#define CLIENT_OUTCOME_H

#include <stdbool.h>
#include <stdint.h>

#include "kv/kv.h"

struct outcome {
    int err;           /* 0: answered, see `answer`; else VSTAMP_E_* */
    const char *error; /* its name for --json */
    bool may_have_run;
    char *message;           /* for people, NULL without error */
    struct kv_answer answer; /* valid until the next request */
    struct bytes called;     /* the same of a call */
    uint64_t op, view;
    uint32_t epoch;
};

/* The store's answer to the operation, or an error if it makes no sense. */
void outcome_take(struct outcome *o, struct bytes operation, struct bytes body);

void outcome_fail(struct outcome *o, int err, bool may_have_run, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Did nobody answer in time, be it that nobody lets us in?  Else it was refused, or failed here. */
bool outcome_is_silence(int err);

/* What to do about that. */
const char *outcome_advice(int err);

void outcome_release(struct outcome *o);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
#include <config.h>

#include "client/outcome.h"

#include <stdarg.h>
#include <stdlib.h>

#include <vstamp/error.h>

#include "client/memory.h"

void outcome_release(struct outcome *o)
{
    free(o->message);
    o->message = NULL;
}

void outcome_fail(struct outcome *o, int err, bool may_have_run, const char *format, ...)
{
    size_t size;
    va_list args;
    outcome_release(o);
    FILE *into = memory_stream(&o->message, &size);
    va_start(args, format);
    vfprintf(into, format, args);
    va_end(args);
    fclose(into);
    o->err = err;
    o->may_have_run = may_have_run;
    o->error = err == VSTAMP_E_NOT_RUN || err == VSTAMP_E_UNKNOWN_OUTCOME ? "timeout"
                                                                          : vstamp_err_name(err);
}

bool outcome_is_silence(int err)
{
    return err == VSTAMP_E_NOT_RUN || err == VSTAMP_E_UNKNOWN_OUTCOME ||
           err == VSTAMP_E_NOT_AUTHORISED;
}

const char *outcome_advice(int err)
{
    return err == VSTAMP_E_NOT_AUTHORISED
               ? "name a folder with a certificate that they take, by --tls"
               : "try again";
}

void outcome_take(struct outcome *o, struct bytes operation, struct bytes body)
{
    struct kv_op op;
    if (kv_decode_op(operation, &op) != NULL || kv_decode_answer(op.verb, body, &o->answer) != 0)
        outcome_fail(o, VSTAMP_E_MALFORMED, true,
                     "the answer makes no sense: is the replica of this version?");
}

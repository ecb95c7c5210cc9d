/* SPDX-License-Identifier: BSD-2-Clause */
/* From a code to its name, sentence and exit status, and the sentences for people.  All three
 * functions search one table, which is errors.def; it is short and nobody asks twice. */
#include <vstamp/error.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/word.h"

#define EXIT_BUG 70

struct error {
    int code;
    int exit_status;
    char name[WORD_SIZE];
    const char *text;
};

#define VSTAMP_ERROR(name, number, exit_status, sentence) WORD_FITS(#name);
#include <vstamp/errors.def>
#undef VSTAMP_ERROR

static const struct error errors[] = {
    {VSTAMP_OK, 0, "ok", "no error"},
#define VSTAMP_ERROR(name, number, exit_status, sentence)                                          \
    {VSTAMP_E_##name, exit_status, WORD(#name), sentence},
#include <vstamp/errors.def>
#undef VSTAMP_ERROR
};

static const struct error stranger = {0, EXIT_BUG, "unknown", "an unknown error"};

static const struct error *find(int err)
{
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
        if (errors[i].code == err) return &errors[i];
    }
    return &stranger;
}

const char *vstamp_err_name(int err)
{
    return find(err)->name;
}

const char *vstamp_err_text(int err)
{
    return find(err)->text;
}

int vstamp_err_exit(int err)
{
    return find(err)->exit_status;
}

void vstamp_diag_printf(struct vstamp_diag *diag, const char *format, ...)
{
    if (diag == NULL) return;
    va_list args;
    va_start(args, format);
    vsnprintf(diag->text, sizeof diag->text, format, args);
    va_end(args);
}

void vstamp_diag_wrap(struct vstamp_diag *diag, const char *format, ...)
{
    if (diag == NULL) return;
    struct vstamp_diag inner = *diag; /* the arguments may not point into the new text either */
    va_list args;
    va_start(args, format);
    int written = vsnprintf(diag->text, sizeof diag->text, format, args);
    va_end(args);
    if (inner.text[0] == '\0' || written < 0) return;
    size_t used = strlen(diag->text);
    snprintf(diag->text + used, sizeof diag->text - used, ": %s", inner.text);
}

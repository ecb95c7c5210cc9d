/* SPDX-License-Identifier: BSD-2-Clause */
/* Errors: one list (errors.def), from which the codes, their names, their sentences and the exit
 * statuses of the programs derive.  Functions return 0 or a negative enum vstamp_err; those at the
 * edges also fill a struct vstamp_diag, a sentence for a person, built from the inside outward:
 * "open journal: /srv/vstamp/0: bad checksum at 4096".
 */
#ifndef VSTAMP_ERROR_H
#define VSTAMP_ERROR_H

#include <vstamp/api.h>

#ifdef __cplusplus
extern "C" {
#endif

#define VSTAMP_DIAG_SIZE 512

/* A sentence for a person.  Owned by the caller; start with {0}.  Never needs to be freed. */
struct vstamp_diag {
    char text[VSTAMP_DIAG_SIZE];
};

#define VSTAMP_ERROR(name, number, exit_status, sentence) VSTAMP_E_##name = -(number),
enum vstamp_err {
    VSTAMP_OK = 0,
#include <vstamp/errors.def>
};
#undef VSTAMP_ERROR

/* The name of an error as in errors.def, in lower case ("not-run"); "unknown" for a stranger. */
VSTAMP_API const char *vstamp_err_name(int err);

/* One sentence without a full stop; never NULL. */
VSTAMP_API const char *vstamp_err_text(int err);

/* The exit status that vstamp(1) ends with for this error; 70 for a stranger. */
VSTAMP_API int vstamp_err_exit(int err);

/* Set the sentence; NULL diag is allowed and does nothing.  Too long a text is cut. */
VSTAMP_API void vstamp_diag_printf(struct vstamp_diag *diag, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Put "<text>: " before the sentence that is there. */
VSTAMP_API void vstamp_diag_wrap(struct vstamp_diag *diag, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#ifdef __cplusplus
}
#endif
#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* What a process says when it dies of its own code: of a wrong address, say, or of abort().  That
 * code may be somebody's application, whose operation is named then: the next replica that executes
 * it dies as well. */
#ifndef PROGRAM_CRASH_H
#define PROGRAM_CRASH_H

#include <stddef.h>
#include <stdint.h>

#define CRASH_TEXT 256u

/* From now on tell(number) is called before the process dies of such a signal.  It may do only what
 * a signal handler may. */
void crash_watch(void (*tell)(int number));

/* The sentence, without an end of line; for tell(), too. */
void crash_describe(char text[static CRASH_TEXT], int number, const char *application,
                    const char *function, uint64_t op);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory that is there, or the program ends: a command has nothing better to do without it. */
#ifndef CLIENT_MEMORY_H
#define CLIENT_MEMORY_H

#include <stddef.h>
#include <stdio.h>

void *memory_new(size_t size); /* zeroed */
void *memory_resize(void *old, size_t size);
void *memory_copy(const void *data, size_t size); /* with a NUL after it */

/* What is written there becomes a new text when it is closed; *size, without the NUL, must live as
 * long. */
FILE *memory_stream(char **text, size_t *size);

#endif

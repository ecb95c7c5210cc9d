/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory that is there, or the program ends: a command has nothing better to do without it. */
#ifndef CLIENT_MEMORY_H
#define CLIENT_MEMORY_H

#include <stddef.h>

void *memory_new(size_t size); /* zeroed */
void *memory_resize(void *old, size_t size);
void *memory_copy(const void *data, size_t size); /* with a NUL after it */

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* Zeroed memory that costs nothing where it is not touched, for what may be large and seldom is. */
#ifndef PROGRAM_ZEROS_H
#define PROGRAM_ZEROS_H

#include <stddef.h>

/* NULL: the system refuses so much of address space. */
void *zeros_map(size_t size);

void zeros_unmap(void *memory, size_t size); /* accepts NULL */

#endif

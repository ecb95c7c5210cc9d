/* SPDX-License-Identifier: BSD-2-Clause */
/* "Did you mean ...?": offer all the words that exist, then ask which one was probably meant.
 * Distance is the number of letters to insert, delete, replace or swap with their neighbour. */
#ifndef PROGRAM_NEAREST_H
#define PROGRAM_NEAREST_H

#include <stddef.h>

struct nearest {
    const char *word;
    const char *best;
    size_t distance;
};

struct nearest nearest_to(const char *word);
void nearest_offer(struct nearest *n, const char *candidate); /* kept by pointer */

/* NULL when nothing offered is near enough to have been meant. */
const char *nearest_best(const struct nearest *n);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/assert.h"

#include <stddef.h>
#include <stdlib.h>

/* The only mutable global of the library: who prints the last words. */
static base_assert_hook last_words;

base_assert_hook base_assert_set_hook(base_assert_hook hook)
{
    base_assert_hook before = last_words;
    last_words = hook;
    return before;
}

void base_assert_failed(const char *condition, const char *file, int line, const char *function)
{
    if (last_words != NULL) last_words(condition, file, line, function);
    abort();
}

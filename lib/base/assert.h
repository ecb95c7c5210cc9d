/* SPDX-License-Identifier: BSD-2-Clause */
/* The one assert: always compiled in.  It states what this program believes about itself; bytes
 * from outside never reach one, they are rejected by the decoder and by the ignore_ functions. */
#ifndef BASE_ASSERT_H
#define BASE_ASSERT_H

#undef assert
#define assert(condition)                                                                          \
    ((condition) ? (void)0 : base_assert_failed(#condition, __FILE__, __LINE__, __func__))

/* Tells the hook, if one is set, and aborts.  The core cannot print; its host can. */
_Noreturn void base_assert_failed(const char *condition, const char *file, int line,
                                  const char *function);

typedef void (*base_assert_hook)(const char *condition, const char *file, int line,
                                 const char *function);
/* Gives the hook that was set before. */
base_assert_hook base_assert_set_hook(base_assert_hook hook);

#endif

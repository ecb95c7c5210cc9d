/* SPDX-License-Identifier: BSD-2-Clause */
/* The handler has a stack of its own, since one that overflows is among what is to be told.  Then
 * the signal does what it did before: it ends the process, or an instrumented build tells more. */
#include "program/crash.h"

#include <signal.h>
#include <stdbool.h>

#define STACK_BYTES 65536u

static const struct {
    int number;
    const char *text;
} crashes[] = {{SIGSEGV, "Segmentation fault"},
               {SIGBUS, "Bus error"},
               {SIGFPE, "Floating point exception"},
               {SIGILL, "Illegal instruction"},
               {SIGABRT, "Aborted"}};
#define N_CRASHES (sizeof crashes / sizeof crashes[0])

static void (*teller)(int number);
static struct sigaction before[N_CRASHES];

static void on_crash(int number)
{
    teller(number);
    for (size_t i = 0; i < N_CRASHES; i++)
        if (crashes[i].number == number) sigaction(number, &before[i], NULL);
    raise(number); /* comes as soon as this returns */
}

void crash_watch(void (*tell)(int number))
{
    static char stack[STACK_BYTES];
    stack_t ours = {.ss_sp = stack, .ss_size = sizeof stack}, theirs;
    struct sigaction action = {.sa_handler = on_crash, .sa_flags = SA_ONSTACK};
    bool has_stack = sigaltstack(NULL, &theirs) == 0 && !(theirs.ss_flags & SS_DISABLE);
    if (!has_stack) sigaltstack(&ours, NULL);
    teller = tell;
    for (size_t i = 0; i < N_CRASHES; i++) sigaction(crashes[i].number, &action, &before[i]);
}

static char *put(char *at, const char *end, const char *text)
{
    while (*text != '\0' && at < end) *at++ = *text++;
    return at;
}

static char *put_number(char *at, const char *end, uint64_t number)
{
    char digits[21], *first = digits + sizeof digits - 1;
    *first = '\0';
    do {
        *--first = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    return put(at, end, first);
}

void crash_describe(char text[static CRASH_TEXT], int number, const char *application,
                    const char *function, uint64_t op)
{
    const char *end = text + CRASH_TEXT - 1;
    const char *what = "a signal";
    for (size_t i = 0; i < N_CRASHES; i++)
        if (crashes[i].number == number) what = crashes[i].text;
    char *at = put(text, end, "the application \"");
    at = put(at, end, application);
    at = put(at, end, "\" died in ");
    at = put(at, end, function);
    at = put(at, end, " at op-number ");
    at = put_number(at, end, op);
    at = put(at, end, ": ");
    at = put(at, end, what);
    *at = '\0';
}

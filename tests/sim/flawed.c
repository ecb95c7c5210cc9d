/* SPDX-License-Identifier: BSD-2-Clause */
/* An application that is wrong in the way that its argument says, for vstamp-sim and vstamp-replica
 * to find out: a sum of the lengths of all operations, and their number.
 *
 *   none       nothing is wrong
 *   restless   nor here: there is always something due, and more than a group can do
 *   clock      answers depend on the processor time of the process
 *   time       and here on the time of the machine
 *   forgetful  the number is not saved
 *   outside    the number is kept for the whole process
 *   slips      the sum differs where the state was loaded, and no answer shows it
 *   long       an answer is longer than there is room for
 *   spills     and it is written there, too
 *   verbose    so is that to a question
 *   overruns   and this one is written, too
 *   chooses    so is what is predicted
 *   stray      an operation looks at a page that there is not
 *   astray     so does a question
 *   crash      an operation takes the process with it
 *   hang       an operation never ends */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <vstamp/app.h>

struct state {
    uint64_t sum, number;
    const char *flaw;
    bool loaded;
};

static uint64_t number_of_all;

static bool is(const struct state *s, const char *flaw)
{
    return s->flaw != NULL && strcmp(s->flaw, flaw) == 0;
}

static void print(const struct state *s, struct vstamp_answer *answer)
{
    answer->size = (size_t)snprintf((char *)answer->data, answer->capacity, "%" PRIu64, s->number);
}

static void misbehave(struct state *s, const struct vstamp_pages *pages)
{
    volatile int *nowhere = NULL;
    if (is(s, "clock")) s->number += (uint64_t)clock() % 3;
    if (is(s, "time")) s->number += (uint64_t)time(NULL) % 1000;
    if (is(s, "outside")) s->number = ++number_of_all;
    if (is(s, "stray")) s->sum += *(const uint8_t *)vstamp_page_read(pages, UINT32_MAX);
    if (is(s, "crash")) s->sum += (uint64_t)*nowhere;
    for (volatile bool hangs = is(s, "hang"); hangs;) continue;
}

static void apply(struct vstamp_pages *pages, const struct vstamp_context *context,
                  const uint8_t *operation, size_t size, struct vstamp_answer *answer)
{
    struct state *s = vstamp_pages_instance(pages);
    (void)context;
    (void)operation;
    s->sum += size + (is(s, "slips") && s->loaded);
    s->number++;
    misbehave(s, pages);
    print(s, answer);
    if (is(s, "long") || is(s, "spills")) answer->size = answer->capacity + 1;
    if (is(s, "spills")) answer->data[answer->capacity] = '!';
}

static void query(const struct vstamp_pages *pages, const uint8_t *operation, size_t size,
                  struct vstamp_answer *answer)
{
    const struct state *s = vstamp_pages_instance(pages);
    (void)operation;
    (void)size;
    print(s, answer);
    if (is(s, "astray")) vstamp_page_read(pages, UINT32_MAX);
    if (is(s, "verbose") || is(s, "overruns")) answer->size = answer->capacity + 1;
    if (is(s, "overruns")) answer->data[answer->capacity] = '!';
}

static void predict(const struct vstamp_pages *pages, const uint64_t seed[VSTAMP_SEED_WORDS],
                    const uint8_t *operation, size_t size, struct vstamp_answer *prediction)
{
    (void)seed;
    (void)operation;
    (void)size;
    if (is(vstamp_pages_instance(pages), "chooses")) prediction->size = prediction->capacity + 1;
}

static uint64_t due(const struct vstamp_pages *pages)
{
    const struct state *s = vstamp_pages_instance(pages);
    return is(s, "restless") && s->number > 0 ? 1 : VSTAMP_NEVER;
}

static int tick(struct vstamp_pages *pages, const struct vstamp_context *context,
                struct vstamp_diag *why)
{
    struct state *s = vstamp_pages_instance(pages);
    (void)context;
    (void)why;
    s->sum++;
    return 0;
}

static int open_state(const char *argument, const struct vstamp_limits *limits, void **instance,
                      struct vstamp_diag *why)
{
    struct state *s = calloc(1, sizeof *s);
    (void)limits;
    (void)why;
    *instance = s;
    if (s == NULL) return VSTAMP_E_IO;
    s->flaw = argument;
    return 0;
}

static void save(const void *instance, struct vstamp_save *to)
{
    const struct state *s = instance;
    vstamp_save_bytes(to, &s->sum, sizeof s->sum);
    if (!is(s, "forgetful")) vstamp_save_bytes(to, &s->number, sizeof s->number);
}

static int load(void *instance, struct vstamp_load *from, struct vstamp_diag *why)
{
    struct state *s = instance;
    (void)why;
    s->sum = s->number = 0;
    s->loaded = vstamp_load_left(from) > 0;
    vstamp_load_bytes(from, &s->sum, sizeof s->sum);
    vstamp_load_bytes(from, &s->number, sizeof s->number);
    return 0;
}

extern const struct vstamp_app vstamp_application;
const struct vstamp_app vstamp_application = {.abi = VSTAMP_APP_ABI,
                                              .name = "flawed",
                                              .apply = apply,
                                              .query = query,
                                              .open = open_state,
                                              .close = free,
                                              .save = save,
                                              .load = load,
                                              .due = due,
                                              .tick = tick,
                                              .predict = predict};

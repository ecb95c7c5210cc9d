/* SPDX-License-Identifier: BSD-2-Clause */
/* Applications that are wrong, each in one way, for vstamp-sim to find out: a sum of the lengths of
 * all operations, and their number.  FLAW is defined by the build:
 *
 *   none       nothing is wrong
 *   clock      answers depend on the time of the machine
 *   forgetful  the number is not saved
 *   outside    the number is kept for the whole process
 *   slips      the sum differs where the state was loaded, and no answer shows it */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <vstamp/app.h>

enum { FLAW_none, FLAW_clock, FLAW_forgetful, FLAW_outside, FLAW_slips };

struct state {
    uint64_t sum, number;
    bool loaded;
};

static uint64_t number_of_all;

static void print(const struct state *s, struct vstamp_answer *answer)
{
    answer->size = (size_t)snprintf((char *)answer->data, answer->capacity, "%" PRIu64, s->number);
}

static void apply(struct vstamp_pages *pages, const struct vstamp_context *context,
                  const uint8_t *operation, size_t size, struct vstamp_answer *answer)
{
    struct state *s = vstamp_pages_instance(pages);
    (void)context;
    (void)operation;
    s->sum += size + (FLAW == FLAW_slips && s->loaded);
    s->number++;
    if (FLAW == FLAW_clock) s->number += (uint64_t)clock() % 3;
    if (FLAW == FLAW_outside) s->number = ++number_of_all;
    print(s, answer);
}

static void query(const struct vstamp_pages *pages, const uint8_t *operation, size_t size,
                  struct vstamp_answer *answer)
{
    (void)operation;
    (void)size;
    print(vstamp_pages_instance(pages), answer);
}

static int open_state(const char *argument, const struct vstamp_limits *limits, void **instance,
                      struct vstamp_diag *why)
{
    (void)argument;
    (void)limits;
    (void)why;
    *instance = calloc(1, sizeof(struct state));
    return *instance != NULL ? 0 : VSTAMP_E_IO;
}

static void save(const void *instance, struct vstamp_save *to)
{
    const struct state *s = instance;
    vstamp_save_bytes(to, &s->sum, sizeof s->sum);
    if (FLAW != FLAW_forgetful) vstamp_save_bytes(to, &s->number, sizeof s->number);
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
                                              .load = load};

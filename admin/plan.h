/* SPDX-License-Identifier: BSD-2-Clause */
/* What a reconfiguration would change, and whether it can be: from the answers of the members
 * and of those to come.  A pure function of those; the primary judges again, by what it knows
 * itself. */
#ifndef ADMIN_PLAN_H
#define ADMIN_PLAN_H

#include <stdio.h>

#include "admin/verdict.h"

#define PLAN_LINES_MAX (2 * REPLICAS_MAX + 8)
#define PLAN_LINE_SIZE 512

struct plan_line {
    bool ok; /* of a check */
    char text[PLAN_LINE_SIZE];
};

struct plan {
    const struct answers *answers; /* of now, and of all in `next` */
    const struct verdict *verdict;
    struct members before, next;
    size_t n_checks, n_warnings;
    struct plan_line checks[PLAN_LINES_MAX], warnings[PLAN_LINES_MAX];
    bool possible; /* all checks are ok */
};

/* `answers` and `verdict` are kept by pointer.  `next` NULL: the group is as it is to be. */
void plan_make(struct plan *plan, const struct answers *answers, const struct verdict *verdict,
               const struct members *next);

/* What else the new configuration says, which no reconfiguration changes, is warned of. */
void plan_compare_keys(struct plan *plan, const struct config *now, const struct config *next);

/* Is there nothing to change? */
bool plan_is_done(const struct plan *plan);

void plan_print(const struct plan *plan, FILE *into);
void plan_print_warnings(const struct plan *plan, FILE *into);
json_t *plan_json(const struct plan *plan);

#endif

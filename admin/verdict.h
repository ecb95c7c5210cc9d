/* SPDX-License-Identifier: BSD-2-Clause */
/* What all the answers together say of the group: does it serve, what is wrong with it, and how
 * many more replicas may fail.  A pure function of the answers. */
#ifndef ADMIN_VERDICT_H
#define ADMIN_VERDICT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "admin/answers.h"

#define VERDICT_REASONS_MAX (3 * REPLICAS_MAX + 6)
#define VERDICT_REASON_SIZE 640

/* In the order of health's exit statuses. */
enum verdict_health {
    VERDICT_HEALTHY,    /* serving, and every replica takes part */
    VERDICT_DEGRADED,   /* serving, but something is down */
    VERDICT_UNAVAILABLE /* not serving, as far as anyone answered */
};

struct verdict {
    enum verdict_health health;
    int primary; /* index, -1: none that serves */
    uint64_t view;
    uint64_t epoch;
    uint64_t commit_number; /* highest that anyone knows */
    size_t quorum;
    size_t tolerates; /* how many more may fail while the group goes on serving */
    size_t n_answered;
    bool taking_part[REPLICAS_MAX]; /* counts towards the quorum */
    char change[VERDICT_REASON_SIZE]; /* of members, that is under way; or "" */
    size_t n_reasons;
    char reasons[VERDICT_REASONS_MAX][VERDICT_REASON_SIZE];
};

void verdict_reach(struct verdict *verdict, const struct answers *answers, uint32_t view_change_ms);

/* "HEALTHY", "DEGRADED" or "UNAVAILABLE". */
const char *verdict_word(const struct verdict *verdict);

/* health, reasons, primary, view, epoch, quorum, tolerates, and reconfiguration if there is one, as
 * an object; NULL: no memory. */
json_t *verdict_json(const struct verdict *verdict);

/* A time that went by in two units at most: 12ms, 4.1s, 3m12s, 5h3m, 2d4h; "-" for ANSWER_NEVER. */
#define VERDICT_AGE_SIZE 32
void verdict_print_age(uint64_t ms, char into[static VERDICT_AGE_SIZE]);

#endif

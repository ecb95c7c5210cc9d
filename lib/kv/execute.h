/* SPDX-License-Identifier: BSD-2-Clause */
/* What the store does with an operation: functions of its struct vstamp_app, for app.c alone. */
#ifndef KV_EXECUTE_H
#define KV_EXECUTE_H

#include <vstamp/app.h>

#include "kv/kv.h"

/* The largest value that a read still answers, in bytes; the same at all members, as their limits
 * are. */
size_t kv_value_max(const struct vstamp_limits *limits);

/* writes.c */
void kv_apply(struct vstamp_pages *pages, const struct vstamp_context *context,
              const uint8_t *operation, size_t size, struct vstamp_answer *answer);
int kv_tick(struct vstamp_pages *pages, const struct vstamp_context *context,
            struct vstamp_diag *why);

/* reads.c */
void kv_query(const struct vstamp_pages *pages, const uint8_t *operation, size_t size,
              struct vstamp_answer *answer);

#endif

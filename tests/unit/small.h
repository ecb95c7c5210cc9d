/* SPDX-License-Identifier: BSD-2-Clause */
/* A small replica, for the tests of what is around it, and what its host does of which a test wants
 * nothing. */
#ifndef UNIT_SMALL_H
#define UNIT_SMALL_H

#include "node/node.h"

/* Of a struct vr_config. */
#define SMALL_SETTINGS                                                                             \
    .max_clients = 4, .batch_bytes = 4096, .max_answer_bytes = 256, .max_read_bytes = 4096,        \
    .pipeline = 1, .log_entries = 16, .log_bytes = 65536, .checkpoint_ops = 8

static inline void ignore_frame(void *ctx, uint8_t to, struct bytes frame)
{
    (void)ctx;
    (void)to;
    (void)frame;
}

static inline void ignore_log(void *ctx, enum log_level level, const char *event,
                              const char *detail)
{
    (void)ctx;
    (void)level;
    (void)event;
    (void)detail;
}

#endif

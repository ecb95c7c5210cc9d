/* SPDX-License-Identifier: BSD-2-Clause */
/* How much an event matters to an operator, from the core that tells of it to the line in a log. */
#ifndef BASE_LOG_LEVEL_H
#define BASE_LOG_LEVEL_H

enum log_level {
    LOG_LEVEL_ERROR, /* somebody must look at it */
    LOG_LEVEL_WARN,
    LOG_LEVEL_INFO,
    LOG_LEVEL_DEBUG /* only for whoever looks for a fault: the core has a trace for that */
};

#endif

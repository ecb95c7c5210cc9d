/* SPDX-License-Identifier: BSD-2-Clause */
/* A node's status as text: the tables of status.def turned into JSON and Prometheus metrics, and
 * the answer to "may I send it traffic?". */
#ifndef REPLICA_REPORT_H
#define REPLICA_REPORT_H

#include <stdbool.h>

#include "node/status.h"

/* What the process knows beside the node. */
struct report_process {
    uint64_t started_s; /* since 1970 */
    uint64_t connections, evicted, refused; /* of clients */
    uint64_t longest_turn_us, longest_turn_cpu_us, fullest_turn_bytes;
    uint64_t peer_dropped[REPLICAS_MAX]; /* by index */
};

/* Each returns text that the caller frees, or NULL when memory is out. */
char *report_status(const struct node_status *status);
char *report_metrics(const struct node_status *status, uint64_t contact_ms_max,
                     const struct report_process *process);

/* Normal, and in contact: a primary with a majority, a backup with its primary, no longer ago than
 * `contact_ms_max`.  *text is {"ready":...} with the reason when it is not. */
bool report_ready(const struct node_status *status, uint64_t contact_ms_max, char **text);

#endif

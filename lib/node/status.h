/* SPDX-License-Identifier: BSD-2-Clause */
/* What a node tells of itself: status.def as a struct and as a table that walks it. */
#ifndef NODE_STATUS_H
#define NODE_STATUS_H

#include <stddef.h>
#include <stdint.h>

#include <vstamp/id.h>

#include "base/limits.h"

#define NODE_C_U64 uint64_t
#define NODE_C_BOOL uint64_t
#define NODE_C_PEER int64_t
#define NODE_C_TEXT const char *
#define NODE_C_ID struct vstamp_id

struct node_peer_status {
#define PEER_STATUS(type, name, metric, text) NODE_C_##type name;
#include "node/status.def"
#undef PEER_STATUS
};

/* Texts live as long as the node and its configuration. */
struct node_status {
#define STATUS(type, name, metric, text) NODE_C_##type name;
#include "node/status.def"
#undef STATUS
    size_t n_peers;
    struct node_peer_status peers[REPLICAS_MAX - 1];
};

enum node_field_type {
    NODE_FIELD_U64,
    NODE_FIELD_BOOL,
    NODE_FIELD_PEER,
    NODE_FIELD_TEXT,
    NODE_FIELD_ID
};

enum node_metric { NODE_METRIC_none, NODE_METRIC_gauge, NODE_METRIC_counter };

struct node_field {
    const char *name;
    const char *text;
    enum node_field_type type;
    enum node_metric metric;
    size_t offset;
};

extern const struct node_field node_status_fields[];      /* in struct node_status */
extern const size_t node_n_status_fields;
extern const struct node_field node_peer_status_fields[]; /* in struct node_peer_status */
extern const size_t node_n_peer_status_fields;

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
#include "node/status.h"

#define STATUS(type, name, metric, text)                                                           \
    {#name, text, NODE_FIELD_##type, NODE_METRIC_##metric, offsetof(struct node_status, name)},
const struct node_field node_status_fields[] = {
#include "node/status.def"
};
#undef STATUS
const size_t node_n_status_fields = sizeof node_status_fields / sizeof node_status_fields[0];

#define PEER_STATUS(type, name, metric, text)                                                      \
    {#name, text, NODE_FIELD_##type, NODE_METRIC_##metric, offsetof(struct node_peer_status, name)},
const struct node_field node_peer_status_fields[] = {
#include "node/status.def"
};
#undef PEER_STATUS
const size_t node_n_peer_status_fields =
    sizeof node_peer_status_fields / sizeof node_peer_status_fields[0];

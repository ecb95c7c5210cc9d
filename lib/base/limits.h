/* SPDX-License-Identifier: BSD-2-Clause */
/* Every bound that is fixed at build time, and the relations among them.  Bounds that a group
 * chooses are keys of the configuration (program/config.def) and arrive in struct vr_config. */
#ifndef BASE_LIMITS_H
#define BASE_LIMITS_H

#include <stdint.h>

#define REPLICAS_MAX 16u           /* fits a bitmap; 7 is as many as make sense */
#define PIPELINE_MAX 32u           /* prepares in flight (PROTOCOL: bounds a DoViewChange) */
#define ANSWER_BYTES_MIN 256u      /* what an application may count on for a logged answer */
#define FRAME_BYTES_MAX (16u << 20) /* no frame is larger; smaller bounds follow from the config */
#define BATCH_REQUESTS_MAX 1024u   /* requests that share one op-number */
#define MESSAGE_HEADERS_MAX (PIPELINE_MAX + 1u)
#define ADDRESS_BYTES_MAX 255u

_Static_assert(REPLICAS_MAX <= 32, "a set of replicas is a uint32_t");

#endif

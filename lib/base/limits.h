/* SPDX-License-Identifier: BSD-2-Clause */
/* Every bound that is fixed at build time, and the relations among them.  Bounds that a group
 * chooses are keys of the configuration (program/config.def) and arrive in struct vr_config. */
#ifndef BASE_LIMITS_H
#define BASE_LIMITS_H

#include <stdint.h>

#define REPLICAS_MAX 16u           /* fits a bitmap; 7 is as many as make sense */
#define NOT_A_MEMBER REPLICAS_MAX  /* in place of an index; arrays by index have a place for it */
#define SLOTS_MAX (2u * REPLICAS_MAX) /* replicas of two epochs that one has to do with */
#define FORMER_MAX REPLICAS_MAX /* replaced members that the group keeps in mind (vr/former.c) */
#define STATE_PAGES_MIN 64u        /* of the state, that an application may count on */
#define PIPELINE_MAX 32u           /* prepares in flight (PROTOCOL: bounds a DoViewChange) */
#define ANSWER_BYTES_MIN 256u      /* what an application may count on for a logged answer */
#define READ_OVERHEAD 2048u        /* what the answer of a read holds beside the largest value */
#define FRAME_BYTES_MAX (16u << 20) /* no frame is larger; smaller bounds follow from the config */
#define BATCH_REQUESTS_MAX 1024u   /* requests that share one op-number */
#define MESSAGE_HEADERS_MAX (PIPELINE_MAX + 1u)
#define IN_FLIGHT_BATCHES 8u /* full ones: what others take in one step, whatever their pipeline */
#define WITNESS_BATCHES 3u /* that the log of a witness holds at least (vr/witness.c) */
#define REQUEST_OVERHEAD 128u     /* what an entry adds to the body of a request alone in it */
#define HEARTBEATS_KEPT 64u     /* whose time of sending the primary remembers, for leases */
#define TICK_US 1000u           /* between two entries that the primary logs by itself */
#define READS_WAITING_MAX 1024u /* reads that wait for the primary to be confirmed */
#define READS_PARKED_MAX 512u   /* causal reads that wait for what is not executed yet */
#define READ_BODY_MAX 2304u     /* operation of a read */
#define VIEW_JUMP_MAX (1u << 20) /* a view further ahead is a damaged or hostile frame (PIT-2.12) */
/* No view, op-number, request-number or incarnation gets there: what claims to is damaged, and
 * would overflow what is counted on from it. */
#define NUMBER_MAX (UINT64_C(1) << 62)
#define TRANSFER_ENTRIES_MAX 128u /* entries in one new_state */
#define FETCH_NUMBERS_MAX 32u     /* nodes or pages asked for in one get_tree or get_pages */
#define FETCH_QUESTIONS_MAX 8u    /* of those under way at a time */
#define DIGESTS_KEPT 4u           /* of the newest digest points, of each replica (vr/digest.c) */
#define COPY_HASHES_MAX 256u      /* pages asked about in one get_checkpoint */
#define ADDRESS_BYTES_MAX 255u

_Static_assert(FORMER_MAX <= SLOTS_MAX - REPLICAS_MAX, "they all are guests");
_Static_assert(SLOTS_MAX <= 32, "a set of replicas is a uint32_t");

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* messages.def expanded: a struct for every record and message, a number for every message, the
 * functions that write and read it (coding.def), and the field tables that print.c walks.
 *
 * Decoded structs point into the frame they came from (struct bytes, struct wire_list): they live
 * as long as the frame's bytes.  A decoded list has been walked once in full, so wire_list_next on
 * it cannot fail. */
#ifndef WIRE_SCHEMA_H
#define WIRE_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <vstamp/id.h>

#include "base/bytes.h"

/* `count` encoded records, one after another. */
struct wire_list {
    uint32_t count;
    struct bytes encoded;
};

#define WIRE_C_U8 uint8_t
#define WIRE_C_U16 uint16_t
#define WIRE_C_U32 uint32_t
#define WIRE_C_U64 uint64_t
#define WIRE_C_ID struct vstamp_id
#define WIRE_C_BYTES struct bytes

#define RECORD_BEGIN(name, text) struct wire_##name {
#define RECORD_END(name)                                                                           \
    }                                                                                              \
    ;
#define MESSAGE_BEGIN(name, number, text) struct wire_##name {
#define MESSAGE_END(name)                                                                          \
    }                                                                                              \
    ;
#define FIELD(owner, kind, name, text) WIRE_C_##kind name;
#define NEST(owner, record, name, text) struct wire_##record name;
#define LIST(owner, record, name, text) struct wire_list name;
#include "wire/messages.def"

/* WIRE_PREPARE = 3, ...: the frame header's `command`. */
enum wire_command {
#define MESSAGE_BEGIN(name, number, text) WIRE_##name = (number),
#include "wire/messages.def"
};

enum wire_request_kind {
#define REQUEST_KIND(name, number, text) WIRE_KIND_##name = (number),
#include "wire/requests.def"
#undef REQUEST_KIND
};

enum wire_reject_reason {
#define REJECT_REASON(name, number, word, text) WIRE_REJECT_##name = (number),
#include "wire/requests.def"
#undef REJECT_REASON
};

enum wire_outcome {
#define OUTCOME(name, number, text) WIRE_OUTCOME_##name = (number),
#include "wire/requests.def"
#undef OUTCOME
};

enum wire_learn_refusal {
#define LEARN_REFUSAL(name, number, text) WIRE_LEARN_##name = (number),
#include "wire/requests.def"
#undef LEARN_REFUSAL
};

enum wire_kind { WIRE_U8, WIRE_U16, WIRE_U32, WIRE_U64, WIRE_ID, WIRE_BYTES, WIRE_NEST, WIRE_LIST };

struct wire_field {
    const char *name;
    const char *text;
    enum wire_kind kind;
    size_t offset;                   /* in the struct */
    const struct wire_shape *record; /* of WIRE_NEST and WIRE_LIST */
};

/* Is a message to make its receiver do something, and how often is one sent? */
enum wire_asks { WIRE_TELLS, WIRE_ASKS_OFTEN, WIRE_ASKS_SELDOM /* some times a second at most */ };

/* As it is in that version: without the fields that came later, which then are read as zero. */
typedef void wire_encode_fn(const void *message, struct writer *w, uint8_t version);
typedef void wire_decode_fn(void *message, struct reader *r, uint8_t version);
#define RECORD_BEGIN(name, text)                                                                   \
    wire_encode_fn wire_encode_##name;                                                             \
    wire_decode_fn wire_decode_##name;
#define MESSAGE_BEGIN(name, number, text) RECORD_BEGIN(name, text)
#include "wire/messages.def"

/* A record or a message. */
struct wire_shape {
    const char *name;
    const char *text;
    uint16_t number; /* 0 for records */
    bool for_ever;   /* in no version: the shape never changes */
    enum wire_asks asks;
    size_t size;     /* of the struct */
    size_t n_fields;
    const struct wire_field *fields;
    wire_encode_fn *encode;
    wire_decode_fn *decode;
};

/* wire_shape_prepare, wire_shape_entry, ... */
#define RECORD_BEGIN(name, text) extern const struct wire_shape wire_shape_##name;
#define MESSAGE_BEGIN(name, number, text) extern const struct wire_shape wire_shape_##name;
#include "wire/messages.def"

/* All messages in order of number; *n says how many. */
const struct wire_shape *const *wire_messages(size_t *n);

/* NULL for a number that no message has. */
const struct wire_shape *wire_message_shape(uint16_t command);

/* Of requests.def: the word ("read-causal", "not-primary"), or the sentence.  They take what came
 * from the network, so a number that is not listed is normal and gives NULL. */
const char *wire_request_kind_name(uint8_t kind);
const char *wire_reject_reason_name(uint8_t reason);
const char *wire_learn_refusal_text(uint8_t refusal);

#endif

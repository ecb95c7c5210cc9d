/* SPDX-License-Identifier: BSD-2-Clause */
/* The tables of schema.h: messages.def expanded twice, first into a field table for each record and
 * message, then into the list of messages. */
#include "wire/schema.h"

#include "base/word.h"

/* Each shape is declared in schema.h, so a field can point at one that is defined later. */
#define RECORD_BEGIN(name, text) static const struct wire_field fields_##name[] = {
#define MESSAGE_BEGIN(name, number, text) static const struct wire_field fields_##name[] = {
#define SHAPE_END(shape_name)                                                                      \
    }                                                                                              \
    ;
#define RECORD_END(name) SHAPE_END(name)
#define MESSAGE_END(name) SHAPE_END(name)
#define FIELD(owner, kind, name, text)                                                             \
    {#name, text, WIRE_##kind, offsetof(struct wire_##owner, name), NULL},
#define NEST(owner, record, name, text)                                                            \
    {#name, text, WIRE_NEST, offsetof(struct wire_##owner, name), &wire_shape_##record},
#define LIST(owner, record, name, text)                                                            \
    {#name, text, WIRE_LIST, offsetof(struct wire_##owner, name), &wire_shape_##record},
#include "wire/messages.def"
#undef SHAPE_END

#define SHAPE(shape_name, shape_number, is_for_ever, what_it_asks, shape_text)                     \
    const struct wire_shape wire_shape_##shape_name = {                                            \
        .name = #shape_name,                                                                       \
        .text = shape_text,                                                                        \
        .number = shape_number,                                                                    \
        .for_ever = is_for_ever,                                                                   \
        .asks = what_it_asks,                                                                      \
        .size = sizeof(struct wire_##shape_name),                                                  \
        .n_fields = sizeof(fields_##shape_name) / sizeof(fields_##shape_name[0]),                  \
        .fields = fields_##shape_name,                                                             \
        .encode = wire_encode_##shape_name,                                                        \
        .decode = wire_decode_##shape_name,                                                        \
    };
#define RECORD_BEGIN(name, text) SHAPE(name, 0, false, WIRE_TELLS, text)
#define MESSAGE_BEGIN(name, number, text) SHAPE(name, number, false, WIRE_TELLS, text)
#define FOR_EVER_BEGIN(name, number, text) SHAPE(name, number, true, WIRE_TELLS, text)
#define ASKING_BEGIN(name, number, asks, text) SHAPE(name, number, false, asks, text)
#include "wire/messages.def"
#undef SHAPE

#define MESSAGE_BEGIN(name, number, text) &wire_shape_##name,
static const struct wire_shape *const messages[] = {
#include "wire/messages.def"
};

/* Some numbers are not in use. */
static const struct wire_shape *const by_number[] = {
#define MESSAGE_BEGIN(name, number, text) [number] = &wire_shape_##name,
#include "wire/messages.def"
};

#define MESSAGES (sizeof messages / sizeof messages[0])
#define NUMBERS (sizeof by_number / sizeof by_number[0])

const struct wire_shape *const *wire_messages(size_t *n)
{
    *n = MESSAGES;
    return messages;
}

const struct wire_shape *wire_message_shape(uint16_t command)
{
    return command < NUMBERS ? by_number[command] : NULL;
}

#define REQUEST_KIND(name, number, text) WORD_FITS(#name);
#include "wire/requests.def"
#undef REQUEST_KIND

const char *wire_request_kind_name(uint8_t kind)
{
    static const struct {
        uint8_t number;
        char name[WORD_SIZE];
    } kinds[] = {
#define REQUEST_KIND(name, number, text) {number, WORD(#name)},
#include "wire/requests.def"
#undef REQUEST_KIND
    };
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (kinds[i].number == kind) return kinds[i].name;
    }
    return NULL;
}

const char *wire_reject_reason_name(uint8_t reason)
{
    static const struct {
        uint8_t number;
        const char *name;
    } reasons[] = {
#define REJECT_REASON(name, number, word, text) {number, word},
#include "wire/requests.def"
#undef REJECT_REASON
    };
    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++) {
        if (reasons[i].number == reason) return reasons[i].name;
    }
    return NULL;
}

const char *wire_learn_refusal_text(uint8_t refusal)
{
    static const struct {
        uint8_t number;
        const char *text;
    } refusals[] = {
#define LEARN_REFUSAL(name, number, text) {number, text},
#include "wire/requests.def"
#undef LEARN_REFUSAL
    };
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        if (refusals[i].number == refusal) return refusals[i].text;
    }
    return NULL;
}

/* SPDX-License-Identifier: BSD-2-Clause */
#include "bench/relay.h"

#include "base/assert.h"
#include "bench/load.h"
#include "kv/kv.h"
#include "wire/frame.h"

static size_t frame_size(const struct wire_shape *shape, const void *message)
{
    return WIRE_HEADER_SIZE + wire_size(shape, message);
}

struct relay_sizes relay_sizes(void)
{
    static uint8_t key[LOAD_KEY_SIZE], value[LOAD_VALUE_SIZE], encoded[1024];
    struct kv_op op = {
        .verb = KV_PUT, .key = {key, sizeof key}, .value = {value, sizeof value}};
    struct writer w = writer_over(encoded, sizeof encoded);
    kv_encode_op(&op, &w);
    assert(w.ok);
    struct bytes body = {encoded, w.size};
    struct bytes done = {encoded, 1}; /* the answer to a put is a status */

    return (struct relay_sizes){
        .request = frame_size(&wire_shape_request, &(struct wire_request){.body = body}),
        .reply = frame_size(&wire_shape_reply, &(struct wire_reply){.body = done}),
        .prepare = frame_size(&wire_shape_prepare, &(struct wire_prepare){0}),
        .operation =
            sizeof(uint32_t) +
            wire_size(&wire_shape_operation, &(struct wire_operation){.body = body}),
        .ack = frame_size(&wire_shape_prepare_ok, &(struct wire_prepare_ok){0}),
    };
}

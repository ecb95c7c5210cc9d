/* SPDX-License-Identifier: BSD-2-Clause */
/* Bytes from outside against the decoder.  The first byte picks a message by its number, or a
 * record (128 + its place in messages.def); the rest is its encoding.  What decodes must encode to
 * the same bytes, survive a frame, and print.  The whole input is also tried as a frame. */
#include <string.h>

#include "base/assert.h"
#include "base/limits.h"
#include "fuzz/fuzz.h"
#include "fuzz/wire_random.h"

#define INPUT_MAX (64u * 1024)

const unsigned fuzz_copies = 1000;

static uint8_t encoded[INPUT_MAX], frame[INPUT_MAX + WIRE_HEADER_SIZE];

static const struct wire_shape *pick(uint8_t number)
{
    size_t n;
    const struct wire_shape *const *shapes = wire_random_shapes(&n);
    if (number < 128) return wire_message_shape(number);
    return number - 128u < n ? shapes[number - 128u] : NULL;
}

static void check_frame(const struct wire_shape *shape, const void *record)
{
    struct wire_header header = {.view = 1};
    struct wire_message again;
    size_t size = wire_frame_encode(&header, shape, record, frame, sizeof frame);
    assert(size == WIRE_HEADER_SIZE + wire_size(shape, record));
    assert(wire_frame_decode((struct bytes){frame, size}, &again) == 0);
    assert(wire_random_equal(shape, record, &again.as));

    char text[300];
    wire_print(&again, text, sizeof text);
    assert(strncmp(text, shape->name, strlen(shape->name)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0 || size > INPUT_MAX) return 0;
    size_t frame_size;
    struct wire_message message;
    struct bytes whole = {data, size};
    if (wire_frame_size(whole, FRAME_BYTES_MAX, &frame_size) == 0) {
        assert(frame_size >= WIRE_HEADER_SIZE && frame_size <= FRAME_BYTES_MAX);
        if (frame_size < size) whole.size = frame_size;
        if (wire_frame_decode(whole, &message) == 0) check_frame(message.shape, &message.as);
    }

    const struct wire_shape *shape = pick(data[0]);
    union wire_random_record record;
    struct bytes body = {data + 1, size - 1};
    if (shape == NULL || wire_decode(shape, body, &record) != 0) return 0;
    struct writer w = writer_over(encoded, sizeof encoded);
    wire_encode(shape, &record, &w);
    assert(w.ok && bytes_equal(body, (struct bytes){encoded, w.size}));
    if (shape->number != 0) check_frame(shape, &record);
    return 0;
}

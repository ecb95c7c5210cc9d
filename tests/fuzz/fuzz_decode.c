/* SPDX-License-Identifier: BSD-2-Clause */
/* Bytes from outside against the decoder.  The first byte picks a message by its number, or a
 * record (128 + its place in messages.def); the rest is its encoding.  What decodes must encode to
 * the same bytes, survive a frame, and print.  The whole input is also tried as a frame,
 * as it is, and with a header that is put right, so that what is behind it is heard. */
#include <string.h>

#include "base/assert.h"
#include "base/checksum.h"
#include "base/endian.h"
#include "base/limits.h"
#include "fuzz/fuzz.h"
#include "fuzz/wire_random.h"

#define INPUT_MAX (64u * 1024)

const char fuzz_aim[] = "a message is decoded";
unsigned long fuzz_hits;
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

static void try_frame(struct bytes whole)
{
    size_t size;
    struct wire_message message;
    if (wire_frame_size(whole, FRAME_BYTES_MAX, &size) != 0) return;
    assert(size >= WIRE_HEADER_SIZE && size <= FRAME_BYTES_MAX);
    if (size < whole.size) whole.size = size;
    if (wire_frame_decode(whole, &message) == 0) check_frame(message.shape, &message.as);
}

/* The places are those of the picture in wire/frame.h. */
static void try_sound_frame(struct bytes whole)
{
    static uint8_t sound[INPUT_MAX];
    if (whole.size < WIRE_HEADER_SIZE) return;
    memcpy(sound, whole.data, whole.size);
    const struct wire_shape *shape = wire_message_shape(load_u16(sound + 22));
    store_u32(sound + 16, WIRE_MAGIC);
    sound[20] = shape != NULL && shape->for_ever ? WIRE_FOR_EVER : WIRE_NEWEST;
    store_u32(sound + 24, (uint32_t)whole.size);
    store_u64(sound + 8, checksum64(sound + WIRE_HEADER_SIZE, whole.size - WIRE_HEADER_SIZE));
    store_u64(sound, checksum64(sound + 8, WIRE_HEADER_SIZE - 8));
    try_frame((struct bytes){sound, whole.size});
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0 || size > INPUT_MAX) return 0;
    try_frame((struct bytes){data, size});
    try_sound_frame((struct bytes){data, size});

    const struct wire_shape *shape = pick(data[0]);
    union wire_random_record record;
    struct bytes body = {data + 1, size - 1};
    if (shape == NULL || wire_decode(shape, body, &record) != 0) return 0;
    fuzz_hits++;
    struct writer w = writer_over(encoded, sizeof encoded);
    wire_encode(shape, &record, &w);
    assert(w.ok && bytes_equal(body, (struct bytes){encoded, w.size}));
    if (shape->number != 0) check_frame(shape, &record);
    return 0;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* The header around a message (picture in frame.h).  One function reads it and refuses what is not
 * sound, in the order that keeps each check meaningful: the checksum first, because a damaged field
 * says nothing; then magic; then the rest, which is the same in every version. */
#include "wire/frame.h"

#include "base/checksum.h"
#include "base/endian.h"
#include "base/limits.h"

#define CHECKSUM_SIZE 8u /* the header's checksum covers what follows it */
#define MAGIC_PLACE   16u

static uint64_t header_checksum(const uint8_t *header)
{
    return checksum64(header + CHECKSUM_SIZE, WIRE_HEADER_SIZE - CHECKSUM_SIZE);
}

static int read_header(struct bytes stream, size_t size_max, struct wire_header *header,
                       uint64_t *body_checksum)
{
    if (!wire_frame_begins(stream)) return VSTAMP_E_CORRUPT; /* its sender may wait for an answer */
    if (stream.size < WIRE_HEADER_SIZE) return VSTAMP_E_TRUNCATED;
    struct reader r = reader_over(stream.data, WIRE_HEADER_SIZE);
    if (read_u64(&r) != header_checksum(stream.data)) return VSTAMP_E_CORRUPT;
    *body_checksum = read_u64(&r);
    read_u32(&r); /* the magic */
    header->version = read_u8(&r);
    header->newest = read_u8(&r);
    header->command = read_u16(&r);
    header->size = read_u32(&r);
    header->epoch = read_u32(&r);
    header->group = read_id(&r);
    header->view = read_u64(&r);
    header->sender = read_u32(&r);
    header->witnesses = read_u32(&r);
    if (header->witnesses >> REPLICAS_MAX != 0) return VSTAMP_E_MALFORMED;
    if (size_max > FRAME_BYTES_MAX) size_max = FRAME_BYTES_MAX;
    if (header->size < WIRE_HEADER_SIZE || header->size > size_max) return VSTAMP_E_MALFORMED;
    return 0;
}

int wire_frame_size(struct bytes stream, size_t size_max, size_t *size)
{
    struct wire_header header;
    uint64_t body_checksum;
    int rv = read_header(stream, size_max, &header, &body_checksum);
    if (rv == 0) *size = header.size;
    return rv;
}

bool wire_frame_begins(struct bytes stream)
{
    if (stream.size < MAGIC_PLACE + sizeof(uint32_t)) return true;
    return load_u32(stream.data + MAGIC_PLACE) == WIRE_MAGIC;
}

int wire_frame_decode(struct bytes frame, struct wire_message *message)
{
    uint64_t body_checksum = 0;
    int rv = read_header(frame, FRAME_BYTES_MAX, &message->header, &body_checksum);
    if (rv != 0) return rv;
    if (message->header.size > frame.size) return VSTAMP_E_TRUNCATED;
    if (message->header.size < frame.size) return VSTAMP_E_MALFORMED;

    struct bytes body = {frame.data + WIRE_HEADER_SIZE, frame.size - WIRE_HEADER_SIZE};
    if (checksum64(body.data, body.size) != body_checksum) return VSTAMP_E_CORRUPT;
    uint8_t version = message->header.version;
    bool known = version == WIRE_FOR_EVER || (version >= WIRE_OLDEST && version <= WIRE_NEWEST);
    message->shape = wire_message_shape(message->header.command);
    if (message->shape == NULL || message->shape->for_ever != (version == WIRE_FOR_EVER))
        return known ? VSTAMP_E_MALFORMED : VSTAMP_E_VERSION;
    rv = wire_decode_in(message->shape, version, body, &message->as);
    return rv != 0 && !known ? VSTAMP_E_VERSION : rv;
}

size_t wire_frame_encode(const struct wire_header *header, const struct wire_shape *shape,
                         const void *message, void *buffer, size_t capacity)
{
    uint8_t version = header->version != 0 ? header->version : WIRE_OLDEST;
    if (shape->for_ever) version = WIRE_FOR_EVER;
    if (capacity > FRAME_BYTES_MAX) capacity = FRAME_BYTES_MAX;
    if (capacity < WIRE_HEADER_SIZE) return 0;

    uint8_t *frame = buffer;
    struct writer body = writer_over(frame + WIRE_HEADER_SIZE, capacity - WIRE_HEADER_SIZE);
    shape->encode(message, &body, version);
    if (!body.ok) return 0;
    size_t size = WIRE_HEADER_SIZE + body.size;

    struct writer w = writer_over(frame, WIRE_HEADER_SIZE);
    write_u64(&w, 0); /* the checksum, once what it covers is there */
    write_u64(&w, checksum64(body.start, body.size));
    write_u32(&w, WIRE_MAGIC);
    write_u8(&w, version);
    write_u8(&w, header->newest);
    write_u16(&w, shape->number);
    write_u32(&w, (uint32_t)size);
    write_u32(&w, header->epoch);
    write_id(&w, header->group);
    write_u64(&w, header->view);
    write_u32(&w, header->sender);
    write_u32(&w, header->witnesses);
    struct writer checksum = writer_over(frame, CHECKSUM_SIZE);
    write_u64(&checksum, header_checksum(frame));
    return size;
}

uint64_t wire_application(const char *name)
{
    struct bytes text = bytes_of(name);
    uint64_t checksum = checksum64(text.data, text.size);
    return checksum != 0 ? checksum : 1;
}

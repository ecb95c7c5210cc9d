/* SPDX-License-Identifier: BSD-2-Clause */
/* Frames: a fixed header of 64 bytes, then a message's encoding.
 *
 *   offset  0  u64  checksum of bytes 8..63
 *           8  u64  checksum of the body
 *          16  u32  magic "VSTP"
 *          20  u8   version that the message is written in, 0: its shape is the same in all
 *          21  u8   newest version that the sender speaks, 0 from a client
 *          22  u16  command (messages.def)
 *          24  u32  size of the whole frame
 *          28  u32  epoch
 *          32  id   group (zero while the sender does not know it)
 *          48  u64  view
 *          56  u32  sender: a replica's index, or WIRE_SENDER_CLIENT
 *          60  u32  witnesses: bitset by index, as the sender knows its group; 0 from a client
 *
 * The header's checksum is verified before any of its fields is used, the size before anything is
 * allocated or read, the body's checksum before it is decoded. */
#ifndef WIRE_FRAME_H
#define WIRE_FRAME_H

#include <vstamp/error.h>

#include "wire/codec.h"
#include "wire/version.h"

#define WIRE_HEADER_SIZE 64u
#define WIRE_MAGIC 0x50545356u /* "VSTP" */
#define WIRE_SENDER_CLIENT 0xffffffffu

struct wire_header {
    uint8_t version, newest;
    uint16_t command;
    uint32_t size;
    uint32_t epoch;
    struct vstamp_id group;
    uint64_t view;
    uint32_t sender;
    uint32_t witnesses;
};

/* A frame, taken apart. */
struct wire_message {
    struct wire_header header;
    const struct wire_shape *shape;
    union {
#define MESSAGE_BEGIN(name, number, text) struct wire_##name name;
#include "wire/messages.def"
    } as;
};

/* How large is the frame that starts here?  0 with *size set once the 64 bytes of header are there
 * and sound; VSTAMP_E_TRUNCATED: give me more bytes; VSTAMP_E_CORRUPT, VSTAMP_E_MALFORMED (no
 * frame, or larger than `size_max`): close the connection. */
int wire_frame_size(struct bytes stream, size_t size_max, size_t *size);

/* Could a frame start with these bytes, as far as the first of them tell? */
bool wire_frame_begins(struct bytes stream);

/* Take a whole frame apart.  The message points into it; fields that its version lacks are zero.
 * VSTAMP_E_* as above; an unknown command is VSTAMP_E_MALFORMED.  VSTAMP_E_VERSION, with the header
 * there: it is written in a version that this program does not know. */
int wire_frame_decode(struct bytes frame, struct wire_message *message);

/* Write a frame: header->size and command are filled in from the message, which is written in
 * header->version (0: the oldest that this program speaks), or in none if its shape is for ever.
 * Returns the frame's size, or 0 if it does not fit into `capacity` or FRAME_BYTES_MAX; what is in
 * the buffer then is no frame. */
size_t wire_frame_encode(const struct wire_header *header, const struct wire_shape *shape,
                         const void *message, void *buffer, size_t capacity);

/* What a request names an application by: a checksum of its name, never 0. */
uint64_t wire_application(const char *name);

/* One line for people and traces: "prepare from=0 view=3 commit=7 entry={...}", cut to `size` bytes
 * with its NUL.  Bytes are shown as their length. */
void wire_print(const struct wire_message *message, char *text, size_t size);

#endif

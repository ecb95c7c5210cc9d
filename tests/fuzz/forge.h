/* SPDX-License-Identifier: BSD-2-Clause */
/* Forged frames: whatever the peers of a node could send it, made from a fuzzer's input.
 *
 * Frames are always valid: magic, checksums, group and epoch are right, and the sender is a member.
 * What they say is up to the input, which chooses for each field between something the node has in
 * mind (its op-number, the nonce it waits for, the checksum of an entry it holds, ...), that with a
 * small step up or down, and anything at all.  Logs are chosen from a tree of entries, each of
 * which chains to its parent by a right checksum: so peers can show logs that fit the node's,
 * branch off anywhere, or have nothing to do with it. */
#ifndef FUZZ_FORGE_H
#define FUZZ_FORGE_H

#include "base/bytes.h"
#include "vr/replica.h"

#define FORGE_ENTRIES 32u
#define FORGE_BODY 512u
#define FORGE_FRAME_SIZE 65536u
#define FORGE_PAGES_MAX 3u

struct forge_entry {
    struct wire_entry_header header;
    size_t size;
    uint8_t body[FORGE_BODY];
};

struct forge_page {
    uint32_t number;
    uint8_t content[VSTAMP_PAGE_SIZE];
};

struct forge {
    const struct vr *vr;
    struct reader *in;
    struct vstamp_id tokens[REPLICAS_MAX]; /* of the peers */
    struct forge_entry entries[FORGE_ENTRIES]; /* a ring: new ones take the place of old ones */
    uint32_t n_entries;
    struct forge_page pages[FORGE_PAGES_MAX]; /* of the newest forged checkpoint: they differ */
    uint32_t n_pages;
    uint8_t content[FORGE_FRAME_SIZE]; /* what lists and bytes point to */
    uint8_t frame[FORGE_FRAME_SIZE];
};

/* A frame in the name of *from, as the input says. */
struct bytes forge_frame(struct forge *f, uint8_t *from);

/* A frame whose fields the caller has chosen. */
struct bytes forge_message(struct forge *f, uint8_t from, uint64_t view,
                           const struct wire_shape *shape, const void *message);

/* A frame of a client.  Mostly what the client table would let run next. */
struct bytes forge_request(struct forge *f);

/* What all peers of a blank node say in its last round: their tokens, with `ours` at its place.
 * `buffer` holds VR_TOKENS_BYTES. */
struct wire_list forge_tokens(struct forge *f, struct vstamp_id ours, uint8_t *buffer);

/* A new entry after `parent` with a batch as the input says. */
struct forge_entry *forge_extend(struct forge *f, const struct wire_entry_header *parent,
                                 uint64_t view);

#endif

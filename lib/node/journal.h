/* SPDX-License-Identifier: BSD-2-Clause */
/* The format of a replica's files: records, one after another, in journal segments, in the heads of
 * checkpoints, in recordings and in copies of the state.
 *
 *   u32 size of the body, u32 kind, u64 checksum, body, zeros up to a multiple of 8
 *
 * The checksum covers the body and, as its seed, kind, size, the file's number and the record's
 * place in it: a record that was written to the wrong place, or that an older file left behind,
 * does not check.  In a segment only the heads of batches have that seed; the records of a batch
 * have the batch's identity for a file's number, and their place in the batch.  The bodies are
 * records of wire/messages.def ("On disk", "In a recording"); vstamp-format(5) has the whole. */
#ifndef NODE_JOURNAL_H
#define NODE_JOURNAL_H

#include <vstamp/error.h>

#include "wire/codec.h"
#include "wire/version.h"

#define JOURNAL_RECORD_OVERHEAD 24u /* header and padding at most */
#define JOURNAL_HEADER_SIZE 16u
#define JOURNAL_BLOCK 4096u /* a batch begins at a multiple of it, and is filled up to one */

enum journal_kind {
    JOURNAL_SEGMENT = 1,
    JOURNAL_HARD_STATE,
    JOURNAL_ENTRY,
    JOURNAL_CHECKPOINT_HEAD,
    JOURNAL_BATCH,
    JOURNAL_COPY_HEAD, /* these are of copy.h */
    JOURNAL_COPY_PAGE,
    JOURNAL_COPY_CHECKPOINT_END,
    JOURNAL_COPY_ENTRY,
    JOURNAL_COPY_TAIL,
    JOURNAL_HOLE, /* in a segment: an entry of which the header is all there is */
    JOURNAL_TRAIL, /* of trail.h */
#define RECORDED(name, use) JOURNAL_RECORDED_##name,
#include "node/recording.def"
#undef RECORDED
    JOURNAL_KINDS
};

/* Bytes of a record on file. */
size_t journal_record_size(const struct wire_shape *shape, const void *record);

/* What the records of a batch have for a number. */
uint64_t journal_batch_identity(uint64_t life, uint64_t sequence);

/* Can a program that speaks these versions read what was written in that one?  0, or
 * VSTAMP_E_VERSION with a sentence. */
int journal_check_version(uint32_t version, uint8_t oldest, uint8_t newest,
                          struct vstamp_diag *diag);

/* Append a record that will stand at `place` of file `number`; false, and nothing written, if it
 * does not fit. */
bool journal_put(struct writer *w, uint64_t number, uint64_t place, enum journal_kind kind,
                 const struct wire_shape *shape, const void *record);

enum journal_status {
    JOURNAL_RECORD, /* here it is */
    JOURNAL_END,    /* the file ends here, between two records */
    JOURNAL_BAD     /* what stands here does not check */
};

struct journal_reader {
    struct bytes file;
    uint64_t number;
    size_t place; /* of the next record */
    uint64_t base; /* place in the file of what is looked at */
};

/* The next record, whose body points into the file.  The reader stays where it is unless that is
 * JOURNAL_RECORD. */
enum journal_status journal_next(struct journal_reader *r, enum journal_kind *kind,
                                 struct bytes *body);

/* Is there a sound record anywhere behind `place`?  Then what does not check there is damage, not
 * the torn end of the last write. */
bool journal_continues(const struct journal_reader *r);

#endif

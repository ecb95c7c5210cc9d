/* SPDX-License-Identifier: BSD-2-Clause */
/* A recording: one life of a node as a file of records (journal.h) that can be lived again.
 *
 *   start                            version, machine, entropy, configuration
 *   checkpoint page ... outputs      what was restored from the disk, if anything
 *   journal, data ... read, ... outputs
 *   step (restored) outputs fetched ...
 *   clock step (start)               then turn by turn:
 *   clock peer_frame client_frame connection rot checked large_trail stored ...
 *   step (end of the turn) outputs
 *   end                              missing if the process was killed
 *
 * A node is a function of what goes into it, so the records before `outputs` decide what that says.
 * Each input stands there before the node acts on it: what made it fail an assertion is the last
 * record.  `outputs` is how it is noticed at which turn a second life differs from the first; it
 * counts and sums up all frames, replies and jobs since the start, and says where the protocol
 * stood.  `status` does the same for the replicated state, whenever somebody asks for the status.
 *
 * The node makes the records itself, as calls of node_io.record, in both lives: who replays
 * compares the checks it is given with those in the file. */
#ifndef NODE_RECORDING_H
#define NODE_RECORDING_H

#include "node/node.h"

#define RECORDING_FORMAT 16u
#define RECORDING_NUMBER UINT64_C(0x676e6964726f6365) /* as the journal_reader's: of all of them */
#define RECORDING_DATA_MAX (256u << 10)               /* bytes in one record of data */
#define RECORDING_RECORD_MAX (FRAME_BYTES_MAX + 256u) /* bytes of any record */

enum recording_step {
    RECORDING_RESTORED = 1, /* node_restore_done */
    RECORDING_PAGES_RESTORED, /* node_restore_checkpoint_done */
    RECORDING_START,
    RECORDING_TURN_SEND,
    RECORDING_TURN_END,
    RECORDING_STOP,
    RECORDING_GAVE_UP /* node_restore_give_up */
};

/* A record, taken apart. */
struct recorded {
    enum journal_kind kind;
    union {
#define RECORDED(name, use) struct wire_recorded_##name name;
#include "node/recording.def"
#undef RECORDED
    } as;
};

/* The shape of a kind of record; NULL if no recording has it. */
const struct wire_shape *recording_shape(enum journal_kind kind);

/* What of this machine a program can depend on: size of a pointer, order of bytes. */
const char *recording_machine(void);

/* Append a record that will stand at `place`; false, and nothing written, if it does not fit. */
bool recording_put(struct writer *w, uint64_t place, enum journal_kind kind, const void *record);

/* The next record; r->number is RECORDING_NUMBER.  What checks but is no record of a recording is
 * JOURNAL_BAD, and the reader stays before it. */
enum journal_status recording_next(struct journal_reader *r, struct recorded *record);

/* Format and version of a recording whose first record this is.  They are read from every format;
 * the rest of `start` only where the format is ours.  False if it is no recording. */
bool recording_origin(struct bytes file, uint32_t *format, struct recorded *start);

/* The configuration in `start`.  Its texts point into the record.  False if it makes no sense. */
bool recording_config(const struct wire_recorded_start *start, struct vr_config *config);

/* Give the node what the record says went into it; `source` gives the reads that follow `journal`.
 * With one that recording.def has KEPT nothing happens.  VSTAMP_E_MALFORMED if no host would have
 * given it that; for a checkpoint or the journal what node_restore_... says, with its sentence. */
int recording_feed(struct node *node, const struct recorded *record,
                   const struct node_source *source, struct vstamp_diag *diag);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* What a stopped replica's folder holds: the checkpoint, then the journal record by record, each
 * checked, and followed as a start would follow it.  Damage does not end the walk.  Nothing is
 * written. */
#ifndef ADMIN_FOLDER_H
#define ADMIN_FOLDER_H

#include "node/journal_walk.h"
#include "program/log.h"
#include "replica/storage.h"
#include "vr/membership.h"
#include "vr/settings.h"

/* A record of a batch, or its head. */
struct folder_record {
    const char *file;
    uint64_t place, size;
    enum journal_kind kind;
    bool lost; /* it does not check: what it was is known from the next batch, of an entry the
                  header alone */
    union {
        const struct wire_batch_head *batch;
        const struct wire_hard_state *state;
        const struct wire_journal_entry *entry;
    } as;
};

#define FOLDER_NO_PLACE UINT64_MAX

/* Who is told; NULL: nobody. */
struct folder_visitor {
    void *ctx;
    void (*record)(void *ctx, const struct folder_record *record);
    void (*finding)(void *ctx, const char *file, uint64_t place, const char *text);
};

struct folder {
    struct storage storage;
    struct log log;
    const struct folder_visitor *visitor;
    struct journal_walk walk;
    struct node_window window;
    struct storage_reading reading;

    /* What it says. */
    bool any_head;
    struct wire_segment owner; /* whose folder it is, by the first sound head; its texts: */
    char address[ADDRESS_BYTES_MAX + 1];
    char application[VSTAMP_NAME_BYTES_MAX + 1];
    char durability[12];
    struct vstamp_id group;
    bool any_checkpoint;
    uint64_t checkpoint; /* number of the segment that follows it */
    struct wire_checkpoint_head head;
    bool any_state;
    struct wire_hard_state state; /* the newest; without its lists */
    struct vr_membership members; /* as that says; n 0: it does not */
    uint64_t incarnation;
    uint64_t commit;
    uint64_t n_segments, n_bytes;
    uint64_t *numbers; /* of the segments that the checkpoint does not say, */
    size_t n_numbers;
    uint64_t in_use; /* and how many of these were written to */
    uint64_t end_number, end;                    /* where the journal ends */
    bool torn;                                   /* with a write that was not finished */
    uint64_t n_findings;

    /* The log, as a start would make it: checksums of base .. op. */
    bool any_log;
    uint64_t base, op;
    struct vstamp_id *log_checksums;
    size_t log_capacity;

    /* Of the pages, while they are read. */
    uint32_t n_stored;
    uint64_t sum;
};

/* VSTAMP_E_CONFIG or VSTAMP_E_IO, with a sentence: not a replica's folder, or in use. */
int folder_open(struct folder *f, const char *path, struct vstamp_diag *diag);
void folder_close(struct folder *f); /* accepts one that could not be opened */

/* Tell all; then the above is filled in.  VSTAMP_E_IO, VSTAMP_E_VERSION with a sentence. */
int folder_walk(struct folder *f, const struct folder_visitor *visitor, struct vstamp_diag *diag);

/* How many requests are in the batch that is an entry's body. */
uint32_t folder_n_requests(struct bytes body);

/* Is this the entry that a start would have in its log? */
bool folder_has(const struct folder *f, const struct wire_entry_header *header);

#endif

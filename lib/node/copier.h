/* SPDX-License-Identifier: BSD-2-Clause */
/* Copying the state of a running group from outside (lib/vr/copy.c), without a system call: the
 * host carries questions and answers, to whichever replica it likes, and writes away the records
 * that come of them.
 *
 *   copier_init
 *   until c->phase is COPIER_COMPLETE:
 *       copier_ask, send it to a replica, copier_on_frame with what it answers, write away `into`
 *
 * Where a replica fails, the next question goes to another one; nothing that was copied is lost. */
#ifndef NODE_COPIER_H
#define NODE_COPIER_H

#include "node/copy.h"

#define COPIER_FRAME_MAX 4096u /* of a question */

/* Room that copier_on_frame wants for the records of an answer of `size` bytes. */
#define COPIER_RECORDS_MAX(size) (2 * (size) + 4096)

enum copier_phase {
    COPIER_PAGES,
    COPIER_ENTRIES,
    COPIER_WAITING, /* the replica does not know the target yet: ask again a little later */
    COPIER_COMPLETE
};

struct copier {
    enum copier_phase phase;
    uint64_t target; /* op-number that the copy must include */
    struct copy_writer writer;
    struct wire_copy_head head;   /* of the program and the time; the rest is learned */
    uint8_t form[128];            /* the replicas', as encoded */
    size_t form_size;             /* 0: nothing learned yet */
    uint64_t nonce;
    uint64_t *hashes;             /* of the pages that are in the copy */
    uint32_t n_pages_max;
    struct wire_entry_header anchor; /* of the checkpoint being copied */
    uint32_t page, total;            /* next one to ask about, and how many there are */
    uint32_t n_restarts;             /* a newer checkpoint had taken its place */
    uint64_t op;                     /* entries are copied up to here, */
    struct vstamp_id checksum;       /* of that one */
};

/* `hashes` are n_pages_max zeros; `program` is kept by pointer. */
void copier_init(struct copier *c, uint64_t target, uint64_t time_us, const char *program,
                 uint64_t *hashes, uint32_t n_pages_max);

/* The next question as a frame; gives its size. */
size_t copier_ask(struct copier *c, uint8_t frame[static COPIER_FRAME_MAX]);

/* A whole frame that the replica which was asked has sent: appends records to `into`.  Late answers
 * to former questions are passed over: c->nonce is answered when *answered is set.  It fails with
 * a sentence, and the copy can go on with another replica:
 *   VSTAMP_E_NOT_RUN      the replica cannot tell now; another may
 *   VSTAMP_E_OTHER_GROUP  it is of another group than those asked before
 *   VSTAMP_E_MALFORMED    it makes no sense */
int copier_on_frame(struct copier *c, struct bytes frame, struct writer *into, bool *answered,
                    struct vstamp_diag *diag);

#endif

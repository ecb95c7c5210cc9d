/* SPDX-License-Identifier: BSD-2-Clause */
/* A copy of a group's state, as a file: what copier.h writes, and what a new group begins with.
 *
 *   head, pages..., checkpoint_end, entries..., [pages..., checkpoint_end, entries..., ] tail
 *
 * Records in the form of journal.h, written once from front to end.  Pages are those of a
 * checkpoint, the entries those that followed it up to the op-number of the tail.  Where the
 * checkpoint was replaced by a newer one before it was whole, the pages that differ follow later:
 * the last content of a page counts, and of the entries those behind the last checkpoint_end.
 *
 * The head stands in file number 0, all that follows in the file whose number is the head's time,
 * so that the halves of two copies never make one. */
#ifndef NODE_COPY_H
#define NODE_COPY_H

#include <vstamp/app.h>
#include <vstamp/error.h>

#include "node/journal.h"
#include "node/node.h"

#define COPY_VERSION 4u

/* Writing: where the next record goes. */
struct copy_writer {
    uint64_t number, place, n_records;
};

/* False, and nothing written, if it does not fit into `w`. */
bool copy_put(struct copy_writer *c, struct writer *w, enum journal_kind kind,
              const struct wire_shape *shape, const void *record);

struct vr;

struct copy {
    struct bytes file;
    struct wire_copy_head head; /* points into the file */
    struct wire_entry_header anchor;
    uint32_t n_pages;
    uint8_t version; /* of the protocol: that of the group at `op` */
    uint64_t op, n_entries;
    size_t pages_end; /* where the last checkpoint_end stands */
    void *instance;   /* for an application with memory of its own: what its open(), given
                         copy_limits, has made.  The caller sets it before copy_load */
    struct vr *vr;    /* after copy_load: its pages are the state at `op` */
};

/* Check every byte of the file.  VSTAMP_E_CORRUPT or VSTAMP_E_VERSION, with a sentence. */
int copy_open(struct copy *c, struct bytes file, struct vstamp_diag *diag);

/* What the application of the copied group was told. */
struct vstamp_limits copy_limits(const struct copy *c);

/* Bring the state into memory, zeroed and of copy_memory bytes, most of which is only touched as
 * far as the state needs it: the pages, then the entries executed upon them.  VSTAMP_E_CORRUPT if
 * they do not make sense, VSTAMP_E_CONFIG if they are of another application. */
size_t copy_memory(const struct copy *c);
int copy_load(struct copy *c, void *memory, size_t size, const struct vstamp_app *app,
              struct vstamp_diag *diag);

/* What the application sees; after copy_load. */
const struct vstamp_pages *copy_pages(const struct copy *c);

/* Pages of the application that hold something, up to the last. */
uint32_t copy_app_pages(const struct copy *c);

/* So many operations of its entries are not in that state, as the application cannot execute them
 * (vr/pass_over.c): the group passed over them, or nobody was there to ask. */
uint64_t copy_passed_over(const struct copy *c);

/* Of those pages: equal for equal states of the application, whoever its clients were. */
struct vstamp_id copy_digest(const struct copy *c);

/* The identity of the group that a configuration (its `members`) makes of a loaded copy: the same
 * for all its members, and another one than that of the group that was copied. */
struct vstamp_id copy_group(const struct copy *c, const struct vr_config *config);

/* Does the state go into a replica of this configuration?  VSTAMP_E_CONFIG, with a sentence that
 * says what it needs, if not. */
int copy_fits(const struct copy *c, const struct vr_config *config, struct vstamp_diag *diag);

/* Make a node (durability: disk, just initialized, not started) a member of that group, at view 0
 * with the state of the copy, no session and an empty log behind it.  It then asks for the jobs
 * that put this on its disk: run turns until node_is_stored.  The
 * copy must fit. */
void node_restore_copy(struct node *node, const struct copy *c);
bool node_is_stored(const struct node *node);

#endif

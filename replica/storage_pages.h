/* SPDX-License-Identifier: BSD-2-Clause */
/* The store of pages: <data_dir>/<index>/pages.mdb, one LMDB file.  A checkpoint is one write
 * transaction: it is there whole once its commit returned, or the one before it is.
 *
 * Its one table has integer keys:
 *
 *   2 x page       the first 4080 bytes of the page: with LMDB's header of 16 just one page there
 *   2 x page + 1   its checksum, and the other 16 bytes: some of them share a leaf
 *   SIZE_MAX       number of the checkpoint and its head
 *
 * The file is opened for each checkpoint anew: then its map is as large as this checkpoint may need
 * at most, and memory that a large one took is given back.  Nobody else opens it (the folder is
 * locked), so LMDB's own lock file is not used.  LMDB reuses what was freed two transactions ago,
 * so the file holds at most about three times the state.
 *
 * LMDB trusts its file; storage_check.c is why we may. */
#ifndef REPLICA_STORAGE_PAGES_H
#define REPLICA_STORAGE_PAGES_H

#include <limits.h>
#include <stddef.h>

#include <lmdb.h>

#include "node/node.h"

#define PAGES_NAME      "pages.mdb"
#define PAGES_TEMPORARY "pages.mdb.tmp"
#define PAGES_HEAD_KEY  SIZE_MAX
#define PAGES_BEGIN     4080u /* bytes of a page in its first record, and in its second, */
#define PAGES_REST      16u
#define PAGES_REST_SIZE (8u + PAGES_REST) /* with the checksum */

/* An open environment with one transaction.  What returns int here returns what LMDB does: 0, an
 * errno, or a code of its own; mdb_strerror has words for all. */
struct pages_file {
    MDB_env *env;
    MDB_txn *txn;
    MDB_dbi table;
};

/* To write a checkpoint of at most `n_pages` pages; made if it is missing, durably. */
int pages_file_begin(struct pages_file *f, const char *folder, uint32_t n_pages);
int pages_file_keep(struct pages_file *f, const struct node_page *page);
int pages_file_put_head(struct pages_file *f, uint64_t number, struct bytes head);
int pages_file_commit(struct pages_file *f);

/* To read it. */
int pages_file_open(struct pages_file *f, const char *path);

/* What was not committed is as if it had never been.  Harmless on one that is not open. */
void pages_file_close(struct pages_file *f);

/* Who gets what a file holds: its head, then its pages in rising order.  An error ends it. */
struct pages_sink {
    void *ctx;
    int (*head)(void *ctx, uint64_t number, struct bytes head, struct vstamp_diag *diag);
    int (*page)(void *ctx, const struct node_page *page, struct vstamp_diag *diag);
};

/* Nothing is given, and *any is false, if it is missing or has no checkpoint. */
int pages_file_read(const char *path, const struct pages_sink *sink, bool *any,
                    struct vstamp_diag *diag);

/* The same to a node, from stable storage. */
int pages_file_restore(const char *path, struct node *node, struct vstamp_diag *diag);

/* storage_check.c: can LMDB use the file without harm?  VSTAMP_E_CORRUPT, with a sentence, if it
 * may be damaged.  Before there are threads that use LMDB. */
int pages_file_check(const char *path, struct vstamp_diag *diag);

/* storage_check.c: which of the NODE_CHECKED_PAGES pages from `first` on are not what was stored,
 * be it on the disk or in memory?  MDB_CORRUPTED if more is damaged than pages alone. */
int pages_file_find_rot(const char *folder, uint64_t first,
                        uint32_t rotten[static NODE_CHECKED_PAGES], uint32_t *n_rotten);

#endif

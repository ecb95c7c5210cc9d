/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of the storage share among themselves. */
#ifndef REPLICA_STORAGE_LANE_H
#define REPLICA_STORAGE_LANE_H

#include "replica/storage.h"

/* storage_folder.c */
int storage_complain(struct vstamp_diag *diag, const struct storage *s, const char *name,
                     const char *what); /* with errno's words; VSTAMP_E_IO */

/* storage_lane.c, in the lane's thread.  Each returns false after it has noted what failed. */
bool lane_failed(struct lane *l, const char *step); /* errno says how; always false */
bool lane_close_file(struct lane *l);
bool lane_open_file(struct lane *l, const char *name, int flags);
bool lane_write(struct lane *l, struct bytes data);
bool lane_sync_folder(struct lane *l);
bool lane_remove_below(struct lane *l, const char *kind, uint64_t bound);

/* A file's content, in memory to be given back by storage_release. */
struct storage_content {
    int fd;
    void *memory;
    struct bytes bytes;
};
/* VSTAMP_E_CORRUPT if the disk does not give it back. */
int storage_load(const struct storage *s, const char *name, struct storage_content *c,
                 struct vstamp_diag *diag);
void storage_release(struct storage_content *c);

/* storage_aside.c */
int storage_put_aside(const struct storage *s, struct vstamp_diag *diag);
int storage_look_aside(const struct storage *s, bool *any, struct vstamp_diag *diag);
bool storage_remove_aside(struct lane *l);

/* storage_journal.c */
bool journal_run(struct lane *l, const struct node_job *job);
int journal_restore(struct storage *s, struct node *node, struct vstamp_diag *diag);

/* storage_checkpoint.c */
bool checkpoint_run(struct lane *l, const struct node_job *job);
int checkpoint_restore(struct storage *s, struct node *node, struct vstamp_diag *diag);

#endif

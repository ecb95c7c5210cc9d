/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of the storage share among themselves. */
#ifndef REPLICA_STORAGE_LANE_H
#define REPLICA_STORAGE_LANE_H

#include "replica/storage.h"

/* storage_folder.c */
int storage_complain(struct vstamp_diag *diag, const struct storage *s, const char *name,
                     const char *what); /* with errno's words; storage_refused(errno) */
int storage_refused(int error); /* VSTAMP_E_IO, or VSTAMP_E_AGAIN if that may pass by itself */
bool storage_is_full(int error);
/* What a limit on the size of files leaves of a write may not fit O_DIRECT, and is an error of the
 * disk to LMDB: then EFBIG, else `error`.  The file needs `size` bytes. */
int storage_why(int error, uint64_t size);
const char *storage_hint(int error); /* what to do about it, to stand behind its words; or "" */

/* storage_lane.c: in the loop, */
void lane_ask(struct lane *l, const struct node_job *job);
void storage_give_up(struct storage *s, const struct lane *l); /* ends the process */

/* and in the lane's thread.  Each of these returns false after it has noted what failed. */
bool lane_failed(struct lane *l, const char *step); /* errno says how; always false */
bool lane_write(struct lane *l, struct bytes data, uint64_t place);
bool lane_sync_folder(struct lane *l);
bool lane_has_room(struct lane *l, uint64_t size);
bool lane_leaves_room(int fd); /* for all else, if something that may be lost goes to that file */
bool lane_remove_below(struct lane *l, uint64_t bound);

/* storage_aside.c */
int storage_put_aside(const struct storage *s, struct vstamp_diag *diag);
int storage_look_aside(const struct storage *s, bool *any, struct vstamp_diag *diag);
bool storage_remove_aside(struct lane *l);

/* storage_journal.c: in the lanes' threads, */
bool journal_run(struct lane *l, const struct node_job *job);
bool segment_make(struct lane *l, const struct node_job *job);
bool journal_check(struct lane *l, const struct node_job *job);
/* and in the loop */
void journal_checked(struct storage *s, const struct lane *l);
void journal_store(struct storage *s, const struct node_job *job);
void journal_segment_made(struct storage *s, const struct lane *l, bool ok);
void journal_seek_room(struct storage *s, enum node_job_kind done);
void journal_close(struct storage *s);
int journal_restore(struct storage *s, struct node *node, struct vstamp_diag *diag);
int journal_check_files(const struct storage *s, const uint64_t *numbers, size_t n,
                        struct vstamp_diag *diag); /* as storage_check_journal */

/* storage_ring.c: ring_open returns an errno */
int ring_open(struct storage *s, uv_loop_t *loop);
void ring_write(struct storage *s, const struct node_job *job); /* begins with ring_submit */
void ring_submit(struct storage *s);
void ring_close(struct storage *s);

/* storage_fetched.c: none fails; the first two in the lane's thread */
void fetched_keep(struct lane *l, struct bytes data);
void fetched_remove(struct lane *l);
void fetched_restore(const struct storage *s, struct node *node);

/* storage_trail.c: does not fail, in the lane's thread */
void trail_append(struct lane *l, const struct node_job *job);

/* storage_checkpoint.c */
bool checkpoint_run(struct lane *l, const struct node_job *job);
int checkpoint_restore(struct storage *s, struct node *node, struct vstamp_diag *diag);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* The disk of a replica (durability: disk): a folder of plain files, <data_dir>/<index>/
 *
 *   damaged-<name>                one that could not be read; removed once the state is back
 *   lock                          held while the daemon runs (PIT-9.10)
 *   journal-<number, 16 hex>      segments of the journal; the newest is made ahead of its use
 *   journal.spare, .spare.2       segments that a checkpoint freed, for later use
 *   journal.tmp                   a segment that is being made; removed at start
 *   pages.mdb                     the newest checkpoint (storage_pages.h)
 *   fetched-pages                 some of one that is being fetched (storage_fetched.c)
 *   restore-unfinished            no replica starts: what a restore made is not all there yet
 *   trail, trail.1                what pages held at digest points (storage_trail.c), and
 *   trail-kept, trail-kept.1      the same, until states were found to differ
 *
 * What is in the files is the node's matter; here it is bytes.  Each lane (node.h) has a thread
 * that does one job at a time, and so has the making of segments; a slow disk never stops the loop.
 * The journal's thread has nothing to do where the system has rings (storage_ring.c).  A lane that
 * fails never works again, and the process ends as soon as the loop hears of it: after a failed
 * write or fsync nobody knows what is on the disk, and a retry would only pretend (PIT-9.5). */
#ifndef REPLICA_STORAGE_H
#define REPLICA_STORAGE_H

#include <dirent.h>
#include <limits.h>

#include <liburing.h>
#include <uv.h>

#include "program/log.h"
#include "replica/storage_pages.h"
#include "replica/turn.h"
#include "vr/membership.h"

#define STORAGE_NAME_SIZE 48u

/* No segment is larger, and none was in a former version: the largest batch takes a quarter of it.
 * What is larger is none, and is not read to its end, wherever that is. */
#define STORAGE_SEGMENT_MAX (64u << 20)

/* A node_source of a folder's segments, storage_read; begins with {.storage = s, .fd = -1}. */
struct storage;
struct storage_reading {
    const struct storage *storage;
    bool glances;    /* nothing is replayed: so nothing is synced, and errors are said later */
    uint64_t number; /* behind fd, 0: none */
    int fd;          /* -1: there is no such file */
    int failed_errno; /* of the first read that failed, 0: none did; */
    uint64_t failed_number, failed_place; /* where */
};
int storage_read(void *reading, uint64_t number, uint64_t place, void *buffer, size_t size,
                 size_t *got, struct vstamp_diag *diag);

enum { LANE_SEGMENTS = NODE_LANES, STORAGE_LANES };

enum lane_state { LANE_IDLE, LANE_ASKED, LANE_DONE, LANE_FAILED };

struct lane {
    struct storage *storage;
    bool (*run)(struct lane *l, const struct node_job *job);
    uv_thread_t thread;
    uv_mutex_t mutex;
    uv_cond_t asked;
    enum lane_state state; /* under the mutex, as what follows */
    bool quit;
    struct node_job job;
    uint32_t rotten[NODE_CHECKED_PAGES], n_rotten; /* pages that the job found */
    struct storage_reading reading; /* of a look at the journal */
    const char *failed_step; /* LANE_FAILED: what was being done, */
    int failed_errno;        /* and what the system said */

    /* The thread's own. */
    int fd;                       /* of the file it writes, or -1 */
    char name[STORAGE_NAME_SIZE]; /* of that file */
    bool buffered;                /* the file system has no O_DIRECT */
    struct pages_file pages;      /* the checkpoint's lane: while one is written */
    uint64_t unfit;               /* segment that was found damaged: nothing takes its place */
    int fetched_fd;               /* the same lane: what was fetched is kept there, -1: not open */
    int fetched_errno;            /* why it is not any more; told by the loop when that is idle */
    bool said_fetched;
    uint64_t trail_size;          /* of its file, if that is large; else 0 */
    int trail_errno;              /* why some of the trail is not there; told as that is */
    bool said_trail;
};

enum journal_io { JOURNAL_IO_ANY, JOURNAL_IO_RING, JOURNAL_IO_THREAD };

/* The loop's side of the journal. */
struct journal {
    enum journal_io io;
    bool said_buffered;      /* that the file system has no O_DIRECT */
    uint64_t segment_size;
    int fd;                  /* of the segment that is written, -1: none yet */
    uint64_t number;
    int next_fd;             /* of the one after it, -1: not ready */
    uint64_t next_number;
    uint64_t making;         /* the number of the one that is being made, 0: none */
    uint64_t retry_us;       /* it could not be made: when to try again, 0: all is well */
    bool waits;              /* for that one: */
    struct node_job waiting;

    struct io_uring ring;
    uv_poll_t poll;
    bool writing;            /* through the ring: what is left of the job */
    struct bytes left;
    uint64_t left_place;
};

struct storage {
    struct turn *turn;
    struct log *log;
    char folder[PATH_MAX];
    uint32_t state_pages; /* bound of the state */
    int folder_fd, lock_fd;
    uv_async_t answer;
    struct lane lanes[STORAGE_LANES];
    struct journal journal;
    char trouble[160]; /* for the status: what is wrong with the disk, in words */
};

/* Before it is opened: is the folder that of the replica at this address?  VSTAMP_E_CONFIG if it is
 * another's, or if it is empty and another one under `data_dir` is the right one; the sentence says
 * which to rename. */
int storage_check_owner(const char *data_dir, uint32_t index, const char *address,
                        struct vstamp_diag *diag);

/* Who the group is, as the journal in the folder says.  False: it does not. */
bool storage_read_membership(const char *data_dir, uint32_t index, struct vr_membership *members,
                             bool *retired);

/* What a start finds before it reads any of the journal in the folder: are all segments there, each
 * as it was made?  VSTAMP_E_CORRUPT with a sentence if not; VSTAMP_E_AGAIN or VSTAMP_E_IO if the
 * system refuses to tell.  A folder that is in use changes, and is not looked at. */
int storage_check_journal(const char *data_dir, uint32_t index, struct vstamp_diag *diag);

/* Create the folder where it is missing, lock it, remove what a crash left half made.  `log` and
 * `turn` are kept by pointer. */
int storage_open(struct storage *s, const char *data_dir, uint32_t index, uint32_t state_pages,
                 struct turn *turn, struct log *log, struct vstamp_diag *diag);

/* The same for the journal: `io` is what the operator asks for. */
int storage_open_journal(struct storage *s, uv_loop_t *loop, uint64_t segment_size,
                         enum journal_io io, struct vstamp_diag *diag);
const char *storage_journal_io(const struct storage *s); /* "ring" or "thread" */

/* For whoever makes the folder of a replica that is not to start in it before all is there. */
int storage_begin_making(const struct storage *s, struct vstamp_diag *diag);
int storage_end_making(const struct storage *s, struct vstamp_diag *diag);

/* Give the node what the folder holds.  What is fed is on stable storage, not just in the cache of
 * the system (PIT-9.6).  Files that are damaged are put aside, and the node told that it has lost
 * its state, unless its group is too small to bring it back. */
int storage_restore(struct storage *s, struct node *node, struct vstamp_diag *diag);

/* Start the lanes. */
int storage_start(struct storage *s, uv_loop_t *loop, struct vstamp_diag *diag);

/* A write of the journal may wait for storage_flush: what leaves before it is not kept waiting by
 * the disk's queue. */
void storage_store(struct storage *s, enum node_lane lane, const struct node_job *job);
void storage_flush(struct storage *s);

/* Finish the jobs under way and end the lanes. */
void storage_close(struct storage *s);

/* The names of files.  Is this one that of a segment of the journal, and of which? */
void storage_segment_name(char name[static STORAGE_NAME_SIZE], uint64_t number);
bool storage_segment_number(const char *name, uint64_t *number);
#define STORAGE_SPARE     "journal.spare"
#define STORAGE_SPARE_2   "journal.spare.2"
#define STORAGE_TEMPORARY "journal.tmp"
#define STORAGE_FETCHED   "fetched-pages"
#define STORAGE_TRAIL     "trail"
#define STORAGE_TRAIL_KEPT "trail-kept"
#define STORAGE_BEFORE    ".1" /* behind either: the file before that one */
#define STORAGE_ASIDE     "damaged-" /* names that begin so */
#define STORAGE_LOCK      "lock"
#define STORAGE_UNFINISHED "restore-unfinished"

/* To look at a stopped replica's folder, whichever it is: nothing is written, and no replica starts
 * in it meanwhile.  VSTAMP_E_CONFIG if that is none, VSTAMP_E_IO if a replica uses it. */
int storage_look(struct storage *s, const char *folder, struct log *log, struct vstamp_diag *diag);
void storage_look_end(struct storage *s); /* accepts one that could not be opened */

/* Is this segment of the journal as long as it was made?  VSTAMP_E_CORRUPT, with a sentence, if
 * not; VSTAMP_E_AGAIN or VSTAMP_E_IO if the system refuses to tell. */
int storage_check_end(const struct storage *s, uint64_t number, struct vstamp_diag *diag);

/* Does this errno say that the system refuses what the disk could give?  Then the file that it is
 * about may be as sound as ever. */
bool storage_is_refusal(int error);

/* The next name in a folder; NULL: that was the last, or errno tells what keeps it from being read:
 * what is not listed must not be taken for missing. */
struct dirent *storage_entry(DIR *dir);

/* The numbers of all segments that are there, rising; the caller frees *numbers. */
int storage_segments(const struct storage *s, uint64_t **numbers, size_t *n,
                     struct vstamp_diag *diag);

#endif

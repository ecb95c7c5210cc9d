/* SPDX-License-Identifier: BSD-2-Clause */
/* Checkpoints: a transaction of the store of pages, begun, filled and committed by three kinds of
 * jobs; what the journal says of the time before it goes only then. */
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#include "replica/storage_lane.h"
#include "replica/storage_pages.h"

#define LMDB_WRITES_AT_ONCE (64u * 4096) /* bytes, MDB_COMMIT_PAGES of them */

static bool done(struct lane *l, int mdb, const char *step)
{
    struct stat file;

    if (mdb == 0) return true;
    pages_file_close(&l->pages);
    snprintf(l->name, sizeof l->name, "%s", PAGES_NAME);
    if (fstatat(l->storage->folder_fd, l->name, &file, 0) == 0)
        mdb = storage_why(mdb, (uint64_t)file.st_size + 1);
    l->failed_errno = mdb;
    l->failed_step = step;
    return false;
}

/* LMDB says EIO, too, where there was room for a part of what it wrote. */
static int written(struct lane *l, int mdb)
{
    return mdb == EIO && !lane_has_room(l, LMDB_WRITES_AT_ONCE) ? ENOSPC : mdb;
}

static bool begin(struct lane *l)
{
    const struct storage *s = l->storage;

    return done(l, pages_file_begin(&l->pages, s->folder, s->state_pages), "open");
}

static bool keep_pages(struct lane *l, struct bytes data)
{
    struct node_page page;
    int mdb = 0;

    while (mdb == 0 && node_page_next(&data, &page)) mdb = pages_file_keep(&l->pages, &page);
    return done(l, written(l, mdb), "write");
}

static bool commit(struct lane *l)
{
    if (!done(l, written(l, pages_file_commit(&l->pages)), "commit a checkpoint to")) return false;
    pages_file_close(&l->pages);
    return true;
}

static bool end(struct lane *l, const struct node_job *job)
{
    bool ok = done(l, pages_file_put_head(&l->pages, job->number, job->data), "write") &&
              commit(l) && lane_remove_below(l, job->number) && storage_remove_aside(l);

    if (ok) fetched_remove(l);
    return ok;
}

/* What cannot be opened now is looked at another time. */
static bool check_pages(struct lane *l, const struct node_job *job)
{
    int mdb = pages_file_find_rot(l->storage->folder, job->number, l->rotten, &l->n_rotten);

    return storage_is_refusal(mdb) || done(l, mdb, "check");
}

bool checkpoint_run(struct lane *l, const struct node_job *job)
{
    switch (job->kind) {
    case NODE_JOB_CHECKPOINT_BEGIN:
        return begin(l);
    case NODE_JOB_CHECKPOINT_DATA:
        return keep_pages(l, job->data);
    case NODE_JOB_CHECKPOINT_END:
        return end(l, job);
    case NODE_JOB_CHECK:
        return check_pages(l, job);
    case NODE_JOB_MEND:
        return begin(l) && keep_pages(l, job->data) && commit(l);
    case NODE_JOB_CHECK_JOURNAL:
        return journal_check(l, job);
    case NODE_JOB_TRAIL:
        trail_append(l, job);
        return true;
    case NODE_JOB_KEEP:
        fetched_keep(l, job->data);
        return true;
    case NODE_JOB_APPEND:
        break; /* not for this lane */
    }
    return false;
}

int checkpoint_restore(struct storage *s, struct node *node, struct vstamp_diag *diag)
{
    char path[PATH_MAX + STORAGE_NAME_SIZE];

    snprintf(path, sizeof path, "%s/%s", s->folder, PAGES_NAME);
    int rv = pages_file_check(path, diag);
    if (rv == 0) rv = pages_file_restore(path, node, diag);
    if (rv != 0) vstamp_diag_wrap(diag, "%s", path);
    return rv;
}

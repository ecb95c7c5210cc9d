/* SPDX-License-Identifier: BSD-2-Clause */
/* What the lanes do alike: take a job, write to one file at a time, keep the order of things in the
 * folder; and what becomes of the process when one has failed. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/assert.h"
#include "replica/storage_lane.h"

#define EXIT_DISK_FAILED 1

#define ROOM_LEFT (64u << 20) /* bytes, beside as many as are kept, for everything else */

/* --- in the loop ------------------------------------------------------------------------------ */

void lane_ask(struct lane *l, const struct node_job *job)
{
    uv_mutex_lock(&l->mutex);
    assert(l->state == LANE_IDLE || l->state == LANE_FAILED);
    if (l->state == LANE_IDLE) {
        l->job = *job;
        l->state = LANE_ASKED;
        uv_cond_signal(&l->asked);
    }
    uv_mutex_unlock(&l->mutex);
}

/* What the operator can do. */
static const char *way_on(int error)
{
    if (storage_is_full(error)) return "make room on that disk, then start this replica again";
    if (error == EFBIG)
        return "files may not be that large: raise the limit (ulimit -f), then start this replica "
               "again";
    if (storage_is_refusal(error) || error == EAGAIN)
        return "it is not the disk: see to that, then start this replica again";
    return "check that disk, then start this replica again; if the disk is lost, start with an "
           "empty folder: the others bring it back";
}

void storage_give_up(struct storage *s, const struct lane *l)
{
    char file[PATH_MAX + STORAGE_NAME_SIZE];
    char reason[256];

    snprintf(file, sizeof file, "%s/%s", s->folder, l->name);
    snprintf(reason, sizeof reason, "cannot %s it: %s", l->failed_step,
             mdb_strerror(l->failed_errno));
    log_event(s->log, LOG_LEVEL_ERROR, "disk-failed", LOG_TEXT("file", file),
              LOG_TEXT("reason", reason), LOG_TEXT("hint", way_on(l->failed_errno)));
    _exit(EXIT_DISK_FAILED);
}

/* --- in its thread ---------------------------------------------------------------------------- */

bool lane_failed(struct lane *l, const char *step)
{
    l->failed_errno = storage_why(errno, l->storage->journal.segment_size + JOURNAL_BLOCK);
    l->failed_step = step;
    return false;
}

bool lane_write(struct lane *l, struct bytes data, uint64_t place)
{
    while (data.size > 0) {
        ssize_t n = pwrite(l->fd, data.data, data.size, (off_t)place);

        if (n < 0 && errno == EINTR) continue;
        if (n == 0) errno = ENOSPC;
        if (n <= 0) return lane_failed(l, "write");
        data.data += n;
        data.size -= (size_t)n;
        place += (uint64_t)n;
    }
    return true;
}

bool lane_sync_folder(struct lane *l)
{
    return fsync(l->storage->folder_fd) == 0 || lane_failed(l, "sync the folder of");
}

static bool has_room(int fd, uint64_t size)
{
    struct statvfs system;

    if (fstatvfs(fd, &system) != 0) return false;
    if (system.f_blocks == 0) return true; /* some file systems do not tell */
    if (system.f_bavail * system.f_frsize > size) return true;
    errno = ENOSPC;
    return false;
}

/* Asked before a file is filled that may not fit: nobody else on that disk should run out of room
 * meanwhile, and least of all a checkpoint. */
bool lane_has_room(struct lane *l, uint64_t size)
{
    return has_room(l->storage->folder_fd, size) || lane_failed(l, "find room for");
}

/* Of what is fetched, for one, as much again will be stored. */
bool lane_leaves_room(int fd)
{
    struct stat file;

    return fstat(fd, &file) == 0 && has_room(fd, (uint64_t)file.st_blocks * 512 + ROOM_LEFT);
}

static bool keep_as(const struct lane *l, const char *spare)
{
    int folder = l->storage->folder_fd;

    return faccessat(folder, spare, F_OK, 0) != 0 && renameat(folder, l->name, folder, spare) == 0;
}

/* Under load a checkpoint frees two segments.  They are kept for the places of later ones: one that
 * is made anew costs the disk as much as all that will be written to it. */
static bool keep_spare(const struct lane *l)
{
    return keep_as(l, STORAGE_SPARE) || keep_as(l, STORAGE_SPARE_2);
}

/* Remove the segments below `bound`, the oldest first, and each for good before the next: a
 * power cut in between leaves no gap, which a start would take for a lost file. */
bool lane_remove_below(struct lane *l, uint64_t bound)
{
    uint64_t *numbers;
    size_t n;
    bool ok = true;

    if (storage_segments(l->storage, &numbers, &n, NULL) != 0)
        return lane_failed(l, "list the folder of");
    for (size_t i = 0; i < n && numbers[i] < bound && ok; i++) {
        storage_segment_name(l->name, numbers[i]);
        ok = (numbers[i] != l->unfit && keep_spare(l)) ||
             unlinkat(l->storage->folder_fd, l->name, 0) == 0 || errno == ENOENT ||
             lane_failed(l, "remove");
        ok = ok && lane_sync_folder(l);
    }
    free(numbers);
    return ok;
}

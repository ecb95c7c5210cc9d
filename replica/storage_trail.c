/* SPDX-License-Identifier: BSD-2-Clause */
/* The trail (vr/trail.c): a file that is appended to, and the one that was so before it.  Whether a
 * large one gives way to another is up to the core, which tells there what is still to be known.
 * When states are found to differ both get other names, under which they stay until that happens
 * again: those who are right go on, and would soon have overwritten what they knew.
 *
 * Nothing is synced, and nothing depends on it.  What cannot be written is lost: the reader sees
 * the gap (node/trail.h). */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "program/write_all.h"
#include "replica/storage_lane.h"

#define LARGE (16 << 20) /* bytes */

/* As `from` is called now, or else there is none of the new name. */
static bool rename_in(int folder, const char *from, const char *to)
{
    if (renameat(folder, from, folder, to) == 0) return true;
    if (errno == ENOENT) unlinkat(folder, to, 0);
    return errno == ENOENT;
}

static bool begin_another(int folder, enum trail_then then)
{
    switch (then) {
    case TRAIL_GOES_ON:
        return true;
    case TRAIL_TURNS:
        return rename_in(folder, STORAGE_TRAIL, STORAGE_TRAIL STORAGE_BEFORE);
    case TRAIL_IS_KEPT:
        return rename_in(folder, STORAGE_TRAIL STORAGE_BEFORE,
                         STORAGE_TRAIL_KEPT STORAGE_BEFORE) &&
               rename_in(folder, STORAGE_TRAIL, STORAGE_TRAIL_KEPT);
    }
    return false;
}

void trail_append(struct lane *l, const struct node_job *job)
{
    int folder = l->storage->folder_fd;
    int fd = openat(folder, STORAGE_TRAIL, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    bool kept = fd >= 0 && lane_leaves_room(fd) && write_all(fd, job->data);
    enum trail_then then = (enum trail_then)job->number;

    l->trail_errno = kept ? 0 : errno;
    off_t size = kept ? lseek(fd, 0, SEEK_END) : 0;
    if (then == TRAIL_GOES_ON && size >= LARGE) l->trail_size = (uint64_t)size;
    if (!begin_another(folder, then) && kept) l->trail_errno = errno;
    if (fd >= 0) close(fd);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* What the lanes do alike: write to one file at a time, keep the order of things in the folder. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "replica/storage_lane.h"

bool lane_failed(struct lane *l, const char *step)
{
    l->failed_errno = errno;
    l->failed_step = step;
    return false;
}

bool lane_write(struct lane *l, struct bytes data)
{
    while (data.size > 0) {
        ssize_t n = pwrite(l->fd, data.data, data.size, (off_t)l->size);

        if (n < 0 && errno == EINTR) continue;
        if (n == 0) errno = ENOSPC;
        if (n <= 0) return lane_failed(l, "write");
        data.data += n;
        data.size -= (size_t)n;
        l->size += (uint64_t)n;
    }
    return true;
}

bool lane_sync_folder(struct lane *l)
{
    return fsync(l->storage->folder_fd) == 0 || lane_failed(l, "sync the folder of");
}

/* A segment is kept for the next one's place, unless one is. */
static bool lane_keep_spare(struct lane *l)
{
    int folder = l->storage->folder_fd;

    return faccessat(folder, STORAGE_SPARE, F_OK, 0) != 0 &&
           renameat(folder, l->name, folder, STORAGE_SPARE) == 0;
}

/* Remove the segments below `bound`, the oldest first, and each for good before the next: a
 * power cut in between leaves no gap, which a start would take for a lost file. */
bool lane_remove_below(struct lane *l, uint64_t bound)
{
    uint64_t *numbers;
    size_t n, i;
    bool ok = true;

    if (storage_list(l->storage, STORAGE_JOURNAL, &numbers, &n, NULL) != 0)
        return lane_failed(l, "list the folder of");
    for (i = 0; i < n && numbers[i] < bound && ok; i++) {
        storage_name(l->name, STORAGE_JOURNAL, numbers[i]);
        ok = (numbers[i] != l->unfit && lane_keep_spare(l)) ||
             unlinkat(l->storage->folder_fd, l->name, 0) == 0 || errno == ENOENT ||
             lane_failed(l, "remove");
        ok = ok && lane_sync_folder(l);
    }
    free(numbers);
    return ok;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* What the two lanes do alike: write to one file at a time, and keep the order of things in the
 * folder. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "replica/storage_lane.h"

bool lane_failed(struct lane *l, const char *step)
{
    l->failed_errno = errno;
    l->failed_step = step;
    return false;
}

bool lane_close_file(struct lane *l)
{
    int fd = l->fd;

    l->fd = -1;
    if (fd >= 0 && close(fd) != 0) return lane_failed(l, "close");
    return true;
}

bool lane_open_file(struct lane *l, const char *name, int flags)
{
    struct stat stat;

    if (!lane_close_file(l)) return false;
    snprintf(l->name, sizeof(l->name), "%s", name);
    l->fd = openat(l->storage->folder_fd, name, O_WRONLY | O_CREAT | O_CLOEXEC | flags, 0600);
    if (l->fd < 0) return lane_failed(l, "create");
    if (fstat(l->fd, &stat) != 0) return lane_failed(l, "look at");
    l->size = (uint64_t)stat.st_size;
    return true;
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

/* Remove the files of a kind below `bound`, the oldest first, and each for good before the next: a
 * power cut in between leaves no gap, which a start would take for a lost file. */
bool lane_remove_below(struct lane *l, const char *kind, uint64_t bound)
{
    uint64_t *numbers;
    size_t n, i;
    bool ok = true;

    if (storage_list(l->storage, kind, &numbers, &n, NULL) != 0)
        return lane_failed(l, "list the folder of");
    for (i = 0; i < n && numbers[i] < bound && ok; i++) {
        storage_name(l->name, kind, numbers[i]);
        if (unlinkat(l->storage->folder_fd, l->name, 0) != 0 && errno != ENOENT)
            ok = lane_failed(l, "remove");
        else
            ok = lane_sync_folder(l);
    }
    free(numbers);
    return ok;
}

void storage_release(struct storage_content *c)
{
    if (c->memory != NULL) munmap(c->memory, c->bytes.size);
    if (c->fd >= 0) close(c->fd);
}

/* Read a whole file, after a sync: what a former process wrote but did not sync may be in the cache
 * only, and must not be believed before it is on the disk (PIT-9.6). */
int storage_load(const struct storage *s, const char *name, struct storage_content *c,
                 struct vstamp_diag *diag)
{
    struct stat stat;
    size_t done = 0;
    int rv;

    *c = (struct storage_content){.fd = openat(s->folder_fd, name, O_RDWR | O_CLOEXEC)};
    if (c->fd < 0) return storage_complain(diag, s, name, "cannot open");
    if (fsync(c->fd) != 0) return storage_complain(diag, s, name, "cannot sync");
    if (fstat(c->fd, &stat) != 0) return storage_complain(diag, s, name, "cannot look at");
    if (stat.st_size == 0) return 0;
    c->memory = mmap(NULL, (size_t)stat.st_size, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (c->memory == MAP_FAILED) {
        c->memory = NULL;
        return storage_complain(diag, s, name, "no memory to read it");
    }
    c->bytes = (struct bytes){c->memory, (size_t)stat.st_size};
    while (done < c->bytes.size) {
        ssize_t n = pread(c->fd, (char *)c->memory + done, c->bytes.size - done, (off_t)done);

        if (n < 0 && errno == EINTR) continue;
        if (n == 0) errno = EIO; /* it shrank under our lock */
        if (n <= 0) {
            bool damaged = errno == EIO;

            rv = storage_complain(diag, s, name, "cannot read");
            return damaged ? VSTAMP_E_CORRUPT : rv;
        }
        done += (size_t)n;
    }
    return 0;
}

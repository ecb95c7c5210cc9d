/* SPDX-License-Identifier: BSD-2-Clause */
/* Loaded into a replica with LD_PRELOAD: a disk that fails, and that forgets what was not synced
 * when its process is killed, as a machine does that loses power.
 *
 * What is written with pwrite is held in this process until fsync, but for a part of drawn length
 * at its beginning, which goes to the file at once: so a kill -9 leaves nothing whole that was
 * written after the last sync.  The journal is written with pwritev2 and RWF_DSYNC, a write and a
 * sync in one: there a kill -9 between the two leaves a torn batch.  What a file is told besides
 * (create, rename, remove) is not held, nor what goes to LMDB's file, which is read through a map
 * before it is synced.
 *
 * In the folder $CHAOS_DISK, `seen` appears with the first write; while there are these files,
 *
 *   eio-write    writes fail
 *   eio-sync     syncs fail; what was written is lost, as on Linux
 *   slow         syncs take half a second
 *
 * Each file is written by one thread at a time. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define FDS_MAX 4096
#define SLOW_US 500000
#define SECTOR  512u
#define BLOCK   4096u
#define SHOWN   __attribute__((visibility("default")))

struct held {
    struct held *next;
    off_t offset;
    size_t size;
    uint8_t *data; /* aligned, as O_DIRECT wants it */
};

static struct held *held_first[FDS_MAX], **held_end[FDS_MAX];

static bool is_switched_on(const char *fault)
{
    char path[PATH_MAX];
    const char *folder = getenv("CHAOS_DISK");
    if (folder == NULL) return false;
    snprintf(path, sizeof path, "%s/%s", folder, fault);
    return access(path, F_OK) == 0;
}

static void say_seen(void)
{
    char path[PATH_MAX];
    static bool said;
    const char *folder = getenv("CHAOS_DISK");
    if (said || folder == NULL) return;
    said = true;
    snprintf(path, sizeof path, "%s/seen", folder);
    int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    if (fd >= 0) close(fd);
}

static bool is_ours(int fd)
{
    struct stat stat;
    return fd >= 0 && fd < FDS_MAX && getenv("CHAOS_DISK") != NULL && fstat(fd, &stat) == 0 &&
           S_ISREG(stat.st_mode);
}

/* LMDB's file, which its own process reads through a map. */
static bool is_mapped(int fd)
{
    char link[64], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t size = readlink(link, path, sizeof path - 1);
    if (size < 0) return false;
    path[size] = '\0';
    return strstr(path, "/pages.mdb") != NULL;
}

static ssize_t real_pwrite(int fd, const void *data, size_t size, off_t offset)
{
    ssize_t (*real)(int, const void *, size_t, off_t);
    real = (ssize_t (*)(int, const void *, size_t, off_t))dlsym(RTLD_NEXT, "pwrite");
    return real(fd, data, size, offset);
}

static void forget(int fd)
{
    while (held_first[fd] != NULL) {
        struct held *first = held_first[fd];
        held_first[fd] = first->next;
        free(first->data);
        free(first);
    }
}

/* All that is held for the file goes into it.  False: errno says why not. */
static bool write_out(int fd)
{
    for (const struct held *h = held_first[fd]; h != NULL; h = h->next) {
        ssize_t n = real_pwrite(fd, h->data, h->size, h->offset);
        if (n == (ssize_t)h->size) continue;
        if (n >= 0) errno = ENOSPC;
        return false;
    }
    forget(fd);
    return true;
}

/* Some of a write reaches the disk before anyone syncs it. */
static size_t draw_part(size_t size)
{
    static _Thread_local uint64_t state;
    struct timespec t;
    if (state == 0) {
        clock_gettime(CLOCK_MONOTONIC, &t);
        state = (uint64_t)t.tv_nsec | 1;
    }
    state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    uint64_t draw = state >> 33;
    return draw % 4 == 0 ? draw / 4 % (size + 1) / SECTOR * SECTOR : 0;
}

static ssize_t hold(int fd, const void *data, size_t size, off_t offset)
{
    say_seen();
    if (is_switched_on("eio-write")) {
        errno = EIO;
        return -1;
    }
    if (is_mapped(fd)) return real_pwrite(fd, data, size, offset);
    size_t part = draw_part(size);
    if (part > 0 && real_pwrite(fd, data, part, offset) < 0) return -1;
    struct held *h = malloc(sizeof *h);
    uint8_t *copy = aligned_alloc(BLOCK, (size + BLOCK) / BLOCK * BLOCK);
    if (h == NULL || copy == NULL) abort();
    *h = (struct held){.offset = offset, .size = size, .data = copy};
    memcpy(h->data, data, size);
    if (held_first[fd] == NULL) held_end[fd] = &held_first[fd];
    *held_end[fd] = h;
    held_end[fd] = &h->next;
    return (ssize_t)size;
}

SHOWN ssize_t pwrite(int fd, const void *data, size_t size, off_t offset)
{
    return is_ours(fd) ? hold(fd, data, size, offset) : real_pwrite(fd, data, size, offset);
}

static bool sync_held(int fd)
{
    if (is_switched_on("eio-sync")) {
        forget(fd);
        errno = EIO;
        return false;
    }
    if (is_switched_on("slow")) usleep(SLOW_US);
    return write_out(fd);
}

static int sync_file(int fd, const char *name)
{
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
    return is_ours(fd) && !sync_held(fd) ? -1 : real(fd);
}

SHOWN int fsync(int fd)
{
    return sync_file(fd, "fsync");
}

SHOWN int fdatasync(int fd)
{
    return sync_file(fd, "fdatasync");
}

SHOWN ssize_t pwritev2(int fd, const struct iovec *parts, int n, off_t offset, int flags)
{
    ssize_t (*real)(int, const struct iovec *, int, off_t, int);
    real = (ssize_t (*)(int, const struct iovec *, int, off_t, int))dlsym(RTLD_NEXT, "pwritev2");
    if (!is_ours(fd) || n != 1) return real(fd, parts, n, offset, flags);
    ssize_t held = hold(fd, parts->iov_base, parts->iov_len, offset);
    if (held < 0) return held;
    if (!sync_held(fd)) return -1;
    return real(fd, parts, n, offset, flags);
}

/* What was not synced may or may not have reached the disk: here it has. */
SHOWN int close(int fd)
{
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, "close");
    if (fd >= 0 && fd < FDS_MAX && held_first[fd] != NULL) write_out(fd);
    return real(fd);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* The folder of a replica, and a lane of its storage, without a thread: the test does its jobs. */
#ifndef UNIT_LANED_H
#define UNIT_LANED_H

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "replica/storage_lane.h"

struct fixture {
    char folder[32];
    struct storage storage;
    struct lane lane;
    struct rlimit files;
    unsigned n_open; /* at the beginning */
};

/* Descriptors of this process. */
static inline unsigned count_open(void)
{
    DIR *dir = opendir("/proc/self/fd");
    unsigned n = 0;

    while (dir != NULL && readdir(dir) != NULL) n++;
    if (dir != NULL) closedir(dir);
    return n;
}

static inline int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    if (f == NULL) return -1;
    *state = f;
    f->lane = (struct lane){.storage = &f->storage, .fd = -1, .fetched_fd = -1};
    getrlimit(RLIMIT_NOFILE, &f->files);
    snprintf(f->folder, sizeof f->folder, "/tmp/vstamp-test-XXXXXX");
    if (mkdtemp(f->folder) == NULL) return -1;
    snprintf(f->storage.folder, sizeof f->storage.folder, "%s", f->folder);
    f->storage.folder_fd = open(f->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    f->n_open = count_open();
    return f->storage.folder_fd >= 0 ? 0 : -1;
}

static inline int tear_down(void **state)
{
    struct fixture *f = *state;
    DIR *dir = opendir(f->folder);
    struct dirent *entry;

    while (dir != NULL && (entry = readdir(dir)) != NULL)
        unlinkat(f->storage.folder_fd, entry->d_name, 0);
    if (dir != NULL) closedir(dir);
    if (f->lane.fd >= 0) close(f->lane.fd);
    bool all_closed = count_open() == f->n_open;
    close(f->storage.folder_fd);
    rmdir(f->folder);
    free(f);
    return all_closed ? 0 : -1;
}

/* May files be opened? */
static inline void allow_files(const struct fixture *f, bool allowed)
{
    struct rlimit limit = f->files;

    if (!allowed) limit.rlim_cur = 0;
    setrlimit(RLIMIT_NOFILE, &limit);
}

#define SHOWN __attribute__((visibility("default")))

static int open_fails, read_fails; /* with this errno, 0: it does not; the latter of whole blocks */
static off_t bad_place = -1; /* what reads this fails; -1: nothing does */
static bool has_turned; /* what is on the disk, but not what the cache has of it */

/* In place of the C library's, for LMDB, too. */
static inline int open_unless_it_fails(int folder, const char *name, int flags, va_list args)
{
    mode_t mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(args, mode_t) : 0;

    if (open_fails == 0) return (int)syscall(SYS_openat, folder, name, flags, mode);
    errno = open_fails;
    return -1;
}

SHOWN int open(const char *name, int flags, ...)
{
    va_list args;

    va_start(args, flags);
    int fd = open_unless_it_fails(AT_FDCWD, name, flags, args);
    va_end(args);
    return fd;
}


SHOWN int openat(int folder, const char *name, int flags, ...)
{
    va_list args;

    va_start(args, flags);
    int fd = open_unless_it_fails(folder, name, flags, args);
    va_end(args);
    return fd;
}

SHOWN ssize_t pread(int fd, void *data, size_t size, off_t place)
{
    bool is_block = size % JOURNAL_BLOCK == 0;
    ssize_t n = syscall(SYS_pread64, fd, data, size, place);

    if (bad_place >= place && bad_place - place < (off_t)size) {
        errno = EIO;
        return -1;
    }
    if (n > 0 && is_block && has_turned) ((uint8_t *)data)[n - 1] ^= 1;
    if (read_fails == 0 || !is_block) return n;
    errno = read_fails;
    return -1;
}

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* Loaded with LD_PRELOAD: a disk that cannot read the block of 4096 bytes in which byte
 * BAD_SECTOR_AT lies, of any file whose name ends in BAD_SECTOR_FILE. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BLOCK 4096

static int is_bad_file(int fd)
{
    const char *name = getenv("BAD_SECTOR_FILE");
    char link[64], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path);
    size_t size = name == NULL ? 0 : strlen(name);
    return size > 0 && n >= (ssize_t)size && memcmp(path + n - size, name, size) == 0;
}

__attribute__((visibility("default"))) ssize_t pread(int fd, void *into, size_t size, off_t from)
{
    ssize_t (*real)(int, void *, size_t, off_t) = NULL;
    *(void **)&real = dlsym(RTLD_NEXT, "pread");
    if (is_bad_file(fd)) {
        off_t bad = (off_t)strtoll(getenv("BAD_SECTOR_AT"), NULL, 10) / BLOCK * BLOCK;
        if (from < bad + BLOCK && from + (off_t)size > bad) {
            errno = EIO;
            return -1;
        }
    }
    return real(fd, into, size, from);
}

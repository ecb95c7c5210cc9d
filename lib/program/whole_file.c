/* SPDX-License-Identifier: BSD-2-Clause */
#define _GNU_SOURCE /* O_TMPFILE */
#include "program/whole_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

static int folder_of(const char *path, char folder[static PATH_MAX])
{
    const char *slash = strrchr(path, '/');
    size_t size = slash == NULL ? 0 : slash == path ? 1 : (size_t)(slash - path);
    int n = size == 0 ? snprintf(folder, PATH_MAX, ".")
                      : snprintf(folder, PATH_MAX, "%.*s", (int)size, path);
    if (n < PATH_MAX) return 0;
    errno = ENAMETOOLONG;
    return -1;
}

/* Into f->place. */
static int draw_name(struct whole_file *f)
{
    uint32_t drawn;
    if (getrandom(&drawn, sizeof drawn, 0) != (ssize_t)sizeof drawn) return -1;
    int n = snprintf(f->place, PATH_MAX, "%s.%06" PRIx32, f->path, drawn & 0xffffff);
    if (n < PATH_MAX) return 0;
    errno = ENAMETOOLONG;
    return -1;
}

static int open_named(struct whole_file *f, mode_t mode)
{
    do {
        if (draw_name(f) != 0) return -1;
        f->fd = open(f->place, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    } while (f->fd < 0 && errno == EEXIST);
    f->has_name = f->fd >= 0;
    return f->has_name ? 0 : -1;
}

int whole_file_open(struct whole_file *f, const char *path, mode_t mode)
{
    char folder[PATH_MAX];
    *f = (struct whole_file){.path = path, .fd = -1};
    if (folder_of(path, folder) != 0) return -1;
    f->fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, mode);
    if (f->fd < 0) return open_named(f, mode);
    snprintf(f->place, sizeof f->place, "/proc/self/fd/%d", f->fd);
    if (access(f->place, R_OK) == 0) return 0;
    close(f->fd);
    return open_named(f, mode);
}

static int link_to(const struct whole_file *f, const char *name)
{
    return linkat(AT_FDCWD, f->place, AT_FDCWD, name, AT_SYMLINK_FOLLOW);
}

/* A name beside that of `path`: a link cannot take the place of a file, but a rename can. */
static int take_name(struct whole_file *f)
{
    struct whole_file named = {.path = f->path};
    int rv;
    do rv = draw_name(&named) == 0 ? link_to(f, named.place) : -1;
    while (rv != 0 && errno == EEXIST);
    if (rv != 0) return -1;
    memcpy(f->place, named.place, sizeof f->place);
    f->has_name = true;
    return 0;
}

int whole_file_publish(struct whole_file *f, bool replace)
{
    if (fsync(f->fd) != 0) return -1;
    if (!replace && link_to(f, f->path) == 0) {
        if (f->has_name) unlink(f->place);
    } else {
        if (!replace && (errno == EEXIST || !f->has_name)) return -1;
        if (!f->has_name && take_name(f) != 0) return -1;
        if (rename(f->place, f->path) != 0) return -1; /* or a file system without links */
    }
    f->has_name = false;
    return whole_file_sync_folder(f->path);
}

void whole_file_close(struct whole_file *f)
{
    int error = errno;
    if (f->has_name) unlink(f->place);
    if (f->fd >= 0) close(f->fd);
    f->has_name = false;
    f->fd = -1;
    errno = error;
}

int whole_file_sync_folder(const char *path)
{
    char folder[PATH_MAX];
    if (folder_of(path, folder) != 0) return -1;
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return -1;
    int rv = fsync(fd), error = errno;
    close(fd);
    errno = error;
    return rv;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* The folder of a replica, and a lane of its storage, without a thread: the test does its jobs. */
#ifndef UNIT_LANED_H
#define UNIT_LANED_H

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "replica/storage_lane.h"

struct fixture {
    char folder[32];
    struct storage storage;
    struct lane lane;
    struct rlimit files;
};

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
    close(f->storage.folder_fd);
    rmdir(f->folder);
    free(f);
    return 0;
}

/* May files be opened? */
static inline void allow_files(const struct fixture *f, bool allowed)
{
    struct rlimit limit = f->files;

    if (!allowed) limit.rlim_cur = 0;
    setrlimit(RLIMIT_NOFILE, &limit);
}

#endif

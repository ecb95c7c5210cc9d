/* SPDX-License-Identifier: BSD-2-Clause */
#include "program/folders.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "program/whole_file.h"

/* The name of a new folder is durable once the folder that it is in is synced.  That one may be
 * passed through but not read: then it cannot be opened to be synced (EACCES), and is left. */
static bool make_one(const char *path)
{
    if (mkdir(path, 0700) != 0) return errno == EEXIST || errno == EISDIR;
    return whole_file_sync_folder(path) == 0 || errno == EACCES;
}

int folders_make(const char *path, struct vstamp_diag *diag)
{
    char part[PATH_MAX];
    for (size_t size = 1; size <= strlen(path); size++) {
        if (path[size] != '/' && path[size] != '\0') continue;
        int n = snprintf(part, sizeof part, "%.*s", (int)size, path);
        if ((size_t)n >= sizeof part) errno = ENAMETOOLONG;
        else if (make_one(part)) continue;
        int error = errno;
        vstamp_diag_printf(diag, "%s: cannot create the folder: %s", part, strerror(error));
        errno = error;
        return -1;
    }
    return 0;
}

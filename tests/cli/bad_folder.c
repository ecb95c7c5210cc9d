/* SPDX-License-Identifier: BSD-2-Clause */
/* Loaded into a replica with LD_PRELOAD: a disk that can read the first names of a folder only. */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <stddef.h>

#define NAMES 3u /* "." and "..", and one that matters */

__attribute__((visibility("default"))) struct dirent *readdir(DIR *dir)
{
    static unsigned n;
    struct dirent *(*real)(DIR *) = NULL;
    *(void **)&real = dlsym(RTLD_NEXT, "readdir");
    if (n++ < NAMES) return real(dir);
    n = 0;
    errno = EIO;
    return NULL;
}

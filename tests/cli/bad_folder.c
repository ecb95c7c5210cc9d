/* SPDX-License-Identifier: BSD-2-Clause */
/* Loaded with LD_PRELOAD: a disk that can read so many names of folders only, by default ".", "..",
 * and one that matters; and says where it cannot. */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

__attribute__((visibility("default"))) struct dirent *readdir(DIR *dir)
{
    static unsigned n;
    const char *names = getenv("BAD_FOLDER_NAMES");
    struct dirent *(*real)(DIR *) = NULL;
    *(void **)&real = dlsym(RTLD_NEXT, "readdir");
    if (n++ < (names != NULL ? strtoul(names, NULL, 10) : 3)) return real(dir);
    n = 0;
    dprintf(STDERR_FILENO, "bad-folder: no more names\n");
    errno = EIO;
    return NULL;
}

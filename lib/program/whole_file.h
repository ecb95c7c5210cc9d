/* SPDX-License-Identifier: BSD-2-Clause */
/* A file that gets its name when it is complete, and on stable storage.  Before that it has none,
 * so that nothing of it is left however its writer ends; where the file system has no such files it
 * has a name with a dot and six more characters. */
#ifndef PROGRAM_WHOLE_FILE_H
#define PROGRAM_WHOLE_FILE_H

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

struct whole_file {
    const char *path; /* what it is to be called; kept by pointer */
    int fd;           /* to write and read; -1: it is not open */
    char place[PATH_MAX]; /* where it can be opened until it is published, */
    bool has_name;        /* which is a name in its folder, else one in /proc */
};

/* Each returns 0, or -1 with errno. */
int whole_file_open(struct whole_file *f, const char *path, mode_t mode);
int whole_file_publish(struct whole_file *f, bool replace); /* else EEXIST, if there is one */

/* What was not published is gone. */
void whole_file_close(struct whole_file *f);

/* A name that came or went is durable once its folder is. */
int whole_file_sync_folder(const char *path);

#endif

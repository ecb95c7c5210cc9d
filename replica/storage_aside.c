/* SPDX-License-Identifier: BSD-2-Clause */
/* Files that are damaged beyond what can be read.  They get names of their own, so that nobody
 * reads them again, and stay until what the others have brought back is stored in their place.  As
 * long as they are there the folder is that of a replica that had state, be there nothing else.
 *
 * Whatever does not tell of that state stays where it is: the trail, and what is not ours, such as
 * a recording, or the lost+found of a volume. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "replica/storage_lane.h"

static bool is_folder(const struct storage *s, const char *name)
{
    struct stat file;

    return fstatat(s->folder_fd, name, &file, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(file.st_mode);
}

/* Another kind of file is not damaged, and to read it may take for ever. */
static bool is_no_plain_file(const struct storage *s, const char *name)
{
    struct stat file;

    return fstatat(s->folder_fd, name, &file, 0) == 0 && !S_ISREG(file.st_mode);
}

/* A folder is not ours, whatever its name. */
static bool is_aside(const struct storage *s, const char *name)
{
    return strncmp(name, STORAGE_ASIDE, strlen(STORAGE_ASIDE)) == 0 && !is_folder(s, name);
}

/* Segments are counted from 1 again, so one that is kept for later must not say what a former one
 * of its number did. */
static bool is_content(const char *name)
{
    static const char *const others[] = {PAGES_NAME, STORAGE_FETCHED, STORAGE_SPARE,
                                         STORAGE_SPARE_2};
    uint64_t number;

    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        if (strcmp(name, others[i]) == 0) return true;
    return storage_segment_number(name, &number);
}

static bool rename_aside(const struct storage *s, const char *name)
{
    char aside[sizeof STORAGE_ASIDE + NAME_MAX];

    snprintf(aside, sizeof aside, STORAGE_ASIDE "%s", name);
    return renameat(s->folder_fd, name, s->folder_fd, aside) == 0;
}

static int cannot_put_aside(const struct storage *s, struct vstamp_diag *diag)
{
    return storage_complain(diag, s, ".", "cannot put damaged files aside");
}

/* The oldest first, and each for good before the next: a journal that lacks its beginning is seen
 * to, but one that lacks its end would look sound to the start after a kill. */
static int put_segments_aside(const struct storage *s, struct vstamp_diag *diag)
{
    char name[STORAGE_NAME_SIZE];
    uint64_t *numbers;
    size_t n;
    int rv = storage_segments(s, &numbers, &n, diag);

    for (size_t i = 0; i < n && rv == 0; i++) {
        storage_segment_name(name, numbers[i]);
        if (!rename_aside(s, name) || fsync(s->folder_fd) != 0) rv = cannot_put_aside(s, diag);
    }
    free(numbers);
    return rv;
}

int storage_put_aside(const struct storage *s, struct vstamp_diag *diag)
{
    int rv = put_segments_aside(s, diag);
    DIR *dir = rv == 0 ? opendir(s->folder) : NULL;
    struct dirent *entry;

    if (rv != 0) return rv;
    if (dir == NULL) return cannot_put_aside(s, diag);
    while (rv == 0 && (entry = storage_entry(dir)) != NULL)
        if (is_content(entry->d_name) && !rename_aside(s, entry->d_name))
            rv = cannot_put_aside(s, diag);
    if (rv == 0 && errno != 0) rv = cannot_put_aside(s, diag);
    closedir(dir);
    return rv;
}

int storage_look_aside(const struct storage *s, bool *any, struct vstamp_diag *diag)
{
    DIR *dir = opendir(s->folder);
    struct dirent *entry;
    int rv = 0;

    *any = false;
    if (dir == NULL) return storage_complain(diag, s, ".", "cannot list");
    while (rv == 0 && (entry = storage_entry(dir)) != NULL) {
        *any = *any || is_aside(s, entry->d_name);
        if (is_content(entry->d_name) && is_no_plain_file(s, entry->d_name)) {
            vstamp_diag_printf(diag, "%s/%s: is %s where a file of the replica belongs: move it "
                               "away", s->folder, entry->d_name,
                               is_folder(s, entry->d_name) ? "a folder" : "no plain file");
            rv = VSTAMP_E_CONFIG;
        }
    }
    if (rv == 0 && errno != 0) rv = storage_complain(diag, s, ".", "cannot list");
    closedir(dir);
    return rv;
}

bool storage_remove_aside(struct lane *l)
{
    const struct storage *s = l->storage;
    DIR *dir = opendir(s->folder);
    struct dirent *entry;
    bool ok = dir != NULL;

    while (ok && (entry = storage_entry(dir)) != NULL)
        if (is_aside(s, entry->d_name)) ok = unlinkat(s->folder_fd, entry->d_name, 0) == 0;
    ok = ok && errno == 0;
    if (!ok) lane_failed(l, "remove damaged files of");
    if (dir != NULL) closedir(dir);
    return ok;
}

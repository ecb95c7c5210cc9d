/* SPDX-License-Identifier: BSD-2-Clause */
/* The folder: made, locked and listed. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/limits.h"
#include "program/folders.h"
#include "replica/storage_lane.h"

#define SEGMENT_PREFIX  "journal-"
#define NUMBERS_AT_ONCE 64u

bool storage_is_refusal(int error)
{
    return error == EACCES || error == EPERM || error == EMFILE || error == ENFILE ||
           error == ENOMEM;
}

bool storage_is_full(int error)
{
    return error == ENOSPC || error == EDQUOT;
}

int storage_refused(int error)
{
    bool passes = storage_is_full(error) || error == EMFILE || error == ENFILE ||
                  error == ENOMEM || error == EAGAIN;

    return passes ? VSTAMP_E_AGAIN : VSTAMP_E_IO;
}

int storage_why(int error, uint64_t size)
{
    struct rlimit limit;

    if ((error != EINVAL && error != EIO) || getrlimit(RLIMIT_FSIZE, &limit) != 0) return error;
    return limit.rlim_cur < size ? EFBIG : error;
}

const char *storage_hint(int error)
{
    return error == EACCES ? ": run this as the user who owns the folder" : "";
}

int storage_complain(struct vstamp_diag *diag, const struct storage *s, const char *name,
                     const char *what)
{
    int error = errno;

    vstamp_diag_printf(diag, "%s/%s: %s: %s%s", s->folder, name, what, strerror(error),
                       storage_hint(error));
    return storage_refused(error);
}

void storage_segment_name(char name[static STORAGE_NAME_SIZE], uint64_t number)
{
    snprintf(name, STORAGE_NAME_SIZE, SEGMENT_PREFIX "%016" PRIx64, number);
}

bool storage_segment_number(const char *name, uint64_t *number)
{
    char canonical[STORAGE_NAME_SIZE];
    size_t prefix = strlen(SEGMENT_PREFIX);

    if (strncmp(name, SEGMENT_PREFIX, prefix) != 0) return false;
    *number = strtoull(name + prefix, NULL, 16);
    storage_segment_name(canonical, *number);
    return strcmp(name, canonical) == 0 && *number > 0 && *number < NUMBER_MAX;
}

static int by_number(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

struct dirent *storage_entry(DIR *dir)
{
    errno = 0;
    return readdir(dir);
}

static bool add_number(uint64_t **numbers, size_t *n, uint64_t number)
{
    if (*n % NUMBERS_AT_ONCE == 0) {
        uint64_t *grown = realloc(*numbers, (*n + NUMBERS_AT_ONCE) * sizeof *grown);
        if (grown == NULL) return false;
        *numbers = grown;
    }
    (*numbers)[(*n)++] = number;
    return true;
}

/* 0, or an errno. */
static int list_segments(const char *folder, uint64_t **numbers, size_t *n)
{
    DIR *dir = opendir(folder);
    struct dirent *entry;
    uint64_t number;
    int error = 0;

    if (dir == NULL) return errno;
    while (error == 0 && (entry = storage_entry(dir)) != NULL)
        if (storage_segment_number(entry->d_name, &number) && !add_number(numbers, n, number))
            error = ENOMEM;
    if (error == 0) error = errno;
    closedir(dir);
    return error;
}

int storage_segments(const struct storage *s, uint64_t **numbers, size_t *n,
                     struct vstamp_diag *diag)
{
    *numbers = NULL;
    *n = 0;
    int error = list_segments(s->folder, numbers, n);
    if (error == 0) {
        if (*n > 1) qsort(*numbers, *n, sizeof **numbers, by_number);
        return 0;
    }
    free(*numbers);
    *numbers = NULL;
    vstamp_diag_printf(diag, "%s: cannot list the folder: %s%s", s->folder, strerror(error),
                       storage_hint(error));
    errno = error;
    return storage_refused(error);
}

static int take_lock(struct storage *s, struct vstamp_diag *diag)
{
    s->lock_fd = openat(s->folder_fd, STORAGE_LOCK, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (s->lock_fd < 0) return storage_complain(diag, s, STORAGE_LOCK, "cannot open");
    if (flock(s->lock_fd, LOCK_EX | LOCK_NB) == 0) return 0;
    if (errno != EWOULDBLOCK) return storage_complain(diag, s, STORAGE_LOCK, "cannot lock");
    vstamp_diag_printf(diag,
                       "%s: locked: another vstamp-replica, or vstamp-admin journal, is using this "
                       "folder", s->folder);
    return VSTAMP_E_IO;
}

/* To which a sync of a file means nothing. */
static void say_if_in_memory(const struct storage *s)
{
    struct statfs system;

    if (fstatfs(s->folder_fd, &system) != 0 ||
        (system.f_type != TMPFS_MAGIC && system.f_type != RAMFS_MAGIC))
        return;
    log_event(s->log, LOG_LEVEL_WARN, "folder-in-memory", LOG_TEXT("folder", s->folder),
              LOG_TEXT("hint", "it is lost when the machine stops: name a data_dir on a disk"));
}

int storage_open(struct storage *s, const char *data_dir, uint32_t index, uint32_t state_pages,
                 struct turn *turn, struct log *log, struct vstamp_diag *diag)
{
    *s = (struct storage){.turn = turn,
                          .log = log,
                          .state_pages = state_pages,
                          .folder_fd = -1,
                          .lock_fd = -1,
                          .journal = {.fd = -1, .next_fd = -1}};
    int n = snprintf(s->folder, sizeof s->folder, "%s/%" PRIu32, data_dir, index);
    if ((size_t)n >= sizeof s->folder - STORAGE_NAME_SIZE) {
        vstamp_diag_printf(diag, "data_dir: the path is too long");
        return VSTAMP_E_CONFIG;
    }
    if (folders_make(s->folder, diag) != 0) return storage_refused(errno);
    s->folder_fd = open(s->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (s->folder_fd < 0) return storage_complain(diag, s, ".", "cannot open");
    int rv = take_lock(s, diag);
    if (rv != 0) return rv;
    say_if_in_memory(s);
    unlinkat(s->folder_fd, STORAGE_TEMPORARY, 0);
    return 0;
}

/* --- making one ------------------------------------------------------------------------------- */

int storage_begin_making(const struct storage *s, struct vstamp_diag *diag)
{
    int fd = openat(s->folder_fd, STORAGE_UNFINISHED, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

    if (fd < 0) return storage_complain(diag, s, STORAGE_UNFINISHED, "cannot create");
    close(fd);
    return fsync(s->folder_fd) == 0 ? 0 : storage_complain(diag, s, ".", "cannot sync");
}

int storage_end_making(const struct storage *s, struct vstamp_diag *diag)
{
    if (unlinkat(s->folder_fd, STORAGE_UNFINISHED, 0) != 0)
        return storage_complain(diag, s, STORAGE_UNFINISHED, "cannot remove");
    return fsync(s->folder_fd) == 0 ? 0 : storage_complain(diag, s, ".", "cannot sync");
}

/* --- looking at it ---------------------------------------------------------------------------- */

static bool is_of_a_replica(const char *name)
{
    uint64_t number;

    return strcmp(name, PAGES_NAME) == 0 || storage_segment_number(name, &number) ||
           strncmp(name, STORAGE_ASIDE, strlen(STORAGE_ASIDE)) == 0;
}

static int look_for_files(const struct storage *s, struct vstamp_diag *diag)
{
    DIR *dir = opendir(s->folder);
    struct dirent *entry;

    if (dir == NULL) return storage_complain(diag, s, ".", "cannot list");
    while ((entry = storage_entry(dir)) != NULL)
        if (is_of_a_replica(entry->d_name)) break;
    int rv = entry == NULL && errno != 0 ? storage_complain(diag, s, ".", "cannot list") : 0;
    closedir(dir);
    if (entry != NULL || rv != 0) return rv;
    vstamp_diag_printf(diag,
                       "%s: not a replica's folder: none of a replica's files is there; that of "
                       "replica I is data_dir/I",
                       s->folder);
    return VSTAMP_E_CONFIG;
}

/* A copy of a folder may be without the file. */
static int share_lock(struct storage *s, struct vstamp_diag *diag)
{
    s->lock_fd = openat(s->folder_fd, STORAGE_LOCK, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (s->lock_fd < 0)
        return errno == ENOENT ? 0 : storage_complain(diag, s, STORAGE_LOCK, "cannot open");
    if (flock(s->lock_fd, LOCK_SH | LOCK_NB) == 0) return 0;
    if (errno != EWOULDBLOCK) return storage_complain(diag, s, STORAGE_LOCK, "cannot lock");
    vstamp_diag_printf(diag, "%s: locked: a vstamp-replica is using this folder: stop it first",
                       s->folder);
    return VSTAMP_E_IO;
}

int storage_look(struct storage *s, const char *folder, struct log *log, struct vstamp_diag *diag)
{
    *s = (struct storage){.log = log, .folder_fd = -1, .lock_fd = -1};
    int n = snprintf(s->folder, sizeof s->folder, "%s", folder);
    if ((size_t)n >= sizeof s->folder - STORAGE_NAME_SIZE) {
        vstamp_diag_printf(diag, "the path is too long");
        return VSTAMP_E_CONFIG;
    }
    s->folder_fd = open(s->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (s->folder_fd < 0) {
        vstamp_diag_printf(diag, "%s: %s", s->folder, strerror(errno));
        return VSTAMP_E_IO;
    }
    int rv = look_for_files(s, diag);
    return rv == 0 ? share_lock(s, diag) : rv;
}

void storage_look_end(struct storage *s)
{
    if (s->folder_fd >= 0) close(s->folder_fd);
    if (s->lock_fd >= 0) close(s->lock_fd);
    s->folder_fd = s->lock_fd = -1;
}

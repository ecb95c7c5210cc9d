/* SPDX-License-Identifier: BSD-2-Clause */
/* Opening the folder and reading it back: before the loop runs, in the main thread. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "replica/storage_file.h"

#define LOCK_NAME "lock"

static int complain(struct vstamp_diag *diag, const struct storage *s, const char *name,
                    const char *what)
{
    vstamp_diag_printf(diag, "%s/%s: %s: %s", s->folder, name, what, strerror(errno));
    return VSTAMP_E_IO;
}

/* As mkdir -p, private to the user; each folder made is durable in its parent. */
static int make_folders(const char *path, struct vstamp_diag *diag)
{
    char part[PATH_MAX];
    size_t i;

    for (i = 1; i <= strlen(path); i++) {
        int parent;

        if (path[i] != '/' && path[i] != '\0') continue;
        snprintf(part, sizeof(part), "%.*s", (int)i, path);
        if (mkdir(part, 0700) != 0) {
            if (errno == EEXIST || errno == EISDIR) continue;
            vstamp_diag_printf(diag, "%s: cannot create the folder: %s", part, strerror(errno));
            return VSTAMP_E_IO;
        }
        snprintf(part + i, sizeof(part) - i, "/..");
        parent = open(part, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (parent < 0) continue; /* a folder we may pass but not read: it cannot be synced by us */
        fsync(parent);
        close(parent);
    }
    return 0;
}

static int take_lock(struct storage *s, struct vstamp_diag *diag)
{
    s->lock_fd = openat(s->folder_fd, LOCK_NAME, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (s->lock_fd < 0) return complain(diag, s, LOCK_NAME, "cannot open");
    if (flock(s->lock_fd, LOCK_EX | LOCK_NB) == 0) return 0;
    if (errno != EWOULDBLOCK) return complain(diag, s, LOCK_NAME, "cannot lock");
    vstamp_diag_printf(diag, "%s: locked: another vstamp-replica is using this folder", s->folder);
    return VSTAMP_E_IO;
}

static int remove_temporary(struct storage *s, struct vstamp_diag *diag)
{
    DIR *dir = opendir(s->folder);
    struct dirent *entry;

    if (dir == NULL) return complain(diag, s, ".", "cannot list");
    while ((entry = readdir(dir)) != NULL) {
        size_t size = strlen(entry->d_name), suffix = strlen(STORAGE_TEMPORARY);

        if (strncmp(entry->d_name, STORAGE_CHECKPOINT "-", strlen(STORAGE_CHECKPOINT "-")) != 0)
            continue;
        if (size > suffix && strcmp(entry->d_name + size - suffix, STORAGE_TEMPORARY) == 0)
            unlinkat(s->folder_fd, entry->d_name, 0);
    }
    closedir(dir);
    return 0;
}

int storage_open(struct storage *s, const char *data_dir, uint32_t index, struct turn *turn,
                 struct log *log, struct vstamp_diag *diag)
{
    int rv, n;

    *s = (struct storage){.turn = turn, .log = log, .folder_fd = -1, .lock_fd = -1};
    n = snprintf(s->folder, sizeof(s->folder), "%s/%" PRIu32, data_dir, index);
    if (n < 0 || (size_t)n >= sizeof(s->folder) - STORAGE_NAME_SIZE) {
        vstamp_diag_printf(diag, "data_dir: the path is too long");
        return VSTAMP_E_CONFIG;
    }
    rv = make_folders(s->folder, diag);
    if (rv != 0) return rv;
    s->folder_fd = open(s->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (s->folder_fd < 0) return complain(diag, s, ".", "cannot open");
    rv = take_lock(s, diag);
    if (rv == 0) rv = remove_temporary(s, diag);
    return rv;
}

/* A file's content, in memory to be given back by munmap. */
struct content {
    int fd;
    void *memory;
    struct bytes bytes;
};

static void release(struct content *c)
{
    if (c->memory != NULL) munmap(c->memory, c->bytes.size);
    if (c->fd >= 0) close(c->fd);
}

/* Read a whole file, after a sync: what a former process wrote but did not sync may be in the cache
 * only, and must not be believed before it is on the disk (PIT-9.6). */
static int load(const struct storage *s, const char *name, struct content *c,
                struct vstamp_diag *diag)
{
    struct stat stat;
    size_t done = 0;

    *c = (struct content){.fd = openat(s->folder_fd, name, O_RDWR | O_CLOEXEC)};
    if (c->fd < 0) return complain(diag, s, name, "cannot open");
    if (fsync(c->fd) != 0) return complain(diag, s, name, "cannot sync");
    if (fstat(c->fd, &stat) != 0) return complain(diag, s, name, "cannot look at");
    if (stat.st_size == 0) return 0;
    c->memory = mmap(NULL, (size_t)stat.st_size, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (c->memory == MAP_FAILED) {
        c->memory = NULL;
        return complain(diag, s, name, "no memory to read it");
    }
    c->bytes = (struct bytes){c->memory, (size_t)stat.st_size};
    while (done < c->bytes.size) {
        ssize_t n = pread(c->fd, (char *)c->memory + done, c->bytes.size - done, (off_t)done);

        if (n < 0 && errno == EINTR) continue;
        if (n == 0) errno = EIO; /* it shrank under our lock */
        if (n <= 0) return complain(diag, s, name, "cannot read");
        done += (size_t)n;
    }
    return 0;
}

static int restore_checkpoint(struct storage *s, struct node *node, uint64_t number,
                              struct vstamp_diag *diag)
{
    char name[STORAGE_NAME_SIZE];
    struct content c;
    int rv;

    storage_name(name, STORAGE_CHECKPOINT, number);
    rv = load(s, name, &c, diag);
    if (rv == 0) {
        rv = node_restore_checkpoint(node, number, c.bytes, diag);
        if (rv != 0) vstamp_diag_wrap(diag, "%s/%s", s->folder, name);
    }
    release(&c);
    return rv;
}

static int cut_tail(struct storage *s, const char *name, const struct content *c, size_t size,
                    struct vstamp_diag *diag)
{
    if (size == c->bytes.size) return 0;
    log_event(s->log, LOG_LEVEL_WARN, "journal-tail-cut", LOG_TEXT("file", name),
              LOG_NUMBER("bytes", c->bytes.size - size),
              LOG_TEXT("reason", "the last write was not finished, nobody was told it was"));
    if (ftruncate(c->fd, (off_t)size) != 0) return complain(diag, s, name, "cannot cut its tail");
    if (fsync(c->fd) != 0) return complain(diag, s, name, "cannot sync");
    return 0;
}

static int restore_segment(struct storage *s, struct node *node, uint64_t number, bool newest,
                           struct vstamp_diag *diag)
{
    char name[STORAGE_NAME_SIZE];
    struct content c;
    size_t valid;
    int rv;

    storage_name(name, STORAGE_JOURNAL, number);
    rv = load(s, name, &c, diag);
    if (rv == 0) {
        valid = c.bytes.size;
        rv = node_restore_journal(node, number, c.bytes, newest, &valid, diag);
        if (rv != 0)
            vstamp_diag_wrap(diag, "%s/%s", s->folder, name);
        else if (newest)
            rv = cut_tail(s, name, &c, valid, diag);
    }
    release(&c);
    return rv;
}

int storage_restore(struct storage *s, struct node *node, struct vstamp_diag *diag)
{
    uint64_t *numbers;
    size_t n, i;
    int rv = storage_list(s, STORAGE_CHECKPOINT, &numbers, &n, diag);

    if (rv == 0 && n > 0) rv = restore_checkpoint(s, node, numbers[n - 1], diag);
    free(numbers);
    if (rv != 0) return rv;
    rv = storage_list(s, STORAGE_JOURNAL, &numbers, &n, diag);
    for (i = 0; rv == 0 && i < n; i++) rv = restore_segment(s, node, numbers[i], i == n - 1, diag);
    free(numbers);
    if (rv == 0) {
        rv = node_restore_done(node, diag);
        if (rv != 0) vstamp_diag_wrap(diag, "%s", s->folder);
    }
    if (rv == 0 && fsync(s->folder_fd) != 0) rv = complain(diag, s, ".", "cannot sync");
    return rv;
}

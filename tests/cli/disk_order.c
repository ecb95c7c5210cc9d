/* SPDX-License-Identifier: BSD-2-Clause */
/* Loaded into a replica, or into vstamp or vstamp-admin, with LD_PRELOAD: sees in which order it
 * writes, syncs and names its files, and ends it (status 98, and a line that says why) where a
 * power cut would lose what was acknowledged, or leave what a start takes for damage.  A kill shows
 * none of that: what a process has written outlives it.
 *
 * An append to a segment of the journal is durable when it is done (RWF_DSYNC), through a ring or
 * not.  So is the name of that segment, before the append begins, and before the first one that of
 * each folder which was made.  What gets the name of a segment, or of the pages, is durable as it
 * is.  A segment goes when a checkpoint that takes its place is durable, and each for good before
 * the next one.  What a start has read in its folder was perhaps only in a cache: it is synced, as
 * the folder is, before the first append; at folders beside it a replica has but a look.  A session
 * file is durable, and its name, before anything is sent that it tells of.  A copy, which is a
 * backup or an export, is durable before it has a name.
 *
 * At its end in good order the names of folders and of copies are durable, too, and the process
 * says how much of each was seen. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define FILES_MAX 4096
#define MADE_MAX  16
#define STATUS    98
#define SHOWN     __attribute__((visibility("default")))
#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

enum kind { OTHER, SEGMENT, PAGES, SESSION, COPY };

/* A file, by its inode. */
struct file {
    ino_t inode, folder;
    enum kind kind;
    bool written, read, synced; /* since it was synced; without; at all */
    uint64_t named;             /* when it got a name that may not last; 0: it lasts */
};

static struct file files[FILES_MAX];
static unsigned n_files, n_checkpoints, n_appends, n_names, n_removed, n_reads, n_sent;
static uint64_t now = 1, removed, folder_synced;
static bool appended;
static ino_t made_in[MADE_MAX]; /* folders in which one was made since they were synced */
static unsigned n_made;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static void check(bool holds, const char *what)
{
    if (holds) return;
    dprintf(STDERR_FILENO, "disk-order: %s\n", what);
    _exit(STATUS);
}

__attribute__((destructor)) static void report(void)
{
    check(n_made == 0, "a folder is left whose name need not be durable");
    for (unsigned i = 0; i < n_files; i++)
        check(files[i].kind != COPY || files[i].named == 0,
              "a copy whose name need not be durable");
    if (n_appends + n_names == 0) return;
    dprintf(STDERR_FILENO, "disk-order: appends=%u names=%u removed=%u reads=%u sent=%u\n",
            n_appends, n_names, n_removed, n_reads, n_sent);
}

static enum kind kind_of(const char *path)
{
    const char *slash = strrchr(path, '/'), *name = slash != NULL ? slash + 1 : path;
    if (strncmp(name, "journal-", 8) == 0) return SEGMENT;
    if (strcmp(name, "pages.mdb") == 0) return PAGES;
    if (strchr(name, '.') != NULL) return OTHER;
    if (strncmp(name, "copy", 4) == 0) return COPY;
    return strncmp(name, "session", 7) == 0 ? SESSION : OTHER;
}

/* NULL: no regular file. */
static struct file *find(const struct stat *stat, const char *path)
{
    unsigned i = 0;
    if (!S_ISREG(stat->st_mode)) return NULL;
    while (i < n_files && files[i].inode != stat->st_ino) i++;
    if (i == n_files) {
        check(n_files < FILES_MAX, "too many files");
        files[n_files++] = (struct file){.inode = stat->st_ino};
    }
    files[i].kind = kind_of(path);
    return &files[i];
}

static struct file *file_of(int fd)
{
    char link[64], path[4096];
    struct stat stat;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t size = readlink(link, path, sizeof path - 1);
    if (size < 0 || fstat(fd, &stat) != 0) return NULL;
    path[size] = '\0';
    struct file *file = find(&stat, path);
    char *slash = strrchr(path, '/');
    if (file == NULL || slash == NULL) return file;
    *slash = '\0';
    file->folder = lstat(path, &stat) == 0 ? stat.st_ino : 0;
    return file;
}

/* --- writes and reads ------------------------------------------------------------------------- */

static void written(int fd)
{
    pthread_mutex_lock(&mutex);
    struct file *file = file_of(fd);
    if (file != NULL && (fcntl(fd, F_GETFL) & O_DSYNC) == 0) file->written = true;
    pthread_mutex_unlock(&mutex);
}

static void was_read(int fd)
{
    pthread_mutex_lock(&mutex);
    struct file *file = file_of(fd);
    if (file != NULL && file->kind != OTHER && file->kind != COPY) {
        file->read = true;
        n_reads++;
    }
    pthread_mutex_unlock(&mutex);
}

static void first_append(ino_t folder)
{
    appended = true;
    check(folder_synced != 0, "an append before the folder was synced");
    check(n_made == 0, "an append in a folder whose name need not be durable");
    for (unsigned i = 0; i < n_files; i++) /* but for what was put aside: that counts for nothing */
        check(!files[i].read || files[i].synced || files[i].kind == OTHER ||
                  files[i].folder != folder,
              "an append, and what was read is not synced");
}

static void append(int fd, int flags)
{
    pthread_mutex_lock(&mutex);
    struct file *file = file_of(fd);
    if (file != NULL && file->kind == SEGMENT) {
        if (!appended) first_append(file->folder);
        check((flags & RWF_DSYNC) != 0, "an append that need not be durable");
        check(file->named == 0, "an append to a segment whose name need not be durable");
        n_appends++;
    }
    pthread_mutex_unlock(&mutex);
}

SHOWN ssize_t pwrite(int fd, const void *data, size_t size, off_t offset)
{
    written(fd);
    return REAL(pwrite)(fd, data, size, offset);
}

SHOWN ssize_t pwrite64(int fd, const void *data, size_t size, off64_t offset)
{
    written(fd);
    return REAL(pwrite64)(fd, data, size, offset);
}

SHOWN ssize_t pwritev(int fd, const struct iovec *parts, int n, off_t offset)
{
    written(fd);
    return REAL(pwritev)(fd, parts, n, offset);
}

SHOWN ssize_t pwritev64(int fd, const struct iovec *parts, int n, off64_t offset)
{
    written(fd);
    return REAL(pwritev64)(fd, parts, n, offset);
}

SHOWN ssize_t write(int fd, const void *data, size_t size)
{
    written(fd);
    return REAL(write)(fd, data, size);
}

SHOWN ssize_t writev(int fd, const struct iovec *parts, int n)
{
    written(fd);
    return REAL(writev)(fd, parts, n);
}

SHOWN ssize_t pwritev2(int fd, const struct iovec *parts, int n, off_t offset, int flags)
{
    append(fd, flags);
    return REAL(pwritev2)(fd, parts, n, offset, flags);
}

SHOWN int io_uring_submit(struct io_uring *ring)
{
    const struct io_uring_sq *sq = &ring->sq;
    for (unsigned i = sq->sqe_head; i != sq->sqe_tail; i++) {
        const struct io_uring_sqe *sqe = &sq->sqes[i & *sq->kring_mask];
        if (sqe->opcode == IORING_OP_WRITE) append(sqe->fd, sqe->rw_flags);
    }
    return REAL(io_uring_submit)(ring);
}

SHOWN ssize_t pread(int fd, void *data, size_t size, off_t offset)
{
    was_read(fd);
    return REAL(pread)(fd, data, size, offset);
}

SHOWN ssize_t pread64(int fd, void *data, size_t size, off64_t offset)
{
    was_read(fd);
    return REAL(pread64)(fd, data, size, offset);
}

/* The pages are read through a map. */
SHOWN void *mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset)
{
    if (fd >= 0) was_read(fd);
    return REAL(mmap)(at, size, protection, flags, fd, offset);
}

SHOWN void *mmap64(void *at, size_t size, int protection, int flags, int fd, off64_t offset)
{
    if (fd >= 0) was_read(fd);
    return REAL(mmap64)(at, size, protection, flags, fd, offset);
}

/* --- syncs ------------------------------------------------------------------------------------ */

/* All names that there were at `since` are durable. */
static void folder_is_synced(ino_t inode, uint64_t since)
{
    for (unsigned i = n_made; i > 0; i--)
        if (made_in[i - 1] == inode) made_in[i - 1] = made_in[--n_made];
    for (unsigned i = 0; i < n_files; i++)
        if (files[i].named <= since) files[i].named = 0;
    if (removed <= since) removed = 0;
    folder_synced = since;
}

static int sync_with(int (*real)(int), int fd)
{
    struct stat stat;
    pthread_mutex_lock(&mutex);
    struct file *file = file_of(fd);
    uint64_t since = now++;
    bool was_written = file != NULL && file->written;
    if (file != NULL) file->written = false; /* what is written meanwhile need not be in it */
    pthread_mutex_unlock(&mutex);
    int rv = real(fd);
    pthread_mutex_lock(&mutex);
    if (rv != 0 && was_written) file->written = true;
    if (rv == 0 && file != NULL) file->synced = true;
    if (rv == 0 && file != NULL && file->kind == PAGES && was_written) n_checkpoints++;
    if (rv == 0 && fstat(fd, &stat) == 0 && S_ISDIR(stat.st_mode))
        folder_is_synced(stat.st_ino, since);
    pthread_mutex_unlock(&mutex);
    return rv;
}

SHOWN int fsync(int fd)
{
    return sync_with(REAL(fsync), fd);
}

SHOWN int fdatasync(int fd)
{
    return sync_with(REAL(fdatasync), fd);
}

/* --- names ------------------------------------------------------------------------------------ */

static bool pages_are_durable(void)
{
    for (unsigned i = 0; i < n_files; i++)
        if (files[i].kind == PAGES && (files[i].written || files[i].named != 0)) return false;
    return n_checkpoints > 0;
}

/* What is put aside keeps what it holds. */
static void goes(const char *name, const char *becomes)
{
    if (kind_of(name) != SEGMENT) return;
    check(pages_are_durable() || strncmp(becomes, "damaged-", 8) == 0,
          "a segment goes before what takes its place is durable");
    check(removed == 0, "a segment goes before the one before it has gone for good");
    removed = ++now;
    n_removed++;
}

/* What the C library writes of a stream is not seen here, so of a copy a sync must be. */
static void is_named(int folder, const char *name)
{
    struct stat stat;
    struct file *file = fstatat(folder, name, &stat, 0) == 0 ? find(&stat, name) : NULL;
    if (file == NULL || file->kind == OTHER) return;
    check(!file->written && (file->kind != COPY || file->synced),
          "a name for what is not yet durable");
    file->named = ++now;
    n_names++;
}

static int rename_with(int from_folder, const char *from, int to_folder, const char *to)
{
    pthread_mutex_lock(&mutex);
    goes(from, to);
    int rv = REAL(renameat)(from_folder, from, to_folder, to);
    if (rv == 0) is_named(to_folder, to);
    pthread_mutex_unlock(&mutex);
    return rv;
}

SHOWN int linkat(int from_folder, const char *from, int to_folder, const char *to, int flags)
{
    pthread_mutex_lock(&mutex);
    int rv = REAL(linkat)(from_folder, from, to_folder, to, flags);
    if (rv == 0) is_named(to_folder, to);
    pthread_mutex_unlock(&mutex);
    return rv;
}

SHOWN int mkdir(const char *path, mode_t mode)
{
    char parent[4096];
    struct stat in;
    int rv = REAL(mkdir)(path, mode);
    snprintf(parent, sizeof parent, "%s/..", path);
    if (rv != 0 || stat(parent, &in) != 0) return rv;
    pthread_mutex_lock(&mutex);
    check(n_made < MADE_MAX, "too many folders");
    made_in[n_made++] = in.st_ino;
    pthread_mutex_unlock(&mutex);
    return 0;
}

SHOWN int renameat(int from_folder, const char *from, int to_folder, const char *to)
{
    return rename_with(from_folder, from, to_folder, to);
}

SHOWN int rename(const char *from, const char *to)
{
    return rename_with(AT_FDCWD, from, AT_FDCWD, to);
}

SHOWN int unlinkat(int folder, const char *name, int flags)
{
    pthread_mutex_lock(&mutex);
    goes(name, "");
    int rv = REAL(unlinkat)(folder, name, flags);
    pthread_mutex_unlock(&mutex);
    return rv;
}

/* --- messages --------------------------------------------------------------------------------- */

SHOWN ssize_t send(int fd, const void *data, size_t size, int flags)
{
    pthread_mutex_lock(&mutex);
    for (unsigned i = 0; i < n_files; i++)
        if (files[i].kind == SESSION)
            check(!files[i].written && files[i].named == 0, "a session that is not durable yet");
    n_sent++;
    pthread_mutex_unlock(&mutex);
    return REAL(send)(fd, data, size, flags);
}

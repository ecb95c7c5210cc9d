/* SPDX-License-Identifier: BSD-2-Clause */
#include "replica/storage_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/assert.h"

#define EXIT_DISK_FAILED 1
#define STACK_SIZE       (256u << 10)

/* --- names ------------------------------------------------------------------------------------ */

void storage_name(char name[static STORAGE_NAME_SIZE], const char *kind, uint64_t number)
{
    snprintf(name, STORAGE_NAME_SIZE, "%s-%016" PRIx64, kind, number);
}

bool storage_parse_name(const char *name, const char *kind, uint64_t *number)
{
    char canonical[STORAGE_NAME_SIZE];
    size_t prefix = strlen(kind);

    if (strncmp(name, kind, prefix) != 0 || name[prefix] != '-') return false;
    *number = strtoull(name + prefix + 1, NULL, 16);
    storage_name(canonical, kind, *number);
    return strcmp(name, canonical) == 0;
}

static int by_number(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

int storage_list(const struct storage *s, const char *kind, uint64_t **numbers, size_t *n,
                 struct vstamp_diag *diag)
{
    DIR *dir = opendir(s->folder);
    uint64_t number, *grown;
    struct dirent *entry;
    size_t capacity = 0;

    *numbers = NULL;
    *n = 0;
    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        if (!storage_parse_name(entry->d_name, kind, &number)) continue;
        if (*n == capacity) {
            capacity = capacity == 0 ? 64 : 2 * capacity;
            grown = realloc(*numbers, capacity * sizeof(**numbers));
            if (grown == NULL) break;
            *numbers = grown;
        }
        (*numbers)[(*n)++] = number;
    }
    if (dir != NULL && entry == NULL) {
        closedir(dir);
        if (*n > 1) qsort(*numbers, *n, sizeof(**numbers), by_number);
        return 0;
    }
    vstamp_diag_printf(diag, "%s: cannot list the folder: %s", s->folder, strerror(errno));
    if (dir != NULL) closedir(dir);
    free(*numbers);
    *numbers = NULL;
    return VSTAMP_E_IO;
}

/* --- jobs, in the lane's thread --------------------------------------------------------------- */

/* The step that is under way, for the message if it fails. */
static bool failed(struct lane *l, const char *step)
{
    l->failed_errno = errno;
    l->failed_step = step;
    return false;
}

static bool close_file(struct lane *l)
{
    int fd = l->fd;

    l->fd = -1;
    if (fd >= 0 && close(fd) != 0) return failed(l, "close");
    return true;
}

static bool open_file(struct lane *l, const char *name, int flags)
{
    struct stat stat;

    if (!close_file(l)) return false;
    snprintf(l->name, sizeof(l->name), "%s", name);
    l->fd = openat(l->storage->folder_fd, name, O_WRONLY | O_CREAT | O_CLOEXEC | flags, 0600);
    if (l->fd < 0) return failed(l, "create");
    if (fstat(l->fd, &stat) != 0) return failed(l, "look at");
    l->size = (uint64_t)stat.st_size;
    return true;
}

static bool write_all(struct lane *l, struct bytes data)
{
    while (data.size > 0) {
        ssize_t n = pwrite(l->fd, data.data, data.size, (off_t)l->size);

        if (n < 0 && errno == EINTR) continue;
        if (n == 0) errno = ENOSPC;
        if (n <= 0) return failed(l, "write");
        data.data += n;
        data.size -= (size_t)n;
        l->size += (uint64_t)n;
    }
    return true;
}

static bool sync_folder(struct lane *l)
{
    return fsync(l->storage->folder_fd) == 0 || failed(l, "sync the folder of");
}

static bool append(struct lane *l, const struct node_job *job)
{
    char name[STORAGE_NAME_SIZE];

    if (l->fd < 0 || l->number != job->number) {
        storage_name(name, STORAGE_JOURNAL, job->number);
        if (!open_file(l, name, 0)) return false;
        l->number = job->number;
        if (l->size == 0 && !sync_folder(l)) return false;
    }
    if (!write_all(l, job->data)) return false;
    return fdatasync(l->fd) == 0 || failed(l, "sync");
}

static bool checkpoint_begin(struct lane *l, const struct node_job *job)
{
    char name[STORAGE_NAME_SIZE];

    storage_name(name, STORAGE_CHECKPOINT, job->number);
    snprintf(name + strlen(name), sizeof(name) - strlen(name), "%s", STORAGE_TEMPORARY);
    return open_file(l, name, O_TRUNC);
}

/* Remove the files of a kind below `bound`, the oldest first, and each for good before the next: a
 * power cut in between leaves no gap, which a start would take for a lost file. */
static bool remove_below(struct lane *l, const char *kind, uint64_t bound)
{
    uint64_t *numbers;
    size_t n, i;
    bool ok = true;

    if (storage_list(l->storage, kind, &numbers, &n, NULL) != 0)
        return failed(l, "list the folder of");
    for (i = 0; i < n && numbers[i] < bound && ok; i++) {
        storage_name(l->name, kind, numbers[i]);
        if (unlinkat(l->storage->folder_fd, l->name, 0) != 0 && errno != ENOENT)
            ok = failed(l, "remove");
        else
            ok = sync_folder(l);
    }
    free(numbers);
    return ok;
}

static bool checkpoint_end(struct lane *l, const struct node_job *job)
{
    char name[STORAGE_NAME_SIZE];
    int folder = l->storage->folder_fd;

    if (fsync(l->fd) != 0) return failed(l, "sync");
    if (!close_file(l)) return false;
    storage_name(name, STORAGE_CHECKPOINT, job->number);
    if (renameat(folder, l->name, folder, name) != 0) return failed(l, "rename");
    if (!sync_folder(l)) return false;
    return remove_below(l, STORAGE_CHECKPOINT, job->number) &&
           remove_below(l, STORAGE_JOURNAL, job->number);
}

static bool run_job(struct lane *l, const struct node_job *job)
{
    switch (job->kind) {
    case NODE_JOB_APPEND:
        return append(l, job);
    case NODE_JOB_CHECKPOINT_BEGIN:
        return checkpoint_begin(l, job);
    case NODE_JOB_CHECKPOINT_DATA:
        return write_all(l, job->data);
    case NODE_JOB_CHECKPOINT_END:
        return checkpoint_end(l, job);
    }
    return false;
}

static void lane_main(void *ctx)
{
    struct lane *l = ctx;

    uv_mutex_lock(&l->mutex);
    for (;;) {
        bool ok;

        while (l->state != LANE_ASKED && !l->quit) uv_cond_wait(&l->asked, &l->mutex);
        if (l->state != LANE_ASKED) break;
        uv_mutex_unlock(&l->mutex);
        ok = run_job(l, &l->job); /* nobody else touches the job while it is under way */
        uv_mutex_lock(&l->mutex);
        l->state = ok ? LANE_DONE : LANE_FAILED;
        uv_async_send(&l->storage->answer);
        if (!ok) break;
    }
    uv_mutex_unlock(&l->mutex);
}

/* --- the loop's side -------------------------------------------------------------------------- */

static void give_up(struct storage *s, const struct lane *l)
{
    char file[PATH_MAX + STORAGE_NAME_SIZE];
    char reason[256];

    snprintf(file, sizeof(file), "%s/%s", s->folder, l->name);
    snprintf(reason, sizeof(reason), "cannot %s it: %s", l->failed_step, strerror(l->failed_errno));
    log_event(
        s->log, LOG_LEVEL_ERROR, "disk-failed", LOG_TEXT("file", file), LOG_TEXT("reason", reason),
        LOG_TEXT("hint", l->failed_errno == ENOSPC || l->failed_errno == EDQUOT
                             ? "make room on that disk, then start this replica again"
                             : "check that disk, then start this replica again; if the disk is "
                               "lost, start with an empty folder: the others bring it back"));
    _exit(EXIT_DISK_FAILED);
}

static void on_answer(uv_async_t *async)
{
    struct storage *s = async->data;
    unsigned i;

    for (i = 0; i < NODE_LANES; i++) {
        struct lane *l = &s->lanes[i];
        enum lane_state state;

        uv_mutex_lock(&l->mutex);
        state = l->state;
        if (state == LANE_DONE) l->state = LANE_IDLE;
        uv_mutex_unlock(&l->mutex);
        if (state == LANE_FAILED) give_up(s, l);
        if (state != LANE_DONE) continue;
        turn_begin(s->turn);
        node_on_stored(s->turn->node, (enum node_lane)i);
    }
}

int storage_start(struct storage *s, uv_loop_t *loop, struct vstamp_diag *diag)
{
    const uv_thread_options_t options = {.flags = UV_THREAD_HAS_STACK_SIZE,
                                         .stack_size = STACK_SIZE};
    unsigned i;
    int rv = uv_async_init(loop, &s->answer, on_answer);

    s->answer.data = s;
    for (i = 0; rv == 0 && i < NODE_LANES; i++) {
        struct lane *l = &s->lanes[i];

        l->storage = s;
        l->fd = -1;
        uv_mutex_init(&l->mutex);
        uv_cond_init(&l->asked);
        rv = uv_thread_create_ex(&l->thread, &options, lane_main, l);
    }
    if (rv == 0) return 0;
    vstamp_diag_printf(diag, "cannot start a thread: %s", uv_strerror(rv));
    return VSTAMP_E_IO;
}

void storage_store(struct storage *s, enum node_lane lane, const struct node_job *job)
{
    struct lane *l = &s->lanes[lane];

    uv_mutex_lock(&l->mutex);
    assert(l->state == LANE_IDLE || l->state == LANE_FAILED);
    if (l->state == LANE_IDLE) {
        l->job = *job;
        l->state = LANE_ASKED;
        uv_cond_signal(&l->asked);
    }
    uv_mutex_unlock(&l->mutex);
}

void storage_close(struct storage *s)
{
    unsigned i;

    for (i = 0; i < NODE_LANES; i++) {
        struct lane *l = &s->lanes[i];

        uv_mutex_lock(&l->mutex);
        l->quit = true;
        uv_cond_signal(&l->asked);
        uv_mutex_unlock(&l->mutex);
        uv_thread_join(&l->thread);
        if (l->state == LANE_FAILED) give_up(s, l);
        if (l->fd >= 0) close(l->fd);
    }
    close(s->folder_fd);
    close(s->lock_fd); /* releases the lock */
}

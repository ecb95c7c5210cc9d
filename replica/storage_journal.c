/* SPDX-License-Identifier: BSD-2-Clause */
/* The journal: segments of a fixed size, made before they are needed, and written with one call a
 * batch, O_DIRECT and RWF_DSYNC: no block has to be found for it and no size changes, so it is on
 * stable storage after one round trip to the disk.  The write goes through a ring (storage_ring.c),
 * or, where there are no rings, through the lane's thread.
 *
 * A third lane makes the next segment while the one before it is in use: from one that a checkpoint
 * has freed, or of zeros.  Under its name there is only ever a file of full size.  So a full disk
 * is noticed a segment early, and said; it ends the replica only when a write has no place.
 *
 * Behind the segment, in a last block, stands that it ends there: without that a file was cut
 * short, and may have held what was acknowledged. */
#define _GNU_SOURCE /* O_DIRECT, pwritev2 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/assert.h"
#include "replica/storage_lane.h"

#define ZEROS_SIZE (256u << 10)
#define RETRY_US   UINT64_C(5000000) /* until a segment that found no room is tried again */

/* Some file systems have no O_DIRECT; RWF_DSYNC does without it. */
static int open_journal(const struct storage *s, const char *name, int flags, bool *buffered)
{
    int fd = openat(s->folder_fd, name, flags | O_DIRECT | O_CLOEXEC, 0600);

    if (fd >= 0 || errno != EINVAL) return fd;
    if (buffered != NULL) *buffered = true;
    return openat(s->folder_fd, name, flags | O_CLOEXEC, 0600);
}

struct last_block {
    _Alignas(JOURNAL_BLOCK) uint8_t bytes[JOURNAL_BLOCK];
};

static void put_last_block(struct last_block *b, uint64_t segment_size)
{
    memset(b, 0, sizeof *b);
    snprintf((char *)b->bytes, sizeof b->bytes, "vstamp journal segment, %" PRIu64 " bytes\n",
             segment_size);
}

static bool is_too_large(const struct stat *stat)
{
    return stat->st_size > (off_t)(STORAGE_SEGMENT_MAX + sizeof(struct last_block));
}

/* The size of the segment in a file that is open for reading, 0 if its end is not there; then errno
 * tells what kept it from being read, if anything did. */
static uint64_t whole_size(int fd)
{
    struct last_block found, wanted;
    struct stat stat;

    errno = 0;
    if (fstat(fd, &stat) != 0 || stat.st_size < (off_t)sizeof found || is_too_large(&stat))
        return 0;
    off_t size = stat.st_size - (off_t)sizeof found;
    put_last_block(&wanted, (uint64_t)size);
    if (pread(fd, &found, sizeof found, size) != (ssize_t)sizeof found) return 0;
    return memcmp(&found, &wanted, sizeof found) == 0 ? (uint64_t)size : 0;
}

/* --- making a segment, in the third lane ------------------------------------------------------ */

static bool fill_with_zeros(struct lane *l, uint64_t size)
{
    void *zeros = mmap(NULL, ZEROS_SIZE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    bool ok = zeros != MAP_FAILED;

    for (uint64_t at = 0; ok && at < size; at += ZEROS_SIZE) {
        size_t part = size - at < ZEROS_SIZE ? (size_t)(size - at) : ZEROS_SIZE;

        ok = lane_write(l, (struct bytes){zeros, part}, at);
    }
    if (zeros == MAP_FAILED) return lane_failed(l, "find memory for");
    munmap(zeros, ZEROS_SIZE);
    return ok;
}

static bool fill(struct lane *l, uint64_t size)
{
    struct last_block last;

    put_last_block(&last, size);
    return fill_with_zeros(l, size) && lane_write(l, (struct bytes){last.bytes, sizeof last}, size);
}

static bool make_anew(struct lane *l, uint64_t size)
{
    snprintf(l->name, sizeof l->name, "%s", STORAGE_TEMPORARY);
    if (!lane_has_room(l, size)) return false;
    l->fd = open_journal(l->storage, l->name, O_WRONLY | O_CREAT | O_TRUNC, &l->buffered);
    if (l->fd < 0) return lane_failed(l, "create");
    if (!fill(l, size)) {
        unlinkat(l->storage->folder_fd, l->name, 0);
        return false;
    }
    return fsync(l->fd) == 0 || lane_failed(l, "sync");
}

/* Opens `name` if it is a segment of the right size. */
static bool take_file(struct lane *l, const char *name)
{
    int fd = open_journal(l->storage, name, O_RDWR, &l->buffered);

    if (fd >= 0 && whole_size(fd) != l->storage->journal.segment_size) {
        close(fd);
        fd = -1;
    }
    l->fd = fd;
    return fd >= 0;
}

/* One that does not fit gives its place to one that does. */
static bool take_spare(struct lane *l, const char *name)
{
    snprintf(l->name, sizeof l->name, "%s", name);
    if (take_file(l, name)) return true;
    unlinkat(l->storage->folder_fd, name, 0);
    return false;
}

static bool make(struct lane *l, uint64_t number)
{
    char name[STORAGE_NAME_SIZE];
    int folder = l->storage->folder_fd;

    storage_segment_name(name, number);
    if (!take_file(l, name)) {
        if (!take_spare(l, STORAGE_SPARE) && !take_spare(l, STORAGE_SPARE_2) &&
            !make_anew(l, l->storage->journal.segment_size))
            return false;
        if (renameat(folder, l->name, folder, name) != 0) return lane_failed(l, "rename");
    }
    snprintf(l->name, sizeof l->name, "%s", name);
    return lane_sync_folder(l);
}

/* A file that was removed takes its room until it is closed. */
bool segment_make(struct lane *l, const struct node_job *job)
{
    bool ok = make(l, job->number);

    if (!ok && l->fd >= 0) close(l->fd);
    if (!ok) l->fd = -1;
    return ok;
}

static void ask_for_segment(struct storage *s, uint64_t number)
{
    const struct node_job job = {.kind = NODE_JOB_APPEND, .number = number};

    if (s->journal.making != 0) return;
    s->journal.making = number;
    lane_ask(&s->lanes[LANE_SEGMENTS], &job);
}

/* --- writing, in the loop or in the journal's lane -------------------------------------------- */

bool journal_run(struct lane *l, const struct node_job *job)
{
    struct bytes left = job->data;
    off_t place = (off_t)job->place;

    while (left.size > 0) {
        struct iovec part = {.iov_base = (void *)(uintptr_t)left.data, .iov_len = left.size};
        ssize_t n = pwritev2(l->fd, &part, 1, place, RWF_DSYNC);

        if (n < 0 && errno == EINTR) continue;
        if (n == 0) errno = ENOSPC;
        if (n <= 0) return lane_failed(l, "write");
        left.data += n;
        left.size -= (size_t)n;
        place += n;
    }
    return true;
}

static void begin_write(struct storage *s, const struct node_job *job)
{
    struct lane *l = &s->lanes[NODE_LANE_JOURNAL];

    storage_segment_name(l->name, job->number);
    l->fd = s->journal.fd;
    if (s->journal.io == JOURNAL_IO_RING)
        ring_write(s, job);
    else
        lane_ask(l, job);
}

static void use_next_segment(struct storage *s)
{
    if (s->journal.fd >= 0) close(s->journal.fd);
    s->journal.fd = s->journal.next_fd;
    s->journal.number = s->journal.next_number;
    s->journal.next_fd = -1;
    ask_for_segment(s, s->journal.number + 1);
}

void journal_store(struct storage *s, const struct node_job *job)
{
    struct journal *j = &s->journal;

    if (j->number != job->number && j->next_fd >= 0 && j->next_number == job->number)
        use_next_segment(s);
    if (j->number == job->number) {
        begin_write(s, job);
        return;
    }
    j->waiting = *job; /* the disk is slower than its journal: the segment is not ready */
    j->waits = true;
    ask_for_segment(s, job->number);
}

/* Said once, and in the status as long as it is so. */
static void lacks_room(struct storage *s, int error)
{
    const char *reason = strerror(error);
    bool full = storage_is_full(error), known = s->journal.retry_us != 0;

    s->journal.retry_us = turn_monotonic_us() + RETRY_US;
    snprintf(s->trouble, sizeof s->trouble,
             "%s the next segment of its journal, %" PRIu64
             " MiB (%s): it ends when this one is full",
             full ? "no room for" : "cannot make",
             (s->journal.segment_size + (1u << 20) - 1) >> 20, reason);
    if (known) return;
    log_event(s->log, LOG_LEVEL_WARN, "journal-lacks-room", LOG_TEXT("folder", s->folder),
              LOG_TEXT("reason", reason), LOG_NUMBER("wanted_bytes", s->journal.segment_size),
              LOG_TEXT("hint", full ? "this replica ends when its journal is full: make room now"
                                    : "this replica ends when its journal is full: mend this now"));
}

static void has_room_again(struct storage *s)
{
    if (s->journal.retry_us == 0) return;
    s->journal.retry_us = 0;
    s->trouble[0] = '\0';
    log_event(s->log, LOG_LEVEL_INFO, "journal-has-room", LOG_TEXT("folder", s->folder));
}

static void take_segment(struct storage *s, const struct lane *l, uint64_t number)
{
    struct journal *j = &s->journal;

    if (j->next_fd >= 0) close(j->next_fd);
    j->next_fd = l->fd;
    j->next_number = number;
    if (l->buffered && !j->said_buffered)
        log_event(s->log, LOG_LEVEL_WARN, "journal-in-cache", LOG_TEXT("folder", s->folder),
                  LOG_TEXT("reason", "its file system has no O_DIRECT"));
    j->said_buffered = l->buffered;
}

/* The third lane is done. */
void journal_segment_made(struct storage *s, const struct lane *l, bool ok)
{
    struct journal *j = &s->journal;
    uint64_t made = j->making;

    j->making = 0;
    if (ok) {
        has_room_again(s);
        take_segment(s, l, made);
    } else {
        if (j->waits && j->waiting.number == made) storage_give_up(s, l);
        lacks_room(s, l->failed_errno);
    }
    if (!j->waits) return;
    j->waits = false;
    journal_store(s, &j->waiting);
    storage_flush(s);
}

/* The lane of the checkpoints has done something: if that freed segments, there is room again; and
 * else somebody may have made some, by and by. */
void journal_seek_room(struct storage *s, enum node_job_kind done)
{
    const struct journal *j = &s->journal;

    if (j->fd < 0 || j->next_fd >= 0) return;
    if (done == NODE_JOB_CHECKPOINT_END || turn_monotonic_us() >= j->retry_us)
        ask_for_segment(s, j->number + 1);
}

/* --- reading ---------------------------------------------------------------------------------- */

static int open_segment(struct storage_reading *r, uint64_t number, struct vstamp_diag *diag)
{
    char name[STORAGE_NAME_SIZE];

    if (r->number == number) return 0;
    if (r->fd >= 0) close(r->fd);
    r->number = number;
    storage_segment_name(name, number);
    r->fd = open_journal(r->storage, name, O_RDONLY | O_NONBLOCK, NULL); /* be it a pipe */
    if (r->fd < 0 && (errno == ENOENT || (r->glances && errno == EIO))) return 0;
    if (r->fd < 0) {
        r->number = 0; /* who asks again is not told that it is not there */
        return storage_complain(diag, r->storage, name, "cannot open");
    }
    /* What a former process wrote may not have got further than a cache (PIT-9.6). */
    if (!r->glances && fsync(r->fd) != 0)
        return storage_complain(diag, r->storage, name, "cannot sync");
    return 0;
}

static void say_unreadable(const struct storage *s, const struct storage_reading *r)
{
    log_event(s->log, LOG_LEVEL_WARN, "journal-unreadable", LOG_TEXT("folder", s->folder),
              LOG_NUMBER("segment", r->failed_number), LOG_NUMBER("place", r->failed_place),
              LOG_TEXT("reason", strerror(r->failed_errno)));
}

static void read_failed(struct storage_reading *r, uint64_t place)
{
    if (r->glances && r->failed_errno != 0) return;
    r->failed_errno = errno;
    r->failed_number = r->number;
    r->failed_place = place;
    if (!r->glances) say_unreadable(r->storage, r);
}

/* As much as there is, up to the end of the file; what the disk cannot read is zeros: it does not
 * check, and the node judges what that means.  False if it is not the disk that refuses. */
static bool read_all(struct storage_reading *r, uint64_t place, uint8_t *buffer, size_t size,
                     size_t *got)
{
    size_t done = 0, step = size;

    while (done < size) {
        size_t part = step < size - done ? step : size - done;
        ssize_t n = pread(r->fd, buffer + done, part, (off_t)(place + done));

        if (n < 0 && errno == EINTR) continue;
        if (n < 0 && storage_is_refusal(errno)) return false;
        if (n == 0) break;
        if (n < 0 && step > JOURNAL_BLOCK) {
            step = JOURNAL_BLOCK;
            continue;
        }
        if (n < 0) {
            read_failed(r, place + done);
            memset(buffer + done, 0, part);
            n = (ssize_t)part;
        }
        done += (size_t)n;
        if (n % JOURNAL_BLOCK != 0) break; /* the end of a file that was cut */
    }
    *got = done;
    return true;
}

int storage_read(void *reading, uint64_t number, uint64_t place, void *buffer, size_t size,
                 size_t *got, struct vstamp_diag *diag)
{
    struct storage_reading *r = reading;
    char name[STORAGE_NAME_SIZE];
    int rv = open_segment(r, number, diag);

    *got = 0;
    uint64_t left = place < STORAGE_SEGMENT_MAX ? STORAGE_SEGMENT_MAX - place : 0;
    if (size > left) size = (size_t)left;
    if (rv != 0 || r->fd < 0 || read_all(r, place, buffer, size, got)) return rv;
    storage_segment_name(name, number);
    return storage_complain(diag, r->storage, name, "cannot read");
}

/* --- looking through it while the replica runs ------------------------------------------------ */

/* A file whose end is not there was cut short, or its last block is damaged. */
static void check_end(struct storage_reading *r, uint64_t number, struct node_checked *found)
{
    struct vstamp_diag diag;

    if (open_segment(r, number, &diag) != 0 || (r->fd >= 0 && whole_size(r->fd) > 0)) return;
    *found = (struct node_checked){.number = number, .rotten = true,
                                   .place = r->storage->journal.segment_size};
}

bool journal_check(struct lane *l, const struct node_job *job)
{
    const struct node_source source = {.ctx = &l->reading, .read = storage_read};

    l->reading = (struct storage_reading){.storage = l->storage, .glances = true, .fd = -1};
    node_check_journal(job->check, &source);
    if (!job->check->found.rotten && job->place == 0)
        check_end(&l->reading, job->number, &job->check->found);
    if (job->check->found.rotten) l->unfit = job->check->found.number;
    if (l->reading.fd >= 0) close(l->reading.fd);
    return true;
}

void journal_checked(struct storage *s, const struct lane *l)
{
    if (l->reading.failed_errno != 0) say_unreadable(s, &l->reading);
    node_on_journal_checked(s->turn->node, &l->job.check->found);
}

/* --- before the start ------------------------------------------------------------------------- */

int storage_check_end(const struct storage *s, uint64_t number, struct vstamp_diag *diag)
{
    char name[STORAGE_NAME_SIZE];
    struct stat stat;

    storage_segment_name(name, number);
    int fd = open_journal(s, name, O_RDONLY | O_NONBLOCK, NULL);
    bool whole = fd >= 0 && whole_size(fd) > 0;
    int error = whole ? 0 : errno;
    bool too_large = fstat(fd, &stat) == 0 && is_too_large(&stat);
    if (fd >= 0) close(fd);
    if (whole) return 0;
    errno = error;
    if (storage_is_refusal(error))
        return storage_complain(diag, s, name, fd < 0 ? "cannot open" : "cannot read");
    vstamp_diag_printf(diag, "%s/%s: damaged: %s", s->folder, name,
                       too_large ? "larger than any segment" : "its end is missing");
    return VSTAMP_E_CORRUPT;
}

/* Segments are made one after the other, and go from the oldest on: no number is left out. */
static int check_numbers(const struct storage *s, const uint64_t *numbers, size_t n,
                         struct vstamp_diag *diag)
{
    char name[STORAGE_NAME_SIZE];

    for (size_t i = 0; i < n; i++) {
        if (numbers[i] == numbers[0] + i) continue;
        storage_segment_name(name, numbers[0] + i);
        vstamp_diag_printf(diag, "%s/%s: is missing", s->folder, name);
        return VSTAMP_E_CORRUPT;
    }
    return 0;
}

int journal_check_files(const struct storage *s, const uint64_t *numbers, size_t n,
                        struct vstamp_diag *diag)
{
    int rv = check_numbers(s, numbers, n, diag);

    for (size_t i = 0; i < n && rv == 0; i++) rv = storage_check_end(s, numbers[i], diag);
    return rv;
}

int journal_restore(struct storage *s, struct node *node, struct vstamp_diag *diag)
{
    struct storage_reading r = {.storage = s, .fd = -1};
    const struct node_source source = {.ctx = &r, .read = storage_read};
    char name[STORAGE_NAME_SIZE];
    uint64_t *numbers, number;
    size_t n;
    int rv = storage_segments(s, &numbers, &n, diag);

    if (rv == 0) rv = journal_check_files(s, numbers, n, diag);
    if (rv != 0) {
        free(numbers);
        return rv;
    }
    rv = node_restore_journal(node, n > 0 ? numbers[0] : 0, n > 0 ? numbers[n - 1] : 0, &source,
                              &number, diag);
    if (rv != 0 && rv != VSTAMP_E_IO && rv != VSTAMP_E_AGAIN) { /* which name the file */
        storage_segment_name(name, number);
        vstamp_diag_wrap(diag, "%s/%s", s->folder, name);
    }
    if (r.fd >= 0) close(r.fd);
    free(numbers);
    return rv;
}

/* --- start and end ---------------------------------------------------------------------------- */

int storage_open_journal(struct storage *s, uv_loop_t *loop, uint64_t segment_size,
                         enum journal_io io, struct vstamp_diag *diag)
{
    int error = io != JOURNAL_IO_THREAD ? ring_open(s, loop) : 0;

    assert(segment_size <= STORAGE_SEGMENT_MAX);
    if (error != 0 && io == JOURNAL_IO_RING) {
        vstamp_diag_printf(diag, "--journal-io ring: the system has no ring for us: %s",
                           strerror(error));
        return VSTAMP_E_IO;
    }
    s->journal.io = io == JOURNAL_IO_THREAD || error != 0 ? JOURNAL_IO_THREAD : JOURNAL_IO_RING;
    s->journal.segment_size = segment_size;
    if (error != 0)
        log_event(s->log, LOG_LEVEL_INFO, "journal-without-ring",
                  LOG_TEXT("reason", strerror(error)));
    return 0;
}

const char *storage_journal_io(const struct storage *s)
{
    return s->journal.io == JOURNAL_IO_RING ? "ring" : "thread";
}

void journal_close(struct storage *s)
{
    if (s->journal.io == JOURNAL_IO_RING) ring_close(s);
    if (s->journal.fd >= 0) close(s->journal.fd);
    if (s->journal.next_fd >= 0) close(s->journal.next_fd);
}

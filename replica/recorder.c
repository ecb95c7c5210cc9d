/* SPDX-License-Identifier: BSD-2-Clause */
#include "replica/recorder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/assert.h"
#include "program/write_all.h"

#define WRITE_EVERY_MS 100u
#define WRITE_BYTES    (256u << 10) /* earlier with so much */

/* Signal handlers and the last words of an assertion get no context. */
static struct recorder *recording;

/* errno tells why not. */
static bool write_pending(struct recorder *r)
{
    if (!write_all(r->fd, (struct bytes){r->pending.start, r->pending.size})) return false;
    r->place += r->pending.size;
    r->pending.size = 0;
    return true;
}

/* Only what a signal handler may do. */
void recorder_rescue(void)
{
    if (recording != NULL && recording->fd >= 0) write_pending(recording);
}

static int refuse(struct vstamp_diag *diag, const char *path, const char *why)
{
    vstamp_diag_printf(diag, "--record: %s: %s", path, why);
    return VSTAMP_E_IO;
}

int recorder_open(struct recorder *r, const char *path, struct log *log, struct vstamp_diag *diag)
{
    struct stat stat;

    *r = (struct recorder){.fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0600),
                           .path = path,
                           .log = log};
    if (r->fd < 0 || fstat(r->fd, &stat) != 0) return refuse(diag, path, strerror(errno));
    if (!S_ISREG(stat.st_mode)) return refuse(diag, path, "not a plain file");
    if (flock(r->fd, LOCK_EX | LOCK_NB) != 0)
        return refuse(diag, path, "another replica is recording into it");
    if (stat.st_size > 0)
        return refuse(diag, path, "it is not empty, and a recording is never overwritten: give "
                                  "another name, or remove it");
    if (fchmod(r->fd, 0600) != 0) return refuse(diag, path, strerror(errno));
    uint8_t *buffer = malloc(RECORDING_RECORD_MAX); /* of which only what is used is ever there */
    if (buffer == NULL) return refuse(diag, path, strerror(errno));
    r->pending = writer_over(buffer, RECORDING_RECORD_MAX);
    recording = r;
    log_event(log, LOG_LEVEL_INFO, "recording", LOG_TEXT("file", path),
              LOG_TEXT("hint", "it will hold all keys and values that this replica sees"));
    return 0;
}

static void flush(struct recorder *r)
{
    if (r->fd < 0 || write_pending(r)) return;
    log_event(r->log, LOG_LEVEL_WARN, "recording-stopped", LOG_TEXT("file", r->path),
              LOG_TEXT("reason", strerror(errno)),
              LOG_TEXT("hint", "the replica goes on; what was recorded so far can be replayed"));
    close(r->fd);
    r->fd = -1;
}

void recorder_after_turn(struct recorder *r, uint64_t now_ms)
{
    if (r->fd < 0) return;
    if (r->pending.size < WRITE_BYTES && now_ms - r->written_ms < WRITE_EVERY_MS) return;
    r->written_ms = now_ms;
    flush(r);
}

void recorder_put(struct recorder *r, enum journal_kind kind, const void *record)
{
    if (r->fd >= 0 && recording_put(&r->pending, r->place + r->pending.size, kind, record)) return;
    flush(r);
    if (r->fd < 0) return;
    bool fits = recording_put(&r->pending, r->place, kind, record);
    assert(fits);
}

void recorder_close(struct recorder *r, uint8_t exit_status)
{
    if (r->fd < 0) return;
    recorder_put(r, JOURNAL_RECORDED_end, &(struct wire_recorded_end){.exit_status = exit_status});
    flush(r);
    if (r->fd >= 0) close(r->fd);
    r->fd = -1;
}

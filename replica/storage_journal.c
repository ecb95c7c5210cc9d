/* SPDX-License-Identifier: BSD-2-Clause */
/* The journal: segments that are appended to, each write synced before it is answered. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "replica/storage_lane.h"

bool journal_run(struct lane *l, const struct node_job *job)
{
    char name[STORAGE_NAME_SIZE];

    if (l->fd < 0 || l->number != job->number) {
        storage_name(name, STORAGE_JOURNAL, job->number);
        if (!lane_open_file(l, name, 0)) return false;
        l->number = job->number;
        if (l->size == 0 && !lane_sync_folder(l)) return false;
    }
    if (!lane_write(l, job->data)) return false;
    return fdatasync(l->fd) == 0 || lane_failed(l, "sync");
}

static int cut_tail(struct storage *s, const char *name, const struct storage_content *c,
                    size_t size, struct vstamp_diag *diag)
{
    if (size == c->bytes.size) return 0;
    log_event(s->log, LOG_LEVEL_WARN, "journal-tail-cut", LOG_TEXT("file", name),
              LOG_NUMBER("bytes", c->bytes.size - size),
              LOG_TEXT("reason", "the last write was not finished, nobody was told it was"));
    if (ftruncate(c->fd, (off_t)size) != 0)
        return storage_complain(diag, s, name, "cannot cut its tail");
    if (fsync(c->fd) != 0) return storage_complain(diag, s, name, "cannot sync");
    return 0;
}

static int restore_segment(struct storage *s, struct node *node, uint64_t number, bool newest,
                           struct vstamp_diag *diag)
{
    char name[STORAGE_NAME_SIZE];
    struct storage_content c;
    size_t valid;
    int rv;

    storage_name(name, STORAGE_JOURNAL, number);
    rv = storage_load(s, name, &c, diag);
    if (rv == 0) {
        valid = c.bytes.size;
        rv = node_restore_journal(node, number, c.bytes, newest, &valid, diag);
        if (rv != 0)
            vstamp_diag_wrap(diag, "%s/%s", s->folder, name);
        else if (newest)
            rv = cut_tail(s, name, &c, valid, diag);
    }
    storage_release(&c);
    return rv;
}

int journal_restore(struct storage *s, struct node *node, struct vstamp_diag *diag)
{
    uint64_t *numbers;
    size_t n, i;
    int rv = storage_list(s, STORAGE_JOURNAL, &numbers, &n, diag);

    for (i = 0; rv == 0 && i < n; i++) rv = restore_segment(s, node, numbers[i], i == n - 1, diag);
    free(numbers);
    return rv;
}

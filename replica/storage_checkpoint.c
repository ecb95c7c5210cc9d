/* SPDX-License-Identifier: BSD-2-Clause */
/* Checkpoints: a file is written beside the old one, synced, and then takes its place. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "replica/storage_lane.h"

static bool checkpoint_begin(struct lane *l, const struct node_job *job)
{
    char name[STORAGE_NAME_SIZE];

    storage_name(name, STORAGE_CHECKPOINT, job->number);
    snprintf(name + strlen(name), sizeof(name) - strlen(name), "%s", STORAGE_TEMPORARY);
    return lane_open_file(l, name, O_TRUNC);
}

static bool checkpoint_end(struct lane *l, const struct node_job *job)
{
    char name[STORAGE_NAME_SIZE];
    int folder = l->storage->folder_fd;

    if (fsync(l->fd) != 0) return lane_failed(l, "sync");
    if (!lane_close_file(l)) return false;
    storage_name(name, STORAGE_CHECKPOINT, job->number);
    if (renameat(folder, l->name, folder, name) != 0) return lane_failed(l, "rename");
    if (!lane_sync_folder(l)) return false;
    return lane_remove_below(l, STORAGE_CHECKPOINT, job->number) &&
           lane_remove_below(l, STORAGE_JOURNAL, job->number);
}

bool checkpoint_run(struct lane *l, const struct node_job *job)
{
    switch (job->kind) {
    case NODE_JOB_CHECKPOINT_BEGIN:
        return checkpoint_begin(l, job);
    case NODE_JOB_CHECKPOINT_DATA:
        return lane_write(l, job->data);
    case NODE_JOB_CHECKPOINT_END:
        return checkpoint_end(l, job);
    case NODE_JOB_APPEND:
        break; /* not for this lane */
    }
    return false;
}

static int restore_checkpoint(struct storage *s, struct node *node, uint64_t number,
                              struct vstamp_diag *diag)
{
    char name[STORAGE_NAME_SIZE];
    struct storage_content c;
    int rv;

    storage_name(name, STORAGE_CHECKPOINT, number);
    rv = storage_load(s, name, &c, diag);
    if (rv == 0) {
        rv = node_restore_checkpoint(node, number, c.bytes, diag);
        if (rv != 0) vstamp_diag_wrap(diag, "%s/%s", s->folder, name);
    }
    storage_release(&c);
    return rv;
}

int checkpoint_restore(struct storage *s, struct node *node, struct vstamp_diag *diag)
{
    uint64_t *numbers;
    size_t n;
    int rv = storage_list(s, STORAGE_CHECKPOINT, &numbers, &n, diag);

    if (rv == 0 && n > 0) rv = restore_checkpoint(s, node, numbers[n - 1], diag);
    free(numbers);
    return rv;
}

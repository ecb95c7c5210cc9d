/* SPDX-License-Identifier: BSD-2-Clause */
/* What was fetched of a peer's checkpoint before it is whole, in a file of its own: page n is at
 * 4096 x n, and what is zeros is not there.  So a page that is fetched anew takes the place of the
 * old one, and the file is never larger than the state.
 *
 * Nothing depends on it (node/store_fetched.c): it is not synced, and whatever stands in the way of
 * it ends it, not the replica.  In particular it must not take the room that the checkpoint will
 * need. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "replica/storage_lane.h"

#define READ_AT_ONCE 64u /* pages */

/* What stood in the way of it need not stand in the way of the next. */
void fetched_remove(struct lane *l)
{
    if (l->fetched_fd >= 0) close(l->fetched_fd);
    l->fetched_fd = -1;
    l->fetched_errno = 0;
    unlinkat(l->storage->folder_fd, STORAGE_FETCHED, 0);
}

static bool open_file(struct lane *l)
{
    if (l->fetched_fd < 0)
        l->fetched_fd = openat(l->storage->folder_fd, STORAGE_FETCHED,
                               O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    return l->fetched_fd >= 0;
}

void fetched_keep(struct lane *l, struct bytes data)
{
    struct node_page page;

    if (l->fetched_errno != 0) return;
    bool ok = open_file(l) && lane_leaves_room(l->fetched_fd);
    while (ok && node_page_next(&data, &page)) {
        ssize_t n = pwrite(l->fetched_fd, page.content, VSTAMP_PAGE_SIZE,
                           (off_t)page.number * VSTAMP_PAGE_SIZE);

        if (n >= 0 && n < (ssize_t)VSTAMP_PAGE_SIZE) errno = ENOSPC;
        ok = n == (ssize_t)VSTAMP_PAGE_SIZE;
    }
    if (ok) return;
    int error = errno;
    fetched_remove(l);
    l->fetched_errno = error;
}

void fetched_restore(const struct storage *s, struct node *node)
{
    static const uint8_t zeros[VSTAMP_PAGE_SIZE];
    static uint8_t pages[READ_AT_ONCE * VSTAMP_PAGE_SIZE];
    int fd = openat(s->folder_fd, STORAGE_FETCHED, O_RDONLY | O_CLOEXEC);
    uint32_t page = 0;
    ssize_t size = 0, at;

    while (fd >= 0 && page < s->state_pages && (size = read(fd, pages, sizeof pages)) > 0) {
        for (at = 0; at + (ssize_t)VSTAMP_PAGE_SIZE <= size; at += VSTAMP_PAGE_SIZE, page++)
            if (memcmp(pages + at, zeros, sizeof zeros) != 0)
                node_restore_fetched(node, page, pages + at);
    }
    if (fd >= 0) close(fd);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* The journal's ring: the loop hands the kernel a write and is woken when it is done, without a
 * thread in between.  One write is under way at a time.  It waits in the ring until the turn's
 * messages have left, since to start it takes as long as they do. */
#define _GNU_SOURCE /* RWF_DSYNC */
#include <errno.h>
#include <sys/uio.h>
#include <time.h>

#include "base/assert.h"
#include "replica/storage_lane.h"

#define ENTRIES   4u
#define TRIES_MAX 100u /* a millisecond apart, while the kernel has no memory for a request */

static void queue(struct journal *j)
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(&j->ring);

    assert(sqe != NULL);
    io_uring_prep_write(sqe, j->fd, j->left.data, (unsigned)j->left.size, j->left_place);
    sqe->rw_flags = RWF_DSYNC;
}

static void give_up(struct storage *s, int error)
{
    struct lane *l = &s->lanes[NODE_LANE_JOURNAL];

    errno = error;
    lane_failed(l, "write");
    storage_give_up(s, l);
}

void ring_submit(struct storage *s)
{
    struct journal *j = &s->journal;
    const struct timespec pause = {0, 1000000};

    if (io_uring_sq_ready(&j->ring) == 0) return;
    int rv = io_uring_submit(&j->ring);
    for (unsigned i = 0; (rv == -EINTR || rv == -EAGAIN) && i < TRIES_MAX; i++) {
        nanosleep(&pause, NULL);
        rv = io_uring_submit(&j->ring);
    }
    if (rv < 0) give_up(s, -rv);
}

void ring_write(struct storage *s, const struct node_job *job)
{
    s->journal.left = job->data;
    s->journal.left_place = job->place;
    s->journal.writing = true;
    queue(&s->journal);
}

/* True when all is written. */
static bool advance(struct storage *s, int written)
{
    struct journal *j = &s->journal;

    if (written == -EINTR || written == -EAGAIN) written = 0;
    else if (written <= 0) give_up(s, written == 0 ? ENOSPC : -written);
    j->left.data += written;
    j->left.size -= (size_t)written;
    j->left_place += (uint64_t)written;
    return j->left.size == 0;
}

static void complete(struct storage *s, struct io_uring_cqe *cqe)
{
    int written = cqe->res;

    io_uring_cqe_seen(&s->journal.ring, cqe);
    if (!advance(s, written)) {
        queue(&s->journal);
        ring_submit(s);
        return;
    }
    s->journal.writing = false;
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    struct storage *s = poll->data;
    struct io_uring_cqe *cqe;

    (void)status;
    (void)events;
    while (io_uring_peek_cqe(&s->journal.ring, &cqe) == 0) {
        complete(s, cqe);
        if (s->journal.writing) continue;
        turn_begin(s->turn);
        node_on_stored(s->turn->node, NODE_LANE_JOURNAL);
    }
}

int ring_open(struct storage *s, uv_loop_t *loop)
{
    struct journal *j = &s->journal;
    int rv = io_uring_queue_init(ENTRIES, &j->ring, 0);

    if (rv != 0) return -rv;
    rv = uv_poll_init(loop, &j->poll, j->ring.ring_fd);
    if (rv != 0) {
        io_uring_queue_exit(&j->ring);
        return -rv;
    }
    j->poll.data = s;
    uv_poll_start(&j->poll, UV_READABLE, on_readable);
    return 0;
}

/* The write under way is waited for. */
void ring_close(struct storage *s)
{
    struct io_uring_cqe *cqe;

    ring_submit(s);
    while (s->journal.writing && io_uring_wait_cqe(&s->journal.ring, &cqe) == 0) complete(s, cqe);
    uv_poll_stop(&s->journal.poll);
    io_uring_queue_exit(&s->journal.ring);
}

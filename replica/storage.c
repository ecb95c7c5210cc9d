/* SPDX-License-Identifier: BSD-2-Clause */
/* The start and the end of the storage, the threads of its lanes, and what the loop does with what
 * they have done. */
#include "replica/storage.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "replica/storage_lane.h"

#define STACK_SIZE (256u << 10)
#define LARGE      (256 << 20) /* bytes of the state, which take a second to read, or some */

static int restore_files(struct storage *s, struct node *node, struct vstamp_diag *diag)
{
    int rv = checkpoint_restore(s, node, diag);

    if (rv == 0) rv = journal_restore(s, node, diag);
    if (rv == 0) {
        rv = node_restore_done(node, diag);
        if (rv != 0) vstamp_diag_wrap(diag, "%s", s->folder);
    }
    return rv;
}

static int do_without(struct storage *s, struct node *node, struct vstamp_diag *diag)
{
    if (!node_restore_give_up(node)) return VSTAMP_E_CORRUPT;
    log_event(s->log, LOG_LEVEL_ERROR, "folder-damaged", LOG_TEXT("reason", diag->text),
              LOG_TEXT("now", "it recovers from the others, and takes part in nothing until then"));
    return storage_put_aside(s, diag);
}

/* Nobody is served meanwhile. */
static void say_if_large(const struct storage *s)
{
    struct stat pages;

    if (fstatat(s->folder_fd, PAGES_NAME, &pages, 0) != 0 || pages.st_size < LARGE) return;
    log_event(s->log, LOG_LEVEL_INFO, "reading-folder", LOG_TEXT("folder", s->folder),
              LOG_NUMBER("bytes", (uint64_t)pages.st_size));
}

/* Half of a state would be taken for all of it. */
static int check_made(const struct storage *s, struct vstamp_diag *diag)
{
    if (faccessat(s->folder_fd, STORAGE_UNFINISHED, F_OK, 0) != 0) {
        if (errno == ENOENT) return 0;
        return storage_complain(diag, s, STORAGE_UNFINISHED, "cannot look for it");
    }
    vstamp_diag_printf(diag, "%s: a restore into it was not finished: remove the folder, and "
                             "restore again", s->folder);
    return VSTAMP_E_CONFIG;
}

int storage_restore(struct storage *s, struct node *node, struct vstamp_diag *diag)
{
    bool aside;
    int rv = check_made(s, diag);

    if (rv != 0) return rv;
    say_if_large(s);
    rv = storage_look_aside(s, &aside, diag);
    if (rv == 0) rv = restore_files(s, node, diag);
    if (rv == 0 && aside && node_is_blank(node)) {
        vstamp_diag_printf(diag, "%s: its files were found damaged at a former start", s->folder);
        rv = VSTAMP_E_CORRUPT;
    }
    if (rv == VSTAMP_E_CORRUPT) rv = do_without(s, node, diag);
    if (rv == 0) fetched_restore(s, node);
    if (rv == 0 && fsync(s->folder_fd) != 0) rv = storage_complain(diag, s, ".", "cannot sync");
    return rv;
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
        ok = l->run(l, &l->job); /* nobody else touches the job while it is under way */
        uv_mutex_lock(&l->mutex);
        l->state = ok ? LANE_DONE : LANE_FAILED;
        uv_async_send(&l->storage->answer);
        if (!ok && l->run != segment_make) break;
    }
    uv_mutex_unlock(&l->mutex);
}

/* --- the loop's side -------------------------------------------------------------------------- */

/* Once, until it is kept again. */
static void say_not_kept(struct storage *s, int why, bool *said, const char *event,
                         const char *hint)
{
    bool before = *said;

    *said = why != 0;
    if (why == 0 || before) return;
    log_event(s->log, LOG_LEVEL_WARN, event, LOG_TEXT("reason", strerror(why)),
              LOG_TEXT("hint", hint));
}

static void say_what_is_not_kept(struct storage *s, struct lane *l)
{
    say_not_kept(s, l->fetched_errno, &l->said_fetched, "fetched-pages-not-kept",
                 "the fetch goes on; if it is cut off it begins anew");
    say_not_kept(s, l->trail_errno, &l->said_trail, "trail-not-kept",
                 "vstamp-admin bisect will know less; nothing else depends on it");
}

/* How far it is.  A lane that is done may be asked again. */
static enum lane_state collect(struct lane *l, bool may_fail)
{
    uv_mutex_lock(&l->mutex);
    enum lane_state state = l->state;
    if (state == LANE_DONE || (state == LANE_FAILED && may_fail)) l->state = LANE_IDLE;
    uv_mutex_unlock(&l->mutex);
    return state;
}

static void on_stored(struct storage *s, enum node_lane lane)
{
    struct lane *l = &s->lanes[lane];

    turn_begin(s->turn);
    for (; l->n_rotten > 0; l->n_rotten--)
        node_on_rot(s->turn->node, l->rotten[l->n_rotten - 1]);
    if (l->job.kind == NODE_JOB_CHECK_JOURNAL) journal_checked(s, l);
    if (l->trail_size > 0) node_on_large_trail(s->turn->node, l->trail_size);
    l->trail_size = 0;
    say_what_is_not_kept(s, l);
    node_on_stored(s->turn->node, lane);
    if (lane == NODE_LANE_CHECKPOINT) journal_seek_room(s, l->job.kind);
}

static void on_answer(uv_async_t *async)
{
    struct storage *s = async->data;

    for (int lane = 0; lane < NODE_LANES; lane++) {
        enum lane_state state = collect(&s->lanes[lane], false);
        if (state == LANE_FAILED) storage_give_up(s, &s->lanes[lane]);
        if (state == LANE_DONE) on_stored(s, (enum node_lane)lane);
    }
    struct lane *segments = &s->lanes[LANE_SEGMENTS];
    enum lane_state state = collect(segments, true);
    if (state == LANE_DONE || state == LANE_FAILED)
        journal_segment_made(s, segments, state == LANE_DONE);
}

int storage_start(struct storage *s, uv_loop_t *loop, struct vstamp_diag *diag)
{
    const uv_thread_options_t options = {.flags = UV_THREAD_HAS_STACK_SIZE,
                                         .stack_size = STACK_SIZE};
    static bool (*const run[STORAGE_LANES])(struct lane *l, const struct node_job *job) = {
        [NODE_LANE_JOURNAL] = journal_run,
        [NODE_LANE_CHECKPOINT] = checkpoint_run,
        [LANE_SEGMENTS] = segment_make,
    };
    int rv = uv_async_init(loop, &s->answer, on_answer);
    s->answer.data = s;
    for (unsigned i = 0; rv == 0 && i < STORAGE_LANES; i++) {
        struct lane *l = &s->lanes[i];

        l->storage = s;
        l->run = run[i];
        l->fd = l->fetched_fd = -1;
        uv_mutex_init(&l->mutex);
        uv_cond_init(&l->asked);
        rv = uv_thread_create_ex(&l->thread, &options, lane_main, l);
    }
    if (rv == 0) return 0;
    vstamp_diag_printf(diag, "cannot start a thread: %s", uv_strerror(rv));
    return VSTAMP_E_AGAIN;
}

void storage_store(struct storage *s, enum node_lane lane, const struct node_job *job)
{
    if (lane == NODE_LANE_JOURNAL)
        journal_store(s, job);
    else
        lane_ask(&s->lanes[lane], job);
}

void storage_flush(struct storage *s)
{
    if (s->journal.io == JOURNAL_IO_RING) ring_submit(s);
}

void storage_close(struct storage *s)
{
    for (unsigned i = 0; i < STORAGE_LANES; i++) {
        struct lane *l = &s->lanes[i];

        uv_mutex_lock(&l->mutex);
        l->quit = true;
        uv_cond_signal(&l->asked);
        uv_mutex_unlock(&l->mutex);
        uv_thread_join(&l->thread);
        if (l->state == LANE_FAILED && i != LANE_SEGMENTS) storage_give_up(s, l);
        pages_file_close(&l->pages);
        if (l->fetched_fd >= 0) close(l->fetched_fd);
    }
    journal_close(s);
    close(s->folder_fd);
    close(s->lock_fd); /* releases the lock */
}

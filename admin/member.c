/* SPDX-License-Identifier: BSD-2-Clause */
/* A node is made with the new configuration and given the state; then it is let run, without ever
 * being started, until the storage under it has made all durable. */
#include <config.h>

#include "admin/member.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "admin/copy_file.h"
#include "base/assert.h"
#include "kv/kv.h"
#include "program/plug_in.h"
#include "program/zeros.h"
#include "replica/storage.h"
#include "replica/turn.h"

struct member {
    struct vr_config config;
    uv_loop_t loop;
    struct turn turn;
    struct storage storage;
    struct log log;
    struct node_io io;
    const struct vstamp_app *app;
    void *instance; /* of it */
    struct node *node;
    void *memory;
    size_t memory_size;
    struct progress *progress;
    uint64_t stored, expected; /* bytes */
};

void member_print_folder(char text[static CONFIG_PATH_SIZE], const struct config *config,
                         uint32_t index)
{
    snprintf(text, CONFIG_PATH_SIZE, "%.*s/%" PRIu32, CONFIG_PATH_SIZE - 16, config->data_dir,
             index);
}

int member_check(const struct config *config, uint32_t index, struct vstamp_diag *diag)
{
    char folder[CONFIG_PATH_SIZE];
    member_print_folder(folder, config, index);
    DIR *dir = opendir(folder);
    if (dir == NULL && errno == ENOENT) return 0;
    const struct dirent *entry = NULL;
    while (dir != NULL && (entry = storage_entry(dir)) != NULL) {
        const char *name = entry->d_name;
        if (strcmp(name, ".") != 0 && strcmp(name, "..") != 0 && strcmp(name, "lock") != 0) break;
    }
    int rv = 0;
    if (entry != NULL) {
        vstamp_diag_printf(diag,
                           "%s: not empty: a group is restored into new folders; name another "
                           "data_dir, or move this one away",
                           folder);
        rv = VSTAMP_E_CONFIG;
    } else if (errno != 0) {
        vstamp_diag_printf(diag, "%s: cannot list the folder: %s", folder, strerror(errno));
        rv = VSTAMP_E_IO;
    }
    if (dir != NULL) closedir(dir);
    return rv;
}

static void io_log(void *ctx, enum log_level level, const char *event, const char *detail)
{
    struct member *m = ctx;
    log_detail(&m->log, level, event, detail);
}

static void io_store(void *ctx, enum node_lane lane, const struct node_job *job)
{
    struct member *m = ctx;
    m->stored += job->data.size;
    progress_show(m->progress, m->stored, m->expected);
    storage_store(&m->storage, lane, job);
}

static void flush(void *ctx)
{
    struct member *m = ctx;
    storage_flush(&m->storage);
}

static void after_turn(void *ctx)
{
    struct member *m = ctx;
    flush(m);
    if (node_is_stored(m->node)) uv_stop(&m->loop);
}

static int make_node(struct member *m, struct vstamp_diag *diag)
{
    m->memory_size = node_memory(&m->config);
    m->memory = zeros_map(m->memory_size);
    if (m->memory == NULL) {
        vstamp_diag_printf(diag, "the system refuses %zu MiB of address space",
                           m->memory_size >> 20);
        return VSTAMP_E_IO;
    }
    m->io = (struct node_io){.ctx = m, .store = io_store, .log = io_log};
    /* It draws nothing: the member becomes what the copy says. */
    m->node = node_init(m->memory, m->memory_size, &m->config, m->app, &m->io,
                        (struct vstamp_id){0, 1});
    turn_init(&m->turn, &m->loop, m->node, flush, after_turn, NULL, m);
    return 0;
}

/* The copy's state goes through an instance of the member's own, as it does in a daemon. */
static int fill_node(struct member *m, const struct config *config, const struct copy *copy,
                     struct vstamp_diag *diag)
{
    struct vstamp_limits limits = node_limits(&m->config);
    bool is_process = config->app_exec[0] != '\0' && m->app != kv_app();
    const struct vstamp_app *same;
    int rv = is_process ? copy_file_start_process(config, &limits, m->config.max_answer_bytes,
                                                  &same, &m->instance, diag)
                        : plug_in_open(m->app, config_app_argument(config), &limits,
                                       &m->instance, diag);
    if (rv != 0) return rv;
    node_set_instance(m->node, m->instance);
    node_restore_copy(m->node, copy);
    if (node_is_over(m->node) == NULL) return 0;
    vstamp_diag_printf(diag, "%s", node_is_over(m->node));
    return VSTAMP_E_CONFIG;
}

static void close_handle(uv_handle_t *handle, void *unused)
{
    (void)unused;
    if (!uv_is_closing(handle)) uv_close(handle, NULL);
}

static int make(struct member *m, const struct config *config, uint32_t index,
                const struct copy *copy, struct vstamp_diag *diag)
{
    int rv = make_node(m, diag);
    if (rv == 0) rv = fill_node(m, config, copy, diag);
    if (rv == 0)
        rv = storage_open(&m->storage, config->data_dir, index, m->config.state_pages, &m->turn,
                          &m->log, diag);
    if (rv == 0)
        rv = storage_open_journal(&m->storage, &m->loop, node_segment_size(&m->config),
                                  JOURNAL_IO_ANY, diag);
    if (rv == 0) rv = storage_begin_making(&m->storage, diag);
    if (rv == 0) rv = storage_start(&m->storage, &m->loop, diag);
    if (rv == 0) {
        turn_begin(&m->turn);
        uv_run(&m->loop, UV_RUN_DEFAULT);
        assert(node_is_stored(m->node));
        rv = storage_end_making(&m->storage, diag);
        storage_close(&m->storage);
    }
    uv_walk(&m->loop, close_handle, NULL);
    uv_run(&m->loop, UV_RUN_DEFAULT);
    plug_in_close(m->app, m->instance);
    zeros_unmap(m->memory, m->memory_size);
    return rv;
}

/* What root restores into a folder of another user's is that user's, who is to start there. */
static int give_files(const struct storage *s, struct vstamp_diag *diag)
{
    struct stat owner;
    const struct dirent *entry;
    DIR *dir = opendir(s->folder);
    int rv = dir != NULL ? fstat(dirfd(dir), &owner) : -1;
    if (rv == 0 && owner.st_uid == 0) rv = fstatat(dirfd(dir), "..", &owner, 0);
    if (rv == 0) rv = fchown(dirfd(dir), owner.st_uid, owner.st_gid);
    while (rv == 0 && (entry = storage_entry(dir)) != NULL) {
        if (entry->d_name[0] == '.') continue;
        rv = fchownat(dirfd(dir), entry->d_name, owner.st_uid, owner.st_gid, AT_SYMLINK_NOFOLLOW);
    }
    if (rv == 0 && errno == 0) {
        closedir(dir);
        return 0;
    }
    vstamp_diag_printf(diag, "%s: cannot give the files to the owner of the folder: %s", s->folder,
                       strerror(errno));
    if (dir != NULL) closedir(dir);
    return VSTAMP_E_IO;
}

int member_make(const struct config *config, uint32_t index, const struct vstamp_app *app,
                const struct copy *copy, struct progress *progress, struct vstamp_diag *diag)
{
    static struct member m;
    m = (struct member){.app = app,
                        .progress = progress,
                        .expected = copy_app_pages(copy) * (uint64_t)VSTAMP_PAGE_SIZE};
    log_open(&m.log, LOG_LEVEL_WARN, LOG_FORMAT_LOGFMT, (int)index);
    int rv = config_to_vr(config, index, PACKAGE_VERSION, &m.config, diag);
    if (rv != 0) return rv;
    rv = uv_loop_init(&m.loop);
    if (rv != 0) {
        vstamp_diag_printf(diag, "event loop: %s", uv_strerror(rv));
        return VSTAMP_E_IO;
    }
    rv = make(&m, config, index, copy, diag);
    if (rv == 0 && geteuid() == 0) rv = give_files(&m.storage, diag);
    uv_loop_close(&m.loop);
    return rv;
}

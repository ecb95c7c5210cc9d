/* SPDX-License-Identifier: BSD-2-Clause */
#include "replica/storage_pages.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/endian.h"
#include "replica/storage_lane.h"

#define FLAGS (MDB_NOSUBDIR | MDB_NOLOCK)
#define MODE  0600

/* What a transaction takes at most beside the pages themselves: two records a page in leaves that
 * are half full, the branches above, and the list of what it frees. */
static size_t map_size(size_t file_size, uint32_t n_pages)
{
    return file_size + ((size_t)n_pages + n_pages / 8 + 4096) * VSTAMP_PAGE_SIZE;
}

static int open_env(struct pages_file *f, const char *path, size_t size, unsigned flags)
{
    int rv = mdb_env_create(&f->env);

    if (rv == 0) rv = mdb_env_set_mapsize(f->env, size);
    if (rv == 0) rv = mdb_env_open(f->env, path, FLAGS | flags, MODE);
    if (rv == 0) rv = mdb_txn_begin(f->env, NULL, flags & MDB_RDONLY, &f->txn);
    if (rv == 0)
        rv = mdb_dbi_open(f->txn, NULL,
                          MDB_INTEGERKEY | ((flags & MDB_RDONLY) == 0 ? MDB_CREATE : 0), &f->table);
    return rv;
}

/* LMDB maps all that its file says to hold.  Where that was cut, to look there ends the process.
 * An empty file it would begin anew. */
static int open_existing(struct pages_file *f, const char *path, size_t file_size, size_t map,
                         unsigned flags)
{
    MDB_envinfo info;

    bool is_empty = file_size == 0 && (flags & MDB_RDONLY) == 0;

    if (is_empty || (file_size > 0 && file_size < 2 * VSTAMP_PAGE_SIZE)) return MDB_CORRUPTED;
    int rv = open_env(f, path, map, flags);
    if (rv == 0) rv = mdb_env_info(f->env, &info);
    if (rv == 0 && info.me_last_pgno >= file_size / VSTAMP_PAGE_SIZE) rv = MDB_CORRUPTED;
    return rv;
}

void pages_file_close(struct pages_file *f)
{
    if (f->txn != NULL) mdb_txn_abort(f->txn);
    if (f->env != NULL) mdb_env_close(f->env);
    *f = (struct pages_file){0};
}

static int sync_path(const char *path, int flags)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | flags);
    int rv = fd < 0 || fsync(fd) != 0 ? errno : 0;

    if (fd >= 0) close(fd);
    return rv;
}

/* It gets its name once it is a sound, empty one on stable storage: a crash leaves no half of it
 * that a start would take for damage. */
static int make_file(const char *folder, const char *path)
{
    struct pages_file f = {0};
    char temporary[PATH_MAX];

    snprintf(temporary, sizeof temporary, "%s/%s", folder, PAGES_TEMPORARY);
    if (unlink(temporary) != 0 && errno != ENOENT) return errno;
    int rv = open_env(&f, temporary, map_size(0, 0), 0);
    if (rv == 0) {
        rv = mdb_txn_commit(f.txn);
        f.txn = NULL;
    }
    pages_file_close(&f);
    if (rv == 0) rv = sync_path(temporary, 0);
    if (rv == 0 && rename(temporary, path) != 0) rv = errno;
    return rv == 0 ? sync_path(folder, O_DIRECTORY) : rv;
}

int pages_file_begin(struct pages_file *f, const char *folder, uint32_t n_pages)
{
    char path[PATH_MAX];
    struct stat stat_of;
    int rv = 0;

    snprintf(path, sizeof path, "%s/%s", folder, PAGES_NAME);
    *f = (struct pages_file){0};
    if (access(path, F_OK) != 0) rv = errno == ENOENT ? make_file(folder, path) : errno;
    if (rv == 0 && stat(path, &stat_of) != 0) rv = errno;
    if (rv != 0) return rv;
    size_t size = (size_t)stat_of.st_size;
    return open_existing(f, path, size, map_size(size, n_pages), 0);
}

static int put(struct pages_file *f, size_t key, const void *data, size_t size)
{
    MDB_val k = {sizeof key, &key}, value = {size, (void *)(uintptr_t)data};

    return mdb_put(f->txn, f->table, &k, &value, 0);
}

static int del(struct pages_file *f, size_t key)
{
    MDB_val k = {sizeof key, &key};
    int rv = mdb_del(f->txn, f->table, &k, NULL);

    return rv == MDB_NOTFOUND ? 0 : rv;
}

int pages_file_keep(struct pages_file *f, const struct node_page *page)
{
    size_t key = 2 * (size_t)page->number;
    uint8_t rest[PAGES_REST_SIZE];
    int rv;

    if (page->content == NULL) {
        rv = del(f, key);
        return rv == 0 ? del(f, key + 1) : rv;
    }
    store_u64(rest, page->checksum);
    memcpy(rest + 8, page->content + PAGES_BEGIN, PAGES_REST);
    rv = put(f, key, page->content, PAGES_BEGIN);
    return rv == 0 ? put(f, key + 1, rest, sizeof rest) : rv;
}

int pages_file_put_head(struct pages_file *f, uint64_t number, struct bytes head)
{
    uint8_t value[1024];

    if (head.size > sizeof value - 8) return EINVAL;
    store_u64(value, number);
    memcpy(value + 8, head.data, head.size);
    return put(f, PAGES_HEAD_KEY, value, 8 + head.size);
}

int pages_file_commit(struct pages_file *f)
{
    int rv = mdb_txn_commit(f->txn);

    f->txn = NULL;
    return rv;
}

int pages_file_open(struct pages_file *f, const char *path)
{
    struct stat stat_of;

    *f = (struct pages_file){0};
    if (stat(path, &stat_of) != 0) return errno;
    if (!S_ISREG(stat_of.st_mode)) return MDB_INVALID;
    size_t size = (size_t)stat_of.st_size;
    return open_existing(f, path, size, size, MDB_RDONLY);
}

/* --- reading it ------------------------------------------------------------------------------- */

static int no_sense(struct vstamp_diag *diag)
{
    vstamp_diag_printf(diag, "its records make no sense");
    return VSTAMP_E_CORRUPT;
}

static int read_failed(struct vstamp_diag *diag, int mdb)
{
    vstamp_diag_printf(diag, "cannot read: %s%s", mdb_strerror(mdb), storage_hint(mdb));
    return mdb < 0 ? VSTAMP_E_CORRUPT : storage_refused(mdb);
}

static int read_head(struct pages_file *f, const struct pages_sink *sink,
                     struct vstamp_diag *diag)
{
    size_t key = PAGES_HEAD_KEY;
    MDB_val k = {sizeof key, &key}, value;
    int mdb = mdb_get(f->txn, f->table, &k, &value);

    if (mdb != 0) return read_failed(diag, mdb);
    if (value.mv_size < 8) return no_sense(diag);
    return sink->head(sink->ctx, load_u64(value.mv_data),
                      (struct bytes){(const uint8_t *)value.mv_data + 8, value.mv_size - 8}, diag);
}

/* Its two records follow each other; the cursor is at the first. */
static int read_page(MDB_cursor *at, MDB_val key, MDB_val value, const struct pages_sink *sink,
                     struct vstamp_diag *diag)
{
    uint8_t content[VSTAMP_PAGE_SIZE];
    size_t first, second;

    memcpy(&first, key.mv_data, sizeof first);
    if (first % 2 != 0 || first / 2 > UINT32_MAX || value.mv_size != PAGES_BEGIN)
        return no_sense(diag);
    memcpy(content, value.mv_data, PAGES_BEGIN);
    int mdb = mdb_cursor_get(at, &key, &value, MDB_NEXT);
    if (mdb != 0) return mdb == MDB_NOTFOUND ? no_sense(diag) : read_failed(diag, mdb);
    memcpy(&second, key.mv_data, sizeof second);
    if (second != first + 1 || value.mv_size != PAGES_REST_SIZE) return no_sense(diag);
    memcpy(content + PAGES_BEGIN, (const uint8_t *)value.mv_data + 8, PAGES_REST);
    return sink->page(
        sink->ctx, &(struct node_page){(uint32_t)(first / 2), load_u64(value.mv_data), content},
        diag);
}

static int read_pages(struct pages_file *f, const struct pages_sink *sink,
                      struct vstamp_diag *diag)
{
    MDB_cursor *at;
    MDB_val key, value;
    size_t number;
    int rv = 0, mdb = mdb_cursor_open(f->txn, f->table, &at);

    if (mdb != 0) return read_failed(diag, mdb);
    while (rv == 0) {
        mdb = mdb_cursor_get(at, &key, &value, MDB_NEXT); /* at the beginning: the first */
        if (mdb == 0 && key.mv_size != sizeof number) rv = no_sense(diag);
        if (mdb != 0) rv = mdb == MDB_NOTFOUND ? no_sense(diag) : read_failed(diag, mdb);
        if (rv != 0) break;
        memcpy(&number, key.mv_data, sizeof number);
        if (number == PAGES_HEAD_KEY) break;
        rv = read_page(at, key, value, sink, diag);
    }
    mdb_cursor_close(at);
    return rv;
}

int pages_file_read(const char *path, const struct pages_sink *sink, bool *any,
                    struct vstamp_diag *diag)
{
    struct pages_file f = {0};
    MDB_stat stat_of;
    int mdb, rv = 0;

    *any = false;
    if (access(path, F_OK) != 0 && errno == ENOENT) return 0;
    mdb = pages_file_open(&f, path);
    if (mdb == 0) mdb = mdb_stat(f.txn, f.table, &stat_of);
    if (mdb != 0) {
        rv = read_failed(diag, mdb);
    } else if (stat_of.ms_entries > 0) {
        *any = true;
        rv = read_head(&f, sink, diag);
        if (rv == 0) rv = read_pages(&f, sink, diag);
    }
    pages_file_close(&f);
    return rv;
}

static int restore_head(void *node, uint64_t number, struct bytes head, struct vstamp_diag *diag)
{
    return node_restore_checkpoint(node, number, head, diag);
}

static int restore_page(void *node, const struct node_page *page, struct vstamp_diag *diag)
{
    return node_restore_page(node, page, diag);
}

int pages_file_restore(const char *path, struct node *node, struct vstamp_diag *diag)
{
    const struct pages_sink sink = {.ctx = node, .head = restore_head, .page = restore_page};
    bool any;
    int rv, error = sync_path(path, 0); /* before what it says is believed (PIT-9.6) */

    if (error != 0 && error != ENOENT) return read_failed(diag, error);
    rv = pages_file_read(path, &sink, &any, diag);
    return rv == 0 && any ? node_restore_checkpoint_done(node, diag) : rv;
}

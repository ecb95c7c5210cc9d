/* SPDX-License-Identifier: BSD-2-Clause */
/* Is pages.mdb a sound file of LMDB?
 *
 * LMDB follows what its file says without looking: a damaged tree can crash a process, or let it
 * write over what is in use.  So a child process walks it first.  If the child dies, or finds what
 * should not be, the file is damaged, and the replica never opens it.
 *
 * Each record must be found by its key where it is found in order; keys rise; leaves are as full as
 * they say; each page bears the number of its place; no page of the file has two uses, of which to
 * be free is one.  The content of pages is not looked at: the node checks it when it gets it.
 *
 * What is used here of LMDB's format: a page begins with its number, two bytes, two bytes of flags,
 * and how far it is filled from below and above, or how many pages a large value takes; a node of
 * a leaf has its key 8 bytes behind its beginning; table 0 lists free pages by transaction.
 *
 * While the replica runs pages are looked at by parts: does their checksum hold, and is on the disk
 * what is in memory?  The latter is asked with O_DIRECT, where it can be had: else the answer comes
 * from memory, too. */
#define _GNU_SOURCE /* O_DIRECT */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/bitset.h"
#include "base/endian.h"
#include "program/zeros.h"
#include "replica/storage_lane.h"
#include "replica/storage_pages.h"

#define FREE_TABLE  0
#define HEADER_SIZE 16u
#define NODE_HEADER 8u
#define IS_LEAF     0x02u
#define IS_LARGE    0x04u
#define N_METAS     2u

struct header {
    size_t number;
    uint16_t unused, flags;
    union {
        uint16_t filled[2]; /* to here from below, from here from above */
        uint32_t n_pages;
    } as;
};
_Static_assert(sizeof(struct header) == HEADER_SIZE, "as LMDB has it on 64 bits");

struct check {
    struct pages_file file;
    size_t n_pages, n_used;
    uint64_t *used; /* bitset */
    const uint8_t *base; /* of the file in memory; NULL until a page has told */
    const uint8_t *leaf; /* the one that the walk is in, */
    size_t n_keys, lowest; /* and what was seen of it */
    const char *problem;
    int refused; /* errno with which the system did not let us look: then nothing is known */
};

static bool fail(struct check *c, const char *problem)
{
    if (c->problem == NULL) c->problem = problem;
    return false;
}

static bool use(struct check *c, size_t number, size_t n)
{
    if (number < N_METAS || number >= c->n_pages || n > c->n_pages - number)
        return fail(c, "a page that is not in the file");
    for (; n > 0; n--, number++, c->n_used++) {
        if (bitset_has(c->used, number)) return fail(c, "a page in two places");
        bitset_add(c->used, number);
    }
    return true;
}

/* The page bears the number of its place; then it is used, with those behind it. */
static bool use_page(struct check *c, const uint8_t *page, unsigned flags, size_t n)
{
    const struct header *h = (const struct header *)page;

    if (c->base == NULL) c->base = page - h->number * VSTAMP_PAGE_SIZE;
    if (h->flags != flags) return fail(c, "a page of another kind");
    if (c->base + h->number * VSTAMP_PAGE_SIZE != page) return fail(c, "a page of another place");
    if (flags == IS_LARGE && h->as.n_pages != n) return fail(c, "a value of another size");
    return use(c, h->number, n);
}

static const uint8_t *leaf_of(const MDB_val *key)
{
    return (const uint8_t *)((uintptr_t)key->mv_data & ~(uintptr_t)(VSTAMP_PAGE_SIZE - 1));
}

static bool end_leaf(struct check *c)
{
    const struct header *h = (const struct header *)c->leaf;

    if (h == NULL) return true;
    c->leaf = NULL;
    if (h->as.filled[0] == HEADER_SIZE + 2 * c->n_keys && h->as.filled[1] == c->lowest) return true;
    return fail(c, "a leaf that is not as full as it says");
}

static bool visit(struct check *c, const MDB_val *key, const MDB_val *value)
{
    const uint8_t *leaf = leaf_of(key);
    size_t node = (size_t)((const uint8_t *)key->mv_data - leaf) - NODE_HEADER;
    const uint8_t *data = value->mv_data;

    if (key->mv_size != sizeof(size_t)) return fail(c, "a key of another size");
    if (leaf != c->leaf) {
        if (!end_leaf(c) || !use_page(c, leaf, IS_LEAF, 1)) return false;
        c->leaf = leaf;
        c->n_keys = 0;
        c->lowest = SIZE_MAX;
    }
    c->n_keys++;
    if (node < c->lowest) c->lowest = node;
    if (data >= leaf && data < leaf + VSTAMP_PAGE_SIZE)
        return data + value->mv_size <= leaf + VSTAMP_PAGE_SIZE ||
               fail(c, "a value beyond its leaf");
    return use_page(c, data - HEADER_SIZE, IS_LARGE,
                    (HEADER_SIZE + value->mv_size + VSTAMP_PAGE_SIZE - 1) / VSTAMP_PAGE_SIZE);
}

/* What a transaction freed: how many pages, and which. */
static bool visit_free(struct check *c, const MDB_val *value)
{
    const size_t *list = value->mv_data;

    if (value->mv_size < sizeof *list || value->mv_size != (list[0] + 1) * sizeof *list)
        return fail(c, "a list of free pages of another size");
    for (size_t i = 1; i <= list[0]; i++)
        if (!use(c, list[i], 1)) return false;
    return true;
}

/* All records of a table, in order; each must also be where its key leads. */
static bool walk(struct check *c, MDB_dbi table)
{
    MDB_cursor *along, *down;
    MDB_stat stat_of;
    MDB_val key, value, same_key, same_value;
    size_t number, last = 0, n = 0;
    int rv;

    if (mdb_stat(c->file.txn, table, &stat_of) != 0 ||
        mdb_cursor_open(c->file.txn, table, &along) != 0 ||
        mdb_cursor_open(c->file.txn, table, &down) != 0)
        return fail(c, "a table that cannot be opened");
    while ((rv = mdb_cursor_get(along, &key, &value, MDB_NEXT)) == 0) {
        if (!visit(c, &key, &value)) return false;
        if (table == FREE_TABLE && !visit_free(c, &value)) return false;
        memcpy(&number, key.mv_data, sizeof number);
        if (n++ > 0 && number <= last) return fail(c, "keys out of order");
        last = number;
        same_key = key;
        if (mdb_cursor_get(down, &same_key, &same_value, MDB_SET_KEY) != 0 ||
            same_value.mv_data != value.mv_data || same_value.mv_size != value.mv_size)
            return fail(c, "a record that its key does not lead to");
    }
    if (rv != MDB_NOTFOUND || n != stat_of.ms_entries) return fail(c, "records are missing");
    return end_leaf(c);
}

/* Branches were not seen: what nobody uses must at least leave room for them. */
static bool room_for_branches(struct check *c)
{
    MDB_stat table, free_table;

    if (mdb_stat(c->file.txn, FREE_TABLE, &free_table) != 0 ||
        mdb_stat(c->file.txn, c->file.table, &table) != 0)
        return fail(c, "a table that cannot be opened");
    if (c->n_pages - N_METAS - c->n_used >= table.ms_branch_pages + free_table.ms_branch_pages)
        return true;
    return fail(c, "a free page that is in use");
}

/* LMDB maps as much as its file says that it holds, be that damaged: is there no memory even for
 * what is there? */
static bool lacks_memory(const char *path, size_t size)
{
    void *memory = zeros_map(size + 1);
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd >= 0) close(fd);
    zeros_unmap(memory, size + 1);
    return memory == NULL || fd < 0;
}

/* Once more, if there was no memory: if that was the system's, there may be some by now. */
static int open_file(struct check *c, const char *path)
{
    int mdb = pages_file_open(&c->file, path);

    if (mdb != ENOMEM) return mdb;
    pages_file_close(&c->file);
    return pages_file_open(&c->file, path);
}

static void check(struct check *c, const char *path)
{
    struct stat stat_of = {0};
    MDB_envinfo info;
    MDB_stat env_stat;
    int mdb = stat(path, &stat_of) != 0 ? errno : open_file(c, path);

    if (mdb == 0) mdb = mdb_env_info(c->file.env, &info);
    if (mdb == 0) mdb = mdb_env_stat(c->file.env, &env_stat);
    if (mdb == ENOMEM ? lacks_memory(path, (size_t)stat_of.st_size) : storage_is_refusal(mdb))
        c->refused = mdb;
    if (mdb != 0 || env_stat.ms_psize != VSTAMP_PAGE_SIZE || info.me_last_pgno + 1 < N_METAS) {
        fail(c, mdb == MDB_CORRUPTED ? "it is shorter than it says"
                                     : "it cannot be opened as a file of LMDB");
        return;
    }
    c->n_pages = info.me_last_pgno + 1;
    c->used = calloc(bitset_words(c->n_pages), sizeof *c->used);
    if (c->used == NULL)
        c->refused = ENOMEM;
    else if (walk(c, FREE_TABLE) && walk(c, c->file.table))
        room_for_branches(c);
}

/* How the child ends: by such a status, the last with errno added, or by a signal. */
enum { SOUND, DAMAGED, REFUSED };

/* The child: says what is damaged.  It has the folder's lock, too, so it does not stay alone. */
static void judge(const char *path, int fd, pid_t parent)
{
    static const struct rlimit none;
    struct check c = {.problem = NULL};

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(DAMAGED);
    setrlimit(RLIMIT_CORE, &none);
    check(&c, path);
    if (c.refused != 0) _exit(REFUSED + c.refused);
    if (c.problem == NULL) _exit(SOUND);
    (void)!write(fd, c.problem, strlen(c.problem));
    _exit(DAMAGED);
}

static int cannot(struct vstamp_diag *diag, const char *what)
{
    int error = errno;

    vstamp_diag_printf(diag, "cannot check it: %s: %s%s", what, strerror(error),
                       storage_hint(error));
    return storage_refused(error);
}

/* A walk through a damaged file may end so; any other signal came from outside. */
static bool is_crash(int number)
{
    return number == SIGSEGV || number == SIGBUS || number == SIGABRT || number == SIGFPE ||
           number == SIGILL;
}

static int verdict(int status, const char *problem, struct vstamp_diag *diag)
{
    if (WIFSIGNALED(status) && !is_crash(WTERMSIG(status))) {
        vstamp_diag_printf(diag, "cannot check it: signal %d ended the process that did",
                           WTERMSIG(status));
        return VSTAMP_E_AGAIN;
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == SOUND) return 0;
    if (WIFEXITED(status) && WEXITSTATUS(status) > REFUSED) {
        errno = WEXITSTATUS(status) - REFUSED;
        return cannot(diag, "open");
    }
    if (WIFSIGNALED(status))
        vstamp_diag_printf(diag, "damaged: reading it ends in signal %d", WTERMSIG(status));
    else
        vstamp_diag_printf(diag, "damaged: %s", problem);
    return VSTAMP_E_CORRUPT;
}

int pages_file_check(const char *path, struct vstamp_diag *diag)
{
    char problem[128];
    ssize_t size;
    int fds[2], status;

    if (access(path, F_OK) != 0 && errno == ENOENT) return 0;
    if (pipe(fds) != 0) return cannot(diag, "pipe");
    pid_t parent = getpid(), child = fork();
    if (child == 0) judge(path, fds[1], parent);
    close(fds[1]);
    do size = read(fds[0], problem, sizeof problem - 1);
    while (size < 0 && errno == EINTR);
    problem[size > 0 ? size : 0] = '\0';
    close(fds[0]);
    if (child < 0) return cannot(diag, "fork");
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR) return cannot(diag, "waitpid");
    return verdict(status, problem, diag);
}

/* --- while the replica runs ------------------------------------------------------------------- */

struct look {
    struct pages_file file;
    int fd;
    const uint8_t *base, *leaf;
};

static int open_look(struct look *l, const char *path)
{
    l->fd = open(path, O_RDONLY | O_CLOEXEC | O_DIRECT);
    if (l->fd < 0) l->fd = open(path, O_RDONLY | O_CLOEXEC);
    return l->fd < 0 ? errno : pages_file_open(&l->file, path);
}

/* Is this page of the file on the disk as it is here, and at its place?  `*same` is about the
 * former: what the disk cannot read is not. */
static int compare(struct look *l, const uint8_t *page, unsigned flags, bool *same)
{
    _Alignas(VSTAMP_PAGE_SIZE) uint8_t raw[VSTAMP_PAGE_SIZE];
    const struct header *h = (const struct header *)page;

    if (l->base == NULL) l->base = page - h->number * VSTAMP_PAGE_SIZE;
    if (h->flags != flags || l->base + h->number * VSTAMP_PAGE_SIZE != page) return MDB_CORRUPTED;
    if (flags == IS_LARGE && h->as.n_pages != 1) return MDB_CORRUPTED;
    ssize_t n = pread(l->fd, raw, sizeof raw, (off_t)(h->number * VSTAMP_PAGE_SIZE));
    if (n < 0 && storage_is_refusal(errno)) return errno;
    *same = n == (ssize_t)sizeof raw && memcmp(raw, page, sizeof raw) == 0;
    return 0;
}

/* A leaf is compared once; it cannot be mended. */
static int look_at_leaf(struct look *l, const MDB_val *key)
{
    const uint8_t *leaf = leaf_of(key);
    bool same = true;
    int mdb = leaf != l->leaf ? compare(l, leaf, IS_LEAF, &same) : 0;

    l->leaf = leaf;
    return mdb == 0 && !same ? MDB_CORRUPTED : mdb;
}

/* The cursor is at the first record of a page, and goes on to its second. */
static int look_at_page(struct look *l, MDB_cursor *at, MDB_val key, MDB_val begin, bool *sound)
{
    uint8_t content[VSTAMP_PAGE_SIZE];
    size_t number, second;
    MDB_val rest;
    int mdb = look_at_leaf(l, &key);

    memcpy(&number, key.mv_data, sizeof number);
    if (mdb == 0 && (number % 2 != 0 || begin.mv_size != PAGES_BEGIN)) mdb = MDB_CORRUPTED;
    if (mdb == 0)
        mdb = compare(l, (const uint8_t *)begin.mv_data - HEADER_SIZE, IS_LARGE, sound);
    if (mdb == 0) mdb = mdb_cursor_get(at, &key, &rest, MDB_NEXT);
    if (mdb == 0) mdb = look_at_leaf(l, &key);
    if (mdb != 0) return mdb;
    memcpy(&second, key.mv_data, sizeof second);
    if (second != number + 1 || rest.mv_size != PAGES_REST_SIZE) return MDB_CORRUPTED;
    memcpy(content, begin.mv_data, PAGES_BEGIN);
    memcpy(content + PAGES_BEGIN, (const uint8_t *)rest.mv_data + 8, PAGES_REST);
    if (node_page_checksum((uint32_t)(number / 2), content) != load_u64(rest.mv_data))
        *sound = false;
    return 0;
}

int pages_file_find_rot(const char *folder, uint64_t first,
                        uint32_t rotten[static NODE_CHECKED_PAGES], uint32_t *n_rotten)
{
    struct look l = {.fd = -1};
    char path[PATH_MAX];
    MDB_cursor *at = NULL;
    size_t number = 2 * first, end = 2 * (first + NODE_CHECKED_PAGES);
    MDB_val key = {sizeof number, &number}, value;
    bool sound;

    snprintf(path, sizeof path, "%s/%s", folder, PAGES_NAME);
    int mdb = open_look(&l, path);
    if (mdb == 0) mdb = mdb_cursor_open(l.file.txn, l.file.table, &at);
    if (mdb == 0) mdb = mdb_cursor_get(at, &key, &value, MDB_SET_RANGE);
    for (*n_rotten = 0; mdb == 0; mdb = mdb_cursor_get(at, &key, &value, MDB_NEXT)) {
        memcpy(&number, key.mv_data, sizeof number);
        if (number >= end) break;
        mdb = look_at_page(&l, at, key, value, &sound);
        if (mdb != 0) break;
        if (!sound) rotten[(*n_rotten)++] = (uint32_t)(number / 2);
    }
    if (mdb == MDB_NOTFOUND) mdb = MDB_CORRUPTED; /* the head is behind all pages */
    if (at != NULL) mdb_cursor_close(at);
    pages_file_close(&l.file);
    /* The next start is to see the disk: with what is cached it would go on, and end here again. */
    if (mdb == MDB_CORRUPTED) posix_fadvise(l.fd, 0, 0, POSIX_FADV_DONTNEED);
    if (l.fd >= 0) close(l.fd);
    return mdb;
}

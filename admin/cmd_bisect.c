/* SPDX-License-Identifier: BSD-2-Clause */
/* vstamp-admin bisect FOLDER FOLDER: since which op do the states of two replicas differ, and in
 * which page first?
 *
 * Each replica has written down what its pages held (vr/trail.c).  Nothing is executed here, so it
 * is of no matter which application that was, nor whether it would do the same again; and nothing
 * is locked, so either replica may run. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>

#include "admin/admin.h"
#include "admin/copy_file.h"
#include "admin/notation.h"
#include "admin/versions.h"
#include "node/trail.h"
#include "program/id.h"
#include "program/zeros.h"
#include "replica/storage.h"

#define FILES 4u

static const char *const file_names[FILES] = {
    /* the oldest first */
    STORAGE_TRAIL_KEPT STORAGE_BEFORE, STORAGE_TRAIL_KEPT, STORAGE_TRAIL STORAGE_BEFORE,
    STORAGE_TRAIL};

struct side {
    const char *folder;
    struct bytes files[FILES];
    struct trail trail;
};

/* --- one folder ------------------------------------------------------------------------------- */

static int map_file(struct side *s, int folder, unsigned i, struct vstamp_diag *diag)
{
    struct stat status;
    void *data = NULL;
    int fd = openat(folder, file_names[i], O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT) return 0;
    bool ok = fd >= 0 && fstat(fd, &status) == 0;
    if (ok && status.st_size > 0)
        data = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (!ok || data == MAP_FAILED) {
        vstamp_diag_printf(diag, "%s/%s: %s", s->folder, file_names[i], strerror(errno));
        ok = false;
    }
    if (fd >= 0) close(fd);
    if (ok && data != NULL) s->files[i] = (struct bytes){data, (size_t)status.st_size};
    return ok ? 0 : VSTAMP_E_IO;
}

static int map_files(struct side *s, struct vstamp_diag *diag)
{
    int folder = open(s->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC), rv = 0;
    if (folder < 0) {
        vstamp_diag_printf(diag, "%s: %s", s->folder, strerror(errno));
        return VSTAMP_E_IO;
    }
    for (unsigned i = 0; i < FILES && rv == 0; i++) rv = map_file(s, folder, i, diag);
    close(folder);
    return rv;
}

static int read_files(struct cli *cli, struct side *s, struct vstamp_diag *diag)
{
    int rv = 0;
    for (unsigned i = 0; i < FILES && rv == 0; i++) {
        size_t lost;
        rv = trail_read(&s->trail, s->files[i], &lost, diag);
        if (rv != 0) vstamp_diag_wrap(diag, "%s/%s", s->folder, file_names[i]);
        if (rv == 0 && lost > 0)
            cli_complain(cli, "%s/%s: %zu of its %zu bytes make no sense, and were passed over",
                         s->folder, file_names[i], lost, s->files[i].size);
    }
    return rv;
}

static int side_open(struct cli *cli, struct side *s, const char *folder, struct vstamp_diag *diag)
{
    size_t size = 0;
    s->folder = folder;
    int rv = map_files(s, diag);
    for (unsigned i = 0; i < FILES; i++) size += s->files[i].size;
    if (rv != 0) return rv;
    if (size == 0) {
        vstamp_diag_printf(diag, "%s: there is no trail in it: a replica with 'durability: disk' "
                                 "writes one, as it passes the op-numbers that checkpoint_ops or "
                                 "digest_ops divides", folder);
        return VSTAMP_E_CONFIG;
    }
    s->trail.entries = zeros_map(trail_entries_max(size) * sizeof s->trail.entries[0]);
    if (s->trail.entries == NULL) abort();
    rv = read_files(cli, s, diag);
    if (rv != 0 || s->trail.last_op > 0) return rv;
    vstamp_diag_printf(diag, "%s: its trail tells of no state%s", folder,
                       s->trail.n == 0 ? ": it is damaged throughout" : " yet");
    return VSTAMP_E_CONFIG;
}

/* --- what is said ----------------------------------------------------------------------------- */

static void print_page(const struct trail *t, uint32_t page)
{
    if (page >= t->app_first)
        printf("%" PRIu32 ", page %" PRIu32 " of the application", page, page - t->app_first);
    else
        printf("%" PRIu32 ", of the client table", page);
}

static void print_since(const struct trail_difference *d)
{
    if (d->after == 0)
        printf("DIFFER       after op %" PRIu64 "; no older state is in both trails\n", d->op);
    else if (d->op == d->after + 1)
        printf("DIFFER       since op %" PRIu64 ": before it they were equal\n", d->op);
    else
        printf("DIFFER       since an op from %" PRIu64 " to %" PRIu64
               ": before these they were equal\n"
               "which op     'digest_ops: 1' in the configuration tells, if it happens again\n",
               d->after + 1, d->op);
}

static void print_difference(const struct side *sides, const struct trail_difference *d)
{
    print_since(d);
    printf("first page   ");
    print_page(&sides[0].trail, d->pages[0]);
    printf("\npages        %" PRIu32 " after op %" PRIu64 ":", d->n_pages, d->op);
    for (uint32_t i = 0; i < d->n_pages && i < TRAIL_PAGES_SHOWN; i++)
        printf(" %" PRIu32, d->pages[i]);
    puts(d->n_pages > TRAIL_PAGES_SHOWN ? " ..." : "");
}

static void print_all(const struct side *sides, const struct trail_difference *d)
{
    for (int i = 0; i < 2; i++) {
        const struct trail *t = &sides[i].trail;
        printf("%-12s %s, states after op %" PRIu64 " to %" PRIu64 "\n", sides[i].folder,
               t->address, t->first_op, t->last_op);
    }
    printf("compared     %" PRIu64 " states, after op %" PRIu64 " to %" PRIu64 "\n", d->n_points,
           d->first_op, d->last_op);
    if (d->op != 0) print_difference(sides, d);
    else puts("equal        in all of them");
    for (int i = 0; i < 2; i++) {
        if (sides[i].trail.rotten == 0) continue;
        printf("TURNED       in the memory of %s, as it found itself: page ", sides[i].folder);
        print_page(&sides[i].trail, (uint32_t)(sides[i].trail.rotten - 1));
        puts("");
    }
}

static void print_json(const struct side *sides, const struct trail_difference *d)
{
    json_t *folders = json_array(), *pages = json_array();
    for (uint32_t i = 0; i < d->n_pages && i < TRAIL_PAGES_SHOWN; i++)
        json_array_append_new(pages, json_integer(d->pages[i]));
    for (int i = 0; i < 2; i++) {
        const struct trail *t = &sides[i].trail;
        json_array_append_new(
            folders, json_pack("{s:o, s:s, s:I, s:I, s:o}", "folder",
                               notation_text(sides[i].folder), "address", t->address, "first_op",
                               (json_int_t)t->first_op, "last_op", (json_int_t)t->last_op,
                               "turned_page",
                               t->rotten != 0 ? json_integer((json_int_t)t->rotten - 1)
                                              : json_null()));
    }
    json_t *object = json_pack(
        "{s:b, s:o, s:o, s:o, s:I, s:o, s:I, s:I, s:I, s:o}", "differ", d->op != 0, "op",
        d->op != 0 ? json_integer((json_int_t)d->op) : json_null(), "equal_after",
        d->after != 0 ? json_integer((json_int_t)d->after) : json_null(), "pages", pages,
        "n_pages", (json_int_t)d->n_pages, "folders", folders, "states", (json_int_t)d->n_points,
        "first_op", (json_int_t)d->first_op, "last_op", (json_int_t)d->last_op,
        "application_page", json_integer(sides[0].trail.app_first));
    notation_print_json(object);
}

/* --- the command ------------------------------------------------------------------------------ */

static int compare(const struct side *sides, struct trail_difference *d, struct vstamp_diag *diag)
{
    const struct trail *a = &sides[0].trail, *b = &sides[1].trail;
    if (!vstamp_id_equal(a->group, b->group)) {
        char groups[2][ID_TEXT_SIZE];
        id_print(groups[0], a->group);
        id_print(groups[1], b->group);
        vstamp_diag_printf(diag, "they are of different groups: %s of %s, %s of %s",
                           sides[0].folder, groups[0], sides[1].folder, groups[1]);
        return VSTAMP_E_CONFIG;
    }
    void *memory = zeros_map(trail_compare_memory(a, b) + 1);
    if (memory == NULL) abort();
    trail_compare(a, b, memory, d);
    if (d->n_points > 0) return 0;
    vstamp_diag_printf(diag,
                       "they have no state in common: the trail of %s tells of those after op "
                       "%" PRIu64 " to %" PRIu64 ", that of %s of those after op %" PRIu64
                       " to %" PRIu64,
                       sides[0].folder, a->first_op, a->last_op, sides[1].folder, b->first_op,
                       b->last_op);
    return VSTAMP_E_CONFIG;
}

int cmd_bisect(struct cli *cli, int argc, char **argv)
{
    static struct side sides[2];
    const struct admin *admin = cli->context;
    const char *folders[2];
    struct trail_difference d;
    struct vstamp_diag diag = {0};
    int rv = cli_parse(cli, NULL, argc, argv, folders, 2, NULL);
    if (rv != 0) return rv;
    for (int i = 0; i < 2 && rv == 0; i++) rv = side_open(cli, &sides[i], folders[i], &diag);
    if (rv == 0) rv = compare(sides, &d, &diag);
    if (rv != 0) return admin_fail(cli, rv, &diag);
    if (admin->json) {
        print_json(sides, &d);
    } else {
        print_all(sides, &d);
        if (d.op != 0 && d.op == d.after + 1 && !versions_show(folders[0], d.op) &&
            !versions_show(folders[1], d.op))
            printf("entry %" PRIu64 "     in neither journal any more, or both replicas run\n",
                   d.op);
    }
    return d.op != 0 || sides[0].trail.rotten != 0 || sides[1].trail.rotten != 0 ? CLI_NO : CLI_OK;
}

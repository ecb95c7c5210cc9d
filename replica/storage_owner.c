/* SPDX-License-Identifier: BSD-2-Clause */
/* Whose folder is it?  A folder is named after an index, and a replica is its address: when the
 * group has changed, a file may give the same replica another index, and with it another folder.
 * Started there it would be blank, and its state lie elsewhere.
 *
 * And who is the group?  That the journal knows, whatever a file says. */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "node/journal_walk.h"
#include "program/zeros.h"
#include "replica/storage_lane.h"

#define BATCH_MAX   STORAGE_SEGMENT_MAX /* what is not touched costs nothing */
#define WINDOW_WALK (2 * (size_t)BATCH_MAX)
#define WINDOW_HEAD ((size_t)1 << 20) /* at each start: the oldest head is enough */

/* A walk through the journal of a folder.  It is not locked: replicas that share a data_dir may all
 * be starting, and whoever runs in it only adds to what is read here. */
struct look {
    struct storage storage;
    struct storage_reading reading;
    struct node_source source;
    struct node_window window;
    struct journal_walk walk;
    struct vstamp_diag ignored;
    uint64_t first, last;
};

/* As far as none is missing: what is behind a gap no start reads.  False: there is none at all. */
static bool find_segments(struct look *l)
{
    uint64_t *numbers;
    size_t n;

    if (storage_segments(&l->storage, &numbers, &n, &l->ignored) != 0 || n == 0) return false;
    l->first = l->last = numbers[0];
    for (size_t i = 1; i < n && numbers[i] == l->last + 1; i++) l->last++;
    free(numbers);
    return true;
}

/* False: it cannot be opened.  To be ended in either case. */
static bool open_folder(struct storage *s, const char *data_dir, uint32_t index)
{
    *s = (struct storage){.folder_fd = -1, .lock_fd = -1};
    snprintf(s->folder, sizeof s->folder, "%.*s/%" PRIu32, PATH_MAX - 32, data_dir, index);
    s->folder_fd = open(s->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return s->folder_fd >= 0;
}

/* False: there is no journal.  To be ended in either case. */
static bool look_begin(struct look *l, const char *data_dir, uint32_t index, size_t window)
{
    bool there = open_folder(&l->storage, data_dir, index);

    l->reading = (struct storage_reading){.storage = &l->storage, .glances = true, .fd = -1};
    l->source = (struct node_source){.ctx = &l->reading, .read = storage_read};
    l->window = (struct node_window){.capacity = window, .bytes = zeros_map(window)};
    l->walk = (struct journal_walk){.source = &l->source, .window = &l->window,
                                    .diag = &l->ignored, .batch_size_max = BATCH_MAX,
                                    .names = zeros_map(BATCH_MAX)};
    return there && l->window.bytes != NULL && l->walk.names != NULL && find_segments(l);
}

static void look_end(struct look *l)
{
    if (l->reading.fd >= 0) close(l->reading.fd);
    storage_look_end(&l->storage);
    zeros_unmap(l->window.bytes, l->window.capacity);
    zeros_unmap(l->walk.names, BATCH_MAX);
}

/* False: nobody's, or it cannot be told. */
static bool find_owner(const char *data_dir, uint32_t index,
                       char address[static ADDRESS_BYTES_MAX + 1])
{
    static struct look l;
    struct journal_head head;
    bool found = look_begin(&l, data_dir, index, WINDOW_HEAD) &&
                 journal_walk_segment(&l.walk, l.first, &head) &&
                 head.is.owner.address.size <= ADDRESS_BYTES_MAX;

    if (found)
        snprintf(address, ADDRESS_BYTES_MAX + 1, "%.*s", (int)head.is.owner.address.size,
                 (const char *)head.is.owner.address.data);
    look_end(&l);
    return found;
}

/* The hard states of a batch, the last one of which stands. */
static bool read_states(struct look *l, const struct journal_batch *batch,
                        struct vr_membership *members, bool *retired)
{
    struct journal_reader r = journal_walk_records(&l->walk, batch);
    struct wire_hard_state state;
    enum journal_kind kind;
    struct bytes body;
    bool any = false;

    while (journal_next(&r, &kind, &body) == JOURNAL_RECORD) {
        if (kind != JOURNAL_HARD_STATE || wire_decode(&wire_shape_hard_state, body, &state) != 0 ||
            !vr_membership_read(members, &state.membership))
            continue;
        *retired = state.retired != 0;
        any = true;
    }
    return any;
}

/* The same of all batches of the segment that the walk is at. */
static bool read_segment(struct look *l, struct vr_membership *members, bool *retired)
{
    struct journal_batch batch;
    bool any = false;

    while (journal_walk_look(&l->walk, &batch) == JOURNAL_BATCH_WHOLE) {
        if (read_states(l, &batch, members, retired)) any = true;
        journal_walk_pass(&l->walk, &batch);
        if (l->walk.place >= l->walk.end) break;
    }
    return any;
}

bool storage_read_membership(const char *data_dir, uint32_t index, struct vr_membership *members,
                             bool *retired)
{
    static struct look l;
    bool found = false;

    if (look_begin(&l, data_dir, index, WINDOW_WALK)) {
        journal_walk_begin(&l.walk, l.first, l.last);
        for (uint64_t number = l.first; number <= l.walk.last && l.walk.rv == 0; number++) {
            struct journal_head head;

            if (!journal_walk_segment(&l.walk, number, &head)) continue;
            if (read_segment(&l, members, retired)) found = true;
        }
    }
    look_end(&l);
    return found;
}

/* Then storage_open says so, which is what matters first. */
static bool is_in_use(const char *data_dir, uint32_t index)
{
    char path[PATH_MAX];

    snprintf(path, sizeof path, "%.*s/%" PRIu32 "/" STORAGE_LOCK, PATH_MAX - 64, data_dir, index);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return false;
    bool used = flock(fd, LOCK_SH | LOCK_NB) != 0;
    close(fd);
    return used;
}

int storage_check_owner(const char *data_dir, uint32_t index, const char *address,
                        struct vstamp_diag *diag)
{
    char owner[ADDRESS_BYTES_MAX + 1], other[ADDRESS_BYTES_MAX + 1];
    bool any = find_owner(data_dir, index, owner);
    uint32_t i;

    if ((any && strcmp(owner, address) == 0) || is_in_use(data_dir, index)) return 0;
    for (i = 0; i < REPLICAS_MAX; i++)
        if (i != index && find_owner(data_dir, i, other) && strcmp(other, address) == 0) break;
    if (!any && i == REPLICAS_MAX) return 0;
    if (i < REPLICAS_MAX)
        vstamp_diag_printf(diag,
                           "%s/%" PRIu32 " %s%s, and what belongs to %s is in %s/%" PRIu32
                           ": the configuration gives it another index than before: mend the order "
                           "of its replicas_addresses, or, if it is right, %srename that to "
                           "%s/%" PRIu32,
                           data_dir, index, any ? "belongs to the replica at " : "is empty",
                           any ? owner : "", address, data_dir, i,
                           any ? "move this folder away and " : "", data_dir, index);
    else
        vstamp_diag_printf(diag,
                           "%s/%" PRIu32 " belongs to the replica at %s, and the configuration has "
                           "%s at this index: name another data_dir, or move the folder away",
                           data_dir, index, owner, address);
    return VSTAMP_E_CONFIG;
}

int storage_check_journal(const char *data_dir, uint32_t index, struct vstamp_diag *diag)
{
    static struct storage s;
    uint64_t *numbers = NULL;
    size_t n;
    int rv = 0;

    if (open_folder(&s, data_dir, index) && !is_in_use(data_dir, index))
        rv = storage_segments(&s, &numbers, &n, diag);
    if (rv == 0 && numbers != NULL) rv = journal_check_files(&s, numbers, n, diag);
    free(numbers);
    storage_look_end(&s);
    return rv;
}

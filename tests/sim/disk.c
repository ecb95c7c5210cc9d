/* SPDX-License-Identifier: BSD-2-Clause */
#include "sim/disk.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "node/journal.h"

static struct disk_file *folder_find(struct disk_folder *folder, uint64_t number)
{
    for (size_t i = 0; i < folder->count; i++)
        if (folder->files[i].number == number) return &folder->files[i];
    return NULL;
}

static struct disk_file *folder_add(struct disk_folder *folder, struct disk_file file)
{
    if (folder->count == folder->capacity) {
        folder->capacity = folder->capacity == 0 ? 8 : folder->capacity * 2;
        folder->files = realloc(folder->files, folder->capacity * sizeof *folder->files);
        assert(folder->files != NULL);
    }
    size_t at = folder->count++;
    while (at > 0 && folder->files[at - 1].number > file.number) {
        folder->files[at] = folder->files[at - 1];
        at--;
    }
    folder->files[at] = file;
    return &folder->files[at];
}

/* Remove files below `number`, oldest first, at most `n_max` of them. */
static void folder_remove_below(struct disk_folder *folder, uint64_t number, size_t n_max)
{
    size_t n = 0;
    while (n < folder->count && n < n_max && folder->files[n].number < number) {
        free(folder->files[n].data);
        n++;
    }
    folder->count -= n;
    memmove(folder->files, folder->files + n, folder->count * sizeof *folder->files);
}

static void folder_clear(struct disk_folder *folder)
{
    for (size_t i = 0; i < folder->count; i++) free(folder->files[i].data);
    free(folder->files);
    *folder = (struct disk_folder){0};
}

void disk_init(struct disk *disk, uint64_t segment_size, uint64_t trail_large)
{
    disk->segment_size = segment_size;
    disk->trail_large = trail_large;
}

static void forget_late(struct disk *disk)
{
    free(disk->late.data);
    disk->late = (struct disk_file){0};
}

/* Of two writes to one place the one that was begun last is there in the end: a process ends once
 * its writes have. */
static bool late_is_below(const struct disk *disk, const struct node_job *job)
{
    return disk->late.data != NULL && disk->late.number == job->number &&
           disk->late_place < job->place + job->data.size &&
           job->place < disk->late_place + disk->late.size;
}

void disk_begin(struct disk *disk, enum node_lane lane, const struct node_job *job)
{
    assert(!disk->busy[lane]);
    disk->busy[lane] = true;
    disk->job[lane] = *job;
    if (lane == NODE_LANE_JOURNAL && late_is_below(disk, job)) forget_late(disk);
}

/* One that was cut short is made anew. */
static void file_remake(struct disk_file *file, size_t size)
{
    free(file->data);
    file->data = calloc(1, size);
    file->size = file->capacity = size;
    file->acknowledged = 0;
    assert(file->data != NULL);
}

static struct disk_file *segment(struct disk *disk, uint64_t number)
{
    struct disk_file *file = folder_find(&disk->segments, number);
    if (file != NULL && file->size != disk->segment_size) file_remake(file, disk->segment_size);
    if (file != NULL) return file;
    struct disk_file made = disk->spare;
    disk->spare = (struct disk_file){0};
    if (made.size != disk->segment_size) file_remake(&made, disk->segment_size);
    made.number = number;
    made.acknowledged = 0;
    return folder_add(&disk->segments, made);
}

static void write_part(struct disk *disk, const struct node_job *job, size_t from, size_t size)
{
    struct disk_file *file = segment(disk, job->number);
    assert(job->place + job->data.size <= file->size && job->place % JOURNAL_BLOCK == 0);
    memcpy(file->data + job->place + from, job->data.data + from, size);
}

/* Old segments go; one of them is kept for the next. */
static void free_segments(struct disk *disk, uint64_t below, size_t n_max)
{
    struct disk_folder *folder = &disk->segments;
    bool keeps = disk->spare.data == NULL && n_max > 0 && folder->count > 0 &&
                 folder->files[0].number < below && !folder->files[0].unreadable &&
                 folder->files[0].size == disk->segment_size;
    if (keeps) {
        disk->spare = folder->files[0];
        folder->files[0].data = NULL;
    }
    folder_remove_below(folder, below, n_max);
}

/* Nothing is written there that was acknowledged since: a process ends once its writes have. */
static void late_arrives(struct disk *disk)
{
    if (disk->late.data == NULL || disk->late_after-- > 0) return;
    struct disk_file *file = folder_find(&disk->segments, disk->late.number);
    if (file != NULL && file->size == disk->segment_size &&
        file->acknowledged <= disk->late_place)
        memcpy(file->data + disk->late_place, disk->late.data, disk->late.size);
    forget_late(disk);
}

/* A segment that cannot be read is zeros. */
int disk_read(void *ctx, uint64_t number, uint64_t place, void *buffer, size_t size, size_t *got,
              struct vstamp_diag *diag)
{
    struct disk *disk = ctx;
    const struct disk_file *file = folder_find(&disk->segments, number);
    (void)diag;
    *got = 0;
    if (file == NULL || place >= file->size) return 0;
    *got = size < file->size - place ? size : (size_t)(file->size - place);
    if (file->unreadable) memset(buffer, 0, *got);
    else memcpy(buffer, file->data + place, *got);
    return 0;
}

static void check_journal(struct disk *disk, struct node_journal_check *check, struct node *node)
{
    const struct node_source source = {.ctx = disk, .read = disk_read};
    node_check_journal(check, &source);
    node_on_journal_checked(node, &check->found);
}

static void trail_append(struct disk *disk, struct bytes data)
{
    struct disk_file *trail = &disk->trail[DISK_TRAIL_NEWEST];
    if (trail->capacity < trail->size + data.size) {
        trail->capacity = 2 * (trail->size + data.size);
        trail->data = realloc(trail->data, trail->capacity);
        assert(trail->data != NULL);
    }
    if (data.size > 0) memcpy(trail->data + trail->size, data.data, data.size);
    trail->size += data.size;
}

static void trail_move(struct disk *disk, enum disk_trail from, enum disk_trail to)
{
    free(disk->trail[to].data);
    disk->trail[to] = disk->trail[from];
    disk->trail[from] = (struct disk_file){0};
}

static void store_trail(struct disk *disk, const struct node_job *job, struct node *node)
{
    const struct disk_file *newest = &disk->trail[DISK_TRAIL_NEWEST];
    trail_append(disk, job->data);
    switch ((enum trail_then)job->number) {
    case TRAIL_GOES_ON:
        if (newest->size >= disk->trail_large) node_on_large_trail(node, newest->size);
        break;
    case TRAIL_TURNS:
        trail_move(disk, DISK_TRAIL_NEWEST, DISK_TRAIL_BEFORE);
        break;
    case TRAIL_IS_KEPT:
        trail_move(disk, DISK_TRAIL_BEFORE, DISK_TRAIL_KEPT_BEFORE);
        trail_move(disk, DISK_TRAIL_NEWEST, DISK_TRAIL_KEPT);
        break;
    }
}

void disk_finish(struct disk *disk, enum node_lane lane, struct node *node)
{
    const struct node_job *job = &disk->job[lane];
    assert(disk->busy[lane]);
    disk->busy[lane] = false;
    switch (job->kind) {
    case NODE_JOB_APPEND:
        write_part(disk, job, 0, job->data.size);
        segment(disk, job->number)->acknowledged = job->place + job->data.size;
        disk->last_number = job->number;
        disk->last_place = job->place;
        disk->torn = false;
        late_arrives(disk);
        break;
    case NODE_JOB_CHECKPOINT_BEGIN:
        page_store_begin(&disk->pages, job->number);
        break;
    case NODE_JOB_CHECKPOINT_DATA:
        page_store_put(&disk->pages, job->data);
        break;
    case NODE_JOB_CHECKPOINT_END:
        page_store_commit(&disk->pages, job->data);
        free_segments(disk, job->number, SIZE_MAX);
        disk->aside = false;
        break;
    case NODE_JOB_CHECK:
        page_store_check(&disk->pages, job->number, node);
        break;
    case NODE_JOB_MEND:
        page_store_mend(&disk->pages, job->data);
        break;
    case NODE_JOB_CHECK_JOURNAL:
        check_journal(disk, job->check, node);
        break;
    case NODE_JOB_TRAIL:
        store_trail(disk, job, node);
        break;
    case NODE_JOB_KEEP:
        page_store_keep(&disk->pages, job->data);
        break;
    }
}

/* A block as a drive knows it, or less at the end of what may be damaged. */
#define BLOCK 512u

/* An append is lost whole, or its segment is there without it, or some of its sectors are: the
 * first, the last, any; or all arrived and only the answer is missing. */
static void append_torn(struct disk *disk, const struct node_job *job, struct prng *prng)
{
    if (prng_chance(prng, 1, 4)) return;
    size_t n = job->data.size / BLOCK;
    size_t from = 0, to = n;
    uint64_t keeps = prng_below(prng, 4); /* of 4 */
    if (prng_chance(prng, 1, 4)) keeps = 4;
    if (prng_chance(prng, 1, 3)) to = (size_t)prng_below(prng, n + 1);
    else if (prng_chance(prng, 1, 3)) from = (size_t)prng_below(prng, n + 1);
    segment(disk, job->number);
    for (size_t i = from; i < to; i++)
        if (prng_chance(prng, keeps, 4)) write_part(disk, job, i * BLOCK, BLOCK);
}

void disk_delay(struct disk *disk, struct prng *prng)
{
    const struct node_job *job = &disk->job[NODE_LANE_JOURNAL];
    if (!disk->busy[NODE_LANE_JOURNAL]) return;
    forget_late(disk);
    file_remake(&disk->late, job->data.size);
    memcpy(disk->late.data, job->data.data, job->data.size);
    disk->late.number = job->number;
    disk->late_place = job->place;
    disk->late_after = prng_below(prng, 4);
}

void disk_crash(struct disk *disk, struct prng *prng)
{
    for (int lane = 0; lane < NODE_LANES; lane++) {
        const struct node_job *job = &disk->job[lane];
        if (!disk->busy[lane]) continue;
        disk->busy[lane] = false;
        if (job->kind == NODE_JOB_APPEND) append_torn(disk, job, prng);
        if (job->kind == NODE_JOB_KEEP) page_store_keep(&disk->pages, job->data);
        if (job->kind == NODE_JOB_TRAIL)
            trail_append(disk, (struct bytes){job->data.data,
                                              (size_t)prng_below(prng, job->data.size + 1)});
        disk->torn = disk->torn || job->kind == NODE_JOB_APPEND;
        if (job->kind == NODE_JOB_CHECKPOINT_END && prng_chance(prng, 1, 2)) {
            page_store_commit(&disk->pages, job->data);
            free_segments(disk, job->number, (size_t)prng_below(prng, 4));
        }
    }
    page_store_abort(&disk->pages);
    page_store_keep_less(&disk->pages, prng);
}

void disk_crash_after_commit(struct disk *disk)
{
    const struct node_job *job = &disk->job[NODE_LANE_CHECKPOINT];
    assert(disk->busy[NODE_LANE_CHECKPOINT] && job->kind == NODE_JOB_CHECKPOINT_END);
    disk->busy[NODE_LANE_CHECKPOINT] = false;
    page_store_commit(&disk->pages, job->data);
}

static const char *block_damage(struct disk_file *file, size_t size, struct prng *prng)
{
    size_t at = (size_t)prng_below(prng, size);
    size_t from = at / BLOCK * BLOCK, n = size - from < BLOCK ? size - from : BLOCK;
    switch (prng_below(prng, 3)) {
    case 0:
        file->data[at] ^= (uint8_t)(1u << prng_below(prng, 8));
        return "a bit flipped";
    case 1:
        memset(file->data + from, 0, n);
        return "a write was lost";
    default: /* what belongs there was written elsewhere, over what belongs there */
        memmove(file->data + from, file->data + (size_t)prng_below(prng, size - n + 1), n);
        return "a write went to the wrong place";
    }
}

/* Up to where anything of the file may be damaged. */
static size_t damageable(const struct disk *disk, const struct disk_file *file)
{
    if (file->number < disk->last_number) return file->size;
    return file->number == disk->last_number ? disk->last_place : 0;
}

/* Of a segment mostly the beginning is in use. */
static size_t likely_place(size_t size, struct prng *prng)
{
    if (prng_chance(prng, 1, 2) && size > 16 * JOURNAL_BLOCK) size = 16 * JOURNAL_BLOCK;
    return size;
}

const char *disk_damage(struct disk *disk, struct prng *prng)
{
    struct disk_folder *folder = &disk->segments;
    if (prng_chance(prng, 1, 3)) return page_store_damage(&disk->pages, prng);
    if (folder->count == 0) return NULL;
    size_t which = (size_t)prng_below(prng, folder->count);
    struct disk_file *file = &folder->files[which];
    size_t size = damageable(disk, file);
    if (size == file->size && prng_chance(prng, 1, 4)) {
        free(file->data);
        folder->count--;
        memmove(file, file + 1, (folder->count - which) * sizeof *file);
        return "a file is missing";
    }
    if (size == file->size && prng_chance(prng, 1, 4)) {
        file->size = (size_t)prng_below(prng, likely_place(size, prng));
        return "a file is cut short";
    }
    if (size == file->size && prng_chance(prng, 1, 8)) {
        file->unreadable = true;
        return "a file cannot be read";
    }
    return size > 0 ? block_damage(file, likely_place(size, prng), prng) : NULL;
}

/* What is behind the last byte that is not zero fills a block up, and tells nothing. */
static bool flip_in_block(uint8_t *block, struct prng *prng)
{
    size_t size = JOURNAL_BLOCK;
    while (size > 0 && block[size - 1] == 0) size--;
    if (size == 0) return false;
    uint8_t bit = (uint8_t)(1u << prng_below(prng, 8));
    block[prng_below(prng, size)] ^= bit;
    return true;
}

bool disk_lose_last(struct disk *disk, struct prng *prng)
{
    struct disk_file *file = folder_find(&disk->segments, disk->last_number);
    if (disk->torn || file == NULL || file->acknowledged <= disk->last_place) return false;
    if (disk->last_place == 0 && disk->pages.number == disk->last_number)
        return false; /* a checkpoint stands on it: that it is gone is seen, and all is lost */
    size_t size = file->acknowledged - (size_t)disk->last_place;
    uint8_t *at = file->data + disk->last_place;
    if (prng_chance(prng, 1, 3)) memset(at, 0, size);
    else if (!flip_in_block(at + prng_below(prng, size / JOURNAL_BLOCK) * JOURNAL_BLOCK, prng))
        return false;
    file->acknowledged = (size_t)disk->last_place;
    return true;
}

uint64_t disk_rot(struct disk *disk, struct prng *prng)
{
    struct disk_folder *folder = &disk->segments;
    if (folder->count == 0) return 0;
    struct disk_file *file = &folder->files[prng_below(prng, folder->count)];
    size_t size = file->number == disk->last_number ? disk->last_place : file->acknowledged;
    if (file->number < disk->pages.number || size == 0) return 0;
    if (file->number < disk->last_number && prng_chance(prng, 1, 8)) {
        file->unreadable = true;
        return file->number;
    }
    uint64_t block = prng_below(prng, size / JOURNAL_BLOCK);
    bool any = flip_in_block(file->data + block * JOURNAL_BLOCK, prng);
    return any ? file->number : 0;
}

void disk_flip(struct disk *disk, uint64_t number, uint64_t place, uint8_t bits)
{
    struct disk_file *file = folder_find(&disk->segments, number);
    assert(file != NULL && place < file->size);
    file->data[place] ^= bits;
}

void disk_wipe(struct disk *disk)
{
    folder_clear(&disk->segments);
    page_store_wipe(&disk->pages);
    free(disk->spare.data);
    free(disk->late.data);
    for (int i = 0; i < DISK_TRAILS; i++) free(disk->trail[i].data);
    *disk = (struct disk){.segment_size = disk->segment_size, .trail_large = disk->trail_large};
}

static void forget_spare(struct disk *disk)
{
    free(disk->spare.data);
    disk->spare = (struct disk_file){0};
}

static void folder_copy(struct disk_folder *to, const struct disk_folder *from)
{
    folder_clear(to);
    for (size_t i = 0; i < from->count; i++) {
        const struct disk_file *file = &from->files[i];
        struct disk_file copy = {.number = file->number, .unreadable = file->unreadable};
        file_remake(&copy, file->size);
        copy.acknowledged = file->acknowledged;
        memcpy(copy.data, file->data, file->size);
        folder_add(to, copy);
    }
}

void disk_copy(struct disk *to, const struct disk *from)
{
    folder_copy(&to->segments, &from->segments);
    page_store_wipe(&to->pages);
    to->pages = page_store_copy(&from->pages);
    to->aside = from->aside;
    to->segment_size = from->segment_size;
    to->last_number = from->last_number;
    to->last_place = from->last_place;
    to->torn = from->torn;
    forget_spare(to);
    forget_late(to);
}

bool disk_is_empty(const struct disk *disk)
{
    return disk->segments.count == 0 && disk->pages.number == 0 && !disk->aside;
}

static int restore_files(struct disk *disk, struct node *node, struct vstamp_diag *diag)
{
    int rv = page_store_restore(&disk->pages, node, diag);
    if (rv == 0) {
        const struct disk_folder *f = &disk->segments;
        const struct node_source source = {.ctx = disk, .read = disk_read};
        uint64_t number;
        rv = node_restore_journal(node, f->count > 0 ? f->files[0].number : 0,
                                  f->count > 0 ? f->files[f->count - 1].number : 0, &source,
                                  &number, diag);
    }
    return rv == 0 ? node_restore_done(node, diag) : rv;
}

int disk_restore(struct disk *disk, struct node *node, bool *lost, struct vstamp_diag *diag)
{
    int rv = restore_files(disk, node, diag);
    if (rv == 0 && disk->aside && node_is_blank(node)) {
        vstamp_diag_printf(diag, "damaged at a former start");
        rv = VSTAMP_E_CORRUPT;
    }
    *lost = rv == VSTAMP_E_CORRUPT && node_restore_give_up(node);
    if (rv == 0) page_store_restore_kept(&disk->pages, node);
    if (!*lost) return rv;
    folder_clear(&disk->segments);
    forget_spare(disk);
    forget_late(disk);
    page_store_wipe(&disk->pages);
    disk->aside = true;
    return 0;
}

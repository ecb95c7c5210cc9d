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

static void file_append(struct disk_file *file, const uint8_t *data, size_t size)
{
    if (size == 0) return;
    if (file->size + size > file->capacity) {
        file->capacity = (file->size + size) * 2;
        file->data = realloc(file->data, file->capacity);
        assert(file->data != NULL);
    }
    memcpy(file->data + file->size, data, size);
    file->size += size;
}

void disk_begin(struct disk *disk, enum node_lane lane, const struct node_job *job)
{
    assert(!disk->busy[lane]);
    disk->busy[lane] = true;
    disk->job[lane] = *job;
}

static struct disk_file *append(struct disk *disk, const struct node_job *job, size_t size)
{
    struct disk_file *file = folder_find(&disk->segments, job->number);
    if (file == NULL)
        file = folder_add(&disk->segments, (struct disk_file){.number = job->number});
    file_append(file, job->data.data, size);
    return file;
}

void disk_finish(struct disk *disk, enum node_lane lane, struct node *node)
{
    const struct node_job *job = &disk->job[lane];
    struct disk_file *file;
    assert(disk->busy[lane]);
    disk->busy[lane] = false;
    switch (job->kind) {
    case NODE_JOB_APPEND:
        file = append(disk, job, job->data.size);
        file->last = file->size - job->data.size;
        break;
    case NODE_JOB_CHECKPOINT_BEGIN:
        page_store_begin(&disk->pages, job->number);
        break;
    case NODE_JOB_CHECKPOINT_DATA:
        page_store_put(&disk->pages, job->data);
        break;
    case NODE_JOB_CHECKPOINT_END:
        page_store_commit(&disk->pages, job->data);
        folder_remove_below(&disk->segments, job->number, SIZE_MAX);
        disk->aside = false;
        break;
    case NODE_JOB_CHECK:
        page_store_check(&disk->pages, job->number, node);
        break;
    case NODE_JOB_MEND:
        page_store_mend(&disk->pages, job->data);
        break;
    }
}

/* An append is lost whole, or its segment is there without content, or a prefix is; or it all
 * arrived and only the answer is missing. */
static void append_torn(struct disk *disk, const struct node_job *job, struct prng *prng)
{
    if (prng_chance(prng, 1, 4)) return;
    size_t size = job->data.size;
    if (!prng_chance(prng, 1, 4)) size = (size_t)prng_below(prng, size + 1);
    append(disk, job, size);
}

void disk_crash(struct disk *disk, struct prng *prng)
{
    for (int lane = 0; lane < NODE_LANES; lane++) {
        const struct node_job *job = &disk->job[lane];
        if (!disk->busy[lane]) continue;
        disk->busy[lane] = false;
        if (job->kind == NODE_JOB_APPEND) append_torn(disk, job, prng);
        if (job->kind == NODE_JOB_CHECKPOINT_END && prng_chance(prng, 1, 2)) {
            page_store_commit(&disk->pages, job->data);
            folder_remove_below(&disk->segments, job->number, (size_t)prng_below(prng, 4));
        }
    }
    page_store_abort(&disk->pages);
}

void disk_crash_after_commit(struct disk *disk)
{
    const struct node_job *job = &disk->job[NODE_LANE_CHECKPOINT];
    assert(disk->busy[NODE_LANE_CHECKPOINT] && job->kind == NODE_JOB_CHECKPOINT_END);
    disk->busy[NODE_LANE_CHECKPOINT] = false;
    page_store_commit(&disk->pages, job->data);
}

/* A block as a drive knows it, or less at the end of what may be damaged. */
#define BLOCK 512u

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

/* Anywhere, or between two records. */
static size_t cut_place(const struct disk_file *file, struct prng *prng)
{
    size_t at = (size_t)prng_below(prng, file->size);
    if (prng_chance(prng, 1, 2)) return at;
    struct journal_reader r = {.file = {file->data, file->size}, .number = file->number};
    enum journal_kind kind;
    struct bytes body;
    size_t end = 0;
    while (journal_next(&r, &kind, &body) == JOURNAL_RECORD && r.place <= at) end = r.place;
    return end;
}

const char *disk_damage(struct disk *disk, struct prng *prng)
{
    struct disk_folder *folder = &disk->segments;
    if (prng_chance(prng, 1, 3)) return page_store_damage(&disk->pages, prng);
    if (folder->count == 0) return NULL;
    size_t which = (size_t)prng_below(prng, folder->count);
    struct disk_file *file = &folder->files[which];
    bool newest_segment = which + 1 == folder->count;
    size_t size = newest_segment ? file->last : file->size;
    if (!newest_segment && prng_chance(prng, 1, 4)) {
        free(file->data);
        folder->count--;
        memmove(file, file + 1, (folder->count - which) * sizeof *file);
        return "a file is missing";
    }
    if (!newest_segment && prng_chance(prng, 1, 4)) {
        file->size = cut_place(file, prng);
        return "a file is cut short";
    }
    if (prng_chance(prng, 1, 8)) {
        file->unreadable = true;
        return "a file cannot be read";
    }
    return size > 0 ? block_damage(file, size, prng) : NULL;
}

void disk_wipe(struct disk *disk)
{
    folder_clear(&disk->segments);
    page_store_wipe(&disk->pages);
    *disk = (struct disk){0};
}

static void folder_copy(struct disk_folder *to, const struct disk_folder *from)
{
    folder_clear(to);
    for (size_t i = 0; i < from->count; i++) {
        const struct disk_file *file = &from->files[i];
        struct disk_file copy = {.number = file->number, .last = file->last,
                                 .unreadable = file->unreadable};
        file_append(&copy, file->data, file->size);
        folder_add(to, copy);
    }
}

void disk_copy(struct disk *to, const struct disk *from)
{
    folder_copy(&to->segments, &from->segments);
    to->pages = page_store_copy(&from->pages);
    to->aside = from->aside;
}

bool disk_is_empty(const struct disk *disk)
{
    return disk->segments.count == 0 && disk->pages.number == 0 && !disk->aside;
}

static int read_file(const struct disk_file *file, struct bytes *content, struct vstamp_diag *diag)
{
    *content = (struct bytes){file->data, file->size};
    if (!file->unreadable) return 0;
    vstamp_diag_printf(diag, "a read failed");
    return VSTAMP_E_CORRUPT;
}

static int restore_files(struct disk *disk, struct node *node, struct vstamp_diag *diag)
{
    int rv = page_store_restore(&disk->pages, node, diag);
    struct bytes content;
    for (size_t i = 0; rv == 0 && i < disk->segments.count; i++) {
        struct disk_file *file = &disk->segments.files[i];
        bool newest = i + 1 == disk->segments.count;
        size_t valid_size = file->size;
        rv = read_file(file, &content, diag);
        if (rv == 0)
            rv = node_restore_journal(node, file->number, content, newest, &valid_size, diag);
        if (rv != 0 || !newest) continue;
        assert(valid_size <= file->size);
        file->size = valid_size;
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
    if (!*lost) return rv;
    folder_clear(&disk->segments);
    page_store_wipe(&disk->pages);
    disk->aside = true;
    return 0;
}

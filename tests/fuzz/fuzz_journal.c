/* SPDX-License-Identifier: BSD-2-Clause */
/* A replica's files, damaged, and a start from them.
 *
 * The files are sound ones, written by a node that lived through something; the input's first byte
 * says through what.  The second says how they are damaged:
 *
 *   by bytes    changed, cut off, lost files: what disks do.  A start from them either fails,
 *               with a sentence, or is a sound one; and it fails if only bytes were changed, and a
 *               record behind them is still what it was
 *   by records  changed, left out, repeated, in another order, and each with a checksum that is
 *               right for its place: what no disk does.  Whatever they say, a start from them fails
 *               or is a sound one
 *
 * A sound start is one after which the node runs: timers, peers, operations, another start. */
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/checksum.h"
#include "fuzz/fuzz.h"
#include "fuzz/stage.h"
#include "node/journal.h"

#define HISTORIES 6u
#define RECORDS_MAX 200u
#define FILE_MAX (128u << 10)
#define RECORD_HEADER 16u /* journal.h draws it */

const unsigned fuzz_copies = 60;

/* --- sound files -------------------------------------------------------------------------- */

static void live_through(struct stage *s, unsigned history)
{
    struct vstamp_diag diag = {0};
    uint8_t form = history % 3 == 0 ? 1 : 3;
    s->forge.in = &s->in;
    stage_open(s, s->in, form, history % 3 == 2 ? 0 : form - 1, true);
    int rv = stage_start(s, &diag);
    if (form > 1) stage_form(s);
    stage_finish_jobs(s);
    stage_grow(s, 3);
    stage_finish_jobs(s);
    if (history >= 3) stage_grow(s, 16); /* checkpoints */
    stage_finish_jobs(s);
    if (history >= 3) rv |= stage_start(s, &diag); /* a second segment */
    for (int i = 0; i < 4; i++) stage_until_next_timer(s);
    stage_finish_jobs(s);
    stage_grow(s, 3);
    stage_finish_jobs(s);
    assert(rv == 0 && s->disk.segments.count > 0);
}

/* The disk as it was after a history; made once. */
static const struct disk *files_of(unsigned history)
{
    static struct disk made[HISTORIES];
    static struct stage s;
    static uint8_t choices[4096];
    if (made[history].segments.count > 0) return &made[history];
    struct prng prng;
    prng_seed(&prng, history);
    for (size_t i = 0; i < sizeof choices; i++) choices[i] = (uint8_t)prng_below(&prng, 208);
    s.in = reader_over(choices, sizeof choices);
    live_through(&s, history);
    made[history] = s.disk;
    return &made[history];
}

static struct disk_folder copy_folder(const struct disk_folder *from)
{
    struct disk_folder copy = {.count = from->count, .capacity = from->count};
    if (from->count == 0) return copy;
    copy.files = malloc(from->count * sizeof *copy.files);
    assert(copy.files != NULL);
    for (size_t i = 0; i < from->count; i++) {
        copy.files[i] = from->files[i];
        copy.files[i].data = malloc(FILE_MAX);
        copy.files[i].capacity = FILE_MAX;
        assert(copy.files[i].data != NULL && from->files[i].size <= FILE_MAX);
        memcpy(copy.files[i].data, from->files[i].data, from->files[i].size);
    }
    return copy;
}

/* --- damage by bytes ---------------------------------------------------------------------- */

/* Where the newest record begins that is as it was written. */
static size_t newest_sound_record(const struct disk_file *now, const struct disk_file *written)
{
    struct journal_reader r = {.file = {written->data, written->size}, .number = written->number};
    enum journal_kind kind;
    struct bytes body;
    size_t newest = 0;
    while (r.place < written->size) {
        size_t place = r.place;
        enum journal_status status = journal_next(&r, &kind, &body);
        assert(status == JOURNAL_RECORD);
        if (memcmp(now->data + place, written->data + place, r.place - place) == 0) newest = place;
    }
    return newest;
}

struct damage {
    bool only_changed;
    bool before_newest; /* something differs before the newest sound record of all */
};

static struct disk_file *choose_file(struct stage *s)
{
    struct disk_folder *folder = &s->disk.segments;
    uint8_t which = read_u8(&s->in);
    return folder->count > 0 ? &folder->files[which % folder->count] : NULL;
}

static void change_pages(struct stage *s, struct damage *d)
{
    uint8_t how = read_u8(&s->in);
    size_t at = read_u32(&s->in);
    struct page_store *pages = &s->disk.pages;
    if (how >= 240) {
        d->only_changed = false;
        page_store_wipe(pages);
    } else if (how >= 208 && pages->n_pages > 0) {
        d->only_changed = false;
        pages->pages[at % pages->n_pages].present = false;
    } else {
        page_store_flip(pages, at, (uint8_t)(how == 0 ? 1 : how));
    }
}

static void lose(struct disk_folder *folder, struct disk_file *file)
{
    size_t at = (size_t)(file - folder->files);
    free(file->data);
    folder->count--;
    memmove(file, file + 1, (folder->count - at) * sizeof *file);
}

static void change_bytes(struct stage *s, struct damage *d)
{
    if (read_u8(&s->in) % 4 == 0) {
        change_pages(s, d);
        return;
    }
    struct disk_file *file = choose_file(s);
    uint8_t how = read_u8(&s->in);
    if (file == NULL || file->size == 0) return;
    size_t at = read_u16(&s->in) % file->size;
    if (how >= 240) {
        d->only_changed = false;
        lose(&s->disk.segments, file);
    } else if (how >= 208) {
        d->only_changed = false;
        file->size = at;
    } else if (how >= 200) { /* what a disk may hold behind the end of a file */
        d->only_changed = false;
        memset(file->data + file->size, how & 1 ? 0 : 0xff, 64);
        file->size += 64;
    } else {
        file->data[at] ^= (uint8_t)(how == 0 ? 1 : how);
    }
}

static bool same_pages(const struct page_store *a, const struct page_store *b)
{
    if (a->head_size > 0 && memcmp(a->head, b->head, b->head_size) != 0) return false;
    for (uint32_t i = 0; i < b->n_pages; i++) {
        const struct stored_page *x = &a->pages[i], *y = &b->pages[i];
        if (y->present && (x->checksum != y->checksum ||
                           memcmp(x->content, y->content, VSTAMP_PAGE_SIZE) != 0))
            return false;
    }
    return true;
}

static bool damaged_before_newest(const struct disk *now, const struct disk *written)
{
    const struct disk_file *newest = &written->segments.files[written->segments.count - 1];
    if (!same_pages(&now->pages, &written->pages)) return true;
    for (size_t i = 0; i < now->segments.count; i++) {
        const struct disk_file *a = &now->segments.files[i], *b = &written->segments.files[i];
        size_t checked = b == newest ? newest_sound_record(a, b) : b->size;
        if (memcmp(a->data, b->data, checked) != 0) return true;
    }
    return false;
}

/* --- damage by records -------------------------------------------------------------------- */

struct record {
    uint32_t kind;
    struct bytes body;
};

static size_t take_apart(const struct disk_file *file, struct record records[static RECORDS_MAX])
{
    struct journal_reader r = {.file = {file->data, file->size}, .number = file->number};
    enum journal_kind kind;
    struct bytes body;
    size_t n = 0;
    while (n < RECORDS_MAX && journal_next(&r, &kind, &body) == JOURNAL_RECORD)
        records[n++] = (struct record){kind, body};
    return n;
}

/* As journal_put does it, but for any kind and any body. */
static void put_record(struct writer *w, uint64_t number, const struct record *record)
{
    uint8_t seed_bytes[24];
    struct writer seed = writer_over(seed_bytes, sizeof seed_bytes);
    size_t padded = (record->body.size + 7) / 8 * 8;
    if (w->capacity - w->size < RECORD_HEADER + padded) return;
    write_u64(&seed, number);
    write_u64(&seed, w->size);
    write_u32(&seed, record->kind);
    write_u32(&seed, (uint32_t)record->body.size);
    write_u32(w, (uint32_t)record->body.size);
    write_u32(w, record->kind);
    write_u64(w, checksum64_seeded(record->body.data, record->body.size,
                                   checksum64(seed_bytes, seed.size)));
    write_raw(w, record->body.data, record->body.size);
    while (w->size % 8 != 0) write_u8(w, 0);
}

/* A number of the body takes another value that is near, or means something. */
static void change_body(struct stage *s, struct record *record)
{
    static uint8_t bodies[16][8192];
    uint8_t which = read_u8(&s->in), how = read_u8(&s->in);
    struct bytes *b = &record->body;
    if (b->size < 8 || b->size > sizeof bodies[0]) return;
    uint8_t *copy = bodies[which % 16];
    if (b->data != copy) memcpy(copy, b->data, b->size);
    b->data = copy;
    size_t at = read_u16(&s->in) % (b->size < 256 ? b->size - 7 : 256);
    struct reader old = reader_over(copy + at, 8);
    const uint64_t values[] = {0, 1, UINT64_MAX, UINT64_C(1) << 62, UINT64_C(1) << 63, 7};
    uint64_t value = how % 16 < 6 ? values[how % 16] : read_u64(&old) + how % 16 - 10;
    struct writer w = writer_over(copy + at, 8);
    if (how < 64) write_u8(&w, (uint8_t)value);
    else if (how < 128) write_u32(&w, (uint32_t)value);
    else write_u64(&w, value);
    if (how >= 250) b->size -= how - 249u;
}

static void change_records(struct stage *s)
{
    static struct record records[RECORDS_MAX];
    static uint8_t made[FILE_MAX];
    struct disk_file *file = choose_file(s);
    if (file == NULL) return;
    size_t n = take_apart(file, records);
    for (uint8_t edits = read_u8(&s->in) % 4 + 1; edits > 0 && n > 0 && s->in.ok; edits--) {
        uint8_t how = read_u8(&s->in);
        size_t at = read_u8(&s->in) % n, other = read_u8(&s->in) % n;
        struct record swapped = records[at];
        switch (how % 8) {
        case 0: memmove(&records[at], &records[at + 1], (--n - at) * sizeof *records); break;
        case 1: records[at] = records[other]; break;
        case 2: records[at] = records[other], records[other] = swapped; break;
        case 3: n = at + 1; break;
        case 4: records[at].kind = how / 8 % 8; break;
        default: change_body(s, &records[at]);
        }
    }
    struct writer w = writer_over(made, sizeof made);
    for (size_t i = 0; i < n; i++) put_record(&w, file->number, &records[i]);
    memcpy(file->data, made, w.size);
    file->size = w.size;
}

/* --- the start ---------------------------------------------------------------------------- */

static void run(struct stage *s)
{
    struct vstamp_diag diag = {0};
    struct node_status status;
    for (int i = 0; i < 6; i++) {
        stage_finish_jobs(s);
        stage_until_next_timer(s);
    }
    stage_grow(s, 12);
    stage_acknowledge(s);
    node_status(s->node, &status);
    stage_finish_jobs(s);
    int rv = stage_start(s, &diag); /* what it has made of them can be read back */
    assert(rv == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct stage s;
    struct reader in = reader_over(data, size);
    struct vstamp_diag diag = {0};
    struct damage damage = {.only_changed = true};
    unsigned history = read_u8(&in) % HISTORIES;
    bool by_records = read_u8(&in) % 2 != 0;
    const struct disk *written = files_of(history);
    uint8_t n_replicas = history % 3 == 0 ? 1 : 3;
    stage_open(&s, in, n_replicas, history % 3 == 2 ? 0 : n_replicas - 1, true);
    s.life = 100;
    s.disk.segments = copy_folder(&written->segments);
    s.disk.pages = page_store_copy(&written->pages);
    while (s.in.ok && s.in.left > 0) {
        if (by_records) change_records(&s);
        else change_bytes(&s, &damage);
    }
    if (!by_records && damage.only_changed) {
        damage.before_newest = damaged_before_newest(&s.disk, written);
    }
    int rv = stage_start(&s, &diag);
    assert(rv == 0 || diag.text[0] != '\0');
    assert(rv != 0 || s.lost || !damage.before_newest);
    s.in = reader_over(data, size); /* for what the peers and clients say */
    if (rv == 0) run(&s);
    disk_wipe(&s.disk);
    return 0;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* A replica's files, damaged, and a start from them.
 *
 * The files are sound ones, written by a node that lived through something; the input's first byte
 * says through what.  The second says how they are damaged:
 *
 *   by bytes    changed, cut off, lost files: what disks do.  A start from them either fails,
 *               with a sentence, or is a sound one; and it knows all that the disk held if only
 *               bytes were changed, before the last batch
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
#define FILE_MAX (512u << 10)

const char fuzz_aim[] = "a node starts from the files";
unsigned long fuzz_hits;
const unsigned fuzz_copies = 20;

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

/* What a start knows. */
struct memory {
    uint64_t op, commit, view;
    struct vstamp_id last;
};

static struct memory memory_of(const struct stage *s)
{
    const struct vr *vr = &s->node->vr;
    return (struct memory){vr->log.op, vr->commit, vr->view, log_last(&vr->log)->checksum};
}

static bool same_memory(const struct memory *a, const struct memory *b)
{
    return a->op == b->op && a->commit == b->commit && a->view == b->view &&
           vstamp_id_equal(a->last, b->last);
}

struct history {
    struct disk disk;     /* as it was after it */
    struct memory memory; /* of a start from there */
};

/* Each is made once. */
static const struct history *history_of(unsigned number)
{
    static struct history made[HISTORIES];
    static struct stage s;
    static uint8_t choices[4096];
    struct history *h = &made[number];
    struct vstamp_diag diag = {0};
    if (h->disk.segments.count > 0) return h;
    struct prng prng;
    prng_seed(&prng, number);
    for (size_t i = 0; i < sizeof choices; i++) choices[i] = (uint8_t)prng_below(&prng, 208);
    s.in = reader_over(choices, sizeof choices);
    live_through(&s, number);
    h->disk = s.disk;
    int rv = stage_restore(&s, &diag);
    assert(rv == 0);
    h->memory = memory_of(&s);
    return h;
}

static struct disk_folder copy_folder(const struct disk_folder *from)
{
    struct disk_folder copy = {.count = from->count, .capacity = from->count};
    if (from->count == 0) return copy;
    copy.files = malloc(from->count * sizeof *copy.files);
    assert(copy.files != NULL);
    for (size_t i = 0; i < from->count; i++) {
        copy.files[i] = from->files[i];
        copy.files[i].data = calloc(1, FILE_MAX);
        copy.files[i].capacity = FILE_MAX;
        assert(copy.files[i].data != NULL && from->files[i].size <= FILE_MAX - 64);
        memcpy(copy.files[i].data, from->files[i].data, from->files[i].size);
    }
    return copy;
}

/* --- damage by bytes ---------------------------------------------------------------------- */

static struct disk_file *choose_file(struct stage *s)
{
    struct disk_folder *folder = &s->disk.segments;
    uint8_t which = read_u8(&s->in);
    return folder->count > 0 ? &folder->files[which % folder->count] : NULL;
}

static void change_pages(struct stage *s, bool *only_changed)
{
    uint8_t how = read_u8(&s->in);
    size_t at = read_u32(&s->in);
    struct page_store *pages = &s->disk.pages;
    if (how >= 240) {
        *only_changed = false;
        page_store_wipe(pages);
    } else if (how >= 208 && pages->n_pages > 0) {
        *only_changed = false;
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

static void change_bytes(struct stage *s, bool *only_changed)
{
    if (read_u8(&s->in) % 4 == 0) {
        change_pages(s, only_changed);
        return;
    }
    struct disk_file *file = choose_file(s);
    uint8_t how = read_u8(&s->in);
    if (file == NULL || file->size == 0) return;
    size_t at = read_u16(&s->in) % file->size; /* the rest of a segment is zeros */
    if (how >= 240) {
        *only_changed = false;
        lose(&s->disk.segments, file);
    } else if (how >= 208) {
        *only_changed = false;
        file->size = at;
    } else if (how >= 200) { /* what a disk may hold behind the end of a file */
        *only_changed = false;
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

/* Is the batch that was written last what it was? */
static bool last_is_whole(const struct disk *now, const struct disk *written)
{
    for (size_t i = 0; i < written->segments.count; i++) {
        const struct disk_file *a = &now->segments.files[i], *b = &written->segments.files[i];
        size_t from = b->number == written->last_number ? (size_t)written->last_place : b->size;
        if (memcmp(a->data + from, b->data + from, b->size - from) != 0) return false;
    }
    return true;
}

/* --- damage by records -------------------------------------------------------------------- */

struct record {
    uint32_t kind;
    struct bytes body;
};

/* The records of a segment: each batch's head, and what is behind it. */
static size_t take_apart(const struct disk_file *file, struct record records[static RECORDS_MAX])
{
    struct journal_reader r = {.file = {file->data, file->size}, .number = file->number};
    enum journal_kind kind;
    struct bytes body;
    struct wire_batch_head head;
    size_t n = 0;
    while (n < RECORDS_MAX && journal_next(&r, &kind, &body) == JOURNAL_RECORD) {
        records[n++] = (struct record){kind, body};
        if (wire_decode(&wire_shape_batch_head, body, &head) != 0) continue;
        size_t at = (size_t)r.base + r.place - journal_record_size(&wire_shape_batch_head, &head);
        struct journal_reader inner = {
            .file = {file->data + at, (size_t)head.size},
            .number = journal_batch_identity(head.life, head.sequence),
            .place = journal_record_size(&wire_shape_batch_head, &head)};
        while (n < RECORDS_MAX && journal_next(&inner, &kind, &body) == JOURNAL_RECORD)
            records[n++] = (struct record){kind, body};
        r.place = (at + (size_t)head.size + JOURNAL_BLOCK - 1) / JOURNAL_BLOCK * JOURNAL_BLOCK;
    }
    return n;
}

/* As journal_put does it, but for any kind and any body. */
static void put_record(struct writer *w, uint64_t number, uint64_t place,
                       const struct record *record)
{
    uint8_t seed_bytes[24];
    struct writer seed = writer_over(seed_bytes, sizeof seed_bytes);
    size_t padded = (record->body.size + 7) / 8 * 8;
    if (w->capacity - w->size < JOURNAL_HEADER_SIZE + padded) return;
    write_u64(&seed, number);
    write_u64(&seed, place);
    write_u32(&seed, record->kind);
    write_u32(&seed, (uint32_t)record->body.size);
    write_u32(w, (uint32_t)record->body.size);
    write_u32(w, record->kind);
    write_u64(w, checksum64_seeded(record->body.data, record->body.size,
                                   checksum64(seed_bytes, seed.size)));
    write_raw(w, record->body.data, record->body.size);
    while (w->size % 8 != 0) write_u8(w, 0);
}

static void put_head(struct writer *w, uint64_t number, size_t at, const struct record *record)
{
    struct writer over = writer_over(w->start + at, w->capacity - at);
    struct wire_batch_head head;
    if (wire_decode(&wire_shape_batch_head, record->body, &head) != 0) {
        put_record(&over, number, at, record);
        return;
    }
    head.size = w->size - at;
    journal_put(&over, number, at, JOURNAL_BATCH, &wire_shape_batch_head, &head);
}

/* A batch: its head comes last, when its size is known; returns the record behind it. */
static size_t put_batch(struct writer *w, uint64_t number, const struct record *records, size_t i,
                        size_t n)
{
    size_t at = w->size, first = i;
    struct wire_batch_head head = {0};
    wire_decode(&wire_shape_batch_head, records[i].body, &head);
    put_record(w, number, at, &records[i]);
    for (i++; i < n && records[i].kind != JOURNAL_BATCH; i++) {
        put_record(w, journal_batch_identity(head.life, head.sequence), w->size - at, &records[i]);
    }
    put_head(w, number, at, &records[first]);
    while (w->ok && w->size % JOURNAL_BLOCK != 0) write_u8(w, 0);
    return i;
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
        case 4: records[at].kind = how / 8 % 10; break;
        default: change_body(s, &records[at]);
        }
    }
    struct writer w = writer_over(made, sizeof made - 64);
    for (size_t i = 0; i < n;) i = put_batch(&w, file->number, records, i, n);
    memcpy(file->data, made, w.size);
    if (w.size < file->size) memset(file->data + w.size, 0, file->size - w.size);
    else file->size = w.size;
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
    bool only_changed = true;
    unsigned history = read_u8(&in) % HISTORIES;
    bool by_records = read_u8(&in) % 2 != 0;
    const struct history *lived = history_of(history);
    const struct disk *written = &lived->disk;
    uint8_t n_replicas = history % 3 == 0 ? 1 : 3;
    stage_open(&s, in, n_replicas, history % 3 == 2 ? 0 : n_replicas - 1, true);
    s.life = 100;
    s.disk.segments = copy_folder(&written->segments);
    s.disk.pages = page_store_copy(&written->pages);
    s.disk.last_number = written->last_number;
    s.disk.last_place = written->last_place;
    while (s.in.ok && s.in.left > 0) {
        if (by_records) change_records(&s);
        else change_bytes(&s, &only_changed);
    }
    bool changed = !by_records && only_changed;
    bool told = changed && last_is_whole(&s.disk, written);
    bool pages_changed = changed && !same_pages(&s.disk.pages, &written->pages);
    int rv = stage_restore(&s, &diag);
    assert(rv == 0 || diag.text[0] != '\0');
    assert(rv != 0 || s.lost || !pages_changed);
    if (rv == 0 && !s.lost && told) {
        struct memory memory = memory_of(&s);
        assert(same_memory(&memory, &lived->memory));
    }
    if (rv == 0) stage_go(&s), fuzz_hits++;
    s.in = reader_over(data, size); /* for what the peers and clients say */
    if (rv == 0) run(&s);
    disk_wipe(&s.disk);
    return 0;
}

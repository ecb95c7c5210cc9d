/* SPDX-License-Identifier: BSD-2-Clause */
/* Segments are read, and batches judged, by the code of a start (node/journal_walk.h), so that what
 * is said here is what a start would meet. */
#include "admin/folder.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "program/zeros.h"

static void finding(struct folder *f, const char *file, uint64_t place, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
static void finding(struct folder *f, const char *file, uint64_t place, const char *format, ...)
{
    char text[VSTAMP_DIAG_SIZE];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    f->n_findings++;
    if (f->visitor->finding != NULL) f->visitor->finding(f->visitor->ctx, file, place, text);
}

/* --- the log ---------------------------------------------------------------------------------- */

static void log_set(struct folder *f, uint64_t op, struct vstamp_id checksum)
{
    size_t at = (size_t)(op - f->base);
    if (at >= f->log_capacity) {
        f->log_capacity = 2 * at + 1024;
        f->log_checksums = realloc(f->log_checksums, f->log_capacity * sizeof *f->log_checksums);
        if (f->log_checksums == NULL) abort();
    }
    f->log_checksums[at] = checksum;
    f->op = op;
}

static void log_begin(struct folder *f, uint64_t base, struct vstamp_id checksum)
{
    f->any_log = true;
    f->base = f->commit = base;
    log_set(f, base, checksum);
}

static bool log_agrees(const struct folder *f, uint64_t op, struct vstamp_id checksum)
{
    return f->any_log && op >= f->base && op <= f->op &&
           vstamp_id_equal(f->log_checksums[op - f->base], checksum);
}

uint32_t folder_n_requests(struct bytes body)
{
    struct reader at = reader_over(body.data, body.size);
    return read_u32(&at);
}

bool folder_has(const struct folder *f, const struct wire_entry_header *header)
{
    return log_agrees(f, header->op, header->checksum);
}

/* Its own counter in its crash vector: how often it was begun. */
static uint64_t own_counter(const struct wire_hard_state *s)
{
    struct reader at = wire_list_start(&s->crash_vector);
    struct wire_counter counter = {0};
    for (uint32_t i = 0; i < s->crash_vector.count; i++) {
        wire_list_next(&wire_shape_counter, &at, &counter);
        if (i == s->self) return counter.value;
    }
    return 0;
}

static void follow_state(struct folder *f, const struct folder_record *record)
{
    const struct wire_hard_state *s = record->as.state;
    bool blank = vstamp_id_is_zero(s->group);
    /* A checkpoint stands, and so do entries that were fetched since (vr_restore_state). */
    bool forgets = s->op == 0 && (s->lost ? f->base == 0 : blank);
    f->any_state = true;
    f->state = *s;
    if (!vr_membership_read(&f->members, &s->membership)) f->members.n = 0;
    f->state.crash_vector = f->state.tokens = (struct wire_list){0};
    f->state.membership.members = (struct wire_list){0};
    if (own_counter(s) > f->incarnation) f->incarnation = own_counter(s);
    if (!vstamp_id_is_zero(s->group)) f->group = s->group;
    if (forgets) {
        log_begin(f, 0, (struct vstamp_id){0});
    } else if (!s->lost && !blank && (s->view > NUMBER_MAX || s->log_view > s->view)) {
        finding(f, record->file, record->place, "a hard state of a view that cannot be");
    } else if (!s->lost && !blank && log_agrees(f, s->op, s->checksum)) {
        if (s->op < f->commit || s->commit > s->op) {
            finding(f, record->file, record->place,
                    "a hard state that ends the log at op %" PRIu64 ", though %" PRIu64
                    " is committed", s->op, s->commit > f->commit ? s->commit : f->commit);
        }
        f->op = s->op;
        if (s->commit > f->commit) f->commit = s->commit;
    }
}

static void follow_entry(struct folder *f, const struct folder_record *record)
{
    const struct wire_journal_entry *r = record->as.entry;
    const struct wire_entry_header *h = &r->entry.header;
    if (!record->lost && !journal_entry_checks(f->group, &r->entry))
        finding(f, record->file, record->place, "entry %" PRIu64 " is not what its header says",
                h->op);
    if (h->op == 0 || (f->any_log && h->op <= f->base) || folder_has(f, h)) return;
    if (!f->any_log) log_begin(f, h->op - 1, h->parent);
    if (!log_agrees(f, h->op - 1, h->parent)) {
        finding(f, record->file, record->place,
                "entry %" PRIu64 " does not follow the entry before it", h->op);
        log_begin(f, h->op - 1, h->parent);
    } else if (h->op <= f->commit) {
        finding(f, record->file, record->place,
                "entry %" PRIu64 " replaces one that is committed", h->op);
    }
    uint64_t commit = r->commit < h->op - 1 ? r->commit : h->op - 1;
    log_set(f, h->op, h->checksum);
    if (commit > f->commit) f->commit = commit;
}

/* --- a batch ---------------------------------------------------------------------------------- */

static void keep_text(char *into, size_t capacity, struct bytes text)
{
    size_t size = text.size < capacity ? text.size : 0;
    if (size > 0) memcpy(into, text.data, size);
    into[size] = '\0';
}

static void check_owner(struct folder *f, const char *file, uint64_t place,
                        const struct wire_segment *owner)
{
    struct vr_setting setting;
    if (!f->any_head) {
        f->owner = *owner;
        keep_text(f->address, sizeof f->address, owner->address);
        keep_text(f->application, sizeof f->application, owner->application);
        keep_text(f->durability, sizeof f->durability, owner->settings.durability);
        f->owner.settings.durability = bytes_of(f->durability);
    }
    f->any_head = true;
    if (!bytes_equal(owner->address, bytes_of(f->address)))
        finding(f, file, place, "belongs to the replica at %.*s, the rest to the one at %s",
                (int)owner->address.size, (const char *)owner->address.data, f->address);
    else if (!bytes_equal(owner->application, bytes_of(f->application)))
        finding(f, file, place, "holds another application than \"%s\"", f->application);
    else if (vr_settings_differ(&owner->settings, &f->owner.settings, &setting))
        finding(f, file, place, "was written with %s %s, the files before it with %s", setting.key,
                setting.theirs, setting.ours);
    else if (f->op > 0 && /* else it may have left that one */
             !vstamp_id_is_zero(owner->group) && !vstamp_id_is_zero(f->group) &&
             !vstamp_id_equal(owner->group, f->group))
        finding(f, file, place, "belongs to another group than the files before it");
    if (!vstamp_id_is_zero(owner->group)) f->group = owner->group;
}

static void tell(struct folder *f, const struct folder_record *record)
{
    if (record->kind == JOURNAL_BATCH)
        check_owner(f, record->file, record->place, &record->as.batch->owner);
    else if (record->kind == JOURNAL_HARD_STATE)
        follow_state(f, record);
    else
        follow_entry(f, record);
    if (f->visitor->record != NULL) f->visitor->record(f->visitor->ctx, record);
}

/* An entry of which only the outline is there. */
static bool tell_hole(struct folder *f, const struct folder_record *record, struct bytes outline)
{
    struct wire_entry_outline o;
    if (wire_decode(&wire_shape_entry_outline, outline, &o) != 0) {
        finding(f, record->file, record->place, "a record that has no place in a journal");
        return false;
    }
    finding(f, record->file, record->place,
            "entry %" PRIu64 " is damaged; only its header is known", o.header.op);
    struct wire_journal_entry entry = {.commit = o.commit, .entry.header = o.header};
    struct folder_record hole = *record;
    hole.kind = JOURNAL_ENTRY;
    hole.lost = true;
    hole.as.entry = &entry;
    tell(f, &hole);
    return true;
}

/* What is whole checks, so that what it says is odd at most if a program was wrong. */
static bool tell_body(struct folder *f, struct folder_record *record, struct bytes body)
{
    struct wire_hard_state state;
    struct wire_journal_entry entry;
    if (record->kind == JOURNAL_HOLE) return tell_hole(f, record, body);
    if (record->kind == JOURNAL_HARD_STATE &&
        wire_decode(&wire_shape_hard_state, body, &state) == 0) {
        record->as.state = &state;
    } else if (record->kind == JOURNAL_ENTRY &&
               wire_decode(&wire_shape_journal_entry, body, &entry) == 0) {
        record->as.entry = &entry;
    } else {
        finding(f, record->file, record->place, "a record that has no place in a journal");
        return false;
    }
    tell(f, record);
    return true;
}

static void tell_head(struct folder *f, const char *file, const struct journal_batch *batch)
{
    struct wire_batch_head head;
    struct folder_record record = {.file = file, .place = batch->is.place, .size = batch->is.head,
                                   .kind = JOURNAL_BATCH, .as = {.batch = &head}};
    struct journal_reader r = journal_walk_records(&f->walk, batch);
    r.number = batch->is.number;
    r.base = batch->is.place;
    r.place = 0;
    enum journal_kind kind;
    struct bytes body;
    if (journal_next(&r, &kind, &body) != JOURNAL_RECORD ||
        wire_decode(&wire_shape_batch_head, body, &head) != 0) {
        finding(f, file, batch->is.place, "the head of a batch is damaged; the batch behind it "
                                          "says what it held: a start mends it");
    } else {
        tell(f, &record);
    }
}

static void tell_whole(struct folder *f, const char *file, const struct journal_batch *batch)
{
    tell_head(f, file, batch);
    struct journal_reader r = journal_walk_records(&f->walk, batch);
    struct bytes body;
    struct folder_record record = {.file = file};
    for (size_t from = r.place; journal_next(&r, &record.kind, &body) == JOURNAL_RECORD;
         from = r.place) {
        record.place = batch->is.place + from;
        record.size = r.place - from;
        tell_body(f, &record, body);
    }
}

/* A record that does not check, by what the next batch says of it. */
static void tell_lost(struct folder *f, struct folder_record *record,
                      const struct wire_batch_item *item)
{
    record->lost = true;
    if (record->kind == JOURNAL_HARD_STATE) {
        finding(f, record->file, record->place,
                "a hard state is damaged; the batch behind it has it in full: a start mends it");
        tell_body(f, record, item->content);
    } else if (record->kind == JOURNAL_ENTRY || record->kind == JOURNAL_HOLE) {
        tell_hole(f, record, item->content);
    } else {
        finding(f, record->file, record->place, "a record that has no place in a journal");
    }
}

static void tell_named(struct folder *f, const char *file, const struct journal_batch *batch)
{
    tell_head(f, file, batch);
    struct journal_reader r = journal_walk_records(&f->walk, batch);
    struct reader items = wire_list_start(&batch->named);
    for (uint32_t i = 0; i < batch->named.count; i++) {
        struct wire_batch_item item;
        struct bytes body;
        struct folder_record record = {.file = file, .place = batch->is.place + r.place};
        bool checks = journal_walk_named(&r, &items, &item, &body);
        record.kind = (enum journal_kind)item.kind;
        record.size = item.size;
        if (checks)
            tell_body(f, &record, body);
        else
            tell_lost(f, &record, &item);
    }
}

/* --- segments --------------------------------------------------------------------------------- */

/* False where the segment has nothing more to say. */
static bool walk_batch(struct folder *f, const char *file)
{
    struct journal_walk *w = &f->walk;
    struct journal_batch batch;
    switch (journal_walk_look(w, &batch)) {
    case JOURNAL_BATCH_WHOLE:
        tell_whole(f, file, &batch);
        journal_walk_pass(w, &batch);
        return true;
    case JOURNAL_BATCH_NAMED:
        tell_named(f, file, &batch);
        journal_walk_pass(w, &batch);
        return true;
    case JOURNAL_BATCH_LOST:
        w->any = false; /* what follows need not name what was passed */
        if (batch.next_number != w->number) return false;
        finding(f, file, w->place, "damaged from here to byte %" PRIu64
                                   ", and nothing says what was there", batch.next);
        w->place = batch.next;
        return true;
    case JOURNAL_BATCH_TORN:
        f->torn = true;
        return false;
    case JOURNAL_BATCH_NOTHING:
        break;
    }
    return false;
}

static void walk_segment(struct folder *f, uint64_t number)
{
    struct journal_walk *w = &f->walk;
    struct journal_head head;
    char file[STORAGE_NAME_SIZE];
    storage_segment_name(file, number);
    bool any = journal_walk_segment(w, number, &head);
    if (w->rv != 0 || w->end == 0) return;
    if (!any) {
        finding(f, file, FOLDER_NO_PLACE, "is missing, or damaged throughout");
        w->any = false;
        return;
    }
    f->torn = false;
    while (w->rv == 0 && w->place < w->end) {
        if (!walk_batch(f, file)) break;
    }
    f->end_number = number;
    f->end = w->place;
    if (w->rv == 0 && w->end != UINT64_MAX && w->place != w->end) {
        finding(f, file, w->place, "damaged from here to byte %" PRIu64 ", where it ends", w->end);
        w->any = false;
    }
}

static uint64_t size_of(const struct folder *f, uint64_t number)
{
    char name[STORAGE_NAME_SIZE];
    struct stat stat;
    storage_segment_name(name, number);
    return fstatat(f->storage.folder_fd, name, &stat, 0) == 0 ? (uint64_t)stat.st_size : 0;
}

/* Those that the checkpoint does not say. */
static int find_segments(struct folder *f, uint64_t *size, struct vstamp_diag *diag)
{
    size_t n;
    int rv = storage_segments(&f->storage, &f->numbers, &n, diag);
    if (rv != 0) return rv;
    f->n_segments = n;
    for (size_t i = 0; i < n; i++) {
        char file[STORAGE_NAME_SIZE];
        uint64_t number = f->numbers[i], bytes = size_of(f, number);
        f->n_bytes += bytes;
        if (bytes > *size) *size = bytes < STORAGE_SEGMENT_MAX ? bytes : STORAGE_SEGMENT_MAX;
        if (number < f->checkpoint) continue;
        f->numbers[f->n_numbers++] = number;
        storage_segment_name(file, number);
        rv = storage_check_end(&f->storage, number, diag);
        if (rv != 0 && rv != VSTAMP_E_CORRUPT) return rv;
        if (rv != 0)
            finding(f, file, bytes, bytes > STORAGE_SEGMENT_MAX + JOURNAL_BLOCK
                                        ? "is larger than any segment"
                                        : "was cut off, or its last block is damaged");
    }
    return 0;
}

/* Of those from one segment on up to another, be they ever so many: the first is named. */
static void say_missing(struct folder *f, uint64_t from, uint64_t to)
{
    char file[STORAGE_NAME_SIZE];
    if (from >= to) return;
    storage_segment_name(file, from);
    finding(f, file, FOLDER_NO_PLACE, "is missing");
    f->walk.any = false; /* what follows need not name what was passed */
}

static void walk_segments(struct folder *f)
{
    struct journal_walk *w = &f->walk;
    const uint64_t *numbers = f->numbers;
    uint64_t next = f->any_checkpoint ? f->checkpoint : numbers[0];
    for (f->in_use = f->n_numbers; f->in_use > 0 && w->rv == 0; f->in_use--) {
        uint64_t number = numbers[f->in_use - 1];
        journal_walk_begin(w, number, number);
        if (w->last == number) break;
    }
    if (!f->any_checkpoint && numbers[0] > 1 && f->in_use > 0 && w->rv == 0)
        finding(f, PAGES_NAME, FOLDER_NO_PLACE,
                "the checkpoint before the journal is missing, or damaged");
    for (size_t i = 0; i < f->n_numbers && w->rv == 0; i++) {
        say_missing(f, next, numbers[i]);
        if (i < f->in_use) walk_segment(f, numbers[i]);
        next = numbers[i] + 1;
    }
}

static int walk_journal(struct folder *f, struct vstamp_diag *diag)
{
    uint64_t size = 0;
    int rv = find_segments(f, &size, diag);
    if (rv != 0) return rv;
    size_t blocks = ((size_t)size / JOURNAL_BLOCK + 1) * JOURNAL_BLOCK; /* of any batch */
    f->reading = (struct storage_reading){.storage = &f->storage, .fd = -1};
    const struct node_source source = {.ctx = &f->reading, .read = storage_read};
    f->window = (struct node_window){.capacity = blocks + JOURNAL_BLOCK};
    f->window.bytes = zeros_map(f->window.capacity);
    f->walk = (struct journal_walk){.source = &source, .window = &f->window, .diag = diag,
                                    .batch_size_max = blocks, .names = zeros_map(blocks),
                                    .oldest = WIRE_OLDEST, .newest = WIRE_NEWEST};
    if (f->window.bytes == NULL || f->walk.names == NULL) {
        vstamp_diag_printf(diag, "no memory for a segment of %zu bytes", blocks);
        return VSTAMP_E_IO;
    }
    if (f->n_numbers > 0) walk_segments(f);
    if (f->walk.rv == 0 && f->any_checkpoint && f->in_use == 0)
        finding(f, PAGES_NAME, FOLDER_NO_PLACE,
                "the journal that follows the checkpoint is missing");
    if (f->walk.rv == VSTAMP_E_VERSION) {
        char file[STORAGE_NAME_SIZE];
        storage_segment_name(file, f->walk.number);
        vstamp_diag_wrap(diag, "%s/%s", f->storage.folder, file);
    }
    return f->walk.rv;
}

/* --- the checkpoint --------------------------------------------------------------------------- */

static int on_head(void *ctx, uint64_t number, struct bytes bytes, struct vstamp_diag *diag)
{
    struct folder *f = ctx;
    struct journal_reader r = {.file = bytes, .number = number};
    struct wire_segment owner;
    enum journal_kind kind;
    struct bytes body;
    if (journal_next(&r, &kind, &body) != JOURNAL_RECORD || kind != JOURNAL_SEGMENT ||
        wire_decode(&wire_shape_segment, body, &owner) != 0 || owner.number != number ||
        journal_next(&r, &kind, &body) != JOURNAL_RECORD || kind != JOURNAL_CHECKPOINT_HEAD ||
        wire_decode(&wire_shape_checkpoint_head, body, &f->head) != 0) {
        vstamp_diag_printf(diag, "the head of the checkpoint does not check");
        return VSTAMP_E_CORRUPT;
    }
    int rv = journal_check_version(owner.version, WIRE_OLDEST, WIRE_NEWEST, diag);
    if (rv != 0) return rv;
    check_owner(f, PAGES_NAME, FOLDER_NO_PLACE, &owner);
    f->any_checkpoint = true;
    f->checkpoint = number;
    log_begin(f, f->head.anchor.op, f->head.anchor.checksum);
    return 0;
}

static int on_page(void *ctx, const struct node_page *page, struct vstamp_diag *diag)
{
    struct folder *f = ctx;
    (void)diag;
    f->n_stored++;
    f->sum += page->checksum;
    if (page->number >= f->head.n_pages)
        finding(f, PAGES_NAME, FOLDER_NO_PLACE, "page %" PRIu32 " is not where it belongs",
                page->number);
    else if (page->checksum != node_page_checksum(page->number, page->content))
        finding(f, PAGES_NAME, FOLDER_NO_PLACE, "page %" PRIu32 " does not check", page->number);
    return 0;
}

static int walk_pages(struct folder *f, struct vstamp_diag *diag)
{
    const struct pages_sink sink = {.ctx = f, .head = on_head, .page = on_page};
    char path[PATH_MAX + STORAGE_NAME_SIZE];
    bool any = false;
    snprintf(path, sizeof path, "%s/%s", f->storage.folder, PAGES_NAME);
    int rv = pages_file_check(path, diag);
    if (rv == 0) rv = pages_file_read(path, &sink, &any, diag);
    if (rv == VSTAMP_E_CORRUPT) {
        finding(f, PAGES_NAME, FOLDER_NO_PLACE, "%s", diag->text);
        return 0;
    }
    if (rv != 0) vstamp_diag_wrap(diag, "%s", path);
    if (rv == 0 && any && (f->n_stored != f->head.n_stored || f->sum != f->head.sum))
        finding(f, PAGES_NAME, FOLDER_NO_PLACE,
                "%" PRIu32 " pages of %" PRIu32 ": some are missing, or older", f->n_stored,
                f->head.n_stored);
    return rv;
}

/* --- all of it -------------------------------------------------------------------------------- */

static int tell_what_else(struct folder *f, struct vstamp_diag *diag)
{
    DIR *dir = opendir(f->storage.folder);
    const struct dirent *entry;
    while (dir != NULL && (entry = storage_entry(dir)) != NULL) {
        if (strncmp(entry->d_name, STORAGE_ASIDE, strlen(STORAGE_ASIDE)) == 0)
            finding(f, entry->d_name, FOLDER_NO_PLACE,
                    "a start found it damaged and put it aside");
        if (strcmp(entry->d_name, STORAGE_UNFINISHED) == 0)
            finding(f, entry->d_name, FOLDER_NO_PLACE,
                    "a restore into this folder was not finished");
    }
    int error = errno;
    if (dir != NULL) closedir(dir);
    if (error == 0) return 0;
    vstamp_diag_printf(diag, "%s: cannot list the folder: %s", f->storage.folder, strerror(error));
    return VSTAMP_E_IO;
}

int folder_walk(struct folder *f, const struct folder_visitor *visitor, struct vstamp_diag *diag)
{
    f->visitor = visitor;
    int rv = walk_pages(f, diag);
    if (rv == 0) rv = walk_journal(f, diag);
    if (rv == 0) rv = tell_what_else(f, diag);
    return rv;
}

int folder_open(struct folder *f, const char *path, struct vstamp_diag *diag)
{
    memset(f, 0, sizeof *f);
    f->reading.fd = -1;
    log_open(&f->log, LOG_LEVEL_WARN, LOG_FORMAT_LOGFMT, -1);
    return storage_look(&f->storage, path, &f->log, diag);
}

void folder_close(struct folder *f)
{
    zeros_unmap(f->window.bytes, f->window.capacity);
    zeros_unmap(f->walk.names, f->walk.batch_size_max);
    if (f->reading.fd >= 0) close(f->reading.fd);
    storage_look_end(&f->storage);
    free(f->numbers);
    free(f->log_checksums);
}

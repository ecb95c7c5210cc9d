/* SPDX-License-Identifier: BSD-2-Clause */
/* Reading a copy back.  copy_open believes nothing but checksums; copy_load lets a replica of its
 * own, which is never started, do what a replica does after a restart: adopt the checkpoint, then
 * execute the entries, under the bounds that they were executed under in the group. */
#include "node/copy.h"

#include <inttypes.h>
#include <string.h>

#include "base/assert.h"
#include "base/checksum.h"
#include "vr/replica.h"
#include "vr/settings.h"

bool copy_put(struct copy_writer *c, struct writer *w, enum journal_kind kind,
              const struct wire_shape *shape, const void *record)
{
    size_t before = w->size;
    if (!journal_put(w, c->number, c->place, kind, shape, record)) return false;
    c->place += w->size - before;
    c->n_records++;
    return true;
}

static int damaged(size_t place, struct vstamp_diag *diag)
{
    vstamp_diag_printf(diag, "damaged at byte %zu", place);
    return VSTAMP_E_CORRUPT;
}

/* --- checking --------------------------------------------------------------------------------- */

static int read_head(struct copy *c, struct journal_reader *r, struct vstamp_diag *diag)
{
    enum journal_kind kind;
    struct bytes body;
    if (journal_next(r, &kind, &body) != JOURNAL_RECORD || kind != JOURNAL_COPY_HEAD) {
        vstamp_diag_printf(diag, "not a backup of vstamp-admin, or its first bytes are damaged");
        return VSTAMP_E_CORRUPT;
    }
    struct reader version = reader_over(body.data, body.size);
    c->head.version = read_u32(&version);
    if (c->head.version != COPY_VERSION) {
        vstamp_diag_printf(diag, "a backup in format %u, this program reads format %u",
                           c->head.version, COPY_VERSION);
        return VSTAMP_E_VERSION;
    }
    if (wire_decode(&wire_shape_copy_head, body, &c->head) != 0) return damaged(0, diag);
    const struct wire_state_form *form = &c->head.form;
    bool sane = form->max_answer_bytes >= ANSWER_BYTES_MIN && form->max_answer_bytes <= 3584 &&
                form->max_clients > 0 && form->batch_bytes <= FRAME_BYTES_MAX &&
                form->max_read_bytes <= FRAME_BYTES_MAX &&
                form->state_pages > client_table_pages(form->max_clients, form->max_answer_bytes);
    return sane ? 0 : damaged(0, diag);
}

/* Does this record stand where it may?  `last` is the kind of the one before. */
static bool take_record(struct copy *c, enum journal_kind last, enum journal_kind kind,
                        struct bytes body, size_t place)
{
    bool in_entries = last == JOURNAL_COPY_CHECKPOINT_END || last == JOURNAL_COPY_ENTRY;
    struct wire_page page;
    struct wire_entry entry;
    struct wire_copy_checkpoint_end end;
    switch (kind) {
    case JOURNAL_COPY_PAGE:
        return wire_decode(&wire_shape_page, body, &page) == 0 &&
               page.number < c->head.form.state_pages &&
               (page.content.size == 0 || page.content.size == VSTAMP_PAGE_SIZE);
    case JOURNAL_COPY_CHECKPOINT_END:
        if (wire_decode(&wire_shape_copy_checkpoint_end, body, &end) != 0) return false;
        c->anchor = end.anchor;
        c->version = end.anchor.version;
        c->n_pages = end.n_pages;
        c->op = end.anchor.op;
        c->n_entries = 0;
        c->pages_end = place;
        return end.n_pages <= (c->op > 0 ? c->head.form.state_pages : 0) && c->op <= NUMBER_MAX;
    case JOURNAL_COPY_ENTRY:
        if (!in_entries || wire_decode(&wire_shape_entry, body, &entry) != 0) return false;
        c->n_entries++;
        c->version = entry.header.version;
        return entry.header.op == ++c->op;
    default: return false;
    }
}

/* The records behind the head, up to the tail, behind which there must be nothing. */
static int read_rest(struct copy *c, struct journal_reader *r, struct vstamp_diag *diag)
{
    enum journal_kind last = JOURNAL_COPY_HEAD, kind;
    struct bytes body;
    for (uint64_t n_records = 1;; n_records++) {
        size_t place = r->place;
        enum journal_status status = journal_next(r, &kind, &body);
        if (status == JOURNAL_END) {
            vstamp_diag_printf(diag, "ends at byte %zu before it is complete", place);
            return VSTAMP_E_CORRUPT;
        }
        if (status == JOURNAL_BAD) return damaged(place, diag);
        if (kind == JOURNAL_COPY_TAIL) {
            struct wire_copy_tail tail;
            bool whole = wire_decode(&wire_shape_copy_tail, body, &tail) == 0 &&
                         (last == JOURNAL_COPY_CHECKPOINT_END || last == JOURNAL_COPY_ENTRY) &&
                         tail.n_records == n_records && tail.op == c->op &&
                         r->place == r->file.size;
            return whole ? 0 : damaged(place, diag);
        }
        if (!take_record(c, last, kind, body, place)) return damaged(place, diag);
        last = kind;
    }
}

int copy_open(struct copy *c, struct bytes file, struct vstamp_diag *diag)
{
    *c = (struct copy){.file = file};
    struct journal_reader r = {.file = file};
    int rv = read_head(c, &r, diag);
    if (rv != 0) return rv;
    r.number = c->head.time;
    rv = read_rest(c, &r, diag);
    if (rv != 0 || c->version <= WIRE_NEWEST) return rv;
    vstamp_diag_printf(diag, "a backup of a group in version %u of the protocol, and this program "
                       "speaks none above %u: use the release of that group",
                       c->version, WIRE_NEWEST);
    return VSTAMP_E_VERSION;
}

/* --- loading ---------------------------------------------------------------------------------- */

static void ignore_log(void *ctx, enum log_level level, const char *event, const char *detail)
{
    (void)ctx;
    (void)level;
    (void)event;
    (void)detail;
}

/* The log has room for all entries, so no checkpoint falls due. */
static struct vr_config config_of(const struct copy *c)
{
    const struct wire_state_form *form = &c->head.form;
    struct vr_config config = {.n_replicas = 1,
                               .durable = true,
                               .max_clients = form->max_clients,
                               .batch_bytes = form->batch_bytes,
                               .max_answer_bytes = form->max_answer_bytes,
                               .max_read_bytes = form->max_read_bytes,
                               .pipeline = 1,
                               .log_entries = 16,
                               .log_bytes = c->file.size + form->batch_bytes,
                               .state_pages = form->state_pages};
    while (config.log_entries <= c->n_entries) config.log_entries *= 2;
    config.checkpoint_ops = config.log_entries / 2;
    return config;
}

struct vstamp_limits copy_limits(const struct copy *c)
{
    struct vr_config config = config_of(c);
    return vr_limits(&config);
}

size_t copy_memory(const struct copy *c)
{
    struct arena count;
    struct vr sample = {0};
    struct vr_config config = config_of(c);
    arena_init(&count, NULL, 0);
    arena_take(&count, 1, sizeof sample);
    vr_init(&sample, &count, &config, NULL, NULL, (struct vstamp_id){0});
    return count.used;
}

/* The last content of each page. */
static void load_pages(struct copy *c, struct journal_reader *r)
{
    while (r->place < c->pages_end) {
        enum journal_kind kind;
        struct bytes body;
        enum journal_status status = journal_next(r, &kind, &body);
        assert(status == JOURNAL_RECORD);
        if (kind != JOURNAL_COPY_PAGE) continue;
        struct wire_page page;
        int rv = wire_decode(&wire_shape_page, body, &page);
        assert(rv == 0);
        if (page.number >= c->n_pages) continue;
        uint8_t *live = pages_write(&c->vr->pages, page.number);
        memset(live, 0, VSTAMP_PAGE_SIZE);
        if (page.content.size > 0) memcpy(live, page.content.data, VSTAMP_PAGE_SIZE);
    }
}

static int load_entries(struct copy *c, struct journal_reader *r, struct vstamp_diag *diag)
{
    struct wire_hard_state state = {.group = c->head.group};
    for (uint64_t n = 0; n < c->n_entries; n++) {
        enum journal_kind kind;
        struct bytes body;
        size_t place = r->place;
        enum journal_status status = journal_next(r, &kind, &body);
        struct wire_entry entry;
        assert(status == JOURNAL_RECORD);
        int rv = wire_decode(&wire_shape_entry, body, &entry);
        assert(rv == 0);
        struct vstamp_id checksum = log_checksum(c->head.group, &entry.header, entry.body);
        if (!vstamp_id_equal(checksum, entry.header.checksum) ||
            vr_restore_entry(c->vr, entry.header.op - 1, &entry) != 0 ||
            c->vr->log.op != entry.header.op) {
            return damaged(place, diag);
        }
    }
    state.op = state.commit = c->op;
    state.checksum = log_last(&c->vr->log)->checksum;
    int rv = vr_restore_state(c->vr, &state);
    vr_restore_end(c->vr);
    return rv;
}

int copy_load(struct copy *c, void *memory, size_t size, const struct vstamp_app *app,
              struct vstamp_diag *diag)
{
    const struct bytes *name = &c->head.form.application;
    if (!bytes_equal(*name, bytes_of(app->name))) {
        vstamp_diag_printf(diag, "is of another application: \"%.*s\"",
                           name->size < 40 ? (int)name->size : 40, (const char *)name->data);
        return VSTAMP_E_CONFIG;
    }
    struct arena arena;
    struct vr_sink sink = {.log = ignore_log};
    struct vr_config config = config_of(c);
    arena_init(&arena, memory, size);
    c->vr = arena_take(&arena, 1, sizeof *c->vr);
    vr_init(c->vr, &arena, &config, app, &sink, (struct vstamp_id){0, 1});
    c->vr->app_pages.instance = c->instance;
    c->vr->settles_alone = true;
    struct journal_reader r = {.file = c->file};
    enum journal_kind kind;
    struct bytes body;
    journal_next(&r, &kind, &body); /* the head */
    r.number = c->head.time;
    load_pages(c, &r);
    journal_next(&r, &kind, &body); /* the end of the checkpoint */
    int rv = 0;
    if (c->anchor.op > 0) rv = vr_restore_checkpoint(c->vr, c->head.group, &c->anchor, false);
    if (rv == VSTAMP_E_CORRUPT) {
        vstamp_diag_printf(diag, "its pages do not make sense");
        return rv;
    }
    if (rv == 0) rv = load_entries(c, &r, diag);
    if (rv == 0 && vr_app_settle(c->vr)) {
        assert(c->vr->applied == c->op);
        return 0;
    }
    if (!c->vr->over) return rv;
    vstamp_diag_printf(diag, "%s", c->vr->app_failure.text);
    return VSTAMP_E_CONFIG;
}

/* --- the state -------------------------------------------------------------------------------- */

const struct vstamp_pages *copy_pages(const struct copy *c)
{
    return &c->vr->app_pages;
}

uint32_t copy_app_pages(const struct copy *c)
{
    uint32_t first = c->vr->app_pages.first;
    uint32_t n = c->vr->pages.n_used > first ? c->vr->pages.n_used - first : 0;
    while (n > 0 && pages_hash(pages_read(&c->vr->pages, first + n - 1)) == 0) n--;
    return n;
}

uint64_t copy_passed_over(const struct copy *c)
{
    return c->vr->stats.passed_over;
}

struct vstamp_id copy_digest(const struct copy *c)
{
    struct vstamp_id digest = {0};
    uint32_t n = copy_app_pages(c);
    for (uint32_t page = 0; page < n; page++) {
        uint8_t term[24];
        struct writer w = writer_over(term, sizeof term);
        write_id(&w, digest);
        write_u64(&w, pages_hash(pages_read(&c->vr->pages, c->vr->app_pages.first + page)));
        digest = checksum128(term, w.size);
    }
    return digest;
}

struct vstamp_id copy_group(const struct copy *c, const struct vr_config *config)
{
    struct vr_membership members;
    struct wire_settings settings = vr_settings(config);
    uint8_t all[128];
    struct writer w = writer_over(all, sizeof all);
    write_id(&w, c->head.group);
    write_id(&w, copy_digest(c));
    write_u64(&w, c->head.time);
    write_u64(&w, c->op);
    vr_membership_of_config(&members, config);
    write_id(&w, vr_membership_checksum(&members));
    wire_encode(&wire_shape_settings, &settings, &w);
    assert(w.ok);
    return checksum128(all, w.size);
}

int copy_fits(const struct copy *c, const struct vr_config *config, struct vstamp_diag *diag)
{
    uint32_t n_pages = copy_app_pages(c);
    uint32_t table = client_table_pages(config->max_clients, config->max_answer_bytes);
    if (n_pages + (uint64_t)table > config->state_pages) {
        vstamp_diag_printf(diag, "the state does not fit: give state_bytes_max at least %" PRIu64,
                           (n_pages + (uint64_t)table) * VSTAMP_PAGE_SIZE);
        return VSTAMP_E_CONFIG;
    }
    if (c->head.form.max_read_bytes > config->max_read_bytes) {
        vstamp_diag_printf(diag,
                           "the group that was copied allowed larger values: give max_value_bytes "
                           "at least %" PRIu32,
                           c->head.form.max_read_bytes - READ_OVERHEAD);
        return VSTAMP_E_CONFIG;
    }
    return 0;
}

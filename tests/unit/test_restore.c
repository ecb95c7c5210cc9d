/* SPDX-License-Identifier: BSD-2-Clause */
/* Files that a node is started from, with records that are whole and yet cannot be: each by itself
 * is refused, with a sentence.  What disks do to files is the simulator's business. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kv/kv.h"
#include "node/journal.h"
#include "node/node_state.h"

#define NUMBER 1u

static const struct vstamp_id group = {1, 2};

#define LIFE 77u

/* A segment of one batch, and what there is beside it. */
struct fixture {
    void *memory;
    struct node *node;
    uint8_t file[1u << 20];
    struct writer w; /* over the records of the batch */
    size_t head_size;
    struct wire_segment owner;
};

static void io_log(void *ctx, enum log_level level, const char *event, const char *detail)
{
    (void)ctx, (void)level, (void)event, (void)detail;
}

static int set_up(void **state)
{
    static const struct node_io io = {.log = io_log};
    const struct vr_config config = {
        .n_replicas = 3, .durable = true, .heartbeat_ms = 20, .view_change_ms = 200,
        .max_clients = 4, .batch_bytes = 4096, .max_answer_bytes = 256, .max_read_bytes = 4096,
        .pipeline = 4, .log_entries = 32, .log_bytes = 65536, .checkpoint_ops = 8,
        .state_pages = 16, .version = "0", .addresses = {"a:1", "b:1", "c:1"}};
    struct fixture *f = calloc(1, sizeof *f);
    size_t size = (node_memory(&config) + 4095) / 4096 * 4096;
    f->memory = aligned_alloc(4096, size);
    assert_non_null(f->memory);
    memset(f->memory, 0, size);
    f->node = node_init(f->memory, size, &config, kv_app(), &io, (struct vstamp_id){3, 4});
    const struct wire_batch_head none = {.owner = {.address = bytes_of("a:1"),
                                                   .settings = vr_settings(&config),
                                                   .application = bytes_of("key-value store")},
                                         .life = LIFE};
    f->head_size = journal_record_size(&wire_shape_batch_head, &none);
    f->w = writer_over(f->file, sizeof f->file);
    f->w.size = f->head_size;
    f->owner = (struct wire_segment){.version = WIRE_NEWEST, .number = NUMBER,
                                      .settings = vr_settings(&config),
                                      .address = bytes_of("a:1"),
                                      .application = bytes_of("key-value store")};
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    free(f->memory);
    free(f);
    return 0;
}

#define PUT(f, KIND, name, ...)                                                                    \
    assert_true(journal_put(&(f)->w, journal_batch_identity(LIFE, 1), (f)->w.size, JOURNAL_##KIND, \
                            &wire_shape_##name, &(struct wire_##name){__VA_ARGS__}))

/* Entry `op` of a chain, with an empty batch. */
static struct wire_entry_header put_entry(struct fixture *f, uint64_t op, uint64_t commit,
                                          struct vstamp_id parent)
{
    struct wire_entry entry = {.header = {.op = op, .view = 1, .parent = parent},
                               .body = {(const uint8_t *)"\0\0\0", 4}};
    entry.header.checksum = log_checksum(group, &entry.header, entry.body);
    PUT(f, ENTRY, journal_entry, .commit = commit, .entry = entry);
    return entry.header;
}

/* A hard state, and two entries of which one is committed. */
static struct wire_entry_header put_some(struct fixture *f)
{
    PUT(f, HARD_STATE, hard_state, .group = group);
    struct wire_entry_header first = put_entry(f, 1, 0, (struct vstamp_id){0, 0});
    put_entry(f, 2, 1, first.checksum);
    return first;
}

static void put_head(struct fixture *f)
{
    struct writer w = writer_over(f->file, f->head_size);
    struct wire_batch_head head = {.owner = f->owner, .life = LIFE, .sequence = 1,
                                   .size = f->w.size};
    assert_true(journal_put(&w, NUMBER, 0, JOURNAL_BATCH, &wire_shape_batch_head, &head));
    assert_int_equal(w.size, f->head_size);
}

static int read_file(void *ctx, uint64_t number, uint64_t place, void *buffer, size_t size,
                     size_t *got, struct vstamp_diag *diag)
{
    const struct fixture *f = ctx;
    (void)diag;
    assert_true(place % JOURNAL_BLOCK == 0 && size % JOURNAL_BLOCK == 0); /* as O_DIRECT wants it */
    *got = 0;
    if (number != NUMBER || place >= sizeof f->file) return 0;
    *got = size < sizeof f->file - place ? size : sizeof f->file - (size_t)place;
    memcpy(buffer, f->file + place, *got);
    return 0;
}

static int restore(struct fixture *f, struct vstamp_diag *diag)
{
    const struct node_source source = {.ctx = f, .read = read_file};
    uint64_t number;
    put_head(f);
    int rv = node_restore_journal(f->node, NUMBER, NUMBER, &source, &number, diag);
    return rv == 0 ? node_restore_done(f->node, diag) : rv;
}

static void expect(struct fixture *f, int error, const char *part)
{
    struct vstamp_diag diag = {0};
    assert_int_equal(restore(f, &diag), error);
    if (strstr(diag.text, part) == NULL) fail_msg("said: %s", diag.text);
}

static void what_is_whole_is_restored(void **state)
{
    struct fixture *f = *state;
    struct vstamp_diag diag = {0};
    struct wire_entry_header first = put_some(f);
    PUT(f, HARD_STATE, hard_state, .group = group, .view = 3, .log_view = 1, .op = 1, .commit = 1,
        .checksum = first.checksum);
    assert_int_equal(restore(f, &diag), 0);
    assert_int_equal(f->node->vr.log.op, 1);
    assert_int_equal(f->node->vr.commit, 1);
    assert_int_equal(f->node->vr.view, 3);
}

static void a_hard_state_does_not_take_back_what_is_committed(void **state)
{
    struct fixture *f = *state;
    put_some(f);
    PUT(f, HARD_STATE, hard_state, .group = group, .op = 0);
    expect(f, VSTAMP_E_CORRUPT, "damaged at byte");
}

static void a_hard_state_does_not_commit_what_it_does_not_hold(void **state)
{
    struct fixture *f = *state;
    struct wire_entry_header first = put_some(f);
    PUT(f, HARD_STATE, hard_state, .group = group, .op = 1, .commit = 2,
        .checksum = first.checksum);
    expect(f, VSTAMP_E_CORRUPT, "damaged at byte");
}

static void a_hard_state_is_of_a_view_that_can_be(void **state)
{
    struct fixture *f = *state;
    PUT(f, HARD_STATE, hard_state, .group = group, .view = 1, .log_view = 2);
    expect(f, VSTAMP_E_CORRUPT, "damaged at byte");
}

static void a_view_that_nobody_counts_to_is_damage(void **state)
{
    struct fixture *f = *state;
    PUT(f, HARD_STATE, hard_state, .group = group, .view = UINT64_MAX);
    expect(f, VSTAMP_E_CORRUPT, "damaged at byte");
}

static void a_record_that_has_no_place_in_a_journal_is_damage(void **state)
{
    struct fixture *f = *state;
    put_some(f);
    PUT(f, COPY_TAIL, copy_tail, .op = 2);
    PUT(f, COPY_TAIL, copy_tail, .op = 2); /* nothing behind the first is looked at */
    expect(f, VSTAMP_E_CORRUPT, "damaged at byte");
}

static void what_only_looks_like_an_entry_is_damage(void **state)
{
    struct fixture *f = *state;
    struct wire_entry entry = {.header = {.op = 1, .view = 1},
                               .body = {(const uint8_t *)"\0\0\0", 4}};
    entry.header.checksum = log_checksum(group, &entry.header, entry.body);
    PUT(f, HARD_STATE, hard_state, .group = group);
    PUT(f, COPY_ENTRY, journal_entry, .entry = entry);
    expect(f, VSTAMP_E_CORRUPT, "damaged at byte");
}

static void an_entry_of_a_later_version_is_no_damage(void **state)
{
    struct fixture *f = *state;
    struct wire_entry entry = {.header = {.op = 1, .view = 1, .version = WIRE_NEWEST + 1},
                               .body = {(const uint8_t *)"\0\0\0", 4}};
    entry.header.checksum = log_checksum(group, &entry.header, entry.body);
    PUT(f, HARD_STATE, hard_state, .group = group);
    PUT(f, ENTRY, journal_entry, .entry = entry);
    expect(f, VSTAMP_E_VERSION, "holds entries in a later version of the protocol");
}

/* A hard state, an entry, and one of which only the header was there. */
static void put_one_of_each(struct fixture *f)
{
    PUT(f, HARD_STATE, hard_state, .group = group, .view = 1);
    struct wire_entry_header first = put_entry(f, 1, 0, (struct vstamp_id){0, 0});
    PUT(f, HOLE, entry_outline, .commit = 1, .body_size = 4,
        .header = {.op = 2, .view = 1, .parent = first.checksum});
}

static void a_hole_is_read_back_as_one(void **state)
{
    struct fixture *f = *state;
    struct vstamp_diag diag = {0};
    put_one_of_each(f);
    assert_int_equal(restore(f, &diag), 0);
    assert_int_equal(f->node->vr.log.op, 2);
    assert_false(log_is_hole(&f->node->vr.log, 1));
    assert_true(log_is_hole(&f->node->vr.log, 2));
}

/* The first batch of a life names what the newest of the one before it held. */
static void what_is_read_last_can_be_named(void **state)
{
    struct fixture *f = *state;
    struct vstamp_diag diag = {0};
    put_one_of_each(f);
    assert_int_equal(restore(f, &diag), 0);
    struct wire_list named = wire_list_end(&f->node->journal.outline);
    struct reader items = wire_list_start(&named);
    struct journal_reader r = {.file = {f->file, f->w.size},
                               .number = journal_batch_identity(LIFE, 1), .place = f->head_size};
    assert_int_equal(named.count, 3);
    for (int i = 0; i < 3; i++) {
        struct wire_batch_item item;
        struct wire_entry_outline outline;
        enum journal_kind kind;
        struct bytes body;
        size_t from = r.place;
        assert_int_equal(journal_next(&r, &kind, &body), JOURNAL_RECORD);
        wire_list_next(&wire_shape_batch_item, &items, &item);
        assert_int_equal(item.kind, kind);
        assert_int_equal(item.size, r.place - from);
        if (kind != JOURNAL_ENTRY) {
            assert_true(bytes_equal(item.content, body));
        } else {
            assert_int_equal(wire_decode(&wire_shape_entry_outline, item.content, &outline), 0);
            assert_int_equal(outline.header.op, 1);
            assert_int_equal(outline.body_size, 4);
        }
    }
}

/* What was lost, and how much was fetched since, is said again when a segment begins, before its
 * entries. */
static void a_loss_does_not_void_what_was_fetched_since(void **state)
{
    struct fixture *f = *state;
    struct vstamp_diag diag = {0};
    struct wire_entry_header first = put_entry(f, 1, 0, (struct vstamp_id){0, 0});
    assert_int_equal(vr_restore_checkpoint(&f->node->vr, group, &first, false), 0);
    PUT(f, HARD_STATE, hard_state, .group = group, .lost = 1, .op = 3, .commit = 1);
    struct wire_entry_header second = put_entry(f, 2, 1, first.checksum);
    put_entry(f, 3, 2, second.checksum);
    assert_int_equal(restore(f, &diag), 0);
    assert_int_equal(f->node->vr.log.op, 3);
    assert_true(f->node->vr.lost);
}

/* So it is with what one that began empty has fetched, and who crashes then is still blank. */
static void a_blank_one_stays_blank_with_what_it_fetched(void **state)
{
    struct fixture *f = *state;
    struct vstamp_diag diag = {0};
    struct wire_entry_header first = put_entry(f, 1, 0, (struct vstamp_id){0, 0});
    assert_int_equal(vr_restore_checkpoint(&f->node->vr, group, &first, false), 0);
    f->node->restore.checkpoint = NUMBER;
    PUT(f, HARD_STATE, hard_state, .op = 2, .commit = 1);
    put_entry(f, 2, 1, first.checksum);
    assert_int_equal(restore(f, &diag), 0);
    assert_int_equal(f->node->vr.log.op, 2);
    assert_true(node_is_blank(f->node));
}

static void a_file_says_whose_it_is(void **state)
{
    struct fixture *f = *state;
    put_some(f);
    f->owner.address = bytes_of("c:1");
    expect(f, VSTAMP_E_CONFIG, "belongs to the replica at c:1, this is the one at a:1");
}

static void a_file_says_what_is_replicated(void **state)
{
    struct fixture *f = *state;
    put_some(f);
    f->owner.application = bytes_of("a mere counter!");
    expect(f, VSTAMP_E_CONFIG, "holds the state of the application \"a mere counter!\"");
}

static void a_file_says_what_all_were_told(void **state)
{
    struct fixture *f = *state;
    put_some(f);
    f->owner.settings.batch_bytes = 8192;
    expect(f, VSTAMP_E_CONFIG,
           "was written with batch_bytes 8192, and the configuration says 4096");
}

/* Who leaves a group that nobody has used for another one may be about to begin a segment. */
static void another_group_may_follow_one_that_was_not_used(void **state)
{
    struct fixture *f = *state;
    struct vstamp_diag diag = {0};
    f->owner.group = group;
    f->node->vr.group = (struct vstamp_id){9, 9}; /* as the files before it said */
    assert_int_equal(node_is_ours(f->node, &f->owner, &diag), 0);
    f->node->vr.log.op = 1;
    assert_int_equal(node_is_ours(f->node, &f->owner, &diag), VSTAMP_E_OTHER_GROUP);
    assert_string_equal(diag.text, "belongs to another group than the files before it");
    f->node->vr.group = (struct vstamp_id){0}; /* of a blank one, which has fetched entries */
    assert_int_equal(node_is_ours(f->node, &f->owner, &diag), 0);
}

static void a_format_of_another_version_is_named(void **state)
{
    struct fixture *f = *state;
    put_some(f);
    f->owner.version = WIRE_NEWEST + 1;
    expect(f, VSTAMP_E_VERSION, "and this program speaks");
}

/* A file under another's name, or what a former use of it left: nothing was written to this one. */
static void a_file_says_its_own_number(void **state)
{
    struct fixture *f = *state;
    struct vstamp_diag diag = {0};
    put_some(f);
    f->owner.number = NUMBER + 1;
    assert_int_equal(restore(f, &diag), 0);
    assert_int_equal(f->node->vr.log.op, 0);
}

/* The checksum does not cover it; nothing else may stand there either. */
static void what_fills_a_record_up_is_zeros(void **state)
{
    struct fixture *f = *state;
    struct vstamp_diag diag = {0};
    PUT(f, HARD_STATE, hard_state, .group = group, .view = 3);
    size_t from = f->w.size + JOURNAL_HEADER_SIZE;
    put_entry(f, 1, 0, (struct vstamp_id){0, 0});
    assert_true(f->w.size - from > load_u32(f->file + from - JOURNAL_HEADER_SIZE));
    f->file[f->w.size - 1] = 1;
    assert_int_equal(restore(f, &diag), 0); /* as the last write it may be torn */
    assert_int_equal(f->node->vr.view, 0);
}

static void a_record_is_of_a_kind_that_there_is(void **state)
{
    static const enum journal_kind kinds[] = {0, JOURNAL_KINDS};
    const struct wire_copy_tail tail = {.op = 2};
    uint8_t file[256];
    struct bytes body;
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct writer w = writer_over(file, sizeof file);
        enum journal_kind kind;
        assert_true(journal_put(&w, NUMBER, 0, kinds[i], &wire_shape_copy_tail, &tail));
        struct journal_reader r = {.file = {file, w.size}, .number = NUMBER};
        assert_int_equal(journal_next(&r, &kind, &body), JOURNAL_BAD);
    }
}

static void a_version_is_read_by_those_who_speak_it(void **state)
{
    struct vstamp_diag diag;
    (void)state;
    assert_int_equal(journal_check_version(4, 4, 5, &diag), 0);
    assert_int_equal(journal_check_version(5, 4, 5, &diag), 0);
    assert_int_equal(journal_check_version(3, 4, 5, &diag), VSTAMP_E_VERSION);
    assert_non_null(strstr(diag.text, "or a former one that still reads it"));
    assert_int_equal(journal_check_version(6, 4, 5, &diag), VSTAMP_E_VERSION);
    assert_non_null(strstr(diag.text, "or a later one that still reads it"));
}

#define PUT_FILE(f, KIND, name, ...)                                                               \
    assert_true(journal_put(&(f)->w, NUMBER, (f)->w.size, JOURNAL_##KIND, &wire_shape_##name,      \
                            &(struct wire_##name){__VA_ARGS__}))

/* Of a checkpoint of two pages. */
static int restore_head(struct fixture *f, uint32_t n_stored, uint64_t sum,
                        struct vstamp_diag *diag)
{
    f->w.size = 0;
    PUT_FILE(f, SEGMENT, segment, .version = WIRE_NEWEST, .number = NUMBER,
             .settings = f->owner.settings, .address = bytes_of("a:1"), .group = f->owner.group,
             .application = bytes_of("key-value store"));
    PUT_FILE(f, CHECKPOINT_HEAD, checkpoint_head, .anchor = {.op = 8}, .n_pages = 2,
             .n_stored = n_stored, .sum = sum);
    return node_restore_checkpoint(f->node, NUMBER, (struct bytes){f->file, f->w.size}, diag);
}

/* And whose group it is of, so that what follows can be told from another one's. */
static void a_checkpoint_of_nothing_is_one(void **state)
{
    struct fixture *f = *state;
    struct vstamp_diag diag = {0};
    f->owner.group = group;
    assert_int_equal(restore_head(f, 0, 0, &diag), 0);
    assert_int_equal(node_restore_checkpoint_done(f->node, &diag), 0);
    assert_int_equal(f->node->vr.log.op, 8);
    f->owner.group = (struct vstamp_id){9, 9};
    assert_int_equal(node_is_ours(f->node, &f->owner, &diag), VSTAMP_E_OTHER_GROUP);
}

static void assert_head_refused(struct fixture *f, uint64_t number, const char *why)
{
    struct vstamp_diag diag = {0};
    const struct bytes head = {f->file, f->w.size};
    assert_int_equal(node_restore_checkpoint(f->node, number, head, &diag), VSTAMP_E_CORRUPT);
    assert_string_equal(diag.text, why);
    f->w.size = 0;
}

/* Records that check, and are others. */
static void a_checkpoint_has_a_head_of_its_own(void **state)
{
    struct fixture *f = *state;
    struct vstamp_diag diag = {0};
    const struct wire_segment owner = f->owner;
    const struct wire_segment other = {.version = WIRE_NEWEST, .number = NUMBER + 1,
                                       .settings = owner.settings, .address = owner.address,
                                       .application = owner.application};
    f->w.size = 0;
    assert_true(journal_put(&f->w, NUMBER, 0, JOURNAL_SEGMENT, &wire_shape_segment, &other));
    assert_head_refused(f, NUMBER, "the first record does not check");
    assert_true(journal_put(&f->w, NUMBER, 0, JOURNAL_BATCH, &wire_shape_segment, &owner));
    assert_head_refused(f, NUMBER, "the first record does not check");
    assert_true(journal_put(&f->w, NUMBER, 0, JOURNAL_SEGMENT, &wire_shape_segment, &owner));
    PUT_FILE(f, BATCH, checkpoint_head, .anchor = {.op = 8}, .n_pages = 2);
    assert_head_refused(f, NUMBER, "the head of the checkpoint does not check");
    assert_true(journal_put(&f->w, NUMBER, 0, JOURNAL_SEGMENT, &wire_shape_segment, &owner));
    PUT_FILE(f, CHECKPOINT_HEAD, checkpoint_head, .anchor = {.op = 8}, .n_pages = 17);
    assert_head_refused(f, NUMBER, "the head of the checkpoint does not check");
    assert_int_equal(restore_head(f, 0, 0, &diag), 0);
}

static void a_checkpoint_with_pages_that_do_not_make_sense_is_refused(void **state)
{
    struct fixture *f = *state;
    struct vstamp_diag diag = {0};
    static uint8_t content[VSTAMP_PAGE_SIZE];
    content[4] = 7; /* of the store's form */
    struct node_page page = {1, node_page_checksum(1, content), content};
    assert_int_equal(restore_head(f, 1, page.checksum, &diag), 0);
    assert_int_equal(node_restore_page(f->node, &page, &diag), 0);
    assert_int_equal(node_restore_checkpoint_done(f->node, &diag), VSTAMP_E_CORRUPT);
    assert_string_equal(diag.text, "its pages do not make sense");
}

static void a_page_has_its_own_place_and_content(void **state)
{
    struct fixture *f = *state;
    struct vstamp_diag diag = {0};
    static uint8_t content[VSTAMP_PAGE_SIZE];
    content[4] = 7;
    struct node_page page = {1, node_page_checksum(1, content), content};
    assert_int_equal(restore_head(f, 1, page.checksum, &diag), 0);
    assert_int_equal(node_restore_page(f->node, &(struct node_page){0, page.checksum, content},
                                       &diag), VSTAMP_E_CORRUPT);
    assert_string_equal(diag.text, "page 0 does not check");
    assert_int_equal(node_restore_page(f->node, &(struct node_page){2, page.checksum, content},
                                       &diag), VSTAMP_E_CORRUPT);
    assert_string_equal(diag.text, "page 2 is not where it belongs");
    assert_int_equal(node_restore_page(f->node, &page, &diag), 0);
    assert_int_equal(node_restore_page(f->node, &page, &diag), VSTAMP_E_CORRUPT);
    assert_string_equal(diag.text, "page 1 is not where it belongs");
}

static void an_older_page_does_not_pass_for_the_newest(void **state)
{
    struct fixture *f = *state;
    struct vstamp_diag diag = {0};
    static uint8_t content[VSTAMP_PAGE_SIZE];
    content[4] = 7;
    struct node_page page = {1, node_page_checksum(1, content), content};
    assert_int_equal(restore_head(f, 1, page.checksum + 1, &diag), 0);
    assert_int_equal(node_restore_page(f->node, &page, &diag), 0);
    assert_int_equal(node_restore_checkpoint_done(f->node, &diag), VSTAMP_E_CORRUPT);
    assert_string_equal(diag.text, "1 pages of 1: some are missing, or older");
    assert_int_equal(restore_head(f, 2, page.checksum, &diag), 0);
    assert_int_equal(node_restore_checkpoint_done(f->node, &diag), VSTAMP_E_CORRUPT);
    assert_string_equal(diag.text, "1 pages of 2: some are missing, or older");
}

/* What the files say of those that must be there, too: the checkpoint has the number of the segment
 * that follows it, and that one says what it was, or that it is blank since. */
static void no_file_is_missing(void **state)
{
    enum { NOTHING, HARD_STATE, LOST, FORGOTTEN };
    static const char journal[] = "the journal that follows the checkpoint is missing";
    static const struct {
        uint64_t checkpoint, first;
        int said;
        const char *missing; /* NULL: nothing */
    } cases[] = {
        {0, 0, NOTHING, NULL},    {0, 1, HARD_STATE, NULL}, {3, 0, NOTHING, journal},
        {3, 3, NOTHING, journal}, {3, 3, HARD_STATE, NULL}, {3, 3, LOST, NULL},
        {3, 3, FORGOTTEN, NULL},  {3, 4, HARD_STATE, journal},
    };
    struct fixture *f = *state;
    struct node *n = f->node;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct vstamp_diag diag = {0};
        n->restore.checkpoint = cases[i].checkpoint;
        n->restore.first = cases[i].first;
        n->vr.has_hard_state = cases[i].said == HARD_STATE;
        n->vr.lost = cases[i].said == LOST;
        n->restore.forgotten = cases[i].said == FORGOTTEN;
        int rv = node_restore_done(n, &diag);
        assert_int_equal(rv, cases[i].missing != NULL ? VSTAMP_E_CORRUPT : 0);
        assert_string_equal(diag.text, cases[i].missing != NULL ? cases[i].missing : "");
    }
}

static void a_journal_that_begins_later_needs_a_checkpoint(void **state)
{
    struct fixture *f = *state;
    const struct node_source source = {.ctx = f, .read = read_file};
    struct vstamp_diag diag = {0};
    uint64_t number = 0;
    int rv = node_restore_journal(f->node, 2, 3, &source, &number, &diag);
    assert_int_equal(rv, VSTAMP_E_CORRUPT);
    assert_int_equal(number, 2);
    assert_string_equal(diag.text, "the checkpoint before the journal is missing");
}

/* Then nothing of what was read counts, and the files begin anew. */
static void who_gives_up_knows_that_it_knew_something(void **state)
{
    struct fixture *f = *state;
    struct vstamp_diag diag = {0};
    static uint8_t content[VSTAMP_PAGE_SIZE];
    content[4] = 7;
    const struct node_page page = {1, node_page_checksum(1, content), content};
    assert_int_equal(restore_head(f, 1, page.checksum, &diag), 0);
    assert_int_equal(node_restore_page(f->node, &page, &diag), 0);
    f->w.size = f->head_size;
    put_some(f);
    assert_int_equal(restore(f, &diag), 0);
    f->node->vr.config.n_replicas = 2; /* too few to recover */
    assert_false(node_restore_give_up(f->node));
    assert_int_equal(f->node->vr.log.op, 2);
    f->node->vr.config.n_replicas = 3;
    assert_true(node_restore_give_up(f->node));
    assert_int_equal(node_restore_done(f->node, &diag), 0);
    assert_int_equal(f->node->vr.log.op, 0);
    assert_int_equal(f->node->journal.segment, 0);
    assert_int_equal(f->node->journal.place, 0);
    assert_int_equal(f->node->checkpoint.n_stored, 0);
    assert_int_equal(f->node->checkpoint.sum, 0);
    assert_false(node_is_blank(f->node));
}

/* How a running replica looks through the segment (scrub.c); the newest one is `last`. */
static struct node_checked look(struct fixture *f, uint64_t last)
{
    const struct node_source source = {.ctx = f, .read = read_file};
    const size_t most = 512u << 10;
    struct node_journal_check check = {
        .number = NUMBER,
        .last = last,
        .last_end = (f->w.size + JOURNAL_BLOCK - 1) / JOURNAL_BLOCK * JOURNAL_BLOCK,
        .window = {.bytes = malloc(most)},
        .window_max = most,
        .batch_size_max = most - JOURNAL_BLOCK,
        .names = malloc(most)};
    assert_non_null(check.window.bytes);
    assert_non_null(check.names);
    put_head(f);
    node_check_journal(&check, &source);
    assert_in_range(check.window.capacity, 1, most);
    free(check.window.bytes);
    free(check.names);
    return check.found;
}

/* Rule: a batch that is larger than what is usually read at once is no damage, and damage in its
 * end is found. */
static void a_batch_of_any_size_is_looked_through(void **state)
{
    struct fixture *f = *state;
    struct wire_entry_header last = put_some(f);
    while (f->w.size < 350u << 10) last = put_entry(f, last.op + 1, last.op, last.checksum);
    struct node_checked found = look(f, NUMBER);
    assert_false(found.rotten);
    assert_int_equal(NUMBER + 1, found.number);
    assert_int_equal(0, found.place);
    f->file[f->w.size - 1 - JOURNAL_BLOCK] ^= 1;
    found = look(f, NUMBER);
    assert_true(found.rotten);
    assert_int_equal(NUMBER, found.number);
    assert_int_equal(0, found.place);
}

/* Rule: where a segment ends is said by the next one: if that does not, it is damaged. */
static void a_segment_that_is_missing_is_damage(void **state)
{
    struct fixture *f = *state;
    put_some(f);
    struct node_checked found = look(f, NUMBER + 1);
    assert_true(found.rotten);
    assert_int_equal(NUMBER + 1, found.number);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(what_is_whole_is_restored),
        TEST(a_hard_state_does_not_take_back_what_is_committed),
        TEST(a_hard_state_does_not_commit_what_it_does_not_hold),
        TEST(a_hard_state_is_of_a_view_that_can_be),
        TEST(a_view_that_nobody_counts_to_is_damage),
        TEST(a_file_says_whose_it_is),
        TEST(a_file_says_what_is_replicated),
        TEST(a_file_says_what_all_were_told),
        TEST(another_group_may_follow_one_that_was_not_used),
        TEST(a_format_of_another_version_is_named),
        TEST(a_loss_does_not_void_what_was_fetched_since),
        TEST(a_blank_one_stays_blank_with_what_it_fetched),
        TEST(a_record_that_has_no_place_in_a_journal_is_damage),
        TEST(what_only_looks_like_an_entry_is_damage),
        TEST(an_entry_of_a_later_version_is_no_damage),
        TEST(a_hole_is_read_back_as_one),
        TEST(what_is_read_last_can_be_named),
        TEST(a_file_says_its_own_number),
        TEST(what_fills_a_record_up_is_zeros),
        TEST(a_record_is_of_a_kind_that_there_is),
        TEST(a_version_is_read_by_those_who_speak_it),
        TEST(no_file_is_missing),
        TEST(a_journal_that_begins_later_needs_a_checkpoint),
        TEST(who_gives_up_knows_that_it_knew_something),
        TEST(a_checkpoint_of_nothing_is_one),
        TEST(a_checkpoint_has_a_head_of_its_own),
        TEST(a_checkpoint_with_pages_that_do_not_make_sense_is_refused),
        TEST(a_page_has_its_own_place_and_content),
        TEST(an_older_page_does_not_pass_for_the_newest),
        TEST(a_batch_of_any_size_is_looked_through),
        TEST(a_segment_that_is_missing_is_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

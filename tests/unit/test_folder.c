/* SPDX-License-Identifier: BSD-2-Clause */
/* What vstamp-admin journal says of a folder whose records contradict each other, or are damaged:
 * what is wrong with each, and that what a start takes (test_restore.c) is sound. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "admin/folder.h"
#include "node/journal.h"
#include "replica/storage_lane.h"

#define NUMBER  1u
#define LIFE    77u
#define SEGMENT (64u << 10)

/* Of vr/log.h, whose struct log has the name of another one of program/log.h. */
struct vstamp_id log_checksum(struct vstamp_id group, const struct wire_entry_header *header,
                              struct bytes body);

static const struct vstamp_id group = {1, 2}, others = {3, 4};
static const struct bytes no_requests = {(const uint8_t *)"\0\0\0", 4};

/* A segment of some batches, each of which names what the one before it held. */
struct fixture {
    char path[32];
    struct storage storage;
    struct lane lane;
    uint8_t file[SEGMENT];
    struct wire_segment owner; /* of the batches to come */
    struct node_batch before;
    uint64_t sequence, place;
    struct writer w; /* over the batch that is being written */
    struct wire_batch_head head;
    uint8_t names[2][4096], contents[4096];
    struct writer content;
    struct wire_list_builder named;
    size_t places[8]; /* of the records that were put first */
    unsigned n_records;
    char found[1024]; /* a line for each finding */
};

/* --- batches ---------------------------------------------------------------------------------- */

static void begin_batch(struct fixture *f)
{
    uint64_t sequence = ++f->sequence;
    f->head = (struct wire_batch_head){.owner = f->owner, .life = LIFE, .sequence = sequence};
    if (sequence > 1) {
        f->head.before_number = NUMBER;
        f->head.before_place = f->before.place;
        f->head.before_size = f->before.size;
        f->head.before_head = f->before.head;
        f->head.before_life = LIFE;
        f->head.before = wire_list_end(&f->named);
    }
    wire_list_begin(&f->named, &wire_shape_batch_item, f->names[sequence % 2],
                    sizeof f->names[0]);
    f->w = writer_over(f->file + f->place, sizeof f->file - f->place);
    f->w.size = journal_record_size(&wire_shape_batch_head, &f->head);
    f->before = (struct node_batch){.place = f->place, .head = f->w.size};
}

static void end_batch(struct fixture *f)
{
    struct writer w = writer_over(f->file + f->place, (size_t)f->before.head);
    f->head.size = f->before.size = f->w.size;
    assert_true(journal_put(&w, NUMBER, f->place, JOURNAL_BATCH, &wire_shape_batch_head,
                            &f->head));
    f->place += (f->w.size + JOURNAL_BLOCK - 1) / JOURNAL_BLOCK * JOURNAL_BLOCK;
}

/* The next batch: what is put belongs to it. */
static void next_batch(struct fixture *f)
{
    end_batch(f);
    begin_batch(f);
}

static void put(struct fixture *f, enum journal_kind kind, const struct wire_shape *shape,
                const void *record, const struct wire_shape *named, const void *name)
{
    size_t from = f->w.size, at = f->content.size;
    if (f->n_records < 8) f->places[f->n_records++] = (size_t)f->place + from;
    assert_true(journal_put(&f->w, journal_batch_identity(LIFE, f->sequence), from, kind, shape,
                            record));
    wire_encode(named, name, &f->content);
    const struct wire_batch_item item = {.kind = kind, .size = (uint32_t)(f->w.size - from),
                                         .content = {f->contents + at, f->content.size - at}};
    assert_true(f->content.ok && wire_list_add(&f->named, &item));
}

static void put_state(struct fixture *f, struct wire_hard_state state)
{
    put(f, JOURNAL_HARD_STATE, &wire_shape_hard_state, &state, &wire_shape_hard_state, &state);
}

static void put_header(struct fixture *f, struct wire_entry_header header, uint64_t commit)
{
    const struct wire_journal_entry record = {
        .commit = commit, .entry = {.header = header, .body = no_requests}};
    const struct wire_entry_outline outline = {.commit = commit, .header = header, .body_size = 4};
    put(f, JOURNAL_ENTRY, &wire_shape_journal_entry, &record, &wire_shape_entry_outline, &outline);
}

/* Entry `op` of a chain, of that view, with an empty batch. */
static struct vstamp_id put_entry(struct fixture *f, uint64_t op, uint64_t view, uint64_t commit,
                                  struct vstamp_id parent)
{
    struct wire_entry_header header = {.op = op, .view = view, .parent = parent};
    header.checksum = log_checksum(f->owner.group, &header, no_requests);
    put_header(f, header, commit);
    return header.checksum;
}

/* A hard state, and three entries of which one is committed; the checksums of the first two. */
static void put_some(struct fixture *f, struct vstamp_id first_two[2])
{
    put_state(f, (struct wire_hard_state){.group = group});
    first_two[0] = put_entry(f, 1, 1, 0, (struct vstamp_id){0, 0});
    first_two[1] = put_entry(f, 2, 1, 0, first_two[0]);
    put_entry(f, 3, 1, 1, first_two[1]);
}

static int set_up(void **state)
{
    const struct node_job job = {.number = NUMBER};
    struct fixture *f = calloc(1, sizeof *f);
    if (f == NULL) return -1;
    *state = f;
    snprintf(f->path, sizeof f->path, "/tmp/vstamp-test-XXXXXX");
    if (mkdtemp(f->path) == NULL) return -1;
    snprintf(f->storage.folder, sizeof f->storage.folder, "%s", f->path);
    f->storage.folder_fd = open(f->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    f->storage.journal.segment_size = SEGMENT;
    f->lane = (struct lane){.storage = &f->storage, .fd = -1, .fetched_fd = -1};
    if (!segment_make(&f->lane, &job)) return -1;
    close(f->lane.fd);
    f->owner = (struct wire_segment){.version = WIRE_NEWEST, .number = NUMBER, .group = group,
                                     .address = bytes_of("a:1"),
                                     .application = bytes_of("key-value store"),
                                     .settings.durability = bytes_of("disk")};
    f->content = writer_over(f->contents, sizeof f->contents);
    begin_batch(f);
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    char name[STORAGE_NAME_SIZE];
    storage_segment_name(name, NUMBER);
    unlinkat(f->storage.folder_fd, name, 0);
    close(f->storage.folder_fd);
    rmdir(f->path);
    free(f);
    return 0;
}

/* --- what is said ----------------------------------------------------------------------------- */

static void note(void *ctx, const char *file, uint64_t place, const char *text)
{
    struct fixture *f = ctx;
    size_t used = strlen(f->found);
    (void)file;
    (void)place;
    snprintf(f->found + used, sizeof f->found - used, "%s\n", text);
}

static void write_file(const struct fixture *f)
{
    char name[STORAGE_NAME_SIZE];
    storage_segment_name(name, NUMBER);
    int fd = openat(f->storage.folder_fd, name, O_WRONLY | O_CLOEXEC);
    assert_int_equal(pwrite(fd, f->file, sizeof f->file, 0), sizeof f->file);
    close(fd);
}

/* All findings are these lines; and the log ends at `op`. */
static void expect_of_file(struct fixture *f, const char *found, uint64_t op)
{
    static struct folder folder;
    const struct folder_visitor visitor = {.ctx = f, .finding = note};
    struct vstamp_diag diag = {0};
    write_file(f);
    assert_int_equal(folder_open(&folder, f->path, &diag), 0);
    assert_int_equal(folder_walk(&folder, &visitor, &diag), 0);
    assert_string_equal(f->found, found);
    assert_int_equal(folder.op, op);
    folder_close(&folder);
}

static void expect(struct fixture *f, const char *found, uint64_t op)
{
    end_batch(f);
    expect_of_file(f, found, op);
}

/* --- logs that can be ------------------------------------------------------------------------- */

static void what_is_whole_is_sound(void **state)
{
    struct fixture *f = *state;
    struct vstamp_id known[2];
    put_some(f, known);
    next_batch(f);
    put_state(f, (struct wire_hard_state){.group = group, .view = 3, .log_view = 3, .op = 2,
                                          .commit = 1, .checksum = known[1]});
    put_entry(f, 3, 3, 2, known[1]);
    expect(f, "", 3);
}

static void what_is_not_committed_may_be_replaced(void **state)
{
    struct fixture *f = *state;
    struct vstamp_id known[2];
    put_some(f, known);
    put_entry(f, 2, 2, 1, known[0]);
    expect(f, "", 2);
}

/* A hard state that speaks of a log which is not here says nothing of this one. */
static void a_state_of_another_log_ends_none(void **state)
{
    struct fixture *f = *state;
    struct vstamp_id known[2];
    put_some(f, known);
    put_state(f, (struct wire_hard_state){.group = group, .op = 9, .commit = 9});
    expect(f, "", 3);
}

static void who_is_blank_begins_anew(void **state)
{
    struct fixture *f = *state;
    struct vstamp_id known[2];
    put_some(f, known);
    put_state(f, (struct wire_hard_state){0});
    put_entry(f, 1, 9, 0, (struct vstamp_id){0, 0});
    expect(f, "", 1);
}

/* What was fetched since stands, and so does what was fetched by one that had lost its state. */
static void what_was_fetched_by_a_blank_one_stands(void **state)
{
    struct fixture *f = *state;
    struct vstamp_id known[2];
    put_some(f, known);
    put_state(f, (struct wire_hard_state){.op = 4, .commit = 1});
    put_entry(f, 3, 2, 1, known[1]);
    expect(f, "", 3);
}

static void what_was_fetched_after_a_loss_stands(void **state)
{
    struct fixture *f = *state;
    struct vstamp_id known[2];
    put_some(f, known);
    put_state(f, (struct wire_hard_state){.group = group, .lost = 1, .op = 4, .commit = 1});
    put_entry(f, 3, 2, 1, known[1]);
    expect(f, "", 3);
}

static void a_loss_of_everything_voids_what_was_there(void **state)
{
    struct fixture *f = *state;
    struct vstamp_id known[2];
    put_some(f, known);
    put_state(f, (struct wire_hard_state){.group = group, .lost = 1});
    put_entry(f, 1, 9, 0, (struct vstamp_id){0, 0});
    expect(f, "", 1);
}

/* As a member to be does that has formed a group with others of its kind. */
static void a_group_that_did_nothing_may_be_left(void **state)
{
    struct fixture *f = *state;
    put_state(f, (struct wire_hard_state){.group = group});
    f->owner.group = others;
    next_batch(f);
    put_state(f, (struct wire_hard_state){.group = others});
    put_entry(f, 1, 1, 0, (struct vstamp_id){0, 0});
    expect(f, "", 1);
}

/* --- logs that cannot be ---------------------------------------------------------------------- */

static void a_state_is_of_a_view_that_can_be(void **state)
{
    struct fixture *f = *state;
    put_state(f, (struct wire_hard_state){.group = group, .view = 1, .log_view = 2});
    put_state(f, (struct wire_hard_state){.group = group, .view = UINT64_MAX});
    expect(f, "a hard state of a view that cannot be\n"
              "a hard state of a view that cannot be\n", 0);
}

static void a_state_does_not_take_back_what_is_committed(void **state)
{
    struct fixture *f = *state;
    struct vstamp_id known[2];
    put_some(f, known);
    put_state(f, (struct wire_hard_state){.group = group});
    expect(f, "a hard state that ends the log at op 0, though 1 is committed\n", 0);
}

static void a_state_does_not_commit_what_it_does_not_hold(void **state)
{
    struct fixture *f = *state;
    struct vstamp_id known[2];
    put_some(f, known);
    put_state(f, (struct wire_hard_state){.group = group, .op = 2, .commit = 3,
                                          .checksum = known[1]});
    expect(f, "a hard state that ends the log at op 2, though 3 is committed\n", 2);
}

static void an_entry_is_what_its_header_says(void **state)
{
    struct fixture *f = *state;
    put_state(f, (struct wire_hard_state){.group = group});
    put_header(f, (struct wire_entry_header){.op = 1, .checksum = {5, 6}}, 0);
    expect(f, "entry 1 is not what its header says\n", 1);
}

static void an_entry_follows_the_one_before_it(void **state)
{
    struct fixture *f = *state;
    struct vstamp_id known[2];
    put_some(f, known);
    put_entry(f, 4, 1, 1, known[0]);
    expect(f, "entry 4 does not follow the entry before it\n", 4);
}

static void an_entry_does_not_replace_one_that_is_committed(void **state)
{
    struct fixture *f = *state;
    struct vstamp_id known[2];
    put_some(f, known);
    put_entry(f, 1, 2, 0, (struct vstamp_id){0, 0});
    expect(f, "entry 1 replaces one that is committed\n", 1);
}

static void a_record_of_another_kind_has_no_place_here(void **state)
{
    struct fixture *f = *state;
    const struct wire_hard_state record = {.group = group};
    put(f, JOURNAL_TRAIL, &wire_shape_hard_state, &record, &wire_shape_hard_state, &record);
    put_state(f, record);
    expect(f, "a record that has no place in a journal\n", 0);
}

static void a_folder_is_that_of_one_replica(void **state)
{
    struct fixture *f = *state;
    struct vstamp_id known[2];
    put_some(f, known);
    f->owner.address = bytes_of("c:1");
    next_batch(f);
    f->owner.address = bytes_of("a:1");
    f->owner.application = bytes_of("counter");
    next_batch(f);
    f->owner.application = bytes_of("key-value store");
    f->owner.settings.max_clients = 7;
    next_batch(f);
    f->owner.settings.max_clients = 0;
    f->owner.group = others;
    next_batch(f);
    expect(f, "belongs to the replica at c:1, the rest to the one at a:1\n"
              "holds another application than \"key-value store\"\n"
              "was written with max_clients 7, the files before it with 0\n"
              "belongs to another group than the files before it\n", 3);
}

/* --- damage ----------------------------------------------------------------------------------- */

/* A first batch with a hard state and an entry, and others behind it. */
static void put_batches(struct fixture *f)
{
    struct vstamp_id known[2];
    put_some(f, known);
    for (int i = 0; i < 2; i++) {
        next_batch(f);
        put_state(f, (struct wire_hard_state){.group = group, .op = 3, .commit = 1});
    }
    end_batch(f);
}

static void damage_a_record(struct fixture *f, unsigned i)
{
    f->file[f->places[i] + JOURNAL_HEADER_SIZE] ^= 4;
}

static void damage_the_head_at(struct fixture *f, uint64_t place)
{
    f->file[place + JOURNAL_HEADER_SIZE] ^= 4;
}

static void a_damaged_head_is_made_good_by_the_next(void **state)
{
    struct fixture *f = *state;
    put_batches(f);
    damage_the_head_at(f, 0);
    expect_of_file(f, "the head of a batch is damaged; the batch behind it says what it held: a "
                      "start mends it\n", 3);
}

static void a_damaged_state_is_made_good_by_the_next_head(void **state)
{
    struct fixture *f = *state;
    put_batches(f);
    damage_a_record(f, 0);
    expect_of_file(f, "a hard state is damaged; the batch behind it has it in full: a start mends "
                      "it\n", 3);
}

static void of_a_damaged_entry_the_header_is_known(void **state)
{
    struct fixture *f = *state;
    put_batches(f);
    damage_a_record(f, 2);
    expect_of_file(f, "entry 2 is damaged; only its header is known\n", 3);
}

static void what_no_head_names_is_lost(void **state)
{
    struct fixture *f = *state;
    put_batches(f);
    damage_the_head_at(f, 0);
    damage_the_head_at(f, JOURNAL_BLOCK);
    expect_of_file(f, "damaged from here to byte 8192, and nothing says what was there\n", 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(what_is_whole_is_sound),
        TEST(what_is_not_committed_may_be_replaced),
        TEST(a_state_of_another_log_ends_none),
        TEST(who_is_blank_begins_anew),
        TEST(what_was_fetched_by_a_blank_one_stands),
        TEST(what_was_fetched_after_a_loss_stands),
        TEST(a_loss_of_everything_voids_what_was_there),
        TEST(a_group_that_did_nothing_may_be_left),
        TEST(a_state_is_of_a_view_that_can_be),
        TEST(a_state_does_not_take_back_what_is_committed),
        TEST(a_state_does_not_commit_what_it_does_not_hold),
        TEST(an_entry_is_what_its_header_says),
        TEST(an_entry_follows_the_one_before_it),
        TEST(an_entry_does_not_replace_one_that_is_committed),
        TEST(a_record_of_another_kind_has_no_place_here),
        TEST(a_folder_is_that_of_one_replica),
        TEST(a_damaged_head_is_made_good_by_the_next),
        TEST(a_damaged_state_is_made_good_by_the_next_head),
        TEST(of_a_damaged_entry_the_header_is_known),
        TEST(what_no_head_names_is_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

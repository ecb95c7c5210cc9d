/* SPDX-License-Identifier: BSD-2-Clause */
/* A node's journal, damaged at every byte, and cut off at every byte of its last write: what was
 * acknowledged is known after a start, or the start is refused; what was not is no damage. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <inttypes.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "fuzz/stage.h"
#include "node/journal.h"

struct known {
    uint64_t op, commit, view;
    struct vstamp_id last;
};

static struct stage s;
static uint8_t whole[JOURNAL_BLOCK], second[JOURNAL_BLOCK];

/* A group of one: operations, a restart, more operations, each in a batch of its own. */
static int set_up(void **state)
{
    static uint8_t choices[4096];
    struct vstamp_diag diag = {0};
    (void)state;
    for (size_t i = 0; i < sizeof choices; i++) choices[i] = (uint8_t)(i * 7 % 100);
    stage_open(&s, reader_over(choices, sizeof choices), 1, 0, true);
    for (int life = 0; life < 2; life++) {
        if (stage_start(&s, &diag) != 0) return -1;
        stage_finish_jobs(&s);
        for (int i = 0; i < 3; i++) {
            stage_grow(&s, 1);
            stage_finish_jobs(&s);
        }
    }
    return s.node->vr.log.op >= 4 && s.disk.segments.count == 2 ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    disk_wipe(&s.disk);
    return 0;
}

/* And nothing of a checkpoint. */
static void write_journal(void)
{
    while (s.disk.busy[NODE_LANE_JOURNAL]) stage_finish_job(&s, NODE_LANE_JOURNAL);
}

/* A moment in which nothing happens. */
static void seal(void)
{
    stage_until_next_timer(&s);
    stage_finish_jobs(&s);
}

static int restore(struct known *known)
{
    struct vstamp_diag diag = {0};
    int rv = stage_restore(&s, &diag);
    const struct vr *vr = &s.node->vr;
    *known = (struct known){vr->log.op, vr->commit, vr->view, log_last(&vr->log)->checksum};
    return rv;
}

static bool same(const struct known *a, const struct known *b)
{
    return a->op == b->op && a->commit == b->commit && a->view == b->view &&
           vstamp_id_equal(a->last, b->last);
}

static uint8_t *last_batch(void)
{
    struct disk_file *file = &s.disk.segments.files[s.disk.segments.count - 1];
    assert_int_equal(file->number, s.disk.last_number);
    return file->data + s.disk.last_place;
}

/* Where the bytes of the batches end that are before the last one. */
static size_t used(const struct disk_file *file)
{
    size_t end = file->number == s.disk.last_number ? (size_t)s.disk.last_place : file->size;
    while (end > 0 && file->data[end - 1] == 0) end--;
    return end;
}

/* How a batch begins. */
static void read_head(const struct disk_file *file, size_t place, struct wire_batch_head *head,
                      size_t *size)
{
    struct journal_reader r = {.file = {file->data, file->size}, .number = file->number,
                               .place = place};
    enum journal_kind kind;
    struct bytes body;
    assert_int_equal(journal_next(&r, &kind, &body), JOURNAL_RECORD);
    assert_int_equal(wire_decode(&wire_shape_batch_head, body, head), 0);
    *size = r.place - place;
}

/* All that the batch of `before` holds, and nothing else. */
static void assert_names(const struct wire_batch_head *head, const struct disk_file *file,
                         const struct wire_batch_head *before)
{
    struct journal_reader r = {
        .file = {file->data + head->before_place, (size_t)head->before_size},
        .number = journal_batch_identity(before->life, before->sequence),
        .place = (size_t)head->before_head};
    struct reader items = wire_list_start(&head->before);
    for (uint32_t i = 0; i < head->before.count; i++) {
        struct wire_batch_item item;
        enum journal_kind kind;
        struct bytes body;
        size_t from = r.place;
        assert_int_equal(journal_next(&r, &kind, &body), JOURNAL_RECORD);
        wire_list_next(&wire_shape_batch_item, &items, &item);
        assert_int_equal(item.kind, kind);
        assert_int_equal(item.size, r.place - from);
        if (kind == JOURNAL_HARD_STATE) assert_true(bytes_equal(item.content, body));
    }
    assert_int_equal(r.place, r.file.size);
}

static bool begins_at(const struct disk_file *file, uint64_t place)
{
    return place < file->size && (file->data[place] | file->data[place + 1]) != 0;
}

static void assert_all_named(void)
{
    struct wire_batch_head before, head = {.owner.number = 0};
    unsigned n = 0;
    size_t size;
    for (size_t i = 0; i < s.disk.segments.count; i++) {
        const struct disk_file *file = &s.disk.segments.files[i];
        for (uint64_t place = 0; begins_at(file, place);
             place += (head.size + JOURNAL_BLOCK - 1) / JOURNAL_BLOCK * JOURNAL_BLOCK, n++) {
            before = head;
            read_head(file, (size_t)place, &head, &size);
            if (n > 0)
                assert_names(&head, &s.disk.segments.files[before.owner.number - 1], &before);
        }
    }
    assert_true(n > 8);
}

static void each_head_names_what_the_batch_before_it_holds(void **state)
{
    (void)state;
    assert_all_named();
}

/* As long as it is not on its way to the disk; but that the replica is blank stays said. */
static void a_hard_state_takes_the_place_of_the_one_before_it(void **state)
{
    struct vr *vr = &s.node->vr;
    struct wire_batch_head head;
    struct wire_batch_item item;
    struct wire_hard_state said;
    (void)state;
    stage_grow(&s, 1); /* is being written */
    for (int i = 0; i < 4; i++) {
        vr->has_hard_state = i >= 2;
        vr->log_view = ++vr->view;
        node_persist_state(s.node);
    }
    stage_turn_end(&s);
    write_journal();
    stage_until_next_timer(&s); /* which seals it */
    write_journal();
    assert_all_named();
    size_t size;
    read_head(&s.disk.segments.files[s.disk.last_number - 1], (size_t)s.disk.last_place, &head,
              &size);
    assert_int_equal(head.before.count, 2);
    struct reader items = wire_list_start(&head.before);
    for (uint64_t view = vr->view - 2; view <= vr->view; view += 2) {
        wire_list_next(&wire_shape_batch_item, &items, &item);
        assert_int_equal(wire_decode(&wire_shape_hard_state, item.content, &said), 0);
        assert_int_equal(said.view, view);
    }
}

/* A checkpoint and the segment that begins with it say all together: it is stored only when what
 * that begins with is there. */
static void a_checkpoint_waits_for_its_segment(void **state)
{
    (void)state;
    for (int i = 0; i < 9 && s.node->vr.checkpoint_op == 0; i++) {
        stage_grow(&s, 1);
        stage_grow(&s, 1);
        stage_finish_job(&s, NODE_LANE_JOURNAL);
    }
    uint64_t number = s.node->checkpoint.number;
    assert_int_equal(s.node->checkpoint.step, NODE_CHECKPOINT_BEGIN);
    for (int job = 0; job < 2; job++) { /* the first one is of the segment before */
        for (int i = 0; i < 8; i++) stage_finish_job(&s, NODE_LANE_CHECKPOINT);
        assert_int_equal(s.node->checkpoint.step, NODE_CHECKPOINT_HOLD);
        assert_int_equal(s.disk.pages.number, 0);
        assert_int_equal(s.disk.last_number, number - 1);
        stage_finish_job(&s, NODE_LANE_JOURNAL);
    }
    assert_int_equal(s.disk.last_number, number);
    for (int i = 0; i < 8; i++) stage_finish_job(&s, NODE_LANE_CHECKPOINT);
    assert_int_equal(s.disk.pages.number, number);
}

/* A job looks at as many pages as there are here. */
static void what_is_stored_is_looked_at_again_and_again(void **state)
{
    unsigned n_pages = 0, n_journal = 0;
    (void)state;
    for (int i = 0; i < 9 && s.disk.pages.number == 0; i++) {
        stage_grow(&s, 1);
        stage_finish_jobs(&s);
    }
    for (int i = 0; i < 99 && (n_pages < 3 || n_journal < 3); i++) {
        const struct node_job *job = &s.disk.job[NODE_LANE_CHECKPOINT];
        stage_pass_time(&s, 50000);
        for (; s.disk.busy[NODE_LANE_CHECKPOINT]; stage_finish_job(&s, NODE_LANE_CHECKPOINT)) {
            if (job->kind == NODE_JOB_CHECK) {
                assert_int_equal(job->number, 0);
                n_pages++;
            } else if (job->kind == NODE_JOB_CHECK_JOURNAL) {
                assert_int_equal(job->number, s.disk.segments.files[0].number);
                n_journal++;
            }
        }
    }
    assert_true(n_pages >= 3 && n_journal >= 3);
}

static void a_byte_that_rots_is_made_good_or_refused(void **state)
{
    struct known before, now;
    size_t made_good = 0, refused = 0;
    (void)state;
    seal();
    assert_int_equal(restore(&before), 0);
    for (size_t i = 0; i < s.disk.segments.count; i++) {
        struct disk_file *file = &s.disk.segments.files[i];
        for (size_t at = 0; at < used(file); at++) {
            file->data[at] ^= 0x10;
            int rv = restore(&now);
            file->data[at] ^= 0x10;
            made_good += rv == 0;
            refused += rv != 0;
            if (rv == 0 ? !same(&now, &before) : rv != VSTAMP_E_CORRUPT)
                fail_msg("byte %zu of segment %zu: %s", at, i + 1, vstamp_err_name(rv));
        }
    }
    assert_true(made_good > 0 && refused > 0);
}

static void a_last_write_that_was_cut_off_is_passed_over(void **state)
{
    struct known all, without, now;
    uint8_t *last = last_batch();
    (void)state;
    memcpy(whole, last, sizeof whole);
    assert_int_equal(restore(&all), 0);
    memset(last, 0, sizeof whole);
    assert_int_equal(restore(&without), 0);
    assert_int_equal(without.op, all.op - 1);
    for (size_t kept = 0; kept <= sizeof whole; kept++) {
        memset(last, 0, sizeof whole);
        memcpy(last, whole, kept);
        assert_int_equal(restore(&now), 0);
        if (!same(&now, &without) && !(kept > 256 && same(&now, &all)))
            fail_msg("with %zu bytes of the last write: op %llu", kept, (unsigned long long)now.op);
        memset(last, 0xff, sizeof whole);
        memcpy(last + kept, whole + kept, sizeof whole - kept);
        assert_int_equal(restore(&now), 0);
        if (!same(&now, &without) && !same(&now, &all))
            fail_msg("without %zu bytes of the last write", kept);
    }
}

/* The same damage to a write that was acknowledged, as the head behind it shows. */
static void damage_to_a_sealed_write_is_no_torn_tail(void **state)
{
    struct known all, now;
    uint8_t *last = last_batch();
    (void)state;
    seal();
    assert_int_equal(restore(&all), 0);
    memcpy(whole, last, sizeof whole);
    for (size_t kept = 0; kept < sizeof whole; kept += 8) {
        memset(last, 0, sizeof whole);
        memcpy(last, whole, kept);
        int rv = restore(&now);
        if (rv == 0 ? !same(&now, &all) : rv != VSTAMP_E_CORRUPT)
            fail_msg("with %zu bytes: %s, op %llu", kept, vstamp_err_name(rv),
                     (unsigned long long)now.op);
    }
}

static void what_a_segment_held_before_is_not_believed(void **state)
{
    struct known before, now;
    struct disk_file *first = &s.disk.segments.files[0], *newest = &s.disk.segments.files[1];
    (void)state;
    assert_int_equal(restore(&before), 0);
    size_t from = (size_t)s.disk.last_place + JOURNAL_BLOCK;
    memcpy(newest->data + from, first->data + from, first->size - from);
    memcpy(newest->data + from, first->data, 4 * JOURNAL_BLOCK);
    assert_int_equal(restore(&now), 0);
    assert_true(same(&now, &before));
}

/* Bytes of a client that are a copy of a sound head: only the segment's own life counts. */
static void a_block_of_another_place_is_no_batch(void **state)
{
    struct known before, now;
    uint8_t *last = last_batch();
    (void)state;
    seal();
    assert_int_equal(restore(&before), 0);
    memcpy(whole, last, sizeof whole);
    memcpy(second, last_batch(), sizeof second);
    memcpy(last, second, sizeof second); /* misdirected: one written over the other */
    assert_int_equal(restore(&now), VSTAMP_E_CORRUPT);
    memcpy(last, whole, sizeof whole);
    assert_int_equal(restore(&now), 0);
    assert_true(same(&now, &before));
}

static unsigned reads_left; /* until one is refused */

static int read_or_refuse(void *ctx, uint64_t number, uint64_t place, void *buffer, size_t size,
                          size_t *got, struct vstamp_diag *diag)
{
    *got = 0;
    return reads_left-- == 0 ? VSTAMP_E_AGAIN
                             : disk_read(ctx, number, place, buffer, size, got, diag);
}

/* Give all segments to a node that knows nothing: which one is refused, if any, and how? */
static int replay(uint64_t *number, struct vstamp_diag *diag)
{
    const struct node_source source = {.ctx = &s.disk, .read = read_or_refuse};
    const struct disk_folder *segments = &s.disk.segments;
    const struct disk disk = s.disk;
    s.disk = (struct disk){0};
    assert_int_equal(stage_restore(&s, diag), 0);
    s.disk = disk;
    return node_restore_journal(s.node, segments->files[0].number,
                                segments->files[segments->count - 1].number, &source, number, diag);
}

static void assert_refused(uint64_t number, const char *text)
{
    struct vstamp_diag diag = {0};
    uint64_t named = 0;
    reads_left = UINT_MAX;
    assert_int_equal(replay(&named, &diag), VSTAMP_E_CORRUPT);
    assert_string_equal(diag.text, text);
    assert_int_equal(named, number);
}

static unsigned n_dropped;

static void count_dropped(void *ctx, enum log_level level, const char *event, const char *detail)
{
    (void)ctx, (void)level, (void)detail;
    n_dropped += strcmp(event, "journal-tail-dropped") == 0;
}

/* What cannot be read now is neither damage nor the end of the journal; nor is it if something is
 * damaged, besides, of which the file would tell. */
static void a_start_that_is_refused_a_file_ends_so(void **state)
{
    struct wire_batch_head next;
    struct vstamp_diag diag;
    uint64_t number;
    size_t size;
    unsigned refused = 0;
    (void)state;
    s.io.log = count_dropped;
    for (int damage = 0; damage < 2; damage++) {
        for (unsigned reads = 0;; reads++, refused++) {
            reads_left = reads;
            int rv = replay(&number, &diag);
            if (reads_left != UINT_MAX) break;
            assert_int_equal(rv, VSTAMP_E_AGAIN);
        }
        read_head(&s.disk.segments.files[1], 0, &next, &size);
        disk_flip(&s.disk, next.before_number, next.before_place + next.before_head + 32, 1);
    }
    assert_int_equal(n_dropped, 0);
    assert_true(refused > 4);
}

/* A client's bytes may begin a block with a head that checks, but not with the segment's life. */
static void a_head_that_a_client_wrote_is_none(void **state)
{
    struct disk_file *file = &s.disk.segments.files[1];
    size_t place = (size_t)s.disk.last_place;
    struct writer w = writer_over(file->data + place + JOURNAL_BLOCK, JOURNAL_BLOCK);
    struct wire_batch_head head;
    struct known all, now;
    size_t size;
    (void)state;
    assert_int_equal(restore(&all), 0);
    read_head(file, place, &head, &size);
    disk_flip(&s.disk, file->number, place + size + 32, 1);
    for (int i = 0; i < 2; i++) {
        w.size = 0;
        head.life ^= (uint64_t)i;
        assert_true(journal_put(&w, file->number, place + JOURNAL_BLOCK, JOURNAL_BATCH,
                                &wire_shape_batch_head, &head));
        int rv = restore(&now);
        if (i == 0) assert_int_equal(rv, VSTAMP_E_CORRUPT);
        else assert_int_equal(rv, 0);
    }
    assert_int_equal(now.op, all.op - 1);
}

static void a_segment_that_is_lost_between_two_others_is_named(void **state)
{
    struct vstamp_diag diag = {0};
    uint64_t number;
    (void)state;
    assert_int_equal(stage_start(&s, &diag), 0);
    stage_finish_jobs(&s);
    assert_int_equal(s.disk.segments.count, 3);
    reads_left = UINT_MAX;
    assert_int_equal(replay(&number, &diag), 0);
    struct disk_file *lost = &s.disk.segments.files[1];
    memset(lost->data, 0, lost->size);
    assert_refused(lost->number, "is missing, or damaged throughout");
}

/* Where a segment ends is said by the next one, and a batch does not reach beyond that. */
static void a_segment_ends_where_the_next_one_says(void **state)
{
    struct disk_file *next = &s.disk.segments.files[1];
    struct wire_batch_head head;
    uint8_t again[JOURNAL_BLOCK];
    struct writer w = writer_over(again, sizeof again);
    char text[64];
    size_t size;
    (void)state;
    read_head(next, 0, &head, &size);
    uint64_t end = head.owner.previous_size;
    head.owner.previous_size -= 8;
    assert_true(journal_put(&w, next->number, 0, JOURNAL_BATCH, &wire_shape_batch_head, &head));
    assert_int_equal(w.size, size);
    memcpy(next->data, again, w.size);
    snprintf(text, sizeof text, "damaged at byte %" PRIu64, end);
    assert_refused(s.disk.segments.files[0].number, text);
}

/* Where the entry of that number was written first. */
static void find(void *ctx, const struct disk_entry *entry)
{
    struct disk_entry *found = ctx;
    if (entry->header.op == found->header.op && found->number == 0) *found = *entry;
}

static void flip_entry(uint64_t op, struct disk_entry *found)
{
    *found = (struct disk_entry){.header.op = op};
    disk_visit_entries(&s.disk, &s.config, find, found);
    assert_int_not_equal(found->number, 0);
    disk_flip(&s.disk, found->number, found->place, 1);
}

/* Who is alone is refused if an entry is damaged, for nobody can give it.  But what is behind a
 * checkpoint is said again in the segment that begins with it: if the checkpoint itself is never
 * stored the entry is there twice, and one of the two is enough. */
static void who_is_alone_needs_an_entry_once(void **state)
{
    struct vstamp_diag diag = {0};
    struct disk_entry entry;
    char text[64];
    uint64_t number;
    (void)state;
    for (int i = 0; i < 9 && s.node->vr.checkpoint_op == 0; i++) {
        stage_grow(&s, 1);
        stage_grow(&s, 1); /* while the one before it is written */
        write_journal();
    }
    uint64_t op = s.node->vr.checkpoint_op, last = s.node->vr.log.op;
    assert_true(last > op && s.disk.pages.number == 0);
    flip_entry(last, &entry);
    reads_left = UINT_MAX;
    assert_int_equal(replay(&number, &diag), 0);
    assert_int_equal(s.node->vr.log.op, last);
    assert_int_equal(s.node->vr.log.n_holes, 0);
    flip_entry(op, &entry);
    snprintf(text, sizeof text, "damaged at byte %" PRIu64 ", in entry %" PRIu64, entry.place, op);
    assert_refused(entry.number, text);
}

static void two_batches_in_a_row_that_are_lost_are_damage(void **state)
{
    struct known now;
    (void)state;
    seal();
    memset(last_batch() - 2 * JOURNAL_BLOCK, 0, 2 * JOURNAL_BLOCK);
    assert_int_equal(restore(&now), VSTAMP_E_CORRUPT);
}

/* --- looking through it while the replica runs (scrub.c) -------------------------------------- */

/* From there on, with as little memory as can be. */
static struct node_checked look(uint64_t number, uint64_t place, unsigned reads)
{
    const struct node_source source = {.ctx = &s.disk, .read = read_or_refuse};
    struct node_journal_check *check = &s.node->scrub.check;
    check->number = number;
    check->place = place;
    check->last = s.node->scrub.last;
    check->last_end = s.node->scrub.last_end;
    check->window_max = 2 * JOURNAL_BLOCK;
    reads_left = reads;
    node_check_journal(check, &source);
    return check->found;
}

/* What cannot be opened now is no damage, whenever that is: the next look begins where this one
 * did. */
static void a_look_that_is_refused_finds_nothing(void **state)
{
    uint64_t number = s.disk.segments.files[0].number, place = 0;
    unsigned looks = 0, refused = 0;
    (void)state;
    seal();
    for (; looks < 99 && number <= s.node->scrub.last; looks++) {
        struct node_checked found = look(number, place, 0);
        for (unsigned reads = 1; reads_left == UINT_MAX; reads++, refused++) {
            assert_false(found.rotten);
            assert_int_equal(found.number, number);
            assert_int_equal(found.place, place);
            found = look(number, place, reads);
        }
        assert_false(found.rotten);
        number = found.number;
        place = found.place;
    }
    assert_true(looks > 3 && looks < 99 && refused >= 2 * looks);
}

/* What was sound a moment ago is read again, and what is before the place is not. */
static void a_look_is_at_the_disk(void **state)
{
    struct disk_file *file = &s.disk.segments.files[1];
    (void)state;
    for (int i = 0; i < 2; i++) assert_false(look(file->number, 0, UINT_MAX).rotten);
    disk_flip(&s.disk, file->number, 64, 1);
    assert_true(look(file->number, 0, UINT_MAX).rotten);
    assert_false(look(file->number, JOURNAL_BLOCK, UINT_MAX).rotten);
}

/* All of them, and where the batch is that they are in. */
static void a_look_names_the_entries_that_are_damaged(void **state)
{
    struct disk_entry first, last;
    (void)state;
    uint64_t op = s.node->vr.log.op + 4; /* the first is written, and the rest is a batch */
    for (int i = 0; i < 9 && s.node->vr.log.op < op; i++) stage_grow(&s, 1);
    write_journal();
    stage_until_next_timer(&s); /* which seals it */
    write_journal();
    flip_entry(op, &last);
    flip_entry(op - 2, &first);
    uint64_t place = first.place / JOURNAL_BLOCK * JOURNAL_BLOCK;
    assert_true(place > 0 && place == last.place / JOURNAL_BLOCK * JOURNAL_BLOCK);
    struct node_checked found = look(first.number, place - JOURNAL_BLOCK, UINT_MAX);
    assert_true(found.rotten);
    assert_int_equal(found.number, first.number);
    assert_int_equal(found.place, place);
    assert_int_equal(found.first_op, op - 2);
    assert_int_equal(found.last_op, op);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(each_head_names_what_the_batch_before_it_holds),
        TEST(a_hard_state_takes_the_place_of_the_one_before_it),
        TEST(a_checkpoint_waits_for_its_segment),
        TEST(what_is_stored_is_looked_at_again_and_again),
        TEST(a_byte_that_rots_is_made_good_or_refused),
        TEST(a_last_write_that_was_cut_off_is_passed_over),
        TEST(damage_to_a_sealed_write_is_no_torn_tail),
        TEST(what_a_segment_held_before_is_not_believed),
        TEST(a_block_of_another_place_is_no_batch),
        TEST(two_batches_in_a_row_that_are_lost_are_damage),
        TEST(a_start_that_is_refused_a_file_ends_so),
        TEST(a_head_that_a_client_wrote_is_none),
        TEST(a_segment_that_is_lost_between_two_others_is_named),
        TEST(a_segment_ends_where_the_next_one_says),
        TEST(who_is_alone_needs_an_entry_once),
        TEST(a_look_that_is_refused_finds_nothing),
        TEST(a_look_is_at_the_disk),
        TEST(a_look_names_the_entries_that_are_damaged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* A node's journal, damaged at every byte, and cut off at every byte of its last write: what was
 * acknowledged is known after a start, or the start is refused; what was not is no damage. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
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

static void two_batches_in_a_row_that_are_lost_are_damage(void **state)
{
    struct known now;
    (void)state;
    seal();
    memset(last_batch() - 2 * JOURNAL_BLOCK, 0, 2 * JOURNAL_BLOCK);
    assert_int_equal(restore(&now), VSTAMP_E_CORRUPT);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_byte_that_rots_is_made_good_or_refused),
        TEST(a_last_write_that_was_cut_off_is_passed_over),
        TEST(damage_to_a_sealed_write_is_no_torn_tail),
        TEST(what_a_segment_held_before_is_not_believed),
        TEST(a_block_of_another_place_is_no_batch),
        TEST(two_batches_in_a_row_that_are_lost_are_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* Trails as replicas write them (vr/trail.c), and what their comparison says of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "node/journal.h"
#include "node/trail.h"

#define FILE_MAX (1u << 16)

/* A file that is being written, one entry a record. */
struct file {
    uint8_t bytes[FILE_MAX];
    struct writer w;
    uint64_t place;
    struct vstamp_id group;
};

static void file_begin(struct file *f)
{
    memset(f, 0, sizeof *f);
    f->w = writer_over(f->bytes, sizeof f->bytes);
    f->group = (struct vstamp_id){7, 7};
}

static void put(struct file *f, uint32_t page, uint64_t value)
{
    uint8_t buffer[64];
    struct wire_list_builder list;
    struct wire_trail_entry entry = {.page = page, .value = value};
    wire_list_begin(&list, &wire_shape_trail_entry, buffer, sizeof buffer);
    assert_true(wire_list_add(&list, &entry));
    struct wire_trail record = {.format = TRAIL_FORMAT,
                                .group = f->group,
                                .address = bytes_of("10.0.0.1:14621"),
                                .app_first = 3,
                                .place = f->place++,
                                .entries = wire_list_end(&list)};
    assert_true(journal_put(&f->w, 0, 0, JOURNAL_TRAIL, &wire_shape_trail, &record));
}

static void end_point(struct file *f, uint64_t op)
{
    put(f, TRAIL_OP, op);
}

/* So many points, one an op; page op % 5 becomes op. */
static void walk_on(struct file *f, uint64_t from, uint64_t to)
{
    for (uint64_t op = from; op <= to; op++) {
        put(f, (uint32_t)(op % 5), op);
        end_point(f, op);
    }
}

static struct trail trail_new(void)
{
    struct trail t = {.entries = calloc(trail_entries_max(4 * FILE_MAX), sizeof t.entries[0])};
    assert_non_null(t.entries);
    return t;
}

static size_t read_file(struct trail *t, const struct file *f)
{
    struct vstamp_diag diag = {0};
    size_t lost;
    assert_int_equal(0, trail_read(t, (struct bytes){f->bytes, f->w.size}, &lost, &diag));
    return lost;
}

static struct trail_difference compare(const struct file *a, const struct file *b)
{
    struct trail_difference d, mirrored;
    struct trail ours = trail_new(), theirs = trail_new();
    read_file(&ours, a);
    read_file(&theirs, b);
    size_t size = trail_compare_memory(&ours, &theirs);
    void *memory = calloc(1, size);
    assert_non_null(memory);
    trail_compare(&ours, &theirs, memory, &d);
    memset(memory, 0, size);
    trail_compare(&theirs, &ours, memory, &mirrored);
    assert_int_equal(d.op, mirrored.op);
    assert_int_equal(d.after, mirrored.after);
    assert_int_equal(d.n_points, mirrored.n_points);
    free(memory);
    free(ours.entries);
    free(theirs.entries);
    return d;
}

static struct file a, b;

static void equal_trails_do_not_differ(void **unused)
{
    (void)unused;
    file_begin(&a);
    file_begin(&b);
    walk_on(&a, 1, 20);
    walk_on(&b, 1, 30);
    struct trail_difference d = compare(&a, &b);
    assert_int_equal(0, d.op);
    assert_int_equal(20, d.n_points);
    assert_int_equal(1, d.first_op);
    assert_int_equal(20, d.last_op);
}

static void the_first_op_and_the_pages_are_named(void **unused)
{
    (void)unused;
    file_begin(&a);
    file_begin(&b);
    walk_on(&a, 1, 20);
    walk_on(&b, 1, 10);
    put(&b, 1, 11);
    put(&b, 9, 99); /* what the other has not told of, ... */
    end_point(&b, 11);
    walk_on(&b, 12, 12);
    put(&b, 3, 77); /* ... and what it has, later */
    end_point(&b, 13);
    struct trail_difference d = compare(&a, &b);
    assert_int_equal(11, d.op);
    assert_int_equal(10, d.after);
    assert_int_equal(1, d.n_pages);
    assert_int_equal(9, d.pages[0]);
}

/* A page that was told of and not changed is no difference; one that differs as long as no point is
 * shared is found at the next that is. */
static void points_need_not_be_the_same(void **unused)
{
    (void)unused;
    file_begin(&a);
    file_begin(&b);
    put(&a, 0, 1);
    end_point(&a, 2);
    put(&a, 0, 5);
    put(&a, 1, 3);
    end_point(&a, 6);
    put(&b, 0, 1);
    end_point(&b, 2);
    put(&b, 0, 5);
    end_point(&b, 4);
    put(&b, 0, 5);
    put(&b, 1, 3);
    end_point(&b, 6);
    assert_int_equal(0, compare(&a, &b).op);
    put(&a, 2, 1);
    end_point(&a, 8);
    put(&b, 2, 2);
    end_point(&b, 7);
    end_point(&b, 8);
    struct trail_difference d = compare(&a, &b);
    assert_int_equal(8, d.op);
    assert_int_equal(6, d.after);
}

/* A new start tells what it found; what was executed before counts as well. */
static void each_life_is_compared(void **unused)
{
    (void)unused;
    file_begin(&a);
    file_begin(&b);
    walk_on(&a, 1, 20);
    walk_on(&b, 1, 7);
    put(&b, 3, 1000);
    end_point(&b, 8);
    b.place = 0; /* from the checkpoint of op 5 */
    for (uint32_t page = 0; page < 5; page++) put(&b, page, page == 0 ? 5 : page);
    end_point(&b, 5);
    walk_on(&b, 6, 20);
    struct trail_difference d = compare(&a, &b);
    assert_int_equal(8, d.op);
    assert_int_equal(7, d.after);
    assert_int_equal(3, d.pages[0]);
    file_begin(&b);
    walk_on(&b, 1, 8);
    b.place = 0;
    for (uint32_t page = 0; page < 5; page++) put(&b, page, page == 0 ? 5 : page);
    end_point(&b, 5);
    walk_on(&b, 6, 20);
    assert_int_equal(0, compare(&a, &b).op);
}

/* What is behind a gap is known only as it is told of again. */
static void damage_hides_and_invents_nothing(void **unused)
{
    (void)unused;
    for (size_t at = 0; at < 3000; at += 7) {
        file_begin(&a);
        file_begin(&b);
        walk_on(&a, 1, 40);
        walk_on(&b, 1, 40);
        a.bytes[at] ^= 0x20;
        struct trail t = trail_new();
        assert_true(read_file(&t, &a) > 0);
        assert_int_equal(40, t.last_op);
        free(t.entries);
        struct trail_difference d = compare(&a, &b);
        assert_int_equal(0, d.op);
        assert_true(d.n_points >= 38);
        put(&a, 2, 5);
        end_point(&a, 41);
        put(&b, 2, 6);
        end_point(&b, 41);
        assert_int_equal(41, compare(&a, &b).op);
    }
}

static void an_op_that_does_not_rise_is_passed_over(void **unused)
{
    (void)unused;
    for (uint64_t op = 2; op <= 3; op++) {
        file_begin(&a);
        file_begin(&b);
        walk_on(&a, 1, 3);
        walk_on(&b, 1, 3);
        put(&a, 1, 5);
        size_t page = a.w.size;
        end_point(&a, op);
        put(&b, 1, 6);
        end_point(&b, op);
        struct trail t = trail_new();
        assert_int_equal(a.w.size - page, read_file(&t, &a));
        assert_int_equal(3, t.last_op);
        free(t.entries);
        struct trail_difference d = compare(&a, &b);
        assert_int_equal(0, d.op);
        assert_int_equal(3, d.n_points);
    }
}

static void the_end_may_be_cut_off(void **unused)
{
    (void)unused;
    file_begin(&a);
    file_begin(&b);
    walk_on(&a, 1, 3);
    walk_on(&b, 1, 6);
    for (size_t size = a.w.size; size-- > 0;) {
        a.w.size = size;
        assert_int_equal(0, compare(&a, &b).op);
        struct trail t = trail_new();
        read_file(&t, &a); /* what is appended then is found */
        read_file(&t, &b);
        assert_int_equal(6, t.last_op);
        free(t.entries);
    }
}

static void what_a_replica_found_turned_is_told(void **unused)
{
    (void)unused;
    file_begin(&a);
    put(&a, TRAIL_ROTTEN, 12);
    struct trail t = trail_new();
    read_file(&t, &a);
    assert_int_equal(13, t.rotten);
    assert_string_equal("10.0.0.1:14621", t.address);
    assert_int_equal(3, t.app_first);
    free(t.entries);
}

static void another_group_or_format_is_refused(void **unused)
{
    (void)unused;
    struct vstamp_diag diag = {0};
    size_t lost;
    struct trail t = trail_new();
    file_begin(&a);
    walk_on(&a, 1, 2);
    read_file(&t, &a);
    file_begin(&b);
    b.group.lo++;
    walk_on(&b, 1, 2);
    assert_int_equal(VSTAMP_E_OTHER_GROUP,
                     trail_read(&t, (struct bytes){b.bytes, b.w.size}, &lost, &diag));
    assert_non_null(strstr(diag.text, "another group"));
    file_begin(&a);
    struct wire_trail record = {.format = TRAIL_FORMAT + 1};
    assert_true(journal_put(&a.w, 0, 0, JOURNAL_TRAIL, &wire_shape_trail, &record));
    assert_int_equal(VSTAMP_E_VERSION,
                     trail_read(&t, (struct bytes){a.bytes, a.w.size}, &lost, &diag));
    free(t.entries);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_trails_do_not_differ),
        cmocka_unit_test(the_first_op_and_the_pages_are_named),
        cmocka_unit_test(points_need_not_be_the_same),
        cmocka_unit_test(each_life_is_compared),
        cmocka_unit_test(damage_hides_and_invents_nothing),
        cmocka_unit_test(an_op_that_does_not_rise_is_passed_over),
        cmocka_unit_test(the_end_may_be_cut_off),
        cmocka_unit_test(what_a_replica_found_turned_is_told),
        cmocka_unit_test(another_group_or_format_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"

static void numbers_are_little_endian(void **state)
{
    (void)state;
    uint8_t buffer[31];
    struct writer w = writer_over(buffer, sizeof buffer);
    write_u8(&w, 0x01);
    write_u16(&w, 0x0302);
    write_u32(&w, 0x07060504);
    write_u64(&w, UINT64_C(0x0f0e0d0c0b0a0908));
    write_id(&w, (struct vstamp_id){.hi = UINT64_C(0x1f1e1d1c1b1a1918),
                                    .lo = UINT64_C(0x1716151413121110)});
    assert_true(w.ok);
    assert_int_equal(w.size, sizeof buffer);
    for (size_t i = 0; i < sizeof buffer; i++) assert_int_equal(buffer[i], i + 1);

    struct reader r = reader_over(buffer, sizeof buffer);
    assert_int_equal(read_u8(&r), 0x01);
    assert_int_equal(read_u16(&r), 0x0302);
    assert_int_equal(read_u32(&r), 0x07060504);
    assert_int_equal(read_u64(&r), UINT64_C(0x0f0e0d0c0b0a0908));
    struct vstamp_id id = read_id(&r);
    assert_int_equal(id.lo, UINT64_C(0x1716151413121110));
    assert_int_equal(id.hi, UINT64_C(0x1f1e1d1c1b1a1918));
    assert_true(reader_done(&r));
}

static void a_reader_that_failed_stays_failed(void **state)
{
    (void)state;
    const uint8_t source[] = {1, 2, 3};
    struct reader r = reader_over(source, sizeof source);
    assert_int_equal(read_u8(&r), 1);
    assert_int_equal(read_u32(&r), 0);
    assert_false(r.ok);
    assert_int_equal(read_u8(&r), 0); /* though there are bytes left */
    assert_null(read_raw(&r, 0).data);
    assert_false(reader_done(&r));
}

static void half_an_id_is_no_id(void **state)
{
    (void)state;
    uint8_t source[15];
    memset(source, 0xff, sizeof source);
    struct reader r = reader_over(source, sizeof source);
    assert_true(vstamp_id_is_zero(read_id(&r)));
    assert_false(r.ok);
}

static void a_length_beyond_the_end_gives_nothing(void **state)
{
    (void)state;
    const uint8_t source[] = {3, 0, 0, 0, 'a', 'b'};
    struct reader r = reader_over(source, sizeof source);
    struct bytes b = read_bytes(&r);
    assert_false(r.ok);
    assert_null(b.data);
    assert_int_equal(b.size, 0);

    const uint8_t huge[] = {0xff, 0xff, 0xff, 0xff};
    r = reader_over(huge, sizeof huge);
    assert_int_equal(read_bytes(&r).size, 0);
    assert_false(r.ok);
}

static void bytes_point_into_the_source(void **state)
{
    (void)state;
    const uint8_t source[] = {2, 0, 0, 0, 'a', 'b', 'c'};
    struct reader r = reader_over(source, sizeof source);
    struct bytes b = read_bytes(&r);
    assert_ptr_equal(b.data, source + 4);
    assert_int_equal(b.size, 2);
    assert_true(r.ok);
    assert_false(reader_done(&r)); /* 'c' */
}

static void an_empty_source_can_be_read_to_its_end(void **state)
{
    (void)state;
    struct reader r = reader_over(NULL, 0);
    assert_true(reader_done(&r));
    assert_int_equal(read_raw(&r, 0).size, 0);
    assert_true(reader_done(&r));
    read_u8(&r);
    assert_false(reader_done(&r));
}

static void a_writer_that_failed_writes_nothing_more(void **state)
{
    (void)state;
    uint8_t buffer[4] = {9, 9, 9, 9};
    struct writer w = writer_over(buffer, 3);
    write_u8(&w, 1);
    write_u32(&w, 2);
    assert_false(w.ok);
    write_u8(&w, 3); /* though it would fit */
    assert_int_equal(w.size, 1);
    assert_int_equal(buffer[1], 9);
    assert_int_equal(buffer[3], 9);
}

static void bytes_longer_than_their_length_field_are_refused(void **state)
{
    (void)state;
    uint8_t buffer[16];
    struct writer w = writer_over(buffer, sizeof buffer);
    write_bytes(&w, (struct bytes){buffer, (size_t)UINT32_MAX + 1});
    assert_false(w.ok);
    assert_int_equal(w.size, 0);
}

static void order_is_that_of_bytes_and_a_prefix_comes_first(void **state)
{
    (void)state;
    assert_int_equal(bytes_compare(bytes_of("ab"), bytes_of("ab")), 0);
    assert_true(bytes_compare(bytes_of("ab"), bytes_of("abc")) < 0);
    assert_true(bytes_compare(bytes_of("b"), bytes_of("abc")) > 0);
    assert_true(bytes_compare(bytes_of("\x7f"), bytes_of("\x80")) < 0);
    assert_true(bytes_compare((struct bytes){NULL, 0}, bytes_of("a")) < 0);
    assert_true(bytes_equal((struct bytes){NULL, 0}, bytes_of("")));
    assert_true(bytes_equal(bytes_of("ab"), bytes_of("ab")));
    assert_false(bytes_equal(bytes_of("ab"), bytes_of("ac")));
    assert_false(bytes_equal(bytes_of("ab"), bytes_of("abc")));
}

static void sizes_do_not_wrap(void **state)
{
    (void)state;
    assert_int_equal(size_add(2, 3), 5);
    assert_true(size_add(SIZE_MAX - 1, 1) == SIZE_MAX);
    assert_true(size_add(SIZE_MAX, SIZE_MAX) == SIZE_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_little_endian),
        cmocka_unit_test(a_reader_that_failed_stays_failed),
        cmocka_unit_test(half_an_id_is_no_id),
        cmocka_unit_test(a_length_beyond_the_end_gives_nothing),
        cmocka_unit_test(bytes_point_into_the_source),
        cmocka_unit_test(an_empty_source_can_be_read_to_its_end),
        cmocka_unit_test(a_writer_that_failed_writes_nothing_more),
        cmocka_unit_test(bytes_longer_than_their_length_field_are_refused),
        cmocka_unit_test(order_is_that_of_bytes_and_a_prefix_comes_first),
        cmocka_unit_test(sizes_do_not_wrap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

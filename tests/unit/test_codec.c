/* SPDX-License-Identifier: BSD-2-Clause */
/* The codec, over every message and record of messages.def with random content. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <vstamp/error.h>

#include "fuzz/wire_random.h"

#define ROUNDS    200
#define DEPTH_MAX 4

static uint8_t content[64 * 1024], encoded[64 * 1024], again[64 * 1024];

static struct bytes encode(const struct wire_shape *shape, const void *record)
{
    struct writer w = writer_over(encoded, sizeof encoded);
    wire_encode(shape, record, &w);
    assert_true(w.ok);
    return (struct bytes){encoded, w.size};
}

static void every_message_round_trips(void **state)
{
    (void)state;
    struct wire_random g;
    wire_random_init(&g, 1, content, sizeof content);
    size_t n;
    const struct wire_shape *const *shapes = wire_random_shapes(&n);
    for (size_t s = 0; s < n; s++) {
        for (int i = 0; i < ROUNDS; i++) {
            union wire_random_record in, out;
            wire_random_fill(&g, shapes[s], &in);
            struct bytes b = encode(shapes[s], &in);
            assert_int_equal(wire_size(shapes[s], &in), b.size);
            assert_int_equal(wire_decode(shapes[s], b, &out), 0);
            assert_true(wire_random_equal(shapes[s], &in, &out));

            struct writer w = writer_over(again, sizeof again);
            wire_encode(shapes[s], &out, &w);
            assert_true(bytes_equal(b, (struct bytes){again, w.size}));
        }
    }
}

static void every_truncation_is_refused(void **state)
{
    (void)state;
    struct wire_random g;
    wire_random_init(&g, 2, content, sizeof content);
    size_t n;
    const struct wire_shape *const *shapes = wire_random_shapes(&n);
    for (size_t s = 0; s < n; s++) {
        for (int i = 0; i < 5; i++) {
            union wire_random_record in, out;
            wire_random_fill(&g, shapes[s], &in);
            struct bytes b = encode(shapes[s], &in);
            for (size_t size = 0; size < b.size; size++) {
                /* a copy of just that size, so that a sanitizer sees a step beyond it */
                uint8_t *cut = test_malloc(size + 1);
                memcpy(cut + 1, b.data, size);
                int rv = wire_decode(shapes[s], (struct bytes){cut + 1, size}, &out);
                assert_int_equal(rv, VSTAMP_E_TRUNCATED);
                test_free(cut);
            }
        }
    }
}

static void bytes_that_no_field_claims_are_refused(void **state)
{
    (void)state;
    struct wire_random g;
    wire_random_init(&g, 3, content, sizeof content);
    size_t n;
    const struct wire_shape *const *shapes = wire_random_shapes(&n);
    for (size_t s = 0; s < n; s++) {
        union wire_random_record in, out;
        wire_random_fill(&g, shapes[s], &in);
        struct bytes b = encode(shapes[s], &in);
        encoded[b.size++] = 0;
        assert_int_equal(wire_decode(shapes[s], b, &out), VSTAMP_E_MALFORMED);
    }
}

/* What decodes must encode to the same bytes: there is one encoding of everything. */
static void noise_is_refused_or_is_the_one_encoding_of_something(void **state)
{
    (void)state;
    struct wire_random g;
    wire_random_init(&g, 4, content, sizeof content);
    unsigned accepted = 0;
    size_t n;
    const struct wire_shape *const *shapes = wire_random_shapes(&n);
    for (size_t s = 0; s < n; s++) {
        for (int i = 0; i < ROUNDS; i++) {
            union wire_random_record in, out;
            wire_random_fill(&g, shapes[s], &in);
            struct bytes b = encode(shapes[s], &in);
            if (b.size == 0) continue; /* a message without fields */
            size_t at = prng_below(&g.prng, b.size);
            encoded[at] ^= (uint8_t)prng_between(&g.prng, 1, 255);
            if (wire_decode(shapes[s], b, &out) != 0) continue;
            struct writer w = writer_over(again, sizeof again);
            wire_encode(shapes[s], &out, &w);
            assert_true(bytes_equal(b, (struct bytes){again, w.size}));
            accepted++;
        }
    }
    assert_true(accepted > 0 && accepted < n * ROUNDS);
}

static void a_count_that_lies_is_refused(void **state)
{
    (void)state;
    uint8_t body[4 + 3 * 8] = {0};
    struct bytes b = {body, sizeof body};
    struct wire_start_view_change m;
    const struct {
        uint32_t count;
        int answer;
    } cases[] = {
        {3, 0},
        {2, VSTAMP_E_MALFORMED},
        {0, VSTAMP_E_MALFORMED},
        {4, VSTAMP_E_TRUNCATED},
        {UINT32_MAX, VSTAMP_E_TRUNCATED},
        {UINT32_MAX / 8 + 2, VSTAMP_E_TRUNCATED}, /* times 8 it is small again */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct writer w = writer_over(body, 4);
        write_u32(&w, cases[i].count);
        assert_int_equal(wire_decode(&wire_shape_start_view_change, b, &m), cases[i].answer);
    }
}

/* The outer length is right, an inner one reaches out of its record. */
static void a_record_in_a_list_cannot_reach_beyond_it(void **state)
{
    (void)state;
    uint8_t list[64], body[256];
    struct wire_list_builder builder;
    wire_list_begin(&builder, &wire_shape_batch_item, list, sizeof list);
    assert_true(wire_list_add(&builder, &(struct wire_batch_item){.content = bytes_of("a:1")}));
    assert_true(wire_list_add(&builder, &(struct wire_batch_item){.content = bytes_of("b:2")}));
    struct wire_batch_head m = {.before = wire_list_end(&builder)};
    struct writer w = writer_over(body, sizeof body);
    wire_encode(&wire_shape_batch_head, &m, &w);
    struct bytes b = {body, w.size};
    assert_int_equal(wire_decode(&wire_shape_batch_head, b, &m), 0);

    size_t second = w.size - 4 - 3; /* length, "b:2" */
    body[second] = 4;
    assert_int_equal(wire_decode(&wire_shape_batch_head, b, &m), VSTAMP_E_TRUNCATED);
    body[second] = 2;
    assert_int_equal(wire_decode(&wire_shape_batch_head, b, &m), VSTAMP_E_MALFORMED);
    body[second + 3] = 0x80;
    assert_int_equal(wire_decode(&wire_shape_batch_head, b, &m), VSTAMP_E_TRUNCATED);
}

static void what_the_builder_makes_the_walker_reads(void **state)
{
    (void)state;
    uint8_t buffer[3 * 8 + 7]; /* three counters, and not quite a fourth */
    struct wire_list_builder builder;
    wire_list_begin(&builder, &wire_shape_counter, buffer, sizeof buffer);
    for (uint64_t i = 0; i < 3; i++) {
        assert_true(wire_list_add(&builder, &(struct wire_counter){i * 10}));
    }
    assert_false(wire_list_add(&builder, &(struct wire_counter){99}));
    struct wire_list list = wire_list_end(&builder);
    assert_int_equal(list.count, 3);
    assert_int_equal(list.encoded.size, 24);

    struct reader r = wire_list_start(&list);
    for (uint64_t i = 0; i < 3; i++) {
        struct wire_counter counter;
        wire_list_next(&wire_shape_counter, &r, &counter);
        assert_int_equal(counter.value, i * 10);
    }
    assert_true(reader_done(&r));
}

/* Not even a part of it stays there. */
static void a_record_that_does_not_fit_leaves_its_list_as_it_was(void **state)
{
    (void)state;
    uint8_t buffer[64], other[64] = {0};
    struct wire_list_builder builder, wanted;
    const struct wire_batch_item large = {.content = {other, sizeof other}}, small = {.size = 7};
    wire_list_begin(&builder, &wire_shape_batch_item, buffer, sizeof buffer);
    wire_list_begin(&wanted, &wire_shape_batch_item, other, sizeof other);
    assert_false(wire_list_add(&builder, &large));
    assert_true(wire_list_add(&builder, &small));
    assert_true(wire_list_add(&wanted, &small));
    struct wire_list list = wire_list_end(&builder), same = wire_list_end(&wanted);
    assert_int_equal(list.count, 1);
    assert_true(bytes_equal(list.encoded, same.encoded));
}

static void records_can_be_read_one_after_another(void **state)
{
    (void)state;
    uint8_t buffer[64];
    struct writer w = writer_over(buffer, sizeof buffer);
    struct wire_page page = {.number = 7, .content = bytes_of("xyz")};
    wire_encode(&wire_shape_page, &page, &w);
    wire_encode(&wire_shape_page, &page, &w);
    struct reader r = reader_over(buffer, w.size);
    for (int i = 0; i < 2; i++) {
        page = (struct wire_page){0};
        assert_int_equal(wire_decode_next(&wire_shape_page, &r, &page), 0);
        assert_int_equal(page.number, 7);
        assert_true(bytes_equal(page.content, bytes_of("xyz")));
    }
    assert_int_equal(wire_decode_next(&wire_shape_page, &r, &page), VSTAMP_E_TRUNCATED);
}

static void a_message_larger_than_memory_has_the_largest_size(void **state)
{
    (void)state;
    struct wire_prepare m = {.entry.body = {encoded, SIZE_MAX - 3}};
    assert_true(wire_size(&wire_shape_prepare, &m) == SIZE_MAX);
    struct writer w = writer_over(again, sizeof again);
    wire_encode(&wire_shape_prepare, &m, &w);
    assert_false(w.ok);
}

/* codec.c recurses along NEST and LIST; this is why that is bounded. */
static unsigned depth(const struct wire_shape *shape)
{
    unsigned deepest = 0;
    for (size_t i = 0; i < shape->n_fields; i++) {
        const struct wire_shape *record = shape->fields[i].record;
        if (record == NULL) continue;
        assert_int_equal(record->number, 0);
        unsigned d = depth(record);
        if (d > deepest) deepest = d;
    }
    return deepest + 1;
}

static void records_nest_only_a_few_levels(void **state)
{
    (void)state;
    size_t n;
    const struct wire_shape *const *shapes = wire_random_shapes(&n);
    for (size_t s = 0; s < n; s++) assert_in_range(depth(shapes[s]), 1, DEPTH_MAX);
}

static void messages_are_found_by_number_and_others_are_not(void **state)
{
    (void)state;
    size_t n;
    const struct wire_shape *const *messages = wire_messages(&n);
    assert_int_equal(n, 34); /* of the numbers up to 36 */
    for (size_t i = 0; i < n; i++) {
        assert_ptr_equal(wire_message_shape(messages[i]->number), messages[i]);
    }
    assert_ptr_equal(wire_message_shape(WIRE_prepare), &wire_shape_prepare);
    assert_null(wire_message_shape(0));
    assert_null(wire_message_shape(13));
    assert_null(wire_message_shape(16));
    assert_null(wire_message_shape((uint16_t)(messages[n - 1]->number + 1)));
    assert_null(wire_message_shape(UINT16_MAX));
}

static void kinds_and_reasons_have_words(void **state)
{
    (void)state;
    assert_string_equal(wire_request_kind_name(WIRE_KIND_READ_CAUSAL), "read-causal");
    assert_null(wire_request_kind_name(0));
    assert_null(wire_request_kind_name(255));
    assert_string_equal(wire_reject_reason_name(WIRE_REJECT_TOO_LARGE), "too-large");
    assert_null(wire_reject_reason_name(0));
    assert_null(wire_reject_reason_name(255));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_message_round_trips),
        cmocka_unit_test(every_truncation_is_refused),
        cmocka_unit_test(bytes_that_no_field_claims_are_refused),
        cmocka_unit_test(noise_is_refused_or_is_the_one_encoding_of_something),
        cmocka_unit_test(a_count_that_lies_is_refused),
        cmocka_unit_test(a_record_in_a_list_cannot_reach_beyond_it),
        cmocka_unit_test(what_the_builder_makes_the_walker_reads),
        cmocka_unit_test(a_record_that_does_not_fit_leaves_its_list_as_it_was),
        cmocka_unit_test(records_can_be_read_one_after_another),
        cmocka_unit_test(a_message_larger_than_memory_has_the_largest_size),
        cmocka_unit_test(records_nest_only_a_few_levels),
        cmocka_unit_test(messages_are_found_by_number_and_others_are_not),
        cmocka_unit_test(kinds_and_reasons_have_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* The form of a recording: what is put comes back, and what makes no sense is refused.  That a node
 * can be lived again from it is in test_replay.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "fuzz/wire_random.h"
#include "node/node_state.h"
#include "node/recording.h"

static uint8_t content[64 * 1024], file[64 * 1024], list[1024];

static struct bytes text(const char *t)
{
    return (struct bytes){(const uint8_t *)t, strlen(t) + 1};
}

/* A start that makes sense, of replica 1 of 2. */
static struct wire_recorded_start sound_start(void)
{
    struct wire_list_builder b;
    wire_list_begin(&b, &wire_shape_address, list, sizeof list);
    assert_true(wire_list_add(&b, &(struct wire_address){text("a:1")}));
    assert_true(wire_list_add(&b, &(struct wire_address){text("b:2")}));
    return (struct wire_recorded_start){
        .format = RECORDING_FORMAT,
        .version = text("1.2"),
        .machine = text(recording_machine()),
        .application = text("counter"),
        .config = {.n_replicas = 2, .self = 1, .durable = 1, .log_bytes = UINT64_C(1) << 40,
                   .addresses = wire_list_end(&b),
                   .status_addresses = wire_list_end(&b)}};
}

static struct bytes put_start(const struct wire_recorded_start *start)
{
    struct writer w = writer_over(file, sizeof file);
    assert_true(recording_put(&w, 0, JOURNAL_RECORDED_start, start));
    return (struct bytes){file, w.size};
}

static void records_of_every_kind_come_back_in_order(void **state)
{
    (void)state;
    struct wire_random g;
    wire_random_init(&g, 1, content, sizeof content);
    for (int round = 0; round < 50; round++) {
        struct writer w = writer_over(file, sizeof file);
        struct journal_reader r = {.number = RECORDING_NUMBER};
        for (unsigned kind = JOURNAL_RECORDED_start; kind < JOURNAL_KINDS; kind++) {
            const struct wire_shape *shape = recording_shape((enum journal_kind)kind);
            union wire_random_record in;
            struct recorded out;
            wire_random_fill(&g, shape, &in);
            assert_true(recording_put(&w, w.size, (enum journal_kind)kind, &in));
            r.file = (struct bytes){file, w.size};
            assert_int_equal(recording_next(&r, &out), JOURNAL_RECORD);
            assert_int_equal(out.kind, kind);
            assert_true(wire_random_equal(shape, &in, &out.as));
        }
        struct recorded none;
        assert_int_equal(recording_next(&r, &none), JOURNAL_END);
    }
}

static void what_does_not_fit_is_not_begun(void **state)
{
    (void)state;
    struct wire_recorded_clock clock = {.monotonic_us = 1, .realtime_us = 2};
    struct writer w = writer_over(file, 16 + 16);
    assert_true(recording_put(&w, 0, JOURNAL_RECORDED_clock, &clock));
    assert_false(recording_put(&w, w.size, JOURNAL_RECORDED_clock, &clock));
    assert_int_equal(w.size, 32);
    assert_true(w.ok);
}

/* A segment of a journal is made of the same records, and is none. */
static void a_record_of_another_file_is_none(void **state)
{
    (void)state;
    struct wire_segment segment = {.version = WIRE_NEWEST, .number = 1};
    struct recorded start;
    uint32_t format;
    struct writer w = writer_over(file, sizeof file);
    assert_true(journal_put(&w, 1, 0, JOURNAL_SEGMENT, &wire_shape_segment, &segment));
    assert_false(recording_origin((struct bytes){file, w.size}, &format, &start));

    w = writer_over(file, sizeof file);
    assert_true(
        journal_put(&w, RECORDING_NUMBER, 0, JOURNAL_SEGMENT, &wire_shape_segment, &segment));
    struct journal_reader r = {.file = {file, w.size}, .number = RECORDING_NUMBER};
    assert_int_equal(recording_next(&r, &start), JOURNAL_BAD);
    assert_int_equal(r.place, 0);
    assert_false(recording_origin((struct bytes){file, w.size}, &format, &start));
    assert_false(recording_origin((struct bytes){file, 0}, &format, &start));
}

/* Whatever a later format makes of the first record, its first field stays. */
static void the_format_is_read_of_every_format(void **state)
{
    (void)state;
    struct wire_recorded_step later = {.step = 9};
    uint8_t body[5] = {RECORDING_FORMAT + 1, 0, 0, 0, 77};
    struct wire_recorded_data raw = {.content = {body, sizeof body}};
    struct recorded start;
    uint32_t format = 0;
    struct wire_recorded_start ours = sound_start();
    assert_true(recording_origin(put_start(&ours), &format, &start));
    assert_int_equal(format, RECORDING_FORMAT);
    assert_true(wire_random_equal(&wire_shape_recorded_start, &ours, &start.as.start));

    ours.format++;
    assert_true(recording_origin(put_start(&ours), &format, &start));
    assert_int_equal(format, RECORDING_FORMAT + 1);

    /* A first record that is too short for a format, and one of another kind. */
    struct writer w = writer_over(file, sizeof file);
    assert_true(journal_put(&w, RECORDING_NUMBER, 0, JOURNAL_RECORDED_start,
                            &wire_shape_recorded_step, &later));
    assert_false(recording_origin((struct bytes){file, w.size}, &format, &start));
    w = writer_over(file, sizeof file);
    assert_true(recording_put(&w, 0, JOURNAL_RECORDED_data, &raw));
    assert_false(recording_origin((struct bytes){file, w.size}, &format, &start));
}

static void a_configuration_comes_back(void **state)
{
    (void)state;
    struct wire_recorded_start in = sound_start();
    struct recorded out;
    struct vr_config config;
    uint32_t format;
    assert_true(recording_origin(put_start(&in), &format, &out));
    assert_true(recording_config(&out.as.start, &config));
    assert_int_equal(config.n_replicas, 2);
    assert_int_equal(config.self, 1);
    assert_true(config.durable);
    assert_int_equal(config.log_bytes, UINT64_C(1) << 40);
    assert_string_equal(config.version, "1.2");
    assert_string_equal(config.addresses[0], "a:1");
    assert_string_equal(config.addresses[1], "b:2");
}

#ifdef __has_builtin
#if __has_builtin(__builtin_clear_padding)
#define CLEAR_PADDING(of) __builtin_clear_padding(of)
#endif
#endif

#ifdef CLEAR_PADDING
static void take_start(void *ctx, enum journal_kind kind, const void *record)
{
    assert_int_equal(kind, JOURNAL_RECORDED_start);
    assert_true(recording_config(record, ctx));
}

/* Each byte of it, but of the texts: a field that CONFIG_NUMBERS lacks would come back as 0. */
static void all_of_a_configuration_comes_back(void **state)
{
    (void)state;
    static struct node node;
    const struct vstamp_app app = {.name = "counter"};
    struct vr_config in, out;
    memset(&in, 1, sizeof in);
    in.n_replicas = 3;
    in.witnesses = 4;
    in.version = "1.2";
    for (uint8_t i = 0; i < in.n_replicas; i++) in.addresses[i] = in.status_addresses[i] = "a:1";
    node.io.record = take_start;
    node.io.ctx = &out;
    node_record_start(&node, &in, &app, (struct vstamp_id){0});
    CLEAR_PADDING(&in);
    CLEAR_PADDING(&out);
    assert_memory_equal(&in, &out, offsetof(struct vr_config, version));
    assert_string_equal(out.status_addresses[2], "a:1");
}
#else
static void all_of_a_configuration_comes_back(void **state)
{
    (void)state;
    skip(); /* what is padding is not known */
}
#endif

static void a_configuration_that_makes_no_sense_is_refused(void **state)
{
    (void)state;
    struct vr_config config;
    struct wire_recorded_start start = sound_start();
    assert_true(recording_config(&start, &config));
    for (int wrong = 0; wrong < 11; wrong++) {
        start = sound_start();
        switch (wrong) {
        case 0: start.config.n_replicas = 0; break;
        case 1: start.config.n_replicas = 3; break; /* one more than addresses */
        case 2: start.config.n_replicas = REPLICAS_MAX + 1; break;
        case 3: start.config.self = 2; break;
        case 4: start.config.durable = 2; break;
        case 5: start.version.size--; break; /* without its NUL */
        case 6: start.machine.size = 0; break;
        case 7: start.application = (struct bytes){(const uint8_t *)"a\0b", 4}; break;
        case 9: start.config.witnesses = 1; break; /* in a group of two */
        case 10: start.config.witnesses = 4; break;
        case 8: list[4 + 3] = 'x'; break; /* the NUL of the first address */
        }
        assert_false(recording_config(&start, &config));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_of_every_kind_come_back_in_order),
        cmocka_unit_test(what_does_not_fit_is_not_begun),
        cmocka_unit_test(a_record_of_another_file_is_none),
        cmocka_unit_test(the_format_is_read_of_every_format),
        cmocka_unit_test(a_configuration_comes_back),
        cmocka_unit_test(all_of_a_configuration_comes_back),
        cmocka_unit_test(a_configuration_that_makes_no_sense_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

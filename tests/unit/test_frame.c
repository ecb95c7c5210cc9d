/* SPDX-License-Identifier: BSD-2-Clause */
/* Frames: what is refused and why, streams, and the format itself, pinned by golden frames. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/checksum.h"
#include "base/limits.h"
#include "fuzz/wire_random.h"

/* Where the fields of the header are (frame.h). */
enum { AT_MAGIC = 16, AT_VERSION = 20, AT_COMMAND = 22, AT_SIZE = 24, AT_WITNESSES = 60 };

static uint8_t content[64 * 1024], frame[64 * 1024];

static const struct wire_header header = {
    .epoch = 1,
    .group = {0x1111, 0x2222},
    .view = 5,
    .sender = 2,
    .witnesses = 4,
    .version = WIRE_NEWEST,
    .newest = WIRE_NEWEST + 3,
};

static struct bytes random_frame(struct wire_random *g, const struct wire_shape *shape)
{
    struct wire_message m;
    wire_random_fill(g, shape, &m.as);
    size_t size = wire_frame_encode(&header, shape, &m.as, frame, sizeof frame);
    assert_true(size >= WIRE_HEADER_SIZE);
    return (struct bytes){frame, size};
}

static struct bytes commit_frame(void)
{
    struct wire_commit m = {.commit = 1};
    size_t size = wire_frame_encode(&header, &wire_shape_commit, &m, frame, sizeof frame);
    return (struct bytes){frame, size};
}

/* Make the header's checksum right again, as somebody who means it would. */
static void seal(void)
{
    struct writer w = writer_over(frame, 8);
    write_u64(&w, checksum64(frame + 8, WIRE_HEADER_SIZE - 8));
}

static void every_message_comes_back_with_its_header(void **state)
{
    (void)state;
    struct wire_random g;
    wire_random_init(&g, 1, content, sizeof content);
    size_t n;
    const struct wire_shape *const *messages = wire_messages(&n);
    for (size_t i = 0; i < n; i++) {
        struct wire_message in, out;
        wire_random_fill(&g, messages[i], &in.as);
        size_t size = wire_frame_encode(&header, messages[i], &in.as, frame, sizeof frame);
        assert_int_equal(size, WIRE_HEADER_SIZE + wire_size(messages[i], &in.as));
        assert_int_equal(wire_frame_decode((struct bytes){frame, size}, &out), 0);
        assert_ptr_equal(out.shape, messages[i]);
        assert_true(wire_random_equal(messages[i], &in.as, &out.as));
        assert_int_equal(out.header.version, messages[i]->for_ever ? 0 : WIRE_NEWEST);
        assert_int_equal(out.header.newest, WIRE_NEWEST + 3);
        assert_int_equal(out.header.command, messages[i]->number);
        assert_int_equal(out.header.size, size);
        assert_int_equal(out.header.epoch, header.epoch);
        assert_true(vstamp_id_equal(out.header.group, header.group));
        assert_int_equal(out.header.view, header.view);
        assert_int_equal(out.header.sender, header.sender);
        assert_int_equal(out.header.witnesses, header.witnesses);
    }
}

static void every_flipped_bit_is_noticed(void **state)
{
    (void)state;
    struct wire_random g;
    wire_random_init(&g, 2, content, sizeof content);
    size_t n;
    const struct wire_shape *const *messages = wire_messages(&n);
    for (size_t i = 0; i < n; i++) {
        struct bytes b = random_frame(&g, messages[i]);
        struct wire_message m;
        assert_int_equal(wire_frame_decode(b, &m), 0);
        for (size_t bit = 0; bit < 8 * b.size; bit++) {
            frame[bit / 8] ^= (uint8_t)(1u << (bit % 8));
            assert_int_equal(wire_frame_decode(b, &m), VSTAMP_E_CORRUPT);
            frame[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        }
        assert_int_equal(wire_frame_decode(b, &m), 0);
    }
}

static void noise_in_a_frame_is_noticed(void **state)
{
    (void)state;
    struct wire_random g;
    wire_random_init(&g, 3, content, sizeof content);
    for (int i = 0; i < 500; i++) {
        struct bytes b = random_frame(&g, &wire_shape_new_state);
        uint64_t n = prng_between(&g.prng, 1, 20);
        for (uint64_t j = 0; j < n; j++) {
            size_t at = (size_t)prng_below(&g.prng, b.size);
            frame[at] = (uint8_t)(frame[at] + prng_between(&g.prng, 1, 11)); /* never 256 in all */
        }
        struct wire_message m;
        assert_int_not_equal(wire_frame_decode(b, &m), 0);
    }
}

static void frames_are_found_in_a_stream_that_comes_in_pieces(void **state)
{
    (void)state;
    struct wire_random g;
    wire_random_init(&g, 4, content, sizeof content);
    static uint8_t stream[4096];
    size_t n = 0, ends[3];
    for (int i = 0; i < 3; i++) {
        struct bytes b =
            random_frame(&g, i == 1 ? &wire_shape_request_start_view : &wire_shape_hello);
        assert_true(n + b.size <= sizeof stream);
        memcpy(stream + n, b.data, b.size);
        n += b.size;
        ends[i] = n;
    }
    size_t start = 0, found = 0;
    for (size_t have = 0; have <= n; have++) { /* byte by byte */
        size_t size = 0;
        int rv = wire_frame_size((struct bytes){stream + start, have - start}, 4096, &size);
        if (have - start < WIRE_HEADER_SIZE) {
            assert_int_equal(rv, VSTAMP_E_TRUNCATED);
            continue;
        }
        assert_int_equal(rv, 0);
        assert_int_equal(start + size, ends[found]);
        struct wire_message m;
        struct bytes b = {stream + start, have - start};
        if (have < ends[found]) {
            assert_int_equal(wire_frame_decode(b, &m), VSTAMP_E_TRUNCATED);
        } else {
            assert_int_equal(wire_frame_decode(b, &m), 0);
            start += size;
            found++;
        }
    }
    assert_int_equal(found, 3);
}

static void a_frame_with_more_bytes_than_it_says_is_refused(void **state)
{
    (void)state;
    struct bytes b = commit_frame();
    struct wire_message m;
    b.size++;
    assert_int_equal(wire_frame_decode(b, &m), VSTAMP_E_MALFORMED);
}

/* Set a field of a sound commit frame, seal it, and see what is said of it. */
static void assert_refused(size_t at, size_t size, uint32_t value, int why)
{
    struct bytes b = commit_frame();
    struct wire_message m;
    assert_int_equal(wire_frame_decode(b, &m), 0);
    struct writer w = writer_over(frame + at, size);
    if (size == 1) write_u8(&w, (uint8_t)value);
    if (size == 2) write_u16(&w, (uint16_t)value);
    if (size == 4) write_u32(&w, value);
    assert_true(w.ok);
    seal();
    assert_int_equal(wire_frame_decode(b, &m), why);
}

static void headers_that_are_sealed_but_wrong_are_refused(void **state)
{
    (void)state;
    size_t n;
    uint16_t last = wire_messages(&n)[0]->number;
    for (size_t i = 0; i < n; i++)
        if (wire_messages(&n)[i]->number > last) last = wire_messages(&n)[i]->number;
    assert_refused(AT_MAGIC, 4, WIRE_MAGIC + 1, VSTAMP_E_CORRUPT); /* whatever the sum says */
    assert_refused(AT_VERSION, 1, 0, VSTAMP_E_MALFORMED); /* its shape is not for ever */
    assert_refused(AT_COMMAND, 2, 0, VSTAMP_E_MALFORMED);
    assert_refused(AT_COMMAND, 2, last + 1u, VSTAMP_E_MALFORMED);
    assert_refused(AT_COMMAND, 2, UINT16_MAX, VSTAMP_E_MALFORMED);
    assert_refused(AT_COMMAND, 2, WIRE_request_start_view, VSTAMP_E_MALFORMED); /* it is shorter */
    assert_refused(AT_COMMAND, 2, WIRE_reply, VSTAMP_E_MALFORMED); /* it is in no version */
    assert_refused(AT_COMMAND, 2, WIRE_prepare, VSTAMP_E_TRUNCATED);       /* it is longer */
    assert_refused(AT_SIZE, 4, 0, VSTAMP_E_MALFORMED);
    assert_refused(AT_SIZE, 4, WIRE_HEADER_SIZE - 1, VSTAMP_E_MALFORMED);
    assert_refused(AT_SIZE, 4, FRAME_BYTES_MAX, VSTAMP_E_TRUNCATED);
    assert_refused(AT_SIZE, 4, FRAME_BYTES_MAX + 1, VSTAMP_E_MALFORMED);
    assert_refused(AT_SIZE, 4, UINT32_MAX, VSTAMP_E_MALFORMED);
    assert_refused(AT_WITNESSES, 4, 1u << REPLICAS_MAX, VSTAMP_E_MALFORMED);
    assert_refused(AT_WITNESSES, 4, 0x80000000u, VSTAMP_E_MALFORMED);
}

static void a_stream_of_another_protocol_is_refused(void **state)
{
    (void)state;
    struct bytes http = bytes_of("GET /status HTTP/1.1\r\n"
                                 "Host: localhost\r\nUser-Agent: a browser of the web\r\n");
    assert_true(http.size >= WIRE_HEADER_SIZE);
    size_t size;
    assert_int_equal(wire_frame_size(http, 4096, &size), VSTAMP_E_CORRUPT);
    http = bytes_of("GET /status HTTP/1.1\r\n\r\n"); /* shorter than a header, and all there is */
    assert_int_equal(wire_frame_size(http, 4096, &size), VSTAMP_E_CORRUPT);
    static const uint8_t zeros[WIRE_HEADER_SIZE];
    struct bytes nothing = {zeros, sizeof zeros};
    assert_int_not_equal(wire_frame_size(nothing, 4096, &size), 0);
}

static void the_reader_decides_how_large_a_frame_may_be(void **state)
{
    (void)state;
    struct bytes b = commit_frame();
    size_t size = 0;
    assert_int_equal(wire_frame_size(b, b.size, &size), 0);
    assert_int_equal(size, b.size);
    assert_int_equal(wire_frame_size(b, b.size - 1, &size), VSTAMP_E_MALFORMED);
}

/* Who goes by it to find the next frame would else stand still, or wait for ever. */
static void a_size_that_no_frame_has_is_refused_at_once(void **state)
{
    static const uint32_t sizes[] = {0, WIRE_HEADER_SIZE - 1, FRAME_BYTES_MAX + 1, UINT32_MAX};
    struct bytes b = commit_frame();
    size_t size;
    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct writer w = writer_over(frame + AT_SIZE, 4);
        write_u32(&w, sizes[i]);
        seal();
        assert_int_equal(wire_frame_size(b, SIZE_MAX, &size), VSTAMP_E_MALFORMED);
    }
}

static void a_frame_that_does_not_fit_ends_where_its_room_does(void **state)
{
    (void)state;
    struct wire_request m = {.body = bytes_of("operation")};
    size_t size = wire_frame_encode(&header, &wire_shape_request, &m, frame, sizeof frame);
    assert_true(size > 0);
    memset(frame, 0xee, sizeof frame);
    for (size_t capacity = 0; capacity < size; capacity++) {
        assert_int_equal(wire_frame_encode(&header, &wire_shape_request, &m, frame, capacity), 0);
        for (size_t i = capacity; i < size; i++) assert_int_equal(frame[i], 0xee);
    }
    assert_int_equal(wire_frame_encode(&header, &wire_shape_request, &m, frame, size), size);

    m.body.size = FRAME_BYTES_MAX; /* refused before a byte of it is looked at */
    size_t said = (size_t)2 * FRAME_BYTES_MAX;
    assert_int_equal(wire_frame_encode(&header, &wire_shape_request, &m, frame, said), 0);
    m.body.size = SIZE_MAX;
    assert_int_equal(wire_frame_encode(&header, &wire_shape_request, &m, frame, SIZE_MAX), 0);
}

/* A frame of a later version may hold anything behind its header, and that says so. */
static void a_frame_of_a_later_version_says_so(void **state)
{
    (void)state;
    struct wire_message m;
    struct bytes b = commit_frame();
    struct writer w = writer_over(frame + AT_VERSION, 4);
    write_u8(&w, WIRE_NEWEST + 1);
    write_u8(&w, WIRE_NEWEST + 1);
    write_u16(&w, UINT16_MAX);
    seal();
    assert_int_equal(wire_frame_decode(b, &m), VSTAMP_E_VERSION);
    assert_int_equal(m.header.version, WIRE_NEWEST + 1);
    w = writer_over(frame + AT_COMMAND, 2);
    write_u16(&w, WIRE_prepare);
    seal();
    assert_int_equal(wire_frame_decode(b, &m), VSTAMP_E_VERSION); /* it is longer */
    w = writer_over(frame + AT_COMMAND, 2);
    write_u16(&w, WIRE_commit);
    seal();
    assert_int_equal(wire_frame_decode(b, &m), 0); /* as if nothing had changed; the node judges */
    assert_int_equal(m.header.version, WIRE_NEWEST + 1);
}

struct wire_grown {
    uint64_t old, newer;
    struct bytes newest;
};

static wire_encode_fn wire_encode_grown;
static wire_decode_fn wire_decode_grown;
#define WIRE_MESSAGES "unit/grown.def"
#include "wire/coding.def"

/* G2 */
static void fields_that_came_later_are_left_out_in_older_versions(void **state)
{
    (void)state;
    static const struct wire_shape shape = {.name = "grown", .number = WIRE_commit,
                                            .encode = wire_encode_grown,
                                            .decode = wire_decode_grown};
    static const size_t sizes[] = {8, 16, 24}; /* of a body, by version */
    struct wire_grown m = {.old = 1, .newer = 2, .newest = bytes_of("text")};
    for (uint8_t i = 0; i < 3; i++) {
        struct wire_header h = {.version = (uint8_t)(WIRE_NEWEST + i)};
        struct wire_grown out;
        memset(&out, 0xff, sizeof out);
        size_t size = wire_frame_encode(&h, &shape, &m, frame, sizeof frame);
        assert_int_equal(size, WIRE_HEADER_SIZE + sizes[i]);
        struct bytes body = {frame + WIRE_HEADER_SIZE, size - WIRE_HEADER_SIZE};
        assert_int_equal(wire_decode_in(&shape, h.version, body, &out), 0);
        assert_int_equal(out.old, 1);
        assert_int_equal(out.newer, i > 0 ? 2 : 0);
        assert_true(bytes_equal(out.newest, i > 1 ? m.newest : (struct bytes){0}));
        assert_int_equal(wire_decode_in(&shape, h.version + 1, body, &out),
                         i < 2 ? VSTAMP_E_TRUNCATED : 0);
    }
}

/* The golden frames: the format is a promise between versions.  A test that fails here asks for
 * another version of the protocol, and then for another golden frame; one of what is for ever must
 * never fail. */
static void to_hex(struct bytes b, char *text, size_t size)
{
    assert_true(2 * b.size < size);
    for (size_t i = 0; i < b.size; i++) snprintf(text + 2 * i, 3, "%02x", b.data[i]);
}

static void assert_golden(const struct wire_shape *shape, const void *message, const char *wanted)
{
    struct wire_header h = header;
    h.version = h.newest = 8;
    size_t size = wire_frame_encode(&h, shape, message, frame, sizeof frame);
    char text[1024];
    to_hex((struct bytes){frame, size}, text, sizeof text);
    assert_string_equal(text, wanted);
}

static void the_bytes_of_a_request_are_these(void **state)
{
    (void)state;
    struct wire_request m = {
        .client = {1, 2},
        .session = 3,
        .number = 4,
        .kind = WIRE_KIND_APPLY,
        .token = 5,
        .application = 6,
        .body = bytes_of("body"),
    };
    assert_golden(&wire_shape_request, &m,
                  "59e4bd125cee983d4780af54b7a87541"
                  "56535450000801007900000001000000"
                  "22220000000000001111000000000000"
                  "05000000000000000200000004000000"
                  "0200000000000000010000000000000003000000000000000400000000000000"
                  "020500000000000000060000000000000004000000626f6479");
}

static void the_bytes_of_a_prepare_are_these(void **state)
{
    (void)state;
    struct wire_prepare m = {
        .commit = 6,
        .held = 5,
        .entry = {.header = {.op = 7,
                             .view = 4,
                             .epoch = 1,
                             .version = 8,
                             .timestamp = 8,
                             .parent = {9, 10},
                             .checksum = {11, 12}},
                  .body = bytes_of("batch")},
    };
    assert_golden(&wire_shape_prepare, &m,
                  "481fc45e2b4bba88c477f347ebe0830e"
                  "56535450080803009600000001000000"
                  "22220000000000001111000000000000"
                  "05000000000000000200000004000000"
                  "0600000000000000050000000000000007000000000000000400000000000000"
                  "010000000808000000000000000a0000000000000009000000000000000c0000"
                  "00000000000b00000000000000050000006261746368");
}

static void the_bytes_of_a_heartbeat_are_these(void **state)
{
    (void)state;
    struct wire_commit m = {.op = 7, .commit = 6, .checksum = {9, 10}, .sequence = 11, .held = 5,
                            .executed = 4, .stuck_at = 3};
    assert_golden(&wire_shape_commit, &m,
                  "33bfb66291fd7c942f544710a3871b9c"
                  "56535450080805008400000001000000"
                  "22220000000000001111000000000000"
                  "05000000000000000200000004000000"
                  "070000000000000006000000000000000a000000000000000900000000000000"
                  "00000000000000000b0000000000000005000000000000000400000000000000"
                  "03000000");
}

static void the_bytes_of_a_do_view_change_are_these(void **state)
{
    (void)state;
    uint8_t counters[16], headers[61];
    struct wire_list_builder builder;
    wire_list_begin(&builder, &wire_shape_counter, counters, sizeof counters);
    assert_true(wire_list_add(&builder, &(struct wire_counter){1}));
    assert_true(wire_list_add(&builder, &(struct wire_counter){2}));
    struct wire_do_view_change m = {
        .log_view = 4,
        .op = 7,
        .commit = 6,
        .crash_vector = wire_list_end(&builder),
    };
    struct wire_entry_header newest = {
        .op = 7, .view = 4, .epoch = 1, .version = 8, .timestamp = 8, .parent = {9, 10},
        .checksum = {11, 12}};
    wire_list_begin(&builder, &wire_shape_entry_header, headers, sizeof headers);
    assert_true(wire_list_add(&builder, &newest));
    m.headers = wire_list_end(&builder);
    m.holes = 1;
    m.clock_us = 13;
    assert_golden(&wire_shape_do_view_change, &m,
                  "cbf07fb195c769d828d44e7cf7c03145"
                  "5653545008080700bd00000001000000"
                  "22220000000000001111000000000000"
                  "05000000000000000200000004000000"
                  "0400000000000000070000000000000006000000000000000200000001000000"
                  "0000000002000000000000000100000007000000000000000400000000000000"
                  "010000000808000000000000000a0000000000000009000000000000000c0000"
                  "00000000000b0000000000000001000000000000000d00000000000000");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_message_comes_back_with_its_header),
        cmocka_unit_test(every_flipped_bit_is_noticed),
        cmocka_unit_test(noise_in_a_frame_is_noticed),
        cmocka_unit_test(frames_are_found_in_a_stream_that_comes_in_pieces),
        cmocka_unit_test(a_frame_with_more_bytes_than_it_says_is_refused),
        cmocka_unit_test(headers_that_are_sealed_but_wrong_are_refused),
        cmocka_unit_test(a_stream_of_another_protocol_is_refused),
        cmocka_unit_test(the_reader_decides_how_large_a_frame_may_be),
        cmocka_unit_test(a_size_that_no_frame_has_is_refused_at_once),
        cmocka_unit_test(a_frame_that_does_not_fit_ends_where_its_room_does),
        cmocka_unit_test(a_frame_of_a_later_version_says_so),
        cmocka_unit_test(fields_that_came_later_are_left_out_in_older_versions),
        cmocka_unit_test(the_bytes_of_a_request_are_these),
        cmocka_unit_test(the_bytes_of_a_prepare_are_these),
        cmocka_unit_test(the_bytes_of_a_heartbeat_are_these),
        cmocka_unit_test(the_bytes_of_a_do_view_change_are_these),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

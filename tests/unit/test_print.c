/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "fuzz/wire_random.h"

static void a_message_is_one_line(void **state)
{
    (void)state;
    struct wire_message m = {
        .header = {.view = 3},
        .shape = &wire_shape_prepare,
        .as.prepare =
            {.commit = 7,
             .entry = {.header = {.op = 8, .view = 3, .timestamp = 5, .checksum = {1, 10}},
                       .body = bytes_of("abc")}},
    };
    char text[300];
    wire_print(&m, text, sizeof text);
    assert_string_equal(text, "prepare from=0 view=3 commit=7 held=0 entry={header={op=8 view=3 "
                              "epoch=0 version=0 timestamp=5 parent=0 "
                              "checksum=0000000000000001000000000000000a} body=3B}");
}

static void clients_epochs_and_lists_are_shown(void **state)
{
    (void)state;
    uint8_t buffer[64];
    struct wire_list_builder builder;
    wire_list_begin(&builder, &wire_shape_counter, buffer, sizeof buffer);
    assert_true(wire_list_add(&builder, &(struct wire_counter){4}));
    assert_true(wire_list_add(&builder, &(struct wire_counter){5}));
    struct wire_message m = {
        .header = {.view = 2, .epoch = 1, .sender = 1},
        .shape = &wire_shape_start_view_change,
        .as.start_view_change = {.crash_vector = wire_list_end(&builder)},
    };
    char text[300];
    wire_print(&m, text, sizeof text);
    assert_string_equal(text, "start_view_change from=1 epoch=1 view=2 crash_vector=[4 5]");

    m = (struct wire_message){
        .header = {.sender = WIRE_SENDER_CLIENT},
        .shape = &wire_shape_get_committed,
        .as.get_committed = {.nonce = 6},
    };
    wire_print(&m, text, sizeof text);
    assert_string_equal(text, "get_committed from=client view=0 nonce=6 after=0");
}

static void a_line_that_is_too_long_is_cut(void **state)
{
    (void)state;
    static uint8_t content[16 * 1024];
    struct wire_random g;
    wire_random_init(&g, 1, content, sizeof content);
    struct wire_message m = {.header = {.view = 1}, .shape = &wire_shape_do_view_change};
    wire_random_fill(&g, m.shape, &m.as);
    char whole[4096], cut[4097];
    wire_print(&m, whole, sizeof whole);
    size_t length = strlen(whole);
    assert_in_range(length, 100, sizeof whole - 2);
    for (size_t size = 1; size <= length + 1; size++) {
        memset(cut, '#', sizeof cut);
        wire_print(&m, cut, size);
        assert_int_equal(strlen(cut), size - 1);
        assert_memory_equal(cut, whole, size - 1);
        assert_int_equal(cut[size], '#');
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_is_one_line),
        cmocka_unit_test(clients_epochs_and_lists_are_shown),
        cmocka_unit_test(a_line_that_is_too_long_is_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

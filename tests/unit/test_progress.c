/* SPDX-License-Identifier: BSD-2-Clause */
/* The line of a progress bar: what it says, and that it fits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "program/progress.h"

static const struct progress half = {
    .what = "backup", .begun_ms = 1000, .done = 600000000, .total = 1200000000};

static void it_tells_share_rate_and_what_is_left(void **unused)
{
    char line[512];
    (void)unused;
    progress_line(line, sizeof line, 80, &half, 7000);
    assert_string_equal("backup  [##########..........]  50%  600 MB of 1.2 GB  100 MB/s  6s left",
                        line);
}

static void its_bar_is_as_long_whatever_the_numbers(void **unused)
{
    char line[512];
    (void)unused;
    for (uint64_t done = 1; done <= half.total; done *= 3) {
        struct progress p = half;
        p.done = done;
        progress_line(line, sizeof line, 80, &p, 9000);
        assert_int_equal(20, strcspn(strchr(line, '[') + 1, "]"));
    }
}

static void it_fits_whatever_the_width(void **unused)
{
    char line[512];
    (void)unused;
    for (unsigned width = 1; width <= 300; width++) {
        progress_line(line, sizeof line, width, &half, 7000);
        assert_true(strlen(line) < width);
        if (width < 68) assert_null(strchr(line, '['));
    }
}

static void ends_are_whole(void **unused)
{
    char line[512];
    struct progress p = half;
    (void)unused;
    p.done = 0;
    progress_line(line, sizeof line, 80, &p, 1000);
    assert_string_equal("backup  [....................]   0%  0 B of 1.2 GB  0 B/s", line);
    p.done = p.total + 4096;
    progress_line(line, sizeof line, 80, &p, 13000);
    assert_string_equal("backup  [####################] 100%  1.2 GB of 1.2 GB  100 MB/s", line);
    p.total = 0;
    progress_line(line, sizeof line, 80, &p, 13000);
    assert_string_equal("backup  1.2 GB  100 MB/s", line);
}

static void long_times_are_in_two_units(void **unused)
{
    char line[512];
    struct progress p = half;
    (void)unused;
    progress_line(line, sizeof line, 80, &p, 1000 + 125000);
    assert_non_null(strstr(line, "  2m05s left"));
    progress_line(line, sizeof line, 80, &p, 1000 + 7500000);
    assert_non_null(strstr(line, "  2h05m left"));
    progress_line(line, sizeof line, 80, &p, 1999);
    assert_null(strstr(line, "left"));
}

static void sizes_have_two_or_three_digits(void **unused)
{
    static const struct {
        uint64_t bytes;
        const char *text;
    } sizes[] = {{0, "0 B"},          {9, "9 B"},          {999, "999 B"},
                 {1000, "1.0 kB"},    {9940, "9.9 kB"},    {9960, "10 kB"},
                 {999400, "999 kB"},  {999600, "1.0 MB"},  {UINT64_C(1234567890123), "1.2 TB"},
                 {UINT64_C(5000000000000000), "5000 TB"}};
    char text[PROGRESS_SIZE_TEXT];
    (void)unused;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        progress_print_size(text, sizes[i].bytes);
        assert_string_equal(sizes[i].text, text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_tells_share_rate_and_what_is_left),
        cmocka_unit_test(its_bar_is_as_long_whatever_the_numbers),
        cmocka_unit_test(it_fits_whatever_the_width),
        cmocka_unit_test(ends_are_whole),
        cmocka_unit_test(long_times_are_in_two_units),
        cmocka_unit_test(sizes_have_two_or_three_digits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

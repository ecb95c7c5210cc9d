/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <vstamp/error.h>

static void names_are_those_of_the_list_in_lower_case(void **state)
{
    (void)state;
    assert_string_equal(vstamp_err_name(VSTAMP_E_NOT_RUN), "not-run");
    assert_string_equal(vstamp_err_name(VSTAMP_E_UNKNOWN_OUTCOME), "unknown-outcome");
    assert_string_equal(vstamp_err_name(VSTAMP_E_IO), "io");
    assert_string_equal(vstamp_err_name(VSTAMP_OK), "ok");
}

static void numbers_names_and_exit_statuses_of_the_contract_hold(void **state)
{
    (void)state;
    assert_int_equal(VSTAMP_E_USAGE, -1);
    assert_int_equal(VSTAMP_E_OVERFLOW, -18);
    assert_int_equal(vstamp_err_exit(VSTAMP_OK), 0);
    assert_int_equal(vstamp_err_exit(VSTAMP_E_USAGE), 2);
    assert_int_equal(vstamp_err_exit(VSTAMP_E_NOT_RUN), 3);
    assert_int_equal(vstamp_err_exit(VSTAMP_E_UNKNOWN_OUTCOME), 4);
    assert_int_equal(vstamp_err_exit(VSTAMP_E_EVICTED), 5);
    assert_int_equal(vstamp_err_exit(VSTAMP_E_BUG), 70);
}

static void strangers_get_words_too(void **state)
{
    (void)state;
    const int strangers[] = {1, -1000, INT32_MIN, INT32_MAX};
    for (size_t i = 0; i < sizeof strangers / sizeof strangers[0]; i++) {
        assert_string_equal(vstamp_err_name(strangers[i]), "unknown");
        assert_true(strlen(vstamp_err_text(strangers[i])) > 0);
        assert_int_equal(vstamp_err_exit(strangers[i]), 70);
    }
}

static void no_two_errors_share_a_number_or_a_name(void **state)
{
    (void)state;
    const int codes[] = {
#define VSTAMP_ERROR(name, number, exit_status, sentence) VSTAMP_E_##name,
#include <vstamp/errors.def>
#undef VSTAMP_ERROR
    };
    size_t n = sizeof codes / sizeof codes[0];
    for (size_t i = 0; i < n; i++) {
        assert_string_not_equal(vstamp_err_name(codes[i]), "unknown");
        for (size_t j = 0; j < i; j++) {
            assert_int_not_equal(codes[i], codes[j]);
            assert_string_not_equal(vstamp_err_name(codes[i]), vstamp_err_name(codes[j]));
        }
    }
}

static void wrapping_puts_the_outer_story_first(void **state)
{
    (void)state;
    struct vstamp_diag diag = {0};
    vstamp_diag_printf(&diag, "bad checksum at %d", 4096);
    vstamp_diag_wrap(&diag, "%s", "/srv/0");
    vstamp_diag_wrap(&diag, "open journal");
    assert_string_equal(diag.text, "open journal: /srv/0: bad checksum at 4096");
}

static void wrapping_an_empty_sentence_adds_no_colon(void **state)
{
    (void)state;
    struct vstamp_diag diag = {0};
    vstamp_diag_wrap(&diag, "open journal");
    assert_string_equal(diag.text, "open journal");
}

static void what_is_too_long_is_cut_at_its_end(void **state)
{
    (void)state;
    char text[2 * VSTAMP_DIAG_SIZE];
    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = '\0';
    struct vstamp_diag diag = {0};
    vstamp_diag_printf(&diag, "%s", text);
    assert_int_equal(strlen(diag.text), VSTAMP_DIAG_SIZE - 1);
    vstamp_diag_wrap(&diag, "outer");
    assert_int_equal(strlen(diag.text), VSTAMP_DIAG_SIZE - 1);
    assert_memory_equal(diag.text, "outer: xxx", 10);
    vstamp_diag_wrap(&diag, "%s", text);
    assert_int_equal(strlen(diag.text), VSTAMP_DIAG_SIZE - 1);
    assert_memory_equal(diag.text, "xxx", 3);
}

static void nobody_needs_to_want_the_sentence(void **state)
{
    (void)state;
    vstamp_diag_printf(NULL, "unread");
    vstamp_diag_wrap(NULL, "unread");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_those_of_the_list_in_lower_case),
        cmocka_unit_test(numbers_names_and_exit_statuses_of_the_contract_hold),
        cmocka_unit_test(strangers_get_words_too),
        cmocka_unit_test(no_two_errors_share_a_number_or_a_name),
        cmocka_unit_test(wrapping_puts_the_outer_story_first),
        cmocka_unit_test(wrapping_an_empty_sentence_adds_no_colon),
        cmocka_unit_test(what_is_too_long_is_cut_at_its_end),
        cmocka_unit_test(nobody_needs_to_want_the_sentence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* What a process may write, right and wrong: a table, and bytes at random. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/prng.h"
#include "replica/app_answer.h"

#define WORD32 "a.b-c_d890123456789012345678901Z"

#define NO 0, 0, 0, 0

static const struct {
    const char *said;
    int rv;
    enum app_word word;
    uint64_t number, body, total;
    const char *name, *why;
} table[] = {
    {"hello 1 sum\n", 1, APP_HELLO, 1, 0, 12, "sum", NULL},
    {"hello 1 " WORD32 "\nrest", 1, APP_HELLO, 1, 0, 41, WORD32, NULL},
    {"loaded 3\n", 1, APP_LOADED, 3, 0, 9, NULL, NULL},
    {"answer 3 0\n", 1, APP_ANSWER, 3, 0, 12, NULL, NULL},
    {"answer 17 12\nsome", 1, APP_ANSWER, 17, 12, 26, NULL, NULL},
    {"answer 0 0012\n", 1, APP_ANSWER, 0, 12, 27, NULL, NULL},
    {"state 1 999999999999999999\n", 1, APP_STATE, 1, UINT64_C(999999999999999999),
     UINT64_C(1000000000000000027), NULL, NULL},
    {"hello 1 sum ticks\n", 1, APP_HELLO, 1, 0, 18, "sum", NULL},
    {"ticked 4 never\n", 1, APP_TICKED, 4, 0, 15, NULL, NULL},
    {"answer 3 0 1767225600000000\n", 1, APP_ANSWER, 3, 0, 29, NULL, NULL},
    {"", 0, NO, NULL, NULL},
    {"answer 1 1", 0, NO, NULL, NULL},
    {"something else", 0, NO, NULL, NULL},
    {"\n", -1, NO, NULL, "wrote '', which"},
    {" \n", -1, NO, NULL, "wrote ' ', which"},
    {"hello\n", -1, NO, NULL, "'hello VERSION NAME [ticks]'"},
    {"hello 1\n", -1, NO, NULL, "'hello VERSION NAME [ticks]'"},
    {"hello 1 \n", -1, NO, NULL, "'hello VERSION NAME [ticks]'"},
    {"hello 1 sum \n", -1, NO, NULL, "'hello VERSION NAME [ticks]'"},
    {"hello 1 a b\n", -1, NO, NULL, "'hello VERSION NAME [ticks]'"},
    {"hello 1 \"sum\"\n", -1, NO, NULL, "wrote 'hello 1 'sum'' where"},
    {"hello 1 x" WORD32 "\n", -1, NO, NULL, "'hello VERSION NAME [ticks]'"},
    {"hello 2 sum\n", -1, NO, NULL, "speaks version 2 of the protocol, not 1"},
    {"loaded\n", -1, NO, NULL, "where 'loaded NUMBER [DUE]' belongs"},
    {"loaded 1 soon\n", -1, NO, NULL, "where 'loaded NUMBER [DUE]' belongs"},
    {"loaded 1 \n", -1, NO, NULL, "where 'loaded NUMBER [DUE]' belongs"},
    {"answer\n", -1, NO, NULL, "'answer NUMBER SIZE [DUE]'"},
    {"answer 1\n", -1, NO, NULL, "'answer NUMBER SIZE [DUE]'"},
    {"answer 1 -1\n", -1, NO, NULL, "'answer NUMBER SIZE [DUE]'"},
    {"answer 1 1 \n", -1, NO, NULL, "'answer NUMBER SIZE [DUE]'"},
    {"answer 1 1 1 1\n", -1, NO, NULL, "'answer NUMBER SIZE [DUE]'"},
    {"answer 1 1 never \n", -1, NO, NULL, "'answer NUMBER SIZE [DUE]'"},
    {"ticked\n", -1, NO, NULL, "'ticked NUMBER [DUE]'"},
    {"answer 1  1\n", -1, NO, NULL, "'answer NUMBER SIZE [DUE]'"},
    {"answer 1 1\r\n", -1, NO, NULL, "wrote 'answer 1 1?' where"},
    {"answer 1 0x1\n", -1, NO, NULL, "'answer NUMBER SIZE [DUE]'"},
    {"answer 1 1000000000000000000\n", -1, NO, NULL, "'answer NUMBER SIZE [DUE]'"},
    {"Answer 1 1\n", -1, NO, NULL, "which is no line of the protocol"},
    {"answers 1 1\n", -1, NO, NULL, "which is no line of the protocol"},
    {"debug: 1\n", -1, NO, NULL, "wrote 'debug: 1', which"},
};

static void each_line_is_what_it_is(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct app_line line = {0};
        struct vstamp_diag why = {0};
        int rv = app_line_parse(bytes_of(table[i].said), &line, &why);
        print_message("%s", table[i].said);
        assert_int_equal(rv < 0 ? -1 : rv, table[i].rv);
        if (rv > 0) {
            assert_int_equal(line.word, table[i].word);
            assert_int_equal(line.number, table[i].number);
            assert_int_equal(line.body, table[i].body);
            assert_int_equal(app_line_total(&line), table[i].total);
        }
        if (table[i].name != NULL) assert_string_equal(line.name, table[i].name);
        if (rv < 0) assert_non_null(strstr(why.text, table[i].why));
    }
}

static void a_line_says_when_something_is_due(void **state)
{
    static const struct {
        const char *said;
        bool ticks, has_due;
        uint64_t due;
    } lines[] = {
        {"hello 1 sum\n", false, false, 0},
        {"hello 1 sum ticks\n", true, false, 0},
        {"loaded 2\n", false, false, VSTAMP_NEVER},
        {"loaded 2 never\n", false, true, VSTAMP_NEVER},
        {"answer 2 5 0\n", false, true, 0},
        {"ticked 2 1767225600000000\n", false, true, UINT64_C(1767225600000000)},
    };
    (void)state;
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        struct app_line line;
        struct vstamp_diag why = {0};
        assert_int_equal(app_line_parse(bytes_of(lines[i].said), &line, &why), 1);
        assert_int_equal(line.ticks, lines[i].ticks);
        assert_int_equal(line.has_due, lines[i].has_due);
        assert_int_equal(line.due, lines[i].due);
    }
}

static void a_line_without_end_is_refused_once_it_is_too_long(void **state)
{
    uint8_t said[APP_LINE_MAX];
    struct app_line line;
    struct vstamp_diag why = {0};
    (void)state;
    memset(said, 'x', sizeof said);
    assert_int_equal(app_line_parse((struct bytes){said, sizeof said - 1}, &line, &why), 0);
    assert_int_equal(app_line_parse((struct bytes){said, sizeof said}, &line, &why),
                     VSTAMP_E_MALFORMED);
}

/* Good lines with some bytes changed, in a block of just their size. */
static void no_bytes_do_harm(void **state)
{
    struct prng prng;
    (void)state;
    prng_seed(&prng, 1);
    for (int round = 0; round < 100000; round++) {
        const char *text = table[prng_below(&prng, sizeof table / sizeof table[0])].said;
        size_t size = strlen(text);
        uint8_t *said = malloc(size + 1);
        struct app_line line;
        struct vstamp_diag why = {0};
        assert_non_null(said);
        memcpy(said, text, size + 1);
        for (int n = 0; n < 2 && size > 0; n++)
            said[prng_below(&prng, size)] = (uint8_t)prng_next(&prng);
        int rv = app_line_parse((struct bytes){said, size}, &line, &why);
        if (rv > 0) assert_true(line.size <= size && app_line_total(&line) >= line.size);
        if (rv < 0) assert_true(why.text[0] != '\0');
        for (const char *c = why.text; *c != '\0'; c++) assert_true(*c >= ' ' && *c <= '~');
        free(said);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_line_is_what_it_is),
        cmocka_unit_test(a_line_says_when_something_is_due),
        cmocka_unit_test(a_line_without_end_is_refused_once_it_is_too_long),
        cmocka_unit_test(no_bytes_do_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

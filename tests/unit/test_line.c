/* SPDX-License-Identifier: BSD-2-Clause */
/* The shell's words, and what is printed of bytes: one undoes the other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/prng.h"
#include "client/base64.h"
#include "client/line.h"
#include "program/escape.h"

static struct line line;

static int release(void **state)
{
    (void)state;
    line_release(&line);
    return 0;
}

static void splits_into(const char *typed, size_t n, const char *const *words)
{
    assert_null(line_parse(&line, bytes_of(typed)));
    assert_int_equal(line.n_words, n);
    for (size_t i = 0; i < n; i++) assert_true(bytes_equal(line.words[i], bytes_of(words[i])));
    line_release(&line);
}

#define SPLITS(typed, ...)                                                   \
    splits_into(typed, sizeof(const char *[]){__VA_ARGS__} / sizeof(char *), \
                (const char *[]){__VA_ARGS__})

static void words_are_separated_by_blanks(void **state)
{
    (void)state;
    splits_into("", 0, NULL);
    splits_into(" \t \r\n", 0, NULL);
    SPLITS("get", "get");
    SPLITS("  put\tkey  value \n", "put", "key", "value");
}

static void quotes_keep_blanks_and_may_be_parts_of_words(void **state)
{
    (void)state;
    SPLITS("put 'a b' \"c d\"", "put", "a b", "c d");
    SPLITS("a'b c'd\"e\"", "ab cde");
    SPLITS("'' \"\"", "", "");
    SPLITS("'\\n \"'", "\\n \"");
    SPLITS("\"it's\"", "it's");
}

static void escapes_stand_for_bytes(void **state)
{
    (void)state;
    SPLITS("a\\tb\\n\\r\\\\\\\"\\'\\ c", "a\tb\n\r\\\"' c");
    SPLITS("\"\\x41\\xfF\"", "A\xff");
    assert_null(line_parse(&line, bytes_of("x\\x00y")));
    assert_int_equal(line.words[0].size, 3);
    assert_memory_equal(line.words[0].data, "x\0y", 4); /* and the NUL that ends each word */
}

static void comments_begin_with_a_word(void **state)
{
    (void)state;
    splits_into("# nothing", 0, NULL);
    SPLITS("get a # b", "get", "a");
    SPLITS("get a#b '#c' \\#d", "get", "a#b", "#c", "#d");
}

static void what_is_wrong_is_said(void **state)
{
    (void)state;
    const char *const wrong[] = {"a 'b", "a \"b", "\"\\\"", "a\\", "\\q", "\\x", "\\x4", "\\xg1"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_non_null(line_parse(&line, bytes_of(wrong[i])));
        line_release(&line);
    }
}

static void a_line_of_too_many_words_is_refused(void **state)
{
    (void)state;
    size_t size = 2 * (LINE_WORDS_MAX + 1);
    char *typed = malloc(size);
    memset(typed, 'a', size);
    for (size_t i = 1; i < size; i += 2) typed[i] = ' ';
    assert_null(line_parse(&line, (struct bytes){(uint8_t *)typed, size - 2}));
    assert_int_equal(line.n_words, LINE_WORDS_MAX);
    line_release(&line);
    assert_non_null(line_parse(&line, (struct bytes){(uint8_t *)typed, size}));
    free(typed);
}

static size_t random_word(struct prng *rng, uint8_t *word, size_t max)
{
    static const char often[] = "\\\"' #\tnx0\n\xc3\xa4\xe2\x82\xac\xf0\x9f";
    size_t size = prng_below(rng, max);
    for (size_t i = 0; i < size; i++) {
        bool usual = prng_chance(rng, 1, 2);
        uint8_t letter = (uint8_t)often[prng_below(rng, sizeof often - 1)];
        word[i] = usual ? letter : (uint8_t)prng_next(rng);
    }
    return size;
}

static void any_word_that_was_printed_is_read_back(void **state)
{
    (void)state;
    struct prng rng;
    prng_seed(&rng, 11);
    for (int round = 0; round < 3000; round++) {
        uint8_t word[24];
        struct bytes raw = {word, random_word(&rng, word, sizeof word)};
        char *text = NULL;
        size_t size;
        FILE *into = open_memstream(&text, &size);
        escape_print(into, raw, ESCAPE_WORD);
        fclose(into);
        for (size_t i = 0; i < size; i++) assert_true((uint8_t)text[i] >= 0x20 && text[i] != 0x7f);
        const char *wrong = line_parse(&line, (struct bytes){(uint8_t *)text, size});
        assert_null(wrong);
        assert_int_equal(line.n_words, 1);
        assert_true(bytes_equal(line.words[0], raw));
        line_release(&line);
        free(text);
    }
}

static void noise_makes_no_harm(void **state)
{
    (void)state;
    struct prng rng;
    prng_seed(&rng, 12);
    for (int round = 0; round < 3000; round++) {
        uint8_t typed[40];
        struct bytes raw = {typed, random_word(&rng, typed, sizeof typed)};
        if (line_parse(&line, raw) == NULL) assert_true(line.n_words <= raw.size);
        line_release(&line);
    }
}

static void prints(struct bytes raw, enum escape_mode mode, const char *expected)
{
    char *text = NULL;
    size_t size;
    FILE *into = open_memstream(&text, &size);
    escape_print(into, raw, mode);
    fclose(into);
    assert_string_equal(text, expected);
    free(text);
}

static void what_a_terminal_would_obey_is_escaped(void **state)
{
    (void)state;
    prints(bytes_of("a\tb\n\x1b[31m\x7f"), ESCAPE_LINE, "a\\tb\\n\\x1b[31m\\x7f");
    prints(bytes_of("a\tb\n\x1b[31m\\"), ESCAPE_TERMINAL, "a\tb\n\\x1b[31m\\");
    prints(bytes_of("gr\xc3\xbc\xc3\x9f \xe2\x82\xac"), ESCAPE_LINE,
           "gr\xc3\xbc\xc3\x9f \xe2\x82\xac");
    prints(bytes_of("\xc2\x9b"), ESCAPE_TERMINAL, "\\xc2\\x9b"); /* CSI in one character */
    prints(bytes_of("\xc0\xaf\xed\xa0\x80\xc3"), ESCAPE_LINE, "\\xc0\\xaf\\xed\\xa0\\x80\\xc3");
    char told[] = "a \x1b[31m~\n\xc3\x7f";
    escape_plain(told);
    assert_string_equal(told, "a ?[31m~???");
}

static void base64_is_as_in_the_standard(void **state)
{
    (void)state;
    const char *const pairs[][2] = {{"", ""},
                                    {"f", "Zg=="},
                                    {"fo", "Zm8="},
                                    {"foo", "Zm9v"},
                                    {"foob", "Zm9vYg=="},
                                    {"fooba", "Zm9vYmE="},
                                    {"foobar", "Zm9vYmFy"}};
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        char *text = base64_encode(bytes_of(pairs[i][0]));
        assert_string_equal(text, pairs[i][1]);
        size_t size;
        uint8_t *raw = base64_decode(text, &size);
        assert_non_null(raw);
        assert_int_equal(size, strlen(pairs[i][0]));
        assert_memory_equal(raw, pairs[i][0], size);
        free(raw);
        free(text);
    }
}

static void base64_that_is_none_is_refused(void **state)
{
    (void)state;
    const char *const wrong[] = {
        "Z", "Zg=", "Zg", "Z===", "====", "Zh==", "Zm9=", "Zg==Zg==", "Zm 9", "Z=9v", "Zm9\xff"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        size_t size;
        assert_null(base64_decode(wrong[i], &size));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(words_are_separated_by_blanks, release),
        cmocka_unit_test_teardown(quotes_keep_blanks_and_may_be_parts_of_words, release),
        cmocka_unit_test_teardown(escapes_stand_for_bytes, release),
        cmocka_unit_test_teardown(comments_begin_with_a_word, release),
        cmocka_unit_test_teardown(what_is_wrong_is_said, release),
        cmocka_unit_test_teardown(a_line_of_too_many_words_is_refused, release),
        cmocka_unit_test_teardown(any_word_that_was_printed_is_read_back, release),
        cmocka_unit_test_teardown(noise_makes_no_harm, release),
        cmocka_unit_test(what_a_terminal_would_obey_is_escaped),
        cmocka_unit_test(base64_is_as_in_the_standard),
        cmocka_unit_test(base64_that_is_none_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

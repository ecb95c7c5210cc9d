/* SPDX-License-Identifier: BSD-2-Clause */
/* Addresses: what is accepted and how it is spelt afterwards, and what is refused and why. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "program/address.h"

static void accepts_the_forms_people_write_and_gives_each_one_spelling(void **state)
{
    static const struct {
        const char *text, *spelt, *host;
        uint16_t port;
        bool is_ipv6;
    } cases[] = {
        {"127.0.0.1:14621", "127.0.0.1:14621", "127.0.0.1", 14621, false},
        {"Node-1.Example.org:1", "node-1.example.org:1", "node-1.example.org", 1, false},
        {"[::1]:65535", "[::1]:65535", "::1", 65535, true},
        {"[FE80::1%eth0]:80", "[fe80::1%eth0]:80", "fe80::1%eth0", 80, true},
        {"localhost:00080", "localhost:80", "localhost", 80, false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct address a;
        struct vstamp_diag diag = {0};
        assert_int_equal(address_parse(&a, cases[i].text, &diag), 0);
        assert_string_equal(a.text, cases[i].spelt);
        assert_string_equal(a.host, cases[i].host);
        assert_int_equal(a.port, cases[i].port);
        assert_int_equal(a.is_ipv6, cases[i].is_ipv6);
    }
}

static void refuses_what_is_no_address_and_says_what_was_expected(void **state)
{
    static const struct {
        const char *text, *sentence;
    } cases[] = {
        {"", "expected HOST:PORT, found ''"},
        {"localhost", "expected HOST:PORT, found 'localhost'"},
        {":80", "expected a host before ':', found ':80'"},
        {"h:", "expected a port from 1 to 65535 after the last ':', found 'h:'"},
        {"h:0", "expected a port from 1 to 65535 after the last ':', found 'h:0'"},
        {"h:65536", "expected a port from 1 to 65535 after the last ':', found 'h:65536'"},
        {"h:-1", "expected a port from 1 to 65535 after the last ':', found 'h:-1'"},
        {"h:1x", "expected a port from 1 to 65535 after the last ':', found 'h:1x'"},
        {"::1:80", "expected HOST:PORT, or [IPv6]:PORT with the brackets, found '::1:80'"},
        {"[::1]80", "expected [IPv6]:PORT, found '[::1]80'"},
        {"[]:80", "expected a host before ':', found '[]:80'"},
        {"[host]:80", "expected an IPv6 address in the brackets, found '[host]:80'"},
        {"a b:80", "expected a host of letters, digits, '-' and '.' before ':', found 'a b:80'"},
        {"http://h:80",
         "expected HOST:PORT, or [IPv6]:PORT with the brackets, found 'http://h:80'"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct address a;
        struct vstamp_diag diag = {0};
        assert_int_equal(address_parse(&a, cases[i].text, &diag), VSTAMP_E_CONFIG);
        assert_string_equal(diag.text, cases[i].sentence);
    }
}

static void refuses_more_bytes_than_an_address_can_have(void **state)
{
    char text[ADDRESS_BYTES_MAX + 2];
    struct address a;
    struct vstamp_diag diag = {0};
    (void)state;
    memset(text, 'a', sizeof text);
    memcpy(text + sizeof text - 4, ":80", 4);
    assert_int_equal(address_parse(&a, text, &diag), VSTAMP_E_CONFIG);
    assert_int_equal(strncmp(diag.text, "expected an address of at most 255 bytes", 40), 0);
    assert_int_equal(address_parse(&a, text + 1, &diag), 0);
    assert_int_equal(strlen(a.text), ADDRESS_BYTES_MAX);
}

static void a_list_names_each_once(void **state)
{
    static const struct {
        const char *text, *sentence;
    } cases[] = {
        {"", "expected HOST:PORT, found ''"},
        {"a:1,,b:2", "expected HOST:PORT, found ''"},
        {"a:1,b:2,A:01", "a:1 is there twice"},
        {"a:1,a:2,a:3,a:4,a:5,a:6,a:7,a:8,a:9,a:10,a:11,a:12,a:13,a:14,a:15,a:16,a:17",
         "expected at most 16 addresses"},
    };
    struct address at[REPLICAS_MAX];
    size_t n;
    (void)state;
    assert_int_equal(address_parse_list(at, &n, "a:1,[::1]:2,c:3", NULL), 0);
    assert_int_equal(n, 3);
    assert_string_equal(at[1].text, "[::1]:2");
    assert_int_equal(address_parse_list(at, &n, "a:1", NULL), 0);
    assert_int_equal(n, 1);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct vstamp_diag diag = {0};
        assert_int_equal(address_parse_list(at, &n, cases[i].text, &diag), VSTAMP_E_CONFIG);
        assert_string_equal(diag.text, cases[i].sentence);
    }
}

static void status_is_shown_a_thousand_ports_higher(void **state)
{
    struct address a, status;
    struct vstamp_diag diag = {0};
    (void)state;
    assert_int_equal(address_parse(&a, "[::1]:14621", &diag), 0);
    assert_int_equal(address_default_status(&status, &a, &diag), 0);
    assert_string_equal(status.text, "[::1]:15621");
    assert_string_equal(status.port_text, "15621");
    assert_int_equal(address_parse(&a, "h:65000", &diag), 0);
    assert_int_equal(address_default_status(&status, &a, &diag), VSTAMP_E_CONFIG);
    assert_string_equal(diag.text,
                        "h:65000 has no port + 1000 for its status: set status_addresses");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accepts_the_forms_people_write_and_gives_each_one_spelling),
        cmocka_unit_test(refuses_what_is_no_address_and_says_what_was_expected),
        cmocka_unit_test(refuses_more_bytes_than_an_address_can_have),
        cmocka_unit_test(a_list_names_each_once),
        cmocka_unit_test(status_is_shown_a_thousand_ports_higher),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

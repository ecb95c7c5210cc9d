/* SPDX-License-Identifier: BSD-2-Clause */
/* Two streams, one at each end, with the bytes between them moved by the test: what they say of
 * each other, who is let in and who is not, and which certificates count after files were
 * replaced. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "certificates.h"

#define LARGE_SIZE (300u << 10) /* many records */

/* --- two ends --------------------------------------------------------------------------------- */

struct end {
    struct tls *tls;
    struct tls_stream *stream;
    uint8_t heard[LARGE_SIZE];
    size_t n_heard;
    bool over;
};

static struct end dialler, listener;

static void listen_to(struct end *e, struct bytes bytes)
{
    ssize_t n = 0;

    tls_input(e->stream, bytes);
    while (!e->over && (n = tls_read(e->stream, e->heard + e->n_heard, TLS_RECORD_SIZE)) > 0)
        e->n_heard += (size_t)n;
    if (n < 0) e->over = true;
}

/* What one end has to send reaches the other, `piece` bytes at a time.  False: it has nothing. */
static bool carry(struct end *from, struct end *to, size_t piece)
{
    struct bytes out = tls_output(from->stream);

    if (out.size == 0) return false;
    if (out.size > piece) out.size = piece;
    uint8_t *copy = malloc(out.size); /* so that a read beyond it is found */
    memcpy(copy, out.data, out.size);
    tls_sent(from->stream, out.size);
    listen_to(to, (struct bytes){copy, out.size});
    free(copy);
    return true;
}

static void exchange(size_t piece)
{
    while (carry(&dialler, &listener, piece) || carry(&listener, &dialler, piece)) {}
}

static void begin(const char *dials, const char *host, const char *listens)
{
    memset(&dialler, 0, sizeof dialler);
    memset(&listener, 0, sizeof listener);
    dialler.tls = open_folder(dials);
    listener.tls = open_folder(listens);
    dialler.stream = tls_dial(dialler.tls, host);
    listener.stream = tls_accept(listener.tls);
    assert_non_null(dialler.stream);
    assert_non_null(listener.stream);
}

static void end(void)
{
    tls_stream_free(dialler.stream);
    tls_stream_free(listener.stream);
    tls_close(dialler.tls);
    tls_close(listener.tls);
}

static void expect_why(const struct tls_stream *s, const char *words)
{
    if (strstr(tls_why(s), words) == NULL) fail_msg("\"%s\", not: %s", words, tls_why(s));
}

static void refuse(const char *dials, const char *host, const char *why)
{
    begin(dials, host, "replica");
    exchange(SIZE_MAX);
    assert_true(listener.over && dialler.over);
    expect_why(listener.stream, why);
    end();
}

/* --- tests ------------------------------------------------------------------------------------ */

static void says_what_it_is_told(void **state)
{
    static const size_t pieces[] = {1, 7, 5000, SIZE_MAX};
    static uint8_t large[LARGE_SIZE];

    (void)state;
    for (size_t i = 0; i < sizeof large; i++) large[i] = (uint8_t)(i * 7 + i / 251);
    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
        begin("client", i % 2 == 0 ? "127.0.0.1" : "replica.example", "replica");
        assert_int_equal(tls_write(dialler.stream, bytes_of("too early")), 0);
        exchange(pieces[i]);
        assert_true(tls_is_up(dialler.stream) && tls_is_up(listener.stream));
        assert_int_equal(tls_write(dialler.stream, bytes_of("hello")), 5);
        assert_int_equal(tls_write(listener.stream, (struct bytes){large, sizeof large}),
                         sizeof large);
        exchange(pieces[i]);
        assert_int_equal(listener.n_heard, 5);
        assert_memory_equal(listener.heard, "hello", 5);
        assert_int_equal(dialler.n_heard, sizeof large);
        assert_memory_equal(dialler.heard, large, sizeof large);
        end();
    }
}

static void knows_a_replica_by_use_and_host(void **state)
{
    (void)state;
    begin("replica", "127.0.0.1", "replica");
    exchange(SIZE_MAX);
    assert_true(tls_is_host(listener.stream, "127.0.0.1"));
    assert_true(tls_is_host(listener.stream, "replica.example"));
    assert_false(tls_is_host(listener.stream, "127.0.0.2"));
    assert_false(tls_is_host(listener.stream, "other.example"));
    end();
    begin("posing", "127.0.0.1", "replica"); /* the name alone is not enough */
    exchange(SIZE_MAX);
    assert_true(tls_is_up(listener.stream));
    assert_false(tls_is_host(listener.stream, "127.0.0.1"));
    end();
}

static void lets_no_stranger_in(void **state)
{
    (void)state;
    refuse("stranger", "127.0.0.1", "its certificate is not to be believed: unable to get");
    refuse("late", "127.0.0.1", "its certificate is not to be believed: certificate has expired");
    refuse("client", "127.0.0.2", "it does not take our certificate: bad certificate");
    refuse("client", "other.example", "it does not take our certificate: bad certificate");
}

static void who_is_not_let_in_knows_why(void **state)
{
    (void)state;
    begin("stranger", "127.0.0.1", "replica");
    exchange(SIZE_MAX);
    assert_string_equal(tls_why(dialler.stream), "it does not take our certificate: unknown CA");
    assert_int_equal(tls_write(dialler.stream, bytes_of("x")), -1);
    end();
    begin("client", "other.example", "replica");
    exchange(SIZE_MAX);
    assert_string_equal(tls_why(dialler.stream),
                        "its certificate is not to be believed: hostname mismatch");
    end();
    begin("replica", "127.0.0.1", "posing"); /* which is for a client */
    exchange(SIZE_MAX);
    expect_why(dialler.stream, "unsuitable certificate purpose");
    end();
}

static void tells_who_speaks_something_else(void **state)
{
    (void)state;
    begin("client", "127.0.0.1", "replica");
    listen_to(&listener, bytes_of("GET / HTTP/1.0\r\n\r\n"));
    assert_true(listener.over);
    expect_why(listener.stream, "it does not speak TLS 1.3");
    assert_true(tls_is_spoken(tls_output(listener.stream)));
    assert_true(tls_is_spoken(tls_output(dialler.stream)));
    assert_false(tls_is_spoken(bytes_of("GET / HTTP/1.0")));
    end();
}

static void tells_what_breaks_later(void **state)
{
    (void)state;
    begin("client", "127.0.0.1", "replica");
    exchange(SIZE_MAX);
    listen_to(&listener, bytes_of("GET / HTTP/1.0\r\n\r\n"));
    assert_true(listener.over);
    assert_string_equal(tls_why(listener.stream), "TLS: wrong version number");
    exchange(SIZE_MAX);
    expect_why(dialler.stream, "the other end gave up TLS: ");
    end();
}

/* A frame of ours begins with a checksum, and one of a thousand of these like a hello of SSL 2 that
 * has not come whole. */
static void tells_what_looks_like_an_older_hello(void **state)
{
    const uint8_t frame[64] = {0x80, 0xff, 1};
    (void)state;
    begin("client", "127.0.0.1", "replica");
    listen_to(&listener, (struct bytes){frame, sizeof frame});
    assert_true(listener.over);
    expect_why(listener.stream, "it does not speak TLS 1.3");
    assert_true(tls_is_spoken(tls_output(listener.stream)));
    end();
}

static void replaced_files_count_for_what_follows(void **state)
{
    struct vstamp_diag diag = {0};

    (void)state;
    write_folder("renewed", &theirs, CLIENT, NULL, 10, &ours);
    begin("renewed", "127.0.0.1", "replica");
    assert_int_equal(tls_renew(dialler.tls, &diag), 0);
    fclose(open_in("renewed", "tls.key")); /* half of what is to come */
    assert_int_equal(tls_renew(dialler.tls, &diag), VSTAMP_E_CONFIG);
    assert_non_null(strstr(diag.text, "renewed/tls.key: no key for tls.crt"));
    assert_int_equal(tls_renew(dialler.tls, &diag), 0); /* it was said */
    write_folder("renewed", &ours, CLIENT, NULL, 10, &ours);
    assert_int_equal(tls_renew(dialler.tls, &diag), 1);
    exchange(SIZE_MAX);
    assert_true(listener.over); /* which began before */
    tls_stream_free(dialler.stream);
    tls_stream_free(listener.stream);
    dialler.stream = tls_dial(dialler.tls, "127.0.0.1");
    listener.stream = tls_accept(listener.tls);
    dialler.over = listener.over = false;
    exchange(SIZE_MAX);
    assert_true(tls_is_up(listener.stream) && !listener.over);
    end();
}

static void complains_of_the_file_that_is_wrong(void **state)
{
    static const char *const files[] = {"ca.crt", "tls.crt", "tls.key"};
    char path[200];

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct vstamp_diag diag = {0};
        struct tls *tls;
        write_folder("broken", &ours, CLIENT, NULL, 10, &ours);
        snprintf(path, sizeof path, "%s/broken/%s", root, files[i]);
        unlink(path);
        *strrchr(path, '/') = '\0';
        assert_int_equal(tls_open(&tls, path, TLS_BY_OPTION, &diag), VSTAMP_E_CONFIG);
        assert_non_null(strstr(diag.text, files[i]));
        assert_non_null(strstr(diag.text, "No such file or directory"));
        assert_null(tls);
    }
}

/* It was made thirty days ago. */
static void expect_end(long days, const char *words)
{
    struct vstamp_diag diag = {0};

    write_folder("mortal", &ours, SERVER, NULL, days, &ours);
    struct tls *tls = open_folder("mortal");
    assert_int_equal(tls_has_trouble(tls, NULL, &diag), words != NULL);
    if (words != NULL) assert_non_null(strstr(diag.text, words));
    tls_close(tls);
}

static void tells_that_its_certificate_ends(void **state)
{
    (void)state;
    expect_end(30, NULL);
    expect_end(4, NULL);
    expect_end(3, "mortal/tls.crt: ends 20");
    expect_end(0, "mortal/tls.crt: has ended 20");
    expect_end(-1, "mortal/tls.crt: has ended 20");
}

static void expect_fit(const char *folder, const char *host, const char *words)
{
    struct vstamp_diag diag = {0};
    struct tls *tls = open_folder(folder);

    assert_int_equal(tls_has_trouble(tls, host, &diag), words != NULL);
    if (words != NULL) assert_non_null(strstr(diag.text, words));
    tls_close(tls);
}

static void tells_that_its_certificate_is_not_for_a_replica(void **state)
{
    (void)state;
    write_folder("server", &ours, "serverAuth", "IP:127.0.0.1", 10, &ours);
    expect_fit("replica", "127.0.0.1", NULL);
    expect_fit("replica", "replica.example", NULL);
    expect_fit("replica", "127.0.0.2", "replica/tls.crt: is not for a server and a client with the "
                                       "name 127.0.0.2");
    expect_fit("replica", "other.example", "with the name other.example");
    expect_fit("posing", "127.0.0.1", "with the name 127.0.0.1"); /* for a client alone */
    expect_fit("server", "127.0.0.1", "with the name 127.0.0.1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(says_what_it_is_told),
        cmocka_unit_test(knows_a_replica_by_use_and_host),
        cmocka_unit_test(lets_no_stranger_in),
        cmocka_unit_test(who_is_not_let_in_knows_why),
        cmocka_unit_test(tells_who_speaks_something_else),
        cmocka_unit_test(tells_what_breaks_later),
        cmocka_unit_test(tells_what_looks_like_an_older_hello),
        cmocka_unit_test(replaced_files_count_for_what_follows),
        cmocka_unit_test(complains_of_the_file_that_is_wrong),
        cmocka_unit_test(tells_that_its_certificate_ends),
        cmocka_unit_test(tells_that_its_certificate_is_not_for_a_replica),
    };
    return cmocka_run_group_tests(tests, make_folders, remove_folders);
}

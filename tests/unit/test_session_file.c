/* SPDX-License-Identifier: BSD-2-Clause */
/* The session's file by itself: what is saved comes back, and what makes no sense is refused.  That
 * it is on stable storage in time is looked at by tests/cli/vstamp-disk-order.bats, what a killed
 * client finds in it by tests/cli/vstamp-session.bats. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "client/memory.h"
#include "client/session_file.h"
#include "unit/own_folder.h"

static struct session_file file;
static struct vstamp_diag diag;

static int clean_up(void **state)
{
    (void)state;
    session_file_close(&file);
    unlink("s");
    return 0;
}

static void open_it(void)
{
    assert_int_equal(session_file_open(&file, "s", true, &diag), 0);
}

/* As the next process finds it. */
static void reopen(void)
{
    session_file_close(&file);
    assert_int_equal(session_file_open(&file, "s", false, &diag), 0);
}

static void note(const char *bytes, enum operation_kind kind)
{
    const struct operation operation = {bytes_of(bytes), kind};
    assert_int_equal(session_file_note(&file, operation, &diag), 0);
}

static void fill(void)
{
    open_it();
    file.identity.group = (struct vstamp_id){UINT64_C(0x123456789abcdef0), 2};
    file.identity.registration = 3;
    file.identity.session = 4;
    file.identity.number = 5;
    file.identity.seen = 6;
    file.identity.view = 7;
    file.identity.epoch = 8;
    file.witnesses = 4;
    file.told = true;
    file.replicas = memory_copy("a:1,b:2,c:3", 11);
    file.last = memory_copy("incr n: done", 12);
    session_file_learn(&file, "a:1");
    session_file_learn(&file, "b:2");
    note("do it", OPERATION_CALL);
}

static void what_is_saved_comes_back(void **state)
{
    (void)state;
    fill();
    struct vstamp_id client = file.identity.client;
    char since[sizeof file.pending.since];
    memcpy(since, file.pending.since, sizeof since);
    reopen();
    assert_true(vstamp_id_equal(file.identity.client, client));
    assert_true(vstamp_id_equal(file.identity.group,
                                (struct vstamp_id){UINT64_C(0x123456789abcdef0), 2}));
    assert_int_equal(file.identity.registration, 3);
    assert_int_equal(file.identity.session, 4);
    assert_int_equal(file.identity.number, 5);
    assert_int_equal(file.identity.seen, 6);
    assert_int_equal(file.identity.view, 7);
    assert_int_equal(file.identity.epoch, 8);
    assert_int_equal(file.witnesses, 4);
    assert_true(file.told);
    assert_false(file.one_request);
    assert_string_equal(file.replicas, "a:1,b:2,c:3");
    assert_string_equal(file.known, "a:1,b:2");
    assert_string_equal(file.last, "incr n: done");
    assert_int_equal(file.pending.operation.kind, OPERATION_CALL);
    assert_int_equal(file.pending.session, 4);
    assert_int_equal(file.pending.number, 6); /* it is sent with the next one */
    assert_string_equal(file.pending.since, since);
    assert_true(bytes_equal(file.pending.operation.bytes, bytes_of("do it")));
}

static void what_is_settled_is_pending_no_more(void **state)
{
    (void)state;
    fill();
    assert_int_equal(session_file_clear(&file, "did not run", &diag), 0);
    reopen();
    assert_null(file.pending.operation.bytes.data);
    assert_non_null(strstr(file.last, ": did not run"));
    note("x", OPERATION_OF_STORE);
    reopen();
    assert_int_equal(file.pending.operation.kind, OPERATION_OF_STORE);
    assert_true(bytes_equal(file.pending.operation.bytes, bytes_of("x")));
}

static void what_was_made_for_one_request_goes_with_it(void **state)
{
    (void)state;
    fill();
    file.one_request = true;
    assert_int_equal(session_file_save(&file, &diag), 0);
    reopen();
    assert_true(file.one_request);
    assert_int_equal(session_file_clear(&file, "done", &diag), 0);
    assert_int_equal(access("s", F_OK), -1);
}

/* A draft of one that was killed may be longer, and anybody's to read; a link in its place, whoever
 * made that, is not written through. */
static void what_is_there_in_place_of_a_draft_does_no_harm(void **state)
{
    struct stat st;
    (void)state;
    fill();
    int fd = open("s.new", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, 1 << 16), 0);
    close(fd);
    assert_int_equal(session_file_save(&file, &diag), 0);
    assert_int_equal(stat("s", &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    reopen();
    assert_int_equal(file.identity.number, 5);
    assert_int_equal(symlink("elsewhere", "s.new"), 0);
    assert_int_equal(session_file_save(&file, &diag), VSTAMP_E_IO);
    assert_int_equal(access("elsewhere", F_OK), -1);
    assert_int_equal(unlink("s.new"), 0);
}

/* Also over a save, which gives the name to another file. */
static void the_file_is_locked_as_long_as_it_is_open(void **state)
{
    struct session_file other;
    (void)state;
    open_it();
    for (int i = 0; i < 2; i++) {
        assert_int_equal(session_file_open(&other, "s", false, &diag), VSTAMP_E_IO);
        assert_string_equal(diag.text, "s: in use by another vstamp: wait for it, or use another "
                                       "session file");
        assert_int_equal(other.fd, -1);
        assert_int_equal(session_file_save(&file, &diag), 0);
    }
    assert_int_equal(session_file_peek(&other, "s", &diag), 0); /* whoever has it */
    assert_string_equal(other.path, "s");
    assert_true(vstamp_id_equal(other.identity.client, file.identity.client));
    session_file_close(&other);
    session_file_close(&file);
    open_it();
}

static void a_file_is_missing_where_none_is_made(void **state)
{
    (void)state;
    assert_int_equal(session_file_open(&file, "s", false, &diag), VSTAMP_E_IO);
    assert_string_equal(diag.text, "s: cannot open the session file: No such file or directory");
    assert_int_equal(session_file_peek(&file, "s", &diag), VSTAMP_E_IO);
    open_it(); /* its maker may be killed before it writes: the next one is the first again */
    struct vstamp_id client = file.identity.client;
    assert_false(vstamp_id_is_zero(client));
    reopen();
    assert_false(vstamp_id_is_zero(file.identity.client));
    assert_false(vstamp_id_equal(file.identity.client, client));
    assert_int_equal(file.identity.registration, 1);
}

static void whom_it_knows_it_knows_by_the_whole_address(void **state)
{
    (void)state;
    open_it();
    assert_false(session_file_knows(&file, "b:2"));
    session_file_learn(&file, "aa:1");
    session_file_learn(&file, "b:2");
    session_file_learn(&file, "aa:1");
    session_file_learn(&file, "c:33");
    assert_string_equal(file.known, "aa:1,b:2,c:33");
    assert_true(session_file_knows(&file, "aa:1"));
    assert_true(session_file_knows(&file, "b:2"));
    assert_true(session_file_knows(&file, "c:33"));
    assert_false(session_file_knows(&file, "a:1"));
    assert_false(session_file_knows(&file, "c:3"));
    assert_false(session_file_knows(&file, "d:2"));
    assert_false(session_file_knows(&file, "b:2,c:33"));
}

static void read_file(char *text, size_t size)
{
    int fd = open("s", O_RDONLY | O_CLOEXEC);
    ssize_t n = read(fd, text, size - 1);
    assert_true(n > 0);
    text[n] = '\0';
    close(fd);
}

static void write_file(const char *before, size_t n_before, const char *between, const char *after)
{
    FILE *into = fopen("s", "w");
    assert_non_null(into);
    fprintf(into, "%.*s%s%s", (int)n_before, before, between, after);
    fclose(into);
}

/* Each line as a file of ours has it, and as none has. */
static const struct {
    const char *line, *instead, *wrong;
} changes[] = {
    {"\"vstamp_session\": 3", "\"vstamp_session\": 2", "another format"},
    {"\"vstamp_session\": 3", "\"session_of\": 3", "no vstamp_session"},
    {"\"client\": \"", "\"client\": \"00000000000000000000000000000000\", \"was\": \"", "client"},
    {"\"group\": \"123456789abcdef00000000000000002\"", "\"group\": \"12\"", "group"},
    {"\"group\": \"123456789abcdef00000000000000002\"",
     "\"group\": \"123456789abcdefg0000000000000002\"", "group"},
    {"\"group\": \"123456789abcdef00000000000000002\"",
     "\"group\": \"123456789abcdef000000000000000020\"", "group"},
    {"\"registration\": 3", "\"registration\": 0", "registration"},
    {"\"registration\": 3", "\"registration\": \"3\"", "registration"},
    {"\"session\": 4,\n  \"number\"", "\"session\": -4,\n  \"number\"", "session"},
    {"\"number\": 5", "\"number\": null", "number"},
    {"\"number\": 5", "\"number\": 4", "the pending request is not of this session"},
    {"\"seen\": 6", "\"seen\": 1.5", "seen"},
    {"\"view\": 7", "\"view\": true", "view"},
    {"\"epoch\": 8", "\"epoch\": 4294967296", "epoch"},
    {"\"epoch\": 8", "\"epoch\": -1", "epoch"},
    {"\"witnesses\": 4", "\"witnesses\": -1", "witnesses"},
    {"\"replicas\": \"a:1,b:2,c:3\"", "\"members\": \"a:1\"", "replicas"},
    {"\"session\": 4,\n    \"number\"", "\"session\": 5,\n    \"number\"",
     "the pending request is not of this session"},
    {"\"session\": 4,\n    \"number\"", "\"session\": 0,\n    \"number\"", "pending"},
    {"\"number\": 6", "\"number\": 0", "pending"},
    {"\"number\": 6", "\"number\": 7", "the pending request is not of this session"},
    {"\"since\"", "\"since_when\"", "pending"},
    {"\"since\": \"", "\"since\": \"2026-01-01T00:00:00.000000Z", "pending"},
    {"\"operation\"", "\"operations\"", "pending"},
    {"\"operation\": \"", "\"operation\": \"?", "pending"},
};

static void a_file_that_makes_no_sense_is_refused_and_left_alone(void **state)
{
    static char sound[4096], before[4096], after[4096], expected[256];
    (void)state;
    fill();
    session_file_close(&file);
    read_file(sound, sizeof sound);
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        const char *at = strstr(sound, changes[i].line);
        assert_non_null(at);
        write_file(sound, (size_t)(at - sound), changes[i].instead, at + strlen(changes[i].line));
        read_file(before, sizeof before);
        if (session_file_open(&file, "s", true, &diag) != VSTAMP_E_CONFIG)
            fail_msg("%s passes", changes[i].instead);
        snprintf(expected, sizeof expected, "s: not a session file of this version (%s): name "
                 "another file", changes[i].wrong);
        assert_string_equal(diag.text, expected);
        assert_int_equal(file.fd, -1);
        read_file(after, sizeof after);
        assert_string_equal(after, before);
    }
    write_file(sound, strlen(sound), "", "");
    open_it();
}

static void what_is_no_file_is_refused(void **state)
{
    (void)state;
    assert_int_equal(mkfifo("s", 0600), 0);
    assert_int_equal(session_file_open(&file, "s", false, &diag), VSTAMP_E_CONFIG);
    assert_non_null(strstr(diag.text, "(not a small regular file)"));
    unlink("s");
    write_file("", 0, "", "");
    assert_int_equal(truncate("s", (64 << 20) + 1), 0);
    assert_int_equal(session_file_open(&file, "s", false, &diag), VSTAMP_E_CONFIG);
    assert_non_null(strstr(diag.text, "(not a small regular file)"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(what_is_saved_comes_back, clean_up),
        cmocka_unit_test_teardown(what_is_settled_is_pending_no_more, clean_up),
        cmocka_unit_test_teardown(what_was_made_for_one_request_goes_with_it, clean_up),
        cmocka_unit_test_teardown(what_is_there_in_place_of_a_draft_does_no_harm, clean_up),
        cmocka_unit_test_teardown(the_file_is_locked_as_long_as_it_is_open, clean_up),
        cmocka_unit_test_teardown(a_file_is_missing_where_none_is_made, clean_up),
        cmocka_unit_test_teardown(whom_it_knows_it_knows_by_the_whole_address, clean_up),
        cmocka_unit_test_teardown(a_file_that_makes_no_sense_is_refused_and_left_alone, clean_up),
        cmocka_unit_test_teardown(what_is_no_file_is_refused, clean_up),
    };
    return cmocka_run_group_tests(tests, own_folder_enter, own_folder_leave);
}

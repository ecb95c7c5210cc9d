/* SPDX-License-Identifier: BSD-2-Clause */
/* A file that is there when it is whole, whether it has no name until then, or, where the system
 * has no such files, a draft's.  That it is on stable storage before is looked at by
 * tests/cli/vstamp-disk-order.bats. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "program/whole_file.h"
#include "unit/own_folder.h"

/* Each test is about the name f. */
static int remove_file(void **state)
{
    (void)state;
    unlink("f");
    return 0;
}

static void put(int fd, const char *text)
{
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

/* Ours, with what it will hold. */
static void begin(struct whole_file *f, bool is_draft)
{
    if (is_draft) {
        *f = (struct whole_file){.path = "f", .place = "f.draft", .has_name = true};
        f->fd = open(f->place, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    } else {
        assert_int_equal(whole_file_open(f, "f", 0600), 0);
    }
    put(f->fd, "ours");
}

static void make_theirs(void)
{
    int fd = open("f", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    put(fd, "theirs");
    close(fd);
}

/* There is nothing else in the folder; NULL: nor a file. */
static void assert_file(const char *text)
{
    char found[16] = "";
    int n = 0, fd = open("f", O_RDONLY | O_CLOEXEC);
    DIR *dir = opendir(".");
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) n += entry->d_name[0] != '.';
    closedir(dir);
    assert_int_equal(n, text != NULL);
    if (text == NULL) return;
    assert_int_equal(read(fd, found, sizeof found - 1), strlen(text));
    assert_string_equal(found, text);
    close(fd);
}

static void it_is_there_when_it_is_published(void **state)
{
    struct whole_file f;
    struct stat is;
    (void)state;
    for (int draft = 0; draft < 2; draft++) {
        begin(&f, draft);
        assert_int_equal(whole_file_publish(&f, false), 0);
        whole_file_close(&f);
        assert_file("ours");
        assert_int_equal(stat("f", &is), 0);
        assert_int_equal(is.st_mode & 0777, 0600);
        unlink("f");
    }
}

static void what_came_meanwhile_stays(void **state)
{
    struct whole_file f;
    (void)state;
    for (int draft = 0; draft < 2; draft++) {
        begin(&f, draft);
        make_theirs();
        assert_int_equal(whole_file_publish(&f, false), -1);
        assert_int_equal(errno, EEXIST);
        whole_file_close(&f);
        assert_int_equal(errno, EEXIST);
        assert_file("theirs");
        unlink("f");
    }
}

static void what_is_to_be_replaced_is(void **state)
{
    struct whole_file f;
    (void)state;
    for (int draft = 0; draft < 2; draft++) {
        begin(&f, draft);
        make_theirs();
        assert_int_equal(whole_file_publish(&f, true), 0);
        whole_file_close(&f);
        assert_file("ours");
        unlink("f");
    }
}

static void what_is_not_published_is_gone(void **state)
{
    struct whole_file f;
    (void)state;
    for (int draft = 0; draft < 2; draft++) {
        begin(&f, draft);
        whole_file_close(&f);
        assert_int_equal(f.fd, -1);
        assert_file(NULL);
    }
}

static void a_path_that_leads_nowhere_is_an_error(void **state)
{
    static char path[PATH_MAX + 8];
    struct whole_file f;
    (void)state;
    assert_int_equal(whole_file_open(&f, "nowhere/f", 0600), -1);
    assert_int_equal(errno, ENOENT);
    whole_file_close(&f);
    memset(path, 'x', sizeof path - 1);
    path[sizeof path - 4] = '/';
    assert_int_equal(whole_file_open(&f, path, 0600), -1);
    assert_int_equal(errno, ENAMETOOLONG);
    whole_file_close(&f);
    assert_file(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(it_is_there_when_it_is_published, remove_file),
        cmocka_unit_test_teardown(what_came_meanwhile_stays, remove_file),
        cmocka_unit_test_teardown(what_is_to_be_replaced_is, remove_file),
        cmocka_unit_test_teardown(what_is_not_published_is_gone, remove_file),
        cmocka_unit_test_teardown(a_path_that_leads_nowhere_is_an_error, remove_file),
    };
    return cmocka_run_group_tests(tests, own_folder_enter, own_folder_leave);
}

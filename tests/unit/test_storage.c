/* SPDX-License-Identifier: BSD-2-Clause */
/* What the disk's lanes tell of what failed.  All else of the storage is tested by groups
 * (tests/cli/vstamp-replica-disk.bats). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "replica/storage_lane.h"

struct fixture {
    char folder[32];
    struct storage storage;
    struct lane lane;
    struct rlimit files;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    if (f == NULL) return -1;
    *state = f;
    f->lane = (struct lane){.storage = &f->storage, .fetched_fd = -1};
    getrlimit(RLIMIT_NOFILE, &f->files);
    snprintf(f->folder, sizeof f->folder, "/tmp/vstamp-test-XXXXXX");
    if (mkdtemp(f->folder) == NULL) return -1;
    f->storage.folder_fd = open(f->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return f->storage.folder_fd >= 0 ? 0 : -1;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    close(f->storage.folder_fd);
    rmdir(f->folder);
    free(f);
    return 0;
}

/* May files be opened? */
static void allow_files(const struct fixture *f, bool allowed)
{
    struct rlimit limit = f->files;

    if (!allowed) limit.rlim_cur = 0;
    setrlimit(RLIMIT_NOFILE, &limit);
}

static void a_trail_that_is_not_kept_tells_of_what_failed_first(void **state)
{
    const struct node_job turns = {.kind = NODE_JOB_TRAIL, .number = TRAIL_TURNS};
    struct fixture *f = *state;

    allow_files(f, false);
    trail_append(&f->lane, &turns); /* and there is none that could be given another name */
    allow_files(f, true);
    assert_int_equal(f->lane.trail_errno, EMFILE);
}

static bool is_kept(const struct fixture *f)
{
    return faccessat(f->storage.folder_fd, STORAGE_FETCHED, F_OK, 0) == 0;
}

static void what_the_next_fetch_brings_is_kept_again(void **state)
{
    static const uint8_t page[16 + VSTAMP_PAGE_SIZE] = {[4] = 1}; /* page 0, with its content */
    const struct bytes data = {page, sizeof page};
    struct fixture *f = *state;

    allow_files(f, false);
    fetched_keep(&f->lane, data);
    allow_files(f, true);
    assert_int_equal(f->lane.fetched_errno, EMFILE);
    fetched_keep(&f->lane, data); /* of the same fetch */
    assert_false(is_kept(f));
    fetched_remove(&f->lane);
    fetched_keep(&f->lane, data);
    assert_true(is_kept(f));
    fetched_remove(&f->lane);
    assert_false(is_kept(f));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_trail_that_is_not_kept_tells_of_what_failed_first,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_the_next_fetch_brings_is_kept_again, set_up,
                                        tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

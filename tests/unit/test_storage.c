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

static void a_trail_that_is_not_kept_tells_of_what_failed_first(void **state)
{
    char folder[] = "/tmp/vstamp-test-XXXXXX";
    struct storage storage = {0};
    struct lane lane = {.storage = &storage};
    const struct node_job turns = {.kind = NODE_JOB_TRAIL, .number = TRAIL_TURNS};
    struct rlimit few, enough;

    (void)state;
    assert_non_null(mkdtemp(folder));
    storage.folder_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(storage.folder_fd >= 0);
    getrlimit(RLIMIT_NOFILE, &enough);
    few = enough;
    few.rlim_cur = 0;
    setrlimit(RLIMIT_NOFILE, &few);
    trail_append(&lane, &turns); /* and there is none that could be given another name */
    setrlimit(RLIMIT_NOFILE, &enough);
    assert_int_equal(lane.trail_errno, EMFILE);
    close(storage.folder_fd);
    rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_trail_that_is_not_kept_tells_of_what_failed_first),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

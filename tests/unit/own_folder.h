/* SPDX-License-Identifier: BSD-2-Clause */
/* A folder of the test's own, in which it works; it leaves nothing there. */
#ifndef UNIT_OWN_FOLDER_H
#define UNIT_OWN_FOLDER_H

#include <stdlib.h>
#include <unistd.h>

static char own_folder[] = "/tmp/vstamp-test-XXXXXX";

/* For cmocka_run_group_tests. */
static inline int own_folder_enter(void **state)
{
    (void)state;
    return mkdtemp(own_folder) != NULL && chdir(own_folder) == 0 ? 0 : -1;
}

static inline int own_folder_leave(void **state)
{
    (void)state;
    return chdir("/") == 0 ? rmdir(own_folder) : -1;
}

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* Loaded into a replica with LD_PRELOAD: a kernel that has no memory for a request of a ring, as
 * many times in a row as the file says that BUSY_RING names. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <liburing.h>
#include <stdio.h>
#include <stdlib.h>

static unsigned times_to_refuse(void)
{
    FILE *file = fopen(getenv("BUSY_RING"), "re");
    char text[16] = "0";
    if (file == NULL) return 0;
    if (fgets(text, sizeof text, file) == NULL) text[0] = '\0';
    fclose(file);
    return (unsigned)strtoul(text, NULL, 10);
}

__attribute__((visibility("default"))) int io_uring_submit(struct io_uring *ring)
{
    static unsigned refused;
    int (*real)(struct io_uring *) = NULL;
    *(void **)&real = dlsym(RTLD_NEXT, "io_uring_submit");
    if (refused++ < times_to_refuse()) return -EAGAIN;
    refused = 0;
    return real(ring);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* Loaded into a program with LD_PRELOAD: a disk that has much else to do when it is to keep
 * something for the first time. */
#include <sys/syscall.h>
#include <unistd.h>

__attribute__((visibility("default"))) int fsync(int fd)
{
    static int n;
    if (n++ == 0) sleep(3);
    return (int)syscall(SYS_fsync, fd);
}

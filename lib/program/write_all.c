/* SPDX-License-Identifier: BSD-2-Clause */
#include "program/write_all.h"

#include <errno.h>
#include <unistd.h>

bool write_all(int fd, struct bytes bytes)
{
    while (bytes.size > 0) {
        ssize_t n = write(fd, bytes.data, bytes.size);
        if (n < 0 && errno == EINTR) continue;
        if (n == 0) errno = ENOSPC;
        if (n <= 0) return false;
        bytes.data += n;
        bytes.size -= (size_t)n;
    }
    return true;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* Byte by byte: nothing is added, cut off or looked at. */
#include <config.h>

#include "client/input.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/memory.h"
#include "kv/kv.h"

int input_read(struct bytes *value, struct vstamp_diag *diag)
{
    size_t capacity = 1 << 16, size = 0;
    uint8_t *data = memory_new(capacity);
    while (size <= KV_VALUE_MAX) {
        if (size == capacity) {
            capacity *= 2;
            data = memory_resize(data, capacity);
        }
        ssize_t n = read(STDIN_FILENO, data + size, capacity - size);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) {
            vstamp_diag_printf(diag, "standard input: %s: nothing was sent", strerror(errno));
            free(data);
            return VSTAMP_E_IO;
        }
        if (n == 0) break;
        size += (size_t)n;
    }
    *value = (struct bytes){data, size};
    return 0;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* Lines from a descriptor, for those who wait for other things too: a read happens only when asked
 * for, and brings as much as there is. */
#ifndef CLIENT_LINES_H
#define CLIENT_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/limits.h"

/* Bytes of the longest line: what is more fits no frame, though each byte were escaped. */
#define LINES_LINE_MAX (4 * (size_t)FRAME_BYTES_MAX)

struct lines {
    int fd;
    bool ended;            /* the input; the last line may come without a newline */
    uint64_t number;       /* of the line taken last, from 1 */
    uint64_t bytes_read;   /* in all */
    uint8_t *text;         /* read and not taken yet */
    size_t capacity, size, used, looked; /* used: of `text`; no newline before `looked` */
};

/* Is a whole line there? */
bool lines_ready(struct lines *l);

/* Take it, without its newline; valid until the next lines_read. */
struct bytes lines_take(struct lines *l);

/* Read once; it blocks unless poll said that there is something.  0; VSTAMP_E_TOO_LARGE: the next
 * line is longer than LINES_LINE_MAX; VSTAMP_E_IO: see errno. */
int lines_read(struct lines *l);

/* Right after it: which of both. */
const char *lines_failure(int rv);

void lines_release(struct lines *l);

#endif

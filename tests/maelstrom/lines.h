/* SPDX-License-Identifier: BSD-2-Clause */
/* Maelstrom's messages, one JSON object a line, over pipes that must not block:
 *
 *     {"src":"c1","dest":"n0","body":{"type":"read","key":7,"msg_id":3}}
 *
 * Node and driver read and write them alike. */
#ifndef MAELSTROM_LINES_H
#define MAELSTROM_LINES_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

/* What a line may hold; more is cut off, so that it does not parse.  A frame of the largest batch
 * is well below. */
#define LINE_BYTES_MAX (8u << 20)

/* Start with {.fd = ...}. */
struct lines_in {
    int fd;
    bool ended;
    char *buffer;
    size_t size, used, capacity;
    bool cutting; /* the rest of a line that was too long is passed over */
};

/* Start with {.fd = ...}, a descriptor that does not block; {0} is one that keeps all. */
struct lines_out {
    int fd;
    char *buffer;
    size_t size, sent, capacity;
};

/* Take what the descriptor has, once; at its end, or its failure, `ended`.  Whole lines are to be
 * taken before. */
void lines_read(struct lines_in *in);

/* The next whole line, or NULL.  Valid until lines_read. */
const char *lines_next(struct lines_in *in);

/* Append a line.  Nothing is written before lines_write. */
void lines_put(struct lines_out *out, const char *line);

/* Append a message; `body` is given away. */
void lines_put_message(struct lines_out *out, const char *src, const char *dest, json_t *body);

/* Write what the descriptor takes.  0, or an errno that is final. */
int lines_write(struct lines_out *out);

/* Bytes that are not written yet. */
size_t lines_waiting(const struct lines_out *out);

void lines_in_release(struct lines_in *in);
void lines_out_release(struct lines_out *out);

/* All that jansson can carry: texts of one value too, and NULs within them. */
#define LINES_DECODE (JSON_DECODE_ANY | JSON_ALLOW_NUL)
#define LINES_ENCODE (JSON_ENCODE_ANY | JSON_COMPACT | JSON_SORT_KEYS)

#endif

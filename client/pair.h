/* SPDX-License-Identifier: BSD-2-Clause */
/* A key and its value as a line of text, which holds any bytes: what export writes is what import
 * reads.
 *
 *   KEY<tab>VALUE[<tab>EXPIRES]       escaped as `list` prints it (escape.h)
 *   {"key":"k","value":"v"}           a JSON object; bytes that are not UTF-8 as "key_base64" and
 *                                     "value_base64"; when it expires as "expires_us"
 *
 * EXPIRES is the time in microseconds since 1970; a key without it lives for ever.
 * A line with a tab is of the first kind: in both, a tab that belongs to the data is escaped. */
#ifndef CLIENT_PAIR_H
#define CLIENT_PAIR_H

#include <stdbool.h>
#include <stdio.h>

#include "base/bytes.h"

struct pair {
    struct bytes key, value; /* in memory of their own, until pair_release */
    uint64_t expires_us;     /* 0: never */
};

void pair_print(FILE *into, const struct pair *pair, bool as_json);

/* `line` is without its newline.  NULL, or what is wrong; release it in both cases. */
const char *pair_parse(struct pair *pair, struct bytes line);
void pair_release(struct pair *pair);

#endif

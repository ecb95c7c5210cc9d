/* SPDX-License-Identifier: BSD-2-Clause */
/* GET over HTTP from several servers at once, with one deadline and a bound on what they send. */
#ifndef ADMIN_FETCH_H
#define ADMIN_FETCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <curl/curl.h>

#include "program/address.h"

#define FETCHES_MAX      (4u * REPLICAS_MAX)
#define FETCH_BYTES_MAX  (1u << 20)
#define FETCH_ERROR_SIZE 160

struct fetch {
    const struct address *address;
    const char *path; /* "/status" */

    bool ok;                      /* answered with 200 and a whole body */
    char error[FETCH_ERROR_SIZE]; /* else why not, in words */
    char *body;                   /* ended by a NUL; NULL unless ok */
    size_t size;
};

/* Fill in the results of all; returns after at most about `timeout_ms`.  fetch_close each. */
void fetch_all(struct fetch *fetches, size_t n, uint32_t timeout_ms);
void fetch_close(struct fetch *fetch);

#endif

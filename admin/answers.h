/* SPDX-License-Identifier: BSD-2-Clause */
/* What each configured replica answered to GET /status, or why it did not. */
#ifndef ADMIN_ANSWERS_H
#define ADMIN_ANSWERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "admin/fetch.h"
#include "node/status.h"
#include "program/config.h"

#define ANSWER_NEVER UINT64_MAX /* last_contact_ms of a peer that was never heard */

struct answer {
    const struct address *address; /* of the replica, as configured */
    bool reachable;
    char error[FETCH_ERROR_SIZE]; /* why not */
    struct node_status status;    /* its texts live in `json` */
    json_t *json;                 /* NULL unless reachable */
};

struct answers {
    size_t n; /* as many as are configured, in that order */
    struct answer at[REPLICAS_MAX];
};

/* Ask all at once; returns after at most about `timeout_ms`.  `config` must outlive the answers. */
void answers_ask(struct answers *answers, const struct config *config, uint32_t timeout_ms);
void answers_close(struct answers *answers);

/* Take the body of /status as replica `index`'s answer: fields of another type than status.def
 * says, or another replica's answer, make it unreachable with an error.  Fields it lacks are zero,
 * "" or none, and connections are up, so that versions can be mixed; fields we don't know stay in
 * `json`. */
void answer_read(struct answer *answer, size_t index, const char *body, size_t size);

/* How long ago replica `by` heard replica `of`, in ms; ANSWER_NEVER if it did not or can't tell. */
uint64_t answers_heard_ms(const struct answers *answers, size_t by, size_t of);

/* Does replica `by` have a connection to replica `of`?  True if it doesn't tell. */
bool answers_connected(const struct answers *answers, size_t by, size_t of);

#endif

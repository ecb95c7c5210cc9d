/* SPDX-License-Identifier: BSD-2-Clause */
/* What each replica answered to GET /status, or why it did not.
 *
 * A configuration names where to begin.  The group may have moved since (section 7): whoever
 * answers tells the members that it knows, and those of the newest epoch are the group. */
#ifndef ADMIN_ANSWERS_H
#define ADMIN_ANSWERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "admin/fetch.h"
#include "admin/members.h"
#include "node/status.h"
#include "program/config.h"

#define ANSWERS_ALSO 2u
#define ANSWERS_MAX  FETCHES_MAX
#define ANSWER_NEVER UINT64_MAX /* last_contact_ms of a peer that was never heard */

struct answer {
    const struct address *address; /* of the replica, as configured */
    bool reachable;
    char error[FETCH_ERROR_SIZE]; /* why not */
    struct node_status status;    /* zero unless reachable; its texts live in `json` */
    struct node_status other;     /* of another replica, if one answers there; likewise */
    json_t *json;                 /* NULL: there is neither */
};

struct answers {
    size_t n;        /* members, in the order of their indices */
    size_t n_others; /* behind them: who is configured, and no member */
    struct answer at[ANSWERS_MAX];
    struct members members; /* as the configuration has them, or as they were told */
    bool told;
    struct vstamp_id group; /* zero: nobody who answers is in one */
};

/* Ask all at once; returns after at most about `timeout_ms`, or twice that if the group has moved.
 * Up to ANSWERS_ALSO lists of `also` are asked, too.  `config` and those must outlive the
 * answers. */
void answers_ask(struct answers *answers, const struct config *config,
                 const struct members *const *also, size_t n_also, uint32_t timeout_ms);
void answers_close(struct answers *answers);

/* Of who listens there; NULL: nobody there was asked. */
const struct answer *answers_find(const struct answers *answers, const struct address *address);

/* Take the body of /status as that of the replica with this address, or, if it does not tell that,
 * with this index.  Fields of another type than status.def says, or another replica's answer, which
 * goes into `other`, make it unreachable with an error.  Fields it lacks are zero, "" or none, and
 * connections are up, so that versions can be mixed; fields we don't know stay in `json`. */
void answer_read(struct answer *answer, size_t index, const char *body, size_t size);

/* How long ago replica `by` heard replica `of`, in ms; ANSWER_NEVER if it did not or can't tell. */
uint64_t answers_heard_ms(const struct answers *answers, size_t by, size_t of);

/* Who heard replica `of` last, and how long ago that is; -1, and ANSWER_NEVER: nobody who answers
 * ever did. */
int answers_last_heard(const struct answers *answers, size_t of, uint64_t *ms);

/* The newest entry that replica `of` acknowledged to replica `by`; 0: none, or it can't tell. */
uint64_t answers_acked_op(const struct answers *answers, size_t by, size_t of);

/* Does replica `by` have a connection to replica `of`?  True if it doesn't tell. */
bool answers_connected(const struct answers *answers, size_t by, size_t of);

#endif

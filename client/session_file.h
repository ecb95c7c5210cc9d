/* SPDX-License-Identifier: BSD-2-Clause */
/* A session across processes: the client's identity, the request that waits for its answer, and how
 * the last one ended.
 *
 *   session_file_open    locks FILE, reads it; a new one gets a new identity
 *   session_file_note    the request is in the file, on stable storage, before it is sent
 *   session_file_clear   it was answered and the answer shown, or it certainly did not run
 *
 * Killed at any moment, the next process finds either no request, which then was never sent, or
 * one, which it repeats under the same number.  A file that was made for one request without an
 * answer (session_file_keep) holds nothing else, and is removed once that is settled. */
#ifndef CLIENT_SESSION_FILE_H
#define CLIENT_SESSION_FILE_H

#include <vstamp/error.h>

#include "client/operation.h"
#include "vr/session.h"

/* A request that was, or was about to be, sent; session 0: there is none. */
struct session_pending {
    struct operation operation;
    uint64_t session, number;
    char since[32]; /* RFC 3339, UTC */
};

struct session_file {
    char *path; /* NULL: only in memory */
    int fd;     /* holds the lock */
    bool one_request;
    struct session_identity identity;
    struct session_pending pending;
    char *replicas; /* members of the identity's epoch, as --replicas takes them; or NULL */
    bool told;      /* by the group; else they are those that the user named */
    uint32_t witnesses; /* of them, a set */
    char *known;        /* these, former ones, and what else led to the group, likewise; or NULL */
    char *last;     /* the last settled request, for people: "incr hits: done", or NULL */
};

/* With `path` NULL: an identity of this process's own, in memory.  A file that is missing is made
 * if `create`. */
int session_file_open(struct session_file *f, const char *path, bool create,
                      struct vstamp_diag *diag);

/* The same without the lock, to look at. */
int session_file_peek(struct session_file *f, const char *path, struct vstamp_diag *diag);

void session_file_close(struct session_file *f);

/* Make the file's content that of `f`, whole or not at all, on stable storage. */
int session_file_save(struct session_file *f, struct vstamp_diag *diag);

static inline bool session_file_is_pending(const struct session_file *f)
{
    return f->pending.session != 0;
}

/* Note `operation` as pending under the number it is about to be sent with; copies it. */
int session_file_note(struct session_file *f, struct operation operation,
                      struct vstamp_diag *diag);

/* Nothing is pending any more; `how` ("done", "did not run", ...) is kept as its end. */
int session_file_clear(struct session_file *f, const char *how, struct vstamp_diag *diag);

/* Is, or was, the group to be found at this address, as far as the file knows? */
bool session_file_knows(const struct session_file *f, const char *address);
void session_file_learn(struct session_file *f, const char *address);

/* Give what was only in memory a file of its own in the state folder. */
int session_file_keep(struct session_file *f, struct vstamp_diag *diag);

/* "${XDG_STATE_HOME:-~/.local/state}/vstamp/NAME", a new text; with `make` the folder exists
 * afterwards. */
int session_file_state_path(char **path, const char *name, bool make, struct vstamp_diag *diag);

#define SESSION_FILE_SUFFIX ".pending" /* of the files that session_file_keep makes */

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* A program as a child: bytes to its standard input, bytes from its standard output, and lines that
 * it says on standard error.
 *
 * It is the leader of a process group, which ends as a whole; it inherits no other descriptor; and
 * it does not outlive this process, however that ends.  Who waits for it waits for nothing else,
 * but not for ever.  A child that was started is brought to its end by child_kill or child_stop,
 * whether it has ended by itself or not. */
#ifndef REPLICA_CHILD_H
#define REPLICA_CHILD_H

#include <sys/types.h>

#include <vstamp/error.h>

#include "base/bytes.h"
#include "replica/buffer.h"

#define CHILD_LINE_MAX 1024u /* longer ones are cut in pieces */
#define CHILD_READ_MIN 65536u

struct child {
    char *const *words; /* the program and its arguments; NULL ends them */
    pid_t pid;          /* 0: it does not run */
    int to, from;       /* its standard input and output; -1 */
    int says, says_end; /* where its standard error is read; and our copy of the other end, so that
                           one pipe serves for all the children that come one after the other */
    size_t line_size;
    char line[CHILD_LINE_MAX + 1];
    void (*heard)(void *ctx, const char *line);
    void *ctx;
};

/* How an exchange ended badly. */
enum child_trouble {
    CHILD_WELL,
    CHILD_ENDED,  /* it ended, or closed what we wrote to or read from */
    CHILD_SILENT, /* it neither read nor wrote for so long */
    CHILD_NO_ROOM /* memory is out, or the system starts no process */
};

/* Starts nothing yet.  `heard` is told each line of standard error, without its end. */
int child_init(struct child *c, char *const *words, void (*heard)(void *ctx, const char *line),
               void *ctx, struct vstamp_diag *diag);

/* That the program cannot be executed shows as its end, after it has said why. */
enum child_trouble child_start(struct child *c, struct vstamp_diag *why);

/* Write the pieces of `out`, which are advanced, until something was read, which goes to the end of
 * `in`.  `timeout_ms` is for each step forward, not for all. */
enum child_trouble child_exchange(struct child *c, struct bytes *out, size_t n_out,
                                  struct buffer *in, uint32_t timeout_ms, struct vstamp_diag *why);

/* Hear what it has said on standard error by now. */
void child_listen(struct child *c);

/* Has it ended by itself?  The sentence tells how. */
bool child_has_ended(const struct child *c, struct vstamp_diag *how);

void child_kill(struct child *c);

/* Its input ends, then SIGTERM, then SIGKILL, each after so long. */
void child_stop(struct child *c, uint32_t grace_ms);

/* After that it cannot be started again. */
void child_close(struct child *c);

#endif

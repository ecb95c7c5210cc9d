/* SPDX-License-Identifier: BSD-2-Clause */
/* An application that is a process: a program in any language, which is asked on its standard input
 * and answers on its standard output (vstamp-app-exec(5)).
 *
 * Its state is in its own memory, and is lost when it ends.  So what it was told since its state
 * was saved last is kept here, as it was written to it:
 *
 *     saved -- op -- op -- op -- op      asked, up to the next save
 *                          |     `------ announced, not applied yet
 *                          `------------ answered: these answers stand
 *
 * A process that ends, falls silent or says what it should not is killed, and another one is
 * started, given the saved state and asked the same again.  What had been answered before must be
 * answered alike, or the program is not deterministic, and this replica must not go on.  Neither
 * does it when new processes fail EXEC_TRIES times before they are asked anything new, or as they
 * save their state, or do what is due.  An operation at which they fail as often is not executed,
 * which the core is told: it is likely that no replica can.
 *
 *   X1  a process is told a state at most once, at its beginning;
 *   X2  an answer counts for the question whose number it repeats;
 *   X3  of each operation the first answer counts, and no later process gives another;
 *   X4  a process that failed is never asked again;
 *   X5  an operation that is not executed is in nothing that a later process is told, nor is what
 *       was announced behind it: that is announced again.
 *
 * Who waits for the process waits for nothing else: the replica stands still meanwhile, and the
 * others, if it is the primary, choose another one. */
#ifndef REPLICA_APP_EXEC_H
#define REPLICA_APP_EXEC_H

#include <stdbool.h>

#include <vstamp/app.h>

#define EXEC_TRIES         3u
#define APP_EXEC_PAIRS_MAX 8u /* of an event */

struct app_exec_options {
    const char *program, *argument; /* NULL: without; kept by pointer */
    uint32_t timeout_ms; /* without any step forward; four times that to start */
    struct vstamp_limits limits;
    uint32_t answer_capacity; /* of an operation's answer */
    /* Something happened, or is wrong: an event, and pairs of a word and a text, ended by NULL. */
    void (*tell)(void *ctx, bool wrong, const char *event, const char *const *pairs);
    void *ctx;
};

struct app_exec;

/* Start the program, and learn what it is.  VSTAMP_E_CONFIG with a sentence. */
int app_exec_open(struct app_exec **x, const struct app_exec_options *options,
                  struct vstamp_diag *diag);

/* What it is to vstamp; its instance is `x` itself, and its close() lets it end. */
const struct vstamp_app *app_exec_app(const struct app_exec *x);

/* Something is to be read at this descriptor, which stays the same: call app_exec_listen. */
int app_exec_descriptor(const struct app_exec *x);
void app_exec_listen(struct app_exec *x);

/* A child of this process has ended: was it the application?  Then another one starts, and has the
 * time until it is needed to get ready. */
void app_exec_look(struct app_exec *x);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* A recording lived again (node/recording.h): a node is made from what the file says, given the
 * same inputs, and what it puts out is compared with what the recorded one did. */
#ifndef SIM_REPLAY_H
#define SIM_REPLAY_H

#include <stdio.h>

#include "node/recording.h"

#define REPLAY_VERDICT_SIZE 768u

enum replay_outcome {
    REPLAY_SAME,    /* to the end of the file, be it that of a process that was killed */
    REPLAY_FAILED,  /* something else came out, or an assertion failed */
    REPLAY_REFUSED  /* it cannot be replayed (on): not ours, or damaged */
};

/* `app`: what the recorded node replicated; `argument` of it, or NULL.  `version`: of the program
 * that replays; NULL to replay those of all versions.  What happens goes to `all` line by line, the
 * newest lines to `last` at the end; each may be NULL.  The verdict is a sentence. */
enum replay_outcome replay(struct bytes recording, const struct vstamp_app *app,
                           const char *argument, const char *version, FILE *last, FILE *all,
                           char verdict[static REPLAY_VERDICT_SIZE]);

/* A recording in memory. */
struct replay_tape {
    uint8_t *data;
    size_t size, capacity;
};
void replay_tape_put(struct replay_tape *tape, enum journal_kind kind, const void *record);
void replay_tape_close(struct replay_tape *tape);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* What the commands of vstamp(1) work with: options, the connection, the session.
 *
 * The files of this room, from the top; each includes only what is below it:
 *
 *   main.c           options, and the command that runs
 *   cmd_*.c          a command each; cmd_shell.c runs others
 *   command.[ch]     a command that is one operation: run, shown, settled
 *   ahead.[ch]       the same for reads of the shell that do not wait for one another
 *   answer.[ch]      an outcome as it is shown; result.[ch] if the store answered
 *   request.[ch]     one request, exactly once; outcome.[ch] is how it ended
 *   client.[ch]      this
 *   conn.[ch]        connections; session_file.[ch]: what is kept across calls
 *   operation.[ch]   what is sent
 *
 * Beside them stand what bench, import, export and list need (crowd.h, bench.h, listing.h), and
 * leaves that know nothing of a client: words, numbers, text. */
#ifndef CLIENT_CLIENT_H
#define CLIENT_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "client/conn.h"
#include "client/line.h"
#include "client/session_file.h"
#include "program/cli.h"
#include "program/config.h"

#define CLIENT_TIMEOUT_MS     5000u
#define CLIENT_TIMEOUT_MS_MIN 100u
#define CLIENT_TIMEOUT_MS_MAX 3600000u

struct client_options {
    const char *config;
    const char *replicas;
    const char *tls;
    const char *session;
    enum session_task read_task; /* as --consistency asks for */
    uint32_t timeout_ms;
    bool json;
    bool viewstamps;
};

/* The options that hold for one line of the shell, too. */
#define CLIENT_LINE_OPTIONS(o)                                                                   \
    CLI_DURATION('t', "timeout", &(o)->timeout_ms, CLIENT_TIMEOUT_MS_MIN, CLIENT_TIMEOUT_MS_MAX, \
                 "give up after this long, by default 5"),                                       \
        CLI_WORD(0, "consistency", &(o)->read_task, SESSION_READ, "linearizable|causal|stale",   \
                 "how fresh reads must be, by default linearizable"),                            \
        CLI_FLAG('j', "json", &(o)->json, "answer with one JSON object on one line"),            \
        CLI_FLAG(0, "viewstamps", &(o)->viewstamps,                                              \
                 "say at which epoch, view and op-number an answer holds")

_Static_assert(SESSION_READ_CAUSAL == SESSION_READ + 1 && SESSION_READ_STALE == SESSION_READ + 2,
               "as --consistency has them");

struct ahead;

struct client {
    struct cli *cli;
    struct client_options options;

    struct tls *tls; /* as the group that was found wants it; NULL: none */
    struct conn *conn; /* NULL until the first request */
    struct config_addresses named; /* where the user says that the group is */
    uint32_t witnesses; /* bitset: as the configuration has it, or as the group told */
    struct { /* as the configuration says, 0: there is none */
        uint64_t value, batch;
    } bytes_max;
    struct session_file file; /* of --session, of resume, or this process's own identity */
    bool file_open;
    struct session session;
    bool session_begun;

    bool in_shell;           /* answers are lines, complaints too */
    bool on_terminal;        /* of the shell */
    const struct line *line; /* the shell's words, which may hold NULs */
    struct ahead *ahead;     /* of the shell from a pipe: who takes the read of this line */
    size_t n_shown;          /* answers and errors on standard output, for the shell */
    int signal;              /* that interrupted a request; main dies by it */
};

/* Connection and session are ready; `file_path` NULL: as --session says.  0 or VSTAMP_E_*. */
int client_begin(struct client *c, const char *file_path, struct vstamp_diag *diag);
void client_end(struct client *c);

/* The group to ask: that of --replicas, else of --config, else `noted`, the replicas that a pending
 * request was sent to (or NULL), else of the configuration that is found.  The certificates to show
 * it: those of --tls, else of the configuration. */
int client_find_group(struct client *c, const char *noted, struct config *config,
                      struct vstamp_diag *diag);

/* Bytes of a word given to a command, in the shell also with NULs inside. */
struct bytes client_word(const struct client *c, const char *word);

#endif

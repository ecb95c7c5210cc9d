/* SPDX-License-Identifier: BSD-2-Clause */
/* What the commands of vstamp(1) share: options, the connection, the session, and the way a request
 * goes (request.c) and is shown (answer.c). */
#ifndef CLIENT_CLIENT_H
#define CLIENT_CLIENT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "client/conn.h"
#include "client/line.h"
#include "client/session_file.h"
#include "kv/kv.h"
#include "program/cli.h"

#define CLIENT_TIMEOUT_MS     5000u
#define CLIENT_TIMEOUT_MS_MIN 100u
#define CLIENT_TIMEOUT_MS_MAX 3600000u

struct client_options {
    const char *config;
    const char *replicas;
    const char *session;
    const char *consistency;
    uint32_t timeout_ms;
    bool json;
    bool viewstamps;
};

/* The options that hold for one line of the shell, too. */
#define CLIENT_LINE_OPTIONS(o)                                                                   \
    CLI_DURATION('t', "timeout", &(o)->timeout_ms, CLIENT_TIMEOUT_MS_MIN, CLIENT_TIMEOUT_MS_MAX, \
                 "give up after this long, by default 5"),                                       \
        CLI_TEXT(0, "consistency", &(o)->consistency, "linearizable|causal|stale",               \
                 "how fresh reads must be, by default linearizable"),                            \
        CLI_FLAG('j', "json", &(o)->json, "answer with one JSON object on one line"),            \
        CLI_FLAG(0, "viewstamps", &(o)->viewstamps,                                              \
                 "say at which epoch, view and op-number an answer holds")

struct ahead;

/* What is sent: an operation of the store, or bytes for whatever application there is. */
enum client_call { CLIENT_CALL_NONE, CLIENT_CALL, CLIENT_CALL_READ };

struct client {
    struct cli *cli;
    struct client_options options;

    struct conn *conn; /* NULL until the first request */
    struct config_addresses named; /* where the user says that the group is */
    uint8_t n_replicas;
    uint32_t witnesses; /* bitset, as the configuration has it */
    struct { /* as the configuration says, 0: there is none */
        uint64_t value, batch;
    } bytes_max;
    struct session_file file; /* of --session, of resume, or this process's own identity */
    bool file_open;
    struct session session;
    bool session_begun;

    enum client_call call;   /* of the request that runs */
    bool in_shell;           /* answers are lines, complaints too */
    bool on_terminal;        /* of the shell */
    const struct line *line; /* the shell's words, which may hold NULs */
    struct ahead *ahead;     /* of the shell from a pipe: reads whose answers are to be shown */
    size_t n_shown;          /* answers and errors on standard output, for the shell */
    int signal;              /* that interrupted a request; main dies by it */
};

/* How a request ended. */
struct outcome {
    int err;           /* 0: answered, see `answer`; else VSTAMP_E_* */
    const char *error; /* its name for --json */
    bool may_have_run;
    char *message;           /* for people, NULL without error */
    struct kv_answer answer; /* valid until the next request */
    struct bytes called;     /* the same of a call */
    uint64_t op, view;
    uint32_t epoch;
};

/* client.c */

/* Connection and session are ready; `file_path` NULL: as --session says.  0 or VSTAMP_E_*. */
int client_begin(struct client *c, const char *file_path, struct vstamp_diag *diag);
void client_end(struct client *c);

/* The kind of read that --consistency asks for; 0: there is no such. */
enum session_task client_read_task(const struct client *c);
const char *client_consistency(const struct client *c); /* its word */
int client_check_options(const struct client *c, struct vstamp_diag *diag);

/* Whom to ask: --replicas, else what a request was sent to that is noted (or NULL), unless --config
 * says otherwise, else the configuration. */
int client_find_group(struct client *c, const char *noted, struct config *config,
                      struct vstamp_diag *diag);

/* client_begin for the request that is pending in FILE, or in --session where that is NULL.  0,
 * or the exit status after the complaint of command `word`. */
int client_begin_pending(struct client *c, const char *word, const char *file_path);

/* Bytes of a word given to a command, in the shell also with NULs inside. */
struct bytes client_word(const struct client *c, const char *word);

/* Encode, run, show: all of most commands.  The exit status. */
int client_do(struct client *c, const struct kv_op *op);

/* The same for an encoded operation; `raw`: of a value, print the bytes alone. */
int client_do_encoded(struct client *c, struct bytes operation, bool raw);

/* ahead.c: show the answers that are still to come, and only then go on. */
void client_catch_up(struct client *c);

/* request.c */

void request_run(struct client *c, struct bytes operation, struct outcome *o);

/* A read as of this op-number or a later one, which any replica answers once there is one: so long
 * it waits. */
void request_await(struct client *c, struct bytes operation, uint64_t op, uint32_t wait_ms,
                   struct outcome *o);

/* The answer of this operation was shown: it is no longer pending. */
int request_settled(struct client *c, struct bytes operation, struct vstamp_diag *diag);

/* Fence what is pending: 0 with *ran set, or an error. */
void request_abandon(struct client *c, bool *ran, struct outcome *o);

void outcome_release(struct outcome *o);

/* The application's answer to the operation. */
void outcome_take(struct outcome *o, struct bytes operation, struct bytes body);
void outcome_fail(struct outcome *o, int err, bool may_have_run, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* answer.c */

/* Show an answer or an error; `raw`: a value's bytes alone.  The exit status. */
int answer_show(struct client *c, struct bytes operation, const struct outcome *o, bool raw);

/* Show why there is no answer; `named` is a JSON object with what was asked, which is consumed.
 * The exit status. */
int answer_error(struct client *c, json_t *named, const struct outcome *o);

/* The same for an error found before anything was sent. */
int answer_refuse(struct client *c, const char *word, int err, const struct vstamp_diag *diag);

/* {"op": ..., "key": ..., "ok": ...} and what the operation answered. */
json_t *answer_object(const struct kv_op *op, const struct kv_answer *a);

/* The same as a line for people, of an operation in a transaction. */
void answer_print_step(const struct client *c, const struct kv_op *step, const struct kv_answer *a);

/* answer_txn.c */
const char *answer_branch_word(enum kv_branch branch);
void answer_set_txn(json_t *object, const struct kv_op *op, const struct kv_answer *a);
void answer_print_txn(const struct client *c, const struct kv_op *op, const struct kv_answer *a);

/* answer.c: an object that begins with {"op": word}. */
json_t *answer_named(const char *word);

/* object[name] = text, or object[name + "_base64"] where it is not UTF-8. */
void answer_set_bytes(json_t *object, const char *name, struct bytes text);

/* One line, with the viewstamp where that was asked for; consumes the object.  `o` NULL: nobody was
 * asked. */
void answer_print_json(struct client *c, json_t *object, const struct outcome *o);

/* Without --json: say at which viewstamp the answer holds, where that was asked for. */
void answer_print_viewstamp(const struct client *c, const struct outcome *o);

/* main.c: the table of commands.def. */
extern const struct cli_command client_commands[];
extern const size_t client_n_commands;
bool client_in_shell(const struct cli_command *command);

/* cmd_shell.c: what a word means to the shell, the seed's words too, or NULL. */
const struct cli_command *client_find_command(const char *word);

#define COMMAND(word, function, operands, least, most, takes_value, in_shell, text) \
    int function(struct cli *cli, int argc, char **argv);
#include "client/commands.def"
#undef COMMAND

#endif

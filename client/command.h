/* SPDX-License-Identifier: BSD-2-Clause */
/* The commands of vstamp(1), and what most of them are: an operation that is run and shown. */
#ifndef CLIENT_COMMAND_H
#define CLIENT_COMMAND_H

#include "client/client.h"
#include "kv/kv.h"

/* Encode, run, show: all of most commands.  The exit status. */
int command_do(struct client *c, const struct kv_op *op);

/* The same for an encoded operation; `raw`: of a value, print the bytes alone. */
int command_do_encoded(struct client *c, struct operation operation, bool raw);

/* client_begin for the request that is pending in FILE, or in --session where that is NULL.  0,
 * or the exit status after the complaint of command `word`. */
int command_begin_pending(struct client *c, const char *word, const char *file_path);

/* cmd_*.c */
#define COMMAND(word, function, operands, least, most, takes_value, in_shell, text) \
    int function(struct cli *cli, int argc, char **argv);
#include "client/commands.def"
#undef COMMAND

#endif

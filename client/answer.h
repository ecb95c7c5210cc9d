/* SPDX-License-Identifier: BSD-2-Clause */
/* Answers and errors as they are shown: for people, in the shell, as JSON. */
#ifndef CLIENT_ANSWER_H
#define CLIENT_ANSWER_H

#include <jansson.h>

#include "client/client.h"
#include "client/outcome.h"

/* Show an answer or an error; `raw`: a value's bytes alone.  The exit status. */
int answer_show(struct client *c, struct operation operation, const struct outcome *o, bool raw);

/* Show why there is no answer; `named` is a JSON object with what was asked, which is consumed.
 * The exit status. */
int answer_error(struct client *c, json_t *named, const struct outcome *o);

/* The same for an error that was found before anything was sent. */
int answer_refuse(struct client *c, json_t *named, int err, const struct vstamp_diag *diag);

/* An object that begins with {"op": word}, and one that has also the key. */
json_t *answer_named(const char *word);
json_t *answer_named_key(const char *word, struct bytes key);

/* What an operation asks, as answer_error takes it. */
json_t *answer_asked(struct operation operation);

/* One line, with the viewstamp where that was asked for; consumes the object.  `o` NULL: nobody was
 * asked. */
void answer_print_json(struct client *c, json_t *object, const struct outcome *o);

/* Without --json: say at which viewstamp the answer holds, where that was asked for. */
void answer_print_viewstamp(const struct client *c, const struct outcome *o);

#endif

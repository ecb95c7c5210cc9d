/* SPDX-License-Identifier: BSD-2-Clause */
/* The reads have a driver of their own, beside that of the shell's session: reads are not numbered,
 * so they take no place among the sessions of the group.  A signal just ends the process, as
 * nothing is lost with them. */
#include <config.h>

#include "client/ahead.h"

#include <poll.h>
#include <stdlib.h>

#include "base/assert.h"
#include "client/answer.h"
#include "client/memory.h"
#include "client/request.h"
#include "driver/driver.h"

void ahead_open(struct ahead *a, struct client *c, int *status)
{
    *a = (struct ahead){.c = c, .status = status};
}

void ahead_close(struct ahead *a)
{
    vstamp_driver_close(a->driver);
    *a = (struct ahead){0};
}

static void on_reply(void *context, const struct vstamp_reply *reply)
{
    struct question *q = context;
    q->answered = true;
    q->reply = *reply;
    q->body = (struct bytes){memory_copy(reply->body, reply->size), reply->size};
}

/* What came of it; with I2. */
static void conclude(struct ahead *a, struct question *q, struct outcome *o)
{
    char explanation[CONN_EXPLANATION_SIZE];
    bool is_old = q->reply.err == 0 && q->reply.op_number < a->c->session.identity.seen &&
                  a->c->options.read_task != SESSION_READ_STALE;
    *o = (struct outcome){0};
    if (outcome_is_silence(q->reply.err)) {
        vstamp_driver_explain(a->driver, explanation, sizeof explanation);
        outcome_fail(o, q->reply.err, false, "no answer in %.1f s: %s: %s",
                     a->c->options.timeout_ms / 1000.0, explanation,
                     outcome_advice(q->reply.err));
    } else if (is_old || q->reply.err != 0) { /* alone, an error is told better */
        request_run(a->c, q->operation, o);
    } else {
        o->op = q->reply.op_number;
        o->view = q->reply.view;
        o->epoch = q->reply.epoch;
        outcome_take(o, q->operation.bytes, q->body);
    }
}

static void show(struct ahead *a, struct question *q)
{
    struct client *c = a->c;
    struct client_options before = c->options;
    struct outcome o;
    c->options = q->options;
    conclude(a, q, &o);
    int status = answer_show(c, q->operation, &o, q->raw);
    if (status != CLI_OK && status != CLI_NO) *a->status = status;
    if (o.op > c->session.identity.seen) c->session.identity.seen = o.op;
    outcome_release(&o);
    c->options = before;
    operation_release(&q->operation);
    free((void *)q->body.data);
    *q = (struct question){0};
}

/* I1. */
static void show_answered(struct ahead *a)
{
    struct vstamp_diag ignored = {0};
    bool any = false;
    while (a->n > 0 && a->at[a->first].answered) {
        show(a, &a->at[a->first]);
        a->first = (a->first + 1) % AHEAD_MAX;
        a->n--;
        any = true;
    }
    if (!any) return;
    fflush(stdout);
    a->c->file.identity = a->c->session.identity;
    session_file_save(&a->c->file, &ignored); /* what was seen; no later command rests on it */
}

bool ahead_turn(struct ahead *a, int input)
{
    bool asks = a->n > 0;
    struct pollfd polls[] = {{.fd = asks ? vstamp_driver_fd(a->driver) : -1, .events = POLLIN},
                             {.fd = input, .events = POLLIN}};
    conn_waited(poll(polls, 2, asks ? vstamp_driver_timeout(a->driver) : -1));
    if (asks) {
        vstamp_driver_wait(a->driver, 0);
        show_answered(a);
    }
    return polls[1].revents != 0;
}

bool ahead_ask(struct ahead *a, struct operation operation, bool raw)
{
    struct client *c = a->c;
    if (a->driver == NULL) a->driver = conn_beside(c->conn, &c->session, AHEAD_MAX);
    if (a->driver == NULL) return false;
    while (a->n == AHEAD_MAX) ahead_turn(a, -1);
    struct question *q = &a->at[(a->first + a->n++) % AHEAD_MAX];
    assert(q->operation.bytes.data == NULL); /* it is free */
    q->raw = raw;
    q->options = c->options;
    q->operation = operation_copy(operation);
    struct bytes bytes = q->operation.bytes;
    int rv = vstamp_driver_call(a->driver, (enum vstamp_task)c->options.read_task, bytes.data,
                                bytes.size, c->options.timeout_ms, on_reply, q);
    const struct vstamp_reply refused = {.err = rv};
    if (rv != 0) on_reply(q, &refused);
    return true;
}

void ahead_catch_up(struct ahead *a)
{
    show_answered(a);
    while (a->n > 0) ahead_turn(a, -1);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* One request, from its encoding to its end, exactly once.
 *
 *   a read      asked until somebody answers
 *   a write     register if there is no session -> note it in the session file -> send
 *               -> show the answer -> request_settled: it is no longer noted
 *
 * A write that may have run stays noted: in the file of --session, else in a file of its own, which
 * `vstamp resume` and `vstamp abandon` take.  The same command under the same session, or resume,
 * comes here with the operation that is noted, and goes on with it under its number. */
#include <config.h>

#include "client/request.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "client/memory.h"
#include "client/operation.h"
#include "program/escape.h"

/* Whom the session is with. */
static void note_members(struct client *c)
{
    size_t size;
    for (uint32_t i = 0; i < c->session.n_replicas; i++)
        session_file_learn(&c->file, conn_member(c->conn, i));
    free(c->file.replicas);
    FILE *into = memory_stream(&c->file.replicas, &size);
    conn_print_replicas(c->conn, into);
    fclose(into);
    c->file.told = c->session.told;
    c->file.witnesses = c->session.witnesses;
    c->witnesses = c->session.witnesses;
}

/* Run a task, which is for this operation, until `deadline_ms`.  0, or the signal that interrupted
 * it. */
static int call(struct client *c, enum session_task task, struct operation operation,
                bool sent_before, uint64_t deadline_ms)
{
    struct bytes body = task == SESSION_REGISTER ? (struct bytes){0} : operation.bytes;
    uint64_t meant = c->session.application;
    uint32_t epoch = c->session.identity.epoch;
    bool told = c->session.told;
    if (operation_is_call(operation)) c->session.application = 0;
    session_start(&c->session, task, body, sent_before, conn_now_ms(), deadline_ms);
    int signal = conn_call(c->conn, &c->session);
    c->session.application = meant;
    if (signal != 0) {
        c->signal = signal;
        session_stop(&c->session);
    }
    c->file.identity = c->session.identity;
    if (c->file.identity.epoch > epoch || c->session.told != told) note_members(c);
    for (size_t i = 0; i < c->named.n && c->session.confirmed; i++)
        session_file_learn(&c->file, c->named.at[i].text); /* it has led to the group */
    return signal;
}

/* Has a newer request of this session been executed?  Then asking again settles nothing. */
static bool is_overtaken(const struct client *c)
{
    for (uint8_t i = 0; i < c->session.n_replicas; i++)
        if (c->session.peers[i].said == WIRE_REJECT_STALE) return true;
    return false;
}

char *request_silence(const struct client *c)
{
    char *text = NULL;
    size_t size;
    FILE *into = memory_stream(&text, &size);
    if (c->signal != 0) {
        fputs("interrupted", into);
    } else if (is_overtaken(c)) {
        fputs("a newer request of this session was executed: is its file a copy?", into);
    } else {
        fprintf(into, "no answer in %.1f s: ", c->options.timeout_ms / 1000.0);
        conn_explain(c->conn, into);
    }
    fclose(into);
    return text;
}

/* What else to do about a time-out.  A group that nobody named knows may be somewhere else; and who
 * says nothing but "not-primary" or "witness" knows a primary that this client cannot reach. */
static const char *try_again(const struct client *c)
{
    bool none = c->signal == 0, others = none;
    for (uint8_t i = 0; i < SLOTS_MAX; i++) {
        uint8_t said = c->session.peers[i].said;
        bool of_other = said == WIRE_REJECT_NOT_PRIMARY || said == WIRE_REJECT_WITNESS;
        none = none && said == 0;
        others = others && (said == 0 || of_other);
    }
    if (none && !c->session.confirmed)
        return "try again, or name other replicas by --replicas or --config: the group may have "
               "moved";
    if (others && !none)
        return "its primary cannot be reached from here: see vstamp-admin status, or try again";
    return "try again";
}

static void fail_other_group(struct client *c, bool may_have_run, struct outcome *o)
{
    outcome_fail(
        o, VSTAMP_E_OTHER_GROUP, may_have_run,
        "%s: belongs to another group than the one that answers: use a session file of this "
        "group, or the configuration of the other",
        c->file.path != NULL ? c->file.path : "this client");
}

/* The group refused, and said why. */
static void fail_refused(struct client *c, struct operation operation, struct outcome *o)
{
    const struct session_result *r = &c->session.result;
    const char *why = r->body.size > 0 ? (const char *)r->body.data : vstamp_err_text(r->err);
    int why_size = r->body.size > 0 ? (int)r->body.size : (int)strlen(why);
    if (r->err == VSTAMP_E_NOT_AUTHORISED) {
        char *text = request_silence(c);
        outcome_fail(o, r->err, false, "not authorised: %s: %s", text, outcome_advice(r->err));
        free(text);
        return;
    }
    if (r->err == VSTAMP_E_REFUSED) { /* and it says whether it ran */
        outcome_fail(o, r->err, r->may_have_run, "refused: %.*s", why_size, why);
        return;
    }
    const char *advice = r->err == VSTAMP_E_TOO_LARGE && !operation_is_call(operation)
                             ? ": store less under one key, or restore a backup into a group with "
                               "a larger limit"
                         : session_is_numbered(c->session.task) ? ": the operation did not run"
                                                                : ""; /* of a question */
    outcome_fail(o, r->err, false, "refused: %.*s%s", why_size, why, advice);
}

static void read_answer(struct operation operation, struct bytes body, struct outcome *o)
{
    if (operation_is_call(operation)) o->called = body;
    else outcome_take(o, operation.bytes, body);
}

static void take_answer(struct client *c, struct operation operation, struct outcome *o)
{
    const struct session_result *r = &c->session.result;
    o->op = r->op;
    o->view = r->view;
    o->epoch = r->epoch;
    read_answer(operation, r->body, o);
}

static void run_read(struct client *c, enum session_task task, struct operation operation,
                     uint32_t timeout_ms, struct outcome *o)
{
    int signal = call(c, task, operation, false, conn_now_ms() + timeout_ms);
    const struct session_result *r = &c->session.result;
    if (signal == 0 && r->err == 0) {
        take_answer(c, operation, o);
    } else if (signal != 0 || r->err == VSTAMP_E_NOT_RUN) {
        char *text = request_silence(c);
        outcome_fail(o, VSTAMP_E_NOT_RUN, false, "%s: %s", text, try_again(c));
        free(text);
    } else if (r->err == VSTAMP_E_OTHER_GROUP) {
        fail_other_group(c, false, o);
    } else {
        fail_refused(c, operation, o);
    }
}

/* The answer did not come; what is noted stays noted, for the command that is to settle it. */
static void fail_unknown(struct client *c, const char *command, struct outcome *o)
{
    char *text = request_silence(c);
    struct vstamp_diag diag = {0};
    if (c->file.replicas == NULL) note_members(c);
    bool own = c->file.path == NULL;
    int rv = own ? session_file_keep(&c->file, &diag) : session_file_save(&c->file, &diag);
    if (rv != 0) {
        outcome_fail(o, VSTAMP_E_UNKNOWN_OUTCOME, true,
                     "outcome unknown: %s: it may or may not have run, and could not be noted: %s",
                     text, diag.text);
    } else {
        char *file = escape_for_shell(c->file.path);
        outcome_fail(
            o, VSTAMP_E_UNKNOWN_OUTCOME, true,
            "outcome unknown: %s: it may or may not have run; settle it with: vstamp %s %s",
            text, is_overtaken(c) ? "abandon" : command, file);
        free(file);
    }
    free(text);
    if (!own) return;
    /* What this process does next goes under another name. */
    struct session_identity before = c->file.identity;
    session_file_close(&c->file);
    session_file_open(&c->file, NULL, false, &diag);
    c->file.identity.group = before.group;
    c->file.identity.epoch = before.epoch;
    c->file.identity.view = before.view;
    c->file.identity.seen = before.seen;
    c->session_begun = false;
}

/* It certainly did not run: nothing is pending. */
static void fail_clear(struct client *c, const char *how)
{
    struct vstamp_diag ignored = {0};
    if (session_file_is_pending(&c->file))
        session_file_clear(&c->file, how, &ignored);
    else
        session_file_save(&c->file, &ignored);
}

static void fail_not_run(struct client *c, struct outcome *o)
{
    char *text = request_silence(c);
    outcome_fail(o, VSTAMP_E_NOT_RUN, false,
                 "%s: the operation did not and will not run: %s", text, try_again(c));
    free(text);
    fail_clear(c, "did not run");
}

static void fail_evicted(struct client *c, bool may_have_run, struct outcome *o)
{
    outcome_fail(o, VSTAMP_E_EVICTED, may_have_run,
                 may_have_run
                     ? "session evicted; outcome unknown: the group no longer remembers whether "
                       "it ran: look at the keys"
                     : "session evicted; this request did not run: run it again");
    fail_clear(c, may_have_run ? "unknown, the session was evicted" : "did not run");
}

/* A write failed.  What to tell, and what remains noted. */
static void fail_write(struct client *c, struct operation operation, int signal, struct outcome *o)
{
    const struct session_result *r = &c->session.result;
    if (signal != 0 || r->err == VSTAMP_E_NOT_RUN || r->err == VSTAMP_E_UNKNOWN_OUTCOME) {
        if (session_may_run(&c->session))
            fail_unknown(c, "resume", o);
        else
            fail_not_run(c, o);
    } else if (r->err == VSTAMP_E_EVICTED) {
        fail_evicted(c, r->may_have_run, o);
    } else if (r->err == VSTAMP_E_OTHER_GROUP) {
        fail_other_group(c, r->may_have_run, o);
        if (!r->may_have_run) fail_clear(c, "did not run");
    } else {
        fail_refused(c, operation, o);
        fail_clear(c, "refused");
    }
}

/* What came of the pending request, as a registration tells it. */
static enum session_verdict settle(struct client *c, struct outcome *o)
{
    const struct session_result *r = &c->session.result;
    const struct wire_registration *told = &r->registration;
    const struct session_pending *p = &c->file.pending;
    enum session_verdict verdict = session_settle(told, p->session, p->number, p->operation.bytes);
    if (verdict == SESSION_CANNOT_TELL) {
        fail_evicted(c, true, o);
    } else if (verdict == SESSION_RAN && told->outcome != WIRE_OUTCOME_ANSWERED) {
        outcome_fail(o, VSTAMP_E_REFUSED, told->outcome != WIRE_OUTCOME_NOT_RUN, "refused: %.*s",
                     (int)told->answer.size, (const char *)told->answer.data);
        fail_clear(c, "refused");
    } else if (verdict == SESSION_RAN) {
        read_answer(p->operation, told->answer, o);
        o->op = told->op;
        o->view = r->view;
        o->epoch = r->epoch;
    }
    return verdict;
}

/* Register.  SESSION_DID_NOT_RUN: nothing was pending, or it never will run.  Else that is how the
 * request has ended: in *o is its answer, or an error; if nobody answered, `command` is to settle
 * it. */
static enum session_verdict register_session(struct client *c, struct operation operation,
                                             const char *command, uint64_t deadline_ms,
                                             struct outcome *o)
{
    int signal = call(c, SESSION_REGISTER, operation, false, deadline_ms);
    int err = c->session.result.err;
    bool pending = session_file_is_pending(&c->file);
    if (signal == 0 && err == 0) return pending ? settle(c, o) : SESSION_DID_NOT_RUN;
    if (!pending)
        fail_write(c, operation, signal, o);
    else if (err == VSTAMP_E_OTHER_GROUP)
        fail_other_group(c, true, o); /* which knows nothing of what is pending in ours */
    else
        fail_unknown(c, command, o);
    return SESSION_CANNOT_TELL;
}

static bool is_pending(const struct client *c, struct operation operation)
{
    const struct session_pending *p = &c->file.pending;
    return session_file_is_pending(&c->file) && p->operation.kind == operation.kind &&
           bytes_equal(p->operation.bytes, operation.bytes);
}

static void fail_other_pending(struct client *c, struct outcome *o)
{
    char *text = operation_described(c->file.pending.operation);
    char *file = escape_for_shell(c->file.path);
    outcome_fail(
        o, VSTAMP_E_UNKNOWN_OUTCOME, false,
        "%s holds an unfinished request, '%s': run that again, or settle it with: vstamp resume "
        "%s",
        c->file.path, text, file);
    o->error = "pending";
    free(file);
    free(text);
}

/* The session of a request that was sent before is gone, evicted or taken over by another process
 * with its file.  Whether it ran the next registration tells, if anybody knows. */
static void settle_evicted(struct client *c, struct operation operation, uint64_t deadline_ms,
                           struct outcome *o)
{
    if (register_session(c, operation, "resume", deadline_ms, o) == SESSION_DID_NOT_RUN)
        fail_evicted(c, false, o);
}

static void run_write(struct client *c, struct operation operation, struct outcome *o)
{
    uint64_t deadline_ms = conn_now_ms() + c->options.timeout_ms;
    bool sent_before = is_pending(c, operation);
    if (session_file_is_pending(&c->file) && !sent_before) {
        fail_other_pending(c, o);
        return;
    }
    if (c->session.identity.session == 0) {
        if (register_session(c, operation, "resume", deadline_ms, o) != SESSION_DID_NOT_RUN) return;
        sent_before = false; /* the old session's number can no longer run */
    }
    struct vstamp_diag diag = {0};
    uint64_t noting_ms = conn_now_ms();
    if (!sent_before && session_file_note(&c->file, operation, &diag) != 0) {
        outcome_fail(o, VSTAMP_E_IO, false, "%s: nothing was sent", diag.text);
        return;
    }
    deadline_ms += conn_now_ms() - noting_ms; /* else a slow disk here looks like a silent group */
    int signal = call(c, SESSION_APPLY, operation, sent_before, deadline_ms);
    const struct session_result *r = &c->session.result;
    if (signal == 0 && r->err == VSTAMP_E_EVICTED && r->may_have_run)
        settle_evicted(c, operation, deadline_ms, o);
    else if (signal != 0 || r->err != 0)
        fail_write(c, operation, signal, o);
    else
        take_answer(c, operation, o);
}

static void run(struct client *c, struct operation operation, struct outcome *o)
{
    conn_hold_signals(c->conn);
    if (operation_is_write(operation))
        run_write(c, operation, o);
    else
        run_read(c, c->options.read_task, operation, c->options.timeout_ms, o);
    conn_release_signals(c->conn);
}

/* Whoever reads the group's file need not carry megabytes to a replica to be refused; what fits
 * into a batch the group judges by itself. */
static bool is_beyond_any_batch(const struct client *c, struct operation operation)
{
    return c->bytes_max.batch != 0 && operation.bytes.size > c->bytes_max.batch &&
           !is_pending(c, operation);
}

void request_run(struct client *c, struct operation operation, struct outcome *o)
{
    *o = (struct outcome){0};
    struct kv_op op = {0};
    const char *wrong =
        operation_is_call(operation) ? NULL : kv_decode_op(operation.bytes, &op);
    bool too_large =
        op.key.size > KV_KEY_MAX || op.value.size > KV_VALUE_MAX || op.expected.size > KV_VALUE_MAX;
    if (wrong != NULL)
        outcome_fail(o, too_large ? VSTAMP_E_TOO_LARGE : VSTAMP_E_INVALID, false,
                     "refused: %s: nothing was sent", wrong);
    else if (is_beyond_any_batch(c, operation))
        outcome_fail(o, VSTAMP_E_TOO_LARGE, false,
                     "refused: larger than the group allows, %" PRIu64
                     " bytes a value: nothing was sent",
                     c->bytes_max.value);
    else
        run(c, operation, o);
}

void request_await(struct client *c, struct operation operation, uint64_t op, uint32_t wait_ms,
                   struct outcome *o)
{
    uint64_t seen = c->session.identity.seen;
    *o = (struct outcome){0};
    if (op > seen) c->session.identity.seen = op; /* what the read must not be older than */
    conn_hold_signals(c->conn);
    run_read(c, SESSION_READ_CAUSAL, operation, wait_ms, o);
    conn_release_signals(c->conn);
    if (o->err != 0) c->session.identity.seen = seen;
    c->file.identity = c->session.identity;
}

int request_settled(struct client *c, struct operation operation, struct vstamp_diag *diag)
{
    if (is_pending(c, operation)) return session_file_clear(&c->file, "done", diag);
    return session_file_save(&c->file, diag); /* a read: what it has seen */
}

const char *request_unseen(struct client *c, struct operation operation)
{
    struct vstamp_diag ignored = {0};
    if (!is_pending(c, operation)) return NULL;
    if (c->file.path != NULL) return c->file.path; /* it was noted before it was sent */
    if (c->file.replicas == NULL) note_members(c);
    c->file.identity.number = c->file.pending.number - 1; /* as before it was sent */
    return session_file_keep(&c->file, &ignored) == 0 ? c->file.path : NULL;
}

bool request_abandon(struct client *c, struct outcome *o)
{
    *o = (struct outcome){0};
    struct vstamp_diag diag = {0};
    session_renew(&c->session);
    c->file.identity = c->session.identity;
    if (session_file_save(&c->file, &diag) != 0) {
        outcome_fail(o, VSTAMP_E_IO, true, "%s: nothing was sent", diag.text);
        return false;
    }
    conn_hold_signals(c->conn);
    bool ran = register_session(c, c->file.pending.operation, "abandon",
                                conn_now_ms() + c->options.timeout_ms, o) == SESSION_RAN;
    conn_release_signals(c->conn);
    return ran;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* vstamp watch KEY: each change as a line, as it happens, from now on or from an op-number on.
 *
 * An answer says where in the row of changes it ends, and at which op-number it holds.  The next
 * question goes on from there, to any replica, as a causal read of the op-number after that one: it
 * is answered when there is something new.  Since the row is part of the replicated state, no
 * change is missed or comes twice, whoever answers.  When nothing comes for a while the primary is
 * asked: the replica that was may be cut off from the others. */
#include <config.h>

#include <inttypes.h>
#include <stdlib.h>

#include "client/answer.h"
#include "client/command.h"
#include "client/json_bytes.h"
#include "client/operation.h"
#include "client/request.h"
#include "program/escape.h"

#define WAIT_MS 2000u

struct watch {
    struct client *c;
    struct kv_op op;
    uint32_t limit;  /* 0: none */
    uint64_t n;      /* changes printed */
    uint64_t seen;   /* op-number that the newest answer holds at */
    bool more;       /* it did not hold all that there is */
    bool complained; /* that nobody answers, since somebody did */
};

static void print_change(const struct watch *w, const struct kv_change *change)
{
    bool has_value = change->what == KV_WHAT_PUT || change->what == KV_WHAT_APPEND;
    if (w->c->options.json) {
        json_t *object = json_object();
        json_object_set_new(object, "op_number", json_integer((json_int_t)change->op));
        json_object_set_new(object, "change", json_string(kv_what_word(change->what)));
        json_bytes_set(object, "key", change->key);
        if (has_value && !change->omitted) json_bytes_set(object, "value", change->value);
        if (has_value && change->omitted)
            json_object_set_new(object, "value_bytes",
                                json_integer((json_int_t)change->value.size));
        json_dumpf(object, stdout, JSON_COMPACT);
        json_decref(object);
    } else {
        printf("%" PRIu64 "\t%s\t", change->op, kv_what_word(change->what));
        escape_print(stdout, change->key, ESCAPE_LINE);
        if (has_value && !change->omitted) {
            putchar('\t');
            escape_print(stdout, change->value, ESCAPE_LINE);
        }
    }
    putchar('\n');
}

static void print_all(struct watch *w, const struct kv_answer *answer)
{
    struct bytes left = answer->list;
    for (uint32_t i = 0; i < answer->n_list && (w->limit == 0 || w->n < w->limit); i++) {
        struct kv_change change;
        kv_change_next(&left, &change);
        print_change(w, &change);
        w->n++;
    }
    fflush(stdout);
}

/* Was it ever told a place to go on from? */
static bool has_begun(const struct watch *w)
{
    return (w->op.flags & KV_CHANGES_PLACE) != 0;
}

/* Does --from name an op-number that is yet to come?  This group can have told nobody of it: it is
 * mistyped, another group's, or from before an old backup was restored.  To wait for it would be to
 * pass over all that happens until then. */
static bool begins_ahead(const struct watch *w, uint64_t newest)
{
    return (w->op.flags & KV_CHANGES_NOW) == 0 && !has_begun(w) &&
           (uint64_t)w->op.number > newest + 1;
}

/* Why watching cannot begin or go on, if it cannot: *refusal, to be released. */
static void judge(const struct watch *w, const struct outcome *o, struct outcome *refusal)
{
    const struct kv_answer *answer = &o->answer;
    *refusal = (struct outcome){0};
    if (answer->status == KV_ANSWER_GONE)
        outcome_fail(refusal, VSTAMP_E_INVALID, false,
                     "changes before op-number %" PRId64 " are not kept any more: read what there "
                     "is, or watch --from %" PRId64, answer->number, answer->number);
    else if (answer->status != KV_ANSWER_DONE)
        outcome_fail(refusal, VSTAMP_E_INVALID, false, "the group cannot be watched: %s",
                     kv_answer_text(answer->status));
    else if (begins_ahead(w, o->op))
        outcome_fail(refusal, VSTAMP_E_INVALID, false,
                     "op-number %" PRId64 " is yet to come, the newest is %" PRIu64
                     ": is it of another group? Leave out --from to watch from now on",
                     w->op.number, o->op);
}

/* The exit status. */
static int complain(const struct watch *w, const struct outcome *o)
{
    return answer_error(w->c, answer_named_key("watch", w->op.key), o);
}

/* The exit status; -1: go on. */
static int take(struct watch *w, const struct outcome *o)
{
    const struct kv_answer *answer = &o->answer;
    struct outcome refusal;
    judge(w, o, &refusal);
    int status = refusal.err != 0 ? complain(w, &refusal) : CLI_OK;
    outcome_release(&refusal);
    if (status != CLI_OK) return status;
    print_all(w, answer);
    if (ferror(stdout)) return CLI_USAGE; /* see cli_end */
    w->seen = o->op;
    w->more = answer->more;
    w->complained = false;
    w->op.number = answer->number;
    w->op.flags = (w->op.flags & KV_CHANGES_KEY) | KV_CHANGES_PLACE;
    return w->limit != 0 && w->n >= w->limit ? CLI_OK : -1;
}

/* The primary, at first and when nothing was new for a while; else anybody who has more. */
static int ask(struct watch *w, bool waits)
{
    struct operation operation = operation_encode(&w->op);
    struct outcome o;
    int status = -1;
    if (waits) request_await(w->c, operation, w->seen + 1, WAIT_MS, &o);
    else request_run(w->c, operation, &o);
    if (o.err == 0) {
        status = take(w, &o);
    } else if (w->c->signal != 0) {
        status = CLI_NOT_RUN; /* main dies by it */
    } else if (o.err != VSTAMP_E_NOT_RUN || !has_begun(w)) {
        status = complain(w, &o);
    } else if (!waits && !w->complained) {
        char *silence = request_silence(w->c);
        cli_complain(w->c->cli, "%s: still watching", silence);
        free(silence);
        w->complained = true;
    }
    bool nothing_new = waits && o.err == VSTAMP_E_NOT_RUN && status == -1;
    outcome_release(&o);
    operation_release(&operation);
    return nothing_new ? ask(w, false) : status;
}

static bool parse_from(const char *text, int64_t *op)
{
    if (!operation_number(bytes_of(text), op) || *op < 0) return false;
    if (*op == 0) *op = 1; /* the first */
    return true;
}

int cmd_watch(struct cli *cli, int argc, char **argv)
{
    struct client *c = cli->context;
    struct watch w = {.c = c};
    bool prefix = false;
    const char *operand[1], *from = NULL;
    const struct cli_option options[] = {
        CLI_FLAG('p', "prefix", &prefix, "of all keys that begin with KEY, which may be empty"),
        CLI_TEXT('f', "from", &from, "OP", "begin with the changes of op-number OP"),
        CLI_U32('n', "limit", &w.limit, 1, UINT32_MAX, "N", "end after N changes"),
        CLI_END,
    };
    int rv = cli_parse(cli, options, argc, argv, operand, 1, NULL);
    if (rv != 0) return rv;
    w.op = (struct kv_op){.verb = KV_CHANGES,
                          .key = client_word(c, operand[0]),
                          .flags = prefix ? 0 : KV_CHANGES_KEY};
    if (from == NULL) w.op.flags |= KV_CHANGES_NOW;
    else if (!parse_from(from, &w.op.number))
        return cli_usage(cli, "watch: --from: expected an op-number, found '%.60s'", from);
    struct vstamp_diag diag = {0};
    rv = client_begin(c, NULL, &diag);
    if (rv != 0) return answer_refuse(c, answer_named_key("watch", w.op.key), rv, &diag);
    conn_need_reader(c->conn); /* so that it ends as soon as 'head -n 1' does */
    int status = ask(&w, false);
    while (status == -1) status = ask(&w, !w.more);
    return status;
}

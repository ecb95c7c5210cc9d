/* SPDX-License-Identifier: BSD-2-Clause */
/* vstamp list [PREFIX]: keys and values, in byte order.
 *
 * An answer holds what fits into one frame, so a long list is asked for page by page, each after
 * the last key of the one before.  Each page is read at one viewstamp of its own: what is written
 * meanwhile may be in the later pages. */
#include <config.h>

#include <inttypes.h>
#include <stdlib.h>

#include "client/client.h"
#include "client/escape.h"
#include "client/memory.h"
#include "client/operation.h"

struct list {
    struct client *c;
    struct bytes prefix;
    bool keys_only;
    uint32_t limit; /* 0: none */
    uint64_t count;
    json_t *items;     /* with --json */
    struct bytes last; /* newest key taken, in memory of its own */
};

static void take_pair(struct list *l, struct bytes key, struct bytes value)
{
    l->count++;
    if (l->items != NULL) {
        json_t *item = json_object();
        answer_set_bytes(item, "key", key);
        if (!l->keys_only) answer_set_bytes(item, "value", value);
        json_array_append_new(l->items, item);
        return;
    }
    escape_print(stdout, key, ESCAPE_LINE);
    if (!l->keys_only) {
        putchar('\t');
        escape_print(stdout, value, ESCAPE_LINE);
    }
    putchar('\n');
}

static void take_page(struct list *l, const struct kv_answer *answer)
{
    struct bytes left = answer->list, key = {0}, value;
    for (uint32_t i = 0; i < answer->n_list; i++) {
        kv_list_next(&left, &key, &value);
        take_pair(l, key, value);
    }
    if (answer->n_list == 0) return;
    free((void *)l->last.data);
    l->last = (struct bytes){memory_copy(key.data, key.size), key.size};
}

static json_t *named(const struct list *l)
{
    json_t *object = answer_named("list");
    answer_set_bytes(object, "prefix", l->prefix);
    return object;
}

static void print_end(struct list *l, const struct outcome *o)
{
    if (l->items != NULL) {
        json_t *object = named(l);
        json_object_set_new(object, "ok", json_true());
        json_object_set_new(object, "count", json_integer((json_int_t)l->count));
        json_object_set(object, "items", l->items);
        answer_print_json(l->c, object, o);
    } else {
        if (l->c->in_shell) printf("(%" PRIu64 " keys)\n", l->count);
        answer_print_viewstamp(l->c, o);
    }
}

/* The exit status. */
static int run(struct list *l)
{
    struct client *c = l->c;
    struct vstamp_diag diag = {0};
    int rv = client_begin(c, NULL, &diag);
    if (rv != 0) return answer_refuse(c, "list", rv, &diag);
    for (;;) {
        struct kv_op op = {.verb = KV_LIST,
                           .key = l->prefix,
                           .expected = l->last,
                           .number = l->limit == 0 ? 0 : (int64_t)(l->limit - l->count),
                           .flags = l->keys_only ? KV_LIST_KEYS_ONLY : 0};
        struct bytes operation = operation_encode(&op);
        struct outcome o;
        request_run(c, operation, &o);
        bool failed = o.err != 0 || o.answer.status != KV_ANSWER_DONE;
        bool more = !failed && o.answer.more && o.answer.n_list > 0;
        int status = CLI_OK;
        if (failed)
            status = answer_show(c, operation, &o, false);
        else
            take_page(l, &o.answer);
        if (l->limit != 0 && l->count >= l->limit) more = false;
        if (!failed && !more) {
            print_end(l, &o);
            rv = request_settled(c, operation, &diag);
            if (rv != 0) status = cli_fail(c->cli, rv, &diag);
        }
        outcome_release(&o);
        free((void *)operation.data);
        if (!more || ferror(stdout)) return status;
    }
}

int cmd_list(struct cli *cli, int argc, char **argv)
{
    struct client *c = cli->context;
    struct list l = {.c = c};
    const struct cli_option options[] = {
        CLI_FLAG('k', "keys-only", &l.keys_only, "leave the values out"),
        CLI_U32('n', "limit", &l.limit, 1, UINT32_MAX, "N", "print the first N keys"),
        CLI_END,
    };
    const char *operand[1];
    size_t n;
    int rv = cli_parse(cli, options, argc, argv, operand, 1, &n);
    if (rv != 0) return rv;
    if (n == 1) l.prefix = client_word(c, operand[0]);
    if (c->options.json) l.items = json_array();
    int status = run(&l);
    json_decref(l.items);
    free((void *)l.last.data);
    return status;
}

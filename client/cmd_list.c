/* SPDX-License-Identifier: BSD-2-Clause */
/* vstamp list [PREFIX]: keys and values, in byte order (listing.h). */
#include <config.h>

#include <inttypes.h>

#include "client/answer.h"
#include "client/command.h"
#include "client/json_bytes.h"
#include "client/listing.h"
#include "client/request.h"
#include "program/escape.h"

struct list {
    struct listing listing;
    json_t *items; /* with --json */
};

static void take(void *context, const struct pair *pair)
{
    struct list *l = context;
    if (l->items != NULL) {
        json_t *item = json_object();
        json_bytes_set(item, "key", pair->key);
        if (!l->listing.keys_only) json_bytes_set(item, "value", pair->value);
        json_array_append_new(l->items, item);
    } else if (l->listing.keys_only) {
        escape_print(stdout, pair->key, ESCAPE_LINE);
        putchar('\n');
    } else {
        pair_print(stdout, pair, false);
    }
}

static json_t *question(const struct list *l)
{
    json_t *object = answer_named("list");
    json_bytes_set(object, "prefix", l->listing.prefix);
    return object;
}

static void print_end(struct list *l)
{
    struct client *c = l->listing.c;
    if (l->items != NULL) {
        json_t *object = question(l);
        json_object_set_new(object, "ok", json_true());
        json_object_set_new(object, "count", json_integer((json_int_t)l->listing.count));
        json_object_set(object, "items", l->items);
        answer_print_json(c, object, &l->listing.outcome);
    } else {
        if (c->in_shell) printf("(%" PRIu64 " keys)\n", l->listing.count);
        answer_print_viewstamp(c, &l->listing.outcome);
    }
}

/* The exit status. */
static int run(struct list *l)
{
    struct client *c = l->listing.c;
    struct vstamp_diag diag = {0};
    int rv = client_begin(c, NULL, &diag);
    if (rv != 0) return answer_refuse(c, question(l), rv, &diag);
    if (!listing_walk(&l->listing, stdout))
        return answer_show(c, l->listing.operation, &l->listing.outcome, false);
    print_end(l);
    rv = request_settled(c, l->listing.operation, &diag);
    return rv == 0 ? CLI_OK : cli_fail(c->cli, rv, &diag);
}

int cmd_list(struct cli *cli, int argc, char **argv)
{
    struct client *c = cli->context;
    struct list l = {.listing = {.c = c, .take = take, .context = &l}};
    const struct cli_option options[] = {
        CLI_FLAG('k', "keys-only", &l.listing.keys_only, "leave the values out"),
        CLI_U32('n', "limit", &l.listing.limit, 1, UINT32_MAX, "N", "print the first N keys"),
        CLI_END,
    };
    const char *operand[1];
    size_t n;
    int rv = cli_parse(cli, options, argc, argv, operand, 1, &n);
    if (rv != 0) return rv;
    if (n == 1) l.listing.prefix = client_word(c, operand[0]);
    if (c->options.json) l.items = json_array();
    int status = run(&l);
    json_decref(l.items);
    listing_release(&l.listing);
    return status;
}

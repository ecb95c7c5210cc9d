/* SPDX-License-Identifier: BSD-2-Clause */
#include <config.h>

#include "client/listing.h"

#include <stdlib.h>

#include "client/memory.h"
#include "client/operation.h"
#include "client/request.h"

static void take_page(struct listing *l, const struct kv_answer *answer)
{
    struct bytes left = answer->list;
    struct pair pair = {0};
    for (uint32_t i = 0; i < answer->n_list; i++) {
        kv_list_next(&left, &pair.key, &pair.value);
        if (answer->expiries) pair.expires_us = kv_list_next_expiry(&left);
        l->count++;
        l->take(l->context, &pair);
    }
    if (answer->n_list == 0) return;
    free((void *)l->last.data);
    l->last = (struct bytes){memory_copy(pair.key.data, pair.key.size), pair.key.size};
}

static void ask(struct listing *l)
{
    struct kv_op op = {.verb = KV_LIST,
                       .key = l->prefix,
                       .expected = l->last,
                       .number = l->limit == 0 ? 0 : (int64_t)(l->limit - l->count),
                       .flags = (l->keys_only ? KV_LIST_KEYS_ONLY : 0) |
                                (l->expiries ? KV_LIST_EXPIRIES : 0)};
    outcome_release(&l->outcome);
    operation_release(&l->operation);
    l->operation = operation_encode(&op);
    request_run(l->c, l->operation, &l->outcome);
}

bool listing_walk(struct listing *l, FILE *into)
{
    const struct kv_answer *answer = &l->outcome.answer;
    do {
        ask(l);
        if (l->outcome.err != 0 || answer->status != KV_ANSWER_DONE) return false;
        if (l->first_op == 0) l->first_op = l->outcome.op;
        l->last_op = l->outcome.op;
        take_page(l, answer);
    } while (answer->more && answer->n_list > 0 && (l->limit == 0 || l->count < l->limit) &&
             !ferror(into));
    return true;
}

void listing_release(struct listing *l)
{
    outcome_release(&l->outcome);
    operation_release(&l->operation);
    free((void *)l->last.data);
}

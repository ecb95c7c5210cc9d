/* SPDX-License-Identifier: BSD-2-Clause */
/* The answer of a transaction: which list ran, and what each of its operations answered.  For
 * people a line each, behind the word of the list; the shell has that word at the end, as it has
 * the count of a listing, so that a program at the other end knows where it is. */
#include <config.h>

#include "client/client.h"

static const char *const branch_words[KV_BRANCHES] = {[KV_THEN] = "then", [KV_ELSE] = "else"};

const char *answer_branch_word(enum kv_branch branch)
{
    return branch_words[branch];
}

/* The next operation of the list that ran, and its answer. */
static void next_step(struct bytes *steps, struct bytes *answers, struct kv_op *step,
                      struct kv_answer *answer)
{
    kv_step_next(steps, step);
    if (!kv_step_answer_next(answers, step->verb, answer)) answer->status = KV_ANSWER_INVALID;
}

void answer_set_txn(json_t *object, const struct kv_op *op, const struct kv_answer *a)
{
    struct bytes steps = op->txn.steps_encoded[a->branch], answers = a->steps;
    json_t *list = json_array();
    for (uint32_t i = 0; i < op->txn.n_steps[a->branch]; i++) {
        struct kv_op step;
        struct kv_answer answer;
        next_step(&steps, &answers, &step, &answer);
        json_array_append_new(list, answer_object(&step, &answer));
    }
    json_object_set_new(object, "succeeded", json_boolean(a->branch == KV_THEN));
    json_object_set_new(object, "answers", list);
}

void answer_print_txn(const struct client *c, const struct kv_op *op, const struct kv_answer *a)
{
    struct bytes steps = op->txn.steps_encoded[a->branch], answers = a->steps;
    if (!c->in_shell) puts(branch_words[a->branch]);
    for (uint32_t i = 0; i < op->txn.n_steps[a->branch]; i++) {
        struct kv_op step;
        struct kv_answer answer;
        next_step(&steps, &answers, &step, &answer);
        answer_print_step(c, &step, &answer);
    }
    if (c->in_shell) printf("(%s)\n", branch_words[a->branch]);
}

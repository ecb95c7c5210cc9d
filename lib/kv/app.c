/* SPDX-License-Identifier: BSD-2-Clause */
/* The key-value store as an application.
 *
 * apply and query decode again what check has accepted: a log or a checkpoint may come from another
 * replica, and an operation that does not decode is answered INVALID, alike at all of them. */
#include "base/limits.h"
#include "kv/execute.h"
#include "kv/index.h"
#include "kv/store.h"

size_t kv_value_max(const struct vstamp_limits *limits)
{
    size_t room = limits->read_capacity;
    room = room > READ_OVERHEAD ? room - READ_OVERHEAD : 0;
    return room < KV_VALUE_MAX ? room : KV_VALUE_MAX;
}

/* That an operation would store, as far as it alone tells. */
static size_t largest_value(const struct kv_op *op)
{
    size_t largest = op->value.size;
    for (int branch = 0; branch < KV_BRANCHES; branch++) {
        struct bytes steps = op->txn.steps_encoded[branch];
        for (uint32_t i = 0; i < op->txn.n_steps[branch]; i++) {
            struct kv_op step;
            kv_step_next(&steps, &step);
            if (step.value.size > largest) largest = step.value.size;
        }
    }
    return largest;
}

static int check(const struct vstamp_limits *limits, const uint8_t *operation, size_t size,
                 struct vstamp_diag *why)
{
    struct kv_op op;
    const char *wrong = kv_decode_op((struct bytes){operation, size}, &op);
    if (wrong == NULL && !kv_is_write(op.verb)) wrong = "a read does not go through the log";
    if (wrong != NULL) {
        vstamp_diag_printf(why, "%s", wrong);
        return VSTAMP_E_INVALID;
    }
    if (largest_value(&op) > kv_value_max(limits)) {
        vstamp_diag_printf(why, "the value is larger than the group allows, %zu bytes",
                           kv_value_max(limits));
        return VSTAMP_E_TOO_LARGE;
    }
    return 0;
}

#define CELLS_AT_ONCE 16384u /* 1 MiB; scattered ones take a millisecond */

static enum vstamp_audit audit(const struct vstamp_pages *pages, uint32_t n_used, void *memory)
{
    return kv_store_audit(pages, n_used, memory, CELLS_AT_ONCE);
}

static void foresee(const struct vstamp_pages *pages, const struct vstamp_operation *operations,
                    size_t n)
{
    struct bytes keys[KV_FORESEEN_MAX];
    size_t n_keys = 0;
    for (size_t i = 0; i < n && n_keys < KV_FORESEEN_MAX; i++) {
        struct bytes key = kv_first_key((struct bytes){operations[i].data, operations[i].size});
        if (key.size > 0) keys[n_keys++] = key;
    }
    kv_store_foresee(pages, keys, n_keys);
}

static int resume(const struct vstamp_pages *pages, struct vstamp_diag *why)
{
    (void)why;
    kv_index_forget_all(pages);
    return 0;
}

static const struct vstamp_app app = {
    .abi = VSTAMP_APP_ABI,
    .name = KV_APPLICATION,
    .check = check,
    .apply = kv_apply,
    .query = kv_query,
    .audit = audit,
    .foresee = foresee,
    .due = kv_store_first_expiry,
    .tick = kv_tick,
    .resume = resume,
};

const struct vstamp_app *kv_app(void)
{
    return &app;
}

/* SPDX-License-Identifier: BSD-2-Clause */
#include "sim/model.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/checksum.h"

static const struct model_version absent;

static struct model_key *key_find(const struct model *m, struct bytes name)
{
    for (size_t i = 0; i < m->n_keys; i++)
        if (bytes_equal(bytes_of(m->keys[i].name), name)) return &m->keys[i];
    return NULL;
}

static struct model_key *key_of(struct model *m, struct bytes name)
{
    struct model_key *key = key_find(m, name);
    if (key != NULL) return key;
    if (m->n_keys == m->capacity) {
        m->capacity = m->capacity == 0 ? 64 : m->capacity * 2;
        m->keys = realloc(m->keys, m->capacity * sizeof *m->keys);
        assert(m->keys != NULL);
    }
    key = &m->keys[m->n_keys++];
    *key = (struct model_key){0};
    assert(name.size < sizeof key->name);
    memcpy(key->name, name.data, name.size);
    return key;
}

static const struct model_version *newest(const struct model_key *key)
{
    return key == NULL || key->n == 0 ? &absent : &key->versions[key->n - 1];
}

/* As of the entry that is being executed. */
static void set(struct model *m, struct model_key *key, struct bytes value, uint64_t expiry)
{
    if (key->n == key->capacity) {
        key->capacity = key->capacity == 0 ? 8 : key->capacity * 2;
        key->versions = realloc(key->versions, key->capacity * sizeof *key->versions);
        assert(key->versions != NULL);
    }
    uint8_t *copy = malloc(value.size + 1);
    assert(copy != NULL);
    if (value.size > 0) memcpy(copy, value.data, value.size);
    key->versions[key->n++] =
        (struct model_version){m->place.op, true, expiry, value.size, copy};
}

static void remove_key(struct model *m, struct model_key *key)
{
    set(m, key, (struct bytes){0}, 0);
    key->versions[key->n - 1].present = false;
}

static void note_change(struct model *m, enum kv_what what, const struct model_key *key,
                        struct bytes value)
{
    if (m->n_changes == m->changes_capacity) {
        m->changes_capacity = m->changes_capacity == 0 ? 1024 : m->changes_capacity * 2;
        m->changes = realloc(m->changes, m->changes_capacity * sizeof *m->changes);
        assert(m->changes != NULL);
    }
    struct model_change *change = &m->changes[m->n_changes++];
    *change = (struct model_change){.op = m->place.op, .what = what, .size = value.size,
                                    .checksum = checksum64(value.data, value.size)};
    memcpy(change->name, key->name, sizeof change->name);
    change->expiry = what == KV_WHAT_EXPIRE ? newest(key)->expiry : 0;
}

static bool is_over(const struct model *m, const struct model_key *key)
{
    const struct model_version *v = newest(key);
    return v->present && v->expiry != 0 && v->expiry <= m->timestamp;
}

static void expire(struct model *m, struct model_key *key)
{
    if (!is_over(m, key)) return;
    m->n_expired++;
    note_change(m, KV_WHAT_EXPIRE, key, (struct bytes){0});
    remove_key(m, key);
}

static struct bytes value_of(const struct model_version *v)
{
    return (struct bytes){v->value, v->size};
}

/* --- operations ------------------------------------------------------------------------------- */

struct expected {
    enum kv_answer_status status;
    int64_t number;
};

static struct expected del(struct model *m, const struct kv_op *op)
{
    struct expected e = {0};
    struct bytes keys = op->keys_encoded, name;
    for (uint32_t i = 0; i < op->n_keys; i++) {
        kv_keys_next(&keys, &name);
        struct model_key *key = key_of(m, name);
        expire(m, key);
        if (!newest(key)->present) continue;
        note_change(m, KV_WHAT_DEL, key, (struct bytes){0});
        remove_key(m, key);
        e.number++;
    }
    return e;
}

static struct expected incr(struct model *m, struct model_key *key, int64_t by)
{
    const struct model_version *v = newest(key);
    char text[24] = "0", *end = text;
    if (v->present && v->size < sizeof text) {
        memcpy(text, v->value, v->size);
        text[v->size] = '\0';
    }
    int64_t sum = strtoll(text, &end, 10);
    if (v->present && (v->size == 0 || v->size >= sizeof text || *end != '\0'))
        return (struct expected){KV_ANSWER_NOT_A_NUMBER, 0};
    sum += by; /* far from overflow: the numbers are small */
    snprintf(text, sizeof text, "%" PRId64, sum);
    note_change(m, KV_WHAT_PUT, key, bytes_of(text));
    set(m, key, bytes_of(text), v->expiry);
    return (struct expected){KV_ANSWER_DONE, sum};
}

static struct expected append(struct model *m, struct model_key *key, struct bytes value)
{
    const struct model_version *v = newest(key);
    size_t size = v->size + value.size;
    uint8_t *both = malloc(size + 1);
    assert(both != NULL);
    if (v->size > 0) memcpy(both, v->value, v->size);
    if (value.size > 0) memcpy(both + v->size, value.data, value.size);
    note_change(m, v->present ? KV_WHAT_APPEND : KV_WHAT_PUT, key, value);
    set(m, key, (struct bytes){both, size}, v->expiry);
    free(both);
    return (struct expected){KV_ANSWER_DONE, (int64_t)size};
}

static struct expected execute(struct model *m, const struct kv_op *op)
{
    if (op->verb == KV_DEL) return del(m, op);
    struct model_key *key = key_of(m, op->key);
    expire(m, key);
    const struct model_version *v = newest(key);
    uint64_t expiry = op->expiry == 0 ? 0 : m->timestamp + op->expiry;
    if ((op->expiry & KV_EXPIRES_AT) != 0) expiry = op->expiry & ~KV_EXPIRES_AT;
    switch (op->verb) {
    case KV_CAS:
        if (!v->present) return (struct expected){KV_ANSWER_ABSENT, 0};
        if (!bytes_equal(value_of(v), op->expected))
            return (struct expected){KV_ANSWER_MISMATCH, 0};
        break;
    case KV_CAS_ABSENT:
        if (v->present) return (struct expected){KV_ANSWER_MISMATCH, 0};
        break;
    case KV_INCR:
        return incr(m, key, op->number);
    case KV_APPEND:
        return append(m, key, op->value);
    case KV_EXPIRE:
        if (!v->present) return (struct expected){KV_ANSWER_ABSENT, 0};
        set(m, key, value_of(v), expiry);
        return (struct expected){0};
    default:
        break;
    }
    note_change(m, KV_WHAT_PUT, key, op->value);
    set(m, key, op->value, expiry);
    return (struct expected){0};
}

/* --- transactions --- */

static bool holds(const struct model *m, const struct kv_condition *c)
{
    const struct model_version *v = newest(key_find(m, c->key));
    bool is = v->present && bytes_equal(value_of(v), c->value);
    if (c->test == KV_TEST_ABSENT) return !v->present;
    if (c->test == KV_TEST_PRESENT) return v->present;
    return c->test == KV_TEST_IS ? is : v->present && !is;
}

static void expire_named(struct model *m, const struct kv_txn *txn)
{
    struct bytes conditions = txn->conditions_encoded;
    struct kv_condition condition;
    struct kv_op step;
    for (uint32_t i = 0; i < txn->n_conditions; i++) {
        kv_condition_next(&conditions, &condition);
        expire(m, key_of(m, condition.key));
    }
    for (int branch = 0; branch < KV_BRANCHES; branch++) {
        struct bytes steps = txn->steps_encoded[branch];
        for (uint32_t i = 0; i < txn->n_steps[branch]; i++) {
            kv_step_next(&steps, &step);
            expire(m, key_of(m, kv_step_key(&step)));
        }
    }
}

static enum kv_branch choose(const struct model *m, const struct kv_txn *txn)
{
    struct bytes conditions = txn->conditions_encoded;
    for (uint32_t i = 0; i < txn->n_conditions; i++) {
        struct kv_condition condition;
        kv_condition_next(&conditions, &condition);
        if (!holds(m, &condition)) return KV_ELSE;
    }
    return KV_THEN;
}

static bool is_no_number(const struct model *m, const struct kv_op *step)
{
    const struct model_version *v = newest(key_find(m, step->key));
    char text[24] = "x", *end;
    if (step->verb != KV_INCR || !v->present) return false;
    if (v->size > 0 && v->size < sizeof text) memcpy(text, v->value, v->size);
    if (v->size < sizeof text) text[v->size] = '\0';
    strtoll(text, &end, 10);
    return v->size == 0 || *end != '\0';
}

#define TXN_HEAD_BYTES 2u  /* of its answer: status and branch */
#define GET_HEAD_BYTES 5u  /* of a step's: status and size */

/* What the answers of these steps take at least. */
static size_t least_size(struct bytes steps, uint32_t n)
{
    size_t size = 0;
    for (uint32_t i = 0; i < n; i++) {
        struct kv_op step;
        kv_step_next(&steps, &step);
        size += kv_step_answer_size(step.verb);
    }
    return size;
}

/* The steps in turn, each with the answer that it got. */
static const char *run_steps(struct model *m, struct bytes steps, uint32_t n, struct bytes answers)
{
    size_t all = answers.size;
    for (uint32_t i = 0; i < n; i++) {
        size_t taken = TXN_HEAD_BYTES + all - answers.size;
        struct kv_op step;
        struct kv_answer is;
        kv_step_next(&steps, &step);
        if (!kv_step_answer_next(&answers, step.verb, &is)) return "an answer in a txn is missing";
        if (step.verb == KV_GET && is.status == KV_ANSWER_TOO_LARGE) {
            size_t size = GET_HEAD_BYTES + newest(key_find(m, step.key))->size;
            if (taken + size + least_size(steps, n - i - 1) <= m->answer_capacity)
                return "a txn leaves a value out";
        } else if (step.verb == KV_GET) {
            const char *wrong = model_read(m, m->place.op, false, &step, &is);
            if (wrong != NULL) return wrong;
        } else {
            struct expected e = execute(m, &step);
            if (is.status != e.status || is.number != e.number)
                return "an answer in a txn is wrong";
        }
    }
    return answers.size == 0 ? NULL : "a txn has an answer too many";
}

static const char *txn_applied(struct model *m, const struct kv_txn *txn,
                               const struct kv_answer *is)
{
    expire_named(m, txn);
    enum kv_branch branch = choose(m, txn);
    struct bytes steps = txn->steps_encoded[branch];
    if (is->branch != branch) return "a txn takes the wrong branch";
    if (is->status == KV_ANSWER_FULL || is->status == KV_ANSWER_TOO_LARGE) return NULL;
    for (uint32_t i = 0; i < txn->n_steps[branch]; i++) {
        struct kv_op step;
        kv_step_next(&steps, &step);
        if (!is_no_number(m, &step)) continue;
        bool told = is->status == KV_ANSWER_NOT_A_NUMBER && is->number == (int64_t)i + 1;
        return told ? NULL : "a txn does what cannot be done";
    }
    if (is->status != KV_ANSWER_DONE) return "a txn is answered as it should not be";
    return run_steps(m, txn->steps_encoded[branch], txn->n_steps[branch], is->steps);
}

/* Is this call the next one of all?  It is counted for the replica, and for the model if so. */
static bool is_news(struct model *m, struct model_place *place,
                    const struct vstamp_context *context)
{
    if (place->op != context->op_number) *place = (struct model_place){context->op_number, 0};
    place->calls++;
    bool news = place->op > m->place.op ||
                (place->op == m->place.op && place->calls > m->place.calls);
    if (!news) return false;
    m->place = *place;
    m->timestamp = context->timestamp_us;
    return true;
}

const char *model_applied(struct model *m, struct model_place *place,
                          const struct vstamp_context *context, struct bytes operation,
                          struct bytes answer)
{
    struct kv_op op;
    struct kv_answer is;
    if (!is_news(m, place, context)) return NULL;
    if (kv_decode_op(operation, &op) != NULL) return "an operation in the log makes no sense";
    if (kv_decode_answer(op.verb, answer, &is) != 0) return "an answer makes no sense";
    if (op.verb == KV_TXN) return txn_applied(m, &op.txn, &is);
    if (is.status == KV_ANSWER_FULL || is.status == KV_ANSWER_TOO_LARGE) {
        expire(m, key_of(m, op.key));
        return NULL; /* it changes nothing, and how much there is room for is not known here */
    }
    struct expected e = execute(m, &op);
    if (is.status != e.status) return "an operation is answered as it should not be";
    if (is.status == KV_ANSWER_DONE && is.number != e.number) return "an answer has a wrong number";
    return NULL;
}

/* What expires first goes first. */
static struct model_key *first_over(const struct model *m)
{
    struct model_key *first = NULL;
    for (size_t i = 0; i < m->n_keys; i++)
        if (is_over(m, &m->keys[i]) &&
            (first == NULL || newest(&m->keys[i])->expiry < newest(first)->expiry))
            first = &m->keys[i];
    return first;
}

void model_ticked(struct model *m, struct model_place *place,
                  const struct vstamp_context *context)
{
    if (!is_news(m, place, context)) return;
    for (struct model_key *key; (key = first_over(m)) != NULL;) expire(m, key);
}

/* Why this answer does not fit that version; NULL: it does. */
static const char *read_differs(const struct model_version *v, const struct kv_op *read,
                                const struct kv_answer *answer)
{
    if ((answer->status == KV_ANSWER_DONE) != v->present)
        return v->present ? "a read does not see a key that is there"
                          : "a read sees a key that is not there";
    if (!v->present) return NULL;
    if (read->verb == KV_GET && !bytes_equal(answer->value, value_of(v)))
        return "a read sees a value that is another one";
    if (read->verb == KV_TTL && (uint64_t)answer->number != v->expiry)
        return "a key is said to expire at another time";
    return NULL;
}

/* A replica that is stuck in the midst of an entry has done some of its operations, and says the
 * op-number of all (vr_state_op): it may see what any of them left behind, or the entry before. */
const char *model_read(const struct model *m, uint64_t op, bool may_be_stuck,
                       const struct kv_op *read, const struct kv_answer *answer)
{
    const struct model_key *key = key_find(m, read->key);
    size_t n = 0;
    while (key != NULL && n < key->n && key->versions[n].op <= op) n++;
    const char *why = read_differs(n > 0 ? &key->versions[n - 1] : &absent, read, answer);
    while (may_be_stuck && why != NULL && n > 0 && key->versions[n - 1].op == op) {
        n--;
        why = read_differs(n > 0 ? &key->versions[n - 1] : &absent, read, answer);
    }
    return why;
}

size_t model_changes_from(const struct model *m, uint64_t op)
{
    size_t i = m->n_changes;
    while (i > 0 && m->changes[i - 1].op >= op) i--;
    return i;
}

/* What expires at one time does so in the order that the store gives it, which is the same for all
 * who watch: the first of them to see it tells the model. */
static void take_order(struct model *m, size_t at, size_t end, const struct kv_change *is)
{
    const struct model_change first = m->changes[at];
    for (size_t i = at; i < end && is->what == KV_WHAT_EXPIRE; i++) {
        const struct model_change other = m->changes[i];
        if (other.op != first.op || other.what != first.what) return;
        if (other.expiry != first.expiry) return;
        if (!bytes_equal(is->key, bytes_of(other.name))) continue;
        m->changes[at] = other;
        m->changes[i] = first;
        return;
    }
}

const char *model_changes(struct model *m, uint64_t op, bool may_be_stuck,
                          const struct kv_answer *answer, size_t *seen)
{
    size_t end = model_changes_from(m, op + 1);
    size_t least = may_be_stuck ? model_changes_from(m, op) : end; /* as model_read */
    struct bytes left = answer->list;
    for (uint32_t i = 0; i < answer->n_list; i++, ++*seen) {
        struct kv_change is;
        kv_change_next(&left, &is);
        if (*seen >= end) return "somebody who watches sees a change that is yet to come";
        take_order(m, *seen, end, &is);
        const struct model_change *c = &m->changes[*seen];
        if (is.op != c->op || is.what != c->what || !bytes_equal(is.key, bytes_of(c->name)) ||
            is.value.size != c->size ||
            (!is.omitted && checksum64(is.value.data, is.value.size) != c->checksum))
            return "somebody who watches sees another change";
    }
    if (answer->more && answer->n_list == 0) return "there are more changes, and none comes";
    return answer->more || *seen >= least ? NULL : "somebody who watches misses a change";
}

void model_close(struct model *m)
{
    for (size_t i = 0; i < m->n_keys; i++) {
        for (size_t j = 0; j < m->keys[i].n; j++) free(m->keys[i].versions[j].value);
        free(m->keys[i].versions);
    }
    free(m->keys);
    free(m->changes);
    *m = (struct model){0};
}

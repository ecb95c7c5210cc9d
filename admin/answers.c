/* SPDX-License-Identifier: BSD-2-Clause */
#include "admin/answers.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "program/id.h"

/* null is "none" or "never", by the type of the field. */
static bool read_field(const struct node_field *field, const json_t *value, void *into)
{
    switch (field->type) {
    case NODE_FIELD_U64:
        if (json_is_null(value)) {
            *(uint64_t *)into = UINT64_MAX;
            return true;
        }
        if (!json_is_integer(value) || json_integer_value(value) < 0) return false;
        *(uint64_t *)into = (uint64_t)json_integer_value(value);
        return true;
    case NODE_FIELD_BOOL:
        *(uint64_t *)into = json_is_true(value);
        return json_is_boolean(value);
    case NODE_FIELD_PEER:
        *(int64_t *)into = json_is_null(value) ? -1 : (int64_t)json_integer_value(value);
        return json_is_null(value) || json_is_integer(value);
    case NODE_FIELD_TEXT:
        *(const char **)into = json_string_value(value);
        return json_is_string(value);
    case NODE_FIELD_ID:
        return json_is_string(value) && id_parse(json_string_value(value), into);
    }
    return false;
}

/* The name of the first field that is not as status.def says, or NULL. */
static const char *read_fields(const struct node_field *fields, size_t n, const json_t *object,
                               void *into)
{
    for (size_t i = 0; i < n; i++) {
        void *place = (char *)into + fields[i].offset;
        const json_t *value = json_object_get(object, fields[i].name);
        if (fields[i].type == NODE_FIELD_TEXT) *(const char **)place = "";
        if (fields[i].type == NODE_FIELD_PEER) *(int64_t *)place = -1;
        if (value != NULL && !read_field(&fields[i], value, place)) return fields[i].name;
    }
    return NULL;
}

static const char *read_status(struct node_status *status, const json_t *json)
{
    const json_t *peers = json_object_get(json, "peers");
    const char *odd = read_fields(node_status_fields, node_n_status_fields, json, status);
    if (odd != NULL) return odd;
    if (status->status[0] == '\0') return "status";
    if (peers == NULL) return NULL;
    if (!json_is_array(peers) || json_array_size(peers) > REPLICAS_MAX - 1) return "peers";
    for (size_t i = 0; i < json_array_size(peers); i++) {
        const json_t *peer = json_array_get(peers, i);
        struct node_peer_status *into = &status->peers[i];
        if (!json_is_object(peer)) return "peers";
        into->connected = true;
        odd = read_fields(node_peer_status_fields, node_n_peer_status_fields, peer, into);
        if (odd != NULL) return odd;
        status->n_peers = i + 1;
    }
    return NULL;
}

static bool is_from(const struct node_status *status, const struct address *address, size_t index)
{
    if (status->address[0] == '\0') return status->replica == (int64_t)index;
    return strcmp(status->address, address->text) == 0;
}

static void say_who_answers(struct answer *answer)
{
    const struct node_status *other = &answer->other;
    if (other->address[0] != '\0')
        snprintf(answer->error, sizeof answer->error, "the replica at %s answers there",
                 other->address);
    else
        snprintf(answer->error, sizeof answer->error, "replica %" PRId64 " answers there",
                 other->replica);
}

void answer_read(struct answer *answer, size_t index, const char *body, size_t size)
{
    json_error_t error;
    struct node_status status = {0};
    answer->status = answer->other = status;
    answer->json = json_loadb(body, size, JSON_REJECT_DUPLICATES, &error);
    bool is_object = json_is_object(answer->json);
    const char *odd = is_object ? read_status(&status, answer->json) : NULL;
    answer->reachable = is_object && odd == NULL && is_from(&status, answer->address, index);
    if (answer->reachable) {
        answer->status = status;
        answer->error[0] = '\0';
    } else if (is_object && odd == NULL) {
        answer->other = status;
        say_who_answers(answer);
    } else {
        if (is_object)
            snprintf(answer->error, sizeof answer->error, "its answer has no proper '%s'", odd);
        else
            snprintf(answer->error, sizeof answer->error, "its answer is not a status");
        json_decref(answer->json);
        answer->json = NULL;
    }
}

static void add(struct answers *answers, struct fetch *fetches, const struct address *address,
                const struct address *status_address)
{
    size_t place = answers->n + answers->n_others;
    answers->at[place].address = address;
    fetches[place] = (struct fetch){.address = status_address, .path = "/status"};
}

/* Unless it is among who is asked already. */
static void add_other(struct answers *answers, struct fetch *fetches,
                      const struct address *address, const struct address *status_address)
{
    if (answers_find(answers, address) != NULL) return;
    add(answers, fetches, address, status_address);
    answers->n_others++;
}

static void ask(struct answers *answers, const struct config *config,
                const struct members *const *also, size_t n_also, uint32_t timeout_ms)
{
    struct fetch fetches[ANSWERS_MAX];
    const struct members *m = &answers->members;
    assert(n_also <= ANSWERS_ALSO);
    memset(answers->at, 0, sizeof answers->at);
    answers->n = answers->n_others = 0;
    for (; answers->n < m->n; answers->n++)
        add(answers, fetches, &m->addresses[answers->n], &m->status_addresses[answers->n]);
    for (size_t i = 0; i < config->replicas_addresses.n; i++)
        add_other(answers, fetches, &config->replicas_addresses.at[i],
                  &config->status_addresses.at[i]);
    for (size_t k = 0; k < n_also; k++)
        for (size_t i = 0; i < also[k]->n; i++)
            add_other(answers, fetches, &also[k]->addresses[i], &also[k]->status_addresses[i]);
    fetch_all(fetches, answers->n + answers->n_others, timeout_ms);
    for (size_t i = 0; i < answers->n + answers->n_others; i++) {
        struct answer *a = &answers->at[i];
        if (fetches[i].ok) {
            answer_read(a, i, fetches[i].body, fetches[i].size);
        } else {
            snprintf(a->error, sizeof a->error, "%s", fetches[i].error);
        }
        fetch_close(&fetches[i]);
    }
}

/* Do the answers tell of other members than those that were asked?  Then all are asked again.  What
 * a replica tells wins over the configuration, also where both mean the same and the configuration
 * spells an address in another way.  The first answer that is of a group says which group is meant.
 */
static bool find_members(struct answers *answers)
{
    static struct members told, before;
    before = answers->members;
    for (size_t i = 0; i < answers->n + answers->n_others; i++) {
        const struct answer *a = &answers->at[i];
        const struct node_status *s = a->reachable ? &a->status : &a->other;
        if (a->json == NULL || vstamp_id_is_zero(s->group)) continue;
        if (i >= answers->n && s->epoch == 0) continue; /* newcomers may have formed one */
        if (vstamp_id_is_zero(answers->group)) answers->group = s->group;
        if (!vstamp_id_equal(answers->group, s->group)) continue;
        if (answers->told && s->epoch <= answers->members.epoch) continue;
        if (!members_parse(&told, s->epoch, s->members)) continue;
        answers->members = told;
        answers->told = true;
    }
    return answers->members.epoch > before.epoch || !members_equal(&answers->members, &before);
}

void answers_ask(struct answers *answers, const struct config *config,
                 const struct members *const *also, size_t n_also, uint32_t timeout_ms)
{
    answers->told = false;
    answers->group = (struct vstamp_id){0, 0};
    members_of_config(&answers->members, config);
    ask(answers, config, also, n_also, timeout_ms);
    while (find_members(answers)) {
        answers_close(answers);
        ask(answers, config, also, n_also, timeout_ms);
    }
}

const struct answer *answers_find(const struct answers *answers, const struct address *address)
{
    for (size_t i = 0; i < answers->n + answers->n_others; i++)
        if (strcmp(answers->at[i].address->text, address->text) == 0) return &answers->at[i];
    return NULL;
}

void answers_close(struct answers *answers)
{
    for (size_t i = 0; i < answers->n + answers->n_others; i++) {
        json_decref(answers->at[i].json);
        answers->at[i].json = NULL;
    }
}

/* What `by` says of `of`, or NULL. */
static const struct node_peer_status *find_peer(const struct answers *answers, size_t by, size_t of)
{
    const struct answer *a = &answers->at[by];
    assert(by < answers->n && of < answers->n);
    if (!a->reachable) return NULL;
    for (size_t i = 0; i < a->status.n_peers; i++) {
        if (a->status.peers[i].replica == of) return &a->status.peers[i];
    }
    return NULL;
}

uint64_t answers_heard_ms(const struct answers *answers, size_t by, size_t of)
{
    const struct node_peer_status *peer = find_peer(answers, by, of);
    return peer != NULL ? peer->last_contact_ms : ANSWER_NEVER;
}

int answers_last_heard(const struct answers *answers, size_t of, uint64_t *ms)
{
    int who = -1;
    *ms = ANSWER_NEVER;
    for (size_t i = 0; i < answers->n; i++) {
        uint64_t heard_ms = i == of ? ANSWER_NEVER : answers_heard_ms(answers, i, of);
        if (heard_ms >= *ms) continue;
        *ms = heard_ms;
        who = (int)i;
    }
    return who;
}

uint64_t answers_acked_op(const struct answers *answers, size_t by, size_t of)
{
    const struct node_peer_status *peer = find_peer(answers, by, of);
    return peer != NULL ? peer->acked_op : 0;
}

bool answers_connected(const struct answers *answers, size_t by, size_t of)
{
    const struct node_peer_status *peer = find_peer(answers, by, of);
    return peer == NULL || peer->connected;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* The store once more, as plainly as can be: what each operation that the group executes should
 * answer, and what each key held after which entry.  Whoever is the first to execute an operation
 * is followed here, with the operation's timestamp, so this is judged, too: no key goes before its
 * time, none that an operation names stays longer, and a tick leaves nothing that was due.  That
 * all others do the same as the first check.c sees to. */
#ifndef SIM_MODEL_H
#define SIM_MODEL_H

#include <vstamp/app.h>

#include "kv/kv.h"

#define MODEL_NAME_MAX 24u

/* What a key was from an entry on. */
struct model_version {
    uint64_t op;
    bool present;
    uint64_t expiry; /* 0: never */
    size_t size;
    uint8_t *value;
};

struct model_key {
    char name[MODEL_NAME_MAX];
    struct model_version *versions;
    size_t n, capacity;
};

/* A change, as somebody who watches is told of it. */
struct model_change {
    uint64_t op;
    enum kv_what what;
    char name[MODEL_NAME_MAX];
    size_t size;
    uint64_t checksum; /* of the value */
    uint64_t expiry;   /* of what has expired */
};

/* How far a replica, or the model, has come: so many calls of this entry are done. */
struct model_place {
    uint64_t op;
    uint32_t calls;
};

struct model {
    struct model_key *keys;
    size_t n_keys, capacity;
    struct model_place place;
    uint64_t timestamp; /* of the newest entry */
    uint64_t n_expired;
    size_t answer_capacity; /* of a logged operation */
    struct model_change *changes;
    size_t n_changes, changes_capacity;
};

/* `place` is the replica's, whose call that is.  NULL, or what is wrong with it. */
const char *model_applied(struct model *m, struct model_place *place,
                          const struct vstamp_context *context, struct bytes operation,
                          struct bytes answer);
void model_ticked(struct model *m, struct model_place *place,
                  const struct vstamp_context *context);

/* Of a read that holds after this entry, and is about one key. */
const char *model_read(const struct model *m, uint64_t op, bool may_be_stuck,
                       const struct kv_op *read, const struct kv_answer *answer);

/* Of somebody who has seen the first *seen of all changes, and asks for the next ones, whatever the
 * key: they must come in order, and all up to this entry, or some and `more`.  Moves *seen. */
const char *model_changes(struct model *m, uint64_t op, bool may_be_stuck,
                          const struct kv_answer *answer, size_t *seen);

/* The first change of this entry or a later one. */
size_t model_changes_from(const struct model *m, uint64_t op);

void model_close(struct model *m);

#endif

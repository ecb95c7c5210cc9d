/* SPDX-License-Identifier: BSD-2-Clause */
/* What the journal of a stopped replica has of one op-number: the entry, and others that had the
 * number before it and were replaced. */
#ifndef ADMIN_VERSIONS_H
#define ADMIN_VERSIONS_H

#include <jansson.h>

#include "admin/folder.h"

struct versions {
    uint64_t op;
    size_t n;
    struct version {
        char file[STORAGE_NAME_SIZE];
        uint64_t place, size, commit;
        bool lost;
        struct wire_entry_header header;
        struct bytes body; /* in memory of its own */
    } *at;
};

/* Walk the folder, which tells of no finding here, and keep those of v->op.  As folder_walk. */
int versions_find(struct versions *v, struct folder *f, struct vstamp_diag *diag);
void versions_release(struct versions *v);

/* Print all, or why there is none. */
void versions_print(const struct versions *v, const struct folder *f);

/* The same as a new object. */
json_t *versions_json(const struct versions *v, const struct folder *f);

/* Print what the folder at this path has of the op-number; false, and nothing, if it cannot. */
bool versions_show(const char *path, uint64_t op);

#endif

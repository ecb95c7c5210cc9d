/* SPDX-License-Identifier: BSD-2-Clause */
/* A backup as a file: opened, checked to the last byte and brought into memory, which is the test
 * that it can be restored; and what to tell of it. */
#ifndef ADMIN_COPY_FILE_H
#define ADMIN_COPY_FILE_H

#include <stdio.h>

#include <jansson.h>

#include "kv/kv.h"
#include "node/copy.h"
#include "program/config.h"

struct copy_file {
    struct bytes file;
    bool mapped; /* else it came from a pipe */
    void *memory;
    size_t memory_size;
    struct copy copy;
    /* NULL: not known here, so the bytes were checked, but are not in memory. */
    const struct vstamp_app *app;
    uint64_t n_keys, n_bytes; /* held, by the key-value store */
};

/* '-' is standard input.  The application of the backup is the store, or what `config` (or NULL)
 * names.  Returns 0, or VSTAMP_E_* with a sentence that names the file. */
int copy_file_open(struct copy_file *f, const char *path, const struct config *config,
                   struct vstamp_diag *diag);
void copy_file_close(struct copy_file *f); /* accepts one that could not be opened */

/* The system refused something to do with it: that, and its words.  VSTAMP_E_IO. */
int copy_file_refused(const char *what, struct vstamp_diag *diag);

bool copy_file_is_of_store(const struct copy_file *f);

/* Lines for a person, or an object; NULL: no memory. */
void copy_file_print(const struct copy_file *f, const char *path, FILE *into);
json_t *copy_file_json(const struct copy_file *f, const char *path);

/* The program of app_exec: what it says that it is, and an instance.  VSTAMP_E_CONFIG. */
int copy_file_start_process(const struct config *config, const struct vstamp_limits *limits,
                            uint32_t answer_capacity, const struct vstamp_app **app,
                            void **instance, struct vstamp_diag *diag);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* The configuration: one YAML file for replicas, clients and the administrator.  config.def lists
 * the keys; errors read FILE:LINE:COLUMN: what was expected.
 *
 *     struct config config;
 *     rv = config_load(&config, option_or_NULL, &diag);           a file, found as config_find says
 *     rv = config_from_replicas(&config, "a:1,b:2,c:3", &diag);   or a list, all else by default
 */
#ifndef PROGRAM_CONFIG_H
#define PROGRAM_CONFIG_H

#include <stddef.h>
#include <stdint.h>

#include <vstamp/error.h>

#include "base/limits.h"
#include "program/address.h"
#include "vr/config.h"

#define CONFIG_PATH_SIZE        4096
#define CONFIG_FILE_BYTES_MAX   (1u << 20)
#define CONFIG_FILE_NAME        "server-config.yaml"
#define CONFIG_ENVIRONMENT      "VSTAMP_CONFIG"
#define CONFIG_SEGMENT_BYTES (16u << 20) /* of the journal's files */
#define CONFIG_MAX_ANSWER_BYTES 960u /* of a logged operation, as the client table keeps it */
#define CONFIG_PAGE_BYTES       4096u

/* The words of an ENUM as constants: CONFIG_durability_disk, CONFIG_reads_quorum, ... */
#define CONFIG_WORD(key, word, value) CONFIG_##key##_##word = value,
enum config_word {
#include "program/config.def"
};
#undef CONFIG_WORD

struct config_addresses {
    size_t n;
    struct address at[REPLICAS_MAX];
};

struct config_indices {
    size_t n;
    uint32_t at[REPLICAS_MAX];
};

#define CONFIG_C_ADDRESSES(name) struct config_addresses name
#define CONFIG_C_INDICES(name)   struct config_indices name
#define CONFIG_C_ENUM(name)      uint32_t name
#define CONFIG_C_TEXT(name)      char name[CONFIG_PATH_SIZE]
#define CONFIG_C_U32(name)       uint32_t name
#define CONFIG_C_SIZE(name)      uint64_t name

struct config {
    char path[CONFIG_PATH_SIZE]; /* where it was read from; "--replicas" for a list */
#define CONFIG_KEY(type, name, min, max, fallback, text) CONFIG_C_##type(name);
#include "program/config.def"
#undef CONFIG_KEY
};

/* Which file: `option` (of --config, or NULL), else $VSTAMP_CONFIG, else server-config.yaml here.
 * VSTAMP_E_CONFIG with a sentence that tells what was looked for when there is none. */
int config_find(char path[static CONFIG_PATH_SIZE], const char *option, struct vstamp_diag *diag);

/* Find, read and check.  On success every field is set: what the file does not say has its default,
 * status_addresses has as many elements as replicas_addresses. */
int config_load(struct config *config, const char *option, struct vstamp_diag *diag);

/* The same from memory; `name` stands for the file in messages. */
int config_parse(struct config *config, const char *name, const char *text, size_t size,
                 struct vstamp_diag *diag);

/* A group given as ADDRESS,ADDRESS,... and defaults for all else.  For clients: status_addresses
 * stays empty. */
int config_from_replicas(struct config *config, const char *list, struct vstamp_diag *diag);

/* What the application is given when it starts; NULL: nothing. */
const char *config_app_argument(const struct config *config);

/* What the protocol core of replica `index` is told.  Addresses are kept by pointer into `config`;
 * `version` is kept by pointer.  VSTAMP_E_CONFIG if the group has no such index. */
int config_to_vr(const struct config *config, uint32_t index, const char *version,
                 struct vr_config *vr, struct vstamp_diag *diag);

/* The witnesses as a set: bit i for replica i. */
uint32_t config_witness_set(const struct config *config);

/* config.def as a table that the parser and config_print walk. */
enum config_type {
    CONFIG_TYPE_ADDRESSES,
    CONFIG_TYPE_INDICES,
    CONFIG_TYPE_ENUM,
    CONFIG_TYPE_TEXT,
    CONFIG_TYPE_U32,
    CONFIG_TYPE_SIZE
};

struct config_key {
    const char *name;
    enum config_type type;
    uint64_t min, max;
    const char *fallback; /* default as written in a file, or NULL */
    const char *text;     /* one sentence */
    size_t offset;        /* in struct config */
};

extern const struct config_key config_keys[];
extern const size_t config_n_keys;

/* The value of config_keys[key] in `config` as it would be written in a file on one line. */
void config_print(const struct config *config, size_t key, char *into, size_t size);

#endif

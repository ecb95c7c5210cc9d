/* SPDX-License-Identifier: BSD-2-Clause */
/* Single values from text, to text and in words: for config.c and config_yaml.c, and numbers also
 * for who reads them from a command line. */
#ifndef PROGRAM_CONFIG_KEYS_H
#define PROGRAM_CONFIG_KEYS_H

#include <stdbool.h>

#include "program/config.h"

/* The place of each key in config_keys: KEY_heartbeat_ms, ... */
#define CONFIG_KEY(type, name, min, max, fallback, text) KEY_##name,
enum config_key_place {
#include "program/config.def"
    CONFIG_N_KEYS
};
#undef CONFIG_KEY

/* What the key accepts, in words that follow "expected ". */
void config_key_describe(const struct config_key *key, char *into, size_t size);

/* Set a key that is not a list from its text.  False: not what config_key_describe says. */
bool config_key_set(struct config *config, const struct config_key *key, const char *text);

/* All keys as they are where no file says otherwise; but those that follow from others. */
void config_set_defaults(struct config *config);

/* And those, unless they are `given`, by place. */
#define BATCH_OVERHEAD_BYTES 4096u /* a batch holds a value and what goes with it */
void config_derive(struct config *config, const bool given[static CONFIG_N_KEYS]);

/* Digits and nothing else, within bounds. */
bool config_parse_u64(const char *text, uint64_t min, uint64_t max, uint64_t *number);

/* As one would write it: with the largest unit that divides it. */
#define CONFIG_SIZE_TEXT 24
void config_print_size(uint64_t bytes, char *into, size_t size);

#endif

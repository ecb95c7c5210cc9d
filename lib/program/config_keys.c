/* SPDX-License-Identifier: BSD-2-Clause */
/* config.def as a table, and the values of single keys: from text, to text, and in words. */
#include "program/config_keys.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"

#define VALUE_BYTES_MAX_DEFAULT (512u << 10)

#define CONFIG_KEY(type, name, min, max, fallback, text) \
    {#name, CONFIG_TYPE_##type, min, max, fallback, text, offsetof(struct config, name)},
const struct config_key config_keys[] = {
#include "program/config.def"
};
#undef CONFIG_KEY
const size_t config_n_keys = sizeof config_keys / sizeof config_keys[0];
_Static_assert(sizeof config_keys / sizeof config_keys[0] == CONFIG_N_KEYS, "one constant a key");

#define CONFIG_WORD(key, word, value) {#key, #word, value},
static const struct {
    const char *key;
    const char *word;
    uint32_t value;
} words[] = {
#include "program/config.def"
};
#undef CONFIG_WORD

static const struct {
    const char *suffix;
    uint64_t factor;
} units[] = {
    {"TiB", UINT64_C(1) << 40},
    {"GiB", UINT64_C(1) << 30},
    {"MiB", UINT64_C(1) << 20},
    {"KiB", UINT64_C(1) << 10},
    {"B", 1},
    {"", 1},
};

static const size_t n_words = sizeof words / sizeof words[0];
static const size_t n_units = sizeof units / sizeof units[0];

/* Text that is built up in a buffer that bounds it. */
struct text {
    char *into;
    size_t size;
};

static void add(struct text *t, const char *piece)
{
    int n = snprintf(t->into, t->size, "%s", piece);
    assert(n >= 0);
    size_t used = (size_t)n < t->size ? (size_t)n : t->size - 1;
    t->into += used;
    t->size -= used;
}

void config_print_size(uint64_t bytes, char *into, size_t size)
{
    for (size_t i = 0; i < n_units; i++) {
        if (bytes % units[i].factor != 0 || (bytes == 0 && units[i].factor > 1)) continue;
        snprintf(into, size, "%" PRIu64 "%s", bytes / units[i].factor,
                 units[i].factor > 1 ? units[i].suffix : "");
        return;
    }
}

void config_key_describe(const struct config_key *key, char *into, size_t size)
{
    struct text t = {into, size};
    const char *between = "";
    char min[CONFIG_SIZE_TEXT], max[CONFIG_SIZE_TEXT];
    switch (key->type) {
    case CONFIG_TYPE_ADDRESSES:
        snprintf(into, size, "a list of %" PRIu64 " to %" PRIu64 " addresses, HOST:PORT each",
                 key->min, key->max);
        return;
    case CONFIG_TYPE_INDICES:
        snprintf(into, size, "a list of replica indices");
        return;
    case CONFIG_TYPE_ENUM:
        for (size_t i = 0; i < n_words; i++) {
            if (strcmp(words[i].key, key->name) != 0) continue;
            add(&t, between);
            add(&t, words[i].word);
            between = " or ";
        }
        return;
    case CONFIG_TYPE_TEXT:
        snprintf(into, size, "a text of %" PRIu64 " to %" PRIu64 " characters", key->min, key->max);
        return;
    case CONFIG_TYPE_U32:
        snprintf(into, size, "a whole number from %" PRIu64 " to %" PRIu64, key->min, key->max);
        return;
    case CONFIG_TYPE_SIZE:
        config_print_size(key->min, min, sizeof min);
        config_print_size(key->max, max, sizeof max);
        snprintf(into, size, "a size from %s to %s, such as 64KiB or 1MiB", min, max);
        return;
    }
}

/* Digits at the start of `text`; NULL if there are none or too many, else what follows them. */
static const char *parse_digits(const char *text, uint64_t *number)
{
    const char *at = text;
    *number = 0;
    for (; *at >= '0' && *at <= '9'; at++) {
        if (at - text >= 18) return NULL;
        *number = *number * 10 + (uint64_t)(*at - '0');
    }
    return at == text ? NULL : at;
}

bool config_parse_u64(const char *text, uint64_t min, uint64_t max, uint64_t *number)
{
    const char *rest = parse_digits(text, number);
    return rest != NULL && *rest == '\0' && *number >= min && *number <= max;
}

static bool parse_size(const char *text, uint64_t min, uint64_t max, uint64_t *number)
{
    const char *rest = parse_digits(text, number);
    if (rest == NULL) return false;
    if (*rest == ' ') rest++;
    for (size_t i = 0; i < n_units; i++) {
        if (strcmp(rest, units[i].suffix) != 0) continue;
        if (*number > max / units[i].factor) return false;
        *number *= units[i].factor;
        return *number >= min;
    }
    return false;
}

bool config_key_set(struct config *config, const struct config_key *key, const char *text)
{
    void *field = (char *)config + key->offset;
    uint64_t number = 0;
    size_t size = strlen(text);

    switch (key->type) {
    case CONFIG_TYPE_U32:
        if (!config_parse_u64(text, key->min, key->max, &number)) return false;
        *(uint32_t *)field = (uint32_t)number;
        return true;
    case CONFIG_TYPE_SIZE:
        if (!parse_size(text, key->min, key->max, &number)) return false;
        *(uint64_t *)field = number;
        return true;
    case CONFIG_TYPE_TEXT:
        assert(key->max < CONFIG_PATH_SIZE);
        if (size < key->min || size > key->max) return false;
        memcpy(field, text, size + 1);
        return true;
    case CONFIG_TYPE_ENUM:
        for (size_t i = 0; i < n_words; i++) {
            if (strcmp(words[i].key, key->name) != 0 || strcmp(words[i].word, text) != 0) continue;
            *(uint32_t *)field = words[i].value;
            return true;
        }
        return false;
    case CONFIG_TYPE_ADDRESSES:
    case CONFIG_TYPE_INDICES:
        return false; /* lists are set element by element */
    }
    return false;
}

static void add_word(struct text *t, const struct config_key *key, uint32_t value)
{
    for (size_t i = 0; i < n_words; i++)
        if (strcmp(words[i].key, key->name) == 0 && words[i].value == value) add(t, words[i].word);
}

static void add_addresses(struct text *t, const struct config_addresses *addresses)
{
    for (size_t i = 0; i < addresses->n; i++) {
        add(t, i == 0 ? "[\"" : "\", \"");
        add(t, addresses->at[i].text);
    }
    add(t, addresses->n > 0 ? "\"]" : "[]");
}

static void add_indices(struct text *t, const struct config_indices *indices)
{
    char digits[24];
    add(t, "[");
    for (size_t i = 0; i < indices->n; i++) {
        snprintf(digits, sizeof digits, "%s%" PRIu32, i == 0 ? "" : ", ", indices->at[i]);
        add(t, digits);
    }
    add(t, "]");
}

void config_print(const struct config *config, size_t index, char *into, size_t size)
{
    assert(index < config_n_keys && size > 0);
    const struct config_key *key = &config_keys[index];
    const void *field = (const char *)config + key->offset;
    struct text t = {into, size};

    *into = '\0';
    switch (key->type) {
    case CONFIG_TYPE_U32:
        snprintf(into, size, "%" PRIu32, *(const uint32_t *)field);
        return;
    case CONFIG_TYPE_SIZE:
        config_print_size(*(const uint64_t *)field, into, size);
        return;
    case CONFIG_TYPE_TEXT:
        add(&t, field);
        return;
    case CONFIG_TYPE_ENUM:
        add_word(&t, key, *(const uint32_t *)field);
        return;
    case CONFIG_TYPE_ADDRESSES:
        add_addresses(&t, field);
        return;
    case CONFIG_TYPE_INDICES:
        add_indices(&t, field);
        return;
    }
}

void config_set_defaults(struct config *config)
{
    memset(config, 0, sizeof *config);
    for (size_t i = 0; i < config_n_keys; i++) {
        const struct config_key *key = &config_keys[i];
        if (key->fallback == NULL) continue;
        bool set = config_key_set(config, key, key->fallback);
        assert(set);
    }
}

static uint64_t between(uint64_t least, uint64_t number, uint64_t most)
{
    if (number < least) return least;
    return number < most ? number : most;
}

/* The larger the state, the fewer entries of an interval change the same page, and the more bytes a
 * checkpoint writes for each: a large state has larger intervals, and the log to hold them.  Both
 * follow from what is alike at all replicas: they tell each other digests of the multiples of
 * checkpoint_ops. */
void config_derive(struct config *config, const bool given[static CONFIG_N_KEYS])
{
    uint64_t state = config->state_bytes_max, batch = config->batch_bytes;

    if (!given[KEY_max_value_bytes])
        config->max_value_bytes = between(1, batch - BATCH_OVERHEAD_BYTES, VALUE_BYTES_MAX_DEFAULT);
    if (!given[KEY_log_bytes])
        config->log_bytes = between(64u << 20, state / 16, config_keys[KEY_log_bytes].max);
    if (!given[KEY_checkpoint_ops])
        config->checkpoint_ops =
            (uint32_t)between(8192, state / (128u << 10), config_keys[KEY_checkpoint_ops].max);
}

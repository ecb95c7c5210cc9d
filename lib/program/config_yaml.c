/* SPDX-License-Identifier: BSD-2-Clause */
/* libyaml turns the text into a tree of nodes with marks (line, column); this file walks its two
 * levels, keys and their values, and nothing recurses.  First every key by itself, then defaults,
 * then what relates keys to each other; each complaint points at the key to change. */
#include "program/config.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "program/config_keys.h"
#include "program/nearest.h"
#include "vr/client_table.h"

#define EXPECTED_SIZE 160
#define QUOTE_HINT    "quote an IPv6 address, as in \"[::1]:14621\""

/* The file that is being read, for complaints and for what was given where. */
struct source {
    const char *name;
    const char *text;
    size_t size;
    struct vstamp_diag *diag;
    yaml_document_t document;
    bool given[CONFIG_N_KEYS];
    yaml_mark_t at[CONFIG_N_KEYS];        /* of the value */
    yaml_mark_t replica_at[REPLICAS_MAX]; /* of each element of replicas_addresses */
    yaml_mark_t status_at[REPLICAS_MAX];  /* of each element of status_addresses */
};

static int reject(const struct source *s, yaml_mark_t at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static int reject(const struct source *s, yaml_mark_t at, const char *format, ...)
{
    char sentence[VSTAMP_DIAG_SIZE];
    va_list args;
    va_start(args, format);
    vsnprintf(sentence, sizeof sentence, format, args);
    va_end(args);
    vstamp_diag_printf(s->diag, "%s:%zu:%zu: %s", s->name, at.line + 1, at.column + 1, sentence);
    return VSTAMP_E_CONFIG;
}

/* The node as a complaint shows it: 'text', a list, a mapping. */
static void show(const yaml_node_t *node, char *into, size_t size)
{
    if (node->type == YAML_SEQUENCE_NODE) {
        snprintf(into, size, "a list");
    } else if (node->type == YAML_MAPPING_NODE) {
        snprintf(into, size, "a mapping");
    } else if (node->data.scalar.length == 0) {
        snprintf(into, size, "nothing");
    } else {
        snprintf(into, size, "'%.60s'", (const char *)node->data.scalar.value);
    }
}

static int reject_value(const struct source *s, const struct config_key *key,
                        const yaml_node_t *node)
{
    char expected[EXPECTED_SIZE];
    char found[80];
    config_key_describe(key, expected, sizeof expected);
    show(node, found, sizeof found);
    return reject(s, node->start_mark, "%s: expected %s, found %s", key->name, expected, found);
}

/* The text of a scalar; NULL for lists and mappings, and for text with a NUL in it. */
static const char *scalar_text(const yaml_node_t *node)
{
    if (node->type != YAML_SCALAR_NODE) return NULL;
    const char *text = (const char *)node->data.scalar.value;
    return strlen(text) == node->data.scalar.length ? text : NULL;
}

static yaml_node_t *node_at(struct source *s, int index)
{
    yaml_node_t *node = yaml_document_get_node(&s->document, index);
    assert(node != NULL);
    return node;
}

static size_t n_items(const yaml_node_t *list)
{
    return (size_t)(list->data.sequence.items.top - list->data.sequence.items.start);
}

static int read_addresses(struct source *s, const struct config_key *key, const yaml_node_t *list,
                          struct config_addresses *addresses, yaml_mark_t at[static REPLICAS_MAX])
{
    struct vstamp_diag why = {0};
    size_t n = n_items(list);
    if (n < key->min || n > key->max) {
        return reject(s, list->start_mark,
                      "%s: expected %" PRIu64 " to %" PRIu64 " addresses, found %zu", key->name,
                      key->min, key->max, n);
    }
    for (size_t i = 0; i < n; i++) {
        const yaml_node_t *item = node_at(s, list->data.sequence.items.start[i]);
        const char *text = scalar_text(item);
        at[i] = item->start_mark;
        if (text == NULL) {
            return reject(s, at[i], "%s: expected HOST:PORT, found %s", key->name,
                          item->type == YAML_MAPPING_NODE ? "a mapping: write it without spaces"
                                                          : "a list: " QUOTE_HINT);
        }
        if (address_parse(&addresses->at[i], text, &why) != 0) {
            return reject(s, at[i], "%s: %s", key->name, why.text);
        }
        for (size_t j = 0; j < i; j++) {
            if (strcmp(addresses->at[i].text, addresses->at[j].text) != 0) continue;
            return reject(s, at[i], "%s: %s is there twice, first in line %zu", key->name,
                          addresses->at[i].text, at[j].line + 1);
        }
    }
    addresses->n = n;
    return 0;
}

static int read_indices(struct source *s, const struct config_key *key, const yaml_node_t *list,
                        struct config_indices *indices)
{
    size_t n = n_items(list);
    if (n > key->max) return reject_value(s, key, list);
    for (size_t i = 0; i < n; i++) {
        const yaml_node_t *item = node_at(s, list->data.sequence.items.start[i]);
        const char *text = scalar_text(item);
        uint64_t number;
        if (text == NULL || !config_parse_u64(text, 0, REPLICAS_MAX - 1, &number)) {
            return reject_value(s, key, item);
        }
        indices->at[i] = (uint32_t)number;
    }
    indices->n = n;
    return 0;
}

static int read_value(struct source *s, struct config *config, size_t place,
                      const yaml_node_t *value)
{
    const struct config_key *key = &config_keys[place];
    const char *text = scalar_text(value);

    s->given[place] = true;
    s->at[place] = value->start_mark;
    switch (key->type) {
    case CONFIG_TYPE_ADDRESSES:
        if (value->type != YAML_SEQUENCE_NODE) return reject_value(s, key, value);
        if (place == KEY_replicas_addresses) {
            return read_addresses(s, key, value, &config->replicas_addresses, s->replica_at);
        }
        return read_addresses(s, key, value, &config->status_addresses, s->status_at);
    case CONFIG_TYPE_INDICES:
        if (value->type != YAML_SEQUENCE_NODE) return reject_value(s, key, value);
        return read_indices(s, key, value, &config->witnesses);
    case CONFIG_TYPE_ENUM:
    case CONFIG_TYPE_TEXT:
    case CONFIG_TYPE_U32:
    case CONFIG_TYPE_SIZE:
        if (text == NULL || !config_key_set(config, key, text)) {
            return reject_value(s, key, value);
        }
        return 0;
    }
    return 0;
}

static int reject_key(const struct source *s, const yaml_node_t *node)
{
    char found[80];
    show(node, found, sizeof found);
    if (scalar_text(node) == NULL) {
        return reject(s, node->start_mark, "expected a key, found %s", found);
    }
    struct nearest n = nearest_to(scalar_text(node));
    for (size_t i = 0; i < config_n_keys; i++) nearest_offer(&n, config_keys[i].name);
    const char *best = nearest_best(&n);
    if (best == NULL)
        return reject(s, node->start_mark, "unknown key %s: see vstamp-config(5)", found);
    return reject(s, node->start_mark, "unknown key %s: did you mean '%s'?", found, best);
}

static int read_keys(struct source *s, struct config *config)
{
    const yaml_node_t *root = yaml_document_get_root_node(&s->document);
    yaml_mark_t key_at[CONFIG_N_KEYS];

    if (root == NULL) {
        return reject(s, (yaml_mark_t){0},
                      "the file is empty: expected at least replicas_addresses");
    }
    if (root->type != YAML_MAPPING_NODE) {
        return reject(s, root->start_mark,
                      "expected KEY: VALUE lines, at least replicas_addresses");
    }
    for (const yaml_node_pair_t *pair = root->data.mapping.pairs.start;
         pair < root->data.mapping.pairs.top; pair++) {
        const yaml_node_t *name = node_at(s, pair->key);
        const char *text = scalar_text(name);
        size_t place = 0;
        while (place < CONFIG_N_KEYS &&
               (text == NULL || strcmp(text, config_keys[place].name) != 0)) {
            place++;
        }
        if (place == CONFIG_N_KEYS) return reject_key(s, name);
        if (s->given[place]) {
            return reject(s, name->start_mark, "%s is there twice, first in line %zu", text,
                          key_at[place].line + 1);
        }
        key_at[place] = name->start_mark;
        int rv = read_value(s, config, place, node_at(s, pair->value));
        if (rv != 0) return rv;
    }
    if (!s->given[KEY_replicas_addresses]) {
        return reject(s, root->start_mark,
                      "replicas_addresses is missing: list HOST:PORT of each replica");
    }
    return 0;
}

/* Status addresses that were not given, and that all addresses of the group differ. */
static int settle_status_addresses(struct source *s, struct config *config)
{
    const struct config_addresses *replicas = &config->replicas_addresses;
    struct config_addresses *status = &config->status_addresses;
    struct vstamp_diag why = {0};
    bool given = s->given[KEY_status_addresses];

    if (given && status->n != replicas->n) {
        return reject(s, s->at[KEY_status_addresses],
                      "status_addresses: expected %zu addresses, one for each replica, found %zu",
                      replicas->n, status->n);
    }
    for (size_t i = 0; i < replicas->n; i++) {
        yaml_mark_t at = given ? s->status_at[i] : s->replica_at[i];
        if (!given && address_default_status(&status->at[i], &replicas->at[i], &why) != 0) {
            return reject(s, at, "replicas_addresses: %s", why.text);
        }
        if (address_is_among(replicas->at, replicas->n, &status->at[i])) {
            return reject(s, at,
                          "%s%s is for the status of replica %zu and in replicas_addresses%s",
                          given ? "status_addresses: " : "", status->at[i].text, i,
                          given ? "" : ": set status_addresses");
        }
    }
    status->n = replicas->n;
    return 0;
}

/* Where a complaint about two keys points: at the one that was written, the first if both were. */
static yaml_mark_t blame(const struct source *s, size_t first, size_t second)
{
    return s->given[first] ? s->at[first] : s->at[second];
}

static int check_witnesses(const struct source *s, const struct config *config)
{
    const struct config_indices *witnesses = &config->witnesses;
    size_t n = config->replicas_addresses.n, most = (n - 1) / 2;
    yaml_mark_t at = s->at[KEY_witnesses];
    for (size_t i = 0; i < witnesses->n; i++) {
        if (witnesses->at[i] >= n)
            return reject(s, at, "witnesses: no replica %" PRIu32 " in a group of %zu",
                          witnesses->at[i], n);
        for (size_t j = 0; j < i; j++)
            if (witnesses->at[i] == witnesses->at[j])
                return reject(s, at, "witnesses: %" PRIu32 " is there twice", witnesses->at[i]);
    }
    if (witnesses->n == 0 || witnesses->n <= most) return 0;
    if (most == 0)
        return reject(s, at, "witnesses: a group of %zu can have none: it takes three replicas", n);
    return reject(s, at,
                  "witnesses: a group of %zu can have at most %zu, found %zu: the other %zu, a "
                  "majority, must be active",
                  n, most, witnesses->n, n - most);
}

/* The client table is the beginning of the state, and the application has what is left. */
static int check_state(const struct source *s, const struct config *config)
{
    uint32_t pages = (uint32_t)(config->state_bytes_max / CONFIG_PAGE_BYTES);
    uint32_t table = client_table_pages(config->max_clients, CONFIG_MAX_ANSWER_BYTES);
    if (pages >= table + STATE_PAGES_MIN) return 0;
    char found[CONFIG_SIZE_TEXT], least[CONFIG_SIZE_TEXT];
    config_print_size(config->state_bytes_max, found, sizeof found);
    config_print_size((uint64_t)(table + STATE_PAGES_MIN) * CONFIG_PAGE_BYTES, least,
                      sizeof least);
    return reject(s, blame(s, KEY_state_bytes_max, KEY_max_clients),
                  "state_bytes_max (%s) must be at least %s, as the sessions of max_clients "
                  "(%" PRIu32 ") are part of the state; or max_clients at most %" PRIu64,
                  found, least, config->max_clients,
                  client_table_room(pages - STATE_PAGES_MIN, CONFIG_MAX_ANSWER_BYTES));
}

static int check_relations(const struct source *s, const struct config *config)
{
    char found[CONFIG_SIZE_TEXT], batch[CONFIG_SIZE_TEXT], most[CONFIG_SIZE_TEXT];
    int rv = check_witnesses(s, config);
    if (rv != 0) return rv;
    config_print_size(config->batch_bytes, batch, sizeof batch);
    if ((uint64_t)config->heartbeat_ms * 2 >= config->view_change_ms) {
        return reject(s, blame(s, KEY_heartbeat_ms, KEY_view_change_ms),
                      "heartbeat_ms (%" PRIu32 ") must be below half of view_change_ms (%" PRIu32
                      ")",
                      config->heartbeat_ms, config->view_change_ms);
    }
    if (config->max_value_bytes > config->batch_bytes - BATCH_OVERHEAD_BYTES) {
        config_print_size(config->max_value_bytes, found, sizeof found);
        config_print_size(config->batch_bytes - BATCH_OVERHEAD_BYTES, most, sizeof most);
        return reject(s, blame(s, KEY_max_value_bytes, KEY_batch_bytes),
                      "max_value_bytes (%s) must be at most %s, with batch_bytes (%s)", found, most,
                      batch);
    }
    if (config->log_bytes < 4 * config->batch_bytes) {
        config_print_size(config->log_bytes, found, sizeof found);
        return reject(s, blame(s, KEY_log_bytes, KEY_batch_bytes),
                      "log_bytes (%s) must be at least 4 times batch_bytes (%s)", found, batch);
    }
    return check_state(s, config);
}

/* Does this line of the file hold an address in brackets without quotes? */
static bool has_bare_ipv6(const struct source *s, size_t line)
{
    const char *at = s->text;
    const char *end = s->text + s->size;
    for (; line > 0 && at < end; at++) line -= *at == '\n';
    for (; at < end && *at != '\n'; at++) {
        if (*at == '"' || *at == '\'') return false;
        if (*at != '[') continue;
        const char *inside = at + 1;
        while (inside < end && (isxdigit((unsigned char)*inside) || *inside == ':')) inside++;
        if (inside + 1 < end && inside > at + 2 && inside[0] == ']' && inside[1] == ':')
            return true;
    }
    return false;
}

static int reject_yaml(const struct source *s, const yaml_parser_t *parser)
{
    yaml_mark_t at = parser->problem_mark;
    if (parser->error == YAML_MEMORY_ERROR) return reject(s, at, "not enough memory to read it");
    if (parser->error == YAML_READER_ERROR) { /* it tells the byte, not the line */
        size_t offset = parser->problem_offset < s->size ? parser->problem_offset : s->size;
        at = (yaml_mark_t){0};
        for (size_t i = 0; i < offset; i++) {
            at.line += s->text[i] == '\n';
            at.column = s->text[i] == '\n' ? 0 : at.column + 1;
        }
    }
    const size_t lines[] = {at.line, at.line > 0 ? at.line - 1 : 0, parser->context_mark.line};
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        if (!has_bare_ipv6(s, lines[i])) continue;
        at.line = lines[i];
        at.column = 0;
        return reject(s, at, "not valid YAML: " QUOTE_HINT);
    }
    size_t index = parser->problem_mark.index;
    bool is_tab = index < s->size && s->text[index] == '\t';
    return reject(s, at, "not valid YAML: %s%s", parser->problem,
                  is_tab ? ": indent with spaces, not with a tab" : "");
}

/* Is there another document behind it? */
static int check_end(struct source *s, yaml_parser_t *parser)
{
    yaml_document_t second;
    if (!yaml_parser_load(parser, &second)) return reject_yaml(s, parser);
    const yaml_node_t *root = yaml_document_get_root_node(&second);
    int rv = 0;
    if (root != NULL) rv = reject(s, root->start_mark, "expected one document, found another");
    yaml_document_delete(&second);
    return rv;
}

static int read_document(struct source *s, yaml_parser_t *parser, struct config *config)
{
    if (!yaml_parser_load(parser, &s->document)) return reject_yaml(s, parser);
    int rv = read_keys(s, config);
    if (rv == 0) config_derive(config, s->given);
    if (rv == 0) rv = settle_status_addresses(s, config);
    if (rv == 0) rv = check_relations(s, config);
    if (rv == 0) rv = check_end(s, parser);
    yaml_document_delete(&s->document);
    return rv;
}

int config_parse(struct config *config, const char *name, const char *text, size_t size,
                 struct vstamp_diag *diag)
{
    struct source s = {.name = name, .text = text, .size = size, .diag = diag};
    yaml_parser_t parser;

    config_set_defaults(config);
    snprintf(config->path, sizeof config->path, "%s", name);
    if (!yaml_parser_initialize(&parser)) {
        return reject(&s, (yaml_mark_t){0}, "not enough memory to read it");
    }
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, size);
    int rv = read_document(&s, &parser, config);
    yaml_parser_delete(&parser);
    return rv;
}

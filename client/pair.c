/* SPDX-License-Identifier: BSD-2-Clause */
#include <config.h>

#include "client/pair.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "client/json_bytes.h"
#include "client/memory.h"
#include "program/escape.h"

void pair_print(FILE *into, const struct pair *pair, bool as_json)
{
    if (as_json) {
        json_t *object = json_object();
        json_bytes_set(object, "key", pair->key);
        json_bytes_set(object, "value", pair->value);
        if (pair->expires_us != 0)
            json_object_set_new(object, "expires_us", json_integer((json_int_t)pair->expires_us));
        json_dumpf(object, into, JSON_COMPACT);
        json_decref(object);
    } else {
        escape_print(into, pair->key, ESCAPE_LINE);
        putc('\t', into);
        escape_print(into, pair->value, ESCAPE_LINE);
        if (pair->expires_us != 0) fprintf(into, "\t%" PRIu64, pair->expires_us);
    }
    putc('\n', into);
}

static const char *parse_text(struct bytes text, struct bytes *into)
{
    uint8_t *data = memory_new(text.size + 1);
    into->data = data;
    return escape_undo(text, data, &into->size);
}

#define EXPIRES_MAX (UINT64_C(1) << 62)

static bool take_expiry(const json_t *object, uint64_t *expires_us)
{
    const json_t *number = json_object_get(object, "expires_us");
    if (number == NULL) return true;
    *expires_us = (uint64_t)json_integer_value(number); /* 0 if it is none */
    return *expires_us > 0 && *expires_us <= EXPIRES_MAX;
}

static const char *parse_expiry(struct bytes text, uint64_t *expires_us)
{
    bool sound = text.size > 0;
    for (size_t i = 0; i < text.size && sound; i++) {
        sound = text.data[i] >= '0' && text.data[i] <= '9' && *expires_us < EXPIRES_MAX / 10;
        if (sound) *expires_us = *expires_us * 10 + (uint64_t)(text.data[i] - '0');
    }
    if (sound && *expires_us > 0) return NULL;
    return "a second tab: behind it stands when the key expires, in microseconds since 1970; a tab "
           "within a value is written \\t";
}

static const char *parse_json(struct pair *pair, struct bytes line)
{
    json_error_t error;
    json_t *object = json_loadb((const char *)line.data, line.size,
                                JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);
    const char *wrong = NULL;
    if (!json_is_object(object))
        wrong = "expected KEY, a tab and VALUE, or a JSON object";
    else if (!json_bytes_get(object, "key", &pair->key))
        wrong = "expected \"key\" or \"key_base64\"";
    else if (!json_bytes_get(object, "value", &pair->value))
        wrong = "expected \"value\" or \"value_base64\"";
    else if (!take_expiry(object, &pair->expires_us))
        wrong = "\"expires_us\": expected microseconds since 1970";
    json_decref(object);
    return wrong;
}

const char *pair_parse(struct pair *pair, struct bytes line)
{
    *pair = (struct pair){0};
    const uint8_t *tab = line.size > 0 ? memchr(line.data, '\t', line.size) : NULL;
    if (tab == NULL) return parse_json(pair, line);
    struct bytes key = {line.data, (size_t)(tab - line.data)};
    struct bytes value = {tab + 1, line.size - key.size - 1};
    const char *wrong = NULL;
    tab = memchr(value.data, '\t', value.size);
    if (tab != NULL) {
        struct bytes expiry = {tab + 1, value.size - (size_t)(tab + 1 - value.data)};
        value.size = (size_t)(tab - value.data);
        wrong = parse_expiry(expiry, &pair->expires_us);
    }
    if (wrong == NULL) wrong = parse_text(key, &pair->key);
    return wrong != NULL ? wrong : parse_text(value, &pair->value);
}

void pair_release(struct pair *pair)
{
    free((void *)pair->key.data);
    free((void *)pair->value.data);
    *pair = (struct pair){0};
}

/* SPDX-License-Identifier: BSD-2-Clause */
#include <config.h>

#include "client/json_bytes.h"

#include <stdio.h>
#include <stdlib.h>

#include "client/base64.h"
#include "client/memory.h"

#define NAME_SIZE 32

static void name_encoded(char other_name[NAME_SIZE], const char *name)
{
    snprintf(other_name, NAME_SIZE, "%s_base64", name);
}

void json_bytes_set(json_t *object, const char *name, struct bytes text)
{
    json_t *value = text.size == 0 ? json_string("") /* NULL unless UTF-8 */
                                   : json_stringn((const char *)text.data, text.size);
    if (value != NULL) {
        json_object_set_new(object, name, value);
        return;
    }
    char other_name[NAME_SIZE];
    name_encoded(other_name, name);
    char *encoded = base64_encode(text);
    json_object_set_new(object, other_name, json_string(encoded));
    free(encoded);
}

bool json_bytes_get(const json_t *object, const char *name, struct bytes *into)
{
    char other_name[NAME_SIZE];
    name_encoded(other_name, name);
    const json_t *text = json_object_get(object, name);
    const json_t *encoded = json_object_get(object, other_name);
    if ((text != NULL) == (encoded != NULL)) return false;
    if (text != NULL && !json_is_string(text)) return false;
    if (encoded != NULL && !json_is_string(encoded)) return false;
    if (text != NULL) {
        into->size = json_string_length(text);
        into->data = memory_copy(json_string_value(text), into->size);
    } else {
        into->data = base64_decode(json_string_value(encoded), &into->size);
    }
    return into->data != NULL;
}

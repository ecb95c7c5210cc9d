/* SPDX-License-Identifier: BSD-2-Clause */
/* The keys are the fields of `settings` in messages.def, and are compared and named by walking
 * them. */
#include "vr/settings.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <vstamp/app.h>

#include "base/assert.h"

struct wire_settings vr_settings(const struct vr_config *config)
{
    return (struct wire_settings){
        .durability = bytes_of(config->durable ? "disk" : "memory"),
        .max_clients = config->max_clients,
        .max_value_bytes = config->max_read_bytes - READ_OVERHEAD,
        .batch_bytes = config->batch_bytes,
        .state_bytes_max = (uint64_t)config->state_pages * VSTAMP_PAGE_SIZE,
    };
}

static void print_value(const struct wire_field *field, const void *settings, char text[static 32])
{
    const uint8_t *at = (const uint8_t *)settings + field->offset;
    struct bytes word;
    uint32_t number;
    uint64_t large;
    switch (field->kind) {
    case WIRE_BYTES:
        memcpy(&word, at, sizeof word);
        snprintf(text, 32, "%.*s", word.size < 31 ? (int)word.size : 31, (const char *)word.data);
        return;
    case WIRE_U32:
        memcpy(&number, at, sizeof number);
        snprintf(text, 32, "%" PRIu32, number);
        return;
    default:
        assert(field->kind == WIRE_U64);
        memcpy(&large, at, sizeof large);
        snprintf(text, 32, "%" PRIu64, large);
    }
}

bool vr_settings_have(const char *key)
{
    for (size_t i = 0; i < wire_shape_settings.n_fields; i++)
        if (strcmp(key, wire_shape_settings.fields[i].name) == 0) return true;
    return false;
}

bool vr_settings_differ(const struct wire_settings *theirs, const struct wire_settings *ours,
                        struct vr_setting *which)
{
    for (size_t i = 0; i < wire_shape_settings.n_fields; i++) {
        const struct wire_field *field = &wire_shape_settings.fields[i];
        which->key = field->name;
        print_value(field, theirs, which->theirs);
        print_value(field, ours, which->ours);
        if (strcmp(which->theirs, which->ours) != 0) return true;
    }
    return false;
}

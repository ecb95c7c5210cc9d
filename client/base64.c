/* SPDX-License-Identifier: BSD-2-Clause */
/* Base64: three bytes are four letters; see base64.h. */
#include <config.h>

#include "client/base64.h"

#include <stdlib.h>
#include <string.h>

#include "client/memory.h"

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

char *base64_encode(struct bytes raw)
{
    char *text = memory_new((raw.size + 2) / 3 * 4 + 1);
    char *at = text;
    for (size_t i = 0; i < raw.size; i += 3) {
        size_t n = raw.size - i < 3 ? raw.size - i : 3;
        uint32_t bits = (uint32_t)raw.data[i] << 16;
        if (n > 1) bits |= (uint32_t)raw.data[i + 1] << 8;
        if (n > 2) bits |= raw.data[i + 2];
        *at++ = letters[bits >> 18];
        *at++ = letters[bits >> 12 & 63];
        *at++ = n > 1 ? letters[bits >> 6 & 63] : '=';
        *at++ = n > 2 ? letters[bits & 63] : '=';
    }
    return text;
}

/* The letter's six bits, or 64. */
static uint32_t value_of(char letter)
{
    const char *at = letter == '\0' ? NULL : strchr(letters, letter);
    return at == NULL ? 64 : (uint32_t)(at - letters);
}

uint8_t *base64_decode(const char *text, size_t *size)
{
    size_t length = strlen(text);
    if (length % 4 != 0) return NULL;
    size_t padding = 0;
    while (padding < 2 && padding < length && text[length - 1 - padding] == '=') padding++;
    uint8_t *raw = memory_new(length / 4 * 3 + 1);
    *size = 0;
    for (size_t i = 0; i < length; i += 4) {
        size_t n = i + 4 == length ? 4 - padding : 4;
        uint32_t bits = 0;
        for (size_t j = 0; j < 4; j++) {
            uint32_t value = j < n ? value_of(text[i + j]) : 0;
            if (value == 64) goto bad;
            bits = bits << 6 | value;
        }
        for (size_t j = 0; j + 1 < n; j++) raw[(*size)++] = (uint8_t)(bits >> (16 - 8 * j));
        if (n < 4 && (bits & ((1u << (8 * (4 - n))) - 1)) != 0) goto bad; /* two spellings */
    }
    return raw;
bad:
    free(raw);
    return NULL;
}

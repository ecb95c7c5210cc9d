/* SPDX-License-Identifier: BSD-2-Clause */
/* Base64 (RFC 4648, with padding), for bytes in JSON. */
#ifndef CLIENT_BASE64_H
#define CLIENT_BASE64_H

#include "base/bytes.h"

/* A new text. */
char *base64_encode(struct bytes raw);

/* New memory of *size bytes; NULL if the text is not exactly what base64_encode would give. */
uint8_t *base64_decode(const char *text, size_t *size);

#endif

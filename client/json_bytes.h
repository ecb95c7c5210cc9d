/* SPDX-License-Identifier: BSD-2-Clause */
/* Bytes as a member of a JSON object: NAME where they are UTF-8, else NAME_base64. */
#ifndef CLIENT_JSON_BYTES_H
#define CLIENT_JSON_BYTES_H

#include <jansson.h>
#include <stdbool.h>

#include "base/bytes.h"

void json_bytes_set(json_t *object, const char *name, struct bytes text);

/* Into new memory.  False: neither of the two is there, or both, or they are not as they must
 * be. */
bool json_bytes_get(const json_t *object, const char *name, struct bytes *into);

#endif

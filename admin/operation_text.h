/* SPDX-License-Identifier: BSD-2-Clause */
/* An operation of a log entry in words: those of the key-value store as one would type them. */
#ifndef ADMIN_OPERATION_TEXT_H
#define ADMIN_OPERATION_TEXT_H

#include "wire/schema.h"

/* What it asks, of this application; "" where its kind says it all.  A new text. */
char *operation_text(const char *application, const struct wire_operation *operation);

/* "register", "apply", ... or "unknown". */
const char *operation_kind_word(unsigned kind);

#endif

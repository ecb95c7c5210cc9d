/* SPDX-License-Identifier: BSD-2-Clause */
/* Identities as text: 32 hexadecimal digits. */
#ifndef PROGRAM_ID_H
#define PROGRAM_ID_H

#include <vstamp/id.h>

#define ID_TEXT_SIZE 33

void id_print(char text[static ID_TEXT_SIZE], struct vstamp_id id);
bool id_parse(const char *text, struct vstamp_id *id);

#endif

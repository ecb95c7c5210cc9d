/* SPDX-License-Identifier: BSD-2-Clause */
/* Printable is: the printable characters of ASCII, and well-formed UTF-8 but for its control
 * characters (U+0080 to U+009F, which terminals obey). */
#include <config.h>

#include "program/escape.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* Bytes of the well-formed UTF-8 character beyond ASCII that starts here, or 0.  Overlong forms,
 * surrogates and what is above U+10FFFF are not well-formed. */
static size_t utf8_size(const uint8_t *at, size_t left)
{
    size_t size = at[0] >= 0xc2 && at[0] <= 0xdf   ? 2
                  : at[0] >= 0xe0 && at[0] <= 0xef ? 3
                  : at[0] >= 0xf0 && at[0] <= 0xf4 ? 4
                                                   : 0;
    if (size == 0 || size > left) return 0;
    for (size_t i = 1; i < size; i++)
        if ((at[i] & 0xc0) != 0x80) return 0;
    if (at[0] == 0xc2 && at[1] < 0xa0) return 0;
    if (at[0] == 0xe0 && at[1] < 0xa0) return 0;
    if (at[0] == 0xed && at[1] > 0x9f) return 0;
    if (at[0] == 0xf0 && at[1] < 0x90) return 0;
    if (at[0] == 0xf4 && at[1] > 0x8f) return 0;
    return size;
}

static void escape_byte(FILE *into, uint8_t byte)
{
    switch (byte) {
    case '\t':
        fputs("\\t", into);
        break;
    case '\n':
        fputs("\\n", into);
        break;
    case '\r':
        fputs("\\r", into);
        break;
    case '\\':
        fputs("\\\\", into);
        break;
    case '"':
        fputs("\\\"", into);
        break;
    default:
        fprintf(into, "\\x%02x", byte);
        break;
    }
}

static bool stands_for_itself(uint8_t byte, enum escape_mode mode)
{
    if (mode == ESCAPE_TERMINAL && (byte == '\n' || byte == '\t' || byte == '\\')) return true;
    if (mode == ESCAPE_WORD && byte == '"') return false;
    return byte >= 0x20 && byte < 0x7f && byte != '\\';
}

void escape_print(FILE *into, struct bytes text, enum escape_mode mode)
{
    bool quote = mode == ESCAPE_WORD && text.size == 0;
    for (size_t i = 0; i < text.size && mode == ESCAPE_WORD; i++)
        quote |= text.data[i] == '\0' || strchr(" \"'#", text.data[i]) != NULL;
    if (quote) putc('"', into);
    for (size_t i = 0; i < text.size;) {
        size_t wide = utf8_size(text.data + i, text.size - i);
        if (wide > 0)
            fwrite(text.data + i, 1, wide, into);
        else if (stands_for_itself(text.data[i], mode))
            putc(text.data[i], into);
        else
            escape_byte(into, text.data[i]);
        i += wide > 0 ? wide : 1;
    }
    if (quote) putc('"', into);
}

static bool is_plain_to_shell(const char *text)
{
    size_t size = 0;
    while (text[size] != '\0' && ((text[size] & 0x80) != 0 || isalnum((unsigned char)text[size]) ||
                                  strchr("%+,-./:=@_", text[size]) != NULL))
        size++;
    return size > 0 && text[size] == '\0';
}

char *escape_for_shell(const char *text)
{
    char *word = NULL;
    size_t size;
    FILE *into = open_memstream(&word, &size);
    if (into == NULL) abort();
    const char *quote = is_plain_to_shell(text) ? "" : "'";
    fputs(quote, into);
    for (; *text != '\0'; text++) {
        if (*text == '\'') fputs("'\\''", into);
        else putc(*text, into);
    }
    fputs(quote, into);
    if (fclose(into) != 0) abort();
    return word;
}

void escape_plain(char *text)
{
    for (; *text != '\0'; text++)
        if (*text < ' ' || *text > '~') *text = '?';
}

static int hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

const char *escape_take(const uint8_t **at, const uint8_t *end, uint8_t *byte)
{
    if (*at == end) return "the line ends after a backslash";
    uint8_t letter = *(*at)++;
    switch (letter) {
    case 't':
        *byte = '\t';
        return NULL;
    case 'n':
        *byte = '\n';
        return NULL;
    case 'r':
        *byte = '\r';
        return NULL;
    case 'x': {
        int high = end - *at >= 2 ? hex_digit((*at)[0]) : -1;
        int low = end - *at >= 2 ? hex_digit((*at)[1]) : -1;
        if (high < 0 || low < 0) return "\\x needs two hexadecimal digits";
        *byte = (uint8_t)(high * 16 + low);
        *at += 2;
        return NULL;
    }
    case '\\':
    case '"':
    case '\'':
    case '#':
    case ' ':
        *byte = letter;
        return NULL;
    default:
        return "unknown escape: \\t \\n \\r \\\\ \\\" \\' and \\xNN are known";
    }
}

const char *escape_undo(struct bytes text, uint8_t *into, size_t *size)
{
    const uint8_t *at = text.data, *end = text.data + text.size;
    const char *wrong = NULL;
    for (*size = 0; at < end && wrong == NULL; ++*size) {
        if (*at != '\\') {
            into[*size] = *at++;
        } else {
            at++;
            wrong = escape_take(&at, end, &into[*size]);
        }
    }
    return wrong;
}

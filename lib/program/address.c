/* SPDX-License-Identifier: BSD-2-Clause */
#include "program/address.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"

static int fail(struct vstamp_diag *diag, const char *text, const char *expected)
{
    vstamp_diag_printf(diag, "expected %s, found '%.80s'", expected, text);
    return VSTAMP_E_CONFIG;
}

/* A port as digits only, 1 to 65535; 0 for anything else. */
static uint16_t parse_port(const char *text)
{
    uint32_t port = 0;
    size_t n = strlen(text);
    if (n == 0 || n >= ADDRESS_PORT_TEXT_SIZE) return 0;
    for (size_t i = 0; i < n; i++) {
        if (text[i] < '0' || text[i] > '9') return 0;
        port = port * 10 + (uint32_t)(text[i] - '0');
    }
    return port <= UINT16_MAX ? (uint16_t)port : 0;
}

static bool is_name_char(char c)
{
    return isalnum((unsigned char)c) || c == '-' || c == '.' || c == '_';
}

static bool is_ipv6_char(char c)
{
    return is_name_char(c) || c == ':' || c == '%';
}

static void spell(struct address *a)
{
    int n = snprintf(a->port_text, sizeof a->port_text, "%u", (unsigned)a->port);
    assert(n > 0 && (size_t)n < sizeof a->port_text);
    n = snprintf(a->text, sizeof a->text, a->is_ipv6 ? "[%s]:%s" : "%s:%s", a->host, a->port_text);
    assert(n > 0 && (size_t)n < sizeof a->text);
}

int address_parse(struct address *address, const char *text, struct vstamp_diag *diag)
{
    memset(address, 0, sizeof *address);
    if (strlen(text) > ADDRESS_BYTES_MAX)
        return fail(diag, text, "an address of at most 255 bytes");

    const char *host = text;
    const char *colon = strrchr(text, ':');
    if (colon == NULL) return fail(diag, text, "HOST:PORT");
    size_t host_size = (size_t)(colon - host);
    address->is_ipv6 = text[0] == '[';
    if (address->is_ipv6) {
        if (host_size < 2 || text[host_size - 1] != ']') return fail(diag, text, "[IPv6]:PORT");
        host += 1;
        host_size -= 2;
    }
    if (host_size == 0) return fail(diag, text, "a host before ':'");
    size_t n_colons = 0;
    for (size_t i = 0; i < host_size; i++) {
        n_colons += host[i] == ':';
        if (!address->is_ipv6 && host[i] == ':') {
            return fail(diag, text, "HOST:PORT, or [IPv6]:PORT with the brackets");
        }
        if (!(address->is_ipv6 ? is_ipv6_char(host[i]) : is_name_char(host[i]))) {
            return fail(diag, text, "a host of letters, digits, '-' and '.' before ':'");
        }
        address->host[i] = (char)tolower((unsigned char)host[i]);
    }
    if (address->is_ipv6 && n_colons < 2)
        return fail(diag, text, "an IPv6 address in the brackets");
    address->port = parse_port(colon + 1);
    if (address->port == 0) return fail(diag, text, "a port from 1 to 65535 after the last ':'");
    spell(address);
    return 0;
}

bool address_is_among(const struct address *at, size_t n, const struct address *one)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(at[i].text, one->text) == 0) return true;
    return false;
}

int address_parse_list(struct address at[static REPLICAS_MAX], size_t *n, const char *text,
                       struct vstamp_diag *diag)
{
    *n = 0;
    for (;; text++) {
        char word[ADDRESS_BYTES_MAX + 2]; /* one too many, for address_parse to refuse */
        size_t size = strcspn(text, ",");
        if (*n == REPLICAS_MAX) {
            vstamp_diag_printf(diag, "expected at most %u addresses", REPLICAS_MAX);
            return VSTAMP_E_CONFIG;
        }
        snprintf(word, sizeof word, "%.*s", size < sizeof word ? (int)size : (int)sizeof word,
                 text);
        int rv = address_parse(&at[*n], word, diag);
        if (rv != 0) return rv;
        if (address_is_among(at, *n, &at[*n])) {
            vstamp_diag_printf(diag, "%s is there twice", at[*n].text);
            return VSTAMP_E_CONFIG;
        }
        ++*n;
        text += size;
        if (*text == '\0') return 0;
    }
}

int address_default_status(struct address *status, const struct address *replica,
                           struct vstamp_diag *diag)
{
    uint32_t port = replica->port + ADDRESS_STATUS_PORT_STEP;
    if (port > UINT16_MAX) {
        vstamp_diag_printf(diag, "%s has no port + %u for its status: set status_addresses",
                           replica->text, ADDRESS_STATUS_PORT_STEP);
        return VSTAMP_E_CONFIG;
    }
    *status = *replica;
    status->port = (uint16_t)port;
    spell(status);
    return 0;
}

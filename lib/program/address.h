/* SPDX-License-Identifier: BSD-2-Clause */
/* Addresses as people write them: HOST:PORT or [IPv6]:PORT.  Only the text is checked here; names
 * are resolved where the socket is opened.  One address has one spelling in `text`, so that equal
 * addresses can be told by comparing it. */
#ifndef PROGRAM_ADDRESS_H
#define PROGRAM_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <vstamp/error.h>

#include "base/limits.h"

#define ADDRESS_PORT_TEXT_SIZE   6
#define ADDRESS_STATUS_PORT_STEP 1000u /* a status port, unless configured, is that much higher */

struct address {
    char text[ADDRESS_BYTES_MAX + 1]; /* as HOST:PORT or [IPv6]:PORT, in lower case */
    char host[ADDRESS_BYTES_MAX + 1]; /* for getaddrinfo: without brackets */
    char port_text[ADDRESS_PORT_TEXT_SIZE];
    uint16_t port; /* never 0 */
    bool is_ipv6;  /* it was given in brackets */
};

/* 0 or VSTAMP_E_CONFIG with a sentence that names what was expected. */
int address_parse(struct address *address, const char *text, struct vstamp_diag *diag);

bool address_is_among(const struct address *at, size_t n, const struct address *one);

/* ADDRESS,ADDRESS,...: *n of them.  VSTAMP_E_CONFIG likewise, also where one is there twice. */
int address_parse_list(struct address at[static REPLICAS_MAX], size_t *n, const char *text,
                       struct vstamp_diag *diag);

/* Where a replica shows its status unless status_addresses says otherwise: the same host, the port
 * ADDRESS_STATUS_PORT_STEP higher.  VSTAMP_E_CONFIG where there is no such port. */
int address_default_status(struct address *status, const struct address *replica,
                           struct vstamp_diag *diag);

#endif

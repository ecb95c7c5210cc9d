/* SPDX-License-Identifier: BSD-2-Clause */
/* Behind <vstamp/client.h>: the driver for programs that have their addresses already. */
#ifndef DRIVER_DRIVER_H
#define DRIVER_DRIVER_H

#include <vstamp/client.h>

#include "program/address.h"

/* vstamp_driver_open for these addresses, which are copied.  NULL: out of memory. */
struct vstamp_driver *driver_new(const struct address *replicas, size_t n,
                                 const struct vstamp_client_config *config);

/* Notice connections that ended while nothing was in flight, so that nothing is sent into them. */
void driver_refresh(struct vstamp_driver *driver);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* Behind <vstamp/client.h>: the driver for programs that have their addresses already. */
#ifndef DRIVER_DRIVER_H
#define DRIVER_DRIVER_H

#include <vstamp/client.h>

#include "program/address.h"
#include "proxy/proxy.h"
#include "tls/tls.h"

/* vstamp_driver_open for these addresses, which are copied, and with TLS unless that is NULL.
 * NULL: out of memory. */
struct vstamp_driver *driver_new(const struct address *replicas, size_t n, struct tls *tls,
                                 const struct vstamp_client_config *config);

/* Where its user believes the group to be: those that are no members are asked when the members are
 * silent, also after a move.  Until this is called it is where it began. */
void driver_begin_at(struct vstamp_driver *driver, const struct address *begin, size_t n);

/* The one session of a driver with in_flight 1 is this one from now on (proxy/proxy.h). */
void driver_adopt(struct vstamp_driver *driver, struct session *session);

/* Another one to the same replicas, which knows what this session knows of the group.  NULL: out of
 * memory. */
struct vstamp_driver *driver_beside(struct vstamp_driver *driver, uint32_t in_flight,
                                    const struct session *session);

/* Where a member of the newest epoch that was heard of listens. */
const char *driver_member(const struct vstamp_driver *driver, uint32_t replica);

/* The steps of vstamp_driver_wait, for those who wait for more than one driver:
 *
 *     n = driver_polls(d, polls);                  connects, writes, and says what to wait for
 *     poll(polls, n, vstamp_driver_timeout(d));
 *     driver_turn(d, polls);                       reads, and calls back
 *
 * polls has room for VSTAMP_PEERS_MAX; polls[i] is for replica i, its descriptor -1 while there is
 * none. */
struct pollfd;
size_t driver_polls(struct vstamp_driver *driver, struct pollfd *polls);
void driver_turn(struct vstamp_driver *driver, const struct pollfd *polls);

/* poll(2) for so long, UINT64_MAX: for ever.  False: it failed, and none is ready; by a signal, or
 * after a pause, as there are more of them than this process may have descriptors. */
bool driver_poll(struct pollfd *polls, size_t n, uint64_t wait_ns);

/* The same with what vstamp_driver_timeout says. */
bool driver_poll_ms(struct pollfd *polls, size_t n, int wait_ms);

/* Notice connections that ended while nothing was in flight, so that nothing is sent into them. */
void driver_refresh(struct vstamp_driver *driver);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* Behind <vstamp/client.h>: the driver for programs that have their addresses already. */
#ifndef DRIVER_DRIVER_H
#define DRIVER_DRIVER_H

#include <vstamp/client.h>

#include "program/address.h"
#include "proxy/proxy.h"
#include "tls/tls.h"

/* vstamp_driver_open for these addresses, which are copied, and with TLS unless that is NULL.
 * NULL: the system has no memory, or no descriptor left. */
struct vstamp_driver *driver_new(const struct address *replicas, size_t n, struct tls *tls,
                                 const struct vstamp_client_config *config);

/* The addresses at which its user believes the group to be; until this is called, those of
 * driver_new.  Those of them that are no members are asked when the members are silent, also after
 * the group has moved. */
void driver_begin_at(struct vstamp_driver *driver, const struct address *begin, size_t n);

/* The one session of a driver with in_flight 1 is this one from now on (proxy/proxy.h). */
void driver_adopt(struct vstamp_driver *driver, struct session *session);

/* Another one to the same replicas, which knows what this session knows of the group.  NULL: as
 * above. */
struct vstamp_driver *driver_beside(struct vstamp_driver *driver, uint32_t in_flight,
                                    const struct session *session);

/* Where a member of the newest epoch that was heard of listens. */
const char *driver_member(const struct vstamp_driver *driver, uint32_t replica);

/* For those who wait for many drivers at once.  The connections of each are watched by one epoll,
 * which is the caller's, instead of one of its own; whatever was awaited there, the event tells
 * whose it is.  So a wait costs what happened, however many have joined.
 *
 *     driver_join(d, epoll, number)              once, before anything is asked
 *
 *     wake_ms = driver_advance(d)                where a call was begun, or something happened
 *     epoll_wait(epoll, ...)                     until the earliest of these
 *     driver_on_event(d, &event)                 d is that of driver_number(&event); calls back
 *     driver_on_time(d)                          where wake_ms has come; calls back
 */
struct epoll_event;
void driver_join(struct vstamp_driver *driver, int epoll, uint32_t number);
uint32_t driver_number(const struct epoll_event *event);

/* All that need not wait: connect, write, say what is awaited.  When to come back at the latest, by
 * vstamp_driver_now_ms; UINT64_MAX: there is no such time. */
uint64_t driver_advance(struct vstamp_driver *driver);
void driver_on_event(struct vstamp_driver *driver, const struct epoll_event *event);
void driver_on_time(struct vstamp_driver *driver);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* One session over the driver's connections (driver/driver.h), until it has ended or a signal
 * came. */
#include <config.h>

#include "client/conn.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/assert.h"
#include "client/memory.h"
#include "driver/driver.h"
#include "program/signals.h"
#include "proxy/proxy.h"

struct conn {
    struct vstamp_driver *driver;
    struct signals signals; /* that end a call */
    int output; /* whose reader has to be there, or -1 */
};

uint64_t conn_now_ms(void)
{
    return vstamp_driver_now_ms();
}

void conn_hold_signals(struct conn *conn)
{
    signals_hold(&conn->signals);
}

void conn_release_signals(struct conn *conn)
{
    signals_release(&conn->signals);
}

struct conn *conn_open(const struct config_addresses *members,
                       const struct config_addresses *begin, struct tls *tls)
{
    assert(members->n > 0 && members->n <= REPLICAS_MAX);
    struct conn *conn = memory_new(sizeof *conn);
    conn->driver = driver_new(members->at, members->n, tls, NULL);
    if (conn->driver == NULL) {
        free(conn);
        return NULL;
    }
    driver_begin_at(conn->driver, begin->at, begin->n);
    signals_open(&conn->signals);
    conn->output = -1;
    return conn;
}

void conn_close(struct conn *conn)
{
    if (conn == NULL) return;
    vstamp_driver_close(conn->driver);
    signals_close(&conn->signals);
    free(conn);
}

struct vstamp_driver *conn_beside(struct conn *conn, const struct session *session,
                                  uint32_t in_flight)
{
    return driver_beside(conn->driver, in_flight, session);
}

void conn_need_reader(struct conn *conn)
{
    conn->output = STDOUT_FILENO;
}

uint8_t conn_n_replicas(const struct conn *conn)
{
    return (uint8_t)vstamp_client_n_replicas(vstamp_driver_client(conn->driver));
}

const char *conn_member(const struct conn *conn, uint32_t replica)
{
    return driver_member(conn->driver, replica);
}

void conn_print_replicas(const struct conn *conn, FILE *into)
{
    for (uint32_t i = 0; i < conn_n_replicas(conn); i++)
        fprintf(into, "%s%s", i > 0 ? "," : "", driver_member(conn->driver, i));
}

void conn_waited(int n)
{
    if (n >= 0 || errno == EINTR) return;
    fprintf(stderr, "vstamp: nothing can be waited for: %s\n", strerror(errno));
    abort();
}

/* One turn: wait, then do what the sockets allow.  Returns the signal that came, or 0. */
static int turn(struct conn *conn)
{
    struct pollfd polls[] = {{.fd = vstamp_driver_fd(conn->driver), .events = POLLIN},
                             {.fd = conn->signals.fd, .events = POLLIN},
                             {.fd = conn->output}};
    conn_waited(poll(polls, 3, vstamp_driver_timeout(conn->driver)));
    int signal = polls[1].revents != 0 ? signals_take(&conn->signals) : 0;
    if (signal == 0 && (polls[2].revents & POLLERR) != 0) signal = SIGPIPE;
    if (signal == 0) vstamp_driver_wait(conn->driver, 0);
    return signal;
}

int conn_call(struct conn *conn, struct session *session)
{
    int signal = 0;
    driver_adopt(conn->driver, session);
    while (signal == 0 && !session_ended(session)) signal = turn(conn);
    return signal;
}

void conn_explain(const struct conn *conn, FILE *into)
{
    char text[CONN_EXPLANATION_SIZE];
    vstamp_driver_explain(conn->driver, text, sizeof text);
    fputs(text, into);
}

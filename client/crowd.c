/* SPDX-License-Identifier: BSD-2-Clause */
/* Client i asks through driver i modulo their number.  Which of the driver's sessions its requests
 * go under is the driver's choice: there are as many as clients, so that one is always free.
 *
 * A turn reads the next time of every driver, and works on those alone to which something happened:
 * there may be tens of thousands of connections, and most are idle. */
#define _GNU_SOURCE /* ppoll */
#include <config.h>

#include "client/crowd.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#include "client/memory.h"
#include "driver/driver.h"
#include "kv/kv.h"
#include "program/clock.h"
#include "proxy/proxy.h"

#define DESCRIPTORS_BESIDE 32u /* standard streams, files, signals, and some */
#define EVENTS_A_TURN 256
#define CROWDS_MAX 16u /* that run at a time and are remembered */
/* Between the registrations of two runs there is room for those by which a session fences itself
 * after a time-out. */
#define REGISTRATIONS_A_RUN (UINT64_C(1) << 20)

uint64_t crowd_now_ns(void)
{
    return clock_ns(CLOCK_MONOTONIC);
}

/* The ids of the last run, if nobody else runs under them now; else those of another crowd.  Where
 * no state can be kept, new ones. */
static void take_ids(struct crowd *crowd)
{
    struct vstamp_diag ignored;
    for (unsigned i = 0; i < CROWDS_MAX; i++) {
        char name[32], *path = NULL;
        snprintf(name, sizeof name, "crowd-%u.session", i);
        if (session_file_state_path(&path, name, true, &ignored) != 0) break;
        bool taken = session_file_open(&crowd->file, path, true, &ignored) == 0;
        free(path);
        if (!taken) continue;
        crowd->file.identity.registration += REGISTRATIONS_A_RUN;
        if (session_file_save(&crowd->file, &ignored) == 0) return;
        session_file_close(&crowd->file);
    }
    session_file_open(&crowd->file, NULL, false, &ignored);
}

static int check_size(const struct crowd *crowd, const struct config *config,
                      struct vstamp_diag *diag)
{
    uint32_t clients_max = config->max_clients / 2;
    if (clients_max == 0) clients_max = 1;
    if (crowd->n_clients <= clients_max) return 0;
    vstamp_diag_printf(diag,
                       "%" PRIu32 " clients are more than half of max_clients, %" PRIu32
                       ": others would lose their sessions: use %" PRIu32 " or less",
                       crowd->n_clients, config->max_clients, clients_max);
    return VSTAMP_E_USAGE;
}

static void open_drivers(struct crowd *crowd, const struct config_addresses *replicas)
{
    struct vstamp_client_config config = {.first = crowd->file.identity.client,
                                          .registration = crowd->file.identity.registration,
                                          .application = KV_APPLICATION};
    crowd->drivers = memory_new(crowd->n_drivers * sizeof crowd->drivers[0]);
    crowd->wake_ms = memory_new(crowd->n_drivers * sizeof crowd->wake_ms[0]);
    crowd->is_due = memory_new(crowd->n_drivers * sizeof crowd->is_due[0]);
    crowd->due = memory_new(crowd->n_drivers * sizeof crowd->due[0]);
    crowd->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (crowd->epoll < 0) abort();
    for (uint32_t i = 0; i < crowd->n_drivers; i++) {
        config.in_flight = (crowd->n_clients - i - 1) / crowd->n_drivers + 1;
        crowd->drivers[i] = driver_new(replicas->at, replicas->n, crowd->c->tls, &config);
        if (crowd->drivers[i] == NULL) abort();
        driver_join(crowd->drivers[i], crowd->epoll, i);
        crowd->wake_ms[i] = UINT64_MAX;
        config.first.lo += config.in_flight;
    }
}

/* Each connection is a descriptor. */
static int take_descriptors(const struct crowd *crowd, const struct config_addresses *replicas,
                            struct vstamp_diag *diag)
{
    struct rlimit limit;
    rlim_t wanted = crowd->n_drivers * (rlim_t)replicas->n + DESCRIPTORS_BESIDE;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
    limit.rlim_cur = limit.rlim_max;
    if (limit.rlim_max >= wanted && setrlimit(RLIMIT_NOFILE, &limit) == 0) return 0;
    vstamp_diag_printf(diag,
                       "%" PRIu32 " connections to each of %zu replicas are more than a process "
                       "may have, %ju: use fewer, or raise 'ulimit -n'",
                       crowd->n_drivers, replicas->n, (uintmax_t)limit.rlim_max);
    return VSTAMP_E_USAGE;
}

int crowd_open(struct crowd *crowd, struct client *c, uint32_t n_clients, uint32_t n_connections,
               struct vstamp_diag *diag)
{
    *crowd = (struct crowd){.c = c,
                            .n_clients = n_clients,
                            .n_drivers = n_connections < n_clients ? n_connections : n_clients};
    if (c->options.session != NULL) {
        vstamp_diag_printf(diag, "--session: this command has many sessions of its own: leave it "
                                 "out");
        return VSTAMP_E_USAGE;
    }
    struct config *config = memory_new(sizeof *config);
    int rv = client_find_group(c, NULL, config, diag);
    if (rv == 0) rv = check_size(crowd, config, diag);
    if (rv == 0) rv = take_descriptors(crowd, &config->replicas_addresses, diag);
    if (rv == 0) {
        take_ids(crowd);
        open_drivers(crowd, &config->replicas_addresses);
        signals_open(&crowd->signals);
        signals_hold(&crowd->signals);
    }
    free(config);
    return rv;
}

void crowd_close(struct crowd *crowd)
{
    if (crowd->drivers == NULL) return;
    for (uint32_t i = 0; i < crowd->n_drivers; i++) vstamp_driver_close(crowd->drivers[i]);
    free(crowd->drivers);
    close(crowd->epoll);
    free(crowd->wake_ms);
    free(crowd->is_due);
    free(crowd->due);
    session_file_close(&crowd->file);
    signals_release(&crowd->signals);
    signals_close(&crowd->signals);
    *crowd = (struct crowd){0};
}

static void make_due(struct crowd *crowd, uint32_t driver)
{
    if (crowd->is_due[driver]) return;
    crowd->is_due[driver] = true;
    crowd->due[crowd->n_due++] = driver;
}

void crowd_call(struct crowd *crowd, uint32_t i, enum vstamp_task task, struct bytes operation,
                vstamp_reply_fn *reply, void *context)
{
    uint32_t driver = i % crowd->n_drivers;
    int rv = vstamp_driver_call(crowd->drivers[driver], task, operation.data, operation.size,
                                crowd->c->options.timeout_ms, reply, context);
    make_due(crowd, driver);
    if (rv == 0) return;
    const struct vstamp_reply refused = {.err = rv, .body = (const uint8_t *)""};
    reply(context, &refused);
}

static void advance(struct crowd *crowd)
{
    for (uint32_t k = 0; k < crowd->n_due; k++) {
        uint32_t i = crowd->due[k];
        crowd->is_due[i] = false;
        crowd->wake_ms[i] = driver_advance(crowd->drivers[i]);
    }
    crowd->n_due = 0;
}

/* Nanoseconds until a driver's time has come, or `until_ns`; UINT64_MAX: neither ever does. */
static uint64_t time_left(const struct crowd *crowd, uint64_t until_ns)
{
    uint64_t wake_ms = UINT64_MAX, now_ns = crowd_now_ns();
    for (uint32_t i = 0; i < crowd->n_drivers; i++)
        if (crowd->wake_ms[i] < wake_ms) wake_ms = crowd->wake_ms[i];
    if (wake_ms < until_ns / 1000000u) until_ns = wake_ms * 1000000u;
    if (until_ns == UINT64_MAX) return UINT64_MAX;
    return until_ns > now_ns ? until_ns - now_ns : 0;
}

static void learn_view(struct crowd *crowd, uint32_t driver)
{
    uint64_t view = vstamp_client_view(vstamp_driver_client(crowd->drivers[driver]));
    if (view > crowd->view) crowd->view = view;
}

static void take_events(struct crowd *crowd)
{
    struct epoll_event events[EVENTS_A_TURN];
    int n = epoll_wait(crowd->epoll, events, EVENTS_A_TURN, 0);
    conn_waited(n);
    for (int i = 0; i < n; i++) {
        uint32_t driver = driver_number(&events[i]);
        driver_on_event(crowd->drivers[driver], &events[i]);
        learn_view(crowd, driver);
        make_due(crowd, driver);
    }
}

static void take_time(struct crowd *crowd)
{
    uint64_t now_ms = vstamp_driver_now_ms();
    for (uint32_t i = 0; i < crowd->n_drivers; i++) {
        if (crowd->wake_ms[i] > now_ms) continue;
        driver_on_time(crowd->drivers[i]);
        make_due(crowd, i);
    }
}

bool crowd_turn(struct crowd *crowd, int input, uint64_t until_ns)
{
    advance(crowd);
    struct pollfd polls[] = {{.fd = crowd->epoll, .events = POLLIN},
                             {.fd = crowd->signals.fd, .events = POLLIN},
                             {.fd = input, .events = POLLIN}};
    uint64_t left = time_left(crowd, until_ns);
    const struct timespec wait = {(time_t)(left / 1000000000u), (long)(left % 1000000000u)};
    conn_waited(ppoll(polls, 3, left == UINT64_MAX ? NULL : &wait, NULL));
    if (polls[1].revents != 0 && crowd->c->signal == 0)
        crowd->c->signal = signals_take(&crowd->signals);
    if (polls[0].revents != 0) take_events(crowd);
    take_time(crowd);
    return polls[2].revents != 0;
}

static void on_registered(void *context, const struct vstamp_reply *reply)
{
    struct crowd *crowd = context;
    crowd->roll.left--;
    if (crowd->roll.err != 0 || reply->err == 0) return;
    crowd->roll.err = reply->err;
    snprintf(crowd->roll.why, sizeof crowd->roll.why, "%.*s", (int)reply->size,
             (const char *)reply->body);
}

int crowd_register(struct crowd *crowd, struct outcome *o)
{
    char why[CONN_EXPLANATION_SIZE];
    crowd->roll.left = crowd->n_clients;
    for (uint32_t i = 0; i < crowd->n_clients; i++)
        crowd_call(crowd, i, VSTAMP_REGISTER, (struct bytes){0}, on_registered, crowd);
    while (crowd->roll.left > 0 && crowd->c->signal == 0) crowd_turn(crowd, -1, UINT64_MAX);
    if (crowd->c->signal != 0) {
        outcome_fail(o, VSTAMP_E_NOT_RUN, false, "interrupted");
    } else if (outcome_is_silence(crowd->roll.err)) {
        crowd_explain(crowd, why, sizeof why);
        outcome_fail(o, crowd->roll.err, false,
                     "no answer in %.1f s: %s: nothing was sent but registrations: %s",
                     crowd->c->options.timeout_ms / 1000.0, why,
                     outcome_advice(crowd->roll.err));
    } else if (crowd->roll.err != 0) {
        bool says = crowd->roll.why[0] != '\0';
        outcome_fail(o, crowd->roll.err, false, "refused: %s",
                     says ? crowd->roll.why : vstamp_err_text(crowd->roll.err));
    }
    return o->err;
}

bool crowd_is_barred(const struct crowd *crowd)
{
    return proxy_is_barred(vstamp_driver_client(crowd->drivers[0]));
}

void crowd_explain(const struct crowd *crowd, char *text, size_t size)
{
    vstamp_driver_explain(crowd->drivers[0], text, size);
}

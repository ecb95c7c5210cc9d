/* SPDX-License-Identifier: BSD-2-Clause */
/* Client i belongs to driver i modulo their number, and is one of that driver's sessions: any, as
 * they are alike. */
#include <config.h>

#include "client/crowd.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "client/memory.h"
#include "driver/driver.h"
#include "kv/kv.h"

#define DESCRIPTORS_BESIDE 32u /* standard streams, files, signals, and some */
#define CROWDS_MAX 16u /* that run at a time and are remembered */
/* Between the registrations of two runs there is room for those by which a session fences itself
 * after a time-out. */
#define REGISTRATIONS_A_RUN (UINT64_C(1) << 20)

uint64_t crowd_now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
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
    crowd->places = memory_new(crowd->n_drivers * sizeof crowd->places[0]);
    crowd->polls =
        memory_new((crowd->n_drivers * (size_t)VSTAMP_PEERS_MAX + 2) * sizeof crowd->polls[0]);
    for (uint32_t i = 0; i < crowd->n_drivers; i++) {
        config.in_flight = (crowd->n_clients - i - 1) / crowd->n_drivers + 1;
        crowd->drivers[i] = driver_new(replicas->at, replicas->n, crowd->c->tls, &config);
        if (crowd->drivers[i] == NULL) abort();
        config.first.lo += config.in_flight;
    }
}

/* Each connection is a descriptor, and those that there might be count for poll(2). */
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
    free(crowd->places);
    free(crowd->polls);
    session_file_close(&crowd->file);
    signals_release(&crowd->signals);
    signals_close(&crowd->signals);
    *crowd = (struct crowd){0};
}

void crowd_call(struct crowd *crowd, uint32_t i, enum vstamp_task task, struct bytes operation,
                vstamp_reply_fn *reply, void *context)
{
    int rv = vstamp_driver_call(crowd->drivers[i % crowd->n_drivers], task, operation.data,
                                operation.size, crowd->c->options.timeout_ms, reply, context);
    if (rv == 0) return;
    const struct vstamp_reply refused = {.err = rv, .body = (const uint8_t *)""};
    reply(context, &refused);
}

bool crowd_turn(struct crowd *crowd, int input, uint64_t until_ns)
{
    struct pollfd *polls = crowd->polls;
    size_t n = 0;
    int wait_ms = -1;
    for (uint32_t i = 0; i < crowd->n_drivers; i++) {
        crowd->places[i] = n;
        n += driver_polls(crowd->drivers[i], polls + n);
        int ms = vstamp_driver_timeout(crowd->drivers[i]);
        if (ms >= 0 && (wait_ms < 0 || ms < wait_ms)) wait_ms = ms;
    }
    polls[n] = (struct pollfd){.fd = crowd->signals.fd, .events = POLLIN};
    polls[n + 1] = (struct pollfd){.fd = input, .events = POLLIN};

    uint64_t now = crowd_now_ns();
    uint64_t wait = until_ns > now ? until_ns - now : 0;
    if (wait_ms >= 0 && (uint64_t)wait_ms * 1000000u < wait) wait = (uint64_t)wait_ms * 1000000u;
    if (until_ns == UINT64_MAX && wait_ms < 0) wait = UINT64_MAX;
    bool polled = driver_poll(polls, n + 2, wait);
    if ((!polled || polls[n].revents != 0) && crowd->c->signal == 0)
        crowd->c->signal = signals_take(&crowd->signals);
    for (uint32_t i = 0; i < crowd->n_drivers; i++)
        driver_turn(crowd->drivers[i], polls + crowd->places[i]);
    return polls[n + 1].revents != 0;
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
    } else if (crowd->roll.err == VSTAMP_E_NOT_RUN) {
        crowd_explain(crowd, why, sizeof why);
        outcome_fail(o, VSTAMP_E_NOT_RUN, false,
                     "no answer in %.1f s: %s: nothing was sent but registrations",
                     crowd->c->options.timeout_ms / 1000.0, why);
    } else if (crowd->roll.err != 0) {
        bool says = crowd->roll.why[0] != '\0';
        outcome_fail(o, crowd->roll.err, false, "refused: %s",
                     says ? crowd->roll.why : vstamp_err_text(crowd->roll.err));
    }
    return o->err;
}

uint64_t crowd_view(const struct crowd *crowd)
{
    uint64_t view = 0;
    for (uint32_t i = 0; i < crowd->n_drivers; i++) {
        uint64_t one = vstamp_client_view(vstamp_driver_client(crowd->drivers[i]));
        if (one > view) view = one;
    }
    return view;
}

void crowd_explain(const struct crowd *crowd, char *text, size_t size)
{
    vstamp_driver_explain(crowd->drivers[0], text, size);
}
